/* SPDX-License-Identifier: BSD-2-Clause */
/* adapter.c: the adapter itself: its lanes, and the unit that stands where there is none. */
#include "core/core.h"

#define LF_TASKS_PER_LANE 4096

void lf_lanes_stop(struct lf_adapter *adapter)
{
	for (uint32_t i = 0; i < adapter->lane_count; i++)
		lf_lock(&adapter->lanes[i].lock);
}

void lf_lanes_go(struct lf_adapter *adapter)
{
	for (uint32_t i = adapter->lane_count; i-- > 0;)
		lf_unlock(&adapter->lanes[i].lock);
}

static bool lf_lanes_init(struct lf_adapter *adapter, uint32_t lane_count, uint32_t tasks)
{
	adapter->lanes = lf_alloc(lane_count * sizeof(struct lf_lane));
	if (adapter->lanes == NULL)
		return false;
	for (; adapter->lane_count < lane_count; adapter->lane_count++) {
		struct lf_lane *lane = &adapter->lanes[adapter->lane_count];
		lane->slots = lf_alloc(tasks * sizeof(struct lf_task));
		if (lane->slots == NULL)
			return false;
		lf_lock_init(&lane->lock);
		lf_list_init(&lane->tasks);
		lf_list_init(&lane->free);
		for (uint32_t i = 0; i < tasks; i++)
			lf_list_append(&lane->free, &lane->slots[i].link);
	}
	return true;
}

/* Small for few targets and few addresses: a map has a bit for each. */
static bool lf_targets_init(struct lf_adapter *adapter)
{
	uint32_t words = (adapter->lun_count + 63) / 64;

	adapter->targets = lf_alloc(adapter->target_count * sizeof(struct lf_target));
	adapter->addresses = lf_alloc((size_t)2 * words * adapter->target_count * sizeof(uint64_t));
	if (adapter->targets == NULL || adapter->addresses == NULL)
		return false;
	for (uint32_t i = 0; i < adapter->target_count; i++) {
		struct lf_target *target = &adapter->targets[i];
		lf_list_init(&target->lus);
		target->taken = adapter->addresses + (size_t)2 * words * i;
		target->given = target->taken + words;
	}
	return true;
}

static void lf_adapter_free(struct lf_adapter *adapter)
{
	for (uint32_t i = 0; i < adapter->lane_count; i++) {
		lf_assert(lf_list_empty(&adapter->lanes[i].tasks));
		lf_lock_fini(&adapter->lanes[i].lock);
		lf_free(adapter->lanes[i].slots);
	}
	lf_free(adapter->lanes);
	if (adapter->absent != NULL)
		lf_lock_fini(&adapter->absent->lock);
	lf_free(adapter->absent);
	lf_free(adapter->targets);
	lf_free(adapter->addresses);
	lf_lock_fini(&adapter->lock);
	lf_free(adapter);
}

struct lf_adapter *lf_adapter_create(const struct lf_adapter_options *options)
{
	struct lf_adapter *adapter = lf_alloc(sizeof(*adapter));

	if (adapter == NULL)
		return NULL;
	lf_lock_init(&adapter->lock);
	lf_list_init(&adapter->nexuses);
	lf_list_init(&adapter->waiters);
	lf_list_init(&adapter->runnable);
	adapter->target_count = lf_max(options->target_count, 1u);
	adapter->lun_count = options->lun_count == 0 ? LF_LUNS_MAX : options->lun_count;
	lf_assert(adapter->target_count <= LF_TARGETS_MAX && adapter->lun_count <= LF_LUNS_MAX);
	adapter->absent = lf_alloc(sizeof(*adapter->absent));
	if (adapter->absent != NULL) {
		adapter->absent->adapter = adapter;
		adapter->absent->type = LF_LU_ABSENT;
		adapter->absent->lun = LF_LUN_ANY;
		lf_lock_init(&adapter->absent->lock);
		lf_list_init(&adapter->absent->itls);
		lf_list_init(&adapter->absent->barriers);
		lf_list_init(&adapter->absent->queue);
		lf_list_init(&adapter->absent->changes);
		lf_list_init(&adapter->absent->scratch_queue);
	}
	uint32_t tasks = options->tasks_per_lane == 0 ? LF_TASKS_PER_LANE : options->tasks_per_lane;
	if (adapter->absent == NULL || !lf_targets_init(adapter) ||
		!lf_lanes_init(adapter, lf_max(options->lane_count, 1u), tasks)) {
		lf_adapter_free(adapter);
		return NULL;
	}
	return adapter;
}

void lf_adapter_destroy(struct lf_adapter *adapter)
{
	lf_assert(lf_list_empty(&adapter->nexuses));
	for (uint32_t i = 0; i < adapter->target_count; i++)
		lf_assert(lf_list_empty(&adapter->targets[i].lus));
	lf_adapter_free(adapter);
}
