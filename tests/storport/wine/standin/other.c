/* SPDX-License-Identifier: BSD-2-Clause */
/* other.c: small things: prints, processors, clocks, the bug check; and the entry point of this module. */
#include "tests/storport/wine/standin/standin.h"

__declspec(dllimport) ULONG NTAPI GetCurrentProcessorNumber(void);
NTSYSAPI NTSTATUS NTAPI RtlUnicodeToUTF8N(
	char *out, ULONG room, ULONG *length, const WCHAR *in, ULONG in_bytes);

static ULONG print(ULONG component, ULONG level, const char *format, ...)
{
	char text[512];
	va_list arguments;
	(void)component;
	va_start(arguments, format);
	int length = _vsnprintf(text, sizeof(text) - 1, format, arguments);
	va_end(arguments);
	text[length < 0 ? (int)sizeof(text) - 1 : length] = 0;
	standin_log("print %u %s", level, text);
	return 0;
}

static void NTAPI bug_check(ULONG code, ULONG_PTR first, ULONG_PTR second, ULONG_PTR third, ULONG_PTR fourth)
{
	standin_fail("bug check %08x (%p, %p, %p, %p)", code, (void *)first, (void *)second, (void *)third,
		(void *)fourth);
	*(volatile int *)NULL = 0; /* crash.c says from where */
	for (;;)
		standin_sleep_ms(1000);
}

static ULONG NTAPI current_processor(PROCESSOR_NUMBER *number)
{
	ULONG processor = GetCurrentProcessorNumber();
	if (number)
		*number = (PROCESSOR_NUMBER){.Number = (UCHAR)processor};
	return processor;
}

static ULONG NTAPI active_processors(USHORT group)
{
	(void)group;
	ULONG count = *(ULONG *)(RtlGetCurrentPeb() + 0xb8); /* NumberOfProcessors in the PEB */
	return count ? count : 1;
}

static LARGE_INTEGER NTAPI performance_counter(LARGE_INTEGER *frequency)
{
	LARGE_INTEGER now;
	NtQueryPerformanceCounter(&now, frequency);
	return now;
}

static NTSTATUS NTAPI register_interface(
	DEVICE_OBJECT *pdo, const GUID *kind, UNICODE_STRING *reference, UNICODE_STRING *link)
{
	standin_passive("IoRegisterDeviceInterface");
	return IoRegisterDeviceInterface(pdo, kind, reference, link);
}

static NTSTATUS NTAPI set_interface(UNICODE_STRING *link, BOOLEAN enable)
{
	standin_passive("IoSetDeviceInterfaceState");
	NTSTATUS status = IoSetDeviceInterfaceState(link, enable);
	standin_log(
		"interface %.*ls %s: %08x", link->Length / 2, link->Buffer, enable ? "on" : "off", status);
	return status;
}

/* Wine's own disks are nobody's business. */
static NTSTATUS NTAPI device_pointer(
	UNICODE_STRING *name, ACCESS_MASK access, FILE_OBJECT **file, DEVICE_OBJECT **device)
{
	(void)name;
	(void)access;
	(void)file;
	(void)device;
	standin_passive("IoGetDeviceObjectPointer");
	return STATUS_OBJECT_NAME_NOT_FOUND;
}

const struct standin_import standin_other_imports[] = {
	{"DbgPrintEx", print},
	{"KeBugCheckEx", bug_check},
	{"KeGetCurrentProcessorNumberEx", current_processor},
	{"KeQueryActiveProcessorCountEx", active_processors},
	{"KeQueryPerformanceCounter", performance_counter},
	{"IoRegisterDeviceInterface", register_interface},
	{"IoSetDeviceInterfaceState", set_interface},
	{"IoGetDeviceObjectPointer", device_pointer},
	{"RtlUTF8ToUnicodeN", RtlUTF8ToUnicodeN},
	{"RtlUnicodeToUTF8N", RtlUnicodeToUTF8N},
	{NULL, NULL},
};

/* What the driver has left behind, when it is gone. */
static void say_leaks(void)
{
	standin_pool_settle();
	SIZE_T bytes = standin_pool_report(true);
	LONG things = standin_handles() + standin_files() + standin_irps() + standin_mappings() +
		      standin_notifications() + standin_contexts() + standin_driver_threads() +
		      standin_providers();
	if (bytes || things)
		standin_fail(
			"left behind: %u bytes of pool, %d handles, %d file objects, %d IRPs, %d mappings, "
			"%d notifications, %d tokens, %d threads, %d providers",
			(ULONG)bytes, standin_handles(), standin_files(), standin_irps(), standin_mappings(),
			standin_notifications(), standin_contexts(), standin_driver_threads(),
			standin_providers());
	standin_log("unloaded, %u bytes of pool left", (ULONG)bytes);
}

LONG NTAPI standin_entry(void *module, ULONG reason, void *reserved);

LONG NTAPI standin_entry(void *module, ULONG reason, void *reserved)
{
	(void)module;
	(void)reserved;
	if (reason == 1) { /* DLL_PROCESS_ATTACH */
		standin_slots_open();
		standin_log_open();
		standin_log("loaded");
		standin_switches_read();
		standin_crash_watch();
		standin_imports_replace();
	} else if (reason == 0) {
		say_leaks();
	}
	return 1;
}
