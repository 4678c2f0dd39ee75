/* SPDX-License-Identifier: BSD-2-Clause */
/* pages.c: the table of mode pages, their values on a unit, MODE SENSE (6) and (10) (SPC-4 6.13, 7.5; SBC-4
 * 6.5). */
#include "core/modes.h"

#define PAGE_ALL    0x3f
#define SUBPAGE_ALL 0xff

#define CACHING_PAGE 0x08
#define WCE          0x04 /* byte 2 of the caching mode page */
#define D_SENSE      0x04 /* byte 2 of the control mode page */
#define SWP          0x08 /* byte 4 */
#define DEXCPT       0x08 /* byte 2 of the informational exceptions control mode page */
#define TEST         0x04
#define MRIE         0x0f /* byte 3 */
#define LOCK_STATE   0x02 /* byte 6 of the capabilities of a CD-ROM drive */

enum page_control { PAGE_CURRENT, PAGE_CHANGEABLE, PAGE_DEFAULT, PAGE_SAVED };

/* ---- What the pages do ---- */

static void apply_caching(struct lf_lu *lu, const uint8_t *page)
{
	lf_atomic_store_u32(&lu->write_cache, (page[2] & WCE) != 0);
}

static void apply_control(struct lf_lu *lu, const uint8_t *page)
{
	lf_atomic_store_u32(&lu->descriptor_sense, (page[2] & D_SENSE) != 0);
	lf_atomic_store_u32(&lu->software_protected, (page[4] & SWP) != 0);
}

static uint32_t check_exceptions(const uint8_t *page)
{
	return (page[3] & MRIE) < LF_EXCEPTION_COUNT ? 0 : 3;
}

/* Nothing is ever predicted here but by TEST, which makes one test exception each time that it is sent. */
static void apply_exceptions(struct lf_lu *lu, const uint8_t *page)
{
	bool test = (page[2] & (TEST | DEXCPT)) == TEST;

	lf_atomic_store_u32(&lu->exception, test ? page[3] & MRIE : LF_EXCEPTION_NONE);
}

bool lf_exception_take(struct lf_lu *lu, enum lf_exception_method method)
{
	bool taken = lf_atomic_load_u32(&lu->exception) == (uint32_t)method;

	return taken && lf_atomic_and_u32(&lu->exception, 0) == (uint32_t)method;
}

/* Whether the door is locked; lu->lock is held. */
static void fill_drive(const struct lf_lu *lu, uint8_t *page)
{
	for (const struct lf_link *link = lu->itls.next; link != &lu->itls; link = link->next)
		if (lf_container(link, const struct lf_itl, link)->prevents != 0)
			page[6] |= LOCK_STATE;
}

/* ---- The table ---- */

static const struct lf_mode_page pages[] = {
	/* Read-Write Error Recovery: AWRE and ARRE, as the medium below us reallocates on its own */
	{.types = LF_CMD_DISK, .code = 0x01, .length = 12, .bytes = {0x01, 0x0a, 0xc0}},
	/* The same of a CD-ROM: TB, RC, PER, DTE, DCR and the retries are taken, for there is no difference
	 */
	{.types = LF_CMD_CDROM,
		.code = 0x01,
		.length = 12,
		.bytes = {0x01, 0x0a},
		.changeable = {[2] = 0x37, [3] = 0xff}},
	/* Caching: WCE, as the host's page cache is volatile */
	{.types = LF_CMD_DISK,
		.code = CACHING_PAGE,
		.length = 20,
		.bytes = {0x08, 0x12, WCE},
		.changeable = {[2] = WCE},
		.apply = apply_caching},
	/*
	 * Control: GLTSD; QUEUE ALGORITHM MODIFIER 1, as SIMPLE tasks are not kept in order; BUSY TIMEOUT
	 * PERIOD unlimited
	 */
	{.types = LF_CMD_DISK,
		.code = 0x0a,
		.length = 12,
		.bytes = {0x0a, 0x0a, 0x02, 0x10, [8] = 0xff, 0xff},
		.changeable = {[2] = D_SENSE, [4] = SWP},
		.apply = apply_control},
	/* CD Device Parameters: 60 seconds in a minute, 75 frames in a second */
	{.types = LF_CMD_CDROM, .code = 0x0d, .length = 8, .bytes = {0x0d, 0x06, [5] = 60, [7] = 75}},
	/* CD Audio Control: IMMED; two ports at full volume. Nothing plays, but initiators set it blindly */
	{.types = LF_CMD_CDROM,
		.code = 0x0e,
		.length = 16,
		.bytes = {0x0e, 0x0e, 0x04, [8] = 0x01, 0xff, 0x02, 0xff},
		.changeable = {[2] = 0x06, [8] = 0x0f, 0xff, 0x0f, 0xff, 0x0f, 0xff, 0x0f, 0xff}},
	/* Power Condition: no timers */
	{.types = LF_CMD_CDROM, .code = 0x1a, .length = 12, .bytes = {0x1a, 0x0a}},
	/* Informational Exceptions Control: DEXCPT, as nothing is predicted */
	{.types = LF_CMD_DISK,
		.code = 0x1c,
		.length = 12,
		.bytes = {0x1c, 0x0a, DEXCPT},
		.changeable = {[2] = DEXCPT | TEST, [3] = MRIE},
		.fleeting = {[2] = TEST},
		.check = check_exceptions,
		.apply = apply_exceptions},
	/* Timeout and Protect: seconds that an initiator should wait, by group of commands */
	{.types = LF_CMD_CDROM, .code = 0x1d, .length = 10, .bytes = {0x1d, 0x08, [7] = 30, [9] = 60}},
	/*
	 * CD Capabilities and Mechanical Status (MMC-3 5.5.10): reads CD-R, CD-RW and DVD-ROM, more sessions
	 * than one, but no audio, no Mode 2, no sub-channels; a tray that ejects and locks; 48x, 512 KiB
	 */
	{.types = LF_CMD_CDROM,
		.code = 0x2a,
		.length = 26,
		.bytes = {0x2a, 0x18, 0x0b, [4] = 0x40, [6] = 0x29, [8] = 0x21,
			0x13, [12] = 0x02, [14] = 0x21, 0x13},
		.fill = fill_drive},
};

const struct lf_mode_page *lf_mode_page_next(
	const struct lf_lu *lu, const struct lf_mode_page *page, uint32_t *at)
{
	uint32_t type = lu->type == LF_LU_DISK ? LF_CMD_DISK : LF_CMD_CDROM;

	*at = page == NULL ? 0 : *at + page->length;
	for (page = page == NULL ? pages : page + 1; page < pages + lf_count_of(pages); page++)
		if (page->types & type)
			return page;
	return NULL;
}

uint32_t lf_mode_page_bit(const struct lf_mode_page *page)
{
	return 1u << (page - pages);
}

/* ---- Values ---- */

void lf_modes_init(struct lf_lu *lu, bool write_cache_off)
{
	struct lf_modes *modes = &lu->modes;
	const struct lf_mode_page *page = NULL;
	uint32_t at = 0;

	while ((page = lf_mode_page_next(lu, page, &at)) != NULL) {
		lf_assert(at + page->length <= LF_MODE_BYTES);
		memcpy(modes->defaults + at, page->bytes, page->length);
		if (page->code == CACHING_PAGE && write_cache_off)
			modes->defaults[at + 2] &= (uint8_t)~WCE;
	}
	lu->write_cache = true; /* of units that have no such page */
	memcpy(modes->saved, modes->defaults, LF_MODE_BYTES);
	lf_modes_reset_locked(lu);
}

void lf_modes_apply_locked(struct lf_lu *lu, uint32_t touched)
{
	const struct lf_mode_page *page = NULL;
	uint32_t at = 0;

	while ((page = lf_mode_page_next(lu, page, &at)) != NULL)
		if (page->apply != NULL && (touched & lf_mode_page_bit(page)))
			page->apply(lu, lu->modes.current + at);
}

void lf_modes_reset_locked(struct lf_lu *lu)
{
	memcpy(lu->modes.current, lu->modes.saved, LF_MODE_BYTES);
	lf_modes_apply_locked(lu, UINT32_MAX);
}

/* ---- Values that outlive a loss of power ---- */

/*
 * A record for each page with anything to save: code, subpage, its whole length, and its bytes, of which only
 * the changeable ones count. A page that is not there, or is of another length, is passed over: the blob may
 * be of another version.
 */
#define RECORD_HEADER 3

static uint8_t saveable(const struct lf_mode_page *page, uint32_t byte)
{
	uint8_t fleeting = byte < sizeof(page->fleeting) ? page->fleeting[byte] : 0;

	return page->changeable[byte] & (uint8_t)~fleeting;
}

static bool is_saveable(const struct lf_mode_page *page)
{
	for (uint32_t i = 0; i < page->length; i++)
		if (saveable(page, i) != 0)
			return true;
	return false;
}

bool lf_modes_can_save(const struct lf_lu *lu)
{
	return lu->can_save && lu->store != NULL;
}

uint32_t lf_modes_save(const struct lf_lu *lu, uint8_t *to)
{
	const struct lf_modes *modes = &lu->modes;
	const uint8_t *values = modes->saving ? modes->wanted : modes->saved;
	const struct lf_mode_page *page = NULL;
	uint32_t at = 0, length = 0;

	if (!modes->saving && !modes->has_saved)
		return 0;
	while ((page = lf_mode_page_next(lu, page, &at)) != NULL) {
		if (!is_saveable(page))
			continue;
		to[length] = page->code;
		to[length + 1] = page->subpage;
		to[length + 2] = page->length;
		for (uint32_t i = 0; i < page->length; i++)
			to[length + RECORD_HEADER + i] = values[at + i] & saveable(page, i);
		length += RECORD_HEADER + page->length;
	}
	lf_assert(length <= LF_MODE_SAVED_BYTES);
	return length;
}

/* Takes the saveable bits of one page into the wanted values. */
static void merge(uint8_t *wanted, const struct lf_mode_page *page, const uint8_t *bytes)
{
	for (uint32_t i = 0; i < page->length; i++)
		wanted[i] = (uint8_t)((wanted[i] & ~saveable(page, i)) | (bytes[i] & saveable(page, i)));
}

static bool load_record(struct lf_lu *lu, const uint8_t *record)
{
	const struct lf_mode_page *page = NULL;
	uint32_t at = 0;

	while ((page = lf_mode_page_next(lu, page, &at)) != NULL) {
		if (page->code != record[0] || page->subpage != record[1] || page->length != record[2])
			continue;
		merge(lu->modes.wanted + at, page, record + RECORD_HEADER);
		return page->check == NULL || page->check(lu->modes.wanted + at) == 0;
	}
	return true;
}

bool lf_modes_load(struct lf_lu *lu, const uint8_t *from, uint32_t length_bytes)
{
	memcpy(lu->modes.wanted, lu->modes.defaults, LF_MODE_BYTES);
	for (uint32_t at = 0; at < length_bytes; at += RECORD_HEADER + from[at + 2]) {
		if (length_bytes - at < RECORD_HEADER || length_bytes - at - RECORD_HEADER < from[at + 2] ||
			!load_record(lu, from + at))
			return false;
	}
	lf_modes_were_saved(lu);
	lf_modes_reset_locked(lu);
	return true;
}

void lf_modes_were_saved(struct lf_lu *lu)
{
	const struct lf_mode_page *page = NULL;
	uint32_t at = 0;

	lf_lock(&lu->lock);
	while ((page = lf_mode_page_next(lu, page, &at)) != NULL)
		merge(lu->modes.saved + at, page, lu->modes.wanted + at);
	lu->modes.has_saved = true;
	lf_unlock(&lu->lock);
}

bool lf_modes_drop_cache(const struct lf_lu *lu)
{
	const struct lf_mode_page *page = NULL;
	uint32_t at = 0;

	while ((page = lf_mode_page_next(lu, page, &at)) != NULL)
		if (page->code == CACHING_PAGE)
			return lf_atomic_load_u32(&lu->write_cache) && !(lu->modes.wanted[at + 2] & WCE);
	return false;
}

/* ---- MODE SENSE ---- */

/* values: of the unit, from where this page begins. */
static uint32_t put_page(const struct lf_lu *lu, uint8_t *to, const struct lf_mode_page *page,
	const uint8_t *values, enum page_control control)
{
	memcpy(to, values, page->length);
	if (control == PAGE_CHANGEABLE) {
		uint32_t header = page->subpage == 0 ? 2 : 4;
		memcpy(to + header, page->changeable + header, page->length - header);
	} else if (page->fill != NULL) {
		page->fill(lu, to);
	}
	if (lf_modes_can_save(lu) && is_saveable(page))
		to[0] |= 0x80; /* PS */
	return page->length;
}

/*
 * SBC-4 6.5.2: the short form cannot say more than 2^32 - 1 blocks. A drive with nothing in it has no
 * blocks to speak of.
 */
static uint32_t put_block_descriptor(const struct lf_lu *lu, uint8_t *to, bool long_form)
{
	bool empty = lu->store == NULL || lu->medium_state == LF_MEDIUM_TRAY_OPEN;
	uint64_t blocks = empty ? 0 : lu->info.block_count;

	if (long_form) {
		memset(to, 0, 16);
		lf_put_be64(to, blocks);
		lf_put_be32(to + 12, lu->info.block_size);
		return 16;
	}
	lf_put_be32(to, (uint32_t)lf_min(blocks, (uint64_t)UINT32_MAX));
	lf_put_be32(to + 4, lu->info.block_size); /* a reserved byte and three of LOGICAL BLOCK LENGTH */
	return 8;
}

/*
 * Appends the pages that the CDB asks for; false when it has set CHECK CONDITION. Page 00h is vendor specific
 * and empty here: header and block descriptor alone, as some initiators begin with it.
 */
static bool put_pages(struct lf_lu *lu, struct lf_request *request, uint8_t *reply, uint32_t *length)
{
	enum page_control control = request->cdb[2] >> 6;
	uint8_t code = request->cdb[2] & 0x3f, subpage = request->cdb[3];
	const struct lf_mode_page *page = NULL;
	const uint8_t *values = control == PAGE_DEFAULT ? lu->modes.defaults
				: control == PAGE_SAVED ? lu->modes.saved
							: lu->modes.current;
	bool has_code = code == PAGE_ALL || code == 0x00;
	bool found = has_code && (subpage == 0 || (code == PAGE_ALL && subpage == SUBPAGE_ALL));
	uint32_t at = 0;

	if (control == PAGE_SAVED && !lf_modes_can_save(lu)) {
		lf_sense_saving_not_supported(request);
		return false;
	}
	lf_lock(&lu->lock);
	while ((page = lf_mode_page_next(lu, page, &at)) != NULL) {
		if (code != PAGE_ALL && code != page->code)
			continue;
		has_code = true;
		if (subpage != SUBPAGE_ALL && subpage != page->subpage)
			continue;
		*length += put_page(lu, reply + *length, page, values + at, control);
		found = true;
	}
	lf_unlock(&lu->lock);
	if (!has_code)
		lf_sense_invalid_field_in_cdb(request, 2, 5);
	else if (!found)
		lf_sense_invalid_field_in_cdb(request, 3, LF_NO_BIT);
	return found;
}

void lf_mode_sense(struct lf_lu *lu, struct lf_request *request)
{
	bool ten = lf_mode_is_ten(request);
	bool disable_descriptors = request->cdb[1] & 0x08, long_form = request->cdb[1] & 0x10;
	uint8_t reply[8 + 16 + LF_MODE_BYTES] = {0};
	uint32_t header = ten ? 8 : 4, descriptors = 0;
	uint8_t device_specific = lf_lu_is_protected(lu) ? 0x80 : 0; /* WP */

	if (lu->type == LF_LU_DISK)
		device_specific |= 0x10; /* DPOFUA */
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
