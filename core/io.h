/* SPDX-License-Identifier: BSD-2-Clause */
/* io.h: the border between the core and a store: one operation, the store's functions, the facts of a medium.
 */
#ifndef LF_CORE_IO_H
#define LF_CORE_IO_H

#include "platform/platform.h"

enum lf_op {
	LF_OP_READ,
	LF_OP_WRITE,
	LF_OP_FLUSH, /* all that was acknowledged before becomes stable; offset and length are zero */
	LF_OP_ZERO,  /* the range reads zeros; room may be kept */
	LF_OP_UNMAP, /* the range reads zeros if info.unmap_reads_zero; room is given back where possible */
	LF_OP_SAVE,  /* a small metadata blob (segments) replaces the one saved before, and is stable at done
		      */
	LF_OP_MAP, /* nothing moves: says whether the range's first byte takes room, and how far that holds */
	LF_OP_USAGE, /* nothing moves: says how much room the medium takes, and how much more there is for it;
			offset and length are zero. Only where info.tells_usage */
};

/* Same layout as struct iovec: asserted where one is used as the other (store/file.h). */
struct lf_segment {
	void *base;
	size_t length;
};

/* One store operation. It lives in its request; the store's from submit to done. */
struct lf_io {
	enum lf_op op;
	bool fua;              /* WRITE, ZERO, UNMAP: stable before done */
	bool atomic;           /* WRITE of at most info.atomic_max_bytes: see there */
	uint64_t offset_bytes; /* range and alignment to blocks were checked by the core */
	uint64_t length_bytes;
	const struct lf_segment
		*segments; /* READ, WRITE, SAVE: hold at least length_bytes; borrowed until done */
	uint32_t segment_count;
	bool mapped;         /* MAP: set by the store, which also cuts length_bytes to where it holds */
	uint64_t used_bytes; /* USAGE: these two are set by the store; either may be more than the medium has
			      */
	uint64_t available_bytes;       /* others may take that room first */
	enum lf_error error;            /* set by the store before done */
	void (*done)(struct lf_io *io); /* exactly once, on any thread, also from within submit; the store's
					   last touch. It may submit another operation from within. */
	struct lf_link link;            /* the store's own from submit to done */
	struct lf_platform_io platform; /* likewise */
};

/* Facts of a medium, given once by open. */
struct lf_store_info {
	uint64_t block_count;
	uint32_t block_size;              /* bytes in a logical block: 512, 4096, 2048 */
	uint32_t physical_block_size;     /* bytes, a multiple of block_size */
	uint64_t unmap_granularity_bytes; /* a power of two; 0 when can_unmap is false */
	uint64_t unmap_alignment_bytes;
	/*
	 * Longest WRITE that is all or nothing, also for whoever opens the medium after a crash or a power
	 * loss; 0: none is. While one is at the store nothing else may be: it may come again when the store
	 * is opened, over whatever was written beside it.
	 */
	uint32_t atomic_max_bytes;
	bool can_unmap, unmap_reads_zero;
	bool tells_usage; /* the store takes LF_OP_USAGE */
	bool read_only, rotational;
};

/* What to open; the handles were opened by whoever asked, with that one's rights. */
struct lf_source {
	const char *path;               /* for messages; absolute */
	lf_handle handle, state_handle; /* the store owns them from a successful open to close */
	uint32_t block_size;            /* as the operator wants it; 0: the store's choice */
	uint32_t physical_block_size;   /* likewise */
	uint64_t block_count_max;       /* more are refused; 0: as many as there may be */
	bool read_only;
	bool no_unmap;
};

struct lf_store; /* each kind has its own */

/*
 * Behaviour of a store. submit and cancel: any thread, up to DISPATCH_LEVEL, they neither block nor allocate.
 * open and close: PASSIVE_LEVEL, they may block.
 */
struct lf_store_ops {
	const char *name;
	enum lf_error (*open)(const struct lf_source *source, struct lf_store **store,
		struct lf_store_info *info, struct lf_message *message);
	void (*submit)(struct lf_store *store, struct lf_io *io);
	/*
	 * A hint that nobody waits for io any more; io->done still comes, but never from within. Called under
	 * locks of the core's, so it calls nothing back, and perhaps for an io that is not, or not yet, or no
	 * longer at the store, which therefore compares pointers and looks into none. May be NULL.
	 */
	void (*cancel)(struct lf_store *store, struct lf_io *io);
	void (*close)(struct lf_store *store); /* nothing is in flight */
};

#endif
