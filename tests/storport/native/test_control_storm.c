/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_control_storm.c: requests of every kind by dice from several programs, to the whole driver: images
 * come, change and go while others are told of them; some requests are damaged, some cancelled. Each ends,
 * with a reply that its sender can read, or with a status that is documented; nothing is left.
 * LF_STORM_SEED=N repeats the throws.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/storport/native/stage.h"

enum { PROGRAMS = 6, REQUESTS = 400 }; /* of each */

struct program {
	pthread_t thread;
	uint64_t dice;
	uint32_t done, refused, failed, cancelled;
	union lf_control_request request;
	union lf_control_reply reply;
	uint8_t in[sizeof(union lf_control_request)], out[STAGE_REPLY];
};

static uint32_t throw(struct program * program, uint32_t sides)
{
	uint64_t dice = program->dice;

	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	program->dice = dice;
	return (uint32_t)(dice >> 20) % sides;
}

static const char *a_name(struct program *program)
{
	static const char *const names[] = {"a", "b", "c", "d", "1", "0:0:0", "nobody", ""};

	return names[throw(program, lf_count_of(names))];
}

static const char *a_path(struct program *program)
{
	static const char *const paths[] = {STAGE_PREFIX "C:\\1.img", STAGE_PREFIX "C:\\2.img",
		STAGE_PREFIX "C:\\3.img", STAGE_PREFIX "C:\\4.img", STAGE_PREFIX "C:\\odd.img",
		STAGE_PREFIX "C:\\none.img", STAGE_PREFIX "C:\\dir", "C:\\1.img"};

	return paths[throw(program, lf_count_of(paths))];
}

static void make_connect(struct program *program, struct lf_control_connect *connect)
{
	static const char *const own[] = {"a", "b", "c", "d"};

	connect->lun = UINT32_MAX;
	connect->type = throw(program, 3) ? 0 : 5;
	connect->flags = throw(program, 2) ? LF_CONTROL_READ_ONLY : 0;
	connect->flags |= throw(program, 2) ? LF_CONTROL_REMOVABLE : 0;
	if (throw(program, 8))
		lf_control_set_text(&connect->path, a_path(program));
	if (throw(program, 2))
		lf_control_set_text(&connect->name, own[throw(program, lf_count_of(own))]);
}

static ULONG make_request(struct program *program)
{
	static const uint8_t commands[] = {LF_CONTROL_CONNECT, LF_CONTROL_CONNECT, LF_CONTROL_CONNECT,
		LF_CONTROL_DISCONNECT, LF_CONTROL_INSERT, LF_CONTROL_INSERT, LF_CONTROL_EJECT,
		LF_CONTROL_RESIZE, LF_CONTROL_LIST, LF_CONTROL_SHOW, LF_CONTROL_STATUS, LF_CONTROL_INQUIRE,
		LF_CONTROL_STATS, LF_CONTROL_RESERVATION, LF_CONTROL_RESERVATION_CLEAR, LF_CONTROL_SESSIONS,
		LF_CONTROL_DROP, LF_CONTROL_IDENTIFY};
	union lf_control_request *request = &program->request;
	ULONG length;

	memset(request, 0, sizeof(*request));
	request->header.command = commands[throw(program, sizeof(commands))];
	switch (request->header.command) {
	case LF_CONTROL_CONNECT:
		make_connect(program, &request->connect);
		break;
	case LF_CONTROL_INSERT:
		request->insert.flags = throw(program, 4);
		lf_control_set_text(&request->insert.id, a_name(program));
		lf_control_set_text(&request->insert.image, a_path(program));
		break;
	case LF_CONTROL_RESIZE:
		request->resize.size_bytes = throw(program, 2) ? STAGE_MIB + throw(program, 64) * 512 : 0;
		lf_control_set_text(&request->resize.id, a_name(program));
		break;
	case LF_CONTROL_INQUIRE:
		request->inquire.number = throw(program, 20);
		request->inquire.cdb.length = 6;
		request->inquire.cdb.bytes[0] = throw(program, 4) ? 0x12 : 0x00;
		request->inquire.cdb.bytes[4] = (uint8_t) throw(program, 256);
		break;
	case LF_CONTROL_DISCONNECT:
	case LF_CONTROL_EJECT:
	case LF_CONTROL_SHOW:
	case LF_CONTROL_STATS:
	case LF_CONTROL_RESERVATION:
	case LF_CONTROL_RESERVATION_CLEAR:
		request->select.timeout_ms = throw(program, 40);
		lf_control_set_text(&request->select.id, a_name(program));
		break;
	default:
		break;
	}
	if (request->header.command == LF_CONTROL_DISCONNECT || request->header.command == LF_CONTROL_EJECT)
		request->select.flags = throw(program, 2) ? LF_CONTROL_FORCE : 0;
	length = (ULONG)lf_control_encode_request(request, program->in, sizeof(program->in));
	for (uint32_t i = throw(program, 8) ? 0 : 1 + throw(program, 3); i > 0; i--)
		program->in[throw(program, throw(program, 2) ? 64 : length) % length] ^=
			(uint8_t)(1u << throw(program, 8));
	return length;
}

static void read_reply(struct program *program, const struct host_service *service)
{
	struct lf_message message = {"too long"};
	struct lf_control_header header;

	memcpy(&header, program->in, sizeof(header));
	if (!lf_control_decode_reply(program->out, service->information,
		    (enum lf_control_command)header.command, &program->reply, &message))
		lf_fake_broken("a reply makes no sense: %s", message.text);
	if (program->reply.header.status == LF_CONTROL_OK)
		program->done++;
	else
		program->refused++;
	if (program->reply.header.status > LF_CONTROL_UNSUPPORTED ||
		(program->reply.header.status != LF_CONTROL_OK && program->reply.failure.text.length == 0))
		lf_fake_broken("a refusal with status %u says nothing", program->reply.header.status);
}

static void ask(struct program *program)
{
	struct host_service service = {.in = program->in, .out = program->out, .out_length = STAGE_REPLY};
	bool cancels = throw(program, 6) == 0;

	service.in_length = make_request(program);
	host_service_begin(stage, &service);
	if (cancels)
		host_service_cancel(&service);
	host_service_wait(&service);
	switch (service.status) {
	case STATUS_SUCCESS:
		read_reply(program, &service);
		break;
	case STATUS_CANCELLED:
		if (!cancels)
			lf_fake_broken("nobody has cancelled it");
		program->cancelled++;
		break;
	case STATUS_INVALID_DEVICE_REQUEST: /* its magic was damaged */
		if (memcmp(program->in, "LFSH", 4) == 0)
			lf_fake_broken("a request of ours is called foreign");
		program->failed++;
		break;
	default:
		lf_fake_broken("status 0x%08x", (unsigned int)service.status);
	}
}

static void *run(void *context)
{
	struct program *program = context;

	lf_fake_process_of(LF_FAKE_ADMIN);
	for (uint32_t i = 0; i < REQUESTS; i++)
		ask(program);
	return NULL;
}

static uint64_t take_seed(void)
{
	const char *text = getenv("LF_STORM_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);

	printf("# LF_STORM_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

static struct program *make_programs(uint32_t count, uint64_t seed)
{
	struct program *programs = calloc(count, sizeof(*programs));

	if (programs == NULL)
		abort();
	for (uint32_t i = 0; i < count; i++)
		programs[i].dice = (seed + i) * 0x9e3779b97f4a7c15 | 1;
	return programs;
}

static void open_stage(void)
{
	static const char *const files[] = {"C:\\1.img", "C:\\2.img", "C:\\3.img", "C:\\4.img"};

	stage_open();
	for (uint32_t i = 0; i < lf_count_of(files); i++)
		lf_fake_file_add(files[i], STAGE_MIB, FILE_ATTRIBUTE_NORMAL);
	lf_fake_file_add("C:\\odd.img", 511, FILE_ATTRIBUTE_NORMAL);
	lf_fake_file_add("C:\\dir\\inside.img", STAGE_MIB, FILE_ATTRIBUTE_NORMAL);
}

TEST(requests_by_dice_from_several_programs_all_end)
{
	struct program *programs = make_programs(PROGRAMS, take_seed());
	uint32_t done = 0, refused = 0, failed = 0, cancelled = 0;

	open_stage();
	for (uint32_t i = 0; i < PROGRAMS; i++)
		CHECK(pthread_create(&programs[i].thread, NULL, run, &programs[i]) == 0);
	for (uint32_t i = 0; i < PROGRAMS; i++) {
		pthread_join(programs[i].thread, NULL);
		done += programs[i].done;
		refused += programs[i].refused;
		failed += programs[i].failed;
		cancelled += programs[i].cancelled;
	}
	printf("# %u done, %u refused, %u foreign, %u cancelled\n", done, refused, failed, cancelled);
	CHECK_EQ(done + refused + failed + cancelled, PROGRAMS * REQUESTS);
	CHECK(done > REQUESTS / 4 && refused > 0 && cancelled > 0);
	stage_close();
	free(programs);
}

static void take_a_while(void *context, const struct lf_fake_asked *asked)
{
	(void)context;
	(void)asked;
	stage_pause();
}

/* Images just open, devices just leave: whoever asked is answered, or told that the adapter goes. */
TEST(adapter_that_goes_ends_requests_of_every_kind)
{
	enum { ROUNDS = 25, AT_ONCE = 24 };
	uint64_t seed = take_seed();
	uint32_t late = 0;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct program *programs = make_programs(AT_ONCE, seed + round * 100);
		struct host_service services[AT_ONCE];
		open_stage();
		lf_fake_open_hook(take_a_while, NULL);
		for (uint32_t i = 0; i < AT_ONCE; i++) {
			services[i] = (struct host_service){
				.in = programs[i].in, .out = programs[i].out, .out_length = STAGE_REPLY};
			services[i].in_length = make_request(&programs[i]);
			host_service_begin(stage, &services[i]);
		}
		host_stop(stage); /* it looks that no service IRP pends any more */
		for (uint32_t i = 0; i < AT_ONCE; i++) {
			NTSTATUS status = services[i].status;
			CHECK(services[i].ended);
			CHECK(status == STATUS_SUCCESS || status == STATUS_INVALID_DEVICE_REQUEST ||
				status == STATUS_DEVICE_NOT_READY);
			late += status == STATUS_DEVICE_NOT_READY;
			if (status == STATUS_SUCCESS)
				read_reply(&programs[i], &services[i]);
			lf_fake_irp_free(services[i].irp);
		}
		stage = NULL;
		host_unload();
		CHECK_EQ(lf_fake_leaks(), 0);
		free(programs);
	}
	printf("# %u too late\n", late);
	CHECK(late > 0);
}
