/* SPDX-License-Identifier: BSD-2-Clause */
/* devices.c: connecting and disconnecting: image to store to logical unit, and back in the same order. */
#include "control/devices.h"
#include "control/identity.h"
#include "control/naming.h"
#include "platform/linux.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct lf_devices {
	struct lf_devices_options options;
	struct lf_link list; /* by ascending number */
	uint32_t count;
	uint32_t last_number;
	void (*emptied)(void *context); /* lf_devices_stop's, when not NULL */
	void *emptied_context;
	char machine[128];
};

struct lf_device {
	struct lf_devices *devices;
	struct lf_link link;
	uint32_t number;
	char id[LF_NAMING_CAPACITY];
	char path[LF_CONTROL_PATH_CAPACITY];
	uint64_t file_device, file_node; /* which file it is; of a block device, its number and 0 */
	uint16_t rotation;
	struct lf_identity identity;
	struct lf_store *store;
	struct lf_store_info info;
	struct lf_lu *lu; /* NULL when it was freed, while its store ends */
	uint32_t target, lun;

	/* From lf_device_disconnect on. */
	bool leaving;
	struct lf_control_device was;
	struct lf_removal removal;
	struct lf_io flush;
	struct lf_post post;
	struct lf_link departures;
};

struct lf_devices *lf_devices_create(const struct lf_devices_options *options)
{
	struct lf_devices *devices = lf_alloc(sizeof(*devices));

	if (!devices)
		return NULL;
	devices->options = *options;
	lf_list_init(&devices->list);
	lf_identity_machine(devices->machine, sizeof(devices->machine));
	return devices;
}

void lf_devices_destroy(struct lf_devices *devices)
{
	lf_assert(lf_list_empty(&devices->list));
	lf_free(devices);
}

uint32_t lf_devices_count(const struct lf_devices *devices)
{
	return devices->count;
}

const struct lf_control_edge *lf_devices_edge(const struct lf_devices *devices)
{
	return &devices->options.edge;
}

static struct lf_device *device_of(struct lf_link *link)
{
	return lf_container(link, struct lf_device, link);
}

struct lf_device *lf_devices_next(struct lf_devices *devices, uint32_t after)
{
	lf_list_each(link, next, &devices->list)
	{
		if (device_of(link)->number > after)
			return device_of(link);
	}
	return NULL;
}

struct lf_device *lf_device_next(struct lf_device *device)
{
	struct lf_link *next = device->link.next;

	return next == &device->devices->list ? NULL : device_of(next);
}

/* ---- What is known of a device ---- */

/* A wildcard address is no place to connect to: this machine's own loopback is, for whoever reads the URL. */
static void set_url(struct lf_control_device *record, const struct lf_control_edge *edge)
{
	struct lf_control_portal portal;
	char url[sizeof(record->url.bytes)];
	const char *address = portal.address.bytes, *host = "", *port;

	if (!edge->portal || !edge->portal(edge->context, 0, &portal))
		return;
	port = strrchr(address, ':');
	if (port && strncmp(address, "0.0.0.0:", 8) == 0)
		host = "127.0.0.1";
	else if (port && strncmp(address, "[::]:", 5) == 0)
		host = "[::1]";
	snprintf(
		url, sizeof(url), "iscsi://%s%s/%s/%u", host, *host ? port : address, edge->iqn, record->lun);
	lf_control_set_text(&record->url, url);
}

void lf_device_describe(struct lf_device *device, struct lf_control_device *record)
{
	const struct lf_control_edge *edge = &device->devices->options.edge;
	struct lf_lu_facts facts;

	if (!device->lu) {
		*record = device->was;
		return;
	}
	memset(record, 0, sizeof(*record));
	lf_lu_describe(device->lu, &facts);
	record->number = device->number;
	record->type = (uint32_t)facts.type;
	record->target = facts.target;
	record->lun = facts.lun;
	record->state = device->leaving ? LF_CONTROL_OFFLINE : LF_CONTROL_READY;
	record->flags = (facts.read_only ? LF_CONTROL_DEVICE_READ_ONLY : 0u) |
			(facts.removable ? LF_CONTROL_DEVICE_REMOVABLE : 0u) |
			(facts.info.can_unmap ? LF_CONTROL_DEVICE_UNMAP : 0u);
	record->block_size = facts.info.block_size;
	record->physical_block_size = facts.info.physical_block_size;
	record->sessions = edge->session_count && !device->leaving ? edge->session_count(edge->context) : 0;
	record->block_count = facts.info.block_count;
	record->in_flight = facts.in_flight;
	record->identifier = facts.identifier;
	record->rotation = device->rotation;
	lf_control_set_text(&record->id, device->id);
	lf_control_set_text(&record->vendor, facts.vendor);
	lf_control_set_text(&record->product, facts.product);
	lf_control_set_text(&record->revision, facts.revision);
	lf_control_set_text(&record->serial, facts.serial);
	lf_control_set_text(&record->image, device->path);
	set_url(record, edge);
}

static bool has_address(struct lf_device *device, const char *id)
{
	char address[40];

	snprintf(address, sizeof(address), "0:%u:%u", device->target, device->lun);
	return strcmp(address, id) == 0;
}

/* Any portal's URL will do; the last part is the LUN. */
static bool has_url(struct lf_device *device, const char *id)
{
	const struct lf_control_edge *edge = &device->devices->options.edge;
	char url[sizeof(((struct lf_control_device *)0)->url.bytes)];
	struct lf_control_device record;
	struct lf_control_portal portal;

	memset(&record, 0, sizeof(record));
	record.lun = device->lun;
	set_url(&record, edge);
	if (record.url.length > 0 && strcmp(record.url.bytes, id) == 0)
		return true;
	for (uint32_t i = 0; edge->portal && edge->portal(edge->context, i, &portal); i++) {
		snprintf(url, sizeof(url), "iscsi://%s/%s/%u", portal.address.bytes, edge->iqn, record.lun);
		if (strcmp(url, id) == 0)
			return true;
	}
	return false;
}

static bool has_name(struct lf_device *device, const char *id)
{
	return strcmp(device->id, id) == 0;
}

static bool has_number(struct lf_device *device, const char *id)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", device->number);
	return strcmp(number, id) == 0;
}

static bool has_path(struct lf_device *device, const char *path)
{
	return strcmp(device->path, path) == 0;
}

struct lf_device *lf_devices_find(struct lf_devices *devices, const char *id, const char *path)
{
	static bool (*const ways[])(struct lf_device *, const char *) = {
		has_name, has_number, has_path, has_address, has_url};

	for (uint32_t i = 0; i < lf_count_of(ways); i++) {
		const char *wanted = ways[i] == has_path && *path ? path : id;
		lf_list_each(link, next, &devices->list)
		{
			if (ways[i](device_of(link), wanted))
				return device_of(link);
		}
	}
	return NULL;
}

/* ---- Connect ---- */

static bool name_taken(void *context, const char *name)
{
	struct lf_devices *devices = context;

	lf_list_each(link, next, &devices->list)
	{
		if (has_name(device_of(link), name))
			return true;
	}
	return false;
}

static enum lf_control_status choose_name(
	struct lf_device *device, const struct lf_control_connect *request, struct lf_message *message)
{
	if (request->name.length == 0) {
		lf_naming_make(device->path, name_taken, device->devices, device->id);
		return LF_CONTROL_OK;
	}
	if (!lf_naming_is_valid(request->name.bytes)) {
		lf_message_set(message,
			"no name for a device: up to %d letters, digits, '.', '_' or '-', and not only "
			"digits",
			LF_NAMING_CAPACITY - 1);
		return LF_CONTROL_INVALID;
	}
	if (name_taken(device->devices, request->name.bytes)) {
		lf_message_set(message, "the name %s is taken: give another, or disconnect that one first",
			request->name.bytes);
		return LF_CONTROL_BUSY;
	}
	snprintf(device->id, sizeof(device->id), "%s", request->name.bytes);
	return LF_CONTROL_OK;
}

/* The same image twice would be two units with a cache each, and one of them stale. */
static enum lf_control_status check_file(
	struct lf_device *device, int handle, bool read_only, struct lf_message *message)
{
	struct stat facts = {0};
	int mode = fcntl(handle, F_GETFL);

	if (mode < 0 || fstat(handle, &facts) != 0) {
		lf_message_set(message, "its descriptor cannot be used: %s", lf_error_text(LF_E_INVALID));
		return LF_CONTROL_INVALID;
	}
	if (!S_ISREG(facts.st_mode) && !S_ISBLK(facts.st_mode)) {
		lf_message_set(message, "it is %s: name an image file or a block device",
			S_ISDIR(facts.st_mode) ? "a directory" : "neither a file nor a block device");
		return LF_CONTROL_INVALID;
	}
	if ((mode & O_PATH) != 0 || (mode & O_ACCMODE) == O_WRONLY ||
		(!read_only && (mode & O_ACCMODE) != O_RDWR)) {
		lf_message_set(message, "it was not opened for reading and writing: add --read-only");
		return LF_CONTROL_PERMISSION;
	}
	device->file_device = S_ISBLK(facts.st_mode) ? facts.st_rdev : facts.st_dev;
	device->file_node = S_ISBLK(facts.st_mode) ? 0 : facts.st_ino;
	lf_list_each(link, next, &device->devices->list)
	{
		struct lf_device *other = device_of(link);
		if (other->file_device == device->file_device && other->file_node == device->file_node) {
			lf_message_set(message, "%s as %s: %s",
				other->leaving ? "it is still leaving" : "already connected", other->id,
				other->leaving ? "wait until lungfish list does not show it"
					       : "disconnect it first");
			return LF_CONTROL_BUSY;
		}
	}
	return LF_CONTROL_OK;
}

static enum lf_control_status status_of(enum lf_error error)
{
	switch (error) {
	case LF_OK:
		return LF_CONTROL_OK;
	case LF_E_INVALID:
	case LF_E_RANGE:
		return LF_CONTROL_INVALID;
	case LF_E_NOT_FOUND:
		return LF_CONTROL_NOT_FOUND;
	case LF_E_BUSY:
		return LF_CONTROL_BUSY;
	case LF_E_PERMISSION:
	case LF_E_READ_ONLY:
		return LF_CONTROL_PERMISSION;
	case LF_E_TIMED_OUT:
		return LF_CONTROL_TIMED_OUT;
	case LF_E_UNSUPPORTED:
		return LF_CONTROL_UNSUPPORTED;
	default:
		return LF_CONTROL_FAILED;
	}
}

/* Whether text begins with a path, whose control characters are '?' in messages, and a colon: its length, or
 * 0. */
static size_t path_length(const char *text, const char *path)
{
	size_t length = 0;

	for (; path[length]; length++) {
		unsigned char c = (unsigned char)path[length];
		if (text[length] != (c < 0x20 || c == 0x7f ? '?' : path[length]))
			return 0;
	}
	return strncmp(text + length, ": ", 2) == 0 ? length : 0;
}

/* What lower rooms say begins with the path, or with the end of a long one; whoever asked puts his own there.
 */
static void drop_path(struct lf_message *message, const char *path)
{
	for (; *path; path++) {
		size_t length = path_length(message->text, path);
		if (length > 0) {
			memmove(message->text, message->text + length + 2,
				strlen(message->text + length + 2) + 1);
			return;
		}
	}
}

static enum lf_error open_store(struct lf_device *device, const struct lf_control_connect *request,
	const int handles[LF_CONTROL_HANDLES_MAX], struct lf_message *message)
{
	struct lf_source source = {
		.path = device->path,
		.handle = handles[0],
		.state_handle = handles[1] >= 0 ? handles[1] : LF_HANDLE_NONE,
		.block_size = request->block_size,
		.physical_block_size = request->physical_block_size,
		.read_only = (request->flags & LF_CONTROL_READ_ONLY) != 0,
		.no_unmap = (request->flags & LF_CONTROL_NO_UNMAP) != 0,
	};
	enum lf_error error;

	error = device->devices->options.store_ops->open(&source, &device->store, &device->info, message);
	drop_path(message, device->path);
	return error;
}

static enum lf_error add_unit(
	struct lf_device *device, const struct lf_control_connect *request, struct lf_message *message)
{
	const struct lf_devices_options *options = &device->devices->options;
	uint16_t rotation = request->rotation ? request->rotation : device->info.rotational ? 0 : 1;
	struct lf_lu_options lu_options = {
		.type = LF_LU_DISK,
		.target = request->target,
		.lun = request->lun == UINT32_MAX ? LF_LUN_ANY : request->lun,
		.vendor = request->vendor.length ? request->vendor.bytes : NULL,
		.product = request->product.length ? request->product.bytes : NULL,
		.serial = device->identity.serial,
		.identifier = device->identity.identifier,
		.rotation = rotation,
		.read_only = (request->flags & LF_CONTROL_READ_ONLY) != 0 || device->info.read_only,
	};

	device->rotation = rotation;
	return lf_lu_add(options->adapter, &lu_options, options->store_ops, device->store, &device->info,
		&device->lu, message);
}

/* Two units of one designator would be taken for two paths to one disk. */
static enum lf_control_status check_identity(struct lf_device *device, struct lf_message *message)
{
	lf_list_each(link, next, &device->devices->list)
	{
		struct lf_device *other = device_of(link);
		if (strcmp(other->identity.serial, device->identity.serial) == 0) {
			lf_message_set(message,
				"%s has the serial number %s already: give another with --serial", other->id,
				other->identity.serial);
			return LF_CONTROL_BUSY;
		}
	}
	return LF_CONTROL_OK;
}

static enum lf_control_status prepare(struct lf_device *device, const struct lf_control_connect *request,
	const int handles[LF_CONTROL_HANDLES_MAX], struct lf_message *message)
{
	bool read_only = (request->flags & LF_CONTROL_READ_ONLY) != 0;
	enum lf_control_status status;

	snprintf(device->path, sizeof(device->path), "%s", request->path.bytes);
	status = lf_naming_check_request(request, message);
	if (status == LF_CONTROL_OK)
		status = check_file(device, handles[0], read_only, message);
	if (status == LF_CONTROL_OK)
		status = choose_name(device, request, message);
	if (status == LF_CONTROL_OK) {
		lf_identity_derive(
			device->devices->machine, device->path, request->serial.bytes, &device->identity);
		status = check_identity(device, message);
	}
	return status;
}

static void close_handles(const int handles[LF_CONTROL_HANDLES_MAX])
{
	for (uint32_t i = 0; i < LF_CONTROL_HANDLES_MAX; i++) {
		if (handles[i] >= 0)
			close(handles[i]);
	}
}

enum lf_control_status lf_devices_connect(struct lf_devices *devices,
	const struct lf_control_connect *request, const int handles[LF_CONTROL_HANDLES_MAX],
	struct lf_device **made, struct lf_message *message)
{
	struct lf_device *device = lf_alloc(sizeof(*device));
	enum lf_control_status status = LF_CONTROL_FAILED;

	lf_message_set(message, devices->emptied ? "the adapter is stopping" : "out of memory");
	if (device && !devices->emptied) {
		device->devices = devices;
		status = prepare(device, request, handles, message);
		if (status == LF_CONTROL_OK)
			status = status_of(open_store(device, request, handles, message));
	}
	if (status != LF_CONTROL_OK) {
		close_handles(handles);
		lf_free(device);
		return status;
	}
	status = status_of(add_unit(device, request, message));
	if (status != LF_CONTROL_OK) {
		devices->options.store_ops->close(device->store);
		lf_free(device);
		return status;
	}
	/* Numbers ascend and are not given again before 2^32 others were. */
	device->target = lf_lu_target(device->lu);
	device->lun = lf_lu_lun(device->lu);
	device->number = ++devices->last_number;
	lf_list_init(&device->departures);
	lf_list_append(&devices->list, &device->link);
	devices->count++;
	*made = device;
	return LF_CONTROL_OK;
}

/* ---- Disconnect ---- */

/*
 * lf_lu_remove -> removal.done (any thread) -> post -> removed (loop) -> FLUSH -> flush.done (any thread) ->
 * post
 * -> gone (loop). One post serves both: they follow one another.
 */
static void gone(struct lf_post *post)
{
	struct lf_device *device = lf_container(post, struct lf_device, post);
	struct lf_devices *devices = device->devices;
	enum lf_error error = device->flush.error;
	struct lf_message message = {""};
	struct lf_link departures, *link;

	devices->options.store_ops->close(device->store);
	if (error != LF_OK) {
		lf_message_set(&message, "it is gone, but what was written last may not be on the medium: %s",
			lf_error_text(error));
		lf_log(LF_LOG_ERROR, "disconnect: %s: %s", device->path, message.text);
	}
	lf_list_remove(&device->link);
	devices->count--;
	/* Who waited may look at the table: it is right by now. */
	lf_list_init(&departures);
	while ((link = lf_list_take(&device->departures)))
		lf_list_append(&departures, link);
	while ((link = lf_list_take(&departures))) {
		struct lf_departure *departure = lf_container(link, struct lf_departure, link);
		departure->ended(departure, &device->was, status_of(error), &message);
	}
	lf_free(device);
	if (devices->emptied && devices->count == 0)
		devices->emptied(devices->emptied_context);
}

static void flushed(struct lf_io *io)
{
	struct lf_device *device = lf_container(io, struct lf_device, flush);

	device->post.run = gone;
	lf_loop_post(device->devices->options.loop, &device->post);
}

static void removed(struct lf_post *post)
{
	struct lf_device *device = lf_container(post, struct lf_device, post);
	bool read_only = (device->was.flags & LF_CONTROL_DEVICE_READ_ONLY) != 0;

	lf_lu_free(device->lu);
	device->lu = NULL;
	device->flush.op = LF_OP_FLUSH;
	device->flush.done = flushed;
	if (read_only)
		flushed(&device->flush);
	else
		device->devices->options.store_ops->submit(device->store, &device->flush);
}

static void removal_done(struct lf_removal *removal)
{
	struct lf_device *device = lf_container(removal, struct lf_device, removal);

	device->post.run = removed;
	lf_loop_post(device->devices->options.loop, &device->post);
}

void lf_device_disconnect(struct lf_device *device, struct lf_departure *departure)
{
	if (departure)
		lf_list_append(&device->departures, &departure->link);
	if (device->leaving)
		return;
	lf_device_describe(device, &device->was);
	device->leaving = true;
	device->was.state = LF_CONTROL_OFFLINE;
	device->removal.done = removal_done;
	lf_lu_remove(device->lu, &device->removal);
}

void lf_devices_stop(struct lf_devices *devices, void (*emptied)(void *context), void *context)
{
	devices->emptied = emptied;
	devices->emptied_context = context;
	lf_list_each(link, next, &devices->list) lf_device_disconnect(device_of(link), NULL);
	if (devices->count == 0)
		emptied(context);
}

void lf_departure_forget(struct lf_departure *departure)
{
	if (lf_link_in_list(&departure->link))
		lf_list_remove(&departure->link);
}
