/* SPDX-License-Identifier: BSD-2-Clause */
/* errand.h: what may wait for the host, done on a thread of its own, so that a loop never waits. */
#ifndef LF_ERRAND_H
#define LF_ERRAND_H

#include "platform/loop.h"

/*
 * Its owner's memory, zeroed once before its first use. How many are out at a time is the owner's to limit,
 * and so is it that none is when its loop is destroyed.
 */
struct lf_errand {
	/* On a thread of its own, at PASSIVE_LEVEL: it may take as long as it likes. */
	void (*run)(struct lf_errand *errand);
	/* Then, once, on the loop: the thread has ended. It may be begun anew, or freed. */
	void (*done)(struct lf_errand *errand);

	/* The platform's own. */
	struct lf_loop *loop;
	struct lf_post post;
	struct lf_timer timer;
	uint32_t tries;
	uint64_t thread[4];
};

/* These two on the loop, or before it runs. Not LF_OK: no thread is to be had, and nothing was begun. */
enum lf_error lf_errand_begin(struct lf_errand *errand, struct lf_loop *loop);
/*
 * For what must not be lost: while there is no thread it tries again, for a second; then the loop does it
 * itself. Better that it waits once than that a file stays open for ever.
 */
void lf_errand_insist(struct lf_errand *errand, struct lf_loop *loop);

/* Between errand.c and the system's part: the thread calls main, and join returns when it has ended. */
void lf_errand_main(struct lf_errand *errand);
enum lf_error lf_errand_thread_start(struct lf_errand *errand);
void lf_errand_thread_join(struct lf_errand *errand);

#endif
