/* SPDX-License-Identifier: BSD-2-Clause */
/* test.h: the harness of the unit tests: cases register themselves, main is in tests/test.c. */
#ifndef LF_TEST_H
#define LF_TEST_H

#include <stdbool.h>
#include <stdint.h>

/* One case: a static object made by TEST, linked into the list before main. */
struct lf_test_case {
	const char *name;
	void (*run)(void);
	struct lf_test_case *next;
};

void lf_test_register(struct lf_test_case *test);
/* All of these may be called from any thread of a case. */
void lf_test_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
void lf_test_skip(const char *reason);
bool lf_test_equal(
	const char *file, int line, const char *a_text, uint64_t a, const char *b_text, uint64_t b);
bool lf_test_same_text(const char *file, int line, const char *what, const char *a, const char *b);

#define TEST(test)                                                                                           \
	static void lf_test_run_##test(void);                                                                \
	static struct lf_test_case lf_test_case_##test = {#test, lf_test_run_##test, 0};                     \
	__attribute__((constructor)) static void lf_test_add_##test(void)                                    \
	{                                                                                                    \
		lf_test_register(&lf_test_case_##test);                                                      \
	}                                                                                                    \
	static void lf_test_run_##test(void)

/* A check that fails ends the function it stands in, which returns void: the case, or a helper of it. */
#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			lf_test_fail(__FILE__, __LINE__, "not true: %s", #condition);                        \
			return;                                                                              \
		}                                                                                            \
	} while (0)

/* Integers, compared as 64 bits. */
#define CHECK_EQ(a, b)                                                                                       \
	do {                                                                                                 \
		if (!lf_test_equal(__FILE__, __LINE__, #a, (uint64_t)(a), #b, (uint64_t)(b)))                \
			return;                                                                              \
	} while (0)

#define CHECK_STR(a, b)                                                                                      \
	do {                                                                                                 \
		if (!lf_test_same_text(__FILE__, __LINE__, #a, (a), (b)))                                    \
			return;                                                                              \
	} while (0)

#define SKIP(reason)                                                                                         \
	do {                                                                                                 \
		lf_test_skip(reason);                                                                        \
		return;                                                                                      \
	} while (0)

#endif
