/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * etw.c: the driver's provider of events. What it does goes to C:\etw.bin, as
 * tests/storport/host/etw_stream.h says; a test's command is the session that listens. Whatever the provider
 * writes is kept, wanted or not: what nobody has asked for is the test's to find.
 */
#include "tests/storport/wine/standin/standin.h"
#include "tests/storport/host/etw_stream.h"

#define HANDLE_OF_PROVIDER 0x1234567890
#define SET_TRAITS         2

static struct standin_lock lock; /* of the file, and of what is below */
static HANDLE stream;
static bool is_registered, has_traits;
static PETWENABLECALLBACK callback;
static void *callback_context;
static struct {
	ULONG level;
	ULONGLONG any, all;
	bool listens;
} session;

static void keep(const struct etw_stream_record *record)
{
	LARGE_INTEGER end = {.LowPart = 0xffffffff, .HighPart = -1}; /* FILE_WRITE_TO_END_OF_FILE */
	IO_STATUS_BLOCK iosb;

	if (record->is_too_long)
		standin_fail("ETW: %d bytes are not enough for what was written", ETW_STREAM_BYTES);
	standin_lock(&lock);
	if (stream)
		NtWriteFile(
			stream, NULL, NULL, NULL, &iosb, (void *)record->bytes, record->length, &end, NULL);
	standin_unlock(&lock);
}

static void open_stream(void)
{
	UNICODE_STRING name;
	OBJECT_ATTRIBUTES attributes;
	IO_STATUS_BLOCK iosb;

	RtlInitUnicodeString(&name, L"\\??\\C:\\etw.bin");
	InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
	NtCreateFile(&stream, FILE_APPEND_DATA | SYNCHRONIZE, &attributes, &iosb, NULL, FILE_ATTRIBUTE_NORMAL,
		FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, FILE_OPEN_IF,
		FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE, NULL, 0);
}

static bool is_provider(REGHANDLE provider, const char *who)
{
	if (is_registered && provider == HANDLE_OF_PROVIDER)
		return true;
	standin_fail("%s: no such provider, or not any more", who);
	return false;
}

static void tell(void)
{
	static const GUID source;

	callback(&source, session.listens, (UCHAR)session.level, session.any, session.all, NULL,
		callback_context);
}

/* ---- What the driver calls ---- */

static NTSTATUS NTAPI provider_register(
	const GUID *name, PETWENABLECALLBACK told, void *context, REGHANDLE *provider)
{
	struct etw_stream_record record;
	LONG level = standin_switch(SWITCH_ETW);

	standin_passive("EtwRegister");
	if (is_registered)
		standin_fail("EtwRegister for the second time");
	if (!stream)
		open_stream();
	is_registered = true;
	has_traits = false;
	callback = told;
	callback_context = context;
	*provider = HANDLE_OF_PROVIDER;
	etw_stream_registered(&record, HANDLE_OF_PROVIDER, name);
	keep(&record);
	if (level)
		standin_etw_enable((ULONG)level, 0, 0);
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI provider_unregister(REGHANDLE provider)
{
	struct etw_stream_record record;

	standin_passive("EtwUnregister");
	if (!is_provider(provider, "EtwUnregister"))
		return STATUS_INVALID_HANDLE;
	is_registered = false;
	etw_stream_unregistered(&record, provider);
	keep(&record);
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI provider_information(REGHANDLE provider, ULONG kind, void *information, ULONG length)
{
	struct etw_stream_record record;

	standin_passive("EtwSetInformation");
	if (!is_provider(provider, "EtwSetInformation"))
		return STATUS_INVALID_HANDLE;
	if (kind != SET_TRAITS || has_traits)
		standin_fail("EtwSetInformation of class %u, or for the second time", kind);
	has_traits = true;
	etw_stream_information(&record, provider, kind, information, length);
	keep(&record);
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI provider_write(REGHANDLE provider, const EVENT_DESCRIPTOR *event, const GUID *activity,
	const GUID *related, ULONG count, EVENT_DATA_DESCRIPTOR *pieces)
{
	struct etw_stream_record record;
	const char *problem = etw_stream_problem(event, count, pieces);

	(void)activity;
	(void)related;
	if (problem)
		standin_fail("EtwWriteTransfer: %s", problem);
	if (problem || !is_provider(provider, "EtwWriteTransfer"))
		return STATUS_INVALID_PARAMETER;
	if (!has_traits)
		standin_fail("EtwWriteTransfer: the types of its pieces are not looked at");
	etw_stream_written(&record, provider, event, count, pieces);
	keep(&record);
	return STATUS_SUCCESS;
}

const struct standin_import standin_etw_imports[] = {
	{"EtwRegister", provider_register},
	{"EtwUnregister", provider_unregister},
	{"EtwSetInformation", provider_information},
	{"EtwWriteTransfer", provider_write},
	{NULL, NULL},
};

/* ---- What tests do ---- */

static void change(bool listens, ULONG level, ULONGLONG any, ULONGLONG all)
{
	struct etw_stream_record record;

	session.listens = listens;
	session.level = level;
	session.any = any;
	session.all = all;
	etw_stream_enabled(&record, listens, level, any, all);
	keep(&record);
	if (is_registered)
		tell();
}

void standin_etw_enable(ULONG level, ULONGLONG any, ULONGLONG all)
{
	change(true, level, any, all);
}

void standin_etw_disable(void)
{
	change(false, 0, 0, 0);
}

LONG standin_providers(void)
{
	return is_registered;
}
