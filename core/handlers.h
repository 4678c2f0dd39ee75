/* SPDX-License-Identifier: BSD-2-Clause */
/* handlers.h: what carries the commands out, named by commands.def, and what handlers share. */
#ifndef LF_CORE_HANDLERS_H
#define LF_CORE_HANDLERS_H

#include "core/core.h"

/* WRITE SAME and UNMAP limits, as VPD page B0h says them. */
#define LF_WRITE_SAME_MAX_BLOCKS 65535u
#define LF_UNMAP_DESCRIPTORS_MAX 256u

/* MAXIMUM COMPARE AND WRITE LENGTH, blocks: what is on the medium has to fit in a scratch buffer. */
static inline uint32_t lf_compare_and_write_max(const struct lf_lu *lu)
{
	return lf_min((uint32_t)LF_SCRATCH_BYTES >> lu->block_shift, UINT8_MAX);
}

/* primary.c */
void lf_test_unit_ready(struct lf_lu *lu, struct lf_request *request);
void lf_request_sense(struct lf_lu *lu, struct lf_request *request);
void lf_report_luns(struct lf_lu *lu, struct lf_request *request);
void lf_send_diagnostic(struct lf_lu *lu, struct lf_request *request);
/* opcodes.c */
void lf_report_operation_codes(struct lf_lu *lu, struct lf_request *request);
/* tmf.c */
void lf_report_task_management(struct lf_lu *lu, struct lf_request *request);
/* inquiry.c */
void lf_inquiry(struct lf_lu *lu, struct lf_request *request);
/* pages.c */
void lf_mode_sense(struct lf_lu *lu, struct lf_request *request);
/*
 * Methods of reporting informational exceptions (SPC-4 7.5.10, MRIE). take: true when one is to be told by
 * this method, and it is told by that.
 */
enum lf_exception_method {
	LF_EXCEPTION_NONE,
	LF_EXCEPTION_EVENT, /* asynchronous events: obsolete, nothing is told */
	LF_EXCEPTION_UNIT_ATTENTION,
	LF_EXCEPTION_RECOVERED_IF_ALLOWED, /* PER of page 01h would allow it, and is zero */
	LF_EXCEPTION_RECOVERED,
	LF_EXCEPTION_NO_SENSE,
	LF_EXCEPTION_ON_REQUEST, /* only REQUEST SENSE tells */
	LF_EXCEPTION_COUNT
};
bool lf_exception_take(struct lf_lu *lu, enum lf_exception_method method);
/* log.c */
void lf_log_sense(struct lf_lu *lu, struct lf_request *request);
void lf_log_select(struct lf_lu *lu, struct lf_request *request);
/* mode_select.c */
void lf_mode_select(struct lf_lu *lu, struct lf_request *request);
/* medium.c */
void lf_start_stop_unit(struct lf_lu *lu, struct lf_request *request);
void lf_prevent_allow(struct lf_lu *lu, struct lf_request *request);
/* disk.c */
void lf_read_capacity_10(struct lf_lu *lu, struct lf_request *request);
void lf_read_capacity_16(struct lf_lu *lu, struct lf_request *request);
void lf_disk_read(struct lf_lu *lu, struct lf_request *request);
void lf_disk_write(struct lf_lu *lu, struct lf_request *request);
void lf_disk_synchronize(struct lf_lu *lu, struct lf_request *request);
void lf_disk_prefetch(struct lf_lu *lu, struct lf_request *request);
/* disk_verify.c */
void lf_disk_verify(struct lf_lu *lu, struct lf_request *request);
void lf_disk_write_and_verify(struct lf_lu *lu, struct lf_request *request);
/* disk_atomic.c */
void lf_compare_and_write(struct lf_lu *lu, struct lf_request *request);
void lf_write_atomic(struct lf_lu *lu, struct lf_request *request);
void lf_orwrite(struct lf_lu *lu, struct lf_request *request);
/* disk_provisioning.c */
void lf_unmap(struct lf_lu *lu, struct lf_request *request);
void lf_write_same(struct lf_lu *lu, struct lf_request *request);
/* reservation_in.c */
void lf_persistent_reserve_in(struct lf_lu *lu, struct lf_request *request);
/* reservation_out.c */
void lf_persistent_reserve_out(struct lf_lu *lu, struct lf_request *request);
void lf_reserve(struct lf_lu *lu, struct lf_request *request);
void lf_release(struct lf_lu *lu, struct lf_request *request);
/* defects.c */
void lf_read_defect_data_10(struct lf_lu *lu, struct lf_request *request);
void lf_read_defect_data_12(struct lf_lu *lu, struct lf_request *request);
/* buffer.c */
void lf_read_buffer(struct lf_lu *lu, struct lf_request *request);
void lf_write_buffer(struct lf_lu *lu, struct lf_request *request);
/* lba_status.c */
void lf_get_lba_status(struct lf_lu *lu, struct lf_request *request);
/* cdrom.c */
void lf_cdrom_read_capacity_10(struct lf_lu *lu, struct lf_request *request);
void lf_cdrom_read_capacity_16(struct lf_lu *lu, struct lf_request *request);
void lf_cdrom_format_capacities(struct lf_lu *lu, struct lf_request *request);
void lf_cdrom_mechanism_status(struct lf_lu *lu, struct lf_request *request);
void lf_cdrom_events(struct lf_lu *lu, struct lf_request *request);
void lf_cdrom_seek(struct lf_lu *lu, struct lf_request *request);
void lf_cdrom_accept(struct lf_lu *lu, struct lf_request *request); /* hints: GOOD */
/* cdrom_features.c */
void lf_cdrom_configuration(struct lf_lu *lu, struct lf_request *request);
/* cdrom_toc.c */
void lf_cdrom_toc(struct lf_lu *lu, struct lf_request *request);
void lf_cdrom_disc_information(struct lf_lu *lu, struct lf_request *request);
void lf_cdrom_track_information(struct lf_lu *lu, struct lf_request *request);
void lf_cdrom_sub_channel(struct lf_lu *lu, struct lf_request *request);
/* cdrom_read.c */
void lf_cdrom_read(struct lf_lu *lu, struct lf_request *request);
void lf_cdrom_read_cd(struct lf_lu *lu, struct lf_request *request);
/* cdrom_structure.c */
void lf_cdrom_structure(struct lf_lu *lu, struct lf_request *request);
void lf_cdrom_report_key(struct lf_lu *lu, struct lf_request *request);
void lf_cdrom_performance(struct lf_lu *lu, struct lf_request *request);
void lf_cdrom_set_streaming(struct lf_lu *lu, struct lf_request *request);

/* ---- CD-ROM ---- */

/* A disc is in the closed drive: what the gate for other commands asks. */
static inline bool lf_cdrom_is_loaded(const struct lf_lu *lu)
{
	return lu->medium_state == LF_MEDIUM_READY || lu->medium_state == LF_MEDIUM_STOPPED;
}

/* How many bytes READ CD, READ CD MSF or GET PERFORMANCE move; false when it has set CHECK CONDITION. */
bool lf_cdrom_check(const struct lf_lu *lu, struct lf_request *request, uint64_t *wanted);
/* The reply of GET PERFORMANCE with that many descriptors. */
#define LF_PERFORMANCE_BYTES(descriptors) (8u + 16u * (descriptors))

/* cdrom_sector.c: a raw Mode 1 sector (ECMA-130 14) from its user data: sync, header, EDC, ECC. */
void lf_sector_mode_1(uint8_t sector[LF_SECTOR_RAW], uint32_t lba);

/*
 * How much data comes, for commands with rules of their own for it; false when it has set CHECK CONDITION.
 * Called by lf_command_check, once the range was checked.
 */
bool lf_write_same_check(struct lf_lu *lu, struct lf_request *request, uint64_t *wanted);
bool lf_verify_check(struct lf_lu *lu, struct lf_request *request, uint64_t *wanted);
bool lf_write_atomic_check(struct lf_lu *lu, struct lf_request *request, uint64_t *wanted);
bool lf_write_buffer_check(struct lf_lu *lu, struct lf_request *request, uint64_t *wanted);
bool lf_compare_and_write_check(struct lf_lu *lu, struct lf_request *request, uint64_t *wanted);

/* What LBA and length of WRITE ATOMIC are multiples of, in blocks; a power of two. */
uint32_t lf_write_atomic_granularity(const struct lf_lu *lu);

/* What the command writes has to be stable before its status: FUA, or the write cache is off. */
bool lf_wants_stable(const struct lf_lu *lu, const struct lf_request *request);

/* Exactly that is what the transport said would come; else false, and CHECK CONDITION is set. */
bool lf_data_length_is(struct lf_request *request, uint64_t length_bytes);

/* ---- Steps: commands of several store operations, one after the other (steps.c) ---- */

/*
 * next prepares request->io, io.done included, for the next operation and returns true; or it ends the
 * command and returns false. request->step is its own; the result of the operation before is in io.error.
 * run: calls it until it has to wait for the store, or the command ended. Never recurses.
 * done: what the io.done of every step does: goes on in whoever is free to, the submitter or this thread.
 */
void lf_steps_run(struct lf_lu *lu, struct lf_request *request,
	bool (*next)(struct lf_lu *lu, struct lf_request *request));
void lf_steps_done(struct lf_io *io, bool (*next)(struct lf_lu *lu, struct lf_request *request));

/* Each fills in request->io but for done; lf_prepare_flush done, too. io.fua is false. */
void lf_prepare_flush(struct lf_request *request, void (*done)(struct lf_io *io));
/* The request's own buffers, from the LBA of its CDB. */
void lf_prepare_transfer(
	const struct lf_lu *lu, struct lf_request *request, enum lf_op op, uint64_t length_bytes);
/* The request's scratch buffer, from its beginning. */
void lf_prepare_scratch(
	const struct lf_lu *lu, struct lf_request *request, enum lf_op op, uint64_t lba, uint64_t blocks);

/* The io.done of a command whose one operation is prepared by lf_prepare_transfer: ends it. */
void lf_transfer_done(struct lf_io *io);

/* Ends a command with the sense of a failed store operation; with TASK ABORTED when that is why. */
void lf_finish_error(struct lf_request *request, bool writing, uint64_t lba);

/* ---- Replies that are longer than a stack has room for: built piece by piece ---- */

/* Puts bytes at an offset of the reply, cut to what the initiator takes. */
static inline void lf_reply_put(
	const struct lf_request *request, uint64_t offset, const void *bytes, uint64_t length_bytes)
{
	if (offset < request->data_length)
		lf_request_scatter(
			request, offset, bytes, lf_min(length_bytes, request->data_length - offset));
}

/* Ends a command whose reply was put. */
static inline void lf_reply_finish(struct lf_request *request, uint64_t length_bytes)
{
	lf_finish_good(request, lf_min(length_bytes, request->data_length));
}

#endif
