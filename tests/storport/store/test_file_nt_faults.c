/* SPDX-License-Identifier: BSD-2-Clause */
/* test_file_nt_faults.c: the file store when the host is short, slow, dead or gone, and when nobody waits any
 * more. */
#include "tests/storport/store/image.h"

#include "store/driver_nt.h"

#include <ntddstor.h>
#include <stdlib.h>
#include <string.h>

#define READ  (1 << LF_FAKE_READ)
#define WRITE (1 << LF_FAKE_WRITE)

static struct image image;

static void fail_no_more(enum lf_fake_call call)
{
	lf_fake_fail(call, UINT32_MAX, 1);
	lf_fake_fail_some(call, 0, 0);
}

static void begin(ULONG attributes)
{
	kernel_begin();
	image_open(&image, 4 * MIB, attributes);
}

static void finish(void)
{
	lf_fake_rules_clear();
	lf_fake_release();
	image_close(&image);
	kernel_end();
}

static struct job *begin_read(struct image *of, uint64_t offset_bytes)
{
	struct job *job = job_make(of, LF_OP_READ, offset_bytes, 4096);

	job_lend(job, 0, 0);
	job_submit(job);
	return job;
}

static enum lf_error end(struct job *job)
{
	enum lf_error error = job_wait(job);

	job_free(job);
	return error;
}

/* ---- nobody waits any more ---- */

TEST(what_hangs_below_is_cancelled)
{
	struct job *job;

	begin(0);
	hold_on(image.file, READ, LF_FAKE_PEND, STATUS_SUCCESS, 1);
	job = begin_read(&image, 0);
	wait_for_held(1);
	job_cancel(job);
	CHECK_EQ(end(job), LF_E_ABORTED);
	CHECK_EQ(end(begin_read(&image, 0)), LF_OK);
	finish();
}

TEST(what_waits_for_a_worker_is_given_up_though_every_worker_hangs)
{
	struct job *jobs[8];

	begin(0);
	hold_on(image.file, READ, LF_FAKE_BLOCK, STATUS_SUCCESS, 0);
	for (size_t i = 0; i < lf_count_of(jobs); i++)
		jobs[i] = begin_read(&image, i * 4096);
	wait_for_held(4);
	for (size_t i = 4; i < lf_count_of(jobs); i++) {
		job_cancel(jobs[i]);
		CHECK_EQ(end(jobs[i]), LF_E_ABORTED);
	}
	/* Those below hear of it too, and come back when the file system does. */
	for (size_t i = 0; i < 4; i++)
		job_cancel(jobs[i]);
	lf_fake_rules_clear();
	lf_fake_release();
	for (size_t i = 0; i < 4; i++)
		end(jobs[i]);
	finish();
}

TEST(a_copied_transfer_and_a_long_zeroing_are_given_up)
{
	struct job *job;
	void *memory;

	begin(0);
	memory = lf_alloc(MIB);
	hold_on(image.file, WRITE, LF_FAKE_PEND, STATUS_SUCCESS, 0);
	job = job_make(&image, LF_OP_WRITE, 0, MIB);
	job_point(job, memory);
	job_submit(job);
	wait_for_held(1);
	job_cancel(job);
	CHECK_EQ(end(job), LF_E_ABORTED);
	job = job_make(&image, LF_OP_ZERO, 0, 4 * MIB);
	job_submit(job);
	wait_for_held(1);
	job_cancel(job);
	CHECK_EQ(end(job), LF_E_ABORTED);
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_WRITE), 2);
	lf_free(memory);
	finish();
}

TEST(what_waits_for_memory_is_given_up)
{
	struct job *job;

	begin(0);
	hold_on(image.file, READ, LF_FAKE_STATUS, STATUS_INSUFFICIENT_RESOURCES, 0);
	job = begin_read(&image, 0);
	while (lf_fake_file_count(image.file, LF_FAKE_READ) < 3)
		doze(1);
	CHECK(!job_has_ended(job));
	job_cancel(job);
	CHECK_EQ(end(job), LF_E_ABORTED);
	finish();
}

TEST(a_cancel_for_nothing_does_nothing)
{
	struct job *job;

	begin(0);
	job = begin_read(&image, 0);
	CHECK_EQ(job_wait(job), LF_OK);
	job_cancel(job);
	job_free(job);
	job = job_make(&image, LF_OP_READ, 0, 512);
	job_lend(job, 0, 0);
	job_cancel(job);
	job_submit(job);
	CHECK_EQ(end(job), LF_OK);
	finish();
}

struct racer {
	struct image *image;
	uint32_t seed;
	uint32_t wrong;
};

static struct job *racing_job(struct racer *racer, uint32_t dice)
{
	static const enum lf_op ops[] = {
		LF_OP_READ, LF_OP_WRITE, LF_OP_READ, LF_OP_WRITE, LF_OP_FLUSH, LF_OP_ZERO, LF_OP_MAP};
	enum lf_op op = ops[dice % lf_count_of(ops)];
	uint64_t length_bytes = (dice >> 4) % 9 * 4096 + 512;
	struct job *job = op == LF_OP_FLUSH
				  ? job_make(racer->image, op, 0, 0)
				  : job_make(racer->image, op, (dice >> 8) % 64 * 512, length_bytes);

	job->io.fua = (dice >> 16) % 7 == 0;
	if (op == LF_OP_READ || op == LF_OP_WRITE)
		job_lend(job, (dice >> 20) % 3 * 100, 0);
	return job;
}

static void *race(void *context)
{
	struct racer *racer = context;
	struct job *jobs[6];

	for (uint32_t round = 0; round < 120; round++) {
		uint32_t dice = racer->seed;
		for (size_t i = 0; i < lf_count_of(jobs); i++) {
			dice = dice * 1664525 + 1013904223;
			jobs[i] = racing_job(racer, dice >> 4);
			job_submit(jobs[i]);
		}
		for (size_t i = 0; i < lf_count_of(jobs); i++) {
			dice = dice * 1664525 + 1013904223;
			if ((dice >> 16) % 2)
				job_cancel(jobs[(dice >> 20) % lf_count_of(jobs)]);
		}
		for (size_t i = 0; i < lf_count_of(jobs); i++) {
			enum lf_error error = job_wait(jobs[i]);
			if (error != LF_OK && error != LF_E_ABORTED)
				racer->wrong++;
			job_free(jobs[i]);
		}
		racer->seed = dice;
	}
	return NULL;
}

TEST(completions_and_cancels_race_and_each_operation_ends_once)
{
	struct lf_fake_rule shorts = {
		.ops = READ | WRITE, .what = LF_FAKE_SHORT, .per_1024 = 100, .short_bytes = 700};
	struct lf_fake_rule poor = {.ops = READ | WRITE,
		.what = LF_FAKE_STATUS,
		.per_1024 = 60,
		.status = STATUS_INSUFFICIENT_RESOURCES};
	struct racer racers[3];
	pthread_t threads[3];

	begin(FILE_ATTRIBUTE_SPARSE_FILE);
	shorts.file = poor.file = image.file;
	lf_fake_rule_add(&shorts);
	lf_fake_rule_add(&poor);
	lf_fake_fail_some(LF_FAKE_IRP, 200, 7);
	for (uint32_t i = 0; i < 3; i++) {
		racers[i] = (struct racer){&image, i * 77 + 1, 0};
		pthread_create(&threads[i], NULL, race, &racers[i]);
	}
	for (uint32_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQ(racers[i].wrong, 0);
	fail_no_more(LF_FAKE_IRP);
	CHECK(!lf_store_file_has_failed(image.store));
	finish();
}

/* ---- the host is short of something ---- */

TEST(without_a_free_irp_the_reserve_serves_everything)
{
	struct job *jobs[32];

	begin(0);
	lf_fake_fail(LF_FAKE_IRP, 0, 0);
	for (uint32_t i = 0; i < lf_count_of(jobs); i++)
		jobs[i] = begin_read(&image, i * 4096);
	for (uint32_t i = 0; i < lf_count_of(jobs); i++)
		CHECK_EQ(end(jobs[i]), LF_OK);
	CHECK(job_write(&image, 0, MIB, 1));
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	fail_no_more(LF_FAKE_IRP);
	CHECK(job_read(&image, 0, MIB, 1));
	finish();
}

/* The reserve has four: whoever needs a fifth waits until one is back. */
TEST(without_a_free_irp_and_with_the_reserve_below_the_next_one_waits)
{
	struct job *jobs[4], *zero;

	begin(0);
	lf_fake_fail(LF_FAKE_IRP, 0, 0);
	hold_on(image.file, READ, LF_FAKE_PEND, STATUS_SUCCESS, 0);
	for (uint32_t i = 0; i < lf_count_of(jobs); i++)
		jobs[i] = begin_read(&image, i * 4096);
	wait_for_held(lf_count_of(jobs));
	zero = job_make(&image, LF_OP_ZERO, 0, 4096);
	job_submit(zero);
	doze(20);
	CHECK(!job_has_ended(zero));
	lf_fake_rules_clear();
	lf_fake_release();
	for (uint32_t i = 0; i < lf_count_of(jobs); i++)
		CHECK_EQ(end(jobs[i]), LF_OK);
	CHECK_EQ(end(zero), LF_OK);
	fail_no_more(LF_FAKE_IRP);
	finish();
}

TEST(want_of_memory_below_is_no_medium_error)
{
	struct lf_fake_rule rule = {.ops = READ | WRITE,
		.what = LF_FAKE_STATUS,
		.per_1024 = 600,
		.status = STATUS_INSUFFICIENT_RESOURCES};

	begin(0);
	rule.file = image.file;
	lf_fake_rule_add(&rule);
	for (uint32_t i = 0; i < 4; i++) {
		CHECK(job_write(&image, i * MIB, 300 * KIB, i));
		CHECK(job_read(&image, i * MIB, 300 * KIB, i));
	}
	CHECK_EQ(job_do(&image, LF_OP_ZERO, 0, 200 * KIB), LF_OK);
	finish();
}

TEST(pages_that_cannot_be_mapped_now_are_mapped_later)
{
	struct lf_fake_volume_options strict = {.name = "D:", .alignment = FILE_512_BYTE_ALIGNMENT};
	struct image_options options = {.path = "D:\\disk.img"};

	kernel_begin();
	lf_fake_volume_add(&strict);
	lf_fake_file_add("D:\\disk.img", MIB, 0);
	CHECK_EQ(image_try(&image, &options), LF_OK);
	lf_fake_fail_some(LF_FAKE_MAP, 400, 3);
	for (uint32_t i = 0; i < 4; i++) {
		struct job *job = job_make(&image, LF_OP_WRITE, i * 128 * KIB, 100 * KIB);
		job_lend(job, 7, 0);
		fill(job->buffer->bytes, 100 * KIB, i);
		job_submit(job);
		CHECK_EQ(end(job), LF_OK);
		CHECK(file_is(image.file, i * 128 * KIB, 100 * KIB, i));
		CHECK(job_read(&image, i * 128 * KIB, 100 * KIB, i));
	}
	fail_no_more(LF_FAKE_MAP);
	finish();
}

TEST(whatever_fails_at_open_leaves_nothing_behind)
{
	static const enum lf_fake_call calls[] = {
		LF_FAKE_POOL, LF_FAKE_IRP, LF_FAKE_THREAD, LF_FAKE_QUERY, LF_FAKE_REGISTER};
	static DRIVER_OBJECT driver;
	struct image_options options = {0};

	kernel_begin();
	lf_store_file_set_driver(&driver);
	lf_fake_file_add("C:\\disk.img", MIB, 0);
	for (size_t i = 0; i < lf_count_of(calls); i++) {
		uint32_t refused = 0;
		for (uint32_t spared = 0; spared < 16; spared++) {
			lf_fake_fail(calls[i], spared, 1);
			enum lf_error error = image_try(&image, &options);
			fail_no_more(calls[i]);
			if (error) {
				CHECK(image.message.text[0]);
				refused++;
				continue;
			}
			CHECK(job_write(&image, 0, 4096, spared) && job_read(&image, 0, 4096, spared));
			image_close(&image);
		}
		CHECK(refused < 16);
		/* What the host cannot tell, and notifications, are not needed. */
		CHECK(calls[i] == LF_FAKE_REGISTER ? refused == 0 : refused > 0);
		CHECK_EQ(lf_fake_leaks(), 0);
	}
	lf_store_file_set_driver(NULL);
	kernel_end();
}

/* ---- the host fails ---- */

TEST(errors_of_the_host_say_what_they_are)
{
	static const struct {
		NTSTATUS status;
		enum lf_error error;
	} faults[] = {
		{STATUS_IO_DEVICE_ERROR, LF_E_IO},
		{STATUS_DISK_FULL, LF_E_NO_SPACE},
		{STATUS_NETWORK_NAME_DELETED, LF_E_NO_MEDIUM},
		{STATUS_DEVICE_NOT_CONNECTED, LF_E_NO_MEDIUM},
		{STATUS_FILE_LOCK_CONFLICT, LF_E_BUSY},
		{STATUS_MEDIA_WRITE_PROTECTED, LF_E_READ_ONLY},
		{STATUS_CANCELLED, LF_E_ABORTED},
	};
	struct job *job;

	begin(0);
	for (size_t i = 0; i < lf_count_of(faults); i++) {
		hold_on(image.file, WRITE, LF_FAKE_STATUS, faults[i].status, 1);
		job = job_make(&image, LF_OP_WRITE, 512, 4096);
		job_lend(job, 0, 0);
		job_submit(job);
		CHECK_EQ(end(job), faults[i].error);
		lf_fake_rules_clear();
	}
	CHECK(lf_fake_has_printed("write of 4096 bytes at 512 failed: input/output error (status c0000185)"));
	finish();
}

/* Each kind once a minute; those that were not are counted. What somebody gave up is no fault. */
TEST(faults_are_logged_once_a_minute)
{
	const uint64_t a_minute_ns = 60000000000;
	struct job *job;

	begin(0);
	hold_on(image.file, READ, LF_FAKE_STATUS, STATUS_CANCELLED, 1);
	CHECK_EQ(end(begin_read(&image, 0)), LF_E_ABORTED);
	CHECK(!lf_fake_has_printed("failed"));
	lf_fake_rules_clear();
	hold_on(image.file, READ, LF_FAKE_STATUS, STATUS_IO_DEVICE_ERROR, 0);
	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQ(end(begin_read(&image, 4096 * i)), LF_E_IO);
	CHECK(lf_fake_has_printed("read of 4096 bytes at 0 failed"));
	CHECK(!lf_fake_has_printed("read of 4096 bytes at 4096 failed"));
	lf_fake_clock_leap(a_minute_ns);
	CHECK_EQ(end(begin_read(&image, 4 * 4096)), LF_E_IO);
	CHECK(lf_fake_has_printed("; so did 3 more in the meantime"));
	job = begin_read(&image, 5 * 4096);
	CHECK_EQ(end(job), LF_E_IO);
	CHECK(!lf_fake_has_printed("read of 4096 bytes at 20480 failed"));
	finish();
}

/* Of a volume whose disk wants its buffers aligned, so that ours bounces. */
static struct job *bouncing(enum lf_op op, uint64_t length_bytes)
{
	struct job *job = job_make(&image, op, 0, length_bytes);

	job_lend(job, 1, 0);
	memset(job->buffer->bytes, 0x11, (size_t)length_bytes);
	job_submit(job);
	return job;
}

static void begin_strict(void)
{
	struct lf_fake_volume_options strict = {.name = "D:", .alignment = FILE_512_BYTE_ALIGNMENT};
	struct image_options options = {.path = "D:\\disk.img"};

	kernel_begin();
	lf_fake_volume_add(&strict);
	lf_fake_file_add("D:\\disk.img", 4 * MIB, 0);
	CHECK_EQ(image_try(&image, &options), LF_OK);
}

TEST(a_success_that_moved_nothing_is_the_end_of_the_file)
{
	struct lf_fake_rule nothing = {.ops = READ | WRITE, .what = LF_FAKE_SHORT};

	begin_strict();
	nothing.file = image.file;
	lf_fake_rule_add(&nothing);
	CHECK_EQ(end(bouncing(LF_OP_READ, MIB)), LF_E_RANGE);
	CHECK_EQ(end(bouncing(LF_OP_WRITE, MIB)), LF_E_RANGE);
	CHECK_EQ(end(begin_read(&image, 0)), LF_E_RANGE);
	finish();
}

/* A filter between that counts wrongly must not make us copy what is nobody's, nor stop the machine. */
TEST(whoever_says_he_moved_more_than_was_asked_moved_what_was_asked)
{
	struct lf_fake_rule more = {.ops = READ | WRITE, .what = LF_FAKE_LONG, .long_bytes = 100 * KIB};
	uint8_t *memory;
	struct job *job;

	begin_strict();
	more.file = image.file;
	lf_fake_rule_add(&more);
	CHECK_EQ(end(bouncing(LF_OP_READ, 4096)), LF_OK);
	CHECK_EQ(end(bouncing(LF_OP_READ, MIB)), LF_OK);
	CHECK_EQ(end(bouncing(LF_OP_WRITE, MIB)), LF_OK);
	CHECK(job_write(&image, 0, MIB, 7));
	CHECK(job_read(&image, 0, MIB, 7));
	memory = lf_alloc(4096);
	job = job_make(&image, LF_OP_READ, 0, 4096);
	job_point(job, memory);
	job_submit(job);
	CHECK_EQ(end(job), LF_OK);
	CHECK(is_filled(memory, 4096, 7));
	lf_free(memory);
	CHECK_EQ(job_do(&image, LF_OP_ZERO, 0, 4096), LF_OK);
	finish();
}

TEST(a_dead_share_stalls_no_other_image)
{
	struct image_options options = {.path = "C:\\other.img"};
	struct job *hang[12];
	struct image other;

	begin(0);
	lf_fake_file_add("C:\\other.img", MIB, 0);
	CHECK_EQ(image_try(&other, &options), LF_OK);
	hold_on(image.file, READ, LF_FAKE_BLOCK, STATUS_SUCCESS, 0);
	for (size_t i = 0; i < lf_count_of(hang); i++)
		hang[i] = begin_read(&image, 0);
	wait_for_held(4);
	for (uint32_t i = 0; i < 20; i++)
		CHECK(job_write(&other, i * 4096, 4096, i) && job_read(&other, i * 4096, 4096, i));
	CHECK_EQ(job_do(&other, LF_OP_FLUSH, 0, 0), LF_OK);
	image_close(&other);
	lf_fake_rules_clear();
	lf_fake_release();
	for (size_t i = 0; i < lf_count_of(hang); i++)
		CHECK_EQ(end(hang[i]), LF_OK);
	finish();
}

static bool is_closed; /* by atomics */

static void *close_image(void *context)
{
	image_close(&image);
	__atomic_store_n(&is_closed, true, __ATOMIC_SEQ_CST);
	return context;
}

/* Whoever hears that it is closed may open it again, or delete it. */
TEST(closing_says_that_a_share_is_dead_and_waits_for_it)
{
	struct job *flush;
	pthread_t closer;

	begin(0);
	CHECK(job_write(&image, 0, 4096, 1));
	hold_on(image.file, 1 << LF_FAKE_FLUSH, LF_FAKE_BLOCK, STATUS_SUCCESS, 1);
	flush = job_make(&image, LF_OP_FLUSH, 0, 0);
	job_submit(flush);
	wait_for_held(1);
	job_cancel(flush);
	CHECK_EQ(end(flush), LF_E_ABORTED); /* its thread still hangs in the file system */
	is_closed = false;
	lf_fake_clock_rate(100);
	pthread_create(&closer, NULL, close_image, NULL);
	while (!lf_fake_has_printed("does not answer"))
		doze(1);
	doze(50);
	CHECK(!__atomic_load_n(&is_closed, __ATOMIC_SEQ_CST));
	CHECK_EQ(lf_fake_file_opens(image.file), 1);
	lf_fake_release();
	pthread_join(closer, NULL);
	lf_fake_clock_rate(1);
	CHECK_EQ(lf_fake_file_opens(image.file), 0);
	kernel_end();
}

/* Else the adapter that it is in, or the driver's code, could be gone under it. */
TEST(closing_waits_for_a_thread_of_the_file_system_that_is_still_in_our_code)
{
	struct job *job;
	pthread_t closer;

	begin(0);
	lf_fake_fs_how(LF_FAKE_PENDING, 1);
	job = job_make(&image, LF_OP_READ, 0, 4096);
	job_lend(job, 0, 0);
	job->lingers = true;
	is_closed = false;
	job_submit(job);
	CHECK_EQ(job_wait(job), LF_OK);
	pthread_create(&closer, NULL, close_image, NULL);
	doze(50);
	CHECK(!__atomic_load_n(&is_closed, __ATOMIC_SEQ_CST));
	job_let_go(job);
	pthread_join(closer, NULL);
	job_free(job);
	kernel_end();
}

/* ---- the volume ---- */

static uint32_t told;

static void volume_went(void *context)
{
	(void)context;
	__atomic_add_fetch(&told, 1, __ATOMIC_SEQ_CST);
}

static uint32_t times_told(void)
{
	return __atomic_load_n(&told, __ATOMIC_SEQ_CST);
}

static DRIVER_OBJECT the_driver;

static void begin_with_driver(void)
{
	told = 0;
	kernel_begin();
	lf_store_file_set_driver(&the_driver);
	image_open(&image, MIB, 0);
}

static void finish_with_driver(void)
{
	image_close(&image);
	lf_store_file_set_driver(NULL);
	kernel_end();
}

TEST(a_volume_stays_while_an_image_on_it_is_open)
{
	begin_with_driver();
	lf_store_file_watch(image.store, volume_went, NULL);
	CHECK(!NT_SUCCESS(lf_fake_volume_remove(lf_fake_volume_find("C:"), false)));
	CHECK(job_write(&image, 0, 4096, 1));
	CHECK_EQ(times_told(), 0);
	image_close(&image);
	CHECK(NT_SUCCESS(lf_fake_volume_remove(lf_fake_volume_find("C:"), false)));
	lf_store_file_set_driver(NULL);
	kernel_end();
}

TEST(a_volume_that_goes_is_told_once)
{
	begin_with_driver();
	lf_store_file_watch(image.store, volume_went, NULL);
	lf_fake_volume_remove(lf_fake_volume_find("C:"), true);
	while (times_told() == 0)
		doze(1);
	CHECK_EQ(end(begin_read(&image, 0)), LF_E_NO_MEDIUM);
	doze(20);
	CHECK_EQ(times_told(), 1);
	finish_with_driver();
}

TEST(who_looks_late_hears_of_it_all_the_same)
{
	begin_with_driver();
	lf_fake_volume_remove(lf_fake_volume_find("C:"), true);
	lf_store_file_watch(image.store, volume_went, NULL);
	while (times_told() == 0)
		doze(1);
	finish_with_driver();
}

TEST(a_share_has_no_notifications_and_works)
{
	struct lf_fake_volume_options share = {.name = "server\\share", .remote = true};
	struct image_options options = {.path = "UNC\\server\\share\\disk.img"};
	uint64_t ids[4];
	HANDLE handle;

	kernel_begin();
	lf_store_file_set_driver(&the_driver);
	lf_fake_volume_add(&share);
	lf_fake_file_add("server\\share\\disk.img", MIB, 0);
	CHECK_EQ(image_try(&image, &options), LF_OK);
	CHECK(job_write(&image, 0, 4096, 1) && job_read(&image, 0, 4096, 1));
	lf_fake_volume_status(lf_fake_volume_find("server\\share"), STATUS_NETWORK_NAME_DELETED);
	CHECK_EQ(end(begin_read(&image, 0)), LF_E_NO_MEDIUM);
	lf_fake_volume_status(lf_fake_volume_find("server\\share"), STATUS_SUCCESS);
	CHECK_EQ(end(begin_read(&image, 0)), LF_OK);
	handle = image_handle(options.path, FILE_READ_DATA, 0);
	CHECK_EQ(lf_store_file_below((lf_handle)handle, ids, 4), 0);
	lf_handle_close((lf_handle)handle);
	finish_with_driver();
}

/* ---- what lies below ---- */

struct descriptor {
	_Alignas(8) uint8_t bytes[256];
	uint32_t length_bytes;
};

static void add_identifier(struct descriptor *descriptor, ULONG type, ULONG association, const void *id,
	uint16_t id_bytes, uint16_t next)
{
	STORAGE_DEVICE_ID_DESCRIPTOR *head = (void *)descriptor->bytes;
	STORAGE_IDENTIFIER *one;

	if (descriptor->length_bytes == 0)
		descriptor->length_bytes = offsetof(STORAGE_DEVICE_ID_DESCRIPTOR, Identifiers);
	one = (void *)(descriptor->bytes + descriptor->length_bytes);
	one->CodeSet = StorageIdCodeSetBinary;
	one->Type = type;
	one->Association = association;
	one->IdentifierSize = id_bytes;
	one->NextOffset = next;
	memcpy(one->Identifier, id, id_bytes);
	descriptor->length_bytes += next ? next : offsetof(STORAGE_IDENTIFIER, Identifier) + id_bytes;
	head->NumberOfIdentifiers++;
	head->Version = sizeof(*head);
	head->Size = descriptor->length_bytes;
}

static uint32_t below(struct descriptor *descriptor, uint64_t *ids, uint32_t most)
{
	HANDLE handle;
	uint32_t count;

	lf_fake_volume_device_id(lf_fake_volume_find("C:"), descriptor->bytes, descriptor->length_bytes);
	handle = image_handle("C:\\disk.img", FILE_READ_DATA, 0);
	count = lf_store_file_below((lf_handle)handle, ids, most);
	lf_handle_close((lf_handle)handle);
	return count;
}

TEST(the_disk_below_an_image_is_known_by_its_name)
{
	static const uint8_t naa[8] = {0x53, 1, 2, 3, 4, 5, 6, 7}, longer[16] = {0x63};
	struct descriptor good = {.length_bytes = 0}, torn, none = {.length_bytes = 0};
	uint64_t ids[4];

	kernel_begin();
	lf_fake_file_add("C:\\disk.img", MIB, 0);
	add_identifier(&good, StorageIdTypeVendorId, StorageIdAssocDevice, "lungfish", 8, 28);
	add_identifier(&good, StorageIdTypeFCPHName, StorageIdAssocPort, naa, 8, 28);
	add_identifier(&good, StorageIdTypeFCPHName, StorageIdAssocDevice, longer, 16, 36);
	add_identifier(&good, StorageIdTypeFCPHName, StorageIdAssocDevice, naa, 8, 0);
	CHECK_EQ(below(&good, ids, 4), 1);
	CHECK_EQ(ids[0], 0x5301020304050607);
	CHECK_EQ(below(&good, ids, 0), 0);
	/* Whatever a driver below answers, nothing is read behind its end. */
	for (torn = good; torn.length_bytes > 0; torn.length_bytes--)
		CHECK(below(&torn, ids, 4) <= 1);
	torn = good;
	((STORAGE_DEVICE_ID_DESCRIPTOR *)(void *)torn.bytes)->NumberOfIdentifiers = 0xffffffff;
	CHECK_EQ(below(&torn, ids, 4), 1);
	((STORAGE_IDENTIFIER *)(void *)(torn.bytes + 12))->NextOffset = 1;
	CHECK_EQ(below(&torn, ids, 4), 0);
	add_identifier(&none, StorageIdTypeFCPHName, StorageIdAssocDevice, naa, 8, 0);
	lf_fake_fail(LF_FAKE_IRP, 0, 1);
	CHECK_EQ(below(&none, ids, 4), 0);
	lf_fake_fail(LF_FAKE_POOL, 0, 1);
	CHECK_EQ(below(&none, ids, 4), 0);
	fail_no_more(LF_FAKE_POOL);
	kernel_end();
}

TEST(every_disk_below_a_volume_that_spans_several_is_known)
{
	static const uint8_t one[8] = {0x53, 1}, two[8] = {0x53, 2};
	static uint32_t disks[50] = {7, 8, 9}; /* nobody is 9 */
	struct lf_fake_volume_options spanned = {.name = "D:", .disks = disks, .disk_count = 3};
	struct lf_fake_volume_options seven = {.name = "PhysicalDrive7"}, eight = {.name = "PhysicalDrive8"};
	struct descriptor first = {.length_bytes = 0}, second = {.length_bytes = 0};
	uint64_t ids[4];
	HANDLE handle;

	kernel_begin();
	add_identifier(&first, StorageIdTypeFCPHName, StorageIdAssocDevice, one, 8, 0);
	add_identifier(&second, StorageIdTypeFCPHName, StorageIdAssocDevice, two, 8, 0);
	seven.device_id = first.bytes;
	seven.device_id_bytes = first.length_bytes;
	eight.device_id = second.bytes;
	eight.device_id_bytes = second.length_bytes;
	lf_fake_volume_add(&seven);
	lf_fake_volume_add(&eight);
	lf_fake_volume_add(&spanned);
	lf_fake_file_add("D:\\disk.img", MIB, 0);
	handle = image_handle("D:\\disk.img", FILE_READ_DATA, 0);
	CHECK_EQ(lf_store_file_below((lf_handle)handle, ids, 4), 2);
	CHECK_EQ(ids[0], 0x5301000000000000);
	CHECK_EQ(ids[1], 0x5302000000000000);
	CHECK_EQ(lf_store_file_below((lf_handle)handle, ids, 1), 1);
	lf_handle_close((lf_handle)handle);
	/* More than the answer has room for: those that fit. */
	lf_fake_volume_add(&(struct lf_fake_volume_options){.name = "E:", .disks = disks, .disk_count = 50});
	lf_fake_file_add("E:\\disk.img", MIB, 0);
	handle = image_handle("E:\\disk.img", FILE_READ_DATA, 0);
	CHECK_EQ(lf_store_file_below((lf_handle)handle, ids, 4), 2);
	lf_handle_close((lf_handle)handle);
	kernel_end();
}
