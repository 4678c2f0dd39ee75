/* SPDX-License-Identifier: BSD-2-Clause */
/* size.c: numbers and sizes as people write them. */
#include "control/size.h"

#include <string.h>

bool lf_control_parse_number(const char *text, uint64_t most, uint64_t *number)
{
	uint64_t value = 0;

	if (*text == '\0')
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || value > (UINT64_MAX - 9) / 10)
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
	}
	*number = value;
	return value <= most;
}

bool lf_control_parse_size(const char *text, uint64_t *size_bytes)
{
	static const char units[] = "KMGTPE";
	size_t digits = strspn(text, "0123456789");
	char number[24];
	const char *unit = text + digits;
	uint64_t base = 1024, value;
	const char *found;

	if (digits == 0 || digits >= sizeof(number))
		return false;
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (!lf_control_parse_number(number, INT64_MAX, &value))
		return false;
	if (*unit != '\0' && strcmp(unit, "B") != 0) {
		char letter = *unit >= 'a' && *unit <= 'z' ? (char)(*unit - 'a' + 'A') : *unit;
		found = memchr(units, letter, sizeof(units) - 1);
		if (!found)
			return false;
		if (strcmp(unit + 1, "B") == 0)
			base = 1000;
		else if (unit[1] != '\0' && strcmp(unit + 1, "iB") != 0)
			return false;
		for (const char *at = units; at <= found; at++) {
			if (value > (uint64_t)INT64_MAX / base)
				return false;
			value *= base;
		}
	}
	*size_bytes = value;
	return true;
}
