/* SPDX-License-Identifier: BSD-2-Clause */
/* service_status_nt.c: service status: the service, and each kept connection. */
#include "programs/service_nt.h"
#include "control/user_nt.h"
#include "programs/kept_nt.h"

#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define CONFIG_BYTES 8192 /* the most that QueryServiceConfig gives */

struct facts {
	bool installed;
	const char *state;
	uint32_t process_id; /* 0: it does not run */
	char account[1024];
};

struct entry {
	struct lf_kept kept;
	bool asked, connected; /* asked: an adapter answered */
};

struct entries {
	const struct lf_command_line *line;
	struct lf_client *client; /* NULL: no adapter */
	struct entry *at;
	uint32_t count;
	struct json_object *damaged;
};

/* ---- The service ---- */

static const char *name_state(DWORD state)
{
	static const char *const names[] = {
		"unknown", "stopped", "starting", "stopping", "running", "resuming", "pausing", "paused"};

	return names[state < lf_count_of(names) ? state : 0];
}

static void read_service(SC_HANDLE service, struct facts *facts)
{
	union {
		QUERY_SERVICE_CONFIGW config;
		BYTE bytes[CONFIG_BYTES];
	} room;
	SERVICE_STATUS_PROCESS status = {0};
	DWORD size;

	facts->installed = true;
	QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&status, sizeof(status), &size);
	facts->state = name_state(status.dwCurrentState);
	facts->process_id = status.dwProcessId;
	if (QueryServiceConfigW(service, &room.config, sizeof(room), &size) && room.config.lpServiceStartName)
		lf_narrow(room.config.lpServiceStartName, facts->account, sizeof(facts->account));
}

/* Of a service that is not there, and of services that cannot be asked: that is all that is known. */
static void find_service(struct facts *facts)
{
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
	SC_HANDLE service =
		manager ? OpenServiceW(manager, LF_SERVICE_NAME, SERVICE_QUERY_STATUS | SERVICE_QUERY_CONFIG)
			: NULL;

	memset(facts, 0, sizeof(*facts));
	facts->state = "not installed";
	if (service) {
		read_service(service, facts);
		CloseServiceHandle(service);
	}
	if (manager)
		CloseServiceHandle(manager);
}

bool lf_service_is_installed(void)
{
	struct facts facts;

	find_service(&facts);
	return facts.installed;
}

/* ---- What is kept ---- */

static void hear_nothing(void *context, const char *object, const char *message, int status)
{
	(void)context;
	(void)object;
	(void)message;
	(void)status;
}

static bool add_entry(void *context, const struct lf_kept *kept)
{
	struct entries *entries = context;
	struct entry *entry = &entries->at[entries->count];
	struct lf_command_line asking = *entries->line;
	union lf_control_reply reply;

	if (entries->count == LF_KEPT_MAX)
		return false;
	entries->count++;
	entry->kept = *kept;
	entry->asked = entries->client != NULL;
	asking.told = hear_nothing;
	entry->connected = entries->client &&
			   lf_session_select(&asking, entries->client, LF_CONTROL_SHOW,
				   kept->connect.name.bytes, &reply) == LF_EXIT_DONE &&
			   lf_kept_has(&reply.one.device);
	return true;
}

static void hear_damage(void *context, const char *object, const char *message, int status)
{
	struct entries *entries = context;
	struct json_object *one = json_object_new_object();

	(void)status;
	lf_json_text(one, "id", object ? object : "");
	lf_json_text(one, "message", message);
	json_object_array_add(entries->damaged, one);
}

static void put_id(const struct lf_command_line *line, const void *record, char *cell)
{
	const struct entry *entry = record;

	(void)line;
	lf_cell_text(cell, entry->kept.connect.name.bytes);
}

static void put_type(const struct lf_command_line *line, const void *record, char *cell)
{
	const struct entry *entry = record;

	(void)line;
	lf_cell_text(cell, lf_format_type(entry->kept.connect.type));
}

static void put_connected(const struct lf_command_line *line, const void *record, char *cell)
{
	const struct entry *entry = record;

	(void)line;
	lf_cell_text(cell, !entry->asked ? "" : entry->connected ? "1" : "0");
}

static void put_image(const struct lf_command_line *line, const void *record, char *cell)
{
	const struct entry *entry = record;
	char shown[LF_CONTROL_PATH_CAPACITY];

	(void)line;
	lf_cell_text(cell, lf_image_shown(entry->kept.connect.path.bytes, shown));
}

static const struct lf_column columns[] = {
	{"ID", false, true, put_id},
	{"TYPE", false, true, put_type},
	{"CONNECTED", true, true, put_connected},
	{"IMAGE", false, true, put_image},
};

static const struct lf_table table = {columns, lf_count_of(columns), sizeof(struct entry)};

static void print_json(const struct facts *facts, const struct entries *entries)
{
	struct json_object *root = lf_json_new(), *service = json_object_new_object();
	struct json_object *kept = json_object_new_array();

	lf_json_flag(service, "installed", facts->installed);
	lf_json_text(service, "state", facts->state);
	lf_json_text(service, "account", facts->account);
	json_object_object_add(
		service, "process_id", facts->process_id ? json_object_new_uint64(facts->process_id) : NULL);
	for (uint32_t i = 0; i < entries->count; i++) {
		const struct entry *entry = &entries->at[i];
		struct json_object *one = json_object_new_object();
		char shown[LF_CONTROL_PATH_CAPACITY];
		lf_json_text(one, "id", entry->kept.connect.name.bytes);
		lf_json_text(one, "type", lf_format_type(entry->kept.connect.type));
		lf_json_text(one, "image", lf_image_shown(entry->kept.connect.path.bytes, shown));
		lf_json_flag(one, "read_only", entry->kept.connect.flags & LF_CONTROL_READ_ONLY);
		json_object_object_add(
			one, "connected", entry->asked ? json_object_new_boolean(entry->connected) : NULL);
		json_object_array_add(kept, one);
	}
	json_object_object_add(root, "service", service);
	json_object_object_add(root, "kept", kept);
	json_object_object_add(root, "damaged", entries->damaged);
	lf_json_print(stdout, root);
}

static int print_text(
	const struct lf_command_line *line, const struct facts *facts, const struct entries *entries)
{
	const struct lf_column **chosen;
	uint32_t count;

	if (!lf_columns_choose(line, &table, &chosen, &count))
		return LF_EXIT_USAGE;
	printf("service %s%s%s\n", facts->state, *facts->account ? ", account " : "", facts->account);
	if (entries->count > 0)
		lf_columns_print(line, &table, chosen, count, entries->at, entries->count);
	free(chosen);
	return LF_EXIT_DONE;
}

int lf_verb_service_status(const struct lf_command_line *line)
{
	struct lf_command_line silent = *line, walking = *line;
	struct entries entries = {.line = line};
	struct facts facts;
	int status;

	entries.at = calloc(LF_KEPT_MAX, sizeof(*entries.at));
	if (!entries.at)
		return lf_report(line, NULL, "out of memory", LF_EXIT_FAILED);
	silent.told = hear_nothing;
	entries.client = lf_session_open(&silent, &status);
	if (line->json) {
		entries.damaged = json_object_new_array();
		walking.told = hear_damage;
		walking.told_context = &entries;
	}
	find_service(&facts);
	status = lf_kept_walk(&walking, add_entry, &entries);
	if (line->json)
		print_json(&facts, &entries);
	else if (status == LF_EXIT_DONE)
		status = print_text(line, &facts, &entries);
	if (entries.client)
		lf_session_close(entries.client);
	free(entries.at);
	return lf_output_end(line, status);
}
