/* SPDX-License-Identifier: BSD-2-Clause */
/* file_open.c: what a descriptor is good for: refusals, the facts of the medium, what its file system can do.
 */
#include "store/file.h"

#include "platform/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define GRANULARITY_DEFAULT 4096u
#define GRANULARITY_MAX     (1u << 30)

const char *lf_file_errno_name(int number)
{
	const char *name = strerrorname_np(number);

	return name ? name : "an errno without a name";
}

static enum lf_error refuse_errno(
	struct lf_message *message, const struct lf_source *source, const char *doing)
{
	int number = errno;

	lf_message_set(message, "%s: %s: %s (%s): see whether its volume is all right",
		lf_file_shown(source->path), doing, lf_error_text(lf_error_from_errno(number)),
		lf_file_errno_name(number));
	return lf_error_from_errno(number);
}

/* How the asker opened it. */
static enum lf_error examine_flags(
	const struct lf_source *source, struct lf_store *store, struct lf_message *message)
{
	int flags = fcntl(store->fd, F_GETFL);

	if (flags < 0)
		return refuse_errno(message, source, "no open file");
	if (flags & O_PATH)
		return lf_file_refuse(
			message, source, LF_E_INVALID, "not opened for reading: open it without O_PATH");
	if ((flags & O_ACCMODE) == O_WRONLY)
		return lf_file_refuse(
			message, source, LF_E_INVALID, "opened for writing only: open it for reading, too");
	/* Linux would put every write at the end, whatever its offset. */
	if (flags & O_APPEND)
		return lf_file_refuse(
			message, source, LF_E_INVALID, "opened for appending: open it without O_APPEND");
	if (flags & O_DIRECT)
		return lf_file_refuse(message, source, LF_E_INVALID,
			"opened past the page cache: open it without O_DIRECT");
	store->read_only = source->read_only || (flags & O_ACCMODE) == O_RDONLY;
	return LF_OK;
}

/* Trying is without effect: behind the end of the file there is nothing to lose. */
static bool can_punch(int fd, uint64_t size_bytes)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	int result;

	do {
		result = fallocate(fd, mode, (off_t)size_bytes, 1);
	} while (result < 0 && errno == EINTR);
	/* EFBIG: the file is as large as its file system allows, which tells nothing of holes. */
	return result == 0 || errno == EFBIG;
}

/*
 * Nothing tells whether buffered writes know RWF_NOWAIT without writing. They do on XFS and btrfs; on ext4
 * (Linux 6.18) and most others the ring's own attempt costs a fifth of the whole write and always fails.
 */
static void examine_file_system(struct lf_store *store)
{
	struct statfs fs;

	if (fstatfs(store->fd, &fs) < 0)
		return;
	store->never_waits = fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
	store->writes_wait = fs.f_type != XFS_SUPER_MAGIC && fs.f_type != BTRFS_SUPER_MAGIC;
}

static bool reads_nowait(int fd)
{
	uint8_t block[512];
	struct iovec piece = {block, sizeof(block)};

	return preadv2(fd, &piece, 1, 0, RWF_NOWAIT) >= 0 || errno == EAGAIN;
}

static void examine_unmap(const struct lf_source *source, struct lf_store *store, struct lf_store_info *info,
	uint64_t granularity_bytes)
{
	if (!lf_file_is_power_of_two(granularity_bytes) || granularity_bytes > GRANULARITY_MAX)
		granularity_bytes = GRANULARITY_DEFAULT;
	info->can_unmap = !store->read_only && !source->no_unmap && !store->no_punch;
	info->unmap_reads_zero = info->can_unmap;
	info->unmap_alignment_bytes = 0;
	info->unmap_granularity_bytes =
		info->can_unmap ? lf_max(granularity_bytes, (uint64_t)info->block_size) : 0;
}

static enum lf_error examine_regular(const struct lf_source *source, struct lf_store *store,
	struct lf_store_info *info, const struct stat *facts, struct lf_message *message)
{
	enum lf_error error;

	store->size_bytes = (uint64_t)facts->st_size;
	error = lf_file_check_size(source, store->size_bytes, info, message);
	if (error)
		return error;
	examine_file_system(store);
	store->no_punch = store->read_only || !can_punch(store->fd, store->size_bytes);
	examine_unmap(source, store, info, (uint64_t)facts->st_blksize);
	info->tells_usage = true;
	return LF_OK;
}

static enum lf_error examine_device(const struct lf_source *source, struct lf_store *store,
	struct lf_store_info *info, struct lf_message *message)
{
	int logical = 0, read_only = 0;
	unsigned int physical = 0;
	unsigned short rotational = 0;
	enum lf_error error;

	if (ioctl(store->fd, BLKGETSIZE64, &store->size_bytes) < 0 ||
		ioctl(store->fd, BLKSSZGET, &logical) < 0 || ioctl(store->fd, BLKPBSZGET, &physical) < 0 ||
		ioctl(store->fd, BLKROGET, &read_only) < 0)
		return refuse_errno(message, source, "its size cannot be had");
	if (!source->block_size && logical > 512 && logical <= (int)LF_FILE_PHYSICAL_DEFAULT)
		info->block_size = (uint32_t)logical;
	if (info->block_size < (uint32_t)logical) {
		lf_message_set(message,
			"%s: its blocks have %d bytes, more than %" PRIu32 ": --block-size %d",
			lf_file_shown(source->path), logical, info->block_size, logical);
		return LF_E_INVALID;
	}
	error = lf_file_check_size(source, store->size_bytes, info, message);
	if (error)
		return error;
	if (read_only)
		store->read_only = true;
	if (!source->physical_block_size && lf_file_is_power_of_two(physical))
		info->physical_block_size =
			lf_min(lf_max((uint32_t)physical, info->block_size), LF_FILE_PHYSICAL_MAX);
	info->rotational = ioctl(store->fd, BLKROTATIONAL, &rotational) == 0 && rotational;
	/* Punching guarantees zeros here, too; a device that cannot says so at the first attempt. */
	examine_unmap(source, store, info, physical);
	return LF_OK;
}

/* Held for as long as the open file description lives, unlike the other kind of lock. */
static enum lf_error lock_out_others(
	const struct lf_source *source, struct lf_store *store, struct lf_message *message)
{
	struct flock lock = {.l_type = store->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(store->fd, F_OFD_SETLK, &lock) == 0)
		return LF_OK;
	if (errno == EAGAIN || errno == EACCES)
		return lf_file_refuse(message, source, LF_E_BUSY,
			store->read_only
				? "in use by another adapter, which writes to it: disconnect it there"
				: "in use by another adapter: disconnect it there, or add --read-only");
	if (errno != ENOLCK && errno != EOPNOTSUPP && errno != ENOSYS)
		return refuse_errno(message, source, "it cannot be locked");
	lf_log(LF_LOG_WARNING, "%s: its file system has no locks: see to it that no other adapter uses it",
		lf_file_shown(source->path));
	return LF_OK;
}

enum lf_error lf_file_examine(const struct lf_source *source, struct lf_store *store,
	struct lf_store_info *info, struct lf_message *message)
{
	struct stat facts;
	enum lf_error error;

	memset(info, 0, sizeof(*info));
	if (fstat(store->fd, &facts) < 0)
		return refuse_errno(message, source, "no open file");
	if (S_ISDIR(facts.st_mode))
		return lf_file_refuse(message, source, LF_E_INVALID, "a directory: name an image in it");
	if (!S_ISREG(facts.st_mode) && !S_ISBLK(facts.st_mode))
		return lf_file_refuse(message, source, LF_E_INVALID,
			"neither a regular file nor a block device: name one of these");
	error = examine_flags(source, store, message);
	if (!error)
		error = lf_file_check_block_sizes(source, 0, info, message);
	if (!error)
		error = S_ISREG(facts.st_mode) ? examine_regular(source, store, info, &facts, message)
					       : examine_device(source, store, info, message);
	if (!error)
		error = lock_out_others(source, store, message);
	if (error)
		return error;
	store->reads_nowait = reads_nowait(store->fd);
	info->read_only = store->read_only;
	return LF_OK;
}
