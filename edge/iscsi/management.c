/* SPDX-License-Identifier: BSD-2-Clause */
/* management.c: what is neither a command nor its data: task management, NOP, text, logout, Reject. */
#include "edge/iscsi/internal.h"
#include "trace/trace.h"

/* The number of a PDU that is handled at once, so that its slot of the window comes back. False: not to be
 * handled. */
static bool take_number(struct iscsi_connection *connection, const uint8_t *bhs)
{
	switch (lf_iscsi_take_cmd_sn(connection, bhs)) {
	case ISCSI_SN_TAKE:
		lf_iscsi_window_grow(connection);
		return true;
	case ISCSI_SN_GAP:
		lf_iscsi_protocol_error(connection, bhs, ISCSI_ERROR_CMD_SN_GAP);
		return false;
	default:
		return false;
	}
}

/* 11.17: the header of what is refused goes back. */
void lf_iscsi_reject(struct iscsi_connection *connection, const uint8_t *bhs, enum iscsi_reject_reason reason)
{
	struct iscsi_reply *reply = lf_iscsi_reply_create(connection, ISCSI_REJECT, ISCSI_BHS_LENGTH);

	lf_trace_iscsi_reject(connection->id, iscsi_opcode(bhs), reason, 0);
	if (reply == NULL)
		return;
	reply->bhs[ISCSI_AT_RESPONSE] = (uint8_t)reason;
	lf_put_be32(reply->bhs + ISCSI_AT_ITT, ISCSI_NO_TAG);
	memcpy(reply->data, bhs, ISCSI_BHS_LENGTH);
	lf_iscsi_reply_send(connection, reply);
}

/* ---- Task management: 11.5, 11.6 ---- */

static void answer_tmf(struct iscsi_connection *connection, uint32_t itt, enum iscsi_tmf_response response)
{
	struct iscsi_reply *reply = lf_iscsi_reply_create(connection, ISCSI_TASK_MANAGEMENT_RESPONSE, 0);

	if (reply == NULL)
		return;
	reply->bhs[ISCSI_AT_RESPONSE] = (uint8_t)response;
	lf_put_be32(reply->bhs + ISCSI_AT_ITT, itt);
	lf_iscsi_reply_send(connection, reply);
}

static enum iscsi_tmf_response tmf_response(enum lf_tmf_response response)
{
	switch (response) {
	case LF_TMF_COMPLETE:
		return ISCSI_TMF_COMPLETE;
	case LF_TMF_NO_SUCH_TASK:
	case LF_TMF_TASK_ENDED: /* its tag identifies no task any more, and its status goes before this */
		return ISCSI_TMF_NO_TASK;
	case LF_TMF_NO_SUCH_LUN:
		return ISCSI_TMF_NO_LUN;
	default:
		return ISCSI_TMF_REJECTED;
	}
}

/*
 * The core no longer knows of tasks that have ended and only wait for announced data, but the initiator's
 * functions mean them too: they are gone without an answer, and what still comes for them is thrown away.
 */
static enum iscsi_tmf_response forget_tasks(const struct iscsi_tmf *tmf)
{
	enum iscsi_tmf_response response = tmf_response(tmf->tmf.response);
	const uint64_t *lun = tmf->tmf.function == LF_TMF_TARGET_RESET ? NULL : &tmf->tmf.lun;

	if (tmf->tmf.function == LF_TMF_ABORT_TASK) {
		if (lf_iscsi_task_forget(tmf->connection, (uint32_t)tmf->tmf.tag, *lun, tmf->before))
			response = ISCSI_TMF_COMPLETE;
	} else if (response == ISCSI_TMF_COMPLETE) {
		lf_iscsi_tasks_forget(tmf->connection, lun, tmf->before);
	}
	return response;
}

static void tmf_finished(struct iscsi_note *note)
{
	struct iscsi_tmf *tmf = lf_container(note, struct iscsi_tmf, finished);
	struct iscsi_connection *connection = tmf->connection;

	tmf->used = false;
	connection->session.tmf_count--;
	if (connection->phase != ISCSI_PHASE_FULL)
		return;
	/* What the function ended is in the list of finished tasks: their answers go first. */
	lf_iscsi_tasks_finish(connection);
	answer_tmf(connection, tmf->itt, forget_tasks(tmf));
	if (tmf->function != ISCSI_TMF_COLD_RESET || tmf->tmf.response != LF_TMF_COMPLETE)
		return;
	lf_iscsi_connection_end(connection, ISCSI_CLOSE_RESET);
	lf_iscsi_sessions_drop(connection->iscsi);
}

/* Any thread. Through the notes even on the own loop, behind whatever another thread has put there. */
static void tmf_done(struct lf_tmf *core_tmf)
{
	struct iscsi_tmf *tmf = lf_container(core_tmf, struct iscsi_tmf, tmf);

	lf_iscsi_note_push(tmf->connection, &tmf->finished);
}

static struct iscsi_tmf *tmf_take(struct iscsi_connection *connection)
{
	for (uint32_t i = 0; i < ISCSI_TMFS; i++) {
		struct iscsi_tmf *tmf = &connection->session.tmf[i];

		if (tmf->used)
			continue;
		tmf->used = true;
		connection->session.tmf_count++;
		tmf->connection = connection;
		tmf->finished.run = tmf_finished;
		return tmf;
	}
	return NULL;
}

static bool tmf_function(uint32_t function, enum lf_tmf_function *out)
{
	switch (function) {
	case ISCSI_TMF_ABORT_TASK:
		*out = LF_TMF_ABORT_TASK;
		return true;
	case ISCSI_TMF_ABORT_TASK_SET:
		*out = LF_TMF_ABORT_TASK_SET;
		return true;
	case ISCSI_TMF_CLEAR_TASK_SET:
		*out = LF_TMF_CLEAR_TASK_SET;
		return true;
	case ISCSI_TMF_LUN_RESET:
		*out = LF_TMF_LUN_RESET;
		return true;
	case ISCSI_TMF_WARM_RESET:
	case ISCSI_TMF_COLD_RESET:
		*out = LF_TMF_TARGET_RESET;
		return true;
	default:
		return false;
	}
}

void lf_iscsi_task_management(struct iscsi_connection *connection, const uint8_t *bhs)
{
	uint32_t function = bhs[ISCSI_AT_FLAGS] & 0x7f, itt = lf_get_be32(bhs + ISCSI_AT_ITT);
	uint32_t referenced = lf_get_be32(bhs + ISCSI_AT_RTT);
	enum lf_tmf_function core_function;
	struct iscsi_tmf *tmf;

	if (connection->session.nexus == NULL) {
		lf_iscsi_reject(connection, bhs, ISCSI_REJECT_PROTOCOL);
		return;
	}
	if (!take_number(connection, bhs))
		return;
	if (!tmf_function(function, &core_function)) {
		answer_tmf(connection, itt,
			function == ISCSI_TMF_TASK_REASSIGN ? ISCSI_TMF_NO_REASSIGN
							    : ISCSI_TMF_NOT_SUPPORTED);
		return;
	}
	/*
	 * A task that is not here was answered, or never came: RefCmdSN (11.5.5) cannot name one that is
	 * still on its way, as there is one connection and it brings everything in order.
	 */
	if (core_function == LF_TMF_ABORT_TASK && lf_iscsi_task_find(connection, referenced) == NULL) {
		answer_tmf(connection, itt, ISCSI_TMF_NO_TASK);
		return;
	}
	if (core_function == LF_TMF_ABORT_TASK &&
		lf_iscsi_task_forget(connection, referenced, lf_get_be64(bhs + ISCSI_AT_LUN),
			connection->session.arrived)) {
		answer_tmf(connection, itt, ISCSI_TMF_COMPLETE);
		return;
	}
	tmf = tmf_take(connection);
	if (tmf == NULL) {
		answer_tmf(connection, itt, ISCSI_TMF_REJECTED);
		return;
	}
	tmf->itt = itt;
	tmf->function = (uint8_t)function;
	tmf->before = connection->session.arrived;
	tmf->tmf.nexus = connection->session.nexus;
	tmf->tmf.function = core_function;
	tmf->tmf.lun = lf_get_be64(bhs + ISCSI_AT_LUN);
	tmf->tmf.tag = referenced;
	tmf->tmf.done = tmf_done;
	lf_tmf_submit(&tmf->tmf);
}

/* ---- NOP: 11.18, 11.19 ---- */

void lf_iscsi_nop_out(
	struct iscsi_connection *connection, const uint8_t *bhs, const uint8_t *data, uint32_t length)
{
	uint32_t itt = lf_get_be32(bhs + ISCSI_AT_ITT);
	struct iscsi_reply *reply;

	if (!take_number(connection, bhs))
		return;
	/* Without a task tag it is an answer to our own, or just tells numbers. */
	if (itt == ISCSI_NO_TAG)
		return;
	length = lf_min(length, connection->login.negotiation.value[ISCSI_MAX_SEND_LENGTH]);
	reply = lf_iscsi_reply_create(connection, ISCSI_NOP_IN, length);
	if (reply == NULL)
		return;
	memcpy(reply->bhs + ISCSI_AT_LUN, bhs + ISCSI_AT_LUN, 8);
	lf_put_be32(reply->bhs + ISCSI_AT_ITT, itt);
	lf_put_be32(reply->bhs + ISCSI_AT_TTT, ISCSI_NO_TAG);
	if (length > 0)
		memcpy(reply->data, data, length);
	lf_iscsi_reply_send(connection, reply);
}

/* ping: the initiator has to answer. */
void lf_iscsi_nop_in(struct iscsi_connection *connection, bool ping)
{
	struct iscsi_reply *reply = lf_iscsi_reply_create(connection, ISCSI_NOP_IN, 0);

	if (reply == NULL)
		return;
	reply->takes_stat_sn = false;
	lf_put_be32(reply->bhs + ISCSI_AT_ITT, ISCSI_NO_TAG);
	lf_put_be32(reply->bhs + ISCSI_AT_TTT, ping ? 0 : ISCSI_NO_TAG);
	lf_iscsi_reply_send(connection, reply);
}

/* ---- Text: 11.10, 11.11, appendix C ---- */

static void answer_send_targets(struct iscsi_connection *connection, const char *which)
{
	struct iscsi_text *out = &connection->text_out;
	bool all = lf_iscsi_text_equal(which, "All"), own = *which == '\0';
	bool discovery = connection->login.negotiation.discovery;

	/* All belongs to discovery sessions, the empty value to the others. */
	if ((all && !discovery) || (own && discovery)) {
		lf_iscsi_text_put(out, "SendTargets", "Reject");
		return;
	}
	if (!all && !own && !lf_iscsi_name_equal(which, connection->iscsi->iqn))
		return;
	lf_iscsi_text_put(out, "TargetName", connection->iscsi->iqn);
	lf_iscsi_put_addresses(connection, out);
}

static bool answer_pairs(struct iscsi_connection *connection)
{
	struct iscsi_negotiation *negotiation = &connection->login.negotiation;
	struct iscsi_text *in = &connection->text_in;
	enum iscsi_text_result result;
	struct iscsi_pair pair;
	uint32_t at = 0, count = 0, number;

	while ((result = lf_iscsi_text_next(in->bytes, in->length, &at, &pair)) == ISCSI_TEXT_PAIR) {
		if (++count > ISCSI_KEYS_MAX)
			return false;
		if (lf_iscsi_text_equal(pair.key, "SendTargets")) {
			answer_send_targets(connection, pair.value);
		} else if (lf_iscsi_text_equal(pair.key, "MaxRecvDataSegmentLength")) {
			/* The one operational key that may change now: 13.12 */
			if (lf_iscsi_text_number(pair.value, &number) && number >= 512 && number <= 16777215)
				negotiation->value[ISCSI_MAX_SEND_LENGTH] = number;
			else
				lf_iscsi_text_put(&connection->text_out, pair.key, "Reject");
		} else {
			lf_iscsi_text_put(&connection->text_out, pair.key,
				lf_iscsi_key_known(pair.key) ? "Reject" : "NotUnderstood");
		}
	}
	return result == ISCSI_TEXT_END && !connection->text_out.overflowed;
}

static void forget_text(struct iscsi_connection *connection)
{
	connection->text_itt = ISCSI_NO_TAG;
	lf_iscsi_text_clear(&connection->text_in);
	lf_iscsi_text_clear(&connection->text_out);
}

/* The next piece of the answer, at most what the initiator takes. asks_more: its own text goes on. */
static void send_text(struct iscsi_connection *connection, const uint8_t *bhs, bool asks_more)
{
	struct iscsi_text *out = &connection->text_out;
	uint32_t most = connection->login.negotiation.value[ISCSI_MAX_SEND_LENGTH];
	uint32_t length = asks_more ? 0 : lf_min(out->length - out->sent, most);
	struct iscsi_reply *reply = lf_iscsi_reply_create(connection, ISCSI_TEXT_RESPONSE, length);
	bool last;

	if (reply == NULL)
		return;
	if (length > 0)
		memcpy(reply->data, out->bytes + out->sent, length);
	out->sent += length;
	last = !asks_more && out->sent == out->length;
	/* F answers F; a C of ours makes the initiator ask for the rest. */
	reply->bhs[ISCSI_AT_FLAGS] = last        ? bhs[ISCSI_AT_FLAGS] & ISCSI_FINAL
				     : asks_more ? 0
						 : ISCSI_CONTINUE;
	memcpy(reply->bhs + ISCSI_AT_LUN, bhs + ISCSI_AT_LUN, 8);
	lf_put_be32(reply->bhs + ISCSI_AT_ITT, connection->text_itt);
	if ((reply->bhs[ISCSI_AT_FLAGS] & ISCSI_FINAL) != 0) {
		lf_put_be32(reply->bhs + ISCSI_AT_TTT, ISCSI_NO_TAG);
		forget_text(connection);
	} else {
		lf_put_be32(reply->bhs + ISCSI_AT_TTT, connection->text_ttt);
	}
	lf_iscsi_reply_send(connection, reply);
}

/* A request with our tag goes on with the exchange; any other begins one and ends what was under way: 11.10.4
 */
static bool text_begins(struct iscsi_connection *connection, const uint8_t *bhs)
{
	uint32_t itt = lf_get_be32(bhs + ISCSI_AT_ITT), ttt = lf_get_be32(bhs + ISCSI_AT_TTT);

	if (itt == ISCSI_NO_TAG)
		return false;
	if (ttt != ISCSI_NO_TAG)
		return itt == connection->text_itt && ttt == connection->text_ttt;
	forget_text(connection);
	connection->text_itt = itt;
	connection->text_ttt = (connection->text_ttt + 1) & 0x7fffffff;
	return true;
}

void lf_iscsi_text_request(
	struct iscsi_connection *connection, const uint8_t *bhs, const uint8_t *data, uint32_t length)
{
	uint8_t flags = bhs[ISCSI_AT_FLAGS];
	bool more = (flags & ISCSI_CONTINUE) != 0;
	bool pending;

	if (!take_number(connection, bhs))
		return;
	if (connection->session.nexus == NULL)
		lf_iscsi_session_used(connection);
	if (((flags & ISCSI_FINAL) != 0 && more) || !text_begins(connection, bhs)) {
		lf_iscsi_reject(connection, bhs, ISCSI_REJECT_INVALID_FIELD);
		return;
	}
	pending = connection->text_out.sent < connection->text_out.length;
	if ((pending && length > 0) || !lf_iscsi_text_append(&connection->text_in, data, length)) {
		forget_text(connection);
		lf_iscsi_reject(connection, bhs, ISCSI_REJECT_PROTOCOL);
		return;
	}
	if (!more && !pending) {
		lf_iscsi_text_clear(&connection->text_out);
		if (!answer_pairs(connection)) {
			forget_text(connection);
			lf_iscsi_reject(connection, bhs, ISCSI_REJECT_PROTOCOL);
			return;
		}
		lf_iscsi_text_clear(&connection->text_in);
	}
	send_text(connection, bhs, more);
}

/* ---- Logout: 11.14, 11.15 ---- */

static void answer_logout(struct iscsi_connection *connection)
{
	struct iscsi_reply *reply = lf_iscsi_reply_create(connection, ISCSI_LOGOUT_RESPONSE, 0);

	connection->logging_out = false;
	/* Before the answer: whoever has it may count on what the nexus held, such as RESERVE, being free. */
	if (connection->logout_response == ISCSI_LOGOUT_CLOSED)
		lf_iscsi_nexus_end(connection);
	if (reply == NULL)
		return;
	reply->bhs[ISCSI_AT_RESPONSE] = connection->logout_response;
	lf_put_be32(reply->bhs + ISCSI_AT_ITT, connection->logout_itt);
	lf_iscsi_reply_send(connection, reply);
	if (connection->logout_response == ISCSI_LOGOUT_CLOSED)
		lf_iscsi_connection_end(connection, ISCSI_CLOSE_LOGOUT);
}

void lf_iscsi_logout(struct iscsi_connection *connection, const uint8_t *bhs)
{
	uint32_t reason = bhs[ISCSI_AT_FLAGS] & 0x7f;

	if (!take_number(connection, bhs) || connection->logging_out)
		return;
	lf_trace_iscsi_logout(connection->id, reason, 0, 0);
	if (reason > ISCSI_LOGOUT_RECOVERY) {
		lf_iscsi_reject(connection, bhs, ISCSI_REJECT_INVALID_FIELD);
		return;
	}
	connection->logging_out = true;
	connection->logout_itt = lf_get_be32(bhs + ISCSI_AT_ITT);
	connection->logout_response = ISCSI_LOGOUT_CLOSED;
	if (reason == ISCSI_LOGOUT_RECOVERY)
		connection->logout_response = ISCSI_LOGOUT_NO_RECOVERY;
	else if (reason == ISCSI_LOGOUT_CONNECTION &&
		 lf_get_be16(bhs + ISCSI_AT_CID) != connection->login.cid)
		connection->logout_response = ISCSI_LOGOUT_NO_CID;
	/* Commands whose data has not come will not get it; the others end before we answer. */
	if (connection->logout_response == ISCSI_LOGOUT_CLOSED)
		lf_iscsi_tasks_hurry(connection, false);
	else
		answer_logout(connection);
	iscsi_schedule(connection);
}

void lf_iscsi_quiesced(struct iscsi_connection *connection)
{
	if (connection->logging_out)
		answer_logout(connection);
	else
		lf_iscsi_farewell(connection, ISCSI_CLOSE_STOP);
}
