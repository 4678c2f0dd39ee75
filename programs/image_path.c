/* SPDX-License-Identifier: BSD-2-Clause */
/* image_path.c: where an image is, as a person writes it. */
#include "programs/lungfish.h"

#include <string.h>
#include <strings.h>

#define KERNEL          "\\??\\"
#define KERNEL_OF_SHARE "\\??\\UNC\\"

const char *lf_image_shown(const char *path, char shown[LF_CONTROL_PATH_CAPACITY])
{
	const char *rest = path, *before = "";

	if (strncasecmp(path, KERNEL_OF_SHARE, strlen(KERNEL_OF_SHARE)) == 0) {
		before = "\\\\";
		rest = path + strlen(KERNEL_OF_SHARE);
	} else if (strncmp(path, KERNEL, strlen(KERNEL)) == 0) {
		rest = path + strlen(KERNEL);
		before = *rest != '\0' && rest[1] == ':' ? "" : "\\\\?\\";
	}
	snprintf(shown, LF_CONTROL_PATH_CAPACITY, "%s%s", before, rest);
	return shown;
}
