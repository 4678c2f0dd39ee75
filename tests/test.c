/* SPDX-License-Identifier: BSD-2-Clause */
/* test.c: main of every unit test: runs the cases, or those named, and prints one line for each. */
#include "tests/test.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct lf_test_case *first, **last = &first;
static bool failed;         /* the running case; atomic, as its threads may set it */
static const char *skipped; /* likewise: why it was skipped */

void lf_test_register(struct lf_test_case *test)
{
	*last = test;
	last = &test->next;
}

void lf_test_fail(const char *file, int line, const char *format, ...)
{
	char text[1024];
	va_list values;
	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	printf("# %s:%d: %s\n", file, line, text);
	__atomic_store_n(&failed, true, __ATOMIC_SEQ_CST);
}

void lf_test_skip(const char *reason)
{
	__atomic_store_n(&skipped, reason, __ATOMIC_SEQ_CST);
}

bool lf_test_equal(const char *file, int line, const char *a_text, uint64_t a, const char *b_text, uint64_t b)
{
	if (a == b)
		return true;
	lf_test_fail(file, line, "%s is %" PRIu64 " (0x%" PRIx64 "), %s is %" PRIu64 " (0x%" PRIx64 ")",
		a_text, a, a, b_text, b, b);
	return false;
}

bool lf_test_same_text(const char *file, int line, const char *what, const char *a, const char *b)
{
	if (a && b && strcmp(a, b) == 0)
		return true;
	lf_test_fail(file, line, "%s is \"%s\", not \"%s\"", what, a ? a : "(null)", b ? b : "(null)");
	return false;
}

static bool run_case(const struct lf_test_case *test)
{
	__atomic_store_n(&failed, false, __ATOMIC_SEQ_CST);
	__atomic_store_n(&skipped, NULL, __ATOMIC_SEQ_CST);
	test->run();
	bool is_failed = __atomic_load_n(&failed, __ATOMIC_SEQ_CST);
	const char *why = __atomic_load_n(&skipped, __ATOMIC_SEQ_CST);
	if (is_failed)
		printf("not ok %s\n", test->name);
	else if (why)
		printf("skip %s: %s\n", test->name, why);
	else
		printf("ok %s\n", test->name);
	return !is_failed;
}

static bool is_named(const struct lf_test_case *test, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], test->name) == 0)
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	/* Whatever was printed stays when a case brings the process down. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	uint32_t count = 0, failures = 0;
	for (const struct lf_test_case *test = first; test; test = test->next) {
		if (!is_named(test, argc, argv))
			continue;
		count++;
		if (!run_case(test))
			failures++;
	}
	if (count == 0) {
		fprintf(stderr, "%s: there is no such case\n", argv[0]);
		return 2;
	}
	return failures ? 1 : 0;
}
