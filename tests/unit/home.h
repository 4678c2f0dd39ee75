/* SPDX-License-Identifier: BSD-2-Clause */
/* home.h: a loop that runs on a thread of its own, for tests of what has to be submitted from one. */
#ifndef LF_TEST_HOME_H
#define LF_TEST_HOME_H

#include "platform/loop_linux.h"

#include <pthread.h>

struct home {
	struct lf_loop *loop;
	pthread_t thread;
};

static inline void *home_main(void *context)
{
	lf_loop_run(context);
	return NULL;
}

static inline void home_open(struct home *home)
{
	struct lf_message message = {""};

	home->loop = lf_loop_create(0, true, &message);
	lf_assert(home->loop);
	pthread_create(&home->thread, NULL, home_main, home->loop);
}

static inline void home_close(struct home *home)
{
	lf_loop_stop(home->loop);
	pthread_join(home->thread, NULL);
	lf_loop_destroy(home->loop);
}

#endif
