/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nt.h: what a test, and the Storport of the tests, can do to the kernel of the tests: IRQL, faults, the file
 * system, tokens, the registry, plug and play, power. A rule that the driver breaks prints "broken rule:", a
 * backtrace, and aborts. LF_FAKE_DEBUG=1 in the environment shows what the driver prints.
 */
#ifndef LF_TESTS_NT_NT_H
#define LF_TESTS_NT_NT_H

#include <stdbool.h>

#include "tests/storport/nt/include/ntifs.h"

/* ---- rules and leaks ---- */

_Noreturn void lf_fake_broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Between two tests, when no thread of the driver runs any more: faults, files, volumes, keys, tokens and
 * settings are as at the start; the kernel's own threads have ended.
 */
void lf_fake_reset(void);
/*
 * Prints what is not given back (pool, IRPs, handles, objects, mappings, registrations, system threads,
 * impersonations) and counts it: 0 is what a test wants.
 */
uint32_t lf_fake_leaks(void);
/* Memory of the caller's is about to be used again: no mapped MDL, no running timer lies in it. */
void lf_fake_range_is_idle(const void *memory, size_t length_bytes);

/* ---- IRQL: of the calling thread; a host raises it around what Storport calls at DISPATCH_LEVEL ---- */

#define LF_FAKE_DIRQL 5 /* of an interrupt: above all that a driver without one may use */

KIRQL lf_fake_irql(void);
KIRQL lf_fake_irql_raise(KIRQL irql); /* returns what it was */
void lf_fake_irql_lower(KIRQL irql);
/* The rules of a function that the host has: broken when the IRQL is higher, or when a spin lock is held. */
void lf_fake_need_irql(const char *who, KIRQL most);
void lf_fake_need_no_lock(const char *who);
uint32_t lf_fake_locks_held(void);

PETHREAD lf_fake_current_thread(void);
/* processors: 1 to 64, 4 after a reset. number: where the calling thread runs. */
void lf_fake_processors(uint32_t processors);
void lf_fake_run_on(uint32_t number);

/*
 * The clock of the kernel, its timers and its waits with an end, goes so many times as fast as the host's; 1
 * after a reset. What waits already keeps its pace. 0: it stands, and waits with an end go as the host's
 * clock.
 */
void lf_fake_clock_rate(uint32_t times);
/* It is so much later; timers that are due by then have fired, and their DPCs have run, when this returns. */
void lf_fake_clock_leap(uint64_t length_ns);

/* ---- faults: the calls of a kind are counted from lf_fake_reset on ---- */

enum lf_fake_call {
	LF_FAKE_POOL,     /* ExAllocatePoolWithTag */
	LF_FAKE_IRP,      /* IoAllocateIrp, IoBuildDeviceIoControlRequest */
	LF_FAKE_MAP,      /* MmMapLockedPagesSpecifyCache */
	LF_FAKE_THREAD,   /* PsCreateSystemThread */
	LF_FAKE_OPEN,     /* ZwCreateFile; fails with lf_fake_open_status */
	LF_FAKE_QUERY,    /* ZwQueryInformationFile and ZwQueryVolumeInformationFile */
	LF_FAKE_SET,      /* ZwSetInformationFile */
	LF_FAKE_REGISTER, /* notifications, callbacks, device interfaces */
	LF_FAKE_SECURITY, /* SeCreateClientSecurity, SeImpersonateClientEx */
	LF_FAKE_ETW,      /* EtwRegister, EtwSetInformation */
	LF_FAKE_CALLS,
};

/* After spared more of them, count (0: all from then on) fail. Instead of what was asked before. */
void lf_fake_fail(enum lf_fake_call call, uint32_t spared, uint32_t count);
/* per_1024 of them fail, by the dice of seed. 0: none. */
void lf_fake_fail_some(enum lf_fake_call call, uint32_t per_1024, uint64_t seed);
uint64_t lf_fake_calls(enum lf_fake_call call);
void lf_fake_open_status(NTSTATUS status); /* STATUS_SHARING_VIOLATION after a reset */

/* What ZwCreateFile is asked for. */
struct lf_fake_asked {
	ACCESS_MASK access; /* as it was asked for, generic rights not mapped */
	ULONG attributes, options, share, disposition;
	bool is_impersonating;
	SECURITY_IMPERSONATION_LEVEL lends; /* to who serves a pipe, if it is one */
};

/* Called by each ZwCreateFile before anything else, in its thread; may wait. NULL: nothing is. Gone after a
 * reset. */
void lf_fake_open_hook(void (*hook)(void *context, const struct lf_fake_asked *asked), void *context);

/* ---- pool ---- */

uint64_t lf_fake_pool_blocks(ULONG tag); /* in use; tag 0: of all tags */
uint64_t lf_fake_pool_bytes(ULONG tag);

/* ---- memory that has no system address until its MDL is mapped ---- */

struct lf_fake_buffer {
	MDL *mdl;       /* covers before_bytes + length_bytes + after_bytes */
	void *data;     /* where its data begins in the MDL's own addresses: touching it is a crash */
	uint8_t *bytes; /* the same bytes, for the test alone */
	size_t length_bytes;
};

/* page_offset: of the MDL's first byte. */
struct lf_fake_buffer *lf_fake_buffer_make(
	size_t length_bytes, size_t before_bytes, size_t after_bytes, uint32_t page_offset);
void lf_fake_buffer_free(struct lf_fake_buffer *buffer); /* nobody maps it any more */
uint32_t lf_fake_mappings(void);

/* ---- IRPs ---- */

enum lf_fake_at { LF_FAKE_AT_PASSIVE, LF_FAKE_AT_DISPATCH, LF_FAKE_AT_EITHER };

/* The IRQL that completion routines are called at; EITHER by the dice of seed. EITHER after a reset. */
void lf_fake_complete_at(enum lf_fake_at at, uint64_t seed);
/*
 * Called by IoCancelIrp between its taking of the cancel routine and the call of it: nobody else can take
 * that any more, and it has not run. NULL: nothing is. Gone after a reset.
 */
void lf_fake_cancel_hook(void (*hook)(void *context), void *context);
/*
 * The IRP of a control code to the driver, as the I/O manager would make it: METHOD_BUFFERED, its current
 * stack location set, system buffer and thread too. The buffer holds the longer of both. Free with
 * lf_fake_irp_free when it was completed; what it completes with is the host's to see.
 */
IRP *lf_fake_irp_make(ULONG code, const void *in, ULONG in_bytes, ULONG out_bytes, KPROCESSOR_MODE mode);
void lf_fake_irp_free(IRP *irp);
/* IoCompleteRequest, for hosts: for an IRP of lf_fake_irp_make it does nothing but check that it is once. */
void lf_fake_irp_complete(IRP *irp);

/* ---- the file system ---- */

struct lf_fake_volume;
struct lf_fake_file;

enum lf_fake_how {
	LF_FAKE_IN_PLACE, /* done when IofCallDriver returns */
	LF_FAKE_PENDING,  /* STATUS_PENDING, then on another thread */
	LF_FAKE_EITHER,   /* by the dice */
};

#define LF_FAKE_NO_SECTORS UINT32_MAX

struct lf_fake_volume_options {
	/* "C:", "Volume{...}" or, remote, "server\\share"; a disk that a volume spans: "PhysicalDrive1" */
	const char *name;
	bool remote;           /* \??\UNC\server\share: no notifications, no device id */
	bool no_sparse;        /* FSCTL_SET_SPARSE and _ZERO_DATA are not known */
	bool no_trim;          /* FSCTL_FILE_LEVEL_TRIM is not known */
	uint32_t sector_bytes; /* 0: 512 */
	/* What is said of them to whoever asks; 0: the truth, LF_FAKE_NO_SECTORS: 0. */
	uint32_t told_sector_bytes;
	uint32_t physical_bytes; /* 0: sector_bytes */
	uint32_t alignment;      /* of buffers, as a mask; 0: FILE_BYTE_ALIGNMENT */
	uint64_t capacity_bytes; /* 0: as much as asked for; what is allocated counts */
	const uint32_t *disks;   /* that it spans, borrowed; NULL: one that says its name itself */
	uint32_t disk_count;
	const void *device_id; /* the answer to StorageDeviceIdProperty, borrowed; NULL: not supported */
	uint32_t device_id_bytes;
	uint32_t device_type; /* 0: FILE_DEVICE_DISK */
};

/* "C:" is there after a reset, with default options. */
struct lf_fake_volume *lf_fake_volume_add(const struct lf_fake_volume_options *options);
struct lf_fake_volume *lf_fake_volume_find(const char *name);
/* The answer of the device below, from now on. Borrowed. */
void lf_fake_volume_device_id(struct lf_fake_volume *volume, const void *descriptor, uint32_t length_bytes);
/*
 * Asks everybody on the volume (GUID_TARGET_DEVICE_QUERY_REMOVE); STATUS_SUCCESS: removed, and told so
 * (REMOVE_COMPLETE). Else the veto, after REMOVE_CANCELLED. surprise: nobody is asked. PASSIVE_LEVEL.
 */
NTSTATUS lf_fake_volume_remove(struct lf_fake_volume *volume, bool surprise);
/* Its I/O fails with that from now on, opens too; nobody is told. STATUS_SUCCESS: it is back. */
void lf_fake_volume_status(struct lf_fake_volume *volume, NTSTATUS status);

/*
 * path: as in "C:\\dir\\disk.img" or "server\\share\\disk.img", without \??\; directories above exist by
 * themselves. Of size_bytes zeros, sparse or not.
 */
struct lf_fake_file *lf_fake_file_add(const char *path, uint64_t size_bytes, ULONG attributes);
/* The bytes are those of a file of the host of the tests. */
struct lf_fake_file *lf_fake_file_add_linux(const char *path, const char *linux_path, ULONG attributes);
struct lf_fake_file *lf_fake_file_find(const char *path);
void lf_fake_file_reparse(struct lf_fake_file *file, ULONG tag); /* sets FILE_ATTRIBUTE_REPARSE_POINT too */
/* Rights of those who are neither administrator nor system; FILE_ALL_ACCESS by default. */
void lf_fake_file_user_rights(struct lf_fake_file *file, ACCESS_MASK rights);
/* Rights of administrators and the system. */
void lf_fake_file_admin_rights(struct lf_fake_file *file, ACCESS_MASK rights);
/* Opened by somebody else, who shares so: FILE_SHARE_... 0: nothing. access: what that one has. */
void lf_fake_file_hold(struct lf_fake_file *file, ACCESS_MASK access, ULONG share);
void lf_fake_file_let_go(struct lf_fake_file *file);
void lf_fake_file_delete(struct lf_fake_file *file); /* its path is not found; who has it open keeps it */
uint32_t lf_fake_file_opens(struct lf_fake_file *file);

/* The test's own look; past any cache, never a fault. */
void lf_fake_file_read(struct lf_fake_file *file, uint64_t offset, void *to, size_t length_bytes);
void lf_fake_file_write(struct lf_fake_file *file, uint64_t offset, const void *from, size_t length_bytes);
uint64_t lf_fake_file_size(struct lf_fake_file *file);
void lf_fake_file_resize(struct lf_fake_file *file, uint64_t size_bytes);
uint64_t lf_fake_file_allocated(struct lf_fake_file *file);

/* What was not flushed can be lost: from now on (files of lf_fake_file_add only). */
void lf_fake_file_volatile(struct lf_fake_file *file);
void lf_fake_file_lose(struct lf_fake_file *file); /* what was written since the last flush is gone */

enum lf_fake_op {
	LF_FAKE_READ,
	LF_FAKE_WRITE,
	LF_FAKE_FLUSH,
	LF_FAKE_ZERO,   /* FSCTL_SET_ZERO_DATA */
	LF_FAKE_TRIM,   /* FSCTL_FILE_LEVEL_TRIM */
	LF_FAKE_RANGES, /* FSCTL_QUERY_ALLOCATED_RANGES */
	LF_FAKE_SPARSE, /* FSCTL_SET_SPARSE */
	/* These are STATUS, BLOCK or CALL, and only where a rule's ops name them. */
	LF_FAKE_OPEN_FILE, /* ZwCreateFile */
	LF_FAKE_ASK,       /* ZwQueryInformationFile, ZwQueryVolumeInformationFile */
	LF_FAKE_GROW,      /* ZwSetInformationFile */
	LF_FAKE_CLOSE,     /* ZwClose, whatever its status */
	LF_FAKE_OPS,
};

uint64_t lf_fake_file_count(struct lf_fake_file *file, enum lf_fake_op op); /* that came in */

enum lf_fake_what {
	LF_FAKE_STATUS, /* ends with status */
	LF_FAKE_PEND,   /* stays until it is cancelled or released: then goes on, or ends with status */
	LF_FAKE_BLOCK,  /* the thread that calls stands still until released */
	LF_FAKE_SHORT,  /* READ, WRITE: no more than short_bytes are done */
	LF_FAKE_LONG,   /* READ, WRITE: says of long_bytes more than were asked for that they were done */
	LF_FAKE_CALL,   /* call is called in the thread that asks, and says with which status it ends; */
			/* STATUS_MORE_PROCESSING_REQUIRED: goes on */
};

/* The first rule that matches holds. Zero: no restriction. */
struct lf_fake_rule {
	struct lf_fake_file *file;
	uint32_t ops; /* 1 << LF_FAKE_READ ... */
	uint64_t offset, length;
	uint32_t spared, count, per_1024; /* after spared, count of them; of those per_1024 (0: all) */
	enum lf_fake_what what;
	NTSTATUS status; /* PEND, BLOCK: STATUS_SUCCESS goes on with it */
	uint32_t short_bytes, long_bytes;
	NTSTATUS (*call)(void *context, enum lf_fake_op op, uint64_t offset, uint64_t length);
	void *context;
};

#define LF_FAKE_RULES_MAX 16

void lf_fake_rule_add(const struct lf_fake_rule *rule);
void lf_fake_rules_clear(void); /* what is held stays held */
void lf_fake_release(void);     /* what pends or blocks goes on */
uint32_t lf_fake_held(void);    /* so many pend or block */
/* How I/O ends where no rule says otherwise; EITHER after a reset. Also ZwReadFile and the like then pend. */
void lf_fake_fs_how(enum lf_fake_how how, uint64_t seed);

/* ---- security: of the calling thread ---- */

enum lf_fake_who { LF_FAKE_SYSTEM, LF_FAKE_ADMIN, LF_FAKE_USER };

/* The process that the thread belongs to; SYSTEM to begin with. */
void lf_fake_process_of(enum lf_fake_who who);
void lf_fake_impersonate(enum lf_fake_who who, SECURITY_IMPERSONATION_LEVEL level);
void lf_fake_revert(void);
bool lf_fake_is_impersonating(void);

/* ---- ETW: one session, that listens or does not; it does not after a reset ---- */

/* Level and keywords as EnableTraceEx2 has them. Who registers later is told when it does. PASSIVE_LEVEL. */
void lf_fake_etw_enable(UCHAR level, ULONGLONG any, ULONGLONG all);
void lf_fake_etw_disable(void);
/* Since the reset: events with that id that the session got; writes of what it does not want. */
uint64_t lf_fake_etw_count(USHORT id);
uint64_t lf_fake_etw_unwanted(void);
/* All that happens from now on, in the file, as etw_stream.h says; NULL: no more. False: it cannot be
 * written. */
bool lf_fake_etw_record(const char *path);

/* ---- registry, device interfaces, power, debugger ---- */

/* key: as in "\\Registry\\Machine\\...\\Parameters"; any case. */
void lf_fake_registry_set(const char *key, const char *name, ULONG type, const void *data, uint32_t length);
/* How many interfaces of that class are registered; *enabled of them are enabled. */
uint32_t lf_fake_interfaces(const GUID *class_guid, uint32_t *enabled);
/* \Callback\PowerState: PO_CB_SYSTEM_STATE_LOCK, 0 (sleeps) or 1 (is back); at the caller's IRQL. */
void lf_fake_power(ULONG what, ULONG value);
/* The driver printed a line with these words in it since lf_fake_reset; of the last 256. */
bool lf_fake_has_printed(const char *words);

#endif
