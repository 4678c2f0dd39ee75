/* SPDX-License-Identifier: BSD-2-Clause */
/* fs_query.c: what can be asked of a file and of its volume; the end of a file. */
#include <string.h>

#include "tests/storport/nt/fs.h"

#define ROUND(n) (((n) + LF_FAKE_CHUNK_BYTES - 1) / LF_FAKE_CHUNK_BYTES * LF_FAKE_CHUNK_BYTES)

union answer {
	FILE_BASIC_INFORMATION basic;
	FILE_STANDARD_INFORMATION standard;
	FILE_INTERNAL_INFORMATION internal;
	FILE_ACCESS_INFORMATION access;
	FILE_MODE_INFORMATION mode;
	FILE_ALIGNMENT_INFORMATION alignment;
	FILE_NETWORK_OPEN_INFORMATION network;
	FILE_ATTRIBUTE_TAG_INFORMATION tag;
	FILE_ID_INFORMATION id;
	FILE_IS_REMOTE_DEVICE_INFORMATION remote;
	FILE_FS_VOLUME_INFORMATION volume;
	FILE_FS_SIZE_INFORMATION size;
	FILE_FS_FULL_SIZE_INFORMATION full;
	FILE_FS_DEVICE_INFORMATION device;
	FILE_FS_ATTRIBUTE_INFORMATION attribute;
	FILE_FS_SECTOR_SIZE_INFORMATION sector;
	uint8_t bytes[64];
};

/* The answer, as much of it as there is room for. */
static NTSTATUS give(IO_STATUS_BLOCK *status, void *to, ULONG room, const union answer *answer, size_t length,
	NTSTATUS result)
{
	if (NT_SUCCESS(result) && room < length)
		result = STATUS_INFO_LENGTH_MISMATCH;
	if (NT_SUCCESS(result))
		memcpy(to, answer, length);
	status->Status = result;
	status->Information = NT_SUCCESS(result) ? length : 0;
	return result;
}

/* Of a directory, or of a volume that was opened itself. */
static size_t answer_without_file(
	const struct lf_fake_open *open, FILE_INFORMATION_CLASS class, union answer *answer)
{
	ULONG attributes = open->is_directory ? FILE_ATTRIBUTE_DIRECTORY : FILE_ATTRIBUTE_NORMAL;
	answer->standard.Directory = open->is_directory;
	if (class == FileStandardInformation && open->is_directory)
		return sizeof(answer->standard);
	memset(answer, 0, sizeof(*answer));
	if (class == FileAlignmentInformation) {
		answer->alignment.AlignmentRequirement = open->volume->options.alignment;
		return sizeof(answer->alignment);
	}
	if (!open->is_directory)
		return 0;
	if (class == FileBasicInformation) {
		answer->basic.FileAttributes = attributes;
		return sizeof(answer->basic);
	}
	answer->tag.FileAttributes = attributes;
	return class == FileAttributeTagInformation ? sizeof(answer->tag) : 0;
}

/* Its length; 0: nobody knows that class. Under the file's mutex. */
static size_t answer_file(const struct lf_fake_open *open, FILE_OBJECT *object, FILE_INFORMATION_CLASS class,
	uint64_t allocated, union answer *answer)
{
	const struct lf_fake_file *file = open->file;
	switch (class) {
	case FileBasicInformation:
		answer->basic.FileAttributes = file->attributes;
		return sizeof(answer->basic);
	case FileStandardInformation:
		answer->standard.AllocationSize.QuadPart = (LONGLONG)allocated;
		answer->standard.EndOfFile.QuadPart = (LONGLONG)file->size;
		answer->standard.NumberOfLinks = 1;
		answer->standard.DeletePending = file->is_deleted;
		return sizeof(answer->standard);
	case FileInternalInformation:
		answer->internal.IndexNumber.QuadPart = (LONGLONG)file->id;
		return sizeof(answer->internal);
	case FileAccessInformation:
		answer->access.AccessFlags = open->access;
		return sizeof(answer->access);
	case FileModeInformation:
		answer->mode.Mode =
			open->options &
			(FILE_WRITE_THROUGH | FILE_SEQUENTIAL_ONLY | FILE_NO_INTERMEDIATE_BUFFERING |
				FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT);
		return sizeof(answer->mode);
	case FileAlignmentInformation:
		answer->alignment.AlignmentRequirement = object->DeviceObject->AlignmentRequirement;
		return sizeof(answer->alignment);
	case FileNetworkOpenInformation:
		answer->network.AllocationSize.QuadPart = (LONGLONG)allocated;
		answer->network.EndOfFile.QuadPart = (LONGLONG)file->size;
		answer->network.FileAttributes = file->attributes;
		return sizeof(answer->network);
	case FileAttributeTagInformation:
		answer->tag.FileAttributes = file->attributes;
		answer->tag.ReparseTag = file->reparse_tag;
		return sizeof(answer->tag);
	case FileIdInformation:
		answer->id.VolumeSerialNumber = open->volume->serial;
		memcpy(answer->id.FileId.Identifier, &file->id, sizeof(file->id));
		return sizeof(answer->id);
	case FileIsRemoteDeviceInformation:
		answer->remote.IsRemote = open->volume->options.remote;
		return sizeof(answer->remote);
	default:
		return 0;
	}
}

NTSTATUS ZwQueryInformationFile(
	HANDLE handle, IO_STATUS_BLOCK *status, PVOID to, ULONG length, FILE_INFORMATION_CLASS class)
{
	union answer answer;
	lf_fake_passive("ZwQueryInformationFile");
	lf_fake_need_no_boxes("ZwQueryInformationFile");
	FILE_OBJECT *object = lf_fake_handle_body(handle, LF_FAKE_FILE, NULL);
	const struct lf_fake_open *open = lf_fake_open_of(object);
	NTSTATUS result = lf_fake_io_call(open->file, LF_FAKE_ASK);
	if (NT_SUCCESS(result))
		result = __atomic_load_n(&open->volume->status, __ATOMIC_ACQUIRE);
	if (lf_fake_fails(LF_FAKE_QUERY))
		result = STATUS_INSUFFICIENT_RESOURCES;
	memset(&answer, 0, sizeof(answer));
	size_t bytes;
	if (open->file) {
		uint64_t allocated = ROUND(lf_fake_file_allocated(open->file));
		pthread_mutex_lock(&open->file->mutex);
		bytes = answer_file(open, object, class, allocated, &answer);
		pthread_mutex_unlock(&open->file->mutex);
	} else {
		bytes = answer_without_file(open, class, &answer);
	}
	if (NT_SUCCESS(result) && bytes == 0)
		result = open->file ? STATUS_INVALID_INFO_CLASS : STATUS_INVALID_PARAMETER;
	return give(status, to, length, &answer, bytes, result);
}

NTSTATUS ZwSetInformationFile(
	HANDLE handle, IO_STATUS_BLOCK *status, PVOID from, ULONG length, FILE_INFORMATION_CLASS class)
{
	ACCESS_MASK access;
	lf_fake_passive("ZwSetInformationFile");
	lf_fake_need_no_boxes("ZwSetInformationFile");
	struct lf_fake_open *open = lf_fake_open_of(lf_fake_handle_body(handle, LF_FAKE_FILE, &access));
	NTSTATUS result = lf_fake_io_call(open->file, LF_FAKE_GROW);
	if (NT_SUCCESS(result))
		result = __atomic_load_n(&open->volume->status, __ATOMIC_ACQUIRE);
	if (class != FileEndOfFileInformation)
		lf_fake_broken("ZwSetInformationFile of class %d", class);
	if (lf_fake_fails(LF_FAKE_SET))
		result = STATUS_DISK_FULL;
	else if (length < sizeof(FILE_END_OF_FILE_INFORMATION))
		result = STATUS_INFO_LENGTH_MISMATCH;
	else if (!(access & FILE_WRITE_DATA) || !open->file)
		result = STATUS_ACCESS_DENIED;
	if (NT_SUCCESS(result))
		lf_fake_data_resize(
			open->file, (uint64_t)((FILE_END_OF_FILE_INFORMATION *)from)->EndOfFile.QuadPart);
	status->Status = result;
	status->Information = 0;
	return result;
}

static uint64_t units(const struct lf_fake_volume *volume, bool available)
{
	uint64_t all = volume->options.capacity_bytes ? volume->options.capacity_bytes : 1ULL << 44;
	uint64_t taken = __atomic_load_n(&volume->allocated_bytes, __ATOMIC_RELAXED);
	return (available ? all - (taken < all ? taken : all) : all) / 4096;
}

static uint32_t told_sector(const struct lf_fake_volume_options *options)
{
	uint32_t told = options->told_sector_bytes ? options->told_sector_bytes : options->sector_bytes;
	return told == LF_FAKE_NO_SECTORS ? 0 : told;
}

static size_t answer_volume(
	const struct lf_fake_volume *volume, FS_INFORMATION_CLASS class, union answer *answer)
{
	const struct lf_fake_volume_options *options = &volume->options;
	switch (class) {
	case FileFsVolumeInformation:
		answer->volume.VolumeSerialNumber = volume->serial;
		return sizeof(answer->volume);
	case FileFsSizeInformation:
		answer->size.TotalAllocationUnits.QuadPart = (LONGLONG)units(volume, false);
		answer->size.AvailableAllocationUnits.QuadPart = (LONGLONG)units(volume, true);
		answer->size.SectorsPerAllocationUnit = 4096 / options->sector_bytes;
		answer->size.BytesPerSector = told_sector(options);
		return sizeof(answer->size);
	case FileFsFullSizeInformation:
		answer->full.TotalAllocationUnits.QuadPart = (LONGLONG)units(volume, false);
		answer->full.CallerAvailableAllocationUnits.QuadPart = (LONGLONG)units(volume, true);
		answer->full.ActualAvailableAllocationUnits.QuadPart = (LONGLONG)units(volume, true);
		answer->full.SectorsPerAllocationUnit = 4096 / options->sector_bytes;
		answer->full.BytesPerSector = told_sector(options);
		return sizeof(answer->full);
	case FileFsDeviceInformation:
		answer->device.DeviceType = options->device_type;
		answer->device.Characteristics =
			FILE_DEVICE_IS_MOUNTED | (options->remote ? FILE_REMOTE_DEVICE : 0);
		return sizeof(answer->device);
	case FileFsAttributeInformation:
		answer->attribute.FileSystemAttributes = options->no_sparse ? 0 : FILE_SUPPORTS_SPARSE_FILES;
		answer->attribute.MaximumComponentNameLength = 255;
		answer->attribute.FileSystemNameLength = 2; /* cut to what there is room for */
		answer->attribute.FileSystemName[0] = L'N';
		return sizeof(answer->attribute);
	case FileFsSectorSizeInformation:
		answer->sector.LogicalBytesPerSector = told_sector(options);
		answer->sector.PhysicalBytesPerSectorForAtomicity = options->physical_bytes;
		answer->sector.PhysicalBytesPerSectorForPerformance = options->physical_bytes;
		answer->sector.FileSystemEffectivePhysicalBytesPerSectorForAtomicity =
			options->physical_bytes;
		answer->sector.Flags = SSINFO_FLAGS_ALIGNED_DEVICE |
				       SSINFO_FLAGS_PARTITION_ALIGNED_ON_DEVICE |
				       (options->no_trim ? 0 : SSINFO_FLAGS_TRIM_ENABLED);
		return sizeof(answer->sector);
	default:
		return 0;
	}
}

NTSTATUS ZwQueryVolumeInformationFile(
	HANDLE handle, IO_STATUS_BLOCK *status, PVOID to, ULONG length, FS_INFORMATION_CLASS class)
{
	union answer answer;
	lf_fake_passive("ZwQueryVolumeInformationFile");
	lf_fake_need_no_boxes("ZwQueryVolumeInformationFile");
	FILE_OBJECT *object = lf_fake_handle_body(handle, LF_FAKE_FILE, NULL);
	const struct lf_fake_volume *volume = lf_fake_volume_of(object);
	NTSTATUS result = lf_fake_io_call(lf_fake_open_of(object)->file, LF_FAKE_ASK);
	if (NT_SUCCESS(result))
		result = __atomic_load_n(&volume->status, __ATOMIC_ACQUIRE);
	if (lf_fake_fails(LF_FAKE_QUERY))
		result = STATUS_INSUFFICIENT_RESOURCES;
	memset(&answer, 0, sizeof(answer));
	size_t bytes = answer_volume(volume, class, &answer);
	if (NT_SUCCESS(result) && bytes == 0)
		result = STATUS_INVALID_INFO_CLASS;
	return give(status, to, length, &answer, bytes, result);
}
