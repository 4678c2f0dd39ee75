/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kept_nt.h: connections that are kept: what connect --persist writes, what disconnect takes away again, what
 * the service (lungfish service) replays. They lie in the registry of the machine, for administrators.
 */
#ifndef LF_PROGRAMS_KEPT_NT_H
#define LF_PROGRAMS_KEPT_NT_H

#include "programs/lungfish.h"

/* What it takes to connect the image again. image: as the control protocol has it, absolute
 * (\??\C:\disk.img). */
struct lf_kept {
	struct lf_control_connect connect; /* name, path and how; no handles */
};

/* Adds or replaces the one of this image. LF_EXIT_DONE, or the exit status after a report. Any thread, all of
 * these. */
int lf_kept_add(const struct lf_command_line *line, const struct lf_kept *kept);
/* By the image's path (struct lf_control_device's); none of that path is no error. */
int lf_kept_remove(const struct lf_command_line *line, const char *image);
/* Whether the device is one that is kept. */
bool lf_kept_has(const struct lf_control_device *device);
/* For each; each returns false to stop. */
int lf_kept_walk(const struct lf_command_line *line, bool (*each)(void *context, const struct lf_kept *kept),
	void *context);

#endif
