/* SPDX-License-Identifier: BSD-2-Clause */
/* identity.c: serial numbers and NAA identifiers from the machine id and the path, by SHA-256. */
#include "control/identity.h"
#include "control/sha256.h"

#define IQN_PREFIX "iqn.2026-01.io.lungfish:"

static uint64_t load_big_endian(const uint8_t *bytes)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

void lf_identity_derive(
	const char *machine, const char *path, const char *serial, struct lf_identity *identity)
{
	bool given = serial && *serial;
	/* The digest marks the end of each, so that no two pairs of them run together into the same bytes. */
	const char *const parts[] = {
		"lungfish unit 1", machine, given ? "serial" : "path", given ? serial : path};
	uint8_t digest[LF_SHA256_BYTES];

	lf_sha256_of_texts(parts, lf_count_of(parts), digest);
	if (given)
		lf_format(identity->serial, sizeof(identity->serial), "%s", serial);
	else
		lf_format(identity->serial, sizeof(identity->serial), "%016llx",
			(unsigned long long)load_big_endian(digest));
	identity->identifier = load_big_endian(digest + 8) & ((UINT64_C(1) << 60) - 1);
}

void lf_identity_default_iqn(const char *host, char iqn[LF_IDENTITY_IQN_MAX + 1])
{
	size_t at = strlen(IQN_PREFIX);

	memcpy(iqn, IQN_PREFIX, at);
	for (; *host && *host != '.' && at < LF_IDENTITY_IQN_MAX; host++) {
		char c = *host;
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		else if ((c < 'a' || c > 'z') && (c < '0' || c > '9'))
			c = '-';
		iqn[at++] = c;
	}
	if (at == strlen(IQN_PREFIX))
		iqn[at++] = '0';
	iqn[at] = '\0';
}
