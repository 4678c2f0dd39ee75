/* SPDX-License-Identifier: BSD-2-Clause */
/* test_saved.c: what a unit keeps over a loss of power: when it is written, what it brings back, what damages
 * it. */
#include "tests/test.h"
#include "tests/unit/reservation_stage.h"

#define APTPL 0x01

/* Two registrants, the first of which holds, all of it saved. */
static struct stage *stage_with_holder(uint8_t type)
{
	struct stage *stage = stage_open();

	if (pr_out_with(stage, 0, LF_PR_REGISTER, 0, 0, 10, APTPL) != 0 ||
		pr_out_with(stage, 1, LF_PR_REGISTER, 0, 0, 11, APTPL) != 0 ||
		pr_out(stage, 0, LF_PR_RESERVE, type, 10, 0) != 0)
		abort();
	return stage;
}

TEST(registrations_and_reservation_come_back)
{
	for (uint8_t type = 1; type <= 8; type++) {
		if (!lf_pr_type_is_valid(type))
			continue;
		struct stage *before = stage_with_holder(type);
		CHECK_EQ(before->store.saves, 3);
		struct stage *after = stage_open_saved(true, before->store.blob, before->store.length);

		CHECK_EQ(facts(after).type, type);
		CHECK_EQ(facts(after).registrations, 2);
		CHECK_EQ(facts(after).key, type >= 7 ? 0 : 10);
		CHECK_EQ(facts(after).persists, true);
		CHECK_EQ(facts(after).generation, 0); /* SPC-4 5.13.5: zero after power on */
		CHECK_EQ(write_block(after, 0), 0);
		CHECK_EQ(write_block(after, 2), CONFLICT);
		CHECK_EQ(pr_out(after, 1, LF_PR_PREEMPT, 1, 11, type >= 7 ? 0 : 10), 0);
		CHECK_EQ(after->store.saves, 1); /* changes are saved on */
		stage_close(after);
		stage_close(before);
	}
}

TEST(what_does_not_persist_is_not_saved)
{
	struct stage *stage = stage_open();

	register_key(stage, 0, 10);
	CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, 1, 10, 0), 0);
	CHECK_EQ(stage->store.saves, 0);
	CHECK_EQ(pr_out_with(stage, 1, LF_PR_REGISTER, 0, 0, 11, APTPL), 0); /* now all of it is */
	CHECK_EQ(stage->store.saves, 1);
	struct stage *after = stage_open_saved(true, stage->store.blob, stage->store.length);
	CHECK_EQ(facts(after).registrations, 2);
	CHECK_EQ(facts(after).type, 1);
	stage_close(after);

	CHECK_EQ(pr_out(stage, 1, LF_PR_REGISTER, 0, 11, 12), 0); /* the last one to register has the word */
	CHECK_EQ(stage->store.saves, 2);
	after = stage_open_saved(true, stage->store.blob, stage->store.length);
	CHECK_EQ(facts(after).registrations, 0);
	CHECK_EQ(facts(after).type, 0);
	stage_close(after);
	CHECK_EQ(register_key(stage, 1, 13), 0);
	CHECK_EQ(stage->store.saves, 2);
	stage_close(stage);
}

TEST(one_without_a_name_is_not_saved_nor_what_it_holds)
{
	struct stage *stage = stage_open();

	CHECK_EQ(pr_out_with(stage, 3, LF_PR_REGISTER, 0, 0, 13, APTPL), 0);
	CHECK_EQ(pr_out_with(stage, 0, LF_PR_REGISTER, 0, 0, 10, APTPL), 0);
	CHECK_EQ(pr_out(stage, 3, LF_PR_RESERVE, 3, 13, 0), 0);
	struct stage *after = stage_open_saved(true, stage->store.blob, stage->store.length);
	CHECK_EQ(facts(after).registrations, 1);
	CHECK_EQ(facts(after).type, 0);
	stage_close(after);
	stage_close(stage);
}

TEST(the_answer_waits_for_the_save)
{
	struct stage *stage = stage_open();
	struct slow_command out, writer;
	uint8_t cdb[10] = {0x5f, LF_PR_RESERVE, 3, 0, 0, 0, 0, 0, 24};

	CHECK_EQ(pr_out_with(stage, 0, LF_PR_REGISTER, 0, 0, 10, APTPL), 0);
	stage->store.hold = true;
	CHECK(slow_begin(stage, &out, 0, cdb, sizeof(cdb)));
	pr_list(out.data, 10, 0, 0);
	slow_submit(&out);
	CHECK(stage->store.held != NULL);
	CHECK_EQ(out.ended, 0);
	CHECK_EQ(facts(stage).type, 0); /* nor does anybody see it */
	CHECK(slow_begin_write(stage, &writer, 1));
	slow_submit(&writer);
	CHECK_EQ(writer.ended, 0); /* nothing runs across the change */
	saving_done(&stage->store, stage->store.held);
	CHECK_EQ(out.ended, 1);
	CHECK_EQ(facts(stage).type, 3);
	CHECK_EQ(writer.ended, 1);
	CHECK_EQ(writer.request.status, LF_STATUS_RESERVATION_CONFLICT);
	stage_close(stage);
}

TEST(what_could_not_be_saved_did_not_happen)
{
	struct stage *stage = stage_with_holder(3);

	stage->store.fail_with = LF_E_IO;
	CHECK_EQ(pr_out(stage, 1, LF_PR_PREEMPT_AND_ABORT, 1, 11, 10), SENSE(0x4, 0x44, 0x00));
	CHECK_EQ(pr_out(stage, 1, LF_PR_CLEAR, 0, 11, 0), SENSE(0x4, 0x44, 0x00));
	CHECK_EQ(pr_out_with(stage, 2, LF_PR_REGISTER, 0, 0, 12, APTPL), SENSE(0x4, 0x44, 0x00));
	CHECK_EQ(facts(stage).registrations, 2);
	CHECK_EQ(facts(stage).key, 10);
	CHECK_EQ(facts(stage).generation, 2);
	for (uint32_t i = 0; i < NEXUSES; i++)
		CHECK_EQ(attention(stage, i), 0);
	stage->store.fail_with = LF_OK;
	CHECK_EQ(pr_out(stage, 0, LF_PR_RELEASE, 3, 10, 0), 0);
	stage_close(stage);
}

static void cleared(struct lf_reservations_clear *clear)
{
	(void)clear;
}

TEST(the_operator_clears_what_was_saved)
{
	struct stage *stage = stage_with_holder(6);
	struct lf_reservations_clear clear = {.done = cleared};

	stage->store.fail_with = LF_E_NO_SPACE;
	lf_lu_reservations_clear(stage->lu, &clear);
	CHECK_EQ(clear.error, LF_E_NO_SPACE);
	CHECK_EQ(facts(stage).registrations, 2);
	stage->store.fail_with = LF_OK;
	lf_lu_reservations_clear(stage->lu, &clear);
	CHECK_EQ(clear.error, LF_OK);
	CHECK_EQ(facts(stage).registrations, 0);
	CHECK_EQ(facts(stage).type, 0);
	CHECK_EQ(attention(stage, 0), PREEMPTED);
	CHECK_EQ(attention(stage, 1), PREEMPTED);
	CHECK_EQ(attention(stage, 2), 0);
	CHECK_EQ(write_block(stage, 2), 0);
	struct stage *after = stage_open_saved(true, stage->store.blob, stage->store.length);
	CHECK_EQ(facts(after).registrations, 0);
	stage_close(after);

	CHECK_EQ(none(stage, 0, 0x16, 0), 0); /* RESERVE (6), too */
	CHECK_EQ(facts(stage).reserved, true);
	lf_lu_reservations_clear(stage->lu, &clear);
	CHECK_EQ(facts(stage).reserved, false);
	CHECK_EQ(write_block(stage, 2), 0);
	stage_close(stage);
}

/* ---- A blob that anything may have written ---- */

/* Whatever a unit took, it is a state that commands could have led to. */
static bool is_sound(struct lf_reservation_table *table)
{
	uint32_t count = 0, holders = 0;

	for (uint32_t i = 0; i < LF_REGISTRATIONS_MAX; i++) {
		const struct lf_registration *slot = &table->slots[i];
		struct lf_registrant who = {.port = slot->port, .relative_port = slot->relative_port};
		if (slot->key == 0)
			continue;
		count++;
		holders += slot->holder;
		if (slot->port[0] == '\0' || slot->port[255] != '\0' ||
			lf_registration_find(table, &who) != slot)
			return false;
	}
	bool alone = table->type != 0 && table->type < 7;
	return count == table->count && holders == alone && (table->type == 0 || count > 0) &&
	       (table->type == 0 || lf_pr_type_is_valid(table->type));
}

/* The unit takes it or not; copied, so that a byte read beyond its end is found. */
static bool takes(struct stage *stage, const uint8_t *from, size_t length)
{
	uint8_t *blob = malloc(length == 0 ? 1 : length);

	if (blob == NULL)
		abort();
	memcpy(blob, from, length);
	bool took = lf_saved_read(stage->lu, blob, length);
	free(blob);
	return took;
}

TEST(a_damaged_blob_is_taken_whole_or_not_at_all)
{
	struct stage *before = stage_with_holder(5), *stage = stage_open();
	struct lf_reservations *all = stage->lu->reservations;
	size_t length = before->store.length;
	uint8_t blob[LF_SAVED_BYTES];

	for (size_t cut = 0; cut <= length; cut++) {
		bool took = takes(stage, before->store.blob, cut);
		CHECK_EQ(took, cut == length || cut == 8); /* a header alone is a blob, too */
		CHECK(is_sound(all->now));
	}
	for (size_t bit = 0; bit < length * 8; bit++) {
		memcpy(blob, before->store.blob, length);
		blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
		takes(stage, blob, length);
		CHECK(is_sound(all->now));
	}
	uint64_t seed = 88172645463325252ull;
	for (uint32_t round = 0; round < 20000; round++) {
		memcpy(blob, before->store.blob, length);
		for (uint32_t i = 0; i < 1 + round % 7; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			blob[8 + seed % (length - 8)] = (uint8_t)(seed >> 32);
		}
		takes(stage, blob, length - (round % 3 == 0 ? seed % length : 0));
		CHECK(is_sound(all->now));
	}
	stage_close(stage);
	stage_close(before);
}

/* A blob of this many registrations; two of one name when `same`. Returns its length. */
static size_t compose(uint8_t *blob, uint8_t type, uint32_t count, uint64_t key, uint32_t holders, bool same)
{
	uint8_t *at = blob + 16;

	memset(blob, 0, 16);
	lf_put_be32(blob, 0x4c46756e);
	lf_put_be16(blob + 4, 1);
	lf_put_be16(blob + 8, 1);
	blob[12] = type;
	lf_put_be16(blob + 14, (uint16_t)count);
	for (uint32_t i = 0; i < count; i++) {
		lf_put_be64(at, key);
		lf_put_be16(at + 8, 7);
		at[10] = 5;
		at[11] = i < holders;
		lf_put_be16(at + 12, 2);
		at[14] = (uint8_t)('a' + (same ? 0 : i / 16));
		at[15] = (uint8_t)('a' + (same ? 0 : i % 16));
		at += 16;
	}
	lf_put_be16(blob + 10, (uint16_t)(at - blob - 12));
	return (size_t)(at - blob);
}

TEST(states_that_no_command_leads_to_are_refused)
{
	static const struct {
		uint8_t type;
		uint32_t count;
		uint64_t key;
		uint32_t holders;
		bool same, taken;
	} blobs[] = {
		{0, 0, 1, 0, false, true},
		{3, 2, 1, 1, false, true},
		{7, 2, 1, 0, false, true},
		{0, LF_REGISTRATIONS_MAX, 1, 0, false, true},
		{0, LF_REGISTRATIONS_MAX + 1, 1, 0, false, false},
		{0, 2, 1, 0, true, false}, /* the same port twice */
		{0, 2, 0, 0, false, false},
		{3, 2, 1, 0, false, false}, /* nobody holds it */
		{3, 2, 1, 2, false, false},
		{0, 2, 1, 1, false, false}, /* somebody holds nothing */
		{7, 2, 1, 1, false, false},
		{7, 0, 1, 0, false, false},
		{2, 2, 1, 1, false, false},
	};
	struct stage *stage = stage_open();
	uint8_t blob[LF_SAVED_BYTES];

	for (uint32_t i = 0; i < lf_count_of(blobs); i++) {
		size_t length = compose(
			blob, blobs[i].type, blobs[i].count, blobs[i].key, blobs[i].holders, blobs[i].same);
		CHECK_EQ(takes(stage, blob, length), blobs[i].taken);
		CHECK(is_sound(stage->lu->reservations->now));
	}
	stage_close(stage);
}

TEST(a_damaged_blob_leaves_the_unit_without_and_usable)
{
	struct stage *before = stage_with_holder(3);

	before->store.blob[12] ^= 0xff; /* the type */
	struct stage *after = stage_open_saved(true, before->store.blob, before->store.length);
	CHECK_EQ(facts(after).registrations, 0);
	CHECK_EQ(write_block(after, 2), 0);
	stage_close(after);
	stage_close(before);
}

TEST(sections_of_a_later_day_are_passed_over)
{
	struct stage *before = stage_with_holder(3), *after;
	static const uint8_t section[] = {0x7f, 0x01, 0, 3, 'a', 'b', 'c'};
	uint8_t *end = before->store.blob + before->store.length;

	memcpy(end, section, sizeof(section));
	after = stage_open_saved(true, before->store.blob, before->store.length + sizeof(section));
	CHECK_EQ(facts(after).registrations, 2);
	stage_close(after);
	memcpy(end, before->store.blob + 8, before->store.length - 8); /* the same section twice */
	after = stage_open_saved(true, before->store.blob, 2 * before->store.length - 8);
	CHECK_EQ(facts(after).registrations, 0);
	stage_close(after);
	stage_close(before);
}
