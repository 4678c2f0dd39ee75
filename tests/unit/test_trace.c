/* SPDX-License-Identifier: BSD-2-Clause */
/* test_trace.c: the trace rings: counters, levels, wrapping, and readers beside writers. */
#include "tests/test.h"
#include "trace/trace.h"

#include <pthread.h>

#define RING_RECORDS 1024u

static struct lf_trace_record records[RING_RECORDS + 1];

/* Everything is written from this thread, so it is all on this thread's lane. */
static uint32_t read_own_lane(uint32_t most)
{
	return lf_trace_read(lf_lane_current(), records, most);
}

TEST(events_table_is_complete_and_ids_are_unique)
{
	bool seen[256] = {false};
	CHECK(lf_trace_event_count > 0);
	for (uint32_t i = 0; i < lf_trace_event_count; i++) {
		const struct lf_trace_event *event = &lf_trace_events[i];
		CHECK(event->name && event->name[0]);
		CHECK(event->id > 0 && event->id < 256);
		CHECK(!seen[event->id]);
		seen[event->id] = true;
		CHECK(event->level >= LF_TRACE_ERROR && event->level <= LF_TRACE_VERBOSE);
		for (uint32_t f = 0; f < LF_TRACE_FIELDS; f++)
			CHECK(event->field[f] != NULL);
	}
}

TEST(record_holds_what_was_written)
{
	uint64_t before = lf_trace_count(LF_TRACE_ID_unit_added);
	uint64_t time_ns = lf_time_ns();
	lf_trace_unit_added(1, 2, UINT64_MAX, 4096);
	CHECK_EQ(lf_trace_count(LF_TRACE_ID_unit_added), before + 1);
	CHECK_EQ(read_own_lane(1), 1);
	CHECK_EQ(records[0].id, LF_TRACE_ID_unit_added);
	CHECK_EQ(records[0].lane, lf_lane_current());
	CHECK_EQ(records[0].field[0], 1);
	CHECK_EQ(records[0].field[1], 2);
	CHECK_EQ(records[0].field[2], UINT64_MAX);
	CHECK_EQ(records[0].field[3], 4096);
	CHECK(records[0].time_ns >= time_ns && records[0].time_ns <= lf_time_ns());
}

TEST(event_above_the_level_is_counted_but_not_kept)
{
	lf_trace_unit_freed(7, 7, 0, 0);
	uint64_t before = lf_trace_count(LF_TRACE_ID_command_begin);
	lf_trace_command_begin(0, 1, 0x28, 4096);
	CHECK_EQ(lf_trace_count(LF_TRACE_ID_command_begin), before + 1);
	CHECK_EQ(read_own_lane(1), 1);
	CHECK_EQ(records[0].id, LF_TRACE_ID_unit_freed);

	lf_trace_set_level(LF_TRACE_VERBOSE);
	lf_trace_command_begin(0, 2, 0x2a, 512);
	lf_trace_set_level(LF_TRACE_INFO);
	CHECK_EQ(read_own_lane(1), 1);
	CHECK_EQ(records[0].id, LF_TRACE_ID_command_begin);
	CHECK_EQ(records[0].field[1], 2);
}

TEST(ring_keeps_the_newest_oldest_first)
{
	for (uint64_t i = 0; i < 3 * RING_RECORDS; i++)
		lf_trace_unit_freed(0, i, 0, 0);
	uint32_t count = read_own_lane(RING_RECORDS + 1);
	CHECK_EQ(count, RING_RECORDS);
	for (uint32_t i = 0; i < count; i++) {
		CHECK_EQ(records[i].field[1], 2 * RING_RECORDS + i);
		if (i > 0)
			CHECK_EQ(records[i].sequence, records[i - 1].sequence + 1);
	}
	CHECK_EQ(read_own_lane(10), 10);
	CHECK_EQ(records[9].field[1], 3 * RING_RECORDS - 1);
}

TEST(lane_that_there_is_not_has_no_records)
{
	CHECK_EQ(lf_trace_read(LF_TRACE_LANES_MAX, records, 1), 0);
	CHECK_EQ(lf_trace_read(UINT32_MAX, records, 1), 0);
	CHECK_EQ(read_own_lane(0), 0);
}

#define WRITERS     4u
#define WRITES_EACH 200000u

static uint32_t writers_left;

/* Fields that prove that a record is whole: each is made of the first. */
static void *write_many(void *context)
{
	uint64_t base = (uint64_t)(uintptr_t)context * WRITES_EACH;
	for (uint64_t i = 0; i < WRITES_EACH; i++)
		lf_trace_nexus_opened(base + i, ~(base + i), (base + i) * 3, base + i);
	__atomic_fetch_sub(&writers_left, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void check_whole(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct lf_trace_record *record = &records[i];
		if (i > 0)
			CHECK(record->sequence > records[i - 1].sequence);
		if (record->id != LF_TRACE_ID_nexus_opened)
			continue;
		CHECK_EQ(record->field[1], ~record->field[0]);
		CHECK_EQ(record->field[2], record->field[0] * 3);
		CHECK_EQ(record->field[3], record->field[0]);
	}
}

TEST(readers_beside_writers_see_whole_records)
{
	pthread_t threads[WRITERS];
	uint64_t before = lf_trace_count(LF_TRACE_ID_nexus_opened);
	writers_left = WRITERS;
	for (uint32_t i = 0; i < WRITERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, write_many, (void *)(uintptr_t)i), 0);
	while (__atomic_load_n(&writers_left, __ATOMIC_ACQUIRE) > 0)
		for (uint32_t lane = 0; lane < LF_TRACE_LANES_MAX; lane++)
			check_whole(lf_trace_read(lane, records, RING_RECORDS));
	for (uint32_t i = 0; i < WRITERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(lf_trace_count(LF_TRACE_ID_nexus_opened), before + WRITERS * WRITES_EACH);
}
