/* SPDX-License-Identifier: BSD-2-Clause */
/* sink_nt.h: events on their way out of the driver: the kernel debugger, and whatever else is to hear of
 * them. */
#ifndef LF_TRACE_SINK_NT_H
#define LF_TRACE_SINK_NT_H

#include "platform/nt.h"
#include "trace/trace.h"

/* Which events are printed: the parameter TraceFlags. ETW's keywords are the same. */
enum lf_trace_flag {
	LF_TRACE_FLAG_FUNCTION =
		0x1,                 /* function trace: each command, and each step of the store on its way */
	LF_TRACE_FLAG_PNP = 0x2,     /* plug and play: units, images, the adapter that come and go */
	LF_TRACE_FLAG_CONTROL = 0x4, /* who asks for what */
	LF_TRACE_FLAG_FAULT = 0x8,   /* what went wrong */
	LF_TRACE_FLAGS_ALL = 0xf,
};

enum lf_trace_flag lf_trace_flag_of(const struct lf_trace_event *event);

/*
 * In DriverEntry, after lf_nt_platform_init. Events at or below the parameter TraceLevel (an enum
 * lf_trace_level; 0, which is also without it: none) whose flag is in TraceFlags (all, without it) are
 * printed by DbgPrintEx from now on; those that a session of ETW listens for, whatever the parameters say, go
 * to it. PASSIVE_LEVEL.
 */
void lf_trace_nt_start(const UNICODE_STRING *registry_path);
/* When nobody writes any more, before the driver is unloaded. PASSIVE_LEVEL. */
void lf_trace_nt_stop(void);

#endif
