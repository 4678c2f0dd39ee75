/* SPDX-License-Identifier: BSD-2-Clause */
/* facts.c: the commands that tell facts and change nothing: IDENTIFY, LIST, STATUS, SESSIONS, STATS,
 * RESERVATION. */
#include "control/call.h"
#include "control/system.h"
#include "trace/trace.h"

void lf_facts_identify(struct lf_call *call)
{
	union lf_control_reply *reply = lf_call_reply(call);
	struct lf_control_identity *identity = &reply->identity;

	identity->version_min = LF_CONTROL_VERSION;
	identity->version_max = LF_CONTROL_VERSION;
	identity->process_id = lf_system_process_id();
	lf_control_set_text(&identity->adapter, "Lungfish virtual SCSI adapter");
	lf_control_set_text(&identity->release, call->handler->options.release);
	lf_control_set_text(&identity->platform, lf_system_name());
	lf_call_answer(call, reply);
}

void lf_facts_list(struct lf_call *call, const struct lf_control_list *request)
{
	struct lf_device *device = lf_devices_next(call->handler->options.devices, request->after);
	struct lf_control_device *record = &call->handler->record;
	union lf_control_reply *reply;
	uint32_t count = 0;

	for (; device && count < LF_CONTROL_PAGE_DEVICES_MAX; device = lf_device_next(device)) {
		lf_device_describe(device, record);
		lf_control_encode_device(record, count++, call->reply);
	}
	reply = lf_call_reply(call);
	reply->page.count = count;
	reply->page.more = device != NULL;
	lf_call_answer(call, reply);
}

void lf_facts_status(struct lf_call *call)
{
	const struct lf_handler_options *options = &call->handler->options;
	const struct lf_control_edge *edge = lf_devices_edge(options->devices);
	struct lf_control_event event;
	union lf_control_reply *reply = lf_call_reply(call);
	struct lf_control_state *state = &reply->state;

	state->process_id = lf_system_process_id();
	state->uptime_ns = lf_time_ns() - call->handler->started_ns;
	state->sessions = edge->session_count ? edge->session_count(edge->context) : 0;
	state->devices = lf_devices_count(options->devices);
	state->loops = options->loop_count;
	lf_control_set_text(&state->release, options->release);
	lf_control_set_text(&state->platform, lf_system_name());
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
	lf_call_answer(call, reply);
}

void lf_facts_sessions(struct lf_call *call, const struct lf_control_after *request)
{
	const struct lf_control_edge *edge = lf_devices_edge(call->handler->options.devices);
	struct lf_control_session session;
	uint64_t after = request->number;
	union lf_control_reply *reply = lf_call_reply(call);
	bool more;

	while ((more = edge->session_next && edge->session_next(edge->context, after, &session)) &&
		reply->page.count < LF_CONTROL_PAGE_SESSIONS_MAX) {
		after = session.number;
		lf_control_encode_record(LF_CONTROL_SESSIONS, &session, reply->page.count++, call->reply);
	}
	reply->page.more = more;
	lf_call_answer(call, reply);
}

/* ---- STATS and RESERVATION ---- */

/* A row of counters that grows. */
struct row {
	uint8_t *bytes;
	uint32_t count;
};

static void put(struct row *row, const char *name, uint64_t value)
{
	struct lf_control_event counter;

	memset(&counter, 0, sizeof(counter));
	counter.id = row->count;
	counter.count = value;
	lf_control_set_text(&counter.name, name);
	lf_control_encode_record(LF_CONTROL_STATS, &counter, row->count++, row->bytes);
}

static void put_kind(struct row *row, const char *kind, const struct lf_command_counters *counters)
{
	char name[40];

	lf_format(name, sizeof(name), "%s_commands", kind);
	put(row, name, counters->count);
	lf_format(name, sizeof(name), "%s_bytes", kind);
	put(row, name, counters->bytes);
	lf_format(name, sizeof(name), "%s_time_ns", kind);
	put(row, name, counters->time_ns);
	for (uint32_t i = 0; i < LF_LATENCY_BUCKETS; i++) {
		lf_format(name, sizeof(name), "%s_latency_%u", kind, i);
		put(row, name, counters->latency[i]);
	}
}

static uint32_t put_counters(const struct lf_lu_counters *counters, uint64_t now_ns, uint8_t *bytes)
{
	struct row row = {.bytes = bytes};

	put_kind(&row, "read", &counters->reads);
	put_kind(&row, "write", &counters->writes);
	put_kind(&row, "other", &counters->others);
	put(&row, "commands_begun", counters->begun);
	put(&row, "commands_in_flight", counters->in_flight);
	put(&row, "verify_commands", counters->verifies);
	put(&row, "unmap_commands", counters->unmaps);
	put(&row, "flush_commands", counters->flushes);
	put(&row, "check_conditions", counters->check_conditions);
	put(&row, "reservation_conflicts", counters->conflicts);
	put(&row, "aborted", counters->aborted);
	put(&row, "medium_errors", counters->medium_errors);
	if (counters->last_error != LF_OK) {
		put(&row, "last_medium_error_offset_bytes", counters->last_error_offset_bytes);
		put(&row, "last_medium_error_age_ns", now_ns - counters->last_error_time_ns);
	}
	return row.count;
}

/* One that has gone but for its store has nothing to tell. */
static struct lf_device *find_present(struct lf_call *call, const struct lf_control_select *request)
{
	struct lf_device *device = lf_call_find(call, request->id.bytes, request->path.bytes);
	struct lf_message message;

	if (!device || lf_device_lu(device))
		return device;
	lf_message_set(&message, "it is leaving: wait until lungfish list does not show it");
	lf_call_fail(call, LF_CONTROL_BUSY, &message);
	return NULL;
}

void lf_facts_stats(struct lf_call *call, const struct lf_control_select *request)
{
	struct lf_control_device *record = &call->handler->record;
	struct lf_device *device = find_present(call, request);
	struct lf_lu_counters counters;
	union lf_control_reply *reply;

	if (!device)
		return;
	lf_device_describe(device, record);
	lf_lu_count(lf_device_lu(device), &counters);
	reply = lf_call_reply(call);
	reply->stats.number = record->number;
	reply->stats.taken_ns = lf_time_ns();
	memcpy(&reply->stats.id, &record->id, sizeof(record->id));
	reply->stats.counter_count = put_counters(&counters, reply->stats.taken_ns, call->reply);
	lf_call_answer(call, reply);
}

void lf_facts_reservation(struct lf_call *call, const struct lf_control_select *request)
{
	struct lf_device *device = find_present(call, request);
	struct lf_control_reservation *reservation;
	struct lf_reservation_facts facts;
	union lf_control_reply *reply;

	if (!device)
		return;
	lf_lu_reservation(lf_device_lu(device), &facts);
	reply = lf_call_reply(call);
	reservation = &reply->reservation;
	reservation->key = facts.key;
	reservation->generation = facts.generation;
	reservation->flags = (facts.persists ? LF_CONTROL_RESERVATION_PERSISTS : 0u) |
			     (facts.reserved ? LF_CONTROL_RESERVATION_OLD : 0u);
	reservation->registrations = facts.registrations;
	reservation->type = facts.type;
	lf_control_set_text(&reservation->holder, facts.holder);
	lf_call_answer(call, reply);
}
