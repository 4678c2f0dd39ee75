/* SPDX-License-Identifier: BSD-2-Clause */
/* timer.c: timers and their DPCs, which run in one thread at DISPATCH_LEVEL. */
#include "tests/storport/wine/standin/standin.h"

#define TIMERS_MAX 256

struct timer {
	KTIMER *timer;
	KDPC *dpc;
	ULONGLONG due_ms;
};

static struct timer timers[TIMERS_MAX];
static struct standin_lock lock;
static KEVENT wake;
static HANDLE thread;
static bool running, stopping;
static volatile LONG in_dpc;

static void run_dpc(KDPC *dpc)
{
	standin_irql_set(DISPATCH_LEVEL);
	dpc->DeferredRoutine(dpc, dpc->DeferredContext, NULL, NULL);
	standin_returned("a DPC", DISPATCH_LEVEL);
	standin_irql_set(PASSIVE_LEVEL);
}

/* Takes one that is due; NULL, and how long to wait. */
static KDPC *take_due(ULONGLONG *wait_ms)
{
	KDPC *dpc = NULL;
	ULONGLONG now = standin_now_ms();
	*wait_ms = 1000;
	standin_lock(&lock);
	for (int i = 0; i < TIMERS_MAX && !dpc; i++) {
		if (!timers[i].timer)
			continue;
		if (timers[i].due_ms <= now) {
			dpc = timers[i].dpc;
			timers[i].timer = NULL;
			InterlockedIncrement(&in_dpc);
		} else if (timers[i].due_ms - now < *wait_ms) {
			*wait_ms = timers[i].due_ms - now;
		}
	}
	standin_unlock(&lock);
	return dpc;
}

static void run_timers(void *context)
{
	(void)context;
	while (!stopping) {
		ULONGLONG wait_ms;
		KDPC *dpc = take_due(&wait_ms);
		if (dpc) {
			run_dpc(dpc);
			InterlockedDecrement(&in_dpc);
			continue;
		}
		LARGE_INTEGER time;
		time.QuadPart = -(LONGLONG)wait_ms * 10000;
		KeWaitForSingleObject(&wake, Executive, KernelMode, FALSE, &time);
	}
}

static bool remove_locked(const KTIMER *timer)
{
	bool found = false;
	for (int i = 0; i < TIMERS_MAX; i++) {
		if (timers[i].timer != timer)
			continue;
		timers[i].timer = NULL;
		found = true;
	}
	return found;
}

LONG standin_timers(void)
{
	LONG count = 0;
	standin_lock(&lock);
	for (int i = 0; i < TIMERS_MAX; i++)
		count += timers[i].timer != NULL;
	standin_unlock(&lock);
	return count + in_dpc;
}

bool standin_timer_within(const void *memory, SIZE_T bytes)
{
	bool found = false;
	standin_lock(&lock);
	for (int i = 0; i < TIMERS_MAX; i++)
		if ((char *)timers[i].timer >= (char *)memory &&
			(char *)timers[i].timer < (char *)memory + bytes)
			found = true;
	standin_unlock(&lock);
	return found;
}

static void NTAPI initialize_dpc(KDPC *dpc, KDEFERRED_ROUTINE *routine, void *context)
{
	memset(dpc, 0, sizeof(*dpc));
	dpc->DeferredRoutine = routine;
	dpc->DeferredContext = context;
}

static BOOLEAN NTAPI set_timer(KTIMER *timer, LARGE_INTEGER due, KDPC *dpc)
{
	standin_at_most_dispatch("KeSetTimer");
	if (due.QuadPart > 0)
		standin_fail("KeSetTimer with a point in time");
	standin_lock(&lock);
	if (!running) {
		running = true;
		stopping = false;
		KeInitializeEvent(&wake, SynchronizationEvent, FALSE);
		standin_thread_start(run_timers, NULL, &thread);
	}
	bool was_set = remove_locked(timer);
	int free = 0;
	while (free < TIMERS_MAX && timers[free].timer)
		free++;
	if (free == TIMERS_MAX)
		standin_fail("more than %d timers", TIMERS_MAX);
	else
		timers[free] = (struct timer){
			timer, dpc, standin_now_ms() + (ULONGLONG)(-due.QuadPart + 9999) / 10000};
	standin_unlock(&lock);
	KeSetEvent(&wake, 0, FALSE);
	return was_set;
}

static BOOLEAN NTAPI cancel_timer(KTIMER *timer)
{
	standin_at_most_dispatch("KeCancelTimer");
	standin_lock(&lock);
	bool was_set = remove_locked(timer);
	standin_unlock(&lock);
	return was_set;
}

static void NTAPI flush_dpcs(void)
{
	standin_passive("KeFlushQueuedDpcs");
	while (in_dpc)
		standin_sleep_ms(1);
}

void standin_timers_stop(void)
{
	if (!running)
		return;
	for (int i = 0; i < TIMERS_MAX; i++)
		if (timers[i].timer)
			standin_fail("timer %p is still set", timers[i].timer);
	stopping = true;
	KeSetEvent(&wake, 0, FALSE);
	standin_thread_join(thread);
	running = false;
}

const struct standin_import standin_timer_imports[] = {
	{"KeInitializeDpc", initialize_dpc},
	{"KeSetTimer", set_timer},
	{"KeCancelTimer", cancel_timer},
	{"KeFlushQueuedDpcs", flush_dpcs},
	{NULL, NULL},
};
