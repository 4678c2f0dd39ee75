/* SPDX-License-Identifier: BSD-2-Clause */
/* user_nt.c: texts, errors and device interfaces of Win32. */
#include "control/user_nt.h"

#include <windows.h>
#include <setupapi.h>

bool lf_wide(const char *text, wchar_t *wide, int room)
{
	return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, room) > 0;
}

bool lf_narrow(const wchar_t *wide, char *text, int room_bytes)
{
	return WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, wide, -1, text, room_bytes, NULL, NULL) > 0;
}

static const struct {
	uint32_t code;
	enum lf_error error;
	const char *text;
} errors[] = {
	{ERROR_FILE_NOT_FOUND, LF_E_NOT_FOUND, "no such file"},
	{ERROR_PATH_NOT_FOUND, LF_E_NOT_FOUND, "no such directory or drive"},
	{ERROR_INVALID_DRIVE, LF_E_NOT_FOUND, "no such drive"},
	{ERROR_BAD_NETPATH, LF_E_NOT_FOUND, "the server is not there"},
	{ERROR_BAD_NET_NAME, LF_E_NOT_FOUND, "no such share"},
	{ERROR_NOT_READY, LF_E_NO_MEDIUM, "no medium is there"},
	{ERROR_ACCESS_DENIED, LF_E_PERMISSION, "permission denied"},
	{ERROR_LOGON_FAILURE, LF_E_PERMISSION, "the server does not know you"},
	{ERROR_WRITE_PROTECT, LF_E_READ_ONLY, "the volume is write-protected"},
	{ERROR_SHARING_VIOLATION, LF_E_BUSY, "in use by another program"},
	{ERROR_LOCK_VIOLATION, LF_E_BUSY, "in use by another program"},
	{ERROR_FILE_EXISTS, LF_E_BUSY, "it exists already"},
	{ERROR_ALREADY_EXISTS, LF_E_BUSY, "it exists already"},
	{ERROR_DISK_FULL, LF_E_NO_SPACE, "no space is left on the volume"},
	{ERROR_HANDLE_DISK_FULL, LF_E_NO_SPACE, "no space is left on the volume"},
	{ERROR_FILE_TOO_LARGE, LF_E_NO_SPACE, "larger than this file system can hold"},
	{ERROR_INVALID_NAME, LF_E_INVALID, "no valid name"},
	{ERROR_BAD_PATHNAME, LF_E_INVALID, "no valid path"},
	{ERROR_FILENAME_EXCED_RANGE, LF_E_INVALID, "the path is too long"},
	{ERROR_NOT_ENOUGH_MEMORY, LF_E_NO_MEMORY, "out of memory"},
	{ERROR_NO_SYSTEM_RESOURCES, LF_E_NO_MEMORY, "a resource of the system ran out"},
};

const char *lf_win32_text(uint32_t code, char *text, size_t room_bytes)
{
	for (uint32_t i = 0; i < lf_count_of(errors); i++) {
		if (errors[i].code == code)
			return errors[i].text;
	}
	lf_format(text, room_bytes, "error %u of Windows", code);
	return text;
}

enum lf_error lf_error_from_win32(uint32_t code)
{
	for (uint32_t i = 0; i < lf_count_of(errors); i++) {
		if (errors[i].code == code)
			return errors[i].error;
	}
	return LF_E_IO;
}

bool lf_find_interface(const void *kind, lf_interface_wanted *wanted, void *context)
{
	union {
		SP_DEVICE_INTERFACE_DETAIL_DATA_W detail;
		uint8_t bytes[2048]; /* with the path */
	} room;
	SP_DEVICE_INTERFACE_DATA found = {.cbSize = sizeof(found)};
	SP_DEVINFO_DATA node = {.cbSize = sizeof(node)};
	HDEVINFO set = SetupDiGetClassDevsW(kind, NULL, NULL, DIGCF_PRESENT | DIGCF_DEVICEINTERFACE);
	bool taken = false;

	if (set == INVALID_HANDLE_VALUE)
		return false;
	for (DWORD i = 0; !taken && SetupDiEnumDeviceInterfaces(set, NULL, kind, i, &found); i++) {
		room.detail.cbSize = sizeof(room.detail);
		if (SetupDiGetDeviceInterfaceDetailW(set, &found, &room.detail, sizeof(room), NULL, &node))
			taken = wanted(context, room.detail.DevicePath, node.DevInst);
	}
	SetupDiDestroyDeviceInfoList(set);
	return taken;
}
