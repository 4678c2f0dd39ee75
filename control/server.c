/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.c: clients of the control socket. A client is accepted, checked by its uid, and then read only while
 * it has no request outstanding and has taken its last reply: who floods fills its own socket, nothing of
 * ours.
 */
#include "control/server.h"
#include "control/listener.h"
#include "platform/loop_linux.h"
#include "trace/trace.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX     64
#define REQUEST_MAX     16384 /* more than any request has; what is longer is none */
#define PAUSE_NS        UINT64_C(1000000000)
#define ACCEPTS_AT_ONCE 16

struct lf_server {
	struct lf_server_options options;
	struct lf_listener listener;
	struct lf_watch watch;
	struct lf_timer resume; /* accepting again, after descriptors ran out */
	struct lf_link clients; /* the one that was idle the longest first */
	uint32_t client_count;
	uint64_t last_client;
	uint8_t request[REQUEST_MAX];
	uint8_t reply[LF_CONTROL_MESSAGE_MAX]; /* shared: a reply is sent, or copied to its client, at once */
};

/*
 * idle: reads. serving: does not; only its end is seen, and then the answer is forgotten. sending: waits for
 * EPOLLOUT with the reply in unsent.
 */
struct client {
	struct lf_server *server;
	struct lf_link link;
	struct lf_watch watch;
	struct lf_call call;
	bool serving;
	uint8_t *unsent;
	size_t unsent_length;
};

/* Whether descriptors come with the next message, which stays where it is. */
static bool brings_handles(int fd)
{
	struct msghdr header = {0};

	return recvmsg(fd, &header, MSG_DONTWAIT | MSG_PEEK) >= 0 && (header.msg_flags & MSG_CTRUNC);
}

/* What was not taken in the kernel closes with it, in the thread that does. */
static void close_socket(struct lf_server *server, int fd)
{
	const lf_handle handles[LF_CONTROL_HANDLES_MAX] = {fd, LF_HANDLE_NONE};

	if (brings_handles(fd))
		lf_handler_drop(server->options.handler, handles);
	else
		close(fd);
}

static void client_close(struct client *client)
{
	struct lf_server *server = client->server;

	if (client->serving)
		lf_handler_forget(&client->call);
	lf_loop_unwatch(server->options.loop, &client->watch);
	close_socket(server, client->watch.fd);
	lf_list_remove(&client->link);
	server->client_count--;
	lf_free(client->unsent);
	lf_free(client);
}

/* To the end of the row: it was heard of just now. */
static void client_touch(struct client *client)
{
	lf_list_remove(&client->link);
	lf_list_append(&client->server->clients, &client->link);
}

/* Sends the reply, or keeps it until there is room. False: the client is gone. */
static bool client_reply(struct client *client, const uint8_t *reply, size_t length)
{
	struct lf_loop *loop = client->server->options.loop;

	if (send(client->watch.fd, reply, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length) {
		lf_loop_watch(loop, &client->watch, EPOLLIN);
		return true;
	}
	if (errno == EAGAIN || errno == ENOBUFS)
		client->unsent = lf_alloc(length);
	if (!client->unsent) {
		client_close(client);
		return false;
	}
	memcpy(client->unsent, reply, length);
	client->unsent_length = length;
	lf_loop_watch(loop, &client->watch, EPOLLOUT);
	return true;
}

static void client_answered(struct lf_call *call)
{
	struct client *client = lf_container(call, struct client, call);

	client->serving = false;
	if (client_reply(client, call->reply, call->reply_length) && !call->believed)
		client_close(client);
}

/* The descriptors that came with a message; more than there is room for the kernel has closed. */
static void take_handles(struct msghdr *header, lf_handle handles[LF_CONTROL_HANDLES_MAX])
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
		size_t length = part->cmsg_len - CMSG_LEN(0);
		int fds[LF_CONTROL_HANDLES_MAX];
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS || length > sizeof(fds))
			continue;
		memcpy(fds, CMSG_DATA(part), length);
		for (size_t i = 0; i < length / sizeof(fds[0]); i++)
			handles[i] = fds[i];
	}
}

/* Who does not take it at once goes without. */
static void tell_refused(struct lf_server *server, int fd, enum lf_control_status status, const char *text)
{
	size_t length = lf_handler_refuse(status, text, server->reply, sizeof(server->reply));

	if (send(fd, server->reply, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		lf_log(LF_LOG_DEBUG, "control: a client that was refused did not wait for the answer");
}

/* Taking the message without them would close them here. */
static void client_refuse_handles(struct client *client)
{
	lf_trace_control_client_refused(client->call.client, LF_CONTROL_BUSY, 0, 0);
	tell_refused(client->server, client->watch.fd, LF_CONTROL_BUSY,
		"descriptors of earlier requests are still being closed, and the host does not "
		"let go of them: look at its mounts, then try again");
	client_close(client);
}

static void client_read(struct client *client)
{
	struct lf_server *server = client->server;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(LF_CONTROL_HANDLES_MAX * sizeof(int))];
	} control;
	struct iovec part = {server->request, sizeof(server->request)};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	lf_handle handles[LF_CONTROL_HANDLES_MAX] = {LF_HANDLE_NONE, LF_HANDLE_NONE};
	ssize_t got;

	/* Never more than can be closed without this loop. */
	if (!lf_handler_takes_handles(server->options.handler) && brings_handles(client->watch.fd)) {
		client_refuse_handles(client);
		return;
	}
	got = recvmsg(client->watch.fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got >= 0)
		take_handles(&header, handles);
	/* An empty message looks like the end, but it may have brought descriptors. */
	if (got <= 0) {
		lf_handler_drop(server->options.handler, handles);
		client_close(client);
		return;
	}
	client_touch(client);
	client->serving = true;
	/* Nothing but the end of the client is looked for until it was answered. */
	lf_loop_watch(server->options.loop, &client->watch, 0);
	client->call.reply = server->reply;
	client->call.answered = client_answered;
	/* Of a message that was cut the codec sees a length that cannot be. */
	lf_handler_serve(server->options.handler, &client->call, server->request, (size_t)got, handles);
}

static void client_write(struct client *client)
{
	ssize_t sent =
		send(client->watch.fd, client->unsent, client->unsent_length, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
		return;
	if (sent < 0) {
		client_close(client);
		return;
	}
	lf_free(client->unsent);
	client->unsent = NULL;
	client_touch(client);
	lf_loop_watch(client->server->options.loop, &client->watch, EPOLLIN);
}

static void client_ready(struct lf_watch *watch, uint32_t events)
{
	struct client *client = lf_container(watch, struct client, watch);

	if (client->unsent && (events & EPOLLOUT))
		client_write(client);
	else if (!client->serving && !client->unsent && (events & EPOLLIN))
		client_read(client);
	else if (events & (EPOLLHUP | EPOLLERR))
		client_close(client);
}

/* ---- Accepting ---- */

static void refuse(struct lf_server *server, int fd, enum lf_control_status status, const char *text)
{
	lf_trace_control_client_refused(server->last_client, status, 0, 0);
	tell_refused(server, fd, status, text);
	close_socket(server, fd);
}

/* Makes room for one more. False: all have a request outstanding. */
static bool drop_idle(struct lf_server *server)
{
	lf_list_each(link, next, &server->clients)
	{
		struct client *client = lf_container(link, struct client, link);
		if (!client->serving) {
			client_close(client);
			return true;
		}
	}
	return false;
}

static void client_open(struct lf_server *server, int fd)
{
	struct ucred peer = {0};
	socklen_t length = sizeof(peer);
	struct client *client;

	server->last_client++;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 ||
		(peer.uid != 0 && peer.uid != geteuid())) {
		refuse(server, fd, LF_CONTROL_PERMISSION,
			"this adapter is another user's: ask as that user or as root, or start your own "
			"lungfishd");
		return;
	}
	if (server->client_count >= server->options.clients_max && !drop_idle(server)) {
		refuse(server, fd, LF_CONTROL_BUSY, "too many requests are outstanding: try again");
		return;
	}
	client = lf_alloc(sizeof(*client));
	if (!client) {
		refuse(server, fd, LF_CONTROL_FAILED, "out of memory");
		return;
	}
	client->server = server;
	client->call.client = server->last_client;
	client->watch.fd = fd;
	client->watch.ready = client_ready;
	lf_list_append(&server->clients, &client->link);
	server->client_count++;
	lf_loop_watch(server->options.loop, &client->watch, EPOLLIN);
	lf_trace_control_client_opened(server->last_client, peer.uid, 0, 0);
}

static void resume_accepting(struct lf_timer *timer)
{
	struct lf_server *server = lf_container(timer, struct lf_server, resume);

	lf_loop_watch(server->options.loop, &server->watch, EPOLLIN);
}

static void accept_ready(struct lf_watch *watch, uint32_t events)
{
	struct lf_server *server = lf_container(watch, struct lf_server, watch);

	(void)events;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			client_open(server, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			/* The socket stays readable: without a pause this would be a busy loop. */
			lf_log(LF_LOG_WARNING, "control: no descriptor for a new client: waiting a second");
			lf_loop_unwatch(server->options.loop, watch);
			lf_loop_timer_set(server->options.loop, &server->resume, lf_time_ns() + PAUSE_NS);
		}
		return;
	}
}

struct lf_server *lf_server_open(const struct lf_server_options *options, struct lf_message *message)
{
	struct lf_server *server = lf_alloc(sizeof(*server));

	if (!server) {
		lf_message_set(message, "control socket: out of memory");
		return NULL;
	}
	server->options = *options;
	if (server->options.clients_max == 0)
		server->options.clients_max = CLIENTS_MAX;
	lf_list_init(&server->clients);
	if (lf_listener_open(options->socket_path, &server->listener, message) != LF_OK) {
		lf_free(server);
		return NULL;
	}
	server->watch.fd = server->listener.fd;
	server->watch.ready = accept_ready;
	server->resume.fired = resume_accepting;
	lf_loop_watch(options->loop, &server->watch, EPOLLIN);
	return server;
}

const char *lf_server_path(const struct lf_server *server)
{
	return server->listener.address.sun_path;
}

void lf_server_close(struct lf_server *server)
{
	lf_list_each(link, next, &server->clients) client_close(lf_container(link, struct client, link));
	lf_loop_timer_cancel(server->options.loop, &server->resume);
	lf_loop_unwatch(server->options.loop, &server->watch);
	lf_listener_close(&server->listener);
	lf_free(server);
}
