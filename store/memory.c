/* SPDX-License-Identifier: BSD-2-Clause */
/* memory.c: a RAM disk; it completes in place. Sparse: what was never written takes no memory. */
#include "store/store.h"
#include "store/trampoline.h"

#include "platform/linux.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PREFIX     "memory:"
#define PAGE_BYTES 4096u

struct lf_store {
	uint8_t *bytes;
	uint64_t size_bytes;
	bool read_only;
};

static _Thread_local struct lf_trampoline trampoline;

/* 0: that is no size. */
static uint64_t parse_size(const char *text)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t size;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	size = strtoull(text, &end, 10);
	if (errno)
		return 0;
	if (*end == '\0')
		return size;
	unit = strchr(units, *end);
	if (!unit || end[1] != '\0')
		return 0;
	uint64_t scale = (uint64_t)1 << 10 * (unit - units + 1);
	return size > UINT64_MAX / scale ? 0 : size * scale;
}

static void describe(
	const struct lf_source *source, uint32_t block_size, uint64_t size_bytes, struct lf_store_info *info)
{
	memset(info, 0, sizeof(*info));
	info->block_size = block_size;
	info->block_count = size_bytes / block_size;
	info->physical_block_size = source->physical_block_size;
	if (!info->physical_block_size)
		info->physical_block_size = lf_max(block_size, PAGE_BYTES);
	info->read_only = source->read_only;
	/* A crash leaves nothing of it, so nothing of a half. */
	info->atomic_max_bytes = source->read_only ? 0 : LF_ATOMIC_MAX_BYTES;
	info->can_unmap = info->unmap_reads_zero = !source->read_only && !source->no_unmap;
	info->unmap_granularity_bytes = info->can_unmap ? PAGE_BYTES : 0;
}

static enum lf_error memory_open(const struct lf_source *source, struct lf_store **opened,
	struct lf_store_info *info, struct lf_message *message)
{
	uint32_t block_size = source->block_size ? source->block_size : 512;
	bool ours = strncmp(source->path, PREFIX, strlen(PREFIX)) == 0;
	uint64_t size_bytes = ours ? parse_size(source->path + strlen(PREFIX)) : 0;
	struct lf_store *store;

	if (size_bytes == 0 || size_bytes % block_size != 0 || size_bytes > INT64_MAX) {
		lf_message_set(message, "%.120s: no size: memory:SIZE, a multiple of the block size %" PRIu32,
			source->path, block_size);
		return LF_E_INVALID;
	}
	store = lf_alloc(sizeof(*store));
	if (store)
		store->bytes = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!store || store->bytes == MAP_FAILED) {
		lf_message_set(message, "%.120s: no memory: make it smaller", source->path);
		lf_free(store);
		return LF_E_NO_MEMORY;
	}
	store->size_bytes = size_bytes;
	store->read_only = source->read_only;
	describe(source, block_size, size_bytes, info);
	*opened = store;
	return LF_OK;
}

static void transfer(struct lf_store *store, const struct lf_io *io)
{
	uint8_t *at = store->bytes + io->offset_bytes;
	uint64_t left_bytes = io->length_bytes;

	for (uint32_t i = 0; left_bytes > 0; i++) {
		size_t now = lf_min(io->segments[i].length, left_bytes);
		if (io->op == LF_OP_READ)
			memcpy(io->segments[i].base, at, now);
		else
			memcpy(at, io->segments[i].base, now);
		at += now;
		left_bytes -= now;
	}
}

/* Whole pages are given back; a private page that was dropped reads zeros. */
static void zero(struct lf_store *store, const struct lf_io *io)
{
	uint64_t from = io->offset_bytes, end = from + io->length_bytes;
	uint64_t first = (from + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES,
		 last = end / PAGE_BYTES * PAGE_BYTES;

	if (first >= last || madvise(store->bytes + first, last - first, MADV_DONTNEED) != 0) {
		memset(store->bytes + from, 0, end - from);
		return;
	}
	memset(store->bytes + from, 0, first - from);
	memset(store->bytes + last, 0, end - last);
}

static void start(struct lf_io *io)
{
	struct lf_store *store = (struct lf_store *)(uintptr_t)io->platform.words[0];

	io->error = LF_OK;
	if (io->op != LF_OP_SAVE) {
		lf_assert(io->offset_bytes <= store->size_bytes);
		lf_assert(io->length_bytes <= store->size_bytes - io->offset_bytes);
	}
	switch (io->op) {
	case LF_OP_READ:
	case LF_OP_WRITE:
		lf_assert(io->op == LF_OP_READ || !store->read_only);
		transfer(store, io);
		break;
	case LF_OP_ZERO:
	case LF_OP_UNMAP:
		lf_assert(!store->read_only);
		zero(store, io);
		break;
	case LF_OP_FLUSH:
		break;
	case LF_OP_SAVE: /* nothing of it outlives the process */
	case LF_OP_MAP:
	case LF_OP_USAGE:
		io->error = LF_E_UNSUPPORTED;
		break;
	}
	io->done(io);
}

static void memory_submit(struct lf_store *store, struct lf_io *io)
{
	io->platform.words[0] = (uintptr_t)store;
	lf_trampoline_run(&trampoline, io, start);
}

static void memory_close(struct lf_store *store)
{
	munmap(store->bytes, store->size_bytes);
	lf_free(store);
}

const struct lf_store_ops lf_store_memory_ops = {
	.name = "memory",
	.open = memory_open,
	.submit = memory_submit,
	.close = memory_close,
};
