/* SPDX-License-Identifier: BSD-2-Clause */
/* ke.c: the IRQL of each thread, spin locks, processors, the clock, the end. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/storport/nt/internal.h"

static _Thread_local struct lf_fake_thread self;
static uint32_t processors = 4; /* by atomics, as is the next */
static uint32_t threads_seen;

struct lf_fake_thread *lf_fake_self(void)
{
	if (!self.is_ready) {
		pthread_condattr_t attributes;
		pthread_condattr_init(&attributes);
		pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
		pthread_cond_init(&self.awake, &attributes);
		pthread_condattr_destroy(&attributes);
		self.processor = __atomic_fetch_add(&threads_seen, 1, __ATOMIC_RELAXED);
		self.is_ready = true;
	}
	return &self;
}

PETHREAD lf_fake_current_thread(void)
{
	return (PETHREAD)(void *)lf_fake_self();
}

KIRQL lf_fake_irql(void)
{
	return lf_fake_self()->irql;
}

KIRQL KeGetCurrentIrql(VOID)
{
	return lf_fake_irql();
}

KIRQL lf_fake_irql_raise(KIRQL irql)
{
	struct lf_fake_thread *thread = lf_fake_self();
	KIRQL before = thread->irql;
	if (irql < before)
		lf_fake_broken("the IRQL is raised from %u to %u", before, irql);
	thread->irql = irql;
	return before;
}

void lf_fake_irql_lower(KIRQL irql)
{
	struct lf_fake_thread *thread = lf_fake_self();
	if (irql > thread->irql)
		lf_fake_broken("the IRQL is lowered from %u to %u", thread->irql, irql);
	if (thread->lock_count && irql < DISPATCH_LEVEL)
		lf_fake_broken("the IRQL is lowered to %u while a spin lock is held", irql);
	thread->irql = irql;
}

void lf_fake_need_irql(const char *who, KIRQL most)
{
	if (lf_fake_self()->irql > most)
		lf_fake_broken("%s at IRQL %u; at most %u", who, lf_fake_self()->irql, most);
}

void lf_fake_need_no_lock(const char *who)
{
	if (lf_fake_self()->lock_count)
		lf_fake_broken("%s while a spin lock is held", who);
}

void lf_fake_passive(const char *who)
{
	lf_fake_need_no_lock(who);
	lf_fake_need_irql(who, PASSIVE_LEVEL);
}

uint32_t lf_fake_locks_held(void)
{
	return lf_fake_self()->lock_count;
}

/* ---- spin locks: the word is who holds it; the race detector is told, as it looks for orders that deadlock
 * ---- */

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LF_FAKE_TSAN
#endif
#endif

#if defined(LF_FAKE_TSAN)
#include <sanitizer/tsan_interface.h>
#else
#define __tsan_mutex_pre_lock(lock, flags)             ((void)0)
#define __tsan_mutex_post_lock(lock, flags, recursion) ((void)0)
#define __tsan_mutex_pre_unlock(lock, flags)           ((void)0)
#define __tsan_mutex_post_unlock(lock, flags)          ((void)0)
#define __tsan_mutex_linker_init                       0
#endif

KIRQL KeAcquireSpinLockRaiseToDpc(KSPIN_LOCK *lock)
{
	struct lf_fake_thread *thread = lf_fake_self();
	lf_fake_need_irql("KeAcquireSpinLockRaiseToDpc", DISPATCH_LEVEL);
	if (thread->lock_count == LF_FAKE_LOCKS_OF_A_THREAD)
		lf_fake_broken("more than %d spin locks at once", LF_FAKE_LOCKS_OF_A_THREAD);
	if (__atomic_load_n(lock, __ATOMIC_RELAXED) == (ULONG_PTR)thread)
		lf_fake_broken("a spin lock is acquired by the thread that holds it");
	__tsan_mutex_pre_lock(lock, __tsan_mutex_linker_init);
	for (uint32_t tries = 1;; tries++) {
		ULONG_PTR holder = 0;
		if (__atomic_compare_exchange_n(
			    lock, &holder, (ULONG_PTR)thread, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			break;
		/* Its holder may have lost its processor, as no real one does at DISPATCH_LEVEL. */
		if (tries % 64 == 0)
			nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
		else
			sched_yield();
	}
	__tsan_mutex_post_lock(lock, __tsan_mutex_linker_init, 0);
	KIRQL before = thread->irql;
	thread->locks[thread->lock_count++] = (struct lf_fake_held_lock){lock, before};
	thread->irql = DISPATCH_LEVEL;
	return before;
}

VOID KeReleaseSpinLock(KSPIN_LOCK *lock, KIRQL irql)
{
	struct lf_fake_thread *thread = lf_fake_self();
	uint32_t at = thread->lock_count;
	while (at && thread->locks[at - 1].lock != lock)
		at--;
	if (at == 0)
		lf_fake_broken("a spin lock is released by a thread that does not hold it");
	if (thread->irql != DISPATCH_LEVEL)
		lf_fake_broken("a spin lock is released at IRQL %u", thread->irql);
	if (at != thread->lock_count)
		lf_fake_broken("a spin lock is released before the one that was acquired after it");
	if (irql != thread->locks[at - 1].before)
		lf_fake_broken("a spin lock is released to IRQL %u; it was acquired at %u", irql,
			thread->locks[at - 1].before);
	thread->lock_count--;
	__tsan_mutex_pre_unlock(lock, 0);
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
	__tsan_mutex_post_unlock(lock, 0);
	thread->irql = irql;
}

/* ---- processors, the clock, the end ---- */

void lf_fake_processors(uint32_t count)
{
	__atomic_store_n(&processors, count, __ATOMIC_RELAXED);
}

void lf_fake_run_on(uint32_t number)
{
	lf_fake_self()->processor = number;
}

ULONG KeQueryActiveProcessorCountEx(USHORT group)
{
	if (group != ALL_PROCESSOR_GROUPS && group != 0)
		return 0;
	return __atomic_load_n(&processors, __ATOMIC_RELAXED);
}

ULONG KeGetCurrentProcessorNumberEx(PROCESSOR_NUMBER *number)
{
	ULONG index = lf_fake_self()->processor % __atomic_load_n(&processors, __ATOMIC_RELAXED);
	if (number)
		*number = (PROCESSOR_NUMBER){.Number = (UCHAR)index};
	return index;
}

/* How the clock goes since its rate was last changed; never written once it is the one that counts. */
struct pace {
	uint64_t host_100ns, our_100ns;
	uint32_t times;
};

static const struct pace first_pace = {0, 0, 1};
static const struct pace *current_pace = &first_pace; /* by atomics */

static uint64_t host_100ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 10000000 + (uint64_t)now.tv_nsec / 100;
}

static void set_pace(uint64_t leap_100ns, uint32_t times)
{
	static struct pace paces[64];
	static uint32_t next; /* by atomics */
	struct pace *pace = &paces[__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % 64];
	uint64_t now_100ns = (uint64_t)KeQueryPerformanceCounter(NULL).QuadPart;
	*pace = (struct pace){host_100ns(), now_100ns + leap_100ns, times};
	__atomic_store_n(&current_pace, pace, __ATOMIC_RELEASE);
}

static uint32_t clock_rate(void)
{
	return __atomic_load_n(&current_pace, __ATOMIC_ACQUIRE)->times;
}

void lf_fake_clock_rate(uint32_t times)
{
	set_pace(0, times);
}

void lf_fake_clock_leap(uint64_t length_ns)
{
	set_pace(length_ns / 100, clock_rate());
	lf_fake_timers_run();
}

bool lf_fake_clock_stands(void)
{
	return clock_rate() == 0;
}

uint64_t lf_fake_host_ns(uint64_t ns)
{
	uint32_t times = clock_rate();
	return times ? ns / times : ns;
}

/* Ten million ticks in a second, as Windows 10 has it. */
LARGE_INTEGER KeQueryPerformanceCounter(LARGE_INTEGER *frequency)
{
	const struct pace *pace = __atomic_load_n(&current_pace, __ATOMIC_ACQUIRE);
	if (frequency)
		frequency->QuadPart = 10000000;
	uint64_t passed = (host_100ns() - pace->host_100ns) * pace->times;
	return (LARGE_INTEGER){.QuadPart = (LONGLONG)(pace->our_100ns + passed)};
}

VOID KeBugCheckEx(ULONG code, ULONG_PTR a, ULONG_PTR b, ULONG_PTR c, ULONG_PTR d)
{
	lf_fake_broken("bug check 0x%x (0x%zx, 0x%zx, 0x%zx, 0x%zx)", code, a, b, c, d);
}
