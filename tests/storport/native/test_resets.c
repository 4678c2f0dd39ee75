/* SPDX-License-Identifier: BSD-2-Clause */
/* test_resets.c: resets, and images that do not answer: nothing ends early, nothing twice, nobody else waits.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/storport/native/stage.h"

#include <ntddstor.h> /* needs the types of ntifs.h */

#define READS 12
#define MS    1000000ull /* of the driver's clock, which stands but for our leaps */

/* A reset fails after ten seconds, or at the first look at the clock after that: there is one each second. */
#define NOT_YET_MS 9900
#define BY_THEN_MS 11000

static const UCHAR escalation[] = {HOST_SRB_RESET_LOGICAL_UNIT, HOST_SRB_RESET_DEVICE, HOST_SRB_RESET_BUS};

struct reads {
	struct host_request requests[READS];
	uint8_t blocks[READS][STAGE_BLOCK];
};

static void hold(const struct stage_unit *unit, ULONG ops, enum lf_fake_what what)
{
	lf_fake_rule_add(&(struct lf_fake_rule){.file = unit->file, .ops = ops, .what = what});
}

static void begin(struct reads *reads, const struct stage_unit *unit)
{
	for (uint32_t i = 0; i < READS; i++) {
		reads->requests[i] = stage_request(unit);
		stage_cdb_rw(&reads->requests[i], false, i, 1);
		reads->requests[i].data = reads->blocks[i];
		reads->requests[i].length = STAGE_BLOCK;
		host_submit(stage, &reads->requests[i]);
	}
}

static struct host_request reset_request(const struct stage_unit *unit, UCHAR function)
{
	struct host_request request = stage_request(unit);

	request.function = function;
	return request;
}

/* Waits for the store, which is held up: it fails when its time has come, and not before. */
static bool fails_in_time(struct host_request *request)
{
	bool early;

	host_submit(stage, request);
	lf_fake_clock_leap(NOT_YET_MS * MS);
	early = host_has_ended(stage, request);
	lf_fake_clock_leap((BY_THEN_MS - NOT_YET_MS) * MS);
	return !early && host_has_ended(stage, request) && request->srb_status == HOST_STATUS_TIMEOUT;
}

static uint32_t reset(const struct stage_unit *unit, UCHAR function)
{
	struct host_request request = reset_request(unit, function);

	host_run(stage, &request);
	return request.srb_status;
}

/* What a reset that still runs takes is sent again, as class drivers do. */
static bool works(const struct stage_unit *unit)
{
	uint8_t block[STAGE_BLOCK] = {0}, read[STAGE_BLOCK];
	bool good = false;

	stage_fill(block, 1, 1);
	for (int i = 0; i < 60000 && !good; i++) {
		good = stage_write(unit, 1, 1, block) == 0 && stage_read(unit, 1, 1, read) == 0 &&
		       memcmp(block, read, sizeof(block)) == 0;
		if (!good)
			stage_pause();
	}
	return good;
}

/* Opens the stage; the unit has reads that its file holds up. Freed by free; NULL: no memory. */
static struct reads *open_with_held_reads(struct stage_unit *unit)
{
	struct reads *reads = calloc(1, sizeof(*reads));

	if (reads == NULL)
		return NULL;
	stage_open();
	stage_up(unit, NULL);
	hold(unit, 1 << LF_FAKE_READ, LF_FAKE_BLOCK);
	begin(reads, unit);
	stage_wait_held(1);
	return reads;
}

TEST(resets_of_an_idle_unit_succeed)
{
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(escalation); i++) {
		CHECK_EQ(reset(&unit, escalation[i]), HOST_STATUS_SUCCESS);
		CHECK(works(&unit));
	}
	host_reset_bus(stage);
	CHECK(works(&unit));
	stage_down(&unit);
	stage_close();
}

TEST(resets_of_nobody)
{
	struct stage_unit unit, nobody = {.target = 7};

	stage_open();
	stage_up(&unit, NULL);
	CHECK_EQ(reset(&nobody, HOST_SRB_RESET_LOGICAL_UNIT), HOST_STATUS_NO_DEVICE);
	CHECK_EQ(reset(&nobody, HOST_SRB_RESET_DEVICE), HOST_STATUS_NO_DEVICE);
	nobody = unit;
	nobody.lun = 40;
	CHECK_EQ(reset(&nobody, HOST_SRB_RESET_LOGICAL_UNIT), HOST_STATUS_INVALID_LUN);
	stage_down(&unit);
	stage_close();
}

/* I/O that can be cancelled is, and ends with BUS_RESET before the reset does. Not at the first address. */
TEST(a_reset_ends_what_can_be_cancelled)
{
	const struct stage_options options = {.target = 2, .lun_and_one = 4};
	struct reads *reads = calloc(1, sizeof(*reads));
	struct stage_unit unit;

	CHECK(reads != NULL);
	for (uint32_t i = 0; i < lf_count_of(escalation); i++) {
		stage_open();
		stage_up(&unit, &options);
		hold(&unit, 1 << LF_FAKE_READ, LF_FAKE_PEND);
		begin(reads, &unit);
		stage_wait_held(2);
		CHECK_EQ(reset(&unit, escalation[i]), HOST_STATUS_SUCCESS);
		for (uint32_t j = 0; j < READS; j++) {
			CHECK(reads->requests[j].ended);
			CHECK_EQ(reads->requests[j].srb_status, HOST_STATUS_BUS_RESET);
			CHECK_EQ(reads->requests[j].moved, 0);
		}
		lf_fake_rules_clear();
		CHECK(works(&unit));
		stage_down(&unit);
		stage_close();
	}
	free(reads);
}

TEST(a_bus_reset_does_not_wait)
{
	struct stage_unit unit;
	struct reads *reads = open_with_held_reads(&unit);
	uint32_t held;

	CHECK(reads != NULL);
	host_reset_bus(stage);
	host_reset_bus(stage);
	/* Only what had not reached the file system may have ended. */
	held = lf_fake_held();
	CHECK(held > 0 && host_outstanding(stage) >= held);
	lf_fake_rules_clear();
	lf_fake_release();
	for (uint32_t i = 0; i < READS; i++) {
		host_wait(stage, &reads->requests[i]);
		CHECK_EQ(reads->requests[i].srb_status, HOST_STATUS_BUS_RESET);
	}
	CHECK(works(&unit));
	stage_down(&unit);
	stage_close();
	free(reads);
}

/* A store that ignores cancel: each step up the ladder fails in time, and nothing ends before the store is
 * done. */
TEST(a_store_outlives_three_resets)
{
	struct reads *reads = calloc(1, sizeof(*reads));
	struct stage_unit unit, other;
	uint32_t held;

	CHECK(reads != NULL);
	stage_open();
	lf_fake_clock_rate(0);
	stage_up(&unit, NULL);
	stage_up(&other, &(struct stage_options){.path = "C:\\other.img"});
	hold(&unit, 1 << LF_FAKE_READ, LF_FAKE_BLOCK);
	begin(reads, &unit);
	stage_wait_held(1);
	for (uint32_t i = 0; i < lf_count_of(escalation); i++) {
		struct host_request request = reset_request(&unit, escalation[i]);

		CHECK(fails_in_time(&request));
		host_reset_bus(stage);
		/* Only what had not reached the file system may have ended. */
		held = lf_fake_held();
		CHECK(held > 0 && host_outstanding(stage) >= held);
		CHECK(works(&other));
		CHECK_EQ(stage_count(), 2);
	}
	lf_fake_rules_clear();
	lf_fake_release();
	for (uint32_t i = 0; i < READS; i++) {
		host_wait(stage, &reads->requests[i]);
		CHECK_EQ(reads->requests[i].srb_status, HOST_STATUS_BUS_RESET);
	}
	CHECK(works(&unit));
	stage_close();
	free(reads);
}

/* ---- Resets that meet ---- */

/* A read that the file system holds up until the gate opens; resets cannot hurry it. */
struct gate {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool reached, open;
};

static NTSTATUS pass_gate(void *context, enum lf_fake_op op, uint64_t offset, uint64_t length)
{
	struct gate *gate = context;

	(void)op;
	(void)offset;
	(void)length;
	pthread_mutex_lock(&gate->mutex);
	gate->reached = true;
	pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		pthread_cond_wait(&gate->changed, &gate->mutex);
	pthread_mutex_unlock(&gate->mutex);
	return STATUS_MORE_PROCESSING_REQUIRED;
}

static void open_gate(struct gate *gate)
{
	pthread_mutex_lock(&gate->mutex);
	gate->open = true;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->mutex);
}

static void wait_at_gate(struct gate *gate)
{
	pthread_mutex_lock(&gate->mutex);
	while (!gate->reached)
		pthread_cond_wait(&gate->changed, &gate->mutex);
	pthread_mutex_unlock(&gate->mutex);
}

static void gate_make(struct gate *gate)
{
	*gate = (struct gate){.reached = false};
	pthread_mutex_init(&gate->mutex, NULL);
	pthread_cond_init(&gate->changed, NULL);
}

/* Reads of three blocks: the first and the second wait at a gate of their own, the third can be cancelled. */
static void hold_each(const struct stage_unit *unit, struct gate gates[2])
{
	for (uint32_t i = 0; i < 3; i++) {
		if (i < 2)
			gate_make(&gates[i]);
		lf_fake_rule_add(&(struct lf_fake_rule){.file = unit->file,
			.ops = 1 << LF_FAKE_READ,
			.offset = i * STAGE_BLOCK,
			.length = STAGE_BLOCK,
			.what = i < 2 ? LF_FAKE_CALL : LF_FAKE_PEND,
			.call = pass_gate,
			.context = i < 2 ? &gates[i] : NULL});
	}
}

static void begin_one(struct reads *reads, uint32_t i, const struct stage_unit *unit)
{
	reads->requests[i] = stage_request(unit);
	stage_cdb_rw(&reads->requests[i], false, i, 1);
	reads->requests[i].data = reads->blocks[i];
	reads->requests[i].length = STAGE_BLOCK;
	host_submit(stage, &reads->requests[i]);
}

/*
 * What was begun since the first one began is not the first one's. It is the second's, which begins when the
 * first has ended, and ends when all that has come back.
 */
static void ask_for_it_again(UCHAR function)
{
	static const uint8_t ready[6];
	struct gate gates[2];
	struct reads *reads = calloc(1, sizeof(*reads));
	struct host_request first, second;
	struct stage_unit unit;

	CHECK(reads != NULL);
	stage_open();
	lf_fake_clock_rate(0);
	stage_up(&unit, &(struct stage_options){.target = 1, .lun_and_one = 3});
	host_settle(stage);
	hold_each(&unit, gates);
	begin_one(reads, 0, &unit);
	wait_at_gate(&gates[0]);
	first = reset_request(&unit, function);
	host_submit(stage, &first);
	CHECK_EQ(stage_command(&unit, ready, sizeof(ready), 0, NULL, 0) >> 16, 6); /* it was reset */
	begin_one(reads, 1, &unit); /* these two wait in the core while the first one runs */
	begin_one(reads, 2, &unit);
	second = reset_request(&unit, function);
	host_submit(stage, &second);
	lf_fake_clock_leap(3000 * MS); /* the timer looks, and begins nothing twice */
	for (uint32_t i = 0; i < 3; i++)
		CHECK(!host_has_ended(stage, &reads->requests[i]));
	CHECK(!host_has_ended(stage, &first) && !host_has_ended(stage, &second));
	open_gate(&gates[0]);
	host_wait(stage, &reads->requests[0]);
	host_wait(stage, &first);
	CHECK_EQ(first.srb_status, HOST_STATUS_SUCCESS);
	wait_at_gate(&gates[1]);
	stage_wait_held(1);
	CHECK(!host_has_ended(stage, &reads->requests[2]) && !host_has_ended(stage, &second));
	lf_fake_clock_leap(MS); /* by its timer the second begins */
	host_wait(stage, &reads->requests[2]);
	CHECK_EQ(reads->requests[2].srb_status, HOST_STATUS_BUS_RESET);
	CHECK(!host_has_ended(stage, &reads->requests[1]) && !host_has_ended(stage, &second));
	open_gate(&gates[1]);
	host_wait(stage, &reads->requests[1]);
	host_wait(stage, &second);
	CHECK_EQ(second.srb_status, HOST_STATUS_SUCCESS);
	lf_fake_rules_clear();
	CHECK(works(&unit));
	stage_close();
	free(reads);
}

TEST(a_reset_of_a_unit_that_comes_while_one_runs_is_another_one)
{
	ask_for_it_again(HOST_SRB_RESET_LOGICAL_UNIT);
}

TEST(a_reset_of_a_target_that_comes_while_one_runs_is_another_one)
{
	ask_for_it_again(HOST_SRB_RESET_DEVICE);
}

TEST(a_reset_of_the_bus_that_comes_while_one_runs_is_another_one)
{
	ask_for_it_again(HOST_SRB_RESET_BUS);
}

/* More units of one target, and the same unit of more targets: each reset is of its own. */
TEST(a_reset_that_waits_holds_up_no_reset_of_another_unit)
{
	static const struct stage_options others[] = {{.path = "C:\\1.img", .lun_and_one = 2},
		{.path = "C:\\2.img", .target = 1, .lun_and_one = 1}};
	struct stage_unit units[lf_count_of(others)], unit;
	struct reads *reads = open_with_held_reads(&unit);
	struct host_request request;

	CHECK(reads != NULL);
	request = reset_request(&unit, HOST_SRB_RESET_LOGICAL_UNIT);
	host_submit(stage, &request);
	for (uint32_t i = 0; i < lf_count_of(others); i++) {
		stage_up(&units[i], &others[i]);
		CHECK_EQ(reset(&units[i], HOST_SRB_RESET_LOGICAL_UNIT), HOST_STATUS_SUCCESS);
		CHECK(works(&units[i]));
	}
	lf_fake_rules_clear();
	lf_fake_release();
	host_wait(stage, &request);
	CHECK_EQ(request.srb_status, HOST_STATUS_SUCCESS);
	host_drain(stage);
	stage_close();
	free(reads);
}

/* Others that come and go in short order do not put off the look at the clock. */
TEST(resets_of_others_do_not_keep_one_from_failing_in_time)
{
	struct stage_unit unit, other;
	struct reads *reads = open_with_held_reads(&unit);
	struct host_request request;

	CHECK(reads != NULL);
	lf_fake_clock_rate(0);
	stage_up(&other, &(struct stage_options){.path = "C:\\other.img"});
	request = reset_request(&unit, HOST_SRB_RESET_LOGICAL_UNIT);
	host_submit(stage, &request);
	for (uint32_t passed_ms = 0; passed_ms < BY_THEN_MS; passed_ms += 500) {
		CHECK_EQ(reset(&other, HOST_SRB_RESET_LOGICAL_UNIT), HOST_STATUS_SUCCESS);
		lf_fake_clock_leap(500 * MS);
	}
	CHECK(host_has_ended(stage, &request));
	CHECK_EQ(request.srb_status, HOST_STATUS_TIMEOUT);
	lf_fake_rules_clear();
	lf_fake_release();
	host_drain(stage);
	stage_close();
	free(reads);
}

#define UNITS_AT_A_TIME 16

/* Of more units than that at a time a reset fails at once: the target's comes next. */
TEST(resets_of_too_many_units_at_a_time_fail)
{
	struct host_request resets[UNITS_AT_A_TIME], reads[UNITS_AT_A_TIME], read;
	uint8_t blocks[UNITS_AT_A_TIME + 1][STAGE_BLOCK];
	struct stage_unit units[UNITS_AT_A_TIME + 1];

	stage_open();
	for (uint32_t i = 0; i <= UNITS_AT_A_TIME; i++) {
		char path[32];

		snprintf(path, sizeof(path), "C:\\%u.img", i);
		stage_up(&units[i], &(struct stage_options){.path = path});
		stage_hold_read(&units[i], i == UNITS_AT_A_TIME ? &read : &reads[i], blocks[i]);
		stage_wait_held(i + 1);
		lf_fake_rules_clear();
	}
	for (uint32_t i = 0; i < UNITS_AT_A_TIME; i++) {
		resets[i] = reset_request(&units[i], HOST_SRB_RESET_LOGICAL_UNIT);
		host_submit(stage, &resets[i]);
	}
	CHECK_EQ(reset(&units[UNITS_AT_A_TIME], HOST_SRB_RESET_LOGICAL_UNIT), HOST_STATUS_ERROR);
	lf_fake_release();
	for (uint32_t i = 0; i < UNITS_AT_A_TIME; i++) {
		host_wait(stage, &resets[i]);
		CHECK_EQ(resets[i].srb_status, HOST_STATUS_SUCCESS);
	}
	host_drain(stage);
	CHECK_EQ(reset(&units[UNITS_AT_A_TIME], HOST_SRB_RESET_LOGICAL_UNIT), HOST_STATUS_SUCCESS);
	stage_close();
}

TEST(a_dead_image_is_disconnected_by_force)
{
	struct stage_unit unit;
	struct reads *reads = open_with_held_reads(&unit);

	CHECK(reads != NULL);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	host_settle(stage);
	CHECK_EQ(lf_fake_file_opens(unit.file), 1);
	lf_fake_rules_clear();
	lf_fake_release();
	for (uint32_t i = 0; i < READS; i++)
		host_wait(stage, &reads->requests[i]);
	host_wait_unit(stage, unit.target, unit.lun, false);
	stage_close();
	free(reads);
}

/* Storport's own clock runs for what is out at a unit that goes, too. */
TEST(a_unit_that_goes_is_reset_while_anything_is_out)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct reads *reads = calloc(1, sizeof(*reads));
		struct stage_unit unit;

		CHECK(reads != NULL);
		stage_open();
		stage_up(&unit, NULL);
		hold(&unit, 1 << LF_FAKE_READ, LF_FAKE_PEND);
		begin(reads, &unit);
		stage_wait_held(2);
		CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
		CHECK_EQ(reset(&unit, escalation[i]), HOST_STATUS_SUCCESS);
		for (uint32_t j = 0; j < READS; j++) {
			CHECK(reads->requests[j].ended);
			CHECK_EQ(reads->requests[j].srb_status, HOST_STATUS_BUS_RESET);
		}
		lf_fake_rules_clear();
		lf_fake_release();
		host_drain(stage);
		host_wait_unit(stage, unit.target, unit.lun, false);
		stage_close();
		free(reads);
	}
}

/* Whatever is larger than a unit's reset stops all that can be stopped, though one of the units is dead. */
TEST(a_dead_unit_does_not_keep_its_neighbour_from_being_reset)
{
	for (uint32_t i = 0; i <= 2; i++) {
		struct reads *of_dead, *of_slow = calloc(1, sizeof(*of_slow));
		struct stage_unit dead, slow;

		of_dead = open_with_held_reads(&dead);
		CHECK(of_dead != NULL && of_slow != NULL);
		stage_up(&slow, &(struct stage_options){.path = "C:\\slow.img"});
		CHECK_EQ(slow.target, dead.target);
		hold(&slow, 1 << LF_FAKE_READ, LF_FAKE_PEND);
		begin(of_slow, &slow);
		stage_wait_held(3);
		if (i == 0) {
			host_reset_bus(stage);
		} else {
			struct host_request request = reset_request(&slow, escalation[i]);

			lf_fake_clock_rate(0);
			CHECK(fails_in_time(&request));
		}
		for (uint32_t j = 0; j < READS; j++) {
			host_wait(stage, &of_slow->requests[j]);
			CHECK_EQ(of_slow->requests[j].srb_status, HOST_STATUS_BUS_RESET);
		}
		CHECK(host_outstanding(stage) > 0);
		lf_fake_rules_clear();
		lf_fake_release();
		host_drain(stage);
		CHECK(works(&slow) && works(&dead));
		stage_close();
		free(of_dead);
		free(of_slow);
	}
}

#define HUNG_UNITS 3

/* As many commands as Storport may send, from one processor, to images that are dead: the next one works. */
TEST(images_that_hang_leave_room_for_another)
{
	struct stage_unit units[HUNG_UNITS + 1];
	struct host_request *requests;
	uint32_t depth, count;
	uint8_t *blocks;

	stage_open();
	depth = host_config(stage)->MaxIOsPerLun;
	count = HUNG_UNITS * depth;
	requests = calloc(count, sizeof(*requests));
	blocks = calloc(count, STAGE_BLOCK);
	CHECK(requests != NULL && blocks != NULL && count < host_config(stage)->MaxNumberOfIO);
	for (uint32_t i = 0; i <= HUNG_UNITS; i++) {
		char path[32];

		snprintf(path, sizeof(path), "C:\\hung%u.img", i);
		stage_up(&units[i], &(struct stage_options){.path = path});
	}
	host_settle(stage);
	lf_fake_run_on(1);
	for (uint32_t i = 0; i < count; i++) {
		if (i % depth == 0)
			hold(&units[i / depth], 1 << LF_FAKE_READ, LF_FAKE_PEND);
		requests[i] = stage_request(&units[i / depth]);
		stage_cdb_rw(&requests[i], false, i % depth, 1);
		requests[i].data = blocks + (size_t)i * STAGE_BLOCK;
		requests[i].length = STAGE_BLOCK;
		host_submit(stage, &requests[i]);
	}
	CHECK_EQ(host_outstanding(stage), count);
	CHECK(works(&units[HUNG_UNITS]));
	lf_fake_rules_clear();
	lf_fake_release();
	for (uint32_t i = 0; i < count; i++) {
		host_wait(stage, &requests[i]);
		CHECK_EQ(requests[i].srb_status, HOST_STATUS_SUCCESS);
	}
	stage_close();
	free(requests);
	free(blocks);
}

/* ---- Nested images ---- */

/* What lies on a volume that lies on a unit of ours: its file system reads our unit. */
static NTSTATUS read_below(void *context, enum lf_fake_op op, uint64_t offset, uint64_t length)
{
	const struct stage_unit *below = context;
	uint8_t block[STAGE_BLOCK];

	(void)op;
	(void)length;
	return stage_read(below, offset / STAGE_BLOCK % below->block_count, 1, block) == 0
		       ? STATUS_MORE_PROCESSING_REQUIRED
		       : STATUS_IO_DEVICE_ERROR;
}

TEST(a_nested_image_fails_in_time_and_holds_up_nobody)
{
	struct reads *of_a = calloc(1, sizeof(*of_a)), *of_b = calloc(1, sizeof(*of_b));
	struct stage_unit a, b, c, late;
	struct host_request request;

	CHECK(of_a != NULL && of_b != NULL);
	lf_fake_reset();
	lf_fake_volume_add(&(struct lf_fake_volume_options){.name = "D:"});
	stage_start();
	lf_fake_clock_rate(0);
	stage_up(&a, &(struct stage_options){.path = "C:\\a.img"});
	stage_up(&b, &(struct stage_options){.path = "D:\\b.img"});
	stage_up(&c, &(struct stage_options){.path = "C:\\c.img"});
	lf_fake_rule_add(&(struct lf_fake_rule){.file = b.file,
		.ops = 1 << LF_FAKE_READ,
		.what = LF_FAKE_CALL,
		.call = read_below,
		.context = &a});
	CHECK(works(&b));
	hold(&a, 1 << LF_FAKE_READ, LF_FAKE_BLOCK);
	begin(of_a, &a);
	stage_wait_held(2);
	begin(of_b, &b);
	CHECK(works(&c));
	request = reset_request(&b, HOST_SRB_RESET_LOGICAL_UNIT);
	CHECK(fails_in_time(&request));
	CHECK_EQ(reset(&c, HOST_SRB_RESET_LOGICAL_UNIT), HOST_STATUS_SUCCESS);
	CHECK(works(&c));
	stage_up(&late, &(struct stage_options){.path = "C:\\late.img"});
	CHECK(works(&late));
	CHECK_EQ(stage_count(), 4);
	lf_fake_rules_clear();
	lf_fake_release();
	for (uint32_t i = 0; i < READS; i++) {
		host_wait(stage, &of_a->requests[i]);
		host_wait(stage, &of_b->requests[i]);
	}
	CHECK(works(&a) && works(&b));
	stage_close();
	free(of_a);
	free(of_b);
}

/* The disk's own NAA designator, as the device below a volume on it would tell it. */
static const void *device_id(const struct stage_unit *unit, uint8_t room[64], uint32_t *length)
{
	static const uint8_t page[6] = {0x12, 1, 0x83, 0, 252};
	uint8_t data[252] = {0};
	STORAGE_DEVICE_ID_DESCRIPTOR *descriptor = (STORAGE_DEVICE_ID_DESCRIPTOR *)(void *)room;
	STORAGE_IDENTIFIER *identifier = (STORAGE_IDENTIFIER *)(void *)descriptor->Identifiers;

	if (stage_command(unit, page, sizeof(page), HOST_FLAGS_DATA_IN, data, sizeof(data)) != 0)
		lf_fake_broken("no VPD page 83h");
	for (uint32_t at = 4; at < 4u + lf_get_be16(data + 2); at += 4u + data[at + 3]) {
		if ((data[at + 1] & 0x3f) != 3)
			continue;
		memset(room, 0, 64);
		identifier->CodeSet = StorageIdCodeSetBinary;
		identifier->Type = StorageIdTypeFCPHName;
		identifier->Association = StorageIdAssocDevice;
		identifier->IdentifierSize = data[at + 3];
		memcpy(identifier->Identifier, data + at + 4, data[at + 3]);
		*length = (uint32_t)(identifier->Identifier - room) + data[at + 3];
		descriptor->Version = sizeof(*descriptor);
		descriptor->Size = *length;
		descriptor->NumberOfIdentifiers = 1;
		return room;
	}
	lf_fake_broken("no NAA designator");
}

static enum lf_control_status insert(const struct stage_unit *unit, const char *path)
{
	union lf_control_request *request = calloc(1, sizeof(*request));
	struct stage_reply *reply = calloc(1, sizeof(*reply));
	enum lf_control_status status = LF_CONTROL_FAILED;
	char id[16];

	if (request == NULL || reply == NULL)
		abort();
	snprintf(id, sizeof(id), "%u", unit->number);
	request->header.command = LF_CONTROL_INSERT;
	request->insert.flags = LF_CONTROL_INSERT_FORCE;
	lf_control_set_text(&request->insert.id, id);
	lf_control_set_text(&request->insert.image, path);
	if (stage_ask(request, reply) == STATUS_SUCCESS)
		status = reply->status;
	if (status != LF_CONTROL_OK)
		printf("# insert %s: %u %s\n", path, status, reply->text);
	free(request);
	free(reply);
	return status;
}

TEST(an_image_on_its_own_unit_is_refused_at_any_depth)
{
	uint8_t id_a[64], id_b[64];
	uint32_t length_a, length_b;
	struct lf_fake_volume *on_a, *on_b;
	struct stage_unit a, b;

	lf_fake_reset();
	on_a = lf_fake_volume_add(&(struct lf_fake_volume_options){.name = "D:"});
	on_b = lf_fake_volume_add(&(struct lf_fake_volume_options){.name = "E:"});
	lf_fake_file_add("D:\\loop.img", STAGE_MIB, FILE_ATTRIBUTE_NORMAL);
	lf_fake_file_add("E:\\loop.img", STAGE_MIB, FILE_ATTRIBUTE_NORMAL);
	lf_fake_file_add("C:\\fine.img", STAGE_MIB, FILE_ATTRIBUTE_NORMAL);
	stage_start();
	stage_up(&a, &(struct stage_options){.path = "C:\\a.img", .flags = LF_CONTROL_REMOVABLE});
	device_id(&a, id_a, &length_a);
	lf_fake_volume_device_id(on_a, id_a, length_a);
	stage_up(&b, &(struct stage_options){.path = "D:\\b.img"});
	device_id(&b, id_b, &length_b);
	lf_fake_volume_device_id(on_b, id_b, length_b);
	CHECK(insert(&a, STAGE_PREFIX "D:\\loop.img") != LF_CONTROL_OK);
	CHECK(insert(&a, STAGE_PREFIX "E:\\loop.img") != LF_CONTROL_OK);
	CHECK_EQ(insert(&a, STAGE_PREFIX "C:\\fine.img"), LF_CONTROL_OK);
	stage_close();
}
