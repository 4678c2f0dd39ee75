/* SPDX-License-Identifier: BSD-2-Clause */
/* linux.c: platform.h on Linux: lock, memory, clock, lanes, log, and what errno means. */
#include "platform/linux.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct lf_lock), "a mutex fits in the lock's words");
_Static_assert(_Alignof(pthread_mutex_t) <= _Alignof(struct lf_lock), "and its alignment suffices");

#define LINE_MAX_BYTES 1024

static const char *log_program = "lungfish";
static uint32_t log_level = LF_LOG_NOTICE;

static pthread_mutex_t *mutex_of(struct lf_lock *lock)
{
	return (pthread_mutex_t *)(void *)lock->words;
}

void lf_lock_init(struct lf_lock *lock)
{
	int error = pthread_mutex_init(mutex_of(lock), NULL);
	lf_assert(error == 0);
}

void lf_lock_fini(struct lf_lock *lock)
{
	int error = pthread_mutex_destroy(mutex_of(lock));
	lf_assert(error == 0);
}

void lf_lock(struct lf_lock *lock)
{
	int error = pthread_mutex_lock(mutex_of(lock));
	lf_assert(error == 0);
}

void lf_unlock(struct lf_lock *lock)
{
	int error = pthread_mutex_unlock(mutex_of(lock));
	lf_assert(error == 0);
}

void *lf_alloc(size_t length_bytes)
{
	return calloc(1, length_bytes);
}

void lf_free(void *memory)
{
	free(memory);
}

uint64_t lf_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Zero means not given yet, so that a thread costs nothing before it asks: the lane plus one. */
static _Thread_local uint32_t lane_plus_one;

void lf_lane_set(uint32_t lane)
{
	lane_plus_one = lane + 1;
}

uint32_t lf_lane_current(void)
{
	static uint32_t lanes_given;

	if (lane_plus_one == 0)
		lane_plus_one = (__atomic_fetch_add(&lanes_given, 1, __ATOMIC_RELAXED) & 0xffff) + 1;
	return lane_plus_one - 1;
}

/* Paths and names come from outside; a line must stay one line, and a terminal must not be steered. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < 0x20 || c == 0x7f)
			*text = '?';
	}
}

static void write_line(const char *text, size_t length)
{
	ssize_t written;

	do {
		written = write(STDERR_FILENO, text, length);
	} while (written < 0 && errno == EINTR);
}

void lf_log_open(const char *program)
{
	log_program = program;
}

void lf_log_set_level(enum lf_log_level level)
{
	__atomic_store_n(&log_level, (uint32_t)level, __ATOMIC_RELAXED);
}

void lf_log(enum lf_log_level level, const char *format, ...)
{
	static const char *const prefix[] = {"", "warning: ", "", "debug: "};
	int saved_errno = errno;
	char line[LINE_MAX_BYTES];
	va_list values;
	size_t length;

	if ((uint32_t)level > __atomic_load_n(&log_level, __ATOMIC_RELAXED))
		return;
	/* Room for the newline is kept. */
	snprintf(line, sizeof(line) - 1, "%s: %s", log_program, prefix[level]);
	length = strlen(line);
	va_start(values, format);
	vsnprintf(line + length, sizeof(line) - 1 - length, format, values);
	va_end(values);
	make_printable(line);
	length = strlen(line);
	line[length++] = '\n';
	write_line(line, length);
	errno = saved_errno;
}

void lf_handle_close(lf_handle handle)
{
	close((int)handle);
}

size_t lf_format(char *text, size_t room_bytes, const char *format, ...)
{
	va_list values;
	int length;

	va_start(values, format);
	length = vsnprintf(text, room_bytes, format, values);
	va_end(values);
	lf_assert(length >= 0 && room_bytes > 0);
	return lf_min((size_t)length, room_bytes - 1);
}

void lf_message_set(struct lf_message *message, const char *format, ...)
{
	va_list values;

	if (!message)
		return;
	va_start(values, format);
	vsnprintf(message->text, sizeof(message->text), format, values);
	va_end(values);
	make_printable(message->text);
}

_Noreturn void lf_panic(const char *file, int line, const char *what)
{
	char text[LINE_MAX_BYTES];

	snprintf(text, sizeof(text), "%s: %s:%d: assertion failed: %s\n", log_program, file, line, what);
	write_line(text, strlen(text));
	abort();
}

enum lf_error lf_error_from_errno(int error)
{
	switch (error) {
	case 0:
		return LF_OK;
	case ENOSPC:
	case EDQUOT:
	case EFBIG: /* a limit of the host's on the file's size: it holds no more */
		return LF_E_NO_SPACE;
	case EROFS:
		return LF_E_READ_ONLY;
	case ENODEV:
	case ENXIO:
	case ENOMEDIUM:
	case ESTALE:
		return LF_E_NO_MEDIUM;
	case ERANGE:
	case EOVERFLOW:
		return LF_E_RANGE;
	case ENOMEM:
	case ENOBUFS:
	case EMFILE:
	case ENFILE:
	case EAGAIN:
		return LF_E_NO_MEMORY;
	case EINVAL:
	case EBADF:
	case ENAMETOOLONG:
		return LF_E_INVALID;
	case EOPNOTSUPP:
	case ENOSYS:
	case ENOTTY:
		return LF_E_UNSUPPORTED;
	case ECANCELED:
		return LF_E_ABORTED;
	case ENOENT:
	case ENOTDIR:
		return LF_E_NOT_FOUND;
	case EBUSY:
	case ETXTBSY:
	case EADDRINUSE:
		return LF_E_BUSY;
	case EPERM:
	case EACCES:
		return LF_E_PERMISSION;
	case ETIMEDOUT:
		return LF_E_TIMED_OUT;
	default:
		return LF_E_IO;
	}
}
