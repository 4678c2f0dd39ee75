/* SPDX-License-Identifier: BSD-2-Clause */
/* test_excess.c: corners of the edge: what is asked for twice, too much, or at a level too high for it.
 */
#include <pthread.h>
#include <stdlib.h>

#include "control/interface_nt.h"
#include "tests/storport/native/host_parts.h"
#include "tests/storport/native/stage.h"

#define SERVICE_KEY "\\Registry\\Machine\\System\\CurrentControlSet\\Services\\lungfish"

static void cdb_of_17(void *srb, void *context)
{
	(void)context;
	((struct host_srb *)srb)->CdbLength = 17;
}

/* An old SRB has room for 16: nothing behind it is read. */
TEST(a_cdb_that_an_old_srb_has_no_room_for_is_invalid)
{
	uint8_t data[36];
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	struct host_request request = stage_request(&unit);
	request.form = HOST_FORM_OLD;
	request.cdb[0] = 0x12;
	request.cdb[4] = sizeof(data);
	request.cdb_length = 6;
	request.flags = HOST_FLAGS_DATA_IN;
	request.data = data;
	request.length = sizeof(data);
	request.spoil = cdb_of_17;
	stage_run(&request);
	CHECK_EQ(request.srb_status, HOST_STATUS_INVALID_REQUEST);
	stage_down(&unit);
	stage_close();
}

/* Storport's names for units are unique on one adapter: two adapters with UniqueID would stop the machine. */
TEST(no_unit_says_that_its_name_is_unique_in_the_machine)
{
	static const enum host_form forms[] = {HOST_FORM_EXTENDED, HOST_FORM_OLD};
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(forms); i++) {
		struct host_capabilities capabilities;

		CHECK_EQ(stage_capabilities(&unit, forms[i], &capabilities), HOST_STATUS_SUCCESS);
		CHECK_EQ(capabilities.Bits & HOST_CAPABLE_UNIQUE_ID, 0);
	}
	stage_down(&unit);
	stage_close();
}

/* Stopped and started again without HwFreeAdapterResources: the units are still there, and nothing is lost.
 */
TEST(an_adapter_that_is_found_again_keeps_its_units)
{
	uint8_t block[STAGE_BLOCK] = {1};
	struct stage_unit unit;
	struct host_config config;

	stage_open();
	stage_up(&unit, NULL);
	config = *host_config(stage);
	CHECK_EQ(host_registration()->HwFindAdapter(
			 stage->extension, stage->pdo, stage->fdo, NULL, NULL, &config, NULL),
		HOST_FIND_FOUND);
	CHECK_EQ(stage_write(&unit, 0, 1, block), 0);
	CHECK_EQ(stage_count(), 1);
	stage_down(&unit);
	stage_close();
}

/* The restart of an adapter may come at the level of an interrupt, HwInitialize, too. */
TEST(events_above_dispatch_level_are_printed)
{
	const ULONG level = 5;
	KIRQL old;

	lf_fake_reset();
	lf_fake_registry_set(SERVICE_KEY "\\Parameters", "TraceLevel", REG_DWORD, &level, sizeof(level));
	stage_start();
	old = lf_fake_irql_raise(LF_FAKE_DIRQL);
	host_registration()->HwAdapterControl(stage->extension, HOST_ADAPTER_RESTART, NULL);
	lf_fake_irql_lower(old);
	stage_close();
}

/* ---- The last one out ---- */

static void *submit(void *context)
{
	host_submit(stage, context);
	return NULL;
}

/* With its last SRB completed the adapter may go, while the one who completed it is on his way back. */
TEST(an_adapter_goes_when_the_last_thread_has_left_it)
{
	static const struct stage_unit nobody = {.target = 7};
	struct host_request request;
	struct stage_unit unit;
	pthread_t thread;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < 2; i++) {
		request = stage_request(i == 0 ? &unit : &nobody);
		request.cdb_length = 6; /* TEST UNIT READY */
		host_linger(&request);
		CHECK_EQ(pthread_create(&thread, NULL, submit, &request), 0);
		while (!host_has_ended(stage, &request))
			stage_pause();
		stage_restart();
		pthread_join(thread, NULL);
	}
	stage_close();
}

/* ---- What an SRB may say ---- */

static struct host_request with_data(const struct stage_unit *unit, ULONG flags, void *data, ULONG length)
{
	struct host_request request = stage_request(unit);

	request.flags = flags;
	request.data = data;
	request.length = length;
	return request;
}

/* More than a CDB can have here: nothing of it is kept. */
TEST(a_cdb_of_variable_length_is_read_as_far_as_there_is_room_for_it)
{
	static const USHORT lengths[] = {6, 16, 32, 33, 64, 260};
	struct stage_unit unit;
	uint8_t data[36];

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(lengths); i++) {
		struct host_request request = with_data(&unit, HOST_FLAGS_DATA_IN, data, sizeof(data));

		request.cdb[0] = 0x12;
		request.cdb[4] = sizeof(data);
		request.cdb_var_length = lengths[i];
		stage_run(&request);
		CHECK_EQ(request.srb_status == HOST_STATUS_INVALID_REQUEST, lengths[i] > 32);
	}
	stage_down(&unit);
	stage_close();
}

static void no_address(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->AddressOffset = 0;
}

static void no_extension(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->MiniportContext = NULL;
}

static void no_signature(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->Signature = 0;
}

/* Of functions without a command, too: such an SRB says nothing that could be acted upon. */
TEST(an_srb_that_says_not_where_it_goes_is_invalid)
{
	static const UCHAR functions[] = {HOST_SRB_EXECUTE_SCSI, HOST_SRB_FLUSH, HOST_SRB_RESET_LOGICAL_UNIT,
		HOST_SRB_RESET_DEVICE, HOST_SRB_RESET_BUS};
	static void (*const spoilers[])(void *, void *) = {no_address, no_extension, no_signature};
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(functions) * lf_count_of(spoilers); i++) {
		struct host_request request = stage_request(&unit);

		request.function = functions[i / lf_count_of(spoilers)];
		request.cdb_length = 6;
		request.spoil = spoilers[i % lf_count_of(spoilers)];
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_INVALID_REQUEST);
	}
	stage_down(&unit);
	stage_close();
}

TEST(plug_and_play_that_is_no_srb_is_invalid)
{
	struct host_request request;
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	request = stage_request(&unit);
	request.function = HOST_SRB_PNP;
	request.action = HOST_PNP_START;
	request.spoil = no_signature;
	stage_run(&request);
	CHECK_EQ(request.srb_status, HOST_STATUS_INVALID_REQUEST);
	stage_down(&unit);
	stage_close();
}

TEST(addresses_past_the_table_are_nobodys)
{
	static const ULONG controls[] = {HOST_UNIT_START, HOST_UNIT_SURPRISE_REMOVAL, HOST_UNIT_REMOVE};
	static const UCHAR functions[] = {
		HOST_SRB_EXECUTE_SCSI, HOST_SRB_FLUSH, HOST_SRB_RESET_LOGICAL_UNIT, HOST_SRB_RESET_DEVICE};
	const struct stage_unit last = {.target = 15, .lun = 255}, past = {.target = 255, .lun = 255};
	struct host_address_btl8 address;

	stage_open();
	for (uint32_t i = 0; i < lf_count_of(controls); i++) {
		address = host_address(last.target, last.lun);
		host_unit_control(stage, controls[i], &address);
		address = host_address(past.target, past.lun);
		host_unit_control(stage, controls[i], &address);
	}
	for (uint32_t i = 0; i < lf_count_of(functions); i++) {
		struct host_request request = stage_request(&past);

		request.function = functions[i];
		request.cdb_length = 6;
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_NO_DEVICE);
		request = stage_request(&last);
		request.function = functions[i];
		request.cdb_length = 6;
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_NO_DEVICE);
	}
	stage_close();
}

/* ---- Its data ---- */

static void data_moved_by(void *srb, void *context)
{
	struct host_srbex *all = srb;

	all->DataBuffer = (char *)all->DataBuffer + *(const int32_t *)context;
}

/* The MDL begins 512 bytes before the data, and ends 512 behind them: who says otherwise gets nothing. */
TEST(data_that_its_mdl_does_not_cover_are_not_moved)
{
	static const int32_t outside[] = {-513, 513, 4 * 512 + 1, -4096, 1 << 20};
	uint8_t block[STAGE_BLOCK] = {1}, read[STAGE_BLOCK];
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < 2 * lf_count_of(outside); i++) {
		struct host_request request = with_data(&unit, 0, block, sizeof(block));

		stage_cdb_rw(&request, i % 2 == 0, 0, 1);
		request.spoil = data_moved_by;
		request.context = (void *)(uintptr_t)&outside[i / 2];
		host_fail_mappings(1);
		stage_run(&request);
		host_fail_mappings(0);
		CHECK_EQ(request.srb_status, HOST_STATUS_BUSY);
	}
	CHECK_EQ(lf_fake_file_count(unit.file, LF_FAKE_WRITE), 0);
	CHECK_EQ(stage_read(&unit, 0, 1, read), 0);
	CHECK_EQ(read[0], 0);
	stage_down(&unit);
	stage_close();
}

TEST(a_write_whose_data_are_said_to_come_in_writes_nothing)
{
	uint8_t block[STAGE_BLOCK] = {1};
	struct host_request request;
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	request = with_data(&unit, 0, block, sizeof(block));
	stage_cdb_rw(&request, true, 0, 1);
	request.flags = HOST_FLAGS_DATA_IN;
	stage_run(&request);
	CHECK_EQ(request.moved, 0);
	CHECK_EQ(lf_fake_file_count(unit.file, LF_FAKE_WRITE), 0);
	stage_down(&unit);
	stage_close();
}

/* REQUEST SENSE takes what the unit has to tell; one that could not be answered has taken nothing. */
TEST(who_cannot_be_mapped_has_heard_of_nothing)
{
	static const uint8_t ready[6];
	struct host_request request;
	struct stage_unit unit;
	uint8_t data[252];

	stage_open();
	CHECK_EQ(stage_connect(&unit, &(struct stage_options){0}), LF_CONTROL_OK);
	host_wait_unit(stage, unit.target, unit.lun, true);
	request = with_data(&unit, HOST_FLAGS_DATA_IN, data, sizeof(data));
	request.cdb[0] = 0x03;
	request.cdb[4] = sizeof(data);
	request.cdb_length = 6;
	host_fail_mappings(1);
	stage_run(&request);
	CHECK_EQ(request.srb_status, HOST_STATUS_BUSY);
	CHECK_EQ(stage_command(&unit, ready, sizeof(ready), 0, NULL, 0) >> 16, 6);
	stage_listen(&unit);
	stage_down(&unit);
	stage_close();
}

#define MORE_THAN_THE_ADAPTER_TAKES 8192

/* What is more than the adapter has room for is told as a full task set, at which Storport sends less. */
TEST(more_commands_than_the_adapter_has_room_for_find_a_full_task_set)
{
	struct host_request *requests = calloc(MORE_THAN_THE_ADAPTER_TAKES, sizeof(*requests)), *more = NULL;
	uint8_t *blocks = calloc(MORE_THAN_THE_ADAPTER_TAKES, STAGE_BLOCK);
	struct stage_unit unit;
	uint32_t count;

	CHECK(requests != NULL && blocks != NULL);
	stage_open();
	stage_up(&unit, NULL);
	lf_fake_rule_add(
		&(struct lf_fake_rule){.file = unit.file, .ops = 1 << LF_FAKE_READ, .what = LF_FAKE_BLOCK});
	for (count = 0; count < MORE_THAN_THE_ADAPTER_TAKES && more == NULL; count++) {
		struct host_request *request = &requests[count];

		*request = with_data(&unit, 0, blocks + count * STAGE_BLOCK, STAGE_BLOCK);
		stage_cdb_rw(request, false, count % 1024, 1);
		host_submit(stage, request);
		more = host_has_ended(stage, request) ? request : NULL;
	}
	CHECK(more != NULL && count > host_config(stage)->MaxNumberOfIO);
	CHECK_EQ(more->srb_status, HOST_STATUS_BUSY);
	CHECK_EQ(more->scsi_status, 0x28);
	lf_fake_rules_clear();
	lf_fake_release();
	host_drain(stage);
	CHECK_EQ(stage_run(more), 0);
	stage_down(&unit);
	stage_close();
	free(requests);
	free(blocks);
}

/* ---- The interface ---- */

/* Storport need not grant a passive initialization: then the first SRB has the interface shown. */
TEST(the_first_srb_has_the_interface_shown)
{
	static const GUID guid = LF_INTERFACE_GUID;
	static const uint8_t ready[6];
	const struct stage_unit nobody = {.target = 3};
	uint32_t enabled = 0;

	lf_fake_reset();
	host_grant_passive(false);
	stage_start();
	host_grant_passive(true);
	CHECK(stage_command(&nobody, ready, sizeof(ready), 0, NULL, 0) != 0);
	for (int i = 0; i < 60000 && enabled == 0; i++) {
		lf_fake_interfaces(&guid, &enabled);
		stage_pause();
	}
	CHECK_EQ(enabled, 1);
	stage_close();
}

/* ---- What Storport is told ---- */

TEST(the_configuration_says_what_the_adapter_can)
{
	const struct host_config *config;

	stage_open();
	config = host_config(stage);
	CHECK(config->CachesData); /* else FLUSH and SHUTDOWN never come */
	CHECK(config->ResetTargetSupported);
	CHECK_EQ(config->AlignmentMask, 3);
	CHECK_EQ(config->NumberOfPhysicalBreaks, STAGE_MIB / PAGE_SIZE + 1);
	CHECK_EQ(config->MaxNumberOfIO, 4096); /* more than 1000 for Dma64BitAddresses alone */
	CHECK_EQ(config->InitialLunQueueDepth, config->MaxIOsPerLun);
	stage_close();
}

TEST(targets_by_the_registry_have_their_limits)
{
	static const struct {
		ULONG wanted, given;
	} counts[] = {{0, 1}, {1, 1}, {255, 255}, {256, 255}, {0xffffffff, 255}};

	for (uint32_t i = 0; i < lf_count_of(counts); i++) {
		lf_fake_reset();
		lf_fake_registry_set(SERVICE_KEY "\\Parameters", "MaximumTargets", REG_DWORD,
			&counts[i].wanted, sizeof(counts[i].wanted));
		stage_start();
		CHECK_EQ(host_config(stage)->MaximumNumberOfTargets, counts[i].given);
		stage_close();
	}
}

/* One of before Windows 8 has no room for what is said behind its end. */
TEST(a_configuration_that_is_too_short_is_refused)
{
	struct host_config config;

	stage_open();
	config = *host_config(stage);
	config.Length = offsetof(struct host_config, Dma64BitAddresses);
	CHECK_EQ(host_registration()->HwFindAdapter(
			 stage->extension, stage->pdo, stage->fdo, NULL, NULL, &config, NULL),
		HOST_FIND_BAD_CONFIG);
	stage_close();
}

TEST(controls_that_nobody_knows_fail)
{
	struct host_address_btl8 address = host_address(0, 0);

	stage_open();
	CHECK_EQ(host_adapter_control(stage, 0x7f, NULL), HOST_CONTROL_UNSUCCESSFUL);
	CHECK_EQ(host_unit_control(stage, 0x7f, &address), HOST_CONTROL_UNSUCCESSFUL);
	stage_close();
}

/* Without these Storport would never say that a unit is let go of. */
TEST(the_controls_of_units_are_supported)
{
	static const ULONG wanted[] = {HOST_UNIT_QUERY_SUPPORTED, HOST_UNIT_USAGE, HOST_UNIT_START,
		HOST_UNIT_REMOVE, HOST_UNIT_SURPRISE_REMOVAL};
	struct {
		struct host_control_list list;
		BOOLEAN more[HOST_UNIT_CONTROLS];
	} room = {.list.MaxControlType = HOST_UNIT_CONTROLS};

	stage_open();
	CHECK_EQ(host_unit_control(stage, HOST_UNIT_QUERY_SUPPORTED, &room.list), HOST_CONTROL_SUCCESS);
	for (uint32_t i = 0; i < lf_count_of(wanted); i++)
		CHECK(((const BOOLEAN *)room.list.SupportedTypeList)[wanted[i]]);
	stage_close();
}
