/* SPDX-License-Identifier: BSD-2-Clause */
/* test_control_handler.c: requests against a real adapter on a real loop, over a store that can hold its
 * answers. */
#include "tests/unit/control_stage.h"

#include <pthread.h>
#include <stdio.h>

static struct asker three;

TEST(a_device_is_found_by_every_name_it_has)
{
	static const char *const ids[] = {"disk", "1", "/images/disk.img", "0:0:0",
		"iscsi://127.0.0.1:3260/iqn.2026-01.io.lungfish:test/0",
		"iscsi://0.0.0.0:3260/iqn.2026-01.io.lungfish:test/0",
		"iscsi://[::1]:3261/iqn.2026-01.io.lungfish:test/0"};

	set_up();
	CHECK_EQ(connect_image("/images/disk.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	CHECK_STR(one.reply.one.device.id.bytes, "disk");
	CHECK_STR(one.reply.one.device.url.bytes, "iscsi://127.0.0.1:3260/iqn.2026-01.io.lungfish:test/0");
	CHECK_EQ(one.reply.one.device.block_count, 2048);
	CHECK_EQ(connect_image("/images/other.img", image("b", 1 << 20), 0), LF_CONTROL_OK);
	for (uint32_t i = 0; i < lf_count_of(ids); i++) {
		CHECK_EQ(show(ids[i]), LF_CONTROL_OK);
		CHECK_EQ(one.reply.one.device.number, 1);
	}
	CHECK_EQ(show("0:0:7"), LF_CONTROL_NOT_FOUND);
	CHECK_EQ(show("dis"), LF_CONTROL_NOT_FOUND);
	tear_down();
	CHECK_EQ(flushes, 2);
	CHECK_EQ(closes, 2);
}

TEST(one_image_is_never_two_units)
{
	int fd = image("a", 1 << 20), again = dup(fd);

	set_up();
	CHECK_EQ(connect_image("/images/disk.img", fd, 0), LF_CONTROL_OK);
	CHECK_EQ(connect_image("/images/link.img", again, 0), LF_CONTROL_BUSY);
	CHECK_STR(one.reply.failure.text.bytes, "already connected as disk: disconnect it first");
	CHECK(fcntl(again, F_GETFD) < 0); /* it was closed */
	CHECK_EQ(connect_image("", image("b", 512), LF_CONTROL_REMOVABLE), LF_CONTROL_INVALID); /* which? */
	CHECK_EQ(lf_devices_count(devices), 1);
	tear_down();
}

/* Where an image that is connected cannot be opened once more: by the file, or else by the path. */
TEST(an_image_that_is_in_use_here_is_said_to_be)
{
	struct lf_system_file file = {0}, unknown = {0}, other = {.known = true, .node = {1}};
	int fd = image("a", 1 << 20);

	set_up();
	CHECK_EQ(lf_system_identify((lf_handle)fd, true, &file, &message), LF_CONTROL_OK);
	CHECK_EQ(connect_image("/images/disk.img", fd, 0), LF_CONTROL_OK);
	lf_handler_name_user(&handler, &file, "/images/link.img", &message);
	CHECK_STR(message.text, "already connected as disk: disconnect it first");
	lf_message_set(&message, "in use");
	lf_handler_name_user(&handler, &unknown, "/images/link.img", &message);
	lf_handler_name_user(&handler, &other, "/images/disk.img", &message);
	CHECK_STR(message.text, "in use");
	lf_handler_name_user(&handler, &unknown, "/images/disk.img", &message);
	CHECK_STR(message.text, "already connected as disk: disconnect it first");
	tear_down();
}

TEST(what_the_store_refuses_is_told_without_the_path)
{
	int fd = image("a", 0);

	set_up();
	CHECK_EQ(connect_image("/images/disk.img", fd, 0), LF_CONTROL_INVALID);
	CHECK_STR(one.reply.failure.text.bytes, "it is empty: give it a size");
	CHECK(fcntl(fd, F_GETFD) < 0);
	tear_down();
}

TEST(a_descriptor_must_allow_what_is_asked)
{
	int ends[2], fd;

	set_up();
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	CHECK_EQ(connect_image("/images/disk.img", fd, 0), LF_CONTROL_PERMISSION);
	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	CHECK_EQ(connect_image("/images/disk.img", ends[0], LF_CONTROL_READ_ONLY), LF_CONTROL_INVALID);
	close(ends[1]);
	CHECK_EQ(connect_image("/images", open("/", O_RDONLY | O_CLOEXEC), LF_CONTROL_READ_ONLY),
		LF_CONTROL_INVALID);
	CHECK_EQ(connect_image("/images/disk.img", open("/proc/self/exe", O_PATH | O_CLOEXEC),
			 LF_CONTROL_READ_ONLY),
		LF_CONTROL_PERMISSION);
	CHECK_EQ(connect_image("/images/disk.img", -1, 0), LF_CONTROL_INVALID);
	tear_down();
}

TEST(surplus_descriptors_are_closed)
{
	union lf_control_request request;
	int fd = image("a", 512);

	set_up();
	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_LIST;
	ask(&one, &request, fd);
	CHECK(one.answered);
	tear_down();
	CHECK(fcntl(fd, F_GETFD) < 0);
}

TEST(numbers_and_luns_are_not_given_again_at_once)
{
	set_up();
	CHECK_EQ(connect_image("/a.img", image("a", 512), 0), LF_CONTROL_OK);
	ask_about(&one, LF_CONTROL_DISCONNECT, "a", FOREVER_MS);
	run_until_answered(&one);
	CHECK_EQ(one.reply.header.status, LF_CONTROL_OK);
	CHECK_EQ(connect_image("/a.img", image("a", 512), 0), LF_CONTROL_OK);
	CHECK_EQ(one.reply.one.device.number, 2);
	CHECK_EQ(one.reply.one.device.lun, 1);
	tear_down();
}

TEST(a_list_goes_on_where_it_stopped)
{
	union lf_control_request request;
	struct lf_control_device device;
	char path[32];

	set_up();
	for (uint32_t i = 1; i <= 30; i++) {
		snprintf(path, sizeof(path), "/d%u.img", i);
		CHECK_EQ(connect_image(path, image(path, 512), 0), LF_CONTROL_OK);
	}
	memset(&request, 0, sizeof(request));
	for (uint32_t seen = 0; seen < 30; seen += one.reply.page.count) {
		request.header.command = LF_CONTROL_LIST;
		request.list.after = seen;
		ask(&one, &request, -1);
		CHECK_EQ(one.reply.header.status, LF_CONTROL_OK);
		CHECK_EQ(one.reply.page.count, lf_min(30 - seen, (uint32_t)LF_CONTROL_PAGE_DEVICES_MAX));
		CHECK_EQ(one.reply.page.more, seen + one.reply.page.count < 30);
		CHECK(lf_control_decode_device(one.bytes, 0, &device));
		CHECK_EQ(device.number, seen + 1);
	}
	tear_down();
}

TEST(disconnect_waits_for_what_is_in_flight)
{
	struct lf_timer timer = {.fired = release_later};

	set_up();
	CHECK_EQ(connect_image("/disk.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	hold_a_read();
	ask_about(&two, LF_CONTROL_DISCONNECT, "disk", FOREVER_MS);
	CHECK(!two.answered);
	CHECK_EQ(show("disk"), LF_CONTROL_OK);
	CHECK_EQ(one.reply.one.device.state, LF_CONTROL_OFFLINE);
	lf_loop_timer_set(loop, &timer, lf_time_ns() + 20 * NS_IN_MS);
	run_until_answered(&two);
	CHECK_EQ(two.reply.header.status, LF_CONTROL_OK);
	CHECK_EQ(two.reply.one.device.state, LF_CONTROL_OFFLINE);
	CHECK_EQ(flushes, 1);
	CHECK_EQ(closes, 1);
	CHECK_EQ(show("disk"), LF_CONTROL_NOT_FOUND);
	tear_down();
}

TEST(a_disconnect_that_takes_too_long_leaves_the_unit_offline_until_it_is_gone)
{
	struct lf_timer timer = {.fired = release_later};

	set_up();
	CHECK_EQ(connect_image("/disk.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	hold_a_read();
	ask_about(&one, LF_CONTROL_DISCONNECT, "disk", 20);
	run_until_answered(&one);
	CHECK_EQ(one.reply.header.status, LF_CONTROL_TIMED_OUT);
	CHECK_EQ(show("disk"), LF_CONTROL_OK);
	CHECK_EQ(one.reply.one.device.state, LF_CONTROL_OFFLINE);
	CHECK_EQ(closes, 0);
	/* A second one waits for the same departure, and sees its end. */
	ask_about(&two, LF_CONTROL_DISCONNECT, "disk", FOREVER_MS);
	lf_loop_timer_set(loop, &timer, lf_time_ns() + 20 * NS_IN_MS);
	run_until_answered(&two);
	CHECK_EQ(two.reply.header.status, LF_CONTROL_OK);
	CHECK_EQ(show("disk"), LF_CONTROL_NOT_FOUND);
	tear_down();
}

TEST(force_does_not_wait)
{
	union lf_control_request request;

	set_up();
	CHECK_EQ(connect_image("/disk.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	hold_a_read();
	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_DISCONNECT;
	request.select.flags = LF_CONTROL_FORCE;
	lf_control_set_text(&request.select.id, "disk");
	ask(&one, &request, -1);
	CHECK(one.answered);
	CHECK_EQ(one.reply.header.status, LF_CONTROL_OK);
	CHECK_EQ(one.reply.one.device.state, LF_CONTROL_OFFLINE);
	release_it();
	tear_down();
	CHECK_EQ(closes, 1);
}

TEST(a_client_that_goes_stops_no_departure)
{
	set_up();
	CHECK_EQ(connect_image("/disk.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	hold_a_read();
	ask_about(&two, LF_CONTROL_DISCONNECT, "disk", FOREVER_MS);
	lf_handler_forget(&two.call);
	release_it();
	tear_down();
	CHECK(!two.answered);
	CHECK_EQ(closes, 1);
}

TEST(a_flush_that_fails_is_told_to_who_disconnects)
{
	set_up();
	CHECK_EQ(connect_image("/disk.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	fail_flush = true;
	ask_about(&one, LF_CONTROL_DISCONNECT, "disk", FOREVER_MS);
	run_until_answered(&one);
	CHECK_EQ(one.reply.header.status, LF_CONTROL_FAILED);
	CHECK(strstr(one.reply.failure.text.bytes, "may not be on the medium"));
	CHECK_EQ(lf_devices_count(devices), 0);
	tear_down();
}

TEST(a_read_only_unit_is_not_flushed)
{
	set_up();
	CHECK_EQ(connect_image("/disk.img", image("a", 1 << 20), LF_CONTROL_READ_ONLY), LF_CONTROL_OK);
	CHECK_EQ(one.reply.one.device.flags & LF_CONTROL_DEVICE_READ_ONLY, LF_CONTROL_DEVICE_READ_ONLY);
	tear_down();
	CHECK_EQ(flushes, 0);
	CHECK_EQ(closes, 1);
}

TEST(status_counts_what_happened)
{
	union lf_control_request request;
	struct lf_control_event event;
	bool seen = false;

	set_up();
	CHECK_EQ(connect_image("/disk.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_STATUS;
	ask(&one, &request, -1);
	CHECK_EQ(one.reply.header.status, LF_CONTROL_OK);
	CHECK_EQ(one.reply.state.devices, 1);
	CHECK_EQ(one.reply.state.portal_count, 2);
	CHECK_STR(one.reply.state.release.bytes, "1.2.3");
	for (uint32_t i = 0; i < one.reply.state.event_count; i++) {
		CHECK(lf_control_decode_event(one.bytes, i, &event));
		seen = seen || (strcmp(event.name.bytes, "unit_added") == 0 && event.count > 0);
	}
	CHECK(seen);
	tear_down();
}

/* ---- INQUIRE ---- */

static void inquire(struct asker *asker, uint32_t number, const uint8_t *cdb, uint16_t cdb_length)
{
	union lf_control_request request;

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_INQUIRE;
	request.inquire.number = number;
	request.inquire.cdb.length = cdb_length;
	memcpy(request.inquire.cdb.bytes, cdb, cdb_length);
	ask(asker, &request, -1);
}

static const uint8_t serial_page[] = {0x12, 0x01, 0x80, 0x80, 0x00, 0x00};
static const uint8_t absent_page[] = {0x12, 0x01, 0xc7, 0x80, 0x00, 0x00};
static const uint8_t mode_sense[] = {0x5a, 0x08, 0x3f, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00};
static const uint8_t operation_codes[] = {
	0xa3, 0x0c, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00};
static const uint8_t read_capacity[] = {0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0};

TEST(an_inquiry_brings_what_the_unit_says)
{
	set_up();
	CHECK_EQ(connect_image("/disk.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	inquire(&two, 1, serial_page, sizeof(serial_page));
	CHECK(!two.answered); /* never from within */
	run_until_answered(&two);
	CHECK_EQ(two.reply.header.status, LF_CONTROL_OK);
	CHECK_EQ(two.reply.inquiry.scsi_status, 0x00);
	CHECK_EQ(two.reply.inquiry.data_length, 20);
	CHECK_EQ(lf_control_decode_data(two.bytes)[1], 0x80);
	CHECK_EQ(lf_control_decode_data(two.bytes)[3], 16);
	CHECK(memcmp(lf_control_decode_data(two.bytes) + 4, one.reply.one.device.serial.bytes, 16) == 0);
	inquire(&two, 1, read_capacity, sizeof(read_capacity));
	run_until_answered(&two);
	CHECK_EQ(two.reply.inquiry.data_length, 32);
	CHECK_EQ(lf_control_decode_data(two.bytes)[6], 0x07); /* the last LBA: 7FFh */
	CHECK_EQ(lf_control_decode_data(two.bytes)[7], 0xff);
	inquire(&two, 1, absent_page, sizeof(absent_page));
	run_until_answered(&two);
	CHECK_EQ(two.reply.header.status, LF_CONTROL_OK);
	CHECK_EQ(two.reply.inquiry.scsi_status, 0x02);
	CHECK_EQ(two.reply.inquiry.data_length, 0);
	CHECK_EQ(two.reply.inquiry.sense.bytes[2], 0x05);
	CHECK_EQ(two.reply.inquiry.sense.bytes[12], 0x24);
	tear_down();
}

TEST(an_inquiry_sees_no_unit_attention)
{
	set_up();
	CHECK_EQ(connect_image("/a.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	inquire(&two, 1, mode_sense, sizeof(mode_sense)); /* 29/00 */
	run_until_answered(&two);
	CHECK_EQ(two.reply.inquiry.scsi_status, 0x00);
	CHECK(two.reply.inquiry.data_length > 8);
	CHECK_EQ(connect_image("/b.img", image("b", 1 << 20), 0), LF_CONTROL_OK);
	inquire(&two, 1, operation_codes, sizeof(operation_codes)); /* 3F/0E */
	run_until_answered(&two);
	CHECK_EQ(two.reply.inquiry.scsi_status, 0x00);
	inquire(&two, 2, mode_sense, sizeof(mode_sense));
	run_until_answered(&two);
	CHECK_EQ(two.reply.inquiry.scsi_status, 0x00);
	tear_down();
}

TEST(only_commands_that_read_facts_are_carried_out)
{
	static const struct {
		uint8_t cdb[16];
		uint16_t length;
	} refused[] = {{{0x00}, 6}, {{0x03}, 6}, {{0x28, [8] = 1}, 10}, {{0x2a, [8] = 1}, 10}, {{0x42}, 10},
		{{0x35}, 10}, {{0x9e, 0x12}, 16}, {{0x9e, 0x11}, 16}, {{0xa3, 0x0a}, 12}, {{0xa4, 0x0c}, 12},
		{{0xa0}, 12}, {{0x55}, 10}, {{0x12}, 1}, {{0}, 0}};

	set_up();
	CHECK_EQ(connect_image("/a.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	for (uint32_t i = 0; i < lf_count_of(refused); i++) {
		inquire(&two, 1, refused[i].cdb, refused[i].length);
		CHECK(two.answered);
		CHECK_EQ(two.reply.header.status, LF_CONTROL_UNSUPPORTED);
	}
	inquire(&two, 0, serial_page, sizeof(serial_page));
	CHECK_EQ(two.reply.header.status, LF_CONTROL_NOT_FOUND);
	inquire(&two, 2, serial_page, sizeof(serial_page));
	CHECK_EQ(two.reply.header.status, LF_CONTROL_NOT_FOUND);
	/* A CDB that is shorter than its command is the unit's to refuse. */
	inquire(&two, 1, serial_page, 3);
	run_until_answered(&two);
	CHECK_EQ(two.reply.inquiry.scsi_status, 0x02);
	tear_down();
}

/* Whatever comes behind an ORDERED command waits for it. */
static void hold_an_ordered_read(void)
{
	hold_a_read_of(LF_TASK_ORDERED);
}

static void *release_elsewhere(void *context)
{
	(void)context;
	release_it();
	return NULL;
}

TEST(an_inquiry_that_ends_on_another_thread_comes_home)
{
	pthread_t thread;

	set_up();
	CHECK_EQ(connect_image("/a.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	hold_an_ordered_read();
	inquire(&two, 1, serial_page, sizeof(serial_page));
	CHECK(pthread_create(&thread, NULL, release_elsewhere, NULL) == 0);
	run_until_answered(&two);
	pthread_join(thread, NULL);
	CHECK_EQ(two.reply.header.status, LF_CONTROL_OK);
	CHECK_EQ(two.reply.inquiry.data_length, 20);
	tear_down();
}

TEST(a_client_that_goes_leaves_its_inquiry_to_the_unit)
{
	struct asker *gone = calloc(1, sizeof(*gone));
	pthread_t thread;

	set_up();
	CHECK_EQ(connect_image("/a.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	hold_an_ordered_read();
	inquire(gone, 1, mode_sense, sizeof(mode_sense));
	inquire(&two, 1, serial_page, sizeof(serial_page));
	lf_handler_forget(&gone->call);
	CHECK(!gone->answered);
	memset(gone, 0xff, sizeof(*gone));
	free(gone);
	CHECK(pthread_create(&thread, NULL, release_elsewhere, NULL) == 0);
	run_until_answered(&two);
	pthread_join(thread, NULL);
	CHECK_EQ(two.reply.inquiry.data_length, 20);
	tear_down();
}

TEST(inquiries_that_nobody_waits_for_have_a_limit)
{
	set_up();
	CHECK_EQ(connect_image("/a.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	hold_an_ordered_read();
	for (uint32_t i = 0; i < 64; i++) {
		inquire(&two, 1, serial_page, sizeof(serial_page));
		CHECK(!two.answered);
		lf_handler_forget(&two.call);
	}
	inquire(&two, 1, serial_page, sizeof(serial_page));
	CHECK(two.answered);
	CHECK_EQ(two.reply.header.status, LF_CONTROL_BUSY);
	release_it();
	tear_down();
}

TEST(a_unit_that_leaves_is_asked_no_more)
{
	set_up();
	CHECK_EQ(connect_image("/a.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	hold_an_ordered_read();
	inquire(&two, 1, serial_page, sizeof(serial_page));
	ask_about(&one, LF_CONTROL_DISCONNECT, "a", FOREVER_MS);
	CHECK(!one.answered);
	inquire(&three, 1, serial_page, sizeof(serial_page));
	CHECK(three.answered);
	CHECK_EQ(three.reply.header.status, LF_CONTROL_BUSY);
	release_it();
	run_until_answered(&one);
	CHECK_EQ(one.reply.header.status, LF_CONTROL_OK);
	CHECK(two.answered);
	CHECK_EQ(two.reply.header.status, LF_CONTROL_OK);
	/* Nor is the next one asked in its place. */
	CHECK_EQ(connect_image("/b.img", image("b", 1 << 20), 0), LF_CONTROL_OK);
	CHECK_EQ(one.reply.one.device.number, 2);
	inquire(&three, 1, serial_page, sizeof(serial_page));
	CHECK_EQ(three.reply.header.status, LF_CONTROL_NOT_FOUND);
	tear_down();
}

/* ---- A medium that comes and goes ---- */

static const struct lf_control_device *drive(void)
{
	show("1");
	return &one.reply.one.device;
}

TEST(a_drive_may_be_empty_and_gets_what_is_inserted)
{
	set_up();
	CHECK_EQ(connect_image("", -1, 0), LF_CONTROL_INVALID);
	CHECK_EQ(connect_image("", -1, LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	CHECK_STR(one.reply.one.device.id.bytes, "disk");
	CHECK_EQ(one.reply.one.device.state, LF_CONTROL_EMPTY);
	CHECK_EQ(one.reply.one.device.block_count, 0);
	CHECK_EQ(one.reply.one.device.block_size, 512);
	insert(&two, "disk", "/a.img", image("a", 1 << 20), 0);
	CHECK(!two.answered);
	CHECK_EQ(drive()->state, LF_CONTROL_IN_USE);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(two.reply.one.device.state, LF_CONTROL_READY);
	CHECK_EQ(two.reply.one.device.block_count, 2048);
	CHECK_STR(two.reply.one.device.image.bytes, "/a.img");
	/* What is in is found by its path, and exchanged for something else. */
	insert(&two, "/a.img", "/b.img", image("b", 1 << 19), LF_CONTROL_INSERT_READ_ONLY);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(two.reply.one.device.block_count, 1024);
	CHECK(two.reply.one.device.flags & LF_CONTROL_DEVICE_READ_ONLY);
	CHECK_EQ(flushes, 1);
	CHECK_EQ(closes, 1);
	ask_about(&two, LF_CONTROL_EJECT, "disk", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(two.reply.one.device.state, LF_CONTROL_EMPTY);
	CHECK_EQ(two.reply.one.device.image.length, 0);
	CHECK_EQ(flushes, 1); /* what was read-only has nothing to flush */
	CHECK_EQ(closes, 2);
	ask_about(&two, LF_CONTROL_EJECT, "disk", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	tear_down();
	CHECK_EQ(closes, 2);
}

TEST(a_drive_stays_the_same_whatever_is_in_it)
{
	uint64_t identifier;

	set_up();
	CHECK_EQ(connect_image("/a.img", image("a", 512), LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	identifier = drive()->identifier;
	insert(&two, "a", "/b.img", image("b", 512), 0);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(drive()->identifier, identifier);
	CHECK_STR(drive()->id.bytes, "a");
	/* A disk of that image is another unit. */
	CHECK_EQ(connect_image("/a.img", image("a", 512), 0), LF_CONTROL_OK);
	CHECK(one.reply.one.device.identifier != identifier);
	tear_down();
}

TEST(what_cannot_be_inserted_leaves_all_as_it_was)
{
	int fd = image("a", 1024), same = dup(fd), fixed = image("c", 512), again = dup(fixed);
	int empty = image("d", 0), surplus = image("e", 512);

	set_up();
	CHECK_EQ(connect_image("/a.img", fd, LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	CHECK_EQ(connect_image("/c.img", fixed, 0), LF_CONTROL_OK);
	insert(&two, "a", "/a.img", same, 0);
	CHECK_EQ(ended(&two), LF_CONTROL_BUSY);
	insert(&two, "a", "/c.img", again, 0);
	CHECK_EQ(ended(&two), LF_CONTROL_BUSY);
	insert(&two, "a", "/d.img", empty, 0);
	CHECK_EQ(ended(&two), LF_CONTROL_INVALID);
	insert(&two, "c", "/e.img", surplus, 0);
	CHECK_EQ(ended(&two), LF_CONTROL_UNSUPPORTED);
	CHECK(fcntl(same, F_GETFD) < 0 && fcntl(again, F_GETFD) < 0 && fcntl(empty, F_GETFD) < 0 &&
		fcntl(surplus, F_GETFD) < 0);
	insert(&two, "a", "/e.img", -1, 0);
	CHECK_EQ(ended(&two), LF_CONTROL_INVALID);
	insert(&two, "nobody", "/e.img", image("e", 512), 0);
	CHECK_EQ(ended(&two), LF_CONTROL_NOT_FOUND);
	ask_about(&two, LF_CONTROL_EJECT, "c", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_UNSUPPORTED);
	CHECK_STR(drive()->image.bytes, "/a.img");
	CHECK_EQ(drive()->state, LF_CONTROL_READY);
	/* What was refused may come later, and elsewhere. */
	ask_about(&two, LF_CONTROL_EJECT, "a", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(connect_image("/d.img", image("d", 512), 0), LF_CONTROL_OK);
	tear_down();
}

static void lock_in(uint8_t prevent)
{
	struct lf_nexus_options options = {.initiator = "test"};

	memset(&command, 0, sizeof(command));
	task_attribute = LF_TASK_SIMPLE;
	nexus = lf_nexus_open(adapter, &options);
	send_command(0x00, 6, 0);
	send_short(0x1e, prevent);
	CHECK_EQ(command.status, LF_STATUS_GOOD);
}

TEST(a_medium_that_an_initiator_locked_in_stays_unless_forced)
{
	int fd = image("b", 512);

	set_up();
	CHECK_EQ(connect_image("/a.img", image("a", 1024), LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	lock_in(1);
	CHECK(drive()->flags & LF_CONTROL_DEVICE_PREVENTED);
	ask_about(&two, LF_CONTROL_EJECT, "a", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_BUSY);
	CHECK(strstr(two.reply.failure.text.bytes, "--force"));
	insert(&two, "a", "/b.img", fd, 0);
	CHECK_EQ(ended(&two), LF_CONTROL_BUSY);
	CHECK_EQ(closes, 1); /* what was to come in */
	CHECK_STR(drive()->image.bytes, "/a.img");
	insert(&two, "a", "/b.img", image("b", 512), LF_CONTROL_INSERT_FORCE);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_STR(drive()->image.bytes, "/b.img");
	lf_nexus_close(nexus);
	tear_down();
}

TEST(what_an_initiator_ejected_is_remembered_and_may_be_inserted_again)
{
	int fd = image("a", 1024), again = dup(fd);

	set_up();
	CHECK_EQ(connect_image("/a.img", fd, LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	lock_in(0);
	send_short(0x1b, 2); /* START STOP UNIT: LOEJ */
	CHECK_EQ(command.status, LF_STATUS_GOOD);
	CHECK_EQ(drive()->state, LF_CONTROL_EMPTY);
	CHECK(drive()->flags & LF_CONTROL_DEVICE_EJECTED);
	CHECK_STR(drive()->image.bytes, "/a.img");
	insert(&two, "a", "/a.img", again, 0);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(closes, 1);
	CHECK_EQ(drive()->state, LF_CONTROL_READY);
	CHECK(!(drive()->flags & LF_CONTROL_DEVICE_EJECTED));
	CHECK_EQ(drive()->block_count, 2);
	lf_nexus_close(nexus);
	tear_down();
	CHECK_EQ(closes, 2);
}

TEST(an_eject_waits_for_what_is_in_flight_and_others_are_told_so)
{
	struct lf_timer timer = {.fired = release_later};

	set_up();
	CHECK_EQ(connect_image("/a.img", image("a", 1 << 20), LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	hold_a_read();
	ask_about(&two, LF_CONTROL_EJECT, "a", 20);
	CHECK(!two.answered);
	/* One change at a time. */
	ask_about(&three, LF_CONTROL_EJECT, "a", FOREVER_MS);
	CHECK_EQ(ended(&three), LF_CONTROL_BUSY);
	resize(&three, "a", 2 << 20);
	CHECK_EQ(ended(&three), LF_CONTROL_BUSY);
	insert(&three, "a", "/b.img", image("b", 512), 0);
	CHECK_EQ(ended(&three), LF_CONTROL_BUSY);
	/* It came too late for whoever asked, and is done all the same. */
	CHECK_EQ(ended(&two), LF_CONTROL_TIMED_OUT);
	CHECK_EQ(drive()->state, LF_CONTROL_IN_USE);
	/* A departure comes after it. */
	ask_about(&two, LF_CONTROL_DISCONNECT, "a", FOREVER_MS);
	CHECK_EQ(drive()->state, LF_CONTROL_OFFLINE);
	ask_about(&three, LF_CONTROL_EJECT, "a", FOREVER_MS);
	CHECK_EQ(ended(&three), LF_CONTROL_BUSY);
	lf_loop_timer_set(loop, &timer, lf_time_ns() + 20 * NS_IN_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(lf_devices_count(devices), 0);
	CHECK_EQ(closes, 1);
	tear_down();
}

static bool is_open(void)
{
	return !lf_device_opens(lf_devices_find(devices, "a", ""));
}

TEST(an_adapter_that_stops_in_the_middle_of_a_change_ends_it_first)
{
	struct lf_timer timer = {.fired = release_later};

	set_up();
	CHECK_EQ(connect_image("/a.img", image("a", 1 << 20), LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	hold_a_read();
	insert(&two, "a", "/b.img", image("b", 512), 0);
	run_until(is_open);
	lf_handler_forget(&two.call);
	lf_loop_timer_set(loop, &timer, lf_time_ns() + 20 * NS_IN_MS);
	tear_down();
	CHECK(!two.answered);
	CHECK_EQ(closes, 2);
}

TEST(a_disk_grows_and_does_not_shrink)
{
	int fd = image("a", 1 << 20);

	set_up();
	CHECK_EQ(connect_image("/a.img", fd, 0), LF_CONTROL_OK);
	resize(&two, "a", 2 << 20);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(two.reply.one.device.block_count, 4096);
	CHECK_EQ(lseek(last_store->fd, 0, SEEK_END), 2 << 20);
	resize(&two, "a", 1 << 20);
	CHECK_EQ(ended(&two), LF_CONTROL_BUSY);
	CHECK(strstr(two.reply.failure.text.bytes, "disconnect it"));
	resize(&two, "a", (2 << 20) + 1);
	CHECK_EQ(ended(&two), LF_CONTROL_INVALID);
	CHECK_EQ(lseek(last_store->fd, 0, SEEK_END), 2 << 20);
	/* A file that grew, or that shrank. */
	CHECK(ftruncate(last_store->fd, 3 << 20) == 0);
	resize(&two, "a", 0);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(two.reply.one.device.block_count, 6144);
	resize(&two, "a", 0);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK(ftruncate(last_store->fd, 1 << 20) == 0);
	resize(&two, "a", 0);
	CHECK_EQ(ended(&two), LF_CONTROL_BUSY);
	CHECK_EQ(drive()->block_count, 6144);
	tear_down();
}
