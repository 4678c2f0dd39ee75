/* SPDX-License-Identifier: BSD-2-Clause */
/* settings.c: where the window was and how its list stood, for the next time. */
#include "programs/gui/gui.h"

#define KEY L"Software\\Lungfish"

/* REG_BINARY; another size is of another release, and not taken. */
struct place {
	uint32_t dpi, maximized;
	int32_t left, top, right, bottom;
};

static bool is_permutation(const int order[LF_COLUMN_COUNT])
{
	uint32_t seen = 0;

	for (int i = 0; i < LF_COLUMN_COUNT; i++) {
		if (order[i] < 0 || order[i] >= LF_COLUMN_COUNT || seen & 1u << order[i])
			return false;
		seen |= 1u << order[i];
	}
	return true;
}

static bool load(const wchar_t *name, DWORD kind, void *value, DWORD size)
{
	DWORD found = size;

	return RegGetValueW(HKEY_CURRENT_USER, KEY, name, kind, NULL, value, &found) == ERROR_SUCCESS &&
	       found == size;
}

void lf_gui_settings_load(struct lf_gui_settings *settings)
{
	struct place place;
	DWORD number;

	*settings = (struct lf_gui_settings){.dpi = USER_DEFAULT_SCREEN_DPI};
	if (load(L"Window", RRF_RT_REG_BINARY, &place, sizeof(place)) && place.dpi > 0 && place.dpi < 10000) {
		settings->dpi = place.dpi;
		settings->maximized = place.maximized != 0;
		SetRect(&settings->place, place.left, place.top, place.right, place.bottom);
	}
	if (!load(L"ColumnOrder", RRF_RT_REG_BINARY, settings->order, sizeof(settings->order)) ||
		!is_permutation(settings->order)) {
		for (int i = 0; i < LF_COLUMN_COUNT; i++)
			settings->order[i] = i;
	}
	if (load(L"SortColumn", RRF_RT_REG_DWORD, &number, sizeof(number)) && number < LF_COLUMN_COUNT)
		settings->sort = number;
	if (load(L"SortDescending", RRF_RT_REG_DWORD, &number, sizeof(number)))
		settings->descending = number != 0;
}

/* What cannot be kept is no reason to tell: the next window stands where Windows puts it. */
void lf_gui_settings_save(const struct lf_gui_settings *settings)
{
	struct place place = {settings->dpi, settings->maximized, settings->place.left, settings->place.top,
		settings->place.right, settings->place.bottom};
	DWORD sort = settings->sort, descending = settings->descending;

	RegSetKeyValueW(HKEY_CURRENT_USER, KEY, L"Window", REG_BINARY, &place, sizeof(place));
	RegSetKeyValueW(
		HKEY_CURRENT_USER, KEY, L"ColumnOrder", REG_BINARY, settings->order, sizeof(settings->order));
	RegSetKeyValueW(HKEY_CURRENT_USER, KEY, L"SortColumn", REG_DWORD, &sort, sizeof(sort));
	RegSetKeyValueW(
		HKEY_CURRENT_USER, KEY, L"SortDescending", REG_DWORD, &descending, sizeof(descending));
}
