/* SPDX-License-Identifier: BSD-2-Clause */
/* core.h: what the core's own files share: tasks, lanes, the gate, units, nexuses, the command table. */
#ifndef LF_CORE_CORE_H
#define LF_CORE_CORE_H

#include "core/adapter.h"
#include "core/disc.h"
#include "trace/trace.h"

/*
 * Locks, in this order: adapter->lock, lu->lock, a lane's lock. A lane's lock is taken by whoever runs on
 * that lane; a slow path that has to see or stop all of them takes every one, in ascending order. What every
 * lane reads (the LUN tables, epochs) is read under any one lane's lock and is changed between lf_lanes_stop
 * and lf_lanes_go.
 */

/* ---- Sense and unit attentions ---- */

/* KEY/ASC/ASCQ in one word, as people write it. */
#define LF_SENSE(key, asc, ascq) ((uint32_t)(key) << 16 | (uint32_t)(asc) << 8 | (uint32_t)(ascq))

/*
 * Unit attentions a nexus may have pending on a unit: one bit each, reported lowest bit first, which is the
 * order of precedence (SPC-4 5.14, SAM-5 5.14).
 */
enum lf_ua {
	LF_UA_POWER_ON,                /* 29/00 */
	LF_UA_RESET,                   /* 29/03: LOGICAL UNIT RESET or TARGET RESET */
	LF_UA_NEXUS_LOSS,              /* 29/07: I_T NEXUS RESET */
	LF_UA_RESERVATIONS_PREEMPTED,  /* 2A/03 */
	LF_UA_RESERVATIONS_RELEASED,   /* 2A/04 */
	LF_UA_REGISTRATIONS_PREEMPTED, /* 2A/05 */
	LF_UA_MEDIUM_CHANGED,          /* 28/00 */
	LF_UA_COMMANDS_CLEARED,        /* 2F/00 */
	LF_UA_INQUIRY_CHANGED,         /* 3F/03 */
	LF_UA_REPORTED_LUNS_CHANGED,   /* 3F/0E */
	LF_UA_MODE_CHANGED,            /* 2A/01 */
	LF_UA_LOG_CHANGED,             /* 2A/02 */
	LF_UA_CAPACITY_CHANGED,        /* 2A/09 */
	LF_UA_EJECT_REQUESTED,         /* 5A/01: by the operator, while removal is prevented for ever */
	LF_UA_FAILURE_PREDICTED,       /* 5D/FF: the test of it (informational exceptions control page) */
	LF_UA_COUNT
};

uint32_t lf_ua_sense(enum lf_ua ua); /* LF_SENSE of it */

/* ---- Tasks and lanes ---- */

/* A slot for one command in flight: it outlives the request, whose last moment is done. */
struct lf_task {
	struct lf_link link;        /* in its lane's list, or the lane's free list */
	struct lf_request *request; /* NULL once done is about to run; guarded by the lane */
	struct lf_lu *lu;           /* pinned: a unit is freed only when no task names it */
	uint64_t nexus_id, tag;
	uint32_t lane;
	uint32_t epoch;     /* the unit's when the task came */
	uint32_t mark;      /* enum lf_mark, atomic; set with the lane stopped */
	uint32_t submitted; /* atomic: lf_submit was called */
	uint32_t medium;    /* the unit's medium_generation when the command was checked */
	uint8_t attribute;
	uint64_t begin_ns;      /* by lf_time_ns */
	bool answered;          /* ended with a status that its initiator is told */
	bool queued;            /* in its unit's queue; adapter->lock */
	bool counted;           /* the unit's exclusive owner waits for it; adapter->lock */
	bool alone;             /* it has to be, or is, alone on the unit; adapter->lock */
	bool slow;              /* met a gate that was not zero: goes by the locked path at submit, too */
	struct lf_itl *itl;     /* lives until the nexus closes, which waits for done */
	struct lf_waiter order; /* ORDERED tasks wait with it, younger ones for it */
	struct lf_exclusive exclusive;
};

enum lf_mark {
	LF_MARK_NONE,
	LF_MARK_ABORTED,  /* ends with TASK ABORTED */
	LF_MARK_DEPARTED, /* its unit left before its data came: ends with LOGICAL UNIT NOT SUPPORTED */
};

struct lf_lane {
	struct lf_lock lock;
	struct lf_link tasks; /* all that are in flight here, of every unit */
	struct lf_link free;
	struct lf_task *slots;
	bool waiting;      /* somebody counts tasks: retire by the locked path */
	uint8_t apart[64]; /* the next lane's lock is on another cache line */
};

/* ---- The adapter ---- */

#define LF_LUN_CHUNK 256

struct lf_target {
	struct lf_link lus; /* by ascending LUN; adapter->lock */
	uint64_t *taken;    /* a bit for each address in use, until lf_lu_free */
	uint64_t *given;    /* likewise, of those given since all were last given */
};

struct lf_adapter {
	struct lf_lock lock; /* topology, waiters, barriers, queues */
	uint32_t lane_count;
	struct lf_lane *lanes;
	uint32_t target_count, lun_count;
	struct lf_target *targets;
	uint64_t *addresses; /* the maps of all targets, one after the other */
	struct lf_link nexuses;
	struct lf_link waiters; /* those with remaining > 0 */
	uint32_t watch_count; /* waiters and barriers there are; not zero: lanes retire by the locked path */
	struct lf_link runnable; /* requests that waited and may run now */
	bool running;            /* somebody is at it */
	uint64_t next_nexus_id;
	struct lf_lu *absent; /* stands wherever there is no unit: INQUIRY 7Fh, REPORT LUNS, 05/25/00 */
};

/* ---- Logical units ---- */

#define LF_SCRATCH_BYTES 65536
#define LF_SCRATCH_COUNT 4

#define LF_REGISTRATIONS_MAX 128 /* for persistent reservations, of one unit */

/* Longest READ or WRITE: VPD page B0h says it, longer ones are refused. A constant bounds an edge's buffers.
 */
#define LF_TRANSFER_MAX_BYTES (4u << 20)

/* A unit's counts of one lane, whose lock guards them: nobody else's cache line on a command's way. */
struct lf_lane_counters {
	struct lf_lu_counters counters;
	uint8_t apart[64];
};

/* Bits of both gates: the unit's (for every nexus) and the nexus's own on the unit. */
enum lf_gate {
	LF_GATE_UNIT_ATTENTION = 1,
	LF_GATE_BARRIER = 2, /* ORDERED task or reset: younger ones wait */
	LF_GATE_LEAVING = 4,
	LF_GATE_EXCLUSIVE = 8,    /* somebody is alone on the unit, or is about to be */
	LF_GATE_RESERVATION = 16, /* the nexus's: another one holds a reservation that it may meet */
};

/* Whether a command may use the medium, and what it is told when not. */
enum lf_medium_state {
	LF_MEDIUM_READY,
	LF_MEDIUM_NONE,      /* 02/3A/01: the tray is closed, or there is none */
	LF_MEDIUM_TRAY_OPEN, /* 02/3A/02 */
	LF_MEDIUM_STOPPED,   /* 02/04/02: START STOP UNIT with START zero */
};

/*
 * Values of the unit's mode pages, one page after the other (modes.h). lu->lock guards them, but wanted,
 * touched and saving, which belong to the MODE SELECT that is alone on the unit.
 */
#define LF_MODE_BYTES 192

struct lf_modes {
	uint8_t defaults[LF_MODE_BYTES], saved[LF_MODE_BYTES], current[LF_MODE_BYTES], wanted[LF_MODE_BYTES];
	uint32_t touched; /* pages of the table, by bit, that a parameter list brought */
	bool has_saved;   /* saved ones are more than the defaults: an initiator has saved them */
	bool saving;      /* the wanted ones are on their way to the store, as the saved ones */
};

/* What the log page of statistics counts, by its order there: commands, bytes, nanoseconds. */
enum lf_log_counter {
	LF_LOG_READS,
	LF_LOG_WRITES,
	LF_LOG_BYTES_WRITTEN,
	LF_LOG_BYTES_READ,
	LF_LOG_READ_NS,
	LF_LOG_WRITE_NS,
	LF_LOG_COUNTERS
};

/* What READ BUFFER and WRITE BUFFER move; lu->lock. */
#define LF_BUFFER_BYTES 4096u

struct lf_buffers {
	uint64_t echo_nexus_id; /* who wrote the echo buffer; 0: nobody has */
	uint32_t echo_length;
	uint8_t data[LF_BUFFER_BYTES], echo[LF_BUFFER_BYTES];
};

struct lf_lu {
	uint32_t gate;  /* atomic; bits of enum lf_gate */
	uint32_t epoch; /* changed with all lanes stopped */
	uint32_t
		struck_epoch; /* what was older has been marked with all units of the target; adapter->lock */
	struct lf_waiter bar; /* while any is left of what a reset of all units marked; adapter->lock */
	struct lf_adapter *adapter;
	enum lf_lu_type type;
	uint32_t target, lun;
	/*
	 * The medium. Changed only by who is alone on the unit (exclusive.c), with all lanes stopped:
	 * commands that run may read it, lf_begin reads it under its lane's lock.
	 */
	const struct lf_store_ops *ops;
	struct lf_store *store; /* NULL when nothing is inserted */
	struct lf_store_info info;
	bool read_only;
	uint32_t block_shift;         /* log2 of info.block_size */
	uint32_t transfer_max_blocks; /* B0 MAXIMUM TRANSFER LENGTH */
	enum lf_medium_state medium_state;
	uint32_t medium_generation; /* another one for each medium that comes or goes */
	struct lf_disc disc;        /* what is on it; CD-ROMs have one */
	uint16_t rotation;
	uint64_t identifier;                                  /* NAA 3h: 60 bits */
	char vendor[9], product[17], revision[5], serial[33]; /* not padded */
	bool removable;
	bool can_save; /* the store takes LF_OP_SAVE */

	uint64_t since_ns;                 /* when it came, by lf_time_ns */
	struct lf_lane_counters *counters; /* of each lane; NULL where there is no unit */

	struct lf_lock lock; /* guards what follows */
	struct lf_link itls;
	struct lf_modes modes;
	uint32_t descriptor_sense;   /* atomic; control mode page D_SENSE */
	uint32_t software_protected; /* atomic; control mode page SWP */
	uint32_t write_cache;        /* atomic; caching mode page WCE: when zero every write is stable */
	uint32_t exception; /* atomic; how (enum lf_exception_method) a test exception is to be told */
	struct lf_reservations *reservations; /* reservation.h */

	struct lf_link link;     /* in target->lus; adapter->lock guards this and what follows */
	struct lf_link barriers; /* waiters by barrier_link, oldest first */
	struct lf_link queue;    /* requests that wait for a barrier or an exclusive owner, oldest first */
	struct lf_exclusive *exclusive; /* the owner, or NULL */
	struct lf_link changes;         /* who wants to be the next one, commands left out */
	void *scratch_free[LF_SCRATCH_COUNT];
	uint32_t scratch_free_count;
	struct lf_link scratch_queue; /* requests that wait for a scratch buffer */
	void *scratch_memory;
	struct lf_buffers buffers;          /* lu->lock */
	uint64_t log_from[LF_LOG_COUNTERS]; /* what had been counted when LOG SELECT reset it; lu->lock */
};

/* What holds between one nexus and one unit (SAM's I_T_L nexus). */
struct lf_itl {
	uint32_t gate;       /* atomic */
	uint32_t attentions; /* bits of enum lf_ua; lu->lock */
	struct lf_lu *lu;
	struct lf_nexus *nexus;
	struct lf_link link;       /* in lu->itls; lu->lock */
	struct lf_link nexus_link; /* in nexus->itls; adapter->lock */
	uint8_t prevents;          /* bits of PREVENT ALLOW MEDIUM REMOVAL; lu->lock */
	uint8_t media_events; /* a bit for each enum lf_media_event that it has not been told; lu->lock */
	bool struck;          /* task management marked a task of it; adapter->lock */
	bool preempted;       /* its tasks are to be aborted; lu->lock */
};

struct lf_nexus {
	struct lf_adapter *adapter;
	uint64_t id; /* never zero, never used twice */
	uint32_t target;
	const struct lf_port *port;
	char initiator[224], initiator_port[256];
	void (*inventory_changed)(void *context);
	void *context;
	struct lf_link link; /* in adapter->nexuses */
	struct lf_link itls;
	struct lf_itl absent; /* towards adapter->absent */
	/* By LUN, as many as hold adapter->lun_count; read under a lane, changed with all stopped. */
	struct lf_itl **chunks[];
};

static inline uint32_t lf_chunk_count(const struct lf_adapter *adapter)
{
	return (adapter->lun_count + LF_LUN_CHUNK - 1) / LF_LUN_CHUNK;
}

/* ---- Commands ---- */

/* What a command moves, and how its CDB says how much. */
enum lf_data {
	LF_DATA_NONE,
	LF_DATA_REPLY,         /* in: a reply cut to the ALLOCATION LENGTH that length_at points to; without
				  one it has eight bytes (READ CAPACITY (10)) */
	LF_DATA_BLOCKS_IN,     /* in: TRANSFER LENGTH blocks */
	LF_DATA_BLOCKS_OUT,    /* out: likewise */
	LF_DATA_ONE_BLOCK_OUT, /* out: exactly one block (WRITE SAME), which the transport must have offered
				*/
	LF_DATA_VERIFY_OUT,    /* out: none, all the blocks or one of them, as BYTCHK says */
	LF_DATA_COMPARE_OUT, /* out: twice NUMBER OF LOGICAL BLOCKS, which the transport must have offered */
	LF_DATA_ATOMIC_OUT,  /* out: TRANSFER LENGTH blocks, all of them, at most info.atomic_max_bytes */
	LF_DATA_LIST_OUT,    /* out: PARAMETER LIST LENGTH bytes */
	LF_DATA_BUFFER_OUT,  /* out: likewise, and no more than WRITE BUFFER's buffers hold */
	LF_DATA_CDROM_IN,    /* in: as many bytes as lf_cdrom_check says: READ CD, GET PERFORMANCE */
};

enum lf_command_flags {
	LF_CMD_WITHOUT_UNIT = 1 << 0,    /* answered at an address with no unit */
	LF_CMD_WITHOUT_MEDIUM = 1 << 1,  /* not refused when nothing is inserted */
	LF_CMD_NO_ATTENTION = 1 << 2,    /* a pending unit attention is not reported by it (SPC-4 5.14) */
	LF_CMD_WRITES = 1 << 3,          /* refused on a read-only unit */
	LF_CMD_RANGE = 1 << 4,           /* lba_at and length_at name a range of blocks that must exist */
	LF_CMD_FUA = 1 << 5,             /* byte 1 has DPO (10h) and FUA (08h) */
	LF_CMD_LENGTH_ZERO_256 = 1 << 6, /* READ(6), WRITE(6) */
	LF_CMD_DISK = 1 << 7,
	LF_CMD_CDROM = 1 << 8,
	LF_CMD_TRANSFER_MAX = 1 << 9, /* refused beyond MAXIMUM TRANSFER LENGTH of VPD page B0h */
	LF_CMD_THIN = 1 << 10,        /* there only when the medium can unmap */
	LF_CMD_REMOVABLE = 1 << 11,   /* there only when the medium can be taken out */
	/*
	 * What another nexus's persistent reservation makes of it (SPC-4 table 66, SBC-4 table 13): each row
	 * has one of these four. And whether it passes what another one took by RESERVE (SPC-2 table 10).
	 */
	LF_CMD_CONFLICTS = 1 << 25,
	LF_CMD_PASSES_READS = 1 << 26,     /* only where reads do: the write exclusive types */
	LF_CMD_PASSES_ALL = 1 << 27,       /* always, or its own rules say */
	LF_CMD_PASSES_BY_FIELDS = 1 << 28, /* lf_reservation_conflicts knows: holds for RESERVE, too */
	LF_CMD_PASSES_RESERVE = 1 << 29,
	LF_CMD_ATOMIC = 1 << 12, /* there only when the medium has atomic writes */
	/* All its data goes between the medium and the segments, and none of it is looked at: its handler
	 * uses lf_prepare_transfer, or what does the same. */
	LF_CMD_MEDIUM = 1 << 13,
};

/* Room for the longest reply there is, REPORT LUNS with every LUN; ALLOCATION LENGTH beyond it changes
 * nothing. */
#define LF_REPLY_MAX (132u * 1024)
/* The longest parameter list that a command takes. */
#define LF_LIST_MAX 0xffffu

struct lf_command {
	uint8_t opcode;
	uint8_t service_action; /* LF_NO_SERVICE_ACTION when the opcode has none */
	uint8_t cdb_length;
	uint8_t data;             /* enum lf_data */
	uint8_t lba_at, lba_size; /* where the LBA stands in the CDB; size 0: none */
	uint8_t length_at, length_size;
	uint32_t flags;
	uint8_t usage[16]; /* bits a CDB may set; any other: INVALID FIELD IN CDB, field pointer */
	/* Carries it out; ends, then or later, in lf_finish. Never blocks. */
	void (*execute)(struct lf_lu *lu, struct lf_request *request);
	const char *name; /* T10's, for the manual and for people */
};

#define LF_NO_SERVICE_ACTION 0xff

extern const struct lf_command lf_commands[];
extern const uint32_t lf_command_count;

/*
 * command.c. find: the row of this CDB, NULL when there is none. check: everything about the CDB that needs
 * no lock: its length, reserved bits, medium, range, protection, transfer limits; sets direction and
 * data_wanted; false when it has set CHECK CONDITION. missing_sense: sets 05/20/00 or 05/24/00.
 */
const struct lf_command *lf_command_find(const struct lf_lu *lu, const uint8_t *cdb, uint32_t cdb_length);
bool lf_command_check(struct lf_lu *lu, struct lf_request *request);
void lf_command_missing_sense(struct lf_lu *lu, struct lf_request *request);
uint64_t lf_command_lba(const struct lf_request *request);
uint64_t lf_command_length(const struct lf_request *request);

/* ---- lu.c: what handlers call ---- */

/* Ends a command with the status, sense and data_moved that it has. Any thread. */
void lf_finish(struct lf_request *request);
/* GOOD, with that many bytes moved. */
void lf_finish_good(struct lf_request *request, uint64_t data_moved);
/* Hands request->io to the unit's store; io.done was set by the handler. */
void lf_lu_submit_io(struct lf_lu *lu, struct lf_request *request);
/* A command of several steps asks between them: when true it must end with lf_finish_aborted. */
bool lf_request_is_aborted(const struct lf_request *request);
void lf_finish_aborted(struct lf_request *request);
/*
 * One of the unit's scratch buffers (LF_SCRATCH_BYTES). True: request->scratch holds one now. False: none is
 * free; the command's execute is called again when one is. Given back by lf_finish.
 */
bool lf_scratch_get(struct lf_lu *lu, struct lf_request *request);

/*
 * Alone on the unit: from when this returns true until the command ends, no other command of the unit runs.
 * False: the command's execute is called again when that is so. Before lf_scratch_get, not after it.
 */
bool lf_exclusive_get(struct lf_lu *lu, struct lf_request *request);

/*
 * What the unit has inserted from now on; store NULL: nothing, and info is what it would be. The unit is new,
 * or the caller is alone on it and has stopped the lanes.
 */
void lf_lu_set_medium(struct lf_lu *lu, const struct lf_store_ops *ops, struct lf_store *store,
	const struct lf_store_info *info, bool read_only);

/* Copies a reply into the request's segments, cut to data_wanted and data_length; ends the command. */
void lf_finish_reply(struct lf_request *request, const void *reply, uint64_t length_bytes);
/* Copies bytes [offset, offset + length) of the data that came into `to`; they are there (asserted). */
void lf_request_gather(const struct lf_request *request, uint64_t offset, void *to, uint64_t length_bytes);
/* Compares them with `with`. False: *at is the offset in those of the first one that differs. */
bool lf_request_compare(const struct lf_request *request, uint64_t offset, const void *with,
	uint64_t length_bytes, uint64_t *at);
/* The reverse of gather. */
void lf_request_scatter(
	const struct lf_request *request, uint64_t offset, const void *from, uint64_t length_bytes);

/* The eight bytes of a LUN, SAM-5 4.7.7. */
uint64_t lf_lun_encode(uint32_t lun);
/* LF_LUN_ANY when no unit of ours can have that address. */
uint32_t lf_lun_decode(uint64_t lun);

/* Attentions. take: the most important one pending, cleared; false when none is. */
bool lf_ua_take(struct lf_itl *itl, enum lf_ua *ua);
/* Likewise of these alone, bits of 1 << enum lf_ua. */
#define LF_UA_RESETS (1u << LF_UA_POWER_ON | 1u << LF_UA_RESET | 1u << LF_UA_NEXUS_LOSS)
bool lf_ua_take_of(struct lf_itl *itl, uint32_t which, enum lf_ua *ua);
/* For one nexus of the unit; lu->lock is held. */
void lf_ua_raise_one_locked(struct lf_itl *itl, enum lf_ua ua);
/* One that need not be told any more. */
void lf_ua_clear(struct lf_itl *itl, enum lf_ua ua);
/* All of the kind on every unit of this nexus: REPORT LUNS was served (SPC-4 6.33). */
void lf_ua_clear_all(struct lf_nexus *nexus, enum lf_ua ua);
/* Raises it for every nexus of the unit except one (NULL: for all). */
void lf_ua_raise(struct lf_lu *lu, enum lf_ua ua, const struct lf_nexus *except);
/* Likewise; lu->lock is held. */
void lf_ua_raise_locked(struct lf_lu *lu, enum lf_ua ua, const struct lf_nexus *except);
/* Likewise, but only for nexuses whose tasks were marked. adapter->lock is held. */
void lf_ua_raise_struck(struct lf_lu *lu, enum lf_ua ua, const struct lf_nexus *except);
/* Raises it for this nexus alone; lu->lock is held. */
void lf_ua_raise_for_locked(struct lf_lu *lu, enum lf_ua ua, const struct lf_nexus *nexus);
/* How many the nexus has pending on the unit; *sense: of the most important one, or 0. None is taken. */
uint32_t lf_ua_count(struct lf_lu *lu, const struct lf_nexus *nexus, uint32_t *sense);
/* medium.c. What GET EVENT STATUS NOTIFICATION tells, by MMC-6's codes; each nexus is told once. */
enum lf_media_event {
	LF_MEDIA_EVENT_NONE,
	LF_MEDIA_EVENT_EJECT_REQUEST,
	LF_MEDIA_EVENT_NEW_MEDIA,
	LF_MEDIA_EVENT_REMOVAL,
};
void lf_media_event_raise(struct lf_lu *lu, enum lf_media_event event);
/* The oldest one that this nexus has not been told; false: there is none. */
bool lf_media_event_take(struct lf_itl *itl, enum lf_media_event *event);
/* Removal is no more prevented by the nexus; NULL: by anybody. A reset does that, and a nexus that goes.
 * lu->lock is held. */
void lf_prevent_clear_locked(struct lf_lu *lu, const struct lf_nexus *nexus);

/* The itl of a request's nexus with its unit; the request is in flight. */
struct lf_itl *lf_request_itl(const struct lf_request *request);

/* Writes are refused: by what is inserted, by the operator, or by the control mode page. */
static inline bool lf_lu_is_protected(const struct lf_lu *lu)
{
	return lu->read_only || lf_atomic_load_u32(&lu->software_protected);
}

/* ---- sense.c: the only writer of sense bytes ---- */

/* Each sets CHECK CONDITION and the sense, in the unit's format. They do not end the command. */
void lf_sense_set(struct lf_request *request, uint32_t sense);
void lf_sense_unit_attention(struct lf_request *request, enum lf_ua ua);
void lf_sense_invalid_opcode(struct lf_request *request); /* 05/20/00 */
/* bit 0-7, or LF_NO_BIT. SKSV, C/D as named, field pointer (SPC-4 4.5.2.4.2). */
#define LF_NO_BIT 0xff
void lf_sense_invalid_field_in_cdb(struct lf_request *request, uint16_t byte, uint8_t bit);  /* 05/24/00 */
void lf_sense_invalid_field_in_list(struct lf_request *request, uint16_t byte, uint8_t bit); /* 05/26/00 */
void lf_sense_list_length_error(struct lf_request *request);                                 /* 05/1A/00 */
void lf_sense_lba_out_of_range(struct lf_request *request, uint64_t first_bad_lba);          /* 05/21/00 */
void lf_sense_unit_not_supported(struct lf_request *request);                                /* 05/25/00 */
void lf_sense_write_protected(struct lf_request *request); /* 07/27/00, or 07/27/02 when it is by SWP */
/* 02/3A/01, 02/3A/02 or 02/04/02, as the unit's medium_state says. */
void lf_sense_not_ready(struct lf_request *request);
void lf_sense_removal_prevented(struct lf_request *request);    /* 05/53/02 */
void lf_sense_saving_not_supported(struct lf_request *request); /* 05/39/00 */
void lf_sense_data_length(struct lf_request *request);          /* 05/0E/03: the transport offered less */
void lf_sense_data_spoiled(struct lf_request *request);         /* 0B/47/05: it was damaged on the way */
void lf_sense_command_sequence(struct lf_request *request);     /* 05/2C/00 */
void lf_sense_echo_overwritten(struct lf_request *request);     /* 0B/3F/0F */
/* A disc's. */
void lf_sense_illegal_mode(struct lf_request *request);          /* 05/64/00: not for such a track */
void lf_sense_incompatible_medium(struct lf_request *request);   /* 05/30/02: not for such a disc */
void lf_sense_authentication_failed(struct lf_request *request); /* 05/6F/00 */
void lf_sense_key_not_present(struct lf_request *request);       /* 05/6F/01 */
/* 0E/1D/00; INFORMATION says how many bytes after the first compared one the first difference is. */
void lf_sense_miscompare(struct lf_request *request, uint64_t offset_bytes);
void lf_sense_invalid_release(struct lf_request *request);         /* 05/26/04 */
void lf_sense_registration_resources(struct lf_request *request);  /* 05/55/04 */
void lf_sense_internal_target_failure(struct lf_request *request); /* 04/44/00 */
/*
 * The one table from enum lf_error to sense; lba: where, for INFORMATION, or LF_NO_INFORMATION. Reads and
 * writes differ. Also logs and traces it.
 */
#define LF_NO_INFORMATION UINT64_MAX
void lf_sense_from_error(struct lf_request *request, enum lf_error error, bool writing, uint64_t lba);
/* LF_SENSE of the sense that is set, whatever its format. */
uint32_t lf_sense_read(const struct lf_request *request);
/* REQUEST SENSE's data: fixed (18 bytes) or descriptor (8) format; returns the length. */
uint32_t lf_sense_build(uint8_t *to, bool descriptor, uint32_t sense);

/* ---- check.c: the contract between the rooms, asserted in debug and test builds ---- */

#ifdef LF_CHECKED
void lf_check_begin(struct lf_request *request);
void lf_check_begun(struct lf_request *request); /* lf_begin returns true */
void lf_check_submit(struct lf_request *request);
void lf_check_finish(struct lf_request *request);
void lf_check_io(const struct lf_lu *lu, struct lf_request *request);
void lf_check_io_done(struct lf_io *io);
void lf_check_enter_done(void);
void lf_check_leave_done(void);
#else
#define lf_check_begin(request)  ((void)0)
#define lf_check_begun(request)  ((void)0)
#define lf_check_submit(request) ((void)0)
#define lf_check_finish(request) ((void)0)
#define lf_check_io(lu, request) ((void)0)
#define lf_check_io_done(io)     ((void)0)
#define lf_check_enter_done()    ((void)0)
#define lf_check_leave_done()    ((void)0)
#endif

/* ---- pages.c: the values of mode pages ---- */

/* Of a new unit. write_cache_off: WCE is zero by default. */
void lf_modes_init(struct lf_lu *lu, bool write_cache_off);
/*
 * What of them outlives a loss of power, for saved.c. save: at most LF_MODE_SAVED_BYTES, 0: nothing was ever
 * saved; lu->lock is held. load: of a unit nobody knows yet; false: that is not what save wrote, and nothing
 * was taken.
 */
#define LF_MODE_SAVED_BYTES 1024
uint32_t lf_modes_save(const struct lf_lu *lu, uint8_t *to);
bool lf_modes_load(struct lf_lu *lu, const uint8_t *from, uint32_t length_bytes);
/* Back to the saved values, as a reset of the unit has it (SAM-5 6.3.3); lu->lock is held, or nobody knows
 * the unit yet. */
void lf_modes_reset_locked(struct lf_lu *lu);

/* ---- counters.c ---- */

/* The request ended, with this status; the lane's lock is held. */
void lf_count_end(const struct lf_request *request, uint64_t now_ns);
/* A store failed to do what the request asked of it. */
void lf_count_error(const struct lf_request *request, enum lf_error error);

/* ---- Internal between adapter.c, nexus.c, lu.c, task.c, wait.c, tmf.c ---- */

static inline bool lf_lu_is_leaving(const struct lf_lu *lu)
{
	return (lf_atomic_load_u32(&lu->gate) & LF_GATE_LEAVING) != 0;
}

/* All lanes stopped: nobody begins, finishes or retires a task. adapter->lock is held. */
void lf_lanes_stop(struct lf_adapter *adapter);
void lf_lanes_go(struct lf_adapter *adapter);

/* The itl for a LUN: the nexus's absent one where there is no unit. Under a lane's lock. */
struct lf_itl *lf_itl_find(struct lf_nexus *nexus, uint64_t lun);
/*
 * Connect nexus and unit, both of which stay: prepare allocates, false when memory is short; commands find
 * the unit once it is shown. adapter->lock is held.
 */
bool lf_itl_prepare_locked(struct lf_nexus *nexus, struct lf_lu *lu);
void lf_itls_show_locked(struct lf_lu *lu);
void lf_itl_free_locked(struct lf_itl *itl);
/* Takes the unit out of the nexus's table; the itl lives on. Lanes are stopped. */
void lf_itl_hide(struct lf_nexus *nexus, uint32_t lun);

/*
 * wait.c. Counts the tasks that match the waiter's predicate and marks them; younger tasks wait when
 * waiter->barrier. Returns true when there are any: when the last retires the barrier falls and fire is
 * called; false: none, and it will not be. adapter->lock is held. only_unsubmitted: what is marked; counted
 * are all.
 */
bool lf_waiter_raise_locked(
	struct lf_adapter *adapter, struct lf_waiter *waiter, enum lf_mark mark, bool only_unsubmitted);
/* The same in two steps, of many units: marks those of now, and later waits for those that were marked then.
 */
void lf_waiter_strike_locked(struct lf_adapter *adapter, struct lf_waiter *waiter);
bool lf_waiter_follow_locked(struct lf_adapter *adapter, struct lf_waiter *waiter);
/* How many unfinished tasks match the waiter's predicate; it waits for none. adapter->lock is held. */
uint32_t lf_waiter_match_locked(struct lf_adapter *adapter, struct lf_waiter *waiter);
/* Younger tasks may go on; done for a barrier that is not needed any more. adapter->lock is held. */
void lf_barrier_lower_locked(struct lf_adapter *adapter, struct lf_waiter *waiter);
/*
 * One more, or one less, for which tasks retire by the locked path. adapter->lock is held; for one more the
 * lanes are stopped, for one less they are not.
 */
void lf_watch_more_locked(struct lf_adapter *adapter);
void lf_watch_less_locked(struct lf_adapter *adapter);
bool lf_task_may_run_locked(struct lf_task *task);
/* False: the task was put into its unit's queue and will be run by whoever makes it runnable. */
bool lf_task_may_run(struct lf_adapter *adapter, struct lf_request *request);
void lf_task_order_locked(struct lf_adapter *adapter, struct lf_task *task); /* makes it a barrier */
void lf_task_retire(struct lf_adapter *adapter, struct lf_task *task);
/* Makes those runnable that no barrier holds any more, or that were marked. adapter->lock is held. */
void lf_queue_kick_locked(struct lf_adapter *adapter, struct lf_lu *lu);
/* Runs what has become runnable, not in recursion. No lock is held. */
void lf_run_runnable(struct lf_adapter *adapter);
/*
 * exclusive.c. A change of the unit that is no command: begin calls change->ready, then or later, when it is
 * alone on the unit; that one ends it with lf_change_end, then or later. No lock is held. lu and ready are
 * set; the unit stays. uncount: the task runs no more; true: call lu->exclusive->ready, with no lock.
 */
void lf_change_begin(struct lf_exclusive *change);
void lf_change_end(struct lf_exclusive *change);
bool lf_exclusive_uncount_locked(struct lf_adapter *adapter, struct lf_task *task);
/* The owner still waits for others, and for this task, too, which goes before him. False: he is alone
 * already. */
bool lf_exclusive_precede_locked(struct lf_task *task);
/*
 * is_due: the task, which may run now, has to take the unit first. take: it does; false when commands still
 * run that it has to wait for. adapter->lock is held.
 */
bool lf_exclusive_is_due_locked(const struct lf_task *task);
bool lf_exclusive_take_unit_locked(struct lf_adapter *adapter, struct lf_task *task);
/* The medium's part of the facts. */
void lf_medium_describe(struct lf_lu *lu, struct lf_lu_facts *facts);
void lf_run(struct lf_request *request); /* task.c: the last checks, then execute */

/*
 * reservation_unit.c. create: the unit's memory for them, false when there is none. gate: sets the nexus's
 * LF_GATE_RESERVATION as it should be; lu->lock is held. conflicts: of a command whose nexus has that bit.
 * left: the nexus goes, and with it what it holds as long as it is there. reserve_release: ends a RESERVE of
 * this nexus, or of any (NULL); _locked: lu->lock is held.
 */
bool lf_reservations_create(struct lf_lu *lu);
void lf_reservation_gate_locked(struct lf_itl *itl);
bool lf_reservation_conflicts(const struct lf_request *request);
void lf_reservation_nexus_left(struct lf_itl *itl);
void lf_reserve_release(struct lf_lu *lu, const struct lf_nexus *nexus);
void lf_reserve_release_locked(struct lf_lu *lu, const struct lf_nexus *nexus);
/* saved.c: takes what the unit saved before a loss of power; false: it is damaged, and nothing was taken. */
bool lf_saved_read(struct lf_lu *lu, const uint8_t *from, size_t length);
void lf_scratch_put(struct lf_lu *lu, void *scratch);
/*
 * tmf.c: what a reset does to a unit besides ending its tasks, which are marked by now: what may still be
 * set by one of them is set under lu->lock and only when it finds itself unmarked. lu->lock is held.
 */
void lf_lu_reset_locked(struct lf_lu *lu);
/* Likewise, what the loss of a nexus does to a unit. */
void lf_lu_nexus_lost_locked(struct lf_lu *lu, const struct lf_nexus *nexus);

#endif
