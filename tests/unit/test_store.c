/* SPDX-License-Identifier: BSD-2-Clause */
/* test_store.c: the file store with both engines, in place or not, on ext4 and tmpfs; what it refuses. */
#include "platform/linux.h"
#include "platform/loop_linux.h"
#include "store/file.h"
#include "store/store.h"
#include "tests/test.h"
#include "tests/unit/home.h"
#include "tests/unit/pass_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1u << 20)

/* ---- Operations that somebody waits for ---- */

struct job {
	struct lf_io io;
	struct lf_post post;
	const struct lf_store_ops *ops;
	struct lf_store *store;
	sem_t ended;
};

static void job_done(struct lf_io *io)
{
	sem_post(&lf_container(io, struct job, io)->ended);
}

static void job_submit(struct lf_post *post)
{
	struct job *job = lf_container(post, struct job, post);
	job->ops->submit(job->store, &job->io);
}

/* How one case opens and submits: every combination is run. */
struct way {
	const char *directory;
	enum lf_file_engine engine;
	bool in_place, from_loop;
};

static const struct way ways[] = {
	{"/var/tmp", LF_FILE_ENGINE_THREADS, false, false},
	{"/var/tmp", LF_FILE_ENGINE_THREADS, true, true},
	{"/var/tmp", LF_FILE_ENGINE_URING, false, true},
	{"/var/tmp", LF_FILE_ENGINE_URING, true, true},
	{"/var/tmp", LF_FILE_ENGINE_URING, false, false},
	{"/dev/shm", LF_FILE_ENGINE_THREADS, false, false},
	{"/dev/shm", LF_FILE_ENGINE_THREADS, true, false},
	{"/dev/shm", LF_FILE_ENGINE_URING, false, true},
	{"/dev/shm", LF_FILE_ENGINE_URING, true, true},
};

/* An image, a store on it, and the raw descriptor to look behind its back. */
struct bed {
	struct way way;
	struct home home;
	char path[PATH_MAX];
	int fd;
	struct lf_store *store;
	struct lf_store_info info;
	struct lf_message message;
};

/* What became of an operation like that. */
static struct lf_io bed_carry_out(struct bed *bed, const struct lf_io *like)
{
	struct job job = {
		.io = *like, .ops = &lf_store_file_ops, .store = bed->store, .post.run = job_submit};

	job.io.done = job_done;
	sem_init(&job.ended, 0, 0);
	if (bed->way.from_loop)
		lf_loop_post(bed->home.loop, &job.post);
	else
		job_submit(&job.post);
	while (sem_wait(&job.ended) < 0)
		lf_assert(errno == EINTR);
	sem_destroy(&job.ended);
	return job.io;
}

static enum lf_error bed_submit(struct bed *bed, const struct lf_io *like)
{
	return bed_carry_out(bed, like).error;
}

static enum lf_error bed_move(
	struct bed *bed, enum lf_op op, uint64_t offset, void *bytes, uint64_t length, bool fua)
{
	struct lf_segment segment = {bytes, length};
	struct lf_io io = {.op = op,
		.fua = fua,
		.offset_bytes = offset,
		.length_bytes = length,
		.segments = &segment,
		.segment_count = 1};
	return bed_submit(bed, &io);
}

static enum lf_error bed_do(struct bed *bed, enum lf_op op, uint64_t offset, uint64_t length, bool fua)
{
	struct lf_io io = {.op = op, .fua = fua, .offset_bytes = offset, .length_bytes = length};
	return bed_submit(bed, &io);
}

static int make_image(struct bed *bed, const char *directory, uint64_t size_bytes)
{
	int fd, error;

	snprintf(bed->path, sizeof(bed->path), "%s/lf-test-XXXXXX", directory);
	fd = mkostemp(bed->path, O_CLOEXEC);
	lf_assert(fd >= 0);
	error = ftruncate(fd, (off_t)size_bytes);
	lf_assert(error == 0);
	return fd;
}

static enum lf_error bed_reopen(struct bed *bed, struct lf_source *source)
{
	if ((int)source->handle < 0)
		source->handle = open(bed->path, (source->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	lf_store_file_set_engine(bed->way.engine);
	lf_store_file_set_inline(bed->way.in_place);
	return lf_store_file_ops.open(source, &bed->store, &bed->info, &bed->message);
}

static void bed_open(struct bed *bed, const struct way *way, uint64_t size_bytes)
{
	struct lf_source source = {.path = bed->path, .handle = -1, .state_handle = -1};
	enum lf_error error;

	memset(bed, 0, sizeof(*bed));
	bed->way = *way;
	bed->fd = make_image(bed, way->directory, size_bytes);
	home_open(&bed->home);
	error = bed_reopen(bed, &source);
	lf_assert(error == LF_OK);
}

static void bed_close(struct bed *bed)
{
	lf_store_file_ops.close(bed->store);
	home_close(&bed->home);
	close(bed->fd);
	unlink(bed->path);
}

static void for_all_ways(uint64_t size_bytes, void (*run)(struct bed *bed))
{
	for (size_t i = 0; i < lf_count_of(ways); i++) {
		struct bed bed;
		bed_open(&bed, &ways[i], size_bytes);
		run(&bed);
		bed_close(&bed);
	}
}

static void fill(uint8_t *bytes, size_t length, uint32_t seed)
{
	for (size_t i = 0; i < length; i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

static bool all_are(const uint8_t *bytes, size_t length, uint8_t value)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

/* ---- Data ---- */

static void check_facts(struct bed *bed)
{
	CHECK_EQ(bed->info.block_size, 512);
	CHECK_EQ(bed->info.block_count, 8 * MIB / 512);
	CHECK_EQ(bed->info.physical_block_size, 4096);
	CHECK(bed->info.can_unmap);
	CHECK(bed->info.unmap_reads_zero);
	CHECK_EQ(bed->info.unmap_granularity_bytes, 4096);
	CHECK(!bed->info.read_only);
}

TEST(a_file_has_the_facts_of_a_512e_disk)
{
	for_all_ways(8 * MIB, check_facts);
}

static uint8_t out[2 * MIB], in[2 * MIB];

/* Odd segments: a byte, an empty one, a last one that holds more than is moved. */
static void check_segments(struct bed *bed)
{
	struct lf_segment to[] = {{out, 1}, {out + 1, 0}, {out + 1, 1022}, {out + 1023, 5000}};
	struct lf_segment from[] = {{in, 0}, {in, 3000}, {in + 3000, 9000}};
	struct lf_io write = {.op = LF_OP_WRITE,
		.offset_bytes = 512,
		.length_bytes = 4608,
		.segments = to,
		.segment_count = 4};
	struct lf_io read = {.op = LF_OP_READ,
		.offset_bytes = 512,
		.length_bytes = 4608,
		.segments = from,
		.segment_count = 3};

	fill(out, 8192, 1);
	memset(in, 0xee, 16384);
	CHECK_EQ(bed_submit(bed, &write), LF_OK);
	CHECK_EQ(bed_submit(bed, &read), LF_OK);
	CHECK(memcmp(in, out, 4608) == 0);
	CHECK_EQ(in[4608], 0xee);
	CHECK_EQ(pread(bed->fd, in, 6144, 0), 6144);
	CHECK(all_are(in, 512, 0));
	CHECK(memcmp(in + 512, out, 4608) == 0);
	CHECK(all_are(in + 5120, 1024, 0));
}

TEST(segments_of_any_length_are_moved_exactly)
{
	for_all_ways(8 * MIB, check_segments);
}

#define MANY 3000 /* more than IOV_MAX */

static void check_many_segments(struct bed *bed)
{
	static struct lf_segment to[MANY], from[MANY];
	struct lf_io io = {.op = LF_OP_WRITE,
		.length_bytes = MANY * 512,
		.segments = to,
		.segment_count = MANY,
		.fua = true};

	fill(out, MANY * 512, 2);
	memset(in, 0, MANY * 512);
	for (size_t i = 0; i < MANY; i++) {
		to[i] = (struct lf_segment){out + 512 * i, 512};
		from[MANY - 1 - i] = (struct lf_segment){in + 512 * i, 512};
	}
	CHECK_EQ(bed_submit(bed, &io), LF_OK);
	io.op = LF_OP_READ;
	io.fua = false;
	io.segments = from;
	CHECK_EQ(bed_submit(bed, &io), LF_OK);
	for (size_t i = 0; i < MANY; i++)
		CHECK(memcmp(in + 512 * i, out + 512 * (MANY - 1 - i), 512) == 0);
}

TEST(more_segments_than_a_system_call_takes)
{
	for_all_ways(8 * MIB, check_many_segments);
}

static void check_fua_and_flush(struct bed *bed)
{
	fill(out, 65536, 3);
	CHECK_EQ(bed_move(bed, LF_OP_WRITE, 4096, out, 65536, true), LF_OK);
	CHECK_EQ(bed_move(bed, LF_OP_WRITE, 8 * MIB - 512, out, 512, false), LF_OK);
	CHECK_EQ(bed_do(bed, LF_OP_FLUSH, 0, 0, false), LF_OK);
	CHECK_EQ(pread(bed->fd, in, 65536, 4096), 65536);
	CHECK(memcmp(in, out, 65536) == 0);
	CHECK_EQ(bed_do(bed, LF_OP_ZERO, 4096, 65536, true), LF_OK);
	CHECK_EQ(bed_do(bed, LF_OP_UNMAP, 0, MIB, true), LF_OK);
}

TEST(writes_with_fua_and_flushes)
{
	for_all_ways(8 * MIB, check_fua_and_flush);
}

static void check_cold_read(struct bed *bed)
{
	fill(out, 2 * MIB, 4);
	CHECK_EQ(pwrite(bed->fd, out, 2 * MIB, 0), 2 * MIB);
	CHECK_EQ(fdatasync(bed->fd), 0);
	/* A part of it leaves the page cache, so that what is tried in place stops half-way. */
	CHECK_EQ(posix_fadvise(bed->fd, 128 * 1024, 512 * 1024, POSIX_FADV_DONTNEED), 0);
	memset(in, 0, MIB);
	CHECK_EQ(bed_move(bed, LF_OP_READ, 0, in, MIB, false), LF_OK);
	CHECK(memcmp(in, out, MIB) == 0);
}

TEST(a_read_that_is_cached_in_part)
{
	for_all_ways(8 * MIB, check_cold_read);
}

/* ---- Zero and unmap ---- */

static void check_zero(struct bed *bed, enum lf_op op)
{
	memset(out, 0xa5, 2 * MIB);
	CHECK_EQ(bed_move(bed, LF_OP_WRITE, 0, out, 2 * MIB, false), LF_OK);
	CHECK_EQ(bed_do(bed, op, 512, MIB + 1024, false), LF_OK);
	CHECK_EQ(pread(bed->fd, in, 2 * MIB, 0), 2 * MIB);
	CHECK(all_are(in, 512, 0xa5));
	CHECK(all_are(in + 512, MIB + 1024, 0));
	CHECK(all_are(in + MIB + 1536, MIB - 1536, 0xa5));
}

static void check_zero_by_all_means(struct bed *bed)
{
	check_zero(bed, LF_OP_ZERO);
	bed->store->no_zero_range = true;
	check_zero(bed, LF_OP_ZERO);
	bed->store->no_punch = true;
	check_zero(bed, LF_OP_ZERO);
	check_zero(bed, LF_OP_UNMAP);
}

TEST(zero_by_zero_range_by_holes_and_by_writing)
{
	for_all_ways(8 * MIB, check_zero_by_all_means);
}

static void check_unmap(struct bed *bed)
{
	struct stat before, after;

	check_zero(bed, LF_OP_UNMAP);
	CHECK_EQ(bed_move(bed, LF_OP_WRITE, 4 * MIB, out, MIB, true), LF_OK);
	CHECK_EQ(fstat(bed->fd, &before), 0);
	CHECK_EQ(bed_do(bed, LF_OP_UNMAP, 4 * MIB, MIB, true), LF_OK);
	CHECK_EQ(fstat(bed->fd, &after), 0);
	CHECK(after.st_blocks <= before.st_blocks - (blkcnt_t)MIB / 512);
	CHECK_EQ(after.st_size, 8 * MIB);
}

TEST(unmap_gives_room_back_and_reads_zeros)
{
	for_all_ways(8 * MIB, check_unmap);
}

static struct lf_io bed_usage(struct bed *bed)
{
	struct lf_io io = bed_carry_out(bed, &(struct lf_io){.op = LF_OP_USAGE});

	lf_assert(io.error == LF_OK && io.available_bytes > 0);
	return io;
}

static void check_usage(struct bed *bed)
{
	CHECK(bed->info.tells_usage);
	CHECK_EQ(bed_move(bed, LF_OP_WRITE, 4 * MIB, out, 2 * MIB, true), LF_OK);
	uint64_t before = bed_usage(bed).used_bytes;
	CHECK(before >= 2 * MIB && before < 3 * MIB);
	CHECK_EQ(bed_do(bed, LF_OP_UNMAP, 4 * MIB, MIB, true), LF_OK);
	CHECK_EQ(before - bed_usage(bed).used_bytes, MIB);
}

TEST(a_file_tells_what_room_it_takes)
{
	for_all_ways(8 * MIB, check_usage);
}

/* ---- The environment's faults ---- */

static void check_cut_short(struct bed *bed)
{
	CHECK_EQ(ftruncate(bed->fd, MIB + 512), 0);
	CHECK_EQ(bed_move(bed, LF_OP_READ, MIB, in, 4096, false), LF_E_RANGE);
	CHECK_EQ(bed_move(bed, LF_OP_READ, 2 * MIB, in, 4096, false), LF_E_RANGE);
	CHECK_EQ(bed_move(bed, LF_OP_READ, 0, in, MIB, false), LF_OK);
	CHECK_EQ(bed->store->logs[LF_E_RANGE].suppressed, 1); /* logged once, not twice */
}

TEST(a_file_cut_short_is_out_of_range_and_logged_once)
{
	for_all_ways(8 * MIB, check_cut_short);
}

/* A write that is cut short in the middle, then refused: nothing goes on being "written". */
static void check_file_size_limit(struct bed *bed)
{
	struct rlimit before, limit;

	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 3 * MIB + 512;
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	enum lf_error error = bed_move(bed, LF_OP_WRITE, 3 * MIB, out, 8192, false);
	enum lf_error below = bed_move(bed, LF_OP_WRITE, MIB, out, 8192, false);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
	CHECK_EQ(error, LF_E_NO_SPACE);
	CHECK_EQ(below, LF_OK);
	CHECK_EQ(bed_move(bed, LF_OP_WRITE, 3 * MIB, out, 8192, false), LF_OK);
}

TEST(a_limit_on_the_size_of_files_is_no_space)
{
	for_all_ways(8 * MIB, check_file_size_limit);
}

/* A file of 4 MiB on a tmpfs that holds 1 MiB, mounted where nobody else sees it. -1: not allowed here. */
static int file_on_small_volume(void)
{
	int pair[2], fd, status;
	pid_t child;

	lf_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	child = fork();
	if (child == 0) {
		if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			_exit(1);
		if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount("tmpfs", "/tmp", "tmpfs", 0, "size=1m") < 0)
			_exit(1);
		fd = open("/tmp/image", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || ftruncate(fd, 4 * MIB) < 0)
			_exit(1);
		send_fd(pair[1], fd);
	}
	close(pair[1]);
	fd = receive_fd(pair[0]);
	close(pair[0]);
	waitpid(child, &status, 0);
	return fd;
}

/* fua: a write that found no room says nothing of what was acknowledged before. */
static void check_full_volume(const struct way *way, struct bed *bed, bool fua)
{
	struct lf_source source = {
		.path = "/full/image", .handle = file_on_small_volume(), .state_handle = -1};

	bed->way = *way;
	if (source.handle < 0)
		SKIP("no mount namespaces here");
	CHECK_EQ(bed_reopen(bed, &source), LF_OK);
	CHECK_EQ(bed_move(bed, LF_OP_WRITE, 0, out, 2 * MIB, fua), LF_E_NO_SPACE);
	/* Zeroing needs no room, and a hole gives some back. */
	CHECK_EQ(bed_do(bed, LF_OP_ZERO, 3 * MIB, MIB, false), LF_OK);
	CHECK_EQ(bed_do(bed, LF_OP_UNMAP, 0, 2 * MIB, false), LF_OK);
	CHECK_EQ(bed_move(bed, LF_OP_WRITE, 2 * MIB, out, 65536, fua), LF_OK);
	CHECK_EQ(bed_do(bed, LF_OP_FLUSH, 0, 0, false), LF_OK);
	CHECK_EQ(bed_usage(bed).used_bytes, 65536);
	CHECK_EQ(bed_usage(bed).available_bytes, MIB - 65536);
	lf_store_file_ops.close(bed->store);
}

TEST(a_full_volume_is_no_space_and_goes_on_when_there_is_some)
{
	for (size_t i = 5; i < lf_count_of(ways); i++) {
		struct bed bed = {0};
		home_open(&bed.home);
		check_full_volume(&ways[i], &bed, false);
		check_full_volume(&ways[i], &bed, true);
		home_close(&bed.home);
	}
}

static void check_failed_sync(struct bed *bed)
{
	int pipes[2], kept = dup(bed->store->fd);

	/* What stands behind the descriptor cannot be synced for a while, as a disk that drops out. */
	CHECK_EQ(pipe(pipes), 0);
	CHECK_EQ(dup2(pipes[0], bed->store->fd), bed->store->fd);
	CHECK(bed_do(bed, LF_OP_FLUSH, 0, 0, false) != LF_OK);
	CHECK_EQ(dup2(kept, bed->store->fd), bed->store->fd);
	CHECK_EQ(bed_do(bed, LF_OP_FLUSH, 0, 0, false), LF_E_IO);
	CHECK_EQ(bed_move(bed, LF_OP_WRITE, 0, out, 4096, false), LF_OK);
	CHECK_EQ(bed_do(bed, LF_OP_FLUSH, 0, 0, false), LF_E_IO);
	close(kept);
	close(pipes[0]);
	close(pipes[1]);
}

TEST(after_a_failed_flush_no_flush_succeeds)
{
	for_all_ways(8 * MIB, check_failed_sync);
}

/* ---- Sizes ---- */

TEST(a_disk_of_8_EiB_less_a_block)
{
	const uint64_t size = (uint64_t)INT64_MAX - 511;

	for (size_t i = 5; i < lf_count_of(ways); i++) {
		struct bed bed;
		bed_open(&bed, &ways[i], size);
		CHECK_EQ(bed.info.block_count, size / 512);
		CHECK(bed.info.can_unmap);
		fill(out, 8192, 5);
		CHECK_EQ(bed_move(&bed, LF_OP_WRITE, size - 8192, out, 8192, true), LF_OK);
		CHECK_EQ(bed_move(&bed, LF_OP_READ, size - 8192, in, 8192, false), LF_OK);
		CHECK(memcmp(in, out, 8192) == 0);
		CHECK_EQ(bed_do(&bed, LF_OP_UNMAP, size - 512, 512, false), LF_OK);
		CHECK_EQ(bed_do(&bed, LF_OP_ZERO, 0, size - 1024, false), LF_OK);
		CHECK_EQ(bed_move(&bed, LF_OP_READ, size - 8192, in, 8192, false), LF_OK);
		CHECK(all_are(in, 7168, 0));
		CHECK(memcmp(in + 7168, out + 7168, 512) == 0);
		CHECK(all_are(in + 7680, 512, 0));
		bed_close(&bed);
	}
}

/* ---- What is refused ---- */

static enum lf_error try_open(int fd, struct lf_source source, struct lf_message *message)
{
	struct lf_store *store;
	struct lf_store_info info;
	enum lf_error error;

	source.path = "disk.img";
	source.handle = fd;
	source.state_handle = -1;
	memset(message, 0, sizeof(*message));
	error = lf_store_file_ops.open(&source, &store, &info, message);
	if (error == LF_OK)
		lf_store_file_ops.close(store);
	else
		close(fd);
	return error;
}

TEST(what_is_no_image_is_refused_with_a_remedy)
{
	const struct lf_source plain = {0}, blocks_of_4k = {.block_size = 4096},
			       blocks_of_2k = {.block_size = 2048}, few_blocks = {.block_count_max = 20},
			       odd = {.block_size = 520},
			       small_physical = {.block_size = 4096, .physical_block_size = 512};
	struct lf_message message;
	struct bed bed;
	int pipes[2];

	CHECK_EQ(try_open(open("/var/tmp", O_RDONLY | O_CLOEXEC), plain, &message), LF_E_INVALID);
	CHECK_STR(message.text, "disk.img: a directory: name an image in it");
	CHECK_EQ(try_open(open("/dev/null", O_RDWR | O_CLOEXEC), plain, &message), LF_E_INVALID);
	CHECK_STR(message.text, "disk.img: neither a regular file nor a block device: name one of these");
	CHECK_EQ(pipe(pipes), 0);
	CHECK_EQ(try_open(pipes[0], plain, &message), LF_E_INVALID);
	close(pipes[1]);
	CHECK_EQ(try_open(make_image(&bed, "/dev/shm", 0), plain, &message), LF_E_INVALID);
	CHECK_STR(message.text, "disk.img: empty: delete it, and let --create SIZE make it anew");
	CHECK_EQ(truncate(bed.path, 10752), 0);
	CHECK_EQ(try_open(open(bed.path, O_RDWR), plain, &message), LF_OK);
	CHECK_EQ(try_open(open(bed.path, O_RDWR), blocks_of_4k, &message), LF_E_INVALID);
	CHECK_STR(message.text,
		"disk.img: its 10752 bytes are no multiple of the block size 4096: make it 12288 "
		"bytes, or another --block-size");
	CHECK_EQ(try_open(open(bed.path, O_RDONLY), blocks_of_2k, &message), LF_E_INVALID);
	CHECK_STR(message.text,
		"disk.img: its 10752 bytes are no multiple of the block size 2048: make it 12288 "
		"bytes; or is a part of it missing?");
	CHECK_EQ(try_open(open(bed.path, O_RDONLY), few_blocks, &message), LF_E_RANGE);
	CHECK_STR(message.text,
		"disk.img: too large: 20 blocks of 512 bytes are possible: connect it as a disk");
	CHECK_EQ(try_open(open(bed.path, O_RDWR), odd, &message), LF_E_INVALID);
	CHECK_STR(message.text, "disk.img: no block size: 520: it is 512, 2048 or 4096");
	CHECK_EQ(try_open(open(bed.path, O_RDWR), small_physical, &message), LF_E_INVALID);
	CHECK_EQ(try_open(open(bed.path, O_WRONLY), plain, &message), LF_E_INVALID);
	CHECK_EQ(try_open(open(bed.path, O_RDWR | O_APPEND), plain, &message), LF_E_INVALID);
	CHECK_EQ(try_open(open(bed.path, O_PATH), plain, &message), LF_E_INVALID);
	unlink(bed.path);
}

TEST(one_adapter_writes_or_many_read)
{
	struct bed first, second, third;
	struct lf_source writes = {.path = first.path, .handle = -1, .state_handle = -1};
	struct lf_source reads = {.path = first.path, .handle = -1, .state_handle = -1, .read_only = true};
	struct lf_source also_reads = reads;

	bed_open(&first, &ways[0], MIB);
	second = third = first;
	CHECK_EQ(bed_reopen(&second, &writes), LF_E_BUSY);
	CHECK(strstr(
		second.message.text, ": in use by another adapter: disconnect it there, or add --read-only"));
	CHECK_EQ(bed_reopen(&second, &reads), LF_E_BUSY);
	lf_store_file_ops.close(first.store);
	/* The very descriptors that were refused are good now: they were not closed. */
	CHECK_EQ(bed_reopen(&second, &reads), LF_OK);
	CHECK(second.info.read_only);
	CHECK(!second.info.can_unmap);
	CHECK_EQ(bed_reopen(&third, &also_reads), LF_OK);
	CHECK_EQ(bed_reopen(&first, &writes), LF_E_BUSY);
	CHECK_EQ(bed_move(&third, LF_OP_READ, 0, in, 4096, false), LF_OK);
	CHECK_EQ(bed_do(&third, LF_OP_FLUSH, 0, 0, false), LF_OK);
	lf_store_file_ops.close(third.store);
	lf_store_file_ops.close(second.store);
	CHECK_EQ(bed_reopen(&first, &writes), LF_OK);
	bed_close(&first);
}

TEST(a_descriptor_for_reading_makes_a_read_only_disk)
{
	struct bed bed, readers;
	struct lf_source source = {.path = "disk.img", .state_handle = -1};

	bed_open(&bed, &ways[0], MIB);
	lf_store_file_ops.close(bed.store);
	readers = bed;
	source.handle = open(bed.path, O_RDONLY | O_CLOEXEC);
	CHECK_EQ(bed_reopen(&readers, &source), LF_OK);
	CHECK(readers.info.read_only);
	bed.store = readers.store;
	bed_close(&bed);
}

/* ---- Many at once, and chains ---- */

#define LANES       3
#define IN_FLIGHT   32
#define CHAIN_STEPS 60

/* A chain writes its block, reads it, compares, and goes on from within done; never two at one block. */
struct chain {
	struct lf_io io;
	struct lf_post post;
	struct lf_segment segment;
	struct lf_store *store;
	uint8_t bytes[4096], expected;
	uint32_t steps;
	bool wrong;
	sem_t *ended;
};

static void chain_step(struct chain *chain)
{
	bool write = chain->steps % 2 == 0;

	chain->io.op = write ? LF_OP_WRITE : LF_OP_READ;
	if (write)
		memset(chain->bytes, ++chain->expected, sizeof(chain->bytes));
	else
		memset(chain->bytes, 0, sizeof(chain->bytes));
	lf_store_file_ops.submit(chain->store, &chain->io);
}

static void chain_done(struct lf_io *io)
{
	struct chain *chain = lf_container(io, struct chain, io);

	if (io->error || !all_are(chain->bytes, sizeof(chain->bytes), chain->expected))
		chain->wrong = true;
	if (++chain->steps < CHAIN_STEPS)
		chain_step(chain);
	else
		sem_post(chain->ended);
}

static void chain_start(struct lf_post *post)
{
	chain_step(lf_container(post, struct chain, post));
}

static void *start_chains(void *context)
{
	struct chain *chains = context;

	for (size_t i = 0; i < IN_FLIGHT; i++)
		chain_step(&chains[i]);
	return NULL;
}

static void check_many_in_flight(struct bed *bed)
{
	static struct chain chains[LANES][IN_FLIGHT];
	pthread_t threads[LANES];
	sem_t ended;

	memset(chains, 0, sizeof(chains));
	sem_init(&ended, 0, 0);
	for (size_t i = 0; i < LANES * IN_FLIGHT; i++) {
		struct chain *chain = &chains[i / IN_FLIGHT][i % IN_FLIGHT];
		chain->store = bed->store;
		chain->ended = &ended;
		chain->segment = (struct lf_segment){chain->bytes, sizeof(chain->bytes)};
		chain->io = (struct lf_io){.offset_bytes = i * 4096,
			.length_bytes = 4096,
			.segments = &chain->segment,
			.segment_count = 1,
			.done = chain_done};
		chain->post.run = chain_start;
	}
	/* The first lane is the loop's, the others are threads that have none. */
	for (size_t i = 0; i < IN_FLIGHT; i++)
		lf_loop_post(bed->home.loop, &chains[0][i].post);
	for (size_t i = 1; i < LANES; i++)
		pthread_create(&threads[i], NULL, start_chains, chains[i]);
	for (size_t i = 0; i < LANES * IN_FLIGHT; i++) {
		while (sem_wait(&ended) < 0)
			lf_assert(errno == EINTR);
	}
	for (size_t i = 1; i < LANES; i++)
		pthread_join(threads[i], NULL);
	sem_destroy(&ended);
	for (size_t i = 0; i < LANES * IN_FLIGHT; i++) {
		CHECK_EQ(chains[i / IN_FLIGHT][i % IN_FLIGHT].steps, CHAIN_STEPS);
		CHECK(!chains[i / IN_FLIGHT][i % IN_FLIGHT].wrong);
	}
}

TEST(many_in_flight_from_a_loop_and_from_other_threads)
{
	for_all_ways(8 * MIB, check_many_in_flight);
}

/* A thousand at once on one loop are more than the ring has entries. */
#define FLOOD 1000

static struct flood {
	struct lf_io io[FLOOD];
	struct lf_segment segment;
	struct lf_post post;
	struct lf_store *store;
	uint32_t errors;
	sem_t ended;
} flood;

static void flood_done(struct lf_io *io)
{
	if (io->error)
		__atomic_fetch_add(&flood.errors, 1, __ATOMIC_SEQ_CST);
	sem_post(&flood.ended);
}

static void flood_start(struct lf_post *post)
{
	(void)post;
	for (size_t i = 0; i < FLOOD; i++)
		lf_store_file_ops.submit(flood.store, &flood.io[i]);
}

static void run_flood(struct bed *bed, bool with_syncs)
{
	memset(&flood, 0, sizeof(flood));
	sem_init(&flood.ended, 0, 0);
	flood.store = bed->store;
	flood.segment = (struct lf_segment){out, 4096};
	flood.post.run = flood_start;
	fill(out, 4096, 6);
	for (size_t i = 0; i < FLOOD; i++)
		flood.io[i] = (struct lf_io){.op = LF_OP_WRITE,
			.offset_bytes = i * 4096,
			.length_bytes = 4096,
			.segments = &flood.segment,
			.segment_count = 1,
			.fua = with_syncs && i % 4 == 1,
			.done = flood_done};
	for (size_t i = 3; with_syncs && i < FLOOD; i += 4)
		flood.io[i] = (struct lf_io){.op = LF_OP_FLUSH, .done = flood_done};
	lf_loop_post(bed->home.loop, &flood.post);
	for (size_t i = 0; i < FLOOD; i++) {
		while (sem_wait(&flood.ended) < 0)
			lf_assert(errno == EINTR);
	}
	sem_destroy(&flood.ended);
	CHECK_EQ(flood.errors, 0);
	for (size_t i = 0; i < FLOOD; i++) {
		if (flood.io[i].op == LF_OP_FLUSH)
			continue;
		CHECK_EQ(pread(bed->fd, in, 4096, (off_t)(i * 4096)), 4096);
		CHECK(memcmp(in, out, 4096) == 0);
	}
}

static void check_flood(struct bed *bed)
{
	run_flood(bed, false);
}

static void check_flood_with_syncs(struct bed *bed)
{
	run_flood(bed, true);
}

TEST(flushes_and_fua_writes_among_many_writes_all_end)
{
	for_all_ways(8 * MIB, check_flood_with_syncs);
}

TEST(more_at_once_than_the_ring_has_entries)
{
	for_all_ways(8 * MIB, check_flood);
}

#define LONG_CHAIN 300000

static uint32_t chain_left;
static sem_t chain_ended;

static void long_chain_done(struct lf_io *io)
{
	if (--chain_left == 0)
		sem_post(&chain_ended);
	else
		lf_store_file_ops.submit(lf_file_io_of(io)->store, io);
}

TEST(done_may_submit_again_without_end)
{
	struct lf_segment segment = {in, 512};
	struct lf_io io = {.op = LF_OP_READ,
		.length_bytes = 512,
		.segments = &segment,
		.segment_count = 1,
		.done = long_chain_done};
	struct bed bed;

	bed_open(&bed, &ways[8], MIB);
	lf_assert(bed.store->never_waits);
	sem_init(&chain_ended, 0, 0);
	chain_left = LONG_CHAIN;
	lf_store_file_ops.submit(bed.store, &io); /* in place: the stack must not grow with each */
	sem_wait(&chain_ended);
	CHECK_EQ(chain_left, 0);
	bed_close(&bed);
}
