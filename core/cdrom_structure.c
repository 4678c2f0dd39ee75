/* SPDX-License-Identifier: BSD-2-Clause */
/* cdrom_structure.c: READ DISC STRUCTURE, GET PERFORMANCE, SET STREAMING and REPORT KEY (MMC-6 6). */
#include "core/handlers.h"

static void refuse(struct lf_request *request, uint16_t byte, uint8_t bit)
{
	lf_sense_invalid_field_in_cdb(request, byte, bit);
	lf_finish(request);
}

/* ---- READ DISC STRUCTURE (MMC-6 6.22) ---- */

#define STRUCTURE_HEADER 4u
#define DVD_BLOCK        2048u
#define DVD_FIRST        0x030000u /* physical sector number of LBA 0 */
#define DVD_LAYER_MAX    2295104u  /* sectors of a disc with one layer */
#define DVD_SECTOR_MASK  0xffffffu

enum structure_format {
	FORMAT_PHYSICAL = 0x00,
	FORMAT_COPYRIGHT = 0x01,
	FORMAT_DISC_KEY = 0x02,
	FORMAT_MANUFACTURER = 0x04,
	FORMAT_MEDIA_ID = 0x06,
	FORMAT_MEDIA_KEY_BLOCK = 0x07,
	FORMAT_LIST = 0xff,
};

/* Ends the command: two bytes of length, not counting themselves, two reserved, and `bytes`, padded with
 * zeros.
 */
static void finish_structure(
	struct lf_request *request, const uint8_t *bytes, uint32_t bytes_length, uint32_t length)
{
	static const uint8_t zeros[DVD_BLOCK];
	uint8_t header[STRUCTURE_HEADER] = {0};

	lf_put_be16(header, (uint16_t)(STRUCTURE_HEADER + length - 2));
	lf_reply_put(request, 0, header, sizeof(header));
	lf_reply_put(request, STRUCTURE_HEADER, bytes, bytes_length);
	lf_reply_put(request, STRUCTURE_HEADER + bytes_length, zeros, length - bytes_length);
	lf_reply_finish(request, STRUCTURE_HEADER + length);
}

static uint32_t dvd_layers(const struct lf_disc *disc)
{
	return disc->leadout > DVD_LAYER_MAX ? 2 : 1;
}

/*
 * Physical format of a DVD-ROM. Two layers: the second one is read back from where the first ends (opposite
 * track path), and its sector numbers are the first one's inverted.
 */
static void physical_format(const struct lf_disc *disc, struct lf_request *request)
{
	uint8_t bytes[20] = {0x01, 0x02, 0x01}; /* DVD-ROM, version 1; 120 mm, 10.08 Mb/s; embossed */
	uint32_t sectors = disc->leadout, last = DVD_FIRST + sectors - 1, last_of_first = 0;

	if (dvd_layers(disc) == 2) {
		uint32_t first_layer = (sectors / 2 + 15) / 16 * 16; /* whole ECC blocks */
		last_of_first = DVD_FIRST + first_layer - 1;
		last = (~last_of_first & DVD_SECTOR_MASK) + (sectors - first_layer) - 1;
		bytes[2] |= 0x30; /* two layers, opposite */
		bytes[3] = 0x10;  /* 0.293 um per bit */
	}
	lf_put_be32(bytes + 4, DVD_FIRST);
	lf_put_be32(bytes + 8, last);
	lf_put_be32(bytes + 12, last_of_first);
	finish_structure(request, bytes, sizeof(bytes), DVD_BLOCK);
}

/* What may be read: format, RDS, length of the whole structure. */
static void structure_list(struct lf_request *request)
{
	static const struct {
		uint8_t format;
		uint16_t length;
	} list[] = {
		{FORMAT_PHYSICAL, STRUCTURE_HEADER + DVD_BLOCK},
		{FORMAT_COPYRIGHT, STRUCTURE_HEADER + 4},
		{FORMAT_MANUFACTURER, STRUCTURE_HEADER + DVD_BLOCK},
		{FORMAT_LIST, STRUCTURE_HEADER + 4 * 4},
	};
	uint8_t bytes[4 * lf_count_of(list)] = {0};

	for (uint32_t i = 0; i < lf_count_of(list); i++) {
		bytes[4 * i] = list[i].format;
		bytes[4 * i + 1] = 0x40; /* RDS */
		lf_put_be16(bytes + 4 * (size_t)i + 2, list[i].length);
	}
	finish_structure(request, bytes, sizeof(bytes), sizeof(bytes));
}

static void dvd_structure(const struct lf_disc *disc, struct lf_request *request)
{
	static const uint8_t unprotected[4]; /* no copy protection, every region */

	if (request->cdb[6] >= dvd_layers(disc)) {
		refuse(request, 6, LF_NO_BIT);
		return;
	}
	switch (request->cdb[7]) {
	case FORMAT_PHYSICAL:
		physical_format(disc, request);
		return;
	case FORMAT_COPYRIGHT:
		finish_structure(request, unprotected, sizeof(unprotected), sizeof(unprotected));
		return;
	case FORMAT_MANUFACTURER:
		finish_structure(request, NULL, 0, DVD_BLOCK);
		return;
	case FORMAT_LIST:
		structure_list(request);
		return;
	case FORMAT_DISC_KEY:
	case FORMAT_MEDIA_ID:
	case FORMAT_MEDIA_KEY_BLOCK:
		lf_sense_key_not_present(request);
		lf_finish(request);
		return;
	default:
		refuse(request, 7, LF_NO_BIT);
		return;
	}
}

void lf_cdrom_structure(struct lf_lu *lu, struct lf_request *request)
{
	enum { MEDIA_DVD = 0, MEDIA_BD = 1 };
	uint32_t media = request->cdb[1] & 0x0f;

	if (media > MEDIA_BD) {
		refuse(request, 1, 3);
	} else if (lu->disc.profile == LF_PROFILE_DVD_ROM && media == MEDIA_DVD) {
		dvd_structure(&lu->disc, request);
	} else if (lu->disc.profile == LF_PROFILE_BD_ROM && media == MEDIA_BD) {
		refuse(request, 7, LF_NO_BIT); /* what only the lead-in of a real one tells */
	} else {
		lf_sense_incompatible_medium(request);
		lf_finish(request);
	}
}

/* ---- GET PERFORMANCE (MMC-6 6.8), SET STREAMING (6.39) ---- */

enum performance_type { TYPE_PERFORMANCE = 0x00, TYPE_WRITE_SPEED = 0x03 };

/* kB/s of a good drive: CD 48x, DVD 16x, BD 12x. */
static uint32_t speed(enum lf_profile profile)
{
	switch (profile) {
	case LF_PROFILE_DVD_ROM:
		return 22160;
	case LF_PROFILE_BD_ROM:
		return 53946;
	case LF_PROFILE_CD_ROM:
	case LF_PROFILE_NONE:
		break;
	}
	return 8467;
}

/* The same from the first sector to the last: no exceptions, and nothing can be written. */
void lf_cdrom_performance(struct lf_lu *lu, struct lf_request *request)
{
	enum { EXCEPT = 0x03, WRITE = 0x04, TOLERANCE = 0x18, TOLERANCE_10_20 = 0x10 };
	const struct lf_disc *disc = &lu->disc;
	uint8_t reply[LF_PERFORMANCE_BYTES(1)] = {0}, how = request->cdb[1], type = request->cdb[10];
	uint32_t first = lf_get_be32(request->cdb + 2), descriptors = 0;

	if (type != TYPE_PERFORMANCE && type != TYPE_WRITE_SPEED) {
		refuse(request, 10, LF_NO_BIT);
		return;
	}
	if (type == TYPE_PERFORMANCE) {
		if ((how & TOLERANCE) != TOLERANCE_10_20) {
			refuse(request, 1, 4);
			return;
		}
		if ((how & WRITE) || (how & EXCEPT) == EXCEPT) {
			refuse(request, 1, how & WRITE ? 2 : 1);
			return;
		}
		if (first >= disc->leadout) {
			lf_sense_lba_out_of_range(request, first);
			lf_finish(request);
			return;
		}
		descriptors = (how & EXCEPT) == 0;
		reply[4] = (how & EXCEPT) != 0;
		lf_put_be32(reply + 8, first);
		lf_put_be32(reply + 12, speed(disc->profile));
		lf_put_be32(reply + 16, disc->leadout - 1);
		lf_put_be32(reply + 20, speed(disc->profile));
	}
	lf_put_be32(reply, LF_PERFORMANCE_BYTES(descriptors) - 4);
	lf_finish_reply(request, reply, LF_PERFORMANCE_BYTES(descriptors));
}

/* A wish for speed: taken, and changes nothing. */
void lf_cdrom_set_streaming(struct lf_lu *lu, struct lf_request *request)
{
	enum { DESCRIPTOR = 28 };

	(void)lu;
	if (request->cdb[8] != TYPE_PERFORMANCE) {
		refuse(request, 8, LF_NO_BIT);
	} else if (lf_command_length(request) != DESCRIPTOR) {
		lf_sense_list_length_error(request);
		lf_finish(request);
	} else {
		lf_finish_good(request, DESCRIPTOR);
	}
}

/* ---- REPORT KEY (MMC-6 6.28): a drive without a region, and discs without keys ---- */

void lf_cdrom_report_key(struct lf_lu *lu, struct lf_request *request)
{
	enum { AGID = 0x00, CHALLENGE = 0x01, KEY_1 = 0x02, TITLE_KEY = 0x04, ASF = 0x05, RPC_STATE = 0x08 };
	enum { INVALIDATE_AGID = 0x3f };
	/* Region not set: five changes by the vendor are left and four by the user; no region plays; RPC II
	 */
	static const uint8_t rpc_state[8] = {0x00, 0x06, 0x00, 0x00, 0x2c, 0xff, 0x01, 0x00};

	(void)lu;
	if (request->cdb[7] != 0) { /* KEY CLASS: CSS */
		refuse(request, 7, LF_NO_BIT);
		return;
	}
	switch (request->cdb[10] & 0x3f) {
	case RPC_STATE:
		lf_finish_reply(request, rpc_state, sizeof(rpc_state));
		return;
	case INVALIDATE_AGID:
		lf_finish_good(request, 0);
		return;
	case TITLE_KEY:
		lf_sense_key_not_present(request);
		break;
	case AGID:
	case CHALLENGE:
	case KEY_1:
	case ASF:
		lf_sense_authentication_failed(request);
		break;
	default:
		lf_sense_invalid_field_in_cdb(request, 10, 5);
		break;
	}
	lf_finish(request);
}
