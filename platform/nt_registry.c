/* SPDX-License-Identifier: BSD-2-Clause */
/* nt_registry.c: the parameters of the service, as its administrator set them. */
#include "platform/nt.h"

/* Room for the value that is wanted; one that is longer is no REG_DWORD. */
union value {
	KEY_VALUE_PARTIAL_INFORMATION partial;
	uint8_t room[sizeof(KEY_VALUE_PARTIAL_INFORMATION) + sizeof(uint32_t)];
};

static NTSTATUS open_key(HANDLE *key, HANDLE root, UNICODE_STRING *name)
{
	OBJECT_ATTRIBUTES attributes;

	InitializeObjectAttributes(&attributes, name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, root, NULL);
	return ZwOpenKey(key, KEY_READ, &attributes);
}

uint32_t lf_nt_parameter(const UNICODE_STRING *registry_path, const wchar_t *name, uint32_t otherwise)
{
	UNICODE_STRING path = *registry_path, below, value_name;
	HANDLE service, parameters;
	union value value;
	ULONG length;
	NTSTATUS status;

	if (!NT_SUCCESS(open_key(&service, NULL, &path)))
		return otherwise;
	RtlInitUnicodeString(&below, L"Parameters");
	status = open_key(&parameters, service, &below);
	lf_handle_close((lf_handle)service);
	if (!NT_SUCCESS(status))
		return otherwise;
	RtlInitUnicodeString(&value_name, name);
	status = ZwQueryValueKey(
		parameters, &value_name, KeyValuePartialInformation, &value, sizeof(value), &length);
	lf_handle_close((lf_handle)parameters);
	if (NT_SUCCESS(status) && value.partial.Type == REG_DWORD &&
		value.partial.DataLength == sizeof(uint32_t))
		memcpy(&otherwise, value.partial.Data, sizeof(otherwise));
	return otherwise;
}
