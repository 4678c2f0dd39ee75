/* SPDX-License-Identifier: BSD-2-Clause */
/* test_control_below.c: images that lie on units of ours, and must not lie on their own. */
#include "tests/unit/control_stage.h"

/* The disks that the next image lies on. */
static uint64_t disks[4];
static uint32_t disk_count;
static uint64_t drive, first, second; /* identifiers of units */

static uint32_t below(lf_handle handle, uint64_t *identifiers, uint32_t most)
{
	lf_assert(handle != LF_HANDLE_NONE && disk_count <= most);
	memcpy(identifiers, disks, disk_count * sizeof(disks[0]));
	return disk_count;
}

/* As the host has it from VPD page 83h: with what makes it an NAA identifier. */
static void lies_on(uint64_t identifier)
{
	disks[0] = UINT64_C(3) << 60 | identifier;
	disk_count = 1;
}

static uint64_t connect_on(uint64_t identifier, const char *path, uint32_t flags)
{
	lies_on(identifier);
	if (connect_image(path, image(path, 4096), flags) != LF_CONTROL_OK)
		return 0;
	return one.reply.one.device.identifier;
}

/* Beside what a foreign disk has, a drive, a disk on it, and a disk on that. */
static void set_up_chain(void)
{
	set_up_with((struct lf_devices_options){.below = below});
	drive = connect_on(0x123, "/drive.img", LF_CONTROL_REMOVABLE);
	first = connect_on(drive, "/first.img", 0);
	second = connect_on(first, "/second.img", 0);
	CHECK(drive && first && second);
}

static uint32_t insert_on(uint64_t identifier, const char *id)
{
	int fd = image("new", 512);

	lies_on(identifier);
	insert(&two, id, "/new.img", fd, 0);
	return ended(&two);
}

TEST(an_image_on_the_disk_of_its_own_drive_is_refused)
{
	set_up_chain();
	CHECK_EQ(insert_on(drive, "drive"), LF_CONTROL_INVALID);
	CHECK_STR(two.reply.failure.text.bytes,
		"it lies on the disk of drive itself: copy it to another one first");
	CHECK_EQ(closes, 0);
	/* All is as it was. */
	CHECK_EQ(show("drive"), LF_CONTROL_OK);
	CHECK_STR(one.reply.one.device.image.bytes, "/drive.img");
	CHECK_EQ(insert_on(0x123, "drive"), LF_CONTROL_OK);
	tear_down();
}

TEST(an_image_two_disks_above_its_own_drive_is_refused)
{
	set_up_chain();
	CHECK_EQ(insert_on(first, "drive"), LF_CONTROL_INVALID);
	CHECK_STR(two.reply.failure.text.bytes,
		"it lies on the disk of first, whose own image depends on drive: copy it to another one "
		"first");
	tear_down();
}

TEST(an_image_three_disks_above_its_own_drive_is_refused)
{
	set_up_chain();
	CHECK_EQ(insert_on(second, "drive"), LF_CONTROL_INVALID);
	CHECK_STR(two.reply.failure.text.bytes,
		"it lies on the disk of second, whose own image depends on drive: copy it to another one "
		"first");
	tear_down();
}

TEST(one_disk_of_many_is_enough)
{
	set_up_chain();
	lies_on(0x777);
	disks[1] = second; /* without the four bits, as some hosts have it */
	disks[2] = 0x888;
	disk_count = 3;
	insert(&two, "drive", "/new.img", image("new", 512), 0);
	CHECK_EQ(ended(&two), LF_CONTROL_INVALID);
	tear_down();
}

TEST(what_does_not_come_back_to_its_drive_may_be_as_deep_as_it_likes)
{
	uint64_t top;

	set_up_chain();
	CHECK(connect_on(second, "/other.img", LF_CONTROL_REMOVABLE));
	CHECK_EQ(insert_on(second, "other"), LF_CONTROL_OK);
	top = connect_on(second, "/top.img", 0);
	for (uint32_t i = 0; i < 20; i++) {
		char path[24];
		lf_format(path, sizeof(path), "/level%u.img", i);
		top = connect_on(top, path, 0);
		CHECK(top != 0);
	}
	CHECK_EQ(insert_on(top, "drive"), LF_CONTROL_INVALID);
	CHECK_EQ(insert_on(0x123, "drive"), LF_CONTROL_OK);
	/* What was in lay on another disk; the ones above still depend on the drive. */
	CHECK_EQ(insert_on(top, "drive"), LF_CONTROL_INVALID);
	tear_down();
}

TEST(a_way_that_is_cut_does_not_count)
{
	set_up_chain();
	ask_about(&two, LF_CONTROL_DISCONNECT, "first", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(insert_on(second, "drive"), LF_CONTROL_OK);
	tear_down();
}

TEST(an_empty_drive_depends_on_nothing)
{
	set_up_chain();
	CHECK(connect_on(drive, "/other.img", LF_CONTROL_REMOVABLE));
	CHECK_EQ(show("other"), LF_CONTROL_OK);
	drive = one.reply.one.device.identifier;
	CHECK_EQ(insert_on(drive, "drive"), LF_CONTROL_INVALID);
	ask_about(&two, LF_CONTROL_EJECT, "other", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(insert_on(drive, "drive"), LF_CONTROL_OK);
	tear_down();
}

TEST(a_disk_cannot_be_connected_from_the_disk_that_it_was)
{
	set_up_chain();
	ask_about(&two, LF_CONTROL_DISCONNECT, "second", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	/* The host has its volume still. */
	CHECK_EQ(connect_on(second, "/second.img", 0), 0);
	CHECK_EQ(one.reply.header.status, LF_CONTROL_INVALID);
	CHECK_STR(one.reply.failure.text.bytes,
		"it lies on the disk of second itself: copy it to another one first");
	CHECK(connect_on(first, "/second.img", 0) != 0);
	tear_down();
}
