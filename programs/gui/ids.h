/* SPDX-License-Identifier: BSD-2-Clause */
/* ids.h: the numbers of commands and controls, for lungfish-gui.rc, the code, and who drives the window. */
#ifndef LF_GUI_IDS_H
#define LF_GUI_IDS_H

#define LF_GUI_CLASS L"LungfishWindow"

/* Menus, toolbar, accelerators: WM_COMMAND. */
#define LF_ID_CONNECT    100
#define LF_ID_DISCONNECT 101
#define LF_ID_INSERT     102
#define LF_ID_EJECT      103
#define LF_ID_PROPERTIES 104
#define LF_ID_REFRESH    105
#define LF_ID_INSTALL    106
#define LF_ID_RESIZE     107
#define LF_ID_COPY       108 /* the chosen rows, as text */
#define LF_ID_SELECT_ALL 109
#define LF_ID_EXIT       110
#define LF_ID_ABOUT      111
#define LF_ID_FORCE      112 /* disconnect after a question, without asking anybody to let go */

/* Children of the window. */
#define LF_ID_LIST    200
#define LF_ID_STATUS  201
#define LF_ID_TOOLBAR 202
#define LF_ID_HINT    203 /* in the place of rows, when there are none: what to do */

/* The dialog that asks how to connect. */
#define LF_DIALOG_CONNECT 300
#define LF_ID_IMAGE       301
#define LF_ID_BROWSE      302
#define LF_ID_NAME        303
#define LF_ID_TYPE        304 /* disk or CD/DVD */
#define LF_ID_READ_ONLY   305
#define LF_ID_REMOVABLE   306
#define LF_ID_KEEP        307
#define LF_ID_BLOCK_SIZE  308
#define LF_ID_ADVICE      309

#define LF_DIALOG_PROPERTIES 400
#define LF_ID_ROWS           401
#define LF_ID_COPY_ROWS      402

/* Resources. */
#define LF_MENU_MAIN    500
#define LF_ACCELERATORS 502
#define LF_ICON         503
#define LF_MANIFEST     1 /* as Windows looks for it */

#define LF_MENU_DEVICE_AT                                                                                    \
	2 /* where in the main menu the one for devices is, which is the context menu as well */

#endif
