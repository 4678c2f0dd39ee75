/* SPDX-License-Identifier: BSD-2-Clause */
/* disc.h: what is on an optical disc: sessions, tracks and the kinds of their sectors; addresses as MSF. */
#ifndef LF_CORE_DISC_H
#define LF_CORE_DISC_H

#include "core/io.h"

#define LF_DISC_TRACKS_MAX 99
#define LF_SECTOR_BYTES    2048u /* user data of a Mode 1 sector, and all that READ (10) knows */
#define LF_SECTOR_RAW      2352u
#define LF_DISC_PREGAP     150u /* sectors from 00:00:00 to LBA 0 */

/* MMC-6 5.3.1. */
enum lf_profile {
	LF_PROFILE_NONE = 0x0000,
	LF_PROFILE_CD_ROM = 0x0008,
	LF_PROFILE_DVD_ROM = 0x0010,
	LF_PROFILE_BD_ROM = 0x0040,
};

enum lf_track_mode { LF_TRACK_AUDIO, LF_TRACK_MODE_1, LF_TRACK_MODE_2 };

/* CONTROL of the Q sub-channel: MMC-6 table "CONTROL field". */
#define LF_CONTROL_DATA 0x4
#define LF_ADR_POSITION 0x10 /* ADR 1, above CONTROL: Q holds a position */

struct lf_disc_track {
	uint8_t number, session; /* from 1 */
	uint8_t control;         /* four bits */
	uint8_t mode;            /* enum lf_track_mode */
	uint32_t start, length;  /* LBA of its first sector, sectors; its pregap left out */
	uint32_t sector_size;    /* bytes that the store has of each sector */
	uint64_t offset_bytes;   /* where in the store the first one is */
};

/* Tracks by ascending number and session. Without a medium all is zero. */
struct lf_disc {
	enum lf_profile profile;
	uint32_t session_count, track_count;
	uint32_t leadout; /* of the last session: LBA, one past the last sector that can be read */
	struct lf_disc_track tracks[LF_DISC_TRACKS_MAX];
};

/* Whether an image with these facts can be a disc; if not, why. */
enum lf_error lf_disc_check(const struct lf_store_info *info, struct lf_message *message);
/* An image of nothing but 2048-byte sectors: one session with one data track. NULL: no medium. */
void lf_disc_from_image(struct lf_disc *disc, const struct lf_store_info *info);

/* NULL when there is none of that number. */
const struct lf_disc_track *lf_disc_track(const struct lf_disc *disc, uint32_t number);
/* The track that holds the sector, or NULL: a gap, or beyond the end. */
const struct lf_disc_track *lf_disc_track_at(const struct lf_disc *disc, uint32_t lba);
/* Tracks of a session that exists. */
const struct lf_disc_track *lf_disc_first_of(const struct lf_disc *disc, uint32_t session);
const struct lf_disc_track *lf_disc_last_of(const struct lf_disc *disc, uint32_t session);
/* Where the lead-out of a session starts. */
uint32_t lf_disc_leadout_of(const struct lf_disc *disc, uint32_t session);

/* A number below 100 as two decimal digits. */
uint8_t lf_bcd(uint32_t number);
/* Minute, second, frame of a sector, or FF:3B:4A when no CD is so long. LBAs before 0 are negative numbers.
 */
void lf_msf_put(uint8_t *to, uint32_t lba);
/* The same as decimal digits. */
void lf_msf_put_bcd(uint8_t *to, uint32_t lba);
/* False when it is no address. */
bool lf_msf_get(const uint8_t *from, uint32_t *lba);

#endif
