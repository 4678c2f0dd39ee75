/* SPDX-License-Identifier: BSD-2-Clause */
/* theme.h: light or dark, as the user's programs are, and what the common controls do not do of it
 * themselves. */
#ifndef LF_GUI_THEME_H
#define LF_GUI_THEME_H

#include <stdbool.h>
#include <windows.h>
#include <commctrl.h>

struct lf_theme {
	bool dark; /* else all colours are those of Windows, and controls draw themselves */
	COLORREF text, weak_text, back, face, hot, chosen, line;
	HBRUSH back_brush, face_brush;
};

const struct lf_theme *lf_theme(void);
/* Asks Windows again; whether anything is different. */
bool lf_theme_refresh(void);
/* The frame of a top level window, and the controls in it. */
void lf_theme_apply(HWND window);
/* Of a window that has controls: colours, buttons. True: handled, result is due. */
bool lf_theme_message(HWND window, UINT message, WPARAM wparam, LPARAM lparam, LRESULT *result);
/* The same for a dialog's procedure: what it returns. */
INT_PTR lf_theme_dialog(HWND dialog, UINT message, WPARAM wparam, LPARAM lparam);

#endif
