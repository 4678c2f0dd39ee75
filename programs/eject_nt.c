/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eject_nt.c: the graceful half of disconnect: Windows is asked to eject the disk, so that file systems write
 * what they hold and close it, or somebody says that he needs it. Taken away without that, a disk loses what
 * was not written yet.
 */
#include "control/user_nt.h"
#include "programs/os.h"

#include <windows.h>
#include <winioctl.h>
#include <cfgmgr32.h>
#include <ntddscsi.h>

#define VETO_UNITS 512
#define VETO_BYTES (3 * VETO_UNITS)
#define VETO_SHOWN 120

/* Whether it lies at the device's address; bus is 0, the only one that an adapter has. */
static bool is_at(const wchar_t *path, const struct lf_control_device *device)
{
	HANDLE disk = CreateFileW(path, 0, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
	SCSI_ADDRESS address = {.Length = sizeof(address)};
	DWORD length = 0;
	bool answered;

	if (disk == INVALID_HANDLE_VALUE)
		return false;
	answered = DeviceIoControl(
		disk, IOCTL_SCSI_GET_ADDRESS, NULL, 0, &address, sizeof(address), &length, NULL);
	CloseHandle(disk);
	return answered && length >= sizeof(address) && address.PathId == device->bus &&
	       address.TargetId == device->target && address.Lun == device->lun;
}

/* What is looked for: the disk or drive below the adapter's node. */
struct sought {
	const struct lf_control_device *device;
	DEVINST adapter, disk;
};

static bool is_sought(void *context, const wchar_t *path, uint32_t node)
{
	struct sought *sought = context;
	DEVINST parent;

	if (CM_Get_Parent(&parent, node, 0) != CR_SUCCESS || parent != sought->adapter ||
		!is_at(path, sought->device))
		return false;
	sought->disk = node;
	return true;
}

static const char *name_veto(PNP_VETO_TYPE type)
{
	switch (type) {
	case PNP_VetoWindowsApp:
	case PNP_VetoWindowsService:
		return "the program or service";
	case PNP_VetoOutstandingOpen:
		return "an open file or volume on";
	case PNP_VetoDriver:
	case PNP_VetoLegacyDriver:
		return "the driver";
	case PNP_VetoInsufficientRights:
		return "your lack of rights on";
	default:
		return "a user of";
	}
}

static int eject(const struct lf_command_line *line, const char *id, DEVINST disk)
{
	wchar_t name[VETO_UNITS] = L"";
	LF_CONTROL_TEXT(VETO_SHOWN + 2) shown;
	char text[VETO_BYTES];
	PNP_VETO_TYPE type = PNP_VetoTypeUnknown;
	struct lf_message message;
	CONFIGRET result = CM_Request_Device_EjectW(disk, &type, name, VETO_UNITS, 0);

	if (result == CR_SUCCESS || result == CR_NO_SUCH_DEVINST ||
		(result == CR_REMOVE_VETOED && type == PNP_VetoAlreadyRemoved))
		return LF_EXIT_DONE;
	if (result != CR_REMOVE_VETOED) {
		lf_message_set(&message,
			"Windows cannot eject it (error %u of its configuration manager): try again, or add "
			"--force, which loses what is not written yet",
			(unsigned int)result);
		return lf_report(line, id, message.text, LF_EXIT_FAILED);
	}
	/* Cut, when it is long, at a character's border. */
	lf_control_set_text(&shown, lf_narrow(name, text, sizeof(text)) && *text ? text : "it");
	lf_message_set(&message,
		"in use: %s %s forbids it: close it, or add --force, which loses what is not written yet",
		name_veto(type), shown.bytes);
	return lf_report(line, id, message.text, LF_EXIT_BUSY);
}

int lf_os_release(const struct lf_command_line *line, struct lf_client *client, const char *id)
{
	/* GUID_DEVINTERFACE_DISK, GUID_DEVINTERFACE_CDROM */
	static const GUID kinds[] = {
		{0x53f56307, 0xb6bf, 0x11d0, {0x94, 0xf2, 0x00, 0xa0, 0xc9, 0x1e, 0xfb, 0x8b}},
		{0x53f56308, 0xb6bf, 0x11d0, {0x94, 0xf2, 0x00, 0xa0, 0xc9, 0x1e, 0xfb, 0x8b}},
	};
	struct sought sought = {.adapter = lf_client_node(client)};
	union lf_control_reply reply;
	int status;

	if (sought.adapter == LF_NODE_NONE)
		return lf_report(line, id,
			"nobody can be asked to let go of it, as this name of the adapter does not say which "
			"disks are its: leave --socket and LUNGFISH_SOCKET out, or add --force, which loses "
			"what is not written yet",
			LF_EXIT_FAILED);
	status = lf_session_select(line, client, LF_CONTROL_SHOW, id, &reply);
	if (status != LF_EXIT_DONE)
		return status;
	sought.device = &reply.one.device;
	for (uint32_t i = 0; i < lf_count_of(kinds); i++) {
		if (lf_find_interface(&kinds[i], is_sought, &sought))
			return eject(line, id, sought.disk);
	}
	/* Windows has not seen it yet, or not any more. */
	return LF_EXIT_DONE;
}
