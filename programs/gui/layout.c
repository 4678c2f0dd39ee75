/* SPDX-License-Identifier: BSD-2-Clause */
/* layout.c: the parts of the window, and where they lie at each size and resolution. */
#include "programs/gui/gui.h"

#define WIDTH  1000 /* at first, at 96 dots an inch */
#define HEIGHT 480

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

bool lf_gui_create_parts(struct lf_gui *gui, const struct lf_gui_settings *settings)
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

void lf_gui_lay_parts(struct lf_gui *gui)
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

void lf_gui_set_dpi(struct lf_gui *gui, UINT dpi)
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
	lf_gui_lay_parts(gui);
}

/* ---- The window itself ---- */

/* Where Windows has put it, not larger than the screen. */
static void first_place(const struct lf_gui *gui, RECT *place)
{
	MONITORINFO screen = {.cbSize = sizeof(screen)};
	LONG width = lf_gui_scale(gui->dpi, WIDTH), height = lf_gui_scale(gui->dpi, HEIGHT);

	if (GetMonitorInfoW(MonitorFromWindow(gui->window, MONITOR_DEFAULTTONEAREST), &screen)) {
		width = min(width, screen.rcWork.right - screen.rcWork.left);
		height = min(height, screen.rcWork.bottom - screen.rcWork.top);
		place->left = max(screen.rcWork.left, min(place->left, screen.rcWork.right - width));
		place->top = max(screen.rcWork.top, min(place->top, screen.rcWork.bottom - height));
	}
	place->right = place->left + width;
	place->bottom = place->top + height;
}

/* Where it was, when that is still on some screen. */
void lf_gui_place(struct lf_gui *gui, const struct lf_gui_settings *settings, int show)
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
		first_place(gui, &placement.rcNormalPosition);
	}
	placement.showCmd = settings->maximized && show != SW_SHOWMINIMIZED && show != SW_SHOWMINNOACTIVE
				    ? SW_SHOWMAXIMIZED
				    : (UINT)show;
	SetWindowPlacement(gui->window, &placement);
}
