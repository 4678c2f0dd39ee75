/* SPDX-License-Identifier: BSD-2-Clause */
/* breaks.c: a child breaks a rule of the small kernel, and says which. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/storport/nt/breaks.h"
#include "tests/storport/nt/nt.h"

struct verdict {
	int status; /* as waitpid has it */
	char said[4092];
};

static int breaker = -1; /* our end of the way to whoever has the children; -1: nobody yet */

static void run_child(void (*run)(void), struct verdict *verdict)
{
	size_t length = 0, room = sizeof(verdict->said) - 1;
	int ends[2];

	if (pipe(ends))
		_exit(1);
	pid_t child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		dup2(ends[1], STDERR_FILENO);
		lf_fake_reset();
		run();
		_exit(0);
	}
	close(ends[1]);
	for (ssize_t got; length < room && (got = read(ends[0], verdict->said + length, room - length)) > 0;)
		length += (size_t)got;
	verdict->said[length] = 0;
	close(ends[0]);
	waitpid(child, &verdict->status, 0);
}

/*
 * A process of several threads must not fork: what another thread holds then stays held in the child. So
 * whoever has the children is made by the first case that wants one, before any has made a thread, and never
 * has one itself.
 */
static void make_breaker(void)
{
	struct verdict verdict;
	void (*run)(void);
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		abort();
	fflush(stdout);
	pid_t child = fork();
	breaker = ends[0];
	if (child != 0) {
		close(ends[1]);
		return;
	}
	close(ends[0]);
	while (read(ends[1], &run, sizeof(run)) == sizeof(run)) {
		run_child(run, &verdict);
		if (write(ends[1], &verdict, sizeof(verdict)) != sizeof(verdict))
			break;
	}
	_exit(0);
}

bool lf_fake_breaks(void (*run)(void), const char *words)
{
	struct verdict verdict = {0};

	if (breaker < 0)
		make_breaker();
	if (write(breaker, &run, sizeof(run)) != sizeof(run) ||
		read(breaker, &verdict, sizeof(verdict)) != sizeof(verdict))
		return false;
	bool as_expected = WIFSIGNALED(verdict.status) && WTERMSIG(verdict.status) == SIGABRT &&
			   strstr(verdict.said, "broken rule:") && strstr(verdict.said, words);
	if (!as_expected)
		printf("# status 0x%x, said: %s\n", verdict.status, verdict.said);
	return as_expected;
}
