/* SPDX-License-Identifier: BSD-2-Clause */
/* pdu.c: additional header segments of a SCSI Command (RFC 7143 11.2.2). */
#include "edge/iscsi/pdu.h"

bool lf_iscsi_parse_ahs(const uint8_t *ahs, uint32_t length, uint32_t cdb_max, struct iscsi_ahs *out)
{
	uint32_t at = 0;

	*out = (struct iscsi_ahs){0};
	while (length - at >= 4) {
		/* AHSLength counts what follows the type, reserved byte included; segments are padded to
		 * words. */
		uint32_t specific = lf_get_be16(ahs + at);
		uint32_t type = ahs[at + 2] & 0x3f;
		uint32_t total = 3 + specific;

		if (specific == 0 || total + iscsi_pad(total) > length - at)
			return false;
		if (type == ISCSI_AHS_EXTENDED_CDB) {
			if (out->cdb_rest != NULL || specific < 2 || 16 + specific - 1 > cdb_max)
				return false;
			out->cdb_rest = ahs + at + 4;
			out->cdb_rest_length = specific - 1;
		} else if (type == ISCSI_AHS_BIDI_LENGTH) {
			if (specific != 5)
				return false;
			out->bidi_read_length = lf_get_be32(ahs + at + 4);
		} else {
			return false;
		}
		at += total + iscsi_pad(total);
	}
	return at == length;
}
