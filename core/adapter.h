/* SPDX-License-Identifier: BSD-2-Clause */
/* adapter.h: the adapter as edges and control see it: targets, logical units, nexuses, task management. */
#ifndef LF_CORE_ADAPTER_H
#define LF_CORE_ADAPTER_H

#include "core/request.h"

#define LF_TARGETS_MAX 255
#define LF_LUNS_MAX    16384 /* flat space addressing, SAM-5 4.7.7.3 */
#define LF_LUN_ANY     UINT32_MAX

struct lf_adapter;

struct lf_adapter_options {
	uint32_t lane_count;     /* loops or processors; 0: one */
	uint32_t target_count;   /* 0: one */
	uint32_t lun_count;      /* addresses of a target, from LUN 0; 0: LF_LUNS_MAX */
	uint32_t tasks_per_lane; /* commands that a lane may have in flight; past it TASK SET FULL. 0: 4096 */
};

/* PASSIVE_LEVEL. NULL when memory is short. */
struct lf_adapter *lf_adapter_create(const struct lf_adapter_options *options);
/* Every nexus was closed, every unit freed, and no thread is in the core any more, not even on its way out of
 * done. */
void lf_adapter_destroy(struct lf_adapter *adapter);

/* Predicate and count of what somebody waits for; the core's own. */
struct lf_waiter {
	struct lf_link link;
	struct lf_link barrier_link;
	struct lf_lu *lu;  /* tasks of this unit */
	uint64_t nexus_id; /* only of this nexus, when not zero */
	bool one;          /* only the one with this tag */
	uint64_t tag;
	uint32_t epoch;               /* only older ones */
	const struct lf_task *except; /* but for this one */
	uint32_t remaining;
	bool barrier;  /* younger tasks of the unit wait for it */
	bool ordered;  /* an ORDERED task's: a barrier until that has retired itself */
	bool answered; /* one that it counted ended with a status that its initiator is told */
	void (*fire)(struct lf_waiter *waiter); /* with no lock; NULL: nobody asks */
};

/* Whoever is, or wants to be, alone on a unit: a command (in its task) or a change (in its maker's memory).
 */
struct lf_exclusive {
	struct lf_lu *lu;
	uint32_t left;                              /* commands that still run; adapter->lock */
	void (*ready)(struct lf_exclusive *change); /* changes: it is alone now. Any thread, no lock */
	struct lf_link link;                        /* in lu->changes */
};

/* ---- Logical units ---- */

enum lf_lu_type { LF_LU_DISK = 0x00, LF_LU_CDROM = 0x05, LF_LU_ABSENT = 0x1f };

/* The longest disc, of blocks of 2048 bytes: LBAs have 32 bits, of which the pregap takes the last 150. */
#define LF_CDROM_BLOCKS_MAX (UINT32_MAX - 150u)

/* What a unit says of itself. Strings are copied; printable ASCII; NULL takes the default. */
struct lf_lu_options {
	enum lf_lu_type type;
	uint32_t target;      /* which target it belongs to */
	uint32_t lun;         /* or LF_LUN_ANY */
	const char *vendor;   /* 8 characters at most: "LUNGFISH" */
	const char *product;  /* 16: "VIRTUAL DISK" */
	const char *revision; /* 4 */
	const char *serial;   /* 32: VPD page 80h */
	uint64_t identifier; /* the low 60 bits go into the NAA 3h designator; the same image, the same number
			      */
	uint16_t rotation;   /* SBC-4 6.6.2: 1 not rotating, else rpm; 0 unknown */
	bool read_only;
	bool removable;       /* a CD-ROM drive is, whatever this says */
	bool write_cache_off; /* every write is stable, unless an initiator sets WCE */
	/*
	 * What the store of the unit last took by LF_OP_SAVE; borrowed until lf_lu_add returns, and checked:
	 * what was damaged is left out, and logged. Only if can_save, which says that the store has a place
	 * for it.
	 */
	const void *saved;
	size_t saved_length;
	bool can_save;
};

/*
 * Adds a unit; initiators see it from now on, and 3F/0E on the others. A removable one may be empty: store
 * and ops are NULL, and info says no more than block sizes. The store stays the caller's, who closes it after
 * lf_lu_free. PASSIVE_LEVEL. LF_E_BUSY: that address is taken; LF_E_NO_SPACE: all are.
 */
enum lf_error lf_lu_add(struct lf_adapter *adapter, const struct lf_lu_options *options,
	const struct lf_store_ops *ops, struct lf_store *store, const struct lf_store_info *info,
	struct lf_lu **lu, struct lf_message *message);

struct lf_removal {
	void (*done)(struct lf_removal *removal); /* once, any thread, perhaps before lf_lu_remove returns */
	struct lf_waiter waiter;                  /* the core's own */
};

/*
 * Takes the unit from every initiator: from now on its address answers LOGICAL UNIT NOT SUPPORTED, the
 * others raise 3F/0E, commands whose data is still on the wire end, and what the store has runs out; then
 * done. Once for each unit. After done: lf_lu_free, and the store may be closed.
 */
void lf_lu_remove(struct lf_lu *lu, struct lf_removal *removal);
/*
 * Takes out what is inserted in a removable unit, and puts in something else, or nothing. The caller's
 * memory, lent until done.
 */
struct lf_medium_change {
	/* In. */
	const struct lf_store_ops *ops;
	struct lf_store *store;           /* NULL: nothing comes in */
	const struct lf_store_info *info; /* NULL then */
	bool read_only;
	bool force;                                    /* also when an initiator has prevented removal */
	bool open_tray;                                /* nothing comes in, and the tray stays open */
	void (*done)(struct lf_medium_change *change); /* once, any thread, perhaps from within */

	/* Out. */
	enum lf_error error; /* LF_E_BUSY: removal is prevented, all is as it was */
	const struct lf_store_ops *old_ops;
	struct lf_store
		*old; /* nobody uses it any more: the caller flushes and closes it; NULL: there was none
		       */
	struct lf_exclusive exclusive; /* the core's own */
};

/*
 * Waits for the commands that run; those that come later meet the new medium. The unit stays until done, and
 * its changes come one by one. PASSIVE_LEVEL.
 */
void lf_lu_change_medium(struct lf_lu *lu, struct lf_medium_change *change);

/* Likewise: the medium has become larger, and its store knows. Initiators meet 2A/09. */
struct lf_resize {
	uint64_t block_count; /* no less than before; less, or without a medium, changes nothing */
	void (*done)(struct lf_resize *resize);
	struct lf_exclusive exclusive; /* the core's own */
};

void lf_lu_resize(struct lf_lu *lu, struct lf_resize *resize);

/* Gives the memory back, and the address: last in the row of those that a newcomer gets. */
void lf_lu_free(struct lf_lu *lu);

/* What a unit is, and where. Any thread. */
struct lf_lu_facts {
	enum lf_lu_type type;
	uint32_t target, lun;
	struct lf_store_info info;
	bool read_only, removable;
	bool medium;    /* one is in: info says which */
	bool stopped;   /* START STOP UNIT has stopped it */
	bool ejected;   /* an initiator has ejected it: it comes back with the next load */
	bool prevented; /* an initiator wants it to stay in */
	uint64_t in_flight;
	char serial[33], vendor[9], product[17], revision[5];
	uint64_t identifier; /* NAA */
};

void lf_lu_describe(struct lf_lu *lu, struct lf_lu_facts *facts);

/* Bucket n counts commands of less than 2^n microseconds that the ones below do not; the last: all others. */
#define LF_LATENCY_BUCKETS 24

/* Commands of one kind that have ended, whatever their status. */
struct lf_command_counters {
	uint64_t count;
	uint64_t bytes;   /* that they moved: data as the initiator sees it */
	uint64_t time_ns; /* sum over commands, from lf_begin to done: what runs side by side counts twice */
	uint64_t latency[LF_LATENCY_BUCKETS];
};

/* What happened on a unit since it came. */
struct lf_lu_counters {
	uint64_t begun, in_flight;
	struct lf_command_counters
		reads; /* READ and what else takes blocks from the medium to the initiator */
	struct lf_command_counters writes;  /* WRITE, WRITE AND VERIFY, ORWRITE, COMPARE AND WRITE */
	struct lf_command_counters others;  /* all the rest, among them: */
	uint64_t verifies, unmaps, flushes; /* VERIFY; UNMAP and WRITE SAME; SYNCHRONIZE CACHE */
	uint64_t check_conditions, conflicts,
		aborted;          /* CHECK CONDITION, RESERVATION CONFLICT, TASK ABORTED */
	uint64_t medium_errors;   /* failures that a store reported, those that were asked for left out */
	enum lf_error last_error; /* the newest of them; LF_OK: there was none */
	uint64_t last_error_offset_bytes, last_error_time_ns; /* of the medium; by lf_time_ns */
};

/* Any thread. */
void lf_lu_count(struct lf_lu *lu, struct lf_lu_counters *counters);
uint32_t lf_lu_lun(const struct lf_lu *lu);
uint32_t lf_lu_target(const struct lf_lu *lu);

/*
 * An edge whose initiator goes on using an address for a while after its unit has left says when nobody does
 * any more: only then is the unit freed, and its address with it (struct lf_control_edge in
 * control/devices.h).
 */
struct lf_departure {
	uint32_t target, lun;
	void (*gone)(struct lf_departure *departure); /* once, any thread, perhaps from within */
	struct lf_link link;                          /* the edge's own */
};

/* ---- Reservations, as the operator sees them ---- */

struct lf_reservation_facts {
	uint8_t type;     /* TYPE of the persistent reservation (SPC-4 6.15.3.4): 1, 3, 5 to 8; 0: none */
	bool reserved;    /* by RESERVE (6) or (10), which excludes the other */
	char holder[256]; /* its initiator port; "": it has no name, or there is none alone */
	uint64_t key;     /* the holder's */
	bool persists;    /* over a loss of power: APTPL */
	uint32_t registrations, generation;
};

/* Any thread. */
void lf_lu_reservation(struct lf_lu *lu, struct lf_reservation_facts *facts);

struct lf_reservations_clear {
	/* Once, any thread, perhaps before lf_lu_reservations_clear returns; error says what came of it. */
	void (*done)(struct lf_reservations_clear *clear);
	enum lf_error error; /* not LF_OK: it could not be saved, and nothing changed */

	struct lf_exclusive change; /* the core's own from here on */
	struct lf_io io;
	struct lf_segment segment;
	uint8_t *blob;
};

/*
 * Takes every registration and reservation off the unit, which stays until done; who was registered hears
 * 2A/03. PASSIVE_LEVEL.
 */
void lf_lu_reservations_clear(struct lf_lu *lu, struct lf_reservations_clear *clear);

/* ---- Nexuses ---- */

/* A target port, as VPD page 83h names it (SPC-4 7.8.6). Lent by the edge for as long as a nexus uses it. */
struct lf_port {
	const char *name;        /* "iqn...,t,0x0001", or NULL: no SCSI name string */
	const char *device_name; /* "iqn...", or NULL */
	uint16_t relative_id;    /* relative target port identifier, from 1 */
	uint8_t protocol;        /* SPC-4 7.6.1: 5 iSCSI; 0xf none */
	bool quiet_inventory;    /* no 3F/0E unit attentions: this edge has an event of its own for it */
};

struct lf_nexus_options {
	uint32_t target;
	const char *initiator; /* for people; copied, 223 characters at most */
	/*
	 * The SCSI initiator port name ("iqn...,i,0x00023d000001"): the same initiator port has the same one
	 * when it comes again, by which it is known to persistent reservations. Copied, 255 characters at
	 * most. NULL: it is nobody that could come again.
	 */
	const char *initiator_port;
	const struct lf_port *port;
	/*
	 * A unit came to or left the nexus's target. Any thread, under locks of the core's: calls nothing of
	 * it. May be NULL.
	 */
	void (*inventory_changed)(void *context);
	void *context;
};

/*
 * Sense data for an edge that reports events as they come: 06/3F/0E, REPORTED LUNS DATA HAS CHANGED, in fixed
 * format.
 */
#define LF_EVENT_SENSE_LENGTH 18
void lf_event_sense_inventory(uint8_t *to);

/* An initiator port arrives: it meets 29/00 on every unit. PASSIVE_LEVEL. NULL when memory is short. */
struct lf_nexus *lf_nexus_open(struct lf_adapter *adapter, const struct lf_nexus_options *options);
/* It goes. Every request of it is done, every task management function too. PASSIVE_LEVEL. */
void lf_nexus_close(struct lf_nexus *nexus);

/* ---- Task management (SAM-5 7) ---- */

enum lf_tmf_function {
	LF_TMF_ABORT_TASK,
	LF_TMF_ABORT_TASK_SET,
	LF_TMF_CLEAR_TASK_SET,
	LF_TMF_LUN_RESET,
	LF_TMF_TARGET_RESET,
	LF_TMF_I_T_NEXUS_RESET, /* of this nexus, on every unit of its target */
	LF_TMF_QUERY_TASK,
	LF_TMF_QUERY_TASK_SET,
	LF_TMF_QUERY_ASYNCHRONOUS_EVENT,
	LF_TMF_COUNT
};

enum lf_tmf_response {
	LF_TMF_COMPLETE,
	LF_TMF_SUCCEEDED, /* of a query: yes */
	LF_TMF_NO_SUCH_TASK,
	/* ABORT TASK came too late: the task ended with a status that its initiator is told, before this. */
	LF_TMF_TASK_ENDED,
	LF_TMF_NO_SUCH_LUN,
	LF_TMF_REJECTED, /* not supported */
};

/* One task management function: the edge's memory, lent from lf_tmf_submit until done. */
struct lf_tmf {
	struct lf_nexus *nexus;
	enum lf_tmf_function function;
	uint64_t lun, tag;             /* as in lf_request */
	enum lf_tmf_response response; /* out */
	uint32_t attentions;           /* out, QUERY ASYNCHRONOUS EVENT: how many are pending */
	uint32_t attention_sense;      /* and the next one: KEY/ASC/ASCQ from the third byte down; 0: none */
	/* Once, any thread, after the last done of whatever it ended; must not submit or block. */
	void (*done)(struct lf_tmf *tmf);

	struct lf_waiter waiter; /* the core's own from here on */
	uint32_t next_lun;
};

/* Never completes a request early: it marks them, and answers when the last of them is done. */
void lf_tmf_submit(struct lf_tmf *tmf);

/* lf_begin, and lf_submit when that is due, for edges that hold the whole buffer (segments are set). */
void lf_execute(struct lf_request *request);

#endif
