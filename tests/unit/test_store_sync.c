/* SPDX-License-Identifier: BSD-2-Clause */
/* test_store_sync.c: what the file store makes stable, and who hears of it when that fails. */
#include "platform/linux.h"
#include "platform/loop_linux.h"
#include "store/store.h"
#include "tests/test.h"
#include "tests/unit/home.h"
#include "tests/unit/pass_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1u << 20)

/* ---- A kernel whose fdatasync is ours: it tells of a loss once, to who asks first, as Linux does ---- */

static struct {
	bool acts;
	int loss; /* an errno, told once */
	uint32_t begun, running, running_most;
	uint32_t allowed; /* the first so many fdatasyncs may end, the others wait */
} kernel;

static void kernel_begin(uint32_t allowed)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.allowed = allowed;
	__atomic_store_n(&kernel.acts, true, __ATOMIC_SEQ_CST);
}

static void kernel_end(void)
{
	__atomic_store_n(&kernel.acts, false, __ATOMIC_SEQ_CST);
}

static void kernel_allows(uint32_t syncs)
{
	__atomic_store_n(&kernel.allowed, syncs, __ATOMIC_SEQ_CST);
}

static void kernel_loses(int number)
{
	__atomic_store_n(&kernel.loss, number, __ATOMIC_SEQ_CST);
}

static uint32_t kernel_syncs(void)
{
	return __atomic_load_n(&kernel.begun, __ATOMIC_SEQ_CST);
}

static void await_syncs(uint32_t count)
{
	while (kernel_syncs() < count)
		usleep(200);
}

/* In front of the C library's, also for the store. */
int fdatasync(int fd)
{
	uint32_t running, turn;
	int number;

	if (!__atomic_load_n(&kernel.acts, __ATOMIC_SEQ_CST))
		return (int)syscall(SYS_fdatasync, fd);
	running = __atomic_add_fetch(&kernel.running, 1, __ATOMIC_SEQ_CST);
	if (running > __atomic_load_n(&kernel.running_most, __ATOMIC_SEQ_CST))
		__atomic_store_n(&kernel.running_most, running, __ATOMIC_SEQ_CST);
	number = __atomic_exchange_n(&kernel.loss, 0, __ATOMIC_SEQ_CST);
	turn = __atomic_add_fetch(&kernel.begun, 1, __ATOMIC_SEQ_CST);
	do {
		usleep(100);
	} while (turn > __atomic_load_n(&kernel.allowed, __ATOMIC_SEQ_CST));
	__atomic_sub_fetch(&kernel.running, 1, __ATOMIC_SEQ_CST);
	errno = number;
	return number ? -1 : 0;
}

/* ---- Operations ---- */

struct job {
	struct lf_io io;
	struct lf_segment segment;
	struct lf_post post;
	struct lf_store *store;
	bool has_ended;
	sem_t ended;
};

static uint8_t bytes[2 * MIB];

static void job_done(struct lf_io *io)
{
	struct job *job = lf_container(io, struct job, io);

	__atomic_store_n(&job->has_ended, true, __ATOMIC_SEQ_CST);
	sem_post(&job->ended);
}

static void job_init(
	struct job *job, struct lf_store *store, enum lf_op op, uint64_t offset, uint64_t length, bool fua)
{
	memset(job, 0, sizeof(*job));
	sem_init(&job->ended, 0, 0);
	job->store = store;
	job->segment = (struct lf_segment){bytes, length};
	job->io = (struct lf_io){.op = op,
		.fua = fua,
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
	sem_destroy(&job->ended);
	return job->io.error;
}

static bool job_has_ended(struct job *job)
{
	return __atomic_load_n(&job->has_ended, __ATOMIC_SEQ_CST);
}

static void begin_flush(struct job *job, struct lf_store *store)
{
	job_init(job, store, LF_OP_FLUSH, 0, 0, false);
	lf_store_file_ops.submit(store, &job->io);
}

static enum lf_error flush(struct lf_store *store)
{
	struct job job;

	begin_flush(&job, store);
	return job_wait(&job);
}

static enum lf_error move(struct lf_store *store, enum lf_op op, bool fua)
{
	struct job job;

	job_init(&job, store, op, 4096, 4096, fua);
	lf_store_file_ops.submit(store, &job.io);
	return job_wait(&job);
}

static struct lf_store *open_store(int fd, enum lf_file_engine engine)
{
	struct lf_source source = {.path = "disk.img", .handle = fd, .state_handle = -1};
	struct lf_message message = {""};
	struct lf_store_info info;
	struct lf_store *store = NULL;

	lf_store_file_set_engine(engine);
	lf_store_file_set_inline(false);
	lf_assert(lf_store_file_ops.open(&source, &store, &info, &message) == LF_OK);
	return store;
}

static struct lf_store *open_image(void)
{
	char path[] = "/var/tmp/lf-sync-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	lf_assert(fd >= 0);
	lf_assert(ftruncate(fd, MIB) == 0);
	unlink(path);
	return open_store(fd, LF_FILE_ENGINE_THREADS);
}

/* ---- One sync at a time ---- */

#define LATE 5

static void begin_late(struct job *late, struct lf_store *store)
{
	for (size_t i = 0; i < LATE; i++)
		begin_flush(&late[i], store);
}

TEST(flushes_that_come_during_a_sync_share_the_next)
{
	struct lf_store *store = open_image();
	struct job first, late[LATE];

	kernel_begin(0);
	begin_flush(&first, store);
	await_syncs(1);
	begin_late(late, store);
	kernel_allows(1);
	CHECK_EQ(job_wait(&first), LF_OK);
	await_syncs(2);
	for (size_t i = 0; i < LATE; i++)
		CHECK(!job_has_ended(&late[i])); /* the first sync may have passed their pages */
	kernel_allows(UINT32_MAX);
	for (size_t i = 0; i < LATE; i++)
		CHECK_EQ(job_wait(&late[i]), LF_OK);
	CHECK_EQ(kernel_syncs(), 2);
	CHECK_EQ(kernel.running_most, 1);
	kernel_end();
	lf_store_file_ops.close(store);
}

/* loss_at: which sync meets the loss. fua: a FUA write leads the first one, not a FLUSH. */
static void check_all_hear_of_a_loss(uint32_t loss_at, bool fua)
{
	struct lf_store *store = open_image();
	struct job first, late[LATE];

	kernel_begin(0);
	if (loss_at == 1)
		kernel_loses(EIO);
	job_init(&first, store, fua ? LF_OP_WRITE : LF_OP_FLUSH, 0, fua ? 4096 : 0, fua);
	lf_store_file_ops.submit(store, &first.io);
	await_syncs(1);
	begin_late(late, store);
	if (loss_at == 2)
		kernel_loses(EIO);
	kernel_allows(UINT32_MAX);
	CHECK_EQ(job_wait(&first), loss_at == 1 ? LF_E_IO : LF_OK);
	for (size_t i = 0; i < LATE; i++)
		CHECK_EQ(job_wait(&late[i]), LF_E_IO);
	CHECK_EQ(flush(store), LF_E_IO);
	CHECK_EQ(move(store, LF_OP_WRITE, true), LF_E_IO);
	CHECK_EQ(move(store, LF_OP_WRITE, false), LF_OK);
	CHECK_EQ(move(store, LF_OP_READ, false), LF_OK);
	CHECK_EQ(kernel_syncs(), loss_at);
	kernel_end();
	lf_store_file_ops.close(store);
}

TEST(all_flushes_at_once_hear_of_a_loss)
{
	for (uint32_t loss_at = 1; loss_at <= 2; loss_at++) {
		check_all_hear_of_a_loss(loss_at, false);
		check_all_hear_of_a_loss(loss_at, true);
	}
}

#define CHAINS      6
#define CHAIN_STEPS 50

struct chain {
	struct lf_io io;
	struct lf_store *store;
	uint32_t steps, errors;
	sem_t *ended;
};

static void chain_done(struct lf_io *io)
{
	struct chain *chain = lf_container(io, struct chain, io);

	if (io->error)
		chain->errors++;
	if (++chain->steps < CHAIN_STEPS)
		lf_store_file_ops.submit(chain->store, io);
	else
		sem_post(chain->ended);
}

TEST(flushes_from_within_done_all_end)
{
	struct lf_store *store = open_image();
	struct chain chains[CHAINS];
	sem_t ended;

	kernel_begin(0);
	sem_init(&ended, 0, 0);
	for (size_t i = 0; i < CHAINS; i++) {
		chains[i] = (struct chain){
			.store = store, .ended = &ended, .io = {.op = LF_OP_FLUSH, .done = chain_done}};
		lf_store_file_ops.submit(store, &chains[i].io);
	}
	/* All have begun before any of them goes on. */
	kernel_allows(UINT32_MAX);
	for (size_t i = 0; i < CHAINS; i++) {
		while (sem_wait(&ended) < 0)
			lf_assert(errno == EINTR);
	}
	/* The last done may still be at its sem_post. */
	lf_store_file_quiesce();
	sem_destroy(&ended);
	for (size_t i = 0; i < CHAINS; i++) {
		CHECK_EQ(chains[i].steps, CHAIN_STEPS);
		CHECK_EQ(chains[i].errors, 0);
	}
	CHECK(kernel_syncs() < CHAINS * CHAIN_STEPS);
	CHECK_EQ(kernel.running_most, 1);
	kernel_end();
	lf_store_file_ops.close(store);
}

/* ---- FUA ---- */

TEST(fua_is_the_operation_and_then_a_sync)
{
	static const enum lf_op ops[] = {LF_OP_WRITE, LF_OP_ZERO, LF_OP_UNMAP};

	for (size_t i = 0; i < lf_count_of(ops); i++) {
		struct lf_store *store = open_image();
		kernel_begin(UINT32_MAX);
		CHECK_EQ(move(store, ops[i], false), LF_OK);
		CHECK_EQ(kernel_syncs(), 0);
		CHECK_EQ(move(store, ops[i], true), LF_OK);
		CHECK_EQ(kernel_syncs(), 1);
		/* A loss of older pages that it is the first to hear of is not forgotten with it. */
		kernel_loses(ENOSPC);
		CHECK_EQ(move(store, ops[i], true), LF_E_NO_SPACE);
		CHECK_EQ(flush(store), LF_E_IO);
		CHECK_EQ(kernel_syncs(), 2);
		kernel_end();
		lf_store_file_ops.close(store);
	}
}

/* ---- Which errors count ---- */

TEST(no_error_of_a_sync_is_transient_but_an_interruption)
{
	static const int numbers[] = {EIO, ENOSPC, EDQUOT, ENOMEM, EAGAIN, ETIMEDOUT, ENOLINK};
	struct lf_store *store;

	for (size_t i = 0; i < lf_count_of(numbers); i++) {
		store = open_image();
		kernel_begin(UINT32_MAX);
		kernel_loses(numbers[i]);
		CHECK_EQ(flush(store), lf_error_from_errno(numbers[i]));
		CHECK_EQ(flush(store), LF_E_IO);
		CHECK_EQ(kernel_syncs(), 1);
		kernel_end();
		lf_store_file_ops.close(store);
	}
	store = open_image();
	kernel_begin(UINT32_MAX);
	kernel_loses(EINTR);
	CHECK_EQ(flush(store), LF_OK);
	CHECK_EQ(kernel_syncs(), 2);
	kernel_end();
	lf_store_file_ops.close(store);
}

/* ---- The real kernel's news of a loss, on a volume that is full behind the page cache ---- */

/* A file of 4 MiB, of which 1 MiB has room, on a volume that nobody else sees. -1: not allowed here. */
static int file_on_small_volume(void)
{
	int pair[2], fd, status;
	pid_t child;

	lf_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	child = fork();
	if (child == 0) {
		if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount("tmpfs", "/tmp", "tmpfs", 0, "size=1m") < 0)
			_exit(1);
		fd = open("/tmp/image", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || ftruncate(fd, 4 * MIB) < 0 || pwrite(fd, bytes, 65536, 0) != 65536)
			_exit(1);
		send_fd(pair[1], fd);
	}
	close(pair[1]);
	fd = receive_fd(pair[0]);
	close(pair[0]);
	waitpid(child, &status, 0);
	return fd;
}

/* A loop device over the file, which goes when its last descriptor is closed. -1: not allowed here. */
static int loop_device(char *path, size_t path_bytes)
{
	struct loop_config config = {.info.lo_flags = LO_FLAGS_AUTOCLEAR};
	int image = file_on_small_volume(), fd = -1, number;
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	config.fd = (uint32_t)image;
	number = control >= 0 ? ioctl(control, LOOP_CTL_GET_FREE) : -1;
	snprintf(path, path_bytes, "/dev/loop%d", number);
	if (image >= 0 && number >= 0)
		fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) < 0) {
		close(fd);
		fd = -1;
	}
	if (control >= 0)
		close(control);
	if (image >= 0)
		close(image);
	return fd;
}

static void job_submit(struct lf_post *post)
{
	struct job *job = lf_container(post, struct job, post);

	lf_store_file_ops.submit(job->store, &job->io);
}

/* From the loop, so that the ring has it where there is one. */
static void begin_on_loop(struct job *job, struct home *home)
{
	job->post.run = job_submit;
	lf_loop_post(home->loop, &job->post);
}

static enum lf_error run_on_loop(struct job *job, struct home *home)
{
	begin_on_loop(job, home);
	return job_wait(job);
}

/* What was acknowledged cannot be written back. other: a descriptor with a report of its own. */
static void lose_pages(struct lf_store *store, struct home *home, int other)
{
	struct job job;

	job_init(&job, store, LF_OP_WRITE, 2 * MIB, 2 * MIB, false);
	CHECK_EQ(run_on_loop(&job, home), LF_OK);
	CHECK(sync_file_range(other, 0, 0,
		      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) < 0);
}

static void check_flushes_at_once(struct lf_store *store, struct home *home)
{
	struct job jobs[4];

	for (size_t i = 0; i < lf_count_of(jobs); i++)
		job_init(&jobs[i], store, LF_OP_FLUSH, 0, 0, false);
	for (size_t i = 0; i < lf_count_of(jobs); i++)
		begin_on_loop(&jobs[i], home);
	for (size_t i = 0; i < lf_count_of(jobs); i++)
		CHECK(job_wait(&jobs[i]) != LF_OK);
}

static void check_fua_then_flush(struct lf_store *store, struct home *home)
{
	struct job job;

	job_init(&job, store, LF_OP_WRITE, 0, 4096, true); /* it has room itself */
	CHECK(run_on_loop(&job, home) != LF_OK);
	job_init(&job, store, LF_OP_FLUSH, 0, 0, false);
	CHECK_EQ(run_on_loop(&job, home), LF_E_IO);
}

static void on_volume_that_fills(void (*check)(struct lf_store *store, struct home *home))
{
	static const enum lf_file_engine engines[] = {LF_FILE_ENGINE_THREADS, LF_FILE_ENGINE_URING};

	for (size_t i = 0; i < lf_count_of(engines); i++) {
		char path[32];
		int fd = loop_device(path, sizeof(path)),
		    other = fd < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
		struct lf_store *store;
		struct home home;
		if (other < 0)
			SKIP("no loop devices or no mount namespaces here");
		home_open(&home);
		store = open_store(fd, engines[i]);
		lose_pages(store, &home, other);
		check(store, &home);
		home_close(&home);
		lf_store_file_ops.close(store);
		close(other);
	}
}

TEST(a_real_loss_reaches_all_flushes_at_once)
{
	on_volume_that_fills(check_flushes_at_once);
}

TEST(a_real_loss_that_a_fua_write_meets_reaches_the_next_flush)
{
	on_volume_that_fills(check_fua_then_flush);
}

/* ---- The pool comes to rest ---- */

#define BUSY 40

static struct {
	struct lf_io io[BUSY];
	uint32_t returned;
	sem_t may_return;
} busy;

static void busy_done(struct lf_io *io)
{
	(void)io;
	while (sem_wait(&busy.may_return) < 0)
		continue;
	usleep(1000);
	__atomic_add_fetch(&busy.returned, 1, __ATOMIC_SEQ_CST);
}

static void *let_busy_return(void *context)
{
	usleep(20000);
	for (size_t i = 0; i < BUSY; i++)
		sem_post(&busy.may_return);
	return context;
}

static void busy_submit(struct lf_store *store, uint32_t index)
{
	static struct lf_segment segment = {bytes, 512};
	bool flush = index % 4 == 0;

	busy.io[index] = (struct lf_io){.op = flush ? LF_OP_FLUSH : LF_OP_WRITE,
		.length_bytes = flush ? 0 : 512,
		.segments = &segment,
		.segment_count = 1,
		.done = busy_done};
	lf_store_file_ops.submit(store, &busy.io[index]);
}

TEST(quiesce_waits_for_the_queue_and_for_the_last_done_to_return)
{
	struct lf_store *store = open_image();
	pthread_t thread;

	memset(&busy, 0, sizeof(busy));
	sem_init(&busy.may_return, 0, 0);
	for (uint32_t i = 0; i < BUSY; i++)
		busy_submit(store, i);
	pthread_create(&thread, NULL, let_busy_return, NULL);
	lf_store_file_quiesce();
	CHECK_EQ(__atomic_load_n(&busy.returned, __ATOMIC_SEQ_CST), BUSY);
	lf_store_file_quiesce();
	pthread_join(thread, NULL);
	/* One that nobody has taken from the queue, or that is in its done. */
	for (uint32_t i = 0; i < 10 * BUSY; i++) {
		busy_submit(store, i % BUSY);
		sem_post(&busy.may_return);
		if (i % 2)
			usleep(300);
		lf_store_file_quiesce();
		CHECK_EQ(__atomic_load_n(&busy.returned, __ATOMIC_SEQ_CST), BUSY + i + 1);
	}
	sem_destroy(&busy.may_return);
	lf_store_file_ops.close(store);
}
