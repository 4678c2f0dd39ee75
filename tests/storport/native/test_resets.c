/* SPDX-License-Identifier: BSD-2-Clause */
/* test_resets.c: resets, and images that do not answer: nothing ends early, nothing twice, nobody else waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/storport/native/stage.h"

#include <ntddstor.h> /* needs the types of ntifs.h */

#define CLOCK_RATE 10 /* ten seconds of the driver's clock are one of ours */
#define READS      12

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

static uint64_t now_100ns(void)
{
	return (uint64_t)KeQueryPerformanceCounter(NULL).QuadPart;
}

static uint32_t reset(const struct stage_unit *unit, UCHAR function)
{
	struct host_request request = stage_request(unit);

	request.function = function;
	host_run(stage, &request);
	return request.srb_status;
}

/* What a reset that still runs takes is sent again, as class drivers do. */
static bool works(const struct stage_unit *unit)
{
	uint8_t block[STAGE_BLOCK] = {0}, read[STAGE_BLOCK];
	bool good = false;

	stage_fill(block, 1, 1);
	for (int i = 0; i < 1000 && !good; i++) {
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

/* I/O that can be cancelled is, and ends with BUS_RESET before the reset does. */
TEST(a_reset_ends_what_can_be_cancelled)
{
	struct reads *reads = calloc(1, sizeof(*reads));
	struct stage_unit unit;

	CHECK(reads != NULL);
	for (uint32_t i = 0; i < lf_count_of(escalation); i++) {
		stage_open();
		stage_up(&unit, NULL);
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
	uint64_t shortest = UINT64_MAX, before, passed;
	uint32_t held;

	CHECK(reads != NULL);
	stage_open();
	lf_fake_clock_rate(CLOCK_RATE);
	stage_up(&unit, NULL);
	stage_up(&other, &(struct stage_options){.path = "C:\\other.img"});
	hold(&unit, 1 << LF_FAKE_READ, LF_FAKE_BLOCK);
	begin(reads, &unit);
	stage_wait_held(1);
	for (uint32_t i = 0; i < lf_count_of(escalation); i++) {
		before = now_100ns();
		CHECK_EQ(reset(&unit, escalation[i]), HOST_STATUS_TIMEOUT);
		passed = now_100ns() - before;
		shortest = lf_min(shortest, passed);
		host_reset_bus(stage);
		/* Only what had not reached the file system may have ended. */
		held = lf_fake_held();
		CHECK(held > 0 && host_outstanding(stage) >= held);
		CHECK(works(&other));
		CHECK_EQ(stage_count(), 2);
	}
	/* Ten seconds, the timer's tick, and what a busy machine adds to the best of three. */
	CHECK(shortest < 200000000);
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
			struct host_request request = stage_request(&slow);

			request.function = escalation[i];
			lf_fake_clock_rate(CLOCK_RATE);
			host_run(stage, &request);
			CHECK_EQ(request.srb_status, HOST_STATUS_TIMEOUT);
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

	CHECK(of_a != NULL && of_b != NULL);
	lf_fake_reset();
	lf_fake_volume_add(&(struct lf_fake_volume_options){.name = "D:"});
	stage_start();
	lf_fake_clock_rate(CLOCK_RATE);
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
	CHECK_EQ(reset(&b, HOST_SRB_RESET_LOGICAL_UNIT), HOST_STATUS_TIMEOUT);
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
