/* SPDX-License-Identifier: BSD-2-Clause */
/* timers.c: a list of timers by the time when they are due. */
#include "platform/timers.h"

void lf_timers_init(struct lf_timers *timers)
{
	lf_list_init(&timers->set);
	lf_list_init(&timers->due);
}

static uint64_t due_of(const struct lf_link *link)
{
	return lf_container(link, struct lf_timer, link)->due_ns;
}

void lf_timers_set(struct lf_timers *timers, struct lf_timer *timer, uint64_t due_ns)
{
	struct lf_link *before;

	if (lf_link_in_list(&timer->link))
		lf_list_remove(&timer->link);
	timer->due_ns = due_ns;
	/* From the end: most timers are timeouts, and those set last are due last. */
	for (before = timers->set.previous; before != &timers->set; before = before->previous) {
		if (due_of(before) <= due_ns)
			break;
	}
	lf_list_append(before->next, &timer->link);
}

void lf_loop_timer_cancel(struct lf_loop *loop, struct lf_timer *timer)
{
	(void)loop;
	if (lf_link_in_list(&timer->link))
		lf_list_remove(&timer->link);
}

void lf_timers_fire(struct lf_timers *timers)
{
	struct lf_link *link;
	uint64_t now_ns;

	if (lf_list_empty(&timers->set))
		return;
	now_ns = lf_time_ns();
	/* Aside first, so that one which sets itself again at once waits for the next round. */
	while (!lf_list_empty(&timers->set)) {
		link = timers->set.next;
		if (due_of(link) > now_ns)
			break;
		lf_list_remove(link);
		lf_list_append(&timers->due, link);
	}
	while ((link = lf_list_take(&timers->due))) {
		struct lf_timer *timer = lf_container(link, struct lf_timer, link);
		timer->fired(timer);
	}
}

bool lf_timers_next(const struct lf_timers *timers, uint64_t *due_ns)
{
	if (lf_list_empty(&timers->set))
		return false;
	*due_ns = due_of(timers->set.next);
	return true;
}
