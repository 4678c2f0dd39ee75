/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sleep.c: the machine goes to sleep and wakes: what was written is stable before, units are there
 * after.
 */
#include "tests/storport/native/host_parts.h"
#include "tests/storport/native/stage.h"

#include <pthread.h>
#include <string.h>

#define CLOCK_RATE 10 /* ten seconds of the driver's clock are one of ours */

static const uint8_t block[STAGE_BLOCK] = {1};

static NTSTATUS is_slow(void *context, enum lf_fake_op op, uint64_t offset, uint64_t length)
{
	(void)context;
	(void)op;
	(void)offset;
	(void)length;
	for (int i = 0; i < 50; i++)
		stage_pause();
	return STATUS_MORE_PROCESSING_REQUIRED;
}

static void rule_for_flush(const struct stage_unit *unit, enum lf_fake_what what)
{
	lf_fake_rule_add(&(struct lf_fake_rule){
		.file = unit->file, .ops = 1 << LF_FAKE_FLUSH, .what = what, .call = is_slow});
}

static void check_kept(const struct stage_unit *unit, uint8_t fill)
{
	uint8_t read[STAGE_BLOCK] = {0};

	lf_fake_file_lose(unit->file);
	lf_fake_file_read(unit->file, 0, read, sizeof(read));
	CHECK_EQ(read[0], fill);
}

static void write_filled(const struct stage_unit *unit, uint8_t fill)
{
	uint8_t block_of[STAGE_BLOCK];

	memset(block_of, fill, sizeof(block_of));
	CHECK_EQ(stage_write(unit, 0, 1, block_of), 0);
}

/* When all have returned that listen to it, the system goes on to take the power from the disk below. */
TEST(the_machine_sleeps_once_all_is_stable)
{
	struct stage_unit unit;
	uint64_t before;

	stage_open();
	stage_up(&unit, NULL);
	lf_fake_file_volatile(unit.file);
	before = lf_fake_file_count(unit.file, LF_FAKE_FLUSH);
	for (uint8_t round = 1; round <= 3; round++) {
		write_filled(&unit, round);
		rule_for_flush(&unit, LF_FAKE_CALL);
		lf_fake_power(PO_CB_SYSTEM_STATE_LOCK, 0);
		check_kept(&unit, round);
		CHECK_EQ(lf_fake_file_count(unit.file, LF_FAKE_FLUSH), before + round);
		lf_fake_rules_clear();
		lf_fake_power(PO_CB_SYSTEM_STATE_LOCK, 1);
	}
	stage_close();
}

/* Whoever sleeps as soon as he has heard that he may finds nothing left of the last time. */
TEST(the_machine_may_sleep_again_at_once)
{
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	lf_fake_file_volatile(unit.file);
	for (uint32_t round = 0; round < 500; round++) {
		write_filled(&unit, (uint8_t)round);
		lf_fake_power(PO_CB_SYSTEM_STATE_LOCK, 0);
		check_kept(&unit, (uint8_t)round);
	}
	stage_close();
}

static void sleep_at_dispatch_level(void)
{
	KIRQL old = lf_fake_irql_raise(DISPATCH_LEVEL);

	lf_fake_power(PO_CB_SYSTEM_STATE_LOCK, 0);
	lf_fake_irql_lower(old);
}

static void *release_later(void *context)
{
	(void)context;
	for (int i = 0; i < 50; i++)
		stage_pause();
	lf_fake_rules_clear();
	lf_fake_release();
	return NULL;
}

/* The flush that runs began before the second write: it says nothing of that one. */
TEST(a_sleep_that_overtakes_another_has_a_flush_of_its_own)
{
	struct stage_unit unit;
	pthread_t releaser;
	uint64_t before;

	stage_open();
	stage_up(&unit, NULL);
	CHECK_EQ(stage_write(&unit, 0, 1, block), 0);
	before = lf_fake_file_count(unit.file, LF_FAKE_FLUSH);
	rule_for_flush(&unit, LF_FAKE_BLOCK);
	sleep_at_dispatch_level();
	while (lf_fake_held() == 0)
		stage_pause();
	CHECK_EQ(stage_write(&unit, 1, 1, block), 0);
	CHECK_EQ(pthread_create(&releaser, NULL, release_later, NULL), 0);
	lf_fake_power(PO_CB_SYSTEM_STATE_LOCK, 0);
	CHECK_EQ(lf_fake_file_count(unit.file, LF_FAKE_FLUSH), before + 2);
	pthread_join(releaser, NULL);
	stage_close();
}

/* Where nobody may wait, what was written is made stable all the same, only later. */
TEST(nobody_waits_for_sleep_at_dispatch_level)
{
	struct stage_unit unit;
	uint64_t before;

	stage_open();
	stage_up(&unit, NULL);
	CHECK_EQ(stage_write(&unit, 0, 1, block), 0);
	before = lf_fake_file_count(unit.file, LF_FAKE_FLUSH);
	sleep_at_dispatch_level();
	for (int i = 0; i < 60000 && lf_fake_file_count(unit.file, LF_FAKE_FLUSH) == before; i++)
		stage_pause();
	CHECK_EQ(lf_fake_file_count(unit.file, LF_FAKE_FLUSH), before + 1);
	stage_close();
}

TEST(a_dead_share_does_not_keep_the_machine_awake)
{
	struct stage_unit unit;

	stage_open();
	lf_fake_clock_rate(CLOCK_RATE);
	stage_up(&unit, NULL);
	CHECK_EQ(stage_write(&unit, 0, 1, block), 0);
	rule_for_flush(&unit, LF_FAKE_BLOCK);
	lf_fake_power(PO_CB_SYSTEM_STATE_LOCK, 0);
	stage_wait_held(1);
	lf_fake_rules_clear();
	lf_fake_release();
	lf_fake_power(PO_CB_SYSTEM_STATE_LOCK, 1);
	stage_close();
}

/* Down and up, in the order and at the levels that Storport has: nothing is lost, and nothing is begun anew.
 */
TEST(units_are_there_after_waking)
{
	struct host_address_btl8 address;
	struct stage_unit unit;
	uint8_t read[STAGE_BLOCK];

	stage_open();
	stage_up(&unit, NULL);
	address = host_address(unit.target, unit.lun);
	CHECK_EQ(stage_write(&unit, 0, 1, block), 0);
	for (int i = 0; i < 3; i++) {
		struct host_unit_power power = {.Address = (struct host_address *)(void *)&address,
			.PowerAction = HOST_POWER_SLEEP,
			.PowerState = HOST_POWER_D3};

		lf_fake_power(PO_CB_SYSTEM_STATE_LOCK, 0);
		CHECK_EQ(host_unit_control(stage, HOST_UNIT_POWER, &power), HOST_CONTROL_SUCCESS);
		CHECK_EQ(host_adapter_control(stage, HOST_ADAPTER_POWER, NULL), HOST_CONTROL_SUCCESS);
		CHECK_EQ(host_adapter_control(stage, HOST_ADAPTER_STOP, NULL), HOST_CONTROL_SUCCESS);
		CHECK_EQ(host_adapter_control(stage, HOST_ADAPTER_RESTART, NULL), HOST_CONTROL_SUCCESS);
		lf_fake_power(PO_CB_SYSTEM_STATE_LOCK, 1);
		CHECK_EQ(stage_read(&unit, 0, 1, read), 0);
		CHECK_EQ(read[0], block[0]);
		CHECK_EQ(stage_count(), 1);
	}
	stage_down(&unit);
	stage_close();
}
