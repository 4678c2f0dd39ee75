/* SPDX-License-Identifier: BSD-2-Clause */
/* sha256_nt.c: SHA-256 (FIPS 180-4) where there is no library for it: a few texts at a CONNECT. */
#include "control/sha256.h"

#define BLOCK_BYTES 64
#define LENGTH_AT   56 /* where the last block has the length of all, in bits */
#define ROUNDS      64

/* 4.2.2: the first bits of the fractions of the cube roots of the first primes. */
static const uint32_t constants[ROUNDS] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b,
	0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74,
	0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3,
	0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354,
	0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
	0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3,
	0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa,
	0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* 5.3.3: likewise of the square roots. */
static const uint32_t start[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

struct hash {
	uint32_t state[8];
	uint64_t length_bytes;
	uint8_t block[BLOCK_BYTES]; /* filled up to length_bytes modulo its size */
};

static uint32_t rotate(uint32_t word, uint32_t by)
{
	return word >> by | word << (32 - by);
}

/* 6.2.2 step 1: the message schedule. */
static void spread(const uint8_t *block, uint32_t schedule[ROUNDS])
{
	for (uint32_t i = 0; i < 16; i++)
		schedule[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
			      (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (uint32_t i = 16; i < ROUNDS; i++) {
		uint32_t near = schedule[i - 2], far = schedule[i - 15];
		schedule[i] = (rotate(near, 17) ^ rotate(near, 19) ^ near >> 10) + schedule[i - 7] +
			      (rotate(far, 7) ^ rotate(far, 18) ^ far >> 3) + schedule[i - 16];
	}
}

/* 6.2.2 steps 2 to 4. v holds a to h. */
static void compress(struct hash *hash)
{
	uint32_t schedule[ROUNDS], v[8];

	spread(hash->block, schedule);
	memcpy(v, hash->state, sizeof(v));
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
		uint32_t one = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + choice +
			       constants[i] + schedule[i];
		uint32_t two = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + majority;
		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += one;
		v[0] = one + two;
	}
	for (uint32_t i = 0; i < 8; i++)
		hash->state[i] += v[i];
}

static void add_byte(struct hash *hash, uint8_t byte)
{
	hash->block[hash->length_bytes++ % BLOCK_BYTES] = byte;
	if (hash->length_bytes % BLOCK_BYTES == 0)
		compress(hash);
}

/* 5.1.1: a one bit, zeros, and the length in bits. */
static void finish(struct hash *hash)
{
	uint64_t bits = hash->length_bytes * 8;

	add_byte(hash, 0x80);
	while (hash->length_bytes % BLOCK_BYTES != LENGTH_AT)
		add_byte(hash, 0);
	for (uint32_t i = 0; i < 8; i++)
		add_byte(hash, (uint8_t)(bits >> (56 - 8 * i)));
}

void lf_sha256_of_texts(const char *const *texts, uint32_t count, uint8_t digest[LF_SHA256_BYTES])
{
	struct hash hash;

	memset(&hash, 0, sizeof(hash));
	memcpy(hash.state, start, sizeof(hash.state));
	for (uint32_t i = 0; i < count; i++) {
		for (const char *at = texts[i]; *at; at++)
			add_byte(&hash, (uint8_t)*at);
		add_byte(&hash, 0);
	}
	finish(&hash);
	for (uint32_t i = 0; i < LF_SHA256_BYTES; i++)
		digest[i] = (uint8_t)(hash.state[i / 4] >> (24 - 8 * (i % 4)));
}
