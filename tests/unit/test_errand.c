/* SPDX-License-Identifier: BSD-2-Clause */
/* test_errand.c: errands: run on threads of their own, done on the loop, which serves others meanwhile. */
#include "platform/errand.h"
#include "platform/loop_linux.h"
#include "tests/test.h"

#include <pthread.h>
#include <signal.h>

#define MANY 32

static struct lf_loop *loop;
static uint32_t run_count, done_count, posts; /* the first by atomics */
static uint32_t wanted;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static bool shut;

static void begin_loop(void)
{
	struct lf_message message;

	loop = lf_loop_create(0, false, &message);
	lf_assert(loop);
	run_count = done_count = posts = 0;
	shut = false;
}

static void run(struct lf_errand *errand)
{
	sigset_t set;

	(void)errand;
	lf_assert(lf_loop_current() == NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	lf_assert(sigismember(&set, SIGTERM));
	__atomic_add_fetch(&run_count, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&mutex);
	while (shut)
		pthread_cond_wait(&opened, &mutex);
	pthread_mutex_unlock(&mutex);
}

static void done(struct lf_errand *errand)
{
	lf_assert(lf_loop_current() == loop);
	if (++done_count == wanted)
		lf_loop_stop(loop);
	else if (done_count < wanted && wanted < MANY)
		CHECK_EQ(lf_errand_begin(errand, loop), LF_OK);
}

TEST(an_errand_may_be_begun_again_when_it_is_done)
{
	struct lf_errand errand = {.run = run, .done = done};

	begin_loop();
	wanted = 5;
	CHECK_EQ(lf_errand_begin(&errand, loop), LF_OK);
	lf_loop_run(loop);
	CHECK_EQ(run_count, 5);
	CHECK_EQ(done_count, 5);
	lf_loop_destroy(loop);
}

static void open_gate(struct lf_post *post)
{
	(void)post;
	posts++;
	/* None has ended: all of them stand still, and the loop serves this. */
	CHECK_EQ(done_count, 0);
	pthread_mutex_lock(&mutex);
	shut = false;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&mutex);
}

TEST(many_errands_that_stand_still_do_not_stop_the_loop)
{
	static struct lf_errand errands[MANY];
	struct lf_post post = {.run = open_gate};

	begin_loop();
	shut = true;
	wanted = MANY;
	for (uint32_t i = 0; i < MANY; i++) {
		errands[i] = (struct lf_errand){.run = run, .done = done};
		lf_errand_insist(&errands[i], loop);
	}
	lf_loop_post(loop, &post);
	lf_loop_run(loop);
	CHECK_EQ(posts, 1);
	CHECK_EQ(run_count, MANY);
	CHECK_EQ(done_count, MANY);
	lf_loop_destroy(loop);
}
