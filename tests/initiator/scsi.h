/* SPDX-License-Identifier: BSD-2-Clause */
/* scsi.h: CDBs and sense data as the programs of this directory use them. */
#ifndef LF_TESTS_SCSI_H
#define LF_TESTS_SCSI_H

#include "tests/initiator/initiator.h"

/* Sense as 0xKKAACC: key, ASC, ASCQ. 0 when there is none. Fixed and descriptor format (SPC-4 4.5). */
uint32_t lf_scsi_sense(const struct lf_scsi_task *task);

#define LF_SENSE_KEY(sense)            ((sense) >> 16)
#define LF_SENSE_UNIT_ATTENTION        0x6u
#define LF_SENSE_LUN_NOT_SUPPORTED     0x052500u
#define LF_SENSE_REPORTED_LUNS_CHANGED 0x063f0eu

/* READ(16), WRITE(16) of blocks at lba. */
void lf_scsi_read(struct lf_scsi_task *task, uint64_t lba, uint32_t blocks, uint8_t *buffer, uint32_t length);
void lf_scsi_write(
	struct lf_scsi_task *task, uint64_t lba, uint32_t blocks, uint8_t *buffer, uint32_t length, bool fua);
void lf_scsi_flush(struct lf_scsi_task *task); /* SYNCHRONIZE CACHE(10), all blocks */
/* buffer: 24 bytes for one descriptor. */
void lf_scsi_unmap(struct lf_scsi_task *task, uint64_t lba, uint32_t blocks, uint8_t *buffer);

#define LF_PROBE_TRIES 20

struct lf_unit {
	uint64_t lun;
	uint64_t block_count;
	uint32_t block_size;
	bool can_unmap, unmapped_reads_zero;
	uint32_t unmap_granularity_blocks, unmap_alignment_blocks; /* granularity is at least 1 */
	uint32_t attentions[LF_PROBE_TRIES], attention_count;      /* unit attentions that the probe met */
	uint32_t refused; /* the sense that ended the probe, when one did */
};

/* Takes the unit attentions, asks capacity and what UNMAP can do. False: session->error says why. */
bool lf_unit_probe(struct lf_initiator *session, uint64_t lun, struct lf_unit *unit);

#endif
