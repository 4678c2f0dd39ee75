/* SPDX-License-Identifier: BSD-2-Clause */
/* fs_irp.c: the ways into the file system: IRPs, and the calls of Zw with a handle. */
#include <stdlib.h>
#include <string.h>

#include "tests/storport/nt/fs.h"

bool lf_fake_control_op(ULONG code, enum lf_fake_op *op)
{
	switch (code) {
	case FSCTL_SET_ZERO_DATA:
		*op = LF_FAKE_ZERO;
		return true;
	case FSCTL_FILE_LEVEL_TRIM:
		*op = LF_FAKE_TRIM;
		return true;
	case FSCTL_QUERY_ALLOCATED_RANGES:
		*op = LF_FAKE_RANGES;
		return true;
	case FSCTL_SET_SPARSE:
		*op = LF_FAKE_SPARSE;
		return true;
	default:
		return false;
	}
}

/* What every file system would refuse. */
static NTSTATUS check(const struct lf_fake_io *io, uintptr_t address)
{
	const FILE_OBJECT *object = io->object;
	bool writes = io->op != LF_FAKE_READ && io->op != LF_FAKE_RANGES && io->op != LF_FAKE_FLUSH;
	if (!io->open->file)
		return STATUS_INVALID_DEVICE_REQUEST;
	if ((io->op == LF_FAKE_READ && !object->ReadAccess) || (writes && !object->WriteAccess))
		return STATUS_ACCESS_DENIED;
	if (io->op != LF_FAKE_READ && io->op != LF_FAKE_WRITE)
		return STATUS_SUCCESS;
	uint32_t sector = io->open->volume->options.sector_bytes;
	if ((int64_t)io->offset < 0)
		return STATUS_INVALID_PARAMETER;
	if (!(object->Flags & FO_NO_INTERMEDIATE_BUFFERING))
		return STATUS_SUCCESS;
	if (io->offset % sector || io->length % sector ||
		(address & object->DeviceObject->AlignmentRequirement))
		return STATUS_INVALID_PARAMETER;
	return STATUS_SUCCESS;
}

static struct lf_fake_io *make_io(FILE_OBJECT *object, enum lf_fake_op op)
{
	struct lf_fake_io *io = calloc(1, sizeof(*io));
	io->op = op;
	io->object = object;
	io->open = lf_fake_open_of(object);
	if (__atomic_load_n(&io->open->is_closed, __ATOMIC_ACQUIRE))
		lf_fake_broken("a request on a file whose handle is closed");
	return io;
}

/* ---- IRPs ---- */

static void read_transfer(const IRP *irp, const IO_STACK_LOCATION *stack, struct lf_fake_io *io)
{
	bool is_direct = (io->object->Flags & FO_NO_INTERMEDIATE_BUFFERING) != 0;
	io->offset = (uint64_t)stack->Parameters.Read.ByteOffset.QuadPart;
	io->length = stack->Parameters.Read.Length;
	if (!irp->MdlAddress || MmGetMdlByteCount(irp->MdlAddress) < io->length)
		lf_fake_broken("a transfer of %u bytes without an MDL of as many", io->length);
	if (is_direct && !(irp->Flags & IRP_NOCACHE))
		lf_fake_broken("a transfer without IRP_NOCACHE: it would go through the cache");
	if (!is_direct && (irp->Flags & IRP_NOCACHE))
		lf_fake_broken("a transfer past the cache of a file that was opened with it");
	if (!(irp->Flags & (stack->MajorFunction == IRP_MJ_READ ? IRP_READ_OPERATION : IRP_WRITE_OPERATION)))
		lf_fake_broken("a transfer that does not say which: IRP_READ_OPERATION or _WRITE_");
	if (irp->UserBuffer != MmGetMdlVirtualAddress(irp->MdlAddress))
		lf_fake_broken("a transfer whose UserBuffer is not where its MDL begins");
	if (irp->Flags & IRP_PAGING_IO)
		lf_fake_broken("a transfer as if the memory manager had sent it");
}

/* What the I/O manager puts into the IRP of each request, and file systems look at. */
static void check_origin(const IRP *irp, const IO_STACK_LOCATION *stack)
{
	if (irp->RequestorMode != KernelMode)
		lf_fake_broken("an IRP to a file system as if a user had sent it");
	if (!irp->Tail.Overlay.Thread)
		lf_fake_broken("an IRP to a file system of no thread");
	if (irp->Tail.Overlay.OriginalFileObject != stack->FileObject)
		lf_fake_broken("an IRP to a file system that was of another file, or of none");
}

/*
 * A file system asks whether it may wait in the thread that calls it (IoIsOperationSynchronous). If not, what
 * it cannot do without waiting goes to the executive's worker threads: all but transfers past the cache, and
 * of these those that need new room in a sparse file.
 */
static void check_who_waits(const IRP *irp, const struct lf_fake_io *io)
{
	struct lf_fake_file *file = io->open->file;
	bool is_transfer = io->op == LF_FAKE_READ || io->op == LF_FAKE_WRITE, is_sparse;
	if ((irp->Flags & IRP_SYNCHRONOUS_API) || !file)
		return;
	pthread_mutex_lock(&file->mutex);
	is_sparse = (file->attributes & FILE_ATTRIBUTE_SPARSE_FILE) != 0;
	pthread_mutex_unlock(&file->mutex);
	if (!is_transfer || !(io->object->Flags & FO_NO_INTERMEDIATE_BUFFERING) ||
		(io->op == LF_FAKE_WRITE && is_sparse))
		lf_fake_broken("a request for which the executive's worker threads would wait");
}

static NTSTATUS file_irp(IRP *irp, IO_STACK_LOCATION *stack)
{
	enum lf_fake_op op = LF_FAKE_FLUSH;
	uintptr_t address = 0;
	bool is_known = true;
	if (!stack->FileObject)
		lf_fake_broken("an IRP to a file system without a file object");
	if (stack->MajorFunction == IRP_MJ_READ)
		op = LF_FAKE_READ;
	else if (stack->MajorFunction == IRP_MJ_WRITE)
		op = LF_FAKE_WRITE;
	else if (stack->MajorFunction == IRP_MJ_FILE_SYSTEM_CONTROL)
		is_known = stack->MinorFunction == IRP_MN_USER_FS_REQUEST &&
			   lf_fake_control_op(stack->Parameters.FileSystemControl.FsControlCode, &op);
	struct lf_fake_io *io = make_io(stack->FileObject, op);
	io->irp = irp;
	if (op == LF_FAKE_READ || op == LF_FAKE_WRITE) {
		read_transfer(irp, stack, io);
		address = (uintptr_t)MmGetMdlVirtualAddress(irp->MdlAddress);
	} else if (stack->MajorFunction == IRP_MJ_FILE_SYSTEM_CONTROL) {
		bool is_neither = stack->Parameters.FileSystemControl.FsControlCode % 4 == METHOD_NEITHER;
		io->in = is_neither ? stack->Parameters.FileSystemControl.Type3InputBuffer
				    : irp->AssociatedIrp.SystemBuffer;
		io->out = is_neither ? irp->UserBuffer : irp->AssociatedIrp.SystemBuffer;
		io->in_bytes = stack->Parameters.FileSystemControl.InputBufferLength;
		io->out_bytes = stack->Parameters.FileSystemControl.OutputBufferLength;
	}
	check_origin(irp, stack);
	check_who_waits(irp, io);
	io->status = is_known ? check(io, address) : STATUS_INVALID_DEVICE_REQUEST;
	return lf_fake_io_submit(io);
}

/* IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS: how many, then disk, offset and length of each, as many as fit. */
static NTSTATUS extents(const struct lf_fake_volume *volume, IRP *irp, ULONG room)
{
	uint64_t *to = irp->AssociatedIrp.SystemBuffer;
	uint32_t count = volume->options.disk_count;
	if (count == 0)
		return STATUS_INVALID_DEVICE_REQUEST;
	uint32_t fits = (room - 8) / 24 < count ? (room - 8) / 24 : count;
	to[0] = count;
	for (uint32_t i = 0; i < fits; i++) {
		to[1 + 3 * i] = volume->options.disks[i];
		to[2 + 3 * i] = to[3 + 3 * i] = 1 << 20;
	}
	irp->IoStatus.Information = 8 + 24 * fits;
	return fits < count ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* IOCTL_STORAGE_QUERY_PROPERTY: as much of the answer as there is room for, and no less than its header. */
static NTSTATUS device_irp(struct lf_fake_volume *volume, IRP *irp, const IO_STACK_LOCATION *stack)
{
	const STORAGE_PROPERTY_QUERY *query = irp->AssociatedIrp.SystemBuffer;
	ULONG room = stack->Parameters.DeviceIoControl.OutputBufferLength;
	const void *descriptor = __atomic_load_n(&volume->device_id, __ATOMIC_ACQUIRE);
	uint32_t length = __atomic_load_n(&volume->device_id_bytes, __ATOMIC_ACQUIRE);
	NTSTATUS status = __atomic_load_n(&volume->status, __ATOMIC_ACQUIRE);
	if (NT_SUCCESS(status) && stack->Parameters.DeviceIoControl.IoControlCode == 0x560000)
		return extents(volume, irp, room);
	if (!NT_SUCCESS(status) ||
		stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_STORAGE_QUERY_PROPERTY)
		return NT_SUCCESS(status) ? STATUS_INVALID_DEVICE_REQUEST : status;
	if (stack->Parameters.DeviceIoControl.InputBufferLength < sizeof(*query) ||
		room < sizeof(STORAGE_DESCRIPTOR_HEADER))
		return STATUS_INFO_LENGTH_MISMATCH;
	if (query->PropertyId != StorageDeviceIdProperty || query->QueryType != PropertyStandardQuery ||
		!descriptor || volume->options.remote)
		return STATUS_NOT_SUPPORTED;
	irp->IoStatus.Information = length < room ? length : room;
	memcpy(irp->AssociatedIrp.SystemBuffer, descriptor, irp->IoStatus.Information);
	return STATUS_SUCCESS;
}

NTSTATUS lf_fake_irp_dispatch(DEVICE_OBJECT *device, IRP *irp)
{
	struct lf_fake_volume *volume = device->DeviceExtension;
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	UCHAR major = stack->MajorFunction;
	lf_fake_need_no_boxes("an IRP to a file system or a disk");
	if (major == IRP_MJ_READ || major == IRP_MJ_WRITE || major == IRP_MJ_FLUSH_BUFFERS ||
		major == IRP_MJ_FILE_SYSTEM_CONTROL) {
		if (device != &volume->fs_device)
			lf_fake_broken("a request on a file goes to the disk below its file system");
		if (stack->FileObject && lf_fake_volume_of(stack->FileObject) != volume)
			lf_fake_broken("a request on a file goes to the file system of another volume");
		return file_irp(irp, stack);
	}
	irp->IoStatus.Information = 0;
	NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;
	if (volume->options.remote && !stack->FileObject)
		lf_fake_broken("a redirector gets a request of no file, and looks into that");
	if (major == IRP_MJ_DEVICE_CONTROL)
		status = device_irp(volume, irp, stack);
	irp->IoStatus.Status = status;
	lf_fake_irp_end(irp);
	return status;
}

/* ---- Zw ---- */

static struct lf_fake_io *make_call(const char *who, HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc,
	IO_STATUS_BLOCK *status, enum lf_fake_op op)
{
	lf_fake_passive(who);
	lf_fake_need_no_boxes(who);
	if (event || apc)
		lf_fake_broken("%s with an event or an APC", who);
	FILE_OBJECT *object = lf_fake_handle_body(handle, LF_FAKE_FILE, NULL);
	struct lf_fake_io *io = make_io(object, op);
	lf_fake_object_reference(object);
	KeClearEvent(&object->Event);
	io->status_to = status;
	return io;
}

/* waits: this call does so for any handle; else only for one that was opened so. */
static NTSTATUS run(struct lf_fake_io *io, uintptr_t address, bool waits)
{
	KEVENT done;
	IO_STATUS_BLOCK *status_to = io->status_to;
	NTSTATUS status = check(io, address);
	if (!waits && !(io->object->Flags & FO_SYNCHRONOUS_IO)) {
		io->status = status;
		return lf_fake_io_submit(io);
	}
	KeInitializeEvent(&done, SynchronizationEvent, FALSE);
	io->status = status;
	io->done = &done;
	lf_fake_io_submit(io);
	KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
	free(io);
	return status_to->Status;
}

static NTSTATUS transfer(
	const char *who, struct lf_fake_io *io, void *buffer, ULONG length, LARGE_INTEGER *offset)
{
	if (!offset)
		lf_fake_broken("%s where the last one ended", who);
	io->out = buffer;
	io->length = length;
	io->offset = (uint64_t)offset->QuadPart;
	return run(io, (uintptr_t)buffer, false);
}

NTSTATUS ZwReadFile(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID context, IO_STATUS_BLOCK *status,
	PVOID buffer, ULONG length, LARGE_INTEGER *offset, ULONG *key)
{
	UNREFERENCED_PARAMETER(context);
	UNREFERENCED_PARAMETER(key);
	struct lf_fake_io *io = make_call("ZwReadFile", handle, event, apc, status, LF_FAKE_READ);
	return transfer("ZwReadFile", io, buffer, length, offset);
}

NTSTATUS ZwWriteFile(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID context, IO_STATUS_BLOCK *status,
	PVOID buffer, ULONG length, LARGE_INTEGER *offset, ULONG *key)
{
	UNREFERENCED_PARAMETER(context);
	UNREFERENCED_PARAMETER(key);
	struct lf_fake_io *io = make_call("ZwWriteFile", handle, event, apc, status, LF_FAKE_WRITE);
	return transfer("ZwWriteFile", io, buffer, length, offset);
}

NTSTATUS ZwFlushBuffersFile(HANDLE handle, IO_STATUS_BLOCK *status)
{
	return run(make_call("ZwFlushBuffersFile", handle, NULL, NULL, status, LF_FAKE_FLUSH), 0, true);
}

NTSTATUS ZwFsControlFile(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID context,
	IO_STATUS_BLOCK *status, ULONG code, PVOID in, ULONG in_bytes, PVOID out, ULONG out_bytes)
{
	enum lf_fake_op op;
	UNREFERENCED_PARAMETER(context);
	if (!lf_fake_control_op(code, &op)) {
		lf_fake_passive("ZwFsControlFile");
		status->Status = STATUS_INVALID_DEVICE_REQUEST;
		status->Information = 0;
		return STATUS_INVALID_DEVICE_REQUEST;
	}
	struct lf_fake_io *io = make_call("ZwFsControlFile", handle, event, apc, status, op);
	io->in = in;
	io->in_bytes = in_bytes;
	io->out = out;
	io->out_bytes = out_bytes;
	return run(io, 0, false);
}
