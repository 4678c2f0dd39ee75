/* SPDX-License-Identifier: BSD-2-Clause */
/* expect.c: reads what a command has to answer, and compares it with what it did answer. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/bytes.h"
#include "tests/conformance/expect.h"

#define CHECK_CONDITION 0x02

static const struct {
	const char *name;
	uint8_t status;
} statuses[] = {
	{"good", 0x00},
	{"met", 0x04},
	{"busy", 0x08},
	{"conflict", 0x18},
	{"full", 0x28},
};

/* Sense data taken apart (SPC-4 4.5). */
struct sense {
	bool sound; /* long enough, and its length fields are right */
	uint8_t format, key, asc, ascq;
	bool valid, specific;
	uint64_t information;
	uint8_t pointer[3];
};

void expectation_clear(struct expectation *expectation)
{
	struct bytes data = expectation->data;

	bytes_clear(&data);
	memset(expectation, 0, sizeof(*expectation));
	expectation->data = data;
	expectation->format = 0x70;
}

/* ---- Reading ---- */

static bool sense_part(const char **at, char end, int *part)
{
	char *after;

	if (strncmp(*at, "xx", 2) == 0) {
		*part = ANY;
		after = (char *)(uintptr_t)*at + 2;
	} else {
		*part = (int)strtoul(*at, &after, 16);
		if (after == *at)
			return false;
	}
	*at = after + (*after == end && end != '\0');
	return *after == end || (end == '\0' && *after == '|');
}

/* 05/24/00, alternatives with | between them. */
static bool read_senses(struct expectation *expectation, struct reader *reader, const char *word)
{
	const char *at = word;

	for (;;) {
		int *sense = expectation->senses[expectation->sense_count];

		if (expectation->sense_count++ == SENSES_MAX || !sense_part(&at, '/', &sense[0]) ||
			!sense_part(&at, '/', &sense[1]) || !sense_part(&at, '\0', &sense[2]))
			return reader_fail(reader, "no status and no KEY/ASC/ASCQ: %.40s", word);
		if (*at == '\0')
			return true;
		at++;
	}
}

/* BYTE or BYTE.BIT */
static bool read_field(struct expectation *expectation, struct reader *reader, bool in_list)
{
	uint64_t byte, bit;

	if (!reader_number(reader, &byte))
		return false;
	expectation->field = WANTED_THIS;
	expectation->field_in_list = in_list;
	expectation->field_byte = (uint32_t)byte;
	expectation->field_bit = ANY;
	if (*reader->at != '.')
		return true;
	reader->at++;
	if (!reader_number(reader, &bit))
		return false;
	expectation->field_bit = (int)bit;
	return true;
}

/* The word "none" or "any" after an option's name. */
static bool read_wanted(struct reader *reader, enum wanted *wanted)
{
	if (strncmp(reader->at, "none", 4) == 0)
		*wanted = WANTED_NONE;
	else if (strncmp(reader->at, "any", 3) == 0)
		*wanted = WANTED_ANY;
	else
		return false;
	reader->at += *wanted == WANTED_NONE ? 4 : 3;
	return true;
}

static bool read_option(struct expectation *expectation, struct reader *reader)
{
	static const char *const names[] = {"info=", "field=", "list=", "format="};
	size_t which = 0;

	while (which < 4 && strncmp(reader->at, names[which], strlen(names[which])) != 0)
		which++;
	if (which == 4)
		return reader_fail(reader, "unknown: %.40s", reader->at);
	reader->at += strlen(names[which]);
	if (which == 0) {
		if (read_wanted(reader, &expectation->information))
			return true;
		expectation->information = WANTED_THIS;
		return reader_number(reader, &expectation->information_value);
	}
	if (which < 3)
		return read_wanted(reader, &expectation->field) ||
		       read_field(expectation, reader, which == 2);
	expectation->format = *reader->at == 'f' ? 0x70 : *reader->at == 'd' ? 0x72 : 0;
	while (*reader->at >= 'a' && *reader->at <= 'z')
		reader->at++;
	return true;
}

bool expectation_read(struct expectation *expectation, struct reader *reader)
{
	char word[64];

	if (expectation->given)
		return reader_fail(reader, "a second expect");
	expectation->given = true;
	reader_word(reader, word, sizeof(word));
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (strcmp(word, statuses[i].name) == 0) {
			expectation->status = statuses[i].status;
			return reader_end(reader) || reader_fail(reader, "unknown: %.40s", reader->at);
		}
	}
	expectation->any = strcmp(word, "any") == 0;
	if (expectation->any)
		return true;
	expectation->status = CHECK_CONDITION;
	if (!read_senses(expectation, reader, word))
		return false;
	while (!reader_end(reader))
		if (!read_option(expectation, reader))
			return false;
	return true;
}

bool expectation_read_residual(struct expectation *expectation, struct reader *reader)
{
	char word[16];

	reader_word(reader, word, sizeof(word));
	expectation->residual = strcmp(word, "none") == 0    ? RESIDUAL_NONE
				: strcmp(word, "any") == 0   ? RESIDUAL_ANY
				: strcmp(word, "under") == 0 ? RESIDUAL_UNDER
				: strcmp(word, "over") == 0  ? RESIDUAL_OVER
							     : RESIDUAL_USUAL;
	if (expectation->residual == RESIDUAL_USUAL)
		return reader_fail(reader, "residual none, any, under N or over N: %s", word);
	return expectation->residual <= RESIDUAL_NONE || reader_number(reader, &expectation->residual_value);
}

/* ---- Comparing ---- */

static bool differs(char *why, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool differs(char *why, size_t size, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(why, size, format, values);
	va_end(values);
	return false;
}

static void parse_descriptors(struct sense *sense, const uint8_t *bytes, size_t length)
{
	for (size_t at = 8; at + 2 <= length; at += 2u + bytes[at + 1]) {
		size_t end = at + 2 + bytes[at + 1];

		if (end > length) {
			sense->sound = false;
			return;
		}
		if (bytes[at] == 0x00 && bytes[at + 1] == 0x0a) {
			sense->valid = bytes[at + 2] & 0x80;
			sense->information = lf_get_be64(bytes + at + 4);
		} else if (bytes[at] == 0x02 && bytes[at + 1] == 0x06) {
			sense->specific = bytes[at + 4] & 0x80;
			memcpy(sense->pointer, bytes + at + 4, 3);
		}
	}
}

static void parse_sense(const struct command *command, struct sense *sense)
{
	const uint8_t *bytes = command->sense;
	size_t length = command->sense_length;

	memset(sense, 0, sizeof(*sense));
	if (length < 8)
		return;
	sense->format = bytes[0] & 0x7f;
	sense->sound = bytes[7] + 8u == length;
	if (sense->format == 0x72) {
		sense->key = bytes[1] & 0xf;
		sense->asc = bytes[2];
		sense->ascq = bytes[3];
		parse_descriptors(sense, bytes, length);
		return;
	}
	sense->sound = sense->sound && sense->format == 0x70 && length >= 18;
	if (length < 18)
		return;
	sense->key = bytes[2] & 0xf;
	sense->asc = bytes[12];
	sense->ascq = bytes[13];
	sense->valid = bytes[0] & 0x80;
	sense->information = lf_get_be32(bytes + 3);
	sense->specific = bytes[15] & 0x80;
	memcpy(sense->pointer, bytes + 15, 3);
}

uint32_t command_sense(const struct command *command)
{
	struct sense sense;

	parse_sense(command, &sense);
	return (uint32_t)sense.key << 16 | (uint32_t)sense.asc << 8 | sense.ascq;
}

static bool field_met(
	const struct expectation *expectation, const struct sense *sense, char *why, size_t size)
{
	bool in_list = !(sense->pointer[0] & 0x40), has_bit = sense->pointer[0] & 0x08;
	uint32_t byte = lf_get_be16(sense->pointer + 1), bit = sense->pointer[0] & 7;

	if (expectation->field == WANTED_ANY || (expectation->field == WANTED_NONE && !sense->specific))
		return true;
	if (expectation->field == WANTED_NONE)
		return differs(why, size, "no field pointer is due, but byte %u was named", byte);
	if (!sense->specific)
		return differs(why, size, "a field pointer to byte %u is due, and SKSV is 0",
			expectation->field_byte);
	if (in_list != expectation->field_in_list || byte != expectation->field_byte)
		return differs(why, size, "field pointer: byte %u of the %s is due, not byte %u of the %s",
			expectation->field_byte, expectation->field_in_list ? "parameter list" : "CDB", byte,
			in_list ? "parameter list" : "CDB");
	if (expectation->field_bit != ANY && (!has_bit || (int)bit != expectation->field_bit))
		return differs(why, size, "field pointer: bit %d of byte %u is due, not %s%u",
			expectation->field_bit, byte, has_bit ? "bit " : "no bit, BPV 0: ", bit);
	return true;
}

static bool sense_met(
	const struct expectation *expectation, const struct command *command, char *why, size_t size)
{
	struct sense sense;
	bool found = false;

	parse_sense(command, &sense);
	if (!sense.sound)
		return differs(why, size, "sense data of %u bytes that is not sound: response code %02x",
			command->sense_length, sense.format);
	for (uint32_t i = 0; i < expectation->sense_count; i++) {
		const int *wanted = expectation->senses[i];

		found = found || ((wanted[0] == ANY || wanted[0] == sense.key) &&
					 (wanted[1] == ANY || wanted[1] == sense.asc) &&
					 (wanted[2] == ANY || wanted[2] == sense.ascq));
	}
	if (!found)
		return differs(why, size, "other sense is due: %02x/%02x/%02x came", sense.key, sense.asc,
			sense.ascq);
	if (expectation->format != 0 && expectation->format != sense.format)
		return differs(
			why, size, "response code %02x is due, not %02x", expectation->format, sense.format);
	if (expectation->information == WANTED_NONE && sense.valid)
		return differs(why, size, "no INFORMATION is due, VALID is 1: %llu",
			(unsigned long long)sense.information);
	if (expectation->information == WANTED_THIS && !sense.valid)
		return differs(why, size, "INFORMATION %llu is due, and VALID is 0",
			(unsigned long long)expectation->information_value);
	if (expectation->information == WANTED_THIS && sense.information != expectation->information_value)
		return differs(why, size, "INFORMATION %llu is due, not %llu",
			(unsigned long long)expectation->information_value,
			(unsigned long long)sense.information);
	return field_met(expectation, &sense, why, size);
}

/* The usual: what did not come; of data that goes out, none when all is well, and else nothing is asked. */
static bool residual_met(
	const struct expectation *expectation, const struct command *command, char *why, size_t size)
{
	uint64_t due = expectation->residual_value;
	bool over = expectation->residual == RESIDUAL_OVER;

	if (expectation->residual == RESIDUAL_ANY || (over && !command->has_residual))
		return true;
	if (expectation->residual == RESIDUAL_USUAL) {
		if (command->way == WAY_OUT && command->status != 0)
			return true;
		due = command->way == WAY_OUT ? 0 : command->length - command->moved;
	}
	if (command->overflow != over || command->residual != due)
		return differs(why, size, "residual %s of %llu is due, not %s of %u",
			over ? "overflow" : "underflow", (unsigned long long)due,
			command->overflow ? "overflow" : "underflow", command->residual);
	return true;
}

bool bytes_equal(const struct bytes *expected, const uint8_t *got, size_t length, char *why, size_t size)
{
	if (length < expected->length || (length > expected->length && !expected->open))
		return differs(why, size, "%zu bytes are due%s, not %zu", expected->length,
			expected->open ? " or more" : "", length);
	for (size_t i = 0; i < expected->length; i++) {
		if (((expected->value[i] ^ got[i]) & expected->mask[i]) == 0)
			continue;
		return differs(why, size, "byte %zu (%zxh): %02x is due%s, not %02x", i, i,
			expected->value[i], expected->mask[i] == 0xff ? "" : " in part", got[i]);
	}
	return true;
}

bool expectation_met(
	const struct expectation *expectation, const struct command *command, char *why, size_t size)
{
	if (expectation->any)
		return true;
	if (command->status != expectation->status) {
		uint32_t sense = command_sense(command);

		return differs(why, size, "status %02xh is due, not %02xh, sense %02x/%02x/%02x",
			expectation->status, command->status, sense >> 16, sense >> 8 & 0xff, sense & 0xff);
	}
	if (command->status != CHECK_CONDITION && command->sense_length != 0)
		return differs(why, size, "sense data without CHECK CONDITION");
	if (command->status == CHECK_CONDITION && !sense_met(expectation, command, why, size))
		return false;
	if (command->way == WAY_IN && command->status == CHECK_CONDITION && !expectation->has_data &&
		command->moved != 0)
		return differs(why, size, "%u bytes came with CHECK CONDITION", command->moved);
	if (expectation->has_data &&
		!bytes_equal(&expectation->data, command->data, command->moved, why, size))
		return false;
	return residual_met(expectation, command, why, size);
}
