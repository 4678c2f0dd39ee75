/* SPDX-License-Identifier: BSD-2-Clause */
/* corpus.h: the files *.scsi as the runner has them: text, values, units, commands, and the way to an
 * adapter. */
#ifndef LF_TESTS_CORPUS_H
#define LF_TESTS_CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CORPUS_LUNS    8 /* that a case may set up */
#define CORPUS_NEXUSES 4 /* A to D */
#define CORPUS_SENSE   252

/* ---- Values (value.c) ---- */

/* Numbers that expressions may name. */
struct names {
	uint64_t cap, bs, pbs, max; /* of the unit that is spoken to: blocks, bytes, bytes, blocks */
	char variable[16];          /* of the case's "for"; empty: none */
	uint64_t value;
};

/* Bytes, some of them known in part or not at all. */
struct bytes {
	uint8_t *value, *mask; /* a zero bit of mask: whatever it is */
	size_t length, room;
	bool open; /* ends in "...": more may follow */
};

void bytes_clear(struct bytes *bytes);
void bytes_free(struct bytes *bytes);

/* Where a line is read, and what is wrong with it. */
struct reader {
	const char *at;
	const struct names *names;
	char error[160]; /* empty: nothing */
};

bool reader_fail(struct reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reader_space(struct reader *reader);
bool reader_end(struct reader *reader); /* nothing is left on the line */
/* The next run of characters up to white space; empty at the end. */
void reader_word(struct reader *reader, char *word, size_t size);
bool reader_number(struct reader *reader, uint64_t *value);
/* Appends everything up to the end of the line. */
bool reader_bytes(struct reader *reader, struct bytes *to);

struct way_to;

/* ---- Units, commands ---- */

struct unit {
	bool there, cdrom, read_only, removable, no_unmap, empty;
	bool fill; /* every eight bytes of a block hold its LBA */
	uint64_t blocks;
	uint32_t block_size, physical_size;
};

void unit_fill(const struct unit *unit, uint64_t lba, uint8_t *block);

enum way { WAY_NONE, WAY_IN, WAY_OUT };

struct command {
	uint64_t lun;    /* as REPORT LUNS writes it */
	uint32_t unit;   /* its number, or CORPUS_LUNS and more: no unit of the case */
	bool lun_is_raw; /* no address of the flat or peripheral kind */
	uint8_t cdb[32];
	uint8_t cdb_length;
	enum way way;
	uint8_t *data; /* WAY_OUT: what goes out; WAY_IN: room, what came */
	uint32_t length;

	uint8_t status;
	uint8_t sense_length, sense[CORPUS_SENSE];
	uint32_t moved;    /* WAY_IN: bytes that came */
	bool has_residual; /* the way to the adapter knows it; else what did not come counts */
	bool overflow;
	uint32_t residual;
};

enum management { ABORT_TASK = 1, ABORT_TASK_SET, CLEAR_TASK_SET = 4, LUN_RESET, TARGET_RESET };
enum answer { ANSWER_COMPLETE, ANSWER_NO_TASK, ANSWER_NO_LUN, ANSWER_REJECTED };

/* What the operator does to a unit. */
enum operation { OPERATE_RESIZE, OPERATE_EJECT, OPERATE_INSERT, OPERATE_POWER_CYCLE, OPERATE_DROP };

/*
 * A way to an adapter. All return false when it went wrong, with the reason in error, which begins with
 * "skip: " when this way cannot do that at all.
 */
struct way_ops {
	const char *name;
	bool (*unit_add)(struct way_to *way, uint32_t lun, const struct unit *unit);
	bool (*unit_remove)(struct way_to *way, uint32_t lun);
	bool (*nexus_open)(struct way_to *way, uint32_t nexus);
	bool (*nexus_close)(struct way_to *way, uint32_t nexus);
	bool (*run)(struct way_to *way, uint32_t nexus, struct command *command);
	bool (*manage)(struct way_to *way, uint32_t nexus, enum management function, uint64_t lun,
		enum answer *answer);
	bool (*operate)(struct way_to *way, enum operation operation, uint32_t number, uint64_t value);
	void (*clear)(struct way_to *way); /* no nexus, no unit: ready for the next case */
	void (*close)(struct way_to *way);
};

struct way_to {
	const struct way_ops *ops;
	char error[400];
};

bool way_fail(struct way_to *way, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* NULL when it cannot be had; the reason went to stdout. */
struct way_to *loop_way_open(bool deferred);
struct way_to *iscsi_way_open(void);
struct way_to *storport_way_open(void);

/* ---- Files (case.c) ---- */

struct corpus {
	const char *only; /* names of cases that have this in them; NULL: all */
	uint32_t passed, failed, skipped;
};

/* Runs every case of a file over a way; false when the file cannot be read. */
bool corpus_run(struct corpus *corpus, const char *path, struct way_to *way);

/* Decodes what REPORT SUPPORTED OPERATION CODES says of a unit into text, one line a command (opcodes.c). */
bool opcodes_check(struct corpus *corpus, const char *golden, struct way_to *way, bool cdrom, bool write);

#endif
