/* SPDX-License-Identifier: BSD-2-Clause */
/* io.c: IRPs: whose each is at any time, their stack locations, completion, cancelling. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/storport/nt/internal.h"

#define IRP_MAGIC 0x49525031u

enum state {
	OWNED, /* by who allocated it */
	SENT,  /* by who was called with it */
	DONE,  /* of lf_fake_irp_make: completed */
};

struct header {
	uint32_t magic;
	uint32_t state; /* by atomics */
	void *system_buffer;
	ULONG out_bytes;
	bool is_built; /* by IoBuildDeviceIoControlRequest: ends by itself */
	bool is_made;  /* by lf_fake_irp_make */
	bool was_sent; /* since it was made or reused */
	uint8_t pad[9];
};

_Static_assert(sizeof(struct header) % 16 == 0, "the IRP after it is aligned");

static KSPIN_LOCK cancel_lock;
static uint32_t alive; /* by atomics, as are the next two */
static uint32_t complete_at = LF_FAKE_AT_EITHER;
static struct lf_fake_dice dice;
static void (*cancel_hook)(void *context); /* set and cleared while nobody cancels */
static void *cancel_hook_context;

static struct header *header_of(const IRP *irp)
{
	struct header *header = (struct header *)(void *)irp - 1;
	if (header->magic != IRP_MAGIC)
		lf_fake_broken("%p is no IRP, or is freed", (const void *)irp);
	return header;
}

static void enter(struct header *header, enum state from, enum state to, const char *who)
{
	uint32_t found = from;
	if (!__atomic_compare_exchange_n(
		    &header->state, &found, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		lf_fake_broken("%s: the IRP is %s", who,
			found == SENT   ? "out: somebody else owns it"
			: found == DONE ? "completed already"
					: "not out: it was completed, or never sent");
}

static IO_STACK_LOCATION *stack_of(const IRP *irp)
{
	return (IO_STACK_LOCATION *)(void *)(irp + 1);
}

static void initialize(IRP *irp, CCHAR stack_size)
{
	memset(irp, 0, IoSizeOfIrp(stack_size));
	irp->Type = 6;
	irp->Size = IoSizeOfIrp(stack_size);
	irp->StackCount = stack_size;
	irp->CurrentLocation = (CHAR)(stack_size + 1);
	irp->Tail.Overlay.CurrentStackLocation = stack_of(irp) + stack_size;
}

static IRP *make(CCHAR stack_size)
{
	if (stack_size < 1)
		lf_fake_broken("an IRP of %d stack locations", stack_size);
	struct header *header = calloc(1, sizeof(struct header) + IoSizeOfIrp(stack_size));
	header->magic = IRP_MAGIC;
	IRP *irp = (IRP *)(void *)(header + 1);
	initialize(irp, stack_size);
	__atomic_add_fetch(&alive, 1, __ATOMIC_RELAXED);
	return irp;
}

static void unmake(IRP *irp)
{
	struct header *header = header_of(irp);
	header->magic = 0;
	free(header->system_buffer);
	free(header);
	__atomic_sub_fetch(&alive, 1, __ATOMIC_RELAXED);
}

IRP *IoAllocateIrp(CCHAR stack_size, BOOLEAN charge_quota)
{
	lf_fake_need_irql("IoAllocateIrp", DISPATCH_LEVEL);
	if (charge_quota)
		lf_fake_broken("IoAllocateIrp at the cost of a process that has nothing to do with it");
	return lf_fake_fails(LF_FAKE_IRP) ? NULL : make(stack_size);
}

VOID IoReuseIrp(IRP *irp, NTSTATUS status)
{
	struct header *header = header_of(irp);
	lf_fake_need_irql("IoReuseIrp", DISPATCH_LEVEL);
	if (header->is_built || header->is_made)
		lf_fake_broken("IoReuseIrp of an IRP that IoAllocateIrp did not make");
	enter(header, OWNED, OWNED, "IoReuseIrp");
	header->was_sent = false;
	initialize(irp, irp->StackCount);
	irp->IoStatus.Status = status;
}

VOID IoFreeIrp(IRP *irp)
{
	struct header *header = header_of(irp);
	lf_fake_need_irql("IoFreeIrp", DISPATCH_LEVEL);
	if (header->is_built || header->is_made)
		lf_fake_broken("IoFreeIrp of an IRP that IoAllocateIrp did not make");
	enter(header, OWNED, DONE, "IoFreeIrp");
	if (irp->MdlAddress)
		lf_fake_broken("IoFreeIrp with an MDL in it");
	unmake(irp);
}

/* ---- stack locations ---- */

IO_STACK_LOCATION *IoGetCurrentIrpStackLocation(IRP *irp)
{
	header_of(irp);
	if (irp->CurrentLocation > irp->StackCount)
		lf_fake_broken("an IRP has no current stack location: it was not sent yet");
	return irp->Tail.Overlay.CurrentStackLocation;
}

IO_STACK_LOCATION *IoGetNextIrpStackLocation(IRP *irp)
{
	header_of(irp);
	if (irp->CurrentLocation <= 1)
		lf_fake_broken("an IRP has no further stack location");
	return irp->Tail.Overlay.CurrentStackLocation - 1;
}

VOID IoSetNextIrpStackLocation(IRP *irp)
{
	irp->Tail.Overlay.CurrentStackLocation = IoGetNextIrpStackLocation(irp);
	irp->CurrentLocation--;
}

VOID IoCopyCurrentIrpStackLocationToNext(IRP *irp)
{
	IO_STACK_LOCATION *next = IoGetNextIrpStackLocation(irp);
	*next = *IoGetCurrentIrpStackLocation(irp);
	next->CompletionRoutine = NULL;
	next->Context = NULL;
	next->Control = 0;
}

VOID IoSkipCurrentIrpStackLocation(IRP *irp)
{
	irp->Tail.Overlay.CurrentStackLocation = IoGetCurrentIrpStackLocation(irp) + 1;
	irp->CurrentLocation++;
}

VOID IoSetCompletionRoutine(IRP *irp, PIO_COMPLETION_ROUTINE routine, PVOID context, BOOLEAN on_success,
	BOOLEAN on_error, BOOLEAN on_cancel)
{
	IO_STACK_LOCATION *next = IoGetNextIrpStackLocation(irp);
	next->CompletionRoutine = routine;
	next->Context = context;
	next->Control = (UCHAR)((on_success ? SL_INVOKE_ON_SUCCESS : 0) |
				(on_error ? SL_INVOKE_ON_ERROR : 0) | (on_cancel ? SL_INVOKE_ON_CANCEL : 0));
}

VOID IoMarkIrpPending(IRP *irp)
{
	IoGetCurrentIrpStackLocation(irp)->Control |= SL_PENDING_RETURNED;
}

/* ---- down and up ---- */

IRP *IoBuildDeviceIoControlRequest(ULONG code, DEVICE_OBJECT *device, PVOID in, ULONG in_bytes, PVOID out,
	ULONG out_bytes, BOOLEAN internal, KEVENT *event, IO_STATUS_BLOCK *status)
{
	lf_fake_passive("IoBuildDeviceIoControlRequest");
	if (code % 4 != METHOD_BUFFERED)
		lf_fake_broken("IoBuildDeviceIoControlRequest: control code 0x%x is not buffered", code);
	if (lf_fake_fails(LF_FAKE_IRP))
		return NULL;
	IRP *irp = make(device->StackSize);
	struct header *header = header_of(irp);
	IO_STACK_LOCATION *next = IoGetNextIrpStackLocation(irp);
	size_t room = in_bytes > out_bytes ? in_bytes : out_bytes;
	header->is_built = true;
	header->out_bytes = out_bytes;
	header->system_buffer = calloc(1, room ? room : 1);
	if (in_bytes)
		memcpy(header->system_buffer, in, in_bytes);
	irp->AssociatedIrp.SystemBuffer = header->system_buffer;
	irp->UserBuffer = out;
	irp->UserEvent = event;
	irp->UserIosb = status;
	irp->Tail.Overlay.Thread = lf_fake_current_thread();
	next->MajorFunction = internal ? IRP_MJ_INTERNAL_DEVICE_CONTROL : IRP_MJ_DEVICE_CONTROL;
	next->Parameters.DeviceIoControl.IoControlCode = code;
	next->Parameters.DeviceIoControl.InputBufferLength = in_bytes;
	next->Parameters.DeviceIoControl.OutputBufferLength = out_bytes;
	return irp;
}

NTSTATUS IofCallDriver(DEVICE_OBJECT *device, IRP *irp)
{
	struct header *header = header_of(irp);
	lf_fake_passive("IofCallDriver, to a file system or a disk");
	const UCHAR always = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR | SL_INVOKE_ON_CANCEL;
	IO_STACK_LOCATION *next = IoGetNextIrpStackLocation(irp);
	if (irp->StackCount < device->StackSize)
		lf_fake_broken("an IRP of %d stack locations goes to a device of %d", irp->StackCount,
			device->StackSize);
	if (!header->is_built && (!next->CompletionRoutine || (next->Control & always) != always))
		lf_fake_broken("an IRP of IoAllocateIrp is sent with a completion routine that may not run");
	if (next->MajorFunction > IRP_MJ_MAXIMUM_FUNCTION ||
		!device->DriverObject->MajorFunction[next->MajorFunction])
		lf_fake_broken("an IRP with major function 0x%x: nobody knows that", next->MajorFunction);
	enter(header, OWNED, SENT, "IofCallDriver");
	if (header->was_sent)
		lf_fake_broken("an IRP is sent a second time without IoReuseIrp");
	header->was_sent = true;
	IoSetNextIrpStackLocation(irp);
	next->DeviceObject = device;
	return device->DriverObject->MajorFunction[next->MajorFunction](device, irp);
}

/* The I/O manager's part: who built the request hears of it, and the IRP is gone. */
static void end_built(IRP *irp)
{
	struct header *header = header_of(irp);
	size_t length = irp->IoStatus.Information;
	if (length > header->out_bytes)
		lf_fake_broken("a control code ends with more bytes than there is room for");
	if (irp->UserBuffer && !NT_ERROR(irp->IoStatus.Status))
		memcpy(irp->UserBuffer, header->system_buffer, length);
	*irp->UserIosb = irp->IoStatus;
	KEVENT *event = irp->UserEvent;
	unmake(irp);
	if (event)
		KeSetEvent(event, IO_NO_INCREMENT, FALSE);
}

static bool is_wanted(const IRP *irp, const IO_STACK_LOCATION *stack)
{
	if (!stack->CompletionRoutine)
		return false;
	return (stack->Control &
		       (NT_SUCCESS(irp->IoStatus.Status) ? SL_INVOKE_ON_SUCCESS : SL_INVOKE_ON_ERROR)) ||
	       (irp->Cancel && stack->Control & SL_INVOKE_ON_CANCEL);
}

/* True: the IRP went all the way up. */
static bool call_routines(IRP *irp)
{
	while (irp->CurrentLocation <= irp->StackCount) {
		IO_STACK_LOCATION *stack = irp->Tail.Overlay.CurrentStackLocation++;
		irp->CurrentLocation++;
		irp->PendingReturned = (stack->Control & SL_PENDING_RETURNED) != 0;
		bool is_last = irp->CurrentLocation > irp->StackCount;
		DEVICE_OBJECT *device = is_last ? NULL : irp->Tail.Overlay.CurrentStackLocation->DeviceObject;
		if (is_wanted(irp, stack)) {
			if (stack->CompletionRoutine(device, irp, stack->Context) ==
				STATUS_MORE_PROCESSING_REQUIRED)
				return false;
		} else if (irp->PendingReturned && !is_last) {
			IoMarkIrpPending(irp);
		}
	}
	return true;
}

void lf_fake_irp_end(IRP *irp)
{
	struct header *header = header_of(irp);
	enum lf_fake_at at = __atomic_load_n(&complete_at, __ATOMIC_RELAXED);
	if (__atomic_load_n(&irp->CancelRoutine, __ATOMIC_ACQUIRE))
		lf_fake_broken("an IRP is completed with a cancel routine");
	enter(header, SENT, OWNED, "IoCompleteRequest");
	KIRQL before = lf_fake_irql();
	if (at == LF_FAKE_AT_DISPATCH || (at == LF_FAKE_AT_EITHER && lf_fake_dice_throw(&dice, 2)))
		lf_fake_irql_raise(DISPATCH_LEVEL);
	bool is_built = header->is_built;
	bool is_over = call_routines(irp);
	lf_fake_need_no_lock("a completion routine returns");
	lf_fake_irql_lower(before);
	if (is_over && !is_built)
		lf_fake_broken("an IRP of IoAllocateIrp went up without STATUS_MORE_PROCESSING_REQUIRED");
	if (is_over)
		end_built(irp);
}

/* ---- cancelling ---- */

VOID IoAcquireCancelSpinLock(KIRQL *irql)
{
	*irql = KeAcquireSpinLockRaiseToDpc(&cancel_lock);
}

VOID IoReleaseCancelSpinLock(KIRQL irql)
{
	KeReleaseSpinLock(&cancel_lock, irql);
}

PDRIVER_CANCEL IoSetCancelRoutine(IRP *irp, PDRIVER_CANCEL routine)
{
	header_of(irp);
	return __atomic_exchange_n(&irp->CancelRoutine, routine, __ATOMIC_SEQ_CST);
}

BOOLEAN IoCancelIrp(IRP *irp)
{
	KIRQL irql;
	lf_fake_need_irql("IoCancelIrp", DISPATCH_LEVEL);
	lf_fake_need_no_lock("IoCancelIrp");
	header_of(irp);
	IoAcquireCancelSpinLock(&irql);
	irp->Cancel = TRUE;
	PDRIVER_CANCEL routine = IoSetCancelRoutine(irp, NULL);
	if (!routine) {
		IoReleaseCancelSpinLock(irql);
		return FALSE;
	}
	if (cancel_hook)
		cancel_hook(cancel_hook_context);
	irp->CancelIrql = irql;
	DEVICE_OBJECT *device = irp->CurrentLocation > irp->StackCount
					? NULL
					: IoGetCurrentIrpStackLocation(irp)->DeviceObject;
	routine(device, irp);
	lf_fake_need_no_lock("a cancel routine returns");
	if (lf_fake_irql() != irql)
		lf_fake_broken("a cancel routine returns at IRQL %u, not %u", lf_fake_irql(), irql);
	return TRUE;
}

/* ---- for tests and hosts ---- */

void lf_fake_complete_at(enum lf_fake_at at, uint64_t seed)
{
	lf_fake_dice_set(&dice, seed);
	__atomic_store_n(&complete_at, at, __ATOMIC_RELAXED);
}

void lf_fake_cancel_hook(void (*hook)(void *context), void *context)
{
	cancel_hook = hook;
	cancel_hook_context = context;
}

IRP *lf_fake_irp_make(ULONG code, const void *in, ULONG in_bytes, ULONG out_bytes, KPROCESSOR_MODE mode)
{
	IRP *irp = make(1);
	struct header *header = header_of(irp);
	size_t room = in_bytes > out_bytes ? in_bytes : out_bytes;
	header->is_made = true;
	header->state = SENT;
	header->system_buffer = malloc(room ? room : 1);
	if (in_bytes)
		memcpy(header->system_buffer, in, in_bytes);
	irp->AssociatedIrp.SystemBuffer = room ? header->system_buffer : NULL;
	irp->RequestorMode = mode;
	irp->Tail.Overlay.Thread = lf_fake_current_thread();
	IoSetNextIrpStackLocation(irp);
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	stack->MajorFunction = IRP_MJ_DEVICE_CONTROL;
	stack->Parameters.DeviceIoControl.IoControlCode = code;
	stack->Parameters.DeviceIoControl.InputBufferLength = in_bytes;
	stack->Parameters.DeviceIoControl.OutputBufferLength = out_bytes;
	return irp;
}

void lf_fake_irp_complete(IRP *irp)
{
	struct header *header = header_of(irp);
	if (__atomic_load_n(&irp->CancelRoutine, __ATOMIC_ACQUIRE))
		lf_fake_broken("an IRP is completed with a cancel routine");
	if (irp->IoStatus.Status == STATUS_PENDING)
		lf_fake_broken("an IRP is completed with STATUS_PENDING");
	if (irp->IoStatus.Information >
		IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl.OutputBufferLength)
		lf_fake_broken("an IRP is completed with more bytes than there is room for");
	enter(header, SENT, DONE, "IoCompleteRequest");
}

void lf_fake_irp_free(IRP *irp)
{
	enter(header_of(irp), DONE, OWNED, "lf_fake_irp_free");
	unmake(irp);
}

uint32_t lf_fake_irp_leaks(void)
{
	uint32_t count = __atomic_load_n(&alive, __ATOMIC_RELAXED);
	if (count)
		printf("# leak: %u IRPs\n", count);
	return count;
}

void lf_fake_irp_reset(void)
{
	lf_fake_complete_at(LF_FAKE_AT_EITHER, 1);
	lf_fake_cancel_hook(NULL, NULL);
}
