/* SPDX-License-Identifier: BSD-2-Clause */
/* test_disk.c: READ, WRITE, SYNCHRONIZE CACHE, UNMAP, WRITE SAME: what reaches the store, what comes back. */
#include <pthread.h>

#include "tests/test.h"
#include "tests/unit/disk_stage.h"

TEST(what_is_written_is_read_by_every_form)
{
	static const uint8_t reads[] = {0x08, 0x28, 0xa8, 0x88}, writes[] = {0x0a, 0x2a, 0xaa, 0x8a};
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		for (uint32_t i = 0; i < lf_count_of(writes); i++) {
			fill(stage, 5 * 512, (uint8_t)(i + 1));
			CHECK_EQ(transfer(stage, writes[i], 0, 0x8765 + i, 5, LF_DIRECTION_OUT, 5 * 512), 0);
			CHECK_EQ(stage->command.request.data_moved, 5 * 512);
			for (uint32_t j = 0; j < lf_count_of(reads); j++) {
				CHECK_EQ(
					transfer(stage, reads[j], 0, 0x8765 + i, 5, LF_DIRECTION_IN, 5 * 512),
					0);
				CHECK_EQ(stage->command.request.data_moved, 5 * 512);
				CHECK(is_filled(stage, 5 * 512, (uint8_t)(i + 1)));
			}
		}
		stage_close(stage);
	}
}

TEST(the_last_block_of_the_largest_disks)
{
	static const struct {
		uint64_t blocks;
		uint32_t size;
	} cases[] = {{(1ull << 54) - 1, 512}, {(1ull << 51) - 1, 4096}, {1ull << 33, 512}};
	BOTH_MODES(mode)
	{
		for (uint32_t i = 0; i < lf_count_of(cases); i++) {
			struct lf_store_info info = stage_info();
			info.block_count = cases[i].blocks;
			info.block_size = cases[i].size;
			struct stage *stage = stage_open_with(mode, &info, false);
			uint64_t last = cases[i].blocks - 1;
			fill(stage, cases[i].size, 9);
			CHECK_EQ(transfer(stage, 0x8a, 0, last, 1, LF_DIRECTION_OUT, cases[i].size), 0);
			CHECK(is_op(stage, 0, LF_OP_WRITE, false, last * cases[i].size, cases[i].size));
			CHECK_EQ(transfer(stage, 0x88, 0, last, 1, LF_DIRECTION_IN, cases[i].size), 0);
			CHECK(is_filled(stage, cases[i].size, 9));
			CHECK_EQ(transfer(stage, 0x88, 0, last, 2, LF_DIRECTION_IN, 2 * cases[i].size),
				LF_SENSE(5, 0x21, 0));
			CHECK_EQ(transfer(stage, 0x28, 0, 0xffffffff, 1, LF_DIRECTION_IN, cases[i].size), 0);
			stage_close(stage);
		}
	}
}

TEST(read_6_and_write_6_of_zero_blocks_move_256)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	fill(stage, 256 * 512, 3);
	CHECK_EQ(transfer(stage, 0x0a, 0, 0x100, 0, LF_DIRECTION_OUT, 256 * 512), 0);
	CHECK_EQ(transfer(stage, 0x08, 0, 0x100, 0, LF_DIRECTION_IN, 256 * 512), 0);
	CHECK_EQ(stage->command.request.data_moved, 256 * 512);
	CHECK(is_filled(stage, 256 * 512, 3));
	stage_close(stage);
}

TEST(nothing_at_the_end_is_good)
{
	static const uint8_t opcodes[] = {0x28, 0x88, 0xa8, 0x2a, 0x8a, 0xaa, 0x2f, 0x8f, 0xaf, 0x35, 0x91};
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		for (uint32_t i = 0; i < lf_count_of(opcodes); i++) {
			CHECK_EQ(transfer(stage, opcodes[i], 0, 0x10000, 0, LF_DIRECTION_NONE, 0), 0);
			CHECK_EQ(transfer(stage, opcodes[i], 0, 0x10001, 0, LF_DIRECTION_NONE, 0),
				LF_SENSE(5, 0x21, 0));
		}
		CHECK_EQ(transfer(stage, 0x41, 0, 0x10000, 0, LF_DIRECTION_OUT, 512),
			LF_SENSE(5, 0x24, 0));      /* WSNZ */
		CHECK_EQ(stage->store.op_count, 2); /* SYNCHRONIZE CACHE, twice */
		stage_close(stage);
	}
}

TEST(the_longest_transfer)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_DEFERRED);
	CHECK_EQ(transfer(stage, 0x28, 0, 0, 8192, LF_DIRECTION_IN, 4u << 20), 0);
	CHECK(is_op(stage, 0, LF_OP_READ, false, 0, 4u << 20));
	stage_close(stage);
}

TEST(short_buffers_take_whole_blocks)
{
	static const struct {
		uint32_t room, moved;
	} cases[] = {{0, 0}, {200, 0}, {512, 512}, {1535, 1024}, {2048, 2048}, {10000, 2048}};
	BOTH_MODES(mode)
	{
		for (uint32_t fua = 0; fua <= 8; fua += 8) {
			struct stage *stage = stage_open(mode);
			fill(stage, 2048, 5);
			CHECK_EQ(transfer(stage, 0x2a, 0, 0, 4, LF_DIRECTION_OUT, 2048), 0);
			for (uint32_t i = 0; i < lf_count_of(cases); i++) {
				CHECK_EQ(transfer(stage, 0x28, (uint8_t)fua, 0, 4, LF_DIRECTION_IN,
						 cases[i].room),
					0);
				CHECK_EQ(stage->command.request.data_wanted, 2048);
				CHECK_EQ(stage->command.request.data_moved, cases[i].moved);
				CHECK(is_filled(stage, cases[i].moved, 5));
			}
			stage_close(stage);
		}
	}
}

/* What the initiator said it would send is all there is: whole blocks of it are written, the rest is
 * residual. */
TEST(short_writes_take_whole_blocks)
{
	static const struct {
		uint32_t offered, moved;
	} cases[] = {{0, 0}, {200, 0}, {512, 512}, {1535, 1024}, {2048, 2048}};
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		for (uint32_t i = 0; i < lf_count_of(cases); i++) {
			stage_forget_ops(stage);
			CHECK_EQ(transfer(stage, 0x2a, 0, 9, 4, LF_DIRECTION_OUT, cases[i].offered), 0);
			CHECK_EQ(stage->command.request.data_wanted, 2048);
			CHECK_EQ(stage->command.request.data_moved, cases[i].moved);
			CHECK_EQ(stage->store.op_count, cases[i].moved > 0);
			CHECK(cases[i].moved == 0 ||
				is_op(stage, 0, LF_OP_WRITE, false, 9 * 512, cases[i].moved));
		}
		stage_close(stage);
	}
}

static void request_done(struct lf_request *request)
{
	request->tag = 0;
}

TEST(data_that_was_lost_on_the_way_is_not_written_in_part)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	struct lf_segment segment = {stage->data, 1024};
	struct lf_request request = {.nexus = stage->nexus,
		.tag = 1,
		.cdb = {0x2a, [8] = 2},
		.cdb_length = 10,
		.offered_direction = LF_DIRECTION_OUT,
		.offered_length = 1024,
		.done = request_done};
	CHECK(lf_begin(&request));
	request.segments = &segment;
	request.segment_count = 1;
	request.data_length = 512;
	lf_submit(&request);
	CHECK_EQ(request.tag, 0);
	CHECK_EQ(lf_sense_read(&request), LF_SENSE(5, 0x0e, 3));
	CHECK_EQ(stage->store.op_count, 0);
	stage_close(stage);
}

TEST(data_the_other_way_is_not_touched)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		CHECK_EQ(transfer(stage, 0x2a, 0, 0, 1, LF_DIRECTION_IN, 512), LF_SENSE(5, 0x0e, 3));
		fill(stage, 512, 1);
		CHECK_EQ(transfer(stage, 0x28, 0, 0, 1, LF_DIRECTION_OUT, 512), 0);
		CHECK_EQ(stage->command.request.data_moved, 0);
		CHECK_EQ(stage->store.op_count, 0);
		stage_close(stage);
	}
}

TEST(more_than_a_write_needs_is_left)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(transfer(stage, 0x2a, 0, 0, 1, LF_DIRECTION_OUT, 1024), 0);
	CHECK_EQ(stage->command.request.data_moved, 512);
	CHECK(is_op(stage, 0, LF_OP_WRITE, false, 0, 512));
	stage_close(stage);
}

/* ---- FUA and the cache ---- */

TEST(fua_is_honest)
{
	static const uint8_t reads[] = {0x28, 0xa8, 0x88}, writes[] = {0x2a, 0xaa, 0x8a};
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		for (uint32_t i = 0; i < lf_count_of(reads); i++) {
			stage_forget_ops(stage);
			CHECK_EQ(transfer(stage, writes[i], 0x18, 8, 1, LF_DIRECTION_OUT, 512), 0);
			CHECK(is_op(stage, 0, LF_OP_WRITE, true, 8 * 512, 512));
			CHECK_EQ(transfer(stage, writes[i], 0x10, 8, 1, LF_DIRECTION_OUT, 512), 0);
			CHECK(is_op(stage, 1, LF_OP_WRITE, false, 8 * 512, 512));
			CHECK_EQ(transfer(stage, reads[i], 0x08, 8, 1, LF_DIRECTION_IN, 512), 0);
			CHECK(is_op(stage, 2, LF_OP_FLUSH, false, 0, 0));
			CHECK(is_op(stage, 3, LF_OP_READ, false, 8 * 512, 512));
			CHECK_EQ(transfer(stage, reads[i], 0x10, 8, 1, LF_DIRECTION_IN, 512), 0);
			CHECK(is_op(stage, 4, LF_OP_READ, false, 8 * 512, 512));
			CHECK_EQ(stage->store.op_count, 5);
		}
		stage_close(stage);
	}
}

TEST(without_a_write_cache_every_write_is_stable)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		lf_atomic_store_u32(&stage->lu->write_cache, 0);
		CHECK_EQ(transfer(stage, 0x0a, 0, 8, 1, LF_DIRECTION_OUT, 512), 0);
		CHECK(is_op(stage, 0, LF_OP_WRITE, true, 8 * 512, 512));
		memset(stage->data, 0, 1024);
		CHECK_EQ(transfer(stage, 0x89, 0, 3, 1, LF_DIRECTION_OUT, 1024), 0);
		CHECK(is_op(stage, 2, LF_OP_WRITE, true, 3 * 512, 512));
		stage_forget_ops(stage);
		CHECK_EQ(transfer(stage, 0x41, 0, 3, 2, LF_DIRECTION_OUT, 512), 0);
		CHECK(is_op(stage, 0, LF_OP_ZERO, false, 3 * 512, 1024));
		CHECK(is_op(stage, 1, LF_OP_FLUSH, false, 0, 0));
		CHECK_EQ(transfer(stage, 0x8b, 0, 3, 1, LF_DIRECTION_OUT, 512), 0);
		CHECK(is_op(stage, 4, LF_OP_FLUSH, false, 0, 0));
		CHECK_EQ(transfer(stage, 0x35, 0, 0, 0, LF_DIRECTION_NONE, 0), 0);
		CHECK_EQ(stage->store.op_count, 6);
		stage_fail(stage, 2, LF_E_IO); /* the flush after a WRITE SAME */
		CHECK_EQ(transfer(stage, 0x41, 0, 3, 2, LF_DIRECTION_OUT, 512), LF_SENSE(3, 0x0c, 0));
		CHECK_EQ(stage->command.request.sense[0], 0x70);
		stage_close(stage);
	}
}

TEST(six_byte_forms_have_no_fua)
{
	struct lf_store_info info = stage_info();
	info.block_count = 0x100000;
	struct stage *stage = stage_open_with(LF_LOOP_EDGE_INLINE, &info, false);
	CHECK_EQ(transfer(stage, 0x0a, 0, 0x80000, 1, LF_DIRECTION_OUT, 512), 0);
	CHECK(is_op(stage, 0, LF_OP_WRITE, false, 0x80000ull * 512, 512));
	CHECK_EQ(transfer(stage, 0x08, 0, 0x80000, 1, LF_DIRECTION_IN, 512), 0);
	CHECK_EQ(stage->store.op_count, 2);
	stage_close(stage);
}

TEST(synchronize_cache_flushes)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		CHECK_EQ(transfer(stage, 0x35, 0, 0, 0, LF_DIRECTION_NONE, 0), 0);
		CHECK_EQ(transfer(stage, 0x35, 2, 5, 7, LF_DIRECTION_NONE, 0), 0); /* IMMED */
		CHECK_EQ(transfer(stage, 0x91, 0, 0xffff, 1, LF_DIRECTION_NONE, 0), 0);
		CHECK_EQ(stage->store.op_count, 3);
		for (uint32_t i = 0; i < 3; i++)
			CHECK(is_op(stage, i, LF_OP_FLUSH, false, 0, 0));
		stage_fail(stage, 1, LF_E_IO);
		CHECK_EQ(transfer(stage, 0x35, 0, 5, 7, LF_DIRECTION_NONE, 0), LF_SENSE(3, 0x0c, 0));
		CHECK_EQ(stage->command.request.sense[0], 0x70); /* which block it was nobody knows */
		stage_close(stage);
	}
}

/* ---- Failures of the medium ---- */

static void check_failure(struct stage *stage, uint32_t sense, uint32_t expected, uint8_t first, uint32_t lba)
{
	CHECK_EQ(sense, expected);
	CHECK_EQ(stage->command.request.sense[0], first);
	CHECK_EQ(lf_get_be32(stage->command.request.sense + 3), lba);
	CHECK_EQ(stage->command.request.data_moved, 0);
}

TEST(failures_name_their_lba)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		stage_fail(stage, 1, LF_E_IO);
		check_failure(stage, transfer(stage, 0x28, 0, 77, 2, LF_DIRECTION_IN, 1024),
			LF_SENSE(3, 0x11, 0), 0xf0, 77);
		stage_fail(stage, 1, LF_E_RANGE);
		check_failure(stage, transfer(stage, 0x2a, 0, 77, 2, LF_DIRECTION_OUT, 1024),
			LF_SENSE(3, 0x0c, 0), 0xf0, 77);
		stage_fail(stage, 1, LF_E_NO_SPACE);
		check_failure(stage, transfer(stage, 0x2a, 0, 77, 2, LF_DIRECTION_OUT, 1024),
			LF_SENSE(7, 0x27, 7), 0x70, 0);
		stage_fail(stage, 1, LF_E_IO); /* the flush before a READ with FUA */
		check_failure(stage, transfer(stage, 0x28, 8, 77, 2, LF_DIRECTION_IN, 1024),
			LF_SENSE(3, 0x0c, 0), 0x70, 0);
		CHECK_EQ(stage->store.op_count, 1);
		stage_fail(stage, 2, LF_E_IO);
		check_failure(stage, transfer(stage, 0x28, 8, 77, 2, LF_DIRECTION_IN, 1024),
			LF_SENSE(3, 0x11, 0), 0xf0, 77);
		stage_close(stage);
	}
}

/* ---- WRITE SAME ---- */

static uint32_t same(
	struct stage *stage, uint8_t opcode, uint8_t byte_1, uint64_t lba, uint32_t blocks, uint8_t pattern)
{
	bool no_data = opcode == 0x93 && (byte_1 & 1);
	uint32_t size = stage->lu->info.block_size;
	if (pattern == 0)
		memset(stage->data, 0, size);
	else
		fill(stage, size, pattern);
	return transfer(stage, opcode, byte_1, lba, blocks, no_data ? LF_DIRECTION_NONE : LF_DIRECTION_OUT,
		no_data ? 0 : size);
}

TEST(write_same_of_zeros_is_one_operation)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		fill(stage, 4 * 512, 1);
		CHECK_EQ(transfer(stage, 0x2a, 0, 99, 4, LF_DIRECTION_OUT, 4 * 512), 0);
		stage_forget_ops(stage);
		CHECK_EQ(same(stage, 0x41, 0, 100, 2, 0), 0);
		CHECK(is_op(stage, 0, LF_OP_ZERO, false, 100 * 512, 1024));
		CHECK_EQ(stage->command.request.data_moved, 512);
		CHECK_EQ(same(stage, 0x41, 8, 100, 2, 0), 0);
		CHECK(is_op(stage, 1, LF_OP_UNMAP, false, 100 * 512, 1024));
		CHECK_EQ(same(stage, 0x93, 1, 100, 2, 0), 0); /* NDOB */
		CHECK(is_op(stage, 2, LF_OP_ZERO, false, 100 * 512, 1024));
		CHECK_EQ(stage->command.request.data_moved, 0);
		CHECK_EQ(same(stage, 0x93, 9, 1, 65535, 0), 0);
		CHECK(is_op(stage, 3, LF_OP_UNMAP, false, 512, 65535 * 512));
		CHECK_EQ(same(stage, 0x41, 0, 1, 0, 0), LF_SENSE(5, 0x24, 0)); /* WSNZ: not up to the end */
		CHECK_EQ(stage->store.op_count, 4);
		stage_fail(stage, 1, LF_E_IO);
		CHECK_EQ(same(stage, 0x41, 0, 100, 2, 0), LF_SENSE(3, 0x0c, 0));
		stage_close(stage);
	}
}

TEST(write_same_does_not_unmap_what_would_not_read_zeros)
{
	struct lf_store_info info = stage_info();
	info.unmap_reads_zero = false;
	struct stage *stage = stage_open_with(LF_LOOP_EDGE_INLINE, &info, false);
	CHECK_EQ(same(stage, 0x93, 8, 5, 2, 0), 0);
	CHECK(is_op(stage, 0, LF_OP_ZERO, false, 5 * 512, 1024));
	stage_close(stage);
}

TEST(write_same_repeats_its_block)
{
	static const uint32_t sizes[] = {512, 4096};
	BOTH_MODES(mode)
	{
		for (uint32_t i = 0; i < lf_count_of(sizes); i++) {
			struct lf_store_info info = stage_info();
			info.block_size = sizes[i];
			struct stage *stage = stage_open_with(mode, &info, false);
			CHECK_EQ(same(stage, 0x93, 8, 50, 300, 7), 0);
			CHECK_EQ(stage->store.op_count, (300 * sizes[i] + 65535) / 65536);
			CHECK(is_op(stage, 0, LF_OP_WRITE, false, 50 * sizes[i], 65536));
			CHECK_EQ(stage->command.request.data_moved, sizes[i]);
			for (uint32_t lba = 49; lba <= 350; lba++) {
				CHECK_EQ(transfer(stage, 0x28, 0, lba, 1, LF_DIRECTION_IN, sizes[i]), 0);
				CHECK(lba == 49 || lba == 350 ? stage->data[0] == 0
							      : is_filled(stage, sizes[i], 7));
			}
			CHECK_EQ(same(stage, 0x41, 0, 3, 1, 8), 0);
			stage_fail(stage, 2, LF_E_NO_SPACE);
			CHECK_EQ(same(stage, 0x93, 0, 50, 300, 7), LF_SENSE(7, 0x27, 7));
			CHECK_EQ(stage->store.op_count, 2);
			stage_close(stage);
		}
	}
}

TEST(write_same_sees_the_last_byte_of_its_block)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	memset(stage->data, 0, 512);
	stage->data[511] = 1;
	CHECK_EQ(transfer(stage, 0x41, 0, 0, 1, LF_DIRECTION_OUT, 512), 0);
	CHECK(is_op(stage, 0, LF_OP_WRITE, false, 0, 512));
	stage_close(stage);
}

/* ---- UNMAP ---- */

static void put_list(struct stage *stage, uint32_t data_length, uint32_t descriptors_length)
{
	memset(stage->data, 0, 8);
	lf_put_be16(stage->data, (uint16_t)data_length);
	lf_put_be16(stage->data + 2, (uint16_t)descriptors_length);
}

static void put_range(struct stage *stage, uint32_t index, uint64_t lba, uint32_t blocks)
{
	uint8_t *at = stage->data + 8 + 16 * (size_t)index;
	memset(at, 0, 16);
	lf_put_be64(at, lba);
	lf_put_be32(at + 8, blocks);
}

static uint32_t unmap(struct stage *stage, uint32_t length)
{
	return transfer(stage, 0x42, 0, 0, length, LF_DIRECTION_OUT, length);
}

TEST(unmap_takes_every_range)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		put_list(stage, 6 + 5 * 16, 5 * 16);
		put_range(stage, 0, 0x10000, 0);
		put_range(stage, 1, 3, 5);
		put_range(stage, 2, 4, 0);
		put_range(stage, 3, 0xffff, 1);
		put_range(stage, 4, 0, 0);
		CHECK_EQ(unmap(stage, 8 + 5 * 16), 0);
		CHECK_EQ(stage->command.request.data_moved, 8 + 5 * 16);
		CHECK_EQ(stage->store.op_count, 2);
		CHECK(is_op(stage, 0, LF_OP_UNMAP, false, 3 * 512, 5 * 512));
		CHECK(is_op(stage, 1, LF_OP_UNMAP, false, 0xffff * 512ull, 512));
		lf_atomic_store_u32(&stage->lu->write_cache, 0);
		for (uint32_t i = 0; i < 2; i++) {
			stage_forget_ops(stage);
			CHECK_EQ(unmap(stage, 8 + 5 * 16), 0);
			CHECK_EQ(stage->store.op_count, 3);
			CHECK(is_op(stage, 2, LF_OP_FLUSH, false, 0, 0));
		}
		stage_fail(stage, 2, LF_E_IO);
		CHECK_EQ(unmap(stage, 8 + 5 * 16), LF_SENSE(3, 0x0c, 0));
		CHECK_EQ(lf_get_be32(stage->command.request.sense + 3), 0xffff);
		stage_close(stage);
	}
}

TEST(unmap_lists_that_are_empty_or_cut)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(unmap(stage, 0), 0);
	put_list(stage, 6, 0);
	CHECK_EQ(unmap(stage, 8), 0);
	put_list(stage, 6 + 17, 17); /* the second descriptor is not complete: ignored */
	put_range(stage, 0, 1, 1);
	CHECK_EQ(unmap(stage, 8 + 17), 0);
	CHECK_EQ(stage->store.op_count, 1);
	put_list(stage, 6 + 16, 16); /* a list that is longer than it says */
	CHECK_EQ(unmap(stage, 100), 0);
	CHECK_EQ(stage->store.op_count, 2);
	stage_forget_ops(stage);
	put_list(stage, 6 + 32, 32);
	CHECK_EQ(unmap(stage, 8 + 16), LF_SENSE(5, 0x1a, 0));
	put_list(stage, 6, 16);
	CHECK_EQ(unmap(stage, 8 + 16), LF_SENSE(5, 0x26, 0));
	CHECK_EQ(stage->command.request.sense[15], 0x80);
	CHECK_EQ(stage->store.op_count, 0);
	stage_close(stage);
}

TEST(unmap_changes_nothing_when_any_range_is_bad)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		put_list(stage, 6 + 2 * 16, 2 * 16);
		put_range(stage, 0, 1, 1);
		put_range(stage, 1, 0xffff, 2);
		CHECK_EQ(unmap(stage, 8 + 2 * 16), LF_SENSE(5, 0x21, 0));
		CHECK_EQ(lf_get_be32(stage->command.request.sense + 3), 0x10000);
		put_range(stage, 1, UINT64_MAX, 1);
		CHECK_EQ(unmap(stage, 8 + 2 * 16), LF_SENSE(5, 0x21, 0));
		put_range(stage, 1, 0x10001, 0);
		CHECK_EQ(unmap(stage, 8 + 2 * 16), LF_SENSE(5, 0x21, 0));
		CHECK_EQ(stage->store.op_count, 0);
		stage_close(stage);
	}
}

TEST(unmap_takes_256_ranges_and_no_more)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		for (uint32_t i = 0; i <= 256; i++)
			put_range(stage, i, i * 2, 1);
		put_list(stage, 6 + 256 * 16, 256 * 16);
		CHECK_EQ(unmap(stage, 8 + 256 * 16), 0);
		CHECK_EQ(stage->store.op_count, 256);
		put_list(stage, 6 + 257 * 16, 257 * 16);
		CHECK_EQ(unmap(stage, 8 + 257 * 16), LF_SENSE(5, 0x26, 0));
		CHECK_EQ(stage->command.request.sense[17], 2);
		CHECK_EQ(stage->store.op_count, 256);
		stage_close(stage);
	}
}

/* An initiator that shares its memory changes the list once it was checked. */
TEST(unmap_of_a_list_that_changes_stays_within_the_disk)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_DEFERRED);
	struct lf_loop_edge_command *command = &stage->command;
	put_list(stage, 6 + 2 * 16, 2 * 16);
	put_range(stage, 0, 1, 1);
	put_range(stage, 1, 2, 1);
	memcpy(command->cdb, ((const uint8_t[10]){0x42, [8] = 8 + 2 * 16}), 10);
	command->cdb_length = 10;
	stage_command_data(stage, LF_DIRECTION_OUT, 8 + 2 * 16);
	lf_loop_edge_start(&stage->edge, command);
	CHECK(lf_loop_edge_pump(&stage->edge)); /* begin */
	CHECK(lf_loop_edge_pump(&stage->edge)); /* submit: the list was checked, the first range is queued */
	put_list(stage, 6 + 4000 * 16, 4000 * 16);
	put_range(stage, 1, UINT64_MAX - 5, 0xffffffff);
	while (!command->ended)
		lf_loop_edge_pump(&stage->edge);
	CHECK_EQ(lf_sense_read(&command->request), LF_SENSE(5, 0x21, 0));
	CHECK_EQ(stage->store.op_count, 1);
	stage_close(stage);
}

/* ---- Many at once ---- */

TEST(scratch_buffers_go_round)
{
	enum { COUNT = 3 * LF_SCRATCH_COUNT };
	static struct lf_loop_edge_command commands[COUNT];
	struct stage *stage = stage_open(LF_LOOP_EDGE_DEFERRED);
	memset(commands, 0, sizeof(commands));
	for (uint32_t i = 0; i < COUNT; i++) {
		struct lf_loop_edge_command *command = &commands[i];
		command->nexus = stage->nexus;
		memcpy(command->cdb, ((const uint8_t[10]){0x2f, [7] = 1}),
			10); /* a flush and two pieces each */
		command->cdb_length = 10;
		lf_loop_edge_start(&stage->edge, command);
	}
	while (lf_loop_edge_pump(&stage->edge))
		;
	for (uint32_t i = 0; i < COUNT; i++) {
		CHECK_EQ(commands[i].ended, 1);
		CHECK_EQ(commands[i].request.status, LF_STATUS_GOOD);
	}
	CHECK_EQ(stage->store.op_count, 3 * COUNT);
	CHECK_EQ(stage->lu->scratch_free_count, LF_SCRATCH_COUNT);
	stage_close(stage);
}

static void tmf_done(struct lf_tmf *tmf)
{
	tmf->tag = 0;
}

TEST(an_abort_stops_a_command_between_its_steps)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_DEFERRED);
	struct lf_loop_edge_command *command = &stage->command;
	memcpy(command->cdb, ((const uint8_t[10]){0x2f, [7] = 4}), 10); /* a flush and eight pieces */
	command->cdb_length = 10;
	stage_command_data(stage, LF_DIRECTION_NONE, 0);
	lf_loop_edge_start(&stage->edge, command);
	while (stage->store.op_count < 2)
		lf_loop_edge_pump(&stage->edge);
	struct lf_tmf tmf = {.nexus = stage->nexus,
		.function = LF_TMF_ABORT_TASK,
		.tag = command->request.tag,
		.done = tmf_done};
	lf_tmf_submit(&tmf);
	CHECK(tmf.tag != 0);
	while (!command->ended)
		lf_loop_edge_pump(&stage->edge);
	CHECK_EQ(command->request.status, LF_STATUS_TASK_ABORTED);
	CHECK(stage->store.op_count <= 3);
	CHECK_EQ(tmf.tag, 0);
	CHECK_EQ(tmf.response, LF_TMF_COMPLETE);
	CHECK_EQ(stage->lu->scratch_free_count, LF_SCRATCH_COUNT);
	stage_close(stage);
}

/* ---- A store whose operations end on a thread of its own ---- */

struct thread_store {
	struct lf_store *kept;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct lf_link queue;
	bool stopped;
};

static void thread_submit(struct lf_store *store, struct lf_io *io)
{
	struct thread_store *mine = (struct thread_store *)(void *)store;
	pthread_mutex_lock(&mine->mutex);
	lf_list_append(&mine->queue, &io->link);
	pthread_cond_signal(&mine->changed);
	pthread_mutex_unlock(&mine->mutex);
}

static const struct lf_store_ops thread_ops = {.name = "thread", .submit = thread_submit};

static void *thread_run(void *argument)
{
	struct thread_store *mine = argument;
	pthread_mutex_lock(&mine->mutex);
	for (;;) {
		struct lf_link *link = lf_list_take(&mine->queue);
		if (link != NULL) {
			pthread_mutex_unlock(&mine->mutex);
			kept_submit(mine->kept, lf_container(link, struct lf_io, link));
			pthread_mutex_lock(&mine->mutex);
		} else if (mine->stopped) {
			break;
		} else {
			pthread_cond_wait(&mine->changed, &mine->mutex);
		}
	}
	pthread_mutex_unlock(&mine->mutex);
	return NULL;
}

/* Submitter and done race for who goes on after each step, and one of them always does. */
TEST(steps_go_on_whoever_comes_last)
{
	struct thread_store threaded = {
		.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	struct lf_store_info info = stage_info();
	pthread_t thread;
	lf_list_init(&threaded.queue);
	struct stage *stage = stage_open_over(
		LF_LOOP_EDGE_INLINE, &info, false, &thread_ops, (struct lf_store *)(void *)&threaded);
	threaded.kept = &stage->store;
	CHECK_EQ(pthread_create(&thread, NULL, thread_run, &threaded), 0);
	for (uint32_t i = 0; i < 100; i++) {
		CHECK_EQ(transfer(stage, 0x2f, 0, 0, 2560, LF_DIRECTION_NONE, 0), 0);
		CHECK_EQ(transfer(stage, 0x28, 8, 0, 1, LF_DIRECTION_IN, 512), 0);
		CHECK_EQ(same(stage, 0x93, 0, 50, 300, 7), 0);
	}
	pthread_mutex_lock(&threaded.mutex);
	threaded.stopped = true;
	pthread_cond_signal(&threaded.changed);
	pthread_mutex_unlock(&threaded.mutex);
	pthread_join(thread, NULL);
	CHECK_EQ(stage->store.op_count, 100 * (21 + 2 + 3));
	stage_close(stage);
}

/* ---- GET LBA STATUS ---- */

static bool is_run(const uint8_t *data, uint32_t index, uint64_t lba, uint32_t blocks, uint8_t status)
{
	const uint8_t *at = data + 8 + index * 16;
	return lf_get_be64(at) == lba && lf_get_be32(at + 8) == blocks && at[12] == status;
}

#define GET_LBA_STATUS(stage, lba_high, lba_low, room)                                                       \
	RUN_IN(stage, room, 0x9e, 0x12, 0, 0, 0, 0, 0, 0, lba_high, lba_low, 0, 0, 0, room, 0, 0)

TEST(lba_status_names_the_runs_that_take_room)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		const uint8_t *data = stage->data;
		/* Half blocks at both ends of the data: they count as mapped. */
		stage->store.data_from = 100 * 512 - 256;
		stage->store.data_end = 200 * 512 + 256;
		CHECK_EQ(GET_LBA_STATUS(stage, 0, 10, 255), 0);
		CHECK_EQ(stage->command.request.data_moved, 8 + 4 * 16);
		CHECK_EQ(lf_get_be32(data), 4 + 4 * 16);
		CHECK(is_run(data, 0, 10, 89, 1));
		CHECK(is_run(data, 1, 99, 1, 0));
		CHECK(is_run(data, 2, 100, 101, 0));
		CHECK(is_run(data, 3, 201, 65536 - 201, 1));
		stage->store.data_from = 100 * 512;
		stage->store.data_end = 200 * 512;
		CHECK_EQ(GET_LBA_STATUS(stage, 0, 10, 255), 0);
		CHECK(is_run(data, 0, 10, 90, 1));
		CHECK(is_run(data, 1, 100, 100, 0));
		CHECK(is_run(data, 2, 200, 65536 - 200, 1));
		CHECK_EQ(GET_LBA_STATUS(stage, 0, 150, 24), 0); /* room for one */
		CHECK_EQ(lf_get_be32(data), 4 + 16);
		CHECK(is_run(data, 0, 150, 50, 0));
		CHECK_EQ(GET_LBA_STATUS(stage, 0, 150, 6), 0);
		CHECK_EQ(stage->command.request.data_moved, 6);
		stage_close(stage);
	}
}

TEST(lba_status_of_a_store_that_cannot_tell_is_mapped)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	stage_fail(stage, 1, LF_E_UNSUPPORTED);
	CHECK_EQ(GET_LBA_STATUS(stage, 0, 5, 255), 0);
	CHECK(is_run(stage->data, 0, 5, 65531, 0));
	stage_fail(stage, 1, LF_E_IO);
	CHECK_EQ(GET_LBA_STATUS(stage, 0, 5, 255), LF_SENSE(3, 0x11, 0));
	stage_close(stage);
}

TEST(lba_status_of_a_unit_that_does_not_unmap_is_mapped)
{
	struct lf_store_info info = stage_info();
	info.can_unmap = info.unmap_reads_zero = false;
	info.unmap_granularity_bytes = 0;
	struct stage *stage = stage_open_with(LF_LOOP_EDGE_INLINE, &info, false);
	CHECK_EQ(GET_LBA_STATUS(stage, 0, 5, 255), 0);
	CHECK(is_run(stage->data, 0, 5, 65531, 0));
	stage_close(stage);
}

TEST(lba_status_past_the_end)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	uint8_t cdb[16] = {0x9e, 0x12};
	lf_put_be64(cdb + 2, 65536);
	cdb[13] = 24;
	CHECK_EQ(stage_run(stage, 0, cdb, 16, LF_DIRECTION_IN, 24), LF_SENSE(5, 0x21, 0));
	stage_close(stage);
}
