/* SPDX-License-Identifier: BSD-2-Clause */
/* value.c: numbers and bytes as the files write them. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/bytes.h"
#include "tests/conformance/corpus.h"

#define BYTES_MAX (64u << 20)

bool reader_fail(struct reader *reader, const char *format, ...)
{
	va_list values;

	if (reader->error[0] != '\0')
		return false;
	va_start(values, format);
	vsnprintf(reader->error, sizeof(reader->error), format, values);
	va_end(values);
	return false;
}

void reader_space(struct reader *reader)
{
	while (*reader->at == ' ' || *reader->at == '\t')
		reader->at++;
}

bool reader_end(struct reader *reader)
{
	reader_space(reader);
	return *reader->at == '\0';
}

void reader_word(struct reader *reader, char *word, size_t size)
{
	size_t length = 0;

	reader_space(reader);
	while (*reader->at != '\0' && *reader->at != ' ' && *reader->at != '\t') {
		if (length + 1 < size)
			word[length++] = *reader->at;
		reader->at++;
	}
	word[length] = '\0';
}

static bool take(struct reader *reader, char what)
{
	reader_space(reader);
	if (*reader->at != what)
		return false;
	reader->at++;
	return true;
}

/* ---- Numbers: + - * / << >> and parentheses; decimal, 0x, names ---- */

static bool sum(struct reader *reader, uint64_t *value);

static bool named(struct reader *reader, uint64_t *value)
{
	const struct names *names = reader->names;
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {{"cap", names->cap}, {"bs", names->bs}, {"pbs", names->pbs}, {"max", names->max},
		{names->variable, names->value}};
	size_t length = 0;

	while (isalnum((unsigned char)reader->at[length]) || reader->at[length] == '_')
		length++;
	for (size_t i = 0; length > 0 && i < sizeof(all) / sizeof(all[0]); i++) {
		if (strlen(all[i].name) != length || strncmp(all[i].name, reader->at, length) != 0)
			continue;
		reader->at += length;
		*value = all[i].value;
		return true;
	}
	return reader_fail(reader, "no number: %.20s", reader->at);
}

static bool single(struct reader *reader, uint64_t *value)
{
	char *end;

	reader_space(reader);
	if (take(reader, '('))
		return sum(reader, value) &&
		       (take(reader, ')') || reader_fail(reader, "no ) after a number"));
	if (!isdigit((unsigned char)*reader->at))
		return named(reader, value);
	*value = strtoull(reader->at, &end, strncmp(reader->at, "0x", 2) == 0 ? 16 : 10);
	reader->at = end;
	return true;
}

static bool product(struct reader *reader, uint64_t *value)
{
	uint64_t other;

	if (!single(reader, value))
		return false;
	for (;;) {
		if (take(reader, '*')) {
			if (!single(reader, &other))
				return false;
			*value *= other;
		} else if (take(reader, '/')) {
			if (!single(reader, &other))
				return false;
			if (other == 0)
				return reader_fail(reader, "a division by zero");
			*value /= other;
		} else {
			return true;
		}
	}
}

static bool sum(struct reader *reader, uint64_t *value)
{
	uint64_t other;

	if (!product(reader, value))
		return false;
	for (;;) {
		char sign;

		reader_space(reader);
		sign = *reader->at;
		if (sign == '<' || sign == '>') {
			if (reader->at[1] != sign)
				return reader_fail(reader, "<< or >> is meant");
			reader->at++;
		} else if (sign != '+' && sign != '-') {
			return true;
		}
		reader->at++;
		if (!product(reader, &other))
			return false;
		if (sign == '+')
			*value += other;
		else if (sign == '-')
			*value -= other;
		else
			*value = other > 63 ? 0 : sign == '<' ? *value << other : *value >> other;
	}
}

bool reader_number(struct reader *reader, uint64_t *value)
{
	return sum(reader, value);
}

/* ---- Bytes ---- */

void bytes_clear(struct bytes *bytes)
{
	bytes->length = 0;
	bytes->open = false;
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->value);
	free(bytes->mask);
	memset(bytes, 0, sizeof(*bytes));
}

static bool make_room(struct reader *reader, struct bytes *to, uint64_t more)
{
	if (more > BYTES_MAX - to->length)
		return reader_fail(reader, "more than %u bytes", BYTES_MAX);
	if (to->length + more > to->room) {
		to->room = 2 * (to->length + (size_t)more);
		to->value = realloc(to->value, to->room);
		to->mask = realloc(to->mask, to->room);
		if (to->value == NULL || to->mask == NULL)
			abort();
	}
	return true;
}

static bool put(struct reader *reader, struct bytes *to, uint8_t value, uint8_t mask)
{
	if (!make_room(reader, to, 1))
		return false;
	to->value[to->length] = value;
	to->mask[to->length++] = mask;
	return true;
}

static bool put_number(struct reader *reader, struct bytes *to, uint64_t value, uint32_t size)
{
	for (uint32_t i = size; i-- > 0;)
		if (!put(reader, to, (uint8_t)(value >> 8 * i), 0xff))
			return false;
	return true;
}

static bool put_lba(struct reader *reader, struct bytes *to, uint64_t lba, uint64_t count)
{
	struct unit unit = {.block_size = (uint32_t)reader->names->bs};

	if (count > BYTES_MAX / unit.block_size || !make_room(reader, to, count * unit.block_size))
		return reader_fail(reader, "more than %u bytes", BYTES_MAX);
	for (uint64_t i = 0; i < count; i++) {
		unit_fill(&unit, lba + i, to->value + to->length);
		memset(to->mask + to->length, 0xff, unit.block_size);
		to->length += unit.block_size;
	}
	return true;
}

/* b(N) be16(N) be24(N) be32(N) be64(N); lba(FIRST[, COUNT]); seq(FIRST, COUNT): bytes that count up */
static bool function(struct reader *reader, const char *name, struct bytes *to)
{
	static const struct {
		const char *name;
		uint32_t size;
	} numbers[] = {{"b", 1}, {"be16", 2}, {"be24", 3}, {"be32", 4}, {"be64", 8}};
	uint64_t first, second = 1;

	reader->at++;
	if (!sum(reader, &first) || (take(reader, ',') && !sum(reader, &second)))
		return false;
	if (!take(reader, ')'))
		return reader_fail(reader, "no ) after %s(", name);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(name, numbers[i].name) == 0)
			return put_number(reader, to, first, numbers[i].size);
	if (strcmp(name, "lba") == 0)
		return put_lba(reader, to, first, second);
	if (strcmp(name, "seq") != 0)
		return reader_fail(reader, "there is no %s()", name);
	for (uint64_t i = 0; i < second; i++)
		if (!put(reader, to, (uint8_t)(first + i), 0xff))
			return false;
	return true;
}

/* "TEXT" or "TEXT"/LENGTH, filled up with spaces. */
static bool text(struct reader *reader, struct bytes *to)
{
	size_t from = to->length;
	uint64_t length;

	for (reader->at++; *reader->at != '"'; reader->at++) {
		if (*reader->at == '\0')
			return reader_fail(reader, "no \" at the end of a text");
		if (!put(reader, to, (uint8_t)*reader->at, 0xff))
			return false;
	}
	reader->at++;
	if (*reader->at != '/')
		return true;
	reader->at++;
	if (!single(reader, &length))
		return false;
	while (to->length - from < length)
		if (!put(reader, to, ' ', 0xff))
			return false;
	return true;
}

static int nibble(char digit)
{
	const char *digits = "0123456789abcdef", *found = strchr(digits, tolower((unsigned char)digit));

	return digit == '\0' || found == NULL ? -1 : (int)(found - digits);
}

/* Pairs of hexadecimal digits; a dot is four bits that may be anything. */
static bool hex(struct reader *reader, const char *word, size_t length, struct bytes *to)
{
	if (length % 2 != 0)
		return reader_fail(reader, "no bytes: %.*s", (int)length, word);
	for (size_t i = 0; i < length; i += 2) {
		uint8_t value = 0, mask = 0;

		for (size_t j = i; j < i + 2; j++) {
			int digit = nibble(word[j]);

			if (digit < 0 && word[j] != '.')
				return reader_fail(reader, "no bytes: %.*s", (int)length, word);
			value = (uint8_t)(value << 4 | (digit < 0 ? 0 : digit));
			mask = (uint8_t)(mask << 4 | (digit < 0 ? 0 : 0xf));
		}
		if (!put(reader, to, value, mask))
			return false;
	}
	return true;
}

static bool list(struct reader *reader, struct bytes *to, bool nested);

static bool item(struct reader *reader, struct bytes *to)
{
	const char *word = reader->at;
	char name[8] = "";
	size_t length = 0;

	if (*word == '"')
		return text(reader, to);
	if (*word == '(') {
		reader->at++;
		return list(reader, to, true);
	}
	if (strncmp(word, "...", 3) == 0 && word[3] != '.' && !isalnum((unsigned char)word[3])) {
		reader->at += 3;
		to->open = true;
		return true;
	}
	while (isalnum((unsigned char)word[length]) || word[length] == '.')
		length++;
	if (word[length] == '(' && length < sizeof(name)) {
		memcpy(name, word, length);
		reader->at += length;
		return function(reader, name, to);
	}
	if (length == 0)
		return reader_fail(reader, "no bytes: %.20s", word);
	reader->at += length;
	return hex(reader, word, length, to);
}

/* ITEM*N: so many times. */
static bool repeat(struct reader *reader, struct bytes *to, size_t from)
{
	size_t size = to->length - from;
	uint64_t count;

	if (!single(reader, &count))
		return false;
	if (count == 0)
		to->length = from;
	if (count == 0 || size == 0)
		return true;
	if (count > BYTES_MAX / size || !make_room(reader, to, (count - 1) * size))
		return reader_fail(reader, "more than %u bytes", BYTES_MAX);
	for (uint64_t i = 1; i < count; i++) {
		memcpy(to->value + to->length, to->value + from, size);
		memcpy(to->mask + to->length, to->mask + from, size);
		to->length += size;
	}
	return true;
}

static bool list(struct reader *reader, struct bytes *to, bool nested)
{
	for (;;) {
		size_t from = to->length;

		reader_space(reader);
		if (*reader->at == '\0')
			return !nested || reader_fail(reader, "no ) at the end of a group");
		if (nested && *reader->at == ')') {
			reader->at++;
			return true;
		}
		if (to->open)
			return reader_fail(reader, "something after ...");
		if (!item(reader, to))
			return false;
		if (*reader->at == '*') {
			reader->at++;
			if (!repeat(reader, to, from))
				return false;
		}
	}
}

bool reader_bytes(struct reader *reader, struct bytes *to)
{
	return list(reader, to, false);
}

void unit_fill(const struct unit *unit, uint64_t lba, uint8_t *block)
{
	for (uint32_t at = 0; at < unit->block_size; at += 8)
		lf_put_be64(block + at, lba);
}
