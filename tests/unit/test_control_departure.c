/* SPDX-License-Identifier: BSD-2-Clause */
/* test_control_departure.c: an edge that keeps addresses for a while, a host that takes volumes away. */
#include "tests/unit/control_stage.h"

#include <pthread.h>

/* ---- An edge that lets go when it is told to ---- */

static struct lf_departure *departures[4];
static uint32_t departure_count, arrivals, last_target, last_lun;
static bool lets_go_at_once, looks, was_there;

static void arrived(void *context, uint32_t target, uint32_t lun)
{
	(void)context;
	arrivals++;
	last_target = target;
	last_lun = lun;
}

static void depart(void *context, struct lf_departure *departure)
{
	(void)context;
	if (looks) {
		send_command(0x00, 6, 0);
		was_there = command.status == LF_STATUS_GOOD;
	}
	if (lets_go_at_once)
		departure->gone(departure);
	else
		departures[departure_count++] = departure;
}

static void *let_go_of_all(void *context)
{
	(void)context;
	while (departure_count > 0) {
		departure_count--;
		departures[departure_count]->gone(departures[departure_count]);
	}
	return NULL;
}

static void let_go_on_another_thread(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, let_go_of_all, NULL) == 0);
	pthread_join(thread, NULL);
}

static void set_up_edge(void)
{
	departure_count = arrivals = 0;
	lets_go_at_once = looks = was_there = false;
	set_up_with((struct lf_devices_options){
		.target_count = 3, .lun_count = 8, .edge = {.arrived = arrived, .depart = depart}});
}

static bool is_empty(void)
{
	return lf_devices_count(devices) == 0;
}

TEST(an_address_is_given_again_when_the_edge_lets_go_of_it)
{
	int fd = image("a", 1 << 20);

	set_up_edge();
	CHECK_EQ(connect_at("/a.img", dup(fd), 0, 2, 0), LF_CONTROL_OK);
	CHECK_EQ(arrivals, 1);
	CHECK_EQ(last_target, 2);
	CHECK_EQ(last_lun, 0);
	ask_about(&two, LF_CONTROL_DISCONNECT, "a", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(departure_count, 1);
	CHECK_EQ(departures[0]->target, 2);
	CHECK_EQ(departures[0]->lun, 0);
	CHECK_EQ(closes, 1);
	CHECK_EQ(show("a"), LF_CONTROL_NOT_FOUND);
	CHECK_EQ(connect_at("/b.img", image("b", 512), 0, 2, 0), LF_CONTROL_BUSY);
	/* Its image, its name and its serial number are free already. */
	CHECK_EQ(connect_at("/a.img", fd, 0, 2, 1), LF_CONTROL_OK);
	CHECK_STR(one.reply.one.device.id.bytes, "a");
	CHECK_EQ(one.reply.one.device.lun, 1);
	let_go_on_another_thread();
	run_posts();
	CHECK_EQ(connect_at("/b.img", image("b", 512), 0, 2, 0), LF_CONTROL_OK);
	CHECK_EQ(arrivals, 3);
	lets_go_at_once = true;
	tear_down();
}

static uint32_t ask_capacity_of(uint32_t number)
{
	union lf_control_request request;

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_INQUIRE;
	request.inquire.number = number;
	request.inquire.cdb.length = 16;
	request.inquire.cdb.bytes[0] = 0x9e; /* READ CAPACITY (16) */
	request.inquire.cdb.bytes[1] = 0x10;
	request.inquire.cdb.bytes[13] = 32;
	ask(&two, &request, -1);
	if (ended(&two) != LF_CONTROL_OK || two.reply.inquiry.scsi_status != LF_STATUS_GOOD)
		return 0;
	return lf_get_be32(lf_control_decode_data(two.bytes) + 4) + 1;
}

TEST(units_of_every_target_tell_facts)
{
	static const char *const paths[] = {"/a.img", "/b.img", "/c.img"};

	set_up_edge();
	lets_go_at_once = true;
	for (uint32_t target = 0; target < 3; target++) {
		CHECK_EQ(connect_at(paths[target], image("a", 512 * (target + 1)), 0, target, 5),
			LF_CONTROL_OK);
		CHECK_EQ(one.reply.one.device.target, target);
	}
	for (uint32_t number = 1; number <= 3; number++) {
		CHECK_EQ(ask_capacity_of(number), number);
		CHECK_EQ(ask_capacity_of(number), number); /* its nexus is there by now */
	}
	CHECK_EQ(show("0:2:5"), LF_CONTROL_OK);
	CHECK_EQ(one.reply.one.device.number, 3);
	CHECK_EQ(connect_at("/d.img", image("d", 512), 0, 3, 0), LF_CONTROL_INVALID);
	CHECK_STR(one.reply.failure.text.bytes, "there is no target 3: the last is 2");
	CHECK_EQ(connect_at("/d.img", image("d", 512), 0, 0, 8), LF_CONTROL_INVALID);
	CHECK_STR(one.reply.failure.text.bytes, "there is no LUN 8: it is 0 to 7");
	tear_down();
}

TEST(the_edge_knows_before_the_unit_is_gone)
{
	struct lf_nexus_options options = {.initiator = "test"};

	set_up_edge();
	CHECK_EQ(connect_image("/a.img", image("a", 512), 0), LF_CONTROL_OK);
	memset(&command, 0, sizeof(command));
	nexus = lf_nexus_open(adapter, &options);
	send_command(0x00, 6, 0); /* the attention of a new nexus */
	looks = true;
	ask_about(&two, LF_CONTROL_DISCONNECT, "a", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK(was_there);
	send_command(0x00, 6, 0);
	CHECK_EQ(command.status, LF_STATUS_CHECK_CONDITION);
	CHECK_EQ(command.sense[12], 0x25); /* LOGICAL UNIT NOT SUPPORTED, while the edge has its address */
	let_go_of_all(NULL);
	looks = false;
	lf_nexus_close(nexus);
	lets_go_at_once = true;
	tear_down();
}

TEST(an_edge_may_let_go_before_the_last_command_ends)
{
	set_up_edge();
	CHECK_EQ(connect_image("/a.img", image("a", 4096), 0), LF_CONTROL_OK);
	hold_a_read();
	ask_about(&two, LF_CONTROL_DISCONNECT, "a", FOREVER_MS);
	CHECK_EQ(departure_count, 1);
	let_go_of_all(NULL);
	run_posts();
	CHECK(!two.answered && closes == 0);
	CHECK_EQ(connect_at("/b.img", image("b", 512), 0, 0, 0), LF_CONTROL_BUSY);
	hold_reads = false;
	release_it();
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(connect_at("/b.img", image("b", 512), 0, 0, 0), LF_CONTROL_OK);
	lets_go_at_once = true;
	tear_down();
}

TEST(an_edge_may_let_go_from_within)
{
	set_up_edge();
	lets_go_at_once = true;
	CHECK_EQ(connect_image("/a.img", image("a", 512), 0), LF_CONTROL_OK);
	ask_about(&two, LF_CONTROL_DISCONNECT, "a", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(connect_at("/b.img", image("b", 512), 0, 0, 0), LF_CONTROL_OK);
	tear_down();
}

static bool emptied;

static void note_emptied(void *context)
{
	(void)context;
	CHECK(!emptied);
	emptied = true;
	lf_loop_stop(loop);
}

static void stop_table(struct lf_post *post)
{
	(void)post;
	lf_devices_stop(devices, note_emptied, NULL);
}

TEST(a_table_is_empty_when_the_edge_has_let_go_of_all)
{
	struct lf_post post = {.run = stop_table};

	set_up_edge();
	emptied = false;
	CHECK_EQ(connect_image("/a.img", image("a", 512), 0), LF_CONTROL_OK);
	ask_about(&two, LF_CONTROL_DISCONNECT, "a", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(connect_image("/b.img", image("b", 512), 0), LF_CONTROL_OK);
	lf_loop_post(loop, &post);
	run_until(is_empty);
	CHECK_EQ(departure_count, 2);
	CHECK(!emptied);
	departure_count--;
	departures[1]->gone(departures[1]);
	run_posts();
	CHECK(!emptied);
	let_go_on_another_thread();
	lf_loop_run(loop);
	CHECK(emptied);
	lf_devices_destroy(devices);
	lf_handler_fini(&handler);
	lf_adapter_destroy(adapter);
	lf_loop_destroy(loop);
}

/* ---- A host that takes away what images lie on ---- */

static struct volume {
	pthread_mutex_t mutex; /* as the host has one: closing waits for removed */
	void (*removed)(void *context);
	void *context;
	bool goes_as_it_is_opened, goes_as_it_is_flushed, goes_as_it_is_closed;
} volume = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void take_away(void)
{
	void (*removed)(void *context) = volume.removed;

	volume.removed = NULL;
	if (removed)
		removed(volume.context);
}

static void watch(struct lf_store *store, void (*removed)(void *context), void *context)
{
	(void)store;
	pthread_mutex_lock(&volume.mutex);
	volume.removed = removed;
	volume.context = context;
	if (volume.goes_as_it_is_opened)
		take_away();
	pthread_mutex_unlock(&volume.mutex);
}

static void volume_submit(struct lf_store *store, struct lf_io *io)
{
	if (io->op == LF_OP_FLUSH && volume.goes_as_it_is_flushed)
		take_away();
	slow_submit(store, io);
}

static void volume_close(struct lf_store *store)
{
	pthread_mutex_lock(&volume.mutex);
	if (volume.goes_as_it_is_closed)
		take_away();
	volume.removed = NULL;
	pthread_mutex_unlock(&volume.mutex);
	slow_close(store);
}

static void *take_away_later(void *context)
{
	(void)context;
	pthread_mutex_lock(&volume.mutex);
	take_away();
	pthread_mutex_unlock(&volume.mutex);
	return NULL;
}

static void set_up_host(void)
{
	static const struct lf_store_ops ops = {"volume", slow_open, volume_submit, NULL, volume_close};

	volume.removed = NULL;
	volume.goes_as_it_is_opened = volume.goes_as_it_is_flushed = volume.goes_as_it_is_closed = false;
	set_up_with((struct lf_devices_options){.store_ops = &ops, .watch = watch});
}

TEST(a_device_leaves_with_the_volume_that_its_image_lies_on)
{
	pthread_t thread;

	set_up_host();
	CHECK_EQ(connect_image("/a.img", image("a", 512), 0), LF_CONTROL_OK);
	CHECK(pthread_create(&thread, NULL, take_away_later, NULL) == 0);
	pthread_join(thread, NULL);
	run_until(is_empty);
	CHECK_EQ(closes, 1);
	tear_down();
}

TEST(a_volume_may_go_while_its_image_is_opened)
{
	set_up_host();
	volume.goes_as_it_is_opened = true;
	CHECK_EQ(connect_image("/a.img", image("a", 512), 0), LF_CONTROL_OK);
	run_until(is_empty);
	/* One that is no unit at all, as its address is taken, has nothing to leave. */
	volume.goes_as_it_is_opened = false;
	CHECK_EQ(connect_at("/b.img", image("b", 512), 0, 0, 0), LF_CONTROL_OK);
	volume.goes_as_it_is_opened = true;
	CHECK_EQ(connect_at("/c.img", image("c", 512), 0, 0, 0), LF_CONTROL_BUSY);
	CHECK_EQ(closes, 2);
	CHECK_EQ(lf_devices_count(devices), 1);
	tear_down();
	CHECK_EQ(closes, 3);
}

TEST(a_volume_may_go_while_its_image_is_closed)
{
	set_up_host();
	volume.goes_as_it_is_closed = true;
	CHECK_EQ(connect_image("/a.img", image("a", 512), 0), LF_CONTROL_OK);
	ask_about(&two, LF_CONTROL_DISCONNECT, "a", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(connect_image("/a.img", image("a", 512), 0), LF_CONTROL_OK);
	run_posts();
	CHECK_EQ(lf_devices_count(devices), 1); /* the note was about another */
	tear_down();                            /* waits for the note of this one */
	CHECK_EQ(closes, 2);
}

TEST(a_drive_stays_when_only_what_is_put_away_loses_its_volume)
{
	bool *const moments[] = {&volume.goes_as_it_is_flushed, &volume.goes_as_it_is_closed};

	set_up_host();
	CHECK_EQ(connect_image("", -1, LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	for (uint32_t i = 0; i < lf_count_of(moments); i++) {
		insert(&two, "1", "/a.img", image("a", 512), 0);
		CHECK_EQ(ended(&two), LF_CONTROL_OK);
		*moments[i] = true;
		ask_about(&two, LF_CONTROL_EJECT, "1", FOREVER_MS);
		CHECK_EQ(ended(&two), LF_CONTROL_OK);
		*moments[i] = false;
		run_posts();
		CHECK_EQ(lf_devices_count(devices), 1);
		CHECK_EQ(closes, i + 1);
	}
	volume.goes_as_it_is_opened = true;
	insert(&two, "1", "/b.img", image("b", 512), 0);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	run_until(is_empty);
	tear_down();
}

TEST(a_volume_may_go_at_the_moment_of_a_disconnect)
{
	set_up_host();
	for (uint32_t i = 0; i < 300; i++) {
		pthread_t thread;
		CHECK_EQ(connect_image("/a.img", image("a", 512), 0), LF_CONTROL_OK);
		CHECK(pthread_create(&thread, NULL, take_away_later, NULL) == 0);
		ask_about(&two, LF_CONTROL_DISCONNECT, "a", FOREVER_MS);
		if (i % 2)
			CHECK_EQ(ended(&two), LF_CONTROL_OK);
		pthread_join(thread, NULL);
		if (!(i % 2))
			CHECK_EQ(ended(&two), LF_CONTROL_OK);
		CHECK_EQ(closes, i + 1);
	}
	tear_down();
}
