/* SPDX-License-Identifier: BSD-2-Clause */
/* meter.c: time, processor time of another process, and a histogram of latencies. */
#include <sched.h>
#include <time.h>

#include "tests/initiator/meter.h"

static uint64_t nanoseconds(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

uint64_t lf_meter_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return nanoseconds(&now);
}

bool lf_meter_cpu_ns(pid_t pid, uint64_t *used_ns)
{
	struct timespec used;
	clockid_t clock;
	*used_ns = 0;
	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
		return false;
	*used_ns = nanoseconds(&used);
	return true;
}

bool lf_meter_pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static uint32_t bucket_of(uint64_t value)
{
	uint32_t octave = 0;
	if (value >= 2 * LF_HISTOGRAM_STEPS)
		octave = 57 - (uint32_t)__builtin_clzll(value); /* leaves 64 to 127 */
	uint64_t bucket = (uint64_t)octave * LF_HISTOGRAM_STEPS + (value >> octave);
	return bucket < LF_HISTOGRAM_BUCKETS ? (uint32_t)bucket : LF_HISTOGRAM_BUCKETS - 1;
}

void lf_histogram_add(struct lf_histogram *histogram, uint64_t value_ns)
{
	histogram->count++;
	histogram->buckets[bucket_of(value_ns)]++;
	if (value_ns > histogram->highest_ns)
		histogram->highest_ns = value_ns;
}

double lf_histogram_at_us(const struct lf_histogram *histogram, double fraction)
{
	uint64_t wanted = (uint64_t)(fraction * (double)histogram->count), seen = 0;
	for (uint32_t bucket = 0; bucket < LF_HISTOGRAM_BUCKETS; bucket++) {
		seen += histogram->buckets[bucket];
		if (seen > wanted) {
			uint32_t octave =
				bucket < 2 * LF_HISTOGRAM_STEPS ? 0 : bucket / LF_HISTOGRAM_STEPS - 1;
			uint64_t low = (uint64_t)(bucket - octave * LF_HISTOGRAM_STEPS) << octave;
			uint64_t middle = low + (UINT64_C(1) << octave) / 2;
			return (double)(middle < histogram->highest_ns ? middle : histogram->highest_ns) /
			       1e3;
		}
	}
	return (double)histogram->highest_ns / 1e3;
}
