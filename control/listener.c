/* SPDX-License-Identifier: BSD-2-Clause */
/* listener.c: makes the control socket's file, and takes the place of a dead daemon's. */
#include "control/listener.h"
#include "control/socket.h"
#include "platform/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 64

static int new_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/*
 * Two daemons that start at once must not both find the file dead: the directory is locked from the look to
 * the bind. Where it cannot be locked (somebody else's directory), two such starts are not told apart.
 */
static int lock_directory(const struct sockaddr_un *address)
{
	char path[sizeof(address->sun_path)];
	int fd;

	memcpy(path, address->sun_path, sizeof(path));
	fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int tries = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && tries < 50; tries++)
		usleep(10000);
	return fd;
}

/* Removes a socket file on which nobody answers. */
static enum lf_error clear_stale(const struct sockaddr_un *address, struct lf_message *message)
{
	struct stat facts;
	int probe, error = 0;

	if (lstat(address->sun_path, &facts) != 0)
		return LF_OK;
	if (!S_ISSOCK(facts.st_mode)) {
		lf_message_set(message, "%s: a file is there that is no socket: name another with --socket",
			address->sun_path);
		return LF_E_BUSY;
	}
	probe = new_socket();
	if (probe < 0 || connect(probe, (const struct sockaddr *)address, sizeof(*address)) != 0)
		error = errno;
	if (probe >= 0)
		close(probe);
	if (error == ECONNREFUSED) {
		unlink(address->sun_path);
		return LF_OK;
	}
	lf_message_set(message, "%s: another lungfishd answers there: stop it, or name another with --socket",
		address->sun_path);
	return LF_E_BUSY;
}

static enum lf_error bind_and_listen(struct lf_listener *listener, struct lf_message *message)
{
	mode_t mask = umask(0177);
	struct stat facts;
	int error = 0;

	if (bind(listener->fd, (const struct sockaddr *)&listener->address, sizeof(listener->address)) != 0)
		error = errno;
	umask(mask);
	if (error == 0 &&
		(listen(listener->fd, BACKLOG) != 0 || lstat(listener->address.sun_path, &facts) != 0))
		error = errno;
	if (error != 0) {
		lf_message_set(message,
			"%s: the control socket cannot be made: %s: name another with --socket",
			listener->address.sun_path, lf_error_text(lf_error_from_errno(error)));
		return lf_error_from_errno(error);
	}
	listener->file_device = facts.st_dev;
	listener->file_node = facts.st_ino;
	return LF_OK;
}

enum lf_error lf_listener_open(const char *path, struct lf_listener *listener, struct lf_message *message)
{
	enum lf_error error;
	int lock;

	listener->fd = -1;
	error = lf_control_socket_address(path, true, &listener->address, message);
	if (error != LF_OK)
		return error;
	listener->fd = new_socket();
	if (listener->fd < 0) {
		error = lf_error_from_errno(errno);
		lf_message_set(message, "%s: no socket can be had: %s", listener->address.sun_path,
			lf_error_text(error));
		return error;
	}
	lock = lock_directory(&listener->address);
	error = clear_stale(&listener->address, message);
	if (error == LF_OK)
		error = bind_and_listen(listener, message);
	if (lock >= 0)
		close(lock);
	if (error != LF_OK) {
		close(listener->fd);
		listener->fd = -1;
	}
	return error;
}

void lf_listener_close(struct lf_listener *listener)
{
	struct stat facts;

	if (lstat(listener->address.sun_path, &facts) == 0 && facts.st_dev == listener->file_device &&
		facts.st_ino == listener->file_node)
		unlink(listener->address.sun_path);
	close(listener->fd);
	listener->fd = -1;
}
