/* SPDX-License-Identifier: BSD-2-Clause */
/* test_log.c: LOG SENSE: every page, its parameters from a pointer on, its refusals; SEND DIAGNOSTIC. */
#include "tests/test.h"
#include "tests/unit/disk_stage.h"

/* LOG SENSE with room for 255 bytes. */
static uint32_t sense_from(struct stage *stage, uint8_t page, uint8_t subpage, uint16_t pointer)
{
	return RUN_IN(
		stage, 255, 0x4d, 0, page, subpage, 0, (uint8_t)(pointer >> 8), (uint8_t)pointer, 0, 255, 0);
}

static uint32_t log_sense(struct stage *stage, uint8_t page)
{
	return sense_from(stage, page, 0, 0);
}

TEST(every_page_that_is_listed_is_there)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	uint8_t codes[64];
	CHECK_EQ(log_sense(stage, 0x40), 0);
	uint32_t count = lf_get_be16(stage->data + 2);
	CHECK_EQ(stage->command.request.data_moved, 4 + count);
	memcpy(codes, stage->data + 4, count);
	CHECK_EQ(codes[0], 0);
	for (uint32_t i = 1; i < count; i++) {
		CHECK(codes[i] > codes[i - 1]);
		CHECK_EQ(log_sense(stage, codes[i] | 0x40), 0);
		CHECK_EQ(stage->data[0], codes[i]);
		CHECK_EQ(stage->data[1], 0);
		uint32_t length = lf_get_be16(stage->data + 2), at = 0;
		CHECK_EQ(stage->command.request.data_moved, 4 + length);
		while (at < length)
			at += 4u + stage->data[4 + at + 3];
		CHECK_EQ(at, length);
	}
	CHECK_EQ(sense_from(stage, 0x40, 0xff, 0), 0);
	CHECK_EQ(stage->data[0], 0x40);
	CHECK_EQ(stage->data[1], 0xff);
	CHECK_EQ(lf_get_be16(stage->data + 2), 2 * count + 2);
	CHECK(memcmp(stage->data + 4, "\x00\x00\x00\xff", 4) == 0);
	CHECK_EQ(stage->data[8], codes[1]);
	CHECK_EQ(RUN_IN(stage, 255, 0x4d, 0, 0, 0, 0, 0, 0, 0, 5, 0), 0);
	CHECK_EQ(stage->command.request.data_moved, 5);
	stage_close(stage);
}

TEST(what_happened_is_in_the_statistics)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	const uint8_t *data = stage->data;
	memset(stage->data, 0, 4096);
	CHECK_EQ(RUN_OUT(stage, 4096, 0x2a, 0, 0, 0, 0, 0, 0, 0, 8, 0), 0);
	CHECK_EQ(RUN_IN(stage, 512, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0), 0);
	CHECK_EQ(RUN_IN(stage, 1024, 0x28, 0, 0, 0, 0, 0, 0, 0, 2, 0), 0);
	CHECK_EQ(log_sense(stage, 0x59), 0);
	CHECK(memcmp(data + 4, "\x00\x01\x02\x40", 4) == 0);
	CHECK_EQ(lf_get_be64(data + 8), 2);
	CHECK_EQ(lf_get_be64(data + 16), 1);
	CHECK_EQ(lf_get_be64(data + 24), 8); /* received */
	CHECK_EQ(lf_get_be64(data + 32), 3); /* transmitted */
	CHECK(memcmp(data + 72, "\x00\x03\x03\x08\x00\x00\x00\x06\x00\x00\x00\x01", 12) == 0);
	CHECK_EQ(log_sense(stage, 0xd9), 0); /* default: as if nothing had happened */
	CHECK_EQ(lf_get_be64(data + 8), 0);
	CHECK_EQ(lf_get_be32(data + 76), 6);
	CHECK_EQ(sense_from(stage, 0x59, 0, 2), 0);
	CHECK_EQ(lf_get_be16(data + 2), 12);
	CHECK_EQ(lf_get_be16(data + 4), 3);
	stage_close(stage);
}

static uint64_t logged_reads(struct stage *stage)
{
	return log_sense(stage, 0x59) == 0 ? lf_get_be64(stage->data + 8) : UINT64_MAX;
}

/* LOG SELECT without a parameter list. */
static uint32_t log_select(struct stage *stage, uint8_t byte_1, uint8_t page, uint8_t subpage)
{
	return RUN(stage, 0x4c, byte_1, page, subpage, 0, 0, 0, 0, 0, 0);
}

TEST(log_select_resets_what_counts_and_tells_the_others)
{
	static const struct {
		uint8_t byte_1, page, subpage;
		bool resets;
	} forms[] = {
		{2, 0x19, 0, true},     /* PCR */
		{2, 0x00, 0, true},     /* of all pages */
		{2, 0x59, 0xff, true},  /* whatever PC is; all subpages */
		{2, 0x00, 0xff, true},  /* all of all */
		{0, 0xd9, 0, true},     /* default cumulative values */
		{0, 0x59, 0, false},    /* cumulative ones: none come */
		{0, 0x19, 0, false},    /* thresholds: there are none */
		{2, 0x0d, 0, false},    /* no counters in that page */
		{2, 0x0c, 0xff, false}, /* nor there */
	};
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	struct lf_nexus *first = stage->nexus, *second = lf_nexus_open(stage->adapter,
						       &(struct lf_nexus_options){.port = &stage_port});
	struct lf_lu_counters counters;

	stage->nexus = second;
	CHECK_EQ(RUN(stage, 0, 0, 0, 0, 0, 0), LF_SENSE(6, 0x29, 0));
	for (uint32_t i = 0; i < lf_count_of(forms); i++) {
		stage->nexus = first;
		CHECK_EQ(RUN_IN(stage, 1024, 0x28, 0, 0, 0, 0, 0, 0, 0, 2, 0), 0);
		uint64_t before = logged_reads(stage);
		CHECK(before > 0);
		CHECK_EQ(log_select(stage, forms[i].byte_1, forms[i].page, forms[i].subpage), 0);
		CHECK_EQ(logged_reads(stage), forms[i].resets ? 0 : before);
		CHECK_EQ(lf_get_be64(stage->data + 32), 2 * logged_reads(stage));
		stage->nexus = second;
		CHECK_EQ(RUN(stage, 0, 0, 0, 0, 0, 0), forms[i].resets ? LF_SENSE(6, 0x2a, 2) : 0);
	}
	stage->nexus = first;
	lf_lu_count(stage->lu, &counters); /* the operator's */
	CHECK_EQ(counters.reads.count, lf_count_of(forms));
	lf_nexus_close(second);
	stage_close(stage);
}

TEST(log_select_takes_no_values)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	const uint32_t invalid = LF_SENSE(5, 0x24, 0);
	CHECK_EQ(RUN_IN(stage, 512, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0), 0);
	CHECK_EQ(RUN_OUT(stage, 16, 0x4c, 0, 0x59, 0, 0, 0, 0, 0, 16, 0), invalid);
	CHECK_EQ(lf_get_be16(stage->command.request.sense + 16), 8); /* PARAMETER LIST LENGTH */
	CHECK_EQ(RUN_OUT(stage, 16, 0x4c, 2, 0x59, 0, 0, 0, 0, 0, 16, 0), invalid);
	CHECK_EQ(log_select(stage, 3, 0x19, 0), invalid); /* SP */
	CHECK_EQ(log_select(stage, 2, 0x3e, 0), invalid); /* no such page */
	CHECK_EQ(log_select(stage, 2, 0x19, 1), invalid); /* nor subpage */
	CHECK_EQ(logged_reads(stage), 1);
	stage_close(stage);
}

TEST(a_virtual_disk_has_no_temperature_and_no_scan)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(log_sense(stage, 0x4d), 0);
	CHECK(memcmp(stage->data + 4, "\x00\x00\x03\x02\x00\xff", 6) == 0);
	stage->lu->since_ns -= 61ull * 60 * 1000 * 1000 * 1000;
	CHECK_EQ(log_sense(stage, 0x55), 0);
	CHECK(memcmp(stage->data + 4, "\x00\x00\x03\x0c\x00\x00\x00\x3d\x00\x00\x00\x00\x00\x00\x00\x00",
		      16) == 0);
	stage_close(stage);
}

/* Two parameters of 12 bytes: blocks that there is room for, shared; blocks that take some. */
static void check_room(struct stage *stage, uint32_t available, uint32_t used)
{
	CHECK_EQ(log_sense(stage, 0x4c), 0);
	CHECK(memcmp(stage->data, "\x0c\x00\x00\x18\x00\x01\x03\x08", 8) == 0);
	CHECK_EQ(lf_get_be32(stage->data + 8), available);
	CHECK(memcmp(stage->data + 12, "\x02\x00\x00\x00\x00\x02\x03\x08", 8) == 0);
	CHECK_EQ(lf_get_be32(stage->data + 20), used);
	CHECK(memcmp(stage->data + 24, "\x01\x00\x00\x00", 4) == 0);
}

TEST(a_thin_disk_tells_what_room_it_takes_and_what_there_is)
{
	BOTH_MODES(mode)
	{
		struct lf_store_info info = stage_info();
		info.block_count = 1ull << 33;
		struct stage *stage = stage_open_with(mode, &info, false);
		stage->store.used = 3 * 512 + 1; /* a part of a block is one that is taken */
		stage->store.available = 10 * 512 + 511;
		check_room(stage, 10, 4);
		stage->store.available = 0;
		check_room(stage, 0, 4);
		/* There may be room for more than the disk can take, and more than the field can say. */
		stage->store.available = UINT64_MAX;
		stage->store.used = info.block_count * 512 - 7 * 512;
		check_room(stage, 7, UINT32_MAX);
		stage->store.used = UINT64_MAX; /* with what the file system adds */
		check_room(stage, 0, UINT32_MAX);
		CHECK_EQ(sense_from(stage, 0x4c, 0, 2), 0);
		CHECK_EQ(lf_get_be16(stage->data + 2), 12);
		CHECK_EQ(stage->data[5], 2);
		CHECK_EQ(sense_from(stage, 0x4c, 0, 3), LF_SENSE(5, 0x24, 0));
		CHECK_EQ(sense_from(stage, 0x4c, 1, 0), LF_SENSE(5, 0x24, 0));
		stage_fail(stage, 1, LF_E_IO);
		CHECK_EQ(log_sense(stage, 0x4c), LF_SENSE(3, 0x11, 0));
		stage_close(stage);
	}
}

TEST(what_no_store_tells_is_in_no_page)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct lf_store_info info = stage_info();
		info.can_unmap = info.unmap_reads_zero = i == 0;
		info.tells_usage = i == 1;
		struct stage *stage = stage_open_with(LF_LOOP_EDGE_INLINE, &info, false);
		CHECK_EQ(log_sense(stage, 0x4c), LF_SENSE(5, 0x24, 0));
		CHECK_EQ(log_sense(stage, 0x40), 0);
		CHECK(memchr(stage->data + 4, 0x0c, lf_get_be16(stage->data + 2)) == NULL);
		stage_close(stage);
	}
}

TEST(an_exception_is_logged_until_it_was_told)
{
	static const uint8_t list[16] = {[4] = 0x1c, 0x0a, 0x04, 0x06};
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(log_sense(stage, 0x6f), 0);
	CHECK(memcmp(stage->data + 4, "\x00\x00\x03\x04\x00\x00\xff", 7) == 0);
	memcpy(stage->data, list, sizeof(list));
	CHECK_EQ(RUN_OUT(stage, 16, 0x15, 0x10, 0, 0, 16, 0), 0);
	CHECK_EQ(log_sense(stage, 0x6f), 0);
	CHECK(memcmp(stage->data + 8, "\x5d\xff", 2) == 0);
	CHECK_EQ(RUN_IN(stage, 18, 0x03, 0, 0, 0, 18, 0), 0);
	CHECK_EQ(log_sense(stage, 0x6f), 0);
	CHECK(memcmp(stage->data + 8, "\x00\x00", 2) == 0);
	stage_close(stage);
}

static const struct refusal {
	uint8_t cdb[10], byte;
	uint8_t bit;
} refusals[] = {
	{{0x4d, 0, 0x7f, [8] = 255}, 2, 5},                  /* a page that is not there */
	{{0x4d, 0, 0x59, 1, [8] = 255}, 3, LF_NO_BIT},       /* a subpage */
	{{0x4d, 0, 0x59, 0xff, [8] = 255}, 3, LF_NO_BIT},    /* all subpages of a page */
	{{0x4d, 0, 0x19, [8] = 255}, 2, 7},                  /* thresholds */
	{{0x4d, 0, 0x99, [8] = 255}, 2, 7},                  /* default thresholds */
	{{0x4d, 0, 0x59, [6] = 4, [8] = 255}, 5, LF_NO_BIT}, /* a pointer past the last parameter */
	{{0x4d, 0, 0x40, [6] = 1, [8] = 255}, 5, LF_NO_BIT}, /* a pointer where there is no parameter */
	{{0x4d, 1, 0x40, [8] = 255}, 1, 0},                  /* SP */
	{{0x4d, 2, 0x40, [8] = 255}, 1, 1},                  /* PPC */
};

TEST(what_log_sense_refuses)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	for (uint32_t i = 0; i < lf_count_of(refusals); i++) {
		const struct refusal *refusal = &refusals[i];
		const uint8_t *sense = stage->command.request.sense;
		CHECK_EQ(stage_run(stage, 0, refusal->cdb, 10, LF_DIRECTION_IN, 255), LF_SENSE(5, 0x24, 0));
		CHECK_EQ(sense[15], 0xc0 | (refusal->bit == LF_NO_BIT ? 0 : 0x08 | refusal->bit));
		CHECK_EQ(lf_get_be16(sense + 16), refusal->byte);
	}
	stage_close(stage);
}

TEST(only_the_default_self_test_is_there)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(RUN(stage, 0x1d, 0x04, 0, 0, 0, 0), 0);
	CHECK_EQ(RUN(stage, 0x1d, 0x00, 0, 0, 0, 0), LF_SENSE(5, 0x24, 0));
	CHECK_EQ(RUN(stage, 0x1d, 0x20, 0, 0, 0, 0), LF_SENSE(5, 0x24, 0)); /* SELF-TEST CODE */
	CHECK_EQ(RUN(stage, 0x1d, 0x04, 0, 0, 8, 0), LF_SENSE(5, 0x24, 0)); /* a parameter list */
	stage_close(stage);
}
