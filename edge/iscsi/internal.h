/* SPDX-License-Identifier: BSD-2-Clause */
/* internal.h: what the files of this room share: node, lanes, portals, connections with their session, tasks.
 */
#ifndef LF_ISCSI_INTERNAL_H
#define LF_ISCSI_INTERNAL_H

#include <sys/uio.h>

#include "edge/iscsi/digest.h"
#include "edge/iscsi/iscsi.h"
#include "edge/iscsi/login.h"
#include "edge/iscsi/pdu.h"
#include "edge/iscsi/pool.h"

#define ISCSI_PORTALS_MAX     16
#define ISCSI_LOGINS_MAX      64 /* connections that have not finished their login */
#define ISCSI_DISCOVERIES_MAX 32 /* discovery sessions */
#define ISCSI_LANES_MAX       64

/* A session's commands: what its window holds, the immediate ones beside it, and those that are being sent.
 */
#define ISCSI_WINDOW_MAX      128
#define ISCSI_IMMEDIATE_MAX   16
#define ISCSI_TASKS           (ISCSI_WINDOW_MAX + ISCSI_IMMEDIATE_MAX + 32)
#define ISCSI_TMFS            16
#define ISCSI_TASK_BUCKETS    256
#define ISCSI_REPLIES_MAX     64 /* answers that wait to be sent: past it nothing more is read */
#define ISCSI_REPLY_BYTES_MAX (1024 * 1024)

/* The receive buffer holds any one PDU whole. */
#define ISCSI_RECEIVE_BUFFER     (ISCSI_RECEIVE_DATA_MAX + ISCSI_BHS_LENGTH + ISCSI_AHS_MAX + 16)
#define ISCSI_DISCARD_TIMEOUT_MS 1000 /* how long a closing connection waits for the peer's end */

struct iscsi_connection;

/* A list that many threads push to and one takes whole. */
struct iscsi_note {
	struct iscsi_note *next;
	void (*run)(struct iscsi_note *note); /* on the connection's loop */
};

/* ---- What waits to be sent ---- */

enum iscsi_sendable_kind { ISCSI_SEND_TASK, ISCSI_SEND_REPLY };

struct iscsi_sendable {
	struct lf_link link;
	enum iscsi_sendable_kind kind;
};

/* One PDU that is no task's. Serial numbers are stamped when it goes out. */
struct iscsi_reply {
	struct iscsi_sendable sendable;
	uint8_t bhs[ISCSI_BHS_LENGTH];
	bool takes_stat_sn;
	bool inventory; /* the message that the inventory changed */
	uint32_t data_length;
	uint8_t data[];
};

#define ISCSI_BATCH_VECTORS 256
#define ISCSI_BATCH_BYTES   16384
/* After so many a connection lets the others of its loop have their turn. */
#define ISCSI_TURN_BYTES (2u << 20)

/* The PDUs of one sendmsg: headers and small data in bytes, the rest by reference. */
struct iscsi_batch {
	struct iovec vector[ISCSI_BATCH_VECTORS];
	uint32_t vector_count, vector_at; /* at: the first that was not sent wholly */
	uint32_t used, pdus;
	struct lf_link tasks, replies; /* let go when the batch is out */
	uint8_t bytes[ISCSI_BATCH_BYTES];
};

/* ---- Tasks ---- */

enum iscsi_task_state {
	ISCSI_TASK_FREE,
	ISCSI_TASK_BEGUN,     /* the core waits for lf_submit: data or memory is missing */
	ISCSI_TASK_SUBMITTED, /* the core has it; from here on its buffer is the core's */
	ISCSI_TASK_ENDED,     /* done; data that was announced is still coming and thrown away */
	ISCSI_TASK_SENDING,   /* its answer waits to be sent, or goes out */
};

struct iscsi_task {
	struct lf_request request;
	struct iscsi_connection *connection;
	struct iscsi_sendable sendable; /* free list, send queue or batch */
	struct iscsi_note finished;
	struct lf_link begun_link;   /* the connection's begun ones, first come first */
	struct lf_link wait_link;    /* the lane's or the session's, which wait for memory */
	struct lf_link solicit_link; /* the connection's, which have R2Ts to send */
	struct iscsi_task *bucket_next;
	enum iscsi_task_state state;
	uint32_t index, itt;
	uint32_t number;  /* the how manieth of its session */
	bool immediate;   /* outside the window */
	bool unsolicited; /* Data-Out without an R2T is still coming */
	bool spoiled;     /* its data did not come as it should: it will fail */
	bool answered;    /* its slot of the window went back */

	uint32_t edtl;        /* expected data transfer length */
	uint32_t read_length; /* of it, what may be sent to the initiator */
	uint32_t flags;       /* byte 1 of the command */

	/* Data-Out. */
	uint64_t need;                  /* bytes for lf_submit; what comes beyond is thrown away */
	uint64_t received;              /* the offset that the next byte must have */
	uint64_t sequence_end;          /* of the sequence that is coming in */
	uint64_t r2t_offset;            /* where the next R2T asks from */
	uint32_t data_sn;               /* of the next Data-Out, then of the next Data-In */
	uint32_t r2t_next, r2t_current; /* R2TSN of the next to send, and of the one being answered */

	/* Data-In. */
	uint64_t send_length, sent;

	uint32_t pages;   /* lent, by the pool */
	uint32_t claimed; /* of its session's share, from before it has the pages until it gives them back */
	uint32_t segment_count;
	struct lf_segment segments[ISCSI_SEGMENTS_MAX];
};

struct iscsi_tmf {
	struct lf_tmf tmf;
	struct iscsi_connection *connection;
	struct iscsi_note finished;
	uint32_t itt;
	uint32_t before; /* the number of the first task that it does not mean */
	uint8_t function;
	bool used;
};

/* ---- Connections ---- */

/* A normal session; it has one connection and lives in it. Touched on the connection's loop. */
struct iscsi_session {
	struct lf_nexus *nexus;
	struct iscsi_task *tasks;
	struct lf_link free_tasks;
	struct iscsi_task *bucket[ISCSI_TASK_BUCKETS];
	struct lf_link begun;
	struct iscsi_tmf tmf[ISCSI_TMFS];
	uint32_t tmf_count;        /* in the core */
	uint32_t busy;             /* tasks that are not free */
	uint32_t arrived;          /* tasks ever: the number of the next */
	uint64_t commands;         /* likewise; relaxed, for whoever asks */
	uint32_t in_core;          /* tasks between lf_begin and done */
	uint32_t active;           /* tasks in the window whose answer has not been made */
	uint32_t immediate;        /* immediate ones, likewise */
	uint32_t granted;          /* commands that may still come: their unsolicited data is promised */
	uint32_t promise_pages;    /* for each of them */
	uint32_t claimed;          /* pages that its tasks have or are in the row for, capped ones left out */
	struct lf_link capped;     /* tasks that wait until that is below the limit of one session */
	struct iscsi_task *oldest; /* of those that wait for data, when the timer last fired; only compared */
	uint32_t oldest_itt;
	uint64_t oldest_received;
	struct lf_link starved_link; /* the lane's: the window is shut for want of memory */
};

enum iscsi_phase {
	ISCSI_PHASE_LOGIN,
	ISCSI_PHASE_CLAIM, /* an older session of the same name goes first */
	ISCSI_PHASE_FULL,
	ISCSI_PHASE_FLUSH,  /* what is queued goes out, then the connection closes; nothing is read */
	ISCSI_PHASE_LINGER, /* all is sent; waits for the peer's end */
	ISCSI_PHASE_CLOSED, /* no socket; waits for the core */
};

enum iscsi_sink { ISCSI_SINK_DISCARD, ISCSI_SINK_TASK, ISCSI_SINK_WHOLE };

/* Notes from other threads: bits of kicks. */
enum iscsi_kick {
	ISCSI_KICK_START = 1,
	ISCSI_KICK_CLOSE = 2,  /* a younger session of the same name takes over */
	ISCSI_KICK_CLAIM = 4,  /* the older session is gone */
	ISCSI_KICK_HURRY = 8,  /* the core marked something that was begun */
	ISCSI_KICK_RESET = 16, /* TARGET COLD RESET */
	ISCSI_KICK_ROOM = 32, /* a newcomer takes its place: before the full feature phase, or in discovery */
	ISCSI_KICK_INVENTORY = 64, /* a unit came, or went */
	ISCSI_KICK_DROP = 128,     /* somebody wants the session gone */
};

/* Why a connection ended: the field of iscsi_connection_closed. */
enum iscsi_close_reason {
	ISCSI_CLOSE_PEER = 1,
	ISCSI_CLOSE_SOCKET_ERROR,
	ISCSI_CLOSE_PROTOCOL,
	ISCSI_CLOSE_LOGIN_REFUSED,
	ISCSI_CLOSE_LOGIN_TIMEOUT,
	ISCSI_CLOSE_LOGOUT,
	ISCSI_CLOSE_REINSTATED,
	ISCSI_CLOSE_RESET,
	ISCSI_CLOSE_SILENCE,
	ISCSI_CLOSE_STOP,
	ISCSI_CLOSE_NO_MEMORY,
	ISCSI_CLOSE_ROOM,
	ISCSI_CLOSE_DIGEST,
	ISCSI_CLOSE_DROPPED,
};

/* What was wrong: the reason field of iscsi_protocol_error. */
enum iscsi_error_reason {
	ISCSI_ERROR_TOO_LONG = 1,
	ISCSI_ERROR_NO_LOGIN,
	ISCSI_ERROR_CMD_SN_GAP,
	ISCSI_ERROR_DATA_SN,
	ISCSI_ERROR_DATA_OFFSET,
	ISCSI_ERROR_DATA_LENGTH,
	ISCSI_ERROR_DATA_TAG,
	ISCSI_ERROR_DATA_FINAL,
};

enum iscsi_digest { ISCSI_DIGEST_HEADER, ISCSI_DIGEST_DATA };

struct iscsi_receive {
	uint8_t *buffer;
	uint32_t start, end;
	enum { ISCSI_AT_HEADER, ISCSI_AT_DATA, ISCSI_AT_TRAILER } at;
	enum iscsi_sink sink;
	struct iscsi_task *task;       /* whose data comes in; NULL once the task is gone: thrown away */
	bool data_final;               /* of that Data-Out */
	uint32_t data_left;            /* of the data segment */
	uint32_t data_pad;             /* behind the data segment */
	bool digested;                 /* and then a digest */
	uint32_t crc;                  /* of the data so far, when it is */
	uint8_t bhs[ISCSI_BHS_LENGTH]; /* of that PDU, for a Reject, likewise */
	uint64_t bytes;                /* ever received; relaxed */
};

struct iscsi_connection {
	struct lf_iscsi *iscsi;
	struct iscsi_lane *lane;
	const struct iscsi_portal *portal;
	struct lf_link link; /* the lane's connections */
	uint64_t id;
	char address[64]; /* the peer's */
	int fd;
	enum iscsi_phase phase;
	enum iscsi_close_reason reason;
	bool paused;           /* something must be sent before more is read */
	bool logging_out;      /* the answer waits for the tasks */
	bool stopping;         /* no new commands; it was asked to log out */
	bool grace_over;       /* and did not in time */
	bool inventory_queued; /* a message about it waits to be sent */
	bool no_memory;        /* an answer could not be made: the end of the round closes */

	struct lf_watch watch;
	struct lf_timer timer;
	struct lf_round round;
	uint64_t bytes_seen, bytes_sent_seen; /* received and sent when the timer last fired */
	bool queued_seen;                     /* something waited to be sent then */
	bool pinged;

	struct iscsi_receive receive;
	bool header_digest, data_digest; /* both ways, from the full feature phase on */
	uint32_t exp_cmd_sn, stat_sn, max_cmd_sn_told;
	struct iscsi_login login;
	uint8_t login_request[ISCSI_BHS_LENGTH]; /* the one that waits for an older session's end */
	struct iscsi_session session;

	struct iscsi_text text_in, text_out;
	uint32_t text_itt, text_ttt; /* of the text exchange under way; ISCSI_NO_TAG: none */
	uint32_t logout_itt;
	uint8_t logout_response;

	struct lf_link send_queue, solicit;
	uint32_t replies, reply_bytes; /* in the queue and the batch */
	struct iscsi_batch *batch;
	uint64_t bytes_sent;     /* ever; relaxed */
	uint32_t turn_bytes;     /* since the loop last looked at the socket */
	struct lf_link finished; /* tasks done on this loop, for the end of the round */

	/* Any thread. */
	struct iscsi_note *notes; /* newest first; whoever finds it empty posts notes_post */
	struct lf_post notes_post;
	uint32_t kicks; /* enum iscsi_kick; whoever finds it zero posts kick_post */
	struct lf_post kick_post;

	/* Under lf_iscsi.lock. */
	struct lf_link login_link;   /* the node's logins, oldest first */
	struct lf_link session_link; /* the node's sessions, or its discovery sessions */
	struct lf_link claim_link;   /* of the session that must end first */
	struct lf_link claimants;
	bool reinstates; /* a connection of the session that its TSIH names, which has ended meanwhile */
	uint32_t tsih;
	uint64_t login_number; /* from 1, in the order in which they were complete */
	uint64_t since_ns;     /* when it became a session */
};

/* ---- The node ---- */

struct iscsi_lane {
	struct lf_iscsi *iscsi;
	struct lf_loop *loop;
	struct iscsi_pool pool;
	uint32_t transfer_pages_max; /* for one command */
	uint32_t session_pages_max;  /* for one session's commands */
	uint32_t session_count;      /* normal ones here */
	struct lf_link connections;
	struct lf_link waiting; /* tasks that wait for memory, first come first */
	struct lf_link starved; /* sessions whose window is shut */
	struct lf_round feed;
	struct lf_post stop_post;
	struct lf_timer stop_timer;
	bool stopping;
};

struct iscsi_portal {
	struct lf_iscsi *iscsi;
	struct lf_watch watch;
	struct lf_timer again; /* descriptors ran out: listens again later */
	struct lf_port port;
	char port_name[ISCSI_NAME_MAX + 16];
	struct iscsi_login_terms terms;
	char address[64];
	uint16_t number; /* TCP port */
	bool wildcard, loopback, ipv6;
};

struct lf_iscsi {
	struct lf_adapter *adapter;
	char iqn[ISCSI_NAME_MAX + 1];
	uint32_t target, sessions_max, login_timeout_ms, silence_ms;
	struct iscsi_lane *lanes;
	uint32_t lane_count;
	uint32_t next_lane; /* the accepting loop's */
	struct iscsi_portal portals[ISCSI_PORTALS_MAX];
	uint32_t portal_count;
	uint64_t next_connection_id; /* the accepting loop's */
	uint64_t rest_logged_ns;     /* likewise: when the want of descriptors was last spoken of; 0: never */
	struct iscsi_authority *authority;        /* NULL: nobody is asked who he is */
	uint64_t logins_refused, logins_unproven; /* of which: for want of a proof */
	uint64_t digest_errors[2]; /* by enum iscsi_digest; relaxed, like every count of what went wrong */

	struct lf_lock lock;
	struct lf_link sessions; /* under the lock, down to stops_left */
	uint32_t session_count;
	struct lf_link discoveries; /* sessions, longest unused first */
	uint32_t discovery_count;
	struct lf_link logins; /* connections before their full feature phase, oldest first */
	uint32_t login_count;
	uint32_t tsih_last;
	uint64_t login_number_last;
	uint32_t connections;
	uint32_t stops_left; /* lanes that have not stopped */
	bool stopping, stop_posted;
	uint64_t deadline_ns;
	struct lf_post stopped_post;
	void (*stopped)(void *context);
	void *stopped_context;
};

static inline void iscsi_schedule(struct iscsi_connection *connection)
{
	lf_loop_at_end_of_round(connection->lane->loop, &connection->round);
}

/* portal.c */
void lf_iscsi_portals_close(struct lf_iscsi *iscsi);
/* Hands a connected socket to a lane; takes it over in any case. On the first loop's thread. */
void lf_iscsi_adopt(struct lf_iscsi *iscsi, const struct iscsi_portal *portal, int fd);
/* Text for SendTargets: the addresses that somebody who came in over connection can reach. */
void lf_iscsi_put_addresses(struct iscsi_connection *connection, struct iscsi_text *text);

/* connection.c */
struct iscsi_connection *lf_iscsi_connection_create(
	struct lf_iscsi *iscsi, const struct iscsi_portal *portal, int fd);
void lf_iscsi_connection_free(struct iscsi_connection *connection);
void lf_iscsi_connection_kick(struct iscsi_connection *connection, uint32_t kick);
void lf_iscsi_connection_close(struct iscsi_connection *connection, enum iscsi_close_reason reason);
/* Sends what is queued first. */
void lf_iscsi_connection_end(struct iscsi_connection *connection, enum iscsi_close_reason reason);
/* A protocol error with no way on at error recovery level 0: Reject, then the end. */
void lf_iscsi_protocol_error(
	struct iscsi_connection *connection, const uint8_t *bhs, enum iscsi_error_reason reason);
/* A PDU whose digest is wrong: counted, and traced. */
void lf_iscsi_count_digest_error(
	struct iscsi_connection *connection, const uint8_t *bhs, enum iscsi_digest what);
/* Asks the loop for what the phase wants to know of the socket. */
void lf_iscsi_connection_watch(struct iscsi_connection *connection);
void lf_iscsi_connection_full_feature(struct iscsi_connection *connection);
/* Any thread; the connection lives until the note has run, which its maker sees to. */
void lf_iscsi_note_push(struct iscsi_connection *connection, struct iscsi_note *note);
/* The adapter's side is shutting down: no new commands, and the end when nothing is in flight. */
void lf_iscsi_connection_stop(struct iscsi_connection *connection);

/* receive.c */
void lf_iscsi_receive(struct iscsi_connection *connection);
/* Goes on with what the buffer holds. */
void lf_iscsi_receive_resume(struct iscsi_connection *connection);

/* enter.c */
void lf_iscsi_login_pdu(
	struct iscsi_connection *connection, const uint8_t *bhs, const uint8_t *data, uint32_t length);
/* The older session is gone: another try. */
void lf_iscsi_login_claim(struct iscsi_connection *connection);

/* iscsi.c */
void lf_iscsi_connection_left(struct iscsi_lane *lane);

/* session.c */
enum iscsi_claim { ISCSI_CLAIMED, ISCSI_CLAIM_WAITS, ISCSI_CLAIM_REFUSED };
/* Becomes the session of its initiator port, or waits until the older one is gone. */
enum iscsi_claim lf_iscsi_session_claim(
	struct iscsi_connection *connection, enum iscsi_login_status *refusal);
/* After the claim; false when memory is short. */
bool lf_iscsi_session_open(struct iscsi_connection *connection);
/* The I_T nexus is lost, and what it held is free; nothing of it is in the core. May be called again. */
void lf_iscsi_nexus_end(struct iscsi_connection *connection);
/* Nothing of it is in the core any more; also for connections that never had one. May be called again. */
void lf_iscsi_session_close(struct iscsi_connection *connection);
bool lf_iscsi_session_idle(const struct iscsi_connection *connection);
/* A discovery session did something: among the idle ones it is the youngest. */
void lf_iscsi_session_used(struct iscsi_connection *connection);
/* Drops all sessions of the node: TARGET COLD RESET. */
void lf_iscsi_sessions_drop(struct lf_iscsi *iscsi);

enum iscsi_sn_verdict { ISCSI_SN_TAKE, ISCSI_SN_IGNORE, ISCSI_SN_GAP };
enum iscsi_sn_verdict lf_iscsi_take_cmd_sn(struct iscsi_connection *connection, const uint8_t *bhs);
void lf_iscsi_window_grow(struct iscsi_connection *connection);
/* The connection ends: its window opens no more. */
void lf_iscsi_window_shut(struct iscsi_connection *connection);
/* A NOP-In when the initiator believes the window shut and nothing else tells it. */
void lf_iscsi_window_tell(struct iscsi_connection *connection);
uint32_t lf_iscsi_max_cmd_sn(const struct iscsi_connection *connection);
/* Memory came back: whoever waits for it gets it, in turn. */
void lf_iscsi_lane_feed(struct lf_round *round);

/* task.c */
struct iscsi_task *lf_iscsi_task_find(struct iscsi_connection *connection, uint32_t itt);
void lf_iscsi_scsi_command(struct iscsi_connection *connection, const uint8_t *bhs, const uint8_t *ahs);
void lf_iscsi_task_submit(struct iscsi_task *task, uint64_t data_length);
/* Its answer is out, or there is none: memory and slot go back. */
void lf_iscsi_task_release(struct iscsi_task *task);
void lf_iscsi_task_answered(struct iscsi_task *task);
void lf_iscsi_task_answer(struct iscsi_task *task);
void lf_iscsi_tasks_finish(struct iscsi_connection *connection);
/* The session goes: begun tasks are ended by the core. marked_only: only those that task management means. */
void lf_iscsi_tasks_hurry(struct iscsi_connection *connection, bool marked_only);
/*
 * Tasks with lower numbers than before that only wait for data to throw away: nobody answers them any more.
 * lun NULL: of all units.
 */
void lf_iscsi_tasks_forget(struct iscsi_connection *connection, const uint64_t *lun, uint32_t before);
/* One of them; false when the tag is not that of such a task. */
bool lf_iscsi_task_forget(struct iscsi_connection *connection, uint32_t itt, uint64_t lun, uint32_t before);
/* Of the session's share; the task's need is known. */
void lf_iscsi_task_claim(struct iscsi_task *task);

/* dataout.c */
void lf_iscsi_gather(struct iscsi_task *task, uint32_t immediate_length);
/* Memory for the task came; false when there is not enough. */
bool lf_iscsi_task_take_memory(struct iscsi_task *task);
void lf_iscsi_data_out(struct iscsi_connection *connection, const uint8_t *bhs);
void lf_iscsi_data_end(struct iscsi_connection *connection);
/*
 * Data of the task is missing or not what was asked for. At error recovery level 0 it is not asked for again
 * (7.7, 7.8): the task fails, once all that was announced is in.
 */
void lf_iscsi_task_spoil(struct iscsi_task *task);
uint32_t lf_iscsi_task_vectors(
	const struct iscsi_task *task, uint64_t offset, uint32_t length, struct iovec *vector, uint32_t most);
bool lf_iscsi_task_data_open(const struct iscsi_task *task);
bool lf_iscsi_make_r2t(struct iscsi_task *task, uint8_t *bhs);

/* async.c */
void lf_iscsi_inventory_changed(void *connection);
void lf_iscsi_tell_inventory(struct iscsi_connection *connection);
void lf_iscsi_ask_logout(struct iscsi_connection *connection, uint32_t within_s);
/* The target drops the session: says so, sends what is queued, closes. */
void lf_iscsi_farewell(struct iscsi_connection *connection, enum iscsi_close_reason reason);

/* transmit.c */
/* NULL when memory is short: the connection is closed, but not before the end of the round. */
struct iscsi_reply *lf_iscsi_reply_create(
	struct iscsi_connection *connection, uint32_t opcode, uint32_t data_length);
void lf_iscsi_reply_send(struct iscsi_connection *connection, struct iscsi_reply *reply);
void lf_iscsi_transmit(struct iscsi_connection *connection);
void lf_iscsi_transmit_drop(struct iscsi_connection *connection);
bool lf_iscsi_transmit_idle(const struct iscsi_connection *connection);

/* management.c */
void lf_iscsi_reject(
	struct iscsi_connection *connection, const uint8_t *bhs, enum iscsi_reject_reason reason);
void lf_iscsi_task_management(struct iscsi_connection *connection, const uint8_t *bhs);
void lf_iscsi_nop_out(
	struct iscsi_connection *connection, const uint8_t *bhs, const uint8_t *data, uint32_t length);
void lf_iscsi_nop_in(struct iscsi_connection *connection, bool ping);
void lf_iscsi_text_request(
	struct iscsi_connection *connection, const uint8_t *bhs, const uint8_t *data, uint32_t length);
void lf_iscsi_logout(struct iscsi_connection *connection, const uint8_t *bhs);
/* Nothing is in flight: whatever waited for that (logout, stop) goes on. */
void lf_iscsi_quiesced(struct iscsi_connection *connection);

#endif
