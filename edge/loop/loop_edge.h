/* SPDX-License-Identifier: BSD-2-Clause */
/* loop_edge.h: the in-process edge: commands from memory to memory, for tests, fuzzers and benchmarks. */
#ifndef LF_LOOP_EDGE_H
#define LF_LOOP_EDGE_H

#include "core/adapter.h"

/*
 * Inline: lf_begin and lf_submit are called at once by whoever starts a command.
 * Deferred: nothing happens within the call that asks for it. Beginning a command, submitting its data and
 * every operation of a wrapped store are queued, and lf_loop_edge_pump does one of them at a time: the oldest
 * of the commands and the oldest of the operations by turns. Between two pumps everything that the core may
 * meet between them can be made to happen.
 */
enum lf_loop_edge_mode { LF_LOOP_EDGE_INLINE, LF_LOOP_EDGE_DEFERRED };

struct lf_loop_edge {
	enum lf_loop_edge_mode mode;
	struct lf_lock lock;       /* guards what follows, but for next_tag */
	struct lf_link commands;   /* to begin or to submit, oldest first */
	struct lf_link operations; /* of wrapped stores */
	bool operation_next;
	uint64_t next_tag; /* atomic */
};

void lf_loop_edge_init(struct lf_loop_edge *edge, enum lf_loop_edge_mode mode);
/* Nothing is queued. */
void lf_loop_edge_fini(struct lf_loop_edge *edge);
/* Does one thing that is queued; false when there is none. Any thread, but not from within done. */
bool lf_loop_edge_pump(struct lf_loop_edge *edge);

/*
 * One command: the caller's memory, zeroed before its first use, lent from start until done ran, or, without
 * one, until ended is set. May be used again then.
 */
struct lf_loop_edge_command {
	/* In. */
	struct lf_nexus *nexus;
	uint32_t lun;
	uint8_t cdb[LF_CDB_MAX], cdb_length;
	enum lf_task_attribute attribute;
	enum lf_direction direction;       /* where the data goes, as the transport would say it */
	const struct lf_segment *segments; /* the data, all of it: its length is what the transport offers */
	uint32_t segment_count;
	void (*done)(
		struct lf_loop_edge_command *command); /* or NULL. Any thread; must neither start nor block */

	/* Out: request.status, sense, data_moved, data_wanted, direction; tag from start on. */
	struct lf_request request;
	uint32_t ended; /* atomic: 1 from the end on; written after all else */

	/* The edge's own. */
	struct lf_loop_edge *edge;
	struct lf_link link;
	bool begun;
};

void lf_loop_edge_start(struct lf_loop_edge *edge, struct lf_loop_edge_command *command);
/* Starts it and pumps until it ended; with a store that has threads of its own it waits for them. */
void lf_loop_edge_execute(struct lf_loop_edge *edge, struct lf_loop_edge_command *command);

/*
 * A store whose operations go to another one, but only when pumped: give lf_loop_edge_store_ops and this,
 * cast, to lf_lu_add in place of the other.
 */
struct lf_loop_edge_store {
	struct lf_loop_edge *edge;
	const struct lf_store_ops *ops;
	struct lf_store *store;
};

extern const struct lf_store_ops lf_loop_edge_store_ops;

#endif
