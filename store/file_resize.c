/* SPDX-License-Identifier: BSD-2-Clause */
/* file_resize.c: an image that grows while it is open. */
#include "store/file.h"

#include "platform/linux.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the file or the block device as it is now; an error with its message set. */
static enum lf_error size_now(const struct lf_store *store, uint64_t *size_bytes, struct lf_message *message)
{
	struct stat facts;
	int result = fstat(store->fd, &facts);

	if (result == 0 && S_ISBLK(facts.st_mode))
		result = ioctl(store->fd, BLKGETSIZE64, size_bytes);
	else if (result == 0)
		*size_bytes = (uint64_t)facts.st_size;
	if (result == 0)
		return LF_OK;
	enum lf_error error = lf_error_from_errno(errno);
	lf_message_set(
		message, "%s: its size cannot be had: %s", lf_file_shown(store->path), lf_error_text(error));
	return error;
}

static enum lf_error grow(struct lf_store *store, uint64_t size_bytes, struct lf_message *message)
{
	struct stat facts;

	if (fstat(store->fd, &facts) == 0 && S_ISBLK(facts.st_mode)) {
		lf_message_set(message,
			"%s: a block device: let it grow by its own means, then resize without a size",
			lf_file_shown(store->path));
		return LF_E_UNSUPPORTED;
	}
	if (store->read_only) {
		lf_message_set(message, "%s: connected read-only: connect it for writing to let it grow",
			lf_file_shown(store->path));
		return LF_E_READ_ONLY;
	}
	if (ftruncate(store->fd, (off_t)size_bytes) == 0)
		return LF_OK;
	enum lf_error error = lf_error_from_errno(errno);
	lf_message_set(message, "%s: cannot grow to %" PRIu64 " bytes: %s", lf_file_shown(store->path),
		size_bytes, lf_error_text(error));
	return error;
}

enum lf_error lf_store_file_resize(struct lf_store *store, uint64_t size_bytes, uint32_t block_size,
	uint64_t *block_count, struct lf_message *message)
{
	uint64_t known = lf_atomic_load_relaxed_u64(&store->size_bytes), now = 0;
	enum lf_error error = size_now(store, &now, message);

	if (error == LF_OK)
		error = lf_file_check_growth(store->path, known, now, block_size, &size_bytes, message);
	if (error == LF_OK && size_bytes > now)
		error = grow(store, size_bytes, message);
	if (error != LF_OK)
		return error;
	lf_atomic_store_relaxed_u64(&store->size_bytes, size_bytes);
	*block_count = size_bytes / block_size;
	return LF_OK;
}
