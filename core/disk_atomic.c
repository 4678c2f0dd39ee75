/* SPDX-License-Identifier: BSD-2-Clause */
/* disk_atomic.c: COMPARE AND WRITE, ORWRITE and WRITE ATOMIC: whole, as seen by every other command. */
#include "core/handlers.h"

/* ---- COMPARE AND WRITE (SBC-4 5.3) ---- */

bool lf_compare_and_write_check(struct lf_lu *lu, struct lf_request *request, uint64_t *wanted)
{
	uint64_t blocks = lf_command_length(request);
	/* What was meant to be 256 has no room in its byte, as the data tells. */
	bool cut =
		blocks == 0 && request->offered_direction == LF_DIRECTION_OUT && request->offered_length > 0;

	if (cut || blocks > lf_compare_and_write_max(lu)) {
		lf_sense_invalid_field_in_cdb(request, request->command->length_at, LF_NO_BIT);
		return false;
	}
	*wanted = 2 * blocks << lu->block_shift;
	return blocks == 0 || lf_data_length_is(request, *wanted);
}

enum { COMPARE_READ, COMPARE_WRITE, COMPARE_END };

static bool compare_next(struct lf_lu *lu, struct lf_request *request);

static void compare_done(struct lf_io *io)
{
	lf_steps_done(io, compare_next);
}

/* The first half of the data is what has to be there, the second half what comes in its place. */
static bool compare_next(struct lf_lu *lu, struct lf_request *request)
{
	uint64_t lba = lf_command_lba(request), blocks = lf_command_length(request), at;
	uint64_t half = request->data_length / 2;

	if (request->step > COMPARE_READ && request->io.error != LF_OK) {
		lf_finish_error(request, request->step == COMPARE_END, lba);
		return false;
	}
	switch (request->step++) {
	case COMPARE_READ:
		lf_prepare_scratch(lu, request, LF_OP_READ, lba, blocks);
		break;
	case COMPARE_WRITE:
		if (!lf_request_compare(request, 0, request->scratch, half, &at)) {
			lf_sense_miscompare(request, at);
			lf_finish(request);
			return false;
		}
		lf_request_gather(request, half, request->scratch, half);
		lf_prepare_scratch(lu, request, LF_OP_WRITE, lba, blocks);
		request->io.fua = lf_wants_stable(lu, request);
		break;
	default:
		lf_finish_good(request, request->data_length);
		return false;
	}
	request->io.done = compare_done;
	return true;
}

void lf_compare_and_write(struct lf_lu *lu, struct lf_request *request)
{
	if (request->data_length == 0) {
		lf_finish_good(request, 0);
		return;
	}
	if (!lf_exclusive_get(lu, request) || !lf_scratch_get(lu, request))
		return;
	request->step = COMPARE_READ;
	lf_steps_run(lu, request, compare_next);
}

/* ---- ORWRITE (16) (SBC-4 5.15) ---- */

static uint64_t or_blocks(const struct lf_lu *lu, const struct lf_request *request)
{
	return request->data_length >> lu->block_shift;
}

/* What came joins what the scratch buffer has of the medium. */
static void or_piece(const struct lf_request *request, uint64_t from, uint64_t length_bytes)
{
	uint8_t *piece = request->scratch, came[512];

	for (uint64_t done = 0; done < length_bytes; done += sizeof(came)) {
		lf_request_gather(request, from + done, came, sizeof(came));
		for (uint32_t i = 0; i < sizeof(came); i++)
			piece[done + i] |= came[i];
	}
}

static bool or_next(struct lf_lu *lu, struct lf_request *request);

static void or_done(struct lf_io *io)
{
	lf_steps_done(io, or_next);
}

/* step: twice the pieces that were written, plus one when the next one was read. After the last, a flush. */
static bool or_next(struct lf_lu *lu, struct lf_request *request)
{
	struct lf_io *io = &request->io;
	uint64_t blocks = or_blocks(lu, request), most = LF_SCRATCH_BYTES >> lu->block_shift;
	uint64_t from = request->step / 2 * most;
	bool was_flush = io->op == LF_OP_FLUSH;

	if (request->step > 0 && io->error != LF_OK) {
		lf_finish_error(request, io->op != LF_OP_READ,
			was_flush ? LF_NO_INFORMATION : io->offset_bytes >> lu->block_shift);
		return false;
	}
	if (from >= blocks) {
		if (!was_flush && lf_wants_stable(lu, request)) {
			lf_prepare_flush(request, or_done);
			return true;
		}
		lf_finish_good(request, blocks << lu->block_shift);
		return false;
	}
	bool writes = request->step++ & 1;
	uint64_t now = lf_min(blocks - from, most);
	if (writes)
		or_piece(request, from << lu->block_shift, now << lu->block_shift);
	lf_prepare_scratch(
		lu, request, writes ? LF_OP_WRITE : LF_OP_READ, lf_command_lba(request) + from, now);
	io->done = or_done;
	return true;
}

void lf_orwrite(struct lf_lu *lu, struct lf_request *request)
{
	if (or_blocks(lu, request) == 0) {
		lf_finish_good(request, 0);
		return;
	}
	if (!lf_exclusive_get(lu, request) || !lf_scratch_get(lu, request))
		return;
	request->step = 0;
	request->io.op = LF_OP_READ; /* not a flush of the request's last use */
	lf_steps_run(lu, request, or_next);
}

/* ---- WRITE ATOMIC (16) (SBC-4 5.48) ---- */

/*
 * A loss of power may tear what a physical block holds beside the range, of which no record was made: so
 * atomic writes are of whole physical blocks.
 */
uint32_t lf_write_atomic_granularity(const struct lf_lu *lu)
{
	return lu->info.physical_block_size >> lu->block_shift;
}

bool lf_write_atomic_check(struct lf_lu *lu, struct lf_request *request, uint64_t *wanted)
{
	const struct lf_command *command = request->command;
	uint64_t granules = lf_write_atomic_granularity(lu) - 1u, length = lf_command_length(request);

	*wanted = length << lu->block_shift;
	if (*wanted <= lu->info.atomic_max_bytes && ((lf_command_lba(request) | length) & granules) == 0)
		return true;
	bool misplaced = (lf_command_lba(request) & granules) != 0;
	lf_sense_invalid_field_in_cdb(request, misplaced ? command->lba_at : command->length_at, LF_NO_BIT);
	return false;
}

/* All of the data came: less than that is refused before. The store sees to it that a crash changes nothing.
 */
void lf_write_atomic(struct lf_lu *lu, struct lf_request *request)
{
	if (request->data_length == 0) {
		lf_finish_good(request, 0);
		return;
	}
	if (!lf_exclusive_get(lu, request))
		return;
	lf_prepare_transfer(lu, request, LF_OP_WRITE, request->data_length);
	request->io.fua = lf_wants_stable(lu, request);
	request->io.atomic = true;
	request->io.done = lf_transfer_done;
	lf_lu_submit_io(lu, request);
}
