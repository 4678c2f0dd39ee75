/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eject_nt.c: the graceful half of disconnect: Windows is asked to eject the disk, so that file systems write
 * what they hold and close it, or somebody says that he needs it. Taken away without that, a disk loses what
 * was not written yet.
 */
#include "control/user_nt.h"
#include "programs/disk_nt.h"
#include "programs/os.h"

#include <windows.h>
#include <cfgmgr32.h>

#define VETO_UNITS 512
#define VETO_BYTES (3 * VETO_UNITS)
#define VETO_SHOWN 120

/* What is looked for: the disk or drive at the device's address. */
struct sought {
	const struct lf_control_device *device;
	DEVINST disk;
};

static bool is_sought(void *context, const struct lf_disk *disk)
{
	struct sought *sought = context;

	sought->disk = disk->node;
	return lf_disk_is(disk, sought->device);
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

int lf_disk_unknown(const struct lf_command_line *line, const char *id)
{
	return lf_report(line, id,
		"nobody can be asked to let go of it, as this name of the adapter does not say which disks "
		"are its: leave --socket and LUNGFISH_SOCKET out, or add --force, which loses what is not "
		"written yet",
		LF_EXIT_FAILED);
}

int lf_os_release(const struct lf_command_line *line, struct lf_client *client, const char *id)
{
	uint32_t adapter = lf_client_node(client);
	struct sought sought;
	union lf_control_reply reply;
	int status;

	if (adapter == LF_NODE_NONE)
		return lf_disk_unknown(line, id);
	status = lf_session_select(line, client, LF_CONTROL_SHOW, id, &reply);
	if (status != LF_EXIT_DONE)
		return status;
	sought.device = &reply.one.device;
	if (lf_find_disk(adapter, is_sought, &sought))
		return eject(line, id, sought.disk);
	/* Windows has not seen it yet, or not any more. */
	return LF_EXIT_DONE;
}
