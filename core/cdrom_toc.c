/* SPDX-License-Identifier: BSD-2-Clause */
/* cdrom_toc.c: READ TOC/PMA/ATIP, READ DISC and TRACK INFORMATION, READ SUB-CHANNEL, from the disc (MMC-6).
 */
#include "core/handlers.h"

#define LEADOUT_TRACK 0xaa

static void refuse(struct lf_request *request, uint16_t byte, uint8_t bit)
{
	lf_sense_invalid_field_in_cdb(request, byte, bit);
	lf_finish(request);
}

static uint8_t adr_control(const struct lf_disc_track *track)
{
	return (uint8_t)(LF_ADR_POSITION | track->control);
}

/* Four bytes: an LBA, or 0, minute, second, frame. */
static void put_address(uint8_t *to, uint32_t lba, bool msf)
{
	lf_put_be32(to, lba);
	if (!msf)
		return;
	to[0] = 0;
	lf_msf_put(to + 1, lba);
}

/* ---- READ TOC/PMA/ATIP (MMC-6 6.25) ---- */

#define TOC_HEADER 4u

enum toc_format { TOC_TRACKS, TOC_SESSIONS, TOC_FULL };

/* Two bytes of length, not counting themselves; the first and the last of what is listed. */
static void put_toc_header(const struct lf_request *request, uint64_t length, uint32_t first, uint32_t last)
{
	uint8_t bytes[TOC_HEADER] = {0, 0, (uint8_t)first, (uint8_t)last};

	lf_put_be16(bytes, (uint16_t)(length - 2));
	lf_reply_put(request, 0, bytes, sizeof(bytes));
}

static uint64_t put_toc_track(
	const struct lf_request *request, uint64_t at, uint8_t control, uint32_t number, uint32_t lba)
{
	uint8_t bytes[8] = {0, control, (uint8_t)number};

	put_address(bytes + 4, lba, request->cdb[1] & 0x02);
	lf_reply_put(request, at, bytes, sizeof(bytes));
	return at + sizeof(bytes);
}

/* Tracks from that number on, and the lead-out. */
static void toc_tracks(const struct lf_disc *disc, struct lf_request *request)
{
	const struct lf_disc_track *last = &disc->tracks[disc->track_count - 1];
	uint32_t start = request->cdb[6];
	uint64_t at = TOC_HEADER;

	if (start > last->number && start != LEADOUT_TRACK) {
		refuse(request, 6, LF_NO_BIT);
		return;
	}
	for (uint32_t i = 0; i < disc->track_count; i++) {
		const struct lf_disc_track *track = &disc->tracks[i];
		if (track->number >= start)
			at = put_toc_track(request, at, adr_control(track), track->number, track->start);
	}
	at = put_toc_track(request, at, adr_control(last), LEADOUT_TRACK, disc->leadout);
	put_toc_header(request, at, disc->tracks[0].number, last->number);
	lf_reply_finish(request, at);
}

/* Where the last session begins: from there a file system is read. */
static void toc_sessions(const struct lf_disc *disc, struct lf_request *request)
{
	const struct lf_disc_track *track = lf_disc_first_of(disc, disc->session_count);
	uint64_t at = put_toc_track(request, TOC_HEADER, adr_control(track), track->number, track->start);

	put_toc_header(request, at, 1, disc->session_count);
	lf_reply_finish(request, at);
}

/* An entry of the lead-in's Q sub-channel; what and address are PMIN, PSEC, PFRAME. */
static uint64_t put_toc_point(const struct lf_request *request, uint64_t at,
	const struct lf_disc_track *track, uint8_t point, const uint8_t *address)
{
	uint8_t bytes[11] = {track->session, adr_control(track), 0, point};

	memcpy(bytes + 8, address, 3);
	lf_reply_put(request, at, bytes, sizeof(bytes));
	return at + sizeof(bytes);
}

/* PSEC of point A0h: what kind of disc. */
static uint8_t disc_type(const struct lf_disc *disc)
{
	enum { CD_DA_OR_ROM = 0x00, CD_XA = 0x20 };

	for (uint32_t i = 0; i < disc->track_count; i++)
		if (disc->tracks[i].mode == LF_TRACK_MODE_2)
			return CD_XA;
	return CD_DA_OR_ROM;
}

/* Points are plain numbers, but decimal digits for those who ask as SFF-8020 did: in the CONTROL byte. */
static void toc_full(const struct lf_disc *disc, struct lf_request *request, bool digits)
{
	uint64_t at = TOC_HEADER;
	uint8_t address[3];

	if (request->cdb[6] > disc->session_count) {
		refuse(request, 6, LF_NO_BIT);
		return;
	}
	for (uint32_t session = lf_max(request->cdb[6], 1u); session <= disc->session_count; session++) {
		const struct lf_disc_track *first = lf_disc_first_of(disc, session);
		const struct lf_disc_track *last = lf_disc_last_of(disc, session);
		void (*put)(uint8_t * to, uint32_t lba) = digits ? lf_msf_put_bcd : lf_msf_put;
		uint8_t tracks[2][3] = {{first->number, disc_type(disc)}, {last->number}};
		for (uint32_t i = 0; digits && i < 2; i++)
			tracks[i][0] = lf_bcd(tracks[i][0]);
		at = put_toc_point(request, at, first, 0xa0, tracks[0]);
		at = put_toc_point(request, at, last, 0xa1, tracks[1]);
		put(address, lf_disc_leadout_of(disc, session));
		at = put_toc_point(request, at, last, 0xa2, address);
		for (const struct lf_disc_track *track = first; track <= last; track++) {
			put(address, track->start);
			at = put_toc_point(
				request, at, track, digits ? lf_bcd(track->number) : track->number, address);
		}
	}
	put_toc_header(request, at, 1, disc->session_count);
	lf_reply_finish(request, at);
}

/* A pressed disc has neither PMA nor ATIP, and this one no CD-TEXT. */
void lf_cdrom_toc(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t format = request->cdb[2] & 0x0f, legacy = request->cdb[9] >> 6;

	switch (format != 0 ? format : legacy) {
	case TOC_TRACKS:
		toc_tracks(&lu->disc, request);
		return;
	case TOC_SESSIONS:
		toc_sessions(&lu->disc, request);
		return;
	case TOC_FULL:
		toc_full(&lu->disc, request, format == 0);
		return;
	default:
		break;
	}
	if (format != 0)
		refuse(request, 2, 3);
	else
		refuse(request, 9, 7);
}

/* ---- READ DISC INFORMATION (MMC-6 6.21), data type 000b ---- */

void lf_cdrom_disc_information(struct lf_lu *lu, struct lf_request *request)
{
	const struct lf_disc *disc = &lu->disc;
	uint8_t reply[34] = {0};

	if ((request->cdb[1] & 0x07) != 0) { /* resources for recording */
		refuse(request, 1, 2);
		return;
	}
	lf_put_be16(reply, sizeof(reply) - 2);
	reply[2] = 0x0e; /* the last session, and the disc, are complete */
	reply[3] = disc->tracks[0].number;
	reply[4] = (uint8_t)disc->session_count;
	reply[5] = lf_disc_first_of(disc, disc->session_count)->number;
	reply[6] = lf_disc_last_of(disc, disc->session_count)->number;
	reply[7] = 0x20; /* URU: for any use */
	reply[8] = disc->profile == LF_PROFILE_CD_ROM ? disc_type(disc) : 0xff;
	memset(reply + 16, 0xff, 8); /* no further session: no lead-in, no last possible lead-out */
	lf_finish_reply(request, reply, sizeof(reply));
}

/* ---- READ TRACK INFORMATION (MMC-6 6.26) ---- */

/* The track that the CDB means; NULL when it has set CHECK CONDITION. */
static const struct lf_disc_track *track_meant(const struct lf_disc *disc, struct lf_request *request)
{
	enum { BY_LBA, BY_TRACK, BY_SESSION };
	uint32_t number = lf_get_be32(request->cdb + 2);
	const struct lf_disc_track *track = NULL;

	switch (request->cdb[1] & 0x03) {
	case BY_LBA:
		track = lf_disc_track_at(disc, number);
		if (track == NULL)
			lf_sense_lba_out_of_range(request, number);
		return track;
	case BY_TRACK: /* FFh is the one that is not closed, 0 the lead-in: this disc has neither */
		track = lf_disc_track(disc, number);
		break;
	case BY_SESSION:
		if (number >= 1 && number <= disc->session_count)
			track = lf_disc_first_of(disc, number);
		break;
	default:
		lf_sense_invalid_field_in_cdb(request, 1, 1);
		return NULL;
	}
	if (track == NULL)
		lf_sense_invalid_field_in_cdb(request, 2, LF_NO_BIT);
	return track;
}

static uint8_t data_mode(const struct lf_disc_track *track)
{
	switch ((enum lf_track_mode)track->mode) {
	case LF_TRACK_MODE_1:
		return 1;
	case LF_TRACK_MODE_2:
		return 2;
	case LF_TRACK_AUDIO:
		break;
	}
	return 0x0f;
}

void lf_cdrom_track_information(struct lf_lu *lu, struct lf_request *request)
{
	const struct lf_disc_track *track = track_meant(&lu->disc, request);
	uint8_t reply[36] = {0};

	if (track == NULL) {
		lf_finish(request);
		return;
	}
	lf_put_be16(reply, sizeof(reply) - 2);
	reply[2] = track->number;
	reply[3] = track->session;
	reply[5] = track->control;
	reply[6] = data_mode(track);
	reply[7] = 0x02; /* LRA_V */
	lf_put_be32(reply + 8, track->start);
	lf_put_be32(reply + 24, track->length);
	lf_put_be32(reply + 28, track->start + track->length - 1);
	lf_finish_reply(request, reply, sizeof(reply));
}

/* ---- READ SUB-CHANNEL (MMC-6 6.24): nothing plays, so the head rests where the disc begins ---- */

#define SUB_HEADER      4u
#define NO_AUDIO_STATUS 0x15

/* Fills in what follows the header; 0: it has set CHECK CONDITION. */
static uint32_t put_sub_channel(const struct lf_disc *disc, struct lf_request *request, uint8_t *to)
{
	enum { POSITION = 1, CATALOG_NUMBER = 2, ISRC = 3 };
	const struct lf_disc_track *track = &disc->tracks[0];
	uint8_t format = request->cdb[3];
	bool msf = request->cdb[1] & 0x02;

	to[0] = format;
	switch (format) {
	case POSITION:
		to[1] = adr_control(track);
		to[2] = track->number;
		to[3] = 1; /* INDEX */
		put_address(to + 4, track->start, msf);
		memset(to + 8, 0, 4); /* from the start of the track, as LBA or MSF */
		return 12;
	case CATALOG_NUMBER: /* MCVAL 0: there is none */
		return 20;
	case ISRC:
		track = lf_disc_track(disc, request->cdb[6]);
		if (track == NULL) {
			lf_sense_invalid_field_in_cdb(request, 6, LF_NO_BIT);
			return 0;
		}
		to[1] = adr_control(track);
		to[2] = track->number;
		return 20; /* TCVAL 0 */
	default:
		lf_sense_invalid_field_in_cdb(request, 3, LF_NO_BIT);
		return 0;
	}
}

void lf_cdrom_sub_channel(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t reply[SUB_HEADER + 20] = {0, NO_AUDIO_STATUS};
	uint32_t length = 0;

	if (request->cdb[2] & 0x40) { /* SUBQ */
		length = put_sub_channel(&lu->disc, request, reply + SUB_HEADER);
		if (length == 0) {
			lf_finish(request);
			return;
		}
	}
	lf_put_be16(reply + 2, (uint16_t)length);
	lf_finish_reply(request, reply, SUB_HEADER + length);
}
