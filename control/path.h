/* SPDX-License-Identifier: BSD-2-Clause */
/* path.h: paths of images as this system writes them: path_linux.c, path_nt.c; pure. */
#ifndef LF_CONTROL_PATH_H
#define LF_CONTROL_PATH_H

#include "platform/platform.h"

/* Why the path names no image, as "cause: remedy"; NULL: it may. Pure: whether there is such a file, it does
 * not say. */
const char *lf_path_problem(const char *path);

/* Its last part. */
const char *lf_path_base(const char *path);

/* Whether two paths are one, as far as their letters tell. */
bool lf_path_is_same(const char *one, const char *other);

#endif
