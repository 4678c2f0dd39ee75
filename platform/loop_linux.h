/* SPDX-License-Identifier: BSD-2-Clause */
/* loop_linux.h: the event loops of the daemon: one a core, each a lane: epoll, rounds, one io_uring. Linux.
 */
#ifndef LF_LOOP_LINUX_H
#define LF_LOOP_LINUX_H

#include "platform/loop.h"

struct io_uring;

struct lf_loop *lf_loop_current(void); /* the one that the caller runs on, or NULL */
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
