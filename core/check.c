/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c: the contract between edge, core and store, asserted: debug and test builds have it (LF_CHECKED).
 */
#include "core/core.h"

#ifdef LF_CHECKED

/* Where a request is; a fresh one is zero. What is not one of these was written over. */
enum lf_check_state {
	LF_CHECK_IDLE = 0,
	LF_CHECK_BEGINNING = 0x6c660001, /* within lf_begin */
	LF_CHECK_BEGUN = 0x6c660002,     /* the edge gathers */
	LF_CHECK_SUBMITTED = 0x6c660003,
	LF_CHECK_AT_STORE = 0x6c660004,
};

/* Calls of done that this thread is in: done must not come back into the core. */
static _Thread_local uint32_t lf_check_within_done;

void lf_check_begin(struct lf_request *request)
{
	lf_assert(lf_check_within_done == 0);
	lf_assert(request->checked == LF_CHECK_IDLE);
	lf_assert(request->done != NULL && request->nexus != NULL);
	lf_assert(request->cdb_length <= LF_CDB_MAX);
	request->checked = LF_CHECK_BEGINNING;
}

void lf_check_begun(struct lf_request *request)
{
	lf_assert(request->checked == LF_CHECK_BEGINNING);
	lf_assert((request->direction == LF_DIRECTION_NONE) == (request->data_wanted == 0));
	lf_assert(request->command != NULL && request->task != NULL && request->lu != NULL);
	request->checked = LF_CHECK_BEGUN;
}

void lf_check_submit(struct lf_request *request)
{
	uint64_t room = 0;

	lf_assert(lf_check_within_done == 0);
	lf_assert(request->checked == LF_CHECK_BEGUN);
	lf_assert(request->data_length <= request->data_wanted);
	for (uint32_t i = 0; i < request->segment_count; i++)
		room += request->segments[i].length;
	lf_assert(request->data_length == 0 || room >= request->data_length);
	request->checked = LF_CHECK_SUBMITTED;
}

void lf_check_finish(struct lf_request *request)
{
	/* From within lf_begin, or after lf_submit; never twice, never while the store has the io. */
	lf_assert(request->checked == LF_CHECK_BEGINNING || request->checked == LF_CHECK_SUBMITTED);
	lf_assert((request->status == LF_STATUS_CHECK_CONDITION) == (request->sense_length > 0));
	lf_assert(request->sense_length <= LF_SENSE_MAX);
	lf_assert(request->direction != LF_DIRECTION_IN || request->data_moved <= request->data_length);
	lf_assert(request->data_moved <= request->data_wanted);
	request->checked = LF_CHECK_IDLE;
}

void lf_check_io(const struct lf_lu *lu, struct lf_request *request)
{
	const struct lf_io *io = &request->io;
	uint64_t size = lu->info.block_size, room = 0;

	lf_assert(lf_check_within_done == 0);
	lf_assert(request->checked == LF_CHECK_SUBMITTED && io->done != NULL);
	switch (io->op) {
	case LF_OP_READ:
	case LF_OP_WRITE:
		for (uint32_t i = 0; i < io->segment_count; i++)
			room += io->segments[i].length;
		lf_assert(io->length_bytes > 0 && room >= io->length_bytes);
		lf_assert(
			!io->atomic || (io->op == LF_OP_WRITE && lu->exclusive == &request->task->exclusive &&
					       io->length_bytes <= lu->info.atomic_max_bytes));
		/* fall through */
	case LF_OP_ZERO:
	case LF_OP_UNMAP:
	case LF_OP_MAP:
		lf_assert(io->offset_bytes % size == 0 && io->length_bytes % size == 0);
		lf_assert(io->offset_bytes / size <= lu->info.block_count &&
			  io->length_bytes / size <= lu->info.block_count - io->offset_bytes / size);
		lf_assert(io->op == LF_OP_READ || io->op == LF_OP_MAP || !lu->read_only);
		break;
	case LF_OP_USAGE:
		lf_assert(lu->info.tells_usage);
		/* fall through */
	case LF_OP_FLUSH:
		lf_assert(io->offset_bytes == 0 && io->length_bytes == 0);
		break;
	case LF_OP_SAVE:
		break;
	}
	request->checked = LF_CHECK_AT_STORE;
}

void lf_check_io_done(struct lf_io *io)
{
	struct lf_request *request = lf_container(io, struct lf_request, io);

	lf_assert(request->checked == LF_CHECK_AT_STORE);
	request->checked = LF_CHECK_SUBMITTED;
}

void lf_check_enter_done(void)
{
	lf_check_within_done++;
}

void lf_check_leave_done(void)
{
	lf_check_within_done--;
}

#endif
