/* SPDX-License-Identifier: BSD-2-Clause */
/* soak_run.c: mixed reads, writes, flushes and unmaps in flight together, and what their answers mean. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/bytes.h"
#include "tests/initiator/meter.h"
#include "tests/initiator/soak.h"
#include "tests/initiator/stamp.h"

#define LUNS_BYTES 16384

struct soak_io {
	struct lf_scsi_task task;
	struct soak *soak;
	struct soak_io *next;
	enum soak_kind kind;
	uint64_t at, begun;
	uint32_t blocks;
	uint8_t *buffer;
};

enum stage { STAGE_FILL, STAGE_MIX, STAGE_VERIFY };

void soak_count_attention(struct soak *soak, uint32_t sense)
{
	for (uint32_t i = 0; i < SOAK_ATTENTIONS_MAX; i++) {
		if (soak->attentions[i].count && soak->attentions[i].sense != sense)
			continue;
		soak->attentions[i].sense = sense;
		soak->attentions[i].count++;
		return;
	}
}

static void make_idle(struct soak *soak, struct soak_io *io)
{
	io->next = soak->idle;
	soak->idle = io;
}

/* Our own LUN has to be in the list while the unit is there. */
static bool luns_are_right(struct soak *soak, const struct soak_io *io)
{
	uint32_t length = io->task.moved >= 8 ? lf_get_be32(io->buffer) : 0;
	for (uint32_t at = 8; at + 8 <= io->task.moved && at < 8 + length; at += 8)
		if (lf_get_be64(io->buffer + at) == soak->unit.lun)
			return true;
	if (soak->options->may_go)
		return true;
	fprintf(stderr, "lf-soak: REPORT LUNS does not list the unit's own LUN\n");
	return false;
}

/* The command ended well (done) or for good without having been carried out. */
static void settle(struct soak *soak, struct soak_io *io, bool done)
{
	soak->count[io->kind] += done;
	if (io->kind == SOAK_READ && done)
		soak_read_ends(&soak->model, io->at, io->blocks, io->begun, io->buffer);
	else if (io->kind == SOAK_READ)
		soak_read_forget(&soak->model, io->at, io->blocks);
	else if (io->kind == SOAK_WRITE || io->kind == SOAK_UNMAP)
		soak_write_ends(&soak->model, io->at, io->blocks, done);
	else if (io->kind == SOAK_REPORT_LUNS && done)
		soak->unexpected += !luns_are_right(soak, io);
	make_idle(soak, io);
}

static void resubmit(struct soak *soak, struct soak_io *io)
{
	soak->in_flight++;
	lf_initiator_submit(&soak->session, &io->task);
}

static void complain(struct soak *soak, const struct lf_scsi_task *task)
{
	if (soak->unexpected++ < 10)
		fprintf(stderr, "lf-soak: command %02x: response %u, status %02x, sense %06x, residual %u\n",
			task->cdb[0], task->response, task->status, lf_scsi_sense(task), task->residual);
}

static void io_done(struct lf_scsi_task *task)
{
	struct soak_io *io = task->owner;
	struct soak *soak = io->soak;
	uint32_t sense = lf_scsi_sense(task);
	bool moves_blocks = io->kind == SOAK_READ || io->kind == SOAK_WRITE;
	bool whole = !moves_blocks || (task->residual == 0 && !task->overflow);
	soak->in_flight--;
	if (task->response == 0 && task->status == 0 && whole) {
		settle(soak, io, true);
	} else if (task->response == 0 && LF_SENSE_KEY(sense) == LF_SENSE_UNIT_ATTENTION) {
		soak_count_attention(soak, sense);
		if (sense == LF_SENSE_REPORTED_LUNS_CHANGED)
			soak->wants_luns = soak->options->report_luns;
		resubmit(soak, io);
	} else if (task->response == 0 && (task->status == 0x08 || task->status == 0x28)) {
		soak->busy++;
		resubmit(soak, io);
	} else if (task->response == 0 && sense == LF_SENSE_LUN_NOT_SUPPORTED && soak->options->may_go) {
		soak->gone = true;
		soak->gone_sense = sense;
		settle(soak, io, false);
	} else if (task->response == 0 && task->status == 0x40 && soak->options->may_go) {
		settle(soak, io, false);
	} else {
		complain(soak, task);
		settle(soak, io, false);
	}
}

static void prepare_write(struct soak *soak, struct soak_io *io)
{
	struct soak_model *model = &soak->model;
	struct soak_content content = {.generation = ++soak->generation};
	uint64_t sector = (model->start + io->at) * (model->block_size / LF_STAMP_BYTES);
	uint32_t length = io->blocks * model->block_size;
	for (uint32_t at = 0; at < length; at += LF_STAMP_BYTES)
		lf_stamp_fill(
			(uint64_t *)(void *)(io->buffer + at), model->seed, sector++, content.generation);
	soak_write_begins(model, io->at, io->blocks, content);
	lf_scsi_write(&io->task, model->start + io->at, io->blocks, io->buffer, length,
		lf_random_below(&soak->random, 10) == 0);
}

static void prepare_luns(struct soak_io *io)
{
	memset(io->task.cdb, 0, sizeof(io->task.cdb));
	io->task.cdb[0] = 0xa0;
	lf_put_be32(io->task.cdb + 6, LUNS_BYTES);
	io->task.direction = LF_DATA_IN;
	io->task.buffer = io->buffer;
	io->task.length = LUNS_BYTES;
}

static void start(struct soak *soak, struct soak_io *io, enum soak_kind kind)
{
	struct soak_model *model = &soak->model;
	io->kind = kind;
	if (kind == SOAK_READ) {
		io->begun = soak_read_begins(model, io->at, io->blocks);
		lf_scsi_read(&io->task, model->start + io->at, io->blocks, io->buffer,
			io->blocks * model->block_size);
	} else if (kind == SOAK_WRITE) {
		prepare_write(soak, io);
	} else if (kind == SOAK_UNMAP) {
		soak_unmap_begins(model, io->at, io->blocks, soak->options->unmap_zeroes);
		lf_scsi_unmap(&io->task, model->start + io->at, io->blocks, io->buffer);
	} else if (kind == SOAK_FLUSH) {
		lf_scsi_flush(&io->task);
	} else {
		prepare_luns(io);
	}
	resubmit(soak, io);
}

static enum soak_kind choose_kind(struct soak *soak)
{
	uint64_t dice = lf_random_below(&soak->random, 100);
	if (dice < 45)
		return SOAK_READ;
	if (dice < 88)
		return SOAK_WRITE;
	if (dice < 91)
		return SOAK_FLUSH;
	if (soak->unit.can_unmap && soak->unit.unmapped_reads_zero && !soak->options->no_unmap)
		return SOAK_UNMAP;
	return SOAK_WRITE;
}

/* Widens an UNMAP to whole granules where that fits, since less may change nothing. */
static void align_unmap(struct soak *soak, struct soak_io *io)
{
	uint64_t granule = soak->unit.unmap_granularity_blocks, lba = soak->model.start + io->at;
	uint64_t into = (lba + granule - soak->unit.unmap_alignment_blocks % granule) % granule;
	if (granule > SOAK_BLOCKS_MAX || into > io->at)
		return;
	io->at -= into;
	io->blocks = (uint32_t)((io->blocks + into + granule - 1) / granule * granule);
	if (io->blocks > 2 * SOAK_BLOCKS_MAX || io->blocks > soak->model.count - io->at)
		io->blocks = (uint32_t)granule;
	if (io->blocks > soak->model.count - io->at)
		io->blocks = (uint32_t)(soak->model.count - io->at);
}

/* One more command of the mix; false when the writes in flight left no room for one. */
static bool start_mixed(struct soak *soak, struct soak_io *io)
{
	enum soak_kind kind = soak->wants_luns ? SOAK_REPORT_LUNS : choose_kind(soak);
	if (kind == SOAK_REPORT_LUNS)
		soak->wants_luns = false;
	for (int tries = 0; tries < 20; tries++) {
		io->blocks = 1 + (uint32_t)lf_random_below(&soak->random, SOAK_BLOCKS_MAX);
		io->at = lf_random_below(&soak->random, soak->model.count - io->blocks + 1);
		if (kind == SOAK_UNMAP)
			align_unmap(soak, io);
		if ((kind == SOAK_WRITE || kind == SOAK_UNMAP) &&
			!soak_may_write(&soak->model, io->at, io->blocks))
			continue;
		start(soak, io, kind);
		return true;
	}
	return false;
}

static bool start_in_sequence(struct soak *soak, struct soak_io *io, enum soak_kind kind)
{
	uint64_t left = soak->model.count - soak->next_in_sequence;
	if (left == 0)
		return false;
	io->at = soak->next_in_sequence;
	io->blocks = left < SOAK_BLOCKS_MAX ? (uint32_t)left : SOAK_BLOCKS_MAX;
	soak->next_in_sequence += io->blocks;
	start(soak, io, kind);
	return true;
}

static void start_idle(struct soak *soak, enum stage stage)
{
	while (soak->idle && !soak->gone && soak->unexpected < 100) {
		struct soak_io *io = soak->idle;
		bool started;
		soak->idle = io->next;
		if (stage == STAGE_MIX)
			started = start_mixed(soak, io);
		else
			started = start_in_sequence(soak, io, stage == STAGE_FILL ? SOAK_WRITE : SOAK_READ);
		if (started)
			continue;
		make_idle(soak, io);
		return;
	}
}

static uint64_t mixed_count(const struct soak *soak)
{
	return soak->count[SOAK_READ] + soak->count[SOAK_WRITE] + soak->count[SOAK_FLUSH] +
	       soak->count[SOAK_UNMAP];
}

/* Nothing more is to be started: time, number, or the file that says so. */
static bool is_over(const struct soak *soak, uint64_t began_ns, uint64_t first)
{
	const struct soak_options *options = soak->options;
	if (soak->gone || soak->unexpected >= 100 || soak->model.miscompares >= 100)
		return true;
	if (options->ios && mixed_count(soak) - first >= options->ios)
		return true;
	if (options->seconds > 0 && lf_meter_now_ns() - began_ns >= (uint64_t)(options->seconds * 1e9))
		return true;
	return options->until_file && access(options->until_file, F_OK) == 0;
}

/* Runs one stage until nothing is in flight. A unit that went may leave commands without an answer. */
static bool run_stage(struct soak *soak, enum stage stage)
{
	uint64_t began = lf_meter_now_ns(), first = mixed_count(soak), alive = began;
	bool over = false;
	soak->next_in_sequence = 0;
	for (uint32_t turns = 0;; turns++) {
		uint64_t now, before = soak->session.completed;
		if (!over && stage == STAGE_MIX && turns % 64 == 0)
			over = is_over(soak, began, first);
		over = over || soak->gone;
		if (!over)
			start_idle(soak, stage);
		if (soak->in_flight == 0)
			return true;
		if (!lf_initiator_turn(&soak->session))
			return false;
		now = lf_meter_now_ns();
		if (soak->session.completed != before)
			alive = now;
		if (soak->gone && now - alive > UINT64_C(5000000000)) {
			soak->unanswered = lf_initiator_abandon(&soak->session);
			return true;
		}
		if (now - alive > UINT64_C(60000000000))
			return lf_initiator_fail(&soak->session,
				"no command ended for 60 s, %u are in flight", soak->in_flight);
	}
}

static bool allocate(struct soak *soak)
{
	uint32_t bytes = SOAK_BLOCKS_MAX * soak->unit.block_size;
	soak->ios = calloc(soak->options->depth, sizeof(*soak->ios));
	soak->model.blocks = calloc(soak->model.count, sizeof(*soak->model.blocks));
	if (!soak->ios || !soak->model.blocks)
		return lf_initiator_fail(&soak->session, "no memory");
	if (bytes < LUNS_BYTES)
		bytes = LUNS_BYTES;
	for (uint32_t i = 0; i < soak->options->depth; i++) {
		struct soak_io *io = &soak->ios[i];
		io->soak = soak;
		io->task.owner = io;
		io->task.done = io_done;
		io->task.lun = soak->unit.lun;
		io->buffer = aligned_alloc(4096, bytes);
		if (!io->buffer)
			return lf_initiator_fail(&soak->session, "no memory");
		make_idle(soak, io);
	}
	return true;
}

bool soak_run(struct soak *soak)
{
	bool good = allocate(soak) && run_stage(soak, STAGE_FILL);
	if (good && soak->options->announce && !soak->gone) {
		printf("running\n");
		fflush(stdout);
	}
	return good && run_stage(soak, STAGE_MIX) && run_stage(soak, STAGE_VERIFY);
}

void soak_free(struct soak *soak)
{
	for (uint32_t i = 0; soak->ios && i < soak->options->depth; i++)
		free(soak->ios[i].buffer);
	free(soak->ios);
	free(soak->model.blocks);
}
