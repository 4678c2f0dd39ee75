/* SPDX-License-Identifier: BSD-2-Clause */
/* disk.c: what a program asks of a unit: ReadFile, WriteFile, FlushFileBuffers, SCSI pass-through. */
#include "tests/storport/wine/standin/port.h"

#define TRIES_MAX     8
#define SENSE_BYTES   18
#define TRANSFER_MAX  (8u << 20)
#define CDB_BYTES_MAX 16

static void put(UCHAR *at, ULONGLONG value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--, value >>= 8)
		at[i] = (UCHAR)value;
}

/* ---- ReadFile, WriteFile ---- */

struct transfer {
	IRP *irp;
	int tries;
};

static NTSTATUS status_of(const struct standin_request *request)
{
	UCHAR key = request->sense[2] & 15, code = request->sense[12];
	switch (request->srb_status & HOST_STATUS_MASK) {
	case HOST_STATUS_SUCCESS:
		return STATUS_SUCCESS;
	case HOST_STATUS_DATA_OVERRUN:
		return request->scsi_status ? STATUS_IO_DEVICE_ERROR : STATUS_SUCCESS;
	case HOST_STATUS_NO_DEVICE:
	case HOST_STATUS_INVALID_LUN:
		return STATUS_NO_SUCH_DEVICE;
	}
	if (request->scsi_status != 2 || !(request->srb_status & HOST_STATUS_AUTOSENSE_VALID))
		return STATUS_IO_DEVICE_ERROR;
	if (key == 7)
		return STATUS_MEDIA_WRITE_PROTECTED;
	if (key == 5 && code == 0x21)
		return STATUS_NONEXISTENT_SECTOR;
	if (key == 2 && code == 0x3a)
		return STATUS_NO_MEDIA_IN_DEVICE;
	return STATUS_IO_DEVICE_ERROR;
}

/* As the class driver would: a unit attention, a reset, a busy unit are no errors of this request. */
static bool worth_another(const struct standin_request *request)
{
	UCHAR status = request->srb_status & HOST_STATUS_MASK;
	if (status == HOST_STATUS_BUS_RESET || status == HOST_STATUS_BUSY)
		return true;
	if (request->scsi_status == 8 || request->scsi_status == 0x28)
		return true;
	return request->scsi_status == 2 && (request->sense[2] & 15) == 6;
}

static void finish_io(struct standin_request *request)
{
	struct transfer *transfer = request->context;
	IRP *irp = transfer->irp;
	if (worth_another(request) && ++transfer->tries < TRIES_MAX) {
		standin_request_start(request);
		return;
	}
	NTSTATUS status = status_of(request);
	if (NT_SUCCESS(status) && !request->is_write)
		memcpy(irp->AssociatedIrp.SystemBuffer, request->data, request->transferred);
	ULONG moved = NT_SUCCESS(status) ? request->transferred : 0;
	standin_request_free(request);
	standin_free(transfer);
	standin_finish(irp, status, moved);
}

static void move_cdb(struct standin_request *request, ULONGLONG block, ULONG blocks, UCHAR type)
{
	if (type == 5) { /* a CD-ROM drive has no 16-byte commands */
		request->cdb[0] = 0x28;
		put(request->cdb + 2, block, 4);
		put(request->cdb + 7, blocks, 2);
		request->cdb_length = 10;
		return;
	}
	request->cdb[0] = request->is_write ? 0x8a : 0x88;
	put(request->cdb + 2, block, 8);
	put(request->cdb + 10, blocks, 4);
	request->cdb_length = 16;
}

NTSTATUS standin_unit_io(struct standin_unit *unit, IRP *irp)
{
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	bool flushes = stack->MajorFunction == IRP_MJ_FLUSH_BUFFERS;
	bool writes = stack->MajorFunction == IRP_MJ_WRITE;
	ULONG length = flushes ? 0 : writes ? stack->Parameters.Write.Length : stack->Parameters.Read.Length;
	LONGLONG offset = writes ? stack->Parameters.Write.ByteOffset.QuadPart
				 : stack->Parameters.Read.ByteOffset.QuadPart;
	if (!unit->present || !unit->adapter->started)
		return standin_finish(irp, STATUS_NO_SUCH_DEVICE, 0);
	if (!flushes && (!length || length > TRANSFER_MAX || length % unit->block_bytes || offset < 0 ||
				offset % unit->block_bytes))
		return standin_finish(irp, STATUS_INVALID_PARAMETER, 0);
	struct standin_request *request =
		standin_request_make(unit->adapter, unit->target, unit->lun, length);
	struct transfer *transfer = standin_allocate(sizeof(*transfer));
	transfer->irp = irp;
	request->is_write = writes;
	request->sense_length = SENSE_BYTES;
	request->finish = finish_io;
	request->context = transfer;
	if (flushes) {
		request->cdb[0] = 0x35;
		request->cdb_length = 10;
	} else {
		move_cdb(request, (ULONGLONG)offset / unit->block_bytes, length / unit->block_bytes,
			unit->type);
	}
	if (writes)
		memcpy(request->data, irp->AssociatedIrp.SystemBuffer, length);
	IoMarkIrpPending(irp);
	standin_request_start(request);
	return STATUS_PENDING;
}

/* ---- Pass-through ---- */

/* SCSI_PASS_THROUGH and SCSI_PASS_THROUGH_DIRECT of a 64-bit program. */
struct pass {
	USHORT Length;
	UCHAR ScsiStatus;
	UCHAR PathId;
	UCHAR TargetId;
	UCHAR Lun;
	UCHAR CdbLength;
	UCHAR SenseInfoLength;
	UCHAR DataIn; /* 0 out, 1 in, 2 unspecified */
	ULONG DataTransferLength;
	ULONG TimeOutValue;
	ULONG_PTR Data; /* offset, or the address in the program */
	ULONG SenseInfoOffset;
	UCHAR Cdb[CDB_BYTES_MAX];
};

HOST_AT(pass, Data, 0x18);
HOST_AT(pass, Cdb, 0x24);
HOST_SIZE(pass, 0x38);

struct passed {
	IRP *irp;
	HANDLE process; /* of the program; direct only */
};

static NTSTATUS open_requestor(HANDLE *process)
{
	OBJECT_ATTRIBUTES attributes;
	CLIENT_ID id = {PsGetCurrentProcessId(), NULL};
	InitializeObjectAttributes(&attributes, NULL, 0, NULL, NULL);
	return NtOpenProcess(process, PROCESS_ALL_ACCESS, &attributes, &id);
}

static NTSTATUS deliver(struct standin_request *request, struct passed *passed, ULONG_PTR *information)
{
	UCHAR *buffer = passed->irp->AssociatedIrp.SystemBuffer;
	struct pass *pass = (struct pass *)buffer;
	UCHAR status = request->srb_status & HOST_STATUS_MASK;
	*information = sizeof(*pass);
	if (status == HOST_STATUS_NO_DEVICE || status == HOST_STATUS_INVALID_LUN)
		return STATUS_NO_SUCH_DEVICE;
	if (status == HOST_STATUS_INVALID_REQUEST)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (status == HOST_STATUS_BUSY && !request->scsi_status)
		return STATUS_DEVICE_BUSY;
	pass->ScsiStatus = request->scsi_status;
	pass->DataTransferLength = request->transferred;
	if (request->srb_status & HOST_STATUS_AUTOSENSE_VALID && pass->SenseInfoLength) {
		ULONG sense = request->sense_length < pass->SenseInfoLength ? request->sense_length
									    : pass->SenseInfoLength;
		memcpy(buffer + pass->SenseInfoOffset, request->sense, sense);
		*information = pass->SenseInfoOffset + sense;
	}
	if (request->is_write || !request->transferred)
		return STATUS_SUCCESS;
	if (passed->process)
		return NtWriteVirtualMemory(
			passed->process, (void *)pass->Data, request->data, request->transferred, NULL);
	memcpy(buffer + pass->Data, request->data, request->transferred);
	*information = pass->Data + request->transferred;
	return STATUS_SUCCESS;
}

static void finish_pass(struct standin_request *request)
{
	struct passed *passed = request->context;
	ULONG_PTR information;
	NTSTATUS status = deliver(request, passed, &information);
	if (passed->process)
		NtClose(passed->process);
	standin_request_free(request);
	standin_finish(passed->irp, status, NT_SUCCESS(status) ? information : 0);
	standin_free(passed);
}

static bool pass_is_good(const struct pass *pass, ULONG in, ULONG out, bool direct)
{
	if (in < sizeof(*pass) || pass->Length != sizeof(*pass) || pass->CdbLength > CDB_BYTES_MAX ||
		pass->DataTransferLength > TRANSFER_MAX)
		return false;
	ULONG room = in > out ? in : out;
	if (pass->SenseInfoLength &&
		(pass->SenseInfoOffset > room || room - pass->SenseInfoOffset < pass->SenseInfoLength))
		return false;
	return direct || !pass->DataTransferLength ||
	       (pass->Data <= room && room - pass->Data >= pass->DataTransferLength);
}

NTSTATUS standin_pass_through(
	struct standin_adapter *adapter, struct standin_unit *unit, IRP *irp, bool direct)
{
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	UCHAR *buffer = irp->AssociatedIrp.SystemBuffer;
	struct pass *pass = (struct pass *)buffer;
	if (!adapter->started || (unit && !unit->present))
		return standin_finish(irp, STATUS_NO_SUCH_DEVICE, 0);
	if (!pass_is_good(pass, stack->Parameters.DeviceIoControl.InputBufferLength,
		    stack->Parameters.DeviceIoControl.OutputBufferLength, direct))
		return standin_finish(irp, STATUS_INVALID_PARAMETER, 0);
	struct passed *passed = standin_allocate(sizeof(*passed));
	passed->irp = irp;
	NTSTATUS status = direct ? open_requestor(&passed->process) : STATUS_SUCCESS;
	struct standin_request *request = standin_request_make(adapter, unit ? unit->target : pass->TargetId,
		unit ? unit->lun : pass->Lun, pass->DataTransferLength);
	request->is_write = !pass->DataIn;
	memcpy(request->cdb, pass->Cdb, sizeof(request->cdb));
	request->cdb_length = pass->CdbLength;
	request->sense_length = pass->SenseInfoLength;
	if (NT_SUCCESS(status) && request->is_write && direct)
		status = NtReadVirtualMemory(
			passed->process, (void *)pass->Data, request->data, pass->DataTransferLength, NULL);
	else if (request->is_write)
		memcpy(request->data, buffer + pass->Data, pass->DataTransferLength);
	if (!NT_SUCCESS(status)) {
		standin_request_free(request);
		standin_free(passed);
		return standin_finish(irp, status, 0);
	}
	request->finish = finish_pass;
	request->context = passed;
	IoMarkIrpPending(irp);
	standin_request_start(request);
	return STATUS_PENDING;
}
