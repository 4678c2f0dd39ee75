/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service_log_nt.c: the event log. Its texts need a file of messages: one of Windows itself has the message
 * "%1" for each number from 1 to 1000, so that what is shown is our line and nothing else.
 */
#include "programs/service_nt.h"
#include "control/user_nt.h"
#include "programs/lungfish.h"

#include <stdio.h>
#include <windows.h>

#define SOURCE_NAME L"Lungfish"
#define SOURCES     L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application"
#define ROOM        5000 /* a path, and what is wrong with it */

static const wchar_t messages[] = L"%SystemRoot%\\System32\\EventCreate.exe";

uint32_t lf_service_log_install(void)
{
	const DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
	uint32_t code;
	HKEY key;

	code = (uint32_t)RegCreateKeyExW(
		HKEY_LOCAL_MACHINE, SOURCES L"\\" SOURCE_NAME, 0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL);
	if (code != 0)
		return code;
	code = (uint32_t)RegSetValueExW(
		key, L"EventMessageFile", 0, REG_EXPAND_SZ, (const BYTE *)messages, sizeof(messages));
	if (code == 0)
		code = (uint32_t)RegSetValueExW(
			key, L"TypesSupported", 0, REG_DWORD, (const BYTE *)&types, sizeof(types));
	RegCloseKey(key);
	return code;
}

uint32_t lf_service_log_remove(void)
{
	uint32_t code = (uint32_t)RegDeleteKeyW(HKEY_LOCAL_MACHINE, SOURCES L"\\" SOURCE_NAME);

	return code == ERROR_FILE_NOT_FOUND ? 0 : code;
}

void lf_service_log(enum lf_service_level level, bool console, const char *text)
{
	static const WORD types[] = {EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE, EVENTLOG_ERROR_TYPE};
	wchar_t wide[ROOM];
	const wchar_t *string = wide;
	HANDLE log;

	if (console) {
		fprintf(stderr, "lungfish: service run: ");
		lf_print_clean(stderr, text);
		fputc('\n', stderr);
		fflush(stderr);
	}
	if (!lf_wide(text, wide, ROOM))
		return;
	log = RegisterEventSourceW(NULL, SOURCE_NAME);
	if (!log)
		return;
	ReportEventW(log, types[level], 0, 1 + (DWORD)level, NULL, 1, 0, &string, NULL);
	DeregisterEventSource(log);
}
