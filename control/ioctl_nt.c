/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ioctl_nt.c: service IRPs: checks them in their own threads, opens images on threads of their own, lets the
 * handler answer on its loop.
 *
 * A call is two things that end on their own: the IRP, which is completed once, by the answer, by its cancel
 * or by lf_ioctl_stop; and the work, which goes on when nobody waits for it any more. The call is freed after
 * both. But for the cancel routine whatever happens after lf_ioctl_serve happens on the loop. The cancel
 * routine completes the IRP where it is: whoever is killed goes at once, whatever the loop has to do.
 *
 * The token of who asked is let go once the image is open. The session with a server of a UNC path lives on
 * with the file; one that breaks after he has logged off cannot be made anew, and reads and writes fail.
 */
#include "control/ioctl_nt.h"

#include "control/access_nt.h"
#include "control/image_nt.h"
#include "control/interface_nt.h"
#include "trace/trace.h"

#define CALLS_MAX 64
#define OPENS_MAX 16

struct lf_ioctl {
	struct lf_ioctl_options options;
	struct lf_access access;
	struct lf_post stop;
	KEVENT quiet; /* when it stops, set by who finds that nothing is left */

	struct lf_lock lock; /* of what follows */
	bool stopping;
	uint32_t serving; /* threads in lf_ioctl_serve */
	uint32_t irps;    /* not completed */
	uint32_t posts;   /* on their way to the loop */
	uint32_t count;   /* of calls at work */
	uint32_t opens;   /* of those that have a thread */
	uint64_t last_client;
	struct lf_link calls; /* at work */

	uint8_t reply[LF_CONTROL_MESSAGE_MAX]; /* of the one that is just answered: the loop's */
};

struct call {
	struct lf_ioctl *ioctl;
	struct lf_link link; /* while there is work */
	IRP *irp;            /* NULL: somebody has claimed it; from when it pends the server's lock */
	bool noted;          /* a note of its cancel is on its way; likewise */
	bool works;          /* likewise; with the IRP claimed, no note and no work, the call is freed */
	bool served;         /* the loop's: the handler has it, or had it */
	struct lf_post post, cancel;
	struct lf_call call;
	lf_handle handles[LF_CONTROL_HANDLES_MAX];

	/* Of a request that may bring an image: the thread's, until it posts. */
	bool opens;
	uint32_t halves; /* of what opened() waits for; the server's lock */
	struct lf_nt_thread thread;
	SECURITY_CLIENT_CONTEXT client;
	enum lf_control_status refused;
	struct lf_message message;
	const char *path;           /* of the image, in decoded; NULL: it brings none */
	struct lf_system_file user; /* the file, when somebody else has it open */
	union lf_control_request decoded;

	size_t length_bytes; /* of what came: its buffer takes the reply */
	uint8_t request[LF_IOCTL_REQUEST_MAX];
};

/* ---- Coming and going ---- */

/* One less of what lf_ioctl_stop waits for; who calls it touches nothing of the server afterwards. */
static void less(struct lf_ioctl *ioctl, uint32_t *count)
{
	lf_lock(&ioctl->lock);
	(*count)--;
	if (ioctl->stopping && ioctl->serving == 0 && ioctl->irps == 0 && ioctl->posts == 0)
		KeSetEvent(&ioctl->quiet, IO_NO_INCREMENT, FALSE);
	lf_unlock(&ioctl->lock);
}

static void post(struct lf_ioctl *ioctl, struct lf_post *note)
{
	lf_lock(&ioctl->lock);
	ioctl->posts++;
	lf_unlock(&ioctl->lock);
	lf_loop_post(ioctl->options.loop, note);
}

static void complete(struct lf_ioctl *ioctl, IRP *irp, NTSTATUS status, size_t length_bytes)
{
	irp->IoStatus.Status = status;
	irp->IoStatus.Information = length_bytes;
	ioctl->options.complete(ioctl->options.context, irp);
	less(ioctl, &ioctl->irps);
}

/* The IRP, for whoever completes it; NULL: its cancel routine does, or somebody did. The call stays. */
static IRP *claim(struct call *call)
{
	struct lf_ioctl *ioctl = call->ioctl;
	IRP *irp;

	lf_lock(&ioctl->lock);
	irp = call->irp && IoSetCancelRoutine(call->irp, NULL) ? call->irp : NULL;
	if (irp)
		call->irp = NULL;
	lf_unlock(&ioctl->lock);
	return irp;
}

static bool is_awaited(struct call *call)
{
	bool awaited;

	lf_lock(&call->ioctl->lock);
	awaited = call->irp != NULL;
	lf_unlock(&call->ioctl->lock);
	return awaited;
}

/* Its work or its note has ended: with the last of them it is freed. */
static void ended(struct call *call, bool *what)
{
	struct lf_ioctl *ioctl = call->ioctl;
	bool all;

	lf_lock(&ioctl->lock);
	*what = false;
	if (what == &call->works) {
		lf_list_remove(&call->link);
		ioctl->count--;
	}
	all = !call->irp && !call->noted && !call->works;
	lf_unlock(&ioctl->lock);
	if (all)
		lf_free(call);
}

static void close_handles(struct call *call)
{
	for (uint32_t i = 0; i < LF_CONTROL_HANDLES_MAX; i++) {
		if (call->handles[i] != LF_HANDLE_NONE)
			lf_handle_close(call->handles[i]);
	}
}

/* ---- On the loop ---- */

/* With the reply in ioctl->reply. */
static void answer(struct call *call, size_t length_bytes)
{
	struct lf_ioctl *ioctl = call->ioctl;
	IRP *irp = claim(call);

	ended(call, &call->works);
	if (!irp)
		return;
	if (length_bytes > IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl.OutputBufferLength) {
		complete(ioctl, irp, STATUS_BUFFER_TOO_SMALL, 0);
		return;
	}
	memcpy(irp->AssociatedIrp.SystemBuffer, ioctl->reply, length_bytes);
	complete(ioctl, irp, STATUS_SUCCESS, length_bytes);
}

static void answered(struct lf_call *handled)
{
	answer(lf_container(handled, struct call, call), handled->reply_length);
}

/* The thread that opened has said all, and ends. */
static void join(struct call *call)
{
	struct lf_ioctl *ioctl = call->ioctl;

	lf_nt_thread_join(&call->thread);
	lf_lock(&ioctl->lock);
	ioctl->opens--;
	lf_unlock(&ioctl->lock);
}

static void run(struct lf_post *note)
{
	struct call *call = lf_container(note, struct call, post);
	struct lf_ioctl *ioctl = call->ioctl;

	if (call->opens)
		join(call);
	if (!is_awaited(call)) {
		/* Whoever asked has gone before anything was begun. */
		lf_handler_drop(ioctl->options.handler, call->handles);
		ended(call, &call->works);
	} else if (call->refused != LF_CONTROL_OK) {
		if (call->refused == LF_CONTROL_BUSY)
			lf_handler_name_user(ioctl->options.handler, &call->user, call->path, &call->message);
		lf_trace_control_client_refused(call->call.client, call->refused, 0, 0);
		answer(call, lf_handler_refuse(
				     call->refused, call->message.text, ioctl->reply, sizeof(ioctl->reply)));
	} else {
		call->served = true;
		call->call.reply = ioctl->reply;
		call->call.answered = answered;
		lf_handler_serve(ioctl->options.handler, &call->call, call->request, call->length_bytes,
			call->handles);
	}
	less(ioctl, &ioctl->posts);
}

/* Nobody waits for the answer any more. The call may be gone. */
static void forget(struct call *call)
{
	if (!call->works || !call->served)
		return;
	lf_handler_forget(&call->call);
	ended(call, &call->works);
}

static void cancelled(struct lf_post *note)
{
	struct call *call = lf_container(note, struct call, cancel);
	struct lf_ioctl *ioctl = call->ioctl;

	forget(call);
	ended(call, &call->noted);
	less(ioctl, &ioctl->posts);
}

/* Nobody is in lf_ioctl_serve any more: the list only shrinks, and here. */
static void stop_all(struct lf_post *note)
{
	struct lf_ioctl *ioctl = lf_container(note, struct lf_ioctl, stop);

	lf_list_each(link, after, &ioctl->calls)
	{
		struct call *call = lf_container(link, struct call, link);
		IRP *irp = claim(call);
		forget(call);
		if (irp)
			complete(ioctl, irp, STATUS_DEVICE_NOT_READY, 0);
	}
	less(ioctl, &ioctl->posts);
}

/* ---- Opening an image ---- */

/*
 * The thread has opened, or its starter has a thread that can be joined: whoever comes second posts. When it
 * stops, a late thread does not: lf_ioctl_close joins, as lf_ioctl_stop does not wait for what may take so
 * long.
 */
static void opened(struct call *call, bool by_starter)
{
	struct lf_ioctl *ioctl = call->ioctl;
	bool posts;

	lf_lock(&ioctl->lock);
	posts = call->halves++ == 1 && (by_starter || !ioctl->stopping);
	ioctl->posts += posts;
	lf_unlock(&ioctl->lock);
	if (posts)
		lf_loop_post(ioctl->options.loop, &call->post);
}

/*
 * A thread of its own: it may take as long as a redirector has patience, and nobody waits but who asked. No
 * errand (errand.h), as it begins in the thread of whoever asks, whose token it uses, and may outlive the
 * loop.
 */
static void open_image(void *context)
{
	struct call *call = context;
	const union lf_control_request *request = &call->decoded;
	bool read_only = false;

	/* What cannot be decoded the handler refuses. */
	if (lf_control_decode_request(call->request, call->length_bytes, &call->decoded, &call->message) ==
		LF_CONTROL_OK) {
		bool connects = request->header.command == LF_CONTROL_CONNECT;
		call->path = connects ? request->connect.path.bytes : request->insert.image.bytes;
		read_only = connects ? request->connect.type != 0 ||
					       (request->connect.flags & LF_CONTROL_READ_ONLY) != 0
				     : (request->insert.flags & LF_CONTROL_INSERT_READ_ONLY) != 0;
	}
	if (call->path && *call->path)
		call->refused = lf_image_open(
			call->path, read_only, &call->client, &call->handles[0], &call->user, &call->message);
	lf_access_release(&call->client);
	opened(call, false);
}

/* ---- In the thread of whoever asks ---- */

/* What is done cannot be told to somebody who has no room for the reply. */
static bool changes(const struct lf_control_header *header)
{
	switch (header->command) {
	case LF_CONTROL_IDENTIFY:
	case LF_CONTROL_LIST:
	case LF_CONTROL_SHOW:
	case LF_CONTROL_STATUS:
	case LF_CONTROL_INQUIRE:
	case LF_CONTROL_SESSIONS:
	case LF_CONTROL_STATS:
	case LF_CONTROL_RESERVATION:
		return false;
	default:
		return true;
	}
}

/* As far as it can be said without reading more than the header. */
static NTSTATUS check_shape(const IRP *irp)
{
	const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation((IRP *)(uintptr_t)irp);
	ULONG in = stack->Parameters.DeviceIoControl.InputBufferLength;
	ULONG out = stack->Parameters.DeviceIoControl.OutputBufferLength;
	struct lf_control_header header;

	if (stack->MajorFunction != IRP_MJ_DEVICE_CONTROL ||
		stack->Parameters.DeviceIoControl.IoControlCode != LF_IOCTL_SERVICE)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (in < sizeof(header) || in > LF_IOCTL_REQUEST_MAX)
		return STATUS_INVALID_PARAMETER;
	memcpy(&header, irp->AssociatedIrp.SystemBuffer, sizeof(header));
	if (header.magic != LF_CONTROL_MAGIC)
		return STATUS_INVALID_DEVICE_REQUEST;
	return out < LF_IOCTL_REPLY_MIN && changes(&header) ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
}

/* Whether an image comes with it. */
static bool brings_image(const IRP *irp)
{
	struct lf_control_header header;

	memcpy(&header, irp->AssociatedIrp.SystemBuffer, sizeof(header));
	return header.version == LF_CONTROL_VERSION &&
	       (header.command == LF_CONTROL_CONNECT || header.command == LF_CONTROL_INSERT);
}

static void refuse(struct lf_ioctl *ioctl, IRP *irp, enum lf_control_status status, const char *text)
{
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	ULONG room = stack->Parameters.DeviceIoControl.OutputBufferLength;

	if (room < sizeof(struct lf_control_failure))
		complete(ioctl, irp, STATUS_BUFFER_TOO_SMALL, 0);
	else
		complete(ioctl, irp, STATUS_SUCCESS,
			lf_handler_refuse(status, text, irp->AssociatedIrp.SystemBuffer, room));
}

/* False: too many are outstanding. */
static bool admit(struct lf_ioctl *ioctl, bool opens, uint64_t *client)
{
	bool admitted;

	lf_lock(&ioctl->lock);
	*client = ++ioctl->last_client;
	admitted = ioctl->count < CALLS_MAX && !(opens && ioctl->opens >= OPENS_MAX);
	if (admitted) {
		ioctl->count++;
		ioctl->opens += opens;
	}
	lf_unlock(&ioctl->lock);
	return admitted;
}

static void expel(struct lf_ioctl *ioctl, bool opens)
{
	lf_lock(&ioctl->lock);
	ioctl->count--;
	ioctl->opens -= opens;
	lf_unlock(&ioctl->lock);
}

/* DISPATCH_LEVEL, with the cancel spin lock held. The call lives until its IRP is claimed and the note ran.
 */
static VOID NTAPI cancel(DEVICE_OBJECT *device, IRP *irp)
{
	struct call *call = irp->Tail.Overlay.DriverContext[0];
	struct lf_ioctl *ioctl = call->ioctl;

	(void)device;
	IoReleaseCancelSpinLock(irp->CancelIrql);
	lf_lock(&ioctl->lock);
	call->irp = NULL;
	call->noted = true;
	ioctl->posts++;
	lf_unlock(&ioctl->lock);
	complete(ioctl, irp, STATUS_CANCELLED, 0);
	lf_loop_post(ioctl->options.loop, &call->cancel);
}

/* False: it is cancelled already. Else it is whoever's whose claim comes first, or the cancel routine's. */
static bool pend(struct call *call, IRP *irp)
{
	bool pends;
	KIRQL irql;

	irp->Tail.Overlay.DriverContext[0] = call;
	IoAcquireCancelSpinLock(&irql);
	pends = !irp->Cancel;
	if (pends)
		(void)IoSetCancelRoutine(irp, cancel);
	IoReleaseCancelSpinLock(irql);
	return pends;
}

/* It is in the list before anything can end it. */
static void begin(struct call *call)
{
	struct lf_ioctl *ioctl = call->ioctl;

	lf_lock(&ioctl->lock);
	lf_list_append(&ioctl->calls, &call->link);
	lf_unlock(&ioctl->lock);
	if (call->opens) {
		call->thread.run = open_image;
		call->thread.context = call;
		if (lf_nt_thread_start(&call->thread) == LF_OK) {
			opened(call, true);
			return;
		}
		lf_access_release(&call->client);
		lf_lock(&ioctl->lock);
		ioctl->opens--;
		lf_unlock(&ioctl->lock);
		call->opens = false;
		call->refused = LF_CONTROL_FAILED;
		lf_message_set(&call->message, "memory is short: try again");
	}
	post(ioctl, &call->post);
}

/* Makes the call; what is NULL is completed. */
static void take(struct lf_ioctl *ioctl, IRP *irp, bool opens, uint64_t client)
{
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	struct call *call = lf_alloc(sizeof(*call));
	NTSTATUS status;

	if (!call) {
		expel(ioctl, opens);
		refuse(ioctl, irp, LF_CONTROL_FAILED, "memory is short: try again");
		return;
	}
	call->ioctl = ioctl;
	call->irp = irp;
	call->works = true;
	call->opens = opens;
	call->post.run = run;
	call->cancel.run = cancelled;
	call->call.client = client;
	call->handles[0] = call->handles[1] = LF_HANDLE_NONE;
	/* The same buffer takes the reply, and of an IRP that is cancelled it goes away. */
	call->length_bytes = stack->Parameters.DeviceIoControl.InputBufferLength;
	memcpy(call->request, irp->AssociatedIrp.SystemBuffer, call->length_bytes);
	status = opens ? lf_access_capture(irp, &call->client) : STATUS_SUCCESS;
	if (NT_SUCCESS(status) && pend(call, irp)) {
		begin(call);
		return;
	}
	if (NT_SUCCESS(status) && opens)
		lf_access_release(&call->client);
	expel(ioctl, opens);
	lf_free(call);
	complete(ioctl, irp, NT_SUCCESS(status) ? STATUS_CANCELLED : status, 0);
}

static void serve(struct lf_ioctl *ioctl, IRP *irp)
{
	/* Who speaks for a user may not borrow the kernel's rights, and the kernel has no image to connect.
	 */
	NTSTATUS status = irp->RequestorMode == KernelMode ? STATUS_ACCESS_DENIED
							   : lf_access_check(&ioctl->access, irp);
	uint64_t client;
	bool opens;

	if (NT_SUCCESS(status))
		status = check_shape(irp);
	if (!NT_SUCCESS(status)) {
		complete(ioctl, irp, status, 0);
		return;
	}
	opens = brings_image(irp);
	if (admit(ioctl, opens, &client)) {
		lf_trace_control_client_opened(client, 0, 0, 0);
		take(ioctl, irp, opens, client);
		return;
	}
	lf_trace_control_client_refused(client, LF_CONTROL_BUSY, 0, 0);
	refuse(ioctl, irp, LF_CONTROL_BUSY, "too many requests are outstanding: try again");
}

void lf_ioctl_serve(struct lf_ioctl *ioctl, IRP *irp)
{
	bool stopping, last;

	lf_lock(&ioctl->lock);
	stopping = ioctl->stopping;
	ioctl->irps++;
	ioctl->serving += !stopping;
	lf_unlock(&ioctl->lock);
	if (stopping) {
		complete(ioctl, irp, STATUS_DEVICE_NOT_READY, 0);
		return;
	}
	serve(ioctl, irp);
	lf_lock(&ioctl->lock);
	ioctl->serving--;
	last = ioctl->stopping && ioctl->serving == 0;
	ioctl->posts += last;
	lf_unlock(&ioctl->lock);
	if (last)
		lf_loop_post(ioctl->options.loop, &ioctl->stop);
}

/* ---- Opening and closing ---- */

struct lf_ioctl *lf_ioctl_open(const struct lf_ioctl_options *options)
{
	struct lf_ioctl *ioctl = lf_alloc(sizeof(*ioctl));

	if (!ioctl)
		return NULL;
	if (!NT_SUCCESS(lf_access_init(&ioctl->access))) {
		lf_free(ioctl);
		return NULL;
	}
	ioctl->options = *options;
	ioctl->stop.run = stop_all;
	KeInitializeEvent(&ioctl->quiet, NotificationEvent, FALSE);
	lf_lock_init(&ioctl->lock);
	lf_list_init(&ioctl->calls);
	return ioctl;
}

void lf_ioctl_stop(struct lf_ioctl *ioctl)
{
	bool alone;

	lf_lock(&ioctl->lock);
	ioctl->stopping = true;
	alone = ioctl->serving == 0;
	ioctl->posts += alone;
	lf_unlock(&ioctl->lock);
	/* Else the last who leaves lf_ioctl_serve does it. */
	if (alone)
		lf_loop_post(ioctl->options.loop, &ioctl->stop);
	KeWaitForSingleObject(&ioctl->quiet, Executive, KernelMode, FALSE, NULL);
	/* Whoever has set it holds the lock until he is out. */
	lf_lock(&ioctl->lock);
	lf_unlock(&ioctl->lock);
}

void lf_ioctl_close(struct lf_ioctl *ioctl)
{
	/* What is left opens an image that nobody waits for. */
	lf_list_each(link, after, &ioctl->calls)
	{
		struct call *call = lf_container(link, struct call, link);
		join(call);
		close_handles(call);
		ended(call, &call->works);
	}
	lf_lock_fini(&ioctl->lock);
	lf_free(ioctl);
}
