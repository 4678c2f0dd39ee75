/* SPDX-License-Identifier: BSD-2-Clause */
/* model_own.h: what the files of the model share: its threads, and how each talks to the adapter. */
#ifndef LF_GUI_MODEL_OWN_H
#define LF_GUI_MODEL_OWN_H

#include "programs/disk_nt.h"
#include "programs/gui/model.h"
#include "programs/gui/model_figures.h"

/* One thread: that which polls, or an action's. */
struct lf_gui_worker {
	struct lf_gui_model *model;
	HANDLE thread;                /* the window's; NULL: it never ran */
	bool busy;                    /* under the lock, and the rest */
	bool installs;                /* not to be cancelled */
	struct lf_client *client;     /* that it talks by; NULL: it does not */
	struct lf_gui_result *result; /* of an action; its own until it is posted */
};

struct lf_gui_model {
	HWND window;
	HANDLE wake;  /* the one that polls, before its time */
	char *socket; /* NULL: the adapter that there is */
	LONG users;   /* the window and each thread */
	CRITICAL_SECTION lock;
	bool watching, stopping; /* under the lock */
	bool renames;            /* likewise: disks may have other names by now */
	struct lf_gui_worker poll, actions[LF_GUI_ACTIONS_MAX];
};

/* ---- model.c ---- */

/* A command line whose reports become the message, the first of them. */
void lf_gui_line(
	const struct lf_gui_model *model, struct lf_gui_message *message, struct lf_command_line *line);
/* A connection that lf_gui_model_stop can cancel; as lf_session_open. NULL as well when it has begun. */
struct lf_client *lf_gui_open(struct lf_gui_worker *worker, const struct lf_command_line *line, int *status);
void lf_gui_close(struct lf_gui_worker *worker, struct lf_client *client);

/* ---- model_poll.c ---- */

/* What is known of devices from one snapshot to the next; zeros at first, at is freed by free. */
struct lf_gui_known;
struct lf_gui_memory {
	struct lf_gui_known *at;
	uint32_t count;
};

/* NULL: memory is short, or the window has not taken those before. */
struct lf_gui_snapshot *lf_gui_snapshot_take(struct lf_gui_worker *worker, struct lf_gui_memory *memory);

/* ---- model_actions.c ---- */

/* Does it, and says in its result what became of it. */
void lf_gui_act(struct lf_gui_worker *worker);

#endif
