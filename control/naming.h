/* SPDX-License-Identifier: BSD-2-Clause */
/* naming.h: short names of devices, and what the options of a CONNECT may be. */
#ifndef LF_CONTROL_NAMING_H
#define LF_CONTROL_NAMING_H

#include "control/codec.h"

#define LF_NAMING_CAPACITY 62 /* with the zero at the end */

/* Letters, digits, '.', '_', '-'; not only digits, which are a device's number. */
bool lf_naming_is_valid(const char *name);

/* A free name from the last part of a path without its suffix: "disk", "disk-2". */
void lf_naming_make(const char *path, bool (*taken)(void *context, const char *name), void *context,
	char name[LF_NAMING_CAPACITY]);

/* Everything in a CONNECT that does not depend on the image; its address is one of so many. */
enum lf_control_status lf_naming_check_request(const struct lf_control_connect *request,
	uint32_t target_count, uint32_t lun_count, struct lf_message *message);

#endif
