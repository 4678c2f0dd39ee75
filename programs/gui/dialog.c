/* SPDX-License-Identifier: BSD-2-Clause */
/* dialog.c: what all dialogs begin with. */
#include "programs/gui/gui.h"

/* In the middle of its owner, as far as its screen allows. */
static void place(HWND dialog)
{
	MONITORINFO screen = {.cbSize = sizeof(screen)};
	HWND owner = GetWindow(dialog, GW_OWNER);
	RECT around, area;
	LONG left, top;

	if (!owner || !GetMonitorInfoW(MonitorFromWindow(owner, MONITOR_DEFAULTTONEAREST), &screen))
		return;
	GetWindowRect(owner, &around);
	GetWindowRect(dialog, &area);
	OffsetRect(&area, -area.left, -area.top);
	left = (around.left + around.right - area.right) / 2;
	top = (around.top + around.bottom - area.bottom) / 2;
	left = max(screen.rcWork.left, min(left, screen.rcWork.right - area.right));
	top = max(screen.rcWork.top, min(top, screen.rcWork.bottom - area.bottom));
	SetWindowPos(dialog, NULL, left, top, 0, 0, SWP_NOSIZE | SWP_NOZORDER | SWP_NOACTIVATE);
}

void lf_gui_dialog_begin(HWND dialog)
{
	place(dialog);
	lf_theme_apply(dialog);
}
