/* SPDX-License-Identifier: BSD-2-Clause */
/* sink_nt.c: the one function through which every event leaves the driver; here it is printed. */
#include "trace/sink_nt.h"

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

static const struct lf_trace_event *event_of(uint32_t id)
{
	for (uint32_t i = 0; i < lf_trace_event_count; i++)
		if (lf_trace_events[i].id == id)
			return &lf_trace_events[i];
	return NULL;
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

	if ((uint32_t)event->level <= print_level && (lf_trace_flag_of(event) & print_flags))
		print(event, record);
}

void lf_trace_nt_start(const UNICODE_STRING *registry_path)
{
	print_level = lf_nt_parameter(registry_path, L"TraceLevel", 0);
	print_flags = lf_nt_parameter(registry_path, L"TraceFlags", LF_TRACE_FLAGS_ALL);
	if (print_level == 0)
		return;
	if (print_level > LF_TRACE_INFO)
		lf_trace_set_level(LF_TRACE_VERBOSE);
	lf_trace_set_sink(write);
}

void lf_trace_nt_stop(void)
{
	lf_trace_set_sink(NULL);
	lf_trace_set_level(LF_TRACE_INFO);
}
