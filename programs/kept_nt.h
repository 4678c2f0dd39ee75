/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kept_nt.h: connections that are kept: what connect --persist writes, what disconnect takes away again, what
 * the service (lungfish service) replays. They lie in the registry of the machine, for administrators. Who
 * connects with line->persist, by lf_connect_image, and disconnects as the command does needs no more than
 * lf_kept_has.
 */
#ifndef LF_PROGRAMS_KEPT_NT_H
#define LF_PROGRAMS_KEPT_NT_H

#include "programs/lungfish.h"

#define LF_KEPT_MAX 256 /* records */
#define LF_KEPT_KEY "SOFTWARE\\Lungfish\\Connections"

/* What it takes to connect the image again: by what name the device is to come, and how; its path is absolute
 * (\??\C:\disk.img), or empty: a drive without a medium. */
struct lf_kept {
	struct lf_control_connect connect;
};

/* Adds it, in place of what is kept by its name or of its image. LF_EXIT_DONE, or the exit status after a
 * report. Any thread, all of these. */
int lf_kept_add(const struct lf_command_line *line, const struct lf_kept *kept);
/* LF_EXIT_NOT_FOUND, without a report: none of that name, or a damaged one. */
int lf_kept_read(const char *name, struct lf_kept *kept);
/* None of that name is LF_EXIT_NOT_FOUND, without a report. A damaged one goes as well. */
int lf_kept_remove(const struct lf_command_line *line, const char *name);
/* Whether the device is one that is kept, by its name and its image, or its name and being a drive. */
bool lf_kept_has(const struct lf_control_device *device);
/* Each that can be believed, until each returns false; of each other a warning is told. */
int lf_kept_walk(const struct lf_command_line *line, bool (*each)(void *context, const struct lf_kept *kept),
	void *context);

#endif
