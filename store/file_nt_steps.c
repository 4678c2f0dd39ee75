/* SPDX-License-Identifier: BSD-2-Clause */
/* file_nt_steps.c: an operation as a row of requests to the file system: pieces, fallbacks, faults. */
#include "store/file_nt.h"

#include "trace/trace.h"

enum phase {
	PHASE_TRANSFER,
	PHASE_ZERO,        /* by giving room back */
	PHASE_WRITE_ZEROS, /* where that cannot be */
	PHASE_TRIM,
	PHASE_MAP,
	PHASE_USAGE,
	PHASE_SYNC,
	PHASE_END,
};

/* What is to be done with an operation after a step of it. */
enum next { NEXT_STEP, NEXT_LATER, NEXT_SYNC, NEXT_DONE };

#define LOG_QUIET_NS 60000000000u
/* FSCTL_FILE_LEVEL_TRIM, which mingw-w64 does not have. */
#define LEVEL_TRIM CTL_CODE(FILE_DEVICE_FILE_SYSTEM, 130, METHOD_BUFFERED, FILE_WRITE_DATA)

static uint8_t zeroing_phase(const struct lf_store *store)
{
	return store->zeroes && !lf_atomic_load_u32(&store->cannot_zero) ? PHASE_ZERO : PHASE_WRITE_ZEROS;
}

/* Where nothing was promised a hint that cannot be given is not missed. */
static uint8_t unmapping_phase(const struct lf_store *store)
{
	if (store->zeroes)
		return zeroing_phase(store);
	return store->trims && !lf_atomic_load_u32(&store->cannot_trim) ? PHASE_TRIM : PHASE_END;
}

static uint8_t first_phase(const struct lf_store *store, struct lf_io *io)
{
	switch (io->op) {
	case LF_OP_READ:
	case LF_OP_WRITE:
		return io->length_bytes ? PHASE_TRANSFER : PHASE_END;
	case LF_OP_ZERO:
		return io->length_bytes ? zeroing_phase(store) : PHASE_END;
	case LF_OP_UNMAP:
		return io->length_bytes ? unmapping_phase(store) : PHASE_END;
	case LF_OP_FLUSH:
		return store->read_only ? PHASE_END : PHASE_SYNC;
	case LF_OP_SAVE: /* there is no state file here */
		io->error = LF_E_UNSUPPORTED;
		return PHASE_END;
	case LF_OP_MAP:
		return PHASE_MAP;
	case LF_OP_USAGE:
		return PHASE_USAGE;
	}
	lf_panic(__FILE__, __LINE__, "an operation that is none");
}

void lf_file_begin(struct lf_store *store, struct lf_io *io)
{
	struct lf_file_io *file_io = lf_file_io_of(io);
	uint64_t size_bytes = lf_atomic_load_relaxed_u64(&store->size_bytes);

	lf_file_check_io(io, size_bytes, store->read_only);
	lf_assert(!io->atomic);
	memset(file_io, 0, sizeof(*file_io));
	memset(&io->link, 0, sizeof(io->link));
	io->error = LF_OK;
	file_io->store = store;
	file_io->flight.phase = first_phase(store, io);
	if (file_io->flight.phase == PHASE_SYNC) {
		lf_file_sync_join(store, io);
		return;
	}
	lf_lock(&store->lock);
	if (file_io->flight.phase == PHASE_END)
		lf_file_end_locked(store, io, io->error);
	else
		lf_file_queue_locked(store, io);
	lf_unlock(&store->lock);
}

/* ---- what came of a step ---- */

static bool changes_medium(const struct lf_io *io)
{
	return io->op == LF_OP_WRITE || io->op == LF_OP_ZERO || io->op == LF_OP_UNMAP;
}

static bool is_unwanted(struct lf_io *io)
{
	struct lf_file_io *file_io = lf_file_io_of(io);
	bool unwanted;

	lf_lock(&file_io->store->lock);
	unwanted = file_io->flight.unwanted;
	lf_unlock(&file_io->store->lock);
	return unwanted;
}

/*
 * The file system cannot do it so: the next best way. That it never can is remembered; not so what may pass,
 * as somebody who has the file mapped, and whose pages cannot be taken away (LF_E_BUSY).
 */
static bool fall_back(struct lf_io *io, enum lf_error error)
{
	struct lf_file_flight *flight = &lf_file_io_of(io)->flight;
	struct lf_store *store = lf_file_io_of(io)->store;
	bool never = error == LF_E_UNSUPPORTED || error == LF_E_INVALID;

	if (flight->phase == PHASE_TRIM && error != LF_E_ABORTED) {
		if (never)
			lf_atomic_store_u32(&store->cannot_trim, 1);
		flight->phase = PHASE_END;
		return true;
	}
	if (flight->phase == PHASE_ZERO && (never || (error == LF_E_BUSY && io->op == LF_OP_ZERO))) {
		if (never)
			lf_atomic_store_u32(&store->cannot_zero, 1);
		flight->phase = PHASE_WRITE_ZEROS;
		return true;
	}
	return false;
}

static enum next after_phase(struct lf_io *io)
{
	struct lf_file_flight *flight = &lf_file_io_of(io)->flight;

	if (flight->phase == PHASE_END && !(io->fua && changes_medium(io)))
		return NEXT_DONE;
	if (flight->phase != PHASE_END)
		return NEXT_STEP;
	return NEXT_SYNC;
}

static enum next failed(struct lf_io *io, NTSTATUS status)
{
	struct lf_store *store = lf_file_io_of(io)->store;
	enum lf_error error = lf_error_from_status(status);

	if (is_unwanted(io))
		error = LF_E_ABORTED;
	if (error == LF_E_NO_MEMORY) {
		lf_trace_store_retried(io->op, io->offset_bytes, io->length_bytes, 0);
		return NEXT_LATER;
	}
	if (fall_back(io, error)) {
		lf_trace_store_retried(io->op, io->offset_bytes, io->length_bytes, 0);
		return after_phase(io);
	}
	io->error = error;
	lf_file_log_fault(store, io, error, status);
	return NEXT_DONE;
}

/*
 * A file that was cut short ends in the middle of something: what does not fill a sector does not count, and
 * nothing at all is past its end.
 */
static enum next moved(struct lf_io *io, uint64_t bytes)
{
	struct lf_file_io *file_io = lf_file_io_of(io);
	uint64_t left_bytes = io->length_bytes - file_io->done_bytes;

	lf_assert(bytes <= left_bytes);
	if (bytes < left_bytes)
		bytes = bytes / file_io->store->sector_bytes * file_io->store->sector_bytes;
	if (bytes == 0)
		return failed(io, STATUS_END_OF_FILE);
	file_io->done_bytes += bytes;
	if (file_io->done_bytes == io->length_bytes)
		file_io->flight.phase = PHASE_END;
	else if (is_unwanted(io))
		return failed(io, STATUS_CANCELLED);
	return after_phase(io);
}

/* status and bytes are of a step that was below. */
static enum next result(struct lf_io *io, NTSTATUS status, uint64_t bytes)
{
	/* Also of what failed: it may have changed something all the same. */
	if (changes_medium(io))
		lf_atomic_add_relaxed_u64(&lf_file_io_of(io)->store->changes, 1);
	if (lf_error_from_status(status) != LF_OK)
		return failed(io, status);
	return moved(io, bytes);
}

/* It is in the list of those that run, and goes out of it, so that whoever gives it up finds it somewhere. */
static void proceed(struct lf_io *io, enum next next)
{
	struct lf_store *store = lf_file_io_of(io)->store;

	if (next == NEXT_SYNC) {
		lf_file_sync_join(store, io);
		return;
	}
	lf_lock(&store->lock);
	lf_file_unlink_locked(io);
	if (next != NEXT_DONE && lf_file_io_of(io)->flight.unwanted)
		lf_file_end_locked(store, io, LF_E_ABORTED);
	else if (next == NEXT_LATER)
		lf_file_later_locked(store, io);
	else if (next == NEXT_STEP)
		lf_file_queue_locked(store, io);
	lf_unlock(&store->lock);
	if (next == NEXT_DONE)
		io->done(io);
}

void lf_file_transferred(struct lf_io *io, NTSTATUS status, uint64_t information)
{
	proceed(io, result(io, status, information));
}

/* ---- the steps ---- */

static NTSTATUS control(struct lf_file_worker *worker, struct lf_io *io, ULONG code, ULONG length_bytes,
	uint64_t *information)
{
	struct lf_file_call call = {
		.major = IRP_MJ_FILE_SYSTEM_CONTROL,
		.length_bytes = length_bytes,
		.control_code = code,
		.control = &worker->control,
	};

	return lf_file_call(worker, &lf_file_io_of(io)->flight, &call, information);
}

static NTSTATUS zero_piece(struct lf_file_worker *worker, struct lf_io *io, uint64_t *bytes)
{
	FILE_ZERO_DATA_INFORMATION *zero = &worker->control.zero;
	uint64_t from = io->offset_bytes + lf_file_io_of(io)->done_bytes, information;
	NTSTATUS status;

	*bytes = lf_min(io->offset_bytes + io->length_bytes - from, (uint64_t)LF_FILE_ZERO_BYTES);
	zero->FileOffset.QuadPart = (LONGLONG)from;
	zero->BeyondFinalZero.QuadPart = (LONGLONG)(from + *bytes);
	status = control(worker, io, FSCTL_SET_ZERO_DATA, sizeof(*zero), &information);
	return status;
}

static NTSTATUS trim(struct lf_file_worker *worker, struct lf_io *io, uint64_t *bytes)
{
	uint64_t information;

	worker->control.trim.key = 0;
	worker->control.trim.range_count = 1;
	worker->control.trim.offset_bytes = io->offset_bytes;
	worker->control.trim.length_bytes = io->length_bytes;
	*bytes = io->length_bytes;
	return control(worker, io, LEVEL_TRIM, sizeof(worker->control.trim), &information);
}

/*
 * The first range that takes room says how far that holds, or where it begins. A file system that cannot
 * tell: all of it takes room, which is never a wrong answer.
 */
static enum next map(struct lf_file_worker *worker, struct lf_io *io)
{
	FILE_ALLOCATED_RANGE_BUFFER *asked = &worker->control.ranges.asked,
				    *first = &worker->control.ranges.first;
	uint64_t information, from, end;
	NTSTATUS status;

	asked->FileOffset.QuadPart = (LONGLONG)io->offset_bytes;
	asked->Length.QuadPart = (LONGLONG)io->length_bytes;
	status = control(worker, io, FSCTL_QUERY_ALLOCATED_RANGES, sizeof(*asked), &information);
	if (lf_error_from_status(status) == LF_E_NO_MEMORY || is_unwanted(io))
		return failed(io, status);
	io->mapped = true;
	/* STATUS_BUFFER_OVERFLOW: there are more of them. */
	if (!NT_SUCCESS(status) && status != STATUS_BUFFER_OVERFLOW)
		return NEXT_DONE;
	io->mapped =
		information >= sizeof(*first) && (uint64_t)first->FileOffset.QuadPart <= io->offset_bytes;
	if (information < sizeof(*first))
		return NEXT_DONE;
	from = (uint64_t)first->FileOffset.QuadPart;
	end = io->mapped ? from + (uint64_t)first->Length.QuadPart : from;
	if (end > io->offset_bytes)
		io->length_bytes = lf_min(io->length_bytes, end - io->offset_bytes);
	return NEXT_DONE;
}

static enum next usage(const struct lf_store *store, struct lf_io *io)
{
	FILE_STANDARD_INFORMATION standard;
	FILE_FS_FULL_SIZE_INFORMATION size;
	IO_STATUS_BLOCK block;
	NTSTATUS status = ZwQueryInformationFile(
		(HANDLE)store->handle, &block, &standard, sizeof(standard), FileStandardInformation);

	if (NT_SUCCESS(status))
		status = ZwQueryVolumeInformationFile(
			(HANDLE)store->handle, &block, &size, sizeof(size), FileFsFullSizeInformation);
	if (!NT_SUCCESS(status))
		return failed(io, status);
	io->used_bytes = (uint64_t)standard.AllocationSize.QuadPart;
	io->available_bytes = (uint64_t)size.CallerAvailableAllocationUnits.QuadPart *
			      size.SectorsPerAllocationUnit * size.BytesPerSector;
	return NEXT_DONE;
}

static enum next step(struct lf_file_worker *worker, struct lf_io *io)
{
	uint64_t bytes = 0;
	NTSTATUS status;

	switch ((enum phase)lf_file_io_of(io)->flight.phase) {
	case PHASE_TRANSFER:
		status = lf_file_bounce(worker, io, &bytes);
		break;
	case PHASE_ZERO:
		status = zero_piece(worker, io, &bytes);
		break;
	case PHASE_WRITE_ZEROS:
		status = lf_file_write_zeros(worker, io, &bytes);
		break;
	case PHASE_TRIM:
		status = trim(worker, io, &bytes);
		break;
	case PHASE_MAP:
		return map(worker, io);
	case PHASE_USAGE:
		return usage(worker->store, io);
	default:
		lf_panic(__FILE__, __LINE__, "a step that is none");
	}
	return result(io, status, bytes);
}

/*
 * Past the cache a transfer is the disk's, and no thread has to wait for it. But through the cache it is a
 * copy, for which what is missing has to be read; and a write to a sparse file has to find room first. For
 * these somebody waits: this worker.
 */
static bool is_waited_for(const struct lf_store *store, const struct lf_io *io)
{
	return !store->unbuffered || (store->zeroes && io->op == LF_OP_WRITE);
}

static enum next transfer_direct(
	struct lf_file_worker *worker, struct lf_io *io, const struct lf_file_call *call, bool *begun)
{
	uint64_t bytes;
	NTSTATUS status;

	if (!is_waited_for(worker->store, io)) {
		*begun = lf_file_begin_transfer(io, call);
		return *begun ? NEXT_DONE : failed(io, STATUS_INSUFFICIENT_RESOURCES);
	}
	status = lf_file_call(worker, &lf_file_io_of(io)->flight, call, &bytes);
	return result(io, status, bytes);
}

void lf_file_carry_out(struct lf_file_worker *worker, struct lf_io *io)
{
	struct lf_file_call call = {0};
	bool begun = false;
	enum next next;

	do {
		if (lf_file_io_of(io)->flight.phase == PHASE_TRANSFER && lf_file_direct(io, &call))
			next = transfer_direct(worker, io, &call, &begun);
		else
			next = step(worker, io);
	} while (next == NEXT_STEP);
	if (!begun)
		proceed(io, next);
}

/* ---- faults ---- */

/* True: this one is logged; suppressed: how many of its kind were not since the last one that was. */
static bool may_log(struct lf_store *store, enum lf_error error, uint32_t *suppressed)
{
	struct lf_file_log *log = &store->logs[error];
	uint64_t now_ns = lf_time_ns();
	bool may;

	lf_lock(&store->lock);
	may = now_ns >= log->quiet_until_ns;
	*suppressed = log->suppressed;
	log->suppressed = may ? 0 : log->suppressed + 1;
	if (may)
		log->quiet_until_ns = now_ns + LOG_QUIET_NS;
	lf_unlock(&store->lock);
	return may;
}

void lf_file_log_fault(struct lf_store *store, const struct lf_io *io, enum lf_error error, NTSTATUS status)
{
	static const char *const names[] = {
		"read", "write", "flush", "zero", "unmap", "save", "map", "usage"};
	enum lf_op op = io ? io->op : LF_OP_FLUSH;
	uint64_t offset_bytes = io ? io->offset_bytes : 0, length_bytes = io ? io->length_bytes : 0;
	char more[64] = "";
	uint32_t suppressed;

	if (error == LF_E_ABORTED) /* somebody asked for it */
		return;
	lf_trace_store_fault(op, offset_bytes, error, (uint32_t)status);
	if (!may_log(store, error, &suppressed))
		return;
	if (suppressed > 0)
		lf_format(more, sizeof(more), "; so did %u more in the meantime", (unsigned)suppressed);
	lf_log(LF_LOG_ERROR, "%s: %s of %llu bytes at %llu failed: %s (status %08x)%s",
		lf_file_shown(store->path), names[op], (unsigned long long)length_bytes,
		(unsigned long long)offset_bytes,
		error == LF_E_RANGE ? "the file is shorter than it was" : lf_error_text(error),
		(unsigned)status, more);
}
