/* SPDX-License-Identifier: BSD-2-Clause */
/* login.c: connect, login negotiation and logout of the initiator. */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "platform/bytes.h"
#include "tests/initiator/initiator.h"

void lf_login_add(struct lf_login_text *text, const char *key, const char *value)
{
	int length =
		snprintf(text->bytes + text->length, LF_LOGIN_TEXT_MAX - text->length, "%s=%s", key, value);
	text->length += (uint32_t)length + 1;
}

static void text_add_number(struct lf_login_text *text, const char *key, uint32_t value)
{
	char digits[16];
	snprintf(digits, sizeof(digits), "%u", value);
	lf_login_add(text, key, digits);
}

static bool connect_to(struct lf_initiator *session, const struct lf_url *url)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found, *each;
	struct timeval patience = {.tv_usec = 100000};
	int one = 1, result = getaddrinfo(url->host, url->port, &hints, &found);
	if (result)
		return lf_initiator_fail(session, "%s: %s", url->host, gai_strerror(result));
	for (each = found; each; each = each->ai_next) {
		session->fd = socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (session->fd < 0)
			continue;
		if (connect(session->fd, each->ai_addr, each->ai_addrlen) == 0)
			break;
		int error = errno;
		close(session->fd);
		session->fd = -1;
		errno = error;
	}
	freeaddrinfo(found);
	if (session->fd < 0)
		return lf_initiator_fail(session, "%s port %s: %s", url->host, url->port, strerror(errno));
	setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(session->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return true;
}

static void identify(const struct lf_login *login, const struct lf_url *url, struct lf_login_text *text)
{
	lf_login_add(text, "InitiatorName", login->initiator_name);
	lf_login_add(text, "TargetName", url->iqn);
	lf_login_add(text, "SessionType", "Normal");
}

static void offer(
	const struct lf_initiator *session, const struct lf_login *login, struct lf_login_text *text)
{
	lf_login_add(text, "HeaderDigest", login->header_digest ? "CRC32C" : "None");
	lf_login_add(text, "DataDigest", login->data_digest ? "CRC32C" : "None");
	lf_login_add(text, "ErrorRecoveryLevel", "0");
	lf_login_add(text, "MaxConnections", "1");
	lf_login_add(text, "InitialR2T", session->initial_r2t ? "Yes" : "No");
	lf_login_add(text, "ImmediateData", session->immediate_data ? "Yes" : "No");
	text_add_number(text, "MaxRecvDataSegmentLength", session->max_receive_bytes);
	text_add_number(text, "MaxBurstLength", session->max_burst_bytes);
	text_add_number(text, "FirstBurstLength", session->first_burst_bytes);
	text_add_number(text, "MaxOutstandingR2T", session->max_outstanding_r2t);
	lf_login_add(text, "DefaultTime2Wait", "0");
	lf_login_add(text, "DefaultTime2Retain", "0");
	lf_login_add(text, "DataPDUInOrder", "Yes");
	lf_login_add(text, "DataSequenceInOrder", "Yes");
}

static bool accept_digest(
	struct lf_initiator *session, const struct lf_login *login, const char *key, const char *value)
{
	bool offered = *key == 'H' ? login->header_digest : login->data_digest;
	if (strcmp(value, offered ? "CRC32C" : "None") != 0)
		return lf_initiator_fail(session, "login: the target insists on %s=%s", key, value);
	return true;
}

static void accept_chap(struct lf_chap *chap, const char *key, const char *value)
{
	if (!strcmp(key, "CHAP_A"))
		snprintf(chap->algorithm, sizeof(chap->algorithm), "%s", value);
	else if (!strcmp(key, "CHAP_I"))
		snprintf(chap->identifier, sizeof(chap->identifier), "%s", value);
	else if (!strcmp(key, "CHAP_C"))
		snprintf(chap->challenge, sizeof(chap->challenge), "%s", value);
	else if (!strcmp(key, "CHAP_N"))
		snprintf(chap->name, sizeof(chap->name), "%s", value);
	else if (!strcmp(key, "CHAP_R"))
		snprintf(chap->response, sizeof(chap->response), "%s", value);
}

static bool accept_key(
	struct lf_initiator *session, const struct lf_login *login, const char *key, const char *value)
{
	uint32_t number = (uint32_t)strtoul(value, NULL, 10);
	bool yes = strcmp(value, "Yes") == 0;
	if (!strcmp(value, "Reject") || !strcmp(value, "NotUnderstood"))
		return lf_initiator_fail(session, "login: the target answered %s=%s", key, value);
	if (!strcmp(key, "InitialR2T"))
		session->initial_r2t = session->initial_r2t || yes;
	else if (!strcmp(key, "ImmediateData"))
		session->immediate_data = session->immediate_data && yes;
	else if (!strcmp(key, "MaxRecvDataSegmentLength"))
		session->max_send_bytes = number;
	else if (!strcmp(key, "MaxBurstLength") && number < session->max_burst_bytes)
		session->max_burst_bytes = number;
	else if (!strcmp(key, "FirstBurstLength") && number < session->first_burst_bytes)
		session->first_burst_bytes = number;
	else if (!strcmp(key, "MaxOutstandingR2T") && number < session->max_outstanding_r2t)
		session->max_outstanding_r2t = number;
	else if (!strcmp(key, "HeaderDigest") || !strcmp(key, "DataDigest"))
		return accept_digest(session, login, key, value);
	accept_chap(&session->chap, key, value);
	return true;
}

static bool accept_text(
	struct lf_initiator *session, const struct lf_login *login, char *text, uint32_t length)
{
	if (length && text[length - 1])
		return lf_initiator_fail(session, "login: the answer's text does not end in a zero byte");
	for (uint32_t at = 0; at < length;) {
		char *key = text + at, *equals = strchr(key, '=');
		at += (uint32_t)strlen(key) + 1;
		if (!*key)
			continue;
		if (!equals)
			return lf_initiator_fail(session, "login: no '=' in the answer's \"%s\"", key);
		*equals = 0;
		if (!accept_key(session, login, key, equals + 1))
			return false;
	}
	return true;
}

static bool receive_all(struct lf_initiator *session, void *buffer, size_t length)
{
	uint8_t *at = buffer;
	for (int idle = 0; length && idle < 300;) {
		ssize_t got = recv(session->fd, at, length, 0);
		if (got == 0)
			return lf_initiator_fail(session, "login: the target closed the connection");
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return lf_initiator_fail(session, "login: %s", strerror(errno));
		if (got < 0) {
			idle++;
			continue;
		}
		at += got;
		length -= (size_t)got;
	}
	return length == 0 || lf_initiator_fail(session, "login: no answer for 30 s");
}

bool lf_login_exchange(struct lf_initiator *session, const struct lf_login *login, struct lf_login_text *text,
	uint8_t flags, bool *moved)
{
	uint8_t bhs[LF_BHS_LENGTH] = {0x43, flags}; /* immediate */
	uint32_t length;
	lf_put_be24(bhs + 5, text->length);
	bhs[8] = 0x80; /* ISID of the random type, RFC 7143 11.12.5 */
	lf_put_be32(bhs + 10, login->isid);
	lf_put_be32(bhs + 24, session->cmd_sn);
	lf_put_be32(bhs + 28, session->exp_stat_sn);
	lf_initiator_queue(session, bhs, text->bytes, text->length);
	while (session->out_count)
		if (!lf_initiator_send(session))
			return false;
	if (!receive_all(session, bhs, sizeof(bhs)))
		return false;
	length = lf_get_be24(bhs + 5);
	if ((bhs[0] & 0x3f) != 0x23 || length > LF_LOGIN_TEXT_MAX - 4)
		return lf_initiator_fail(session, "login: the answer is no login response");
	if (!receive_all(session, text->bytes, (length + 3) & ~3u))
		return false;
	if (bhs[36] || bhs[37])
		return lf_initiator_fail(session, "login: refused, status %02x%02x", bhs[36], bhs[37]);
	session->exp_stat_sn = lf_get_be32(bhs + 24) + 1;
	session->exp_cmd_sn = lf_get_be32(bhs + 28);
	session->max_cmd_sn = lf_get_be32(bhs + 32);
	session->tsih = (uint16_t)(bhs[14] << 8 | bhs[15]);
	*moved = bhs[1] & 0x80;
	text->bytes[length] = 0;
	text->length = 0;
	return accept_text(session, login, text->bytes, length);
}

static bool negotiate(struct lf_initiator *session, const struct lf_url *url, const struct lf_login *login)
{
	struct lf_login_text text = {.length = 0};
	bool final = false;
	session->immediate_data = login->immediate_data;
	session->initial_r2t = login->initial_r2t;
	session->first_burst_bytes = login->first_burst_bytes ? login->first_burst_bytes : 262144;
	session->max_burst_bytes = login->max_burst_bytes ? login->max_burst_bytes : 1048576;
	session->max_outstanding_r2t = login->max_outstanding_r2t ? login->max_outstanding_r2t : 1;
	session->max_receive_bytes = login->max_receive_bytes ? login->max_receive_bytes : 262144;
	session->max_send_bytes = 8192; /* RFC 7143 13.12: unless the target declares another */
	session->cmd_sn = 1;
	identify(login, url, &text);
	if (login->chap && !lf_login_chap(session, login, &text))
		return false;
	offer(session, login, &text);
	for (int round = 0; !final; round++) {
		if (round == 10)
			return lf_initiator_fail(session, "login: no end after ten rounds");
		/* T, from operational negotiation to full feature */
		if (!lf_login_exchange(session, login, &text, 0x87, &final))
			return false;
	}
	session->header_digest = login->header_digest;
	session->data_digest = login->data_digest;
	if (session->max_send_bytes < 512 || session->first_burst_bytes < 512 ||
		session->first_burst_bytes > session->max_burst_bytes)
		return lf_initiator_fail(session, "login: the target chose senseless lengths");
	return true;
}

bool lf_initiator_login(struct lf_initiator *session, const struct lf_url *url, const struct lf_login *login)
{
	memset(session, 0, sizeof(*session));
	session->fd = -1;
	session->waiting_end = &session->waiting;
	session->stage_size = 512 * 1024;
	session->out_size = 256;
	session->control_tag = UINT32_MAX;
	for (uint32_t i = 0; i < LF_TASKS_MAX; i++)
		session->free_slots[i] = (uint16_t)(LF_TASKS_MAX - 1 - i);
	session->free_count = LF_TASKS_MAX;
	session->stage = malloc(session->stage_size);
	session->out = malloc(session->out_size * sizeof(*session->out));
	if (!session->stage || !session->out)
		return lf_initiator_fail(session, "no memory");
	return connect_to(session, url) && negotiate(session, url, login);
}

bool lf_initiator_logout(struct lf_initiator *session)
{
	uint8_t bhs[LF_BHS_LENGTH] = {0x46, 0x80}; /* immediate; close the session */
	if (!lf_initiator_exchange(session, bhs, "logout"))
		return false;
	if (session->control_bhs[2])
		return lf_initiator_fail(session, "logout: response %u", session->control_bhs[2]);
	lf_initiator_close(session);
	return true;
}

void lf_initiator_close(struct lf_initiator *session)
{
	if (session->fd >= 0)
		close(session->fd);
	session->fd = -1;
	free(session->stage);
	free(session->out);
	session->stage = NULL;
	session->out = NULL;
}
