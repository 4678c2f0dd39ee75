/* SPDX-License-Identifier: BSD-2-Clause */
/* test_dead_share.c: a share that does not answer, whatever it is asked: nobody waits but who asked for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/storport/native/stage.h"

#define DEAD "server\\share\\dead.img"

/* A request that is on its way. */
struct asked {
	struct host_service service;
	uint8_t in[sizeof(union lf_control_request)], out[STAGE_REPLY];
	union lf_control_reply reply;
};

static struct lf_fake_file *dead;
static struct stage_unit near_by;

static void begin(struct asked *asked, union lf_control_request *request)
{
	memset(&asked->service, 0, sizeof(asked->service));
	asked->service.in = asked->in;
	asked->service.in_length = (ULONG)lf_control_encode_request(request, asked->in, sizeof(asked->in));
	asked->service.out = asked->out;
	asked->service.out_length = sizeof(asked->out);
	host_service_begin(stage, &asked->service);
}

/* The status of the reply; 999: there is none. */
static uint32_t end(struct asked *asked, uint16_t command)
{
	struct lf_message message;

	host_service_wait(&asked->service);
	if (asked->service.status != STATUS_SUCCESS)
		return 999;
	if (!lf_control_decode_reply(
		    asked->out, asked->service.information, command, &asked->reply, &message))
		lf_fake_broken("a reply makes no sense: %s", message.text);
	return asked->reply.header.status;
}

static void begin_connect_with(struct asked *asked, uint32_t flags)
{
	static union lf_control_request request;

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_CONNECT;
	request.connect.lun = UINT32_MAX;
	request.connect.flags = flags;
	lf_control_set_text(&request.connect.path, STAGE_PREFIX "UNC\\" DEAD);
	begin(asked, &request);
}

static void begin_connect(struct asked *asked)
{
	begin_connect_with(asked, 0);
}

static void begin_disconnect(struct asked *asked)
{
	static union lf_control_request request;

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_DISCONNECT;
	request.select.timeout_ms = 60000;
	lf_control_set_text(&request.select.id, "dead");
	begin(asked, &request);
}

static uint32_t connect_dead(void)
{
	static struct asked asked;

	begin_connect(&asked);
	return end(&asked, LF_CONTROL_CONNECT);
}

static void disconnect_dead(void)
{
	static struct asked asked;

	begin_disconnect(&asked);
	CHECK_EQ(end(&asked, LF_CONTROL_DISCONNECT), LF_CONTROL_OK);
	CHECK_EQ(lf_fake_file_opens(dead), 0);
}

/* How many questions are asked of an image on its way in. */
static uint64_t count_questions(void)
{
	uint64_t before = lf_fake_file_count(dead, LF_FAKE_ASK), count;

	if (connect_dead() != LF_CONTROL_OK)
		lf_fake_broken("a share that is well cannot be used");
	count = lf_fake_file_count(dead, LF_FAKE_ASK) - before;
	disconnect_dead();
	return count;
}

/* One disk is connected, of an image on this machine; the share is still well. */
static void open_stage(void)
{
	static const struct lf_fake_volume_options share = {.name = "server\\share", .remote = true};

	stage_open();
	lf_fake_volume_add(&share);
	dead = lf_fake_file_add(DEAD, STAGE_MIB, FILE_ATTRIBUTE_NORMAL);
	stage_up(&near_by, NULL);
}

/* From now on whoever asks this of the share waits; the first of them are spared. */
static void dies(enum lf_fake_op op, uint32_t spared)
{
	lf_fake_rule_add(&(struct lf_fake_rule){
		.file = dead, .ops = 1u << op, .spared = spared, .count = 1, .what = LF_FAKE_BLOCK});
}

static void lives(void)
{
	lf_fake_rules_clear();
	lf_fake_release();
}

static void others_are_served(uint32_t count)
{
	uint8_t block[STAGE_BLOCK], read[STAGE_BLOCK];
	struct stage_unit other;

	CHECK_EQ(stage_count(), count);
	stage_fill(block, 3, count);
	CHECK_EQ(stage_write(&near_by, 3, 1, block), 0);
	CHECK_EQ(stage_flush(&near_by), 0);
	CHECK_EQ(stage_read(&near_by, 3, 1, read), 0);
	CHECK(memcmp(block, read, sizeof(block)) == 0);
	stage_up(&other, &(struct stage_options){.path = "C:\\other.img"});
	CHECK_EQ(stage_count(), count + 1);
	stage_down(&other);
	CHECK_EQ(stage_count(), count);
}

/* Each question that is asked of an image on its way in, one after the other. */
TEST(a_connect_that_a_dead_share_holds_up_holds_up_nobody)
{
	static struct asked asked;
	uint64_t questions;

	open_stage();
	questions = count_questions();
	CHECK(questions >= 6);
	for (uint32_t i = 0; i < questions; i++) {
		dies(LF_FAKE_ASK, i);
		begin_connect(&asked);
		stage_wait_held(1);
		others_are_served(1);
		CHECK(!asked.service.ended);
		lives();
		CHECK_EQ(end(&asked, LF_CONTROL_CONNECT), LF_CONTROL_OK);
		CHECK_EQ(stage_count(), 2);
		disconnect_dead();
	}
	printf("# %u questions\n", (unsigned)questions);
	stage_close();
}

static uint32_t spared, standing; /* by atomics; questions that are answered still, and that stand still */
static bool shut;

static NTSTATUS stands_still(void *context, enum lf_fake_op op, uint64_t offset, uint64_t length)
{
	(void)context;
	(void)op;
	(void)offset;
	(void)length;
	if (__atomic_load_n(&spared, __ATOMIC_SEQ_CST) > 0) {
		__atomic_sub_fetch(&spared, 1, __ATOMIC_SEQ_CST);
		return STATUS_MORE_PROCESSING_REQUIRED;
	}
	__atomic_add_fetch(&standing, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shut, __ATOMIC_SEQ_CST))
		stage_pause();
	return STATUS_MORE_PROCESSING_REQUIRED;
}

/* While its handle is opened two questions are asked of an image; the others when it arrives. */
static void begin_to_stand(struct asked *asked, uint32_t answered)
{
	uint32_t before = __atomic_load_n(&standing, __ATOMIC_SEQ_CST);

	__atomic_store_n(&spared, answered, __ATOMIC_SEQ_CST);
	begin_connect_with(asked, LF_CONTROL_READ_ONLY);
	while (__atomic_load_n(&standing, __ATOMIC_SEQ_CST) == before)
		stage_pause();
}

TEST(somebody_can_ask_what_goes_on_while_a_dead_share_holds_up_as_many_connects_as_may_be)
{
	enum { ARRIVE = 32, OPEN = 16 };
	static struct asked many[ARRIVE + OPEN], more;

	open_stage();
	spared = standing = 0;
	shut = true;
	lf_fake_rule_add(&(struct lf_fake_rule){
		.file = dead, .ops = 1u << LF_FAKE_ASK, .what = LF_FAKE_CALL, .call = stands_still});
	for (uint32_t i = 0; i < ARRIVE; i++)
		begin_to_stand(&many[i], 2);
	__atomic_store_n(&spared, 2, __ATOMIC_SEQ_CST);
	begin_connect_with(&more, LF_CONTROL_READ_ONLY);
	CHECK_EQ(end(&more, LF_CONTROL_CONNECT), LF_CONTROL_BUSY);
	CHECK_STR(more.reply.failure.text.bytes, "too many images are just being opened: try again");
	for (uint32_t i = 0; i < OPEN; i++)
		begin_to_stand(&many[ARRIVE + i], 0);
	begin_connect_with(&more, LF_CONTROL_READ_ONLY);
	CHECK_EQ(end(&more, LF_CONTROL_CONNECT), LF_CONTROL_BUSY);
	CHECK_STR(more.reply.failure.text.bytes, "too many requests are outstanding: try again");
	CHECK_EQ(stage_count(), 1);
	lf_fake_rules_clear();
	__atomic_store_n(&shut, false, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < ARRIVE + OPEN; i++)
		host_service_wait(&many[i].service);
	stage_close();
}

TEST(who_is_killed_while_a_dead_share_holds_up_his_connect_has_connected_nothing)
{
	static struct asked asked;
	uint64_t questions;

	open_stage();
	questions = count_questions();
	CHECK(questions >= 6);
	for (uint32_t i = 0; i < questions; i++) {
		dies(LF_FAKE_ASK, i);
		begin_connect(&asked);
		stage_wait_held(1);
		host_service_cancel(&asked.service);
		host_service_wait(&asked.service);
		CHECK_EQ(asked.service.status, STATUS_CANCELLED);
		others_are_served(1);
		lives();
		/* Its name and its file are free when it was closed. */
		while (connect_dead() == LF_CONTROL_BUSY)
			stage_pause();
		CHECK_EQ(stage_count(), 2);
		disconnect_dead();
	}
	stage_close();
}

TEST(a_disconnect_that_a_dead_share_holds_up_holds_up_nobody)
{
	static struct asked asked, again;

	open_stage();
	CHECK_EQ(connect_dead(), LF_CONTROL_OK);
	dies(LF_FAKE_CLOSE, 0);
	begin_disconnect(&asked);
	stage_wait_held(1);
	/* It is leaving still, and has its image. */
	others_are_served(2);
	CHECK(!asked.service.ended);
	begin_connect(&again);
	CHECK_EQ(end(&again, LF_CONTROL_CONNECT), LF_CONTROL_BUSY);
	CHECK(strstr(again.reply.failure.text.bytes, "it is still leaving as dead"));
	lives();
	CHECK_EQ(end(&asked, LF_CONTROL_DISCONNECT), LF_CONTROL_OK);
	CHECK_EQ(lf_fake_file_opens(dead), 0);
	CHECK_EQ(stage_count(), 1);
	stage_close();
}

TEST(a_resize_that_a_dead_share_holds_up_holds_up_nobody)
{
	static union lf_control_request request;
	static struct asked asked;

	open_stage();
	CHECK_EQ(connect_dead(), LF_CONTROL_OK);
	dies(LF_FAKE_GROW, 0);
	request.header.command = LF_CONTROL_RESIZE;
	request.resize.size_bytes = 2 * STAGE_MIB;
	lf_control_set_text(&request.resize.id, "dead");
	begin(&asked, &request);
	stage_wait_held(1);
	others_are_served(2);
	CHECK(!asked.service.ended);
	lives();
	CHECK_EQ(end(&asked, LF_CONTROL_RESIZE), LF_CONTROL_OK);
	CHECK_EQ(asked.reply.one.device.block_count, 2 * STAGE_MIB / 512);
	disconnect_dead();
	stage_close();
}

/* Until whoever asked has heard that the adapter goes, and a while longer. */
static NTSTATUS is_slow(void *context, enum lf_fake_op op, uint64_t offset, uint64_t length)
{
	struct asked *asked = context;

	(void)op;
	(void)offset;
	(void)length;
	while (!host_service_has_ended(&asked->service))
		stage_pause();
	for (uint32_t i = 0; i < 50; i++)
		stage_pause();
	return STATUS_MORE_PROCESSING_REQUIRED;
}

/* The adapter goes once the share has answered, and not before: its code is on a stack. */
TEST(an_adapter_stops_while_a_dead_share_holds_up_a_connect)
{
	static struct asked asked;

	for (uint32_t i = 0; i < 8; i++) {
		open_stage();
		lf_fake_rule_add(&(struct lf_fake_rule){.file = dead,
			.ops = 1u << LF_FAKE_ASK,
			.spared = i,
			.count = 1,
			.what = LF_FAKE_CALL,
			.call = is_slow,
			.context = &asked});
		begin_connect(&asked);
		while (lf_fake_file_count(dead, LF_FAKE_ASK) <= i)
			stage_pause();
		host_stop(stage);
		stage = NULL;
		CHECK(asked.service.ended);
		CHECK_EQ(asked.service.status, STATUS_DEVICE_NOT_READY);
		lf_fake_irp_free(asked.service.irp);
		host_unload();
		CHECK_EQ(lf_fake_leaks(), 0);
		lf_fake_reset();
	}
}
