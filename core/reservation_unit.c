/* SPDX-License-Identifier: BSD-2-Clause */
/* reservation_unit.c: what reservations mean on a unit: who may meet one, which commands conflict, who hears.
 */
#include "core/reservation.h"

/*
 * Changes come from who is alone on the unit, so no command runs across one; lu->lock guards them against
 * those who look from elsewhere. Who may meet a conflict has LF_GATE_RESERVATION set; the rest never look.
 */

bool lf_reservations_create(struct lf_lu *lu)
{
	struct lf_reservations *all = lf_alloc(sizeof(*all));

	if (all == NULL)
		return false;
	all->now = &all->tables[0];
	all->next = &all->tables[1];
	lu->reservations = all;
	return true;
}

struct lf_registrant lf_registrant_of(const struct lf_nexus *nexus)
{
	return (struct lf_registrant){.port = nexus->initiator_port,
		.nexus_id = nexus->id,
		.relative_port = nexus->port == NULL ? 0 : nexus->port->relative_id,
		.protocol = nexus->port == NULL ? 0xf : nexus->port->protocol};
}

/* ---- Who may meet a conflict ---- */

static bool may_conflict_locked(const struct lf_reservations *all, const struct lf_nexus *nexus)
{
	if (all->reserved_by != 0)
		return all->reserved_by != nexus->id;
	if (all->now->type == LF_PR_NONE)
		return false;
	struct lf_registrant who = lf_registrant_of(nexus);
	return !lf_reservation_spares(all->now, lf_registration_find(all->now, &who));
}

void lf_reservation_gate_locked(struct lf_itl *itl)
{
	if (may_conflict_locked(itl->lu->reservations, itl->nexus))
		lf_atomic_or_u32(&itl->gate, LF_GATE_RESERVATION);
	else
		lf_atomic_and_u32(&itl->gate, ~(uint32_t)LF_GATE_RESERVATION);
}

void lf_reservation_gates_locked(struct lf_lu *lu)
{
	lf_list_each(link, after, &lu->itls)
		lf_reservation_gate_locked(lf_container(link, struct lf_itl, link));
}

/* Commands for which the operation code alone does not say it. */
static bool passes_by_fields(const struct lf_request *request)
{
	enum { START_STOP_UNIT = 0x1b, PREVENT_ALLOW = 0x1e };

	switch (request->cdb[0]) {
	case START_STOP_UNIT: /* START one, POWER CONDITION zero */
		return (request->cdb[4] & 0xf1) == 0x01;
	case PREVENT_ALLOW: /* PREVENT zero */
		return (request->cdb[4] & 0x03) == 0;
	default:
		return false;
	}
}

bool lf_reservation_conflicts(const struct lf_request *request)
{
	struct lf_lu *lu = request->lu;
	uint32_t flags = request->command->flags;

	lf_lock(&lu->lock);
	/* Under the lock the gate says what may_conflict_locked would. */
	bool may = lf_atomic_load_u32(&request->task->itl->gate) & LF_GATE_RESERVATION;
	bool reserved = lu->reservations->reserved_by != 0;
	uint32_t type = lu->reservations->now->type;
	lf_unlock(&lu->lock);
	if (!may)
		return false;
	if (flags & LF_CMD_PASSES_BY_FIELDS)
		return !passes_by_fields(request);
	if (reserved)
		return !(flags & LF_CMD_PASSES_RESERVE);
	if (flags & LF_CMD_PASSES_READS)
		return !lf_pr_type_allows_reads(type);
	return !(flags & LF_CMD_PASSES_ALL);
}

/* ---- Changes ---- */

void lf_reservation_commit(
	struct lf_lu *lu, const struct lf_reservation_change *change, const struct lf_nexus *except)
{
	struct lf_reservations *all = lu->reservations;
	struct lf_reservation_table *before = all->now;

	lf_lock(&lu->lock);
	lf_list_each(link, after, &lu->itls)
	{
		struct lf_itl *itl = lf_container(link, struct lf_itl, link);
		struct lf_registrant who = lf_registrant_of(itl->nexus);
		const struct lf_registration *had = lf_registration_find(before, &who);
		if (had == NULL)
			continue;
		bool lost = lf_registration_find(all->next, &who) == NULL;
		itl->preempted = lost && change->abort;
		if (itl->nexus == except)
			continue;
		if (lost && change->lost != LF_UA_COUNT)
			lf_ua_raise_one_locked(itl, change->lost);
		else if (!lost && change->released)
			lf_ua_raise_one_locked(itl, LF_UA_RESERVATIONS_RELEASED);
	}
	all->now = all->next;
	all->next = before;
	lf_reservation_gates_locked(lu);
	lf_trace_reservation_changed(lu->lun, all->now->type, all->now->count, all->now->generation);
	lf_unlock(&lu->lock);
}

void lf_reserve_release_locked(struct lf_lu *lu, const struct lf_nexus *nexus)
{
	struct lf_reservations *all = lu->reservations;

	if (all->reserved_by != 0 && (nexus == NULL || all->reserved_by == nexus->id)) {
		all->reserved_by = 0;
		lf_reservation_gates_locked(lu);
	}
}

void lf_reserve_release(struct lf_lu *lu, const struct lf_nexus *nexus)
{
	lf_lock(&lu->lock);
	lf_reserve_release_locked(lu, nexus);
	lf_unlock(&lu->lock);
}

/* A registrant without a name goes for good, out of what is being saved, too: nothing of it is in there. */
static void forget_locked(struct lf_lu *lu, const struct lf_nexus *nexus)
{
	struct lf_reservations *all = lu->reservations;
	struct lf_registrant who = lf_registrant_of(nexus);
	struct lf_reservation_change change = {.lost = LF_UA_COUNT};
	struct lf_registration *registration = lf_registration_find(all->next, &who);

	if (registration != NULL)
		lf_registration_remove(all->next, registration, &change);
	change.released = false;
	registration = lf_registration_find(all->now, &who);
	if (registration == NULL)
		return;
	lf_registration_remove(all->now, registration, &change);
	lf_list_each(link, after, &lu->itls)
	{
		struct lf_itl *itl = lf_container(link, struct lf_itl, link);
		struct lf_registrant other = lf_registrant_of(itl->nexus);
		if (change.released && lf_registration_find(all->now, &other) != NULL)
			lf_ua_raise_one_locked(itl, LF_UA_RESERVATIONS_RELEASED);
	}
	lf_reservation_gates_locked(lu);
}

void lf_reservation_nexus_left(struct lf_itl *itl)
{
	lf_reserve_release(itl->lu, itl->nexus);
	if (itl->nexus->initiator_port[0] != '\0')
		return;
	lf_lock(&itl->lu->lock);
	forget_locked(itl->lu, itl->nexus);
	lf_unlock(&itl->lu->lock);
}

/* ---- For the operator ---- */

static void copy_name(char *to, size_t size, const char *from)
{
	memcpy(to, from, lf_min(strlen(from), size - 1));
}

void lf_lu_reservation(struct lf_lu *lu, struct lf_reservation_facts *facts)
{
	struct lf_reservations *all = lu->reservations;

	*facts = (struct lf_reservation_facts){.type = 0};
	lf_lock(&lu->lock);
	struct lf_registration *holder = lf_reservation_holder(all->now);
	facts->type = all->now->type;
	facts->registrations = all->now->count;
	facts->generation = all->now->generation;
	facts->persists = all->now->aptpl;
	facts->reserved = all->reserved_by != 0;
	if (holder != NULL) {
		facts->key = holder->key;
		copy_name(facts->holder, sizeof(facts->holder), holder->port);
	}
	lf_list_each(link, after, &lu->itls)
	{
		const struct lf_nexus *nexus = lf_container(link, struct lf_itl, link)->nexus;
		if (nexus->id == all->reserved_by)
			copy_name(facts->holder, sizeof(facts->holder), nexus->initiator_port);
	}
	lf_unlock(&lu->lock);
}

/* Saved, or nothing had to be: now the initiators see it. */
static void clear_end(struct lf_reservations_clear *clear)
{
	static const struct lf_reservation_change change = {.lost = LF_UA_RESERVATIONS_PREEMPTED};

	if (clear->error == LF_OK) {
		lf_reserve_release(clear->change.lu, NULL);
		lf_reservation_commit(clear->change.lu, &change, NULL);
	}
	lf_free(clear->blob);
	lf_change_end(&clear->change);
	clear->done(clear);
}

static void clear_saved(struct lf_io *io)
{
	struct lf_reservations_clear *clear = lf_container(io, struct lf_reservations_clear, io);

	clear->error = io->error;
	clear_end(clear);
}

static void clear_ready(struct lf_exclusive *change)
{
	struct lf_reservations_clear *clear = lf_container(change, struct lf_reservations_clear, change);
	struct lf_lu *lu = change->lu;
	struct lf_reservations *all = lu->reservations;

	lf_lock(&lu->lock);
	memset(all->next, 0, sizeof(*all->next)); /* a compound literal may be built on the stack: 36 KiB */
	all->next->generation = all->now->generation + 1;
	bool saves = all->now->aptpl;
	lf_unlock(&lu->lock);
	if (saves && lu->store == NULL)
		clear->error = LF_E_NO_MEDIUM;
	if (!saves || lu->store == NULL) {
		clear_end(clear);
		return;
	}
	clear->segment = (struct lf_segment){clear->blob, LF_SAVED_BYTES};
	clear->io = (struct lf_io){.op = LF_OP_SAVE,
		.length_bytes = lf_saved_build(lu, all->next, clear->blob),
		.segments = &clear->segment,
		.segment_count = 1,
		.done = clear_saved};
	lu->ops->submit(lu->store, &clear->io);
}

void lf_lu_reservations_clear(struct lf_lu *lu, struct lf_reservations_clear *clear)
{
	clear->error = LF_OK;
	clear->blob = lf_alloc(LF_SAVED_BYTES);
	if (clear->blob == NULL) {
		clear->error = LF_E_NO_MEMORY;
		clear->done(clear);
		return;
	}
	clear->change = (struct lf_exclusive){.lu = lu, .ready = clear_ready};
	lf_change_begin(&clear->change);
}
