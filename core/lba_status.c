/* SPDX-License-Identifier: BSD-2-Clause */
/* lba_status.c: GET LBA STATUS (SBC-4 5.6): which blocks take room in the backing file. */
#include "core/handlers.h"

#define HEADER          8
#define DESCRIPTOR      16
#define DESCRIPTORS_MAX 256u /* of one reply: bounds how long the command keeps the store busy */

enum { STATUS_MAPPED = 0, STATUS_DEALLOCATED = 1 };

static uint32_t descriptors_that_fit(const struct lf_request *request)
{
	if (request->data_length < HEADER + DESCRIPTOR)
		return 1; /* the length in the header is of what there is, not of what there is room for */
	return (uint32_t)lf_min((request->data_length - HEADER) / DESCRIPTOR, (uint64_t)DESCRIPTORS_MAX);
}

static void put_descriptor(
	const struct lf_request *request, uint32_t index, uint64_t lba, uint32_t blocks, uint8_t status)
{
	uint8_t bytes[DESCRIPTOR] = {0};

	lf_put_be64(bytes, lba);
	lf_put_be32(bytes + 8, blocks);
	bytes[12] = status;
	lf_reply_put(request, HEADER + (uint64_t)index * DESCRIPTOR, bytes, sizeof(bytes));
}

static void finish(struct lf_request *request, uint32_t count)
{
	uint8_t header[HEADER] = {0};

	/* PARAMETER DATA LENGTH counts from byte 4. */
	lf_put_be32(header, HEADER - 4 + count * DESCRIPTOR);
	lf_reply_put(request, 0, header, sizeof(header));
	lf_reply_finish(request, HEADER + (uint64_t)count * DESCRIPTOR);
}

/*
 * A block is deallocated only when all of it is; what the store cannot tell is mapped, and so is every block
 * of a unit that does not unmap (SBC-4 4.7.2). Returns blocks.
 */
static uint32_t describe_run(const struct lf_lu *lu, const struct lf_io *io, uint8_t *status)
{
	uint64_t block_mask = lu->info.block_size - 1, blocks = io->length_bytes >> lu->block_shift;

	*status = STATUS_MAPPED;
	if (io->error == LF_OK && !io->mapped && blocks > 0 && lu->info.can_unmap)
		*status = STATUS_DEALLOCATED;
	else
		blocks = (io->length_bytes + block_mask) >> lu->block_shift;
	return (uint32_t)lf_min(blocks, UINT32_MAX);
}

static bool status_next(struct lf_lu *lu, struct lf_request *request);

static void status_done(struct lf_io *io)
{
	lf_steps_done(io, status_next);
}

/* step: how many descriptors were asked for; io.offset_bytes is where the latest one begins. */
static bool status_next(struct lf_lu *lu, struct lf_request *request)
{
	struct lf_io *io = &request->io;
	uint64_t lba = lf_command_lba(request);

	if (request->step > 0) {
		uint8_t status;

		if (io->error != LF_OK && io->error != LF_E_UNSUPPORTED) {
			lf_finish_error(request, false, io->offset_bytes >> lu->block_shift);
			return false;
		}
		lba = io->offset_bytes >> lu->block_shift;
		uint32_t blocks = describe_run(lu, io, &status);
		put_descriptor(request, (uint32_t)request->step - 1, lba, blocks, status);
		lba += blocks;
	}
	if (lba >= lu->info.block_count || request->step == descriptors_that_fit(request)) {
		finish(request, (uint32_t)request->step);
		return false;
	}
	request->step++;
	io->op = LF_OP_MAP;
	io->fua = false;
	io->offset_bytes = lba << lu->block_shift;
	io->length_bytes = (lu->info.block_count - lba) << lu->block_shift;
	io->segments = NULL;
	io->segment_count = 0;
	io->done = status_done;
	return true;
}

void lf_get_lba_status(struct lf_lu *lu, struct lf_request *request)
{
	uint64_t lba = lf_command_lba(request);

	if (lba >= lu->info.block_count) {
		lf_sense_lba_out_of_range(request, lba);
		lf_finish(request);
		return;
	}
	request->step = 0;
	lf_steps_run(lu, request, status_next);
}
