/* SPDX-License-Identifier: BSD-2-Clause */
/* file.h: what the file store's own files share: the store, an operation's steps, the engines. */
#ifndef LF_STORE_FILE_H
#define LF_STORE_FILE_H

#include "platform/loop_linux.h"
#include "store/file_checks.h"
#include "store/store.h"

#include <pthread.h>
#include <sys/uio.h>

_Static_assert(sizeof(struct lf_segment) == sizeof(struct iovec), "a segment is an iovec");
_Static_assert(
	offsetof(struct lf_segment, base) == offsetof(struct iovec, iov_base), "a segment is an iovec");
_Static_assert(
	offsetof(struct lf_segment, length) == offsetof(struct iovec, iov_len), "a segment is an iovec");

#define LF_FILE_ERRORS (LF_E_TIMED_OUT + 1)

/* What was logged of one kind of fault. */
struct lf_file_log {
	uint64_t quiet_until_ns;
	uint32_t suppressed;
};

struct lf_store {
	/* Constant while the store is open. */
	int fd, state_fd;
	uint64_t size_bytes; /* atomic: grows by lf_store_file_resize */
	bool read_only;
	bool use_ring;
	bool never_waits;  /* a file system in memory: everything is done in place */
	bool reads_nowait; /* RWF_NOWAIT works for reads */
	bool writes_wait;  /* the kernel never writes without waiting here: the ring need not try */
	char *path;        /* for the log */

	/* Atomic: learned while running, never unlearned. */
	bool no_zero_range; /* the file system has no FALLOC_FL_ZERO_RANGE */
	bool no_punch;      /* nor FALLOC_FL_PUNCH_HOLE */

	pthread_mutex_t lock;    /* guards what follows; held across the writes of a SAVE */
	uint64_t state_sequence; /* of the newest valid slot */
	uint8_t *journal;        /* LF_FILE_PIECE_BYTES to copy through; NULL: no atomic writes */

	pthread_mutex_t sync_lock;   /* guards what follows: see file_sync.c */
	bool sync_runs;              /* an operation leads a sync: from its turn to its result */
	bool sync_failed;            /* this file is never stable again until it is opened anew */
	struct lf_link sync_sharing; /* io->link: who shares the sync that runs, beside its leader */
	struct lf_link sync_waiting; /* io->link: who came later: they share the next one */

	pthread_mutex_t log_lock;
	struct lf_file_log logs[LF_FILE_ERRORS];
};

/* ---- file_steps.c: an operation as a row of system calls, whoever makes them ---- */

/* Lives in lf_io.platform. One system call is out at a time, so no lock. */
struct lf_file_io {
	union {
		struct lf_completion completion; /* on the ring */
		void (*run)(struct lf_io *io);   /* in the pool's queue */
	};
	struct lf_store *store;
	uint64_t done_bytes;
	uint16_t phase;
	uint16_t retries;
	uint8_t undone; /* enum lf_error why an atomic write was undone, reported once that is stable */
	bool recorded;  /* the journal has the atomic write */
} LF_MAY_ALIAS;

_Static_assert(sizeof(struct lf_file_io) <= sizeof(struct lf_platform_io), "fits in an lf_io");

static inline struct lf_file_io *lf_file_io_of(struct lf_io *io)
{
	return (struct lf_file_io *)(void *)io->platform.words;
}

static inline struct lf_io *lf_file_io_back(struct lf_file_io *file_io)
{
	return lf_container(file_io, struct lf_io, platform);
}

enum lf_file_call_kind {
	LF_FILE_READ,
	LF_FILE_WRITE,
	LF_FILE_SYNC,
	LF_FILE_FALLOCATE,
	LF_FILE_SAVE,
	LF_FILE_MAP,
	LF_FILE_USAGE,
	LF_FILE_RECORD, /* these three: file_journal.c */
	LF_FILE_UNDO,
	LF_FILE_RETIRE,
};

struct lf_file_call {
	enum lf_file_call_kind kind;
	const struct iovec
		*vector; /* READ, WRITE: stays until the operation is done. NULL: the piece below */
	uint32_t vector_count;
	struct iovec piece;
	uint64_t offset_bytes, length_bytes;
	int flags; /* RWF_ or FALLOC_FL_ */
};

void lf_file_begin(struct lf_store *store, struct lf_io *io);
/*
 * The next call to make. False: the operation is the caller's no more: its done was called, or it waits for
 * a sync that another operation leads.
 */
bool lf_file_next(struct lf_io *io, struct lf_file_call *call);
/* A sync was made for it, by itself or by another. True: it goes on; false: it is done. */
bool lf_file_synced(struct lf_io *io);
/* What came of it: bytes, or an errno negated. */
void lf_file_result(struct lf_io *io, int64_t result);
/* Makes the call here and now. more_flags: RWF_NOWAIT or none. */
int64_t lf_file_make_call(struct lf_io *io, const struct lf_file_call *call, int more_flags);

/* Logs a fault of the host's, each kind of it at most once a minute. */
void lf_file_log_fault(struct lf_io *io, enum lf_error error, int number);

/* Made of calls that may wait and that no ring has: a thread's. */
static inline bool lf_file_wants_thread(const struct lf_io *io)
{
	return io->atomic || io->op == LF_OP_SAVE || io->op == LF_OP_MAP || io->op == LF_OP_USAGE;
}

/* ---- file_sync.c ---- */

/* True: io leads, its caller makes the call. False: it shares the next sync, or was done with an error. */
bool lf_file_sync_join(struct lf_io *io);
/* The leader has its error: all who share it are done or go on, and the next sync is on its way. */
void lf_file_sync_end(struct lf_io *leader);
/* What is in the file cannot be told any more: no sync succeeds until it is opened anew. */
void lf_file_sync_give_up(struct lf_store *store);

/* ---- file_linux.c ---- */

/* An engine goes on where the operation stands: this loop's ring, or the pool. */
void lf_file_go_on(struct lf_io *io);

/* ---- file_uring.c ---- */

/* False: the caller has no ring, or that is full; nothing was done. */
bool lf_file_uring_start(struct lf_io *io);

/* ---- file_threads.c ---- */

/* At least one thread runs; PASSIVE_LEVEL. */
bool lf_file_threads_open(void);
/* Carries the operation out, from where it is to its done. */
void lf_file_threads_start(struct lf_io *io);

/* ---- file_open.c ---- */

/* Examines the descriptor: what is refused, what the store has to know, what the core has to know. */
enum lf_error lf_file_examine(const struct lf_source *source, struct lf_store *store,
	struct lf_store_info *info, struct lf_message *message);
const char *lf_file_errno_name(int number); /* "ENOSPC" */

/* ---- file_state.c ---- */

bool lf_file_is_writable(int fd);
/* Learns which slot is the newer one, and sees to it that it is stable: 0, or an errno negated. */
int64_t lf_file_state_open(struct lf_store *store);
/* Writes the older slot and syncs it: 0, or an errno negated. May block. */
int64_t lf_file_state_save(struct lf_store *store, const struct lf_io *io);

#define LF_FILE_PIECE_BYTES 65536u
/* Where the slots end and the journal begins. */
#define LF_FILE_JOURNAL_AT (4 * (off_t)LF_STATE_MAX_BYTES)
/* FNV-1a of 64 bits, of nothing yet; and with more bytes. */
#define LF_FILE_CHECKSUM 0xcbf29ce484222325u
uint64_t lf_file_checksum(uint64_t sum, const void *bytes, size_t length_bytes);
/* How many bytes came, or an errno negated. */
int64_t lf_file_read_fully(int fd, void *to, size_t length_bytes, off_t offset);
/* These two: 0, or an errno negated. put_data: the operation's data, added to the checksum, too. */
int64_t lf_file_write_fully(int fd, const void *from, size_t length_bytes, off_t offset);
int64_t lf_file_put_data(int fd, const struct lf_io *io, off_t offset, uint64_t *sum);

/* ---- file_journal.c: an atomic write that the host was stopped in is found again ---- */

/*
 * Completes or drops what is left of one, and says in info whether there can be more. The image is locked,
 * nobody else has the store yet.
 */
enum lf_error lf_file_journal_open(const struct lf_source *source, struct lf_store *store,
	struct lf_store_info *info, struct lf_message *message);
/*
 * 0, or an errno negated; may block. record: what is in the range and what comes there, stable. undo: what
 * was in its first bytes, from there. retire: the record counts no more; before anything else is written.
 */
int64_t lf_file_journal_record(struct lf_store *store, const struct lf_io *io);
int64_t lf_file_journal_undo(struct lf_store *store, const struct lf_io *io, uint64_t length_bytes);
int64_t lf_file_journal_retire(struct lf_store *store);

#endif
