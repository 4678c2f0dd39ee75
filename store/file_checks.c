/* SPDX-License-Identifier: BSD-2-Clause */
/* file_checks.c: what the file stores of each system refuse alike, and in which words. */
#include "store/file_checks.h"

#define SHOWN_MAX_BYTES 120
#define DISC_BLOCK      2048u /* a CD-ROM's: no other is possible, and its images are downloads */

const char *lf_file_shown(const char *path)
{
	size_t length = strlen(path);

	return length > SHOWN_MAX_BYTES ? path + length - SHOWN_MAX_BYTES : path;
}

enum lf_error lf_file_refuse(struct lf_message *message, const struct lf_source *source, enum lf_error error,
	const char *cause_and_remedy)
{
	lf_message_set(message, "%s: %s", lf_file_shown(source->path), cause_and_remedy);
	return error;
}

/* What nobody asked for is what the disk below prefers, as far as that is a size that a disk can have. */
static uint32_t physical_of(uint32_t preferred, uint32_t size)
{
	if (lf_file_is_power_of_two(preferred))
		return lf_min(lf_max(preferred, size), LF_FILE_PHYSICAL_MAX);
	return size == 512 ? LF_FILE_PHYSICAL_DEFAULT : size;
}

enum lf_error lf_file_check_block_sizes(const struct lf_source *source, uint32_t physical,
	struct lf_store_info *info, struct lf_message *message)
{
	uint32_t size = source->block_size ? source->block_size : 512;

	if (size != 512 && size != 2048 && size != 4096) {
		lf_message_set(message, "%s: no block size: %u: it is 512, 2048 or 4096",
			lf_file_shown(source->path), (unsigned)size);
		return LF_E_INVALID;
	}
	physical = source->physical_block_size ? source->physical_block_size : physical_of(physical, size);
	if (!lf_file_is_power_of_two(physical) || physical < size || physical > LF_FILE_PHYSICAL_MAX) {
		lf_message_set(message,
			"%s: no physical block size: %u: it is a power of two from the block size, %u, to %u",
			lf_file_shown(source->path), (unsigned)physical, (unsigned)size,
			LF_FILE_PHYSICAL_MAX);
		return LF_E_INVALID;
	}
	info->block_size = size;
	info->physical_block_size = physical;
	return LF_OK;
}

enum lf_error lf_file_check_size(const struct lf_source *source, uint64_t size_bytes,
	struct lf_store_info *info, struct lf_message *message)
{
	uint64_t block = info->block_size;

	if (size_bytes == 0)
		return lf_file_refuse(message, source, LF_E_INVALID,
			"empty: delete it, and let --create SIZE make it anew");
	if (size_bytes > INT64_MAX)
		return lf_file_refuse(
			message, source, LF_E_RANGE, "too large: 8 EiB less a block are possible");
	if (size_bytes % block != 0) {
		lf_message_set(message,
			"%s: its %llu bytes are no multiple of the block size %llu: make it %llu bytes%s",
			lf_file_shown(source->path), (unsigned long long)size_bytes,
			(unsigned long long)block,
			(unsigned long long)((size_bytes + block - 1) / block * block),
			block == DISC_BLOCK ? "; or is a part of it missing?" : ", or another --block-size");
		return LF_E_INVALID;
	}
	if (source->block_count_max && size_bytes / block > source->block_count_max) {
		lf_message_set(message,
			"%s: too large: %llu blocks of %llu bytes are possible: connect it as a disk",
			lf_file_shown(source->path), (unsigned long long)source->block_count_max,
			(unsigned long long)block);
		return LF_E_RANGE;
	}
	info->block_count = size_bytes / block;
	return LF_OK;
}

enum lf_error lf_file_check_growth(const char *path, uint64_t known_bytes, uint64_t now_bytes,
	uint32_t block_size, uint64_t *size_bytes, struct lf_message *message)
{
	uint64_t whole_bytes = now_bytes / block_size * block_size;

	if (*size_bytes == 0)
		*size_bytes = whole_bytes;
	if (*size_bytes < known_bytes || *size_bytes < whole_bytes) {
		lf_message_set(message,
			"%s: it has %llu bytes, and shrinks only while it is disconnected: disconnect it, "
			"cut it, connect it again",
			lf_file_shown(path), (unsigned long long)lf_max(known_bytes, now_bytes));
		return LF_E_INVALID;
	}
	if (*size_bytes % block_size != 0 || *size_bytes > INT64_MAX) {
		lf_message_set(message, "%s: no size for it: a multiple of %u bytes, less than 8 EiB",
			lf_file_shown(path), (unsigned)block_size);
		return LF_E_INVALID;
	}
	return LF_OK;
}

void lf_file_check_io(const struct lf_io *io, uint64_t size_bytes, bool read_only)
{
	lf_assert(io->op == LF_OP_SAVE ||
		  (io->offset_bytes <= size_bytes && io->length_bytes <= size_bytes - io->offset_bytes));
	lf_assert(!read_only || io->op == LF_OP_READ || io->op == LF_OP_FLUSH || io->op == LF_OP_SAVE ||
		  io->op == LF_OP_MAP || io->op == LF_OP_USAGE);
}
