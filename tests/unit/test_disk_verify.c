/* SPDX-License-Identifier: BSD-2-Clause */
/* test_disk_verify.c: VERIFY and WRITE AND VERIFY: what is read, what is compared, where it differs. */
#include "tests/test.h"
#include "tests/unit/disk_stage.h"

static const uint8_t verifies[] = {0x2f, 0xaf, 0x8f}, writes_and_verifies[] = {0x2e, 0xae, 0x8e};

TEST(verify_reads_all_of_a_range_that_was_made_stable)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		for (uint32_t i = 0; i < lf_count_of(verifies); i++) {
			stage_forget_ops(stage);
			CHECK_EQ(transfer(stage, verifies[i], 0x10, 10, 300, LF_DIRECTION_NONE, 0), 0);
			CHECK(is_op(stage, 0, LF_OP_FLUSH, false, 0, 0));
			CHECK(is_op(stage, 1, LF_OP_READ, false, 10 * 512, 65536));
			CHECK(is_op(stage, 2, LF_OP_READ, false, 138 * 512, 65536));
			CHECK(is_op(stage, 3, LF_OP_READ, false, 266 * 512, 44 * 512));
			CHECK_EQ(stage->store.op_count, 4);
			CHECK_EQ(stage->command.request.data_wanted, 0);
		}
		stage_close(stage);
	}
}

TEST(verify_of_a_read_only_unit_flushes_nothing)
{
	struct lf_store_info info = stage_info();
	struct stage *stage = stage_open_with(LF_LOOP_EDGE_INLINE, &info, true);
	CHECK_EQ(transfer(stage, 0x2f, 0, 10, 1, LF_DIRECTION_NONE, 0), 0);
	CHECK(is_op(stage, 0, LF_OP_READ, false, 10 * 512, 512));
	CHECK_EQ(stage->store.op_count, 1);
	stage_close(stage);
}

static bool is_miscompare(const struct stage *stage, uint32_t sense, uint32_t offset)
{
	const struct lf_request *request = &stage->command.request;
	return sense == LF_SENSE(0xe, 0x1d, 0) && request->sense[0] == 0xf0 &&
	       lf_get_be32(request->sense + 3) == offset && request->data_moved == 0;
}

TEST(verify_compares_every_byte)
{
	enum { BLOCKS = 300, BYTES = BLOCKS * 512 };
	static const uint32_t places[] = {0, 2, 3, 511, 512, 1023, 1024, 65535, 65536, BYTES - 1};
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		fill(stage, BYTES, 3);
		CHECK_EQ(transfer(stage, 0x8a, 0, 50, BLOCKS, LF_DIRECTION_OUT, BYTES), 0);
		for (uint32_t i = 0; i < lf_count_of(verifies); i++) {
			CHECK_EQ(transfer(stage, verifies[i], 0x02, 50, BLOCKS, LF_DIRECTION_OUT, BYTES), 0);
			CHECK_EQ(stage->command.request.data_moved, BYTES);
		}
		for (uint32_t i = 0; i < lf_count_of(places); i++) {
			stage->data[places[i]] ^= 0x10;
			stage->data[BYTES - 1] ^= 0x20; /* the first one is told, not the last */
			uint32_t sense =
				transfer(stage, verifies[i % 3], 0x02, 50, BLOCKS, LF_DIRECTION_OUT, BYTES);
			CHECK(is_miscompare(stage, sense, places[i]));
			stage->data[BYTES - 1] ^= 0x20;
			stage->data[places[i]] ^= 0x10;
		}
		stage_close(stage);
	}
}

TEST(verify_compares_one_block_with_all)
{
	enum { BLOCKS = 200 };
	static const uint32_t places[] = {0, 511, 512, 128 * 512 - 1, 128 * 512 + 7, BLOCKS * 512 - 1};
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		fill(stage, 512, 9);
		CHECK_EQ(transfer(stage, 0x93, 0, 70, BLOCKS, LF_DIRECTION_OUT, 512), 0);
		for (uint32_t i = 0; i < lf_count_of(verifies); i++) {
			CHECK_EQ(transfer(stage, verifies[i], 0x06, 70, BLOCKS, LF_DIRECTION_OUT, 512), 0);
			CHECK_EQ(stage->command.request.data_wanted, 512);
			CHECK_EQ(stage->command.request.data_moved, 512);
		}
		for (uint32_t i = 0; i < lf_count_of(places); i++) {
			struct kept_block *block = kept_find(&stage->store, 70 + places[i] / 512);
			block->bytes[places[i] % 512] ^= 1;
			CHECK(is_miscompare(stage,
				transfer(stage, 0x8f, 0x06, 70, BLOCKS, LF_DIRECTION_OUT, 512), places[i]));
			block->bytes[places[i] % 512] ^= 1;
		}
		stage_close(stage);
	}
}

TEST(verify_of_nothing_takes_no_data)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	for (uint8_t check = 0x00; check <= 0x06; check = (uint8_t)(check == 0x02 ? 0x06 : check + 2)) {
		for (uint32_t i = 0; i < lf_count_of(verifies); i++) {
			CHECK_EQ(transfer(stage, verifies[i], check, 0x10000, 0, LF_DIRECTION_OUT, 512), 0);
			CHECK_EQ(stage->command.request.data_wanted, 0);
		}
	}
	CHECK_EQ(stage->store.op_count, 0);
	stage_close(stage);
}

TEST(more_than_a_verify_needs_is_left)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	memset(stage->data, 0, 1024);
	stage->data[512] = 1;
	CHECK_EQ(transfer(stage, 0x2f, 0x02, 5, 1, LF_DIRECTION_OUT, 1024), 0);
	CHECK_EQ(stage->command.request.data_moved, 512);
	stage_close(stage);
}

TEST(a_miscompare_of_descriptor_sense)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	const uint8_t *sense = stage->command.request.sense;
	lf_atomic_store_u32(&stage->lu->descriptor_sense, 1);
	memset(stage->data, 0, 512);
	stage->data[77] = 1;
	CHECK_EQ(transfer(stage, 0x2f, 0x02, 5, 1, LF_DIRECTION_OUT, 512), LF_SENSE(0xe, 0x1d, 0));
	CHECK(memcmp(sense, "\x72\x0e\x1d\x00\x00\x00\x00\x0c\x00\x0a\x80\x00", 12) == 0);
	CHECK_EQ(lf_get_be64(sense + 12), 77);
	stage_close(stage);
}

TEST(write_and_verify_writes_makes_stable_and_reads)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		for (uint32_t i = 0; i < 2 * lf_count_of(writes_and_verifies); i++) {
			uint8_t byte_1 = i & 1 ? 0x12 : 0x10; /* DPO, and BYTCHK or not */
			stage_forget_ops(stage);
			fill(stage, 200 * 512, (uint8_t)i);
			CHECK_EQ(transfer(stage, writes_and_verifies[i / 2], byte_1, 30, 200,
					 LF_DIRECTION_OUT, 200 * 512),
				0);
			CHECK_EQ(stage->command.request.data_moved, 200 * 512);
			CHECK(is_op(stage, 0, LF_OP_WRITE, true, 30 * 512, 200 * 512));
			CHECK(is_op(stage, 1, LF_OP_READ, false, 30 * 512, 65536));
			CHECK(is_op(stage, 2, LF_OP_READ, false, 158 * 512, 72 * 512));
			CHECK_EQ(stage->store.op_count, 3);
			CHECK_EQ(transfer(stage, 0x28, 0, 30, 200, LF_DIRECTION_IN, 200 * 512), 0);
			CHECK(is_filled(stage, 200 * 512, (uint8_t)i));
		}
		stage_close(stage);
	}
}

/* As WRITE: whole blocks of what the initiator said it would send. */
TEST(short_writes_are_verified_as_far_as_they_go)
{
	static const struct {
		uint32_t offered, moved;
	} cases[] = {{0, 0}, {200, 0}, {512, 512}, {1535, 1024}, {2048, 2048}, {10000, 2048}};
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		for (uint32_t i = 0; i < lf_count_of(cases); i++) {
			stage_forget_ops(stage);
			CHECK_EQ(transfer(stage, 0x2e, 0x02, 9, 4, LF_DIRECTION_OUT, cases[i].offered), 0);
			CHECK_EQ(stage->command.request.data_wanted, 2048);
			CHECK_EQ(stage->command.request.data_moved, cases[i].moved);
			CHECK_EQ(stage->store.op_count, cases[i].moved > 0 ? 2 : 0);
			CHECK(cases[i].moved == 0 ||
				is_op(stage, 1, LF_OP_READ, false, 9 * 512, cases[i].moved));
		}
		stage_close(stage);
	}
}

/* A store that changes what it is given. */
static void lossy_submit(struct lf_store *store, struct lf_io *io)
{
	if (io->op == LF_OP_READ)
		for (uint32_t i = 0; i < KEPT_BLOCKS; i++)
			store->blocks[i].bytes[100] ^= 1;
	kept_submit(store, io);
}

static const struct lf_store_ops lossy_ops = {.name = "lossy", .submit = lossy_submit};

TEST(write_and_verify_notices_what_did_not_get_there)
{
	struct lf_store_info info = stage_info();
	struct lf_store store = {.block_size = 512, .blocks = calloc(KEPT_BLOCKS, sizeof(struct kept_block))};
	struct stage *stage = stage_open_over(LF_LOOP_EDGE_INLINE, &info, false, &lossy_ops, &store);
	fill(stage, 1024, 1);
	CHECK(is_miscompare(stage, transfer(stage, 0x2e, 0x02, 9, 2, LF_DIRECTION_OUT, 1024), 100));
	CHECK_EQ(transfer(stage, 0x2e, 0x00, 9, 2, LF_DIRECTION_OUT, 1024), 0);
	stage_close(stage);
	free(store.blocks);
}

TEST(failures_of_each_step_name_their_block)
{
	static const struct {
		uint8_t opcode;
		uint32_t number, sense, lba;
	} cases[] = {
		{0x2f, 1, LF_SENSE(3, 0x0c, 0), UINT32_MAX},
		{0x2f, 2, LF_SENSE(3, 0x11, 0), 77},
		{0x2f, 4, LF_SENSE(3, 0x11, 0), 77 + 256},
		{0x2e, 1, LF_SENSE(3, 0x0c, 0), 77},
		{0x2e, 2, LF_SENSE(3, 0x11, 0), 77},
		{0x2e, 3, LF_SENSE(3, 0x11, 0), 77 + 128},
	};
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		const uint8_t *sense = stage->command.request.sense;
		memset(stage->data, 0, 1000 * 512);
		for (uint32_t i = 0; i < lf_count_of(cases); i++) {
			stage_fail(stage, cases[i].number, LF_E_IO);
			CHECK_EQ(transfer(stage, cases[i].opcode, 0x02, 77, 1000, LF_DIRECTION_OUT,
					 1000 * 512),
				cases[i].sense);
			CHECK_EQ(sense[0], cases[i].lba == UINT32_MAX ? 0x70 : 0xf0);
			CHECK(cases[i].lba == UINT32_MAX || lf_get_be32(sense + 3) == cases[i].lba);
			CHECK_EQ(stage->store.op_count, cases[i].number);
			CHECK_EQ(stage->lu->scratch_free_count, LF_SCRATCH_COUNT);
		}
		stage_close(stage);
	}
}
