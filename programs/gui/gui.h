/* SPDX-License-Identifier: BSD-2-Clause */
/* gui.h: what the files of the window share: the window itself, its list, what goes on, its looks. */
#ifndef LF_GUI_GUI_H
#define LF_GUI_GUI_H

#include "programs/gui/ids.h"
#include "programs/gui/model.h"
#include "programs/gui/theme.h"

#include <commctrl.h>

/* Posted by the window to itself: columns have to fit; results wait to be shown. */
#define LF_GUI_WM_FIT  (WM_APP + 10)
#define LF_GUI_WM_TELL (WM_APP + 11)

#define LF_GUI_TITLE     L"Lungfish"
#define LF_GUI_TEXT_ROOM 256 /* units of a cell, but for the image's */
#define LF_GUI_LINES_MAX 8   /* in a message box: more than that nobody reads, and screens end */

enum lf_gui_column {
	LF_COLUMN_ID,
	LF_COLUMN_TYPE,
	LF_COLUMN_SIZE,
	LF_COLUMN_FLAGS,
	LF_COLUMN_STATE,
	LF_COLUMN_DISK,
	LF_COLUMN_READS,
	LF_COLUMN_WRITES,
	LF_COLUMN_RATE,
	LF_COLUMN_READ,
	LF_COLUMN_WRITTEN,
	LF_COLUMN_IMAGE,
	LF_COLUMN_COUNT,
};

/* Kept for the next time in HKCU\Software\Lungfish. */
struct lf_gui_settings {
	RECT place; /* empty: there is none yet */
	UINT dpi;   /* that place was measured at */
	bool maximized;
	int order[LF_COLUMN_COUNT];
	uint32_t sort; /* enum lf_gui_column */
	bool descending;
};

struct lf_gui_list {
	HWND window;
	struct lf_gui_snapshot *shown; /* what its rows are of; NULL: nothing yet */
	int widths[LF_COLUMN_COUNT];
	bool by_hand[LF_COLUMN_COUNT]; /* made that wide by a person */
	uint32_t sort;
	bool descending;
};

/* A result that waits to be shown. */
struct lf_gui_told {
	struct lf_gui_told *next;
	struct lf_gui_result *result;
};

/* What somebody wants done. Not more of them are begun at a time than the model takes. */
struct lf_gui_going {
	struct lf_gui_action action;
	bool begun;
};

struct lf_gui {
	HINSTANCE instance;
	HWND window, toolbar, status, hint;
	HFONT font;
	UINT dpi;
	struct lf_gui_list list;
	struct lf_gui_model *model;
	struct lf_gui_told *told, **told_end; /* results that a person has to see */
	struct lf_gui_going *going;           /* in the order in which it was asked for */
	uint32_t going_count, going_room;
	bool talking;        /* a message or a dialog is open: the next one waits */
	bool offer, offered; /* to install the driver: is due; was made */
};

/* A size for a screen of 96 dots an inch, in pixels of this one. */
static inline int lf_gui_scale(UINT dpi, int size)
{
	return MulDiv(size, (int)dpi, 96);
}

/* ---- The window: window.c ---- */

/* NULL: a message has said why. socket: as --socket of the command; NULL: none. */
struct lf_gui *lf_gui_window_open(HINSTANCE instance, const char *socket, int show);
void lf_gui_window_close(struct lf_gui *gui); /* when the window is gone */

/* ---- Its parts: layout.c ---- */

bool lf_gui_create_parts(struct lf_gui *gui, const struct lf_gui_settings *settings);
void lf_gui_lay_parts(struct lf_gui *gui);
/* Fonts and sizes, at first and when the window comes to another screen. */
void lf_gui_set_dpi(struct lf_gui *gui, UINT dpi);
/* Where it was the last time; shows it, as show says. */
void lf_gui_place(struct lf_gui *gui, const struct lf_gui_settings *settings, int show);

/* ---- What it says besides its rows: show.c ---- */

void lf_gui_show_going(struct lf_gui *gui);
void lf_gui_show_hint(struct lf_gui *gui);
void lf_gui_show_choice(struct lf_gui *gui); /* buttons and menus, by what is chosen */

/* menu.c: the menus' colours, as the theme is by now. */
void lf_gui_menu_theme(const struct lf_gui *gui);
/* After Windows has painted the frame. */
void lf_gui_menu_paint_bar(const struct lf_gui *gui);
/* True: it was the menus', and result is due. */
bool lf_gui_menu_message(
	const struct lf_gui *gui, UINT message, WPARAM wparam, LPARAM lparam, LRESULT *result);

/* ---- The list: list.c, cells.c ---- */

bool lf_gui_list_create(struct lf_gui *gui, const struct lf_gui_settings *settings);
/* Takes the snapshot over; what is chosen and where the list stands remain. */
void lf_gui_list_show(struct lf_gui_list *list, struct lf_gui_snapshot *snapshot);
void lf_gui_list_fit(struct lf_gui_list *list, bool all_again);
/* Of what the list tells its parent. True: result is what it wants to hear. */
bool lf_gui_list_notify(struct lf_gui *gui, const NMHDR *header, LRESULT *result);
/* The next device that is chosen; index: 0 at first, then as it was left. NULL: no more. */
const struct lf_gui_device *lf_gui_list_chosen(const struct lf_gui_list *list, int *index);
void lf_gui_list_select_all(struct lf_gui_list *list);

/* room: LF_GUI_TEXT_ROOM units, or LF_CONTROL_PATH_CAPACITY of LF_COLUMN_IMAGE. */
void lf_gui_cell(const struct lf_gui_device *device, enum lf_gui_column column, wchar_t *text, int room);
const wchar_t *lf_gui_heading(enum lf_gui_column column);
bool lf_gui_cell_is_number(enum lf_gui_column column);
int lf_gui_compare(
	const struct lf_gui_device *one, const struct lf_gui_device *other, enum lf_gui_column column);
/* "12.3" of bytes in a second */
void lf_gui_format_rate(uint64_t rate_bytes, wchar_t *text, int room);

/* ---- What can be done: actions.c, results.c ---- */

void lf_gui_command(struct lf_gui *gui, int id);
void lf_gui_begin(struct lf_gui *gui, const struct lf_gui_action *action);
/* Each at once: an ISO image as a CD-ROM. */
void lf_gui_connect_images(struct lf_gui *gui, const wchar_t *const *images, uint32_t count);
bool lf_gui_is_disc(const wchar_t *image);
/* Is done with: the next one may begin. */
void lf_gui_ended(struct lf_gui *gui, const struct lf_gui_action *action);
/* "Connecting disk.img" */
void lf_gui_describe(const struct lf_gui_action *action, wchar_t *text, int room);
/* Takes the result over. */
void lf_gui_result(struct lf_gui *gui, struct lf_gui_result *result);
/* Shows what waits, when nothing else is shown. */
void lf_gui_tell(struct lf_gui *gui);
/* A message box over the window; what comes meanwhile waits until it is closed. */
int lf_gui_ask(struct lf_gui *gui, const wchar_t *text, UINT kind);

/* ---- Dialogs ---- */

/* dialog.c: over its owner, in its colours. */
void lf_gui_dialog_begin(HWND dialog);

/* connect_dialog.c. False: not now. */
bool lf_gui_ask_connect(struct lf_gui *gui, struct lf_gui_action *action);
/* properties.c */
void lf_gui_show_properties(struct lf_gui *gui, const struct lf_gui_result *result);
/* file_dialog.c: image has LF_CONTROL_PATH_CAPACITY units. */
bool lf_gui_ask_file(HWND owner, const wchar_t *title, wchar_t *image);

/* ---- clipboard.c: text that is put together, and taken along ---- */

struct lf_gui_text {
	wchar_t *units;
	size_t length, room;
	bool failed; /* memory was short */
};

void lf_gui_append(struct lf_gui_text *text, const wchar_t *more);
bool lf_gui_copy(HWND owner, const struct lf_gui_text *text);
void lf_gui_text_free(struct lf_gui_text *text);
/* The rows of a list that are chosen, or all of them, by columns as they are shown. */
void lf_gui_copy_rows(HWND owner, HWND list, int columns, bool all);

/* ---- settings.c ---- */

void lf_gui_settings_load(struct lf_gui_settings *settings);
void lf_gui_settings_save(const struct lf_gui_settings *settings);

#endif
