/* SPDX-License-Identifier: BSD-2-Clause */
/* test_cdrom.c: the drive: what it says of itself and of its disc, with a disc, without, and with another. */
#include "tests/unit/cdrom_stage.h"

#define MOVED(stage) ((stage)->command.request.data_moved)

TEST(inquiry_says_cd_rom)
{
	struct stage *stage = stage_cdrom(CD_SECTORS);
	const uint8_t *data = stage->data;
	CHECK_EQ(RUN_IN(stage, 96, 0x12, 0, 0, 0, 96, 0), 0);
	CHECK(memcmp(data, "\x05\x80\x06\x12\x5b", 5) == 0);
	CHECK(memcmp(data + 8, "LUNGFISHVIRTUAL CD-ROM  0001", 28) == 0);
	CHECK(memcmp(data + 58, "\x00\xa0\x04\x60\x04\xe0\x09\x60", 8) == 0);
	CHECK_EQ(RUN_IN(stage, 96, 0x12, 1, 0, 0, 96, 0), 0);
	CHECK(memcmp(data, "\x05\x00\x00\x06\x00\x80\x83\x86\x87\x88", 10) == 0);
	CHECK_EQ(RUN_IN(stage, 96, 0x12, 1, 0xb0, 0, 96, 0), INVALID_FIELD);
	stage_close(stage);
}

TEST(capacity_ends_before_the_lead_out)
{
	struct stage *stage = stage_cdrom(CD_SECTORS);
	const uint8_t *data = stage->data;
	CHECK_EQ(RUN_IN(stage, 8, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0);
	CHECK_EQ(lf_get_be64(data), (uint64_t)(CD_SECTORS - 1) << 32 | 2048);
	CHECK_EQ(RUN_IN(stage, 32, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0), 0);
	CHECK_EQ(lf_get_be64(data), CD_SECTORS - 1);
	CHECK_EQ(lf_get_be64(data + 8), 2048ull << 32);
	CHECK_EQ(RUN_IN(stage, 252, 0x23, 0, 0, 0, 0, 0, 0, 0, 252, 0), 0);
	CHECK_EQ(MOVED(stage), 12);
	CHECK_EQ(lf_get_be64(data), 8ull << 32 | CD_SECTORS);
	CHECK_EQ(lf_get_be32(data + 8), 0x02000800);
	stage_close(stage);
}

TEST(images_that_are_no_disc_are_refused)
{
	struct lf_store_info info = cdrom_info(1);
	struct lf_message message;
	CHECK_EQ(lf_disc_check(&info, &message), LF_OK);
	info.block_size = 512;
	CHECK_EQ(lf_disc_check(&info, &message), LF_E_INVALID);
	info = cdrom_info(UINT32_MAX - 150);
	CHECK_EQ(lf_disc_check(&info, &message), LF_OK);
	info.block_count++;
	CHECK_EQ(lf_disc_check(&info, &message), LF_E_RANGE);
}

TEST(what_only_disks_have_is_not_there)
{
	static const uint8_t opcodes[] = {0x08, 0x0a, 0x2a, 0x2e, 0x41, 0x54, 0x88, 0x8a, 0xaa};
	struct stage *stage = stage_cdrom(CD_SECTORS);
	for (uint32_t i = 0; i < lf_count_of(opcodes); i++)
		CHECK_EQ(RUN_OUT(stage, 2048, opcodes[i], 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0),
			LF_SENSE(5, 0x20, 0));
	stage_close(stage);
}

TEST(the_lun_in_byte_1_does_not_count)
{
	struct stage *stage = stage_cdrom(CD_SECTORS);
	CHECK_EQ(RUN(stage, 0x00, 0xe0, 0, 0, 0, 0), 0);
	CHECK_EQ(RUN_IN(stage, 36, 0x12, 0x20, 0, 0, 36, 0), 0);
	CHECK_EQ(RUN_IN(stage, 64, 0x43, 0x42, 0, 0, 0, 0, 0, 0, 64, 0), 0);
	CHECK_EQ(RUN_IN(stage, 2048, 0xbe, 0x80, 0, 0, 0, 0, 0, 0, 1, 0x10, 0, 0), 0);
	CHECK_EQ(RUN(stage, 0x00, 0x10, 0, 0, 0, 0), INVALID_FIELD);
	CHECK_EQ(RUN_IN(stage, 32, 0x9e, 0x30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0), INVALID_FIELD);
	stage_close(stage);
}

/* ---- READ TOC/PMA/ATIP ---- */

#define TOC(stage, length, msf, format, start, control)                                                      \
	RUN_IN(stage, length, 0x43, (msf) ? 2 : 0, format, 0, 0, 0, start, 0, length, control)

TEST(toc_of_an_image)
{
	struct stage *stage = stage_cdrom(CD_SECTORS);
	const uint8_t *data = stage->data;
	CHECK_EQ(TOC(stage, 200, false, 0, 0, 0), 0);
	CHECK_EQ(MOVED(stage), 20);
	CHECK(memcmp(data, "\x00\x12\x01\x01\x00\x14\x01\x00\x00\x00\x00\x00\x00\x14\xaa\x00\x00\x00\x13\x88",
		      20) == 0);
	CHECK_EQ(TOC(stage, 200, true, 0, 1, 0), 0); /* 5150 frames: 1:08:50 */
	CHECK(memcmp(data, "\x00\x12\x01\x01\x00\x14\x01\x00\x00\x00\x02\x00\x00\x14\xaa\x00\x00\x01\x08\x32",
		      20) == 0);
	CHECK_EQ(TOC(stage, 200, false, 0, 0xaa, 0), 0);
	CHECK_EQ(MOVED(stage), 12);
	CHECK(memcmp(data, "\x00\x0a\x01\x01\x00\x14\xaa\x00\x00\x00\x13\x88", 12) == 0);
	CHECK_EQ(TOC(stage, 200, false, 0, 2, 0), INVALID_FIELD);
	CHECK_EQ(TOC(stage, 4, false, 0, 0, 0), 0); /* cut, but says how long it is */
	CHECK_EQ(MOVED(stage), 4);
	CHECK_EQ(lf_get_be32(data), 0x00120101);
	CHECK_EQ(TOC(stage, 0, false, 0, 0, 0), 0);
	CHECK_EQ(TOC(stage, 200, false, 1, 0, 0), 0);
	CHECK_EQ(MOVED(stage), 12);
	CHECK(memcmp(data, "\x00\x0a\x01\x01\x00\x14\x01\x00\x00\x00\x00\x00", 12) == 0);
	CHECK_EQ(TOC(stage, 200, false, 0, 0, 0x40), 0); /* the same format as SFF-8020 asks for it */
	CHECK_EQ(MOVED(stage), 12);
	stage_close(stage);
}

TEST(full_toc)
{
	static const uint8_t full[] = {0, 46, 1, 1, 1, 0x14, 0, 0xa0, 0, 0, 0, 0, 1, 0, 0, 1, 0x14, 0, 0xa1,
		0, 0, 0, 0, 1, 0, 0, 1, 0x14, 0, 0xa2, 0, 0, 0, 0, 1, 8, 50, 1, 0x14, 0, 1, 0, 0, 0, 0, 0, 2,
		0};
	struct stage *stage = stage_cdrom(CD_SECTORS);
	CHECK_EQ(TOC(stage, 200, true, 2, 0, 0), 0);
	CHECK_EQ(MOVED(stage), sizeof(full));
	CHECK(memcmp(stage->data, full, sizeof(full)) == 0);
	CHECK_EQ(TOC(stage, 200, true, 2, 1, 0), 0);
	CHECK_EQ(MOVED(stage), sizeof(full));
	CHECK_EQ(TOC(stage, 200, true, 2, 2, 0), INVALID_FIELD);
	CHECK_EQ(TOC(stage, 200, true, 0, 0, 0x80), 0); /* SFF-8020: in decimal digits */
	CHECK_EQ(MOVED(stage), sizeof(full));
	CHECK(memcmp(stage->data + 4 + 22 + 8, "\x01\x08\x50", 3) == 0);
	stage_close(stage);
}

TEST(formats_of_recorders_are_refused)
{
	struct stage *stage = stage_cdrom(CD_SECTORS);
	for (uint8_t format = 3; format < 16; format++)
		CHECK_EQ(TOC(stage, 200, true, format, 0, 0), INVALID_FIELD);
	CHECK_EQ(TOC(stage, 200, true, 0, 0, 0xc0), INVALID_FIELD);
	stage_close(stage);
}

TEST(toc_of_two_sessions)
{
	struct stage *stage = stage_cdrom(CD_SECTORS);
	const uint8_t *data = stage->data;
	stage_cd_extra(stage);
	CHECK_EQ(TOC(stage, 200, false, 0, 0, 0), 0);
	CHECK_EQ(MOVED(stage), 4 + 4 * 8);
	CHECK_EQ(lf_get_be32(data), 0x0022011f);
	CHECK(memcmp(data + 12, "\x00\x10\x02\x00\x00\x00\x03\xe8\x00\x14\x1f", 11) == 0);
	CHECK_EQ(TOC(stage, 200, false, 0, 3, 0), 0); /* numbers may be left out */
	CHECK_EQ(MOVED(stage), 4 + 2 * 8);
	CHECK_EQ(TOC(stage, 200, false, 1, 0, 0), 0); /* the last session's first track */
	CHECK(memcmp(data, "\x00\x0a\x01\x02\x00\x14\x1f\x00\x00\x00\x36\x4c", 12) == 0);
	CHECK_EQ(TOC(stage, 200, true, 2, 0, 0), 0);
	CHECK_EQ(MOVED(stage), 4 + 9 * 11);
	CHECK_EQ(data[4 + 5 * 11], 2);                            /* the second session */
	CHECK(memcmp(data + 4 + 22 + 8, "\x00\x23\x19", 3) == 0); /* 2650 frames */
	CHECK_EQ(data[4 + 8 * 11 + 3], 31);
	CHECK_EQ(TOC(stage, 200, true, 0, 2, 0x80), 0);
	CHECK_EQ(MOVED(stage), 4 + 4 * 11);
	CHECK_EQ(data[4 + 3 * 11 + 3], 0x31);
	CHECK_EQ(RUN_IN(stage, 200, 0x51, 0, 0, 0, 0, 0, 0, 0, 200, 0), 0);
	CHECK(memcmp(data, "\x00\x20\x0e\x01\x02\x1f\x1f\x20\x00", 9) == 0);
	CHECK_EQ(RUN_IN(stage, 200, 0x52, 0, 0, 0, 0x07, 0xd0, 0, 0, 200, 0), 0);
	CHECK(memcmp(data, "\x00\x22\x02\x01\x00\x00\x0f\x02\x00\x00\x03\xe8", 12) == 0);
	CHECK_EQ(RUN_IN(stage, 200, 0x52, 2, 0, 0, 0, 2, 0, 0, 200, 0), 0);
	CHECK_EQ(data[2], 31);
	CHECK_EQ(RUN_IN(stage, 200, 0x52, 0, 0, 0, 0x10, 0, 0, 0, 200, 0), OUT_OF_RANGE); /* a gap */
	CHECK_EQ(RUN_IN(stage, 2048, 0x28, 0, 0, 0, 0x03, 0xe8, 0, 0, 1, 0), ILLEGAL_MODE);
	CHECK_EQ(RUN_IN(stage, 4096, 0x28, 0, 0, 0, 0x03, 0xe7, 0, 0, 2, 0), ILLEGAL_MODE);
	CHECK_EQ(RUN_IN(stage, 2048, 0x28, 0, 0, 0, 0x36, 0x4c, 0, 0, 1, 0), 0);
	CHECK_EQ(stage->store.ops[0].offset, 2048 * 1000); /* where the track says */
	stage_close(stage);
}

TEST(times_beyond_a_cd_are_the_last_there_is)
{
	static const struct {
		uint32_t sectors;
		const char *msf;
	} cases[] = {
		{449849, "\x00\x63\x3b\x4a"}, {449850, "\x00\xff\x3b\x4a"}, {BD_SECTORS, "\x00\xff\x3b\x4a"}};
	for (uint32_t i = 0; i < lf_count_of(cases); i++) {
		struct stage *stage = stage_cdrom(cases[i].sectors);
		CHECK_EQ(TOC(stage, 200, true, 0, 0xaa, 0), 0);
		CHECK(memcmp(stage->data + 8, cases[i].msf, 4) == 0);
		CHECK_EQ(TOC(stage, 200, false, 0, 0xaa, 0), 0);
		CHECK_EQ(lf_get_be32(stage->data + 8), cases[i].sectors);
		stage_close(stage);
	}
}

TEST(lead_outs_of_sessions)
{
	struct lf_disc disc = {.session_count = 3,
		.track_count = 3,
		.leadout = 40000,
		.tracks = {{.number = 1, .session = 1}, {.number = 2, .session = 2, .start = 20000},
			{.number = 3, .session = 3, .start = 30000}}};
	CHECK_EQ(lf_disc_leadout_of(&disc, 1), 20000 - 11400);
	CHECK_EQ(lf_disc_leadout_of(&disc, 2), 30000 - 6900);
	CHECK_EQ(lf_disc_leadout_of(&disc, 3), 40000);
}

/* ---- READ DISC INFORMATION, READ TRACK INFORMATION, READ SUB-CHANNEL ---- */

TEST(disc_and_track_information)
{
	struct stage *stage = stage_cdrom(CD_SECTORS);
	const uint8_t *data = stage->data;
	CHECK_EQ(RUN_IN(stage, 200, 0x51, 0, 0, 0, 0, 0, 0, 0, 200, 0), 0);
	CHECK_EQ(MOVED(stage), 34);
	CHECK(memcmp(data, "\x00\x20\x0e\x01\x01\x01\x01\x20\x00\x00\x00\x00", 12) == 0);
	CHECK_EQ(lf_get_be64(data + 16), UINT64_MAX);
	CHECK_EQ(RUN_IN(stage, 200, 0x51, 1, 0, 0, 0, 0, 0, 0, 200, 0), INVALID_FIELD);
	for (uint8_t type = 0; type < 3; type++) {
		CHECK_EQ(RUN_IN(stage, 200, 0x52, type, 0, 0, 0, 1, 0, 0, 200, 0), 0);
		CHECK_EQ(MOVED(stage), 36);
		CHECK(memcmp(data, "\x00\x22\x01\x01\x00\x04\x01\x02\x00\x00\x00\x00", 12) == 0);
		CHECK_EQ(lf_get_be64(data + 24), (uint64_t)CD_SECTORS << 32 | (CD_SECTORS - 1));
	}
	CHECK_EQ(RUN_IN(stage, 200, 0x52, 1, 0, 0, 0, 0, 0, 0, 200, 0), INVALID_FIELD);
	CHECK_EQ(RUN_IN(stage, 200, 0x52, 1, 0, 0, 0, 0xff, 0, 0, 200, 0), INVALID_FIELD);
	CHECK_EQ(RUN_IN(stage, 200, 0x52, 2, 0, 0, 0, 2, 0, 0, 200, 0), INVALID_FIELD);
	CHECK_EQ(RUN_IN(stage, 200, 0x52, 3, 0, 0, 0, 1, 0, 0, 200, 0), INVALID_FIELD);
	CHECK_EQ(RUN_IN(stage, 200, 0x52, 0, 0, 0, 0x13, 0x88, 0, 0, 200, 0), OUT_OF_RANGE);
	stage_close(stage);
	stage = stage_cdrom(DVD_SECTORS);
	CHECK_EQ(RUN_IN(stage, 200, 0x51, 0, 0, 0, 0, 0, 0, 0, 200, 0), 0);
	CHECK_EQ(stage->data[8], 0xff);
	stage_close(stage);
}

TEST(sub_channel_without_audio)
{
	struct stage *stage = stage_cdrom(CD_SECTORS);
	const uint8_t *data = stage->data;
	CHECK_EQ(RUN_IN(stage, 200, 0x42, 2, 0, 1, 0, 0, 0, 0, 200, 0), 0); /* no SUBQ */
	CHECK_EQ(MOVED(stage), 4);
	CHECK_EQ(lf_get_be32(data), 0x00150000);
	CHECK_EQ(RUN_IN(stage, 200, 0x42, 2, 0x40, 1, 0, 0, 0, 0, 200, 0), 0);
	CHECK_EQ(MOVED(stage), 16);
	CHECK(memcmp(data, "\x00\x15\x00\x0c\x01\x14\x01\x01\x00\x00\x02\x00\x00\x00\x00\x00", 16) == 0);
	CHECK_EQ(RUN_IN(stage, 200, 0x42, 0, 0x40, 2, 0, 0, 0, 0, 200, 0), 0);
	CHECK_EQ(MOVED(stage), 24);
	CHECK(memcmp(data, "\x00\x15\x00\x14\x02\x00\x00\x00\x00", 9) == 0);
	CHECK_EQ(RUN_IN(stage, 200, 0x42, 0, 0x40, 3, 0, 0, 1, 0, 200, 0), 0);
	CHECK_EQ(RUN_IN(stage, 200, 0x42, 0, 0x40, 3, 0, 0, 2, 0, 200, 0), INVALID_FIELD);
	CHECK_EQ(RUN_IN(stage, 200, 0x42, 0, 0x40, 0, 0, 0, 0, 0, 200, 0), INVALID_FIELD);
	stage_close(stage);
}

/* ---- GET CONFIGURATION ---- */

#define CONFIGURATION(stage, type, start, length)                                                            \
	RUN_IN(stage, length, 0x46, type, 0, start, 0, 0, 0, (length) >> 8, (length)&0xff, 0)

/* Walks the reply as Windows does; returns the flags byte of the feature, 0x80 when it is not there. */
static uint32_t feature_flags(const struct stage *stage, uint32_t code)
{
	uint32_t flags = 0x80, end = lf_get_be32(stage->data) + 4, last = 0;

	if (end != MOVED(stage))
		return 0xbad;
	for (uint32_t at = 8; at < end; at += 4u + stage->data[at + 3]) {
		uint32_t here = lf_get_be16(stage->data + at);
		if (stage->data[at + 3] % 4 != 0 || (at > 8 && here <= last))
			return 0xbad;
		if (here == code)
			flags = stage->data[at + 2] & 3;
		last = here;
	}
	return flags;
}

static void check_features(struct stage *stage, uint32_t profile, uint32_t read_feature)
{
	static const uint32_t reads[] = {0x1e, 0x1f, 0x40};
	static const uint32_t always[] = {0x00, 0x01, 0x02, 0x03, 0x100, 0x105, 0x108};
	static const uint32_t never[] = {0x20, 0x21, 0x26, 0x2b, 0x2c, 0x3b, 0x103, 0x106, 0x10d};
	bool loaded = profile != 0;
	CHECK_EQ(CONFIGURATION(stage, 0, 0, 1024), 0);
	CHECK_EQ(lf_get_be16(stage->data + 6), profile);
	for (uint32_t i = 0; i < lf_count_of(reads); i++)
		CHECK_EQ(feature_flags(stage, reads[i]), reads[i] == read_feature);
	for (uint32_t i = 0; i < lf_count_of(always); i++)
		CHECK_EQ(feature_flags(stage, always[i]), 3);
	for (uint32_t i = 0; i < lf_count_of(never); i++)
		CHECK_EQ(feature_flags(stage, never[i]), 0x80);
	CHECK_EQ(feature_flags(stage, 0x10), loaded);
	CHECK(memcmp(stage->data + 8, "\x00\x00\x03\x0c\x00\x40", 6) == 0);
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQ(stage->data[12 + 4 * i + 2], lf_get_be16(stage->data + 12 + 4 * i) == profile);
	CHECK_EQ(CONFIGURATION(stage, 1, 0, 1024), 0); /* those that are current */
	CHECK_EQ(feature_flags(stage, 0x1d), read_feature == 0x1e ? 1 : 0x80);
	CHECK_EQ(feature_flags(stage, 0x10), loaded ? 1 : 0x80);
}

TEST(profiles_by_size)
{
	static const struct {
		uint64_t sectors;
		uint32_t profile, feature;
	} cases[] = {{1, 8, 0x1e}, {360000, 8, 0x1e}, {360001, 0x10, 0x1f}, {4173824, 0x10, 0x1f},
		{4173825, 0x40, 0x40}, {UINT32_MAX - 150, 0x40, 0x40}};
	for (uint32_t i = 0; i < lf_count_of(cases); i++) {
		struct stage *stage = stage_cdrom(cases[i].sectors);
		check_features(stage, cases[i].profile, cases[i].feature);
		stage_close(stage);
	}
}

TEST(configuration_as_windows_asks)
{
	struct stage *stage = stage_cdrom(CD_SECTORS);
	const uint8_t *data = stage->data;
	CHECK_EQ(CONFIGURATION(stage, 0, 0, 8), 0);
	CHECK_EQ(MOVED(stage), 8);
	CHECK(lf_get_be32(data) > 4 && lf_get_be32(data) % 4 == 0);
	CHECK_EQ(CONFIGURATION(stage, 2, 0, 12), 0);
	CHECK_EQ(lf_get_be32(data), 4 + 16); /* one feature */
	CHECK_EQ(CONFIGURATION(stage, 2, 0x20, 64), 0);
	CHECK_EQ(lf_get_be64(data), 4ull << 32 | 8); /* one that is not there */
	CHECK_EQ(CONFIGURATION(stage, 0, 0x1e, 1024), 0);
	CHECK_EQ(lf_get_be16(data + 8), 0x1e);
	CHECK_EQ(RUN_IN(stage, 64, 0x46, 0, 2, 0, 0, 0, 0, 0, 64, 0), 0); /* past the last */
	CHECK_EQ(MOVED(stage), 8);
	CHECK_EQ(CONFIGURATION(stage, 3, 0, 64), INVALID_FIELD);
	CHECK_EQ(CONFIGURATION(stage, 2, 0x03, 64), 0);
	CHECK(memcmp(data + 8, "\x00\x03\x0b\x04\x39", 5) == 0);
	stage_close(stage);
}

/* ---- Without a disc ---- */

static void check_gate(struct stage *stage, uint32_t sense)
{
	CHECK_EQ(RUN(stage, 0x00, 0, 0, 0, 0, 0), sense);
	CHECK_EQ(RUN_IN(stage, 8, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0), sense);
	CHECK_EQ(RUN_IN(stage, 2048, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0), sense);
	CHECK_EQ(RUN(stage, 0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0), sense);
	CHECK_EQ(TOC(stage, 64, false, 0, 0, 0), sense);
	CHECK_EQ(RUN_IN(stage, 64, 0x51, 0, 0, 0, 0, 0, 0, 0, 64, 0), sense);
	CHECK_EQ(RUN_IN(stage, 64, 0x52, 0, 0, 0, 0, 1, 0, 0, 64, 0), sense);
	CHECK_EQ(RUN_IN(stage, 64, 0xac, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0), sense);
	CHECK_EQ(RUN_IN(stage, 64, 0xad, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0), sense);
	CHECK_EQ(RUN_IN(stage, 2048, 0xbe, 0, 0, 0, 0, 0, 0, 0, 1, 0x10, 0, 0), sense);
	CHECK_EQ(RUN_IN(stage, 36, 0x12, 0, 0, 0, 36, 0), 0);
	CHECK_EQ(RUN_IN(stage, 18, 0x03, 0, 0, 0, 18, 0), 0);
	CHECK_EQ(RUN(stage, 0xbb, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0), 0);
	CHECK_EQ(RUN_IN(stage, 64, 0x23, 0, 0, 0, 0, 0, 0, 0, 64, 0), 0);
	CHECK_EQ(stage->data[8], 3);
	check_features(stage, 0, 0);
}

TEST(without_a_disc)
{
	struct stage *stage = stage_cdrom(CD_SECTORS);
	const uint8_t *data = stage->data;
	stage_door(stage, true);
	check_gate(stage, LF_SENSE(2, 0x3a, 2));
	CHECK_EQ(RUN_IN(stage, 8, 0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0), 0);
	CHECK_EQ(data[1], 0x10);
	CHECK_EQ(RUN_IN(stage, 8, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8, 0), 0);
	CHECK_EQ(lf_get_be64(data), 0x0006045000010000);
	stage_door(stage, false);
	stage_take_out(stage, false);
	check_gate(stage, LF_SENSE(2, 0x3a, 1));
	CHECK_EQ(RUN_IN(stage, 8, 0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0), 0);
	CHECK_EQ(lf_get_be64(data), 0);
	stage_close(stage);
}

/* ---- Events ---- */

#define EVENTS(stage, classes, length) RUN_IN(stage, length, 0x4a, 1, 0, 0, classes, 0, 0, 0, length, 0)

TEST(events_of_the_medium)
{
	struct stage *stage = stage_cdrom(CD_SECTORS);
	const uint8_t *data = stage->data;
	CHECK_EQ(RUN_IN(stage, 8, 0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8, 0), INVALID_FIELD); /* not polled */
	CHECK_EQ(EVENTS(stage, 0x10, 8), 0);
	CHECK_EQ(lf_get_be64(data), 0x0006045000020000); /* nothing new */
	CHECK_EQ(EVENTS(stage, 0x00, 8), 0);
	CHECK_EQ(MOVED(stage), 4);
	CHECK_EQ(lf_get_be32(data), 0x00028050);
	CHECK_EQ(EVENTS(stage, 0x0a, 8), 0); /* classes that are not there */
	CHECK_EQ(lf_get_be32(data), 0x00028050);
	CHECK_EQ(EVENTS(stage, 0x40, 8), 0); /* never busy */
	CHECK_EQ(lf_get_be64(data), 0x0006065000000000);
	stage_take_out(stage, false);
	stage_put_in(stage, DVD_SECTORS);
	CHECK_EQ(EVENTS(stage, 0x40, 8), 0);
	CHECK_EQ(lf_get_be64(data), 0x0006065000000000); /* not asked for */
	CHECK_EQ(EVENTS(stage, 0x7e, 4), 0);             /* no room: it stays */
	CHECK_EQ(lf_get_be32(data), 0x00060450);
	CHECK_EQ(EVENTS(stage, 0x7e, 8), 0);
	CHECK_EQ(lf_get_be64(data), 0x0006045003020000);
	CHECK_EQ(EVENTS(stage, 0x7e, 8), 0);
	CHECK_EQ(lf_get_be64(data), 0x0006045002020000);
	CHECK_EQ(EVENTS(stage, 0x7e, 8), 0);
	CHECK_EQ(lf_get_be64(data), 0x0006045000020000);
	CHECK_EQ(CONFIGURATION(stage, 0, 0, 8), 0); /* goes by the unit attention */
	CHECK_EQ(lf_get_be16(data + 6), 0x10);
	CHECK_EQ(RUN(stage, 0, 0, 0, 0, 0, 0), LF_SENSE(6, 0x28, 0));
	CHECK_EQ(RUN(stage, 0, 0, 0, 0, 0, 0), 0);
	stage_close(stage);
}

TEST(other_units_are_none_of_its_attentions)
{
	struct stage *stage = stage_cdrom(CD_SECTORS);
	lf_ua_raise(stage->lu, LF_UA_REPORTED_LUNS_CHANGED, NULL);
	CHECK_EQ(RUN(stage, 0, 0, 0, 0, 0, 0), 0);
	stage_close(stage);
}

/* ---- Structures, performance, keys ---- */

#define STRUCTURE(stage, media, layer, format, length)                                                       \
	RUN_IN(stage, length, 0xad, media, 0, 0, 0, 0, layer, format, (length) >> 8, (length)&0xff, 0, 0)

TEST(structures_of_a_dvd)
{
	struct stage *stage = stage_cdrom(DVD_SECTORS);
	const uint8_t *data = stage->data;
	CHECK_EQ(STRUCTURE(stage, 0, 0, 0, 4096), 0);
	CHECK_EQ(MOVED(stage), 2052);
	CHECK(memcmp(data, "\x08\x02\x00\x00\x01\x02\x01\x00\x00\x03\x00\x00", 12) == 0);
	CHECK_EQ(lf_get_be64(data + 12), (uint64_t)(0x30000 + DVD_SECTORS - 1) << 32);
	for (uint32_t i = 20; i < 2052; i++)
		CHECK_EQ(data[i], 0);
	CHECK_EQ(data[2052], CANARY);
	CHECK_EQ(STRUCTURE(stage, 0, 0, 1, 4096), 0);
	CHECK_EQ(MOVED(stage), 8);
	CHECK_EQ(lf_get_be64(data), 0x0006ull << 48);
	CHECK_EQ(STRUCTURE(stage, 0, 0, 4, 4096), 0);
	CHECK_EQ(MOVED(stage), 2052);
	CHECK_EQ(STRUCTURE(stage, 0, 0, 0xff, 4096), 0);
	CHECK_EQ(MOVED(stage), 20);
	CHECK_EQ(lf_get_be16(data), 18);
	CHECK_EQ(STRUCTURE(stage, 0, 0, 2, 4096), LF_SENSE(5, 0x6f, 1));
	CHECK_EQ(STRUCTURE(stage, 0, 0, 3, 4096), INVALID_FIELD);
	CHECK_EQ(STRUCTURE(stage, 0, 1, 0, 4096), INVALID_FIELD);
	CHECK_EQ(STRUCTURE(stage, 1, 0, 0, 4096), INCOMPATIBLE);
	CHECK_EQ(STRUCTURE(stage, 2, 0, 0, 4096), INVALID_FIELD);
	stage_close(stage);
	stage = stage_cdrom(CD_SECTORS);
	CHECK_EQ(STRUCTURE(stage, 0, 0, 0, 4096), INCOMPATIBLE);
	stage_close(stage);
}

/* As a player counts the sectors of two layers with opposite track path. */
TEST(two_layers_add_up)
{
	static const uint32_t sizes[] = {2295105, 2295106, 4173823, 4173824};
	for (uint32_t i = 0; i < lf_count_of(sizes); i++) {
		struct stage *stage = stage_cdrom(sizes[i]);
		CHECK_EQ(STRUCTURE(stage, 0, 1, 0, 4096), 0);
		uint32_t first = lf_get_be32(stage->data + 8), last = lf_get_be32(stage->data + 12);
		uint32_t first_end = lf_get_be32(stage->data + 16);
		CHECK_EQ(stage->data[6], 0x31);
		CHECK_EQ(first_end - first + 1 + last - (~first_end & 0xffffff) + 1, sizes[i]);
		CHECK_EQ((first_end + 1) % 16, 0);
		stage_close(stage);
	}
}

TEST(performance)
{
	struct stage *stage = stage_cdrom(CD_SECTORS);
	const uint8_t *data = stage->data;
#define PERFORMANCE(how, count, type) RUN_IN(stage, 256, 0xac, how, 0, 0, 0, 5, 0, 0, 0, count, type, 0)
	CHECK_EQ(PERFORMANCE(0x10, 10, 0), 0);
	CHECK_EQ(MOVED(stage), 24);
	CHECK_EQ(lf_get_be64(data), 20ull << 32);
	CHECK_EQ(lf_get_be64(data + 8), 5ull << 32 | 8467);
	CHECK_EQ(lf_get_be64(data + 16), (uint64_t)(CD_SECTORS - 1) << 32 | 8467);
	CHECK_EQ(PERFORMANCE(0x10, 0, 0), 0); /* the header alone */
	CHECK_EQ(MOVED(stage), 8);
	CHECK_EQ(lf_get_be32(data), 20);
	CHECK_EQ(PERFORMANCE(0x11, 10, 0), 0); /* no exceptions */
	CHECK_EQ(lf_get_be64(data), 4ull << 32 | 0x01000000);
	CHECK_EQ(PERFORMANCE(0x00, 10, 0), INVALID_FIELD);
	CHECK_EQ(PERFORMANCE(0x14, 10, 0), INVALID_FIELD);
	CHECK_EQ(PERFORMANCE(0x00, 10, 3), 0); /* no speed to write with */
	CHECK_EQ(MOVED(stage), 8);
	CHECK_EQ(PERFORMANCE(0x00, 10, 1), INVALID_FIELD);
	CHECK_EQ(RUN_OUT(stage, 28, 0xb6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 28, 0), 0);
	CHECK_EQ(RUN_OUT(stage, 28, 0xb6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 27, 0), LF_SENSE(5, 0x1a, 0));
	CHECK_EQ(RUN_OUT(stage, 28, 0xb6, 0, 0, 0, 0, 0, 0, 0, 5, 0, 28, 0), INVALID_FIELD);
	CHECK_EQ(RUN(stage, 0xa7, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0), 0);
	stage_close(stage);
}

TEST(keys)
{
	struct stage *stage = stage_cdrom(DVD_SECTORS);
#define KEY(class, format) RUN_IN(stage, 8, 0xa4, 0, 0, 0, 0, 0, 0, class, 0, 8, format, 0)
	CHECK_EQ(KEY(0, 0x08), 0);
	CHECK_EQ(lf_get_be64(stage->data), 0x000600002cff0100);
	CHECK_EQ(KEY(0, 0x3f), 0);
	CHECK_EQ(MOVED(stage), 0);
	CHECK_EQ(KEY(0, 0x00), LF_SENSE(5, 0x6f, 0));
	CHECK_EQ(KEY(0, 0x44), LF_SENSE(5, 0x6f, 1));
	CHECK_EQ(KEY(0, 0x07), INVALID_FIELD);
	CHECK_EQ(KEY(2, 0x08), INVALID_FIELD);
	stage_close(stage);
}

/* ---- Mode pages ---- */

TEST(mode_pages_of_a_drive)
{
	static const uint8_t codes[] = {0x01, 0x0d, 0x0e, 0x1a, 0x1d, 0x2a};
	struct stage *stage = stage_cdrom(CD_SECTORS);
	const uint8_t *data = stage->data;
	uint32_t at = 12;
	CHECK_EQ(RUN_IN(stage, 252, 0x1a, 0, 0x3f, 0, 252, 0), 0);
	CHECK_EQ(MOVED(stage), data[0] + 1u);
	CHECK(memcmp(data + 1, "\x00\x80\x08\x00\x00\x13\x88\x00\x00\x08\x00", 11) == 0); /* WP; blocks */
	for (uint32_t i = 0; i < lf_count_of(codes); i++) {
		CHECK_EQ(data[at], codes[i]);
		at += 2u + data[at + 1];
	}
	CHECK_EQ(at, MOVED(stage));
	CHECK_EQ(RUN_IN(stage, 128, 0x5a, 8, 0x2a, 0, 0, 0, 0, 0, 128, 0), 0);
	CHECK_EQ(MOVED(stage), 8 + 26);
	CHECK(memcmp(data, "\x00\x20\x00\x80\x00\x00\x00\x00\x2a\x18\x0b\x00\x40\x00\x29\x00\x21\x13", 18) ==
		0);
	CHECK_EQ(RUN(stage, 0x1e, 0, 0, 0, 1, 0), 0); /* prevents removal: locked */
	CHECK_EQ(RUN_IN(stage, 128, 0x1a, 8, 0x2a, 0, 128, 0), 0);
	CHECK_EQ(data[4 + 6], 0x2b);
	CHECK_EQ(RUN_IN(stage, 128, 0x1a, 0, 0x08, 0, 128, 0), INVALID_FIELD);
	CHECK_EQ(RUN_IN(stage, 12, 0x1a, 0, 0x00, 0, 12, 0), 0);
	CHECK_EQ(MOVED(stage), 12);
	stage_take_out(stage, true);
	CHECK_EQ(RUN_IN(stage, 12, 0x1a, 0, 0x2a, 0, 12, 0), 0);
	CHECK_EQ(lf_get_be32(data + 4), 0);
	stage_close(stage);
}

TEST(volume_and_retries_are_taken)
{
	static const uint8_t volume[] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0x0e, 0x0e, 4, 0, 0, 0, 0, 0, 1, 0x80, 2, 0x40};
	static const uint8_t retries[] = {0, 0, 0, 0, 0x01, 0x0a, 0x20, 0x05};
	struct stage *stage = stage_cdrom(CD_SECTORS);
	memset(stage->data, 0, 64);
	memcpy(stage->data, volume, sizeof(volume));
	CHECK_EQ(RUN_OUT(stage, 24, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 24, 0), 0);
	CHECK_EQ(RUN_IN(stage, 64, 0x5a, 8, 0x0e, 0, 0, 0, 0, 0, 64, 0), 0);
	CHECK_EQ(lf_get_be32(stage->data + 16), 0x01800240);
	memset(stage->data, 0, 64);
	memcpy(stage->data, retries, sizeof(retries));
	CHECK_EQ(RUN_OUT(stage, 16, 0x15, 0x10, 0, 0, 16, 0), 0);
	CHECK_EQ(RUN_IN(stage, 64, 0x1a, 8, 0x01, 0, 64, 0), 0);
	CHECK_EQ(lf_get_be32(stage->data + 4), 0x010a2005);
	stage_close(stage);
}
