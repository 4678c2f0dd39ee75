/* SPDX-License-Identifier: BSD-2-Clause */
/* test_excess.c: corners of the edge: what is asked for twice, too much, or at a level too high for it.
 */
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
