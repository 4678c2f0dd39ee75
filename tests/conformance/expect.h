/* SPDX-License-Identifier: BSD-2-Clause */
/* expect.h: what a command of a case has to answer. */
#ifndef LF_TESTS_EXPECT_H
#define LF_TESTS_EXPECT_H

#include "tests/conformance/corpus.h"

#define SENSES_MAX 4
#define ANY        (-1)

enum wanted { WANTED_NONE, WANTED_ANY, WANTED_THIS };
enum residual { RESIDUAL_USUAL, RESIDUAL_ANY, RESIDUAL_NONE, RESIDUAL_UNDER, RESIDUAL_OVER };

struct expectation {
	bool given;
	bool any; /* whatever the status is: what counts is what happened to the medium */
	uint8_t status;
	int senses[SENSES_MAX][3]; /* KEY, ASC, ASCQ, or ANY; any of the rows will do */
	uint32_t sense_count;
	enum wanted information, field;
	uint64_t information_value;
	bool field_in_list; /* of the parameter list, else of the CDB */
	uint32_t field_byte;
	int field_bit;  /* or ANY */
	uint8_t format; /* 0x70 or 0x72; 0: either */
	enum residual residual;
	uint64_t residual_value;
	bool has_data;
	struct bytes data;
};

void expectation_clear(struct expectation *expectation);
/* The rest of an "expect" or "residual" line. */
bool expectation_read(struct expectation *expectation, struct reader *reader);
bool expectation_read_residual(struct expectation *expectation, struct reader *reader);

/* False when the answer is another one; why says what was expected and what came. */
bool expectation_met(
	const struct expectation *expectation, const struct command *command, char *why, size_t size);

/* KEY/ASC/ASCQ in one number; 0: no sense. */
uint32_t command_sense(const struct command *command);

/* False, with the first difference in why. */
bool bytes_equal(const struct bytes *expected, const uint8_t *got, size_t length, char *why, size_t size);

#endif
