/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_output.c: tables as lsblk draws them, of whatever has columns. */
#include "programs/lungfish.h"
#include "programs/os.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COLUMNS_MAX 64

void lf_cell_text(char *cell, const char *text)
{
	snprintf(cell, LF_CELL_MAX, "%s", *text ? text : "-");
}

void lf_cell_number(char *cell, uint64_t number)
{
	snprintf(cell, LF_CELL_MAX, "%llu", (unsigned long long)number);
}

static const struct lf_column *find_column(const struct lf_table *table, const char *name, size_t length)
{
	for (uint32_t i = 0; i < table->count; i++) {
		if (strlen(table->columns[i].name) == length &&
			strncasecmp(table->columns[i].name, name, length) == 0)
			return &table->columns[i];
	}
	return NULL;
}

/* "ID,SIZE": each name once or more, at most as many as there are columns. */
static bool choose_named(const struct lf_command_line *line, const struct lf_table *table,
	const struct lf_column **columns, uint32_t *count)
{
	const char *at = line->columns;

	for (;;) {
		size_t length = strcspn(at, ",");
		const struct lf_column *column = find_column(table, at, length);
		if (!column || *count == table->count) {
			char what[64];
			snprintf(what, sizeof(what), "%.*s", (int)length, at);
			lf_report(line, what,
				column ? "too many columns" : "no such column: --output-all shows all",
				LF_EXIT_USAGE);
			return false;
		}
		columns[(*count)++] = column;
		if (at[length] == '\0')
			return true;
		at += length + 1;
	}
}

bool lf_columns_choose(const struct lf_command_line *line, const struct lf_table *table,
	const struct lf_column ***chosen, uint32_t *count)
{
	const struct lf_column **columns = calloc(table->count, sizeof(*columns));

	*count = 0;
	*chosen = columns;
	if (!columns) {
		lf_report(line, NULL, "out of memory", LF_EXIT_FAILED);
		return false;
	}
	if (line->columns && !line->all_columns) {
		if (choose_named(line, table, columns, count))
			return true;
		free(columns);
		return false;
	}
	for (uint32_t i = 0; i < table->count; i++) {
		if (table->columns[i].standard || line->all_columns)
			columns[(*count)++] = &table->columns[i];
	}
	return true;
}

/* What would break the line or the columns goes as \xNN, as lsblk does it. */
static void escape(const struct lf_command_line *line, const char *cell, char *out)
{
	for (size_t escaped = 0; *cell; cell++) {
		escaped = lf_max(escaped, lf_control_character(cell));
		if ((*cell == '\\' && !lf_os_backslash_stays) || (line->raw && *cell == ' '))
			escaped = 1;
		if (escaped > 0) {
			out += sprintf(out, "\\x%02x", (unsigned char)*cell);
			escaped--;
		} else {
			*out++ = *cell;
		}
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

static void make_cell(
	const struct lf_command_line *line, const struct lf_column *column, const void *record, char *cell)
{
	char plain[LF_CELL_MAX];

	if (!record) {
		snprintf(cell, LF_CELL_MAX, "%s", column->name);
		return;
	}
	column->put(line, record, plain);
	escape(line, plain, cell);
}

static void print_row(const struct lf_command_line *line, const struct lf_column *const *columns,
	const uint32_t *widths, uint32_t count, const void *record)
{
	char cell[4 * LF_CELL_MAX];

	for (uint32_t i = 0; i < count; i++) {
		uint32_t pad;
		make_cell(line, columns[i], record, cell);
		pad = line->raw || width_of(cell) > widths[i] ? 0 : widths[i] - width_of(cell);
		if (columns[i]->right)
			printf("%*s%s", (int)pad, "", cell);
		else
			printf("%s%*s", cell, i + 1 < count ? (int)pad : 0, "");
		fputs(i + 1 < count ? " " : "\n", stdout);
	}
}

void lf_columns_print(const struct lf_command_line *line, const struct lf_table *table,
	const struct lf_column *const *columns, uint32_t count, const void *records, uint32_t record_count)
{
	uint32_t widths[COLUMNS_MAX];
	char cell[4 * LF_CELL_MAX];
	const char *from = records;

	lf_assert(count <= lf_count_of(widths));
	for (uint32_t i = 0; i < count; i++) {
		widths[i] = line->no_headings ? 0 : (uint32_t)strlen(columns[i]->name);
		for (uint32_t j = 0; j < record_count; j++) {
			make_cell(line, columns[i], from + j * table->record_size, cell);
			widths[i] = lf_max(widths[i], width_of(cell));
		}
	}
	if (!line->no_headings)
		print_row(line, columns, widths, count, NULL);
	for (uint32_t j = 0; j < record_count; j++)
		print_row(line, columns, widths, count, from + j * table->record_size);
}

void lf_columns_show(const struct lf_command_line *line, const struct lf_table *table, const void *record)
{
	char cell[4 * LF_CELL_MAX];

	for (uint32_t i = 0; i < table->count; i++) {
		make_cell(line, &table->columns[i], record, cell);
		printf("%-10s %s\n", table->columns[i].name, cell);
	}
}
