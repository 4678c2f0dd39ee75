/* SPDX-License-Identifier: BSD-2-Clause */
/* install_facts_nt.c: what there is: this machine, our device nodes, packages and service, the adapter. */
#include "programs/install_facts_nt.h"
#include "control/user_nt.h"

#include <cfgmgr32.h>
#include <stdlib.h>
#include <wchar.h>

#define CODE_INTEGRITY   103 /* SystemCodeIntegrityInformation */
#define TEST_SIGNING     0x2
#define MEMORY_INTEGRITY 0x400
#define IDS_UNITS        512 /* of a node's hardware IDs */

/* {4D36E97B-E325-11CE-BFC1-08002BE10318} */
const GUID lf_adapter_class = {0x4d36e97b, 0xe325, 0x11ce, {0xbf, 0xc1, 0x08, 0x00, 0x2b, 0xe1, 0x03, 0x18}};

const wchar_t *lf_file_name(const wchar_t *path)
{
	const wchar_t *last = wcsrchr(path, L'\\');

	return last ? last + 1 : path;
}

/* ---- The machine ---- */

typedef LONG WINAPI query_system(ULONG kind, void *room, ULONG room_bytes, ULONG *length);
typedef LONG WINAPI get_version(OSVERSIONINFOW *version);
typedef BOOL WINAPI is_emulated(HANDLE process, USHORT *process_machine, USHORT *native_machine);

typedef void any_function(void);

/* They are in no import library that every compiler has, or in no older Windows. */
static any_function *function_of(HMODULE module, const char *name)
{
	return module ? (any_function *)GetProcAddress(module, name) : NULL;
}

/* Whether the driver would serve this process: see control/access_nt.c. A UAC-filtered token is no member. */
static bool is_administrator(void)
{
	SID_IDENTIFIER_AUTHORITY authority = SECURITY_NT_AUTHORITY;
	BOOL member = FALSE;
	PSID administrators;

	if (!AllocateAndInitializeSid(&authority, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS, 0,
		    0, 0, 0, 0, 0, &administrators))
		return false;
	if (!CheckTokenMembership(NULL, administrators, &member))
		member = FALSE;
	FreeSid(administrators);
	return member;
}

static void look_at_integrity(HMODULE ntdll, struct lf_machine *machine)
{
	query_system *query = (query_system *)function_of(ntdll, "NtQuerySystemInformation");
	struct {
		ULONG length, options;
	} integrity = {sizeof(integrity), 0};

	if (!query || query(CODE_INTEGRITY, &integrity, sizeof(integrity), NULL) < 0)
		return;
	machine->integrity_known = true;
	machine->test_signing = integrity.options & TEST_SIGNING;
	machine->memory_integrity = integrity.options & MEMORY_INTEGRITY;
}

void lf_machine_look(struct lf_machine *machine)
{
	HMODULE ntdll = GetModuleHandleW(L"ntdll.dll"), kernel = GetModuleHandleW(L"kernel32.dll");
	get_version *version_of = (get_version *)function_of(ntdll, "RtlGetVersion");
	is_emulated *emulated = (is_emulated *)function_of(kernel, "IsWow64Process2");
	OSVERSIONINFOW version = {.dwOSVersionInfoSize = sizeof(version)};
	DWORD secure_boot = 0, length = sizeof(secure_boot);
	USHORT process = 0, native = 0;

	memset(machine, 0, sizeof(*machine));
	machine->elevated = is_administrator();
	/* GetVersionEx tells a program without a manifest of an older Windows. */
	if (version_of && version_of(&version) >= 0) {
		machine->major = version.dwMajorVersion;
		machine->minor = version.dwMinorVersion;
		machine->build = version.dwBuildNumber;
	}
	if (emulated && emulated(GetCurrentProcess(), &process, &native))
		machine->processor = native;
	look_at_integrity(ntdll, machine);
	machine->secure_boot_known =
		RegGetValueW(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\Control\\SecureBoot\\State",
			L"UEFISecureBootEnabled", RRF_RT_REG_DWORD, NULL, &secure_boot, &length) == 0;
	machine->secure_boot = secure_boot != 0;
}

/* ---- Device nodes ---- */

static bool is_ours(HDEVINFO set, SP_DEVINFO_DATA *node)
{
	wchar_t ids[IDS_UNITS + 2] = L""; /* a list of texts, that ends with an empty one */

	if (!SetupDiGetDeviceRegistryPropertyW(
		    set, node, SPDRP_HARDWAREID, NULL, (BYTE *)ids, IDS_UNITS * sizeof(*ids), NULL))
		return false;
	for (const wchar_t *id = ids; *id; id += wcslen(id) + 1)
		if (_wcsicmp(id, LF_HARDWARE_ID) == 0)
			return true;
	return false;
}

bool lf_nodes_walk(lf_node_wanted *wanted, void *context)
{
	HDEVINFO set = SetupDiGetClassDevsW(NULL, L"ROOT", NULL, DIGCF_ALLCLASSES);
	SP_DEVINFO_DATA node = {.cbSize = sizeof(node)};
	bool taken = false;

	if (set == INVALID_HANDLE_VALUE)
		return false;
	for (DWORD i = 0; !taken && SetupDiEnumDeviceInfo(set, i, &node); i++)
		taken = is_ours(set, &node) && wanted(context, set, &node);
	SetupDiDestroyDeviceInfoList(set);
	return true;
}

uint32_t lf_node_remove(HDEVINFO set, SP_DEVINFO_DATA *node, bool *reboot)
{
	SP_REMOVEDEVICE_PARAMS how = {.ClassInstallHeader = {sizeof(how.ClassInstallHeader), DIF_REMOVE},
		.Scope = DI_REMOVEDEVICE_GLOBAL};
	SP_DEVINSTALL_PARAMS_W after = {.cbSize = sizeof(after)};

	/* Wine takes no parameters, and removes all that there is. */
	SetupDiSetClassInstallParamsW(set, node, &how.ClassInstallHeader, sizeof(how));
	if (!SetupDiCallClassInstaller(DIF_REMOVE, set, node))
		return GetLastError();
	if (SetupDiGetDeviceInstallParamsW(set, node, &after) &&
		(after.Flags & (DI_NEEDREBOOT | DI_NEEDRESTART)))
		*reboot = true;
	return 0;
}

/* ---- Packages ---- */

/* %windir%\INF\name; false: it does not fit. */
static bool in_inf_directory(const wchar_t *name, wchar_t path[MAX_PATH])
{
	UINT length = GetSystemWindowsDirectoryW(path, MAX_PATH);

	if (length == 0 || length + wcslen(L"\\INF\\") + wcslen(name) >= MAX_PATH)
		return false;
	wcscat(path, L"\\INF\\");
	wcscat(path, name);
	return true;
}

static bool has_line(HINF inf, const wchar_t *key, const wchar_t *wanted)
{
	wchar_t value[LINE_LEN];

	return SetupGetLineTextW(NULL, inf, L"Version", key, value, LINE_LEN, NULL) &&
	       _wcsicmp(value, wanted) == 0;
}

bool lf_package_is_ours(const wchar_t *path)
{
	HINF inf = SetupOpenInfFileW(path, NULL, INF_STYLE_WIN4, NULL);
	bool ours;

	if (inf == INVALID_HANDLE_VALUE)
		return false;
	ours = has_line(inf, L"Provider", L"Lungfish") && has_line(inf, L"CatalogFile", L"lungfish.cat");
	SetupCloseInfFile(inf);
	return ours;
}

static bool walk_pattern(const wchar_t *pattern, lf_package_wanted *wanted, void *context)
{
	wchar_t path[MAX_PATH];
	WIN32_FIND_DATAW found;
	bool taken = false;
	HANDLE search;

	if (!in_inf_directory(pattern, path))
		return false;
	search = FindFirstFileW(path, &found);
	if (search == INVALID_HANDLE_VALUE)
		return false;
	do {
		if (in_inf_directory(found.cFileName, path) && lf_package_is_ours(path))
			taken = wanted(context, path);
	} while (!taken && FindNextFileW(search, &found));
	FindClose(search);
	return taken;
}

/* Windows calls them oem7.inf; Wine leaves them their name. */
void lf_packages_walk(lf_package_wanted *wanted, void *context)
{
	if (!walk_pattern(L"oem*.inf", wanted, context))
		walk_pattern(LF_INF_NAME, wanted, context);
}

uint32_t lf_package_remove(const wchar_t *path)
{
	const wchar_t *name = lf_file_name(path);
	wchar_t compiled[MAX_PATH];

	/* Fails while a device uses it, be it one that is not present. */
	if (!SetupUninstallOEMInfW(name, 0, NULL))
		return GetLastError();
	/* Wine's leaves it, unless it is forced; nothing uses it, as was just said. */
	if (GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES &&
		!SetupUninstallOEMInfW(name, SUOI_FORCEDELETE, NULL))
		return GetLastError();
	/* What Windows made of it goes with it; Wine forgets that. */
	wcscpy(compiled, path);
	wcscpy(compiled + wcslen(compiled) - wcslen(L"inf"), L"pnf");
	DeleteFileW(compiled);
	return 0;
}

/* ---- The driver ---- */

static void read_text(HKEY key, const wchar_t *name, char *text, int room_bytes)
{
	wchar_t value[LINE_LEN];
	DWORD length = sizeof(value);

	if (RegGetValueW(key, NULL, name, RRF_RT_REG_SZ, NULL, value, &length) != 0 ||
		!lf_narrow(value, text, room_bytes))
		*text = '\0';
}

/* DEVPKEY_Device_ProblemStatus: the NTSTATUS behind a problem; 0: it has none. */
static uint32_t problem_status(HDEVINFO set, SP_DEVINFO_DATA *node)
{
	static const DEVPROPKEY key = {
		{0x4340a6c5, 0x93fa, 0x4706, {0x97, 0x2c, 0x7b, 0x64, 0x80, 0x08, 0xa5, 0xa7}}, 12};
	DEVPROPTYPE type;
	uint32_t status;

	return SetupDiGetDevicePropertyW(set, node, &key, &type, (BYTE *)&status, sizeof(status), NULL, 0)
		       ? status
		       : 0;
}

/* The first that is present counts, else the first. */
static bool look_at_node(void *context, HDEVINFO set, SP_DEVINFO_DATA *node)
{
	struct lf_driver *driver = context;
	ULONG status = 0, problem = LF_NO_PROBLEM;
	bool present = CM_Get_DevNode_Status(&status, &problem, node->DevInst, 0) == CR_SUCCESS;
	wchar_t instance[MAX_DEVICE_ID_LEN];
	HKEY key;

	driver->devices++;
	if (driver->present || (!present && driver->devices > 1))
		return false;
	driver->present = present;
	driver->started = present && (status & DN_STARTED);
	driver->problem = present && (status & DN_HAS_PROBLEM) ? problem : LF_NO_PROBLEM;
	driver->status = driver->problem != LF_NO_PROBLEM ? problem_status(set, node) : 0;
	if (!SetupDiGetDeviceInstanceIdW(set, node, instance, MAX_DEVICE_ID_LEN, NULL) ||
		!lf_narrow(instance, driver->device, sizeof(driver->device)))
		driver->device[0] = '\0';
	key = SetupDiOpenDevRegKey(set, node, DICS_FLAG_GLOBAL, 0, DIREG_DRV, KEY_QUERY_VALUE);
	if (key == INVALID_HANDLE_VALUE)
		return false;
	read_text(key, L"DriverVersion", driver->version, sizeof(driver->version));
	read_text(key, L"InfPath", driver->inf, sizeof(driver->inf));
	RegCloseKey(key);
	return false;
}

static const char *service_state(void)
{
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
	SC_HANDLE service = manager ? OpenServiceW(manager, LF_SERVICE_NAME, SERVICE_QUERY_STATUS) : NULL;
	const char *state = NULL;
	SERVICE_STATUS status;

	if (service && QueryServiceStatus(service, &status))
		state = status.dwCurrentState == SERVICE_RUNNING   ? "running"
			: status.dwCurrentState == SERVICE_STOPPED ? "stopped"
								   : "changing";
	if (service)
		CloseServiceHandle(service);
	if (manager)
		CloseServiceHandle(manager);
	return state;
}

enum lf_error lf_adapter_ask(const struct lf_command_line *line, enum lf_control_command command,
	union lf_control_reply *reply, struct lf_message *message)
{
	union lf_control_request request = {.header = {.command = (uint16_t)command}};
	struct lf_client *client = malloc(sizeof(*client)); /* too large for a stack */
	enum lf_error error;

	lf_message_set(message, "out of memory");
	if (!client)
		return LF_E_NO_MEMORY;
	error = lf_client_open(line->socket, client, message);
	if (error == LF_OK) {
		lf_client_send(client, &request, NULL);
		error = lf_client_wait(client, command, CALL_MS, reply, message);
		lf_client_close(client);
	}
	free(client);
	return error;
}

void lf_driver_look(const struct lf_command_line *line, struct lf_driver *driver)
{
	union lf_control_reply reply;
	struct lf_message message;

	memset(driver, 0, sizeof(*driver));
	lf_nodes_walk(look_at_node, driver);
	driver->service = service_state();
	driver->error = lf_adapter_ask(line, LF_CONTROL_IDENTIFY, &reply, &message);
	driver->answers = driver->error == LF_OK && reply.header.status == LF_CONTROL_OK;
	if (driver->answers)
		lf_control_set_text(&driver->release, reply.identity.release.bytes);
}
