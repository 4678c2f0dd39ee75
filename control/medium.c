/* SPDX-License-Identifier: BSD-2-Clause */
/* medium.c: an image that a device is to have: which file it is, its store, what the store says of it. */
#include "control/device.h"
#include "control/path.h"

#define BLOCK_BYTES          512
#define PHYSICAL_BLOCK_BYTES 4096

static bool is_same(const struct lf_device_medium *one, const struct lf_device_medium *other)
{
	const struct lf_system_file *file = &one->file, *that = &other->file;

	if (one == other || !*other->path)
		return false;
	if (!file->known || !that->known)
		return lf_path_is_same(one->path, other->path);
	return file->volume == that->volume && file->node[0] == that->node[0] &&
	       file->node[1] == that->node[1];
}

bool lf_device_has_file(const struct lf_device *device, const struct lf_device_medium *medium)
{
	return is_same(medium, &device->medium) || is_same(medium, &device->change.incoming) ||
	       is_same(medium, &device->change.outgoing);
}

/* The same image twice would be two units with a cache each, and one of them stale. */
enum lf_control_status lf_device_check_file(struct lf_device *device, lf_handle handle, bool read_only,
	struct lf_device_medium *medium, struct lf_message *message)
{
	enum lf_control_status status = lf_system_identify(handle, read_only, &medium->file, message);

	if (status != LF_CONTROL_OK)
		return status;
	medium->read_only = read_only;
	lf_list_each(link, next, &device->devices->list)
	{
		struct lf_device *other = lf_device_of(link);
		if (other != device && lf_device_has_file(other, medium)) {
			lf_message_set(message, "%s as %s: %s",
				other->leaving ? "it is still leaving" : "already connected", other->id,
				other->leaving     ? "wait until lungfish list does not show it"
				: other->removable ? "eject it there first"
						   : "disconnect it first");
			return LF_CONTROL_BUSY;
		}
	}
	return LF_CONTROL_OK;
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

enum lf_control_status lf_device_open_store(struct lf_device *device,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX], struct lf_device_medium *medium,
	struct lf_message *message)
{
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

	error = device->devices->options.store_ops->open(&source, &medium->store, &medium->info, message);
	lf_device_drop_path(message, medium->path);
	medium->since_ns = lf_time_ns();
	if (error == LF_OK)
		medium->read_only = medium->read_only || medium->info.read_only;
	return lf_control_status_of(error);
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
