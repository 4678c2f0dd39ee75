/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * look_play.c: of look.dll: the part of Windows' configuration manager that Wine has not: for the program,
 * the disks named by "disks NAME..." are below the adapter, and, after "veto WHO", WHO forbids to eject one.
 * It takes the place of the program's imports; disks themselves are asked, and answer.
 */
#include "tests/storport/wine/client/look.h"

#include "control/interface_nt.h"

#include <setupapi.h>
#include <cfgmgr32.h>
#include <stdlib.h>
#include <string.h>

#define DISKS_MAX  16
#define NAME_UNITS 64
#define NODE_FIRST 0x4c460000 /* no node of Wine's */

/* Changed by one thread, while others only read. */
static wchar_t disks[DISKS_MAX][NAME_UNITS], veto[NAME_UNITS];
static volatile LONG disk_count, ejected;
static DEVINST adapter;

/* GUID_DEVINTERFACE_DISK, GUID_DEVINTERFACE_CDROM */
static const GUID kinds[] = {
	{0x53f56307, 0xb6bf, 0x11d0, {0x94, 0xf2, 0x00, 0xa0, 0xc9, 0x1e, 0xfb, 0x8b}},
	{0x53f56308, 0xb6bf, 0x11d0, {0x94, 0xf2, 0x00, 0xa0, 0xc9, 0x1e, 0xfb, 0x8b}},
};

static BOOL is_kind(const GUID *kind, int number)
{
	return !memcmp(kind, &kinds[number], sizeof(*kind));
}

static BOOL WINAPI enumerate(
	HDEVINFO set, SP_DEVINFO_DATA *node, const GUID *kind, DWORD index, SP_DEVICE_INTERFACE_DATA *found)
{
	LONG count = disk_count;
	if (!is_kind(kind, 0) && !is_kind(kind, 1))
		return SetupDiEnumDeviceInterfaces(set, node, kind, index, found);
	for (LONG i = 0; i < count; i++) {
		if (is_kind(kind, 1) != !wcsncmp(disks[i], L"CdRom", 5) || index--)
			continue;
		found->InterfaceClassGuid = *kind;
		found->Reserved = (ULONG_PTR)i;
		return TRUE;
	}
	SetLastError(ERROR_NO_MORE_ITEMS);
	return FALSE;
}

static BOOL WINAPI detail(HDEVINFO set, SP_DEVICE_INTERFACE_DATA *found,
	SP_DEVICE_INTERFACE_DETAIL_DATA_W *room, DWORD size, DWORD *needed, SP_DEVINFO_DATA *node)
{
	if (!is_kind(&found->InterfaceClassGuid, 0) && !is_kind(&found->InterfaceClassGuid, 1))
		return SetupDiGetDeviceInterfaceDetailW(set, found, room, size, needed, node);
	if (size < sizeof(*room) + sizeof(disks[0]) + 8) {
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
		return FALSE;
	}
	wcscpy(room->DevicePath, L"\\\\.\\");
	wcscat(room->DevicePath, disks[found->Reserved]);
	node->DevInst = NODE_FIRST + (DWORD)found->Reserved;
	return TRUE;
}

static CONFIGRET WINAPI parent_of(DEVINST *parent, DEVINST node, ULONG flags)
{
	if (node - NODE_FIRST >= DISKS_MAX)
		return CM_Get_Parent(parent, node, flags);
	*parent = adapter;
	return CR_SUCCESS;
}

static CONFIGRET WINAPI eject(DEVINST node, PNP_VETO_TYPE *type, wchar_t *name, ULONG units, ULONG flags)
{
	if (node - NODE_FIRST >= DISKS_MAX)
		return CM_Request_Device_EjectW(node, type, name, units, flags);
	InterlockedIncrement(&ejected);
	if (!*veto)
		return CR_SUCCESS;
	*type = PNP_VetoWindowsApp;
	wcsncpy(name, veto, units);
	return CR_REMOVE_VETOED;
}

/* ---- The program's imports ---- */

static const struct {
	const char *name;
	void *function;
} replaced[] = {
	{"SetupDiEnumDeviceInterfaces", (void *)enumerate},
	{"SetupDiGetDeviceInterfaceDetailW", (void *)detail},
	{"CM_Get_Parent", (void *)parent_of},
	{"CM_Request_Device_EjectW", (void *)eject},
};

static int replace_one(const char *name, void **slot)
{
	DWORD before;
	for (size_t i = 0; i < ARRAYSIZE(replaced); i++) {
		if (strcmp(name, replaced[i].name))
			continue;
		if (!VirtualProtect(slot, sizeof(*slot), PAGE_READWRITE, &before))
			return 0;
		*slot = replaced[i].function;
		VirtualProtect(slot, sizeof(*slot), before, &before);
		return 1;
	}
	return 0;
}

static int replace(void)
{
	BYTE *base = (BYTE *)GetModuleHandleW(NULL);
	const IMAGE_NT_HEADERS *headers = (IMAGE_NT_HEADERS *)(base + ((IMAGE_DOS_HEADER *)base)->e_lfanew);
	const IMAGE_IMPORT_DESCRIPTOR *library =
		(IMAGE_IMPORT_DESCRIPTOR *)(base + headers->OptionalHeader
							   .DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT]
							   .VirtualAddress);
	int count = 0;
	for (; library->Name; library++) {
		const IMAGE_THUNK_DATA *names = (IMAGE_THUNK_DATA *)(base + library->OriginalFirstThunk);
		void **slots = (void **)(base + library->FirstThunk);
		for (; names->u1.AddressOfData; names++, slots++) {
			if (IMAGE_SNAP_BY_ORDINAL(names->u1.Ordinal))
				continue;
			count += replace_one(
				((IMAGE_IMPORT_BY_NAME *)(base + names->u1.AddressOfData))->Name, slots);
		}
	}
	return count;
}

static void widen(const char *text, wchar_t *wide)
{
	if (!text || !MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, NAME_UNITS))
		*wide = L'\0';
}

/* The adapter's node, as the program finds it. */
static DEVINST find_adapter(void)
{
	static const GUID kind = LF_INTERFACE_GUID;
	SP_DEVICE_INTERFACE_DATA found = {.cbSize = sizeof(found)};
	SP_DEVINFO_DATA node = {.cbSize = sizeof(node)};
	HDEVINFO set = SetupDiGetClassDevsW(&kind, NULL, NULL, DIGCF_PRESENT | DIGCF_DEVICEINTERFACE);
	if (SetupDiEnumDeviceInterfaces(set, NULL, &kind, 0, &found))
		SetupDiGetDeviceInterfaceDetailW(set, &found, NULL, 0, NULL, &node);
	SetupDiDestroyDeviceInfoList(set);
	return node.DevInst;
}

void play_disks(char *names, struct answer *answer)
{
	LONG count = 0;
	int functions = replace();
	adapter = find_adapter();
	disk_count = 0;
	for (char *name = names; name && count < DISKS_MAX; name = strtok(NULL, " \r\n"))
		widen(name, disks[count++]);
	disk_count = count;
	put(answer, "%d", functions);
}

void play_veto(const char *who, struct answer *answer)
{
	put(answer, "%ld", InterlockedExchange(&ejected, 0));
	widen(who, veto);
}
