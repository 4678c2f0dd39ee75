/* SPDX-License-Identifier: BSD-2-Clause */
/* test_departure.c: units go: missing, reported missing, let go of, and only then is their address free. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/storport/native/stage.h"

static bool answers(const struct stage_unit *unit)
{
	static const uint8_t ready[6];

	return stage_command(unit, ready, sizeof(ready), 0, NULL, 0) == 0;
}

/* At the address of one that went, which is free once the last of it has ended: Storport does not see that.
 */
static void up_in_its_place(struct stage_unit *again, const struct stage_unit *gone)
{
	while (stage_connect(again, &(struct stage_options){.path = "C:\\again.img",
					    .lun_and_one = gone->lun + 1u}) == LF_CONTROL_BUSY)
		host_settle(stage);
	host_wait_unit(stage, again->target, again->lun, true);
	stage_listen(again);
	CHECK_EQ(again->lun, gone->lun);
}

TEST(an_address_is_free_when_storport_has_let_go)
{
	struct stage_unit unit, other, again;

	stage_open();
	stage_up(&unit, NULL);
	host_hold_unit(stage, unit.target, unit.lun, true);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	host_settle(stage);
	/* Reported missing; somebody has it open. */
	CHECK(host_unit(stage, unit.target, unit.lun).gone);
	CHECK(!answers(&unit));
	stage_up(&other, &(struct stage_options){.path = "C:\\other.img"});
	CHECK(other.lun != unit.lun);
	CHECK(stage_connect(&again, &(struct stage_options){.path = "C:\\again.img",
					    .lun_and_one = unit.lun + 1u}) != LF_CONTROL_OK);
	host_hold_unit(stage, unit.target, unit.lun, false);
	host_wait_unit(stage, unit.target, unit.lun, false);
	up_in_its_place(&again, &unit);
	CHECK(answers(&again));
	stage_close();
}

/* Whatever Storport says: while an SRB is out, whoever comes next does not get its address. */
TEST(an_address_is_taken_while_an_srb_is_outstanding)
{
	struct host_address_btl8 address;
	struct stage_unit unit, again;
	struct host_request read;
	uint8_t block[STAGE_BLOCK];

	stage_open();
	stage_up(&unit, NULL);
	stage_hold_read(&unit, &read, block);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	host_settle(stage);
	address = host_address(unit.target, unit.lun);
	host_unit_control(stage, HOST_UNIT_REMOVE, &address);
	CHECK(stage_connect(&again, &(struct stage_options){.path = "C:\\again.img",
					    .lun_and_one = unit.lun + 1u}) != LF_CONTROL_OK);
	lf_fake_rules_clear();
	lf_fake_release();
	host_wait(stage, &read);
	host_wait_unit(stage, unit.target, unit.lun, false);
	up_in_its_place(&again, &unit);
	stage_close();
}

TEST(missing_is_not_yet_reported)
{
	struct stage_unit unit, other;

	stage_open();
	stage_up(&unit, NULL);
	host_hold_scans(stage, true);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	CHECK_EQ(lf_fake_file_opens(unit.file) <= 1, true);
	CHECK_EQ(stage_connect(&other, &(struct stage_options){.path = "C:\\other.img"}), LF_CONTROL_OK);
	CHECK(other.lun != unit.lun);
	host_hold_scans(stage, false);
	host_wait_unit(stage, unit.target, unit.lun, false);
	host_wait_unit(stage, other.target, other.lun, true);
	stage_close();
}

TEST(who_was_never_seen_goes_without_a_farewell)
{
	struct stage_unit unit, again;

	stage_open();
	host_hold_scans(stage, true);
	CHECK_EQ(stage_connect(&unit, &(struct stage_options){0}), LF_CONTROL_OK);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	host_hold_scans(stage, false);
	host_settle(stage);
	for (int i = 0; i < 10000 && stage_count() > 0; i++)
		stage_pause();
	CHECK_EQ(stage_count(), 0);
	CHECK_EQ(lf_fake_file_opens(unit.file), 0);
	stage_up(&again, NULL);
	stage_down(&again);
	stage_close();
}

/* Storport has asked who is there, and it was gone before there was a device of it. */
TEST(who_was_only_asked_for_its_name_goes_too)
{
	uint8_t data[36];
	struct stage_unit unit;
	static const uint8_t inquiry[6] = {0x12, 0, 0, 0, sizeof(data)};

	stage_open();
	host_hold_scans(stage, true);
	CHECK_EQ(stage_connect(&unit, &(struct stage_options){0}), LF_CONTROL_OK);
	CHECK_EQ(stage_command(&unit, inquiry, sizeof(inquiry), HOST_FLAGS_DATA_IN, data, sizeof(data)), 0);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	host_hold_scans(stage, false);
	host_settle(stage);
	for (int i = 0; i < 2000 && stage_count() > 0; i++)
		stage_pause();
	CHECK_EQ(stage_count(), 0);
	stage_close();
}

static void plug_and_play(const struct stage_unit *unit, ULONG action)
{
	struct host_request request = stage_request(unit);

	request.function = HOST_SRB_PNP;
	request.action = action;
	CHECK_EQ(stage_run(&request), 0);
}

/* A Storport that says so by an SRB and not by HwUnitControl. */
TEST(who_was_started_by_an_srb_keeps_its_address_until_one_removes_it)
{
	struct stage_unit unit, again;

	stage_open();
	host_hold_scans(stage, true);
	CHECK_EQ(stage_connect(&unit, &(struct stage_options){0}), LF_CONTROL_OK);
	plug_and_play(&unit, HOST_PNP_START);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	host_hold_scans(stage, false);
	host_settle(stage);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(stage_connect(&again, &(struct stage_options){.path = "C:\\again.img",
						       .lun_and_one = unit.lun + 1u}),
			LF_CONTROL_BUSY);
		stage_pause();
	}
	plug_and_play(&unit, HOST_PNP_REMOVE);
	up_in_its_place(&again, &unit);
	stage_close();
}

TEST(a_lun_goes_and_its_neighbours_stay)
{
	struct stage_unit units[3];

	stage_open();
	for (uint32_t i = 0; i < 3; i++) {
		char path[32];

		snprintf(path, sizeof(path), "C:\\disk%u.img", i);
		stage_up(&units[i], &(struct stage_options){.path = path});
	}
	stage_down(&units[0]);
	CHECK(answers(&units[1]) && answers(&units[2]));
	stage_down(&units[2]);
	CHECK(answers(&units[1]));
	CHECK_EQ(host_unit(stage, units[1].target, units[1].lun).there, true);
	stage_close();
}

TEST(a_stop_finds_units_in_every_state)
{
	struct stage_unit there, missing, held, unseen;

	stage_open();
	stage_up(&there, NULL);
	stage_up(&missing, &(struct stage_options){.path = "C:\\missing.img"});
	stage_up(&held, &(struct stage_options){.path = "C:\\held.img"});
	host_hold_unit(stage, held.target, held.lun, true);
	CHECK_EQ(stage_disconnect(&held, true), LF_CONTROL_OK);
	host_settle(stage);
	host_hold_scans(stage, true);
	CHECK_EQ(stage_disconnect(&missing, true), LF_CONTROL_OK);
	CHECK_EQ(stage_connect(&unseen, &(struct stage_options){.path = "C:\\unseen.img"}), LF_CONTROL_OK);
	stage_close();
}

/* Writes are not lost on the way: what was acknowledged is stable when the file is closed. */
TEST(disconnect_makes_writes_stable)
{
	uint8_t block[STAGE_BLOCK], read[STAGE_BLOCK];
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	lf_fake_file_volatile(unit.file);
	stage_fill(block, 3, 3);
	CHECK_EQ(stage_write(&unit, 3, 1, block), 0);
	stage_down(&unit);
	CHECK_EQ(stage_count(), 0);
	lf_fake_file_lose(unit.file);
	lf_fake_file_read(unit.file, 3 * STAGE_BLOCK, read, sizeof(read));
	CHECK(memcmp(block, read, sizeof(block)) == 0);
	stage_close();
}

/* ---- Under load ---- */

#define THREADS 4

struct load {
	pthread_t threads[THREADS];
	struct stage_unit unit;
	uint32_t ends;      /* atomic */
	uint32_t good, bad; /* atomic */
};

static void *carry(void *context)
{
	struct load *load = context;
	uint8_t blocks[8 * STAGE_BLOCK] = {0};

	for (uint64_t lba = 0; !__atomic_load_n(&load->ends, __ATOMIC_SEQ_CST); lba = (lba + 8) % 1024) {
		uint32_t result = lba & 8 ? stage_read(&load->unit, lba, 8, blocks)
					  : stage_write(&load->unit, lba, 8, blocks);

		__atomic_fetch_add(result == 0 ? &load->good : &load->bad, 1, __ATOMIC_SEQ_CST);
		if (result != 0)
			stage_pause();
	}
	return NULL;
}

static void load_start(struct load *load)
{
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&load->threads[i], NULL, carry, load) != 0)
			abort();
	while (__atomic_load_n(&load->good, __ATOMIC_SEQ_CST) < 50)
		stage_pause();
}

static void load_end(struct load *load)
{
	__atomic_store_n(&load->ends, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < THREADS; i++)
		pthread_join(load->threads[i], NULL);
}

TEST(disconnect_under_load)
{
	for (int i = 0; i < 10; i++) {
		struct load load = {.ends = 0};

		stage_open();
		stage_up(&load.unit, NULL);
		load_start(&load);
		CHECK_EQ(stage_disconnect(&load.unit, i % 2 == 1), LF_CONTROL_OK);
		host_wait_unit(stage, load.unit.target, load.unit.lun, false);
		load_end(&load);
		CHECK(load.bad > 0 || load.good > 0);
		stage_close();
	}
}

TEST(the_adapter_vanishes_under_load)
{
	for (int i = 0; i < 5; i++) {
		struct load load = {.ends = 0};

		stage_open();
		stage_up(&load.unit, NULL);
		load_start(&load);
		host_surprise(stage);
		load_end(&load);
		stage_close();
	}
}

/* Nobody is left who would reset what hangs: its removal would wait for it without end. */
TEST(the_adapter_vanishes_with_io_that_hangs)
{
	struct stage_unit unit;
	struct host_request read;
	uint8_t block[STAGE_BLOCK];

	stage_open();
	stage_up(&unit, NULL);
	lf_fake_rule_add(
		&(struct lf_fake_rule){.file = unit.file, .ops = 1 << LF_FAKE_READ, .what = LF_FAKE_PEND});
	read = stage_request(&unit);
	stage_cdb_rw(&read, false, 0, 1);
	read.data = block;
	read.length = sizeof(block);
	host_submit(stage, &read);
	stage_wait_held(1);
	host_surprise(stage);
	for (int i = 0; i < 10000 && host_outstanding(stage) > 0; i++)
		stage_pause();
	CHECK_EQ(host_outstanding(stage), 0);
	lf_fake_rules_clear();
	lf_fake_release();
	stage_close();
	CHECK_EQ(read.srb_status, HOST_STATUS_BUS_RESET);
}

TEST(the_volume_below_vanishes_under_load)
{
	for (int i = 0; i < 5; i++) {
		struct load load = {.ends = 0};
		struct lf_fake_volume *volume;

		lf_fake_reset();
		volume = lf_fake_volume_add(&(struct lf_fake_volume_options){.name = "E:"});
		stage_start();
		stage_up(&load.unit, &(struct stage_options){.path = "E:\\disk.img"});
		load_start(&load);
		lf_fake_volume_remove(volume, true);
		host_wait_unit(stage, load.unit.target, load.unit.lun, false);
		load_end(&load);
		stage_close();
	}
}

TEST(units_come_and_go)
{
	stage_open();
	for (int i = 0; i < 60; i++) {
		struct stage_unit unit;

		CHECK_EQ(stage_connect(&unit, &(struct stage_options){0}), LF_CONTROL_OK);
		if (i % 3 == 0)
			host_wait_unit(stage, unit.target, unit.lun, true);
		CHECK_EQ(stage_disconnect(&unit, false), LF_CONTROL_OK);
		CHECK_EQ(lf_fake_file_opens(unit.file), 0);
	}
	stage_close();
}

TEST(the_driver_is_unloaded_and_comes_again)
{
	for (int i = 0; i < 5; i++) {
		struct stage_unit unit;
		uint8_t block[STAGE_BLOCK] = {0};

		stage_open();
		stage_up(&unit, NULL);
		CHECK_EQ(stage_write(&unit, 0, 1, block), 0);
		if (i % 2 == 0)
			stage_down(&unit);
		stage_restart();
		stage_up(&unit, NULL);
		CHECK_EQ(stage_read(&unit, 0, 1, block), 0);
		stage_close();
	}
}
