/* SPDX-License-Identifier: BSD-2-Clause */
/* switches.c: what a test asks of the stand-in, by name and number. */
#include "tests/storport/wine/standin/standin.h"

static const char *const names[SWITCH_COUNT] = {
	[SWITCH_FAIL_POOL] = "fail_pool",
	[SWITCH_FAIL_OPEN] = "fail_open",
	[SWITCH_OLD_SRBS] = "old_srbs",
	[SWITCH_HOLD_OPENS] = "hold_opens",
	[SWITCH_HOLD_IO] = "hold_io",
	[SWITCH_ATTRIBUTES] = "attributes",
	[SWITCH_LEVEL] = "level",
	[SWITCH_DENY] = "deny",
	[SWITCH_SECTOR] = "sector",
	[SWITCH_MAP_FAILS] = "map_fails",
	[SWITCH_NAA_HIGH] = "naa_high",
	[SWITCH_NAA_LOW] = "naa_low",
	[SWITCH_SHORT_MEMORY] = "short_memory",
	[SWITCH_ETW] = "etw",
	[SWITCH_NO_ADDRESS] = "no_address",
	[SWITCH_SHORT_START] = "short_start",
	[SWITCH_BREAK_AT] = "break_at",
};

static volatile LONG values[SWITCH_COUNT] = {
	[SWITCH_LEVEL] = SecurityImpersonation,
	[SWITCH_SECTOR] = 512,
};

LONG standin_switch(enum standin_switch which)
{
	return values[which];
}

void standin_switch_set(enum standin_switch which, LONG value)
{
	InterlockedExchange(&values[which], value);
}

bool standin_switch_hit(enum standin_switch which)
{
	for (;;) {
		LONG now = values[which];
		if (now <= 0)
			return false;
		if (InterlockedCompareExchange(&values[which], now - 1, now) == now)
			return now == 1;
	}
}

const char *standin_switch_name(enum standin_switch which)
{
	return names[which];
}

bool standin_switch_named(const char *name, LONG value)
{
	for (int which = 0; which < SWITCH_COUNT; which++) {
		if (strcmp(names[which], name))
			continue;
		standin_switch_set((enum standin_switch)which, value);
		standin_log("switch %s %d", name, (int)value);
		return true;
	}
	return false;
}

void standin_switches_read(void)
{
	UNICODE_STRING path;
	OBJECT_ATTRIBUTES attributes;
	IO_STATUS_BLOCK iosb;
	HANDLE file;
	RtlInitUnicodeString(&path, L"\\??\\C:\\standin.cfg");
	InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
	if (!NT_SUCCESS(NtOpenFile(&file, FILE_READ_DATA | SYNCHRONIZE, &attributes, &iosb, FILE_SHARE_READ,
		    FILE_SYNCHRONOUS_IO_NONALERT)))
		return;
	char text[512] = "";
	NTSTATUS status = NtReadFile(file, NULL, NULL, NULL, &iosb, text, sizeof(text) - 1, NULL, NULL);
	NtClose(file);
	if (!NT_SUCCESS(status))
		return;
	for (char *at = text; *at;) {
		char *name = at;
		LONG value = 0;
		while (*at && *at != ' ' && *at != '\n')
			at++;
		if (*at == ' ')
			*at++ = 0;
		for (; *at >= '0' && *at <= '9'; at++)
			value = value * 10 + (*at - '0');
		if (*at)
			*at++ = 0;
		if (*name && !standin_switch_named(name, value))
			standin_fail("no switch %s", name);
	}
}
