/* SPDX-License-Identifier: BSD-2-Clause */
/* model_rows.h: what `lungfish show --json` tells of a device, as rows for people. No call of Windows. */
#ifndef LF_GUI_MODEL_ROWS_H
#define LF_GUI_MODEL_ROWS_H

#include "programs/lungfish.h"

/* One row, UTF-8, valid during the call. value: NULL for a heading, whose rows lie one level deeper. */
typedef void lf_gui_row_put(void *context, uint32_t level, const char *name, const char *value);

/* device: one of "devices". disk: what Windows calls it; empty: it has not seen it yet. */
void lf_gui_rows(struct json_object *device, const char *disk, lf_gui_row_put *put, void *context);

#endif
