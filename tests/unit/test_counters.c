/* SPDX-License-Identifier: BSD-2-Clause */
/* test_counters.c: what a unit counts, by kind, by end, by time, and over all lanes. */
#include "tests/test.h"
#include "tests/unit/command_stage.h"

static uint64_t sum(const struct lf_command_counters *counters)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < LF_LATENCY_BUCKETS; i++)
		all += counters->latency[i];
	return all;
}

TEST(commands_are_counted_by_kind_and_by_end)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	struct lf_lu_counters counters;
	lf_lu_count(stage->lu, &counters);
	CHECK_EQ(counters.begun, 1); /* the stage's TEST UNIT READY */
	CHECK_EQ(counters.check_conditions, 1);
	CHECK_EQ(RUN_IN(stage, 1024, 0x28, 0, 0, 0, 0, 0, 0, 0, 2, 0), 0);
	CHECK_EQ(RUN_IN(stage, 512, 0x08, 0, 0, 0, 1, 0), 0);
	memset(stage->data, 0, 4096);
	CHECK_EQ(RUN_OUT(stage, 4096, 0x2a, 0, 0, 0, 0, 0, 0, 0, 8, 0), 0);
	CHECK_EQ(RUN_OUT(stage, 512, 0x41, 0, 0, 0, 0, 0, 0, 0, 8, 0), 0);
	CHECK_EQ(RUN(stage, 0x2f, 0, 0, 0, 0, 0, 0, 0, 8, 0), 0);
	CHECK_EQ(RUN(stage, 0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0);
	CHECK_EQ(RUN(stage, 0xff, 0, 0, 0, 0, 0), LF_SENSE(5, 0x20, 0));
	lf_lu_count(stage->lu, &counters);
	CHECK_EQ(counters.begun, 8);
	CHECK_EQ(counters.in_flight, 0);
	CHECK_EQ(counters.reads.count, 2);
	CHECK_EQ(counters.reads.bytes, 1536);
	CHECK_EQ(counters.writes.count, 1);
	CHECK_EQ(counters.writes.bytes, 4096);
	CHECK_EQ(counters.others.count, 5);
	CHECK_EQ(counters.unmaps, 1);
	CHECK_EQ(counters.verifies, 1);
	CHECK_EQ(counters.flushes, 1);
	CHECK_EQ(counters.check_conditions, 2);
	CHECK_EQ(counters.medium_errors, 0);
	CHECK_EQ(sum(&counters.reads), 2);
	CHECK_EQ(sum(&counters.writes), 1);
	CHECK_EQ(sum(&counters.others), 5);
	CHECK(counters.reads.time_ns > 0);
	stage_close(stage);
}

TEST(the_last_error_of_the_medium_is_remembered)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	struct lf_lu_counters counters;
	uint64_t before = lf_time_ns();
	stage_fail(stage, 1, LF_E_RANGE);
	CHECK_EQ(RUN_IN(stage, 512, 0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0), LF_SENSE(3, 0x11, 0));
	stage_fail(stage, 1, LF_E_IO);
	CHECK_EQ(RUN_IN(stage, 512, 0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0), LF_SENSE(3, 0x11, 0));
	lf_lu_count(stage->lu, &counters);
	CHECK_EQ(counters.medium_errors, 2);
	CHECK_EQ(counters.last_error, LF_E_IO);
	CHECK_EQ(counters.last_error_offset_bytes, 7 * 512);
	CHECK(counters.last_error_time_ns >= before && counters.last_error_time_ns <= lf_time_ns());
	CHECK_EQ(counters.reads.count, 2);
	CHECK_EQ(counters.reads.bytes, 0);
	stage_close(stage);
}

TEST(what_is_under_way_is_in_flight)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_DEFERRED);
	struct lf_lu_counters counters;
	struct lf_loop_edge_command read = {.nexus = stage->nexus,
		.cdb = {0x28, [8] = 1},
		.cdb_length = 10,
		.direction = LF_DIRECTION_IN,
		.segments = &(struct lf_segment){stage->data, 512},
		.segment_count = 1};
	lf_loop_edge_start(&stage->edge, &read);
	while (!read.begun)
		CHECK(lf_loop_edge_pump(&stage->edge));
	lf_lu_count(stage->lu, &counters);
	CHECK_EQ(counters.in_flight, 1);
	while (lf_loop_edge_pump(&stage->edge))
		continue;
	lf_lu_count(stage->lu, &counters);
	CHECK_EQ(counters.in_flight, 0);
	stage_close(stage);
}
