/* SPDX-License-Identifier: BSD-2-Clause */
/* source.h: opening an image with the rights of the one who asks; sizes as people write them. */
#ifndef LF_CONTROL_SOURCE_H
#define LF_CONTROL_SOURCE_H

#include "control/codec.h"
#include "core/io.h"

#include <limits.h>

struct lf_control_source {
	char path[PATH_MAX]; /* absolute, without symbolic links */
	int fd;
	bool created; /* by this call: who fails later removes it again */
};

/* message is "cause: remedy". The descriptor is the caller's, close-on-exec. */
enum lf_error lf_control_source_open(
	const char *image, bool read_only, struct lf_control_source *source, struct lf_message *message);

/* Makes a sparse image that was not there before. */
enum lf_error lf_control_source_create(
	const char *image, uint64_t size_bytes, struct lf_control_source *source, struct lf_message *message);

/*
 * "512", "20G", "8EiB", "1MB": a whole number and a unit, a power of 1024, or of 1000 when it ends in B
 * without an i, as truncate has it. False: no size, or more than 2^63-1.
 */
bool lf_control_parse_size(const char *text, uint64_t *size_bytes);

/* Decimal digits only; false when it is none or above most. */
bool lf_control_parse_number(const char *text, uint64_t most, uint64_t *number);

#endif
