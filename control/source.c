/* SPDX-License-Identifier: BSD-2-Clause */
/* source.c: opening and creating images as the one who asks, and reading sizes as people write them. */
#include "control/source.h"
#include "platform/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

enum lf_error lf_control_source_open(
	const char *image, bool read_only, struct lf_control_source *source, struct lf_message *message)
{
	struct stat facts;
	enum lf_error error;

	source->fd = -1;
	source->created = false;
	if (!realpath(image, source->path))
		return open_failed(image, read_only, errno, message);
	error = check_path(source->path, message);
	if (error != LF_OK)
		return error;
	/* O_NONBLOCK: a FIFO must not hold us; it means nothing to files and block devices. */
	source->fd = open(source->path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (source->fd < 0)
		return open_failed(source->path, read_only, errno, message);
	if (fstat(source->fd, &facts) != 0 || fcntl(source->fd, F_SETFL, 0) != 0) {
		error = open_failed(source->path, true, errno, message);
		if (error == LF_OK)
			error = LF_E_IO;
	} else {
		error = check_kind(&facts, message);
	}
	if (error != LF_OK) {
		close(source->fd);
		source->fd = -1;
	}
	return error;
}

enum lf_error lf_control_source_create(
	const char *image, uint64_t size_bytes, struct lf_control_source *source, struct lf_message *message)
{
	int error = 0;

	source->created = false;
	source->fd = open(image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
	if (source->fd < 0) {
		if (errno == EEXIST) {
			lf_message_set(
				message, "it exists already: connect it without --create, or name another");
			return LF_E_BUSY;
		}
		error = errno;
		lf_message_set(message, "it cannot be created: %s", cause_of(error));
		return lf_error_from_errno(error);
	}
	source->created = true;
	if (ftruncate(source->fd, (off_t)size_bytes) != 0 || !realpath(image, source->path))
		error = errno;
	if (error == 0 && check_path(source->path, message) == LF_OK)
		return LF_OK;
	close(source->fd);
	source->fd = -1;
	unlink(image);
	source->created = false;
	if (error == 0)
		return LF_E_INVALID;
	lf_message_set(message, "it cannot be given %llu bytes: %s", (unsigned long long)size_bytes,
		cause_of(error));
	return lf_error_from_errno(error);
}

bool lf_control_parse_number(const char *text, uint64_t most, uint64_t *number)
{
	uint64_t value = 0;

	if (*text == '\0')
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || value > (UINT64_MAX - 9) / 10)
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
	}
	*number = value;
	return value <= most;
}

bool lf_control_parse_size(const char *text, uint64_t *size_bytes)
{
	static const char units[] = "KMGTPE";
	size_t digits = strspn(text, "0123456789");
	char number[24];
	const char *unit = text + digits;
	uint64_t base = 1024, value;
	const char *found;

	if (digits == 0 || digits >= sizeof(number))
		return false;
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (!lf_control_parse_number(number, INT64_MAX, &value))
		return false;
	if (*unit != '\0' && strcmp(unit, "B") != 0) {
		char letter = *unit >= 'a' && *unit <= 'z' ? (char)(*unit - 'a' + 'A') : *unit;
		found = memchr(units, letter, sizeof(units) - 1);
		if (!found)
			return false;
		if (strcmp(unit + 1, "B") == 0)
			base = 1000;
		else if (unit[1] != '\0' && strcmp(unit + 1, "iB") != 0)
			return false;
		for (const char *at = units; at <= found; at++) {
			if (value > (uint64_t)INT64_MAX / base)
				return false;
			value *= base;
		}
	}
	*size_bytes = value;
	return true;
}
