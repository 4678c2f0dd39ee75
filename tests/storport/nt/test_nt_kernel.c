/* SPDX-License-Identifier: BSD-2-Clause */
/* test_nt_kernel.c: the small kernel does what it should, and its rules do fire: each is broken in a child.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/storport/nt/breaks.h"
#include "tests/storport/nt/nt.h"
#include "tests/test.h"

#include <ntddstor.h>
#include <wdmguid.h>

#define TAG 0x74736574

/* ---- rules ---- */

static KSPIN_LOCK lock, other_lock;
static KEVENT event;

static HANDLE open_file(const wchar_t *path, ACCESS_MASK access, ULONG options, NTSTATUS *status)
{
	UNICODE_STRING name;
	OBJECT_ATTRIBUTES attributes;
	IO_STATUS_BLOCK block;
	HANDLE handle = NULL;
	RtlInitUnicodeString(&name, path);
	InitializeObjectAttributes(
		&attributes, &name, OBJ_KERNEL_HANDLE | OBJ_FORCE_ACCESS_CHECK, NULL, NULL);
	*status = ZwCreateFile(&handle, access | SYNCHRONIZE, &attributes, &block, NULL, 0, FILE_SHARE_READ,
		FILE_OPEN, options, NULL, 0);
	return handle;
}

#define PATH    L"\\??\\C:\\dir\\a.img"
#define OPTIONS (FILE_NON_DIRECTORY_FILE | FILE_NO_INTERMEDIATE_BUFFERING)
#define ACCESS  (FILE_READ_DATA | FILE_WRITE_DATA)

static void lock_twice(void)
{
	KeAcquireSpinLockRaiseToDpc(&lock);
	KeAcquireSpinLockRaiseToDpc(&lock);
}

static void release_another(void)
{
	KIRQL irql = KeAcquireSpinLockRaiseToDpc(&lock);
	KeReleaseSpinLock(&other_lock, irql);
}

static void release_to_another_irql(void)
{
	KeAcquireSpinLockRaiseToDpc(&lock);
	KeReleaseSpinLock(&lock, DISPATCH_LEVEL);
}

static void wait_with_a_lock(void)
{
	KeInitializeEvent(&event, NotificationEvent, TRUE);
	KeAcquireSpinLockRaiseToDpc(&lock);
	KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
}

static void wait_at_dispatch(void)
{
	KeInitializeEvent(&event, NotificationEvent, TRUE);
	lf_fake_irql_raise(DISPATCH_LEVEL);
	KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
}

static void zw_at_dispatch(void)
{
	NTSTATUS status;
	lf_fake_irql_raise(DISPATCH_LEVEL);
	open_file(PATH, ACCESS, OPTIONS, &status);
}

static void wait_for_nothing(void)
{
	memset(&event, 0, sizeof(event));
	KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
}

TEST(locks_and_waits_have_rules)
{
	lf_fake_reset();
	CHECK_BREAKS(lock_twice, "by the thread that holds it");
	CHECK_BREAKS(release_another, "does not hold it");
	CHECK_BREAKS(release_to_another_irql, "released to IRQL 2; it was acquired at 0");
	CHECK_BREAKS(wait_with_a_lock, "at IRQL 2");
	CHECK_BREAKS(wait_at_dispatch, "KeWaitForSingleObject at IRQL 2");
	CHECK_BREAKS(zw_at_dispatch, "ZwCreateFile at IRQL 2");
	CHECK_BREAKS(wait_for_nothing, "not initialized");
}

static void free_twice(void)
{
	void *memory = ExAllocatePoolWithTag(NonPagedPoolNx, 10, TAG);
	ExFreePoolWithTag(memory, TAG);
	ExFreePoolWithTag(memory, TAG);
}

static void free_by_another_tag(void)
{
	ExFreePoolWithTag(ExAllocatePoolWithTag(NonPagedPoolNx, 10, TAG), TAG + 1);
}

static void take_paged_pool(void)
{
	ExAllocatePoolWithTag(PagedPool, 10, TAG);
}

TEST(pool_is_counted)
{
	lf_fake_reset();
	void *memory = ExAllocatePoolWithTag(NonPagedPoolNx, 10, TAG);
	CHECK_EQ(lf_fake_pool_blocks(TAG), 1);
	CHECK_EQ(lf_fake_pool_bytes(0), 10);
	CHECK_EQ(lf_fake_leaks(), 1);
	ExFreePoolWithTag(memory, TAG);
	CHECK_EQ(lf_fake_leaks(), 0);
	lf_fake_fail(LF_FAKE_POOL, 1, 1);
	memory = ExAllocatePoolWithTag(NonPagedPoolNx, 10, TAG);
	CHECK(memory);
	CHECK(!ExAllocatePoolWithTag(NonPagedPoolNx, 10, TAG));
	ExFreePoolWithTag(memory, TAG);
	CHECK_BREAKS(free_twice, "freed before");
	CHECK_BREAKS(free_by_another_tag, "of a block with tag");
	CHECK_BREAKS(take_paged_pool, "non-paged");
}

/* ---- threads, waits, timers ---- */

static void thread_sets(PVOID context)
{
	KSEMAPHORE *semaphore = context;
	KeReleaseSemaphore(semaphore, IO_NO_INCREMENT, 1, FALSE);
	KeReleaseSemaphore(semaphore, IO_NO_INCREMENT, 1, FALSE);
	PsTerminateSystemThread(STATUS_SUCCESS);
}

TEST(threads_and_semaphores_work)
{
	HANDLE handle;
	PVOID thread;
	KSEMAPHORE semaphore;
	OBJECT_ATTRIBUTES attributes;
	LARGE_INTEGER soon = {.QuadPart = -10000};
	lf_fake_reset();
	KeInitializeSemaphore(&semaphore, 0, MAXLONG);
	CHECK_EQ(KeWaitForSingleObject(&semaphore, Executive, KernelMode, FALSE, &soon), STATUS_TIMEOUT);
	InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
	CHECK_EQ(PsCreateSystemThread(
			 &handle, THREAD_ALL_ACCESS, &attributes, NULL, NULL, thread_sets, &semaphore),
		0);
	CHECK_EQ(ObReferenceObjectByHandle(
			 handle, THREAD_ALL_ACCESS, *PsThreadType, KernelMode, &thread, NULL),
		0);
	CHECK_EQ(ZwClose(handle), 0);
	CHECK_EQ(KeWaitForSingleObject(&semaphore, Executive, KernelMode, FALSE, NULL), 0);
	CHECK_EQ(KeWaitForSingleObject(&semaphore, Executive, KernelMode, FALSE, NULL), 0);
	CHECK_EQ(KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL), 0);
	ObDereferenceObject(thread);
	CHECK_EQ(lf_fake_leaks(), 0);
}

static VOID dpc_sets(KDPC *dpc, PVOID context, PVOID a, PVOID b)
{
	UNREFERENCED_PARAMETER(dpc);
	UNREFERENCED_PARAMETER(a);
	UNREFERENCED_PARAMETER(b);
	if (lf_fake_irql() == DISPATCH_LEVEL)
		KeSetEvent(context, IO_NO_INCREMENT, FALSE);
}

static void free_with_a_timer(void)
{
	KTIMER *timer = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*timer), TAG);
	KeInitializeTimer(timer);
	KeSetTimer(timer, (LARGE_INTEGER){.QuadPart = -100000000}, NULL);
	ExFreePoolWithTag(timer, TAG);
}

TEST(timers_fire_at_dispatch_level)
{
	KTIMER timer;
	KDPC dpc;
	lf_fake_reset();
	CHECK_BREAKS(free_with_a_timer, "a timer in it");
	KeInitializeEvent(&event, SynchronizationEvent, FALSE);
	KeInitializeTimer(&timer);
	KeInitializeDpc(&dpc, dpc_sets, &event);
	CHECK(!KeSetTimer(&timer, (LARGE_INTEGER){.QuadPart = -10000}, &dpc));
	CHECK_EQ(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL), 0);
	CHECK(!KeSetTimer(&timer, (LARGE_INTEGER){.QuadPart = -100000000}, &dpc));
	CHECK(KeCancelTimer(&timer));
	CHECK(!KeCancelTimer(&timer));
	KeFlushQueuedDpcs();
	CHECK_EQ(lf_fake_leaks(), 0);
	lf_fake_reset();
}

TEST(the_clock_can_be_hurried)
{
	LARGE_INTEGER an_hour = {.QuadPart = -3600LL * 10000000};
	lf_fake_reset();
	LONGLONG before = KeQueryPerformanceCounter(NULL).QuadPart;
	lf_fake_clock_rate(1000000);
	CHECK(KeQueryPerformanceCounter(NULL).QuadPart >= before);
	KeDelayExecutionThread(KernelMode, FALSE, &an_hour);
	CHECK(KeQueryPerformanceCounter(NULL).QuadPart >= before - an_hour.QuadPart);
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	CHECK_EQ(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &an_hour), STATUS_TIMEOUT);
	before = KeQueryPerformanceCounter(NULL).QuadPart;
	lf_fake_reset();
	CHECK(KeQueryPerformanceCounter(NULL).QuadPart >= before);
}

TEST(the_clock_can_stand_and_leap)
{
	const LONGLONG a_second = 10000000;
	KDPC dpc;
	KTIMER timer;
	lf_fake_reset();
	lf_fake_clock_rate(0);
	LONGLONG before = KeQueryPerformanceCounter(NULL).QuadPart;
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	KeInitializeTimer(&timer);
	KeInitializeDpc(&dpc, dpc_sets, &event);
	KeSetTimer(&timer, (LARGE_INTEGER){.QuadPart = -a_second}, &dpc);
	lf_fake_clock_leap(999999900);
	CHECK_EQ(KeQueryPerformanceCounter(NULL).QuadPart, before + a_second - 1);
	CHECK_EQ(event.Header.SignalState, 0);
	lf_fake_clock_leap(100);
	CHECK_EQ(event.Header.SignalState, 1);
	CHECK(!KeCancelTimer(&timer));
	CHECK_EQ(KeQueryPerformanceCounter(NULL).QuadPart, before + a_second);
	lf_fake_reset();
}

/* ---- MDLs ---- */

struct partial {
	MDL mdl;
	PFN_NUMBER pages[4];
};

static void build(struct partial *partial, struct lf_fake_buffer *buffer, size_t offset, ULONG length)
{
	IoBuildPartialMdl(buffer->mdl, &partial->mdl, (char *)buffer->data + offset, length);
}

static void *map(MDL *mdl)
{
	return MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
}

static void reuse_while_mapped(void)
{
	struct partial partial;
	struct lf_fake_buffer *buffer = lf_fake_buffer_make(8192, 0, 0, 0);
	MmInitializeMdl(&partial.mdl, NULL, 8192);
	build(&partial, buffer, 0, 4096);
	map(&partial.mdl);
	build(&partial, buffer, 4096, 4096);
}

static void build_too_long(void)
{
	struct partial partial;
	struct lf_fake_buffer *buffer = lf_fake_buffer_make(32768, 0, 0, 0);
	MmInitializeMdl(&partial.mdl, NULL, 4 * PAGE_SIZE);
	build(&partial, buffer, 100, 4 * PAGE_SIZE);
}

static void build_outside(void)
{
	struct partial partial;
	struct lf_fake_buffer *buffer = lf_fake_buffer_make(8192, 0, 0, 0);
	MmInitializeMdl(&partial.mdl, NULL, 4 * PAGE_SIZE);
	build(&partial, buffer, 4096, 4097);
}

static void free_mapped(void)
{
	struct partial *partial = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*partial), TAG);
	struct lf_fake_buffer *buffer = lf_fake_buffer_make(8192, 0, 0, 0);
	MmInitializeMdl(&partial->mdl, NULL, 8192);
	build(partial, buffer, 0, 4096);
	map(&partial->mdl);
	ExFreePoolWithTag(partial, TAG);
}

TEST(mdls_show_their_pages_when_mapped)
{
	struct partial partial;
	lf_fake_reset();
	CHECK_BREAKS(reuse_while_mapped, "while it is mapped");
	CHECK_BREAKS(build_too_long, "describes 5 pages");
	CHECK_BREAKS(build_outside, "IoBuildPartialMdl of 4097 bytes");
	CHECK_BREAKS(free_mapped, "while it is mapped");
	struct lf_fake_buffer *buffer = lf_fake_buffer_make(8192, 100, 100, 8);
	MmInitializeMdl(&partial.mdl, NULL, sizeof(partial.pages) / 8 * PAGE_SIZE);
	build(&partial, buffer, 5000, 3000);
	lf_fake_fail(LF_FAKE_MAP, 0, 1);
	CHECK(!map(&partial.mdl));
	uint8_t *mapped = map(&partial.mdl);
	CHECK(mapped && mapped != (uint8_t *)buffer->data + 5000 && mapped != buffer->bytes + 5000);
	memset(mapped, 7, 3000);
	CHECK_EQ(buffer->bytes[4999], 0);
	CHECK_EQ(buffer->bytes[5000], 7);
	CHECK_EQ(buffer->bytes[7999], 7);
	CHECK_EQ(buffer->bytes[8000], 0);
	MmPrepareMdlForReuse(&partial.mdl);
	CHECK_EQ(lf_fake_mappings(), 0);
	build(&partial, buffer, 0, 100);
	lf_fake_buffer_free(buffer);
	CHECK_EQ(lf_fake_leaks(), 0);
}

static void touch_unmapped(void)
{
	struct lf_fake_buffer *buffer = lf_fake_buffer_make(100, 0, 0, 0);
	signal(SIGSEGV, SIG_DFL);
	*(volatile char *)buffer->data = 1;
}

TEST(memory_that_is_not_mapped_cannot_be_touched)
{
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		touch_unmapped();
		_exit(0);
	}
	waitpid(child, &status, 0);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

/* ---- IRPs to the file system ---- */

struct transfer {
	IRP *irp;
	HANDLE handle;
	FILE_OBJECT *object;
	struct partial partial;
	struct lf_fake_buffer *buffer;
	KEVENT ended;
	ULONG flags; /* of the IRP, beside IRP_NOCACHE */
};

static NTSTATUS transfer_ended(DEVICE_OBJECT *device, IRP *irp, PVOID context)
{
	UNREFERENCED_PARAMETER(device);
	UNREFERENCED_PARAMETER(irp);
	KeSetEvent(&((struct transfer *)context)->ended, IO_NO_INCREMENT, FALSE);
	return STATUS_MORE_PROCESSING_REQUIRED;
}

static bool begin_transfers(struct transfer *transfer)
{
	PVOID object;
	NTSTATUS status;
	transfer->handle = open_file(PATH, ACCESS, OPTIONS, &status);
	if (!NT_SUCCESS(status))
		return false;
	ObReferenceObjectByHandle(transfer->handle, ACCESS, *IoFileObjectType, KernelMode, &object, NULL);
	transfer->object = object;
	transfer->irp = IoAllocateIrp(IoGetRelatedDeviceObject(object)->StackSize, FALSE);
	transfer->buffer = lf_fake_buffer_make(8192, 512, 0, 0);
	KeInitializeEvent(&transfer->ended, SynchronizationEvent, FALSE);
	MmInitializeMdl(&transfer->partial.mdl, NULL, 3 * PAGE_SIZE);
	transfer->flags = 0;
	return true;
}

static NTSTATUS submit(struct transfer *transfer, UCHAR major, uint64_t offset, ULONG length)
{
	IRP *irp = transfer->irp;
	IoReuseIrp(irp, STATUS_SUCCESS);
	MmPrepareMdlForReuse(&transfer->partial.mdl);
	irp->Tail.Overlay.Thread = lf_fake_current_thread();
	irp->Tail.Overlay.OriginalFileObject = transfer->object;
	build(&transfer->partial, transfer->buffer, 0, length);
	irp->MdlAddress = &transfer->partial.mdl;
	irp->UserBuffer = MmGetMdlVirtualAddress(irp->MdlAddress);
	irp->Flags = IRP_NOCACHE | transfer->flags |
		     (major == IRP_MJ_READ ? IRP_READ_OPERATION : IRP_WRITE_OPERATION);
	IO_STACK_LOCATION *next = IoGetNextIrpStackLocation(irp);
	next->MajorFunction = major;
	next->FileObject = transfer->object;
	next->Parameters.Read.Length = length;
	next->Parameters.Read.ByteOffset.QuadPart = (LONGLONG)offset;
	IoSetCompletionRoutine(irp, transfer_ended, transfer, TRUE, TRUE, TRUE);
	return IofCallDriver(IoGetRelatedDeviceObject(transfer->object), irp);
}

static NTSTATUS transfer_now(struct transfer *transfer, UCHAR major, uint64_t offset, ULONG length)
{
	submit(transfer, major, offset, length);
	KeWaitForSingleObject(&transfer->ended, Executive, KernelMode, FALSE, NULL);
	return transfer->irp->IoStatus.Status;
}

static void end_transfers(struct transfer *transfer)
{
	MmPrepareMdlForReuse(&transfer->partial.mdl);
	transfer->irp->MdlAddress = NULL;
	IoFreeIrp(transfer->irp);
	lf_fake_buffer_free(transfer->buffer);
	ZwClose(transfer->handle);
	ObDereferenceObject(transfer->object);
}

TEST(files_are_read_and_written)
{
	struct transfer transfer;
	uint8_t bytes[512];
	lf_fake_reset();
	struct lf_fake_file *file =
		lf_fake_file_add("C:\\dir\\a.img", 10ULL << 40, FILE_ATTRIBUTE_SPARSE_FILE);
	CHECK(begin_transfers(&transfer));
	transfer.flags = IRP_SYNCHRONOUS_API;
	CHECK_EQ(lf_fake_file_opens(file), 1);
	for (uint32_t round = 0; round < 64; round++) {
		uint64_t offset = (1ULL << 40) + round * 65536ULL - 512;
		memset(transfer.buffer->bytes, (int)round + 1, 8192);
		CHECK_EQ(transfer_now(&transfer, IRP_MJ_WRITE, offset, 1024), STATUS_SUCCESS);
		lf_fake_file_read(file, offset + 512, bytes, 512);
		CHECK_EQ(bytes[511], round + 1);
		memset(transfer.buffer->bytes, 0, 8192);
		CHECK_EQ(transfer_now(&transfer, IRP_MJ_READ, offset, 1024), STATUS_SUCCESS);
		CHECK_EQ(transfer.irp->IoStatus.Information, 1024);
		CHECK_EQ(transfer.buffer->bytes[1023], round + 1);
		CHECK_EQ(transfer.buffer->bytes[1024], 0);
	}
	CHECK_EQ(lf_fake_file_allocated(file), 65 * 65536);
	CHECK_EQ(transfer_now(&transfer, IRP_MJ_READ, 100, 1024), STATUS_INVALID_PARAMETER);
	CHECK_EQ(transfer_now(&transfer, IRP_MJ_READ, 512, 1000), STATUS_INVALID_PARAMETER);
	CHECK_EQ(transfer_now(&transfer, IRP_MJ_READ, 10ULL << 40, 512), STATUS_END_OF_FILE);
	CHECK_EQ(lf_fake_file_count(file, LF_FAKE_WRITE), 64);
	end_transfers(&transfer);
	CHECK_EQ(lf_fake_leaks(), 0);
	lf_fake_reset();
}

TEST(what_pends_is_cancelled_or_released)
{
	struct transfer transfer;
	lf_fake_reset();
	struct lf_fake_file *file = lf_fake_file_add("C:\\dir\\a.img", 1 << 20, 0);
	lf_fake_rule_add(
		&(struct lf_fake_rule){.file = file, .ops = 1 << LF_FAKE_READ, .what = LF_FAKE_PEND});
	CHECK(begin_transfers(&transfer));
	CHECK_EQ(submit(&transfer, IRP_MJ_READ, 0, 512), STATUS_PENDING);
	CHECK_EQ(lf_fake_held(), 1);
	CHECK(IoCancelIrp(transfer.irp));
	KeWaitForSingleObject(&transfer.ended, Executive, KernelMode, FALSE, NULL);
	CHECK_EQ(transfer.irp->IoStatus.Status, STATUS_CANCELLED);
	CHECK(!IoCancelIrp(transfer.irp));
	CHECK_EQ(submit(&transfer, IRP_MJ_READ, 0, 512), STATUS_PENDING);
	lf_fake_release();
	KeWaitForSingleObject(&transfer.ended, Executive, KernelMode, FALSE, NULL);
	CHECK_EQ(transfer.irp->IoStatus.Status, STATUS_SUCCESS);
	lf_fake_rules_clear();
	lf_fake_rule_add(
		&(struct lf_fake_rule){.what = LF_FAKE_STATUS, .status = STATUS_IO_DEVICE_ERROR, .count = 1});
	CHECK_EQ(transfer_now(&transfer, IRP_MJ_READ, 0, 512), STATUS_IO_DEVICE_ERROR);
	CHECK_EQ(transfer_now(&transfer, IRP_MJ_READ, 0, 512), STATUS_SUCCESS);
	lf_fake_rules_clear();
	lf_fake_rule_add(&(struct lf_fake_rule){.what = LF_FAKE_SHORT, .short_bytes = 512});
	CHECK_EQ(transfer_now(&transfer, IRP_MJ_READ, 0, 1024), STATUS_SUCCESS);
	CHECK_EQ(transfer.irp->IoStatus.Information, 512);
	lf_fake_volume_status(lf_fake_volume_find("C:"), STATUS_DEVICE_REMOVED);
	CHECK_EQ(transfer_now(&transfer, IRP_MJ_READ, 0, 1024), STATUS_DEVICE_REMOVED);
	end_transfers(&transfer);
	CHECK_EQ(lf_fake_leaks(), 0);
	lf_fake_reset();
}

static void free_with_an_mdl(void)
{
	struct transfer transfer;
	lf_fake_file_add("C:\\dir\\a.img", 1 << 20, 0);
	lf_fake_fs_how(LF_FAKE_IN_PLACE, 0);
	begin_transfers(&transfer);
	transfer_now(&transfer, IRP_MJ_READ, 0, 512);
	IoFreeIrp(transfer.irp);
}

static void send_twice(void)
{
	struct transfer transfer;
	lf_fake_file_add("C:\\dir\\a.img", 1 << 20, 0);
	lf_fake_rule_add(&(struct lf_fake_rule){.what = LF_FAKE_PEND});
	begin_transfers(&transfer);
	submit(&transfer, IRP_MJ_READ, 0, 512);
	submit(&transfer, IRP_MJ_READ, 0, 512);
}

static void send_with_a_lock(void)
{
	struct transfer transfer;
	lf_fake_file_add("C:\\dir\\a.img", 1 << 20, 0);
	begin_transfers(&transfer);
	lf_fake_irql_raise(DISPATCH_LEVEL);
	submit(&transfer, IRP_MJ_READ, 0, 512);
}

static void send_through_the_cache(void)
{
	struct transfer transfer;
	lf_fake_file_add("C:\\dir\\a.img", 1 << 20, 0);
	begin_transfers(&transfer);
	build(&transfer.partial, transfer.buffer, 0, 512);
	transfer.irp->MdlAddress = &transfer.partial.mdl;
	IO_STACK_LOCATION *next = IoGetNextIrpStackLocation(transfer.irp);
	next->MajorFunction = IRP_MJ_READ;
	next->FileObject = transfer.object;
	next->Parameters.Read.Length = 512;
	IoSetCompletionRoutine(transfer.irp, transfer_ended, &transfer, TRUE, TRUE, TRUE);
	IofCallDriver(IoGetRelatedDeviceObject(transfer.object), transfer.irp);
}

static void leave_waiting_to_the_executive(void)
{
	struct transfer transfer;
	lf_fake_file_add("C:\\dir\\a.img", 1 << 20, FILE_ATTRIBUTE_SPARSE_FILE);
	begin_transfers(&transfer);
	submit(&transfer, IRP_MJ_WRITE, 0, 512);
}

static void send_again_as_it_is(void)
{
	struct transfer transfer;
	lf_fake_file_add("C:\\dir\\a.img", 1 << 20, 0);
	begin_transfers(&transfer);
	transfer_now(&transfer, IRP_MJ_READ, 0, 512);
	IO_STACK_LOCATION *next = IoGetNextIrpStackLocation(transfer.irp);
	next->MajorFunction = IRP_MJ_READ;
	next->FileObject = transfer.object;
	next->Parameters.Read.Length = 512;
	IoSetCompletionRoutine(transfer.irp, transfer_ended, &transfer, TRUE, TRUE, TRUE);
	IofCallDriver(IoGetRelatedDeviceObject(transfer.object), transfer.irp);
}

static void close_twice(void)
{
	NTSTATUS status;
	lf_fake_file_add("C:\\dir\\a.img", 1 << 20, 0);
	HANDLE handle = open_file(PATH, ACCESS, OPTIONS, &status);
	ZwClose(handle);
	ZwClose(handle);
}

static void open_and_ask_the_user(void *context)
{
	NTSTATUS status;
	UNREFERENCED_PARAMETER(context);
	open_file(PATH, ACCESS, OPTIONS, &status);
}

static void open_in_a_thread_with_boxes(void)
{
	OBJECT_ATTRIBUTES attributes = {.Length = sizeof(attributes), .Attributes = OBJ_KERNEL_HANDLE};
	HANDLE handle;
	lf_fake_file_add("C:\\dir\\a.img", 1 << 20, 0);
	PsCreateSystemThread(
		&handle, THREAD_ALL_ACCESS, &attributes, NULL, NULL, open_and_ask_the_user, NULL);
	pause();
}

static void complete_twice(void)
{
	IRP *irp = lf_fake_irp_make(0x4d038, NULL, 0, 0, UserMode);
	lf_fake_irp_complete(irp);
	lf_fake_irp_complete(irp);
}

TEST(irps_have_rules)
{
	lf_fake_reset();
	CHECK_BREAKS(free_with_an_mdl, "with an MDL in it");
	CHECK_BREAKS(send_twice, "somebody else owns it");
	CHECK_BREAKS(send_with_a_lock, "at IRQL 2");
	CHECK_BREAKS(send_through_the_cache, "without IRP_NOCACHE");
	CHECK_BREAKS(leave_waiting_to_the_executive, "the executive's worker threads");
	CHECK_BREAKS(open_in_a_thread_with_boxes, "ask a user");
	CHECK_BREAKS(send_again_as_it_is, "without IoReuseIrp");
	CHECK_BREAKS(close_twice, "there is no handle");
	CHECK_BREAKS(complete_twice, "completed already");
}

/* ---- opening, flushing, sparse files ---- */

static NTSTATUS status_of(const wchar_t *path, ACCESS_MASK access)
{
	NTSTATUS status;
	HANDLE handle = open_file(path, access, OPTIONS, &status);
	if (NT_SUCCESS(status))
		ZwClose(handle);
	return status;
}

static void see(void *context, const struct lf_fake_asked *asked)
{
	*(struct lf_fake_asked *)context = *asked;
}

TEST(opening_says_what_is_wrong)
{
	struct lf_fake_asked seen = {0};
	lf_fake_reset();
	lf_fake_open_hook(see, &seen);
	struct lf_fake_file *file = lf_fake_file_add("C:\\dir\\a.img", 1 << 20, 0);
	lf_fake_volume_add(&(struct lf_fake_volume_options){.name = "server\\share", .remote = true});
	lf_fake_file_add("server\\share\\b.img", 1 << 20, FILE_ATTRIBUTE_READONLY);
	CHECK_EQ(status_of(PATH, ACCESS), STATUS_SUCCESS);
	CHECK_EQ(status_of(L"\\??\\UNC\\server\\share\\b.img", FILE_READ_DATA), STATUS_SUCCESS);
	CHECK_EQ(status_of(L"\\??\\UNC\\server\\share\\b.img", ACCESS), STATUS_ACCESS_DENIED);
	CHECK_EQ(status_of(L"C:\\dir\\a.img", ACCESS), STATUS_OBJECT_PATH_SYNTAX_BAD);
	CHECK_EQ(status_of(L"\\??\\C:\\dir", ACCESS), STATUS_FILE_IS_A_DIRECTORY);
	CHECK_EQ(status_of(L"\\??\\C:\\dir\\b.img", ACCESS), STATUS_OBJECT_NAME_NOT_FOUND);
	CHECK_EQ(status_of(L"\\??\\C:\\rid\\b.img", ACCESS), STATUS_OBJECT_PATH_NOT_FOUND);
	CHECK_EQ(status_of(L"\\??\\D:\\dir\\b.img", ACCESS), STATUS_OBJECT_PATH_NOT_FOUND);
	CHECK_EQ(status_of(L"\\??\\C:\\dir\\?.img", ACCESS), STATUS_OBJECT_NAME_INVALID);
	lf_fake_file_hold(file, FILE_WRITE_DATA, FILE_SHARE_READ);
	CHECK_EQ(status_of(PATH, ACCESS), STATUS_SHARING_VIOLATION);
	lf_fake_file_let_go(file);
	lf_fake_file_user_rights(file, FILE_GENERIC_READ);
	lf_fake_impersonate(LF_FAKE_USER, SecurityImpersonation);
	CHECK_EQ(status_of(PATH, ACCESS), STATUS_ACCESS_DENIED);
	CHECK_EQ(status_of(PATH, FILE_READ_DATA), STATUS_SUCCESS);
	CHECK_EQ(seen.access, FILE_READ_DATA | SYNCHRONIZE);
	CHECK(seen.is_impersonating);
	lf_fake_impersonate(LF_FAKE_ADMIN, SecurityIdentification);
	CHECK_EQ(status_of(PATH, FILE_READ_DATA), STATUS_BAD_IMPERSONATION_LEVEL);
	lf_fake_revert();
	lf_fake_fail(LF_FAKE_OPEN, 0, 1);
	CHECK_EQ(status_of(PATH, ACCESS), STATUS_SHARING_VIOLATION);
	lf_fake_rule_add(&(struct lf_fake_rule){.what = LF_FAKE_STATUS, .status = STATUS_IO_TIMEOUT});
	CHECK_EQ(status_of(PATH, ACCESS), STATUS_SUCCESS);
	lf_fake_rules_clear();
	lf_fake_rule_add(&(struct lf_fake_rule){
		.ops = 1 << LF_FAKE_OPEN_FILE, .what = LF_FAKE_STATUS, .status = STATUS_IO_TIMEOUT});
	CHECK_EQ(status_of(PATH, ACCESS), STATUS_IO_TIMEOUT);
	lf_fake_rules_clear();
	lf_fake_file_delete(file);
	CHECK_EQ(status_of(PATH, ACCESS), STATUS_OBJECT_NAME_NOT_FOUND);
	CHECK_EQ(lf_fake_leaks(), 0);
	lf_fake_reset();
}

TEST(what_was_not_flushed_is_lost)
{
	struct transfer transfer;
	IO_STATUS_BLOCK block;
	uint8_t bytes[512];
	lf_fake_reset();
	struct lf_fake_file *file = lf_fake_file_add("C:\\dir\\a.img", 1 << 20, 0);
	lf_fake_file_volatile(file);
	CHECK(begin_transfers(&transfer));
	memset(transfer.buffer->bytes, 1, 512);
	CHECK_EQ(transfer_now(&transfer, IRP_MJ_WRITE, 0, 512), 0);
	CHECK_EQ(ZwFlushBuffersFile(transfer.handle, &block), 0);
	memset(transfer.buffer->bytes, 2, 512);
	CHECK_EQ(transfer_now(&transfer, IRP_MJ_WRITE, 0, 512), 0);
	CHECK_EQ(transfer_now(&transfer, IRP_MJ_WRITE, 512, 512), 0);
	lf_fake_file_lose(file);
	lf_fake_file_read(file, 0, bytes, 512);
	CHECK_EQ(bytes[0], 1);
	lf_fake_file_read(file, 512, bytes, 512);
	CHECK_EQ(bytes[0], 0);
	CHECK_EQ(lf_fake_file_count(file, LF_FAKE_FLUSH), 1);
	end_transfers(&transfer);
	CHECK_EQ(lf_fake_leaks(), 0);
	lf_fake_reset();
}

static NTSTATUS control(
	HANDLE handle, ULONG code, void *in, ULONG in_bytes, void *out, ULONG out_bytes, ULONG *length)
{
	IO_STATUS_BLOCK block;
	NTSTATUS status =
		ZwFsControlFile(handle, NULL, NULL, NULL, &block, code, in, in_bytes, out, out_bytes);
	*length = (ULONG)block.Information;
	return status;
}

TEST(sparse_files_give_room_back)
{
	NTSTATUS status;
	ULONG length;
	FILE_ALLOCATED_RANGE_BUFFER asked = {{.QuadPart = 0}, {.QuadPart = 1 << 20}}, ranges[4];
	FILE_ZERO_DATA_INFORMATION zero = {{.QuadPart = 1000}, {.QuadPart = 65536 * 3}};
	lf_fake_reset();
	struct lf_fake_file *file = lf_fake_file_add("C:\\dir\\a.img", 1 << 20, FILE_ATTRIBUTE_SPARSE_FILE);
	uint8_t bytes[2000];
	memset(bytes, 9, sizeof(bytes));
	lf_fake_file_write(file, 0, bytes, sizeof(bytes));
	lf_fake_file_write(file, 65536, bytes, sizeof(bytes));
	lf_fake_file_write(file, 65536 * 10, bytes, sizeof(bytes));
	HANDLE handle = open_file(PATH, ACCESS, OPTIONS | FILE_SYNCHRONOUS_IO_NONALERT, &status);
	CHECK_EQ(status, 0);
	CHECK_EQ(control(handle, FSCTL_SET_ZERO_DATA, &zero, sizeof(zero), NULL, 0, &length), 0);
	lf_fake_file_read(file, 0, bytes, sizeof(bytes));
	CHECK_EQ(bytes[999], 9);
	CHECK_EQ(bytes[1000], 0);
	CHECK_EQ(control(handle, FSCTL_QUERY_ALLOCATED_RANGES, &asked, sizeof(asked), ranges, sizeof(ranges),
			 &length),
		0);
	CHECK_EQ(length, 2 * sizeof(ranges[0]));
	CHECK_EQ(ranges[0].FileOffset.QuadPart, 0);
	CHECK_EQ(ranges[0].Length.QuadPart, 65536);
	CHECK_EQ(ranges[1].FileOffset.QuadPart, 65536 * 10);
	CHECK_EQ(control(handle, FSCTL_QUERY_ALLOCATED_RANGES, &asked, sizeof(asked), ranges,
			 sizeof(ranges[0]), &length),
		STATUS_BUFFER_OVERFLOW);
	ZwClose(handle);
	CHECK_EQ(lf_fake_leaks(), 0);
	lf_fake_reset();
}

/* ---- the rest ---- */

static FILE_OBJECT *told_of;
static uint32_t told;
static NTSTATUS answer;
static PVOID registration;

static NTSTATUS tell(PVOID note, PVOID context)
{
	const TARGET_DEVICE_REMOVAL_NOTIFICATION *removal = note;
	UNREFERENCED_PARAMETER(context);
	told_of = removal->FileObject;
	told++;
	return IsEqualGUID(&removal->Event, &GUID_TARGET_DEVICE_QUERY_REMOVE) ? answer : STATUS_SUCCESS;
}

static NTSTATUS tell_and_leave(PVOID note, PVOID context)
{
	UNREFERENCED_PARAMETER(note);
	UNREFERENCED_PARAMETER(context);
	return IoUnregisterPlugPlayNotificationEx(registration);
}

static DRIVER_OBJECT driver;

static void unregister_within(void)
{
	struct transfer transfer;
	lf_fake_file_add("C:\\dir\\a.img", 1 << 20, 0);
	begin_transfers(&transfer);
	IoRegisterPlugPlayNotification(EventCategoryTargetDeviceChange, 0, transfer.object, &driver,
		tell_and_leave, NULL, &registration);
	lf_fake_volume_remove(lf_fake_volume_find("C:"), true);
}

TEST(volumes_ask_before_they_go)
{
	struct transfer transfer;
	lf_fake_reset();
	CHECK_BREAKS(unregister_within, "from within the callback");
	lf_fake_file_add("C:\\dir\\a.img", 1 << 20, 0);
	CHECK(begin_transfers(&transfer));
	CHECK_EQ(IoRegisterPlugPlayNotification(EventCategoryTargetDeviceChange, 0, transfer.object, &driver,
			 tell, NULL, &registration),
		0);
	answer = STATUS_UNSUCCESSFUL;
	CHECK_EQ(lf_fake_volume_remove(lf_fake_volume_find("C:"), false), STATUS_UNSUCCESSFUL);
	CHECK_EQ(told, 2);
	CHECK(told_of == transfer.object);
	CHECK_EQ(transfer_now(&transfer, IRP_MJ_READ, 0, 512), STATUS_SUCCESS);
	CHECK_EQ(lf_fake_volume_remove(lf_fake_volume_find("C:"), true), STATUS_SUCCESS);
	CHECK_EQ(told, 3);
	CHECK_EQ(transfer_now(&transfer, IRP_MJ_READ, 0, 512), STATUS_VOLUME_DISMOUNTED);
	CHECK_EQ(IoUnregisterPlugPlayNotificationEx(registration), 0);
	end_transfers(&transfer);
	CHECK_EQ(lf_fake_leaks(), 0);
	lf_fake_reset();
}

static BOOLEAN may(enum lf_fake_who who, KPROCESSOR_MODE mode, NTSTATUS *status)
{
	static const SID admins = {SID_REVISION, 1, {SECURITY_NT_AUTHORITY}, {SECURITY_LOCAL_SYSTEM_RID}};
	SECURITY_DESCRIPTOR descriptor;
	SECURITY_SUBJECT_CONTEXT context;
	GENERIC_MAPPING mapping = {1, 2, 4, 7};
	ACCESS_MASK granted;
	union {
		ACL acl;
		uint32_t words[32];
	} room;
	lf_fake_process_of(who);
	RtlCreateSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
	RtlCreateAcl(&room.acl, sizeof(room), ACL_REVISION);
	RtlAddAccessAllowedAce(&room.acl, ACL_REVISION, GENERIC_READ, (PSID)(uintptr_t)&admins);
	RtlSetDaclSecurityDescriptor(&descriptor, TRUE, &room.acl, FALSE);
	descriptor.Owner = descriptor.Group = (PSID)(uintptr_t)&admins;
	SeCaptureSubjectContextEx(
		lf_fake_current_thread(), (PEPROCESS)(void *)lf_fake_current_thread(), &context);
	SeLockSubjectContext(&context);
	BOOLEAN yes = SeAccessCheck(
		&descriptor, &context, TRUE, GENERIC_READ, 0, NULL, &mapping, mode, &granted, status);
	SeUnlockSubjectContext(&context);
	SeReleaseSubjectContext(&context);
	lf_fake_process_of(LF_FAKE_SYSTEM);
	return yes;
}

TEST(access_is_checked)
{
	NTSTATUS status;
	SECURITY_CLIENT_CONTEXT client;
	SECURITY_QUALITY_OF_SERVICE qos = {
		sizeof(qos), SecurityImpersonation, SECURITY_STATIC_TRACKING, FALSE};
	lf_fake_reset();
	CHECK(may(LF_FAKE_SYSTEM, UserMode, &status));
	CHECK(!may(LF_FAKE_USER, UserMode, &status));
	CHECK_EQ(status, STATUS_ACCESS_DENIED);
	CHECK(may(LF_FAKE_USER, KernelMode, &status));
	lf_fake_impersonate(LF_FAKE_SYSTEM, SecurityIdentification);
	CHECK(!may(LF_FAKE_USER, UserMode, &status));
	CHECK_EQ(status, STATUS_BAD_IMPERSONATION_LEVEL);
	CHECK_EQ(SeCreateClientSecurity(lf_fake_current_thread(), &qos, FALSE, &client),
		STATUS_BAD_IMPERSONATION_LEVEL);
	lf_fake_impersonate(LF_FAKE_USER, SecurityImpersonation);
	CHECK_EQ(SeCreateClientSecurity(lf_fake_current_thread(), &qos, FALSE, &client), 0);
	lf_fake_revert();
	CHECK_EQ(SeImpersonateClientEx(&client, NULL), 0);
	CHECK(lf_fake_is_impersonating());
	PsRevertToSelf();
	PsDereferenceImpersonationToken(client.ClientToken);
	CHECK_EQ(lf_fake_leaks(), 0);
}

TEST(utf_8_goes_there_and_back)
{
	static const char text[] = "C:\\\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80.img";
	WCHAR wide[32];
	char back[64];
	ULONG length, again;
	CHECK_EQ(RtlUTF8ToUnicodeN(wide, sizeof(wide), &length, text, sizeof(text) - 1), 0);
	CHECK_EQ(length, 2 * (3 + 1 + 1 + 2 + 4));
	CHECK_EQ(wide[3], 0xe4);
	CHECK_EQ(wide[4], 0x20ac);
	CHECK_EQ(wide[5], 0xd83d);
	CHECK_EQ(RtlUnicodeToUTF8N(back, sizeof(back), &again, wide, length), 0);
	CHECK_EQ(again, sizeof(text) - 1);
	CHECK(memcmp(back, text, again) == 0);
	CHECK_EQ(RtlUTF8ToUnicodeN(wide, sizeof(wide), &length, "\xc0\x80", 2), STATUS_SOME_NOT_MAPPED);
	CHECK_EQ(RtlUTF8ToUnicodeN(wide, 4, &length, "abc", 3), STATUS_BUFFER_TOO_SMALL);
}

TEST(registry_and_power_answer)
{
	UNICODE_STRING name;
	OBJECT_ATTRIBUTES attributes;
	HANDLE key, above;
	union {
		KEY_VALUE_PARTIAL_INFORMATION partial;
		uint8_t room[64];
	} value;
	ULONG length, data = 42;
	lf_fake_reset();
	lf_fake_registry_set("\\Registry\\Machine\\X\\Parameters", "Targets", REG_DWORD, &data, sizeof(data));
	RtlInitUnicodeString(&name, L"\\registry\\machine\\x");
	InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
	CHECK_EQ(ZwOpenKey(&above, KEY_READ, &attributes), 0);
	RtlInitUnicodeString(&name, L"parameters");
	InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, above, NULL);
	CHECK_EQ(ZwOpenKey(&key, KEY_READ, &attributes), 0);
	ZwClose(above);
	RtlInitUnicodeString(&name, L"targets");
	CHECK_EQ(ZwQueryValueKey(key, &name, KeyValuePartialInformation, &value, sizeof(value), &length), 0);
	CHECK_EQ(value.partial.DataLength, 4);
	CHECK_EQ(value.partial.Data[0], 42);
	RtlInitUnicodeString(&name, L"luns");
	CHECK_EQ(ZwQueryValueKey(key, &name, KeyValuePartialInformation, &value, sizeof(value), &length),
		STATUS_OBJECT_NAME_NOT_FOUND);
	ZwClose(key);
	CHECK_EQ(lf_fake_leaks(), 0);
	lf_fake_reset();
}

TEST(a_device_says_who_it_is)
{
	struct transfer transfer;
	IO_STATUS_BLOCK block;
	STORAGE_PROPERTY_QUERY query = {StorageDeviceIdProperty, PropertyStandardQuery, {0}};
	STORAGE_DEVICE_ID_DESCRIPTOR told_id = {16, 16, 0, {0}}, got;
	lf_fake_reset();
	lf_fake_volume_device_id(lf_fake_volume_find("C:"), &told_id, sizeof(told_id));
	lf_fake_file_add("C:\\dir\\a.img", 1 << 20, 0);
	CHECK(begin_transfers(&transfer));
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	IRP *irp = IoBuildDeviceIoControlRequest(IOCTL_STORAGE_QUERY_PROPERTY, transfer.object->DeviceObject,
		&query, sizeof(query), &got, sizeof(got), FALSE, &event, &block);
	CHECK(irp);
	if (IofCallDriver(transfer.object->DeviceObject, irp) == STATUS_PENDING)
		KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
	CHECK_EQ(block.Status, 0);
	CHECK_EQ(block.Information, sizeof(got));
	CHECK_EQ(got.Size, 16);
	end_transfers(&transfer);
	CHECK_EQ(lf_fake_leaks(), 0);
	lf_fake_reset();
}
