/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish.h: what the files of the command share: its command line, its reports, its output. */
#ifndef LF_PROGRAMS_LUNGFISH_H
#define LF_PROGRAMS_LUNGFISH_H

#include "control/client.h"
#include "control/source.h"
#include "programs/options.h"

#include <json-c/json.h>
#include <stdio.h>

/* Promised to scripts: see EXIT STATUS in lungfish(1). */
enum lf_exit {
	LF_EXIT_DONE = 0,
	LF_EXIT_FAILED = 1,
	LF_EXIT_USAGE = 2,
	LF_EXIT_NOT_FOUND = 3,
	LF_EXIT_BUSY = 4,
	LF_EXIT_PERMISSION = 5,
	LF_EXIT_NO_ADAPTER = 6,
	LF_EXIT_SOME_FAILED = 7,
	LF_EXIT_TIMED_OUT = 8,
	LF_EXIT_UNSUPPORTED = 9,
	LF_EXIT_RUN_FAILED = 125, /* of run: ours, not the command's */
	LF_EXIT_RUN_DENIED = 126,
	LF_EXIT_RUN_NOT_FOUND = 127,
	LF_EXIT_RUN_SIGNAL = 128, /* and the signal's number */
};

struct lf_verb;

struct lf_command_line {
	const struct lf_verb *verb;
	const char *group; /* the first word of a verb of two */
	bool json, no_headings, raw, bytes, quiet, verbose, all_columns, all, force, help, version;
	bool no_state, histogram;
	bool persist;     /* connect: it is kept from now on; disconnect, by the service: it stays so */
	bool may_be_gone; /* nobody named the device: when it has left, that is no error and is not told */
	uint32_t interval_s, count; /* of stats; 0: once, and without end */
	const char *columns;
	const char *socket;
	const char *account; /* of service install; NULL: the system's */
	char **operands;     /* of argv */
	int operand_count;
	char **command; /* of run; NULL-terminated, or NULL */
	/* Who hears what goes wrong in the place of stderr: the window, the service. NULL: nobody else. */
	void (*told)(void *context, const char *object, const char *message, int status);
	void *told_context;

	/* connect and run */
	uint64_t create_bytes; /* 0: the image exists */
	struct lf_control_connect connect;
};

/* What an operand is: for completions. */
enum lf_operand {
	LF_OPERAND_OTHER,
	LF_OPERAND_IMAGE,
	LF_OPERAND_DEVICE,
	LF_OPERAND_SESSION,
	LF_OPERAND_VERB
};

#define LF_OPERANDS_ANY INT32_MAX
#define LF_VERB_EVERY   (UINT32_C(1) << 30) /* options that all verbs know */

struct lf_verb {
	const char *name;
	const char *sub; /* the second word; NULL: it has none */
	uint32_t bit;
	int32_t least, most;         /* operands */
	enum lf_operand first, rest; /* what they are */
	const char *arguments;
	const char *missing; /* what to say when there are too few; NULL: nothing is missing */
	const char *help;
	const char *example;
	int (*run)(const struct lf_command_line *line);
};

/* ---- The table: lungfish_table.c ---- */

/* Returns LF_EXIT_DONE, or LF_EXIT_USAGE after a report. argv is permuted: operands come to its start. */
int lf_table_parse(int argc, char **argv, struct lf_command_line *line);
void lf_table_help(const struct lf_verb *verb);
/* For completions; NULL past the last. Those of one first word follow one another. */
const struct lf_verb *lf_table_verb(uint32_t index);
const struct lf_option *lf_table_option(uint32_t index);
/* "session list" */
const char *lf_verb_name(const struct lf_verb *verb, char *text, size_t room_bytes);
#define LF_VERB_NAME_ROOM 40

/* ---- Reports: lungfish_session.c ---- */

/* "lungfish: verb: object: message" on stderr, or as JSON, or to told; object may be NULL. Returns status. */
int lf_report(const struct lf_command_line *line, const char *object, const char *message, int status);
/* A line stays one line, and a terminal is not steered. */
void lf_print_clean(FILE *out, const char *text);
/* The bytes of the control character that text, which is not empty, begins with; 0: it begins with another.
 * U+0080 to U+009F are some, too. */
size_t lf_control_character(const char *text);
int lf_exit_of_error(enum lf_error error);
int lf_exit_of_status(enum lf_control_status status);
/* "lungfish: verb: object: warning: message: why" on stderr, if that is not for machines or to be silent. */
void lf_warn(const struct lf_command_line *line, const char *object, const char *message, const char *why);
/* Talk on stderr, with --verbose only. */
void lf_talk(const struct lf_command_line *line, const char *format, ...) LF_PRINTF(2, 3);

#define CALL_MS 30000 /* most of a call that waits for nothing */

/*
 * A call with its failures reported: LF_EXIT_DONE, or the exit status. object is what it is about. The client
 * is too large for a stack.
 */
struct lf_client *lf_session_open(const struct lf_command_line *line, int *status);
/* Likewise, for what is about a device: not when the ID cannot be one. */
struct lf_client *lf_session_open_for(const struct lf_command_line *line, const char *id, int *status);
void lf_session_close(struct lf_client *client);
int lf_session_call(const struct lf_command_line *line, struct lf_client *client, const char *object,
	union lf_control_request *request, const lf_handle handles[LF_CONTROL_HANDLES_MAX],
	uint32_t timeout_ms, union lf_control_reply *reply);
/* Likewise, of a command that takes no more than the device. */
int lf_session_select(const struct lf_command_line *line, struct lf_client *client,
	enum lf_control_command command, const char *id, union lf_control_reply *reply);
/* The second half of it, for what was sent by lf_client_send. */
int lf_session_wait(const struct lf_command_line *line, struct lf_client *client, const char *object,
	enum lf_control_command command, uint32_t timeout_ms, union lf_control_reply *reply);

/* Flushes stdout; LF_EXIT_FAILED when what was printed could not be written. */
int lf_output_end(const struct lf_command_line *line, int status);

/* ---- Devices ---- */

/*
 * Opens the image as the caller and connects it, and with line->persist keeps it. name may be NULL, and
 * image: a drive without a medium. device->number is 0 when nothing was connected: one that cannot be kept
 * is.
 */
int lf_connect_image(const struct lf_command_line *line, struct lf_client *client, const char *image,
	const char *name, struct lf_control_device *device);

/* A growing row of them; at is freed by free. Zeros at first. */
struct lf_devices {
	struct lf_control_device *at;
	uint32_t count, room;
};

/* What the verbs do, without a word on stdout. device is of success alone. line->force is heeded. */
int lf_fetch_devices(
	const struct lf_command_line *line, struct lf_client *client, struct lf_devices *devices);
int lf_fetch_device(const struct lf_command_line *line, struct lf_client *client, const char *id,
	struct lf_control_device *device);
int lf_disconnect_device(const struct lf_command_line *line, struct lf_client *client, const char *id,
	struct lf_control_device *gone);
int lf_insert_image(const struct lf_command_line *line, struct lf_client *client, const char *id,
	const char *image, struct lf_control_device *device);
int lf_eject_medium(const struct lf_command_line *line, struct lf_client *client, const char *id,
	struct lf_control_device *device);
/* size_bytes: 0 for what the image has by now. */
int lf_resize_device(const struct lf_command_line *line, struct lf_client *client, const char *id,
	uint64_t size_bytes, struct lf_control_device *device);
/* root: what show --json prints; json_object_put frees it. */
int lf_show_json(const struct lf_command_line *line, struct lf_client *client, const char *id,
	struct lf_control_device *device, struct json_object **root);

/* The IDs of all devices: an array of texts in one piece of memory, freed by free. */
int lf_all_ids(const struct lf_command_line *line, char ***ids, uint32_t *id_count);

/* The ID as typed, and as a path when it is one here. LF_CONTROL_TEXTs of one size. */
int lf_fill_id(const struct lf_command_line *line, const char *typed, struct lf_control_select *select);

/* Several at once, and one exit status. */
struct lf_tally {
	uint32_t tried, failed;
	int status; /* of the last that failed */
};

void lf_tally_count(struct lf_tally *tally, int status);
int lf_tally_exit(const struct lf_tally *tally);

int lf_verb_connect(const struct lf_command_line *line);
int lf_verb_disconnect(const struct lf_command_line *line);
int lf_verb_list(const struct lf_command_line *line);
int lf_verb_show(const struct lf_command_line *line);
int lf_verb_change_medium(const struct lf_command_line *line);
int lf_verb_resize(const struct lf_command_line *line);
int lf_verb_session_list(const struct lf_command_line *line);
int lf_verb_session_drop(const struct lf_command_line *line);
int lf_verb_stats(const struct lf_command_line *line);
int lf_verb_reserve_show(const struct lf_command_line *line);
int lf_verb_reserve_clear(const struct lf_command_line *line);
int lf_verb_completion(const struct lf_command_line *line);
int lf_verb_status(const struct lf_command_line *line);
int lf_verb_identify(const struct lf_command_line *line);
int lf_verb_driver_install(const struct lf_command_line *line);
int lf_verb_driver_remove(const struct lf_command_line *line);
int lf_verb_driver_status(const struct lf_command_line *line);
int lf_verb_run(const struct lf_command_line *line);
int lf_verb_help(const struct lf_command_line *line);
int lf_verb_service_install(const struct lf_command_line *line);
int lf_verb_service_remove(const struct lf_command_line *line);
int lf_verb_service_status(const struct lf_command_line *line);
int lf_verb_service_forget(const struct lf_command_line *line);
int lf_verb_service_run(const struct lf_command_line *line);

/* ---- Output ---- */

#define LF_CELL_MAX 4200

/*
 * An image's path of the protocol, as a person writes it. One of the kernel of Windows becomes C:\disk.img,
 * \\server\share\disk.img or \\?\Volume{...}\disk.img; any other stays. Returns shown.
 */
const char *lf_image_shown(const char *path, char shown[LF_CONTROL_PATH_CAPACITY]);

/* One column of a table: record is what the table is of. */
struct lf_column {
	const char *name;
	bool right, standard;
	void (*put)(const struct lf_command_line *line, const void *record, char *cell);
};

struct lf_table {
	const struct lf_column *columns; /* those that are not standard only by -o or -O */
	uint32_t count;
	size_t record_size;
};

extern const struct lf_table lf_device_table;

void lf_cell_text(char *cell, const char *text); /* "-" for an empty one */
void lf_cell_number(char *cell, uint64_t number);

/* Columns by name, of --output; false after a report. Freed by free. */
bool lf_columns_choose(const struct lf_command_line *line, const struct lf_table *table,
	const struct lf_column ***columns, uint32_t *count);
void lf_columns_print(const struct lf_command_line *line, const struct lf_table *table,
	const struct lf_column *const *columns, uint32_t count, const void *records, uint32_t record_count);
/* A line for each column. */
void lf_columns_show(const struct lf_command_line *line, const struct lf_table *table, const void *record);

/* "20G", or bytes with --bytes. */
void lf_format_size(const struct lf_command_line *line, uint64_t size_bytes, char *text, size_t room_bytes);
const char *lf_format_type(uint32_t type);
const char *lf_format_state(uint32_t state);
const char *lf_format_block(const struct lf_control_device *device);

/* What the unit said to one command. */
struct lf_answer {
	bool came;              /* the question was put */
	bool readable;          /* with GOOD, and it is what was asked for */
	uint8_t scsi_status;    /* SAM-5 table 41 */
	uint8_t key, asc, ascq; /* of the sense, when there is any */
	uint8_t *bytes;
	uint32_t length;
};

/* All that it says of itself. */
struct lf_pages {
	uint32_t type;               /* peripheral device type */
	struct lf_answer vital[256]; /* VPD, by page code */
	struct lf_answer mode, capacity, commands;
};

/* LF_EXIT_DONE, or the exit status after a report. object is for the report. */
int lf_pages_read(const struct lf_command_line *line, struct lf_client *client, const char *object,
	const struct lf_control_device *device, struct lf_pages **pages);
void lf_pages_free(struct lf_pages *pages);
void lf_pages_show(const struct lf_pages *pages);
/* Adds them to a device; NULL: they could not be asked for. */
void lf_pages_json(const struct lf_pages *pages, struct json_object *device);

#define LF_NO_ACTION 0xffff
/* NULL: it has no name here. type: of the device. */
const char *lf_command_name(uint8_t opcode, uint32_t service_action, uint32_t type);

/* What a device has counted, at one time; freed by free. before may be NULL: all since the unit came. */
struct lf_sample;
int lf_sample_read(const struct lf_command_line *line, struct lf_client *client, const char *id,
	struct lf_sample **sample);
/* "read_commands" and the like; 0 when this adapter does not count it. */
uint64_t lf_sample_value(const struct lf_sample *sample, const char *name);
uint64_t lf_sample_taken_ns(const struct lf_sample *sample); /* by the adapter's clock */
void lf_sample_show(const struct lf_sample *sample);
struct json_object *lf_json_counters(const struct lf_sample *now, const struct lf_sample *before);

int lf_reservation_read(const struct lf_command_line *line, struct lf_client *client, const char *id,
	struct lf_control_reservation *reservation);
void lf_reservation_show(const struct lf_control_reservation *reservation);
struct json_object *lf_json_reservation(const struct lf_control_reservation *reservation);

/* JSON: an object with "schema" in it; printing gives it back. */
struct json_object *lf_json_new(void);
void lf_json_text(struct json_object *to, const char *key, const char *text); /* null for an empty one */
void lf_json_number(struct json_object *to, const char *key, uint64_t number);
void lf_json_flag(struct json_object *to, const char *key, bool flag);
struct json_object *lf_json_device(const struct lf_control_device *device);
struct json_object *lf_json_devices(const struct lf_control_device *devices, uint32_t count);
void lf_json_print(FILE *out, struct json_object *object);

#endif
