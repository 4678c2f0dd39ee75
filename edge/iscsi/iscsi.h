/* SPDX-License-Identifier: BSD-2-Clause */
/* iscsi.h: the iSCSI edge as a program sees it (RFC 7143): one target node, its portals, its sessions. */
#ifndef LF_ISCSI_H
#define LF_ISCSI_H

#include "core/adapter.h"
#include "platform/loop_linux.h"

struct lf_iscsi;

/*
 * CHAP secrets from a file of lines NAME:SECRET (initiators that may come; the secret begins behind the last
 * colon), "mutual NAME:SECRET" (what we answer with), and # comments. NULL with a message: it cannot be read,
 * or others can, a line is wrong, a secret has less than 12 bytes. May block.
 */
struct lf_iscsi_secrets;
struct lf_iscsi_secrets *lf_iscsi_secrets_read(const char *path, struct lf_message *message);
void lf_iscsi_secrets_free(struct lf_iscsi_secrets *secrets); /* wipes them; may be NULL */

struct lf_iscsi_options {
	const char *iqn;              /* the target's iSCSI name; copied */
	uint32_t target;              /* the adapter's target behind it */
	struct lf_loop *const *loops; /* connections are dealt out to these; the first one accepts */
	uint32_t loop_count;
	uint64_t memory_budget_bytes; /* for all sessions' buffers together; 0: 256 MiB, or 8 MiB a loop */
	uint32_t sessions_max;        /* 0: 256 */
	uint32_t login_timeout_ms;    /* from accept to full feature phase; 0: 10000 */
	struct lf_iscsi_secrets *secrets; /* NULL: nobody is asked who he is. Else taken over, in any case */
	uint32_t silence_ms;              /* after it a NOP-In asks, after another the end; 0: 30000 */
};

/* Before the loops run. NULL with a message: a bad name, no memory. */
struct lf_iscsi *lf_iscsi_create(
	struct lf_adapter *adapter, const struct lf_iscsi_options *options, struct lf_message *message);

/*
 * Opens a portal: host is a numeric address ("127.0.0.1", "::1", "0.0.0.0") or a name, port 0 takes a free
 * one; tag is the target portal group tag, 1..65535, and the relative target port identifier. Before the
 * loops run. LF_E_BUSY: the port is in use; the message says the remedy.
 */
enum lf_error lf_iscsi_listen(
	struct lf_iscsi *iscsi, const char *host, uint16_t port, uint16_t tag, struct lf_message *message);

/* A portal, by index from 0; false past the last. address is "127.0.0.1:3260" or "[::1]:3260". Any thread. */
struct lf_iscsi_portal_facts {
	char address[64];
	uint16_t tag;
	bool loopback_only;
};

bool lf_iscsi_portal(struct lf_iscsi *iscsi, uint32_t index, struct lf_iscsi_portal_facts *facts);

/* Sessions in full feature phase, discovery ones left out. Any thread. */
uint32_t lf_iscsi_session_count(struct lf_iscsi *iscsi);

/* A session, discovery ones too. Whatever follows to the end of it: any thread. */
struct lf_iscsi_session_facts {
	uint64_t id; /* for as long as the node lives; never 0 */
	char initiator[224];
	uint8_t isid[6];
	uint16_t tsih, portal_group;
	char address[64]; /* the initiator's; "" when it has none */
	char user[256];   /* its CHAP name; "" when nobody asked */
	bool discovery, header_digest, data_digest;
	uint64_t since_ns;                      /* lf_time_ns */
	uint64_t commands, bytes_in, bytes_out; /* bytes on the wire */
};

/* The session with the lowest id above after_id, which is 0 at first; false when there is none. */
bool lf_iscsi_session_next(struct lf_iscsi *iscsi, uint64_t after_id, struct lf_iscsi_session_facts *facts);
/* Ends it, without waiting for that; its initiator is told, and may come again. False: no such session. */
bool lf_iscsi_session_drop(struct lf_iscsi *iscsi, uint64_t id);

/* What initiators did wrong, since the beginning. */
struct lf_iscsi_counts {
	uint64_t logins_refused, logins_not_authenticated; /* the latter are in the former, too */
	uint64_t header_digest_errors, data_digest_errors;
};

void lf_iscsi_count(struct lf_iscsi *iscsi, struct lf_iscsi_counts *counts);

/*
 * Closes the portals, takes no new commands, asks every initiator to log out, and a moment later closes the
 * connections of those that did not, when what they have in flight has ended; done runs on the first loop
 * when nothing is left, at the latest shortly after deadline_ns (lf_time_ns) but never before the last
 * request came back from the core. On the first loop's thread.
 */
void lf_iscsi_stop(struct lf_iscsi *iscsi, uint64_t deadline_ns, void (*done)(void *context), void *context);

/* After done, when the loops have returned from run. */
void lf_iscsi_destroy(struct lf_iscsi *iscsi);

#endif
