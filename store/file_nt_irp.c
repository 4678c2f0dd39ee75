/* SPDX-License-Identifier: BSD-2-Clause */
/* file_nt_irp.c: IRPs to the file system: where they come from, how they go down, come back, are cancelled.
 */
#include "store/file_nt.h"

/* ---- where they come from ---- */

/* Filters may come to lie over the file system while the image is open: they find some room, too. */
#define MORE_STACK 2

static IRP *take_reserve(struct lf_store *store, CCHAR stack_size)
{
	IRP *irp = NULL;

	lf_lock(&store->lock);
	for (uint32_t i = 0; i < LF_FILE_RESERVE && !irp; i++) {
		if (!(store->reserve_mask & 1u << i) || store->reserve[i]->StackCount < stack_size)
			continue;
		store->reserve_mask &= ~(1u << i);
		irp = store->reserve[i];
	}
	lf_unlock(&store->lock);
	if (irp)
		IoReuseIrp(irp, STATUS_SUCCESS);
	return irp;
}

IRP *lf_file_irp_get(struct lf_store *store, DEVICE_OBJECT *device)
{
	IRP *irp = IoAllocateIrp(device->StackSize, FALSE);

	return irp ? irp : take_reserve(store, device->StackSize);
}

void lf_file_irp_put(struct lf_store *store, IRP *irp)
{
	bool reserved = false;

	irp->MdlAddress = NULL; /* IoFreeIrp has no business with it */
	lf_lock(&store->lock);
	for (uint32_t i = 0; i < LF_FILE_RESERVE; i++) {
		if (store->reserve[i] != irp)
			continue;
		store->reserve_mask |= 1u << i;
		reserved = true;
	}
	lf_unlock(&store->lock);
	if (!reserved)
		IoFreeIrp(irp);
}

enum lf_error lf_file_irp_reserve(struct lf_store *store)
{
	CCHAR stack_size = (CCHAR)(IoGetRelatedDeviceObject(store->file)->StackSize + MORE_STACK);

	for (uint32_t i = 0; i < LF_FILE_RESERVE; i++) {
		store->reserve[i] = IoAllocateIrp(stack_size, FALSE);
		if (!store->reserve[i])
			return LF_E_NO_MEMORY;
		store->reserve_mask |= 1u << i;
	}
	return LF_OK;
}

void lf_file_irp_release(struct lf_store *store)
{
	for (uint32_t i = 0; i < LF_FILE_RESERVE; i++)
		if (store->reserve[i])
			IoFreeIrp(store->reserve[i]);
}

/* ---- how they come back ---- */

/*
 * The IRP is ours again: the caller goes on with it. False: somebody is just cancelling it, and it has to
 * stay until he is through; he sees to the rest.
 */
static bool is_back(struct lf_store *store, struct lf_file_flight *flight)
{
	bool ours;

	lf_lock(&store->lock);
	ours = !flight->cancelling;
	if (ours)
		flight->irp = NULL;
	else
		flight->back = true;
	lf_unlock(&store->lock);
	return ours;
}

/* The worker puts the IRP away; it goes on at once, so this is the last touch. */
static void wake_worker(struct lf_store *store, uint8_t worker_plus_one, const IRP *irp)
{
	struct lf_file_worker *worker = &store->workers[worker_plus_one - 1];

	worker->status = irp->IoStatus.Status;
	worker->information = irp->IoStatus.Information;
	KeSetEvent(&worker->back, IO_NO_INCREMENT, FALSE);
}

/* A filter that miscounts, or counts whole sectors: no more was moved than was asked for. */
static uint64_t moved_bytes(const MDL *mdl, uint64_t information)
{
	return mdl ? lf_min(information, (uint64_t)MmGetMdlByteCount(mdl)) : information;
}

/* An operation that nobody waits for with the IRP that was below. */
static void transferred(struct lf_io *io, IRP *irp)
{
	struct lf_store *store = lf_file_io_of(io)->store;
	MDL *partial = lf_nt_io_of(&io->platform)->partial;
	NTSTATUS status = irp->IoStatus.Status;
	uint64_t information = moved_bytes(partial, irp->IoStatus.Information);

	MmPrepareMdlForReuse(partial);
	lf_file_irp_put(store, irp);
	lf_file_transferred(io, status, information);
}

/*
 * On any thread of the file system's. The operation may have ended, and whoever waited for that may go on to
 * close the image and unload the driver, while this thread is still on its way out of the core and of here.
 * So it is counted, and the count is the last that it touches; the porter, who is joined, waits for it.
 */
static NTSTATUS operation_completed(DEVICE_OBJECT *device, IRP *irp, void *context)
{
	struct lf_io *io = context;
	struct lf_file_io *file_io = lf_file_io_of(io);
	struct lf_store *store = file_io->store;

	(void)device;
	(void)InterlockedIncrement(&store->inside);
	if (is_back(store, &file_io->flight)) {
		if (file_io->flight.worker)
			wake_worker(store, file_io->flight.worker, irp);
		else
			transferred(io, irp);
	}
	(void)InterlockedDecrement(&store->inside);
	return STATUS_MORE_PROCESSING_REQUIRED;
}

/* Likewise. */
static NTSTATUS flush_completed(DEVICE_OBJECT *device, IRP *irp, void *context)
{
	struct lf_store *store = context;

	(void)device;
	(void)InterlockedIncrement(&store->inside);
	if (is_back(store, &store->sync_flight))
		wake_worker(store, store->sync_flight.worker, irp);
	(void)InterlockedDecrement(&store->inside);
	return STATUS_MORE_PROCESSING_REQUIRED;
}

/* ---- how they are cancelled ---- */

void lf_file_unwanted_locked(struct lf_store *store, struct lf_file_flight *flight)
{
	flight->unwanted = true;
	if (flight->irp)
		KeSetEvent(&store->porter_wake, IO_NO_INCREMENT, FALSE);
}

static bool has_to_be_cancelled(const struct lf_file_flight *flight)
{
	return flight->unwanted && flight->irp && !flight->cancelled;
}

/* The next one, now being cancelled; *io: whose it is, NULL: the flush's. NULL: there is none. */
static struct lf_file_flight *take_unwanted_locked(struct lf_store *store, struct lf_io **io)
{
	struct lf_file_flight *found = has_to_be_cancelled(&store->sync_flight) ? &store->sync_flight : NULL;

	*io = NULL;
	lf_list_each(link, after, &store->running)
	{
		struct lf_io *running = lf_container(link, struct lf_io, link);
		if (found)
			break;
		if (has_to_be_cancelled(&lf_file_io_of(running)->flight)) {
			*io = running;
			found = &lf_file_io_of(running)->flight;
		}
	}
	if (found)
		found->cancelling = found->cancelled = true;
	return found;
}

/*
 * A file system may complete the IRP within IoCancelIrp, and its filters may do there what they like, so no
 * lock is held: ops->cancel, which is called under the core's, leaves it to the porter.
 */
static void cancel_irp(struct lf_store *store, struct lf_file_flight *flight, struct lf_io *io)
{
	IRP *irp = flight->irp;

	IoCancelIrp(irp);
	lf_lock(&store->lock);
	flight->cancelling = false;
	if (flight->back) {
		flight->back = false;
		if (flight->worker) {
			flight->irp = NULL;
			wake_worker(store, flight->worker, irp);
		} else {
			lf_file_unlink_locked(io);
			lf_list_append(&store->returned, &io->link);
			KeSetEvent(&store->porter_wake, IO_NO_INCREMENT, FALSE);
		}
	}
	lf_unlock(&store->lock);
}

void lf_file_cancel_unwanted(struct lf_store *store)
{
	struct lf_file_flight *flight;
	struct lf_io *io;

	do {
		lf_lock(&store->lock);
		flight = take_unwanted_locked(store, &io);
		lf_unlock(&store->lock);
		if (flight)
			cancel_irp(store, flight, io);
	} while (flight);
}

void lf_file_returned(struct lf_io *io)
{
	struct lf_file_flight *flight = &lf_file_io_of(io)->flight;
	IRP *irp = flight->irp;

	flight->irp = NULL;
	transferred(io, irp);
}

/* ---- how they go down ---- */

static void set_up(struct lf_store *store, IRP *irp, const struct lf_file_call *call)
{
	IO_STACK_LOCATION *stack = IoGetNextIrpStackLocation(irp);

	irp->RequestorMode = KernelMode;
	irp->Tail.Overlay.OriginalFileObject = store->file;
	stack->MajorFunction = call->major;
	stack->FileObject = store->file;
	switch (call->major) {
	case IRP_MJ_READ:
		irp->Flags = IRP_READ_OPERATION;
		stack->Parameters.Read.Length = call->length_bytes;
		stack->Parameters.Read.ByteOffset.QuadPart = (LONGLONG)call->offset_bytes;
		break;
	case IRP_MJ_WRITE:
		irp->Flags = IRP_WRITE_OPERATION;
		stack->Parameters.Write.Length = call->length_bytes;
		stack->Parameters.Write.ByteOffset.QuadPart = (LONGLONG)call->offset_bytes;
		break;
	case IRP_MJ_FILE_SYSTEM_CONTROL:
		stack->MinorFunction = IRP_MN_USER_FS_REQUEST;
		stack->Parameters.FileSystemControl.FsControlCode = call->control_code;
		break;
	default:
		break;
	}
	if (!call->mdl)
		return;
	irp->MdlAddress = call->mdl;
	irp->UserBuffer = MmGetMdlVirtualAddress(call->mdl);
	if (store->unbuffered)
		irp->Flags |= IRP_NOCACHE; /* as the I/O manager sets it for such a file */
}

static void set_up_control(IRP *irp, const struct lf_file_call *call)
{
	IO_STACK_LOCATION *stack = IoGetNextIrpStackLocation(irp);
	union lf_file_control *control = call->control;

	stack->Parameters.FileSystemControl.InputBufferLength = call->length_bytes;
	if (call->control_code != FSCTL_QUERY_ALLOCATED_RANGES) {
		irp->AssociatedIrp.SystemBuffer = control;
		return;
	}
	/* METHOD_NEITHER: the addresses go down as they are. */
	stack->Parameters.FileSystemControl.Type3InputBuffer = &control->ranges.asked;
	stack->Parameters.FileSystemControl.OutputBufferLength = sizeof(control->ranges.first);
	irp->UserBuffer = &control->ranges.first;
}

/* False: nobody wants it any more, the IRP was put away. */
static bool send(struct lf_store *store, struct lf_file_flight *flight, uint8_t worker_plus_one,
	DEVICE_OBJECT *device, IRP *irp)
{
	bool wanted;

	lf_lock(&store->lock);
	wanted = !flight->unwanted;
	/* File systems look whose request it is. Any thread of ours will do, but when the store is closed,
	 * and nobody wants anything any more, the first may have ended. */
	if (wanted)
		irp->Tail.Overlay.Thread = store->workers[0].thread.object;
	flight->worker = worker_plus_one;
	flight->back = flight->cancelled = false;
	flight->irp = wanted ? irp : NULL;
	lf_unlock(&store->lock);
	if (wanted)
		IofCallDriver(device, irp);
	else
		lf_file_irp_put(store, irp);
	return wanted;
}

NTSTATUS lf_file_call(struct lf_file_worker *worker, struct lf_file_flight *flight,
	const struct lf_file_call *call, uint64_t *information)
{
	struct lf_store *store = worker->store;
	DEVICE_OBJECT *device = IoGetRelatedDeviceObject(store->file);
	IRP *irp = lf_file_irp_get(store, device);

	*information = 0;
	if (!irp)
		return STATUS_INSUFFICIENT_RESOURCES;
	set_up(store, irp, call);
	irp->Flags |= IRP_SYNCHRONOUS_API; /* this thread may wait: see file_nt.h */
	if (call->control)
		set_up_control(irp, call);
	if (flight == &store->sync_flight)
		IoSetCompletionRoutine(irp, flush_completed, store, TRUE, TRUE, TRUE);
	else
		IoSetCompletionRoutine(
			irp, operation_completed, lf_file_flight_owner(flight), TRUE, TRUE, TRUE);
	if (!send(store, flight, (uint8_t)(worker->number + 1), device, irp))
		return STATUS_CANCELLED;
	KeWaitForSingleObject(&worker->back, Executive, KernelMode, FALSE, NULL);
	if (call->mdl)
		MmPrepareMdlForReuse(call->mdl);
	lf_file_irp_put(store, irp);
	*information = moved_bytes(call->mdl, worker->information);
	return worker->status;
}

bool lf_file_begin_transfer(struct lf_io *io, const struct lf_file_call *call)
{
	struct lf_file_io *file_io = lf_file_io_of(io);
	struct lf_store *store = file_io->store;
	DEVICE_OBJECT *device = IoGetRelatedDeviceObject(store->file);
	IRP *irp = lf_file_irp_get(store, device);

	if (!irp)
		return false;
	set_up(store, irp, call);
	IoSetCompletionRoutine(irp, operation_completed, io, TRUE, TRUE, TRUE);
	return send(store, &file_io->flight, 0, device, irp);
}
