/* SPDX-License-Identifier: BSD-2-Clause */
/* defects.c: READ DEFECT DATA (10) and (12) (SBC-4 5.18, 5.19): a file has no defects that it could list. */
#include "core/handlers.h"

#define LISTS_AND_FORMAT                                                                                     \
	0x1f /* REQ_PLIST, REQ_GLIST and DEFECT LIST FORMAT, echoed as PLISTV, GLISTV, ...                   \
	      */

void lf_read_defect_data_10(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t reply[4] = {0, request->cdb[2] & LISTS_AND_FORMAT};

	(void)lu;
	lf_finish_reply(request, reply, sizeof(reply));
}

void lf_read_defect_data_12(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t reply[8] = {0, request->cdb[1] & LISTS_AND_FORMAT};

	(void)lu;
	lf_finish_reply(request, reply, sizeof(reply));
}
