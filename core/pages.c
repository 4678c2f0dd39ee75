/* SPDX-License-Identifier: BSD-2-Clause */
/* pages.c: MODE SENSE (6) and (10) and the mode pages of a disk (SPC-4 6.13, 7.5; SBC-4 6.5). */
#include "core/handlers.h"

#define PAGE_LONGEST 20
#define PAGE_ALL     0x3f
#define SUBPAGE_ALL  0xff

enum page_control { PAGE_CURRENT, PAGE_CHANGEABLE, PAGE_DEFAULT, PAGE_SAVED };

/* Current values, which are the defaults, too; none can be changed yet, so the other view is all zeros. */
struct mode_page {
	uint8_t code, length; /* length of the whole page */
	uint8_t bytes[PAGE_LONGEST];
};

/* By ascending page code, which is the order of a reply with all of them. */
static const struct mode_page pages[] = {
	/* Read-Write Error Recovery: AWRE and ARRE, as the medium below us reallocates on its own */
	{0x01, 12, {0x01, 0x0a, 0xc0}},
	/* Caching: WCE, as the host's page cache is volatile */
	{0x08, 20, {0x08, 0x12, 0x04}},
	/*
	 * Control: GLTSD; QUEUE ALGORITHM MODIFIER 1, as SIMPLE tasks are not kept in order; BUSY TIMEOUT
	 * PERIOD unlimited
	 */
	{0x0a, 12, {0x0a, 0x0a, 0x02, 0x10, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff}},
	/* Informational Exceptions Control: DEXCPT, as nothing is predicted */
	{0x1c, 12, {0x1c, 0x0a, 0x08}},
};

#define CONTROL_PAGE 0x0a
#define D_SENSE      0x04 /* byte 2 of the control mode page */

static uint32_t put_page(
	const struct lf_lu *lu, uint8_t *to, const struct mode_page *page, enum page_control control)
{
	memcpy(to, page->bytes, page->length);
	if (control == PAGE_CHANGEABLE)
		memset(to + 2, 0, page->length - 2u);
	else if (control == PAGE_CURRENT && page->code == CONTROL_PAGE &&
		 lf_atomic_load_u32(&lu->descriptor_sense))
		to[2] |= D_SENSE;
	return page->length;
}

/* SBC-4 6.5.2: the short form cannot say more than 2^32 - 1 blocks. */
static uint32_t put_block_descriptor(const struct lf_lu *lu, uint8_t *to, bool long_form)
{
	if (long_form) {
		memset(to, 0, 16);
		lf_put_be64(to, lu->info.block_count);
		lf_put_be32(to + 12, lu->info.block_size);
		return 16;
	}
	lf_put_be32(to, (uint32_t)lf_min(lu->info.block_count, (uint64_t)UINT32_MAX));
	lf_put_be32(to + 4, lu->info.block_size); /* a reserved byte and three of LOGICAL BLOCK LENGTH */
	return 8;
}

/*
 * Appends the pages that the CDB asks for; false when it has set CHECK CONDITION. Page 00h is vendor specific
 * and empty here: header and block descriptor alone, as some initiators begin with it.
 */
static bool put_pages(const struct lf_lu *lu, struct lf_request *request, uint8_t *reply, uint32_t *length)
{
	enum page_control control = request->cdb[2] >> 6;
	uint8_t code = request->cdb[2] & 0x3f, subpage = request->cdb[3];
	bool found = code == PAGE_ALL || code == 0x00;

	if (control == PAGE_SAVED) {
		lf_sense_saving_not_supported(request);
		return false;
	}
	for (uint32_t i = 0; i < lf_count_of(pages); i++) {
		if (code != PAGE_ALL && code != pages[i].code)
			continue;
		*length += put_page(lu, reply + *length, &pages[i], control);
		found = true;
	}
	if (!found) {
		lf_sense_invalid_field_in_cdb(request, 2, 5);
		return false;
	}
	if (subpage != 0 && (subpage != SUBPAGE_ALL || code == 0x00)) { /* no page has one of its own */
		lf_sense_invalid_field_in_cdb(request, 3, LF_NO_BIT);
		return false;
	}
	return true;
}

void lf_mode_sense(struct lf_lu *lu, struct lf_request *request)
{
	bool ten = request->cdb[0] == 0x5a;
	bool disable_descriptors = request->cdb[1] & 0x08, long_form = request->cdb[1] & 0x10;
	uint8_t reply[8 + 16 + lf_count_of(pages) * PAGE_LONGEST] = {0};
	uint32_t header = ten ? 8 : 4, descriptors = 0;
	uint8_t device_specific = (uint8_t)((lu->read_only ? 0x80 : 0) | 0x10); /* WP, DPOFUA */

	if (!disable_descriptors)
		descriptors = put_block_descriptor(lu, reply + header, long_form);
	uint32_t length = header + descriptors;
	if (!put_pages(lu, request, reply, &length)) {
		lf_finish(request);
		return;
	}
	if (ten) {
		lf_put_be16(reply, (uint16_t)(length - 2));
		reply[3] = device_specific;
		reply[4] = descriptors == 16; /* LONGLBA */
		lf_put_be16(reply + 6, (uint16_t)descriptors);
	} else {
		reply[0] = (uint8_t)(length - 1);
		reply[2] = device_specific;
		reply[3] = (uint8_t)descriptors;
	}
	lf_finish_reply(request, reply, length);
}
