/* SPDX-License-Identifier: BSD-2-Clause */
/* digest.c: CRC32C, by whatever instructions the processor has for it. */
#include <isa-l/crc.h>
#include <limits.h>

#include "edge/iscsi/digest.h"

uint32_t lf_iscsi_crc(uint32_t crc, const void *bytes, size_t length)
{
	lf_assert(length <= INT_MAX);
	/* It only reads; its older versions do not say so. */
	return crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)length, crc);
}
