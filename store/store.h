/* SPDX-License-Identifier: BSD-2-Clause */
/* store.h: the kinds of stores, and what some of them need beyond struct lf_store_ops. */
#ifndef LF_STORE_H
#define LF_STORE_H

#include "core/io.h"

/* ---- file: a raw image in a regular file or on a block device (Linux) ---- */

/*
 * source.handle is a descriptor that the asker opened; it is never opened by path here. An open-file-
 * description lock on it keeps other adapters out while the store is open. The process should ignore
 * SIGXFSZ: then a limit on the size of files is an error like any other.
 */
extern const struct lf_store_ops lf_store_file_ops;

enum lf_file_engine {
	LF_FILE_ENGINE_AUTO,    /* the better one of what this host allows */
	LF_FILE_ENGINE_THREADS, /* a pool of threads */
	LF_FILE_ENGINE_URING,   /* the ring of the loop that submits; the pool for callers that have none */
};

/* For stores opened from now on. Not while another thread opens one. */
void lf_store_file_set_engine(enum lf_file_engine engine);
/* Tests: false sends every operation to the engine, also what would be done in place. Likewise. */
void lf_store_file_set_inline(bool allowed);

/*
 * Waits until no thread of the pool is at work: done may be called on one, and what called it, or what done
 * called, may not have returned yet when its operation counts as ended. Called by the program after every
 * unit was freed and before lf_adapter_destroy, when nobody submits any more; PASSIVE_LEVEL.
 */
void lf_store_file_quiesce(void);

/*
 * Lets an open image grow: to size_bytes, or, when that is 0, to what the file or the block device has by
 * now. block_count: what there is then; the unit is told by lf_lu_resize. Not twice at a time for a store;
 * PASSIVE_LEVEL. LF_E_INVALID: it would shrink, or is no multiple of block_size; message is set.
 */
enum lf_error lf_store_file_resize(struct lf_store *store, uint64_t size_bytes, uint32_t block_size,
	uint64_t *block_count, struct lf_message *message);

/* A sync has failed, so that what was written may be lost: nothing is stable any more. Any thread. */
bool lf_store_file_has_failed(struct lf_store *store);

/*
 * Windows (file_nt*.c); there source.handle is a kernel handle, opened without FILE_SYNCHRONOUS_IO flags, and
 * for writing without intermediate buffering. removed runs at most once, on a thread of the system, when the
 * volume that the image lies on goes away; while an image is open, its volume's removal is refused.
 */
void lf_store_file_watch(struct lf_store *store, void (*removed)(void *context), void *context);
/* Flushes every open image that was written to since its last flush. PASSIVE_LEVEL. */
void lf_store_file_flush_all(void);
/*
 * The NAA identifiers of the disks that the volume of the image lies on, as many as there are, most at most;
 * 0 when it cannot be told (a share). PASSIVE_LEVEL.
 */
uint32_t lf_store_file_below(lf_handle image, uint64_t *identifiers, uint32_t most);

/* What LF_OP_SAVE may carry at most. */
#define LF_STATE_MAX_BYTES 65536u

/*
 * Reads what LF_OP_SAVE last wrote through state_handle. LF_E_NOT_FOUND: nothing was saved, or never
 * completely; LF_E_RANGE: capacity_bytes is too small.
 */
enum lf_error lf_store_load_state(
	lf_handle state_handle, void *blob, size_t capacity_bytes, size_t *length_bytes);

/* Longest atomic WRITE of a file, which needs a state_handle for it, and of memory. */
#define LF_ATOMIC_MAX_BYTES (1u << 20)

/* ---- memory: a RAM disk ---- */

/* source.path is "memory:SIZE", SIZE in bytes or with K, M, G, T after it; no handle. Completes in place. */
extern const struct lf_store_ops lf_store_memory_ops;

/* ---- fault: another store with faults, for tests ---- */

/* Its open refuses: lf_store_fault_wrap makes one. */
extern const struct lf_store_ops lf_store_fault_ops;

#define LF_FAULT_RULES_MAX 16
#define LF_FAULT_OP(op)    (1u << (op))

/* What befalls which operations; the first rule that matches holds. Zero means: no restriction, nothing. */
struct lf_fault_rule {
	uint32_t ops;             /* LF_FAULT_OP()s; 0: all */
	uint64_t offset_bytes;    /* operations that touch this range; those without a range always match */
	uint64_t length_bytes;    /* 0: to the end */
	uint32_t after;           /* this many matching operations are spared first */
	uint32_t count;           /* then so many are hit; 0: all */
	uint32_t spared_per_1024; /* of those, so many in 1024 are spared, by the seed's dice */
	uint32_t delay_ms;        /* held so long; then it fails with error, or goes on when that is LF_OK */
	bool hang;                /* held until lf_store_fault_release or cancel */
	enum lf_error error;
};

/* The new store owns inner. NULL when memory or threads are short; inner is the caller's still. */
struct lf_store *lf_store_fault_wrap(const struct lf_store_ops *ops, struct lf_store *inner, uint64_t seed);
/* Any thread. False: there are LF_FAULT_RULES_MAX already. */
bool lf_store_fault_add(struct lf_store *store, const struct lf_fault_rule *rule);
/* No rules any more; what is held stays held. */
void lf_store_fault_clear(struct lf_store *store);
/* What hangs goes on: fails with its rule's error, or is passed on when that is LF_OK. */
void lf_store_fault_release(struct lf_store *store);
/* How many operations are held. */
uint32_t lf_store_fault_held(struct lf_store *store);

#endif
