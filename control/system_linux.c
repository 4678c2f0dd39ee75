/* SPDX-License-Identifier: BSD-2-Clause */
/* system_linux.c: the machine's id, our process, which file a descriptor is. */
#include "control/system.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *lf_system_name(void)
{
	return "linux";
}

uint64_t lf_system_process_id(void)
{
	return (uint64_t)getpid();
}

static bool read_line(const char *path, char *line, size_t room_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return false;
	got = read(fd, line, room_bytes - 1);
	close(fd);
	line[got > 0 ? got : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return *line != '\0' && strcmp(line, "uninitialized") != 0;
}

void lf_system_machine(char *machine, size_t room_bytes)
{
	if (read_line("/etc/machine-id", machine, room_bytes) ||
		read_line("/var/lib/dbus/machine-id", machine, room_bytes))
		return;
	/* Containers often have no id; their host name is made for each of them. */
	if (gethostname(machine, room_bytes) != 0)
		machine[0] = '\0';
	machine[room_bytes - 1] = '\0';
}

enum lf_control_status lf_system_identify(
	lf_handle handle, bool read_only, struct lf_system_file *file, struct lf_message *message)
{
	struct stat facts = {0};
	int mode = fcntl((int)handle, F_GETFL);

	if (mode < 0 || fstat((int)handle, &facts) != 0) {
		lf_message_set(message, "its descriptor cannot be used: %s", lf_error_text(LF_E_INVALID));
		return LF_CONTROL_INVALID;
	}
	if (!S_ISREG(facts.st_mode) && !S_ISBLK(facts.st_mode)) {
		lf_message_set(message, "it is %s: name an image file or a block device",
			S_ISDIR(facts.st_mode) ? "a directory" : "neither a file nor a block device");
		return LF_CONTROL_INVALID;
	}
	if ((mode & O_PATH) != 0 || (mode & O_ACCMODE) == O_WRONLY ||
		(!read_only && (mode & O_ACCMODE) != O_RDWR)) {
		lf_message_set(message, "it was not opened for reading and writing: add --read-only");
		return LF_CONTROL_PERMISSION;
	}
	/* A block device is its number, whatever node names it. */
	file->known = true;
	file->volume = S_ISBLK(facts.st_mode) ? facts.st_rdev : facts.st_dev;
	file->node[0] = S_ISBLK(facts.st_mode) ? 0 : facts.st_ino;
	return LF_CONTROL_OK;
}
