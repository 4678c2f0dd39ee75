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
