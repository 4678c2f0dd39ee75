/* SPDX-License-Identifier: BSD-2-Clause */
/* file_nt_resize.c: an image that grows while it is open. */
#include "store/file_nt.h"

static enum lf_error refuse_status(
	const struct lf_store *store, const char *doing, NTSTATUS status, struct lf_message *message)
{
	enum lf_error error = lf_error_from_status(status);

	lf_message_set(message, "%s: %s: %s (status %08x): see whether its volume is all right",
		lf_file_shown(store->path), doing, lf_error_text(error), (unsigned)status);
	return error;
}

static enum lf_error size_now(const struct lf_store *store, uint64_t *size_bytes, struct lf_message *message)
{
	FILE_STANDARD_INFORMATION standard;
	IO_STATUS_BLOCK block;
	NTSTATUS status = ZwQueryInformationFile(
		(HANDLE)store->handle, &block, &standard, sizeof(standard), FileStandardInformation);

	if (!NT_SUCCESS(status))
		return refuse_status(store, "its size cannot be had", status, message);
	*size_bytes = (uint64_t)standard.EndOfFile.QuadPart;
	return LF_OK;
}

static enum lf_error grow(struct lf_store *store, uint64_t size_bytes, struct lf_message *message)
{
	FILE_END_OF_FILE_INFORMATION end = {.EndOfFile = {.QuadPart = (LONGLONG)size_bytes}};
	IO_STATUS_BLOCK block;
	NTSTATUS status;

	if (store->read_only) {
		lf_message_set(message, "%s: connected read-only: connect it for writing to let it grow",
			lf_file_shown(store->path));
		return LF_E_READ_ONLY;
	}
	status = ZwSetInformationFile(
		(HANDLE)store->handle, &block, &end, sizeof(end), FileEndOfFileInformation);
	lf_atomic_add_relaxed_u64(&store->changes, 1);
	return NT_SUCCESS(status) ? LF_OK : refuse_status(store, "it cannot grow", status, message);
}

enum lf_error lf_store_file_resize(struct lf_store *store, uint64_t size_bytes, uint32_t block_size,
	uint64_t *block_count, struct lf_message *message)
{
	uint64_t known = lf_atomic_load_relaxed_u64(&store->size_bytes), now = 0;
	enum lf_error error = size_now(store, &now, message);

	if (error == LF_OK)
		error = lf_file_check_growth(store->path, known, now, block_size, &size_bytes, message);
	if (error == LF_OK && size_bytes > now)
		error = grow(store, size_bytes, message);
	if (error != LF_OK)
		return error;
	lf_atomic_store_relaxed_u64(&store->size_bytes, size_bytes);
	*block_count = size_bytes / block_size;
	return LF_OK;
}
