/* SPDX-License-Identifier: BSD-2-Clause */
/* bench_client.c: lf-bench-client: one measured workload over iSCSI; prints one line of JSON. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/initiator/bench_client.h"

static const char usage[] =
	"usage: lf-bench-client --target iscsi://HOST:PORT/IQN/LUN --workload NAME [options]\n"
	"  --workload NAME       randread, randwrite, read, write (sequential), fill (stamps the region),\n"
	"                        verify (reads it once), idle (sits logged in)\n"
	"  --block-size BYTES    of one I/O; 4096, sequential ones 1048576\n"
	"  --depth N             I/Os in flight, up to 256; 1, sequential ones 8\n"
	"  --seconds T           measured time; 5\n"
	"  --ios N               ends after N I/Os instead\n"
	"  --warmup T            seconds before the measured time; 0.3\n"
	"  --region START:BLOCKS logical blocks, cut to whole MiB; the whole unit\n"
	"  --seed N              of stamps and places; 1. A region that is read was filled with the same "
	"seed\n"
	"  --verify              after a writing workload: reads the region and checks every block\n"
	"  --no-check            believe what is read\n"
	"  --fua                 write with FUA\n"
	"  --server-pid PID      counts the processor time of that process in the measured time\n"
	"  --cpu N               runs on that processor only\n"
	"  --sessions N          how many sit idle; 4\n"
	"  --no-immediate --initial-r2t --first-burst BYTES --max-burst BYTES   for the login\n"
	"  --header-digest --data-digest --chap NAME:SECRET --chap-target NAME:SECRET   likewise\n";

struct options {
	const char *target, *workload, *region;
	uint32_t io_bytes, depth, sessions;
	double seconds, warmup_seconds;
	uint64_t ios, seed;
	bool verify, no_check, fua;
	int cpu;
	pid_t server_pid;
	struct lf_login login;
};

enum {
	OPTION_TARGET = 256,
	OPTION_WORKLOAD,
	OPTION_BLOCK_SIZE,
	OPTION_DEPTH,
	OPTION_SECONDS,
	OPTION_IOS,
	OPTION_WARMUP,
	OPTION_REGION,
	OPTION_SEED,
	OPTION_VERIFY,
	OPTION_NO_CHECK,
	OPTION_FUA,
	OPTION_SERVER_PID,
	OPTION_CPU,
	OPTION_SESSIONS,
	OPTION_NO_IMMEDIATE,
	OPTION_INITIAL_R2T,
	OPTION_FIRST_BURST,
	OPTION_MAX_BURST,
	OPTION_HEADER_DIGEST,
	OPTION_DATA_DIGEST,
	OPTION_CHAP,
	OPTION_CHAP_TARGET,
};

static const struct option long_options[] = {
	{"target", required_argument, NULL, OPTION_TARGET},
	{"workload", required_argument, NULL, OPTION_WORKLOAD},
	{"block-size", required_argument, NULL, OPTION_BLOCK_SIZE},
	{"depth", required_argument, NULL, OPTION_DEPTH},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"ios", required_argument, NULL, OPTION_IOS},
	{"warmup", required_argument, NULL, OPTION_WARMUP},
	{"region", required_argument, NULL, OPTION_REGION},
	{"seed", required_argument, NULL, OPTION_SEED},
	{"verify", no_argument, NULL, OPTION_VERIFY},
	{"no-check", no_argument, NULL, OPTION_NO_CHECK},
	{"fua", no_argument, NULL, OPTION_FUA},
	{"server-pid", required_argument, NULL, OPTION_SERVER_PID},
	{"cpu", required_argument, NULL, OPTION_CPU},
	{"sessions", required_argument, NULL, OPTION_SESSIONS},
	{"no-immediate", no_argument, NULL, OPTION_NO_IMMEDIATE},
	{"initial-r2t", no_argument, NULL, OPTION_INITIAL_R2T},
	{"first-burst", required_argument, NULL, OPTION_FIRST_BURST},
	{"max-burst", required_argument, NULL, OPTION_MAX_BURST},
	{"header-digest", no_argument, NULL, OPTION_HEADER_DIGEST},
	{"data-digest", no_argument, NULL, OPTION_DATA_DIGEST},
	{"chap", required_argument, NULL, OPTION_CHAP},
	{"chap-target", required_argument, NULL, OPTION_CHAP_TARGET},
	{NULL, 0, NULL, 0},
};

static bool take_flag(struct options *options, int option)
{
	switch (option) {
	case OPTION_VERIFY:
		return options->verify = true;
	case OPTION_NO_CHECK:
		return options->no_check = true;
	case OPTION_FUA:
		return options->fua = true;
	case OPTION_NO_IMMEDIATE:
		options->login.immediate_data = false;
		return true;
	case OPTION_INITIAL_R2T:
		return options->login.initial_r2t = true;
	case OPTION_HEADER_DIGEST:
		return options->login.header_digest = true;
	case OPTION_DATA_DIGEST:
		return options->login.data_digest = true;
	default:
		return false;
	}
}

static bool take_value(struct options *options, int option, const char *value)
{
	switch (option) {
	case OPTION_TARGET:
		options->target = value;
		return true;
	case OPTION_WORKLOAD:
		options->workload = value;
		return true;
	case OPTION_REGION:
		options->region = value;
		return true;
	case OPTION_CHAP:
		options->login.chap = value;
		return true;
	case OPTION_CHAP_TARGET:
		options->login.chap_target = value;
		return true;
	case OPTION_SECONDS:
		options->seconds = strtod(value, NULL);
		return options->seconds > 0;
	case OPTION_WARMUP:
		options->warmup_seconds = strtod(value, NULL);
		return options->warmup_seconds >= 0;
	default:
		return false;
	}
}

static bool take_number(struct options *options, int option, const char *value)
{
	char *end;
	uint64_t number;
	errno = 0;
	number = value ? strtoull(value, &end, 0) : 0;
	if (!value || *end || errno || *value == '-')
		return false;
	if (option == OPTION_IOS)
		options->ios = number;
	else if (option == OPTION_SEED)
		options->seed = number;
	else if (number > INT32_MAX)
		return false;
	else if (option == OPTION_BLOCK_SIZE)
		options->io_bytes = (uint32_t)number;
	else if (option == OPTION_DEPTH)
		options->depth = (uint32_t)number;
	else if (option == OPTION_SERVER_PID)
		options->server_pid = (pid_t)number;
	else if (option == OPTION_CPU)
		options->cpu = (int)number;
	else if (option == OPTION_SESSIONS)
		options->sessions = (uint32_t)number;
	else if (option == OPTION_FIRST_BURST)
		options->login.first_burst_bytes = (uint32_t)number;
	else if (option == OPTION_MAX_BURST)
		options->login.max_burst_bytes = (uint32_t)number;
	else
		return false;
	return true;
}

static bool is(const struct options *options, const char *workload)
{
	return strcmp(options->workload, workload) == 0;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
	int option;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (!take_flag(options, option) && !take_value(options, option, optarg) &&
			!take_number(options, option, optarg))
			return false;
	}
	if (optind != argc || !options->target || !options->workload)
		return false;
	if (!is(options, "randread") && !is(options, "randwrite") && !is(options, "read") &&
		!is(options, "write") && !is(options, "fill") && !is(options, "verify") &&
		!is(options, "idle"))
		return false;
	bool random = strncmp(options->workload, "rand", 4) == 0;
	if (!options->io_bytes || is(options, "fill") || is(options, "verify"))
		options->io_bytes = random ? 4096 : BENCH_FILL_BYTES;
	if (!options->depth)
		options->depth = random ? 1 : BENCH_FILL_DEPTH;
	return options->depth <= BENCH_DEPTH_MAX && options->io_bytes % 512 == 0 && options->io_bytes &&
	       BENCH_FILL_BYTES % options->io_bytes == 0 && options->sessions && options->sessions <= 64;
}

static bool set_region(struct bench *bench, const struct options *options)
{
	const struct lf_unit *unit = &bench->unit;
	uint32_t per_mib = BENCH_FILL_BYTES / unit->block_size;
	unsigned long long start = 0, blocks = unit->block_count;
	if (options->region && sscanf(options->region, "%llu:%llu", &start, &blocks) != 2)
		return lf_initiator_fail(&bench->session, "--region is START:BLOCKS");
	if (start >= unit->block_count || blocks > unit->block_count - start)
		return lf_initiator_fail(&bench->session, "the region ends behind the unit's %llu blocks",
			(unsigned long long)unit->block_count);
	bench->region_start = start;
	bench->region_blocks = blocks - blocks % per_mib;
	if (bench->region_blocks == 0 || options->io_bytes % unit->block_size)
		return lf_initiator_fail(
			&bench->session, "the region is below 1 MiB, or the I/O size no whole block");
	bench->known = calloc(bench->region_blocks, sizeof(*bench->known));
	return bench->known || lf_initiator_fail(&bench->session, "no memory");
}

static void print_result(const struct options *options, const struct bench_result *result)
{
	double ios = result->ios ? (double)result->ios : 1,
	       seconds = result->seconds > 0 ? result->seconds : 1;
	printf("{\"workload\": \"%s\", \"block_bytes\": %u, \"depth\": %u, \"ios\": %llu, \"seconds\": %.4f, "
	       "\"iops\": %.1f, \"mib_s\": %.2f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, ",
		options->workload, options->io_bytes, options->depth, (unsigned long long)result->ios,
		result->seconds, (double)result->ios / seconds,
		(double)result->ios * options->io_bytes / 1048576.0 / seconds,
		lf_histogram_at_us(&result->latency, 0.50), lf_histogram_at_us(&result->latency, 0.99),
		(double)result->latency.highest_ns / 1e3);
	if (options->server_pid)
		printf("\"server_cpu_seconds\": %.4f, \"server_cpu_us_per_io\": %.3f, ",
			result->server_cpu_seconds, result->server_cpu_seconds * 1e6 / ios);
	printf("\"client_cpu_us_per_io\": %.3f, \"errors\": %llu, \"miscompares\": %llu}\n",
		result->client_cpu_seconds * 1e6 / ios, (unsigned long long)result->errors,
		(unsigned long long)result->miscompares);
}

/* The workload, and for writers the check of all that was written. */
static bool run_load(struct bench *bench, const struct options *options, struct bench_result *result)
{
	static struct bench_result checked;
	struct bench_phase phase = {
		.writes = is(options, "randwrite") || is(options, "write") || is(options, "fill"),
		.random = is(options, "randread") || is(options, "randwrite"),
		.once = is(options, "fill") || is(options, "verify"),
		.io_bytes = options->io_bytes,
		.depth = options->depth,
		.seconds = options->seconds,
		.warmup_seconds = options->warmup_seconds,
		.ios = options->ios};
	struct bench_phase again = {.once = true, .io_bytes = BENCH_FILL_BYTES, .depth = BENCH_FILL_DEPTH};
	if (phase.once || phase.ios)
		phase.warmup_seconds = 0;
	if (!bench_run(bench, &phase, result))
		return false;
	if (!phase.writes || !options->verify)
		return true;
	bench->check = true;
	if (!bench_run(bench, &again, &checked))
		return false;
	result->miscompares += checked.miscompares;
	result->errors += checked.errors;
	return true;
}

static bool sit_idle(const struct options *options, const struct lf_url *url)
{
	struct lf_initiator *sessions = calloc(options->sessions, sizeof(*sessions));
	struct lf_login login = options->login;
	struct lf_unit unit;
	uint64_t before_ns = 0, after_ns = 0, began = 0, now;
	uint32_t opened;
	bool good = sessions != NULL;
	for (opened = 0; good && opened < options->sessions; opened++) {
		login.isid = (uint32_t)getpid() << 8 | opened;
		good = lf_initiator_login(&sessions[opened], url, &login) &&
		       lf_unit_probe(&sessions[opened], lf_url_lun(url), &unit);
	}
	if (good) {
		usleep(500000);
		good = lf_meter_cpu_ns(options->server_pid, &before_ns);
		began = lf_meter_now_ns();
	}
	do {
		/* Keeps answering what the server may ask. */
		for (uint32_t i = 0; good && i < opened; i++)
			good = lf_initiator_turn(&sessions[i]);
		now = lf_meter_now_ns();
	} while (good && now - began < (uint64_t)(options->seconds * 1e9));
	good = good && lf_meter_cpu_ns(options->server_pid, &after_ns);
	for (uint32_t i = 0; i < opened; i++) {
		if (sessions[i].error[0])
			fprintf(stderr, "lf-bench-client: %s\n", sessions[i].error);
		lf_initiator_close(&sessions[i]);
	}
	free(sessions);
	if (good)
		printf("{\"workload\": \"idle\", \"sessions\": %u, \"seconds\": %.3f, "
		       "\"server_cpu_seconds\": %.6f}\n",
			options->sessions, (double)(now - began) / 1e9, (double)(after_ns - before_ns) / 1e9);
	return good;
}

static int run(const struct options *options, const struct lf_url *url)
{
	static struct bench bench;
	static struct bench_result result;
	struct timespec wall;
	bool good;
	if (is(options, "idle"))
		return sit_idle(options, url) ? 0 : 1;
	clock_gettime(CLOCK_REALTIME, &wall);
	bench.seed = options->seed;
	bench.random = options->seed ^ (uint64_t)wall.tv_nsec;
	/* Above every generation of an earlier run. */
	bench.generation = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec;
	bench.server_pid = options->server_pid;
	bench.check = !options->no_check;
	bench.fua = options->fua;
	good = lf_initiator_login(&bench.session, url, &options->login) &&
	       lf_unit_probe(&bench.session, lf_url_lun(url), &bench.unit) && set_region(&bench, options) &&
	       run_load(&bench, options, &result) && lf_initiator_logout(&bench.session);
	if (good)
		print_result(options, &result);
	else
		fprintf(stderr, "lf-bench-client: %s\n", bench.session.error);
	lf_initiator_close(&bench.session);
	free(bench.known);
	return good && result.errors == 0 && result.miscompares == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options options = {.seconds = 5,
		.warmup_seconds = 0.3,
		.seed = 1,
		.cpu = -1,
		.sessions = 4,
		.login = {.immediate_data = true}};
	struct lf_url url;
	const char *why;
	char name[64];
	uint64_t used;
	if (!parse_options(argc, argv, &options)) {
		fputs(usage, stderr);
		return 2;
	}
	if (!lf_url_parse(options.target, &url, &why)) {
		fprintf(stderr, "lf-bench-client: %s: %s\n", options.target, why);
		return 2;
	}
	if (options.cpu >= 0 && !lf_meter_pin(options.cpu)) {
		fprintf(stderr, "lf-bench-client: cannot run on processor %d: %s\n", options.cpu,
			strerror(errno));
		return 2;
	}
	if (options.server_pid && !lf_meter_cpu_ns(options.server_pid, &used)) {
		fprintf(stderr, "lf-bench-client: no process %d\n", (int)options.server_pid);
		return 2;
	}
	snprintf(name, sizeof(name), "iqn.2001-01.com.example:bench-%d", (int)getpid());
	options.login.initiator_name = name;
	options.login.isid = (uint32_t)getpid();
	return run(&options, &url);
}
