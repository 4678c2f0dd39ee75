/* SPDX-License-Identifier: BSD-2-Clause */
/* rules.c: broken rules, faults, dice, what leaks, and the way back to the start. */
#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/storport/nt/internal.h"

struct plan {
	uint64_t calls;
	uint64_t from, to; /* calls from <= n < to fail */
	uint32_t per_1024;
	struct lf_fake_dice dice;
};

static struct plan plans[LF_FAKE_CALLS]; /* all by atomics */

void lf_fake_broken(const char *format, ...)
{
	void *frames[64];
	va_list values;
	va_start(values, format);
	fflush(stdout);
	fputs("broken rule: ", stderr);
	vfprintf(stderr, format, values);
	fputc('\n', stderr);
	va_end(values);
	backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
	abort();
}

void lf_fake_dice_set(struct lf_fake_dice *dice, uint64_t seed)
{
	__atomic_store_n(&dice->state, seed, __ATOMIC_RELAXED);
}

uint32_t lf_fake_dice_throw(struct lf_fake_dice *dice, uint32_t sides)
{
	uint64_t x = __atomic_add_fetch(&dice->state, 0x9e3779b97f4a7c15ULL, __ATOMIC_RELAXED);
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return (uint32_t)((x ^ x >> 31) % sides);
}

bool lf_fake_fails(enum lf_fake_call call)
{
	struct plan *plan = &plans[call];
	uint64_t number = __atomic_fetch_add(&plan->calls, 1, __ATOMIC_RELAXED);
	if (number >= __atomic_load_n(&plan->from, __ATOMIC_RELAXED) &&
		number < __atomic_load_n(&plan->to, __ATOMIC_RELAXED))
		return true;
	uint32_t per_1024 = __atomic_load_n(&plan->per_1024, __ATOMIC_RELAXED);
	return per_1024 && lf_fake_dice_throw(&plan->dice, 1024) < per_1024;
}

void lf_fake_fail(enum lf_fake_call call, uint32_t spared, uint32_t count)
{
	struct plan *plan = &plans[call];
	uint64_t from = __atomic_load_n(&plan->calls, __ATOMIC_RELAXED) + spared;
	__atomic_store_n(&plan->to, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&plan->from, from, __ATOMIC_RELAXED);
	__atomic_store_n(&plan->to, count ? from + count : UINT64_MAX, __ATOMIC_RELAXED);
}

void lf_fake_fail_some(enum lf_fake_call call, uint32_t per_1024, uint64_t seed)
{
	lf_fake_dice_set(&plans[call].dice, seed);
	__atomic_store_n(&plans[call].per_1024, per_1024, __ATOMIC_RELAXED);
}

uint64_t lf_fake_calls(enum lf_fake_call call)
{
	return __atomic_load_n(&plans[call].calls, __ATOMIC_RELAXED);
}

void lf_fake_calls_reset(void)
{
	for (uint32_t i = 0; i < LF_FAKE_CALLS; i++) {
		__atomic_store_n(&plans[i].calls, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&plans[i].from, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&plans[i].to, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&plans[i].per_1024, 0, __ATOMIC_RELAXED);
	}
}

void lf_fake_reset(void)
{
	lf_fake_passive("lf_fake_reset");
	lf_fake_calls_reset();
	lf_fake_timer_reset();
	lf_fake_fs_reset();
	lf_fake_irp_reset();
	lf_fake_registry_reset();
	lf_fake_pnp_reset();
	lf_fake_etw_reset();
	lf_fake_text_reset();
	lf_fake_processors(4);
	lf_fake_clock_rate(1);
	lf_fake_revert();
	lf_fake_process_of(LF_FAKE_SYSTEM);
}

uint32_t lf_fake_leaks(void)
{
	lf_fake_threads_settle();
	return lf_fake_pool_leaks() + lf_fake_object_leaks() + lf_fake_irp_leaks() + lf_fake_mapping_leaks() +
	       lf_fake_timer_leaks() + lf_fake_pnp_leaks() + lf_fake_etw_leaks();
}

void lf_fake_range_is_idle(const void *memory, size_t length_bytes)
{
	lf_fake_mdls_are_idle(memory, length_bytes);
	lf_fake_timers_are_idle(memory, length_bytes);
}
