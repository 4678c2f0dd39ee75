/* SPDX-License-Identifier: BSD-2-Clause */
/* file_nt_open.c: what a handle is good for: refusals, the facts of the medium, what its file system can do.
 */
#include "store/file_nt.h"

#define ZERO_GRANULARITY_BYTES 65536u /* NTFS gives room back in these */
#define SECTOR_MAX_BYTES       65536u

/* mingw-w64 does not have these. */
#define ATTRIBUTE_RECALL_ON_OPEN        0x00040000u
#define ATTRIBUTE_RECALL_ON_DATA_ACCESS 0x00400000u
#define SECTOR_FLAG_NO_SEEK_PENALTY     0x00000004u
#define SECTOR_FLAG_TRIM_ENABLED        0x00000008u

/* FILE_FS_SECTOR_SIZE_INFORMATION, likewise. */
struct sector_facts {
	ULONG logical_bytes;
	ULONG physical_for_atomicity_bytes;
	ULONG physical_for_performance_bytes;
	ULONG effective_for_atomicity_bytes;
	ULONG flags;
	ULONG sector_alignment_bytes;
	ULONG partition_alignment_bytes;
};

/* What was asked of the file and its volume. */
struct facts {
	FILE_STANDARD_INFORMATION standard;
	FILE_BASIC_INFORMATION basic;
	FILE_FS_SIZE_INFORMATION size;
	struct sector_facts sector; /* zero where the host cannot tell */
	ULONG mode;                 /* how the file was opened: FILE_NO_INTERMEDIATE_BUFFERING and so on */
};

static enum lf_error refuse_status(
	struct lf_message *message, const struct lf_source *source, const char *doing, NTSTATUS status)
{
	enum lf_error error = lf_error_from_status(status);

	lf_message_set(message, "%s: %s: %s (status %08x): see whether its volume is all right",
		lf_file_shown(source->path), doing, lf_error_text(error), (unsigned)status);
	return error;
}

/* ---- how it was opened ---- */

static enum lf_error reference(
	const struct lf_source *source, struct lf_store *store, struct lf_message *message)
{
	void *object;
	NTSTATUS status = ObReferenceObjectByHandle((HANDLE)source->handle, FILE_READ_DATA,
		LF_NT_OBJECT_TYPE(IoFileObjectType), KernelMode, &object, NULL);

	if (!NT_SUCCESS(status))
		return refuse_status(message, source, "no open file", status);
	store->file = object;
	return LF_OK;
}

/* A host that cannot tell is believed to have opened it as it was asked to. */
static enum lf_error examine_opening(const struct lf_source *source, struct lf_store *store,
	struct facts *facts, struct lf_message *message)
{
	FILE_ACCESS_INFORMATION access = {FILE_READ_DATA | (source->read_only ? 0 : FILE_WRITE_DATA)};
	FILE_MODE_INFORMATION mode = {source->read_only ? 0 : FILE_NO_INTERMEDIATE_BUFFERING};
	IO_STATUS_BLOCK block;

	ZwQueryInformationFile((HANDLE)store->handle, &block, &access, sizeof(access), FileAccessInformation);
	ZwQueryInformationFile((HANDLE)store->handle, &block, &mode, sizeof(mode), FileModeInformation);
	facts->mode = mode.Mode;
	store->unbuffered = (mode.Mode & FILE_NO_INTERMEDIATE_BUFFERING) != 0;
	store->read_only = source->read_only || !(access.AccessFlags & FILE_WRITE_DATA);
	if (!(access.AccessFlags & FILE_READ_DATA))
		return lf_file_refuse(
			message, source, LF_E_INVALID, "opened for writing only: open it for reading, too");
	if (mode.Mode & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT))
		return lf_file_refuse(message, source, LF_E_INVALID,
			"opened for one request at a time: open it without FILE_SYNCHRONOUS_IO");
	/* The cache would need memory to write back what somebody who waits for memory has written. */
	if (!store->read_only && !store->unbuffered)
		return lf_file_refuse(message, source, LF_E_INVALID,
			"opened for writing through the cache, which can stall the machine: open it "
			"with FILE_NO_INTERMEDIATE_BUFFERING, or read-only");
	return LF_OK;
}

/* ---- what it is ---- */

static bool is_of_no_file(NTSTATUS status)
{
	return status == STATUS_INVALID_PARAMETER || status == STATUS_INVALID_DEVICE_REQUEST ||
	       status == STATUS_NOT_IMPLEMENTED || status == STATUS_NOT_SUPPORTED;
}

static enum lf_error refuse_device(const struct lf_source *source, struct lf_message *message)
{
	return lf_file_refuse(message, source, LF_E_INVALID, "a device: name an image in a file");
}

static enum lf_error ask(const struct lf_source *source, struct facts *facts, struct lf_message *message)
{
	FILE_FS_DEVICE_INFORMATION device;
	HANDLE handle = (HANDLE)source->handle;
	IO_STATUS_BLOCK block;
	NTSTATUS status;

	status = ZwQueryVolumeInformationFile(
		handle, &block, &device, sizeof(device), FileFsDeviceInformation);
	if (NT_SUCCESS(status) && !lf_nt_has_files(device.DeviceType))
		return refuse_device(source, message);
	status = ZwQueryInformationFile(
		handle, &block, &facts->standard, sizeof(facts->standard), FileStandardInformation);
	if (NT_SUCCESS(status))
		status = ZwQueryInformationFile(
			handle, &block, &facts->basic, sizeof(facts->basic), FileBasicInformation);
	if (is_of_no_file(status))
		return refuse_device(source, message);
	if (!NT_SUCCESS(status))
		return refuse_status(message, source, "its facts cannot be had", status);
	status = ZwQueryVolumeInformationFile(
		handle, &block, &facts->size, sizeof(facts->size), FileFsSizeInformation);
	if (!NT_SUCCESS(status))
		return refuse_status(message, source, "the facts of its volume cannot be had", status);
	status = ZwQueryVolumeInformationFile(
		handle, &block, &facts->sector, sizeof(facts->sector), FileFsSectorSizeInformation);
	if (!NT_SUCCESS(status) || !lf_file_is_power_of_two(facts->sector.logical_bytes) ||
		facts->sector.logical_bytes > SECTOR_MAX_BYTES)
		memset(&facts->sector, 0, sizeof(facts->sector));
	return LF_OK;
}

static enum lf_error examine_attributes(
	const struct lf_source *source, const struct facts *facts, struct lf_message *message)
{
	ULONG attributes = facts->basic.FileAttributes;

	if (facts->standard.Directory || (attributes & FILE_ATTRIBUTE_DIRECTORY))
		return lf_file_refuse(message, source, LF_E_INVALID, "a directory: name an image in it");
	if (attributes & FILE_ATTRIBUTE_DEVICE)
		return refuse_device(source, message);
	if (attributes & FILE_ATTRIBUTE_COMPRESSED)
		return lf_file_refuse(message, source, LF_E_UNSUPPORTED,
			"compressed, so it always goes through the cache, which can stall the machine: "
			"compact /u FILE");
	if (attributes & FILE_ATTRIBUTE_ENCRYPTED)
		return lf_file_refuse(message, source, LF_E_UNSUPPORTED,
			"encrypted, so it always goes through the cache, which can stall the machine: "
			"cipher /d FILE");
	if (attributes &
		(FILE_ATTRIBUTE_OFFLINE | ATTRIBUTE_RECALL_ON_OPEN | ATTRIBUTE_RECALL_ON_DATA_ACCESS))
		return lf_file_refuse(message, source, LF_E_UNSUPPORTED,
			"in the cloud, not on this machine: keep it on this device first, or copy it");
	if (facts->standard.DeletePending)
		return lf_file_refuse(
			message, source, LF_E_NOT_FOUND, "about to be deleted: name another image");
	return LF_OK;
}

/* ---- its blocks ---- */

static uint32_t host_sector_bytes(const struct facts *facts)
{
	return facts->sector.logical_bytes ? facts->sector.logical_bytes : facts->size.BytesPerSector;
}

static enum lf_error examine_sectors(const struct lf_source *source, struct lf_store *store, uint32_t sector,
	uint32_t size, struct lf_message *message)
{
	/* Any server and any file system may answer this; it is divided by. */
	if (store->unbuffered && !lf_file_is_power_of_two(sector))
		return lf_file_refuse(message, source, LF_E_UNSUPPORTED,
			"its volume does not say how large its sectors are: move it to another volume, or "
			"--read-only");
	if (store->unbuffered && size < sector) {
		lf_message_set(message,
			"%s: the sectors of its volume have %u bytes, more than a block of %u: "
			"--block-size %u, if it was made for that; or move it to another volume",
			lf_file_shown(source->path), (unsigned)sector, (unsigned)size, (unsigned)sector);
		return LF_E_INVALID;
	}
	store->sector_bytes = store->unbuffered ? sector : 1;
	return LF_OK;
}

/* ---- what can be given back ---- */

static void examine_unmap(const struct lf_source *source, struct lf_store *store, const struct facts *facts,
	struct lf_store_info *info)
{
	bool sparse = (facts->basic.FileAttributes & FILE_ATTRIBUTE_SPARSE_FILE) != 0;
	uint64_t granularity = sparse ? ZERO_GRANULARITY_BYTES : store->cluster_bytes;

	store->zeroes = sparse;
	store->trims = !sparse && (facts->sector.flags & SECTOR_FLAG_TRIM_ENABLED);
	info->can_unmap = !store->read_only && !source->no_unmap && (store->zeroes || store->trims);
	info->unmap_reads_zero = info->can_unmap && store->zeroes;
	if (info->can_unmap)
		info->unmap_granularity_bytes = lf_max(granularity, (uint64_t)info->block_size);
}

static void examine_volume(struct lf_store *store, const struct facts *facts, struct lf_store_info *info)
{
	uint64_t cluster = (uint64_t)facts->size.SectorsPerAllocationUnit * facts->size.BytesPerSector;

	store->cluster_bytes = lf_file_is_power_of_two(cluster) && cluster <= UINT32_MAX
				       ? (uint32_t)cluster
				       : LF_FILE_PHYSICAL_DEFAULT;
	/* A cache copies; only what goes past it has to lie as the disk's controller wants it. */
	store->align_mask =
		store->unbuffered ? IoGetRelatedDeviceObject(store->file)->AlignmentRequirement : 0;
	info->rotational =
		facts->sector.logical_bytes && !(facts->sector.flags & SECTOR_FLAG_NO_SEEK_PENALTY);
	info->tells_usage = true;
	info->read_only = store->read_only;
}

enum lf_error lf_file_examine(const struct lf_source *source, struct lf_store *store,
	struct lf_store_info *info, struct lf_message *message)
{
	struct facts facts;
	enum lf_error error;

	memset(info, 0, sizeof(*info));
	memset(&facts, 0, sizeof(facts));
	error = reference(source, store, message);
	if (!error)
		error = ask(source, &facts, message);
	if (!error)
		error = examine_attributes(source, &facts, message);
	if (!error)
		error = examine_opening(source, store, &facts, message);
	if (!error)
		error = lf_file_check_block_sizes(
			source, facts.sector.physical_for_performance_bytes, info, message);
	if (!error)
		error = examine_sectors(source, store, host_sector_bytes(&facts), info->block_size, message);
	store->size_bytes = (uint64_t)facts.standard.EndOfFile.QuadPart;
	if (!error)
		error = lf_file_check_size(source, store->size_bytes, info, message);
	if (error)
		return error;
	examine_volume(store, &facts, info);
	examine_unmap(source, store, &facts, info);
	return LF_OK;
}
