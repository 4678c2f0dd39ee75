/* SPDX-License-Identifier: BSD-2-Clause */
/* pool.c: the memory for commands' data on one loop: a buddy allocator whose lists stand beside the pages. */
#include "edge/iscsi/pool.h"

#define NO_PAGE UINT32_MAX

static uint32_t half_of(const struct iscsi_pool *pool, uint32_t page)
{
	return page >= pool->lower_count;
}

static void list_push(struct iscsi_pool *pool, uint32_t page, uint32_t order)
{
	struct iscsi_pool_page *entry = &pool->pages[page];

	entry->order = (uint8_t)order;
	entry->is_free = true;
	entry->previous = NO_PAGE;
	entry->next = pool->first[half_of(pool, page)][order];
	if (entry->next != NO_PAGE)
		pool->pages[entry->next].previous = page;
	pool->first[half_of(pool, page)][order] = page;
}

static void list_remove(struct iscsi_pool *pool, uint32_t page)
{
	struct iscsi_pool_page *entry = &pool->pages[page];

	entry->is_free = false;
	if (entry->next != NO_PAGE)
		pool->pages[entry->next].previous = entry->previous;
	if (entry->previous != NO_PAGE)
		pool->pages[entry->previous].next = entry->next;
	else
		pool->first[half_of(pool, page)][entry->order] = entry->next;
}

bool lf_iscsi_pool_init(struct iscsi_pool *pool, uint64_t size_bytes)
{
	uint64_t page_count = size_bytes / ISCSI_PAGE;
	uint32_t page = 0;

	*pool = (struct iscsi_pool){0};
	if (page_count == 0 || page_count >= NO_PAGE)
		return false;
	pool->memory = lf_alloc((size_t)(page_count * ISCSI_PAGE));
	pool->pages = lf_alloc((size_t)page_count * sizeof(*pool->pages));
	if (pool->memory == NULL || pool->pages == NULL) {
		lf_iscsi_pool_fini(pool);
		return false;
	}
	pool->page_count = (uint32_t)page_count;
	/* Of whole largest blocks, so that none has its buddy in the other half. */
	pool->lower_count = pool->page_count / 2 & ~((1u << (ISCSI_POOL_ORDERS - 1)) - 1);
	pool->free_pages[0] = pool->lower_count;
	pool->free_pages[1] = pool->page_count - pool->lower_count;
	for (uint32_t order = 0; order < ISCSI_POOL_ORDERS; order++)
		pool->first[0][order] = pool->first[1][order] = NO_PAGE;
	/* The largest blocks that are aligned and fit; what is left at the end is in smaller ones. */
	while (page < pool->page_count) {
		uint32_t order = ISCSI_POOL_ORDERS - 1;

		while ((page & ((1u << order) - 1)) != 0 || (1u << order) > pool->page_count - page)
			order--;
		list_push(pool, page, order);
		page += 1u << order;
	}
	return true;
}

void lf_iscsi_pool_fini(struct iscsi_pool *pool)
{
	lf_assert(pool->free_pages[0] + pool->free_pages[1] == pool->page_count);
	lf_free(pool->memory);
	lf_free(pool->pages);
	*pool = (struct iscsi_pool){0};
}

bool lf_iscsi_pool_promise(struct iscsi_pool *pool, uint32_t pages)
{
	if (pages > iscsi_pool_unpromised(pool))
		return false;
	pool->promised += pages;
	return true;
}

void lf_iscsi_pool_unpromise(struct iscsi_pool *pool, uint32_t pages)
{
	lf_assert(pages <= pool->promised);
	pool->promised -= pages;
}

/* A block of this order, or NO_PAGE when there is none so large in one piece. */
static uint32_t take_block(struct iscsi_pool *pool, uint32_t half, uint32_t order)
{
	uint32_t found = order, page;

	while (found < ISCSI_POOL_ORDERS && pool->first[half][found] == NO_PAGE)
		found++;
	if (found == ISCSI_POOL_ORDERS)
		return NO_PAGE;
	page = pool->first[half][found];
	list_remove(pool, page);
	while (found > order) {
		found--;
		list_push(pool, page + (1u << found), found);
	}
	pool->pages[page].order = (uint8_t)order;
	pool->free_pages[half] -= 1u << order;
	return page;
}

static void give_block(struct iscsi_pool *pool, uint32_t page)
{
	uint32_t order = pool->pages[page].order;

	pool->free_pages[half_of(pool, page)] += 1u << order;
	while (order < ISCSI_POOL_ORDERS - 1) {
		uint32_t buddy = page ^ (1u << order);

		if (buddy >= pool->page_count || !pool->pages[buddy].is_free ||
			pool->pages[buddy].order != order)
			break;
		list_remove(pool, buddy);
		page &= ~(1u << order);
		order++;
	}
	list_push(pool, page, order);
}

static uint32_t order_below(uint32_t pages)
{
	uint32_t order = 0;

	while (order < ISCSI_POOL_ORDERS - 1 && (2u << order) <= pages)
		order++;
	return order;
}

static bool take_from(
	struct iscsi_pool *pool, uint32_t half, uint32_t pages, struct lf_segment *segments, uint32_t *count)
{
	uint32_t taken = *count, order = ISCSI_POOL_ORDERS - 1;

	if (pages > (half == 0 ? iscsi_pool_unpromised(pool) : pool->free_pages[1]))
		return false;
	while (pages > 0) {
		uint32_t page = NO_PAGE;

		order = lf_min(order, order_below(pages));
		if (taken < ISCSI_SEGMENTS_MAX)
			page = take_block(pool, half, order);
		if (page != NO_PAGE) {
			segments[taken++] = (struct lf_segment){
				pool->memory + (size_t)page * ISCSI_PAGE, (size_t)ISCSI_PAGE << order};
			pages -= 1u << order;
		} else if (order > 0 && taken < ISCSI_SEGMENTS_MAX) {
			order--;
		} else {
			lf_iscsi_pool_give(pool, segments + *count, taken - *count);
			return false;
		}
	}
	*count = taken;
	return true;
}

bool lf_iscsi_pool_take(struct iscsi_pool *pool, uint32_t pages, struct lf_segment *segments, uint32_t *count)
{
	return take_from(pool, 1, pages, segments, count) || take_from(pool, 0, pages, segments, count);
}

bool lf_iscsi_pool_take_promised(
	struct iscsi_pool *pool, uint32_t pages, struct lf_segment *segments, uint32_t *count)
{
	return take_from(pool, 0, pages, segments, count);
}

void lf_iscsi_pool_give(struct iscsi_pool *pool, struct lf_segment *segments, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		give_block(pool, (uint32_t)(((uint8_t *)segments[i].base - pool->memory) / ISCSI_PAGE));
}
