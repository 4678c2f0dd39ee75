/* SPDX-License-Identifier: BSD-2-Clause */
/* test_buffer.c: READ and WRITE BUFFER, READ DEFECT DATA, PRE-FETCH. */
#include "tests/test.h"
#include "tests/unit/disk_stage.h"

static uint32_t buffer(
	struct stage *stage, uint8_t opcode, uint8_t mode, uint32_t offset, uint32_t length, uint32_t offered)
{
	uint8_t cdb[10] = {opcode, mode};

	lf_put_be24(cdb + 3, offset);
	lf_put_be24(cdb + 6, length);
	return stage_run(stage, 0, cdb, 10, opcode == 0x3b ? LF_DIRECTION_OUT : LF_DIRECTION_IN, offered);
}

TEST(the_data_buffer_keeps_what_is_written)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		CHECK_EQ(buffer(stage, 0x3c, 0x03, 0, 255, 255), 0);
		CHECK_EQ(stage->command.request.data_moved, 4);
		CHECK_EQ(lf_get_be32(stage->data), 4096); /* any byte, so many of them */
		fill(stage, 4096, 1);
		CHECK_EQ(buffer(stage, 0x3b, 0x02, 0, 4096, 4096), 0);
		CHECK_EQ(stage->command.request.data_moved, 4096);
		CHECK_EQ(buffer(stage, 0x3c, 0x02, 0, 0xffffff, 5000), 0);
		CHECK_EQ(stage->command.request.data_moved, 4096);
		CHECK(is_filled(stage, 4096, 1));
		memset(stage->data, 0xee, 4);
		CHECK_EQ(buffer(stage, 0x3b, 0x02, 4092, 4, 4), 0);
		CHECK_EQ(buffer(stage, 0x3b, 0x02, 4096, 0, 0), 0);
		CHECK_EQ(buffer(stage, 0x3c, 0x02, 4090, 16, 16), 0);
		CHECK_EQ(stage->command.request.data_moved, 6);
		CHECK_EQ(lf_get_be32(stage->data + 2), 0xeeeeeeee);
		CHECK_EQ(buffer(stage, 0x3c, 0x02, 4096, 16, 16), 0);
		CHECK_EQ(stage->command.request.data_moved, 0);
		CHECK_EQ(stage->store.op_count, 0);
		stage_close(stage);
	}
}

TEST(another_buffer_has_no_room)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(RUN_IN(stage, 4, 0x3c, 0x03, 7, 0, 0, 0, 0, 0, 4, 0), 0);
	CHECK_EQ(lf_get_be32(stage->data), 0);
	stage_close(stage);
}

TEST(an_echo_is_for_who_wrote_it)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	struct lf_nexus_options options = {.port = &stage_port};
	struct lf_nexus *first = stage->nexus, *second = lf_nexus_open(stage->adapter, &options);
	CHECK_EQ(buffer(stage, 0x3c, 0x0b, 0, 4, 4), 0);
	CHECK_EQ(lf_get_be32(stage->data), 0x01001000);
	fill(stage, 700, 3);
	CHECK_EQ(buffer(stage, 0x3b, 0x0a, 0, 700, 700), 0);
	CHECK_EQ(buffer(stage, 0x3c, 0x0a, 0, 4096, 4096), 0);
	CHECK_EQ(stage->command.request.data_moved, 700);
	CHECK(is_filled(stage, 700, 3));
	CHECK_EQ(buffer(stage, 0x3c, 0x0a, 0, 100, 100), 0);
	CHECK(is_filled(stage, 100, 3));
	stage->nexus = second;
	CHECK_EQ(RUN(stage, 0, 0, 0, 0, 0, 0), LF_SENSE(6, 0x29, 0));
	CHECK_EQ(buffer(stage, 0x3c, 0x0a, 0, 100, 100), LF_SENSE(0xb, 0x3f, 0x0f));
	CHECK_EQ(buffer(stage, 0x3b, 0x0a, 0, 1, 1), 0);
	CHECK_EQ(buffer(stage, 0x3c, 0x0a, 0, 100, 100), 0);
	CHECK_EQ(stage->command.request.data_moved, 1);
	stage->nexus = first;
	CHECK_EQ(buffer(stage, 0x3c, 0x0a, 0, 100, 100), LF_SENSE(0xb, 0x3f, 0x0f));
	lf_nexus_close(second);
	stage_close(stage);
}

TEST(there_are_no_defects)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(RUN_IN(stage, 32, 0x37, 0, 0x1d, 0, 0, 0, 0, 0, 32, 0), 0);
	CHECK_EQ(stage->command.request.data_moved, 4);
	CHECK_EQ(lf_get_be32(stage->data), 0x001d0000);
	CHECK_EQ(RUN_IN(stage, 32, 0xb7, 0x0b, 0, 0, 0, 9, 0, 0, 0, 32, 0, 0), 0);
	CHECK_EQ(stage->command.request.data_moved, 8);
	CHECK_EQ(lf_get_be64(stage->data), 0x000b000000000000);
	stage_close(stage);
}

TEST(prefetch_promises_nothing)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(RUN(stage, 0x34, 0x02, 0, 0, 0, 0, 0x03, 0xff, 0xff, 0), 0);
	CHECK_EQ(stage->command.request.status, LF_STATUS_GOOD);
	CHECK_EQ(transfer(stage, 0x90, 0, 0x10000, 0, LF_DIRECTION_NONE, 0), 0);
	CHECK_EQ(transfer(stage, 0x90, 0x02, 0, 0x10000, LF_DIRECTION_NONE, 0), 0);
	CHECK_EQ(stage->store.op_count, 0);
	stage_close(stage);
}
