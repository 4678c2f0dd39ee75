/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_table.c: the verbs and options of the command in one table: it parses, and it writes the help. */
#include "programs/lungfish.h"
#include "programs/options.h"

#include <string.h>

enum {
	CONNECT = 1,
	DISCONNECT = 2,
	LIST = 4,
	SHOW = 8,
	IDENTIFY = 16,
	STATUS = 32,
	RUN = 64,
	HELP = 128,
	EVERY = 256, /* known to all, also before the verb */
};

static const struct lf_verb verbs[] = {
	{"connect", CONNECT, "IMAGE [NAME]", "connect an image as a disk; prints its ID",
		"lungfish connect disk.img", lf_verb_connect},
	{"disconnect", DISCONNECT, "ID...", "take devices away, when what is in flight has ended",
		"lungfish disconnect disk", lf_verb_disconnect},
	{"list", LIST, "[ID...]", "list the devices", "lungfish list --json", lf_verb_list},
	{"show", SHOW, "ID", "show everything that is known of a device", "lungfish show disk", lf_verb_show},
	{"identify", IDENTIFY, "", "say which adapter answers", "lungfish identify", lf_verb_identify},
	{"status", STATUS, "", "show the adapter's state, its portals and its counters", "lungfish status",
		lf_verb_status},
	{"run", RUN, "IMAGE... -- COMMAND [ARGUMENT...]", "run a command with an adapter of its own",
		"lungfish run disk.img -- sh -c 'qemu-img info \"$LUNGFISH_URI\"'", lf_verb_run},
	{"help", HELP, "[VERB]", "show this, or the help of a verb", "lungfish help connect", lf_verb_help},
};

enum option_id {
	OPTION_ALL = 1,
	OPTION_BLOCK_SIZE,
	OPTION_BYTES,
	OPTION_CREATE,
	OPTION_FORCE,
	OPTION_HELP,
	OPTION_JSON,
	OPTION_LUN,
	OPTION_NO_HEADINGS,
	OPTION_NO_UNMAP,
	OPTION_OUTPUT,
	OPTION_OUTPUT_ALL,
	OPTION_PHYSICAL_SIZE,
	OPTION_PRODUCT,
	OPTION_QUIET,
	OPTION_RAW,
	OPTION_READ_ONLY,
	OPTION_ROTATION,
	OPTION_SERIAL,
	OPTION_SOCKET,
	OPTION_VENDOR,
	OPTION_VERBOSE,
	OPTION_VERSION,
};

static const struct lf_option options[] = {
	{OPTION_READ_ONLY, 0, "read-only", NULL, CONNECT | RUN, "nobody can write to it"},
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
	{OPTION_CREATE, 0, "create", "SIZE", CONNECT | RUN,
		"make the image first, sparse; it must not exist"},
	{OPTION_ALL, 0, "all", NULL, DISCONNECT, "every device"},
	{OPTION_FORCE, 0, "force", NULL, DISCONNECT, "do not wait: what is in flight ends by itself"},
	{OPTION_OUTPUT, 'o', "output", "COLUMNS", LIST, "these columns, with commas between them"},
	{OPTION_OUTPUT_ALL, 'O', "output-all", NULL, LIST, "all columns"},
	{OPTION_NO_HEADINGS, 'n', "noheadings", NULL, LIST, "no line of headings"},
	{OPTION_RAW, 'r', "raw", NULL, LIST, "one space between columns, others as \\x20"},
	{OPTION_BYTES, 'b', "bytes", NULL, LIST | SHOW, "sizes in bytes"},
	{OPTION_JSON, 'J', "json", NULL, EVERY, "output and errors as JSON"},
	{OPTION_QUIET, 'q', "quiet", NULL, EVERY, "say nothing but errors on stderr"},
	{OPTION_VERBOSE, 'v', "verbose", NULL, EVERY, "say more on stderr"},
	{OPTION_SOCKET, 0, "socket", "PATH", EVERY, "the adapter's control socket; else $LUNGFISH_SOCKET"},
	{OPTION_HELP, 'h', "help", NULL, EVERY, "show this"},
	{OPTION_VERSION, 'V', "version", NULL, EVERY, "show the version"},
};

void lf_table_help(const struct lf_verb *verb)
{
	if (verb) {
		printf("usage: lungfish %s%s%s [OPTION...]\n%s\n\n", verb->name, *verb->arguments ? " " : "",
			verb->arguments, verb->help);
		lf_option_help(stdout, options, lf_count_of(options), verb->bit | EVERY, 0);
		printf("\nexample: %s\n", verb->example);
		return;
	}
	printf("usage: lungfish VERB [ARGUMENT...] [OPTION...]\nconnects images to the Lungfish virtual SCSI "
	       "adapter\n\n");
	for (uint32_t i = 0; i < lf_count_of(verbs); i++)
		printf("  %-12s %s\n%15s%s\n", verbs[i].name, verbs[i].help, "", verbs[i].example);
	printf("\n");
	lf_option_help(stdout, options, lf_count_of(options), EVERY, 0);
	printf("\nlungfish help VERB shows the options of a verb.\n");
}

static const struct lf_verb *find_verb(const char *name)
{
	for (uint32_t i = 0; i < lf_count_of(verbs); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

int lf_verb_help(const struct lf_command_line *line)
{
	const struct lf_verb *verb = NULL;

	if (line->operand_count > 0) {
		verb = find_verb(line->operands[0]);
		if (!verb)
			return lf_report(line, line->operands[0], "no such verb: lungfish help lists them",
				LF_EXIT_USAGE);
	}
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

static int take_connect_option(struct lf_command_line *line, int option, const char *value)
{
	struct lf_control_connect *connect = &line->connect;
	bool fits = true;

	switch (option) {
	case OPTION_READ_ONLY:
		connect->flags |= LF_CONTROL_READ_ONLY;
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

/* What stands where a verb is due, and what the verb is missing. */
static int check(const struct lf_command_line *line)
{
	int count = line->operand_count;

	if (line->help || line->version)
		return LF_EXIT_DONE;
	if (!line->verb)
		return usage(line, NULL, "a verb is missing: lungfish help lists them");
	switch (line->verb->bit) {
	case CONNECT:
		if (count == 0)
			return usage(line, NULL, "an image is missing: lungfish connect disk.img");
		return count > 2 ? usage(line, line->operands[2],
					   "one image and one name at most: connect them one by one")
				 : LF_EXIT_DONE;
	case DISCONNECT:
		if (count == 0 && !line->all)
			return usage(line, NULL,
				"an ID is missing: lungfish list shows them; --all is for every one");
		return count > 0 && line->all
			       ? usage(line, "--all", "it goes without an ID: leave one of them out")
			       : LF_EXIT_DONE;
	case SHOW:
		return count != 1 ? usage(line, NULL, "it takes one ID: lungfish list shows them")
				  : LF_EXIT_DONE;
	case IDENTIFY:
	case STATUS:
		return count > 0 ? usage(line, line->operands[0], "it takes no argument: leave it out")
				 : LF_EXIT_DONE;
	case HELP:
		return count > 1 ? usage(line, line->operands[1], "one verb at a time: lungfish help connect")
				 : LF_EXIT_DONE;
	case RUN:
		if (count == 0)
			return usage(line, NULL, "an image is missing: lungfish run disk.img -- COMMAND");
		if (!line->command || !line->command[0])
			return usage(line, NULL, "a command is missing: it stands behind --");
		return LF_EXIT_DONE;
	default:
		return LF_EXIT_DONE;
	}
}

static int take_operand(struct lf_command_line *line, char *operand)
{
	if (line->verb) {
		line->operands[line->operand_count++] = operand;
		return LF_EXIT_DONE;
	}
	line->verb = find_verb(operand);
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
