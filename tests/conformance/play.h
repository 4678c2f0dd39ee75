/* SPDX-License-Identifier: BSD-2-Clause */
/* play.h: one case on its way over one way to an adapter. */
#ifndef LF_TESTS_PLAY_H
#define LF_TESTS_PLAY_H

#include "tests/conformance/expect.h"

#define ROOM_MAX (16u << 20) /* bytes that a command may move */

enum outcome { GOING_ON, FAILED, SKIPPED };

struct play {
	struct way_to *way;
	const char *path;
	uint32_t line; /* of the file, from 1 */
	enum outcome outcome;
	char why[600];

	struct names names;
	uint64_t for_at, for_count;            /* which of the values of "for", and how many there are */
	struct unit units[CORPUS_LUNS], spare; /* spare: for units that are not there */
	bool started;                          /* the units were set up */
	bool keep_attentions;
	bool open[CORPUS_NEXUSES];
	uint32_t nexus, unit;
	uint64_t lun; /* as REPORT LUNS writes it */
	bool lun_is_raw;

	/* The command that is being described; it runs when something else begins. */
	bool pending;
	uint32_t command_line;
	struct bytes cdb, out;
	enum way direction;
	uint64_t room; /* WAY_IN */
	bool reserved_given;
	struct bytes reserved;
	struct expectation expectation;
};

void play_fail(struct play *play, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One line of the case; sets outcome. */
void play_line(struct play *play, const char *text);
/* Runs the command that waits. */
void play_flush(struct play *play);
void play_free(struct play *play);
/* Reads BLOCKS=..., "ro" and so on. */
bool unit_read(struct unit *unit, struct reader *reader);

#endif
