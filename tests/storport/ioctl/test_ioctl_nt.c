/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ioctl_nt.c: service IRPs: who may ask, what is refused, opening as the caller, cancelling, stopping.
 */
#include "control/access_nt.h"
#include "tests/storport/ioctl/bed.h"

#include <stdlib.h>
#include <string.h>

#define DISK "\\??\\C:\\images\\disk.img"

static struct lf_fake_file *make_disk(void)
{
	return lf_fake_file_add("C:\\images\\disk.img", 1 << 20, 0);
}

static NTSTATUS raw(const void *in, ULONG in_bytes, ULONG out_bytes)
{
	struct bed_irp one;
	NTSTATUS status;

	bed_send(&one, in, in_bytes, out_bytes);
	status = bed_end(&one);
	bed_forget(&one);
	return status;
}

static enum lf_control_status ask(union lf_control_request request, char text[512])
{
	enum lf_control_status status = LF_CONTROL_OK;

	if (bed_ask(&request, &status, text) != STATUS_SUCCESS)
		return (enum lf_control_status)999;
	return status;
}

TEST(request_is_answered_and_nothing_is_left)
{
	char text[512];

	bed_open();
	CHECK_EQ(ask(bed_request(LF_CONTROL_IDENTIFY), text), LF_CONTROL_OK);
	CHECK_EQ(bed_read(&bed.served), 1);
	bed_stop();
	bed_close();
}

TEST(short_long_and_foreign_requests_have_their_status)
{
	uint8_t bytes[LF_IOCTL_REQUEST_MAX + 1] = {0};
	union lf_control_request request = bed_request(LF_CONTROL_IDENTIFY);
	size_t length = lf_control_encode_request(&request, bytes, sizeof(bytes));

	bed_open();
	CHECK_EQ(raw(bytes, 0, 4096), STATUS_INVALID_PARAMETER);
	CHECK_EQ(raw(bytes, (ULONG)length - 1, 4096), STATUS_INVALID_PARAMETER);
	CHECK_EQ(raw(bytes, LF_IOCTL_REQUEST_MAX, 4096), STATUS_SUCCESS);
	CHECK_EQ(raw(bytes, LF_IOCTL_REQUEST_MAX + 1, 4096), STATUS_INVALID_PARAMETER);
	CHECK_EQ(raw(bytes, (ULONG)length, 0), STATUS_BUFFER_TOO_SMALL);
	CHECK_EQ(raw(bytes, (ULONG)length, 119), STATUS_BUFFER_TOO_SMALL);
	CHECK_EQ(raw(bytes, (ULONG)length, 120), STATUS_SUCCESS);
	bytes[0] ^= 1;
	CHECK_EQ(raw(bytes, (ULONG)length, 4096), STATUS_INVALID_DEVICE_REQUEST);
	bytes[0] ^= 1;
	/* A version or a size that is wrong is for the handler to say. */
	bytes[4] = 77;
	CHECK_EQ(raw(bytes, (ULONG)length, 4096), STATUS_SUCCESS);
	bed_stop();
	bed_close();
}

TEST(what_changes_something_needs_room_for_its_reply_first)
{
	static const uint16_t changing[] = {LF_CONTROL_CONNECT, LF_CONTROL_DISCONNECT, LF_CONTROL_INSERT,
		LF_CONTROL_EJECT, LF_CONTROL_RESIZE, LF_CONTROL_DROP, LF_CONTROL_RESERVATION_CLEAR};
	uint8_t bytes[sizeof(union lf_control_request)];

	_Static_assert(LF_IOCTL_REPLY_MIN == sizeof(struct lf_control_one), "the longest of those replies");
	bed_open();
	make_disk();
	for (uint32_t i = 0; i < lf_count_of(changing); i++) {
		union lf_control_request request = bed_request(changing[i]);
		size_t length = lf_control_encode_request(&request, bytes, sizeof(bytes));
		CHECK_EQ(raw(bytes, (ULONG)length, LF_IOCTL_REPLY_MIN - 1), STATUS_BUFFER_TOO_SMALL);
		CHECK_EQ(bed_read(&bed.served), i);
		CHECK_EQ(raw(bytes, (ULONG)length, LF_IOCTL_REPLY_MIN), STATUS_SUCCESS);
	}
	bed_stop();
	bed_close();
}

TEST(other_control_codes_and_the_kernel_are_refused)
{
	union lf_control_request request = bed_request(LF_CONTROL_IDENTIFY);
	uint8_t bytes[sizeof(request)];
	ULONG length = (ULONG)lf_control_encode_request(&request, bytes, sizeof(bytes));
	struct bed_irp one = {0};

	bed_open();
	for (uint32_t i = 0; i < 3; i++) {
		one.done = false;
		one.irp = lf_fake_irp_make(i == 0 ? LF_IOCTL_SERVICE + 4 : LF_IOCTL_SERVICE, bytes, length,
			4096, i == 1 ? KernelMode : UserMode);
		one.irp->Tail.Overlay.DriverContext[3] = &one;
		if (i == 2)
			IoGetCurrentIrpStackLocation(one.irp)->MajorFunction = IRP_MJ_INTERNAL_DEVICE_CONTROL;
		lf_ioctl_serve(bed.ioctl, one.irp);
		CHECK_EQ(bed_end(&one), i == 1 ? STATUS_ACCESS_DENIED : STATUS_INVALID_DEVICE_REQUEST);
		bed_forget(&one);
	}
	CHECK_EQ(bed_read(&bed.served), 0);
	bed_stop();
	bed_close();
}

/* MS-DTYP 2.4.2, 2.4.4, 2.4.5: D:(A;;FA;;;SY)(A;;FA;;;BA), owned by Administrators. */
TEST(list_of_who_may_has_these_bytes)
{
	static const uint8_t list[] = {2, 0, 128, 0, 2, 0, 0, 0,     /* revision, size, two entries */
		0, 0, 20, 0, 0xff, 1, 0x1f, 0,                       /* allowed: all of a file */
		1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0,                 /* S-1-5-18 */
		0, 0, 24, 0, 0xff, 1, 0x1f, 0,                       /* likewise */
		1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0}; /* S-1-5-32-544 */
	static struct lf_access access;

	CHECK_EQ(lf_access_init(&access), STATUS_SUCCESS);
	CHECK(memcmp(access.list, list, sizeof(list)) == 0);
	CHECK(access.descriptor.Dacl == (ACL *)(void *)access.list && !access.descriptor.Sacl);
	CHECK_EQ(access.descriptor.Control, SE_DACL_PRESENT);
	CHECK(memcmp(access.descriptor.Owner, list + 36, 16) == 0);
	CHECK(memcmp(access.descriptor.Group, list + 16, 12) == 0);
}

TEST(administrators_and_the_system_may_and_nobody_else)
{
	union lf_control_request request = bed_request(LF_CONTROL_IDENTIFY);
	enum lf_control_status status;
	char text[512];

	bed_open();
	lf_fake_process_of(LF_FAKE_USER);
	CHECK_EQ(bed_ask(&request, &status, text), STATUS_ACCESS_DENIED);
	lf_fake_process_of(LF_FAKE_SYSTEM);
	CHECK_EQ(bed_ask(&request, &status, text), STATUS_SUCCESS);
	/* It counts who the thread is, not who its process is. */
	lf_fake_impersonate(LF_FAKE_USER, SecurityImpersonation);
	CHECK_EQ(bed_ask(&request, &status, text), STATUS_ACCESS_DENIED);
	lf_fake_impersonate(LF_FAKE_ADMIN, SecurityImpersonation);
	CHECK_EQ(bed_ask(&request, &status, text), STATUS_SUCCESS);
	lf_fake_impersonate(LF_FAKE_ADMIN, SecurityIdentification);
	CHECK_EQ(bed_ask(&request, &status, text), STATUS_BAD_IMPERSONATION_LEVEL);
	lf_fake_impersonate(LF_FAKE_ADMIN, SecurityAnonymous);
	CHECK_EQ(bed_ask(&request, &status, text), STATUS_BAD_IMPERSONATION_LEVEL);
	lf_fake_revert();
	CHECK_EQ(bed_read(&bed.served), 2);
	bed_stop();
	bed_close();
}

static void *serve_as_the_system(void *context)
{
	struct bed_irp *one = context;

	lf_ioctl_serve(bed.ioctl, one->irp);
	return NULL;
}

/* A filter sends the IRP on from a thread of its own: it is not the filter that asks. */
TEST(rights_are_those_of_the_thread_of_the_irp)
{
	static const NTSTATUS due[] = {STATUS_SUCCESS, STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED};
	union lf_control_request request = bed_request(LF_CONTROL_IDENTIFY);
	uint8_t bytes[sizeof(request)];
	ULONG length = (ULONG)lf_control_encode_request(&request, bytes, sizeof(bytes));
	struct bed_irp one;
	pthread_t filter;

	bed_open();
	for (uint32_t i = 0; i < lf_count_of(due); i++) {
		lf_fake_process_of(i == 1 ? LF_FAKE_USER : LF_FAKE_ADMIN);
		one.done = false;
		one.irp = lf_fake_irp_make(LF_IOCTL_SERVICE, bytes, length, 4096, UserMode);
		one.irp->Tail.Overlay.DriverContext[3] = &one;
		if (i == 2)
			one.irp->Tail.Overlay.Thread = NULL;
		CHECK(pthread_create(&filter, NULL, serve_as_the_system, &one) == 0);
		pthread_join(filter, NULL);
		CHECK_EQ(bed_end(&one), due[i]);
		bed_forget(&one);
	}
	bed_stop();
	bed_close();
}

TEST(image_is_opened_as_the_caller_and_without_a_cache)
{
	struct lf_fake_file *disk;
	char text[512];

	bed_open();
	disk = make_disk();
	CHECK_EQ(ask(bed_connect(DISK, false), text), LF_CONTROL_OK);
	CHECK(bed.brought == 1 && bed.asked.is_impersonating);
	CHECK_EQ(bed.asked.attributes, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE | OBJ_FORCE_ACCESS_CHECK);
	CHECK_EQ(bed.asked.options, FILE_NON_DIRECTORY_FILE | FILE_NO_INTERMEDIATE_BUFFERING);
	CHECK_EQ(bed.asked.share, FILE_SHARE_READ);
	CHECK(bed.asked.access & FILE_WRITE_DATA);
	/* Should it be a pipe, who serves it cannot act as the caller. */
	CHECK_EQ(bed.asked.lends, SecurityAnonymous);
	CHECK_EQ(ask(bed_connect(DISK, true), text), LF_CONTROL_OK);
	CHECK_EQ(bed.asked.options, FILE_NON_DIRECTORY_FILE);
	CHECK(!(bed.asked.access & FILE_WRITE_DATA));
	/* What he may not write he may connect read-only; what he may not read, not at all. */
	lf_fake_file_admin_rights(disk, FILE_GENERIC_READ);
	CHECK_EQ(ask(bed_connect(DISK, false), text), LF_CONTROL_PERMISSION);
	CHECK(strstr(text, "permission denied: it is opened with your own rights"));
	CHECK_EQ(ask(bed_connect(DISK, true), text), LF_CONTROL_OK);
	lf_fake_file_admin_rights(disk, 0);
	CHECK_EQ(ask(bed_connect(DISK, true), text), LF_CONTROL_PERMISSION);
	CHECK_EQ(lf_fake_file_opens(disk), 0);
	bed_stop();
	bed_close();
}

/* Perhaps it is connected here, by another of its names: the handler is told which file it is. */
TEST(image_that_is_in_use_is_said_whose_it_is)
{
	struct lf_fake_file *disk;
	char text[512];

	bed_open();
	disk = make_disk();
	lf_fake_file_hold(disk, FILE_READ_DATA | FILE_WRITE_DATA, FILE_SHARE_READ);
	CHECK_EQ(ask(bed_connect(DISK, false), text), LF_CONTROL_BUSY);
	CHECK(strstr(text, DISK " is file "));
	CHECK(bed.asked.is_impersonating && bed.asked.access == (FILE_READ_ATTRIBUTES | SYNCHRONIZE));
	CHECK_EQ(bed.asked.attributes, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE | OBJ_FORCE_ACCESS_CHECK);
	/* Nor may its facts be seen, or the file system has no number for it. */
	lf_fake_fail(LF_FAKE_OPEN, 0, 2);
	lf_fake_open_status(STATUS_SHARING_VIOLATION);
	CHECK_EQ(ask(bed_connect(DISK, true), text), LF_CONTROL_BUSY);
	CHECK(strstr(text, "in use by another program"));
	lf_fake_file_let_go(disk);
	CHECK_EQ(lf_fake_file_opens(disk), 0);
	bed_stop();
	bed_close();
}

TEST(disc_is_opened_for_reading_also_when_it_is_inserted)
{
	union lf_control_request request = bed_connect("\\??\\C:\\disc.iso", false);
	char text[512];

	bed_open();
	lf_fake_file_add("C:\\disc.iso", 1 << 20, FILE_ATTRIBUTE_READONLY);
	request.connect.type = 5;
	CHECK_EQ(ask(request, text), LF_CONTROL_OK);
	CHECK(bed.brought == 1 && !(bed.asked.access & FILE_WRITE_DATA));
	request = bed_request(LF_CONTROL_INSERT);
	lf_control_set_text(&request.insert.id, "cdrom");
	lf_control_set_text(&request.insert.image, "\\??\\C:\\disc.iso");
	CHECK_EQ(ask(request, text), LF_CONTROL_PERMISSION);
	request.insert.flags = LF_CONTROL_INSERT_READ_ONLY;
	CHECK_EQ(ask(request, text), LF_CONTROL_OK);
	CHECK_EQ(bed.brought, 2);
	/* A drive without a medium: nothing is opened. */
	request = bed_connect("", true);
	request.connect.type = 5;
	CHECK_EQ(ask(request, text), LF_CONTROL_OK);
	CHECK_EQ(bed.brought, 2);
	bed_stop();
	bed_close();
}

TEST(images_on_shares_and_on_volumes_without_a_letter_are_opened)
{
	static const struct lf_fake_volume_options share = {.name = "server\\share", .remote = true};
	static const struct lf_fake_volume_options volume = {
		.name = "Volume{11111111-2222-3333-4444-555555555555}"};
	char text[512];

	bed_open();
	lf_fake_volume_add(&share);
	lf_fake_volume_add(&volume);
	lf_fake_file_add("server\\share\\disk.img", 1 << 20, 0);
	lf_fake_file_add("Volume{11111111-2222-3333-4444-555555555555}\\disk.img", 1 << 20, 0);
	CHECK_EQ(ask(bed_connect("\\??\\UNC\\server\\share\\disk.img", false), text), LF_CONTROL_OK);
	CHECK_EQ(
		ask(bed_connect("\\??\\Volume{11111111-2222-3333-4444-555555555555}\\disk.img", false), text),
		LF_CONTROL_OK);
	CHECK_EQ(bed.brought, 2);
	bed_stop();
	bed_close();
}

TEST(each_path_that_is_no_image_has_its_status_and_says_why)
{
	static const struct {
		const char *path;
		enum lf_control_status status;
		const char *words;
	} paths[] = {
		{"images\\disk.img", LF_CONTROL_INVALID, "not absolute"},
		{"C:\\images\\disk.img", LF_CONTROL_INVALID, "not absolute"},
		{"\\images\\disk.img", LF_CONTROL_INVALID, "not absolute"},
		{"/images/disk.img", LF_CONTROL_INVALID, "not absolute"},
		{"\\Device\\Harddisk0\\Partition0", LF_CONTROL_INVALID, "not absolute"},
		{"\\??\\PhysicalDrive0", LF_CONTROL_INVALID, "names no drive, volume or share"},
		{"\\??\\GLOBALROOT\\Device\\Null", LF_CONTROL_INVALID, "names no drive, volume or share"},
		{"\\??\\C:", LF_CONTROL_INVALID, "names no drive, volume or share"},
		{"\\??\\C:\\", LF_CONTROL_INVALID, "no name of a file"},
		{"\\??\\C:\\images\\..\\disk.img", LF_CONTROL_INVALID, "no name of a file"},
		{"\\??\\C:\\images\\\\disk.img", LF_CONTROL_INVALID, "no name of a file"},
		{"\\??\\C:\\images\\disk.img:stream", LF_CONTROL_INVALID, "no name of a file"},
		{"\\??\\C:\\images/disk.img", LF_CONTROL_INVALID, "no name of a file"},
		{"\\??\\UNC\\server\\share", LF_CONTROL_INVALID, "name a file on it"},
		{"\\??\\C:\\images", LF_CONTROL_INVALID, "it is a directory: name an image file"},
		{"\\??\\P:\\pipe", LF_CONTROL_INVALID, "it is a device, not a file"},
		{"\\??\\C:\\images\\none.img", LF_CONTROL_NOT_FOUND, "no such file"},
		{"\\??\\C:\\none\\disk.img", LF_CONTROL_NOT_FOUND, "no such directory or drive"},
		{"\\??\\Q:\\disk.img", LF_CONTROL_NOT_FOUND, "mapped drives"},
	};
	const struct lf_fake_volume_options pipes = {.name = "P:", .device_type = FILE_DEVICE_NAMED_PIPE};
	char text[512];

	bed_open();
	make_disk();
	lf_fake_volume_add(&pipes);
	lf_fake_file_add("P:\\pipe", 4096, 0);
	for (uint32_t i = 0; i < lf_count_of(paths); i++) {
		enum lf_control_status status = ask(bed_connect(paths[i].path, false), text);
		if (status != paths[i].status || !strstr(text, paths[i].words))
			lf_test_fail(__FILE__, __LINE__, "%s: status %d: %s", paths[i].path, status, text);
	}
	CHECK_EQ(bed_read(&bed.served), 0);
	bed_stop();
	bed_close();
}

/* Of one that is a device: \\??\\X: may be a link to \\Device, and the rest of the name a disk. */
TEST(what_cannot_be_examined_is_no_device_for_that)
{
	static const struct lf_fake_volume_options pipes = {
		.name = "server\\pipe", .device_type = FILE_DEVICE_NAMED_PIPE, .remote = true};
	char text[512];

	bed_open();
	make_disk();
	lf_fake_volume_add(&pipes);
	lf_fake_file_add("server\\pipe\\name", 4096, 0);
	CHECK_EQ(ask(bed_connect("\\??\\UNC\\server\\pipe\\name", false), text), LF_CONTROL_INVALID);
	CHECK(strstr(text, "it is a device, not a file"));
	for (uint32_t nth = 0; nth < 2; nth++) {
		lf_fake_fail(LF_FAKE_QUERY, nth, 1);
		CHECK_EQ(ask(bed_connect(DISK, false), text), LF_CONTROL_FAILED);
		CHECK(strstr(text, "memory"));
	}
	CHECK_EQ(lf_fake_file_opens(lf_fake_file_find("C:\\images\\disk.img")), 0);
	bed_stop();
	bed_close();
}

TEST(each_failure_to_open_has_its_status_and_says_why)
{
	static const struct {
		NTSTATUS open;
		enum lf_control_status status;
		const char *words;
	} failures[] = {
		{STATUS_SHARING_VIOLATION, LF_CONTROL_BUSY, "in use by another program"},
		{STATUS_DELETE_PENDING, LF_CONTROL_BUSY, "being deleted"},
		{STATUS_ACCESS_DENIED, LF_CONTROL_PERMISSION, "permission denied"},
		{STATUS_MEDIA_WRITE_PROTECTED, LF_CONTROL_PERMISSION, "add --read-only"},
		{STATUS_BAD_NETWORK_PATH, LF_CONTROL_NOT_FOUND, "the server is not there"},
		{STATUS_BAD_NETWORK_NAME, LF_CONTROL_NOT_FOUND, "no such share"},
		{STATUS_IO_TIMEOUT, LF_CONTROL_TIMED_OUT, "the server does not answer"},
		{STATUS_LOGON_FAILURE, LF_CONTROL_PERMISSION, "does not know you"},
		{STATUS_OBJECT_NAME_INVALID, LF_CONTROL_INVALID, "no valid name"},
		{STATUS_DISK_CORRUPT_ERROR, LF_CONTROL_FAILED, "status 0xc0000032"},
		{STATUS_INSUFFICIENT_RESOURCES, LF_CONTROL_FAILED, "memory is short: try again"},
	};
	char text[512];

	bed_open();
	make_disk();
	for (uint32_t i = 0; i < lf_count_of(failures); i++) {
		enum lf_control_status status;
		lf_fake_open_status(failures[i].open);
		lf_fake_fail(LF_FAKE_OPEN, 0, 2);
		status = ask(bed_connect(DISK, false), text);
		if (status != failures[i].status || !strstr(text, failures[i].words))
			lf_test_fail(__FILE__, __LINE__, "0x%08x: status %d: %s", (unsigned)failures[i].open,
				status, text);
	}
	bed_stop();
	bed_close();
}

/* What it is that fails does not matter: the request ends, and nothing is left. */
TEST(every_allocation_thread_token_and_query_may_fail)
{
	static const enum lf_fake_call kinds[] = {
		LF_FAKE_POOL, LF_FAKE_THREAD, LF_FAKE_SECURITY, LF_FAKE_OPEN, LF_FAKE_QUERY};
	enum lf_control_status status;
	uint32_t failed = 0;
	char text[512];

	bed_open();
	make_disk();
	for (uint32_t i = 0; i < lf_count_of(kinds); i++) {
		uint64_t calls = lf_fake_calls(kinds[i]);
		union lf_control_request request = bed_connect(DISK, false);
		CHECK_EQ(bed_ask(&request, &status, text), STATUS_SUCCESS);
		calls = lf_fake_calls(kinds[i]) - calls;
		CHECK(calls > 0);
		for (uint32_t nth = 0; nth < calls; nth++) {
			lf_fake_fail(kinds[i], nth, 1);
			request = bed_connect(DISK, false);
			failed +=
				bed_ask(&request, &status, text) != STATUS_SUCCESS || status != LF_CONTROL_OK;
			CHECK_EQ(lf_fake_file_opens(lf_fake_file_find("C:\\images\\disk.img")), 0);
		}
		lf_fake_fail(kinds[i], UINT32_MAX, 1);
	}
	CHECK(failed >= 7);
	bed_stop();
	bed_close();
}

#define MORE_THAN_THERE_IS_ROOM_FOR 70

/* Whatever ends a request, its place is free again: far more of them fail than there are places. */
TEST(requests_that_fail_leave_no_place_taken)
{
	static const enum lf_fake_call kinds[] = {LF_FAKE_POOL, LF_FAKE_THREAD, LF_FAKE_SECURITY};
	union lf_control_request request;
	enum lf_control_status status;
	char text[512];

	bed_open();
	make_disk();
	for (uint32_t i = 0; i < lf_count_of(kinds); i++) {
		for (uint32_t nth = 0; nth < MORE_THAN_THERE_IS_ROOM_FOR; nth++) {
			lf_fake_fail(kinds[i], 0, 1);
			request = bed_connect(DISK, false);
			CHECK(bed_ask(&request, &status, text) != STATUS_SUCCESS ||
				status == LF_CONTROL_FAILED);
		}
		lf_fake_fail(kinds[i], UINT32_MAX, 1);
		request = bed_connect(DISK, false);
		CHECK_EQ(bed_ask(&request, &status, text), STATUS_SUCCESS);
		CHECK_EQ(status, LF_CONTROL_OK);
	}
	bed_stop();
	bed_close();
}

/* Not that it was cancelled. */
TEST(token_that_cannot_be_taken_along_says_why)
{
	union lf_control_request request = bed_connect(DISK, false);
	enum lf_control_status status;
	char text[512];

	bed_open();
	make_disk();
	lf_fake_fail(LF_FAKE_SECURITY, 0, 1);
	CHECK_EQ(bed_ask(&request, &status, text), STATUS_INSUFFICIENT_RESOURCES);
	bed_stop();
	bed_close();
}

/* The handler refuses it; nothing was opened for it. */
TEST(connect_of_another_version_opens_nothing)
{
	union lf_control_request request = bed_connect(DISK, false);
	uint8_t bytes[sizeof(request)];
	size_t length = lf_control_encode_request(&request, bytes, sizeof(bytes));
	uint64_t opens, threads;

	bed_open();
	make_disk();
	opens = lf_fake_calls(LF_FAKE_OPEN);
	threads = lf_fake_calls(LF_FAKE_THREAD);
	bytes[4] = 77;
	CHECK_EQ(raw(bytes, (ULONG)length, LF_CONTROL_MESSAGE_MAX), STATUS_SUCCESS);
	CHECK_EQ(lf_fake_calls(LF_FAKE_OPEN), opens);
	CHECK_EQ(lf_fake_calls(LF_FAKE_THREAD), threads);
	bed_stop();
	bed_close();
}

TEST(server_that_has_no_memory_does_not_open)
{
	struct lf_ioctl_options options = {0};

	lf_fake_reset();
	lf_fake_fail(LF_FAKE_POOL, 0, 1);
	CHECK(lf_ioctl_open(&options) == NULL);
	CHECK_EQ(lf_fake_leaks(), 0);
}

/* ---- Cancelling ---- */

TEST(irp_that_was_cancelled_before_it_came_begins_nothing)
{
	union lf_control_request request = bed_connect(DISK, false);
	uint8_t bytes[sizeof(request)];
	ULONG length = (ULONG)lf_control_encode_request(&request, bytes, sizeof(bytes));
	struct bed_irp one = {0};
	char text[512];

	bed_open();
	make_disk();
	one.irp = lf_fake_irp_make(LF_IOCTL_SERVICE, bytes, length, LF_CONTROL_MESSAGE_MAX, UserMode);
	one.irp->Tail.Overlay.DriverContext[3] = &one;
	IoCancelIrp(one.irp);
	lf_ioctl_serve(bed.ioctl, one.irp);
	CHECK_EQ(bed_end(&one), STATUS_CANCELLED);
	bed_forget(&one);
	CHECK_EQ(bed_read(&bed.at_gate), 0);
	for (uint32_t i = 0; i < MORE_THAN_THERE_IS_ROOM_FOR; i++) {
		one = (struct bed_irp){0};
		one.irp = lf_fake_irp_make(LF_IOCTL_SERVICE, bytes, length, LF_CONTROL_MESSAGE_MAX, UserMode);
		one.irp->Tail.Overlay.DriverContext[3] = &one;
		IoCancelIrp(one.irp);
		lf_ioctl_serve(bed.ioctl, one.irp);
		CHECK_EQ(bed_end(&one), STATUS_CANCELLED);
		bed_forget(&one);
	}
	CHECK_EQ(ask(bed_connect(DISK, false), text), LF_CONTROL_OK);
	bed_stop();
	bed_close();
}

TEST(cancelled_request_is_forgotten_once_and_ends_at_once)
{
	union lf_control_request request = bed_request(LF_CONTROL_DISCONNECT);
	struct bed_irp one;

	bed_open();
	bed_way(BED_HOLDS);
	bed_send_request(&one, &request);
	bed_wait(&bed.served, 1);
	CHECK(IoCancelIrp(one.irp));
	CHECK_EQ(bed_end(&one), STATUS_CANCELLED);
	bed_forget(&one);
	bed_stop();
	bed_close();
	CHECK_EQ(bed.forgotten, 1);
}

static void answer_now(void *context)
{
	(void)context;
	bed_answer_held();
}

/* Its cancel routine is on its way: the answer has to leave the IRP, and the call, to it. */
TEST(answer_that_comes_just_before_the_cancel_routine_completes_nothing)
{
	union lf_control_request request = bed_request(LF_CONTROL_DISCONNECT);
	struct bed_irp one;

	bed_open();
	bed_way(BED_HOLDS);
	bed_send_request(&one, &request);
	bed_wait(&bed.served, 1);
	lf_fake_cancel_hook(answer_now, NULL);
	CHECK(IoCancelIrp(one.irp));
	CHECK_EQ(bed_end(&one), STATUS_CANCELLED);
	CHECK_EQ(bed_read(&bed.completed), 1);
	bed_forget(&one);
	bed_stop();
	bed_close();
	CHECK_EQ(bed.forgotten, 0);
}

static void stand_still(struct lf_post *post)
{
	(void)post;
	pthread_mutex_lock(&bed.mutex);
	bed.at_gate++;
	pthread_cond_broadcast(&bed.changed);
	while (bed.gate)
		pthread_cond_wait(&bed.changed, &bed.mutex);
	pthread_mutex_unlock(&bed.mutex);
}

/* Whatever the loop has to do: whoever is killed meanwhile goes at once. */
TEST(cancelled_request_ends_also_while_the_loop_stands_still)
{
	union lf_control_request request = bed_request(LF_CONTROL_DISCONNECT);
	struct lf_post still = {.run = stand_still};
	struct bed_irp served, queued;
	KIRQL irql;

	bed_open();
	bed_way(BED_HOLDS);
	bed_send_request(&served, &request);
	bed_wait(&bed.served, 1);
	bed_gate(true);
	lf_loop_post(bed.loop, &still);
	bed_wait(&bed.at_gate, 1);
	bed_send_request(&queued, &request);
	CHECK(IoCancelIrp(served.irp));
	irql = lf_fake_irql_raise(DISPATCH_LEVEL);
	CHECK(IoCancelIrp(queued.irp));
	lf_fake_irql_lower(irql);
	CHECK_EQ(bed_read(&bed.completed), 2);
	bed_gate(false);
	CHECK_EQ(bed_end(&served), STATUS_CANCELLED);
	CHECK_EQ(bed_end(&queued), STATUS_CANCELLED);
	bed_forget(&served);
	bed_forget(&queued);
	bed_stop();
	bed_close();
	CHECK(bed.served == 1 && bed.forgotten == 1);
}

TEST(request_cancelled_while_its_image_opens_ends_at_once_and_connects_nothing)
{
	union lf_control_request request = bed_connect(DISK, false);
	enum lf_control_status status;
	struct lf_fake_file *disk;
	struct bed_irp one;
	char text[512];

	bed_open();
	disk = make_disk();
	bed_gate(true);
	bed_send_request(&one, &request);
	bed_wait(&bed.at_gate, 1);
	CHECK(IoCancelIrp(one.irp));
	CHECK_EQ(bed_end(&one), STATUS_CANCELLED);
	bed_forget(&one);
	bed_gate(false);
	/* Nobody else can have the disk until the late one was closed, which nobody waits for any more. */
	do {
		status = ask(bed_connect(DISK, false), text);
	} while (status == LF_CONTROL_BUSY);
	CHECK_EQ(status, LF_CONTROL_OK);
	bed_stop();
	bed_close();
	CHECK_EQ(bed.brought, 1);
	CHECK_EQ(lf_fake_file_opens(disk), 0);
}

struct killer {
	pthread_t thread;
	IRP *irp;
};

static void *kill(void *context)
{
	struct killer *killer = context;

	IoCancelIrp(killer->irp);
	return NULL;
}

/* Answers, cancels and opens at once, again and again: each IRP ends once, in one of two ways. */
TEST(cancel_races_with_answer_and_every_irp_ends_once)
{
	enum { ROUNDS = 60, AT_ONCE = 8 };
	uint32_t cancelled = 0, answered = 0;

	bed_open();
	make_disk();
	for (uint32_t round = 0; round < ROUNDS; round++) {
		union lf_control_request request =
			round % 2 ? bed_connect(DISK, true) : bed_request(LF_CONTROL_DISCONNECT);
		struct bed_irp irps[AT_ONCE];
		struct killer killers[AT_ONCE];
		bed_way(round % 3 == 0 ? BED_HOLDS : BED_ANSWERS);
		for (uint32_t i = 0; i < AT_ONCE; i++)
			bed_send_request(&irps[i], &request);
		for (uint32_t i = 0; i < AT_ONCE; i++) {
			killers[i].irp = irps[i].irp;
			pthread_create(&killers[i].thread, NULL, kill, &killers[i]);
		}
		if (round % 3 == 0)
			bed_answer_held();
		for (uint32_t i = 0; i < AT_ONCE; i++) {
			NTSTATUS status;
			pthread_join(killers[i].thread, NULL);
			status = bed_end(&irps[i]);
			CHECK(status == STATUS_SUCCESS || status == STATUS_CANCELLED);
			cancelled += status == STATUS_CANCELLED;
			answered += status == STATUS_SUCCESS;
			bed_forget(&irps[i]);
		}
	}
	CHECK_EQ(cancelled + answered, ROUNDS * AT_ONCE);
	bed_stop();
	bed_close();
}

/* ---- Limits, and what stands still ---- */

TEST(open_that_stands_still_holds_up_nobody)
{
	enum { OPENS = 16 };
	union lf_control_request request = bed_connect(DISK, true);
	struct bed_irp blocked[OPENS];
	char text[512];

	bed_open();
	make_disk();
	bed_gate(true);
	for (uint32_t i = 0; i < OPENS; i++)
		bed_send_request(&blocked[i], &request);
	bed_wait(&bed.at_gate, OPENS);
	CHECK_EQ(ask(bed_request(LF_CONTROL_IDENTIFY), text), LF_CONTROL_OK);
	/* There are not more threads than that. */
	CHECK_EQ(ask(bed_connect(DISK, true), text), LF_CONTROL_BUSY);
	CHECK(strstr(text, "try again"));
	CHECK_EQ(bed_read(&bed.at_gate), OPENS);
	bed_gate(false);
	for (uint32_t i = 0; i < OPENS; i++) {
		CHECK_EQ(bed_end(&blocked[i]), STATUS_SUCCESS);
		bed_forget(&blocked[i]);
	}
	CHECK_EQ(ask(bed_connect(DISK, true), text), LF_CONTROL_OK);
	bed_stop();
	bed_close();
}

/* More of them than there are places. */
TEST(places_of_those_who_never_pended_are_free_again)
{
	enum { CALLS = 70 };
	union lf_control_request request = bed_connect(DISK, true);
	uint8_t bytes[sizeof(request)];
	ULONG length = (ULONG)lf_control_encode_request(&request, bytes, sizeof(bytes));
	char text[512];

	bed_open();
	make_disk();
	for (uint32_t i = 0; i < 2 * CALLS; i++) {
		struct bed_irp one = {0};
		one.irp = lf_fake_irp_make(LF_IOCTL_SERVICE, bytes, length, LF_CONTROL_MESSAGE_MAX, UserMode);
		one.irp->Tail.Overlay.DriverContext[3] = &one;
		if (i % 2)
			IoCancelIrp(one.irp);
		else
			lf_fake_fail(LF_FAKE_SECURITY, 0, 1);
		lf_ioctl_serve(bed.ioctl, one.irp);
		CHECK_EQ(bed_end(&one), i % 2 ? STATUS_CANCELLED : STATUS_INSUFFICIENT_RESOURCES);
		bed_forget(&one);
	}
	for (uint32_t i = 0; i < CALLS; i++) {
		lf_fake_fail(LF_FAKE_POOL, 0, 1);
		CHECK_EQ(ask(bed_connect(DISK, true), text), LF_CONTROL_FAILED);
	}
	CHECK_EQ(ask(bed_connect(DISK, true), text), LF_CONTROL_OK);
	CHECK_EQ(bed_read(&bed.served), 1);
	bed_stop();
	bed_close();
}

TEST(requests_outstanding_are_limited)
{
	enum { CALLS = 64 };
	union lf_control_request request = bed_request(LF_CONTROL_DISCONNECT);
	union lf_control_request small = bed_request(LF_CONTROL_IDENTIFY);
	uint8_t bytes[sizeof(small)];
	ULONG length = (ULONG)lf_control_encode_request(&small, bytes, sizeof(bytes));
	struct bed_irp held[CALLS];
	enum lf_control_status status;
	char text[512];

	bed_open();
	bed_way(BED_HOLDS);
	for (uint32_t i = 0; i < CALLS; i++)
		bed_send_request(&held[i], &request);
	bed_wait(&bed.served, CALLS);
	CHECK_EQ(ask(bed_request(LF_CONTROL_IDENTIFY), text), LF_CONTROL_BUSY);
	CHECK_EQ(raw(bytes, length, 120), STATUS_BUFFER_TOO_SMALL);
	/* A place is free again once one was forgotten. */
	CHECK(IoCancelIrp(held[0].irp));
	CHECK_EQ(bed_end(&held[0]), STATUS_CANCELLED);
	bed_way(BED_ANSWERS);
	do {
		status = ask(bed_request(LF_CONTROL_IDENTIFY), text);
	} while (status == LF_CONTROL_BUSY);
	CHECK_EQ(status, LF_CONTROL_OK);
	bed_answer_held();
	for (uint32_t i = 0; i < CALLS; i++) {
		CHECK_EQ(bed_end(&held[i]), i ? STATUS_SUCCESS : STATUS_CANCELLED);
		bed_forget(&held[i]);
	}
	bed_stop();
	bed_close();
}

/* ---- Stopping ---- */

static void *open_gate(void *context)
{
	(void)context;
	bed_gate(false);
	return NULL;
}

TEST(stop_completes_what_pends_and_refuses_what_comes)
{
	union lf_control_request request = bed_request(LF_CONTROL_DISCONNECT);
	union lf_control_request opening = bed_connect(DISK, false);
	struct bed_irp served, opens, late;
	struct lf_fake_file *disk;
	pthread_t opener;

	bed_open();
	disk = make_disk();
	bed_way(BED_HOLDS);
	bed_gate(true);
	bed_send_request(&served, &request);
	bed_wait(&bed.served, 1);
	bed_send_request(&opens, &opening);
	bed_wait(&bed.at_gate, 1);
	/* It does not wait for the open. */
	lf_ioctl_stop(bed.ioctl);
	CHECK(served.done && opens.done);
	CHECK_EQ(bed_end(&served), STATUS_DEVICE_NOT_READY);
	CHECK_EQ(bed_end(&opens), STATUS_DEVICE_NOT_READY);
	CHECK_EQ(bed_read(&bed.forgotten), 1);
	bed_send_request(&late, &request);
	CHECK_EQ(bed_end(&late), STATUS_DEVICE_NOT_READY);
	lf_loop_stop(bed.loop);
	lf_nt_thread_join(&bed.thread);
	pthread_create(&opener, NULL, open_gate, NULL);
	bed_forget(&served);
	bed_forget(&opens);
	bed_forget(&late);
	bed_close();
	pthread_join(opener, NULL);
	CHECK_EQ(lf_fake_file_opens(disk), 0);
}

struct asker {
	pthread_t thread;
	uint32_t ended;
};

static void *ask_on(void *context)
{
	struct asker *asker = context;
	union lf_control_request request =
		asker->ended % 2 ? bed_connect(DISK, true) : bed_request(LF_CONTROL_DISCONNECT);
	NTSTATUS status;

	lf_fake_process_of(LF_FAKE_ADMIN);
	do {
		struct bed_irp one;
		bed_send_request(&one, &request);
		IoCancelIrp(one.irp);
		status = bed_end(&one);
		bed_forget(&one);
		if (status != STATUS_SUCCESS && status != STATUS_CANCELLED &&
			status != STATUS_DEVICE_NOT_READY)
			lf_test_fail(__FILE__, __LINE__, "status 0x%08x", (unsigned)status);
	} while (status != STATUS_DEVICE_NOT_READY);
	return NULL;
}

TEST(stop_races_with_those_who_ask_and_cancel)
{
	enum { ROUNDS = 12, ASKERS = 4 };

	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct asker askers[ASKERS];
		bed_open();
		make_disk();
		bed_way(round % 2 ? BED_HOLDS : BED_ANSWERS);
		for (uint32_t i = 0; i < ASKERS; i++) {
			askers[i].ended = i;
			pthread_create(&askers[i].thread, NULL, ask_on, &askers[i]);
		}
		bed_wait(&bed.completed, round * 3);
		bed_stop();
		for (uint32_t i = 0; i < ASKERS; i++)
			pthread_join(askers[i].thread, NULL);
		bed_close();
	}
}
