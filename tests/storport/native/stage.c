/* SPDX-License-Identifier: BSD-2-Clause */
/* stage.c: sets the stage for the tests of the driver, and looks that it is empty at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/storport/native/stage.h"

struct host *stage;

void stage_open(void)
{
	lf_fake_reset();
	stage_start();
}

void stage_start(void)
{
	ULONG result;

	if (host_load() != STATUS_SUCCESS)
		lf_fake_broken("DriverEntry failed");
	stage = host_start(&result);
	if (stage == NULL)
		lf_fake_broken("HwFindAdapter answered %u", result);
	host_settle(stage);
}

void stage_close(void)
{
	uint32_t leaks;

	host_stop(stage);
	stage = NULL;
	host_unload();
	leaks = lf_fake_leaks();
	if (leaks > 0)
		lf_test_fail(__FILE__, __LINE__, "%u things were left behind", leaks);
	lf_fake_reset();
}

void stage_restart(void)
{
	ULONG result;

	host_stop(stage);
	stage = host_start(&result);
	if (stage == NULL)
		lf_fake_broken("HwFindAdapter answered %u", result);
	host_settle(stage);
}

/* ---- Control ---- */

NTSTATUS stage_ask(union lf_control_request *request, struct stage_reply *reply)
{
	static const size_t room = sizeof(union lf_control_request);
	uint8_t *bytes = malloc(room);
	struct host_service service = {.in = bytes, .out = reply->bytes, .out_length = sizeof(reply->bytes)};
	struct lf_message message;

	if (bytes == NULL)
		abort();
	service.in_length = (ULONG)lf_control_encode_request(request, bytes, room);
	host_service(stage, &service);
	free(bytes);
	reply->text[0] = '\0';
	reply->length = (uint32_t)service.information;
	if (service.status != STATUS_SUCCESS)
		return service.status;
	if (!lf_control_decode_reply(reply->bytes, reply->length,
		    (enum lf_control_command)request->header.command, &reply->reply, &message))
		lf_fake_broken("a reply makes no sense: %s", message.text);
	reply->status = (enum lf_control_status)reply->reply.header.status;
	if (reply->status != LF_CONTROL_OK)
		snprintf(reply->text, sizeof(reply->text), "%s", reply->reply.failure.text.bytes);
	return service.status;
}

static void set_connect(
	union lf_control_request *request, const struct stage_options *options, const char *path)
{
	struct lf_control_connect *connect = &request->connect;
	char whole[300];

	memset(request, 0, sizeof(*request));
	connect->header.command = LF_CONTROL_CONNECT;
	connect->flags = options->flags;
	connect->type = options->type;
	connect->target = options->target;
	connect->lun = options->lun_and_one == 0 ? UINT32_MAX : options->lun_and_one - 1;
	connect->block_size = options->block_size;
	if (options->empty)
		return;
	snprintf(whole, sizeof(whole), STAGE_PREFIX "%s", path);
	lf_control_set_text(&connect->path, whole);
}

/* The file, made when it is not there. */
static struct lf_fake_file *image(const char *path, uint64_t size_bytes)
{
	static const char share[] = "UNC\\";
	struct lf_fake_file *file;

	if (strncmp(path, share, strlen(share)) == 0)
		path += strlen(share);
	file = lf_fake_file_find(path);
	return file != NULL ? file : lf_fake_file_add(path, size_bytes, FILE_ATTRIBUTE_NORMAL);
}

enum lf_control_status stage_connect(struct stage_unit *unit, const struct stage_options *options)
{
	union lf_control_request *request = malloc(sizeof(*request));
	struct stage_reply *reply = malloc(sizeof(*reply));
	enum lf_control_status status;

	if (request == NULL || reply == NULL)
		abort();
	memset(unit, 0, sizeof(*unit));
	snprintf(
		unit->path, sizeof(unit->path), "%s", options->path == NULL ? "C:\\disk.img" : options->path);
	if (!options->empty)
		unit->file = image(unit->path, options->size_bytes == 0 ? STAGE_MIB : options->size_bytes);
	set_connect(request, options, unit->path);
	if (stage_ask(request, reply) != STATUS_SUCCESS)
		status = LF_CONTROL_FAILED;
	else
		status = reply->status;
	if (status == LF_CONTROL_OK) {
		const struct lf_control_device *device = &reply->reply.one.device;

		unit->target = (uint8_t)device->target;
		unit->lun = (uint8_t)device->lun;
		unit->number = device->number;
		unit->block_size = device->block_size;
		unit->block_count = device->block_count;
	} else {
		printf("# connect %s: %u %s\n", unit->path, status, reply->text);
	}
	free(request);
	free(reply);
	return status;
}

void stage_up(struct stage_unit *unit, const struct stage_options *options)
{
	static const struct stage_options usual;

	if (stage_connect(unit, options == NULL ? &usual : options) != LF_CONTROL_OK)
		lf_fake_broken("%s cannot be connected", unit->path);
	host_wait_unit(stage, unit->target, unit->lun, true);
	stage_listen(unit);
}

void stage_listen(const struct stage_unit *unit)
{
	static const uint8_t ready[6];

	for (int i = 0; i < 16; i++)
		if (stage_command(unit, ready, sizeof(ready), 0, NULL, 0) >> 16 != 6)
			return;
	lf_fake_broken("unit attentions without end");
}

void stage_wait_held(uint32_t count)
{
	for (int i = 0; lf_fake_held() < count; i++) {
		if (i == 60000)
			lf_fake_broken("the file system holds %u of %u", lf_fake_held(), count);
		stage_pause();
	}
}

void stage_pause(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

enum lf_control_status stage_disconnect(const struct stage_unit *unit, bool force)
{
	union lf_control_request *request = calloc(1, sizeof(*request));
	struct stage_reply *reply = malloc(sizeof(*reply));
	enum lf_control_status status = LF_CONTROL_FAILED;
	char id[16];

	if (request == NULL || reply == NULL)
		abort();
	request->header.command = LF_CONTROL_DISCONNECT;
	request->select.flags = force ? LF_CONTROL_FORCE : 0;
	request->select.timeout_ms = 60000;
	snprintf(id, sizeof(id), "%u", unit->number);
	lf_control_set_text(&request->select.id, id);
	if (stage_ask(request, reply) == STATUS_SUCCESS)
		status = reply->status;
	if (status != LF_CONTROL_OK)
		printf("# disconnect %s: %u %s\n", unit->path, status, reply->text);
	free(request);
	free(reply);
	return status;
}

void stage_down(const struct stage_unit *unit)
{
	if (stage_disconnect(unit, false) != LF_CONTROL_OK)
		lf_fake_broken("%s cannot be disconnected", unit->path);
	host_wait_unit(stage, unit->target, unit->lun, false);
}

uint32_t stage_count(void)
{
	union lf_control_request request = {.header.command = LF_CONTROL_LIST};
	struct stage_reply *reply = malloc(sizeof(*reply));
	uint32_t count = 0;

	if (reply == NULL)
		abort();
	do {
		if (stage_ask(&request, reply) != STATUS_SUCCESS || reply->status != LF_CONTROL_OK)
			lf_fake_broken("LIST failed: %s", reply->text);
		for (uint32_t i = 0; i < reply->reply.page.count; i++) {
			struct lf_control_device device;

			if (!lf_control_decode_device(reply->bytes, i, &device))
				lf_fake_broken("a record of LIST makes no sense");
			request.list.after = device.number;
		}
		count += reply->reply.page.count;
	} while (reply->reply.page.more);
	free(reply);
	return count;
}

/* ---- SRBs ---- */

void stage_cdb_rw(struct host_request *request, bool write, uint64_t lba, uint32_t blocks)
{
	memset(request->cdb, 0, sizeof(request->cdb));
	request->flags = write ? HOST_FLAGS_DATA_OUT : HOST_FLAGS_DATA_IN;
	if (lba + blocks <= UINT32_MAX && blocks <= UINT16_MAX) {
		request->cdb[0] = write ? 0x2a : 0x28;
		lf_put_be32(request->cdb + 2, (uint32_t)lba);
		lf_put_be16(request->cdb + 7, (uint16_t)blocks);
		request->cdb_length = 10;
	} else {
		request->cdb[0] = write ? 0x8a : 0x88;
		lf_put_be64(request->cdb + 2, lba);
		lf_put_be32(request->cdb + 10, blocks);
		request->cdb_length = 16;
	}
}

struct host_request stage_request(const struct stage_unit *unit)
{
	return (struct host_request){
		.target = unit->target, .lun = unit->lun, .attribute = HOST_QUEUE_SIMPLE};
}

uint8_t stage_capabilities(
	const struct stage_unit *unit, enum host_form form, struct host_capabilities *capabilities)
{
	struct host_request request = stage_request(unit);

	*capabilities = (struct host_capabilities){.Version = 1, .Size = sizeof(*capabilities)};
	request.function = HOST_SRB_PNP;
	request.form = form;
	request.action = HOST_PNP_QUERY_CAPABILITIES;
	request.flags = HOST_FLAGS_DATA_IN;
	request.data = capabilities;
	request.length = sizeof(*capabilities);
	stage_run(&request);
	return request.srb_status;
}

void stage_hold_read(const struct stage_unit *unit, struct host_request *read, uint8_t block[STAGE_BLOCK])
{
	lf_fake_rule_add(
		&(struct lf_fake_rule){.file = unit->file, .ops = 1 << LF_FAKE_READ, .what = LF_FAKE_BLOCK});
	*read = stage_request(unit);
	stage_cdb_rw(read, false, 0, 1);
	read->data = block;
	read->length = STAGE_BLOCK;
	host_submit(stage, read);
	stage_wait_held(1);
}

uint32_t stage_run(struct host_request *request)
{
	host_run(stage, request);
	if (request->srb_status == HOST_STATUS_SUCCESS || request->srb_status == HOST_STATUS_DATA_OVERRUN)
		return 0;
	if (request->srb_status == HOST_STATUS_ERROR && host_sense(request) != 0)
		return host_sense(request);
	return (uint32_t)request->srb_status << 24 | request->scsi_status;
}

static uint32_t transfer(const struct stage_unit *unit, bool write, uint64_t lba, uint32_t blocks, void *data)
{
	struct host_request request = stage_request(unit);

	stage_cdb_rw(&request, write, lba, blocks);
	request.data = data;
	request.length = blocks * unit->block_size;
	return stage_run(&request);
}

uint32_t stage_read(const struct stage_unit *unit, uint64_t lba, uint32_t blocks, void *to)
{
	return transfer(unit, false, lba, blocks, to);
}

uint32_t stage_write(const struct stage_unit *unit, uint64_t lba, uint32_t blocks, const void *from)
{
	return transfer(unit, true, lba, blocks, (void *)(uintptr_t)from);
}

uint32_t stage_command(const struct stage_unit *unit, const void *cdb, uint8_t cdb_length, ULONG flags,
	void *data, uint32_t length)
{
	struct host_request request = stage_request(unit);

	memcpy(request.cdb, cdb, cdb_length);
	request.cdb_length = cdb_length;
	request.flags = flags;
	request.data = data;
	request.length = length;
	return stage_run(&request);
}

uint32_t stage_flush(const struct stage_unit *unit)
{
	static const uint8_t cdb[10] = {0x35};

	return stage_command(unit, cdb, sizeof(cdb), 0, NULL, 0);
}

void stage_fill(void *block, uint64_t lba, uint32_t salt)
{
	uint8_t *to = block;
	uint64_t seed = lba * 0x9e3779b97f4a7c15u ^ (uint64_t)salt << 32 ^ salt;

	for (uint32_t i = 0; i < STAGE_BLOCK; i += 8) {
		lf_put_be64(to + i, seed);
		seed = seed * 6364136223846793005u + 1442695040888963407u;
	}
}
