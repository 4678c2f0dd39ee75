/* SPDX-License-Identifier: BSD-2-Clause */
/* reservation_in.c: PERSISTENT RESERVE IN (SPC-4 6.15). */
#include "core/handlers.h"
#include "core/reservation.h"

#define REPLY_HEADER 8 /* PRGENERATION, ADDITIONAL LENGTH */

static void put_header(
	const struct lf_request *request, const struct lf_reservation_table *table, uint32_t more)
{
	uint8_t bytes[REPLY_HEADER];

	lf_put_be32(bytes, table->generation);
	lf_put_be32(bytes + 4, more);
	lf_reply_put(request, 0, bytes, sizeof(bytes));
}

static uint32_t put_keys(const struct lf_request *request, const struct lf_reservation_table *table)
{
	uint32_t length = REPLY_HEADER;
	uint8_t bytes[8];

	for (uint32_t i = 0; i < LF_REGISTRATIONS_MAX; i++) {
		if (table->slots[i].key == 0)
			continue;
		lf_put_be64(bytes, table->slots[i].key);
		lf_reply_put(request, length, bytes, sizeof(bytes));
		length += sizeof(bytes);
	}
	put_header(request, table, length - REPLY_HEADER);
	return length;
}

static uint32_t put_reservation(const struct lf_request *request, struct lf_reservation_table *table)
{
	const struct lf_registration *holder = lf_reservation_holder(table);
	uint8_t bytes[16] = {0};

	put_header(request, table, table->type == LF_PR_NONE ? 0 : sizeof(bytes));
	if (table->type == LF_PR_NONE)
		return REPLY_HEADER;
	lf_put_be64(bytes, holder == NULL ? 0 : holder->key); /* zero where all registrants hold */
	bytes[13] = table->type;                              /* scope 0: the logical unit */
	lf_reply_put(request, REPLY_HEADER, bytes, sizeof(bytes));
	return REPLY_HEADER + sizeof(bytes);
}

static uint32_t put_capabilities(
	const struct lf_request *request, const struct lf_lu *lu, const struct lf_reservation_table *table)
{
	uint8_t bytes[8] = {0};

	lf_put_be16(bytes, sizeof(bytes));
	bytes[2] = (uint8_t)(0x10 | lu->can_save); /* CRH, PTPL_C */
	bytes[3] = (uint8_t)(0x90 | table->aptpl); /* TMV, ALLOW COMMANDS 1: TEST UNIT READY; PTPL_A */
	bytes[4] = 0xea;                           /* WR_EX_AR, EX_AC_RO, WR_EX_RO, EX_AC, WR_EX */
	bytes[5] = 0x01;                           /* EX_AC_AR */
	lf_reply_put(request, 0, bytes, sizeof(bytes));
	return sizeof(bytes);
}

/*
 * A TransportID (SPC-4 7.6.4): of iSCSI the name and ISID, format 01b. Other ports have none that a name
 * would fit in: theirs says the protocol alone.
 */
static uint32_t put_transport_id(
	const struct lf_request *request, uint32_t offset, const struct lf_registration *slot)
{
	enum { ISCSI = 0x5, FORMAT_WITH_ISID = 0x40, SHORTEST = 24 };
	uint8_t bytes[4 + 256] = {slot->protocol};
	uint32_t length = SHORTEST;

	if (slot->protocol == ISCSI && slot->port[0] != '\0') {
		uint32_t name = (uint32_t)strlen(slot->port);
		memcpy(bytes + 4, slot->port,
			name); /* at least one zero follows, and up to a multiple of four */
		length = lf_max(4 + (name + 1 + 3) / 4 * 4, (uint32_t)SHORTEST);
		bytes[0] |= FORMAT_WITH_ISID;
		lf_put_be16(bytes + 2, (uint16_t)(length - 4));
	}
	lf_reply_put(request, offset, bytes, length);
	return length;
}

static uint32_t put_full_status(const struct lf_request *request, const struct lf_reservation_table *table)
{
	bool all = lf_pr_type_is_all_registrants(table->type);
	uint32_t length = REPLY_HEADER;

	for (uint32_t i = 0; i < LF_REGISTRATIONS_MAX; i++) {
		const struct lf_registration *slot = &table->slots[i];
		uint8_t bytes[24] = {0};
		if (slot->key == 0)
			continue;
		uint32_t id = put_transport_id(request, length + sizeof(bytes), slot);
		lf_put_be64(bytes, slot->key);
		bytes[12] = all || slot->holder;                   /* R_HOLDER */
		bytes[13] = all || slot->holder ? table->type : 0; /* scope 0 */
		lf_put_be16(bytes + 18, slot->relative_port);
		lf_put_be32(bytes + 20, id);
		lf_reply_put(request, length, bytes, sizeof(bytes));
		length += sizeof(bytes) + id;
	}
	put_header(request, table, length - REPLY_HEADER);
	return length;
}

void lf_persistent_reserve_in(struct lf_lu *lu, struct lf_request *request)
{
	enum { READ_KEYS, READ_RESERVATION, REPORT_CAPABILITIES };
	uint32_t length = 0;

	/* The lock: a registrant without a name may leave meanwhile. */
	lf_lock(&lu->lock);
	struct lf_reservation_table *table = lu->reservations->now;
	bool conflict = lu->reservations->reserved_by != 0; /* SPC-2 5.5.1: whosever that is */
	if (conflict)
		request->status = LF_STATUS_RESERVATION_CONFLICT;
	else if (request->cdb[1] == READ_KEYS)
		length = put_keys(request, table);
	else if (request->cdb[1] == READ_RESERVATION)
		length = put_reservation(request, table);
	else if (request->cdb[1] == REPORT_CAPABILITIES)
		length = put_capabilities(request, lu, table);
	else
		length = put_full_status(request, table);
	lf_unlock(&lu->lock);
	if (conflict)
		lf_finish(request);
	else
		lf_reply_finish(request, length);
}
