/* SPDX-License-Identifier: BSD-2-Clause */
/* test_bad_input.c: what a program may send wrong: each a documented status, and a message that says what to
 * do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/interface_nt.h"
#include "tests/storport/native/stage.h"

/* Raw bytes in, room out. */
static NTSTATUS send(ULONG code, const void *in, ULONG in_length, void *out, ULONG out_length)
{
	struct host_service service = {
		.code = code, .in = in, .in_length = in_length, .out = out, .out_length = out_length};

	host_service(stage, &service);
	if (service.status != STATUS_SUCCESS && service.information != 0)
		lf_fake_broken("a refusal of %zu bytes", (size_t)service.information);
	return service.status;
}

static ULONG encode(union lf_control_request *request, uint8_t *bytes)
{
	return (ULONG)lf_control_encode_request(request, bytes, sizeof(*request));
}

static enum lf_control_status decode(const uint8_t *bytes)
{
	struct lf_control_header header;

	memcpy(&header, bytes, sizeof(header));
	return (enum lf_control_status)header.status;
}

struct buffers {
	union lf_control_request request;
	uint8_t in[sizeof(union lf_control_request) + 64], out[STAGE_REPLY];
};

static struct buffers *buffers_new(void)
{
	struct buffers *buffers = calloc(1, sizeof(*buffers));

	if (buffers == NULL)
		abort();
	return buffers;
}

TEST(control_codes_that_are_not_ours)
{
	static const ULONG codes[] = {0x0004d034, 0x0004d03c, 0x0004d008, 0x002d1400, 0xffffffff};
	struct buffers *buffers = buffers_new();
	ULONG length;

	stage_open();
	buffers->request.header.command = LF_CONTROL_IDENTIFY;
	length = encode(&buffers->request, buffers->in);
	for (uint32_t i = 0; i < lf_count_of(codes); i++)
		CHECK_EQ((ULONG)send(codes[i], buffers->in, length, buffers->out, STAGE_REPLY),
			(ULONG)STATUS_INVALID_DEVICE_REQUEST);
	CHECK_EQ(send(0, buffers->in, length, buffers->out, STAGE_REPLY), STATUS_SUCCESS);
	stage_close();
	free(buffers);
}

TEST(buffers_that_are_too_short)
{
	struct buffers *buffers = buffers_new();
	ULONG length;

	stage_open();
	buffers->request.header.command = LF_CONTROL_IDENTIFY;
	length = encode(&buffers->request, buffers->in);
	for (ULONG i = 0; i < length; i++)
		CHECK_EQ((ULONG)send(0, buffers->in, i, buffers->out, STAGE_REPLY),
			(ULONG)STATUS_INVALID_PARAMETER);
	for (ULONG i = 0; i < sizeof(struct lf_control_identity); i += 7)
		CHECK_EQ(
			(ULONG)send(0, buffers->in, length, buffers->out, i), (ULONG)STATUS_BUFFER_TOO_SMALL);
	CHECK_EQ(send(0, buffers->in, length, buffers->out, sizeof(struct lf_control_identity)),
		STATUS_SUCCESS);
	stage_close();
	free(buffers);
}

/* A message that is cut short, or too long, or says another size than it has. */
TEST(messages_of_the_wrong_size)
{
	struct buffers *buffers = buffers_new();
	ULONG length;

	stage_open();
	buffers->request.header.command = LF_CONTROL_SHOW;
	lf_control_set_text(&buffers->request.select.id, "1");
	length = encode(&buffers->request, buffers->in);
	CHECK_EQ(send(0, buffers->in, length - 1, buffers->out, STAGE_REPLY), STATUS_SUCCESS);
	CHECK_EQ(decode(buffers->out), LF_CONTROL_INVALID);
	CHECK_EQ(send(0, buffers->in, length + 8, buffers->out, STAGE_REPLY), STATUS_SUCCESS);
	CHECK_EQ(decode(buffers->out), LF_CONTROL_INVALID);
	buffers->in[8]++;
	CHECK_EQ(send(0, buffers->in, length, buffers->out, STAGE_REPLY), STATUS_SUCCESS);
	CHECK_EQ(decode(buffers->out), LF_CONTROL_INVALID);
	stage_close();
	free(buffers);
}

TEST(messages_of_another_version_or_kind)
{
	struct buffers *buffers = buffers_new();
	ULONG length;

	stage_open();
	buffers->request.header.command = LF_CONTROL_IDENTIFY;
	length = encode(&buffers->request, buffers->in);
	buffers->in[4] = 99;
	CHECK_EQ(send(0, buffers->in, length, buffers->out, STAGE_REPLY), STATUS_SUCCESS);
	CHECK_EQ(decode(buffers->out), LF_CONTROL_BAD_VERSION);
	length = encode(&buffers->request, buffers->in);
	buffers->in[0] ^= 1; /* the magic */
	CHECK_EQ((ULONG)send(0, buffers->in, length, buffers->out, STAGE_REPLY),
		(ULONG)STATUS_INVALID_DEVICE_REQUEST);
	length = encode(&buffers->request, buffers->in);
	buffers->in[6] = 200; /* the command */
	CHECK_EQ(send(0, buffers->in, length, buffers->out, STAGE_REPLY), STATUS_SUCCESS);
	CHECK_EQ(decode(buffers->out), LF_CONTROL_UNSUPPORTED);
	stage_close();
	free(buffers);
}

TEST(a_text_without_its_end)
{
	struct buffers *buffers = buffers_new();
	struct lf_control_connect *connect = &buffers->request.connect;
	ULONG length;

	stage_open();
	connect->header.command = LF_CONTROL_CONNECT;
	connect->lun = UINT32_MAX;
	lf_control_set_text(&connect->path, STAGE_PREFIX "C:\\disk.img");
	length = encode(&buffers->request, buffers->in);
	memset(buffers->in + offsetof(struct lf_control_connect, path.bytes), 'x', LF_CONTROL_PATH_CAPACITY);
	CHECK_EQ(send(0, buffers->in, length, buffers->out, STAGE_REPLY), STATUS_SUCCESS);
	CHECK_EQ(decode(buffers->out), LF_CONTROL_INVALID);
	length = encode(&buffers->request, buffers->in);
	lf_put_be16(buffers->in + offsetof(struct lf_control_connect, path.length), 0xffff);
	CHECK_EQ(send(0, buffers->in, length, buffers->out, STAGE_REPLY), STATUS_SUCCESS);
	CHECK_EQ(decode(buffers->out), LF_CONTROL_INVALID);
	stage_close();
	free(buffers);
}

/* ---- Images that cannot be connected ---- */

struct refusal {
	const char *path; /* as the driver gets it */
	enum lf_control_status status;
	const char *text; /* somewhere in the message */
};

static enum lf_control_status connect_as(const char *path, uint32_t flags, struct stage_reply *reply)
{
	union lf_control_request *request = calloc(1, sizeof(*request));
	NTSTATUS status;

	if (request == NULL)
		abort();
	request->header.command = LF_CONTROL_CONNECT;
	request->connect.lun = UINT32_MAX;
	request->connect.flags = flags;
	lf_control_set_text(&request->connect.path, path);
	status = stage_ask(request, reply);
	free(request);
	if (status != STATUS_SUCCESS)
		lf_fake_broken("connect %s: %08x", path, (unsigned int)status);
	if (reply->status != LF_CONTROL_OK)
		printf("# %s: %u %s\n", path, reply->status, reply->text);
	return reply->status;
}

TEST(paths_that_name_no_image)
{
	static const struct refusal refusals[] = {
		{"disk.img", LF_CONTROL_INVALID, "absolute"},
		{"C:\\disk.img", LF_CONTROL_INVALID, "absolute"},
		{"\\\\server\\share\\disk.img", LF_CONTROL_INVALID, "absolute"},
		{"/disk.img", LF_CONTROL_INVALID, "absolute"},
		{STAGE_PREFIX "C:\\missing.img", LF_CONTROL_NOT_FOUND, "no such file"},
		{STAGE_PREFIX "Q:\\disk.img", LF_CONTROL_NOT_FOUND, "no such"},
		{STAGE_PREFIX "C:\\dir", LF_CONTROL_INVALID, "directory"},
		{STAGE_PREFIX "C:", LF_CONTROL_INVALID, ""},
		{STAGE_PREFIX "PhysicalDrive0", LF_CONTROL_INVALID, ""},
		{"\\Device\\Harddisk0\\DR0", LF_CONTROL_INVALID, ""},
		{STAGE_PREFIX "C:\\locked.img", LF_CONTROL_BUSY, "in use"},
		{STAGE_PREFIX "C:\\compressed.img", LF_CONTROL_UNSUPPORTED, "compress"},
		{STAGE_PREFIX "C:\\encrypted.img", LF_CONTROL_UNSUPPORTED, "encrypt"},
		{STAGE_PREFIX "C:\\cloud.img", LF_CONTROL_UNSUPPORTED, "cloud"},
		{STAGE_PREFIX "C:\\connected.img", LF_CONTROL_BUSY, "already connected as connected"},
		{STAGE_PREFIX "C:\\empty.img", LF_CONTROL_INVALID, ""},
		{STAGE_PREFIX "C:\\odd.img", LF_CONTROL_INVALID, ""},
	};
	struct stage_reply *reply = calloc(1, sizeof(*reply));
	struct stage_unit unit;
	bool good = true;

	CHECK(reply != NULL);
	stage_open();
	lf_fake_file_add("C:\\dir\\inside.img", STAGE_MIB, FILE_ATTRIBUTE_NORMAL);
	lf_fake_file_hold(
		lf_fake_file_add("C:\\locked.img", STAGE_MIB, FILE_ATTRIBUTE_NORMAL), FILE_READ_DATA, 0);
	lf_fake_file_add("C:\\compressed.img", STAGE_MIB, FILE_ATTRIBUTE_COMPRESSED);
	lf_fake_file_add("C:\\encrypted.img", STAGE_MIB, FILE_ATTRIBUTE_ENCRYPTED);
	lf_fake_file_add("C:\\cloud.img", STAGE_MIB, FILE_ATTRIBUTE_OFFLINE);
	lf_fake_file_add("C:\\empty.img", 0, FILE_ATTRIBUTE_NORMAL);
	lf_fake_file_add("C:\\odd.img", 511, FILE_ATTRIBUTE_NORMAL);
	stage_up(&unit, &(struct stage_options){.path = "C:\\connected.img"});
	for (uint32_t i = 0; i < lf_count_of(refusals); i++) {
		enum lf_control_status status = connect_as(refusals[i].path, 0, reply);

		if (status == refusals[i].status && reply->text[0] != '\0' &&
			strstr(reply->text, refusals[i].text) != NULL)
			continue;
		printf("# due: %u ... %s ...\n", refusals[i].status, refusals[i].text);
		good = false;
	}
	CHECK(good);
	CHECK_EQ(stage_count(), 1);
	lf_fake_file_let_go(lf_fake_file_find("C:\\locked.img"));
	stage_close();
	free(reply);
}

/* Two units of one name or serial number, or two of one image. */
TEST(what_another_device_has)
{
	union lf_control_request *request = calloc(1, sizeof(*request));
	struct stage_reply *reply = calloc(1, sizeof(*reply));
	struct host_request read;
	struct stage_unit unit;
	uint8_t block[STAGE_BLOCK];

	CHECK(request != NULL && reply != NULL);
	stage_open();
	stage_up(&unit, &(struct stage_options){.path = "C:\\first.img"});
	lf_fake_file_add("C:\\second.img", STAGE_MIB, FILE_ATTRIBUTE_NORMAL);
	request->header.command = LF_CONTROL_CONNECT;
	request->connect.lun = UINT32_MAX;
	lf_control_set_text(&request->connect.path, STAGE_PREFIX "C:\\second.img");
	lf_control_set_text(&request->connect.name, "first");
	CHECK_EQ(stage_ask(request, reply), STATUS_SUCCESS);
	CHECK(reply->status == LF_CONTROL_BUSY && strstr(reply->text, "the name first is taken"));
	lf_control_set_text(&request->connect.name, "third");
	lf_control_set_text(&request->connect.serial, "42");
	CHECK_EQ(stage_ask(request, reply), STATUS_SUCCESS);
	CHECK_EQ(reply->status, LF_CONTROL_OK);
	lf_fake_file_add("C:\\fourth.img", STAGE_MIB, FILE_ATTRIBUTE_NORMAL);
	lf_control_set_text(&request->connect.path, STAGE_PREFIX "C:\\fourth.img");
	lf_control_set_text(&request->connect.name, "fourth");
	CHECK_EQ(stage_ask(request, reply), STATUS_SUCCESS);
	CHECK(reply->status == LF_CONTROL_BUSY &&
		strstr(reply->text, "third has the serial number 42 already"));
	CHECK_EQ(lf_fake_file_opens(lf_fake_file_find("C:\\fourth.img")), 0);
	/* One that leaves, but for a command that is still out, has its image until the end. */
	stage_hold_read(&unit, &read, block);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	CHECK_EQ(connect_as(STAGE_PREFIX "c:\\FIRST.img", 0, reply), LF_CONTROL_BUSY);
	CHECK(strstr(reply->text, "it is still leaving as first: wait"));
	lf_fake_rules_clear();
	lf_fake_release();
	host_wait(stage, &read);
	stage_close();
	free(request);
	free(reply);
}

TEST(block_sizes_that_do_not_fit)
{
	struct stage_unit unit;

	lf_fake_reset();
	lf_fake_volume_add(&(struct lf_fake_volume_options){.name = "D:", .sector_bytes = 4096});
	stage_start();
	/* Blocks that are smaller than the host's sectors cannot be written alone. */
	CHECK_EQ(stage_connect(&unit, &(struct stage_options){.path = "D:\\disk.img", .block_size = 512}),
		LF_CONTROL_INVALID);
	CHECK_EQ(stage_connect(&unit, &(struct stage_options){.path = "D:\\disk.img", .block_size = 1000}),
		LF_CONTROL_INVALID);
	stage_up(&unit, &(struct stage_options){.path = "D:\\disk.img", .block_size = 4096});
	stage_close();
}

/* Memory is short for a moment, while it is looked at what the file is: nothing was wrong with what was
 * asked. */
TEST(a_file_that_cannot_be_examined_is_not_called_invalid)
{
	struct stage_unit unit;
	uint32_t failed = 0;

	stage_open();
	for (uint32_t nth = 0; nth < 12; nth++) {
		enum lf_control_status status;

		lf_fake_fail(LF_FAKE_QUERY, nth, 1);
		status = stage_connect(&unit, &(struct stage_options){0});
		lf_fake_fail(LF_FAKE_QUERY, UINT32_MAX, 1);
		if (status != LF_CONTROL_OK) {
			CHECK_EQ(status, LF_CONTROL_FAILED);
			failed++;
			continue;
		}
		host_wait_unit(stage, unit.target, unit.lun, true);
		stage_down(&unit);
	}
	CHECK(failed >= 4);
	stage_close();
}

/* ---- Who asks ---- */

TEST(a_caller_without_rights_is_refused)
{
	struct buffers *buffers = buffers_new();
	ULONG length;

	stage_open();
	buffers->request.header.command = LF_CONTROL_LIST;
	length = encode(&buffers->request, buffers->in);
	lf_fake_process_of(LF_FAKE_USER);
	CHECK_EQ((ULONG)send(0, buffers->in, length, buffers->out, STAGE_REPLY), (ULONG)STATUS_ACCESS_DENIED);
	lf_fake_process_of(LF_FAKE_ADMIN);
	CHECK_EQ(send(0, buffers->in, length, buffers->out, STAGE_REPLY), STATUS_SUCCESS);
	lf_fake_process_of(LF_FAKE_SYSTEM);
	CHECK_EQ(send(0, buffers->in, length, buffers->out, STAGE_REPLY), STATUS_SUCCESS);
	lf_fake_impersonate(LF_FAKE_USER, SecurityImpersonation);
	CHECK_EQ((ULONG)send(0, buffers->in, length, buffers->out, STAGE_REPLY), (ULONG)STATUS_ACCESS_DENIED);
	lf_fake_revert();
	stage_close();
	free(buffers);
}

TEST(a_kernel_requestor_is_refused)
{
	struct buffers *buffers = buffers_new();
	struct host_service service = {
		.in = buffers->in, .out = buffers->out, .out_length = STAGE_REPLY, .kernel_mode = true};

	stage_open();
	buffers->request.header.command = LF_CONTROL_LIST;
	service.in_length = encode(&buffers->request, buffers->in);
	host_service(stage, &service);
	CHECK_EQ((ULONG)service.status, (ULONG)STATUS_ACCESS_DENIED);
	stage_close();
	free(buffers);
}

TEST(identification_is_not_enough_to_open_an_image)
{
	struct buffers *buffers = buffers_new();
	ULONG length;

	stage_open();
	lf_fake_file_add("C:\\disk.img", STAGE_MIB, FILE_ATTRIBUTE_NORMAL);
	buffers->request.header.command = LF_CONTROL_CONNECT;
	buffers->request.connect.lun = UINT32_MAX;
	lf_control_set_text(&buffers->request.connect.path, STAGE_PREFIX "C:\\disk.img");
	length = encode(&buffers->request, buffers->in);
	lf_fake_impersonate(LF_FAKE_ADMIN, SecurityIdentification);
	CHECK_EQ((ULONG)send(0, buffers->in, length, buffers->out, STAGE_REPLY),
		(ULONG)STATUS_BAD_IMPERSONATION_LEVEL);
	lf_fake_revert();
	CHECK_EQ(stage_count(), 0);
	stage_close();
	free(buffers);
}

/* Impersonation is: more than that is not asked for, as nobody is to be spoken for on another machine. */
TEST(impersonation_is_enough_to_open_an_image)
{
	struct stage_unit unit;

	stage_open();
	lf_fake_impersonate(LF_FAKE_ADMIN, SecurityImpersonation);
	CHECK_EQ(stage_connect(&unit, &(struct stage_options){0}), LF_CONTROL_OK);
	lf_fake_revert();
	stage_down(&unit);
	stage_close();
}

/* A client that is killed while its disconnect waits. */
TEST(a_request_that_pends_can_be_cancelled)
{
	struct buffers *buffers = buffers_new();
	struct host_service service = {.in = buffers->in, .out = buffers->out, .out_length = STAGE_REPLY};
	struct stage_unit unit;
	uint8_t block[STAGE_BLOCK];
	struct host_request read;

	stage_open();
	stage_up(&unit, NULL);
	stage_hold_read(&unit, &read, block);
	buffers->request.header.command = LF_CONTROL_DISCONNECT;
	buffers->request.select.timeout_ms = 600000;
	lf_control_set_text(&buffers->request.select.id, "1");
	service.in_length = encode(&buffers->request, buffers->in);
	host_service_begin(stage, &service);
	host_service_cancel(&service);
	host_service_wait(&service);
	CHECK_EQ((ULONG)service.status, (ULONG)STATUS_CANCELLED);
	lf_fake_rules_clear();
	lf_fake_release();
	host_wait(stage, &read);
	stage_close();
	free(buffers);
}

TEST(requests_that_pend_end_with_the_adapter)
{
	struct buffers *buffers = buffers_new();
	struct host_service service = {.in = buffers->in, .out = buffers->out, .out_length = STAGE_REPLY};
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	host_hold_unit(stage, unit.target, unit.lun, true);
	buffers->request.header.command = LF_CONTROL_DISCONNECT;
	buffers->request.select.timeout_ms = 600000;
	lf_control_set_text(&buffers->request.select.id, "1");
	service.in_length = encode(&buffers->request, buffers->in);
	host_service_begin(stage, &service);
	host_settle(stage);
	host_stop(stage); /* it looks that no service IRP pends any more */
	CHECK(service.ended);
	lf_fake_irp_free(service.irp);
	CHECK((ULONG)service.status == (ULONG)STATUS_DEVICE_NOT_READY || service.status == STATUS_SUCCESS);
	stage = NULL;
	host_unload();
	CHECK_EQ(lf_fake_leaks(), 0);
	free(buffers);
}
