/* SPDX-License-Identifier: BSD-2-Clause */
/* path_linux.c: paths as Linux has them: whoever asks has resolved them, and opened what they name. */
#include "control/path.h"

const char *lf_path_problem(const char *path)
{
	return path[0] == '/' ? NULL : "the path of the image is not absolute: it begins with /";
}

const char *lf_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool lf_path_is_same(const char *one, const char *other)
{
	return strcmp(one, other) == 0;
}
