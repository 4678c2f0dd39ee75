/* SPDX-License-Identifier: BSD-2-Clause */
/* control_stage.h: requests to a real handler on a real loop, over a store that can hold its answers. */
#ifndef LF_TEST_CONTROL_STAGE_H
#define LF_TEST_CONTROL_STAGE_H

#include "control/handler.h"
#include "platform/loop_linux.h"
#include "tests/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NS_IN_MS   UINT64_C(1000000)
#define FOREVER_MS 60000

/* ---- A store that answers when it is told to; opened and closed on any thread ---- */

struct lf_store {
	int fd;
	struct lf_io *held;
};

static bool hold_reads, fail_flush;
static struct lf_store *last_store, *holder;
static uint32_t flushes, closes;

static inline enum lf_error slow_open(const struct lf_source *source, struct lf_store **store,
	struct lf_store_info *info, struct lf_message *message)
{
	off_t size = lseek((int)source->handle, 0, SEEK_END);

	if (size <= 0) {
		lf_message_set(message, "%s: it is empty: give it a size", source->path);
		return LF_E_INVALID;
	}
	*store = calloc(1, sizeof(**store));
	__atomic_store_n(&last_store, *store, __ATOMIC_RELAXED);
	(*store)->fd = (int)source->handle;
	memset(info, 0, sizeof(*info));
	info->block_size = info->physical_block_size = source->block_size ? source->block_size : 512;
	info->block_count = (uint64_t)size / info->block_size;
	info->read_only = source->read_only;
	return LF_OK;
}

static inline void slow_submit(struct lf_store *store, struct lf_io *io)
{
	io->error = LF_OK;
	if (io->op == LF_OP_FLUSH) {
		flushes++;
		if (fail_flush)
			io->error = LF_E_IO;
	}
	if (io->op == LF_OP_READ && hold_reads) {
		holder = store;
		store->held = io;
	} else {
		io->done(io);
	}
}

static inline void slow_release(struct lf_store *store)
{
	struct lf_io *io = store->held;

	store->held = NULL;
	io->done(io);
}

static inline void slow_close(struct lf_store *store)
{
	__atomic_add_fetch(&closes, 1, __ATOMIC_RELAXED);
	close(store->fd);
	free(store);
}

static inline enum lf_error slow_resize(struct lf_store *store, uint64_t size_bytes, uint32_t block_size,
	uint64_t *block_count, struct lf_message *text)
{
	if (size_bytes != 0 && ftruncate(store->fd, (off_t)size_bytes) != 0) {
		lf_message_set(text, "no room");
		return LF_E_NO_SPACE;
	}
	*block_count = (uint64_t)lseek(store->fd, 0, SEEK_END) / block_size;
	return LF_OK;
}

static const struct lf_store_ops slow_ops = {"slow", slow_open, slow_submit, NULL, slow_close};

/* ---- An adapter, and one client ---- */

static struct lf_loop *loop;
static struct lf_adapter *adapter;
static struct lf_devices *devices;
static struct lf_handler handler;
static struct lf_message message;

struct asker {
	struct lf_call call;
	bool answered;
	union lf_control_reply reply;
	uint8_t bytes[LF_CONTROL_MESSAGE_MAX];
};

static struct asker one, two;

static inline bool edge_portal(void *context, uint32_t index, struct lf_control_portal *portal)
{
	(void)context;
	memset(portal, 0, sizeof(*portal));
	lf_control_set_text(&portal->address, index == 0 ? "0.0.0.0:3260" : "[::1]:3261");
	portal->tag = (uint16_t)(index + 1);
	return index < 2;
}

/* What is not said is as the test's own store and edge have it. */
static inline void set_up_with(struct lf_devices_options options)
{
	struct lf_handler_options handler_options = {
		.release = "1.2.3", .engine = "threads", .loop_count = 1};
	struct lf_adapter_options adapter_options = {
		.target_count = options.target_count, .lun_count = options.lun_count};

	hold_reads = fail_flush = false;
	flushes = closes = 0;
	loop = lf_loop_create(0, false, &message);
	adapter = lf_adapter_create(&adapter_options);
	options.adapter = handler_options.adapter = adapter;
	options.loop = handler_options.loop = loop;
	if (!options.store_ops)
		options.store_ops = &slow_ops;
	if (!options.resize)
		options.resize = slow_resize;
	options.edge.iqn = "iqn.2026-01.io.lungfish:test";
	options.edge.portal = edge_portal;
	devices = lf_devices_create(&options);
	handler_options.devices = devices;
	lf_handler_init(&handler, &handler_options);
}

static inline void set_up(void)
{
	set_up_with((struct lf_devices_options){0});
}

static inline void stop_loop(void *context)
{
	lf_loop_stop(context);
}

static inline void stop_devices(struct lf_post *post)
{
	(void)post;
	lf_devices_stop(devices, stop_loop, loop);
}

static inline void tear_down(void)
{
	struct lf_post post = {.run = stop_devices};

	lf_loop_post(loop, &post);
	lf_loop_run(loop);
	lf_devices_destroy(devices);
	lf_handler_fini(&handler);
	lf_adapter_destroy(adapter);
	lf_loop_destroy(loop);
}

static inline void answered(struct lf_call *call)
{
	struct asker *asker = lf_container(call, struct asker, call);

	asker->answered = true;
	if (!lf_control_decode_reply(call->reply, call->reply_length, (enum lf_control_command)call->command,
		    &asker->reply, &message))
		memset(&asker->reply, 0xff, sizeof(asker->reply));
	if (lf_loop_current())
		lf_loop_stop(loop);
}

/* Does not wait: run_until_answered does. */
static inline void ask(struct asker *asker, union lf_control_request *request, int fd)
{
	lf_handle handles[LF_CONTROL_HANDLES_MAX] = {fd, LF_HANDLE_NONE};
	uint8_t bytes[sizeof(*request)];
	size_t length = lf_control_encode_request(request, bytes, sizeof(bytes));

	memset(&asker->call, 0, sizeof(asker->call));
	asker->answered = false;
	asker->call.reply = asker->bytes;
	asker->call.answered = answered;
	lf_handler_serve(&handler, &asker->call, bytes, length, handles);
}

static inline void run_until_answered(struct asker *asker)
{
	do {
		lf_loop_run(loop);
	} while (!asker->answered);
}

static inline void stop_here(struct lf_post *post)
{
	(void)post;
	lf_loop_stop(loop);
}

/* What was posted before runs, and what that posts, too. */
static inline void run_posts(void)
{
	for (uint32_t i = 0; i < 4; i++) {
		struct lf_post post = {.run = stop_here};
		lf_loop_post(loop, &post);
		lf_loop_run(loop);
	}
}

/* For what errands bring. */
static inline void run_until(bool (*holds)(void))
{
	while (!holds()) {
		run_posts();
		usleep(200);
	}
}

static inline int image(const char *name, off_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	return ftruncate(fd, size) == 0 ? fd : -1;
}

static inline uint32_t ended(struct asker *asker)
{
	if (!asker->answered)
		run_until_answered(asker);
	return asker->reply.header.status;
}

/* Does not wait, either. */
static inline void begin_connect(
	struct asker *asker, const char *path, int fd, uint32_t flags, uint32_t target, uint32_t lun)
{
	union lf_control_request request;

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_CONNECT;
	request.connect.target = target;
	request.connect.lun = lun;
	request.connect.flags = flags;
	lf_control_set_text(&request.connect.path, path);
	ask(asker, &request, fd);
}

static inline uint32_t connect_at(const char *path, int fd, uint32_t flags, uint32_t target, uint32_t lun)
{
	begin_connect(&one, path, fd, flags, target, lun);
	return ended(&one);
}

static inline uint32_t connect_image(const char *path, int fd, uint32_t flags)
{
	return connect_at(path, fd, flags, 0, UINT32_MAX);
}

static inline void ask_about(
	struct asker *asker, enum lf_control_command command, const char *id, uint32_t timeout_ms)
{
	union lf_control_request request;

	memset(&request, 0, sizeof(request));
	request.header.command = (uint16_t)command;
	request.select.timeout_ms = timeout_ms;
	lf_control_set_text(&request.select.id, id);
	ask(asker, &request, -1);
}

/* These do not wait, either. */
static inline void insert(struct asker *asker, const char *id, const char *path, int fd, uint32_t flags)
{
	union lf_control_request request;

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_INSERT;
	request.insert.flags = flags;
	lf_control_set_text(&request.insert.id, id);
	lf_control_set_text(&request.insert.image, path);
	ask(asker, &request, fd);
}

static inline void resize(struct asker *asker, const char *id, uint64_t size_bytes)
{
	union lf_control_request request;

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_RESIZE;
	request.resize.size_bytes = size_bytes;
	lf_control_set_text(&request.resize.id, id);
	ask(asker, &request, -1);
}

static inline uint32_t show(const char *id)
{
	ask_about(&one, LF_CONTROL_SHOW, id, 0);
	return one.reply.header.status;
}

/* ---- A command that the store holds ---- */

static struct lf_nexus *nexus;
static struct lf_request command;
static struct lf_segment segment;
static uint8_t block[512];
static bool command_done;
static enum lf_task_attribute task_attribute;

static inline void done(struct lf_request *request)
{
	(void)request;
	command_done = true;
}

static inline void send_command(uint8_t opcode, uint8_t cdb_length, uint8_t blocks)
{
	memset(command.cdb, 0, sizeof(command.cdb));
	command.cdb[0] = opcode;
	command.cdb[8] = blocks;
	command.cdb_length = cdb_length;
	command.nexus = nexus;
	command.tag++;
	command.done = done;
	command.task_attribute = task_attribute;
	command.offered_direction = blocks ? LF_DIRECTION_IN : LF_DIRECTION_NONE;
	command.offered_length = blocks * sizeof(block);
	command_done = false;
	if (!lf_begin(&command))
		return;
	segment.base = block;
	segment.length = sizeof(block);
	command.segments = &segment;
	command.segment_count = 1;
	command.data_length = command.data_wanted;
	lf_submit(&command);
}

/* With this in byte 4. */
static inline void send_short(uint8_t opcode, uint8_t value)
{
	memset(command.cdb, 0, sizeof(command.cdb));
	command.cdb[0] = opcode;
	command.cdb[4] = value;
	command.cdb_length = 6;
	command.tag++;
	command.offered_direction = LF_DIRECTION_NONE;
	command.offered_length = 0;
	lf_execute(&command);
}

static inline void hold_a_read_of(enum lf_task_attribute attribute)
{
	struct lf_nexus_options options = {.initiator = "test"};

	memset(&command, 0, sizeof(command));
	task_attribute = attribute;
	nexus = lf_nexus_open(adapter, &options);
	/* The first one meets the unit attention of a new nexus. */
	send_command(0x00, 6, 0);
	CHECK(command_done);
	hold_reads = true;
	send_command(0x28, 10, 1);
	CHECK(!command_done && last_store->held);
}

static inline void hold_a_read(void)
{
	hold_a_read_of(LF_TASK_SIMPLE);
}

static inline void release_it(void)
{
	slow_release(holder);
	CHECK(command_done);
	lf_nexus_close(nexus);
}

static inline void release_later(struct lf_timer *timer)
{
	(void)timer;
	release_it();
}

#endif
