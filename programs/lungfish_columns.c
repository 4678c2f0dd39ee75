/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_columns.c: the columns of list, the table as lsblk draws it, and the lines of show. */
#include "programs/lungfish.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CELL_MAX 4200

struct lf_column {
	const char *name;
	bool right, standard;
	void (*put)(const struct lf_command_line *line, const struct lf_control_device *device, char *cell);
};

static uint64_t size_bytes(const struct lf_control_device *device)
{
	return device->block_count * device->block_size;
}

void lf_format_size(const struct lf_command_line *line, uint64_t size, char *text, size_t room_bytes)
{
	static const char units[] = "BKMGTPE";
	uint32_t unit = 0;
	uint64_t tenths;

	if (line->bytes) {
		snprintf(text, room_bytes, "%llu", (unsigned long long)size);
		return;
	}
	while (unit + 2 < sizeof(units) && size >> (10 * (unit + 1)) != 0)
		unit++;
	/* One digit behind the point, rounded, which may carry into the next unit. */
	if (unit == 0) {
		snprintf(text, room_bytes, "%lluB", (unsigned long long)size);
		return;
	}
	tenths = ((size >> (10 * (unit - 1))) * 10 + 512) >> 10;
	if (tenths >= 10240 && unit + 2 < sizeof(units)) {
		tenths = 10;
		unit++;
	}
	if (tenths % 10 == 0)
		snprintf(text, room_bytes, "%llu%c", (unsigned long long)(tenths / 10), units[unit]);
	else
		snprintf(text, room_bytes, "%llu.%llu%c", (unsigned long long)(tenths / 10),
			(unsigned long long)(tenths % 10), units[unit]);
}

const char *lf_format_type(uint32_t type)
{
	return type == 0 ? "disk" : type == 5 ? "cdrom" : "other";
}

const char *lf_format_state(uint32_t state)
{
	static const char *const names[] = {"ready", "empty", "busy", "fault", "offline"};

	return state < lf_count_of(names) ? names[state] : "fault";
}

const char *lf_format_block(const struct lf_control_device *device)
{
	if (device->block_size == 4096)
		return "4Kn";
	if (device->block_size == 2048)
		return "2048";
	return device->physical_block_size > 512 ? "512e" : "512";
}

static void put(char *cell, const char *text)
{
	snprintf(cell, CELL_MAX, "%s", *text ? text : "-");
}

static void put_number(char *cell, uint64_t number)
{
	snprintf(cell, CELL_MAX, "%llu", (unsigned long long)number);
}

#define PUT(what)                                                                                            \
	static void put_##what(                                                                              \
		const struct lf_command_line *line, const struct lf_control_device *device, char *cell)

PUT(id)
{
	(void)line;
	put(cell, device->id.bytes);
}

PUT(type)
{
	(void)line;
	put(cell, lf_format_type(device->type));
}

PUT(size)
{
	lf_format_size(line, size_bytes(device), cell, CELL_MAX);
}

PUT(block)
{
	(void)line;
	put(cell, lf_format_block(device));
}

PUT(read_only)
{
	(void)line;
	put(cell, device->flags & LF_CONTROL_DEVICE_READ_ONLY ? "1" : "0");
}

PUT(state)
{
	(void)line;
	put(cell, lf_format_state(device->state));
}

PUT(via)
{
	(void)line;
	put(cell, device->url.length ? "iscsi" : "");
}

/* No edge that makes devices on this machine yet. */
PUT(device)
{
	(void)line;
	(void)device;
	put(cell, "");
}

PUT(sessions)
{
	(void)line;
	put_number(cell, device->sessions);
}

PUT(image)
{
	(void)line;
	put(cell, device->image.bytes);
}

PUT(number_of)
{
	(void)line;
	put_number(cell, device->number);
}

PUT(address)
{
	(void)line;
	snprintf(cell, CELL_MAX, "%u:%u:%u", device->bus, device->target, device->lun);
}

PUT(lun)
{
	(void)line;
	put_number(cell, device->lun);
}

PUT(serial)
{
	(void)line;
	put(cell, device->serial.bytes);
}

PUT(naa)
{
	(void)line;
	snprintf(cell, CELL_MAX, "3%015llx", (unsigned long long)device->identifier);
}

PUT(vendor)
{
	(void)line;
	put(cell, device->vendor.bytes);
}

PUT(product)
{
	(void)line;
	put(cell, device->product.bytes);
}

PUT(revision)
{
	(void)line;
	put(cell, device->revision.bytes);
}

PUT(logical)
{
	(void)line;
	put_number(cell, device->block_size);
}

PUT(physical)
{
	(void)line;
	put_number(cell, device->physical_block_size);
}

PUT(rotation)
{
	(void)line;
	if (device->rotation <= 1)
		put(cell, device->rotation ? "ssd" : "");
	else
		put_number(cell, device->rotation);
}

PUT(unmap)
{
	(void)line;
	put(cell, device->flags & LF_CONTROL_DEVICE_UNMAP ? "1" : "0");
}

PUT(in_flight)
{
	(void)line;
	put_number(cell, device->in_flight);
}

PUT(url)
{
	(void)line;
	put(cell, device->url.bytes);
}

/* In the order of the table; NUMBER and those behind it only by -o or -O. */
static const struct lf_column all_columns[] = {
	{"ID", false, true, put_id},
	{"TYPE", false, true, put_type},
	{"SIZE", true, true, put_size},
	{"BLK", true, true, put_block},
	{"RO", true, true, put_read_only},
	{"STATE", false, true, put_state},
	{"VIA", false, true, put_via},
	{"DEVICE", false, true, put_device},
	{"SESS", true, true, put_sessions},
	{"IMAGE", false, true, put_image},
	{"NUMBER", true, false, put_number_of},
	{"ADDRESS", false, false, put_address},
	{"LUN", true, false, put_lun},
	{"SERIAL", false, false, put_serial},
	{"NAA", false, false, put_naa},
	{"VENDOR", false, false, put_vendor},
	{"PRODUCT", false, false, put_product},
	{"REVISION", false, false, put_revision},
	{"LOG-SEC", true, false, put_logical},
	{"PHY-SEC", true, false, put_physical},
	{"ROTATION", true, false, put_rotation},
	{"UNMAP", true, false, put_unmap},
	{"IN-FLIGHT", true, false, put_in_flight},
	{"URL", false, false, put_url},
};

static const struct lf_column *find_column(const char *name, size_t length)
{
	for (uint32_t i = 0; i < lf_count_of(all_columns); i++) {
		if (strlen(all_columns[i].name) == length &&
			strncasecmp(all_columns[i].name, name, length) == 0)
			return &all_columns[i];
	}
	return NULL;
}

/* "ID,SIZE": each name once or more, at most as many as there are columns. */
static bool choose_named(
	const struct lf_command_line *line, const struct lf_column **columns, uint32_t *count)
{
	const char *at = line->columns;

	for (;;) {
		size_t length = strcspn(at, ",");
		const struct lf_column *column = find_column(at, length);
		if (!column || *count == lf_count_of(all_columns)) {
			char what[64];
			snprintf(what, sizeof(what), "%.*s", (int)length, at);
			lf_report(line, what,
				column ? "too many columns" : "no such column: lungfish list -O shows all",
				LF_EXIT_USAGE);
			return false;
		}
		columns[(*count)++] = column;
		if (at[length] == '\0')
			return true;
		at += length + 1;
	}
}

bool lf_columns_choose(const struct lf_command_line *line, const struct lf_column ***chosen, uint32_t *count)
{
	const struct lf_column **columns = calloc(lf_count_of(all_columns), sizeof(*columns));

	*count = 0;
	*chosen = columns;
	if (!columns) {
		lf_report(line, NULL, "out of memory", LF_EXIT_FAILED);
		return false;
	}
	if (line->columns && !line->all_columns) {
		if (choose_named(line, columns, count))
			return true;
		free(columns);
		return false;
	}
	for (uint32_t i = 0; i < lf_count_of(all_columns); i++) {
		if (all_columns[i].standard || line->all_columns)
			columns[(*count)++] = &all_columns[i];
	}
	return true;
}

/* What would break the line or the columns goes as \xNN, as lsblk does it. */
static void escape(const struct lf_command_line *line, const char *cell, char *out)
{
	for (; *cell; cell++) {
		unsigned char c = (unsigned char)*cell;
		if (c < 0x20 || c == 0x7f || c == '\\' || (line->raw && c == ' '))
			out += sprintf(out, "\\x%02x", c);
		else
			*out++ = (char)c;
	}
	*out = '\0';
}

/* Characters, not bytes. */
static uint32_t width_of(const char *text)
{
	uint32_t width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static void make_cell(const struct lf_command_line *line, const struct lf_column *column,
	const struct lf_control_device *device, char *cell)
{
	char plain[CELL_MAX];

	if (!device) {
		snprintf(cell, CELL_MAX, "%s", column->name);
		return;
	}
	column->put(line, device, plain);
	escape(line, plain, cell);
}

static void print_row(const struct lf_command_line *line, const struct lf_column *const *columns,
	const uint32_t *widths, uint32_t count, const struct lf_control_device *device)
{
	char cell[4 * CELL_MAX];

	for (uint32_t i = 0; i < count; i++) {
		uint32_t pad;
		make_cell(line, columns[i], device, cell);
		pad = line->raw || width_of(cell) > widths[i] ? 0 : widths[i] - width_of(cell);
		if (columns[i]->right)
			printf("%*s%s", (int)pad, "", cell);
		else
			printf("%s%*s", cell, i + 1 < count ? (int)pad : 0, "");
		fputs(i + 1 < count ? " " : "\n", stdout);
	}
}

void lf_columns_print(const struct lf_command_line *line, const struct lf_column *const *columns,
	uint32_t count, const struct lf_control_device *devices, uint32_t device_count)
{
	uint32_t widths[lf_count_of(all_columns)];
	char cell[4 * CELL_MAX];

	lf_assert(count <= lf_count_of(widths));
	for (uint32_t i = 0; i < count; i++) {
		widths[i] = line->no_headings ? 0 : (uint32_t)strlen(columns[i]->name);
		for (uint32_t j = 0; j < device_count; j++) {
			make_cell(line, columns[i], &devices[j], cell);
			widths[i] = lf_max(widths[i], width_of(cell));
		}
	}
	if (!line->no_headings)
		print_row(line, columns, widths, count, NULL);
	for (uint32_t j = 0; j < device_count; j++)
		print_row(line, columns, widths, count, &devices[j]);
}

void lf_columns_show(const struct lf_command_line *line, const struct lf_control_device *device)
{
	char cell[4 * CELL_MAX];

	for (uint32_t i = 0; i < lf_count_of(all_columns); i++) {
		make_cell(line, &all_columns[i], device, cell);
		printf("%-10s %s\n", all_columns[i].name, cell);
	}
}
