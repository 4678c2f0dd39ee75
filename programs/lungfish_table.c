/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_table.c: the verbs and options of the command in one table: it parses, and it writes the help. */
#include "programs/lungfish.h"
#include "programs/options.h"

#include <string.h>

#define CDROM     5     /* peripheral device type */
#define COUNT_MAX 86400 /* of seconds, and of times */

enum {
	CONNECT = 1,
	DISCONNECT = 1 << 1,
	LIST = 1 << 2,
	SHOW = 1 << 3,
	IDENTIFY = 1 << 4,
	STATUS = 1 << 5,
	RUN = 1 << 6,
	HELP = 1 << 7,
	INSERT = 1 << 8,
	EJECT = 1 << 9,
	RESIZE = 1 << 10,
	SESSION_LIST = 1 << 11,
	SESSION_DROP = 1 << 12,
	COMPLETION = 1 << 13,
	STATS = 1 << 14,
	RESERVE_SHOW = 1 << 15,
	RESERVE_CLEAR = 1 << 16,
	DRIVER_INSTALL = 1 << 17,
	DRIVER_REMOVE = 1 << 18,
	DRIVER_STATUS = 1 << 19,
	SERVICE_INSTALL = 1 << 22,
	SERVICE_REMOVE = 1 << 23,
	SERVICE_STATUS = 1 << 24,
	SERVICE_FORGET = 1 << 25,
	SERVICE_RUN = 1 << 26,
	EVERY = LF_VERB_EVERY, /* known to all, also before the verb */
};

#define ANY     LF_OPERANDS_ANY
#define IMAGE   LF_OPERAND_IMAGE
#define DEVICE  LF_OPERAND_DEVICE
#define SESSION LF_OPERAND_SESSION
#define VERB    LF_OPERAND_VERB
#define OTHER   LF_OPERAND_OTHER
#define NO_ID   "an ID is missing: lungfish list shows them"

static const struct lf_verb verbs[] = {
	{"connect", NULL, CONNECT, 0, 2, IMAGE, OTHER, "[IMAGE] [NAME]", NULL,
		"connect an image as a disk or a CD-ROM; prints its ID", "lungfish connect disk.img",
		lf_verb_connect},
	{"disconnect", NULL, DISCONNECT, 0, ANY, DEVICE, DEVICE, "ID...", NULL,
		"take devices away, when what is in flight has ended", "lungfish disconnect disk",
		lf_verb_disconnect},
	{"list", NULL, LIST, 0, ANY, DEVICE, DEVICE, "[ID...]", NULL, "list the devices",
		"lungfish list --json", lf_verb_list},
	{"show", NULL, SHOW, 1, 1, DEVICE, OTHER, "ID", NO_ID, "show everything that is known of a device",
		"lungfish show disk", lf_verb_show},
	{"insert", NULL, INSERT, 2, 2, DEVICE, IMAGE, "ID IMAGE",
		"an ID and an image are due: lungfish insert cdrom disc.iso",
		"put an image into a drive, in place of what is in", "lungfish insert cdrom disc.iso",
		lf_verb_change_medium},
	{"eject", NULL, EJECT, 1, 1, DEVICE, OTHER, "ID", NO_ID, "take the image out of a drive",
		"lungfish eject cdrom", lf_verb_change_medium},
	{"resize", NULL, RESIZE, 1, 2, DEVICE, OTHER, "ID [SIZE]", NO_ID,
		"let a disk grow; without SIZE to what its image has by now", "lungfish resize disk 40G",
		lf_verb_resize},
	{"session", "list", SESSION_LIST, 0, 0, OTHER, OTHER, "", NULL,
		"list the initiators' sessions and their counts", "lungfish session list",
		lf_verb_session_list},
	{"session", "drop", SESSION_DROP, 1, ANY, SESSION, SESSION, "ID...",
		"an ID is missing: lungfish session list shows them",
		"end sessions; their initiators may come again", "lungfish session drop 3",
		lf_verb_session_drop},
	{"stats", NULL, STATS, 0, ANY, DEVICE, DEVICE, "[ID...]", NULL,
		"show what devices have counted, or count by the second", "lungfish stats --interval 1",
		lf_verb_stats},
	{"reserve", "show", RESERVE_SHOW, 1, 1, DEVICE, OTHER, "ID", NO_ID,
		"show by what initiators keep each other out", "lungfish reserve show disk",
		lf_verb_reserve_show},
	{"reserve", "clear", RESERVE_CLEAR, 1, 1, DEVICE, OTHER, "ID", NO_ID,
		"take all registrations and reservations off a device", "lungfish reserve clear disk",
		lf_verb_reserve_clear},
	{"identify", NULL, IDENTIFY, 0, 0, OTHER, OTHER, "", NULL, "say which adapter answers",
		"lungfish identify", lf_verb_identify},
	{"status", NULL, STATUS, 0, 0, OTHER, OTHER, "", NULL,
		"show the adapter's state, its portals and its counters", "lungfish status", lf_verb_status},
	{"run", NULL, RUN, 0, ANY, IMAGE, IMAGE, "[IMAGE...] -- COMMAND [ARGUMENT...]", NULL,
		"run a command with an adapter of its own",
		"lungfish run disk.img -- sh -c 'qemu-img info \"$LUNGFISH_URI\"'", lf_verb_run},
	{"service", "install", SERVICE_INSTALL, 0, 0, OTHER, OTHER, "", NULL,
		"Windows: install and start the service that connects what --persist has kept",
		"lungfish service install", lf_verb_service_install},
	{"service", "remove", SERVICE_REMOVE, 0, 0, OTHER, OTHER, "", NULL,
		"Windows: stop the service and take it away; what is kept stays so",
		"lungfish service remove", lf_verb_service_remove},
	{"service", "status", SERVICE_STATUS, 0, 0, OTHER, OTHER, "", NULL,
		"Windows: show the service, and every connection that is kept", "lungfish service status",
		lf_verb_service_status},
	{"service", "forget", SERVICE_FORGET, 1, ANY, OTHER, OTHER, "ID...",
		"an ID is missing: lungfish service status shows them",
		"Windows: keep connections no more; what is connected stays so",
		"lungfish service forget disk", lf_verb_service_forget},
	{"service", "run", SERVICE_RUN, 0, 0, OTHER, OTHER, "", NULL,
		"Windows: be the service; in a console until Ctrl+C", "lungfish service run",
		lf_verb_service_run},
	{"driver", "install", DRIVER_INSTALL, 0, 1, IMAGE, OTHER, "[DIR|INF]", NULL,
		"Windows: install the driver; prints its device", "lungfish driver install",
		lf_verb_driver_install},
	{"driver", "remove", DRIVER_REMOVE, 0, 0, OTHER, OTHER, "", NULL,
		"Windows: take devices, adapter and driver away", "lungfish driver remove",
		lf_verb_driver_remove},
	{"driver", "status", DRIVER_STATUS, 0, 0, OTHER, OTHER, "", NULL,
		"Windows: say whether the driver is usable, and if not, why", "lungfish driver status",
		lf_verb_driver_status},
	{"completion", "bash", COMPLETION, 0, 0, OTHER, OTHER, "", NULL,
		"print what completes lungfish in bash",
		"lungfish completion bash > ~/.local/share/bash-completion/completions/lungfish",
		lf_verb_completion},
	{"completion", "powershell", COMPLETION, 0, 0, OTHER, OTHER, "", NULL,
		"print what completes lungfish in PowerShell",
		"lungfish completion powershell | Out-String | Invoke-Expression", lf_verb_completion},
	{"help", NULL, HELP, 0, 2, VERB, OTHER, "[VERB]", NULL, "show this, or the help of a verb",
		"lungfish help connect", lf_verb_help},
};

enum option_id {
	OPTION_ACCOUNT = 1,
	OPTION_ALL,
	OPTION_BLOCK_SIZE,
	OPTION_BYTES,
	OPTION_CDROM,
	OPTION_COUNT,
	OPTION_CREATE,
	OPTION_FORCE,
	OPTION_HELP,
	OPTION_HISTOGRAM,
	OPTION_INTERVAL,
	OPTION_JSON,
	OPTION_LUN,
	OPTION_NO_HEADINGS,
	OPTION_NO_STATE,
	OPTION_NO_UNMAP,
	OPTION_OUTPUT,
	OPTION_OUTPUT_ALL,
	OPTION_PERSIST,
	OPTION_PHYSICAL_SIZE,
	OPTION_PRODUCT,
	OPTION_QUIET,
	OPTION_RAW,
	OPTION_READ_ONLY,
	OPTION_REMOVABLE,
	OPTION_ROTATION,
	OPTION_SERIAL,
	OPTION_SOCKET,
	OPTION_VENDOR,
	OPTION_VERBOSE,
	OPTION_VERSION,
	OPTION_WRITE_CACHE,
};

static const struct lf_option options[] = {
	{OPTION_CDROM, 0, "cdrom", NULL, CONNECT | RUN, "a CD-ROM drive; without an IMAGE it is empty"},
	{OPTION_REMOVABLE, 0, "removable", NULL, CONNECT | RUN,
		"a disk whose medium comes and goes; without an IMAGE it is empty"},
	{OPTION_READ_ONLY, 0, "read-only", NULL, CONNECT | RUN | INSERT, "nobody can write to it"},
	{OPTION_LUN, 0, "lun", "N", CONNECT | RUN, "its logical unit number; else the next that is free"},
	{OPTION_BLOCK_SIZE, 0, "block-size", "512|4096", CONNECT | RUN, "bytes in a logical block; 512 else"},
	{OPTION_PHYSICAL_SIZE, 0, "physical-size", "N", CONNECT | RUN,
		"bytes in a physical block: 4096 makes a 512e disk"},
	{OPTION_SERIAL, 0, "serial", "S", CONNECT | RUN,
		"its serial number; else made from machine and path"},
	{OPTION_VENDOR, 0, "vendor", "NAME", CONNECT | RUN, "vendor identification, 8 characters at most"},
	{OPTION_PRODUCT, 0, "product", "NAME", CONNECT | RUN,
		"product identification, 16 characters at most"},
	{OPTION_ROTATION, 0, "rotation", "ssd|RPM", CONNECT | RUN, "what it says of its medium"},
	{OPTION_NO_UNMAP, 0, "no-unmap", NULL, CONNECT | RUN, "refuse UNMAP: the image stays allocated"},
	{OPTION_WRITE_CACHE, 0, "write-cache", "on|off", CONNECT | RUN,
		"off: every write is stable before it ends; on else"},
	{OPTION_NO_STATE, 0, "no-state", NULL, CONNECT,
		"no state file: reservations and saved mode pages end with the adapter"},
	{OPTION_CREATE, 0, "create", "SIZE", CONNECT | RUN,
		"make the image first, sparse; it must not exist"},
	{OPTION_PERSIST, 0, "persist", NULL, CONNECT,
		"Windows: keep it: the service connects it again after a restart"},
	{OPTION_ACCOUNT, 0, "account", "NAME", SERVICE_INSTALL,
		"whose rights it has, else the system's; the password is read from standard input"},
	{OPTION_ALL, 0, "all", NULL, DISCONNECT, "every device"},
	{OPTION_FORCE, 0, "force", NULL, DISCONNECT, "do not wait: what is in flight ends by itself"},
	{OPTION_FORCE, 0, "force", NULL, DRIVER_REMOVE,
		"also when a disk is in use, which loses what is not written yet"},
	{OPTION_FORCE, 0, "force", NULL, INSERT | EJECT, "also when an initiator has locked the medium in"},
	{OPTION_OUTPUT, 'o', "output", "COLUMNS", LIST | SESSION_LIST | STATS,
		"these columns, with commas between them"},
	{OPTION_OUTPUT_ALL, 'O', "output-all", NULL, LIST | SESSION_LIST | STATS, "all columns"},
	{OPTION_NO_HEADINGS, 'n', "noheadings", NULL, LIST | SESSION_LIST | STATS, "no line of headings"},
	{OPTION_RAW, 'r', "raw", NULL, LIST | SESSION_LIST | STATS,
		"one space between columns, others as \\x20"},
	{OPTION_BYTES, 'b', "bytes", NULL, LIST | SHOW | RESIZE | SESSION_LIST | STATS, "sizes in bytes"},
	{OPTION_INTERVAL, 0, "interval", "SECONDS", STATS, "again and again, what came in between"},
	{OPTION_COUNT, 0, "count", "N", STATS, "so many intervals; else until interrupted"},
	{OPTION_HISTOGRAM, 0, "histogram", NULL, STATS, "how long commands took"},
	{OPTION_JSON, 'J', "json", NULL, EVERY, "output and errors as JSON"},
	{OPTION_QUIET, 'q', "quiet", NULL, EVERY, "say nothing but errors on stderr"},
	{OPTION_VERBOSE, 'v', "verbose", NULL, EVERY, "say more on stderr"},
	{OPTION_SOCKET, 0, "socket", "PATH", EVERY, "the adapter's control socket; else $LUNGFISH_SOCKET"},
	{OPTION_HELP, 'h', "help", NULL, EVERY, "show this"},
	{OPTION_VERSION, 'V', "version", NULL, EVERY, "show the version"},
};

const char *lf_verb_name(const struct lf_verb *verb, char *text, size_t room_bytes)
{
	snprintf(text, room_bytes, "%s%s%s", verb->name, verb->sub ? " " : "", verb->sub ? verb->sub : "");
	return text;
}

static void print_verbs(const char *group)
{
	char name[LF_VERB_NAME_ROOM];

	for (uint32_t i = 0; i < lf_count_of(verbs); i++) {
		if (!group || strcmp(verbs[i].name, group) == 0)
			printf("  %-21s %s\n%24s%s\n", lf_verb_name(&verbs[i], name, sizeof(name)),
				verbs[i].help, "", verbs[i].example);
	}
}

void lf_table_help(const struct lf_verb *verb)
{
	char name[LF_VERB_NAME_ROOM];

	if (verb) {
		printf("usage: lungfish %s%s%s [OPTION...]\n%s\n\n", lf_verb_name(verb, name, sizeof(name)),
			*verb->arguments ? " " : "", verb->arguments, verb->help);
		lf_option_help(stdout, options, lf_count_of(options), verb->bit | EVERY, 0);
		printf("\nexample: %s\n", verb->example);
		return;
	}
	printf("usage: lungfish VERB [ARGUMENT...] [OPTION...]\nconnects images to the Lungfish virtual SCSI "
	       "adapter\n\n");
	print_verbs(NULL);
	printf("\n");
	lf_option_help(stdout, options, lf_count_of(options), EVERY, 0);
	printf("\nlungfish help VERB shows the options of a verb.\n");
}

/* sub NULL: the verb that has none, or NULL when there are only some with a second word. */
static const struct lf_verb *find_verb(const char *name, const char *sub)
{
	for (uint32_t i = 0; i < lf_count_of(verbs); i++) {
		if (strcmp(verbs[i].name, name) != 0)
			continue;
		if (sub ? verbs[i].sub && strcmp(verbs[i].sub, sub) == 0 : !verbs[i].sub)
			return &verbs[i];
	}
	return NULL;
}

static bool is_group(const char *name)
{
	for (uint32_t i = 0; i < lf_count_of(verbs); i++) {
		if (verbs[i].sub && strcmp(verbs[i].name, name) == 0)
			return true;
	}
	return false;
}

const struct lf_verb *lf_table_verb(uint32_t index)
{
	return index < lf_count_of(verbs) ? &verbs[index] : NULL;
}

const struct lf_option *lf_table_option(uint32_t index)
{
	return index < lf_count_of(options) ? &options[index] : NULL;
}

int lf_verb_help(const struct lf_command_line *line)
{
	const char *name = line->operand_count > 0 ? line->operands[0] : NULL;
	const char *sub = line->operand_count > 1 ? line->operands[1] : NULL;
	const struct lf_verb *verb = name ? find_verb(name, sub) : NULL;

	if (name && !verb && (sub || !is_group(name)))
		return lf_report(
			line, sub ? sub : name, "no such verb: lungfish help lists them", LF_EXIT_USAGE);
	if (name && !verb)
		print_verbs(name);
	else
		lf_table_help(verb);
	return lf_output_end(line, LF_EXIT_DONE);
}

static int usage(const struct lf_command_line *line, const char *object, const char *message)
{
	return lf_report(line, object, message, LF_EXIT_USAGE);
}

static int take_u32(const struct lf_command_line *line, const char *option, const char *value, uint32_t *to,
	const char *remedy)
{
	uint64_t number;

	if (!lf_control_parse_number(value, UINT32_MAX - 1, &number))
		return usage(line, option, remedy);
	*to = (uint32_t)number;
	return LF_EXIT_DONE;
}

static int take_count(const struct lf_command_line *line, const char *option, const char *value, uint32_t *to)
{
	uint64_t number;

	if (!lf_control_parse_number(value, COUNT_MAX, &number) || number == 0)
		return usage(line, option, "it is a number from 1 to 86400");
	*to = (uint32_t)number;
	return LF_EXIT_DONE;
}

static int take_rotation(struct lf_command_line *line, const char *value)
{
	uint64_t rpm = 1;

	if (strcmp(value, "ssd") != 0 && !lf_control_parse_number(value, 65534, &rpm))
		return usage(line, "--rotation", "it is ssd, or 1025 to 65534 revolutions a minute");
	if (rpm != 1 && rpm < 1025)
		return usage(line, "--rotation", "it is ssd, or 1025 to 65534 revolutions a minute");
	line->connect.rotation = (uint16_t)rpm;
	return LF_EXIT_DONE;
}

static int take_block_size(
	const struct lf_command_line *line, const char *option, const char *value, uint32_t *to)
{
	uint64_t size;

	if (!lf_control_parse_size(value, &size) || size == 0 || size > 65536)
		return usage(line, option, "no block size: try 512 or 4096");
	*to = (uint32_t)size;
	return LF_EXIT_DONE;
}

/* The last one counts, as with every option. */
static int take_write_cache(struct lf_command_line *line, const char *value)
{
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return usage(line, "--write-cache", "it is on or off");
	line->connect.flags &= ~(uint32_t)LF_CONTROL_WRITE_CACHE_OFF;
	if (strcmp(value, "off") == 0)
		line->connect.flags |= LF_CONTROL_WRITE_CACHE_OFF;
	return LF_EXIT_DONE;
}

static int take_connect_option(struct lf_command_line *line, int option, const char *value)
{
	struct lf_control_connect *connect = &line->connect;
	bool fits = true;

	switch (option) {
	case OPTION_CDROM:
		connect->type = CDROM;
		break;
	case OPTION_REMOVABLE:
		connect->flags |= LF_CONTROL_REMOVABLE;
		break;
	case OPTION_READ_ONLY:
		connect->flags |= LF_CONTROL_READ_ONLY;
		break;
	case OPTION_WRITE_CACHE:
		return take_write_cache(line, value);
	case OPTION_NO_STATE:
		line->no_state = true;
		break;
	case OPTION_PERSIST:
		line->persist = true;
		break;
	case OPTION_NO_UNMAP:
		connect->flags |= LF_CONTROL_NO_UNMAP;
		break;
	case OPTION_LUN:
		return take_u32(line, "--lun", value, &connect->lun, "it is a number from 0 to 16383");
	case OPTION_BLOCK_SIZE:
		return take_block_size(line, "--block-size", value, &connect->block_size);
	case OPTION_PHYSICAL_SIZE:
		return take_block_size(line, "--physical-size", value, &connect->physical_block_size);
	case OPTION_ROTATION:
		return take_rotation(line, value);
	case OPTION_SERIAL:
		fits = lf_control_set_text(&connect->serial, value);
		break;
	case OPTION_VENDOR:
		fits = lf_control_set_text(&connect->vendor, value);
		break;
	case OPTION_PRODUCT:
		fits = lf_control_set_text(&connect->product, value);
		break;
	default:
		if (!lf_control_parse_size(value, &line->create_bytes) || line->create_bytes == 0)
			return usage(
				line, "--create", "no size: try 20G, or a number of bytes, less than 8E");
		break;
	}
	return fits ? LF_EXIT_DONE : usage(line, value, "too long, or not UTF-8: see lungfish help connect");
}

static int take_option(struct lf_command_line *line, int option, const char *value)
{
	switch (option) {
	case OPTION_ACCOUNT:
		line->account = value;
		break;
	case OPTION_ALL:
		line->all = true;
		break;
	case OPTION_BYTES:
		line->bytes = true;
		break;
	case OPTION_FORCE:
		line->force = true;
		break;
	case OPTION_HELP:
		line->help = true;
		break;
	case OPTION_HISTOGRAM:
		line->histogram = true;
		break;
	case OPTION_INTERVAL:
		return take_count(line, "--interval", value, &line->interval_s);
	case OPTION_COUNT:
		return take_count(line, "--count", value, &line->count);
	case OPTION_JSON:
		line->json = true;
		break;
	case OPTION_NO_HEADINGS:
		line->no_headings = true;
		break;
	case OPTION_OUTPUT:
		line->columns = value;
		break;
	case OPTION_OUTPUT_ALL:
		line->all_columns = true;
		break;
	case OPTION_QUIET:
		line->quiet = true;
		break;
	case OPTION_RAW:
		line->raw = true;
		break;
	case OPTION_SOCKET:
		line->socket = value;
		break;
	case OPTION_VERBOSE:
		line->verbose = true;
		break;
	case OPTION_VERSION:
		line->version = true;
		break;
	default:
		return take_connect_option(line, option, value);
	}
	return LF_EXIT_DONE;
}

static int wrong(struct lf_command_line *line, int found, const char *what)
{
	switch (found) {
	case LF_OPTION_UNKNOWN:
		return usage(line, what, "no such option: see lungfish help, or lungfish help VERB");
	case LF_OPTION_NO_VALUE:
		return usage(line, what, "its value is missing: see lungfish help, or lungfish help VERB");
	default:
		return usage(line, what, "it takes no value: leave it out");
	}
}

static int check_connect(const struct lf_command_line *line)
{
	bool drive = line->connect.type == CDROM || (line->connect.flags & LF_CONTROL_REMOVABLE);

	if (line->operand_count == 0 && !drive)
		return usage(line, NULL, "an image is missing: lungfish connect disk.img");
	if (line->operand_count == 0 && line->create_bytes)
		return usage(line, "--create", "the image that it makes is missing");
	if (line->connect.type == CDROM && line->create_bytes)
		return usage(line, "--create", "a CD-ROM is not written: leave out one of them");
	return LF_EXIT_DONE;
}

/* What is missing, or too much. */
static int check(const struct lf_command_line *line)
{
	const struct lf_verb *verb = line->verb;
	int count = line->operand_count, status = LF_EXIT_DONE;

	if (line->help || line->version)
		return LF_EXIT_DONE;
	if (!verb)
		return usage(line, line->group,
			line->group ? "a second word is missing: see lungfish help, and that word"
				    : "a verb is missing: lungfish help lists them");
	if (count < verb->least)
		return usage(line, NULL, verb->missing);
	if (count > verb->most)
		return usage(line, line->operands[verb->most],
			verb->most == 0 ? "it takes no argument: leave it out"
					: "one argument too many: leave it out");
	if (verb->bit & (CONNECT | RUN))
		status = check_connect(line);
	if (verb->bit == DISCONNECT && count == 0 && !line->all)
		return usage(line, NULL, NO_ID "; --all is for every one");
	if (verb->bit == DISCONNECT && count > 0 && line->all)
		return usage(line, "--all", "it goes without an ID: leave one of them out");
	if (verb->bit == RUN && status == LF_EXIT_DONE && (!line->command || !line->command[0]))
		return usage(line, NULL, "a command is missing: it stands behind --");
	if (verb->bit == STATS && line->count != 0 && line->interval_s == 0)
		return usage(line, "--count", "it counts intervals: add --interval SECONDS");
	return status;
}

static int take_operand(struct lf_command_line *line, char *operand)
{
	if (line->verb) {
		line->operands[line->operand_count++] = operand;
		return LF_EXIT_DONE;
	}
	if (!line->group && is_group(operand)) {
		line->group = operand;
		return LF_EXIT_DONE;
	}
	line->verb = find_verb(line->group ? line->group : operand, line->group ? operand : NULL);
	return line->verb ? LF_EXIT_DONE : usage(line, operand, "no such verb: lungfish help lists them");
}

int lf_table_parse(int argc, char **argv, struct lf_command_line *line)
{
	struct lf_option_reader reader = {.options = options,
		.count = lf_count_of(options),
		.verbs = EVERY,
		.argv = argv,
		.argc = argc,
		.at = 1};
	int status = LF_EXIT_DONE, found;

	memset(line, 0, sizeof(*line));
	line->connect.lun = UINT32_MAX;
	/* Each operand is stored where a word was read already. */
	line->operands = argv;
	/* Errors before --json would else come as text. */
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		line->json = line->json || strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-J") == 0;
	while (status == LF_EXIT_DONE && (found = lf_option_next(&reader)) != LF_OPTION_END) {
		if (found == LF_OPTION_OPERAND) {
			status = take_operand(line, argv[reader.at - 1]);
			reader.verbs = EVERY | (line->verb ? line->verb->bit : 0);
		} else if (found == LF_OPTION_DASHES) {
			if (line->verb && line->verb->bit == RUN) {
				line->command = argv + reader.at;
				break;
			}
		} else if (found < 0) {
			status = wrong(line, found, reader.value);
		} else {
			status = take_option(line, found, reader.value);
		}
	}
	return status == LF_EXIT_DONE ? check(line) : status;
}
