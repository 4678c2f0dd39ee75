/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c: conformance [OPTION...] [FILE...]: runs the corpus over the ways to an adapter that modes.h names.
 */
#include <dirent.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/modes.h"

#define FILES_MAX 512

static const char usage[] =
	"usage: conformance [--mode MODE]... [--case TEXT] [--golden] [FILE...]\n"
	"Runs the cases of the files, or of every *.scsi in $SOURCE/tests/conformance, in each mode:\n%s"
	"  --case TEXT  only cases whose names have TEXT in them\n"
	"  --golden     writes golden/opcodes-*.txt anew, from what the adapter says\n";

struct choice {
	bool modes[CORPUS_MODES_MAX];
	bool golden, golden_checked;
	char directory[256];
	char *files[FILES_MAX];
	int count;
	struct corpus corpus;
};

bool way_fail(struct way_to *way, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(way->error, sizeof(way->error), format, values);
	va_end(values);
	return false;
}

static int is_corpus(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot != NULL && strcmp(dot, ".scsi") == 0;
}

static void find_files(struct choice *choice)
{
	struct dirent **entries;
	int count = scandir(choice->directory, &entries, is_corpus, alphasort);

	for (int i = 0; i < count; i++) {
		size_t length = strlen(choice->directory) + strlen(entries[i]->d_name) + 2;
		char *path = malloc(length);

		if (path == NULL || choice->count == FILES_MAX)
			abort();
		snprintf(path, length, "%s/%s", choice->directory, entries[i]->d_name);
		choice->files[choice->count++] = path;
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static void run_mode(struct choice *choice, const struct corpus_mode *mode)
{
	struct way_to *way = mode->open();
	char golden[300];

	if (way == NULL) {
		choice->corpus.failed++;
		return;
	}
	snprintf(golden, sizeof(golden), "%s/golden", choice->directory);
	for (int cdrom = 0; cdrom < 2 && mode->golden && (choice->golden || choice->golden_checked); cdrom++)
		if (!opcodes_check(&choice->corpus, golden, way, cdrom == 1, choice->golden) &&
			choice->golden)
			choice->corpus.failed++;
	for (int i = 0; i < choice->count && !choice->golden; i++) {
		if (corpus_run(&choice->corpus, choice->files[i], way))
			continue;
		choice->corpus.failed++;
		printf("not ok %s: cannot be read\n", choice->files[i]);
	}
	way->ops->close(way);
}

static bool read_options(struct choice *choice, int count, char **words)
{
	static const struct option options[] = {{"mode", required_argument, NULL, 'm'},
		{"case", required_argument, NULL, 'c'}, {"golden", no_argument, NULL, 'g'},
		{"help", no_argument, NULL, 'h'}, {0}};
	bool any = false;
	int option;

	while ((option = getopt_long(count, words, "", options, NULL)) != -1) {
		uint32_t mode = 0;

		if (option == 'c') {
			choice->corpus.only = optarg;
		} else if (option == 'g') {
			choice->golden = true;
		} else if (option == 'm') {
			while (mode < corpus_mode_count && strcmp(corpus_modes[mode].name, optarg) != 0)
				mode++;
			if (mode == corpus_mode_count)
				return false;
			choice->modes[mode] = any = true;
		} else {
			return false;
		}
	}
	if (choice->golden && !any)
		choice->modes[0] = any = true;
	for (uint32_t mode = 0; mode < corpus_mode_count && !any; mode++)
		choice->modes[mode] = true;
	for (int i = optind; i < count && choice->count < FILES_MAX; i++)
		choice->files[choice->count++] = strdup(words[i]);
	return true;
}

int main(int count, char **words)
{
	static struct choice choice;
	const char *source = getenv("SOURCE");

	snprintf(choice.directory, sizeof(choice.directory), "%s/tests/conformance",
		source == NULL ? "." : source);
	if (!read_options(&choice, count, words)) {
		fprintf(stderr, usage, corpus_modes_usage);
		return 2;
	}
	choice.golden_checked = choice.count == 0 && choice.corpus.only == NULL;
	if (choice.count == 0)
		find_files(&choice);
	if (choice.count == 0) {
		fprintf(stderr, "there are no *.scsi in %s: set SOURCE\n", choice.directory);
		return 2;
	}
	for (uint32_t mode = 0; mode < corpus_mode_count; mode++)
		if (choice.modes[mode])
			run_mode(&choice, &corpus_modes[mode]);
	printf("# %u passed, %u failed, %u skipped\n", choice.corpus.passed, choice.corpus.failed,
		choice.corpus.skipped);
	for (int i = 0; i < choice.count; i++)
		free(choice.files[i]);
	return choice.corpus.failed == 0 && (choice.corpus.passed > 0 || choice.golden) ? 0 : 1;
}
