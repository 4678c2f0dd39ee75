/* SPDX-License-Identifier: BSD-2-Clause */
/* transmit.c: what waits to be sent becomes PDUs, as many as fit into one sendmsg; data goes by reference. */
#include <errno.h>
#include <sys/socket.h>

#include "edge/iscsi/internal.h"
#include "trace/trace.h"

/* Room that one PDU takes at most: header, sense with its length, padding, digests; every segment of its
 * data.
 */
#define PDU_BYTES   (ISCSI_BHS_LENGTH + 2 + LF_SENSE_MAX + 3 + 2 * ISCSI_DIGEST_LENGTH)
#define PDU_VECTORS (ISCSI_SEGMENTS_MAX + 2)

/* ---- Replies ---- */

struct iscsi_reply *lf_iscsi_reply_create(
	struct iscsi_connection *connection, uint32_t opcode, uint32_t data_length)
{
	struct iscsi_reply *reply = lf_alloc(sizeof(*reply) + data_length);

	if (reply == NULL) {
		lf_log(LF_LOG_ERROR, "iscsi: no memory for an answer: connection %llu is dropped",
			(unsigned long long)connection->id);
		connection->no_memory = true;
		iscsi_schedule(connection);
		return NULL;
	}
	reply->sendable.kind = ISCSI_SEND_REPLY;
	reply->bhs[0] = (uint8_t)opcode;
	reply->bhs[ISCSI_AT_FLAGS] = ISCSI_FINAL;
	reply->takes_stat_sn = true;
	reply->data_length = data_length;
	return reply;
}

void lf_iscsi_reply_send(struct iscsi_connection *connection, struct iscsi_reply *reply)
{
	lf_put_be24(reply->bhs + ISCSI_AT_DATA_LENGTH, reply->data_length);
	connection->replies++;
	connection->reply_bytes += reply->data_length;
	lf_list_append(&connection->send_queue, &reply->sendable.link);
	iscsi_schedule(connection);
}

static void reply_free(struct iscsi_connection *connection, struct iscsi_reply *reply)
{
	connection->replies--;
	connection->reply_bytes -= reply->data_length;
	lf_free(reply);
}

/* ---- Building a batch ---- */

static bool batch_has_room(const struct iscsi_batch *batch)
{
	return batch->used + PDU_BYTES <= ISCSI_BATCH_BYTES &&
	       batch->vector_count + PDU_VECTORS <= ISCSI_BATCH_VECTORS;
}

static void add_vector(struct iscsi_batch *batch, void *base, size_t length)
{
	struct iovec *last = batch->vector + batch->vector_count - 1;

	/* Headers that follow each other go as one. */
	if (batch->vector_count > 0 && (uint8_t *)last->iov_base + last->iov_len == (uint8_t *)base) {
		last->iov_len += length;
		return;
	}
	batch->vector[batch->vector_count++] = (struct iovec){base, length};
}

static uint8_t *take_bytes(struct iscsi_batch *batch, uint32_t length)
{
	uint8_t *at = batch->bytes + batch->used;

	memset(at, 0, length);
	batch->used += length;
	return at;
}

static uint8_t *add_bytes(struct iscsi_batch *batch, uint32_t length)
{
	uint8_t *at = take_bytes(batch, length);

	add_vector(batch, at, length);
	return at;
}

/* The header is whole, and was the last that went in. */
static void add_header_digest(const struct iscsi_connection *connection, const uint8_t *bhs)
{
	if (connection->header_digest)
		iscsi_put_digest(add_bytes(connection->batch, ISCSI_DIGEST_LENGTH),
			lf_iscsi_crc(ISCSI_CRC_START, bhs, ISCSI_BHS_LENGTH));
}

/* Behind data whose checksum so far is crc: the padding, which counts, too, and the digest. */
static void add_trailer(struct iscsi_batch *batch, uint32_t length, bool digested, uint32_t crc)
{
	uint32_t pad = iscsi_pad(length);
	uint8_t *trailer;

	if (pad == 0 && !digested)
		return;
	trailer = add_bytes(batch, pad + (digested ? ISCSI_DIGEST_LENGTH : 0));
	if (digested)
		iscsi_put_digest(trailer + pad, lf_iscsi_crc(crc, trailer, pad));
}

/* A data segment that lies in one piece. */
static void add_piece(struct iscsi_batch *batch, uint8_t *data, uint32_t length, bool digested)
{
	if (length == 0)
		return;
	add_vector(batch, data, length);
	add_trailer(batch, length, digested, digested ? lf_iscsi_crc(ISCSI_CRC_START, data, length) : 0);
}

/* The serial numbers of the moment: 11.2 */
static void stamp(struct iscsi_connection *connection, uint8_t *bhs, bool takes_stat_sn)
{
	lf_put_be32(bhs + ISCSI_AT_STAT_SN, connection->stat_sn);
	if (takes_stat_sn)
		connection->stat_sn++;
	connection->max_cmd_sn_told = lf_iscsi_max_cmd_sn(connection);
	lf_put_be32(bhs + ISCSI_AT_EXP_CMD_SN, connection->exp_cmd_sn);
	lf_put_be32(bhs + ISCSI_AT_MAX_CMD_SN, connection->max_cmd_sn_told);
	connection->batch->pdus++;
}

static uint8_t residual(uint64_t expected, uint64_t moved, uint8_t *at)
{
	uint64_t difference = moved > expected ? moved - expected : expected - moved;

	if (difference == 0)
		return 0;
	lf_put_be32(at, (uint32_t)lf_min(difference, UINT32_MAX));
	return moved > expected ? ISCSI_OVERFLOW : ISCSI_UNDERFLOW;
}

/* Residual counts (11.4.5): what the command moved, or would have, against what the initiator expected. */
static void put_residuals(const struct iscsi_task *task, uint8_t *bhs)
{
	const struct lf_request *request = &task->request;
	bool good = request->status == LF_STATUS_GOOD || request->status == LF_STATUS_CONDITION_MET;
	uint8_t *flags = &bhs[ISCSI_AT_FLAGS], *count = bhs + ISCSI_AT_RESIDUAL;
	bool reads = (task->flags & ISCSI_COMMAND_READ) != 0,
	     writes = (task->flags & ISCSI_COMMAND_WRITE) != 0;

	if (reads && writes) {
		uint8_t bidi = residual(task->read_length, task->send_length, bhs + ISCSI_AT_BIDI_RESIDUAL);

		*flags |= bidi == ISCSI_UNDERFLOW ? ISCSI_BIDI_UNDERFLOW : 0;
	}
	if (request->direction == LF_DIRECTION_IN && !writes)
		*flags |= residual(task->edtl, good ? request->data_moved : 0, count);
	else if (request->direction == LF_DIRECTION_OUT && !reads)
		*flags |= residual(task->edtl, request->data_wanted, count);
	else
		*flags |= residual(task->edtl, 0, count);
}

static void put_status(struct iscsi_task *task, uint8_t *bhs)
{
	lf_iscsi_task_answered(task);
	bhs[ISCSI_AT_STATUS] = task->request.status;
	put_residuals(task, bhs);
}

static void add_response(struct iscsi_connection *connection, struct iscsi_task *task)
{
	struct iscsi_batch *batch = connection->batch;
	uint32_t sense_length = task->request.sense_length;
	uint32_t length = sense_length > 0 ? 2 + sense_length : 0;
	uint8_t *bhs = add_bytes(batch, ISCSI_BHS_LENGTH);

	bhs[0] = ISCSI_SCSI_RESPONSE;
	bhs[ISCSI_AT_FLAGS] = ISCSI_FINAL;
	lf_put_be24(bhs + ISCSI_AT_DATA_LENGTH, length);
	lf_put_be32(bhs + ISCSI_AT_ITT, task->itt);
	/* ExpDataSN counts Data-In and R2T together: 11.4.7 */
	lf_put_be32(bhs + ISCSI_AT_DATA_SN, task->data_sn + task->r2t_next);
	put_status(task, bhs);
	stamp(connection, bhs, true);
	add_header_digest(connection, bhs);
	if (length > 0) {
		uint8_t *data = take_bytes(batch, length);

		lf_put_be16(data, (uint16_t)sense_length);
		memcpy(data + 2, task->request.sense, sense_length);
		add_piece(batch, data, length, connection->data_digest);
	}
}

static void add_data(const struct iscsi_connection *connection, const struct iscsi_task *task,
	uint64_t offset, uint32_t length)
{
	uint32_t crc = ISCSI_CRC_START, whole = length;
	uint64_t begin = 0;

	for (uint32_t i = 0; length > 0; i++) {
		uint64_t end = begin + task->segments[i].length;

		if (offset < end) {
			uint32_t here = (uint32_t)lf_min(end - offset, length);

			uint8_t *at = (uint8_t *)task->segments[i].base + (offset - begin);

			add_vector(connection->batch, at, here);
			if (connection->data_digest)
				crc = lf_iscsi_crc(crc, at, here);
			offset += here;
			length -= here;
		}
		begin = end;
	}
	add_trailer(connection->batch, whole, connection->data_digest, crc);
}

/* One Data-In (11.7); the last one carries the status, which is good when there is data at all. */
static void add_data_in(struct iscsi_connection *connection, struct iscsi_task *task)
{
	const uint32_t *value = connection->login.negotiation.value;
	uint32_t burst = value[ISCSI_MAX_BURST_LENGTH];
	uint64_t burst_left = burst - task->sent % burst, left = task->send_length - task->sent;
	uint32_t length = (uint32_t)lf_min(lf_min(left, burst_left), value[ISCSI_MAX_SEND_LENGTH]);
	uint8_t *bhs = add_bytes(connection->batch, ISCSI_BHS_LENGTH);
	bool last = length == left;

	bhs[0] = ISCSI_DATA_IN;
	lf_put_be24(bhs + ISCSI_AT_DATA_LENGTH, length);
	lf_put_be32(bhs + ISCSI_AT_ITT, task->itt);
	lf_put_be32(bhs + ISCSI_AT_TTT, ISCSI_NO_TAG);
	lf_put_be32(bhs + ISCSI_AT_DATA_SN, task->data_sn++);
	lf_put_be32(bhs + ISCSI_AT_OFFSET, (uint32_t)task->sent);
	if (last || length == burst_left)
		bhs[ISCSI_AT_FLAGS] |= ISCSI_FINAL;
	if (last) {
		bhs[ISCSI_AT_FLAGS] |= ISCSI_STATUS;
		put_status(task, bhs);
	}
	stamp(connection, bhs, last);
	/* StatSN is reserved where there is no status: 11.7.6 */
	if (!last)
		lf_put_be32(bhs + ISCSI_AT_STAT_SN, 0);
	add_header_digest(connection, bhs);
	add_data(connection, task, task->sent, length);
	task->sent += length;
}

/* True when all of the task is in the batch. */
static bool add_task(struct iscsi_connection *connection, struct iscsi_task *task)
{
	if (task->send_length == 0) {
		add_response(connection, task);
		return true;
	}
	while (task->sent < task->send_length && batch_has_room(connection->batch))
		add_data_in(connection, task);
	return task->sent == task->send_length;
}

static void add_reply(struct iscsi_connection *connection, struct iscsi_reply *reply)
{
	struct iscsi_batch *batch = connection->batch;
	/* The last Login Response finds us in the full feature phase, and goes without digests yet: 13.1 */
	bool login = iscsi_opcode(reply->bhs) == ISCSI_LOGIN_RESPONSE;

	if (reply->inventory)
		connection->inventory_queued = false;
	stamp(connection, reply->bhs, reply->takes_stat_sn);
	add_vector(batch, reply->bhs, ISCSI_BHS_LENGTH);
	if (!login)
		add_header_digest(connection, reply->bhs);
	add_piece(batch, reply->data, reply->data_length, connection->data_digest && !login);
}

static void add_r2ts(struct iscsi_connection *connection)
{
	uint8_t bhs[ISCSI_BHS_LENGTH];

	lf_list_each(link, after, &connection->solicit)
	{
		struct iscsi_task *task = lf_container(link, struct iscsi_task, solicit_link);

		while (batch_has_room(connection->batch) && lf_iscsi_make_r2t(task, bhs)) {
			stamp(connection, bhs, false);
			memcpy(add_bytes(connection->batch, ISCSI_BHS_LENGTH), bhs, ISCSI_BHS_LENGTH);
			add_header_digest(connection, bhs);
		}
		if (!batch_has_room(connection->batch))
			return;
		lf_list_remove(link);
	}
}

static void fill_batch(struct iscsi_connection *connection)
{
	struct iscsi_batch *batch = connection->batch;

	add_r2ts(connection);
	while (!lf_list_empty(&connection->send_queue) && batch_has_room(batch)) {
		struct lf_link *link = connection->send_queue.next;
		struct iscsi_sendable *sendable = lf_container(link, struct iscsi_sendable, link);

		if (sendable->kind == ISCSI_SEND_REPLY) {
			add_reply(connection, lf_container(sendable, struct iscsi_reply, sendable));
			lf_list_remove(link);
			lf_list_append(&batch->replies, link);
		} else {
			if (!add_task(connection, lf_container(sendable, struct iscsi_task, sendable)))
				return;
			lf_list_remove(link);
			lf_list_append(&batch->tasks, link);
		}
	}
}

/* ---- Sending ---- */

static void empty_batch(struct iscsi_connection *connection)
{
	struct iscsi_batch *batch = connection->batch;
	struct lf_link *link;

	while ((link = lf_list_take(&batch->tasks)) != NULL)
		lf_iscsi_task_release(lf_container(link, struct iscsi_task, sendable.link));
	while ((link = lf_list_take(&batch->replies)) != NULL)
		reply_free(connection, lf_container(link, struct iscsi_reply, sendable.link));
	batch->vector_count = batch->vector_at = batch->used = batch->pdus = 0;
}

/* False when the socket takes no more, or is gone. */
static bool send_batch(struct iscsi_connection *connection)
{
	struct iscsi_batch *batch = connection->batch;
	struct msghdr message = {
		.msg_iov = batch->vector + batch->vector_at,
		.msg_iovlen = batch->vector_count - batch->vector_at,
	};
	ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
			lf_iscsi_connection_close(connection, ISCSI_CLOSE_SOCKET_ERROR);
		return false;
	}
	lf_trace_iscsi_send(connection->id, batch->pdus, (uint64_t)sent, 0);
	lf_atomic_store_relaxed_u64(&connection->bytes_sent, connection->bytes_sent + (uint64_t)sent);
	connection->turn_bytes += (uint32_t)sent;
	while (batch->vector_at < batch->vector_count) {
		struct iovec *vector = &batch->vector[batch->vector_at];

		if ((size_t)sent < vector->iov_len) {
			vector->iov_base = (uint8_t *)vector->iov_base + sent;
			vector->iov_len -= (size_t)sent;
			return false;
		}
		sent -= (ssize_t)vector->iov_len;
		batch->vector_at++;
	}
	return true;
}

void lf_iscsi_transmit(struct iscsi_connection *connection)
{
	struct iscsi_batch *batch = connection->batch;

	for (;;) {
		if (batch->vector_count == 0)
			fill_batch(connection);
		/* What is in the batch has the loop wait for EPOLLOUT, which comes when the others had
		 * theirs. */
		if (batch->vector_count == 0 || connection->turn_bytes >= ISCSI_TURN_BYTES ||
			!send_batch(connection))
			return;
		empty_batch(connection);
	}
}

/* The connection is gone, and with it whatever was to be sent. */
void lf_iscsi_transmit_drop(struct iscsi_connection *connection)
{
	struct lf_link *link;

	while ((link = lf_list_take(&connection->send_queue)) != NULL) {
		struct iscsi_sendable *sendable = lf_container(link, struct iscsi_sendable, link);

		if (sendable->kind == ISCSI_SEND_REPLY)
			reply_free(connection, lf_container(sendable, struct iscsi_reply, sendable));
		else
			lf_iscsi_task_release(lf_container(sendable, struct iscsi_task, sendable));
	}
	empty_batch(connection);
}

bool lf_iscsi_transmit_idle(const struct iscsi_connection *connection)
{
	return lf_list_empty(&connection->send_queue) && connection->batch->vector_count == 0;
}
