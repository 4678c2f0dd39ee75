/* SPDX-License-Identifier: BSD-2-Clause */
/* soak_model.c: what each block of the region must hold, and whether what was read is that. */
#include <stdio.h>

#include "tests/initiator/soak.h"
#include "tests/initiator/stamp.h"

#define CANDIDATES_MAX 6

bool soak_may_write(const struct soak_model *model, uint64_t at, uint32_t blocks)
{
	for (uint32_t i = 0; i < blocks; i++)
		if (model->blocks[at + i].writer || model->blocks[at + i].overlapped)
			return false;
	return true;
}

static void begin_write(struct soak_block *block, struct soak_content content)
{
	block->coming = content;
	block->writer = true;
	block->overlapped = block->readers != 0;
}

void soak_write_begins(struct soak_model *model, uint64_t at, uint32_t blocks, struct soak_content content)
{
	for (uint32_t i = 0; i < blocks; i++)
		begin_write(&model->blocks[at + i], content);
}

void soak_unmap_begins(struct soak_model *model, uint64_t at, uint32_t blocks, bool strict)
{
	for (uint32_t i = 0; i < blocks; i++) {
		struct soak_block *block = &model->blocks[at + i];
		struct soak_content content = {.has_kept = !strict};
		/* What an earlier UNMAP may have kept counts as kept when nothing newer was written. */
		content.kept = block->now.has_kept ? block->now.kept : block->now.generation;
		begin_write(block, content);
	}
}

void soak_write_ends(struct soak_model *model, uint64_t at, uint32_t blocks, bool done)
{
	model->clock++;
	for (uint32_t i = 0; i < blocks; i++) {
		struct soak_block *block = &model->blocks[at + i];
		block->writer = false;
		if (!done)
			continue;
		block->before = block->now;
		block->now = block->coming;
		block->changed_at = model->clock;
	}
}

uint64_t soak_read_begins(struct soak_model *model, uint64_t at, uint32_t blocks)
{
	for (uint32_t i = 0; i < blocks; i++) {
		model->blocks[at + i].readers++;
		if (model->blocks[at + i].writer)
			model->blocks[at + i].overlapped = true;
	}
	return model->clock;
}

void soak_read_forget(struct soak_model *model, uint64_t at, uint32_t blocks)
{
	for (uint32_t i = 0; i < blocks; i++)
		if (--model->blocks[at + i].readers == 0)
			model->blocks[at + i].overlapped = false;
}

static uint32_t add_content(uint64_t *candidates, uint32_t count, const struct soak_content *content)
{
	candidates[count++] = content->generation;
	if (content->has_kept)
		candidates[count++] = content->kept;
	return count;
}

/* Every generation that a read begun at that clock and ending now may find. */
static uint32_t list_candidates(const struct soak_block *block, uint64_t begun, uint64_t *candidates)
{
	uint32_t count = add_content(candidates, 0, &block->now);
	if (block->writer)
		count = add_content(candidates, count, &block->coming);
	if (block->changed_at > begun)
		count = add_content(candidates, count, &block->before);
	return count;
}

/*
 * A sector read while it was written may be made of both contents (SAM-5 gives no order among SIMPLE
 * commands), but each word of it has to be of one of them.
 */
static bool is_mixture(const struct soak_model *model, const uint64_t *words, uint64_t sector,
	const uint64_t *candidates, uint32_t count)
{
	uint64_t expected[CANDIDATES_MAX][LF_STAMP_WORDS] = {{0}};
	for (uint32_t i = 0; i < count; i++)
		if (candidates[i])
			lf_stamp_fill(expected[i], model->seed, sector, candidates[i]);
	for (uint32_t word = 0; word < LF_STAMP_WORDS; word++) {
		bool found = false;
		for (uint32_t i = 0; i < count; i++)
			found = found || words[word] == expected[i][word];
		if (!found)
			return false;
	}
	return true;
}

static void complain(struct soak_model *model, uint64_t sector, const uint64_t *words,
	const uint64_t *candidates, uint32_t count)
{
	if (model->miscompares++ >= 10)
		return;
	fprintf(stderr,
		"lf-soak: sector %llu (seed %llu): found sector %llu, seed %llu, generation %llu; expected",
		(unsigned long long)sector, (unsigned long long)model->seed, (unsigned long long)words[1],
		(unsigned long long)(words[0] ^ LF_STAMP_MAGIC), (unsigned long long)words[2]);
	for (uint32_t i = 0; i < count; i++)
		fprintf(stderr, " %llu", (unsigned long long)candidates[i]);
	fprintf(stderr, "\n");
}

static void check_sector(struct soak_model *model, struct soak_block *block, const uint64_t *words,
	uint64_t sector, uint64_t begun)
{
	uint64_t candidates[CANDIDATES_MAX], generation;
	enum lf_stamp stamp = lf_stamp_check(words, model->seed, sector, &generation);
	uint32_t count = list_candidates(block, begun, candidates);
	for (uint32_t i = 0; i < count && stamp != LF_STAMP_WRONG; i++) {
		if (generation != candidates[i] || (generation == 0) != (stamp == LF_STAMP_ZERO))
			continue;
		if (block->now.has_kept && !block->writer && block->changed_at <= begun) {
			/* The UNMAP of this block has shown what it did. */
			model->kept_after_unmap += generation != block->now.generation;
			block->now = (struct soak_content){.generation = generation};
		}
		return;
	}
	if (count > 1 && is_mixture(model, words, sector, candidates, count))
		model->torn++;
	else
		complain(model, sector, words, candidates, count);
}

void soak_read_ends(
	struct soak_model *model, uint64_t at, uint32_t blocks, uint64_t begun, const uint8_t *data)
{
	uint32_t per_block = model->block_size / LF_STAMP_BYTES;
	uint64_t sector = (model->start + at) * per_block;
	for (uint32_t i = 0; i < blocks * per_block; i++)
		check_sector(model, &model->blocks[at + i / per_block],
			(const uint64_t *)(const void *)(data + i * LF_STAMP_BYTES), sector + i, begun);
	soak_read_forget(model, at, blocks);
}
