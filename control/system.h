/* SPDX-License-Identifier: BSD-2-Clause */
/* system.h: what control asks of the system that it runs on: system_linux.c, system_nt.c. PASSIVE_LEVEL. */
#ifndef LF_CONTROL_SYSTEM_H
#define LF_CONTROL_SYSTEM_H

#include "control/protocol.h"

const char *lf_system_name(void); /* "linux", "windows" */
/* The one that serves; 0: it is part of the kernel. */
uint64_t lf_system_process_id(void);

/* The machine's id, or its host name where there is none; always terminated. */
void lf_system_machine(char *machine, size_t room_bytes);

/* Which file it is, however it is called. */
struct lf_system_file {
	bool known; /* false: its system cannot tell, and its path has to do */
	uint64_t volume, node[2];
};

/*
 * Examines what is to be an image; read_only: nothing writes to it. What says no more than that it cannot be
 * one: message is "cause: remedy".
 */
enum lf_control_status lf_system_identify(
	lf_handle handle, bool read_only, struct lf_system_file *file, struct lf_message *message);

#endif
