/* SPDX-License-Identifier: BSD-2-Clause */
/* soak.h: what the files of lf-soak share: the model of the region, and the run. */
#ifndef LF_TESTS_SOAK_H
#define LF_TESTS_SOAK_H

#include "tests/initiator/initiator.h"
#include "tests/initiator/scsi.h"

#define SOAK_BLOCKS_MAX     16 /* of one I/O */
#define SOAK_DEPTH_MAX      256
#define SOAK_ATTENTIONS_MAX 32 /* kinds that are counted */

/* What a block may hold: a write's generation, or zeros (0); after an UNMAP, if the target may keep data,
 * either. */
struct soak_content {
	uint64_t generation, kept;
	bool has_kept;
};

/*
 * One block. A block has at most one writer at a time, and at most one write in the lifetime of any read of
 * it, so that a read may find what was there before, what is there now, or what is being written: no more.
 */
struct soak_block {
	struct soak_content now, before, coming;
	uint64_t changed_at; /* the model's clock when now became now */
	uint32_t readers;
	bool writer, overlapped;
};

struct soak_model {
	struct soak_block *blocks;
	uint64_t start, count; /* logical blocks of the unit */
	uint32_t block_size;
	uint64_t seed, clock;
	uint64_t miscompares, torn, kept_after_unmap;
};

bool soak_may_write(const struct soak_model *model, uint64_t at, uint32_t blocks);
void soak_write_begins(struct soak_model *model, uint64_t at, uint32_t blocks, struct soak_content content);
void soak_write_ends(struct soak_model *model, uint64_t at, uint32_t blocks, bool done);
/* UNMAP: content for a block that held what it holds now; strict: zeros and nothing else. */
void soak_unmap_begins(struct soak_model *model, uint64_t at, uint32_t blocks, bool strict);
/* Returns the clock, to be given back at the end. */
uint64_t soak_read_begins(struct soak_model *model, uint64_t at, uint32_t blocks);
void soak_read_ends(
	struct soak_model *model, uint64_t at, uint32_t blocks, uint64_t begun, const uint8_t *data);
/* The same for a read that failed. */
void soak_read_forget(struct soak_model *model, uint64_t at, uint32_t blocks);

struct soak_options {
	const char *target, *region, *until_file;
	uint32_t depth;
	double seconds;
	uint64_t ios, seed;
	bool may_go, report_luns, announce, unmap_zeroes, no_unmap;
	struct lf_login login;
};

enum soak_kind { SOAK_READ, SOAK_WRITE, SOAK_FLUSH, SOAK_UNMAP, SOAK_REPORT_LUNS, SOAK_KINDS };

struct soak {
	const struct soak_options *options;
	struct lf_initiator session;
	struct lf_unit unit;
	struct soak_model model;
	struct soak_io *ios, *idle;
	uint32_t in_flight;
	uint64_t random, generation;
	uint64_t count[SOAK_KINDS]; /* that ended well */
	uint64_t unexpected, busy, unanswered;
	struct {
		uint32_t sense;
		uint64_t count;
	} attentions[SOAK_ATTENTIONS_MAX];
	bool gone, wants_luns;
	uint32_t gone_sense;
	uint64_t gone_ns, next_in_sequence;
};

void soak_count_attention(struct soak *soak, uint32_t sense);
/* Fills the region, soaks it, reads it all once more. False: the session failed. */
bool soak_run(struct soak *soak);
/* When the session is closed: until then buffers may wait to be sent. */
void soak_free(struct soak *soak);

#endif
