/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tmf.c: what task management answers: late aborts, queries, the reset of a nexus, and what is
 * supported; who is told of a reset, and when.
 */
#include <unistd.h>

#include "core/core.h"
#include "platform/linux.h"
#include "tests/test.h"
#include "tests/unit/held_stage.h"

static void managed(struct lf_tmf *tmf)
{
	tmf->next_lun = UINT32_MAX; /* the core's own until here */
}

static bool is_answered(const struct lf_tmf *tmf)
{
	return tmf->next_lun == UINT32_MAX;
}

static void manage(struct stage *stage, struct lf_tmf *tmf, enum lf_tmf_function function, uint64_t tag)
{
	*tmf = (struct lf_tmf){.nexus = stage->nexus, .function = function, .tag = tag, .done = managed};
	lf_tmf_submit(tmf);
}

static enum lf_tmf_response ask(struct stage *stage, enum lf_tmf_function function, uint64_t tag)
{
	struct lf_tmf tmf;

	manage(stage, &tmf, function, tag);
	if (!is_answered(&tmf))
		abort();
	return tmf.response;
}

TEST(an_abort_tells_a_task_that_ended_from_one_that_was_stopped)
{
	struct stage *stage = stage_open();
	struct lf_tmf late, early;
	struct command *read = send(stage, 0x28, LF_TASK_SIMPLE);
	manage(stage, &late, LF_TMF_ABORT_TASK, read->request.tag);
	CHECK(!is_answered(&late));
	CHECK(held_release(&stage->store[0]));
	CHECK(is_answered(&late));
	CHECK_EQ(read->request.status, LF_STATUS_GOOD);
	CHECK_EQ(late.response, LF_TMF_TASK_ENDED);

	struct command *write = begin(stage, stage->nexus, 0, 0x2a, 8, LF_TASK_SIMPLE);
	manage(stage, &early, LF_TMF_ABORT_TASK, write->request.tag);
	CHECK(!is_answered(&early));
	submit(write, true);
	CHECK(is_answered(&early));
	CHECK_EQ(write->request.status, LF_STATUS_TASK_ABORTED);
	CHECK_EQ(early.response, LF_TMF_COMPLETE);
	free(read);
	free(write);
	stage_close(stage);
}

TEST(queries_of_tasks)
{
	struct stage *stage = stage_open();
	struct command *read = send(stage, 0x28, LF_TASK_SIMPLE);
	uint64_t tag = read->request.tag;
	CHECK_EQ(ask(stage, LF_TMF_QUERY_TASK, tag), LF_TMF_SUCCEEDED);
	CHECK_EQ(ask(stage, LF_TMF_QUERY_TASK, tag + 1), LF_TMF_COMPLETE);
	CHECK_EQ(ask(stage, LF_TMF_QUERY_TASK_SET, 0), LF_TMF_SUCCEEDED);
	CHECK_EQ(stage->store[0].cancelled, 0);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(read->request.status, LF_STATUS_GOOD);
	CHECK_EQ(ask(stage, LF_TMF_QUERY_TASK, tag), LF_TMF_COMPLETE);
	struct command *theirs = begin(stage, stage->other, 0, 0x28, 8, LF_TASK_SIMPLE);
	CHECK_EQ(ask(stage, LF_TMF_QUERY_TASK_SET, 0), LF_TMF_COMPLETE);
	submit(theirs, true);
	CHECK(held_release(&stage->store[0]));
	struct lf_tmf nowhere = {
		.nexus = stage->nexus, .function = LF_TMF_QUERY_TASK, .lun = 99ull << 48, .done = managed};
	lf_tmf_submit(&nowhere);
	CHECK_EQ(nowhere.response, LF_TMF_NO_SUCH_LUN);
	free(read);
	free(theirs);
	stage_close(stage);
}

TEST(a_query_of_attentions_takes_none)
{
	struct stage *stage = stage_open();
	struct lf_tmf query;
	CHECK_EQ(ask(stage, LF_TMF_QUERY_ASYNCHRONOUS_EVENT, 0), LF_TMF_COMPLETE);
	stage_add(stage, 2, LF_LUN_ANY); /* 3F/0E on the others */
	for (uint32_t i = 0; i < 2; i++) {
		manage(stage, &query, LF_TMF_QUERY_ASYNCHRONOUS_EVENT, 0);
		CHECK_EQ(query.response, LF_TMF_SUCCEEDED);
		CHECK_EQ(query.attentions, 1);
		CHECK_EQ(query.attention_sense, 0x063f0e);
	}
	CHECK_EQ(ask(stage, LF_TMF_LUN_RESET, 0), LF_TMF_COMPLETE);
	manage(stage, &query, LF_TMF_QUERY_ASYNCHRONOUS_EVENT, 0);
	CHECK_EQ(query.attentions, 2);
	CHECK_EQ(query.attention_sense, 0x062903);
	CHECK_EQ(drain(stage, stage->nexus, 0), 2);
	stage_close(stage);
}

TEST(the_reset_of_a_nexus_is_its_own_affair)
{
	struct stage *stage = stage_open();
	struct lf_tmf reset;
	drain(stage, stage->other, 1);
	struct command *here = send(stage, 0x28, LF_TASK_SIMPLE);
	struct command *there = begin(stage, stage->nexus, 1, 0x2a, 8, LF_TASK_SIMPLE);
	struct command *theirs = begin(stage, stage->other, 0, 0x2a, 8, LF_TASK_SIMPLE);
	manage(stage, &reset, LF_TMF_I_T_NEXUS_RESET, 0);
	CHECK(!is_answered(&reset));
	CHECK(held_release(&stage->store[0]));
	CHECK(!is_answered(&reset));
	CHECK_EQ(there->hurried, 1);
	submit(there, true);
	CHECK(is_answered(&reset));
	CHECK_EQ(reset.response, LF_TMF_COMPLETE);
	CHECK_EQ(there->request.status, LF_STATUS_TASK_ABORTED);
	CHECK_EQ(theirs->hurried, 0);
	submit(theirs, true);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(theirs->request.status, LF_STATUS_GOOD);
	for (uint32_t lun = 0; lun < 2; lun++) {
		struct command *ready = run_on(stage, stage->nexus, lun, 0x00);
		CHECK_EQ(sense_of(ready), 0x062907);
		free(ready);
		CHECK_EQ(drain(stage, stage->nexus, lun), 0);
		CHECK_EQ(drain(stage, stage->other, lun), 0);
	}
	free(here);
	free(there);
	free(theirs);
	stage_close(stage);
}

/* ---- Who is told of a reset ---- */

struct overtaker {
	struct stage *stage;
	struct lf_tmf reset;
	uint32_t lun;
	uint8_t opcode;
	struct command *next;       /* what the other nexus sent once it was told */
	uint32_t sent, reset_ended; /* atomic */
};

static void reset_done(struct lf_tmf *reset)
{
	lf_atomic_store_u32(&lf_container(reset, struct overtaker, reset)->reset_ended, true);
}

static void *reset_unit(void *context)
{
	struct overtaker *overtaker = context;

	lf_tmf_submit(&overtaker->reset);
	return NULL;
}

static void *overtake(void *context)
{
	struct overtaker *overtaker = context;
	struct stage *stage = overtaker->stage;

	lf_lane_set(1);
	while (drain(stage, stage->other, overtaker->lun) == 0)
		usleep(100);
	overtaker->next = begin(stage, stage->other, overtaker->lun, overtaker->opcode, 8, LF_TASK_SIMPLE);
	if (overtaker->next->request.direction == LF_DIRECTION_NONE)
		submit(overtaker->next, false);
	lf_atomic_store_u32(&overtaker->sent, true);
	return NULL;
}

/*
 * A reset comes as far as the first lane, whose lock the test holds for a while; the other nexus, on the
 * second one, asks until it is told of it, and then sends one more. That one comes back.
 */
static struct command *send_when_told_of_reset(struct stage *stage, uint32_t lun, uint8_t opcode)
{
	struct overtaker overtaker = {.stage = stage,
		.reset = {.nexus = stage->nexus,
			.lun = (uint64_t)lun << 48,
			.function = LF_TMF_LUN_RESET,
			.done = reset_done},
		.lun = lun,
		.opcode = opcode};
	struct lf_lock *first = &stage->adapter->lanes[0].lock;
	pthread_t threads[2];

	lf_lock(first);
	if (pthread_create(&threads[0], NULL, reset_unit, &overtaker) != 0 ||
		pthread_create(&threads[1], NULL, overtake, &overtaker) != 0)
		abort();
	for (int i = 0; i < 1000 && !lf_atomic_load_u32(&overtaker.sent); i++)
		usleep(100);
	lf_unlock(first);
	pthread_join(threads[1], NULL);
	struct command *next = overtaker.next;
	/* It would wait for what it means to end. */
	while (!lf_atomic_load_u32(&overtaker.reset_ended) && lf_atomic_load_u32(&next->hurried) == 0)
		usleep(100);
	if (next->ended == 0)
		submit(next, true);
	pthread_join(threads[0], NULL);
	return next;
}

/* SAM-5 5.14 */
TEST(who_was_told_of_a_reset_may_send_again_what_it_ended)
{
	struct stage *stage = stage_open();
	stage->store[0].inline_done = true;
	struct command *read = send_when_told_of_reset(stage, 0, 0x28);
	CHECK_EQ(read->hurried, 0);
	CHECK_EQ(read->request.status, LF_STATUS_GOOD);
	free(read);
	stage_close(stage);
}

TEST(a_reset_undoes_nothing_of_what_is_set_after_it_was_told)
{
	struct stage *stage = stage_open();
	struct lf_lu_facts facts;
	stage_add_as(stage, 2, 2, true);
	drain(stage, stage->other, 2);
	struct command *prevent = send_when_told_of_reset(stage, 2, 0x1e);
	CHECK_EQ(prevent->request.status, LF_STATUS_GOOD);
	lf_lu_describe(stage->lu[2], &facts);
	CHECK(facts.prevented);
	free(prevent);
	stage_close(stage);
}

TEST(what_is_no_function_is_rejected)
{
	struct stage *stage = stage_open();
	CHECK_EQ(ask(stage, LF_TMF_COUNT, 0), LF_TMF_REJECTED);
	CHECK_EQ(drain(stage, stage->nexus, 0), 0);
	stage_close(stage);
}

static struct command *report(struct stage *stage, uint8_t options, uint8_t length)
{
	struct command *command = calloc(1, sizeof(*command));

	if (command == NULL)
		abort();
	command->request = (struct lf_request){.nexus = stage->nexus,
		.cdb = {0xa3, 0x0d, options, [9] = length},
		.cdb_length = 12,
		.offered_direction = LF_DIRECTION_IN,
		.offered_length = length,
		.done = command_done};
	if (lf_begin(&command->request))
		submit(command, true);
	return command;
}

TEST(the_supported_functions)
{
	static const uint8_t expected[16] = {0xdc, 0x07, 0x00, 0x0c};
	struct stage *stage = stage_open();
	struct command *plain = report(stage, 0x00, 64), *extended = report(stage, 0x80, 64);
	struct command *cut = report(stage, 0x80, 3);
	CHECK_EQ(plain->request.data_moved, 4);
	CHECK(memcmp(plain->data, "\xdc\x07\x00\x00", 4) == 0);
	CHECK_EQ(extended->request.data_moved, 16);
	CHECK(memcmp(extended->data, expected, sizeof(expected)) == 0);
	CHECK_EQ(cut->request.data_moved, 3);
	free(plain);
	free(extended);
	free(cut);
	stage_close(stage);
}
