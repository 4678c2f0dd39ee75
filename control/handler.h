/* SPDX-License-Identifier: BSD-2-Clause */
/* handler.h: one request in, one reply out: what the adapter does for its command; knows no socket. */
#ifndef LF_CONTROL_HANDLER_H
#define LF_CONTROL_HANDLER_H

#include "control/devices.h"
#include "control/inquiry.h"

/* Facts for IDENTIFY and STATUS. */
struct lf_handler_options {
	struct lf_adapter *adapter;
	struct lf_devices *devices;
	struct lf_loop *loop;
	const char *release;
	const char *engine;
	uint32_t loop_count;
};

struct lf_handler {
	struct lf_handler_options options;
	uint64_t started_ns;
	struct lf_inquirer inquirer;
	/* What is just being served and answered: too large for a stack, and one at a time, as all is on the
	 * loop. */
	union lf_control_request request;
	union lf_control_reply reply;
	struct lf_control_device record;
	struct lf_message message;
};

void lf_handler_init(struct lf_handler *handler, const struct lf_handler_options *options);
/* Every call was answered or forgotten, the loop does not run any more, every device has gone. */
void lf_handler_fini(struct lf_handler *handler);

/* One request of one client: its memory, lent until answered. */
struct lf_call {
	uint64_t client; /* for the trace */
	/*
	 * Once, on the loop, perhaps before lf_handler_serve returns; reply holds reply_length bytes. Serves
	 * no other call from within.
	 */
	void (*answered)(struct lf_call *call);
	uint8_t *reply; /* LF_CONTROL_MESSAGE_MAX bytes, valid while answered runs and the call is served */
	size_t reply_length;
	bool believed; /* false: what came was no message; whoever sends such is let go */

	/* The handler's own. */
	struct lf_handler *handler;
	struct lf_device *device; /* that it waits for, so long and no longer */
	uint16_t command;
	struct lf_device_waiter waiter;
	struct lf_timer timer;
	struct lf_inquiry *inquiry;
};

/*
 * handles: LF_CONTROL_HANDLES_MAX of them, LF_HANDLE_NONE for none; the handler's from here on. request and
 * handles may lie in the call's memory: neither is looked at once it is answered.
 */
void lf_handler_serve(struct lf_handler *handler, struct lf_call *call, const void *request,
	size_t length_bytes, const lf_handle handles[LF_CONTROL_HANDLES_MAX]);

/*
 * Nobody waits for the answer any more: it never comes. What was begun goes on, but for an image that is not
 * open yet: nothing comes of that.
 */
void lf_handler_forget(struct lf_call *call);

/* False: so many handles are still being closed that the next request has to come without any. */
bool lf_handler_takes_handles(const struct lf_handler *handler);
/* Closes what came with a request that nobody waits for, or that was none; or a socket with both in it. */
void lf_handler_drop(struct lf_handler *handler, const lf_handle handles[LF_CONTROL_HANDLES_MAX]);

/*
 * An image could not be opened because it is in use: when a device of ours has it, message says which. file
 * may be unknown.
 */
void lf_handler_name_user(struct lf_handler *handler, const struct lf_system_file *file, const char *path,
	struct lf_message *message);

/* The reply to who is refused before saying anything. Returns its length. */
size_t lf_handler_refuse(enum lf_control_status status, const char *text, void *reply, size_t room_bytes);

#endif
