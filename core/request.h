/* SPDX-License-Identifier: BSD-2-Clause */
/* request.h: the border between an edge and the core: one SCSI command, its one way down and one way up. */
#ifndef LF_CORE_REQUEST_H
#define LF_CORE_REQUEST_H

#include "core/io.h"

/* SAM-5 table 41. */
enum lf_status {
	LF_STATUS_GOOD = 0x00,
	LF_STATUS_CHECK_CONDITION = 0x02,
	LF_STATUS_CONDITION_MET = 0x04,
	LF_STATUS_BUSY = 0x08,
	LF_STATUS_RESERVATION_CONFLICT = 0x18,
	LF_STATUS_TASK_SET_FULL = 0x28,
	LF_STATUS_TASK_ABORTED = 0x40, /* ended by task management; with TAS=0 an edge sends nothing for it */
};

enum lf_direction { LF_DIRECTION_NONE, LF_DIRECTION_IN, LF_DIRECTION_OUT }; /* as the initiator sees it */

enum lf_task_attribute { LF_TASK_SIMPLE, LF_TASK_ORDERED, LF_TASK_HEAD_OF_QUEUE, LF_TASK_ACA };

#define LF_CDB_MAX   32
#define LF_SENSE_MAX 252

struct lf_command;
struct lf_lu;
struct lf_nexus;
struct lf_task;

/*
 * One SCSI command: the edge's memory, lent to the core from lf_begin until done. Zero it once before its
 * first use; a request may be used again after done.
 */
struct lf_request {
	/* In, at lf_begin. */
	struct lf_nexus *nexus;
	uint64_t lun;            /* the eight bytes of SAM-5 4.7, the first one most significant */
	uint64_t tag;            /* unique among what the nexus has in flight on the unit */
	uint8_t cdb[LF_CDB_MAX]; /* as many bytes as came; the core never reads beyond cdb_length */
	uint8_t cdb_length;
	uint8_t task_attribute; /* enum lf_task_attribute */
	/* The edge's own, for no initiator: it meets no unit attention, which stays for who is to be told. */
	bool no_attention;
	enum lf_direction offered_direction; /* what the transport said would move, and how much at most: */
	uint64_t offered_length;             /* for commands that must be refused when these do not match */
	/*
	 * Exactly once, on any thread, perhaps before lf_begin or lf_submit return; must neither submit nor
	 * block. The request is the edge's again.
	 */
	void (*done)(struct lf_request *request);
	/*
	 * Somebody wants this request to end, and it may not have been submitted yet: an edge that still
	 * gathers data should post itself a note to call lf_submit soon (with whatever data there is). Any
	 * thread, under a lock of the core's: calls nothing of the core. May be NULL for edges that use
	 * lf_execute.
	 */
	void (*hurry)(struct lf_request *request);

	/* Out of lf_begin, when it returned true. */
	enum lf_direction direction;
	uint64_t data_wanted; /* what the command moves at most, bytes */
	bool data_is_medium; /* its data goes between segments and store untouched: base may be NULL where the
				store knows another way to the bytes */

	/*
	 * In, at lf_submit: data_length is at most data_wanted, and segments hold at least that. IN: less
	 * than data_wanted cuts the reply (READ: to whole blocks). OUT: less is refused and nothing changed,
	 * but WRITE takes the whole blocks of it when it is all that offered_length promised.
	 */
	const struct lf_segment *segments; /* borrowed until done */
	uint32_t segment_count;
	uint64_t data_length;
	/* In, at submit: data was lost or damaged on the way. The command ends with 0B/47/05 and changes
	 * nothing. */
	bool data_spoiled;

	/* Out, at done. */
	uint8_t status;       /* enum lf_status */
	uint8_t sense_length; /* 0 unless CHECK CONDITION */
	uint8_t sense[LF_SENSE_MAX];
	uint64_t data_moved; /* IN: bytes written to segments. OUT: bytes the command took. */

	/* The core's own from lf_begin to done. */
	struct lf_lu *lu;
	struct lf_task *task;
	const struct lf_command *command;
	struct lf_link link;
	uint64_t step; /* where a command of several steps is */
	void *scratch; /* one of the unit's buffers, while a command holds one */
	struct lf_segment
		scratch_segment; /* what io.segments points to when io goes to scratch or from there */
	uint32_t turn;           /* who goes on after a step: its submitter or its done; atomic */
	struct lf_io io;
	uint32_t checked; /* the checking layer's */
};

/*
 * Takes a command into the task set of its unit and makes every check. Returns true when the edge has to go
 * on with lf_submit, having read direction and data_wanted; false when the command ended: done has run, the
 * request may be gone. Never blocks, never allocates. Any thread, up to DISPATCH_LEVEL, also from io->done.
 */
bool lf_begin(struct lf_request *request);

/* Carries the command out; ends in done. May be called once for each lf_begin that returned true. */
void lf_submit(struct lf_request *request);

/* True once task management or a departure has marked a begun request: submitting it will only end it. */
bool lf_request_is_marked(const struct lf_request *request);

#endif
