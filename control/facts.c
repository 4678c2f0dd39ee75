/* SPDX-License-Identifier: BSD-2-Clause */
/* facts.c: the commands that tell facts and change nothing: IDENTIFY, LIST, STATUS, SESSIONS, STATS. */
#include "control/call.h"
#include "trace/trace.h"

#include <string.h>
#include <unistd.h>

#define PLATFORM "linux"

void lf_facts_identify(struct lf_call *call)
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
	lf_call_answer(call, &reply);
}

void lf_facts_list(struct lf_call *call, const struct lf_control_list *request)
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
	lf_call_answer(call, &reply);
}

void lf_facts_status(struct lf_call *call)
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
	lf_call_answer(call, &reply);
}

void lf_facts_sessions(struct lf_call *call, const struct lf_control_after *request)
{
	const struct lf_control_edge *edge = lf_devices_edge(call->handler->options.devices);
	struct lf_control_session session;
	uint64_t after = request->number;
	union lf_control_reply reply;
	bool more;

	memset(&reply.page, 0, sizeof(reply.page));
	while ((more = edge->session_next && edge->session_next(edge->context, after, &session)) &&
		reply.page.count < LF_CONTROL_PAGE_SESSIONS_MAX) {
		after = session.number;
		lf_control_encode_record(LF_CONTROL_SESSIONS, &session, reply.page.count++, call->reply);
	}
	reply.page.more = more;
	lf_call_answer(call, &reply);
}
