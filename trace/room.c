/* SPDX-License-Identifier: BSD-2-Clause */
/* room.c: room for a daemon: four megabytes and some, of which the system gives what is used. */
#include "trace/room.h"

#define LANES        LF_TRACE_LANES_MAX
#define RING_RECORDS 1024u

const uint32_t lf_trace_lane_count = LANES, lf_trace_ring_records = RING_RECORDS;
struct lf_trace_lane lf_trace_lanes[LANES];
struct lf_trace_slot lf_trace_slots[LANES * RING_RECORDS];

_Static_assert(
	LANES <= LF_TRACE_LANES_MAX && (LANES & (LANES - 1)) == 0 && (RING_RECORDS & (RING_RECORDS - 1)) == 0,
	"powers of two");
