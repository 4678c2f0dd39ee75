/* SPDX-License-Identifier: BSD-2-Clause */
/* nt.h: the kernel of Windows as the rooms that know it see it: its header, NTSTATUS, threads, where data is.
 */
#ifndef LF_PLATFORM_NT_H
#define LF_PLATFORM_NT_H

#include "platform/platform.h"

/* The WDK's, mingw-w64's, or, for the native tests, tests/storport/nt/include/ntifs.h. */
#include <ntifs.h>

#define LF_NT_TAG 0x5346464c /* "LFFS" in a pool listing: all of ours */

enum lf_error lf_error_from_status(NTSTATUS status);

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
};

_Static_assert(sizeof(struct lf_nt_io) <= sizeof(struct lf_platform_io), "fits in an lf_io");

static inline struct lf_nt_io *lf_nt_io_of(struct lf_platform_io *io)
{
	return (struct lf_nt_io *)(void *)io->words;
}

/* A system thread; PASSIVE_LEVEL. Joined once: it has ended then, and its handle is gone. */
struct lf_nt_thread {
	void (*run)(void *context);
	void *context;
	void *object; /* platform's own */
};

enum lf_error lf_nt_thread_start(struct lf_nt_thread *thread);
void lf_nt_thread_join(struct lf_nt_thread *thread);

/* Log and trace go to the kernel debugger (DbgPrintEx). registry_path: of the service; reads TraceLevel. */
void lf_nt_platform_init(const UNICODE_STRING *registry_path);
/* A REG_DWORD of the service's Parameters key; otherwise when there is none. PASSIVE_LEVEL. */
uint32_t lf_nt_parameter(const UNICODE_STRING *registry_path, const wchar_t *name, uint32_t otherwise);

#endif
