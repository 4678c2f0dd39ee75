/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * irp.c: the IRPs that the driver makes, and the file system that they go to: threads that serve them by
 * NtReadFile and NtWriteFile, and complete them at DISPATCH_LEVEL, as a disk's driver would.
 */
#include "tests/storport/wine/standin/standin.h"

#define SERVERS           4
#define IRP_TAG           0x20707249 /* "Irp " */
#define IOCTL_OF_PROPERTY 0x002d1400 /* IOCTL_STORAGE_QUERY_PROPERTY */

DEVICE_OBJECT standin_volume = {.Type = 3,
	.DeviceType = FILE_DEVICE_DISK,
	.StackSize = 1,
	.SectorSize = 512,
	.AlignmentRequirement = FILE_512_BYTE_ALIGNMENT};

static LIST_ENTRY queue = {&queue, &queue};
static struct standin_lock lock;
static KSEMAPHORE pending;
static HANDLE servers[SERVERS];
static bool running, stopping;
static LONG irps, served, flushes;

LONG standin_flushes(void)
{
	return flushes;
}

LONG standin_served(void)
{
	return served;
}

LONG standin_irps(void)
{
	return irps;
}

/* ---- Making them ---- */

static void initialize(IRP *irp, USHORT size, CCHAR stack_size)
{
	memset(irp, 0, size);
	irp->Type = 6; /* IO_TYPE_IRP */
	irp->Size = size;
	irp->StackCount = stack_size;
	irp->CurrentLocation = (CHAR)(stack_size + 1);
	irp->Tail.Overlay.CurrentStackLocation = (IO_STACK_LOCATION *)(irp + 1) + stack_size;
	InitializeListHead(&irp->ThreadListEntry);
}

/* Whoever sent it down has it back when its completion routine is called. */
static void judge_mine(const IRP *irp, const char *what)
{
	if (irp->Tail.Overlay.DriverContext[0])
		standin_fail("an IRP is %s that the file system has", what);
}

static IRP *NTAPI allocate_irp(CCHAR stack_size, BOOLEAN quota)
{
	standin_at_most_dispatch("IoAllocateIrp");
	if (quota)
		standin_fail("IoAllocateIrp charges quota");
	if (standin_memory_is_short())
		return NULL;
	USHORT size = (USHORT)IoSizeOfIrp(stack_size);
	IRP *irp = standin_pool_allocate(size, IRP_TAG);
	initialize(irp, size, stack_size);
	InterlockedIncrement(&irps);
	return irp;
}

static void NTAPI free_irp(IRP *irp)
{
	standin_at_most_dispatch("IoFreeIrp");
	if (irp->Type != 6)
		standin_fail("an IRP is freed that is none");
	judge_mine(irp, "freed");
	if (irp->MdlAddress)
		standin_fail("an IRP is freed with its MDL");
	InterlockedDecrement(&irps);
	standin_pool_free(irp, IRP_TAG);
}

static void NTAPI reuse_irp(IRP *irp, NTSTATUS status)
{
	UCHAR flags = irp->AllocationFlags;
	judge_mine(irp, "used anew");
	initialize(irp, irp->Size, irp->StackCount);
	irp->AllocationFlags = flags;
	irp->IoStatus.Status = status;
}

static IRP *NTAPI build_control(ULONG code, DEVICE_OBJECT *device, void *in, ULONG in_length, void *out,
	ULONG out_length, BOOLEAN internal, KEVENT *event, IO_STATUS_BLOCK *iosb)
{
	standin_passive("IoBuildDeviceIoControlRequest");
	IRP *irp = allocate_irp(device->StackSize, FALSE);
	if (!irp)
		return NULL;
	IO_STACK_LOCATION *next = IoGetNextIrpStackLocation(irp);
	next->MajorFunction = internal ? IRP_MJ_INTERNAL_DEVICE_CONTROL : IRP_MJ_DEVICE_CONTROL;
	next->Parameters.DeviceIoControl.IoControlCode = code;
	next->Parameters.DeviceIoControl.InputBufferLength = in_length;
	next->Parameters.DeviceIoControl.OutputBufferLength = out_length;
	next->Parameters.DeviceIoControl.Type3InputBuffer = in;
	irp->UserBuffer = out;
	irp->UserEvent = event;
	irp->UserIosb = iosb;
	return irp;
}

/* ---- Completing ---- */

static bool completion_runs(const IO_STACK_LOCATION *stack, const IRP *irp)
{
	if (!stack->CompletionRoutine)
		return false;
	if (irp->Cancel && stack->Control & SL_INVOKE_ON_CANCEL)
		return true;
	return stack->Control &
	       (NT_SUCCESS(irp->IoStatus.Status) ? SL_INVOKE_ON_SUCCESS : SL_INVOKE_ON_ERROR);
}

void standin_complete(IRP *irp, NTSTATUS status, ULONG_PTR information)
{
	irp->IoStatus.Status = status;
	irp->IoStatus.Information = information;
	irp->Tail.Overlay.DriverContext[0] = NULL;
	while (irp->CurrentLocation <= irp->StackCount) {
		IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
		irp->PendingReturned = (stack->Control & SL_PENDING_RETURNED) != 0;
		irp->CurrentLocation++;
		irp->Tail.Overlay.CurrentStackLocation++;
		DEVICE_OBJECT *above = NULL;
		if (irp->CurrentLocation <= irp->StackCount)
			above = IoGetCurrentIrpStackLocation(irp)->DeviceObject;
		if (completion_runs(stack, irp) && stack->CompletionRoutine(above, irp, stack->Context) ==
							   STATUS_MORE_PROCESSING_REQUIRED)
			return;
	}
	/* Nobody has claimed it: the I/O manager's part. */
	if (irp->UserIosb)
		*irp->UserIosb = irp->IoStatus;
	KEVENT *event = irp->UserEvent;
	irp->Type = 6;
	free_irp(irp);
	if (event)
		KeSetEvent(event, 0, FALSE);
}

/* ---- The file system ---- */

static void judge(struct standin_file *file, MDL *mdl, LONGLONG offset, ULONG length)
{
	ULONG sector = (ULONG)standin_switch(SWITCH_SECTOR);
	if (!mdl || mdl->ByteCount < length) {
		standin_fail(
			"a read or write of %u bytes has an MDL of %u", length, mdl ? mdl->ByteCount : 0);
		return;
	}
	if (!(file->options & FILE_NO_INTERMEDIATE_BUFFERING))
		return;
	if (offset % sector || length % sector || mdl->ByteOffset & standin_volume.AlignmentRequirement)
		standin_fail("past the cache: %u bytes at %lld, %u in the page, do not fit sectors", length,
			offset, mdl->ByteOffset);
}

static NTSTATUS move(IRP *irp, struct standin_file *file, ULONG_PTR *information)
{
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	bool reads = stack->MajorFunction == IRP_MJ_READ;
	ULONG length = reads ? stack->Parameters.Read.Length : stack->Parameters.Write.Length;
	LARGE_INTEGER offset = reads ? stack->Parameters.Read.ByteOffset : stack->Parameters.Write.ByteOffset;
	judge(file, irp->MdlAddress, offset.QuadPart, length);
	if (standin_switch(SWITCH_SHORT_MEMORY) > 0) {
		standin_switch_hit(SWITCH_SHORT_MEMORY);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	InterlockedIncrement(&served);
	void *memory = standin_mdl_memory(irp->MdlAddress);
	IO_STATUS_BLOCK iosb = {0};
	HANDLE event;
	NTSTATUS status = ZwCreateEvent(&event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE);
	if (!NT_SUCCESS(status))
		return status;
	if (reads)
		status = NtReadFile(file->handle, event, NULL, NULL, &iosb, memory, length, &offset, NULL);
	else
		status = NtWriteFile(file->handle, event, NULL, NULL, &iosb, memory, length, &offset, NULL);
	if (status == STATUS_PENDING) {
		ZwWaitForSingleObject(event, FALSE, NULL);
		status = iosb.Status;
	}
	NtClose(event);
	*information = NT_SUCCESS(status) ? iosb.Information : 0;
	return status;
}

static NTSTATUS control(IRP *irp, struct standin_file *file, ULONG_PTR *information)
{
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	ULONG code = stack->Parameters.FileSystemControl.FsControlCode;
	bool neither = (code & 3) == METHOD_NEITHER;
	IO_STATUS_BLOCK iosb = {0};
	if (stack->MinorFunction != IRP_MN_USER_FS_REQUEST)
		standin_fail("a file system control of function %u", stack->MinorFunction);
	NTSTATUS status = standin_file_control(file->handle, &iosb, code,
		neither ? stack->Parameters.FileSystemControl.Type3InputBuffer
			: irp->AssociatedIrp.SystemBuffer,
		stack->Parameters.FileSystemControl.InputBufferLength,
		neither ? irp->UserBuffer : irp->AssociatedIrp.SystemBuffer,
		stack->Parameters.FileSystemControl.OutputBufferLength);
	*information = NT_SUCCESS(status) ? iosb.Information : 0;
	return status;
}

static void serve(IRP *irp)
{
	struct standin_file *file = irp->Tail.Overlay.DriverContext[0];
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	ULONG_PTR information = 0;
	IO_STATUS_BLOCK iosb;
	NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;
	if (stack->MajorFunction == IRP_MJ_READ || stack->MajorFunction == IRP_MJ_WRITE)
		status = move(irp, file, &information);
	else if (stack->MajorFunction == IRP_MJ_FLUSH_BUFFERS && InterlockedIncrement(&flushes))
		status = ZwFlushBuffersFile(file->handle, &iosb);
	else if (stack->MajorFunction == IRP_MJ_FILE_SYSTEM_CONTROL)
		status = control(irp, file, &information);
	else
		standin_fail("the file system gets an IRP of function %u", stack->MajorFunction);
	standin_irql_set(DISPATCH_LEVEL);
	standin_complete(irp, status, information);
	standin_returned("a completion routine", DISPATCH_LEVEL);
	standin_irql_set(PASSIVE_LEVEL);
}

static IRP *take(void)
{
	IRP *irp = NULL;
	standin_lock(&lock);
	if (!IsListEmpty(&queue))
		irp = CONTAINING_RECORD(RemoveHeadList(&queue), IRP, Tail.Overlay.ListEntry);
	standin_unlock(&lock);
	return irp;
}

static void server(void *context)
{
	(void)context;
	for (;;) {
		KeWaitForSingleObject(&pending, Executive, KernelMode, FALSE, NULL);
		while (standin_switch(SWITCH_HOLD_IO) && !stopping)
			standin_sleep_ms(5);
		IRP *irp = take();
		if (irp)
			serve(irp);
		else if (stopping)
			return;
	}
}

static void servers_begin(void)
{
	static struct standin_lock begin_lock;
	standin_lock(&begin_lock);
	if (!running) {
		stopping = false;
		KeInitializeSemaphore(&pending, 0, MAXLONG);
		for (int i = 0; i < SERVERS; i++)
			standin_thread_start(server, NULL, &servers[i]);
		running = true;
	}
	standin_unlock(&begin_lock);
}

void standin_file_system_stop(void)
{
	if (!running)
		return;
	if (!IsListEmpty(&queue))
		standin_fail("the file system still has requests");
	stopping = true;
	KeReleaseSemaphore(&pending, 0, SERVERS, FALSE);
	for (int i = 0; i < SERVERS; i++)
		standin_thread_join(servers[i]);
	running = false;
}

NTSTATUS standin_file_system(IRP *irp, struct standin_file *file)
{
	servers_begin();
	IoMarkIrpPending(irp);
	irp->Tail.Overlay.DriverContext[0] = file;
	standin_lock(&lock);
	InsertTailList(&queue, &irp->Tail.Overlay.ListEntry);
	standin_unlock(&lock);
	KeReleaseSemaphore(&pending, 0, 1, FALSE);
	return STATUS_PENDING;
}

/* STORAGE_PROPERTY_QUERY; STORAGE_DEVICE_ID_DESCRIPTOR with one STORAGE_IDENTIFIER of eight bytes. */
struct query {
	ULONG PropertyId; /* 2: StorageDeviceIdProperty */
	ULONG QueryType;  /* 0: standard */
};

struct identified {
	ULONG Version, Size, NumberOfIdentifiers;
	ULONG CodeSet; /* 1: binary */
	ULONG Type;    /* 3: NAA */
	USHORT IdentifierSize, NextOffset;
	ULONG Association; /* 0: of the device */
	UCHAR Identifier[8];
};

_Static_assert(offsetof(struct identified, Identifier) == 0x1c && sizeof(struct identified) == 0x24,
	"as ntddstor.h has them");

/* The disk that the volume lies on, where a test has said which. */
static NTSTATUS volume_control(IRP *irp)
{
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	const struct query *query = stack->Parameters.DeviceIoControl.Type3InputBuffer;
	struct identified *answer = irp->UserBuffer;
	ULONG high = (ULONG)standin_switch(SWITCH_NAA_HIGH), low = (ULONG)standin_switch(SWITCH_NAA_LOW);
	if (stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_OF_PROPERTY || !high ||
		stack->Parameters.DeviceIoControl.InputBufferLength < sizeof(*query) ||
		stack->Parameters.DeviceIoControl.OutputBufferLength < sizeof(*answer) ||
		query->PropertyId != 2 || query->QueryType) {
		standin_complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
		return STATUS_INVALID_DEVICE_REQUEST;
	}
	*answer = (struct identified){.Version = sizeof(*answer),
		.Size = sizeof(*answer),
		.NumberOfIdentifiers = 1,
		.CodeSet = 1,
		.Type = 3,
		.IdentifierSize = sizeof(answer->Identifier)};
	for (int i = 0; i < 4; i++) {
		answer->Identifier[i] = (UCHAR)(high >> (24 - 8 * i));
		answer->Identifier[4 + i] = (UCHAR)(low >> (24 - 8 * i));
	}
	standin_complete(irp, STATUS_SUCCESS, sizeof(*answer));
	return STATUS_SUCCESS;
}

static NTSTATUS FASTCALL call_driver(DEVICE_OBJECT *device, IRP *irp)
{
	standin_at_most_dispatch("IofCallDriver");
	if (--irp->CurrentLocation <= 0)
		KeBugCheckEx(0x35, (ULONG_PTR)irp, 0, 0, 0); /* NO_MORE_IRP_STACK_LOCATIONS */
	IO_STACK_LOCATION *stack = --irp->Tail.Overlay.CurrentStackLocation;
	stack->DeviceObject = device;
	if (device != &standin_volume) {
		standin_fail("an IRP goes to a device that is not the file system's");
		standin_complete(irp, STATUS_NO_SUCH_DEVICE, 0);
		return STATUS_NO_SUCH_DEVICE;
	}
	standin_passive("IofCallDriver to a file system");
	if (stack->MajorFunction == IRP_MJ_DEVICE_CONTROL)
		return volume_control(irp);
	struct standin_file *file = standin_file_of(stack->FileObject);
	if (!file) {
		standin_fail("an IRP goes to a file system without a file");
		standin_complete(irp, STATUS_INVALID_PARAMETER, 0);
		return STATUS_INVALID_PARAMETER;
	}
	return standin_file_system(irp, file);
}

static BOOLEAN NTAPI cancel_irp(IRP *irp)
{
	bool waits = false;
	standin_lock(&lock);
	for (LIST_ENTRY *at = queue.Flink; at != &queue; at = at->Flink)
		waits = waits || at == &irp->Tail.Overlay.ListEntry;
	if (waits)
		RemoveEntryList(&irp->Tail.Overlay.ListEntry);
	irp->Cancel = TRUE;
	standin_unlock(&lock);
	if (waits)
		standin_complete(irp, STATUS_CANCELLED, 0);
	return waits;
}

const struct standin_import standin_irp_imports[] = {
	{"IoAllocateIrp", allocate_irp},
	{"IoFreeIrp", free_irp},
	{"IoReuseIrp", reuse_irp},
	{"IoBuildDeviceIoControlRequest", build_control},
	{"IofCallDriver", call_driver},
	{"IoCancelIrp", cancel_irp},
	{NULL, NULL},
};
