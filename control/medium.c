/* SPDX-License-Identifier: BSD-2-Clause */
/* medium.c: an image that a device has, or is to have: who has its file already, and whether it stays. */
#include "control/device.h"
#include "control/path.h"

#define BLOCK_BYTES          512
#define PHYSICAL_BLOCK_BYTES 4096

static bool is_same(
	const struct lf_device_medium *medium, const struct lf_system_file *file, const char *path)
{
	const struct lf_system_file *that = &medium->file;

	if (!*medium->path)
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
			other->arrival   ? "it is just being connected"
			: other->leaving ? "it is still leaving"
					 : "already connected",
			other->id,
			other->arrival     ? "try again when that has ended"
			: other->leaving   ? "wait until lungfish list does not show it"
			: other->removable ? "eject it there first"
					   : "disconnect it first");
		return true;
	}
	return false;
}

/* Which file theirs is, and what they will be called, is not known yet. */
static bool is_being_examined(struct lf_devices *devices, const char *path, struct lf_message *message)
{
	lf_list_each(link, next, &devices->examined)
	{
		if (!lf_path_is_same(lf_device_of(link)->work.medium.path, path))
			continue;
		lf_message_set(message, "it is just being connected: try again when that has ended");
		return true;
	}
	return false;
}

bool lf_devices_have_file(struct lf_devices *devices, const struct lf_system_file *file, const char *path,
	struct lf_message *message)
{
	return other_has_file(devices, NULL, file, path, message) ||
	       is_being_examined(devices, path, message);
}

/* The same image twice would be two units with a cache each, and one of them stale. */
enum lf_control_status lf_device_check_file(
	struct lf_device *device, const struct lf_device_medium *medium, struct lf_message *message)
{
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

/* ---- Whether what its store lies on stays ---- */

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

void lf_device_end_watch(struct lf_device_medium *medium)
{
	struct lf_device_watch *watch = medium->watch;

	medium->watch = NULL;
	if (!watch || lf_atomic_load_u32(&watch->removed) == 0 || watch->noted) {
		lf_free(watch);
		return;
	}
	/* Its note is on its way, and frees it. */
	watch->device = NULL;
	lf_devices_remain(watch->devices);
}

void lf_device_begin_watch(struct lf_device *device, struct lf_device_medium *medium)
{
	struct lf_device_watch *watch = medium->watch;

	if (!watch)
		return;
	watch->devices = device->devices;
	watch->device = device;
	watch->store = medium->store;
	watch->post.run = note_removal;
	device->devices->options.watch(medium->store, removed, watch);
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
