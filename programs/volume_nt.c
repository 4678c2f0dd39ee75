/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume_nt.c: before the medium of a removable disk goes, its volumes are written out, locked and
 * dismounted, as Explorer's Eject has it; a volume with a file open says no. They stay locked until the
 * medium is gone: nothing mounts them in between.
 */
#include "programs/disk_nt.h"
#include "programs/os.h"

#include <stdlib.h>
#include <windows.h>
#include <winioctl.h>

#define VOLUMES_MAX  128 /* as many partitions as a GPT has */
#define EXTENTS_MAX  32
#define LOCK_TRIES   20 /* who looks at every new volume (a virus scanner) is done in a moment */
#define LOCK_WAIT_MS 100
#define TEXT_BYTES   160
#define NAME_UNITS   64 /* \\?\Volume{GUID}\ */

struct lf_medium_lock {
	uint32_t count;
	HANDLE volumes[VOLUMES_MAX];
};

struct extents {
	DWORD count;
	DISK_EXTENT extents[EXTENTS_MAX];
};

_Static_assert(
	offsetof(struct extents, extents) == offsetof(VOLUME_DISK_EXTENTS, Extents), "Windows' layout");

/* The volume's device: its name without the backslash that would make it the directory. */
static HANDLE open_volume(wchar_t *name, DWORD access)
{
	size_t length = wcslen(name);

	if (length > 0 && name[length - 1] == L'\\')
		name[length - 1] = L'\0';
	return CreateFileW(name, access, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
}

static bool lies_on(HANDLE volume, const wchar_t *disk)
{
	struct extents extents = {0};
	wchar_t name[LF_DISK_NAME_UNITS];
	DWORD length = 0;

	/* Of more extents than there is room for, those that fit are told. */
	if (!DeviceIoControl(volume, IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS, NULL, 0, &extents, sizeof(extents),
		    &length, NULL) &&
		GetLastError() != ERROR_MORE_DATA)
		return false;
	for (DWORD i = 0; i < lf_min(extents.count, (DWORD)EXTENTS_MAX); i++) {
		swprintf(name, LF_DISK_NAME_UNITS, L"PhysicalDrive%lu", extents.extents[i].DiskNumber);
		if (wcscmp(name, disk) == 0)
			return true;
	}
	return false;
}

static bool control(HANDLE volume, DWORD code)
{
	DWORD length = 0;

	return DeviceIoControl(volume, code, NULL, 0, NULL, 0, &length, NULL);
}

static bool lock_volume(HANDLE volume)
{
	FlushFileBuffers(volume); /* a volume without a file system has nothing to write */
	for (uint32_t i = 0; i < LOCK_TRIES; i++) {
		if (control(volume, FSCTL_LOCK_VOLUME))
			return control(volume, FSCTL_DISMOUNT_VOLUME);
		Sleep(LOCK_WAIT_MS);
	}
	return false;
}

static int refuse(const struct lf_command_line *line, const char *id, uint32_t code)
{
	char text[TEXT_BYTES];
	struct lf_message message;

	lf_message_set(&message,
		"a volume on it cannot be locked: %s: close what is open there, or add --force, which loses "
		"what is "
		"not written yet",
		lf_win32_text(code, text, sizeof(text)));
	return lf_report(line, id, message.text, LF_EXIT_BUSY);
}

static int lock_those_on(
	const struct lf_command_line *line, const char *id, const wchar_t *disk, struct lf_medium_lock *lock)
{
	wchar_t name[NAME_UNITS];
	HANDLE search = FindFirstVolumeW(name, NAME_UNITS);
	int status = LF_EXIT_DONE;

	if (search == INVALID_HANDLE_VALUE)
		return GetLastError() == ERROR_NO_MORE_FILES ? (int)LF_EXIT_DONE
							     : refuse(line, id, GetLastError());
	do {
		HANDLE volume = open_volume(name, 0);
		bool wanted = volume != INVALID_HANDLE_VALUE && lies_on(volume, disk);

		if (volume != INVALID_HANDLE_VALUE)
			CloseHandle(volume);
		if (!wanted)
			continue;
		volume = open_volume(name, GENERIC_READ | GENERIC_WRITE);
		if (volume == INVALID_HANDLE_VALUE)
			status = refuse(line, id, GetLastError());
		else
			lock->volumes[lock->count++] = volume;
		if (status == LF_EXIT_DONE && !lock_volume(volume))
			status = refuse(line, id, GetLastError());
	} while (status == LF_EXIT_DONE && lock->count < VOLUMES_MAX &&
		 FindNextVolumeW(search, name, NAME_UNITS));
	FindVolumeClose(search);
	return status;
}

struct sought {
	const struct lf_control_device *device;
	wchar_t name[LF_DISK_NAME_UNITS];
};

static bool is_sought(void *context, const struct lf_disk *disk)
{
	struct sought *sought = context;

	if (!lf_disk_is(disk, sought->device))
		return false;
	wcscpy(sought->name, disk->name);
	return true;
}

int lf_os_lock_medium(const struct lf_command_line *line, struct lf_client *client,
	const struct lf_control_device *device, struct lf_medium_lock **lock)
{
	struct sought sought = {.device = device};
	uint32_t adapter = lf_client_node(client);
	int status;

	*lock = NULL;
	/* What is only read, or not there, loses nothing. */
	if (line->force || device->type != 0 || device->image.length == 0 ||
		(device->flags & LF_CONTROL_DEVICE_READ_ONLY))
		return LF_EXIT_DONE;
	if (adapter == LF_NODE_NONE)
		return lf_disk_unknown(line, device->id.bytes);
	if (!lf_find_disk(adapter, is_sought, &sought) || sought.name[0] == L'\0')
		return LF_EXIT_DONE;
	*lock = calloc(1, sizeof(**lock));
	if (!*lock)
		return lf_report(line, NULL, "out of memory", LF_EXIT_FAILED);
	status = lock_those_on(line, device->id.bytes, sought.name, *lock);
	if (status == LF_EXIT_DONE)
		return status;
	lf_os_unlock_medium(*lock);
	*lock = NULL;
	return status;
}

void lf_os_unlock_medium(struct lf_medium_lock *lock)
{
	for (uint32_t i = 0; lock && i < lock->count; i++)
		CloseHandle(lock->volumes[i]); /* which unlocks it */
	free(lock);
}
