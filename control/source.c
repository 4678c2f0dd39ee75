/* SPDX-License-Identifier: BSD-2-Clause */
/* source.c: opening and creating images as the one who asks. Linux. */
#include "control/source.h"
#include "platform/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The lower-case cause that goes into a message. */
static const char *cause_of(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return "permission denied";
	case EROFS:
		return "the file system is read-only";
	case ETXTBSY:
		return "it is a program that runs";
	case ENOENT:
		return "no such file";
	case ENOTDIR:
		return "a part of the path is not a directory";
	case ELOOP:
		return "too many symbolic links";
	case ENAMETOOLONG:
		return "the path is too long";
	case EMFILE:
	case ENFILE:
		return "too many open files";
	case ENXIO:
	case ENODEV:
	case ENOMEDIUM:
		return "no device or medium is there";
	case EBUSY:
		return "in use by another program";
	case EFBIG:
		return "larger than this file system can hold";
	case ENOSPC:
	case EDQUOT:
		return "no space is left on the file system";
	default:
		return lf_error_text(lf_error_from_errno(error));
	}
}

static bool not_writable(int error)
{
	return error == EACCES || error == EPERM || error == EROFS || error == ETXTBSY;
}

/* Says why opening failed; for a refused write it looks whether reading would have worked. */
static enum lf_error open_failed(const char *path, bool read_only, int error, struct lf_message *message)
{
	int fd = -1;

	if (error == EISDIR) {
		lf_message_set(message, "it is a directory: name an image file or a block device");
		return LF_E_INVALID;
	}
	if (!read_only && not_writable(error))
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0) {
		close(fd);
		lf_message_set(message,
			"it cannot be written: %s: add --read-only, or see to it that you may write it",
			cause_of(error));
		return error == EROFS ? LF_E_READ_ONLY : LF_E_PERMISSION;
	}
	if (error == ENOENT)
		lf_message_set(message, "no such file: name one that exists, or make it with --create SIZE");
	else if (not_writable(error))
		lf_message_set(
			message, "%s: it is opened with your own rights; check who owns it", cause_of(error));
	else
		lf_message_set(message, "it cannot be opened: %s", cause_of(error));
	return lf_error_from_errno(error);
}

static enum lf_error check_kind(const struct stat *facts, struct lf_message *message)
{
	if (S_ISREG(facts->st_mode) || S_ISBLK(facts->st_mode))
		return LF_OK;
	lf_message_set(message, "it is %s: name an image file or a block device",
		S_ISDIR(facts->st_mode) ? "a directory" : "neither a file nor a block device");
	return LF_E_INVALID;
}

static enum lf_error check_path(const char *path, struct lf_message *message)
{
	if (lf_control_is_utf8(path, strlen(path)))
		return LF_OK;
	lf_message_set(message, "its path is not UTF-8: rename it, or connect it by a hard link");
	return LF_E_INVALID;
}

_Static_assert(LF_CONTROL_PATH_CAPACITY >= PATH_MAX, "realpath writes up to PATH_MAX bytes");

/* Opens what source->path names. */
static enum lf_error open_path(struct lf_control_source *source, bool read_only, struct lf_message *message)
{
	struct stat facts;
	enum lf_error error;
	/* O_NONBLOCK: a FIFO must not hold us; it means nothing to files and block devices. */
	int fd = open(source->path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return open_failed(source->path, read_only, errno, message);
	if (fstat(fd, &facts) != 0 || fcntl(fd, F_SETFL, 0) != 0) {
		error = open_failed(source->path, true, errno, message);
		if (error == LF_OK)
			error = LF_E_IO;
	} else {
		error = check_kind(&facts, message);
	}
	if (error == LF_OK)
		source->handle = fd;
	else
		close(fd);
	return error;
}

enum lf_error lf_control_source_open(
	const char *image, bool read_only, struct lf_control_source *source, struct lf_message *message)
{
	enum lf_error error;

	source->handle = LF_HANDLE_NONE;
	source->created = false;
	if (!realpath(image, source->path))
		return open_failed(image, read_only, errno, message);
	error = check_path(source->path, message);
	return error == LF_OK ? open_path(source, read_only, message) : error;
}

enum lf_error lf_control_source_create(
	const char *image, uint64_t size_bytes, struct lf_control_source *source, struct lf_message *message)
{
	int error = 0, fd;

	source->created = false;
	source->handle = LF_HANDLE_NONE;
	fd = open(image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
	if (fd < 0) {
		if (errno == EEXIST) {
			lf_message_set(
				message, "it exists already: connect it without --create, or name another");
			return LF_E_BUSY;
		}
		error = errno;
		lf_message_set(message, "it cannot be created: %s", cause_of(error));
		return lf_error_from_errno(error);
	}
	if (ftruncate(fd, (off_t)size_bytes) != 0 || !realpath(image, source->path))
		error = errno;
	if (error == 0 && check_path(source->path, message) == LF_OK) {
		source->handle = fd;
		source->created = true;
		return LF_OK;
	}
	close(fd);
	unlink(image);
	if (error == 0)
		return LF_E_INVALID;
	lf_message_set(message, "it cannot be given %llu bytes: %s", (unsigned long long)size_bytes,
		cause_of(error));
	return lf_error_from_errno(error);
}

void lf_control_source_close(struct lf_control_source *source)
{
	if (source->handle != LF_HANDLE_NONE)
		close((int)source->handle);
	source->handle = LF_HANDLE_NONE;
}

void lf_control_source_remove(const struct lf_control_source *source)
{
	unlink(source->path);
}

bool lf_control_source_path(const char *typed, char path[LF_CONTROL_PATH_CAPACITY])
{
	return realpath(typed, path) != NULL;
}
