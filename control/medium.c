/* SPDX-License-Identifier: BSD-2-Clause */
/* medium.c: an image that a device is to have: which file it is, its store, what the store says of it. */
#include "control/device.h"
#include "control/path.h"
#include "control/state.h"

#define BLOCK_BYTES          512
#define PHYSICAL_BLOCK_BYTES 4096

static bool is_same(
	const struct lf_device_medium *medium, const struct lf_system_file *file, const char *path)
{
	const struct lf_system_file *that = &medium->file;

	if (medium->path == path || !*medium->path)
		return false;
	if (!file->known || !that->known)
		return lf_path_is_same(medium->path, path);
	return file->volume == that->volume && file->node[0] == that->node[0] &&
	       file->node[1] == that->node[1];
}

static bool has_file(const struct lf_device *device, const struct lf_system_file *file, const char *path)
{
	return is_same(&device->medium, file, path) || is_same(&device->change.incoming, file, path) ||
	       is_same(&device->change.outgoing, file, path);
}

bool lf_device_has_file(const struct lf_device *device, const struct lf_device_medium *medium)
{
	return has_file(device, &medium->file, medium->path);
}

/* A device other than that (NULL: any) has it: message says which. */
static bool other_has_file(struct lf_devices *devices, const struct lf_device *device,
	const struct lf_system_file *file, const char *path, struct lf_message *message)
{
	lf_list_each(link, next, &devices->list)
	{
		struct lf_device *other = lf_device_of(link);
		if (other == device || !has_file(other, file, path))
			continue;
		lf_message_set(message, "%s as %s: %s",
			other->leaving ? "it is still leaving" : "already connected", other->id,
			other->leaving     ? "wait until lungfish list does not show it"
			: other->removable ? "eject it there first"
					   : "disconnect it first");
		return true;
	}
	return false;
}

bool lf_devices_have_file(struct lf_devices *devices, const struct lf_system_file *file, const char *path,
	struct lf_message *message)
{
	return other_has_file(devices, NULL, file, path, message);
}

/* The same image twice would be two units with a cache each, and one of them stale. */
enum lf_control_status lf_device_check_file(struct lf_device *device, lf_handle handle, bool read_only,
	struct lf_device_medium *medium, struct lf_message *message)
{
	enum lf_control_status status = lf_system_identify(handle, read_only, &medium->file, message);

	if (status != LF_CONTROL_OK)
		return status;
	medium->read_only = read_only;
	return other_has_file(device->devices, device, &medium->file, medium->path, message) ? LF_CONTROL_BUSY
											     : LF_CONTROL_OK;
}

enum lf_control_status lf_control_status_of(enum lf_error error)
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
void lf_device_drop_path(struct lf_message *message, const char *path)
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

/* ---- The store, and whether what it lies on stays ---- */

static void note_removal(struct lf_post *post)
{
	struct lf_device_watch *watch = lf_container(post, struct lf_device_watch, post);
	struct lf_devices *devices = watch->devices;
	struct lf_device *device = watch->device;

	if (!device) {
		lf_free(watch);
		lf_devices_end(devices);
		return;
	}
	watch->noted = true;
	/* What is just being put away is gone soon enough. */
	if (device->leaving ||
		(device->medium.store != watch->store && device->change.incoming.store != watch->store))
		return;
	lf_log(LF_LOG_WARNING, "%s: what its image lies on goes away: it is disconnected", device->id);
	lf_device_disconnect(device, NULL);
}

/* Any thread. */
static void removed(void *context)
{
	struct lf_device_watch *watch = context;

	lf_atomic_store_u32(&watch->removed, 1);
	lf_loop_post(watch->devices->options.loop, &watch->post);
}

static void end_watch(struct lf_device_watch *watch)
{
	if (lf_atomic_load_u32(&watch->removed) == 0 || watch->noted) {
		lf_free(watch);
		return;
	}
	/* Its note is on its way, and frees it. */
	watch->device = NULL;
	lf_devices_remain(watch->devices);
}

static void begin_watch(struct lf_device *device, struct lf_device_medium *medium)
{
	struct lf_device_watch *watch = medium->watch;

	watch->devices = device->devices;
	watch->device = device;
	watch->store = medium->store;
	watch->post.run = note_removal;
	device->devices->options.watch(medium->store, removed, watch);
}

enum lf_control_status lf_device_open_store(struct lf_device *device,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX], struct lf_device_medium *medium,
	struct lf_message *message)
{
	const struct lf_devices_options *options = &device->devices->options;
	struct lf_source source = {
		.path = medium->path,
		.handle = handles[0],
		.state_handle = handles[1],
		.block_size = device->block_size,
		.physical_block_size = device->physical_block_size,
		.block_count_max = device->type == LF_LU_CDROM ? LF_CDROM_BLOCKS_MAX : 0,
		.read_only = medium->read_only,
		.no_unmap = device->no_unmap,
	};
	enum lf_error error;

	if (options->watch) {
		medium->watch = lf_alloc(sizeof(*medium->watch));
		if (!medium->watch) {
			lf_message_set(message, "out of memory");
			return LF_CONTROL_FAILED;
		}
	}
	error = options->store_ops->open(&source, &medium->store, &medium->info, message);
	lf_device_drop_path(message, medium->path);
	medium->since_ns = lf_time_ns();
	if (error != LF_OK) {
		lf_free(medium->watch);
		medium->watch = NULL;
		return lf_control_status_of(error);
	}
	medium->read_only = medium->read_only || medium->info.read_only;
	if (medium->watch)
		begin_watch(device, medium);
	return LF_CONTROL_OK;
}

void lf_device_leave_state(const struct lf_device *device)
{
	if (device->saves)
		lf_control_state_leave(device->state_handle);
}

void lf_device_close_store(struct lf_device *device, struct lf_device_medium *medium)
{
	if (!medium->store)
		return;
	lf_device_leave_state(device);
	device->devices->options.store_ops->close(medium->store);
	if (medium->watch)
		end_watch(medium->watch);
	medium->store = NULL;
	medium->watch = NULL;
}

void lf_device_set_empty(const struct lf_device *device, struct lf_device_medium *medium)
{
	uint32_t block_size = device->block_size ? device->block_size : BLOCK_BYTES;

	memset(medium, 0, sizeof(*medium));
	medium->read_only = device->read_only;
	medium->info.block_size = block_size;
	medium->info.physical_block_size = device->physical_block_size ? device->physical_block_size
					   : block_size == BLOCK_BYTES ? PHYSICAL_BLOCK_BYTES
								       : block_size;
}
