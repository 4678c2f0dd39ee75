/* SPDX-License-Identifier: BSD-2-Clause */
/* driver_nt.h: what the file store has to know of the driver that it is in. */
#ifndef LF_STORE_DRIVER_NT_H
#define LF_STORE_DRIVER_NT_H

#include "platform/nt.h"

/*
 * Before the first image is opened; plug and play asks for it from whoever wants to hear of volumes. Without
 * it nobody does.
 */
void lf_store_file_set_driver(DRIVER_OBJECT *driver);

#endif
