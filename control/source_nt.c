/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * source_nt.c: an image by its path, absolute as the kernel has it: the driver opens it, as the one who asks.
 * Win32's own names of paths differ from it in what they begin with alone.
 */
#include "control/source.h"
#include "control/user_nt.h"

#include <string.h>
#include <windows.h>
#include <winioctl.h>

#define UNITS LF_CONTROL_PATH_CAPACITY /* no character has more of UTF-16 than bytes of UTF-8 */

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* The absolute path in UTF-8, with what Win32 puts before it taken off; kernel: what the kernel has there. */
static bool resolve(const char *typed, char path[LF_CONTROL_PATH_CAPACITY])
{
	static const struct {
		const char *win32, *kernel;
	} roots[] = {
		{"\\\\?\\", "\\??\\"},
		{"\\\\.\\", "\\??\\"},
		{"\\\\", "\\??\\UNC\\"},
		{"", "\\??\\"},
	};
	char full[LF_CONTROL_PATH_CAPACITY];
	wchar_t wide[UNITS], absolute[UNITS];
	DWORD length;
	uint32_t i = 0;

	/* Already so. */
	if (starts_with(typed, "\\??\\"))
		return lf_format(path, LF_CONTROL_PATH_CAPACITY, "%s", typed) == strlen(typed);
	if (*typed == '\0' || !lf_wide(typed, wide, UNITS))
		return false;
	length = GetFullPathNameW(wide, UNITS, absolute, NULL);
	if (length == 0 || length >= UNITS || !lf_narrow(absolute, full, sizeof(full)))
		return false;
	while (!starts_with(full, roots[i].win32))
		i++;
	length = (DWORD)strlen(roots[i].win32);
	return lf_format(path, LF_CONTROL_PATH_CAPACITY, "%s%s", roots[i].kernel, full + length) ==
	       strlen(roots[i].kernel) + strlen(full + length);
}

/* As Win32 takes it whatever its length: \\?\ before it. */
static bool win32_path(const char *path, wchar_t wide[UNITS])
{
	if (!lf_wide(path, wide, UNITS))
		return false;
	wide[1] = L'\\';
	return true;
}

bool lf_control_source_path(const char *typed, char path[LF_CONTROL_PATH_CAPACITY])
{
	return resolve(typed, path);
}

static enum lf_error cannot_resolve(struct lf_message *message)
{
	lf_message_set(message, "no valid path: it is too long, or not one of Windows: name an image file");
	return LF_E_INVALID;
}

/* What can be said of it before the driver looks: with the same words, but sooner. */
enum lf_error lf_control_source_open(
	const char *image, bool read_only, struct lf_control_source *source, struct lf_message *message)
{
	wchar_t wide[UNITS];
	DWORD attributes;

	(void)read_only;
	source->handle = LF_HANDLE_NONE;
	source->created = false;
	if (!resolve(image, source->path) || !win32_path(source->path, wide))
		return cannot_resolve(message);
	attributes = GetFileAttributesW(wide);
	if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY)) {
		lf_message_set(message, "it is a directory: name an image file");
		return LF_E_INVALID;
	}
	return LF_OK;
}

/* 0, or why not. Where there are no sparse files it takes its room at once. */
static uint32_t give_size(HANDLE file, uint64_t size_bytes)
{
	LARGE_INTEGER end = {.QuadPart = (LONGLONG)size_bytes};
	DWORD returned;

	DeviceIoControl(file, FSCTL_SET_SPARSE, NULL, 0, NULL, 0, &returned, NULL);
	if (!SetFilePointerEx(file, end, NULL, FILE_BEGIN) || !SetEndOfFile(file))
		return GetLastError();
	return 0;
}

enum lf_error lf_control_source_create(
	const char *image, uint64_t size_bytes, struct lf_control_source *source, struct lf_message *message)
{
	wchar_t wide[UNITS];
	char text[40];
	uint32_t code;
	HANDLE file;

	source->handle = LF_HANDLE_NONE;
	source->created = false;
	if (!resolve(image, source->path) || !win32_path(source->path, wide))
		return cannot_resolve(message);
	file = CreateFileW(
		wide, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
	if (file == INVALID_HANDLE_VALUE) {
		code = GetLastError();
		if (code == ERROR_FILE_EXISTS || code == ERROR_ALREADY_EXISTS)
			lf_message_set(
				message, "it exists already: connect it without --create, or name another");
		else
			lf_message_set(
				message, "it cannot be created: %s", lf_win32_text(code, text, sizeof(text)));
		return lf_error_from_win32(code);
	}
	code = give_size(file, size_bytes);
	CloseHandle(file);
	if (code == 0) {
		source->created = true;
		return LF_OK;
	}
	DeleteFileW(wide);
	lf_message_set(message, "it cannot be given %llu bytes: %s", (unsigned long long)size_bytes,
		lf_win32_text(code, text, sizeof(text)));
	return lf_error_from_win32(code);
}

void lf_control_source_close(struct lf_control_source *source)
{
	(void)source;
}

void lf_control_source_remove(const struct lf_control_source *source)
{
	wchar_t wide[UNITS];

	if (win32_path(source->path, wide))
		DeleteFileW(wide);
}
