/* SPDX-License-Identifier: BSD-2-Clause */
/* test_reservation.c: PERSISTENT RESERVE IN and OUT: registrations, reservations, who hears of what. */
#include "tests/test.h"
#include "tests/unit/reservation_stage.h"

static const uint8_t types[] = {1, 3, 5, 6, 7, 8};

TEST(register_needs_the_key_that_there_is)
{
	struct stage *stage = stage_open();

	CHECK_EQ(pr_out(stage, 0, LF_PR_REGISTER, 0, 5, 1), CONFLICT); /* not registered: 0 is the key */
	CHECK_EQ(pr_out(stage, 0, LF_PR_REGISTER, 0, 0, 0), 0);
	CHECK_EQ(facts(stage).generation, 0);
	CHECK_EQ(pr_out(stage, 0, LF_PR_REGISTER, 0, 0, 1), 0);
	CHECK_EQ(pr_out(stage, 0, LF_PR_REGISTER, 0, 0, 2), CONFLICT);
	CHECK_EQ(pr_out(stage, 0, LF_PR_REGISTER, 0, 1, 2), 0);
	CHECK_EQ(pr_out(stage, 1, LF_PR_REGISTER_AND_IGNORE, 0, 99, 3), 0);
	CHECK_EQ(pr_out(stage, 1, LF_PR_REGISTER_AND_IGNORE, 0, 99, 4), 0);
	CHECK_EQ(facts(stage).registrations, 2);
	CHECK_EQ(facts(stage).generation, 4);
	CHECK_EQ(pr_in(stage, 2, 0, 100), 0);
	CHECK_EQ(lf_get_be32(stage->data), 4);
	CHECK_EQ(lf_get_be32(stage->data + 4), 16);
	CHECK_EQ(lf_get_be64(stage->data + 8), 2);
	CHECK_EQ(lf_get_be64(stage->data + 16), 4);
	CHECK_EQ(stage->command.request.data_moved, 24);
	CHECK_EQ(pr_in(stage, 2, 0, 9), 0); /* cut short, the length says what there is */
	CHECK_EQ(lf_get_be32(stage->data + 4), 16);
	CHECK_EQ(stage->command.request.data_moved, 9);
	CHECK_EQ(stage->data[9], 0xc5);
	CHECK_EQ(pr_out(stage, 0, LF_PR_REGISTER, 0, 2, 0), 0);
	CHECK_EQ(pr_out(stage, 1, LF_PR_REGISTER_AND_IGNORE, 0, 0, 0), 0);
	CHECK_EQ(facts(stage).registrations, 0);
	for (uint32_t i = 0; i < NEXUSES; i++)
		CHECK_EQ(attention(stage, i), 0);
	stage_close(stage);
}

TEST(parameter_lists_and_fields_that_are_refused)
{
	struct stage *stage = stage_open();
	uint8_t cdb[10] = {0x5f, LF_PR_REGISTER, 0, 0, 0, 0, 0, 0, 24};

	for (uint32_t length = 0; length < 30; length++) {
		cdb[8] = (uint8_t)length;
		memset(stage->data, 0, 64);
		CHECK_EQ(run(stage, 0, cdb, 10, LF_DIRECTION_OUT, length),
			length == 24 ? 0 : SENSE(0x5, 0x1a, 0x00));
	}
	cdb[5] = 0x7f; /* two gigabytes: no edge is asked to gather them */
	CHECK_EQ(run(stage, 0, cdb, 10, LF_DIRECTION_OUT, 24), SENSE(0x5, 0x1a, 0x00));
	CHECK_EQ(pr_out_with(stage, 0, LF_PR_REGISTER, 0, 0, 1, 0x08), SENSE(0x5, 0x26, 0x00));
	CHECK_EQ(pr_out_with(stage, 0, LF_PR_REGISTER, 0, 0, 1, 0x04), SENSE(0x5, 0x26, 0x00));
	CHECK_EQ(facts(stage).registrations, 0);
	CHECK_EQ(register_key(stage, 0, 1), 0);
	CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, 0x11, 1, 0), SENSE(0x5, 0x24, 0x00)); /* scope */
	for (uint8_t type = 0; type < 16; type++) {
		bool valid = memchr(types, type, sizeof(types)) != NULL;
		CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, type, 1, 0), valid ? 0 : SENSE(0x5, 0x24, 0x00));
		CHECK_EQ(pr_out(stage, 0, LF_PR_RELEASE, type, 1, 0), valid ? 0 : SENSE(0x5, 0x24, 0x00));
	}
	for (uint8_t action = 7; action < 32; action++)
		CHECK_EQ(pr_out(stage, 0, action, 1, 1, 0), SENSE(0x5, 0x24, 0x00));
	for (uint8_t action = 4; action < 32; action++)
		CHECK_EQ(pr_in(stage, 0, action, 64), SENSE(0x5, 0x24, 0x00));
	stage_close(stage);
}

TEST(capabilities_are_what_there_is)
{
	static const uint8_t saves[8] = {0, 8, 0x11, 0x90, 0xea, 0x01, 0, 0};
	struct stage *stage = stage_open();

	CHECK_EQ(pr_in(stage, 0, 2, 8), 0);
	CHECK(memcmp(stage->data, saves, 8) == 0);
	CHECK_EQ(pr_out_with(stage, 0, LF_PR_REGISTER, 0, 0, 1, 0x01), 0);
	CHECK_EQ(pr_in(stage, 0, 2, 8), 0);
	CHECK_EQ(stage->data[3], 0x91); /* PTPL_A */
	stage_close(stage);
	stage = stage_open_saved(false, NULL, 0);
	CHECK_EQ(pr_in(stage, 0, 2, 8), 0);
	CHECK_EQ(stage->data[2], 0x10);
	CHECK_EQ(pr_out_with(stage, 0, LF_PR_REGISTER, 0, 0, 1, 0x01), SENSE(0x5, 0x26, 0x00));
	CHECK_EQ(facts(stage).registrations, 0);
	stage_close(stage);
}

TEST(reserving_and_releasing)
{
	for (uint32_t i = 0; i < sizeof(types); i++) {
		struct stage *stage = stage_open();
		bool all = types[i] >= 7, spares = types[i] >= 5;
		uint8_t other = types[i] == 1 ? 3 : 1;

		CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, types[i], 0, 0), CONFLICT); /* not registered */
		CHECK_EQ(register_key(stage, 0, 10), 0);
		CHECK_EQ(register_key(stage, 1, 11), 0);
		CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, types[i], 11, 0), CONFLICT); /* another's key */
		CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, types[i], 10, 0), 0);
		CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, types[i], 10, 0), 0);
		CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, other, 10, 0), CONFLICT);
		CHECK_EQ(pr_out(stage, 1, LF_PR_RESERVE, types[i], 11, 0), all ? 0 : CONFLICT);
		CHECK_EQ(pr_in(stage, 2, 1, 64), 0);
		CHECK_EQ(lf_get_be32(stage->data), 2); /* RESERVE does not count */
		CHECK_EQ(lf_get_be32(stage->data + 4), 16);
		CHECK_EQ(lf_get_be64(stage->data + 8), all ? 0 : 10);
		CHECK_EQ(stage->data[21], types[i]);
		CHECK_EQ(pr_out(stage, 0, LF_PR_RELEASE, other, 10, 0), SENSE(0x5, 0x26, 0x04));
		CHECK_EQ(pr_out(stage, 0, LF_PR_RELEASE, types[i], 11, 0), CONFLICT);
		if (!all) {
			CHECK_EQ(pr_out(stage, 1, LF_PR_RELEASE, types[i], 11, 0), 0); /* not the holder */
			CHECK_EQ(facts(stage).type, types[i]);
		}
		CHECK_EQ(pr_out(stage, 0, LF_PR_RELEASE, types[i], 10, 0), 0);
		CHECK_EQ(facts(stage).type, 0);
		CHECK_EQ(attention(stage, 0), 0);
		CHECK_EQ(attention(stage, 1), spares ? RELEASED : 0);
		CHECK_EQ(attention(stage, 2), 0); /* not registered: it lost nothing */
		CHECK_EQ(pr_out(stage, 0, LF_PR_RELEASE, types[i], 10, 0), 0);
		CHECK_EQ(pr_in(stage, 0, 1, 64), 0);
		CHECK_EQ(stage->command.request.data_moved, 8);
		stage_close(stage);
	}
}

TEST(unregistering_the_holder)
{
	for (uint32_t i = 0; i < sizeof(types); i++) {
		struct stage *stage = stage_open();
		bool all = types[i] >= 7, only = types[i] == 5 || types[i] == 6;

		register_key(stage, 0, 10);
		register_key(stage, 1, 11);
		CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, types[i], 10, 0), 0);
		CHECK_EQ(register_key(stage, 0, 0), 0);
		CHECK_EQ(facts(stage).type, all ? types[i] : 0);
		CHECK_EQ(attention(stage, 0), 0);
		CHECK_EQ(attention(stage, 1), only ? RELEASED : 0);
		CHECK_EQ(register_key(stage, 1, 0), 0); /* the last one */
		CHECK_EQ(facts(stage).type, 0);
		CHECK_EQ(attention(stage, 0), 0);
		stage_close(stage);
	}
}

TEST(clear_takes_all_and_tells_who_was_registered)
{
	struct stage *stage = stage_open();

	register_key(stage, 0, 10);
	register_key(stage, 1, 11);
	CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, 3, 10, 0), 0);
	CHECK_EQ(pr_out(stage, 1, LF_PR_CLEAR, 0, 10, 0), CONFLICT);
	CHECK_EQ(pr_out(stage, 1, LF_PR_CLEAR, 0, 11, 0), 0);
	CHECK_EQ(facts(stage).registrations, 0);
	CHECK_EQ(facts(stage).type, 0);
	CHECK_EQ(facts(stage).generation, 3);
	CHECK_EQ(attention(stage, 0), PREEMPTED);
	CHECK_EQ(attention(stage, 1), 0);
	CHECK_EQ(attention(stage, 2), 0);
	stage_close(stage);
}

TEST(preempting_the_holder_takes_its_place)
{
	for (uint32_t i = 0; i < 4; i++) {
		struct stage *stage = stage_open();
		bool changes = i & 1;

		register_key(stage, 0, 10);
		register_key(stage, 1, 11);
		register_key(stage, 2, 12);
		CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, types[i], 10, 0), 0);
		CHECK_EQ(pr_out(stage, 1, LF_PR_PREEMPT, types[i], 11, 0), SENSE(0x5, 0x26, 0x00));
		CHECK_EQ(pr_out(stage, 1, LF_PR_PREEMPT, types[i], 11, 77), CONFLICT);
		CHECK_EQ(pr_out(stage, 1, LF_PR_PREEMPT, types[i], 10, 10), CONFLICT);
		CHECK_EQ(facts(stage).generation, 3);
		CHECK_EQ(pr_out(stage, 1, LF_PR_PREEMPT, changes ? 8 : types[i], 11, 10), 0);
		CHECK_EQ(facts(stage).generation, 4);
		CHECK_EQ(facts(stage).registrations, 2);
		CHECK_EQ(facts(stage).type, changes ? 8 : types[i]);
		CHECK_EQ(facts(stage).key, changes ? 0 : 11);
		CHECK_EQ(attention(stage, 0), UNREGISTERED);
		CHECK_EQ(attention(stage, 0), 0);
		CHECK_EQ(attention(stage, 1), 0);
		CHECK_EQ(attention(stage, 2), changes ? RELEASED : 0);
		stage_close(stage);
	}
}

TEST(preempting_registrations_alone)
{
	struct stage *stage = stage_open();

	register_key(stage, 0, 10);
	register_key(stage, 1, 11);
	register_key(stage, 2, 11);
	CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, 5, 10, 0), 0);
	CHECK_EQ(pr_out(stage, 0, LF_PR_PREEMPT, 1, 10, 11), 0);
	CHECK_EQ(facts(stage).registrations, 1);
	CHECK_EQ(facts(stage).type, 5); /* the type counts only for who takes the reservation */
	CHECK_EQ(facts(stage).key, 10);
	CHECK_EQ(attention(stage, 1), UNREGISTERED);
	CHECK_EQ(attention(stage, 2), UNREGISTERED);

	/* The holder preempts itself: it changes the type, and keeps its registration. */
	CHECK_EQ(pr_out(stage, 0, LF_PR_PREEMPT, 1, 10, 10), 0);
	CHECK_EQ(facts(stage).type, 1);
	CHECK_EQ(facts(stage).registrations, 1);
	/* Who holds nothing takes itself away, too. */
	register_key(stage, 1, 11);
	CHECK_EQ(pr_out(stage, 1, LF_PR_PREEMPT, 1, 11, 11), 0);
	CHECK_EQ(facts(stage).registrations, 1);
	CHECK_EQ(attention(stage, 1), 0);
	stage_close(stage);
}

TEST(preempting_all_registrants)
{
	struct stage *stage = stage_open();

	for (uint32_t i = 0; i < 3; i++)
		register_key(stage, i, 10 + i);
	CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, 7, 10, 0), 0);
	CHECK_EQ(pr_out(stage, 2, LF_PR_PREEMPT, 3, 12, 10), 0); /* one of them: the reservation stays */
	CHECK_EQ(facts(stage).type, 7);
	CHECK_EQ(facts(stage).registrations, 2);
	CHECK_EQ(attention(stage, 0), UNREGISTERED);
	CHECK_EQ(attention(stage, 1), 0);
	CHECK_EQ(pr_out(stage, 2, LF_PR_PREEMPT, 3, 12, 0), 0); /* all of them */
	CHECK_EQ(facts(stage).type, 3);
	CHECK_EQ(facts(stage).registrations, 1);
	CHECK_EQ(facts(stage).key, 12);
	CHECK_EQ(attention(stage, 1), UNREGISTERED);
	CHECK_EQ(attention(stage, 2), 0);

	CHECK_EQ(pr_out(stage, 2, LF_PR_PREEMPT, 8, 12, 12), 0);
	CHECK_EQ(pr_out(stage, 2, LF_PR_PREEMPT, 8, 12, 12), 0); /* the last registrant takes itself away */
	CHECK_EQ(facts(stage).type, 0);
	CHECK_EQ(facts(stage).registrations, 0);
	stage_close(stage);
}

TEST(preempt_and_abort_ends_the_tasks_of_the_preempted)
{
	struct stage *stage = stage_open();
	struct slow_command victim, bystander, own, out;
	uint8_t cdb[10] = {0x5f, LF_PR_PREEMPT_AND_ABORT, 1, 0, 0, 0, 0, 0, 24};

	register_key(stage, 0, 10);
	register_key(stage, 1, 11);
	register_key(stage, 2, 12);
	CHECK(slow_begin_write(stage, &victim, 0));
	CHECK(slow_begin_write(stage, &bystander, 2));
	CHECK(slow_begin_write(stage, &own, 1));
	CHECK(slow_begin(stage, &out, 1, cdb, sizeof(cdb)));
	pr_list(out.data, 11, 10, 0);
	slow_submit(&out);
	CHECK_EQ(out.ended, 0); /* not before the victim's task is done */
	CHECK_EQ(victim.hurried, 1);
	CHECK_EQ(bystander.hurried, 0);
	CHECK_EQ(own.hurried, 0);
	slow_submit(&victim);
	CHECK_EQ(victim.request.status, LF_STATUS_TASK_ABORTED);
	CHECK_EQ(out.ended, 1);
	CHECK_EQ(out.request.status, LF_STATUS_GOOD);
	slow_submit(&bystander);
	slow_submit(&own);
	CHECK_EQ(bystander.request.status, LF_STATUS_GOOD);
	CHECK_EQ(own.request.status, LF_STATUS_GOOD);
	CHECK_EQ(attention(stage, 0), UNREGISTERED);
	CHECK_EQ(attention(stage, 0), SENSE(0x6, 0x2f, 0x00));
	CHECK_EQ(attention(stage, 0), 0);
	CHECK_EQ(attention(stage, 1), 0);
	CHECK_EQ(attention(stage, 2), 0);
	stage_close(stage);
}

/* The preemptor's key is the victim's, too: its other tasks end, the command itself does not wait for itself.
 */
TEST(preempt_and_abort_of_itself)
{
	struct stage *stage = stage_open();
	struct slow_command own, other, out;
	uint8_t cdb[10] = {0x5f, LF_PR_PREEMPT_AND_ABORT, 1, 0, 0, 0, 0, 0, 24};

	register_key(stage, 0, 10);
	register_key(stage, 1, 10);
	CHECK(slow_begin_write(stage, &own, 0));
	CHECK(slow_begin_write(stage, &other, 1));
	CHECK(slow_begin(stage, &out, 0, cdb, sizeof(cdb)));
	pr_list(out.data, 10, 10, 0);
	slow_submit(&out);
	slow_submit(&own);
	CHECK_EQ(out.ended, 0);
	slow_submit(&other);
	CHECK_EQ(own.request.status, LF_STATUS_TASK_ABORTED);
	CHECK_EQ(other.request.status, LF_STATUS_TASK_ABORTED);
	CHECK_EQ(out.ended, 1);
	CHECK_EQ(out.request.status, LF_STATUS_GOOD);
	CHECK_EQ(attention(stage, 0), 0);
	stage_close(stage);
}

TEST(registrations_stay_when_their_initiators_go)
{
	struct stage *stage = stage_open();

	register_key(stage, 0, 10);
	register_key(stage, 1, 11);
	CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, 3, 10, 0), 0);
	depart(stage, 0);
	reset(stage, 1);
	CHECK_EQ(facts(stage).registrations, 2);
	CHECK_EQ(facts(stage).type, 3);
	CHECK_STR(facts(stage).holder, port_names[0]);
	CHECK_EQ(attention(stage, 1), SENSE(0x6, 0x29, 0x03));
	CHECK_EQ(read_block(stage, 1), CONFLICT);
	CHECK_EQ(arrive(stage, 0), POWER_ON);
	CHECK_EQ(write_block(stage, 0), 0); /* it is the holder again */
	CHECK_EQ(pr_out(stage, 0, LF_PR_RELEASE, 3, 10, 0), 0);

	/* Preempted while it is away: it comes back as nobody. */
	depart(stage, 0);
	CHECK_EQ(pr_out(stage, 1, LF_PR_PREEMPT, 3, 11, 10), 0);
	CHECK_EQ(arrive(stage, 0), POWER_ON);
	CHECK_EQ(attention(stage, 0), 0);
	CHECK_EQ(pr_out(stage, 0, LF_PR_REGISTER, 0, 10, 9), CONFLICT);
	stage_close(stage);
}

TEST(one_without_a_name_is_forgotten_when_it_goes)
{
	struct stage *stage = stage_open();

	register_key(stage, 3, 13);
	register_key(stage, 1, 11);
	CHECK_EQ(pr_out(stage, 3, LF_PR_RESERVE, 6, 13, 0), 0);
	CHECK_EQ(read_block(stage, 0), CONFLICT);
	depart(stage, 3);
	CHECK_EQ(facts(stage).registrations, 1);
	CHECK_EQ(facts(stage).type, 0);
	CHECK_EQ(read_block(stage, 0), 0);
	CHECK_EQ(attention(stage, 1), RELEASED);
	arrive(stage, 3);
	CHECK_EQ(pr_out(stage, 3, LF_PR_REGISTER, 0, 13, 1), CONFLICT);
	stage_close(stage);
}

TEST(full_status_names_every_initiator_port)
{
	struct stage *stage = stage_open();
	uint32_t at = 8;

	for (uint32_t i = 0; i < 3; i++)
		register_key(stage, i, 10 + i);
	CHECK_EQ(pr_out(stage, 1, LF_PR_RESERVE, 5, 11, 0), 0);
	depart(stage, 0);
	CHECK_EQ(pr_in(stage, 1, 3, 1024), 0);
	for (uint32_t i = 0; i < 3; i++) {
		const uint8_t *d = stage->data + at;
		uint32_t id = lf_get_be32(d + 20);
		CHECK_EQ(lf_get_be64(d), 10 + i);
		CHECK_EQ(d[12], i == 1);
		CHECK_EQ(d[13], i == 1 ? 5 : 0);
		CHECK_EQ(lf_get_be16(d + 18), 7);
		CHECK_EQ(d[24], 0x45);
		CHECK_EQ(lf_get_be16(d + 26), id - 4);
		CHECK_EQ(id % 4, 0);
		CHECK(id >= 24);
		CHECK_STR((const char *)d + 28, port_names[i]);
		CHECK_EQ(d[24 + id - 1], 0);
		at += 24 + id;
	}
	CHECK_EQ(lf_get_be32(stage->data + 4), at - 8);
	CHECK_EQ(stage->command.request.data_moved, at);
	CHECK_EQ(pr_in(stage, 1, 3, 50), 0);
	CHECK_EQ(lf_get_be32(stage->data + 4), at - 8);
	CHECK_EQ(stage->command.request.data_moved, 50);
	CHECK_EQ(stage->data[50], 0xc5);
	stage_close(stage);
}

TEST(registrations_have_a_limit)
{
	struct stage *stage = stage_open();
	char name[256];

	for (uint32_t i = 0; i <= LF_REGISTRATIONS_MAX; i++) {
		memset(name, 'x', sizeof(name)); /* the longest name there is */
		name[0] = (char)('0' + i / 100);
		name[1] = (char)('0' + i / 10 % 10);
		name[2] = (char)('0' + i % 10);
		name[255] = '\0';
		struct lf_nexus_options options = {.initiator_port = name, .port = &here};
		depart(stage, 0);
		stage->nexus[0] = lf_nexus_open(stage->adapter, &options);
		CHECK_EQ(attention(stage, 0), POWER_ON);
		CHECK_EQ(pr_out_with(stage, 0, LF_PR_REGISTER, 0, 0, i + 1, 0x01),
			i < LF_REGISTRATIONS_MAX ? 0 : SENSE(0x5, 0x55, 0x04));
	}
	CHECK_EQ(facts(stage).registrations, LF_REGISTRATIONS_MAX);
	CHECK_EQ(pr_in(stage, 1, 3, 60000), 0);
	CHECK_EQ(stage->command.request.data_moved, 8 + LF_REGISTRATIONS_MAX * (24 + 4 + 256));
	CHECK_EQ(pr_in(stage, 1, 0, 60000), 0);
	CHECK_EQ(stage->command.request.data_moved, 8 + LF_REGISTRATIONS_MAX * 8);

	struct stage *again = stage_open_saved(true, stage->store.blob, stage->store.length);
	CHECK_EQ(facts(again).registrations, LF_REGISTRATIONS_MAX);
	stage_close(again);
	stage_close(stage);
}
