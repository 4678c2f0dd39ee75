/* SPDX-License-Identifier: BSD-2-Clause */
/* disk_verify.c: VERIFY and WRITE AND VERIFY (SBC-4 5.41 to 5.45): what is on the medium, read and compared.
 */
#include "core/handlers.h"

/* The BYTCHK field of VERIFY. WRITE AND VERIFY has its lower bit alone; the usage bits see to that. */
enum byte_check { CHECK_NOTHING = 0, CHECK_ALL = 1, CHECK_RESERVED = 2, CHECK_ONE_BLOCK = 3 };

static enum byte_check byte_check(const struct lf_request *request)
{
	return (enum byte_check)(request->cdb[1] >> 1 & 3);
}

bool lf_verify_check(struct lf_lu *lu, struct lf_request *request, uint64_t *wanted)
{
	uint64_t length = lf_command_length(request);

	switch (byte_check(request)) {
	case CHECK_NOTHING:
		*wanted = 0;
		return true;
	case CHECK_ALL:
		*wanted = length << lu->block_shift;
		return true;
	case CHECK_ONE_BLOCK:
		*wanted = length == 0 ? 0 : lu->info.block_size;
		return true;
	case CHECK_RESERVED:
		break;
	}
	lf_sense_invalid_field_in_cdb(request, 1, 2);
	return false;
}

/*
 * The piece of the medium in scratch, which begins so many bytes after the first one of the range, against
 * the data that came. False: *at is where in the range they differ.
 */
static bool compare_piece(
	const struct lf_lu *lu, const struct lf_request *request, uint64_t from, uint64_t *at)
{
	bool one = byte_check(request) == CHECK_ONE_BLOCK;
	uint64_t size = request->io.length_bytes, run = one ? lu->info.block_size : size;
	const uint8_t *piece = request->scratch;

	if (byte_check(request) == CHECK_NOTHING)
		return true;
	for (uint64_t done = 0; done < size; done += run) {
		if (lf_request_compare(request, one ? 0 : from, piece + done, run, at))
			continue;
		*at += from + done;
		return false;
	}
	return true;
}

/*
 * The first step makes the range stable, as reading back what only the host's page cache holds would prove
 * nothing: it writes, or it flushes. Then step - STEP_READ blocks were asked for.
 */
enum { STEP_WRITE, STEP_FLUSH, STEP_READ };

static bool verify_next(struct lf_lu *lu, struct lf_request *request);

static void verify_done(struct lf_io *io)
{
	lf_steps_done(io, verify_next);
}

static uint64_t blocks_to_verify(const struct lf_lu *lu, const struct lf_request *request)
{
	return request->command->data == LF_DATA_BLOCKS_OUT ? request->data_length >> lu->block_shift
							    : lf_command_length(request);
}

/* False when the command has ended: the operation before failed, or what it read is not what came. */
static bool check_step(struct lf_lu *lu, struct lf_request *request)
{
	const struct lf_io *io = &request->io;
	uint64_t from = io->offset_bytes - (lf_command_lba(request) << lu->block_shift), at;

	if (io->error != LF_OK) {
		lf_finish_error(request, io->op != LF_OP_READ,
			io->op == LF_OP_FLUSH ? LF_NO_INFORMATION : io->offset_bytes >> lu->block_shift);
		return false;
	}
	if (request->step <= STEP_READ || compare_piece(lu, request, from, &at))
		return true;
	lf_sense_miscompare(request, at);
	lf_finish(request);
	return false;
}

static bool verify_next(struct lf_lu *lu, struct lf_request *request)
{
	uint64_t blocks = blocks_to_verify(lu, request), lba = lf_command_lba(request);

	if (!check_step(lu, request))
		return false;
	if (request->step == STEP_WRITE) {
		lf_prepare_transfer(lu, request, LF_OP_WRITE, blocks << lu->block_shift);
		request->io.fua = true;
		request->io.done = verify_done;
		request->step = STEP_READ;
		return true;
	}
	if (request->step == STEP_FLUSH) {
		lf_prepare_flush(request, verify_done);
		request->step = STEP_READ;
		return true;
	}
	uint64_t seen = request->step - STEP_READ;
	if (seen == blocks) {
		lf_finish_good(request, request->data_length >> lu->block_shift << lu->block_shift);
		return false;
	}
	uint64_t now = lf_min(blocks - seen, (uint64_t)LF_SCRATCH_BYTES >> lu->block_shift);
	lf_prepare_scratch(lu, request, LF_OP_READ, lba + seen, now);
	request->io.done = verify_done;
	request->step += now;
	return true;
}

static void start(struct lf_lu *lu, struct lf_request *request, uint64_t first_step)
{
	if (blocks_to_verify(lu, request) == 0) {
		lf_finish_good(request, 0);
		return;
	}
	if (!lf_scratch_get(lu, request))
		return;
	request->step = first_step;
	request->io.error = LF_OK;
	lf_steps_run(lu, request, verify_next);
}

void lf_disk_verify(struct lf_lu *lu, struct lf_request *request)
{
	start(lu, request, lu->read_only ? STEP_READ : STEP_FLUSH);
}

void lf_disk_write_and_verify(struct lf_lu *lu, struct lf_request *request)
{
	start(lu, request, STEP_WRITE);
}
