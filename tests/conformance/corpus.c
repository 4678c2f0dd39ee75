/* SPDX-License-Identifier: BSD-2-Clause */
/* corpus.c: takes a file apart into cases and runs each of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/play.h"

struct line {
	uint32_t number;
	char *text;
};

struct file {
	const char *path, *name;
	char *text;
	struct line *lines;
	uint32_t count;
};

static char *read_whole(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = NULL;
	long size;

	if (file == NULL)
		return NULL;
	if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0) {
		rewind(file);
		text = calloc(1, (size_t)size + 1);
		if (text == NULL)
			abort();
		if (fread(text, 1, (size_t)size, file) != (size_t)size) {
			free(text);
			text = NULL;
		}
	}
	fclose(file);
	return text;
}

/* Cuts the comment off, which begins with # outside a text, and white space at the end. */
static void strip(char *line)
{
	bool quoted = false;
	char *end = line;

	for (; *end != '\0' && (quoted || *end != '#'); end++)
		if (*end == '"')
			quoted = !quoted;
	while (end > line && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	*end = '\0';
}

static void split(struct file *file)
{
	uint32_t number = 0, room = 0;

	for (char *at = file->text, *next; at != NULL; at = next) {
		next = strchr(at, '\n');
		if (next != NULL)
			*next++ = '\0';
		number++;
		strip(at);
		at += strspn(at, " \t");
		if (*at == '\0')
			continue;
		if (file->count == room) {
			room = 2 * room + 64;
			file->lines = realloc(file->lines, room * sizeof(*file->lines));
			if (file->lines == NULL)
				abort();
		}
		file->lines[file->count++] = (struct line){number, at};
	}
}

static bool is_case(const struct line *line)
{
	return strncmp(line->text, "case ", 5) == 0;
}

static void report(struct corpus *corpus, const struct play *play, const char *name)
{
	switch (play->outcome) {
	case GOING_ON:
		corpus->passed++;
		printf("ok %s\n", name);
		break;
	case SKIPPED:
		corpus->skipped++;
		printf("skip %s: %s\n", name, play->why);
		break;
	case FAILED:
		corpus->failed++;
		printf("# %s:%u: %s\nnot ok %s\n", play->path, play->line, play->why, name);
		break;
	}
	fflush(stdout);
}

/* Lines first to last - 1 once; false when "for" has no value left. */
static bool run_once(struct corpus *corpus, const struct file *file, const struct unit *unit, uint32_t first,
	uint32_t last, uint64_t turn, struct way_to *way)
{
	struct play play = {.way = way, .path = file->path, .for_at = turn, .for_count = 1};
	char name[400];

	play.units[0] = *unit;
	play.line = file->lines[first].number;
	play.names.cap = unit->blocks;
	play.names.bs = unit->block_size;
	play.names.pbs = unit->physical_size;
	play.names.max = (4u << 20) / unit->block_size;
	for (uint32_t i = first + 1; i < last && play.outcome == GOING_ON; i++) {
		play.line = file->lines[i].number;
		play_line(&play, file->lines[i].text);
	}
	play_flush(&play);
	snprintf(name, sizeof(name), "%s: %s", file->name, file->lines[first].text + 5);
	if (play.names.variable[0] != '\0')
		snprintf(name + strlen(name), sizeof(name) - strlen(name), ", %s=%llu", play.names.variable,
			(unsigned long long)play.names.value);
	snprintf(name + strlen(name), sizeof(name) - strlen(name), " [%s]", way->ops->name);
	report(corpus, &play, name);
	way->ops->clear(way);
	play_free(&play);
	return play.outcome != SKIPPED && turn + 1 < play.for_count;
}

static void run_cases(struct corpus *corpus, const struct file *file, struct way_to *way)
{
	struct unit unit;
	struct names names = {0};
	struct reader nothing = {.at = "", .names = &names};
	uint32_t i = 0;

	unit_read(&unit, &nothing);
	while (i < file->count) {
		uint32_t first = i++;

		if (!is_case(&file->lines[first])) {
			struct reader reader = {.at = file->lines[first].text + 4, .names = &names};

			if (strncmp(file->lines[first].text, "unit", 4) != 0)
				reader_fail(&reader, "no case yet: only unit may stand here");
			else
				unit_read(&unit, &reader);
			if (reader.error[0] == '\0')
				continue;
			corpus->failed++;
			printf("# %s:%u: %s\nnot ok %s: line %u [%s]\n", file->path,
				file->lines[first].number, reader.error, file->name,
				file->lines[first].number, way->ops->name);
			return;
		}
		while (i < file->count && !is_case(&file->lines[i]))
			i++;
		if (corpus->only != NULL && strstr(file->lines[first].text, corpus->only) == NULL)
			continue;
		for (uint64_t turn = 0; run_once(corpus, file, &unit, first, i, turn, way);)
			turn++;
	}
}

bool corpus_run(struct corpus *corpus, const char *path, struct way_to *way)
{
	struct file file = {.path = path, .name = strrchr(path, '/')};

	file.name = file.name == NULL ? path : file.name + 1;
	file.text = read_whole(path);
	if (file.text == NULL)
		return false;
	split(&file);
	run_cases(corpus, &file, way);
	free(file.lines);
	free(file.text);
	return true;
}
