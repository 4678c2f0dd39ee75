/* SPDX-License-Identifier: BSD-2-Clause */
/* show.c: what the window says besides its rows: its status bar, its hint, what can be done. */
#include "programs/gui/gui.h"

#include "control/user_nt.h"

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

void lf_gui_show_hint(struct lf_gui *gui)
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
