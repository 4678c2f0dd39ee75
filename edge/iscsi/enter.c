/* SPDX-License-Identifier: BSD-2-Clause */
/* enter.c: a connection in its login phase: answers sent, the session claimed, the full feature phase
 * entered. */
#include "edge/iscsi/internal.h"
#include "trace/trace.h"

static void send_answer(struct iscsi_connection *connection)
{
	struct iscsi_login *login = &connection->login;
	struct iscsi_reply *reply =
		lf_iscsi_reply_create(connection, ISCSI_LOGIN_RESPONSE, login->response_length);

	if (reply == NULL)
		return;
	memcpy(reply->bhs, login->response, ISCSI_BHS_LENGTH);
	if (login->response_length > 0)
		memcpy(reply->data, login->response_text, login->response_length);
	lf_iscsi_reply_send(connection, reply);
}

static void refuse(struct iscsi_connection *connection)
{
	uint32_t status = connection->login.refusal;

	lf_trace_iscsi_login_refused(connection->id, status >> 8, status & 0xff, 0);
	lf_atomic_add_relaxed_u64(&connection->iscsi->logins_refused, 1);
	if (status == ISCSI_LOGIN_NOT_AUTHENTICATED) {
		lf_trace_iscsi_not_authenticated(connection->id, connection->login.chap.failure, 0, 0);
		lf_atomic_add_relaxed_u64(&connection->iscsi->logins_unproven, 1);
	}
	send_answer(connection);
	lf_iscsi_connection_end(connection, ISCSI_CLOSE_LOGIN_REFUSED);
}

static void refuse_with(
	struct iscsi_connection *connection, const uint8_t *bhs, enum iscsi_login_status status)
{
	lf_iscsi_login_refuse(&connection->login, bhs, status);
	refuse(connection);
}

static void enter_full_feature(struct iscsi_connection *connection)
{
	lf_put_be16(connection->login.response + ISCSI_AT_TSIH, connection->tsih);
	send_answer(connection);
	lf_iscsi_connection_full_feature(connection);
}

void lf_iscsi_login_claim(struct iscsi_connection *connection)
{
	enum iscsi_login_status refusal = ISCSI_LOGIN_SUCCESS;

	switch (lf_iscsi_session_claim(connection, &refusal)) {
	case ISCSI_CLAIM_WAITS:
		connection->phase = ISCSI_PHASE_CLAIM;
		return;
	case ISCSI_CLAIM_REFUSED:
		refuse_with(connection, connection->login_request, refusal);
		return;
	case ISCSI_CLAIMED:
		break;
	}
	if (!connection->login.negotiation.discovery && !lf_iscsi_session_open(connection)) {
		refuse_with(connection, connection->login_request, ISCSI_LOGIN_OUT_OF_RESOURCES);
		return;
	}
	enter_full_feature(connection);
	lf_iscsi_receive_resume(connection);
}

void lf_iscsi_login_pdu(
	struct iscsi_connection *connection, const uint8_t *bhs, const uint8_t *data, uint32_t length)
{
	struct iscsi_login *login = &connection->login;

	if (iscsi_opcode(bhs) != ISCSI_LOGIN) {
		/* Before the first Login Request not even an answer, after it a refusal: 6.3 */
		lf_trace_iscsi_protocol_error(connection->id, iscsi_opcode(bhs), ISCSI_ERROR_NO_LOGIN, 0);
		if (login->started)
			refuse_with(connection, bhs, ISCSI_LOGIN_INVALID_DURING_LOGIN);
		else
			lf_iscsi_connection_close(connection, ISCSI_CLOSE_PROTOCOL);
		return;
	}
	switch (lf_iscsi_login_request(login, bhs, (const char *)data, length)) {
	case ISCSI_LOGIN_ANSWER:
		connection->exp_cmd_sn = login->cmd_sn;
		send_answer(connection);
		break;
	case ISCSI_LOGIN_REFUSE:
		connection->exp_cmd_sn = login->cmd_sn;
		refuse(connection);
		break;
	case ISCSI_LOGIN_FINISH:
		/* The numbers of the first request go on: a Login Request is immediate (11.12.8). */
		connection->exp_cmd_sn = login->cmd_sn;
		memcpy(connection->login_request, bhs, ISCSI_BHS_LENGTH);
		lf_iscsi_login_claim(connection);
		break;
	}
}
