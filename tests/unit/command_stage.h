/* SPDX-License-Identifier: BSD-2-Clause */
/* command_stage.h: one unit over a store that remembers, one nexus, one command at a time: for tests and
 * fuzzers. */
#ifndef LF_TEST_COMMAND_STAGE_H
#define LF_TEST_COMMAND_STAGE_H

#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "edge/loop/loop_edge.h"

/* ---- A store of any size that keeps few blocks, logs its operations and fails when told to ---- */

#define KEPT_BLOCKS 8192 /* a power of two; a test that writes more than half of it has to grow it */
#define KEPT_OPS    64

struct kept_block {
	uint64_t number; /* plus one; 0: free */
	uint8_t bytes[4096];
};

struct kept_op {
	enum lf_op op;
	bool fua, atomic;
	uint64_t offset, length;
};

struct lf_store {
	uint32_t block_size;
	struct kept_block *blocks;
	struct kept_op ops[KEPT_OPS];
	uint32_t op_count;
	uint32_t fail_at; /* the operation of that number, from 1, fails */
	enum lf_error fail_with;
	uint64_t data_from, data_end; /* what MAP says takes room, bytes */
	uint64_t used, available;     /* what USAGE says, bytes */
};

/* The place of a block, or of what would become it. */
static inline struct kept_block *kept_find(struct lf_store *store, uint64_t number)
{
	uint64_t at = number * 0x9e3779b97f4a7c15ull >> 32;

	for (uint32_t i = 0; i < KEPT_BLOCKS; i++) {
		struct kept_block *block = &store->blocks[(at + i) % KEPT_BLOCKS];
		if (block->number == 0 || block->number == number + 1)
			return block;
	}
	abort();
}

static inline void kept_copy(struct lf_store *store, const struct lf_io *io, bool writing)
{
	uint32_t segment = 0;
	uint64_t within = 0;

	for (uint64_t at = 0; at < io->length_bytes; at++) {
		while (within == io->segments[segment].length) {
			segment++;
			within = 0;
		}
		uint64_t byte = io->offset_bytes + at;
		/* Runs up to the end of the block or the segment. */
		uint64_t run = lf_min(
			store->block_size - byte % store->block_size, io->segments[segment].length - within);
		run = lf_min(run, io->length_bytes - at);
		struct kept_block *block = kept_find(store, byte / store->block_size);
		uint8_t *mine = block->bytes + byte % store->block_size;
		uint8_t *theirs = (uint8_t *)io->segments[segment].base + within;
		if (writing) {
			block->number = byte / store->block_size + 1;
			memcpy(mine, theirs, run);
		} else if (block->number != 0) {
			memcpy(theirs, mine, run);
		} else {
			memset(theirs, 0, run);
		}
		within += run;
		at += run - 1;
	}
}

static inline void kept_zero(struct lf_store *store, const struct lf_io *io)
{
	uint64_t first = io->offset_bytes / store->block_size, count = io->length_bytes / store->block_size;

	for (uint32_t i = 0; i < KEPT_BLOCKS; i++) {
		struct kept_block *block = &store->blocks[i];
		if (block->number > first && block->number - 1 - first < count)
			memset(block->bytes, 0, store->block_size);
	}
}

static inline void kept_map(const struct lf_store *store, struct lf_io *io)
{
	uint64_t from = io->offset_bytes, end = from + io->length_bytes;

	io->mapped = from >= store->data_from && from < store->data_end;
	if (from < store->data_from)
		end = lf_min(end, store->data_from);
	else if (io->mapped)
		end = lf_min(end, store->data_end);
	io->length_bytes = end - from;
}

static inline void kept_submit(struct lf_store *store, struct lf_io *io)
{
	uint32_t number = store->op_count++;

	if (number < KEPT_OPS)
		store->ops[number] =
			(struct kept_op){io->op, io->fua, io->atomic, io->offset_bytes, io->length_bytes};
	io->error = LF_OK;
	if (number + 1 == store->fail_at) {
		io->error = store->fail_with;
	} else if (io->op == LF_OP_READ || io->op == LF_OP_WRITE) {
		kept_copy(store, io, io->op == LF_OP_WRITE);
	} else if (io->op == LF_OP_ZERO || io->op == LF_OP_UNMAP) {
		kept_zero(store, io);
	} else if (io->op == LF_OP_MAP) {
		kept_map(store, io);
	} else if (io->op == LF_OP_USAGE) {
		io->used_bytes = store->used;
		io->available_bytes = store->available;
	}
	io->done(io);
}

static const struct lf_store_ops kept_ops = {.name = "kept", .submit = kept_submit};

/* ---- The stage ---- */

#define STAGE_DATA (5u << 20)
#define CANARY     0xc5

struct stage {
	struct lf_adapter *adapter;
	struct lf_nexus *nexus;
	struct lf_lu *lu;
	struct lf_store store;
	struct lf_loop_edge edge;
	struct lf_loop_edge_store deferred;
	struct lf_loop_edge_command command;
	struct lf_segment segments[3];
	uint8_t *data; /* what moved in, or will move out */
};

static const struct lf_port stage_port = {.name = "iqn.2025-01.test:one,t,0x0001",
	.device_name = "iqn.2025-01.test:one",
	.relative_id = 7,
	.protocol = 5};

/* A thin disk of 65,536 blocks of 512 bytes on 4 KiB physical ones, unless a test says otherwise. */
static inline struct lf_store_info stage_info(void)
{
	return (struct lf_store_info){.block_count = 0x10000,
		.block_size = 512,
		.physical_block_size = 4096,
		.unmap_granularity_bytes = 65536,
		.atomic_max_bytes = 131072,
		.can_unmap = true,
		.unmap_reads_zero = true,
		.tells_usage = true};
}

static inline void stage_command_data(struct stage *stage, enum lf_direction direction, uint64_t length)
{
	struct lf_loop_edge_command *command = &stage->command;

	/* Three segments that end within blocks and fields. */
	uint64_t first = lf_min(length, 3u), second = lf_min(length - first, 1021u);
	stage->segments[0] = (struct lf_segment){stage->data, (size_t)first};
	stage->segments[1] = (struct lf_segment){stage->data + first, (size_t)second};
	stage->segments[2] =
		(struct lf_segment){stage->data + first + second, (size_t)(length - first - second)};
	command->direction = direction;
	command->segments = stage->segments;
	command->segment_count = lf_count_of(stage->segments);
}

/*
 * Carries out one command with this many bytes of room, or of data. 0: GOOD; KEY/ASC/ASCQ; or the status with
 * the top bit set.
 */
static inline uint32_t stage_run(struct stage *stage, uint32_t lun, const uint8_t *cdb, uint32_t cdb_length,
	enum lf_direction direction, uint64_t length)
{
	struct lf_loop_edge_command *command = &stage->command;

	command->nexus = stage->nexus;
	command->lun = lun;
	memcpy(command->cdb, cdb, cdb_length);
	command->cdb_length = (uint8_t)cdb_length;
	stage_command_data(stage, direction, length);
	if (direction == LF_DIRECTION_IN)
		memset(stage->data, CANARY, length + 64);
	lf_loop_edge_execute(&stage->edge, command);
	if (command->request.status == LF_STATUS_GOOD)
		return 0;
	if (command->request.status == LF_STATUS_CHECK_CONDITION)
		return lf_sense_read(&command->request);
	return 0x80000000u | command->request.status;
}

/* ops and store: what the unit is over; NULL: the store that remembers, deferred when the edge is. */
static inline struct stage *stage_open_as(enum lf_lu_type type, enum lf_loop_edge_mode mode,
	const struct lf_store_info *info, bool read_only, const struct lf_store_ops *ops,
	struct lf_store *store)
{
	static const struct lf_adapter_options adapter_options = {.lane_count = 1};
	static const uint8_t test_unit_ready[6] = {0};
	struct lf_lu_options options = {.type = type,
		.serial = "SERIAL-1",
		.identifier = 0x123456789abcdefull,
		.rotation = 1,
		.read_only = read_only};
	struct lf_nexus_options nexus_options = {.port = &stage_port};
	struct stage *stage = calloc(1, sizeof(*stage));
	struct lf_message message;
	enum lf_error error;

	if (stage == NULL || (stage->data = malloc(STAGE_DATA)) == NULL)
		abort();
	stage->store.block_size = info->block_size;
	stage->store.blocks = calloc(KEPT_BLOCKS, sizeof(struct kept_block));
	stage->adapter = lf_adapter_create(&adapter_options);
	if (stage->adapter == NULL || stage->store.blocks == NULL)
		abort();
	lf_loop_edge_init(&stage->edge, mode);
	stage->deferred = (struct lf_loop_edge_store){&stage->edge, &kept_ops, &stage->store};
	if (ops == NULL) {
		bool deferred = mode == LF_LOOP_EDGE_DEFERRED;
		ops = deferred ? &lf_loop_edge_store_ops : &kept_ops;
		store = deferred ? (struct lf_store *)(void *)&stage->deferred : &stage->store;
	}
	error = lf_lu_add(stage->adapter, &options, ops, store, info, &stage->lu, &message);
	stage->nexus = lf_nexus_open(stage->adapter, &nexus_options);
	if (error != LF_OK || stage->nexus == NULL)
		abort();
	/* The first command of a nexus is told that the power came on. */
	if (stage_run(stage, 0, test_unit_ready, 6, LF_DIRECTION_NONE, 0) != LF_SENSE(0x6, 0x29, 0x00))
		abort();
	return stage;
}

static inline struct stage *stage_open_over(enum lf_loop_edge_mode mode, const struct lf_store_info *info,
	bool read_only, const struct lf_store_ops *ops, struct lf_store *store)
{
	return stage_open_as(LF_LU_DISK, mode, info, read_only, ops, store);
}

static inline struct stage *stage_open_with(
	enum lf_loop_edge_mode mode, const struct lf_store_info *info, bool read_only)
{
	return stage_open_over(mode, info, read_only, NULL, NULL);
}

static inline struct stage *stage_open(enum lf_loop_edge_mode mode)
{
	struct lf_store_info info = stage_info();
	return stage_open_with(mode, &info, false);
}

static inline void stage_unit_left(struct lf_removal *removal)
{
	(void)removal;
}

static inline void stage_close(struct stage *stage)
{
	struct lf_removal removal = {.done = stage_unit_left};

	lf_nexus_close(stage->nexus);
	lf_lu_remove(stage->lu, &removal);
	lf_lu_free(stage->lu);
	lf_adapter_destroy(stage->adapter);
	lf_loop_edge_fini(&stage->edge);
	free(stage->store.blocks);
	free(stage->data);
	free(stage);
}

static inline void stage_forget_ops(struct stage *stage)
{
	stage->store.op_count = 0;
	stage->store.fail_at = 0;
}

/* The operation of that number, from now on, fails. */
static inline void stage_fail(struct stage *stage, uint32_t number, enum lf_error error)
{
	stage_forget_ops(stage);
	stage->store.fail_at = number;
	stage->store.fail_with = error;
}

/* A command without data, or with room for a reply of any length. */
#define RUN(stage, ...)                                                                                      \
	stage_run(stage, 0, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}),          \
		LF_DIRECTION_NONE, 0)
#define RUN_IN(stage, length, ...)                                                                           \
	stage_run(stage, 0, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}),          \
		LF_DIRECTION_IN, length)
#define RUN_OUT(stage, length, ...)                                                                          \
	stage_run(stage, 0, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}),          \
		LF_DIRECTION_OUT, length)

#endif
