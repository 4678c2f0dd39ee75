/* SPDX-License-Identifier: BSD-2-Clause */
/* loop_way.c: the way by the loop edge to an adapter in this process, over RAM disks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/loop/loop_edge.h"
#include "store/store.h"
#include "tests/conformance/corpus.h"

struct loop_unit {
	struct lf_lu *lu;
	struct lf_store *store;
	struct lf_store_info info; /* of the medium */
	struct lf_loop_edge_store deferred;
	bool inserted;
};

/* A RAM disk has room to grow, up to this many times its size, as long as that is not much. */
#define GROWTH     4
#define GROWTH_MAX (64u << 20)

struct loop_way {
	struct way_to way;
	enum lf_loop_edge_mode mode;
	struct lf_loop_edge edge;
	struct lf_adapter *adapter;
	struct lf_nexus *nexuses[CORPUS_NEXUSES];
	struct loop_unit units[CORPUS_LUNS];
	uint32_t number; /* of the next unit: serial numbers differ */
};

static const struct lf_port port = {.name = "iqn.2025-01.test:conformance,t,0x0001",
	.device_name = "iqn.2025-01.test:conformance",
	.relative_id = 1,
	.protocol = 5};

static struct loop_way *of(struct way_to *way)
{
	return (struct loop_way *)(void *)way;
}

static bool adapter_start(struct loop_way *loop)
{
	static const struct lf_adapter_options options = {.lane_count = 1, .tasks_per_lane = 64};

	if (loop->adapter == NULL)
		loop->adapter = lf_adapter_create(&options);
	return loop->adapter != NULL || way_fail(&loop->way, "no memory for an adapter");
}

static void filled(struct lf_io *io)
{
	(void)io;
}

static void fill(struct lf_store *store, const struct unit *unit)
{
	struct lf_segment segment = {.length = (size_t)unit->blocks * unit->block_size};
	struct lf_io io = {.op = LF_OP_WRITE,
		.length_bytes = segment.length,
		.segments = &segment,
		.segment_count = 1,
		.done = filled};

	segment.base = malloc(segment.length);
	if (segment.base == NULL)
		abort();
	for (uint64_t lba = 0; lba < unit->blocks; lba++)
		unit_fill(unit, lba, (uint8_t *)segment.base + lba * unit->block_size);
	lf_store_memory_ops.submit(store, &io);
	free(segment.base);
}

static bool store_open(struct loop_way *loop, struct loop_unit *mine, const struct unit *unit)
{
	struct lf_source source = {.handle = LF_HANDLE_NONE,
		.state_handle = LF_HANDLE_NONE,
		.block_size = unit->block_size,
		.physical_block_size = unit->physical_size,
		.no_unmap = unit->no_unmap || unit->read_only};
	uint64_t size = unit->blocks * unit->block_size;
	struct lf_message message;
	char path[64];

	snprintf(path, sizeof(path), "memory:%llu",
		(unsigned long long)(size > GROWTH_MAX / GROWTH ? size : size * GROWTH));
	source.path = path;
	if (lf_store_memory_ops.open(&source, &mine->store, &mine->info, &message) != LF_OK)
		return way_fail(&loop->way, "skip: %s", message.text);
	mine->info.block_count = unit->blocks;
	if (unit->fill)
		fill(mine->store, unit);
	/* Only the unit refuses to write: its medium was written here. */
	mine->info.read_only = unit->read_only;
	mine->deferred = (struct lf_loop_edge_store){&loop->edge, &lf_store_memory_ops, mine->store};
	return true;
}

static const struct lf_store_ops *ops_of(const struct loop_way *loop)
{
	return loop->mode == LF_LOOP_EDGE_DEFERRED ? &lf_loop_edge_store_ops : &lf_store_memory_ops;
}

static struct lf_store *store_of(const struct loop_way *loop, struct loop_unit *mine)
{
	return loop->mode == LF_LOOP_EDGE_DEFERRED ? (struct lf_store *)(void *)&mine->deferred : mine->store;
}

static bool unit_add(struct way_to *way, uint32_t lun, const struct unit *unit)
{
	struct loop_way *loop = of(way);
	struct loop_unit *mine = &loop->units[lun];
	struct lf_message message;
	char serial[24];
	struct lf_lu_options options = {.lun = lun, .serial = serial, .rotation = 1};

	if (!adapter_start(loop) || !store_open(loop, mine, unit))
		return false;
	mine->inserted = !unit->empty;
	snprintf(serial, sizeof(serial), "CONFORMANCE-%u", loop->number);
	options.identifier = 0x10000 + loop->number++;
	options.type = unit->cdrom ? LF_LU_CDROM : LF_LU_DISK;
	options.read_only = unit->read_only;
	options.removable = unit->removable;
	if (lf_lu_add(loop->adapter, &options, unit->empty ? NULL : ops_of(loop),
		    unit->empty ? NULL : store_of(loop, mine), &mine->info, &mine->lu, &message) == LF_OK)
		return true;
	lf_store_memory_ops.close(mine->store);
	mine->store = NULL;
	return way_fail(way, "LUN %u: %s", lun, message.text);
}

static void removed(struct lf_removal *removal)
{
	(void)removal;
}

/* Nothing is in flight between two steps, so a unit leaves within the call. */
static bool unit_remove(struct way_to *way, uint32_t lun)
{
	struct loop_unit *mine = &of(way)->units[lun];
	struct lf_removal removal = {.done = removed};

	if (mine->lu == NULL)
		return way_fail(way, "LUN %u is not there", lun);
	lf_lu_remove(mine->lu, &removal);
	lf_lu_free(mine->lu);
	lf_store_memory_ops.close(mine->store);
	mine->lu = NULL;
	mine->store = NULL;
	return true;
}

static bool nexus_open(struct way_to *way, uint32_t nexus)
{
	struct loop_way *loop = of(way);
	char name[] = "iqn.2025-01.test:initiator-a",
	     initiator_port[] = "iqn.2025-01.test:initiator-a,i,0x00023d000001";
	struct lf_nexus_options options = {
		.initiator = name, .initiator_port = initiator_port, .port = &port};

	name[sizeof(name) - 2] = initiator_port[sizeof(name) - 2] = (char)('a' + nexus);
	if (!adapter_start(loop))
		return false;
	loop->nexuses[nexus] = lf_nexus_open(loop->adapter, &options);
	return loop->nexuses[nexus] != NULL || way_fail(way, "no memory for a nexus");
}

static bool nexus_close(struct way_to *way, uint32_t nexus)
{
	struct loop_way *loop = of(way);

	if (loop->nexuses[nexus] != NULL)
		lf_nexus_close(loop->nexuses[nexus]);
	loop->nexuses[nexus] = NULL;
	return true;
}

static bool run(struct way_to *way, uint32_t nexus, struct command *command)
{
	struct loop_way *loop = of(way);
	struct lf_segment segment = {command->data, command->length};
	struct lf_loop_edge_command *edge_command;
	const struct lf_request *request;

	if (command->lun_is_raw)
		return way_fail(way, "skip: the loop edge addresses units by number");
	edge_command = calloc(1, sizeof(*edge_command));
	if (edge_command == NULL)
		abort();
	edge_command->nexus = loop->nexuses[nexus];
	edge_command->lun = command->unit;
	memcpy(edge_command->cdb, command->cdb, command->cdb_length);
	edge_command->cdb_length = command->cdb_length;
	edge_command->direction = command->way == WAY_NONE ? LF_DIRECTION_NONE
				  : command->way == WAY_IN ? LF_DIRECTION_IN
							   : LF_DIRECTION_OUT;
	edge_command->segments = &segment;
	edge_command->segment_count = 1;
	lf_loop_edge_execute(&loop->edge, edge_command);
	request = &edge_command->request;
	command->status = request->status;
	command->sense_length = request->sense_length;
	memcpy(command->sense, request->sense, request->sense_length);
	command->moved = command->way == WAY_NONE ? 0 : (uint32_t)request->data_moved;
	command->has_residual = false;
	free(edge_command);
	return true;
}

static void managed(struct lf_tmf *tmf)
{
	tmf->tag = UINT64_MAX;
}

static bool manage(
	struct way_to *way, uint32_t nexus, enum management function, uint64_t lun, enum answer *answer)
{
	static const enum lf_tmf_function functions[] = {[ABORT_TASK] = LF_TMF_ABORT_TASK,
		[ABORT_TASK_SET] = LF_TMF_ABORT_TASK_SET,
		[CLEAR_TASK_SET] = LF_TMF_CLEAR_TASK_SET,
		[LUN_RESET] = LF_TMF_LUN_RESET,
		[TARGET_RESET] = LF_TMF_TARGET_RESET};
	struct loop_way *loop = of(way);
	struct lf_tmf tmf = {.nexus = loop->nexuses[nexus],
		.function = functions[function],
		.lun = lun,
		.tag = UINT64_MAX - 1,
		.done = managed};

	lf_tmf_submit(&tmf);
	while (tmf.tag != UINT64_MAX)
		if (!lf_loop_edge_pump(&loop->edge) && tmf.tag != UINT64_MAX)
			return way_fail(way, "task management does not end");
	*answer = tmf.response == LF_TMF_COMPLETE       ? ANSWER_COMPLETE
		  : tmf.response == LF_TMF_NO_SUCH_TASK ? ANSWER_NO_TASK
		  : tmf.response == LF_TMF_NO_SUCH_LUN  ? ANSWER_NO_LUN
							: ANSWER_REJECTED;
	return true;
}

/* ---- The operator ---- */

static void changed(struct lf_medium_change *change)
{
	change->force = true; /* that it ended: nobody looks at it any more */
}

/* insert: what was ejected comes back; else it goes. */
static bool change_medium(struct loop_way *loop, struct loop_unit *mine, bool insert)
{
	struct lf_medium_change change = {.done = changed};

	if (insert) {
		change.ops = ops_of(loop);
		change.store = store_of(loop, mine);
		change.info = &mine->info;
		change.read_only = mine->info.read_only;
	}
	if (insert && mine->inserted)
		return way_fail(&loop->way, "there is a medium in the unit already");
	lf_lu_change_medium(mine->lu, &change);
	while (!change.force)
		if (!lf_loop_edge_pump(&loop->edge) && !change.force)
			return way_fail(&loop->way, "the change of the medium does not end");
	if (change.error != LF_OK)
		return way_fail(&loop->way, "refused: %s", lf_error_text(change.error));
	mine->inserted = insert;
	return true;
}

static void resized(struct lf_resize *resize)
{
	resize->block_count = 0;
}

static bool resize_unit(struct loop_way *loop, struct loop_unit *mine, uint64_t blocks)
{
	struct lf_resize resize = {.block_count = blocks, .done = resized};

	if (blocks > GROWTH * mine->info.block_count)
		return way_fail(&loop->way, "skip: the RAM disk has no room for so much");
	lf_lu_resize(mine->lu, &resize);
	while (resize.block_count != 0)
		if (!lf_loop_edge_pump(&loop->edge) && resize.block_count != 0)
			return way_fail(&loop->way, "the change of the size does not end");
	return true;
}

static bool operate(struct way_to *way, enum operation operation, uint32_t number, uint64_t value)
{
	struct loop_way *loop = of(way);
	struct loop_unit *mine = &loop->units[number % CORPUS_LUNS];

	switch (operation) {
	case OPERATE_DROP: /* between commands there is no difference */
		return nexus_close(way, number);
	case OPERATE_RESIZE:
		return resize_unit(loop, mine, value);
	case OPERATE_EJECT:
	case OPERATE_INSERT:
		return change_medium(loop, mine, operation == OPERATE_INSERT);
	case OPERATE_POWER_CYCLE:
		break;
	}
	return way_fail(way, "skip: nothing of a RAM disk outlives its adapter");
}

static void clear(struct way_to *way)
{
	struct loop_way *loop = of(way);

	for (uint32_t nexus = 0; nexus < CORPUS_NEXUSES; nexus++)
		nexus_close(way, nexus);
	for (uint32_t lun = 0; lun < CORPUS_LUNS; lun++)
		if (loop->units[lun].lu != NULL)
			unit_remove(way, lun);
	if (loop->adapter != NULL)
		lf_adapter_destroy(loop->adapter);
	loop->adapter = NULL;
	way->error[0] = '\0';
}

static void close_way(struct way_to *way)
{
	struct loop_way *loop = of(way);

	clear(way);
	lf_loop_edge_fini(&loop->edge);
	free(loop);
}

static const struct way_ops inline_ops = {
	"inline", unit_add, unit_remove, nexus_open, nexus_close, run, manage, operate, clear, close_way};
static const struct way_ops deferred_ops = {
	"deferred", unit_add, unit_remove, nexus_open, nexus_close, run, manage, operate, clear, close_way};

struct way_to *loop_way_open(bool deferred)
{
	struct loop_way *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		abort();
	loop->way.ops = deferred ? &deferred_ops : &inline_ops;
	loop->mode = deferred ? LF_LOOP_EDGE_DEFERRED : LF_LOOP_EDGE_INLINE;
	lf_loop_edge_init(&loop->edge, loop->mode);
	return &loop->way;
}
