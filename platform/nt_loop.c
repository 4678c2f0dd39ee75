/* SPDX-License-Identifier: BSD-2-Clause */
/* nt_loop.c: loop.h on a system thread: posts and timers, one event to wait for. */
#include "platform/timers.h"
#include "platform/nt.h"

/*
 * Whoever brings work sets the event with the lock held: the loop takes the lock before it says that it has
 * ended, so that nobody touches a loop that was destroyed.
 */
struct lf_loop {
	KEVENT wake;
	struct lf_lock lock; /* guards what follows */
	struct lf_post *oldest, *newest;
	bool stopping;

	/* The loop's thread only. */
	struct lf_timers timers;
};

/* Whoever runs on the thread is on the lane of its processor, like everybody else here. */
struct lf_loop *lf_loop_create(uint32_t lane, bool want_ring, struct lf_message *message)
{
	struct lf_loop *loop = lf_alloc(sizeof(*loop));

	(void)lane;
	(void)want_ring;
	if (!loop) {
		lf_message_set(message, "event loop: no memory: close other programs");
		return NULL;
	}
	KeInitializeEvent(&loop->wake, SynchronizationEvent, FALSE);
	lf_lock_init(&loop->lock);
	lf_timers_init(&loop->timers);
	return loop;
}

void lf_loop_destroy(struct lf_loop *loop)
{
	lf_lock_fini(&loop->lock);
	lf_free(loop);
}

void lf_loop_post(struct lf_loop *loop, struct lf_post *post)
{
	post->next = NULL;
	lf_lock(&loop->lock);
	if (loop->newest)
		loop->newest->next = post;
	else
		loop->oldest = post;
	loop->newest = post;
	KeSetEvent(&loop->wake, IO_NO_INCREMENT, FALSE);
	lf_unlock(&loop->lock);
}

void lf_loop_stop(struct lf_loop *loop)
{
	lf_lock(&loop->lock);
	loop->stopping = true;
	KeSetEvent(&loop->wake, IO_NO_INCREMENT, FALSE);
	lf_unlock(&loop->lock);
}

/* What is posted meanwhile runs in the next round; the event is set for it. False: the loop is to stop. */
static bool run_posts(struct lf_loop *loop)
{
	struct lf_post *post, *after;
	bool stopping;

	lf_lock(&loop->lock);
	stopping = loop->stopping;
	loop->stopping = false;
	post = stopping ? NULL : loop->oldest;
	if (!stopping)
		loop->oldest = loop->newest = NULL;
	lf_unlock(&loop->lock);
	for (; post; post = after) {
		after = post->next;
		post->run(post);
	}
	return !stopping;
}

void lf_loop_timer_set(struct lf_loop *loop, struct lf_timer *timer, uint64_t due_ns)
{
	lf_timers_set(&loop->timers, timer, due_ns);
}

/* Until somebody brings work or the first timer is due; sometimes a little early, which does no harm. */
static void wait(struct lf_loop *loop)
{
	LARGE_INTEGER timeout, *until = NULL;
	uint64_t now_ns, due_ns;

	if (lf_timers_next(&loop->timers, &due_ns)) {
		now_ns = lf_time_ns();
		timeout.QuadPart = lf_nt_relative(due_ns > now_ns ? due_ns - now_ns : 0);
		until = &timeout;
	}
	KeWaitForSingleObject(&loop->wake, Executive, KernelMode, FALSE, until);
}

void lf_loop_run(struct lf_loop *loop)
{
	while (run_posts(loop)) {
		lf_timers_fire(&loop->timers);
		wait(loop);
	}
}
