/* SPDX-License-Identifier: BSD-2-Clause */
/* meter.h: time, processor time of another process, and a histogram of latencies. */
#ifndef LF_TESTS_METER_H
#define LF_TESTS_METER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

uint64_t lf_meter_now_ns(void);

/*
 * Processor time that all threads of a process have used, in nanoseconds: POSIX's per-process CPU-time clock,
 * which any process may read. Threads that have ended, the pool and io_uring's kernel workers are in it.
 */
bool lf_meter_cpu_ns(pid_t pid, uint64_t *used_ns); /* false: no such process */

bool lf_meter_pin(int cpu); /* the calling process to one processor */

/* Log-linear: 64 steps an octave, so a figure is right to 1.6 %. Nanoseconds. */
#define LF_HISTOGRAM_STEPS   64
#define LF_HISTOGRAM_BUCKETS (40 * LF_HISTOGRAM_STEPS)

struct lf_histogram {
	uint64_t count, highest_ns;
	uint64_t buckets[LF_HISTOGRAM_BUCKETS];
};

void lf_histogram_add(struct lf_histogram *histogram, uint64_t value_ns);
/* The value that fraction (0 to 1) of all are not above. */
double lf_histogram_at_us(const struct lf_histogram *histogram, double fraction);

#endif
