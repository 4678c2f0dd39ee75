/* SPDX-License-Identifier: BSD-2-Clause */
/* file_journal.c: an atomic write that the host was stopped in: recorded before, found and completed at open.
 */
#include "store/file.h"

#include "platform/linux.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Behind the slots of the state file: the header of one record, then what the write brings, then what was
 * there before. It is stable before the image changes, and the image is stable before it is retired; and it
 * is stable before the record is made, or a crash could leave what was there earlier still. The core has
 * nothing else at the store meanwhile, so no acknowledged write can lie under a record that comes again. Once
 * a sync has failed no record is made any more: one that could not be retired stays until the file is opened
 * anew.
 *
 * Somebody else may have changed the image since the host was stopped (repaired its file system, restored
 * it). So a record comes again only if every sector of its range is as it was before the write or as it was
 * to be after.
 */
#define RECORD_MAGIC 0x31636d6f74616c66u /* "flatomc1" */
#define HEADER_BYTES 4096

struct record_header {
	uint64_t magic, offset_bytes, length_bytes, checksum;
};

_Static_assert(sizeof(struct record_header) == 32, "a record's layout is written to files");
_Static_assert(sizeof(struct record_header) <= 512, "a header lies in one sector");

static off_t new_at(uint64_t from)
{
	return LF_FILE_JOURNAL_AT + HEADER_BYTES + (off_t)from;
}

static off_t old_at(const struct record_header *header, uint64_t from)
{
	return new_at(header->length_bytes) + (off_t)from;
}

static struct record_header header_of(const struct lf_io *io)
{
	struct record_header header = {
		.magic = RECORD_MAGIC, .offset_bytes = io->offset_bytes, .length_bytes = io->length_bytes};

	header.checksum =
		lf_file_checksum(LF_FILE_CHECKSUM, &header, offsetof(struct record_header, checksum));
	return header;
}

static size_t piece_of(uint64_t length_bytes, uint64_t from)
{
	return (size_t)lf_min(length_bytes - from, (uint64_t)LF_FILE_PIECE_BYTES);
}

/* All of it or an errno negated: the file is shorter than it was. */
static int64_t read_exactly(int fd, void *to, size_t length_bytes, off_t offset)
{
	int64_t got = lf_file_read_fully(fd, to, length_bytes, offset);

	if (got < 0)
		return got;
	return got == (int64_t)length_bytes ? 0 : -EIO;
}

static int64_t sync_state(struct lf_store *store)
{
	return fdatasync(store->state_fd) < 0 ? -errno : 0;
}

static int64_t retire_locked(struct lf_store *store)
{
	static const struct record_header nothing;
	int64_t result = lf_file_write_fully(store->state_fd, &nothing, sizeof(nothing), LF_FILE_JOURNAL_AT);

	return result < 0 ? result : sync_state(store);
}

int64_t lf_file_journal_retire(struct lf_store *store)
{
	int64_t result;

	pthread_mutex_lock(&store->lock);
	result = retire_locked(store);
	pthread_mutex_unlock(&store->lock);
	return result;
}

/* ---- Before and while the image is written ---- */

static int64_t put_old(struct lf_store *store, struct record_header *header)
{
	int64_t result = 0;

	for (uint64_t from = 0; from < header->length_bytes && result == 0; from += LF_FILE_PIECE_BYTES) {
		size_t piece = piece_of(header->length_bytes, from);
		result = read_exactly(store->fd, store->journal, piece, (off_t)(header->offset_bytes + from));
		if (result == 0)
			result = lf_file_write_fully(
				store->state_fd, store->journal, piece, old_at(header, from));
		header->checksum = lf_file_checksum(header->checksum, store->journal, piece);
	}
	return result;
}

/* The header last: until then what is there was retired. One that may be there though it failed is, again. */
static int64_t put_header(struct lf_store *store, const struct record_header *header)
{
	int64_t result = lf_file_write_fully(store->state_fd, header, sizeof(*header), LF_FILE_JOURNAL_AT);

	if (result == 0)
		result = sync_state(store);
	if (result < 0 && retire_locked(store) < 0)
		lf_file_sync_give_up(store);
	return result;
}

int64_t lf_file_journal_record(struct lf_store *store, const struct lf_io *io)
{
	struct record_header header = header_of(io);
	int64_t result;

	pthread_mutex_lock(&store->lock);
	result = lf_file_put_data(store->state_fd, io, new_at(0), &header.checksum);
	if (result == 0)
		result = put_old(store, &header);
	if (result == 0)
		result = put_header(store, &header);
	pthread_mutex_unlock(&store->lock);
	return result;
}

/* Copies so many bytes that begin at `at` in the state file to the image. */
static int64_t copy_to_image(struct lf_store *store, off_t at, uint64_t offset_bytes, uint64_t length_bytes)
{
	int64_t result = 0;

	for (uint64_t from = 0; from < length_bytes && result == 0; from += LF_FILE_PIECE_BYTES) {
		size_t piece = piece_of(length_bytes, from);
		result = read_exactly(store->state_fd, store->journal, piece, at + (off_t)from);
		if (result == 0)
			result = lf_file_write_fully(
				store->fd, store->journal, piece, (off_t)(offset_bytes + from));
	}
	return result;
}

int64_t lf_file_journal_undo(struct lf_store *store, const struct lf_io *io, uint64_t length_bytes)
{
	struct record_header header = header_of(io);
	int64_t result;

	pthread_mutex_lock(&store->lock);
	result = copy_to_image(store, old_at(&header, 0), io->offset_bytes, length_bytes);
	pthread_mutex_unlock(&store->lock);
	return result;
}

/* ---- At open: nobody else has the store ---- */

/* 1: there is a record, whole and of this image; 0: there is none; else an errno negated. */
static int64_t find_record(struct lf_store *store, struct record_header *header)
{
	uint64_t sum, from, bytes;
	int64_t got = lf_file_read_fully(store->state_fd, header, sizeof(*header), LF_FILE_JOURNAL_AT);

	if (got < (int64_t)sizeof(*header))
		return got < 0 ? got : 0;
	if (header->magic != RECORD_MAGIC || header->length_bytes > LF_ATOMIC_MAX_BYTES ||
		header->offset_bytes > store->size_bytes ||
		header->length_bytes > store->size_bytes - header->offset_bytes)
		return 0;
	sum = lf_file_checksum(LF_FILE_CHECKSUM, header, offsetof(struct record_header, checksum));
	bytes = 2 * header->length_bytes;
	for (from = 0; from < bytes; from += LF_FILE_PIECE_BYTES) {
		size_t piece = piece_of(bytes, from);
		got = lf_file_read_fully(store->state_fd, store->journal, piece, new_at(from));
		if (got < (int64_t)piece)
			return got < 0 ? got : 0;
		sum = lf_file_checksum(sum, store->journal, piece);
	}
	return sum == header->checksum;
}

/* How the bytes of a record's range are. */
struct finding {
	bool some_old, some_new, some_other;
};

static void compare_bytes(const uint8_t *image, const uint8_t *new, const uint8_t *old, size_t length_bytes,
	struct finding *found)
{
	for (size_t at = 0; at < length_bytes; at++) {
		bool is_new = image[at] == new[at], is_old = image[at] == old[at];
		found->some_new |= is_new && !is_old;
		found->some_old |= is_old && !is_new;
		found->some_other |= !is_new && !is_old;
	}
}

static int64_t examine_image(
	struct lf_store *store, const struct record_header *header, struct finding *found)
{
	uint8_t *pieces = lf_alloc(3 * (size_t)LF_FILE_PIECE_BYTES);
	int64_t result = pieces ? 0 : -ENOMEM;

	*found = (struct finding){.some_old = false};
	for (uint64_t from = 0; from < header->length_bytes && result == 0; from += LF_FILE_PIECE_BYTES) {
		uint8_t *new = pieces + LF_FILE_PIECE_BYTES, *old = new + LF_FILE_PIECE_BYTES;
		size_t piece = piece_of(header->length_bytes, from);
		result = read_exactly(store->fd, pieces, piece, (off_t)(header->offset_bytes + from));
		if (result == 0)
			result = read_exactly(store->state_fd, new, piece, new_at(from));
		if (result == 0)
			result = read_exactly(store->state_fd, old, piece, old_at(header, from));
		if (result == 0)
			compare_bytes(pieces, new, old, piece, found);
	}
	lf_free(pieces);
	return result;
}

/*
 * Completes the write where it is half there; what it finds is stable before the record goes. What is read
 * may never have come to the disk: a sync that failed leaves it clean in the cache, where only what is
 * written again will be synced. So all of it is.
 */
static int64_t settle(struct lf_store *store, const struct record_header *header, const struct finding *found)
{
	off_t from = found->some_new ? new_at(0) : old_at(header, 0);
	int64_t result = 0;

	if (found->some_other) {
		lf_log(LF_LOG_WARNING,
			"%s: changed by something else since an atomic write to it was cut off: that is left "
			"as it is",
			store->path);
	} else {
		result = copy_to_image(store, from, header->offset_bytes, header->length_bytes);
		if (result == 0 && found->some_new && found->some_old)
			lf_log(LF_LOG_NOTICE, "%s: completed an atomic write that was cut off", store->path);
	}
	if (result == 0 && fdatasync(store->fd) < 0)
		result = -errno;
	return result < 0 ? result : retire_locked(store);
}

/* There is no record, or so it is read: likewise. A file that never had one stays as short as it is. */
static int64_t retire_again(struct lf_store *store)
{
	struct stat facts;

	if (fstat(store->state_fd, &facts) < 0)
		return -errno;
	return facts.st_size > LF_FILE_JOURNAL_AT ? retire_locked(store) : 0;
}

enum lf_error lf_file_journal_open(const struct lf_source *source, struct lf_store *store,
	struct lf_store_info *info, struct lf_message *message)
{
	bool writable = !store->read_only && lf_file_is_writable(store->state_fd);
	struct record_header header;
	struct finding found;
	int64_t result;

	store->journal = lf_alloc(LF_FILE_PIECE_BYTES);
	result = store->journal ? find_record(store, &header) : -ENOMEM;
	if (result == 1) {
		result = examine_image(store, &header, &found);
		if (result == 0 && writable) {
			result = settle(store, &header, &found);
		} else if (result == 0 && found.some_new && found.some_old && !found.some_other) {
			lf_message_set(message,
				"%s: an atomic write to it was cut off: connect it once so that it and its "
				"state can be written",
				lf_file_shown(source->path));
			return LF_E_READ_ONLY;
		}
	} else if (result == 0 && writable) {
		result = retire_again(store);
	}
	if (result < 0) {
		lf_message_set(message,
			"%s: the record of its atomic writes cannot be settled: %s (%s): see whether the "
			"volumes of image and state are all right",
			lf_file_shown(source->path), lf_error_text(lf_error_from_errno((int)-result)),
			lf_file_errno_name((int)-result));
		return lf_error_from_errno((int)-result);
	}
	info->atomic_max_bytes = writable ? LF_ATOMIC_MAX_BYTES : 0;
	return LF_OK;
}
