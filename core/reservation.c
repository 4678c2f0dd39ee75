/* SPDX-License-Identifier: BSD-2-Clause */
/* reservation.c: the table of registrations of a unit and the rules by which it changes (SPC-4 5.13). */
#include "core/reservation.h"

static bool same_text(const char *a, const char *b)
{
	size_t length = strlen(a);

	return length == strlen(b) && memcmp(a, b, length) == 0;
}

struct lf_registration *lf_registration_find(
	struct lf_reservation_table *table, const struct lf_registrant *who)
{
	for (uint32_t i = 0; i < LF_REGISTRATIONS_MAX; i++) {
		struct lf_registration *slot = &table->slots[i];
		if (slot->key == 0 || slot->relative_port != who->relative_port ||
			!same_text(slot->port, who->port))
			continue;
		if (slot->port[0] != '\0' || slot->nexus_id == who->nexus_id)
			return slot;
	}
	return NULL;
}

struct lf_registration *lf_reservation_holder(struct lf_reservation_table *table)
{
	for (uint32_t i = 0; i < LF_REGISTRATIONS_MAX; i++)
		if (table->slots[i].key != 0 && table->slots[i].holder)
			return &table->slots[i];
	return NULL;
}

bool lf_reservation_spares(
	const struct lf_reservation_table *table, const struct lf_registration *registration)
{
	if (table->type == LF_PR_NONE)
		return true;
	return registration != NULL && (registration->holder || lf_pr_type_spares_registrants(table->type));
}

static struct lf_registration *add(struct lf_reservation_table *table, const struct lf_registrant *who)
{
	for (uint32_t i = 0; i < LF_REGISTRATIONS_MAX; i++) {
		struct lf_registration *slot = &table->slots[i];
		if (slot->key != 0)
			continue;
		*slot = (struct lf_registration){.relative_port = who->relative_port,
			.protocol = who->protocol,
			.nexus_id = who->port[0] == '\0' ? who->nexus_id : 0};
		memcpy(slot->port, who->port, lf_min(strlen(who->port), sizeof(slot->port) - 1));
		table->count++;
		return slot;
	}
	return NULL;
}

static void drop(struct lf_reservation_table *table, struct lf_registration *slot)
{
	*slot = (struct lf_registration){.key = 0};
	table->count--;
}

static void end_reservation(struct lf_reservation_table *table)
{
	struct lf_registration *holder = lf_reservation_holder(table);

	if (holder != NULL)
		holder->holder = false;
	table->type = LF_PR_NONE;
}

/*
 * SPC-4 5.13.11.2: the holder's reservation ends with its registration, that of all registrants with the last
 * of them. Who is registered hears of it where being registered made a difference.
 */
void lf_registration_remove(struct lf_reservation_table *table, struct lf_registration *registration,
	struct lf_reservation_change *change)
{
	bool held = registration->holder;

	drop(table, registration);
	if (lf_pr_type_is_all_registrants(table->type) && table->count == 0)
		held = true;
	if (!held)
		return;
	change->released = lf_pr_type_spares_registrants(table->type);
	table->type = LF_PR_NONE;
}

/* SPC-4 5.13.7: REGISTER, and REGISTER AND IGNORE EXISTING KEY. */
static enum lf_reservation_verdict do_register(struct lf_reservation_table *table,
	const struct lf_registrant *who, const struct lf_reservation_order *order,
	struct lf_reservation_change *change)
{
	struct lf_registration *mine = lf_registration_find(table, who);
	uint64_t key = mine == NULL ? 0 : mine->key;

	if (order->action == LF_PR_REGISTER && order->key != key)
		return LF_PR_CONFLICT;
	if (mine == NULL && order->action_key == 0)
		return LF_PR_DONE; /* nothing is done, so nothing counts */
	if (mine == NULL)
		mine = add(table, who);
	if (mine == NULL)
		return LF_PR_NO_ROOM;
	if (order->action_key == 0)
		lf_registration_remove(table, mine, change);
	else
		mine->key = order->action_key;
	table->aptpl = order->aptpl;
	table->generation++;
	return LF_PR_DONE;
}

/* SPC-4 5.13.9. */
static enum lf_reservation_verdict do_reserve(struct lf_reservation_table *table,
	struct lf_registration *mine, const struct lf_reservation_order *order)
{
	bool all = lf_pr_type_is_all_registrants(order->type);

	if (table->type == LF_PR_NONE) {
		table->type = order->type;
		mine->holder = !all;
		return LF_PR_DONE;
	}
	return table->type == order->type && (all || mine->holder) ? LF_PR_DONE : LF_PR_CONFLICT;
}

/* SPC-4 5.13.11.2.2. */
static enum lf_reservation_verdict do_release(struct lf_reservation_table *table,
	const struct lf_registration *mine, const struct lf_reservation_order *order,
	struct lf_reservation_change *change)
{
	if (table->type == LF_PR_NONE || (!lf_pr_type_is_all_registrants(table->type) && !mine->holder))
		return LF_PR_DONE;
	if (table->type != order->type)
		return LF_PR_INVALID_RELEASE;
	change->released = lf_pr_type_spares_registrants(table->type);
	end_reservation(table);
	return LF_PR_DONE;
}

/* SPC-4 5.13.11.2.3. */
static enum lf_reservation_verdict do_clear(
	struct lf_reservation_table *table, struct lf_reservation_change *change)
{
	memset(table->slots, 0, sizeof(table->slots));
	table->count = 0;
	table->type = LF_PR_NONE;
	table->generation++;
	change->lost = LF_UA_RESERVATIONS_PREEMPTED;
	return LF_PR_DONE;
}

/*
 * SPC-4 5.13.11.2.4: a key that names the holder, or zero where all registrants hold, moves the reservation
 * to the preemptor, who keeps its own registration then; any other only removes registrations, perhaps its
 * own.
 */
static enum lf_reservation_verdict do_preempt(struct lf_reservation_table *table,
	struct lf_registration *mine, const struct lf_reservation_order *order,
	struct lf_reservation_change *change)
{
	bool all = lf_pr_type_is_all_registrants(table->type);
	const struct lf_registration *holder = lf_reservation_holder(table);
	bool moves = all ? order->action_key == 0 : holder != NULL && holder->key == order->action_key;
	uint32_t before = table->count;

	if (order->action_key == 0 && !all)
		return LF_PR_INVALID_KEY;
	for (uint32_t i = 0; i < LF_REGISTRATIONS_MAX; i++) {
		struct lf_registration *slot = &table->slots[i];
		bool meant = order->action_key == 0 || slot->key == order->action_key;
		if (slot->key != 0 && meant && !(moves && slot == mine))
			drop(table, slot);
	}
	if (moves) {
		change->released = table->type != order->type;
		end_reservation(table);
		table->type = order->type;
		mine->holder = !lf_pr_type_is_all_registrants(order->type);
	} else if (table->count == before) {
		return LF_PR_CONFLICT;
	} else if (table->count == 0) {
		table->type = LF_PR_NONE;
	}
	change->lost = LF_UA_REGISTRATIONS_PREEMPTED;
	change->abort = order->action == LF_PR_PREEMPT_AND_ABORT;
	table->generation++;
	return LF_PR_DONE;
}

enum lf_reservation_verdict lf_reservation_apply(struct lf_reservation_table *table,
	const struct lf_registrant *who, const struct lf_reservation_order *order,
	struct lf_reservation_change *change)
{
	*change = (struct lf_reservation_change){.lost = LF_UA_COUNT};
	if (order->action == LF_PR_REGISTER || order->action == LF_PR_REGISTER_AND_IGNORE)
		return do_register(table, who, order, change);

	struct lf_registration *mine = lf_registration_find(table, who);
	if (mine == NULL || mine->key != order->key)
		return LF_PR_CONFLICT;
	switch (order->action) {
	case LF_PR_RESERVE:
		return do_reserve(table, mine, order);
	case LF_PR_RELEASE:
		return do_release(table, mine, order, change);
	case LF_PR_CLEAR:
		return do_clear(table, change);
	default:
		return do_preempt(table, mine, order, change);
	}
}
