/* SPDX-License-Identifier: BSD-2-Clause */
/* pool.c: the driver's memory: each block with its tag and guards, to be found when it is not freed. */
#include "tests/storport/wine/standin/standin.h"

#define MAGIC       0x4c4f4f50 /* "POOL" */
#define GUARD       0xb7
#define GUARD_BYTES 16
#define FRESH       0xa5
#define FREED       0xdd
#define PAGE        4096
#define KEPT_MAX    512
#define KEPT_BYTES  (32u << 20)

struct block {
	LIST_ENTRY link;
	void *memory; /* of the heap */
	SIZE_T bytes;
	ULONG tag;
	ULONG magic;
};

static LIST_ENTRY blocks = {&blocks, &blocks};
static struct standin_lock lock;
static LONG count;
static SIZE_T total;
/* Freed, oldest first: kept for a while, to see who still writes there: the driver, or a file's late read. */
static LIST_ENTRY kept = {&kept, &kept};
static LONG kept_count;
static SIZE_T kept_bytes;

void *standin_allocate(SIZE_T bytes)
{
	return RtlAllocateHeap(standin_heap(), HEAP_ZERO_MEMORY, bytes);
}

void standin_free(void *memory)
{
	RtlFreeHeap(standin_heap(), 0, memory);
}

/* As Windows has it: a page or more begins at a page. */
void *standin_pool_allocate(SIZE_T bytes, ULONG tag)
{
	SIZE_T alignment = bytes >= PAGE ? PAGE : 16;
	char *memory =
		RtlAllocateHeap(standin_heap(), 0, sizeof(struct block) + alignment + bytes + GUARD_BYTES);
	if (!memory)
		return NULL;
	ULONG_PTR at = ((ULONG_PTR)memory + sizeof(struct block) + alignment - 1) & ~(alignment - 1);
	struct block *block = (struct block *)at - 1;
	*block = (struct block){.memory = memory, .bytes = bytes, .tag = tag, .magic = MAGIC};
	memset((void *)at, FRESH, bytes);
	memset((char *)at + bytes, GUARD, GUARD_BYTES);
	standin_lock(&lock);
	InsertTailList(&blocks, &block->link);
	count++;
	total += bytes;
	standin_unlock(&lock);
	return (void *)at;
}

static void give_back(struct block *block)
{
	const UCHAR *memory = (UCHAR *)(block + 1);
	SIZE_T at = 0;
	while (at < block->bytes && memory[at] == FREED)
		at++;
	if (at < block->bytes)
		standin_fail("byte %u of %u of tag %.4s was written after they were freed", (ULONG)at,
			(ULONG)block->bytes, (char *)&block->tag);
	standin_free(block->memory);
}

/* The oldest, while there is more than that. */
static void keep_no_more_than(LONG most, SIZE_T bytes)
{
	for (;;) {
		struct block *oldest = NULL;
		standin_lock(&lock);
		if (kept_count > most || kept_bytes > bytes) {
			oldest = CONTAINING_RECORD(RemoveHeadList(&kept), struct block, link);
			kept_count--;
			kept_bytes -= oldest->bytes;
		}
		standin_unlock(&lock);
		if (!oldest)
			return;
		give_back(oldest);
	}
}

void standin_pool_settle(void)
{
	keep_no_more_than(0, 0);
}

void standin_pool_free(void *memory, ULONG tag)
{
	struct block *block = (struct block *)memory - 1;
	if (!memory || block->magic != MAGIC) {
		standin_fail("memory at %p is freed that is not allocated", memory);
		return;
	}
	if (tag && tag != block->tag)
		standin_fail("memory of tag %.4s is freed by tag %.4s", (char *)&block->tag, (char *)&tag);
	const UCHAR *guard = (UCHAR *)memory + block->bytes;
	for (int i = 0; i < GUARD_BYTES; i++) {
		if (guard[i] != GUARD) {
			standin_fail("%u bytes of tag %.4s: byte %d behind them was written",
				(ULONG)block->bytes, (char *)&block->tag, i);
			break;
		}
	}
	if (standin_timer_within(memory, block->bytes))
		standin_fail(
			"memory of tag %.4s is freed with a timer in it that is set", (char *)&block->tag);
	standin_lock(&lock);
	RemoveEntryList(&block->link);
	count--;
	total -= block->bytes;
	block->magic = 0;
	memset(memory, FREED, block->bytes);
	InsertTailList(&kept, &block->link);
	kept_count++;
	kept_bytes += block->bytes;
	standin_unlock(&lock);
	keep_no_more_than(KEPT_MAX, KEPT_BYTES);
}

SIZE_T standin_pool_report(bool report)
{
	standin_lock(&lock);
	SIZE_T bytes = total;
	for (LIST_ENTRY *at = blocks.Flink; report && at != &blocks; at = at->Flink) {
		struct block *block = CONTAINING_RECORD(at, struct block, link);
		standin_log("pool %.4s %u bytes at %p", (char *)&block->tag, (ULONG)block->bytes, block + 1);
	}
	standin_unlock(&lock);
	return bytes;
}

bool standin_memory_is_short(void)
{
	bool is_short = standin_switch_hit(SWITCH_FAIL_POOL);
	if (is_short)
		standin_log("an allocation fails, as was asked");
	return is_short;
}

static void *NTAPI allocate_pool(POOL_TYPE type, SIZE_T bytes, ULONG tag)
{
	standin_at_most_dispatch("ExAllocatePoolWithTag");
	if (!((ULONG)type & 1)) {
		if (!((ULONG)type & 0x200))
			standin_fail("executable pool of tag %.4s", (char *)&tag);
	} else {
		standin_passive("ExAllocatePoolWithTag of paged pool");
	}
	if (!bytes || !tag)
		standin_fail("ExAllocatePoolWithTag: %u bytes of tag %08x", (ULONG)bytes, tag);
	return standin_memory_is_short() ? NULL : standin_pool_allocate(bytes, tag);
}

static void NTAPI free_pool(void *memory, ULONG tag)
{
	standin_at_most_dispatch("ExFreePoolWithTag");
	standin_pool_free(memory, tag);
}

const struct standin_import standin_pool_imports[] = {
	{"ExAllocatePoolWithTag", allocate_pool},
	{"ExFreePoolWithTag", free_pool},
	{NULL, NULL},
};
