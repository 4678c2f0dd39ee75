/* SPDX-License-Identifier: BSD-2-Clause */
/* test_platform_nt.c: the platform in the kernel: text, time, locks, threads, the loop, parameters, statuses,
 * trace. */
#include "platform/errand.h"
#include "platform/loop.h"
#include "platform/nt.h"
#include "tests/storport/nt/nt.h"
#include "tests/test.h"
#include "trace/room.h"
#include "trace/sink_nt.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS 1000000u

static UNICODE_STRING registry_path;

static void begin(void)
{
	lf_fake_reset();
	RtlInitUnicodeString(
		&registry_path, L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\lungfish");
	lf_nt_platform_init(&registry_path);
}

static void finish(void)
{
	CHECK_EQ(lf_fake_leaks(), 0);
}

static void set_parameter(const char *name, ULONG type, const void *data, uint32_t length)
{
	lf_fake_registry_set("\\Registry\\Machine\\System\\CurrentControlSet\\Services\\lungfish\\Parameters",
		name, type, data, length);
}

static void set_dword(const char *name, uint32_t value)
{
	set_parameter(name, REG_DWORD, &value, sizeof(value));
}

/* ---- text, time, memory ---- */

TEST(text_always_ends_and_says_its_length)
{
	char text[8];

	begin();
	CHECK_EQ(lf_format(text, sizeof(text), "%s", "1234567"), 7);
	CHECK_STR(text, "1234567");
	CHECK_EQ(lf_format(text, sizeof(text), "%s", "12345678"), 7);
	CHECK_STR(text, "1234567");
	CHECK_EQ(lf_format(text, sizeof(text), "%s", "a much longer one"), 7);
	CHECK_STR(text, "a much ");
	CHECK_EQ(lf_format(text, 1, "%s", "x"), 0);
	CHECK_STR(text, "");
	CHECK_EQ(lf_format(text, sizeof(text), "%llu", 1234567890123ull), 7);
	finish();
}

TEST(text_is_cut_as_the_c_standard_cuts_it)
{
	char ours[48], theirs[48], name[40];
	int length;

	begin();
	for (size_t room = 1; room <= sizeof(ours); room++) {
		for (uint32_t i = 0; i < sizeof(name); i++) {
			memset(name, 'n', sizeof(name));
			name[i] = '\0';
			memset(ours, '#', sizeof(ours));
			length = snprintf(theirs, room, "%s %.*s%08x|%-5u|%llu", name, (int)i / 2,
				"abcdefghijk", (unsigned)(i * 2654435761u), (unsigned)i,
				(unsigned long long)i << 50);
			CHECK_EQ(lf_format(ours, room, "%s %.*s%08x|%-5u|%llu", name, (int)i / 2,
					 "abcdefghijk", (unsigned)(i * 2654435761u), (unsigned)i,
					 (unsigned long long)i << 50),
				lf_min((size_t)length, room - 1));
			CHECK_STR(ours, theirs);
			CHECK(room == sizeof(ours) || ours[room] == '#');
		}
	}
	finish();
}

TEST(messages_are_one_line_and_cut_where_their_room_ends)
{
	struct lf_message message;
	char long_name[400];

	begin();
	lf_message_set(NULL, "nobody listens");
	lf_message_set(&message, "a\nb%s", "\033[2J");
	CHECK_STR(message.text, "a?b?[2J");
	memset(long_name, 'x', sizeof(long_name));
	long_name[399] = '\0';
	lf_message_set(&message, "%s", long_name);
	CHECK_EQ(strlen(message.text), sizeof(message.text) - 1);
	finish();
}

TEST(time_goes_forward_in_nanoseconds)
{
	struct timespec length = {0, 20 * MS};
	uint64_t before, after;

	begin();
	before = lf_time_ns();
	nanosleep(&length, NULL);
	after = lf_time_ns();
	CHECK(after - before >= 20 * MS);
	CHECK(after - before < 60000 * (uint64_t)MS);
	finish();
}

TEST(memory_is_zeroed_tagged_and_counted)
{
	uint8_t *memory;

	begin();
	memory = lf_alloc(5000);
	CHECK(memory);
	for (uint32_t i = 0; i < 5000; i++)
		CHECK_EQ(memory[i], 0);
	CHECK_EQ(lf_fake_pool_blocks(LF_NT_TAG), 1);
	lf_free(memory);
	lf_free(NULL);
	CHECK_EQ(lf_fake_pool_blocks(LF_NT_TAG), 0);
	lf_fake_fail(LF_FAKE_POOL, 0, 1);
	CHECK(!lf_alloc(1));
	finish();
}

TEST(a_lock_raises_to_dispatch_level_and_back)
{
	struct lf_lock outer, inner;

	begin();
	lf_lock_init(&outer);
	lf_lock_init(&inner);
	lf_lock(&outer);
	CHECK_EQ(lf_fake_irql(), DISPATCH_LEVEL);
	lf_lock(&inner);
	lf_unlock(&inner);
	CHECK_EQ(lf_fake_irql(), DISPATCH_LEVEL);
	lf_unlock(&outer);
	CHECK_EQ(lf_fake_irql(), PASSIVE_LEVEL);
	finish();
}

TEST(a_lane_is_a_processor)
{
	begin();
	lf_fake_processors(8);
	lf_fake_run_on(5);
	CHECK_EQ(lf_lane_current(), 5);
	finish();
}

/* ---- log ---- */

TEST(the_log_is_printed_and_a_storm_is_cut_short)
{
	begin();
	KIRQL irql = lf_fake_irql_raise(DISPATCH_LEVEL);
	lf_log(LF_LOG_WARNING, "number %d", 7);
	lf_log(LF_LOG_DEBUG, "never seen");
	lf_fake_irql_lower(irql);
	CHECK(lf_fake_has_printed("lungfish: warning: number 7"));
	CHECK(!lf_fake_has_printed("never seen"));
	for (uint32_t i = 0; i < 200; i++)
		lf_log(LF_LOG_ERROR, "storm %u.", (unsigned)i);
	CHECK(lf_fake_has_printed("storm 10."));
	CHECK(!lf_fake_has_printed("storm 199."));
	finish();
}

TEST(the_level_of_the_log_is_a_parameter)
{
	begin();
	set_dword("LogLevel", LF_LOG_DEBUG);
	lf_nt_platform_init(&registry_path);
	lf_log(LF_LOG_DEBUG, "now it is");
	CHECK(lf_fake_has_printed("debug: now it is"));
	finish();
}

/* ---- parameters, statuses ---- */

TEST(parameters_are_those_of_the_service)
{
	begin();
	CHECK_EQ(lf_nt_parameter(&registry_path, L"Targets", 16), 16);
	set_dword("Targets", 40);
	CHECK_EQ(lf_nt_parameter(&registry_path, L"Targets", 16), 40);
	CHECK_EQ(lf_nt_parameter(&registry_path, L"Other", 3), 3);
	set_parameter("Text", REG_SZ, L"40", 6);
	CHECK_EQ(lf_nt_parameter(&registry_path, L"Text", 5), 5);
	set_parameter("Large", REG_QWORD, "12345678", 8);
	CHECK_EQ(lf_nt_parameter(&registry_path, L"Large", 6), 6);
	set_parameter("Short", REG_DWORD, "12", 2);
	CHECK_EQ(lf_nt_parameter(&registry_path, L"Short", 7), 7);
	finish();
}

TEST(a_status_of_the_kernel_has_a_meaning_here)
{
	CHECK_EQ(lf_error_from_status(STATUS_SUCCESS), LF_OK);
	CHECK_EQ(lf_error_from_status(STATUS_PENDING), LF_OK);
	CHECK_EQ(lf_error_from_status(STATUS_INSUFFICIENT_RESOURCES), LF_E_NO_MEMORY);
	CHECK_EQ(lf_error_from_status(STATUS_DISK_FULL), LF_E_NO_SPACE);
	CHECK_EQ(lf_error_from_status(STATUS_NETWORK_NAME_DELETED), LF_E_NO_MEDIUM);
	CHECK_EQ(lf_error_from_status(STATUS_SHARING_VIOLATION), LF_E_BUSY);
	CHECK_EQ(lf_error_from_status(STATUS_CANCELLED), LF_E_ABORTED);
	CHECK_EQ(lf_error_from_status(STATUS_END_OF_FILE), LF_E_RANGE);
	CHECK_EQ(lf_error_from_status(STATUS_ACCESS_DENIED), LF_E_PERMISSION);
	CHECK_EQ(lf_error_from_status(STATUS_OBJECT_NAME_NOT_FOUND), LF_E_NOT_FOUND);
	CHECK_EQ(lf_error_from_status(STATUS_TIMEOUT), LF_E_TIMED_OUT);
	CHECK_EQ(lf_error_from_status(STATUS_MEDIA_WRITE_PROTECTED), LF_E_READ_ONLY);
	CHECK_EQ(lf_error_from_status(STATUS_NOT_SUPPORTED), LF_E_UNSUPPORTED);
	CHECK_EQ(lf_error_from_status((NTSTATUS)0xc0ffee00), LF_E_IO);
}

/* A medium error would be taken for a broken disk, and its blocks for lost. */
TEST(what_went_away_and_what_may_pass_is_no_broken_medium)
{
	static const NTSTATUS gone[] = {STATUS_FILE_FORCED_CLOSED, STATUS_FILE_NOT_AVAILABLE,
		STATUS_USER_SESSION_DELETED, STATUS_NETWORK_SESSION_EXPIRED, STATUS_LOCAL_DISCONNECT,
		STATUS_REMOTE_DISCONNECT, STATUS_GRACEFUL_DISCONNECT, STATUS_INVALID_CONNECTION,
		STATUS_LINK_FAILED, STATUS_LINK_TIMEOUT, STATUS_PORT_UNREACHABLE, STATUS_PROTOCOL_UNREACHABLE,
		STATUS_DFS_UNAVAILABLE, STATUS_REDIRECTOR_NOT_STARTED, STATUS_TOO_LATE,
		STATUS_DEVICE_POWERED_OFF, STATUS_DEVICE_POWER_FAILURE};
	static const NTSTATUS passing[] = {STATUS_NETWORK_BUSY, STATUS_RETRY, STATUS_REQUEST_NOT_ACCEPTED};
	static const NTSTATUS broken[] = {STATUS_IO_DEVICE_ERROR, STATUS_DEVICE_DATA_ERROR, STATUS_CRC_ERROR,
		STATUS_DISK_CORRUPT_ERROR};

	for (size_t i = 0; i < lf_count_of(gone); i++)
		CHECK_EQ(lf_error_from_status(gone[i]), LF_E_NO_MEDIUM);
	for (size_t i = 0; i < lf_count_of(passing); i++)
		CHECK_EQ(lf_error_from_status(passing[i]), LF_E_NO_MEMORY);
	for (size_t i = 0; i < lf_count_of(broken); i++)
		CHECK_EQ(lf_error_from_status(broken[i]), LF_E_IO);
	CHECK_EQ(lf_error_from_status(STATUS_DISK_QUOTA_EXCEEDED), LF_E_NO_SPACE);
}

/* ---- threads ---- */

static uint32_t ran;

static void run_a_little(void *context)
{
	struct timespec length = {0, 5 * MS};

	nanosleep(&length, NULL);
	__atomic_add_fetch((uint32_t *)context, 1, __ATOMIC_SEQ_CST);
}

TEST(a_thread_has_ended_when_it_is_joined)
{
	struct lf_nt_thread thread = {.run = run_a_little, .context = &ran};

	begin();
	ran = 0;
	CHECK_EQ(lf_nt_thread_start(&thread), LF_OK);
	lf_nt_thread_join(&thread);
	CHECK_EQ(ran, 1);
	CHECK(!thread.object);
	lf_fake_fail(LF_FAKE_THREAD, 0, 1);
	CHECK_EQ(lf_nt_thread_start(&thread), LF_E_NO_MEMORY);
	finish();
}

static void look_for_boxes(void *context)
{
	*(BOOLEAN *)context = IoSetThreadHardErrorMode(FALSE);
}

/* Nobody may sit before the machine; the request would wait for him. The file system's part looks, too. */
TEST(a_thread_shows_no_box_and_waits_for_no_user)
{
	BOOLEAN shows = TRUE;
	struct lf_nt_thread thread = {.run = look_for_boxes, .context = &shows};

	begin();
	CHECK_EQ(lf_nt_thread_start(&thread), LF_OK);
	lf_nt_thread_join(&thread);
	CHECK(!shows);
	finish();
}

static KEVENT gate;

static void run_until_gate(void *context)
{
	(void)context;
	KeWaitForSingleObject(&gate, Executive, KernelMode, FALSE, NULL);
}

TEST(a_thread_that_hangs_is_not_waited_for_longer_than_said)
{
	struct lf_nt_thread thread = {.run = run_until_gate};

	begin();
	KeInitializeEvent(&gate, NotificationEvent, FALSE);
	CHECK_EQ(lf_nt_thread_start(&thread), LF_OK);
	CHECK(!lf_nt_thread_join_within(&thread, 5 * MS));
	KeSetEvent(&gate, 0, FALSE);
	CHECK(lf_nt_thread_join_within(&thread, UINT64_MAX));
	finish();
}

/* ---- the loop ---- */

static struct lf_loop *loop;
static struct lf_nt_thread loop_thread;
static char steps[256];

static void step(char what)
{
	size_t length = strlen(steps);

	if (length + 1 < sizeof(steps))
		steps[length] = what;
}

static void run_loop(void *context)
{
	lf_loop_run(context);
}

static void begin_loop(void)
{
	struct lf_message message;

	begin();
	memset(steps, 0, sizeof(steps));
	loop = lf_loop_create(0, true, &message);
	loop_thread = (struct lf_nt_thread){.run = run_loop, .context = loop};
}

static void start_loop(void)
{
	lf_assert(lf_nt_thread_start(&loop_thread) == LF_OK);
}

static void finish_loop(void)
{
	lf_nt_thread_join(&loop_thread);
	lf_loop_destroy(loop);
	finish();
}

struct letter {
	struct lf_post post;
	char what;
	uint32_t again;
	bool stop;
};

static uint32_t letters_read;

static void letter_run(struct lf_post *post)
{
	struct letter *letter = lf_container(post, struct letter, post);

	step(letter->what);
	if (letter->again > 0) {
		letter->again--;
		lf_loop_post(loop, &letter->post);
	}
	if (letter->stop)
		lf_loop_stop(loop);
	__atomic_add_fetch(&letters_read, 1, __ATOMIC_SEQ_CST);
}

TEST(posts_run_in_order_and_may_be_posted_again)
{
	struct letter a = {{.run = letter_run}, 'a', 2, false}, b = {{.run = letter_run}, 'b', 0, false},
		      c = {{.run = letter_run}, 'c', 0, false}, end = {{.run = letter_run}, '.', 3, true};

	begin_loop();
	lf_loop_post(loop, &a.post);
	lf_loop_post(loop, &b.post);
	lf_loop_post(loop, &c.post);
	start_loop();
	struct timespec length = {0, MS};
	while (__atomic_load_n(&letters_read, __ATOMIC_SEQ_CST) < 5)
		nanosleep(&length, NULL);
	KIRQL irql = lf_fake_irql_raise(DISPATCH_LEVEL);
	lf_loop_post(loop, &end.post);
	lf_fake_irql_lower(irql);
	finish_loop();
	CHECK_STR(steps, "abcaa.");
}

static struct letter flood[4][200];
static uint32_t arrived;

static void count_arrival(struct lf_post *post)
{
	(void)post;
	if (++arrived == 800)
		lf_loop_stop(loop);
}

static void *post_many(void *context)
{
	struct letter *letters = context;

	for (uint32_t i = 0; i < 200; i++) {
		letters[i].post.run = count_arrival;
		lf_loop_post(loop, &letters[i].post);
	}
	return NULL;
}

TEST(posts_from_many_threads_all_arrive)
{
	pthread_t threads[4];

	begin_loop();
	arrived = 0;
	start_loop();
	for (uint32_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, post_many, flood[i]);
	for (uint32_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	finish_loop();
	CHECK_EQ(arrived, 800);
}

struct clock {
	struct lf_timer timer;
	char what;
	uint32_t again;
};

#define FIRED "aaab." /* when all have, in one order or another */

static void clock_fired(struct lf_timer *timer)
{
	struct clock *clock = lf_container(timer, struct clock, timer);

	if (lf_time_ns() < timer->due_ns)
		step('!');
	step(clock->what);
	if (clock->again > 0) {
		clock->again--;
		lf_loop_timer_set(loop, timer, lf_time_ns() + MS);
	}
	if (strlen(steps) >= strlen(FIRED))
		lf_loop_stop(loop);
}

/* The one that sets itself anew falls behind the others where the machine stands still meanwhile. */
TEST(timers_fire_in_order_and_never_early)
{
	struct clock a = {{.fired = clock_fired}, 'a', 2}, b = {{.fired = clock_fired}, 'b', 0},
		     c = {{.fired = clock_fired}, 'c', 0}, end = {{.fired = clock_fired}, '.', 0};
	uint64_t now_ns;

	begin_loop();
	now_ns = lf_time_ns();
	lf_loop_timer_set(loop, &end.timer, now_ns + 2000 * MS);
	lf_loop_timer_set(loop, &b.timer, now_ns + 20 * MS);
	lf_loop_timer_set(loop, &c.timer, now_ns + 10 * MS);
	lf_loop_timer_cancel(loop, &c.timer);
	lf_loop_timer_cancel(loop, &c.timer);
	lf_loop_timer_set(loop, &a.timer, now_ns);
	lf_loop_timer_set(loop, &end.timer, now_ns + 40 * MS); /* moved */
	start_loop();
	finish_loop();
	CHECK_EQ(steps[0], 'a');
	CHECK(strchr(steps, 'b') < strchr(steps, '.'));
	CHECK_EQ(strlen(steps), strlen(FIRED));
	CHECK_EQ(strspn(steps, FIRED), strlen(FIRED));
}

/* ---- errands ---- */

struct trip {
	struct lf_errand errand;
	struct lf_post post;
	pthread_t thread, loop; /* that it ran on, and was begun on */
	uint32_t runs;
	enum lf_error began;
};

static void trip_run(struct lf_errand *errand)
{
	struct trip *trip = lf_container(errand, struct trip, errand);

	lf_fake_need_irql("an errand", PASSIVE_LEVEL);
	trip->thread = pthread_self();
	trip->runs++;
}

static void trip_done(struct lf_errand *errand)
{
	lf_assert(pthread_equal(lf_container(errand, struct trip, errand)->loop, pthread_self()));
	lf_loop_stop(loop);
}

static void trip_begins(struct lf_post *post)
{
	struct trip *trip = lf_container(post, struct trip, post);

	trip->loop = pthread_self();
	trip->began = lf_errand_begin(&trip->errand, loop);
	if (trip->began != LF_OK)
		lf_loop_stop(loop);
}

static void trip_insists(struct lf_post *post)
{
	struct trip *trip = lf_container(post, struct trip, post);

	trip->loop = pthread_self();
	lf_errand_insist(&trip->errand, loop);
}

/* So many threads cannot be had first. */
static void make_trip(struct trip *trip, void (*begins)(struct lf_post *post), uint32_t failures)
{
	memset(trip, 0, sizeof(*trip));
	trip->errand.run = trip_run;
	trip->errand.done = trip_done;
	trip->post.run = begins;
	begin_loop();
	start_loop();
	lf_fake_fail(LF_FAKE_THREAD, failures ? 0 : UINT32_MAX, failures);
	lf_loop_post(loop, &trip->post);
	finish_loop();
}

TEST(an_errand_has_a_thread_of_its_own_and_ends_on_the_loop)
{
	struct trip trip;

	make_trip(&trip, trip_begins, 0);
	CHECK_EQ(trip.began, LF_OK);
	CHECK_EQ(trip.runs, 1);
	CHECK(!pthread_equal(trip.thread, trip.loop));
}

TEST(without_a_thread_an_errand_is_not_begun)
{
	struct trip trip;

	make_trip(&trip, trip_begins, 1);
	CHECK_EQ(trip.began, LF_E_NO_MEMORY);
	CHECK_EQ(trip.runs, 0);
}

TEST(an_errand_that_must_be_done_waits_for_a_thread_and_in_the_end_goes_without)
{
	struct trip trip;

	make_trip(&trip, trip_insists, 3);
	CHECK_EQ(trip.runs, 1);
	CHECK(!pthread_equal(trip.thread, trip.loop));
	make_trip(&trip, trip_insists, 1000);
	CHECK_EQ(trip.runs, 1);
	CHECK(pthread_equal(trip.thread, trip.loop));
}

TEST(a_loop_without_memory_is_none)
{
	struct lf_message message = {""};

	begin();
	lf_fake_fail(LF_FAKE_POOL, 0, 1);
	CHECK(!lf_loop_create(0, false, &message));
	CHECK(message.text[0]);
	finish();
}

/* ---- trace ---- */

TEST(events_are_printed_by_level_and_flag)
{
	begin();
	lf_trace_nt_start(&registry_path); /* no TraceLevel: nothing */
	lf_trace_unit_added(1, 2, 3, 4);
	CHECK(!lf_fake_has_printed("unit_added"));
	lf_trace_nt_stop();
	set_dword("TraceLevel", LF_TRACE_INFO);
	lf_trace_nt_start(&registry_path);
	lf_trace_unit_added(1, 2, 3, 4);
	lf_trace_command_begin(1, 2, 3, 4);
	CHECK(lf_fake_has_printed("unit_added target=1 lun=2 blocks=3 block_size=4"));
	CHECK(!lf_fake_has_printed("command_begin"));
	lf_trace_nt_stop();
	set_dword("TraceLevel", LF_TRACE_VERBOSE);
	set_dword("TraceFlags", LF_TRACE_FLAG_FUNCTION);
	lf_trace_nt_start(&registry_path);
	KIRQL irql = lf_fake_irql_raise(DISPATCH_LEVEL);
	lf_trace_command_begin(9, 8, 0x28, 6);
	lf_trace_unit_freed(6, 5, 0, 0);
	lf_fake_irql_lower(irql);
	CHECK(lf_fake_has_printed("command_begin lun=9 tag=8 opcode=40 length=6"));
	CHECK(!lf_fake_has_printed("unit_freed"));
	lf_trace_nt_stop();
	lf_trace_command_begin(77, 8, 0x28, 6);
	CHECK(!lf_fake_has_printed("lun=77"));
	finish();
}

/* Whether it is in the ring of this lane, as the newest. */
static bool is_kept(uint64_t tag)
{
	struct lf_trace_record newest;

	return lf_trace_read(lf_lane_current() & (lf_trace_lane_count - 1), &newest, 1) == 1 &&
	       newest.field[1] == tag;
}

TEST(a_session_hears_of_each_request_only_when_it_asks)
{
	begin();
	lf_trace_nt_start(&registry_path);
	lf_fake_etw_enable(LF_TRACE_INFO, 0, 0);
	lf_trace_command_begin(1, 1001, 0x28, 0);
	lf_trace_unit_added(1, 2, 3, 4);
	CHECK_EQ(lf_fake_etw_count(LF_TRACE_ID_unit_added), 1);
	CHECK(!is_kept(1001));
	lf_fake_etw_enable(LF_TRACE_VERBOSE, 0, 0);
	KIRQL irql = lf_fake_irql_raise(DISPATCH_LEVEL + 1);
	lf_trace_command_begin(1, 1002, 0x28, 0);
	lf_fake_irql_lower(irql);
	CHECK_EQ(lf_fake_etw_count(LF_TRACE_ID_command_begin), 1);
	CHECK(is_kept(1002));
	lf_fake_etw_disable();
	lf_trace_command_begin(1, 1003, 0x28, 0);
	CHECK(!is_kept(1003));
	CHECK_EQ(lf_fake_etw_unwanted(), 0);
	CHECK(!lf_fake_has_printed("unit_added"));
	lf_trace_nt_stop();
	finish();
}

TEST(a_session_that_waits_hears_of_the_first_event)
{
	begin();
	lf_fake_etw_enable(0, 0, 0);
	lf_trace_nt_start(&registry_path);
	lf_trace_command_done(1, 2, 3, 4);
	CHECK_EQ(lf_fake_etw_count(LF_TRACE_ID_command_done), 1);
	lf_trace_nt_stop();
	lf_trace_command_done(1, 2, 3, 4); /* EtwWriteTransfer would abort */
	CHECK_EQ(lf_fake_etw_count(LF_TRACE_ID_command_done), 1);
	finish();
}

TEST(prints_go_on_without_a_provider)
{
	for (uint32_t spared = 0; spared < 2; spared++) {
		begin();
		set_dword("TraceLevel", LF_TRACE_INFO);
		lf_fake_etw_enable(0, 0, 0);
		lf_fake_fail(LF_FAKE_ETW, spared, 1);
		lf_trace_nt_start(&registry_path);
		CHECK(lf_fake_has_printed("no events for ETW"));
		lf_trace_unit_added(9, 2, 3, 4);
		CHECK(lf_fake_has_printed("unit_added target=9"));
		CHECK_EQ(lf_fake_etw_count(LF_TRACE_ID_unit_added), 0);
		lf_trace_command_begin(1, 1004, 0x28, 0);
		CHECK(!is_kept(1004));
		lf_trace_nt_stop();
		finish();
	}
}

static bool writers_end; /* by atomics */

static void *write_on(void *context)
{
	for (uint64_t i = 0; !__atomic_load_n(&writers_end, __ATOMIC_RELAXED); i++) {
		lf_trace_command_begin(1, i, 0x28, 0);
		lf_trace_unit_added(1, 2, 3, 4);
	}
	return context;
}

TEST(sessions_come_and_go_while_others_write)
{
	pthread_t writers[3];

	begin();
	lf_trace_nt_start(&registry_path);
	writers_end = false;
	for (size_t i = 0; i < lf_count_of(writers); i++)
		CHECK_EQ(pthread_create(&writers[i], NULL, write_on, NULL), 0);
	for (uint32_t i = 0; i < 300; i++) {
		lf_fake_etw_enable((UCHAR)(i % 7), i % 5, 0);
		if (i % 3 == 0)
			lf_fake_etw_disable();
	}
	__atomic_store_n(&writers_end, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < lf_count_of(writers); i++)
		pthread_join(writers[i], NULL);
	uint64_t before = lf_fake_etw_unwanted(); /* who had looked just before it changed */
	lf_fake_etw_disable();
	lf_trace_unit_added(1, 2, 3, 4);
	CHECK_EQ(lf_fake_etw_unwanted(), before);
	lf_trace_nt_stop();
	finish();
}

TEST(every_event_has_one_flag)
{
	for (uint32_t i = 0; i < lf_trace_event_count; i++) {
		uint32_t flag = lf_trace_flag_of(&lf_trace_events[i]);
		CHECK(flag != 0 && (flag & (flag - 1)) == 0 && (flag & LF_TRACE_FLAGS_ALL) == flag);
		if (lf_trace_events[i].level <= LF_TRACE_WARNING)
			CHECK_EQ(flag, LF_TRACE_FLAG_FAULT);
	}
}
