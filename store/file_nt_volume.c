/* SPDX-License-Identifier: BSD-2-Clause */
/* file_nt_volume.c: the volume that an image lies on: it stays while the image is open; when it goes; its
 * disks. */
#include "store/driver_nt.h"
#include "store/file_nt.h"

#include <ntddstor.h>

/* GUID_TARGET_DEVICE_QUERY_REMOVE and _REMOVE_COMPLETE: no library of the kernel's has them. */
static const GUID query_remove = {
	0xcb3a4006, 0x46f0, 0x11d0, {0xb0, 0x8f, 0x00, 0x60, 0x97, 0x13, 0x05, 0x3f}};
static const GUID remove_complete = {
	0xcb3a4008, 0x46f0, 0x11d0, {0xb0, 0x8f, 0x00, 0x60, 0x97, 0x13, 0x05, 0x3f}};

/* Constant while any image is open. */
static DRIVER_OBJECT *our_driver;

void lf_store_file_set_driver(DRIVER_OBJECT *driver)
{
	our_driver = driver;
}

/* ---- when it goes ---- */

static bool same_guid(const GUID *a, const GUID *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/*
 * PASSIVE_LEVEL, in a thread of plug and play's, which holds its locks: whoever is to hear of it does so from
 * the porter.
 */
static NTSTATUS volume_changes(void *notification, void *context)
{
	const TARGET_DEVICE_REMOVAL_NOTIFICATION *what = notification;
	struct lf_store *store = context;

	if (same_guid(&what->Event, &query_remove)) {
		lf_log(LF_LOG_NOTICE, "%s: its volume stays while it is connected",
			lf_file_shown(store->path));
		return STATUS_DEVICE_BUSY;
	}
	if (!same_guid(&what->Event, &remove_complete))
		return STATUS_SUCCESS;
	lf_lock(&store->lock);
	store->removed = true;
	KeSetEvent(&store->porter_wake, IO_NO_INCREMENT, FALSE);
	lf_unlock(&store->lock);
	return STATUS_SUCCESS;
}

/* A share has no device that could go: whoever uses it hears of it by its errors. */
void lf_file_volume_register(struct lf_store *store)
{
	NTSTATUS status;

	if (!our_driver)
		return;
	status = IoRegisterPlugPlayNotification(EventCategoryTargetDeviceChange, 0, store->file, our_driver,
		volume_changes, store, &store->notification);
	if (!NT_SUCCESS(status))
		store->notification = NULL;
}

void lf_file_volume_unregister(struct lf_store *store)
{
	if (store->notification)
		IoUnregisterPlugPlayNotificationEx(store->notification);
	store->notification = NULL;
}

void lf_store_file_watch(struct lf_store *store, void (*removed)(void *context), void *context)
{
	lf_lock(&store->lock);
	store->watch = removed;
	store->watch_context = context;
	KeSetEvent(&store->porter_wake, IO_NO_INCREMENT, FALSE);
	lf_unlock(&store->lock);
}

/* ---- its disks ---- */

#define ANSWER_BYTES 1024u
#define NAA_BYTES    8u

/* IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS, and its answer: mingw-w64 has both for programs only. */
#define VOLUME_EXTENTS CTL_CODE(0x56, 0, METHOD_BUFFERED, FILE_ANY_ACCESS)

struct extent {
	ULONG disk;
	LONGLONG offset_bytes, length_bytes;
};

struct extents {
	ULONG count;
	struct extent first[];
};

_Static_assert(sizeof(struct extents) == 8 && sizeof(struct extent) == 24, "Windows' layout");

struct question {
	ULONG code;
	void *in;
	ULONG in_bytes;
	uint8_t *answer; /* ANSWER_BYTES */
};

/* An answer that is cut short (STATUS_BUFFER_OVERFLOW) is one. */
static NTSTATUS ask(DEVICE_OBJECT *device, const struct question *question, uint64_t *length_bytes)
{
	IO_STATUS_BLOCK block;
	NTSTATUS status;
	KEVENT event;
	IRP *irp;

	*length_bytes = 0;
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	irp = IoBuildDeviceIoControlRequest(question->code, device, question->in, question->in_bytes,
		question->answer, ANSWER_BYTES, FALSE, &event, &block);
	if (!irp)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = IofCallDriver(device, irp);
	if (status == STATUS_PENDING) {
		KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
		status = block.Status;
	}
	if (NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW)
		*length_bytes = lf_min(block.Information, (uint64_t)ANSWER_BYTES);
	return status;
}

/*
 * Whom a control code may be sent to that is of no file. The device of a file on a share is a redirector's,
 * which takes every request for one of a file, and looks into that.
 */
static bool is_disk(const DEVICE_OBJECT *device)
{
	return device &&
	       (device->DeviceType == FILE_DEVICE_DISK || device->DeviceType == FILE_DEVICE_CD_ROM ||
		       device->DeviceType == FILE_DEVICE_VIRTUAL_DISK);
}

/* Of the kind that our own units have: NAA, of the unit itself, eight bytes. */
static bool is_ours_to_take(const STORAGE_IDENTIFIER *id)
{
	return id->CodeSet == StorageIdCodeSetBinary && id->Type == StorageIdTypeFCPHName &&
	       id->Association == StorageIdAssocDevice && id->IdentifierSize == NAA_BYTES;
}

/* Whoever answers is a driver of somebody's: every length is looked at. */
static uint32_t take_identifiers(
	const uint8_t *answer, uint64_t length_bytes, uint64_t *identifiers, uint32_t most)
{
	const STORAGE_DEVICE_ID_DESCRIPTOR *head = (const void *)answer;
	uint64_t at = offsetof(STORAGE_DEVICE_ID_DESCRIPTOR, Identifiers);
	const uint64_t fixed = offsetof(STORAGE_IDENTIFIER, Identifier);
	uint32_t count = 0;

	if (length_bytes < at)
		return 0;
	for (uint32_t i = 0; i < head->NumberOfIdentifiers && count < most; i++) {
		STORAGE_IDENTIFIER id;
		if (at > length_bytes || length_bytes - at < fixed)
			break;
		memcpy(&id, answer + at, (size_t)fixed);
		if (length_bytes - at - fixed < id.IdentifierSize)
			break;
		if (is_ours_to_take(&id))
			identifiers[count++] = lf_get_be64(answer + at + fixed);
		if (id.NextOffset < fixed)
			break;
		at += id.NextOffset;
	}
	return count;
}

/* What is found out: so many of identifiers, most at most. */
struct found {
	uint64_t *identifiers;
	uint32_t count, most;
	uint8_t *answer; /* ANSWER_BYTES, on the boundary of a word */
};

static void find_identifiers(DEVICE_OBJECT *device, struct found *found)
{
	STORAGE_PROPERTY_QUERY query = {
		.PropertyId = StorageDeviceIdProperty,
		.QueryType = PropertyStandardQuery,
	};
	struct question question = {IOCTL_STORAGE_QUERY_PROPERTY, &query, sizeof(query), found->answer};
	uint64_t length_bytes;

	if (NT_SUCCESS(ask(device, &question, &length_bytes)))
		found->count += take_identifiers(found->answer, length_bytes,
			found->identifiers + found->count, found->most - found->count);
}

/* By its name for the whole machine: what a caller has put in his own directory of devices does not count. */
static void find_disk(ULONG number, struct found *found)
{
	WCHAR wide[40];
	char text[40];
	UNICODE_STRING name;
	DEVICE_OBJECT *device;
	FILE_OBJECT *file;
	size_t length = lf_format(text, sizeof(text), "\\GLOBAL??\\PhysicalDrive%u", (unsigned)number);

	for (size_t i = 0; i <= length; i++)
		wide[i] = (WCHAR)text[i];
	RtlInitUnicodeString(&name, wide);
	if (!NT_SUCCESS(IoGetDeviceObjectPointer(&name, FILE_READ_ATTRIBUTES, &file, &device)))
		return;
	find_identifiers(device, found);
	ObDereferenceObject(file);
}

/* Of a volume that spans several: its own device speaks for one of them, or for none. */
static void find_disks(DEVICE_OBJECT *volume, struct found *found)
{
	struct question question = {VOLUME_EXTENTS, NULL, 0, found->answer};
	const struct extents *extents = (const void *)found->answer;
	ULONG disks[(ANSWER_BYTES - sizeof(struct extents)) / sizeof(struct extent)];
	uint64_t length_bytes;
	uint32_t count = 0;

	ask(volume, &question, &length_bytes);
	if (length_bytes >= sizeof(*extents))
		count = (uint32_t)lf_min(
			(length_bytes - sizeof(*extents)) / sizeof(struct extent), (uint64_t)extents->count);
	for (uint32_t i = 0; i < count; i++)
		disks[i] = extents->first[i].disk;
	if (count == 1 && found->count > 0)
		return; /* it has spoken */
	for (uint32_t i = 0; i < count; i++)
		find_disk(disks[i], found);
}

uint32_t lf_store_file_below(lf_handle image, uint64_t *identifiers, uint32_t most)
{
	struct found found = {.identifiers = identifiers, .most = most};
	FILE_OBJECT *file;
	void *object;
	NTSTATUS status;

	status = ObReferenceObjectByHandle((HANDLE)image, FILE_READ_DATA, LF_NT_OBJECT_TYPE(IoFileObjectType),
		KernelMode, &object, NULL);
	if (!NT_SUCCESS(status))
		return 0;
	file = object;
	if (is_disk(file->DeviceObject))
		found.answer = lf_alloc(ANSWER_BYTES);
	if (found.answer) {
		find_identifiers(file->DeviceObject, &found);
		find_disks(file->DeviceObject, &found);
	}
	lf_free(found.answer);
	ObDereferenceObject(object);
	return found.count;
}
