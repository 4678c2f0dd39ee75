/* SPDX-License-Identifier: BSD-2-Clause */
/* steps.c: how a command of several store operations goes from one to the next without recursion. */
#include "core/handlers.h"

/*
 * After each operation exactly one of two goes on: the thread that submitted it, when done ran before submit
 * returned, else the thread that done runs on. Each sets its bit; the second one to come goes on. The first
 * one touches the request no more: it may be gone by then.
 */
enum { TURN_RETURNED = 1, TURN_DONE = 2 };

void lf_steps_run(struct lf_lu *lu, struct lf_request *request,
	bool (*next)(struct lf_lu *lu, struct lf_request *request))
{
	for (;;) {
		if (!next(lu, request))
			return;
		/* Only now: one that has nothing left to do was carried out, and says so. */
		if (lf_request_is_aborted(request)) {
			lf_finish_aborted(request);
			return;
		}
		lf_atomic_store_u32(&request->turn, 0);
		lf_lu_submit_io(lu, request);
		if (!(lf_atomic_or_u32(&request->turn, TURN_RETURNED) & TURN_DONE))
			return;
	}
}

void lf_steps_done(struct lf_io *io, bool (*next)(struct lf_lu *lu, struct lf_request *request))
{
	struct lf_request *request = lf_container(io, struct lf_request, io);

	lf_check_io_done(io);
	if (lf_atomic_or_u32(&request->turn, TURN_DONE) & TURN_RETURNED)
		lf_steps_run(request->lu, request, next);
}

void lf_finish_error(struct lf_request *request, bool writing, uint64_t lba)
{
	if (request->io.error == LF_E_ABORTED && lf_request_is_aborted(request)) {
		lf_finish_aborted(request);
		return;
	}
	lf_sense_from_error(request, request->io.error, writing, lba);
	lf_finish(request);
}

void lf_prepare_flush(struct lf_request *request, void (*done)(struct lf_io *io))
{
	struct lf_io *io = &request->io;

	io->op = LF_OP_FLUSH;
	io->fua = false;
	io->offset_bytes = io->length_bytes = 0;
	io->segments = NULL;
	io->segment_count = 0;
	io->done = done;
}

void lf_prepare_transfer(
	const struct lf_lu *lu, struct lf_request *request, enum lf_op op, uint64_t length_bytes)
{
	struct lf_io *io = &request->io;

	io->op = op;
	io->fua = false;
	io->offset_bytes = lf_command_lba(request) << lu->block_shift;
	io->length_bytes = length_bytes;
	io->segments = request->segments;
	io->segment_count = request->segment_count;
}

void lf_prepare_scratch(
	const struct lf_lu *lu, struct lf_request *request, enum lf_op op, uint64_t lba, uint64_t blocks)
{
	struct lf_io *io = &request->io;

	request->scratch_segment.base = request->scratch;
	request->scratch_segment.length = LF_SCRATCH_BYTES;
	io->op = op;
	io->fua = false;
	io->offset_bytes = lba << lu->block_shift;
	io->length_bytes = blocks << lu->block_shift;
	io->segments = &request->scratch_segment;
	io->segment_count = 1;
}
