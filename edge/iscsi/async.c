/* SPDX-License-Identifier: BSD-2-Clause */
/* async.c: what the target says unasked (RFC 7143 11.9): the inventory changed, log out please, farewell. */
#include "edge/iscsi/internal.h"
#include "trace/trace.h"

static struct iscsi_reply *message(
	struct iscsi_connection *connection, enum iscsi_async_event event, uint32_t data_length)
{
	struct iscsi_reply *reply = lf_iscsi_reply_create(connection, ISCSI_ASYNC_MESSAGE, data_length);

	lf_trace_iscsi_async_message(connection->id, event, 0, 0);
	if (reply == NULL)
		return NULL;
	lf_put_be32(reply->bhs + ISCSI_AT_ITT, ISCSI_NO_TAG);
	reply->bhs[ISCSI_AT_ASYNC_EVENT] = (uint8_t)event;
	return reply;
}

/* Any thread, under locks of the core's. */
void lf_iscsi_inventory_changed(void *context)
{
	lf_iscsi_connection_kick(context, ISCSI_KICK_INVENTORY);
}

/* A SCSI event, with sense as in a response; one that still waits to be sent says it all. */
void lf_iscsi_tell_inventory(struct iscsi_connection *connection)
{
	struct iscsi_reply *reply;

	if (connection->phase != ISCSI_PHASE_FULL || connection->inventory_queued)
		return;
	reply = message(connection, ISCSI_ASYNC_SCSI_EVENT, 2 + LF_EVENT_SENSE_LENGTH);
	if (reply == NULL)
		return;
	lf_put_be16(reply->data, LF_EVENT_SENSE_LENGTH);
	lf_event_sense_inventory(reply->data + 2);
	reply->inventory = connection->inventory_queued = true;
	lf_iscsi_reply_send(connection, reply);
}

void lf_iscsi_ask_logout(struct iscsi_connection *connection, uint32_t within_s)
{
	struct iscsi_reply *reply = message(connection, ISCSI_ASYNC_REQUEST_LOGOUT, 0);

	if (reply == NULL)
		return;
	lf_put_be16(reply->bhs + ISCSI_AT_PARAMETER_3, (uint16_t)within_s);
	lf_iscsi_reply_send(connection, reply);
}

void lf_iscsi_farewell(struct iscsi_connection *connection, enum iscsi_close_reason reason)
{
	uint32_t wait_s = connection->login.negotiation.value[ISCSI_TIME_TO_WAIT];
	struct iscsi_reply *reply = message(connection, ISCSI_ASYNC_DROP_SESSION, 0);

	if (reply == NULL)
		return;
	/* Time2Wait; Time2Retain is 0: nothing is kept that could be gone on with. */
	lf_put_be16(reply->bhs + ISCSI_AT_PARAMETER_2, (uint16_t)wait_s);
	lf_iscsi_reply_send(connection, reply);
	lf_iscsi_connection_end(connection, reason);
}
