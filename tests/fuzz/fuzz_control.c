/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_control.c: control messages from a hostile peer: the decoders, and the handler over a real adapter.
 * The first byte of an input chooses: raw bytes as one message, or a row of requests that are made
 * well-formed in their outer shape, so that what is behind the codec is reached, too.
 */
#include "control/handler.h"
#include "platform/loop_linux.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define REQUESTS_MAX 16
#define LAST_COMMAND LF_CONTROL_RESERVATION_CLEAR

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- A store without a file ---- */

struct lf_store {
	int fd;
};

static enum lf_error plain_open(const struct lf_source *source, struct lf_store **store,
	struct lf_store_info *info, struct lf_message *message)
{
	(void)message;
	*store = calloc(1, sizeof(**store));
	(*store)->fd = (int)source->handle;
	memset(info, 0, sizeof(*info));
	info->block_size = source->block_size ? source->block_size : 512;
	info->physical_block_size =
		source->physical_block_size ? source->physical_block_size : info->block_size;
	info->block_count = 8;
	info->read_only = source->read_only;
	return LF_OK;
}

static void plain_submit(struct lf_store *store, struct lf_io *io)
{
	(void)store;
	io->error = LF_OK;
	io->done(io);
}

static void plain_close(struct lf_store *store)
{
	close(store->fd);
	free(store);
}

static enum lf_error plain_resize(struct lf_store *store, uint64_t size_bytes, uint32_t block_size,
	uint64_t *block_count, struct lf_message *message)
{
	(void)store;
	(void)message;
	*block_count = size_bytes != 0 ? size_bytes / block_size : 8;
	return LF_OK;
}

static bool drop_session(void *context, uint64_t number)
{
	(void)context;
	return number == 3;
}

static bool next_session(void *context, uint64_t after, struct lf_control_session *session)
{
	(void)context;
	memset(session, 0, sizeof(*session));
	session->number = after + 1;
	return after < 200;
}

static const struct lf_store_ops plain_ops = {"plain", plain_open, plain_submit, NULL, plain_close};

/* ---- The adapter, made once; what an input connects goes when it ends ---- */

static struct lf_loop *loop;
static struct lf_adapter *adapter;
static struct lf_call call;
static bool answered;
static uint8_t reply_bytes[LF_CONTROL_MESSAGE_MAX];

static void call_answered(struct lf_call *one)
{
	union lf_control_reply reply;
	struct lf_message message;
	bool understood = false;

	/* Whatever is answered, our own client understands it. */
	for (uint32_t command = LF_CONTROL_IDENTIFY; command <= LAST_COMMAND; command++)
		understood = understood || lf_control_decode_reply(one->reply, one->reply_length,
						   (enum lf_control_command)command, &reply, &message);
	lf_assert(understood);
	lf_assert(!answered);
	answered = true;
	if (lf_loop_current())
		lf_loop_stop(loop);
}

static void serve(struct lf_handler *handler, const uint8_t *bytes, size_t length, bool with_image)
{
	lf_handle handles[LF_CONTROL_HANDLES_MAX] = {LF_HANDLE_NONE, LF_HANDLE_NONE};

	if (with_image) {
		handles[0] = memfd_create("image", MFD_CLOEXEC);
		lf_assert(handles[0] >= 0);
	}
	memset(&call, 0, sizeof(call));
	call.reply = reply_bytes;
	call.answered = call_answered;
	answered = false;
	lf_handler_serve(handler, &call, bytes, length, handles);
	while (!answered)
		lf_loop_run(loop);
}

/* A text field from the input: its length and bytes; what it holds is the fuzzer's choice. */
static size_t take_text(const uint8_t **data, size_t *size, uint8_t *field, size_t capacity)
{
	size_t length = *size ? (*data)[0] : 0;

	if (*size) {
		++*data;
		--*size;
	}
	length = lf_min(lf_min(length, *size), capacity - 1);
	field[0] = (uint8_t)length;
	memcpy(field + 2, *data, length);
	*data += length;
	*size -= length;
	return length;
}

static size_t take_bytes(const uint8_t **data, size_t *size, uint8_t *to, size_t length)
{
	length = lf_min(length, *size);
	memcpy(to, *data, length);
	*data += length;
	*size -= length;
	return length;
}

/* The same for a CDB; what it asks for is the fuzzer's choice. */
static void take_cdb(const uint8_t **data, size_t *size, uint8_t *field)
{
	uint8_t length = 0;

	take_bytes(data, size, &length, 1);
	field[0] = length % (sizeof(((struct lf_control_inquire *)0)->cdb.bytes) + 1);
	take_bytes(data, size, field + 2, field[0]);
}

static size_t make_request(const uint8_t **data, size_t *size, uint8_t *bytes)
{
	struct lf_control_header header = {
		.magic = LF_CONTROL_MAGIC, .version = LF_CONTROL_VERSION, .size = sizeof(header)};

	header.command = (uint16_t)((*data)[0] % (LAST_COMMAND + 2));
	++*data;
	--*size;
	memset(bytes, 0, LF_CONTROL_MESSAGE_MAX);
	if (header.command == LF_CONTROL_CONNECT) {
		header.size = sizeof(struct lf_control_connect);
		take_bytes(data, size, bytes + sizeof(header), 26);
		take_text(data, size, bytes + offsetof(struct lf_control_connect, name), 62);
		take_text(data, size, bytes + offsetof(struct lf_control_connect, vendor), 14);
		take_text(data, size, bytes + offsetof(struct lf_control_connect, product), 22);
		take_text(data, size, bytes + offsetof(struct lf_control_connect, serial), 38);
		take_text(data, size, bytes + offsetof(struct lf_control_connect, path), 255);
	} else if (header.command == LF_CONTROL_INSERT) {
		header.size = sizeof(struct lf_control_insert);
		take_bytes(data, size, bytes + sizeof(header), 1);
		take_text(data, size, bytes + offsetof(struct lf_control_insert, id), 255);
		take_text(data, size, bytes + offsetof(struct lf_control_insert, path), 255);
		take_text(data, size, bytes + offsetof(struct lf_control_insert, image), 255);
	} else if (header.command == LF_CONTROL_RESIZE) {
		header.size = sizeof(struct lf_control_resize);
		take_bytes(data, size, bytes + sizeof(header), 3);
		take_text(data, size, bytes + offsetof(struct lf_control_resize, id), 255);
		take_text(data, size, bytes + offsetof(struct lf_control_resize, path), 255);
	} else if (header.command == LF_CONTROL_SESSIONS || header.command == LF_CONTROL_DROP) {
		header.size = sizeof(struct lf_control_after);
		take_bytes(data, size, bytes + sizeof(header), 1);
	} else if (header.command == LF_CONTROL_LIST) {
		header.size = sizeof(struct lf_control_list);
		take_bytes(data, size, bytes + sizeof(header), 4);
	} else if (header.command == LF_CONTROL_INQUIRE) {
		header.size = sizeof(struct lf_control_inquire);
		take_bytes(data, size, bytes + sizeof(header), 1);
		take_cdb(data, size, bytes + offsetof(struct lf_control_inquire, cdb));
	} else if (header.command != LF_CONTROL_IDENTIFY && header.command != LF_CONTROL_STATUS) {
		header.size = sizeof(struct lf_control_select);
		take_bytes(data, size, bytes + sizeof(header), 1);
		bytes[20] = 1;
		take_text(data, size, bytes + offsetof(struct lf_control_select, id), 255);
		take_text(data, size, bytes + offsetof(struct lf_control_select, path), 255);
	}
	memcpy(bytes, &header, sizeof(header));
	return header.size;
}

static void stopped(void *context)
{
	lf_loop_stop(context);
}

static void stop(struct lf_devices *devices)
{
	lf_devices_stop(devices, stopped, loop);
	lf_loop_run(loop);
	lf_devices_destroy(devices);
}

/* The lowest number that is free: the same at the end, when whatever came with a request is closed. */
static int free_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	lf_assert(fd >= 0);
	close(fd);
	return fd;
}

static void decode_as_reply(const uint8_t *data, size_t size)
{
	union lf_control_reply reply;
	union {
		struct lf_control_device device;
		struct lf_control_event event;
		struct lf_control_session session;
	} record;
	struct lf_message message;

	for (uint32_t i = 0; i <= LAST_COMMAND + 1; i++) {
		enum lf_control_command command = (enum lf_control_command)i;
		uint32_t count = 0;
		if (!lf_control_decode_reply(data, size, command, &reply, &message) ||
			reply.header.status != LF_CONTROL_OK)
			continue;
		if (command == LF_CONTROL_LIST || command == LF_CONTROL_SESSIONS)
			count = reply.page.count;
		else if (command == LF_CONTROL_STATUS)
			count = reply.state.event_count;
		else if (command == LF_CONTROL_STATS)
			count = reply.stats.counter_count;
		for (uint32_t j = 0; j < count; j++)
			lf_control_decode_record(command, data, j, &record);
		if (command == LF_CONTROL_INQUIRE)
			lf_control_encode_data(
				lf_control_decode_data(data), reply.inquiry.data_length, reply_bytes);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[LF_CONTROL_MESSAGE_MAX];
	struct lf_adapter_options adapter_options = {0};
	struct lf_devices_options options = {.store_ops = &plain_ops,
		.resize = plain_resize,
		.edge = {.session_next = next_session, .session_drop = drop_session}};
	struct lf_handler_options handler_options = {.release = "0", .engine = "none", .loop_count = 1};
	struct lf_handler handler;
	int lowest;

	if (size == 0)
		return 0;
	if (!loop) {
		loop = lf_loop_create(0, false, NULL);
		adapter = lf_adapter_create(&adapter_options);
		lf_assert(loop && adapter);
	}
	lowest = free_descriptor();
	options.adapter = handler_options.adapter = adapter;
	options.loop = handler_options.loop = loop;
	handler_options.devices = lf_devices_create(&options);
	lf_assert(handler_options.devices);
	lf_handler_init(&handler, &handler_options);
	if (data[0] & 1) {
		serve(&handler, data + 1, size - 1, data[0] & 2);
		decode_as_reply(data + 1, size - 1);
	} else {
		bool with_image = !(data[0] & 2);
		data++;
		size--;
		for (uint32_t i = 0; i < REQUESTS_MAX && size > 0; i++) {
			size_t length = make_request(&data, &size, bytes);
			serve(&handler, bytes, length, with_image);
		}
	}
	stop(handler_options.devices);
	lf_handler_fini(&handler);
	lf_assert(free_descriptor() == lowest);
	return 0;
}
