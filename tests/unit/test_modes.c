/* SPDX-License-Identifier: BSD-2-Clause */
/* test_modes.c: MODE SELECT: what it changes, what it refuses, and that it does all of it or nothing. */
#include "core/reservation.h"
#include "tests/test.h"
#include "tests/unit/command_stage.h"

#define BOTH_MODES(mode) for (uint32_t mode = LF_LOOP_EDGE_INLINE; mode <= LF_LOOP_EDGE_DEFERRED; mode++)

static const uint8_t caching_on[20] = {0x08, 0x12, 0x04}, caching_off[20] = {0x08, 0x12, 0x00};
static const uint8_t control[12] = {0x0a, 0x0a, 0x02, 0x10, [8] = 0xff, 0xff};
static const uint8_t control_d_sense[12] = {0x0a, 0x0a, 0x06, 0x10, [8] = 0xff, 0xff};
static const uint8_t control_swp[12] = {0x0a, 0x0a, 0x02, 0x10, 0x08, [8] = 0xff, 0xff};

/* MODE SELECT (6) of one page, without a block descriptor. */
static uint32_t select_page(struct stage *stage, const uint8_t *page, uint32_t length)
{
	memset(stage->data, 0, 4);
	memcpy(stage->data + 4, page, length);
	return RUN_OUT(stage, 4 + length, 0x15, 0x10, 0, 0, (uint8_t)(4 + length), 0);
}

#define SELECT(stage, page) select_page(stage, page, sizeof(page))

/* A byte of a page as MODE SENSE (6) tells it. */
static uint8_t page_byte(struct stage *stage, uint8_t control_and_code, uint32_t byte)
{
	if (RUN_IN(stage, 64, 0x1a, 8, control_and_code, 0, 64, 0) != 0)
		abort();
	return stage->data[4 + byte];
}

static uint32_t write_block(struct stage *stage)
{
	return RUN_OUT(stage, 512, 0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0);
}

static uint32_t test_unit_ready(struct stage *stage)
{
	return RUN(stage, 0x00, 0, 0, 0, 0, 0);
}

/* Runs the next commands as another initiator; returns the one before. */
static struct lf_nexus *act_as(struct stage *stage, struct lf_nexus *nexus)
{
	struct lf_nexus *before = stage->nexus;
	stage->nexus = nexus;
	return before;
}

static struct lf_nexus *open_other(struct stage *stage)
{
	struct lf_nexus_options options = {.port = &stage_port};
	struct lf_nexus *other = lf_nexus_open(stage->adapter, &options);
	struct lf_nexus *before = act_as(stage, other);
	if (test_unit_ready(stage) != LF_SENSE(6, 0x29, 0))
		abort();
	act_as(stage, before);
	return other;
}

TEST(a_change_is_current_for_all_and_told_to_the_others)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		struct lf_nexus *other = open_other(stage), *own = stage->nexus;
		CHECK_EQ(SELECT(stage, control_d_sense), 0);
		CHECK_EQ(stage->command.request.data_moved, 16);
		CHECK_EQ(test_unit_ready(stage), 0);
		CHECK_EQ(page_byte(stage, 0x0a, 2), 0x06);
		CHECK_EQ(page_byte(stage, 0x8a, 2), 0x02);
		CHECK_EQ(page_byte(stage, 0x4a, 2), 0x04);
		CHECK_EQ(page_byte(stage, 0x4a, 4), 0x08);
		act_as(stage, other);
		CHECK_EQ(test_unit_ready(stage), LF_SENSE(6, 0x2a, 1));
		CHECK_EQ(stage->command.request.sense[0], 0x72);
		CHECK_EQ(test_unit_ready(stage), 0);
		act_as(stage, own);
		CHECK_EQ(SELECT(stage, control_d_sense), 0); /* the same once more: nothing changed */
		act_as(stage, other);
		CHECK_EQ(test_unit_ready(stage), 0);
		act_as(stage, own);
		lf_nexus_close(other);
		stage_close(stage);
	}
}

TEST(several_pages_with_a_block_descriptor_in_both_forms)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(RUN_IN(stage, 192, 0x1a, 0, 0x3f, 0, 192, 0), 0);
	uint32_t length = (uint32_t)stage->command.request.data_moved;
	stage->data[12] |= 0x80;           /* PS is ignored */
	stage->data[12 + 12 + 2] &= ~0x04; /* WCE */
	stage->data[12 + 12 + 20 + 2] |= 0x04;
	CHECK_EQ(RUN_OUT(stage, length, 0x15, 0x10, 0, 0, (uint8_t)length, 0), 0);
	CHECK_EQ(page_byte(stage, 0x08, 2), 0);
	CHECK_EQ(page_byte(stage, 0x0a, 2), 6);
	CHECK_EQ(RUN_IN(stage, 256, 0x5a, 0x10, 0x3f, 0, 0, 0, 0, 1, 0, 0), 0); /* LLBAA */
	length = (uint32_t)stage->command.request.data_moved;
	stage->data[24 + 12 + 2] |= 0x04;
	stage->data[24 + 12 + 20 + 2] &= ~0x04;
	CHECK_EQ(RUN_OUT(stage, length, 0x55, 0x10, 0, 0, 0, 0, 0, 0, (uint8_t)length, 0), 0);
	CHECK_EQ(page_byte(stage, 0x08, 2), 4);
	CHECK_EQ(page_byte(stage, 0x0a, 2), 2);
	/* Sizes that mean: as it is. */
	memcpy(stage->data, "\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00", 12);
	CHECK_EQ(RUN_OUT(stage, 12, 0x15, 0x00, 0, 0, 12, 0), 0);
	memcpy(stage->data, "\x00\x00\x00\x08\xff\xff\xff\xff\x00\x00\x02\x00", 12);
	CHECK_EQ(RUN_OUT(stage, 12, 0x15, 0x10, 0, 0, 12, 0), 0);
	CHECK_EQ(RUN(stage, 0x15, 0x10, 0, 0, 0, 0), 0); /* no list at all */
	stage_close(stage);
}

#define NO_POINTER 0xffff

static const struct refusal {
	const char *name;
	uint8_t ten, length, list[64];
	uint32_t sense;
	uint16_t byte;
	uint8_t bit;
} refusals[] = {
#define FIELD(byte, bit) LF_SENSE(5, 0x26, 0), byte, bit
#define CUT              LF_SENSE(5, 0x1a, 0), NO_POINTER, 0
	{"half a header", 0, 3, {0}, CUT},
	{"half a header (10)", 1, 7, {0}, CUT},
	{"half a block descriptor", 0, 8, {[3] = 8}, CUT},
	{"half a page", 0, 10, {[4] = 0x0a, 0x0a, 0x02, 0x10}, CUT},
	{"one byte of a page", 0, 5, {[4] = 0x0a}, CUT},
	{"three bytes of a subpage", 0, 7, {[4] = 0x4a, 0x01}, CUT},
	{"MEDIUM TYPE", 0, 4, {[1] = 1}, FIELD(1, LF_NO_BIT)},
	{"MEDIUM TYPE (10)", 1, 8, {[2] = 1}, FIELD(2, LF_NO_BIT)},
	{"a reserved bit of the header", 1, 8, {[4] = 2}, FIELD(4, 1)},
	{"a block descriptor of no length there is", 0, 16, {[3] = 12}, FIELD(3, LF_NO_BIT)},
	{"a long descriptor without LONGLBA", 1, 24, {[7] = 16}, FIELD(6, LF_NO_BIT)},
	{"a short descriptor with LONGLBA", 1, 24, {[4] = 1, [7] = 8}, FIELD(6, LF_NO_BIT)},
	{"another number of blocks", 0, 12, {[3] = 8, [6] = 1}, FIELD(4, LF_NO_BIT)},
	{"another block length", 0, 12, {[3] = 8, [10] = 0x10}, FIELD(9, LF_NO_BIT)},
	{"a density", 0, 12, {[3] = 8, [8] = 1}, FIELD(8, LF_NO_BIT)},
	{"another number of blocks, long", 1, 24, {[4] = 1, [7] = 16, [15] = 9}, FIELD(8, LF_NO_BIT)},
	{"another block length, long", 1, 24, {[4] = 1, [7] = 16, [20] = 9}, FIELD(20, LF_NO_BIT)},
	{"reserved bytes of a long one", 1, 24, {[4] = 1, [7] = 16, [19] = 9}, FIELD(16, LF_NO_BIT)},
	{"a page that is not there", 0, 6, {[4] = 0x02, 0x00}, FIELD(4, 5)},
	{"a subpage that is not there", 0, 8, {[4] = 0x4a, 0x01}, FIELD(4, 5)},
	{"a page in the form of a subpage", 0, 8, {[4] = 0x4a, 0x00}, FIELD(4, 5)},
	{"another page length", 0, 16, {[4] = 0x0a, 0x09}, FIELD(5, LF_NO_BIT)},
	{"a bit that is fixed", 0, 16, {[4] = 0x0a, 0x0a, 0x03, 0x10, [12] = 0xff, 0xff}, FIELD(6, 0)},
	{"a bit that is fixed, cleared", 0, 16, {[4] = 0x0a, 0x0a, 0x02, 0x10, [13] = 0xff}, FIELD(12, 7)},
	{"MRIE 7", 0, 16, {[4] = 0x1c, 0x0a, 0x08, 0x07}, FIELD(7, 3)},
};

/* Each after a page that alone would be taken, too: nothing of the list takes effect. */
static void check_refusal(struct stage *stage, const struct refusal *refusal)
{
	uint8_t list[128];
	uint32_t length = refusal->length, header = refusal->ten ? 8 : 4, shift = 0;

	memcpy(list, refusal->list, sizeof(refusal->list));
	if (length > header && list[refusal->ten ? 7 : 3] == 0) {
		shift = sizeof(control_d_sense);
		memmove(list + header + shift, list + header, length - header);
		memcpy(list + header, control_d_sense, shift);
	}
	memcpy(stage->data, list, length + shift);
	length += shift;
	uint32_t sense = refusal->ten
				 ? RUN_OUT(stage, length, 0x55, 0x10, 0, 0, 0, 0, 0, 0, (uint8_t)length, 0)
				 : RUN_OUT(stage, length, 0x15, 0x10, 0, 0, (uint8_t)length, 0);
	const uint8_t *bytes = stage->command.request.sense;
	CHECK_EQ(sense, refusal->sense);
	if (refusal->byte != NO_POINTER) {
		CHECK_EQ(bytes[15], 0x80 | (refusal->bit == LF_NO_BIT ? 0 : 0x08 | refusal->bit));
		CHECK_EQ(lf_get_be16(bytes + 16), refusal->byte + shift);
	}
	CHECK_EQ(page_byte(stage, 0x0a, 2), 0x02);
}

TEST(a_list_with_anything_wrong_changes_nothing)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		for (uint32_t i = 0; i < lf_count_of(refusals); i++) {
			check_refusal(stage, &refusals[i]);
		}
		memset(stage->data, 0, 4);
		memcpy(stage->data + 4, control_d_sense, 12);
		CHECK_EQ(RUN_OUT(stage, 16, 0x15, 0x00, 0, 0, 16, 0), LF_SENSE(5, 0x24, 0)); /* PF */
		CHECK_EQ(stage->command.request.sense[15], 0xcc);
		CHECK_EQ(lf_get_be16(stage->command.request.sense + 16), 1);
		CHECK_EQ(RUN_OUT(stage, 16, 0x15, 0x11, 0, 0, 16, 0), LF_SENSE(5, 0x39, 0)); /* SP */
		CHECK_EQ(page_byte(stage, 0x0a, 2), 0x02);
		stage_close(stage);
	}
}

TEST(without_the_write_cache_every_write_is_stable)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		CHECK_EQ(write_block(stage), 0);
		CHECK_EQ(stage->store.ops[0].fua, false);
		stage_forget_ops(stage);
		CHECK_EQ(SELECT(stage, caching_off), 0);
		CHECK_EQ(stage->store.op_count, 1); /* what was acknowledged before becomes stable, too */
		CHECK_EQ(stage->store.ops[0].op, LF_OP_FLUSH);
		CHECK_EQ(SELECT(stage, caching_off), 0);
		CHECK_EQ(stage->store.op_count, 1);
		CHECK_EQ(write_block(stage), 0);
		CHECK_EQ(stage->store.ops[1].op, LF_OP_WRITE);
		CHECK_EQ(stage->store.ops[1].fua, true);
		memset(stage->data, 0, 512);
		CHECK_EQ(RUN_OUT(stage, 512, 0x41, 0, 0, 0, 0, 0, 0, 0, 8, 0), 0);
		CHECK_EQ(stage->store.ops[3].op, LF_OP_FLUSH); /* one for all of its steps */
		stage_forget_ops(stage);
		CHECK_EQ(SELECT(stage, caching_on), 0);
		CHECK_EQ(write_block(stage), 0);
		CHECK_EQ(stage->store.op_count, 1);
		CHECK_EQ(stage->store.ops[0].fua, false);
		stage_close(stage);
	}
}

TEST(the_write_cache_stays_on_when_it_cannot_be_flushed)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		stage_fail(stage, 1, LF_E_IO);
		CHECK_EQ(SELECT(stage, caching_off), LF_SENSE(3, 0x0c, 0));
		CHECK_EQ(page_byte(stage, 0x08, 2), 0x04);
		stage_close(stage);
	}
}

TEST(turning_the_cache_off_waits_for_the_writes_that_run)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_DEFERRED);
	struct lf_loop_edge_command write = {.nexus = stage->nexus,
		.cdb = {0x2a, [8] = 1},
		.cdb_length = 10,
		.direction = LF_DIRECTION_OUT,
		.segments = &(struct lf_segment){stage->data + 4096, 512},
		.segment_count = 1};
	memset(stage->data + 4096, 1, 512);
	lf_loop_edge_start(&stage->edge, &write);
	while (write.request.task == NULL || !write.request.task->submitted)
		CHECK(lf_loop_edge_pump(&stage->edge));
	/* The write is on its way to the store; a command of another connection comes. */
	struct lf_loop_edge quick;
	lf_loop_edge_init(&quick, LF_LOOP_EDGE_INLINE);
	quick.next_tag = 1000;
	memset(stage->data, 0, 4);
	memcpy(stage->data + 4, caching_off, sizeof(caching_off));
	struct lf_loop_edge_command select = {.nexus = stage->nexus,
		.cdb = {0x15, 0x10, [4] = 24},
		.cdb_length = 6,
		.direction = LF_DIRECTION_OUT,
		.segments = &(struct lf_segment){stage->data, 24},
		.segment_count = 1};
	lf_loop_edge_start(&quick, &select);
	CHECK(stage->edge.operations.next == stage->edge.operations.previous); /* no flush beside it */
	CHECK_EQ(stage->lu->write_cache, 1);
	while (!select.ended)
		CHECK(lf_loop_edge_pump(&stage->edge));
	CHECK_EQ(write.ended, 1);
	CHECK_EQ(select.request.status, LF_STATUS_GOOD);
	CHECK_EQ(stage->store.ops[0].op, LF_OP_WRITE);
	CHECK_EQ(stage->store.ops[1].op, LF_OP_FLUSH);
	lf_loop_edge_fini(&quick);
	stage_close(stage);
}

TEST(a_disk_may_come_with_its_cache_off)
{
	struct lf_lu unit = {.type = LF_LU_DISK};
	lf_lock_init(&unit.lock);
	lf_modes_init(&unit, true);
	CHECK_EQ(unit.write_cache, 0);
	lf_modes_init(&unit, false);
	CHECK_EQ(unit.write_cache, 1);
	lf_lock_fini(&unit.lock);
}

TEST(software_write_protection)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		CHECK_EQ(SELECT(stage, control_swp), 0);
		CHECK_EQ(write_block(stage), LF_SENSE(7, 0x27, 2));
		CHECK_EQ(stage->command.request.data_wanted, 0);
		CHECK_EQ(RUN_IN(stage, 512, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0), 0);
		CHECK_EQ(RUN(stage, 0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0);
		CHECK_EQ(RUN_IN(stage, 64, 0x1a, 8, 0x0a, 0, 64, 0), 0);
		CHECK_EQ(stage->data[2], 0x90); /* WP, DPOFUA */
		CHECK_EQ(stage->data[8], 0x08);
		CHECK_EQ(SELECT(stage, control), 0);
		CHECK_EQ(write_block(stage), 0);
		stage_close(stage);
	}
}

TEST(a_write_whose_data_comes_after_the_protection_writes_nothing)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_DEFERRED);
	struct lf_loop_edge_command write = {.nexus = stage->nexus,
		.cdb = {0x2a, [8] = 1},
		.cdb_length = 10,
		.direction = LF_DIRECTION_OUT,
		.segments = &(struct lf_segment){stage->data + 4096, 512},
		.segment_count = 1};
	memset(stage->data + 4096, 1, 512);
	lf_loop_edge_start(&stage->edge, &write);
	while (!write.begun)
		CHECK(lf_loop_edge_pump(&stage->edge));
	/* A command of another connection passes it while its data is on the way. */
	struct lf_loop_edge quick;
	lf_loop_edge_init(&quick, LF_LOOP_EDGE_INLINE);
	quick.next_tag = 1000;
	memset(stage->data, 0, 4);
	memcpy(stage->data + 4, control_swp, sizeof(control_swp));
	struct lf_loop_edge_command protect = {.nexus = stage->nexus,
		.cdb = {0x15, 0x10, [4] = 16},
		.cdb_length = 6,
		.direction = LF_DIRECTION_OUT,
		.segments = &(struct lf_segment){stage->data, 16},
		.segment_count = 1};
	lf_loop_edge_execute(&quick, &protect);
	CHECK_EQ(protect.request.status, LF_STATUS_GOOD);
	lf_loop_edge_fini(&quick);
	while (!write.ended)
		CHECK(lf_loop_edge_pump(&stage->edge));
	CHECK_EQ(lf_sense_read(&write.request), LF_SENSE(7, 0x27, 2));
	CHECK_EQ(stage->store.op_count, 0);
	stage_close(stage);
}

TEST(the_test_exception_is_told_once_by_each_method)
{
	static const struct {
		uint32_t by_read, by_request_sense, by_test_unit_ready;
	} told[] = {
		[2] = {.by_read = LF_SENSE(6, 0x5d, 0xff)},
		[4] = {.by_test_unit_ready = LF_SENSE(1, 0x5d, 0xff)},
		[5] = {.by_test_unit_ready = LF_SENSE(0, 0x5d, 0xff)},
		[6] = {.by_request_sense = 0x5dff},
	};
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	for (uint8_t method = 0; method < lf_count_of(told); method++) {
		uint8_t page[12] = {0x1c, 0x0a, 0x04, method};
		CHECK_EQ(SELECT(stage, page), 0);
		CHECK_EQ(RUN_IN(stage, 512, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0), told[method].by_read);
		CHECK_EQ(RUN_IN(stage, 18, 0x03, 0, 0, 0, 18, 0), 0);
		CHECK_EQ(lf_get_be16(stage->data + 12), told[method].by_request_sense);
		CHECK_EQ(test_unit_ready(stage), told[method].by_test_unit_ready);
		CHECK_EQ(test_unit_ready(stage), 0);
	}
	uint8_t disabled[12] = {0x1c, 0x0a, 0x0c, 0x02};
	CHECK_EQ(SELECT(stage, disabled), 0); /* DEXCPT */
	CHECK_EQ(test_unit_ready(stage), 0);
	stage_close(stage);
}

TEST(a_test_unit_attention_reaches_everybody)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	struct lf_nexus *other = open_other(stage), *own = stage->nexus;
	uint8_t page[12] = {0x1c, 0x0a, 0x04, 0x02};
	CHECK_EQ(SELECT(stage, page), 0);
	CHECK_EQ(test_unit_ready(stage), LF_SENSE(6, 0x5d, 0xff));
	act_as(stage, other);
	CHECK_EQ(test_unit_ready(stage), LF_SENSE(6, 0x2a, 1));
	CHECK_EQ(test_unit_ready(stage), LF_SENSE(6, 0x5d, 0xff));
	act_as(stage, own);
	lf_nexus_close(other);
	stage_close(stage);
}

static void reset_done(struct lf_tmf *tmf)
{
	(void)tmf;
}

TEST(a_reset_brings_the_defaults_back)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	struct lf_tmf reset = {.nexus = stage->nexus, .function = LF_TMF_LUN_RESET, .done = reset_done};
	CHECK_EQ(SELECT(stage, control_swp), 0);
	CHECK_EQ(SELECT(stage, caching_off), 0);
	lf_tmf_submit(&reset);
	CHECK_EQ(test_unit_ready(stage), LF_SENSE(6, 0x29, 3));
	CHECK_EQ(page_byte(stage, 0x0a, 4), 0);
	CHECK_EQ(page_byte(stage, 0x08, 2), 4);
	CHECK_EQ(write_block(stage), 0);
	stage_close(stage);
}

/* ---- SP ---- */

static uint32_t save_page(struct stage *stage, const uint8_t *page, uint32_t length)
{
	memset(stage->data, 0, 4);
	memcpy(stage->data + 4, page, length);
	return RUN_OUT(stage, 4 + length, 0x15, 0x11, 0, 0, (uint8_t)(4 + length), 0);
}

static uint32_t blob_of(struct stage *stage, uint8_t *blob)
{
	return lf_saved_build(stage->lu, stage->lu->reservations->now, blob);
}

TEST(saved_pages_outlive_a_reset_and_a_loss_of_power)
{
	static uint8_t blob[LF_SAVED_BYTES];
	static const uint8_t test_exception[12] = {0x1c, 0x0a, 0x04, 0x06};
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		struct lf_tmf reset = {
			.nexus = stage->nexus, .function = LF_TMF_LUN_RESET, .done = reset_done};
		stage->lu->can_save = true;
		CHECK_EQ(blob_of(stage, blob), 8);         /* nothing was saved yet */
		CHECK_EQ(page_byte(stage, 0x0a, 0), 0x8a); /* PS */
		CHECK_EQ(page_byte(stage, 0x01, 0), 0x01);
		CHECK_EQ(page_byte(stage, 0xca, 4), 0x00);
		stage_forget_ops(stage);
		CHECK_EQ(save_page(stage, control_swp, 12), 0);
		CHECK_EQ(stage->store.op_count, 1);
		CHECK_EQ(stage->store.ops[0].op, LF_OP_SAVE);
		CHECK_EQ(page_byte(stage, 0xca, 4), 0x08);
		CHECK_EQ(page_byte(stage, 0x8a, 4), 0x00);
		CHECK_EQ(stage->store.ops[0].length, blob_of(stage, blob));
		CHECK_EQ(save_page(stage, test_exception, 12), 0);
		CHECK_EQ(page_byte(stage, 0x1c, 2), 0x04);
		CHECK_EQ(page_byte(stage, 0xdc, 2), 0x00); /* TEST is never saved */
		CHECK_EQ(page_byte(stage, 0xdc, 3), 0x06);
		CHECK_EQ(SELECT(stage, control), 0);
		CHECK_EQ(page_byte(stage, 0x0a, 4), 0x00);
		lf_tmf_submit(&reset);
		CHECK_EQ(test_unit_ready(stage), LF_SENSE(6, 0x29, 3));
		CHECK_EQ(page_byte(stage, 0x0a, 4), 0x08);
		CHECK_EQ(write_block(stage), LF_SENSE(7, 0x27, 2));
		uint32_t length = blob_of(stage, blob);
		stage_close(stage);

		stage = stage_open(mode);
		CHECK(lf_saved_read(stage->lu, blob, length));
		CHECK_EQ(write_block(stage), LF_SENSE(7, 0x27, 2));
		CHECK_EQ(page_byte(stage, 0x1c, 3), 0x06);
		stage_close(stage);
	}
}

TEST(pages_that_could_not_be_saved_do_not_change)
{
	static uint8_t blob[LF_SAVED_BYTES];
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		stage->lu->can_save = true;
		stage_fail(stage, 1, LF_E_IO);
		CHECK_EQ(save_page(stage, control_swp, 12), LF_SENSE(3, 0x0c, 0));
		CHECK_EQ(page_byte(stage, 0x0a, 4), 0x00);
		CHECK_EQ(page_byte(stage, 0xca, 4), 0x00);
		CHECK_EQ(blob_of(stage, blob), 8);
		CHECK_EQ(stage->lu->scratch_free_count, LF_SCRATCH_COUNT);
		stage_close(stage);
	}
}

TEST(what_was_saved_and_damaged_is_taken_whole_or_not_at_all)
{
	static uint8_t blob[LF_SAVED_BYTES], bad[LF_SAVED_BYTES];
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	stage->lu->can_save = true;
	CHECK_EQ(save_page(stage, control_swp, 12), 0);
	uint32_t length = blob_of(stage, blob);
	stage_close(stage);
	stage = stage_open(LF_LOOP_EDGE_INLINE);
	for (uint32_t cut = 9; cut < length; cut++) {
		uint8_t *exact = malloc(cut);
		CHECK(exact != NULL);
		memcpy(exact, blob, cut);
		CHECK(!lf_saved_read(stage->lu, exact, cut));
		/* The section shortened with it: at the end of a record it is whole. */
		if (cut >= 12) {
			lf_put_be16(exact + 10, (uint16_t)(cut - 12));
			lf_saved_read(stage->lu, exact, cut);
		}
		free(exact);
	}
	for (uint32_t at = 12; at < length; at++) {
		memcpy(bad, blob, length);
		bad[at] ^= 0xff;
		lf_saved_read(stage->lu, bad, length);
		CHECK((page_byte(stage, 0x0a, 2) & ~0x04) == 0x02); /* what is fixed stays */
		CHECK(page_byte(stage, 0x1c, 3) <= 6);
	}
	stage_close(stage);
}
