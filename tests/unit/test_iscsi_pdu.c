/* SPDX-License-Identifier: BSD-2-Clause */
/* test_iscsi_pdu.c: iSCSI header fields, additional header segments, and the pool that data goes to. */
#include <string.h>

#include "edge/iscsi/digest.h"
#include "edge/iscsi/pdu.h"
#include "edge/iscsi/pool.h"
#include "tests/test.h"

TEST(iscsi_fields_are_big_endian)
{
	uint8_t bytes[8] = {0};

	lf_put_be64(bytes, 0x0102030405060708);
	CHECK_EQ(bytes[0], 1);
	CHECK_EQ(bytes[7], 8);
	CHECK_EQ(lf_get_be64(bytes), 0x0102030405060708);
	CHECK_EQ(lf_get_be32(bytes + 1), 0x02030405);
	CHECK_EQ(lf_get_be24(bytes + 1), 0x020304);
	CHECK_EQ(lf_get_be16(bytes + 1), 0x0203);
	lf_put_be24(bytes, 0xfffefdfc);
	CHECK_EQ(lf_get_be32(bytes), 0xfefdfc04);
	CHECK_EQ(iscsi_pad(0), 0);
	CHECK_EQ(iscsi_pad(1), 3);
	CHECK_EQ(iscsi_pad(4), 0);
	CHECK_EQ(iscsi_pad(16777215), 1);
}

TEST(iscsi_serial_numbers_wrap)
{
	CHECK(iscsi_sn_diff(5, 4) == 1);
	CHECK(iscsi_sn_diff(0, 0xffffffff) == 1);
	CHECK(iscsi_sn_diff(0xffffffff, 0) == -1);
	CHECK(iscsi_sn_diff(0x80000000, 1) > 0);
}

TEST(iscsi_ahs_long_cdb)
{
	/* 32-byte CDB: AHSLength is 32 - 15. */
	uint8_t ahs[20] = {0, 17, ISCSI_AHS_EXTENDED_CDB, 0, 0xaa};
	struct iscsi_ahs parsed;

	ahs[19] = 0xbb;
	CHECK(lf_iscsi_parse_ahs(ahs, sizeof(ahs), 32, &parsed));
	CHECK_EQ(parsed.cdb_rest_length, 16);
	CHECK_EQ(parsed.cdb_rest[0], 0xaa);
	CHECK_EQ(parsed.cdb_rest[15], 0xbb);
	/* One byte more than the core takes, one word less than the length says, and nothing at all. */
	CHECK(!lf_iscsi_parse_ahs(ahs, sizeof(ahs), 31, &parsed));
	CHECK(!lf_iscsi_parse_ahs(ahs, sizeof(ahs) - 4, 32, &parsed));
	ahs[1] = 0;
	CHECK(!lf_iscsi_parse_ahs(ahs, sizeof(ahs), 32, &parsed));
	ahs[1] = 1;
	CHECK(!lf_iscsi_parse_ahs(ahs, 4, 32, &parsed));
}

TEST(iscsi_ahs_bidirectional_and_odd)
{
	uint8_t ahs[16] = {0, 5, ISCSI_AHS_BIDI_LENGTH, 0, 0, 1, 0, 0, 0, 2, ISCSI_AHS_EXTENDED_CDB, 0, 0x77};
	struct iscsi_ahs parsed;

	CHECK(lf_iscsi_parse_ahs(ahs, 0, 32, &parsed));
	CHECK_EQ(parsed.bidi_read_length, 0);
	CHECK(parsed.cdb_rest == NULL);
	CHECK(lf_iscsi_parse_ahs(ahs, 8, 32, &parsed));
	CHECK_EQ(parsed.bidi_read_length, 0x10000);
	CHECK(lf_iscsi_parse_ahs(ahs, 16, 32, &parsed));
	CHECK_EQ(parsed.cdb_rest_length, 1);
	CHECK_EQ(parsed.cdb_rest[0], 0x77);
	ahs[2] = 0x3f;
	CHECK(!lf_iscsi_parse_ahs(ahs, 8, 32, &parsed));
	ahs[2] = ISCSI_AHS_BIDI_LENGTH;
	ahs[1] = 6;
	CHECK(!lf_iscsi_parse_ahs(ahs, 12, 32, &parsed));
	ahs[0] = 0xff;
	CHECK(!lf_iscsi_parse_ahs(ahs, 16, 32, &parsed));
}

static size_t total(const struct lf_segment *segments, uint32_t count)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += segments[i].length;
	return sum;
}

TEST(iscsi_pool_gives_all_and_takes_all_back)
{
	struct lf_segment segments[ISCSI_SEGMENTS_MAX];
	struct iscsi_pool pool;
	uint32_t count = 0;

	CHECK(lf_iscsi_pool_init(&pool, 1000 * ISCSI_PAGE + 5));
	CHECK_EQ(pool.page_count, 1000);
	CHECK_EQ(pool.lower_count, 256);
	CHECK(!lf_iscsi_pool_take(&pool, 745, segments, &count));
	CHECK_EQ(count, 0);
	for (int round = 0; round < 3; round++) {
		CHECK(lf_iscsi_pool_take(&pool, 744, segments, &count));
		CHECK(lf_iscsi_pool_take(&pool, 256, segments, &count));
		CHECK_EQ(total(segments, count), 1000 * ISCSI_PAGE);
		CHECK_EQ(pool.free_pages[0] + pool.free_pages[1], 0);
		CHECK(!lf_iscsi_pool_take(&pool, 1, segments, &count));
		lf_iscsi_pool_give(&pool, segments, count);
		count = 0;
		CHECK_EQ(pool.free_pages[0], 256);
		CHECK_EQ(pool.free_pages[1], 744);
	}
	/* In one piece again: halves found each other. */
	CHECK(lf_iscsi_pool_take(&pool, 256, segments, &count));
	CHECK_EQ(count, 1);
	lf_iscsi_pool_give(&pool, segments, count);
	lf_iscsi_pool_fini(&pool);
}

TEST(iscsi_pool_keeps_promises)
{
	struct lf_segment segments[ISCSI_SEGMENTS_MAX];
	struct iscsi_pool pool;
	uint32_t count = 0;

	CHECK(lf_iscsi_pool_init(&pool, 512 * ISCSI_PAGE));
	CHECK(lf_iscsi_pool_promise(&pool, 60));
	CHECK(!lf_iscsi_pool_promise(&pool, 197));
	CHECK(lf_iscsi_pool_take(&pool, 256, segments, &count));
	CHECK(!lf_iscsi_pool_take(&pool, 197, segments, &count));
	CHECK(lf_iscsi_pool_take(&pool, 196, segments, &count));
	CHECK(!lf_iscsi_pool_take(&pool, 1, segments, &count));
	lf_iscsi_pool_unpromise(&pool, 16);
	CHECK(lf_iscsi_pool_take_promised(&pool, 16, segments, &count));
	CHECK(!lf_iscsi_pool_promise(&pool, 1));
	lf_iscsi_pool_give(&pool, segments, count);
	lf_iscsi_pool_unpromise(&pool, 44);
	lf_iscsi_pool_fini(&pool);
}

/* Single pages that were promised lie among others that came and went; half the pool is still to be had. */
TEST(iscsi_pool_is_not_torn_up_by_promises)
{
	static struct lf_segment promised[64][ISCSI_SEGMENTS_MAX], others[64][ISCSI_SEGMENTS_MAX];
	struct lf_segment segments[ISCSI_SEGMENTS_MAX];
	uint32_t promised_count[64] = {0}, others_count[64] = {0}, count = 0;
	struct iscsi_pool pool;

	CHECK(lf_iscsi_pool_init(&pool, 2048 * ISCSI_PAGE));
	for (uint32_t i = 0; i < 64; i++) {
		CHECK(lf_iscsi_pool_take_promised(&pool, 1, promised[i], &promised_count[i]));
		CHECK(lf_iscsi_pool_take(&pool, 15, others[i], &others_count[i]));
	}
	for (uint32_t i = 0; i < 64; i++)
		lf_iscsi_pool_give(&pool, others[i], others_count[i]);
	CHECK(lf_iscsi_pool_take(&pool, 1024, segments, &count));
	lf_iscsi_pool_give(&pool, segments, count);
	for (uint32_t i = 0; i < 64; i++)
		lf_iscsi_pool_give(&pool, promised[i], promised_count[i]);
	lf_iscsi_pool_fini(&pool);
}

/* Pages that are lent never overlap, whatever the order of taking and giving. */
TEST(iscsi_pool_random_walk)
{
	static struct lf_segment segments[32][ISCSI_SEGMENTS_MAX];
	uint32_t count[32] = {0}, seed = 1, lent = 0;
	struct iscsi_pool pool;

	CHECK(lf_iscsi_pool_init(&pool, 777 * ISCSI_PAGE));
	for (int step = 0; step < 20000; step++) {
		uint32_t slot, pages;

		seed = seed * 1664525 + 1013904223;
		slot = seed >> 27;
		pages = 1 + (seed >> 8) % 60;
		if (count[slot] > 0) {
			for (uint32_t i = 0; i < count[slot]; i++) {
				for (size_t at = 0; at < segments[slot][i].length; at += ISCSI_PAGE)
					CHECK_EQ(((uint8_t *)segments[slot][i].base)[at], slot + 1);
				memset(segments[slot][i].base, 0, segments[slot][i].length);
			}
			lent -= (uint32_t)(total(segments[slot], count[slot]) / ISCSI_PAGE);
			lf_iscsi_pool_give(&pool, segments[slot], count[slot]);
			count[slot] = 0;
		} else if (lf_iscsi_pool_take(&pool, pages, segments[slot], &count[slot])) {
			CHECK_EQ(total(segments[slot], count[slot]), pages * ISCSI_PAGE);
			for (uint32_t i = 0; i < count[slot]; i++)
				memset(segments[slot][i].base, (int)slot + 1, segments[slot][i].length);
			lent += pages;
		}
		CHECK_EQ(pool.free_pages[0] + pool.free_pages[1], 777 - lent);
	}
	for (uint32_t slot = 0; slot < 32; slot++)
		lf_iscsi_pool_give(&pool, segments[slot], count[slot]);
	lf_iscsi_pool_fini(&pool);
}

/* ---- Digests ---- */

/* The examples of RFC 7143 A.4: zeros, ones, ascending, descending, and a READ(10). */
TEST(iscsi_digests_of_the_standard)
{
	static const uint8_t read_10[48] = {
		0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, 0x28, [40] = 0x02};
	static const uint8_t digests[][4] = {{0xaa, 0x36, 0x91, 0x8a}, {0x43, 0xab, 0xa8, 0x62},
		{0x4e, 0x79, 0xdd, 0x46}, {0x5c, 0xdb, 0x3f, 0x11}};
	uint8_t data[4][32];

	for (uint32_t i = 0; i < 32; i++) {
		data[0][i] = 0;
		data[1][i] = 0xff;
		data[2][i] = (uint8_t)i;
		data[3][i] = (uint8_t)(31 - i);
	}
	for (uint32_t i = 0; i < 4; i++) {
		/* In one piece, and cut anywhere. */
		for (uint32_t cut = 0; cut <= 32; cut++)
			CHECK(iscsi_digest_is(
				digests[i], lf_iscsi_crc(lf_iscsi_crc(ISCSI_CRC_START, data[i], cut),
						    data[i] + cut, 32 - cut)));
	}
	CHECK(iscsi_digest_is(
		(const uint8_t[]){0x56, 0x3a, 0x96, 0xd9}, lf_iscsi_crc(ISCSI_CRC_START, read_10, 48)));
	CHECK(!iscsi_digest_is(digests[0], lf_iscsi_crc(ISCSI_CRC_START, data[1], 32)));
}
