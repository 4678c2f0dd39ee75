/* SPDX-License-Identifier: BSD-2-Clause */
/* actions.c: what somebody wants done, from his commands to the model. */
#include "programs/gui/gui.h"

#include "control/user_nt.h"
#include "programs/version.h"

#include <shlwapi.h>
#include <stdlib.h>
#include <string.h>

#define CDROM           5
#define MEMORY_IS_SHORT L"Memory is short: close other programs and try again."

#define WIDE_TEXT(text) L##text
#define WIDE(text)      WIDE_TEXT(text)

bool lf_gui_is_disc(const wchar_t *image)
{
	const wchar_t *ending = PathFindExtensionW(image);

	return _wcsicmp(ending, L".iso") == 0;
}

void lf_gui_describe(const struct lf_gui_action *action, wchar_t *text, int room)
{
	static const wchar_t *const verbs[] = {
		[LF_GUI_CONNECT] = L"Connecting",
		[LF_GUI_DISCONNECT] = L"Disconnecting",
		[LF_GUI_INSERT] = L"Inserting into",
		[LF_GUI_EJECT] = L"Ejecting from",
		[LF_GUI_RESIZE] = L"Resizing",
		[LF_GUI_PROPERTIES] = L"Reading the properties of",
		[LF_GUI_INSTALL] = L"Installing the driver",
	};
	wchar_t id[64] = L"";
	const wchar_t *what = id;

	lf_wide(action->id, id, lf_count_of(id));
	if (action->verb == LF_GUI_CONNECT)
		what = action->image[0] ? PathFindFileNameW(action->image) : L"an empty drive";
	_snwprintf_s(text, (size_t)room, _TRUNCATE, action->verb == LF_GUI_INSTALL ? L"%ls" : L"%ls %ls",
		verbs[action->verb], what);
}

/* ---- What goes on ---- */

/* As many as the model takes at a time, in their order. */
static void begin_next(struct lf_gui *gui)
{
	for (uint32_t i = 0; i < gui->going_count; i++) {
		if (!gui->going[i].begun)
			gui->going[i].begun = lf_gui_model_begin(gui->model, &gui->going[i].action);
		if (!gui->going[i].begun)
			break;
	}
	/* Nothing ends then, so nothing would ever begin. */
	if (gui->going_count > 0 && !gui->going[0].begun) {
		gui->going_count = 0;
		lf_gui_ask(gui, MEMORY_IS_SHORT, MB_ICONERROR);
	}
}

static bool is_same(const struct lf_gui_action *one, const struct lf_gui_action *other)
{
	return one->verb == other->verb && strcmp(one->id, other->id) == 0 &&
	       wcscmp(one->image, other->image) == 0;
}

/* A key that is held down asks for the same over and over. Force is something else, also while nobody lets
 * go. */
static bool goes_on(const struct lf_gui *gui, const struct lf_gui_action *action)
{
	for (uint32_t i = 0; action->id[0] && i < gui->going_count; i++) {
		if (gui->going[i].action.force == action->force && is_same(&gui->going[i].action, action))
			return true;
	}
	return false;
}

void lf_gui_begin(struct lf_gui *gui, const struct lf_gui_action *action)
{
	if (goes_on(gui, action))
		return;
	if (gui->going_count == gui->going_room) {
		uint32_t room = gui->going_room ? gui->going_room * 2 : 16;
		struct lf_gui_going *going = realloc(gui->going, room * sizeof(*going));
		if (!going) {
			lf_gui_ask(gui, MEMORY_IS_SHORT, MB_ICONERROR);
			return;
		}
		gui->going = going;
		gui->going_room = room;
	}
	gui->going[gui->going_count].action = *action;
	gui->going[gui->going_count++].begun = false;
	begin_next(gui);
	lf_gui_show_going(gui);
}

void lf_gui_ended(struct lf_gui *gui, const struct lf_gui_action *action)
{
	for (uint32_t i = 0; i < gui->going_count; i++) {
		if (!gui->going[i].begun || !is_same(&gui->going[i].action, action))
			continue;
		memmove(&gui->going[i], &gui->going[i + 1], (gui->going_count - i - 1) * sizeof(*gui->going));
		gui->going_count--;
		break;
	}
	begin_next(gui);
	lf_gui_show_going(gui);
}

/* ---- Connect ---- */

void lf_gui_connect_images(struct lf_gui *gui, const wchar_t *const *images, uint32_t count)
{
	struct lf_gui_action *action = calloc(1, sizeof(*action));
	uint32_t too_long = 0;

	for (uint32_t i = 0; action && i < count; i++) {
		if (!images[i] || wcslen(images[i]) >= LF_CONTROL_PATH_CAPACITY) {
			too_long++;
			continue;
		}
		action->verb = LF_GUI_CONNECT;
		action->connect.lun = UINT32_MAX;
		action->connect.type = lf_gui_is_disc(images[i]) ? CDROM : 0;
		wcscpy_s(action->image, LF_CONTROL_PATH_CAPACITY, images[i]);
		lf_gui_begin(gui, action);
	}
	free(action);
	if (too_long > 0)
		lf_gui_ask(gui, L"An image was left out: its path is too long.", MB_ICONERROR);
}

static void connect_one(struct lf_gui *gui)
{
	struct lf_gui_action *action = calloc(1, sizeof(*action));

	if (action && lf_gui_ask_connect(gui, action))
		lf_gui_begin(gui, action);
	free(action);
}

/* ---- Of what is chosen ---- */

/* The IDs of the chosen devices, a line for each, not more than a person reads. */
static uint32_t name_chosen(const struct lf_gui *gui, struct lf_gui_text *text)
{
	const struct lf_gui_device *device;
	wchar_t id[64];
	uint32_t count = 0;
	int index = 0;

	while ((device = lf_gui_list_chosen(&gui->list, &index))) {
		if (count++ >= LF_GUI_LINES_MAX || !lf_wide(device->device.id.bytes, id, lf_count_of(id)))
			continue;
		lf_gui_append(text, L"\n    ");
		lf_gui_append(text, id);
	}
	if (count > LF_GUI_LINES_MAX)
		lf_gui_append(text, L"\n    ...");
	return count;
}

static bool ask_about_chosen(struct lf_gui *gui, const wchar_t *question, const wchar_t *warning)
{
	struct lf_gui_text text = {0};
	bool yes;

	lf_gui_append(&text, question);
	name_chosen(gui, &text);
	lf_gui_append(&text, L"\n\n");
	lf_gui_append(&text, warning);
	yes = !text.failed && lf_gui_ask(gui, text.units, MB_YESNO | MB_ICONWARNING | MB_DEFBUTTON2) == IDYES;
	lf_gui_text_free(&text);
	return yes;
}

static void begin_of_chosen(struct lf_gui *gui, enum lf_gui_verb verb, bool force)
{
	struct lf_gui_action *action = calloc(1, sizeof(*action));
	const struct lf_gui_device *device;
	int index = 0;

	while (action && (device = lf_gui_list_chosen(&gui->list, &index))) {
		action->verb = verb;
		action->force = force;
		strcpy_s(action->id, sizeof(action->id), device->device.id.bytes);
		lf_gui_begin(gui, action);
	}
	free(action);
}

/* The drive is the one that was chosen first: the list goes on while somebody looks for a file. */
static void insert_image(struct lf_gui *gui)
{
	struct lf_gui_action *action = calloc(1, sizeof(*action));
	const struct lf_gui_device *device;
	int index = 0;

	device = lf_gui_list_chosen(&gui->list, &index);
	if (action && device) {
		action->verb = LF_GUI_INSERT;
		strcpy_s(action->id, sizeof(action->id), device->device.id.bytes);
		gui->talking = true;
		if (lf_gui_ask_file(gui->window, L"Insert an image", action->image))
			lf_gui_begin(gui, action);
		gui->talking = false;
		lf_gui_tell(gui);
	}
	free(action);
}

static void force(struct lf_gui *gui)
{
	if (ask_about_chosen(gui, L"Disconnect without asking who uses it?",
		    L"What Windows has not written yet is lost."))
		begin_of_chosen(gui, LF_GUI_DISCONNECT, true);
}

static void install(struct lf_gui *gui)
{
	struct lf_gui_action *action;

	if (lf_gui_ask(gui,
		    L"There is no Lungfish adapter on this machine.\n\nInstall the driver that is beside "
		    L"this "
		    L"program?",
		    MB_YESNO | MB_ICONQUESTION) != IDYES)
		return;
	action = calloc(1, sizeof(*action));
	if (action) {
		action->verb = LF_GUI_INSTALL;
		lf_gui_begin(gui, action);
	}
	free(action);
}

static void about(struct lf_gui *gui)
{
	lf_gui_ask(gui,
		LF_GUI_TITLE L" " WIDE(
			LF_RELEASE) L"\n\nConnects image files to Windows as disks and CD/DVD drives.\n\n"
				    L"Ctrl+O  connect an image; or drop files here\n"
				    L"Ins  insert an image into a drive;  Ctrl+E  eject it\n"
				    L"Del  disconnect;  Shift+Del  by force\n"
				    L"Alt+Enter  properties;  F5  look again\n"
				    L"Ctrl+A  choose all;  Ctrl+C  copy the chosen rows\n"
				    L"Shift+F10  what can be done with what is chosen\n\n"
				    L"lungfish.exe does the same in a prompt: lungfish help",
		MB_ICONINFORMATION);
}

void lf_gui_command(struct lf_gui *gui, int id)
{
	/* What cannot be done now is grey, and its keys do nothing. */
	if (GetMenuState(GetMenu(gui->window), (UINT)id, MF_BYCOMMAND) & (MF_GRAYED | MF_DISABLED))
		return;
	switch (id) {
	case LF_ID_CONNECT:
		connect_one(gui);
		break;
	case LF_ID_DISCONNECT:
		begin_of_chosen(gui, LF_GUI_DISCONNECT, false);
		break;
	case LF_ID_FORCE:
		force(gui);
		break;
	case LF_ID_INSERT:
		insert_image(gui);
		break;
	case LF_ID_EJECT:
		begin_of_chosen(gui, LF_GUI_EJECT, false);
		break;
	case LF_ID_RESIZE:
		begin_of_chosen(gui, LF_GUI_RESIZE, false);
		break;
	case LF_ID_PROPERTIES:
		begin_of_chosen(gui, LF_GUI_PROPERTIES, false);
		break;
	case LF_ID_REFRESH:
		lf_gui_model_refresh(gui->model);
		break;
	case LF_ID_INSTALL:
		install(gui);
		break;
	case LF_ID_COPY:
		lf_gui_copy_rows(gui->window, gui->list.window, LF_COLUMN_COUNT, false);
		break;
	case LF_ID_SELECT_ALL:
		lf_gui_list_select_all(&gui->list);
		break;
	case LF_ID_ABOUT:
		about(gui);
		break;
	case LF_ID_EXIT:
		DestroyWindow(gui->window);
		break;
	default:
		break;
	}
}
