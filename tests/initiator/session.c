/* SPDX-License-Identifier: BSD-2-Clause */
/* session.c: batched sending and receiving, the command window, and the round of the initiator. */
#include <errno.h>
#include <isa-l/crc.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "platform/bytes.h"
#include "tests/initiator/initiator.h"

#define SEGMENTS_MAX 768

bool lf_initiator_fail(struct lf_initiator *session, const char *format, ...)
{
	va_list values;
	if (session->error[0])
		return false;
	va_start(values, format);
	vsnprintf(session->error, sizeof(session->error), format, values);
	va_end(values);
	return false;
}

/* Grows the ring; the PDUs in it keep their order and start at 0. */
static void grow_out(struct lf_initiator *session)
{
	struct lf_out *larger = malloc(2 * session->out_size * sizeof(*larger));
	if (!larger)
		abort();
	for (uint32_t i = 0; i < session->out_count; i++)
		larger[i] = session->out[(session->out_head + i) % session->out_size];
	free(session->out);
	session->out = larger;
	session->out_size *= 2;
	session->out_head = 0;
}

/* The padding counts, too. */
static void digest_data(struct lf_out *out)
{
	uint8_t tail[4] = {0};
	uint32_t crc = crc32_iscsi((unsigned char *)(uintptr_t)out->data, (int)out->length, 0xffffffff);
	crc = ~crc32_iscsi(tail, (int)(-out->length & 3u), crc);
	for (int i = 0; i < 4; i++)
		out->data_digest[i] = (uint8_t)(crc >> 8 * i);
}

/* bhs is copied; data must last until it was sent. */
void lf_initiator_queue(struct lf_initiator *session, const uint8_t *bhs, const void *data, uint32_t length)
{
	struct lf_out *out;
	if (session->out_count == session->out_size)
		grow_out(session);
	out = &session->out[(session->out_head + session->out_count++) % session->out_size];
	memcpy(out->bhs, bhs, LF_BHS_LENGTH);
	lf_put_be24(out->bhs + 5, length);
	out->data = data;
	out->length = length;
	if (session->data_digest && length)
		digest_data(out);
	session->pdus_out++;
}

/* On the wire, with digests. */
static uint32_t pdu_length(const struct lf_initiator *session, uint32_t header, uint32_t data)
{
	return header + (session->header_digest ? 4 : 0) + ((data + 3) & ~3u) +
	       (session->data_digest && data ? 4 : 0);
}

/* Fills segments with what waits at the head of the ring, less what was sent of it. */
static size_t gather(struct lf_initiator *session, struct iovec *segments)
{
	static const uint8_t padding[4];
	uint32_t skip = session->out_sent_bytes;
	size_t count = 0;
	for (uint32_t i = 0; i < session->out_count && count + 5 <= SEGMENTS_MAX; i++) {
		struct lf_out *out = &session->out[(session->out_head + i) % session->out_size];
		struct iovec parts[5] = {{out->bhs, LF_BHS_LENGTH},
			{out->header_digest, session->header_digest ? 4 : 0},
			{(void *)(uintptr_t)out->data, out->length},
			{(void *)(uintptr_t)padding, -out->length & 3u},
			{out->data_digest, session->data_digest && out->length ? 4 : 0}};
		/* Acknowledged as late as possible: the target frees what it kept for us. */
		if (i || skip == 0) {
			lf_put_be32(out->bhs + 28, session->exp_stat_sn);
			if (session->header_digest)
				lf_digest(out->bhs, LF_BHS_LENGTH, out->header_digest);
		}
		for (int part = 0; part < 5; part++) {
			if (skip >= parts[part].iov_len) {
				skip -= (uint32_t)parts[part].iov_len;
				continue;
			}
			segments[count].iov_base = (uint8_t *)parts[part].iov_base + skip;
			segments[count++].iov_len = parts[part].iov_len - skip;
			skip = 0;
		}
	}
	return count;
}

static void forget_sent(struct lf_initiator *session, size_t bytes)
{
	bytes += session->out_sent_bytes;
	while (session->out_count) {
		struct lf_out *out = &session->out[session->out_head];
		size_t length = pdu_length(session, LF_BHS_LENGTH, out->length);
		if (bytes < length)
			break;
		bytes -= length;
		session->out_head = (session->out_head + 1) % session->out_size;
		session->out_count--;
	}
	session->out_sent_bytes = (uint32_t)bytes;
}

/* Sends until nothing is left or the socket is full; what is left stays queued. */
bool lf_initiator_send(struct lf_initiator *session)
{
	while (session->out_count) {
		struct iovec segments[SEGMENTS_MAX];
		struct msghdr message = {.msg_iov = segments, .msg_iovlen = gather(session, segments)};
		ssize_t sent = sendmsg(session->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		session->sends++;
		if (sent < 0 && errno == EAGAIN)
			return true;
		if (sent < 0 && errno != EINTR)
			return lf_initiator_fail(session, "send: %s", strerror(errno));
		if (sent > 0)
			forget_sent(session, (size_t)sent);
	}
	return true;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The data that goes out without being asked for (RFC 7143 4.2.5.2): immediate, then unsolicited Data-Out. */
static void send_write(struct lf_initiator *session, struct lf_scsi_task *task, uint8_t *bhs)
{
	uint32_t unsolicited = smaller(task->length, session->first_burst_bytes), immediate = 0;
	if (session->immediate_data)
		immediate = smaller(unsolicited, session->max_send_bytes);
	if (session->initial_r2t)
		unsolicited = immediate;
	if (unsolicited > immediate)
		bhs[1] &= 0x7f; /* F comes with the last unsolicited Data-Out */
	lf_initiator_queue(session, bhs, task->buffer, immediate);
	if (unsolicited > immediate)
		lf_initiator_queue_data_out(
			session, task, immediate, unsolicited - immediate, UINT32_MAX, task->lun);
	task->solicited = unsolicited;
}

static void send_command(struct lf_initiator *session, struct lf_scsi_task *task)
{
	uint8_t bhs[LF_BHS_LENGTH] = {0x01, 0x81}; /* F, SIMPLE */
	uint16_t slot = session->free_slots[--session->free_count];
	session->tag_generation += LF_TASKS_MAX;
	if (session->tag_generation >= UINT32_C(0xf0000000))
		session->tag_generation = LF_TASKS_MAX;
	task->tag = session->tag_generation | slot;
	session->tasks[slot] = task;
	lf_put_be64(bhs + 8, task->lun);
	lf_put_be32(bhs + 16, task->tag);
	lf_put_be32(bhs + 20, task->length);
	task->cmd_sn = session->cmd_sn++;
	lf_put_be32(bhs + 24, task->cmd_sn);
	memcpy(bhs + 32, task->cdb, sizeof(task->cdb));
	if (task->direction == LF_DATA_OUT) {
		bhs[1] |= 0x20;
		send_write(session, task, bhs);
		return;
	}
	if (task->direction == LF_DATA_IN)
		bhs[1] |= 0x40;
	lf_initiator_queue(session, bhs, NULL, 0);
}

/* Takes commands into the window: RFC 7143 4.2.2.1, serial number arithmetic. */
static void send_waiting(struct lf_initiator *session)
{
	while (session->waiting && session->free_count &&
		(int32_t)(session->max_cmd_sn - session->cmd_sn) >= 0) {
		struct lf_scsi_task *task = session->waiting;
		session->waiting = task->next;
		if (!session->waiting)
			session->waiting_end = &session->waiting;
		send_command(session, task);
	}
}

void lf_initiator_submit(struct lf_initiator *session, struct lf_scsi_task *task)
{
	task->response = task->status = 0;
	task->moved = task->residual = task->sense_length = task->data_sn = task->solicited = 0;
	task->overflow = false;
	task->tag = UINT32_MAX;
	task->next = NULL;
	*session->waiting_end = task;
	session->waiting_end = &task->next;
}

/* The rest of a Data-In whose data goes straight into its task's buffer is complete. */
static bool filled(struct lf_initiator *session)
{
	struct lf_scsi_task *task = session->filling;
	session->filling = NULL;
	return lf_initiator_data_in(session, session->fill_bhs, task);
}

/* Takes the data of a Data-In from the stage, as far as it is there. Returns the bytes used, 0 on failure. */
static uint32_t take_data_in(
	struct lf_initiator *session, const uint8_t *bhs, uint32_t there, uint32_t length)
{
	struct lf_scsi_task *task = lf_initiator_data_in_task(session, bhs, length);
	uint32_t now = smaller(length, there - LF_BHS_LENGTH);
	if (!task)
		return 0;
	session->fill_offset = lf_get_be32(bhs + 40);
	memcpy(task->buffer + session->fill_offset, bhs + LF_BHS_LENGTH, now);
	if (now < length) {
		memcpy(session->fill_bhs, bhs, LF_BHS_LENGTH);
		session->filling = task;
		session->fill_offset += now;
		session->fill_left = length - now;
	} else if (!lf_initiator_data_in(session, bhs, task)) {
		return 0;
	}
	return LF_BHS_LENGTH + now;
}

/* One that is there whole; its digests have to be right. */
static bool take_whole(struct lf_initiator *session, const uint8_t *bhs, uint32_t header, uint32_t length)
{
	const uint8_t *data = bhs + header + (session->header_digest ? 4 : 0);
	uint32_t padded = (length + 3) & ~3u;
	uint8_t digest[4];
	if (session->header_digest) {
		lf_digest(bhs, header, digest);
		if (memcmp(digest, bhs + header, 4) != 0)
			return lf_initiator_fail(session, "opcode %02x: the header digest is wrong", bhs[0]);
	}
	if (session->data_digest && length) {
		lf_digest(data, padded, digest);
		if (memcmp(digest, data + padded, 4) != 0)
			return lf_initiator_fail(session, "opcode %02x: the data digest is wrong", bhs[0]);
	}
	return lf_initiator_pdu(session, bhs, data, length);
}

/* Takes every complete PDU off the stage and moves the rest to its beginning. */
static bool take_pdus(struct lf_initiator *session)
{
	uint32_t at = 0;
	while (!session->filling && session->stage_length - at >= LF_BHS_LENGTH) {
		const uint8_t *bhs = session->stage + at;
		uint32_t there = session->stage_length - at, data = lf_get_be24(bhs + 5), header, used;
		header = LF_BHS_LENGTH + bhs[4] * 4u;
		if (data > session->max_receive_bytes)
			return lf_initiator_fail(session, "a data segment of %u bytes, we take %u", data,
				session->max_receive_bytes);
		if (!session->header_digest && !session->data_digest && (bhs[0] & 0x3f) == 0x25 &&
			data % 4 == 0 && bhs[4] == 0) {
			used = take_data_in(session, bhs, there, data);
			if (used == 0)
				return false;
		} else {
			used = pdu_length(session, header, data);
			if (used > there)
				break;
			if (!take_whole(session, bhs, header, data))
				return false;
		}
		session->pdus_in++;
		at += used;
	}
	session->stage_length -= at;
	memmove(session->stage, session->stage + at, session->stage_length);
	return true;
}

static bool receive(struct lf_initiator *session, int flags)
{
	struct iovec segments[2];
	struct msghdr message = {.msg_iov = segments};
	uint32_t direct = session->filling ? session->fill_left : 0;
	ssize_t got;
	if (direct) {
		segments[0].iov_base = session->filling->buffer + session->fill_offset;
		segments[0].iov_len = direct;
		message.msg_iovlen = 1;
	}
	segments[message.msg_iovlen].iov_base = session->stage + session->stage_length;
	segments[message.msg_iovlen++].iov_len = session->stage_size - session->stage_length;
	got = recvmsg(session->fd, &message, flags);
	session->receives++;
	if (got == 0)
		return lf_initiator_fail(session, "the target closed the connection");
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ||
		       lf_initiator_fail(session, "receive: %s", strerror(errno));
	if (direct > (size_t)got)
		direct = (uint32_t)got;
	session->fill_offset += direct;
	session->fill_left -= direct;
	session->stage_length += (uint32_t)got - direct;
	if (session->filling) {
		if (session->fill_left)
			return true;
		if (!filled(session))
			return false;
	}
	return take_pdus(session);
}

bool lf_initiator_turn(struct lf_initiator *session)
{
	if (session->error[0])
		return false;
	send_waiting(session);
	if (!lf_initiator_send(session))
		return false;
	if (session->out_count) {
		/* The socket is full: the target may be waiting for us to take what it has sent. */
		struct pollfd ready = {.fd = session->fd, .events = POLLIN | POLLOUT};
		if (poll(&ready, 1, 100) <= 0 || !(ready.revents & (POLLIN | POLLHUP | POLLERR)))
			return true;
		return receive(session, MSG_DONTWAIT);
	}
	return receive(session, 0);
}
