/* SPDX-License-Identifier: BSD-2-Clause */
/* socket.h: where the control socket is: what the daemon and the command must agree on. */
#ifndef LF_CONTROL_SOCKET_H
#define LF_CONTROL_SOCKET_H

#include "core/io.h"

#include <sys/un.h>

/*
 * The address of the socket: given, else $LUNGFISH_SOCKET, else root's /run/lungfish/control.sock, else
 * $XDG_RUNTIME_DIR/lungfish/control.sock, else /tmp/lungfish-UID/control.sock. The directory of a default is
 * made when make_directory is set, and must be ours alone. message is "object: cause: remedy".
 */
enum lf_error lf_control_socket_address(
	const char *given, bool make_directory, struct sockaddr_un *address, struct lf_message *message);

/* Nobody else may write to it. */
bool lf_control_is_own_directory(const char *path);

#endif
