/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.h: the command's end: a request, its reply, and a time limit; by the control socket on Linux
 * (client.c), by the driver's control code on Windows (client_nt.c).
 */
#ifndef LF_CONTROL_CLIENT_H
#define LF_CONTROL_CLIENT_H

#include "control/codec.h"
#include "core/io.h"

struct lf_client {
	lf_handle handle;
	uint64_t words[8];                     /* the platform's own */
	uint8_t reply[LF_CONTROL_MESSAGE_MAX]; /* the last one: records are decoded from it */
};

/*
 * path: of the socket, as in lf_control_socket_address, or of the adapter's device; NULL: the platform looks
 * where it usually is. message is "object: cause: remedy". LF_E_NOT_FOUND: nobody answers. While it is open
 * it stays where it is.
 */
enum lf_error lf_client_open(const char *path, struct lf_client *client, struct lf_message *message);
void lf_client_close(struct lf_client *client);

/*
 * Sends the request with the files (LF_HANDLE_NONE: none; they stay the caller's; NULL: none at all). What
 * goes wrong here is told by lf_client_wait: who is refused has the reply waiting already.
 */
void lf_client_send(struct lf_client *client, union lf_control_request *request,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX]);
/* LF_OK: a reply came; its header.status says what became of the request. */
enum lf_error lf_client_wait(struct lf_client *client, enum lf_control_command command, uint32_t timeout_ms,
	union lf_control_reply *reply, struct lf_message *message);

#endif
