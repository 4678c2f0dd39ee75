/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.h: a thread that serves notes and timers, one by one: control runs on one, everywhere. loop_linux.h
 * has what the daemon's loops do beyond that; in the driver it is a system thread at PASSIVE_LEVEL.
 */
#ifndef LF_LOOP_H
#define LF_LOOP_H

#include "platform/platform.h"

struct lf_loop;

/*
 * Whatever is embedded below belongs to its owner, is zeroed once before its first use, and may be freed
 * when it is in no loop. All functions but lf_loop_post and lf_loop_stop: on the loop's own thread, or
 * before lf_loop_run.
 */

/* lane: what lf_lane_current answers on its thread. want_ring: an io_uring, where there is such a thing. */
struct lf_loop *lf_loop_create(uint32_t lane, bool want_ring, struct lf_message *message);
void lf_loop_destroy(struct lf_loop *loop); /* after run returned; drops posts that did not run */
void lf_loop_run(struct lf_loop *loop);     /* makes the calling thread its thread; until lf_loop_stop */
void lf_loop_stop(struct lf_loop *loop);    /* any thread, also from a signal handler's signalfd watch */

/* One shot. due_ns is on lf_time_ns's clock; setting a set timer moves it; cancelling an idle one is no
 * error. */
struct lf_timer {
	void (*fired)(struct lf_timer *timer);
	uint64_t due_ns;
	struct lf_link link; /* the loop's own */
};

void lf_loop_timer_set(struct lf_loop *loop, struct lf_timer *timer, uint64_t due_ns);
void lf_loop_timer_cancel(struct lf_loop *loop, struct lf_timer *timer);

/*
 * A note from any thread, run once on the loop's thread in the order of posting, after which the post may be
 * posted again. Never allocates, never blocks. Posting what is posted already and did not run: an error of
 * the programmer's.
 */
struct lf_post {
	struct lf_post *next;
	void (*run)(struct lf_post *post);
};

void lf_loop_post(struct lf_loop *loop, struct lf_post *post);

#endif
