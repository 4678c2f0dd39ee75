/* SPDX-License-Identifier: BSD-2-Clause */
/* file_steps.c: an operation on a file as a row of system calls: short transfers, fallbacks, syncs, faults.
 */
#include "store/file.h"

#include "platform/linux.h"
#include "trace/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum phase {
	PHASE_TRANSFER,
	PHASE_ZERO_RANGE,
	PHASE_PUNCH,
	PHASE_WRITE_ZEROS,
	PHASE_SYNC,    /* it has to join those who want one */
	PHASE_SYNCING, /* it joined: as a leader, or it waits */
	PHASE_SAVE,
	PHASE_MAP,
	PHASE_USAGE,
	PHASE_RECORD, /* an atomic write: after PHASE_SYNC, before PHASE_TRANSFER and PHASE_SYNC again */
	PHASE_UNDO,   /* between these last two, when it cannot be finished */
	PHASE_RETIRE,
	PHASE_END,
};

/* One call moves at most 2 GiB less a page; a piece stays well below. */
#define PIECE_MAX_BYTES (1u << 30)
/* EAGAIN without RWF_NOWAIT: the host is short of something. */
#define RETRIES_MAX  100
#define ZEROS_BYTES  65536u
#define ZEROS_COUNT  16
#define LOG_QUIET_NS 60000000000u

/* What is written where a file system can neither punch nor zero a range. Never written to. */
static uint8_t zeros[ZEROS_BYTES];
#define ZEROS                                                                                                \
	{                                                                                                    \
		zeros, ZEROS_BYTES                                                                           \
	}
static const struct lf_segment zero_segments[ZEROS_COUNT] = {ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS,
	ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS, ZEROS};
#undef ZEROS

static bool learned(const bool *fact)
{
	return __atomic_load_n(fact, __ATOMIC_RELAXED);
}

static void learn(bool *fact)
{
	__atomic_store_n(fact, true, __ATOMIC_RELAXED);
}

static uint16_t zeroing_phase(struct lf_store *store, bool keep_room)
{
	if (keep_room && !learned(&store->no_zero_range))
		return PHASE_ZERO_RANGE;
	return learned(&store->no_punch) ? PHASE_WRITE_ZEROS : PHASE_PUNCH;
}

static uint16_t first_phase(struct lf_store *store, struct lf_io *io)
{
	switch (io->op) {
	case LF_OP_READ:
	case LF_OP_WRITE:
		if (io->atomic) /* what is recorded as old has to be what a crash leaves */
			return PHASE_SYNC;
		return io->length_bytes ? PHASE_TRANSFER : PHASE_END;
	case LF_OP_ZERO:
		return io->length_bytes ? zeroing_phase(store, true) : PHASE_END;
	case LF_OP_UNMAP:
		return io->length_bytes ? zeroing_phase(store, false) : PHASE_END;
	case LF_OP_FLUSH:
		return store->read_only ? PHASE_END : PHASE_SYNC;
	case LF_OP_SAVE:
		if (store->state_fd < 0)
			io->error = LF_E_UNSUPPORTED;
		else if (io->length_bytes > LF_STATE_MAX_BYTES)
			io->error = LF_E_INVALID;
		return io->error ? PHASE_END : PHASE_SAVE;
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
	lf_assert(!io->atomic || (io->op == LF_OP_WRITE && store->journal && io->length_bytes > 0 &&
					 io->length_bytes <= LF_ATOMIC_MAX_BYTES));
	io->error = LF_OK;
	file_io->undone = LF_OK;
	file_io->recorded = false;
	file_io->store = store;
	file_io->done_bytes = 0;
	file_io->retries = 0;
	file_io->phase = first_phase(store, io);
}

/*
 * The next stretch of segments: as many whole ones as fit in what remains, or a part of one. Segments may
 * hold more than the operation moves. skip_bytes: what earlier calls moved.
 */
static void set_stretch(struct lf_file_call *call, const struct lf_segment *segments, uint32_t segment_count,
	uint64_t skip_bytes, uint64_t remaining_bytes)
{
	uint32_t at = 0, count = 0;
	uint64_t whole_bytes = 0;

	while (skip_bytes > 0 && skip_bytes >= segments[at].length) {
		skip_bytes -= segments[at++].length;
		lf_assert(at < segment_count);
	}
	if (skip_bytes == 0) {
		while (at + count < segment_count && count < IOV_MAX &&
			segments[at + count].length <= remaining_bytes - whole_bytes)
			whole_bytes += segments[at + count++].length;
	}
	if (count > 1 && whole_bytes > 0) {
		call->vector = (const struct iovec *)(const void *)&segments[at];
		call->vector_count = count;
		call->length_bytes = whole_bytes;
		return;
	}
	/* An empty segment before the one to use was counted as whole. */
	while (segments[at].length == 0) {
		at++;
		lf_assert(at < segment_count);
	}
	call->vector = NULL;
	call->length_bytes = lf_min(segments[at].length - skip_bytes, remaining_bytes);
	call->length_bytes = lf_min(call->length_bytes, (uint64_t)PIECE_MAX_BYTES);
	call->piece.iov_base = (char *)segments[at].base + skip_bytes;
	call->piece.iov_len = call->length_bytes;
}

static void set_transfer(struct lf_file_call *call, const struct lf_io *io, const struct lf_file_io *file_io)
{
	call->kind = io->op == LF_OP_READ ? LF_FILE_READ : LF_FILE_WRITE;
	/* Not RWF_DSYNC for FUA: it takes the news of older pages' loss, which FLUSH then never hears. */
	call->flags = 0;
	set_stretch(call, io->segments, io->segment_count, file_io->done_bytes,
		io->length_bytes - file_io->done_bytes);
}

static void set_zeros(struct lf_file_call *call, const struct lf_io *io, const struct lf_file_io *file_io)
{
	call->kind = LF_FILE_WRITE;
	call->flags = 0;
	set_stretch(call, zero_segments, ZEROS_COUNT, 0, io->length_bytes - file_io->done_bytes);
}

bool lf_file_next(struct lf_io *io, struct lf_file_call *call)
{
	struct lf_file_io *file_io = lf_file_io_of(io);

	call->offset_bytes = io->offset_bytes + file_io->done_bytes;
	switch ((enum phase)file_io->phase) {
	case PHASE_TRANSFER:
		set_transfer(call, io, file_io);
		return true;
	case PHASE_ZERO_RANGE:
	case PHASE_PUNCH:
		call->kind = LF_FILE_FALLOCATE;
		call->length_bytes = io->length_bytes;
		call->flags = FALLOC_FL_KEEP_SIZE |
			      (file_io->phase == PHASE_PUNCH ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
		return true;
	case PHASE_WRITE_ZEROS:
		set_zeros(call, io, file_io);
		return true;
	case PHASE_SYNC:
		file_io->phase = PHASE_SYNCING;
		call->kind = LF_FILE_SYNC;
		return lf_file_sync_join(io);
	case PHASE_SYNCING:
		call->kind = LF_FILE_SYNC;
		return true;
	case PHASE_SAVE:
		call->kind = LF_FILE_SAVE;
		return true;
	case PHASE_MAP:
		call->kind = LF_FILE_MAP;
		return true;
	case PHASE_USAGE:
		call->kind = LF_FILE_USAGE;
		return true;
	case PHASE_RECORD:
		call->kind = LF_FILE_RECORD;
		return true;
	case PHASE_UNDO:
		call->kind = LF_FILE_UNDO;
		return true;
	case PHASE_RETIRE:
		call->kind = LF_FILE_RETIRE;
		return true;
	case PHASE_END:
		break;
	}
	io->done(io);
	return false;
}

/*
 * An atomic write that cannot be finished is undone, and that is made stable before its record is retired.
 * Where even that fails the record stays: whoever opens the file anew completes the write.
 */
static uint16_t phase_after_failure(struct lf_io *io)
{
	struct lf_file_io *file_io = lf_file_io_of(io);

	switch ((enum phase)file_io->phase) {
	case PHASE_TRANSFER:
		if (!io->atomic)
			break;
		file_io->undone = (uint8_t)io->error;
		io->error = LF_OK;
		return PHASE_UNDO;
	case PHASE_UNDO:
	case PHASE_RETIRE:
		lf_file_sync_give_up(file_io->store);
		break;
	default:
		break;
	}
	return PHASE_END;
}

static void fail(struct lf_io *io, enum lf_error error, int number)
{
	io->error = error;
	lf_file_log_fault(io, error, number);
	lf_file_io_of(io)->phase = phase_after_failure(io);
}

/* EOPNOTSUPP, or EINVAL as some file systems say it: the next best way to have zeros there. */
static bool fall_back(struct lf_io *io, int number)
{
	struct lf_file_io *file_io = lf_file_io_of(io);
	struct lf_store *store = file_io->store;

	if (file_io->phase == PHASE_ZERO_RANGE && (number == ENOSPC || number == EDQUOT)) {
		/* It wanted to keep room that there is not; a hole needs none. This once. */
		file_io->phase = learned(&store->no_punch) ? PHASE_WRITE_ZEROS : PHASE_PUNCH;
		return true;
	}
	if (number != EOPNOTSUPP && number != ENOSYS && number != EINVAL)
		return false;
	if (file_io->phase == PHASE_ZERO_RANGE)
		learn(&store->no_zero_range);
	else if (file_io->phase == PHASE_PUNCH)
		learn(&store->no_punch);
	else
		return false;
	file_io->phase = zeroing_phase(store, false);
	return true;
}

static bool is_worth_another_try(struct lf_io *io, int number)
{
	struct lf_file_io *file_io = lf_file_io_of(io);

	if (number == EINTR)
		return true;
	return number == EAGAIN && file_io->retries++ < RETRIES_MAX;
}

/*
 * A sync that was interrupted is made again. Any other error, also one that seems to pass, may have used up
 * the kernel's only report: it is the last word.
 */
static void sync_result(struct lf_io *io, int64_t result)
{
	if (result == -EINTR) {
		lf_trace_store_retried(io->op, io->offset_bytes, io->length_bytes, 0);
		return;
	}
	if (result < 0)
		fail(io, lf_error_from_errno((int)-result), (int)-result);
	lf_file_synced(io);
	lf_file_sync_end(io);
}

bool lf_file_synced(struct lf_io *io)
{
	struct lf_file_io *file_io = lf_file_io_of(io);

	if (!io->atomic || io->error)
		file_io->phase = PHASE_END;
	else
		file_io->phase = file_io->recorded ? PHASE_RETIRE : PHASE_RECORD;
	return file_io->phase != PHASE_END;
}

static bool wants_sync(const struct lf_io *io)
{
	return io->atomic ||
	       (io->fua && (io->op == LF_OP_WRITE || io->op == LF_OP_ZERO || io->op == LF_OP_UNMAP));
}

void lf_file_result(struct lf_io *io, int64_t result)
{
	struct lf_file_io *file_io = lf_file_io_of(io);

	if (file_io->phase == PHASE_SYNCING) {
		sync_result(io, result);
		return;
	}
	if (result < 0) {
		int number = (int)-result;
		if (!is_worth_another_try(io, number) && !fall_back(io, number))
			fail(io, lf_error_from_errno(number), number);
		else
			lf_trace_store_retried(io->op, io->offset_bytes, io->length_bytes, 0);
		return;
	}
	switch ((enum phase)file_io->phase) {
	case PHASE_TRANSFER:
	case PHASE_WRITE_ZEROS:
		if (result == 0) {
			/* The end of the file: somebody cut it short. */
			fail(io, LF_E_RANGE, 0);
			return;
		}
		file_io->done_bytes += (uint64_t)result;
		lf_assert(file_io->done_bytes <= io->length_bytes);
		if (file_io->done_bytes < io->length_bytes)
			return;
		break;
	case PHASE_RECORD:
		file_io->recorded = true;
		file_io->phase = PHASE_TRANSFER;
		return;
	case PHASE_RETIRE:
		io->error = (enum lf_error)file_io->undone;
		file_io->phase = PHASE_END;
		return;
	default:
		break;
	}
	file_io->phase = wants_sync(io) ? PHASE_SYNC : PHASE_END;
}

static int64_t transfer(int fd, const struct lf_file_call *call, int flags)
{
	const struct iovec *vector = call->vector ? call->vector : &call->piece;
	int count = call->vector ? (int)call->vector_count : 1;
	off_t offset = (off_t)call->offset_bytes;

	if (call->kind == LF_FILE_READ)
		return preadv2(fd, vector, count, offset, flags);
	return pwritev2(fd, vector, count, offset, flags);
}

/*
 * Where the run that begins at the operation's offset ends, by the file system's own map. A file system or
 * device without one, and whatever else goes wrong: all of it takes room, which is never a wrong answer.
 */
static int64_t map(struct lf_store *store, struct lf_io *io)
{
	off_t from = (off_t)io->offset_bytes, data = lseek(store->fd, from, SEEK_DATA);
	off_t end = data == from ? lseek(store->fd, from, SEEK_HOLE) : data;

	io->mapped = data == from || (data < 0 && errno != ENXIO);
	if (end > from)
		io->length_bytes = lf_min(io->length_bytes, (uint64_t)(end - from));
	return 0;
}

/*
 * A hole that is filled takes of the file system what any other file may take, too. One without a size (tmpfs
 * with size=0) has as much as anybody wants.
 */
static int64_t usage(const struct lf_store *store, struct lf_io *io)
{
	struct stat file;
	struct statvfs system;

	if (fstat(store->fd, &file) < 0 || fstatvfs(store->fd, &system) < 0)
		return -errno;
	io->used_bytes = (uint64_t)file.st_blocks * 512;
	io->available_bytes = system.f_blocks == 0 ? UINT64_MAX : (uint64_t)system.f_bavail * system.f_frsize;
	return 0;
}

int64_t lf_file_make_call(struct lf_io *io, const struct lf_file_call *call, int more_flags)
{
	struct lf_store *store = lf_file_io_of(io)->store;
	int64_t result = -1;

	switch (call->kind) {
	case LF_FILE_READ:
	case LF_FILE_WRITE:
		result = transfer(store->fd, call, call->flags | more_flags);
		break;
	case LF_FILE_SYNC:
		result = fdatasync(store->fd);
		break;
	case LF_FILE_FALLOCATE:
		result = fallocate(
			store->fd, call->flags, (off_t)call->offset_bytes, (off_t)call->length_bytes);
		break;
	case LF_FILE_SAVE:
		return lf_file_state_save(store, io);
	case LF_FILE_MAP:
		return map(store, io);
	case LF_FILE_USAGE:
		return usage(store, io);
	case LF_FILE_RECORD:
		return lf_file_journal_record(store, io);
	case LF_FILE_UNDO:
		return lf_file_journal_undo(store, io, lf_file_io_of(io)->done_bytes);
	case LF_FILE_RETIRE:
		return lf_file_journal_retire(store);
	}
	return result < 0 ? -errno : result;
}

void lf_file_log_fault(struct lf_io *io, enum lf_error error, int number)
{
	static const char *const names[] = {
		"read", "write", "flush", "zero", "unmap", "save", "map", "usage"};
	struct lf_store *store = lf_file_io_of(io)->store;
	struct lf_file_log *log = &store->logs[error];
	uint64_t now_ns = lf_time_ns();
	char more[64] = "";
	uint32_t suppressed;

	lf_trace_store_fault(io->op, io->offset_bytes, error, (uint64_t)number);
	pthread_mutex_lock(&store->log_lock);
	if (now_ns < log->quiet_until_ns) {
		log->suppressed++;
		pthread_mutex_unlock(&store->log_lock);
		return;
	}
	log->quiet_until_ns = now_ns + LOG_QUIET_NS;
	suppressed = log->suppressed;
	log->suppressed = 0;
	pthread_mutex_unlock(&store->log_lock);
	if (suppressed > 0)
		snprintf(more, sizeof(more), "; so did %" PRIu32 " more in the meantime", suppressed);
	lf_log(LF_LOG_ERROR, "%s: %s of %" PRIu64 " bytes at %" PRIu64 " failed: %s (%s)%s", store->path,
		names[io->op], io->length_bytes, io->offset_bytes,
		number ? lf_error_text(error) : "the file is shorter than it was",
		number ? lf_file_errno_name(number) : "end of file", more);
}
