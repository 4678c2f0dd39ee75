/* SPDX-License-Identifier: BSD-2-Clause */
/* breaks.h: for the tests of the small kernel: its rules do fire. */
#ifndef LF_TESTS_NT_BREAKS_H
#define LF_TESTS_NT_BREAKS_H

#include <stdbool.h>

/* A child does it on a fresh kernel: it breaks a rule, and says so with these words. */
bool lf_fake_breaks(void (*run)(void), const char *words);

#define CHECK_BREAKS(run, words) CHECK(lf_fake_breaks((run), (words)))

#endif
