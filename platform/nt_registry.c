/* SPDX-License-Identifier: BSD-2-Clause */
/* nt_registry.c: the parameters of the service, as its administrator set them. */
#include "platform/nt.h"

/* Room for the value that is wanted; one that is longer is no REG_DWORD. */
union value {
	KEY_VALUE_PARTIAL_INFORMATION partial;
	uint8_t room[sizeof(KEY_VALUE_PARTIAL_INFORMATION) + sizeof(uint32_t)];
};

static NTSTATUS open_parameters(HANDLE *key, const UNICODE_STRING *service)
{
	static const WCHAR below[] = L"\\Parameters";
	const uint32_t below_bytes = sizeof(below) - sizeof(below[0]);
	OBJECT_ATTRIBUTES attributes;
	UNICODE_STRING path;
	NTSTATUS status;

	if (service->Length > UINT16_MAX - below_bytes)
		return STATUS_INVALID_PARAMETER;
	path.Length = path.MaximumLength = (USHORT)(service->Length + below_bytes);
	path.Buffer = lf_alloc(path.Length);
	if (!path.Buffer)
		return STATUS_INSUFFICIENT_RESOURCES;
	memcpy(path.Buffer, service->Buffer, service->Length);
	memcpy((char *)path.Buffer + service->Length, below, below_bytes);
	InitializeObjectAttributes(&attributes, &path, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
	status = ZwOpenKey(key, KEY_READ, &attributes);
	lf_free(path.Buffer);
	return status;
}

uint32_t lf_nt_parameter(const UNICODE_STRING *registry_path, const wchar_t *name, uint32_t otherwise)
{
	UNICODE_STRING value_name;
	union value value;
	HANDLE parameters;
	ULONG length;
	NTSTATUS status;

	if (!NT_SUCCESS(open_parameters(&parameters, registry_path)))
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
