/* SPDX-License-Identifier: BSD-2-Clause */
/* test_core.c: the task set: aborts, resets, ordered tasks, departures, unit attentions, addresses. */
#include <sched.h>

#include "tests/test.h"
#include "tests/unit/held_stage.h"

struct tmf {
	struct lf_tmf tmf;
	uint32_t answered;
};

static void tmf_done(struct lf_tmf *tmf)
{
	lf_container(tmf, struct tmf, tmf)->answered++;
}

static struct tmf *manage(struct stage *stage, enum lf_tmf_function function, uint32_t lun, uint64_t tag)
{
	struct tmf *tmf = calloc(1, sizeof(*tmf));

	if (tmf == NULL)
		abort();
	tmf->tmf = (struct lf_tmf){.nexus = stage->nexus,
		.function = function,
		.lun = (uint64_t)lun << 48,
		.tag = tag,
		.done = tmf_done};
	lf_tmf_submit(&tmf->tmf);
	return tmf;
}

TEST(new_nexus_meets_power_on_once)
{
	struct stage *stage = stage_open();
	struct lf_nexus *third =
		lf_nexus_open(stage->adapter, &(struct lf_nexus_options){.initiator = "three"});
	struct command *inquiry = run_on(stage, third, 0, 0x12);
	CHECK_EQ(inquiry->request.status, LF_STATUS_GOOD);
	struct command *ready = run_on(stage, third, 0, 0x00);
	CHECK_EQ(ready->request.status, LF_STATUS_CHECK_CONDITION);
	CHECK_EQ(sense_of(ready), 0x062900);
	CHECK_EQ(drain(stage, third, 0), 0);
	free(inquiry);
	free(ready);
	lf_nexus_close(third);
	stage_close(stage);
}

TEST(abort_answers_after_the_store_gave_the_buffer_back)
{
	struct stage *stage = stage_open();
	struct command *read = send(stage, 0x28, LF_TASK_SIMPLE);
	CHECK_EQ(read->ended, 0);
	struct tmf *abort_task = manage(stage, LF_TMF_ABORT_TASK, 0, read->request.tag);
	CHECK_EQ(abort_task->answered, 0);
	CHECK_EQ(read->ended, 0);
	CHECK_EQ(stage->store[0].cancelled, 1);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(read->ended, 1);
	CHECK_EQ(abort_task->answered, 1);
	CHECK_EQ(read->request.status, LF_STATUS_GOOD);
	CHECK_EQ(abort_task->tmf.response, LF_TMF_TASK_ENDED);
	struct tmf *again = manage(stage, LF_TMF_ABORT_TASK, 0, read->request.tag);
	CHECK_EQ(again->answered, 1);
	CHECK_EQ(again->tmf.response, LF_TMF_NO_SUCH_TASK);
	struct tmf *nowhere = manage(stage, LF_TMF_ABORT_TASK, 99, 1);
	CHECK_EQ(nowhere->tmf.response, LF_TMF_NO_SUCH_LUN);
	free(read);
	free(abort_task);
	free(again);
	free(nowhere);
	stage_close(stage);
}

TEST(abort_of_a_write_whose_data_is_on_the_wire_ends_it_at_submit)
{
	struct stage *stage = stage_open();
	struct command *write = begin(stage, stage->nexus, 0, 0x2a, 8, LF_TASK_SIMPLE);
	CHECK(write->begun);
	CHECK_EQ(write->request.data_wanted, 4096);
	struct tmf *abort_task = manage(stage, LF_TMF_ABORT_TASK, 0, write->request.tag);
	CHECK_EQ(write->hurried, 1);
	CHECK_EQ(write->ended, 0);
	CHECK(lf_request_is_marked(&write->request));
	submit(write, false);
	CHECK_EQ(write->ended, 1);
	CHECK_EQ(write->request.status, LF_STATUS_TASK_ABORTED);
	CHECK_EQ(abort_task->answered, 1);
	CHECK_EQ(stage->store[0].count, 0);
	free(write);
	free(abort_task);
	stage_close(stage);
}

TEST(ordered_task_waits_for_older_and_holds_younger)
{
	struct stage *stage = stage_open();
	struct command *older = send(stage, 0x28, LF_TASK_SIMPLE);
	struct command *ordered = send(stage, 0x28, LF_TASK_ORDERED);
	struct command *younger = send(stage, 0x28, LF_TASK_SIMPLE);
	CHECK_EQ(stage->store[0].count, 1);
	struct command *head = send(stage, 0x28, LF_TASK_HEAD_OF_QUEUE);
	CHECK_EQ(stage->store[0].count, 2);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(older->ended, 1);
	CHECK_EQ(stage->store[0].count, 2); /* head and ordered */
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(head->ended, 1);
	CHECK_EQ(younger->ended, 0);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(ordered->ended, 1);
	CHECK_EQ(stage->store[0].count, 1);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(younger->ended, 1);
	struct command *last = send(stage, 0x28, LF_TASK_SIMPLE);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(last->ended, 1);
	free(older);
	free(ordered);
	free(younger);
	free(head);
	free(last);
	stage_close(stage);
}

/* The store never answers: whoever asks what the unit is need not wait for that. */
TEST(inquiry_passes_a_reset_that_does_not_end)
{
	struct stage *stage = stage_open();
	struct command *stuck = send(stage, 0x28, LF_TASK_SIMPLE);
	struct tmf *reset = manage(stage, LF_TMF_LUN_RESET, 0, 0);

	CHECK_EQ(reset->answered, 0);
	struct command *inquiry = run_on(stage, stage->other, 0, 0x12);
	CHECK_EQ(inquiry->ended, 1);
	CHECK_EQ(inquiry->request.status, LF_STATUS_GOOD);
	struct command *told = run_on(stage, stage->other, 0, 0x00);
	CHECK_EQ(told->ended, 1); /* of the reset, which needs no wait either */
	struct command *ready = run_on(stage, stage->other, 0, 0x00);
	CHECK_EQ(ready->ended, 0);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(reset->answered, 1);
	CHECK_EQ(ready->ended, 1);
	free(stuck);
	free(inquiry);
	free(told);
	free(ready);
	free(reset);
	stage_close(stage);
}

TEST(a_long_queue_of_ordered_tasks_runs_in_order_without_recursion)
{
	struct stage *stage = stage_open();
	struct command *first = send(stage, 0x28, LF_TASK_SIMPLE);
	struct command *queue[40];
	for (uint32_t i = 0; i < 40; i++)
		queue[i] = send(stage, 0x28, LF_TASK_ORDERED);
	CHECK_EQ(stage->store[0].count, 1);
	stage->store[0].inline_done = true;
	CHECK(held_release(&stage->store[0]));
	for (uint32_t i = 0; i < 40; i++) {
		CHECK_EQ(queue[i]->ended, 1);
		free(queue[i]);
	}
	free(first);
	stage_close(stage);
}

TEST(lun_reset_ends_all_and_everyone_hears_of_it)
{
	struct stage *stage = stage_open();
	struct command *read = send(stage, 0x28, LF_TASK_SIMPLE);
	struct command *ordered = send(stage, 0x28, LF_TASK_ORDERED);
	struct command *queued = send(stage, 0x28, LF_TASK_SIMPLE);
	struct tmf *reset = manage(stage, LF_TMF_LUN_RESET, 0, 0);
	CHECK_EQ(reset->answered, 0);
	CHECK_EQ(ordered->ended, 1);
	CHECK_EQ(ordered->request.status, LF_STATUS_TASK_ABORTED);
	CHECK_EQ(queued->ended, 1);
	CHECK_EQ(read->ended, 0);
	/* Whoever comes during the reset hears of it first, and then waits for it: HEAD OF QUEUE, too. */
	struct command *mine = run_on(stage, stage->nexus, 0, 0x00),
		       *others = run_on(stage, stage->other, 0, 0x00);
	CHECK_EQ(sense_of(mine), 0x062903);
	CHECK_EQ(sense_of(others), 0x062903);
	struct command *during = send(stage, 0x28, LF_TASK_SIMPLE),
		       *head = send(stage, 0x28, LF_TASK_HEAD_OF_QUEUE);
	CHECK_EQ(stage->store[0].count, 1);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(read->ended, 1);
	CHECK_EQ(reset->answered, 1);
	CHECK_EQ(stage->store[0].count, 2);
	CHECK(held_release(&stage->store[0]));
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(during->request.status, LF_STATUS_GOOD);
	CHECK_EQ(head->request.status, LF_STATUS_GOOD);
	CHECK_EQ(drain(stage, stage->nexus, 0), 0);
	CHECK_EQ(drain(stage, stage->nexus, 1), 0);
	struct tmf *target = manage(stage, LF_TMF_TARGET_RESET, 0, 0);
	CHECK_EQ(target->answered, 1);
	CHECK_EQ(drain(stage, stage->nexus, 1), 1);
	free(read);
	free(ordered);
	free(queued);
	free(reset);
	free(during);
	free(head);
	free(mine);
	free(others);
	free(target);
	stage_close(stage);
}

/* A unit whose store is slow: its neighbour is reset with it, not after it, and not again when it is done. */
TEST(a_target_reset_is_of_all_units_at_once)
{
	struct stage *stage = stage_open();
	struct command *slow = send(stage, 0x28, LF_TASK_SIMPLE);
	struct command *other = begin(stage, stage->nexus, 1, 0x28, 8, LF_TASK_SIMPLE);

	submit(other, true);
	struct tmf *target = manage(stage, LF_TMF_TARGET_RESET, 0, 0);

	CHECK_EQ(stage->store[1].cancelled, 1);
	CHECK(held_release(&stage->store[1]));
	CHECK_EQ(target->answered, 0);
	CHECK_EQ(drain(stage, stage->nexus, 1), 1);
	struct command *after = begin(stage, stage->nexus, 1, 0x28, 8, LF_TASK_SIMPLE);
	submit(after, true);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(target->answered, 1);
	CHECK_EQ(stage->store[1].cancelled, 1);
	CHECK(held_release(&stage->store[1]));
	CHECK_EQ(after->request.status, LF_STATUS_GOOD);
	CHECK_EQ(drain(stage, stage->nexus, 1), 0);
	free(slow);
	free(other);
	free(target);
	free(after);
	stage_close(stage);
}

/* The reset waits for a slow unit: on its neighbour, too, what it took away still is before what comes again.
 */
TEST(no_command_passes_one_that_a_target_reset_has_left_at_the_store)
{
	struct stage *stage = stage_open();
	struct command *slow = send(stage, 0x28, LF_TASK_SIMPLE);
	drain(stage, stage->other, 1);
	struct command *old = begin(stage, stage->other, 1, 0x2a, 8, LF_TASK_SIMPLE);

	submit(old, true);
	struct tmf *target = manage(stage, LF_TMF_TARGET_RESET, 0, 0);
	struct command *told = run_on(stage, stage->other, 1, 0x00);
	CHECK_EQ(sense_of(told), 0x062903);
	struct command *again = begin(stage, stage->other, 1, 0x2a, 8, LF_TASK_SIMPLE),
		       *head = begin(stage, stage->other, 1, 0x2a, 8, LF_TASK_HEAD_OF_QUEUE);
	submit(again, true);
	submit(head, true);
	CHECK_EQ(stage->store[1].count, 1);
	/* Another reset meanwhile: these go, too, and what comes next waits for the same. */
	struct tmf *second = manage(stage, LF_TMF_TARGET_RESET, 0, 0);
	CHECK_EQ(again->request.status, LF_STATUS_TASK_ABORTED);
	CHECK_EQ(head->request.status, LF_STATUS_TASK_ABORTED);
	struct command *told_again = run_on(stage, stage->other, 1, 0x00);
	struct command *last = begin(stage, stage->other, 1, 0x2a, 8, LF_TASK_SIMPLE);
	submit(last, true);
	CHECK_EQ(stage->store[1].count, 1);
	CHECK(held_release(&stage->store[1]));
	CHECK_EQ(old->ended, 1);
	CHECK_EQ(stage->store[1].count, 1); /* last: the slow unit holds nobody here */
	CHECK(held_release(&stage->store[1]));
	CHECK_EQ(last->request.status, LF_STATUS_GOOD);
	CHECK_EQ(last->ended, 1);
	CHECK_EQ(target->answered + second->answered, 0);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(target->answered, 1);
	CHECK_EQ(second->answered, 1);
	free(slow);
	free(old);
	free(target);
	free(told);
	free(again);
	free(head);
	free(second);
	free(told_again);
	free(last);
	stage_close(stage);
}

/* Nor on one that somebody waits to have alone: who looks is one more to wait for. */
TEST(who_looks_goes_before_whoever_waits_to_be_alone)
{
	struct stage *stage = stage_open();
	struct command *read = send(stage, 0x28, LF_TASK_SIMPLE);
	struct command *stop = run_on(stage, stage->nexus, 0, 0x1b);
	struct command *ready = run_on(stage, stage->nexus, 0, 0x00);
	struct command *looks = run_on(stage, stage->nexus, 0, 0x12);

	CHECK_EQ(looks->ended, 1);
	CHECK_EQ(looks->request.status, LF_STATUS_GOOD);
	CHECK_EQ(stop->ended + ready->ended, 0);
	stage->store[0].inline_done = true;
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(read->ended, 1);
	CHECK_EQ(stop->ended, 1);
	CHECK_EQ(ready->ended, 1);
	free(read);
	free(stop);
	free(ready);
	free(looks);
	stage_close(stage);
}

static uint32_t removals;

static void count_removal(struct lf_removal *removal)
{
	(void)removal;
	__atomic_add_fetch(&removals, 1, __ATOMIC_SEQ_CST);
}

TEST(a_unit_that_goes_lets_the_store_finish_and_answers_not_supported)
{
	struct stage *stage = stage_open();
	struct lf_removal removal = {.done = count_removal};
	struct command *read = send(stage, 0x28, LF_TASK_SIMPLE);
	struct command *write = begin(stage, stage->nexus, 0, 0x2a, 8, LF_TASK_SIMPLE);
	removals = 0;
	lf_lu_remove(stage->lu[0], &removal);
	CHECK_EQ(removals, 0);
	CHECK_EQ(write->hurried, 1);
	submit(write, true);
	CHECK_EQ(write->request.status, LF_STATUS_CHECK_CONDITION);
	CHECK_EQ(sense_of(write), 0x052500);
	struct command *ready = run_on(stage, stage->nexus, 0, 0x00),
		       *inquiry = run_on(stage, stage->nexus, 0, 0x12);
	CHECK_EQ(sense_of(ready), 0x052500);
	CHECK_EQ(inquiry->request.status, LF_STATUS_GOOD);
	CHECK_EQ(inquiry->data[0], 0x7f);
	struct command *changed = run_on(stage, stage->nexus, 1, 0x00);
	CHECK_EQ(sense_of(changed), 0x063f0e);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(read->ended, 1);
	CHECK_EQ(read->request.status, LF_STATUS_GOOD);
	CHECK_EQ(removals, 1);
	lf_lu_free(stage->lu[0]);
	stage->lu[0] = NULL;
	stage_add(stage, 2, LF_LUN_ANY);
	CHECK_EQ(lf_lu_lun(stage->lu[2]), 2); /* not 0: somebody may have missed the departure */
	free(read);
	free(write);
	free(ready);
	free(inquiry);
	free(changed);
	stage_close(stage);
}

TEST(task_management_waits_for_a_unit_that_leaves)
{
	struct stage *stage = stage_open();
	struct lf_removal removal = {.done = count_removal};
	struct command *read = send(stage, 0x28, LF_TASK_SIMPLE);
	lf_lu_remove(stage->lu[0], &removal);
	struct tmf *abort_task = manage(stage, LF_TMF_ABORT_TASK, 0, read->request.tag);
	struct tmf *target = manage(stage, LF_TMF_TARGET_RESET, 0, 0);
	CHECK_EQ(abort_task->answered, 0);
	CHECK_EQ(target->answered, 0);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(abort_task->answered, 1);
	CHECK_EQ(abort_task->tmf.response, LF_TMF_TASK_ENDED);
	CHECK_EQ(target->answered, 1);
	lf_lu_free(stage->lu[0]);
	stage->lu[0] = NULL;
	struct tmf *gone = manage(stage, LF_TMF_LUN_RESET, 0, 0);
	CHECK_EQ(gone->tmf.response, LF_TMF_NO_SUCH_LUN);
	free(read);
	free(abort_task);
	free(target);
	free(gone);
	stage_close(stage);
}

TEST(clear_task_set_tells_only_those_whose_tasks_it_cleared)
{
	struct stage *stage = stage_open();
	struct lf_nexus *third =
		lf_nexus_open(stage->adapter, &(struct lf_nexus_options){.initiator = "three"});
	drain(stage, third, 0);
	struct command *theirs = begin(stage, stage->other, 0, 0x28, 8, LF_TASK_SIMPLE);
	submit(theirs, true);
	struct tmf *clear = manage(stage, LF_TMF_CLEAR_TASK_SET, 0, 0);
	CHECK_EQ(clear->answered, 0);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(clear->answered, 1);
	struct command *ready = run_on(stage, stage->other, 0, 0x00);
	CHECK_EQ(sense_of(ready), 0x062f00);
	CHECK_EQ(drain(stage, third, 0), 0);
	CHECK_EQ(drain(stage, stage->nexus, 0), 0);
	free(theirs);
	free(clear);
	free(ready);
	lf_nexus_close(third);
	stage_close(stage);
}

TEST(request_sense_without_room_keeps_the_attention)
{
	struct stage *stage = stage_open();
	struct lf_nexus *third =
		lf_nexus_open(stage->adapter, &(struct lf_nexus_options){.initiator = "three"});
	struct command *without = begin(stage, third, 0, 0x03, 0, LF_TASK_SIMPLE);
	submit(without, false);
	CHECK_EQ(without->request.status, LF_STATUS_GOOD);
	struct command *with = begin(stage, third, 0, 0x03, 0, LF_TASK_SIMPLE);
	submit(with, true);
	CHECK_EQ(with->data[2] & 15, 6);
	CHECK_EQ(with->data[12], 0x29);
	CHECK_EQ(drain(stage, third, 0), 0);
	free(without);
	free(with);
	lf_nexus_close(third);
	stage_close(stage);
}

TEST(a_command_is_done_before_those_that_waited_for_its_buffer_run)
{
	struct stage *stage = stage_open();
	struct command *verify[10];
	done_count = 0;
	for (uint32_t i = 0; i < 10; i++) {
		struct command *command = calloc(1, sizeof(*command));
		command->request = (struct lf_request){.nexus = stage->nexus,
			.tag = 1000 + i,
			.cdb = {0x2f, 0, 0, 0, 0, 0, 0, 0, 8, 0},
			.cdb_length = 10,
			.done = command_done};
		verify[i] = command;
		CHECK(lf_begin(&command->request));
		lf_submit(&command->request);
	}
	CHECK_EQ(stage->store[0].count, 4); /* as many buffers as a unit has */
	stage->store[0].inline_done = true;
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(verify[0]->ended, 1);
	CHECK_EQ(verify[0]->order, 1);
	while (held_release(&stage->store[0]))
		;
	for (uint32_t i = 0; i < 10; i++) {
		CHECK_EQ(verify[i]->ended, 1);
		free(verify[i]);
	}
	stage_close(stage);
}

TEST(an_address_is_given_again_only_after_all_others)
{
	struct stage *stage = stage_open();
	uint32_t expected = 2;

	for (uint32_t i = 0; i < LF_LUNS_MAX; i++) {
		struct lf_removal removal = {.done = removal_done};
		stage_add(stage, 2, LF_LUN_ANY);
		CHECK_EQ(lf_lu_lun(stage->lu[2]), expected);
		lf_lu_remove(stage->lu[2], &removal);
		lf_lu_free(stage->lu[2]);
		stage->lu[2] = NULL;
		expected = expected + 1 == LF_LUNS_MAX ? 2 : expected + 1; /* 0 and 1 are in use */
	}
	stage_close(stage);
}

/* A lane that is full takes room of the other one first. */
TEST(an_adapter_without_room_says_task_set_full)
{
	struct stage *stage = stage_open();
	struct command *all[2 * 64 + 1];

	for (uint32_t i = 0; i < 2 * 64; i++) {
		all[i] = send(stage, 0x28, LF_TASK_SIMPLE);
		CHECK_EQ(all[i]->ended, 0);
	}
	all[2 * 64] = send(stage, 0x28, LF_TASK_SIMPLE);
	CHECK_EQ(all[2 * 64]->ended, 1);
	CHECK_EQ(all[2 * 64]->request.status, LF_STATUS_TASK_SET_FULL);
	while (held_release(&stage->store[0]))
		;
	for (uint32_t i = 0; i < lf_count_of(all); i++) {
		CHECK_EQ(all[i]->ended, 1);
		free(all[i]);
	}
	stage_close(stage);
}

/* ---- Two threads ---- */

static void *send_ordered(void *argument)
{
	struct stage *stage = argument;

	for (uint32_t i = 0; i < 50000; i++) {
		struct command command = {.request = {.nexus = stage->nexus, .done = command_done}};
		struct lf_request *request = &command.request;
		request->cdb[0] = 0x28;
		request->cdb_length = 10;
		request->cdb[8] = 1;
		request->task_attribute = LF_TASK_ORDERED;
		if (lf_begin(request))
			submit(&command, true);
		while (__atomic_load_n(&command.ended, __ATOMIC_SEQ_CST) == 0)
			sched_yield();
	}
	return NULL;
}

/* Each counted the other as older once, and this never ended. */
TEST(ordered_tasks_that_come_together_both_end)
{
	struct stage *stage = stage_open();
	pthread_t threads[2];

	stage->store[0].inline_done = true;
	for (uint32_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, send_ordered, stage);
	for (uint32_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	stage_close(stage);
}

/* ---- Many threads: initiators, a store's thread, units that come and go, resets ---- */

static bool storm_over;

struct storm {
	struct stage *stage;
	struct lf_nexus *nexus;
	uint32_t good, failed;
};

static void *storm_initiator(void *argument)
{
	struct storm *storm = argument;
	static const uint8_t attributes[8] = {0, 0, 0, 0, 0, 0, LF_TASK_ORDERED, LF_TASK_HEAD_OF_QUEUE};

	for (uint32_t i = 0; i < 1500; i++) {
		struct command command = {.request = {.nexus = storm->nexus, .tag = i, .done = command_done}};
		struct lf_request *request = &command.request;
		request->lun = (uint64_t)(i % 3) << 48;
		request->cdb[0] = i % 5 == 0 ? 0x00 : 0x28;
		request->cdb_length = i % 5 == 0 ? 6 : 10;
		request->cdb[8] = i % 5 == 0 ? 0 : 1;
		request->task_attribute = attributes[i % 8];
		if (lf_begin(request))
			submit(&command, true);
		while (__atomic_load_n(&command.ended, __ATOMIC_SEQ_CST) == 0)
			sched_yield();
		bool fine = request->status == LF_STATUS_GOOD || request->status == LF_STATUS_TASK_ABORTED ||
			    request->status == LF_STATUS_CHECK_CONDITION;
		storm->good += request->status == LF_STATUS_GOOD;
		storm->failed += !fine || command.ended != 1;
	}
	return NULL;
}

static void *storm_store(void *argument)
{
	struct stage *stage = argument;

	while (!__atomic_load_n(&storm_over, __ATOMIC_SEQ_CST))
		if (!held_release(&stage->store[0]) && !held_release(&stage->store[1]))
			sched_yield();
	return NULL;
}

static void flag_tmf(struct lf_tmf *tmf)
{
	__atomic_add_fetch(&lf_container(tmf, struct tmf, tmf)->answered, 1, __ATOMIC_SEQ_CST);
}

TEST(storm_of_threads_resets_and_departures)
{
	struct stage *stage = stage_open();
	struct storm storms[2] = {
		{.stage = stage, .nexus = stage->nexus}, {.stage = stage, .nexus = stage->other}};
	pthread_t threads[2], store;

	storm_over = false;
	pthread_create(&store, NULL, storm_store, stage);
	for (uint32_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, storm_initiator, &storms[i]);
	for (uint32_t i = 0; i < 150; i++) {
		struct lf_removal removal = {.done = count_removal};
		struct tmf reset = {
			.tmf = {.nexus = stage->nexus, .function = LF_TMF_LUN_RESET, .done = flag_tmf}};
		stage->store[2].inline_done = true;
		stage_add(stage, 2, 2);
		lf_tmf_submit(&reset.tmf);
		while (__atomic_load_n(&reset.answered, __ATOMIC_SEQ_CST) == 0)
			sched_yield();
		__atomic_store_n(&removals, 0, __ATOMIC_SEQ_CST);
		lf_lu_remove(stage->lu[2], &removal);
		while (__atomic_load_n(&removals, __ATOMIC_SEQ_CST) == 0)
			sched_yield();
		lf_lu_free(stage->lu[2]);
		stage->lu[2] = NULL;
	}
	for (uint32_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	__atomic_store_n(&storm_over, true, __ATOMIC_SEQ_CST);
	pthread_join(store, NULL);
	for (uint32_t i = 0; i < 2; i++) {
		CHECK_EQ(storms[i].failed, 0);
		CHECK(storms[i].good > 0);
	}
	stage_close(stage);
}

/* ---- Data that was damaged on the way ---- */

TEST(core_spoiled_data_is_not_written)
{
	struct stage *stage = stage_open();

	/* All of it is there, or nothing: the edge says that it is wrong, and the store is not asked. */
	for (int whole = 0; whole < 2; whole++) {
		struct command *command = begin(stage, stage->nexus, 0, 0x2a, 8, LF_TASK_SIMPLE);
		CHECK(command->begun);
		CHECK(!command->request.data_spoiled);
		command->request.data_spoiled = true;
		submit(command, whole);
		CHECK_EQ(command->ended, 1);
		CHECK_EQ(command->request.status, LF_STATUS_CHECK_CONDITION);
		CHECK_EQ(sense_of(command), 0xb4705);
		CHECK_EQ(command->request.data_moved, 0);
		free(command);
	}
	stage_close(stage);
}

static const struct lf_store_info small_info = {
	.block_count = BLOCKS, .block_size = 512, .physical_block_size = 512};

/* The address, or LF_LUN_ANY. */
static uint32_t add_at(struct lf_adapter *adapter, struct lf_store *store, uint32_t target, uint32_t lun,
	struct lf_lu **lu, struct lf_message *message)
{
	struct lf_lu_options options = {.target = target, .lun = lun, .serial = "1", .identifier = 1};

	if (lf_lu_add(adapter, &options, &held_ops, store, &small_info, lu, message) != LF_OK)
		return LF_LUN_ANY;
	return lf_lu_lun(*lu);
}

static void take_away(struct lf_lu *lu)
{
	struct lf_removal removal = {.done = removal_done};

	lf_lu_remove(lu, &removal);
	lf_lu_free(lu);
}

TEST(an_adapter_has_the_addresses_it_was_made_for)
{
	struct lf_adapter *adapter = lf_adapter_create(
		&(struct lf_adapter_options){.target_count = LF_TARGETS_MAX, .lun_count = 3});
	struct lf_nexus *last = lf_nexus_open(
		adapter, &(struct lf_nexus_options){.initiator = "one", .target = LF_TARGETS_MAX - 1});
	struct lf_store store = {.inline_done = true};
	struct lf_message message;
	struct lf_lu *lu[3], *more;

	CHECK_EQ(add_at(adapter, &store, LF_TARGETS_MAX, 0, &more, &message), LF_LUN_ANY);
	CHECK_STR(message.text, "target 255 is too high: the last one is 254");
	CHECK_EQ(add_at(adapter, &store, 0, 3, &more, &message), LF_LUN_ANY);
	CHECK_STR(message.text, "LUN 3 is too high: the last one is 2");
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQ(add_at(adapter, &store, LF_TARGETS_MAX - 1, LF_LUN_ANY, &lu[i], &message), i);
	CHECK_EQ(add_at(adapter, &store, LF_TARGETS_MAX - 1, LF_LUN_ANY, &more, &message), LF_LUN_ANY);
	CHECK_STR(message.text, "no address for another device: disconnect one");
	take_away(lu[1]);
	CHECK_EQ(add_at(adapter, &store, LF_TARGETS_MAX - 1, LF_LUN_ANY, &lu[1], &message), 1);
	for (uint32_t i = 0; i < 3; i++)
		take_away(lu[i]);
	lf_nexus_close(last);
	lf_adapter_destroy(adapter);
}

TEST(a_lun_that_no_unit_can_have_has_none)
{
	static const uint32_t luns[] = {1, 5, 0x4000 | 300, 0x4000 | (LF_LUNS_MAX - 1)}; /* as SAM has them */
	struct lf_adapter *adapter = lf_adapter_create(&(struct lf_adapter_options){.lun_count = 2});
	struct stage stage = {.adapter = adapter};

	stage.nexus = lf_nexus_open(adapter, &(struct lf_nexus_options){.initiator = "one"});
	for (uint32_t i = 0; i < lf_count_of(luns); i++) {
		struct command *ready = run_on(&stage, stage.nexus, luns[i], 0x00);
		CHECK_EQ(sense_of(ready), 0x52500);
		free(ready);
	}
	lf_nexus_close(stage.nexus);
	lf_adapter_destroy(adapter);
}

/* What an edge may lend that nobody has mapped. */
TEST(the_core_says_which_data_it_does_not_touch)
{
	static const uint8_t codes[] = {0x08, 0x0a, 0x28, 0x2a, 0x12, 0x2f, 0x2e};
	struct stage *stage = stage_open();

	for (uint32_t i = 0; i < lf_count_of(codes); i++) {
		struct command *command = begin(stage, stage->nexus, 0, codes[i], 1, LF_TASK_SIMPLE);
		CHECK(command->begun);
		CHECK_EQ(command->request.data_is_medium, i < 4);
		command->request.data_spoiled = true;
		submit(command, false);
		CHECK_EQ(command->ended, 1);
		free(command);
	}
	stage_close(stage);
}

/* FUA: a READ flushes first, by the same operation in the same memory. */
TEST(what_the_edge_tells_the_store_stays_on_the_way)
{
	static const uint8_t codes[] = {0x28, 0x2a};
	struct stage *stage = stage_open();

	for (uint32_t i = 0; i < 2 * lf_count_of(codes); i++) {
		struct command *command = begin(stage, stage->nexus, 0, codes[i / 2], 8, LF_TASK_SIMPLE);
		struct lf_request *request = &command->request;
		CHECK(command->begun && request->data_is_medium);
		request->cdb[1] = i % 2 == 0 ? 0 : 0x08;
		request->io.platform.words[0] = 0x5eed;
		command->segment = (struct lf_segment){NULL, 4096};
		request->segments = &command->segment;
		request->segment_count = 1;
		request->data_length = 4096;
		lf_submit(request);
		while (!command->ended) {
			CHECK_EQ(request->io.platform.words[0], 0x5eed);
			CHECK(held_release(&stage->store[0]));
		}
		CHECK_EQ(request->status, LF_STATUS_GOOD);
		CHECK_EQ(request->data_moved, 4096);
		free(command);
	}
	stage_close(stage);
}

TEST(a_command_of_the_edge_leaves_attentions_to_the_initiator)
{
	struct stage *stage = stage_open();
	struct lf_nexus *fresh =
		lf_nexus_open(stage->adapter, &(struct lf_nexus_options){.initiator = "fresh"});
	struct command own = {.request = {.nexus = fresh,
				      .cdb = {0x35},
				      .cdb_length = 10,
				      .tag = 1,
				      .no_attention = true,
				      .done = command_done}};

	CHECK(lf_begin(&own.request));
	lf_submit(&own.request);
	CHECK(held_release(&stage->store[0]));
	CHECK_EQ(own.ended, 1);
	CHECK_EQ(own.request.status, LF_STATUS_GOOD);
	struct command *ready = run_on(stage, fresh, 0, 0x00);
	CHECK_EQ(sense_of(ready), 0x62900);
	free(ready);
	lf_nexus_close(fresh);
	stage_close(stage);
}
