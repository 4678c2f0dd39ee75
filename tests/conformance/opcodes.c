/* SPDX-License-Identifier: BSD-2-Clause */
/* opcodes.c: REPORT SUPPORTED OPERATION CODES of a unit as text, against the golden file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/bytes.h"
#include "tests/conformance/corpus.h"

#define REPLY_MAX 16384

/* The names stand in the table alone, which is read here for nothing else. */
#define LF_COMMAND(                                                                                          \
	row, code, action, length, data_kind, lba, lba_bytes, at, at_bytes, bits, function, text, ...)       \
	{code, action, text},
#define LF_COMMAND_MORE      LF_COMMAND
#define LF_NO_SERVICE_ACTION 0xffff
static const struct {
	uint8_t opcode;
	uint16_t service_action;
	const char *name;
} names[] = {
#include "core/commands.def"
};
#undef LF_COMMAND
#undef LF_COMMAND_MORE
#undef LF_NO_SERVICE_ACTION

static const char *name_of(uint8_t opcode, uint16_t action)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].opcode == opcode && names[i].service_action == action)
			return names[i].name;
	return "(not in the table)";
}

/* REPORTING OPTIONS and what they ask for; returns the bytes that came, 0 when it failed. */
static uint32_t report(
	struct way_to *way, uint8_t options, uint8_t opcode, uint16_t action, uint8_t *reply, uint32_t room)
{
	struct command command = {.cdb = {0xa3, 0x0c, options, opcode},
		.cdb_length = 12,
		.way = WAY_IN,
		.data = reply,
		.length = room};

	lf_put_be16(command.cdb + 4, action);
	lf_put_be32(command.cdb + 6, room);
	if (!way->ops->run(way, 0, &command) || command.status != 0)
		return 0;
	return command.moved;
}

static size_t put_line(struct way_to *way, const uint8_t *descriptor, char *text, size_t size)
{
	uint8_t one[64] = {0};
	bool has_action = descriptor[5] & 0x01;
	uint16_t action = lf_get_be16(descriptor + 2), length = lf_get_be16(descriptor + 6);
	uint32_t moved = report(way, has_action ? 2 : 1, descriptor[0], action, one, sizeof(one));
	char shown[8] = "-";
	size_t used;

	if (has_action)
		snprintf(shown, sizeof(shown), "%02x", action);
	used = (size_t)snprintf(text, size, "%02x %-2s %2u  ", descriptor[0], shown, length);
	if (moved != 4u + length || (one[1] & 7) != 3 || lf_get_be16(one + 2) != length)
		return used +
		       (size_t)snprintf(text + used, size - used, "(asked alone it says something else)\n");
	for (uint16_t i = 0; i < length; i++)
		used += (size_t)snprintf(text + used, size - used, "%02x", one[4 + i]);
	return used + (size_t)snprintf(text + used, size - used, "%*s  %s\n", 2 * (16 - (int)length), "",
			      name_of(descriptor[0], has_action ? action : 0xffff));
}

static char *decode(struct way_to *way)
{
	static const char head[] =
		"# SPDX-License-Identifier: BSD-2-Clause\n"
		"# What REPORT SUPPORTED OPERATION CODES says: operation code, service action, CDB length,\n"
		"# CDB usage data, name. Made by the conformance program with --golden.\n";
	size_t size = REPLY_MAX * 8, used = sizeof(head) - 1;
	char *text = malloc(size);
	uint8_t *reply = malloc(REPLY_MAX);
	uint32_t moved;

	if (text == NULL || reply == NULL)
		abort();
	memcpy(text, head, sizeof(head));
	moved = report(way, 0, 0, 0, reply, REPLY_MAX);
	if (moved < 4 || lf_get_be32(reply) + 4 != moved || (moved - 4) % 8 != 0)
		used += (size_t)snprintf(text + used, size - used, "(a reply that is not sound)\n");
	else
		for (uint32_t at = 4; at < moved; at += 8)
			used += put_line(way, reply + at, text + used, size - used);
	free(reply);
	return text;
}

static char *read_golden(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, REPLY_MAX * 8);

	if (text == NULL)
		abort();
	if (file != NULL) {
		if (fread(text, 1, REPLY_MAX * 8 - 1, file) == 0)
			text[0] = '\0';
		fclose(file);
	}
	return text;
}

static bool write_golden(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	bool good = file != NULL && fputs(text, file) >= 0;

	return (file == NULL || fclose(file) == 0) && good;
}

/* The first line that differs. */
static void show_difference(const char *expected, const char *got)
{
	while (*expected != '\0' || *got != '\0') {
		size_t expected_length = strcspn(expected, "\n"), got_length = strcspn(got, "\n");

		if (expected_length != got_length || strncmp(expected, got, got_length) != 0) {
			printf("# golden: %.*s\n# got:    %.*s\n", (int)expected_length, expected,
				(int)got_length, got);
			return;
		}
		expected += expected_length + (expected[expected_length] != '\0');
		got += got_length + (got[got_length] != '\0');
	}
}

bool opcodes_check(struct corpus *corpus, const char *golden, struct way_to *way, bool cdrom, bool write)
{
	struct unit unit = {.there = true,
		.cdrom = cdrom,
		.read_only = cdrom,
		.blocks = 2048,
		.block_size = cdrom ? 2048 : 512,
		.physical_size = cdrom ? 2048 : 4096};
	struct command ready = {.cdb_length = 6};
	const char *name = cdrom ? "opcodes-cdrom.txt" : "opcodes-disk.txt";
	char path[512], *expected, *got;
	bool same;

	snprintf(path, sizeof(path), "%s/%s", golden, name);
	if (!way->ops->unit_add(way, 0, &unit) || !way->ops->nexus_open(way, 0) ||
		!way->ops->run(way, 0, &ready)) {
		bool skip = strncmp(way->error, "skip: ", 6) == 0;

		printf("%s %s [%s]%s%s\n", skip ? "skip" : "not ok", name, way->ops->name,
			skip ? ": " : "\n# ", way->error + (skip ? 6 : 0));
		corpus->skipped += skip;
		corpus->failed += !skip;
		way->ops->clear(way);
		return skip;
	}
	got = decode(way);
	way->ops->clear(way);
	if (write) {
		same = write_golden(path, got);
		free(got);
		return same;
	}
	expected = read_golden(path);
	same = strcmp(expected, got) == 0;
	if (!same)
		show_difference(expected, got);
	printf("%s %s [%s]\n", same ? "ok" : "not ok", name, way->ops->name);
	corpus->passed += same;
	corpus->failed += !same;
	free(expected);
	free(got);
	return same;
}
