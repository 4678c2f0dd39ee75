/* SPDX-License-Identifier: BSD-2-Clause */
/* service_install_nt.c: service install, remove and forget. */
#include "programs/service_nt.h"
#include "control/user_nt.h"
#include "programs/kept_nt.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>
#include <sddl.h>

#define PATH_UNITS    1024
#define ACCOUNT_UNITS 300
#define SECRET_UNITS  300
#define CHANGE_MS     30000
#define LOOK_MS       100
#define MS_IN_S       1000
#define DAY_S         86400

static int fail(const struct lf_command_line *line, const char *object, const char *what, uint32_t code)
{
	struct lf_message message;
	char text[40];

	if (code == ERROR_ACCESS_DENIED)
		return lf_report(line, object,
			"permission denied: it is for administrators: run this in an elevated prompt",
			LF_EXIT_PERMISSION);
	if (code == ERROR_SERVICE_LOGON_FAILED)
		return lf_report(line, object,
			"the account cannot log on as a service: check its password, and in secpol.msc that "
			"it has "
			"the right \"Log on as a service\"",
			LF_EXIT_PERMISSION);
	lf_message_set(&message, "%s: %s: look at it in services.msc", what,
		lf_win32_text(code, text, sizeof(text)));
	return lf_report(line, object, message.text, LF_EXIT_FAILED);
}

/* 0 when it is in that state, or why not. */
static uint32_t wait_for_state(SC_HANDLE service, DWORD wanted)
{
	SERVICE_STATUS_PROCESS status;
	DWORD size;

	for (uint32_t waited_ms = 0; waited_ms < CHANGE_MS; waited_ms += LOOK_MS) {
		if (!QueryServiceStatusEx(
			    service, SC_STATUS_PROCESS_INFO, (BYTE *)&status, sizeof(status), &size))
			return GetLastError();
		if (status.dwCurrentState == wanted)
			return 0;
		if (status.dwCurrentState == SERVICE_STOPPED)
			return status.dwWin32ExitCode ? status.dwWin32ExitCode : ERROR_SERVICE_NOT_ACTIVE;
		Sleep(LOOK_MS);
	}
	return ERROR_SERVICE_REQUEST_TIMEOUT;
}

/* ---- The account ---- */

/* From standard input: never of an argument, which everybody sees. False: there is none. */
static bool read_secret(const char *account, wchar_t secret[SECRET_UNITS])
{
	HANDLE in = GetStdHandle(STD_INPUT_HANDLE);
	char bytes[SECRET_UNITS];
	DWORD mode = 0, length = 0, got = 0;
	bool console = GetConsoleMode(in, &mode) != 0, taken;

	if (console) {
		fprintf(stderr, "password of %s: ", account);
		SetConsoleMode(
			in, (mode | ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT) & ~(DWORD)ENABLE_ECHO_INPUT);
		taken = ReadConsoleW(in, secret, SECRET_UNITS - 1, &got, NULL);
		SetConsoleMode(in, mode);
		fputc('\n', stderr);
		secret[got] = L'\0';
	} else {
		while (length < sizeof(bytes) - 1 && !memchr(bytes, '\n', length) &&
			ReadFile(in, bytes + length, (DWORD)sizeof(bytes) - 1 - length, &got, NULL) &&
			got > 0)
			length += got;
		bytes[length] = '\0';
		bytes[strcspn(bytes, "\r\n")] = '\0';
		taken = lf_wide(bytes, secret, SECRET_UNITS);
		SecureZeroMemory(bytes, sizeof(bytes));
	}
	secret[wcscspn(secret, L"\r\n")] = L'\0';
	return taken && *secret != L'\0';
}

/* Accounts of Windows's own, and those whose passwords it manages, have none to be asked for. */
static bool has_secret(const char *account)
{
	size_t length = strlen(account);

	return _strnicmp(account, "NT AUTHORITY\\", 13) != 0 && _strnicmp(account, "NT SERVICE\\", 11) != 0 &&
	       _stricmp(account, "LocalSystem") != 0 && account[length - 1] != '$';
}

/* A name alone is one of this machine. */
static bool name_account(const char *account, wchar_t wide[ACCOUNT_UNITS])
{
	char text[ACCOUNT_UNITS * 3];
	bool whole = strpbrk(account, "\\@") != NULL || _stricmp(account, "LocalSystem") == 0;

	lf_format(text, sizeof(text), "%s%s", whole ? "" : ".\\", account);
	return lf_wide(text, wide, ACCOUNT_UNITS);
}

/* ---- install ---- */

/* What is not said when a service is made. Windows knows each of these; Wine, which the tests have, not all.
 */
static uint32_t describe(SC_HANDLE service)
{
	wchar_t words[] =
		L"Connects the disk images that lungfish connect --persist has kept, as their volumes "
		L"and shares come, and disconnects them before the machine goes down.";
	SC_ACTION restarts[] = {{SC_ACTION_RESTART, 5 * MS_IN_S}, {SC_ACTION_RESTART, 30 * MS_IN_S},
		{SC_ACTION_RESTART, 300 * MS_IN_S}};
	SERVICE_DESCRIPTIONW description = {words};
	SERVICE_FAILURE_ACTIONSW actions = {
		.dwResetPeriod = DAY_S, .cActions = lf_count_of(restarts), .lpsaActions = restarts};
	SERVICE_DELAYED_AUTO_START_INFO delayed = {TRUE};
	SERVICE_PRESHUTDOWN_INFO shutdown = {LF_SERVICE_DEPART_MS};
	const struct {
		DWORD kind;
		void *value;
	} more[] = {{SERVICE_CONFIG_DESCRIPTION, &description}, {SERVICE_CONFIG_FAILURE_ACTIONS, &actions},
		{SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed},
		{SERVICE_CONFIG_PRESHUTDOWN_INFO, &shutdown}};

	for (uint32_t i = 0; i < lf_count_of(more); i++) {
		if (!ChangeServiceConfig2W(service, more[i].kind, more[i].value) &&
			GetLastError() != ERROR_INVALID_LEVEL)
			return GetLastError();
	}
	return 0;
}

/*
 * By default whoever is logged on may send controls of a service's own, and ours takes every disk away.
 * Others than SYSTEM and administrators may look: 0x2008d is READ_CONTROL, SERVICE_QUERY_CONFIG,
 * _QUERY_STATUS, _ENUMERATE_DEPENDENTS and _INTERROGATE; 0xf01ff is SERVICE_ALL_ACCESS.
 */
static uint32_t protect(SC_HANDLE service)
{
	PSECURITY_DESCRIPTOR security;
	uint32_t code;

	if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(
		    L"D:(A;;0xf01ff;;;SY)(A;;0xf01ff;;;BA)(A;;0x2008d;;;IU)(A;;0x2008d;;;SU)",
		    SDDL_REVISION_1, &security, NULL))
		return GetLastError();
	code = SetServiceObjectSecurity(service, DACL_SECURITY_INFORMATION, security) ? 0 : GetLastError();
	LocalFree(security);
	return code;
}

static uint32_t create(const wchar_t *account, const wchar_t *secret, SC_HANDLE manager, SC_HANDLE *service)
{
	wchar_t program[PATH_UNITS], command[PATH_UNITS + 20];
	DWORD length = GetModuleFileNameW(NULL, program, PATH_UNITS);
	uint32_t code;

	if (length == 0 || length >= PATH_UNITS)
		return ERROR_FILENAME_EXCED_RANGE;
	_snwprintf(command, lf_count_of(command), L"\"%ls\" service run", program);
	*service = CreateServiceW(manager, LF_SERVICE_NAME, LF_SERVICE_TITLE, SERVICE_ALL_ACCESS,
		SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, command, NULL, NULL,
		NULL, account, secret);
	if (!*service)
		return GetLastError();
	code = protect(*service);
	if (code == 0)
		code = lf_service_log_install();
	if (code == 0)
		code = describe(*service);
	if (code == 0 && !StartServiceW(*service, 0, NULL))
		code = GetLastError();
	return code == 0 ? wait_for_state(*service, SERVICE_RUNNING) : code;
}

static int install(const struct lf_command_line *line, const wchar_t *account, const wchar_t *secret)
{
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE);
	SC_HANDLE service = NULL;
	SERVICE_STATUS status;
	uint32_t code;

	if (!manager)
		return fail(line, NULL, "the services cannot be reached", GetLastError());
	code = create(account, secret, manager, &service);
	CloseServiceHandle(manager);
	/* Nothing is left of one that does not start, nor of one that starts too late. */
	if (code != 0 && service) {
		ControlService(service, SERVICE_CONTROL_STOP, &status);
		DeleteService(service);
		lf_service_log_remove();
	}
	if (service)
		CloseServiceHandle(service);
	if (code == ERROR_SERVICE_EXISTS || code == ERROR_DUPLICATE_SERVICE_NAME)
		return lf_report(line, NULL, "it is installed already: lungfish service remove takes it away",
			LF_EXIT_BUSY);
	if (code == ERROR_SERVICE_MARKED_FOR_DELETE)
		return lf_report(line, NULL,
			"the one that was removed is not gone yet: close services.msc, or restart the "
			"machine",
			LF_EXIT_BUSY);
	return code == 0 ? (int)LF_EXIT_DONE : fail(line, line->account, "it cannot be installed", code);
}

int lf_verb_service_install(const struct lf_command_line *line)
{
	wchar_t account[ACCOUNT_UNITS], secret[SECRET_UNITS] = L"";
	int status;

	if (!line->account)
		return install(line, NULL, NULL);
	if (*line->account == '\0' || !name_account(line->account, account))
		return lf_report(
			line, line->account, "no name of an account: DOMAIN\\NAME, or NAME", LF_EXIT_USAGE);
	if (!has_secret(line->account))
		return install(line, account, NULL);
	if (read_secret(line->account, secret))
		status = install(line, account, secret);
	else
		status = lf_report(line, line->account,
			"its password is missing: type it, or give it on standard input", LF_EXIT_USAGE);
	SecureZeroMemory(secret, sizeof(secret));
	return status;
}

/* ---- remove ---- */

static uint32_t stop_and_delete(SC_HANDLE service)
{
	SERVICE_STATUS status;
	uint32_t code = 0;

	if (ControlService(service, SERVICE_CONTROL_STOP, &status))
		code = wait_for_state(service, SERVICE_STOPPED);
	else if (GetLastError() != ERROR_SERVICE_NOT_ACTIVE)
		code = GetLastError();
	if (!DeleteService(service) && GetLastError() != ERROR_SERVICE_MARKED_FOR_DELETE)
		code = GetLastError();
	return code;
}

int lf_verb_service_remove(const struct lf_command_line *line)
{
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT), service;
	uint32_t code;

	if (!manager)
		return fail(line, NULL, "the services cannot be reached", GetLastError());
	service = OpenServiceW(manager, LF_SERVICE_NAME, SERVICE_STOP | SERVICE_QUERY_STATUS | DELETE);
	code = service ? stop_and_delete(service) : GetLastError();
	if (service)
		CloseServiceHandle(service);
	CloseServiceHandle(manager);
	if (code == 0)
		code = lf_service_log_remove();
	if (code == ERROR_SERVICE_DOES_NOT_EXIST)
		return lf_report(line, NULL, "it is not installed", LF_EXIT_NOT_FOUND);
	return code == 0 ? (int)LF_EXIT_DONE : fail(line, NULL, "it cannot be removed", code);
}

/* ---- forget ---- */

/* By name, or by the path of its image. */
struct sought {
	const char *path;
	char name[sizeof(((struct lf_control_connect *)0)->name.bytes)];
};

static bool is_sought(void *context, const struct lf_kept *kept)
{
	struct sought *sought = context;

	if (kept->connect.path.length == 0 || _stricmp(kept->connect.path.bytes, sought->path) != 0)
		return true;
	memcpy(sought->name, kept->connect.name.bytes, sizeof(sought->name));
	return false;
}

static int forget(const struct lf_command_line *line, const char *id)
{
	char path[LF_CONTROL_PATH_CAPACITY];
	struct sought sought = {.path = path};
	int status = lf_kept_remove(line, id);

	if (status == LF_EXIT_NOT_FOUND && lf_control_source_path(id, path)) {
		status = lf_kept_walk(line, is_sought, &sought);
		if (status == LF_EXIT_DONE)
			status = *sought.name ? lf_kept_remove(line, sought.name) : (int)LF_EXIT_NOT_FOUND;
	}
	return status == LF_EXIT_NOT_FOUND
		       ? lf_report(line, id, "it is not kept: lungfish service status shows what is",
				 LF_EXIT_NOT_FOUND)
		       : status;
}

int lf_verb_service_forget(const struct lf_command_line *line)
{
	struct lf_tally tally = {0};

	for (int i = 0; i < line->operand_count; i++)
		lf_tally_count(&tally, forget(line, line->operands[i]));
	return lf_tally_exit(&tally);
}
