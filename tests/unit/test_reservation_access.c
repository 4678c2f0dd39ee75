/* SPDX-License-Identifier: BSD-2-Clause */
/* test_reservation_access.c: which commands meet a reservation, in what order, RESERVE and RELEASE, many
 * threads. */
#include <pthread.h>

#include "core/handlers.h"
#include "tests/test.h"
#include "tests/unit/reservation_stage.h"

/* What SPC-4 table 66, SBC-4 table 13 and SPC-2 table 10 say of the commands there are. */
enum class { ALWAYS, READS, CONFLICTS, BY_FIELDS };

static const struct {
	uint8_t opcode;
	enum class class;
	bool passes_reserve;
} classes[] = {
	{0x00, ALWAYS, false},                              /* TEST UNIT READY */
	{0x03, ALWAYS, true},                               /* REQUEST SENSE */
	{0x08, READS, false},                               /* READ (6) */
	{0x0a, CONFLICTS, false}, {0x12, ALWAYS, true},     /* INQUIRY */
	{0x15, CONFLICTS, false},                           /* MODE SELECT (6) */
	{0x16, ALWAYS, false},                              /* RESERVE (6): its own rules */
	{0x17, ALWAYS, true},                               /* RELEASE (6): likewise */
	{0x1a, READS, false},                               /* MODE SENSE (6) */
	{0x1b, BY_FIELDS, false}, {0x1d, CONFLICTS, false}, /* SEND DIAGNOSTIC */
	{0x1e, BY_FIELDS, false}, {0x25, ALWAYS, false}, {0x28, READS, false}, {0x2a, CONFLICTS, false},
	{0x2e, CONFLICTS, false},                       /* WRITE AND VERIFY (10) */
	{0x2f, READS, false},                           /* VERIFY (10) */
	{0x34, READS, false},                           /* PRE-FETCH (10) */
	{0x35, CONFLICTS, false}, {0x37, READS, false}, /* READ DEFECT DATA (10) */
	{0x3b, CONFLICTS, false},                       /* WRITE BUFFER */
	{0x3c, READS, false},                           /* READ BUFFER */
	{0x41, CONFLICTS, false}, {0x42, CONFLICTS, false}, {0x4c, CONFLICTS, false}, /* LOG SELECT */
	{0x4d, ALWAYS, true},                                                         /* LOG SENSE */
	{0x55, CONFLICTS, false},                                                     /* MODE SELECT (10) */
	{0x56, ALWAYS, false}, {0x57, ALWAYS, true}, {0x5a, READS, false},
	{0x5e, ALWAYS, false},                              /* PERSISTENT RESERVE IN */
	{0x5f, ALWAYS, false},                              /* PERSISTENT RESERVE OUT: its own rules */
	{0x88, READS, false}, {0x89, CONFLICTS, false},     /* COMPARE AND WRITE */
	{0x8a, CONFLICTS, false}, {0x8b, CONFLICTS, false}, /* ORWRITE (16) */
	{0x8e, CONFLICTS, false}, {0x8f, READS, false}, {0x90, READS, false},         /* PRE-FETCH (16) */
	{0x91, CONFLICTS, false}, {0x93, CONFLICTS, false}, {0x9c, CONFLICTS, false}, /* WRITE ATOMIC (16) */
	{0x9e, READS, false},  /* GET LBA STATUS; READ CAPACITY (16) always, like (10) */
	{0xa0, ALWAYS, true},  /* REPORT LUNS */
	{0xa3, ALWAYS, false}, /* REPORT SUPPORTED OPERATION CODES */
	{0xa8, READS, false}, {0xaa, CONFLICTS, false}, {0xae, CONFLICTS, false}, {0xaf, READS, false},
	{0xb7, READS, false}, /* READ DEFECT DATA (12) */
};

TEST(every_command_was_thought_of)
{
	static const uint32_t flag_of[] = {
		LF_CMD_PASSES_ALL, LF_CMD_PASSES_READS, LF_CMD_CONFLICTS, LF_CMD_PASSES_BY_FIELDS};
	const uint32_t all =
		LF_CMD_PASSES_ALL | LF_CMD_PASSES_READS | LF_CMD_CONFLICTS | LF_CMD_PASSES_BY_FIELDS;

	for (uint32_t row = 0; row < lf_command_count; row++) {
		const struct lf_command *command = &lf_commands[row];
		uint32_t i = 0;
		/* MMC-6 has no such table: what only a drive knows has one of the classes. */
		if (!(command->flags & LF_CMD_DISK)) {
			uint32_t class = command->flags & all;
			CHECK(class != 0 && (class & (class - 1)) == 0);
			continue;
		}
		while (i < lf_count_of(classes) && classes[i].opcode != command->opcode)
			i++;
		if (i == lf_count_of(classes)) {
			lf_test_fail(
				__FILE__, __LINE__, "%s stands in no table of reservations", command->name);
			return;
		}
		bool capacity = command->execute == lf_read_capacity_16;
		CHECK_EQ(command->flags & all, flag_of[capacity ? ALWAYS : classes[i].class]);
		CHECK_EQ((command->flags & LF_CMD_PASSES_RESERVE) != 0, classes[i].passes_reserve);
		/* What changes the medium never passes. */
		CHECK(!(command->flags & LF_CMD_WRITES) || (command->flags & LF_CMD_CONFLICTS));
	}
}

TEST(who_may_read_and_write)
{
	static const struct {
		uint8_t type;
		bool registered_reads, registered_writes, other_reads;
	} rights[] = {
		{1, true, false, true},
		{3, false, false, false},
		{5, true, true, true},
		{6, true, true, false},
		{7, true, true, true},
		{8, true, true, false},
	};

	for (uint32_t i = 0; i < lf_count_of(rights); i++) {
		struct stage *stage = stage_open();
		register_key(stage, 0, 10);
		register_key(stage, 1, 11);
		CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, rights[i].type, 10, 0), 0);
		CHECK_EQ(read_block(stage, 0), 0);
		CHECK_EQ(write_block(stage, 0), 0);
		CHECK_EQ(read_block(stage, 1), rights[i].registered_reads ? 0 : CONFLICT);
		CHECK_EQ(write_block(stage, 1), rights[i].registered_writes ? 0 : CONFLICT);
		CHECK_EQ(read_block(stage, 2), rights[i].other_reads ? 0 : CONFLICT);
		CHECK_EQ(write_block(stage, 2), CONFLICT);
		CHECK_EQ(attention(stage, 2), 0);        /* TEST UNIT READY passes */
		CHECK_EQ(none(stage, 2, 0x1b, 0x01), 0); /* START STOP UNIT: START alone */
		CHECK_EQ(none(stage, 2, 0x1b, 0x00), CONFLICT);
		CHECK_EQ(none(stage, 2, 0x1b, 0x11), CONFLICT);
		CHECK_EQ(none(stage, 2, 0x35, 0), CONFLICT); /* SYNCHRONIZE CACHE */
		CHECK_EQ(pr_in(stage, 2, 0, 64), 0);
		CHECK_EQ(none(stage, 2, 0xff, 0), SENSE(0x5, 0x20, 0x00)); /* no command, no conflict */
		depart(stage, 2);
		CHECK_EQ(arrive(stage, 2), POWER_ON); /* it comes again, as little registered */
		CHECK_EQ(write_block(stage, 2), CONFLICT);
		CHECK_EQ(pr_out(stage, 0, LF_PR_RELEASE, rights[i].type, 10, 0), 0);
		CHECK_EQ(write_block(stage, 2), 0);
		stage_close(stage);
	}
}

/* SAM-5 5.3.3: attentions of resets, then the conflict, then the other attentions. */
TEST(the_conflict_has_its_place_among_attentions)
{
	struct stage *stage = stage_open();

	register_key(stage, 0, 10);
	register_key(stage, 1, 11);
	CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, 3, 10, 0), 0);
	CHECK_EQ(pr_out(stage, 0, LF_PR_PREEMPT, 3, 10, 11), 0); /* 2A/05 for the other one */
	reset(stage, 0);
	CHECK_EQ(read_block(stage, 1), SENSE(0x6, 0x29, 0x03));
	CHECK_EQ(read_block(stage, 1), CONFLICT);
	CHECK_EQ(read_block(stage, 1), CONFLICT);
	CHECK_EQ(attention(stage, 1), UNREGISTERED);
	CHECK_EQ(attention(stage, 1), 0);
	CHECK_EQ(read_block(stage, 1), CONFLICT);
	stage_close(stage);
}

TEST(a_reservation_that_comes_between_begin_and_submit)
{
	struct stage *stage = stage_open();
	struct slow_command writer, holder;

	register_key(stage, 0, 10);
	CHECK(slow_begin_write(stage, &writer, 1));
	CHECK(slow_begin_write(stage, &holder, 0));
	CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, 1, 10, 0), 0); /* it waits for no data of theirs */
	slow_submit(&writer);
	slow_submit(&holder);
	CHECK_EQ(writer.request.status, LF_STATUS_RESERVATION_CONFLICT);
	CHECK_EQ(holder.request.status, LF_STATUS_GOOD);
	stage_close(stage);
}

TEST(reserve_is_of_a_nexus_and_ends_with_it)
{
	static const uint8_t reserves[] = {0x16, 0x56}, releases[] = {0x17, 0x57};

	for (uint32_t i = 0; i < 2; i++) {
		struct stage *stage = stage_open();
		uint8_t mode_sense[6] = {0x1a, 0, 0x3f, 0, 255};
		CHECK_EQ(none(stage, 0, reserves[i], 0), 0);
		CHECK_EQ(none(stage, 0, reserves[i], 0), 0);
		CHECK_STR(facts(stage).holder, port_names[0]);
		CHECK_EQ(none(stage, 1, reserves[i], 0), CONFLICT);
		CHECK_EQ(none(stage, 1, releases[i], 0), 0); /* nothing happens */
		CHECK_EQ(read_block(stage, 1), CONFLICT);
		CHECK_EQ(none(stage, 1, 0x00, 0), CONFLICT);
		CHECK_EQ(run(stage, 1, mode_sense, 6, LF_DIRECTION_IN, 255), CONFLICT);
		CHECK_EQ(run(stage, 0, mode_sense, 6, LF_DIRECTION_IN, 255), 0);
		CHECK_EQ(write_block(stage, 0), 0);
		/* SPC-2 5.5.1: no persistent reservations meanwhile, for whomever. */
		CHECK_EQ(register_key(stage, 0, 10), CONFLICT);
		CHECK_EQ(pr_in(stage, 0, 0, 64), CONFLICT);
		CHECK_EQ(register_key(stage, 1, 11), CONFLICT);
		CHECK_EQ(none(stage, 0, releases[i], 0), 0);
		CHECK_EQ(read_block(stage, 1), 0);

		CHECK_EQ(none(stage, 0, reserves[i], 0), 0);
		depart(stage, 0);
		CHECK_EQ(none(stage, 1, reserves[i], 0), 0);
		reset(stage, 2);
		CHECK_EQ(arrive(stage, 0), POWER_ON);
		CHECK_EQ(none(stage, 0, reserves[i], 0), 0);
		CHECK_EQ(attention(stage, 1), SENSE(0x6, 0x29, 0x03));
		CHECK_EQ(attention(stage, 1), CONFLICT);
		stage_close(stage);
	}
}

/* SPC-4 5.13.3, as CRH says: RESERVE and RELEASE among registrations. */
TEST(reserve_where_there_are_registrations)
{
	struct stage *stage = stage_open();

	register_key(stage, 0, 10);
	register_key(stage, 1, 11);
	CHECK_EQ(none(stage, 0, 0x16, 0), CONFLICT); /* registered, but nothing is reserved */
	CHECK_EQ(none(stage, 2, 0x17, 0), CONFLICT);
	for (uint8_t type = 1; type <= 8; type++) {
		if (!lf_pr_type_is_valid(type))
			continue;
		CHECK_EQ(pr_out(stage, 0, LF_PR_RESERVE, type, 10, 0), 0);
		for (uint8_t opcode = 0x16; opcode <= 0x17; opcode++) {
			CHECK_EQ(none(stage, 0, opcode, 0), 0);
			CHECK_EQ(none(stage, 1, opcode, 0), type >= 5 ? 0 : CONFLICT);
			CHECK_EQ(none(stage, 2, opcode, 0), CONFLICT);
		}
		CHECK_EQ(facts(stage).reserved, false);
		CHECK_EQ(facts(stage).type, type);
		CHECK_EQ(pr_out(stage, 0, LF_PR_RELEASE, type, 10, 0), 0);
		attention(stage, 1);
	}
	stage_close(stage);
}

/* A RESERVE that a reset overtakes: whether it came before or after, nothing of it is left. */
TEST(a_reset_leaves_no_reserve_behind)
{
	struct stage *stage = stage_open();
	struct slow_command reserve;
	uint8_t cdb[6] = {0x16};

	CHECK(slow_begin(stage, &reserve, 0, cdb, sizeof(cdb)));
	struct lf_tmf tmf = {.nexus = stage->nexus[1], .function = LF_TMF_LUN_RESET, .done = tmf_answered};
	lf_tmf_submit(&tmf);
	slow_submit(&reserve);
	CHECK_EQ(reserve.request.status, LF_STATUS_TASK_ABORTED);
	CHECK_EQ(facts(stage).reserved, false);
	stage_close(stage);
}

/* ---- Many threads ---- */

#define ROUNDS 400

/* One nexus of one thread: it fights for the unit, and writes when it has it. */
struct fighter {
	struct stage *stage;
	uint32_t who;
	uint32_t writes;
	pthread_t thread;
};

static uint32_t fight(struct fighter *fighter, struct lf_loop_edge_command *command, const uint8_t *cdb,
	uint8_t *data, uint32_t length)
{
	struct lf_segment segment = {data, length};

	command->nexus = fighter->stage->nexus[fighter->who];
	memcpy(command->cdb, cdb, 10);
	command->cdb_length = 10;
	command->direction = length == 0 ? LF_DIRECTION_NONE : LF_DIRECTION_OUT;
	command->segments = &segment;
	command->segment_count = 1;
	do
		lf_loop_edge_execute(&fighter->stage->edge, command);
	while (command->request.status == LF_STATUS_CHECK_CONDITION && /* attentions of the others' doings */
		lf_sense_read(&command->request) >> 16 == 6);
	return command->request.status;
}

static uint32_t fight_pr(struct fighter *fighter, struct lf_loop_edge_command *command, uint8_t action,
	uint64_t key, uint64_t action_key)
{
	uint8_t cdb[10] = {0x5f, action, 3, 0, 0, 0, 0, 0, 24}, list[24];

	pr_list(list, key, action_key, 0x01);
	return fight(fighter, command, cdb, list, sizeof(list));
}

static void *fighter_main(void *argument)
{
	static const uint8_t write[10] = {0x2a, 0, 0, 0, 0, 0, 0, 0, 1};
	struct fighter *fighter = argument;
	struct lf_loop_edge_command *command = calloc(1, sizeof(*command));
	uint64_t mine = 10 + fighter->who;
	uint8_t data[512] = {0};

	if (command == NULL)
		abort();
	for (uint32_t round = 0; round < ROUNDS; round++) {
		fight_pr(fighter, command, LF_PR_REGISTER_AND_IGNORE, 0, mine);
		if (round % 8 == fighter->who)
			fight_pr(
				fighter, command, LF_PR_PREEMPT_AND_ABORT, mine, 10 + (fighter->who + 1) % 3);
		if (fight_pr(fighter, command, LF_PR_RESERVE, mine, 0) == LF_STATUS_GOOD)
			fighter->writes += fight(fighter, command, write, data, 512) == LF_STATUS_GOOD;
		if (round % 8 == 7)
			fight_pr(fighter, command, LF_PR_CLEAR, mine, 0);
		else
			fight_pr(fighter, command, LF_PR_RELEASE, mine, 0);
	}
	free(command);
	return NULL;
}

/* Comes, looks and goes, while the others fight: registrations are met by nexuses that open and close. */
static void *visitor_main(void *argument)
{
	static const uint8_t write[10] = {0x2a, 0, 0, 0, 0, 0, 0, 0, 1};
	struct fighter *visitor = argument;
	struct stage *stage = visitor->stage;
	struct lf_loop_edge_command *command = calloc(1, sizeof(*command));
	struct lf_nexus_options options = {.port = &here};
	uint8_t data[512] = {0};

	if (command == NULL)
		abort();
	for (uint32_t round = 0; round < ROUNDS; round++) {
		fight_pr(visitor, command, LF_PR_REGISTER_AND_IGNORE, 0, 13);
		fight(visitor, command, write, data, 512);
		fight_pr(visitor, command, LF_PR_RESERVE, 13, 0);
		lf_nexus_close(stage->nexus[visitor->who]);
		stage->nexus[visitor->who] = lf_nexus_open(stage->adapter, &options);
		if (stage->nexus[visitor->who] == NULL)
			abort();
		facts(stage);
	}
	free(command);
	return NULL;
}

TEST(many_threads_reserve_write_preempt_and_go)
{
	struct stage *stage = stage_open();
	struct fighter fighters[NEXUSES] = {{.stage = NULL}};
	uint32_t writes = 0;

	for (uint32_t i = 0; i < NEXUSES; i++) {
		fighters[i] = (struct fighter){.stage = stage, .who = i};
		void *(*start)(void *) = i == 3 ? visitor_main : fighter_main;
		CHECK_EQ(pthread_create(&fighters[i].thread, NULL, start, &fighters[i]), 0);
	}
	for (uint32_t i = 0; i < NEXUSES; i++) {
		pthread_join(fighters[i].thread, NULL);
		writes += fighters[i].writes;
	}
	CHECK(writes > 0);
	struct lf_reservation_facts end = facts(stage);
	struct stage *after = stage_open_saved(true, stage->store.blob, stage->store.length);
	/* What was saved is what initiators saw, but for the one without a name. */
	CHECK_EQ(facts(after).registrations, end.persists ? end.registrations : 0);
	CHECK_EQ(facts(after).type, end.persists ? end.type : 0);
	stage_close(after);
	stage_close(stage);
}
