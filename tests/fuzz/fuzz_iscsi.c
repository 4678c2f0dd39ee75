/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_iscsi.c: bytes from an initiator, in process: the whole edge over a socket pair, an adapter and a disk
 * behind. */
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
 * byte on; with it the session is there already. MENDED has the numbers that only a stateful peer gets right
 * put in.
 */
enum play {
	LOGGED_IN = 1,
	DISCOVERY = 2,
	SOLICITED_ONLY = 4,
	NO_IMMEDIATE = 8,
	MENDED = 16,
	SMALL_BURSTS = 32
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lf_loop *loop;
static struct lf_iscsi *iscsi;

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
static void add_mended(const uint8_t *data, size_t size)
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
		add(bhs, sizeof(bhs));
		add(rest, ahs + length + iscsi_pad(length));
	}
}

static void set_up(void)
{
	static const struct lf_source source = {
		.path = BLOCKS, .handle = LF_HANDLE_NONE, .state_handle = LF_HANDLE_NONE};
	static const struct lf_lu_options unit = {
		.type = LF_LU_DISK, .lun = 0, .serial = "FUZZ", .identifier = 1};
	static struct lf_loop *loops[1];
	struct lf_iscsi_options options = {.iqn = "iqn.2001-04.com.example:disk",
		.loops = loops,
		.loop_count = 1,
		.memory_budget_bytes = MEMORY_BYTES};
	struct lf_message message;
	struct lf_adapter *adapter = lf_adapter_create(&(struct lf_adapter_options){0});
	struct lf_store_info info;
	struct lf_store *store;
	struct lf_lu *lu;

	loop = loops[0] = lf_loop_create(0, false, &message);
	if (lf_store_memory_ops.open(&source, &store, &info, &message) != LF_OK ||
		lf_lu_add(adapter, &unit, &lf_store_memory_ops, store, &info, &lu, &message) != LF_OK)
		abort();
	iscsi = lf_iscsi_create(adapter, &options, &message);
	if (iscsi == NULL || lf_iscsi_listen(iscsi, "127.0.0.1", 0, 1, &message) != LF_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how;
	int ends[2];

	if (iscsi == NULL)
		set_up();
	if (size < 2 || size > INPUT_MAX)
		return 0;
	how = data[0];
	peer.piece = data[1] == 0 ? sizeof(peer.bytes) : data[1];
	peer.length = peer.sent = 0;
	if (how & LOGGED_IN)
		add_login(how);
	if ((how & (LOGGED_IN | MENDED)) == (LOGGED_IN | MENDED))
		add_mended(data + 2, size - 2);
	else
		add(data + 2, size - 2);
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
	/* Nothing may be left of it: no connection, no session, no page. */
	lf_assert(iscsi->connections == 0 && iscsi->session_count == 0 && iscsi->login_count == 0 &&
		  iscsi->discovery_count == 0);
	lf_assert(iscsi->lanes[0].pool.free_pages[0] + iscsi->lanes[0].pool.free_pages[1] ==
		  iscsi->lanes[0].pool.page_count);
	lf_assert(iscsi->lanes[0].pool.promised == 0);
	lf_assert(lf_list_empty(&iscsi->lanes[0].waiting) && lf_list_empty(&iscsi->lanes[0].starved));
	return 0;
}
