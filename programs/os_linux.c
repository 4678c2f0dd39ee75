/* SPDX-License-Identifier: BSD-2-Clause */
/* os_linux.c: what the command does in its own way on Linux. */
#include "programs/os.h"

#include "control/state.h"

#include <signal.h>
#include <unistd.h>

void lf_os_start(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* A reader that goes away shows as an error of the write. */
	signal(SIGPIPE, SIG_IGN);
}

const bool lf_os_backslash_stays = false;

void lf_os_sleep(uint32_t seconds)
{
	sleep(seconds);
}

lf_handle lf_os_open_state(
	const struct lf_command_line *line, const char *image, const struct lf_control_source *source)
{
	bool drive = line->connect.type != 0 || (line->connect.flags & LF_CONTROL_REMOVABLE) != 0;
	struct lf_message message = {""};
	int fd = -1;

	if (drive || line->no_state || source->handle == LF_HANDLE_NONE)
		return LF_HANDLE_NONE;
	if (lf_control_state_open(source->path, line->connect.serial.bytes, &fd, &message) == LF_OK)
		return fd;
	lf_warn(line, image, "no state file, so reservations and saved mode pages end with the adapter",
		message.text);
	return LF_HANDLE_NONE;
}

void lf_os_close_state(lf_handle handle)
{
	if (handle != LF_HANDLE_NONE)
		close((int)handle);
}

/* Initiators have it, not this machine: what is in flight is waited for by the adapter. */
int lf_os_release(const struct lf_command_line *line, struct lf_client *client, const char *id)
{
	(void)line;
	(void)client;
	(void)id;
	return LF_EXIT_DONE;
}

int lf_os_lock_medium(const struct lf_command_line *line, struct lf_client *client,
	const struct lf_control_device *device, struct lf_medium_lock **lock)
{
	(void)line;
	(void)client;
	(void)device;
	*lock = NULL;
	return LF_EXIT_DONE;
}

void lf_os_unlock_medium(struct lf_medium_lock *lock)
{
	(void)lock;
}

/* ---- Kept connections: lungfishd's arguments name the images that are to come with it ---- */

int lf_os_may_keep(const struct lf_command_line *line)
{
	return lf_report(line, "--persist",
		"not supported here: name the image on the command line of lungfishd, and it comes with it",
		LF_EXIT_UNSUPPORTED);
}

int lf_os_keep(const struct lf_command_line *line, const struct lf_control_connect *request,
	const struct lf_control_device *device)
{
	(void)request;
	(void)device;
	return lf_os_may_keep(line);
}

int lf_os_forget(const struct lf_command_line *line, const struct lf_control_device *device)
{
	(void)line;
	(void)device;
	return LF_EXIT_DONE;
}

int lf_os_keep_medium(const struct lf_command_line *line, const struct lf_control_device *device)
{
	return lf_os_forget(line, device);
}

bool lf_os_is_kept(const struct lf_control_device *device, bool *kept)
{
	(void)device;
	(void)kept;
	return false;
}

int lf_verb_service_install(const struct lf_command_line *line)
{
	return lf_report(line, NULL,
		"not supported here: it is a service of Windows: start lungfishd with the images as "
		"arguments",
		LF_EXIT_UNSUPPORTED);
}

int lf_verb_service_remove(const struct lf_command_line *line)
{
	return lf_verb_service_install(line);
}

int lf_verb_service_status(const struct lf_command_line *line)
{
	return lf_verb_service_install(line);
}

int lf_verb_service_forget(const struct lf_command_line *line)
{
	return lf_verb_service_install(line);
}

int lf_verb_service_run(const struct lf_command_line *line)
{
	return lf_verb_service_install(line);
}

/* ---- Verbs of the driver of Windows ---- */

int lf_verb_driver_install(const struct lf_command_line *line)
{
	return lf_report(line, NULL,
		"not supported here: the driver is one of Windows, on Linux there is lungfishd",
		LF_EXIT_UNSUPPORTED);
}

int lf_verb_driver_remove(const struct lf_command_line *line)
{
	return lf_verb_driver_install(line);
}

int lf_verb_driver_status(const struct lf_command_line *line)
{
	return lf_verb_driver_install(line);
}
