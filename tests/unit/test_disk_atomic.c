/* SPDX-License-Identifier: BSD-2-Clause */
/* test_disk_atomic.c: COMPARE AND WRITE, ORWRITE, WRITE ATOMIC: what they do, and that nothing comes between.
 */
#include <pthread.h>

#include "tests/test.h"
#include "tests/unit/disk_stage.h"

/* ---- COMPARE AND WRITE ---- */

static uint32_t compare_and_write(struct stage *stage, uint8_t byte_1, uint64_t lba, uint32_t blocks)
{
	return transfer(stage, 0x89, byte_1, lba, blocks, LF_DIRECTION_OUT,
		(uint64_t)2 * blocks * stage->lu->info.block_size);
}

TEST(what_compares_is_written)
{
	static const uint32_t sizes[] = {512, 4096};
	BOTH_MODES(mode)
	{
		for (uint32_t i = 0; i < lf_count_of(sizes); i++) {
			struct lf_store_info info = stage_info();
			info.block_size = sizes[i];
			struct stage *stage = stage_open_with(mode, &info, false);
			uint32_t size = sizes[i], most = 65536 / size;
			memset(stage->data, 0, 65536);
			for (uint32_t j = 0; j < 65536; j++)
				stage->data[65536 + j] = (uint8_t)(j * 7 + 1);
			CHECK_EQ(compare_and_write(stage, 0, 40, most), 0);
			CHECK_EQ(stage->command.request.data_moved, 2 * 65536);
			CHECK(is_op(stage, 0, LF_OP_READ, false, 40 * size, 65536));
			CHECK(is_op(stage, 1, LF_OP_WRITE, false, 40 * size, 65536));
			CHECK_EQ(transfer(stage, 0x28, 0, 40, most, LF_DIRECTION_IN, 65536), 0);
			for (uint32_t j = 0; j < 65536; j++)
				CHECK_EQ(stage->data[j], (uint8_t)(j * 7 + 1));
			stage_close(stage);
		}
	}
}

TEST(what_differs_is_told_and_left)
{
	enum { BLOCKS = 128, BYTES = BLOCKS * 512 };
	static const uint32_t places[] = {0, 2, 3, 1023, 1024, 4095, BYTES - 1};
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		const struct lf_request *request = &stage->command.request;
		for (uint32_t i = 0; i < lf_count_of(places); i++) {
			stage_forget_ops(stage);
			memset(stage->data, 0, 2 * BYTES);
			stage->data[places[i]] = stage->data[BYTES - 1] = 5;
			CHECK_EQ(compare_and_write(stage, 0, 40, BLOCKS), LF_SENSE(0xe, 0x1d, 0));
			CHECK_EQ(request->sense[0], 0xf0);
			CHECK_EQ(lf_get_be32(request->sense + 3), places[i]);
			CHECK_EQ(request->data_moved, 0);
			CHECK_EQ(stage->store.op_count, 1);
		}
		stage_close(stage);
	}
}

TEST(compare_and_write_of_nothing)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(transfer(stage, 0x89, 0, 0x10000, 0, LF_DIRECTION_NONE, 0), 0);
	CHECK_EQ(transfer(stage, 0x89, 0, 5, 0, LF_DIRECTION_IN, 1024), 0);
	CHECK_EQ(stage->store.op_count, 0);
	stage_close(stage);
}

TEST(compare_and_write_with_fua)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		memset(stage->data, 0, 1024);
		CHECK_EQ(compare_and_write(stage, 0x18, 3, 1), 0);
		CHECK(is_op(stage, 1, LF_OP_WRITE, true, 3 * 512, 512));
		CHECK_EQ(stage->store.op_count, 2);
		stage_close(stage);
	}
}

TEST(compare_and_write_failures)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		memset(stage->data, 0, 1024);
		stage_fail(stage, 1, LF_E_IO);
		CHECK_EQ(compare_and_write(stage, 0, 3, 1), LF_SENSE(3, 0x11, 0));
		CHECK_EQ(lf_get_be32(stage->command.request.sense + 3), 3);
		stage_fail(stage, 2, LF_E_IO);
		CHECK_EQ(compare_and_write(stage, 0, 3, 1), LF_SENSE(3, 0x0c, 0));
		stage_fail(stage, 0, LF_OK);
		CHECK_EQ(compare_and_write(stage, 0, 3, 1), 0);
		CHECK(stage->lu->exclusive == NULL);
		CHECK_EQ(stage->lu->scratch_free_count, LF_SCRATCH_COUNT);
		stage_close(stage);
	}
}

/* ---- ORWRITE ---- */

TEST(orwrite_adds_bits)
{
	enum { BLOCKS = 300, BYTES = BLOCKS * 512 };
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		for (uint32_t i = 0; i < BYTES; i++)
			stage->data[i] = (uint8_t)(i * 13);
		CHECK_EQ(transfer(stage, 0x2a, 0, 40, BLOCKS, LF_DIRECTION_OUT, BYTES), 0);
		stage_forget_ops(stage);
		for (uint32_t i = 0; i < BYTES; i++)
			stage->data[i] = (uint8_t)(i * 5 + (i >> 8));
		CHECK_EQ(transfer(stage, 0x8b, 0x10, 40, BLOCKS, LF_DIRECTION_OUT, BYTES), 0);
		CHECK_EQ(stage->command.request.data_moved, BYTES);
		CHECK_EQ(stage->store.op_count, 6);
		CHECK(is_op(stage, 4, LF_OP_READ, false, (40 + 256) * 512, 44 * 512));
		CHECK(is_op(stage, 5, LF_OP_WRITE, false, (40 + 256) * 512, 44 * 512));
		CHECK_EQ(transfer(stage, 0x28, 0, 40, BLOCKS, LF_DIRECTION_IN, BYTES), 0);
		for (uint32_t i = 0; i < BYTES; i++)
			CHECK_EQ(stage->data[i], (uint8_t)(i * 13) | (uint8_t)(i * 5 + (i >> 8)));
		stage_close(stage);
	}
}

TEST(orwrite_with_fua_ends_with_a_flush)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	for (uint32_t i = 0; i < 2; i++) { /* the request's last use ended with a flush, too */
		stage_forget_ops(stage);
		memset(stage->data, 1, 200 * 512);
		CHECK_EQ(transfer(stage, 0x8b, 0x08, 40, 200, LF_DIRECTION_OUT, 200 * 512), 0);
		CHECK_EQ(stage->store.op_count, 5);
		CHECK(is_op(stage, 4, LF_OP_FLUSH, false, 0, 0));
	}
	stage_close(stage);
}

TEST(orwrite_of_less_than_it_asks_for)
{
	static const struct {
		uint32_t offered, moved;
	} cases[] = {{0, 0}, {200, 0}, {1535, 1024}, {2048, 2048}};
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	for (uint32_t i = 0; i < lf_count_of(cases); i++) {
		stage_forget_ops(stage);
		CHECK_EQ(transfer(stage, 0x8b, 0, 9, 4, LF_DIRECTION_OUT, cases[i].offered), 0);
		CHECK_EQ(stage->command.request.data_moved, cases[i].moved);
		CHECK_EQ(stage->store.op_count, cases[i].moved > 0 ? 2 : 0);
	}
	stage_close(stage);
}

TEST(orwrite_failures_name_their_block)
{
	static const uint32_t sense[] = {LF_SENSE(3, 0x11, 0), LF_SENSE(3, 0x0c, 0), LF_SENSE(3, 0x11, 0),
		LF_SENSE(3, 0x0c, 0), LF_SENSE(3, 0x0c, 0)};
	static const uint32_t lba[] = {40, 40, 168, 168, 0};
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		memset(stage->data, 1, 200 * 512);
		for (uint32_t i = 0; i < lf_count_of(sense); i++) {
			stage_fail(stage, i + 1, LF_E_IO);
			CHECK_EQ(transfer(stage, 0x8b, 0x08, 40, 200, LF_DIRECTION_OUT, 200 * 512), sense[i]);
			CHECK_EQ(lf_get_be32(stage->command.request.sense + 3), lba[i]);
			CHECK_EQ(stage->store.op_count, i + 1);
		}
		stage_close(stage);
	}
}

/* ---- WRITE ATOMIC ---- */

/* Its length has two bytes, unlike that of other commands of 16 bytes; four before it have to be zero. */
TEST(write_atomic_is_one_operation)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		fill(stage, 131072, 4);
		CHECK_EQ(transfer(stage, 0x9c, 0, 40, 256, LF_DIRECTION_OUT, 131072), 0);
		CHECK_EQ(stage->command.request.data_moved, 131072);
		CHECK(is_op(stage, 0, LF_OP_WRITE, false, 40 * 512, 131072) && stage->store.ops[0].atomic);
		CHECK_EQ(transfer(stage, 0x9c, 0x18, 40, 8, LF_DIRECTION_OUT, 4096), 0);
		CHECK(is_op(stage, 1, LF_OP_WRITE, true, 40 * 512, 4096) && stage->store.ops[1].atomic);
		CHECK_EQ(transfer(stage, 0x8a, 0, 40, 1, LF_DIRECTION_OUT, 512), 0); /* the same request */
		CHECK(!stage->store.ops[2].atomic);
		CHECK_EQ(transfer(stage, 0x9c, 0, 0x10000, 0, LF_DIRECTION_OUT, 512), 0);
		CHECK_EQ(stage->store.op_count, 3);
		CHECK(stage->lu->exclusive == NULL);
		stage_fail(stage, 1, LF_E_NO_SPACE);
		CHECK_EQ(transfer(stage, 0x9c, 0, 40, 8, LF_DIRECTION_OUT, 4096), LF_SENSE(7, 0x27, 7));
		stage_close(stage);
	}
}

TEST(write_atomic_is_of_whole_physical_blocks)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(transfer(stage, 0x9c, 0, 41, 8, LF_DIRECTION_OUT, 4096), LF_SENSE(5, 0x24, 0));
	CHECK_EQ(lf_get_be16(stage->command.request.sense + 16), 2);
	CHECK_EQ(transfer(stage, 0x9c, 0, 40, 9, LF_DIRECTION_OUT, 4608), LF_SENSE(5, 0x24, 0));
	CHECK_EQ(lf_get_be16(stage->command.request.sense + 16), 12);
	CHECK_EQ(stage->store.op_count, 0);
	CHECK_EQ(RUN_IN(stage, 64, 0x12, 1, 0xb0, 0, 64, 0), 0);
	CHECK_EQ(lf_get_be32(stage->data + 48), 8);
	CHECK_EQ(lf_get_be32(stage->data + 52), 8);
	stage_close(stage);
}

TEST(write_atomic_is_not_there_when_the_store_has_none)
{
	struct lf_store_info info = stage_info();
	info.atomic_max_bytes = 0;
	struct stage *stage = stage_open_with(LF_LOOP_EDGE_INLINE, &info, false);
	CHECK_EQ(transfer(stage, 0x9c, 0, 0, 1, LF_DIRECTION_OUT, 512), LF_SENSE(5, 0x20, 0));
	CHECK_EQ(RUN_IN(stage, 64, 0x12, 1, 0xb0, 0, 64, 0), 0);
	for (uint32_t i = 44; i < 64; i++)
		CHECK_EQ(stage->data[i], 0);
	stage_close(stage);
}

/* ---- Alone on the unit: several nexuses on several lanes, a store with threads of its own ---- */

enum { NEXUSES = 4, WORKERS = 2, ROUNDS = 150 };

static struct {
	struct lf_adapter *adapter;
	struct lf_lu *lu;
	struct lf_store kept;
	struct lf_loop_edge edge;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	struct lf_link queue; /* io->link: at the store */
	bool stopped;
	uint32_t at_store;               /* operations */
	const struct lf_request *atomic; /* has read, and has not ended yet */
	uint32_t violations;
	uint64_t swaps, miscompares;
} arena = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static bool is_atomic(const struct lf_request *request)
{
	return request->cdb[0] == 0x89 || request->cdb[0] == 0x8b || request->cdb[0] == 0x9c;
}

static void arena_submit(struct lf_store *store, struct lf_io *io)
{
	const struct lf_request *request = lf_container(io, struct lf_request, io);

	(void)store;
	pthread_mutex_lock(&arena.mutex);
	arena.violations += arena.atomic != NULL && arena.atomic != request;
	arena.violations += is_atomic(request) && arena.at_store > 0;
	if (is_atomic(request))
		arena.atomic = request;
	arena.at_store++;
	lf_list_append(&arena.queue, &io->link);
	pthread_cond_broadcast(&arena.changed);
	pthread_mutex_unlock(&arena.mutex);
}

static const struct lf_store_ops arena_ops = {.name = "arena", .submit = arena_submit};

static void *arena_work(void *unused)
{
	pthread_mutex_lock(&arena.mutex);
	for (;;) {
		struct lf_link *link = lf_list_take(&arena.queue);
		if (link == NULL && arena.stopped)
			break;
		if (link == NULL) {
			pthread_cond_wait(&arena.changed, &arena.mutex);
			continue;
		}
		struct lf_io *io = lf_container(link, struct lf_io, link);
		io->error = LF_OK;
		if (io->op != LF_OP_FLUSH)
			kept_copy(&arena.kept, io, io->op == LF_OP_WRITE);
		arena.at_store--;
		pthread_mutex_unlock(&arena.mutex);
		io->done(io);
		pthread_mutex_lock(&arena.mutex);
	}
	pthread_mutex_unlock(&arena.mutex);
	return unused;
}

struct arena_command {
	struct lf_loop_edge_command command;
	bool done; /* guarded by the mutex. The edge says that it ended before it says so to arena_done */
};

/* Wakes who waits for it in arena_run. */
static void arena_done(struct lf_loop_edge_command *command)
{
	pthread_mutex_lock(&arena.mutex);
	if (arena.atomic == &command->request)
		arena.atomic = NULL;
	lf_container(command, struct arena_command, command)->done = true;
	pthread_cond_broadcast(&arena.changed);
	pthread_mutex_unlock(&arena.mutex);
}

static uint32_t arena_run(struct arena_command *mine, uint8_t opcode, uint64_t lba, uint8_t blocks,
	uint8_t *data, uint32_t length)
{
	struct lf_loop_edge_command *command = &mine->command;
	struct lf_segment segment = {data, length};

	mine->done = false;
	memset(command->cdb, 0, sizeof(command->cdb));
	command->cdb[0] = opcode;
	lf_put_be64(command->cdb + 2, lba);
	command->cdb[13] = blocks;
	command->cdb_length = 16;
	command->direction = opcode == 0x88 ? LF_DIRECTION_IN : LF_DIRECTION_OUT;
	command->segments = &segment;
	command->segment_count = 1;
	lf_loop_edge_start(&arena.edge, command);
	pthread_mutex_lock(&arena.mutex);
	while (!mine->done)
		pthread_cond_wait(&arena.changed, &arena.mutex);
	pthread_mutex_unlock(&arena.mutex);
	return command->request.status == LF_STATUS_GOOD ? 0 : lf_sense_read(&command->request);
}

/* Adds one to the number in block 7 by COMPARE AND WRITE; false on what must not happen. */
static bool increment(struct arena_command *command, uint64_t *miscompares)
{
	uint8_t data[1024];

	for (;;) {
		if (arena_run(command, 0x88, 7, 1, data, 512) != 0)
			return false;
		memcpy(data + 512, data, 512);
		lf_put_be64(data + 512, lf_get_be64(data) + 1);
		uint32_t sense = arena_run(command, 0x89, 7, 1, data, 1024);
		if (sense != LF_SENSE(0xe, 0x1d, 0))
			return sense == 0;
		++*miscompares;
	}
}

/* A nexus with a thread: increments, ORs its own bits into block 9, writes beside them. */
static void *arena_compete(void *context)
{
	uint32_t number = (uint32_t)(uintptr_t)context;
	struct arena_command command = {.command.done = arena_done};
	struct lf_nexus_options options = {.port = &stage_port};
	uint64_t miscompares = 0;
	uint8_t data[4096];
	bool fine = true;

	command.command.nexus = lf_nexus_open(arena.adapter, &options);
	fine = arena_run(&command, 0x88, 7, 1, data, 512) == LF_SENSE(6, 0x29, 0);
	for (uint32_t i = 0; i < ROUNDS && fine; i++) {
		fine = increment(&command, &miscompares);
		memset(data, 0, sizeof(data));
		data[i] = (uint8_t)(1u << number);
		fine = fine && arena_run(&command, 0x8b, 9, 1, data, 512) == 0 &&
		       arena_run(&command, 0x8a, 20 + number, 2, data, 1024) == 0 &&
		       arena_run(&command, 0x9c, 24 + 8 * number, 8, data, 4096) == 0;
	}
	lf_nexus_close(command.command.nexus);
	pthread_mutex_lock(&arena.mutex);
	arena.violations += !fine;
	arena.miscompares += miscompares;
	pthread_mutex_unlock(&arena.mutex);
	return NULL;
}

static void arena_open(pthread_t *workers)
{
	static const struct lf_adapter_options adapter_options = {.lane_count = 3};
	struct lf_lu_options options = {.serial = "A"};
	struct lf_store_info info = stage_info();
	struct lf_message message;

	arena.kept.block_size = 512;
	arena.kept.blocks = calloc(KEPT_BLOCKS, sizeof(struct kept_block));
	arena.stopped = false;
	lf_list_init(&arena.queue);
	arena.adapter = lf_adapter_create(&adapter_options);
	lf_loop_edge_init(&arena.edge, LF_LOOP_EDGE_INLINE);
	if (arena.kept.blocks == NULL || arena.adapter == NULL ||
		lf_lu_add(arena.adapter, &options, &arena_ops, &arena.kept, &info, &arena.lu, &message) !=
			LF_OK)
		abort();
	for (uint32_t i = 0; i < WORKERS; i++)
		pthread_create(&workers[i], NULL, arena_work, NULL);
}

static void arena_close(pthread_t *workers)
{
	struct lf_removal removal = {.done = stage_unit_left};

	pthread_mutex_lock(&arena.mutex);
	arena.stopped = true;
	pthread_cond_broadcast(&arena.changed);
	pthread_mutex_unlock(&arena.mutex);
	for (uint32_t i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
	lf_lu_remove(arena.lu, &removal);
	lf_lu_free(arena.lu);
	lf_adapter_destroy(arena.adapter);
	lf_loop_edge_fini(&arena.edge);
	free(arena.kept.blocks);
}

TEST(no_increment_is_lost_and_nothing_comes_between)
{
	pthread_t workers[WORKERS], threads[NEXUSES];

	arena_open(workers);
	for (uintptr_t i = 0; i < NEXUSES; i++)
		pthread_create(&threads[i], NULL, arena_compete, (void *)i);
	for (uint32_t i = 0; i < NEXUSES; i++)
		pthread_join(threads[i], NULL);
	uint64_t counted = lf_get_be64(kept_find(&arena.kept, 7)->bytes);
	uint8_t bits = 0xff;
	for (uint32_t i = 0; i < ROUNDS; i++)
		bits &= kept_find(&arena.kept, 9)->bytes[i];
	arena_close(workers);
	CHECK_EQ(arena.violations, 0);
	CHECK_EQ(counted, NEXUSES * ROUNDS);
	CHECK_EQ(bits, (1u << NEXUSES) - 1);
}

/* As many as there are slots for, all at once: each is answered, one of them with GOOD. */
TEST(many_at_once_are_all_answered)
{
	enum { COUNT = 200 };
	static struct lf_loop_edge_command commands[COUNT];
	static uint8_t data[COUNT][1024];
	static struct lf_segment segments[COUNT];
	uint32_t good = 0;
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		struct lf_nexus_options options = {.port = &stage_port};
		struct lf_nexus *other = lf_nexus_open(stage->adapter, &options);
		memset(commands, 0, sizeof(commands));
		memset(data, 0, sizeof(data));
		stage->command.nexus = other;
		for (uint32_t i = 0; i < COUNT; i++) {
			struct lf_loop_edge_command *command = &commands[i];
			command->nexus = i % 2 ? stage->nexus : other;
			memcpy(command->cdb, ((const uint8_t[16]){0x89, [9] = 7, [13] = 1}), 16);
			command->cdb_length = 16;
			command->direction = LF_DIRECTION_OUT;
			data[i][512] = (uint8_t)(i + 1);
			segments[i] = (struct lf_segment){data[i], 1024};
			command->segments = &segments[i];
			command->segment_count = 1;
			lf_loop_edge_start(&stage->edge, command);
		}
		while (lf_loop_edge_pump(&stage->edge))
			;
		for (uint32_t i = 0; i < COUNT; i++) {
			CHECK_EQ(commands[i].ended, 1);
			if (commands[i].request.status == LF_STATUS_GOOD)
				good++;
			else
				CHECK_EQ(lf_sense_read(&commands[i].request),
					i == 0 ? LF_SENSE(6, 0x29, 0) : LF_SENSE(0xe, 0x1d, 0));
		}
		CHECK_EQ(good, mode + 1);
		lf_nexus_close(other);
		stage_close(stage);
	}
}

/* ---- A store that is done when the test says so ---- */

static struct lf_link piled; /* io->link */

static void pile_submit(struct lf_store *store, struct lf_io *io)
{
	(void)store;
	lf_list_append(&piled, &io->link);
}

static const struct lf_store_ops pile_ops = {.name = "pile", .submit = pile_submit};

/* One after the other; were all of them woken each time, this would take minutes. */
TEST(thousands_that_wait_to_be_alone_do_not_wake_each_other)
{
	enum { COUNT = 4000 };
	static struct lf_loop_edge_command commands[COUNT];
	static uint8_t data[1024]; /* zeros by zeros */
	static struct lf_store store;
	struct lf_segment segment = {data, sizeof(data)};
	struct lf_store_info info = stage_info();
	struct stage *stage = stage_open_over(LF_LOOP_EDGE_INLINE, &info, false, &pile_ops, &store);
	uint32_t ended = 0;
	struct lf_link *link;

	lf_list_init(&piled);
	for (uint32_t i = 0; i < COUNT; i++) {
		struct lf_loop_edge_command *command = &commands[i];
		command->nexus = stage->nexus;
		memcpy(command->cdb, ((const uint8_t[16]){0x89, [9] = 7, [13] = 1}), 16);
		command->cdb_length = 16;
		command->direction = LF_DIRECTION_OUT;
		command->segments = &segment;
		command->segment_count = 1;
		lf_loop_edge_start(&stage->edge, command);
	}
	while ((link = lf_list_take(&piled)) != NULL) {
		struct lf_io *io = lf_container(link, struct lf_io, link);
		CHECK(lf_list_empty(&piled));
		if (io->op == LF_OP_READ)
			kept_copy(&stage->store, io, false);
		io->error = LF_OK;
		io->done(io);
		ended += ended < COUNT && commands[ended].ended;
	}
	CHECK_EQ(ended, COUNT); /* in the order in which they came */
	for (uint32_t i = 0; i < COUNT; i++)
		CHECK_EQ(commands[i].request.status, LF_STATUS_GOOD);
	stage_close(stage);
}
