/* SPDX-License-Identifier: BSD-2-Clause */
/* file_state.c: the small state beside an image: two checksummed slots, written in turn and synced. */
#include "store/file.h"

#include "platform/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

/*
 * Slot n begins at n * SLOT_BYTES: the header, then the blob. All little-endian. The newest slot whose
 * checksum is right counts; a save writes the other one, so a crash in the middle loses nothing older.
 */
#define SLOT_BYTES (2 * LF_STATE_MAX_BYTES)
#define SLOT_MAGIC 0x3165746174736c66u /* "flstate1" */
#define FNV_PRIME  0x100000001b3u

struct slot_header {
	uint64_t magic, sequence, length_bytes, checksum;
};

_Static_assert(sizeof(struct slot_header) == 32, "a slot's layout is written to files");
_Static_assert(2 * SLOT_BYTES == LF_FILE_JOURNAL_AT, "the journal begins where the slots end");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "headers are written as they are");

uint64_t lf_file_checksum(uint64_t sum, const void *bytes, size_t length_bytes)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < length_bytes; i++)
		sum = (sum ^ byte[i]) * FNV_PRIME;
	return sum;
}

static uint64_t checksum_of_header(const struct slot_header *header)
{
	return lf_file_checksum(LF_FILE_CHECKSUM, header, offsetof(struct slot_header, checksum));
}

int64_t lf_file_read_fully(int fd, void *to, size_t length_bytes, off_t offset)
{
	size_t got = 0;

	while (got < length_bytes) {
		ssize_t now = pread(fd, (char *)to + got, length_bytes - got, offset + (off_t)got);
		if (now < 0 && errno != EINTR)
			return -errno;
		if (now == 0)
			break;
		if (now > 0)
			got += (size_t)now;
	}
	return (int64_t)got;
}

/* 1: valid, blob holds it (LF_STATE_MAX_BYTES at least); 0: not; else an errno negated. */
static int64_t read_slot(int fd, int slot, struct slot_header *header, void *blob)
{
	off_t offset = (off_t)slot * SLOT_BYTES;
	int64_t got = lf_file_read_fully(fd, header, sizeof(*header), offset);

	if (got < (int64_t)sizeof(*header))
		return got < 0 ? got : 0;
	if (header->magic != SLOT_MAGIC || header->length_bytes > LF_STATE_MAX_BYTES)
		return 0;
	got = lf_file_read_fully(fd, blob, header->length_bytes, offset + (off_t)sizeof(*header));
	if (got < (int64_t)header->length_bytes)
		return got < 0 ? got : 0;
	return lf_file_checksum(checksum_of_header(header), blob, header->length_bytes) == header->checksum;
}

/* The newest valid one into blob; header->sequence is 0 when there is none. Returns 0 or an errno negated. */
static int64_t read_newest(int fd, struct slot_header *header, uint8_t *blob)
{
	struct slot_header other;
	int64_t first, second;

	first = read_slot(fd, 0, header, blob);
	if (first < 0)
		return first;
	if (first == 0)
		header->sequence = header->length_bytes = 0;
	second = read_slot(fd, 1, &other, blob + LF_STATE_MAX_BYTES);
	if (second < 0)
		return second;
	if (second > 0 && other.sequence > header->sequence) {
		*header = other;
		memmove(blob, blob + LF_STATE_MAX_BYTES, other.length_bytes);
	}
	return 0;
}

enum lf_error lf_store_load_state(
	lf_handle state_handle, void *blob, size_t capacity_bytes, size_t *length_bytes)
{
	struct slot_header header;
	enum lf_error error = LF_OK;
	uint8_t *scratch;
	int64_t result;

	*length_bytes = 0;
	scratch = lf_alloc(2 * LF_STATE_MAX_BYTES);
	if (!scratch)
		return LF_E_NO_MEMORY;
	result = read_newest((int)state_handle, &header, scratch);
	if (result < 0) {
		error = lf_error_from_errno((int)-result);
	} else if (header.sequence == 0) {
		error = LF_E_NOT_FOUND;
	} else if (header.length_bytes > capacity_bytes) {
		error = LF_E_RANGE;
	} else {
		memcpy(blob, scratch, header.length_bytes);
		*length_bytes = header.length_bytes;
	}
	lf_free(scratch);
	return error;
}

bool lf_file_is_writable(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) == O_RDWR;
}

/*
 * What is read may never have come to the disk: a sync that failed leaves it clean in the cache, where only
 * what is written again will be synced. And the next save takes the other slot, which may be all that is
 * stable.
 */
static int64_t write_again(int fd, const struct slot_header *header, const uint8_t *blob)
{
	off_t offset = (off_t)(header->sequence % 2) * SLOT_BYTES;
	int64_t result = lf_file_write_fully(fd, blob, header->length_bytes, offset + (off_t)sizeof(*header));

	if (result == 0)
		result = lf_file_write_fully(fd, header, sizeof(*header), offset);
	if (result == 0 && fdatasync(fd) < 0)
		result = -errno;
	return result;
}

int64_t lf_file_state_open(struct lf_store *store)
{
	struct slot_header header;
	uint8_t *scratch = lf_alloc(2 * LF_STATE_MAX_BYTES);
	int64_t result;

	if (!scratch)
		return -ENOMEM;
	result = read_newest(store->state_fd, &header, scratch);
	if (result == 0)
		store->state_sequence = header.sequence;
	if (result == 0 && header.sequence > 0 && lf_file_is_writable(store->state_fd))
		result = write_again(store->state_fd, &header, scratch);
	lf_free(scratch);
	return result;
}

int64_t lf_file_write_fully(int fd, const void *from, size_t length_bytes, off_t offset)
{
	size_t put = 0;

	while (put < length_bytes) {
		ssize_t now = pwrite(fd, (const char *)from + put, length_bytes - put, offset + (off_t)put);
		if (now < 0 && errno != EINTR)
			return -errno;
		if (now > 0)
			put += (size_t)now;
	}
	return 0;
}

int64_t lf_file_put_data(int fd, const struct lf_io *io, off_t offset, uint64_t *sum)
{
	uint64_t left_bytes = io->length_bytes;

	for (uint32_t i = 0; left_bytes > 0; i++) {
		size_t now = lf_min(io->segments[i].length, left_bytes);
		int64_t result = lf_file_write_fully(fd, io->segments[i].base, now, offset);
		if (result < 0)
			return result;
		*sum = lf_file_checksum(*sum, io->segments[i].base, now);
		offset += (off_t)now;
		left_bytes -= now;
	}
	return 0;
}

static int64_t write_slot(int fd, struct slot_header *header, const struct lf_io *io)
{
	off_t offset = (off_t)(header->sequence % 2) * SLOT_BYTES;
	int64_t result;

	header->checksum = checksum_of_header(header);
	result = lf_file_put_data(fd, io, offset + (off_t)sizeof(*header), &header->checksum);
	return result < 0 ? result : lf_file_write_fully(fd, header, sizeof(*header), offset);
}

int64_t lf_file_state_save(struct lf_store *store, const struct lf_io *io)
{
	struct slot_header header = {.magic = SLOT_MAGIC, .length_bytes = io->length_bytes};
	int64_t result;

	pthread_mutex_lock(&store->lock);
	header.sequence = store->state_sequence + 1;
	result = write_slot(store->state_fd, &header, io);
	if (result == 0 && fdatasync(store->state_fd) < 0)
		result = -errno;
	/* One that failed is written again in the same place: the other slot is the one that counts. */
	if (result == 0)
		store->state_sequence = header.sequence;
	pthread_mutex_unlock(&store->lock);
	return result;
}
