/* SPDX-License-Identifier: BSD-2-Clause */
/* disk_nt.c: the disks and drives of an adapter: those whose parent in the tree of devices it is. */
#include "programs/disk_nt.h"

#include <windows.h>
#include <winioctl.h>
#include <cfgmgr32.h>
#include <ntddscsi.h>

struct search {
	uint32_t adapter;
	bool is_drive;
	lf_disk_wanted *wanted;
	void *context;
};

static bool ask(HANDLE disk, DWORD code, void *answer, DWORD size)
{
	DWORD length = 0;

	return DeviceIoControl(disk, code, NULL, 0, answer, size, &length, NULL) && length >= size;
}

static bool describe(HANDLE handle, bool is_drive, struct lf_disk *disk)
{
	SCSI_ADDRESS address = {.Length = sizeof(address)};
	STORAGE_DEVICE_NUMBER number;

	if (!ask(handle, IOCTL_SCSI_GET_ADDRESS, &address, sizeof(address)))
		return false;
	disk->bus = address.PathId;
	disk->target = address.TargetId;
	disk->lun = address.Lun;
	disk->name[0] = L'\0';
	if (ask(handle, IOCTL_STORAGE_GET_DEVICE_NUMBER, &number, sizeof(number)))
		swprintf(disk->name, LF_DISK_NAME_UNITS, is_drive ? L"CdRom%lu" : L"PhysicalDrive%lu",
			number.DeviceNumber);
	return true;
}

static bool is_wanted(void *context, const wchar_t *path, uint32_t node)
{
	struct search *search = context;
	struct lf_disk disk = {.node = node};
	DEVINST parent;
	HANDLE handle;
	bool described;

	if (CM_Get_Parent(&parent, node, 0) != CR_SUCCESS || parent != search->adapter)
		return false;
	/* No access: nothing is asked of the disk itself. */
	handle = CreateFileW(path, 0, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
	if (handle == INVALID_HANDLE_VALUE)
		return false;
	described = describe(handle, search->is_drive, &disk);
	CloseHandle(handle);
	return described && search->wanted(search->context, &disk);
}

bool lf_find_disk(uint32_t adapter, lf_disk_wanted *wanted, void *context)
{
	/* GUID_DEVINTERFACE_DISK, GUID_DEVINTERFACE_CDROM */
	static const GUID kinds[] = {
		{0x53f56307, 0xb6bf, 0x11d0, {0x94, 0xf2, 0x00, 0xa0, 0xc9, 0x1e, 0xfb, 0x8b}},
		{0x53f56308, 0xb6bf, 0x11d0, {0x94, 0xf2, 0x00, 0xa0, 0xc9, 0x1e, 0xfb, 0x8b}},
	};
	struct search search = {.adapter = adapter, .wanted = wanted, .context = context};

	if (adapter == LF_NODE_NONE)
		return false;
	for (uint32_t i = 0; i < lf_count_of(kinds); i++) {
		search.is_drive = i > 0;
		if (lf_find_interface(&kinds[i], is_wanted, &search))
			return true;
	}
	return false;
}

bool lf_disk_is(const struct lf_disk *disk, const struct lf_control_device *device)
{
	return disk->bus == device->bus && disk->target == device->target && disk->lun == device->lun;
}
