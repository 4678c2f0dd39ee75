/* SPDX-License-Identifier: BSD-2-Clause */
/* handler.c: what each command of the protocol does, but for those that only tell facts: facts.c. */
#include "control/call.h"
#include "control/path.h"
#include "trace/trace.h"

#define TIMEOUT_MAX_MS (60u * 60 * 1000)
#define CHANGE_MS      10000 /* INSERT, RESIZE */
#define NS_IN_MS       UINT64_C(1000000)

void lf_handler_init(struct lf_handler *handler, const struct lf_handler_options *options)
{
	handler->options = *options;
	handler->started_ns = lf_time_ns();
	lf_inquirer_init(&handler->inquirer, options->adapter, options->loop);
}

void lf_handler_fini(struct lf_handler *handler)
{
	lf_inquirer_fini(&handler->inquirer);
}

void lf_call_answer(struct lf_call *call, union lf_control_reply *reply)
{
	lf_trace_control_command(call->client, call->command, reply->header.status, 0);
	reply->header.command = call->command;
	call->reply_length = lf_control_encode_reply(reply, call->reply, LF_CONTROL_MESSAGE_MAX);
	lf_assert(call->reply_length > 0);
	call->answered(call);
}

size_t lf_handler_refuse(enum lf_control_status status, const char *text, void *reply, size_t room_bytes)
{
	return lf_control_encode_failure(status, 0, text, reply, room_bytes);
}

void lf_handler_name_user(struct lf_handler *handler, const struct lf_system_file *file, const char *path,
	struct lf_message *message)
{
	(void)lf_devices_have_file(handler->options.devices, file, path, message);
}

void lf_call_fail(struct lf_call *call, enum lf_control_status status, const struct lf_message *message)
{
	lf_trace_control_command(call->client, call->command, status, 0);
	call->reply_length = lf_control_encode_failure(
		status, call->command, message->text, call->reply, LF_CONTROL_MESSAGE_MAX);
	call->answered(call);
}

union lf_control_reply *lf_call_reply(struct lf_call *call)
{
	memset(&call->handler->reply, 0, sizeof(call->handler->reply));
	return &call->handler->reply;
}

static void answer_record(struct lf_call *call, const struct lf_control_device *record)
{
	union lf_control_reply *reply = lf_call_reply(call);

	reply->one.device = *record;
	lf_call_answer(call, reply);
}

static void answer_device(struct lf_call *call, struct lf_device *device)
{
	union lf_control_reply *reply = lf_call_reply(call);

	lf_device_describe(device, &reply->one.device);
	lf_call_answer(call, reply);
}

/* The answer comes when what came with the request is closed: it may be wanted for the next. */
static void refuse_image(struct lf_call *call, const lf_handle handles[LF_CONTROL_HANDLES_MAX],
	enum lf_control_status status, const struct lf_message *message)
{
	status = lf_devices_refuse(call->handler->options.devices, handles, &call->waiter, status, message);
	if (status != LF_CONTROL_OK)
		lf_call_fail(call, status, message);
}

static void connect_image(struct lf_call *call, const struct lf_control_connect *request,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX])
{
	struct lf_message *message = &call->handler->message;
	enum lf_control_status status =
		lf_devices_connect(call->handler->options.devices, request, handles, &call->waiter, message);

	if (status != LF_CONTROL_OK)
		refuse_image(call, handles, status, message);
}

/* NULL: status and message say why. */
static struct lf_device *find(struct lf_call *call, const char *id, const char *path,
	enum lf_control_status *status, struct lf_message *message)
{
	struct lf_devices *devices = call->handler->options.devices;
	struct lf_device *device = lf_devices_find(devices, id, path);

	if (!device && lf_devices_expect(devices, id, path)) {
		lf_message_set(message,
			"it is just being connected: wait for that, or end the command that does it");
		*status = LF_CONTROL_BUSY;
	} else if (!device) {
		lf_message_set(message, "no such device: lungfish list shows those that are connected");
		*status = LF_CONTROL_NOT_FOUND;
	}
	return device;
}

struct lf_device *lf_call_find(struct lf_call *call, const char *id, const char *path)
{
	struct lf_message *message = &call->handler->message;
	enum lf_control_status status;
	struct lf_device *device = find(call, id, path, &status, message);

	if (!device)
		lf_call_fail(call, status, message);
	return device;
}

static void ended(struct lf_device_waiter *waiter, const struct lf_control_device *is,
	enum lf_control_status status, const struct lf_message *message)
{
	struct lf_call *call = lf_container(waiter, struct lf_call, waiter);

	lf_loop_timer_cancel(call->handler->options.loop, &call->timer);
	call->device = NULL;
	if (status == LF_CONTROL_OK)
		answer_record(call, is);
	else
		lf_call_fail(call, status, message);
}

static void wait_for(struct lf_call *call, struct lf_device *device, uint64_t timeout_ms);

static void ends_late(struct lf_timer *timer)
{
	struct lf_call *call = lf_container(timer, struct lf_call, timer);
	struct lf_control_device *record = &call->handler->record;
	struct lf_message *message = &call->handler->message;
	const char *then = call->command == LF_CONTROL_DISCONNECT ? "is offline, and goes" : "is done";

	/* Opening an image takes as long as its host takes, here as for a connect. */
	if (call->command == LF_CONTROL_INSERT && lf_device_opens(call->device)) {
		wait_for(call, call->device, CHANGE_MS);
		return;
	}
	lf_device_describe(call->device, record);
	lf_device_waiter_forget(&call->waiter);
	call->device = NULL;
	if (record->in_flight > 0)
		lf_message_set(message, "%llu commands are still in flight: it %s when they have ended",
			(unsigned long long)record->in_flight, then);
	else
		lf_message_set(
			message, "the host is still at work on its image: it %s when that has ended", then);
	lf_call_fail(call, LF_CONTROL_TIMED_OUT, message);
}

static void wait_for(struct lf_call *call, struct lf_device *device, uint64_t timeout_ms)
{
	call->device = device;
	call->timer.fired = ends_late;
	lf_loop_timer_set(call->handler->options.loop, &call->timer,
		lf_time_ns() + lf_min(timeout_ms, (uint64_t)TIMEOUT_MAX_MS) * NS_IN_MS);
}

static void disconnect(struct lf_call *call, const struct lf_control_select *request)
{
	struct lf_device *device = lf_call_find(call, request->id.bytes, request->path.bytes);

	if (!device)
		return;
	if (request->flags & LF_CONTROL_FORCE) {
		lf_device_disconnect(device, NULL);
		answer_device(call, device);
		return;
	}
	wait_for(call, device, request->timeout_ms);
	lf_device_disconnect(device, &call->waiter);
}

/* What became of the attempt to begin a change. */
static void begun(struct lf_call *call, struct lf_device *device, uint64_t timeout_ms,
	enum lf_control_status status, const struct lf_message *message)
{
	if (status == LF_CONTROL_OK)
		wait_for(call, device, timeout_ms);
	else
		lf_call_fail(call, status, message);
}

static void insert(struct lf_call *call, const struct lf_control_insert *request,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX])
{
	const lf_handle surplus[LF_CONTROL_HANDLES_MAX] = {LF_HANDLE_NONE, handles[1]};
	const lf_handle image[LF_CONTROL_HANDLES_MAX] = {handles[0], LF_HANDLE_NONE};
	struct lf_message *message = &call->handler->message;
	enum lf_control_status status = LF_CONTROL_INVALID;
	struct lf_device *device = NULL;

	lf_handler_drop(call->handler, surplus);
	if (handles[0] == LF_HANDLE_NONE || lf_path_problem(request->image.bytes))
		lf_message_set(
			message, "no descriptor of the image, or no path of it, came with the request");
	else
		device = find(call, request->id.bytes, request->path.bytes, &status, message);
	if (device)
		status = lf_device_insert(device, request, handles[0], &call->waiter, message);
	if (status == LF_CONTROL_OK)
		wait_for(call, device, CHANGE_MS);
	else
		refuse_image(call, image, status, message);
}

static void eject(struct lf_call *call, const struct lf_control_select *request)
{
	struct lf_message *message = &call->handler->message;
	struct lf_device *device = lf_call_find(call, request->id.bytes, request->path.bytes);

	if (device)
		begun(call, device, request->timeout_ms,
			lf_device_eject(
				device, (request->flags & LF_CONTROL_FORCE) != 0, &call->waiter, message),
			message);
}

static void resize(struct lf_call *call, const struct lf_control_resize *request)
{
	struct lf_message *message = &call->handler->message;
	struct lf_device *device = lf_call_find(call, request->id.bytes, request->path.bytes);

	if (device)
		begun(call, device, CHANGE_MS,
			lf_device_resize(device, request->size_bytes, &call->waiter, message), message);
}

static void show(struct lf_call *call, const struct lf_control_select *request)
{
	struct lf_device *device = lf_call_find(call, request->id.bytes, request->path.bytes);

	if (!device)
		return;
	answer_device(call, device);
}

static void inquired(struct lf_inquiry *inquiry)
{
	struct lf_call *call = inquiry->context;
	const struct lf_request *request = &inquiry->request;
	union lf_control_reply *reply = lf_call_reply(call);

	call->inquiry = NULL;
	reply->inquiry.scsi_status = request->status;
	reply->inquiry.sense.length = request->sense_length;
	memcpy(reply->inquiry.sense.bytes, request->sense, request->sense_length);
	reply->inquiry.data_length = request->status == LF_STATUS_GOOD ? (uint32_t)request->data_moved : 0;
	lf_control_encode_data(inquiry->data, reply->inquiry.data_length, call->reply);
	lf_call_answer(call, reply);
}

static void inquire(struct lf_call *call, const struct lf_control_inquire *request)
{
	struct lf_device *device =
		request->number ? lf_devices_next(call->handler->options.devices, request->number - 1) : NULL;
	struct lf_message *message = &call->handler->message;
	struct lf_control_device *record = &call->handler->record;
	enum lf_control_status status_code;

	if (device)
		lf_device_describe(device, record);
	if (!device || record->number != request->number) {
		lf_message_set(message, "no such device: lungfish list shows those that are connected");
		lf_call_fail(call, LF_CONTROL_NOT_FOUND, message);
		return;
	}
	if (!lf_inquiry_is_allowed(request->cdb.bytes, request->cdb.length)) {
		lf_message_set(message, "only commands that read facts go this way: use an edge for others");
		lf_call_fail(call, LF_CONTROL_UNSUPPORTED, message);
		return;
	}
	if (record->state == LF_CONTROL_OFFLINE) {
		lf_message_set(message, "it is leaving: wait until lungfish list does not show it");
		lf_call_fail(call, LF_CONTROL_BUSY, message);
		return;
	}
	status_code = lf_inquiry_begin(&call->handler->inquirer, record->target, record->lun, request,
		inquired, call, &call->inquiry, message);
	if (status_code != LF_CONTROL_OK)
		lf_call_fail(call, status_code, message);
}

static void clear_reservations(struct lf_call *call, const struct lf_control_select *request)
{
	struct lf_message *message = &call->handler->message;
	struct lf_device *device = lf_call_find(call, request->id.bytes, request->path.bytes);

	if (device)
		begun(call, device, CHANGE_MS, lf_device_clear_reservations(device, &call->waiter, message),
			message);
}

static void drop(struct lf_call *call, const struct lf_control_after *request)
{
	const struct lf_control_edge *edge = lf_devices_edge(call->handler->options.devices);
	struct lf_message *message = &call->handler->message;

	if (!edge->session_drop || !edge->session_drop(edge->context, request->number)) {
		lf_message_set(message, "no such session: lungfish session list shows those that there are");
		lf_call_fail(call, LF_CONTROL_NOT_FOUND, message);
		return;
	}
	lf_call_answer(call, lf_call_reply(call));
}

static void dispatch(struct lf_call *call, const union lf_control_request *request,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX])
{
	switch (request->header.command) {
	case LF_CONTROL_IDENTIFY:
		lf_facts_identify(call);
		break;
	case LF_CONTROL_CONNECT:
		connect_image(call, &request->connect, handles);
		break;
	case LF_CONTROL_DISCONNECT:
		disconnect(call, &request->select);
		break;
	case LF_CONTROL_LIST:
		lf_facts_list(call, &request->list);
		break;
	case LF_CONTROL_SHOW:
		show(call, &request->select);
		break;
	case LF_CONTROL_INQUIRE:
		inquire(call, &request->inquire);
		break;
	case LF_CONTROL_INSERT:
		insert(call, &request->insert, handles);
		break;
	case LF_CONTROL_EJECT:
		eject(call, &request->select);
		break;
	case LF_CONTROL_RESIZE:
		resize(call, &request->resize);
		break;
	case LF_CONTROL_SESSIONS:
		lf_facts_sessions(call, &request->after);
		break;
	case LF_CONTROL_DROP:
		drop(call, &request->after);
		break;
	case LF_CONTROL_STATS:
		lf_facts_stats(call, &request->select);
		break;
	case LF_CONTROL_RESERVATION:
		lf_facts_reservation(call, &request->select);
		break;
	case LF_CONTROL_RESERVATION_CLEAR:
		clear_reservations(call, &request->select);
		break;
	default: /* the codec knows no other */
		lf_facts_status(call);
		break;
	}
}

void lf_handler_serve(struct lf_handler *handler, struct lf_call *call, const void *bytes,
	size_t length_bytes, const lf_handle handles[LF_CONTROL_HANDLES_MAX])
{
	static const lf_handle none[LF_CONTROL_HANDLES_MAX] = {LF_HANDLE_NONE, LF_HANDLE_NONE};
	union lf_control_request *request = &handler->request;
	struct lf_message *message = &handler->message;
	enum lf_control_status status_code;
	bool wanted;

	message->text[0] = '\0';
	call->handler = handler;
	call->device = NULL;
	call->inquiry = NULL;
	call->waiter = (struct lf_device_waiter){.ended = ended};
	status_code = lf_control_decode_request(bytes, length_bytes, request, message);
	call->command = request->header.command;
	call->believed = request->header.magic == LF_CONTROL_MAGIC;
	/* Descriptors that nobody asked for are closed, whatever they came with. */
	wanted = status_code == LF_CONTROL_OK && handles[0] != LF_HANDLE_NONE &&
		 (call->command == LF_CONTROL_CONNECT || call->command == LF_CONTROL_INSERT);
	if (!wanted)
		lf_handler_drop(handler, handles);
	if (status_code != LF_CONTROL_OK)
		lf_call_fail(call, status_code, message);
	else
		dispatch(call, request, wanted ? handles : none);
}

void lf_handler_forget(struct lf_call *call)
{
	if (call->inquiry)
		lf_inquiry_forget(call->inquiry);
	call->inquiry = NULL;
	lf_device_waiter_forget(&call->waiter);
	lf_loop_timer_cancel(call->handler->options.loop, &call->timer);
	call->device = NULL;
}

bool lf_handler_takes_handles(const struct lf_handler *handler)
{
	return lf_devices_may_refuse(handler->options.devices);
}

void lf_handler_drop(struct lf_handler *handler, const lf_handle handles[LF_CONTROL_HANDLES_MAX])
{
	static const struct lf_message unsaid;

	(void)lf_devices_refuse(handler->options.devices, handles, NULL, LF_CONTROL_OK, &unsaid);
}
