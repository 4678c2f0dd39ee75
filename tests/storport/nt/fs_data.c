/* SPDX-License-Identifier: BSD-2-Clause */
/* fs_data.c: the bytes of files: chunks in memory, of which some may be lost until they are flushed. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/storport/nt/fs.h"

#define least(a, b) ((a) < (b) ? (a) : (b))

void lf_fake_data_init(struct lf_fake_file *file)
{
	pthread_mutex_init(&file->mutex, NULL);
	file->chunks = calloc(LF_FAKE_BUCKETS, sizeof(struct lf_fake_chunk *));
	file->fd = -1;
}

void lf_fake_data_fini(struct lf_fake_file *file)
{
	for (uint32_t i = 0; i < LF_FAKE_BUCKETS; i++) {
		while (file->chunks[i]) {
			struct lf_fake_chunk *chunk = file->chunks[i];
			file->chunks[i] = chunk->next;
			free(chunk->data);
			free(chunk->stable);
			free(chunk);
		}
	}
	free(file->chunks);
	if (file->fd >= 0)
		close(file->fd);
	pthread_mutex_destroy(&file->mutex);
}

/* All static ones: under the file's mutex. */
static struct lf_fake_chunk *find(struct lf_fake_file *file, uint64_t number)
{
	struct lf_fake_chunk *chunk = file->chunks[number % LF_FAKE_BUCKETS];
	while (chunk && chunk->number != number)
		chunk = chunk->next;
	return chunk;
}

/* Before it changes: remembers what is stable. */
static void touch(struct lf_fake_file *file, struct lf_fake_chunk *chunk)
{
	if (!file->is_volatile || chunk->is_dirty)
		return;
	chunk->is_dirty = true;
	chunk->was_there = chunk->is_there;
	if (!chunk->is_there)
		return;
	chunk->stable = malloc(LF_FAKE_CHUNK_BYTES);
	memcpy(chunk->stable, chunk->data, LF_FAKE_CHUNK_BYTES);
}

static bool charge(struct lf_fake_volume *volume)
{
	uint64_t now = __atomic_add_fetch(&volume->allocated_bytes, LF_FAKE_CHUNK_BYTES, __ATOMIC_RELAXED);
	if (volume->options.capacity_bytes == 0 || now <= volume->options.capacity_bytes)
		return true;
	__atomic_sub_fetch(&volume->allocated_bytes, LF_FAKE_CHUNK_BYTES, __ATOMIC_RELAXED);
	return false;
}

/* A chunk that is there, and remembered; NULL: the volume is full. */
static struct lf_fake_chunk *make(struct lf_fake_file *file, uint64_t number)
{
	struct lf_fake_chunk *chunk = find(file, number);
	if ((!chunk || !chunk->is_there) && !charge(file->volume))
		return NULL;
	if (!chunk) {
		chunk = calloc(1, sizeof(*chunk));
		chunk->number = number;
		chunk->next = file->chunks[number % LF_FAKE_BUCKETS];
		file->chunks[number % LF_FAKE_BUCKETS] = chunk;
	}
	touch(file, chunk);
	if (!chunk->data)
		chunk->data = malloc(LF_FAKE_CHUNK_BYTES);
	if (!chunk->is_there)
		memset(chunk->data, 0, LF_FAKE_CHUNK_BYTES);
	chunk->is_there = true;
	return chunk;
}

static void drop(struct lf_fake_file *file, struct lf_fake_chunk *chunk)
{
	touch(file, chunk);
	if (chunk->is_there)
		__atomic_sub_fetch(&file->volume->allocated_bytes, LF_FAKE_CHUNK_BYTES, __ATOMIC_RELAXED);
	chunk->is_there = false;
}

static void on_linux(struct lf_fake_file *file, uint64_t offset, void *bytes, uint64_t length, bool writes)
{
	uint64_t done = 0;
	while (done < length) {
		char *at = (char *)bytes + done;
		ssize_t moved = writes ? pwrite(file->fd, at, length - done, (off_t)(offset + done))
				       : pread(file->fd, at, length - done, (off_t)(offset + done));
		if (moved < 0 || (writes && moved == 0))
			lf_fake_broken("the host cannot read or write the file behind %s", file->path);
		if (moved == 0)
			break;
		done += (uint64_t)moved;
	}
	if (!writes && done < length)
		memset((char *)bytes + done, 0, length - done);
}

void lf_fake_data_read(struct lf_fake_file *file, uint64_t offset, uint8_t *to, uint64_t length)
{
	pthread_mutex_lock(&file->mutex);
	if (file->fd >= 0) {
		on_linux(file, offset, to, length, false);
		length = 0;
	}
	while (length) {
		uint64_t within = offset % LF_FAKE_CHUNK_BYTES;
		uint64_t now = least(length, LF_FAKE_CHUNK_BYTES - within);
		struct lf_fake_chunk *chunk = find(file, offset / LF_FAKE_CHUNK_BYTES);
		if (chunk && chunk->is_there)
			memcpy(to, chunk->data + within, now);
		else
			memset(to, 0, now);
		to += now, offset += now, length -= now;
	}
	pthread_mutex_unlock(&file->mutex);
}

/* from == NULL: byte is written all over. */
static NTSTATUS put(
	struct lf_fake_file *file, uint64_t offset, const uint8_t *from, int byte, uint64_t length)
{
	while (length) {
		uint64_t within = offset % LF_FAKE_CHUNK_BYTES;
		uint64_t now = least(length, LF_FAKE_CHUNK_BYTES - within);
		struct lf_fake_chunk *chunk = make(file, offset / LF_FAKE_CHUNK_BYTES);
		if (!chunk)
			return STATUS_DISK_FULL;
		if (from)
			memcpy(chunk->data + within, from, now);
		else
			memset(chunk->data + within, byte, now);
		from = from ? from + now : NULL;
		offset += now, length -= now;
	}
	return STATUS_SUCCESS;
}

NTSTATUS lf_fake_data_write(struct lf_fake_file *file, uint64_t offset, const uint8_t *from, uint64_t length)
{
	NTSTATUS status = STATUS_SUCCESS;
	pthread_mutex_lock(&file->mutex);
	if (file->fd >= 0)
		on_linux(file, offset, (void *)(uintptr_t)from, length, true);
	else
		status = put(file, offset, from, 0, length);
	if (NT_SUCCESS(status) && offset + length > file->size)
		file->size = offset + length;
	pthread_mutex_unlock(&file->mutex);
	return status;
}

static void zero_on_linux(struct lf_fake_file *file, uint64_t offset, uint64_t length)
{
	static const uint8_t zeros[4096];
	if (fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length) ==
		0)
		return;
	for (uint64_t done = 0; done < length; done += sizeof(zeros))
		on_linux(file, offset + done, (void *)(uintptr_t)zeros, least(length - done, sizeof(zeros)),
			true);
}

/* Whole chunks of a sparse file are given back; the rest is written with zeros. */
NTSTATUS lf_fake_data_zero(struct lf_fake_file *file, uint64_t offset, uint64_t length)
{
	NTSTATUS status = STATUS_SUCCESS;
	pthread_mutex_lock(&file->mutex);
	bool is_sparse = (file->attributes & FILE_ATTRIBUTE_SPARSE_FILE) != 0;
	if (file->fd >= 0) {
		zero_on_linux(file, offset, length);
		length = 0;
	}
	while (length && NT_SUCCESS(status)) {
		uint64_t within = offset % LF_FAKE_CHUNK_BYTES;
		uint64_t now = least(length, LF_FAKE_CHUNK_BYTES - within);
		struct lf_fake_chunk *chunk = find(file, offset / LF_FAKE_CHUNK_BYTES);
		if (chunk && chunk->is_there && is_sparse && now == LF_FAKE_CHUNK_BYTES)
			drop(file, chunk);
		else if ((chunk && chunk->is_there) || !is_sparse)
			status = put(file, offset, NULL, 0, now);
		offset += now, length -= now;
	}
	pthread_mutex_unlock(&file->mutex);
	return status;
}

void lf_fake_data_discard(struct lf_fake_file *file, uint64_t offset, uint64_t length)
{
	pthread_mutex_lock(&file->mutex);
	while (length && file->fd < 0) {
		uint64_t within = offset % LF_FAKE_CHUNK_BYTES;
		uint64_t now = least(length, LF_FAKE_CHUNK_BYTES - within);
		struct lf_fake_chunk *chunk = find(file, offset / LF_FAKE_CHUNK_BYTES);
		if (chunk && chunk->is_there)
			put(file, offset, NULL, 0xd5, now);
		offset += now, length -= now;
	}
	pthread_mutex_unlock(&file->mutex);
}

void lf_fake_data_flush(struct lf_fake_file *file)
{
	pthread_mutex_lock(&file->mutex);
	file->stable_size = file->size;
	for (uint32_t i = 0; i < LF_FAKE_BUCKETS && file->is_volatile; i++) {
		for (struct lf_fake_chunk *chunk = file->chunks[i]; chunk; chunk = chunk->next) {
			free(chunk->stable);
			chunk->stable = NULL;
			chunk->is_dirty = false;
		}
	}
	pthread_mutex_unlock(&file->mutex);
}

void lf_fake_file_volatile(struct lf_fake_file *file)
{
	if (file->fd >= 0)
		lf_fake_broken("a file of the host's loses nothing");
	pthread_mutex_lock(&file->mutex);
	file->is_volatile = true;
	file->stable_size = file->size;
	pthread_mutex_unlock(&file->mutex);
}

void lf_fake_file_lose(struct lf_fake_file *file)
{
	pthread_mutex_lock(&file->mutex);
	for (uint32_t i = 0; i < LF_FAKE_BUCKETS; i++) {
		for (struct lf_fake_chunk *chunk = file->chunks[i]; chunk; chunk = chunk->next) {
			if (!chunk->is_dirty)
				continue;
			if (chunk->was_there)
				memcpy(chunk->data, chunk->stable, LF_FAKE_CHUNK_BYTES);
			chunk->is_there = chunk->was_there;
			free(chunk->stable);
			chunk->stable = NULL;
			chunk->is_dirty = false;
		}
	}
	file->size = file->stable_size;
	pthread_mutex_unlock(&file->mutex);
}

void lf_fake_data_resize(struct lf_fake_file *file, uint64_t size)
{
	pthread_mutex_lock(&file->mutex);
	if (file->fd >= 0 && ftruncate(file->fd, (off_t)size))
		lf_fake_broken("the host cannot resize the file behind %s", file->path);
	for (uint32_t i = 0; i < LF_FAKE_BUCKETS && size < file->size; i++) {
		for (struct lf_fake_chunk *chunk = file->chunks[i]; chunk; chunk = chunk->next) {
			uint64_t start = chunk->number * LF_FAKE_CHUNK_BYTES;
			if (start >= size)
				drop(file, chunk);
			else if (chunk->is_there && start + LF_FAKE_CHUNK_BYTES > size)
				put(file, size, NULL, 0, start + LF_FAKE_CHUNK_BYTES - size);
		}
	}
	file->size = size;
	pthread_mutex_unlock(&file->mutex);
}

static bool linux_range(
	struct lf_fake_file *file, uint64_t offset, uint64_t end, uint64_t *from, uint64_t *length)
{
	off_t start = lseek(file->fd, (off_t)offset, SEEK_DATA);
	if (start < 0 || (uint64_t)start >= end)
		return false;
	off_t stop = lseek(file->fd, start, SEEK_HOLE);
	*from = (uint64_t)start;
	*length = least((uint64_t)stop, end) - (uint64_t)start;
	return true;
}

bool lf_fake_data_range(
	struct lf_fake_file *file, uint64_t offset, uint64_t end, uint64_t *from, uint64_t *length)
{
	bool found = false;
	pthread_mutex_lock(&file->mutex);
	end = least(end, file->size);
	*from = offset;
	if (file->fd >= 0) {
		found = offset < end && linux_range(file, offset, end, from, length);
	} else if (!(file->attributes & FILE_ATTRIBUTE_SPARSE_FILE)) {
		*length = end - offset;
		found = offset < end;
	} else {
		/* The first chunk that is there: by the lists, as a file of 10 TiB has many that are not. */
		uint64_t first = UINT64_MAX, at;
		for (uint32_t i = 0; i < LF_FAKE_BUCKETS; i++)
			for (struct lf_fake_chunk *chunk = file->chunks[i]; chunk; chunk = chunk->next)
				if (chunk->is_there && chunk->number >= offset / LF_FAKE_CHUNK_BYTES &&
					chunk->number < first)
					first = chunk->number;
		found = offset < end && first != UINT64_MAX && first * LF_FAKE_CHUNK_BYTES < end;
		for (at = first; found && at * LF_FAKE_CHUNK_BYTES < end; at++) {
			struct lf_fake_chunk *chunk = find(file, at);
			if (!chunk || !chunk->is_there)
				break;
		}
		if (found && first * LF_FAKE_CHUNK_BYTES > offset)
			*from = first * LF_FAKE_CHUNK_BYTES;
		if (found)
			*length = least(at * LF_FAKE_CHUNK_BYTES, end) - *from;
	}
	pthread_mutex_unlock(&file->mutex);
	return found;
}

uint64_t lf_fake_file_allocated(struct lf_fake_file *file)
{
	uint64_t sum = 0, from = 0, length = 0;
	while (lf_fake_data_range(file, from + length, UINT64_MAX, &from, &length))
		sum += length;
	return sum;
}

void lf_fake_file_read(struct lf_fake_file *file, uint64_t offset, void *to, size_t length_bytes)
{
	lf_fake_data_read(file, offset, to, length_bytes);
}

void lf_fake_file_write(struct lf_fake_file *file, uint64_t offset, const void *from, size_t length_bytes)
{
	lf_fake_data_write(file, offset, from, length_bytes);
	lf_fake_data_flush(file);
}

uint64_t lf_fake_file_size(struct lf_fake_file *file)
{
	pthread_mutex_lock(&file->mutex);
	uint64_t size = file->size;
	pthread_mutex_unlock(&file->mutex);
	return size;
}

void lf_fake_file_resize(struct lf_fake_file *file, uint64_t size_bytes)
{
	lf_fake_data_resize(file, size_bytes);
}
