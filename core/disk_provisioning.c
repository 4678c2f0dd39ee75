/* SPDX-License-Identifier: BSD-2-Clause */
/* disk_provisioning.c: UNMAP and WRITE SAME (SBC-4 4.7, 5.30, 5.47). */
#include "core/handlers.h"

static void finish_failed(const struct lf_lu *lu, struct lf_request *request)
{
	const struct lf_io *io = &request->io;

	lf_finish_error(request, true,
		io->op == LF_OP_FLUSH ? LF_NO_INFORMATION : io->offset_bytes >> lu->block_shift);
}

/* After the last operation: one flush for all of them when they have to be stable; false when it ended. */
static bool flush_or_finish(
	const struct lf_lu *lu, struct lf_request *request, void (*done)(struct lf_io *io))
{
	if (request->step > 0 && request->io.op != LF_OP_FLUSH && lf_wants_stable(lu, request)) {
		lf_prepare_flush(request, done);
		return true;
	}
	lf_finish_good(request, request->data_wanted);
	return false;
}

/* ---- UNMAP ---- */

#define LIST_HEADER 8
#define DESCRIPTOR  16

/*
 * step: how many descriptors there are above the low half, the next one in it. An initiator that shares its
 * memory with us may change the list while we look at it, so whatever was checked is not read twice.
 */
#define STEP(count, index) ((uint64_t)(count) << 32 | (index))

/* Reads a descriptor; false when its range does not exist. */
static bool read_descriptor(const struct lf_lu *lu, const struct lf_request *request, uint32_t index,
	uint64_t *lba, uint64_t *blocks)
{
	uint8_t bytes[DESCRIPTOR];

	lf_request_gather(request, LIST_HEADER + (uint64_t)index * DESCRIPTOR, bytes, sizeof(bytes));
	*lba = lf_get_be64(bytes);
	*blocks = lf_get_be32(bytes + 8);
	return *lba <= lu->info.block_count && *blocks <= lu->info.block_count - *lba;
}

/* All of the list, before anything changes. False when it has set CHECK CONDITION. */
static bool check_list(const struct lf_lu *lu, struct lf_request *request, uint32_t *count)
{
	uint8_t header[LIST_HEADER];
	uint64_t lba, blocks;

	if (request->data_wanted < LIST_HEADER) {
		lf_sense_list_length_error(request);
		return false;
	}
	lf_request_gather(request, 0, header, sizeof(header));
	uint32_t descriptors_bytes = lf_get_be16(header + 2);
	if (LIST_HEADER + descriptors_bytes > request->data_wanted) {
		lf_sense_list_length_error(request);
		return false;
	}
	if (lf_get_be16(header) < descriptors_bytes + LIST_HEADER - 2) { /* UNMAP DATA LENGTH */
		lf_sense_invalid_field_in_list(request, 0, LF_NO_BIT);
		return false;
	}
	*count = descriptors_bytes / DESCRIPTOR; /* one that is not complete is ignored */
	if (*count > LF_UNMAP_DESCRIPTORS_MAX) {
		lf_sense_invalid_field_in_list(request, 2, LF_NO_BIT);
		return false;
	}
	for (uint32_t i = 0; i < *count; i++) {
		if (read_descriptor(lu, request, i, &lba, &blocks))
			continue;
		lf_sense_lba_out_of_range(request, lf_max(lba, lu->info.block_count));
		return false;
	}
	return true;
}

static bool unmap_next(struct lf_lu *lu, struct lf_request *request);

static void unmap_done(struct lf_io *io)
{
	lf_steps_done(io, unmap_next);
}

static bool unmap_next(struct lf_lu *lu, struct lf_request *request)
{
	struct lf_io *io = &request->io;
	uint32_t count = (uint32_t)(request->step >> 32), index = (uint32_t)request->step;
	uint64_t lba, blocks = 0;

	if (index > 0 && io->error != LF_OK) {
		finish_failed(lu, request);
		return false;
	}
	while (index < count && blocks == 0) {
		if (!read_descriptor(lu, request, index++, &lba, &blocks)) {
			lf_sense_lba_out_of_range(request, lf_max(lba, lu->info.block_count));
			lf_finish(request);
			return false;
		}
	}
	if (blocks == 0)
		return flush_or_finish(lu, request, unmap_done);
	request->step = STEP(count, index);
	io->op = LF_OP_UNMAP;
	io->fua = false;
	io->offset_bytes = lba << lu->block_shift;
	io->length_bytes = blocks << lu->block_shift;
	io->segments = NULL;
	io->segment_count = 0;
	io->done = unmap_done;
	return true;
}

void lf_unmap(struct lf_lu *lu, struct lf_request *request)
{
	uint32_t count;

	if (request->data_wanted == 0) {
		lf_finish_good(request, 0);
		return;
	}
	if (!check_list(lu, request, &count)) {
		lf_finish(request);
		return;
	}
	request->step = STEP(count, 0);
	request->io.error = LF_OK;
	lf_steps_run(lu, request, unmap_next);
}

/* ---- WRITE SAME ---- */

#define WRITE_SAME_16    0x93
#define WRITE_SAME_UNMAP 0x08
#define WRITE_SAME_NDOB  0x01

/* Zeros, and no data comes. */
static bool has_no_data(const struct lf_request *request)
{
	return request->cdb[0] == WRITE_SAME_16 && (request->cdb[1] & WRITE_SAME_NDOB);
}

bool lf_write_same_check(struct lf_lu *lu, struct lf_request *request, uint64_t *wanted)
{
	if ((request->cdb[1] & WRITE_SAME_UNMAP) && !lu->info.can_unmap) {
		lf_sense_invalid_field_in_cdb(request, 1, 3);
		return false;
	}
	uint64_t blocks = lf_command_length(request);
	if (blocks == 0 || blocks > LF_WRITE_SAME_MAX_BLOCKS) { /* zero is not the rest of the unit: WSNZ */
		lf_sense_invalid_field_in_cdb(request, request->command->length_at, LF_NO_BIT);
		return false;
	}
	*wanted = has_no_data(request) ? 0 : lu->info.block_size;
	return *wanted == 0 || lf_data_length_is(request, *wanted);
}

static bool is_zero(const struct lf_request *request)
{
	uint64_t words[32], any = 0;

	for (uint64_t at = 0; at < request->data_wanted && any == 0; at += sizeof(words)) {
		lf_request_gather(request, at, words, sizeof(words));
		for (uint32_t i = 0; i < lf_count_of(words); i++)
			any |= words[i];
	}
	return any == 0;
}

static bool same_next(struct lf_lu *lu, struct lf_request *request);

static void same_done(struct lf_io *io)
{
	lf_steps_done(io, same_next);
}

/* step: blocks that were written. A step of zeros is one operation, a step of anything else a scratch buffer.
 */
static bool same_next(struct lf_lu *lu, struct lf_request *request)
{
	struct lf_io *io = &request->io;
	uint64_t left = lf_command_length(request) - request->step;

	if (request->step > 0 && io->error != LF_OK) {
		finish_failed(lu, request);
		return false;
	}
	if (left == 0)
		return flush_or_finish(lu, request, same_done);
	io->fua = false;
	io->offset_bytes = (lf_command_lba(request) + request->step) << lu->block_shift;
	io->done = same_done;
	if (request->scratch == NULL) {
		/* Room is given back only where that reads as the zeros that were asked for. */
		bool unmap = (request->cdb[1] & WRITE_SAME_UNMAP) && lu->info.unmap_reads_zero;
		io->op = unmap ? LF_OP_UNMAP : LF_OP_ZERO;
		io->segments = NULL;
		io->segment_count = 0;
	} else {
		left = lf_min(left, (uint64_t)LF_SCRATCH_BYTES >> lu->block_shift);
		io->op = LF_OP_WRITE;
		request->scratch_segment.base = request->scratch;
		request->scratch_segment.length = LF_SCRATCH_BYTES;
		io->segments = &request->scratch_segment;
		io->segment_count = 1;
	}
	io->length_bytes = left << lu->block_shift;
	request->step += left;
	return true;
}

void lf_write_same(struct lf_lu *lu, struct lf_request *request)
{
	request->step = 0;
	if (request->data_wanted > 0 && (request->scratch != NULL || !is_zero(request))) {
		if (!lf_scratch_get(lu, request))
			return;
		uint64_t size = lu->info.block_size;
		uint64_t room = lf_min(LF_SCRATCH_BYTES, lf_command_length(request) << lu->block_shift);
		lf_request_gather(request, 0, request->scratch, size);
		for (uint64_t at = size; at < room; at += size)
			memcpy((char *)request->scratch + at, request->scratch, (size_t)size);
	}
	lf_steps_run(lu, request, same_next);
}
