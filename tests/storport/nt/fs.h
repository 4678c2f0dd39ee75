/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs.h: the file system's own: fs_data.c has the bytes, fs_names.c volumes, files and opening, fs_query.c
 * what can be asked, fs_io.c rules and transfers, fs_irp.c the ways in.
 */
#ifndef LF_TESTS_NT_FS_H
#define LF_TESTS_NT_FS_H

#include "tests/storport/nt/internal.h"

#include <ntddstor.h>

#define LF_FAKE_CHUNK_BYTES 65536u /* what a sparse file gives back */
#define LF_FAKE_NAME_BYTES  512

struct lf_fake_volume {
	struct lf_fake_volume *next;
	struct lf_fake_volume_options options;
	char name[64];
	DRIVER_OBJECT driver;
	DEVICE_OBJECT fs_device, device;
	NTSTATUS status; /* of everything; by atomics, as are the next three */
	const void *device_id;
	uint32_t device_id_bytes;
	uint64_t allocated_bytes;
	ULONG serial;
};

struct lf_fake_chunk {
	struct lf_fake_chunk *next;
	uint64_t number;
	bool is_there; /* else reads zeros */
	bool is_dirty; /* stable and was_there are what a loss leaves */
	bool was_there;
	uint8_t *data, *stable;
};

struct lf_fake_file {
	struct lf_fake_file *next;
	struct lf_fake_volume *volume;
	char path[LF_FAKE_NAME_BYTES]; /* below the volume, without the first backslash */
	uint64_t id;
	pthread_mutex_t mutex; /* of all below */
	uint64_t size, stable_size;
	ULONG attributes, reparse_tag;
	struct lf_fake_chunk **chunks; /* by number, of LF_FAKE_BUCKETS lists */
	int fd;                        /* of a file of the host's; -1: chunks */
	bool is_volatile, is_deleted;
	ACCESS_MASK user_rights, admin_rights;
	ACCESS_MASK held_access;
	ULONG held_share;
	bool is_held;
	struct lf_fake_open *opens;
	uint64_t counts[LF_FAKE_OPS];
};

/* FsContext2 of a file object. */
struct lf_fake_open {
	struct lf_fake_open *next; /* of file->opens, until its handle is closed */
	struct lf_fake_file *file; /* NULL: the volume itself, or a directory */
	struct lf_fake_volume *volume;
	ACCESS_MASK access;
	ULONG share, options;
	uint32_t outstanding; /* by atomics, as is the next */
	bool is_closed;
	bool is_directory;
};

struct lf_fake_open *lf_fake_open_of(FILE_OBJECT *file);

/* ---- bytes: the file's mutex is taken within ---- */

void lf_fake_data_init(struct lf_fake_file *file);
void lf_fake_data_fini(struct lf_fake_file *file);
/* No further than the size of the file: what is behind it is not touched. */
void lf_fake_data_read(struct lf_fake_file *file, uint64_t offset, uint8_t *to, uint64_t length);
/* Makes the file longer. STATUS_DISK_FULL: nothing more fits. */
NTSTATUS lf_fake_data_write(struct lf_fake_file *file, uint64_t offset, const uint8_t *from, uint64_t length);
NTSTATUS lf_fake_data_zero(struct lf_fake_file *file, uint64_t offset, uint64_t length);
/* What is read of it afterwards is anything but what was there. */
void lf_fake_data_discard(struct lf_fake_file *file, uint64_t offset, uint64_t length);
void lf_fake_data_flush(struct lf_fake_file *file);
void lf_fake_data_resize(struct lf_fake_file *file, uint64_t size);
/* The first allocated range at or behind offset and before end: false when there is none. */
bool lf_fake_data_range(
	struct lf_fake_file *file, uint64_t offset, uint64_t end, uint64_t *from, uint64_t *length);

/* ---- one request ---- */

struct lf_fake_io {
	LIST_ENTRY link; /* of what is queued or held */
	enum lf_fake_op op;
	FILE_OBJECT *object;
	struct lf_fake_open *open;
	uint64_t offset;
	uint32_t length, most; /* most: no more than that is done */
	uint32_t more;         /* is added to what was done */
	void *in, *out;        /* FSCTL; READ and WRITE of Zw...: out is their data */
	uint32_t in_bytes, out_bytes;
	IRP *irp; /* NULL: of Zw... */
	IO_STATUS_BLOCK *status_to;
	NTSTATUS status;
	uint64_t information;
	NTSTATUS held_status; /* how it ends when it is let go; STATUS_SUCCESS: goes on */
	KEVENT *done;         /* who waits; NULL: nobody, and it is freed at its end */
};

/* STATUS_PENDING: it will end. Else it has ended. The io is the engine's. */
NTSTATUS lf_fake_io_submit(struct lf_fake_io *io);
/* What the rules say of a call that is no request: STATUS_SUCCESS goes on. Of no file, nothing. */
NTSTATUS lf_fake_io_call(struct lf_fake_file *file, enum lf_fake_op op);
void lf_fake_io_reset(void);

NTSTATUS lf_fake_irp_dispatch(DEVICE_OBJECT *device, IRP *irp);
/* The operation of a file system control; false: not known. */
bool lf_fake_control_op(ULONG code, enum lf_fake_op *op);

#endif
