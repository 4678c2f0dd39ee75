/* SPDX-License-Identifier: BSD-2-Clause */
/* mode_select.c: MODE SELECT (6) and (10): all of a parameter list takes effect, or nothing (SPC-4 6.11). */
#include "core/modes.h"
#include "core/reservation.h"

#define PF      0x10 /* byte 1 of the CDB */
#define SP      0x01
#define LONGLBA 0x01 /* byte 4 of the header of (10) */
#define SPF     0x40 /* byte 0 of a page */

static void bad_bits(struct lf_request *request, uint32_t byte, uint32_t bits)
{
	uint8_t bit = 7;

	while (!(bits & 1u << bit))
		bit--;
	lf_sense_invalid_field_in_list(request, (uint16_t)byte, bit);
}

/* Each of what follows is false when it has set CHECK CONDITION, and takes what it read off the list. */

static bool take(struct lf_request *request, uint32_t at, void *to, uint32_t length)
{
	if (at > request->data_length || length > request->data_length - at) {
		lf_sense_list_length_error(request);
		return false;
	}
	lf_request_gather(request, at, to, length);
	return true;
}

/*
 * MODE DATA LENGTH is reserved here, and initiators leave in it what MODE SENSE said; WP and DPOFUA are
 * ignored likewise (SBC-4 6.5.1).
 */
static bool take_header(struct lf_request *request, uint32_t *at, uint32_t *descriptors)
{
	uint8_t header[8] = {0};
	bool ten = lf_mode_is_ten(request);
	uint32_t length_at = ten ? 6 : 3;

	*at = ten ? 8 : 4;
	if (!take(request, 0, header, *at))
		return false;
	uint8_t medium_type = ten ? header[2] : header[1];
	if (medium_type != 0) {
		lf_sense_invalid_field_in_list(request, ten ? 2 : 1, LF_NO_BIT);
		return false;
	}
	if (ten && (header[4] & ~LONGLBA) != 0) {
		bad_bits(request, 4, header[4] & ~(uint32_t)LONGLBA);
		return false;
	}
	*descriptors = ten ? lf_get_be16(header + 6) : header[3];
	if (*descriptors != 0 && *descriptors != (header[4] & LONGLBA ? 16u : 8u)) {
		lf_sense_invalid_field_in_list(request, (uint16_t)length_at, LF_NO_BIT);
		return false;
	}
	return true;
}

/*
 * The size of a unit is not the initiators' to set: zero leaves it as it is, all ones means all there is
 * (SBC-4 6.5.2), and so does the number itself.
 */
static bool take_descriptor(struct lf_lu *lu, struct lf_request *request, uint32_t *at, uint32_t length)
{
	uint8_t bytes[16];
	bool long_form = length == 16;

	if (length == 0)
		return true;
	if (!take(request, *at, bytes, length))
		return false;
	uint64_t most = long_form ? UINT64_MAX : UINT32_MAX;
	uint64_t blocks = long_form ? lf_get_be64(bytes) : lf_get_be32(bytes);
	uint32_t size = long_form ? lf_get_be32(bytes + 12) : lf_get_be24(bytes + 5);
	if (blocks != 0 && blocks != most && blocks != lf_min(lu->info.block_count, most)) {
		lf_sense_invalid_field_in_list(request, (uint16_t)*at, LF_NO_BIT);
		return false;
	}
	uint32_t reserved_at = long_form ? 8 : 4, reserved = long_form ? lf_get_be32(bytes + 8) : bytes[4];
	if (reserved != 0) {
		lf_sense_invalid_field_in_list(request, (uint16_t)(*at + reserved_at), LF_NO_BIT);
		return false;
	}
	if (size != 0 && size != lu->info.block_size) {
		lf_sense_invalid_field_in_list(request, (uint16_t)(*at + (long_form ? 12 : 5)), LF_NO_BIT);
		return false;
	}
	*at += length;
	return true;
}

/* The page whose header stands at `at` of the list. */
static const struct lf_mode_page *find_page(
	struct lf_lu *lu, struct lf_request *request, uint32_t at, uint32_t *values_at)
{
	uint8_t header[4] = {0};
	const struct lf_mode_page *page = NULL;

	if (!take(request, at, header, 2) || ((header[0] & SPF) && !take(request, at, header, 4)))
		return NULL;
	uint8_t code = header[0] & 0x3f, subpage = header[0] & SPF ? header[1] : 0;
	while ((page = lf_mode_page_next(lu, page, values_at)) != NULL)
		if (page->code == code && page->subpage == subpage && !(header[0] & SPF) == (subpage == 0))
			break;
	if (page == NULL) {
		lf_sense_invalid_field_in_list(request, (uint16_t)at, 5);
		return NULL;
	}
	uint32_t length = subpage == 0 ? 2u + header[1] : 4u + lf_get_be16(header + 2);
	if (length != page->length) {
		lf_sense_invalid_field_in_list(request, (uint16_t)(at + (subpage == 0 ? 1 : 2)), LF_NO_BIT);
		return NULL;
	}
	return page;
}

/* The changeable bits of one page become wanted ones; all others have to be as MODE SENSE tells them. */
static bool take_page(struct lf_lu *lu, struct lf_request *request, uint32_t *at)
{
	uint8_t bytes[LF_MODE_PAGE_LONGEST], current[LF_MODE_PAGE_LONGEST];
	uint32_t values_at;
	const struct lf_mode_page *page = find_page(lu, request, *at, &values_at);

	if (page == NULL || !take(request, *at, bytes, page->length))
		return false;
	uint8_t *wanted = lu->modes.wanted + values_at;
	memcpy(current, wanted, page->length);
	if (page->fill != NULL)
		page->fill(lu, current);
	for (uint32_t i = page->subpage == 0 ? 2 : 4; i < page->length; i++) {
		uint32_t bad = (bytes[i] ^ current[i]) & ~(uint32_t)page->changeable[i];
		if (bad != 0) {
			bad_bits(request, *at + i, bad);
			return false;
		}
		wanted[i] = (uint8_t)((wanted[i] & ~page->changeable[i]) | (bytes[i] & page->changeable[i]));
	}
	uint32_t wrong = page->check == NULL ? 0 : page->check(bytes);
	if (wrong != 0) {
		bad_bits(request, *at + wrong, page->changeable[wrong]);
		return false;
	}
	lu->modes.touched |= lf_mode_page_bit(page);
	*at += page->length;
	return true;
}

static bool take_list(struct lf_lu *lu, struct lf_request *request)
{
	uint32_t at, descriptors;

	lf_lock(&lu->lock);
	memcpy(lu->modes.wanted, lu->modes.current, LF_MODE_BYTES);
	lf_unlock(&lu->lock);
	lu->modes.touched = 0;
	if (!take_header(request, &at, &descriptors) || !take_descriptor(lu, request, &at, descriptors))
		return false;
	if (at < request->data_length && !(request->cdb[1] & PF)) { /* pages of no format that is known */
		lf_sense_invalid_field_in_cdb(request, 1, 4);
		return false;
	}
	while (at < request->data_length)
		if (!take_page(lu, request, &at))
			return false;
	return true;
}

/* ---- What was taken takes effect ---- */

enum { SELECT_FLUSH, SELECT_SAVE, SELECT_COMMIT };

/*
 * A reset restores the saved values after it has marked this command: either it finds these here, or this
 * finds the mark.
 */
static void commit(struct lf_lu *lu, struct lf_request *request)
{
	struct lf_modes *modes = &lu->modes;

	lf_lock(&lu->lock);
	bool aborted = lf_request_is_aborted(request);
	bool changed = memcmp(modes->current, modes->wanted, LF_MODE_BYTES) != 0;
	if (!aborted) {
		memcpy(modes->current, modes->wanted, LF_MODE_BYTES);
		lf_modes_apply_locked(lu, modes->touched);
	}
	lf_unlock(&lu->lock);
	if (aborted) {
		lf_finish_aborted(request);
		return;
	}
	if (changed)
		lf_ua_raise(lu, LF_UA_MODE_CHANGED, request->nexus);
	if (lf_exception_take(lu, LF_EXCEPTION_UNIT_ATTENTION))
		lf_ua_raise(lu, LF_UA_FAILURE_PREDICTED, NULL);
	lf_finish_good(request, request->data_length);
}

static bool select_next(struct lf_lu *lu, struct lf_request *request);

static void select_done(struct lf_io *io)
{
	lf_steps_done(io, select_next);
}

/* They are saved even if the command was aborted meanwhile. */
static void save_done(struct lf_io *io)
{
	struct lf_request *request = lf_container(io, struct lf_request, io);

	if (io->error == LF_OK)
		lf_modes_were_saved(request->lu);
	lf_steps_done(io, select_next);
}

static bool wants_flush(const struct lf_lu *lu)
{
	return lu->store != NULL && !lu->read_only && lf_modes_drop_cache(lu);
}

/* What was acknowledged is stable before the cache is off, and what is saved is before anybody meets it. */
static bool select_next(struct lf_lu *lu, struct lf_request *request)
{
	if (request->io.error != LF_OK) {
		lf_finish_error(request, true, LF_NO_INFORMATION);
		return false;
	}
	if (request->step == SELECT_FLUSH) {
		request->step = SELECT_SAVE;
		if (wants_flush(lu)) {
			lf_prepare_flush(request, select_done);
			return true;
		}
	}
	if (request->step == SELECT_SAVE) {
		request->step = SELECT_COMMIT;
		if (request->cdb[1] & SP) {
			lu->modes.saving = true;
			lf_saved_prepare(lu, request, lu->reservations->now, save_done);
			lu->modes.saving = false;
			return true;
		}
	}
	commit(lu, request);
	return false;
}

void lf_mode_select(struct lf_lu *lu, struct lf_request *request)
{
	bool save = (request->cdb[1] & SP) != 0;

	if (save && !lf_modes_can_save(lu)) {
		lf_sense_saving_not_supported(request);
		lf_finish(request);
		return;
	}
	if (request->data_length == 0) {
		lf_finish_good(request, 0);
		return;
	}
	/* Alone: no write that was let off being stable, or being refused, is under way when this ends. */
	if (!lf_exclusive_get(lu, request) || (save && !lf_scratch_get(lu, request)))
		return;
	if (!take_list(lu, request)) {
		lf_finish(request);
		return;
	}
	request->step = SELECT_FLUSH;
	request->io.error = LF_OK;
	lf_steps_run(lu, request, select_next);
}
