/* SPDX-License-Identifier: BSD-2-Clause */
/* menu.c: the menus in the dark, where Windows would draw them light: drawn here, with their letters and
 * keys. */
#include "programs/gui/gui.h"

#include <wctype.h>

#define ITEMS_MAX 64
#define TEXT_ROOM 64
#define SPACE     8 /* beside a word of the bar, at 96 dots an inch */
#define INDENT    20
#define HEIGHT    22
#define GAP       32 /* from the words to the key */
#define LINE      7  /* of a separator */

/* By dwItemData of its item: the text has a tab before the key. */
static struct item {
	wchar_t text[TEXT_ROOM];
	bool in_bar, is_line;
} items[ITEMS_MAX];
static uint32_t item_count;

static void theme_items(HMENU menu, bool in_bar, bool first)
{
	int count = GetMenuItemCount(menu);

	for (int i = 0; i < count && item_count < ITEMS_MAX; i++) {
		struct item *item = &items[item_count++];
		MENUITEMINFOW info = {.cbSize = sizeof(info), .fMask = MIIM_FTYPE | MIIM_SUBMENU};
		if (first)
			GetMenuStringW(menu, (UINT)i, item->text, TEXT_ROOM, MF_BYPOSITION);
		GetMenuItemInfoW(menu, (UINT)i, TRUE, &info);
		item->in_bar = in_bar;
		item->is_line = (info.fType & MFT_SEPARATOR) != 0;
		info.fType &= ~(UINT)MFT_OWNERDRAW;
		info.fType |= lf_theme()->dark ? MFT_OWNERDRAW : 0;
		info.fMask = MIIM_FTYPE | MIIM_DATA;
		info.dwItemData = (ULONG_PTR)item;
		if (!lf_theme()->dark && !item->is_line) {
			info.fMask |= MIIM_STRING;
			info.dwTypeData = item->text;
		}
		SetMenuItemInfoW(menu, (UINT)i, TRUE, &info);
		if (info.hSubMenu)
			theme_items(info.hSubMenu, false, first);
	}
}

void lf_gui_menu_theme(const struct lf_gui *gui)
{
	HMENU menu = GetMenu(gui->window);
	MENUINFO info = {.cbSize = sizeof(info),
		.fMask = MIM_BACKGROUND | MIM_APPLYTOSUBMENUS,
		.hbrBack = lf_theme()->dark ? lf_theme()->face_brush : NULL};
	bool first = item_count == 0;

	item_count = 0;
	theme_items(menu, true, first);
	SetMenuInfo(menu, &info);
	DrawMenuBar(gui->window);
}

static void measure(const struct lf_gui *gui, MEASUREITEMSTRUCT *measured)
{
	const struct item *item = (const struct item *)measured->itemData;
	HDC dc = GetDC(gui->window);
	HGDIOBJ before = SelectObject(dc, gui->font);
	RECT area = {0};

	DrawTextW(dc, item->text, -1, &area, DT_CALCRECT | DT_SINGLELINE | DT_EXPANDTABS);
	SelectObject(dc, before);
	ReleaseDC(gui->window, dc);
	measured->itemWidth = (UINT)area.right;
	if (!item->in_bar)
		measured->itemWidth += (UINT)lf_gui_scale(gui->dpi, INDENT + GAP);
	measured->itemHeight = (UINT)max(area.bottom, lf_gui_scale(gui->dpi, HEIGHT));
	if (item->is_line)
		measured->itemHeight = (UINT)lf_gui_scale(gui->dpi, LINE);
}

static void draw_words(const struct lf_gui *gui, const DRAWITEMSTRUCT *draw, const struct item *item)
{
	const wchar_t *key = wcschr(item->text, L'\t');
	int length = key ? (int)(key - item->text) : -1;
	UINT how = DT_SINGLELINE | DT_VCENTER | (draw->itemState & ODS_NOACCEL ? DT_HIDEPREFIX : 0);
	RECT area = draw->rcItem;

	SetTextColor(draw->hDC,
		draw->itemState & (ODS_GRAYED | ODS_DISABLED) ? lf_theme()->weak_text : lf_theme()->text);
	SetBkMode(draw->hDC, TRANSPARENT);
	if (item->in_bar) {
		DrawTextW(draw->hDC, item->text, -1, &area, how | DT_CENTER);
		return;
	}
	area.left += lf_gui_scale(gui->dpi, INDENT);
	area.right -= lf_gui_scale(gui->dpi, SPACE);
	DrawTextW(draw->hDC, item->text, length, &area, how);
	if (key)
		DrawTextW(draw->hDC, key + 1, -1, &area, how | DT_RIGHT);
}

static void draw_item(const struct lf_gui *gui, const DRAWITEMSTRUCT *draw)
{
	const struct item *item = (const struct item *)draw->itemData;
	bool hot = draw->itemState & (ODS_SELECTED | ODS_HOTLIGHT) && !(draw->itemState & ODS_GRAYED);
	HGDIOBJ before = SelectObject(draw->hDC, gui->font);
	RECT line = draw->rcItem;

	SetBkColor(draw->hDC, hot ? lf_theme()->hot : lf_theme()->face);
	ExtTextOutW(draw->hDC, 0, 0, ETO_OPAQUE, &draw->rcItem, L"", 0, NULL);
	if (item->is_line) {
		line.top = (line.top + line.bottom) / 2;
		line.bottom = line.top + 1;
		SetBkColor(draw->hDC, lf_theme()->line);
		ExtTextOutW(draw->hDC, 0, 0, ETO_OPAQUE, &line, L"", 0, NULL);
	} else {
		draw_words(gui, draw, item);
	}
	SelectObject(draw->hDC, before);
}

/* Windows does not look for letters in what it does not draw. */
static LRESULT find_letter(HMENU menu, wchar_t letter)
{
	int count = GetMenuItemCount(menu);

	for (int i = 0; i < count; i++) {
		MENUITEMINFOW info = {.cbSize = sizeof(info), .fMask = MIIM_DATA};
		const struct item *item;
		const wchar_t *at;
		GetMenuItemInfoW(menu, (UINT)i, TRUE, &info);
		item = (const struct item *)info.dwItemData;
		at = item ? wcschr(item->text, L'&') : NULL;
		if (at && towupper(at[1]) == towupper(letter))
			return MAKELRESULT(i, MNC_EXECUTE);
	}
	return MAKELRESULT(0, MNC_IGNORE);
}

bool lf_gui_menu_message(
	const struct lf_gui *gui, UINT message, WPARAM wparam, LPARAM lparam, LRESULT *result)
{
	MEASUREITEMSTRUCT *measured = (MEASUREITEMSTRUCT *)lparam;
	const DRAWITEMSTRUCT *draw = (const DRAWITEMSTRUCT *)lparam;

	if (!lf_theme()->dark)
		return false;
	*result = TRUE;
	if (message == WM_MEASUREITEM && measured->CtlType == ODT_MENU)
		measure(gui, measured);
	else if (message == WM_DRAWITEM && draw->CtlType == ODT_MENU)
		draw_item(gui, draw);
	else if (message == WM_MENUCHAR && !(HIWORD(wparam) & MF_SYSMENU))
		*result = find_letter((HMENU)lparam, (wchar_t)LOWORD(wparam));
	else
		return false;
	return true;
}

/* What is left of the bar beside its words, and the line below it, which Windows leaves light. */
void lf_gui_menu_paint_bar(const struct lf_gui *gui)
{
	MENUBARINFO bar = {.cbSize = sizeof(bar)}, last = bar;
	int count = GetMenuItemCount(GetMenu(gui->window));
	RECT window, rest;
	HDC dc;

	if (!lf_theme()->dark || !GetMenuBarInfo(gui->window, OBJID_MENU, 0, &bar) ||
		!GetMenuBarInfo(gui->window, OBJID_MENU, count, &last))
		return;
	GetWindowRect(gui->window, &window);
	OffsetRect(&bar.rcBar, -window.left, -window.top);
	OffsetRect(&last.rcBar, -window.left, -window.top);
	dc = GetWindowDC(gui->window);
	rest = bar.rcBar;
	rest.left = last.rcBar.right;
	FillRect(dc, &rest, lf_theme()->face_brush);
	rest = bar.rcBar;
	rest.top = rest.bottom;
	rest.bottom++;
	FillRect(dc, &rest, lf_theme()->face_brush);
	ReleaseDC(gui->window, dc);
}
