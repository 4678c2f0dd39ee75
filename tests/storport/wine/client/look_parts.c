/* SPDX-License-Identifier: BSD-2-Clause */
/* look_parts.c: of look.dll: the controls that have parts of their own: list view, status bar, toolbar, menu.
 */
#include "tests/storport/wine/client/look.h"

#include <commctrl.h>

static RECT on_screen(HWND window, RECT at)
{
	MapWindowPoints(window, NULL, (POINT *)&at, 2);
	return at;
}

static void put_columns(HWND list, int count, struct answer *answer)
{
	HWND header = (HWND)ask(list, LVM_GETHEADER, 0, 0);
	put(answer, "\"columns\":[");
	for (int i = 0; i < count; i++) {
		wchar_t text[TEXT_UNITS] = L"";
		HDITEMW item = {.mask = HDI_TEXT | HDI_FORMAT, .pszText = text, .cchTextMax = TEXT_UNITS};
		RECT at = {0};
		ask(header, HDM_GETITEMW, (WPARAM)i, (LPARAM)&item);
		ask(header, HDM_GETITEMRECT, (WPARAM)i, (LPARAM)&at);
		at = on_screen(header, at);
		put(answer, "%s{\"width\":%d,\"format\":%d,\"needs\":%ld", i ? "," : "",
			(int)ask(list, LVM_GETCOLUMNWIDTH, (WPARAM)i, 0), item.fmt,
			extent(header, text, 0).cx);
		put_rectangle(answer, "at", &at);
		put(answer, ",\"text\":");
		put_text(answer, text);
		put(answer, "}");
	}
	put(answer, "]");
}

static void put_row(HWND list, int row, int columns, struct answer *answer)
{
	RECT at = {.left = LVIR_BOUNDS};
	UINT state = (UINT)ask(list, LVM_GETITEMSTATE, (WPARAM)row, LVIS_SELECTED | LVIS_FOCUSED);
	ask(list, LVM_GETITEMRECT, (WPARAM)row, (LPARAM)&at);
	at = on_screen(list, at);
	put(answer, "%s{\"selected\":%d,\"focused\":%d", row ? "," : "", (state & LVIS_SELECTED) != 0,
		(state & LVIS_FOCUSED) != 0);
	put_rectangle(answer, "at", &at);
	put(answer, ",\"cells\":[");
	for (int i = 0; i < columns; i++) {
		wchar_t text[TEXT_UNITS] = L"";
		LVITEMW item = {.iSubItem = i, .pszText = text, .cchTextMax = TEXT_UNITS};
		ask(list, LVM_GETITEMTEXTW, (WPARAM)row, (LPARAM)&item);
		put(answer, i ? "," : "");
		put_text(answer, item.pszText ? item.pszText : L"");
	}
	put(answer, "],\"needs\":[");
	for (int i = 0; i < columns; i++) {
		wchar_t text[TEXT_UNITS] = L"";
		LVITEMW item = {.iSubItem = i, .pszText = text, .cchTextMax = TEXT_UNITS};
		ask(list, LVM_GETITEMTEXTW, (WPARAM)row, (LPARAM)&item);
		put(answer, "%s%ld", i ? "," : "", extent(list, item.pszText ? item.pszText : L"", 0).cx);
	}
	put(answer, "]}");
}

void look_list(HWND window, struct answer *answer)
{
	HWND header = (HWND)ask(window, LVM_GETHEADER, 0, 0);
	int columns = (int)ask(header, HDM_GETITEMCOUNT, 0, 0),
	    rows = (int)ask(window, LVM_GETITEMCOUNT, 0, 0);
	put(answer, "{");
	put_columns(window, columns, answer);
	put(answer, ",\"background\":%lu,\"color\":%lu,\"rows\":[", (DWORD)ask(window, LVM_GETBKCOLOR, 0, 0),
		(DWORD)ask(window, LVM_GETTEXTCOLOR, 0, 0));
	for (int i = 0; i < rows; i++)
		put_row(window, i, columns, answer);
	put(answer, "]}");
}

void look_parts(HWND window, struct answer *answer)
{
	int count = (int)ask(window, SB_GETPARTS, 0, 0);
	put(answer, "[");
	for (int i = 0; i < count; i++) {
		wchar_t text[TEXT_UNITS] = L"";
		RECT at = {0};
		ask(window, SB_GETTEXTW, (WPARAM)i, (LPARAM)text);
		ask(window, SB_GETRECT, (WPARAM)i, (LPARAM)&at);
		at = on_screen(window, at);
		put(answer, "%s{\"needs\":%ld", i ? "," : "", extent(window, text, 0).cx);
		put_rectangle(answer, "at", &at);
		put(answer, ",\"text\":");
		put_text(answer, text);
		put(answer, "}");
	}
	put(answer, "]");
}

void look_buttons(HWND window, struct answer *answer)
{
	int count = (int)ask(window, TB_BUTTONCOUNT, 0, 0);
	put(answer, "[");
	for (int i = 0; i < count; i++) {
		wchar_t text[TEXT_UNITS] = L"";
		TBBUTTON button = {0};
		RECT at = {0};
		ask(window, TB_GETBUTTON, (WPARAM)i, (LPARAM)&button);
		if (!(button.fsStyle & BTNS_SEP))
			ask(window, TB_GETBUTTONTEXTW, (WPARAM)button.idCommand, (LPARAM)text);
		ask(window, TB_GETITEMRECT, (WPARAM)i, (LPARAM)&at);
		at = on_screen(window, at);
		put(answer, "%s{\"id\":%d,\"enabled\":%d,\"separator\":%d,\"hidden\":%d,\"needs\":%ld",
			i ? "," : "", button.idCommand, (button.fsState & TBSTATE_ENABLED) != 0,
			(button.fsStyle & BTNS_SEP) != 0, (button.fsState & TBSTATE_HIDDEN) != 0,
			extent(window, text, 0).cx);
		put_rectangle(answer, "at", &at);
		put(answer, ",\"text\":");
		put_text(answer, text);
		put(answer, "}");
	}
	put(answer, "]");
}

static void put_menu(HMENU menu, struct answer *answer)
{
	int count = GetMenuItemCount(menu);
	put(answer, "[");
	for (int i = 0; i < count; i++) {
		wchar_t text[TEXT_UNITS] = L"";
		UINT state = GetMenuState(menu, (UINT)i, MF_BYPOSITION);
		HMENU below = GetSubMenu(menu, i);
		GetMenuStringW(menu, (UINT)i, text, TEXT_UNITS, MF_BYPOSITION);
		put(answer,
			"%s{\"id\":%d,\"enabled\":%d,\"separator\":%d,\"checked\":%d,\"highlighted\":%d,"
			"\"text\":",
			i ? "," : "", (int)GetMenuItemID(menu, i), !(state & (MF_GRAYED | MF_DISABLED)),
			!below && (state & MF_SEPARATOR) != 0, (state & MF_CHECKED) != 0,
			(state & MF_HILITE) != 0);
		put_text(answer, text);
		if (below) {
			put(answer, ",\"items\":");
			put_menu(below, answer);
		}
		put(answer, "}");
	}
	put(answer, "]");
}

void look_menu(HWND window, struct answer *answer)
{
	wchar_t class[16] = L"";
	GetClassNameW(window, class, ARRAYSIZE(class));
	put_menu(wcscmp(class, L"#32768") ? GetMenu(window) : (HMENU)ask(window, MN_GETHMENU, 0, 0), answer);
}
