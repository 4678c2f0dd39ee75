/* SPDX-License-Identifier: BSD-2-Clause */
/* facts.c: what others may know of the sessions, and how they end one: any thread. */
#include "edge/iscsi/internal.h"

static struct iscsi_connection *better(struct lf_link *list, uint64_t after_id, struct iscsi_connection *best)
{
	lf_list_each(link, after, list)
	{
		struct iscsi_connection *each = lf_container(link, struct iscsi_connection, session_link);

		if (each->id > after_id && (best == NULL || each->id < best->id))
			best = each;
	}
	return best;
}

/* The one with the lowest number above after_id; the lock is held. */
static struct iscsi_connection *next_locked(struct lf_iscsi *iscsi, uint64_t after_id)
{
	return better(&iscsi->discoveries, after_id, better(&iscsi->sessions, after_id, NULL));
}

/* Whatever is read here was settled when the session entered the list, or is a count. */
static void describe_locked(const struct iscsi_connection *connection, struct lf_iscsi_session_facts *facts)
{
	const struct iscsi_login *login = &connection->login;

	*facts = (struct lf_iscsi_session_facts){
		.id = connection->id,
		.tsih = (uint16_t)connection->tsih,
		.portal_group = connection->portal->terms.portal_group,
		.discovery = login->negotiation.discovery,
		.header_digest = login->negotiation.value[ISCSI_HEADER_DIGEST] != 0,
		.data_digest = login->negotiation.value[ISCSI_DATA_DIGEST] != 0,
		.since_ns = connection->since_ns,
		.commands = lf_atomic_load_relaxed_u64(&connection->session.commands),
		.bytes_in = lf_atomic_load_relaxed_u64(&connection->receive.bytes),
		.bytes_out = lf_atomic_load_relaxed_u64(&connection->bytes_sent),
	};
	memcpy(facts->isid, login->isid, sizeof(facts->isid));
	memcpy(facts->initiator, login->initiator, sizeof(facts->initiator));
	memcpy(facts->address, connection->address, sizeof(facts->address));
	memcpy(facts->user, login->chap.user, sizeof(facts->user));
}

_Static_assert(
	sizeof(((struct lf_iscsi_session_facts *)0)->initiator) == ISCSI_NAME_MAX + 1, "the same room");
_Static_assert(
	sizeof(((struct lf_iscsi_session_facts *)0)->user) == ISCSI_CHAP_NAME_MAX + 1, "the same room");

bool lf_iscsi_session_next(struct lf_iscsi *iscsi, uint64_t after_id, struct lf_iscsi_session_facts *facts)
{
	struct iscsi_connection *connection;

	lf_lock(&iscsi->lock);
	connection = next_locked(iscsi, after_id);
	if (connection != NULL)
		describe_locked(connection, facts);
	lf_unlock(&iscsi->lock);
	return connection != NULL;
}

bool lf_iscsi_session_drop(struct lf_iscsi *iscsi, uint64_t id)
{
	struct iscsi_connection *connection;
	bool found;

	lf_lock(&iscsi->lock);
	connection = id == 0 ? NULL : next_locked(iscsi, id - 1);
	found = connection != NULL && connection->id == id;
	if (found)
		lf_iscsi_connection_kick(connection, ISCSI_KICK_DROP);
	lf_unlock(&iscsi->lock);
	return found;
}

uint32_t lf_iscsi_session_count(struct lf_iscsi *iscsi)
{
	uint32_t count;

	lf_lock(&iscsi->lock);
	count = iscsi->session_count;
	lf_unlock(&iscsi->lock);
	return count;
}

void lf_iscsi_count(struct lf_iscsi *iscsi, struct lf_iscsi_counts *counts)
{
	*counts = (struct lf_iscsi_counts){
		.logins_refused = lf_atomic_load_relaxed_u64(&iscsi->logins_refused),
		.logins_not_authenticated = lf_atomic_load_relaxed_u64(&iscsi->logins_unproven),
		.header_digest_errors =
			lf_atomic_load_relaxed_u64(&iscsi->digest_errors[ISCSI_DIGEST_HEADER]),
		.data_digest_errors = lf_atomic_load_relaxed_u64(&iscsi->digest_errors[ISCSI_DIGEST_DATA]),
	};
}
