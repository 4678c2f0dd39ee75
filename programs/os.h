/* SPDX-License-Identifier: BSD-2-Clause */
/* os.h: what the command does otherwise on Linux (os_linux.c) than on Windows (os_nt.c). */
#ifndef LF_PROGRAMS_OS_H
#define LF_PROGRAMS_OS_H

#include "programs/lungfish.h"

/* First of all: argv becomes UTF-8, and so does what is printed. */
void lf_os_start(int *argc, char ***argv);

void lf_os_sleep(uint32_t seconds);

/* Whether a backslash stays one in tables: where paths are made of them, and have no control characters. */
extern const bool lf_os_backslash_stays;

/*
 * The file for what a disk saves; LF_HANDLE_NONE when there is none: that is no reason not to connect. Closed
 * by lf_os_close_state.
 */
lf_handle lf_os_open_state(
	const struct lf_command_line *line, const char *image, const struct lf_control_source *source);
void lf_os_close_state(lf_handle handle);

/*
 * Before a device goes: whoever uses it on this machine lets it go. LF_EXIT_DONE, or the exit status after a
 * report that says who does not.
 */
int lf_os_release(const struct lf_command_line *line, struct lf_client *client, const char *id);

/*
 * Before the medium of a drive goes: the file systems that this machine has on it write what they hold and
 * let it go, until the lock is given back. With --force nobody is asked. As lf_os_release; *lock may be NULL.
 */
struct lf_medium_lock;
int lf_os_lock_medium(const struct lf_command_line *line, struct lf_client *client,
	const struct lf_control_device *device, struct lf_medium_lock **lock);
void lf_os_unlock_medium(struct lf_medium_lock *lock);

/*
 * Connections that are kept: they come again after a restart. Each of these: LF_EXIT_DONE, or the exit status
 * after a report.
 */
/* Before a connect with line->persist. */
int lf_os_may_keep(const struct lf_command_line *line);
/* After it: request says how, device what came of it. */
int lf_os_keep(const struct lf_command_line *line, const struct lf_control_connect *request,
	const struct lf_control_device *device);
/* After a disconnect. */
int lf_os_forget(const struct lf_command_line *line, const struct lf_control_device *device);
/* After an insert or an eject: the drive comes again with what is in it now. */
int lf_os_keep_medium(const struct lf_command_line *line, const struct lf_control_device *device);
/* False: nothing is ever kept on this system. */
bool lf_os_is_kept(const struct lf_control_device *device, bool *kept);

#endif
