/* SPDX-License-Identifier: BSD-2-Clause */
/* test_commands.c: the command table: every refusal with its field pointer, every reply byte that matters. */
#include "tests/test.h"
#include "tests/unit/command_stage.h"

#define BOTH_MODES(mode) for (uint32_t mode = LF_LOOP_EDGE_INLINE; mode <= LF_LOOP_EDGE_DEFERRED; mode++)

/* Whether the unit of a stage has the command of a row. */
static bool is_served(const struct lf_lu *lu, const struct lf_command *row)
{
	return lf_command_find(lu, row->usage, row->cdb_length) == row;
}

static uint32_t served_count(const struct lf_lu *lu)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < lf_command_count; i++)
		count += is_served(lu, &lf_commands[i]);
	return count;
}

/* ---- The table itself ---- */

TEST(table_ascends_and_is_consistent)
{
	for (uint32_t i = 0; i < lf_command_count; i++) {
		const struct lf_command *row = &lf_commands[i];
		CHECK_EQ(row->usage[0], row->opcode);
		CHECK(row->execute != NULL && row->name != NULL);
		CHECK_EQ(row->cdb_length, row->opcode < 0x20   ? 6
					  : row->opcode < 0x60 ? 10
					  : row->opcode < 0xa0 ? 16
							       : 12);
		/* CONTROL; SFF-8020 had the format of a TOC there. */
		CHECK_EQ(row->usage[row->cdb_length - 1], row->opcode == 0x43 ? 0xc0 : 0);
		for (uint32_t byte = row->cdb_length; byte < 16; byte++)
			CHECK_EQ(row->usage[byte], 0);
		if (row->service_action != LF_NO_SERVICE_ACTION)
			CHECK_EQ(row->usage[1], row->service_action);
		for (uint32_t byte = 0; byte < row->length_size; byte++)
			CHECK_EQ(row->usage[row->length_at + byte], 0xff);
		if (row->flags & LF_CMD_FUA)
			CHECK_EQ(row->usage[1], 0x18);
		if (i > 0)
			CHECK(row[-1].opcode < row->opcode ||
				(row[-1].opcode == row->opcode &&
					(row[-1].service_action < row->service_action ||
						!(row[-1].flags & row->flags &
							(LF_CMD_DISK | LF_CMD_CDROM)))));
	}
}

TEST(every_row_is_found)
{
	struct lf_lu disk = {
		.type = LF_LU_DISK, .info = {.can_unmap = true, .atomic_max_bytes = 512}, .removable = true};
	struct lf_lu cdrom = {.type = LF_LU_CDROM, .removable = true};
	for (uint32_t i = 0; i < lf_command_count; i++) {
		const struct lf_command *row = &lf_commands[i];
		CHECK(row->flags & (LF_CMD_DISK | LF_CMD_CDROM));
		CHECK(!(row->flags & LF_CMD_DISK) || is_served(&disk, row));
		CHECK(!(row->flags & LF_CMD_CDROM) || is_served(&cdrom, row));
	}
	CHECK(lf_command_find(&disk, lf_commands[0].usage, 0) == NULL);
	disk.info.can_unmap = false;
	CHECK(lf_command_find(&disk, (const uint8_t[]){0x42}, 1) != NULL); /* nothing is in: who knows? */
	disk.removable = false;
	CHECK(lf_command_find(&disk, (const uint8_t[]){0x42}, 1) == NULL);
	CHECK(lf_command_find(&disk, (const uint8_t[]){0x1e}, 1) == NULL);
}

/* ---- Refusals ---- */

#define NO_BYTE 0xffff

static const struct refusal {
	const char *name;
	uint8_t length, cdb[16];
	uint32_t sense;
	uint16_t byte; /* field pointer, or NO_BYTE */
	uint8_t bit;   /* or LF_NO_BIT */
	uint64_t information;
	uint32_t data_out; /* bytes that the initiator sends */
} refusals[] = {
#define FIELD(byte, bit) LF_SENSE(5, 0x24, 0), byte, bit, 0, 0
#define RANGE(lba)       LF_SENSE(5, 0x21, 0), NO_BYTE, 0, lba, 0
#define PLAIN(k, a, q)   LF_SENSE(k, a, q), NO_BYTE, 0, 0, 0
	{"an operation code that is not there", 6, {0xff}, PLAIN(5, 0x20, 0)},
	{"a service action that is not there", 16, {0x9e, 0x1f}, FIELD(1, 4)},
	{"a service action of another row", 12, {0xa3, 0x0a}, FIELD(1, 4)},
	{"a CDB cut before its service action", 1, {0x9e}, FIELD(1, 4)},
	{"a CDB cut short", 6, {0x28}, FIELD(6, LF_NO_BIT)},
	{"NACA", 6, {0x00, 0, 0, 0, 0, 0x04}, FIELD(5, 2)},
	{"NACA of a long CDB", 16, {0x88, [15] = 0x04}, FIELD(15, 2)},
	{"LUN bits of SCSI-2", 6, {0x00, 0x20}, FIELD(1, 5)},
	{"RDPROTECT", 10, {0x28, 0x20}, FIELD(1, 5)},
	{"WRPROTECT", 10, {0x2a, 0xe0}, FIELD(1, 7)},
	{"VRPROTECT", 16, {0x8f, 0x20}, FIELD(1, 5)},
	{"the first of several", 10, {0x28, 0x40, [6] = 0xff, [9] = 0x04}, FIELD(1, 6)},
	{"GROUP NUMBER", 10, {0x28, [6] = 0x10}, FIELD(6, 4)},
	{"FUA_NV", 12, {0xa8, 0x02}, FIELD(1, 1)},
	{"READ (10) at the end", 10, {0x28, [3] = 1, [8] = 1}, RANGE(0x10000)},
	{"READ (10) over the end", 10, {0x28, 0, 0, 0, 0xff, 0xff, [8] = 2}, RANGE(0x10000)},
	{"READ (10) of nothing past the end", 10, {0x28, 0, 0, 1, 0, 1}, RANGE(0x10001)},
	{"READ (6) of 256 over the end", 6, {0x08, 0, 0xff, 0x01, 0}, RANGE(0x10000)},
	{"READ (6) past the end", 6, {0x08, 0x1f, 0xff, 0xff, 1}, RANGE(0x1fffff)},
	{"READ (12) at the end", 12, {0xa8, [3] = 1, [9] = 1}, RANGE(0x10000)},
	{"READ (16) whose end wraps", 16, {0x88, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [13] = 1},
		RANGE(0)},
	{"READ (16) at 2^63", 16, {0x88, 0, 0x80}, RANGE(0)},
	{"WRITE (16) at the end", 16, {0x8a, [7] = 1, [13] = 1}, RANGE(0x10000)},
	{"WRITE (6) at the end", 6, {0x0a, 1, 0, 0, 1}, RANGE(0x10000)},
	{"VERIFY (10) over the end", 10, {0x2f, 0, 0, 0, 0xff, 0xff, [8] = 2}, RANGE(0x10000)},
	{"SYNCHRONIZE CACHE (10) over the end", 10, {0x35, 0, 0, 0, 0xff, 0xff, [8] = 2}, RANGE(0x10000)},
	{"SYNCHRONIZE CACHE (16) past the end", 16, {0x91, [7] = 1, [9] = 1}, RANGE(0x10001)},
	{"SYNC_NV", 10, {0x35, 0x04}, FIELD(1, 2)},
	{"READ (10) too long", 10, {0x28, [7] = 0x20, [8] = 0x01}, FIELD(7, LF_NO_BIT)},
	{"READ (12) too long", 12, {0xa8, [6] = 0x80}, FIELD(6, LF_NO_BIT)},
	{"WRITE (16) too long", 16, {0x8a, [10] = 0xff, [11] = 0xff, [12] = 0xff, [13] = 0xff},
		FIELD(10, LF_NO_BIT)},
	{"VERIFY (12) too long", 12, {0xaf, [8] = 0x20, [9] = 0x01}, FIELD(6, LF_NO_BIT)},
	{"a reserved BYTCHK", 10, {0x2f, 0x04}, FIELD(1, 2)},
	{"BYTCHK of WRITE AND VERIFY", 16, {0x8e, 0x04}, FIELD(1, 2)},
	{"FUA of WRITE AND VERIFY", 12, {0xae, 0x08}, FIELD(1, 3)},
	{"WRITE AND VERIFY (10) over the end", 10, {0x2e, 0, 0, 0, 0xff, 0xff, [8] = 2}, RANGE(0x10000)},
	{"WRITE AND VERIFY (16) too long", 16, {0x8e, [10] = 1}, FIELD(10, LF_NO_BIT)},
	{"COMPARE AND WRITE of too much", 16, {0x89, [13] = 129}, FIELD(13, LF_NO_BIT)},
	{"COMPARE AND WRITE of 256 blocks in one byte", 16, {0x89}, LF_SENSE(5, 0x24, 0), 13, LF_NO_BIT, 0,
		262144},
	{"COMPARE AND WRITE over the end", 16, {0x89, [8] = 0xff, [9] = 0xff, [13] = 2}, RANGE(0x10000)},
	{"COMPARE AND WRITE with half its data", 16, {0x89, [13] = 1}, LF_SENSE(5, 0x0e, 3), NO_BYTE, 0, 0,
		512},
	{"COMPARE AND WRITE with more than its data", 16, {0x89, [13] = 1}, LF_SENSE(5, 0x0e, 3), NO_BYTE, 0,
		0, 1536},
	{"COMPARE AND WRITE without its data", 16, {0x89, [13] = 1}, PLAIN(5, 0x0e, 3)},
	{"WRPROTECT of COMPARE AND WRITE", 16, {0x89, 0x20}, FIELD(1, 5)},
	{"a reserved byte of COMPARE AND WRITE", 16, {0x89, [12] = 0x01}, FIELD(12, 0)},
	{"ORPROTECT", 16, {0x8b, 0xe0}, FIELD(1, 7)},
	{"ORWRITE over the end", 16, {0x8b, [8] = 0xff, [9] = 0xff, [13] = 2}, RANGE(0x10000)},
	{"ORWRITE too long", 16, {0x8b, [12] = 0x20, [13] = 0x01}, FIELD(10, LF_NO_BIT)},
	{"WRITE ATOMIC of too much", 16, {0x9c, [12] = 1, [13] = 1}, FIELD(12, LF_NO_BIT)},
	{"WRITE ATOMIC over the end", 16, {0x9c, [8] = 0xff, [9] = 0xff, [13] = 2}, RANGE(0x10000)},
	{"WRITE ATOMIC with a boundary", 16, {0x9c, [11] = 8, [13] = 8}, FIELD(11, 3)},
	{"WRITE ATOMIC with WRPROTECT", 16, {0x9c, 0x20, [13] = 8}, FIELD(1, 5)},
	{"WRITE ATOMIC with too little data", 16, {0x9c, [13] = 8}, LF_SENSE(5, 0x0e, 3), NO_BYTE, 0, 0, 512},
	{"PRE-FETCH (10) over the end", 10, {0x34, 0, 0, 0, 0xff, 0xff, [8] = 2}, RANGE(0x10000)},
	{"PRE-FETCH (16) of nothing past the end", 16, {0x90, [7] = 1, [9] = 1}, RANGE(0x10001)},
	{"a reserved bit of PRE-FETCH", 10, {0x34, 0x01}, FIELD(1, 0)},
	{"a reserved bit of READ DEFECT DATA", 10, {0x37, 0, 0x20}, FIELD(2, 5)},
	{"READ BUFFER's combined mode", 10, {0x3c, 0x00, [8] = 4}, FIELD(1, 4)},
	{"READ BUFFER of another buffer", 10, {0x3c, 0x02, 1, [8] = 4}, FIELD(2, LF_NO_BIT)},
	{"READ BUFFER past the end", 10, {0x3c, 0x02, 0, 0, 0x10, 0x01, [8] = 4}, FIELD(3, LF_NO_BIT)},
	{"READ BUFFER of an echo that nobody wrote", 10, {0x3c, 0x0a, [8] = 4}, PLAIN(5, 0x2c, 0)},
	{"microcode", 10, {0x3b, 0x05, [8] = 4}, FIELD(1, 4)},
	{"microcode with offsets", 10, {0x3b, 0x07, [8] = 4}, FIELD(1, 4)},
	{"a mode-specific bit", 10, {0x3b, 0x22, [8] = 4}, FIELD(1, 5)},
	{"WRITE BUFFER of too much", 10, {0x3b, 0x0a, [7] = 0x10, [8] = 1}, FIELD(6, LF_NO_BIT)},
	{"WRITE BUFFER of far too much", 10, {0x3b, 0x02, [6] = 0xff}, FIELD(6, LF_NO_BIT)},
	{"WRITE BUFFER over the end", 10, {0x3b, 0x02, [4] = 0x0f, [5] = 0xff, [8] = 2}, FIELD(3, LF_NO_BIT)},
	{"WRITE BUFFER of another buffer", 10, {0x3b, 0x02, 9, [8] = 2}, FIELD(2, LF_NO_BIT)},
	{"WRITE BUFFER without its data", 10, {0x3b, 0x02, [8] = 2}, PLAIN(5, 0x0e, 3)},
	{"VERIFY without its data", 10, {0x2f, 0x02, [8] = 1}, PLAIN(5, 0x0e, 3)},
	{"VERIFY with too little data", 16, {0x8f, 0x02, [13] = 2}, LF_SENSE(5, 0x0e, 3), NO_BYTE, 0, 0,
		1023},
	{"VERIFY with half a block for all", 12, {0xaf, 0x06, [9] = 2}, LF_SENSE(5, 0x0e, 3), NO_BYTE, 0, 0,
		256},
	{"PAGE CODE without EVPD", 6, {0x12, 0, 0x80, 0, 0xff}, FIELD(2, LF_NO_BIT)},
	{"a page that is not listed", 6, {0x12, 1, 0x89, 0, 0xff}, FIELD(2, LF_NO_BIT)},
	{"CMDDT", 6, {0x12, 2, 0, 0, 0xff}, FIELD(1, 1)},
	{"saved mode pages", 6, {0x1a, 0, 0xc8, 0, 0xff}, PLAIN(5, 0x39, 0)},
	{"saved mode pages (10)", 10, {0x5a, 0, 0xff, 0, [8] = 0xff}, PLAIN(5, 0x39, 0)},
	{"a mode page that is not there", 6, {0x1a, 0, 0x02, 0, 0xff}, FIELD(2, 5)},
	{"a mode subpage that is not there", 6, {0x1a, 0, 0x0a, 1, 0xff}, FIELD(3, LF_NO_BIT)},
	{"all pages with a subpage between", 6, {0x1a, 0, 0x3f, 2, 0xff}, FIELD(3, LF_NO_BIT)},
	{"page 00h with all subpages", 6, {0x1a, 0, 0x00, 0xff, 0xff}, FIELD(3, LF_NO_BIT)},
	{"LLBAA in the short form", 6, {0x1a, 0x10, 0x3f, 0, 0xff}, FIELD(1, 4)},
	{"an LBA without PMI", 10, {0x25, 0, 0, 0, 0, 1}, FIELD(2, LF_NO_BIT)},
	{"an LBA without PMI (16)", 16, {0x9e, 0x10, [9] = 1, [13] = 32}, FIELD(2, LF_NO_BIT)},
	{"PMI past the end", 10, {0x25, 0, 0, 1, 0, 0, 0, 0, 1}, RANGE(0x10000)},
	{"SELECT REPORT", 12, {0xa0, 0, 0x10, [9] = 0xff}, FIELD(2, LF_NO_BIT)},
	{"REPORTING OPTIONS", 12, {0xa3, 0x0c, 0x04, [9] = 0xff}, FIELD(2, 2)},
	{"option 001b for service actions", 12, {0xa3, 0x0c, 0x01, 0x9e, [9] = 0xff}, FIELD(2, 2)},
	{"option 010b for none", 12, {0xa3, 0x0c, 0x02, 0x28, [9] = 0xff}, FIELD(2, 2)},
	{"UNMAP with ANCHOR", 10, {0x42, 1}, FIELD(1, 0)},
	{"WRITE SAME with ANCHOR", 10, {0x41, 0x10}, FIELD(1, 4)},
	{"WRITE SAME with LBDATA", 16, {0x93, 0x02, [13] = 1}, FIELD(1, 1)},
	{"WRITE SAME of all, which is too much", 10, {0x41}, FIELD(7, LF_NO_BIT)},
	{"WRITE SAME of more than the limit", 16, {0x93, [11] = 1}, FIELD(10, LF_NO_BIT)},
	{"WRITE SAME past the end", 16, {0x93, [7] = 1, [9] = 1}, RANGE(0x10001)},
	{"WRITE SAME without its block", 10, {0x41, [8] = 1}, PLAIN(5, 0x0e, 3)},
	{"WRITE SAME with half a block", 10, {0x41, [8] = 1}, LF_SENSE(5, 0x0e, 3), NO_BYTE, 0, 0, 256},
	{"WRITE SAME with two blocks", 10, {0x41, [8] = 1}, LF_SENSE(5, 0x0e, 3), NO_BYTE, 0, 0, 1024},
	{"UNMAP with half a header", 10, {0x42, [8] = 7}, LF_SENSE(5, 0x1a, 0), NO_BYTE, 0, 0, 7},
};

static bool is_pointed_at(const struct refusal *refusal, const uint8_t *sense)
{
	uint8_t first = 0;

	if (refusal->byte != NO_BYTE)
		first = (uint8_t)(0xc0 | (refusal->bit == LF_NO_BIT ? 0 : 0x08 | refusal->bit));
	return sense[15] == first &&
	       lf_get_be16(sense + 16) == (refusal->byte == NO_BYTE ? 0 : refusal->byte);
}

static void check_refusals(struct stage *stage)
{
	for (uint32_t i = 0; i < lf_count_of(refusals); i++) {
		const struct refusal *refusal = &refusals[i];
		stage_forget_ops(stage);
		uint32_t sense = stage_run(stage, 0, refusal->cdb, refusal->length,
			refusal->data_out ? LF_DIRECTION_OUT : LF_DIRECTION_IN,
			refusal->data_out ? refusal->data_out : 256);
		const struct lf_request *request = &stage->command.request;
		uint8_t valid = refusal->information != 0 ? 0xf0 : 0x70;
		if (sense != refusal->sense)
			lf_test_fail(__FILE__, __LINE__, "%s: %06x", refusal->name, sense);
		else if (!is_pointed_at(refusal, request->sense))
			lf_test_fail(__FILE__, __LINE__, "%s: field pointer %02x %02x%02x", refusal->name,
				request->sense[15], request->sense[16], request->sense[17]);
		else if (request->sense[0] != valid ||
			 lf_get_be32(request->sense + 3) != refusal->information)
			lf_test_fail(__FILE__, __LINE__, "%s: INFORMATION", refusal->name);
		else if (request->data_moved != 0 || stage->store.op_count != 0)
			lf_test_fail(__FILE__, __LINE__, "%s: it did something", refusal->name);
	}
}

TEST(refusals)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		check_refusals(stage);
		stage_close(stage);
	}
}

TEST(bytes_after_a_cdb_do_not_count)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(RUN(stage, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0);
	CHECK_EQ(RUN_IN(stage, 512, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0);
	stage_close(stage);
}

TEST(read_only_units_refuse_writes_after_the_range)
{
	struct lf_store_info info = stage_info();
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open_with(mode, &info, true);
		CHECK_EQ(RUN_OUT(stage, 512, 0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0), LF_SENSE(7, 0x27, 0));
		CHECK_EQ(stage->command.request.data_wanted, 0);
		CHECK_EQ(RUN_OUT(stage, 512, 0x0a, 0, 0, 0, 1, 0), LF_SENSE(7, 0x27, 0));
		CHECK_EQ(RUN_OUT(stage, 512, 0x2a, 0, 0, 1, 0, 0, 0, 0, 1, 0), LF_SENSE(5, 0x21, 0));
		CHECK_EQ(RUN_OUT(stage, 512, 0x41, 0, 0, 0, 0, 0, 0, 0, 1, 0), LF_SENSE(7, 0x27, 0));
		CHECK_EQ(RUN_OUT(stage, 24, 0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0), LF_SENSE(7, 0x27, 0));
		CHECK_EQ(RUN_OUT(stage, 24, 0x42, 1, 0, 0, 0, 0, 0, 0, 24, 0), LF_SENSE(5, 0x24, 0));
		CHECK_EQ(RUN(stage, 0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0);
		CHECK_EQ(RUN_IN(stage, 512, 0x28, 0x08, 0, 0, 0, 0, 0, 0, 1, 0), 0);
		CHECK_EQ(stage->store.op_count, 1); /* the READ: FUA has nothing to flush here */
		CHECK_EQ(RUN_IN(stage, 192, 0x1a, 0, 0x3f, 0, 192, 0), 0);
		CHECK_EQ(stage->data[2], 0x90);
		stage_close(stage);
	}
}

TEST(a_disk_without_unmap_refuses_it)
{
	struct lf_store_info info = stage_info();
	info.can_unmap = false;
	struct stage *stage = stage_open_with(LF_LOOP_EDGE_INLINE, &info, false);
	CHECK_EQ(RUN_OUT(stage, 24, 0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0), LF_SENSE(5, 0x20, 0));
	memset(stage->data, 0, 512);
	CHECK_EQ(RUN_OUT(stage, 512, 0x41, 0x08, 0, 0, 0, 0, 0, 0, 1, 0), LF_SENSE(5, 0x24, 0));
	CHECK_EQ(stage->command.request.sense[15], 0xcb);
	CHECK_EQ(RUN_OUT(stage, 512, 0x41, 0, 0, 0, 0, 0, 0, 0, 1, 0), 0);
	CHECK_EQ(RUN_IN(stage, 32, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0), 0);
	CHECK_EQ(stage->data[14], 0);
	CHECK_EQ(RUN_IN(stage, 64, 0xa3, 0x0c, 0x01, 0x41, 0, 0, 0, 0, 0, 64, 0, 0), 0);
	CHECK_EQ(stage->data[5], 0x00); /* no UNMAP bit is reported that would be refused */
	CHECK_EQ(RUN_IN(stage, 64, 0xa3, 0x0c, 0x01, 0x93, 0, 0, 0, 0, 0, 64, 0, 0), 0);
	CHECK_EQ(stage->data[5], 0x01);
	CHECK_EQ(RUN_IN(stage, 64, 0x12, 1, 0xb0, 0, 64, 0), 0);
	for (uint32_t i = 20; i < 36; i++)
		CHECK_EQ(stage->data[i], 0);
	CHECK_EQ(RUN_IN(stage, 8, 0x12, 1, 0xb2, 0, 8, 0), 0);
	CHECK_EQ(lf_get_be32(stage->data + 4), 0);
	stage_close(stage);
}

/* ---- Replies ---- */

/* The reply to a CDB is the same at every length, cut, and nothing is written beyond it. */
static void check_cut(
	struct stage *stage, uint8_t *cdb, uint32_t cdb_length, uint32_t length_at, uint32_t whole)
{
	uint8_t *reply = malloc(whole);

	lf_put_be16(cdb + length_at, (uint16_t)(whole + 9));
	CHECK_EQ(stage_run(stage, 0, cdb, cdb_length, LF_DIRECTION_IN, whole + 9), 0);
	CHECK_EQ(stage->command.request.data_moved, whole);
	CHECK_EQ(stage->data[whole], CANARY);
	memcpy(reply, stage->data, whole);
	for (uint32_t length = 0; length <= whole; length++) {
		/* Cut by ALLOCATION LENGTH, then by what the transport has room for. */
		lf_put_be16(cdb + length_at, (uint16_t)length);
		CHECK_EQ(stage_run(stage, 0, cdb, cdb_length, LF_DIRECTION_IN, whole), 0);
		CHECK_EQ(stage->command.request.data_wanted, length);
		CHECK_EQ(stage->command.request.data_moved, length);
		CHECK(memcmp(stage->data, reply, length) == 0);
		CHECK_EQ(stage->data[length], CANARY);
		lf_put_be16(cdb + length_at, (uint16_t)whole);
		CHECK_EQ(stage_run(stage, 0, cdb, cdb_length, LF_DIRECTION_IN, length), 0);
		CHECK_EQ(stage->command.request.data_moved, length);
		CHECK(memcmp(stage->data, reply, length) == 0);
		CHECK_EQ(stage->data[length], CANARY);
	}
	free(reply);
}

TEST(replies_are_cut_and_never_refused)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		check_cut(stage, (uint8_t[]){0x12, 0, 0, 0, 0, 0}, 6, 3, 96);
		check_cut(stage, (uint8_t[]){0x12, 1, 0x00, 0, 0, 0}, 6, 3, 13);
		check_cut(stage, (uint8_t[]){0x12, 1, 0x88, 0, 0, 0}, 6, 3, 4 + 12 + 36);
		check_cut(stage, (uint8_t[]){0x12, 1, 0xb0, 0, 0, 0}, 6, 3, 64);
		check_cut(stage, (uint8_t[]){0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 0, 0}, 10, 7, 8 + 8 + 56);
		check_cut(
			stage, (uint8_t[]){0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 16, 12, 32);
		check_cut(stage, (uint8_t[]){0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12, 8, 16);
		check_cut(stage, (uint8_t[]){0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12, 8,
			4 + 8 * served_count(stage->lu));
		stage_close(stage);
	}
}

TEST(a_huge_allocation_length_wants_no_more_than_there_can_be)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(RUN_IN(stage, 100, 0xa0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0), 0);
	CHECK_EQ(stage->command.request.data_wanted, LF_REPLY_MAX);
	CHECK_EQ(stage->command.request.data_moved, 16);
	stage_close(stage);
}

TEST(standard_inquiry)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	const uint8_t *data = stage->data;
	CHECK_EQ(RUN_IN(stage, 255, 0x12, 0, 0, 0, 255, 0), 0);
	CHECK(memcmp(data, "\x00\x00\x06\x12\x5b\x00\x00\x02LUNGFISHVIRTUAL DISK    0001", 36) == 0);
	CHECK(memcmp(data + 58, "\x00\xa0\x04\x60\x04\xc0\x06\x00\x09\x60\x00\x00", 12) == 0);
	for (uint32_t i = 68; i < 96; i++)
		CHECK_EQ(data[i], 0);
	stage_close(stage);
}

TEST(supported_pages_ascend_and_can_all_be_read)
{
	uint8_t pages[32];
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(RUN_IN(stage, 255, 0x12, 1, 0, 0, 255, 0), 0);
	uint32_t count = stage->data[3];
	CHECK(count < sizeof(pages) && stage->data[4] == 0x00);
	memcpy(pages, stage->data + 4, count);
	for (uint32_t i = 0; i < count; i++) {
		CHECK(i == 0 || pages[i - 1] < pages[i]);
		CHECK_EQ(RUN_IN(stage, 255, 0x12, 1, pages[i], 0, 255, 0), 0);
		CHECK_EQ(stage->data[0], 0);
		CHECK_EQ(stage->data[1], pages[i]);
		CHECK_EQ(stage->command.request.data_moved, lf_min(255, 4 + lf_get_be16(stage->data + 2)));
	}
	stage_close(stage);
}

TEST(serial_number_and_designators)
{
	static const char expected[] = "\x01\x03\x00\x08\x31\x23\x45\x67\x89\xab\xcd\xef"
				       "\x02\x01\x00\x20LUNGFISHVIRTUAL DISK    SERIAL-1"
				       "\x03\x08\x00\x18naa.3123456789abcdef\0\0\0\0"
				       "\x51\x94\x00\x04\x00\x00\x00\x07"
				       "\x53\x98\x00\x20iqn.2025-01.test:one,t,0x0001\0\0\0"
				       "\x53\xa8\x00\x18iqn.2025-01.test:one\0\0\0\0";
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	CHECK_EQ(RUN_IN(stage, 255, 0x12, 1, 0x80, 0, 255, 0), 0);
	CHECK(memcmp(stage->data, "\x00\x80\x00\x08SERIAL-1", 12) == 0);
	CHECK_EQ(RUN_IN(stage, 1024, 0x12, 1, 0x83, 4, 0, 0), 0);
	CHECK_EQ(lf_get_be16(stage->data + 2), sizeof(expected) - 1);
	CHECK_EQ(stage->command.request.data_moved, 4 + sizeof(expected) - 1);
	CHECK(memcmp(stage->data + 4, expected, sizeof(expected) - 1) == 0);
	stage_close(stage);
}

TEST(block_limits_and_provisioning)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	const uint8_t *data = stage->data;
	CHECK_EQ(RUN_IN(stage, 255, 0x12, 1, 0xb0, 0, 255, 0), 0);
	CHECK(memcmp(data, "\x00\xb0\x00\x3c\x01\x80\x00\x08", 8) == 0);
	CHECK_EQ(lf_get_be32(data + 8), 8192);
	CHECK_EQ(lf_get_be32(data + 12), 2048);
	CHECK_EQ(lf_get_be32(data + 16), 0);
	CHECK_EQ(lf_get_be32(data + 20), 0xffffffff);
	CHECK_EQ(lf_get_be32(data + 24), 256);
	CHECK_EQ(lf_get_be32(data + 28), 128);
	CHECK_EQ(lf_get_be32(data + 32), 0x80000000);
	CHECK_EQ(lf_get_be64(data + 36), 65535);
	CHECK_EQ(lf_get_be32(data + 44), 256); /* MAXIMUM ATOMIC TRANSFER LENGTH */
	CHECK_EQ(lf_get_be32(data + 48), 8);   /* whole physical blocks */
	CHECK_EQ(lf_get_be32(data + 52), 8);
	CHECK_EQ(lf_get_be64(data + 56), 0);
	CHECK_EQ(RUN_IN(stage, 255, 0x12, 1, 0xb1, 0, 255, 0), 0);
	CHECK(memcmp(data, "\x00\xb1\x00\x3c\x00\x01\x00", 7) == 0);
	CHECK_EQ(stage->command.request.data_moved, 64);
	CHECK_EQ(RUN_IN(stage, 255, 0x12, 1, 0xb2, 0, 255, 0), 0);
	CHECK(memcmp(data, "\x00\xb2\x00\x04\x00\xe4\x02\x00", 8) == 0);
	CHECK_EQ(RUN_IN(stage, 255, 0x12, 1, 0x86, 0, 255, 0), 0);
	CHECK(memcmp(data, "\x00\x86\x00\x3c\x00\x07\x01\x01", 8) == 0);
	stage_close(stage);
}

TEST(policy_and_ports)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	struct lf_nexus_options options = {0};
	const uint8_t *data = stage->data;
	CHECK_EQ(RUN_IN(stage, 255, 0x12, 1, 0x87, 0, 255, 0), 0);
	CHECK_EQ(stage->command.request.data_moved, 8);
	CHECK(memcmp(data, "\x00\x87\x00\x04\x3f\xff\x00\x00", 8) == 0);
	CHECK_EQ(RUN_IN(stage, 255, 0x12, 1, 0x88, 0, 255, 0), 0);
	CHECK_EQ(stage->command.request.data_moved, 52);
	CHECK(memcmp(data, "\x00\x88\x00\x30\0\0\0\x07\0\0\0\0\0\0\0\x24\x53\x98\x00\x20iqn.", 24) == 0);
	struct lf_nexus *first = stage->nexus;
	stage->nexus = lf_nexus_open(stage->adapter, &options); /* without a port */
	CHECK_EQ(RUN_IN(stage, 255, 0x12, 1, 0x88, 0, 255, 0), 0);
	CHECK_EQ(stage->command.request.data_moved, 4);
	lf_nexus_close(stage->nexus);
	stage->nexus = first;
	stage_close(stage);
}

TEST(capacities)
{
	static const struct {
		uint64_t blocks;
		uint32_t block, physical, last_10, exponent;
	} cases[] = {
		{1, 512, 512, 0, 0},
		{0x10000, 512, 4096, 0xffff, 3},
		{0x10000, 4096, 4096, 0xffff, 0},
		{0xffffffff, 512, 512, 0xfffffffe, 0},
		{0x100000000, 512, 512, 0xffffffff, 0},
		{(1ull << 54) - 1, 512, 4096, 0xffffffff, 3},
		{(1ull << 51) - 1, 4096, 4096, 0xffffffff, 0},
	};
	for (uint32_t i = 0; i < lf_count_of(cases); i++) {
		struct lf_store_info info = stage_info();
		info.block_count = cases[i].blocks;
		info.block_size = cases[i].block;
		info.physical_block_size = cases[i].physical;
		struct stage *stage = stage_open_with(LF_LOOP_EDGE_INLINE, &info, false);
		const uint8_t *data = stage->data;
		CHECK_EQ(RUN_IN(stage, 8, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0);
		CHECK_EQ(lf_get_be32(data), cases[i].last_10);
		CHECK_EQ(lf_get_be32(data + 4), cases[i].block);
		CHECK_EQ(RUN_IN(stage, 32, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0), 0);
		CHECK_EQ(lf_get_be64(data), cases[i].blocks - 1);
		CHECK_EQ(lf_get_be32(data + 8), cases[i].block);
		CHECK_EQ(data[12], 0);
		CHECK_EQ(data[13], cases[i].exponent);
		CHECK_EQ(lf_get_be16(data + 14), 0xc000);
		CHECK_EQ(RUN_IN(stage, 8, 0x25, 0, 0, 0, 0, 0, 0, 0, 1, 0), 0); /* PMI at zero */
		stage_close(stage);
	}
}

TEST(mode_pages)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	const uint8_t *data = stage->data;
	CHECK_EQ(RUN_IN(stage, 192, 0x1a, 0, 0x3f, 0, 192, 0), 0);
	CHECK_EQ(stage->command.request.data_moved, 68);
	CHECK(memcmp(data, "\x43\x00\x10\x08\x00\x01\x00\x00\x00\x00\x02\x00", 12) == 0);
	CHECK(memcmp(data + 12, "\x01\x0a\xc0", 3) == 0);
	CHECK(memcmp(data + 24, "\x08\x12\x04", 3) == 0);
	CHECK(memcmp(data + 44, "\x0a\x0a\x02\x10\x00\x00\x00\x00\xff\xff\x00\x00", 12) == 0);
	CHECK(memcmp(data + 56, "\x1c\x0a\x08", 3) == 0);
	CHECK_EQ(RUN_IN(stage, 192, 0x1a, 8, 0x3f, 0xff, 192, 0), 0); /* DBD, all subpages */
	CHECK(memcmp(data, "\x3b\x00\x10\x00\x01\x0a\xc0", 7) == 0);
	CHECK_EQ(RUN_IN(stage, 192, 0x1a, 8, 0x48, 0, 192, 0), 0); /* what can be changed: WCE */
	CHECK(memcmp(data, "\x17\x00\x10\x00\x08\x12\x04", 7) == 0);
	for (uint32_t i = 7; i < 24; i++)
		CHECK_EQ(data[i], 0);
	CHECK_EQ(RUN_IN(stage, 192, 0x1a, 8, 0x88, 0, 192, 0), 0); /* default */
	CHECK(memcmp(data, "\x17\x00\x10\x00\x08\x12\x04", 7) == 0);
	CHECK_EQ(RUN_IN(stage, 12, 0x1a, 0, 0x00, 0, 12, 0), 0); /* page 00h: the header alone */
	CHECK(memcmp(data, "\x0b\x00\x10\x08\x00\x01\x00\x00\x00\x00\x02\x00", 12) == 0);
	CHECK_EQ(RUN_IN(stage, 64, 0x5a, 0x10, 0x08, 0xff, 0, 0, 0, 0, 64, 0), 0); /* LLBAA */
	CHECK(memcmp(data,
		      "\x00\x2a\x00\x10\x01\x00\x00\x10\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"
		      "\x00\x00\x02\x00\x08\x12\x04",
		      27) == 0);
	CHECK_EQ(RUN_IN(stage, 64, 0x5a, 0, 0x08, 0, 0, 0, 0, 0, 64, 0), 0);
	CHECK(memcmp(data, "\x00\x22\x00\x10\x00\x00\x00\x08\x00\x01\x00\x00\x00\x00\x02\x00\x08", 17) == 0);
	stage_close(stage);
}

TEST(mode_sense_of_a_large_disk)
{
	struct lf_store_info info = stage_info();
	info.block_count = 1ull << 40;
	struct stage *stage = stage_open_with(LF_LOOP_EDGE_INLINE, &info, false);
	CHECK_EQ(RUN_IN(stage, 12, 0x1a, 0, 0x00, 0, 12, 0), 0);
	CHECK_EQ(lf_get_be32(stage->data + 4), 0xffffffff);
	CHECK_EQ(RUN_IN(stage, 24, 0x5a, 0x10, 0x00, 0, 0, 0, 0, 0, 24, 0), 0);
	CHECK_EQ(lf_get_be64(stage->data + 8), 1ull << 40);
	stage_close(stage);
}

TEST(d_sense_shows_in_the_page_and_in_the_sense)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	memcpy(stage->data, "\x00\x00\x00\x00\x0a\x0a\x06\x10\x00\x00\x00\x00\xff\xff\x00\x00", 16);
	CHECK_EQ(RUN_OUT(stage, 16, 0x15, 0x10, 0, 0, 16, 0), 0);
	CHECK_EQ(RUN_IN(stage, 64, 0x1a, 8, 0x0a, 0, 64, 0), 0);
	CHECK_EQ(stage->data[6], 0x06);
	CHECK_EQ(RUN_IN(stage, 64, 0x1a, 8, 0x8a, 0, 64, 0), 0); /* the default stays */
	CHECK_EQ(stage->data[6], 0x02);
	CHECK_EQ(RUN_IN(stage, 512, 0x88, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0),
		LF_SENSE(5, 0x21, 0));
	CHECK_EQ(stage->command.request.sense[0], 0x72);
	CHECK_EQ(lf_get_be64(stage->command.request.sense + 12), 1ull << 63);
	stage_close(stage);
}

/* ---- REPORT SUPPORTED OPERATION CODES ---- */

static void check_one_report(
	struct stage *stage, const struct lf_command *row, uint8_t option, uint8_t action)
{
	const uint8_t *data = stage->data;
	CHECK_EQ(RUN_IN(stage, 64, 0xa3, 0x0c, option, row->opcode, 0, action, 0, 0, 0, 64, 0, 0), 0);
	CHECK_EQ(data[1], 3);
	CHECK_EQ(lf_get_be16(data + 2), row->cdb_length);
	CHECK(memcmp(data + 4, row->usage, row->cdb_length) == 0);
	CHECK_EQ(stage->command.request.data_moved, 4 + row->cdb_length);
}

TEST(every_command_reports_itself)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	uint32_t reported = 0;
	for (uint32_t i = 0; i < lf_command_count; i++) {
		const struct lf_command *row = &lf_commands[i];
		bool has_action = row->service_action != LF_NO_SERVICE_ACTION;
		uint8_t action = has_action ? row->service_action : 0;
		if (!is_served(stage->lu, row))
			continue;
		const uint8_t *entry = stage->data + 4 + 20 * (size_t)reported++;
		CHECK_EQ(RUN_IN(stage, 4096, 0xa3, 0x0c, 0x80, 0, 0, 0, 0, 0, 0x10, 0, 0, 0), 0);
		CHECK_EQ(lf_get_be32(stage->data), 20 * served_count(stage->lu));
		CHECK_EQ(entry[0], row->opcode);
		CHECK_EQ(lf_get_be16(entry + 2), action);
		CHECK_EQ(entry[5], has_action ? 3 : 2);
		CHECK_EQ(lf_get_be16(entry + 6), row->cdb_length);
		CHECK_EQ(lf_get_be16(entry + 8), 10);
		check_one_report(stage, row, has_action ? 2 : 1, action);
		check_one_report(stage, row, 3, action);
	}
	stage_close(stage);
}

TEST(commands_that_are_not_there_are_reported_so)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	const uint8_t *data = stage->data;
	CHECK_EQ(RUN_IN(stage, 64, 0xa3, 0x0c, 0x01, 0xc0, 0, 0, 0, 0, 0, 64, 0, 0), 0);
	CHECK_EQ(lf_get_be32(data), 0x00010000);
	CHECK_EQ(stage->command.request.data_moved, 4);
	CHECK_EQ(RUN_IN(stage, 64, 0xa3, 0x0c, 0x02, 0x9e, 0, 0x11, 0, 0, 0, 64, 0, 0), 0);
	CHECK_EQ(lf_get_be32(data), 0x00010000);
	CHECK_EQ(RUN_IN(stage, 64, 0xa3, 0x0c, 0x02, 0x9e, 0x01, 0x10, 0, 0, 0, 64, 0, 0), 0);
	CHECK_EQ(lf_get_be32(data), 0x00010000);
	CHECK_EQ(RUN_IN(stage, 64, 0xa3, 0x0c, 0x83, 0x28, 0, 1, 0, 0, 0, 64, 0, 0), 0);
	CHECK_EQ(lf_get_be32(data), 0x00010000);
	CHECK_EQ(RUN_IN(stage, 64, 0xa3, 0x0c, 0x81, 0x28, 0, 0, 0, 0, 0, 64, 0, 0), 0);
	CHECK_EQ(lf_get_be32(data), 0x0083000a);
	CHECK_EQ(stage->command.request.data_moved, 4 + 10 + 12);
	CHECK_EQ(lf_get_be16(data + 14), 10);
	stage_close(stage);
}

/* ---- Unit attentions, sense as data, the inventory ---- */

TEST(request_sense_takes_the_unit_attention)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
		CHECK_EQ(RUN_IN(stage, 252, 3, 0, 0, 0, 252, 0), 0);
		CHECK_EQ(stage->command.request.data_moved, 18);
		CHECK(memcmp(stage->data, "\x70\x00\x00\x00\x00\x00\x00\x0a", 8) == 0);
		lf_ua_raise(stage->lu, LF_UA_CAPACITY_CHANGED, NULL);
		CHECK_EQ(RUN_IN(stage, 96, 0x12, 0, 0, 0, 96, 0), 0);
		CHECK_EQ(RUN_IN(stage, 252, 3, 1, 0, 0, 252, 0), 0);
		CHECK_EQ(stage->command.request.data_moved, 8);
		CHECK(memcmp(stage->data, "\x72\x06\x2a\x09\x00\x00\x00\x00", 8) == 0);
		CHECK_EQ(RUN(stage, 0, 0, 0, 0, 0, 0), 0);
		lf_ua_raise(stage->lu, LF_UA_CAPACITY_CHANGED, NULL);
		CHECK_EQ(RUN_IN(stage, 512, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0), LF_SENSE(6, 0x2a, 9));
		CHECK_EQ(stage->store.op_count, 0);
		stage_close(stage);
	}
}

TEST(report_luns_clears_its_attention)
{
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	lf_ua_raise(stage->lu, LF_UA_REPORTED_LUNS_CHANGED, NULL);
	CHECK_EQ(RUN_IN(stage, 64, 0xa0, 0, 1, 0, 0, 0, 0, 0, 0, 64, 0, 0), 0); /* well-known ones: none */
	CHECK_EQ(stage->command.request.data_moved, 8);
	CHECK_EQ(lf_get_be64(stage->data), 0);
	CHECK_EQ(RUN(stage, 0, 0, 0, 0, 0, 0), LF_SENSE(6, 0x3f, 0x0e));
	lf_ua_raise(stage->lu, LF_UA_REPORTED_LUNS_CHANGED, NULL);
	CHECK_EQ(RUN_IN(stage, 64, 0xa0, 0, 2, 0, 0, 0, 0, 0, 0, 64, 0, 0), 0);
	CHECK_EQ(lf_get_be64(stage->data), 8ull << 32);
	CHECK_EQ(lf_get_be64(stage->data + 8), 0);
	CHECK_EQ(RUN(stage, 0, 0, 0, 0, 0, 0), 0);
	stage_close(stage);
}

static void more_units(struct stage *stage, struct lf_lu **units, uint32_t count, uint32_t step)
{
	struct lf_store_info info = stage_info();
	struct lf_message message;

	for (uint32_t i = 0; i < count; i++) {
		struct lf_lu_options options = {.lun = (i + 1) * step, .serial = "2"};
		CHECK_EQ(lf_lu_add(stage->adapter, &options, &kept_ops, &stage->store, &info, &units[i],
				 &message),
			LF_OK);
	}
}

TEST(report_luns_lists_many)
{
	enum { COUNT = 20, STEP = 100 };
	struct lf_lu *units[COUNT];
	struct stage *stage = stage_open(LF_LOOP_EDGE_INLINE);
	more_units(stage, units, COUNT, STEP);
	CHECK_EQ(stage_run(stage, 100, (const uint8_t[]){0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, 12,
			 LF_DIRECTION_IN, 1024),
		0);
	CHECK_EQ(stage->command.request.data_moved, 8 * (COUNT + 1 + 1));
	CHECK_EQ(lf_get_be64(stage->data), 8ull * (COUNT + 1) << 32);
	for (uint32_t i = 0; i <= COUNT; i++) {
		uint64_t first = i * STEP < 256 ? i * STEP : 0x4000 | i * STEP;
		CHECK_EQ(lf_get_be64(stage->data + 8 + 8 * (size_t)i), first << 48);
	}
	CHECK_EQ(RUN_IN(stage, 1024, 0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0), 0);
	CHECK_EQ(stage->command.request.data_moved, 20);
	CHECK_EQ(lf_get_be64(stage->data), 8ull * (COUNT + 1) << 32);
	for (uint32_t i = 0; i < COUNT; i++) {
		struct lf_removal removal = {.done = stage_unit_left};
		lf_lu_remove(units[i], &removal);
		lf_lu_free(units[i]);
	}
	stage_close(stage);
}

TEST(where_there_is_no_unit)
{
	BOTH_MODES(mode)
	{
		struct stage *stage = stage_open(mode);
#define ABSENT(...)                                                                                          \
	stage_run(stage, 5, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}),          \
		LF_DIRECTION_IN, 255)
		CHECK_EQ(ABSENT(0x12, 0, 0, 0, 255, 0), 0);
		CHECK_EQ(stage->data[0], 0x7f);
		CHECK(stage->command.request.data_moved >= 36);
		CHECK_EQ(ABSENT(0x12, 1, 0, 0, 255, 0), LF_SENSE(5, 0x24, 0));
		CHECK_EQ(ABSENT(0x00, 0, 0, 0, 0, 0), LF_SENSE(5, 0x25, 0));
		CHECK_EQ(ABSENT(0xff, 0, 0, 0, 0, 0), LF_SENSE(5, 0x25, 0));
		CHECK_EQ(ABSENT(0x9e, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), LF_SENSE(5, 0x25, 0));
		CHECK_EQ(ABSENT(0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0), LF_SENSE(5, 0x25, 0));
		CHECK_EQ(ABSENT(0x03, 0, 0, 0, 255, 0), 0);
		CHECK(memcmp(stage->data, "\x70\x00\x05", 3) == 0 && stage->data[12] == 0x25);
		CHECK_EQ(ABSENT(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0), 0);
		CHECK_EQ(lf_get_be64(stage->data), 8ull << 32);
		stage_close(stage);
	}
}
