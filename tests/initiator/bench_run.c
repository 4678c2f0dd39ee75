/* SPDX-License-Identifier: BSD-2-Clause */
/* bench_run.c: keeps a number of reads or writes in flight, times them, and checks what was read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/initiator/bench_client.h"
#include "tests/initiator/stamp.h"

struct io {
	struct lf_scsi_task task;
	struct run *run;
	struct io *next;
	uint64_t place, generation, start_ns;
	uint8_t *buffer;
};

/* One bench_run under way. */
struct run {
	struct bench *bench;
	const struct bench_phase *phase;
	struct bench_result *result;
	struct io *ios, *idle;
	uint8_t *busy;         /* one byte a place: an I/O is in flight there */
	uint64_t places, next; /* I/Os that fit in the region; the next one in sequence */
	uint32_t in_flight;
	uint64_t completed_ns; /* when this turn's data came; 0: not looked at yet */
	uint64_t begun_ns, server_cpu_ns, client_cpu_ns;
	bool measuring, stopping;
};

static uint64_t first_block(const struct run *run, const struct io *io)
{
	return io->place * (run->phase->io_bytes / run->bench->unit.block_size);
}

static void complain(struct run *run, uint64_t sector, enum lf_stamp stamp, uint64_t found, uint64_t expected)
{
	if (run->result->miscompares++ > 5)
		return;
	fprintf(stderr, "lf-bench-client: sector %llu: %s, generation %llu, expected %llu\n",
		(unsigned long long)sector,
		stamp == LF_STAMP_GOOD   ? "another write's data"
		: stamp == LF_STAMP_ZERO ? "zeros"
					 : "not this sector's data",
		(unsigned long long)found, (unsigned long long)expected);
}

static void check_read(struct run *run, struct io *io)
{
	struct bench *bench = run->bench;
	uint32_t per_block = bench->unit.block_size / LF_STAMP_BYTES,
		 sectors = run->phase->io_bytes / LF_STAMP_BYTES;
	uint64_t *known = bench->known + first_block(run, io);
	uint64_t sector = (bench->region_start + first_block(run, io)) * per_block;
	for (uint32_t i = 0; i < sectors; i++) {
		uint64_t generation, *expected = &known[i / per_block];
		enum lf_stamp stamp =
			lf_stamp_check((const uint64_t *)(void *)(io->buffer + i * LF_STAMP_BYTES),
				bench->seed, sector + i, &generation);
		if (stamp == LF_STAMP_GOOD && *expected == 0)
			*expected = generation;
		if (stamp != LF_STAMP_GOOD || generation != *expected)
			complain(run, sector + i, stamp, generation, *expected);
	}
}

static void note_written(struct run *run, struct io *io, bool good)
{
	uint64_t *known = run->bench->known + first_block(run, io);
	uint32_t blocks = run->phase->io_bytes / run->bench->unit.block_size;
	for (uint32_t i = 0; i < blocks; i++)
		known[i] = good ? io->generation : 0;
}

static void io_done(struct lf_scsi_task *task)
{
	struct io *io = task->owner;
	struct run *run = io->run;
	bool good = task->response == 0 && task->status == 0 && task->residual == 0 && !task->overflow;
	if (run->completed_ns == 0)
		run->completed_ns = lf_meter_now_ns();
	if (run->measuring) {
		run->result->ios++;
		lf_histogram_add(&run->result->latency, run->completed_ns - io->start_ns);
	}
	if (!good && run->result->errors++ < 5)
		fprintf(stderr, "lf-bench-client: command %02x: response %u, status %02x, sense %06x\n",
			task->cdb[0], task->response, task->status, lf_scsi_sense(task));
	if (run->phase->writes)
		note_written(run, io, good);
	else if (good && run->bench->check)
		check_read(run, io);
	run->busy[io->place] = 0;
	run->in_flight--;
	io->next = run->idle;
	run->idle = io;
}

/* A place that no I/O is in flight at. */
static uint64_t choose_place(struct run *run)
{
	uint64_t place;
	do {
		if (run->phase->random)
			place = lf_random_below(&run->bench->random, run->places);
		else
			place = run->next++ % run->places;
	} while (run->busy[place]);
	return place;
}

static void prepare(struct run *run, struct io *io)
{
	struct bench *bench = run->bench;
	uint32_t length = run->phase->io_bytes, blocks = length / bench->unit.block_size;
	uint64_t lba, sector;
	io->place = choose_place(run);
	run->busy[io->place] = 1;
	lba = bench->region_start + first_block(run, io);
	sector = lba * (bench->unit.block_size / LF_STAMP_BYTES);
	if (!run->phase->writes) {
		lf_scsi_read(&io->task, lba, blocks, io->buffer, length);
		return;
	}
	io->generation = ++bench->generation;
	for (uint32_t at = 0; at < length; at += LF_STAMP_BYTES)
		lf_stamp_fill((uint64_t *)(void *)(io->buffer + at), bench->seed, sector++, io->generation);
	lf_scsi_write(&io->task, lba, blocks, io->buffer, length, bench->fua);
}

/* Starts every idle I/O; all go out in one send, so all have one start time. */
static void start_idle(struct run *run)
{
	struct io *batch = NULL, *io;
	while ((io = run->idle) && !(run->phase->once && run->next == run->places)) {
		run->idle = io->next;
		prepare(run, io);
		io->next = batch;
		batch = io;
	}
	for (uint64_t now = lf_meter_now_ns(); (io = batch);) {
		batch = io->next;
		io->start_ns = now;
		run->in_flight++;
		lf_initiator_submit(&run->bench->session, &io->task);
	}
}

/* Opens and closes the measured window; what is in flight when it closes is not counted. */
static void keep_window(struct run *run, uint64_t now, uint64_t phase_began_ns)
{
	const struct bench_phase *phase = run->phase;
	struct bench_result *result = run->result;
	if (!run->measuring && !run->stopping &&
		now - phase_began_ns >= (uint64_t)(phase->warmup_seconds * 1e9)) {
		run->measuring = true;
		lf_meter_cpu_ns(run->bench->server_pid, &run->server_cpu_ns);
		lf_meter_cpu_ns(getpid(), &run->client_cpu_ns);
		run->begun_ns = lf_meter_now_ns();
		return;
	}
	bool over = phase->once  ? run->next == run->places && run->in_flight == 0
		    : phase->ios ? result->ios >= phase->ios
				 : now - run->begun_ns >= (uint64_t)(phase->seconds * 1e9);
	if (run->measuring && over) {
		uint64_t server_ns, client_ns;
		/* A server that has gone is found out by the session. */
		if (!lf_meter_cpu_ns(run->bench->server_pid, &server_ns))
			server_ns = run->server_cpu_ns;
		lf_meter_cpu_ns(getpid(), &client_ns);
		result->seconds = (double)(lf_meter_now_ns() - run->begun_ns) / 1e9;
		result->server_cpu_seconds = (double)(server_ns - run->server_cpu_ns) / 1e9;
		result->client_cpu_seconds = (double)(client_ns - run->client_cpu_ns) / 1e9;
		run->measuring = false;
		run->stopping = true;
	}
}

static bool loop(struct run *run)
{
	struct lf_initiator *session = &run->bench->session;
	uint64_t began = lf_meter_now_ns(), alive = began;
	for (;;) {
		uint64_t now = lf_meter_now_ns();
		keep_window(run, now, began);
		if (!run->stopping)
			start_idle(run);
		if (run->in_flight == 0 && run->stopping)
			return true;
		if (run->in_flight == 0)
			continue;
		run->completed_ns = 0;
		if (!lf_initiator_turn(session))
			return false;
		if (run->completed_ns)
			alive = run->completed_ns;
		else if (now > alive && now - alive > UINT64_C(60000000000))
			return lf_initiator_fail(
				session, "no command ended for 60 s, %u are in flight", run->in_flight);
	}
}

static bool allocate(struct run *run)
{
	uint32_t depth = run->phase->depth;
	run->ios = calloc(depth, sizeof(*run->ios));
	run->busy = calloc(run->places, 1);
	if (!run->ios || !run->busy)
		return false;
	for (uint32_t i = 0; i < depth; i++) {
		struct io *io = &run->ios[i];
		io->run = run;
		io->task.owner = io;
		io->task.done = io_done;
		io->task.lun = run->bench->unit.lun;
		io->buffer = aligned_alloc(4096, (run->phase->io_bytes + 4095) & ~4095u);
		if (!io->buffer)
			return false;
		io->next = run->idle;
		run->idle = io;
	}
	return true;
}

bool bench_run(struct bench *bench, const struct bench_phase *phase, struct bench_result *result)
{
	struct run run = {.bench = bench, .phase = phase, .result = result};
	bool good;
	memset(result, 0, sizeof(*result));
	run.places = bench->region_blocks * bench->unit.block_size / phase->io_bytes;
	if (!allocate(&run))
		good = lf_initiator_fail(&bench->session, "no memory");
	else if (run.places < 2 * phase->depth && !phase->once)
		good = lf_initiator_fail(&bench->session, "the region is too small for the depth");
	else
		good = loop(&run);
	for (uint32_t i = 0; run.ios && i < phase->depth; i++)
		free(run.ios[i].buffer);
	free(run.ios);
	free(run.busy);
	return good;
}
