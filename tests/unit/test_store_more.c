/* SPDX-License-Identifier: BSD-2-Clause */
/* test_store_more.c: saved state and its two slots; the RAM disk; the store of faults. */
#include "platform/linux.h"
#include "store/store.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1u << 20)

struct job {
	struct lf_io io;
	struct lf_segment segment;
	sem_t ended;
	uint32_t times;
};

static void job_done(struct lf_io *io)
{
	struct job *job = lf_container(io, struct job, io);

	job->times++;
	sem_post(&job->ended);
}

static void job_init(struct job *job, enum lf_op op, uint64_t offset, void *bytes, uint64_t length)
{
	memset(job, 0, sizeof(*job));
	sem_init(&job->ended, 0, 0);
	job->segment = (struct lf_segment){bytes, length};
	job->io = (struct lf_io){.op = op,
		.offset_bytes = offset,
		.length_bytes = length,
		.segments = &job->segment,
		.segment_count = 1,
		.done = job_done};
}

static enum lf_error job_wait(struct job *job)
{
	while (sem_wait(&job->ended) < 0)
		lf_assert(errno == EINTR);
	return job->io.error;
}

static bool job_has_ended(struct job *job)
{
	int value;

	sem_getvalue(&job->ended, &value);
	return value > 0;
}

static enum lf_error run(const struct lf_store_ops *ops, struct lf_store *store, enum lf_op op,
	uint64_t offset, void *bytes, uint64_t length)
{
	struct job job;
	enum lf_error error;

	job_init(&job, op, offset, bytes, length);
	ops->submit(store, &job.io);
	error = job_wait(&job);
	sem_destroy(&job.ended);
	return error;
}

/* ---- Saved state ---- */

static int temporary_file(off_t size_bytes)
{
	char path[] = "/var/tmp/lf-state-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	lf_assert(fd >= 0);
	lf_assert(ftruncate(fd, size_bytes) == 0);
	unlink(path);
	return fd;
}

static struct lf_store *open_with_state(int image_fd, int state_fd)
{
	struct lf_source source = {
		.path = "disk.img", .handle = dup(image_fd), .state_handle = dup(state_fd)};
	struct lf_message message = {""};
	struct lf_store_info info;
	struct lf_store *store = NULL;

	lf_assert(lf_store_file_ops.open(&source, &store, &info, &message) == LF_OK);
	return store;
}

static enum lf_error save(struct lf_store *store, const char *text)
{
	char copy[64];

	memcpy(copy, text, strlen(text) + 1);
	return run(&lf_store_file_ops, store, LF_OP_SAVE, 0, copy, strlen(text) + 1);
}

static const char *loaded(int state_fd)
{
	static char blob[LF_STATE_MAX_BYTES];
	size_t length;

	if (lf_store_load_state(state_fd, blob, sizeof(blob), &length) != LF_OK || length == 0)
		return "";
	return blob;
}

TEST(saved_state_is_the_newest_one_over_reopens)
{
	int image = temporary_file(MIB), state = temporary_file(0);
	struct lf_store *store = open_with_state(image, state);
	char small[2];
	size_t length;

	CHECK_EQ(lf_store_load_state(state, small, sizeof(small), &length), LF_E_NOT_FOUND);
	CHECK_EQ(save(store, "one"), LF_OK);
	CHECK_STR(loaded(state), "one");
	CHECK_EQ(save(store, "two"), LF_OK);
	CHECK_STR(loaded(state), "two");
	lf_store_file_ops.close(store);
	store = open_with_state(image, state);
	CHECK_EQ(save(store, "three"), LF_OK);
	lf_store_file_ops.close(store);
	CHECK_STR(loaded(state), "three");
	CHECK_EQ(lf_store_load_state(state, small, sizeof(small), &length), LF_E_RANGE);
	close(image);
	close(state);
}

TEST(a_save_that_was_torn_leaves_the_one_before)
{
	int image = temporary_file(MIB), state = temporary_file(0);
	struct lf_store *store = open_with_state(image, state);
	off_t slot = 2 * LF_STATE_MAX_BYTES;

	CHECK_EQ(save(store, "one"), LF_OK); /* slot 1 */
	CHECK_EQ(save(store, "two"), LF_OK); /* slot 0 */
	CHECK_EQ(pwrite(state, "x", 1, 32), 1);
	CHECK_STR(loaded(state), "one");
	lf_store_file_ops.close(store);
	store = open_with_state(image, state);
	CHECK_EQ(save(store, "new"), LF_OK); /* over the torn one */
	CHECK_STR(loaded(state), "new");
	CHECK_EQ(pwrite(state, "x", 1, slot + 8), 1); /* the sequence number is summed, too */
	CHECK_STR(loaded(state), "new");
	CHECK_EQ(pwrite(state, "x", 1, 16), 1);
	CHECK_STR(loaded(state), "");
	lf_store_file_ops.close(store);
	close(image);
	close(state);
}

TEST(what_cannot_be_saved)
{
	static char blob[LF_STATE_MAX_BYTES + 1];
	int image = temporary_file(MIB), state = temporary_file(0),
	    not_writable = open("/dev/null", O_RDONLY);
	struct lf_store *store = open_with_state(image, -1);

	CHECK_EQ(save(store, "one"), LF_E_UNSUPPORTED);
	lf_store_file_ops.close(store);
	store = open_with_state(image, state);
	CHECK_EQ(run(&lf_store_file_ops, store, LF_OP_SAVE, 0, blob, sizeof(blob)), LF_E_INVALID);
	CHECK_EQ(run(&lf_store_file_ops, store, LF_OP_SAVE, 0, blob, sizeof(blob) - 1), LF_OK);
	lf_store_file_ops.close(store);
	store = open_with_state(image, not_writable);
	CHECK(save(store, "one") != LF_OK);
	lf_store_file_ops.close(store);
	close(not_writable);
	close(image);
	close(state);
}

/* ---- A block device ---- */

/* A loop device over the file, which goes when its last descriptor is closed. -1: not allowed here. */
static int loop_device(int image_fd, uint32_t block_size)
{
	struct loop_config config = {
		.fd = (uint32_t)image_fd, .block_size = block_size, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), fd = -1, number;
	char path[32];

	if (control < 0)
		return -1;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	snprintf(path, sizeof(path), "/dev/loop%d", number);
	if (number >= 0)
		fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) < 0) {
		close(fd);
		fd = -1;
	}
	close(control);
	return fd;
}

static void check_device(int fd, struct lf_store *store)
{
	uint8_t out[16384], in[16384];

	memset(out, 0x77, sizeof(out));
	CHECK_EQ(run(&lf_store_file_ops, store, LF_OP_WRITE, MIB - 16384, out, 16384), LF_OK);
	CHECK_EQ(run(&lf_store_file_ops, store, LF_OP_ZERO, MIB - 16384, NULL, 4096), LF_OK);
	CHECK_EQ(run(&lf_store_file_ops, store, LF_OP_UNMAP, MIB - 4096, NULL, 4096), LF_OK);
	CHECK_EQ(run(&lf_store_file_ops, store, LF_OP_FLUSH, 0, NULL, 0), LF_OK);
	CHECK_EQ(run(&lf_store_file_ops, store, LF_OP_READ, MIB - 16384, in, 16384), LF_OK);
	memset(out, 0, 4096);
	memset(out + 12288, 0, 4096);
	CHECK(memcmp(in, out, sizeof(in)) == 0);
	CHECK_EQ(pread(fd, in, 16384, MIB - 16384), 16384);
	CHECK(memcmp(in, out, sizeof(in)) == 0);
}

TEST(a_block_device_has_its_own_block_size)
{
	int image = temporary_file(MIB), fd = loop_device(image, 4096);
	struct lf_source source = {.path = "/dev/loop", .handle = fd, .state_handle = -1, .block_size = 512};
	struct lf_message message;
	struct lf_store_info info;
	struct lf_store *store;

	close(image);
	if (fd < 0)
		SKIP("no loop devices here");
	CHECK_EQ(lf_store_file_ops.open(&source, &store, &info, &message), LF_E_INVALID);
	CHECK_STR(message.text, "/dev/loop: its blocks have 4096 bytes, more than 512: --block-size 4096");
	source.block_size = 0;
	source.handle = dup(fd);
	CHECK_EQ(lf_store_file_ops.open(&source, &store, &info, &message), LF_OK);
	CHECK_EQ(info.block_size, 4096);
	CHECK_EQ(info.block_count, MIB / 4096);
	CHECK(info.can_unmap);
	check_device(fd, store);
	lf_store_file_ops.close(store);
	close(fd);
}

/* ---- The RAM disk ---- */

static enum lf_error open_memory(
	const char *path, struct lf_store **store, struct lf_store_info *info, struct lf_message *message)
{
	struct lf_source source = {.path = path, .handle = -1, .state_handle = -1};

	return lf_store_memory_ops.open(&source, store, info, message);
}

TEST(a_ram_disk_reads_what_was_written)
{
	struct lf_store *store;
	struct lf_store_info info;
	struct lf_message message;
	uint8_t out[16384], in[16384];

	CHECK_EQ(open_memory("memory:8G", &store, &info, &message), LF_OK);
	CHECK_EQ(info.block_count, 1ull << 24);
	memset(out, 0x5a, sizeof(out));
	CHECK_EQ(run(&lf_store_memory_ops, store, LF_OP_WRITE, (1ull << 33) - 16384, out, 16384), LF_OK);
	CHECK_EQ(
		run(&lf_store_memory_ops, store, LF_OP_ZERO, (1ull << 33) - 16384 + 512, NULL, 12288), LF_OK);
	CHECK_EQ(run(&lf_store_memory_ops, store, LF_OP_READ, (1ull << 33) - 16384, in, 16384), LF_OK);
	memset(out + 512, 0, 12288);
	CHECK(memcmp(in, out, sizeof(in)) == 0);
	CHECK_EQ(run(&lf_store_memory_ops, store, LF_OP_UNMAP, (1ull << 33) - 512, NULL, 512), LF_OK);
	CHECK_EQ(run(&lf_store_memory_ops, store, LF_OP_READ, (1ull << 33) - 512, in, 512), LF_OK);
	CHECK_EQ(in[0] | in[511], 0);
	CHECK_EQ(run(&lf_store_memory_ops, store, LF_OP_FLUSH, 0, NULL, 0), LF_OK);
	CHECK(!info.tells_usage); /* only the kernel knows what it takes */
	CHECK_EQ(run(&lf_store_memory_ops, store, LF_OP_USAGE, 0, NULL, 0), LF_E_UNSUPPORTED);
	lf_store_memory_ops.close(store);
}

TEST(sizes_of_ram_disks_are_checked)
{
	static const char *const wrong[] = {"disk.img", "memory:", "memory:0", "memory:513", "memory:-512",
		"memory:1Q", "memory:1KB", "memory:99999999999999999999", "memory:99999999T"};
	struct lf_store *store;
	struct lf_store_info info;
	struct lf_message message;

	for (size_t i = 0; i < lf_count_of(wrong); i++)
		CHECK_EQ(open_memory(wrong[i], &store, &info, &message), LF_E_INVALID);
	CHECK_EQ(open_memory("memory:64K", &store, &info, &message), LF_OK);
	CHECK_EQ(info.block_count, 128);
	lf_store_memory_ops.close(store);
}

/* ---- Faults ---- */

static struct lf_store *faulty(uint64_t seed)
{
	struct lf_store *inner, *store;
	struct lf_store_info info;
	struct lf_message message;

	lf_assert(open_memory("memory:1M", &inner, &info, &message) == LF_OK);
	store = lf_store_fault_wrap(&lf_store_memory_ops, inner, seed);
	lf_assert(store);
	return store;
}

TEST(faults_befall_whom_the_rule_names)
{
	struct lf_fault_rule rule = {.ops = LF_FAULT_OP(LF_OP_WRITE),
		.offset_bytes = 4096,
		.length_bytes = 4096,
		.after = 1,
		.count = 2,
		.error = LF_E_NO_SPACE};
	struct lf_store *store = faulty(1);
	uint8_t bytes[4096] = {0};

	CHECK(lf_store_fault_add(store, &rule));
	CHECK_EQ(run(&lf_store_fault_ops, store, LF_OP_WRITE, 4096, bytes, 512), LF_OK);
	CHECK_EQ(run(&lf_store_fault_ops, store, LF_OP_WRITE, 8192, bytes, 512), LF_OK);
	CHECK_EQ(run(&lf_store_fault_ops, store, LF_OP_READ, 4096, bytes, 512), LF_OK);
	CHECK_EQ(run(&lf_store_fault_ops, store, LF_OP_WRITE, 7680, bytes, 4096), LF_E_NO_SPACE);
	CHECK_EQ(run(&lf_store_fault_ops, store, LF_OP_WRITE, 3584, bytes, 1024), LF_E_NO_SPACE);
	CHECK_EQ(run(&lf_store_fault_ops, store, LF_OP_WRITE, 4096, bytes, 512), LF_OK);
	lf_store_fault_ops.close(store);
}

static uint64_t pattern_of(uint64_t seed)
{
	struct lf_fault_rule rule = {.spared_per_1024 = 512, .error = LF_E_IO};
	struct lf_store *store = faulty(seed);
	uint64_t pattern = 0;
	uint8_t bytes[512];

	lf_store_fault_add(store, &rule);
	for (int i = 0; i < 64; i++) {
		if (run(&lf_store_fault_ops, store, LF_OP_READ, 0, bytes, 512))
			pattern |= 1ull << i;
	}
	lf_store_fault_ops.close(store);
	return pattern;
}

TEST(the_same_seed_brings_the_same_faults)
{
	uint64_t pattern = pattern_of(7);

	CHECK_EQ(pattern_of(7), pattern);
	CHECK(pattern_of(8) != pattern);
	CHECK(pattern != 0 && pattern != UINT64_MAX);
}

TEST(delayed_operations_come_late_and_in_the_order_of_their_time)
{
	struct lf_fault_rule slow = {.ops = LF_FAULT_OP(LF_OP_WRITE), .delay_ms = 30},
			     quick = {.ops = LF_FAULT_OP(LF_OP_READ), .delay_ms = 1};
	struct lf_store *store = faulty(1);
	uint8_t out[512] = {1, 2, 3}, in[512];
	struct job write, read;
	uint64_t before_ns = lf_time_ns(), submitted_ns;

	lf_store_fault_add(store, &slow);
	lf_store_fault_add(store, &quick);
	job_init(&write, LF_OP_WRITE, 0, out, 512);
	job_init(&read, LF_OP_READ, 0, in, 512);
	lf_store_fault_ops.submit(store, &write.io);
	lf_store_fault_ops.submit(store, &read.io);
	submitted_ns = lf_time_ns();
	CHECK_EQ(job_wait(&read), LF_OK);
	/* The host may have had us wait between the two; then the write's time came first. */
	CHECK(in[0] == 0 || submitted_ns - before_ns >= 29000000);
	CHECK_EQ(job_wait(&write), LF_OK);
	CHECK(lf_time_ns() - before_ns >= 30000000);
	lf_store_fault_clear(store);
	CHECK_EQ(run(&lf_store_fault_ops, store, LF_OP_READ, 0, in, 512), LF_OK);
	CHECK_EQ(in[2], 3);
	lf_store_fault_ops.close(store);
}

TEST(what_hangs_ends_by_cancel_or_release_once)
{
	struct lf_fault_rule rule = {.hang = true};
	struct lf_store *store = faulty(1);
	struct job cancelled, released;
	uint8_t bytes[512];

	lf_store_fault_add(store, &rule);
	job_init(&cancelled, LF_OP_READ, 0, bytes, 512);
	job_init(&released, LF_OP_READ, 0, bytes, 512);
	lf_store_fault_ops.submit(store, &cancelled.io);
	lf_store_fault_ops.submit(store, &released.io);
	usleep(5000);
	CHECK_EQ(lf_store_fault_held(store), 2);
	CHECK(!job_has_ended(&cancelled));
	lf_store_fault_ops.cancel(store, &cancelled.io);
	CHECK_EQ(job_wait(&cancelled), LF_E_ABORTED);
	CHECK(!job_has_ended(&released));
	lf_store_fault_release(store);
	CHECK_EQ(job_wait(&released), LF_OK);
	CHECK_EQ(cancelled.times, 1);
	CHECK_EQ(released.times, 1);
	lf_store_fault_ops.close(store);
}

TEST(there_is_a_limit_to_rules)
{
	struct lf_fault_rule rule = {.ops = LF_FAULT_OP(LF_OP_FLUSH)};
	struct lf_store *store = faulty(1);

	for (int i = 0; i < LF_FAULT_RULES_MAX; i++)
		CHECK(lf_store_fault_add(store, &rule));
	CHECK(!lf_store_fault_add(store, &rule));
	lf_store_fault_ops.close(store);
}
