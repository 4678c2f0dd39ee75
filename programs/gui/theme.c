/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * theme.c: the colours, and drawing for the dark ones: the common controls have no documented way to be dark,
 * so what shows is drawn here. In the light, and with high contrast, Windows draws all of it.
 */
#include "programs/gui/theme.h"

#include <dwmapi.h>
#include <uxtheme.h>

#define THEMES L"Software\\Microsoft\\Windows\\CurrentVersion\\Themes\\Personalize"

#define DARK_FRAME        20 /* DWMWA_USE_IMMERSIVE_DARK_MODE */
#define DARK_FRAME_BEFORE 19 /* until Windows 10 version 2004 */

static struct lf_theme theme;

const struct lf_theme *lf_theme(void)
{
	return &theme;
}

static bool is_high_contrast(void)
{
	HIGHCONTRASTW contrast = {.cbSize = sizeof(contrast)};

	return SystemParametersInfoW(SPI_GETHIGHCONTRAST, sizeof(contrast), &contrast, 0) &&
	       (contrast.dwFlags & HCF_HIGHCONTRASTON) != 0;
}

static bool is_dark(void)
{
	DWORD light = 1, size = sizeof(light);

	return !is_high_contrast() &&
	       RegGetValueW(HKEY_CURRENT_USER, THEMES, L"AppsUseLightTheme", RRF_RT_REG_DWORD, NULL, &light,
		       &size) == ERROR_SUCCESS &&
	       light == 0;
}

bool lf_theme_refresh(void)
{
	struct lf_theme before = theme;

	theme.dark = is_dark();
	theme.text = theme.dark ? RGB(240, 240, 240) : GetSysColor(COLOR_WINDOWTEXT);
	theme.weak_text = theme.dark ? RGB(150, 150, 150) : GetSysColor(COLOR_GRAYTEXT);
	theme.back = theme.dark ? RGB(25, 25, 25) : GetSysColor(COLOR_WINDOW);
	theme.face = theme.dark ? RGB(43, 43, 43) : GetSysColor(COLOR_3DFACE);
	theme.hot = theme.dark ? RGB(65, 65, 65) : GetSysColor(COLOR_HIGHLIGHT);
	theme.chosen = theme.dark ? RGB(0, 84, 153) : GetSysColor(COLOR_HIGHLIGHT);
	theme.line = theme.dark ? RGB(90, 90, 90) : GetSysColor(COLOR_3DSHADOW);
	if (theme.back_brush && theme.dark == before.dark && theme.text == before.text &&
		theme.back == before.back && theme.face == before.face)
		return false;
	if (theme.back_brush)
		DeleteObject(theme.back_brush);
	if (theme.face_brush)
		DeleteObject(theme.face_brush);
	theme.back_brush = CreateSolidBrush(theme.back);
	theme.face_brush = CreateSolidBrush(theme.face);
	return true;
}

static void fill(HDC dc, const RECT *area, COLORREF colour)
{
	SetBkColor(dc, colour);
	ExtTextOutW(dc, 0, 0, ETO_OPAQUE, area, L"", 0, NULL);
}

static void draw_frame(HDC dc, const RECT *area, COLORREF colour)
{
	HBRUSH brush = CreateSolidBrush(colour);

	FrameRect(dc, area, brush);
	DeleteObject(brush);
}

static void draw_text(HDC dc, const wchar_t *text, RECT area, COLORREF colour, UINT how)
{
	SetBkMode(dc, TRANSPARENT);
	SetTextColor(dc, colour);
	DrawTextW(dc, text, -1, &area, how | DT_SINGLELINE | DT_VCENTER | DT_END_ELLIPSIS);
}

/* ---- Controls, when it is dark ---- */

static void draw_check(HDC dc, const RECT *box, bool set, COLORREF colour)
{
	int width = box->right - box->left;
	POINT stroke[] = {{box->left + width / 4, box->top + width / 2},
		{box->left + width * 2 / 5, box->top + width * 7 / 10},
		{box->left + width * 3 / 4, box->top + width * 3 / 10}};
	HPEN pen;
	HGDIOBJ before;

	fill(dc, box, theme.back);
	draw_frame(dc, box, colour);
	if (!set)
		return;
	pen = CreatePen(PS_SOLID, max(1, width / 8), colour);
	before = SelectObject(dc, pen);
	Polyline(dc, stroke, 3);
	SelectObject(dc, before);
	DeleteObject(pen);
}

static void draw_check_box(const NMCUSTOMDRAW *draw, const wchar_t *text, COLORREF colour, UINT hide)
{
	HWND button = draw->hdr.hwndFrom;
	RECT area = draw->rc, box = area;
	int size = MulDiv(13, (int)GetDpiForWindow(button), 96);

	fill(draw->hdc, &area, theme.face);
	box.top += (area.bottom - area.top - size) / 2;
	box.right = box.left + size;
	box.bottom = box.top + size;
	draw_check(draw->hdc, &box, SendMessageW(button, BM_GETCHECK, 0, 0) == BST_CHECKED, colour);
	area.left = box.right + size / 3;
	draw_text(draw->hdc, text, area, colour, DT_LEFT | hide);
	if (GetFocus() == button) {
		DrawTextW(draw->hdc, text, -1, &box, DT_CALCRECT | DT_SINGLELINE);
		area.right = min(area.right, area.left + box.right - box.left + size / 4);
		draw_frame(draw->hdc, &area, theme.line);
	}
}

static LRESULT draw_button(const NMCUSTOMDRAW *draw)
{
	HWND button = draw->hdr.hwndFrom;
	LONG kind = GetWindowLongW(button, GWL_STYLE) & BS_TYPEMASK;
	COLORREF colour = IsWindowEnabled(button) ? theme.text : theme.weak_text;
	bool hot = (draw->uItemState & CDIS_HOT) || SendMessageW(button, BM_GETSTATE, 0, 0) & BST_PUSHED;
	UINT hide = SendMessageW(button, WM_QUERYUISTATE, 0, 0) & UISF_HIDEACCEL ? DT_HIDEPREFIX : 0;
	wchar_t text[128];

	if (draw->dwDrawStage != CDDS_PREPAINT)
		return CDRF_DODEFAULT;
	GetWindowTextW(button, text, ARRAYSIZE(text));
	SelectObject(draw->hdc, (HFONT)SendMessageW(button, WM_GETFONT, 0, 0));
	if (kind == BS_AUTOCHECKBOX) {
		draw_check_box(draw, text, colour, hide);
		return CDRF_SKIPDEFAULT;
	}
	if (kind != BS_PUSHBUTTON && kind != BS_DEFPUSHBUTTON)
		return CDRF_DODEFAULT;
	fill(draw->hdc, &draw->rc, hot ? theme.hot : theme.face);
	draw_frame(draw->hdc, &draw->rc,
		GetFocus() == button || kind == BS_DEFPUSHBUTTON ? theme.text : theme.line);
	draw_text(draw->hdc, text, draw->rc, colour, DT_CENTER | hide);
	return CDRF_SKIPDEFAULT;
}

static void draw_arrow(HDC dc, const RECT *area, bool up, COLORREF colour)
{
	int size = (area->bottom - area->top) / 6, middle = (area->left + area->right) / 2;
	int top = (area->top + area->bottom - size) / 2;

	for (int i = 0; i <= size; i++) {
		int half = up ? i : size - i;
		RECT row = {middle - half, top + i, middle + half + 1, top + i + 1};
		fill(dc, &row, colour);
	}
}

static void draw_heading(const NMCUSTOMDRAW *draw)
{
	wchar_t text[64];
	HDITEMW item = {.mask = HDI_TEXT | HDI_FORMAT, .pszText = text, .cchTextMax = ARRAYSIZE(text)};
	RECT area = draw->rc, edge = area;
	int space = (area.bottom - area.top) / 4;

	text[0] = L'\0';
	SendMessageW(draw->hdr.hwndFrom, HDM_GETITEMW, draw->dwItemSpec, (LPARAM)&item);
	fill(draw->hdc, &area, draw->uItemState & CDIS_SELECTED ? theme.hot : theme.face);
	edge.left = edge.right - 1;
	fill(draw->hdc, &edge, theme.line);
	area.left += space;
	area.right -= space;
	if (item.fmt & (HDF_SORTUP | HDF_SORTDOWN)) {
		RECT arrow = area;
		arrow.left = area.right - 2 * space;
		draw_arrow(draw->hdc, &arrow, (item.fmt & HDF_SORTUP) != 0, theme.text);
		area.right = arrow.left - space;
	}
	draw_text(draw->hdc, text, area, theme.text, item.fmt & HDF_RIGHT ? DT_RIGHT : DT_LEFT);
}

/* A drop-down list without an edit control. */
static void paint_combo(HWND combo, HDC dc)
{
	COLORREF colour = IsWindowEnabled(combo) ? theme.text : theme.weak_text;
	LRESULT chosen = SendMessageW(combo, CB_GETCURSEL, 0, 0);
	wchar_t text[64] = L"";
	RECT area, arrow;
	HGDIOBJ before = SelectObject(dc, (HFONT)SendMessageW(combo, WM_GETFONT, 0, 0));

	GetClientRect(combo, &area);
	fill(dc, &area, theme.back);
	draw_frame(dc, &area, GetFocus() == combo ? theme.text : theme.line);
	arrow = area;
	arrow.left = area.right - (area.bottom - area.top);
	draw_arrow(dc, &arrow, false, colour);
	if (chosen >= 0 && SendMessageW(combo, CB_GETLBTEXTLEN, (WPARAM)chosen, 0) < (LRESULT)ARRAYSIZE(text))
		SendMessageW(combo, CB_GETLBTEXT, (WPARAM)chosen, (LPARAM)text);
	area.right = arrow.left;
	area.left += (area.bottom - area.top) / 5;
	draw_text(dc, text, area, colour, DT_LEFT | DT_NOPREFIX);
	SelectObject(dc, before);
}

static void paint_status(HWND status, HDC dc)
{
	wchar_t text[256];
	RECT area, part;
	int count = (int)SendMessageW(status, SB_GETPARTS, 0, 0);
	HGDIOBJ before = SelectObject(dc, (HFONT)SendMessageW(status, WM_GETFONT, 0, 0));

	GetClientRect(status, &area);
	fill(dc, &area, theme.face);
	area.bottom = area.top + 1;
	fill(dc, &area, theme.line);
	for (int i = 0; i < count; i++) {
		SendMessageW(status, SB_GETRECT, (WPARAM)i, (LPARAM)&part);
		text[0] = L'\0';
		if (LOWORD(SendMessageW(status, SB_GETTEXTLENGTHW, (WPARAM)i, 0)) < ARRAYSIZE(text))
			SendMessageW(status, SB_GETTEXTW, (WPARAM)i, (LPARAM)text);
		part.left += (part.bottom - part.top) / 5;
		draw_text(dc, text, part, theme.text, DT_LEFT | DT_NOPREFIX);
	}
	SelectObject(dc, before);
}

typedef void paint_control(HWND window, HDC dc);

/* Whole, by way of memory: nothing flickers. */
static void paint(HWND window, paint_control *draw)
{
	PAINTSTRUCT state;
	RECT area;
	HDC dc = BeginPaint(window, &state), memory = CreateCompatibleDC(dc);
	HBITMAP bits;
	HGDIOBJ before;

	GetClientRect(window, &area);
	bits = CreateCompatibleBitmap(dc, max(1, area.right), max(1, area.bottom));
	before = SelectObject(memory, bits);
	draw(window, memory);
	BitBlt(dc, 0, 0, area.right, area.bottom, memory, 0, 0, SRCCOPY);
	SelectObject(memory, before);
	DeleteObject(bits);
	DeleteDC(memory);
	EndPaint(window, &state);
}

static LRESULT CALLBACK control_procedure(
	HWND window, UINT message, WPARAM wparam, LPARAM lparam, UINT_PTR id, DWORD_PTR context)
{
	if (message == WM_NCDESTROY)
		RemoveWindowSubclass(window, control_procedure, id);
	if (theme.dark && message == WM_ERASEBKGND)
		return 1;
	if (theme.dark && message == WM_PAINT) {
		paint(window, (paint_control *)context);
		return 0;
	}
	return DefSubclassProc(window, message, wparam, lparam);
}

static LRESULT CALLBACK list_procedure(
	HWND window, UINT message, WPARAM wparam, LPARAM lparam, UINT_PTR id, DWORD_PTR context)
{
	const NMHDR *header = (const NMHDR *)lparam;

	(void)context;
	if (message == WM_NCDESTROY)
		RemoveWindowSubclass(window, list_procedure, id);
	if (theme.dark && message == WM_NOTIFY && header->code == NM_CUSTOMDRAW &&
		header->hwndFrom == ListView_GetHeader(window)) {
		const NMCUSTOMDRAW *draw = (const NMCUSTOMDRAW *)lparam;
		if (draw->dwDrawStage == CDDS_PREPAINT) {
			FillRect(draw->hdc, &draw->rc, theme.face_brush);
			return CDRF_NOTIFYITEMDRAW;
		}
		if (draw->dwDrawStage != CDDS_ITEMPREPAINT)
			return CDRF_DODEFAULT;
		draw_heading(draw);
		return CDRF_SKIPDEFAULT;
	}
	return DefSubclassProc(window, message, wparam, lparam);
}

/* A button of a toolbar that has words only. */
static LRESULT draw_tool(const NMTBCUSTOMDRAW *draw)
{
	wchar_t text[64] = L"";
	HWND toolbar = draw->nmcd.hdr.hwndFrom;
	TBBUTTONINFOW info = {
		.cbSize = sizeof(info), .dwMask = TBIF_TEXT, .pszText = text, .cchText = ARRAYSIZE(text)};
	UINT state = draw->nmcd.uItemState;

	if (draw->nmcd.dwDrawStage == CDDS_PREPAINT) {
		FillRect(draw->nmcd.hdc, &draw->nmcd.rc, theme.face_brush);
		return CDRF_NOTIFYITEMDRAW;
	}
	if (draw->nmcd.dwDrawStage != CDDS_ITEMPREPAINT)
		return CDRF_DODEFAULT;
	SendMessageW(toolbar, TB_GETBUTTONINFOW, draw->nmcd.dwItemSpec, (LPARAM)&info);
	SelectObject(draw->nmcd.hdc, (HFONT)SendMessageW(toolbar, WM_GETFONT, 0, 0));
	fill(draw->nmcd.hdc, &draw->nmcd.rc, state & (CDIS_HOT | CDIS_SELECTED) ? theme.hot : theme.face);
	draw_text(draw->nmcd.hdc, text, draw->nmcd.rc, state & CDIS_DISABLED ? theme.weak_text : theme.text,
		DT_CENTER | DT_NOPREFIX);
	return CDRF_SKIPDEFAULT;
}

/* Rows that are chosen: Windows would draw them as in the light. */
static LRESULT draw_row(NMLVCUSTOMDRAW *draw)
{
	HWND list = draw->nmcd.hdr.hwndFrom;

	if (draw->nmcd.dwDrawStage == CDDS_PREPAINT)
		return CDRF_NOTIFYITEMDRAW;
	if (draw->nmcd.dwDrawStage == CDDS_ITEMPREPAINT &&
		ListView_GetItemState(list, (int)draw->nmcd.dwItemSpec, LVIS_SELECTED)) {
		draw->nmcd.uItemState &= ~(UINT)CDIS_SELECTED;
		draw->clrText = theme.text;
		draw->clrTextBk = GetFocus() == list ? theme.chosen : theme.hot;
	}
	return CDRF_DODEFAULT;
}

/* ---- Windows and dialogs ---- */

static void apply_to_list(HWND list)
{
	COLORREF back = theme.dark ? theme.back : CLR_DEFAULT;

	/* A name that the Explorer uses: scroll bars become dark, where Windows has them. */
	SetWindowTheme(list, theme.dark ? L"DarkMode_Explorer" : L"Explorer", NULL);
	ListView_SetBkColor(list, theme.dark ? back : theme.back);
	ListView_SetTextBkColor(list, theme.dark ? back : theme.back);
	ListView_SetTextColor(list, theme.text);
	SetWindowSubclass(list, list_procedure, 1, 0);
	InvalidateRect(list, NULL, TRUE);
}

static BOOL CALLBACK apply_to_control(HWND control, LPARAM context)
{
	wchar_t name[32];

	(void)context;
	GetClassNameW(control, name, ARRAYSIZE(name));
	if (_wcsicmp(name, WC_LISTVIEWW) == 0)
		apply_to_list(control);
	else if (_wcsicmp(name, WC_COMBOBOXW) == 0)
		SetWindowSubclass(control, control_procedure, 1, (DWORD_PTR)paint_combo);
	else if (_wcsicmp(name, STATUSCLASSNAMEW) == 0)
		SetWindowSubclass(control, control_procedure, 1, (DWORD_PTR)paint_status);
	return TRUE;
}

void lf_theme_apply(HWND window)
{
	BOOL dark = theme.dark;

	if (FAILED(DwmSetWindowAttribute(window, DARK_FRAME, &dark, sizeof(dark))))
		DwmSetWindowAttribute(window, DARK_FRAME_BEFORE, &dark, sizeof(dark));
	EnumChildWindows(window, apply_to_control, 0);
	RedrawWindow(window, NULL, NULL, RDW_INVALIDATE | RDW_ERASE | RDW_FRAME | RDW_ALLCHILDREN);
}

static bool notify(NMHDR *header, LRESULT *result)
{
	wchar_t name[32];

	if (header->code != NM_CUSTOMDRAW)
		return false;
	GetClassNameW(header->hwndFrom, name, ARRAYSIZE(name));
	if (_wcsicmp(name, WC_BUTTONW) == 0)
		*result = draw_button((const NMCUSTOMDRAW *)header);
	else if (_wcsicmp(name, TOOLBARCLASSNAMEW) == 0)
		*result = draw_tool((const NMTBCUSTOMDRAW *)header);
	else if (_wcsicmp(name, WC_LISTVIEWW) == 0)
		*result = draw_row((NMLVCUSTOMDRAW *)header);
	else
		return false;
	return true;
}

bool lf_theme_message(HWND window, UINT message, WPARAM wparam, LPARAM lparam, LRESULT *result)
{
	HDC dc = (HDC)wparam;
	RECT area;

	if (!theme.dark)
		return false;
	switch (message) {
	case WM_NOTIFY:
		return notify((NMHDR *)lparam, result);
	case WM_ERASEBKGND:
		GetClientRect(window, &area);
		fill(dc, &area, theme.face);
		*result = 1;
		return true;
	case WM_CTLCOLOREDIT:
	case WM_CTLCOLORLISTBOX:
		SetTextColor(dc, theme.text);
		SetBkColor(dc, theme.back);
		*result = (LRESULT)theme.back_brush;
		return true;
	case WM_CTLCOLORDLG:
	case WM_CTLCOLORSTATIC:
	case WM_CTLCOLORBTN:
		SetTextColor(dc, IsWindowEnabled((HWND)lparam) ? theme.text : theme.weak_text);
		SetBkColor(dc, theme.face);
		*result = (LRESULT)theme.face_brush;
		return true;
	default:
		return false;
	}
}

INT_PTR lf_theme_dialog(HWND dialog, UINT message, WPARAM wparam, LPARAM lparam)
{
	LRESULT result;

	if (!lf_theme_message(dialog, message, wparam, lparam, &result))
		return FALSE;
	/* The colours' messages want their brush from the procedure itself. */
	if (message >= WM_CTLCOLORMSGBOX && message <= WM_CTLCOLORSTATIC)
		return (INT_PTR)result;
	SetWindowLongPtrW(dialog, DWLP_MSGRESULT, result);
	return TRUE;
}
