/* SPDX-License-Identifier: BSD-2-Clause */
/* socket.c: the name of the control socket, and the directory of the default one. */
#include "control/socket.h"
#include "platform/linux.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET_NAME "control.sock"

static enum lf_error set_path(struct sockaddr_un *address, const char *path, struct lf_message *message)
{
	size_t length = strlen(path);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (length == 0 || length >= sizeof(address->sun_path)) {
		lf_message_set(message,
			"socket: a path of %zu bytes: it has 1 to %zu: name another with --socket", length,
			sizeof(address->sun_path) - 1);
		return LF_E_INVALID;
	}
	memcpy(address->sun_path, path, length);
	return LF_OK;
}

bool lf_control_is_own_directory(const char *path)
{
	struct stat facts;

	return lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode) && facts.st_uid == geteuid() &&
	       (facts.st_mode & 022) == 0;
}

/*
 * Whoever may write the directory could put a socket of its own there, and be handed descriptors. /tmp is
 * everybody's: a directory that somebody else made is not used.
 */
static enum lf_error check_directory(const char *directory, bool make, struct lf_message *message)
{
	struct stat facts;

	if (make && mkdir(directory, 0700) != 0 && errno != EEXIST) {
		enum lf_error error = lf_error_from_errno(errno);
		lf_message_set(message, "%.100s: it cannot be made: %s: name a socket with --socket",
			directory, lf_error_text(error));
		return error;
	}
	if (lstat(directory, &facts) != 0)
		return LF_OK; /* nobody listens there: connecting says so */
	if (lf_control_is_own_directory(directory))
		return LF_OK;
	lf_message_set(message,
		"%.100s: it is not a directory of yours alone: remove it, or name a socket with --socket",
		directory);
	return LF_E_PERMISSION;
}

enum lf_error lf_control_socket_address(
	const char *given, bool make_directory, struct sockaddr_un *address, struct lf_message *message)
{
	const char *environment = getenv("LUNGFISH_SOCKET");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char directory[sizeof(address->sun_path) + 16];
	char path[sizeof(directory) + sizeof(SOCKET_NAME)];
	enum lf_error error;

	if (given)
		return set_path(address, given, message);
	if (environment && *environment)
		return set_path(address, environment, message);
	if (geteuid() == 0)
		snprintf(directory, sizeof(directory), "/run/lungfish");
	else if (runtime && runtime[0] == '/')
		snprintf(directory, sizeof(directory), "%s/lungfish", runtime);
	else
		snprintf(directory, sizeof(directory), "/tmp/lungfish-%u", (unsigned int)geteuid());
	snprintf(path, sizeof(path), "%s/" SOCKET_NAME, directory);
	error = set_path(address, path, message);
	if (error != LF_OK)
		return error;
	return check_directory(directory, make_directory, message);
}
