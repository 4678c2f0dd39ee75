/* SPDX-License-Identifier: BSD-2-Clause */
/* play.c: carries out what the lines of a case say. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/bytes.h"
#include "tests/conformance/play.h"

#define ATTENTIONS_MAX 16

void play_fail(struct play *play, const char *format, ...)
{
	va_list values;

	if (play->outcome != GOING_ON)
		return;
	play->outcome = FAILED;
	va_start(values, format);
	vsnprintf(play->why, sizeof(play->why), format, values);
	va_end(values);
}

void play_free(struct play *play)
{
	bytes_free(&play->cdb);
	bytes_free(&play->out);
	bytes_free(&play->reserved);
	bytes_free(&play->expectation.data);
}

/* What the way said, as the case's outcome. */
static bool way_did(struct play *play, bool good)
{
	static const char skip[] = "skip: ";
	const char *error = play->way->error;

	if (good)
		return true;
	if (strncmp(error, skip, strlen(skip)) != 0) {
		play_fail(play, "%s", error);
	} else if (play->outcome == GOING_ON) {
		play->outcome = SKIPPED;
		snprintf(play->why, sizeof(play->why), "%s", error + strlen(skip));
	}
	return false;
}

static void set_unit(struct play *play, uint32_t unit)
{
	const struct unit *facts = unit < CORPUS_LUNS ? &play->units[unit] : &play->spare;

	play->unit = unit;
	play->lun_is_raw = false;
	play->lun = (uint64_t)(unit < 256 ? unit : 0x4000 | unit) << 48;
	if (unit < CORPUS_LUNS && facts->there) {
		play->names.cap = facts->empty ? 0 : facts->blocks;
		play->names.bs = facts->block_size;
		play->names.pbs = facts->physical_size;
		play->names.max = (4u << 20) / facts->block_size;
	}
}

static bool start(struct play *play)
{
	if (play->started)
		return true;
	play->started = true;
	for (uint32_t lun = 0; lun < CORPUS_LUNS; lun++)
		if (play->units[lun].there &&
			!way_did(play, play->way->ops->unit_add(play->way, lun, &play->units[lun])))
			return false;
	return true;
}

/* TEST UNIT READY until no unit attention comes. */
static bool drain_unit(struct play *play, uint32_t nexus, uint32_t unit)
{
	struct command ready = {.lun = (uint64_t)unit << 48, .unit = unit, .cdb_length = 6};

	for (int i = 0; i < ATTENTIONS_MAX; i++) {
		if (!way_did(play, play->way->ops->run(play->way, nexus, &ready)))
			return false;
		if (command_sense(&ready) >> 16 != 6)
			return true;
	}
	play_fail(play, "unit attentions without end");
	return false;
}

static bool drain(struct play *play, uint32_t nexus)
{
	for (uint32_t unit = 0; unit < CORPUS_LUNS; unit++)
		if (play->units[unit].there && !drain_unit(play, nexus, unit))
			return false;
	return true;
}

static bool open_nexus(struct play *play, uint32_t nexus)
{
	if (!start(play))
		return false;
	if (play->open[nexus])
		return true;
	if (!way_did(play, play->way->ops->nexus_open(play->way, nexus)))
		return false;
	play->open[nexus] = true;
	return play->keep_attentions || drain(play, nexus);
}

/* ---- Commands ---- */

static bool run_command(struct play *play, struct command *command, const uint8_t *out)
{
	bool good;

	if (!open_nexus(play, play->nexus))
		return false;
	command->lun = play->lun;
	command->unit = play->unit;
	command->lun_is_raw = play->lun_is_raw;
	command->data = malloc(command->length + 1u);
	if (command->data == NULL)
		abort();
	if (command->way == WAY_OUT)
		memcpy(command->data, out, command->length);
	else
		memset(command->data, 0xc5, command->length + 1u);
	good = way_did(play, play->way->ops->run(play->way, play->nexus, command));
	if (good && !command->has_residual)
		command->residual = command->length - command->moved;
	return good;
}

static void describe(struct play *play, const struct command *command, const char *why)
{
	char text[200], cdb[3 * 32 + 1] = "";

	for (uint32_t i = 0; i < command->cdb_length; i++)
		snprintf(cdb + 3 * (size_t)i, 4, "%02x ", command->cdb[i]);
	snprintf(text, sizeof(text), "%s%s of %u bytes", cdb,
		command->way == WAY_NONE ? "and no data"
		: command->way == WAY_IN ? "in"
					 : "out",
		command->length);
	play_fail(play, "CDB %s: %s", text, why);
}

static void run_once(struct play *play, struct command *command)
{
	char why[400];

	if (run_command(play, command, play->out.value) &&
		!expectation_met(&play->expectation, command, why, sizeof(why)))
		describe(play, command, why);
	free(command->data);
}

/* Each bit of the mask alone, on top of the CDB, has to be refused with a pointer to it. */
static void run_reserved(struct play *play, const struct command *base)
{
	for (uint32_t byte = 0; byte < play->reserved.length && byte < base->cdb_length; byte++) {
		for (int bit = 7; bit >= 0 && play->outcome == GOING_ON; bit--) {
			struct command command = *base;

			if (!(play->reserved.value[byte] & 1 << bit))
				continue;
			command.cdb[byte] |= (uint8_t)(1 << bit);
			play->expectation.field_byte = byte;
			play->expectation.field_bit = bit;
			run_once(play, &command);
		}
	}
}

static bool expect_reserved(struct play *play)
{
	struct expectation *expectation = &play->expectation;
	static const int invalid_field[3] = {0x5, 0x24, 0x00};

	if (expectation->given) {
		play_fail(play, "reserved and expect do not go together");
		return false;
	}
	expectation->status = 0x02;
	memcpy(expectation->senses[0], invalid_field, sizeof(invalid_field));
	expectation->sense_count = 1;
	expectation->field = WANTED_THIS;
	return true;
}

void play_flush(struct play *play)
{
	struct command command = {.way = play->direction};
	uint32_t line = play->line;

	if (!play->pending || play->outcome != GOING_ON)
		return;
	play->pending = false;
	play->line = play->command_line;
	command.length = (uint32_t)(command.way == WAY_OUT ? play->out.length : play->room);
	command.cdb_length = (uint8_t)play->cdb.length;
	memcpy(command.cdb, play->cdb.value, play->cdb.length);
	if (play->reserved_given && expect_reserved(play))
		run_reserved(play, &command);
	else if (!play->expectation.given)
		play_fail(play, "no expect after the cdb");
	else
		run_once(play, &command);
	if (play->outcome == GOING_ON)
		play->line = line;
}

/* ---- Lines that belong to a command ---- */

static bool do_cdb(struct play *play, struct reader *reader)
{
	static const uint8_t lengths[8] = {6, 10, 10, 0, 16, 12, 0, 0};

	bytes_clear(&play->cdb);
	bytes_clear(&play->out);
	bytes_clear(&play->reserved);
	expectation_clear(&play->expectation);
	play->reserved_given = false;
	play->direction = WAY_NONE;
	play->room = 0;
	play->command_line = play->line;
	if (!reader_bytes(reader, &play->cdb))
		return false;
	if (play->cdb.length == 0 || play->cdb.length > 16 || play->cdb.open)
		return reader_fail(reader, "a CDB has 1 to 16 bytes");
	while (play->cdb.length < lengths[play->cdb.value[0] >> 5]) {
		struct reader zero = {.at = "00", .names = reader->names};

		reader_bytes(&zero, &play->cdb);
	}
	play->pending = true;
	return true;
}

static bool do_in(struct play *play, struct reader *reader)
{
	play->direction = WAY_IN;
	return reader_number(reader, &play->room) &&
	       (play->room <= ROOM_MAX || reader_fail(reader, "more than %u bytes", ROOM_MAX));
}

static bool do_out(struct play *play, struct reader *reader)
{
	play->direction = WAY_OUT;
	return reader_bytes(reader, &play->out) &&
	       (play->out.length <= ROOM_MAX || reader_fail(reader, "more than %u bytes", ROOM_MAX));
}

static bool do_data(struct play *play, struct reader *reader)
{
	play->expectation.has_data = true;
	return reader_bytes(reader, &play->expectation.data);
}

static bool do_expect(struct play *play, struct reader *reader)
{
	return expectation_read(&play->expectation, reader);
}

static bool do_residual(struct play *play, struct reader *reader)
{
	return expectation_read_residual(&play->expectation, reader);
}

static bool do_reserved(struct play *play, struct reader *reader)
{
	play->reserved_given = true;
	return reader_bytes(reader, &play->reserved);
}

/* ---- Units ---- */

static bool is_flag(const char *word, const char *name, bool *flag)
{
	if (strcmp(word, name) != 0)
		return false;
	*flag = true;
	return true;
}

static bool unit_number(struct reader *reader, const char *value, uint64_t *number)
{
	struct reader inner = {.at = value, .names = reader->names};

	if (!reader_number(&inner, number) || !reader_end(&inner))
		return reader_fail(reader, "no number: %.40s", value);
	return true;
}

static bool unit_word(struct unit *unit, struct reader *reader, const char *word)
{
	uint64_t number;

	if (is_flag(word, "cdrom", &unit->cdrom) || is_flag(word, "ro", &unit->read_only) ||
		is_flag(word, "removable", &unit->removable) || is_flag(word, "empty", &unit->empty) ||
		is_flag(word, "no-unmap", &unit->no_unmap) || is_flag(word, "fill", &unit->fill))
		return true;
	if (strncmp(word, "blocks=", 7) == 0)
		return unit_number(reader, word + 7, &unit->blocks);
	if (strncmp(word, "bs=", 3) == 0) {
		bool good = unit_number(reader, word + 3, &number);

		unit->block_size = (uint32_t)number;
		return good;
	}
	if (strncmp(word, "pbs=", 4) == 0) {
		bool good = unit_number(reader, word + 4, &number);

		unit->physical_size = (uint32_t)number;
		return good;
	}
	return reader_fail(reader, "a unit has no %.40s", word);
}

bool unit_read(struct unit *unit, struct reader *reader)
{
	*unit = (struct unit){.there = true};
	while (!reader_end(reader)) {
		char word[64];

		reader_word(reader, word, sizeof(word));
		if (!unit_word(unit, reader, word))
			return false;
	}
	if (unit->blocks == 0)
		unit->blocks = 2048;
	if (unit->block_size == 0)
		unit->block_size = unit->cdrom ? 2048 : 512;
	if (unit->physical_size == 0)
		unit->physical_size = unit->cdrom ? 2048 : 4096;
	if (unit->fill && unit->blocks > ROOM_MAX / unit->block_size)
		return reader_fail(reader, "fill is for units up to %u bytes", ROOM_MAX);
	return true;
}

/* A LUN of the case in front of a unit's words; 0 when there is none. */
static bool lun_read(struct reader *reader, uint64_t *lun)
{
	*lun = 0;
	reader_space(reader);
	if (*reader->at >= '0' && *reader->at <= '9' && !reader_number(reader, lun))
		return false;
	return *lun < CORPUS_LUNS || reader_fail(reader, "a case has LUNs 0 to %d", CORPUS_LUNS - 1);
}

static bool do_unit(struct play *play, struct reader *reader)
{
	uint64_t lun;

	if (play->started)
		return reader_fail(reader, "unit comes before the first step: connect is meant");
	if (!lun_read(reader, &lun) || !unit_read(&play->units[lun], reader))
		return false;
	set_unit(play, play->unit);
	return true;
}

static bool do_connect(struct play *play, struct reader *reader)
{
	uint64_t lun;

	if (!start(play) || !lun_read(reader, &lun) || !unit_read(&play->units[lun], reader))
		return false;
	return way_did(play, play->way->ops->unit_add(play->way, (uint32_t)lun, &play->units[lun]));
}

static bool do_disconnect(struct play *play, struct reader *reader)
{
	uint64_t lun;

	if (!start(play) || !lun_read(reader, &lun))
		return false;
	play->units[lun].there = false;
	return way_did(play, play->way->ops->unit_remove(play->way, (uint32_t)lun));
}

static bool do_no_unit(struct play *play, struct reader *reader)
{
	uint64_t lun;

	if (!lun_read(reader, &lun))
		return false;
	play->units[lun].there = false;
	return true;
}

/* ---- Who speaks to what ---- */

/* lun N; lun raw HEX: the eight bytes as they are */
static bool do_lun(struct play *play, struct reader *reader)
{
	uint64_t lun;

	reader_space(reader);
	if (strncmp(reader->at, "raw ", 4) == 0) {
		reader->at += 4;
		if (!reader_number(reader, &play->lun))
			return false;
		play->unit = CORPUS_LUNS;
		play->lun_is_raw = true;
		return true;
	}
	if (!reader_number(reader, &lun))
		return false;
	if (lun >= 16384)
		return reader_fail(reader, "LUNs end at 16383");
	set_unit(play, (uint32_t)lun);
	return true;
}

static bool nexus_read(struct reader *reader, uint32_t *nexus)
{
	char word[8];

	reader_word(reader, word, sizeof(word));
	*nexus = (uint32_t)(word[0] - 'A');
	return (*nexus < CORPUS_NEXUSES && word[1] == '\0') ||
	       reader_fail(reader, "a nexus is A, B, C or D: %s", word);
}

static bool do_nexus(struct play *play, struct reader *reader)
{
	return nexus_read(reader, &play->nexus) && open_nexus(play, play->nexus);
}

static bool end_nexus(struct play *play, struct reader *reader, bool lost)
{
	uint32_t nexus;

	if (!nexus_read(reader, &nexus))
		return false;
	if (!play->open[nexus])
		return reader_fail(reader, "that nexus is not open");
	play->open[nexus] = false;
	if (lost)
		return way_did(play, play->way->ops->operate(play->way, OPERATE_DROP, nexus, 0));
	return way_did(play, play->way->ops->nexus_close(play->way, nexus));
}

static bool do_close(struct play *play, struct reader *reader)
{
	return end_nexus(play, reader, false);
}

static bool do_lose(struct play *play, struct reader *reader)
{
	return end_nexus(play, reader, true);
}

static bool do_keep_attentions(struct play *play, struct reader *reader)
{
	(void)reader;
	play->keep_attentions = true;
	return true;
}

static bool do_drain(struct play *play, struct reader *reader)
{
	(void)reader;
	return open_nexus(play, play->nexus) && drain(play, play->nexus);
}

/* for NAME VALUE...: the whole case once with each of them. */
static bool do_for(struct play *play, struct reader *reader)
{
	uint64_t value;

	reader_word(reader, play->names.variable, sizeof(play->names.variable));
	for (play->for_count = 0; !reader_end(reader); play->for_count++) {
		if (!reader_number(reader, &value))
			return false;
		if (play->for_count == play->for_at)
			play->names.value = value;
	}
	return play->for_at < play->for_count || reader_fail(reader, "for has no values");
}

/* only iscsi REASON, only loop REASON */
static bool do_only(struct play *play, struct reader *reader)
{
	char word[16];
	bool is_iscsi = strcmp(play->way->ops->name, "iscsi") == 0;

	reader_word(reader, word, sizeof(word));
	reader_space(reader);
	if (strcmp(word, "iscsi") != 0 && strcmp(word, "loop") != 0)
		return reader_fail(reader, "only iscsi or only loop");
	if (*reader->at == '\0')
		return reader_fail(reader, "only %s wants a reason", word);
	if (is_iscsi != (strcmp(word, "iscsi") == 0)) {
		play->outcome = SKIPPED;
		snprintf(play->why, sizeof(play->why), "%s", reader->at);
	}
	reader->at += strlen(reader->at);
	return true;
}

/* not WAY REASON: that way to an adapter cannot show it. */
static bool do_not(struct play *play, struct reader *reader)
{
	char word[16];

	reader_word(reader, word, sizeof(word));
	reader_space(reader);
	if (*reader->at == '\0')
		return reader_fail(reader, "not %s wants a reason", word);
	if (strcmp(word, play->way->ops->name) == 0) {
		play->outcome = SKIPPED;
		snprintf(play->why, sizeof(play->why), "%s", reader->at);
	}
	reader->at += strlen(reader->at);
	return true;
}

/* ---- Task management, the operator ---- */

static bool do_tmf(struct play *play, struct reader *reader)
{
	static const struct {
		const char *name;
		enum management function;
	} functions[] = {{"abort-task", ABORT_TASK}, {"abort-task-set", ABORT_TASK_SET},
		{"clear-task-set", CLEAR_TASK_SET}, {"lun-reset", LUN_RESET}, {"target-reset", TARGET_RESET}};
	static const char *const answers[] = {"complete", "no-task", "no-lun", "rejected"};
	char name[24], expected[16];
	size_t which = 0;
	enum answer answer;

	reader_word(reader, name, sizeof(name));
	reader_word(reader, expected, sizeof(expected));
	while (which < 5 && strcmp(functions[which].name, name) != 0)
		which++;
	if (which == 5)
		return reader_fail(reader, "no task management function: %s", name);
	if (!open_nexus(play, play->nexus) ||
		!way_did(play, play->way->ops->manage(play->way, play->nexus, functions[which].function,
				       play->lun, &answer)))
		return false;
	if (strcmp(answers[answer], expected[0] == '\0' ? "complete" : expected) != 0)
		play_fail(play, "%s: %s is due, not %s", name, expected, answers[answer]);
	return play->outcome == GOING_ON;
}

static bool operate(struct play *play, enum operation operation, uint64_t value)
{
	return start(play) && way_did(play, play->way->ops->operate(play->way, operation, play->unit, value));
}

static bool do_resize(struct play *play, struct reader *reader)
{
	uint64_t blocks;

	if (!reader_number(reader, &blocks) || !operate(play, OPERATE_RESIZE, blocks))
		return false;
	play->units[play->unit].blocks = blocks;
	set_unit(play, play->unit);
	return true;
}

/* eject; eject refused: an initiator has prevented it */
static bool do_eject(struct play *play, struct reader *reader)
{
	char word[16];

	reader_word(reader, word, sizeof(word));
	if (word[0] == '\0')
		return operate(play, OPERATE_EJECT, 0);
	if (strcmp(word, "refused") != 0)
		return reader_fail(reader, "eject, or eject refused");
	if (!start(play))
		return false;
	if (play->way->ops->operate(play->way, OPERATE_EJECT, play->unit, 0))
		play_fail(play, "the medium could be ejected");
	else if (strncmp(play->way->error, "refused", 7) != 0)
		return way_did(play, false);
	return play->outcome == GOING_ON;
}

static bool do_insert(struct play *play, struct reader *reader)
{
	(void)reader;
	if (!operate(play, OPERATE_INSERT, 0))
		return false;
	play->units[play->unit].empty = false;
	set_unit(play, play->unit);
	return true;
}

static bool do_power_cycle(struct play *play, struct reader *reader)
{
	(void)reader;
	memset(play->open, 0, sizeof(play->open));
	return operate(play, OPERATE_POWER_CYCLE, 0);
}

/* ---- medium LBA BYTES: what a read finds there ---- */

static bool do_medium(struct play *play, struct reader *reader)
{
	struct command read = {.way = WAY_IN, .cdb_length = 16, .cdb = {0x88}};
	struct bytes expected = {0};
	char why[300];
	uint64_t lba;
	bool good;

	/* The first number ends at white space. */
	if (!reader_number(reader, &lba) || !reader_bytes(reader, &expected)) {
		bytes_free(&expected);
		return false;
	}
	read.length = (uint32_t)((expected.length + play->names.bs - 1) / play->names.bs * play->names.bs);
	lf_put_be64(read.cdb + 2, lba);
	lf_put_be32(read.cdb + 10, (uint32_t)(read.length / play->names.bs));
	expected.open = true;
	good = run_command(play, &read, NULL);
	if (good && read.status != 0)
		play_fail(play, "the medium cannot be read: status %02x, sense %06x", read.status,
			command_sense(&read));
	else if (good && !bytes_equal(&expected, read.data, read.moved, why, sizeof(why)))
		play_fail(play, "the medium from LBA %llu on: %s", (unsigned long long)lba, why);
	free(read.data);
	bytes_free(&expected);
	return play->outcome == GOING_ON;
}

/* ---- Lines ---- */

static const struct directive {
	const char *name;
	bool of_command; /* says more of the CDB before */
	bool (*run)(struct play *play, struct reader *reader);
} directives[] = {
	{"cdb", false, do_cdb},
	{"in", true, do_in},
	{"out", true, do_out},
	{"data", true, do_data},
	{"expect", true, do_expect},
	{"residual", true, do_residual},
	{"reserved", true, do_reserved},
	{"medium", false, do_medium},
	{"unit", false, do_unit},
	{"no-unit", false, do_no_unit},
	{"connect", false, do_connect},
	{"disconnect", false, do_disconnect},
	{"lun", false, do_lun},
	{"nexus", false, do_nexus},
	{"close", false, do_close},
	{"lose", false, do_lose},
	{"keep-attentions", false, do_keep_attentions},
	{"drain", false, do_drain},
	{"for", false, do_for},
	{"only", false, do_only},
	{"not", false, do_not},
	{"tmf", false, do_tmf},
	{"resize", false, do_resize},
	{"eject", false, do_eject},
	{"insert", false, do_insert},
	{"power-cycle", false, do_power_cycle},
};

void play_line(struct play *play, const char *text)
{
	struct reader reader = {.at = text, .names = &play->names};
	const struct directive *directive = NULL;
	char name[24];

	reader_word(&reader, name, sizeof(name));
	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++)
		if (strcmp(directives[i].name, name) == 0)
			directive = &directives[i];
	if (directive == NULL) {
		play_fail(play, "unknown: %s", name);
		return;
	}
	if (!directive->of_command)
		play_flush(play);
	else if (!play->pending)
		play_fail(play, "%s comes after a cdb", name);
	if (play->outcome != GOING_ON)
		return;
	if (directive->run(play, &reader) && !reader_end(&reader))
		reader_fail(&reader, "too much: %.40s", reader.at);
	if (reader.error[0] != '\0')
		play_fail(play, "%s", reader.error);
}
