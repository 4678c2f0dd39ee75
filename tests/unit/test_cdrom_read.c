/* SPDX-License-Identifier: BSD-2-Clause */
/* test_cdrom_read.c: READ (10) and (12), READ CD and READ CD MSF: every choice of bytes, every edge of the
 * disc.
 */
#include "tests/unit/cdrom_stage.h"

#define BOTH_MODES(mode) for (uint32_t mode = LF_LOOP_EDGE_INLINE; mode <= LF_LOOP_EDGE_DEFERRED; mode++)
#define MOVED(stage)     ((stage)->command.request.data_moved)

/* What the image has at a byte of a sector. */
static uint8_t content(uint32_t lba, uint32_t at)
{
	return (uint8_t)(lba * 7 + at * 13 + (at >> 8));
}

static struct stage *stage_written(enum lf_loop_edge_mode mode)
{
	struct stage *stage = stage_cdrom_in(mode, CD_SECTORS);

	for (uint32_t lba = 0; lba < 100; lba++) {
		struct kept_block *block = kept_find(&stage->store, lba);
		block->number = lba + 1;
		for (uint32_t at = 0; at < 2048; at++)
			block->bytes[at] = content(lba, at);
	}
	return stage;
}

static void check_user(const uint8_t *data, uint32_t lba)
{
	for (uint32_t at = 0; at < 2048; at++)
		CHECK_EQ(data[at], content(lba, at));
}

TEST(reads_of_blocks)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_written(mode);
		CHECK_EQ(RUN_IN(stage, 4096, 0x28, 0x18, 0, 0, 0, 7, 0, 0, 2, 0), 0);
		CHECK_EQ(MOVED(stage), 4096);
		check_user(stage->data, 7);
		check_user(stage->data + 2048, 8);
		CHECK_EQ(RUN_IN(stage, 4096, 0xa8, 0, 0, 0, 0, 9, 0, 0, 0, 2, 0x80, 0), 0); /* streaming */
		check_user(stage->data + 2048, 10);
		CHECK_EQ(RUN_IN(stage, 3000, 0x28, 0, 0, 0, 0, 7, 0, 0, 2, 0), 0); /* room for one */
		CHECK_EQ(MOVED(stage), 2048);
		CHECK_EQ(RUN_IN(stage, 0, 0x28, 0, 0, 0, 0, 7, 0, 0, 0, 0), 0);
		CHECK_EQ(stage->store.op_count, 3);
		stage_close(stage);
	}
}

static void check_range(struct stage *stage, uint32_t sense, uint32_t information)
{
	CHECK_EQ(sense, OUT_OF_RANGE);
	CHECK_EQ(stage->command.request.sense[0], 0xf0);
	CHECK_EQ(lf_get_be32(stage->command.request.sense + 3), information);
}

TEST(reads_past_the_end)
{
	struct stage *stage = stage_written(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(RUN_IN(stage, 2048, 0x28, 0, 0, 0, 0x13, 0x87, 0, 0, 1, 0), 0);
	check_range(stage, RUN_IN(stage, 4096, 0x28, 0, 0, 0, 0x13, 0x87, 0, 0, 2, 0), 0x1388);
	check_range(stage, RUN_IN(stage, 2048, 0x28, 0, 0xff, 0xff, 0xff, 0xf0, 0, 0, 1, 0), 0xfffffff0);
	check_range(stage, RUN_IN(stage, 2048, 0x28, 0, 0x00, 0xff, 0xff, 0xf0, 0, 0, 1, 0), 0xfffff0);
	check_range(stage, RUN_IN(stage, 2048, 0xa8, 0, 0, 0, 0x13, 0x88, 0, 0, 0, 1, 0, 0), 0x1388);
	check_range(stage, RUN(stage, 0x2b, 0, 0, 0, 0x13, 0x88, 0, 0, 0, 0), 0x1388);
	CHECK_EQ(RUN(stage, 0x2b, 0, 0, 0, 0x13, 0x87, 0, 0, 0, 0), 0);
	CHECK_EQ(RUN(stage, 0x2f, 0, 0, 0, 0x13, 0x80, 0, 0, 8, 0), 0);
	check_range(stage, RUN(stage, 0x2f, 0, 0, 0, 0x13, 0x80, 0, 0, 9, 0), 0x1388);
	CHECK_EQ(RUN(stage, 0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0);
	CHECK_EQ(RUN_IN(stage, 4096, 0xa8, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x01, 0, 0), INVALID_FIELD);
	stage_close(stage);
}

TEST(a_read_that_fails_names_its_sector)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_written(mode);
		stage_fail(stage, 1, LF_E_IO);
		CHECK_EQ(RUN_IN(stage, 2048, 0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0), LF_SENSE(3, 0x11, 0));
		CHECK_EQ(lf_get_be32(stage->command.request.sense + 3), 7);
		stage_fail(stage, 1, LF_E_IO); /* 00:02:09 is LBA 9 */
		CHECK_EQ(
			RUN_IN(stage, 2048, 0xb9, 0, 0, 0, 2, 9, 0, 2, 10, 0x10, 0, 0), LF_SENSE(3, 0x11, 0));
		CHECK_EQ(lf_get_be32(stage->command.request.sense + 3), 9);
		stage_fail(stage, 2, LF_E_IO);
		CHECK_EQ(RUN_IN(stage, 40 * 2352, 0xbe, 0, 0, 0, 0, 2, 0, 0, 40, 0xf8, 0, 0),
			LF_SENSE(3, 0x11, 0));
		CHECK_EQ(lf_get_be32(stage->command.request.sense + 3), 32); /* 30 are read at once */
		stage_fail(stage, 1, LF_E_IO); /* one of the pregap, then LBA 0 */
		CHECK_EQ(RUN_IN(stage, 2 * 2352, 0xbe, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0xf8, 0, 0),
			LF_SENSE(3, 0x11, 0));
		CHECK_EQ(stage->command.request.sense[0], 0xf0); /* VALID */
		CHECK_EQ(lf_get_be32(stage->command.request.sense + 3), 0);
		stage_close(stage);
	}
}

/* ---- READ CD: every selection, by the table of MMC-6 for Mode 1 ---- */

#define ILLEGAL 0xffff

static const uint16_t selections[32] = {
	/* byte 9 from bit 3 up: EDC, user, header, subheader, sync */
	0, ILLEGAL, 2048, 2336, 4, ILLEGAL, 2052, 2340,               /* 00 08 .. 38 */
	0, ILLEGAL, 2048, 2336, 4, ILLEGAL, 2052, 2340,               /* 40 .. 78 */
	12, ILLEGAL, ILLEGAL, ILLEGAL, 16, ILLEGAL, 2064, 2352,       /* 80 .. b8 */
	ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, 16, ILLEGAL, 2064, 2352}; /* c0 .. f8 */

static void check_selection(struct stage *stage, const uint8_t *raw, uint32_t select)
{
	uint32_t from = select & 0x10 ? 0 : select & 0x04 ? 12 : 16;
	uint32_t size = selections[select];
	uint32_t sense = RUN_IN(stage, 3 * 2352, 0xbe, 0, 0, 0, 0, 5, 0, 0, 3, (uint8_t)(select << 3), 0, 0);

	if (size == ILLEGAL) {
		CHECK_EQ(sense, INVALID_FIELD);
		return;
	}
	CHECK_EQ(sense, 0);
	CHECK_EQ(MOVED(stage), 3 * size);
	for (uint32_t i = 0; i < 3; i++)
		CHECK(memcmp(stage->data + (size_t)i * size, raw + (size_t)i * 2352 + from, size) == 0);
}

TEST(selections_of_read_cd)
{
	static uint8_t raw[3 * 2352];
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_written(mode);
		CHECK_EQ(RUN_IN(stage, sizeof(raw), 0xbe, 0, 0, 0, 0, 5, 0, 0, 3, 0xf8, 0, 0), 0);
		memcpy(raw, stage->data, sizeof(raw));
		for (uint32_t i = 0; i < 3; i++) {
			const uint8_t *sector = raw + (size_t)i * 2352;
			CHECK(memcmp(sector, "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x02",
				      14) == 0);
			CHECK_EQ(sector[14], 5 + i);
			CHECK_EQ(sector[15], 1);
			check_user(sector + 16, 5 + i);
		}
		for (uint32_t select = 0; select < 32; select++)
			check_selection(stage, raw, select);
		stage_close(stage);
	}
}

/* ---- EDC and ECC, checked the way a drive does: by what the code promises ---- */

static uint8_t product(uint8_t a, uint8_t b)
{
	uint32_t sum = 0;

	for (uint32_t bit = 0; bit < 8; bit++)
		if (b & 1u << bit)
			sum ^= (uint32_t)a << bit;
	for (uint32_t bit = 15; bit >= 8; bit--)
		if (sum & 1u << bit)
			sum ^= 0x11du << (bit - 8);
	return (uint8_t)sum;
}

/* Both syndromes of a vector; the last byte has the power 0. */
static void check_syndromes(const uint8_t *vector, uint32_t length)
{
	uint8_t sum = 0, weighted = 0, power = 1;

	for (uint32_t i = length; i-- > 0;) {
		sum ^= vector[i];
		weighted ^= product(vector[i], power);
		power = product(power, 2);
	}
	CHECK_EQ(sum, 0);
	CHECK_EQ(weighted, 0);
}

static void check_sector(const uint8_t *sector)
{
	uint8_t vector[45];
	uint32_t remainder = 0;

	/* A polynomial that divides the message with its EDC leaves nothing. */
	for (uint32_t bit = 0; bit < 8 * 2068; bit++) {
		uint32_t low = (remainder ^ sector[bit / 8] >> bit % 8) & 1;
		remainder = remainder >> 1 ^ (low ? 0xd8018001u : 0);
	}
	CHECK_EQ(remainder, 0);
	CHECK(memcmp(sector + 2068, "\0\0\0\0\0\0\0\0", 8) == 0);
	for (uint32_t half = 0; half < 2; half++) {
		const uint8_t *words = sector + 12 + half;
		for (uint32_t column = 0; column < 43; column++) {
			for (uint32_t row = 0; row < 26; row++)
				vector[row] = words[(size_t)2 * (43 * row + column)];
			check_syndromes(vector, 26);
		}
		for (uint32_t diagonal = 0; diagonal < 26; diagonal++) {
			for (uint32_t i = 0; i < 43; i++)
				vector[i] = words[(size_t)2 * ((44 * i + 43 * diagonal) % 1118)];
			vector[43] = words[(size_t)2 * (43 * 26 + diagonal)];
			vector[44] = words[(size_t)2 * (44 * 26 + diagonal)];
			check_syndromes(vector, 45);
		}
	}
}

TEST(raw_sectors_pass_a_drives_checks)
{
	struct stage *stage = stage_written(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(RUN_IN(stage, 100 * 2352, 0xbe, 0, 0, 0, 0, 0, 0, 0, 100, 0xf8, 0, 0), 0);
	CHECK_EQ(MOVED(stage), 100 * 2352);
	for (uint32_t i = 0; i < 100; i++) {
		check_sector(stage->data + (size_t)i * 2352);
		check_user(stage->data + (size_t)i * 2352 + 16, i);
	}
	stage_close(stage);
}

TEST(the_pregap_is_silent)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_written(mode);
		/* From 00:00:00 to 00:02:02: 150 sectors of pregap, two of the image. */
		CHECK_EQ(RUN_IN(stage, 152 * 2352, 0xb9, 0, 0, 0, 0, 0, 0, 2, 2, 0xf8, 0, 0), 0);
		CHECK_EQ(MOVED(stage), 152 * 2352);
		for (uint32_t i = 0; i < 150; i++) {
			const uint8_t *sector = stage->data + (size_t)i * 2352;
			CHECK_EQ(sector[13], i / 75);
			CHECK_EQ(sector[14], i % 75 / 10 << 4 | i % 75 % 10);
			CHECK_EQ(sector[16], 0);
			CHECK_EQ(sector[2063], 0);
		}
		check_sector(stage->data);
		check_user(stage->data + (size_t)150 * 2352 + 16, 0);
		check_user(stage->data + (size_t)151 * 2352 + 16, 1);
		CHECK_EQ(RUN_IN(stage, 4096, 0xbe, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0x10, 0, 0), 0);
		CHECK_EQ(stage->data[0], 0);
		check_user(stage->data + 2048, 0);
		check_range(stage, RUN_IN(stage, 2048, 0xbe, 0, 0xff, 0xff, 0xff, 0x69, 0, 0, 1, 0x10, 0, 0),
			0xffffff69);
		stage_close(stage);
	}
}

TEST(read_cd_at_the_end_and_cut_short)
{
	struct stage *stage = stage_written(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(RUN_IN(stage, 2352, 0xbe, 0, 0, 0, 0x13, 0x87, 0, 0, 1, 0xf8, 0, 0), 0);
	check_range(stage, RUN_IN(stage, 4704, 0xbe, 0, 0, 0, 0x13, 0x87, 0, 0, 2, 0xf8, 0, 0), 0x1388);
	CHECK_EQ(RUN_IN(stage, 0, 0xbe, 0, 0, 0, 0x13, 0x88, 0, 0, 0, 0xf8, 0, 0), 0);
	CHECK_EQ(RUN_IN(stage, 3000, 0xbe, 0, 0, 0, 0, 5, 0, 0, 3, 0xf8, 0, 0), 0); /* 1.3 sectors of room */
	CHECK_EQ(MOVED(stage), 3000);
	check_user(stage->data + 16, 5);
	CHECK_EQ(stage->data[2352 + 14], 6);
	CHECK_EQ(stage->data[3000], CANARY);
	CHECK_EQ(RUN_IN(stage, 2352, 0xbe, 0, 0, 0, 0, 0, 0, 0x07, 0, 0xf8, 0, 0),
		INVALID_FIELD); /* > 4 MiB */
	stage_close(stage);
}

TEST(what_read_cd_refuses)
{
	struct stage *stage = stage_written(LF_LOOP_EDGE_INLINE);
#define READ_CD(type, select, sub) RUN_IN(stage, 4096, 0xbe, (type) << 2, 0, 0, 0, 0, 0, 0, 1, select, sub, 0)
	CHECK_EQ(READ_CD(0, 0x10, 0), 0);
	CHECK_EQ(READ_CD(2, 0x10, 0), 0);
	CHECK_EQ(READ_CD(1, 0x10, 0), ILLEGAL_MODE);
	CHECK_EQ(READ_CD(3, 0x10, 0), ILLEGAL_MODE);
	CHECK_EQ(READ_CD(4, 0x10, 0), ILLEGAL_MODE);
	CHECK_EQ(READ_CD(5, 0x10, 0), ILLEGAL_MODE);
	CHECK_EQ(READ_CD(6, 0x10, 0), INVALID_FIELD);
	CHECK_EQ(READ_CD(0, 0x12, 0), INVALID_FIELD);
	CHECK_EQ(READ_CD(0, 0x14, 0), INVALID_FIELD);
	CHECK_EQ(READ_CD(0, 0x10, 1), INVALID_FIELD);
	CHECK_EQ(READ_CD(0, 0x10, 2), INVALID_FIELD);
#define READ_MSF(...) RUN_IN(stage, 4096, 0xb9, 0, 0, __VA_ARGS__, 0x10, 0, 0)
	CHECK_EQ(READ_MSF(0, 2, 1, 0, 2, 2), 0);
	check_user(stage->data, 1);
	CHECK_EQ(READ_MSF(0, 2, 1, 0, 2, 1), 0);
	CHECK_EQ(MOVED(stage), 0);
	CHECK_EQ(READ_MSF(0, 2, 1, 0, 2, 0), INVALID_FIELD);
	CHECK_EQ(READ_MSF(0, 2, 75, 0, 3, 0), INVALID_FIELD);
	CHECK_EQ(READ_MSF(0, 2, 0, 0, 60, 0), INVALID_FIELD);
	CHECK_EQ(READ_MSF(0xff, 0xff, 0xff, 0, 3, 0), INVALID_FIELD);
	check_range(stage, READ_MSF(1, 8, 49, 1, 8, 51), 0x1388);
	stage_close(stage);
	stage = stage_cdrom(DVD_SECTORS);
	CHECK_EQ(READ_CD(0, 0x10, 0), INCOMPATIBLE);
	stage_close(stage);
}
