/* SPDX-License-Identifier: BSD-2-Clause */
/* ring.c: a counter for each event and a ring of the newest records, for each lane. */
#include "trace/trace.h"

#define RING_RECORDS 1024u /* a power of two */
#define IDS_MAX      256u  /* events.def promises it */
#define RECORD_WORDS (sizeof(struct lf_trace_record) / sizeof(uint64_t))

/*
 * A record under a version: odd while it is written. Two writers meet on one slot only when one of them was
 * held up for a whole turn of the ring; the second to come leaves its record out.
 */
struct slot {
	uint64_t word[RECORD_WORDS]; /* struct lf_trace_record, word by word */
	uint32_t version;
};

/* What one lane writes. Threads outside the loops share lanes with them, so everything here is atomic. */
struct lane {
	_Alignas(64) uint64_t count[IDS_MAX];
	_Alignas(64) uint64_t head; /* records claimed so far; the newest has this sequence number */
	struct slot slot[RING_RECORDS];
};

static struct lane lanes[LF_TRACE_LANES_MAX];
static uint32_t kept_level = LF_TRACE_INFO;

const struct lf_trace_event lf_trace_events[] = {
#define LF_EVENT(name, id, level, f0, f1, f2, f3) {#name, (id), LF_TRACE_##level, {f0, f1, f2, f3}},
#include "trace/events.def"
#undef LF_EVENT
};

const uint32_t lf_trace_event_count = lf_count_of(lf_trace_events);

#define LF_EVENT(name, id, level, f0, f1, f2, f3) _Static_assert((id) > 0 && (id) < IDS_MAX, "id of " #name);
#include "trace/events.def"
#undef LF_EVENT

void lf_trace_set_level(enum lf_trace_level level)
{
	lf_atomic_store_u32(&kept_level, level);
}

uint64_t lf_trace_count(enum lf_trace_id id)
{
	uint64_t sum = 0;
	if ((uint32_t)id >= IDS_MAX)
		return 0;
	for (uint32_t i = 0; i < LF_TRACE_LANES_MAX; i++)
		sum += lf_atomic_load_relaxed_u64(&lanes[i].count[id]);
	return sum;
}

/*
 * Copies the record with that number, if it is there and whole. The second look at the version is a change
 * that changes nothing: an atomic change, unlike a load, cannot overtake the loads before it.
 */
static bool read_slot(struct slot *slot, uint64_t sequence, struct lf_trace_record *record)
{
	uint64_t word[RECORD_WORDS];
	uint32_t version = lf_atomic_load_u32(&slot->version);
	if (version & 1)
		return false;
	for (uint32_t i = 0; i < RECORD_WORDS; i++)
		word[i] = lf_atomic_load_relaxed_u64(&slot->word[i]);
	if (lf_atomic_or_u32(&slot->version, 0) != version)
		return false;
	memcpy(record, word, sizeof(*record));
	return record->sequence == sequence;
}

uint32_t lf_trace_read(uint32_t lane_number, struct lf_trace_record *records, uint32_t most)
{
	if (lane_number >= LF_TRACE_LANES_MAX)
		return 0;
	struct lane *lane = &lanes[lane_number];
	uint64_t head = lf_atomic_load_relaxed_u64(&lane->head);
	uint64_t wanted = lf_min(head, (uint64_t)lf_min(most, RING_RECORDS));
	uint32_t count = 0;
	for (uint64_t sequence = head - wanted + 1; sequence <= head; sequence++)
		if (read_slot(&lane->slot[sequence % RING_RECORDS], sequence, &records[count]))
			count++;
	return count;
}

static void write_slot(struct slot *slot, const struct lf_trace_record *record)
{
	uint64_t word[RECORD_WORDS];
	uint32_t version = lf_atomic_or_u32(&slot->version, 1);
	if (version & 1)
		return;
	memcpy(word, record, sizeof(word));
	for (uint32_t i = 0; i < RECORD_WORDS; i++)
		lf_atomic_store_relaxed_u64(&slot->word[i], word[i]);
	lf_atomic_store_u32(&slot->version, version + 2);
}

void lf_trace_write(
	enum lf_trace_id id, enum lf_trace_level level, uint64_t f0, uint64_t f1, uint64_t f2, uint64_t f3)
{
	uint32_t number = lf_lane_current() % LF_TRACE_LANES_MAX;
	struct lane *lane = &lanes[number];
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
	write_slot(&lane->slot[record.sequence % RING_RECORDS], &record);
}
