/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_session.c: reports what goes wrong, and calls of the adapter. */
#include "programs/lungfish.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

size_t lf_control_character(const char *text)
{
	unsigned char c = (unsigned char)text[0], next = c ? (unsigned char)text[1] : 0;

	if (c == 0xc2 && next >= 0x80 && next < 0xa0)
		return 2;
	return c < 0x20 || c == 0x7f ? 1 : 0;
}

void lf_print_clean(FILE *out, const char *text)
{
	for (size_t escaped = 0; *text; text++) {
		escaped = lf_max(escaped, lf_control_character(text));
		if (escaped > 0) {
			fprintf(out, "\\x%02x", (unsigned char)*text);
			escaped--;
		} else {
			fputc(*text, out);
		}
	}
}

static struct json_object *clean_string(const char *text)
{
	if (!text)
		return NULL;
	return json_object_new_string(
		lf_control_is_utf8(text, strlen(text)) ? text : "(an argument that is not UTF-8)");
}

int lf_report(const struct lf_command_line *line, const char *object, const char *message, int status)
{
	char name[LF_VERB_NAME_ROOM];
	const char *verb = line->verb ? lf_verb_name(line->verb, name, sizeof(name)) : NULL;

	if (line->told) {
		line->told(line->told_context, object, message, status);
		return status;
	}
	if (line->json) {
		struct json_object *root = lf_json_new(), *errors = json_object_new_array();
		struct json_object *error = json_object_new_object();
		json_object_object_add(error, "verb", clean_string(verb));
		json_object_object_add(error, "object", clean_string(object));
		json_object_object_add(error, "message", clean_string(message));
		json_object_object_add(error, "exit_status", json_object_new_int(status));
		json_object_array_add(errors, error);
		json_object_object_add(root, "errors", errors);
		lf_json_print(stderr, root);
		return status;
	}
	fprintf(stderr, "lungfish: ");
	if (verb)
		fprintf(stderr, "%s: ", verb);
	if (object) {
		lf_print_clean(stderr, object);
		fprintf(stderr, ": ");
	}
	lf_print_clean(stderr, message);
	fputc('\n', stderr);
	return status;
}

void lf_warn(const struct lf_command_line *line, const char *object, const char *message, const char *why)
{
	char name[LF_VERB_NAME_ROOM];

	if (line->quiet || line->json || line->told)
		return;
	fprintf(stderr, "lungfish: %s: ", lf_verb_name(line->verb, name, sizeof(name)));
	lf_print_clean(stderr, object);
	fprintf(stderr, ": warning: %s: ", message);
	lf_print_clean(stderr, why);
	fputc('\n', stderr);
}

void lf_talk(const struct lf_command_line *line, const char *format, ...)
{
	char text[8192];
	va_list values;

	if (!line->verbose || line->quiet || line->told)
		return;
	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	fprintf(stderr, "lungfish: ");
	lf_print_clean(stderr, text);
	fputc('\n', stderr);
}

int lf_exit_of_error(enum lf_error error)
{
	switch (error) {
	case LF_OK:
		return LF_EXIT_DONE;
	case LF_E_NOT_FOUND:
		return LF_EXIT_NOT_FOUND;
	case LF_E_BUSY:
		return LF_EXIT_BUSY;
	case LF_E_PERMISSION:
	case LF_E_READ_ONLY:
		return LF_EXIT_PERMISSION;
	case LF_E_TIMED_OUT:
		return LF_EXIT_TIMED_OUT;
	case LF_E_UNSUPPORTED:
		return LF_EXIT_UNSUPPORTED;
	default:
		return LF_EXIT_FAILED;
	}
}

int lf_exit_of_status(enum lf_control_status status)
{
	switch (status) {
	case LF_CONTROL_OK:
		return LF_EXIT_DONE;
	case LF_CONTROL_NOT_FOUND:
		return LF_EXIT_NOT_FOUND;
	case LF_CONTROL_BUSY:
		return LF_EXIT_BUSY;
	case LF_CONTROL_PERMISSION:
		return LF_EXIT_PERMISSION;
	case LF_CONTROL_TIMED_OUT:
		return LF_EXIT_TIMED_OUT;
	case LF_CONTROL_BAD_VERSION:
	case LF_CONTROL_UNSUPPORTED:
		return LF_EXIT_UNSUPPORTED;
	default:
		return LF_EXIT_FAILED;
	}
}

struct lf_client *lf_session_open(const struct lf_command_line *line, int *status)
{
	struct lf_client *client = malloc(sizeof(*client));
	struct lf_message message;
	enum lf_error error;

	if (!client) {
		*status = lf_report(line, NULL, "out of memory", LF_EXIT_FAILED);
		return NULL;
	}
	error = lf_client_open(line->socket, client, &message);
	if (error != LF_OK) {
		*status = lf_report(line, NULL, message.text,
			error == LF_E_NOT_FOUND ? (int)LF_EXIT_NO_ADAPTER : lf_exit_of_error(error));
		free(client);
		return NULL;
	}
	*status = LF_EXIT_DONE;
	return client;
}

void lf_session_close(struct lf_client *client)
{
	lf_client_close(client);
	free(client);
}

int lf_session_wait(const struct lf_command_line *line, struct lf_client *client, const char *object,
	enum lf_control_command command, uint32_t timeout_ms, union lf_control_reply *reply)
{
	struct lf_message message;
	enum lf_error error;

	error = lf_client_wait(client, command, timeout_ms, reply, &message);
	if (error != LF_OK)
		return lf_report(line, object, message.text,
			error == LF_E_NOT_FOUND ? (int)LF_EXIT_NO_ADAPTER : lf_exit_of_error(error));
	if (reply->header.status == LF_CONTROL_OK)
		return LF_EXIT_DONE;
	/* Busy: it is leaving. */
	if (line->may_be_gone &&
		(reply->header.status == LF_CONTROL_NOT_FOUND || reply->header.status == LF_CONTROL_BUSY))
		return LF_EXIT_NOT_FOUND;
	return lf_report(line, object, reply->failure.text.bytes,
		lf_exit_of_status((enum lf_control_status)reply->header.status));
}

int lf_session_call(const struct lf_command_line *line, struct lf_client *client, const char *object,
	union lf_control_request *request, const lf_handle handles[LF_CONTROL_HANDLES_MAX],
	uint32_t timeout_ms, union lf_control_reply *reply)
{
	lf_client_send(client, request, handles);
	return lf_session_wait(
		line, client, object, (enum lf_control_command)request->header.command, timeout_ms, reply);
}

int lf_fill_id(const struct lf_command_line *line, const char *typed, struct lf_control_select *select)
{
	char path[LF_CONTROL_PATH_CAPACITY];

	if (*typed == '\0' || !lf_control_set_text(&select->id, typed))
		return lf_report(line, typed, "no such device: lungfish list shows those that are connected",
			LF_EXIT_NOT_FOUND);
	if (lf_control_source_path(typed, path) && !lf_control_set_text(&select->path, path))
		lf_control_set_text(&select->path, "");
	return LF_EXIT_DONE;
}

struct lf_client *lf_session_open_for(const struct lf_command_line *line, const char *id, int *status)
{
	struct lf_control_select select = {0};

	*status = lf_fill_id(line, id, &select);
	return *status == LF_EXIT_DONE ? lf_session_open(line, status) : NULL;
}

int lf_session_select(const struct lf_command_line *line, struct lf_client *client,
	enum lf_control_command command, const char *id, union lf_control_reply *reply)
{
	union lf_control_request request;

	memset(&request, 0, sizeof(request));
	request.header.command = (uint16_t)command;
	int status = lf_fill_id(line, id, &request.select);
	return status == LF_EXIT_DONE ? lf_session_call(line, client, id, &request, NULL, CALL_MS, reply)
				      : status;
}

void lf_tally_count(struct lf_tally *tally, int status)
{
	tally->tried++;
	if (status == LF_EXIT_DONE)
		return;
	tally->failed++;
	tally->status = status;
}

int lf_tally_exit(const struct lf_tally *tally)
{
	if (tally->failed == 0)
		return LF_EXIT_DONE;
	return tally->tried > 1 ? (int)LF_EXIT_SOME_FAILED : tally->status;
}

int lf_output_end(const struct lf_command_line *line, int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	return lf_report(line, NULL, "the output cannot be written: is the disk full, or the reader gone?",
		status == LF_EXIT_DONE ? (int)LF_EXIT_FAILED : status);
}
