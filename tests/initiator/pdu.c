/* SPDX-License-Identifier: BSD-2-Clause */
/* pdu.c: what the initiator does with each PDU that comes, strictly, and the functions of one PDU and answer.
 */
#include <string.h>

#include "platform/bytes.h"
#include "tests/initiator/initiator.h"

#define NO_TAG UINT32_MAX

static struct lf_scsi_task *find_task(struct lf_initiator *session, uint32_t tag)
{
	struct lf_scsi_task *task = session->tasks[tag % LF_TASKS_MAX];
	return task && task->tag == tag ? task : NULL;
}

/* ExpCmdSN and MaxCmdSN of every PDU; StatSN too when it carries a status (RFC 7143 4.2.2). */
static bool note_numbers(struct lf_initiator *session, const uint8_t *bhs, bool has_status)
{
	uint32_t exp_cmd_sn = lf_get_be32(bhs + 28), max_cmd_sn = lf_get_be32(bhs + 32),
		 stat_sn = lf_get_be32(bhs + 24);
	if ((int32_t)(max_cmd_sn - (exp_cmd_sn - 1)) < 0)
		return lf_initiator_fail(session, "MaxCmdSN %u is below ExpCmdSN %u", max_cmd_sn, exp_cmd_sn);
	if ((int32_t)(exp_cmd_sn - session->cmd_sn) > 0)
		return lf_initiator_fail(session, "ExpCmdSN %u of what was never sent", exp_cmd_sn);
	if ((int32_t)(max_cmd_sn - session->max_cmd_sn) > 0)
		session->max_cmd_sn = max_cmd_sn;
	if ((int32_t)(exp_cmd_sn - session->exp_cmd_sn) > 0)
		session->exp_cmd_sn = exp_cmd_sn;
	if (!has_status)
		return true;
	if (stat_sn != session->exp_stat_sn)
		return lf_initiator_fail(session, "opcode %02x has StatSN %u instead of %u", bhs[0] & 0x3f,
			stat_sn, session->exp_stat_sn);
	session->exp_stat_sn++;
	return true;
}

static void end_task(struct lf_initiator *session, struct lf_scsi_task *task)
{
	uint32_t slot = task->tag % LF_TASKS_MAX;
	session->tasks[slot] = NULL;
	session->free_slots[session->free_count++] = (uint16_t)slot;
	session->completed++;
	task->done(task);
}

/* The residual of a SCSI Response or last Data-In: flags O 04, U 02 (RFC 7143 11.4.5). */
static bool note_residual(struct lf_initiator *session, struct lf_scsi_task *task, const uint8_t *bhs)
{
	uint32_t expected = task->length, residual = lf_get_be32(bhs + 44);
	task->overflow = bhs[1] & 0x04;
	if (task->overflow)
		task->residual = residual;
	if (bhs[1] & 0x02) {
		if (residual > task->length || (bhs[1] & 0x04))
			return lf_initiator_fail(
				session, "a residual of %u for %u bytes", residual, task->length);
		task->residual = residual;
		expected -= residual;
	}
	if (task->direction == LF_DATA_IN && task->status == 0 && task->moved != expected)
		return lf_initiator_fail(session, "tag %x: %u bytes came, %u were announced", task->tag,
			task->moved, expected);
	return true;
}

struct lf_scsi_task *lf_initiator_data_in_task(
	struct lf_initiator *session, const uint8_t *bhs, uint32_t length)
{
	uint32_t tag = lf_get_be32(bhs + 16), offset = lf_get_be32(bhs + 40);
	struct lf_scsi_task *task = find_task(session, tag);
	if (!task || task->direction != LF_DATA_IN)
		lf_initiator_fail(session, "Data-In for tag %x, which reads nothing", tag);
	else if (offset != task->moved || length > task->length - offset)
		lf_initiator_fail(session, "tag %x: Data-In of %u bytes at %u; %u of %u came before", tag,
			length, offset, task->moved, task->length);
	else
		return task;
	return NULL;
}

bool lf_initiator_data_in(struct lf_initiator *session, const uint8_t *bhs, struct lf_scsi_task *task)
{
	bool has_status = bhs[1] & 0x01;
	if (!note_numbers(session, bhs, has_status))
		return false;
	if (lf_get_be32(bhs + 36) != task->data_sn++)
		return lf_initiator_fail(
			session, "tag %x: DataSN %u is out of order", task->tag, lf_get_be32(bhs + 36));
	task->moved += lf_get_be24(bhs + 5);
	if (!has_status)
		return true;
	if (!(bhs[1] & 0x80))
		return lf_initiator_fail(session, "tag %x: status in a Data-In without F", task->tag);
	task->status = bhs[3];
	if (!note_residual(session, task, bhs))
		return false;
	end_task(session, task);
	return true;
}

static bool take_response(
	struct lf_initiator *session, const uint8_t *bhs, const uint8_t *data, uint32_t length)
{
	struct lf_scsi_task *task = find_task(session, lf_get_be32(bhs + 16));
	uint32_t sense;
	if (!note_numbers(session, bhs, true))
		return false;
	if (!task)
		return lf_initiator_fail(session, "SCSI Response for unknown tag %x", lf_get_be32(bhs + 16));
	task->response = bhs[2];
	task->status = bhs[3];
	if (length >= 2) {
		sense = (uint32_t)data[0] << 8 | data[1];
		if (sense > length - 2)
			return lf_initiator_fail(session, "SenseLength %u in %u bytes", sense, length);
		task->sense_length = sense < sizeof(task->sense) ? sense : sizeof(task->sense);
		memcpy(task->sense, data + 2, task->sense_length);
	}
	if (task->response == 0 && !note_residual(session, task, bhs))
		return false;
	end_task(session, task);
	return true;
}

void lf_initiator_queue_data_out(struct lf_initiator *session, const struct lf_scsi_task *task,
	uint32_t offset, uint32_t length, uint32_t transfer_tag, uint64_t lun)
{
	uint8_t bhs[LF_BHS_LENGTH] = {0x05};
	lf_put_be64(bhs + 8, lun);
	lf_put_be32(bhs + 16, task->tag);
	lf_put_be32(bhs + 20, transfer_tag);
	for (uint32_t data_sn = 0; length; data_sn++) {
		uint32_t part = length < session->max_send_bytes ? length : session->max_send_bytes;
		bhs[1] = part == length ? 0x80 : 0;
		lf_put_be32(bhs + 36, data_sn);
		lf_put_be32(bhs + 40, offset);
		lf_initiator_queue(session, bhs, task->buffer + offset, part);
		offset += part;
		length -= part;
	}
}

static bool take_r2t(struct lf_initiator *session, const uint8_t *bhs)
{
	struct lf_scsi_task *task = find_task(session, lf_get_be32(bhs + 16));
	uint32_t offset = lf_get_be32(bhs + 40), length = lf_get_be32(bhs + 44);
	if (!note_numbers(session, bhs, false))
		return false;
	if (!task || task->direction != LF_DATA_OUT)
		return lf_initiator_fail(
			session, "R2T for tag %x, which writes nothing", lf_get_be32(bhs + 16));
	if (lf_get_be32(bhs + 36) != task->data_sn++)
		return lf_initiator_fail(
			session, "tag %x: R2TSN %u is out of order", task->tag, lf_get_be32(bhs + 36));
	if (offset != task->solicited || length == 0 || length > task->length - offset ||
		length > session->max_burst_bytes)
		return lf_initiator_fail(session,
			"tag %x: R2T for %u bytes at %u; %u of %u were asked for before", task->tag, length,
			offset, task->solicited, task->length);
	task->solicited += length;
	lf_initiator_queue_data_out(
		session, task, offset, length, lf_get_be32(bhs + 20), lf_get_be64(bhs + 8));
	return true;
}

static bool take_nop_in(struct lf_initiator *session, const uint8_t *bhs)
{
	uint8_t answer[LF_BHS_LENGTH] = {0x40, 0x80};
	uint32_t tag = lf_get_be32(bhs + 16);
	if (!note_numbers(session, bhs, tag != NO_TAG))
		return false;
	if (tag != NO_TAG && tag == session->control_tag) {
		memcpy(session->control_bhs, bhs, LF_BHS_LENGTH);
		session->control_answered = true;
		return true;
	}
	if (lf_get_be32(bhs + 20) == NO_TAG)
		return tag == NO_TAG || lf_initiator_fail(session, "NOP-In for unknown tag %x", tag);
	memcpy(answer + 8, bhs + 8, 8);
	lf_put_be32(answer + 16, NO_TAG);
	memcpy(answer + 20, bhs + 20, 4);
	lf_put_be32(answer + 24, session->cmd_sn);
	lf_initiator_queue(session, answer, NULL, 0);
	return true;
}

bool lf_initiator_pdu(struct lf_initiator *session, const uint8_t *bhs, const uint8_t *data, uint32_t length)
{
	struct lf_scsi_task *task;
	switch (bhs[0] & 0x3f) {
	case 0x20:
		return take_nop_in(session, bhs);
	case 0x21:
		return take_response(session, bhs, data, length);
	case 0x25: /* not a multiple of four: it does not go by the fast way */
		task = lf_initiator_data_in_task(session, bhs, length);
		if (!task)
			return false;
		memcpy(task->buffer + task->moved, data, length);
		return lf_initiator_data_in(session, bhs, task);
	case 0x31:
		return take_r2t(session, bhs);
	case 0x22:
	case 0x26:
		if (!note_numbers(session, bhs, true))
			return false;
		if (lf_get_be32(bhs + 16) != session->control_tag)
			return lf_initiator_fail(
				session, "an answer for unknown tag %x", lf_get_be32(bhs + 16));
		memcpy(session->control_bhs, bhs, LF_BHS_LENGTH);
		session->control_answered = true;
		return true;
	case 0x32:
		if (bhs[36] != 0)
			return lf_initiator_fail(session, "asynchronous message, event %u", bhs[36]);
		session->inventory_events++;
		return note_numbers(session, bhs, true);
	case 0x3f:
		return lf_initiator_fail(session, "reject, reason %02x", bhs[2]);
	default:
		return lf_initiator_fail(session, "unexpected opcode %02x", bhs[0] & 0x3f);
	}
}

static void run_done(struct lf_scsi_task *task)
{
	*(bool *)task->owner = true;
}

bool lf_initiator_run(struct lf_initiator *session, struct lf_scsi_task *task)
{
	bool ended = false;
	task->done = run_done;
	task->owner = &ended;
	lf_initiator_submit(session, task);
	for (int turns = 0; !ended; turns++) {
		uint64_t before = session->pdus_in;
		if (!lf_initiator_turn(session))
			return false;
		if (session->pdus_in != before)
			turns = 0;
		if (turns == 600)
			return lf_initiator_fail(session, "command %02x: no answer for 60 s", task->cdb[0]);
	}
	return true;
}

bool lf_initiator_exchange(struct lf_initiator *session, uint8_t *bhs, const char *what)
{
	session->control_tag = UINT32_C(0xfffffff1);
	session->control_answered = false;
	lf_put_be32(bhs + 16, session->control_tag);
	lf_put_be32(bhs + 24, session->cmd_sn);
	lf_initiator_queue(session, bhs, NULL, 0);
	for (int turns = 0; !session->control_answered; turns++) {
		uint64_t before = session->pdus_in;
		if (!lf_initiator_turn(session))
			return false;
		if (session->pdus_in != before)
			turns = 0;
		if (turns == 600)
			return lf_initiator_fail(session, "%s: no answer for 60 s", what);
	}
	session->control_tag = NO_TAG;
	return true;
}

bool lf_initiator_ping(struct lf_initiator *session)
{
	uint8_t bhs[LF_BHS_LENGTH] = {0x40, 0x80};
	lf_put_be32(bhs + 20, NO_TAG);
	return lf_initiator_exchange(session, bhs, "NOP-Out");
}

bool lf_initiator_manage(struct lf_initiator *session, uint8_t function, uint64_t lun,
	const struct lf_scsi_task *referenced, uint8_t *response)
{
	uint8_t bhs[LF_BHS_LENGTH] = {0x42};
	bhs[1] = 0x80 | function;
	lf_put_be64(bhs + 8, lun);
	lf_put_be32(bhs + 20, referenced ? referenced->tag : NO_TAG);
	if (referenced)
		lf_put_be32(bhs + 32, referenced->cmd_sn);
	if (!lf_initiator_exchange(session, bhs, "task management"))
		return false;
	*response = session->control_bhs[2];
	return true;
}

uint32_t lf_initiator_abandon(struct lf_initiator *session)
{
	uint32_t count = 0;
	for (uint32_t slot = 0; slot < LF_TASKS_MAX; slot++) {
		count += session->tasks[slot] != NULL;
		session->tasks[slot] = NULL;
	}
	for (struct lf_scsi_task *task = session->waiting; task; task = task->next)
		count++;
	session->waiting = NULL;
	session->waiting_end = &session->waiting;
	session->filling = NULL;
	return count;
}
