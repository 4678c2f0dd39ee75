/* SPDX-License-Identifier: BSD-2-Clause */
/* file_nt.h: what the file store's own files for the kernel of Windows share: the store, its threads, IRPs.
 */
#ifndef LF_STORE_FILE_NT_H
#define LF_STORE_FILE_NT_H

#include "platform/nt.h"
#include "store/file_checks.h"
#include "store/store.h"

/*
 * For lf_store_file_ops on Windows; see store/driver_nt.h for what a driver calls. One store, that is one
 * open image, has
 *  - workers, which call the file system: at PASSIVE_LEVEL, on a stack of their own, with nobody waiting for
 *    them but this image. File systems block whoever calls them, even with asynchronous IRPs;
 *  - a porter, which never does: it ends what was given up, lets those try again that were told to, hears of
 *    the volume's removal, and is the last to leave. A dead share holds all workers; nothing else stalls.
 */
#define LF_FILE_WORKERS 4
/* IRPs that were allocated at open, for when memory is short. */
#define LF_FILE_RESERVE 4
/* What goes through a buffer of the worker's goes in pieces of this. */
#define LF_FILE_BOUNCE_BYTES 65536u
/* What the host has no room for now is tried again after this. */
#define LF_FILE_RETRY_NS (10 * 1000 * 1000u)
/* Ranges are zeroed in pieces, so that each of them can be given up. */
#define LF_FILE_ZERO_BYTES (1u << 30)
#define LF_FILE_ERRORS     (LF_E_TIMED_OUT + 1)

/* One IRP at a time for each operation, and one for the flush that runs. The store's lock guards it. */
struct lf_file_flight {
	IRP *irp;         /* below; NULL: none is */
	uint8_t worker;   /* 1 + the number of the worker that waits for it; 0: nobody waits */
	uint8_t phase;    /* an operation's; nobody's who does not hold the operation */
	bool unwanted;    /* nobody waits for its operation any more */
	bool cancelling;  /* IoCancelIrp runs: the IRP stays until that returned */
	bool cancelled;   /* it ran for this IRP */
	bool back;        /* meanwhile it came back */
	uint8_t spare[2]; /* the compiler's */
};

/* Lives in lf_nt_io.words. io->link is in one of the store's lists, or in none. */
struct lf_file_io {
	struct lf_store *store;
	uint64_t done_bytes;
	struct lf_file_flight flight;
} LF_MAY_ALIAS;

_Static_assert(sizeof(struct lf_file_io) <= sizeof(((struct lf_nt_io *)0)->words), "fits in an lf_io");

static inline struct lf_file_io *lf_file_io_of(struct lf_io *io)
{
	return (struct lf_file_io *)(void *)lf_nt_io_of(&io->platform)->words;
}

/* What a control of the file system's carries; it is not paged, and lives while its IRP is below. */
union lf_file_control {
	FILE_ZERO_DATA_INFORMATION zero;
	struct {
		FILE_ALLOCATED_RANGE_BUFFER asked, first;
	} ranges;
	struct { /* FILE_LEVEL_TRIM of one range, and FILE_LEVEL_TRIM_OUTPUT: mingw-w64 has neither */
		ULONG key, range_count;
		ULONGLONG offset_bytes, length_bytes;
	} trim;
};

struct lf_file_worker {
	struct lf_store *store;
	struct lf_nt_thread thread;
	uint8_t number;
	KEVENT back; /* the IRP that it waits for came back: */
	NTSTATUS status;
	ULONG_PTR information;
	union lf_file_control control;
	void *bounce_memory;
	uint8_t *bounce; /* LF_FILE_BOUNCE_BYTES, on the boundary of a page */
	uint64_t bounce_mdl[(sizeof(MDL) + (LF_FILE_BOUNCE_BYTES / PAGE_SIZE + 1) * sizeof(PFN_NUMBER)) / 8];
};

/* What was logged of one kind of fault. */
struct lf_file_log {
	uint64_t quiet_until_ns;
	uint32_t suppressed;
};

struct lf_store {
	/* Constant while the store is open. */
	lf_handle handle, state_handle;
	FILE_OBJECT *file;
	bool read_only;
	bool unbuffered;
	bool zeroes;            /* a sparse file: a range is zeroed by giving its room back */
	bool trims;             /* a hint of what is not needed can be given */
	uint32_t sector_bytes;  /* of the host's; 1 where its cache lies between */
	uint32_t align_mask;    /* of the address of what moves */
	uint32_t cluster_bytes; /* of the host's file system */
	char *path;             /* for the log */

	/* Atomic. */
	uint64_t size_bytes;  /* grows by lf_store_file_resize */
	uint64_t changes;     /* how often something was changed, in part or whole, counted when it was */
	uint32_t cannot_zero; /* learned while running */
	uint32_t cannot_trim; /* likewise */

	struct lf_lock lock;        /* guards what follows, up to the threads */
	struct lf_link queue;       /* io->link: for the workers */
	struct lf_link running;     /* at a worker or below */
	struct lf_link later;       /* for the workers, but not before later_due_ns */
	struct lf_link ended;       /* for the porter: error is set, done is to be called */
	struct lf_link returned;    /* for the porter: its IRP is back, see flight.cancelling */
	struct lf_link sync_waits;  /* they share the next flush */
	struct lf_link sync_shares; /* they share the one that runs */
	uint64_t later_due_ns;
	uint64_t flushed_changes; /* changes that are stable */
	bool sync_wanted;         /* a worker is to flush */
	bool sync_runs;           /* or does */
	bool sync_failed;         /* nothing is stable any more until the image is opened anew */
	struct lf_file_flight sync_flight;
	uint32_t reserve_mask; /* which of reserve are free */
	bool stopping;
	bool sleep_busy;  /* sleep_io is out */
	bool sleep_again; /* and somebody asked since */
	bool removed;     /* the volume went */
	void (*watch)(void *context);
	void *watch_context;
	struct lf_file_log logs[LF_FILE_ERRORS];

	IRP *reserve[LF_FILE_RESERVE];
	struct lf_io sleep_io; /* the flush before the machine sleeps */
	uint64_t sleep_number; /* the last who had asked when it began; file_nt.c's lock */
	struct lf_link link;   /* in the list of all, see file_nt.c */
	void *notification;    /* the porter's, once it runs */

	/* Threads of the file system's that are in a completion routine, and from there in the core. */
	volatile LONG inside;

	KSEMAPHORE work; /* one for each operation in the queue, each flush wanted, each worker to end */
	KEVENT porter_wake;
	struct lf_nt_thread porter;
	struct lf_file_worker workers[LF_FILE_WORKERS];
	uint32_t worker_count; /* that were started */
};

/* ---- file_nt_threads.c ---- */

enum lf_error lf_file_threads_start(struct lf_store *store);
/*
 * Nothing is in flight. The workers end, then the porter, who lets go of the file. False: some still hang in
 * the file system after that time; joining the porter says when they do not any more.
 */
bool lf_file_threads_stop(struct lf_store *store, uint64_t timeout_ns);

/* These three with the lock held. */
void lf_file_queue_locked(struct lf_store *store, struct lf_io *io); /* a worker goes on with it */
void lf_file_end_locked(struct lf_store *store, struct lf_io *io, enum lf_error error); /* by the porter */
void lf_file_later_locked(struct lf_store *store, struct lf_io *io);
/* The link's operation goes out of whatever list it is in. */
void lf_file_unlink_locked(struct lf_io *io);
/* Waits some time, in which memory may be found. A worker's. */
void lf_file_pause(void);

/* ---- file_nt_irp.c ---- */

/* From the pool or the reserve; NULL: both are empty. Clean, with room for the file's device. */
IRP *lf_file_irp_get(struct lf_store *store, DEVICE_OBJECT *device);
void lf_file_irp_put(struct lf_store *store, IRP *irp);
enum lf_error lf_file_irp_reserve(struct lf_store *store);
void lf_file_irp_release(struct lf_store *store);

/* The operation that a flight is of. */
static inline struct lf_io *lf_file_flight_owner(struct lf_file_flight *flight)
{
	char *file_io = (char *)lf_container(flight, struct lf_file_io, flight);

	return lf_container(file_io - offsetof(struct lf_nt_io, words), struct lf_io, platform);
}

/* What an IRP is to do; the data of a transfer lies in mdl. */
struct lf_file_call {
	UCHAR major; /* IRP_MJ_READ, _WRITE, _FLUSH_BUFFERS, _FILE_SYSTEM_CONTROL */
	MDL *mdl;
	uint64_t offset_bytes;
	ULONG length_bytes; /* of a control: of what it carries */
	ULONG control_code;
	union lf_file_control *control;
};

/*
 * Carries it out on the flight while the worker waits: the status, and what was moved. STATUS_CANCELLED also
 * when it was not even begun because nobody wants it any more. The file system is told that it may wait, too:
 * what it cannot do at once it would else give to the executive's worker threads, which all disks share, and
 * where the images of nested disks wait for each other.
 */
NTSTATUS lf_file_call(struct lf_file_worker *worker, struct lf_file_flight *flight,
	const struct lf_file_call *call, uint64_t *information);
/*
 * Begins it for the operation, which is the caller's no more when it returns true; lf_file_transferred goes
 * on with it. False: no IRP is to be had, or nobody wants it any more; nothing was begun.
 */
bool lf_file_begin_transfer(struct lf_io *io, const struct lf_file_call *call);
/* With the lock held: what is below is cancelled by the porter. */
void lf_file_unwanted_locked(struct lf_store *store, struct lf_file_flight *flight);
/* The porter's: cancels what nobody wants any more. */
void lf_file_cancel_unwanted(struct lf_store *store);
/* The porter's: it is out of the list of those whose IRP came back while it was cancelled. */
void lf_file_returned(struct lf_io *io);

/* ---- file_nt_steps.c ---- */

void lf_file_begin(struct lf_store *store, struct lf_io *io);
/* A worker goes on with it, until it is done, waits, or is below. */
void lf_file_carry_out(struct lf_file_worker *worker, struct lf_io *io);
/* Its IRP is back, which is put away already. Up to DISPATCH_LEVEL. */
void lf_file_transferred(struct lf_io *io, NTSTATUS status, uint64_t information);
/* Logs a fault of the host's, each kind of it at most once a minute. Up to DISPATCH_LEVEL. */
void lf_file_log_fault(struct lf_store *store, const struct lf_io *io, enum lf_error error, NTSTATUS status);

/* ---- file_nt_data.c ---- */

/* The next piece goes without a copy: call says what to do. */
bool lf_file_direct(struct lf_io *io, struct lf_file_call *call);
/* The next piece through the worker's buffer. STATUS_INSUFFICIENT_RESOURCES: worth another try. */
NTSTATUS lf_file_bounce(struct lf_file_worker *worker, struct lf_io *io, uint64_t *information);
NTSTATUS lf_file_write_zeros(struct lf_file_worker *worker, struct lf_io *io, uint64_t *information);

/* ---- file_nt_sync.c ---- */

/* It is done when all that was acknowledged is stable, or that failed. Never from within. */
void lf_file_sync_join(struct lf_store *store, struct lf_io *io);
/* A worker's turn. */
void lf_file_sync_run(struct lf_file_worker *worker);
/* With the lock held: it waits for a flush no more. */
void lf_file_sync_unwanted_locked(struct lf_store *store);

/* ---- file_nt_open.c ---- */

/* Examines the handle: what is refused, what the store has to know, what the core has to know. */
enum lf_error lf_file_examine(const struct lf_source *source, struct lf_store *store,
	struct lf_store_info *info, struct lf_message *message);

/* ---- file_nt_volume.c ---- */

void lf_file_volume_register(struct lf_store *store);
void lf_file_volume_unregister(struct lf_store *store);

#endif
