/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bed.h: the driver's control server between a host that sends it service IRPs and a handler of the
 * test's own, which answers when the test wants it.
 */
#ifndef LF_TESTS_STORPORT_BED_H
#define LF_TESTS_STORPORT_BED_H

#include <pthread.h>

#include "control/codec.h"
#include "control/interface_nt.h"
#include "control/ioctl_nt.h"
#include "tests/storport/nt/nt.h"
#include "tests/test.h"

enum bed_way { BED_ANSWERS, BED_HOLDS };

struct bed {
	struct lf_loop *loop;
	struct lf_nt_thread thread;
	struct lf_ioctl *ioctl;

	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t changed;
	enum bed_way way;
	struct lf_call *held[128]; /* by the handler */
	uint32_t held_count, served, forgotten, completed;
	uint32_t brought; /* so many of those that were served had an image with them */
	/* Opens stand still while it is set. */
	bool gate;
	uint32_t at_gate;
	struct lf_fake_asked asked; /* of the last that came there */
};

extern struct bed bed;

/* A fresh kernel; the calling thread is an administrator's. Ends the process when that fails. */
void bed_open(void);
void bed_close(void); /* fails the case when something is left */
void bed_stop(void);  /* lf_ioctl_stop, for a test that goes on afterwards */

void bed_way(enum bed_way way);
void bed_gate(bool shut);
void bed_wait(const uint32_t *count, uint32_t least);
uint32_t bed_read(const uint32_t *count);
void bed_answer_held(void); /* posts it to the loop, and waits until it was done */

/* One service IRP. */
struct bed_irp {
	IRP *irp;
	bool done;
};

void bed_send(struct bed_irp *one, const void *in, ULONG in_bytes, ULONG out_bytes);
void bed_send_request(struct bed_irp *one, union lf_control_request *request);
NTSTATUS bed_end(struct bed_irp *one); /* waits for it; it is freed by bed_forget */
void bed_forget(struct bed_irp *one);

union lf_control_request bed_request(enum lf_control_command command);
union lf_control_request bed_connect(const char *path, bool read_only);

/* Sends, waits, decodes. Not STATUS_SUCCESS: there is no reply. */
NTSTATUS bed_ask(union lf_control_request *request, enum lf_control_status *status, char text[512]);

#endif
