/* SPDX-License-Identifier: BSD-2-Clause */
/* test_file_nt_flush.c: what a flush promises, how it is shared and spared, and that a failed one is the
 * last. */
#include "tests/storport/store/image.h"

#include <string.h>

#define FLUSH (1 << LF_FAKE_FLUSH)

static struct image image;

static void begin(void)
{
	kernel_begin();
	image_open(&image, MIB, 0);
	lf_fake_file_volatile(image.file);
}

static void finish(void)
{
	lf_fake_rules_clear();
	lf_fake_release();
	image_close(&image);
	kernel_end();
}

static uint64_t flushes(void)
{
	return lf_fake_file_count(image.file, LF_FAKE_FLUSH);
}

static struct job *begin_flush(void)
{
	struct job *job = job_make(&image, LF_OP_FLUSH, 0, 0);

	job_submit(job);
	return job;
}

static enum lf_error end(struct job *job)
{
	enum lf_error error = job_wait(job);

	job_free(job);
	return error;
}

TEST(what_was_flushed_survives_and_nothing_else)
{
	begin();
	CHECK(job_write(&image, 0, 4096, 1));
	lf_fake_file_lose(image.file);
	CHECK(!file_is(image.file, 0, 4096, 1));
	CHECK(job_write(&image, 0, 4096, 2));
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	lf_fake_file_lose(image.file);
	CHECK(file_is(image.file, 0, 4096, 2));
	finish();
}

TEST(a_write_with_fua_survives)
{
	struct job *job;

	begin();
	job = job_make(&image, LF_OP_WRITE, 8192, 4096);
	job->io.fua = true;
	job_lend(job, 0, 0);
	fill(job->buffer->bytes, 4096, 3);
	job_submit(job);
	CHECK_EQ(job_wait(job), LF_OK);
	job_free(job);
	lf_fake_file_lose(image.file);
	CHECK(file_is(image.file, 8192, 4096, 3));
	job = job_make(&image, LF_OP_ZERO, 8192, 4096);
	job->io.fua = true;
	job_submit(job);
	CHECK_EQ(end(job), LF_OK);
	CHECK_EQ(flushes(), 2);
	finish();
}

TEST(with_nothing_written_a_flush_asks_nobody_even_when_every_worker_hangs)
{
	struct job *reads[6];

	begin();
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	CHECK_EQ(flushes(), 0);
	CHECK(job_write(&image, 0, 4096, 4));
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	hold_on(image.file, 1 << LF_FAKE_READ, LF_FAKE_BLOCK, STATUS_SUCCESS, 0);
	for (size_t i = 0; i < lf_count_of(reads); i++) {
		reads[i] = job_make(&image, LF_OP_READ, 0, 512);
		job_lend(reads[i], 0, 0);
		job_submit(reads[i]);
	}
	wait_for_held(2);
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	CHECK_EQ(flushes(), 1);
	lf_fake_rules_clear();
	lf_fake_release();
	for (size_t i = 0; i < lf_count_of(reads); i++)
		CHECK_EQ(end(reads[i]), LF_OK);
	finish();
}

TEST(those_who_come_while_a_flush_runs_share_the_next)
{
	struct job *first, *others[5];

	begin();
	CHECK(job_write(&image, 0, 4096, 5));
	hold_on(image.file, FLUSH, LF_FAKE_PEND, STATUS_SUCCESS, 1);
	first = begin_flush();
	wait_for_held(1);
	CHECK(job_write(&image, 4096, 4096, 6));
	for (size_t i = 0; i < lf_count_of(others); i++)
		others[i] = begin_flush();
	doze(5);
	CHECK(!job_has_ended(others[0]));
	lf_fake_release();
	CHECK_EQ(end(first), LF_OK);
	for (size_t i = 0; i < lf_count_of(others); i++)
		CHECK_EQ(end(others[i]), LF_OK);
	CHECK_EQ(flushes(), 2);
	finish();
}

TEST(what_is_written_during_a_flush_is_not_covered_by_it)
{
	struct job *flush;

	begin();
	CHECK(job_write(&image, 0, 4096, 7));
	hold_on(image.file, FLUSH, LF_FAKE_PEND, STATUS_SUCCESS, 1);
	flush = begin_flush();
	wait_for_held(1);
	CHECK(job_write(&image, 4096, 4096, 8));
	lf_fake_release();
	CHECK_EQ(end(flush), LF_OK);
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	CHECK_EQ(flushes(), 2);
	finish();
}

TEST(a_flush_that_failed_is_the_last)
{
	struct job *waits, *write;

	begin();
	CHECK(job_write(&image, 0, 4096, 9));
	CHECK(!lf_store_file_has_failed(image.store));
	hold_on(image.file, FLUSH, LF_FAKE_PEND, STATUS_IO_DEVICE_ERROR, 1);
	write = begin_flush();
	wait_for_held(1);
	waits = begin_flush();
	lf_fake_release();
	CHECK_EQ(end(write), LF_E_IO);
	CHECK_EQ(end(waits), LF_E_IO);
	CHECK(lf_store_file_has_failed(image.store));
	CHECK(lf_fake_has_printed("acknowledged writes may be lost"));
	CHECK(job_write(&image, 4096, 4096, 10));
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_E_IO);
	write = job_make(&image, LF_OP_WRITE, 0, 4096);
	write->io.fua = true;
	job_lend(write, 0, 0);
	job_submit(write);
	CHECK_EQ(end(write), LF_E_IO);
	CHECK_EQ(flushes(), 1);
	CHECK(job_read(&image, 4096, 4096, 10));
	finish();
}

TEST(a_flush_that_wants_memory_is_tried_again)
{
	begin();
	CHECK(job_write(&image, 0, 4096, 11));
	hold_on(image.file, FLUSH, LF_FAKE_STATUS, STATUS_INSUFFICIENT_RESOURCES, 3);
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	CHECK(!lf_store_file_has_failed(image.store));
	CHECK_EQ(flushes(), 4);
	finish();
}

TEST(a_flush_that_is_given_up_proves_nothing)
{
	struct job *one, *two;

	begin();
	CHECK(job_write(&image, 0, 4096, 12));
	hold_on(image.file, FLUSH, LF_FAKE_PEND, STATUS_SUCCESS, 1);
	one = begin_flush();
	wait_for_held(1);
	two = begin_flush();
	job_cancel(one);
	CHECK_EQ(end(one), LF_E_ABORTED);
	CHECK_EQ(end(two), LF_OK); /* of its own, the one below having been cancelled */
	CHECK(!lf_store_file_has_failed(image.store));
	CHECK_EQ(flushes(), 2);
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	CHECK_EQ(flushes(), 2);
	finish();
}

TEST(one_who_gives_up_does_not_take_it_from_those_who_share)
{
	struct job *first, *one, *two;

	begin();
	CHECK(job_write(&image, 0, 4096, 13));
	hold_on(image.file, FLUSH, LF_FAKE_PEND, STATUS_SUCCESS, 2);
	first = begin_flush();
	wait_for_held(1);
	CHECK(job_write(&image, 0, 4096, 14));
	one = begin_flush();
	two = begin_flush();
	lf_fake_release();
	CHECK_EQ(end(first), LF_OK);
	wait_for_held(1);
	job_cancel(one);
	CHECK_EQ(end(one), LF_E_ABORTED);
	doze(5);
	CHECK(!job_has_ended(two));
	lf_fake_release();
	CHECK_EQ(end(two), LF_OK);
	CHECK_EQ(flushes(), 2);
	finish();
}

TEST(before_sleep_what_was_written_is_flushed_and_nothing_else)
{
	struct image_options options = {.path = "C:\\other.img"};
	struct image other;

	begin();
	lf_fake_file_add("C:\\other.img", MIB, 0);
	CHECK_EQ(image_try(&other, &options), LF_OK);
	CHECK(job_write(&image, 0, 4096, 15));
	lf_store_file_flush_all();
	CHECK_EQ(flushes(), 1);
	CHECK_EQ(lf_fake_file_count(other.file, LF_FAKE_FLUSH), 0);
	lf_store_file_flush_all();
	CHECK_EQ(flushes(), 1);
	CHECK(!lf_fake_has_printed("not all that was written"));
	lf_fake_file_lose(image.file);
	CHECK(file_is(image.file, 0, 4096, 15));
	image_close(&other);
	finish();
}

TEST(before_sleep_a_flush_that_hangs_is_given_up_and_proves_nothing)
{
	begin();
	CHECK(job_write(&image, 0, 4096, 16));
	hold_on(image.file, FLUSH, LF_FAKE_PEND, STATUS_SUCCESS, 1);
	lf_fake_clock_rate(100);
	lf_store_file_flush_all();
	lf_fake_clock_rate(1);
	CHECK(lf_fake_has_printed("not all that was written"));
	CHECK(!lf_store_file_has_failed(image.store));
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	CHECK_EQ(flushes(), 2);
	finish();
}

/* One that still hangs from the last time is not begun again. */
TEST(before_sleep_a_flush_that_hangs_is_begun_once)
{
	begin();
	CHECK(job_write(&image, 0, 4096, 17));
	hold_on(image.file, FLUSH, LF_FAKE_BLOCK, STATUS_SUCCESS, 1);
	lf_fake_clock_rate(100);
	lf_store_file_flush_all();
	CHECK(job_write(&image, 0, 4096, 18));
	lf_store_file_flush_all();
	lf_fake_clock_rate(1);
	finish();
}

struct sleeper {
	pthread_t thread;
	bool is_asleep;
};

static void *fall_asleep(void *context)
{
	struct sleeper *sleeper = context;

	lf_store_file_flush_all();
	__atomic_store_n(&sleeper->is_asleep, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void send_to_sleep(struct sleeper *sleeper)
{
	sleeper->is_asleep = false;
	CHECK_EQ(pthread_create(&sleeper->thread, NULL, fall_asleep, sleeper), 0);
	doze(100); /* he has asked, and waits */
}

static bool is_asleep(struct sleeper *sleeper)
{
	return __atomic_load_n(&sleeper->is_asleep, __ATOMIC_SEQ_CST);
}

/* His patience ends while the flush is out that was begun for the next one: that one's is not taken away. */
TEST(before_sleep_one_who_gives_up_takes_the_flush_from_nobody_else)
{
	struct sleeper first, second;

	begin();
	CHECK(job_write(&image, 0, 4096, 19));
	hold_on(image.file, FLUSH, LF_FAKE_PEND, STATUS_SUCCESS, 2);
	lf_fake_clock_rate(10);
	send_to_sleep(&first);
	lf_fake_clock_rate(1);
	CHECK(job_write(&image, 0, 4096, 20));
	send_to_sleep(&second);
	lf_fake_release();
	/* On a machine that is slow the first one has given up already, and both are let go. */
	while (lf_fake_held() == 0 && !is_asleep(&second))
		doze(1);
	if (!is_asleep(&second)) {
		for (int i = 0; i < 300 && !is_asleep(&first); i++)
			doze(10);
		doze(50);
		CHECK(!is_asleep(&second));
	}
	lf_fake_rules_clear();
	lf_fake_release();
	pthread_join(first.thread, NULL);
	pthread_join(second.thread, NULL);
	CHECK_EQ(flushes(), 2);
	finish();
}

/* ---- what has to be flushed ---- */

static void has_to_be_flushed(uint64_t before)
{
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	CHECK_EQ(flushes(), before + 1);
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	CHECK_EQ(flushes(), before + 1);
}

TEST(whatever_changed_the_file_is_flushed)
{
	uint64_t blocks;

	kernel_begin();
	image_open(&image, MIB, FILE_ATTRIBUTE_SPARSE_FILE);
	CHECK(job_write(&image, 0, MIB / 2, 1));
	has_to_be_flushed(0);
	CHECK_EQ(job_do(&image, LF_OP_ZERO, 0, 4096), LF_OK);
	has_to_be_flushed(1);
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 0, 128 * KIB), LF_OK);
	has_to_be_flushed(2);
	CHECK_EQ(lf_store_file_resize(image.store, 2 * MIB, 512, &blocks, &image.message), LF_OK);
	has_to_be_flushed(3);
	/* It may have changed something all the same. */
	hold_on(image.file, 1 << LF_FAKE_WRITE, LF_FAKE_STATUS, STATUS_IO_DEVICE_ERROR, 1);
	CHECK(!job_write(&image, 0, 4096, 2));
	has_to_be_flushed(4);
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	CHECK_EQ(flushes(), 5);
	finish();
}

/* Aborted by somebody below, not by us: what it carried may be lost. */
TEST(a_flush_that_somebody_else_gave_up_has_failed)
{
	begin();
	CHECK(job_write(&image, 0, 4096, 2));
	hold_on(image.file, FLUSH, LF_FAKE_STATUS, STATUS_CANCELLED, 1);
	CHECK(job_do(&image, LF_OP_FLUSH, 0, 0) != LF_OK);
	CHECK(lf_store_file_has_failed(image.store));
	CHECK(job_do(&image, LF_OP_FLUSH, 0, 0) != LF_OK);
	finish();
}

static void wait_for_none_held(void)
{
	while (lf_fake_held() > 0)
		doze(1);
}

/* Each is cancelled below, and the next one asks the host again. */
TEST(flushes_given_up_one_after_the_other_leave_the_file_unflushed)
{
	begin();
	CHECK(job_write(&image, 0, 4096, 3));
	for (uint64_t i = 0; i < 3; i++) {
		struct job *job;

		hold_on(image.file, FLUSH, LF_FAKE_PEND, STATUS_SUCCESS, 1);
		job = begin_flush();
		wait_for_held(1);
		CHECK_EQ(flushes(), i + 1);
		job_cancel(job);
		CHECK_EQ(end(job), LF_E_ABORTED);
		wait_for_none_held();
		lf_fake_rules_clear();
		doze(5); /* its end is in no hurry */
	}
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	CHECK_EQ(flushes(), 4);
	CHECK(!lf_fake_has_printed("acknowledged writes may be lost"));
	finish();
}

/* While every worker hangs it has not begun: nobody asks the host for it when they do not any more. */
TEST(a_flush_given_up_before_it_began_asks_nobody)
{
	struct job *hang[4], *job;

	begin();
	CHECK(job_write(&image, 0, 4096, 4));
	hold_on(image.file, 1 << LF_FAKE_READ, LF_FAKE_BLOCK, STATUS_SUCCESS, 0);
	for (size_t i = 0; i < lf_count_of(hang); i++) {
		hang[i] = job_make(&image, LF_OP_READ, 0, 4096);
		job_lend(hang[i], 0, 0);
		job_submit(hang[i]);
	}
	wait_for_held(4);
	job = begin_flush();
	job_cancel(job);
	CHECK_EQ(end(job), LF_E_ABORTED);
	lf_fake_rules_clear();
	lf_fake_release();
	for (size_t i = 0; i < lf_count_of(hang); i++)
		CHECK_EQ(end(hang[i]), LF_OK);
	for (uint32_t i = 0; i < 8; i++)
		CHECK(job_read(&image, 0, 4096, 4));
	CHECK_EQ(flushes(), 0);
	finish();
}
