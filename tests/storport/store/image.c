/* SPDX-License-Identifier: BSD-2-Clause */
/* image.c: images opened, operations and their ends, bytes that are known again. */
#include "tests/storport/store/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void doze(uint32_t ms)
{
	struct timespec length = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&length, NULL);
}

void kernel_begin(void)
{
	UNICODE_STRING path;

	lf_fake_reset();
	RtlInitUnicodeString(&path, L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\lungfish");
	lf_nt_platform_init(&path);
}

void kernel_end(void)
{
	lf_store_file_quiesce();
	CHECK_EQ(lf_fake_leaks(), 0);
}

/* ---- images ---- */

HANDLE image_handle(const char *path, ACCESS_MASK access, ULONG options)
{
	OBJECT_ATTRIBUTES attributes;
	UNICODE_STRING name;
	IO_STATUS_BLOCK block;
	HANDLE handle = NULL;
	char whole[300];
	WCHAR wide[300];
	NTSTATUS status;

	snprintf(whole, sizeof(whole), "\\??\\%s", path);
	for (size_t i = 0; i <= strlen(whole); i++)
		wide[i] = (WCHAR)(unsigned char)whole[i];
	RtlInitUnicodeString(&name, wide);
	InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
	status = ZwCreateFile(&handle, access, &attributes, &block, NULL, FILE_ATTRIBUTE_NORMAL,
		FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, options, NULL, 0);
	if (!NT_SUCCESS(status))
		lf_test_fail(__FILE__, __LINE__, "%s: cannot be opened: %08x", path, (unsigned)status);
	return NT_SUCCESS(status) ? handle : NULL;
}

enum lf_error image_try(struct image *image, const struct image_options *options)
{
	struct lf_source source = {
		.path = options->path ? options->path : "C:\\disk.img",
		.state_handle = LF_HANDLE_NONE,
		.block_size = options->block_size,
		.physical_block_size = options->physical_block_size,
		.block_count_max = options->block_count_max,
		.read_only = options->read_only,
	};
	ACCESS_MASK access =
		FILE_READ_DATA | FILE_READ_ATTRIBUTES | (options->read_only ? 0 : FILE_WRITE_DATA);
	ULONG how = (options->read_only || options->buffered ? 0 : FILE_NO_INTERMEDIATE_BUFFERING) |
		    (options->synchronous ? FILE_SYNCHRONOUS_IO_NONALERT : 0);

	memset(image, 0, sizeof(*image));
	image->file = lf_fake_file_find(source.path);
	image->handle = image_handle(source.path, access | (options->synchronous ? 0x100000 : 0), how);
	if (!image->handle)
		return LF_E_NOT_FOUND;
	source.handle = (lf_handle)image->handle;
	image->error = lf_store_file_ops.open(&source, &image->store, &image->info, &image->message);
	if (image->error)
		ZwClose(image->handle);
	return image->error;
}

void image_open(struct image *image, uint64_t size_bytes, ULONG attributes)
{
	struct image_options options = {0};

	lf_fake_file_add("C:\\disk.img", size_bytes, attributes);
	image_try(image, &options);
	if (image->error) {
		lf_test_fail(__FILE__, __LINE__, "not opened: %s", image->message.text);
		abort();
	}
}

void image_close(struct image *image)
{
	lf_store_file_ops.close(image->store);
	image->store = NULL;
}

/* ---- operations ---- */

static void job_done(struct lf_io *io)
{
	struct job *job = lf_container(io, struct job, io);

	pthread_mutex_lock(&job->mutex);
	job->ends++;
	if (job->submitting && pthread_equal(job->submitter, pthread_self()))
		job->ended_in_submit = true;
	pthread_cond_broadcast(&job->ended);
	while (job->lingers)
		pthread_cond_wait(&job->ended, &job->mutex);
	pthread_mutex_unlock(&job->mutex);
}

void job_let_go(struct job *job)
{
	pthread_mutex_lock(&job->mutex);
	job->lingers = false;
	pthread_cond_broadcast(&job->ended);
	pthread_mutex_unlock(&job->mutex);
}

struct job *job_make(struct image *image, enum lf_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
	struct job *job = calloc(1, sizeof(*job));

	pthread_mutex_init(&job->mutex, NULL);
	pthread_cond_init(&job->ended, NULL);
	memset(&job->io.platform, 0xa5, sizeof(job->io.platform)); /* nobody zeroes it for each request */
	job->image = image;
	job->io.op = op;
	job->io.offset_bytes = offset_bytes;
	job->io.length_bytes = length_bytes;
	job->io.done = job_done;
	return job;
}

void job_lend(struct job *job, uint32_t before_bytes, uint32_t page_offset)
{
	struct lf_nt_io *nt = lf_nt_io_of(&job->io.platform);

	job->buffer = lf_fake_buffer_make((size_t)job->io.length_bytes, before_bytes, 3, page_offset);
	job->segment = (struct lf_segment){NULL, (size_t)job->io.length_bytes};
	job->io.segments = &job->segment;
	job->io.segment_count = 1;
	nt->mdl = job->buffer->mdl;
	nt->mdl_offset = before_bytes;
	nt->partial = (MDL *)(void *)job->partial;
	nt->partial_bytes = JOB_PARTIAL_BYTES;
}

void job_point(struct job *job, void *memory)
{
	job->segment = (struct lf_segment){memory, (size_t)job->io.length_bytes};
	job->io.segments = &job->segment;
	job->io.segment_count = 1;
}

static void within(struct job *job, bool is)
{
	pthread_mutex_lock(&job->mutex);
	job->submitter = pthread_self();
	job->submitting = is;
	pthread_mutex_unlock(&job->mutex);
}

static void at_dispatch(struct job *job, void (*call)(struct lf_store *store, struct lf_io *io))
{
	within(job, true);
	KIRQL irql = lf_fake_irql_raise(DISPATCH_LEVEL);
	call(job->image->store, &job->io);
	lf_fake_irql_lower(irql);
	within(job, false);
}

void job_submit(struct job *job)
{
	at_dispatch(job, lf_store_file_ops.submit);
}

/* As the core does it: under locks of its own. */
void job_cancel(struct job *job)
{
	static struct lf_lock core;

	lf_lock(&core);
	at_dispatch(job, lf_store_file_ops.cancel);
	lf_unlock(&core);
}

bool job_has_ended(struct job *job)
{
	bool ended;

	pthread_mutex_lock(&job->mutex);
	ended = job->ends > 0;
	pthread_mutex_unlock(&job->mutex);
	return ended;
}

enum lf_error job_wait(struct job *job)
{
	pthread_mutex_lock(&job->mutex);
	while (job->ends == 0)
		pthread_cond_wait(&job->ended, &job->mutex);
	pthread_mutex_unlock(&job->mutex);
	return job->io.error;
}

void job_free(struct job *job)
{
	if (job->ends > 1 || job->ended_in_submit)
		lf_test_fail(__FILE__, __LINE__, "done %u times, %s submit or cancel", (unsigned)job->ends,
			job->ended_in_submit ? "within" : "after");
	if (job->buffer)
		lf_fake_buffer_free(job->buffer);
	pthread_cond_destroy(&job->ended);
	pthread_mutex_destroy(&job->mutex);
	free(job);
}

/* ---- bytes ---- */

static uint8_t byte_at(uint64_t at, uint32_t seed)
{
	return (uint8_t)((at * 131 + (at >> 9) * 7 + seed * 31) ^ (at >> 13));
}

void fill(uint8_t *bytes, size_t length_bytes, uint32_t seed)
{
	for (size_t i = 0; i < length_bytes; i++)
		bytes[i] = byte_at(i, seed);
}

bool is_filled(const uint8_t *bytes, size_t length_bytes, uint32_t seed)
{
	for (size_t i = 0; i < length_bytes; i++)
		if (bytes[i] != byte_at(i, seed))
			return false;
	return true;
}

bool is_zero(const uint8_t *bytes, size_t length_bytes)
{
	for (size_t i = 0; i < length_bytes; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

bool file_is(struct lf_fake_file *file, uint64_t offset_bytes, size_t length_bytes, uint32_t seed)
{
	uint8_t *bytes = malloc(length_bytes);
	bool is;

	lf_fake_file_read(file, offset_bytes, bytes, length_bytes);
	is = is_filled(bytes, length_bytes, seed);
	free(bytes);
	return is;
}

bool job_write(struct image *image, uint64_t offset_bytes, uint64_t length_bytes, uint32_t seed)
{
	struct job *job = job_make(image, LF_OP_WRITE, offset_bytes, length_bytes);
	enum lf_error error;

	job_lend(job, 512, 0);
	fill(job->buffer->bytes, (size_t)length_bytes, seed);
	job_submit(job);
	error = job_wait(job);
	job_free(job);
	return error == LF_OK;
}

bool job_read(struct image *image, uint64_t offset_bytes, uint64_t length_bytes, uint32_t seed)
{
	struct job *job = job_make(image, LF_OP_READ, offset_bytes, length_bytes);
	bool same;

	job_lend(job, 512, 0);
	job_submit(job);
	same = job_wait(job) == LF_OK && is_filled(job->buffer->bytes, (size_t)length_bytes, seed);
	job_free(job);
	return same;
}

enum lf_error job_do(struct image *image, enum lf_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
	struct job *job = job_make(image, op, offset_bytes, length_bytes);
	enum lf_error error;

	job_submit(job);
	error = job_wait(job);
	job_free(job);
	return error;
}

void hold_on(struct lf_fake_file *file, uint32_t ops, enum lf_fake_what what, NTSTATUS status, uint32_t count)
{
	struct lf_fake_rule rule = {.file = file, .ops = ops, .count = count, .what = what, .status = status};

	lf_fake_rule_add(&rule);
}

void wait_for_held(uint32_t count)
{
	while (lf_fake_held() < count)
		doze(1);
}
