/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dispatch.c: IRPs come in here. Wine has one thread for all of a driver's IRPs: nothing here waits, but for
 * plug and play.
 */
#include "tests/storport/wine/standin/port.h"

#define IOCTL_OF_PASS        0x0004d004 /* IOCTL_SCSI_PASS_THROUGH */
#define IOCTL_OF_PASS_DIRECT 0x0004d014
#define IOCTL_OF_ADDRESS     0x00041018 /* IOCTL_SCSI_GET_ADDRESS */

NTSTATUS standin_finish(IRP *irp, NTSTATUS status, ULONG_PTR information)
{
	irp->IoStatus.Status = status;
	irp->IoStatus.Information = information;
	IoCompleteRequest(irp, IO_NO_INCREMENT);
	return status;
}

/* One that a crash has left behind is in the way. */
NTSTATUS standin_link(UNICODE_STRING *link, UNICODE_STRING *device)
{
	IoDeleteSymbolicLink(link);
	return IoCreateSymbolicLink(link, device);
}

NTSTATUS standin_add_device(DRIVER_OBJECT *driver, DEVICE_OBJECT *pdo)
{
	UNICODE_STRING name, link;
	DEVICE_OBJECT *fdo;
	RtlInitUnicodeString(&name, L"\\Device\\RaidPort20");
	RtlInitUnicodeString(&link, L"\\DosDevices\\Scsi20:");
	NTSTATUS status = IoCreateDevice(
		driver, sizeof(struct standin_extension), &name, FILE_DEVICE_CONTROLLER, 0, FALSE, &fdo);
	if (!NT_SUCCESS(status))
		return status;
	struct standin_adapter *adapter = standin_allocate(sizeof(*adapter));
	struct standin_extension *extension = fdo->DeviceExtension;
	extension->kind = STANDIN_ADAPTER;
	extension->adapter = adapter;
	adapter->fdo = fdo;
	adapter->pdo = pdo;
	adapter->lower = IoAttachDeviceToDeviceStack(fdo, pdo);
	InitializeListHead(&adapter->queue);
	InitializeListHead(&adapter->outstanding);
	KeInitializeSemaphore(&adapter->work, 0, MAXLONG);
	KeInitializeEvent(&adapter->rescan, SynchronizationEvent, FALSE);
	fdo->Flags |= DO_BUFFERED_IO;
	fdo->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
	standin_link(&link, &name);
	standin_log("added");
	return STATUS_SUCCESS;
}

static void remove_adapter(struct standin_adapter *adapter)
{
	UNICODE_STRING link;
	RtlInitUnicodeString(&link, L"\\DosDevices\\Scsi20:");
	standin_adapter_stop(adapter);
	IoDeleteSymbolicLink(&link);
	IoDetachDevice(adapter->lower);
	IoDeleteDevice(adapter->fdo);
	standin_free(adapter);
	standin_log("removed");
}

static NTSTATUS NTAPI dispatch_pnp(DEVICE_OBJECT *device, IRP *irp)
{
	struct standin_extension *extension = device->DeviceExtension;
	struct standin_adapter *adapter = extension->adapter;
	UCHAR minor = IoGetCurrentIrpStackLocation(irp)->MinorFunction;
	if (extension->kind != STANDIN_ADAPTER)
		return standin_finish(irp, irp->IoStatus.Status, irp->IoStatus.Information);
	DEVICE_OBJECT *lower = adapter->lower;
	standin_log("plug and play %02x", minor);
	if (minor == IRP_MN_START_DEVICE) {
		NTSTATUS status = standin_adapter_start(adapter);
		if (!NT_SUCCESS(status))
			return standin_finish(irp, status, 0);
	} else if (minor == IRP_MN_SURPRISE_REMOVAL) {
		standin_adapter_control(adapter, HOST_ADAPTER_SURPRISE_REMOVAL, PASSIVE_LEVEL);
	}
	IoSkipCurrentIrpStackLocation(irp);
	irp->IoStatus.Status = STATUS_SUCCESS;
	NTSTATUS status = IoCallDriver(lower, irp);
	if (minor == IRP_MN_REMOVE_DEVICE)
		remove_adapter(adapter);
	return status;
}

static NTSTATUS NTAPI dispatch_open(DEVICE_OBJECT *device, IRP *irp)
{
	struct standin_extension *extension = device->DeviceExtension;
	if (extension->kind == STANDIN_UNIT) {
		if (!extension->unit->present)
			return standin_finish(irp, STATUS_NO_SUCH_DEVICE, 0);
		extension->unit->handles++;
	}
	return standin_finish(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI dispatch_close(DEVICE_OBJECT *device, IRP *irp)
{
	struct standin_extension *extension = device->DeviceExtension;
	if (extension->kind == STANDIN_UNIT)
		standin_unit_closed(extension->unit);
	return standin_finish(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI dispatch_io(DEVICE_OBJECT *device, IRP *irp)
{
	struct standin_extension *extension = device->DeviceExtension;
	if (extension->kind != STANDIN_UNIT)
		return standin_finish(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
	return standin_unit_io(extension->unit, irp);
}

static NTSTATUS service(struct standin_adapter *adapter, IRP *irp)
{
	if (!adapter->started || !adapter->hw.HwProcessServiceRequest)
		return standin_finish(irp, STATUS_DEVICE_NOT_READY, 0);
	IoMarkIrpPending(irp);
	standin_service_begins(adapter, irp);
	adapter->hw.HwProcessServiceRequest(adapter->extension, irp);
	standin_returned("HwProcessServiceRequest", PASSIVE_LEVEL);
	if (standin_impersonating())
		standin_fail("HwProcessServiceRequest returned impersonating");
	return STATUS_PENDING;
}

/* Where a disk is, and what it is called: SCSI_ADDRESS, STORAGE_DEVICE_NUMBER. */
static NTSTATUS describe(const struct standin_unit *unit, IRP *irp)
{
	const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	bool address = stack->Parameters.DeviceIoControl.IoControlCode == IOCTL_OF_ADDRESS;
	UCHAR where[8] = {8, 0, 0, 0, STANDIN_SCSI_FIRST, 0, unit->target, unit->lun};
	ULONG number[3] = {unit->type == 5 ? FILE_DEVICE_CD_ROM : FILE_DEVICE_DISK, (ULONG)unit->number, 0};
	ULONG size = address ? sizeof(where) : sizeof(number);
	if (stack->Parameters.DeviceIoControl.OutputBufferLength < size)
		return standin_finish(irp, STATUS_BUFFER_TOO_SMALL, 0);
	memcpy(irp->AssociatedIrp.SystemBuffer, address ? (void *)where : (void *)number, size);
	return standin_finish(irp, STATUS_SUCCESS, size);
}

static NTSTATUS NTAPI dispatch_control(DEVICE_OBJECT *device, IRP *irp)
{
	struct standin_extension *extension = device->DeviceExtension;
	ULONG code = IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl.IoControlCode;
	if (extension->kind == STANDIN_CONTROL)
		return standin_control(irp);
	if (code == IOCTL_OF_PASS || code == IOCTL_OF_PASS_DIRECT)
		return standin_pass_through(
			extension->adapter, extension->unit, irp, code == IOCTL_OF_PASS_DIRECT);
	if (extension->kind == STANDIN_UNIT && (code == IOCTL_OF_ADDRESS || code == IOCTL_OF_NUMBER))
		return describe(extension->unit, irp);
	if (extension->kind == STANDIN_UNIT)
		return standin_finish(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
	if (code == HOST_IOCTL_SERVICE)
		return service(extension->adapter, irp);
	return standin_finish(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
}

void standin_dispatch_install(DRIVER_OBJECT *driver)
{
	driver->MajorFunction[IRP_MJ_CREATE] = dispatch_open;
	driver->MajorFunction[IRP_MJ_CLOSE] = dispatch_close;
	driver->MajorFunction[IRP_MJ_READ] = dispatch_io;
	driver->MajorFunction[IRP_MJ_WRITE] = dispatch_io;
	driver->MajorFunction[IRP_MJ_FLUSH_BUFFERS] = dispatch_io;
	driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = dispatch_control;
	driver->MajorFunction[IRP_MJ_PNP] = dispatch_pnp;
}
