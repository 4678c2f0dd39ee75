/* SPDX-License-Identifier: BSD-2-Clause */
/* handler.c: IDENTIFY, CONNECT, DISCONNECT, LIST, SHOW, STATUS and INQUIRE. */
#include "control/handler.h"
#include "trace/trace.h"

#include <string.h>
#include <unistd.h>

#define PLATFORM       "linux"
#define TIMEOUT_MAX_MS (60u * 60 * 1000)
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

static void answer(struct lf_call *call, union lf_control_reply *reply)
{
	lf_trace_control_command(call->client, call->command, reply->header.status, 0);
	reply->header.command = call->command;
	call->reply_length = lf_control_encode_reply(reply, call->reply, LF_CONTROL_MESSAGE_MAX);
	lf_assert(call->reply_length > 0);
}

static size_t encode_failure(
	enum lf_control_status status, uint16_t command, const char *text, void *bytes, size_t room_bytes)
{
	union lf_control_reply reply;

	memset(&reply.failure, 0, sizeof(reply.failure));
	reply.header.status = status;
	reply.header.command = command;
	reply.failure.version_min = LF_CONTROL_VERSION;
	reply.failure.version_max = LF_CONTROL_VERSION;
	lf_control_set_text(&reply.failure.text, text);
	return lf_control_encode_reply(&reply, bytes, room_bytes);
}

size_t lf_handler_refuse(enum lf_control_status status, const char *text, void *reply, size_t room_bytes)
{
	return encode_failure(status, 0, text, reply, room_bytes);
}

static void fail(struct lf_call *call, enum lf_control_status status, const struct lf_message *message)
{
	lf_trace_control_command(call->client, call->command, status, 0);
	call->reply_length =
		encode_failure(status, call->command, message->text, call->reply, LF_CONTROL_MESSAGE_MAX);
	call->answered(call);
}

static void identify(struct lf_call *call)
{
	union lf_control_reply reply;
	struct lf_control_identity *identity = &reply.identity;

	memset(identity, 0, sizeof(*identity));
	identity->version_min = LF_CONTROL_VERSION;
	identity->version_max = LF_CONTROL_VERSION;
	identity->process_id = (uint64_t)getpid();
	lf_control_set_text(&identity->adapter, "Lungfish virtual SCSI adapter");
	lf_control_set_text(&identity->release, call->handler->options.release);
	lf_control_set_text(&identity->platform, PLATFORM);
	answer(call, &reply);
	call->answered(call);
}

static void answer_device(struct lf_call *call, const struct lf_control_device *device)
{
	union lf_control_reply reply;

	memset(&reply.header, 0, sizeof(reply.header));
	reply.one.device = *device;
	answer(call, &reply);
	call->answered(call);
}

static void connect_image(struct lf_call *call, const struct lf_control_connect *request,
	const int handles[LF_CONTROL_HANDLES_MAX])
{
	struct lf_message message = {""};
	struct lf_control_device record;
	enum lf_control_status status;
	struct lf_device *device;

	if (handles[0] < 0) {
		lf_message_set(&message, "no descriptor of the image came with the request");
		fail(call, LF_CONTROL_INVALID, &message);
		return;
	}
	status = lf_devices_connect(call->handler->options.devices, request, handles, &device, &message);
	if (status != LF_CONTROL_OK) {
		fail(call, status, &message);
		return;
	}
	lf_device_describe(device, &record);
	answer_device(call, &record);
}

static struct lf_device *find(struct lf_call *call, const struct lf_control_select *request)
{
	struct lf_device *device =
		lf_devices_find(call->handler->options.devices, request->id.bytes, request->path.bytes);
	struct lf_message message;

	if (!device) {
		lf_message_set(&message, "no such device: lungfish list shows those that are connected");
		fail(call, LF_CONTROL_NOT_FOUND, &message);
	}
	return device;
}

static void departed(struct lf_departure *departure, const struct lf_control_device *was,
	enum lf_control_status status, const struct lf_message *message)
{
	struct lf_call *call = lf_container(departure, struct lf_call, departure);

	lf_loop_timer_cancel(call->handler->options.loop, &call->timer);
	call->device = NULL;
	if (status == LF_CONTROL_OK)
		answer_device(call, was);
	else
		fail(call, status, message);
}

static void departs_late(struct lf_timer *timer)
{
	struct lf_call *call = lf_container(timer, struct lf_call, timer);
	struct lf_control_device record;
	struct lf_message message;

	lf_device_describe(call->device, &record);
	lf_departure_forget(&call->departure);
	call->device = NULL;
	lf_message_set(&message,
		"%llu commands are still in flight: it is offline, and goes when they have ended",
		(unsigned long long)record.in_flight);
	fail(call, LF_CONTROL_TIMED_OUT, &message);
}

static void disconnect(struct lf_call *call, const struct lf_control_select *request)
{
	struct lf_device *device = find(call, request);
	uint64_t timeout_ms = lf_min(request->timeout_ms, TIMEOUT_MAX_MS);
	struct lf_control_device record;

	if (!device)
		return;
	if (request->flags & LF_CONTROL_FORCE) {
		lf_device_disconnect(device, NULL);
		lf_device_describe(device, &record);
		answer_device(call, &record);
		return;
	}
	call->device = device;
	call->departure.ended = departed;
	call->timer.fired = departs_late;
	lf_loop_timer_set(call->handler->options.loop, &call->timer, lf_time_ns() + timeout_ms * NS_IN_MS);
	lf_device_disconnect(device, &call->departure);
}

static void show(struct lf_call *call, const struct lf_control_select *request)
{
	struct lf_device *device = find(call, request);
	struct lf_control_device record;

	if (!device)
		return;
	lf_device_describe(device, &record);
	answer_device(call, &record);
}

static void list(struct lf_call *call, const struct lf_control_list *request)
{
	struct lf_device *device = lf_devices_next(call->handler->options.devices, request->after);
	struct lf_control_device record;
	union lf_control_reply reply;
	uint32_t count = 0;

	for (; device && count < LF_CONTROL_PAGE_DEVICES_MAX; device = lf_device_next(device)) {
		lf_device_describe(device, &record);
		lf_control_encode_device(&record, count++, call->reply);
	}
	memset(&reply.page, 0, sizeof(reply.page));
	reply.page.count = count;
	reply.page.more = device != NULL;
	answer(call, &reply);
	call->answered(call);
}

static void status(struct lf_call *call)
{
	const struct lf_handler_options *options = &call->handler->options;
	const struct lf_control_edge *edge = lf_devices_edge(options->devices);
	struct lf_control_event event;
	union lf_control_reply reply;
	struct lf_control_state *state = &reply.state;

	memset(state, 0, sizeof(*state));
	state->process_id = (uint64_t)getpid();
	state->uptime_ns = lf_time_ns() - call->handler->started_ns;
	state->sessions = edge->session_count ? edge->session_count(edge->context) : 0;
	state->devices = lf_devices_count(options->devices);
	state->loops = options->loop_count;
	lf_control_set_text(&state->release, options->release);
	lf_control_set_text(&state->platform, PLATFORM);
	lf_control_set_text(&state->engine, options->engine);
	lf_control_set_text(&state->iqn, edge->iqn ? edge->iqn : "");
	while (edge->portal && state->portal_count < LF_CONTROL_PORTALS_MAX &&
		edge->portal(edge->context, state->portal_count, &state->portals[state->portal_count]))
		state->portal_count++;
	state->event_count = lf_min(lf_trace_event_count, (uint32_t)LF_CONTROL_EVENTS_MAX);
	for (uint32_t i = 0; i < state->event_count; i++) {
		memset(&event, 0, sizeof(event));
		event.id = lf_trace_events[i].id;
		event.count = lf_trace_count((enum lf_trace_id)event.id);
		lf_control_set_text(&event.name, lf_trace_events[i].name);
		lf_control_encode_event(&event, i, call->reply);
	}
	answer(call, &reply);
	call->answered(call);
}

static void inquired(struct lf_inquiry *inquiry)
{
	struct lf_call *call = inquiry->context;
	const struct lf_request *request = &inquiry->request;
	union lf_control_reply reply;

	call->inquiry = NULL;
	memset(&reply.inquiry, 0, sizeof(reply.inquiry));
	reply.inquiry.scsi_status = request->status;
	reply.inquiry.sense.length = request->sense_length;
	memcpy(reply.inquiry.sense.bytes, request->sense, request->sense_length);
	reply.inquiry.data_length = request->status == LF_STATUS_GOOD ? (uint32_t)request->data_moved : 0;
	lf_control_encode_data(inquiry->data, reply.inquiry.data_length, call->reply);
	answer(call, &reply);
	call->answered(call);
}

static void inquire(struct lf_call *call, const struct lf_control_inquire *request)
{
	struct lf_device *device =
		request->number ? lf_devices_next(call->handler->options.devices, request->number - 1) : NULL;
	struct lf_message message = {""};
	struct lf_control_device record;
	enum lf_control_status status_code;

	if (device)
		lf_device_describe(device, &record);
	if (!device || record.number != request->number) {
		lf_message_set(&message, "no such device: lungfish list shows those that are connected");
		fail(call, LF_CONTROL_NOT_FOUND, &message);
		return;
	}
	if (!lf_inquiry_is_allowed(request->cdb.bytes, request->cdb.length)) {
		lf_message_set(&message, "only commands that read facts go this way: use an edge for others");
		fail(call, LF_CONTROL_UNSUPPORTED, &message);
		return;
	}
	if (record.state == LF_CONTROL_OFFLINE) {
		lf_message_set(&message, "it is leaving: wait until lungfish list does not show it");
		fail(call, LF_CONTROL_BUSY, &message);
		return;
	}
	status_code = lf_inquiry_begin(
		&call->handler->inquirer, record.lun, request, inquired, call, &call->inquiry, &message);
	if (status_code != LF_CONTROL_OK)
		fail(call, status_code, &message);
}

static void dispatch(struct lf_call *call, const union lf_control_request *request,
	const int handles[LF_CONTROL_HANDLES_MAX])
{
	switch (request->header.command) {
	case LF_CONTROL_IDENTIFY:
		identify(call);
		break;
	case LF_CONTROL_CONNECT:
		connect_image(call, &request->connect, handles);
		break;
	case LF_CONTROL_DISCONNECT:
		disconnect(call, &request->select);
		break;
	case LF_CONTROL_LIST:
		list(call, &request->list);
		break;
	case LF_CONTROL_SHOW:
		show(call, &request->select);
		break;
	case LF_CONTROL_INQUIRE:
		inquire(call, &request->inquire);
		break;
	default:
		status(call);
		break;
	}
}

void lf_handler_serve(struct lf_handler *handler, struct lf_call *call, const void *bytes,
	size_t length_bytes, const int handles[LF_CONTROL_HANDLES_MAX])
{
	static const int none[LF_CONTROL_HANDLES_MAX] = {-1, -1};
	struct lf_message message = {""};
	union lf_control_request request;
	enum lf_control_status status_code;
	bool wanted;

	call->handler = handler;
	call->device = NULL;
	call->inquiry = NULL;
	status_code = lf_control_decode_request(bytes, length_bytes, &request, &message);
	call->command = request.header.command;
	call->believed = request.header.magic == LF_CONTROL_MAGIC;
	/* Descriptors that nobody asked for are closed, whatever they came with. */
	wanted = status_code == LF_CONTROL_OK && call->command == LF_CONTROL_CONNECT && handles[0] >= 0;
	for (uint32_t i = 0; !wanted && i < LF_CONTROL_HANDLES_MAX; i++) {
		if (handles[i] >= 0)
			close(handles[i]);
	}
	if (status_code != LF_CONTROL_OK)
		fail(call, status_code, &message);
	else
		dispatch(call, &request, wanted ? handles : none);
}

void lf_handler_forget(struct lf_call *call)
{
	if (call->inquiry)
		lf_inquiry_forget(call->inquiry);
	call->inquiry = NULL;
	if (!call->device)
		return;
	lf_departure_forget(&call->departure);
	lf_loop_timer_cancel(call->handler->options.loop, &call->timer);
	call->device = NULL;
}
