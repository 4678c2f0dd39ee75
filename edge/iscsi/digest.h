/* SPDX-License-Identifier: BSD-2-Clause */
/* digest.h: CRC32C over headers and data (RFC 7143 13.1), piece by piece, and its four bytes on the wire. */
#ifndef LF_ISCSI_DIGEST_H
#define LF_ISCSI_DIGEST_H

#include "platform/platform.h"

#define ISCSI_DIGEST_LENGTH 4
#define ISCSI_CRC_START     0xffffffffu

/* Goes on from crc, which begins with ISCSI_CRC_START. */
uint32_t lf_iscsi_crc(uint32_t crc, const void *bytes, size_t length);

/* Ends it: bit 31 of the remainder is the first one on the wire (13.1), each byte with its low bit first. */
static inline void iscsi_put_digest(uint8_t *at, uint32_t crc)
{
	crc = ~crc;
	for (uint32_t i = 0; i < ISCSI_DIGEST_LENGTH; i++)
		at[i] = (uint8_t)(crc >> 8 * i);
}

static inline bool iscsi_digest_is(const uint8_t *at, uint32_t crc)
{
	uint8_t right[ISCSI_DIGEST_LENGTH];

	iscsi_put_digest(right, crc);
	return memcmp(at, right, sizeof(right)) == 0;
}

#endif
