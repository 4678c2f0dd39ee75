/* SPDX-License-Identifier: BSD-2-Clause */
/* file_dialog.c: the dialog of Windows that asks for a file; the old one, where the new one is not. */
#define COBJMACROS
#include "programs/gui/gui.h"

#include <shobjidl.h>
#include <commdlg.h>

#define KINDS      L"*.img;*.raw;*.iso;*.bin;*.dd"
#define KINDS_NAME L"Images (" KINDS L")"
#define ALL_NAME   L"All files (*.*)"
#define NAMES_ONCE KINDS_NAME L"\0" KINDS L"\0" ALL_NAME L"\0*.*\0"
#define HOW                                                                                                  \
	(FOS_FORCEFILESYSTEM | FOS_FILEMUSTEXIST | FOS_DONTADDTORECENT | FOS_NODEREFERENCELINKS |            \
		FOS_NOCHANGEDIR)

/* CLSID_FileOpenDialog, IID_IFileOpenDialog: not every library has them. */
static const GUID dialog_class = {
	0xdc1c5a9c, 0xe88a, 0x4dde, {0xa5, 0xa1, 0x60, 0xf8, 0x2a, 0x20, 0xae, 0xf7}};
static const GUID dialog_interface = {
	0xd57c7288, 0xd4ad, 0x4768, {0xbe, 0x02, 0x9d, 0x96, 0x95, 0x32, 0xd9, 0x60}};

static bool take_name(IFileOpenDialog *dialog, wchar_t *image)
{
	IShellItem *item;
	wchar_t *name = NULL;
	bool taken;

	if (FAILED(IFileOpenDialog_GetResult(dialog, &item)))
		return false;
	taken = SUCCEEDED(IShellItem_GetDisplayName(item, SIGDN_FILESYSPATH, &name)) &&
		wcslen(name) < LF_CONTROL_PATH_CAPACITY;
	if (taken)
		wcscpy_s(image, LF_CONTROL_PATH_CAPACITY, name);
	CoTaskMemFree(name);
	IShellItem_Release(item);
	return taken;
}

/* False: there is no such dialog here. */
static bool ask(HWND owner, const wchar_t *title, wchar_t *image, bool *chosen)
{
	static const COMDLG_FILTERSPEC kinds[] = {{KINDS_NAME, KINDS}, {ALL_NAME, L"*.*"}};
	IFileOpenDialog *dialog;

	if (FAILED(CoCreateInstance(
		    &dialog_class, NULL, CLSCTX_INPROC_SERVER, &dialog_interface, (void **)(void *)&dialog)))
		return false;
	IFileOpenDialog_SetTitle(dialog, title);
	IFileOpenDialog_SetOptions(dialog, HOW);
	IFileOpenDialog_SetFileTypes(dialog, lf_count_of(kinds), kinds);
	*chosen = SUCCEEDED(IFileOpenDialog_Show(dialog, owner)) && take_name(dialog, image);
	IFileOpenDialog_Release(dialog);
	return true;
}

bool lf_gui_ask_file(HWND owner, const wchar_t *title, wchar_t *image)
{
	OPENFILENAMEW old = {
		.lStructSize = sizeof(old),
		.hwndOwner = owner,
		.lpstrFilter = NAMES_ONCE,
		.lpstrFile = image,
		.nMaxFile = LF_CONTROL_PATH_CAPACITY,
		.lpstrTitle = title,
		.Flags = OFN_EXPLORER | OFN_FILEMUSTEXIST | OFN_HIDEREADONLY | OFN_NOCHANGEDIR |
			 OFN_NODEREFERENCELINKS | OFN_DONTADDTORECENT,
	};
	bool chosen = false;

	image[0] = L'\0';
	return ask(owner, title, image, &chosen) ? chosen : GetOpenFileNameW(&old) != FALSE;
}
