/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_iscsi.c: bytes from an initiator, in process: the whole edge over a socket pair, an adapter and a disk
 * behind. */
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/iscsi/internal.h"
#include "store/store.h"

#define BLOCKS       "memory:1M"
#define MEMORY_BYTES (8u << 20)
#define INPUT_MAX    (64u * 1024)
#define CMD_SN       1
#define ROUNDS_MAX   100

/*
 * The first byte of an input: how it is played. Without LOGGED_IN it is what a stranger sends from the first
 * byte on; with it the session is there already, perhaps with DIGESTS. MENDED has the numbers, and the
 * digests, that only a stateful peer gets right put in. PROVES: the target asks by CHAP who it is; with
 * MENDED the input is texts for the login alone, in which the right answers are put in.
 */
enum play {
	LOGGED_IN = 1,
	DISCOVERY = 2,
	SOLICITED_ONLY = 4,
	NO_IMMEDIATE = 8,
	MENDED = 16,
	SMALL_BURSTS = 32,
	DIGESTS = 64,
	PROVES = 128
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lf_loop *loop;
static struct lf_iscsi *nodes[2]; /* the second one asks who comes */
static const char secret[] = "fuzz:the secret of fuzz";

/* The initiator: what it still has to send, in pieces of this size. */
static struct {
	struct lf_watch watch;
	uint8_t bytes[INPUT_MAX + 4096];
	size_t length, sent, piece;
} peer;

static void peer_ready(struct lf_watch *watch, uint32_t events)
{
	static uint8_t answers[65536];
	ssize_t moved;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		moved = recv(watch->fd, answers, sizeof(answers), MSG_DONTWAIT);
		if (moved == 0 || (moved < 0 && (events & (EPOLLHUP | EPOLLERR)))) {
			lf_loop_stop(loop);
			lf_loop_unwatch(loop, watch);
			return;
		}
	}
	if (events & EPOLLOUT) {
		moved = send(watch->fd, peer.bytes + peer.sent, lf_min(peer.piece, peer.length - peer.sent),
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (moved > 0)
			peer.sent += (size_t)moved;
		if (peer.sent == peer.length) {
			shutdown(watch->fd, SHUT_WR);
			lf_loop_watch(loop, watch, EPOLLIN);
		}
	}
}

static void stop_fired(struct lf_timer *timer)
{
	(void)timer;
	lf_loop_stop(loop);
}

static struct lf_timer stop_timer = {.fired = stop_fired};

static void add(const void *bytes, size_t length)
{
	memcpy(peer.bytes + peer.length, bytes, length);
	peer.length += length;
}

static void add_text(char *text, size_t *length, const char *pair)
{
	memcpy(text + *length, pair, strlen(pair) + 1);
	*length += strlen(pair) + 1;
}

static void add_login(uint8_t how)
{
	uint8_t bhs[ISCSI_BHS_LENGTH] = {ISCSI_LOGIN | ISCSI_IMMEDIATE, 0x87};
	char text[512];
	size_t length = 0;

	add_text(text, &length, "InitiatorName=iqn.2001-04.com.example:fuzz");
	if (how & DISCOVERY)
		add_text(text, &length, "SessionType=Discovery");
	else
		add_text(text, &length, "TargetName=iqn.2001-04.com.example:disk");
	add_text(text, &length, how & SOLICITED_ONLY ? "InitialR2T=Yes" : "InitialR2T=No");
	add_text(text, &length, how & NO_IMMEDIATE ? "ImmediateData=No" : "ImmediateData=Yes");
	if (how & DIGESTS) {
		add_text(text, &length, "HeaderDigest=CRC32C");
		add_text(text, &length, "DataDigest=CRC32C");
	}
	if (how & SMALL_BURSTS) {
		add_text(text, &length, "FirstBurstLength=1024");
		add_text(text, &length, "MaxBurstLength=1536");
		add_text(text, &length, "MaxRecvDataSegmentLength=700");
	}
	lf_put_be24(bhs + ISCSI_AT_DATA_LENGTH, (uint32_t)length);
	lf_put_be32(bhs + ISCSI_AT_CMD_SN, CMD_SN);
	add(bhs, sizeof(bhs));
	add(text, length + iscsi_pad((uint32_t)length));
}

/* Cuts the input into PDUs and gives each the lengths and numbers that let it past the first checks. */
static void add_digest(uint32_t crc)
{
	uint8_t digest[ISCSI_DIGEST_LENGTH];

	iscsi_put_digest(digest, crc);
	add(digest, sizeof(digest));
}

static void add_pdu(const uint8_t *bhs, const uint8_t *rest, uint32_t ahs, uint32_t length, bool digests)
{
	uint32_t padded = length + iscsi_pad(length);

	add(bhs, ISCSI_BHS_LENGTH);
	add(rest, ahs);
	if (digests)
		add_digest(lf_iscsi_crc(lf_iscsi_crc(ISCSI_CRC_START, bhs, ISCSI_BHS_LENGTH), rest, ahs));
	add(rest + ahs, padded);
	/* Now and then a wrong one. */
	if (digests && length > 0)
		add_digest(lf_iscsi_crc(ISCSI_CRC_START, rest + ahs, padded) ^ (rest[ahs] == 0xee));
}

static void add_mended(const uint8_t *data, size_t size, bool digests)
{
	uint32_t cmd_sn = CMD_SN;

	while (size >= ISCSI_BHS_LENGTH && peer.length + 4096 < INPUT_MAX) {
		uint8_t bhs[ISCSI_BHS_LENGTH], rest[2048 + ISCSI_AHS_MAX + 4] = {0};
		uint32_t length, ahs, opcode;

		memcpy(bhs, data, sizeof(bhs));
		data += sizeof(bhs);
		size -= sizeof(bhs);
		opcode = iscsi_opcode(bhs);
		bhs[ISCSI_AT_AHS_LENGTH] = opcode == ISCSI_SCSI_COMMAND ? bhs[ISCSI_AT_AHS_LENGTH] % 8 : 0;
		ahs = iscsi_ahs_length(bhs);
		length = iscsi_data_length(bhs) % 2048;
		lf_put_be24(bhs + ISCSI_AT_DATA_LENGTH, length);
		memset(bhs + ISCSI_AT_LUN, 0, 8);
		lf_put_be32(bhs + ISCSI_AT_ITT, lf_get_be32(bhs + ISCSI_AT_ITT) % 8);
		if (opcode == ISCSI_DATA_OUT) {
			/* Tags as they are handed out: index and R2TSN. */
			uint32_t tag = lf_get_be32(bhs + ISCSI_AT_TTT);

			lf_put_be32(bhs + ISCSI_AT_TTT, tag & 0x80000000 ? ISCSI_NO_TAG : tag & 0xc03);
			lf_put_be32(bhs + ISCSI_AT_OFFSET, lf_get_be32(bhs + ISCSI_AT_OFFSET) % 16 * 512);
			lf_put_be32(bhs + ISCSI_AT_DATA_SN, lf_get_be32(bhs + ISCSI_AT_DATA_SN) % 4);
		} else if ((bhs[0] & ISCSI_IMMEDIATE) == 0) {
			lf_put_be32(bhs + ISCSI_AT_CMD_SN, cmd_sn++);
		}
		memcpy(rest, data, lf_min(size, ahs + length));
		data += lf_min(size, ahs + length);
		size -= lf_min(size, ahs + length);
		add_pdu(bhs, rest, ahs, length, digests);
	}
}

/* ---- The login alone ---- */

/* Puts the right response in the place of CHAP_R=*, and the target's own question in that of CHAP_C=*. */
static uint32_t mend_text(const struct iscsi_chap *chap, const char *from, uint32_t length, char *to)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t bytes[ISCSI_CHAP_DIGEST_MAX];
	struct sha256_ctx context;
	uint32_t made = 0;

	sha256_init(&context);
	sha256_update(&context, 1, &chap->identifier);
	sha256_update(&context, strlen(strchr(secret, ':') + 1), (const uint8_t *)strchr(secret, ':') + 1);
	sha256_update(&context, chap->challenge_length, chap->challenge);
	sha256_digest(&context, sizeof(bytes), bytes);
	for (uint32_t i = 0; i < length && made + 80 < ISCSI_LOGIN_TEXT_MAX; i++) {
		const uint8_t *value = i < 7 || from[i] != '*'                   ? NULL
				       : memcmp(from + i - 7, "CHAP_R=", 7) == 0 ? bytes
				       : memcmp(from + i - 7, "CHAP_C=", 7) == 0 ? chap->challenge
										 : NULL;
		if (value == NULL) {
			to[made++] = from[i];
			continue;
		}
		to[made++] = '0';
		to[made++] = 'x';
		for (uint32_t at = 0; at < ISCSI_CHAP_DIGEST_MAX; at++) {
			to[made++] = hex[value[at] >> 4];
			to[made++] = hex[value[at] & 15];
		}
	}
	return made;
}

/* Each request: a byte of flags, two of its length, its text. */
static void play_login(const uint8_t *data, size_t size)
{
	static char text[ISCSI_LOGIN_TEXT_MAX];
	enum iscsi_login_verdict verdict = ISCSI_LOGIN_ANSWER;
	struct iscsi_login login;

	lf_iscsi_login_init(&login, &nodes[1]->portals[0].terms);
	while (verdict == ISCSI_LOGIN_ANSWER && size >= 3) {
		uint8_t bhs[ISCSI_BHS_LENGTH] = {ISCSI_LOGIN | ISCSI_IMMEDIATE, data[0]};
		uint32_t length = (uint32_t)lf_min((size_t)lf_get_be16(data + 1), size - 3);

		verdict = lf_iscsi_login_request(
			&login, bhs, text, mend_text(&login.chap, (const char *)data + 3, length, text));
		data += 3 + length;
		size -= 3 + length;
	}
	lf_assert(verdict != ISCSI_LOGIN_FINISH || login.chap.state == ISCSI_CHAP_PROVEN);
	lf_iscsi_login_fini(&login);
	lf_assert(lf_list_empty(&nodes[1]->authority->challenges));
}

static struct lf_iscsi *node(struct lf_adapter *adapter, bool asks)
{
	struct lf_iscsi_options options = {.iqn = "iqn.2001-04.com.example:disk",
		.loops = &loop,
		.loop_count = 1,
		.memory_budget_bytes = MEMORY_BYTES};
	struct lf_message message;
	struct lf_iscsi *made;
	char text[128];

	snprintf(text, sizeof(text), "%s\nmutual target:the secret of the target\n", secret);
	if (asks)
		options.secrets = lf_iscsi_secrets_parse(text, strlen(text), "", &message);
	made = lf_iscsi_create(adapter, &options, &message);
	if (made == NULL || lf_iscsi_listen(made, "127.0.0.1", 0, 1, &message) != LF_OK)
		abort();
	return made;
}

static void set_up(void)
{
	static const struct lf_source source = {
		.path = BLOCKS, .handle = LF_HANDLE_NONE, .state_handle = LF_HANDLE_NONE};
	static const struct lf_lu_options unit = {
		.type = LF_LU_DISK, .lun = 0, .serial = "FUZZ", .identifier = 1};
	struct lf_message message;
	struct lf_adapter *adapter = lf_adapter_create(&(struct lf_adapter_options){0});
	struct lf_store_info info;
	struct lf_store *store;
	struct lf_lu *lu;

	loop = lf_loop_create(0, false, &message);
	if (lf_store_memory_ops.open(&source, &store, &info, &message) != LF_OK ||
		lf_lu_add(adapter, &unit, &lf_store_memory_ops, store, &info, &lu, &message) != LF_OK)
		abort();
	nodes[0] = node(adapter, false);
	nodes[1] = node(adapter, true);
}

/* Nothing may be left of it: no connection, no session, no page, no question. */
static void check_empty(const struct lf_iscsi *iscsi)
{
	const struct iscsi_lane *lane = &iscsi->lanes[0];

	lf_assert(iscsi->connections == 0 && iscsi->session_count == 0 && iscsi->login_count == 0 &&
		  iscsi->discovery_count == 0);
	lf_assert(lane->pool.free_pages[0] + lane->pool.free_pages[1] == lane->pool.page_count);
	lf_assert(lane->pool.promised == 0);
	lf_assert(lf_list_empty(&lane->waiting) && lf_list_empty(&lane->starved));
	lf_assert(iscsi->authority == NULL || lf_list_empty(&iscsi->authority->challenges));
}

static void fill_peer(uint8_t how, const uint8_t *data, size_t size)
{
	peer.length = peer.sent = 0;
	if (how & LOGGED_IN)
		add_login(how);
	if ((how & (LOGGED_IN | MENDED)) == (LOGGED_IN | MENDED))
		add_mended(data, size, (how & DIGESTS) != 0);
	else
		add(data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lf_iscsi *iscsi;
	uint8_t how;
	int ends[2];

	if (nodes[0] == NULL)
		set_up();
	if (size < 2 || size > INPUT_MAX)
		return 0;
	how = data[0];
	if ((how & (PROVES | MENDED)) == (PROVES | MENDED)) {
		play_login(data + 1, size - 1);
		return 0;
	}
	iscsi = nodes[(how & PROVES) != 0];
	peer.piece = data[1] == 0 ? sizeof(peer.bytes) : data[1];
	fill_peer(how, data + 2, size - 2);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
		abort();
	peer.watch = (struct lf_watch){.fd = ends[0], .ready = peer_ready};
	lf_loop_watch(loop, &peer.watch, EPOLLIN | EPOLLOUT);
	lf_iscsi_adopt(iscsi, &iscsi->portals[0], ends[1]);
	lf_loop_run(loop);
	close(ends[0]);
	/* The connection may still have waited for that end. */
	for (int round = 0; iscsi->connections > 0 && round < ROUNDS_MAX; round++) {
		lf_loop_timer_set(loop, &stop_timer, 0);
		lf_loop_run(loop);
	}
	check_empty(iscsi);
	return 0;
}
