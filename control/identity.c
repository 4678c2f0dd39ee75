/* SPDX-License-Identifier: BSD-2-Clause */
/* identity.c: serial numbers and NAA identifiers from the machine id and the path, by SHA-256. */
#include "control/identity.h"

#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define IQN_PREFIX "iqn.2026-01.io.lungfish:"

/* Each part with its end marked, so that no two pairs of parts run together into the same bytes. */
static void add_part(struct sha256_ctx *hash, const char *part)
{
	sha256_update(hash, strlen(part) + 1, (const uint8_t *)part);
}

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
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx hash;

	sha256_init(&hash);
	add_part(&hash, "lungfish unit 1");
	add_part(&hash, machine);
	add_part(&hash, given ? "serial" : "path");
	add_part(&hash, given ? serial : path);
	sha256_digest(&hash, sizeof(digest), digest);
	if (given)
		snprintf(identity->serial, sizeof(identity->serial), "%s", serial);
	else
		snprintf(identity->serial, sizeof(identity->serial), "%016llx",
			(unsigned long long)load_big_endian(digest));
	identity->identifier = load_big_endian(digest + 8) & ((UINT64_C(1) << 60) - 1);
}

static bool read_line(const char *path, char *line, size_t room_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return false;
	got = read(fd, line, room_bytes - 1);
	close(fd);
	line[got > 0 ? got : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return *line != '\0' && strcmp(line, "uninitialized") != 0;
}

void lf_identity_machine(char *machine, size_t room_bytes)
{
	if (read_line("/etc/machine-id", machine, room_bytes) ||
		read_line("/var/lib/dbus/machine-id", machine, room_bytes))
		return;
	/* Containers often have no id; their host name is made for each of them. */
	if (gethostname(machine, room_bytes) != 0)
		machine[0] = '\0';
	machine[room_bytes - 1] = '\0';
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
