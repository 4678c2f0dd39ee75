/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stamp.h: every 512-byte sector says whose it is (seed), where it belongs (its number on the unit) and which
 * write made it (generation); the rest of it follows from these, so a wrong or torn sector is always seen.
 * Host byte order: whoever writes a stamp also reads it.
 */
#ifndef LF_TESTS_STAMP_H
#define LF_TESTS_STAMP_H

#include <stdint.h>

#define LF_STAMP_BYTES 512
#define LF_STAMP_WORDS (LF_STAMP_BYTES / 8)
#define LF_STAMP_MAGIC UINT64_C(0x6c756e6766697368)
#define LF_STAMP_STEP  UINT64_C(0x9e3779b97f4a7c15)

enum lf_stamp { LF_STAMP_GOOD, LF_STAMP_ZERO, LF_STAMP_WRONG };

static inline uint64_t lf_stamp_mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* A pseudo-random sequence of its own for each start value. */
static inline uint64_t lf_random(uint64_t *state)
{
	return lf_stamp_mix(*state += LF_STAMP_STEP);
}

/* bound below 2^32. */
static inline uint64_t lf_random_below(uint64_t *state, uint64_t bound)
{
	return (lf_random(state) >> 32) * bound >> 32;
}

static inline uint64_t lf_stamp_base(uint64_t seed, uint64_t sector, uint64_t generation)
{
	return lf_stamp_mix(seed ^ lf_stamp_mix(sector ^ lf_stamp_mix(generation)));
}

static inline void lf_stamp_fill(uint64_t *words, uint64_t seed, uint64_t sector, uint64_t generation)
{
	uint64_t value = lf_stamp_base(seed, sector, generation);
	words[0] = LF_STAMP_MAGIC ^ seed;
	words[1] = sector;
	words[2] = generation;
	for (unsigned int i = 3; i < LF_STAMP_WORDS; i++, value += LF_STAMP_STEP)
		words[i] = value;
}

/* GOOD: a whole sector of this seed and place, with some generation, which the caller judges. */
static inline enum lf_stamp lf_stamp_check(
	const uint64_t *words, uint64_t seed, uint64_t sector, uint64_t *generation)
{
	uint64_t value = lf_stamp_base(seed, sector, words[2]);
	uint64_t difference = (words[0] ^ LF_STAMP_MAGIC ^ seed) | (words[1] ^ sector), any = words[0];
	*generation = words[2];
	for (unsigned int i = 3; i < LF_STAMP_WORDS; i++, value += LF_STAMP_STEP)
		difference |= words[i] ^ value;
	if (difference == 0)
		return LF_STAMP_GOOD;
	for (unsigned int i = 1; i < LF_STAMP_WORDS; i++)
		any |= words[i];
	*generation = 0;
	return any ? LF_STAMP_WRONG : LF_STAMP_ZERO;
}

#endif
