/* SPDX-License-Identifier: BSD-2-Clause */
/* size.h: numbers and sizes as people write them. */
#ifndef LF_CONTROL_SIZE_H
#define LF_CONTROL_SIZE_H

#include "platform/platform.h"

/*
 * "512", "20G", "8EiB", "1MB": a whole number and a unit, a power of 1024, or of 1000 when it ends in B
 * without an i, as truncate has it. False: no size, or more than 2^63-1.
 */
bool lf_control_parse_size(const char *text, uint64_t *size_bytes);

/* Decimal digits only; false when it is none or above most. */
bool lf_control_parse_number(const char *text, uint64_t most, uint64_t *number);

#endif
