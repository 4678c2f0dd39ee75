/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_status.c: identify and status. */
#include "programs/lungfish.h"
#include "programs/version.h"

#include <string.h>

#define NS_IN_S  UINT64_C(1000000000)
#define NS_IN_MS UINT64_C(1000000)

/* One call without arguments; the client stays open for its records. */
static struct lf_client *ask(const struct lf_command_line *line, enum lf_control_command command,
	union lf_control_reply *reply, int *status)
{
	union lf_control_request request = {0};
	struct lf_client *client = lf_session_open(line, status);

	if (!client)
		return NULL;
	request.header.command = (uint16_t)command;
	*status = lf_session_call(line, client, NULL, &request, NULL, CALL_MS, reply);
	if (*status == LF_EXIT_DONE)
		return client;
	lf_session_close(client);
	return NULL;
}

static void print_adapter(struct json_object *adapter)
{
	struct json_object *root = lf_json_new(), *array = json_object_new_array();

	json_object_array_add(array, adapter);
	json_object_object_add(root, "adapters", array);
	lf_json_print(stdout, root);
}

int lf_verb_identify(const struct lf_command_line *line)
{
	union lf_control_reply reply;
	const struct lf_control_identity *identity = &reply.identity;
	struct lf_client *client;
	struct json_object *adapter;
	int status;

	client = ask(line, LF_CONTROL_IDENTIFY, &reply, &status);
	if (!client)
		return status;
	lf_session_close(client);
	if (!line->json) {
		printf("%s %s (%s, process %llu, control protocol %u)\n", identity->adapter.bytes,
			identity->release.bytes, identity->platform.bytes,
			(unsigned long long)identity->process_id, identity->version_max);
		return lf_output_end(line, status);
	}
	adapter = json_object_new_object();
	lf_json_text(adapter, "adapter", identity->adapter.bytes);
	lf_json_text(adapter, "version", identity->release.bytes);
	lf_json_text(adapter, "platform", identity->platform.bytes);
	lf_json_number(adapter, "process_id", identity->process_id);
	lf_json_number(adapter, "protocol_min", identity->version_min);
	lf_json_number(adapter, "protocol_max", identity->version_max);
	print_adapter(adapter);
	return lf_output_end(line, status);
}

static void print_status_json(const struct lf_control_state *state, const struct lf_client *client)
{
	struct json_object *adapter = json_object_new_object(), *portals = json_object_new_array();
	struct json_object *events = json_object_new_object();
	struct lf_control_event event;

	lf_json_text(adapter, "version", state->release.bytes);
	lf_json_text(adapter, "command_version", LF_RELEASE);
	lf_json_text(adapter, "platform", state->platform.bytes);
	lf_json_number(adapter, "process_id", state->process_id);
	lf_json_number(adapter, "uptime_ms", state->uptime_ns / NS_IN_MS);
	lf_json_text(adapter, "engine", state->engine.bytes);
	lf_json_number(adapter, "loops", state->loops);
	lf_json_text(adapter, "iqn", state->iqn.bytes);
	lf_json_number(adapter, "sessions", state->sessions);
	lf_json_number(adapter, "devices", state->devices);
	for (uint32_t i = 0; i < state->portal_count; i++) {
		struct json_object *portal = json_object_new_object();
		lf_json_text(portal, "address", state->portals[i].address.bytes);
		lf_json_number(portal, "tag", state->portals[i].tag);
		json_object_array_add(portals, portal);
	}
	json_object_object_add(adapter, "portals", portals);
	for (uint32_t i = 0; i < state->event_count; i++) {
		if (lf_control_decode_event(client->reply, i, &event))
			lf_json_number(events, event.name.bytes, event.count);
	}
	json_object_object_add(adapter, "events", events);
	print_adapter(adapter);
}

static void print_status(const struct lf_control_state *state, const struct lf_client *client)
{
	uint64_t up_s = state->uptime_ns / NS_IN_S;
	struct lf_control_event event;

	printf("adapter   %s (%s, process %llu), command %s\n", state->release.bytes, state->platform.bytes,
		(unsigned long long)state->process_id, LF_RELEASE);
	printf("uptime    %llu:%02llu:%02llu\n", (unsigned long long)(up_s / 3600),
		(unsigned long long)(up_s / 60 % 60), (unsigned long long)(up_s % 60));
	printf("engine    %s, %u loop%s\n", state->engine.bytes, state->loops, state->loops == 1 ? "" : "s");
	printf("target    %s\n", state->iqn.length ? state->iqn.bytes : "-");
	for (uint32_t i = 0; i < state->portal_count; i++)
		printf("portal    %s, tag %u\n", state->portals[i].address.bytes, state->portals[i].tag);
	printf("sessions  %u\ndevices   %u\n", state->sessions, state->devices);
	for (uint32_t i = 0; i < state->event_count; i++) {
		if (lf_control_decode_event(client->reply, i, &event) && event.count > 0)
			printf("event     %-26s %llu\n", event.name.bytes, (unsigned long long)event.count);
	}
}

int lf_verb_status(const struct lf_command_line *line)
{
	union lf_control_reply reply;
	struct lf_client *client;
	int status;

	client = ask(line, LF_CONTROL_STATUS, &reply, &status);
	if (!client)
		return status;
	if (line->json)
		print_status_json(&reply.state, client);
	else
		print_status(&reply.state, client);
	lf_session_close(client);
	return lf_output_end(line, status);
}
