/* SPDX-License-Identifier: BSD-2-Clause */
/* modes.h: the table of mode pages, and what MODE SENSE and MODE SELECT share (SPC-4 6.11, 6.13, 7.5). */
#ifndef LF_CORE_MODES_H
#define LF_CORE_MODES_H

#include "core/handlers.h"

#define LF_MODE_PAGE_LONGEST 64

/*
 * One page of the table, which is in ascending order of code and subpage, the order of a reply with all of
 * them. Bytes hold the whole page as it goes over the wire, PS zero; page_0 format when the subpage is zero.
 */
struct lf_mode_page {
	uint32_t types; /* LF_CMD_DISK, LF_CMD_CDROM: which units have it */
	uint8_t code, subpage;
	uint8_t length;                           /* of the whole page */
	uint8_t bytes[LF_MODE_PAGE_LONGEST];      /* the defaults */
	uint8_t changeable[LF_MODE_PAGE_LONGEST]; /* bits that MODE SELECT may change, from byte 0 */
	uint8_t fleeting[4];                      /* changeable bits that are never saved */
	/* Puts facts that the table cannot know into a page of current, default or saved values. May be NULL.
	 */
	void (*fill)(const struct lf_lu *lu, uint8_t *page);
	/* The byte of a page whose changeable bits make no sense; 0: all do. May be NULL. */
	uint32_t (*check)(const uint8_t *page);
	/* The values are current from now on; lu->lock is held. May be NULL. */
	void (*apply)(struct lf_lu *lu, const uint8_t *page);
};

/*
 * The next page of the unit, after that one; NULL: the first; returns NULL past the last. *at: where its
 * bytes are in each array of struct lf_modes.
 */
const struct lf_mode_page *lf_mode_page_next(
	const struct lf_lu *lu, const struct lf_mode_page *page, uint32_t *at);

/* Its bit in lf_modes.touched. */
uint32_t lf_mode_page_bit(const struct lf_mode_page *page);
/* What was copied to the current values takes effect, on the pages of these bits. lu->lock is held. */
void lf_modes_apply_locked(struct lf_lu *lu, uint32_t touched);

/* The store takes what is saved. */
bool lf_modes_can_save(const struct lf_lu *lu);
/* The wanted values are the saved ones from now on: they are on stable storage. */
void lf_modes_were_saved(struct lf_lu *lu);
/* The wanted values turn the write cache off. */
bool lf_modes_drop_cache(const struct lf_lu *lu);

/* Which form of MODE SENSE or MODE SELECT. */
static inline bool lf_mode_is_ten(const struct lf_request *request)
{
	return (request->cdb[0] & 0x40) != 0; /* 55h, 5Ah against 15h, 1Ah */
}

#endif
