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

static NTSTATUS ask(DEVICE_OBJECT *device, void *answer, uint64_t *length_bytes)
{
	STORAGE_PROPERTY_QUERY query = {
		.PropertyId = StorageDeviceIdProperty,
		.QueryType = PropertyStandardQuery,
	};
	IO_STATUS_BLOCK block;
	NTSTATUS status;
	KEVENT event;
	IRP *irp;

	KeInitializeEvent(&event, NotificationEvent, FALSE);
	irp = IoBuildDeviceIoControlRequest(IOCTL_STORAGE_QUERY_PROPERTY, device, &query, sizeof(query),
		answer, ANSWER_BYTES, FALSE, &event, &block);
	if (!irp)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = IofCallDriver(device, irp);
	if (status == STATUS_PENDING) {
		KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
		status = block.Status;
	}
	*length_bytes = NT_SUCCESS(status) ? block.Information : 0;
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

uint32_t lf_store_file_below(lf_handle image, uint64_t *identifiers, uint32_t most)
{
	uint64_t length_bytes = 0;
	uint8_t *answer = NULL;
	uint32_t count = 0;
	FILE_OBJECT *file;
	void *object;
	NTSTATUS status;

	status = ObReferenceObjectByHandle((HANDLE)image, FILE_READ_DATA, LF_NT_OBJECT_TYPE(IoFileObjectType),
		KernelMode, &object, NULL);
	if (!NT_SUCCESS(status))
		return 0;
	file = object;
	if (is_disk(file->DeviceObject))
		answer = lf_alloc(ANSWER_BYTES);
	if (answer && NT_SUCCESS(ask(file->DeviceObject, answer, &length_bytes)))
		count = take_identifiers(answer, length_bytes, identifiers, most);
	lf_free(answer);
	ObDereferenceObject(object);
	return count;
}
