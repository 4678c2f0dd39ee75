/* SPDX-License-Identifier: BSD-2-Clause */
/* initiator.h: a small pipelined iSCSI initiator over one plain socket, for tests and benchmarks. */
#ifndef LF_TESTS_INITIATOR_H
#define LF_TESTS_INITIATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LF_BHS_LENGTH 48

/* iscsi://HOST:PORT/IQN/LUN; an IPv6 HOST stands in brackets. */
struct lf_url {
	char host[128];
	char port[8];
	char iqn[224];
	uint32_t lun; /* 0 to 16383 */
};

/* False when text is no such URL; why, if not NULL, then says what is wrong with it. */
bool lf_url_parse(const char *text, struct lf_url *url, const char **why);
/* The eight bytes of SAM-5 4.7, the first one most significant: peripheral below 256, flat space above. */
uint64_t lf_url_lun(const struct lf_url *url);

/* What to offer at login; zero everywhere is a sensible default but for immediate_data. */
struct lf_login {
	const char *initiator_name;
	bool immediate_data;
	bool initial_r2t;
	uint32_t first_burst_bytes;   /* 0: 256 KiB */
	uint32_t max_burst_bytes;     /* 0: 1 MiB */
	uint32_t max_receive_bytes;   /* of one PDU, towards us; 0: 256 KiB */
	uint32_t max_outstanding_r2t; /* 0: 1 */
	uint32_t isid;                /* distinguishes sessions of one initiator name */
	bool header_digest, data_digest;
	const char *chap;        /* NAME:SECRET to prove with; NULL: not by CHAP */
	const char *chap_target; /* NAME:SECRET that the target has to prove; NULL: it need not */
};

/* What the target said of CHAP in a login. */
struct lf_chap {
	char algorithm[8], identifier[8], challenge[80], name[256], response[80];
};

enum lf_data { LF_DATA_NONE, LF_DATA_IN, LF_DATA_OUT };

/*
 * One SCSI command: the caller's memory, lent from lf_initiator_submit until done. The buffer of an
 * LF_DATA_OUT task that ended badly must outlive the session: some of it may still wait to be sent.
 */
struct lf_scsi_task {
	uint64_t lun;
	uint8_t cdb[16];
	enum lf_data direction;
	uint8_t *buffer;
	uint32_t length;                         /* of buffer: the Expected Data Transfer Length */
	void (*done)(struct lf_scsi_task *task); /* from within lf_initiator_turn; may submit */
	void *owner;

	/* Out, at done. */
	uint8_t response;  /* iSCSI response: 0 when the command completed at the target */
	uint8_t status;    /* SCSI status */
	uint32_t moved;    /* IN: bytes that came */
	uint32_t residual; /* bytes not moved (underflow), or that would have been besides (overflow) */
	bool overflow;     /* the command had more to move than length */
	uint32_t sense_length;
	uint8_t sense[252];

	/* The initiator's own from submit to done. */
	struct lf_scsi_task *next;
	uint32_t tag, cmd_sn;
	uint32_t data_sn;   /* the next one expected of Data-In and R2T */
	uint32_t solicited; /* OUT: bytes sent or promised so far */
};

/* A PDU that waits to be sent. */
struct lf_out {
	uint8_t bhs[LF_BHS_LENGTH], header_digest[4], data_digest[4];
	const void *data;
	uint32_t length;
};

#define LF_TASKS_MAX 1024 /* in flight in one session; a power of two */

struct lf_initiator {
	int fd;
	char error[256]; /* why the session failed; empty while it works */

	/* Negotiated. */
	bool immediate_data, initial_r2t, header_digest, data_digest;
	struct lf_chap chap;
	uint32_t first_burst_bytes, max_burst_bytes, max_outstanding_r2t;
	uint32_t max_send_bytes;    /* the target's MaxRecvDataSegmentLength */
	uint32_t max_receive_bytes; /* ours */
	uint16_t tsih;

	uint32_t cmd_sn, exp_cmd_sn, max_cmd_sn, exp_stat_sn;
	uint32_t tag_generation;
	struct lf_scsi_task *tasks[LF_TASKS_MAX];
	uint16_t free_slots[LF_TASKS_MAX];
	uint32_t free_count;
	struct lf_scsi_task *waiting, **waiting_end; /* for the command window or a free slot */

	struct lf_out *out; /* a ring */
	uint32_t out_size, out_head, out_count;
	uint32_t out_sent_bytes; /* of the PDU at the head */

	uint8_t *stage; /* what was received and not yet looked at starts at its beginning */
	uint32_t stage_size, stage_length;
	struct lf_scsi_task *filling; /* Data-In whose data segment is still coming */
	uint32_t fill_offset, fill_left;
	uint8_t fill_bhs[LF_BHS_LENGTH];

	/* One NOP-Out, task management function or logout at a time: its tag and the answer's header. */
	uint32_t control_tag;
	bool control_answered;
	uint8_t control_bhs[LF_BHS_LENGTH];
	uint64_t inventory_events; /* asynchronous messages that a unit came or went */
	uint64_t pdus_in, pdus_out, receives, sends, completed;
};

/* All that return bool: false when the session is beyond use, with a reason in error. */
bool lf_initiator_login(struct lf_initiator *session, const struct lf_url *url, const struct lf_login *login);
void lf_initiator_close(struct lf_initiator *session);

/* Queues a command; it is sent, with all others queued, by the next turn. */
void lf_initiator_submit(struct lf_initiator *session, struct lf_scsi_task *task);

/*
 * One round: sends all that is queued in one call, receives what there is (waiting for 100 ms at most), ends
 * the tasks that are complete.
 */
bool lf_initiator_turn(struct lf_initiator *session);

/* Submits one command and turns until it ended. done and owner of the task are overwritten. */
bool lf_initiator_run(struct lf_initiator *session, struct lf_scsi_task *task);
bool lf_initiator_ping(struct lf_initiator *session);
/* RFC 7143 11.5.1: 1 abort task, 5 logical unit reset, 6 target warm reset. response: 11.6.1. */
bool lf_initiator_manage(struct lf_initiator *session, uint8_t function, uint64_t lun,
	const struct lf_scsi_task *referenced, uint8_t *response);
/* Closes the session (reason 0) and the socket. */
bool lf_initiator_logout(struct lf_initiator *session);
/* Gives up every task in flight without done; only before lf_initiator_close. Returns how many. */
uint32_t lf_initiator_abandon(struct lf_initiator *session);

/* For the rooms of the initiator itself. */
#define LF_LOGIN_TEXT_MAX 8192

/* Keys and values, each with its zero byte. */
struct lf_login_text {
	char bytes[LF_LOGIN_TEXT_MAX];
	uint32_t length;
};

void lf_login_add(struct lf_login_text *text, const char *key, const char *value);
/* Sends one login request and takes one answer; *moved is set when that leads to the next stage. */
bool lf_login_exchange(struct lf_initiator *session, const struct lf_login *login, struct lf_login_text *text,
	uint8_t flags, bool *moved);
/* The security stage; text begins with who and what. */
bool lf_login_chap(struct lf_initiator *session, const struct lf_login *login, struct lf_login_text *text);
/* CRC32C as it stands on the wire. */
void lf_digest(const void *data, uint32_t length, uint8_t *digest);
bool lf_initiator_fail(struct lf_initiator *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void lf_initiator_queue(struct lf_initiator *session, const uint8_t *bhs, const void *data, uint32_t length);
bool lf_initiator_send(struct lf_initiator *session);
/* Sends a request that is answered by a PDU of its own kind, and waits for that (control_bhs). */
bool lf_initiator_exchange(struct lf_initiator *session, uint8_t *bhs, const char *what);
bool lf_initiator_pdu(struct lf_initiator *session, const uint8_t *bhs, const uint8_t *data, uint32_t length);
bool lf_initiator_data_in(struct lf_initiator *session, const uint8_t *bhs, struct lf_scsi_task *task);
/* The task that a Data-In belongs to, when it may be stored at its offset; NULL after a failure. */
struct lf_scsi_task *lf_initiator_data_in_task(
	struct lf_initiator *session, const uint8_t *bhs, uint32_t length);
/* One sequence of Data-Out PDUs: length bytes of the task's buffer from offset on; transfer_tag: 11.7.4. */
void lf_initiator_queue_data_out(struct lf_initiator *session, const struct lf_scsi_task *task,
	uint32_t offset, uint32_t length, uint32_t transfer_tag, uint64_t lun);

#endif
