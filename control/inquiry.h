/* SPDX-License-Identifier: BSD-2-Clause */
/* inquiry.h: SCSI commands that read facts of a unit, on behalf of control: nexuses of its own, no edge. */
#ifndef LF_CONTROL_INQUIRY_H
#define LF_CONTROL_INQUIRY_H

#include "control/codec.h"
#include "core/adapter.h"
#include "platform/loop.h"

/* What asks the units of one target. */
struct lf_inquiry_nexus {
	struct lf_link link;
	uint32_t target;
	struct lf_nexus *nexus;
};

/* All functions on the loop, but for init before it runs and fini after. */
struct lf_inquirer {
	struct lf_adapter *adapter;
	struct lf_loop *loop;
	struct lf_link nexuses;   /* one for each target that was asked: it costs something for every unit */
	struct lf_link inquiries; /* those whose end has not been told */
	uint32_t count;
	uint64_t last_tag;
};

void lf_inquirer_init(struct lf_inquirer *inquirer, struct lf_adapter *adapter, struct lf_loop *loop);
/* Every unit has gone, or nothing is in flight. */
void lf_inquirer_fini(struct lf_inquirer *inquirer);

/* One command. It has memory of its own, so that whoever asked may go while a unit still has it. */
struct lf_inquiry {
	struct lf_inquirer *inquirer;
	struct lf_link link;
	/* Once, on the loop, never from within begin; NULL: nobody waits. The inquiry is gone after it. */
	void (*ended)(struct lf_inquiry *inquiry);
	void *context;

	/* Its end: status, sense and data_moved; data. */
	struct lf_request request;
	struct lf_segment segment;
	struct lf_post post;
	uint32_t attentions; /* that came instead of an answer */
	uint8_t data[LF_CONTROL_INQUIRY_DATA_MAX];
};

/* Whether it is one of those that only read facts. */
bool lf_inquiry_is_allowed(const uint8_t *cdb, uint32_t cdb_length);

/* Not OK: message says why, nothing ends. */
enum lf_control_status lf_inquiry_begin(struct lf_inquirer *inquirer, uint32_t target, uint32_t lun,
	const struct lf_control_inquire *what, void (*ended)(struct lf_inquiry *inquiry), void *context,
	struct lf_inquiry **begun, struct lf_message *message);
/* Nobody waits any more: ended never runs. */
void lf_inquiry_forget(struct lf_inquiry *inquiry);

#endif
