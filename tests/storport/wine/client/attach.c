/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach.c: attach CLASS LIBRARY SECONDS: waits until there is a window of that class, and has its process
 * load the library (look.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define WAIT_MS 20

static int fail(const char *what)
{
	printf("%s: error %lu\n", what, GetLastError());
	return 1;
}

/* LoadLibrary is at the same address in every process. */
static BOOL load(HANDLE process, const char *library)
{
	SIZE_T size = strlen(library) + 1;
	FARPROC loader = GetProcAddress(GetModuleHandleA("kernel32"), "LoadLibraryA");
	void *name = VirtualAllocEx(process, NULL, size, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
	DWORD answer = 0;
	HANDLE thread;
	if (!name || !WriteProcessMemory(process, name, library, size, NULL))
		return FALSE;
	thread = CreateRemoteThread(process, NULL, 0, (LPTHREAD_START_ROUTINE)(void *)loader, name, 0, NULL);
	if (!thread)
		return FALSE;
	WaitForSingleObject(thread, INFINITE);
	GetExitCodeThread(thread, &answer);
	CloseHandle(thread);
	VirtualFreeEx(process, name, 0, MEM_RELEASE);
	return answer != 0;
}

int main(int argc, char **argv)
{
	HWND window = NULL;
	HANDLE process;
	DWORD id = 0;
	if (argc != 4) {
		printf("usage: attach CLASS LIBRARY SECONDS\n");
		return 2;
	}
	for (int left = atoi(argv[3]) * 1000; !window && left > 0; left -= WAIT_MS) {
		window = FindWindowA(argv[1], NULL);
		if (!window)
			Sleep(WAIT_MS);
	}
	if (!window || !GetWindowThreadProcessId(window, &id))
		return fail("no such window");
	process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, id);
	if (!process)
		return fail("OpenProcess");
	if (!load(process, argv[2]))
		return fail("LoadLibrary");
	printf("attached %lu\n", id);
	CloseHandle(process);
	return 0;
}
