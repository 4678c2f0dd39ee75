/* SPDX-License-Identifier: BSD-2-Clause */
/* errand.c: errands on whichever system: begun, joined, begun again when there was no thread. */
#include "platform/errand.h"

#define TRIES    10
#define PAUSE_NS (100 * 1000 * 1000u)

static void ended(struct lf_post *post)
{
	struct lf_errand *errand = lf_container(post, struct lf_errand, post);

	/* All that it has left to do is to end. */
	lf_errand_thread_join(errand);
	errand->done(errand);
}

void lf_errand_main(struct lf_errand *errand)
{
	errand->run(errand);
	lf_loop_post(errand->loop, &errand->post);
}

enum lf_error lf_errand_begin(struct lf_errand *errand, struct lf_loop *loop)
{
	errand->loop = loop;
	errand->post.run = ended;
	return lf_errand_thread_start(errand);
}

static void try_again(struct lf_timer *timer)
{
	struct lf_errand *errand = lf_container(timer, struct lf_errand, timer);

	if (lf_errand_begin(errand, errand->loop) == LF_OK)
		return;
	if (++errand->tries < TRIES) {
		lf_loop_timer_set(errand->loop, timer, lf_time_ns() + PAUSE_NS);
		return;
	}
	errand->run(errand);
	errand->done(errand);
}

void lf_errand_insist(struct lf_errand *errand, struct lf_loop *loop)
{
	if (lf_errand_begin(errand, loop) == LF_OK)
		return;
	errand->tries = 0;
	errand->timer.fired = try_again;
	lf_loop_timer_set(loop, &errand->timer, lf_time_ns() + PAUSE_NS);
}
