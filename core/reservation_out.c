/* SPDX-License-Identifier: BSD-2-Clause */
/* reservation_out.c: PERSISTENT RESERVE OUT (SPC-4 6.16); RESERVE and RELEASE (SPC-2 7.17, 7.21). */
#include "core/handlers.h"
#include "core/reservation.h"

#define LIST_LENGTH 24
#define FLAGS_AT    20 /* SPEC_I_PT, ALL_TG_PT, APTPL */
#define KEY_AT      8  /* SERVICE ACTION RESERVATION KEY */

static void end_in_conflict(struct lf_request *request)
{
	request->status = LF_STATUS_RESERVATION_CONFLICT;
	lf_finish(request);
}

/* ---- PREEMPT AND ABORT: the tasks of those who were preempted, one nexus after the other ---- */

static void abort_advance(struct lf_lu *lu);

static void abort_fired(struct lf_waiter *waiter)
{
	abort_advance(waiter->lu);
}

/* adapter->lock is held. */
static struct lf_itl *next_preempted_locked(struct lf_lu *lu)
{
	struct lf_itl *found = NULL;

	lf_lock(&lu->lock);
	lf_list_each(link, after, &lu->itls)
	{
		struct lf_itl *itl = lf_container(link, struct lf_itl, link);
		itl->struck = false;
		if (itl->preempted && found == NULL)
			found = itl;
	}
	if (found != NULL)
		found->preempted = false;
	lf_unlock(&lu->lock);
	return found;
}

/*
 * As CLEAR TASK SET, but of one nexus at a time, and without this command itself, whose nexus may be one of
 * them. None of their commands can run meanwhile: the unit is ours.
 */
static void abort_advance(struct lf_lu *lu)
{
	struct lf_reservations *all = lu->reservations;
	struct lf_request *request = all->request;
	struct lf_adapter *adapter = lu->adapter;

	for (;;) {
		lf_lock(&adapter->lock);
		const struct lf_itl *itl = next_preempted_locked(lu);
		if (itl == NULL) {
			lf_unlock(&adapter->lock);
			lf_finish_good(request, LIST_LENGTH);
			return;
		}
		all->waiter = (struct lf_waiter){
			.lu = lu, .nexus_id = itl->nexus->id, .except = request->task, .fire = abort_fired};
		bool waits = lf_waiter_raise_locked(adapter, &all->waiter, LF_MARK_ABORTED, false);
		lf_queue_kick_locked(adapter, lu);
		lf_ua_raise_struck(lu, LF_UA_COMMANDS_CLEARED, request->nexus);
		lf_unlock(&adapter->lock);
		if (waits) {
			lf_run_runnable(adapter); /* what was queued ends now; the request may be gone */
			return;
		}
	}
}

/* ---- PERSISTENT RESERVE OUT ---- */

static void commit(struct lf_lu *lu, struct lf_request *request)
{
	struct lf_reservations *all = lu->reservations;

	lf_reservation_commit(lu, &all->change, request->nexus);
	if (!all->change.abort) {
		lf_finish_good(request, LIST_LENGTH);
		return;
	}
	all->request = request;
	abort_advance(lu);
}

/*
 * What could not be saved did not happen, as far as initiators see. After a loss of power it may have: a save
 * that failed may still have reached the file.
 */
static void save_done(struct lf_io *io)
{
	struct lf_request *request = lf_container(io, struct lf_request, io);

	lf_check_io_done(io);
	if (io->error == LF_OK) {
		commit(request->lu, request);
		return;
	}
	lf_sense_internal_target_failure(request);
	lf_finish(request);
}

/* Everything about the command that needs no look at the unit's reservations. */
static bool check_order(
	const struct lf_lu *lu, struct lf_request *request, struct lf_reservation_order *order)
{
	uint8_t list[LIST_LENGTH];

	order->action = request->cdb[1];
	order->type = request->cdb[2] & 0x0f;
	bool registers = order->action == LF_PR_REGISTER || order->action == LF_PR_REGISTER_AND_IGNORE;
	if (!registers && order->action != LF_PR_CLEAR) {
		if (request->cdb[2] & 0xf0) { /* SCOPE: the logical unit is the only one */
			lf_sense_invalid_field_in_cdb(request, 2, 7);
			return false;
		}
		if (!lf_pr_type_is_valid(order->type)) {
			lf_sense_invalid_field_in_cdb(request, 2, 3);
			return false;
		}
	}
	if (request->data_wanted != LIST_LENGTH) {
		lf_sense_list_length_error(request);
		return false;
	}
	lf_request_gather(request, 0, list, sizeof(list));
	order->key = lf_get_be64(list);
	order->action_key = lf_get_be64(list + KEY_AT);
	order->aptpl = list[FLAGS_AT] & 0x01;
	if (!registers)
		return true;
	if (list[FLAGS_AT] & 0x0c) { /* SPEC_I_PT, ALL_TG_PT */
		lf_sense_invalid_field_in_list(request, FLAGS_AT, list[FLAGS_AT] & 0x08 ? 3 : 2);
		return false;
	}
	if (order->aptpl && !lu->can_save) {
		lf_sense_invalid_field_in_list(request, FLAGS_AT, 0);
		return false;
	}
	return true;
}

static void refuse(struct lf_request *request, enum lf_reservation_verdict verdict)
{
	switch (verdict) {
	case LF_PR_INVALID_RELEASE:
		lf_sense_invalid_release(request);
		break;
	case LF_PR_INVALID_KEY:
		lf_sense_invalid_field_in_list(request, KEY_AT, LF_NO_BIT);
		break;
	case LF_PR_NO_ROOM:
		lf_sense_registration_resources(request);
		break;
	default:
		request->status = LF_STATUS_RESERVATION_CONFLICT;
		break;
	}
	lf_finish(request);
}

void lf_persistent_reserve_out(struct lf_lu *lu, struct lf_request *request)
{
	struct lf_reservations *all = lu->reservations;
	struct lf_registrant who = lf_registrant_of(request->nexus);
	struct lf_reservation_order order;

	if (!check_order(lu, request, &order)) {
		lf_finish(request);
		return;
	}
	if (!lf_exclusive_get(lu, request) || (lu->can_save && !lf_scratch_get(lu, request)))
		return;
	lf_lock(&lu->lock);
	*all->next = *all->now;
	enum lf_reservation_verdict verdict =
		all->reserved_by != 0 ? LF_PR_CONFLICT /* SPC-2 5.5.1: whosever that is */
				      : lf_reservation_apply(all->next, &who, &order, &all->change);
	bool saves = all->now->aptpl || all->next->aptpl;
	lf_unlock(&lu->lock);
	if (verdict != LF_PR_DONE) {
		refuse(request, verdict);
	} else if (!saves) {
		commit(lu, request);
	} else if (lu->store == NULL) { /* what it is saved with went with the medium */
		lf_sense_not_ready(request);
		lf_finish(request);
	} else {
		lf_saved_write(lu, request, all->next, save_done);
	}
}

/* ---- RESERVE and RELEASE ---- */

/*
 * SPC-4 5.13.3: where there are registrations these commands reserve nothing. They succeed for whom the
 * persistent reservation spares, and conflict otherwise; CRH in REPORT CAPABILITIES says so.
 */
static bool handled_by_registrations_locked(const struct lf_request *request, bool *spared)
{
	struct lf_reservation_table *table = request->lu->reservations->now;
	struct lf_registrant who = lf_registrant_of(request->nexus);

	*spared =
		table->type != LF_PR_NONE && lf_reservation_spares(table, lf_registration_find(table, &who));
	return table->count > 0;
}

void lf_reserve(struct lf_lu *lu, struct lf_request *request)
{
	struct lf_reservations *all = lu->reservations;
	bool good, aborted = false;

	if (!lf_exclusive_get(lu, request))
		return;
	lf_lock(&lu->lock);
	if (!handled_by_registrations_locked(request, &good)) {
		good = all->reserved_by == 0 || all->reserved_by == request->nexus->id;
		/* A reset marks first and releases then: what comes too late for it must not reserve. */
		aborted = lf_request_is_aborted(request);
		if (good && !aborted) {
			all->reserved_by = request->nexus->id;
			lf_reservation_gates_locked(lu);
		}
	}
	lf_unlock(&lu->lock);
	if (aborted)
		lf_finish_aborted(request);
	else if (good)
		lf_finish_good(request, 0);
	else
		end_in_conflict(request);
}

void lf_release(struct lf_lu *lu, struct lf_request *request)
{
	bool good;

	lf_lock(&lu->lock);
	bool handled = handled_by_registrations_locked(request, &good);
	lf_unlock(&lu->lock);
	if (handled && !good) {
		end_in_conflict(request);
		return;
	}
	lf_reserve_release(lu, request->nexus); /* nothing, when it is not the holder */
	lf_finish_good(request, 0);
}
