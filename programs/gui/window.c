/* SPDX-License-Identifier: BSD-2-Clause */
/* window.c: the window: its parts, where they lie, what it hears. */
#include "programs/gui/gui.h"

#include "control/user_nt.h"

#include <shellapi.h>
#include <stdlib.h>

#define COPY_GLOBAL_DATA                                                                                     \
	0x0049            /* what the shell sends to bring what is dropped; it has no name in a header */
#define WIDTH        1000 /* at first, at 96 dots an inch */
#define HEIGHT       480
#define LEAST_WIDTH  480
#define LEAST_HEIGHT 240

static const struct {
	int id;
	const wchar_t *text;
} buttons[] = {
	{LF_ID_CONNECT, L"Connect..."},
	{LF_ID_DISCONNECT, L"Disconnect"},
	{LF_ID_INSERT, L"Insert..."},
	{LF_ID_EJECT, L"Eject"},
	{LF_ID_PROPERTIES, L"Properties"},
	{LF_ID_REFRESH, L"Refresh"},
};

/* ---- Parts ---- */

static HFONT make_font(UINT dpi)
{
	NONCLIENTMETRICSW metrics = {.cbSize = sizeof(metrics)};

	if (!SystemParametersInfoForDpi(SPI_GETNONCLIENTMETRICS, sizeof(metrics), &metrics, 0, dpi))
		return NULL;
	return CreateFontIndirectW(&metrics.lfMessageFont);
}

static int text_width(const struct lf_gui *gui, const wchar_t *text)
{
	HDC dc = GetDC(gui->window);
	HGDIOBJ before = SelectObject(dc, gui->font);
	SIZE size = {0, 0};

	GetTextExtentPoint32W(dc, text, (int)wcslen(text), &size);
	SelectObject(dc, before);
	ReleaseDC(gui->window, dc);
	return size.cx;
}

static void add_buttons(const struct lf_gui *gui)
{
	TBBUTTON button = {.fsState = TBSTATE_ENABLED, .fsStyle = BTNS_BUTTON | BTNS_AUTOSIZE};

	SendMessageW(gui->toolbar, TB_BUTTONSTRUCTSIZE, sizeof(button), 0);
	SendMessageW(gui->toolbar, TB_SETBITMAPSIZE, 0, MAKELPARAM(0, 0));
	for (size_t i = 0; i < lf_count_of(buttons); i++) {
		button.iBitmap = I_IMAGENONE;
		button.idCommand = buttons[i].id;
		button.iString = (INT_PTR)buttons[i].text;
		SendMessageW(gui->toolbar, TB_ADDBUTTONSW, 1, (LPARAM)&button);
	}
}

static HWND add_control(const struct lf_gui *gui, const wchar_t *class, DWORD style, int id)
{
	return CreateWindowExW(0, class, L"", WS_CHILD | WS_VISIBLE | WS_CLIPSIBLINGS | style, 0, 0, 0, 0,
		gui->window, (HMENU)(INT_PTR)id, gui->instance, NULL);
}

static bool create_parts(struct lf_gui *gui, const struct lf_gui_settings *settings)
{
	gui->toolbar = add_control(gui, TOOLBARCLASSNAMEW,
		TBSTYLE_FLAT | TBSTYLE_LIST | CCS_NODIVIDER | CCS_NORESIZE | CCS_NOPARENTALIGN,
		LF_ID_TOOLBAR);
	/* Before the list, which lies below it. */
	gui->hint = add_control(gui, WC_STATICW, SS_CENTER | SS_NOPREFIX, LF_ID_HINT);
	if (!gui->toolbar || !gui->hint || !lf_gui_list_create(gui, settings))
		return false;
	gui->status = add_control(gui, STATUSCLASSNAMEW, SBARS_SIZEGRIP, LF_ID_STATUS);
	if (!gui->status)
		return false;
	add_buttons(gui);
	SetWindowTextW(gui->hint, L"Looking for the adapter...");
	return true;
}

/* ---- Where they lie ---- */

static void lay_status(const struct lf_gui *gui, int width)
{
	int totals = text_width(gui, L"000000 reads/s, 000000 writes/s, 00000.0 MB/s") +
		     lf_gui_scale(gui->dpi, 32);
	int count = text_width(gui, L"00000 devices, 000 chosen") + lf_gui_scale(gui->dpi, 16);
	int parts[] = {max(0, width - totals - count), max(0, width - totals), -1};

	SendMessageW(gui->status, SB_SETPARTS, lf_count_of(parts), (LPARAM)parts);
}

static void lay_hint(const struct lf_gui *gui, const RECT *list)
{
	RECT header = {0};
	int space = lf_gui_scale(gui->dpi, 24);

	GetWindowRect(ListView_GetHeader(gui->list.window), &header);
	SetWindowPos(gui->hint, HWND_TOP, list->left + space,
		list->top + (header.bottom - header.top) + space,
		max(0, list->right - list->left - 2 * space),
		max(0, list->bottom - list->top - (header.bottom - header.top) - 2 * space), SWP_NOACTIVATE);
}

static void lay_parts(struct lf_gui *gui)
{
	RECT area, status;
	SIZE tools = {0, 0};
	int bar;

	if (!gui->status)
		return;
	SendMessageW(gui->status, WM_SIZE, 0, 0);
	GetClientRect(gui->window, &area);
	GetWindowRect(gui->status, &status);
	SendMessageW(gui->toolbar, TB_GETMAXSIZE, 0, (LPARAM)&tools);
	bar = HIWORD(SendMessageW(gui->toolbar, TB_GETBUTTONSIZE, 0, 0)) + lf_gui_scale(gui->dpi, 4);
	MoveWindow(gui->toolbar, 0, 0, area.right, bar, TRUE);
	area.top = bar;
	area.bottom -= status.bottom - status.top;
	MoveWindow(gui->list.window, 0, area.top, area.right, max(0, area.bottom - area.top), TRUE);
	lay_status(gui, area.right);
	lf_gui_list_fit(&gui->list, false);
	lay_hint(gui, &area);
}

/* Fonts and sizes, at first and when the window comes to another screen. */
static void set_dpi(struct lf_gui *gui, UINT dpi)
{
	HFONT before = gui->font;
	HWND parts[] = {gui->toolbar, gui->hint, gui->list.window, gui->status};

	gui->dpi = dpi;
	gui->font = make_font(dpi);
	for (size_t i = 0; i < lf_count_of(parts); i++)
		SendMessageW(parts[i], WM_SETFONT, (WPARAM)gui->font, TRUE);
	if (before)
		DeleteObject(before);
	SendMessageW(
		gui->toolbar, TB_SETPADDING, 0, MAKELPARAM(lf_gui_scale(dpi, 16), lf_gui_scale(dpi, 10)));
	SendMessageW(gui->toolbar, TB_AUTOSIZE, 0, 0);
	for (int i = 0; i < LF_COLUMN_COUNT; i++)
		gui->list.by_hand[i] = false;
	lf_gui_list_fit(&gui->list, true);
	lay_parts(gui);
}

/* ---- What it shows ---- */

void lf_gui_show_going(struct lf_gui *gui)
{
	wchar_t text[LF_GUI_TEXT_ROOM] = L"Ready", first[LF_GUI_TEXT_ROOM];

	if (gui->going_count > 0) {
		lf_gui_describe(&gui->going[0].action, first, LF_GUI_TEXT_ROOM - 32);
		if (gui->going_count > 1)
			_snwprintf_s(text, LF_GUI_TEXT_ROOM, _TRUNCATE, L"%ls, and %u more", first,
				gui->going_count - 1);
		else
			_snwprintf_s(text, LF_GUI_TEXT_ROOM, _TRUNCATE, L"%ls...", first);
	}
	SendMessageW(gui->status, SB_SETTEXTW, 0, (LPARAM)text);
}

static void show_totals(struct lf_gui *gui, uint32_t chosen)
{
	const struct lf_gui_snapshot *shown = gui->list.shown;
	uint64_t reads = 0, writes = 0, bytes = 0;
	uint32_t count = shown ? shown->count : 0;
	wchar_t text[LF_GUI_TEXT_ROOM], rate[64];

	for (uint32_t i = 0; i < count; i++) {
		reads += shown->devices[i].reads_rate;
		writes += shown->devices[i].writes_rate;
		bytes += shown->devices[i].read_rate_bytes + shown->devices[i].written_rate_bytes;
	}
	if (chosen > 0)
		_snwprintf_s(text, LF_GUI_TEXT_ROOM, _TRUNCATE, L"%u device%ls, %u chosen", count,
			count == 1 ? L"" : L"s", chosen);
	else
		_snwprintf_s(
			text, LF_GUI_TEXT_ROOM, _TRUNCATE, L"%u device%ls", count, count == 1 ? L"" : L"s");
	SendMessageW(gui->status, SB_SETTEXTW, 1, (LPARAM)text);
	lf_gui_format_rate(bytes, rate, lf_count_of(rate));
	_snwprintf_s(text, LF_GUI_TEXT_ROOM, _TRUNCATE, L"%llu reads/s, %llu writes/s, %ls MB/s",
		(unsigned long long)reads, (unsigned long long)writes, rate);
	SendMessageW(gui->status, SB_SETTEXTW, 2, (LPARAM)text);
}

void lf_gui_show_choice(struct lf_gui *gui)
{
	const struct lf_gui_device *device;
	uint32_t chosen = 0, drives = 0, full = 0, disks = 0;
	HMENU menu = GetMenu(gui->window);
	int index = 0;

	while ((device = lf_gui_list_chosen(&gui->list, &index))) {
		bool removable = device->device.flags & LF_CONTROL_DEVICE_REMOVABLE;
		chosen++;
		drives += removable;
		full += removable && device->device.image.length > 0;
		disks += device->device.type == 0 && device->device.image.length > 0;
	}
	const struct {
		int id;
		bool can;
	} states[] = {
		{LF_ID_DISCONNECT, chosen > 0},
		{LF_ID_FORCE, chosen > 0},
		{LF_ID_INSERT, chosen == 1 && drives == 1},
		{LF_ID_EJECT, full > 0 && drives == chosen},
		{LF_ID_RESIZE, disks > 0 && disks == chosen},
		{LF_ID_PROPERTIES, chosen == 1},
		{LF_ID_COPY, chosen > 0},
		{LF_ID_CONNECT, !gui->list.shown || gui->list.shown->status != LF_EXIT_NO_ADAPTER},
		{LF_ID_INSTALL, gui->list.shown && gui->list.shown->status == LF_EXIT_NO_ADAPTER},
	};
	for (size_t i = 0; i < lf_count_of(states); i++) {
		SendMessageW(gui->toolbar, TB_ENABLEBUTTON, (WPARAM)states[i].id, states[i].can);
		EnableMenuItem(menu, (UINT)states[i].id, states[i].can ? MF_ENABLED : MF_GRAYED);
	}
	show_totals(gui, chosen);
}

static void show_hint(struct lf_gui *gui)
{
	const struct lf_gui_snapshot *shown = gui->list.shown;
	wchar_t text[LF_GUI_MESSAGE_CAPACITY];

	if (shown->status == LF_EXIT_NO_ADAPTER)
		SetWindowTextW(gui->hint, L"There is no Lungfish adapter on this machine.\n\n"
					  L"Choose Driver, Install driver to install it.");
	else if (shown->status == LF_EXIT_DONE)
		SetWindowTextW(gui->hint,
			L"No disks are connected.\n\nDrop image files here, or press Ctrl+O to "
			L"connect one.");
	else if (lf_wide(shown->message.text, text, lf_count_of(text)))
		SetWindowTextW(gui->hint, text);
	ShowWindow(gui->hint, shown->count == 0 ? SW_SHOWNA : SW_HIDE);
}

static void show_snapshot(struct lf_gui *gui, struct lf_gui_snapshot *snapshot)
{
	lf_gui_list_show(&gui->list, snapshot);
	if (!gui->list.shown)
		return;
	show_hint(gui);
	lf_gui_show_choice(gui);
	if (gui->list.shown->status == LF_EXIT_NO_ADAPTER && !gui->asked_to_install && !gui->talking) {
		gui->asked_to_install = true;
		PostMessageW(gui->window, WM_COMMAND, LF_ID_INSTALL, 0);
	}
}

/* ---- What it hears ---- */

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
		lay_parts(gui);
}

static void changed_theme(struct lf_gui *gui)
{
	if (lf_theme_refresh())
		lf_theme_apply(gui->window);
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
	set_dpi(gui, dpi);
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
	if ((message == WM_NOTIFY && notified(gui, (const NMHDR *)lparam, &result)) ||
		lf_theme_message(window, message, wparam, lparam, &result))
		return result;
	return heard(gui, message, wparam, lparam) ? 0 : DefWindowProcW(window, message, wparam, lparam);
}

/* ---- Opening, closing ---- */

/* Where it was, when that is still on some screen. */
static void place_window(struct lf_gui *gui, const struct lf_gui_settings *settings, int show)
{
	const RECT *place = &settings->place;
	WINDOWPLACEMENT placement = {.length = sizeof(placement)};

	GetWindowPlacement(gui->window, &placement);
	if (!IsRectEmpty(place) && MonitorFromRect(place, MONITOR_DEFAULTTONULL)) {
		placement.rcNormalPosition = *place;
		placement.rcNormalPosition.right =
			place->left + MulDiv(place->right - place->left, (int)gui->dpi, (int)settings->dpi);
		placement.rcNormalPosition.bottom =
			place->top + MulDiv(place->bottom - place->top, (int)gui->dpi, (int)settings->dpi);
	} else {
		placement.rcNormalPosition.right =
			placement.rcNormalPosition.left + lf_gui_scale(gui->dpi, WIDTH);
		placement.rcNormalPosition.bottom =
			placement.rcNormalPosition.top + lf_gui_scale(gui->dpi, HEIGHT);
	}
	placement.showCmd = settings->maximized && show != SW_SHOWMINIMIZED && show != SW_SHOWMINNOACTIVE
				    ? SW_SHOWMAXIMIZED
				    : (UINT)show;
	SetWindowPlacement(gui->window, &placement);
}

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

struct lf_gui *lf_gui_open(HINSTANCE instance, const char *socket, int show)
{
	struct lf_gui *gui = calloc(1, sizeof(*gui));
	struct lf_gui_settings settings;

	if (!gui)
		return give_up(gui);
	gui->instance = instance;
	gui->told_end = &gui->told;
	lf_theme_refresh();
	lf_gui_settings_load(&settings);
	if (!create_window(gui) || !create_parts(gui, &settings))
		return give_up(gui);
	set_dpi(gui, GetDpiForWindow(gui->window));
	lf_theme_apply(gui->window);
	let_drop(gui);
	gui->model = lf_gui_model_start(gui->window, socket);
	if (!gui->model)
		return give_up(gui);
	place_window(gui, &settings, show);
	lf_gui_show_choice(gui);
	lf_gui_show_going(gui);
	UpdateWindow(gui->window);
	return gui;
}

void lf_gui_close(struct lf_gui *gui)
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
