/* SPDX-License-Identifier: BSD-2-Clause */
/* system_nt.c: the machine's id, which file a handle is, and that there are no state files yet. */
#include "control/state.h"
#include "control/system.h"
#include "platform/nt.h"

/* FileIdInformation of Windows 8 and later, which not every header of ours has: MS-FSCC 2.4.26. */
#define FILE_ID_CLASS ((FILE_INFORMATION_CLASS)59)

struct file_id {
	uint64_t volume;
	uint64_t node[2];
};

const char *lf_system_name(void)
{
	return "windows";
}

uint64_t lf_system_process_id(void)
{
	return 0;
}

/* ---- The machine ---- */

static NTSTATUS read_value(HANDLE key, const wchar_t *name, KEY_VALUE_PARTIAL_INFORMATION *value, ULONG room)
{
	UNICODE_STRING name_string;
	ULONG length = 0;

	RtlInitUnicodeString(&name_string, name);
	return ZwQueryValueKey(key, &name_string, KeyValuePartialInformation, value, room, &length);
}

/* Made when Windows was installed; without it two machines of ours might make one serial number. */
void lf_system_machine(char *machine, size_t room_bytes)
{
	union {
		KEY_VALUE_PARTIAL_INFORMATION value;
		uint8_t bytes[sizeof(KEY_VALUE_PARTIAL_INFORMATION) + 64 * sizeof(wchar_t)];
	} guid;
	OBJECT_ATTRIBUTES attributes;
	UNICODE_STRING path;
	size_t at = 0;
	HANDLE key;

	memset(machine, 0, room_bytes);
	RtlInitUnicodeString(&path, L"\\Registry\\Machine\\SOFTWARE\\Microsoft\\Cryptography");
	InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
	if (!NT_SUCCESS(ZwOpenKey(&key, KEY_READ, &attributes))) {
		lf_log(LF_LOG_WARNING, "MachineGuid cannot be read: serial numbers come from paths alone");
		return;
	}
	if (NT_SUCCESS(read_value(key, L"MachineGuid", &guid.value, sizeof(guid))) &&
		guid.value.Type == REG_SZ) {
		const uint8_t *text = guid.value.Data;
		/* Hexadecimal digits and hyphens: the low bytes are all of it. */
		for (size_t i = 0; i + 1 < guid.value.DataLength && at + 1 < room_bytes && text[i]; i += 2)
			machine[at++] = (char)text[i];
	}
	ZwClose(key);
}

/* ---- Files ---- */

/* As it has been since Windows NT: 64 bits, and the volume's serial number. */
static bool identify_the_old_way(HANDLE file_handle, struct lf_system_file *file)
{
	union {
		FILE_FS_VOLUME_INFORMATION volume;
		uint8_t bytes[sizeof(FILE_FS_VOLUME_INFORMATION) + 64 * sizeof(wchar_t)]; /* its label */
	} facts;
	FILE_INTERNAL_INFORMATION internal;
	IO_STATUS_BLOCK block;
	NTSTATUS status;

	memset(&facts, 0, sizeof(facts));
	internal.IndexNumber.QuadPart = 0;
	status = ZwQueryVolumeInformationFile(
		file_handle, &block, &facts, sizeof(facts), FileFsVolumeInformation);
	if (!NT_SUCCESS(status) && status != STATUS_BUFFER_OVERFLOW)
		return false;
	status = ZwQueryInformationFile(
		file_handle, &block, &internal, sizeof(internal), FileInternalInformation);
	file->volume = facts.volume.VolumeSerialNumber;
	file->node[0] = (uint64_t)internal.IndexNumber.QuadPart;
	/* Some servers have no numbers for their files. */
	return NT_SUCCESS(status) && file->node[0] != 0;
}

enum lf_control_status lf_system_identify(
	lf_handle handle, bool read_only, struct lf_system_file *file, struct lf_message *message)
{
	FILE_STANDARD_INFORMATION standard;
	HANDLE file_handle = (HANDLE)handle;
	IO_STATUS_BLOCK block;
	struct file_id id;
	NTSTATUS status;

	/* It was opened for what is asked, or not at all: ioctl_nt.c. */
	(void)read_only;
	memset(file, 0, sizeof(*file));
	memset(&id, 0, sizeof(id));
	status = ZwQueryInformationFile(
		file_handle, &block, &standard, sizeof(standard), FileStandardInformation);
	if (!NT_SUCCESS(status)) {
		lf_message_set(message, "its facts cannot be had: %s: try again",
			lf_error_text(lf_error_from_status(status)));
		return LF_CONTROL_FAILED;
	}
	if (standard.Directory) {
		lf_message_set(message, "it is a directory: name an image file");
		return LF_CONTROL_INVALID;
	}
	status = ZwQueryInformationFile(file_handle, &block, &id, sizeof(id), FILE_ID_CLASS);
	if (NT_SUCCESS(status) && (id.node[0] | id.node[1]) != 0) {
		file->known = true;
		file->volume = id.volume;
		file->node[0] = id.node[0];
		file->node[1] = id.node[1];
	} else {
		file->known = identify_the_old_way(file_handle, file);
	}
	return LF_CONTROL_OK;
}

/* ---- State files ---- */

bool lf_control_state_take(lf_handle handle, struct lf_message *message)
{
	(void)handle;
	lf_message_set(message, "there are none on this system");
	return false;
}

void lf_control_state_leave(lf_handle handle)
{
	(void)handle;
}

void *lf_control_state_load(lf_handle handle, size_t *length_bytes, struct lf_message *message)
{
	(void)handle;
	message->text[0] = '\0';
	*length_bytes = 0;
	return NULL;
}
