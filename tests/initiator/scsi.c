/* SPDX-License-Identifier: BSD-2-Clause */
/* scsi.c: CDBs, sense data, and what a unit says of itself. */
#include <string.h>

#include "platform/bytes.h"
#include "tests/initiator/scsi.h"

uint32_t lf_scsi_sense(const struct lf_scsi_task *task)
{
	const uint8_t *sense = task->sense;
	if (task->status != 0x02 || task->sense_length < 4)
		return 0;
	if ((sense[0] & 0x7f) >= 0x72)
		return (uint32_t)(sense[1] & 0xf) << 16 | (uint32_t)sense[2] << 8 | sense[3];
	if (task->sense_length < 14)
		return (uint32_t)(sense[2] & 0xf) << 16;
	return (uint32_t)(sense[2] & 0xf) << 16 | (uint32_t)sense[12] << 8 | sense[13];
}

static void set_transfer(struct lf_scsi_task *task, uint8_t opcode, uint64_t lba, uint32_t blocks,
	uint8_t *buffer, uint32_t length)
{
	memset(task->cdb, 0, sizeof(task->cdb));
	task->cdb[0] = opcode;
	lf_put_be64(task->cdb + 2, lba);
	lf_put_be32(task->cdb + 10, blocks);
	task->buffer = buffer;
	task->length = length;
}

void lf_scsi_read(struct lf_scsi_task *task, uint64_t lba, uint32_t blocks, uint8_t *buffer, uint32_t length)
{
	set_transfer(task, 0x88, lba, blocks, buffer, length);
	task->direction = LF_DATA_IN;
}

void lf_scsi_write(
	struct lf_scsi_task *task, uint64_t lba, uint32_t blocks, uint8_t *buffer, uint32_t length, bool fua)
{
	set_transfer(task, 0x8a, lba, blocks, buffer, length);
	task->cdb[1] = fua ? 0x08 : 0;
	task->direction = LF_DATA_OUT;
}

void lf_scsi_flush(struct lf_scsi_task *task)
{
	set_transfer(task, 0x35, 0, 0, NULL, 0);
	task->direction = LF_DATA_NONE;
}

void lf_scsi_unmap(struct lf_scsi_task *task, uint64_t lba, uint32_t blocks, uint8_t *buffer)
{
	set_transfer(task, 0x42, 0, 0, buffer, 24);
	lf_put_be16(task->cdb + 7, 24);
	task->direction = LF_DATA_OUT;
	memset(buffer, 0, 24);
	lf_put_be16(buffer, 22);
	lf_put_be16(buffer + 2, 16);
	lf_put_be64(buffer + 8, lba);
	lf_put_be32(buffer + 16, blocks);
}

static bool inquire_page(struct lf_initiator *session, uint64_t lun, uint8_t page, uint8_t *buffer,
	uint32_t size, uint32_t *length)
{
	struct lf_scsi_task task = {
		.lun = lun, .cdb = {0x12, 0x01, page}, .direction = LF_DATA_IN, .buffer = buffer};
	task.length = size;
	lf_put_be16(task.cdb + 3, size);
	if (!lf_initiator_run(session, &task))
		return false;
	*length = task.response == 0 && task.status == 0 ? task.moved : 0;
	return true;
}

/* Runs a command until it is not answered with a unit attention. */
static bool run_past_attentions(
	struct lf_initiator *session, struct lf_unit *unit, struct lf_scsi_task *task, const char *name)
{
	uint32_t sense;
	for (;;) {
		if (!lf_initiator_run(session, task))
			return false;
		sense = lf_scsi_sense(task);
		if (task->response == 0 && task->status == 0)
			return true;
		if (LF_SENSE_KEY(sense) != LF_SENSE_UNIT_ATTENTION || unit->attention_count == LF_PROBE_TRIES)
			break;
		unit->attentions[unit->attention_count++] = sense;
	}
	unit->refused = sense;
	return lf_initiator_fail(session, "%s: response %u, status %02x, sense %06x", name, task->response,
		task->status, sense);
}

bool lf_unit_probe(struct lf_initiator *session, uint64_t lun, struct lf_unit *unit)
{
	uint8_t data[64];
	uint32_t length;
	struct lf_scsi_task ready = {.lun = lun};
	struct lf_scsi_task capacity = {
		.lun = lun, .cdb = {0x9e, 0x10}, .direction = LF_DATA_IN, .buffer = data, .length = 32};
	memset(unit, 0, sizeof(*unit));
	unit->lun = lun;
	capacity.cdb[13] = 32;
	if (!run_past_attentions(session, unit, &ready, "TEST UNIT READY") ||
		!run_past_attentions(session, unit, &capacity, "READ CAPACITY(16)"))
		return false;
	if (capacity.moved < 16)
		return lf_initiator_fail(session, "READ CAPACITY(16): %u bytes", capacity.moved);
	unit->block_count = lf_get_be64(data) + 1;
	unit->block_size = lf_get_be32(data + 8);
	unit->can_unmap = data[14] & 0x80;
	unit->unmapped_reads_zero = data[14] & 0x40;
	unit->unmap_granularity_blocks = 1;
	if (unit->block_size < 512 || unit->block_size > 65536 || unit->block_size % 512)
		return lf_initiator_fail(session, "a block of %u bytes", unit->block_size);
	if (!inquire_page(session, lun, 0xb0, data, sizeof(data), &length))
		return false;
	if (length >= 36 && lf_get_be32(data + 28))
		unit->unmap_granularity_blocks = lf_get_be32(data + 28);
	if (length >= 36 && (data[32] & 0x80))
		unit->unmap_alignment_blocks = lf_get_be32(data + 32) & 0x7fffffff;
	if (!inquire_page(session, lun, 0xb2, data, sizeof(data), &length))
		return false;
	unit->can_unmap = unit->can_unmap && length >= 6 && (data[5] & 0x80); /* LBPU */
	return true;
}
