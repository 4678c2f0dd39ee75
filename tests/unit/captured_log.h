/* SPDX-License-Identifier: BSD-2-Clause */
/* captured_log.h: what the log says for a while, which goes to the standard error. */
#ifndef LF_TESTS_CAPTURED_LOG_H
#define LF_TESTS_CAPTURED_LOG_H

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

struct captured_log {
	int kept, file;
};

static inline struct captured_log capture_log(void)
{
	struct captured_log log = {dup(STDERR_FILENO), memfd_create("log", MFD_CLOEXEC)};

	dup2(log.file, STDERR_FILENO);
	return log;
}

/* The log goes where it went before; text: what it has said meanwhile, as much as there is room for. */
static inline void end_capture(struct captured_log log, char *text, size_t room)
{
	ssize_t length = pread(log.file, text, room - 1, 0);

	text[length < 0 ? 0 : length] = '\0';
	dup2(log.kept, STDERR_FILENO);
	close(log.kept);
	close(log.file);
}

#endif
