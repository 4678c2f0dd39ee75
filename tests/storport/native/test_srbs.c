/* SPDX-License-Identifier: BSD-2-Clause */
/* test_srbs.c: SRBs of every function and form: what is asked, what is answered, what is left alone. */
#include <stdlib.h>
#include <string.h>

#include "tests/storport/native/stage.h"

static const enum host_form forms[] = {HOST_FORM_EXTENDED, HOST_FORM_OLD};

static struct host_request inquiry(const struct stage_unit *unit, void *data, uint8_t room)
{
	struct host_request request = stage_request(unit);

	request.cdb[0] = 0x12;
	request.cdb[4] = room;
	request.cdb_length = 6;
	request.flags = HOST_FLAGS_DATA_IN;
	request.data = data;
	request.length = room;
	return request;
}

static struct host_request reading(
	const struct stage_unit *unit, uint64_t lba, uint32_t blocks, void *data, uint32_t length)
{
	struct host_request request = stage_request(unit);

	stage_cdb_rw(&request, false, lba, blocks);
	request.data = data;
	request.length = length;
	return request;
}

TEST(both_forms_of_srb_read_and_write)
{
	uint8_t block[STAGE_BLOCK], read[STAGE_BLOCK];
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(forms); i++) {
		struct host_request request = stage_request(&unit);

		stage_fill(block, i, i);
		request.form = forms[i];
		stage_cdb_rw(&request, true, i, 1);
		request.data = block;
		request.length = sizeof(block);
		CHECK_EQ(stage_run(&request), 0);
		CHECK_EQ(request.moved, sizeof(block));
		stage_cdb_rw(&request, false, i, 1);
		request.data = read;
		CHECK_EQ(stage_run(&request), 0);
		CHECK_EQ(request.moved, sizeof(block));
		CHECK(memcmp(block, read, sizeof(block)) == 0);
	}
	stage_down(&unit);
	stage_close();
}

TEST(sense_is_cut_to_its_buffer)
{
	static const uint8_t rooms[] = {1, 2, 8, 14, 18, 64, 252, 255};
	uint8_t block[STAGE_BLOCK];
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < 2 * lf_count_of(rooms); i++) {
		struct host_request request = reading(&unit, unit.block_count, 1, block, sizeof(block));
		uint8_t room = rooms[i / 2];

		request.form = forms[i % 2];
		request.sense_room = room;
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_ERROR);
		CHECK_EQ(request.scsi_status, 2);
		CHECK_EQ(request.sense_valid, room > 1);
		if (room == 2)
			CHECK_EQ(request.sense_length, 2);
		if (room >= 8) /* what there is of it is said */
			CHECK_EQ(request.sense_length, lf_min(room, 8 + request.sense[7]));
		if (room >= 14)
			CHECK_EQ(host_sense(&request), 0x052100);
		CHECK_EQ(request.moved, 0);
	}
	stage_down(&unit);
	stage_close();
}

TEST(no_sense_for_who_wants_none)
{
	uint8_t block[STAGE_BLOCK];
	struct stage_unit unit;
	struct host_request request;

	stage_open();
	stage_up(&unit, NULL);
	request = reading(&unit, unit.block_count, 1, block, sizeof(block));
	request.flags |= HOST_FLAGS_DISABLE_AUTOSENSE;
	stage_run(&request);
	CHECK_EQ(request.srb_status, HOST_STATUS_ERROR);
	CHECK_EQ(request.scsi_status, 2);
	CHECK(!request.sense_valid);
	stage_down(&unit);
	stage_close();
}

TEST(what_is_short_is_an_overrun_with_its_length)
{
	uint8_t data[255], blocks[2 * STAGE_BLOCK];
	struct stage_unit unit;
	struct host_request request;

	stage_open();
	stage_up(&unit, NULL);
	request = inquiry(&unit, data, 255);
	CHECK_EQ(stage_run(&request), 0);
	CHECK_EQ(request.srb_status, HOST_STATUS_DATA_OVERRUN);
	CHECK_EQ(request.moved, 5u + data[4]);
	request = reading(&unit, 0, 1, blocks, sizeof(blocks));
	CHECK_EQ(stage_run(&request), 0);
	CHECK_EQ(request.srb_status, HOST_STATUS_DATA_OVERRUN);
	CHECK_EQ(request.moved, STAGE_BLOCK);
	request = reading(&unit, 0, 2, blocks, STAGE_BLOCK);
	CHECK_EQ(stage_run(&request), 0);
	CHECK_EQ(request.moved, STAGE_BLOCK);
	stage_down(&unit);
	stage_close();
}

/* Of what an SRB brings, whole blocks are written: here, none. */
TEST(a_write_of_less_than_a_block_changes_nothing)
{
	uint8_t block[STAGE_BLOCK], read[STAGE_BLOCK];
	struct stage_unit unit;
	struct host_request request;

	stage_open();
	stage_up(&unit, NULL);
	stage_fill(block, 0, 1);
	request = stage_request(&unit);
	stage_cdb_rw(&request, true, 0, 1);
	request.data = block;
	request.length = 100;
	stage_run(&request);
	CHECK_EQ(request.srb_status, HOST_STATUS_DATA_OVERRUN);
	CHECK_EQ(request.moved, 0);
	lf_fake_file_read(unit.file, 0, read, sizeof(read));
	for (uint32_t i = 0; i < sizeof(read); i++)
		CHECK_EQ(read[i], 0);
	stage_down(&unit);
	stage_close();
}

TEST(data_that_go_the_other_way_are_not_touched)
{
	uint8_t data[96], block[STAGE_BLOCK];
	struct stage_unit unit;
	struct host_request request;

	stage_open();
	stage_up(&unit, NULL);
	memset(data, 0x77, sizeof(data));
	request = inquiry(&unit, data, sizeof(data));
	request.flags = HOST_FLAGS_DATA_OUT; /* the host looks that they stay */
	stage_run(&request);
	memset(block, 0x77, sizeof(block));
	request = reading(&unit, 0, 1, block, sizeof(block));
	request.flags = HOST_FLAGS_DATA_OUT;
	stage_run(&request);
	stage_down(&unit);
	stage_close();
}

/* A megabyte at every kind of offset in its page; the MDL begins before it. */
TEST(the_longest_transfer)
{
	static const uint32_t offsets[] = {0, 512, 8, 4088};
	uint8_t *expected = malloc(STAGE_MIB);
	struct stage_unit unit;

	CHECK(expected != NULL);
	stage_open();
	stage_up(&unit, &(struct stage_options){.size_bytes = 4 * STAGE_MIB});
	for (uint32_t i = 0; i < lf_count_of(offsets); i++) {
		struct lf_fake_buffer *buffer = lf_fake_buffer_make(STAGE_MIB, 512, 512, offsets[i]);
		struct host_request request = stage_request(&unit);
		uint32_t count = STAGE_MIB / STAGE_BLOCK;

		for (uint32_t block = 0; block < count; block++)
			stage_fill(buffer->bytes + block * STAGE_BLOCK, block, i);
		memcpy(expected, buffer->bytes, STAGE_MIB);
		stage_cdb_rw(&request, true, i * 16, count);
		request.buffer = buffer;
		request.length = STAGE_MIB;
		CHECK_EQ(stage_run(&request), 0);
		memset(buffer->bytes, 0, STAGE_MIB);
		stage_cdb_rw(&request, false, i * 16, count);
		CHECK_EQ(stage_run(&request), 0);
		CHECK(memcmp(expected, buffer->bytes, STAGE_MIB) == 0);
		lf_fake_buffer_free(buffer);
	}
	stage_down(&unit);
	stage_close();
	free(expected);
}

TEST(more_than_the_longest_transfer_is_refused)
{
	uint8_t *data = calloc(1, 2 * STAGE_MIB);
	struct stage_unit unit;
	struct host_request request;

	CHECK(data != NULL);
	stage_open();
	stage_up(&unit, &(struct stage_options){.size_bytes = 4 * STAGE_MIB});
	request = reading(&unit, 0, 2 * STAGE_MIB / STAGE_BLOCK, data, 2 * STAGE_MIB);
	CHECK_EQ(stage_run(&request) >> 24, HOST_STATUS_INVALID_REQUEST);
	stage_down(&unit);
	stage_close();
	free(data);
}

/* The file system wants buffers that begin at multiples of 512: others go through memory that does. */
TEST(misaligned_buffers_take_a_detour)
{
	static const uint32_t offsets[] = {0, 4, 100, 513};
	struct stage_unit unit;
	uint8_t block[4 * STAGE_BLOCK];

	lf_fake_reset();
	lf_fake_volume_add(
		&(struct lf_fake_volume_options){.name = "D:", .alignment = FILE_512_BYTE_ALIGNMENT});
	stage_start();
	stage_up(&unit, &(struct stage_options){.path = "D:\\disk.img"});
	for (uint32_t i = 0; i < lf_count_of(offsets); i++) {
		struct lf_fake_buffer *buffer = lf_fake_buffer_make(sizeof(block), 0, 0, offsets[i]);
		struct host_request request = stage_request(&unit);

		stage_fill(buffer->bytes, i, i);
		memcpy(block, buffer->bytes, sizeof(block));
		stage_cdb_rw(&request, true, 10 * i, 4);
		request.buffer = buffer;
		request.length = sizeof(block);
		CHECK_EQ(stage_run(&request), 0);
		memset(buffer->bytes, 0, sizeof(block));
		stage_cdb_rw(&request, false, 10 * i, 4);
		/* Mapping fails a few times: it is tried again, and nobody above hears of it. */
		lf_fake_fail(LF_FAKE_MAP, 0, 3);
		CHECK_EQ(stage_run(&request), 0);
		CHECK(memcmp(block, buffer->bytes, sizeof(block)) == 0);
		lf_fake_buffer_free(buffer);
	}
	lf_fake_fail(LF_FAKE_MAP, 0, UINT32_MAX);
	lf_fake_fail_some(LF_FAKE_MAP, 0, 0);
	stage_down(&unit);
	stage_close();
}

/* Of INQUIRY and the like; Storport sends what is busy again. */
TEST(who_cannot_be_mapped_is_busy)
{
	uint8_t data[36];
	struct stage_unit unit;
	struct host_request request;

	stage_open();
	stage_up(&unit, NULL);
	request = inquiry(&unit, data, sizeof(data));
	host_fail_mappings(1);
	stage_run(&request);
	CHECK_EQ(request.srb_status, HOST_STATUS_BUSY);
	CHECK_EQ(request.moved, 0);
	CHECK_EQ(stage_run(&request), 0);
	stage_down(&unit);
	stage_close();
}

TEST(functions_that_nobody_serves_are_invalid)
{
	static const UCHAR functions[] = {HOST_SRB_IO_CONTROL, HOST_SRB_ABORT_COMMAND, HOST_SRB_REMOVE_DEVICE,
		HOST_SRB_WMI, HOST_SRB_DUMP_POINTERS, 0x01, 0x7f, 0xfe};
	struct stage_unit unit;
	uint8_t data[36] = {0};

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < 2 * lf_count_of(functions); i++) {
		struct host_request request = stage_request(&unit);

		request.function = functions[i / 2];
		request.form = forms[i % 2];
		request.data = data; /* the host looks that none is said to have moved */
		request.length = sizeof(data);
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_INVALID_REQUEST);
	}
	stage_down(&unit);
	stage_close();
}

TEST(power_is_acknowledged)
{
	static const ULONG actions[] = {
		HOST_POWER_NONE, HOST_POWER_SLEEP, HOST_POWER_HIBERNATE, HOST_POWER_SHUTDOWN};
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < 4 * lf_count_of(actions); i++) {
		struct host_request request = stage_request(&unit);

		request.function = HOST_SRB_POWER;
		request.form = forms[i % 2];
		request.action = actions[i / 4];
		request.action_flags = i / 2 % 2 == 0 ? HOST_ADAPTER_REQUEST : 0;
		request.power_state = i % 2 == 0 ? HOST_POWER_D3 : HOST_POWER_D0;
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_SUCCESS);
	}
	stage_down(&unit);
	stage_close();
}

TEST(disks_may_be_ejected_and_pulled)
{
	const ULONG wanted = HOST_CAPABLE_EJECT | HOST_CAPABLE_REMOVABLE | HOST_CAPABLE_SURPRISE_REMOVAL;
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(forms); i++) {
		struct host_capabilities capabilities;

		CHECK_EQ(stage_capabilities(&unit, forms[i], &capabilities), HOST_STATUS_SUCCESS);
		CHECK_EQ(capabilities.Bits & wanted, wanted);
		CHECK_EQ(
			capabilities.Bits & (HOST_CAPABLE_DOCK | HOST_CAPABLE_NO_DISPLAY | HOST_CAPABLE_LOCK),
			0);
		CHECK_EQ(capabilities.Size, sizeof(capabilities));
	}
	stage_down(&unit);
	stage_close();
}

TEST(paging_files_on_our_disks_are_refused)
{
	struct host_address_btl8 address;
	struct host_unit_usage usage = {.Address = (struct host_address *)(void *)&address, .InUse = TRUE};
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	address = host_address(unit.target, unit.lun);
	for (ULONG type = HOST_USAGE_PAGING; type <= HOST_USAGE_DUMP_FILE; type++) {
		usage.UsageType = type;
		usage.InUse = TRUE;
		CHECK_EQ(host_unit_control(stage, HOST_UNIT_USAGE, &usage), HOST_CONTROL_UNSUCCESSFUL);
		usage.InUse = FALSE; /* that none is there any more is fine */
		CHECK_EQ(host_unit_control(stage, HOST_UNIT_USAGE, &usage), HOST_CONTROL_SUCCESS);
	}
	CHECK(lf_fake_has_printed("keep it on another disk"));
	usage.InUse = FALSE;
	CHECK_EQ(host_unit_control(stage, HOST_UNIT_USAGE, &usage), HOST_CONTROL_SUCCESS);
	stage_down(&unit);
	stage_close();
}

/* FLUSH and SHUTDOWN reach the file; with nothing written since, they end at once. */
TEST(flush_flushes_once)
{
	static const UCHAR functions[] = {HOST_SRB_FLUSH, HOST_SRB_SHUTDOWN};
	uint8_t block[STAGE_BLOCK] = {1};
	struct stage_unit unit;
	uint64_t before;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(functions); i++) {
		struct host_request request = stage_request(&unit);

		CHECK_EQ(stage_write(&unit, 0, 1, block), 0);
		before = lf_fake_file_count(unit.file, LF_FAKE_FLUSH);
		request.function = functions[i];
		CHECK_EQ(stage_run(&request), 0);
		CHECK_EQ(lf_fake_file_count(unit.file, LF_FAKE_FLUSH), before + 1);
		CHECK_EQ(stage_run(&request), 0);
		CHECK_EQ(lf_fake_file_count(unit.file, LF_FAKE_FLUSH), before + 1);
	}
	CHECK_EQ(stage_write(&unit, 0, 1, block), 0);
	before = lf_fake_file_count(unit.file, LF_FAKE_FLUSH);
	CHECK_EQ(stage_flush(&unit), 0);
	CHECK_EQ(lf_fake_file_count(unit.file, LF_FAKE_FLUSH), before + 1);
	stage_down(&unit);
	stage_close();
}

TEST(who_sleeps_flushes_before)
{
	uint8_t block[STAGE_BLOCK] = {1};
	struct stage_unit unit, clean;
	uint64_t before, untouched;

	stage_open();
	stage_up(&unit, NULL);
	stage_up(&clean, &(struct stage_options){.path = "C:\\clean.img"});
	CHECK_EQ(stage_write(&unit, 0, 1, block), 0);
	before = lf_fake_file_count(unit.file, LF_FAKE_FLUSH);
	untouched = lf_fake_file_count(clean.file, LF_FAKE_FLUSH);
	lf_fake_power(PO_CB_SYSTEM_STATE_LOCK, 0);
	for (int i = 0; i < 60000 && lf_fake_file_count(unit.file, LF_FAKE_FLUSH) == before; i++)
		stage_pause();
	CHECK_EQ(lf_fake_file_count(unit.file, LF_FAKE_FLUSH), before + 1);
	CHECK_EQ(lf_fake_file_count(clean.file, LF_FAKE_FLUSH), untouched);
	lf_fake_power(PO_CB_SYSTEM_STATE_LOCK, 1);
	CHECK_EQ(stage_read(&unit, 0, 1, block), 0);
	stage_close();
}

TEST(lun_0_lists_the_others_without_being_there)
{
	uint8_t data[36] = {0}, list[64] = {0};
	static const uint8_t ready[6], report[12] = {0xa0, [9] = sizeof(list)};
	struct stage_unit unit, zero = {.target = 2};
	struct host_request request;

	stage_open();
	stage_up(&unit, &(struct stage_options){.target = 2, .lun_and_one = 6});
	CHECK_EQ(unit.lun, 5);
	request = inquiry(&zero, data, sizeof(data));
	CHECK_EQ(stage_run(&request), 0);
	CHECK_EQ(data[0], 0x7f);
	CHECK_EQ(stage_command(&zero, report, sizeof(report), HOST_FLAGS_DATA_IN, list, sizeof(list)), 0);
	CHECK_EQ(lf_get_be32(list), 8);
	CHECK_EQ(list[9], 5);
	CHECK_EQ(stage_command(&zero, ready, sizeof(ready), 0, NULL, 0), 0x052500);
	stage_down(&unit);
	stage_close();
}

/* ---- SRBs that contradict themselves ---- */

static void address_outside(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->AddressOffset = 0x10000;
}

static void address_of_another_kind(void *srb, void *context)
{
	struct host_srbex *all = srb;

	(void)context;
	((struct host_address *)(void *)((char *)srb + all->AddressOffset))->Type = 7;
}

static void data_outside(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->SrbExDataOffset[0] = 0x10000;
}

static void data_beyond_the_end(void *srb, void *context)
{
	struct host_srbex *all = srb;

	(void)context;
	all->SrbExDataOffset[0] = all->SrbLength - 8;
}

static void no_data(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->NumSrbExData = 0;
}

static void long_cdb(void *srb, void *context)
{
	struct host_srbex *all = srb;

	(void)context;
	((struct host_srbex_cdb16 *)(void *)((char *)srb + all->SrbExDataOffset[0]))->CdbLength = 200;
}

static void long_old_cdb(void *srb, void *context)
{
	(void)context;
	((struct host_srb *)srb)->CdbLength = 200;
}

static void no_cdb(void *srb, void *context)
{
	(void)context;
	((struct host_srb *)srb)->CdbLength = 0;
}

TEST(srbs_that_contradict_themselves_are_invalid)
{
	static void (*const spoilers[])(void *, void *) = {address_outside, address_of_another_kind,
		data_outside, data_beyond_the_end, no_data, long_cdb};
	static void (*const old_spoilers[])(void *, void *) = {long_old_cdb, no_cdb};
	struct stage_unit unit;
	uint8_t data[36];

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(spoilers) + lf_count_of(old_spoilers); i++) {
		struct host_request request = inquiry(&unit, data, sizeof(data));
		bool old = i >= lf_count_of(spoilers);

		request.form = old ? HOST_FORM_OLD : HOST_FORM_EXTENDED;
		request.spoil = old ? old_spoilers[i - lf_count_of(spoilers)] : spoilers[i];
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_INVALID_REQUEST);
	}
	stage_down(&unit);
	stage_close();
}

/* ---- Many at once ---- */

#define DEPTH 300

TEST(three_hundred_commands_wait_on_one_unit)
{
	struct host_request *requests = calloc(DEPTH, sizeof(*requests));
	uint8_t *blocks = calloc(DEPTH, STAGE_BLOCK), expected[STAGE_BLOCK];
	struct stage_unit unit;

	CHECK(requests != NULL && blocks != NULL);
	stage_open();
	stage_up(&unit, NULL);
	host_settle(stage);
	CHECK(host_config(stage)->MaxIOsPerLun >= DEPTH);
	for (uint32_t i = 0; i < DEPTH; i++) {
		stage_fill(expected, i, 3);
		lf_fake_file_write(unit.file, i * STAGE_BLOCK, expected, STAGE_BLOCK);
	}
	lf_fake_rule_add(
		&(struct lf_fake_rule){.file = unit.file, .ops = 1 << LF_FAKE_READ, .what = LF_FAKE_BLOCK});
	for (uint32_t i = 0; i < DEPTH; i++) {
		requests[i] = reading(&unit, i, 1, blocks + i * STAGE_BLOCK, STAGE_BLOCK);
		host_submit(stage, &requests[i]);
	}
	CHECK_EQ(host_outstanding(stage), DEPTH);
	stage_wait_held(1);
	lf_fake_rules_clear();
	lf_fake_release();
	for (uint32_t i = 0; i < DEPTH; i++) {
		host_wait(stage, &requests[i]);
		CHECK_EQ(requests[i].srb_status, HOST_STATUS_SUCCESS);
		stage_fill(expected, i, 3);
		CHECK(memcmp(expected, blocks + i * STAGE_BLOCK, STAGE_BLOCK) == 0);
	}
	stage_down(&unit);
	stage_close();
	free(requests);
	free(blocks);
}
