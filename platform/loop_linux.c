/* SPDX-License-Identifier: BSD-2-Clause */
/* loop_linux.c: the event loop of Linux: epoll, an eventfd for posts, timers, one io_uring; sleeps when
 * nothing is due. */
#include "platform/loop_linux.h"
#include "platform/linux.h"
#include "platform/timers.h"

#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EVENTS_PER_ROUND 64
#define RING_ENTRIES     256
#define RING_COMPLETIONS 4096
/* Rounds that may follow each other without a look at the descriptors, while the ring keeps bringing work. */
#define ROUNDS_WITHOUT_EPOLL 4
/* The kernel took no entries for lack of memory: how soon to ask again. */
#define RING_RETRY_MS 1
/* In lf_watch.events beside epoll's own bits: the watch is in the epoll set. */
#define WATCHED (1u << 26)

struct lf_loop {
	int epoll_fd, wake_fd;
	uint32_t lane;
	struct lf_watch wake_watch;

	/* What epoll_wait fetched and this round has not served yet: an unwatch takes its events out. */
	struct epoll_event fetched[EVENTS_PER_ROUND];
	int fetched_count, fetched_at;

	struct lf_timers timers;
	struct lf_link rounds; /* lf_round, first scheduled first */

	struct io_uring ring;
	bool has_ring, ring_enabled;
	uint32_t rounds_without_epoll;

	/* Any thread, from here on; a line of their own, for others' processors write them. */
	_Alignas(64) struct lf_post *posted; /* newest first */
	bool asleep;                         /* the next post has to write wake_fd */
	bool stopping;
};

static _Thread_local struct lf_loop *current_loop;

struct lf_loop *lf_loop_current(void)
{
	return current_loop;
}

uint32_t lf_loop_lane(const struct lf_loop *loop)
{
	return loop->lane;
}

/* ---- Descriptors ---- */

void lf_loop_watch(struct lf_loop *loop, struct lf_watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};
	bool watched = watch->events & WATCHED;
	int error;

	if (watched && watch->events == (events | WATCHED))
		return;
	error = epoll_ctl(loop->epoll_fd, watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd, &event);
	lf_assert(error == 0);
	watch->events = events | WATCHED;
}

void lf_loop_unwatch(struct lf_loop *loop, struct lf_watch *watch)
{
	int error;

	if (!(watch->events & WATCHED))
		return;
	error = epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	lf_assert(error == 0);
	watch->events = 0;
	for (int i = loop->fetched_at; i < loop->fetched_count; i++) {
		if (loop->fetched[i].data.ptr == watch)
			loop->fetched[i].data.ptr = NULL;
	}
}

static void serve_events(struct lf_loop *loop)
{
	while (loop->fetched_at < loop->fetched_count) {
		struct epoll_event *event = &loop->fetched[loop->fetched_at++];
		struct lf_watch *watch = event->data.ptr;
		uint32_t events;

		if (!watch)
			continue;
		/* An earlier one of this round may have changed what is wanted. */
		events = event->events & (watch->events | EPOLLERR | EPOLLHUP);
		if (events)
			watch->ready(watch, events);
	}
}

/* ---- Posts: a stack that many push and one takes whole ---- */

static void wake(struct lf_loop *loop)
{
	uint64_t one = 1;
	ssize_t written;

	/* Sequentially consistent on both sides: either the loop sees the post, or the poster sees it asleep.
	 */
	if (!__atomic_load_n(&loop->asleep, __ATOMIC_SEQ_CST))
		return;
	if (!__atomic_exchange_n(&loop->asleep, false, __ATOMIC_SEQ_CST))
		return;
	do {
		written = write(loop->wake_fd, &one, sizeof(one));
	} while (written < 0 && errno == EINTR);
}

void lf_loop_post(struct lf_loop *loop, struct lf_post *post)
{
	struct lf_post *newest = __atomic_load_n(&loop->posted, __ATOMIC_RELAXED);

	do {
		post->next = newest;
	} while (!__atomic_compare_exchange_n(
		&loop->posted, &newest, post, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	wake(loop);
}

void lf_loop_stop(struct lf_loop *loop)
{
	__atomic_store_n(&loop->stopping, true, __ATOMIC_SEQ_CST);
	wake(loop);
}

static void woken(struct lf_watch *watch, uint32_t events)
{
	uint64_t count;
	ssize_t got;

	(void)events;
	do {
		got = read(watch->fd, &count, sizeof(count));
	} while (got < 0 && errno == EINTR);
}

static void run_posts(struct lf_loop *loop)
{
	struct lf_post *post, *oldest = NULL;

	if (!__atomic_load_n(&loop->posted, __ATOMIC_RELAXED))
		return;
	post = __atomic_exchange_n(&loop->posted, NULL, __ATOMIC_ACQUIRE);
	while (post) {
		struct lf_post *older = post->next;
		post->next = oldest;
		oldest = post;
		post = older;
	}
	/* What is posted meanwhile runs in the next round. */
	while (oldest) {
		post = oldest;
		oldest = post->next;
		post->run(post);
	}
}

/* ---- Timers ---- */

void lf_loop_timer_set(struct lf_loop *loop, struct lf_timer *timer, uint64_t due_ns)
{
	lf_timers_set(&loop->timers, timer, due_ns);
}

/* Milliseconds to the first timer, rounded up: never early. -1: there is none. */
static int sleep_ms(struct lf_loop *loop)
{
	uint64_t now_ns, due_ns, wait_ms;

	if (!lf_timers_next(&loop->timers, &due_ns))
		return -1;
	now_ns = lf_time_ns();
	if (due_ns <= now_ns)
		return 0;
	wait_ms = (due_ns - now_ns + 999999) / 1000000;
	return (int)lf_min(wait_ms, (uint64_t)INT32_MAX);
}

/* ---- End of round ---- */

void lf_loop_at_end_of_round(struct lf_loop *loop, struct lf_round *round)
{
	if (!lf_link_in_list(&round->link))
		lf_list_append(&loop->rounds, &round->link);
}

void lf_loop_forget_round(struct lf_loop *loop, struct lf_round *round)
{
	(void)loop;
	if (lf_link_in_list(&round->link))
		lf_list_remove(&round->link);
}

static void run_rounds(struct lf_loop *loop)
{
	struct lf_link *link;

	while ((link = lf_list_take(&loop->rounds))) {
		struct lf_round *round = lf_container(link, struct lf_round, link);
		round->run(round);
	}
}

/* ---- The ring ---- */

struct io_uring *lf_loop_ring(struct lf_loop *loop)
{
	return loop->has_ring ? &loop->ring : NULL;
}

static void submit(struct lf_loop *loop)
{
	int error;

	if (io_uring_sq_ready(&loop->ring) == 0)
		return;
	error = io_uring_submit_and_get_events(&loop->ring);
	/* These leave the entries where they are; the next round tries again. */
	lf_assert(error >= 0 || error == -EAGAIN || error == -EBUSY || error == -EINTR || error == -ENOMEM);
}

struct io_uring_sqe *lf_loop_sqe(struct lf_loop *loop, struct lf_completion *completion)
{
	struct io_uring_sqe *sqe;

	if (!loop->has_ring)
		return NULL;
	sqe = io_uring_get_sqe(&loop->ring);
	if (!sqe && loop->ring_enabled) {
		submit(loop);
		sqe = io_uring_get_sqe(&loop->ring);
	}
	if (sqe)
		io_uring_sqe_set_data(sqe, completion); /* the io_uring_prep functions leave it alone */
	return sqe;
}

/*
 * The kernel keeps finished work to itself until it is asked (DEFER_TASKRUN) and says so in a flag. While the
 * loop is awake it looks at that; only before it sleeps it lets the kernel write wake_fd.
 */
static bool kernel_holds_completions(struct lf_loop *loop)
{
	unsigned flags = __atomic_load_n(loop->ring.sq.kflags, __ATOMIC_SEQ_CST);

	return flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static void want_wake_by_ring(struct lf_loop *loop, bool wanted)
{
	if (!loop->has_ring)
		return;
	/* Ordered before the last look at what has completed: hence not io_uring_cq_eventfd_toggle. */
	if (wanted)
		__atomic_fetch_and(loop->ring.cq.kflags, ~IORING_CQ_EVENTFD_DISABLED, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_or(loop->ring.cq.kflags, IORING_CQ_EVENTFD_DISABLED, __ATOMIC_SEQ_CST);
}

static bool ring_has_completions(struct lf_loop *loop)
{
	return loop->has_ring && (io_uring_cq_ready(&loop->ring) > 0 || kernel_holds_completions(loop));
}

static void complete(struct lf_loop *loop)
{
	struct io_uring_cqe *cqe;
	unsigned ready;

	if (!loop->has_ring)
		return;
	if (kernel_holds_completions(loop))
		io_uring_get_events(&loop->ring);
	/* No more than there are now: what a completion submits may complete at once. */
	for (ready = io_uring_cq_ready(&loop->ring); ready > 0; ready--) {
		struct lf_completion *completion;
		int32_t result;

		if (io_uring_peek_cqe(&loop->ring, &cqe) != 0)
			break;
		completion = io_uring_cqe_get_data(cqe);
		result = cqe->res;
		io_uring_cqe_seen(&loop->ring, cqe);
		if (completion)
			completion->complete(completion, result);
	}
}

/* Workers of the ring stay where the process was told to run; a pinned daemon disturbs nobody else. */
static void confine_ring_workers(struct io_uring *ring)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
		io_uring_register_iowq_aff(ring, sizeof(allowed), &allowed);
}

/*
 * The ring is made here, so that a refusal is known early, but disabled: the thread that enables it, in
 * lf_loop_run, becomes its single issuer. Entries may be filled before.
 */
static bool create_ring(struct lf_loop *loop)
{
	static const unsigned wanted[] = {
		IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER |
			IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE, /* before Linux 6.1 */
	};

	for (size_t i = 0; i < lf_count_of(wanted); i++) {
		struct io_uring_params params = {.flags = wanted[i], .cq_entries = RING_COMPLETIONS};
		if (io_uring_queue_init_params(RING_ENTRIES, &loop->ring, &params) != 0)
			continue;
		/*
		 * An eventfd, because epoll on the ring itself does not wake for deferred work. The kernel
		 * must never drop a completion (NODROP, Linux 5.5), and know the eventfd's off switch (5.8).
		 */
		if (params.features & IORING_FEAT_NODROP && loop->ring.cq.kflags &&
			io_uring_register_eventfd(&loop->ring, loop->wake_fd) == 0)
			return true;
		io_uring_queue_exit(&loop->ring);
	}
	return false;
}

static void enable_ring(struct lf_loop *loop)
{
	long error;

	if (!loop->has_ring || loop->ring_enabled)
		return;
	/* io_uring_enable_rings is not exported by liburing 2.3. */
	error = syscall(SYS_io_uring_register, loop->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	lf_assert(error == 0);
	confine_ring_workers(&loop->ring);
	loop->ring_enabled = true;
	submit(loop);
}

/* ---- The loop ---- */

struct lf_loop *lf_loop_create(uint32_t lane, bool want_ring, struct lf_message *message)
{
	struct lf_loop *loop = aligned_alloc(_Alignof(struct lf_loop), sizeof(*loop));

	if (!loop) {
		lf_message_set(message, "event loop: no memory: give the process more");
		return NULL;
	}
	memset(loop, 0, sizeof(*loop));
	loop->lane = lane;
	lf_timers_init(&loop->timers);
	lf_list_init(&loop->rounds);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll_fd < 0 || loop->wake_fd < 0) {
		lf_message_set(
			message, "event loop: out of descriptors: raise the limit of open files (ulimit -n)");
		lf_loop_destroy(loop);
		return NULL;
	}
	loop->wake_watch.fd = loop->wake_fd;
	loop->wake_watch.ready = woken;
	lf_loop_watch(loop, &loop->wake_watch, EPOLLIN);
	loop->has_ring = want_ring && create_ring(loop);
	want_wake_by_ring(loop, false);
	return loop;
}

void lf_loop_destroy(struct lf_loop *loop)
{
	if (loop->has_ring)
		io_uring_queue_exit(&loop->ring);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	free(loop);
}

static bool work_is_waiting(struct lf_loop *loop)
{
	return __atomic_load_n(&loop->posted, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&loop->stopping, __ATOMIC_SEQ_CST) || ring_has_completions(loop);
}

/* From when it is true, whoever brings work also writes wake_fd. */
static void sleeping(struct lf_loop *loop, bool asleep)
{
	__atomic_store_n(&loop->asleep, asleep, __ATOMIC_SEQ_CST);
	want_wake_by_ring(loop, asleep);
}

/* Fetches what is ready, sleeping only when nothing is left to do. */
static void fetch_events(struct lf_loop *loop)
{
	int timeout_ms = 0, count;

	loop->fetched_count = loop->fetched_at = 0;
	if (work_is_waiting(loop)) {
		if (++loop->rounds_without_epoll <= ROUNDS_WITHOUT_EPOLL)
			return;
	} else {
		timeout_ms = sleep_ms(loop);
		if (loop->has_ring && io_uring_sq_ready(&loop->ring) > 0 && timeout_ms != 0)
			timeout_ms = RING_RETRY_MS;
	}
	loop->rounds_without_epoll = 0;
	if (timeout_ms != 0) {
		sleeping(loop, true);
		if (work_is_waiting(loop))
			timeout_ms = 0;
		count = epoll_wait(loop->epoll_fd, loop->fetched, EVENTS_PER_ROUND, timeout_ms);
		sleeping(loop, false);
	} else {
		count = epoll_wait(loop->epoll_fd, loop->fetched, EVENTS_PER_ROUND, 0);
	}
	lf_assert(count >= 0 || errno == EINTR);
	loop->fetched_count = lf_max(count, 0);
}

void lf_loop_run(struct lf_loop *loop)
{
	lf_assert(!current_loop);
	current_loop = loop;
	lf_lane_set(loop->lane);
	enable_ring(loop);
	while (!__atomic_load_n(&loop->stopping, __ATOMIC_SEQ_CST)) {
		fetch_events(loop);
		serve_events(loop);
		run_posts(loop);
		complete(loop);
		lf_timers_fire(&loop->timers);
		run_rounds(loop);
		if (loop->has_ring)
			submit(loop);
	}
	__atomic_store_n(&loop->stopping, false, __ATOMIC_SEQ_CST);
	current_loop = NULL;
}
