/* SPDX-License-Identifier: BSD-2-Clause */
/* modes.h: the ways to an adapter that a program runs the corpus over: each program has some of its own. */
#ifndef LF_TESTS_CONFORMANCE_MODES_H
#define LF_TESTS_CONFORMANCE_MODES_H

#include "tests/conformance/corpus.h"

#define CORPUS_MODES_MAX 4

struct corpus_mode {
	const char *name;
	struct way_to *(*open)(void);
	bool golden; /* what it says of its operation codes is compared, too */
};

extern const struct corpus_mode corpus_modes[];
extern const uint32_t corpus_mode_count;
extern const char corpus_modes_usage[]; /* lines of text */

#endif
