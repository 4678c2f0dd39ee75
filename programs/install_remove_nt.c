/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * install_remove_nt.c: driver remove: the disks, the device, the service, the package, in the order in which
 * they need each other. What lungfish connect --persist has kept stays, for the next installation.
 */
#include "programs/install_facts_nt.h"
#include "control/user_nt.h"
#include "programs/os.h"

#include <stdlib.h>
#include <wchar.h>

#define DEPARTURE_MS 10000
#define STOP_MS      10000
#define LOOK_MS      50
#define NAME_BYTES   (3 * MAX_PATH)

struct removal {
	const struct lf_command_line *line;
	struct lf_machine machine;
	uint32_t found; /* things of ours that were there */
	bool reboot;
	int status; /* of the first step that failed */
};

static void failed(struct removal *removal, const char *object, uint32_t code)
{
	struct lf_message message;
	int status = lf_why_refused(&removal->machine, code, &message);

	lf_report(removal->line, object, message.text, status);
	if (removal->status == LF_EXIT_DONE)
		removal->status = status;
}

/* ---- Disks ---- */

static int disconnect(const struct lf_command_line *line, const char *id)
{
	union lf_control_request request = {.header = {.command = LF_CONTROL_DISCONNECT}};
	union lf_control_reply reply;
	struct lf_client *client;
	int status = lf_fill_id(line, id, &request.select);

	if (status != LF_EXIT_DONE)
		return status;
	client = lf_session_open(line, &status);
	if (!client)
		return status;
	if (!line->force)
		status = lf_os_release(line, client, id);
	request.select.flags = line->force ? LF_CONTROL_FORCE : 0;
	request.select.timeout_ms = DEPARTURE_MS;
	if (status == LF_EXIT_DONE)
		status = lf_session_call(line, client, id, &request, NULL, DEPARTURE_MS + CALL_MS, &reply);
	lf_session_close(client);
	if (status == LF_EXIT_DONE)
		lf_talk(line, "%s is gone", id);
	return status == LF_EXIT_NOT_FOUND ? (int)LF_EXIT_DONE : status;
}

/* Unlike lungfish disconnect it forgets no connection that is kept. */
static int disconnect_all(const struct lf_command_line *line)
{
	struct lf_command_line quietly = *line;
	union lf_control_reply reply;
	struct lf_message message;
	uint32_t count = 0;
	char **ids = NULL;
	int status;

	/* An adapter that does not answer has nothing that could be asked to let go. */
	if (lf_adapter_ask(line, LF_CONTROL_STATUS, &reply, &message) != LF_OK)
		return LF_EXIT_DONE;
	quietly.may_be_gone = true;
	status = lf_all_ids(&quietly, &ids, &count);
	for (uint32_t i = 0; status == LF_EXIT_DONE && i < count; i++)
		status = disconnect(&quietly, ids[i]);
	free(ids);
	return status;
}

/* ---- The device ---- */

static bool remove_node(void *context, HDEVINFO set, SP_DEVINFO_DATA *node)
{
	struct removal *removal = context;
	uint32_t code = lf_node_remove(set, node, &removal->reboot);

	removal->found++;
	if (code != 0)
		failed(removal, "adapter", code);
	else
		lf_talk(removal->line, "the device is removed");
	return false;
}

/* ---- The package ---- */

static bool remove_package(void *context, const wchar_t *path)
{
	struct removal *removal = context;
	char name[NAME_BYTES] = "";
	uint32_t code = lf_package_remove(path);

	lf_narrow(lf_file_name(path), name, sizeof(name));
	removal->found++;
	if (code != 0)
		failed(removal, name, code);
	else
		lf_talk(removal->line, "%s is removed", name);
	return false;
}

/* ---- The service ---- */

/* The driver's file as a program has it, of the forms that services name it by. */
static bool file_of_service(const QUERY_SERVICE_CONFIGW *config, wchar_t path[MAX_PATH])
{
	static const wchar_t system_root[] = L"\\SystemRoot\\", object[] = L"\\??\\";
	const wchar_t *image = config->lpBinaryPathName;
	bool below = _wcsnicmp(image, system_root, wcslen(system_root)) == 0;
	UINT length = 0;

	if (below)
		image += wcslen(system_root);
	else if (wcsncmp(image, object, wcslen(object)) == 0)
		image += wcslen(object);
	else
		below = wcslen(image) < 2 || image[1] != L':';
	if (below) {
		length = GetSystemWindowsDirectoryW(path, MAX_PATH);
		if (length == 0 || length + 1 >= MAX_PATH)
			return false;
		path[length++] = L'\\';
	}
	if (length + wcslen(image) >= MAX_PATH)
		return false;
	wcscpy(path + length, image);
	return true;
}

/* Somebody else's service may well be called lungfish: ours is a driver, and this is its file. */
static bool is_our_driver(SC_HANDLE service, wchar_t path[MAX_PATH])
{
	union {
		QUERY_SERVICE_CONFIGW config;
		BYTE bytes[8192]; /* most that there can be */
	} room;
	DWORD length;

	return QueryServiceConfigW(service, &room.config, sizeof(room), &length) &&
	       room.config.dwServiceType == SERVICE_KERNEL_DRIVER && file_of_service(&room.config, path) &&
	       _wcsicmp(lf_file_name(path), L"lungfish.sys") == 0;
}

/* What lies outside of the driver store goes with its service; in the store it goes with its package, which
 * may stay. */
static void remove_file(const wchar_t *path)
{
	static const wchar_t store[] = L"\\DriverStore\\";

	for (const wchar_t *at = path; *at; at++)
		if (_wcsnicmp(at, store, wcslen(store)) == 0)
			return;
	DeleteFileW(path);
}

/* False: it still runs. */
static bool stop(SC_HANDLE service)
{
	ULONGLONG end = GetTickCount64() + STOP_MS;
	SERVICE_STATUS status;

	/* Windows unloads it with its last device; Wine does when it is asked. */
	ControlService(service, SERVICE_CONTROL_STOP, &status);
	while (QueryServiceStatus(service, &status)) {
		if (status.dwCurrentState == SERVICE_STOPPED)
			return true;
		if (GetTickCount64() >= end)
			return false;
		Sleep(LOOK_MS);
	}
	return false;
}

uint32_t lf_service_remove(bool *found)
{
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
	SC_HANDLE service =
		manager ? OpenServiceW(manager, LF_SERVICE_NAME,
				  SERVICE_STOP | SERVICE_QUERY_STATUS | SERVICE_QUERY_CONFIG | DELETE)
			: NULL;
	uint32_t code = service ? 0 : GetLastError();
	wchar_t path[MAX_PATH];
	bool stopped;

	*found = service && is_our_driver(service, path);
	if (*found) {
		stopped = stop(service);
		if (stopped)
			remove_file(path);
		if (!DeleteService(service) && GetLastError() != ERROR_SERVICE_MARKED_FOR_DELETE)
			code = GetLastError();
		else if (!stopped)
			code = ERROR_SUCCESS_REBOOT_REQUIRED;
	}
	if (service)
		CloseServiceHandle(service);
	if (manager)
		CloseServiceHandle(manager);
	return code == ERROR_SERVICE_DOES_NOT_EXIST ? 0 : code;
}

static void remove_service(struct removal *removal)
{
	bool found;
	uint32_t code = lf_service_remove(&found);

	removal->found += found;
	if (code != 0)
		failed(removal, "driver", code);
	else if (found)
		lf_talk(removal->line, "the driver is unloaded, its service removed");
}

/* ---- All of it ---- */

int lf_verb_driver_remove(const struct lf_command_line *line)
{
	struct removal removal = {.line = line};
	struct lf_message message;
	int status;

	lf_machine_look(&removal.machine);
	status = lf_why_not_here(&removal.machine, &message);
	if (status == LF_EXIT_PERMISSION)
		return lf_report(line, NULL, message.text, status);
	status = disconnect_all(line);
	if (status != LF_EXIT_DONE)
		return status;
	if (!lf_nodes_walk(remove_node, &removal))
		failed(&removal, "adapter", GetLastError());
	if (removal.reboot)
		failed(&removal, "adapter", ERROR_SUCCESS_REBOOT_REQUIRED);
	/* The package of a device that stays is in use. */
	if (removal.status != LF_EXIT_DONE)
		return removal.status;
	remove_service(&removal);
	lf_packages_walk(remove_package, &removal);
	if (removal.found == 0)
		return lf_report(line, NULL, "no driver of ours is installed: there is nothing to remove",
			LF_EXIT_NOT_FOUND);
	if (removal.status == LF_EXIT_DONE && line->json)
		lf_driver_print_json(line);
	return lf_output_end(line, removal.status);
}
