/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c: lungfish-gui.exe: its command line, and the loop that its messages come by. */
#include "programs/gui/gui.h"

#include "control/user_nt.h"

#include <objbase.h>
#include <shellapi.h>
#include <stdlib.h>
#include <string.h>

#define USAGE                                                                                                \
	L"lungfish-gui [--socket DEVICE] [IMAGE...]\n\nOpens the window; each IMAGE is connected, an ISO "   \
	L"image as "                                                                                         \
	L"a CD/DVD.\n\n--socket DEVICE  the adapter's device, as lungfish has it\n--help  this"

struct arguments {
	const wchar_t *socket; /* NULL: none */
	const wchar_t *const *images;
	uint32_t image_count;
};

static bool tell_usage(const wchar_t *problem, const wchar_t *argument)
{
	wchar_t text[1024];

	_snwprintf_s(text, lf_count_of(text), _TRUNCATE, L"%ls%.200ls%ls" USAGE, problem, argument,
		problem[0] ? L"\n\n" : L"");
	MessageBoxW(NULL, text, LF_GUI_TITLE, problem[0] ? MB_ICONERROR : MB_ICONINFORMATION);
	return false;
}

/* False: there is nothing to open, and why was told. Images come to the start of words. */
static bool parse(wchar_t **words, int count, struct arguments *arguments)
{
	static const wchar_t option[] = L"--socket=";
	bool options = true;
	int images = 0;

	for (int i = 1; i < count; i++) {
		if (!options || words[i][0] != L'-') {
			words[images++] = words[i];
		} else if (wcscmp(words[i], L"--") == 0) {
			options = false;
		} else if (wcsncmp(words[i], option, lf_count_of(option) - 1) == 0) {
			arguments->socket = words[i] + lf_count_of(option) - 1;
		} else if (wcscmp(words[i], L"--socket") == 0) {
			if (i + 1 == count)
				return tell_usage(L"A value is missing after ", words[i]);
			arguments->socket = words[++i];
		} else if (wcscmp(words[i], L"--help") == 0 || wcscmp(words[i], L"-h") == 0) {
			return tell_usage(L"", L"");
		} else {
			return tell_usage(L"There is no option ", words[i]);
		}
	}
	arguments->images = (const wchar_t *const *)words;
	arguments->image_count = (uint32_t)images;
	return true;
}

static int run(struct lf_gui *gui)
{
	HACCEL keys = LoadAcceleratorsW(gui->instance, MAKEINTRESOURCEW(LF_ACCELERATORS));
	MSG message;

	while (GetMessageW(&message, NULL, 0, 0) > 0) {
		if (TranslateAcceleratorW(gui->window, keys, &message))
			continue;
		TranslateMessage(&message);
		DispatchMessageW(&message);
	}
	lf_gui_window_close(gui);
	return (int)message.wParam;
}

static int open_window(HINSTANCE instance, const struct arguments *arguments, int show)
{
	char socket[MAX_PATH * 3];
	struct lf_gui *gui;

	if (arguments->socket && !lf_narrow(arguments->socket, socket, sizeof(socket))) {
		tell_usage(L"This is no device: ", arguments->socket);
		return LF_EXIT_USAGE;
	}
	gui = lf_gui_window_open(instance, arguments->socket ? socket : NULL, show);
	if (!gui)
		return LF_EXIT_FAILED;
	lf_gui_connect_images(gui, arguments->images, arguments->image_count);
	return run(gui);
}

int WINAPI WinMain(HINSTANCE instance, HINSTANCE before, char *line, int show)
{
	INITCOMMONCONTROLSEX controls = {sizeof(controls), ICC_LISTVIEW_CLASSES | ICC_BAR_CLASSES};
	struct arguments arguments = {0};
	int count = 0, status = LF_EXIT_USAGE;
	wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);

	(void)before;
	(void)line;
	InitCommonControlsEx(&controls);
	if (FAILED(CoInitializeEx(NULL, COINIT_APARTMENTTHREADED | COINIT_DISABLE_OLE1DDE)))
		return LF_EXIT_FAILED;
	if (words && parse(words, count, &arguments))
		status = open_window(instance, &arguments, show);
	CoUninitialize();
	LocalFree(words);
	return status;
}
