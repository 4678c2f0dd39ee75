/* SPDX-License-Identifier: BSD-2-Clause */
/* list.c: the list of devices: rows that change where they stand, in the order that was asked for. */
#include "programs/gui/gui.h"

#include <stdlib.h>

#define PADDING     14 /* of a cell, at 96 dots an inch */
#define ARROW       28 /* of the column that is sorted by */
#define IMAGE_LEAST 160

static const struct lf_gui_device *find_device(const struct lf_gui_snapshot *snapshot, LPARAM number)
{
	uint32_t low = 0, high = snapshot ? snapshot->count : 0;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (snapshot->devices[middle].device.number < (uint32_t)number)
			low = middle + 1;
		else
			high = middle;
	}
	return snapshot && low < snapshot->count && snapshot->devices[low].device.number == (uint32_t)number
		       ? &snapshot->devices[low]
		       : NULL;
}

static LPARAM number_at(const struct lf_gui_list *list, int index)
{
	LVITEMW item = {.mask = LVIF_PARAM, .iItem = index};

	ListView_GetItem(list->window, &item);
	return item.lParam;
}

const struct lf_gui_device *lf_gui_list_chosen(const struct lf_gui_list *list, int *index)
{
	int at = ListView_GetNextItem(list->window, *index - 1, LVNI_SELECTED);

	if (at < 0)
		return NULL;
	*index = at + 1;
	return find_device(list->shown, number_at(list, at));
}

void lf_gui_list_select_all(struct lf_gui_list *list)
{
	ListView_SetItemState(list->window, -1, LVIS_SELECTED, LVIS_SELECTED);
}

/* ---- Order ---- */

/* Those that are equal: in the order in which they came. */
static int CALLBACK compare_rows(LPARAM one, LPARAM other, LPARAM context)
{
	const struct lf_gui_list *list = (const struct lf_gui_list *)context;
	const struct lf_gui_device *devices[] = {
		find_device(list->shown, one), find_device(list->shown, other)};
	int order = devices[0] && devices[1] ? lf_gui_compare(devices[0], devices[1], list->sort) : 0;

	if (list->descending)
		order = -order;
	return order ? order : one < other ? -1 : one > other;
}

/* Sorting paints all rows: only when it has to be. */
static void sort(struct lf_gui_list *list)
{
	int count = ListView_GetItemCount(list->window);

	for (int i = 1; i < count; i++) {
		if (compare_rows(number_at(list, i - 1), number_at(list, i), (LPARAM)list) > 0) {
			ListView_SortItems(list->window, compare_rows, (LPARAM)list);
			return;
		}
	}
}

static void show_arrow(const struct lf_gui_list *list)
{
	HWND header = ListView_GetHeader(list->window);

	for (int i = 0; i < LF_COLUMN_COUNT; i++) {
		HDITEMW item = {.mask = HDI_FORMAT};
		Header_GetItem(header, i, &item);
		item.fmt &= ~(HDF_SORTUP | HDF_SORTDOWN);
		if ((uint32_t)i == list->sort)
			item.fmt |= list->descending ? HDF_SORTDOWN : HDF_SORTUP;
		Header_SetItem(header, i, &item);
	}
}

/* The same column once more: the other way round. Numbers begin with the largest. */
static void sort_by(struct lf_gui_list *list, uint32_t column)
{
	list->descending = column == list->sort ? !list->descending : lf_gui_cell_is_number(column);
	list->sort = column;
	show_arrow(list);
	lf_gui_list_fit(list, true);
	sort(list);
}

/* ---- Widths ---- */

static int width_of(const struct lf_gui_list *list, int column, UINT dpi)
{
	wchar_t text[LF_CONTROL_PATH_CAPACITY];
	int width = ListView_GetStringWidth(list->window, lf_gui_heading(column)) +
		    lf_gui_scale(dpi, (uint32_t)column == list->sort ? PADDING + ARROW : PADDING);
	int count = ListView_GetItemCount(list->window);

	for (int i = 0; i < count; i++) {
		ListView_GetItemText(list->window, i, column, text, LF_CONTROL_PATH_CAPACITY);
		width = max(width, ListView_GetStringWidth(list->window, text) + lf_gui_scale(dpi, PADDING));
	}
	return column == LF_COLUMN_IMAGE ? max(width, lf_gui_scale(dpi, IMAGE_LEAST)) : width;
}

/* all_again: columns become narrower as well, also those that somebody has made wider or narrower. */
void lf_gui_list_fit(struct lf_gui_list *list, bool all_again)
{
	UINT dpi = GetDpiForWindow(list->window);
	int order[LF_COLUMN_COUNT], last, rest;
	RECT area;

	GetClientRect(list->window, &area);
	ListView_GetColumnOrderArray(list->window, LF_COLUMN_COUNT, order);
	last = order[LF_COLUMN_COUNT - 1];
	rest = area.right;
	for (int i = 0; i < LF_COLUMN_COUNT; i++) {
		int wanted = list->by_hand[i] ? list->widths[i] : width_of(list, i, dpi);
		list->widths[i] = all_again ? wanted : max(wanted, list->widths[i]);
		if (i != last)
			rest -= list->widths[i];
	}
	for (int i = 0; i < LF_COLUMN_COUNT; i++) {
		int width = i == last ? max(rest, list->widths[i]) : list->widths[i];
		if (ListView_GetColumnWidth(list->window, i) != width)
			ListView_SetColumnWidth(list->window, i, width);
	}
}

/* ---- Rows ---- */

static void set_cells(const struct lf_gui_list *list, int index, const struct lf_gui_device *device)
{
	wchar_t text[LF_CONTROL_PATH_CAPACITY], before[LF_CONTROL_PATH_CAPACITY];

	for (int column = 0; column < LF_COLUMN_COUNT; column++) {
		lf_gui_cell(device, column, text, LF_CONTROL_PATH_CAPACITY);
		ListView_GetItemText(list->window, index, column, before, LF_CONTROL_PATH_CAPACITY);
		if (wcscmp(text, before) != 0)
			ListView_SetItemText(list->window, index, column, text);
	}
}

/* NULL: it left. One of the same number and another ID is another adapter's: nobody has chosen it. */
static const struct lf_gui_device *device_of_row(const struct lf_gui_list *list, int index)
{
	const struct lf_gui_device *device = find_device(list->shown, number_at(list, index));
	wchar_t id[LF_GUI_TEXT_ROOM], before[LF_GUI_TEXT_ROOM];

	if (!device)
		return NULL;
	lf_gui_cell(device, LF_COLUMN_ID, id, LF_GUI_TEXT_ROOM);
	ListView_GetItemText(list->window, index, LF_COLUMN_ID, before, LF_GUI_TEXT_ROOM);
	return wcscmp(id, before) == 0 ? device : NULL;
}

/* What left goes, what is still there gets its cells; seen: by index in the snapshot. */
static bool update_rows(struct lf_gui_list *list, bool *seen)
{
	const struct lf_gui_snapshot *snapshot = list->shown;
	bool gone = false;

	for (int i = ListView_GetItemCount(list->window) - 1; i >= 0; i--) {
		const struct lf_gui_device *device = device_of_row(list, i);
		if (device) {
			seen[device - snapshot->devices] = true;
			set_cells(list, i, device);
		} else {
			ListView_DeleteItem(list->window, i);
			gone = true;
		}
	}
	return gone;
}

static bool add_rows(struct lf_gui_list *list, const bool *seen)
{
	bool came = false;

	for (uint32_t i = 0; i < list->shown->count; i++) {
		LVITEMW item = {.mask = LVIF_PARAM, .iItem = INT_MAX};
		int index;
		if (seen[i])
			continue;
		item.lParam = (LPARAM)list->shown->devices[i].device.number;
		index = ListView_InsertItem(list->window, &item);
		if (index < 0)
			continue;
		set_cells(list, index, &list->shown->devices[i]);
		came = true;
	}
	return came;
}

void lf_gui_list_show(struct lf_gui_list *list, struct lf_gui_snapshot *snapshot)
{
	bool *seen = calloc((size_t)snapshot->count + 1, sizeof(*seen));
	bool changed;

	if (!seen) {
		/* The next one comes soon. */
		lf_gui_snapshot_free(snapshot);
		return;
	}
	if (list->shown)
		lf_gui_snapshot_free(list->shown);
	list->shown = snapshot;
	changed = update_rows(list, seen);
	changed |= add_rows(list, seen);
	free(seen);
	sort(list);
	lf_gui_list_fit(list, changed);
}

/* ---- The control ---- */

static void add_columns(struct lf_gui_list *list, const struct lf_gui_settings *settings)
{
	int order[LF_COLUMN_COUNT];

	for (int i = 0; i < LF_COLUMN_COUNT; i++) {
		LVCOLUMNW column = {.mask = LVCF_TEXT | LVCF_FMT};
		column.pszText = (wchar_t *)lf_gui_heading(i);
		column.fmt = lf_gui_cell_is_number(i) ? LVCFMT_RIGHT : LVCFMT_LEFT;
		ListView_InsertColumn(list->window, i, &column);
		order[i] = settings->order[i];
	}
	ListView_SetColumnOrderArray(list->window, LF_COLUMN_COUNT, order);
	list->sort = settings->sort;
	list->descending = settings->descending;
	show_arrow(list);
}

bool lf_gui_list_create(struct lf_gui *gui, const struct lf_gui_settings *settings)
{
	struct lf_gui_list *list = &gui->list;

	list->window = CreateWindowExW(0, WC_LISTVIEWW, L"",
		WS_CHILD | WS_VISIBLE | WS_TABSTOP | WS_CLIPSIBLINGS | LVS_REPORT | LVS_SHOWSELALWAYS, 0, 0,
		0, 0, gui->window, (HMENU)(INT_PTR)LF_ID_LIST, gui->instance, NULL);
	if (!list->window)
		return false;
	ListView_SetExtendedListViewStyle(list->window,
		LVS_EX_FULLROWSELECT | LVS_EX_DOUBLEBUFFER | LVS_EX_HEADERDRAGDROP | LVS_EX_LABELTIP);
	add_columns(list, settings);
	return true;
}

static void resized_by_hand(struct lf_gui *gui, const NMHEADERW *header, bool fits)
{
	struct lf_gui_list *list = &gui->list;
	int column = header->iItem;

	if (column < 0 || column >= LF_COLUMN_COUNT)
		return;
	list->by_hand[column] = !fits;
	if (!fits && header->pitem && header->pitem->mask & HDI_WIDTH)
		list->widths[column] = header->pitem->cxy;
	/* When the header has done what it is about to do. */
	PostMessageW(gui->window, LF_GUI_WM_FIT, 0, 0);
}

bool lf_gui_list_notify(struct lf_gui *gui, const NMHDR *header, LRESULT *result)
{
	*result = 0;
	switch (header->code) {
	case LVN_COLUMNCLICK:
		sort_by(&gui->list, (uint32_t)((const NMLISTVIEW *)header)->iSubItem);
		return true;
	case HDN_ENDTRACKW:
	case HDN_ENDTRACKA:
		resized_by_hand(gui, (const NMHEADERW *)header, false);
		return false;
	case HDN_DIVIDERDBLCLICKW:
	case HDN_DIVIDERDBLCLICKA:
		resized_by_hand(gui, (const NMHEADERW *)header, true);
		return true;
	case HDN_ENDDRAG:
		PostMessageW(gui->window, LF_GUI_WM_FIT, 0, 0);
		return false;
	case LVN_ITEMCHANGED:
		if ((((const NMLISTVIEW *)header)->uNewState ^ ((const NMLISTVIEW *)header)->uOldState) &
			LVIS_SELECTED)
			lf_gui_show_choice(gui);
		return true;
	case NM_DBLCLK:
	case NM_RETURN:
		lf_gui_command(gui, LF_ID_PROPERTIES);
		return true;
	default:
		return false;
	}
}
