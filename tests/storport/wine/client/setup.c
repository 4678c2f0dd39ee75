/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * setup.c: setup install INF ID: makes a root-enumerated device with that hardware ID and gives it the driver
 * of the setup information file; remove ID: takes it away, as Device Manager would; stop SERVICE: unloads the
 * driver; start SERVICE; control SERVICE CODE: sends it a control that ends it, and waits until it has;
 * stay SECONDS: Wine ends drivers and all when no program runs; plain COMMAND...: runs it as somebody who is
 * no administrator.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <setupapi.h>
#include <newdev.h>

/* {4d36e97b-e325-11ce-bfc1-08002be10318}: SCSIAdapter */
static const GUID adapters = {0x4d36e97b, 0xe325, 0x11ce, {0xbf, 0xc1, 0x08, 0x00, 0x2b, 0xe1, 0x03, 0x18}};

static int fail(const char *what)
{
	printf("%s: error %lu (%08lx)\n", what, GetLastError(), GetLastError());
	return 1;
}

static int install(const char *inf, const char *id)
{
	char ids[256] = "", class_name[64], path[MAX_PATH];
	GUID class_guid;
	BOOL reboot = FALSE;
	SP_DEVINFO_DATA device = {.cbSize = sizeof(device)};
	snprintf(ids, sizeof(ids) - 1, "%s", id); /* a second NUL ends the list */
	if (!GetFullPathNameA(inf, sizeof(path), path, NULL) ||
		!SetupDiGetINFClassA(path, &class_guid, class_name, sizeof(class_name), NULL))
		return fail("SetupDiGetINFClass");
	if (memcmp(&class_guid, &adapters, sizeof(adapters))) {
		printf("the class is %s\n", class_name);
		return 1;
	}
	HDEVINFO set = SetupDiCreateDeviceInfoList(&class_guid, NULL);
	if (set == INVALID_HANDLE_VALUE)
		return fail("SetupDiCreateDeviceInfoList");
	if (!SetupDiCreateDeviceInfoA(set, class_name, &class_guid, NULL, NULL, DICD_GENERATE_ID, &device))
		return fail("SetupDiCreateDeviceInfo");
	if (!SetupDiSetDeviceRegistryPropertyA(
		    set, &device, SPDRP_HARDWAREID, (const BYTE *)ids, (DWORD)strlen(ids) + 2))
		return fail("SetupDiSetDeviceRegistryProperty");
	if (!SetupDiCallClassInstaller(DIF_REGISTERDEVICE, set, &device))
		return fail("DIF_REGISTERDEVICE");
	if (!UpdateDriverForPlugAndPlayDevicesA(NULL, id, path, INSTALLFLAG_FORCE, &reboot))
		return fail("UpdateDriverForPlugAndPlayDevices");
	SetupDiDestroyDeviceInfoList(set);
	printf("installed%s\n", reboot ? ", reboot" : "");
	return 0;
}

static int remove_devices(const char *id)
{
	int count = 0;
	HDEVINFO set = SetupDiGetClassDevsA(&adapters, NULL, NULL, 0);
	if (set == INVALID_HANDLE_VALUE)
		return fail("SetupDiGetClassDevs");
	SP_DEVINFO_DATA device = {.cbSize = sizeof(device)};
	for (DWORD i = 0; SetupDiEnumDeviceInfo(set, i, &device); i++) {
		char ids[256] = "";
		if (!SetupDiGetDeviceRegistryPropertyA(
			    set, &device, SPDRP_HARDWAREID, NULL, (BYTE *)ids, sizeof(ids) - 1, NULL) ||
			_stricmp(ids, id))
			continue;
		if (!SetupDiCallClassInstaller(DIF_REMOVE, set, &device))
			return fail("DIF_REMOVE");
		count++;
	}
	SetupDiDestroyDeviceInfoList(set);
	printf("removed %d\n", count);
	return count ? 0 : 1;
}

/* control 0: start it. */
static int service(const char *name, DWORD control)
{
	DWORD wanted = control ? SERVICE_STOPPED : SERVICE_RUNNING;
	SERVICE_STATUS status = {0};
	SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_ALL_ACCESS);
	SC_HANDLE service = manager ? OpenServiceA(manager, name, SERVICE_ALL_ACCESS) : NULL;
	if (!service)
		return fail("OpenService");
	if (control ? !ControlService(service, control, &status) : !StartServiceA(service, 0, NULL))
		return fail(control ? "ControlService" : "StartService");
	for (int tries = 0; tries < 1200; tries++) { /* a minute */
		if (!QueryServiceStatus(service, &status))
			return fail("QueryServiceStatus");
		if (status.dwCurrentState == wanted || status.dwCurrentState == SERVICE_STOPPED)
			break;
		Sleep(50);
	}
	printf("state %lu\n", status.dwCurrentState);
	CloseServiceHandle(service);
	CloseServiceHandle(manager);
	return status.dwCurrentState == wanted ? 0 : 1;
}

/* As an administrator's program is without elevation: the group counts only where it denies. */
static int run_plain(int argc, char **argv)
{
	SID_IDENTIFIER_AUTHORITY authority = SECURITY_NT_AUTHORITY;
	STARTUPINFOA start = {.cb = sizeof(start)};
	PROCESS_INFORMATION process;
	SID_AND_ATTRIBUTES group = {0};
	char command[4096] = "";
	HANDLE own, plain;
	DWORD code = 1;
	for (int i = 0; i < argc; i++) {
		if (strlen(command) + strlen(argv[i]) + 4 > sizeof(command))
			return fail("a command that long");
		snprintf(command + strlen(command), sizeof(command) - strlen(command), "\"%s\" ", argv[i]);
	}
	if (!AllocateAndInitializeSid(&authority, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS, 0,
		    0, 0, 0, 0, 0, &group.Sid) ||
		!OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &own) ||
		!CreateRestrictedToken(own, 0, 1, &group, 0, NULL, 0, NULL, &plain))
		return fail("CreateRestrictedToken");
	if (!CreateProcessAsUserA(plain, NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process))
		return fail("CreateProcessAsUser");
	WaitForSingleObject(process.hProcess, INFINITE);
	GetExitCodeProcess(process.hProcess, &code);
	return (int)code;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "install"))
		return install(argv[2], argv[3]);
	if (argc == 3 && !strcmp(argv[1], "remove"))
		return remove_devices(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "start"))
		return service(argv[2], 0);
	if (argc == 3 && !strcmp(argv[1], "stop"))
		return service(argv[2], SERVICE_CONTROL_STOP);
	if (argc == 4 && !strcmp(argv[1], "control"))
		return service(argv[2], (DWORD)atoi(argv[3]));
	if (argc == 3 && !strcmp(argv[1], "stay")) {
		printf("here\n");
		fflush(stdout);
		Sleep((DWORD)atoi(argv[2]) * 1000);
		return 0;
	}
	if (argc > 2 && !strcmp(argv[1], "plain"))
		return run_plain(argc - 2, argv + 2);
	printf("usage: setup install INF ID | setup remove ID | setup stop|start SERVICE | setup control "
	       "SERVICE CODE | setup stay SECONDS | setup plain COMMAND...\n");
	return 2;
}
