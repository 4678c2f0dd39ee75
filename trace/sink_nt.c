/* SPDX-License-Identifier: BSD-2-Clause */
/* sink_nt.c: the one function through which every event leaves the driver: to the debugger, to ETW. */
#include "trace/sink_nt.h"
#include "trace/etw_nt.h"
#include "trace/room.h"

#define LINE_MAX_BYTES 256

/* Constant while anybody writes. */
static uint32_t print_level, print_flags;

enum lf_trace_flag lf_trace_flag_of(const struct lf_trace_event *event)
{
	if (event->level <= LF_TRACE_WARNING)
		return LF_TRACE_FLAG_FAULT;
	switch (event->id) {
	case LF_TRACE_ID_unit_added:
	case LF_TRACE_ID_unit_leaving:
	case LF_TRACE_ID_unit_freed:
	case LF_TRACE_ID_nexus_opened:
	case LF_TRACE_ID_nexus_closed:
	case LF_TRACE_ID_medium_changed:
	case LF_TRACE_ID_capacity_changed:
	case LF_TRACE_ID_store_opened:
	case LF_TRACE_ID_store_closed:
		return LF_TRACE_FLAG_PNP;
	default:
		break;
	}
	if (event->id >= 128 && event->id < 160)
		return LF_TRACE_FLAG_CONTROL;
	/* Of Storport's, those of information are of its plug and play; the rest comes with every request. */
	if (event->id >= 192 && event->level == LF_TRACE_INFO)
		return LF_TRACE_FLAG_PNP;
	return LF_TRACE_FLAG_FUNCTION;
}

/* Where each event stands in the table, by its id. */
enum place {
#define LF_EVENT(name, id, level, f0, f1, f2, f3) PLACE_##name,
#include "trace/events.def"
#undef LF_EVENT
	PLACES
};

_Static_assert(PLACES < 256, "a byte for each place");

static const uint8_t places[LF_TRACE_IDS_MAX] = {
#define LF_EVENT(name, id, level, f0, f1, f2, f3) [id] = PLACE_##name,
#include "trace/events.def"
#undef LF_EVENT
};

/* A record's id is one of the table's. */
static const struct lf_trace_event *event_of(uint32_t id)
{
	return &lf_trace_events[places[id]];
}

static void print(const struct lf_trace_event *event, const struct lf_trace_record *record)
{
	static const uint32_t filter[] = {DPFLTR_ERROR_LEVEL, DPFLTR_ERROR_LEVEL, DPFLTR_ERROR_LEVEL,
		DPFLTR_WARNING_LEVEL, DPFLTR_TRACE_LEVEL, DPFLTR_INFO_LEVEL};
	char line[LINE_MAX_BYTES];
	size_t length = lf_format(line, sizeof(line), "[%u] %s", (unsigned)record->lane, event->name);

	for (uint32_t i = 0; i < LF_TRACE_FIELDS; i++)
		if (event->field[i][0])
			length += lf_format(line + length, sizeof(line) - length, " %s=%llu", event->field[i],
				(unsigned long long)record->field[i]);
	lf_nt_print(filter[event->level], line);
}

static void write(const struct lf_trace_record *record)
{
	const struct lf_trace_event *event = event_of(record->id);
	uint32_t flag = lf_trace_flag_of(event);

	if (lf_etw_wants(event->level, flag))
		lf_etw_write(event, record, flag);
	if ((uint32_t)event->level <= print_level && (flag & print_flags))
		print(event, record);
}

/* What comes with each request is not even kept in the rings unless somebody wants it. Any thread. */
static void keep(uint32_t etw_level)
{
	lf_trace_set_level(lf_max(print_level, etw_level) > LF_TRACE_INFO ? LF_TRACE_VERBOSE : LF_TRACE_INFO);
}

void lf_trace_nt_start(const UNICODE_STRING *registry_path)
{
	print_level = lf_nt_parameter(registry_path, L"TraceLevel", 0);
	print_flags = lf_nt_parameter(registry_path, L"TraceFlags", LF_TRACE_FLAGS_ALL);
	keep(0);
	lf_trace_set_sink(write);
	lf_etw_start(keep);
}

void lf_trace_nt_stop(void)
{
	lf_etw_stop();
	lf_trace_set_sink(NULL);
	lf_trace_set_level(LF_TRACE_INFO);
}
