/* SPDX-License-Identifier: BSD-2-Clause */
/* exclusive.c: being alone on a unit: for commands that are atomic against all others, and for changes of it.
 */
#include "core/core.h"

/*
 * An owner at a time. It waits for the commands of the unit that run, and for no others: one whose data is
 * still on the wire, or that stands in the queue, runs when the owner has gone. So nobody waits for an
 * initiator here. Commands that wait are in the unit's queue; changes, which are no commands, in
 * lu->changes.
 *
 * A command that submits sets `submitted` and then looks at the gate; whoever raises sets the gate and then
 * looks at `submitted`. Both are sequentially consistent, so at least one of them sees the other.
 */

/* Counts what runs. Lanes are stopped. */
static uint32_t lf_running_count(struct lf_adapter *adapter, const struct lf_exclusive *owner)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < adapter->lane_count; i++) {
		lf_list_each(link, after, &adapter->lanes[i].tasks)
		{
			struct lf_task *task = lf_container(link, struct lf_task, link);
			if (task->lu != owner->lu)
				continue;
			task->counted = &task->exclusive != owner && !task->queued &&
					lf_atomic_or_u32(&task->submitted, 0);
			count += task->counted;
		}
	}
	return count;
}

static void lf_exclusive_take_locked(struct lf_adapter *adapter, struct lf_exclusive *owner)
{
	struct lf_lu *lu = owner->lu;

	lf_assert(lu->exclusive == NULL);
	lu->exclusive = owner;
	lf_atomic_or_u32(&lu->gate, LF_GATE_EXCLUSIVE);
	lf_lanes_stop(adapter);
	lf_watch_more_locked(adapter);
	owner->left = lf_running_count(adapter, owner);
	lf_lanes_go(adapter);
}

bool lf_exclusive_is_due_locked(const struct lf_task *task)
{
	return task->alone && task->lu->exclusive == NULL && lf_atomic_load_u32(&task->mark) == LF_MARK_NONE;
}

bool lf_exclusive_take_unit_locked(struct lf_adapter *adapter, struct lf_task *task)
{
	task->exclusive = (struct lf_exclusive){.lu = task->lu};
	lf_exclusive_take_locked(adapter, &task->exclusive);
	return task->exclusive.left == 0;
}

/* The next change takes over, if there is one. True: it has nobody to wait for, and its ready is due. */
static bool lf_exclusive_drop_locked(struct lf_adapter *adapter, struct lf_lu *lu)
{
	lu->exclusive = NULL;
	lf_watch_less_locked(adapter);
	struct lf_link *link = lf_list_take(&lu->changes);
	if (link == NULL) {
		lf_atomic_and_u32(&lu->gate, ~(uint32_t)LF_GATE_EXCLUSIVE);
		return false;
	}
	lf_exclusive_take_locked(adapter, lf_container(link, struct lf_exclusive, link));
	return lu->exclusive->left == 0;
}

bool lf_exclusive_precede_locked(struct lf_task *task)
{
	struct lf_exclusive *owner = task->lu->exclusive;

	if (owner->left == 0)
		return false;
	owner->left += !task->counted;
	task->counted = true;
	return true;
}

bool lf_exclusive_uncount_locked(struct lf_adapter *adapter, struct lf_task *task)
{
	struct lf_lu *lu = task->lu;
	bool ready = false;

	if (lu->exclusive == &task->exclusive)
		ready = lf_exclusive_drop_locked(adapter, lu); /* the next one counts this task, too */
	if (task->counted && lu->exclusive != NULL) {
		lf_assert(lu->exclusive->left > 0);
		ready = --lu->exclusive->left == 0 && lu->exclusive->ready != NULL;
	}
	task->counted = false;
	return ready;
}

/* A queued command runs no more: an owner that waits for it need not. */
static void lf_exclusive_queue_locked(
	struct lf_adapter *adapter, struct lf_request *request, struct lf_exclusive **ready)
{
	struct lf_task *task = request->task;

	task->queued = true;
	lf_list_append(&task->lu->queue, &request->link);
	if (task->counted && lf_exclusive_uncount_locked(adapter, task))
		*ready = task->lu->exclusive;
	lf_queue_kick_locked(adapter, task->lu);
}

bool lf_exclusive_get(struct lf_lu *lu, struct lf_request *request)
{
	struct lf_adapter *adapter = lu->adapter;
	struct lf_task *task = request->task;
	struct lf_exclusive *ready = NULL;

	lf_lock(&adapter->lock);
	task->alone = true;
	if (lu->exclusive == NULL)
		lf_exclusive_take_unit_locked(adapter, task);
	bool got = lu->exclusive == &task->exclusive && task->exclusive.left == 0;
	if (!got)
		lf_exclusive_queue_locked(adapter, request, &ready);
	lf_unlock(&adapter->lock);
	if (ready != NULL)
		ready->ready(ready);
	if (!got)
		lf_run_runnable(adapter);
	return got;
}

void lf_change_begin(struct lf_exclusive *change)
{
	struct lf_adapter *adapter = change->lu->adapter;
	bool ready = false;

	lf_lock(&adapter->lock);
	if (change->lu->exclusive == NULL) {
		lf_exclusive_take_locked(adapter, change);
		ready = change->left == 0;
	} else {
		lf_list_append(&change->lu->changes, &change->link);
	}
	lf_unlock(&adapter->lock);
	if (ready)
		change->ready(change);
}

void lf_change_end(struct lf_exclusive *change)
{
	struct lf_lu *lu = change->lu;
	struct lf_adapter *adapter = lu->adapter;

	lf_lock(&adapter->lock);
	lf_assert(lu->exclusive == change && change->left == 0);
	struct lf_exclusive *ready = lf_exclusive_drop_locked(adapter, lu) ? lu->exclusive : NULL;
	lf_queue_kick_locked(adapter, lu);
	lf_unlock(&adapter->lock);
	if (ready != NULL)
		ready->ready(ready);
	lf_run_runnable(adapter);
}

bool lf_task_may_run(struct lf_adapter *adapter, struct lf_request *request)
{
	struct lf_exclusive *ready = NULL;

	lf_lock(&adapter->lock);
	bool may = lf_task_may_run_locked(request->task);
	if (!may)
		lf_exclusive_queue_locked(adapter, request, &ready);
	lf_unlock(&adapter->lock);
	if (ready != NULL)
		ready->ready(ready);
	if (!may)
		lf_run_runnable(adapter);
	return may;
}
