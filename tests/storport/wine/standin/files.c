/* SPDX-License-Identifier: BSD-2-Clause */
/* files.c: opens, file objects, and the Zw calls, judged by IRQL and by how the file was opened. */
#include "tests/storport/wine/standin/standin.h"

#define FSCTL_OF_ZERO_DATA 0x000980c8
#define FSCTL_OF_RANGES    0x000940cf
#define FSCTL_OF_TRIM      0x00098208
#define SECTOR_INFORMATION 11 /* FileFsSectorSizeInformation */

struct handle {
	LIST_ENTRY link;
	HANDLE handle;
	ULONG options;
};

static LIST_ENTRY handles = {&handles, &handles}, files = {&files, &files};
static struct standin_lock lock;
static LONG handle_count, file_count;

LONG standin_handles(void)
{
	return handle_count;
}

LONG standin_files(void)
{
	return file_count;
}

static void handle_opened(HANDLE at, ULONG options)
{
	struct handle *handle = standin_allocate(sizeof(*handle));
	handle->handle = at;
	handle->options = options;
	standin_lock(&lock);
	InsertTailList(&handles, &handle->link);
	standin_unlock(&lock);
	InterlockedIncrement(&handle_count);
}

static struct handle *handle_find_locked(HANDLE at)
{
	for (LIST_ENTRY *link = handles.Flink; link != &handles; link = link->Flink) {
		struct handle *handle = CONTAINING_RECORD(link, struct handle, link);
		if (handle->handle == at)
			return handle;
	}
	return NULL;
}

static ULONG handle_options(HANDLE at)
{
	standin_lock(&lock);
	struct handle *handle = handle_find_locked(at);
	ULONG options = handle ? handle->options : 0;
	standin_unlock(&lock);
	return options;
}

static NTSTATUS NTAPI close_handle(HANDLE at)
{
	standin_passive("ZwClose");
	standin_lock(&lock);
	struct handle *handle = handle_find_locked(at);
	if (handle)
		RemoveEntryList(&handle->link);
	standin_unlock(&lock);
	if (handle) {
		standin_free(handle);
		InterlockedDecrement(&handle_count);
	}
	return NtClose(at);
}

static NTSTATUS NTAPI create_file(HANDLE *handle, ULONG access, OBJECT_ATTRIBUTES *attributes,
	IO_STATUS_BLOCK *iosb, LARGE_INTEGER *allocation, ULONG file_attributes, ULONG share,
	ULONG disposition, ULONG options, void *ea, ULONG ea_length)
{
	standin_passive("ZwCreateFile");
	if (!(attributes->Attributes & OBJ_KERNEL_HANDLE))
		standin_fail("a file is opened with a handle that programs can use");
	if (!(attributes->Attributes & OBJ_FORCE_ACCESS_CHECK) || !standin_impersonating())
		standin_fail("a file is opened with the driver's own rights");
	SECURITY_QUALITY_OF_SERVICE *lent = attributes->SecurityQualityOfService;
	if (!lent || lent->Length != sizeof(*lent) || lent->ImpersonationLevel >= SecurityImpersonation)
		standin_fail("a file is opened by a name of which a pipe could act as the caller");
	while (standin_switch(SWITCH_HOLD_OPENS))
		standin_sleep_ms(10);
	if (standin_switch_hit(SWITCH_FAIL_OPEN)) {
		standin_log("an open fails, as was asked");
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	NTSTATUS status = NtCreateFile(handle, access, attributes, iosb, allocation, file_attributes, share,
		disposition, options, ea, ea_length);
	standin_log("open %.*ls access %08x options %08x: %08x", attributes->ObjectName->Length / 2,
		attributes->ObjectName->Buffer, access, options, status);
	if (NT_SUCCESS(status))
		handle_opened(*handle, options);
	return status;
}

/* ---- File objects ---- */

struct standin_file *standin_file_of(void *object)
{
	struct standin_file *found = NULL;
	standin_lock(&lock);
	for (LIST_ENTRY *at = files.Flink; at != &files && !found; at = at->Flink) {
		struct standin_file *file = CONTAINING_RECORD(at, struct standin_file, link);
		if (&file->object == object)
			found = file;
	}
	standin_unlock(&lock);
	return found;
}

static NTSTATUS reference_file(HANDLE handle, void **object)
{
	struct standin_file *file = standin_allocate(sizeof(*file));
	NTSTATUS status = ZwDuplicateObject(
		NtCurrentProcess(), handle, NtCurrentProcess(), &file->handle, 0, 0, DUPLICATE_SAME_ACCESS);
	if (!NT_SUCCESS(status)) {
		standin_free(file);
		return status;
	}
	file->references = 1;
	file->options = handle_options(handle);
	file->object.Type = 5; /* IO_TYPE_FILE */
	file->object.Size = sizeof(FILE_OBJECT);
	file->object.DeviceObject = &standin_volume;
	file->object.Flags =
		file->options & FILE_NO_INTERMEDIATE_BUFFERING ? FO_NO_INTERMEDIATE_BUFFERING : 0;
	standin_lock(&lock);
	InsertTailList(&files, &file->link);
	standin_unlock(&lock);
	InterlockedIncrement(&file_count);
	*object = &file->object;
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI reference(HANDLE handle, ACCESS_MASK access, POBJECT_TYPE type, KPROCESSOR_MODE mode,
	void **object, OBJECT_HANDLE_INFORMATION *information)
{
	standin_passive("ObReferenceObjectByHandle");
	if (mode != KernelMode || !type)
		standin_fail("ObReferenceObjectByHandle: mode %d, type %p", mode, type);
	/* mingw-w64 imports these by their values, whatever its header says. */
	if ((void *)type == (void *)IoFileObjectType)
		return reference_file(handle, object);
	if ((void *)type == (void *)PsThreadType)
		return standin_thread_reference(handle, object);
	(void)access, (void)information;
	standin_fail("ObReferenceObjectByHandle of something that is neither file nor thread");
	return STATUS_OBJECT_TYPE_MISMATCH;
}

static LONG_PTR FASTCALL dereference(void *object)
{
	standin_at_most_dispatch("ObfDereferenceObject");
	if (standin_thread_dereference(object) || standin_callback_dereference(object) ||
		standin_token_dereference(object))
		return 0;
	struct standin_file *file = standin_file_of(object);
	if (!file) {
		standin_fail("an object is dereferenced that nobody referenced");
		return 0;
	}
	standin_lock(&lock);
	RemoveEntryList(&file->link);
	standin_unlock(&lock);
	InterlockedDecrement(&file_count);
	NtClose(file->handle);
	standin_free(file);
	return 0;
}

static DEVICE_OBJECT *NTAPI related_device(FILE_OBJECT *object)
{
	return standin_file_of(object) ? &standin_volume : NULL;
}

/* ---- What is asked of a file ---- */

static NTSTATUS NTAPI query_file(
	HANDLE handle, IO_STATUS_BLOCK *iosb, void *information, ULONG length, FILE_INFORMATION_CLASS kind)
{
	standin_passive("ZwQueryInformationFile");
	NTSTATUS status = NtQueryInformationFile(handle, iosb, information, length, kind);
	ULONG others = (ULONG)standin_switch(SWITCH_ATTRIBUTES);
	if (!NT_SUCCESS(status))
		return status;
	if (kind == FileBasicInformation)
		((FILE_BASIC_INFORMATION *)information)->FileAttributes |= others;
	if (kind == FileNetworkOpenInformation)
		((FILE_NETWORK_OPEN_INFORMATION *)information)->FileAttributes |= others;
	if (kind == FileAttributeTagInformation)
		((FILE_ATTRIBUTE_TAG_INFORMATION *)information)->FileAttributes |= others;
	return status;
}

static NTSTATUS NTAPI query_volume(
	HANDLE handle, IO_STATUS_BLOCK *iosb, void *information, ULONG length, FS_INFORMATION_CLASS kind)
{
	standin_passive("ZwQueryVolumeInformationFile");
	if ((ULONG)kind == SECTOR_INFORMATION) {
		ULONG *sizes = information; /* logical, physical for atomicity, for performance, effective */
		if (length < 7 * sizeof(ULONG))
			return STATUS_INFO_LENGTH_MISMATCH;
		memset(sizes, 0, 7 * sizeof(ULONG));
		for (int i = 0; i < 4; i++)
			sizes[i] = (ULONG)standin_switch(SWITCH_SECTOR);
		iosb->Status = STATUS_SUCCESS;
		iosb->Information = 7 * sizeof(ULONG);
		return STATUS_SUCCESS;
	}
	NTSTATUS status = NtQueryVolumeInformationFile(handle, iosb, information, length, kind);
	if (NT_SUCCESS(status) && kind == FileFsSizeInformation)
		((FILE_FS_SIZE_INFORMATION *)information)->BytesPerSector =
			(ULONG)standin_switch(SWITCH_SECTOR);
	return status;
}

static NTSTATUS NTAPI set_file(
	HANDLE handle, IO_STATUS_BLOCK *iosb, void *information, ULONG length, FILE_INFORMATION_CLASS kind)
{
	standin_passive("ZwSetInformationFile");
	return NtSetInformationFile(handle, iosb, information, length, kind);
}

/* ---- Reads and writes by handle ---- */

static void judge(
	const char *name, HANDLE handle, const void *buffer, ULONG length, const LARGE_INTEGER *offset)
{
	ULONG sector = (ULONG)standin_switch(SWITCH_SECTOR);
	standin_passive(name);
	if (!(handle_options(handle) & FILE_NO_INTERMEDIATE_BUFFERING))
		return;
	if (!offset || offset->QuadPart % sector || length % sector || (ULONG_PTR)buffer % sector)
		standin_fail("%s past the cache: %u bytes at %p do not fit sectors", name, length, buffer);
}

static NTSTATUS NTAPI read_file(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, void *context,
	IO_STATUS_BLOCK *iosb, void *buffer, ULONG length, LARGE_INTEGER *offset, ULONG *key)
{
	judge("ZwReadFile", handle, buffer, length, offset);
	return NtReadFile(handle, event, apc, context, iosb, buffer, length, offset, key);
}

static NTSTATUS NTAPI write_file(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, void *context,
	IO_STATUS_BLOCK *iosb, void *buffer, ULONG length, LARGE_INTEGER *offset, ULONG *key)
{
	judge("ZwWriteFile", handle, buffer, length, offset);
	return NtWriteFile(handle, event, apc, context, iosb, buffer, length, offset, key);
}

static NTSTATUS NTAPI flush_file(HANDLE handle, IO_STATUS_BLOCK *iosb)
{
	standin_passive("ZwFlushBuffersFile");
	return ZwFlushBuffersFile(handle, iosb);
}

/* ---- File system controls that Wine has not ---- */

static NTSTATUS zero_data(HANDLE handle, IO_STATUS_BLOCK *iosb, const LONGLONG *range)
{
	static const UCHAR zeroes[65536];
	for (LONGLONG at = range[0]; at < range[1];) {
		ULONG length =
			range[1] - at < (LONGLONG)sizeof(zeroes) ? (ULONG)(range[1] - at) : sizeof(zeroes);
		LARGE_INTEGER offset;
		offset.QuadPart = at;
		NTSTATUS status =
			NtWriteFile(handle, NULL, NULL, NULL, iosb, (void *)zeroes, length, &offset, NULL);
		if (status == STATUS_PENDING)
			ZwWaitForSingleObject(handle, FALSE, NULL);
		else if (!NT_SUCCESS(status))
			return status;
		at += length;
	}
	return STATUS_SUCCESS;
}

NTSTATUS standin_file_control(HANDLE handle, IO_STATUS_BLOCK *iosb, ULONG code, void *in, ULONG in_length,
	void *out, ULONG out_length)
{
	if (code == FSCTL_OF_ZERO_DATA && in_length >= 16)
		return zero_data(handle, iosb, in);
	if (code == FSCTL_OF_TRIM)
		return STATUS_SUCCESS;
	if (code != FSCTL_OF_RANGES || in_length < 16 || out_length < 16)
		return STATUS_INVALID_DEVICE_REQUEST;
	memcpy(out, in, 16);
	iosb->Information = 16;
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI control_file(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, void *context,
	IO_STATUS_BLOCK *iosb, ULONG code, void *in, ULONG in_length, void *out, ULONG out_length)
{
	standin_passive("ZwFsControlFile");
	NTSTATUS status = standin_file_control(handle, iosb, code, in, in_length, out, out_length);
	if (status == STATUS_INVALID_DEVICE_REQUEST)
		return NtFsControlFile(
			handle, event, apc, context, iosb, code, in, in_length, out, out_length);
	iosb->Status = status;
	if (event)
		ZwSetEvent(event, NULL);
	return status;
}

/* ---- The registry ---- */

static NTSTATUS NTAPI open_key(HANDLE *key, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes)
{
	standin_passive("ZwOpenKey");
	NTSTATUS status = ZwOpenKey(key, access, attributes);
	if (NT_SUCCESS(status))
		handle_opened(*key, 0);
	return status;
}

static NTSTATUS NTAPI query_value(HANDLE key, UNICODE_STRING *name, KEY_VALUE_INFORMATION_CLASS kind,
	void *value, ULONG length, ULONG *needed)
{
	standin_passive("ZwQueryValueKey");
	return ZwQueryValueKey(key, name, kind, value, length, needed);
}

const struct standin_import standin_file_imports[] = {
	{"ZwCreateFile", create_file},
	{"ZwClose", close_handle},
	{"ObReferenceObjectByHandle", reference},
	{"ObfDereferenceObject", dereference},
	{"IoGetRelatedDeviceObject", related_device},
	{"ZwQueryInformationFile", query_file},
	{"ZwQueryVolumeInformationFile", query_volume},
	{"ZwSetInformationFile", set_file},
	{"ZwReadFile", read_file},
	{"ZwWriteFile", write_file},
	{"ZwFlushBuffersFile", flush_file},
	{"ZwFsControlFile", control_file},
	{"ZwOpenKey", open_key},
	{"ZwQueryValueKey", query_value},
	{NULL, NULL},
};
