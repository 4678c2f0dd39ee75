/* SPDX-License-Identifier: BSD-2-Clause */
/* state.c: where state files are, how one is made, and what is refused of one that somebody passed. */
#include "control/state.h"
#include "control/identity.h"
#include "control/socket.h"
#include "control/system.h"
#include "platform/linux.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMEDY "set LUNGFISH_STATE to a directory of yours alone, or add --no-state"

static bool directory_name(char *name, size_t room_bytes)
{
	const char *given = getenv("LUNGFISH_STATE"), *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	int length;

	if (given && given[0] == '/')
		length = snprintf(name, room_bytes, "%s", given);
	else if (geteuid() == 0)
		length = snprintf(name, room_bytes, "/var/lib/lungfish");
	else if (state && state[0] == '/')
		length = snprintf(name, room_bytes, "%s/lungfish", state);
	else if (home && home[0] == '/')
		length = snprintf(name, room_bytes, "%s/.local/state/lungfish", home);
	else
		return false;
	return length > 0 && (size_t)length < room_bytes;
}

/* And those above it that are missing; what is there stays as it is. */
static bool make_directories(char *name)
{
	for (char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(name, 0700) != 0 && errno != EEXIST)
			return false;
		*slash = '/';
	}
	return mkdir(name, 0700) == 0 || errno == EEXIST;
}

static enum lf_error refuse_errno(struct lf_message *message, const char *what, int number)
{
	enum lf_error error = lf_error_from_errno(number);

	lf_message_set(message, "%.200s: %s: " REMEDY, what, lf_error_text(error));
	return error;
}

enum lf_error lf_control_state_open(const char *path, const char *serial, int *fd, struct lf_message *message)
{
	char directory[PATH_MAX], name[32], machine[128];
	struct lf_identity identity;
	struct stat facts;
	int directory_fd, error;

	if (!directory_name(directory, sizeof(directory))) {
		lf_message_set(message, "there is no HOME for it: " REMEDY);
		return LF_E_NOT_FOUND;
	}
	if (!make_directories(directory))
		return refuse_errno(message, directory, errno);
	if (!lf_control_is_own_directory(directory)) {
		lf_message_set(message, "%.200s: not a directory of yours alone: " REMEDY, directory);
		return LF_E_PERMISSION;
	}
	directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory_fd < 0)
		return refuse_errno(message, directory, errno);
	lf_system_machine(machine, sizeof(machine));
	lf_identity_derive(machine, path, serial, &identity);
	snprintf(name, sizeof(name), "3%015llx.state", (unsigned long long)identity.identifier);
	*fd = openat(
		directory_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0600);
	error = errno;
	/* What is saved in it is stable only when its name is. */
	if (*fd >= 0 && fsync(directory_fd) != 0 && errno != EINVAL && errno != EROFS) {
		error = errno;
		close(*fd);
		*fd = -1;
	}
	close(directory_fd);
	if (*fd >= 0 && fstat(*fd, &facts) == 0 && S_ISREG(facts.st_mode))
		return LF_OK;
	if (*fd < 0 && error != ELOOP && error != EISDIR)
		return refuse_errno(message, directory, error);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	lf_message_set(message, "%.200s/%s is no file: move it away", directory, name);
	return LF_E_INVALID;
}

bool lf_control_state_take(lf_handle handle, struct lf_message *message)
{
	int fd = (int)handle;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int mode = fcntl(fd, F_GETFL);
	struct stat facts;

	if (mode < 0 || fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) ||
		(mode & (O_ACCMODE | O_APPEND | O_PATH)) != O_RDWR) {
		lf_message_set(message, "no regular file, or not open for reading and writing");
		return false;
	}
	if (fcntl(fd, F_OFD_SETLK, &lock) != 0 && errno != ENOLCK && errno != EOPNOTSUPP && errno != ENOSYS) {
		lf_message_set(message, "another adapter has it: disconnect the disk there");
		return false;
	}
	/* Whoever had it before may have removed it since it was opened. */
	if (fstat(fd, &facts) == 0 && facts.st_nlink > 0)
		return true;
	lf_message_set(message, "it was just removed: disconnect the disk, and connect it again");
	return false;
}

void lf_control_state_leave(lf_handle handle)
{
	int fd = (int)handle;
	char link[40], path[PATH_MAX];
	struct stat open_one, named;
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length <= 0 || fstat(fd, &open_one) != 0 || open_one.st_size != 0)
		return;
	path[length] = '\0';
	/* The lock is held: who opens it now meets it in lf_control_state_take. */
	if (lstat(path, &named) != 0 || named.st_dev != open_one.st_dev || named.st_ino != open_one.st_ino)
		return;
	if (unlink(path) != 0)
		lf_log(LF_LOG_DEBUG, "%s: it is empty, and stays: %s", path,
			lf_error_text(lf_error_from_errno(errno)));
}

/* One that is damaged begins anew, as an empty one does. */
void *lf_control_state_load(lf_handle handle, size_t *length_bytes, struct lf_message *message)
{
	void *blob = lf_alloc(LF_STATE_MAX_BYTES);
	enum lf_error error = LF_E_NO_MEMORY;
	struct stat facts = {0};

	message->text[0] = '\0';
	if (blob)
		error = lf_store_load_state(handle, blob, LF_STATE_MAX_BYTES, length_bytes);
	if (error == LF_OK)
		return blob;
	if (error != LF_E_NOT_FOUND)
		lf_message_set(message, "%s", lf_error_text(error));
	else if (fstat((int)handle, &facts) == 0 && facts.st_size > 0)
		lf_message_set(message, "it is damaged");
	lf_free(blob);
	*length_bytes = 0;
	return NULL;
}
