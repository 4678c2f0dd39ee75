/* SPDX-License-Identifier: BSD-2-Clause */
/* log.c: what happened, line by line, in a file that the test reads. */
#include "tests/storport/wine/standin/standin.h"

static HANDLE log_file;

static void write_line(const char *line, ULONG bytes)
{
	LARGE_INTEGER end;
	end.QuadPart = -1; /* FILE_WRITE_TO_END_OF_FILE, both halves */
	end.LowPart = 0xffffffff;
	IO_STATUS_BLOCK iosb;
	if (log_file)
		NtWriteFile(log_file, NULL, NULL, NULL, &iosb, (void *)line, bytes, &end, NULL);
}

void standin_log_open(void)
{
	UNICODE_STRING name;
	OBJECT_ATTRIBUTES attributes;
	IO_STATUS_BLOCK iosb;
	RtlInitUnicodeString(&name, L"\\??\\C:\\standin.log");
	InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
	NtCreateFile(&log_file, FILE_APPEND_DATA | SYNCHRONIZE, &attributes, &iosb, NULL,
		FILE_ATTRIBUTE_NORMAL, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, FILE_OPEN_IF,
		FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE, NULL, 0);
}

static void log_va(const char *prefix, const char *format, va_list arguments)
{
	char line[1024];
	size_t used = strlen(prefix);
	memcpy(line, prefix, used);
	int more = _vsnprintf(line + used, sizeof(line) - used - 2, format, arguments);
	used = more < 0 ? sizeof(line) - 2 : used + (size_t)more;
	while (used && line[used - 1] == '\n')
		used--;
	line[used++] = '\n';
	write_line(line, (ULONG)used);
}

void standin_log(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	log_va("", format, arguments);
	va_end(arguments);
}

void standin_fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	log_va("not ok ", format, arguments);
	va_end(arguments);
	standin_say_stack();
}
