/* SPDX-License-Identifier: BSD-2-Clause */
/* medium.c: an image that a device is to have: which file it is, its store, what the store says of it. */
#include "control/device.h"
#include "platform/linux.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK_BYTES          512
#define PHYSICAL_BLOCK_BYTES 4096

static bool is_same(const struct lf_device_medium *one, const struct lf_device_medium *other)
{
	return *other->path && one->file_device == other->file_device && one->file_node == other->file_node;
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
	struct stat facts = {0};
	int mode = fcntl((int)handle, F_GETFL);

	if (mode < 0 || fstat((int)handle, &facts) != 0) {
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
	medium->read_only = read_only;
	medium->file_device = S_ISBLK(facts.st_mode) ? facts.st_rdev : facts.st_dev;
	medium->file_node = S_ISBLK(facts.st_mode) ? 0 : facts.st_ino;
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
