/* SPDX-License-Identifier: BSD-2-Clause */
/* ps.c: system threads, which are threads of the host's. */
#include <stdlib.h>
#include <time.h>

#include "tests/storport/nt/internal.h"

struct thread_object {
	DISPATCHER_HEADER header; /* signalled when it has ended */
	PKSTART_ROUTINE start;
	void *context;
};

static _Thread_local struct thread_object *own;
static uint32_t leaving; /* threads that were signalled and have not let go of their object; by atomics */

void lf_fake_threads_settle(void)
{
	while (__atomic_load_n(&leaving, __ATOMIC_ACQUIRE))
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void thread_over(void)
{
	struct lf_fake_thread *thread = lf_fake_self();
	if (thread->irql != PASSIVE_LEVEL || thread->lock_count)
		lf_fake_broken("a system thread ends at IRQL %u with %u spin locks", thread->irql,
			thread->lock_count);
	if (thread->token)
		lf_fake_broken("a system thread ends while it impersonates");
	pthread_cond_destroy(&thread->awake);
	thread->is_ready = false;
	__atomic_add_fetch(&leaving, 1, __ATOMIC_RELAXED);
	lf_fake_header_signal(&own->header);
	lf_fake_object_dereference(own);
	__atomic_sub_fetch(&leaving, 1, __ATOMIC_RELEASE);
}

static void *thread_main(void *argument)
{
	own = argument;
	lf_fake_self()->is_system_thread = true;
	own->start(own->context);
	thread_over();
	return NULL;
}

NTSTATUS PsCreateSystemThread(HANDLE *handle, ULONG access, OBJECT_ATTRIBUTES *attributes, HANDLE process,
	CLIENT_ID *client_id, PKSTART_ROUTINE start, PVOID context)
{
	pthread_t id;
	lf_fake_passive("PsCreateSystemThread");
	if (process || client_id)
		lf_fake_broken("PsCreateSystemThread in a process of somebody else's");
	if (!attributes || !(attributes->Attributes & OBJ_KERNEL_HANDLE))
		lf_fake_broken("PsCreateSystemThread without OBJ_KERNEL_HANDLE: a program could close it");
	if (lf_fake_fails(LF_FAKE_THREAD))
		return STATUS_INSUFFICIENT_RESOURCES;
	struct thread_object *thread =
		lf_fake_object_make(LF_FAKE_THREAD_OBJECT, sizeof(struct thread_object), NULL);
	lf_fake_header_set(&thread->header, LF_FAKE_WAIT_THREAD, 0);
	thread->start = start;
	thread->context = context;
	/* Before it runs: it may use what its creator writes the handle to. */
	*handle = lf_fake_handle_make(thread, access);
	if (pthread_create(&id, NULL, thread_main, thread))
		lf_fake_broken("the host has no thread any more");
	pthread_detach(id);
	return STATUS_SUCCESS;
}

NTSTATUS PsTerminateSystemThread(NTSTATUS status)
{
	UNREFERENCED_PARAMETER(status);
	lf_fake_passive("PsTerminateSystemThread");
	if (!lf_fake_self()->is_system_thread)
		lf_fake_broken("PsTerminateSystemThread on a thread that is none");
	thread_over();
	pthread_exit(NULL);
}

BOOLEAN IoSetThreadHardErrorMode(BOOLEAN enable)
{
	struct lf_fake_thread *thread = lf_fake_self();
	BOOLEAN before = !thread->shows_no_boxes;
	lf_fake_need_irql("IoSetThreadHardErrorMode", DISPATCH_LEVEL);
	thread->shows_no_boxes = !enable;
	return before;
}

void lf_fake_need_no_boxes(const char *who)
{
	const struct lf_fake_thread *thread = lf_fake_self();
	if (thread->is_system_thread && !thread->shows_no_boxes)
		lf_fake_broken("%s in a system thread whose hard errors ask a user, and wait for him", who);
}
