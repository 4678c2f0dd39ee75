/* SPDX-License-Identifier: BSD-2-Clause */
/* session.c: sessions of the node, their reinstatement, their nexus, and the window for their commands. */
#include "edge/iscsi/internal.h"
#include "trace/trace.h"

#include <stdio.h>

/*
 * Of a lane's memory an eighth is for one command of each session, so that none is shut out by others that
 * sit idle; three eighths are for promises beyond; half is always there for commands under way.
 */
#define FLOOR_EIGHTHS   1
#define PROMISE_EIGHTHS 3

/* ---- The list of sessions ---- */

static bool same_port(const struct iscsi_connection *a, const struct iscsi_connection *b)
{
	/* An initiator port (name and ISID) has one session with a portal group: 4.4.3 */
	return a->portal->terms.portal_group == b->portal->terms.portal_group &&
	       memcmp(a->login.isid, b->login.isid, sizeof(a->login.isid)) == 0 &&
	       lf_iscsi_name_equal(a->login.initiator, b->login.initiator);
}

static struct iscsi_connection *find_port_locked(struct lf_iscsi *iscsi, const struct iscsi_connection *like)
{
	lf_list_each(link, after, &iscsi->sessions)
	{
		struct iscsi_connection *other = lf_container(link, struct iscsi_connection, session_link);

		if (same_port(other, like))
			return other;
	}
	return NULL;
}

static struct iscsi_connection *find_tsih_locked(struct lf_iscsi *iscsi, uint32_t tsih)
{
	lf_list_each(link, after, &iscsi->sessions)
	{
		struct iscsi_connection *other = lf_container(link, struct iscsi_connection, session_link);

		if (other->tsih == tsih)
			return other;
	}
	return NULL;
}

static uint32_t new_tsih_locked(struct lf_iscsi *iscsi)
{
	/* There are far fewer sessions than handles, so this ends. 0 asks for a new session: 11.12.6 */
	do {
		iscsi->tsih_last = iscsi->tsih_last % 0xffff + 1;
	} while (find_tsih_locked(iscsi, iscsi->tsih_last) != NULL);
	return iscsi->tsih_last;
}

static enum iscsi_claim refuse(enum iscsi_login_status *refusal, enum iscsi_login_status status)
{
	*refusal = status;
	return ISCSI_CLAIM_REFUSED;
}

/*
 * Its last command ends before the younger one is answered. Who proved to be somebody else takes nobody's
 * place: a name and an ISID are no secret.
 */
static enum iscsi_claim take_place_locked(
	struct iscsi_connection *connection, struct iscsi_connection *older, enum iscsi_login_status *refusal)
{
	if (!lf_iscsi_text_equal(older->login.chap.user, connection->login.chap.user))
		return refuse(refusal, ISCSI_LOGIN_NOT_AUTHORIZED);
	lf_list_append(&older->claimants, &connection->claim_link);
	lf_iscsi_connection_kick(older, ISCSI_KICK_CLOSE);
	return ISCSI_CLAIM_WAITS;
}

static enum iscsi_claim claim_discovery_locked(struct iscsi_connection *connection)
{
	struct lf_iscsi *iscsi = connection->iscsi;

	connection->tsih = new_tsih_locked(iscsi);
	if (iscsi->discovery_count >= ISCSI_DISCOVERIES_MAX) {
		lf_iscsi_connection_kick(lf_container(lf_list_take(&iscsi->discoveries),
						 struct iscsi_connection, session_link),
			ISCSI_KICK_ROOM);
		iscsi->discovery_count--;
	}
	lf_list_append(&iscsi->discoveries, &connection->session_link);
	iscsi->discovery_count++;
	return ISCSI_CLAIMED;
}

/*
 * A handle other than 0 names a session (4.4.3). With the CID of its connection that one is reinstated
 * (6.3.4): at error recovery level 0 its tasks end without notice and the session goes on by the new one,
 * under its handle. With another CID it would be a second connection, of which there is none.
 */
static enum iscsi_claim claim_existing_locked(
	struct iscsi_connection *connection, enum iscsi_login_status *refusal)
{
	struct iscsi_connection *older = find_tsih_locked(connection->iscsi, connection->login.tsih);

	if (connection->login.negotiation.discovery || older == NULL || !same_port(older, connection))
		return refuse(refusal, ISCSI_LOGIN_NO_SESSION);
	if (older->login.cid != connection->login.cid)
		return refuse(refusal, ISCSI_LOGIN_TOO_MANY_CONNECTIONS);
	connection->reinstates = true;
	return take_place_locked(connection, older, refusal);
}

static enum iscsi_claim claim_locked(struct iscsi_connection *connection, enum iscsi_login_status *refusal)
{
	struct lf_iscsi *iscsi = connection->iscsi;
	struct iscsi_connection *older;

	if (iscsi->stopping)
		return refuse(refusal, ISCSI_LOGIN_UNAVAILABLE);
	if (connection->login.tsih != 0 && !connection->reinstates)
		return claim_existing_locked(connection, refusal);
	if (connection->login.negotiation.discovery)
		return claim_discovery_locked(connection);
	/*
	 * Session reinstatement, 6.3.5; or another one was faster. Of several that waited the one that logged
	 * in last stays, in whichever order their loops hear of the end.
	 */
	older = find_port_locked(iscsi, connection);
	if (older != NULL && older->login_number > connection->login_number)
		return refuse(refusal, ISCSI_LOGIN_UNAVAILABLE);
	if (older != NULL)
		return take_place_locked(connection, older, refusal);
	if (iscsi->session_count >= iscsi->sessions_max)
		return refuse(refusal, ISCSI_LOGIN_OUT_OF_RESOURCES);
	connection->tsih = connection->reinstates && find_tsih_locked(iscsi, connection->login.tsih) == NULL
				   ? connection->login.tsih
				   : new_tsih_locked(iscsi);
	lf_list_append(&iscsi->sessions, &connection->session_link);
	iscsi->session_count++;
	return ISCSI_CLAIMED;
}

enum iscsi_claim lf_iscsi_session_claim(struct iscsi_connection *connection, enum iscsi_login_status *refusal)
{
	enum iscsi_claim claim;

	lf_lock(&connection->iscsi->lock);
	connection->since_ns = lf_time_ns();
	if (connection->login_number == 0)
		connection->login_number = ++connection->iscsi->login_number_last;
	claim = claim_locked(connection, refusal);
	lf_unlock(&connection->iscsi->lock);
	return claim;
}

/* Nobody finds the session any more; those that waited for its end try again. */
static void leave_list(struct iscsi_connection *connection)
{
	struct lf_iscsi *iscsi = connection->iscsi;
	struct lf_link *link;

	lf_lock(&iscsi->lock);
	if (lf_link_in_list(&connection->session_link)) {
		lf_list_remove(&connection->session_link);
		if (connection->login.negotiation.discovery)
			iscsi->discovery_count--;
		else
			iscsi->session_count--;
	}
	if (lf_link_in_list(&connection->claim_link))
		lf_list_remove(&connection->claim_link);
	while ((link = lf_list_take(&connection->claimants)) != NULL)
		lf_iscsi_connection_kick(
			lf_container(link, struct iscsi_connection, claim_link), ISCSI_KICK_CLAIM);
	lf_unlock(&iscsi->lock);
}

void lf_iscsi_session_used(struct iscsi_connection *connection)
{
	struct lf_iscsi *iscsi = connection->iscsi;

	lf_lock(&iscsi->lock);
	if (lf_link_in_list(&connection->session_link)) {
		lf_list_remove(&connection->session_link);
		lf_list_append(&iscsi->discoveries, &connection->session_link);
	}
	lf_unlock(&iscsi->lock);
}

void lf_iscsi_sessions_drop(struct lf_iscsi *iscsi)
{
	lf_lock(&iscsi->lock);
	lf_list_each(link, after, &iscsi->sessions) lf_iscsi_connection_kick(
		lf_container(link, struct iscsi_connection, session_link), ISCSI_KICK_RESET);
	lf_unlock(&iscsi->lock);
}

/* ---- One session ---- */

static uint32_t promise_pages(const struct iscsi_negotiation *negotiation)
{
	const uint32_t *value = negotiation->value;

	if (!value[ISCSI_IMMEDIATE_DATA] && value[ISCSI_INITIAL_R2T])
		return 0;
	return iscsi_pages(value[ISCSI_FIRST_BURST_LENGTH]);
}

/* The name of the initiator port (SPC-4 7.6.4.6); lower case, as names that differ in case alone are one. */
static void put_port_name(char *to, size_t size, const struct iscsi_login *login)
{
	const uint8_t *isid = login->isid;

	snprintf(to, size, "%s,i,0x%02x%02x%02x%02x%02x%02x", login->initiator, isid[0], isid[1], isid[2],
		isid[3], isid[4], isid[5]);
	for (char *at = to; *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
}

bool lf_iscsi_session_open(struct iscsi_connection *connection)
{
	struct iscsi_session *session = &connection->session;
	char port_name[ISCSI_NAME_MAX + 18]; /* ",i,0x" and twelve digits */
	struct lf_nexus_options options = {
		.target = connection->iscsi->target,
		.initiator = connection->login.initiator,
		.initiator_port = port_name,
		.port = &connection->portal->port,
		.inventory_changed = lf_iscsi_inventory_changed,
		.context = connection,
	};

	put_port_name(port_name, sizeof(port_name), &connection->login);
	session->promise_pages = promise_pages(&connection->login.negotiation);
	if ((connection->lane->session_count + 1) * session->promise_pages >
		connection->lane->pool.page_count / 8 * FLOOR_EIGHTHS)
		return false;
	session->tasks = lf_alloc(ISCSI_TASKS * sizeof(*session->tasks));
	if (session->tasks == NULL)
		return false;
	session->nexus = lf_nexus_open(connection->iscsi->adapter, &options);
	if (session->nexus == NULL)
		return false;
	for (uint32_t i = 0; i < ISCSI_TASKS; i++) {
		struct iscsi_task *task = &session->tasks[i];

		task->connection = connection;
		task->index = i;
		task->sendable.kind = ISCSI_SEND_TASK;
		lf_list_append(&session->free_tasks, &task->sendable.link);
	}
	connection->lane->session_count++;
	lf_iscsi_window_grow(connection);
	return true;
}

bool lf_iscsi_session_idle(const struct iscsi_connection *connection)
{
	return connection->session.in_core == 0 && connection->session.tmf_count == 0;
}

void lf_iscsi_nexus_end(struct iscsi_connection *connection)
{
	struct iscsi_session *session = &connection->session;

	if (session->nexus == NULL)
		return;
	lf_nexus_close(session->nexus);
	session->nexus = NULL;
	connection->lane->session_count--;
}

void lf_iscsi_session_close(struct iscsi_connection *connection)
{
	struct iscsi_session *session = &connection->session;
	struct iscsi_lane *lane = connection->lane;

	lf_iscsi_pool_unpromise(&lane->pool, session->granted * session->promise_pages);
	session->granted = 0;
	lf_iscsi_nexus_end(connection);
	lf_free(session->tasks);
	session->tasks = NULL;
	leave_list(connection);
	if (!lf_list_empty(&lane->waiting) || !lf_list_empty(&lane->starved))
		lf_loop_at_end_of_round(lane->loop, &lane->feed);
}

/* ---- The window (RFC 7143 4.2.2.1) ---- */

uint32_t lf_iscsi_max_cmd_sn(const struct iscsi_connection *connection)
{
	/* A discovery session has one request at a time, and so has a login. */
	if (connection->session.nexus == NULL)
		return connection->exp_cmd_sn;
	return connection->exp_cmd_sn + connection->session.granted - 1;
}

enum iscsi_sn_verdict lf_iscsi_take_cmd_sn(struct iscsi_connection *connection, const uint8_t *bhs)
{
	struct iscsi_session *session = &connection->session;
	uint32_t cmd_sn = lf_get_be32(bhs + ISCSI_AT_CMD_SN);
	int32_t ahead = iscsi_sn_diff(cmd_sn, connection->exp_cmd_sn);

	if (bhs[0] & ISCSI_IMMEDIATE)
		return ISCSI_SN_TAKE;
	if (ahead < 0 || iscsi_sn_diff(cmd_sn, lf_iscsi_max_cmd_sn(connection)) > 0)
		return ISCSI_SN_IGNORE;
	/*
	 * On one connection commands are sent in order (4.2.2.1, a MUST). What is missing was never sent, or
	 * had a wrong digest, and at error recovery level 0 it is not sent again: it will never come.
	 */
	if (ahead > 0)
		return ISCSI_SN_GAP;
	connection->exp_cmd_sn++;
	if (session->nexus != NULL) {
		session->granted--;
		lf_iscsi_pool_unpromise(&connection->lane->pool, session->promise_pages);
		/* What the command does not need of it is for those that wait: they let no other be granted.
		 */
		if (session->promise_pages > 0 && !lf_list_empty(&connection->lane->waiting))
			lf_loop_at_end_of_round(connection->lane->loop, &connection->lane->feed);
	}
	return ISCSI_SN_TAKE;
}

/* Whether the memory of the lane bears one more command of this session. */
static bool grant_one(struct iscsi_connection *connection)
{
	struct iscsi_session *session = &connection->session;
	struct iscsi_lane *lane = connection->lane;
	uint32_t share = lane->pool.page_count / 8 * PROMISE_EIGHTHS, promised = lane->pool.promised;
	uint32_t own = (session->granted + 1) * session->promise_pages;

	if (session->granted + session->active >= ISCSI_WINDOW_MAX)
		return false;
	/* Beyond its first command a session takes a part of what is left, and leaves some to those that
	 * come. */
	if (session->granted + session->active > 0 && session->promise_pages > 0 &&
		(!lf_list_empty(&lane->waiting) || promised >= share || own > (share - promised) / 4))
		return false;
	if (!lf_iscsi_pool_promise(&lane->pool, session->promise_pages))
		return false;
	session->granted++;
	return true;
}

void lf_iscsi_window_grow(struct iscsi_connection *connection)
{
	struct iscsi_session *session = &connection->session;

	if (session->nexus == NULL || connection->phase > ISCSI_PHASE_FULL)
		return;
	while (grant_one(connection))
		;
	/* With the window full of commands the next answer opens it; else only memory that comes back does.
	 */
	if (session->granted == 0 && session->active < ISCSI_WINDOW_MAX &&
		!lf_link_in_list(&session->starved_link)) {
		lf_trace_iscsi_budget_wait(connection->id, session->promise_pages,
			iscsi_pool_unpromised(&connection->lane->pool), 0);
		lf_list_append(&connection->lane->starved, &session->starved_link);
	} else if (session->granted > 0 && lf_link_in_list(&session->starved_link)) {
		lf_list_remove(&session->starved_link);
	}
}

void lf_iscsi_window_shut(struct iscsi_connection *connection)
{
	if (lf_link_in_list(&connection->session.starved_link))
		lf_list_remove(&connection->session.starved_link);
}

void lf_iscsi_window_tell(struct iscsi_connection *connection)
{
	bool shut = iscsi_sn_diff(connection->max_cmd_sn_told, connection->exp_cmd_sn) < 0;

	if (connection->session.nexus == NULL || !shut || connection->session.granted == 0)
		return;
	if (lf_iscsi_transmit_idle(connection))
		lf_iscsi_nop_in(connection, false);
}

void lf_iscsi_lane_feed(struct lf_round *round)
{
	struct iscsi_lane *lane = lf_container(round, struct iscsi_lane, feed);

	lf_list_each(link, after, &lane->waiting)
	{
		if (!lf_iscsi_task_take_memory(lf_container(link, struct iscsi_task, wait_link)))
			break;
	}
	lf_list_each(link, after, &lane->starved)
	{
		struct iscsi_session *session = lf_container(link, struct iscsi_session, starved_link);
		struct iscsi_connection *connection = lf_container(session, struct iscsi_connection, session);

		lf_iscsi_window_grow(connection);
		if (session->granted == 0)
			break;
		iscsi_schedule(connection);
	}
}
