/* SPDX-License-Identifier: BSD-2-Clause */
/* functions.c: SRBs that carry no command: each answered here by design, what we do not know refused. */
#include "edge/storport/internal.h"

/* In the SRB's own once it was let in; NULL: it has been completed. */
static struct lf_srb *enter(struct lf_storport *storport, const struct lf_view *view, enum lf_asker asker)
{
	enum lf_admission admission = LF_NO_TARGET;

	if (!view->addressed || view->own == NULL) {
		lf_srb_refuse(storport, view, SRB_STATUS_INVALID_REQUEST);
		return NULL;
	}
	if (view->path == 0)
		admission = lf_unit_enter(storport, view->target, view->lun, asker);
	if (admission == LF_ADMITTED) {
		struct lf_srb *own = lf_srb_prepare(storport, view);
		own->counted = true;
		return own;
	}
	lf_srb_refuse(storport, view, lf_admission_status(admission));
	return NULL;
}

/*
 * FLUSH and SHUTDOWN: a SYNCHRONIZE CACHE of our own. No initiator sent it: what the unit has to tell one
 * stays until one asks.
 */
static void flush(struct lf_storport *storport, const struct lf_view *view)
{
	enum { SYNCHRONIZE_CACHE_10 = 0x35, CDB_LENGTH = 10 };
	struct lf_view nothing_moves = *view;
	struct lf_srb *own = enter(storport, view, LF_ASKER_DEVICE);

	if (own == NULL)
		return;
	nothing_moves.data_length = 0;
	nothing_moves.attribute = LF_TASK_SIMPLE;
	own->request.cdb[0] = SYNCHRONIZE_CACHE_10;
	own->request.cdb_length = CDB_LENGTH;
	own->request.no_attention = true;
	lf_srb_send(own, &nothing_moves, (uint64_t)view->lun << 48);
}

static void reset_unit(struct lf_storport *storport, const struct lf_view *view)
{
	struct lf_srb *own = enter(storport, view, LF_ASKER_RESET);

	if (own != NULL)
		lf_reset_unit(storport, own);
}

/* Of the target, or of all of them: no unit is asked for. */
static void reset_more(struct lf_storport *storport, const struct lf_view *view,
	void (*reset)(struct lf_storport *, struct lf_srb *))
{
	if (!view->addressed || view->own == NULL)
		lf_srb_refuse(storport, view, SRB_STATUS_INVALID_REQUEST);
	else if (view->path != 0 || (view->function == SRB_FUNCTION_RESET_DEVICE &&
					    !lf_target_has_units(storport, view->target)))
		lf_srb_refuse(storport, view, SRB_STATUS_NO_DEVICE);
	else
		reset(storport, lf_srb_prepare(storport, view));
}

/* ---- Plug and play ---- */

/*
 * What lets people eject a disk gracefully, and pull it without a complaint. Storport filled in version and
 * size; which structure it is tells the length, since we asked for the full one when we registered. UniqueID
 * stays as Storport has it: its names for units are unique on one adapter only, and Windows stops when two
 * devices say that they are the only one of the same name.
 */
static bool tell_capabilities(const struct lf_view *view)
{
	if (view->data == NULL)
		return false;
	if (view->data_length >= sizeof(STOR_DEVICE_CAPABILITIES_EX)) {
		STOR_DEVICE_CAPABILITIES_EX *full = view->data;
		full->EjectSupported = 1;
		full->Removable = 1;
		full->SurpriseRemovalOK = 1;
		return true;
	}
	if (view->data_length >= sizeof(STOR_DEVICE_CAPABILITIES)) {
		STOR_DEVICE_CAPABILITIES *few = view->data;
		few->EjectSupported = 1;
		few->Removable = 1;
		few->SurpriseRemovalOK = 1;
		return true;
	}
	return false;
}

static uint8_t plug_and_play(struct lf_storport *storport, const struct lf_view *view)
{
	bool of_unit =
		view->addressed && view->path == 0 && (view->pnp_flags & SRB_PNP_FLAGS_ADAPTER_REQUEST) == 0;

	switch (view->pnp_action) {
	case StorQueryCapabilities:
		/* The adapter's own are as Storport has them. */
		return !of_unit || tell_capabilities(view) ? SRB_STATUS_SUCCESS : SRB_STATUS_INVALID_REQUEST;
	case StorRemoveDevice:
	case StorSurpriseRemoval:
		if (of_unit)
			lf_unit_release(
				storport, view->target, view->lun, view->pnp_action == StorSurpriseRemoval);
		return SRB_STATUS_SUCCESS;
	case StorStartDevice:
		if (of_unit)
			lf_unit_hold(storport, view->target, view->lun);
		return SRB_STATUS_SUCCESS;
	case StorStopDevice:
		return SRB_STATUS_SUCCESS;
	default:
		return SRB_STATUS_INVALID_REQUEST;
	}
}

/* The length stays what it is: the capabilities are in there. */
static void plug_and_play_answer(struct lf_storport *storport, const struct lf_view *view)
{
	uint8_t srb_status = plug_and_play(storport, view);

	lf_trace_storport_pnp_request(view->pnp_action, view->target, view->lun, srb_status);
	lf_srb_answer(storport, view->srb, srb_status);
}

void lf_function(struct lf_storport *storport, const struct lf_view *view)
{
	switch (view->function) {
	case SRB_FUNCTION_RESET_LOGICAL_UNIT:
		reset_unit(storport, view);
		break;
	case SRB_FUNCTION_RESET_DEVICE: /* of a target: SCSI's own name for it */
		reset_more(storport, view, lf_reset_target);
		break;
	case SRB_FUNCTION_RESET_BUS:
		reset_more(storport, view, lf_reset_all);
		break;
	case SRB_FUNCTION_FLUSH:
	case SRB_FUNCTION_SHUTDOWN:
		flush(storport, view);
		break;
	case SRB_FUNCTION_PNP:
		plug_and_play_answer(storport, view);
		break;
	case SRB_FUNCTION_POWER: /* at DISPATCH_LEVEL: what sleep needs was done by the power callback */
		lf_srb_answer(storport, view->srb, SRB_STATUS_SUCCESS);
		break;
	default: /* ABORT never comes, as we have not asked for it; WMI and IO_CONTROL are not served */
		lf_srb_refuse(storport, view, SRB_STATUS_INVALID_REQUEST);
		break;
	}
}
