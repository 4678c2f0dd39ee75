/* SPDX-License-Identifier: BSD-2-Clause */
/* test_store_atomic.c: atomic writes to a file: whole or not at all, wherever the host is stopped. */
#include "platform/linux.h"
#include "store/store.h"
#include "tests/test.h"
#include "tests/unit/captured_log.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define IMAGE_BYTES (1u << 20)
#define SECTOR      512
#define FROM        (33 * SECTOR)  /* of the atomic write: no page begins there */
#define LENGTH      (193 * SECTOR) /* more than one piece */
#define OLD         0x11
#define NEW         0x22
#define FOREIGN     0x33

/*
 * ---- A host that stops at a certain call, and then has lost whatever was not synced, or some of it. All of
 * it happens in a child of the test, which opens no store itself: the store's threads do not live through a
 * fork. ----
 */

enum loss { LOSE_NOTHING, LOSE_ALL, LOSE_SOME }; /* LOSE_SOME and above: the dice's seed */

static struct {
	bool acts;
	int files[2]; /* image, state */
	uint32_t calls, stop_at;
	uint32_t loss;
	uint64_t room_bytes; /* so much may the store write to the image, then ENOSPC */
	/*
	 * The so manieth sync of each and those after it fail: EIO. As Linux does it: what was written since
	 * the last one is read as it was written, but only what is written again is ever synced.
	 */
	uint32_t fails_from[2];
	uint32_t count; /* of sectors that are not synced, and what was there */
	struct before {
		bool state, failed;
		off_t at;
		uint8_t bytes[SECTOR];
	} before[4096];
} host;

static int image, state;

static void put_back(const struct before *before)
{
	int fd = before->state ? state : image;

	lf_assert(syscall(SYS_pwrite64, fd, before->bytes, SECTOR, before->at) == SECTOR);
}

static _Noreturn void stop(void)
{
	uint64_t dice = host.loss * 0x9e3779b97f4a7c15u;

	for (uint32_t i = host.count; i-- > 0;) {
		dice = (dice ^ dice >> 29) * 0xbf58476d1ce4e5b9u + 1;
		if (host.loss == LOSE_ALL || (host.loss >= LOSE_SOME && dice >> 63))
			put_back(&host.before[i]);
	}
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static void remember(int fd, off_t at, size_t length)
{
	off_t end = at + (off_t)length;
	bool is_state = fd == host.files[1];

	for (off_t sector = at / SECTOR * SECTOR; sector < end; sector += SECTOR) {
		struct before *before = &host.before[host.count];
		for (uint32_t i = 0; i < host.count; i++)
			if (host.before[i].state == is_state && host.before[i].at == sector)
				host.before[i].failed = false;
		lf_assert(++host.count < lf_count_of(host.before));
		*before = (struct before){.state = is_state, .at = sector};
		lf_assert(syscall(SYS_pread64, fd, before->bytes, SECTOR, sector) >= 0);
	}
}

static bool is_ours(int fd)
{
	return host.acts && (fd == host.files[0] || fd == host.files[1]);
}

/* The last call writes half of what it should. */
static ssize_t write_some(int fd, const void *bytes, size_t length, off_t at)
{
	bool last = ++host.calls == host.stop_at;
	size_t now = last ? length / 2 : length;
	ssize_t put;

	remember(fd, at, now);
	put = syscall(SYS_pwrite64, fd, bytes, now, at);
	if (last)
		stop();
	return put;
}

/* In front of the C library's, also for the store. */
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at)
{
	return is_ours(fd) ? write_some(fd, bytes, length, at) : syscall(SYS_pwrite64, fd, bytes, length, at);
}

ssize_t pwritev64v2(int fd, const struct iovec *vector, int count, off_t at, int flags)
{
	ssize_t put;

	if (!is_ours(fd))
		return syscall(SYS_pwritev2, fd, vector, count, at, 0, flags);
	if (host.room_bytes == 0) {
		errno = ENOSPC;
		return -1;
	}
	while (vector->iov_len == 0)
		vector++;
	put = write_some(fd, vector->iov_base, lf_min(vector->iov_len, host.room_bytes), at);
	host.room_bytes -= (uint64_t)put;
	return put;
}

int fdatasync(int fd)
{
	bool is_state = fd == host.files[1], fails;
	uint32_t kept = 0;

	if (!is_ours(fd))
		return (int)syscall(SYS_fdatasync, fd);
	if (++host.calls == host.stop_at)
		stop();
	fails = host.fails_from[is_state] == 1;
	host.fails_from[is_state] -= host.fails_from[is_state] > 1;
	for (uint32_t i = 0; i < host.count; i++) {
		struct before *before = &host.before[i];
		before->failed |= fails && before->state == is_state;
		if (before->failed || before->state != is_state)
			host.before[kept++] = *before;
	}
	host.count = kept;
	errno = EIO;
	return fails ? -1 : 0;
}

/* ---- Operations ---- */

struct job {
	struct lf_io io;
	struct lf_segment segments[3];
	sem_t ended;
};

static uint8_t bytes[IMAGE_BYTES];
static uint32_t *acknowledged; /* shared with children */

static void job_done(struct lf_io *io)
{
	sem_post(&lf_container(io, struct job, io)->ended);
}

static enum lf_error run(struct lf_store *store, enum lf_op op, bool atomic, uint64_t offset, uint64_t length)
{
	static struct job job;

	sem_init(&job.ended, 0, 0);
	job.segments[0] = (struct lf_segment){bytes, lf_min(length, 1000u)};
	job.segments[1] = (struct lf_segment){NULL, 0};
	job.segments[2] = (struct lf_segment){bytes + 1000, length - lf_min(length, 1000u)};
	job.io = (struct lf_io){.op = op,
		.atomic = atomic,
		.offset_bytes = offset,
		.length_bytes = length,
		.segments = job.segments,
		.segment_count = 3,
		.done = job_done};
	lf_store_file_ops.submit(store, &job.io);
	while (sem_wait(&job.ended) < 0)
		lf_assert(errno == EINTR);
	return job.io.error;
}

static enum lf_error open_store(bool read_only, struct lf_store **store, struct lf_store_info *info)
{
	struct lf_source source = {
		.path = "disk.img", .handle = dup(image), .state_handle = dup(state), .read_only = read_only};
	struct lf_message message = {""};

	host.files[0] = (int)source.handle;
	host.files[1] = (int)source.state_handle;
	return lf_store_file_ops.open(&source, store, info, &message);
}

/* A host that boots, or is stopped at that call while it does; returns the child's exit status, 99: stopped.
 */
static int in_child(int (*work)(void), uint32_t stop_at, uint32_t loss, uint64_t room_bytes)
{
	pid_t child = fork();
	int status;

	lf_assert(child >= 0);
	if (child == 0) {
		host.acts = true;
		host.stop_at = stop_at;
		host.loss = loss;
		host.room_bytes = room_bytes;
		_exit(work());
	}
	while (waitpid(child, &status, 0) < 0)
		lf_assert(errno == EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static bool writes_before; /* and nothing made that stable */

/* After its acknowledgement the host stops at once. */
static int write_atomically(void)
{
	struct lf_store_info info;
	struct lf_store *store;

	if (open_store(false, &store, &info) != LF_OK || info.atomic_max_bytes != LF_ATOMIC_MAX_BYTES)
		return 1;
	memset(bytes, FOREIGN, LENGTH);
	if (writes_before && run(store, LF_OP_WRITE, false, FROM, LENGTH) != LF_OK)
		return 4;
	memset(bytes, NEW, LENGTH);
	enum lf_error error = run(store, LF_OP_WRITE, true, FROM, LENGTH);
	if (error == LF_E_NO_SPACE)
		return 2;
	if (error != LF_OK)
		return 3;
	*acknowledged = 1;
	stop();
}

static int boot(void)
{
	struct lf_store_info info;
	struct lf_store *store;

	if (open_store(false, &store, &info) != LF_OK)
		return 1;
	lf_store_file_ops.close(store);
	return 0;
}

static int boot_read_only(void)
{
	struct lf_store_info info;
	struct lf_store *store;
	enum lf_error error = open_store(true, &store, &info);

	return error == LF_E_READ_ONLY ? 2 : error == LF_OK && info.atomic_max_bytes == 0 ? 0 : 1;
}

static int temporary_file(void)
{
	char path[] = "/var/tmp/lf-atomic-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	lf_assert(fd >= 0);
	unlink(path);
	return fd;
}

static void begin(void)
{
	image = temporary_file();
	state = temporary_file();
	memset(bytes, OLD, IMAGE_BYTES);
	lf_assert(pwrite(image, bytes, IMAGE_BYTES, 0) == IMAGE_BYTES);
	if (!acknowledged)
		acknowledged = mmap(NULL, sizeof(*acknowledged), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	lf_assert(acknowledged != MAP_FAILED);
	*acknowledged = 0;
}

static void end(void)
{
	close(image);
	close(state);
}

/* OLD or NEW when all of the range is, and all else is as it was; 0 when not. */
static uint8_t contents(void)
{
	lf_assert(pread(image, bytes, IMAGE_BYTES, 0) == IMAGE_BYTES);
	uint8_t is = bytes[FROM];
	for (uint32_t i = 0; i < IMAGE_BYTES; i++)
		if (bytes[i] != (i >= FROM && i < FROM + LENGTH ? is : OLD))
			return 0;
	return is == OLD || is == NEW ? is : 0;
}

/* Each sector as it was, or as the write before left it; or all of them new. */
static bool is_all_or_nothing(void)
{
	uint32_t new = 0;

	lf_assert(pread(image, bytes, IMAGE_BYTES, 0) == IMAGE_BYTES);
	for (uint32_t at = FROM; at < FROM + LENGTH; at += SECTOR) {
		if (bytes[at] != OLD && bytes[at] != NEW && bytes[at] != FOREIGN)
			return false;
		new += bytes[at] == NEW;
	}
	return new == 0 || new == LENGTH / SECTOR;
}

/* ---- Stopped everywhere ---- */

/* The number of calls of the write until it is acknowledged, and until it is undone when there is no room. */
static void stop_everywhere(uint64_t room_bytes, uint32_t stops_expected)
{
	uint32_t stops = 0;
	bool all = false;

	for (uint32_t stop_at = 1; !all; stop_at++) {
		for (uint32_t loss = LOSE_NOTHING; loss < LOSE_SOME + 3; loss++) {
			begin();
			int how = in_child(write_atomically, stop_at, loss, room_bytes);
			all = *acknowledged || how != 99;
			stops += loss == LOSE_NOTHING && !all;
			uint8_t is = 0;
			if (in_child(boot, 0, LOSE_ALL, UINT64_MAX) == 0)
				is = contents();
			if (is == 0 || (*acknowledged && is != NEW) || (how == 2 && is != OLD))
				lf_test_fail(__FILE__, __LINE__, "stopped at %u, loss %u: %02x", stop_at,
					loss, is);
			end();
		}
	}
	CHECK_EQ(stops, stops_expected);
}

TEST(a_host_that_is_stopped_at_any_call_leaves_all_or_nothing)
{
	/* Sync of the image; record: new in two segments, old in two pieces, header, sync; image in two,
	 * sync; retire, sync. */
	stop_everywhere(UINT64_MAX, 12);
}

TEST(a_host_that_is_stopped_while_it_undoes_leaves_all_or_nothing)
{
	/* As above, and what was written is copied back in two pieces. */
	stop_everywhere(LENGTH - 4096, 14);
}

TEST(what_a_crash_takes_of_the_write_before_leaves_all_or_nothing_of_an_atomic_one)
{
	bool all = false;

	writes_before = true;
	for (uint32_t stop_at = 1; !all; stop_at++) {
		for (uint32_t loss = LOSE_NOTHING; loss < LOSE_SOME + 3; loss++) {
			begin();
			(void)in_child(write_atomically, stop_at, loss, UINT64_MAX);
			all = *acknowledged;
			if (in_child(boot, 0, LOSE_ALL, UINT64_MAX) != 0 || !is_all_or_nothing())
				lf_test_fail(__FILE__, __LINE__, "stopped at %u, loss %u", stop_at, loss);
			end();
		}
	}
	writes_before = false;
}

TEST(a_host_that_is_stopped_while_it_recovers_recovers_the_next_time)
{
	uint32_t stops = 0;

	for (uint32_t stop_at = 1; stop_at < 10; stop_at++) {
		for (uint32_t loss = LOSE_NOTHING; loss < LOSE_SOME + 3; loss++) {
			begin();
			CHECK_EQ(in_child(write_atomically, 9, LOSE_NOTHING, UINT64_MAX), 99);
			CHECK_EQ(contents(), 0); /* half of it is there */
			int how = in_child(boot, stop_at, loss, UINT64_MAX);
			stops += how == 99;
			CHECK(how == 99 || how == 0);
			CHECK_EQ(in_child(boot, 0, LOSE_ALL, UINT64_MAX), 0);
			CHECK_EQ(contents(), NEW);
			end();
		}
	}
	CHECK_EQ(stops, 5 * 5); /* two pieces, sync, retire, sync */
}

/* What was acknowledged after it stays, also where it is what was there before. */
static int write_back_old(void)
{
	struct lf_store_info info;
	struct lf_store *store;

	if (open_store(false, &store, &info) != LF_OK)
		return 1;
	memset(bytes, NEW, LENGTH);
	if (run(store, LF_OP_WRITE, true, FROM, LENGTH) != LF_OK)
		return 2;
	memset(bytes, OLD, LENGTH);
	if (run(store, LF_OP_WRITE, false, FROM, 5 * SECTOR) != LF_OK ||
		run(store, LF_OP_WRITE, false, FROM + 5 * SECTOR, LENGTH - 5 * SECTOR) != LF_OK ||
		run(store, LF_OP_FLUSH, false, 0, 0) != LF_OK)
		return 3;
	stop();
}

TEST(a_write_that_was_acknowledged_later_is_not_undone)
{
	begin();
	CHECK_EQ(in_child(write_back_old, 0, LOSE_ALL, UINT64_MAX), 99);
	CHECK_EQ(in_child(boot, 0, LOSE_ALL, UINT64_MAX), 0);
	CHECK_EQ(contents(), OLD);
	end();
}

TEST(an_image_that_something_else_has_changed_is_left_alone)
{
	uint8_t foreign[SECTOR];

	begin();
	CHECK_EQ(in_child(write_atomically, 9, LOSE_NOTHING, UINT64_MAX), 99);
	memset(foreign, FOREIGN, sizeof(foreign));
	CHECK_EQ(pwrite(image, foreign, SECTOR, FROM + LENGTH - SECTOR), SECTOR);
	lf_assert(pread(image, bytes, IMAGE_BYTES, 0) == IMAGE_BYTES);
	uint8_t *before = malloc(IMAGE_BYTES);
	memcpy(before, bytes, IMAGE_BYTES);
	CHECK_EQ(in_child(boot, 0, LOSE_ALL, UINT64_MAX), 0);
	/* And it is not tried again once that sector is as it was. */
	memset(foreign, OLD, sizeof(foreign));
	CHECK_EQ(pwrite(image, foreign, SECTOR, FROM + LENGTH - SECTOR), SECTOR);
	memcpy(before + FROM + LENGTH - SECTOR, foreign, SECTOR);
	CHECK_EQ(in_child(boot, 0, LOSE_ALL, UINT64_MAX), 0);
	lf_assert(pread(image, bytes, IMAGE_BYTES, 0) == IMAGE_BYTES);
	CHECK(memcmp(bytes, before, IMAGE_BYTES) == 0);
	free(before);
	end();
}

TEST(a_read_only_unit_is_not_half_new)
{
	begin();
	CHECK_EQ(in_child(boot_read_only, 0, LOSE_ALL, UINT64_MAX), 0);
	CHECK_EQ(in_child(write_atomically, 9, LOSE_NOTHING, UINT64_MAX), 99);
	CHECK_EQ(in_child(boot_read_only, 0, LOSE_ALL, UINT64_MAX), 2);
	CHECK_EQ(in_child(boot, 0, LOSE_ALL, UINT64_MAX), 0);
	CHECK_EQ(in_child(boot_read_only, 0, LOSE_ALL, UINT64_MAX), 0);
	CHECK_EQ(contents(), NEW);
	end();
}

/* ---- No room, and what comes after ---- */

static int go_on_without_room(void)
{
	struct lf_store_info info;
	struct lf_store *store;

	if (open_store(false, &store, &info) != LF_OK)
		return 1;
	memset(bytes, NEW, LENGTH);
	if (run(store, LF_OP_WRITE, true, FROM, LENGTH) != LF_E_NO_SPACE)
		return 2;
	host.room_bytes = UINT64_MAX;
	if (run(store, LF_OP_FLUSH, false, 0, 0) != LF_OK || run(store, LF_OP_SAVE, false, 0, 100) != LF_OK)
		return 3;
	if (run(store, LF_OP_WRITE, true, FROM, LENGTH) != LF_OK)
		return 4;
	lf_store_file_ops.close(store);
	return 0;
}

TEST(a_write_without_room_changes_nothing_and_the_next_one_succeeds)
{
	static const uint64_t rooms[] = {0, 512, 70000};
	for (uint32_t i = 0; i < lf_count_of(rooms); i++) {
		begin();
		CHECK_EQ(in_child(write_atomically, 0, LOSE_NOTHING, rooms[i]), 2);
		CHECK_EQ(contents(), OLD);
		CHECK_EQ(in_child(go_on_without_room, 0, LOSE_NOTHING, rooms[i]), 0);
		CHECK_EQ(contents(), NEW);
		end();
	}
}

static int boot_with_short_files(void)
{
	struct rlimit limit = {FROM + SECTOR, FROM + SECTOR};

	signal(SIGXFSZ, SIG_IGN);
	return setrlimit(RLIMIT_FSIZE, &limit) == 0 ? boot() : 2;
}

/* text: what the log says meanwhile. */
static int in_child_logged(int (*work)(void), char *text, size_t room)
{
	struct captured_log log = capture_log();
	int how = in_child(work, 0, LOSE_ALL, UINT64_MAX);

	end_capture(log, text, room);
	return how;
}

TEST(a_write_is_said_to_be_completed_when_it_is)
{
	char text[1024];

	begin();
	CHECK_EQ(in_child(write_atomically, 9, LOSE_NOTHING, UINT64_MAX), 99);
	CHECK_EQ(in_child_logged(boot_with_short_files, text, sizeof(text)), 1);
	CHECK(!strstr(text, "completed"));
	CHECK_EQ(in_child_logged(boot, text, sizeof(text)), 0);
	CHECK(strstr(text, "disk.img: completed an atomic write that was cut off\n"));
	CHECK_EQ(contents(), NEW);
	end();
}

/* ---- No sync: the record of the write that failed is all that makes it whole ---- */

static uint32_t good_syncs; /* of the image, before they fail */

static int write_twice_without_syncs(void)
{
	struct lf_store_info info;
	struct lf_store *store;

	if (open_store(false, &store, &info) != LF_OK)
		return 1;
	host.fails_from[0] = good_syncs + 1;
	memset(bytes, NEW, LENGTH);
	if (run(store, LF_OP_WRITE, true, FROM, LENGTH) != LF_E_IO)
		return 2;
	memset(bytes, OLD, SECTOR);
	if (run(store, LF_OP_WRITE, true, 0, SECTOR) != LF_E_IO)
		return 3;
	stop();
}

TEST(a_write_whose_sync_failed_is_whole_after_a_crash_whatever_was_tried_since)
{
	for (good_syncs = 0; good_syncs < 2; good_syncs++) {
		for (uint32_t loss = LOSE_NOTHING; loss < LOSE_SOME + 3; loss++) {
			begin();
			CHECK_EQ(in_child(write_twice_without_syncs, 0, loss, UINT64_MAX), 99);
			CHECK_EQ(in_child(boot, 0, LOSE_ALL, UINT64_MAX), 0);
			CHECK(contents() != 0);
			end();
		}
	}
}

/* ---- A sync that failed, and the file opened anew: what is read of it may never have come to the disk ----
 */

static uint32_t fails_from[2];

/* The write fails; then nothing does any more. */
static int write_and_open_anew(struct lf_store **store)
{
	struct lf_store_info info;

	if (open_store(false, store, &info) != LF_OK)
		return 1;
	memcpy(host.fails_from, fails_from, sizeof(fails_from));
	memset(bytes, NEW, LENGTH);
	if (run(*store, LF_OP_WRITE, true, FROM, LENGTH) != LF_E_IO)
		return 2;
	lf_store_file_ops.close(*store);
	memset(host.fails_from, 0, sizeof(host.fails_from));
	host.room_bytes = UINT64_MAX;
	return open_store(false, store, &info) == LF_OK ? 0 : 3;
}

static int open_anew_and_stop(void)
{
	struct lf_store *store;
	int how = write_and_open_anew(&store);

	if (how != 0)
		return how;
	stop();
}

/* room_bytes: when there is not enough the write is undone, and it is the sync of that which fails. */
static void open_anew_after_failed_sync(uint64_t room_bytes, uint8_t expected)
{
	fails_from[0] = 2;
	fails_from[1] = 0;
	for (uint32_t loss = LOSE_NOTHING; loss < LOSE_SOME + 3; loss++) {
		begin();
		CHECK_EQ(in_child(open_anew_and_stop, 0, loss, room_bytes), 99);
		CHECK_EQ(in_child(boot, 0, LOSE_ALL, UINT64_MAX), 0);
		CHECK_EQ(contents(), expected);
		end();
	}
}

TEST(an_image_opened_anew_after_a_failed_sync_has_the_write_whole)
{
	open_anew_after_failed_sync(UINT64_MAX, NEW);
}

TEST(an_image_opened_anew_after_an_undo_that_was_not_synced_has_nothing_of_the_write)
{
	open_anew_after_failed_sync(LENGTH - 4096, OLD);
}

static int open_anew_write_and_stop(void)
{
	struct lf_store *store;
	int how = write_and_open_anew(&store);

	if (how != 0)
		return how;
	memset(bytes, OLD, LENGTH);
	if (run(store, LF_OP_WRITE, false, FROM, LENGTH / SECTOR / 2 * SECTOR) != LF_OK ||
		run(store, LF_OP_FLUSH, false, 0, 0) != LF_OK)
		return 4;
	stop();
}

TEST(a_record_that_could_not_be_retired_does_not_come_again_over_what_was_synced_since)
{
	fails_from[0] = 0;
	fails_from[1] = 2;
	begin();
	CHECK_EQ(in_child(open_anew_write_and_stop, 0, LOSE_ALL, UINT64_MAX), 99);
	CHECK_EQ(in_child(boot, 0, LOSE_ALL, UINT64_MAX), 0);
	lf_assert(pread(image, bytes, IMAGE_BYTES, 0) == IMAGE_BYTES);
	CHECK_EQ(bytes[FROM], OLD);
	CHECK_EQ(bytes[FROM + LENGTH / SECTOR / 2 * SECTOR - 1], OLD);
	CHECK_EQ(bytes[FROM + LENGTH / SECTOR / 2 * SECTOR], NEW);
	end();
}

/* ---- What is saved ---- */

static enum lf_error save(struct lf_store *store, uint8_t fill)
{
	memset(bytes, fill, SECTOR);
	return run(store, LF_OP_SAVE, false, 0, SECTOR);
}

/* OLD or NEW. */
static uint8_t saved(void)
{
	uint8_t blob[SECTOR] = {0};
	size_t length;

	return lf_store_load_state(state, blob, sizeof(blob), &length) == LF_OK ? blob[0] : 0;
}

/* The second save cannot be made stable. It returns what is found when the file is opened anew. */
static int save_and_open_anew(void)
{
	struct lf_store_info info;
	struct lf_store *store;

	if (open_store(false, &store, &info) != LF_OK || save(store, OLD) != LF_OK)
		return 1;
	host.fails_from[1] = 1;
	if (save(store, NEW) != LF_E_IO)
		return 2;
	lf_store_file_ops.close(store);
	host.fails_from[1] = 0;
	if (open_store(false, &store, &info) != LF_OK)
		return 3;
	*acknowledged = saved();
	stop();
}

TEST(what_is_loaded_after_a_save_that_failed_is_there_after_a_crash)
{
	for (uint32_t loss = LOSE_NOTHING; loss < LOSE_SOME + 3; loss++) {
		begin();
		CHECK_EQ(in_child(save_and_open_anew, 0, loss, UINT64_MAX), 99);
		CHECK_EQ(in_child(boot, 0, LOSE_ALL, UINT64_MAX), 0);
		CHECK(saved() != 0);
		CHECK_EQ(saved(), *acknowledged);
		end();
	}
}

/* ---- Where there is none ---- */

static int boot_without_state(void)
{
	struct lf_store_info info;
	struct lf_store *store;
	struct lf_source source = {.path = "disk.img", .handle = dup(image), .state_handle = -1};
	struct lf_message message;

	if (lf_store_file_ops.open(&source, &store, &info, &message) != LF_OK)
		return 1;
	return info.atomic_max_bytes == 0 ? 0 : 2;
}

static int boot_with_state_that_cannot_be_written(void)
{
	char path[64];
	struct lf_store_info info;
	struct lf_store *store;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", state);
	state = open(path, O_RDONLY | O_CLOEXEC);
	if (state < 0 || open_store(false, &store, &info) != LF_OK)
		return 1;
	return info.atomic_max_bytes == 0 ? 0 : 2;
}

TEST(without_a_state_file_there_are_no_atomic_writes)
{
	begin();
	CHECK_EQ(in_child(boot_without_state, 0, LOSE_NOTHING, UINT64_MAX), 0);
	CHECK_EQ(in_child(boot_with_state_that_cannot_be_written, 0, LOSE_NOTHING, UINT64_MAX), 0);
	end();
}
