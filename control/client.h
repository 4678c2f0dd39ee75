/* SPDX-License-Identifier: BSD-2-Clause */
/* client.h: the command's end of the control socket: a request, its reply, and a time limit. Linux. */
#ifndef LF_CONTROL_CLIENT_H
#define LF_CONTROL_CLIENT_H

#include "control/codec.h"
#include "core/io.h"

struct lf_client {
	int fd;
	uint8_t reply[LF_CONTROL_MESSAGE_MAX]; /* the last one: records are decoded from it */
};

/* path as in lf_control_socket_address; message is "object: cause: remedy". LF_E_NOT_FOUND: nobody answers.
 */
enum lf_error lf_client_open(const char *path, struct lf_client *client, struct lf_message *message);
void lf_client_close(struct lf_client *client);

/*
 * Sends the request with the descriptors (-1: none; they stay the caller's). What goes wrong here is told by
 * lf_client_wait: who is refused has the reply waiting already.
 */
void lf_client_send(struct lf_client *client, union lf_control_request *request,
	const int handles[LF_CONTROL_HANDLES_MAX]);
/* LF_OK: a reply came; its header.status says what became of the request. */
enum lf_error lf_client_wait(struct lf_client *client, enum lf_control_command command, uint32_t timeout_ms,
	union lf_control_reply *reply, struct lf_message *message);

#endif
