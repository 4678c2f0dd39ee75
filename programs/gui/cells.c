/* SPDX-License-Identifier: BSD-2-Clause */
/* cells.c: what the list says of a device, in words and by order. */
#include "programs/gui/gui.h"

#include "control/user_nt.h"

#include <string.h>

#define TENTH_OF_MB 100000

static const wchar_t *const headings[LF_COLUMN_COUNT] = {
	[LF_COLUMN_ID] = L"ID",
	[LF_COLUMN_TYPE] = L"Type",
	[LF_COLUMN_SIZE] = L"Size",
	[LF_COLUMN_FLAGS] = L"Flags",
	[LF_COLUMN_STATE] = L"State",
	[LF_COLUMN_DISK] = L"Disk",
	[LF_COLUMN_READS] = L"Reads/s",
	[LF_COLUMN_WRITES] = L"Writes/s",
	[LF_COLUMN_RATE] = L"MB/s",
	[LF_COLUMN_READ] = L"Read",
	[LF_COLUMN_WRITTEN] = L"Written",
	[LF_COLUMN_IMAGE] = L"Image",
};

const wchar_t *lf_gui_heading(enum lf_gui_column column)
{
	return headings[column];
}

static uint64_t size_bytes(const struct lf_gui_device *device)
{
	return device->device.block_count * device->device.block_size;
}

static uint64_t rate_bytes(const struct lf_gui_device *device)
{
	return device->read_rate_bytes + device->written_rate_bytes;
}

/* What a number in the column is; 0 of one that has words. */
static uint64_t number_of(const struct lf_gui_device *device, enum lf_gui_column column)
{
	switch (column) {
	case LF_COLUMN_SIZE:
		return size_bytes(device);
	case LF_COLUMN_READS:
		return device->reads_rate;
	case LF_COLUMN_WRITES:
		return device->writes_rate;
	case LF_COLUMN_RATE:
		return rate_bytes(device);
	case LF_COLUMN_READ:
		return device->read_bytes;
	case LF_COLUMN_WRITTEN:
		return device->written_bytes;
	default:
		return 0;
	}
}

bool lf_gui_cell_is_number(enum lf_gui_column column)
{
	return column == LF_COLUMN_SIZE || (column >= LF_COLUMN_READS && column <= LF_COLUMN_WRITTEN);
}

void lf_gui_format_rate(uint64_t rate, wchar_t *text, int room)
{
	uint64_t tenths = (rate + TENTH_OF_MB / 2) / TENTH_OF_MB;

	_snwprintf_s(text, (size_t)room, _TRUNCATE, L"%llu.%llu", (unsigned long long)(tenths / 10),
		(unsigned long long)(tenths % 10));
}

static void put_size(uint64_t bytes, wchar_t *text, int room)
{
	static const struct lf_command_line plain;
	char narrow[64];

	lf_format_size(&plain, bytes, narrow, sizeof(narrow));
	lf_wide(narrow, text, room);
}

static void put_flags(const struct lf_gui_device *device, wchar_t *text, int room)
{
	uint32_t flags = device->device.flags;
	const struct {
		bool is;
		const wchar_t *word;
	} words[] = {
		{flags & LF_CONTROL_DEVICE_READ_ONLY, L"read-only"},
		{flags & LF_CONTROL_DEVICE_REMOVABLE, L"removable"},
		{device->kept, L"kept"},
		{device->device.image.length == 0, L"no medium"},
		{flags & LF_CONTROL_DEVICE_EJECTED, L"ejected"},
		{flags & LF_CONTROL_DEVICE_PREVENTED, L"locked"},
	};

	text[0] = L'\0';
	for (size_t i = 0; i < lf_count_of(words); i++) {
		if (!words[i].is)
			continue;
		if (text[0])
			wcscat_s(text, (size_t)room, L", ");
		wcscat_s(text, (size_t)room, words[i].word);
	}
}

void lf_gui_cell(const struct lf_gui_device *device, enum lf_gui_column column, wchar_t *text, int room)
{
	text[0] = L'\0';
	switch (column) {
	case LF_COLUMN_ID:
		lf_wide(device->device.id.bytes, text, room);
		break;
	case LF_COLUMN_TYPE:
		lf_wide(device->device.type == 5 ? "CD/DVD" : lf_format_type(device->device.type), text,
			room);
		break;
	case LF_COLUMN_FLAGS:
		put_flags(device, text, room);
		break;
	case LF_COLUMN_STATE:
		lf_wide(lf_format_state(device->device.state), text, room);
		break;
	case LF_COLUMN_DISK:
		wcscpy_s(text, (size_t)room, device->disk);
		break;
	case LF_COLUMN_IMAGE:
		wcscpy_s(text, (size_t)room, device->image);
		break;
	case LF_COLUMN_RATE:
		lf_gui_format_rate(rate_bytes(device), text, room);
		break;
	case LF_COLUMN_SIZE:
		if (size_bytes(device) == 0)
			break;
		put_size(size_bytes(device), text, room);
		break;
	case LF_COLUMN_READ:
	case LF_COLUMN_WRITTEN:
		put_size(number_of(device, column), text, room);
		break;
	default:
		_snwprintf_s(text, (size_t)room, _TRUNCATE, L"%llu",
			(unsigned long long)number_of(device, column));
	}
}

/* disk2 before disk10, as the Explorer has it. */
static int compare_words(const wchar_t *one, const wchar_t *other)
{
	int order = CompareStringEx(LOCALE_NAME_USER_DEFAULT, NORM_IGNORECASE | SORT_DIGITSASNUMBERS, one, -1,
		other, -1, NULL, NULL, 0);

	return order ? order - CSTR_EQUAL : wcscmp(one, other);
}

int lf_gui_compare(
	const struct lf_gui_device *one, const struct lf_gui_device *other, enum lf_gui_column column)
{
	wchar_t words[2][LF_GUI_TEXT_ROOM];
	uint64_t numbers[2];

	if (lf_gui_cell_is_number(column)) {
		numbers[0] = number_of(one, column);
		numbers[1] = number_of(other, column);
		return numbers[0] < numbers[1] ? -1 : numbers[0] > numbers[1];
	}
	if (column == LF_COLUMN_IMAGE)
		return compare_words(one->image, other->image);
	lf_gui_cell(one, column, words[0], LF_GUI_TEXT_ROOM);
	lf_gui_cell(other, column, words[1], LF_GUI_TEXT_ROOM);
	return compare_words(words[0], words[1]);
}
