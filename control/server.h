/* SPDX-License-Identifier: BSD-2-Clause */
/* server.h: the control socket: clients, their one outstanding request each, their descriptors. Linux. */
#ifndef LF_CONTROL_SERVER_H
#define LF_CONTROL_SERVER_H

#include "control/handler.h"

struct lf_server;

struct lf_server_options {
	struct lf_handler *handler;
	struct lf_loop *loop;
	const char *socket_path; /* NULL: as lf_control_socket_address has it */
	uint32_t clients_max;    /* 0: 64; one more, and the one that was idle the longest goes */
};

/* Before the loop runs. NULL with a message: another daemon answers there, or the socket cannot be made. */
struct lf_server *lf_server_open(const struct lf_server_options *options, struct lf_message *message);
const char *lf_server_path(const struct lf_server *server);
/* On the loop, or after it ran: closes every client and removes the socket. */
void lf_server_close(struct lf_server *server);

#endif
