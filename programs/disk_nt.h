/* SPDX-License-Identifier: BSD-2-Clause */
/* disk_nt.h: which of the disks and drives that Windows has are an adapter's. */
#ifndef LF_PROGRAMS_DISK_NT_H
#define LF_PROGRAMS_DISK_NT_H

#include "control/user_nt.h"

#include <wchar.h>

#define LF_DISK_NAME_UNITS 32

struct lf_disk {
	uint32_t node; /* in the tree of devices */
	uint32_t bus, target, lun;
	wchar_t name[LF_DISK_NAME_UNITS]; /* "PhysicalDrive2", "CdRom0", behind \\.\; empty: it has none */
};

/*
 * Each disk and drive below the adapter's node (lf_client_node) that Windows has by now, until one is wanted;
 * whether one was. None below LF_NODE_NONE.
 */
typedef bool lf_disk_wanted(void *context, const struct lf_disk *disk);
bool lf_find_disk(uint32_t adapter, lf_disk_wanted *wanted, void *context);
bool lf_disk_is(const struct lf_disk *disk, const struct lf_control_device *device);

/* eject_nt.c: of an adapter at LF_NODE_NONE nobody can be asked. Returns the exit status, after a report. */
struct lf_command_line;
int lf_disk_unknown(const struct lf_command_line *line, const char *id);

#endif
