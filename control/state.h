/* SPDX-License-Identifier: BSD-2-Clause */
/* state.h: the small file beside a disk for what outlives the adapter: its place, and whether it is fit. */
#ifndef LF_CONTROL_STATE_H
#define LF_CONTROL_STATE_H

#include "platform/platform.h"

/*
 * Opens the state file of the disk that path and serial make (lf_identity_derive), or makes an empty one. The
 * name is that of the designator, so only what initiators take for the same disk gets it. message is "cause:
 * remedy".
 */
enum lf_error lf_control_state_open(
	const char *path, const char *serial, int *fd, struct lf_message *message);

/*
 * What somebody passed: a regular file to read and to write, that no other adapter has. It stays locked for
 * as long as it is open. False: message says why.
 */
bool lf_control_state_take(lf_handle handle, struct lf_message *message);

/* Before one that was taken is closed: when nothing was ever saved in it, the file is removed. */
void lf_control_state_leave(lf_handle handle);

/*
 * What was last saved in it, to be freed by lf_free; NULL: nothing, and when message is not empty, what was
 * there is lost.
 */
void *lf_control_state_load(lf_handle handle, size_t *length_bytes, struct lf_message *message);

#endif
