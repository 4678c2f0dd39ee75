/* SPDX-License-Identifier: BSD-2-Clause */
/* disk_stage.h: what the tests of a disk's commands share: data, CDBs of a range, what reached the store. */
#ifndef LF_TEST_DISK_STAGE_H
#define LF_TEST_DISK_STAGE_H

#include "tests/unit/command_stage.h"

#define BOTH_MODES(mode) for (uint32_t mode = LF_LOOP_EDGE_INLINE; mode <= LF_LOOP_EDGE_DEFERRED; mode++)

static inline void fill(struct stage *stage, uint64_t length, uint8_t seed)
{
	for (uint64_t i = 0; i < length; i++)
		stage->data[i] = (uint8_t)(seed + i * 7 + (i >> 9) * 31);
}

static inline bool is_filled(const struct stage *stage, uint64_t length, uint8_t seed)
{
	for (uint64_t i = 0; i < length; i++)
		if (stage->data[i] != (uint8_t)(seed + i * 7 + (i >> 9) * 31))
			return false;
	return stage->data[length] == CANARY;
}

/* A CDB of 6, 10, 12 or 16 bytes that names a range. */
static inline uint32_t transfer(struct stage *stage, uint8_t opcode, uint8_t byte_1, uint64_t lba,
	uint32_t blocks, enum lf_direction direction, uint64_t length)
{
	uint8_t cdb[16] = {opcode, byte_1};
	uint32_t cdb_length = opcode < 0x20 ? 6 : opcode < 0x60 ? 10 : opcode < 0xa0 ? 16 : 12;

	switch (cdb_length) {
	case 6:
		lf_put_be24(cdb + 1, (uint32_t)lba);
		cdb[4] = (uint8_t)blocks;
		break;
	case 10:
		lf_put_be32(cdb + 2, (uint32_t)lba);
		lf_put_be16(cdb + 7, (uint16_t)blocks);
		break;
	case 12:
		lf_put_be32(cdb + 2, (uint32_t)lba);
		lf_put_be32(cdb + 6, blocks);
		break;
	default:
		lf_put_be64(cdb + 2, lba);
		lf_put_be32(cdb + 10, blocks);
		break;
	}
	return stage_run(stage, 0, cdb, cdb_length, direction, length);
}

static inline bool is_op(
	const struct stage *stage, uint32_t number, enum lf_op op, bool fua, uint64_t offset, uint64_t length)
{
	const struct kept_op *seen = &stage->store.ops[number];
	return number < stage->store.op_count && seen->op == op && seen->fua == fua &&
	       seen->offset == offset && seen->length == length;
}

#endif
