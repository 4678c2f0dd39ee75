/* SPDX-License-Identifier: BSD-2-Clause */
/* sha256.h: the digest that names are made from: nettle's on Linux (sha256_linux.c), our own in the Windows
 * kernel (sha256_nt.c). */
#ifndef LF_CONTROL_SHA256_H
#define LF_CONTROL_SHA256_H

#include "platform/platform.h"

#define LF_SHA256_BYTES 32

/* FIPS 180-4, of the texts one behind the other, each with the zero at its end. */
void lf_sha256_of_texts(const char *const *texts, uint32_t count, uint8_t digest[LF_SHA256_BYTES]);

#endif
