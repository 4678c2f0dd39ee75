/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h: reads argv by a table of options; the same table writes the help, and completions later. */
#ifndef LF_PROGRAMS_OPTIONS_H
#define LF_PROGRAMS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct lf_option {
	int id;      /* from 1 */
	char letter; /* 0: only the long name */
	const char *name;
	const char *value; /* what the help calls it; NULL: takes none */
	uint32_t verbs;    /* bits of the verbs that know it */
	const char *help;
};

/* What lf_option_next finds besides an option's id. */
enum lf_option_found {
	LF_OPTION_END = 0,
	LF_OPTION_OPERAND = -1,
	LF_OPTION_DASHES = -2,   /* "--": the reader stands behind it; go on for operands only */
	LF_OPTION_UNKNOWN = -3,  /* value: what stood there */
	LF_OPTION_NO_VALUE = -4, /* value: the option that wants one */
	LF_OPTION_SURPLUS = -5,  /* value: the option that takes none */
};

struct lf_option_reader {
	const struct lf_option *options;
	uint32_t count;
	uint32_t verbs; /* options of these are known; may change between calls */
	char **argv;
	int argc, at; /* the next one to read */
	bool operands_only;
	const char *cluster; /* rest of "-abc" */
	const char *value;   /* of the option or operand that was found */
	char shown[64];      /* value points here for what is wrong */
};

int lf_option_next(struct lf_option_reader *reader);

/* The options of these verbs, a line each, not those of the verbs in without. */
void lf_option_help(
	FILE *out, const struct lf_option *options, uint32_t count, uint32_t verbs, uint32_t without);

#endif
