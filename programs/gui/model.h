/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h: what the window shows and what it can have done, without a window: threads of its own talk to the
 * adapter and post what they find, so that no button ever waits for a disk.
 */
#ifndef LF_GUI_MODEL_H
#define LF_GUI_MODEL_H

#include "programs/lungfish.h"

#include <windows.h>

/* One device, and what it did since the snapshot before. Rates are per second; 0 in its first snapshot. */
struct lf_gui_device {
	struct lf_control_device device;
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
	struct lf_message message; /* when status is not LF_EXIT_DONE */
	uint32_t count;
	struct lf_gui_device devices[]; /* in the order of their numbers */
};

enum lf_gui_verb {
	LF_GUI_CONNECT,    /* image, name (may be empty), connect, keep */
	LF_GUI_DISCONNECT, /* id; force */
	LF_GUI_INSERT,     /* id, image; force */
	LF_GUI_EJECT,      /* id; force */
	LF_GUI_RESIZE,     /* id: to the size that the image has by now */
	LF_GUI_PROPERTIES, /* id: the result has rows */
	LF_GUI_INSTALL,    /* the driver of this program's directory */
};

/* What is to be done. The model copies it. */
struct lf_gui_action {
	enum lf_gui_verb verb;
	wchar_t image[LF_CONTROL_PATH_CAPACITY];
	char id[64], name[64];
	bool force, keep;
	struct lf_control_connect connect; /* of LF_GUI_CONNECT: type, flags, block_size */
};

/* One line of Properties. level: how deep it lies; a heading has no value. Texts are the result's. */
struct lf_gui_row {
	uint32_t level;
	const wchar_t *name, *value;
};

/* What became of an action. message is what `lungfish` would say, "object: cause: remedy"; empty when all is
 * well. */
struct lf_gui_result {
	struct lf_gui_action action;
	int status; /* enum lf_exit; LF_EXIT_BUSY of a disconnect: somebody vetoes, message says who */
	struct lf_message message;
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
/* Returns when no thread posts any more; actions that go on in the adapter go on there. */
void lf_gui_model_stop(struct lf_gui_model *model);
/* False: memory is short, nothing is begun. Several go on at once; a snapshot follows each result at once. */
bool lf_gui_model_begin(struct lf_gui_model *model, const struct lf_gui_action *action);
/* Off while the window is minimized: nothing is asked then. */
void lf_gui_model_watch(struct lf_gui_model *model, bool on);
void lf_gui_snapshot_free(struct lf_gui_snapshot *snapshot);
void lf_gui_result_free(struct lf_gui_result *result);

#endif
