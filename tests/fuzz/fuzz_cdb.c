/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_cdb.c: any CDBs with any data, several at a time, with aborts and resets between them, over a store
 * that fails now and then. What is asserted: every command ends once with a status that makes sense, nothing
 * is written beyond what it said it moved, and the store is asked for nothing past its end.
 */
#include <stdlib.h>
#include <string.h>

#include "core/adapter.h"
#include "core/core.h"
#include "edge/loop/loop_edge.h"

#define WINDOW 65536
#define SLOTS  4
#define ROOM   (32u * 1024)
#define CANARY 0x5e
#define UNITS  2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A store of any size in a small window: what lies further up shows the same bytes. */
struct lf_store {
	struct lf_store_info info;
	uint64_t op_count;
	uint8_t fail_every; /* 0: never */
	enum lf_error error;
	bool read_only;
	uint8_t window[WINDOW];
};

static void move(struct lf_store *store, const struct lf_io *io)
{
	uint64_t at = io->offset_bytes, left = io->length_bytes;

	for (uint32_t i = 0; i < io->segment_count && left > 0; i++) {
		uint8_t *base = io->segments[i].base;
		uint64_t length = lf_min(left, io->segments[i].length);
		for (uint64_t done = 0; done < length;) {
			uint64_t run = lf_min(length - done, WINDOW - at % WINDOW);
			if (io->op == LF_OP_READ)
				memcpy(base + done, store->window + at % WINDOW, run);
			else
				memcpy(store->window + at % WINDOW, base + done, run);
			done += run;
			at += run;
		}
		left -= length;
	}
	lf_assert(left == 0);
}

static void window_submit(struct lf_store *store, struct lf_io *io)
{
	const struct lf_store_info *info = &store->info;

	if (io->op != LF_OP_FLUSH && io->op != LF_OP_SAVE && io->op != LF_OP_USAGE) {
		uint64_t block = io->offset_bytes / info->block_size,
			 count = io->length_bytes / info->block_size;
		lf_assert(
			io->offset_bytes % info->block_size == 0 && io->length_bytes % info->block_size == 0);
		lf_assert(count > 0 && block < info->block_count && count <= info->block_count - block);
	}
	lf_assert(io->op == LF_OP_READ || io->op == LF_OP_MAP || io->op == LF_OP_USAGE || !store->read_only);
	lf_assert(io->op != LF_OP_UNMAP || info->can_unmap);
	lf_assert(io->op != LF_OP_USAGE || info->tells_usage);
	io->used_bytes = info->block_count;
	io->available_bytes = UINT64_MAX;
	io->mapped = io->offset_bytes / info->block_size % 2 == 0;
	io->error = LF_OK;
	if (store->fail_every != 0 && ++store->op_count % store->fail_every == 0)
		io->error = store->error;
	else if (io->op == LF_OP_READ || io->op == LF_OP_WRITE)
		move(store, io);
	io->done(io);
}

static const struct lf_store_ops window_ops = {.name = "window", .submit = window_submit};

/* ---- The input, byte by byte; zeros after its end ---- */

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t take(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

/* ---- What is fuzzed ---- */

struct slot {
	struct lf_loop_edge_command command;
	struct lf_segment segments[2];
	bool used;
	uint8_t bytes[ROOM + 64];
};

static struct {
	struct lf_adapter *adapter;
	struct lf_nexus *nexus[2];
	struct lf_lu *lu[UNITS];
	struct lf_loop_edge edge;
	struct lf_loop_edge_store deferred[UNITS];
	struct lf_tmf tmf;
	bool tmf_pending;
} world;

static struct lf_store stores[UNITS];
static struct slot slots[SLOTS];
static uint8_t untouched[ROOM + 64]; /* all CANARY */

static const struct lf_port port = {.name = "p", .device_name = "d", .relative_id = 1, .protocol = 5};

static void add_unit(uint32_t i, struct input *input)
{
	static const enum lf_error errors[] = {LF_E_IO, LF_E_NO_SPACE, LF_E_ABORTED, LF_E_NO_MEMORY};
	struct lf_store *store = &stores[i];
	uint8_t shape = take(input), failures = take(input);
	bool cdrom = shape & 128;
	struct lf_lu_options options = {.type = cdrom ? LF_LU_CDROM : LF_LU_DISK,
		.lun = i * 300,
		.serial = "F",
		.read_only = cdrom || (shape & 1)};
	struct lf_message message;

	store->info = (struct lf_store_info){.block_size = shape & 2 ? 4096 : 512,
		.physical_block_size = 4096,
		.can_unmap = (shape & 4) != 0,
		.unmap_reads_zero = (shape & 8) != 0,
		.tells_usage = (shape & 8) != 0,
		.unmap_granularity_bytes = shape & 4 ? 4096 : 0,
		.atomic_max_bytes = shape & 8 ? 16384 : 0};
	store->info.block_count =
		shape & 16 ? ((1ull << 63) - store->info.block_size) / store->info.block_size : 200;
	if (cdrom) { /* a CD, or the largest there is */
		store->info.block_size = LF_SECTOR_BYTES;
		store->info.block_count = shape & 16 ? UINT32_MAX - LF_DISC_PREGAP : 200;
	}
	store->read_only = options.read_only;
	store->op_count = 0;
	store->fail_every = failures >> 2;
	store->error = errors[failures & 3];
	world.deferred[i] = (struct lf_loop_edge_store){&world.edge, &window_ops, store};
	bool deferred = shape & 32;
	if (lf_lu_add(world.adapter, &options, deferred ? &lf_loop_edge_store_ops : &window_ops,
		    deferred ? (struct lf_store *)(void *)&world.deferred[i] : store, &store->info,
		    &world.lu[i], &message) != LF_OK)
		abort();
	world.lu[i]->descriptor_sense = shape >> 6 & 1;
}

static void open_world(struct input *input)
{
	struct lf_adapter_options options = {.lane_count = 1, .tasks_per_lane = 16};
	struct lf_nexus_options nexus_options = {.port = &port};

	world.adapter = lf_adapter_create(&options);
	lf_loop_edge_init(&world.edge, take(input) & 1 ? LF_LOOP_EDGE_DEFERRED : LF_LOOP_EDGE_INLINE);
	for (uint32_t i = 0; i < UNITS; i++)
		add_unit(i, input);
	for (uint32_t i = 0; i < lf_count_of(world.nexus); i++)
		world.nexus[i] = lf_nexus_open(world.adapter, &nexus_options);
}

static void check_end(struct slot *slot)
{
	const struct lf_request *request = &slot->command.request;
	uint64_t offered = request->offered_length, touched = 0;

	lf_assert(request->data_moved <= request->data_wanted && request->data_moved <= offered);
	lf_assert((request->status == LF_STATUS_CHECK_CONDITION) == (request->sense_length > 0));
	if (request->sense_length > 0) {
		uint8_t code = request->sense[0] & 0x7f;
		lf_assert(code == 0x70 || code == 0x72);
		lf_assert(request->sense_length == (code == 0x70 ? 18 : 8 + request->sense[7]));
	}
	/* A READ that failed half-way may have written what it wanted, and no more. */
	if (request->direction == LF_DIRECTION_IN)
		touched = request->status == LF_STATUS_GOOD ? request->data_moved
							    : lf_min(offered, request->data_wanted);
	if (slot->command.direction == LF_DIRECTION_IN)
		lf_assert(memcmp(slot->bytes + touched, untouched, sizeof(untouched) - touched) == 0);
	slot->used = false;
}

static void reap(void)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		if (slots[i].used && slots[i].command.ended)
			check_end(&slots[i]);
}

/* A CDB made of the input; mostly one that the table knows, so that more than its first check is met. */
static void make_cdb(struct input *input, struct lf_loop_edge_command *command)
{
	uint8_t how = take(input), pick = take(input);

	memset(command->cdb, 0, sizeof(command->cdb));
	if (how >= 0xe0) {
		command->cdb_length = how & 0x1f;
		command->cdb[0] = pick;
	} else {
		const struct lf_command *row = &lf_commands[pick % lf_command_count];
		command->cdb_length = row->cdb_length;
		for (uint32_t i = 1; i < command->cdb_length; i++)
			command->cdb[i] = take(input) & (how & 0x40 ? 0xff : row->usage[i]);
		command->cdb[0] = row->opcode;
		if (row->service_action != LF_NO_SERVICE_ACTION)
			command->cdb[1] = row->service_action;
		/* Small numbers meet the small disk. */
		for (uint32_t i = 0; how & 0x20 && row->lba_size && i + 1u < row->lba_size; i++)
			command->cdb[row->lba_at + i] = 0;
		for (uint32_t i = 0; how & 0x10 && row->length_size && i + 1u < row->length_size; i++)
			command->cdb[row->length_at + i] = 0;
		return;
	}
	for (uint32_t i = 1; i < command->cdb_length; i++)
		command->cdb[i] = take(input);
}

/* What a polite initiator sends with it: as many bytes as the CDB says, and an UNMAP list that is consistent.
 */
static uint32_t fit_data(struct slot *slot, uint32_t unit)
{
	struct lf_loop_edge_command *command = &slot->command;
	const struct lf_command *row = lf_command_find(world.lu[unit], command->cdb, command->cdb_length);
	uint32_t block_size = stores[unit].info.block_size, length = 0;

	if (row == NULL)
		return 0;
	for (uint32_t i = 0; i < row->length_size; i++)
		length = length << 8 | command->cdb[row->length_at + i];
	command->direction = LF_DIRECTION_OUT;
	switch ((enum lf_data)row->data) {
	case LF_DATA_ONE_BLOCK_OUT:
		return block_size;
	case LF_DATA_BLOCKS_OUT:
	case LF_DATA_ATOMIC_OUT:
		return lf_min(length, ROOM / block_size) * block_size;
	case LF_DATA_LIST_OUT:
		length = lf_min(length, ROOM);
		slot->bytes[0] = 0xff;
		slot->bytes[2] = (uint8_t)((lf_max(length, 8u) - 8) >> 8);
		slot->bytes[3] = (uint8_t)(lf_max(length, 8u) - 8);
		return length;
	case LF_DATA_VERIFY_OUT:
		return command->cdb[1] & 4 ? block_size : lf_min(length, ROOM / block_size) * block_size;
	case LF_DATA_BUFFER_OUT:
		return lf_min(length, ROOM);
	case LF_DATA_COMPARE_OUT:
		return lf_min(length, ROOM / 2 / block_size) * 2 * block_size;
	case LF_DATA_CDROM_IN:
		length = row->length_size == 0 ? ROOM : lf_min(length, ROOM) * LF_SECTOR_RAW;
		break;
	case LF_DATA_NONE:
	case LF_DATA_REPLY:
	case LF_DATA_BLOCKS_IN:
		break;
	}
	command->direction = LF_DIRECTION_IN;
	memset(slot->bytes, CANARY, sizeof(slot->bytes));
	return lf_min(row->data == LF_DATA_BLOCKS_IN ? length * block_size : length, ROOM);
}

static void start(struct input *input)
{
	static const uint32_t luns[] = {0, 300, 7, 16383};
	struct slot *slot = NULL;

	for (uint32_t i = 0; i < SLOTS && slot == NULL; i++)
		if (!slots[i].used)
			slot = &slots[i];
	if (slot == NULL)
		return;
	struct lf_loop_edge_command *command = &slot->command;
	uint8_t who = take(input), amount = take(input);
	uint32_t unit = who >> 1 & 1, length = (uint32_t)(amount & 0x3f) * (amount & 0x40 ? 512 : 8);
	command->nexus = world.nexus[who & 1];
	command->lun = luns[who & 4 ? who >> 1 & 3 : unit];
	command->attribute = who >> 3 & 3;
	command->direction = amount & 0x80 ? LF_DIRECTION_OUT
			     : length > 0  ? LF_DIRECTION_IN
					   : LF_DIRECTION_NONE;
	make_cdb(input, command);
	memset(slot->bytes, CANARY, sizeof(slot->bytes));
	if (command->direction == LF_DIRECTION_OUT) {
		memset(slot->bytes, who & 0x40 ? 0 : 0xff, ROOM);
		for (uint32_t i = take(input) & 63; i > 0; i--)
			slot->bytes[i - 1] = take(input);
	}
	if (who & 0x20)
		length = fit_data(slot, unit);
	uint32_t first = lf_min(length, who >> 4);
	slot->segments[0] = (struct lf_segment){slot->bytes, first};
	slot->segments[1] = (struct lf_segment){slot->bytes + first, length - first};
	command->segments = slot->segments;
	command->segment_count = 2;
	slot->used = true;
	lf_loop_edge_start(&world.edge, command);
}

static void tmf_done(struct lf_tmf *tmf)
{
	(void)tmf;
	world.tmf_pending = false;
}

static void manage(struct input *input)
{
	uint8_t what = take(input), which = take(input);

	if (world.tmf_pending)
		return;
	memset(&world.tmf, 0, sizeof(world.tmf));
	world.tmf.nexus = world.nexus[what & 1];
	world.tmf.function = (enum lf_tmf_function)((what >> 1) % LF_TMF_COUNT);
	world.tmf.lun = which & 0x80 ? (uint64_t)0x412c << 48 : 0;
	world.tmf.tag = slots[which % SLOTS].command.request.tag;
	world.tmf.done = tmf_done;
	world.tmf_pending = true;
	lf_tmf_submit(&world.tmf);
}

static void drain(void)
{
	while (lf_loop_edge_pump(&world.edge))
		reap();
	reap();
	for (uint32_t i = 0; i < SLOTS; i++)
		lf_assert(!slots[i].used);
	lf_assert(!world.tmf_pending);
}

static void unit_left(struct lf_removal *removal)
{
	(void)removal;
}

static void close_world(void)
{
	drain();
	for (uint32_t i = 0; i < lf_count_of(world.nexus); i++)
		lf_nexus_close(world.nexus[i]);
	for (uint32_t i = 0; i < UNITS; i++) {
		struct lf_removal removal = {.done = unit_left};
		lf_assert(world.lu[i]->scratch_free_count == LF_SCRATCH_COUNT);
		lf_lu_remove(world.lu[i], &removal);
		lf_lu_free(world.lu[i]);
	}
	lf_adapter_destroy(world.adapter);
	lf_loop_edge_fini(&world.edge);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};

	memset(untouched, CANARY, sizeof(untouched));
	open_world(&input);
	while (input.left > 0) {
		uint8_t step = take(&input);
		if (step < 0xc0)
			start(&input);
		else if (step >= 0xf8)
			manage(&input);
		for (uint32_t i = step & 7; i > 0 && lf_loop_edge_pump(&world.edge); i--)
			;
		reap();
	}
	close_world();
	return 0;
}
