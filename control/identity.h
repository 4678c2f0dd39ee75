/* SPDX-License-Identifier: BSD-2-Clause */
/* identity.h: names that stay: a unit's serial number and designator, and the target's default iSCSI name. */
#ifndef LF_CONTROL_IDENTITY_H
#define LF_CONTROL_IDENTITY_H

#include "platform/platform.h"

#define LF_IDENTITY_SERIAL_MAX 32  /* characters of a serial number, VPD page 80h */
#define LF_IDENTITY_IQN_MAX    223 /* bytes of an iSCSI name, RFC 7143 4.2.7.1 */

struct lf_identity {
	char serial[LF_IDENTITY_SERIAL_MAX + 1];
	uint64_t identifier; /* 60 bits, for an NAA 3h designator */
};

/*
 * The same machine and the same path, the same identity, tomorrow as today. serial replaces the path when it
 * is not empty: an image that moves on its machine stays the same unit, and two machines never make the same.
 */
void lf_identity_derive(
	const char *machine, const char *path, const char *serial, struct lf_identity *identity);

/* "iqn.2026-01.io.lungfish:" and the host's name, made of what an iSCSI name may hold (RFC 3722). */
void lf_identity_default_iqn(const char *host, char iqn[LF_IDENTITY_IQN_MAX + 1]);

#endif
