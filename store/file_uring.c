/* SPDX-License-Identifier: BSD-2-Clause */
/* file_uring.c: the file store's first engine: the io_uring of the loop that the caller runs on. */
#include "store/file.h"

#include <liburing.h>

static void prepare(struct io_uring_sqe *sqe, int fd, const struct lf_file_call *call)
{
	switch (call->kind) {
	case LF_FILE_READ:
		if (call->vector)
			io_uring_prep_readv2(
				sqe, fd, call->vector, call->vector_count, call->offset_bytes, call->flags);
		else
			io_uring_prep_read(sqe, fd, call->piece.iov_base, (unsigned)call->piece.iov_len,
				call->offset_bytes);
		break;
	case LF_FILE_WRITE:
		if (call->vector) {
			io_uring_prep_writev2(
				sqe, fd, call->vector, call->vector_count, call->offset_bytes, call->flags);
		} else {
			io_uring_prep_write(sqe, fd, call->piece.iov_base, (unsigned)call->piece.iov_len,
				call->offset_bytes);
			sqe->rw_flags = call->flags;
		}
		break;
	case LF_FILE_SYNC:
		io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
		break;
	case LF_FILE_FALLOCATE:
		io_uring_prep_fallocate(
			sqe, fd, call->flags, (off_t)call->offset_bytes, (off_t)call->length_bytes);
		break;
	case LF_FILE_SAVE:
	case LF_FILE_MAP:
	case LF_FILE_USAGE:
	case LF_FILE_RECORD:
	case LF_FILE_UNDO:
	case LF_FILE_RETIRE:
		lf_panic(__FILE__, __LINE__, "the ring has no such call");
	}
}

/* On the loop's thread. */
static void completed(struct lf_completion *completion, int32_t result)
{
	struct lf_io *io = lf_file_io_back(lf_container(completion, struct lf_file_io, completion));
	struct lf_file_call call;

	lf_file_result(io, result);
	if (lf_file_next(io, &call))
		lf_file_go_on(io);
}

bool lf_file_uring_start(struct lf_io *io)
{
	struct lf_file_io *file_io = lf_file_io_of(io);
	struct lf_loop *loop = lf_loop_current();
	struct io_uring_sqe *sqe;
	struct lf_file_call call;
	bool more;

	if (!loop || lf_file_wants_thread(io))
		return false;
	file_io->completion.complete = completed;
	sqe = lf_loop_sqe(loop, &file_io->completion);
	if (!sqe)
		return false;
	more = lf_file_next(io, &call);
	lf_assert(more);
	prepare(sqe, file_io->store->fd, &call);
	if (call.kind == LF_FILE_WRITE && file_io->store->writes_wait)
		io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
	return true;
}
