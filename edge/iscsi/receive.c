/* SPDX-License-Identifier: BSD-2-Clause */
/* receive.c: bytes into PDUs: many from one read, long data straight to where it belongs. */
#include <errno.h>
#include <sys/uio.h>

#include "edge/iscsi/internal.h"
#include "trace/trace.h"

static uint32_t header_length(const struct iscsi_connection *connection, const uint8_t *bhs)
{
	return ISCSI_BHS_LENGTH + iscsi_ahs_length(bhs) +
	       (connection->header_digest ? ISCSI_DIGEST_LENGTH : 0);
}

/* Behind a data segment; where there is none there is no digest either (RFC 7143 11.1). */
static uint32_t trailer_length(const struct iscsi_connection *connection, uint32_t data_length)
{
	bool digested = connection->data_digest && data_length > 0;

	return iscsi_pad(data_length) + (digested ? ISCSI_DIGEST_LENGTH : 0);
}

/* Nothing of a wrong header can be believed, not even where the next one begins: the end (7.7). */
static bool header_is_right(struct iscsi_connection *connection, const uint8_t *bhs)
{
	uint32_t length = ISCSI_BHS_LENGTH + iscsi_ahs_length(bhs);

	if (!connection->header_digest ||
		iscsi_digest_is(bhs + length, lf_iscsi_crc(ISCSI_CRC_START, bhs, length)))
		return true;
	lf_iscsi_count_digest_error(connection, bhs, ISCSI_DIGEST_HEADER);
	lf_iscsi_connection_end(connection, ISCSI_CLOSE_DIGEST);
	return false;
}

static void refuse_data(struct iscsi_connection *connection, const uint8_t *bhs)
{
	lf_iscsi_count_digest_error(connection, bhs, ISCSI_DIGEST_DATA);
	lf_iscsi_reject(connection, bhs, ISCSI_REJECT_DATA_DIGEST);
}

/* Something must go out before the next PDU is taken: backpressure is TCP's then. */
static bool must_pause(struct iscsi_connection *connection, uint32_t opcode)
{
	if (connection->phase != ISCSI_PHASE_FULL)
		return false;
	if (connection->replies >= ISCSI_REPLIES_MAX || connection->reply_bytes >= ISCSI_REPLY_BYTES_MAX)
		return true;
	return opcode == ISCSI_SCSI_COMMAND && connection->session.nexus != NULL &&
	       lf_list_empty(&connection->session.free_tasks);
}

static void dispatch_whole(
	struct iscsi_connection *connection, const uint8_t *bhs, const uint8_t *data, uint32_t length)
{
	if (connection->phase == ISCSI_PHASE_LOGIN) {
		lf_iscsi_login_pdu(connection, bhs, data, length);
		return;
	}
	switch (iscsi_opcode(bhs)) {
	case ISCSI_NOP_OUT:
		lf_iscsi_nop_out(connection, bhs, data, length);
		break;
	case ISCSI_TASK_MANAGEMENT:
		lf_iscsi_task_management(connection, bhs);
		break;
	case ISCSI_TEXT:
		lf_iscsi_text_request(connection, bhs, data, length);
		break;
	case ISCSI_LOGOUT:
		lf_iscsi_logout(connection, bhs);
		break;
	case ISCSI_SNACK:
		/* Error recovery level 0: 11.16 */
		lf_iscsi_reject(connection, bhs, ISCSI_REJECT_SNACK);
		break;
	case ISCSI_LOGIN:
		lf_iscsi_reject(connection, bhs, ISCSI_REJECT_PROTOCOL);
		break;
	default:
		lf_iscsi_reject(connection, bhs, ISCSI_REJECT_NOT_SUPPORTED);
		break;
	}
}

static void dispatch_streamed(struct iscsi_connection *connection, const uint8_t *bhs)
{
	if (connection->session.nexus == NULL)
		lf_iscsi_reject(connection, bhs, ISCSI_REJECT_PROTOCOL); /* a discovery session: 4.3 */
	else if (iscsi_opcode(bhs) == ISCSI_SCSI_COMMAND)
		lf_iscsi_scsi_command(connection, bhs, bhs + ISCSI_BHS_LENGTH);
	else
		lf_iscsi_data_out(connection, bhs);
}

static bool whole_data_is_right(
	const struct iscsi_connection *connection, const uint8_t *data, uint32_t length)
{
	uint32_t padded = length + iscsi_pad(length);

	return !connection->data_digest || length == 0 ||
	       iscsi_digest_is(data + padded, lf_iscsi_crc(ISCSI_CRC_START, data, padded));
}

static void begin_data(struct iscsi_connection *connection, const uint8_t *bhs, uint32_t length)
{
	struct iscsi_receive *receive = &connection->receive;

	receive->at = ISCSI_AT_DATA;
	receive->data_left = length;
	receive->data_pad = iscsi_pad(length);
	receive->digested = connection->data_digest && length > 0;
	receive->crc = ISCSI_CRC_START;
	if (receive->digested)
		memcpy(receive->bhs, bhs, ISCSI_BHS_LENGTH);
}

/* At a header: false when more bytes are needed, or none are wanted now. */
static bool step_header(struct iscsi_connection *connection)
{
	struct iscsi_receive *receive = &connection->receive;
	const uint8_t *bhs = receive->buffer + receive->start;
	uint32_t available = receive->end - receive->start, opcode, length, header;
	bool login = connection->phase == ISCSI_PHASE_LOGIN;

	if (available < ISCSI_BHS_LENGTH)
		return false;
	header = header_length(connection, bhs);
	if (connection->header_digest && (available < header || !header_is_right(connection, bhs)))
		return false;
	opcode = iscsi_opcode(bhs);
	length = iscsi_data_length(bhs);
	if (length > (login ? ISCSI_LOGIN_TEXT_MAX : ISCSI_RECEIVE_DATA_MAX)) {
		lf_iscsi_protocol_error(connection, bhs, ISCSI_ERROR_TOO_LONG);
		return false;
	}
	if (must_pause(connection, opcode)) {
		connection->paused = true;
		return false;
	}
	if (available < header)
		return false;
	receive->task = NULL;
	if (login || (opcode != ISCSI_SCSI_COMMAND && opcode != ISCSI_DATA_OUT)) {
		uint32_t total = header + length + trailer_length(connection, length);

		if (available < total)
			return false;
		receive->start += total;
		lf_trace_iscsi_pdu_in(connection->id, opcode, lf_get_be32(bhs + ISCSI_AT_ITT), length);
		if (whole_data_is_right(connection, bhs + header, length))
			dispatch_whole(connection, bhs, bhs + header, length);
		else
			refuse_data(connection, bhs);
		return true;
	}
	receive->start += header;
	begin_data(connection, bhs, length);
	lf_trace_iscsi_pdu_in(connection->id, opcode, lf_get_be32(bhs + ISCSI_AT_ITT), length);
	dispatch_streamed(connection, bhs);
	return true;
}

/* Took bytes of the data segment off the wire, which are in the buffer or in the task's memory by now. */
static void digest_data(struct iscsi_receive *receive, const void *bytes, size_t length)
{
	if (receive->digested)
		receive->crc = lf_iscsi_crc(receive->crc, bytes, length);
}

static void digest_vectors(struct iscsi_receive *receive, const struct iovec *vector, size_t length)
{
	for (; length > 0; vector++) {
		size_t here = lf_min(vector->iov_len, length);

		digest_data(receive, vector->iov_base, here);
		length -= here;
	}
}

/* Of a data segment: what the buffer has of it. */
static bool step_data(struct iscsi_connection *connection)
{
	struct iscsi_receive *receive = &connection->receive;
	const uint8_t *from = receive->buffer + receive->start;
	uint32_t length = lf_min(receive->data_left, receive->end - receive->start);

	if (receive->task != NULL) {
		struct iovec vector[ISCSI_SEGMENTS_MAX];
		uint32_t count = lf_iscsi_task_vectors(
			receive->task, receive->task->received, length, vector, lf_count_of(vector));
		const uint8_t *at = from;

		for (uint32_t i = 0; i < count; i++) {
			memcpy(vector[i].iov_base, at, vector[i].iov_len);
			at += vector[i].iov_len;
		}
		receive->task->received += length;
	}
	digest_data(receive, from, length);
	receive->start += length;
	receive->data_left -= length;
	if (receive->data_left > 0)
		return false;
	receive->at = ISCSI_AT_TRAILER;
	return true;
}

/* The padding counts, too: 11.2.3 */
static void check_data(struct iscsi_connection *connection, const uint8_t *trailer)
{
	struct iscsi_receive *receive = &connection->receive;
	struct iscsi_task *task = receive->task;

	digest_data(receive, trailer, receive->data_pad);
	if (iscsi_digest_is(trailer + receive->data_pad, receive->crc))
		return;
	refuse_data(connection, receive->bhs);
	if (task != NULL && task->state == ISCSI_TASK_BEGUN)
		lf_iscsi_task_spoil(task);
}

static bool step_trailer(struct iscsi_connection *connection)
{
	struct iscsi_receive *receive = &connection->receive;
	const uint8_t *trailer = receive->buffer + receive->start;
	uint32_t length = receive->data_pad + (receive->digested ? ISCSI_DIGEST_LENGTH : 0);

	if (receive->end - receive->start < length)
		return false;
	receive->start += length;
	receive->at = ISCSI_AT_HEADER;
	if (receive->digested)
		check_data(connection, trailer);
	if (receive->task != NULL)
		lf_iscsi_data_end(connection);
	return true;
}

static bool step(struct iscsi_connection *connection)
{
	switch (connection->receive.at) {
	case ISCSI_AT_HEADER:
		return step_header(connection);
	case ISCSI_AT_DATA:
		return step_data(connection);
	default:
		return step_trailer(connection);
	}
}

void lf_iscsi_receive_resume(struct iscsi_connection *connection)
{
	connection->paused = false;
	while ((connection->phase == ISCSI_PHASE_LOGIN || connection->phase == ISCSI_PHASE_FULL) &&
		!connection->paused && step(connection))
		;
	lf_iscsi_connection_watch(connection);
}

void lf_iscsi_receive(struct iscsi_connection *connection)
{
	struct iscsi_receive *receive = &connection->receive;
	struct iovec vector[ISCSI_SEGMENTS_MAX + 1];
	uint32_t count = 0, direct = 0;
	ssize_t got;

	/* What is left is the beginning of one PDU: it goes to the front, so that it fits whole. */
	if (receive->start > 0) {
		memmove(receive->buffer, receive->buffer + receive->start, receive->end - receive->start);
		receive->end -= receive->start;
		receive->start = 0;
	}
	if (receive->at == ISCSI_AT_DATA && receive->task != NULL)
		count = lf_iscsi_task_vectors(receive->task, receive->task->received, receive->data_left,
			vector, ISCSI_SEGMENTS_MAX);
	for (uint32_t i = 0; i < count; i++)
		direct += (uint32_t)vector[i].iov_len;
	vector[count].iov_base = receive->buffer + receive->end;
	vector[count].iov_len = ISCSI_RECEIVE_BUFFER - receive->end;
	got = readv(connection->fd, vector, (int)count + 1);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		lf_iscsi_connection_close(connection, got == 0 ? ISCSI_CLOSE_PEER : ISCSI_CLOSE_SOCKET_ERROR);
		return;
	}
	lf_atomic_store_relaxed_u64(&receive->bytes, receive->bytes + (uint64_t)got);
	if (direct > 0) {
		uint32_t took = lf_min(direct, (uint32_t)got);

		digest_vectors(receive, vector, took);
		receive->task->received += took;
		receive->data_left -= took;
		got -= took;
	}
	receive->end += (uint32_t)got;
	lf_iscsi_receive_resume(connection);
}
