/* SPDX-License-Identifier: BSD-2-Clause */
/* bytes.h: big-endian numbers at any alignment, as CDBs, replies and PDUs hold them. */
#ifndef LF_PLATFORM_BYTES_H
#define LF_PLATFORM_BYTES_H

#include <stdint.h>

static inline uint16_t lf_get_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t lf_get_be24(const uint8_t *at)
{
	return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
}

static inline uint32_t lf_get_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t lf_get_be64(const uint8_t *at)
{
	return (uint64_t)lf_get_be32(at) << 32 | lf_get_be32(at + 4);
}

static inline void lf_put_be16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void lf_put_be24(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 16);
	at[1] = (uint8_t)(value >> 8);
	at[2] = (uint8_t)value;
}

static inline void lf_put_be32(uint8_t *at, uint32_t value)
{
	lf_put_be16(at, (uint16_t)(value >> 16));
	lf_put_be16(at + 2, (uint16_t)value);
}

static inline void lf_put_be64(uint8_t *at, uint64_t value)
{
	lf_put_be32(at, (uint32_t)(value >> 32));
	lf_put_be32(at + 4, (uint32_t)value);
}

#endif
