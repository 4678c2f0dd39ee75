/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_media.c: insert, eject and resize. */
#include "programs/lungfish.h"
#include "programs/os.h"

#include <string.h>

#define CHANGE_MS 10000 /* how long the adapter waits for what is in flight */

static int change(const struct lf_command_line *line, struct lf_client *client, const char *object,
	union lf_control_request *request, lf_handle handle, struct lf_control_device *device)
{
	const lf_handle handles[LF_CONTROL_HANDLES_MAX] = {handle, LF_HANDLE_NONE};
	union lf_control_reply reply;
	int status = lf_session_call(line, client, object, request, handles, CHANGE_MS + CALL_MS, &reply);

	if (status == LF_EXIT_DONE)
		*device = reply.one.device;
	return status;
}

int lf_insert_image(const struct lf_command_line *line, struct lf_client *client, const char *id,
	const char *image, struct lf_control_device *device)
{
	bool read_only = (line->connect.flags & LF_CONTROL_READ_ONLY) != 0;
	union lf_control_request request;
	struct lf_control_select select = {0};
	struct lf_control_source source;
	struct lf_medium_lock *lock;
	struct lf_message message = {""};
	enum lf_error error;
	int status = lf_fill_id(line, id, &select);

	/* A disc is not written: it is opened as the drive will have it. */
	if (status == LF_EXIT_DONE)
		status = lf_fetch_device(line, client, id, device);
	if (status != LF_EXIT_DONE)
		return status;
	read_only = read_only || device->type != 0;
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
	status = lf_os_lock_medium(line, client, device, &lock);
	if (status == LF_EXIT_DONE)
		status = change(line, client, image, &request, source.handle, device);
	lf_os_unlock_medium(lock);
	lf_control_source_close(&source);
	return status == LF_EXIT_DONE ? lf_os_keep_medium(line, device) : status;
}

int lf_eject_medium(const struct lf_command_line *line, struct lf_client *client, const char *id,
	struct lf_control_device *device)
{
	union lf_control_request request = {0};
	struct lf_medium_lock *lock = NULL;
	int status = lf_fill_id(line, id, &request.select);

	if (status == LF_EXIT_DONE)
		status = lf_fetch_device(line, client, id, device);
	if (status == LF_EXIT_DONE)
		status = lf_os_lock_medium(line, client, device, &lock);
	if (status != LF_EXIT_DONE)
		return status;
	request.header.command = LF_CONTROL_EJECT;
	request.select.flags = line->force ? LF_CONTROL_FORCE : 0;
	request.select.timeout_ms = CHANGE_MS;
	status = change(line, client, id, &request, LF_HANDLE_NONE, device);
	lf_os_unlock_medium(lock);
	return status == LF_EXIT_DONE ? lf_os_keep_medium(line, device) : status;
}

int lf_resize_device(const struct lf_command_line *line, struct lf_client *client, const char *id,
	uint64_t size_bytes, struct lf_control_device *device)
{
	struct lf_control_select select = {0};
	union lf_control_request request;
	int status = lf_fill_id(line, id, &select);

	if (status != LF_EXIT_DONE)
		return status;
	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_RESIZE;
	request.resize.size_bytes = size_bytes;
	memcpy(&request.resize.id, &select.id, sizeof(select.id));
	memcpy(&request.resize.path, &select.path, sizeof(select.path));
	return change(line, client, id, &request, LF_HANDLE_NONE, device);
}

/* ---- The verbs ---- */

static int end(const struct lf_command_line *line, int status, const struct lf_control_device *device)
{
	if (status == LF_EXIT_DONE && line->json)
		lf_json_print(stdout, lf_json_devices(device, 1));
	return lf_output_end(line, status);
}

/* insert and eject: with an image, or without. */
int lf_verb_change_medium(const struct lf_command_line *line)
{
	struct lf_control_device device;
	struct lf_client *client;
	int status;

	client = lf_session_open_for(line, line->operands[0], &status);
	if (!client)
		return status;
	status = line->operand_count > 1
			 ? lf_insert_image(line, client, line->operands[0], line->operands[1], &device)
			 : lf_eject_medium(line, client, line->operands[0], &device);
	lf_session_close(client);
	return end(line, status, &device);
}

int lf_verb_resize(const struct lf_command_line *line)
{
	struct lf_control_device device;
	struct lf_client *client;
	uint64_t size_bytes = 0;
	char text[40];
	int status;

	if (line->operand_count > 1 &&
		(!lf_control_parse_size(line->operands[1], &size_bytes) || size_bytes == 0))
		return lf_report(line, line->operands[1],
			"no size: try 20G, or a number of bytes, less than 8E", LF_EXIT_USAGE);
	client = lf_session_open_for(line, line->operands[0], &status);
	if (!client)
		return status;
	status = lf_resize_device(line, client, line->operands[0], size_bytes, &device);
	lf_session_close(client);
	if (status == LF_EXIT_DONE && !line->json) {
		lf_format_size(line, device.block_count * device.block_size, text, sizeof(text));
		printf("%s\n", text);
	}
	return end(line, status, &device);
}
