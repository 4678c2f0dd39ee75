/* SPDX-License-Identifier: BSD-2-Clause */
/* linux.h: what only Linux rooms ask of the platform: the log's set-up, a thread's lane, errno's meaning. */
#ifndef LF_PLATFORM_LINUX_H
#define LF_PLATFORM_LINUX_H

#include "platform/platform.h"

/* Before other threads run. program stands before each line and is borrowed for ever. */
void lf_log_open(const char *program);
/* Lines above this level are dropped; LF_LOG_NOTICE at the start. Any thread. */
void lf_log_set_level(enum lf_log_level level);

/* What lf_lane_current answers on the calling thread from now on. */
void lf_lane_set(uint32_t lane);

/* The one place where errno is given a meaning; LF_OK for 0. */
enum lf_error lf_error_from_errno(int error);

#endif
