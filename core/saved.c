/* SPDX-License-Identifier: BSD-2-Clause */
/* saved.c: what a unit keeps over a loss of power, as the one blob that its store saves (LF_OP_SAVE). */
#include "core/reservation.h"

/*
 * The blob: MAGIC, VERSION and two reserved bytes; then sections: type (2), length (2), bytes. Big-endian. A
 * section of another type is passed over: it is of a later day. The store has a checksum, but a file can be
 * anything, so every byte is checked all the same, and a blob is taken whole or not at all.
 */
#define MAGIC          0x4c46756eu /* "LFun" */
#define VERSION        1
#define HEADER         8
#define SECTION_HEADER 4

enum section { SECTION_RESERVATIONS = 1, SECTION_MODES = 2 };

/* Reservations: type and a reserved byte, count (2); then so many of these, and the name behind each: */
#define RESERVATIONS_HEADER 4
#define REGISTRATION_HEADER                                                                                  \
	14 /* key (8), relative port (2), protocol, 1 for the holder, name's length (2)                      \
	    */

_Static_assert(LF_REGISTRATIONS_MAX *(REGISTRATION_HEADER + 255) + RESERVATIONS_HEADER <= 0xffff,
	"all registrations fit in a section");
_Static_assert(HEADER + SECTION_HEADER + LF_REGISTRATIONS_MAX * (REGISTRATION_HEADER + 255) <=
		       LF_SAVED_BYTES - 16384,
	"there is room for other sections");

/* One without a name could never come again: it is not saved, nor is a reservation that it holds. */
static uint32_t put_reservations(const struct lf_reservation_table *table, uint8_t *to)
{
	bool all = lf_pr_type_is_all_registrants(table->type), held = false;
	uint32_t length = RESERVATIONS_HEADER, count = 0;

	for (uint32_t i = 0; i < LF_REGISTRATIONS_MAX; i++) {
		const struct lf_registration *slot = &table->slots[i];
		uint32_t name = (uint32_t)strlen(slot->port);
		if (slot->key == 0 || name == 0)
			continue;
		lf_put_be64(to + length, slot->key);
		lf_put_be16(to + length + 8, slot->relative_port);
		to[length + 10] = slot->protocol;
		to[length + 11] = slot->holder;
		lf_put_be16(to + length + 12, (uint16_t)name);
		memcpy(to + length + REGISTRATION_HEADER, slot->port, name);
		length += REGISTRATION_HEADER + name;
		held |= slot->holder;
		count++;
	}
	to[0] = held || (all && count > 0) ? table->type : LF_PR_NONE;
	to[1] = 0;
	lf_put_be16(to + 2, (uint16_t)count);
	return length;
}

/* The header of a section whose bytes stand behind it; returns the length of both. */
static uint32_t put_section(uint8_t *to, enum section type, uint32_t bytes)
{
	lf_put_be16(to, (uint16_t)type);
	lf_put_be16(to + 2, (uint16_t)bytes);
	return SECTION_HEADER + bytes;
}

uint32_t lf_saved_build(struct lf_lu *lu, const struct lf_reservation_table *table, uint8_t *to)
{
	uint32_t length = HEADER;

	lf_put_be32(to, MAGIC);
	lf_put_be16(to + 4, VERSION);
	lf_put_be16(to + 6, 0);
	lf_lock(&lu->lock); /* one without a name may leave the table meanwhile */
	if (table->aptpl)
		length += put_section(to + length, SECTION_RESERVATIONS,
			put_reservations(table, to + length + SECTION_HEADER));
	uint32_t modes = lf_modes_save(lu, to + length + SECTION_HEADER);
	if (modes > 0)
		length += put_section(to + length, SECTION_MODES, modes);
	lf_unlock(&lu->lock);
	return length;
}

/* A name of printable characters; the slot is zero. */
static bool read_name(struct lf_registration *slot, const uint8_t *from, size_t length)
{
	if (length == 0 || length >= sizeof(slot->port))
		return false;
	for (size_t i = 0; i < length; i++)
		if (from[i] < 0x20 || from[i] == 0x7f)
			return false;
	memcpy(slot->port, from, length);
	return true;
}

/* Returns how many bytes it took, 0 when they make no registration. */
static size_t read_registration(struct lf_reservation_table *table, const uint8_t *from, size_t length)
{
	struct lf_registration *slot = &table->slots[table->count];

	if (length < REGISTRATION_HEADER)
		return 0;
	size_t name = lf_get_be16(from + 12);
	if (name > length - REGISTRATION_HEADER || !read_name(slot, from + REGISTRATION_HEADER, name))
		return 0;
	struct lf_registrant who = {.port = slot->port, .relative_port = lf_get_be16(from + 8)};
	uint64_t key = lf_get_be64(from);
	if (key == 0 || from[10] > 0xf || from[11] > 1 || lf_registration_find(table, &who) != NULL ||
		(from[11] && lf_reservation_holder(table) != NULL))
		return 0;
	slot->key = key;
	slot->relative_port = who.relative_port;
	slot->protocol = from[10];
	slot->holder = from[11];
	table->count++;
	return REGISTRATION_HEADER + name;
}

/* The table is zero. */
static bool read_reservations(struct lf_reservation_table *table, const uint8_t *from, size_t length)
{
	if (length < RESERVATIONS_HEADER || from[1] != 0 || (from[0] != 0 && !lf_pr_type_is_valid(from[0])))
		return false;
	uint32_t count = lf_get_be16(from + 2);
	if (count > LF_REGISTRATIONS_MAX)
		return false;
	size_t at = RESERVATIONS_HEADER;
	for (uint32_t i = 0; i < count; i++) {
		size_t took = read_registration(table, from + at, length - at);
		if (took == 0)
			return false;
		at += took;
	}
	table->type = from[0];
	table->aptpl = true;
	bool all = lf_pr_type_is_all_registrants(table->type);
	bool has_holder = lf_reservation_holder(table) != NULL;
	bool wants_holder = table->type != LF_PR_NONE && !all;
	return at == length && has_holder == wants_holder && !(all && table->count == 0);
}

bool lf_saved_read(struct lf_lu *lu, const uint8_t *from, size_t length)
{
	struct lf_reservations *all = lu->reservations;
	struct lf_reservation_table *table = all->next;
	const uint8_t *modes = NULL;
	size_t at = HEADER, modes_length = 0;

	memset(table, 0, sizeof(*table));
	if (length < HEADER || length > LF_SAVED_BYTES || lf_get_be32(from) != MAGIC ||
		lf_get_be16(from + 4) != VERSION || lf_get_be16(from + 6) != 0)
		return false;
	while (at < length) {
		if (length - at < SECTION_HEADER)
			return false;
		uint32_t type = lf_get_be16(from + at);
		size_t bytes = lf_get_be16(from + at + 2);
		at += SECTION_HEADER;
		if (bytes > length - at)
			return false;
		if (type == SECTION_RESERVATIONS &&
			(table->aptpl || !read_reservations(table, from + at, bytes)))
			return false;
		if (type == SECTION_MODES) {
			modes = from + at;
			modes_length = bytes;
		}
		at += bytes;
	}
	if (modes != NULL && !lf_modes_load(lu, modes, (uint32_t)modes_length))
		return false;
	all->next = all->now;
	all->now = table;
	return true;
}

void lf_saved_prepare(struct lf_lu *lu, struct lf_request *request, const struct lf_reservation_table *table,
	void (*done)(struct lf_io *io))
{
	request->scratch_segment = (struct lf_segment){request->scratch, LF_SCRATCH_BYTES};
	request->io = (struct lf_io){.op = LF_OP_SAVE,
		.length_bytes = lf_saved_build(lu, table, request->scratch),
		.segments = &request->scratch_segment,
		.segment_count = 1,
		.done = done};
}

void lf_saved_write(struct lf_lu *lu, struct lf_request *request, const struct lf_reservation_table *table,
	void (*done)(struct lf_io *io))
{
	lf_saved_prepare(lu, request, table, done);
	lf_lu_submit_io(lu, request);
}
