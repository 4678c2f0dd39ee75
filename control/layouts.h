/* SPDX-License-Identifier: BSD-2-Clause */
/* layouts.h: what each control message is made of, in tables: the codec's own. */
#ifndef LF_CONTROL_LAYOUTS_H
#define LF_CONTROL_LAYOUTS_H

#include "control/protocol.h"

/* What a field is: the table drives encoding, decoding and every check that does not need to know the device.
 */
enum lf_field_kind {
	LF_FIELD_U16,
	LF_FIELD_U32,
	LF_FIELD_U64,
	LF_FIELD_TEXT,
	LF_FIELD_BYTES,
	LF_FIELD_ZERO,
	LF_FIELD_PORTALS
};

struct lf_field {
	uint16_t offset;
	uint16_t size; /* bytes */
	enum lf_field_kind kind;
	uint64_t most; /* numbers: the highest that is allowed, or the only bits when mask is set */
	bool mask;
};

struct lf_layout {
	const struct lf_field *fields;
	uint32_t count;
	uint32_t size;
};

/* What is asked and answered by one command. */
struct lf_format {
	const struct lf_layout *request;
	const struct lf_layout *reply;
	const struct lf_layout *record; /* a row of them follows the reply; NULL: none */
	bool one_device;                /* one device follows the reply, which is the header */
};

/* NULL: the command is not known. */
const struct lf_format *lf_format_of(uint32_t command);

extern const struct lf_layout lf_layout_header, lf_layout_failure, lf_layout_device, lf_layout_portal;

/* Every layout that there is; NULL past the last. */
const struct lf_layout *lf_layout_at(uint32_t index);

#endif
