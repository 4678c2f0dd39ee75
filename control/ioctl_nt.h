/* SPDX-License-Identifier: BSD-2-Clause */
/* ioctl_nt.h: the control server of the driver: service IRPs in, replies out; whose rights an image is opened
 * with. */
#ifndef LF_CONTROL_IOCTL_NT_H
#define LF_CONTROL_IOCTL_NT_H

#include "control/handler.h"
#include "platform/nt.h"

struct lf_ioctl;

struct lf_ioctl_options {
	struct lf_handler *handler;
	struct lf_loop *loop; /* the handler's; runs */
	/* The IRP is done; IoStatus is set. Any thread; of one that is cancelled up to DISPATCH_LEVEL. */
	void (*complete)(void *context, IRP *irp);
	void *context;
};

/* PASSIVE_LEVEL, all of them. NULL when memory is short. */
struct lf_ioctl *lf_ioctl_open(const struct lf_ioctl_options *options);
/*
 * In the thread of whoever asks. Checks that he may, captures his security where an image is to be opened,
 * and pends the IRP, which can be cancelled from then on.
 */
void lf_ioctl_serve(struct lf_ioctl *ioctl, IRP *irp);
/*
 * Completes what pends with STATUS_DEVICE_NOT_READY, and refuses what comes. What was begun goes on, but of
 * an image that is not open yet nothing comes.
 */
void lf_ioctl_stop(struct lf_ioctl *ioctl);
/* After stop, when the loop does not run any more. */
void lf_ioctl_close(struct lf_ioctl *ioctl);

#endif
