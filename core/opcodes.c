/* SPDX-License-Identifier: BSD-2-Clause */
/* opcodes.c: REPORT SUPPORTED OPERATION CODES (SPC-4 6.35), from the command table alone. */
#include "core/handlers.h"

#define TIMEOUTS_LENGTH 12

enum reporting_options { REPORT_ALL, REPORT_OPCODE, REPORT_OPCODE_AND_ACTION, REPORT_EITHER };

/* Command timeouts descriptor: none is said, all fields are zero. */
static void put_timeouts(const struct lf_request *request, uint64_t offset)
{
	uint8_t bytes[TIMEOUTS_LENGTH] = {0};

	lf_put_be16(bytes, TIMEOUTS_LENGTH - 2);
	lf_reply_put(request, offset, bytes, sizeof(bytes));
}

static const struct lf_command *find(const struct lf_lu *lu, uint8_t opcode, uint32_t service_action)
{
	uint8_t cdb[2] = {opcode, (uint8_t)service_action};

	if (service_action > 0x1f)
		return NULL;
	return lf_command_find(lu, cdb, sizeof(cdb));
}

static void report_all(const struct lf_lu *lu, struct lf_request *request, bool timeouts)
{
	uint64_t at = 4;

	for (uint32_t i = 0; i < lf_command_count; i++) {
		const struct lf_command *command = &lf_commands[i];
		bool has_action = command->service_action != LF_NO_SERVICE_ACTION;
		uint8_t bytes[8] = {command->opcode};
		if (find(lu, command->opcode, has_action ? command->service_action : 0) != command)
			continue;
		if (has_action) {
			lf_put_be16(bytes + 2, command->service_action);
			bytes[5] |= 0x01; /* SERVACTV */
		}
		if (timeouts)
			bytes[5] |= 0x02; /* CTDP */
		lf_put_be16(bytes + 6, command->cdb_length);
		lf_reply_put(request, at, bytes, sizeof(bytes));
		at += sizeof(bytes);
		if (timeouts) {
			put_timeouts(request, at);
			at += TIMEOUTS_LENGTH;
		}
	}
	uint8_t header[4];
	lf_put_be32(header, (uint32_t)(at - sizeof(header)));
	lf_reply_put(request, 0, header, sizeof(header));
	lf_reply_finish(request, at);
}

/* The bits that this unit lets a CDB have: WRITE SAME unmaps only where UNMAP does. */
static void usage_of(const struct lf_lu *lu, const struct lf_command *command, uint8_t *usage)
{
	enum { WRITE_SAME_UNMAP = 0x08 };

	memcpy(usage, command->usage, command->cdb_length);
	if (command->data == LF_DATA_ONE_BLOCK_OUT && !lu->info.can_unmap)
		usage[1] &= (uint8_t)~WRITE_SAME_UNMAP;
}

static void report_one(
	const struct lf_lu *lu, struct lf_request *request, const struct lf_command *command, bool timeouts)
{
	enum { NOT_SUPPORTED = 1, SUPPORTED = 3 };
	uint8_t header[4] = {0, NOT_SUPPORTED};
	uint64_t length = sizeof(header);

	if (command != NULL) {
		uint8_t usage[sizeof(command->usage)];
		usage_of(lu, command, usage);
		header[1] = (uint8_t)(SUPPORTED | (timeouts ? 0x80 : 0)); /* CTDP */
		lf_put_be16(header + 2, command->cdb_length);
		lf_reply_put(request, length, usage, command->cdb_length);
		length += command->cdb_length;
		if (timeouts) {
			put_timeouts(request, length);
			length += TIMEOUTS_LENGTH;
		}
	}
	lf_reply_put(request, 0, header, sizeof(header));
	lf_reply_finish(request, length);
}

/* Whether the unit has the operation code, and whether with service actions; those never mix. */
static bool knows_opcode(const struct lf_lu *lu, uint8_t opcode, bool *has_actions)
{
	for (uint32_t i = 0; i < lf_command_count; i++) {
		const struct lf_command *command = &lf_commands[i];
		*has_actions = command->service_action != LF_NO_SERVICE_ACTION;
		if (command->opcode == opcode &&
			find(lu, opcode, *has_actions ? command->service_action : 0) == command)
			return true;
	}
	*has_actions = false;
	return false;
}

void lf_report_operation_codes(struct lf_lu *lu, struct lf_request *request)
{
	const uint8_t *cdb = request->cdb;
	bool timeouts = (cdb[2] & 0x80) != 0; /* RCTD */
	uint8_t options = cdb[2] & 0x07, opcode = cdb[3];
	uint32_t action = lf_get_be16(cdb + 4);
	bool has_actions, known = knows_opcode(lu, opcode, &has_actions);

	switch (options) {
	case REPORT_ALL:
		report_all(lu, request, timeouts);
		return;
	case REPORT_OPCODE: /* refused for one that has service actions; the field for these is ignored */
		if (has_actions)
			break;
		report_one(lu, request, find(lu, opcode, 0), timeouts);
		return;
	case REPORT_OPCODE_AND_ACTION: /* refused for one that has none */
		if (known && !has_actions)
			break;
		report_one(lu, request, find(lu, opcode, action), timeouts);
		return;
	case REPORT_EITHER:
		report_one(
			lu, request, has_actions || action == 0 ? find(lu, opcode, action) : NULL, timeouts);
		return;
	default:
		break;
	}
	lf_sense_invalid_field_in_cdb(request, 2, 2);
	lf_finish(request);
}
