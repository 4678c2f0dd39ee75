/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_media.c: insert, eject and resize. */
#include "programs/lungfish.h"

#include <string.h>

#define CHANGE_MS 10000 /* how long the adapter waits for what is in flight */

static int change(const struct lf_command_line *line, const char *object, union lf_control_request *request,
	lf_handle handle, struct lf_control_device *device)
{
	const lf_handle handles[LF_CONTROL_HANDLES_MAX] = {handle, LF_HANDLE_NONE};
	union lf_control_reply reply;
	struct lf_client *client;
	int status;

	client = lf_session_open(line, &status);
	if (!client)
		return status;
	status = lf_session_call(line, client, object, request, handles, CHANGE_MS + CALL_MS, &reply);
	lf_session_close(client);
	if (status != LF_EXIT_DONE)
		return status;
	*device = reply.one.device;
	if (line->json)
		lf_json_print(stdout, lf_json_devices(device, 1));
	return LF_EXIT_DONE;
}

int lf_verb_insert(const struct lf_command_line *line)
{
	const char *id = line->operands[0], *image = line->operands[1];
	bool read_only = (line->connect.flags & LF_CONTROL_READ_ONLY) != 0;
	union lf_control_request request;
	struct lf_control_device device;
	struct lf_control_select select = {0};
	struct lf_control_source source;
	struct lf_message message = {""};
	struct lf_client *client;
	union lf_control_reply reply;
	enum lf_error error;
	int status = lf_fill_id(line, id, &select);

	client = status == LF_EXIT_DONE ? lf_session_open(line, &status) : NULL;
	if (!client)
		return status;
	/* A disc is not written: it is opened as the drive will have it. */
	request.select = select;
	request.header.command = LF_CONTROL_SHOW;
	status = lf_session_call(line, client, id, &request, NULL, CALL_MS, &reply);
	lf_session_close(client);
	if (status != LF_EXIT_DONE)
		return status;
	read_only = read_only || reply.one.device.type != 0;
	error = lf_control_source_open(image, read_only, &source, &message);
	if (error != LF_OK)
		return lf_report(line, image, message.text, lf_exit_of_error(error));
	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_INSERT;
	request.insert.flags =
		(read_only ? LF_CONTROL_INSERT_READ_ONLY : 0u) | (line->force ? LF_CONTROL_INSERT_FORCE : 0u);
	memcpy(&request.insert.id, &select.id, sizeof(select.id));
	memcpy(&request.insert.path, &select.path, sizeof(select.path));
	lf_control_set_text(&request.insert.image, source.path);
	status = change(line, image, &request, source.handle, &device);
	lf_control_source_close(&source);
	return lf_output_end(line, status);
}

int lf_verb_eject(const struct lf_command_line *line)
{
	union lf_control_request request = {0};
	struct lf_control_device device;
	int status = lf_fill_id(line, line->operands[0], &request.select);

	if (status != LF_EXIT_DONE)
		return status;
	request.header.command = LF_CONTROL_EJECT;
	request.select.flags = line->force ? LF_CONTROL_FORCE : 0;
	request.select.timeout_ms = CHANGE_MS;
	return lf_output_end(line, change(line, line->operands[0], &request, LF_HANDLE_NONE, &device));
}

int lf_verb_resize(const struct lf_command_line *line)
{
	const char *id = line->operands[0];
	struct lf_control_select select = {0};
	union lf_control_request request;
	struct lf_control_device device;
	uint64_t size_bytes = 0;
	char text[40];
	int status;

	if (line->operand_count > 1 &&
		(!lf_control_parse_size(line->operands[1], &size_bytes) || size_bytes == 0))
		return lf_report(line, line->operands[1],
			"no size: try 20G, or a number of bytes, less than 8E", LF_EXIT_USAGE);
	status = lf_fill_id(line, id, &select);
	if (status != LF_EXIT_DONE)
		return status;
	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_RESIZE;
	request.resize.size_bytes = size_bytes;
	memcpy(&request.resize.id, &select.id, sizeof(select.id));
	memcpy(&request.resize.path, &select.path, sizeof(select.path));
	status = change(line, id, &request, LF_HANDLE_NONE, &device);
	if (status == LF_EXIT_DONE && !line->json) {
		lf_format_size(line, device.block_count * device.block_size, text, sizeof(text));
		printf("%s\n", text);
	}
	return lf_output_end(line, status);
}
