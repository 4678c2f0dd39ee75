/* SPDX-License-Identifier: BSD-2-Clause */
/* url.c: iscsi://HOST:PORT/IQN/LUN taken apart. */
#include <stdlib.h>
#include <string.h>

#include "tests/initiator/initiator.h"

static bool copy_part(char *to, size_t size, const char *from, size_t length)
{
	if (length == 0 || length >= size)
		return false;
	memcpy(to, from, length);
	to[length] = 0;
	return true;
}

/* HOST or HOST:PORT, up to the slash at end. */
static bool parse_portal(const char *text, const char *end, struct lf_url *url, const char **why)
{
	const char *host = text, *host_end = memchr(text, ':', (size_t)(end - text)), *rest;
	if (*text == '[') {
		host = text + 1;
		host_end = memchr(text, ']', (size_t)(end - text));
		if (!host_end) {
			*why = "no ] after the IPv6 address";
			return false;
		}
		rest = host_end + 1;
	} else {
		if (!host_end)
			host_end = end;
		rest = host_end;
	}
	*why = "no host, or a host that is too long";
	if (!copy_part(url->host, sizeof(url->host), host, (size_t)(host_end - host)))
		return false;
	strcpy(url->port, "3260");
	*why = "a bad port";
	if (rest == end)
		return true;
	return *rest == ':' && copy_part(url->port, sizeof(url->port), rest + 1, (size_t)(end - rest - 1));
}

bool lf_url_parse(const char *text, struct lf_url *url, const char **why)
{
	static const char scheme[] = "iscsi://";
	const char *unused, *slash, *last;
	char *end;
	if (!why)
		why = &unused;
	memset(url, 0, sizeof(*url));
	*why = "it does not start with iscsi://";
	if (strncmp(text, scheme, sizeof(scheme) - 1) != 0)
		return false;
	text += sizeof(scheme) - 1;
	slash = strchr(text, '/');
	last = strrchr(text, '/');
	*why = "it needs a target name and a LUN: iscsi://HOST:PORT/IQN/LUN";
	if (!slash || last == slash || !last[1])
		return false;
	if (!parse_portal(text, slash, url, why))
		return false;
	*why = "a target name that is empty or too long";
	if (!copy_part(url->iqn, sizeof(url->iqn), slash + 1, (size_t)(last - slash - 1)))
		return false;
	*why = "a LUN that is no number from 0 to 16383";
	unsigned long lun = strtoul(last + 1, &end, 10);
	if (*end || lun > 16383 || last[1] < '0' || last[1] > '9')
		return false;
	url->lun = (uint32_t)lun;
	return true;
}

uint64_t lf_url_lun(const struct lf_url *url)
{
	/* SAM-5 4.7.7: peripheral device addressing, or flat space addressing (01b in the top bits). */
	uint64_t word = url->lun < 256 ? url->lun : 0x4000 | url->lun;
	return word << 48;
}
