/* SPDX-License-Identifier: BSD-2-Clause */
/* cdrom_features.c: GET CONFIGURATION: the profiles and features of a read-only drive (MMC-6 5, 6.5). */
#include "core/handlers.h"

#define HEADER       8u
#define FEATURE_MOST 40u

/* The disc that is in, for which some features are current; NONE stands for all, and for none at all. */
static enum lf_profile current_profile(const struct lf_lu *lu)
{
	return lf_cdrom_is_loaded(lu) ? lu->disc.profile : LF_PROFILE_NONE;
}

/* ---- Each fills in what follows the four bytes of a feature's header; returns its length, whole words ----
 */

/* Profiles, the best first (MMC-6 5.3.1). */
static uint32_t profile_list(const struct lf_lu *lu, uint8_t *to)
{
	static const enum lf_profile profiles[] = {LF_PROFILE_BD_ROM, LF_PROFILE_DVD_ROM, LF_PROFILE_CD_ROM};

	for (uint32_t i = 0; i < lf_count_of(profiles); i++) {
		lf_put_be16(to + 4 * (size_t)i, (uint16_t)profiles[i]);
		to[4 * i + 2] = profiles[i] == current_profile(lu);
	}
	return 4 * lf_count_of(profiles);
}

static uint32_t core(const struct lf_lu *lu, uint8_t *to)
{
	(void)lu;
	lf_put_be32(to, 1); /* physical interface: the SCSI family */
	to[4] = 0x03;       /* INQ2, DBE */
	return 8;
}

/* Nothing asynchronous; operational changes have no events: a medium that comes tells as much. */
static uint32_t morphing(const struct lf_lu *lu, uint8_t *to)
{
	(void)lu;
	(void)to;
	return 4;
}

static uint32_t removable_medium(const struct lf_lu *lu, uint8_t *to)
{
	(void)lu;
	to[0] = 0x39; /* a tray; it loads, ejects and locks */
	return 4;
}

static uint32_t random_readable(const struct lf_lu *lu, uint8_t *to)
{
	enum lf_profile profile = current_profile(lu);

	lf_put_be32(to, LF_SECTOR_BYTES);
	/* Sectors of an ECC block. */
	lf_put_be16(to + 4, profile == LF_PROFILE_BD_ROM ? 32 : profile == LF_PROFILE_DVD_ROM ? 16 : 1);
	to[6] = 0x01; /* PP: mode page 01h is there */
	return 8;
}

static uint32_t nothing_more(const struct lf_lu *lu, uint8_t *to)
{
	(void)lu;
	(void)to;
	return 0;
}

/* CD Read, DVD Read, Timeout: none of the options. */
static uint32_t four_zeros(const struct lf_lu *lu, uint8_t *to)
{
	(void)lu;
	(void)to;
	return 4;
}

/* Of the classes of BD-RE, BD-R and BD-ROM (MMC-6 5.3.21) only the last one's class 0, version 1. */
static uint32_t bd_read(const struct lf_lu *lu, uint8_t *to)
{
	(void)lu;
	lf_put_be16(to + 20, 0x0002);
	return 28;
}

static uint32_t real_time_streaming(const struct lf_lu *lu, uint8_t *to)
{
	(void)lu;
	to[0] = 0x08; /* SCS: SET CD SPEED */
	return 4;
}

static uint32_t serial_number(const struct lf_lu *lu, uint8_t *to)
{
	uint32_t length = (uint32_t)strlen(lu->serial), padded = (length + 3) / 4 * 4;

	memset(to, ' ', padded);
	memcpy(to, lu->serial, length);
	return padded;
}

/* For which discs a feature is current. */
enum { FOR_CD = 1, FOR_DVD = 2, FOR_BD = 4, FOR_ALL = 7, ALWAYS = 8 };

/*
 * By ascending code, which is the order of a reply. No audio is played, nothing is written, and no disc is
 * encrypted: those features are not there, as Windows makes much of them.
 */
static const struct feature {
	uint16_t code;
	uint8_t version, current_for;
	uint32_t (*fill)(const struct lf_lu *lu, uint8_t *to);
} features[] = {
	{0x0000, 0, ALWAYS, profile_list},
	{0x0001, 2, ALWAYS, core},
	{0x0002, 1, ALWAYS, morphing},
	{0x0003, 2, ALWAYS, removable_medium},
	{0x0010, 0, FOR_ALL, random_readable},
	{0x001d, 0, FOR_CD, nothing_more}, /* Multi-Read */
	{0x001e, 2, FOR_CD, four_zeros},   /* CD Read */
	{0x001f, 1, FOR_DVD, four_zeros},  /* DVD Read */
	{0x0040, 0, FOR_BD, bd_read},
	{0x0100, 0, ALWAYS, nothing_more}, /* Power Management */
	{0x0105, 1, ALWAYS, four_zeros},   /* Timeout */
	{0x0107, 4, FOR_DVD | FOR_BD, real_time_streaming},
	{0x0108, 0, ALWAYS, serial_number},
};

static bool is_current(const struct feature *feature, enum lf_profile profile)
{
	if (feature->current_for & ALWAYS)
		return true;
	switch (profile) {
	case LF_PROFILE_CD_ROM:
		return (feature->current_for & FOR_CD) != 0;
	case LF_PROFILE_DVD_ROM:
		return (feature->current_for & FOR_DVD) != 0;
	case LF_PROFILE_BD_ROM:
		return (feature->current_for & FOR_BD) != 0;
	case LF_PROFILE_NONE:
		break;
	}
	return false;
}

static uint32_t put_feature(const struct lf_lu *lu, const struct feature *feature, bool current, uint8_t *to)
{
	memset(to, 0, FEATURE_MOST);
	uint32_t length = feature->fill(lu, to + 4);

	lf_assert(length % 4 == 0 && 4 + length <= FEATURE_MOST);
	lf_put_be16(to, feature->code);
	to[2] = (uint8_t)(feature->version << 2 | (feature->current_for & ALWAYS ? 0x02 : 0) | current);
	to[3] = (uint8_t)length;
	return 4 + length;
}

void lf_cdrom_configuration(struct lf_lu *lu, struct lf_request *request)
{
	enum { ALL, CURRENT, ONE };
	uint8_t reply[HEADER + lf_count_of(features) * FEATURE_MOST] = {0};
	uint32_t type = request->cdb[1] & 0x03, start = lf_get_be16(request->cdb + 2), length = HEADER;
	enum lf_profile profile = current_profile(lu);

	if (type > ONE) {
		lf_sense_invalid_field_in_cdb(request, 1, 1);
		lf_finish(request);
		return;
	}
	for (uint32_t i = 0; i < lf_count_of(features); i++) {
		const struct feature *feature = &features[i];
		bool current = is_current(feature, profile);
		if (type == ONE ? feature->code != start : feature->code < start)
			continue;
		if (type != CURRENT || current)
			length += put_feature(lu, feature, current, reply + length);
	}
	lf_put_be32(reply, length - 4);
	lf_put_be16(reply + 6, (uint16_t)profile);
	lf_finish_reply(request, reply, length);
}
