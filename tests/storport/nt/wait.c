/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait.c: events, semaphores, and waiting for them. The lock of an object is one of many, found by its
 * address; the object is not touched any more once a waiter was let go, so that an event on a waiter's stack
 * is safe.
 */
#include <errno.h>
#include <time.h>

#include "tests/storport/nt/internal.h"

struct waiter {
	LIST_ENTRY link;
	struct lf_fake_thread *thread;
	bool is_let_go;
};

static pthread_mutex_t locks[LF_FAKE_BUCKETS];

__attribute__((constructor)) static void make_locks(void)
{
	for (uint32_t i = 0; i < LF_FAKE_BUCKETS; i++)
		pthread_mutex_init(&locks[i], NULL);
}

static pthread_mutex_t *lock_of(DISPATCHER_HEADER *header)
{
	pthread_mutex_t *lock = &locks[lf_fake_hash(header)];
	pthread_mutex_lock(lock);
	return lock;
}

/* Under the lock. */
static void check_type(const char *who, const DISPATCHER_HEADER *header, UCHAR least, UCHAR most)
{
	if (!header->WaitListHead.Flink || header->Type < least || header->Type > most)
		lf_fake_broken("%s: not initialized, or not an object of that kind", who);
}

void lf_fake_header_set(DISPATCHER_HEADER *header, UCHAR type, LONG state)
{
	*header = (DISPATCHER_HEADER){.Type = type, .SignalState = state};
	InitializeListHead(&header->WaitListHead);
}

/* Takes what the waiter waits for; false when there is nothing to be taken. Under the lock. */
static bool take(DISPATCHER_HEADER *header)
{
	if (header->SignalState <= 0)
		return false;
	if (header->Type == LF_FAKE_WAIT_SYNCHRONIZATION || header->Type == LF_FAKE_WAIT_TIMER + 1)
		header->SignalState = 0;
	else if (header->Type == LF_FAKE_WAIT_SEMAPHORE)
		header->SignalState--;
	return true;
}

/* Under the lock. */
static void let_go(DISPATCHER_HEADER *header)
{
	while (!IsListEmpty(&header->WaitListHead) && take(header)) {
		struct waiter *waiter =
			CONTAINING_RECORD(RemoveHeadList(&header->WaitListHead), struct waiter, link);
		waiter->is_let_go = true;
		pthread_cond_signal(&waiter->thread->awake);
	}
}

void lf_fake_header_signal(DISPATCHER_HEADER *header)
{
	pthread_mutex_t *lock = lock_of(header);
	header->SignalState = 1;
	let_go(header);
	pthread_mutex_unlock(lock);
}

void lf_fake_header_clear(DISPATCHER_HEADER *header)
{
	pthread_mutex_t *lock = lock_of(header);
	header->SignalState = 0;
	pthread_mutex_unlock(lock);
}

VOID KeInitializeEvent(KEVENT *event, EVENT_TYPE type, BOOLEAN state)
{
	lf_fake_header_set(&event->Header, (UCHAR)type, state ? 1 : 0);
}

LONG KeSetEvent(KEVENT *event, KPRIORITY increment, BOOLEAN wait)
{
	UNREFERENCED_PARAMETER(increment);
	lf_fake_need_irql("KeSetEvent", DISPATCH_LEVEL);
	if (wait)
		lf_fake_broken("KeSetEvent with Wait: the IRQL would stay raised");
	pthread_mutex_t *lock = lock_of(&event->Header);
	check_type("KeSetEvent", &event->Header, LF_FAKE_WAIT_NOTIFICATION, LF_FAKE_WAIT_SYNCHRONIZATION);
	LONG before = event->Header.SignalState;
	event->Header.SignalState = 1;
	let_go(&event->Header);
	pthread_mutex_unlock(lock);
	return before;
}

VOID KeClearEvent(KEVENT *event)
{
	lf_fake_need_irql("KeClearEvent", DISPATCH_LEVEL);
	pthread_mutex_t *lock = lock_of(&event->Header);
	check_type("KeClearEvent", &event->Header, LF_FAKE_WAIT_NOTIFICATION, LF_FAKE_WAIT_SYNCHRONIZATION);
	event->Header.SignalState = 0;
	pthread_mutex_unlock(lock);
}

VOID KeInitializeSemaphore(KSEMAPHORE *semaphore, LONG count, LONG limit)
{
	lf_fake_header_set(&semaphore->Header, LF_FAKE_WAIT_SEMAPHORE, count);
	semaphore->Limit = limit;
}

LONG KeReleaseSemaphore(KSEMAPHORE *semaphore, KPRIORITY increment, LONG adjustment, BOOLEAN wait)
{
	UNREFERENCED_PARAMETER(increment);
	lf_fake_need_irql("KeReleaseSemaphore", DISPATCH_LEVEL);
	if (wait)
		lf_fake_broken("KeReleaseSemaphore with Wait: the IRQL would stay raised");
	pthread_mutex_t *lock = lock_of(&semaphore->Header);
	check_type("KeReleaseSemaphore", &semaphore->Header, LF_FAKE_WAIT_SEMAPHORE, LF_FAKE_WAIT_SEMAPHORE);
	LONG before = semaphore->Header.SignalState;
	if (adjustment <= 0 || adjustment > semaphore->Limit - before)
		lf_fake_broken("a semaphore of %d is released by %d; its limit is %d", before, adjustment,
			semaphore->Limit);
	semaphore->Header.SignalState += adjustment;
	let_go(&semaphore->Header);
	pthread_mutex_unlock(lock);
	return before;
}

void lf_fake_deadline(struct timespec *when, uint64_t after_ns)
{
	clock_gettime(CLOCK_MONOTONIC, when);
	uint64_t ns = (uint64_t)when->tv_nsec + lf_fake_host_ns(after_ns);
	when->tv_sec += (time_t)(ns / 1000000000);
	when->tv_nsec = (long)(ns % 1000000000);
}

static uint64_t relative_ns(const char *who, const LARGE_INTEGER *interval)
{
	if (interval->QuadPart > 0)
		lf_fake_broken("%s until a time of day: it would change when the clock is set", who);
	return (uint64_t)-interval->QuadPart * 100;
}

NTSTATUS KeWaitForSingleObject(
	PVOID object, KWAIT_REASON reason, KPROCESSOR_MODE mode, BOOLEAN alertable, LARGE_INTEGER *timeout)
{
	UNREFERENCED_PARAMETER(reason);
	DISPATCHER_HEADER *header = object;
	bool may_block = !timeout || timeout->QuadPart != 0;
	lf_fake_need_irql("KeWaitForSingleObject", may_block ? APC_LEVEL : DISPATCH_LEVEL);
	if (may_block)
		lf_fake_need_no_lock("KeWaitForSingleObject");
	if (mode != KernelMode || alertable)
		lf_fake_broken("a wait that a user could end: of the driver's threads none is a user's");
	if (lf_fake_object_is(object, LF_FAKE_FILE))
		header = &((FILE_OBJECT *)object)->Event.Header;
	struct waiter waiter = {.thread = lf_fake_self()};
	struct timespec when;
	if (timeout)
		lf_fake_deadline(&when, relative_ns("a wait", timeout));
	pthread_mutex_t *lock = lock_of(header);
	check_type("KeWaitForSingleObject", header, LF_FAKE_WAIT_NOTIFICATION, LF_FAKE_WAIT_TIMER + 1);
	bool done = take(header);
	if (!done && may_block) {
		InsertTailList(&header->WaitListHead, &waiter.link);
		int late = 0;
		while (!waiter.is_let_go && late != ETIMEDOUT)
			late = timeout ? pthread_cond_timedwait(&waiter.thread->awake, lock, &when)
				       : pthread_cond_wait(&waiter.thread->awake, lock);
		done = waiter.is_let_go;
		if (!done)
			RemoveEntryList(&waiter.link);
	}
	pthread_mutex_unlock(lock);
	return done ? STATUS_SUCCESS : STATUS_TIMEOUT;
}

NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE mode, BOOLEAN alertable, LARGE_INTEGER *interval)
{
	lf_fake_need_irql("KeDelayExecutionThread", APC_LEVEL);
	lf_fake_need_no_lock("KeDelayExecutionThread");
	if (mode != KernelMode || alertable)
		lf_fake_broken("a delay that a user could end");
	uint64_t ns = lf_fake_host_ns(relative_ns("a delay", interval));
	struct timespec length = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
	nanosleep(&length, NULL);
	return STATUS_SUCCESS;
}
