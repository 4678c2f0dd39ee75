/* SPDX-License-Identifier: BSD-2-Clause */
/* os_nt.c: what the command does in its own way on Windows. */
#include "programs/kept_nt.h"
#include "programs/os.h"
#include "programs/service_nt.h"

#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <shellapi.h>

#define MS_IN_S 1000

static UINT code_page; /* of the console, before us */

static void give_back(void)
{
	SetConsoleOutputCP(code_page);
}

/* In one piece of memory, for as long as the program runs; NULL: there is none. */
static char **narrow_arguments(wchar_t **wide, int count)
{
	size_t at = ((size_t)count + 1) * sizeof(char *), size = at;
	char *room, **arguments;

	for (int i = 0; i < count; i++)
		size += (size_t)WideCharToMultiByte(CP_UTF8, 0, wide[i], -1, NULL, 0, NULL, NULL);
	room = malloc(size);
	if (!room)
		return NULL;
	arguments = (char **)(void *)room;
	for (int i = 0; i < count; i++) {
		arguments[i] = room + at;
		at += (size_t)WideCharToMultiByte(
			CP_UTF8, 0, wide[i], -1, room + at, (int)(size - at), NULL, NULL);
	}
	arguments[count] = NULL;
	return arguments;
}

/* What main gets is in the code page of the machine, which does not have every name. */
void lf_os_start(int *argc, char ***argv)
{
	int count = 0;
	wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &count);
	char **arguments = wide ? narrow_arguments(wide, count) : NULL;

	if (arguments) {
		*argc = count;
		*argv = arguments;
	}
	LocalFree(wide);
	/* The same bytes as on Linux: for scripts, and for who compares. */
	_setmode(_fileno(stdout), _O_BINARY);
	_setmode(_fileno(stderr), _O_BINARY);
	code_page = GetConsoleOutputCP();
	if (code_page != 0 && SetConsoleOutputCP(CP_UTF8))
		atexit(give_back);
}

const bool lf_os_backslash_stays = true;

void lf_os_sleep(uint32_t seconds)
{
	Sleep(seconds * MS_IN_S);
}

/* The driver keeps none: what a disk saves ends with its connection. */
lf_handle lf_os_open_state(
	const struct lf_command_line *line, const char *image, const struct lf_control_source *source)
{
	(void)line;
	(void)image;
	(void)source;
	return LF_HANDLE_NONE;
}

void lf_os_close_state(lf_handle handle)
{
	(void)handle;
}

/* ---- Verbs of the daemon ---- */

static int not_here(const struct lf_command_line *line, const char *message)
{
	return lf_report(line, NULL, message, LF_EXIT_UNSUPPORTED);
}

int lf_verb_run(const struct lf_command_line *line)
{
	return not_here(line, "not on Windows, where there is one adapter: use connect and disconnect");
}

int lf_verb_session_list(const struct lf_command_line *line)
{
	return not_here(line, "not on Windows: this adapter has no sessions, its only initiator is Windows");
}

int lf_verb_session_drop(const struct lf_command_line *line)
{
	return lf_verb_session_list(line);
}

/* ---- Kept connections ---- */

/* Who may connect may write there, too. */
int lf_os_may_keep(const struct lf_command_line *line)
{
	(void)line;
	return LF_EXIT_DONE;
}

/* On a drive that is the caller's own: nobody else has it. */
static bool is_mapped(const char *path)
{
	wchar_t root[] = L"?:\\";

	/* \??\X:\ */
	if (strlen(path) < 7 || path[5] != ':')
		return false;
	root[0] = (wchar_t)(unsigned char)path[4];
	return GetDriveTypeW(root) == DRIVE_REMOTE;
}

int lf_os_keep(const struct lf_command_line *line, const struct lf_control_connect *request,
	const struct lf_control_device *device)
{
	struct lf_kept kept = {.connect = *request};

	int status;

	lf_control_set_text(&kept.connect.name, device->id.bytes);
	status = lf_kept_add(line, &kept);
	if (status == LF_EXIT_DONE && !lf_service_is_installed())
		lf_warn(line, device->id.bytes, "it is kept, but nothing connects it again",
			"the service is missing: lungfish service install");
	if (status == LF_EXIT_DONE && is_mapped(request->path.bytes))
		lf_warn(line, device->id.bytes,
			"it is kept, but the service does not see drives that you have mapped",
			"name the share");
	return status;
}

int lf_os_forget(const struct lf_command_line *line, const struct lf_control_device *device)
{
	int status = lf_kept_has(device) ? lf_kept_remove(line, device->id.bytes) : (int)LF_EXIT_DONE;

	/* Somebody else was faster. */
	return status == LF_EXIT_NOT_FOUND ? (int)LF_EXIT_DONE : status;
}

/* Read-only is the drive's, or what was put into it: either way it comes back so. */
int lf_os_keep_medium(const struct lf_command_line *line, const struct lf_control_device *device)
{
	struct lf_kept kept;

	if (!lf_kept_has(device) || lf_kept_read(device->id.bytes, &kept) != LF_EXIT_DONE)
		return LF_EXIT_DONE;
	lf_control_set_text(&kept.connect.path, device->image.bytes);
	kept.connect.flags &= ~(uint32_t)LF_CONTROL_READ_ONLY;
	if (device->type == 0 && (device->flags & LF_CONTROL_DEVICE_READ_ONLY))
		kept.connect.flags |= LF_CONTROL_READ_ONLY;
	return lf_kept_add(line, &kept);
}

bool lf_os_is_kept(const struct lf_control_device *device, bool *kept)
{
	*kept = lf_kept_has(device);
	return true;
}
