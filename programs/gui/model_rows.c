/* SPDX-License-Identifier: BSD-2-Clause */
/* model_rows.c: rows of names and values, made of JSON by its shape: what is new in it has a row by itself.
 */
#include "programs/gui/model_rows.h"
#include "programs/gui/model_figures.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 128
#define CELL_BYTES     80
#define LINE_MEMBERS   3 /* an object of an array that has no more is one row */

struct sink {
	lf_gui_row_put *put;
	void *context;
	const char *disk;
	bool fields; /* of T10: flags are called as its standards do */
};

/* ---- Names ---- */

static const struct {
	const char *key, *name;
} names[] = {
	{"blk", "block format"},
	{"capacity", "READ CAPACITY (16)"},
	{"commands", "Commands that it knows"},
	{"counters", "Counters since it was connected"},
	{"hex", "bytes"},
	{"mode", "Mode pages"},
	{"mode_header", "Mode header"},
	{"mrie", "MRIE"},
	{"p_type", "P_TYPE"},
	{"lbprz", "LBPRZ"},
	{"physical_size", "physical block size"},
	{"qerr", "QERR"},
	{"reservation", "Persistent reservation"},
	{"rotation_rpm", "rotation"},
	{"saves", "saves its state"},
	{"spt", "SPT"},
	{"tst", "TST"},
	{"ua_intlck_ctrl", "UA_INTLCK_CTRL"},
	{"vpd", "Vital product data (VPD)"},
};

static const struct {
	const char *word, *name;
} words[] = {
	{"cdb", "CDB"},
	{"id", "ID"},
	{"iscsi", "iSCSI"},
	{"lba", "LBA"},
	{"lun", "LUN"},
	{"naa", "NAA"},
	{"url", "URL"},
};

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static const char *name_of_word(const char *word, size_t length)
{
	for (uint32_t i = 0; i < lf_count_of(words); i++) {
		if (strlen(words[i].word) == length && strncmp(words[i].word, word, length) == 0)
			return words[i].name;
	}
	return NULL;
}

/* block_size -> block size; grd_chk, a flag of T10's -> GRD_CHK. */
static void name_of(const struct sink *sink, const char *key, enum json_type type, char name[NAME_MAX_BYTES])
{
	size_t at = 0;

	for (uint32_t i = 0; i < lf_count_of(names); i++) {
		if (strcmp(names[i].key, key) == 0) {
			snprintf(name, NAME_MAX_BYTES, "%s", names[i].name);
			return;
		}
	}
	if (sink->fields && type == json_type_boolean) {
		for (; key[at] && at + 1 < NAME_MAX_BYTES; at++)
			name[at] = (char)toupper((unsigned char)key[at]);
		name[at] = '\0';
		return;
	}
	name[0] = '\0';
	for (const char *word = key; *word; word += strspn(word, "_")) {
		size_t length = strcspn(word, "_");
		const char *other = name_of_word(word, length);
		/* The unit is said with the value. */
		if (strcmp(word, "ns") != 0)
			at += lf_format(name + at, NAME_MAX_BYTES - at, "%s%.*s", at ? " " : "",
				other ? (int)strlen(other) : (int)length, other ? other : word);
		word += length;
	}
}

/* ---- Values ---- */

static bool is_size(const char *key)
{
	static const char *const sizes[] = {"size", "block_size", "physical_size", "logical_block_length"};

	for (uint32_t i = 0; i < lf_count_of(sizes); i++) {
		if (strcmp(sizes[i], key) == 0)
			return true;
	}
	return ends_with(key, "_bytes");
}

static void size_text(uint64_t bytes, char cell[CELL_BYTES])
{
	static const struct lf_command_line people;
	char size[40];

	lf_format_size(&people, bytes, size, sizeof(size));
	if (bytes < 1024)
		snprintf(cell, CELL_BYTES, "%llu bytes", (unsigned long long)bytes);
	else
		snprintf(cell, CELL_BYTES, "%s (%llu bytes)", size, (unsigned long long)bytes);
}

static void time_text(uint64_t ns, char cell[CELL_BYTES])
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	uint64_t unit_ns = 1;
	uint32_t unit = 0;

	while (unit + 1 < lf_count_of(units) && ns / unit_ns >= 1000) {
		unit_ns *= 1000;
		unit++;
	}
	if (unit == 0)
		snprintf(cell, CELL_BYTES, "%llu ns", (unsigned long long)ns);
	else
		snprintf(cell, CELL_BYTES, "%.1f %s", (double)ns / (double)unit_ns, units[unit]);
}

static void number_text(const char *key, uint64_t number, char cell[CELL_BYTES])
{
	if (is_size(key))
		size_text(number, cell);
	else if (ends_with(key, "_time_ns"))
		time_text(number, cell);
	else if (strcmp(key, "rotation_rpm") == 0 && number == 0)
		snprintf(cell, CELL_BYTES, "does not rotate");
	else
		snprintf(cell, CELL_BYTES, strcmp(key, "rotation_rpm") == 0 ? "%llu rpm" : "%llu",
			(unsigned long long)number);
}

/* Two digits, a space. NULL: memory is short. Freed by free. */
static char *spaced(const char *hex)
{
	char *text = malloc(strlen(hex) / 2 * 3 + 4), *to = text;

	for (size_t i = 0; text && hex[i]; i++) {
		if (i > 0 && i % 2 == 0)
			*to++ = ' ';
		*to++ = hex[i];
	}
	if (text)
		*to = '\0';
	return text;
}

/* A value that is no object and no array. cell is room for what is not there as a text. */
static const char *scalar_text(const char *key, struct json_object *value, char cell[CELL_BYTES])
{
	switch (json_object_get_type(value)) {
	case json_type_string:
		return json_object_get_string(value);
	case json_type_boolean:
		return json_object_get_boolean(value) ? "yes" : "no";
	case json_type_int:
		number_text(key, json_object_get_uint64(value), cell);
		return cell;
	default:
		return "-";
	}
}

/* ---- Rows ---- */

static bool is_scalar(struct json_object *value)
{
	enum json_type type = json_object_get_type(value);

	return type != json_type_object && type != json_type_array;
}

static void put_scalar(struct sink *sink, uint32_t level, const char *key, struct json_object *value)
{
	char name[NAME_MAX_BYTES], cell[CELL_BYTES];
	const char *text = scalar_text(key, value, cell);
	char *bytes = NULL;

	name_of(sink, key, json_object_get_type(value), name);
	if (value && strcmp(key, "hex") == 0) {
		bytes = spaced(text);
	} else if (!value && strcmp(key, "device") == 0 && *sink->disk) {
		text = sink->disk;
	}
	sink->put(sink->context, level, name, bytes ? bytes : text);
	free(bytes);
}

/* Adds to text, which grows; false: memory is short. */
static bool add_text(char **text, const char *between, const char *more)
{
	size_t length = *text ? strlen(*text) : 0;
	char *longer = realloc(*text, length + strlen(between) + strlen(more) + 1);

	if (!longer)
		return false;
	*text = longer;
	sprintf(longer + length, "%s%s", length ? between : "", more);
	return true;
}

/* An array of values: one row. */
static void put_list(struct sink *sink, uint32_t level, const char *key, struct json_object *array)
{
	char name[NAME_MAX_BYTES], cell[CELL_BYTES], *text = NULL;
	bool whole = true;

	name_of(sink, key, json_type_array, name);
	for (size_t i = 0; whole && i < json_object_array_length(array); i++)
		whole = add_text(&text, ", ", scalar_text(key, json_object_array_get_idx(array, i), cell));
	sink->put(sink->context, level, name, text ? text : "-");
	free(text);
}

static void put_member(struct sink *sink, uint32_t level, const char *key, struct json_object *value);

/* skipped: is in the heading already; NULL: nothing is. */
static void put_members(struct sink *sink, uint32_t level, struct json_object *object, const char *skipped)
{
	struct json_object_iterator at = json_object_iter_begin(object), end = json_object_iter_end(object);

	for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
		const char *key = json_object_iter_peek_name(&at);
		if (!skipped || strcmp(key, skipped) != 0)
			put_member(sink, level, key, json_object_iter_peek_value(&at));
	}
}

/* What an object is called by itself: by which member, or NULL. */
static const char *title_of(struct json_object *object)
{
	static const char *const titles[] = {"name", "type_name"};

	for (uint32_t i = 0; i < lf_count_of(titles); i++) {
		struct json_object *title = json_object_object_get(object, titles[i]);
		if (json_object_get_type(title) == json_type_string)
			return titles[i];
	}
	return NULL;
}

/* "opcode 28, CDB length 10": NULL when there is more in it than goes into a line. Freed by free. */
static char *line_of(const struct sink *sink, struct json_object *object, const char *skipped)
{
	struct json_object_iterator at = json_object_iter_begin(object), end = json_object_iter_end(object);
	char name[NAME_MAX_BYTES], cell[CELL_BYTES], *text = NULL;
	uint32_t count = 0;

	for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
		const char *key = json_object_iter_peek_name(&at);
		struct json_object *value = json_object_iter_peek_value(&at);
		if (strcmp(key, skipped) == 0)
			continue;
		count++;
		name_of(sink, key, json_object_get_type(value), name);
		if (count > LINE_MEMBERS || !is_scalar(value) ||
			(value && (!add_text(&text, ", ", name) ||
					  !add_text(&text, " ", scalar_text(key, value, cell))))) {
			free(text);
			return NULL;
		}
	}
	return text;
}

static void put_element(struct sink *sink, uint32_t level, size_t index, struct json_object *object)
{
	const char *title = title_of(object);
	char number[24], *line = title ? line_of(sink, object, title) : NULL;
	const char *name = number;

	snprintf(number, sizeof(number), "%zu", index + 1);
	if (title)
		name = json_object_get_string(json_object_object_get(object, title));
	sink->put(sink->context, level, name, line);
	if (!line)
		put_members(sink, level + 1, object, title);
	free(line);
}

static void put_array(struct sink *sink, uint32_t level, const char *key, struct json_object *array)
{
	char name[NAME_MAX_BYTES];

	if (is_scalar(json_object_array_get_idx(array, 0))) {
		put_list(sink, level, key, array);
		return;
	}
	name_of(sink, key, json_type_array, name);
	sink->put(sink->context, level, name, NULL);
	for (size_t i = 0; i < json_object_array_length(array); i++)
		put_element(sink, level + 1, i, json_object_array_get_idx(array, i));
}

/* "80: Unit Serial Number" */
static void put_object(struct sink *sink, uint32_t level, const char *key, struct json_object *object)
{
	struct json_object *title = json_object_object_get(object, "name");
	bool titled = json_object_get_type(title) == json_type_string;
	char name[NAME_MAX_BYTES], heading[2 * NAME_MAX_BYTES];

	name_of(sink, key, json_type_object, name);
	snprintf(heading, sizeof(heading), titled ? "%s: %s" : "%s", name,
		titled ? json_object_get_string(title) : "");
	sink->put(sink->context, level, heading, NULL);
	put_members(sink, level + 1, object, titled ? "name" : NULL);
}

static void put_member(struct sink *sink, uint32_t level, const char *key, struct json_object *value)
{
	if (is_scalar(value))
		put_scalar(sink, level, key, value);
	else if (json_object_get_type(value) == json_type_array)
		put_array(sink, level, key, value);
	else
		put_object(sink, level, key, value);
}

static bool has_fields(const char *key)
{
	static const char *const keys[] = {"vpd", "mode_header", "mode", "capacity"};

	for (uint32_t i = 0; i < lf_count_of(keys); i++) {
		if (strcmp(keys[i], key) == 0)
			return true;
	}
	return false;
}

void lf_gui_rows(struct json_object *device, const char *disk, lf_gui_row_put *put, void *context)
{
	struct json_object_iterator at = json_object_iter_begin(device), end = json_object_iter_end(device);
	struct sink sink = {.put = put, .context = context, .disk = disk};

	put(context, 0, "Device", NULL);
	for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
		const char *key = json_object_iter_peek_name(&at);
		struct json_object *value = json_object_iter_peek_value(&at);
		sink.fields = has_fields(key);
		put_member(&sink, is_scalar(value) ? 1 : 0, key, value);
	}
}
