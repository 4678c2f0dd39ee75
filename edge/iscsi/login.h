/* SPDX-License-Identifier: BSD-2-Clause */
/* login.h: the login phase (RFC 7143 6.3) of one connection, as a machine fed with login requests. */
#ifndef LF_ISCSI_LOGIN_H
#define LF_ISCSI_LOGIN_H

#include "edge/iscsi/chap.h"
#include "edge/iscsi/pdu.h"
#include "edge/iscsi/text.h"

#define ISCSI_RECEIVE_DATA_MAX   262144 /* the MaxRecvDataSegmentLength that we declare */
#define ISCSI_LOGIN_REQUESTS_MAX 128    /* requests in one login */

/* What login settles, by number: booleans are 0 and 1. The table in negotiate.c has a row for each. */
enum iscsi_parameter {
	ISCSI_MAX_CONNECTIONS,
	ISCSI_INITIAL_R2T,
	ISCSI_IMMEDIATE_DATA,
	ISCSI_MAX_SEND_LENGTH, /* the initiator's MaxRecvDataSegmentLength */
	ISCSI_MAX_BURST_LENGTH,
	ISCSI_FIRST_BURST_LENGTH,
	ISCSI_TIME_TO_WAIT,
	ISCSI_TIME_TO_RETAIN,
	ISCSI_MAX_OUTSTANDING_R2T,
	ISCSI_DATA_PDU_IN_ORDER,
	ISCSI_DATA_SEQUENCE_IN_ORDER,
	ISCSI_ERROR_RECOVERY_LEVEL,
	ISCSI_PROTOCOL_LEVEL,
	ISCSI_HEADER_DIGEST, /* 1: CRC32C */
	ISCSI_DATA_DIGEST,
	ISCSI_PARAMETERS
};

/* What an answer to a key depends on, and what it settles. */
struct iscsi_negotiation {
	uint32_t value[ISCSI_PARAMETERS];
	uint64_t seen;  /* bit by row of the table: a key comes once (6.3) */
	bool discovery; /* most keys are irrelevant then: 13 */
	bool refused;   /* the answer to a declared number was Reject: the key is not said again */
};

void lf_iscsi_negotiation_init(struct iscsi_negotiation *negotiation);
/* What depends on another key of the same exchange: called over all pairs before the first answer. */
void lf_iscsi_negotiate_ahead(struct iscsi_negotiation *negotiation, const struct iscsi_pair *pair);
/* Answers one operational key; false: the initiator broke the rules (a key twice). */
bool lf_iscsi_negotiate(
	struct iscsi_negotiation *negotiation, const struct iscsi_pair *pair, struct iscsi_text *answer);
/* Whether there is such an operational key at all. */
bool lf_iscsi_key_known(const char *name);

/* What the target side of a login is: the same for all connections of a portal. */
struct iscsi_login_terms {
	const char *target_name;
	uint16_t portal_group;
	struct iscsi_authority *authority; /* NULL: nobody has to prove who he is */
};

struct iscsi_login {
	const struct iscsi_login_terms *terms;
	enum iscsi_stage stage;
	bool started;    /* the first request came */
	bool identified; /* its keys said who and what */
	bool declared;   /* our MaxRecvDataSegmentLength was said */
	uint32_t requests;
	uint8_t isid[6];
	uint32_t tsih, cid;
	uint32_t cmd_sn; /* of the first request: where the session's numbers begin */
	char initiator[ISCSI_NAME_MAX + 1];
	bool has_initiator, has_target, target_known;
	uint32_t identity_seen;
	struct iscsi_chap chap;
	struct iscsi_negotiation negotiation;
	struct iscsi_text in, out;
	enum iscsi_login_status refusal; /* why, when the answer is a refusal */

	/* The answer: header without the serial numbers, which are stamped where it is sent, and text. */
	uint8_t response[ISCSI_BHS_LENGTH];
	const char *response_text; /* valid until the next request */
	uint32_t response_length;
};

enum iscsi_login_verdict {
	ISCSI_LOGIN_ANSWER, /* send the answer, go on */
	ISCSI_LOGIN_FINISH, /* the answer leads to the full feature phase: set its TSIH, send it, or refuse */
	ISCSI_LOGIN_REFUSE, /* send the answer and close */
};

void lf_iscsi_login_init(struct iscsi_login *login, const struct iscsi_login_terms *terms);
void lf_iscsi_login_fini(struct iscsi_login *login);
/* One Login Request with its whole data segment. */
enum iscsi_login_verdict lf_iscsi_login_request(
	struct iscsi_login *login, const uint8_t *bhs, const char *data, uint32_t length);
/* Makes the answer to the request bhs a refusal. */
enum iscsi_login_verdict lf_iscsi_login_refuse(
	struct iscsi_login *login, const uint8_t *bhs, enum iscsi_login_status status);

#endif
