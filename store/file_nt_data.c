/* SPDX-License-Identifier: BSD-2-Clause */
/* file_nt_data.c: where the data of a transfer lies: as it is to the file system, or through a buffer. */
#include "store/file_nt.h"

/* How much a partial MDL may describe at most: its size is a short. */
#define DIRECT_MAX_BYTES (8u << 20)

static uint64_t whole_sectors(const struct lf_store *store, uint64_t bytes)
{
	return bytes / store->sector_bytes * store->sector_bytes;
}

static bool lies_in_mdl(const struct lf_io *io)
{
	return io->segment_count > 0 && io->segments[0].base == NULL;
}

/* Where the rest of the data begins in the address space of whoever made the MDL. */
static char *address_in_mdl(struct lf_io *io)
{
	const struct lf_nt_io *nt = lf_nt_io_of(&io->platform);

	return (char *)MmGetMdlVirtualAddress(nt->mdl) + nt->mdl_offset + lf_file_io_of(io)->done_bytes;
}

static void build_partial(struct lf_io *io, uint64_t length_bytes)
{
	struct lf_nt_io *nt = lf_nt_io_of(&io->platform);
	void *anywhere = (void *)(uintptr_t)(PAGE_SIZE - 1); /* it may have to reach over one page more */

	MmInitializeMdl(nt->partial, anywhere, lf_min(nt->partial_bytes, (uint64_t)DIRECT_MAX_BYTES));
	IoBuildPartialMdl(nt->mdl, nt->partial, address_in_mdl(io), (ULONG)length_bytes);
}

bool lf_file_direct(struct lf_io *io, struct lf_file_call *call)
{
	struct lf_file_io *file_io = lf_file_io_of(io);
	const struct lf_store *store = file_io->store;
	const struct lf_nt_io *nt = lf_nt_io_of(&io->platform);
	uint64_t length_bytes, most_bytes;

	if (!lies_in_mdl(io) || ((uintptr_t)address_in_mdl(io) & store->align_mask) != 0)
		return false;
	most_bytes = whole_sectors(store, lf_min(nt->partial_bytes, (uint64_t)DIRECT_MAX_BYTES));
	length_bytes = lf_min(io->length_bytes - file_io->done_bytes, most_bytes);
	if (length_bytes == 0 || length_bytes % store->sector_bytes != 0)
		return false;
	build_partial(io, length_bytes);
	call->major = io->op == LF_OP_READ ? IRP_MJ_READ : IRP_MJ_WRITE;
	call->mdl = nt->partial;
	call->offset_bytes = io->offset_bytes + file_io->done_bytes;
	call->length_bytes = (ULONG)length_bytes;
	return true;
}

/* Between the buffer and the segments, from done_bytes on. */
static void copy_segments(struct lf_io *io, uint8_t *buffer, uint64_t length_bytes)
{
	const struct lf_segment *segment = io->segments;
	uint64_t skip_bytes = lf_file_io_of(io)->done_bytes;

	while (skip_bytes >= segment->length)
		skip_bytes -= segment++->length;
	while (length_bytes > 0) {
		char *there = (char *)segment->base + skip_bytes;
		size_t count = (size_t)lf_min(length_bytes, segment->length - skip_bytes);
		if (io->op == LF_OP_READ)
			memcpy(there, buffer, count);
		else
			memcpy(buffer, there, count);
		buffer += count;
		length_bytes -= count;
		skip_bytes = 0;
		segment++;
	}
}

/* False: the pages cannot be mapped just now. */
static bool copy_mdl(struct lf_io *io, uint8_t *buffer, uint64_t length_bytes)
{
	struct lf_nt_io *nt = lf_nt_io_of(&io->platform);
	void *there;

	build_partial(io, length_bytes);
	there = MmGetSystemAddressForMdlSafe(nt->partial, NormalPagePriority | LF_NT_MAP_NO_EXECUTE);
	if (there && io->op == LF_OP_READ)
		memcpy(there, buffer, (size_t)length_bytes);
	else if (there)
		memcpy(buffer, there, (size_t)length_bytes);
	MmPrepareMdlForReuse(nt->partial);
	return there != NULL;
}

static bool copy(struct lf_io *io, uint8_t *buffer, uint64_t length_bytes)
{
	if (lies_in_mdl(io))
		return copy_mdl(io, buffer, length_bytes);
	copy_segments(io, buffer, length_bytes);
	return true;
}

static NTSTATUS call_with_bounce(struct lf_file_worker *worker, struct lf_io *io, UCHAR major,
	uint64_t length_bytes, uint64_t *information)
{
	struct lf_file_io *file_io = lf_file_io_of(io);
	struct lf_file_call call = {
		.major = major,
		.mdl = (MDL *)(void *)worker->bounce_mdl,
		.offset_bytes = io->offset_bytes + file_io->done_bytes,
		.length_bytes = (ULONG)length_bytes,
	};

	call.mdl->ByteCount = call.length_bytes;
	return lf_file_call(worker, &file_io->flight, &call, information);
}

NTSTATUS lf_file_bounce(struct lf_file_worker *worker, struct lf_io *io, uint64_t *information)
{
	uint64_t most_bytes = LF_FILE_BOUNCE_BYTES, length_bytes;
	NTSTATUS status;

	if (lies_in_mdl(io)) /* which is copied by way of the partial MDL */
		most_bytes = whole_sectors(lf_file_io_of(io)->store,
			lf_min(most_bytes, lf_nt_io_of(&io->platform)->partial_bytes));
	length_bytes = lf_min(io->length_bytes - lf_file_io_of(io)->done_bytes, most_bytes);
	lf_assert(length_bytes > 0);
	*information = 0;
	if (io->op != LF_OP_READ && !copy(io, worker->bounce, length_bytes))
		return STATUS_INSUFFICIENT_RESOURCES;
	status = call_with_bounce(
		worker, io, io->op == LF_OP_READ ? IRP_MJ_READ : IRP_MJ_WRITE, length_bytes, information);
	/* A partial MDL of no bytes would be one of all that is left. */
	if (NT_SUCCESS(status) && io->op == LF_OP_READ && *information > 0 &&
		!copy(io, worker->bounce, *information))
		return STATUS_INSUFFICIENT_RESOURCES;
	return status;
}

NTSTATUS lf_file_write_zeros(struct lf_file_worker *worker, struct lf_io *io, uint64_t *information)
{
	uint64_t left_bytes = io->length_bytes - lf_file_io_of(io)->done_bytes;
	uint64_t length_bytes = lf_min(left_bytes, (uint64_t)LF_FILE_BOUNCE_BYTES);

	memset(worker->bounce, 0, (size_t)length_bytes);
	return call_with_bounce(worker, io, IRP_MJ_WRITE, length_bytes, information);
}
