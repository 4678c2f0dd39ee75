/* SPDX-License-Identifier: BSD-2-Clause */
/* look.h: what the parts of look.dll share. */
#ifndef LF_TESTS_LOOK_H
#define LF_TESTS_LOOK_H

#include <winsock2.h>

#include <windows.h>

#include <stdint.h>
#include <stdio.h>

#define TEXT_UNITS 4096

/* The answer, as it grows; one line of JSON. */
struct answer {
	char *text;
	size_t length, room;
};

void put(struct answer *answer, const char *format, ...);
/* As a JSON string. */
void put_text(struct answer *answer, const wchar_t *text);
void put_rectangle(struct answer *answer, const char *name, const RECT *rectangle);
/* SendMessage, but not for ever. */
LRESULT ask(HWND window, UINT message, WPARAM first, LPARAM second);
/* The text with the font of the window, lines of at most width (0: one line). */
SIZE extent(HWND window, const wchar_t *text, int width);

/* look_parts.c: what is asked about one window. */
void look_list(HWND window, struct answer *answer);
void look_parts(HWND window, struct answer *answer);
void look_buttons(HWND window, struct answer *answer);
void look_menu(HWND window, struct answer *answer);

/* look_play.c. names: the first, strtok has the others; who: NULL, nobody. */
void play_disks(char *names, struct answer *answer);
void play_veto(const char *who, struct answer *answer);

#endif
