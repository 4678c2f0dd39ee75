/* SPDX-License-Identifier: BSD-2-Clause */
/* disk.c: READ, WRITE, SYNCHRONIZE CACHE and READ CAPACITY of a direct access device (SBC-4). */
#include "core/handlers.h"

#define FUA 0x08 /* byte 1 of READ and WRITE (10), (12), (16) */

static struct lf_request *request_of(struct lf_io *io)
{
	return lf_container(io, struct lf_request, io);
}

static bool has_fua(const struct lf_request *request)
{
	return (request->command->flags & LF_CMD_FUA) && (request->cdb[1] & FUA);
}

bool lf_wants_stable(const struct lf_lu *lu, const struct lf_request *request)
{
	return has_fua(request) || !lf_atomic_load_u32(&lu->write_cache);
}

/*
 * The store says that the range failed, not where in it: the first block of it is named, as the first one
 * that is not known to be good.
 */
void lf_transfer_done(struct lf_io *io)
{
	struct lf_request *request = request_of(io);

	lf_check_io_done(io);
	if (io->error == LF_OK)
		lf_finish_good(request, io->length_bytes);
	else
		lf_finish_error(request, io->op == LF_OP_WRITE, lf_command_lba(request));
}

/* ---- READ ---- */

enum { READ_FUA_FLUSH, READ_FUA_READ, READ_FUA_END };

static bool read_fua_next(struct lf_lu *lu, struct lf_request *request);

static void read_fua_done(struct lf_io *io)
{
	lf_steps_done(io, read_fua_next);
}

/* FUA: what is read has to be on the medium (SBC-4 4.15): what the cache holds is made stable first. */
static bool read_fua_next(struct lf_lu *lu, struct lf_request *request)
{
	if (request->step > READ_FUA_FLUSH && request->io.error != LF_OK) {
		bool is_flush = request->step == READ_FUA_READ;
		lf_finish_error(request, is_flush, is_flush ? LF_NO_INFORMATION : lf_command_lba(request));
		return false;
	}
	switch (request->step++) {
	case READ_FUA_FLUSH:
		lf_prepare_flush(request, read_fua_done);
		return true;
	case READ_FUA_READ:
		lf_prepare_transfer(
			lu, request, LF_OP_READ, request->data_length >> lu->block_shift << lu->block_shift);
		request->io.fua = false;
		request->io.done = read_fua_done;
		return true;
	default:
		lf_finish_good(request, request->io.length_bytes);
		return false;
	}
}

void lf_disk_read(struct lf_lu *lu, struct lf_request *request)
{
	uint64_t length = request->data_length >> lu->block_shift << lu->block_shift;

	if (length == 0) { /* no blocks, or no room for one */
		lf_finish_good(request, 0);
		return;
	}
	if (has_fua(request) && !lu->read_only) {
		request->step = READ_FUA_FLUSH;
		lf_steps_run(lu, request, read_fua_next);
		return;
	}
	lf_prepare_transfer(lu, request, LF_OP_READ, length);
	request->io.fua = false;
	request->io.done = lf_transfer_done;
	lf_lu_submit_io(lu, request);
}

/* ---- WRITE ---- */

void lf_disk_write(struct lf_lu *lu, struct lf_request *request)
{
	uint64_t length = request->data_length >> lu->block_shift << lu->block_shift;

	if (length == 0) {
		lf_finish_good(request, 0);
		return;
	}
	lf_prepare_transfer(lu, request, LF_OP_WRITE, length);
	request->io.fua = lf_wants_stable(lu, request);
	request->io.done = lf_transfer_done;
	lf_lu_submit_io(lu, request);
}

/* ---- SYNCHRONIZE CACHE ---- */

static void synchronize_done(struct lf_io *io)
{
	struct lf_request *request = request_of(io);

	lf_check_io_done(io);
	if (io->error == LF_OK)
		lf_finish_good(request, 0);
	else
		lf_finish_error(request, true, LF_NO_INFORMATION);
}

/*
 * The whole cache, whatever the range. With IMMED the status still comes after it: nothing forbids that, and
 * it means the same to everyone. A read-only unit has nothing to write, and clients flush it blindly.
 */
void lf_disk_synchronize(struct lf_lu *lu, struct lf_request *request)
{
	if (lu->read_only) {
		lf_finish_good(request, 0);
		return;
	}
	lf_prepare_flush(request, synchronize_done);
	lf_lu_submit_io(lu, request);
}

/* ---- PRE-FETCH ---- */

/*
 * GOOD says that the blocks are not promised to be in the cache, CONDITION MET would say that they are
 * (SBC-4 5.16). The host reads ahead better than we could tell it to.
 */
void lf_disk_prefetch(struct lf_lu *lu, struct lf_request *request)
{
	(void)lu;
	lf_finish_good(request, 0);
}

/* ---- READ CAPACITY ---- */

/* LOGICAL BLOCK ADDRESS is zero without PMI; with it, there is no delay anywhere short of the last block. */
static bool check_capacity_field(const struct lf_lu *lu, struct lf_request *request, bool pmi)
{
	uint64_t lba = lf_command_lba(request);

	if (!pmi && lba != 0) {
		lf_sense_invalid_field_in_cdb(request, request->command->lba_at, LF_NO_BIT);
		return false;
	}
	if (lba >= lu->info.block_count) {
		lf_sense_lba_out_of_range(request, lba);
		return false;
	}
	return true;
}

void lf_read_capacity_10(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t reply[8];

	if (!check_capacity_field(lu, request, request->cdb[8] & 0x01)) {
		lf_finish(request);
		return;
	}
	lf_put_be32(reply, (uint32_t)lf_min(lu->info.block_count - 1, (uint64_t)UINT32_MAX));
	lf_put_be32(reply + 4, lu->info.block_size);
	lf_finish_reply(request, reply, sizeof(reply));
}

void lf_read_capacity_16(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t reply[32] = {0};
	uint8_t exponent = 0;

	if (!check_capacity_field(lu, request, request->cdb[14] & 0x01)) {
		lf_finish(request);
		return;
	}
	while (lu->info.block_size << (exponent + 1) <= lu->info.physical_block_size)
		exponent++;
	lf_put_be64(reply, lu->info.block_count - 1);
	lf_put_be32(reply + 8, lu->info.block_size);
	reply[13] = exponent; /* LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT */
	if (lu->info.can_unmap)
		reply[14] = (uint8_t)(0x80 | (lu->info.unmap_reads_zero ? 0x40 : 0)); /* LBPME, LBPRZ */
	lf_finish_reply(request, reply, sizeof(reply));
}
