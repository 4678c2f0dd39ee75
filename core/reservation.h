/* SPDX-License-Identifier: BSD-2-Clause */
/* reservation.h: registrations and reservations of a unit (SPC-4 5.13): their table, its rules, their saving.
 */
#ifndef LF_CORE_RESERVATION_H
#define LF_CORE_RESERVATION_H

#include "core/core.h"

/* Service actions of PERSISTENT RESERVE OUT (SPC-4 6.16.2). */
enum lf_reservation_action {
	LF_PR_REGISTER = 0x00,
	LF_PR_RESERVE = 0x01,
	LF_PR_RELEASE = 0x02,
	LF_PR_CLEAR = 0x03,
	LF_PR_PREEMPT = 0x04,
	LF_PR_PREEMPT_AND_ABORT = 0x05,
	LF_PR_REGISTER_AND_IGNORE = 0x06,
};

/* SPC-4 6.15.3.4; the values are those of the TYPE field. */
enum lf_reservation_type {
	LF_PR_NONE = 0,
	LF_PR_WRITE_EXCLUSIVE = 1,
	LF_PR_EXCLUSIVE_ACCESS = 3,
	LF_PR_WRITE_EXCLUSIVE_REGISTRANTS_ONLY = 5,
	LF_PR_EXCLUSIVE_ACCESS_REGISTRANTS_ONLY = 6,
	LF_PR_WRITE_EXCLUSIVE_ALL_REGISTRANTS = 7,
	LF_PR_EXCLUSIVE_ACCESS_ALL_REGISTRANTS = 8,
};

/* Who registers: an initiator port through a target port. One without a name is known while it is here. */
struct lf_registrant {
	const char *port;  /* "" when it has no name */
	uint64_t nexus_id; /* counts only then */
	uint16_t relative_port;
	uint8_t protocol;
};

struct lf_registration {
	uint64_t key; /* 0: the slot is free */
	uint64_t nexus_id;
	uint16_t relative_port;
	uint8_t protocol;
	bool holder; /* of a reservation that is not of an all registrants type */
	char port[256];
};

struct lf_reservation_table {
	uint32_t generation, count;
	uint8_t type; /* enum lf_reservation_type */
	bool aptpl;   /* registrations and reservation survive a loss of power */
	struct lf_registration slots[LF_REGISTRATIONS_MAX];
};

/* What a PERSISTENT RESERVE OUT asks for. */
struct lf_reservation_order {
	enum lf_reservation_action action;
	uint8_t type;
	uint64_t key, action_key;
	bool aptpl;
};

enum lf_reservation_verdict {
	LF_PR_DONE,
	LF_PR_CONFLICT,
	LF_PR_INVALID_RELEASE, /* 05/26/04 */
	LF_PR_INVALID_KEY,     /* 05/26/00, SERVICE ACTION RESERVATION KEY */
	LF_PR_NO_ROOM,         /* 05/55/04 */
};

/* What follows from a change for those whom it befell. */
struct lf_reservation_change {
	enum lf_ua lost; /* for those who are registered no more; LF_UA_COUNT: nothing */
	bool released;   /* 2A/04 for those who still are */
	bool abort;      /* tasks of those who are no more end */
};

/* All that a unit has of it. */
struct lf_reservations {
	struct lf_reservation_table tables[2];
	struct lf_reservation_table *now; /* changed only by who is alone on the unit, or as a nexus goes */
	struct lf_reservation_table
		*next;        /* what now will be once it is saved; of the command that is alone */
	uint64_t reserved_by; /* nexus id of who used RESERVE (SPC-2), or 0 */

	/* Of the command that is alone. */
	struct lf_reservation_change change;
	struct lf_request *request;
	struct lf_waiter waiter;
};

static inline bool lf_pr_type_is_valid(uint32_t type)
{
	return type == 1 || type == 3 || (type >= 5 && type <= 8);
}

/* Of every one that is registered, as opposed to one holder. */
static inline bool lf_pr_type_is_all_registrants(uint32_t type)
{
	return type == LF_PR_WRITE_EXCLUSIVE_ALL_REGISTRANTS ||
	       type == LF_PR_EXCLUSIVE_ACCESS_ALL_REGISTRANTS;
}

/* Registrants only or all registrants: whoever is registered meets no conflict. */
static inline bool lf_pr_type_spares_registrants(uint32_t type)
{
	return type >= LF_PR_WRITE_EXCLUSIVE_REGISTRANTS_ONLY;
}

static inline bool lf_pr_type_allows_reads(uint32_t type)
{
	return type == LF_PR_WRITE_EXCLUSIVE || type == LF_PR_WRITE_EXCLUSIVE_REGISTRANTS_ONLY ||
	       type == LF_PR_WRITE_EXCLUSIVE_ALL_REGISTRANTS;
}

/* ---- reservation.c: the table and its rules; no lock, no unit ---- */

struct lf_registration *lf_registration_find(
	struct lf_reservation_table *table, const struct lf_registrant *who);
/* The one that holds the reservation alone, or NULL. */
struct lf_registration *lf_reservation_holder(struct lf_reservation_table *table);
/* Whether whoever has this registration (NULL: none) may do as if there were no reservation. */
bool lf_reservation_spares(
	const struct lf_reservation_table *table, const struct lf_registration *registration);
/* Carries out what is asked for; the table is as before unless the verdict is LF_PR_DONE. */
enum lf_reservation_verdict lf_reservation_apply(struct lf_reservation_table *table,
	const struct lf_registrant *who, const struct lf_reservation_order *order,
	struct lf_reservation_change *change);
/* One that goes, with what it holds. */
void lf_registration_remove(struct lf_reservation_table *table, struct lf_registration *registration,
	struct lf_reservation_change *change);

/* ---- reservation_unit.c ---- */

struct lf_registrant lf_registrant_of(const struct lf_nexus *nexus);
/* Sets or clears LF_GATE_RESERVATION of each nexus, as the unit's reservation wants it. lu->lock is held. */
void lf_reservation_gates_locked(struct lf_lu *lu);
/* next takes the place of now; unit attentions for all but this nexus (NULL: for all). */
void lf_reservation_commit(
	struct lf_lu *lu, const struct lf_reservation_change *change, const struct lf_nexus *except);

/* ---- saved.c: what a unit keeps over a loss of power ---- */

/* Puts all of it, as it would be with this table; to has LF_SAVED_BYTES. Returns its length. */
#define LF_SAVED_BYTES LF_SCRATCH_BYTES
uint32_t lf_saved_build(struct lf_lu *lu, const struct lf_reservation_table *table, uint8_t *to);
/* Saves it by way of the command's scratch buffer, which it holds; done is the io's. */
void lf_saved_prepare(struct lf_lu *lu, struct lf_request *request, const struct lf_reservation_table *table,
	void (*done)(struct lf_io *io));
/* Likewise, and hands it to the store. */
void lf_saved_write(struct lf_lu *lu, struct lf_request *request, const struct lf_reservation_table *table,
	void (*done)(struct lf_io *io));

#endif
