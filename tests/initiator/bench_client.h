/* SPDX-License-Identifier: BSD-2-Clause */
/* bench_client.h: what the two files of lf-bench-client share. */
#ifndef LF_TESTS_BENCH_CLIENT_H
#define LF_TESTS_BENCH_CLIENT_H

#include "tests/initiator/initiator.h"
#include "tests/initiator/meter.h"
#include "tests/initiator/scsi.h"

#define BENCH_FILL_BYTES (1024 * 1024)
#define BENCH_FILL_DEPTH 8
#define BENCH_DEPTH_MAX  256

/* One stretch of work over the region. */
struct bench_phase {
	bool writes, random, once; /* once: every place of the region in turn, then the end */
	uint32_t io_bytes, depth;
	double seconds, warmup_seconds;
	uint64_t ios; /* ends the phase when not 0 */
};

struct bench_result {
	uint64_t ios, errors, miscompares;
	double seconds, server_cpu_seconds, client_cpu_seconds;
	struct lf_histogram latency;
};

struct bench {
	struct lf_initiator session;
	struct lf_unit unit;
	uint64_t region_start, region_blocks; /* logical blocks; whole MiB */
	uint64_t seed, random, generation;
	uint64_t *known; /* the generation that each block of the region holds; 0: not known yet */
	pid_t server_pid;
	bool check; /* what is read */
	bool fua;
};

/* False: the session is beyond use, or nothing came for a minute; session.error says so. */
bool bench_run(struct bench *bench, const struct bench_phase *phase, struct bench_result *result);

#endif
