/* SPDX-License-Identifier: BSD-2-Clause */
/* tmf.c: task management: aborts and resets mark tasks, and answer when the last of them has retired. */
#include "core/core.h"

static void lf_tmf_advance(struct lf_tmf *tmf);

static void lf_tmf_fired(struct lf_waiter *waiter)
{
	lf_tmf_advance(lf_container(waiter, struct lf_tmf, waiter));
}

/* The unit that comes next, or NULL: one for most functions, each in turn for TARGET RESET. */
static struct lf_lu *lf_tmf_next_locked(struct lf_tmf *tmf)
{
	struct lf_adapter *adapter = tmf->nexus->adapter;

	lf_list_each(link, after, &adapter->targets[tmf->nexus->target].lus)
	{
		struct lf_lu *lu = lf_container(link, struct lf_lu, link);
		bool meant = tmf->function == LF_TMF_TARGET_RESET ? lu->lun >= tmf->next_lun
								  : lu->lun == lf_lun_decode(tmf->lun);
		if (meant && tmf->next_lun <= lu->lun) {
			tmf->next_lun = lu->lun + 1;
			return lu;
		}
	}
	return NULL;
}

void lf_lu_reset_locked(struct lf_lu *lu)
{
	lf_modes_reset(lu);
	lf_prevent_clear(lu, NULL);
	lf_reserve_release(lu, NULL);
}

/* Marks what the function means on this unit; true when there is anything to wait for. */
static bool lf_tmf_raise_locked(struct lf_tmf *tmf, struct lf_lu *lu)
{
	struct lf_adapter *adapter = lu->adapter;
	struct lf_waiter *waiter = &tmf->waiter;

	*waiter = (struct lf_waiter){.lu = lu, .fire = lf_tmf_fired};
	lf_list_each(link, after, &lu->itls) lf_container(link, struct lf_itl, link)->struck = false;
	switch (tmf->function) {
	case LF_TMF_ABORT_TASK:
		waiter->nexus_id = tmf->nexus->id;
		waiter->one = true;
		waiter->tag = tmf->tag;
		break;
	case LF_TMF_ABORT_TASK_SET:
		waiter->nexus_id = tmf->nexus->id;
		break;
	case LF_TMF_LUN_RESET:
	case LF_TMF_TARGET_RESET:
		waiter->barrier = true;
		/* Before any task is dropped without a word: its nexus hears of it with its next command. */
		lf_ua_raise(lu, LF_UA_RESET, NULL);
		break;
	default:
		break;
	}
	bool waits = lf_waiter_raise_locked(adapter, waiter, LF_MARK_ABORTED, false);
	if (waiter->barrier)
		lf_lu_reset_locked(lu);
	lf_queue_kick_locked(adapter, lu);
	lf_trace_task_management(lu->lun, tmf->function, tmf->tag, waiter->remaining);
	if (tmf->function == LF_TMF_CLEAR_TASK_SET)
		lf_ua_raise_struck(lu, LF_UA_COMMANDS_CLEARED, tmf->nexus);
	tmf->response = waits || tmf->function != LF_TMF_ABORT_TASK ? LF_TMF_COMPLETE : LF_TMF_NO_SUCH_TASK;
	return waits;
}

/* From unit to unit; not in recursion, since a unit with nothing in flight is settled at once. */
static void lf_tmf_advance(struct lf_tmf *tmf)
{
	struct lf_adapter *adapter = tmf->nexus->adapter;

	for (;;) {
		lf_lock(&adapter->lock);
		struct lf_lu *lu = lf_tmf_next_locked(tmf);
		bool waits = lu != NULL && lf_tmf_raise_locked(tmf, lu);
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
	if (tmf->function > LF_TMF_TARGET_RESET) {
		tmf->response = LF_TMF_REJECTED;
		tmf->done(tmf);
		return;
	}
	/* What it stays at when no unit is meant. One that leaves still is: its tasks may be at the store. */
	tmf->response = tmf->function == LF_TMF_TARGET_RESET ? LF_TMF_COMPLETE : LF_TMF_NO_SUCH_LUN;
	lf_tmf_advance(tmf);
}
