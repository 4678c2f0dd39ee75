/* SPDX-License-Identifier: BSD-2-Clause */
/* install_nt.h: the driver on this machine: driver install, remove and status, for the command and the
 * window. */
#ifndef LF_PROGRAMS_INSTALL_NT_H
#define LF_PROGRAMS_INSTALL_NT_H

#include "programs/lungfish.h"

/*
 * Makes the root device, gives it the driver of the setup information file, waits until the adapter answers.
 * inf: NULL for the lungfish.inf beside this program. Nothing is left of an installation that fails.
 * LF_EXIT_DONE, or the exit status after a report that says what Windows refused, why, and what helps.
 */
int lf_driver_install(const struct lf_command_line *line, const wchar_t *inf);

#endif
