/* SPDX-License-Identifier: BSD-2-Clause */
/* command.c: the command table, how a CDB finds its row, and every check that the row alone allows. */
#include "core/handlers.h"

#define LF_COMMAND(                                                                                          \
	row, code, action, length, data_kind, lba, lba_bytes, at, at_bytes, bits, function, text, ...)       \
	ROW_##row,
#define LF_COMMAND_MORE LF_COMMAND
enum {
#include "core/commands.def"
	ROW_COUNT
};
#undef LF_COMMAND
#undef LF_COMMAND_MORE

#define LF_COMMAND(                                                                                          \
	row, code, action, length, data_kind, lba, lba_bytes, at, at_bytes, bits, function, text, ...)       \
	[ROW_##row] = {.opcode = (code),                                                                     \
		.service_action = (action),                                                                  \
		.cdb_length = (length),                                                                      \
		.data = (data_kind),                                                                         \
		.lba_at = (lba),                                                                             \
		.lba_size = (lba_bytes),                                                                     \
		.length_at = (at),                                                                           \
		.length_size = (at_bytes),                                                                   \
		.flags = (bits),                                                                             \
		.usage = {__VA_ARGS__},                                                                      \
		.execute = (function),                                                                       \
		.name = (text)},
#define LF_COMMAND_MORE LF_COMMAND
const struct lf_command lf_commands[] = {
#include "core/commands.def"
};
#undef LF_COMMAND
#undef LF_COMMAND_MORE

const uint32_t lf_command_count = ROW_COUNT;

/* The first row of each operation code, plus one; 0: there is none. */
#define LF_COMMAND(                                                                                          \
	row, code, action, length, data_kind, lba, lba_bytes, at, at_bytes, bits, function, text, ...)       \
	[code] = ROW_##row + 1,
#define LF_COMMAND_MORE(...)
static const uint8_t first_row[256] = {
#include "core/commands.def"
};
#undef LF_COMMAND
#undef LF_COMMAND_MORE

/* Whether a unit of this type, with this medium, has the command at all. */
static bool is_served(const struct lf_lu *lu, const struct lf_command *command)
{
	bool empty = lu->store == NULL && lu->removable; /* the next medium may have what it takes */

	if ((command->flags & LF_CMD_THIN) && !lu->info.can_unmap && !empty)
		return false;
	if ((command->flags & LF_CMD_REMOVABLE) && !lu->removable)
		return false;
	if ((command->flags & LF_CMD_ATOMIC) && lu->info.atomic_max_bytes == 0)
		return false;
	switch (lu->type) {
	case LF_LU_DISK:
		return (command->flags & LF_CMD_DISK) != 0;
	case LF_LU_CDROM:
		return (command->flags & LF_CMD_CDROM) != 0;
	case LF_LU_ABSENT:
		break;
	}
	return (command->flags & LF_CMD_WITHOUT_UNIT) != 0;
}

const struct lf_command *lf_command_find(const struct lf_lu *lu, const uint8_t *cdb, uint32_t cdb_length)
{
	if (cdb_length == 0 || first_row[cdb[0]] == 0)
		return NULL;
	for (uint32_t row = first_row[cdb[0]] - 1u; row < ROW_COUNT; row++) {
		const struct lf_command *command = &lf_commands[row];
		if (command->opcode != cdb[0])
			break;
		bool meant = command->service_action == LF_NO_SERVICE_ACTION ||
			     (cdb_length > 1 && command->service_action == (cdb[1] & 0x1f));
		if (meant && is_served(lu, command)) /* another type of unit may have a row of its own */
			return command;
	}
	return NULL;
}

/* The operation code is one of the unit's, if only the service action were. */
static bool has_service_actions(const struct lf_lu *lu, uint8_t opcode)
{
	if (first_row[opcode] == 0)
		return false;
	for (uint32_t row = first_row[opcode] - 1u; row < ROW_COUNT && lf_commands[row].opcode == opcode;
		row++)
		if (lf_commands[row].service_action != LF_NO_SERVICE_ACTION &&
			is_served(lu, &lf_commands[row]))
			return true;
	return false;
}

void lf_command_missing_sense(struct lf_lu *lu, struct lf_request *request)
{
	if (lu->type == LF_LU_ABSENT)
		lf_sense_unit_not_supported(request);
	else if (request->cdb_length > 0 && has_service_actions(lu, request->cdb[0]))
		lf_sense_invalid_field_in_cdb(request, 1, 4);
	else
		lf_sense_invalid_opcode(request);
}

static uint64_t field(const uint8_t *at, uint32_t size)
{
	switch (size) {
	case 1:
		return *at;
	case 2:
		return lf_get_be16(at);
	case 3:
		return lf_get_be24(at);
	case 4:
		return lf_get_be32(at);
	case 8:
		return lf_get_be64(at);
	default:
		return 0;
	}
}

/* The usage bits have seen to it that READ (6) has nothing above its 21 bits. */
uint64_t lf_command_lba(const struct lf_request *request)
{
	return field(request->cdb + request->command->lba_at, request->command->lba_size);
}

uint64_t lf_command_length(const struct lf_request *request)
{
	const struct lf_command *command = request->command;
	uint64_t length = field(request->cdb + command->length_at, command->length_size);

	return length == 0 && (command->flags & LF_CMD_LENGTH_ZERO_256) ? 256 : length;
}

/* Points at the first bit that may not be set: lowest byte, highest bit. */
static void refuse_bits(struct lf_request *request)
{
	const struct lf_command *command = request->command;

	for (uint16_t byte = 0; byte < command->cdb_length; byte++) {
		uint32_t bad = request->cdb[byte] & ~(uint32_t)command->usage[byte];
		if (bad == 0)
			continue;
		uint8_t bit = 7;
		while (!(bad & 1u << bit))
			bit--;
		lf_sense_invalid_field_in_cdb(request, byte, bit);
		return;
	}
}

/*
 * SCSI-2 had the LUN in the top bits of byte 1, and software for CD-ROMs still puts it there (wodim). Ignored
 * bits are not in the usage, which is why they go here.
 */
static void forget_old_lun(const struct lf_lu *lu, struct lf_request *request)
{
	if (lu->type == LF_LU_CDROM && request->command->cdb_length <= 12 &&
		request->command->service_action == LF_NO_SERVICE_ACTION)
		request->cdb[1] &= 0x1f;
}

/* Length and reserved bits. What a transport sent beyond the command's own length does not count. */
static bool check_bits(const struct lf_lu *lu, struct lf_request *request)
{
	const struct lf_command *command = request->command;
	uint32_t length = command->cdb_length;
	uint64_t bad = 0;

	if (request->cdb_length < length) {
		lf_sense_invalid_field_in_cdb(request, request->cdb_length, LF_NO_BIT);
		return false;
	}
	forget_old_lun(lu, request);
	if (length >= 8) { /* two overlapping words: the first eight bytes and the last eight */
		uint64_t cdb[2], usage[2];
		memcpy(&cdb[0], request->cdb, 8);
		memcpy(&cdb[1], request->cdb + length - 8, 8);
		memcpy(&usage[0], command->usage, 8);
		memcpy(&usage[1], command->usage + length - 8, 8);
		bad = (cdb[0] & ~usage[0]) | (cdb[1] & ~usage[1]);
	} else {
		for (uint32_t i = 0; i < length; i++)
			bad |= request->cdb[i] & ~(uint32_t)command->usage[i];
	}
	if (bad == 0)
		return true;
	refuse_bits(request);
	return false;
}

bool lf_data_length_is(struct lf_request *request, uint64_t length_bytes)
{
	if (request->offered_direction == LF_DIRECTION_OUT && request->offered_length == length_bytes)
		return true;
	lf_sense_data_length(request);
	return false;
}

static bool set_data(struct lf_lu *lu, struct lf_request *request, uint64_t length)
{
	const struct lf_command *command = request->command;
	enum lf_direction direction = LF_DIRECTION_OUT;
	uint64_t wanted = 0;

	switch ((enum lf_data)command->data) {
	case LF_DATA_NONE:
		break;
	case LF_DATA_REPLY:
		direction = LF_DIRECTION_IN;
		wanted = command->length_size == 0 ? 8 : lf_min(length, LF_REPLY_MAX);
		break;
	case LF_DATA_BLOCKS_IN:
		direction = LF_DIRECTION_IN;
		wanted = length << lu->block_shift;
		break;
	case LF_DATA_BLOCKS_OUT:
		wanted = length << lu->block_shift;
		break;
	case LF_DATA_ONE_BLOCK_OUT:
		if (!lf_write_same_check(lu, request, &wanted))
			return false;
		break;
	case LF_DATA_VERIFY_OUT:
		if (!lf_verify_check(lu, request, &wanted))
			return false;
		break;
	case LF_DATA_COMPARE_OUT:
		if (!lf_compare_and_write_check(lu, request, &wanted))
			return false;
		break;
	case LF_DATA_ATOMIC_OUT:
		if (!lf_write_atomic_check(lu, request, &wanted))
			return false;
		break;
	case LF_DATA_LIST_OUT:
		if (length > LF_LIST_MAX) { /* edges need not find room for what is refused anyway */
			lf_sense_list_length_error(request);
			return false;
		}
		wanted = length;
		break;
	case LF_DATA_BUFFER_OUT:
		if (!lf_write_buffer_check(lu, request, &wanted))
			return false;
		break;
	case LF_DATA_CDROM_IN:
		direction = LF_DIRECTION_IN;
		if (!lf_cdrom_check(lu, request, &wanted))
			return false;
		break;
	}
	request->direction = wanted == 0 ? LF_DIRECTION_NONE : direction;
	request->data_wanted = wanted;
	request->data_is_medium = (command->flags & LF_CMD_MEDIUM) != 0;
	return true;
}

bool lf_command_check(struct lf_lu *lu, struct lf_request *request)
{
	const struct lf_command *command = request->command;
	uint64_t capacity = lu->type == LF_LU_CDROM ? lu->disc.leadout : lu->info.block_count;

	if (!check_bits(lu, request))
		return false;
	if (lu->medium_state != LF_MEDIUM_READY && !(command->flags & LF_CMD_WITHOUT_MEDIUM)) {
		lf_sense_not_ready(request);
		return false;
	}
	uint64_t length = lf_command_length(request);
	if ((command->flags & LF_CMD_TRANSFER_MAX) && length > lu->transfer_max_blocks) {
		lf_sense_invalid_field_in_cdb(request, command->length_at, LF_NO_BIT);
		return false;
	}
	if (command->flags & LF_CMD_RANGE) {
		uint64_t lba = lf_command_lba(request);
		if (lba > capacity || length > capacity - lba) {
			lf_sense_lba_out_of_range(request, lf_max(lba, capacity));
			return false;
		}
	}
	if (!set_data(lu, request, length))
		return false;
	if ((command->flags & LF_CMD_WRITES) && lf_lu_is_protected(lu)) {
		request->direction = LF_DIRECTION_NONE;
		request->data_wanted = 0;
		lf_sense_write_protected(request);
		return false;
	}
	return true;
}
