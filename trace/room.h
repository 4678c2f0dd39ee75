/* SPDX-License-Identifier: BSD-2-Clause */
/* room.h: where the rings lie, and how many they are: room.c for a daemon, room_nt.c for a driver. */
#ifndef LF_TRACE_ROOM_H
#define LF_TRACE_ROOM_H

#include "trace/trace.h"

#define LF_TRACE_IDS_MAX      256u /* events.def promises it */
#define LF_TRACE_RECORD_WORDS (sizeof(struct lf_trace_record) / sizeof(uint64_t))

/*
 * A record under a version: odd while it is written. Two writers meet on one slot only when one of them was
 * held up for a whole turn of the ring; the second to come leaves its record out.
 */
struct lf_trace_slot {
	uint64_t word[LF_TRACE_RECORD_WORDS]; /* struct lf_trace_record, word by word */
	uint32_t version;
};

/* What one lane writes. Threads outside the loops share lanes with them, so everything here is atomic. */
struct lf_trace_lane {
	_Alignas(64) uint64_t count[LF_TRACE_IDS_MAX];
	_Alignas(64) uint64_t head; /* records claimed so far; the newest has this sequence number */
};

/* Powers of two, both; lanes at most LF_TRACE_LANES_MAX. Lanes beyond share with those before. */
extern const uint32_t lf_trace_lane_count, lf_trace_ring_records;
extern struct lf_trace_lane lf_trace_lanes[];
extern struct lf_trace_slot lf_trace_slots[]; /* the rings one after another */

#endif
