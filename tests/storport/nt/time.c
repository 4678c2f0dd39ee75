/* SPDX-License-Identifier: BSD-2-Clause */
/* time.c: timers and their DPCs, which run on one thread of the kernel's at DISPATCH_LEVEL. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "tests/storport/nt/internal.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of all below and of every set timer */
static LIST_ENTRY set = {&set, &set};
static pthread_cond_t changed, idle;
static pthread_t thread;
static bool runs, ends, in_dpc;

__attribute__((constructor)) static void make_conditions(void)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &attributes);
	pthread_cond_init(&idle, &attributes);
	pthread_condattr_destroy(&attributes);
}

static uint64_t now_100ns(void)
{
	return (uint64_t)KeQueryPerformanceCounter(NULL).QuadPart;
}

/* The one that is due first, or NULL. Under the mutex. */
static KTIMER *first_timer(void)
{
	KTIMER *first = NULL;
	for (LIST_ENTRY *at = set.Flink; at != &set; at = at->Flink) {
		KTIMER *timer = CONTAINING_RECORD(at, KTIMER, TimerListEntry);
		if (!first || timer->DueTime.QuadPart < first->DueTime.QuadPart)
			first = timer;
	}
	return first;
}

static void unset(KTIMER *timer)
{
	RemoveEntryList(&timer->TimerListEntry);
	timer->TimerListEntry.Flink = NULL;
}

/* Under the mutex, which it lets go in between: the timer may be gone or set again when the DPC runs. */
static void fire(KTIMER *timer)
{
	unset(timer);
	KDPC *dpc = timer->Dpc;
	PKDEFERRED_ROUTINE routine = dpc ? dpc->DeferredRoutine : NULL;
	PVOID context = dpc ? dpc->DeferredContext : NULL;
	lf_fake_header_signal(&timer->Header);
	pthread_cond_broadcast(&idle);
	if (!routine)
		return;
	in_dpc = true;
	pthread_mutex_unlock(&mutex);
	KIRQL before = lf_fake_irql_raise(DISPATCH_LEVEL);
	routine(dpc, context, NULL, NULL);
	lf_fake_need_no_lock("a DPC returns");
	lf_fake_irql_lower(before);
	pthread_mutex_lock(&mutex);
	in_dpc = false;
	pthread_cond_broadcast(&idle);
}

static void *timer_main(void *argument)
{
	UNREFERENCED_PARAMETER(argument);
	pthread_mutex_lock(&mutex);
	while (!ends) {
		KTIMER *timer = first_timer();
		uint64_t now = now_100ns();
		bool is_due = timer && timer->DueTime.QuadPart <= now;
		if (!timer || (!is_due && lf_fake_clock_stands())) {
			pthread_cond_wait(&changed, &mutex);
		} else if (!is_due) {
			struct timespec when;
			lf_fake_deadline(&when, (timer->DueTime.QuadPart - now) * 100);
			pthread_cond_timedwait(&changed, &mutex, &when);
		} else {
			fire(timer);
		}
	}
	pthread_mutex_unlock(&mutex);
	return NULL;
}

VOID KeInitializeDpc(KDPC *dpc, PKDEFERRED_ROUTINE routine, PVOID context)
{
	*dpc = (KDPC){.DeferredRoutine = routine, .DeferredContext = context};
}

VOID KeInitializeTimer(KTIMER *timer)
{
	*timer = (KTIMER){.Dpc = NULL};
	lf_fake_header_set(&timer->Header, LF_FAKE_WAIT_TIMER, 0);
}

BOOLEAN KeSetTimer(KTIMER *timer, LARGE_INTEGER due, KDPC *dpc)
{
	lf_fake_need_irql("KeSetTimer", DISPATCH_LEVEL);
	if (timer->Header.Type != LF_FAKE_WAIT_TIMER || !timer->Header.WaitListHead.Flink)
		lf_fake_broken("KeSetTimer: the timer is not initialized");
	if (due.QuadPart > 0)
		lf_fake_broken("KeSetTimer to a time of day: it would change when the clock is set");
	pthread_mutex_lock(&mutex);
	bool was_set = timer->TimerListEntry.Flink != NULL;
	if (was_set)
		unset(timer);
	timer->DueTime.QuadPart = now_100ns() + (uint64_t)-due.QuadPart;
	timer->Dpc = dpc;
	lf_fake_header_clear(&timer->Header);
	InsertTailList(&set, &timer->TimerListEntry);
	if (!runs && pthread_create(&thread, NULL, timer_main, NULL))
		lf_fake_broken("the host has no thread any more");
	runs = true;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&mutex);
	return was_set;
}

BOOLEAN KeCancelTimer(KTIMER *timer)
{
	lf_fake_need_irql("KeCancelTimer", DISPATCH_LEVEL);
	pthread_mutex_lock(&mutex);
	bool was_set = timer->TimerListEntry.Flink != NULL;
	if (was_set)
		unset(timer);
	pthread_mutex_unlock(&mutex);
	return was_set;
}

VOID KeFlushQueuedDpcs(VOID)
{
	lf_fake_passive("KeFlushQueuedDpcs");
	pthread_mutex_lock(&mutex);
	while (in_dpc)
		pthread_cond_wait(&idle, &mutex);
	pthread_mutex_unlock(&mutex);
}

void lf_fake_timers_run(void)
{
	pthread_mutex_lock(&mutex);
	pthread_cond_signal(&changed);
	for (;;) {
		KTIMER *timer = first_timer();
		if (!in_dpc && (!timer || timer->DueTime.QuadPart > now_100ns()))
			break;
		pthread_cond_wait(&idle, &mutex);
	}
	pthread_mutex_unlock(&mutex);
}

void lf_fake_timers_are_idle(const void *memory, size_t length_bytes)
{
	uintptr_t first = (uintptr_t)memory;
	pthread_mutex_lock(&mutex);
	for (LIST_ENTRY *at = set.Flink; at != &set; at = at->Flink)
		if ((uintptr_t)at - first < length_bytes)
			lf_fake_broken("memory is given back with a timer in it that is set");
	pthread_mutex_unlock(&mutex);
}

uint32_t lf_fake_timer_leaks(void)
{
	uint32_t leaks = 0;
	pthread_mutex_lock(&mutex);
	for (LIST_ENTRY *at = set.Flink; at != &set; at = at->Flink)
		leaks++;
	pthread_mutex_unlock(&mutex);
	if (leaks)
		printf("# leak: %u timers are set\n", leaks);
	return leaks;
}

void lf_fake_timer_reset(void)
{
	pthread_mutex_lock(&mutex);
	bool did_run = runs;
	ends = true;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&mutex);
	if (did_run)
		pthread_join(thread, NULL);
	pthread_mutex_lock(&mutex);
	runs = ends = false;
	InitializeListHead(&set);
	pthread_mutex_unlock(&mutex);
}
