/* SPDX-License-Identifier: BSD-2-Clause */
/* image.h: what the tests of the file store in the kernel begin with: images opened, operations and their
 * ends. */
#ifndef LF_TESTS_STORPORT_IMAGE_H
#define LF_TESTS_STORPORT_IMAGE_H

#include <pthread.h>

#include "platform/nt.h"
#include "store/store.h"
#include "tests/storport/nt/nt.h"
#include "tests/test.h"

#define KIB 1024u
#define MIB (1024u * 1024u)

/* An image that is open; zero it first. */
struct image {
	struct lf_store *store;
	struct lf_store_info info;
	struct lf_fake_file *file;
	struct lf_message message;
	enum lf_error error;
	HANDLE handle; /* the store's once it is open */
};

struct image_options {
	const char *path; /* NULL: "C:\\disk.img" */
	bool read_only, buffered, synchronous;
	uint32_t block_size, physical_block_size;
	uint64_t block_count_max;
};

/* The file is there. */
HANDLE image_handle(const char *path, ACCESS_MASK access, ULONG options);
enum lf_error image_try(struct image *image, const struct image_options *options);
/* A file of that size is made, and opened for writing; fails the test when it cannot be. */
void image_open(struct image *image, uint64_t size_bytes, ULONG attributes);
void image_close(struct image *image);
/* A fresh kernel; and the look that nothing is left. */
void kernel_begin(void);
void kernel_end(void);

#define JOB_PARTIAL_BYTES (256u * KIB)

/* One operation and where its data is. */
struct job {
	struct lf_io io;
	struct image *image;
	struct lf_fake_buffer *buffer; /* or segments */
	struct lf_segment segment;
	pthread_mutex_t mutex;
	pthread_cond_t ended;
	uint32_t ends;       /* how often done came */
	pthread_t submitter; /* in submit or cancel just now */
	bool submitting;
	bool ended_in_submit;
	bool lingers; /* done does not return until job_let_go */
	_Alignas(16) uint8_t partial[sizeof(MDL) + (JOB_PARTIAL_BYTES / PAGE_SIZE + 2) * sizeof(PFN_NUMBER)];
};

struct job *job_make(struct image *image, enum lf_op op, uint64_t offset_bytes, uint64_t length_bytes);
/* As the edge lends it: an MDL, its data so far from the start of a page, no base. */
void job_lend(struct job *job, uint32_t before_bytes, uint32_t page_offset);
/* As the core lends it: addresses of memory that is not paged. */
void job_point(struct job *job, void *memory);
void job_submit(struct job *job);
void job_cancel(struct job *job);
bool job_has_ended(struct job *job);
enum lf_error job_wait(struct job *job);
void job_let_go(struct job *job);
void job_free(struct job *job);

/* These fail the case when the bytes are others. */
bool job_write(struct image *image, uint64_t offset_bytes, uint64_t length_bytes, uint32_t seed);
bool job_read(struct image *image, uint64_t offset_bytes, uint64_t length_bytes, uint32_t seed);
/* submit and wait */
enum lf_error job_do(struct image *image, enum lf_op op, uint64_t offset_bytes, uint64_t length_bytes);
void fill(uint8_t *bytes, size_t length_bytes, uint32_t seed);
bool is_filled(const uint8_t *bytes, size_t length_bytes, uint32_t seed);
bool is_zero(const uint8_t *bytes, size_t length_bytes);
bool file_is(struct lf_fake_file *file, uint64_t offset_bytes, size_t length_bytes, uint32_t seed);
void hold_on(
	struct lf_fake_file *file, uint32_t ops, enum lf_fake_what what, NTSTATUS status, uint32_t count);
/* Until so many of the fake file system's are held; and a short while. */
void wait_for_held(uint32_t count);
void doze(uint32_t ms);

#endif
