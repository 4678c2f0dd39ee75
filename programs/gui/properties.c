/* SPDX-License-Identifier: BSD-2-Clause */
/* properties.c: all that is known of a device, in rows that can be taken along. */
#include "programs/gui/gui.h"

#include "control/user_nt.h"

#define COLUMNS    2
#define INDENT     L"    "
#define LEVELS_MAX 8
#define SPACE      10 /* of a column, at 96 dots an inch */
#define MARGIN     8
#define LEAST_SIZE 280

static void add_row(HWND list, int index, const struct lf_gui_row *row)
{
	wchar_t name[LF_GUI_TEXT_ROOM] = L"";
	LVITEMW item = {.mask = LVIF_TEXT, .iItem = index, .pszText = name};

	for (uint32_t i = 0; i < row->level && i < LEVELS_MAX; i++)
		wcscat_s(name, LF_GUI_TEXT_ROOM, INDENT);
	wcsncat_s(name, LF_GUI_TEXT_ROOM, row->name, _TRUNCATE);
	index = ListView_InsertItem(list, &item);
	if (row->value)
		ListView_SetItemText(list, index, 1, (wchar_t *)row->value);
}

static void fit_columns(HWND list)
{
	UINT dpi = GetDpiForWindow(list);
	RECT area;
	int width;

	GetClientRect(list, &area);
	ListView_SetColumnWidth(list, 0, LVSCW_AUTOSIZE);
	width = ListView_GetColumnWidth(list, 0) + lf_gui_scale(dpi, SPACE);
	ListView_SetColumnWidth(list, 0, width);
	ListView_SetColumnWidth(list, 1, LVSCW_AUTOSIZE);
	ListView_SetColumnWidth(list, 1,
		max(area.right - width, ListView_GetColumnWidth(list, 1) + lf_gui_scale(dpi, SPACE)));
}

static void fill(HWND list, const struct lf_gui_result *result)
{
	static const wchar_t *const headings[COLUMNS] = {L"Property", L"Value"};

	ListView_SetExtendedListViewStyle(list, LVS_EX_FULLROWSELECT | LVS_EX_DOUBLEBUFFER | LVS_EX_LABELTIP);
	for (int i = 0; i < COLUMNS; i++) {
		LVCOLUMNW column = {.mask = LVCF_TEXT, .pszText = (wchar_t *)headings[i]};
		ListView_InsertColumn(list, i, &column);
	}
	for (uint32_t i = 0; i < result->row_count; i++)
		add_row(list, (int)i, &result->rows[i]);
	ListView_SetItemState(list, 0, LVIS_FOCUSED, LVIS_FOCUSED);
}

/* The buttons keep their sizes, at the right of the bottom. */
static void lay_out(HWND dialog)
{
	HWND list = GetDlgItem(dialog, LF_ID_ROWS);
	const int buttons[] = {IDCANCEL, LF_ID_COPY_ROWS};
	int margin = lf_gui_scale(GetDpiForWindow(dialog), MARGIN), right, height = 0;
	RECT area, button;

	GetClientRect(dialog, &area);
	right = area.right;
	for (size_t i = 0; i < lf_count_of(buttons); i++) {
		HWND window = GetDlgItem(dialog, buttons[i]);
		GetWindowRect(window, &button);
		height = button.bottom - button.top;
		right -= button.right - button.left + margin;
		SetWindowPos(window, NULL, right, area.bottom - margin - height, 0, 0,
			SWP_NOSIZE | SWP_NOZORDER | SWP_NOACTIVATE);
	}
	MoveWindow(list, margin, margin, max(0, area.right - 2 * margin),
		max(0, area.bottom - 3 * margin - height), TRUE);
	fit_columns(list);
	RedrawWindow(dialog, NULL, NULL, RDW_INVALIDATE | RDW_ERASE | RDW_ALLCHILDREN);
}

static void begin(HWND dialog, const struct lf_gui_result *result)
{
	wchar_t title[LF_GUI_TEXT_ROOM], id[64] = L"";

	lf_wide(result->action.id, id, lf_count_of(id));
	_snwprintf_s(title, LF_GUI_TEXT_ROOM, _TRUNCATE, L"Properties of %ls", id);
	SetWindowTextW(dialog, title);
	fill(GetDlgItem(dialog, LF_ID_ROWS), result);
	lf_gui_dialog_begin(dialog);
	lay_out(dialog);
}

/* What is chosen, or, when nothing is, all. */
static void copy(HWND dialog)
{
	HWND list = GetDlgItem(dialog, LF_ID_ROWS);

	lf_gui_copy_rows(dialog, list, COLUMNS, ListView_GetSelectedCount(list) == 0);
}

static void key(HWND dialog, const NMLVKEYDOWN *pressed)
{
	if (GetKeyState(VK_CONTROL) >= 0)
		return;
	if (pressed->wVKey == 'C')
		copy(dialog);
	else if (pressed->wVKey == 'A')
		ListView_SetItemState(GetDlgItem(dialog, LF_ID_ROWS), -1, LVIS_SELECTED, LVIS_SELECTED);
}

static INT_PTR command(HWND dialog, int id)
{
	if (id == LF_ID_COPY_ROWS)
		copy(dialog);
	else if (id == IDCANCEL || id == IDOK)
		EndDialog(dialog, id);
	else
		return FALSE;
	return TRUE;
}

static INT_PTR CALLBACK procedure(HWND dialog, UINT message, WPARAM wparam, LPARAM lparam)
{
	int least;

	switch (message) {
	case WM_INITDIALOG:
		begin(dialog, (const struct lf_gui_result *)lparam);
		return TRUE;
	case WM_SIZE:
		lay_out(dialog);
		return TRUE;
	case WM_GETMINMAXINFO:
		least = lf_gui_scale(GetDpiForWindow(dialog), LEAST_SIZE);
		((MINMAXINFO *)lparam)->ptMinTrackSize = (POINT){least, least};
		return TRUE;
	case WM_COMMAND:
		return command(dialog, LOWORD(wparam));
	case WM_NOTIFY:
		if (((const NMHDR *)lparam)->code == LVN_KEYDOWN)
			key(dialog, (const NMLVKEYDOWN *)lparam);
		break;
	default:
		break;
	}
	return lf_theme_dialog(dialog, message, wparam, lparam);
}

void lf_gui_show_properties(struct lf_gui *gui, const struct lf_gui_result *result)
{
	DialogBoxParamW(gui->instance, MAKEINTRESOURCEW(LF_DIALOG_PROPERTIES), gui->window, procedure,
		(LPARAM)result);
}
