/* SPDX-License-Identifier: BSD-2-Clause */
/* loop.h: the event loops of the daemon: one a core, each a lane: epoll, timers, posts, one io_uring. Linux.
 */
#ifndef LF_LOOP_H
#define LF_LOOP_H

#include "platform/platform.h"

struct lf_loop;
struct io_uring;

/*
 * Whatever is embedded below belongs to its owner, is zeroed once before its first use, and may be freed
 * when it is in no loop. All functions but lf_loop_post and lf_loop_stop: on the loop's own thread, or
 * before lf_loop_run.
 */

/* lane: what lf_lane_current answers on its thread. No ring where io_uring is refused or want_ring is false.
 */
struct lf_loop *lf_loop_create(uint32_t lane, bool want_ring, struct lf_message *message);
void lf_loop_destroy(struct lf_loop *loop); /* after run returned; drops posts that did not run */
void lf_loop_run(struct lf_loop *loop);     /* makes the calling thread its thread; until lf_loop_stop */
void lf_loop_stop(struct lf_loop *loop);    /* any thread, also from a signal handler's signalfd watch */
struct lf_loop *lf_loop_current(void);      /* the one that the caller runs on, or NULL */
uint32_t lf_loop_lane(const struct lf_loop *loop);

/* A file descriptor. events: EPOLLIN, EPOLLOUT, EPOLLRDHUP; level-triggered. */
struct lf_watch {
	int fd;
	void (*ready)(struct lf_watch *watch, uint32_t events);
	uint32_t events; /* the loop's own */
};

void lf_loop_watch(struct lf_loop *loop, struct lf_watch *watch, uint32_t events); /* also changes events */
/* No ready of this watch runs after this, not even of events already fetched; the caller closes the fd. */
void lf_loop_unwatch(struct lf_loop *loop, struct lf_watch *watch);

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

/*
 * Work for the end of this round, when every ready descriptor, post, completion and timer of this wake-up was
 * served: this is where an edge sends what has gathered, in one call. Scheduling what is scheduled already
 * does nothing. May schedule again from within: same round.
 */
struct lf_round {
	struct lf_link link;
	void (*run)(struct lf_round *round);
};

void lf_loop_at_end_of_round(struct lf_loop *loop, struct lf_round *round);
void lf_loop_forget_round(struct lf_loop *loop, struct lf_round *round);

/*
 * The loop's ring, NULL when it has none; touched by its thread only. Submission entries are submitted at the
 * end of the round. user_data of each is an lf_completion; 0 is ignored.
 */
struct lf_completion {
	void (*complete)(struct lf_completion *completion, int32_t result);
};

struct io_uring *lf_loop_ring(struct lf_loop *loop);
/* An entry to fill, or NULL when the ring is full even after submitting: the caller keeps a queue. */
struct io_uring_sqe *lf_loop_sqe(struct lf_loop *loop, struct lf_completion *completion);

#endif
