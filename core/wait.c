/* SPDX-License-Identifier: BSD-2-Clause */
/* wait.c: who waits for which tasks: ORDERED tasks, resets, aborts, departures; and how tasks retire. */
#include "core/core.h"

/*
 * A waiter counts the tasks that match its predicate once, with all lanes stopped, and each of them takes
 * itself off as it retires. Epochs make "older than" exact: each raise advances the unit's, a task keeps the
 * one that it met. While there is any waiter or barrier, tasks retire under the adapter's lock, which is also
 * what keeps a unit alive for those who look at it there: lf_lu_free takes that lock.
 */

static bool lf_older(uint32_t epoch, uint32_t than)
{
	return (int32_t)(epoch - than) < 0;
}

static bool lf_waiter_matches(const struct lf_waiter *waiter, const struct lf_task *task)
{
	return waiter != &task->order && waiter->except != task && waiter->lu == task->lu &&
	       lf_older(task->epoch, waiter->epoch) &&
	       (waiter->nexus_id == 0 || waiter->nexus_id == task->nexus_id) &&
	       (!waiter->one || waiter->tag == task->tag);
}

/* The request's owner, and the store that holds its io, hear that somebody waits. Lanes are stopped. */
static void lf_task_hurry(struct lf_task *task)
{
	struct lf_request *request = task->request;
	if (request == NULL)
		return;
	if (!lf_atomic_load_u32(&task->submitted)) {
		if (request->hurry != NULL)
			request->hurry(request);
	} else if (task->lu->ops != NULL && task->lu->ops->cancel != NULL) {
		task->lu->ops->cancel(task->lu->store, &request->io);
	}
}

void lf_watch_more_locked(struct lf_adapter *adapter)
{
	if (adapter->watch_count++ == 0)
		for (uint32_t i = 0; i < adapter->lane_count; i++)
			adapter->lanes[i].waiting = true;
}

void lf_watch_less_locked(struct lf_adapter *adapter)
{
	lf_assert(adapter->watch_count > 0);
	if (--adapter->watch_count > 0)
		return;
	lf_lanes_stop(adapter);
	for (uint32_t i = 0; i < adapter->lane_count; i++)
		adapter->lanes[i].waiting = false;
	lf_lanes_go(adapter);
}

/* Marks and hurries what the waiter means; how many. Lanes are stopped. */
static uint32_t lf_waiter_mark_tasks(
	struct lf_adapter *adapter, const struct lf_waiter *waiter, enum lf_mark mark, bool only_unsubmitted)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < adapter->lane_count; i++) {
		lf_list_each(link, after, &adapter->lanes[i].tasks)
		{
			struct lf_task *task = lf_container(link, struct lf_task, link);
			if (!lf_waiter_matches(waiter, task))
				continue;
			count++;
			if (mark == LF_MARK_NONE ||
				(only_unsubmitted && lf_atomic_load_u32(&task->submitted)))
				continue;
			lf_atomic_store_u32(&task->mark, mark);
			if (task->request != NULL) /* else its nexus may be gone */
				task->itl->struck = true;
			lf_task_hurry(task);
		}
	}
	return count;
}

/* It waits for those that it counted. Lanes are stopped. */
static bool lf_waiter_enlist_locked(struct lf_adapter *adapter, struct lf_waiter *waiter)
{
	struct lf_lu *lu = waiter->lu;

	if (waiter->remaining > 0) {
		lf_list_append(&adapter->waiters, &waiter->link);
		lf_watch_more_locked(adapter);
	}
	if (waiter->barrier && (waiter->remaining > 0 || waiter->ordered)) {
		lf_list_append(&lu->barriers, &waiter->barrier_link);
		lf_atomic_or_u32(&lu->gate, LF_GATE_BARRIER);
		lf_watch_more_locked(adapter);
	}
	return waiter->remaining > 0;
}

bool lf_waiter_raise_locked(
	struct lf_adapter *adapter, struct lf_waiter *waiter, enum lf_mark mark, bool only_unsubmitted)
{
	lf_lanes_stop(adapter);
	waiter->epoch = ++waiter->lu->epoch;
	waiter->remaining = lf_waiter_mark_tasks(adapter, waiter, mark, only_unsubmitted);
	bool waits = lf_waiter_enlist_locked(adapter, waiter);
	lf_lanes_go(adapter);
	return waits;
}

/*
 * The unit's own barrier, for a reset that may wait for other units first: who was told of it sends again
 * what it took away, and the old one may still be at the store. One that stands holds for what was marked
 * now, too, which is all that it counted and more. Lanes are stopped.
 */
static void lf_bar_locked(struct lf_adapter *adapter, const struct lf_waiter *waiter)
{
	struct lf_waiter *bar = &waiter->lu->bar;
	bool stands = lf_link_in_list(&bar->link);

	if (!stands)
		*bar = (struct lf_waiter){.lu = waiter->lu, .barrier = true};
	bar->epoch = waiter->epoch;
	bar->remaining = waiter->remaining;
	if (!stands)
		lf_waiter_enlist_locked(adapter, bar);
}

void lf_waiter_strike_locked(struct lf_adapter *adapter, struct lf_waiter *waiter)
{
	lf_lanes_stop(adapter);
	waiter->epoch = waiter->lu->struck_epoch = ++waiter->lu->epoch;
	waiter->remaining = lf_waiter_mark_tasks(adapter, waiter, LF_MARK_ABORTED, false);
	if (waiter->barrier)
		lf_bar_locked(adapter, waiter);
	lf_lanes_go(adapter);
}

bool lf_waiter_follow_locked(struct lf_adapter *adapter, struct lf_waiter *waiter)
{
	lf_lanes_stop(adapter);
	waiter->barrier = false; /* the unit has its own */
	waiter->epoch = waiter->lu->struck_epoch;
	waiter->remaining = lf_waiter_mark_tasks(adapter, waiter, LF_MARK_NONE, false);
	bool waits = lf_waiter_enlist_locked(adapter, waiter);
	lf_lanes_go(adapter);
	return waits;
}

uint32_t lf_waiter_match_locked(struct lf_adapter *adapter, struct lf_waiter *waiter)
{
	uint32_t count = 0;

	lf_lanes_stop(adapter);
	waiter->epoch = waiter->lu->epoch + 1;
	for (uint32_t i = 0; i < adapter->lane_count; i++) {
		lf_list_each(link, after, &adapter->lanes[i].tasks)
		{
			struct lf_task *task = lf_container(link, struct lf_task, link);
			count += task->request != NULL && lf_waiter_matches(waiter, task);
		}
	}
	lf_lanes_go(adapter);
	return count;
}

void lf_barrier_lower_locked(struct lf_adapter *adapter, struct lf_waiter *waiter)
{
	if (!lf_link_in_list(&waiter->barrier_link))
		return;
	lf_list_remove(&waiter->barrier_link);
	if (lf_list_empty(&waiter->lu->barriers))
		lf_atomic_and_u32(&waiter->lu->gate, ~(uint32_t)LF_GATE_BARRIER);
	lf_watch_less_locked(adapter);
}

/*
 * INQUIRY, REPORT LUNS and REQUEST SENSE say what the unit is and has to tell, and touch no medium: they may
 * pass whatever waits (SAM-5 8.2, as if HEAD OF QUEUE), a reset too. Else a unit whose store answers no more
 * would hold up whoever looks who else is there.
 */
static bool lf_task_only_looks(const struct lf_task *task)
{
	return (task->request->command->flags & LF_CMD_WITHOUT_UNIT) != 0;
}

/*
 * ORDERED: when all older tasks of the unit have retired; SIMPLE: when no barrier older than it stands; HEAD
 * OF QUEUE passes ORDERED tasks, but not a reset, whose old tasks may still be writing.
 */
bool lf_task_may_run_locked(struct lf_task *task)
{
	if (lf_atomic_load_u32(&task->mark) != LF_MARK_NONE)
		return true;
	if (task->lu->exclusive == &task->exclusive)
		return task->exclusive.left == 0;
	if (task->lu->exclusive != NULL)
		return lf_task_only_looks(task) && lf_exclusive_precede_locked(task);
	if (task->attribute != LF_TASK_ORDERED && lf_task_only_looks(task))
		return true;
	if (task->attribute == LF_TASK_ORDERED && task->order.remaining > 0)
		return false;
	lf_list_each(link, after, &task->lu->barriers)
	{
		const struct lf_waiter *barrier = lf_container(link, struct lf_waiter, barrier_link);
		bool passes = task->attribute == LF_TASK_HEAD_OF_QUEUE && barrier->ordered;
		if (barrier != &task->order && !passes && !lf_older(task->epoch, barrier->epoch))
			return false;
	}
	return true;
}

void lf_task_order_locked(struct lf_adapter *adapter, struct lf_task *task)
{
	task->order = (struct lf_waiter){.lu = task->lu, .barrier = true, .ordered = true};
	lf_waiter_raise_locked(adapter, &task->order, LF_MARK_NONE, false);
}

static void lf_queue_leave_locked(struct lf_adapter *adapter, struct lf_task *task)
{
	struct lf_link *link = &task->request->link;

	task->queued = false;
	lf_list_remove(link);
	lf_list_append(&adapter->runnable, link);
}

/*
 * Of those that have to be alone the oldest takes the unit, behind all others that run now: if all of them
 * ran, each but one would only come back to the queue.
 */
void lf_queue_kick_locked(struct lf_adapter *adapter, struct lf_lu *lu)
{
	struct lf_task *first = NULL;

	lf_list_each(link, after, &lu->queue)
	{
		struct lf_task *task = lf_container(link, struct lf_request, link)->task;
		if (!lf_task_may_run_locked(task))
			continue;
		if (!lf_exclusive_is_due_locked(task))
			lf_queue_leave_locked(adapter, task);
		else if (first == NULL)
			first = task;
	}
	if (first != NULL && lf_exclusive_take_unit_locked(adapter, first))
		lf_queue_leave_locked(adapter, first);
}

void lf_run_runnable(struct lf_adapter *adapter)
{
	struct lf_link *link;

	lf_lock(&adapter->lock);
	if (adapter->running) { /* whoever runs takes the new ones too */
		lf_unlock(&adapter->lock);
		return;
	}
	adapter->running = true;
	while ((link = lf_list_take(&adapter->runnable)) != NULL) {
		lf_unlock(&adapter->lock);
		lf_run(lf_container(link, struct lf_request, link));
		lf_lock(&adapter->lock);
	}
	adapter->running = false;
	lf_unlock(&adapter->lock);
}

/* Takes the task off every waiter that counted it; those that came to zero go to `fired`. */
static void lf_waiters_count_down_locked(
	struct lf_adapter *adapter, const struct lf_task *task, struct lf_link *fired)
{
	lf_list_each(link, after, &adapter->waiters)
	{
		struct lf_waiter *waiter = lf_container(link, struct lf_waiter, link);
		if (!lf_waiter_matches(waiter, task))
			continue;
		waiter->answered |= task->answered;
		if (--waiter->remaining > 0)
			continue;
		lf_list_remove(link);
		lf_watch_less_locked(adapter);
		if (waiter->ordered)
			continue;
		lf_barrier_lower_locked(adapter, waiter);
		if (waiter->fire != NULL)
			lf_list_append(fired, link);
	}
}

static void lf_task_retire_slow(struct lf_adapter *adapter, struct lf_task *task)
{
	struct lf_lane *lane = &adapter->lanes[task->lane];
	struct lf_lu *lu = task->lu;
	struct lf_exclusive *ready = NULL;
	struct lf_link fired, *link;

	lf_list_init(&fired);
	lf_lock(&adapter->lock);
	/* The adapter's lock keeps whoever raises away: nobody counts this task between these steps. */
	lf_waiters_count_down_locked(adapter, task, &fired);
	lf_barrier_lower_locked(adapter, &task->order);
	if (lf_link_in_list(&task->order.link)) { /* ended by a mark before its turn came */
		lf_list_remove(&task->order.link);
		lf_watch_less_locked(adapter);
	}
	if (lf_exclusive_uncount_locked(adapter, task))
		ready = lu->exclusive;
	lf_lock(&lane->lock);
	lf_list_remove(&task->link);
	lf_list_append(&lane->free, &task->link);
	lf_unlock(&lane->lock);
	lf_queue_kick_locked(adapter, lu);
	lf_unlock(&adapter->lock);

	if (ready != NULL)
		ready->ready(ready);
	lf_run_runnable(adapter);
	/* Last: whoever hears that the last task of a unit is gone may take the adapter down. */
	while ((link = lf_list_take(&fired)) != NULL) {
		struct lf_waiter *waiter = lf_container(link, struct lf_waiter, link);
		waiter->fire(waiter);
	}
}

void lf_task_retire(struct lf_adapter *adapter, struct lf_task *task)
{
	struct lf_lane *lane = &adapter->lanes[task->lane];

	lf_lock(&lane->lock);
	bool waiting = lane->waiting;
	if (!waiting) {
		lf_list_remove(&task->link);
		lf_list_append(&lane->free, &task->link);
	}
	lf_unlock(&lane->lock);
	if (waiting)
		lf_task_retire_slow(adapter, task);
}
