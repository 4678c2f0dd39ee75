/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h: what the files of the small kernel share. No lock of the kernel is one big lock: the race
 * detector would then take everything to be ordered that ever waited or allocated.
 */
#ifndef LF_TESTS_NT_INTERNAL_H
#define LF_TESTS_NT_INTERNAL_H

#include <pthread.h>
#include <stdint.h>

#include "tests/storport/nt/nt.h"

#define LF_FAKE_LOCKS_OF_A_THREAD 8

struct lf_fake_held_lock {
	KSPIN_LOCK *lock;
	KIRQL before;
};

struct lf_fake_token;

/* One for each thread that ever called: what KTHREAD is. */
struct lf_fake_thread {
	KIRQL irql;
	uint32_t processor;
	uint32_t lock_count;
	struct lf_fake_held_lock locks[LF_FAKE_LOCKS_OF_A_THREAD];
	enum lf_fake_who process;
	struct lf_fake_token *token; /* impersonated; NULL: none */
	SECURITY_IMPERSONATION_LEVEL level;
	bool is_system_thread, is_ready;
	bool shows_no_boxes;  /* its hard errors are disabled */
	pthread_cond_t awake; /* of what it waits for, under that object's lock */
};

struct lf_fake_thread *lf_fake_self(void);

void lf_fake_passive(const char *who); /* PASSIVE_LEVEL and no spin lock */

/* True: this call is to fail. Counts it. */
bool lf_fake_fails(enum lf_fake_call call);

/* Dice that many threads throw; less than sides. Never the same for two threads at once. */
struct lf_fake_dice {
	uint64_t state;
};

void lf_fake_dice_set(struct lf_fake_dice *dice, uint64_t seed);
uint32_t lf_fake_dice_throw(struct lf_fake_dice *dice, uint32_t sides);

/* Locks for things that are known by their address, and for nothing else. */
struct lf_fake_bucket {
	pthread_mutex_t mutex;
	void *first;
};

#define LF_FAKE_BUCKETS 256

static inline uint32_t lf_fake_hash(const void *address)
{
	return (uint32_t)(((uintptr_t)address >> 4) * 0x9e3779b97f4a7c15ULL >> 56);
}

/* ---- objects (ob.c): the body follows the header ---- */

enum lf_fake_type {
	LF_FAKE_FILE = 5,
	LF_FAKE_KEY = 21,
	LF_FAKE_THREAD_OBJECT,
	LF_FAKE_TOKEN,
	LF_FAKE_CALLBACK
};

void *lf_fake_object_make(enum lf_fake_type type, size_t body_bytes, void (*gone)(void *body));
void lf_fake_object_reference(void *body);
void lf_fake_object_dereference(void *body);
bool lf_fake_object_is(void *body, enum lf_fake_type type);
/* The handle has a reference of its own; access is what it was opened for. */
HANDLE lf_fake_handle_make(void *body, ACCESS_MASK access);
/* Borrowed. */
void *lf_fake_handle_body(HANDLE handle, enum lf_fake_type type, ACCESS_MASK *access);
/* closed is called when a handle of that type is closed, before its reference goes. */
void lf_fake_type_closed(enum lf_fake_type type, void (*closed)(void *body));

/* ---- what leaks and resets ---- */

uint32_t lf_fake_pool_leaks(void);
uint32_t lf_fake_object_leaks(void);
uint32_t lf_fake_irp_leaks(void);
uint32_t lf_fake_mapping_leaks(void);
uint32_t lf_fake_timer_leaks(void);
uint32_t lf_fake_pnp_leaks(void);
uint32_t lf_fake_etw_leaks(void);
void lf_fake_calls_reset(void);
void lf_fake_timer_reset(void);
void lf_fake_irp_reset(void);
void lf_fake_fs_reset(void);
void lf_fake_registry_reset(void);
void lf_fake_pnp_reset(void);
void lf_fake_etw_reset(void);
void lf_fake_text_reset(void);
void lf_fake_timers_are_idle(const void *memory, size_t length_bytes);
void lf_fake_mdls_are_idle(const void *memory, size_t length_bytes);

/* ---- waits (wait.c) ---- */

enum {
	LF_FAKE_WAIT_NOTIFICATION,
	LF_FAKE_WAIT_SYNCHRONIZATION,
	LF_FAKE_WAIT_SEMAPHORE = 5,
	LF_FAKE_WAIT_THREAD,
	LF_FAKE_WAIT_TIMER = 8
};

void lf_fake_header_set(DISPATCHER_HEADER *header, UCHAR type, LONG state);
void lf_fake_header_signal(DISPATCHER_HEADER *header);
void lf_fake_header_clear(DISPATCHER_HEADER *header);
uint64_t lf_fake_host_ns(uint64_t ns); /* so long on the clock of the host */
bool lf_fake_clock_stands(void);
void lf_fake_timers_run(void); /* until none is due (time.c) */
/* after_ns: of the kernel's clock. */
void lf_fake_deadline(struct timespec *when, uint64_t after_ns);

/* ---- threads (ps.c): those that were seen to end have ended ---- */

void lf_fake_threads_settle(void);
/* Breaks the test when a file system would ask the user in the name of this system thread, and wait for him.
 */
void lf_fake_need_no_boxes(const char *who);

/* ---- IRPs (io.c) ---- */

/* Calls the completion routines. The IRP may be gone after it. */
void lf_fake_irp_end(IRP *irp);

/* ---- tokens (se.c) ---- */

/* Who does it: impersonated, or the process. level: SecurityDelegation when nobody is impersonated. */
enum lf_fake_who lf_fake_acting(SECURITY_IMPERSONATION_LEVEL *level);

/* ---- plug and play (pnp.c) ---- */

/* Calls those that registered for files of the volume; the first that refuses is the answer. */
NTSTATUS lf_fake_pnp_tell(struct lf_fake_volume *volume, const GUID *event);

/* ---- file system ---- */

struct lf_fake_volume *lf_fake_volume_of(FILE_OBJECT *file);
bool lf_fake_volume_is_remote(const struct lf_fake_volume *volume);

/* Text: ASCII names of the tests against the kernel's strings, in any case. */
bool lf_fake_same_name(const UNICODE_STRING *a, const char *b);
/* As ASCII; what is none becomes '?'. */
void lf_fake_ascii(const UNICODE_STRING *from, char *to, size_t room_bytes);

#endif
