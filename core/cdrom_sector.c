/* SPDX-License-Identifier: BSD-2-Clause */
/* cdrom_sector.c: the bytes around the user data of a Mode 1 sector: sync, header, EDC and ECC (ECMA-130 14).
 */
#include "core/handlers.h"

#define HEADER_AT 12u
#define EDC_AT    2064u
#define ZEROS_AT  2068u
#define P_AT      2076u
#define Q_AT      2248u

/* ---- EDC: a CRC of 32 bits, polynomial (x^16 + x^15 + x^2 + 1)(x^16 + x^2 + x + 1), lowest bit first ----
 */

static uint32_t edc(const uint8_t *bytes, uint32_t length)
{
	/* What four bits that leave the register do to it. */
	static const uint32_t table[16] = {
		0x00000000,
		0x99011001,
		0x82012001,
		0x1b003000,
		0xb4014001,
		0x2d005000,
		0x36006000,
		0xaf017001,
		0xd8018001,
		0x41009000,
		0x5a00a000,
		0xc301b001,
		0x6c00c000,
		0xf501d001,
		0xee01e001,
		0x7700f000,
	};
	uint32_t crc = 0;

	for (uint32_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		crc = crc >> 4 ^ table[crc & 0x0f];
		crc = crc >> 4 ^ table[crc & 0x0f];
	}
	return crc;
}

/* ---- ECC: a Reed-Solomon product code over GF(2^8), x^8 + x^4 + x^3 + x^2 + 1 (ECMA-130 annex A) ---- */

static uint8_t times_alpha(uint8_t element)
{
	return (uint8_t)(element << 1 ^ (element & 0x80 ? 0x1d : 0));
}

/* By 1 / (alpha + 1), F4h. */
static uint8_t divide_by_alpha_plus_one(uint8_t element)
{
	uint8_t product = 0;

	for (uint32_t bit = 0x80; bit != 0; bit >>= 1) {
		product = times_alpha(product);
		if (bit & 0xf4)
			product ^= element;
	}
	return product;
}

/*
 * Two parity bytes for one vector of the code: with them the sum of all bytes is zero, and so is the sum of
 * each byte times alpha to the power of its distance from the end. The vector's bytes are those of every
 * `step`th word of 16 bits from `word` on, within `words`; low and high bytes are vectors of their own.
 */
struct vector {
	uint32_t word, step, words, count;
};

static void put_parity(uint8_t *sector, const struct vector *vector, uint32_t half, uint32_t first_parity_at,
	uint32_t second_parity_at)
{
	uint8_t sum = 0, weighted = 0;
	uint32_t word = vector->word;

	for (uint32_t i = 0; i < vector->count; i++) {
		uint8_t byte = sector[HEADER_AT + 2 * word + half];
		sum ^= byte;
		weighted = times_alpha((uint8_t)(weighted ^ byte));
		word = (word + vector->step) % vector->words;
	}
	/* first + second = sum; alpha first + second = weighted, once more times alpha */
	uint8_t first = divide_by_alpha_plus_one((uint8_t)(sum ^ times_alpha(weighted)));
	sector[first_parity_at + half] = first;
	sector[second_parity_at + half] = first ^ sum;
}

/* 43 columns of 24 words get P; 26 diagonals of 43 words, P among them, get Q. */
static void put_ecc(uint8_t *sector)
{
	enum { COLUMNS = 43, DATA_ROWS = 24, ROWS = 26 };

	for (uint32_t i = 0; i < 2 * COLUMNS; i++) {
		struct vector column = {i / 2, COLUMNS, COLUMNS * DATA_ROWS, DATA_ROWS};
		uint32_t at = P_AT + i / 2 * 2;
		put_parity(sector, &column, i % 2, at, at + 2 * COLUMNS);
	}
	for (uint32_t i = 0; i < 2 * ROWS; i++) {
		struct vector diagonal = {COLUMNS * (i / 2), COLUMNS + 1, COLUMNS * ROWS, COLUMNS};
		uint32_t at = Q_AT + i / 2 * 2;
		put_parity(sector, &diagonal, i % 2, at, at + 2 * ROWS);
	}
}

void lf_sector_mode_1(uint8_t sector[LF_SECTOR_RAW], uint32_t lba)
{
	uint32_t check;

	memset(sector, 0xff, HEADER_AT);
	sector[0] = sector[HEADER_AT - 1] = 0;
	lf_msf_put_bcd(sector + HEADER_AT, lba);
	sector[HEADER_AT + 3] = 1;
	check = edc(sector, EDC_AT);
	for (uint32_t i = 0; i < 4; i++)
		sector[EDC_AT + i] = (uint8_t)(check >> 8 * i);
	memset(sector + ZEROS_AT, 0, P_AT - ZEROS_AT);
	put_ecc(sector);
}
