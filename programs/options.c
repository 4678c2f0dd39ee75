/* SPDX-License-Identifier: BSD-2-Clause */
/* options.c: long and short options anywhere among the operands; no abbreviations. */
#include "programs/options.h"

#include <string.h>

static const struct lf_option *find(
	const struct lf_option_reader *reader, char letter, const char *name, size_t length)
{
	for (uint32_t i = 0; i < reader->count; i++) {
		const struct lf_option *option = &reader->options[i];
		if ((option->verbs & reader->verbs) == 0)
			continue;
		if (letter ? option->letter == letter
			   : strlen(option->name) == length && memcmp(option->name, name, length) == 0)
			return option;
	}
	return NULL;
}

static int wrong(struct lf_option_reader *reader, enum lf_option_found what, const char *dashes,
	const char *name, size_t length)
{
	snprintf(reader->shown, sizeof(reader->shown), "%s%.*s", dashes, (int)length, name);
	reader->value = reader->shown;
	return what;
}

/* The value is the rest of the word, or the next word. */
static int take_value(struct lf_option_reader *reader, const struct lf_option *option, const char *rest)
{
	if (!rest && reader->at < reader->argc)
		rest = reader->argv[reader->at++];
	if (!rest)
		return wrong(reader, LF_OPTION_NO_VALUE, "--", option->name, strlen(option->name));
	reader->value = rest;
	return option->id;
}

static int read_short(struct lf_option_reader *reader)
{
	const struct lf_option *option = find(reader, *reader->cluster, NULL, 0);
	const char *at = reader->cluster++;

	if (!option) {
		/* The whole of a character, should it be one of several bytes. */
		while ((*reader->cluster & 0xc0) == 0x80)
			reader->cluster++;
		return wrong(reader, LF_OPTION_UNKNOWN, "-", at, (size_t)(reader->cluster - at));
	}
	if (option->value) {
		const char *rest = *reader->cluster ? reader->cluster : NULL;
		reader->cluster = "";
		return take_value(reader, option, rest);
	}
	return option->id;
}

static int read_long(struct lf_option_reader *reader, const char *name)
{
	size_t length = strcspn(name, "=");
	const struct lf_option *option = find(reader, 0, name, length);

	if (!option)
		return wrong(reader, LF_OPTION_UNKNOWN, "--", name, length);
	if (option->value)
		return take_value(reader, option, name[length] ? name + length + 1 : NULL);
	if (name[length])
		return wrong(reader, LF_OPTION_SURPLUS, "--", name, length);
	return option->id;
}

int lf_option_next(struct lf_option_reader *reader)
{
	const char *word;

	if (reader->cluster && *reader->cluster)
		return read_short(reader);
	if (reader->at >= reader->argc)
		return LF_OPTION_END;
	word = reader->argv[reader->at++];
	reader->value = word;
	if (reader->operands_only || word[0] != '-' || word[1] == '\0')
		return LF_OPTION_OPERAND;
	if (strcmp(word, "--") == 0) {
		reader->operands_only = true;
		return LF_OPTION_DASHES;
	}
	if (word[1] == '-')
		return read_long(reader, word + 2);
	reader->cluster = word + 1;
	return read_short(reader);
}

void lf_option_help(
	FILE *out, const struct lf_option *options, uint32_t count, uint32_t verbs, uint32_t without)
{
	char left[64];

	for (uint32_t i = 0; i < count; i++) {
		const struct lf_option *option = &options[i];
		if ((option->verbs & verbs) == 0 || (option->verbs & without) != 0)
			continue;
		snprintf(left, sizeof(left), "%c%c%s--%s%s%s", option->letter ? '-' : ' ',
			option->letter ? option->letter : ' ', option->letter ? ", " : "  ", option->name,
			option->value ? " " : "", option->value ? option->value : "");
		fprintf(out, "  %-28s %s\n", left, option->help);
	}
}
