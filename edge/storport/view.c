/* SPDX-License-Identifier: BSD-2-Clause */
/* view.c: the two kinds of SRB in one shape: SCSI_REQUEST_BLOCK, and since Windows 8 STORAGE_REQUEST_BLOCK.
 */
#include "edge/storport/internal.h"

static STORAGE_REQUEST_BLOCK *extended(SCSI_REQUEST_BLOCK *srb)
{
	return (STORAGE_REQUEST_BLOCK *)(void *)srb;
}

static bool is_extended(const SCSI_REQUEST_BLOCK *srb)
{
	return srb->Function == SRB_FUNCTION_STORAGE_REQUEST_BLOCK;
}

/* It has all fields that every extended SRB has. */
static bool is_whole(const STORAGE_REQUEST_BLOCK *srb)
{
	return srb->Signature == SRB_SIGNATURE &&
	       srb->SrbLength >= offsetof(STORAGE_REQUEST_BLOCK, SrbExDataOffset);
}

static uint8_t attribute_of(uint32_t flags, uint32_t action)
{
	if (!(flags & SRB_FLAGS_QUEUE_ACTION_ENABLE))
		return LF_TASK_SIMPLE;
	return action == SRB_ORDERED_QUEUE_TAG_REQUEST   ? LF_TASK_ORDERED
	       : action == SRB_HEAD_OF_QUEUE_TAG_REQUEST ? LF_TASK_HEAD_OF_QUEUE
							 : LF_TASK_SIMPLE;
}

static void read_old(SCSI_REQUEST_BLOCK *srb, struct lf_view *view)
{
	view->flags = srb->SrbFlags;
	view->addressed = true;
	view->path = srb->PathId;
	view->target = srb->TargetId;
	view->lun = srb->Lun;
	view->attribute = attribute_of(srb->SrbFlags, srb->QueueAction);
	view->data = srb->DataBuffer;
	view->data_length = srb->DataTransferLength;
	view->own = srb->SrbExtension;
	if (view->function == SRB_FUNCTION_PNP) {
		/* Its own structure: what an EXECUTE_SCSI keeps in the status and the CDB is something else
		 * here. */
		const SCSI_PNP_REQUEST_BLOCK *pnp = (const SCSI_PNP_REQUEST_BLOCK *)(const void *)srb;
		view->pnp_action = (uint32_t)pnp->PnPAction;
		view->pnp_flags = pnp->SrbPnPFlags;
		return;
	}
	view->scsi_status = &srb->ScsiStatus;
	view->sense_length = &srb->SenseInfoBufferLength;
	view->sense = srb->SenseInfoBuffer;
	if (srb->CdbLength <= sizeof(srb->Cdb)) { /* else it has none that could be read */
		view->cdb = srb->Cdb;
		view->cdb_length = srb->CdbLength;
	}
}

/*
 * Bytes [offset, offset + length) of the SRB; NULL when it ends before, or when a pointer in there could not
 * be read where it lies.
 */
static void *part(STORAGE_REQUEST_BLOCK *srb, uint32_t offset, uint32_t length)
{
	if (offset < offsetof(STORAGE_REQUEST_BLOCK, SrbExDataOffset) || offset > srb->SrbLength ||
		length > srb->SrbLength - offset || offset % sizeof(PVOID) != 0)
		return NULL;
	return (char *)(void *)srb + offset;
}

static bool read_address(STORAGE_REQUEST_BLOCK *srb, struct lf_view *view)
{
	const STOR_ADDR_BTL8 *address;

	if (srb->AddressOffset == 0)
		return true;
	address = part(srb, srb->AddressOffset, offsetof(STOR_ADDR_BTL8, Reserved) + 1);
	if (address == NULL || address->Type != STOR_ADDRESS_TYPE_BTL8)
		return false;
	view->addressed = true;
	view->path = address->Path;
	view->target = address->Target;
	view->lun = address->Lun;
	return true;
}

static void set_command(struct lf_view *view, UCHAR *scsi_status, UCHAR *sense_length, void *sense,
	const UCHAR *cdb, uint32_t cdb_length)
{
	view->scsi_status = scsi_status;
	view->sense_length = sense_length;
	view->sense = sense;
	view->cdb = cdb;
	view->cdb_length = cdb_length;
}

/* One of the pieces behind SrbExDataOffset; those that say nothing to us are passed over. */
static bool read_piece(STORAGE_REQUEST_BLOCK *srb, uint32_t offset, struct lf_view *view)
{
	SRBEX_DATA *piece = part(srb, offset, offsetof(SRBEX_DATA, Data));

	if (piece == NULL)
		return false;
	switch (piece->Type) {
	case SrbExDataTypeScsiCdb16: {
		SRBEX_DATA_SCSI_CDB16 *data = part(srb, offset, sizeof(*data));
		if (data == NULL || data->CdbLength > sizeof(data->Cdb))
			return false;
		set_command(view, &data->ScsiStatus, &data->SenseInfoBufferLength, data->SenseInfoBuffer,
			data->Cdb, data->CdbLength);
		return true;
	}
	case SrbExDataTypeScsiCdb32: {
		SRBEX_DATA_SCSI_CDB32 *data = part(srb, offset, sizeof(*data));
		if (data == NULL || data->CdbLength > sizeof(data->Cdb))
			return false;
		set_command(view, &data->ScsiStatus, &data->SenseInfoBufferLength, data->SenseInfoBuffer,
			data->Cdb, data->CdbLength);
		return true;
	}
	case SrbExDataTypeScsiCdbVar: {
		SRBEX_DATA_SCSI_CDB_VAR *data = part(srb, offset, offsetof(SRBEX_DATA_SCSI_CDB_VAR, Cdb));
		if (data == NULL ||
			part(srb, offset + offsetof(SRBEX_DATA_SCSI_CDB_VAR, Cdb), data->CdbLength) == NULL)
			return false;
		set_command(view, &data->ScsiStatus, &data->SenseInfoBufferLength, data->SenseInfoBuffer,
			data->Cdb, data->CdbLength);
		return true;
	}
	case SrbExDataTypePnP: {
		const SRBEX_DATA_PNP *data = part(srb, offset, sizeof(*data));
		if (data == NULL)
			return false;
		view->pnp_action = (uint32_t)data->PnPAction;
		view->pnp_flags = data->SrbPnPFlags;
		return true;
	}
	default:
		return true;
	}
}

static bool read_extended(STORAGE_REQUEST_BLOCK *srb, struct lf_view *view)
{
	if (!is_whole(srb))
		return false;
	view->function = srb->SrbFunction;
	if (!read_address(srb, view))
		return false;
	view->flags = srb->SrbFlags;
	view->attribute = attribute_of(srb->SrbFlags, srb->RequestAttribute);
	view->data = srb->DataBuffer;
	view->data_length = srb->DataTransferLength;
	view->own = srb->MiniportContext;
	const ULONG *offsets = srb->SrbExDataOffset;
	if (srb->NumSrbExData >
		(srb->SrbLength - offsetof(STORAGE_REQUEST_BLOCK, SrbExDataOffset)) / sizeof(*offsets))
		return false;
	for (uint32_t i = 0; i < srb->NumSrbExData; i++)
		if (offsets[i] != 0 && !read_piece(srb, offsets[i], view))
			return false;
	return true;
}

bool lf_view_read(SCSI_REQUEST_BLOCK *srb, struct lf_view *view)
{
	*view = (struct lf_view){.srb = srb, .function = srb->Function, .pnp_action = LF_PNP_NO_ACTION};
	if (is_extended(srb))
		return read_extended(extended(srb), view);
	read_old(srb, view);
	return true;
}

void lf_view_set_length(SCSI_REQUEST_BLOCK *srb, uint32_t length_bytes)
{
	if (!is_extended(srb))
		srb->DataTransferLength = length_bytes;
	else if (is_whole(extended(srb)))
		extended(srb)->DataTransferLength = length_bytes;
}
