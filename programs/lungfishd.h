/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfishd.h: what the files of the daemon share: its options. */
#ifndef LF_PROGRAMS_LUNGFISHD_H
#define LF_PROGRAMS_LUNGFISHD_H

#include "platform/platform.h"

#define LF_DAEMON_PORTALS_MAX 16
#define LF_DAEMON_CDROMS_MAX  64

struct lf_daemon_portal {
	char host[256];
	uint16_t port, tag;
};

struct lf_daemon_options {
	struct lf_daemon_portal portals[LF_DAEMON_PORTALS_MAX];
	uint32_t portal_count; /* 0: the defaults */
	const char *iqn;       /* NULL: made from the host's name */
	const char *socket;    /* NULL: the default */
	bool quiet, verbose, read_only;
	uint32_t block_size;
	const char *chap_file;     /* NULL: nobody is asked who he is */
	uint32_t login_timeout_ms; /* this and the following, 0: the edge's default */
	uint32_t idle_timeout_ms;
	uint32_t sessions_max;
	uint64_t memory_bytes;
	bool no_state;
	const char *cdroms[LF_DAEMON_CDROMS_MAX]; /* of argv */
	uint32_t cdrom_count;
	char **images; /* likewise */
	int image_count;
};

/* Returns -1 to go on; else the exit status, after the help or a message. */
int lf_daemon_parse(int argc, char **argv, struct lf_daemon_options *options);

/* HOST:PORT[,TAG], [ADDRESS]:PORT[,TAG], or without :PORT. */
bool lf_daemon_parse_portal(const char *text, struct lf_daemon_portal *portal);

/* To whoever started us, when $NOTIFY_SOCKET says that somebody waits: sd_notify(3)'s protocol. */
void lf_daemon_notify(const char *text);

#endif
