/* SPDX-License-Identifier: BSD-2-Clause */
/* file_checks.h: what the file stores of each system refuse alike, and in which words. */
#ifndef LF_STORE_FILE_CHECKS_H
#define LF_STORE_FILE_CHECKS_H

#include "core/io.h"

#define LF_FILE_PHYSICAL_DEFAULT 4096u
#define LF_FILE_PHYSICAL_MAX     65536u

static inline bool lf_file_is_power_of_two(uint64_t number)
{
	return number != 0 && (number & (number - 1)) == 0;
}

/* The end of a path that is too long for a message. */
const char *lf_file_shown(const char *path);
/* The error, its message set. */
enum lf_error lf_file_refuse(struct lf_message *message, const struct lf_source *source, enum lf_error error,
	const char *cause_and_remedy);

/* Sets both sizes of info. physical: what the disk below prefers; 0: it does not say. */
enum lf_error lf_file_check_block_sizes(const struct lf_source *source, uint32_t physical,
	struct lf_store_info *info, struct lf_message *message);
/* Sets the count of info's blocks, whose size is set. */
enum lf_error lf_file_check_size(const struct lf_source *source, uint64_t size_bytes,
	struct lf_store_info *info, struct lf_message *message);
/*
 * An open image of known_bytes is to get *size_bytes; 0, which is then set: as many blocks as its file, which
 * has now_bytes, has.
 */
enum lf_error lf_file_check_growth(const char *path, uint64_t known_bytes, uint64_t now_bytes,
	uint32_t block_size, uint64_t *size_bytes, struct lf_message *message);
/* The core's promises to every store. */
void lf_file_check_io(const struct lf_io *io, uint64_t size_bytes, bool read_only);

#endif
