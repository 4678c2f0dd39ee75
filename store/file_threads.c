/* SPDX-License-Identifier: BSD-2-Clause */
/* file_threads.c: the file store's second engine: a few threads, shared by all file stores of the process. */
#include "store/file.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#define THREADS 4

/* Made once, for the process's life: an idle thread costs nothing. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t work, quiet;
	struct lf_link queue; /* io->link */
	uint32_t threads, idle;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
	.work = PTHREAD_COND_INITIALIZER,
	.quiet = PTHREAD_COND_INITIALIZER,
	.queue = {&pool.queue, &pool.queue}};

static void carry_out(struct lf_io *io)
{
	struct lf_file_call call;

	while (lf_file_next(io, &call))
		lf_file_result(io, lf_file_make_call(io, &call, 0));
}

static struct lf_io *wait_for_work(void)
{
	struct lf_link *link;
	bool wake_another;

	pthread_mutex_lock(&pool.lock);
	while (!(link = lf_list_take(&pool.queue))) {
		if (++pool.idle == pool.threads)
			pthread_cond_broadcast(&pool.quiet);
		pthread_cond_wait(&pool.work, &pool.lock);
		pool.idle--;
	}
	/* One wakes the next: a short burst is done by one thread, a disk that waits gets them all. */
	wake_another = pool.idle > 0 && !lf_list_empty(&pool.queue);
	pthread_mutex_unlock(&pool.lock);
	if (wake_another)
		pthread_cond_signal(&pool.work);
	return lf_container(link, struct lf_io, link);
}

static void *thread_main(void *context)
{
	for (;;)
		carry_out(wait_for_work());
	return context;
}

/* Signals are the main thread's; and the opener may be bound to one processor, the pool is not. */
static bool start_thread(void)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	cpu_set_t allowed;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (sched_getaffinity(getpid(), sizeof(allowed), &allowed) == 0)
		pthread_attr_setaffinity_np(&attributes, sizeof(allowed), &allowed);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, &attributes, thread_main, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return error == 0;
}

bool lf_file_threads_open(void)
{
	bool some;

	pthread_mutex_lock(&pool.lock);
	while (pool.threads < THREADS && start_thread())
		pool.threads++;
	some = pool.threads > 0;
	pthread_mutex_unlock(&pool.lock);
	return some;
}

void lf_file_threads_start(struct lf_io *io)
{
	bool wake;

	pthread_mutex_lock(&pool.lock);
	/* Whoever is at work looks here next, unless it waits for a disk: then an idle one is woken. */
	lf_list_append(&pool.queue, &io->link);
	wake = pool.idle > 0;
	pthread_mutex_unlock(&pool.lock);
	if (wake)
		pthread_cond_signal(&pool.work);
}

void lf_store_file_quiesce(void)
{
	pthread_mutex_lock(&pool.lock);
	/* One that was woken counts as idle until it runs, but then the queue is not empty. */
	while (pool.idle < pool.threads || !lf_list_empty(&pool.queue))
		pthread_cond_wait(&pool.quiet, &pool.lock);
	pthread_mutex_unlock(&pool.lock);
}
