/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mdl.c: memory descriptor lists with a mapping that matters. What an MDL describes lies at its page frame
 * numbers; the virtual address that it names is another process's, and nothing is there. Only what was mapped
 * may be touched, and what was mapped must be unmapped.
 */
#include "tests/storport/wine/standin/standin.h"

#define PAGE         4096u
#define NOWHERE      0x300000000000ull /* no memory of a process of Wine's */
#define NOWHERE_MASK 0xffffffffull

static LONG mappings, mapped;

LONG standin_mapped(void)
{
	return mapped;
}

LONG standin_mappings(void)
{
	return mappings;
}

static ULONG_PTR *frames_of(MDL *mdl)
{
	return (ULONG_PTR *)(mdl + 1);
}

static SIZE_T pages_of(ULONG_PTR address, SIZE_T bytes)
{
	return ((address & (PAGE - 1)) + bytes + PAGE - 1) / PAGE;
}

SIZE_T standin_mdl_room(SIZE_T bytes)
{
	return sizeof(MDL) + (pages_of(PAGE - 1, bytes) + 1) * sizeof(ULONG_PTR);
}

static void describe(MDL *mdl, ULONG_PTR memory, SIZE_T bytes)
{
	for (SIZE_T i = 0; i < pages_of(memory, bytes); i++)
		frames_of(mdl)[i] = memory / PAGE + i;
}

void standin_mdl_describe(MDL *mdl, void *memory, SIZE_T bytes)
{
	ULONG_PTR at = (ULONG_PTR)memory;
	memset(mdl, 0, sizeof(*mdl));
	mdl->Size = (CSHORT)(sizeof(MDL) + pages_of(at, bytes) * sizeof(ULONG_PTR));
	mdl->MdlFlags = MDL_PAGES_LOCKED;
	mdl->StartVa = (void *)(NOWHERE + (at & NOWHERE_MASK & ~(ULONG_PTR)(PAGE - 1)));
	mdl->ByteOffset = (ULONG)(at & (PAGE - 1));
	mdl->ByteCount = (ULONG)bytes;
	describe(mdl, at, bytes);
}

void *standin_mdl_memory(MDL *mdl)
{
	return (void *)(frames_of(mdl)[0] * PAGE + mdl->ByteOffset);
}

static void NTAPI build_partial(MDL *source, MDL *target, void *address, ULONG bytes)
{
	ULONG_PTR from = (ULONG_PTR)address, begin = (ULONG_PTR)source->StartVa + source->ByteOffset;
	standin_at_most_dispatch("IoBuildPartialMdl");
	if (target->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED))
		standin_fail("a partial MDL is built anew while it is mapped");
	if (!bytes)
		bytes = (ULONG)(begin + source->ByteCount - from);
	if (from < begin || from + bytes > begin + source->ByteCount)
		standin_fail("a partial MDL goes beyond its source");
	SIZE_T needed = sizeof(MDL) + pages_of(from, bytes) * sizeof(ULONG_PTR);
	if ((SIZE_T)(USHORT)target->Size < needed) {
		standin_fail("a partial MDL has room for %u bytes and needs %u", (USHORT)target->Size,
			(ULONG)needed);
		KeBugCheckEx(0x76, 0, 0, 0, 0);
	}
	target->Process = source->Process;
	target->StartVa = (void *)(from & ~(ULONG_PTR)(PAGE - 1));
	target->ByteOffset = (ULONG)(from & (PAGE - 1));
	target->ByteCount = bytes;
	target->MappedSystemVa = NULL;
	CSHORT kept = source->MdlFlags & (MDL_SOURCE_IS_NONPAGED_POOL | MDL_MAPPED_TO_SYSTEM_VA);
	target->MdlFlags = (CSHORT)(MDL_PARTIAL | kept);
	if (kept)
		target->MappedSystemVa = (char *)source->MappedSystemVa + (from - begin);
	describe(target, (ULONG_PTR)standin_mdl_memory(source) + (from - begin), bytes);
}

static void NTAPI build_nonpaged(MDL *mdl)
{
	standin_at_most_dispatch("MmBuildMdlForNonPagedPool");
	ULONG_PTR at = (ULONG_PTR)mdl->StartVa + mdl->ByteOffset;
	mdl->MdlFlags |= MDL_SOURCE_IS_NONPAGED_POOL;
	mdl->MappedSystemVa = (void *)at;
	describe(mdl, at, mdl->ByteCount);
}

static void *NTAPI map_pages(MDL *mdl, KPROCESSOR_MODE mode, MEMORY_CACHING_TYPE caching, void *address,
	ULONG on_failure, ULONG priority)
{
	standin_at_most_dispatch("MmMapLockedPagesSpecifyCache");
	if (mode != KernelMode || caching != MmCached || address || on_failure)
		standin_fail("MmMapLockedPagesSpecifyCache: mode %d, cache %d, bug check %u", mode, caching,
			on_failure);
	if (!(priority & 0x40000000)) /* MdlMappingNoExecute */
		standin_fail("a mapping could be executed");
	if (mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)) {
		standin_fail("an MDL is mapped twice");
		return mdl->MappedSystemVa;
	}
	if (!(mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_PARTIAL)))
		standin_fail("an MDL is mapped whose pages are not locked");
	if (standin_switch(SWITCH_MAP_FAILS) > 0) {
		standin_switch_hit(SWITCH_MAP_FAILS);
		return NULL;
	}
	InterlockedIncrement(&mappings);
	InterlockedIncrement(&mapped);
	mdl->MappedSystemVa = standin_mdl_memory(mdl);
	mdl->MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
	if (mdl->MdlFlags & MDL_PARTIAL)
		mdl->MdlFlags |= MDL_PARTIAL_HAS_BEEN_MAPPED;
	return mdl->MappedSystemVa;
}

static void NTAPI unmap_pages(void *address, MDL *mdl)
{
	standin_at_most_dispatch("MmUnmapLockedPages");
	if (!(mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) || mdl->MappedSystemVa != address)
		standin_fail("an MDL is unmapped that is not mapped there");
	InterlockedDecrement(&mappings);
	mdl->MappedSystemVa = NULL;
	mdl->MdlFlags &= (CSHORT) ~(MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED);
}

const struct standin_import standin_mdl_imports[] = {
	{"IoBuildPartialMdl", build_partial},
	{"MmBuildMdlForNonPagedPool", build_nonpaged},
	{"MmMapLockedPagesSpecifyCache", map_pages},
	{"MmUnmapLockedPages", unmap_pages},
	{NULL, NULL},
};
