/* SPDX-License-Identifier: BSD-2-Clause */
/* clipboard.c: text that is put together, and taken along. */
#include "programs/gui/gui.h"

#include <stdlib.h>
#include <string.h>

void lf_gui_append(struct lf_gui_text *text, const wchar_t *more)
{
	size_t length = wcslen(more);

	if (text->length + length + 1 > text->room) {
		size_t room = (text->length + length + 1) * 2;
		wchar_t *units = realloc(text->units, room * sizeof(*units));
		if (!units) {
			text->failed = true;
			return;
		}
		text->units = units;
		text->room = room;
	}
	memcpy(text->units + text->length, more, (length + 1) * sizeof(*more));
	text->length += length;
}

void lf_gui_text_free(struct lf_gui_text *text)
{
	free(text->units);
	*text = (struct lf_gui_text){0};
}

bool lf_gui_copy(HWND owner, const struct lf_gui_text *text)
{
	size_t size = (text->length + 1) * sizeof(wchar_t);
	HGLOBAL memory = text->failed || !text->units ? NULL : GlobalAlloc(GMEM_MOVEABLE, size);
	void *at = memory ? GlobalLock(memory) : NULL;
	bool taken = false;

	if (at) {
		memcpy(at, text->units, size);
		GlobalUnlock(memory);
		if (OpenClipboard(owner)) {
			EmptyClipboard();
			/* From here on it is the clipboard's. */
			taken = SetClipboardData(CF_UNICODETEXT, memory) != NULL;
			CloseClipboard();
		}
	}
	if (memory && !taken)
		GlobalFree(memory);
	return taken;
}

static void append_headings(struct lf_gui_text *text, HWND list, const int *order, int columns)
{
	wchar_t heading[64];

	for (int i = 0; i < columns; i++) {
		LVCOLUMNW column = {
			.mask = LVCF_TEXT, .pszText = heading, .cchTextMax = lf_count_of(heading)};
		heading[0] = L'\0';
		ListView_GetColumn(list, order[i], &column);
		lf_gui_append(text, heading);
		lf_gui_append(text, i + 1 < columns ? L"\t" : L"\r\n");
	}
}

void lf_gui_copy_rows(HWND owner, HWND list, int columns, bool all)
{
	wchar_t cell[LF_CONTROL_PATH_CAPACITY];
	struct lf_gui_text text = {0};
	int order[LF_COLUMN_COUNT];
	int at = -1;

	ListView_GetColumnOrderArray(list, columns, order);
	append_headings(&text, list, order, columns);
	while ((at = ListView_GetNextItem(list, at, all ? LVNI_ALL : LVNI_SELECTED)) >= 0) {
		for (int i = 0; i < columns; i++) {
			ListView_GetItemText(list, at, order[i], cell, LF_CONTROL_PATH_CAPACITY);
			lf_gui_append(&text, cell);
			lf_gui_append(&text, i + 1 < columns ? L"\t" : L"\r\n");
		}
	}
	if (!lf_gui_copy(owner, &text))
		MessageBeep(MB_ICONWARNING);
	lf_gui_text_free(&text);
}
