/* SPDX-License-Identifier: BSD-2-Clause */
/* primary.c: TEST UNIT READY, REQUEST SENSE, REPORT LUNS and SEND DIAGNOSTIC (SPC-4 6). */
#include "core/handlers.h"

void lf_test_unit_ready(struct lf_lu *lu, struct lf_request *request)
{
	/* A medium that is missing was found by lf_command_check. */
	if (lf_exception_take(lu, LF_EXCEPTION_RECOVERED))
		lf_sense_set(request, LF_SENSE(0x1, 0x5d, 0xff));
	else if (lf_exception_take(lu, LF_EXCEPTION_NO_SENSE))
		lf_sense_set(request, LF_SENSE(0x0, 0x5d, 0xff));
	lf_finish(request);
}

/* A pending unit attention is told as data, and is told by that (SPC-4 6.39). */
void lf_request_sense(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t reply[18];
	uint32_t sense = 0;
	enum lf_ua ua;

	if (lu->type == LF_LU_ABSENT)
		sense = LF_SENSE(0x5, 0x25, 0x00);
	else if (request->data_length == 0)
		sense = 0; /* nobody would hear of it */
	else if (lf_ua_take(lf_request_itl(request), &ua))
		sense = lf_ua_sense(ua);
	else if (lf_exception_take(lu, LF_EXCEPTION_ON_REQUEST))
		sense = LF_SENSE(0x0, 0x5d, 0xff);
	uint32_t length = lf_sense_build(reply, request->cdb[1] & 0x01, sense);
	lf_finish_reply(request, reply, length);
}

/* The default self-test, which a unit passes that can be asked for it; no other is there (SPC-4 6.42). */
void lf_send_diagnostic(struct lf_lu *lu, struct lf_request *request)
{
	enum { SELFTEST = 0x04 };

	(void)lu;
	if (!(request->cdb[1] & SELFTEST))
		lf_sense_invalid_field_in_cdb(request, 1, 2);
	lf_finish(request);
}

/* LUNs of one chunk of the nexus's table, a bit for each. */
static void luns_of_chunk(const struct lf_request *request, uint32_t chunk, uint32_t *bits)
{
	const struct lf_nexus *nexus = request->nexus;
	struct lf_lock *lock = &nexus->adapter->lanes[request->task->lane].lock;

	memset(bits, 0, LF_LUN_CHUNK / 8);
	lf_lock(lock);
	struct lf_itl *const *itls = nexus->chunks[chunk];
	for (uint32_t i = 0; itls != NULL && i < LF_LUN_CHUNK; i++)
		if (itls[i] != NULL)
			bits[i / 32] |= 1u << i % 32;
	lf_unlock(lock);
}

/*
 * The list is gathered piece by piece. What changes meanwhile raises its unit attention anew, as the old one
 * is cleared before.
 */
void lf_report_luns(struct lf_lu *lu, struct lf_request *request)
{
	enum { ALL_BUT_WELL_KNOWN = 0x00, WELL_KNOWN = 0x01, ALL = 0x02 };
	uint8_t select = request->cdb[2], bytes[8] = {0};
	uint32_t bits[LF_LUN_CHUNK / 32], count = 0;

	(void)lu;
	if (select != ALL_BUT_WELL_KNOWN && select != WELL_KNOWN && select != ALL) {
		lf_sense_invalid_field_in_cdb(request, 2, LF_NO_BIT);
		lf_finish(request);
		return;
	}
	if (select != WELL_KNOWN) { /* there are none */
		lf_ua_clear_all(request->nexus, LF_UA_REPORTED_LUNS_CHANGED);
		for (uint32_t lun = 0; lun < request->nexus->adapter->lun_count; lun++) {
			if (lun % LF_LUN_CHUNK == 0)
				luns_of_chunk(request, lun / LF_LUN_CHUNK, bits);
			if (!(bits[lun % LF_LUN_CHUNK / 32] & 1u << lun % 32))
				continue;
			count++;
			lf_put_be64(bytes, lf_lun_encode(lun));
			lf_reply_put(request, 8 * (uint64_t)count, bytes, sizeof(bytes));
		}
	}
	lf_put_be64(bytes, (uint64_t)count * 8 << 32); /* LUN LIST LENGTH, four reserved bytes */
	lf_reply_put(request, 0, bytes, sizeof(bytes));
	lf_reply_finish(request, 8 * (uint64_t)(count + 1));
}
