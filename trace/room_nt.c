/* SPDX-License-Identifier: BSD-2-Clause */
/* room_nt.c: room for a driver, whose image is never paged out: some 330 KiB. */
#include "trace/room.h"

#define LANES        32u
#define RING_RECORDS 128u

const uint32_t lf_trace_lane_count = LANES, lf_trace_ring_records = RING_RECORDS;
struct lf_trace_lane lf_trace_lanes[LANES];
struct lf_trace_slot lf_trace_slots[LANES * RING_RECORDS];

_Static_assert(
	LANES <= LF_TRACE_LANES_MAX && (LANES & (LANES - 1)) == 0 && (RING_RECORDS & (RING_RECORDS - 1)) == 0,
	"powers of two");
_Static_assert(sizeof(lf_trace_lanes) + sizeof(lf_trace_slots) < 384 * 1024, "a small image");
