/* SPDX-License-Identifier: BSD-2-Clause */
/* results.c: what became of what was begun: failures told together, vetoes asked about, properties shown. */
#include "programs/gui/gui.h"

#include "control/user_nt.h"

#include <stdlib.h>
#include <string.h>

#define TELL_TIMER   1
#define TELL_MS      300 /* failures of what goes on together are told together, if it does not go on for long */
#define MESSAGE_ROOM LF_GUI_MESSAGE_CAPACITY

int lf_gui_ask(struct lf_gui *gui, const wchar_t *text, UINT kind)
{
	bool before = gui->talking;
	int answer;

	gui->talking = true;
	answer = MessageBoxW(gui->window, text, LF_GUI_TITLE, kind);
	gui->talking = before;
	PostMessageW(gui->window, LF_GUI_WM_TELL, 0, 0);
	return answer;
}

void lf_gui_result(struct lf_gui *gui, struct lf_gui_result *result)
{
	struct lf_gui_told *told = NULL;

	lf_gui_ended(gui, &result->action);
	if (result->status != LF_EXIT_DONE || result->action.verb == LF_GUI_PROPERTIES ||
		result->action.verb == LF_GUI_INSTALL)
		told = calloc(1, sizeof(*told));
	if (!told) {
		lf_gui_result_free(result);
		return;
	}
	told->result = result;
	*gui->told_end = told;
	gui->told_end = &told->next;
	if (gui->going_count == 0)
		lf_gui_tell(gui);
	else
		SetTimer(gui->window, TELL_TIMER, TELL_MS, NULL);
}

/* Those of one kind leave the row, in their order. */
static struct lf_gui_told *take(struct lf_gui *gui, bool (*is)(const struct lf_gui_result *result))
{
	struct lf_gui_told *taken = NULL, **end = &taken, **at = &gui->told;

	while (*at) {
		struct lf_gui_told *told = *at;
		if (!is(told->result)) {
			at = &told->next;
			continue;
		}
		*at = told->next;
		told->next = NULL;
		*end = told;
		end = &told->next;
	}
	gui->told_end = at;
	return taken;
}

static void free_told(struct lf_gui_told *told)
{
	while (told) {
		struct lf_gui_told *next = told->next;
		lf_gui_result_free(told->result);
		free(told);
		told = next;
	}
}

/* ---- What is told ---- */

static bool is_properties(const struct lf_gui_result *result)
{
	return result->action.verb == LF_GUI_PROPERTIES && result->status == LF_EXIT_DONE;
}

static bool is_installed(const struct lf_gui_result *result)
{
	return result->action.verb == LF_GUI_INSTALL && result->status == LF_EXIT_DONE;
}

/* Somebody needs the device; who says so may be overruled. */
static bool is_veto(const struct lf_gui_result *result)
{
	return result->status == LF_EXIT_BUSY && !result->action.force &&
	       (result->action.verb == LF_GUI_DISCONNECT || result->action.verb == LF_GUI_EJECT ||
		       result->action.verb == LF_GUI_INSERT);
}

static bool is_failure(const struct lf_gui_result *result)
{
	return result->status != LF_EXIT_DONE && !is_veto(result);
}

/* An image on a drive that is not there for this program, but perhaps for the one who started it. */
static bool is_on_missing_drive(const struct lf_gui_result *result)
{
	const wchar_t *image = result->action.image;
	wchar_t root[] = L"?:\\";

	if (result->status != LF_EXIT_NOT_FOUND || !image[0] || image[1] != L':')
		return false;
	root[0] = image[0];
	return GetDriveTypeW(root) == DRIVE_NO_ROOT_DIR;
}

static void append_told(struct lf_gui_text *text, const struct lf_gui_told *told)
{
	wchar_t message[MESSAGE_ROOM];
	uint32_t count = 0;
	bool missing_drive = false;

	for (; told; told = told->next) {
		missing_drive |= is_on_missing_drive(told->result);
		if (count++ >= LF_GUI_LINES_MAX)
			continue;
		if (!lf_wide(told->result->message.text, message, MESSAGE_ROOM) || !message[0])
			wcscpy_s(message, MESSAGE_ROOM, L"it failed, and nobody has said why");
		lf_gui_append(text, L"\n\n");
		lf_gui_append(text, message);
	}
	if (count > LF_GUI_LINES_MAX) {
		_snwprintf_s(message, MESSAGE_ROOM, _TRUNCATE, L"\n\nand %u more", count - LF_GUI_LINES_MAX);
		lf_gui_append(text, message);
	}
	if (missing_drive)
		lf_gui_append(text,
			L"\n\nThis program runs elevated and does not see drives that were mapped without "
			L"elevation: name the share, \\\\server\\share\\disk.img.");
}

/* "Connecting disk.img failed"; of several, how many. */
static void append_attempt(
	struct lf_gui_text *text, const struct lf_gui_told *told, const wchar_t *one, const wchar_t *several)
{
	wchar_t line[LF_GUI_TEXT_ROOM], what[LF_GUI_TEXT_ROOM];
	uint32_t count = 0;

	for (const struct lf_gui_told *at = told; at; at = at->next)
		count++;
	if (count == 1) {
		lf_gui_describe(&told->result->action, what, LF_GUI_TEXT_ROOM - 32);
		_snwprintf_s(line, LF_GUI_TEXT_ROOM, _TRUNCATE, one, what);
	} else {
		_snwprintf_s(line, LF_GUI_TEXT_ROOM, _TRUNCATE, several, count);
	}
	lf_gui_append(text, line);
}

/* A device that came, and that the service will not bring again. */
static bool is_only_not_kept(const struct lf_gui_told *told)
{
	return !told->next && told->result->action.verb == LF_GUI_CONNECT && told->result->device.number != 0;
}

static void tell_failures(struct lf_gui *gui, const struct lf_gui_told *told)
{
	struct lf_gui_text text = {0};

	append_attempt(&text, told,
		is_only_not_kept(told) ? L"%ls was done, but it is not kept." : L"%ls failed.",
		L"%u things failed.");
	append_told(&text, told);
	lf_gui_ask(gui, text.failed ? L"It failed, and memory is short." : text.units, MB_ICONERROR);
	lf_gui_text_free(&text);
}

static void ask_to_force(struct lf_gui *gui, const struct lf_gui_told *told)
{
	struct lf_gui_text text = {0};

	append_attempt(&text, told, L"%ls was refused.", L"%u devices are in use.");
	append_told(&text, told);
	lf_gui_append(&text, L"\n\nDo it by force? What Windows has not written yet is lost.");
	if (!text.failed && lf_gui_ask(gui, text.units, MB_YESNO | MB_ICONWARNING | MB_DEFBUTTON2) == IDYES) {
		for (; told; told = told->next) {
			told->result->action.force = true;
			lf_gui_begin(gui, &told->result->action);
		}
	}
	lf_gui_text_free(&text);
}

static void show_all_properties(struct lf_gui *gui, const struct lf_gui_told *told)
{
	for (; told; told = told->next) {
		gui->talking = true;
		lf_gui_show_properties(gui, told->result);
		gui->talking = false;
	}
	PostMessageW(gui->window, LF_GUI_WM_TELL, 0, 0);
}

static void tell_installed(struct lf_gui *gui, const struct lf_gui_told *told)
{
	(void)told;
	lf_gui_ask(gui,
		L"The driver is installed.\n\nDrop image files on the window, or press Ctrl+O to connect "
		L"one.",
		MB_ICONINFORMATION);
}

void lf_gui_tell(struct lf_gui *gui)
{
	static const struct {
		bool (*is)(const struct lf_gui_result *result);
		void (*tell)(struct lf_gui *gui, const struct lf_gui_told *told);
	} kinds[] = {
		{is_failure, tell_failures},
		{is_veto, ask_to_force},
		{is_installed, tell_installed},
		{is_properties, show_all_properties},
	};

	for (size_t i = 0; i < lf_count_of(kinds) && !gui->talking; i++) {
		struct lf_gui_told *told = take(gui, kinds[i].is);
		if (told)
			kinds[i].tell(gui, told);
		free_told(told);
	}
	if (gui->offer && !gui->talking) {
		gui->offer = false;
		lf_gui_command(gui, LF_ID_INSTALL);
	}
}
