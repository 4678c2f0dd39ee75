/* SPDX-License-Identifier: BSD-2-Clause */
/* test_control_hang.c: a host that does not answer, as a dead share: whoever asks for that waits, nobody
 * else.
 */
#include "tests/unit/captured_log.h"
#include "tests/unit/control_stage.h"

#include <pthread.h>

/* ---- A host that stands still where it is told to ---- */

enum place { EXAMINING, OPENING, RESIZING, CLOSING, PLACES };

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool shut[PLACES];
	uint32_t there[PLACES]; /* that stand still */
} host = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void pass(enum place place)
{
	pthread_mutex_lock(&host.mutex);
	host.there[place]++;
	pthread_cond_broadcast(&host.changed);
	while (host.shut[place])
		pthread_cond_wait(&host.changed, &host.mutex);
	host.there[place]--;
	pthread_mutex_unlock(&host.mutex);
}

static void shut(enum place place)
{
	pthread_mutex_lock(&host.mutex);
	host.shut[place] = true;
	pthread_mutex_unlock(&host.mutex);
}

static void release(enum place place)
{
	pthread_mutex_lock(&host.mutex);
	host.shut[place] = false;
	pthread_cond_broadcast(&host.changed);
	pthread_mutex_unlock(&host.mutex);
}

static enum place awaited;
static uint32_t awaited_count;

static bool stand_there(void)
{
	bool all;

	pthread_mutex_lock(&host.mutex);
	all = host.there[awaited] >= awaited_count;
	pthread_mutex_unlock(&host.mutex);
	return all;
}

/* The loop serves until so many stand still there. */
static void wait_at(enum place place, uint32_t count)
{
	awaited = place;
	awaited_count = count;
	run_until(stand_there);
}

/* What is on the dead share is called so; another image is none of its business. */
static bool is_dead(const char *path)
{
	return strncmp(path, "/dead", 5) == 0;
}

static struct lf_store *dead_store; /* the last one */
static int dead_fd;

static enum lf_error dead_open(const struct lf_source *source, struct lf_store **store,
	struct lf_store_info *info, struct lf_message *text)
{
	enum lf_error error;

	if (!is_dead(source->path))
		return slow_open(source, store, info, text);
	pass(OPENING);
	error = slow_open(source, store, info, text);
	__atomic_store_n(&dead_store, error == LF_OK ? *store : NULL, __ATOMIC_RELAXED);
	return error;
}

static void dead_close(struct lf_store *store)
{
	if (store == __atomic_load_n(&dead_store, __ATOMIC_RELAXED))
		pass(CLOSING);
	slow_close(store);
}

static enum lf_error dead_resize(struct lf_store *store, uint64_t size_bytes, uint32_t block_size,
	uint64_t *block_count, struct lf_message *text)
{
	pass(RESIZING);
	return slow_resize(store, size_bytes, block_size, block_count, text);
}

static uint32_t dead_below(lf_handle handle, uint64_t *identifiers, uint32_t most)
{
	(void)identifiers;
	(void)most;
	if (handle == dead_fd)
		pass(EXAMINING);
	return 0;
}

static void set_up_host(void)
{
	static const struct lf_store_ops ops = {"dead", dead_open, slow_submit, NULL, dead_close};

	dead_store = NULL;
	dead_fd = -1;
	set_up_with(
		(struct lf_devices_options){.store_ops = &ops, .below = dead_below, .resize = dead_resize});
}

/* Everything that others may want goes on. */
static void others_are_served(void)
{
	static struct asker other;

	begin_connect(&other, "/other.img", image("other", 1 << 20), 0, 0, UINT32_MAX);
	CHECK_EQ(ended(&other), LF_CONTROL_OK);
	resize(&other, "other", 0);
	CHECK_EQ(ended(&other), LF_CONTROL_OK);
	ask_about(&other, LF_CONTROL_SHOW, "other", 0);
	CHECK_EQ(ended(&other), LF_CONTROL_OK);
	ask_about(&other, LF_CONTROL_STATUS, "", 0);
	CHECK_EQ(ended(&other), LF_CONTROL_OK);
	ask_about(&other, LF_CONTROL_DISCONNECT, "other", FOREVER_MS);
	CHECK_EQ(ended(&other), LF_CONTROL_OK);
}

static struct asker three;

static void begin_dead(struct asker *asker, const char *path, uint32_t flags)
{
	dead_fd = image("dead", 1 << 20);
	begin_connect(asker, path, dead_fd, flags, 0, UINT32_MAX);
}

static bool nothing_is_open(void)
{
	return fcntl(dead_fd, F_GETFD) < 0;
}

/* ---- Connect ---- */

TEST(an_image_that_hangs_as_it_is_examined_or_opened_holds_up_nobody)
{
	static const enum place places[] = {EXAMINING, OPENING};

	for (uint32_t i = 0; i < lf_count_of(places); i++) {
		set_up_host();
		shut(places[i]);
		begin_dead(&one, "/dead.img", 0);
		wait_at(places[i], 1);
		others_are_served();
		CHECK(!one.answered);
		/* It is not there before it has arrived. */
		CHECK_EQ(lf_devices_count(devices), 0);
		release(places[i]);
		CHECK_EQ(ended(&one), LF_CONTROL_OK);
		CHECK_STR(one.reply.one.device.id.bytes, "dead");
		CHECK_EQ(one.reply.one.device.number, 2);
		CHECK_EQ(lf_devices_count(devices), 1);
		tear_down();
	}
}

TEST(a_device_that_is_just_arriving_is_said_to_be)
{
	set_up_host();
	shut(OPENING);
	begin_dead(&one, "/dead.img", 0);
	wait_at(OPENING, 1);
	ask_about(&two, LF_CONTROL_DISCONNECT, "dead", FOREVER_MS);
	CHECK_EQ(ended(&two), LF_CONTROL_BUSY);
	CHECK(strstr(two.reply.failure.text.bytes, "it is just being connected"));
	ask_about(&two, LF_CONTROL_SHOW, "/dead.img", 0);
	CHECK_EQ(ended(&two), LF_CONTROL_BUSY);
	ask_about(&two, LF_CONTROL_SHOW, "0", 0);
	CHECK_EQ(ended(&two), LF_CONTROL_NOT_FOUND);
	ask_about(&two, LF_CONTROL_SHOW, "0:0:0", 0);
	CHECK_EQ(ended(&two), LF_CONTROL_NOT_FOUND);
	release(OPENING);
	CHECK_EQ(ended(&one), LF_CONTROL_OK);
	CHECK_EQ(show("dead"), LF_CONTROL_OK);
	tear_down();
}

/* On a host whose files only one may open: the second hears who the other one is. */
TEST(whose_image_is_just_being_examined_can_be_told)
{
	static const struct lf_system_file unknown;

	set_up_host();
	shut(EXAMINING);
	begin_dead(&one, "/dead.img", 0);
	wait_at(EXAMINING, 1);
	CHECK(lf_devices_have_file(devices, &unknown, "/dead.img", &message));
	CHECK_STR(message.text, "it is just being connected: try again when that has ended");
	CHECK(!lf_devices_have_file(devices, &unknown, "/other.img", &message));
	release(EXAMINING);
	CHECK_EQ(ended(&one), LF_CONTROL_OK);
	CHECK(lf_devices_have_file(devices, &unknown, "/dead.img", &message));
	CHECK_STR(message.text, "already connected as dead: disconnect it first");
	tear_down();
}

TEST(a_list_passes_over_what_is_just_arriving)
{
	struct lf_device *first, *second;

	set_up_host();
	CHECK_EQ(connect_image("/a.img", image("a", 512), 0), LF_CONTROL_OK);
	shut(OPENING);
	begin_dead(&one, "/dead.img", 0);
	wait_at(OPENING, 1);
	begin_connect(&two, "/b.img", image("b", 512), 0, 0, UINT32_MAX);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	first = lf_devices_next(devices, 0);
	second = lf_devices_next(devices, 1);
	CHECK(first != NULL && second != NULL && first != second);
	CHECK(lf_device_next(first) == second && lf_device_next(second) == NULL);
	release(OPENING);
	CHECK_EQ(ended(&one), LF_CONTROL_OK);
	CHECK(lf_device_next(second) != NULL && lf_device_next(second) == lf_devices_next(devices, 2));
	tear_down();
}

static uint32_t connect_named(const char *path, int fd, const char *name, const char *serial)
{
	union lf_control_request request;

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_CONNECT;
	request.connect.lun = UINT32_MAX;
	lf_control_set_text(&request.connect.path, path);
	lf_control_set_text(&request.connect.name, name);
	lf_control_set_text(&request.connect.serial, serial);
	ask(&two, &request, fd);
	return ended(&two);
}

TEST(of_two_with_the_same_file_name_or_serial_at_once_the_second_is_refused)
{
	char serial[40];
	int again, fd;

	set_up_host();
	shut(OPENING);
	begin_dead(&one, "/dead.img", 0);
	wait_at(OPENING, 1);
	again = dup(dead_fd);
	CHECK_EQ(connect_named("/by-another-name.img", again, "n", "s"), LF_CONTROL_BUSY);
	CHECK_STR(two.reply.failure.text.bytes,
		"it is just being connected as dead: try again when that has ended");
	/* Whoever hears that finds his file closed. */
	CHECK(fcntl(again, F_GETFD) < 0);
	fd = image("x", 512);
	CHECK_EQ(connect_named("/x.img", fd, "dead", ""), LF_CONTROL_BUSY);
	CHECK_STR(two.reply.failure.text.bytes,
		"the name dead is taken: give another, or disconnect that one first");
	CHECK(fcntl(fd, F_GETFD) < 0);
	/* A name that nobody gave is made, and is another. */
	CHECK_EQ(connect_named("/elsewhere/dead.img", image("y", 512), "", ""), LF_CONTROL_OK);
	CHECK_STR(two.reply.one.device.id.bytes, "dead-2");
	release(OPENING);
	CHECK_EQ(ended(&one), LF_CONTROL_OK);
	lf_format(serial, sizeof(serial), "%s", one.reply.one.device.serial.bytes);
	tear_down();

	set_up_host();
	shut(OPENING);
	begin_dead(&one, "/dead.img", 0);
	wait_at(OPENING, 1);
	CHECK_EQ(connect_named("/x.img", image("x", 512), "x", serial), LF_CONTROL_BUSY);
	CHECK(strstr(two.reply.failure.text.bytes, "dead has the serial number"));
	release(OPENING);
	CHECK_EQ(ended(&one), LF_CONTROL_OK);
	CHECK_EQ(closes, 0);
	tear_down();
}

TEST(of_two_at_the_same_address_at_once_the_later_is_refused_and_closed)
{
	set_up_host();
	shut(OPENING);
	dead_fd = image("dead", 1 << 20);
	begin_connect(&one, "/dead.img", dead_fd, 0, 0, 3);
	wait_at(OPENING, 1);
	begin_connect(&two, "/b.img", image("b", 512), 0, 0, 3);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	release(OPENING);
	CHECK_EQ(ended(&one), LF_CONTROL_BUSY);
	CHECK(nothing_is_open());
	CHECK_EQ(closes, 1);
	/* And all that it had is free. */
	CHECK_EQ(connect_image("/dead.img", image("dead", 512), 0), LF_CONTROL_OK);
	CHECK_STR(one.reply.one.device.id.bytes, "dead");
	tear_down();
}

TEST(whoever_goes_while_his_image_is_opened_finds_nothing_connected)
{
	static const enum place places[] = {EXAMINING, OPENING};

	for (uint32_t i = 0; i < lf_count_of(places); i++) {
		set_up_host();
		shut(places[i]);
		begin_dead(&one, "/dead.img", 0);
		wait_at(places[i], 1);
		lf_handler_forget(&one.call);
		release(places[i]);
		run_until(nothing_is_open);
		CHECK(!one.answered);
		CHECK_EQ(connect_image("/dead.img", image("dead", 512), 0), LF_CONTROL_OK);
		CHECK_EQ(one.reply.one.device.number, 1);
		CHECK_EQ(lf_devices_count(devices), 1);
		tear_down();
	}
}

static enum place stopped_at;

static void release_it_there(struct lf_post *post)
{
	(void)post;
	release(stopped_at);
}

static struct lf_post releaser = {.run = release_it_there};

/* In the same round as the adapter's stop, before it; what it posts is behind that, however slow the host is.
 */
static void release_after_the_stop(struct lf_post *post)
{
	(void)post;
	lf_loop_post(loop, &releaser);
}

TEST(an_adapter_that_stops_waits_for_what_is_opened_and_refuses_it)
{
	static enum place places[] = {EXAMINING, OPENING};
	struct lf_post post = {.run = release_after_the_stop};

	for (uint32_t i = 0; i < lf_count_of(places); i++) {
		set_up_host();
		shut(places[i]);
		begin_dead(&one, "/dead.img", 0);
		wait_at(places[i], 1);
		stopped_at = places[i];
		lf_loop_post(loop, &post);
		tear_down();
		CHECK(nothing_is_open());
		CHECK(one.answered);
		CHECK_EQ(one.reply.header.status, LF_CONTROL_FAILED);
		CHECK_STR(one.reply.failure.text.bytes, "the adapter is stopping");
	}
}

TEST(so_many_images_are_opened_at_once_and_no_more)
{
	enum { MOST = 32 };
	static struct asker many[MOST];
	int fd = image("x", 512);
	char path[32];

	set_up_host();
	shut(OPENING);
	for (uint32_t i = 0; i < MOST; i++) {
		lf_format(path, sizeof(path), "/dead%u.img", i);
		begin_connect(&many[i], path, image(path, 512), 0, 0, UINT32_MAX);
	}
	wait_at(OPENING, MOST);
	CHECK_EQ(connect_image("/x.img", fd, 0), LF_CONTROL_BUSY);
	CHECK_STR(one.reply.failure.text.bytes, "too many images are just being opened: try again");
	CHECK(fcntl(fd, F_GETFD) < 0);
	/* Those whose askers went away count, too: their threads are there still. */
	lf_handler_forget(&many[0].call);
	CHECK_EQ(connect_image("/x.img", image("x", 512), 0), LF_CONTROL_BUSY);
	release(OPENING);
	for (uint32_t i = 1; i < MOST; i++)
		CHECK_EQ(ended(&many[i]), LF_CONTROL_OK);
	CHECK_EQ(connect_image("/x.img", image("x", 512), 0), LF_CONTROL_OK);
	CHECK_EQ(lf_devices_count(devices), MOST);
	tear_down();
}

/* ---- Disconnect ---- */

TEST(a_close_that_hangs_holds_up_nobody_and_what_it_has_stays_taken)
{
	int fd = image("dead", 1 << 20), again = dup(fd);

	set_up_host();
	CHECK_EQ(connect_image("/dead.img", fd, 0), LF_CONTROL_OK);
	shut(CLOSING);
	ask_about(&two, LF_CONTROL_DISCONNECT, "dead", FOREVER_MS);
	ask_about(&three, LF_CONTROL_DISCONNECT, "dead", 20);
	wait_at(CLOSING, 1);
	others_are_served();
	CHECK_EQ(show("dead"), LF_CONTROL_OK);
	CHECK_EQ(one.reply.one.device.state, LF_CONTROL_OFFLINE);
	CHECK_EQ(ended(&three), LF_CONTROL_TIMED_OUT);
	CHECK_STR(three.reply.failure.text.bytes,
		"the host is still at work on its image: it is offline, and goes when that has ended");
	CHECK_EQ(connect_image("/dead.img", again, 0), LF_CONTROL_BUSY);
	CHECK_STR(one.reply.failure.text.bytes,
		"it is still leaving as dead: wait until lungfish list does not show it");
	CHECK(!two.answered && fcntl(fd, F_GETFD) >= 0);
	release(CLOSING);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK(fcntl(fd, F_GETFD) < 0);
	CHECK_EQ(connect_image("/dead.img", image("dead", 512), 0), LF_CONTROL_OK);
	tear_down();
}

TEST(what_is_only_closed_has_no_commands_in_flight)
{
	struct lf_timer timer = {.fired = release_later};

	set_up_host();
	CHECK_EQ(connect_image("/dead.img", image("dead", 1 << 20), 0), LF_CONTROL_OK);
	hold_a_read();
	shut(CLOSING);
	ask_about(&two, LF_CONTROL_DISCONNECT, "dead", FOREVER_MS);
	CHECK_EQ(show("dead"), LF_CONTROL_OK);
	CHECK_EQ(one.reply.one.device.in_flight, 1);
	lf_loop_timer_set(loop, &timer, lf_time_ns());
	wait_at(CLOSING, 1);
	CHECK_EQ(show("dead"), LF_CONTROL_OK);
	CHECK_EQ(one.reply.one.device.in_flight, 0);
	lf_loop_timer_cancel(loop, &two.call.timer);
	two.call.timer.fired(&two.call.timer);
	CHECK_EQ(ended(&two), LF_CONTROL_TIMED_OUT);
	CHECK_STR(two.reply.failure.text.bytes,
		"the host is still at work on its image: it is offline, and goes when that has ended");
	release(CLOSING);
	tear_down();
}

TEST(a_drive_that_leaves_is_shown_with_what_came_in_meanwhile)
{
	set_up_host();
	CHECK_EQ(connect_image("/a.img", image("a", 512), LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	hold_a_read();
	insert(&two, "a", "/dead.img", image("dead", 1024), 0);
	while (lf_device_opens(lf_devices_next(devices, 0)))
		run_posts();
	ask_about(&three, LF_CONTROL_DISCONNECT, "a", FOREVER_MS);
	shut(CLOSING);
	release_it();
	wait_at(CLOSING, 1);
	CHECK_EQ(show("a"), LF_CONTROL_OK);
	CHECK_STR(one.reply.one.device.image.bytes, "/dead.img");
	release(CLOSING);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(ended(&three), LF_CONTROL_OK);
	CHECK_STR(three.reply.one.device.image.bytes, "/dead.img");
	tear_down();
}

TEST(whoever_waits_for_a_close_may_go)
{
	set_up_host();
	dead_fd = image("dead", 512);
	CHECK_EQ(connect_image("/dead.img", dead_fd, 0), LF_CONTROL_OK);
	shut(CLOSING);
	ask_about(&two, LF_CONTROL_DISCONNECT, "dead", FOREVER_MS);
	wait_at(CLOSING, 1);
	lf_handler_forget(&two.call);
	release(CLOSING);
	run_until(nothing_is_open);
	tear_down();
	CHECK(!two.answered);
}

/* ---- Changes ---- */

/* What hangs comes too late for this one. */
static void make_late(struct asker *asker)
{
	lf_loop_timer_cancel(loop, &asker->call.timer);
	asker->call.timer.fired(&asker->call.timer);
	CHECK_EQ(ended(asker), LF_CONTROL_TIMED_OUT);
}

TEST(a_resize_that_hangs_holds_up_nobody)
{
	static struct asker other;

	set_up_host();
	CHECK_EQ(connect_image("/a.img", image("a", 1 << 20), 0), LF_CONTROL_OK);
	CHECK_EQ(connect_image("/b.img", image("b", 1 << 20), 0), LF_CONTROL_OK);
	shut(RESIZING);
	resize(&two, "a", 2 << 20);
	resize(&other, "b", 2 << 20);
	wait_at(RESIZING, 2);
	CHECK_EQ(show("a"), LF_CONTROL_OK);
	CHECK_EQ(one.reply.one.device.state, LF_CONTROL_IN_USE);
	CHECK_EQ(one.reply.one.device.block_count, 2048);
	resize(&three, "a", 3 << 20);
	CHECK_EQ(ended(&three), LF_CONTROL_BUSY);
	CHECK(strstr(three.reply.failure.text.bytes, "another change of it is under way"));
	make_late(&other);
	CHECK_STR(other.reply.failure.text.bytes,
		"the host is still at work on its image: it is done when that has ended");
	/* It leaves after that. */
	ask_about(&three, LF_CONTROL_DISCONNECT, "a", FOREVER_MS);
	CHECK_EQ(connect_image("/c.img", image("c", 512), 0), LF_CONTROL_OK);
	CHECK(!two.answered && !three.answered);
	release(RESIZING);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(two.reply.one.device.block_count, 4096);
	CHECK_EQ(ended(&three), LF_CONTROL_OK);
	tear_down();
}

/* All that the log says until the table is empty, once a resize has been late. */
static void resize_late(uint64_t size_bytes, uint64_t file_bytes, char *text, size_t room)
{
	int fd = image("a", 1 << 20);
	struct captured_log log;

	set_up_host();
	CHECK_EQ(connect_image("/a.img", fd, 0), LF_CONTROL_OK);
	CHECK_EQ(ftruncate(last_store->fd, (off_t)file_bytes), 0);
	shut(RESIZING);
	resize(&two, "a", size_bytes);
	wait_at(RESIZING, 1);
	make_late(&two);
	log = capture_log();
	release(RESIZING);
	tear_down();
	end_capture(log, text, room);
}

TEST(what_came_of_a_resize_that_was_late_is_in_the_log)
{
	char text[1024];

	resize_late(2 << 20, 1 << 20, text, sizeof(text));
	CHECK(strstr(text, "/a.img: a resize that took long is done: it has 4096 blocks now\n"));
	resize_late(0, 512, text, sizeof(text));
	CHECK(strstr(
		text, "warning: /a.img: a resize that took long has failed: from 1048576 to 512 bytes it"));
	CHECK(strstr(text, "disconnect it, shorten the image"));
}

static void insert_dead(struct asker *asker)
{
	dead_fd = image("dead", 1024);
	insert(asker, "a", "/dead.img", dead_fd, 0);
}

TEST(an_insert_that_hangs_holds_up_nobody_and_is_never_late)
{
	static const enum place places[] = {EXAMINING, OPENING};

	for (uint32_t i = 0; i < lf_count_of(places); i++) {
		int fd = image("b", 512);

		set_up_host();
		CHECK_EQ(connect_image("/a.img", image("a", 512), LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
		shut(places[i]);
		insert_dead(&two);
		wait_at(places[i], 1);
		others_are_served();
		CHECK_EQ(show("a"), LF_CONTROL_OK);
		CHECK_EQ(one.reply.one.device.state, LF_CONTROL_IN_USE);
		CHECK_STR(one.reply.one.device.image.bytes, "/a.img");
		insert(&three, "a", "/b.img", fd, 0);
		CHECK_EQ(ended(&three), LF_CONTROL_BUSY);
		CHECK(fcntl(fd, F_GETFD) < 0);
		two.call.timer.fired(&two.call.timer);
		CHECK(!two.answered);
		release(places[i]);
		CHECK_EQ(ended(&two), LF_CONTROL_OK);
		CHECK_STR(two.reply.one.device.image.bytes, "/dead.img");
		CHECK_EQ(two.reply.one.device.block_count, 2);
		tear_down();
	}
}

TEST(an_image_that_is_just_coming_in_is_taken)
{
	int again;

	set_up_host();
	CHECK_EQ(connect_image("/a.img", image("a", 512), LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	shut(OPENING);
	insert_dead(&two);
	wait_at(OPENING, 1);
	again = dup(dead_fd);
	CHECK_EQ(connect_image("/else.img", again, 0), LF_CONTROL_BUSY);
	CHECK_STR(one.reply.failure.text.bytes, "already connected as a: eject it there first");
	release(OPENING);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	tear_down();
}

TEST(whoever_goes_while_his_image_comes_in_leaves_the_drive_as_it_was)
{
	static const enum place places[] = {EXAMINING, OPENING};

	for (uint32_t i = 0; i < lf_count_of(places); i++) {
		set_up_host();
		CHECK_EQ(connect_image("/a.img", image("a", 512), LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
		shut(places[i]);
		insert_dead(&two);
		wait_at(places[i], 1);
		lf_handler_forget(&two.call);
		release(places[i]);
		run_until(nothing_is_open);
		run_posts();
		CHECK_EQ(show("a"), LF_CONTROL_OK);
		CHECK_STR(one.reply.one.device.image.bytes, "/a.img");
		tear_down();
		CHECK(!two.answered);
	}
}

static bool drive_is_idle(void)
{
	return show("a") == LF_CONTROL_OK && one.reply.one.device.state != LF_CONTROL_IN_USE;
}

TEST(an_image_that_was_opened_and_did_not_come_in_is_nobodys)
{
	int again;

	set_up_host();
	CHECK_EQ(connect_image("/a.img", image("a", 512), LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	shut(OPENING);
	insert_dead(&two);
	wait_at(OPENING, 1);
	again = dup(dead_fd);
	lf_handler_forget(&two.call);
	release(OPENING);
	run_until(drive_is_idle);
	CHECK(nothing_is_open());
	CHECK_EQ(connect_image("/dead.img", again, 0), LF_CONTROL_OK);
	tear_down();
}

TEST(an_image_that_is_refused_and_hangs_as_it_is_closed_is_not_said_to_come_in_later)
{
	struct lf_nexus_options options = {.initiator = "test"};

	set_up_host();
	CHECK_EQ(connect_image("/a.img", image("a", 512), LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	memset(&command, 0, sizeof(command));
	nexus = lf_nexus_open(adapter, &options);
	send_command(0x00, 6, 0);
	send_short(0x1e, 1); /* PREVENT ALLOW MEDIUM REMOVAL */
	CHECK_EQ(command.status, LF_STATUS_GOOD);
	shut(CLOSING);
	insert_dead(&two);
	wait_at(CLOSING, 1);
	lf_loop_timer_cancel(loop, &two.call.timer);
	two.call.timer.fired(&two.call.timer);
	CHECK(!two.answered);
	release(CLOSING);
	CHECK_EQ(ended(&two), LF_CONTROL_BUSY);
	CHECK(strstr(two.reply.failure.text.bytes, "an initiator has locked the medium in"));
	lf_nexus_close(nexus);
	tear_down();
}

TEST(a_drive_that_is_to_leave_takes_nothing_in_any_more)
{
	static const enum place places[] = {EXAMINING, OPENING};

	for (uint32_t i = 0; i < lf_count_of(places); i++) {
		set_up_host();
		CHECK_EQ(connect_image("/a.img", image("a", 512), LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
		shut(places[i]);
		insert_dead(&two);
		wait_at(places[i], 1);
		ask_about(&three, LF_CONTROL_DISCONNECT, "a", FOREVER_MS);
		release(places[i]);
		CHECK_EQ(ended(&two), LF_CONTROL_BUSY);
		CHECK(strstr(two.reply.failure.text.bytes, "it is leaving"));
		CHECK_EQ(ended(&three), LF_CONTROL_OK);
		CHECK(nothing_is_open());
		tear_down();
	}
}

TEST(an_eject_whose_close_hangs_holds_up_nobody_and_its_image_stays_taken)
{
	int fd = image("dead", 512), again = dup(fd);

	set_up_host();
	CHECK_EQ(connect_image("/dead.img", fd, LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	shut(CLOSING);
	ask_about(&two, LF_CONTROL_EJECT, "dead", FOREVER_MS);
	wait_at(CLOSING, 1);
	others_are_served();
	CHECK_EQ(connect_image("/else.img", again, 0), LF_CONTROL_BUSY);
	CHECK(!two.answered);
	release(CLOSING);
	CHECK_EQ(ended(&two), LF_CONTROL_OK);
	CHECK_EQ(two.reply.one.device.state, LF_CONTROL_EMPTY);
	CHECK(fcntl(fd, F_GETFD) < 0);
	tear_down();
}

/* A drive whose image an initiator has ejected. */
static void eject_by_initiator(const char *path, int fd)
{
	struct lf_nexus_options options = {.initiator = "test"};

	CHECK_EQ(connect_image(path, fd, LF_CONTROL_REMOVABLE), LF_CONTROL_OK);
	memset(&command, 0, sizeof(command));
	task_attribute = LF_TASK_SIMPLE;
	nexus = lf_nexus_open(adapter, &options);
	send_command(0x00, 6, 0);
	send_short(0x1b, 2); /* START STOP UNIT: LOEJ */
	CHECK_EQ(command.status, LF_STATUS_GOOD);
}

TEST(an_image_that_is_opened_anew_is_taken_all_the_while)
{
	static const enum place places[] = {CLOSING, OPENING};

	for (uint32_t i = 0; i < lf_count_of(places); i++) {
		int fd = image("dead", 1024), again = dup(fd), stolen = dup(fd);

		set_up_host();
		eject_by_initiator("/dead.img", fd);
		shut(places[i]);
		insert(&two, "dead", "/dead.img", again, 0);
		wait_at(places[i], 1);
		CHECK_EQ(connect_image("/else.img", stolen, 0), LF_CONTROL_BUSY);
		CHECK_STR(one.reply.failure.text.bytes, "already connected as dead: eject it there first");
		others_are_served();
		release(places[i]);
		CHECK_EQ(ended(&two), LF_CONTROL_OK);
		CHECK_EQ(two.reply.one.device.state, LF_CONTROL_READY);
		lf_nexus_close(nexus);
		tear_down();
	}
}

TEST(what_was_lost_when_an_image_was_opened_anew_is_told)
{
	int fd = image("a", 1024), again = dup(fd);

	set_up_host();
	eject_by_initiator("/a.img", fd);
	fail_flush = true;
	insert(&two, "a", "/a.img", again, 0);
	CHECK_EQ(ended(&two), LF_CONTROL_FAILED);
	CHECK(strstr(two.reply.failure.text.bytes, "what was written last may not be on the medium"));
	CHECK_EQ(show("a"), LF_CONTROL_OK);
	CHECK_EQ(one.reply.one.device.state, LF_CONTROL_READY);
	fail_flush = false;
	lf_nexus_close(nexus);
	tear_down();
}

/* ---- At the start ---- */

TEST(what_the_daemon_connects_before_its_loop_runs_is_there_at_once)
{
	struct lf_control_connect request = {.lun = UINT32_MAX};
	lf_handle handles[LF_CONTROL_HANDLES_MAX] = {image("a", 512), LF_HANDLE_NONE};
	struct lf_message text = {""};

	set_up_host();
	lf_control_set_text(&request.path, "/a.img");
	CHECK_EQ(lf_devices_connect_now(devices, &request, handles, &text), LF_CONTROL_OK);
	CHECK_EQ(lf_devices_count(devices), 1);
	handles[0] = dup((int)handles[0]);
	CHECK_EQ(lf_devices_connect_now(devices, &request, handles, &text), LF_CONTROL_BUSY);
	CHECK_STR(text.text, "already connected as a: disconnect it first");
	CHECK(fcntl((int)handles[0], F_GETFD) < 0);
	handles[0] = image("b", 512);
	request.type = 7;
	CHECK_EQ(lf_devices_connect_now(devices, &request, handles, &text), LF_CONTROL_UNSUPPORTED);
	CHECK(fcntl((int)handles[0], F_GETFD) < 0);
	tear_down();
}
