/* SPDX-License-Identifier: BSD-2-Clause */
/* ring.c: a counter for each event and a ring of the newest records, for each lane. */
#include "trace/room.h"

static uint32_t kept_level = LF_TRACE_INFO;
static lf_trace_sink *sink; /* constant while anybody writes */

const struct lf_trace_event lf_trace_events[] = {
#define LF_EVENT(name, id, level, f0, f1, f2, f3) {#name, (id), LF_TRACE_##level, {#f0, #f1, #f2, #f3}},
#include "trace/events.def"
#undef LF_EVENT
};

const uint32_t lf_trace_event_count = lf_count_of(lf_trace_events);

#define LF_EVENT(name, id, level, f0, f1, f2, f3)                                                            \
	_Static_assert((id) > 0 && (id) < LF_TRACE_IDS_MAX, "id of " #name);
#include "trace/events.def"
#undef LF_EVENT

void lf_trace_set_level(enum lf_trace_level level)
{
	lf_atomic_store_u32(&kept_level, level);
}

void lf_trace_set_sink(lf_trace_sink *new_sink)
{
	sink = new_sink;
}

static struct lf_trace_slot *slot_of(uint32_t lane, uint64_t sequence)
{
	return &lf_trace_slots[lane * lf_trace_ring_records + (sequence & (lf_trace_ring_records - 1))];
}

uint64_t lf_trace_count(enum lf_trace_id id)
{
	uint64_t sum = 0;
	if ((uint32_t)id >= LF_TRACE_IDS_MAX)
		return 0;
	for (uint32_t i = 0; i < lf_trace_lane_count; i++)
		sum += lf_atomic_load_relaxed_u64(&lf_trace_lanes[i].count[id]);
	return sum;
}

/*
 * Copies the record with that number, if it is there and whole. The second look at the version is a change
 * that changes nothing: an atomic change, unlike a load, cannot overtake the loads before it.
 */
static bool read_slot(struct lf_trace_slot *slot, uint64_t sequence, struct lf_trace_record *record)
{
	uint64_t word[LF_TRACE_RECORD_WORDS];
	uint32_t version = lf_atomic_load_u32(&slot->version);
	if (version & 1)
		return false;
	for (uint32_t i = 0; i < LF_TRACE_RECORD_WORDS; i++)
		word[i] = lf_atomic_load_relaxed_u64(&slot->word[i]);
	if (lf_atomic_or_u32(&slot->version, 0) != version)
		return false;
	memcpy(record, word, sizeof(*record));
	return record->sequence == sequence;
}

uint32_t lf_trace_read(uint32_t lane_number, struct lf_trace_record *records, uint32_t most)
{
	if (lane_number >= lf_trace_lane_count)
		return 0;
	uint64_t head = lf_atomic_load_relaxed_u64(&lf_trace_lanes[lane_number].head);
	uint64_t wanted = lf_min(head, (uint64_t)lf_min(most, lf_trace_ring_records));
	uint32_t count = 0;
	for (uint64_t sequence = head - wanted + 1; sequence <= head; sequence++)
		if (read_slot(slot_of(lane_number, sequence), sequence, &records[count]))
			count++;
	return count;
}

static void write_slot(struct lf_trace_slot *slot, const struct lf_trace_record *record)
{
	uint64_t word[LF_TRACE_RECORD_WORDS];
	uint32_t version = lf_atomic_or_u32(&slot->version, 1);
	if (version & 1)
		return;
	memcpy(word, record, sizeof(word));
	for (uint32_t i = 0; i < LF_TRACE_RECORD_WORDS; i++)
		lf_atomic_store_relaxed_u64(&slot->word[i], word[i]);
	lf_atomic_store_u32(&slot->version, version + 2);
}

void lf_trace_write(
	enum lf_trace_id id, enum lf_trace_level level, uint64_t f0, uint64_t f1, uint64_t f2, uint64_t f3)
{
	uint32_t number = lf_lane_current() & (lf_trace_lane_count - 1);
	struct lf_trace_lane *lane = &lf_trace_lanes[number];
	lf_atomic_add_relaxed_u64(&lane->count[id], 1);
	if ((uint32_t)level > lf_atomic_load_u32(&kept_level))
		return;
	struct lf_trace_record record = {
		.time_ns = lf_time_ns(),
		.id = id,
		.lane = number,
		.field = {f0, f1, f2, f3},
		.sequence = lf_atomic_add_relaxed_u64(&lane->head, 1) + 1,
	};
	write_slot(slot_of(number, record.sequence), &record);
	if (sink)
		sink(&record);
}
