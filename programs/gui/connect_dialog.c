/* SPDX-License-Identifier: BSD-2-Clause */
/* connect_dialog.c: asks which image to connect, and how. */
#include "programs/gui/gui.h"

#include "control/user_nt.h"

#include <string.h>

#define CDROM 5

/* While the dialog is open: by its DWLP_USER. */
struct asking {
	struct lf_gui *gui;
	struct lf_gui_action *action;
	bool type_chosen; /* by a person: the image's name no longer decides */
};

static const uint32_t block_sizes[] = {0, 512, 4096};
static const wchar_t *const block_size_names[] = {L"Default", L"512 bytes", L"4096 bytes"};

static bool is_checked(HWND dialog, int id)
{
	return IsDlgButtonChecked(dialog, id) == BST_CHECKED;
}

static bool is_cdrom(HWND dialog)
{
	return SendDlgItemMessageW(dialog, LF_ID_TYPE, CB_GETCURSEL, 0, 0) == 1;
}

/* A CD is read-only, comes and goes, and has blocks of its own. */
static void show_type(HWND dialog)
{
	bool disk = !is_cdrom(dialog);

	EnableWindow(GetDlgItem(dialog, LF_ID_READ_ONLY), disk);
	EnableWindow(GetDlgItem(dialog, LF_ID_REMOVABLE), disk);
	EnableWindow(GetDlgItem(dialog, LF_ID_BLOCK_SIZE), disk);
}

static void set_type(HWND dialog, bool cdrom)
{
	SendDlgItemMessageW(dialog, LF_ID_TYPE, CB_SETCURSEL, cdrom, 0);
	InvalidateRect(GetDlgItem(dialog, LF_ID_TYPE), NULL, TRUE);
	show_type(dialog);
}

/* Without the quotes that the Explorer's "Copy as path" puts around it. */
static void read_image(HWND dialog, wchar_t *image)
{
	size_t length, from;

	GetDlgItemTextW(dialog, LF_ID_IMAGE, image, LF_CONTROL_PATH_CAPACITY);
	for (from = 0; image[from] == L' ' || image[from] == L'"'; from++)
		;
	for (length = wcslen(image);
		length > from && (image[length - 1] == L' ' || image[length - 1] == L'"');)
		length--;
	image[length] = L'\0';
	memmove(image, image + from, (length - from + 1) * sizeof(*image));
}

static void changed_image(HWND dialog, struct asking *asking)
{
	wchar_t image[LF_CONTROL_PATH_CAPACITY];

	read_image(dialog, image);
	if (!asking->type_chosen && image[0])
		set_type(dialog, lf_gui_is_disc(image));
}

static void browse(HWND dialog)
{
	wchar_t image[LF_CONTROL_PATH_CAPACITY];

	if (lf_gui_ask_file(dialog, L"Connect an image", image)) {
		SetDlgItemTextW(dialog, LF_ID_IMAGE, image);
		SendMessageW(dialog, WM_NEXTDLGCTL, (WPARAM)GetDlgItem(dialog, IDOK), TRUE);
	}
}

static void begin(HWND dialog, struct asking *asking)
{
	SetWindowLongPtrW(dialog, DWLP_USER, (LONG_PTR)asking);
	SendDlgItemMessageW(dialog, LF_ID_IMAGE, EM_LIMITTEXT, LF_CONTROL_PATH_CAPACITY - 1, 0);
	SendDlgItemMessageW(dialog, LF_ID_NAME, EM_LIMITTEXT, sizeof(asking->action->name) - 3, 0);
	SendDlgItemMessageW(dialog, LF_ID_TYPE, CB_ADDSTRING, 0, (LPARAM)L"Disk");
	SendDlgItemMessageW(dialog, LF_ID_TYPE, CB_ADDSTRING, 0, (LPARAM)L"CD/DVD");
	for (size_t i = 0; i < lf_count_of(block_size_names); i++)
		SendDlgItemMessageW(dialog, LF_ID_BLOCK_SIZE, CB_ADDSTRING, 0, (LPARAM)block_size_names[i]);
	SendDlgItemMessageW(dialog, LF_ID_BLOCK_SIZE, CB_SETCURSEL, 0, 0);
	set_type(dialog, false);
	lf_gui_dialog_begin(dialog);
}

static void refuse(HWND dialog, int id, const wchar_t *why)
{
	MessageBoxW(dialog, why, LF_GUI_TITLE, MB_ICONWARNING);
	SendMessageW(dialog, WM_NEXTDLGCTL, (WPARAM)GetDlgItem(dialog, id), TRUE);
}

/* False: something is missing, and was told. */
static bool read_action(HWND dialog, struct lf_gui_action *action)
{
	LRESULT block = SendDlgItemMessageW(dialog, LF_ID_BLOCK_SIZE, CB_GETCURSEL, 0, 0);
	bool cdrom = is_cdrom(dialog), removable = !cdrom && is_checked(dialog, LF_ID_REMOVABLE);
	wchar_t name[lf_count_of(action->name)];

	read_image(dialog, action->image);
	GetDlgItemTextW(dialog, LF_ID_NAME, name, lf_count_of(name));
	if (!action->image[0] && !cdrom && !removable) {
		refuse(dialog, LF_ID_IMAGE,
			L"Which image? Only a CD/DVD drive or a removable disk can be empty.");
		return false;
	}
	if (!lf_narrow(name, action->name, sizeof(action->name))) {
		refuse(dialog, LF_ID_NAME, L"The name is too long, or has characters that cannot be in one.");
		return false;
	}
	action->verb = LF_GUI_CONNECT;
	action->keep = is_checked(dialog, LF_ID_KEEP);
	action->connect.lun = UINT32_MAX;
	action->connect.type = cdrom ? CDROM : 0;
	action->connect.block_size = cdrom || block < 0 ? 0 : block_sizes[block];
	action->connect.flags = removable ? LF_CONTROL_REMOVABLE : 0;
	if (!cdrom && is_checked(dialog, LF_ID_READ_ONLY))
		action->connect.flags |= LF_CONTROL_READ_ONLY;
	return true;
}

static INT_PTR command(HWND dialog, struct asking *asking, WPARAM wparam)
{
	switch (LOWORD(wparam)) {
	case LF_ID_BROWSE:
		browse(dialog);
		return TRUE;
	case LF_ID_IMAGE:
		if (HIWORD(wparam) == EN_CHANGE)
			changed_image(dialog, asking);
		return TRUE;
	case LF_ID_TYPE:
		if (HIWORD(wparam) == CBN_SELCHANGE) {
			asking->type_chosen = true;
			show_type(dialog);
		}
		return TRUE;
	case IDOK:
		if (read_action(dialog, asking->action))
			EndDialog(dialog, IDOK);
		return TRUE;
	case IDCANCEL:
		EndDialog(dialog, IDCANCEL);
		return TRUE;
	default:
		return FALSE;
	}
}

static INT_PTR CALLBACK procedure(HWND dialog, UINT message, WPARAM wparam, LPARAM lparam)
{
	struct asking *asking = (struct asking *)GetWindowLongPtrW(dialog, DWLP_USER);

	if (message == WM_INITDIALOG) {
		begin(dialog, (struct asking *)lparam);
		return TRUE;
	}
	if (message == WM_COMMAND && asking)
		return command(dialog, asking, wparam);
	return lf_theme_dialog(dialog, message, wparam, lparam);
}

bool lf_gui_ask_connect(struct lf_gui *gui, struct lf_gui_action *action)
{
	struct asking asking = {.gui = gui, .action = action};
	INT_PTR answer;

	gui->talking = true;
	answer = DialogBoxParamW(
		gui->instance, MAKEINTRESOURCEW(LF_DIALOG_CONNECT), gui->window, procedure, (LPARAM)&asking);
	gui->talking = false;
	lf_gui_tell(gui);
	return answer == IDOK;
}
