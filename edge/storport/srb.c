/* SPDX-License-Identifier: BSD-2-Clause */
/* srb.c: HwStartIo, and one SCSI command from its SRB to the core and back. */
#include "edge/storport/internal.h"

#define LF_OPCODE_INQUIRY     0x12
#define LF_OPCODE_REPORT_LUNS 0xa0

/* The well known logical unit of REPORT LUNS (SAM-5 4.7.7.5): there is none of ours at such an address. */
#define LF_LUN_OF_NO_UNIT 0xc101000000000000ull

/* ---- The end ---- */

void lf_srb_answer(struct lf_storport *storport, SCSI_REQUEST_BLOCK *srb, uint8_t srb_status)
{
	lf_trace_storport_srb_done((uintptr_t)srb, srb_status, 0, 0);
	srb->SrbStatus = srb_status; /* in the same place in both kinds */
	StorPortNotification(RequestComplete, storport, srb);
}

void lf_srb_refuse(struct lf_storport *storport, const struct lf_view *view, uint8_t srb_status)
{
	lf_trace_storport_srb_refused(view->function, view->target, view->lun, srb_status);
	lf_view_set_length(view->srb, 0);
	lf_srb_answer(storport, view->srb, srb_status);
}

/*
 * After RequestComplete the extension is Storport's, own with it. The unit is left after that: whoever takes
 * its address next must not meet an SRB that was for this one.
 */
void lf_srb_complete(struct lf_srb *own, uint8_t srb_status)
{
	struct lf_storport *storport = own->storport;
	uint32_t target = own->target, lun = own->lun;
	bool counted = own->counted;

	lf_srb_answer(storport, own->srb, srb_status);
	if (counted)
		lf_unit_leave(storport, target, lun);
}

/* True when the SRB has room for them: there is no other way to learn of them. */
static bool put_sense(struct lf_srb *own)
{
	struct lf_request *request = &own->request;

	if (own->sense == NULL || own->sense_length == NULL || request->sense_length == 0)
		return false;
	UCHAR length = (UCHAR)lf_min(*own->sense_length, request->sense_length);
	if (length == 0)
		return false;
	memcpy(own->sense, request->sense, length);
	*own->sense_length = length;
	return true;
}

/*
 * Less was moved than the SRB has room for, or than the CDB of a READ or WRITE asks for: DATA_OVERRUN is the
 * word for both, and whoever asked for more looks at the length.
 */
static bool has_residual(const struct lf_srb *own)
{
	const struct lf_request *request = &own->request;

	return request->data_moved < own->data_length ||
	       (request->data_is_medium && request->data_moved < request->data_wanted);
}

static uint8_t srb_status_of(struct lf_srb *own)
{
	switch ((enum lf_status)own->request.status) {
	case LF_STATUS_GOOD:
	case LF_STATUS_CONDITION_MET:
		return has_residual(own) ? SRB_STATUS_DATA_OVERRUN : SRB_STATUS_SUCCESS;
	case LF_STATUS_CHECK_CONDITION:
		return (uint8_t)(SRB_STATUS_ERROR | (put_sense(own) ? SRB_STATUS_AUTOSENSE_VALID : 0));
	case LF_STATUS_BUSY:
	case LF_STATUS_TASK_SET_FULL: /* Storport finds QUEUE FULL in the SCSI status, and sends less */
		return SRB_STATUS_BUSY;
	case LF_STATUS_TASK_ABORTED: /* by a reset: class drivers send it again */
		return SRB_STATUS_BUS_RESET;
	default:
		return SRB_STATUS_ERROR;
	}
}

/*
 * Whether a reset of the whole bus came while it was out. Then it ends with BUS_RESET, also when its work was
 * done before that could be stopped: Storport has given it up, and whoever sent it sends it again.
 */
static bool was_reset(const struct lf_srb *own)
{
	return lf_atomic_load_relaxed_u64(&own->storport->resets.of_all) != own->resets_before;
}

/* lf_request.done: any thread, up to DISPATCH_LEVEL. */
static void command_done(struct lf_request *request)
{
	struct lf_srb *own = lf_container(request, struct lf_srb, request);
	uint8_t srb_status = own->instead, scsi_status = request->status;
	uint32_t moved = (uint32_t)request->data_moved;

	if (srb_status == 0)
		srb_status = was_reset(own) ? SRB_STATUS_BUS_RESET : srb_status_of(own);
	if (own->instead != 0 || srb_status == SRB_STATUS_BUS_RESET) {
		scsi_status = LF_STATUS_GOOD;
		moved = 0;
	}
	if (own->scsi_status != NULL)
		*own->scsi_status = scsi_status;
	lf_view_set_length(own->srb, moved);
	lf_srb_complete(own, srb_status);
}

/* ---- Its data ---- */

/*
 * READ and WRITE go from the file system below straight to the memory above: the store gets the MDL that
 * Storport has. It may cover more than this SRB's data, which begin where DataBuffer, an address of the MDL's
 * owner, says so.
 */
static bool lend_mdl(struct lf_srb *own, const struct lf_view *view)
{
	struct lf_nt_io *io = lf_nt_io_of(&own->request.io.platform);
	PVOID found = NULL;

	if (StorPortGetOriginalMdl(own->storport, own->srb, &found) != STOR_STATUS_SUCCESS || found == NULL)
		return false;
	MDL *mdl = found;
	uintptr_t from = (uintptr_t)MmGetMdlVirtualAddress(mdl), at = (uintptr_t)view->data;
	if (at < from || at - from > MmGetMdlByteCount(mdl) ||
		view->data_length > MmGetMdlByteCount(mdl) - (at - from))
		return false;
	io->mdl = mdl;
	io->mdl_offset = at - from;
	io->partial = (MDL *)(void *)own->partial;
	io->partial_bytes = LF_STORPORT_TRANSFER_BYTES;
	own->segment.base = NULL;
	return true;
}

/* Whoever looks at the bytes needs an address, which the system may have none for when memory is short. */
static bool lend_address(struct lf_srb *own)
{
	PVOID address = NULL;
	ULONG status = StorPortGetSystemAddress(own->storport, own->srb, &address);

	if (status == STOR_STATUS_SUCCESS && address != NULL) {
		own->segment.base = address;
		return true;
	}
	lf_trace_storport_not_mapped(own->target, own->lun, status, own->data_length);
	return false;
}

/* Data that goes another way than the SRB says is not lent. */
static bool goes_that_way(const struct lf_request *request, uint32_t flags)
{
	switch (request->direction) {
	case LF_DIRECTION_IN:
		return (flags & SRB_FLAGS_DATA_IN) != 0;
	case LF_DIRECTION_OUT:
		return (flags & SRB_FLAGS_DATA_OUT) != 0;
	case LF_DIRECTION_NONE:
		break;
	}
	return false;
}

static void lend(struct lf_srb *own, const struct lf_view *view)
{
	struct lf_request *request = &own->request;

	if (view->data_length == 0 || !goes_that_way(request, view->flags))
		return;
	if ((request->data_is_medium && lend_mdl(own, view)) || lend_address(own)) {
		own->segment.length = view->data_length;
		request->segments = &own->segment;
		request->segment_count = 1;
		request->data_length = lf_min(request->data_wanted, view->data_length);
		return;
	}
	/* It has begun, so it has to end: as one whose data was lost, which changes nothing and comes again.
	 */
	request->data_spoiled = true;
	own->instead = SRB_STATUS_BUSY;
}

/* ---- The way down ---- */

struct lf_srb *lf_srb_prepare(struct lf_storport *storport, const struct lf_view *view)
{
	struct lf_srb *own = view->own;

	memset(own, 0, sizeof(*own));
	own->storport = storport;
	own->resets_before = lf_atomic_load_relaxed_u64(&storport->resets.of_all);
	own->srb = view->srb;
	own->scsi_status = view->scsi_status;
	own->sense_length = view->sense_length;
	own->sense = (view->flags & SRB_FLAGS_DISABLE_AUTOSENSE) ? NULL : view->sense;
	own->target = view->target;
	own->lun = view->lun;
	return own;
}

static enum lf_direction offered_direction(const struct lf_view *view)
{
	if (view->data_length == 0)
		return LF_DIRECTION_NONE;
	if (view->flags & SRB_FLAGS_DATA_OUT) /* with DATA_IN as well it is not known: either will do */
		return LF_DIRECTION_OUT;
	return (view->flags & SRB_FLAGS_DATA_IN) ? LF_DIRECTION_IN : LF_DIRECTION_NONE;
}

void lf_srb_send(struct lf_srb *own, const struct lf_view *view, uint64_t unit_lun)
{
	struct lf_request *request = &own->request;

	request->nexus = own->storport->targets[own->target].nexus;
	request->lun = unit_lun;
	request->tag = (uintptr_t)own; /* nobody aborts by tag: it only has to be one of its own */
	request->task_attribute = view->attribute;
	request->offered_direction = offered_direction(view);
	own->data_length = request->offered_direction == LF_DIRECTION_NONE ? 0 : view->data_length;
	request->offered_length = own->data_length;
	request->done = command_done;
	if (!lf_begin(request)) /* it has ended, and own is gone */
		return;
	lend(own, view);
	lf_submit(request);
}

/* No more than this is looked at before the core has checked the command. */
static bool is_sane(const struct lf_view *view)
{
	return view->addressed && view->own != NULL && view->cdb != NULL && view->cdb_length > 0 &&
	       view->cdb_length <= LF_CDB_MAX && view->data_length <= LF_STORPORT_TRANSFER_BYTES;
}

/*
 * A scan of the bus has no device yet, and makes none of a unit that is gone before it ends: nobody would
 * ever say that it was removed.
 */
static enum lf_asker asker_of(const struct lf_view *view)
{
	return view->cdb[0] == LF_OPCODE_REPORT_LUNS ? LF_ASKER_SCAN_TARGET
	       : view->cdb[0] == LF_OPCODE_INQUIRY   ? LF_ASKER_SCAN
						     : LF_ASKER_DEVICE;
}

static void execute(struct lf_storport *storport, const struct lf_view *view)
{
	if (!is_sane(view)) {
		lf_srb_refuse(storport, view, SRB_STATUS_INVALID_REQUEST);
		return;
	}
	if (view->path != 0) {
		lf_srb_refuse(storport, view, SRB_STATUS_NO_DEVICE);
		return;
	}
	enum lf_admission admission = lf_unit_enter(storport, view->target, view->lun, asker_of(view));
	if (admission == LF_NO_LUN || admission == LF_NO_TARGET) {
		lf_srb_refuse(storport, view, lf_admission_status(admission));
		return;
	}
	struct lf_srb *own = lf_srb_prepare(storport, view);
	own->counted = admission == LF_ADMITTED;
	memcpy(own->request.cdb, view->cdb, view->cdb_length);
	own->request.cdb_length = (uint8_t)view->cdb_length;
	lf_srb_send(own, view, own->counted ? (uint64_t)view->lun << 48 : LF_LUN_OF_NO_UNIT);
}

/* HwStartIo: up to DISPATCH_LEVEL, no lock is held, on many processors at a time. */
BOOLEAN lf_start_io(PVOID extension, SCSI_REQUEST_BLOCK *srb)
{
	struct lf_storport *storport = extension;
	struct lf_view view;
	bool readable;

	lf_storport_enter(storport);
	lf_attendant_send_first(storport);
	readable = lf_view_read(srb, &view);
	lf_trace_storport_srb(view.function, view.target, view.lun, (uintptr_t)srb);
	if (!readable)
		lf_srb_refuse(storport, &view, SRB_STATUS_INVALID_REQUEST);
	else if (view.function == SRB_FUNCTION_EXECUTE_SCSI)
		execute(storport, &view);
	else
		lf_function(storport, &view);
	lf_storport_leave(storport);
	return TRUE; /* every SRB is taken, and every one is completed */
}
