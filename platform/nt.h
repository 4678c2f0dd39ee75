/* SPDX-License-Identifier: BSD-2-Clause */
/* nt.h: the kernel of Windows as the rooms that know it see it: its header, NTSTATUS, threads, where data is.
 */
#ifndef LF_PLATFORM_NT_H
#define LF_PLATFORM_NT_H

#include "platform/platform.h"

/* The WDK's, mingw-w64's, or, for the native tests, tests/storport/nt/include/ntifs.h. */
#include <ntifs.h>

#define LF_NT_TAG       0x5346464c /* "LFFS" in a pool listing: all of ours */
#define LF_NT_BUG_CHECK 0x4c554e47 /* "LUNG": see lf_panic */

/* MdlMappingNoExecute, which mingw-w64 does not have: HVCI wants no mapping that could be run. */
#define LF_NT_MAP_NO_EXECUTE 0x40000000u

/* PsThreadType, IoFileObjectType: mingw-w64 imports such a variable by its value, the WDK by its address. */
#if defined(__MINGW32__)
#define LF_NT_OBJECT_TYPE(variable) ((POBJECT_TYPE)(void *)(variable))
#else
#define LF_NT_OBJECT_TYPE(variable) (*(variable))
#endif

/* The kernel's time for a wait of that length: in 100 ns, negative; never shorter. */
static inline int64_t lf_nt_relative(uint64_t length_ns)
{
	return -(int64_t)(length_ns / 100 + 1);
}

enum lf_error lf_error_from_status(NTSTATUS status);
/* FILE_DEVICE_...: a file system, a network's too, or what one lies on; no pipe, no port, no null device. */
bool lf_nt_has_files(ULONG device_type);

/*
 * In lf_io.platform, from the edge to the store. Where a segment's base is NULL the bytes are those that the
 * MDL describes; nobody has mapped them, and only the store touches them. Else base is a system address of
 * memory that is not paged.
 */
struct lf_nt_io {
	MDL *mdl;               /* of the SRB; may cover more than its data */
	uint64_t mdl_offset;    /* bytes from the start of what it covers to the data */
	MDL *partial;           /* room for a partial MDL of partial_bytes; the store's from submit to done */
	uint64_t partial_bytes; /* data that it can describe at any alignment */
	uint64_t words[4];      /* the store's own from submit to done */
} LF_MAY_ALIAS;

_Static_assert(sizeof(struct lf_nt_io) <= sizeof(struct lf_platform_io), "fits in an lf_io");

static inline struct lf_nt_io *lf_nt_io_of(struct lf_platform_io *io)
{
	return (struct lf_nt_io *)(void *)io->words;
}

/* A system thread; PASSIVE_LEVEL. Joined once: it has ended then, and its code runs no more. */
struct lf_nt_thread {
	void (*run)(void *context);
	void *context;
	void *object; /* platform's own */
};

enum lf_error lf_nt_thread_start(struct lf_nt_thread *thread);
void lf_nt_thread_join(struct lf_nt_thread *thread);
/* False: it runs still, and was not joined. UINT64_MAX: without end. */
bool lf_nt_thread_join_within(struct lf_nt_thread *thread, uint64_t timeout_ns);

/*
 * One line of text to the kernel debugger (DbgPrintEx), for those who have a filter of their own; so many a
 * second, what is more is counted. level: DPFLTR_ERROR_LEVEL to DPFLTR_INFO_LEVEL. Up to the level of an
 * interrupt.
 */
void lf_nt_print(uint32_t level, const char *text);

/*
 * Before anything else of the platform, in DriverEntry. registry_path: of the service; its parameter
 * LogLevel, an enum lf_log_level, says what is logged; notices, and what matters more, when there is none.
 */
void lf_nt_platform_init(const UNICODE_STRING *registry_path);
/* A REG_DWORD of the service's Parameters key; otherwise when there is none. PASSIVE_LEVEL. */
uint32_t lf_nt_parameter(const UNICODE_STRING *registry_path, const wchar_t *name, uint32_t otherwise);

#endif
