/* SPDX-License-Identifier: BSD-2-Clause */
/* reservation_stage.h: one unit over a store that saves, a few named initiator ports: for tests of
 * reservations.
 */
#ifndef LF_TEST_RESERVATION_STAGE_H
#define LF_TEST_RESERVATION_STAGE_H

#include <stdlib.h>
#include <string.h>

#include "core/reservation.h"
#include "edge/loop/loop_edge.h"

/* Its blocks are nothing; what it saves can be looked at, held back and refused. */
struct lf_store {
	uint8_t blob[LF_SAVED_BYTES];
	size_t length;
	uint32_t saves;
	enum lf_error fail_with;
	bool hold;
	struct lf_io *held;
};

static inline void saving_done(struct lf_store *store, struct lf_io *io)
{
	uint64_t at = 0;

	io->error = store->fail_with;
	for (uint32_t i = 0; io->error == LF_OK && at < io->length_bytes; i++) {
		size_t run = lf_min(io->segments[i].length, (size_t)(io->length_bytes - at));
		memcpy(store->blob + at, io->segments[i].base, run);
		at += run;
	}
	if (io->error == LF_OK)
		store->length = at;
	store->saves++;
	io->done(io);
}

static inline void saving_submit(struct lf_store *store, struct lf_io *io)
{
	if (io->op == LF_OP_SAVE && store->hold) {
		store->held = io;
	} else if (io->op == LF_OP_SAVE) {
		saving_done(store, io);
	} else {
		io->error = LF_OK;
		io->done(io);
	}
}

static const struct lf_store_ops saving_ops = {.name = "saving", .submit = saving_submit};

static const struct lf_port here = {.name = "iqn.2025-01.test:one,t,0x0001",
	.device_name = "iqn.2025-01.test:one",
	.relative_id = 7,
	.protocol = 5};

#define NEXUSES      4
#define CONFLICT     0x80000018u
#define SENSE        LF_SENSE
#define POWER_ON     LF_SENSE(0x6, 0x29, 0x00)
#define PREEMPTED    LF_SENSE(0x6, 0x2a, 0x03)
#define RELEASED     LF_SENSE(0x6, 0x2a, 0x04)
#define UNREGISTERED LF_SENSE(0x6, 0x2a, 0x05)

static const char *const port_names[NEXUSES] = {"iqn.2025-01.test:a,i,0x00023d000001",
	"iqn.2025-01.test:bb,i,0x00023d000002", "iqn.2025-01.test:ccc,i,0x00023d000003", NULL};

struct stage {
	struct lf_adapter *adapter;
	struct lf_lu *lu;
	struct lf_store store;
	struct lf_nexus *nexus[NEXUSES];
	struct lf_loop_edge edge;
	struct lf_loop_edge_command command;
	uint8_t data[65536];
};

/* 0: GOOD; KEY/ASC/ASCQ; or the status with the top bit set. */
static inline uint32_t run(struct stage *stage, uint32_t who, const uint8_t *cdb, uint32_t cdb_length,
	enum lf_direction direction, uint32_t length)
{
	struct lf_loop_edge_command *command = &stage->command;
	struct lf_segment segment = {stage->data, length};

	command->nexus = stage->nexus[who];
	memcpy(command->cdb, cdb, cdb_length);
	command->cdb_length = (uint8_t)cdb_length;
	command->direction = direction;
	command->segments = &segment;
	command->segment_count = 1;
	lf_loop_edge_execute(&stage->edge, command);
	if (command->request.status == LF_STATUS_CHECK_CONDITION)
		return lf_sense_read(&command->request);
	return command->request.status == LF_STATUS_GOOD ? 0 : 0x80000000u | command->request.status;
}

static inline uint32_t none(struct stage *stage, uint32_t who, uint8_t opcode, uint8_t byte_4)
{
	uint8_t cdb[10] = {opcode, 0, 0, 0, byte_4};
	return run(stage, who, cdb, opcode < 0x20 ? 6 : 10, LF_DIRECTION_NONE, 0);
}

/* What the nexus is told next by TEST UNIT READY. */
static inline uint32_t attention(struct stage *stage, uint32_t who)
{
	return none(stage, who, 0x00, 0);
}

static inline uint32_t read_block(struct stage *stage, uint32_t who)
{
	static const uint8_t cdb[10] = {0x28, 0, 0, 0, 0, 0, 0, 0, 1};
	return run(stage, who, cdb, sizeof(cdb), LF_DIRECTION_IN, 512);
}

static inline uint32_t write_block(struct stage *stage, uint32_t who)
{
	static const uint8_t cdb[10] = {0x2a, 0, 0, 0, 0, 0, 0, 0, 1};
	return run(stage, who, cdb, sizeof(cdb), LF_DIRECTION_OUT, 512);
}

static inline void pr_list(uint8_t *list, uint64_t key, uint64_t action_key, uint8_t flags)
{
	memset(list, 0, 24);
	lf_put_be64(list, key);
	lf_put_be64(list + 8, action_key);
	list[20] = flags;
}

static inline uint32_t pr_out_with(struct stage *stage, uint32_t who, uint8_t action, uint8_t type,
	uint64_t key, uint64_t action_key, uint8_t flags)
{
	uint8_t cdb[10] = {0x5f, action, type, 0, 0, 0, 0, 0, 24};

	pr_list(stage->data, key, action_key, flags);
	return run(stage, who, cdb, sizeof(cdb), LF_DIRECTION_OUT, 24);
}

static inline uint32_t pr_out(
	struct stage *stage, uint32_t who, uint8_t action, uint8_t type, uint64_t key, uint64_t action_key)
{
	return pr_out_with(stage, who, action, type, key, action_key, 0);
}

static inline uint32_t pr_in(struct stage *stage, uint32_t who, uint8_t action, uint16_t length)
{
	uint8_t cdb[10] = {0x5e, action, 0, 0, 0, 0, 0, (uint8_t)(length >> 8), (uint8_t)length};

	memset(stage->data, 0xc5, length + 8u);
	return run(stage, who, cdb, sizeof(cdb), LF_DIRECTION_IN, length);
}

static inline uint32_t register_key(struct stage *stage, uint32_t who, uint64_t key)
{
	return pr_out(stage, who, LF_PR_REGISTER_AND_IGNORE, 0, 0, key);
}

static inline struct lf_reservation_facts facts(struct stage *stage)
{
	struct lf_reservation_facts facts;
	lf_lu_reservation(stage->lu, &facts);
	return facts;
}

/* An initiator port comes, and hears that the power came on. */
static inline uint32_t arrive(struct stage *stage, uint32_t who)
{
	struct lf_nexus_options options = {.initiator_port = port_names[who], .port = &here};

	stage->nexus[who] = lf_nexus_open(stage->adapter, &options);
	if (stage->nexus[who] == NULL)
		abort();
	return attention(stage, who);
}

static inline void depart(struct stage *stage, uint32_t who)
{
	lf_nexus_close(stage->nexus[who]);
	stage->nexus[who] = NULL;
}

static inline struct stage *stage_open_saved(bool can_save, const void *saved, size_t length)
{
	struct lf_adapter_options adapter_options = {.lane_count = 1};
	struct lf_lu_options options = {
		.serial = "S", .can_save = can_save, .saved = saved, .saved_length = length};
	struct lf_store_info info = {.block_count = 4096, .block_size = 512, .physical_block_size = 512};
	struct stage *stage = calloc(1, sizeof(*stage));
	struct lf_message message;

	if (stage == NULL)
		abort();
	stage->adapter = lf_adapter_create(&adapter_options);
	lf_loop_edge_init(&stage->edge, LF_LOOP_EDGE_INLINE);
	if (stage->adapter == NULL || lf_lu_add(stage->adapter, &options, &saving_ops, &stage->store, &info,
					      &stage->lu, &message) != LF_OK)
		abort();
	for (uint32_t i = 0; i < NEXUSES; i++)
		if (arrive(stage, i) != POWER_ON)
			abort();
	return stage;
}

static inline struct stage *stage_open(void)
{
	return stage_open_saved(true, NULL, 0);
}

static inline void stage_left(struct lf_removal *removal)
{
	(void)removal;
}

static inline void stage_close(struct stage *stage)
{
	struct lf_removal removal = {.done = stage_left};

	for (uint32_t i = 0; i < NEXUSES; i++)
		if (stage->nexus[i] != NULL)
			lf_nexus_close(stage->nexus[i]);
	lf_lu_remove(stage->lu, &removal);
	lf_lu_free(stage->lu);
	lf_adapter_destroy(stage->adapter);
	lf_loop_edge_fini(&stage->edge);
	free(stage);
}

/* A request of the test's own, for what happens between its begin and its submit. */
struct slow_command {
	struct lf_request request;
	struct lf_segment segment;
	uint8_t data[512];
	uint32_t ended, hurried;
};

static inline void slow_done(struct lf_request *request)
{
	lf_container(request, struct slow_command, request)->ended++;
}

static inline void slow_hurry(struct lf_request *request)
{
	lf_container(request, struct slow_command, request)->hurried++;
}

static inline bool slow_begin(
	struct stage *stage, struct slow_command *slow, uint32_t who, const uint8_t *cdb, uint32_t cdb_length)
{
	static uint64_t tag = 1ull << 32;

	*slow = (struct slow_command){.segment = {slow->data, sizeof(slow->data)}};
	slow->request = (struct lf_request){.nexus = stage->nexus[who],
		.tag = tag++,
		.cdb_length = (uint8_t)cdb_length,
		.offered_direction = LF_DIRECTION_OUT,
		.offered_length = sizeof(slow->data),
		.done = slow_done,
		.hurry = slow_hurry};
	memcpy(slow->request.cdb, cdb, cdb_length);
	return lf_begin(&slow->request);
}

static inline void slow_submit(struct slow_command *slow)
{
	slow->request.segments = &slow->segment;
	slow->request.segment_count = 1;
	slow->request.data_length = slow->request.data_wanted;
	lf_submit(&slow->request);
}

static inline bool slow_begin_write(struct stage *stage, struct slow_command *slow, uint32_t who)
{
	static const uint8_t cdb[10] = {0x2a, 0, 0, 0, 0, 0, 0, 0, 1};
	return slow_begin(stage, slow, who, cdb, sizeof(cdb));
}

static inline void tmf_answered(struct lf_tmf *tmf)
{
	(void)tmf;
}

static inline void reset(struct stage *stage, uint32_t who)
{
	struct lf_tmf tmf = {.nexus = stage->nexus[who], .function = LF_TMF_LUN_RESET, .done = tmf_answered};
	lf_tmf_submit(&tmf);
}

#endif
