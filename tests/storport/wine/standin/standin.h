/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * standin.h: a storport.sys for Wine: what its files share. It is loaded beside the driver under test, takes
 * the place of what that imports from the kernel, and plays the port driver. Runs in Wine's winedevice, so
 * its own locks may be anything; the driver's calls are judged by the IRQL that its thread is told to have.
 */
#ifndef LF_TESTS_STANDIN_H
#define LF_TESTS_STANDIN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include "tests/storport/host/port.h"
#include "tests/storport/wine/standin/ntdll.h"

#define STANDIN_DIRQL   12         /* above DISPATCH_LEVEL: an interrupt's */
#define IOCTL_OF_NUMBER 0x002d1080 /* IOCTL_STORAGE_GET_DEVICE_NUMBER */

/* ---- log.c: C:\standin.log; a line that begins with "not ok" fails the test ---- */

void standin_log_open(void);
void standin_log(const char *format, ...);
void standin_fail(const char *format, ...);

/* ---- switches.c: what a test has asked for; whole numbers, by name ---- */

enum standin_switch {
	SWITCH_FAIL_POOL,  /* the Nth allocation from now fails */
	SWITCH_FAIL_OPEN,  /* likewise an open */
	SWITCH_OLD_SRBS,   /* 1: requests are old SRBs */
	SWITCH_HOLD_OPENS, /* 1: an open waits until this is 0 */
	SWITCH_HOLD_IO,    /* 1: the file system keeps reads and writes until this is 0 */
	SWITCH_ATTRIBUTES, /* every file has these besides its own */
	SWITCH_LEVEL,      /* SECURITY_IMPERSONATION_LEVEL of who asks */
	SWITCH_DENY,       /* 1: who asks has no rights */
	SWITCH_SECTOR,     /* bytes in a sector of the disk that holds the files */
	SWITCH_MAP_FAILS,  /* the next N mappings fail */
	SWITCH_NAA_HIGH,   /* the halves of the NAA designator of the disk that every file lies on */
	SWITCH_NAA_LOW,
	SWITCH_SHORT_MEMORY, /* the next N reads or writes fail with STATUS_INSUFFICIENT_RESOURCES */
	SWITCH_ETW,          /* a session waits for the provider, with that level */
	SWITCH_NO_ADDRESS,   /* the next N SRBs get no system address */
	SWITCH_SHORT_START,  /* 1: before it starts, it starts with each allocation failing in its turn */
	SWITCH_BREAK_AT,     /* the driver has a null dereference there, from its base */
	SWITCH_COUNT,
};

LONG standin_switch(enum standin_switch which);
void standin_switch_set(enum standin_switch which, LONG value);
/* Counts it down; true when it has just come to nought. */
bool standin_switch_hit(enum standin_switch which);
const char *standin_switch_name(enum standin_switch which);
bool standin_switch_named(const char *name, LONG value);
/* C:\standin.cfg, lines of NAME VALUE: what must hold before the driver is there. */
void standin_switches_read(void);

/* ---- irql.c: each thread's IRQL, locks, waits, threads ---- */

void standin_slots_open(void); /* before all else */
KIRQL standin_irql(void);
KIRQL standin_irql_set(KIRQL irql);
/* What needs PASSIVE_LEVEL was called: judges the caller. */
void standin_passive(const char *name);
void standin_at_most_dispatch(const char *name);
/* What may call the driver again was called, with no spin lock held: judges the caller. */
void standin_unlocked(const char *name);
/* The driver has returned: at the IRQL that it was called at, and with no lock? */
void standin_returned(const char *name, KIRQL irql);
LONG standin_impersonating(void);
void standin_impersonating_set(LONG on);
/* Whether this thread starts a request within a completion; what was said before. */
LONG standin_starts_set(LONG on);
void standin_thread_start(void (*run)(void *context), void *context, HANDLE *handle);
void standin_thread_join(HANDLE handle);
void standin_sleep_ms(ULONG ms);
ULONGLONG standin_now_ms(void);
LONG standin_driver_threads(void);
NTSTATUS standin_thread_reference(HANDLE handle, void **object);
bool standin_thread_dereference(void *object); /* false: it is no thread */

struct standin_lock {
	volatile LONG held;
};

void standin_lock(struct standin_lock *lock);
void standin_unlock(struct standin_lock *lock);

/* ---- timer.c ---- */

void standin_timers_stop(void);
LONG standin_timers(void); /* that are set */
/* Whether a timer that is set lies in this memory. */
bool standin_timer_within(const void *memory, SIZE_T bytes);

/* ---- pool.c ---- */

void *standin_pool_allocate(SIZE_T bytes, ULONG tag);
void standin_pool_free(void *memory, ULONG tag);
/* What was freed is given back to Wine, and looked at for the last time. */
void standin_pool_settle(void);
/* Whether this allocation, of whatever kind, is the one that is to fail. */
bool standin_memory_is_short(void);
/* What is there, by tag; says so in the log where report is true. Returns how many bytes. */
SIZE_T standin_pool_report(bool report);
void *standin_allocate(SIZE_T bytes); /* of the stand-in itself; zeroes */
void standin_free(void *memory);

/* ---- mdl.c ---- */

/* Room for an MDL that covers so many bytes at any alignment. */
SIZE_T standin_mdl_room(SIZE_T bytes);
/* It describes memory that is nowhere mapped: where it says it is, nothing is. */
void standin_mdl_describe(MDL *mdl, void *memory, SIZE_T bytes);
/* Where the described memory really is. */
void *standin_mdl_memory(MDL *mdl);
LONG standin_mappings(void);
LONG standin_mapped(void); /* ever */

/* ---- irp.c: IRPs that the driver makes; the file system below ---- */

struct standin_file;
LONG standin_irps(void);
LONG standin_flushes(void);
LONG standin_served(void); /* reads and writes that came as IRPs, ever */
void standin_complete(IRP *irp, NTSTATUS status, ULONG_PTR information);
NTSTATUS standin_file_system(IRP *irp, struct standin_file *file);
void standin_file_system_stop(void);
extern DEVICE_OBJECT standin_volume;

/* ---- files.c ---- */

struct standin_file {
	FILE_OBJECT object; /* the first: what the driver has a pointer to */
	LIST_ENTRY link;
	LONG references;
	HANDLE handle;
	ULONG options;
};

struct standin_file *standin_file_of(void *object); /* NULL: it is none */
LONG standin_handles(void);
LONG standin_files(void);
/* What Wine has not of FSCTLs. STATUS_INVALID_DEVICE_REQUEST: no such. */
NTSTATUS standin_file_control(HANDLE handle, IO_STATUS_BLOCK *iosb, ULONG code, void *in, ULONG in_length,
	void *out, ULONG out_length);

/* ---- notify.c ---- */

void standin_power_state(bool sleeps);
/* Of the target device notifications: true when nobody objects. */
bool standin_query_remove(void);
void standin_remove_complete(void);
LONG standin_notifications(void);
bool standin_callback_dereference(const void *object); /* false: it is no callback */

/* ---- etw.c: who listens, from now on ---- */

void standin_etw_enable(ULONG level, ULONGLONG any, ULONGLONG all);
void standin_etw_disable(void);
LONG standin_providers(void);

/* ---- security.c ---- */

LONG standin_contexts(void);
bool standin_token_dereference(const void *token); /* false: it is none */

/* ---- imports.c ---- */

struct standin_import {
	const char *name;
	const void *function;
};

/* One table for each file that has some; ends with a NULL. */
extern const struct standin_import standin_irql_imports[], standin_timer_imports[], standin_pool_imports[],
	standin_mdl_imports[], standin_irp_imports[], standin_file_imports[], standin_notify_imports[],
	standin_etw_imports[], standin_security_imports[], standin_other_imports[];

void standin_imports_replace(void);
bool standin_module(void *address, uint8_t **base, const char **name);

/* ---- crash.c ---- */

void standin_crash_watch(void);
/* The addresses on the stack that lie in the driver: who did what has just failed. */
void standin_say_stack(void);

#endif
