/* SPDX-License-Identifier: BSD-2-Clause */
/* user_nt.c: the little of the platform that a program of Windows needs. */
#include "platform/platform.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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
}

_Noreturn void lf_panic(const char *file, int line, const char *what)
{
	fprintf(stderr, "lungfish: %s:%d: assertion failed: %s\n", file, line, what);
	abort();
}
