/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfishd_options.c: the daemon's command line, and its word to the service manager. */
#include "control/source.h"
#include "programs/lungfishd.h"
#include "programs/options.h"
#include "programs/version.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EXIT_BAD_USAGE 2
#define DEFAULT_PORT   3260
#define GO_ON          (-1)
#define SECONDS_MOST   3600
#define SESSIONS_MOST  4096

enum option_id {
	OPTION_BLOCK_SIZE = 1,
	OPTION_CDROM,
	OPTION_CHAP_FILE,
	OPTION_HELP,
	OPTION_IDLE_TIMEOUT,
	OPTION_IQN,
	OPTION_ISCSI,
	OPTION_LOGIN_TIMEOUT,
	OPTION_MEMORY,
	OPTION_NO_STATE,
	OPTION_QUIET,
	OPTION_READ_ONLY,
	OPTION_SESSIONS,
	OPTION_SOCKET,
	OPTION_VERBOSE,
	OPTION_VERSION,
};

static const struct lf_option table[] = {
	{OPTION_ISCSI, 0, "iscsi", "HOST:PORT[,TAG]", 1,
		"a portal; port 0 takes a free one; may be repeated"},
	{OPTION_IQN, 0, "iqn", "NAME", 1, "the target's iSCSI name"},
	{OPTION_CHAP_FILE, 0, "chap-file", "FILE", 1,
		"initiators have to prove who they are: NAME:SECRET lines"},
	{OPTION_LOGIN_TIMEOUT, 0, "login-timeout", "SECONDS", 1, "for a login, from connect on; 10"},
	{OPTION_IDLE_TIMEOUT, 0, "idle-timeout", "SECONDS", 1,
		"an initiator silent for that long is asked, then dropped; 30"},
	{OPTION_SESSIONS, 0, "sessions", "COUNT", 1, "iSCSI sessions at a time; 256"},
	{OPTION_MEMORY, 0, "memory", "SIZE", 1, "for the data of all sessions; 256M, or 8M a processor"},
	{OPTION_SOCKET, 0, "socket", "PATH", 1, "the control socket; else $LUNGFISH_SOCKET"},
	{OPTION_CDROM, 0, "cdrom", "IMAGE", 1, "a CD-ROM drive with this disc in it; may be repeated"},
	{OPTION_READ_ONLY, 0, "read-only", NULL, 1, "nobody can write to the images named here"},
	{OPTION_BLOCK_SIZE, 0, "block-size", "512|4096", 1,
		"bytes in a logical block of the images named here"},
	{OPTION_NO_STATE, 0, "no-state", NULL, 1,
		"no state files for the images named here: what is to persist ends with this"},
	{OPTION_QUIET, 'q', "quiet", NULL, 1, "only warnings and errors on stderr"},
	{OPTION_VERBOSE, 'v', "verbose", NULL, 1, "say more on stderr"},
	{OPTION_HELP, 'h', "help", NULL, 1, "show this"},
	{OPTION_VERSION, 'V', "version", NULL, 1, "show the version"},
};

static int usage(const char *object, const char *message)
{
	fprintf(stderr, "lungfishd: %s: %s\n", object, message);
	return EXIT_BAD_USAGE;
}

static int help(void)
{
	printf("usage: lungfishd [OPTION...] [IMAGE...]\nthe Lungfish virtual SCSI adapter, over iSCSI\n\n");
	lf_option_help(stdout, table, lf_count_of(table), 1, 0);
	printf("\nWithout --iscsi it listens on 127.0.0.1:3260 and [::1]:3260.\n"
	       "example: lungfishd --iscsi 127.0.0.1:0 disk.img\n");
	return fflush(stdout) == 0 ? 0 : 1;
}

bool lf_daemon_parse_portal(const char *text, struct lf_daemon_portal *portal)
{
	const char *comma = strrchr(text, ',');
	size_t length = comma ? (size_t)(comma - text) : strlen(text);
	const char *end = text + length, *host_end = end;
	uint64_t port = DEFAULT_PORT, tag = 1;
	char digits[8];

	if (comma && (!lf_control_parse_number(comma + 1, UINT16_MAX, &tag) || tag == 0))
		return false;
	if (*text == '[') {
		const char *bracket = memchr(text, ']', length);
		if (!bracket || (bracket + 1 != end && bracket[1] != ':'))
			return false;
		text++;
		host_end = bracket;
		bracket++;
		if (bracket != end)
			end = bracket;
	} else {
		const char *colon = memchr(text, ':', length);
		if (colon && memchr(colon + 1, ':', (size_t)(end - colon - 1)))
			return false; /* an IPv6 address stands in brackets */
		if (colon)
			host_end = end = colon;
	}
	if (*end == ':') {
		const char *from = end + 1;
		size_t count = strcspn(from, ",");
		if (count >= sizeof(digits))
			return false;
		memcpy(digits, from, count);
		digits[count] = '\0';
		if (!lf_control_parse_number(digits, UINT16_MAX, &port))
			return false;
	}
	length = (size_t)(host_end - text);
	if (length == 0 || length >= sizeof(portal->host))
		return false;
	memcpy(portal->host, text, length);
	portal->host[length] = '\0';
	portal->port = (uint16_t)port;
	portal->tag = (uint16_t)tag;
	return true;
}

static int take_portal(struct lf_daemon_options *options, const char *value)
{
	if (options->portal_count == LF_DAEMON_PORTALS_MAX)
		return usage(value, "too many portals: 16 at most");
	if (!lf_daemon_parse_portal(value, &options->portals[options->portal_count]))
		return usage(
			value, "no portal: HOST:PORT or HOST:PORT,TAG, as 127.0.0.1:3260 or [::1]:3260,2");
	options->portal_count++;
	return GO_ON;
}

/* Limits of the iSCSI side. */
static int take_limit(struct lf_daemon_options *options, int option, const char *value)
{
	uint64_t number = 0;

	if (option == OPTION_MEMORY) {
		if (!lf_control_parse_size(value, &options->memory_bytes) || options->memory_bytes == 0)
			return usage("--memory", "no size: as 64M or 1G");
		return GO_ON;
	}
	if (!lf_control_parse_number(
		    value, option == OPTION_SESSIONS ? SESSIONS_MOST : SECONDS_MOST, &number) ||
		number == 0)
		return usage(value, option == OPTION_SESSIONS ? "--sessions is a number from 1 to 4096"
							      : "a timeout is from 1 to 3600 seconds");
	if (option == OPTION_SESSIONS)
		options->sessions_max = (uint32_t)number;
	else if (option == OPTION_LOGIN_TIMEOUT)
		options->login_timeout_ms = (uint32_t)number * 1000;
	else
		options->idle_timeout_ms = (uint32_t)number * 1000;
	return GO_ON;
}

static int take_option(struct lf_daemon_options *options, int option, const char *value)
{
	uint64_t size;

	switch (option) {
	case OPTION_ISCSI:
		return take_portal(options, value);
	case OPTION_IQN:
		options->iqn = value;
		break;
	case OPTION_CHAP_FILE:
		options->chap_file = value;
		break;
	case OPTION_LOGIN_TIMEOUT:
	case OPTION_IDLE_TIMEOUT:
	case OPTION_SESSIONS:
	case OPTION_MEMORY:
		return take_limit(options, option, value);
	case OPTION_SOCKET:
		options->socket = value;
		break;
	case OPTION_CDROM:
		if (options->cdrom_count == LF_DAEMON_CDROMS_MAX)
			return usage(value, "too many CD-ROM drives: 64 at most; connect more by lungfish");
		options->cdroms[options->cdrom_count++] = value;
		break;
	case OPTION_NO_STATE:
		options->no_state = true;
		break;
	case OPTION_READ_ONLY:
		options->read_only = true;
		break;
	case OPTION_BLOCK_SIZE:
		if (!lf_control_parse_size(value, &size) || (size != 512 && size != 4096))
			return usage("--block-size", "it is 512 or 4096");
		options->block_size = (uint32_t)size;
		break;
	case OPTION_QUIET:
		options->quiet = true;
		break;
	case OPTION_VERBOSE:
		options->verbose = true;
		break;
	case OPTION_HELP:
		return help();
	case OPTION_VERSION:
		printf("lungfishd %s\n", LF_RELEASE);
		return fflush(stdout) == 0 ? 0 : 1;
	case LF_OPTION_NO_VALUE:
		return usage(value, "its value is missing: see lungfishd --help");
	case LF_OPTION_SURPLUS:
		return usage(value, "it takes no value: leave it out");
	default:
		return usage(value, "no such option: see lungfishd --help");
	}
	return GO_ON;
}

int lf_daemon_parse(int argc, char **argv, struct lf_daemon_options *options)
{
	struct lf_option_reader reader = {.options = table,
		.count = lf_count_of(table),
		.verbs = 1,
		.argv = argv,
		.argc = argc,
		.at = 1};
	int status = GO_ON, found;

	memset(options, 0, sizeof(*options));
	options->images = argv;
	while (status == GO_ON && (found = lf_option_next(&reader)) != LF_OPTION_END) {
		if (found == LF_OPTION_OPERAND)
			options->images[options->image_count++] = argv[reader.at - 1];
		else if (found != LF_OPTION_DASHES)
			status = take_option(options, found, reader.value);
	}
	return status;
}

void lf_daemon_notify(const char *text)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = name ? strlen(name) : 0;
	int fd;

	if (length < 2 || length >= sizeof(address.sun_path) || (*name != '/' && *name != '@'))
		return;
	memcpy(address.sun_path, name, length);
	if (*name == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		lf_log(LF_LOG_DEBUG, "the service manager does not listen on %s", name);
	close(fd);
}
