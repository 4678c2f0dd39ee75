/* SPDX-License-Identifier: BSD-2-Clause */
/* ex.c: pool. Every block is known by its address, with its tag and its size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/storport/nt/internal.h"

struct block {
	struct block *next;
	void *memory;
	size_t bytes;
	ULONG tag;
};

static struct lf_fake_bucket buckets[LF_FAKE_BUCKETS];

__attribute__((constructor)) static void make_buckets(void)
{
	for (uint32_t i = 0; i < LF_FAKE_BUCKETS; i++)
		pthread_mutex_init(&buckets[i].mutex, NULL);
}

PVOID ExAllocatePoolWithTag(POOL_TYPE type, SIZE_T bytes, ULONG tag)
{
	lf_fake_need_irql("ExAllocatePoolWithTag", DISPATCH_LEVEL);
	if (type != NonPagedPoolNx)
		lf_fake_broken(
			"pool of type %d: everything of the driver's is non-paged and non-executable", type);
	if (tag == 0 || bytes == 0)
		lf_fake_broken("ExAllocatePoolWithTag of %zu bytes with tag 0x%x", bytes, tag);
	if (lf_fake_fails(LF_FAKE_POOL))
		return NULL;
	void *memory = malloc(bytes);
	struct block *block = malloc(sizeof(struct block));
	memset(memory, 0xa5, bytes); /* whoever takes it to be zeroed shall see it */
	*block = (struct block){.memory = memory, .bytes = bytes, .tag = tag};
	struct lf_fake_bucket *bucket = &buckets[lf_fake_hash(memory)];
	pthread_mutex_lock(&bucket->mutex);
	block->next = bucket->first;
	bucket->first = block;
	pthread_mutex_unlock(&bucket->mutex);
	return memory;
}

VOID ExFreePoolWithTag(PVOID memory, ULONG tag)
{
	lf_fake_need_irql("ExFreePoolWithTag", DISPATCH_LEVEL);
	struct lf_fake_bucket *bucket = &buckets[lf_fake_hash(memory)];
	pthread_mutex_lock(&bucket->mutex);
	struct block *block = bucket->first, *before = NULL;
	for (; block && block->memory != memory; block = block->next)
		before = block;
	if (!block)
		lf_fake_broken("ExFreePoolWithTag of %p: never allocated, or freed before", memory);
	if (block->tag != tag)
		lf_fake_broken("ExFreePoolWithTag with tag 0x%x of a block with tag 0x%x", tag, block->tag);
	if (before)
		before->next = block->next;
	else
		bucket->first = block->next;
	pthread_mutex_unlock(&bucket->mutex);
	lf_fake_range_is_idle(memory, block->bytes);
	free(block);
	free(memory);
}

static uint64_t count(ULONG tag, bool in_bytes, bool print)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < LF_FAKE_BUCKETS; i++) {
		pthread_mutex_lock(&buckets[i].mutex);
		for (struct block *block = buckets[i].first; block; block = block->next) {
			if (tag && block->tag != tag)
				continue;
			sum += in_bytes ? block->bytes : 1;
			if (print)
				printf("# leak: %zu bytes of pool at %p, tag 0x%x\n", block->bytes,
					block->memory, block->tag);
		}
		pthread_mutex_unlock(&buckets[i].mutex);
	}
	return sum;
}

uint64_t lf_fake_pool_blocks(ULONG tag)
{
	return count(tag, false, false);
}

uint64_t lf_fake_pool_bytes(ULONG tag)
{
	return count(tag, true, false);
}

uint32_t lf_fake_pool_leaks(void)
{
	return (uint32_t)count(0, false, true);
}
