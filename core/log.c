/* SPDX-License-Identifier: BSD-2-Clause */
/* log.c: LOG SENSE: what is true of a unit that is a file, and nothing else (SPC-4 6.7, 7.3; SBC-4 6.4). */
#include "core/handlers.h"

#define PAGE_MOST   128
#define NO_READING  0xff /* of a temperature: there is no valid one */
#define LIST_FORMAT 0x03 /* FORMAT AND LINKING of a parameter: binary list; nothing else is said */
#define COUNTER     0x02 /* a data counter without bounds */

/* PC: what is asked for; thresholds stand beside counters only. */
enum { PC_THRESHOLD, PC_CUMULATIVE, PC_DEFAULT_THRESHOLD, PC_DEFAULT_CUMULATIVE };

/* Starts a parameter whose value, zero for now, then follows; returns its length with the header. */
static uint32_t put_parameter(uint8_t *to, uint16_t code, uint8_t control, uint8_t length)
{
	lf_put_be16(to, code);
	to[2] = control;
	to[3] = length;
	memset(to + 4, 0, length);
	return 4u + length;
}

/* ---- The pages: each fills in its parameters and returns their length ---- */

static uint32_t temperature(struct lf_lu *lu, uint8_t *to)
{
	(void)lu;
	uint32_t length = put_parameter(to, 0x0000, LIST_FORMAT, 2);
	to[5] = NO_READING;
	return length;
}

/* No scan is ever under way; how long the unit has been there is all that is known. */
static uint32_t background_scan(struct lf_lu *lu, uint8_t *to)
{
	const uint64_t minute_ns = 60ull * 1000 * 1000 * 1000;
	uint32_t length = put_parameter(to, 0x0000, LIST_FORMAT, 12);

	lf_put_be32(to + 4, (uint32_t)lf_min((lf_time_ns() - lu->since_ns) / minute_ns, UINT32_MAX));
	return length;
}

/*
 * Processing intervals are microseconds, summed over commands that may have run side by side. The weighted
 * sums are not kept, which is said by zero.
 */
static uint32_t statistics(struct lf_lu *lu, uint8_t *to)
{
	struct lf_lu_counters counters;
	uint32_t length = put_parameter(to, 0x0001, COUNTER, 64);

	lf_lu_count(lu, &counters);
	lf_put_be64(to + 4, counters.reads.count);
	lf_put_be64(to + 12, counters.writes.count);
	lf_put_be64(to + 20, counters.writes.bytes >> lu->block_shift);
	lf_put_be64(to + 28, counters.reads.bytes >> lu->block_shift);
	lf_put_be64(to + 36, counters.reads.time_ns / 1000);
	lf_put_be64(to + 44, counters.writes.time_ns / 1000);
	uint8_t *interval = to + length;
	length += put_parameter(interval, 0x0003, LIST_FORMAT, 8);
	lf_put_be32(interval + 4, 6); /* one, times ten to the power of minus six, seconds */
	lf_put_be32(interval + 8, 1);
	return length;
}

static uint32_t exceptions(struct lf_lu *lu, uint8_t *to)
{
	uint32_t length = put_parameter(to, 0x0000, LIST_FORMAT, 4);

	if (lf_atomic_load_u32(&lu->exception) != LF_EXCEPTION_NONE)
		lf_put_be16(to + 4, 0x5dff); /* nobody was told of it yet */
	to[6] = NO_READING;
	return length;
}

/* By ascending page code: the order of page 00h. */
static const struct log_page {
	uint8_t code;
	uint32_t types;
	bool counts;
	uint32_t (*fill)(struct lf_lu *lu, uint8_t *to);
} pages[] = {
	{0x0d, LF_CMD_DISK, false, temperature},
	{0x15, LF_CMD_DISK, false, background_scan},
	{0x19, LF_CMD_DISK | LF_CMD_CDROM, true, statistics},
	{0x2f, LF_CMD_DISK | LF_CMD_CDROM, false, exceptions},
};

static bool has_page(const struct lf_lu *lu, const struct log_page *page)
{
	return (page->types & (lu->type == LF_LU_DISK ? LF_CMD_DISK : LF_CMD_CDROM)) != 0;
}

/* ---- LOG SENSE ---- */

/* Page 00h: the codes; 00h/FFh: codes and subpage codes, of itself, too. */
static uint32_t supported_pages(const struct lf_lu *lu, bool subpages, uint8_t *to)
{
	uint32_t length = 0;

	to[length++] = 0x00;
	if (subpages) {
		to[length++] = 0x00;
		to[length++] = 0x00;
		to[length++] = 0xff;
	}
	for (uint32_t i = 0; i < lf_count_of(pages); i++) {
		if (!has_page(lu, &pages[i]))
			continue;
		to[length++] = pages[i].code;
		if (subpages)
			to[length++] = 0x00;
	}
	return length;
}

/* Takes the parameters before the pointer off; false when there are none behind it. */
static bool skip_parameters(uint8_t *parameters, uint32_t *length, uint16_t pointer)
{
	uint32_t at = 0;

	while (at < *length && lf_get_be16(parameters + at) < pointer)
		at += 4u + parameters[at + 3];
	if (at == *length)
		return false;
	*length -= at;
	memmove(parameters, parameters + at, *length);
	return true;
}

/* The values that a reset of the counters would leave. */
static void clear_counters(uint8_t *parameters, uint32_t length)
{
	for (uint32_t at = 0; at < length; at += 4u + parameters[at + 3])
		if (parameters[at + 2] == COUNTER)
			memset(parameters + at + 4, 0, parameters[at + 3]);
}

/* Fills in what follows the page's header; false when it has set CHECK CONDITION. */
static bool fill_page(struct lf_lu *lu, struct lf_request *request, const struct log_page *page, uint8_t *to,
	uint32_t *length)
{
	uint8_t control = request->cdb[2] >> 6;

	if (page->counts && (control == PC_THRESHOLD || control == PC_DEFAULT_THRESHOLD)) { /* none is kept */
		lf_sense_invalid_field_in_cdb(request, 2, 7);
		return false;
	}
	*length = page->fill(lu, to);
	if (control == PC_DEFAULT_CUMULATIVE)
		clear_counters(to, *length);
	if (!skip_parameters(to, length, lf_get_be16(request->cdb + 5))) {
		lf_sense_invalid_field_in_cdb(request, 5, LF_NO_BIT);
		return false;
	}
	return true;
}

void lf_log_sense(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t code = request->cdb[2] & 0x3f, subpage = request->cdb[3], reply[4 + PAGE_MOST] = {code};
	const struct log_page *page = NULL;
	uint32_t length = 0;

	for (uint32_t i = 0; i < lf_count_of(pages); i++)
		if (pages[i].code == code && has_page(lu, &pages[i]))
			page = &pages[i];
	bool fine = false, all = code == 0x00;
	if (page == NULL && !all) {
		lf_sense_invalid_field_in_cdb(request, 2, 5);
	} else if (subpage != 0 && !(all && subpage == 0xff)) {
		lf_sense_invalid_field_in_cdb(request, 3, LF_NO_BIT);
	} else if (!all) {
		fine = fill_page(lu, request, page, reply + 4, &length);
	} else if (lf_get_be16(request->cdb + 5) != 0) { /* these have no parameters */
		lf_sense_invalid_field_in_cdb(request, 5, LF_NO_BIT);
	} else {
		length = supported_pages(lu, subpage != 0, reply + 4);
		fine = true;
	}
	if (!fine) {
		lf_finish(request);
		return;
	}
	if (subpage != 0) {
		reply[0] |= 0x40; /* SPF */
		reply[1] = subpage;
	}
	lf_put_be16(reply + 2, (uint16_t)length);
	lf_finish_reply(request, reply, 4 + length);
}
