/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm.c: MDLs. The pages of the tests' buffers are those of one anonymous file: the buffer's own addresses
 * cannot be touched, and each mapping of its MDL is another window, closed again when it is unmapped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/storport/nt/internal.h"

#define PAGES         (1u << 18) /* 1 GiB, of which the host gives what is touched */
#define PFN_ELSEWHERE (1ULL << 62)

struct mapping {
	struct mapping *next;
	MDL *mdl;
	void *window; /* page aligned; NULL: over memory that is always there */
	size_t window_bytes;
};

struct made_buffer {
	struct lf_fake_buffer buffer;
	void *own; /* addresses of its own, PROT_NONE */
	uint32_t first_page, page_count;
};

static struct lf_fake_bucket buckets[LF_FAKE_BUCKETS];
static uint32_t live_mappings; /* by atomics */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of the three below */
static uint8_t *is_used;
static uint32_t next_page, buffers;
static int pages = -1; /* set once, before the first mapping */

__attribute__((constructor)) static void make_pages(void)
{
	for (uint32_t i = 0; i < LF_FAKE_BUCKETS; i++)
		pthread_mutex_init(&buckets[i].mutex, NULL);
	is_used = calloc(PAGES, 1);
	pages = memfd_create("pages", MFD_CLOEXEC);
	if (!is_used || pages < 0 || ftruncate(pages, (off_t)PAGES * PAGE_SIZE))
		abort();
}

/* So many pages in a row. */
static uint32_t take_pages(uint32_t count)
{
	pthread_mutex_lock(&mutex);
	uint32_t run = 0, at = next_page;
	for (uint32_t looked = 0; run < count; looked++, at++) {
		if (at == PAGES)
			at = run = 0;
		run = is_used[at] ? 0 : run + 1;
		if (looked == 2 * PAGES)
			lf_fake_broken("the tests' memory of %u pages is used up", PAGES);
	}
	memset(is_used + at - count, 1, count);
	next_page = at == PAGES ? 0 : at;
	buffers++;
	pthread_mutex_unlock(&mutex);
	return at - count;
}

static void *window_on(uint64_t first_page, size_t page_count)
{
	void *window = mmap(NULL, page_count * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, pages,
		(off_t)(first_page * PAGE_SIZE));
	if (window == MAP_FAILED)
		lf_fake_broken("the host maps no more");
	return window;
}

static size_t span(const MDL *mdl)
{
	return ADDRESS_AND_SIZE_TO_SPAN_PAGES(MmGetMdlVirtualAddress(mdl), mdl->ByteCount);
}

static void check_room(const char *who, const MDL *mdl)
{
	if (mdl->Size < 0 || (size_t)mdl->Size < sizeof(MDL) + span(mdl) * sizeof(PFN_NUMBER))
		lf_fake_broken(
			"%s: an MDL with room of %d bytes describes %zu pages", who, mdl->Size, span(mdl));
}

struct lf_fake_buffer *lf_fake_buffer_make(size_t length, size_t before, size_t after, uint32_t page_offset)
{
	struct made_buffer *made = calloc(1, sizeof(*made));
	size_t all = before + length + after;
	made->page_count = (uint32_t)BYTES_TO_PAGES(page_offset + all);
	made->page_count += made->page_count == 0;
	made->first_page = take_pages(made->page_count);
	made->own = mmap(
		NULL, (size_t)made->page_count * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *view = window_on(made->first_page, made->page_count);
	MDL *mdl = malloc(sizeof(MDL) + made->page_count * sizeof(PFN_NUMBER));
	if (made->own == MAP_FAILED || !mdl)
		lf_fake_broken("the host maps no more");
	MmInitializeMdl(mdl, (char *)made->own + page_offset, all);
	mdl->Process = NULL;
	mdl->MappedSystemVa = NULL;
	mdl->MdlFlags = MDL_PAGES_LOCKED;
	for (uint32_t i = 0; i < made->page_count; i++)
		MmGetMdlPfnArray(mdl)[i] = made->first_page + i;
	made->buffer = (struct lf_fake_buffer){
		mdl, (char *)made->own + page_offset + before, view + page_offset + before, length};
	return &made->buffer;
}

void lf_fake_buffer_free(struct lf_fake_buffer *buffer)
{
	struct made_buffer *made = CONTAINING_RECORD(buffer, struct made_buffer, buffer);
	MDL *mdl = buffer->mdl;
	lf_fake_mdls_are_idle(mdl, sizeof(MDL));
	munmap(PAGE_ALIGN(buffer->bytes - ((char *)buffer->data - (char *)MmGetMdlVirtualAddress(mdl))),
		(size_t)made->page_count * PAGE_SIZE);
	munmap(made->own, (size_t)made->page_count * PAGE_SIZE);
	pthread_mutex_lock(&mutex);
	memset(is_used + made->first_page, 0, made->page_count);
	buffers--;
	pthread_mutex_unlock(&mutex);
	free(mdl);
	free(made);
}

VOID MmBuildMdlForNonPagedPool(MDL *mdl)
{
	lf_fake_need_irql("MmBuildMdlForNonPagedPool", DISPATCH_LEVEL);
	check_room("MmBuildMdlForNonPagedPool", mdl);
	if (mdl->MdlFlags & ~(MDL_ALLOCATED_FIXED_SIZE | MDL_WRITE_OPERATION))
		lf_fake_broken("MmBuildMdlForNonPagedPool on an MDL with flags 0x%x", mdl->MdlFlags);
	mdl->MdlFlags |= MDL_SOURCE_IS_NONPAGED_POOL;
	mdl->MappedSystemVa = MmGetMdlVirtualAddress(mdl);
	mdl->Process = NULL;
	for (size_t i = 0; i < span(mdl); i++)
		MmGetMdlPfnArray(mdl)[i] = PFN_ELSEWHERE | (((uintptr_t)mdl->StartVa >> PAGE_SHIFT) + i);
}

/* ---- mapping ---- */

static struct mapping *find(struct lf_fake_bucket *bucket, const MDL *mdl)
{
	for (struct mapping *at = bucket->first; at; at = at->next)
		if (at->mdl == mdl)
			return at;
	return NULL;
}

PVOID MmMapLockedPagesSpecifyCache(MDL *mdl, KPROCESSOR_MODE mode, MEMORY_CACHING_TYPE cache, PVOID requested,
	ULONG bug_check, ULONG priority)
{
	lf_fake_need_irql("MmMapLockedPagesSpecifyCache", DISPATCH_LEVEL);
	if (mode != KernelMode || cache != MmCached || requested || bug_check)
		lf_fake_broken(
			"a mapping for a user, not cached, at an address, or with a bug check on failure");
	if (!(priority & MdlMappingNoExecute))
		lf_fake_broken("a mapping that is executable: MdlMappingNoExecute is missing");
	if (!(mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_PARTIAL)))
		lf_fake_broken("a mapping of an MDL whose pages are not locked");
	check_room("MmMapLockedPagesSpecifyCache", mdl);
	if (lf_fake_fails(LF_FAKE_MAP))
		return NULL;
	struct mapping *mapping = calloc(1, sizeof(*mapping));
	mapping->mdl = mdl;
	PFN_NUMBER first = MmGetMdlPfnArray(mdl)[0];
	void *base = (void *)((first & ~PFN_ELSEWHERE) << PAGE_SHIFT);
	if (!(first & PFN_ELSEWHERE)) {
		mapping->window_bytes = span(mdl) * PAGE_SIZE;
		base = mapping->window = window_on(first, span(mdl));
	}
	struct lf_fake_bucket *bucket = &buckets[lf_fake_hash(mdl)];
	pthread_mutex_lock(&bucket->mutex);
	if (find(bucket, mdl))
		lf_fake_broken("an MDL is mapped that is mapped already");
	mapping->next = bucket->first;
	bucket->first = mapping;
	pthread_mutex_unlock(&bucket->mutex);
	__atomic_add_fetch(&live_mappings, 1, __ATOMIC_RELAXED);
	mdl->MappedSystemVa = (char *)base + mdl->ByteOffset;
	mdl->MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
	if (mdl->MdlFlags & MDL_PARTIAL)
		mdl->MdlFlags |= MDL_PARTIAL_HAS_BEEN_MAPPED;
	return mdl->MappedSystemVa;
}

VOID MmUnmapLockedPages(PVOID base, MDL *mdl)
{
	lf_fake_need_irql("MmUnmapLockedPages", DISPATCH_LEVEL);
	if (!(mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) || base != mdl->MappedSystemVa)
		lf_fake_broken("MmUnmapLockedPages of an MDL that is not mapped, or elsewhere");
	struct lf_fake_bucket *bucket = &buckets[lf_fake_hash(mdl)];
	pthread_mutex_lock(&bucket->mutex);
	struct mapping *mapping = find(bucket, mdl);
	if (!mapping)
		lf_fake_broken("MmUnmapLockedPages of an MDL that it did not map");
	struct mapping **at = (struct mapping **)&bucket->first;
	while (*at != mapping)
		at = &(*at)->next;
	*at = mapping->next;
	pthread_mutex_unlock(&bucket->mutex);
	mdl->MdlFlags &= (CSHORT) ~(MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED);
	if (mapping->window)
		munmap(mapping->window, mapping->window_bytes);
	free(mapping);
	__atomic_sub_fetch(&live_mappings, 1, __ATOMIC_RELAXED);
}

/* What the source is mapped to, the target is too, and nobody has to unmap the target then. */
VOID IoBuildPartialMdl(MDL *source, MDL *target, PVOID address, ULONG length)
{
	lf_fake_need_irql("IoBuildPartialMdl", DISPATCH_LEVEL);
	uint64_t offset = (uintptr_t)address - (uintptr_t)MmGetMdlVirtualAddress(source);
	if (length == 0)
		length = source->ByteCount - (ULONG)offset;
	if (offset > source->ByteCount || length > source->ByteCount - offset || length == 0)
		lf_fake_broken("IoBuildPartialMdl of %u bytes at %llu of an MDL of %u", length,
			(unsigned long long)offset, source->ByteCount);
	lf_fake_mdls_are_idle(target, sizeof(MDL));
	if (target->MdlFlags & MDL_PARTIAL_HAS_BEEN_MAPPED)
		lf_fake_broken("a partial MDL is used again without MmPrepareMdlForReuse");
	CSHORT kept = MDL_SOURCE_IS_NONPAGED_POOL | MDL_MAPPED_TO_SYSTEM_VA | MDL_IO_SPACE;
	target->Process = source->Process;
	target->StartVa = PAGE_ALIGN(address);
	target->ByteOffset = BYTE_OFFSET(address);
	target->ByteCount = length;
	check_room("IoBuildPartialMdl", target);
	target->MdlFlags &= MDL_ALLOCATED_FIXED_SIZE;
	target->MdlFlags |= (CSHORT)(MDL_PARTIAL | (source->MdlFlags & kept));
	target->MappedSystemVa = NULL;
	if (source->MdlFlags & kept)
		target->MappedSystemVa = (char *)source->MappedSystemVa + offset;
	size_t first = ((uintptr_t)target->StartVa - (uintptr_t)source->StartVa) >> PAGE_SHIFT;
	memcpy(MmGetMdlPfnArray(target), MmGetMdlPfnArray(source) + first, span(target) * sizeof(PFN_NUMBER));
}

/* ---- what is left ---- */

void lf_fake_mdls_are_idle(const void *memory, size_t length_bytes)
{
	uint32_t first = length_bytes > sizeof(MDL) ? 0 : lf_fake_hash(memory);
	uint32_t last = length_bytes > sizeof(MDL) ? LF_FAKE_BUCKETS - 1 : first;
	if (__atomic_load_n(&live_mappings, __ATOMIC_RELAXED) == 0)
		return;
	for (uint32_t i = first; i <= last; i++) {
		pthread_mutex_lock(&buckets[i].mutex);
		for (struct mapping *at = buckets[i].first; at; at = at->next)
			if ((uintptr_t)at->mdl - (uintptr_t)memory < length_bytes)
				lf_fake_broken("an MDL goes or is used again while it is mapped");
		pthread_mutex_unlock(&buckets[i].mutex);
	}
}

uint32_t lf_fake_mappings(void)
{
	return __atomic_load_n(&live_mappings, __ATOMIC_RELAXED);
}

uint32_t lf_fake_mapping_leaks(void)
{
	uint32_t mapped = lf_fake_mappings();
	pthread_mutex_lock(&mutex);
	uint32_t made = buffers;
	pthread_mutex_unlock(&mutex);
	if (mapped || made)
		printf("# leak: %u mappings, %u buffers\n", mapped, made);
	return mapped + made;
}
