/* SPDX-License-Identifier: BSD-2-Clause */
/* test_medium.c: being alone on a unit; a medium that goes, comes, grows, and is held. */
#include <unistd.h>

#include "core/core.h"
#include "store/store.h"
#include "tests/test.h"
#include "tests/unit/held_stage.h"

#define TEST_UNIT_READY 0x00
#define START_STOP      0x1b
#define PREVENT         0x1e
#define READ_10         0x28
#define WRITE_10        0x2a

#define NOT_READY_OPEN  0x023a02u
#define NOT_READY_EMPTY 0x023a01u
#define STOPPED         0x020402u
#define CHANGED         0x062800u

/* GOOD: 0; else the sense. What the store holds is let go. */
static uint32_t run(struct stage *stage, struct lf_nexus *nexus, uint32_t lun, uint8_t opcode, uint8_t byte4)
{
	struct command *command = calloc(1, sizeof(*command));
	struct lf_request *request = &command->request;
	uint32_t sense;

	request->nexus = nexus;
	request->lun = (uint64_t)lun << 48;
	request->tag = ++stage->next_tag;
	request->cdb[0] = opcode;
	request->cdb[4] = byte4;
	request->cdb_length = opcode < 0x20 ? 6 : 10;
	if (opcode == READ_10)
		request->cdb[8] = 8;
	request->done = command_done;
	if (lf_begin(request))
		submit(command, true);
	for (uint32_t i = 0; i < 4; i++)
		while (stage->store[i].held.next != NULL && held_release(&stage->store[i]))
			;
	sense = command->ended == 0 ? 0xffffffffu : request->status == LF_STATUS_GOOD ? 0 : sense_of(command);
	free(command);
	return sense;
}

/* Unit 2 is removable, and 3 is a drive; both nexuses have heard of them. */
static struct stage *stage_removable(bool empty)
{
	struct stage *stage = stage_open();
	struct lf_lu_options options = {.lun = 2, .serial = "1", .identifier = 9, .removable = true};
	struct lf_store_info info = {
		.block_count = empty ? 0 : BLOCKS, .block_size = 512, .physical_block_size = 512};
	struct lf_message message;

	pthread_mutex_init(&stage->store[2].mutex, NULL);
	lf_list_init(&stage->store[2].held);
	if (lf_lu_add(stage->adapter, &options, empty ? NULL : &held_ops, empty ? NULL : &stage->store[2],
		    &info, &stage->lu[2], &message) != LF_OK)
		abort();
	(void)run(stage, stage->nexus, 2, TEST_UNIT_READY, 0);
	(void)run(stage, stage->other, 2, TEST_UNIT_READY, 0);
	return stage;
}

struct change {
	struct lf_medium_change medium;
	struct lf_resize resize;
	uint32_t ended;
};

static void medium_done(struct lf_medium_change *medium)
{
	lf_container(medium, struct change, medium)->ended++;
}

static void resize_done(struct lf_resize *resize)
{
	lf_container(resize, struct change, resize)->ended++;
}

static const struct lf_store_info new_info = {
	.block_count = 64, .block_size = 4096, .physical_block_size = 4096};

/* Puts another store in; its own one, so that nothing of the old one is touched. */
static void insert(struct stage *stage, struct change *change, bool force)
{
	pthread_mutex_init(&stage->store[3].mutex, NULL);
	lf_list_init(&stage->store[3].held);
	change->medium = (struct lf_medium_change){.ops = &held_ops,
		.store = &stage->store[3],
		.info = &new_info,
		.force = force,
		.done = medium_done};
	lf_lu_change_medium(stage->lu[2], &change->medium);
}

TEST(a_change_waits_for_what_runs_and_for_nobody_whose_data_is_on_the_wire)
{
	struct stage *stage = stage_removable(false);
	struct change change = {.ended = 0};
	struct command *on_the_wire = begin(stage, stage->other, 2, WRITE_10, 8, LF_TASK_SIMPLE);
	struct command *running = begin(stage, stage->nexus, 2, READ_10, 8, LF_TASK_SIMPLE);

	submit(running, true);
	CHECK_EQ(stage->store[2].count, 1);
	insert(stage, &change, false);
	CHECK_EQ(change.ended, 0);
	/* What comes meanwhile waits, and meets the new medium. */
	struct command *younger = begin(stage, stage->nexus, 2, READ_10, 8, LF_TASK_SIMPLE);
	submit(younger, true);
	CHECK_EQ(younger->ended, 0);
	CHECK(held_release(&stage->store[2]));
	CHECK_EQ(running->request.status, LF_STATUS_GOOD);
	CHECK_EQ(change.ended, 1);
	CHECK(change.medium.old == &stage->store[2]);
	/* It was checked against the old one. */
	CHECK_EQ(younger->ended, 1);
	CHECK_EQ(sense_of(younger), CHANGED);
	submit(on_the_wire, true);
	CHECK_EQ(sense_of(on_the_wire), CHANGED);
	CHECK_EQ(stage->store[2].count, 0);
	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), 0); /* told once */
	free(on_the_wire);
	free(running);
	free(younger);
	stage_close(stage);
}

TEST(changes_of_a_unit_come_one_by_one)
{
	struct stage *stage = stage_removable(false);
	struct change first = {.ended = 0}, second = {.ended = 0};
	struct command *running = begin(stage, stage->nexus, 2, READ_10, 8, LF_TASK_SIMPLE);

	submit(running, true);
	insert(stage, &first, false);
	second.resize = (struct lf_resize){.block_count = 128, .done = resize_done};
	lf_lu_resize(stage->lu[2], &second.resize);
	CHECK_EQ(first.ended + second.ended, 0);
	held_release(&stage->store[2]);
	CHECK_EQ(first.ended, 1);
	CHECK_EQ(second.ended, 1);
	struct lf_lu_facts facts;
	lf_lu_describe(stage->lu[2], &facts);
	CHECK_EQ(facts.info.block_count, 128);
	CHECK_EQ(facts.info.block_size, 4096);
	free(running);
	stage_close(stage);
}

/* A command that has the unit to itself hands it on as it ends, and is not waited for once more. */
TEST(a_change_follows_an_initiator_that_ejects)
{
	struct stage *stage = stage_removable(false);
	struct change first = {.ended = 0}, second = {.ended = 0};
	struct command *eject = begin(stage, stage->nexus, 2, START_STOP, 0, LF_TASK_SIMPLE);
	struct command *read = begin(stage, stage->other, 2, READ_10, 8, LF_TASK_SIMPLE);

	submit(eject, true); /* STOP, which flushes */
	CHECK_EQ(stage->store[2].count, 1);
	insert(stage, &first, false);
	second.resize = (struct lf_resize){.block_count = 128, .done = resize_done};
	lf_lu_resize(stage->lu[2], &second.resize);
	submit(read, true);
	CHECK_EQ(first.ended + second.ended + eject->ended + read->ended, 0);
	CHECK(held_release(&stage->store[2]));
	CHECK_EQ(eject->ended, 1);
	CHECK_EQ(first.ended, 1);
	CHECK_EQ(second.ended, 1);
	CHECK_EQ(sense_of(read), CHANGED);
	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), CHANGED);
	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), 0x062a09);
	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), 0);
	free(eject);
	free(read);
	stage_close(stage);
}

TEST(a_unit_that_grew_says_so_to_every_nexus)
{
	struct stage *stage = stage_open();
	struct change change = {.resize = {.block_count = 2 * BLOCKS, .done = resize_done}};
	struct command *beyond;

	lf_lu_resize(stage->lu[0], &change.resize);
	CHECK_EQ(change.ended, 1);
	CHECK_EQ(run(stage, stage->nexus, 0, TEST_UNIT_READY, 0), 0x062a09);
	CHECK_EQ(run(stage, stage->other, 0, TEST_UNIT_READY, 0), 0x062a09);
	CHECK_EQ(run(stage, stage->nexus, 0, TEST_UNIT_READY, 0), 0);
	beyond = begin(stage, stage->nexus, 0, READ_10, 8, LF_TASK_SIMPLE);
	CHECK(beyond->begun);
	submit(beyond, true);
	held_release(&stage->store[0]);
	free(beyond);
	change.resize.block_count = BLOCKS; /* it never shrinks */
	lf_lu_resize(stage->lu[0], &change.resize);
	CHECK_EQ(change.ended, 2);
	CHECK_EQ(run(stage, stage->nexus, 0, TEST_UNIT_READY, 0), 0);
	stage_close(stage);
}

TEST(eject_leaves_the_tray_open_and_load_brings_the_medium_back)
{
	struct stage *stage = stage_removable(false);
	struct lf_lu_facts facts;

	CHECK_EQ(run(stage, stage->nexus, 2, START_STOP, 0x02), 0);
	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), NOT_READY_OPEN);
	CHECK_EQ(run(stage, stage->other, 2, READ_10, 0), NOT_READY_OPEN);
	lf_lu_describe(stage->lu[2], &facts);
	CHECK(facts.ejected && !facts.medium);
	CHECK_EQ(run(stage, stage->nexus, 2, START_STOP, 0x02), 0); /* it is open already */
	CHECK_EQ(run(stage, stage->nexus, 2, START_STOP, 0x03), 0);
	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), 0);
	CHECK_EQ(run(stage, stage->other, 2, TEST_UNIT_READY, 0), CHANGED);
	CHECK_EQ(run(stage, stage->other, 2, TEST_UNIT_READY, 0), 0);
	lf_lu_describe(stage->lu[2], &facts);
	CHECK(!facts.ejected && facts.medium);
	stage_close(stage);
}

TEST(eject_flushes_first_and_stays_in_when_that_fails)
{
	struct stage *stage = stage_removable(false);
	struct command *eject = calloc(1, sizeof(*eject));

	eject->request = (struct lf_request){.nexus = stage->nexus,
		.lun = 2ull << 48,
		.cdb = {START_STOP, 0, 0, 0, 0x02},
		.cdb_length = 6,
		.done = command_done};
	CHECK(lf_begin(&eject->request));
	submit(eject, true);
	CHECK_EQ(stage->store[2].count, 1);
	struct lf_io *io = lf_container(lf_list_take(&stage->store[2].held), struct lf_io, link);
	CHECK_EQ(io->op, LF_OP_FLUSH);
	io->error = LF_E_IO;
	io->done(io);
	CHECK_EQ(sense_of(eject), 0x030c00);
	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), 0);
	free(eject);
	stage_close(stage);
}

TEST(prevention_holds_the_medium_until_every_nexus_allows_or_a_reset)
{
	struct stage *stage = stage_removable(false);
	struct change change = {.ended = 0};

	CHECK_EQ(run(stage, stage->nexus, 2, PREVENT, 1), 0);
	CHECK_EQ(run(stage, stage->other, 2, PREVENT, 1), 0);
	CHECK_EQ(run(stage, stage->nexus, 2, START_STOP, 0x02), 0x055302);
	CHECK_EQ(run(stage, stage->nexus, 2, PREVENT, 0), 0);
	CHECK_EQ(run(stage, stage->nexus, 2, START_STOP, 0x02), 0x055302);
	insert(stage, &change, false);
	CHECK_EQ(change.medium.error, LF_E_BUSY);
	CHECK_EQ(run(stage, stage->other, 2, TEST_UNIT_READY, 0),
		0); /* no 5A/01: that is for who prevents for ever */
	CHECK_EQ(run(stage, stage->other, 2, PREVENT, 0), 0);
	CHECK_EQ(run(stage, stage->nexus, 2, START_STOP, 0x02), 0);
	CHECK_EQ(run(stage, stage->nexus, 2, PREVENT, 1), 0); /* an open tray does not close, either */
	CHECK_EQ(run(stage, stage->nexus, 2, START_STOP, 0x03), 0x055302);
	CHECK_EQ(run(stage, stage->nexus, 2, PREVENT, 2), 0x052400);
	CHECK_EQ(run(stage, stage->nexus, 2, PREVENT, 0), 0);
	CHECK_EQ(run(stage, stage->nexus, 2, START_STOP, 0x03), 0);
	stage_close(stage);
}

static void reset_done(struct lf_tmf *tmf)
{
	(void)tmf;
}

TEST(a_reset_ends_prevention_and_force_ignores_it)
{
	struct stage *stage = stage_removable(false);
	struct lf_tmf reset = {
		.nexus = stage->nexus, .function = LF_TMF_LUN_RESET, .lun = 2ull << 48, .done = reset_done};
	struct change change = {.ended = 0};

	CHECK_EQ(run(stage, stage->other, 2, PREVENT, 1), 0);
	lf_tmf_submit(&reset);
	(void)run(stage, stage->nexus, 2, TEST_UNIT_READY, 0);
	(void)run(stage, stage->other, 2, TEST_UNIT_READY, 0);
	CHECK_EQ(run(stage, stage->nexus, 2, START_STOP, 0x02), 0);
	CHECK_EQ(run(stage, stage->nexus, 2, START_STOP, 0x03), 0);
	CHECK_EQ(run(stage, stage->nexus, 2, PREVENT, 1), 0);
	insert(stage, &change, true);
	CHECK_EQ(change.medium.error, LF_OK);
	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), CHANGED);
	CHECK_EQ(run(stage, stage->nexus, 2, START_STOP, 0x02), 0);
	stage_close(stage);
}

/* The reset comes when the command was seen not to be marked, and has not prevented anything yet. */
TEST(a_prevention_that_a_reset_overtakes_prevents_nothing)
{
	struct stage *stage = stage_removable(false);
	struct lf_tmf reset = {
		.nexus = stage->other, .function = LF_TMF_LUN_RESET, .lun = 2ull << 48, .done = reset_done};
	struct command *prevent = calloc(1, sizeof(*prevent));
	struct lf_request *request = &prevent->request;
	struct lf_lu_facts facts;

	*request = (struct lf_request){.nexus = stage->nexus,
		.lun = 2ull << 48,
		.cdb = {PREVENT, 0, 0, 0, 1},
		.cdb_length = 6,
		.done = command_done};
	CHECK(lf_begin(request));
	lf_check_submit(request);
	lf_tmf_submit(&reset);
	CHECK_EQ(prevent->ended, 0);
	request->command->execute(request->lu, request);
	CHECK_EQ(prevent->ended, 1);
	CHECK_EQ(request->status, LF_STATUS_TASK_ABORTED);
	lf_lu_describe(stage->lu[2], &facts);
	CHECK(!facts.prevented);
	free(prevent);
	stage_close(stage);
}

TEST(an_empty_drive_is_filled_and_emptied)
{
	struct stage *stage = stage_removable(true);
	struct change change = {.ended = 0};
	struct lf_lu_facts facts;

	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), NOT_READY_EMPTY);
	CHECK_EQ(run(stage, stage->nexus, 2, START_STOP, 0x03), 0); /* nothing to load */
	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), NOT_READY_EMPTY);
	insert(stage, &change, false);
	CHECK(change.medium.old == NULL);
	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), CHANGED);
	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), 0);
	change.medium = (struct lf_medium_change){.open_tray = true, .done = medium_done};
	lf_lu_change_medium(stage->lu[2], &change.medium);
	CHECK(change.medium.old == &stage->store[3]);
	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), NOT_READY_OPEN);
	lf_lu_describe(stage->lu[2], &facts);
	CHECK(!facts.ejected && !facts.medium);
	CHECK_EQ(facts.info.block_count, 0);
	CHECK_EQ(run(stage, stage->nexus, 2, START_STOP, 0x03), 0);
	CHECK_EQ(run(stage, stage->nexus, 2, TEST_UNIT_READY, 0), NOT_READY_EMPTY);
	stage_close(stage);
}

TEST(a_fixed_disk_stops_and_starts_and_is_never_ejected)
{
	struct stage *stage = stage_open();

	CHECK_EQ(run(stage, stage->nexus, 0, START_STOP, 0x00), 0);
	CHECK_EQ(run(stage, stage->nexus, 0, TEST_UNIT_READY, 0), STOPPED);
	CHECK_EQ(run(stage, stage->nexus, 0, READ_10, 0), STOPPED);
	CHECK_EQ(run(stage, stage->nexus, 0, START_STOP, 0x01), 0);
	CHECK_EQ(run(stage, stage->nexus, 0, TEST_UNIT_READY, 0), 0);
	CHECK_EQ(run(stage, stage->nexus, 0, START_STOP, 0x02), 0x052400);
	CHECK_EQ(run(stage, stage->nexus, 0, START_STOP, 0x30), 0); /* STANDBY */
	CHECK_EQ(run(stage, stage->nexus, 0, START_STOP, 0x40), 0x052400);
	CHECK_EQ(run(stage, stage->nexus, 0, TEST_UNIT_READY, 0), 0);
	CHECK_EQ(run(stage, stage->nexus, 0, PREVENT, 1), 0x052000);
	stage_close(stage);
}

TEST(a_write_whose_data_comes_after_the_disk_was_stopped_is_not_carried_out)
{
	struct stage *stage = stage_open();
	struct command *late = begin(stage, stage->other, 0, WRITE_10, 8, LF_TASK_SIMPLE);

	CHECK(late->begun);
	CHECK_EQ(run(stage, stage->nexus, 0, START_STOP, 0x00), 0);
	submit(late, true);
	CHECK_EQ(stage->store[0].count, 0);
	CHECK_EQ(late->ended, 1);
	CHECK_EQ(sense_of(late), STOPPED);
	free(late);
	stage_close(stage);
}

/* ---- The file below ---- */

TEST(a_file_grows_by_command_and_by_itself_and_never_shrinks)
{
	char path[] = "/tmp/lungfish-test-XXXXXX";
	struct lf_source source = {.path = path, .handle = mkstemp(path), .state_handle = LF_HANDLE_NONE};
	struct lf_store_info info;
	struct lf_message message;
	struct lf_store *store;
	uint64_t blocks = 0;

	CHECK(source.handle >= 0 && ftruncate((int)source.handle, 1 << 20) == 0);
	CHECK_EQ(lf_store_file_ops.open(&source, &store, &info, &message), LF_OK);
	CHECK_EQ(lf_store_file_resize(store, 2 << 20, 512, &blocks, &message), LF_OK);
	CHECK_EQ(blocks, 4096);
	CHECK_EQ(lseek((int)source.handle, 0, SEEK_END), 2 << 20);
	CHECK_EQ(lf_store_file_resize(store, 1 << 20, 512, &blocks, &message), LF_E_INVALID);
	CHECK(strstr(message.text, "shrinks only while it is disconnected") != NULL);
	CHECK_EQ(lf_store_file_resize(store, (2 << 20) + 100, 512, &blocks, &message), LF_E_INVALID);
	CHECK(ftruncate((int)source.handle, (3 << 20) + 100) == 0);
	CHECK_EQ(lf_store_file_resize(store, 0, 512, &blocks, &message), LF_OK);
	CHECK_EQ(blocks, 6144);
	lf_store_file_ops.close(store);
	unlink(path);
}
