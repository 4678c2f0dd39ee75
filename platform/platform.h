/* SPDX-License-Identifier: BSD-2-Clause */
/* platform.h: what the rooms above need of a machine: atomics, a lock, memory, time, lanes, log, assertions.
 */
#ifndef LF_PLATFORM_H
#define LF_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/bytes.h"

/* The C library's own contracts; declared here because a freestanding build has no <string.h>. */
void *memcpy(void *to, const void *from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
int memcmp(const void *a, const void *b, size_t length);
size_t strlen(const char *text);
size_t strspn(const char *text, const char *set);
int strcmp(const char *one, const char *other);
int strncmp(const char *one, const char *other, size_t most);
char *strchr(const char *text, int c);
char *strrchr(const char *text, int c);

#define lf_container(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define lf_count_of(array)                  (sizeof(array) / sizeof((array)[0]))
#define lf_min(a, b)                        ((a) < (b) ? (a) : (b))
#define lf_max(a, b)                        ((a) > (b) ? (a) : (b))

/* The programmer's errors: the daemon aborts, the driver bugchecks; nothing runs on over broken memory. */
_Noreturn void lf_panic(const char *file, int line, const char *what);
#define lf_assert(condition) ((condition) ? (void)0 : lf_panic(__FILE__, __LINE__, #condition))

/*
 * A doubly linked list with its head in the same shape: an empty head points at itself, a link that is in
 * no list is zero. No lock of its own.
 */
struct lf_link {
	struct lf_link *next, *previous;
};

static inline void lf_list_init(struct lf_link *head)
{
	head->next = head->previous = head;
}

static inline bool lf_list_empty(const struct lf_link *head)
{
	return head->next == head;
}

static inline bool lf_link_in_list(const struct lf_link *link)
{
	return link->next != NULL;
}

static inline void lf_list_append(struct lf_link *head, struct lf_link *link)
{
	link->next = head;
	link->previous = head->previous;
	head->previous->next = link;
	head->previous = link;
}

static inline void lf_list_remove(struct lf_link *link)
{
	link->previous->next = link->next;
	link->next->previous = link->previous;
	link->next = link->previous = NULL;
}

/* Takes the first link out of the list; NULL when there is none. */
static inline struct lf_link *lf_list_take(struct lf_link *head)
{
	struct lf_link *first = head->next;
	if (first == head)
		return NULL;
	lf_list_remove(first);
	return first;
}

/* For lists whose current link may be removed by the body. */
#define lf_list_each(link, after, head)                                                                      \
	for (struct lf_link *link = (head)->next, *after = link->next; link != (head);                       \
		link = after, after = link->next)

/* How compilers say what the standard has no word for. */
#if defined(__GNUC__)
#if defined(__MINGW32__) && !defined(__clang__)
#define LF_PRINTF(format_at, values_at) __attribute__((format(gnu_printf, format_at, values_at)))
#else
#define LF_PRINTF(format_at, values_at) __attribute__((format(printf, format_at, values_at)))
#endif
/* On a struct: its members may lie in words of another type (struct lf_platform_io). */
#define LF_MAY_ALIAS __attribute__((may_alias))
#else
#define LF_PRINTF(format_at, values_at)
#define LF_MAY_ALIAS
#endif

/* Atomics: acquire loads, release stores, sequentially consistent changes, unless the name says relaxed. */
#if defined(__GNUC__)
static inline uint32_t lf_atomic_load_u32(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void lf_atomic_store_u32(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline uint32_t lf_atomic_or_u32(uint32_t *word, uint32_t bits)
{
	return __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST);
}

static inline uint32_t lf_atomic_and_u32(uint32_t *word, uint32_t bits)
{
	return __atomic_fetch_and(word, bits, __ATOMIC_SEQ_CST);
}

static inline uint64_t lf_atomic_load_relaxed_u64(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline void lf_atomic_store_relaxed_u64(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline uint64_t lf_atomic_add_relaxed_u64(uint64_t *word, uint64_t value)
{
	return __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}
#else
#include "platform/atomic_nt.h"
#endif

/*
 * A lock for a few instructions: a mutex on Linux, a spin lock (DISPATCH_LEVEL while held) on Windows.
 * Never held across a call into another room. The words are the platform's; it asserts that they suffice.
 */
struct lf_lock {
	uint64_t words[6];
};

void lf_lock_init(struct lf_lock *lock);
void lf_lock_fini(struct lf_lock *lock);
void lf_lock(struct lf_lock *lock);
void lf_unlock(struct lf_lock *lock);

/* Zeroed memory (non-paged on Windows), or NULL. Up to DISPATCH_LEVEL; never on the way of a command. */
void *lf_alloc(size_t length_bytes);
void lf_free(void *memory);

/* A clock that only goes forward, in nanoseconds. Any thread, any IRQL up to DISPATCH_LEVEL. */
uint64_t lf_time_ns(void);

/*
 * The lane that the caller runs on: the number of its event loop on Linux, of its processor on Windows.
 * Threads that are neither (pools, tests) are given one. Always below the count that the adapter was made
 * for when the caller takes it modulo that count, which the core does.
 */
uint32_t lf_lane_current(void);

/*
 * What a store keeps in an lf_io while it owns it. On Windows the edge has put in before lf_begin where data
 * is that no segment has an address of: struct lf_nt_io of platform/nt.h; the core leaves it alone.
 */
struct lf_platform_io {
	uint64_t words[8];
};

/* A file as the platform names it: a descriptor on Linux, a kernel HANDLE on Windows; -1 is none on both. */
typedef intptr_t lf_handle;
#define LF_HANDLE_NONE ((lf_handle)-1)

/* May block; PASSIVE_LEVEL. */
void lf_handle_close(lf_handle handle);

/* Every way that something outside can fail; mapped once where it enters (errno, NTSTATUS), once to sense. */
enum lf_error {
	LF_OK,
	LF_E_IO,          /* the medium or the way to it failed */
	LF_E_NO_SPACE,    /* the host file system is full */
	LF_E_READ_ONLY,   /* written to what cannot be written */
	LF_E_NO_MEDIUM,   /* nothing is inserted, or the backing file went away */
	LF_E_RANGE,       /* past the end: a backing file that was cut short */
	LF_E_NO_MEMORY,   /* a resource of ours or of the host ran out: worth another try */
	LF_E_INVALID,     /* the argument makes no sense */
	LF_E_UNSUPPORTED, /* this store, or its host, cannot do that */
	LF_E_ABORTED,     /* given up because somebody asked for it */
	LF_E_NOT_FOUND,   /* no such thing */
	LF_E_BUSY,        /* in use elsewhere */
	LF_E_PERMISSION,  /* the one who asked may not */
	LF_E_TIMED_OUT,   /* not done in the time it was given */
};

const char *lf_error_text(enum lf_error error); /* "input/output error": for messages, never NULL */

enum lf_log_level { LF_LOG_ERROR, LF_LOG_WARNING, LF_LOG_NOTICE, LF_LOG_DEBUG };

/* One line, without newline. Any thread, any IRQL up to DISPATCH_LEVEL. */
void lf_log(enum lf_log_level level, const char *format, ...) LF_PRINTF(2, 3);

/*
 * Text of at most room_bytes with its zero; what is longer is cut. No floating point, no wide characters, no
 * %zu (the kernel's does not know it). Any IRQL up to DISPATCH_LEVEL. Returns the length that is there.
 */
size_t lf_format(char *text, size_t room_bytes, const char *format, ...) LF_PRINTF(3, 4);

/* One lower-case line for whoever asked: object, cause, remedy. */
struct lf_message {
	char text[256];
};

void lf_message_set(struct lf_message *message, const char *format, ...) LF_PRINTF(2, 3);

#endif
