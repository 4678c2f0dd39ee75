/* SPDX-License-Identifier: BSD-2-Clause */
/* errand_linux.c: the thread of an errand on Linux. */
#include "platform/errand.h"

#include <pthread.h>
#include <signal.h>

_Static_assert(sizeof(pthread_t) <= sizeof(((struct lf_errand *)0)->thread), "a thread fits in its words");

static void *thread_main(void *errand)
{
	lf_errand_main(errand);
	return NULL;
}

/* Signals are the main thread's. */
enum lf_error lf_errand_thread_start(struct lf_errand *errand)
{
	pthread_t *thread = (pthread_t *)(void *)errand->thread;
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, thread_main, errand);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error == 0 ? LF_OK : LF_E_NO_MEMORY;
}

void lf_errand_thread_join(struct lf_errand *errand)
{
	int error = pthread_join(*(pthread_t *)(void *)errand->thread, NULL);

	lf_assert(error == 0);
}
