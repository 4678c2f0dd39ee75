/* SPDX-License-Identifier: BSD-2-Clause */
/* image_nt.h: opening an image in the kernel with the rights of the one who asks. */
#ifndef LF_CONTROL_IMAGE_NT_H
#define LF_CONTROL_IMAGE_NT_H

#include "control/system.h"
#include "platform/nt.h"

/*
 * In a thread of the caller's own, PASSIVE_LEVEL: a share that does not answer holds it for as long as its
 * redirector has patience. path is UTF-8 and absolute as the kernel has it: \??\C:\disk.img,
 * \??\UNC\server\share\disk.img, \??\Volume{...}\disk.img. OK: the handle is the caller's. Else message is
 * "cause: remedy"; of one that somebody else has open, user is the file, as far as that can be told.
 */
enum lf_control_status lf_image_open(const char *path, bool read_only, SECURITY_CLIENT_CONTEXT *client,
	lf_handle *handle, struct lf_system_file *user, struct lf_message *message);

#endif
