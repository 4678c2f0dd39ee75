/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl.c: ctl COMMAND...: says it to the stand-in, prints the answer. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

#define CODE 0x00222000 /* CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS) */

int main(int argc, char **argv)
{
	char line[256] = "", reply[8192];
	DWORD length = 0;
	for (int i = 1; i < argc; i++) {
		if (strlen(line) + strlen(argv[i]) + 2 > sizeof(line))
			return 2;
		strcat(line, i > 1 ? " " : "");
		strcat(line, argv[i]);
	}
	HANDLE device = CreateFileA("\\\\.\\LungfishStandin", GENERIC_READ | GENERIC_WRITE,
		FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
	if (device == INVALID_HANDLE_VALUE) {
		printf("no stand-in: error %lu\n", GetLastError());
		return 1;
	}
	if (!DeviceIoControl(
		    device, CODE, line, (DWORD)strlen(line) + 1, reply, sizeof(reply), &length, NULL)) {
		printf("error %lu\n", GetLastError());
		return 1;
	}
	fwrite(reply, 1, length, stdout);
	CloseHandle(device);
	return 0;
}
