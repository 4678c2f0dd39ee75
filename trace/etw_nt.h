/* SPDX-License-Identifier: BSD-2-Clause */
/* etw_nt.h: the driver as an ETW provider: the events of events.def, self-describing (TraceLogging). */
#ifndef LF_TRACE_ETW_NT_H
#define LF_TRACE_ETW_NT_H

#include "platform/nt.h"
#include "trace/trace.h"

#define LF_ETW_NAME "Lungfish"

/*
 * The name's own GUID, {adfdcd8b-a8be-524b-8c39-a450966bae34}, as EventSource and TraceLogging make one, so
 * that tools take "*Lungfish" for it: SHA-1 of the namespace 482c2db2-c390-47c8-87f8-1a15bfc130fb (its 16
 * bytes in this order) and the name in upper case as UTF-16BE; of that the first 16 bytes, the upper half of
 * byte 7 set to 5, read as a GUID of Windows (the first three numbers little-endian). A test computes it.
 */
#define LF_ETW_GUID                                                                                          \
	{                                                                                                    \
		0xadfdcd8b, 0xa8be, 0x524b,                                                                  \
		{                                                                                            \
			0x8c, 0x39, 0xa4, 0x50, 0x96, 0x6b, 0xae, 0x34                                       \
		}                                                                                            \
	}

/* Whoever listens has changed: the most verbose level that is wanted, 0: none. Any thread, PASSIVE_LEVEL. */
typedef void lf_etw_changed(uint32_t level);

/*
 * Registers the provider. changed may be called before this returns, as a session may wait for the provider
 * already. Without memory for it there are no events. PASSIVE_LEVEL.
 */
void lf_etw_start(lf_etw_changed *changed);
/* When nobody writes any more: changed is not called again. PASSIVE_LEVEL. */
void lf_etw_stop(void);

/*
 * Whether a session listens for events of that level and with that keyword, which is an enum lf_trace_flag.
 * Any thread, any IRQL.
 */
bool lf_etw_wants(enum lf_trace_level level, uint32_t keyword);
/* record: of event, a row of lf_trace_events. Any thread, any IRQL. */
void lf_etw_write(const struct lf_trace_event *event, const struct lf_trace_record *record, uint32_t keyword);

#endif
