/* SPDX-License-Identifier: BSD-2-Clause */
/* test_file_nt.c: the file store in the kernel: what it opens and refuses, and that each byte finds its
 * place. */
#include "tests/storport/store/image.h"

#include <stdlib.h>
#include <string.h>

#define SPARSE FILE_ATTRIBUTE_SPARSE_FILE

static struct image image;

static void begin(uint64_t size_bytes, ULONG attributes)
{
	kernel_begin();
	image_open(&image, size_bytes, attributes);
}

static void finish(void)
{
	image_close(&image);
	kernel_end();
}

static enum lf_error end_read(uint64_t offset_bytes)
{
	struct job *job = job_make(&image, LF_OP_READ, offset_bytes, 4096);
	enum lf_error error;

	job_lend(job, 0, 0);
	job_submit(job);
	error = job_wait(job);
	job_free(job);
	return error;
}

/* ---- what is opened ---- */

TEST(an_image_is_opened_and_closed_without_a_trace)
{
	begin(MIB, 0);
	CHECK_EQ(image.info.block_size, 512);
	CHECK_EQ(image.info.block_count, MIB / 512);
	CHECK(!image.info.read_only && image.info.tells_usage);
	CHECK_EQ(image.info.atomic_max_bytes, 0);
	finish();
	CHECK_EQ(lf_fake_file_opens(image.file), 0);
}

static void refused(
	const char *path, const struct image_options *given, enum lf_error error, const char *words)
{
	struct image_options options = *given;
	options.path = path;
	CHECK_EQ(image_try(&image, &options), error);
	if (!strstr(image.message.text, words))
		lf_test_fail(__FILE__, __LINE__, "no \"%s\" in: %s", words, image.message.text);
	CHECK(strstr(image.message.text, path) == image.message.text);
}

TEST(what_is_no_fit_image_is_refused_with_its_reason)
{
	static const struct {
		const char *path;
		uint64_t size_bytes;
		ULONG attributes;
		enum lf_error error;
		const char *words;
	} files[] = {
		{"C:\\compressed.img", MIB, FILE_ATTRIBUTE_COMPRESSED, LF_E_UNSUPPORTED, "compressed"},
		{"C:\\encrypted.img", MIB, FILE_ATTRIBUTE_ENCRYPTED, LF_E_UNSUPPORTED, "encrypted"},
		{"C:\\offline.img", MIB, FILE_ATTRIBUTE_OFFLINE, LF_E_UNSUPPORTED, "cloud"},
		{"C:\\recall.img", MIB, FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS, LF_E_UNSUPPORTED, "cloud"},
		{"C:\\open.img", MIB, FILE_ATTRIBUTE_RECALL_ON_OPEN, LF_E_UNSUPPORTED, "cloud"},
		{"C:\\empty.img", 0, 0, LF_E_INVALID, "empty"},
		{"C:\\odd.img", MIB + 100, 0, LF_E_INVALID, "no multiple"},
	};
	struct image_options options = {0};

	kernel_begin();
	for (size_t i = 0; i < lf_count_of(files); i++) {
		lf_fake_file_add(files[i].path, files[i].size_bytes, files[i].attributes);
		refused(files[i].path, &options, files[i].error, files[i].words);
	}
	lf_fake_file_add("C:\\plain.img", MIB, 0);
	options = (struct image_options){.block_size = 1024};
	refused("C:\\plain.img", &options, LF_E_INVALID, "no block size");
	options = (struct image_options){.physical_block_size = 768};
	refused("C:\\plain.img", &options, LF_E_INVALID, "no physical block size");
	options = (struct image_options){.block_count_max = 100};
	refused("C:\\plain.img", &options, LF_E_RANGE, "too large");
	options = (struct image_options){.path = "C:\\plain.img", .block_count_max = MIB / 512};
	CHECK_EQ(image_try(&image, &options), LF_OK);
	image_close(&image);
	options = (struct image_options){.buffered = true};
	refused("C:\\plain.img", &options, LF_E_INVALID, "through the cache");
	options = (struct image_options){.synchronous = true};
	refused("C:\\plain.img", &options, LF_E_INVALID, "one request at a time");
	kernel_end();
}

TEST(a_directory_and_a_device_are_refused)
{
	struct lf_source source = {.path = "C:\\dir", .state_handle = LF_HANDLE_NONE, .read_only = true};
	struct lf_fake_volume_options pipe = {.name = "P:", .device_type = FILE_DEVICE_NAMED_PIPE};

	kernel_begin();
	lf_fake_file_add("C:\\dir\\inside.img", MIB, 0);
	source.handle = (lf_handle)image_handle("C:\\dir", FILE_READ_DATA, FILE_DIRECTORY_FILE);
	CHECK_EQ(lf_store_file_ops.open(&source, &image.store, &image.info, &image.message), LF_E_INVALID);
	CHECK(strstr(image.message.text, "a directory"));
	lf_handle_close(source.handle);
	lf_fake_volume_add(&pipe);
	lf_fake_file_add("P:\\one", MIB, 0);
	refused("P:\\one", &(struct image_options){0}, LF_E_INVALID, "a device");
	kernel_end();
}

TEST(blocks_smaller_than_the_sectors_of_the_host_are_refused)
{
	struct lf_fake_volume_options large = {.name = "D:", .sector_bytes = 4096};
	struct image_options options = {.path = "D:\\disk.img"};

	kernel_begin();
	lf_fake_volume_add(&large);
	lf_fake_file_add("D:\\disk.img", MIB, 0);
	refused("D:\\disk.img", &options, LF_E_INVALID, "--block-size 4096");
	options.block_size = 4096;
	CHECK_EQ(image_try(&image, &options), LF_OK);
	CHECK_EQ(image.info.block_count, MIB / 4096);
	CHECK_EQ(image.info.physical_block_size, 4096);
	CHECK(job_write(&image, 4096, 8192, 1) && job_read(&image, 4096, 8192, 1));
	image_close(&image);
	/* Through the cache, as a CD's image may be, it does not matter. */
	options = (struct image_options){.path = "D:\\disk.img", .read_only = true, .block_size = 2048};
	CHECK_EQ(image_try(&image, &options), LF_OK);
	finish();
}

TEST(a_volume_that_does_not_know_its_sectors_is_refused)
{
	static const uint32_t told[] = {LF_FAKE_NO_SECTORS, 24, 520};
	struct image_options options = {.path = "D:\\disk.img"};

	for (size_t i = 0; i < lf_count_of(told); i++) {
		kernel_begin();
		lf_fake_volume_add(
			&(struct lf_fake_volume_options){.name = "D:", .told_sector_bytes = told[i]});
		lf_fake_file_add("D:\\disk.img", MIB, 0);
		options.read_only = false;
		options.block_size = 4096;
		refused("D:\\disk.img", &options, LF_E_UNSUPPORTED, "how large its sectors are");
		/* Through the cache nobody divides by it. */
		options.read_only = true;
		CHECK_EQ(image_try(&image, &options), LF_OK);
		CHECK_EQ(end_read(4096), LF_OK);
		finish();
	}
}

TEST(physical_blocks_are_those_of_the_disk_below)
{
	struct lf_fake_volume_options advanced = {.name = "D:", .physical_bytes = 4096};
	struct image_options options = {.path = "D:\\disk.img"};

	kernel_begin();
	lf_fake_volume_add(&advanced);
	lf_fake_file_add("D:\\disk.img", MIB, 0);
	CHECK_EQ(image_try(&image, &options), LF_OK);
	CHECK_EQ(image.info.physical_block_size, 4096);
	finish();
}

TEST(ten_tebibytes_of_a_sparse_file)
{
	uint64_t size_bytes = 10ull << 40;

	begin(size_bytes, SPARSE);
	CHECK_EQ(image.info.block_count, size_bytes / 512);
	CHECK(image.info.can_unmap && image.info.unmap_reads_zero);
	CHECK_EQ(image.info.unmap_granularity_bytes, 64 * KIB);
	CHECK(job_write(&image, size_bytes - 64 * KIB, 64 * KIB, 3));
	CHECK(job_read(&image, size_bytes - 64 * KIB, 64 * KIB, 3));
	CHECK(job_write(&image, (5ull << 40) + 512, 4096, 4));
	CHECK(job_read(&image, (5ull << 40) + 512, 4096, 4));
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 0, size_bytes - MIB), LF_OK);
	CHECK(job_read(&image, size_bytes - 64 * KIB, 64 * KIB, 3));
	finish();
}

/* ---- each byte finds its place ---- */

TEST(data_goes_down_without_a_copy_from_any_place_in_an_mdl)
{
	begin(4 * MIB, 0);
	for (uint32_t i = 0; i < 24; i++) {
		uint32_t length_bytes = (i % 5 + 1) * 512 + i % 3 * 4096;
		struct job *job = job_make(&image, LF_OP_WRITE, i * 32 * KIB, length_bytes);
		job_lend(job, i % 4 * 1000, i % 7 * 500);
		fill(job->buffer->bytes, length_bytes, i);
		job_submit(job);
		CHECK_EQ(job_wait(job), LF_OK);
		job_free(job);
		CHECK(file_is(image.file, i * 32 * KIB, length_bytes, i));
		CHECK(job_read(&image, i * 32 * KIB, length_bytes, i));
	}
	CHECK_EQ(lf_fake_mappings(), 0);
	finish();
}

TEST(what_is_longer_than_a_partial_mdl_goes_in_pieces)
{
	begin(8 * MIB, 0);
	CHECK(job_write(&image, 512, 3 * MIB, 5));
	CHECK(file_is(image.file, 512, 3 * MIB, 5));
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_WRITE), 3 * MIB / JOB_PARTIAL_BYTES);
	CHECK(job_read(&image, 512, 3 * MIB, 5));
	finish();
}

TEST(the_cores_own_memory_in_many_segments)
{
	static const size_t lengths[] = {512, 1, 4095, 0, 100000, 30000, 2048 + 512};
	struct lf_segment segments[lf_count_of(lengths)];
	uint8_t *memory;
	size_t whole = 0;

	begin(MIB, 0);
	for (size_t i = 0; i < lf_count_of(lengths); i++)
		whole += lengths[i];
	whole = whole / 512 * 512; /* the segments hold more than is moved */
	memory = lf_alloc(256 * KIB);
	for (size_t i = 0, at = 0; i < lf_count_of(lengths); at += lengths[i++] + 8)
		segments[i] = (struct lf_segment){memory + at, lengths[i]};
	for (uint32_t writes = 2; writes-- > 0;) {
		struct job *job = job_make(&image, writes ? LF_OP_WRITE : LF_OP_READ, 1024, whole);
		job->io.segments = segments;
		job->io.segment_count = lf_count_of(lengths);
		if (writes)
			fill(memory, 256 * KIB, 6);
		else
			memset(memory, 0, 256 * KIB);
		job_submit(job);
		CHECK_EQ(job_wait(job), LF_OK);
		job_free(job);
	}
	uint8_t *bytes = malloc(whole), *expected = lf_alloc(256 * KIB);
	fill(expected, 256 * KIB, 6);
	lf_fake_file_read(image.file, 1024, bytes, whole);
	for (size_t i = 0, at = 0, source = 0; i < lf_count_of(lengths) && at < whole; i++) {
		size_t count = lf_min(lengths[i], whole - at);
		CHECK(memcmp(bytes + at, expected + source, count) == 0);
		CHECK(memcmp(memory + source, expected + source, count) == 0);
		at += lengths[i];
		source += lengths[i] + 8;
	}
	free(bytes);
	lf_free(expected);
	lf_free(memory);
	finish();
}

TEST(buffers_that_the_disk_cannot_use_bounce)
{
	struct lf_fake_volume_options strict = {.name = "D:", .alignment = FILE_512_BYTE_ALIGNMENT};
	struct image_options options = {.path = "D:\\disk.img"};

	kernel_begin();
	lf_fake_volume_add(&strict);
	lf_fake_file_add("D:\\disk.img", MIB, 0);
	CHECK_EQ(image_try(&image, &options), LF_OK);
	for (uint32_t before = 1; before < 600; before += 99) {
		struct job *job = job_make(&image, LF_OP_WRITE, 4096, 200 * KIB);
		job_lend(job, before, 12);
		fill(job->buffer->bytes, 200 * KIB, before);
		job_submit(job);
		CHECK_EQ(job_wait(job), LF_OK);
		job_free(job);
		CHECK(file_is(image.file, 4096, 200 * KIB, before));
		job = job_make(&image, LF_OP_READ, 4096, 200 * KIB);
		job_lend(job, before, 12);
		job_submit(job);
		CHECK_EQ(job_wait(job), LF_OK);
		CHECK(is_filled(job->buffer->bytes, 200 * KIB, before));
		job_free(job);
	}
	CHECK_EQ(lf_fake_mappings(), 0);
	finish();
}

TEST(short_transfers_go_on)
{
	struct lf_fake_rule rule = {.ops = 1 << LF_FAKE_READ | 1 << LF_FAKE_WRITE,
		.what = LF_FAKE_SHORT,
		.per_1024 = 512,
		.short_bytes = 1000};

	begin(MIB, 0);
	rule.file = image.file;
	lf_fake_rule_add(&rule);
	CHECK(job_write(&image, 512, 100 * KIB, 8));
	CHECK(file_is(image.file, 512, 100 * KIB, 8));
	CHECK(job_read(&image, 512, 100 * KIB, 8));
	finish();
}

TEST(a_file_that_was_cut_ends_in_a_range_error)
{
	struct job *job;

	begin(MIB, 0);
	lf_fake_file_resize(image.file, 512 * KIB + 100);
	job = job_make(&image, LF_OP_READ, 512 * KIB - 4096, 8192);
	job_lend(job, 0, 0);
	job_submit(job);
	CHECK_EQ(job_wait(job), LF_E_RANGE);
	job_free(job);
	CHECK(lf_fake_has_printed("the file is shorter than it was"));
	finish();
}

/* ---- zeros, holes, room ---- */

TEST(a_sparse_file_gives_room_back_and_reads_zeros)
{
	uint64_t before;

	begin(4 * MIB, SPARSE);
	CHECK(job_write(&image, 0, 2 * MIB, 9));
	before = lf_fake_file_allocated(image.file);
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 64 * KIB, MIB), LF_OK);
	CHECK(lf_fake_file_allocated(image.file) < before);
	CHECK_EQ(job_do(&image, LF_OP_ZERO, 512, 512), LF_OK);
	struct job *job = job_make(&image, LF_OP_READ, 64 * KIB, MIB);
	job_lend(job, 0, 0);
	job_submit(job);
	CHECK_EQ(job_wait(job), LF_OK);
	CHECK(is_zero(job->buffer->bytes, MIB));
	job_free(job);
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_ZERO), 2);
	CHECK(file_is(image.file, 0, 512, 9));
	finish();
}

static bool reads_zero(uint64_t offset_bytes, size_t length_bytes)
{
	uint8_t *bytes = malloc(length_bytes);
	bool zero;

	lf_fake_file_read(image.file, offset_bytes, bytes, length_bytes);
	zero = is_zero(bytes, length_bytes);
	free(bytes);
	return zero;
}

TEST(zeros_are_written_where_no_room_can_be_given_back)
{
	begin(MIB, 0);
	CHECK(job_write(&image, 0, MIB, 10));
	CHECK_EQ(job_do(&image, LF_OP_ZERO, 512, 200 * KIB), LF_OK);
	CHECK(reads_zero(512, 200 * KIB));
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_ZERO), 0);
	CHECK(file_is(image.file, 0, 512, 10));
	finish();
}

/* Every worker has carried something else in the memory that the zeros are written from. */
TEST(zeros_that_are_written_are_zeros)
{
	uint8_t *memory;

	begin(2 * MIB, 0);
	memory = lf_alloc(MIB);
	memset(memory, 0x5a, MIB);
	for (uint32_t i = 0; i < 16; i++) {
		struct job *job = job_make(&image, LF_OP_WRITE, 0, MIB);

		job_point(job, memory);
		job_submit(job);
		CHECK_EQ(job_wait(job), LF_OK);
		job_free(job);
	}
	for (uint32_t i = 0; i < 16; i++)
		CHECK_EQ(job_do(&image, LF_OP_ZERO, i * 64 * KIB, 64 * KIB), LF_OK);
	CHECK(reads_zero(0, MIB));
	lf_free(memory);
	finish();
}

/* A gibibyte at a time, so that each can be given up. */
TEST(a_long_range_gives_its_room_back_in_pieces)
{
	const uint64_t gib = (uint64_t)1 << 30;

	begin(4 * gib, SPARSE);
	CHECK(job_write(&image, 3 * gib + MIB, 4096, 1));
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 512 * KIB, 3 * gib + MIB), LF_OK);
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_ZERO), 4);
	CHECK(reads_zero(3 * gib + MIB, 4096));
	finish();
}

/* What is no lack of the file system's is an error, and the next time it is asked the same way again. */
TEST(a_fault_while_room_is_given_back_is_told)
{
	begin(MIB, SPARSE);
	hold_on(image.file, 1 << LF_FAKE_ZERO, LF_FAKE_STATUS, STATUS_IO_DEVICE_ERROR, 1);
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 0, 128 * KIB), LF_E_IO);
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_WRITE), 0);
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 0, 128 * KIB), LF_OK);
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_ZERO), 2);
	lf_fake_rules_clear();
	hold_on(image.file, 1 << LF_FAKE_ZERO, LF_FAKE_STATUS, STATUS_INVALID_PARAMETER, 1);
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 0, 128 * KIB), LF_OK);
	CHECK(lf_fake_file_count(image.file, LF_FAKE_WRITE) > 0);
	finish();
}

TEST(a_hint_that_was_given_up_is_given_the_next_time)
{
	struct job *job;

	begin(MIB, 0);
	hold_on(image.file, 1 << LF_FAKE_TRIM, LF_FAKE_PEND, STATUS_SUCCESS, 1);
	job = job_make(&image, LF_OP_UNMAP, 0, 64 * KIB);
	job_submit(job);
	wait_for_held(1);
	job_cancel(job);
	CHECK_EQ(job_wait(job), LF_E_ABORTED);
	job_free(job);
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 0, 64 * KIB), LF_OK);
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_TRIM), 2);
	finish();
}

TEST(a_sparse_file_whose_host_forgot_how_has_zeros_written)
{
	begin(MIB, SPARSE);
	hold_on(image.file, 1 << LF_FAKE_ZERO, LF_FAKE_STATUS, STATUS_INVALID_DEVICE_REQUEST, 0);
	CHECK(job_write(&image, 0, MIB, 11));
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 4096, 128 * KIB), LF_OK);
	CHECK(reads_zero(4096, 128 * KIB));
	CHECK_EQ(job_do(&image, LF_OP_ZERO, 512 * KIB, 64 * KIB), LF_OK);
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_ZERO), 1); /* it is not asked again */
	finish();
}

TEST(a_plain_file_is_given_a_hint_without_a_promise)
{
	begin(MIB, 0);
	CHECK(image.info.can_unmap && !image.info.unmap_reads_zero);
	CHECK_EQ(image.info.unmap_granularity_bytes, 4096);
	CHECK(job_write(&image, 0, MIB, 12));
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 512 * KIB, 4096), LF_OK);
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_TRIM), 1);
	CHECK(file_is(image.file, 0, 512 * KIB, 12));
	/* A host that does not want it is not asked again. */
	hold_on(image.file, 1 << LF_FAKE_TRIM, LF_FAKE_STATUS, STATUS_INVALID_DEVICE_REQUEST, 0);
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 0, 4096), LF_OK);
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 0, 4096), LF_OK);
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_TRIM), 2);
	finish();
}

TEST(a_hint_that_fails_once_is_not_the_last)
{
	begin(MIB, 0);
	hold_on(image.file, 1 << LF_FAKE_TRIM, LF_FAKE_STATUS, STATUS_USER_MAPPED_FILE, 1);
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 0, 4096), LF_OK);
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 0, 4096), LF_OK);
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_TRIM), 2);
	finish();
}

TEST(zeros_are_written_while_somebody_has_a_sparse_file_mapped)
{
	begin(MIB, SPARSE);
	CHECK(job_write(&image, 0, MIB, 17));
	hold_on(image.file, 1 << LF_FAKE_ZERO, LF_FAKE_STATUS, STATUS_USER_MAPPED_FILE, 2);
	CHECK_EQ(job_do(&image, LF_OP_ZERO, 64 * KIB, 64 * KIB), LF_OK);
	CHECK(reads_zero(64 * KIB, 64 * KIB));
	/* To give room back is no reason to write it all over; nobody loses anything. */
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 256 * KIB, 64 * KIB), LF_E_BUSY);
	CHECK_EQ(job_do(&image, LF_OP_UNMAP, 256 * KIB, 64 * KIB), LF_OK);
	CHECK(reads_zero(256 * KIB, 64 * KIB));
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_ZERO), 3);
	finish();
}

TEST(nothing_is_unmapped_where_the_host_has_no_use_for_it)
{
	struct lf_fake_volume_options poor = {.name = "D:", .no_trim = true, .no_sparse = true};
	struct image_options options = {.path = "D:\\disk.img"};

	kernel_begin();
	lf_fake_volume_add(&poor);
	lf_fake_file_add("D:\\disk.img", MIB, 0);
	CHECK_EQ(image_try(&image, &options), LF_OK);
	CHECK(!image.info.can_unmap);
	CHECK_EQ(image.info.unmap_granularity_bytes, 0);
	finish();
}

TEST(the_map_tells_holes_from_what_takes_room)
{
	struct job *job;

	begin(4 * MIB, SPARSE);
	CHECK(job_write(&image, MIB, 64 * KIB, 13));
	job = job_make(&image, LF_OP_MAP, 0, 4 * MIB);
	job_submit(job);
	CHECK_EQ(job_wait(job), LF_OK);
	CHECK(!job->io.mapped);
	CHECK_EQ(job->io.length_bytes, MIB);
	job_free(job);
	job = job_make(&image, LF_OP_MAP, MIB + 512, 3 * MIB - 512);
	job_submit(job);
	CHECK_EQ(job_wait(job), LF_OK);
	CHECK(job->io.mapped);
	CHECK_EQ(job->io.length_bytes, 64 * KIB - 512);
	job_free(job);
	job = job_make(&image, LF_OP_MAP, 2 * MIB, 2 * MIB);
	job_submit(job);
	CHECK_EQ(job_wait(job), LF_OK);
	CHECK(!job->io.mapped);
	CHECK_EQ(job->io.length_bytes, 2 * MIB);
	job_free(job);
	job = job_make(&image, LF_OP_USAGE, 0, 0);
	job_submit(job);
	CHECK_EQ(job_wait(job), LF_OK);
	CHECK_EQ(job->io.used_bytes, 64 * KIB);
	CHECK(job->io.available_bytes > 0);
	job_free(job);
	finish();
}

/* The host has more to say than there is room for: the first of it is what was asked. */
TEST(the_map_of_a_file_in_many_pieces_tells_the_first)
{
	struct job *job;

	begin(4 * MIB, SPARSE);
	for (uint32_t i = 1; i < 4; i++)
		CHECK(job_write(&image, i * MIB, 64 * KIB, i));
	job = job_make(&image, LF_OP_MAP, 0, 4 * MIB);
	job_submit(job);
	CHECK_EQ(job_wait(job), LF_OK);
	CHECK(!job->io.mapped);
	CHECK_EQ(job->io.length_bytes, MIB);
	job_free(job);
	finish();
}

TEST(usage_that_the_host_cannot_tell_is_an_error)
{
	begin(MIB, 0);
	lf_fake_volume_status(lf_fake_volume_find("C:"), STATUS_DEVICE_NOT_CONNECTED);
	CHECK_EQ(job_do(&image, LF_OP_USAGE, 0, 0), LF_E_NO_MEDIUM);
	lf_fake_volume_status(lf_fake_volume_find("C:"), STATUS_SUCCESS);
	CHECK_EQ(job_do(&image, LF_OP_USAGE, 0, 0), LF_OK);
	finish();
}

TEST(a_map_that_the_host_does_not_have_says_all_is_there)
{
	struct job *job;

	begin(MIB, SPARSE);
	hold_on(image.file, 1 << LF_FAKE_RANGES, LF_FAKE_STATUS, STATUS_INVALID_DEVICE_REQUEST, 0);
	job = job_make(&image, LF_OP_MAP, 0, MIB);
	job_submit(job);
	CHECK_EQ(job_wait(job), LF_OK);
	CHECK(job->io.mapped);
	CHECK_EQ(job->io.length_bytes, MIB);
	job_free(job);
	finish();
}

TEST(nothing_is_saved_without_a_state_file)
{
	size_t length_bytes;

	begin(MIB, 0);
	CHECK_EQ(job_do(&image, LF_OP_SAVE, 0, 0), LF_E_UNSUPPORTED);
	CHECK_EQ(lf_store_load_state(LF_HANDLE_NONE, NULL, 0, &length_bytes), LF_E_NOT_FOUND);
	finish();
}

/* ---- rights ---- */

/* IRPs of the kernel are not checked against the handle: what it was opened without is not done. */
TEST(a_handle_that_may_not_write_does_not)
{
	struct lf_source source = {.path = "C:\\disk.img", .state_handle = LF_HANDLE_NONE};

	kernel_begin();
	memset(&image, 0, sizeof(image));
	image.file = lf_fake_file_add("C:\\disk.img", MIB, 0);
	source.handle = (lf_handle)image_handle(
		"C:\\disk.img", FILE_READ_DATA | FILE_READ_ATTRIBUTES, FILE_NO_INTERMEDIATE_BUFFERING);
	CHECK_EQ(lf_store_file_ops.open(&source, &image.store, &image.info, &image.message), LF_OK);
	CHECK(image.info.read_only && !image.info.can_unmap);
	finish();
}

/* ---- growth ---- */

TEST(an_image_grows_and_does_not_shrink)
{
	uint64_t blocks = 0;

	begin(MIB, 0);
	CHECK_EQ(lf_store_file_resize(image.store, 2 * MIB, 512, &blocks, &image.message), LF_OK);
	CHECK_EQ(blocks, 2 * MIB / 512);
	CHECK_EQ(lf_fake_file_size(image.file), 2 * MIB);
	CHECK(job_write(&image, 2 * MIB - 4096, 4096, 14) && job_read(&image, 2 * MIB - 4096, 4096, 14));
	CHECK_EQ(lf_store_file_resize(image.store, MIB, 512, &blocks, &image.message), LF_E_INVALID);
	CHECK_EQ(lf_store_file_resize(image.store, 3 * MIB + 1, 512, &blocks, &image.message), LF_E_INVALID);
	lf_fake_file_resize(image.file, 4 * MIB + 100);
	CHECK_EQ(lf_store_file_resize(image.store, 0, 512, &blocks, &image.message), LF_OK);
	CHECK_EQ(blocks, 4 * MIB / 512);
	lf_fake_fail(LF_FAKE_SET, 0, 1);
	CHECK(lf_store_file_resize(image.store, 8 * MIB, 512, &blocks, &image.message) != LF_OK);
	CHECK(strstr(image.message.text, "cannot grow"));
	finish();
}

/* The file system's part looks at each request that comes by here: see check_who_waits. */
TEST(what_a_file_system_waits_for_is_waited_for_by_our_own_threads)
{
	struct image_options options = {.read_only = true};
	uint64_t asked = 0;

	begin(MIB, SPARSE);
	CHECK(job_write(&image, 64 * KIB, 64 * KIB, 16) && job_read(&image, 64 * KIB, 64 * KIB, 16));
	CHECK_EQ(job_do(&image, LF_OP_ZERO, 0, 512), LF_OK);
	CHECK_EQ(job_do(&image, LF_OP_MAP, 0, MIB), LF_OK);
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	image_close(&image);
	CHECK_EQ(image_try(&image, &options), LF_OK);
	CHECK(job_read(&image, 64 * KIB, 64 * KIB, 16));
	for (enum lf_fake_op op = 0; op < LF_FAKE_OPS; op++)
		asked += lf_fake_file_count(image.file, op) > 0;
	CHECK_EQ(asked, 8); /* read, write, flush, zero, ranges, open, ask, close */
	finish();
}

TEST(a_read_only_image_is_read_and_does_not_grow)
{
	struct image_options options = {.read_only = true};
	uint8_t bytes[4096];
	uint64_t blocks;

	kernel_begin();
	fill(bytes, sizeof(bytes), 15);
	lf_fake_file_write(lf_fake_file_add("C:\\disk.img", MIB, SPARSE), 8192, bytes, sizeof(bytes));
	CHECK_EQ(image_try(&image, &options), LF_OK);
	CHECK(image.info.read_only && !image.info.can_unmap);
	CHECK(job_read(&image, 8192, 4096, 15));
	CHECK_EQ(job_do(&image, LF_OP_FLUSH, 0, 0), LF_OK);
	CHECK_EQ(lf_store_file_resize(image.store, 2 * MIB, 512, &blocks, &image.message), LF_E_READ_ONLY);
	CHECK_EQ(lf_fake_file_count(image.file, LF_FAKE_FLUSH), 0);
	finish();
}
