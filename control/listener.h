/* SPDX-License-Identifier: BSD-2-Clause */
/* listener.h: the socket file of the daemon: mode 0600, and never one that another daemon answers on. */
#ifndef LF_CONTROL_LISTENER_H
#define LF_CONTROL_LISTENER_H

#include "core/io.h"

#include <sys/types.h>
#include <sys/un.h>

struct lf_listener {
	int fd; /* non-blocking */
	struct sockaddr_un address;
	dev_t file_device;
	ino_t file_node;
};

/* Before other threads run: it sets the umask for a moment. */
enum lf_error lf_listener_open(const char *path, struct lf_listener *listener, struct lf_message *message);
/* Removes the socket file if it is still the same one. */
void lf_listener_close(struct lf_listener *listener);

#endif
