/* SPDX-License-Identifier: BSD-2-Clause */
/* timers.h: the timers of a loop, of whichever system; on its thread only. */
#ifndef LF_TIMERS_H
#define LF_TIMERS_H

#include "platform/loop.h"

struct lf_timers {
	struct lf_link set; /* soonest first */
	struct lf_link due; /* that are just being fired */
};

void lf_timers_init(struct lf_timers *timers);
void lf_timers_set(struct lf_timers *timers, struct lf_timer *timer, uint64_t due_ns);
/* Fires what is due; one that is set meanwhile waits for the next call, also when it is due at once. */
void lf_timers_fire(struct lf_timers *timers);
/* When the first one is due; false: there is none. */
bool lf_timers_next(const struct lf_timers *timers, uint64_t *due_ns);

#endif
