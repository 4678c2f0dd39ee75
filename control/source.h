/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * source.h: an image as the one who asks has it: on Linux he opens it himself (source.c), on Windows the
 * driver does so for him, and what is found here is its path (source_nt.c).
 */
#ifndef LF_CONTROL_SOURCE_H
#define LF_CONTROL_SOURCE_H

#include "control/codec.h"
#include "control/size.h"

struct lf_control_source {
	char path[LF_CONTROL_PATH_CAPACITY]; /* absolute; on Linux without symbolic links */
	lf_handle handle;                    /* LF_HANDLE_NONE where the driver opens it */
	bool created;                        /* by this call: who fails later removes it again */
};

/* message is "cause: remedy". The handle is the caller's, and no child process has it. */
enum lf_error lf_control_source_open(
	const char *image, bool read_only, struct lf_control_source *source, struct lf_message *message);

/* Makes a sparse image that was not there before. */
enum lf_error lf_control_source_create(
	const char *image, uint64_t size_bytes, struct lf_control_source *source, struct lf_message *message);

/* Lets go of what was opened. */
void lf_control_source_close(struct lf_control_source *source);
/* Takes what was created away again. */
void lf_control_source_remove(const struct lf_control_source *source);

/* What somebody typed as a path like that of a source; false: it is none, or there is nothing. */
bool lf_control_source_path(const char *typed, char path[LF_CONTROL_PATH_CAPACITY]);

#endif
