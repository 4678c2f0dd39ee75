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
	for (int i = 0; i < 60000 && stage_count() > 0; i++)
		stage_pause();
	CHECK_EQ(stage_count(), 0);
	CHECK_EQ(lf_fake_file_opens(unit.file), 0);
	stage_up(&again, NULL);
	stage_down(&again);
	stage_close();
}

/* Whoever comes next, with an image of his own, wants the address that one has left. */
static enum lf_control_status connect_in_its_place(const struct stage_unit *gone)
{
	struct stage_options options = {.target = gone->target, .lun_and_one = gone->lun + 1u};
	struct stage_unit again;
	char path[40];

	snprintf(path, sizeof(path), "C:\\at%u-%u.img", gone->target, gone->lun);
	options.path = path;
	return stage_connect(&again, &options);
}

static bool is_taken(const struct stage_unit *gone)
{
	return connect_in_its_place(gone) == LF_CONTROL_BUSY;
}

/* He gets it; false: it is still taken after a while. */
static bool is_free(const struct stage_unit *gone)
{
	for (int i = 0; i < 60000; i++) {
		if (connect_in_its_place(gone) == LF_CONTROL_OK)
			return true;
		stage_pause();
	}
	return false;
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
	CHECK(is_free(&unit));
	stage_close();
}

/* ---- Each way to learn that somebody has gone: the scans stand still, so it is the only one ---- */

static void up_unseen(struct stage_unit *unit, const char *path, uint32_t target, uint32_t lun)
{
	const struct stage_options options = {.path = path, .target = target, .lun_and_one = lun + 1};

	if (stage_connect(unit, &options) != LF_CONTROL_OK)
		lf_fake_broken("%s cannot be connected", path);
}

TEST(a_list_of_the_units_says_of_all_that_went)
{
	uint8_t data[64];
	static const uint8_t list[12] = {0xa0, [9] = sizeof(data)};
	struct stage_unit there, first, last;

	stage_open();
	stage_up(&there, NULL);
	host_hold_scans(stage, true);
	up_unseen(&first, "C:\\first.img", 0, 7);
	up_unseen(&last, "C:\\last.img", 0, 254);
	CHECK_EQ(stage_disconnect(&first, true), LF_CONTROL_OK);
	CHECK_EQ(stage_disconnect(&last, true), LF_CONTROL_OK);
	CHECK(is_taken(&first) && is_taken(&last));
	CHECK_EQ(stage_command(&there, list, sizeof(list), HOST_FLAGS_DATA_IN, data, sizeof(data)), 0);
	CHECK(is_free(&first));
	CHECK(is_free(&last));
	host_hold_scans(stage, false);
	stage_close();
}

TEST(an_srb_says_of_the_unit_that_it_is_for_that_it_went)
{
	static const uint8_t inquiry[6] = {0x12};
	struct stage_unit there, unit, other;
	struct host_request request;

	stage_open();
	stage_up(&there, NULL);
	host_hold_scans(stage, true);
	up_unseen(&unit, "C:\\unit.img", 0, 7);
	up_unseen(&other, "C:\\other.img", 0, 8);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	CHECK_EQ(stage_disconnect(&other, true), LF_CONTROL_OK);
	request = stage_request(&unit);
	memcpy(request.cdb, inquiry, sizeof(inquiry));
	request.cdb_length = sizeof(inquiry);
	stage_run(&request);
	CHECK_EQ(request.srb_status, HOST_STATUS_INVALID_LUN);
	CHECK(is_free(&unit));
	CHECK(is_taken(&other));
	host_hold_scans(stage, false);
	stage_close();
}

/* Of a target without anybody nothing more than that is asked. */
TEST(a_target_that_is_empty_says_of_all_that_went)
{
	static const uint8_t inquiry[6] = {0x12};
	struct stage_unit units[2];
	struct host_request request;

	stage_open();
	host_hold_scans(stage, true);
	up_unseen(&units[0], "C:\\first.img", 3, 0);
	up_unseen(&units[1], "C:\\second.img", 3, 5);
	CHECK_EQ(stage_disconnect(&units[0], true), LF_CONTROL_OK);
	CHECK_EQ(stage_disconnect(&units[1], true), LF_CONTROL_OK);
	request = stage_request(&units[0]);
	memcpy(request.cdb, inquiry, sizeof(inquiry));
	request.cdb_length = sizeof(inquiry);
	stage_run(&request);
	CHECK_EQ(request.srb_status, HOST_STATUS_NO_DEVICE);
	CHECK(is_free(&units[0]));
	CHECK(is_free(&units[1]));
	host_hold_scans(stage, false);
	stage_close();
}

TEST(the_removal_of_its_device_says_that_a_unit_went)
{
	struct host_address_btl8 address;
	struct stage_unit unit;

	stage_open();
	host_hold_scans(stage, true);
	up_unseen(&unit, "C:\\unit.img", 0, 0);
	address = host_address(unit.target, unit.lun);
	host_unit_control(stage, HOST_UNIT_START, &address);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	host_unit_control(stage, HOST_UNIT_SURPRISE_REMOVAL, &address);
	CHECK(is_taken(&unit));
	host_unit_control(stage, HOST_UNIT_REMOVE, &address);
	CHECK(is_free(&unit));
	host_hold_scans(stage, false);
	stage_close();
}

/* ---- Who holds a unit: whoever has a device of it, which he may have before we hear of that ---- */

/* It went, and everybody has been told: whether it is held all the same, until its device is removed. */
static void is_held_until_removed(const struct stage_unit *unit, bool held)
{
	struct host_address_btl8 address = host_address(unit->target, unit->lun);
	struct host_request request = stage_request(unit);

	CHECK_EQ(stage_disconnect(unit, true), LF_CONTROL_OK);
	request.cdb[0] = 0x12;
	request.cdb_length = 6;
	stage_run(&request);
	CHECK_EQ(request.srb_status, HOST_STATUS_NO_DEVICE);
	if (held)
		CHECK(is_taken(unit));
	else
		CHECK(is_free(unit));
	if (held)
		host_unit_control(stage, HOST_UNIT_REMOVE, &address);
	if (held)
		CHECK(is_free(unit));
}

TEST(a_unit_that_was_started_is_held)
{
	struct host_address_btl8 address;
	struct stage_unit unit;

	stage_open();
	host_hold_scans(stage, true);
	up_unseen(&unit, "C:\\unit.img", 0, 0);
	address = host_address(unit.target, unit.lun);
	host_unit_control(stage, HOST_UNIT_START, &address);
	is_held_until_removed(&unit, true);
	host_hold_scans(stage, false);
	stage_close();
}

TEST(a_unit_that_a_device_has_spoken_to_is_held)
{
	static const uint8_t ready[6], inquiry[6] = {0x12, 0, 0, 0, 36};
	struct stage_unit unit;
	uint8_t data[36];

	stage_open();
	host_hold_scans(stage, true);
	up_unseen(&unit, "C:\\unit.img", 0, 0);
	stage_command(&unit, ready, sizeof(ready), 0, NULL, 0);
	/* A scan does not let it go again. */
	CHECK_EQ(stage_command(&unit, inquiry, sizeof(inquiry), HOST_FLAGS_DATA_IN, data, sizeof(data)), 0);
	is_held_until_removed(&unit, true);
	host_hold_scans(stage, false);
	stage_close();
}

TEST(a_unit_that_was_only_scanned_is_not_held)
{
	static const uint8_t inquiry[6] = {0x12, 0, 0, 0, 36};
	struct stage_unit unit;
	uint8_t data[36];

	stage_open();
	host_hold_scans(stage, true);
	up_unseen(&unit, "C:\\unit.img", 0, 0);
	CHECK_EQ(stage_command(&unit, inquiry, sizeof(inquiry), HOST_FLAGS_DATA_IN, data, sizeof(data)), 0);
	is_held_until_removed(&unit, false);
	host_hold_scans(stage, false);
	stage_close();
}

/* What is started late, of a unit that is going already, has to be removed before the next one comes. */
TEST(a_unit_that_is_started_while_it_goes_is_held)
{
	struct host_address_btl8 address;
	struct host_request request;
	struct stage_unit unit;

	stage_open();
	host_hold_scans(stage, true);
	up_unseen(&unit, "C:\\unit.img", 0, 0);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	address = host_address(unit.target, unit.lun);
	host_unit_control(stage, HOST_UNIT_START, &address);
	request = stage_request(&unit);
	request.cdb[0] = 0x12;
	request.cdb_length = 6;
	stage_run(&request);
	CHECK(is_taken(&unit));
	host_unit_control(stage, HOST_UNIT_REMOVE, &address);
	CHECK(is_free(&unit));
	host_hold_scans(stage, false);
	stage_close();
}

/* One that is told of an address where nobody is, as of one that went a while ago, keeps nobody from it. */
TEST(a_start_of_nobody_holds_nobody)
{
	struct host_address_btl8 address = host_address(0, 0);
	struct stage_unit unit;

	stage_open();
	host_hold_scans(stage, true);
	host_unit_control(stage, HOST_UNIT_START, &address);
	up_unseen(&unit, "C:\\unit.img", 0, 0);
	is_held_until_removed(&unit, false);
	host_hold_scans(stage, false);
	stage_close();
}

/* Storport has devices that it never lets go of, or knows of none: with the adapter they all go. */
TEST(a_stop_frees_what_nobody_lets_go_of)
{
	static const uint32_t luns[] = {0, 7, 100, 254};
	enum { STAYS, GOES_UNSEEN, GOES_HELD, IS_REPORTED_HELD };
	struct stage_unit units[lf_count_of(luns)];
	struct host_request request;

	stage_open();
	host_hold_scans(stage, true);
	for (uint32_t i = 0; i < lf_count_of(luns); i++) {
		struct host_address_btl8 address = host_address(0, (uint8_t)luns[i]);
		char path[32];

		snprintf(path, sizeof(path), "C:\\%u.img", i);
		up_unseen(&units[i], path, 0, luns[i]);
		if (i != GOES_UNSEEN)
			host_unit_control(stage, HOST_UNIT_START, &address);
		if (i != STAYS)
			CHECK_EQ(stage_disconnect(&units[i], true), LF_CONTROL_OK);
	}
	request = stage_request(&units[IS_REPORTED_HELD]);
	request.cdb[0] = 0x12;
	request.cdb_length = 6;
	stage_run(&request);
	CHECK_EQ(request.srb_status, HOST_STATUS_INVALID_LUN);
	stage_close();
}

/* ---- The last SRB ---- */

struct slow_end {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool reached, may_go;
	struct host_request request;
};

/* Storport takes its time in RequestComplete. */
static void ends_slowly(struct host_request *request)
{
	struct slow_end *slow = request->context;

	pthread_mutex_lock(&slow->mutex);
	slow->reached = true;
	pthread_cond_broadcast(&slow->changed);
	while (!slow->may_go)
		pthread_cond_wait(&slow->changed, &slow->mutex);
	pthread_mutex_unlock(&slow->mutex);
}

static void *submit_slow(void *context)
{
	struct slow_end *slow = context;

	host_submit(stage, &slow->request);
	return NULL;
}

/* Until RequestComplete returned, the SRB is at the unit: whoever comes next must not meet it. */
TEST(an_address_is_taken_until_its_last_srb_is_completed)
{
	struct slow_end slow = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	struct host_address_btl8 address;
	struct stage_unit unit;
	pthread_t thread;

	stage_open();
	host_hold_scans(stage, true);
	up_unseen(&unit, "C:\\unit.img", 0, 0);
	slow.request = stage_request(&unit);
	slow.request.function = HOST_SRB_RESET_LOGICAL_UNIT;
	slow.request.done = ends_slowly;
	slow.request.context = &slow;
	CHECK_EQ(pthread_create(&thread, NULL, submit_slow, &slow), 0);
	pthread_mutex_lock(&slow.mutex);
	while (!slow.reached)
		pthread_cond_wait(&slow.changed, &slow.mutex);
	pthread_mutex_unlock(&slow.mutex);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	address = host_address(unit.target, unit.lun);
	host_unit_control(stage, HOST_UNIT_REMOVE, &address);
	CHECK(is_taken(&unit));
	pthread_mutex_lock(&slow.mutex);
	slow.may_go = true;
	pthread_cond_broadcast(&slow.changed);
	pthread_mutex_unlock(&slow.mutex);
	pthread_join(thread, NULL);
	CHECK(is_free(&unit));
	host_hold_scans(stage, false);
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

static void without_pieces(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->NumSrbExData = 0;
}

TEST(an_srb_that_names_no_action_starts_nobody)
{
	struct stage_unit unit, again;

	stage_open();
	host_hold_scans(stage, true);
	CHECK_EQ(stage_connect(&unit, &(struct stage_options){0}), LF_CONTROL_OK);
	struct host_request request = stage_request(&unit);
	request.function = HOST_SRB_PNP;
	request.spoil = without_pieces;
	stage_run(&request);
	CHECK_EQ(request.srb_status, HOST_STATUS_INVALID_REQUEST);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	host_hold_scans(stage, false);
	host_settle(stage);
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
	host_drain(stage);
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

/* Storport tells us first to let go of all requests, and only then lets nobody in any more. */
TEST(who_asks_while_the_adapter_goes_finds_it_there_until_he_is_out)
{
	struct host_service late = {0};

	stage_open();
	host_service_late(stage, &late);
	stage_close();
	CHECK_EQ(late.status, STATUS_DEVICE_NOT_READY);
}
