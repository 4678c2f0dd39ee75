/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.h: what happened: one function an event of events.def, a counter for each and a ring of records a
 * lane. */
#ifndef LF_TRACE_H
#define LF_TRACE_H

#include "platform/platform.h"

enum lf_trace_level {
	LF_TRACE_ERROR = 2,
	LF_TRACE_WARNING = 3,
	LF_TRACE_INFO = 4,
	LF_TRACE_VERBOSE = 5
}; /* ETW's */

#define LF_TRACE_FIELDS    4
#define LF_TRACE_LANES_MAX 64

enum lf_trace_id {
#define LF_EVENT(name, id, level, f0, f1, f2, f3) LF_TRACE_ID_##name = (id),
#include "trace/events.def"
#undef LF_EVENT
	LF_TRACE_ID_END
};

/* One record: half a cache line and more; the recorder of a later day writes them as they are. */
struct lf_trace_record {
	uint64_t time_ns;
	uint32_t id;
	uint32_t lane;
	uint64_t field[LF_TRACE_FIELDS];
	uint64_t sequence; /* per lane, from 1; 0: never written */
};

_Static_assert(sizeof(struct lf_trace_record) == 56, "a record's layout is written to files");

/* What the table says of one event, by its index in the table. */
struct lf_trace_event {
	const char *name;
	uint32_t id;
	enum lf_trace_level level;
	const char *field[LF_TRACE_FIELDS]; /* "" where there is none */
};

extern const struct lf_trace_event lf_trace_events[];
extern const uint32_t lf_trace_event_count;

/* Records above this level are counted but not kept; LF_TRACE_INFO at the start. Any thread. */
void lf_trace_set_level(enum lf_trace_level level);
/* Gets every record that is kept, where and when it is written: any thread, any IRQL. */
typedef void lf_trace_sink(const struct lf_trace_record *record);
/* NULL: none. While nobody writes: at the start and at the end of a program. */
void lf_trace_set_sink(lf_trace_sink *sink);
/* How often the event came, over all lanes. Any thread. */
uint64_t lf_trace_count(enum lf_trace_id id);
/* Copies the newest records of one lane, oldest first; returns how many. A record being written is left out.
 */
uint32_t lf_trace_read(uint32_t lane, struct lf_trace_record *records, uint32_t most);

/* Any thread, any IRQL; never blocks. Called by the functions below. */
void lf_trace_write(
	enum lf_trace_id id, enum lf_trace_level level, uint64_t f0, uint64_t f1, uint64_t f2, uint64_t f3);

#define LF_EVENT(name, id, level, f0, f1, f2, f3)                                                            \
	static inline void lf_trace_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d)                   \
	{                                                                                                    \
		lf_trace_write(LF_TRACE_ID_##name, LF_TRACE_##level, a, b, c, d);                            \
	}
#include "trace/events.def"
#undef LF_EVENT

#endif
