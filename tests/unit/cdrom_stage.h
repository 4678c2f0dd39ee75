/* SPDX-License-Identifier: BSD-2-Clause */
/* cdrom_stage.h: a CD-ROM drive on the stage of single commands, with discs of any size. */
#ifndef LF_TEST_CDROM_STAGE_H
#define LF_TEST_CDROM_STAGE_H

#include "tests/test.h"
#include "tests/unit/command_stage.h"

#define CD_SECTORS  5000u
#define DVD_SECTORS 400000u
#define BD_SECTORS  5000000u

#define INVALID_FIELD LF_SENSE(5, 0x24, 0)
#define OUT_OF_RANGE  LF_SENSE(5, 0x21, 0)
#define ILLEGAL_MODE  LF_SENSE(5, 0x64, 0)
#define INCOMPATIBLE  LF_SENSE(5, 0x30, 2)

static inline struct lf_store_info cdrom_info(uint64_t sectors)
{
	return (struct lf_store_info){
		.block_count = sectors, .block_size = 2048, .physical_block_size = 4096, .read_only = true};
}

static inline struct stage *stage_cdrom_in(enum lf_loop_edge_mode mode, uint64_t sectors)
{
	struct lf_store_info info = cdrom_info(sectors);
	return stage_open_as(LF_LU_CDROM, mode, &info, true, NULL, NULL);
}

static inline struct stage *stage_cdrom(uint64_t sectors)
{
	return stage_cdrom_in(LF_LOOP_EDGE_INLINE, sectors);
}

/* The door: START STOP UNIT with LOEJ. What it raises is taken. */
static inline void stage_door(struct stage *stage, bool open)
{
	struct lf_itl *itl = lf_itl_find(stage->nexus, 0);
	enum lf_media_event event;
	enum lf_ua ua;

	(void)RUN(stage, 0x1b, 0, 0, 0, open ? 0x02 : 0x03, 0);
	while (lf_media_event_take(itl, &event))
		;
	while (lf_ua_take(itl, &ua))
		;
}

/* Takes the disc out of the closed drive, for good. */
static inline void stage_medium_done(struct lf_medium_change *change)
{
	(void)change;
}

static inline void stage_take_out(struct stage *stage, bool open)
{
	struct lf_medium_change change = {.force = true, .open_tray = open, .done = stage_medium_done};

	lf_lu_change_medium(stage->lu, &change);
}

static inline void stage_put_in(struct stage *stage, uint64_t sectors)
{
	struct lf_store_info info = cdrom_info(sectors);
	struct lf_medium_change change = {.ops = &kept_ops,
		.store = &stage->store,
		.info = &info,
		.read_only = true,
		.force = true,
		.done = stage_medium_done};

	lf_lu_change_medium(stage->lu, &change);
}

/* Three tracks in two sessions: Mode 1, audio; Mode 1. */
static inline void stage_cd_extra(struct stage *stage)
{
	struct lf_disc *disc = &stage->lu->disc;

	disc->session_count = 2;
	disc->track_count = 3;
	disc->tracks[0].length = 1000;
	disc->tracks[1] = (struct lf_disc_track){.number = 2,
		.session = 1,
		.mode = LF_TRACK_AUDIO,
		.start = 1000,
		.length = 1500,
		.sector_size = 2352};
	disc->tracks[2] = (struct lf_disc_track){.number = 31,
		.session = 2,
		.control = LF_CONTROL_DATA,
		.mode = LF_TRACK_MODE_1,
		.start = 13900,
		.length = 100,
		.sector_size = 2048,
		.offset_bytes = 2048ull * 1000};
	disc->leadout = 14000;
}

#endif
