/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_devices.c: connect, disconnect, list and show. */
#include "programs/lungfish.h"
#include "programs/os.h"

#include <stdlib.h>
#include <string.h>

#define DEPARTURE_MS       10000
#define DEPARTURES_AT_ONCE 16

static int devices_add(const struct lf_command_line *line, struct lf_devices *devices,
	const struct lf_control_device *device)
{
	if (devices->count == devices->room) {
		uint32_t room = devices->room ? devices->room * 2 : 16;
		struct lf_control_device *at = realloc(devices->at, room * sizeof(*at));
		if (!at)
			return lf_report(line, NULL, "out of memory", LF_EXIT_FAILED);
		devices->at = at;
		devices->room = room;
	}
	devices->at[devices->count++] = *device;
	return LF_EXIT_DONE;
}

/* ---- connect ---- */

static enum lf_error open_image(const struct lf_command_line *line, const char *image,
	struct lf_control_source *source, struct lf_message *message)
{
	bool read_only = line->connect.type != 0 || (line->connect.flags & LF_CONTROL_READ_ONLY) != 0;

	source->path[0] = '\0';
	source->handle = LF_HANDLE_NONE;
	source->created = false;
	if (!image)
		return LF_OK;
	if (line->create_bytes)
		return lf_control_source_create(image, line->create_bytes, source, message);
	return lf_control_source_open(image, read_only, source, message);
}

int lf_connect_image(const struct lf_command_line *line, struct lf_client *client, const char *image,
	const char *name, struct lf_control_device *device)
{
	union lf_control_request request = {.connect = line->connect};
	struct lf_control_source source;
	union lf_control_reply reply;
	struct lf_message message = {""};
	lf_handle handles[LF_CONTROL_HANDLES_MAX] = {LF_HANDLE_NONE, LF_HANDLE_NONE};
	enum lf_error error;
	int status = line->persist ? lf_os_may_keep(line) : (int)LF_EXIT_DONE;

	device->number = 0;
	if (status != LF_EXIT_DONE)
		return status;
	if (name && (*name == '\0' || !lf_control_set_text(&request.connect.name, name)))
		return lf_report(line, name,
			"no name for a device: up to 61 letters, digits, '.', '_' or '-'", LF_EXIT_FAILED);
	error = open_image(line, image, &source, &message);
	if (error != LF_OK)
		return lf_report(line, image, message.text, lf_exit_of_error(error));
	handles[0] = source.handle;
	handles[1] = lf_os_open_state(line, image, &source);
	request.header.command = LF_CONTROL_CONNECT;
	lf_control_set_text(&request.connect.path, source.path);
	status = lf_session_call(line, client, image, &request, handles, CALL_MS, &reply);
	lf_control_source_close(&source);
	lf_os_close_state(handles[1]);
	if (status != LF_EXIT_DONE) {
		/* Without an answer it may be a disk by now, and somebody's data in it. */
		if (source.created && status != LF_EXIT_TIMED_OUT && status != LF_EXIT_NO_ADAPTER)
			lf_control_source_remove(&source);
		return status;
	}
	*device = reply.one.device;
	lf_talk(line, "%s is %s, LUN %u%s%s", image ? source.path : "an empty drive", device->id.bytes,
		device->lun, device->url.length ? ", " : "", device->url.bytes);
	return line->persist ? lf_os_keep(line, &request.connect, device) : (int)LF_EXIT_DONE;
}

int lf_verb_connect(const struct lf_command_line *line)
{
	const char *image = line->operand_count > 0 ? line->operands[0] : NULL;
	const char *name = line->operand_count > 1 ? line->operands[1] : NULL;
	struct lf_control_device device;
	struct lf_client *client;
	int status;

	client = lf_session_open(line, &status);
	if (!client)
		return status;
	status = lf_connect_image(line, client, image, name, &device);
	lf_session_close(client);
	if (device.number == 0)
		return status;
	if (line->json)
		lf_json_print(stdout, lf_json_devices(&device, 1));
	else
		printf("%s\n", device.id.bytes);
	return lf_output_end(line, status);
}

/* ---- Fetching ---- */

int lf_fetch_devices(const struct lf_command_line *line, struct lf_client *client, struct lf_devices *devices)
{
	union lf_control_request request = {0};
	struct lf_control_device device;
	union lf_control_reply reply;
	int status;

	do {
		request.header.command = LF_CONTROL_LIST;
		status = lf_session_call(line, client, NULL, &request, NULL, CALL_MS, &reply);
		for (uint32_t i = 0; status == LF_EXIT_DONE && i < reply.page.count; i++) {
			if (!lf_control_decode_device(client->reply, i, &device) ||
				device.number <= request.list.after)
				return lf_report(
					line, NULL, "the adapter's list makes no sense", LF_EXIT_FAILED);
			request.list.after = device.number;
			status = devices_add(line, devices, &device);
		}
	} while (status == LF_EXIT_DONE && reply.page.more && reply.page.count > 0);
	return status;
}

int lf_fetch_device(const struct lf_command_line *line, struct lf_client *client, const char *id,
	struct lf_control_device *device)
{
	union lf_control_reply reply;
	int status = lf_session_select(line, client, LF_CONTROL_SHOW, id, &reply);

	if (status == LF_EXIT_DONE)
		*device = reply.one.device;
	return status;
}

/* ---- disconnect ---- */

/* One device that is waited for on a connection of its own, so that a slow one keeps no other. */
struct departure {
	struct lf_client *client;
	const char *id;
	union lf_control_request request;
};

/* Asks whoever uses it to let it go, then the adapter. */
static int departure_begin(const struct lf_command_line *line, struct departure *departure)
{
	int status;

	memset(&departure->request, 0, sizeof(departure->request));
	status = lf_fill_id(line, departure->id, &departure->request.select);
	if (status == LF_EXIT_DONE && !line->force)
		status = lf_os_release(line, departure->client, departure->id);
	if (status != LF_EXIT_DONE)
		return status;
	departure->request.header.command = LF_CONTROL_DISCONNECT;
	departure->request.select.flags = line->force ? LF_CONTROL_FORCE : 0;
	departure->request.select.timeout_ms = DEPARTURE_MS;
	lf_client_send(departure->client, &departure->request, NULL);
	return LF_EXIT_DONE;
}

static int departure_end(
	const struct lf_command_line *line, struct departure *departure, struct lf_control_device *gone)
{
	union lf_control_reply reply;
	int status = lf_session_wait(line, departure->client, departure->id, LF_CONTROL_DISCONNECT,
		DEPARTURE_MS + CALL_MS, &reply);

	if (status != LF_EXIT_DONE)
		return status;
	*gone = reply.one.device;
	return line->persist ? (int)LF_EXIT_DONE : lf_os_forget(line, gone);
}

int lf_disconnect_device(const struct lf_command_line *line, struct lf_client *client, const char *id,
	struct lf_control_device *gone)
{
	struct departure departure = {.client = client, .id = id};
	int status = departure_begin(line, &departure);

	return status == LF_EXIT_DONE ? departure_end(line, &departure, gone) : status;
}

static void departure_close(struct departure *departure)
{
	if (departure->client)
		lf_session_close(departure->client);
	departure->client = NULL;
}

static void disconnect_some(const struct lf_command_line *line, char **ids, uint32_t id_count,
	struct lf_tally *tally, struct lf_devices *gone)
{
	struct departure departures[DEPARTURES_AT_ONCE];
	struct lf_control_device device;
	int status;

	for (uint32_t i = 0; i < id_count; i++) {
		departures[i].id = ids[i];
		departures[i].client = lf_session_open_for(line, ids[i], &status);
		if (departures[i].client)
			status = departure_begin(line, &departures[i]);
		if (status != LF_EXIT_DONE) {
			departure_close(&departures[i]);
			lf_tally_count(tally, status);
		}
	}
	for (uint32_t i = 0; i < id_count; i++) {
		if (!departures[i].client)
			continue;
		status = departure_end(line, &departures[i], &device);
		departure_close(&departures[i]);
		if (status == LF_EXIT_DONE) {
			lf_talk(line, "%s is gone", device.id.bytes);
			status = devices_add(line, gone, &device);
		}
		lf_tally_count(tally, status);
	}
}

int lf_all_ids(const struct lf_command_line *line, char ***ids, uint32_t *id_count)
{
	struct lf_devices devices = {0};
	struct lf_client *client;
	int status;
	char *texts;

	client = lf_session_open(line, &status);
	if (!client)
		return status;
	status = lf_fetch_devices(line, client, &devices);
	lf_session_close(client);
	*id_count = devices.count;
	*ids = malloc((devices.count + 1) * (sizeof(**ids) + sizeof(devices.at->id.bytes)));
	if (status == LF_EXIT_DONE && !*ids)
		status = lf_report(line, NULL, "out of memory", LF_EXIT_FAILED);
	texts = (char *)(*ids + devices.count + 1);
	for (uint32_t i = 0; status == LF_EXIT_DONE && i < devices.count; i++) {
		(*ids)[i] = texts + i * sizeof(devices.at->id.bytes);
		memcpy((*ids)[i], devices.at[i].id.bytes, sizeof(devices.at->id.bytes));
	}
	free(devices.at);
	return status;
}

int lf_verb_disconnect(const struct lf_command_line *line)
{
	uint32_t id_count = (uint32_t)line->operand_count;
	struct lf_devices gone = {0};
	struct lf_tally tally = {0};
	char **every = NULL, **ids = line->operands;
	int status = LF_EXIT_DONE;

	if (line->all) {
		status = lf_all_ids(line, &every, &id_count);
		ids = every;
	}
	for (uint32_t at = 0; status == LF_EXIT_DONE && at < id_count; at += DEPARTURES_AT_ONCE) {
		disconnect_some(
			line, ids + at, lf_min(id_count - at, (uint32_t)DEPARTURES_AT_ONCE), &tally, &gone);
		/* Without an adapter there is nothing to try again. */
		if (tally.status == LF_EXIT_NO_ADAPTER)
			break;
	}
	if (line->json && status == LF_EXIT_DONE)
		lf_json_print(stdout, lf_json_devices(gone.at, gone.count));
	free(every);
	free(gone.at);
	return status != LF_EXIT_DONE ? status : lf_output_end(line, lf_tally_exit(&tally));
}

/* ---- list and show ---- */

int lf_verb_list(const struct lf_command_line *line)
{
	const struct lf_column **columns;
	struct lf_devices devices = {0};
	struct lf_control_device device;
	struct lf_tally tally = {0};
	struct lf_client *client;
	uint32_t column_count;
	int status;

	if (!lf_columns_choose(line, &lf_device_table, &columns, &column_count))
		return LF_EXIT_USAGE;
	client = lf_session_open(line, &status);
	if (client && line->operand_count == 0)
		status = lf_fetch_devices(line, client, &devices);
	for (int i = 0; client && i < line->operand_count; i++) {
		status = lf_fetch_device(line, client, line->operands[i], &device);
		if (status == LF_EXIT_DONE)
			status = devices_add(line, &devices, &device);
		lf_tally_count(&tally, status);
	}
	if (client) {
		lf_session_close(client);
		if (line->operand_count > 0)
			status = lf_tally_exit(&tally);
		if (line->json)
			lf_json_print(stdout, lf_json_devices(devices.at, devices.count));
		else if (devices.count > 0 || line->operand_count == 0)
			lf_columns_print(
				line, &lf_device_table, columns, column_count, devices.at, devices.count);
		status = lf_output_end(line, status);
	}
	free(columns);
	free(devices.at);
	return status;
}

/* What show tells of a device that is there; of one that is leaving there is no more. */
struct details {
	struct lf_pages *pages;
	struct lf_sample *sample;
	struct lf_control_reservation reservation;
};

static int read_details(const struct lf_command_line *line, struct lf_client *client, const char *id,
	const struct lf_control_device *device, struct details *details)
{
	int status = lf_pages_read(line, client, id, device, &details->pages);

	if (status == LF_EXIT_DONE)
		status = lf_sample_read(line, client, id, &details->sample);
	if (status == LF_EXIT_DONE)
		status = lf_reservation_read(line, client, id, &details->reservation);
	return status;
}

/* The device, and what it tells of itself, freed by forget_details whatever is returned. */
static int read_device(const struct lf_command_line *line, struct lf_client *client, const char *id,
	struct lf_control_device *device, struct details *details)
{
	int status = lf_fetch_device(line, client, id, device);

	memset(details, 0, sizeof(*details));
	if (status == LF_EXIT_DONE && device->state != LF_CONTROL_OFFLINE)
		status = read_details(line, client, id, device, details);
	return status;
}

static void forget_details(struct details *details)
{
	lf_pages_free(details->pages);
	free(details->sample);
}

static struct json_object *details_json(const struct lf_control_device *device, const struct details *details)
{
	struct json_object *root = lf_json_devices(device, 1);
	struct json_object *object = json_object_array_get_idx(json_object_object_get(root, "devices"), 0);
	bool there = details->sample != NULL;

	json_object_object_add(object, "counters", there ? lf_json_counters(details->sample, NULL) : NULL);
	json_object_object_add(
		object, "reservation", there ? lf_json_reservation(&details->reservation) : NULL);
	lf_pages_json(details->pages, object);
	return root;
}

int lf_show_json(const struct lf_command_line *line, struct lf_client *client, const char *id,
	struct lf_control_device *device, struct json_object **root)
{
	struct details details;
	int status = read_device(line, client, id, device, &details);

	if (status == LF_EXIT_DONE)
		*root = details_json(device, &details);
	forget_details(&details);
	return status;
}

int lf_verb_show(const struct lf_command_line *line)
{
	struct lf_control_device device;
	struct details details;
	struct lf_client *client;
	int status;

	client = lf_session_open(line, &status);
	if (!client)
		return status;
	status = read_device(line, client, line->operands[0], &device, &details);
	lf_session_close(client);
	if (status == LF_EXIT_DONE && line->json) {
		lf_json_print(stdout, details_json(&device, &details));
	} else if (status == LF_EXIT_DONE) {
		lf_columns_show(line, &lf_device_table, &device);
		if (details.sample) {
			lf_reservation_show(&details.reservation);
			lf_sample_show(details.sample);
			lf_pages_show(details.pages);
		}
	}
	forget_details(&details);
	return status == LF_EXIT_DONE ? lf_output_end(line, status) : status;
}
