/* SPDX-License-Identifier: BSD-2-Clause */
/* sha256_linux.c: SHA-256 by nettle. */
#include "control/sha256.h"

#include <nettle/sha2.h>

_Static_assert(LF_SHA256_BYTES == SHA256_DIGEST_SIZE, "one digest");

void lf_sha256_of_texts(const char *const *texts, uint32_t count, uint8_t digest[LF_SHA256_BYTES])
{
	struct sha256_ctx hash;

	sha256_init(&hash);
	for (uint32_t i = 0; i < count; i++)
		sha256_update(&hash, strlen(texts[i]) + 1, (const uint8_t *)texts[i]);
	sha256_digest(&hash, LF_SHA256_BYTES, digest);
}
