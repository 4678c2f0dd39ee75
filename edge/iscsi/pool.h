/* SPDX-License-Identifier: BSD-2-Clause */
/* pool.h: the memory for commands' data on one loop: a slice of the budget, dealt out in pages, and promises.
 */
#ifndef LF_ISCSI_POOL_H
#define LF_ISCSI_POOL_H

#include "core/io.h"

#define ISCSI_PAGE         4096u
#define ISCSI_POOL_ORDERS  9 /* blocks of 1 to 256 pages: 1 MiB in one piece */
#define ISCSI_SEGMENTS_MAX 64

/*
 * A buddy allocator over one piece of memory, so that taking and giving never fails for any other reason
 * than that the budget is used up, and never asks the system. The lists stand beside the pages, which stay
 * untouched until data comes. One thread only.
 *
 * It has two halves, which never share a block. Promises are kept from the lower one; anything else comes
 * from the upper one, or from what is neither lent nor promised of the lower. So the many small pieces that
 * were promised cannot tear up the upper half: with nothing lent of it, it serves whatever is not larger.
 */
struct iscsi_pool {
	uint8_t *memory;
	uint32_t page_count, lower_count;
	uint32_t free_pages[2]; /* of the lower half, and of the upper */
	uint32_t promised;      /* of the lower half's free pages: only a holder of a promise may take them */
	struct iscsi_pool_page {
		uint32_t next, previous; /* in its order's list, by page number */
		uint8_t order;           /* of the block that begins here */
		bool is_free;            /* a free block begins here */
	} * pages;
	uint32_t first[2][ISCSI_POOL_ORDERS];
};

/* False when memory is short. size is rounded down to pages. */
bool lf_iscsi_pool_init(struct iscsi_pool *pool, uint64_t size_bytes);
void lf_iscsi_pool_fini(struct iscsi_pool *pool);

static inline uint32_t iscsi_pages(uint64_t bytes)
{
	return (uint32_t)((bytes + ISCSI_PAGE - 1) / ISCSI_PAGE);
}

/* Pages that may be promised, or lent instead. */
static inline uint32_t iscsi_pool_unpromised(const struct iscsi_pool *pool)
{
	return pool->free_pages[0] - pool->promised;
}

/* Reserves pages for later; false when they are not there. Taken back with lf_iscsi_pool_unpromise. */
bool lf_iscsi_pool_promise(struct iscsi_pool *pool, uint32_t pages);
void lf_iscsi_pool_unpromise(struct iscsi_pool *pool, uint32_t pages);

/*
 * Takes pages as segments, added behind the *count that are there already, ISCSI_SEGMENTS_MAX at most. All
 * or nothing: false when they are not free in one half, or lie in too many pieces.
 */
bool lf_iscsi_pool_take(
	struct iscsi_pool *pool, uint32_t pages, struct lf_segment *segments, uint32_t *count);
/* The same for pages whose promise was taken back just now. */
bool lf_iscsi_pool_take_promised(
	struct iscsi_pool *pool, uint32_t pages, struct lf_segment *segments, uint32_t *count);
void lf_iscsi_pool_give(struct iscsi_pool *pool, struct lf_segment *segments, uint32_t count);

#endif
