/* SPDX-License-Identifier: BSD-2-Clause */
/* user_nt.h: what the files of the command for Windows share: its texts are UTF-8, those of Windows UTF-16.
 */
#ifndef LF_CONTROL_USER_NT_H
#define LF_CONTROL_USER_NT_H

#include "control/client.h"

/* UTF-8 to UTF-16; false: it is none, or does not fit. Room counts units. */
bool lf_wide(const char *text, wchar_t *wide, int room);
/* UTF-16 to UTF-8; false: it is none (Windows takes names that are not), or does not fit. */
bool lf_narrow(const wchar_t *wide, char *text, int room_bytes);

/* What an error of Win32 is, for messages: "no such file". text is for those that have no name here. */
const char *lf_win32_text(uint32_t code, char *text, size_t room_bytes);
enum lf_error lf_error_from_win32(uint32_t code);

/*
 * Each device interface of this kind (a GUID) that is present, by its path and its node in the tree of
 * devices, until one is wanted; whether one was.
 */
typedef bool lf_interface_wanted(void *context, const wchar_t *path, uint32_t node);
bool lf_find_interface(const void *kind, lf_interface_wanted *wanted, void *context);

#define LF_NODE_NONE UINT32_MAX /* 0 is one under Wine */

/* The adapter's node there; LF_NODE_NONE: it was named by a path that does not tell. */
uint32_t lf_client_node(const struct lf_client *client);

#endif
