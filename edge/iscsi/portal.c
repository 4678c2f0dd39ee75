/* SPDX-License-Identifier: BSD-2-Clause */
/* portal.c: network portals: listening, accepting, dealing connections out to the loops, addresses as text.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/iscsi/internal.h"
#include "platform/linux.h"

#define BACKLOG           128
#define ACCEPTS_PER_ROUND 32
#define ACCEPT_AGAIN_NS   200000000ull
#define REST_LOG_NS       60000000000ull
/* Those that made room for others are soon gone, but not at once; nor are those that linger. */
#define CONNECTIONS_BESIDE (4 * ISCSI_LOGINS_MAX + ISCSI_DISCOVERIES_MAX)

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
};

/* "127.0.0.1:3260", "[::1]:3260": as TargetAddress wants it (RFC 7143 13.8). */
static void address_text(const union address *address, uint16_t port, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (address->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%u", host, port);
	} else {
		inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, port);
	}
}

static uint16_t address_port(const union address *address)
{
	return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

static bool address_is_loopback(const union address *address)
{
	if (address->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
	return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
}

static bool address_is_wildcard(const union address *address)
{
	if (address->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
	return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
}

static void peer_text(int fd, char *text, size_t size)
{
	union address address = {0};
	socklen_t length = sizeof(address);

	if (getpeername(fd, &address.any, &length) == 0 &&
		(address.any.sa_family == AF_INET || address.any.sa_family == AF_INET6))
		address_text(&address, address_port(&address), text, size);
}

/* ---- SendTargets ---- */

static void put_address(struct iscsi_text *text, const char *address, uint16_t tag)
{
	char value[96];

	snprintf(value, sizeof(value), "%s,%u", address, tag);
	lf_iscsi_text_put(text, "TargetAddress", value);
}

void lf_iscsi_put_addresses(struct iscsi_connection *connection, struct iscsi_text *text)
{
	struct lf_iscsi *iscsi = connection->iscsi;
	union address local = {0};
	socklen_t length = sizeof(local);
	bool nearby, ipv6;

	if (getsockname(connection->fd, &local.any, &length) != 0)
		return;
	nearby = address_is_loopback(&local);
	ipv6 = local.any.sa_family == AF_INET6;
	for (uint32_t i = 0; i < iscsi->portal_count; i++) {
		const struct iscsi_portal *portal = &iscsi->portals[i];
		char here[64];

		if (portal->wildcard && portal->ipv6 == ipv6) {
			address_text(&local, portal->number, here, sizeof(here));
			put_address(text, here, portal->terms.portal_group);
		} else if (!portal->wildcard && (nearby || !portal->loopback)) {
			put_address(text, portal->address, portal->terms.portal_group);
		}
	}
}

/* ---- Accepting ---- */

/* Nobody is shut out by those that never finish their login: when there are too many the oldest goes. */
static void enter_logins(struct iscsi_connection *connection)
{
	struct lf_iscsi *iscsi = connection->iscsi;

	lf_lock(&iscsi->lock);
	if (iscsi->login_count >= ISCSI_LOGINS_MAX) {
		lf_iscsi_connection_kick(
			lf_container(lf_list_take(&iscsi->logins), struct iscsi_connection, login_link),
			ISCSI_KICK_ROOM);
		iscsi->login_count--;
	}
	lf_list_append(&iscsi->logins, &connection->login_link);
	iscsi->login_count++;
	lf_unlock(&iscsi->lock);
}

void lf_iscsi_adopt(struct lf_iscsi *iscsi, const struct iscsi_portal *portal, int fd)
{
	struct iscsi_connection *connection = NULL;
	bool room;

	lf_lock(&iscsi->lock);
	room = !iscsi->stopping && iscsi->connections < iscsi->sessions_max + CONNECTIONS_BESIDE;
	iscsi->connections += room;
	lf_unlock(&iscsi->lock);
	if (room)
		connection = lf_iscsi_connection_create(iscsi, portal, fd);
	if (connection == NULL) {
		close(fd);
		lf_lock(&iscsi->lock);
		iscsi->connections -= room;
		lf_unlock(&iscsi->lock);
		return;
	}
	connection->id = ++iscsi->next_connection_id;
	peer_text(fd, connection->address, sizeof(connection->address));
	connection->lane = &iscsi->lanes[iscsi->next_lane];
	iscsi->next_lane = (iscsi->next_lane + 1) % iscsi->lane_count;
	enter_logins(connection);
	lf_iscsi_connection_kick(connection, ISCSI_KICK_START);
}

/* Descriptors or memory ran out: the portal rests instead of spinning on a connection it cannot take. */
static void rest(struct iscsi_portal *portal, int error)
{
	struct lf_loop *loop = portal->iscsi->lanes[0].loop;
	uint64_t now_ns = lf_time_ns(), *logged_ns = &portal->iscsi->rest_logged_ns;

	if (*logged_ns == 0 || now_ns - *logged_ns >= REST_LOG_NS) {
		*logged_ns = now_ns;
		lf_log(LF_LOG_WARNING,
			"iscsi: cannot accept on %s: %s: raise the limit of open files (ulimit -n)",
			portal->address, lf_error_text(lf_error_from_errno(error)));
	}
	lf_loop_unwatch(loop, &portal->watch);
	lf_loop_timer_set(loop, &portal->again, now_ns + ACCEPT_AGAIN_NS);
}

static void portal_again(struct lf_timer *timer)
{
	struct iscsi_portal *portal = lf_container(timer, struct iscsi_portal, again);

	lf_loop_watch(portal->iscsi->lanes[0].loop, &portal->watch, EPOLLIN);
}

static void portal_ready(struct lf_watch *watch, uint32_t events)
{
	struct iscsi_portal *portal = lf_container(watch, struct iscsi_portal, watch);

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
		int one = 1, fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			lf_iscsi_adopt(portal->iscsi, portal, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			rest(portal, errno);
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

void lf_iscsi_portals_close(struct lf_iscsi *iscsi)
{
	for (uint32_t i = 0; i < iscsi->portal_count; i++) {
		struct iscsi_portal *portal = &iscsi->portals[i];

		if (portal->watch.fd < 0)
			continue;
		lf_loop_timer_cancel(iscsi->lanes[0].loop, &portal->again);
		lf_loop_unwatch(iscsi->lanes[0].loop, &portal->watch);
		close(portal->watch.fd);
		portal->watch.fd = -1;
	}
}

/* ---- Listening ---- */

static int open_listener(const struct addrinfo *info)
{
	int one = 1, error;
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Each family has its own portal: what [::] hears must not depend on a sysctl. */
	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static enum lf_error listen_failed(const char *host, uint16_t port, int error, struct lf_message *message)
{
	enum lf_error result = lf_error_from_errno(error);

	switch (error) {
	case EADDRINUSE:
		lf_message_set(message,
			"cannot listen on %s port %u: in use: stop the other program or name another port",
			host, port);
		return LF_E_BUSY;
	case EADDRNOTAVAIL:
		lf_message_set(
			message, "cannot listen on %s: not an address of this host: see `ip address`", host);
		return LF_E_NOT_FOUND;
	case EACCES:
		lf_message_set(message,
			"cannot listen on %s port %u: permission denied: use a port above 1023", host, port);
		return LF_E_PERMISSION;
	default:
		lf_message_set(message, "cannot listen on %s port %u: %s", host, port, lf_error_text(result));
		return result;
	}
}

static void portal_fill(struct lf_iscsi *iscsi, struct iscsi_portal *portal, int fd, uint16_t tag)
{
	union address address = {0};
	socklen_t length = sizeof(address);

	getsockname(fd, &address.any, &length);
	*portal = (struct iscsi_portal){
		.iscsi = iscsi,
		.watch = {.fd = fd, .ready = portal_ready},
		.again = {.fired = portal_again},
		.number = address_port(&address),
		.wildcard = address_is_wildcard(&address),
		.loopback = address_is_loopback(&address),
		.ipv6 = address.any.sa_family == AF_INET6,
		.terms = {.target_name = iscsi->iqn, .portal_group = tag, .authority = iscsi->authority},
		.port = {.device_name = iscsi->iqn, .relative_id = tag, .protocol = 5},
	};
	address_text(&address, portal->number, portal->address, sizeof(portal->address));
	snprintf(portal->port_name, sizeof(portal->port_name), "%s,t,0x%04x", iscsi->iqn, tag);
	portal->port.name = portal->port_name;
}

enum lf_error lf_iscsi_listen(
	struct lf_iscsi *iscsi, const char *host, uint16_t port, uint16_t tag, struct lf_message *message)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *info;
	char service[8];
	int error, fd;

	if (tag == 0) {
		lf_message_set(message, "portal %s: a portal group tag is between 1 and 65535", host);
		return LF_E_INVALID;
	}
	if (iscsi->portal_count == ISCSI_PORTALS_MAX) {
		lf_message_set(message, "portal %s: %d portals are the most", host, ISCSI_PORTALS_MAX);
		return LF_E_NO_SPACE;
	}
	snprintf(service, sizeof(service), "%u", port);
	error = getaddrinfo(host, service, &hints, &info);
	if (error != 0) {
		lf_message_set(message, "portal %s: %s: write a numeric address or a name that resolves",
			host, gai_strerror(error));
		return LF_E_NOT_FOUND;
	}
	fd = open_listener(info);
	error = errno;
	freeaddrinfo(info);
	if (fd < 0)
		return listen_failed(host, port, error, message);
	portal_fill(iscsi, &iscsi->portals[iscsi->portal_count], fd, tag);
	lf_loop_watch(iscsi->lanes[0].loop, &iscsi->portals[iscsi->portal_count].watch, EPOLLIN);
	iscsi->portal_count++;
	return LF_OK;
}

bool lf_iscsi_portal(struct lf_iscsi *iscsi, uint32_t index, struct lf_iscsi_portal_facts *facts)
{
	const struct iscsi_portal *portal;

	if (index >= iscsi->portal_count)
		return false;
	portal = &iscsi->portals[index];
	memcpy(facts->address, portal->address, sizeof(facts->address));
	facts->tag = portal->terms.portal_group;
	facts->loopback_only = portal->loopback;
	return true;
}
