/* SPDX-License-Identifier: BSD-2-Clause */
/* disc.c: which disc an image is, what is where on it, and the arithmetic of minutes, seconds and frames. */
#include "core/adapter.h"
#include "core/disc.h"

/*
 * Which kind of disc has room for an image: 80 minutes of CD, two layers of DVD. More than any BD holds is a
 * BD all the same: initiators ask the capacity, not the book.
 */
#define CD_SECTORS_MAX  360000u
#define DVD_SECTORS_MAX 4173824u

#define FRAMES_PER_SECOND 75u
#define SECONDS           60u
#define MSF_END           (100u * SECONDS * FRAMES_PER_SECOND) /* one past 99:59:74 */

/* Sectors between the lead-out of a session and the first track of the next: lead-out, lead-in, pregap. */
#define GAP_AFTER_FIRST_SESSION (6750u + 4500u + LF_DISC_PREGAP)
#define GAP_AFTER_SESSION       (2250u + 4500u + LF_DISC_PREGAP)

enum lf_error lf_disc_check(const struct lf_store_info *info, struct lf_message *message)
{
	if (info->block_size != LF_SECTOR_BYTES) {
		lf_message_set(message, "no disc with blocks of %u bytes: a CD-ROM has %u", info->block_size,
			LF_SECTOR_BYTES);
		return LF_E_INVALID;
	}
	if (info->block_count > LF_CDROM_BLOCKS_MAX) {
		lf_message_set(message, "too large for a disc: 8 TiB are possible: connect it as a disk");
		return LF_E_RANGE;
	}
	return LF_OK;
}

void lf_disc_from_image(struct lf_disc *disc, const struct lf_store_info *info)
{
	memset(disc, 0, sizeof(*disc));
	if (info == NULL)
		return;
	lf_assert(info->block_size == LF_SECTOR_BYTES && info->block_count <= LF_CDROM_BLOCKS_MAX);
	disc->leadout = (uint32_t)info->block_count;
	disc->profile = disc->leadout <= CD_SECTORS_MAX    ? LF_PROFILE_CD_ROM
			: disc->leadout <= DVD_SECTORS_MAX ? LF_PROFILE_DVD_ROM
							   : LF_PROFILE_BD_ROM;
	disc->session_count = disc->track_count = 1;
	disc->tracks[0] = (struct lf_disc_track){.number = 1,
		.session = 1,
		.control = LF_CONTROL_DATA,
		.mode = LF_TRACK_MODE_1,
		.length = disc->leadout,
		.sector_size = LF_SECTOR_BYTES};
}

const struct lf_disc_track *lf_disc_track(const struct lf_disc *disc, uint32_t number)
{
	for (uint32_t i = 0; i < disc->track_count; i++)
		if (disc->tracks[i].number == number)
			return &disc->tracks[i];
	return NULL;
}

const struct lf_disc_track *lf_disc_track_at(const struct lf_disc *disc, uint32_t lba)
{
	for (uint32_t i = 0; i < disc->track_count; i++) {
		const struct lf_disc_track *track = &disc->tracks[i];
		if (lba >= track->start && lba - track->start < track->length)
			return track;
	}
	return NULL;
}

const struct lf_disc_track *lf_disc_first_of(const struct lf_disc *disc, uint32_t session)
{
	const struct lf_disc_track *track = disc->tracks;

	lf_assert(session >= 1 && session <= disc->session_count);
	while (track->session != session)
		track++;
	return track;
}

const struct lf_disc_track *lf_disc_last_of(const struct lf_disc *disc, uint32_t session)
{
	const struct lf_disc_track *track = &disc->tracks[disc->track_count - 1];

	lf_assert(session >= 1 && session <= disc->session_count);
	while (track->session != session)
		track--;
	return track;
}

uint32_t lf_disc_leadout_of(const struct lf_disc *disc, uint32_t session)
{
	if (session == disc->session_count)
		return disc->leadout;
	return lf_disc_first_of(disc, session + 1)->start -
	       (session == 1 ? GAP_AFTER_FIRST_SESSION : GAP_AFTER_SESSION);
}

uint8_t lf_bcd(uint32_t number)
{
	return (uint8_t)(number / 10 << 4 | number % 10);
}

void lf_msf_put(uint8_t *to, uint32_t lba)
{
	uint32_t frames = lba + LF_DISC_PREGAP; /* wraps to what it is for LBAs before 0 */

	if (frames >= MSF_END) {
		to[0] = 0xff;
		to[1] = SECONDS - 1;
		to[2] = FRAMES_PER_SECOND - 1;
		return;
	}
	to[0] = (uint8_t)(frames / FRAMES_PER_SECOND / SECONDS);
	to[1] = (uint8_t)(frames / FRAMES_PER_SECOND % SECONDS);
	to[2] = (uint8_t)(frames % FRAMES_PER_SECOND);
}

void lf_msf_put_bcd(uint8_t *to, uint32_t lba)
{
	lf_msf_put(to, lba);
	for (uint32_t i = 0; i < 3; i++)
		to[i] = to[i] == 0xff ? 0xff : lf_bcd(to[i]);
}

bool lf_msf_get(const uint8_t *from, uint32_t *lba)
{
	if (from[0] >= 100 || from[1] >= SECONDS || from[2] >= FRAMES_PER_SECOND)
		return false;
	*lba = (from[0] * SECONDS + from[1]) * FRAMES_PER_SECOND + from[2] - LF_DISC_PREGAP;
	return true;
}
