/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_shortage.c: each call that may fail fails once, through start, connect, I/O, disconnect and stop: what
 * was begun is taken back, the answer says what is wrong, and the next one goes well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/storport/native/stage.h"

#define CALLS_MAX 5000

/* Of one round, with the call that fails: how far it came. */
struct round {
	bool loaded, started, connected;
	uint64_t calls;
};

static bool reads_and_writes(const struct stage_unit *unit, uint32_t salt)
{
	uint8_t block[STAGE_BLOCK], read[STAGE_BLOCK] = {0};

	stage_fill(block, 5, salt);
	return stage_write(unit, 5, 1, block) == 0 && stage_flush(unit) == 0 &&
	       stage_read(unit, 5, 1, read) == 0 && memcmp(block, read, sizeof(block)) == 0;
}

static void connected(struct round *round, const struct stage_unit *unit, uint32_t salt)
{
	round->connected = true;
	host_wait_unit(stage, unit->target, unit->lun, true);
	stage_listen(unit);
	if (!reads_and_writes(unit, salt))
		lf_fake_broken("I/O hears of a shortage");
	/* The request itself may find no memory: that one call has failed then. */
	if (stage_disconnect(unit, false) != LF_CONTROL_OK && stage_disconnect(unit, false) != LF_CONTROL_OK)
		lf_fake_broken("a shortage keeps a disk connected");
	host_wait_unit(stage, unit->target, unit->lun, false);
}

/* Nothing fails any more: whatever came of the first try, the second goes well. */
static void again(void)
{
	struct stage_unit unit;

	stage_up(&unit, NULL);
	if (!reads_and_writes(&unit, 77))
		lf_fake_broken("a shortage that is over is not over");
	stage_down(&unit);
}

static struct round play(enum lf_fake_call call, uint32_t which)
{
	struct round round = {0};
	struct stage_unit unit;
	ULONG result;

	lf_fake_reset();
	lf_fake_fail(call, which, 1);
	round.loaded = host_load() == STATUS_SUCCESS;
	if (!round.loaded)
		return round;
	stage = host_start(&result);
	round.started = stage != NULL;
	if (round.started) {
		if (stage_connect(&unit, &(struct stage_options){0}) == LF_CONTROL_OK)
			connected(&round, &unit, which);
		round.calls = lf_fake_calls(call);
		lf_fake_fail(call, UINT32_MAX, 1);
		again();
		host_stop(stage);
	}
	host_unload();
	return round;
}

static void starve(enum lf_fake_call call)
{
	uint32_t which = 0, refused = 0;
	bool over = false;

	for (; !over && which < CALLS_MAX; which++) {
		struct round round = play(call, which);

		stage = NULL;
		CHECK_EQ(lf_fake_leaks(), 0);
		refused += !round.connected;
		over = round.connected && round.calls <= which;
	}
	lf_fake_reset();
	printf("# %u calls, %u refusals\n", which, refused);
	CHECK(over);
}

TEST(each_allocation_fails_once)
{
	starve(LF_FAKE_POOL);
}

TEST(each_irp_fails_once)
{
	starve(LF_FAKE_IRP);
}

TEST(each_mapping_fails_once)
{
	starve(LF_FAKE_MAP);
}

TEST(each_thread_fails_once)
{
	starve(LF_FAKE_THREAD);
}

TEST(each_open_fails_once)
{
	starve(LF_FAKE_OPEN);
}

TEST(each_question_to_the_file_system_fails_once)
{
	starve(LF_FAKE_QUERY);
}

TEST(each_change_of_a_file_fails_once)
{
	starve(LF_FAKE_SET);
}

TEST(each_registration_fails_once)
{
	starve(LF_FAKE_REGISTER);
}

TEST(each_impersonation_fails_once)
{
	starve(LF_FAKE_SECURITY);
}

/* Opens that fail in the ways of file systems: each a status and a message, and no handle is left. */
TEST(opens_fail_with_a_message)
{
	static const struct {
		NTSTATUS code;
		enum lf_control_status status;
	} ways[] = {
		{STATUS_SHARING_VIOLATION, LF_CONTROL_BUSY},
		{STATUS_ACCESS_DENIED, LF_CONTROL_PERMISSION},
		{STATUS_OBJECT_NAME_NOT_FOUND, LF_CONTROL_NOT_FOUND},
		{STATUS_OBJECT_PATH_NOT_FOUND, LF_CONTROL_NOT_FOUND},
		{STATUS_BAD_NETWORK_PATH, LF_CONTROL_NOT_FOUND},
		{STATUS_MEDIA_WRITE_PROTECTED, LF_CONTROL_PERMISSION},
		{STATUS_INSUFFICIENT_RESOURCES, LF_CONTROL_FAILED},
	};
	struct stage_unit unit;

	stage_open();
	for (uint32_t i = 0; i < lf_count_of(ways); i++) {
		lf_fake_open_status(ways[i].code);
		lf_fake_fail(LF_FAKE_OPEN, 0, 1);
		CHECK_EQ(stage_connect(&unit, &(struct stage_options){0}), ways[i].status);
	}
	stage_up(&unit, NULL);
	stage_down(&unit);
	stage_close();
}
