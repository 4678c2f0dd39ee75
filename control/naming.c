/* SPDX-License-Identifier: BSD-2-Clause */
/* naming.c: makes and checks names and options; pure. */
#include "control/naming.h"
#include "control/path.h"
#include "core/adapter.h"

#define SUFFIX_ROOM 12 /* "-4294967295" */

static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
	       c == '_' || c == '-';
}

bool lf_naming_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= LF_NAMING_CAPACITY || name[0] == '-' ||
		strspn(name, "0123456789") == length)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!is_name_character(name[i]))
			return false;
	}
	return true;
}

void lf_naming_make(const char *path, bool (*taken)(void *context, const char *name), void *context,
	char name[LF_NAMING_CAPACITY])
{
	const char *base = lf_path_base(path);
	const char *dot = strrchr(base, '.');
	size_t length = dot && dot != base ? (size_t)(dot - base) : strlen(base);
	char stem[LF_NAMING_CAPACITY - SUFFIX_ROOM];
	size_t at = 0;

	for (size_t i = 0; i < length && at < sizeof(stem) - 1; i++) {
		char c = is_name_character(base[i]) ? base[i] : '-';
		/* One '-' for many, and none at the start: it would look like an option. */
		if (c == '-' && (at == 0 || stem[at - 1] == '-'))
			continue;
		stem[at++] = c;
	}
	stem[at] = '\0';
	if (at == 0)
		lf_format(name, LF_NAMING_CAPACITY, "disk");
	else
		lf_format(name, LF_NAMING_CAPACITY, "%s%s", strspn(stem, "0123456789") == at ? "disk" : "",
			stem);
	if (!taken(context, name))
		return;
	lf_format(stem, sizeof(stem), "%.*s", (int)sizeof(stem) - 1, name);
	for (uint32_t i = 2; i != 0; i++) {
		lf_format(name, LF_NAMING_CAPACITY, "%s-%u", stem, i);
		if (!taken(context, name))
			return;
	}
}

/* SPC-4 4.4.1: an ASCII data field holds 20h to 7Eh; ours neither begins nor ends with the padding. */
static enum lf_control_status check_ascii(
	const char *what, const char *text, uint32_t most, struct lf_message *message)
{
	size_t length = strlen(text);
	bool good = length <= most;

	for (size_t i = 0; i < length; i++) {
		if (text[i] < 0x20 || text[i] > 0x7e)
			good = false;
	}
	if (length > 0 && (text[0] == ' ' || text[length - 1] == ' '))
		good = false;
	if (good)
		return LF_CONTROL_OK;
	lf_message_set(message, "%s %s: up to %u printable ASCII characters, no space at either end", what,
		text, most);
	return LF_CONTROL_INVALID;
}

static enum lf_control_status check_type(const struct lf_control_connect *request, struct lf_message *message)
{
	bool drive = request->type == LF_LU_CDROM;

	if (!drive && request->type != LF_LU_DISK) {
		lf_message_set(
			message, "peripheral device type %u is not supported by this release", request->type);
		return LF_CONTROL_UNSUPPORTED;
	}
	if (drive &&
		(request->block_size != 0 || request->physical_block_size != 0 || request->rotation != 0)) {
		lf_message_set(message, "a CD-ROM has blocks of 2048 bytes, and no rotation: leave them out");
		return LF_CONTROL_INVALID;
	}
	if (request->path.length == 0 && !drive && (request->flags & LF_CONTROL_REMOVABLE) == 0) {
		lf_message_set(message, "a disk without an image: only one that is removable may be empty");
		return LF_CONTROL_INVALID;
	}
	return LF_CONTROL_OK;
}

static enum lf_control_status check_geometry(
	const struct lf_control_connect *request, struct lf_message *message)
{
	uint32_t block = request->block_size, physical = request->physical_block_size;

	if (block != 0 && block != 512 && block != 4096) {
		lf_message_set(message, "a block size of %u: it is 512 or 4096", block);
		return LF_CONTROL_INVALID;
	}
	if (physical != 0 &&
		((physical & (physical - 1)) != 0 || physical < (block ? block : 512) || physical > 65536)) {
		lf_message_set(message,
			"a physical block size of %u: it is a power of two from the block size to 65536",
			physical);
		return LF_CONTROL_INVALID;
	}
	/* SBC-4 table 261: 0002h to 0400h and FFFFh are reserved. */
	if ((request->rotation > 1 && request->rotation < 0x401) || request->rotation == 0xffff) {
		lf_message_set(message, "a rotation of %u: it is ssd, or 1025 to 65534 revolutions a minute",
			request->rotation);
		return LF_CONTROL_INVALID;
	}
	return LF_CONTROL_OK;
}

enum lf_control_status lf_naming_check_request(const struct lf_control_connect *request,
	uint32_t target_count, uint32_t lun_count, struct lf_message *message)
{
	enum lf_control_status status = check_type(request, message);
	const char *problem = request->path.length > 0 ? lf_path_problem(request->path.bytes) : NULL;

	if (status != LF_CONTROL_OK)
		return status;
	if (request->target >= target_count) {
		lf_message_set(
			message, "there is no target %u: the last is %u", request->target, target_count - 1);
		return LF_CONTROL_INVALID;
	}
	if (request->lun != UINT32_MAX && request->lun >= lun_count) {
		lf_message_set(message, "there is no LUN %u: it is 0 to %u", request->lun, lun_count - 1);
		return LF_CONTROL_INVALID;
	}
	if (problem) {
		lf_message_set(message, "%s", problem);
		return LF_CONTROL_INVALID;
	}
	status = check_geometry(request, message);
	if (status == LF_CONTROL_OK)
		status = check_ascii("vendor", request->vendor.bytes, 8, message);
	if (status == LF_CONTROL_OK)
		status = check_ascii("product", request->product.bytes, 16, message);
	if (status == LF_CONTROL_OK)
		status = check_ascii("serial number", request->serial.bytes, 32, message);
	return status;
}
