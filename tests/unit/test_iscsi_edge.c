/* SPDX-License-Identifier: BSD-2-Clause */
/* test_iscsi_edge.c: the iSCSI edge on a loop of its own, before a store that hangs, with a budget that is
 * short. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "edge/iscsi/internal.h"
#include "store/store.h"
#include "tests/test.h"

#define IQN            "iqn.2001-04.com.example:disk"
#define SILENCE_MS     200
#define ANSWER_S       20
#define CROWD_COMMANDS 40
#define BUDGET_BYTES   (8u << 20) /* the least that one loop takes */

/* ---- The target, on its thread ---- */

#define LOOPS_MAX 2

struct stage {
	struct lf_loop *loops[LOOPS_MAX];
	pthread_t threads[LOOPS_MAX];
	uint32_t loop_count;
	struct lf_adapter *adapter;
	struct lf_store *store;
	struct lf_lu *lu;
	struct lf_iscsi *iscsi;
	struct lf_post stop_post;
	uint64_t stop_after_ms;
	uint32_t stopped, removed;
	uint16_t port;
};

static void *stage_run(void *loop)
{
	lf_loop_run(loop);
	return NULL;
}

/* silence_ms 0: longer than any test lasts. */
static bool stage_begin(struct stage *stage, uint64_t budget_bytes, uint32_t silence_ms, uint32_t loop_count)
{
	static const struct lf_lu_options unit = {
		.type = LF_LU_DISK, .lun = 0, .serial = "TEST", .identifier = 1};
	struct lf_source source = {
		.path = "memory:16M", .handle = LF_HANDLE_NONE, .state_handle = LF_HANDLE_NONE};
	struct lf_iscsi_options options = {.iqn = IQN,
		.loops = stage->loops,
		.loop_count = loop_count,
		.memory_budget_bytes = budget_bytes,
		.silence_ms = silence_ms};
	struct lf_iscsi_portal_facts facts;
	struct lf_message message;
	struct lf_store_info info;

	*stage = (struct stage){.loop_count = loop_count};
	for (uint32_t i = 0; i < loop_count; i++)
		stage->loops[i] = lf_loop_create(i, false, &message);
	stage->adapter = lf_adapter_create(&(struct lf_adapter_options){.lane_count = loop_count});
	if (lf_store_memory_ops.open(&source, &stage->store, &info, &message) != LF_OK)
		return false;
	stage->store = lf_store_fault_wrap(&lf_store_memory_ops, stage->store, 1);
	if (lf_lu_add(stage->adapter, &unit, &lf_store_fault_ops, stage->store, &info, &stage->lu,
		    &message) != LF_OK)
		return false;
	stage->iscsi = lf_iscsi_create(stage->adapter, &options, &message);
	if (stage->iscsi == NULL || lf_iscsi_listen(stage->iscsi, "127.0.0.1", 0, 1, &message) != LF_OK)
		return false;
	lf_iscsi_portal(stage->iscsi, 0, &facts);
	stage->port = (uint16_t)atoi(strrchr(facts.address, ':') + 1);
	for (uint32_t i = 0; i < loop_count; i++)
		if (pthread_create(&stage->threads[i], NULL, stage_run, stage->loops[i]) != 0)
			return false;
	return true;
}

static bool stage_open(struct stage *stage, uint64_t budget_bytes)
{
	return stage_begin(stage, budget_bytes, 0, 1);
}

static void stage_stopped(void *context)
{
	struct stage *stage = context;

	lf_atomic_store_u32(&stage->stopped, 1);
	for (uint32_t i = 0; i < stage->loop_count; i++)
		lf_loop_stop(stage->loops[i]);
}

static void stage_stop_post(struct lf_post *post)
{
	struct stage *stage = lf_container(post, struct stage, stop_post);

	lf_iscsi_stop(stage->iscsi, lf_time_ns() + stage->stop_after_ms * 1000000, stage_stopped, stage);
}

static void stage_stop(struct stage *stage, uint64_t after_ms)
{
	stage->stop_after_ms = after_ms;
	stage->stop_post.run = stage_stop_post;
	lf_loop_post(stage->loops[0], &stage->stop_post);
}

static struct stage *removing;

static void stage_removed(struct lf_removal *removal)
{
	(void)removal;
	lf_atomic_store_u32(&removing->removed, 1);
}

/* After stage_stop. */
static void stage_close(struct stage *stage)
{
	struct lf_removal removal = {.done = stage_removed};

	for (uint32_t i = 0; i < stage->loop_count; i++)
		pthread_join(stage->threads[i], NULL);
	lf_iscsi_destroy(stage->iscsi);
	removing = stage;
	lf_lu_remove(stage->lu, &removal);
	while (lf_atomic_load_u32(&stage->removed) == 0)
		usleep(1000);
	lf_lu_free(stage->lu);
	lf_store_fault_ops.close(stage->store);
	lf_adapter_destroy(stage->adapter);
	for (uint32_t i = 0; i < stage->loop_count; i++)
		lf_loop_destroy(stage->loops[i]);
}

static bool wait_held(struct stage *stage, uint32_t count)
{
	for (int i = 0; i < ANSWER_S * 1000 && lf_store_fault_held(stage->store) != count; i++)
		usleep(1000);
	return lf_store_fault_held(stage->store) == count;
}

/* ---- The initiator ---- */

struct peer {
	int fd;
	uint32_t cmd_sn, max_cmd_sn;
	uint8_t bhs[ISCSI_BHS_LENGTH];
	uint8_t data[300000];
	uint32_t length;
};

static struct peer *peer_open(const struct stage *stage)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(stage->port)};
	struct timeval patience = {.tv_sec = ANSWER_S};
	struct peer *peer = calloc(1, sizeof(*peer));

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer->cmd_sn = 1;
	peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(peer->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(peer->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return peer;
	close(peer->fd);
	free(peer);
	return NULL;
}

static void peer_close(struct peer *peer)
{
	close(peer->fd);
	free(peer);
}

static void send_pdu(struct peer *peer, uint8_t *bhs, const void *data, uint32_t length)
{
	static const uint8_t zeros[4];

	lf_put_be24(bhs + ISCSI_AT_DATA_LENGTH, length);
	if (send(peer->fd, bhs, ISCSI_BHS_LENGTH, MSG_NOSIGNAL) < 0 ||
		send(peer->fd, data, length, MSG_NOSIGNAL) < 0 ||
		send(peer->fd, zeros, iscsi_pad(length), MSG_NOSIGNAL) < 0)
		return;
}

/* A process that was stopped goes on with EINTR where it waits with a limit, or with a part. */
static bool receive_bytes(struct peer *peer, uint8_t *to, uint32_t length)
{
	for (uint32_t at = 0; at < length;) {
		ssize_t got = recv(peer->fd, to + at, length - at, MSG_WAITALL);

		if (got == 0 || (got < 0 && errno != EINTR))
			return false;
		at += got > 0 ? (uint32_t)got : 0;
	}
	return true;
}

/* The opcode of the next PDU; 0xff: the end, or nothing in time. */
static uint32_t receive(struct peer *peer)
{
	if (!receive_bytes(peer, peer->bhs, ISCSI_BHS_LENGTH))
		return 0xff;
	peer->length = iscsi_data_length(peer->bhs);
	if (!receive_bytes(peer, peer->data, peer->length + iscsi_pad(peer->length)))
		return 0xff;
	peer->max_cmd_sn = lf_get_be32(peer->bhs + ISCSI_AT_MAX_CMD_SN);
	return iscsi_opcode(peer->bhs);
}

static bool silent(struct peer *peer)
{
	struct pollfd wait = {.fd = peer->fd, .events = POLLIN};

	return poll(&wait, 1, SILENCE_MS) <= 0; /* less: EINTR, as above */
}

static void login_send(struct peer *peer, uint8_t isid)
{
	static const char text[] =
		"InitiatorName=iqn.2001-04.com.example:host\0TargetName=" IQN
		"\0InitialR2T=Yes\0MaxBurstLength=65536\0MaxRecvDataSegmentLength=262144\0";
	uint8_t bhs[ISCSI_BHS_LENGTH] = {ISCSI_LOGIN | ISCSI_IMMEDIATE, 0x87};

	bhs[ISCSI_AT_ISID] = 0x80;
	bhs[ISCSI_AT_ISID + 5] = isid;
	lf_put_be32(bhs + ISCSI_AT_CMD_SN, peer->cmd_sn);
	send_pdu(peer, bhs, text, sizeof(text) - 1);
}

static bool login_received(struct peer *peer)
{
	return receive(peer) == ISCSI_LOGIN_RESPONSE && lf_get_be16(peer->bhs + ISCSI_AT_LOGIN_STATUS) == 0;
}

static struct peer *session(const struct stage *stage, uint8_t isid)
{
	struct peer *peer = peer_open(stage);

	if (peer == NULL)
		return NULL;
	login_send(peer, isid);
	if (login_received(peer))
		return peer;
	peer_close(peer);
	return NULL;
}

static void command(struct peer *peer, uint32_t itt, uint8_t opcode, uint32_t lba, uint16_t blocks)
{
	uint8_t bhs[ISCSI_BHS_LENGTH] = {ISCSI_SCSI_COMMAND, ISCSI_FINAL | 1};
	uint8_t *cdb = bhs + ISCSI_AT_CDB;

	bhs[ISCSI_AT_FLAGS] |= opcode == 0x28 ? ISCSI_COMMAND_READ : opcode == 0x2a ? ISCSI_COMMAND_WRITE : 0;
	cdb[0] = opcode;
	lf_put_be32(cdb + 2, lba);
	lf_put_be16(cdb + 7, blocks);
	lf_put_be32(bhs + ISCSI_AT_ITT, itt);
	lf_put_be32(bhs + ISCSI_AT_EDTL, blocks * 512u);
	lf_put_be32(bhs + ISCSI_AT_CMD_SN, peer->cmd_sn++);
	send_pdu(peer, bhs, NULL, 0);
}

static bool ready(struct peer *peer)
{
	for (int i = 0; i < 4; i++) {
		command(peer, 1, 0, 0, 0);
		if (receive(peer) != ISCSI_SCSI_RESPONSE)
			return false;
		if (peer->bhs[ISCSI_AT_STATUS] == 0)
			return true;
	}
	return false;
}

static void answer_r2t(struct peer *peer)
{
	static const uint8_t zeros[65536];
	uint8_t bhs[ISCSI_BHS_LENGTH] = {ISCSI_DATA_OUT, ISCSI_FINAL};
	uint32_t length = lf_get_be32(peer->bhs + ISCSI_AT_DESIRED_LENGTH);

	memcpy(bhs + ISCSI_AT_ITT, peer->bhs + ISCSI_AT_ITT, 8);
	memcpy(bhs + ISCSI_AT_OFFSET, peer->bhs + ISCSI_AT_OFFSET, 4);
	send_pdu(peer, bhs, zeros, length);
}

/* Its answer comes behind whatever the PDUs before it have brought at once. */
static void ping(struct peer *peer)
{
	uint8_t bhs[ISCSI_BHS_LENGTH] = {ISCSI_NOP_OUT | ISCSI_IMMEDIATE, ISCSI_FINAL};

	lf_put_be32(bhs + ISCSI_AT_ITT, 0x7001);
	lf_put_be32(bhs + ISCSI_AT_TTT, ISCSI_NO_TAG);
	lf_put_be32(bhs + ISCSI_AT_CMD_SN, peer->cmd_sn);
	send_pdu(peer, bhs, NULL, 0);
}

static void task_management(struct peer *peer, uint8_t function, uint32_t referenced)
{
	uint8_t bhs[ISCSI_BHS_LENGTH] = {
		ISCSI_TASK_MANAGEMENT | ISCSI_IMMEDIATE, (uint8_t)(ISCSI_FINAL | function)};

	lf_put_be32(bhs + ISCSI_AT_ITT, 0x7000);
	lf_put_be32(bhs + ISCSI_AT_RTT, referenced);
	lf_put_be32(bhs + ISCSI_AT_CMD_SN, peer->cmd_sn);
	send_pdu(peer, bhs, NULL, 0);
}

/* ---- A store that hangs ---- */

static bool hang_reads(struct stage *stage)
{
	return lf_store_fault_add(
		stage->store, &(struct lf_fault_rule){.ops = LF_FAULT_OP(LF_OP_READ), .hang = true});
}

/* NULL: there is none. */
static struct peer *session_with_held_read(struct stage *stage)
{
	struct peer *peer = session(stage, 1);

	if (peer == NULL || !ready(peer) || !hang_reads(stage))
		return NULL;
	command(peer, 2, 0x28, 0, 8);
	return wait_held(stage, 1) ? peer : NULL;
}

static void let_go(struct stage *stage)
{
	lf_store_fault_clear(stage->store);
	lf_store_fault_release(stage->store);
}

TEST(iscsi_reinstatement_waits_for_the_store)
{
	struct stage stage;
	struct peer *old, *newer, *newest;

	CHECK(stage_open(&stage, 0));
	CHECK((old = session_with_held_read(&stage)) != NULL);
	CHECK((newer = peer_open(&stage)) != NULL);
	login_send(newer, 1);
	CHECK(silent(newer));
	CHECK_EQ(receive(old), 0xff);
	/* One that gives up, and one that takes its place. */
	CHECK((newest = peer_open(&stage)) != NULL);
	login_send(newest, 1);
	CHECK(silent(newest));
	peer_close(newer);
	CHECK_EQ(lf_iscsi_session_count(stage.iscsi), 1);
	let_go(&stage);
	CHECK(login_received(newest));
	CHECK(ready(newest));
	CHECK_EQ(lf_iscsi_session_count(stage.iscsi), 1);
	peer_close(newest);
	peer_close(old);
	stage_stop(&stage, 1000);
	stage_close(&stage);
}

/* Two logins wait for the old session's end, each on a loop of its own: whichever of them hears of it first.
 */
TEST(iscsi_of_two_logins_that_wait_the_younger_stays)
{
	struct stage stage;
	struct peer *old, *newer, *newest;

	CHECK(stage_begin(&stage, 0, 0, 2));
	CHECK((old = session_with_held_read(&stage)) != NULL);
	CHECK((newer = peer_open(&stage)) != NULL);
	login_send(newer, 1);
	CHECK_EQ(receive(old), 0xff);
	CHECK((newest = peer_open(&stage)) != NULL);
	login_send(newest, 1);
	CHECK(silent(newest));
	let_go(&stage);
	CHECK(login_received(newest));
	while (receive(newer) != 0xff)
		;
	CHECK(ready(newest));
	CHECK_EQ(lf_iscsi_session_count(stage.iscsi), 1);
	peer_close(newest);
	peer_close(newer);
	peer_close(old);
	stage_stop(&stage, 1000);
	stage_close(&stage);
}

TEST(iscsi_stop_waits_for_the_store)
{
	struct stage stage;
	struct peer *peer;

	CHECK(stage_open(&stage, 0));
	CHECK((peer = session_with_held_read(&stage)) != NULL);
	stage_stop(&stage, 1000);
	CHECK_EQ(receive(peer), ISCSI_ASYNC_MESSAGE);
	/* Past the deadline the connection is gone, but what the core has is not. */
	CHECK_EQ(receive(peer), 0xff);
	usleep(SILENCE_MS * 1000);
	CHECK_EQ(lf_atomic_load_u32(&stage.stopped), 0);
	let_go(&stage);
	stage_close(&stage);
	CHECK_EQ(stage.stopped, 1);
	peer_close(peer);
}

TEST(iscsi_stop_lets_commands_end)
{
	struct stage stage;
	struct peer *peer;

	CHECK(stage_open(&stage, 0));
	CHECK((peer = session_with_held_read(&stage)) != NULL);
	stage_stop(&stage, ANSWER_S * 1000);
	/* It is asked to log out; a new command is refused, the old one ends, and then there is a farewell.
	 */
	CHECK_EQ(receive(peer), ISCSI_ASYNC_MESSAGE);
	CHECK_EQ(peer->bhs[ISCSI_AT_ASYNC_EVENT], ISCSI_ASYNC_REQUEST_LOGOUT);
	CHECK_EQ(lf_get_be16(peer->bhs + ISCSI_AT_PARAMETER_3), 1);
	command(peer, 3, 0, 0, 0);
	CHECK_EQ(receive(peer), ISCSI_REJECT);
	CHECK_EQ(peer->bhs[ISCSI_AT_RESPONSE], ISCSI_REJECT_WAITING_FOR_LOGOUT);
	let_go(&stage);
	CHECK_EQ(receive(peer), ISCSI_DATA_IN);
	CHECK_EQ(peer->length, 4096);
	CHECK_EQ(receive(peer), ISCSI_ASYNC_MESSAGE);
	CHECK_EQ(peer->bhs[ISCSI_AT_ASYNC_EVENT], ISCSI_ASYNC_DROP_SESSION);
	/* Of Time2Wait nothing was said, so 13.15 holds; nothing is retained. */
	CHECK_EQ(lf_get_be16(peer->bhs + ISCSI_AT_PARAMETER_2), 2);
	CHECK_EQ(lf_get_be16(peer->bhs + ISCSI_AT_PARAMETER_3), 0);
	CHECK_EQ(receive(peer), 0xff);
	peer_close(peer);
	stage_close(&stage);
}

/* Whoever does as he is asked need not be told farewell. What hangs keeps his session past the moment that he
 * has for it, should he be slow. */
TEST(iscsi_stop_ends_with_a_logout)
{
	uint8_t bhs[ISCSI_BHS_LENGTH] = {ISCSI_LOGOUT | ISCSI_IMMEDIATE, ISCSI_FINAL};
	struct stage stage;
	struct peer *peer;

	CHECK(stage_open(&stage, 0));
	CHECK((peer = session_with_held_read(&stage)) != NULL);
	stage_stop(&stage, ANSWER_S * 1000);
	CHECK_EQ(receive(peer), ISCSI_ASYNC_MESSAGE);
	CHECK_EQ(peer->bhs[ISCSI_AT_ASYNC_EVENT], ISCSI_ASYNC_REQUEST_LOGOUT);
	lf_put_be32(bhs + ISCSI_AT_ITT, 5);
	lf_put_be32(bhs + ISCSI_AT_CMD_SN, peer->cmd_sn);
	send_pdu(peer, bhs, NULL, 0);
	CHECK(silent(peer));
	let_go(&stage);
	CHECK_EQ(receive(peer), ISCSI_DATA_IN);
	CHECK_EQ(receive(peer), ISCSI_LOGOUT_RESPONSE);
	CHECK_EQ(peer->bhs[ISCSI_AT_RESPONSE], ISCSI_LOGOUT_CLOSED);
	CHECK_EQ(receive(peer), 0xff);
	peer_close(peer);
	stage_close(&stage);
}

TEST(iscsi_abort_of_what_hangs)
{
	struct stage stage;
	struct peer *peer;

	CHECK(stage_open(&stage, 0));
	CHECK((peer = session(&stage, 1)) != NULL && ready(peer));
	CHECK(hang_reads(&stage));
	command(peer, 2, 0x28, 0, 8);
	command(peer, 3, 0x28, 8, 8);
	CHECK(wait_held(&stage, 2));
	task_management(peer, ISCSI_TMF_ABORT_TASK, 2);
	/* The store gives up what was aborted; nothing answers the command, the function is answered. */
	CHECK_EQ(receive(peer), ISCSI_TASK_MANAGEMENT_RESPONSE);
	CHECK_EQ(peer->bhs[ISCSI_AT_RESPONSE], ISCSI_TMF_COMPLETE);
	CHECK(silent(peer));
	let_go(&stage);
	CHECK_EQ(receive(peer), ISCSI_DATA_IN);
	CHECK_EQ(lf_get_be32(peer->bhs + ISCSI_AT_ITT), 3);
	peer_close(peer);
	stage_stop(&stage, 1000);
	stage_close(&stage);
}

TEST(iscsi_peer_goes_while_the_store_hangs)
{
	struct stage stage;
	struct peer *peer;

	CHECK(stage_open(&stage, 0));
	CHECK((peer = session(&stage, 1)) != NULL && ready(peer));
	CHECK(hang_reads(&stage));
	for (uint32_t i = 0; i < 20; i++)
		command(peer, 2 + i, 0x28, 8 * i, 8);
	CHECK(wait_held(&stage, 20));
	peer_close(peer);
	usleep(SILENCE_MS * 1000);
	CHECK_EQ(lf_iscsi_session_count(stage.iscsi), 1);
	let_go(&stage);
	for (int i = 0; i < ANSWER_S * 1000 && lf_iscsi_session_count(stage.iscsi) > 0; i++)
		usleep(1000);
	CHECK_EQ(lf_iscsi_session_count(stage.iscsi), 0);
	stage_stop(&stage, 1000);
	stage_close(&stage);
}

/* ---- A budget that is short ---- */

/* Takes all that a session may have: writes whose R2Ts are not answered. */
static bool hoard(struct peer *peer)
{
	if (!ready(peer))
		return false;
	for (uint32_t i = 0; iscsi_sn_diff(peer->max_cmd_sn, peer->cmd_sn) >= 0; i++) {
		uint32_t r2ts = 0;

		command(peer, 100 + i, 0x2a, 0, 120);
		ping(peer);
		while (receive(peer) == ISCSI_R2T)
			r2ts++;
		if (iscsi_opcode(peer->bhs) != ISCSI_NOP_IN)
			return false;
		if (r2ts == 0)
			return true;
	}
	return true;
}

/* With all memory lent a session begins with a shut window; it is told when others have given theirs back. */
TEST(iscsi_short_budget_shuts_the_window)
{
	struct peer *hoarders[2], *last;
	struct stage stage;

	CHECK(stage_open(&stage, BUDGET_BYTES));
	for (uint32_t i = 0; i < lf_count_of(hoarders); i++) {
		CHECK((hoarders[i] = session(&stage, (uint8_t)i)) != NULL);
		CHECK(hoard(hoarders[i]));
	}
	CHECK((last = session(&stage, 99)) != NULL);
	CHECK(iscsi_sn_diff(last->max_cmd_sn, last->cmd_sn) < 0);
	CHECK(silent(last));
	for (uint32_t i = 0; i < lf_count_of(hoarders); i++)
		peer_close(hoarders[i]);
	CHECK_EQ(receive(last), ISCSI_NOP_IN);
	CHECK(iscsi_sn_diff(last->max_cmd_sn, last->cmd_sn) >= 0);
	CHECK(ready(last));
	peer_close(last);
	stage_stop(&stage, 1000);
	stage_close(&stage);
}

/* Sessions that sit idle with all they were promised leave a command to each that comes; then logins are
 * refused. */
TEST(iscsi_short_budget_refuses_sessions)
{
	struct peer *peers[64];
	struct stage stage;
	uint32_t count = 0;

	CHECK(stage_open(&stage, BUDGET_BYTES));
	while (count < lf_count_of(peers) && (peers[count] = session(&stage, (uint8_t)count)) != NULL) {
		CHECK(iscsi_sn_diff(peers[count]->max_cmd_sn, peers[count]->cmd_sn) >= 0);
		CHECK(ready(peers[count]));
		count++;
	}
	CHECK_EQ(count, 16);
	peer_close(peers[0]);
	for (int i = 0; i < ANSWER_S * 1000 && lf_iscsi_session_count(stage.iscsi) == count; i++)
		usleep(1000);
	CHECK((peers[0] = session(&stage, 100)) != NULL);
	for (uint32_t i = 0; i < count; i++)
		peer_close(peers[i]);
	stage_stop(&stage, 1000);
	stage_close(&stage);
}

/* Takes one PDU; a command that ended well is counted. False at the end. */
static bool take_answer(struct peer *peer, uintptr_t *good)
{
	uint32_t opcode = receive(peer);
	bool status = opcode == ISCSI_SCSI_RESPONSE ||
		      (opcode == ISCSI_DATA_IN && (peer->bhs[ISCSI_AT_FLAGS] & ISCSI_STATUS) != 0);

	if (opcode == ISCSI_R2T)
		answer_r2t(peer);
	*good += status && peer->bhs[ISCSI_AT_STATUS] == 0;
	return opcode != 0xff;
}

/* One initiator's share of more than the budget holds: writes whose R2Ts have to wait for each other. */
static void *crowd_run(void *context)
{
	struct peer *peer = context;
	uintptr_t good = 0;

	if (!ready(peer))
		return NULL;
	for (uint32_t i = 0; i < CROWD_COMMANDS; i++) {
		while (iscsi_sn_diff(peer->max_cmd_sn, peer->cmd_sn) < 0 && take_answer(peer, &good))
			;
		command(peer, 100 + i, i % 4 == 0 ? 0x28 : 0x2a, 512 * (i % 8), 500);
	}
	while (good < CROWD_COMMANDS && take_answer(peer, &good))
		;
	return (void *)good;
}

TEST(iscsi_short_budget_serves_all)
{
	struct stage stage;
	struct peer *peers[6];
	pthread_t threads[6];

	CHECK(stage_open(&stage, BUDGET_BYTES));
	for (uint32_t i = 0; i < lf_count_of(peers); i++)
		CHECK((peers[i] = session(&stage, (uint8_t)i)) != NULL);
	for (uint32_t i = 0; i < lf_count_of(peers); i++)
		CHECK(pthread_create(&threads[i], NULL, crowd_run, peers[i]) == 0);
	for (uint32_t i = 0; i < lf_count_of(peers); i++) {
		void *good;

		pthread_join(threads[i], &good);
		CHECK_EQ((uintptr_t)good, CROWD_COMMANDS);
		peer_close(peers[i]);
	}
	stage_stop(&stage, 1000);
	stage_close(&stage);
}

/* Many at the limit of their session wait for one large one; when it goes all of them have their turn. */
TEST(iscsi_capped_tasks_all_have_their_turn)
{
	struct stage stage;
	struct peer *peer;

	CHECK(stage_open(&stage, BUDGET_BYTES));
	CHECK((peer = session(&stage, 1)) != NULL && ready(peer));
	command(peer, 100, 0x2a, 0, 8192);
	CHECK_EQ(receive(peer), ISCSI_R2T);
	for (uint32_t i = 0; i < 5; i++)
		command(peer, 200 + i, 0x2a, 0, 8);
	CHECK(silent(peer));
	task_management(peer, ISCSI_TMF_ABORT_TASK, 100);
	for (uint32_t r2ts = 0, answers = 0; r2ts < 5 || answers < 1;) {
		uint32_t opcode = receive(peer);

		CHECK(opcode == ISCSI_R2T || opcode == ISCSI_TASK_MANAGEMENT_RESPONSE);
		r2ts += opcode == ISCSI_R2T;
		answers += opcode != ISCSI_R2T;
	}
	peer_close(peer);
	stage_stop(&stage, 1000);
	stage_close(&stage);
}

/* One whose turn had come, but not its memory, is aborted: those behind it still have theirs. */
TEST(iscsi_capped_tasks_survive_an_abort)
{
	struct peer *peer, *other;
	struct stage stage;

	CHECK(stage_open(&stage, BUDGET_BYTES));
	CHECK((peer = session(&stage, 1)) != NULL && ready(peer));
	CHECK((other = session(&stage, 2)) != NULL && ready(other));
	command(peer, 100, 0x2a, 0, 8192);
	CHECK_EQ(receive(peer), ISCSI_R2T);
	for (uint32_t i = 0; i < 3; i++)
		command(peer, 200 + i, 0x2a, 0, 8);
	CHECK(silent(peer));
	for (uint32_t i = 0; i < 2; i++)
		command(other, 300 + i, 0x2a, 0, 8000);
	ping(other);
	while (receive(other) == ISCSI_R2T)
		;
	CHECK_EQ(iscsi_opcode(other->bhs), ISCSI_NOP_IN);
	for (uint32_t i = 0; i < 3; i++) {
		task_management(peer, ISCSI_TMF_ABORT_TASK, i == 0 ? 100 : 199 + i);
		while (receive(peer) == ISCSI_R2T)
			;
		CHECK_EQ(iscsi_opcode(peer->bhs), ISCSI_TASK_MANAGEMENT_RESPONSE);
		CHECK_EQ(peer->bhs[ISCSI_AT_RESPONSE], ISCSI_TMF_COMPLETE);
	}
	peer_close(other);
	CHECK_EQ(receive(peer), ISCSI_R2T);
	CHECK_EQ(lf_get_be32(peer->bhs + ISCSI_AT_ITT), 202);
	peer_close(peer);
	stage_stop(&stage, 1000);
	stage_close(&stage);
}

/* The largest transfer that a disk announces fits, however many loops share the budget. */
TEST(iscsi_budget_bears_the_largest_transfer)
{
	struct lf_loop *loops[40], *loop;
	struct lf_iscsi_options options = {.iqn = IQN, .loops = loops, .loop_count = lf_count_of(loops)};
	struct lf_message message;
	struct lf_iscsi *iscsi;

	CHECK((loop = lf_loop_create(0, false, &message)) != NULL);
	for (uint32_t i = 0; i < lf_count_of(loops); i++)
		loops[i] = loop;
	CHECK((iscsi = lf_iscsi_create(NULL, &options, &message)) != NULL);
	CHECK(iscsi->lanes[0].transfer_pages_max >= (4u << 20) / ISCSI_PAGE);
	lf_iscsi_destroy(iscsi);
	options.memory_budget_bytes = (uint64_t)BUDGET_BYTES * lf_count_of(loops) - 1;
	CHECK(lf_iscsi_create(NULL, &options, &message) == NULL);
	lf_loop_destroy(loop);
}

/* ---- Peers that are silent, or deaf ---- */

#define PING_MS 300

/* Takes what comes and answers nothing: a NOP-In asks, then the connection ends. That may be at any time
 * after the login, so nothing else is asked for. */
TEST(iscsi_silent_peer_is_asked_then_dropped)
{
	struct stage stage;
	struct peer *peer;

	CHECK(stage_begin(&stage, 0, PING_MS, 1));
	CHECK((peer = session(&stage, 1)) != NULL);
	CHECK_EQ(receive(peer), ISCSI_NOP_IN);
	CHECK(lf_get_be32(peer->bhs + ISCSI_AT_TTT) != ISCSI_NO_TAG);
	CHECK_EQ(receive(peer), 0xff);
	peer_close(peer);
	stage_stop(&stage, 1000);
	stage_close(&stage);
}

/* Talks, but never reads what it asked for: its data would hold memory for ever. */
TEST(iscsi_peer_that_never_reads_is_dropped)
{
	struct stage stage;
	struct peer *peer;
	int i;

	CHECK(stage_begin(&stage, 0, PING_MS, 1));
	CHECK((peer = session(&stage, 1)) != NULL);
	/* The first meets the unit attention of a new nexus. */
	for (i = 0; i < 9; i++)
		command(peer, 100 + (uint32_t)i, 0x28, 0, 8192);
	for (i = 0; i < ANSWER_S * 20 && lf_iscsi_session_count(stage.iscsi) > 0; i++) {
		uint8_t bhs[ISCSI_BHS_LENGTH] = {ISCSI_NOP_OUT | ISCSI_IMMEDIATE, ISCSI_FINAL};

		lf_put_be32(bhs + ISCSI_AT_ITT, ISCSI_NO_TAG);
		lf_put_be32(bhs + ISCSI_AT_TTT, ISCSI_NO_TAG);
		lf_put_be32(bhs + ISCSI_AT_CMD_SN, peer->cmd_sn);
		send_pdu(peer, bhs, NULL, 0);
		usleep(50000);
	}
	CHECK_EQ(lf_iscsi_session_count(stage.iscsi), 0);
	peer_close(peer);
	stage_stop(&stage, 1000);
	stage_close(&stage);
}

/* More than one turn's bytes are asked for at once: they come whole, in turns. */
TEST(iscsi_long_answers_come_in_turns)
{
	struct stage stage;
	struct peer *peer;
	uint32_t good = 0;

	CHECK(stage_open(&stage, 0));
	CHECK((peer = session(&stage, 1)) != NULL && ready(peer));
	for (uint32_t i = 0; i < 8; i++)
		command(peer, 100 + i, 0x28, 0, 8192);
	while (good < 8) {
		CHECK_EQ(receive(peer), ISCSI_DATA_IN);
		good += (peer->bhs[ISCSI_AT_FLAGS] & ISCSI_STATUS) != 0;
	}
	CHECK(ready(peer));
	peer_close(peer);
	stage_stop(&stage, 1000);
	stage_close(&stage);
}

/* ---- Facts about sessions, and their end by somebody else's will ---- */

static uint32_t count_sessions(struct stage *stage, struct lf_iscsi_session_facts *last)
{
	uint32_t count = 0;

	for (last->id = 0; lf_iscsi_session_next(stage->iscsi, last->id, last); count++)
		;
	return count;
}

TEST(iscsi_facts_of_sessions)
{
	struct lf_iscsi_session_facts facts, first;
	struct peer *one, *two;
	struct stage stage;

	CHECK(stage_open(&stage, 0));
	CHECK(!lf_iscsi_session_next(stage.iscsi, 0, &facts));
	CHECK((one = session(&stage, 1)) != NULL && ready(one));
	CHECK((two = session(&stage, 2)) != NULL && ready(two));
	CHECK_EQ(count_sessions(&stage, &facts), 2);
	CHECK(lf_iscsi_session_next(stage.iscsi, 0, &first));
	CHECK(first.id < facts.id);
	CHECK_STR(facts.initiator, "iqn.2001-04.com.example:host");
	CHECK_EQ(facts.isid[0], 0x80);
	CHECK_EQ(facts.isid[5], 2);
	CHECK_EQ(facts.portal_group, 1);
	CHECK(facts.tsih != 0 && facts.tsih != first.tsih);
	CHECK_STR(facts.user, "");
	CHECK(!facts.discovery && !facts.header_digest && !facts.data_digest);
	CHECK(strncmp(facts.address, "127.0.0.1:", 10) == 0);
	CHECK(facts.since_ns != 0 && facts.since_ns >= first.since_ns && facts.since_ns <= lf_time_ns());
	/* 29/00 and then GOOD. */
	CHECK_EQ(facts.commands, 2);
	CHECK(facts.bytes_in >= 2 * ISCSI_BHS_LENGTH && facts.bytes_out >= 2 * ISCSI_BHS_LENGTH);
	peer_close(one);
	peer_close(two);
	for (int i = 0; i < ANSWER_S * 1000 && count_sessions(&stage, &facts) > 0; i++)
		usleep(1000);
	CHECK_EQ(count_sessions(&stage, &facts), 0);
	stage_stop(&stage, 1000);
	stage_close(&stage);
}

TEST(iscsi_session_dropped)
{
	struct lf_iscsi_session_facts facts;
	struct peer *one, *two;
	struct stage stage;

	CHECK(stage_open(&stage, 0));
	CHECK((one = session(&stage, 1)) != NULL && ready(one));
	CHECK((two = session(&stage, 2)) != NULL && ready(two));
	CHECK(lf_iscsi_session_next(stage.iscsi, 0, &facts));
	/* One that waits for its data ends with it. */
	command(one, 9, 0x2a, 0, 8);
	CHECK_EQ(receive(one), ISCSI_R2T);
	CHECK(!lf_iscsi_session_drop(stage.iscsi, 0));
	CHECK(!lf_iscsi_session_drop(stage.iscsi, 12345));
	CHECK(lf_iscsi_session_drop(stage.iscsi, facts.id));
	CHECK_EQ(receive(one), ISCSI_ASYNC_MESSAGE);
	CHECK_EQ(one->bhs[ISCSI_AT_ASYNC_EVENT], ISCSI_ASYNC_DROP_SESSION);
	CHECK_EQ(receive(one), 0xff);
	CHECK(ready(two));
	peer_close(one);
	peer_close(two);
	stage_stop(&stage, 1000);
	stage_close(&stage);
}
