/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kept_nt.c: the kept connections in the registry: a key for each, called as its device, with a value for
 * each thing that is to be as it was. Whoever may write there is an administrator; nothing that is read is
 * believed all the same, for a disk that comes back as another one is worse than one that does not.
 */
#include "programs/kept_nt.h"
#include "control/naming.h"
#include "control/path.h"
#include "control/user_nt.h"

#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <sddl.h>

#define KEY      L"SOFTWARE\\Lungfish\\Connections"
#define VERSION  1
#define LUNS     16384 /* SAM-5: flat space addressing */
#define KEY_ROOM 256   /* units; the registry's own limit, with the zero */
#define TEXT_MAX LF_CONTROL_PATH_CAPACITY

struct number {
	const wchar_t *name;
	size_t at;
};

/* size: of the text's bytes. */
struct text {
	const wchar_t *name;
	size_t at, size;
};

#define PLACE(field) offsetof(struct lf_control_connect, field)
#define FIELD(name, field)                                                                                   \
	{                                                                                                    \
		name, PLACE(field), sizeof(((struct lf_control_connect *)0)->field.bytes)                    \
	}

static const struct number numbers[] = {
	{L"Flags", PLACE(flags)},
	{L"Type", PLACE(type)},
	{L"Target", PLACE(target)},
	{L"Lun", PLACE(lun)},
	{L"BlockSize", PLACE(block_size)},
	{L"PhysicalBlockSize", PLACE(physical_block_size)},
};

static const struct text texts[] = {
	FIELD(L"Vendor", vendor),
	FIELD(L"Product", product),
	FIELD(L"Serial", serial),
	FIELD(L"Image", path),
};

/* As LF_CONTROL_TEXT lays it out. */
static uint16_t *text_length(struct lf_control_connect *connect, const struct text *text)
{
	return (uint16_t *)(void *)((char *)connect + text->at);
}

static char *text_bytes(struct lf_control_connect *connect, const struct text *text)
{
	return (char *)connect + text->at + sizeof(uint16_t);
}

static uint32_t *number_at(struct lf_control_connect *connect, const struct number *number)
{
	return (uint32_t *)(void *)((char *)connect + number->at);
}

static int fail(const struct lf_command_line *line, const char *name, const char *what, uint32_t code)
{
	struct lf_message message;
	char text[40];

	lf_message_set(&message, "%s: %s: look at HKLM\\" LF_KEPT_KEY, what,
		lf_win32_text(code, text, sizeof(text)));
	return lf_report(line, name, message.text,
		code == ERROR_ACCESS_DENIED ? (int)LF_EXIT_PERMISSION : (int)LF_EXIT_FAILED);
}

/* 0 with the key of all, or why not; ERROR_FILE_NOT_FOUND: nothing was ever kept. */
static uint32_t open_all(REGSAM access, HKEY *key)
{
	return (uint32_t)RegOpenKeyExW(HKEY_LOCAL_MACHINE, KEY, 0, access, key);
}

/* For SYSTEM and administrators alone, to read as well: an image's place may be nobody else's business. */
static uint32_t make_all(HKEY *key)
{
	SECURITY_ATTRIBUTES security = {.nLength = sizeof(security)};
	uint32_t code;

	if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(L"D:P(A;OICI;KA;;;SY)(A;OICI;KA;;;BA)",
		    SDDL_REVISION_1, &security.lpSecurityDescriptor, NULL))
		return GetLastError();
	code = (uint32_t)RegCreateKeyExW(
		HKEY_LOCAL_MACHINE, KEY, 0, NULL, 0, KEY_ALL_ACCESS, &security, key, NULL);
	LocalFree(security.lpSecurityDescriptor);
	return code;
}

/* ---- Reading ---- */

static bool read_number(HKEY key, const wchar_t *name, uint32_t *number)
{
	DWORD type = 0, value = 0, size = sizeof(value);

	if (RegQueryValueExW(key, name, NULL, &type, (BYTE *)&value, &size) != ERROR_SUCCESS ||
		type != REG_DWORD || size != sizeof(value))
		return false;
	*number = value;
	return true;
}

/* The registry gives back what was put there: an odd count of bytes, no zero at the end, or more than one. */
static bool read_text(HKEY key, const struct text *text, struct lf_control_connect *connect)
{
	wchar_t wide[TEXT_MAX];
	DWORD type = 0, size = sizeof(wide);
	char *bytes = text_bytes(connect, text);

	if (RegQueryValueExW(key, text->name, NULL, &type, (BYTE *)wide, &size) != ERROR_SUCCESS ||
		type != REG_SZ || size < sizeof(*wide) || size % sizeof(*wide) != 0 ||
		wide[size / sizeof(*wide) - 1] != L'\0' || wcslen(wide) != size / sizeof(*wide) - 1 ||
		!lf_narrow(wide, bytes, (int)text->size))
		return false;
	*text_length(connect, text) = (uint16_t)strlen(bytes);
	return true;
}

static const char *read_values(HKEY key, struct lf_control_connect *connect)
{
	uint32_t version, rotation;

	if (!read_number(key, L"Version", &version))
		return "it has no version, so it was not written to its end";
	if (version != VERSION)
		return "it is of another version of lungfish";
	for (uint32_t i = 0; i < lf_count_of(numbers); i++) {
		if (!read_number(key, numbers[i].name, number_at(connect, &numbers[i])))
			return "a number is missing, or is none";
	}
	if (!read_number(key, L"Rotation", &rotation) || rotation > UINT16_MAX)
		return "a number is missing, or is none";
	connect->rotation = (uint16_t)rotation;
	for (uint32_t i = 0; i < lf_count_of(texts); i++) {
		if (!read_text(key, &texts[i], connect))
			return "a text is missing, too long, or not terminated";
	}
	return NULL;
}

/* NULL, or why it is not to be believed. */
static const char *read_record(
	HKEY all, const wchar_t *name, struct lf_kept *kept, struct lf_message *message)
{
	const uint32_t flags = LF_CONTROL_READ_ONLY | LF_CONTROL_NO_UNMAP | LF_CONTROL_REMOVABLE |
			       LF_CONTROL_WRITE_CACHE_OFF;
	struct lf_control_connect *connect = &kept->connect;
	const char *problem;
	HKEY key;

	memset(kept, 0, sizeof(*kept));
	if (!lf_narrow(name, connect->name.bytes, sizeof(connect->name.bytes)) ||
		!lf_naming_is_valid(connect->name.bytes))
		return "its key is no name of a device";
	connect->name.length = (uint16_t)strlen(connect->name.bytes);
	if (RegOpenKeyExW(all, name, 0, KEY_QUERY_VALUE, &key) != ERROR_SUCCESS)
		return "it cannot be opened";
	problem = read_values(key, connect);
	RegCloseKey(key);
	if (problem)
		return problem;
	if (connect->flags & ~flags)
		return "it has flags that nobody knows";
	return lf_naming_check_request(connect, UINT32_MAX, LUNS, message) == LF_CONTROL_OK ? NULL
											    : message->text;
}

int lf_kept_read(const char *name, struct lf_kept *kept)
{
	struct lf_message message;
	wchar_t wide[KEY_ROOM];
	const char *problem;
	HKEY all;

	if (!lf_naming_is_valid(name) || !lf_wide(name, wide, KEY_ROOM) || open_all(KEY_READ, &all) != 0)
		return LF_EXIT_NOT_FOUND;
	problem = read_record(all, wide, kept, &message);
	RegCloseKey(all);
	return problem ? LF_EXIT_NOT_FOUND : LF_EXIT_DONE;
}

static void tell_damage(const struct lf_command_line *line, const wchar_t *name, const char *why)
{
	static const char what[] = "a kept connection that is damaged is passed over";
	char text[KEY_ROOM * 3];
	struct lf_message message;

	if (!lf_narrow(name, text, sizeof(text)))
		lf_format(text, sizeof(text), "a key without a name");
	lf_message_set(&message, "%s: %s: lungfish service forget takes it away", what, why);
	if (line->told)
		line->told(line->told_context, text, message.text, LF_EXIT_FAILED);
	else
		lf_warn(line, text, what, why);
}

/* The names first: who is called may well add and remove. Freed by free. */
static uint32_t read_names(HKEY all, wchar_t (**names)[KEY_ROOM], uint32_t *count)
{
	uint32_t code = 0;

	*count = 0;
	*names = calloc(LF_KEPT_MAX, sizeof(**names));
	while (*names && code == 0 && *count < LF_KEPT_MAX) {
		DWORD length = KEY_ROOM;
		code = (uint32_t)RegEnumKeyExW(
			all, *count, (*names)[*count], &length, NULL, NULL, NULL, NULL);
		*count += code == 0;
	}
	if (!*names)
		return ERROR_NOT_ENOUGH_MEMORY;
	return code == ERROR_NO_MORE_ITEMS ? 0 : code;
}

int lf_kept_walk(const struct lf_command_line *line, bool (*each)(void *context, const struct lf_kept *kept),
	void *context)
{
	wchar_t(*names)[KEY_ROOM] = NULL;
	struct lf_message message;
	struct lf_kept kept;
	uint32_t count = 0, code;
	bool go_on = true;
	HKEY all;

	code = open_all(KEY_READ, &all);
	if (code == ERROR_FILE_NOT_FOUND)
		return LF_EXIT_DONE;
	if (code != 0)
		return fail(line, NULL, "the kept connections cannot be read", code);
	code = read_names(all, &names, &count);
	for (uint32_t i = 0; code == 0 && go_on && i < count; i++) {
		const char *problem = read_record(all, names[i], &kept, &message);
		if (problem)
			tell_damage(line, names[i], problem);
		else
			go_on = each(context, &kept);
	}
	free(names);
	RegCloseKey(all);
	return code == 0 ? (int)LF_EXIT_DONE : fail(line, NULL, "the kept connections cannot be read", code);
}

bool lf_kept_has(const struct lf_control_device *device)
{
	const uint32_t drive = LF_CONTROL_DEVICE_REMOVABLE;
	struct lf_kept kept;

	if (lf_kept_read(device->id.bytes, &kept) != LF_EXIT_DONE || kept.connect.type != device->type)
		return false;
	return (device->flags & drive) != 0 || lf_path_is_same(kept.connect.path.bytes, device->image.bytes);
}

/* ---- Writing ---- */

static uint32_t write_number(HKEY key, const wchar_t *name, uint32_t number)
{
	DWORD value = number;

	return (uint32_t)RegSetValueExW(key, name, 0, REG_DWORD, (const BYTE *)&value, sizeof(value));
}

static uint32_t write_text(HKEY key, const struct text *text, struct lf_control_connect *connect)
{
	wchar_t wide[TEXT_MAX];

	if (!lf_wide(text_bytes(connect, text), wide, TEXT_MAX))
		return ERROR_INVALID_NAME;
	return (uint32_t)RegSetValueExW(
		key, text->name, 0, REG_SZ, (const BYTE *)wide, (DWORD)((wcslen(wide) + 1) * sizeof(*wide)));
}

/* The version last: without it the record is one that was not written to its end. */
static uint32_t write_values(HKEY key, struct lf_control_connect *connect)
{
	uint32_t code = (uint32_t)RegDeleteValueW(key, L"Version");

	if (code == ERROR_FILE_NOT_FOUND)
		code = 0;
	for (uint32_t i = 0; code == 0 && i < lf_count_of(numbers); i++)
		code = write_number(key, numbers[i].name, *number_at(connect, &numbers[i]));
	if (code == 0)
		code = write_number(key, L"Rotation", connect->rotation);
	for (uint32_t i = 0; code == 0 && i < lf_count_of(texts); i++)
		code = write_text(key, &texts[i], connect);
	if (code == 0)
		code = write_number(key, L"Version", VERSION);
	return code == 0 ? (uint32_t)RegFlushKey(key) : code;
}

static bool is_other_of_image(HKEY all, const wchar_t *name, const struct lf_control_connect *connect)
{
	struct lf_message message;
	struct lf_kept kept;

	return connect->path.length > 0 && !read_record(all, name, &kept, &message) &&
	       lf_path_is_same(kept.connect.path.bytes, connect->path.bytes);
}

/*
 * One image is kept once: under another name it would come a second time. False: another device's name
 * differs in case alone, which is none to the registry.
 */
static bool make_way(HKEY all, const wchar_t *name, const struct lf_control_connect *connect)
{
	wchar_t(*names)[KEY_ROOM] = NULL;
	uint32_t count = 0;
	bool free_name = true;

	if (read_names(all, &names, &count) != 0)
		count = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (wcscmp(names[i], name) == 0)
			continue;
		if (is_other_of_image(all, names[i], connect))
			RegDeleteTreeW(all, names[i]);
		else if (_wcsicmp(names[i], name) == 0)
			free_name = false;
	}
	free(names);
	return free_name;
}

/* 0 with the key of one, or why not; ERROR_NO_MORE_ITEMS: there are too many. */
static uint32_t make_one(HKEY all, const wchar_t *name, HKEY *key)
{
	uint32_t code = (uint32_t)RegOpenKeyExW(all, name, 0, KEY_ALL_ACCESS, key);
	DWORD count = 0;

	if (code != ERROR_FILE_NOT_FOUND)
		return code;
	code = (uint32_t)RegQueryInfoKeyW(
		all, NULL, NULL, NULL, &count, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
	if (code == 0 && count >= LF_KEPT_MAX)
		return ERROR_NO_MORE_ITEMS;
	return code != 0 ? code
			 : (uint32_t)RegCreateKeyExW(all, name, 0, NULL, 0, KEY_ALL_ACCESS, NULL, key, NULL);
}

int lf_kept_add(const struct lf_command_line *line, const struct lf_kept *kept)
{
	struct lf_control_connect connect = kept->connect;
	const char *name = connect.name.bytes;
	wchar_t wide[KEY_ROOM];
	HKEY all, key;
	uint32_t code;

	if (!lf_naming_is_valid(name) || !lf_wide(name, wide, KEY_ROOM))
		return lf_report(
			line, name, "no name to keep a connection by: give it another", LF_EXIT_FAILED);
	code = make_all(&all);
	if (code != 0)
		return fail(line, name, "it cannot be kept", code);
	code = make_way(all, wide, &connect) ? make_one(all, wide, &key) : ERROR_ALREADY_EXISTS;
	if (code == 0) {
		code = write_values(key, &connect);
		RegCloseKey(key);
	}
	RegCloseKey(all);
	if (code == ERROR_ALREADY_EXISTS)
		return lf_report(line, name,
			"it is connected, but not kept: another is kept whose name differs in case alone: "
			"give it "
			"another name",
			LF_EXIT_FAILED);
	if (code == ERROR_NO_MORE_ITEMS)
		return lf_report(line, name,
			"it is connected, but not kept: too many are kept already: lungfish service forget "
			"takes "
			"some away",
			LF_EXIT_FAILED);
	return code == 0 ? (int)LF_EXIT_DONE : fail(line, name, "it is connected, but not kept", code);
}

int lf_kept_remove(const struct lf_command_line *line, const char *name)
{
	wchar_t wide[KEY_ROOM];
	uint32_t code;
	HKEY all;

	/* No path: it ends at a key of ours. */
	if (*name == '\0' || strchr(name, '\\') || !lf_wide(name, wide, KEY_ROOM))
		return LF_EXIT_NOT_FOUND;
	code = open_all(KEY_ALL_ACCESS, &all);
	if (code == 0) {
		code = (uint32_t)RegDeleteTreeW(all, wide);
		if (code == 0)
			RegFlushKey(all);
		RegCloseKey(all);
	}
	if (code == 0)
		return LF_EXIT_DONE;
	return code == ERROR_FILE_NOT_FOUND ? (int)LF_EXIT_NOT_FOUND
					    : fail(line, name, "it stays kept", code);
}
