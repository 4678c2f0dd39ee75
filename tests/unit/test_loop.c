/* SPDX-License-Identifier: BSD-2-Clause */
/* test_loop.c: the event loop: order of a round, posts from many threads, timers, unwatch, the ring,
 * idleness. */
#include "platform/linux.h"
#include "platform/loop_linux.h"
#include "tests/test.h"

#include <liburing.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MS 1000000u

/* One loop, the steps that were seen, and a way to stop it. */
static struct lf_loop *loop;
static char steps[64];

static void step(char what)
{
	size_t length = strlen(steps);
	if (length + 1 < sizeof(steps))
		steps[length] = what;
}

static void begin(bool want_ring)
{
	struct lf_message message = {""};
	memset(steps, 0, sizeof(steps));
	loop = lf_loop_create(3, want_ring, &message);
	lf_assert(loop);
}

static void finish(void)
{
	lf_loop_destroy(loop);
	loop = NULL;
}

static void fired_stop(struct lf_timer *timer)
{
	(void)timer;
	lf_loop_stop(loop);
}

/* ---- Posts ---- */

struct letter {
	struct lf_post post;
	char what;
	bool again, stop;
};

static void letter_run(struct lf_post *post)
{
	struct letter *letter = lf_container(post, struct letter, post);
	step(letter->what);
	if (letter->again) {
		letter->again = false;
		lf_loop_post(loop, post);
	} else if (letter->stop) {
		lf_loop_stop(loop);
	}
}

TEST(posts_run_in_the_order_of_posting)
{
	struct letter letters[] = {{.what = 'a'}, {.what = 'b', .again = true}, {.what = 'c', .stop = true}};

	begin(false);
	for (size_t i = 0; i < lf_count_of(letters); i++) {
		letters[i].post.run = letter_run;
		lf_loop_post(loop, &letters[i].post);
	}
	lf_loop_run(loop);
	CHECK_STR(steps, "abc"); /* what is posted from within belongs to the next round */
	finish();
}

#define POSTERS         4
#define POSTS_OF_POSTER 20000

struct poster {
	pthread_t thread;
	struct letter_of_poster {
		struct lf_post post;
		struct poster *poster;
		uint32_t number;
	} * letters;
	uint32_t seen;
	bool out_of_order;
};

static uint32_t posters_left;

static void poster_run(struct lf_post *post)
{
	struct letter_of_poster *letter = lf_container(post, struct letter_of_poster, post);
	struct poster *poster = letter->poster;

	if (letter->number != poster->seen++)
		poster->out_of_order = true;
	if (poster->seen == POSTS_OF_POSTER && --posters_left == 0)
		lf_loop_stop(loop);
}

static void *poster_main(void *context)
{
	struct poster *poster = context;

	for (uint32_t i = 0; i < POSTS_OF_POSTER; i++) {
		struct letter_of_poster *letter = &poster->letters[i];
		letter->poster = poster;
		letter->number = i;
		letter->post.run = poster_run;
		lf_loop_post(loop, &letter->post);
		if (i % 1000 == 0)
			usleep(200); /* so that the loop falls asleep now and then */
	}
	return NULL;
}

TEST(posts_of_many_threads_all_run_each_in_its_order)
{
	struct poster posters[POSTERS] = {0};

	begin(true);
	posters_left = POSTERS;
	for (size_t i = 0; i < POSTERS; i++) {
		posters[i].letters = calloc(POSTS_OF_POSTER, sizeof(posters[i].letters[0]));
		pthread_create(&posters[i].thread, NULL, poster_main, &posters[i]);
	}
	lf_loop_run(loop);
	for (size_t i = 0; i < POSTERS; i++) {
		pthread_join(posters[i].thread, NULL);
		free(posters[i].letters);
	}
	finish();
	for (size_t i = 0; i < POSTERS; i++) {
		CHECK_EQ(posters[i].seen, POSTS_OF_POSTER);
		CHECK(!posters[i].out_of_order);
	}
}

/* ---- The order of a round, and who is where ---- */

struct note {
	struct lf_timer timer;
	struct lf_round round, forgotten;
	struct lf_watch watch;
	struct lf_completion completion;
	struct letter letter;
	int rounds;
};

static void note_round(struct lf_round *round)
{
	struct note *note = lf_container(round, struct note, round);
	step('R');
	if (++note->rounds == 1)
		lf_loop_at_end_of_round(loop, round); /* once more, in this round */
}

static void forgotten_round(struct lf_round *round)
{
	(void)round;
	step('?');
}

static void note_timer(struct lf_timer *timer)
{
	(void)timer;
	step('T');
}

static void note_completion(struct lf_completion *completion, int32_t result)
{
	(void)completion;
	step(result == 0 ? 'C' : '!');
	lf_loop_stop(loop);
}

/* All of it is asked for in one ready, the last first. */
static void note_watch(struct lf_watch *watch, uint32_t events)
{
	struct note *note = lf_container(watch, struct note, watch);
	struct io_uring_sqe *sqe = lf_loop_sqe(loop, &note->completion);

	step(events == EPOLLIN ? 'E' : '?');
	lf_loop_unwatch(loop, watch);
	if (sqe)
		io_uring_prep_nop(sqe);
	lf_loop_at_end_of_round(loop, &note->forgotten);
	lf_loop_at_end_of_round(loop, &note->round);
	lf_loop_at_end_of_round(loop, &note->round); /* does nothing */
	lf_loop_forget_round(loop, &note->forgotten);
	lf_loop_timer_set(loop, &note->timer, lf_time_ns());
	lf_loop_post(loop, &note->letter.post);
}

TEST(a_round_serves_events_then_posts_then_timers_then_its_end_then_submits)
{
	struct note note = {.letter = {.what = 'P', .post.run = letter_run},
		.timer.fired = note_timer,
		.round.run = note_round,
		.forgotten.run = forgotten_round,
		.watch.ready = note_watch,
		.completion.complete = note_completion};

	begin(true);
	if (!lf_loop_ring(loop)) {
		finish();
		SKIP("io_uring is refused here");
	}
	note.watch.fd = eventfd(1, EFD_NONBLOCK);
	lf_loop_watch(loop, &note.watch, EPOLLIN);
	lf_loop_run(loop);
	CHECK_STR(steps, "EPTRRC");
	close(note.watch.fd);
	finish();
}

static void *lane_of_thread(void *context)
{
	*(uint32_t *)context = lf_lane_current();
	return NULL;
}

static uint32_t lane_seen;
static struct lf_loop *loop_seen;

static void look_around(struct lf_post *post)
{
	(void)post;
	lane_seen = lf_lane_current();
	loop_seen = lf_loop_current();
	lf_loop_stop(loop);
}

static void *run_loop(void *context)
{
	lf_loop_run(context);
	return NULL;
}

TEST(a_loop_is_its_threads_lane)
{
	struct lf_post post = {.run = look_around};
	uint32_t lanes[2];
	pthread_t thread;

	begin(false);
	CHECK_EQ(lf_loop_lane(loop), 3);
	CHECK(!lf_loop_current());
	lf_loop_post(loop, &post);
	pthread_create(&thread, NULL, run_loop, loop);
	pthread_join(thread, NULL);
	CHECK_EQ(lane_seen, 3);
	CHECK(loop_seen == loop);
	CHECK(!lf_loop_current());
	for (size_t i = 0; i < 2; i++) {
		pthread_create(&thread, NULL, lane_of_thread, &lanes[i]);
		pthread_join(thread, NULL);
	}
	CHECK(lanes[0] != lanes[1]);
	finish();
}

/* ---- Timers ---- */

struct numbered_timer {
	struct lf_timer timer;
	char what;
	uint64_t fired_at_ns;
};

static void numbered_fired(struct lf_timer *timer)
{
	struct numbered_timer *numbered = lf_container(timer, struct numbered_timer, timer);
	numbered->fired_at_ns = lf_time_ns();
	step(numbered->what);
}

TEST(timers_fire_in_order_and_never_early)
{
	struct numbered_timer timers[] = {
		{.what = 'c'}, {.what = 'a'}, {.what = 'x'}, {.what = 'b'}, {.what = 'd'}};
	static const uint32_t after_ms[] = {9, 2, 4, 6, 2};
	struct lf_timer stop = {.fired = fired_stop};
	uint64_t now_ns;

	begin(false);
	now_ns = lf_time_ns();
	for (size_t i = 0; i < lf_count_of(timers); i++) {
		timers[i].timer.fired = numbered_fired;
		lf_loop_timer_set(loop, &timers[i].timer, now_ns + (uint64_t)after_ms[i] * MS);
	}
	lf_loop_timer_set(loop, &stop, now_ns + 14 * MS);
	lf_loop_timer_set(loop, &timers[4].timer, now_ns + 11 * MS); /* moves it */
	lf_loop_timer_cancel(loop, &timers[2].timer);
	lf_loop_timer_cancel(loop, &timers[2].timer);
	lf_loop_run(loop);
	CHECK_STR(steps, "abcd");
	CHECK(timers[0].fired_at_ns >= now_ns + 9 * MS);
	CHECK(timers[1].fired_at_ns >= now_ns + 2 * MS);
	CHECK_EQ(timers[2].fired_at_ns, 0);
	finish();
}

static struct numbered_timer *to_cancel;

static void fired_cancels(struct lf_timer *timer)
{
	(void)timer;
	step('1');
	lf_loop_timer_cancel(loop, &to_cancel->timer);
}

static uint32_t again_left;

static void fired_again(struct lf_timer *timer)
{
	if (again_left-- == 0)
		lf_loop_stop(loop);
	else
		lf_loop_timer_set(loop, timer, 0);
}

TEST(a_timer_may_cancel_another_that_is_due_and_set_itself_at_once)
{
	struct lf_timer first = {.fired = fired_cancels}, again = {.fired = fired_again};
	struct numbered_timer second = {.timer.fired = numbered_fired, .what = '2'};

	begin(false);
	to_cancel = &second;
	again_left = 100;
	lf_loop_timer_set(loop, &first, 1);
	lf_loop_timer_set(loop, &second.timer, 2);
	lf_loop_timer_set(loop, &again, 3);
	lf_loop_run(loop);
	CHECK_STR(steps, "1");
	finish();
}

/* ---- Unwatch ---- */

static struct lf_watch twins[2];
static bool only_quieten;

/* The other's event was fetched with this one's. Its watch is used anew, for a descriptor that is not ready.
 */
static void twin_ready(struct lf_watch *watch, uint32_t events)
{
	struct lf_watch *other = watch == &twins[0] ? &twins[1] : &twins[0];

	(void)events;
	step('t');
	lf_loop_unwatch(loop, watch);
	if (only_quieten) {
		lf_loop_watch(loop, other, 0);
		return;
	}
	lf_loop_unwatch(loop, other);
	close(other->fd);
	other->fd = eventfd(0, EFD_NONBLOCK);
	lf_loop_watch(loop, other, EPOLLIN);
}

static void run_twins(void)
{
	struct lf_timer stop = {.fired = fired_stop};

	begin(false);
	memset(twins, 0, sizeof(twins));
	for (size_t i = 0; i < 2; i++) {
		twins[i].fd = eventfd(1, EFD_NONBLOCK);
		twins[i].ready = twin_ready;
		lf_loop_watch(loop, &twins[i], EPOLLIN);
	}
	lf_loop_timer_set(loop, &stop, lf_time_ns() + 5 * MS);
	lf_loop_run(loop);
	for (size_t i = 0; i < 2; i++) {
		lf_loop_unwatch(loop, &twins[i]);
		close(twins[i].fd);
	}
	finish();
}

TEST(a_watch_that_is_gone_gets_no_event_fetched_before)
{
	only_quieten = false;
	run_twins();
	CHECK_STR(steps, "t");
}

TEST(a_watch_gets_no_event_that_it_no_longer_wants)
{
	only_quieten = true;
	run_twins();
	CHECK_STR(steps, "t");
}

static void writable_once(struct lf_watch *watch, uint32_t events)
{
	step(events & EPOLLOUT ? 'w' : '?');
	lf_loop_watch(loop, watch, EPOLLIN);
}

TEST(the_events_of_a_watch_can_be_changed)
{
	struct lf_timer stop = {.fired = fired_stop};
	struct lf_watch watch = {.ready = writable_once};

	begin(false);
	watch.fd = eventfd(0, EFD_NONBLOCK);
	lf_loop_watch(loop, &watch, EPOLLOUT);
	lf_loop_timer_set(loop, &stop, lf_time_ns() + 5 * MS);
	lf_loop_run(loop);
	CHECK_STR(steps, "w");
	lf_loop_unwatch(loop, &watch);
	close(watch.fd);
	finish();
}

/* ---- The ring ---- */

TEST(a_completion_of_the_ring_wakes_the_loop)
{
	struct __kernel_timespec after = {.tv_nsec = 3 * MS};
	struct note note = {.completion.complete = note_completion};
	struct io_uring_sqe *sqe;

	begin(true);
	if (!lf_loop_ring(loop)) {
		finish();
		SKIP("io_uring is refused here");
	}
	sqe = lf_loop_sqe(loop, &note.completion);
	CHECK(sqe);
	io_uring_prep_timeout(sqe, &after, 0, IORING_TIMEOUT_ETIME_SUCCESS);
	lf_loop_run(loop);
	CHECK_EQ(strlen(steps), 1);
	finish();
}

#define NOPS 2000

static uint32_t nops_left;
static struct lf_completion nop_completion;

static void nop_complete(struct lf_completion *completion, int32_t result)
{
	(void)completion;
	if (result != 0)
		step('!');
	if (--nops_left == 0)
		lf_loop_stop(loop);
}

static void submit_nops(struct lf_post *post)
{
	(void)post;
	for (uint32_t i = 0; i < NOPS; i++) {
		struct io_uring_sqe *sqe = lf_loop_sqe(loop, &nop_completion);
		if (sqe)
			io_uring_prep_nop(sqe);
		else
			step('0');
	}
}

TEST(a_full_ring_is_submitted_to_make_room)
{
	struct lf_post post = {.run = submit_nops};

	begin(true);
	if (!lf_loop_ring(loop)) {
		finish();
		SKIP("io_uring is refused here");
	}
	nops_left = NOPS;
	nop_completion.complete = nop_complete;
	lf_loop_post(loop, &post);
	lf_loop_run(loop);
	CHECK_EQ(nops_left, 0);
	CHECK_STR(steps, "");
	finish();
}

TEST(a_loop_without_a_ring_has_none)
{
	struct lf_completion completion = {0};

	begin(false);
	CHECK(!lf_loop_ring(loop));
	CHECK(!lf_loop_sqe(loop, &completion));
	finish();
}

/* ---- Idleness ---- */

static uint32_t looks;

/* Stands before the C library's. Counting is exact where a clock of the processor is not, on a busy host. */
int epoll_wait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms)
{
	looks++;
	return epoll_pwait(epoll_fd, events, most, timeout_ms, NULL);
}

TEST(an_idle_loop_sleeps_until_its_next_timer)
{
	struct lf_timer stop = {.fired = fired_stop};

	begin(true);
	lf_loop_timer_set(loop, &stop, lf_time_ns() + 300 * MS);
	looks = 0;
	lf_loop_run(loop);
	CHECK(looks <= 5); /* the kernel may end a sleep early now and then, as it does for a signal */
	finish();
}
