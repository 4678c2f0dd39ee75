/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h: what the window shows and what it can have done, without a window: threads of its own talk to the
 * adapter and post what they find, so that no button ever waits for a disk.
 */
#ifndef LF_GUI_MODEL_H
#define LF_GUI_MODEL_H

#include "programs/lungfish.h"

#include <windows.h>

/* What somebody is told, whole: the longest path, and what is wrong with it. UTF-8. */
#define LF_GUI_MESSAGE_CAPACITY (LF_CONTROL_PATH_CAPACITY + 1024)
struct lf_gui_message {
	char text[LF_GUI_MESSAGE_CAPACITY];
};

/* One device, and what it did since the snapshot before. Rates are per second; 0 in its first snapshot. */
struct lf_gui_device {
	struct lf_control_device device;
	bool counted; /* false: it leaves, or did not answer: the numbers below are 0 */
	uint64_t reads, writes, read_bytes, written_bytes; /* since it came */
	uint64_t reads_rate, writes_rate, read_rate_bytes, written_rate_bytes;
	bool kept;        /* connected again by the service */
	wchar_t disk[32]; /* "PhysicalDrive2", "CdRom0"; empty: Windows has not seen it yet */
	wchar_t image[LF_CONTROL_PATH_CAPACITY]; /* as a person writes it: C:\disk.img,
						    \\server\share\disk.img */
};

/* status: an enum lf_exit of how the adapter could be asked; LF_EXIT_NO_ADAPTER: there is none. */
struct lf_gui_snapshot {
	int status;
	struct lf_gui_message message; /* when status is not LF_EXIT_DONE */
	uint32_t count;
	struct lf_gui_device devices[]; /* in the order of their numbers */
};

enum lf_gui_verb {
	LF_GUI_CONNECT,    /* image, name (may be empty), connect, keep */
	LF_GUI_DISCONNECT, /* id; force */
	LF_GUI_INSERT,     /* id, image; force, connect: LF_CONTROL_READ_ONLY in its flags */
	LF_GUI_EJECT,      /* id; force */
	LF_GUI_RESIZE,     /* id: to the size that the image has by now */
	LF_GUI_PROPERTIES, /* id: the result has rows */
	LF_GUI_INSTALL,    /* the driver of this program's directory */
};

/* What is to be done; what the verb above does not name is ignored. The model copies it. */
struct lf_gui_action {
	enum lf_gui_verb verb;
	wchar_t image[LF_CONTROL_PATH_CAPACITY];
	char id[64], name[64];
	bool force, keep;
	struct lf_control_connect connect; /* of LF_GUI_CONNECT: type, flags, block_size */
};

/* One line of Properties. level: how deep it lies. Texts are the result's. */
struct lf_gui_row {
	uint32_t level;
	const wchar_t *name, *value; /* value is NULL: a heading */
};

/*
 * What became of an action. message is what `lungfish` would say, "object: cause: remedy"; empty when all is
 * well. A connection that could not be kept is there all the same: status says why it is not kept, device is
 * its.
 */
struct lf_gui_result {
	struct lf_gui_action action;
	int status; /* enum lf_exit; LF_EXIT_BUSY of a disconnect: somebody vetoes, message says who */
	struct lf_gui_message message;
	struct lf_control_device
		device; /* that it is about, when status is LF_EXIT_DONE; not of LF_GUI_INSTALL */
	uint32_t row_count;
	struct lf_gui_row *rows; /* of LF_GUI_PROPERTIES: all that `lungfish show` knows */
};

/* Posted to the window: lParam is a struct lf_gui_snapshot or a struct lf_gui_result, from then on the
 * window's. */
#define LF_GUI_WM_SNAPSHOT (WM_APP + 1)
#define LF_GUI_WM_RESULT   (WM_APP + 2)

struct lf_gui_model;

/* socket: the device of the adapter; NULL: that which there is. NULL: memory is short. The window's thread,
 * all of these. */
struct lf_gui_model *lf_gui_model_start(HWND window, const char *socket);
/*
 * While the window is still there: in WM_DESTROY at the latest. Nothing is posted any more once it has begun,
 * and it takes what was posted out of the window's queue and frees it. What is not done in a second is
 * cancelled; what does not end then, in LF_GUI_STOP_MS, is left alone: it frees the model when it ends. What
 * the adapter has begun goes on there. model is gone when it returns.
 */
void lf_gui_model_stop(struct lf_gui_model *model);
#define LF_GUI_STOP_MS    5000
#define LF_GUI_INSTALL_MS 60000 /* likewise, of LF_GUI_INSTALL, which is never cancelled */
/*
 * False: memory is short, or LF_GUI_ACTIONS_MAX go on: nothing is begun. Several go on at once; a snapshot
 * follows each result at once.
 */
bool lf_gui_model_begin(struct lf_gui_model *model, const struct lf_gui_action *action);
#define LF_GUI_ACTIONS_MAX 16
/* Off while the window is minimized: nothing is asked then. On: a snapshot comes at once. */
void lf_gui_model_watch(struct lf_gui_model *model, bool on);
/* A snapshot now: somebody asked for it, or Windows says that devices came or went (WM_DEVICECHANGE). */
void lf_gui_model_refresh(struct lf_gui_model *model);
void lf_gui_snapshot_free(struct lf_gui_snapshot *snapshot);
void lf_gui_result_free(struct lf_gui_result *result);

#endif
