/* SPDX-License-Identifier: BSD-2-Clause */
/* held_stage.h: two units over stores that keep what they are given until a test lets it go, two nexuses. */
#ifndef LF_TEST_HELD_STAGE_H
#define LF_TEST_HELD_STAGE_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/adapter.h"

#define BLOCKS 1024

/* A store of the test's own: it keeps what it is given until the test lets it go. */
struct lf_store {
	pthread_mutex_t mutex;
	struct lf_link held;
	uint32_t count, cancelled;
	bool inline_done;
};

static inline void held_submit(struct lf_store *store, struct lf_io *io)
{
	if (store->inline_done) {
		io->done(io);
		return;
	}
	pthread_mutex_lock(&store->mutex);
	lf_list_append(&store->held, &io->link);
	store->count++;
	pthread_mutex_unlock(&store->mutex);
}

static inline void held_cancel(struct lf_store *store, struct lf_io *io)
{
	pthread_mutex_lock(&store->mutex);
	lf_list_each(link, after, &store->held) store->cancelled +=
		lf_container(link, struct lf_io, link) == io;
	pthread_mutex_unlock(&store->mutex);
}

static inline bool held_release(struct lf_store *store)
{
	pthread_mutex_lock(&store->mutex);
	struct lf_link *link = lf_list_take(&store->held);
	store->count -= link != NULL;
	pthread_mutex_unlock(&store->mutex);
	if (link == NULL)
		return false;
	struct lf_io *io = lf_container(link, struct lf_io, link);
	io->done(io);
	return true;
}

static const struct lf_store_ops held_ops = {.name = "held", .submit = held_submit, .cancel = held_cancel};

/* One command, and what came of it. */
struct command {
	struct lf_request request;
	struct lf_segment segment;
	uint8_t data[64 * 512];
	uint32_t ended, hurried;
	uint32_t order; /* how many were done by then, of all */
	bool begun;
};

static uint32_t done_count;

static inline void command_done(struct lf_request *request)
{
	struct command *command = lf_container(request, struct command, request);
	command->order = __atomic_add_fetch(&done_count, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&command->ended, 1, __ATOMIC_SEQ_CST);
}

static inline void command_hurry(struct lf_request *request)
{
	struct command *command = lf_container(request, struct command, request);
	__atomic_add_fetch(&command->hurried, 1, __ATOMIC_SEQ_CST);
}

struct stage {
	struct lf_adapter *adapter;
	struct lf_nexus *nexus, *other;
	struct lf_store store[4];
	struct lf_lu *lu[4];
	uint64_t next_tag;
};

static inline void stage_add_as(struct stage *stage, uint32_t i, uint32_t lun, bool removable)
{
	struct lf_lu_options options = {
		.lun = lun, .serial = "1", .identifier = i + 1, .removable = removable};
	struct lf_store_info info = {.block_count = BLOCKS, .block_size = 512, .physical_block_size = 4096};
	struct lf_message message;

	pthread_mutex_init(&stage->store[i].mutex, NULL);
	lf_list_init(&stage->store[i].held);
	if (lf_lu_add(stage->adapter, &options, &held_ops, &stage->store[i], &info, &stage->lu[i],
		    &message) != LF_OK)
		abort();
}

static inline void stage_add(struct stage *stage, uint32_t i, uint32_t lun)
{
	stage_add_as(stage, i, lun, false);
}

static inline struct command *begin(struct stage *stage, struct lf_nexus *nexus, uint32_t lun, uint8_t opcode,
	uint32_t blocks, enum lf_task_attribute attribute)
{
	struct command *command = calloc(1, sizeof(*command));
	struct lf_request *request = &command->request;

	if (command == NULL)
		abort();
	request->nexus = nexus;
	request->lun = (uint64_t)lun << 48;
	request->tag = ++stage->next_tag;
	request->cdb[0] = opcode;
	request->cdb_length = opcode < 0x20 ? 6 : 10;
	if (opcode == 0x12 || opcode == 0x03)
		request->cdb[4] = 96;
	if (opcode == 0x1e)
		request->cdb[4] = 1;
	if (opcode == 0x28 || opcode == 0x2a)
		request->cdb[8] = (uint8_t)blocks;
	request->task_attribute = attribute;
	request->offered_direction = opcode == 0x2a ? LF_DIRECTION_OUT : LF_DIRECTION_IN;
	request->offered_length = blocks * 512ull;
	request->done = command_done;
	request->hurry = command_hurry;
	command->begun = lf_begin(request);
	return command;
}

static inline void submit(struct command *command, bool with_data)
{
	struct lf_request *request = &command->request;

	command->segment = (struct lf_segment){command->data, sizeof(command->data)};
	request->segments = &command->segment;
	request->segment_count = 1;
	request->data_length = with_data ? lf_min(request->data_wanted, sizeof(command->data)) : 0;
	lf_submit(request);
}

static inline struct command *send(struct stage *stage, uint8_t opcode, enum lf_task_attribute attribute)
{
	struct command *command = begin(stage, stage->nexus, 0, opcode, opcode == 0x35 ? 0 : 8, attribute);
	if (command->begun)
		submit(command, true);
	return command;
}

static inline uint32_t sense_of(const struct command *command)
{
	const uint8_t *sense = command->request.sense;
	return (uint32_t)(sense[2] & 15) << 16 | (uint32_t)sense[12] << 8 | sense[13];
}

static inline struct command *run_on(
	struct stage *stage, struct lf_nexus *nexus, uint32_t lun, uint8_t opcode)
{
	struct command *command = begin(stage, nexus, lun, opcode, 0, LF_TASK_SIMPLE);
	if (command->begun)
		submit(command, true);
	return command;
}

/* TEST UNIT READY until there is no unit attention; how many there were. */
static inline uint32_t drain(struct stage *stage, struct lf_nexus *nexus, uint32_t lun)
{
	for (uint32_t count = 0;; count++) {
		struct command *ready = run_on(stage, nexus, lun, 0x00);
		uint8_t status = ready->request.status;
		free(ready);
		if (status == LF_STATUS_GOOD || count == 32)
			return count;
	}
}

static inline struct stage *stage_open(void)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	struct lf_adapter_options options = {.lane_count = 2, .tasks_per_lane = 64};

	if (stage == NULL)
		abort();
	stage->adapter = lf_adapter_create(&options);
	stage_add(stage, 0, LF_LUN_ANY);
	stage_add(stage, 1, LF_LUN_ANY);
	stage->nexus = lf_nexus_open(stage->adapter, &(struct lf_nexus_options){.initiator = "one"});
	stage->other = lf_nexus_open(stage->adapter, &(struct lf_nexus_options){.initiator = "two"});
	drain(stage, stage->nexus, 0);
	drain(stage, stage->nexus, 1);
	drain(stage, stage->other, 0);
	return stage;
}

static inline void removal_done(struct lf_removal *removal)
{
	(void)removal;
}

static inline void stage_close(struct stage *stage)
{
	for (uint32_t i = 0; i < 4; i++) {
		struct lf_removal removal = {.done = removal_done};
		if (stage->lu[i] == NULL)
			continue;
		lf_lu_remove(stage->lu[i], &removal);
		lf_lu_free(stage->lu[i]);
	}
	lf_nexus_close(stage->nexus);
	lf_nexus_close(stage->other);
	lf_adapter_destroy(stage->adapter);
	free(stage);
}

#endif
