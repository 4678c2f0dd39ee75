/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * look.c: look.dll, in the process of a program that is tested (attach.c): says what its windows show. It
 * listens on a socket, whose port it writes into a file beside itself, look.dll.port; a line is asked, a line
 * of JSON is the answer. WINDOW is a handle in hex. windows                 every visible window, whose child
 * it is, where on the screen, with what text list WINDOW             columns and cells of a list view parts
 * WINDOW            of a status bar buttons WINDOW          of a toolbar menu WINDOW             its menu
 * bar, or the menu that it is drop WINDOW PATH        WM_DROPFILES, as when nobody can drag Rectangles are
 * left, top, right, bottom, in pixels of the screen.
 */
#include "tests/storport/wine/client/look.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 4096
#define WAIT_MS    60000

LRESULT ask(HWND window, UINT message, WPARAM first, LPARAM second)
{
	DWORD_PTR result = 0;
	SendMessageTimeoutW(window, message, first, second, SMTO_NORMAL, WAIT_MS, &result);
	return (LRESULT)result;
}

/* ---- JSON ---- */

void put(struct answer *answer, const char *format, ...)
{
	char text[256];
	va_list arguments;
	int length;
	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (answer->length + (size_t)length + 1 > answer->room) {
		answer->room = 2 * answer->room + (size_t)length + LINE_BYTES;
		answer->text = realloc(answer->text, answer->room);
	}
	memcpy(answer->text + answer->length, text, (size_t)length + 1);
	answer->length += (size_t)length;
}

void put_text(struct answer *answer, const wchar_t *text)
{
	put(answer, "\"");
	for (; *text; text++) {
		if (*text < 0x80 && *text >= ' ' && *text != '"' && *text != '\\')
			put(answer, "%c", *text);
		else
			put(answer, "\\u%04x", *text);
	}
	put(answer, "\"");
}

void put_rectangle(struct answer *answer, const char *name, const RECT *at)
{
	put(answer, ",\"%s\":[%ld,%ld,%ld,%ld]", name, at->left, at->top, at->right, at->bottom);
}

/* ---- Windows ---- */

SIZE extent(HWND window, const wchar_t *text, int width)
{
	HDC screen = GetDC(NULL);
	HFONT font = (HFONT)ask(window, WM_GETFONT, 0, 0);
	HGDIOBJ before = SelectObject(screen, font ? font : GetStockObject(SYSTEM_FONT));
	RECT area = {0, 0, width, 0};
	UINT flags = DT_CALCRECT | DT_EXPANDTABS | (width ? DT_WORDBREAK : DT_SINGLELINE);
	if (GetWindowLongW(window, GWL_STYLE) & SS_NOPREFIX)
		flags |= DT_NOPREFIX;
	DrawTextW(screen, text, -1, &area, flags);
	SelectObject(screen, before);
	ReleaseDC(NULL, screen);
	return (SIZE){area.right, area.bottom};
}

/* What a combo box can show. */
static void put_choices(struct answer *answer, HWND window)
{
	LRESULT count = ask(window, CB_GETCOUNT, 0, 0);
	int widest = 0;
	put(answer, ",\"choices\":[");
	for (LRESULT i = 0; i < count; i++) {
		wchar_t text[TEXT_UNITS] = L"";
		SIZE size;
		ask(window, CB_GETLBTEXT, (WPARAM)i, (LPARAM)text);
		size = extent(window, text, 0);
		widest = size.cx > widest ? size.cx : widest;
		put(answer, i ? "," : "");
		put_text(answer, text);
	}
	put(answer, "],\"widest\":%d", widest);
}

static void put_window(struct answer *answer, HWND window, HWND focus)
{
	wchar_t class[64] = L"", text[TEXT_UNITS] = L"";
	RECT at, client;
	SIZE line, wrapped;
	GetClassNameW(window, class, ARRAYSIZE(class));
	ask(window, WM_GETTEXT, TEXT_UNITS, (LPARAM)text);
	GetWindowRect(window, &at);
	GetClientRect(window, &client);
	MapWindowPoints(window, NULL, (POINT *)&client, 2);
	line = extent(window, text, 0);
	wrapped = extent(window, text, client.right - client.left);
	put(answer, "%s{\"handle\":\"%llx\",\"parent\":\"%llx\",\"owner\":\"%llx\",\"id\":%d,\"style\":%lu",
		answer->length > 1 ? "," : "", (unsigned long long)(ULONG_PTR)window,
		(unsigned long long)(ULONG_PTR)GetAncestor(window, GA_PARENT),
		(unsigned long long)(ULONG_PTR)GetWindow(window, GW_OWNER),
		(int)GetWindowLongPtrW(window, GWLP_ID), (DWORD)GetWindowLongW(window, GWL_STYLE));
	put(answer,
		",\"enabled\":%d,\"focus\":%d,\"checked\":%d,\"dpi\":%u,\"line\":[%ld,%ld],\"wrapped\":[%ld,%"
		"ld]",
		IsWindowEnabled(window), window == focus,
		wcscmp(class, L"Button") ? 0 : (int)ask(window, BM_GETCHECK, 0, 0), GetDpiForWindow(window),
		line.cx, line.cy, wrapped.cx, wrapped.cy);
	put_rectangle(answer, "at", &at);
	put_rectangle(answer, "client", &client);
	put(answer, ",\"class\":");
	put_text(answer, class);
	put(answer, ",\"text\":");
	put_text(answer, text);
	if (!wcscmp(class, L"ComboBox"))
		put_choices(answer, window);
	put(answer, "}");
}

struct round {
	struct answer *answer;
	HWND focus;
};

static BOOL CALLBACK each_child(HWND window, LPARAM context)
{
	const struct round *round = (const struct round *)context;
	if (IsWindowVisible(window))
		put_window(round->answer, window, round->focus);
	return TRUE;
}

static BOOL CALLBACK each_window(HWND window, LPARAM context)
{
	struct round *round = (struct round *)context;
	GUITHREADINFO info = {.cbSize = sizeof(info)};
	DWORD id = 0, thread = GetWindowThreadProcessId(window, &id);
	if (id != GetCurrentProcessId() || !IsWindowVisible(window))
		return TRUE;
	GetGUIThreadInfo(thread, &info);
	round->focus = info.hwndFocus;
	put_window(round->answer, window, round->focus);
	EnumChildWindows(window, each_child, context);
	return TRUE;
}

static void look_windows(struct answer *answer)
{
	struct round round = {.answer = answer};
	put(answer, "[");
	EnumWindows(each_window, (LPARAM)&round);
	put(answer, "]");
}

/* ---- Who asks ---- */

static void obey(char *line, struct answer *answer)
{
	char *verb = strtok(line, " \r\n"), *word = strtok(NULL, " \r\n");
	HWND window = (HWND)(ULONG_PTR)(word ? strtoull(word, NULL, 16) : 0);
	if (!verb)
		put(answer, "null");
	else if (!strcmp(verb, "windows"))
		look_windows(answer);
	else if (!strcmp(verb, "list"))
		look_list(window, answer);
	else if (!strcmp(verb, "parts"))
		look_parts(window, answer);
	else if (!strcmp(verb, "buttons"))
		look_buttons(window, answer);
	else if (!strcmp(verb, "menu"))
		look_menu(window, answer);
	else if (!strcmp(verb, "disks"))
		play_disks(word, answer);
	else if (!strcmp(verb, "veto"))
		play_veto(word, answer);
	else
		put(answer, "null");
	put(answer, "\n");
}

static void serve(SOCKET client)
{
	char line[LINE_BYTES];
	int length = 0, got;
	while (length < LINE_BYTES - 1 &&
		(got = recv(client, line + length, LINE_BYTES - 1 - length, 0)) > 0) {
		struct answer answer = {0};
		length += got;
		line[length] = '\0';
		if (line[length - 1] != '\n')
			continue;
		obey(line, &answer);
		for (size_t sent = 0; sent < answer.length;) {
			got = send(client, answer.text + sent, (int)(answer.length - sent), 0);
			if (got <= 0)
				break;
			sent += (size_t)got;
		}
		free(answer.text);
		length = 0;
	}
	closesocket(client);
}

static DWORD WINAPI listen_on(void *library)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int length = sizeof(at);
	char path[MAX_PATH + 8];
	SOCKET listener;
	WSADATA data;
	FILE *file;
	if (WSAStartup(MAKEWORD(2, 2), &data))
		return 1;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 1) ||
		getsockname(listener, (struct sockaddr *)&at, &length))
		return 1;
	GetModuleFileNameA(library, path, MAX_PATH);
	strcat(path, ".port");
	file = fopen(path, "w");
	if (!file)
		return 1;
	fprintf(file, "%u\n", ntohs(at.sin_port));
	fclose(file);
	for (;;) {
		SOCKET client = accept(listener, NULL, NULL);
		if (client == INVALID_SOCKET)
			return 1;
		serve(client);
	}
}

BOOL WINAPI DllMain(HINSTANCE library, DWORD reason, void *reserved)
{
	HANDLE thread;
	(void)reserved;
	if (reason != DLL_PROCESS_ATTACH)
		return TRUE;
	thread = CreateThread(NULL, 0, listen_on, library, 0, NULL);
	if (thread)
		CloseHandle(thread);
	return thread != NULL;
}
