/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * path_nt.c: paths as the kernel of Windows has them: below a drive or a share, nothing left to resolve. What
 * Win32 would take for another name than the file system does is refused, so that a path means one file.
 */
#include "control/path.h"

#define ROOT   "\\??\\"
#define SERVER "UNC\\"
#define VOLUME "Volume{"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool begins_with(const char *text, const char *start)
{
	for (; *start; start++, text++) {
		if (lower(*text) != lower(*start))
			return false;
	}
	return true;
}

/* ':' would name a stream, '/' is a separator to Win32 alone, the others stand for more than one name. */
static bool is_allowed(char c)
{
	return (unsigned char)c >= 0x20 && !strchr("\"*/:<>?|", c);
}

/* The parts of a path, divided by backslashes: how many there are, or 0 when one of them is no name. */
static uint32_t count_parts(const char *text)
{
	uint32_t count = 1;
	char last = '\0'; /* of the part so far */

	for (; *text; text++) {
		if (*text != '\\' && !is_allowed(*text))
			return 0;
		if (*text == '\\') {
			if (last == '\0' || last == '.' || last == ' ')
				return 0;
			count++;
		}
		last = *text == '\\' ? '\0' : *text;
	}
	return last == '\0' || last == '.' || last == ' ' ? 0 : count;
}

const char *lf_path_problem(const char *path)
{
	const char *rest = path + sizeof(ROOT) - 1;
	uint32_t least = 1, count;

	if (strncmp(path, ROOT, sizeof(ROOT) - 1) != 0)
		return "the path of the image is not absolute: it begins with \\??\\ and a drive, or with "
		       "\\??\\UNC\\ and a server";
	if (begins_with(rest, SERVER)) {
		rest += sizeof(SERVER) - 1;
		least = 3; /* server, share, file */
	} else if (begins_with(rest, VOLUME)) {
		least = 2; /* one without a letter, file */
	} else if (lower(rest[0]) >= 'a' && lower(rest[0]) <= 'z' && rest[1] == ':' && rest[2] == '\\') {
		rest += 3;
	} else {
		return "the path of the image names no drive, volume or share: give one that does";
	}
	/* "\??\UNC\;" goes on with a redirector, or with whose drive it is: the same file by another name. */
	if (least == 3 && *rest == ';')
		return "the path of the image has no server behind \\??\\UNC\\: begin with its name";
	count = count_parts(rest);
	if (count == 0)
		return "the path of the image has a part that is no name of a file: none is empty, ends in a "
		       "dot or a space, or holds any of \" * / : < > ? |";
	return count < least ? "the path of the image ends at its volume: name a file on it" : NULL;
}

const char *lf_path_base(const char *path)
{
	const char *slash = strrchr(path, '\\');

	return slash ? slash + 1 : path;
}

/* Letters beyond ASCII are the file system's: who writes them differently names another path. */
bool lf_path_is_same(const char *one, const char *other)
{
	return begins_with(one, other) && strlen(one) == strlen(other);
}
