/* SPDX-License-Identifier: BSD-2-Clause */
/* soak.c: lf-soak: mixed I/O on a region of one unit, checked strictly; prints one line of JSON. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/initiator/soak.h"

static const char usage[] =
	"usage: lf-soak --target iscsi://HOST:PORT/IQN/LUN [options]\n"
	"  --seed N              of stamps, places and the mix; 1. Other initiators of the unit take another "
	"one\n"
	"  --region START:BLOCKS logical blocks that nobody else writes; 0:4096\n"
	"  --depth N             commands in flight, up to 256; 16\n"
	"  --seconds T, --ios N, --until-file PATH\n"
	"                        the end: time, number, or that the file is there; 5 s if none is given\n"
	"  --may-go              the unit may be disconnected: LOGICAL UNIT NOT SUPPORTED ends the run well\n"
	"  --report-luns         REPORT LUNS after REPORTED LUNS DATA HAS CHANGED\n"
	"  --unmap-zeroes        an unmapped block has to read zeros\n"
	"  --no-unmap            reads, writes and flushes only\n"
	"  --announce            prints \"running\" when the region is filled\n"
	"  --no-immediate --initial-r2t --first-burst BYTES --max-burst BYTES   for the login\n"
	"  --header-digest --data-digest --chap NAME:SECRET --chap-target NAME:SECRET   likewise\n"
	"Exit status: 0, or 1 after a miscompare, an unexpected answer or a broken session.\n";

enum {
	OPTION_TARGET = 256,
	OPTION_SEED,
	OPTION_REGION,
	OPTION_DEPTH,
	OPTION_SECONDS,
	OPTION_IOS,
	OPTION_UNTIL_FILE,
	OPTION_MAY_GO,
	OPTION_REPORT_LUNS,
	OPTION_UNMAP_ZEROES,
	OPTION_NO_UNMAP,
	OPTION_ANNOUNCE,
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
	{"seed", required_argument, NULL, OPTION_SEED},
	{"region", required_argument, NULL, OPTION_REGION},
	{"depth", required_argument, NULL, OPTION_DEPTH},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"ios", required_argument, NULL, OPTION_IOS},
	{"until-file", required_argument, NULL, OPTION_UNTIL_FILE},
	{"may-go", no_argument, NULL, OPTION_MAY_GO},
	{"report-luns", no_argument, NULL, OPTION_REPORT_LUNS},
	{"unmap-zeroes", no_argument, NULL, OPTION_UNMAP_ZEROES},
	{"no-unmap", no_argument, NULL, OPTION_NO_UNMAP},
	{"announce", no_argument, NULL, OPTION_ANNOUNCE},
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

static bool take_flag(struct soak_options *options, int option)
{
	switch (option) {
	case OPTION_MAY_GO:
		return options->may_go = true;
	case OPTION_REPORT_LUNS:
		return options->report_luns = true;
	case OPTION_UNMAP_ZEROES:
		return options->unmap_zeroes = true;
	case OPTION_NO_UNMAP:
		return options->no_unmap = true;
	case OPTION_ANNOUNCE:
		return options->announce = true;
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

static bool take_value(struct soak_options *options, int option, const char *value)
{
	char *end;
	uint64_t number;
	if (option == OPTION_TARGET)
		options->target = value;
	else if (option == OPTION_REGION)
		options->region = value;
	else if (option == OPTION_UNTIL_FILE)
		options->until_file = value;
	else if (option == OPTION_CHAP)
		options->login.chap = value;
	else if (option == OPTION_CHAP_TARGET)
		options->login.chap_target = value;
	else if (option == OPTION_SECONDS)
		options->seconds = strtod(value, NULL);
	if (option <= OPTION_REGION && option != OPTION_SEED)
		return true;
	if (option == OPTION_UNTIL_FILE || option == OPTION_SECONDS || option >= OPTION_CHAP)
		return true;
	errno = 0;
	number = value ? strtoull(value, &end, 0) : 0;
	if (!value || *end || errno || *value == '-')
		return false;
	if (option == OPTION_SEED)
		options->seed = number;
	else if (option == OPTION_IOS)
		options->ios = number;
	else if (option == OPTION_DEPTH && number && number <= SOAK_DEPTH_MAX)
		options->depth = (uint32_t)number;
	else if (option == OPTION_FIRST_BURST && number <= INT32_MAX)
		options->login.first_burst_bytes = (uint32_t)number;
	else if (option == OPTION_MAX_BURST && number <= INT32_MAX)
		options->login.max_burst_bytes = (uint32_t)number;
	else
		return false;
	return true;
}

static bool parse_options(int argc, char **argv, struct soak_options *options)
{
	int option;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (option == '?' || (!take_flag(options, option) && !take_value(options, option, optarg)))
			return false;
	if (!options->ios && !options->until_file && options->seconds <= 0)
		options->seconds = 5;
	return optind == argc && options->target;
}

static bool set_region(struct soak *soak)
{
	unsigned long long start = 0, count = soak->unit.block_count < 4096 ? soak->unit.block_count : 4096;
	if (soak->options->region && sscanf(soak->options->region, "%llu:%llu", &start, &count) != 2)
		return lf_initiator_fail(&soak->session, "--region is START:BLOCKS");
	if (start >= soak->unit.block_count || count > soak->unit.block_count - start ||
		count < SOAK_BLOCKS_MAX)
		return lf_initiator_fail(&soak->session,
			"the region ends behind the unit's %llu blocks, or is too small",
			(unsigned long long)soak->unit.block_count);
	if (count > UINT32_MAX)
		return lf_initiator_fail(&soak->session, "the region is too large to keep in mind");
	soak->model.start = start;
	soak->model.count = count;
	soak->model.block_size = soak->unit.block_size;
	return true;
}

static void print_result(const struct soak *soak, double seconds)
{
	const char *comma = "";
	printf("{\"ios\": %llu, \"reads\": %llu, \"writes\": %llu, \"flushes\": %llu, \"unmaps\": %llu, "
	       "\"report_luns\": %llu, \"seconds\": %.3f, \"miscompares\": %llu, \"unexpected\": %llu, "
	       "\"torn_by_overlap\": %llu, \"kept_after_unmap\": %llu, \"busy\": %llu, \"unit_attentions\": "
	       "{",
		(unsigned long long)soak->session.completed, (unsigned long long)soak->count[SOAK_READ],
		(unsigned long long)soak->count[SOAK_WRITE], (unsigned long long)soak->count[SOAK_FLUSH],
		(unsigned long long)soak->count[SOAK_UNMAP],
		(unsigned long long)soak->count[SOAK_REPORT_LUNS], seconds,
		(unsigned long long)soak->model.miscompares, (unsigned long long)soak->unexpected,
		(unsigned long long)soak->model.torn, (unsigned long long)soak->model.kept_after_unmap,
		(unsigned long long)soak->busy);
	for (uint32_t i = 0; i < SOAK_ATTENTIONS_MAX && soak->attentions[i].count; i++, comma = ", ")
		printf("%s\"%02X/%02X\": %llu", comma, soak->attentions[i].sense >> 8 & 0xff,
			soak->attentions[i].sense & 0xff, (unsigned long long)soak->attentions[i].count);
	printf("}, \"gone\": ");
	if (soak->gone)
		printf("\"%02x/%02x/%02x\", \"unanswered\": %llu}\n", soak->gone_sense >> 16,
			soak->gone_sense >> 8 & 0xff, soak->gone_sense & 0xff,
			(unsigned long long)soak->unanswered);
	else
		printf("null}\n");
}

/* A unit that left before it was asked anything is gone too. */
static bool probe(struct soak *soak, const struct lf_url *url)
{
	bool good = lf_unit_probe(&soak->session, lf_url_lun(url), &soak->unit);
	for (uint32_t i = 0; i < soak->unit.attention_count; i++)
		soak_count_attention(soak, soak->unit.attentions[i]);
	if (good || !soak->options->may_go || soak->unit.refused != LF_SENSE_LUN_NOT_SUPPORTED)
		return good;
	soak->gone = true;
	soak->gone_sense = soak->unit.refused;
	soak->session.error[0] = 0;
	return true;
}

static int run(const struct soak_options *options, const struct lf_url *url)
{
	static struct soak soak;
	struct timespec began, ended;
	bool good;
	clock_gettime(CLOCK_REALTIME, &began);
	soak.options = options;
	soak.model.seed = options->seed;
	soak.random = options->seed;
	soak.generation = (uint64_t)began.tv_sec * 1000000000u + (uint64_t)began.tv_nsec;
	good = lf_initiator_login(&soak.session, url, &options->login) && probe(&soak, url);
	if (good && !soak.gone)
		good = set_region(&soak) && soak_run(&soak);
	good = good && lf_initiator_ping(&soak.session) && lf_initiator_logout(&soak.session);
	if (!good)
		fprintf(stderr, "lf-soak: %s\n", soak.session.error);
	lf_initiator_close(&soak.session);
	soak_free(&soak);
	clock_gettime(CLOCK_REALTIME, &ended);
	print_result(
		&soak, (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9);
	return good && soak.unexpected == 0 && soak.model.miscompares == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct soak_options options = {.depth = 16, .seed = 1, .login = {.immediate_data = true}};
	struct lf_url url;
	const char *why;
	char name[80];
	if (!parse_options(argc, argv, &options)) {
		fputs(usage, stderr);
		return 2;
	}
	if (!lf_url_parse(options.target, &url, &why)) {
		fprintf(stderr, "lf-soak: %s: %s\n", options.target, why);
		return 2;
	}
	snprintf(name, sizeof(name), "iqn.2001-01.com.example:soak-%llu-%d", (unsigned long long)options.seed,
		(int)getpid());
	options.login.initiator_name = name;
	options.login.isid = (uint32_t)getpid();
	return run(&options, &url);
}
