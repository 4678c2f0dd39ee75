/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * etw_rows.c FILE: writes every row of events.def while a session listens in one way after the other, and
 * keeps what ETW gets in FILE. Field i of the row with the id n is n << 32 | i, the last one of the greatest.
 * tests/windows/etw.py says what must be in it.
 */
#include <stdio.h>
#include <string.h>

#include "tests/storport/nt/nt.h"
#include "trace/sink_nt.h"

static const struct session {
	UCHAR level;
	ULONGLONG any, all;
} sessions[] = {
	{5, 0, 0},
	{4, 0, 0},
	{2, 0, 0},
	{0, 0, 0},
	{255, LF_TRACE_FLAG_PNP | LF_TRACE_FLAG_CONTROL, 0},
	{5, 0xfffffffffffffff0, 0},
	{5, LF_TRACE_FLAG_FUNCTION, LF_TRACE_FLAG_FUNCTION},
	{5, 0, LF_TRACE_FLAG_FAULT},
	{5, 0, LF_TRACE_FLAG_FAULT | LF_TRACE_FLAG_PNP},
	{5, 0, 0x8000000000},
};

static void write_rows(void)
{
	for (uint32_t i = 0; i < lf_trace_event_count; i++) {
		const struct lf_trace_event *event = &lf_trace_events[i];
		uint64_t value = (uint64_t)event->id << 32;
		lf_trace_write((enum lf_trace_id)event->id, event->level, value, value | 1, value | 2,
			event->id & 1 ? UINT64_MAX : value | 3);
	}
}

int main(int argc, char **argv)
{
	UNICODE_STRING registry_path;

	if (argc != 2 || !lf_fake_etw_record(argv[1])) {
		fputs("usage: etw_rows FILE, and it has to be one that can be written\n", stderr);
		return 2;
	}
	RtlInitUnicodeString(&registry_path, L"\\Registry\\Machine\\System\\rows");
	lf_nt_platform_init(&registry_path);
	lf_trace_nt_start(&registry_path);
	write_rows(); /* nobody listens */
	for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++) {
		lf_fake_etw_enable(sessions[i].level, sessions[i].any, sessions[i].all);
		write_rows();
	}
	lf_fake_etw_disable();
	write_rows();
	printf("%llu unwanted\n", (unsigned long long)lf_fake_etw_unwanted());
	lf_trace_nt_stop();
	return lf_fake_leaks() == 0 && lf_fake_etw_record(NULL) ? 0 : 1;
}
