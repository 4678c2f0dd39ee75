/* SPDX-License-Identifier: BSD-2-Clause */
/* bed.c: the host and the handler around the control server. */
#include "tests/storport/ioctl/bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bed bed = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- The handler ---- */

static void note(uint32_t *count)
{
	pthread_mutex_lock(&bed.mutex);
	(*count)++;
	pthread_cond_broadcast(&bed.changed);
	pthread_mutex_unlock(&bed.mutex);
}

void bed_wait(const uint32_t *count, uint32_t least)
{
	pthread_mutex_lock(&bed.mutex);
	while (*count < least)
		pthread_cond_wait(&bed.changed, &bed.mutex);
	pthread_mutex_unlock(&bed.mutex);
}

uint32_t bed_read(const uint32_t *count)
{
	uint32_t value;

	pthread_mutex_lock(&bed.mutex);
	value = *count;
	pthread_mutex_unlock(&bed.mutex);
	return value;
}

static void answer(struct lf_call *call)
{
	union lf_control_reply reply;

	memset(&reply, 0, sizeof(reply));
	reply.header.command = LF_CONTROL_IDENTIFY;
	call->reply_length = lf_control_encode_reply(&reply, call->reply, LF_CONTROL_MESSAGE_MAX);
	call->answered(call);
}

void lf_handler_serve(struct lf_handler *handler, struct lf_call *call, const void *request,
	size_t length_bytes, const lf_handle handles[LF_CONTROL_HANDLES_MAX])
{
	static union lf_control_request decoded; /* the loop's */
	struct lf_message message;
	bool holds;

	lf_control_decode_request(request, length_bytes, &decoded, &message);
	lf_handler_drop(handler, handles);
	pthread_mutex_lock(&bed.mutex);
	bed.brought += handles[0] != LF_HANDLE_NONE;
	holds = bed.way == BED_HOLDS;
	if (holds)
		bed.held[bed.held_count++] = call;
	bed.served++;
	pthread_cond_broadcast(&bed.changed);
	pthread_mutex_unlock(&bed.mutex);
	if (!holds)
		answer(call);
}

void lf_handler_forget(struct lf_call *call)
{
	bool found = false;

	pthread_mutex_lock(&bed.mutex);
	for (uint32_t i = 0; i < bed.held_count && !found; i++) {
		found = bed.held[i] == call;
		if (found)
			bed.held[i] = bed.held[--bed.held_count];
	}
	bed.forgotten++;
	pthread_mutex_unlock(&bed.mutex);
	if (!found)
		lf_test_fail(__FILE__, __LINE__, "a call is forgotten that the handler does not have");
}

void lf_handler_drop(struct lf_handler *handler, const lf_handle handles[LF_CONTROL_HANDLES_MAX])
{
	(void)handler;
	for (uint32_t i = 0; i < LF_CONTROL_HANDLES_MAX; i++) {
		if (handles[i] != LF_HANDLE_NONE)
			lf_handle_close(handles[i]);
	}
}

void lf_handler_name_user(struct lf_handler *handler, const struct lf_system_file *file, const char *path,
	struct lf_message *message)
{
	(void)handler;
	if (file->known)
		lf_message_set(message, "%s is file %llu", path, (unsigned long long)file->node[0]);
}

size_t lf_handler_refuse(enum lf_control_status status, const char *text, void *bytes, size_t room_bytes)
{
	return lf_control_encode_failure(status, 0, text, bytes, room_bytes);
}

static void answer_all(struct lf_post *post)
{
	struct lf_call *calls[lf_count_of(bed.held)];
	uint32_t count;

	(void)post;
	pthread_mutex_lock(&bed.mutex);
	count = bed.held_count;
	memcpy(calls, bed.held, sizeof(calls));
	bed.held_count = 0;
	pthread_mutex_unlock(&bed.mutex);
	for (uint32_t i = 0; i < count; i++)
		answer(calls[i]);
}

struct rounds {
	struct lf_post post;
	uint32_t ended;
};

static void answer_post(struct lf_post *post)
{
	answer_all(post);
	note(&((struct rounds *)(void *)post)->ended);
}

void bed_answer_held(void)
{
	struct rounds round = {.post = {.run = answer_post}};

	lf_loop_post(bed.loop, &round.post);
	bed_wait(&round.ended, 1);
}

/* ---- Opening, seen on its way ---- */

static void opens(void *context, const struct lf_fake_asked *asked)
{
	(void)context;
	pthread_mutex_lock(&bed.mutex);
	bed.asked = *asked;
	bed.at_gate++;
	pthread_cond_broadcast(&bed.changed);
	while (bed.gate)
		pthread_cond_wait(&bed.changed, &bed.mutex);
	pthread_mutex_unlock(&bed.mutex);
}

void bed_gate(bool shut)
{
	pthread_mutex_lock(&bed.mutex);
	bed.gate = shut;
	pthread_cond_broadcast(&bed.changed);
	pthread_mutex_unlock(&bed.mutex);
}

void bed_way(enum bed_way way)
{
	pthread_mutex_lock(&bed.mutex);
	bed.way = way;
	pthread_mutex_unlock(&bed.mutex);
}

/* ---- The host ---- */

static void complete(void *context, IRP *irp)
{
	struct bed_irp *one;

	(void)context;
	lf_fake_need_irql("an IRP is completed", DISPATCH_LEVEL);
	lf_fake_irp_complete(irp);
	pthread_mutex_lock(&bed.mutex);
	one = irp->Tail.Overlay.DriverContext[3];
	one->done = true;
	bed.completed++;
	pthread_cond_broadcast(&bed.changed);
	pthread_mutex_unlock(&bed.mutex);
}

static void run_loop(void *context)
{
	lf_loop_run(context);
}

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "bed: %s\n", what);
	exit(1);
}

void bed_open(void)
{
	struct lf_message message;
	struct lf_ioctl_options options = {.complete = complete};

	lf_fake_reset();
	lf_fake_process_of(LF_FAKE_ADMIN);
	lf_fake_open_hook(opens, NULL);
	bed.way = BED_ANSWERS;
	bed.held_count = bed.served = bed.forgotten = bed.completed = bed.brought = 0;
	bed.at_gate = 0;
	bed.gate = false;
	bed.loop = lf_loop_create(0, false, &message);
	need(bed.loop != NULL, "no loop");
	bed.thread.run = run_loop;
	bed.thread.context = bed.loop;
	need(lf_nt_thread_start(&bed.thread) == LF_OK, "no thread");
	options.loop = bed.loop;
	bed.ioctl = lf_ioctl_open(&options);
	need(bed.ioctl != NULL, "no control server");
}

void bed_stop(void)
{
	lf_ioctl_stop(bed.ioctl);
	lf_loop_stop(bed.loop);
	lf_nt_thread_join(&bed.thread);
}

/* After bed_stop. */
void bed_close(void)
{
	lf_ioctl_close(bed.ioctl);
	lf_loop_destroy(bed.loop);
	CHECK_EQ(bed.held_count, 0);
	CHECK_EQ(lf_fake_leaks(), 0);
}

void bed_send(struct bed_irp *one, const void *in, ULONG in_bytes, ULONG out_bytes)
{
	one->done = false;
	one->irp = lf_fake_irp_make(LF_IOCTL_SERVICE, in, in_bytes, out_bytes, UserMode);
	one->irp->Tail.Overlay.DriverContext[3] = one;
	lf_ioctl_serve(bed.ioctl, one->irp);
}

void bed_send_request(struct bed_irp *one, union lf_control_request *request)
{
	uint8_t bytes[sizeof(*request)];
	size_t length = lf_control_encode_request(request, bytes, sizeof(bytes));

	bed_send(one, bytes, (ULONG)length, LF_CONTROL_MESSAGE_MAX);
}

NTSTATUS bed_end(struct bed_irp *one)
{
	pthread_mutex_lock(&bed.mutex);
	while (!one->done)
		pthread_cond_wait(&bed.changed, &bed.mutex);
	pthread_mutex_unlock(&bed.mutex);
	return one->irp->IoStatus.Status;
}

void bed_forget(struct bed_irp *one)
{
	lf_fake_irp_free(one->irp);
	one->irp = NULL;
}

union lf_control_request bed_request(enum lf_control_command command)
{
	union lf_control_request request;

	memset(&request, 0, sizeof(request));
	request.header.command = (uint16_t)command;
	return request;
}

union lf_control_request bed_connect(const char *path, bool read_only)
{
	union lf_control_request request = bed_request(LF_CONTROL_CONNECT);

	request.connect.lun = UINT32_MAX;
	request.connect.flags = read_only ? LF_CONTROL_READ_ONLY : 0;
	lf_control_set_text(&request.connect.path, path);
	return request;
}

NTSTATUS bed_ask(union lf_control_request *request, enum lf_control_status *status, char text[512])
{
	static union lf_control_reply reply;
	struct lf_message message;
	struct bed_irp one;
	NTSTATUS result;

	*text = '\0';
	bed_send_request(&one, request);
	result = bed_end(&one);
	/* Of what succeeds the reply is that of IDENTIFY: the handler is the test's. */
	if (result == STATUS_SUCCESS &&
		!lf_control_decode_reply(one.irp->AssociatedIrp.SystemBuffer, one.irp->IoStatus.Information,
			LF_CONTROL_IDENTIFY, &reply, &message))
		result = STATUS_UNSUCCESSFUL;
	if (result == STATUS_SUCCESS) {
		*status = (enum lf_control_status)reply.header.status;
		if (*status != LF_CONTROL_OK)
			snprintf(text, 512, "%s", reply.failure.text.bytes);
	}
	bed_forget(&one);
	return result;
}
