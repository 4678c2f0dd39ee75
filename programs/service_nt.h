/* SPDX-License-Identifier: BSD-2-Clause */
/* service_nt.h: what the files of lungfish service share: how it is called, what it writes to the event log.
 */
#ifndef LF_PROGRAMS_SERVICE_NT_H
#define LF_PROGRAMS_SERVICE_NT_H

#include "platform/platform.h"

/* The driver's own service is called lungfish. */
#define LF_SERVICE_NAME  L"LungfishConnections"
#define LF_SERVICE_TITLE L"Lungfish kept connections"

/* A control of our own: what a shutdown has it do, and its end. */
#define LF_SERVICE_CONTROL_DEPART 128
/* How long Windows waits for that at a shutdown. */
#define LF_SERVICE_DEPART_MS 180000

/* The source of events: 0, or an error of Win32. */
uint32_t lf_service_log_install(void);
uint32_t lf_service_log_remove(void);

enum lf_service_level { LF_SERVICE_INFO, LF_SERVICE_WARNING, LF_SERVICE_ERROR };

/* Opens and closes itself: what comes is rare. console: to stderr as well. */
void lf_service_log(enum lf_service_level level, bool console, const char *text);

/* Tells of what comes, in a thread of its own. The caller fills in the first two. */
struct lf_service_watch {
	void (*came)(void *context, bool adapter); /* or a volume */
	void *context;
	void *thread, *ready;
	uint32_t thread_id;
	bool sees;
};

/* False: nobody tells; to be stopped all the same. */
bool lf_service_watch_start(struct lf_service_watch *watch);
void lf_service_watch_stop(struct lf_service_watch *watch);

/* On this machine, running or not; false: or it cannot be asked. */
bool lf_service_is_installed(void);

#endif
