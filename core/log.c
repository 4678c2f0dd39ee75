/* SPDX-License-Identifier: BSD-2-Clause */
/* log.c: LOG SENSE, LOG SELECT: what is true of a unit that is a file, and nothing else (SPC-4 6.6, 6.7, 7.3;
 * SBC-4 6.4). */
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

static uint32_t temperature(const struct lf_request *request, uint8_t *to)
{
	(void)request;
	uint32_t length = put_parameter(to, 0x0000, LIST_FORMAT, 2);
	to[5] = NO_READING;
	return length;
}

/* No scan is ever under way; how long the unit has been there is all that is known. */
static uint32_t background_scan(const struct lf_request *request, uint8_t *to)
{
	const uint64_t minute_ns = 60ull * 1000 * 1000 * 1000;
	uint32_t length = put_parameter(to, 0x0000, LIST_FORMAT, 12);

	lf_put_be32(to + 4, (uint32_t)lf_min((lf_time_ns() - request->lu->since_ns) / minute_ns, UINT32_MAX));
	return length;
}

/* Since the unit came. */
static void count(struct lf_lu *lu, uint64_t counts[LF_LOG_COUNTERS])
{
	struct lf_lu_counters counters;

	lf_lu_count(lu, &counters);
	counts[LF_LOG_READS] = counters.reads.count;
	counts[LF_LOG_WRITES] = counters.writes.count;
	counts[LF_LOG_BYTES_WRITTEN] = counters.writes.bytes;
	counts[LF_LOG_BYTES_READ] = counters.reads.bytes;
	counts[LF_LOG_READ_NS] = counters.reads.time_ns;
	counts[LF_LOG_WRITE_NS] = counters.writes.time_ns;
}

/*
 * Processing intervals are microseconds, summed over commands that may have run side by side. The weighted
 * sums are not kept, which is said by zero.
 */
static uint32_t statistics(const struct lf_request *request, uint8_t *to)
{
	struct lf_lu *lu = request->lu;
	uint64_t counts[LF_LOG_COUNTERS];
	uint32_t length = put_parameter(to, 0x0001, COUNTER, 64);

	lf_lock(&lu->lock); /* so that nothing is reset between the two */
	count(lu, counts);
	for (uint32_t i = 0; i < LF_LOG_COUNTERS; i++)
		counts[i] -= lu->log_from[i];
	lf_unlock(&lu->lock);
	counts[LF_LOG_BYTES_WRITTEN] >>= lu->block_shift;
	counts[LF_LOG_BYTES_READ] >>= lu->block_shift;
	counts[LF_LOG_READ_NS] /= 1000;
	counts[LF_LOG_WRITE_NS] /= 1000;
	for (uint32_t i = 0; i < LF_LOG_COUNTERS; i++)
		lf_put_be64(to + 4 + 8 * i, counts[i]);
	uint8_t *interval = to + length;
	length += put_parameter(interval, 0x0003, LIST_FORMAT, 8);
	lf_put_be32(interval + 4, 6); /* one, times ten to the power of minus six, seconds */
	lf_put_be32(interval + 8, 1);
	return length;
}

static uint32_t exceptions(const struct lf_request *request, uint8_t *to)
{
	uint32_t length = put_parameter(to, 0x0000, LIST_FORMAT, 4);

	if (lf_atomic_load_u32(&request->lu->exception) != LF_EXCEPTION_NONE)
		lf_put_be16(to + 4, 0x5dff); /* nobody was told of it yet */
	to[6] = NO_READING;
	return length;
}

enum scope { SCOPE_DEDICATED = 1, SCOPE_SHARED = 2 };

/* SBC-4 6.4.4: a count of threshold sets, each a single block where THRESHOLD EXPONENT is zero. */
static uint32_t put_resources(uint8_t *to, uint16_t code, uint64_t blocks, enum scope scope)
{
	uint32_t length = put_parameter(to, code, LIST_FORMAT, 8);

	lf_put_be32(to + 4, (uint32_t)lf_min(blocks, (uint64_t)UINT32_MAX)); /* or more */
	to[8] = (uint8_t)scope;
	return length;
}

/* By what the store has just said. */
static uint32_t provisioning(const struct lf_request *request, uint8_t *to)
{
	const struct lf_lu *lu = request->lu;
	const struct lf_io *io = &request->io;
	uint64_t capacity = lu->info.block_count, part = io->used_bytes & (lu->info.block_size - 1);
	uint64_t used = lf_min((io->used_bytes >> lu->block_shift) + (part != 0), capacity);
	uint64_t available = lf_min(io->available_bytes >> lu->block_shift, capacity - used);

	uint32_t length = put_resources(to, 0x0001, available, SCOPE_SHARED);
	return length + put_resources(to + length, 0x0002, used, SCOPE_DEDICATED);
}

#define PROVISIONING_PAGE 0x0c

/* By ascending page code: the order of page 00h. */
static const struct log_page {
	uint8_t code;
	uint32_t types;
	bool counts;
	uint32_t (*fill)(const struct lf_request *request, uint8_t *to);
} pages[] = {
	{PROVISIONING_PAGE, LF_CMD_DISK, false, provisioning},
	{0x0d, LF_CMD_DISK, false, temperature},
	{0x15, LF_CMD_DISK, false, background_scan},
	{0x19, LF_CMD_DISK | LF_CMD_CDROM, true, statistics},
	{0x2f, LF_CMD_DISK | LF_CMD_CDROM, false, exceptions},
};

static bool has_page(const struct lf_lu *lu, const struct log_page *page)
{
	if (page->code == PROVISIONING_PAGE && !(lu->info.can_unmap && lu->info.tells_usage))
		return false;
	return (page->types & (lu->type == LF_LU_DISK ? LF_CMD_DISK : LF_CMD_CDROM)) != 0;
}

/* NULL: the unit has none of that code. */
static const struct log_page *find_page(const struct lf_lu *lu, uint8_t code)
{
	for (uint32_t i = 0; i < lf_count_of(pages); i++)
		if (pages[i].code == code && has_page(lu, &pages[i]))
			return &pages[i];
	return NULL;
}

/* ---- LOG SENSE ---- */

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
static bool fill_page(struct lf_request *request, const struct log_page *page, uint8_t *to, uint32_t *length)
{
	uint8_t control = request->cdb[2] >> 6;

	if (page->counts && (control == PC_THRESHOLD || control == PC_DEFAULT_THRESHOLD)) { /* none is kept */
		lf_sense_invalid_field_in_cdb(request, 2, 7);
		return false;
	}
	*length = page->fill(request, to);
	if (control == PC_DEFAULT_CUMULATIVE)
		clear_counters(to, *length);
	if (!skip_parameters(to, length, lf_get_be16(request->cdb + 5))) {
		lf_sense_invalid_field_in_cdb(request, 5, LF_NO_BIT);
		return false;
	}
	return true;
}

static void finish_page(struct lf_request *request, const struct log_page *page)
{
	uint8_t reply[4 + PAGE_MOST] = {page->code};
	uint32_t length;

	if (!fill_page(request, page, reply + 4, &length)) {
		lf_finish(request);
		return;
	}
	lf_put_be16(reply + 2, (uint16_t)length);
	lf_finish_reply(request, reply, 4 + length);
}

static void usage_done(struct lf_io *io)
{
	struct lf_request *request = lf_container(io, struct lf_request, io);

	lf_check_io_done(io);
	if (io->error != LF_OK)
		lf_finish_error(request, false, LF_NO_INFORMATION);
	else
		finish_page(request, find_page(request->lu, PROVISIONING_PAGE));
}

/* Page 00h: the codes; 00h/FFh: codes and subpage codes, of itself, too. */
static void finish_supported_pages(struct lf_request *request, uint8_t subpage)
{
	uint8_t reply[4 + PAGE_MOST] = {subpage != 0 ? 0x40 : 0x00, subpage}; /* SPF */
	uint32_t at = 4;

	reply[at++] = 0x00;
	if (subpage != 0) {
		reply[at++] = 0x00;
		reply[at++] = 0x00;
		reply[at++] = 0xff;
	}
	for (uint32_t i = 0; i < lf_count_of(pages); i++) {
		if (!has_page(request->lu, &pages[i]))
			continue;
		reply[at++] = pages[i].code;
		if (subpage != 0)
			reply[at++] = 0x00;
	}
	lf_put_be16(reply + 2, (uint16_t)(at - 4));
	lf_finish_reply(request, reply, at);
}

/* False when it has set CHECK CONDITION. */
static bool is_there(struct lf_request *request, bool page, uint8_t subpage, bool any_subpage)
{
	if (!page)
		lf_sense_invalid_field_in_cdb(request, 2, 5);
	else if (subpage != 0 && !(any_subpage && subpage == 0xff))
		lf_sense_invalid_field_in_cdb(request, 3, LF_NO_BIT);
	else
		return true;
	return false;
}

void lf_log_sense(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t code = request->cdb[2] & 0x3f, subpage = request->cdb[3];
	const struct log_page *page = find_page(lu, code);
	bool all = code == 0x00;

	if (!is_there(request, page != NULL || all, subpage, all)) {
		lf_finish(request);
	} else if (all && lf_get_be16(request->cdb + 5) != 0) { /* these have no parameters */
		lf_sense_invalid_field_in_cdb(request, 5, LF_NO_BIT);
		lf_finish(request);
	} else if (all) {
		finish_supported_pages(request, subpage);
	} else if (code == PROVISIONING_PAGE) {
		lf_prepare_flush(request, usage_done); /* no range, no data: as this one */
		request->io.op = LF_OP_USAGE;
		lf_lu_submit_io(lu, request);
	} else {
		finish_page(request, page);
	}
}

/* ---- LOG SELECT ---- */

#define PCR 0x02

/*
 * Nothing but counters can be reset, and no values are taken: the row refuses a parameter list, and SP. What
 * the operator is told goes on counting.
 */
void lf_log_select(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t code = request->cdb[2] & 0x3f;
	const struct log_page *page = find_page(lu, code);
	bool resets = (request->cdb[1] & PCR) || request->cdb[2] >> 6 == PC_DEFAULT_CUMULATIVE;

	if (!is_there(request, page != NULL || code == 0x00, request->cdb[3], true)) {
		lf_finish(request);
		return;
	}
	if (resets && (page == NULL || page->counts)) {
		lf_lock(&lu->lock);
		count(lu, lu->log_from);
		lf_unlock(&lu->lock);
		lf_ua_raise(lu, LF_UA_LOG_CHANGED, request->nexus);
	}
	lf_finish_good(request, 0);
}
