/* SPDX-License-Identifier: BSD-2-Clause */
/* nt_errand.c: the thread of an errand in the kernel of Windows. */
#include "platform/errand.h"
#include "platform/nt.h"

_Static_assert(
	sizeof(struct lf_nt_thread) <= sizeof(((struct lf_errand *)0)->thread), "a thread fits in its words");

static struct lf_nt_thread *thread_of(struct lf_errand *errand)
{
	return (struct lf_nt_thread *)(void *)errand->thread;
}

static void thread_main(void *context)
{
	lf_errand_main(context);
}

enum lf_error lf_errand_thread_start(struct lf_errand *errand)
{
	struct lf_nt_thread *thread = thread_of(errand);

	thread->run = thread_main;
	thread->context = errand;
	return lf_nt_thread_start(thread);
}

void lf_errand_thread_join(struct lf_errand *errand)
{
	lf_nt_thread_join(thread_of(errand));
}
