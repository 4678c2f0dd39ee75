/* SPDX-License-Identifier: BSD-2-Clause */
/* client.c: finds the adapter's socket, sends a request with its descriptors, waits for the reply. */
#include "control/client.h"
#include "control/socket.h"
#include "platform/linux.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define NS_IN_MS  UINT64_C(1000000)
#define CONNECT_S 30

static int socket_of(const struct lf_client *client)
{
	return (int)client->handle;
}

enum lf_error lf_client_open(const char *path, struct lf_client *client, struct lf_message *message)
{
	struct timeval patience = {.tv_sec = CONNECT_S};
	struct sockaddr_un address;
	enum lf_error error;

	client->handle = LF_HANDLE_NONE;
	error = lf_control_socket_address(path, false, &address, message);
	if (error != LF_OK)
		return error;
	client->handle = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	/* A daemon that hangs accepts nobody: once its backlog is full, connecting would wait for ever. */
	if (client->handle != LF_HANDLE_NONE &&
		setsockopt(socket_of(client), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
		connect(socket_of(client), (const struct sockaddr *)&address, sizeof(address)) == 0)
		return LF_OK;
	error = lf_error_from_errno(errno);
	if (errno == ECONNREFUSED || errno == EPROTOTYPE)
		error = LF_E_NOT_FOUND;
	if (errno == EAGAIN)
		error = LF_E_TIMED_OUT;
	if (error == LF_E_NOT_FOUND)
		lf_message_set(message,
			"%s: no adapter answers there: start lungfishd, or name its socket with --socket",
			address.sun_path);
	else if (error == LF_E_TIMED_OUT)
		lf_message_set(message, "%s: the adapter did not answer in %d s: look at its log",
			address.sun_path, CONNECT_S);
	else
		lf_message_set(message, "%s: %s: it is for the user who started lungfishd, and for root",
			address.sun_path, lf_error_text(error));
	lf_client_close(client);
	return error;
}

void lf_client_close(struct lf_client *client)
{
	if (client->handle != LF_HANDLE_NONE)
		close(socket_of(client));
	client->handle = LF_HANDLE_NONE;
}

void lf_client_send(struct lf_client *client, union lf_control_request *request,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX])
{
	uint8_t bytes[sizeof(*request)];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(LF_CONTROL_HANDLES_MAX * sizeof(int))];
	} control;
	struct iovec part = {bytes, lf_control_encode_request(request, bytes, sizeof(bytes))};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	int descriptors[LF_CONTROL_HANDLES_MAX];
	uint32_t count = 0;
	ssize_t sent;

	for (; handles && count < LF_CONTROL_HANDLES_MAX && handles[count] != LF_HANDLE_NONE; count++)
		descriptors[count] = (int)handles[count];
	memset(&control, 0, sizeof(control));
	if (count > 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.align), descriptors, count * sizeof(int));
	}
	do {
		sent = sendmsg(socket_of(client), &header, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
}

/*
 * A server that refuses answers and closes without having read the request, which the kernel reports as a
 * reset before it hands out the answer.
 */
static ssize_t take_reply(struct lf_client *client)
{
	ssize_t got = recv(socket_of(client), client->reply, sizeof(client->reply), 0);

	if (got < 0 && errno == ECONNRESET)
		got = recv(socket_of(client), client->reply, sizeof(client->reply), MSG_DONTWAIT);
	return got;
}

/* Waits for the reply until the deadline; its length, 0 at the end, -1 with errno. */
static ssize_t receive_reply(struct lf_client *client, uint64_t deadline_ns)
{
	struct pollfd ready = {.fd = socket_of(client), .events = POLLIN};
	uint64_t now_ns;
	int count;

	for (;;) {
		now_ns = lf_time_ns();
		count = poll(
			&ready, 1, now_ns < deadline_ns ? (int)((deadline_ns - now_ns) / NS_IN_MS) + 1 : 0);
		if (count > 0)
			return take_reply(client);
		if (count == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (errno != EINTR)
			return -1;
	}
}

enum lf_error lf_client_wait(struct lf_client *client, enum lf_control_command command, uint32_t timeout_ms,
	union lf_control_reply *reply, struct lf_message *message)
{
	ssize_t got = receive_reply(client, lf_time_ns() + timeout_ms * NS_IN_MS);

	if (got < 0 && errno == ETIMEDOUT) {
		lf_message_set(
			message, "the adapter did not answer in %u s: look at its log", timeout_ms / 1000);
		return LF_E_TIMED_OUT;
	}
	if (got <= 0) {
		lf_message_set(message, "the adapter went away: look at its log, and start it again");
		return LF_E_NOT_FOUND;
	}
	if (!lf_control_decode_reply(client->reply, (size_t)got, command, reply, message))
		return LF_E_UNSUPPORTED;
	return LF_OK;
}
