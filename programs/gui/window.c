/* SPDX-License-Identifier: BSD-2-Clause */
/* window.c: the window: how it begins and ends, and what it hears. */
#include "programs/gui/gui.h"

#include <shellapi.h>
#include <stdlib.h>

#define COPY_GLOBAL_DATA                                                                                     \
	0x0049 /* what the shell sends to bring what is dropped; it has no name in a header */
#define LEAST_WIDTH  480
#define LEAST_HEIGHT 240

/* ---- What it hears ---- */

static void show_snapshot(struct lf_gui *gui, struct lf_gui_snapshot *snapshot)
{
	lf_gui_list_show(&gui->list, snapshot);
	if (!gui->list.shown)
		return;
	lf_gui_show_hint(gui);
	lf_gui_show_choice(gui);
	/* Later on somebody else has taken it away, and means it. */
	gui->offer |= gui->list.shown->status == LF_EXIT_NO_ADAPTER && !gui->offered;
	gui->offered = true;
	if (gui->offer)
		lf_gui_tell(gui);
}

static void dropped(struct lf_gui *gui, HDROP drop)
{
	UINT count = DragQueryFileW(drop, UINT32_MAX, NULL, 0);
	wchar_t **images = calloc((size_t)count + 1, sizeof(*images));

	for (UINT i = 0; images && i < count; i++) {
		UINT length = DragQueryFileW(drop, i, NULL, 0);
		images[i] = calloc((size_t)length + 1, sizeof(wchar_t));
		if (images[i])
			DragQueryFileW(drop, i, images[i], length + 1);
	}
	DragFinish(drop);
	if (images)
		lf_gui_connect_images(gui, (const wchar_t *const *)images, count);
	for (UINT i = 0; images && i < count; i++)
		free(images[i]);
	free(images);
}

/* At the mouse, or, by the keyboard, below the row that has the focus. */
static void show_context_menu(struct lf_gui *gui, LPARAM where)
{
	POINT point = {(short)LOWORD(where), (short)HIWORD(where)};
	int focused = ListView_GetNextItem(gui->list.window, -1, LVNI_FOCUSED | LVNI_SELECTED);
	RECT row = {0};
	HMENU menu;

	if (where == -1) {
		ListView_EnsureVisible(gui->list.window, focused, FALSE);
		if (focused >= 0)
			ListView_GetItemRect(gui->list.window, focused, &row, LVIR_LABEL);
		point = (POINT){row.left, row.bottom};
		ClientToScreen(gui->list.window, &point);
	}
	menu = GetSubMenu(GetMenu(gui->window), LF_MENU_DEVICE_AT);
	TrackPopupMenu(menu, TPM_RIGHTBUTTON, point.x, point.y, 0, gui->window, NULL);
}

static void save(const struct lf_gui *gui)
{
	WINDOWPLACEMENT placement = {.length = sizeof(placement)};
	struct lf_gui_settings settings = {
		.dpi = gui->dpi, .sort = gui->list.sort, .descending = gui->list.descending};

	GetWindowPlacement(gui->window, &placement);
	settings.place = placement.rcNormalPosition;
	settings.maximized =
		IsZoomed(gui->window) || (IsIconic(gui->window) && placement.flags & WPF_RESTORETOMAXIMIZED);
	ListView_GetColumnOrderArray(gui->list.window, LF_COLUMN_COUNT, settings.order);
	lf_gui_settings_save(&settings);
}

static void resized(struct lf_gui *gui, WPARAM how)
{
	if (gui->model)
		lf_gui_model_watch(gui->model, how != SIZE_MINIMIZED);
	if (how != SIZE_MINIMIZED)
		lf_gui_lay_parts(gui);
}

static void changed_theme(struct lf_gui *gui)
{
	if (!lf_theme_refresh())
		return;
	lf_theme_apply(gui->window);
	lf_gui_menu_theme(gui);
}

static bool notified(struct lf_gui *gui, const NMHDR *header, LRESULT *result)
{
	return header->hwndFrom == gui->list.window ||
			       header->hwndFrom == ListView_GetHeader(gui->list.window)
		       ? lf_gui_list_notify(gui, header, result)
		       : false;
}

static void destroyed(struct lf_gui *gui)
{
	if (gui->list.window)
		save(gui);
	if (gui->model)
		lf_gui_model_stop(gui->model);
	PostQuitMessage(0);
}

/* False: it is for DefWindowProc. */
static bool heard(struct lf_gui *gui, UINT message, WPARAM wparam, LPARAM lparam)
{
	switch (message) {
	case LF_GUI_WM_SNAPSHOT:
		show_snapshot(gui, (struct lf_gui_snapshot *)lparam);
		return true;
	case LF_GUI_WM_RESULT:
		lf_gui_result(gui, (struct lf_gui_result *)lparam);
		return true;
	case LF_GUI_WM_FIT:
		lf_gui_list_fit(&gui->list, true);
		return true;
	case LF_GUI_WM_TELL:
		lf_gui_tell(gui);
		return true;
	case WM_TIMER:
		KillTimer(gui->window, wparam);
		lf_gui_tell(gui);
		return true;
	case WM_COMMAND:
		lf_gui_command(gui, LOWORD(wparam));
		return true;
	case WM_DROPFILES:
		dropped(gui, (HDROP)wparam);
		return true;
	case WM_CONTEXTMENU:
		if ((HWND)wparam != gui->list.window && (HWND)wparam != gui->hint)
			return false;
		show_context_menu(gui, lparam);
		return true;
	case WM_SIZE:
		resized(gui, wparam);
		return true;
	case WM_SETFOCUS:
		SetFocus(gui->list.window);
		return true;
	case WM_SETTINGCHANGE:
	case WM_THEMECHANGED:
	case WM_SYSCOLORCHANGE:
		changed_theme(gui);
		return false;
	case WM_DEVICECHANGE:
		if (gui->model)
			lf_gui_model_refresh(gui->model);
		return false;
	case WM_ENDSESSION:
		if (wparam)
			save(gui);
		return true;
	case WM_DESTROY:
		destroyed(gui);
		return true;
	default:
		return false;
	}
}

static void changed_dpi(struct lf_gui *gui, UINT dpi, const RECT *place)
{
	SetWindowPos(gui->window, NULL, place->left, place->top, place->right - place->left,
		place->bottom - place->top, SWP_NOZORDER | SWP_NOACTIVATE);
	lf_gui_set_dpi(gui, dpi);
}

static LRESULT CALLBACK procedure(HWND window, UINT message, WPARAM wparam, LPARAM lparam)
{
	struct lf_gui *gui = (struct lf_gui *)GetWindowLongPtrW(window, GWLP_USERDATA);
	MINMAXINFO *sizes = (MINMAXINFO *)lparam;
	LRESULT result = 0;

	if (message == WM_NCCREATE) {
		gui = ((const CREATESTRUCTW *)lparam)->lpCreateParams;
		gui->window = window;
		SetWindowLongPtrW(window, GWLP_USERDATA, (LONG_PTR)gui);
	}
	if (!gui || !gui->status)
		return DefWindowProcW(window, message, wparam, lparam);
	if (message == WM_GETMINMAXINFO) {
		sizes->ptMinTrackSize.x = lf_gui_scale(gui->dpi, LEAST_WIDTH);
		sizes->ptMinTrackSize.y = lf_gui_scale(gui->dpi, LEAST_HEIGHT);
		return 0;
	}
	if (message == WM_DPICHANGED) {
		changed_dpi(gui, HIWORD(wparam), (const RECT *)lparam);
		return 0;
	}
	if (message == WM_CTLCOLORSTATIC && (HWND)lparam == gui->hint) {
		SetTextColor((HDC)wparam, lf_theme()->text);
		SetBkColor((HDC)wparam, lf_theme()->back);
		return (LRESULT)lf_theme()->back_brush;
	}
	if ((message == WM_NOTIFY && notified(gui, (const NMHDR *)lparam, &result)) ||
		lf_theme_message(window, message, wparam, lparam, &result) ||
		lf_gui_menu_message(gui, message, wparam, lparam, &result))
		return result;
	if (heard(gui, message, wparam, lparam))
		return 0;
	result = DefWindowProcW(window, message, wparam, lparam);
	if (message == WM_NCPAINT || message == WM_NCACTIVATE)
		lf_gui_menu_paint_bar(gui);
	return result;
}

/* ---- Opening, closing ---- */

/* A window of an administrator hears nothing of others', but for what it says here. */
static void let_drop(const struct lf_gui *gui)
{
	static const UINT messages[] = {WM_DROPFILES, WM_COPYDATA, COPY_GLOBAL_DATA};

	for (size_t i = 0; i < lf_count_of(messages); i++)
		ChangeWindowMessageFilterEx(gui->window, messages[i], MSGFLT_ALLOW, NULL);
	DragAcceptFiles(gui->window, TRUE);
}

static HWND create_window(struct lf_gui *gui)
{
	WNDCLASSEXW class = {
		.cbSize = sizeof(class),
		.lpfnWndProc = procedure,
		.hInstance = gui->instance,
		.hIcon = LoadIconW(gui->instance, MAKEINTRESOURCEW(LF_ICON)),
		.hCursor = LoadCursorW(NULL, IDC_ARROW),
		.hbrBackground = (HBRUSH)(COLOR_3DFACE + 1),
		.lpszMenuName = MAKEINTRESOURCEW(LF_MENU_MAIN),
		.lpszClassName = LF_GUI_CLASS,
	};

	if (!RegisterClassExW(&class))
		return NULL;
	return CreateWindowExW(0, LF_GUI_CLASS, LF_GUI_TITLE, WS_OVERLAPPEDWINDOW | WS_CLIPCHILDREN,
		CW_USEDEFAULT, CW_USEDEFAULT, CW_USEDEFAULT, CW_USEDEFAULT, NULL, NULL, gui->instance, gui);
}

static struct lf_gui *give_up(struct lf_gui *gui)
{
	MessageBoxW(
		NULL, L"Memory is short: close other programs and try again.", LF_GUI_TITLE, MB_ICONERROR);
	if (gui && gui->window)
		DestroyWindow(gui->window);
	free(gui);
	return NULL;
}

struct lf_gui *lf_gui_window_open(HINSTANCE instance, const char *socket, int show)
{
	struct lf_gui *gui = calloc(1, sizeof(*gui));
	struct lf_gui_settings settings;

	if (!gui)
		return give_up(gui);
	gui->instance = instance;
	gui->told_end = &gui->told;
	lf_theme_refresh();
	lf_gui_settings_load(&settings);
	if (!create_window(gui) || !lf_gui_create_parts(gui, &settings))
		return give_up(gui);
	lf_gui_set_dpi(gui, GetDpiForWindow(gui->window));
	lf_theme_apply(gui->window);
	lf_gui_menu_theme(gui);
	let_drop(gui);
	gui->model = lf_gui_model_start(gui->window, socket);
	if (!gui->model)
		return give_up(gui);
	lf_gui_place(gui, &settings, show);
	lf_gui_show_choice(gui);
	lf_gui_show_going(gui);
	UpdateWindow(gui->window);
	return gui;
}

void lf_gui_window_close(struct lf_gui *gui)
{
	while (gui->told) {
		struct lf_gui_told *told = gui->told;
		gui->told = told->next;
		lf_gui_result_free(told->result);
		free(told);
	}
	if (gui->list.shown)
		lf_gui_snapshot_free(gui->list.shown);
	DeleteObject(gui->font);
	free(gui->going);
	free(gui);
}
