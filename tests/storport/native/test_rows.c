/* SPDX-License-Identifier: BSD-2-Clause */
/* test_rows.c: what the articles that this driver follows describe, row by row: docs/windows.md has the
 * table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/interface_nt.h"
#include "tests/storport/native/stage.h"
#include "trace/trace.h"

#define SERVICE_KEY "\\Registry\\Machine\\System\\CurrentControlSet\\Services\\lungfish"

static uint32_t inquiry(const struct stage_unit *unit, uint8_t *to, uint8_t room)
{
	const uint8_t cdb[6] = {0x12, 0, 0, 0, room};

	return stage_command(unit, cdb, sizeof(cdb), HOST_FLAGS_DATA_IN, to, room);
}

static uint64_t capacity(const struct stage_unit *unit)
{
	const uint8_t cdb[16] = {0x9e, 0x10, [13] = 32};
	uint8_t data[32] = {0};

	if (stage_command(unit, cdb, sizeof(cdb), HOST_FLAGS_DATA_IN, data, sizeof(data)) != 0)
		return 0;
	return lf_get_be64(data) + 1;
}

/* An SRB comes in above, a file is read below, and the file's bytes are in the SRB's buffer. */
TEST(row_01_two_halves_meet_in_few_calls)
{
	uint8_t block[STAGE_BLOCK], read[STAGE_BLOCK];
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	stage_fill(block, 7, 1);
	lf_fake_file_write(unit.file, 7 * STAGE_BLOCK, block, sizeof(block));
	CHECK_EQ(stage_read(&unit, 7, 1, read), 0);
	CHECK(memcmp(block, read, sizeof(block)) == 0);
	stage_down(&unit);
	stage_close();
}

/* The rest is looked at by StorPortInitialize itself. */
TEST(row_02_registers_as_a_virtual_miniport)
{
	const struct host_registration *data;

	stage_open();
	data = host_registration();
	CHECK_EQ(data->HwInitializationDataSize, 0xd0);
	CHECK(data->FeatureSupport & HOST_FEATURE_VIRTUAL_MINIPORT);
	CHECK(data->FeatureSupport & HOST_FEATURE_FULL_PNP_CAPABILITIES);
	CHECK(data->SrbTypeFlags & HOST_SRB_TYPE_FLAG_EXTENDED);
	CHECK(data->HwUnitControl != NULL && data->HwProcessServiceRequest != NULL);
	CHECK_EQ(data->MapBuffers, HOST_MAP_NON_READ_WRITE);
	CHECK_EQ(host_config(stage)->SrbType, HOST_SRB_TYPE_EXTENDED);
	CHECK_EQ(host_config(stage)->MaximumNumberOfTargets, 16);
	CHECK(host_config(stage)->MaxIOsPerLun > 255);
	CHECK(host_config(stage)->MaximumTransferLength >= STAGE_MIB);
	stage_close();
}

TEST(row_02_more_targets_by_the_registry)
{
	static const ULONG targets = 24;

	lf_fake_reset();
	lf_fake_registry_set(
		SERVICE_KEY "\\Parameters", "MaximumTargets", REG_DWORD, &targets, sizeof(targets));
	stage_start();
	CHECK_EQ(host_config(stage)->MaximumNumberOfTargets, targets);
	stage_close();
}

/* A disconnect waits for what is in flight, and somebody else is served meanwhile. */
TEST(row_03_service_requests_pend)
{
	union lf_control_request *request = calloc(1, sizeof(*request));
	uint8_t *bytes = calloc(1, sizeof(*request)), *reply = calloc(1, STAGE_REPLY), block[STAGE_BLOCK];
	struct host_service service = {.in = bytes, .out = reply, .out_length = STAGE_REPLY};
	struct host_request read;
	struct stage_unit unit;

	CHECK(request != NULL && bytes != NULL && reply != NULL);
	stage_open();
	stage_up(&unit, NULL);
	stage_hold_read(&unit, &read, block);
	request->header.command = LF_CONTROL_DISCONNECT;
	request->select.timeout_ms = 60000;
	lf_control_set_text(&request->select.id, "1");
	service.in_length = (ULONG)lf_control_encode_request(request, bytes, sizeof(*request));
	host_service_begin(stage, &service);
	CHECK_EQ(stage_count(), 1);
	CHECK(!service.ended);
	lf_fake_rules_clear();
	lf_fake_release();
	host_wait(stage, &read);
	host_service_wait(&service);
	CHECK_EQ(service.status, STATUS_SUCCESS);
	CHECK_EQ(stage_count(), 0);
	stage_close();
	free(request);
	free(bytes);
	free(reply);
}

TEST(row_03_nothing_but_our_control_code_is_served)
{
	uint8_t in[16] = {0}, out[16];
	struct host_service service = {
		.code = 0x0004d008, .in = in, .in_length = sizeof(in), .out = out, .out_length = sizeof(out)};

	stage_open();
	host_service(stage, &service);
	CHECK_EQ((ULONG)service.status, (ULONG)STATUS_INVALID_DEVICE_REQUEST);
	CHECK_EQ(service.information, 0);
	stage_close();
}

TEST(row_04_identify_says_that_it_is_this_adapter)
{
	union lf_control_request request = {.header.command = LF_CONTROL_IDENTIFY};
	struct stage_reply *reply = calloc(1, sizeof(*reply));

	CHECK(reply != NULL);
	stage_open();
	CHECK_EQ(stage_ask(&request, reply), STATUS_SUCCESS);
	CHECK_EQ(reply->status, LF_CONTROL_OK);
	CHECK_STR(reply->reply.identity.adapter.bytes, "Lungfish virtual SCSI adapter");
	CHECK_STR(reply->reply.identity.platform.bytes, "windows");
	stage_close();
	free(reply);
}

TEST(row_05_connect_brings_a_disk)
{
	struct stage_unit unit;
	uint32_t before;

	stage_open();
	before = host_changes(stage);
	stage_up(&unit, NULL);
	CHECK(host_changes(stage) > before);
	CHECK_EQ(host_unit(stage, unit.target, unit.lun).type, 0);
	CHECK_EQ(unit.block_count, STAGE_MIB / STAGE_BLOCK);
	CHECK_EQ(lf_fake_file_opens(unit.file), 1);
	stage_down(&unit);
	stage_close();
}

TEST(row_05_a_cdrom_is_always_read_only)
{
	uint8_t block[2048] = {0};
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, &(struct stage_options){.path = "C:\\disc.iso", .type = 5});
	CHECK_EQ(host_unit(stage, unit.target, unit.lun).type, 5);
	CHECK_EQ(unit.block_size, 2048);
	CHECK_EQ(stage_read(&unit, 0, 1, block), 0);
	CHECK(stage_write(&unit, 0, 1, block) != 0);
	CHECK_EQ(lf_fake_file_count(unit.file, LF_FAKE_WRITE), 0);
	stage_down(&unit);
	stage_close();
}

TEST(row_05_a_disk_may_be_read_only)
{
	uint8_t block[STAGE_BLOCK] = {0};
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, &(struct stage_options){.flags = LF_CONTROL_READ_ONLY});
	CHECK_EQ(stage_read(&unit, 0, 1, block), 0);
	CHECK_EQ(stage_write(&unit, 0, 1, block), 0x072700);
	CHECK_EQ(lf_fake_file_count(unit.file, LF_FAKE_WRITE), 0);
	stage_down(&unit);
	stage_close();
}

TEST(row_06_disconnect_by_path_takes_the_disk_away)
{
	union lf_control_request *request = calloc(1, sizeof(*request));
	struct stage_reply *reply = calloc(1, sizeof(*reply));
	struct stage_unit unit;

	CHECK(request != NULL && reply != NULL);
	stage_open();
	stage_up(&unit, NULL);
	request->header.command = LF_CONTROL_DISCONNECT;
	request->select.timeout_ms = 60000;
	lf_control_set_text(&request->select.id, STAGE_PREFIX "C:\\disk.img");
	lf_control_set_text(&request->select.path, STAGE_PREFIX "C:\\disk.img");
	CHECK_EQ(stage_ask(request, reply), STATUS_SUCCESS);
	CHECK_EQ(reply->status, LF_CONTROL_OK);
	host_wait_unit(stage, unit.target, unit.lun, false);
	CHECK_EQ(stage_count(), 0);
	CHECK_EQ(lf_fake_file_opens(unit.file), 0);
	stage_close();
	free(request);
	free(reply);
}

TEST(row_07_list_names_every_disk)
{
	struct stage_unit units[20];

	stage_open();
	for (uint32_t i = 0; i < lf_count_of(units); i++) {
		char path[32];

		snprintf(path, sizeof(path), "C:\\disk%u.img", i);
		CHECK_EQ(stage_connect(&units[i], &(struct stage_options){.path = path, .target = i % 16}),
			LF_CONTROL_OK);
	}
	CHECK_EQ(stage_count(), lf_count_of(units));
	for (uint32_t i = 0; i < lf_count_of(units); i++)
		host_wait_unit(stage, units[i].target, units[i].lun, true);
	stage_close();
}

/* What is known of a connection: SHOW has it. */
TEST(row_08_the_connection_knows_its_file)
{
	union lf_control_request *request = calloc(1, sizeof(*request));
	struct stage_reply *reply = calloc(1, sizeof(*reply));
	struct stage_unit unit;

	CHECK(request != NULL && reply != NULL);
	stage_open();
	stage_up(&unit, &(struct stage_options){.path = "C:\\dir\\disk.img", .flags = LF_CONTROL_READ_ONLY});
	request->header.command = LF_CONTROL_SHOW;
	lf_control_set_text(&request->select.id, "1");
	CHECK_EQ(stage_ask(request, reply), STATUS_SUCCESS);
	CHECK_EQ(reply->status, LF_CONTROL_OK);
	CHECK_STR(reply->reply.one.device.image.bytes, STAGE_PREFIX "C:\\dir\\disk.img");
	CHECK(reply->reply.one.device.flags & LF_CONTROL_DEVICE_READ_ONLY);
	CHECK_EQ(reply->reply.one.device.bus, 0);
	CHECK_EQ(reply->reply.one.device.block_count, STAGE_MIB / STAGE_BLOCK);
	stage_down(&unit);
	stage_close();
	free(request);
	free(reply);
}

/* The volume may not be taken from under a connection; where it goes all the same, the disk goes too. */
TEST(row_08_the_volume_of_an_image_is_held)
{
	struct lf_fake_volume *volume;
	struct stage_unit unit;

	lf_fake_reset();
	volume = lf_fake_volume_add(&(struct lf_fake_volume_options){.name = "E:"});
	stage_start();
	stage_up(&unit, &(struct stage_options){.path = "E:\\disk.img"});
	CHECK(lf_fake_volume_remove(volume, false) != STATUS_SUCCESS);
	CHECK(host_unit(stage, unit.target, unit.lun).there);
	lf_fake_volume_remove(volume, true);
	host_wait_unit(stage, unit.target, unit.lun, false);
	stage_close();
}

TEST(row_08_an_image_on_a_share)
{
	uint8_t block[STAGE_BLOCK] = {0};
	struct stage_unit unit;
	struct lf_fake_volume *volume;

	lf_fake_reset();
	volume =
		lf_fake_volume_add(&(struct lf_fake_volume_options){.name = "server\\share", .remote = true});
	stage_start();
	stage_up(&unit, &(struct stage_options){.path = "UNC\\server\\share\\disk.img"});
	CHECK_EQ(stage_write(&unit, 0, 1, block), 0);
	lf_fake_volume_status(volume, STATUS_BAD_NETWORK_PATH);
	CHECK(stage_read(&unit, 0, 1, block) != 0);
	lf_fake_volume_status(volume, STATUS_SUCCESS);
	CHECK_EQ(stage_read(&unit, 0, 1, block), 0);
	stage_down(&unit);
	stage_close();
}

/* Missing, then reported missing, then gone when nothing is outstanding. */
TEST(row_09_a_device_counts_what_is_outstanding)
{
	uint8_t block[STAGE_BLOCK] = {0};
	struct stage_unit unit, other;
	struct host_request request;

	stage_open();
	stage_up(&unit, NULL);
	stage_hold_read(&unit, &request, block);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	host_settle(stage);
	CHECK(host_unit(stage, unit.target, unit.lun).gone);
	CHECK_EQ(lf_fake_file_opens(unit.file), 1);
	/* Its address is not given to anybody else meanwhile. */
	stage_up(&other, &(struct stage_options){.path = "C:\\other.img"});
	CHECK(other.lun != unit.lun || other.target != unit.target);
	lf_fake_rules_clear();
	lf_fake_release();
	host_wait(stage, &request);
	host_wait_unit(stage, unit.target, unit.lun, false);
	stage_down(&other);
	stage_close();
}

TEST(row_10_a_command_finds_its_device)
{
	static const uint8_t ready[6];
	struct stage_unit unit, nobody = {.target = 3}, no_lun = {.target = 0, .lun = 9};
	struct host_request request;

	stage_open();
	stage_up(&unit, NULL);
	CHECK_EQ(stage_command(&unit, ready, sizeof(ready), 0, NULL, 0), 0);
	CHECK_EQ(stage_command(&nobody, ready, sizeof(ready), 0, NULL, 0) >> 24, HOST_STATUS_NO_DEVICE);
	CHECK_EQ(stage_command(&no_lun, ready, sizeof(ready), 0, NULL, 0) >> 24, HOST_STATUS_INVALID_LUN);
	nobody.target = 200;
	CHECK_EQ(stage_command(&nobody, ready, sizeof(ready), 0, NULL, 0) >> 24, HOST_STATUS_NO_DEVICE);
	request = stage_request(&unit);
	request.path = 1;
	request.cdb_length = sizeof(ready);
	CHECK_EQ(stage_run(&request) >> 24, HOST_STATUS_NO_DEVICE);
	stage_down(&unit);
	stage_close();
}

TEST(row_11_inquiry_of_a_disk_and_of_a_cdrom)
{
	uint8_t data[36] = {0};
	struct stage_unit disk, cdrom;

	stage_open();
	stage_up(&disk, NULL);
	stage_up(&cdrom, &(struct stage_options){.path = "C:\\disc.iso", .type = 5});
	CHECK_EQ(inquiry(&disk, data, sizeof(data)), 0);
	CHECK_EQ(data[0], 0);
	CHECK_EQ(data[1] & 0x80, 0);
	CHECK(memcmp(data + 8, "LUNGFISHVIRTUAL DISK    ", 24) == 0);
	CHECK(data[7] & 2); /* CmdQue */
	CHECK_EQ(inquiry(&cdrom, data, sizeof(data)), 0);
	CHECK_EQ(data[0], 5);
	CHECK_EQ(data[1] & 0x80, 0x80);
	stage_close();
}

TEST(row_12_mode_sense_says_what_may_be_written)
{
	static const uint8_t cdb[6] = {0x1a, 0, 0x3f, 0, 252}, capabilities[6] = {0x1a, 0, 0x2a, 0, 252};
	uint8_t data[252] = {0};
	struct stage_unit disk, locked, cdrom;

	stage_open();
	stage_up(&disk, NULL);
	stage_up(&locked, &(struct stage_options){.path = "C:\\locked.img", .flags = LF_CONTROL_READ_ONLY});
	stage_up(&cdrom, &(struct stage_options){.path = "C:\\disc.iso", .type = 5});
	CHECK_EQ(stage_command(&disk, cdb, 6, HOST_FLAGS_DATA_IN, data, sizeof(data)), 0);
	CHECK_EQ(data[2] & 0x80, 0);
	CHECK_EQ(data[3], 8); /* a block descriptor */
	CHECK_EQ(lf_get_be24(data + 9), STAGE_BLOCK);
	CHECK_EQ(stage_command(&locked, cdb, 6, HOST_FLAGS_DATA_IN, data, sizeof(data)), 0);
	CHECK_EQ(data[2] & 0x80, 0x80);
	CHECK_EQ(stage_command(&cdrom, capabilities, 6, HOST_FLAGS_DATA_IN, data, sizeof(data)), 0);
	CHECK_EQ(data[4 + data[3]] & 0x3f, 0x2a);
	stage_close();
}

TEST(row_13_read_capacity)
{
	static const uint8_t cdb[10] = {0x25};
	uint8_t data[8] = {0};
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	CHECK_EQ(stage_command(&unit, cdb, sizeof(cdb), HOST_FLAGS_DATA_IN, data, sizeof(data)), 0);
	CHECK_EQ(lf_get_be32(data), STAGE_MIB / STAGE_BLOCK - 1);
	CHECK_EQ(lf_get_be32(data + 4), STAGE_BLOCK);
	stage_down(&unit);
	stage_close();
}

TEST(row_14_read_10_and_write_10)
{
	uint8_t blocks[4 * STAGE_BLOCK], read[sizeof(blocks)], file[sizeof(blocks)];
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < 4; i++)
		stage_fill(blocks + i * STAGE_BLOCK, 100 + i, 5);
	CHECK_EQ(stage_write(&unit, 100, 4, blocks), 0);
	CHECK_EQ(stage_read(&unit, 100, 4, read), 0);
	CHECK(memcmp(blocks, read, sizeof(blocks)) == 0);
	lf_fake_file_read(unit.file, 100 * STAGE_BLOCK, file, sizeof(file));
	CHECK(memcmp(blocks, file, sizeof(blocks)) == 0);
	stage_down(&unit);
	stage_close();
}

TEST(row_15_more_than_two_tebibytes)
{
	uint8_t block[STAGE_BLOCK], read[STAGE_BLOCK];
	struct stage_unit unit;
	uint64_t last;

	lf_fake_reset();
	lf_fake_file_add("C:\\big.img", (uint64_t)10 << 40, FILE_ATTRIBUTE_SPARSE_FILE);
	stage_start();
	stage_up(&unit, &(struct stage_options){.path = "C:\\big.img"});
	CHECK_EQ(unit.block_count, ((uint64_t)10 << 40) / STAGE_BLOCK);
	CHECK_EQ(capacity(&unit), unit.block_count);
	last = unit.block_count - 1;
	stage_fill(block, last, 9);
	CHECK_EQ(stage_write(&unit, last, 1, block), 0);
	CHECK_EQ(stage_read(&unit, last, 1, read), 0);
	CHECK(memcmp(block, read, sizeof(block)) == 0);
	CHECK_EQ(stage_read(&unit, last + 1, 1, read), 0x052100);
	lf_fake_file_read(unit.file, last * STAGE_BLOCK, read, sizeof(read));
	CHECK(memcmp(block, read, sizeof(block)) == 0);
	stage_down(&unit);
	stage_close();
}

/* HwStartIo at DISPATCH_LEVEL; the file system is called at PASSIVE_LEVEL, by a thread of the connection. */
static NTSTATUS look_at_caller(void *context, enum lf_fake_op op, uint64_t offset, uint64_t length)
{
	PETHREAD *caller = context;

	(void)op;
	(void)offset;
	(void)length;
	if (lf_fake_irql() != PASSIVE_LEVEL)
		lf_fake_broken("the file system was called at IRQL %u", lf_fake_irql());
	*caller = lf_fake_current_thread();
	return STATUS_MORE_PROCESSING_REQUIRED;
}

TEST(row_16_files_are_read_by_threads_of_their_own)
{
	uint8_t block[STAGE_BLOCK] = {0};
	struct stage_unit unit;
	PETHREAD caller = NULL;

	stage_open();
	stage_up(&unit, NULL);
	lf_fake_rule_add(&(struct lf_fake_rule){.file = unit.file,
		.ops = 1 << LF_FAKE_READ,
		.what = LF_FAKE_CALL,
		.call = look_at_caller,
		.context = &caller});
	CHECK_EQ(stage_read(&unit, 0, 1, block), 0);
	CHECK(caller != NULL && caller != lf_fake_current_thread());
	lf_fake_rules_clear();
	stage_down(&unit);
	stage_close();
}

TEST(row_17_an_image_is_opened_as_the_one_who_asks)
{
	struct stage_unit unit;
	struct lf_fake_file *file;

	stage_open();
	file = lf_fake_file_add("C:\\private.img", STAGE_MIB, FILE_ATTRIBUTE_NORMAL);
	lf_fake_file_admin_rights(file, FILE_GENERIC_READ);
	lf_fake_process_of(LF_FAKE_ADMIN);
	CHECK_EQ(stage_connect(&unit, &(struct stage_options){.path = "C:\\private.img"}),
		LF_CONTROL_PERMISSION);
	CHECK_EQ(stage_connect(&unit,
			 &(struct stage_options){.path = "C:\\private.img", .flags = LF_CONTROL_READ_ONLY}),
		LF_CONTROL_OK);
	lf_fake_process_of(LF_FAKE_SYSTEM);
	host_wait_unit(stage, unit.target, unit.lun, true);
	stage_down(&unit);
	stage_close();
}

/* No page of a READ or WRITE is ever mapped: the file system gets the SRB's own MDL, in part. */
TEST(row_18_the_file_system_gets_the_mdl_of_the_srb)
{
	uint8_t *data = calloc(1, STAGE_MIB);
	struct stage_unit unit;
	uint64_t mapped;

	CHECK(data != NULL);
	stage_open();
	stage_up(&unit, NULL);
	mapped = lf_fake_calls(LF_FAKE_MAP);
	CHECK_EQ(stage_write(&unit, 0, STAGE_MIB / STAGE_BLOCK, data), 0);
	CHECK_EQ(stage_read(&unit, 0, STAGE_MIB / STAGE_BLOCK, data), 0);
	CHECK(lf_fake_calls(LF_FAKE_MAP) <= mapped + 2); /* the file system's own */
	stage_down(&unit);
	stage_close();
	free(data);
}

TEST(row_19_the_last_use_closes_the_file)
{
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	CHECK_EQ(lf_fake_file_opens(unit.file), 1);
	stage_down(&unit);
	CHECK_EQ(stage_count(), 0);
	CHECK_EQ(lf_fake_file_opens(unit.file), 0);
	stage_close();
}

/* One header says the control code, the bytes and the interface to both sides. */
TEST(row_22_programs_find_the_adapter_by_its_interface)
{
	static const GUID guid = LF_INTERFACE_GUID;
	uint32_t enabled = 0;

	stage_open();
	CHECK_EQ(lf_fake_interfaces(&guid, &enabled), 1);
	CHECK_EQ(enabled, 1);
	CHECK_EQ(LF_IOCTL_SERVICE, CTL_CODE(FILE_DEVICE_CONTROLLER, 0x040e, METHOD_BUFFERED,
					   FILE_READ_ACCESS | FILE_WRITE_ACCESS));
	host_stop(stage);
	CHECK(lf_fake_interfaces(&guid, &enabled) == 0 || enabled == 0);
	stage = NULL;
	host_unload();
	CHECK_EQ(lf_fake_leaks(), 0);
}

TEST(row_23_events_go_to_the_debugger)
{
	static const ULONG level = 4; /* information */
	struct stage_unit unit;

	lf_fake_reset();
	lf_fake_registry_set(SERVICE_KEY "\\Parameters", "TraceLevel", REG_DWORD, &level, sizeof(level));
	stage_start();
	stage_up(&unit, NULL);
	CHECK(lf_fake_has_printed("storport_pnp_arrived"));
	stage_down(&unit);
	stage_close();
}

/* From its start to its end, each request with it: what begins ends, and no provider is left. */
TEST(row_23_events_go_to_a_session_of_etw)
{
	uint8_t block[STAGE_BLOCK];
	struct stage_unit unit;

	lf_fake_reset();
	lf_fake_etw_enable(LF_TRACE_VERBOSE, 0, 0);
	stage_start();
	CHECK_EQ(lf_fake_etw_count(LF_TRACE_ID_storport_started), 1);
	stage_up(&unit, NULL);
	CHECK_EQ(lf_fake_etw_count(LF_TRACE_ID_storport_pnp_arrived), 1);
	uint64_t before = lf_fake_etw_count(LF_TRACE_ID_command_begin);
	for (uint32_t i = 0; i < 10; i++)
		CHECK_EQ(stage_read(&unit, i, 1, block), 0);
	CHECK_EQ(lf_fake_etw_count(LF_TRACE_ID_command_begin), before + 10);
	stage_down(&unit);
	host_stop(stage);
	stage = NULL;
	host_unload();
	CHECK_EQ(lf_fake_etw_count(LF_TRACE_ID_command_begin), lf_fake_etw_count(LF_TRACE_ID_command_done));
	CHECK_EQ(lf_fake_etw_count(LF_TRACE_ID_storport_srb),
		lf_fake_etw_count(LF_TRACE_ID_storport_srb_done));
	CHECK_EQ(lf_fake_etw_count(LF_TRACE_ID_storport_stopped), 1);
	CHECK_EQ(lf_fake_etw_unwanted(), 0);
	CHECK_EQ(lf_fake_leaks(), 0);
	lf_fake_reset();
}
