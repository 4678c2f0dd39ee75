/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tmf.c: task management: aborts and resets mark tasks, and answer when the last of them has retired; queries
 * answer at once. REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-4 6.36).
 */
#include "core/handlers.h"

/* What is served, and where REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS has it; TARGET RESET is obsolete
 * there.
 */
static const struct {
	uint8_t byte, bit;
	bool all_units; /* on each unit of the target in turn */
	bool query;
} functions[LF_TMF_COUNT] = {
	[LF_TMF_ABORT_TASK] = {.byte = 0, .bit = 0x80},
	[LF_TMF_ABORT_TASK_SET] = {.byte = 0, .bit = 0x40},
	[LF_TMF_CLEAR_TASK_SET] = {.byte = 0, .bit = 0x10},
	[LF_TMF_LUN_RESET] = {.byte = 0, .bit = 0x08},
	[LF_TMF_TARGET_RESET] = {.all_units = true},
	[LF_TMF_I_T_NEXUS_RESET] = {.byte = 1, .bit = 0x01, .all_units = true},
	[LF_TMF_QUERY_TASK] = {.byte = 0, .bit = 0x04, .query = true},
	[LF_TMF_QUERY_TASK_SET] = {.byte = 1, .bit = 0x02, .query = true},
	[LF_TMF_QUERY_ASYNCHRONOUS_EVENT] = {.byte = 1, .bit = 0x04, .query = true},
};

void lf_report_task_management(struct lf_lu *lu, struct lf_request *request)
{
	bool extended = (request->cdb[2] & 0x80) != 0; /* REPD: time limits follow, and none is said */
	uint8_t reply[16] = {0};

	(void)lu;
	for (uint32_t i = 0; i < lf_count_of(functions); i++)
		reply[functions[i].byte] |= functions[i].bit;
	if (extended)
		reply[3] = sizeof(reply) - 4;
	lf_finish_reply(request, reply, extended ? sizeof(reply) : 4);
}

static void lf_tmf_advance(struct lf_tmf *tmf, bool strikes);

static void lf_tmf_fired(struct lf_waiter *waiter)
{
	struct lf_tmf *tmf = lf_container(waiter, struct lf_tmf, waiter);

	if (tmf->function == LF_TMF_ABORT_TASK && waiter->answered)
		tmf->response = LF_TMF_TASK_ENDED;
	lf_tmf_advance(tmf, false);
}

/* The unit that comes next, or NULL. */
static struct lf_lu *lf_tmf_next_locked(struct lf_tmf *tmf)
{
	struct lf_adapter *adapter = tmf->nexus->adapter;

	lf_list_each(link, after, &adapter->targets[tmf->nexus->target].lus)
	{
		struct lf_lu *lu = lf_container(link, struct lf_lu, link);
		bool meant = functions[tmf->function].all_units || lu->lun == lf_lun_decode(tmf->lun);
		if (meant && tmf->next_lun <= lu->lun) {
			tmf->next_lun = lu->lun + 1;
			return lu;
		}
	}
	return NULL;
}

void lf_lu_reset_locked(struct lf_lu *lu)
{
	lf_modes_reset_locked(lu);
	lf_prevent_clear_locked(lu, NULL);
	lf_reserve_release_locked(lu, NULL);
}

void lf_lu_nexus_lost_locked(struct lf_lu *lu, const struct lf_nexus *nexus)
{
	lf_prevent_clear_locked(lu, nexus);
	lf_reserve_release_locked(lu, nexus);
}

/* Which tasks the function means. */
static struct lf_waiter lf_tmf_predicate(const struct lf_tmf *tmf, struct lf_lu *lu)
{
	struct lf_waiter waiter = {.lu = lu, .nexus_id = tmf->nexus->id, .fire = lf_tmf_fired};

	switch (tmf->function) {
	case LF_TMF_ABORT_TASK:
	case LF_TMF_QUERY_TASK:
		waiter.one = true;
		waiter.tag = tmf->tag;
		break;
	case LF_TMF_LUN_RESET:
	case LF_TMF_TARGET_RESET:
		waiter.barrier = true;
		waiter.nexus_id = 0;
		break;
	case LF_TMF_CLEAR_TASK_SET:
		waiter.nexus_id = 0;
		break;
	default:
		break;
	}
	return waiter;
}

static void lf_tmf_query_locked(struct lf_tmf *tmf, struct lf_lu *lu)
{
	bool found;

	if (tmf->function == LF_TMF_QUERY_ASYNCHRONOUS_EVENT) {
		tmf->attentions = lf_ua_count(lu, tmf->nexus, &tmf->attention_sense);
		found = tmf->attentions > 0;
	} else {
		tmf->waiter = lf_tmf_predicate(tmf, lu);
		found = lf_waiter_match_locked(lu->adapter, &tmf->waiter) > 0;
	}
	lf_trace_task_management(lu->lun, tmf->function, tmf->tag, 0);
	tmf->response = found ? LF_TMF_SUCCEEDED : LF_TMF_COMPLETE;
}

/*
 * Before any task is dropped without a word: its nexus hears of it with its next command. Whoever is told
 * takes lu->lock, which is held from here until the function has closed its set of tasks and changed the
 * unit: what he sends then is neither in that set nor undone (SAM-5 5.14).
 */
static void lf_tmf_tell_locked(const struct lf_tmf *tmf, const struct lf_waiter *waiter)
{
	if (waiter->barrier)
		lf_ua_raise_locked(waiter->lu, LF_UA_RESET, NULL);
	else if (tmf->function == LF_TMF_I_T_NEXUS_RESET)
		lf_ua_raise_for_locked(waiter->lu, LF_UA_NEXUS_LOSS, tmf->nexus);
}

/* Once tasks have been marked on the unit; lu->lock is held. */
static void lf_tmf_clear_locked(const struct lf_tmf *tmf, const struct lf_waiter *waiter)
{
	if (waiter->barrier)
		lf_lu_reset_locked(waiter->lu);
	else if (tmf->function == LF_TMF_I_T_NEXUS_RESET)
		lf_lu_nexus_lost_locked(waiter->lu, tmf->nexus);
}

/* And then; lu->lock is not held. */
static void lf_tmf_kick_locked(const struct lf_tmf *tmf, const struct lf_waiter *waiter)
{
	struct lf_lu *lu = waiter->lu;

	lf_queue_kick_locked(lu->adapter, lu);
	lf_trace_task_management(lu->lun, tmf->function, tmf->tag, waiter->remaining);
}

/* Marks what the function means on this unit; true when there is anything to wait for. */
static bool lf_tmf_raise_locked(struct lf_tmf *tmf, struct lf_lu *lu)
{
	struct lf_waiter *waiter = &tmf->waiter;

	*waiter = lf_tmf_predicate(tmf, lu);
	lf_list_each(link, after, &lu->itls) lf_container(link, struct lf_itl, link)->struck = false;
	lf_lock(&lu->lock);
	lf_tmf_tell_locked(tmf, waiter);
	bool waits = lf_waiter_raise_locked(lu->adapter, waiter, LF_MARK_ABORTED, false);
	lf_tmf_clear_locked(tmf, waiter);
	lf_unlock(&lu->lock);
	lf_tmf_kick_locked(tmf, waiter);
	if (tmf->function == LF_TMF_CLEAR_TASK_SET)
		lf_ua_raise_struck(lu, LF_UA_COMMANDS_CLEARED, tmf->nexus);
	tmf->response = waits || tmf->function != LF_TMF_ABORT_TASK ? LF_TMF_COMPLETE : LF_TMF_NO_SUCH_TASK;
	return waits;
}

/*
 * On all units of the target at once, before the first of them is waited for: one whose store answers no more
 * must not keep the others from being reset, nor have them reset when it answers at last.
 */
static void lf_tmf_strike_locked(const struct lf_tmf *tmf)
{
	struct lf_adapter *adapter = tmf->nexus->adapter;

	lf_list_each(link, after, &adapter->targets[tmf->nexus->target].lus)
	{
		struct lf_lu *lu = lf_container(link, struct lf_lu, link);
		struct lf_waiter waiter = lf_tmf_predicate(tmf, lu);
		lf_lock(&lu->lock);
		lf_tmf_tell_locked(tmf, &waiter);
		lf_waiter_strike_locked(adapter, &waiter);
		lf_tmf_clear_locked(tmf, &waiter);
		lf_unlock(&lu->lock);
		lf_tmf_kick_locked(tmf, &waiter);
	}
}

static bool lf_tmf_follow_locked(struct lf_tmf *tmf, struct lf_lu *lu)
{
	tmf->waiter = lf_tmf_predicate(tmf, lu);
	return lf_waiter_follow_locked(lu->adapter, &tmf->waiter);
}

/* From unit to unit; not in recursion, since a unit with nothing in flight is settled at once. */
static void lf_tmf_advance(struct lf_tmf *tmf, bool strikes)
{
	struct lf_adapter *adapter = tmf->nexus->adapter;
	bool all_units = functions[tmf->function].all_units;

	for (;; strikes = false) {
		lf_lock(&adapter->lock);
		if (strikes)
			lf_tmf_strike_locked(tmf);
		struct lf_lu *lu = lf_tmf_next_locked(tmf);
		bool query = lu != NULL && functions[tmf->function].query;
		bool waits = lu != NULL && !query &&
			     (all_units ? lf_tmf_follow_locked(tmf, lu) : lf_tmf_raise_locked(tmf, lu));
		if (query)
			lf_tmf_query_locked(tmf, lu);
		lf_unlock(&adapter->lock);
		if (waits) {
			lf_run_runnable(adapter); /* what was queued ends now; tmf may be gone */
			return;
		}
		if (lu == NULL) {
			tmf->done(tmf);
			return;
		}
	}
}

void lf_tmf_submit(struct lf_tmf *tmf)
{
	tmf->next_lun = 0;
	tmf->attentions = tmf->attention_sense = 0;
	if (tmf->function >= LF_TMF_COUNT) {
		tmf->response = LF_TMF_REJECTED;
		tmf->done(tmf);
		return;
	}
	/* What it stays at when no unit is meant. One that leaves still is: its tasks may be at the store. */
	tmf->response = functions[tmf->function].all_units ? LF_TMF_COMPLETE : LF_TMF_NO_SUCH_LUN;
	lf_tmf_advance(tmf, functions[tmf->function].all_units);
}
