/* SPDX-License-Identifier: BSD-2-Clause */
/* install_facts_nt.h: what the files of driver install, remove and status share: the machine, our device
 * nodes, our packages. */
#ifndef LF_PROGRAMS_INSTALL_FACTS_NT_H
#define LF_PROGRAMS_INSTALL_FACTS_NT_H

#include "programs/install_nt.h"
#include "programs/install_why_nt.h"

#include <windows.h>
#include <setupapi.h>

#define LF_HARDWARE_ID  L"root\\lungfish"
#define LF_SERVICE_NAME L"lungfish"
#define LF_INF_NAME     L"lungfish.inf"

extern const GUID lf_adapter_class; /* SCSIAdapter */

void lf_machine_look(struct lf_machine *machine);
void lf_driver_look(const struct lf_command_line *line, struct lf_driver *driver);

/* What driver status --json prints. */
void lf_driver_print_json(const struct lf_command_line *line);

/*
 * Each device node with our hardware ID, whether it is present or not, until one is wanted. False: Windows
 * did not list them, GetLastError says why.
 */
typedef bool lf_node_wanted(void *context, HDEVINFO set, SP_DEVINFO_DATA *node);
bool lf_nodes_walk(lf_node_wanted *wanted, void *context);

/* By what the INF says of itself: in the driver store its file has another name. */
bool lf_package_is_ours(const wchar_t *path);
/* Each package of ours that Windows has, by the path of its INF there, until one is wanted. */
typedef bool lf_package_wanted(void *context, const wchar_t *path);
void lf_packages_walk(lf_package_wanted *wanted, void *context);

/* What the adapter says to a request without arguments. */
enum lf_error lf_adapter_ask(const struct lf_command_line *line, enum lf_control_command command,
	union lf_control_reply *reply, struct lf_message *message);

/* 0, or why the node did not go. reboot: it goes when Windows restarts. */
uint32_t lf_node_remove(HDEVINFO set, SP_DEVINFO_DATA *node, bool *reboot);
/* 0, or why the package stays; path: as it was given to lf_package_wanted. */
uint32_t lf_package_remove(const wchar_t *path);

/* Unloads the driver and takes its service away, with a file of it that is in no driver store. 0, or why not.
 */
uint32_t lf_service_remove(bool *found);

/* The last part of a path. */
const wchar_t *lf_file_name(const wchar_t *path);

#endif
