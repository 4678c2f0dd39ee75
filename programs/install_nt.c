/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * install_nt.c: driver install: stages the package, makes the root device, gives it the driver, waits until
 * the adapter answers. What was made is taken away again when a later step fails.
 */
#include "programs/install_facts_nt.h"
#include "control/user_nt.h"
#include "programs/lungfish.h"

#include <cfgmgr32.h>
#include <wchar.h>

#define PATH_UNITS MAX_PATH /* of what setup takes */
#define PATH_BYTES (3 * PATH_UNITS)
#define ANSWER_MS  30000
#define LOOK_MS    100
#define NODE_NAME  L"LUNGFISH" /* ROOT\LUNGFISH\0000 */

/* INSTALLFLAG_ of newdev.h: also in the place of a newer driver; never with a window. */
#define UPDATE_FORCE  0x1
#define UPDATE_SILENT 0x4

typedef BOOL WINAPI update_driver(
	HWND window, const wchar_t *hardware_id, const wchar_t *inf, DWORD flags, BOOL *reboot);

struct install {
	const struct lf_command_line *line;
	struct lf_machine machine;
	wchar_t inf[PATH_UNITS];
	char object[PATH_BYTES];    /* the INF, for reports */
	wchar_t staged[PATH_UNITS]; /* the package that this installation has put into the store; or empty */
	HDEVINFO set; /* with the node that this installation has made; or INVALID_HANDLE_VALUE */
	SP_DEVINFO_DATA node;
};

static int refuse(const struct install *install, const char *object, uint32_t code)
{
	struct lf_message message;
	int status = lf_why_refused(&install->machine, code, &message);

	return lf_report(install->line, object, message.text, status);
}

/* ---- The package ---- */

/* The INF, or the directory of lungfish.inf; NULL: that of this program. False: the path is too long. */
static bool full_path(const wchar_t *typed, wchar_t path[PATH_UNITS])
{
	wchar_t program[PATH_UNITS];
	DWORD length, attributes;

	if (!typed) {
		length = GetModuleFileNameW(NULL, program, PATH_UNITS);
		if (length == 0 || length == PATH_UNITS)
			return false;
		*wcsrchr(program, L'\\') = L'\0';
		typed = program;
	}
	length = GetFullPathNameW(typed, PATH_UNITS, path, NULL);
	if (length == 0 || length >= PATH_UNITS)
		return false;
	attributes = GetFileAttributesW(path);
	if (attributes == INVALID_FILE_ATTRIBUTES || !(attributes & FILE_ATTRIBUTE_DIRECTORY))
		return true;
	if (wcslen(path) + wcslen(L"\\" LF_INF_NAME) >= PATH_UNITS)
		return false;
	if (path[wcslen(path) - 1] != L'\\')
		wcscat(path, L"\\");
	wcscat(path, LF_INF_NAME);
	return true;
}

/* Windows would ask for a disk with it, or say no more than that something is missing. */
static int check_file(const struct install *install, const wchar_t *name)
{
	wchar_t path[PATH_UNITS];
	char object[PATH_BYTES] = "";
	size_t directory = (size_t)(lf_file_name(install->inf) - install->inf);

	if (directory + wcslen(name) >= PATH_UNITS)
		return refuse(install, install->object, ERROR_FILENAME_EXCED_RANGE);
	wmemcpy(path, install->inf, directory);
	wcscpy(path + directory, name);
	if (GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES)
		return LF_EXIT_DONE;
	lf_narrow(path, object, sizeof(object));
	return lf_report(install->line, object,
		"no such file: name the directory where lungfish.inf lies with lungfish.sys and, for its "
		"signature, "
		"lungfish.cat",
		LF_EXIT_NOT_FOUND);
}

static int check_package(const struct install *install)
{
	wchar_t class_name[MAX_CLASS_NAME_LEN];
	GUID class_guid;

	if (!SetupDiGetINFClassW(install->inf, &class_guid, class_name, MAX_CLASS_NAME_LEN, NULL))
		return lf_report(install->line, install->object,
			"it is no setup information file: name lungfish.inf", LF_EXIT_FAILED);
	if (!IsEqualGUID(&class_guid, &lf_adapter_class) || !lf_package_is_ours(install->inf))
		return lf_report(install->line, install->object, "it is of another driver: name lungfish.inf",
			LF_EXIT_FAILED);
	return LF_EXIT_DONE;
}

static int find_package(struct install *install, const wchar_t *typed)
{
	int status;

	lf_narrow(typed ? typed : LF_INF_NAME, install->object, sizeof(install->object));
	if (!full_path(typed, install->inf) ||
		!lf_narrow(install->inf, install->object, sizeof(install->object)))
		return lf_report(install->line, install->object,
			"the path is too long for Windows' setup: copy the package to a shorter one",
			LF_EXIT_FAILED);
	status = check_file(install, lf_file_name(install->inf));
	if (status == LF_EXIT_DONE)
		status = check_package(install);
	if (status == LF_EXIT_DONE)
		status = check_file(install, L"lungfish.sys");
	if (status == LF_EXIT_DONE)
		status = check_file(install, L"lungfish.cat");
	return status;
}

/* Windows copies it into its driver store, and looks at its signature on the way. */
static int stage(struct install *install)
{
	wchar_t path[PATH_UNITS] = L"";
	char name[PATH_BYTES] = "";

	if (SetupCopyOEMInfW(
		    install->inf, NULL, SPOST_PATH, SP_COPY_NOOVERWRITE, path, PATH_UNITS, NULL, NULL))
		wcscpy(install->staged, path);
	else if (GetLastError() != ERROR_FILE_EXISTS)
		return refuse(install, install->object, GetLastError());
	lf_narrow(lf_file_name(path), name, sizeof(name));
	lf_talk(install->line,
		install->staged[0] ? "%s is in the driver store now, as %s"
				   : "%s is in the driver store already, as %s",
		install->object, name);
	return LF_EXIT_DONE;
}

/* ---- The device ---- */

static bool any_node(void *context, HDEVINFO set, SP_DEVINFO_DATA *node)
{
	(void)set;
	(void)node;
	*(bool *)context = true;
	return true;
}

static int make_node(struct install *install)
{
	static const wchar_t ids[] = LF_HARDWARE_ID L"\0"; /* an empty text ends the list */
	wchar_t instance[MAX_DEVICE_ID_LEN] = L"";
	char name[3 * MAX_DEVICE_ID_LEN] = "";
	HDEVINFO set = SetupDiCreateDeviceInfoList(&lf_adapter_class, NULL);
	SP_DEVINFO_DATA node = {.cbSize = sizeof(node)};
	uint32_t code;

	if (set == INVALID_HANDLE_VALUE)
		return refuse(install, "adapter", GetLastError());
	if (!SetupDiCreateDeviceInfoW(
		    set, NODE_NAME, &lf_adapter_class, NULL, NULL, DICD_GENERATE_ID, &node) ||
		!SetupDiSetDeviceRegistryPropertyW(
			set, &node, SPDRP_HARDWAREID, (const BYTE *)ids, sizeof(ids)) ||
		!SetupDiCallClassInstaller(DIF_REGISTERDEVICE, set, &node)) {
		code = GetLastError();
		SetupDiDestroyDeviceInfoList(set);
		return refuse(install, "adapter", code);
	}
	install->set = set;
	install->node = node;
	SetupDiGetDeviceInstanceIdW(set, &node, instance, MAX_DEVICE_ID_LEN, NULL);
	lf_narrow(instance, name, sizeof(name));
	lf_talk(install->line, "%s is the device", name);
	return LF_EXIT_DONE;
}

/* One device only: that which there is gets the driver anew, unless its disks would go with that. */
static int find_or_make_node(struct install *install)
{
	union lf_control_reply reply;
	struct lf_message message;
	bool found = false;

	if (!lf_nodes_walk(any_node, &found))
		return refuse(install, "adapter", GetLastError());
	if (!found)
		return make_node(install);
	lf_talk(install->line, "the device is there already");
	if (lf_adapter_ask(install->line, LF_CONTROL_STATUS, &reply, &message) == LF_OK &&
		reply.header.status == LF_CONTROL_OK && reply.state.devices > 0)
		return lf_report(install->line, "adapter",
			"it has disks, which go when its driver is exchanged: lungfish disconnect --all "
			"first",
			LF_EXIT_BUSY);
	return LF_EXIT_DONE;
}

static int update(const struct install *install, BOOL *reboot)
{
	/* Never one that lies beside this program, which runs elevated. */
	HMODULE newdev = LoadLibraryExW(L"newdev.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
	FARPROC found = newdev ? GetProcAddress(newdev, "UpdateDriverForPlugAndPlayDevicesW") : NULL;
	update_driver *update_all = (update_driver *)(void (*)(void))found;

	lf_talk(install->line, "Windows gives the device its driver");
	if (!update_all)
		return refuse(install, "newdev.dll", ERROR_PROC_NOT_FOUND);
	if (!update_all(NULL, LF_HARDWARE_ID, install->inf, UPDATE_FORCE | UPDATE_SILENT, reboot))
		return refuse(install, install->object, GetLastError());
	return LF_EXIT_DONE;
}

static int wait_for_answer(const struct install *install)
{
	ULONGLONG end = GetTickCount64() + ANSWER_MS;
	struct lf_driver driver;
	struct lf_message message;
	int status;

	lf_talk(install->line, "waiting for the adapter");
	for (;;) {
		lf_driver_look(install->line, &driver);
		status = lf_why_not_usable(&install->machine, &driver, &message);
		if (status == LF_EXIT_DONE) {
			lf_talk(install->line, "%s answers, release %s", driver.device, driver.release.bytes);
			return LF_EXIT_DONE;
		}
		if (driver.problem != LF_NO_PROBLEM)
			break;
		if (GetTickCount64() >= end) {
			status = LF_EXIT_TIMED_OUT;
			break;
		}
		Sleep(LOOK_MS);
	}
	return lf_report(install->line, *driver.device ? driver.device : "adapter", message.text, status);
}

/* ---- All of it ---- */

static void not_undone(const struct install *install, const char *object, uint32_t code)
{
	struct lf_message message;

	if (code == 0)
		return;
	lf_why_refused(&install->machine, code, &message);
	lf_warn(install->line, object, "it cannot be taken away again", message.text);
}

/* As it was before. */
static void undo(struct install *install)
{
	bool reboot = false, found;
	uint32_t code;

	if (install->set != INVALID_HANDLE_VALUE) {
		lf_talk(install->line, "the device is taken away again");
		code = lf_node_remove(install->set, &install->node, &reboot);
		not_undone(install, "adapter", reboot ? (uint32_t)ERROR_SUCCESS_REBOOT_REQUIRED : code);
		not_undone(install, "driver", lf_service_remove(&found));
	}
	if (install->staged[0]) {
		lf_talk(install->line, "the package is taken out of the driver store again");
		not_undone(install, install->object, lf_package_remove(install->staged));
	}
}

static int steps(struct install *install, const wchar_t *inf, BOOL *reboot)
{
	struct lf_message message;
	int status = lf_why_not_here(&install->machine, &message);

	if (status != LF_EXIT_DONE)
		return lf_report(install->line, NULL, message.text, status);
	status = find_package(install, inf);
	if (status == LF_EXIT_DONE)
		status = stage(install);
	if (status == LF_EXIT_DONE)
		status = find_or_make_node(install);
	if (status == LF_EXIT_DONE)
		status = update(install, reboot);
	if (status == LF_EXIT_DONE && !*reboot)
		status = wait_for_answer(install);
	return status;
}

int lf_driver_install(const struct lf_command_line *line, const wchar_t *inf)
{
	struct install install = {.line = line, .set = INVALID_HANDLE_VALUE};
	/* Staging asks whether the publisher is to be trusted, in a window, which a session without a desktop
	 * would wait for for ever. */
	BOOL silent = SetupSetNonInteractiveMode(TRUE), reboot = FALSE;
	int status;

	lf_machine_look(&install.machine);
	status = steps(&install, inf, &reboot);
	SetupSetNonInteractiveMode(silent);
	if (status != LF_EXIT_DONE)
		undo(&install);
	else if (reboot)
		status = lf_report(line, install.object,
			"installed, and Windows has to restart before the adapter answers: restart",
			LF_EXIT_NO_ADAPTER);
	if (install.set != INVALID_HANDLE_VALUE)
		SetupDiDestroyDeviceInfoList(install.set);
	return status;
}
