/* SPDX-License-Identifier: BSD-2-Clause */
/* nexus.c: initiators: their tables of units, their unit attentions; LUNs as eight bytes. */
#include "core/core.h"

/* SAM-5 4.7.7: peripheral device addressing below 256, flat space addressing above. */
uint64_t lf_lun_encode(uint32_t lun)
{
	return (uint64_t)(lun < 256 ? lun : 0x4000 | lun) << 48;
}

uint32_t lf_lun_decode(uint64_t lun)
{
	uint32_t first = (uint32_t)(lun >> 48);

	if ((lun & 0xffffffffffffull) != 0)
		return LF_LUN_ANY;
	if (first >> 14 == 1)
		return first & 0x3fff;
	return first < 256 ? first : LF_LUN_ANY;
}

struct lf_itl *lf_itl_find(struct lf_nexus *nexus, uint64_t lun)
{
	uint32_t number = lf_lun_decode(lun);

	if (number >= nexus->adapter->lun_count) /* LF_LUN_ANY is, too */
		return &nexus->absent;
	struct lf_itl **chunk = nexus->chunks[number / LF_LUN_CHUNK];
	struct lf_itl *itl = chunk == NULL ? NULL : chunk[number % LF_LUN_CHUNK];
	return itl == NULL ? &nexus->absent : itl;
}

/* The part of the nexus's table that holds the unit's address. */
static bool lf_chunk_prepare_locked(struct lf_nexus *nexus, uint32_t lun)
{
	struct lf_itl ***chunk = &nexus->chunks[lun / LF_LUN_CHUNK];

	if (*chunk != NULL)
		return true;
	struct lf_itl **fresh = lf_alloc(LF_LUN_CHUNK * sizeof(struct lf_itl *));
	if (fresh == NULL)
		return false;
	lf_lanes_stop(nexus->adapter);
	*chunk = fresh;
	lf_lanes_go(nexus->adapter);
	return true;
}

bool lf_itl_prepare_locked(struct lf_nexus *nexus, struct lf_lu *lu)
{
	struct lf_itl *itl = lf_chunk_prepare_locked(nexus, lu->lun) ? lf_alloc(sizeof(*itl)) : NULL;

	if (itl == NULL)
		return false;
	itl->lu = lu;
	itl->nexus = nexus;
	itl->attentions = 1u << LF_UA_POWER_ON;
	itl->gate = LF_GATE_UNIT_ATTENTION;
	lf_list_append(&nexus->itls, &itl->nexus_link);
	lf_lock(&lu->lock);
	lf_list_append(&lu->itls, &itl->link);
	lf_reservation_gate_locked(itl);
	lf_unlock(&lu->lock);
	return true;
}

void lf_itls_show_locked(struct lf_lu *lu)
{
	lf_lanes_stop(lu->adapter);
	lf_list_each(link, after, &lu->itls)
	{
		struct lf_itl *itl = lf_container(link, struct lf_itl, link);
		itl->nexus->chunks[lu->lun / LF_LUN_CHUNK][lu->lun % LF_LUN_CHUNK] = itl;
	}
	lf_lanes_go(lu->adapter);
}

void lf_itl_hide(struct lf_nexus *nexus, uint32_t lun)
{
	nexus->chunks[lun / LF_LUN_CHUNK][lun % LF_LUN_CHUNK] = NULL;
}

void lf_itl_free_locked(struct lf_itl *itl)
{
	lf_lock(&itl->lu->lock);
	lf_list_remove(&itl->link);
	lf_unlock(&itl->lu->lock);
	lf_list_remove(&itl->nexus_link);
	lf_free(itl);
}

static void lf_nexus_free_locked(struct lf_nexus *nexus)
{
	lf_list_each(link, after, &nexus->itls)
		lf_itl_free_locked(lf_container(link, struct lf_itl, nexus_link));
	for (uint32_t i = 0; i < lf_chunk_count(nexus->adapter); i++)
		lf_free(nexus->chunks[i]);
	lf_free(nexus);
}

static void lf_nexus_text(char *to, size_t size, const char *from)
{
	if (from != NULL)
		memcpy(to, from, lf_min(strlen(from), size - 1));
}

struct lf_nexus *lf_nexus_open(struct lf_adapter *adapter, const struct lf_nexus_options *options)
{
	struct lf_nexus *nexus =
		lf_alloc(sizeof(*nexus) + lf_chunk_count(adapter) * sizeof(nexus->chunks[0]));

	if (nexus == NULL)
		return NULL;
	lf_assert(options->target < adapter->target_count);
	nexus->adapter = adapter;
	nexus->target = options->target;
	nexus->port = options->port;
	nexus->absent.lu = adapter->absent;
	nexus->absent.nexus = nexus;
	lf_list_init(&nexus->itls);
	nexus->inventory_changed = options->inventory_changed;
	nexus->context = options->context;
	lf_nexus_text(nexus->initiator, sizeof(nexus->initiator), options->initiator);
	lf_nexus_text(nexus->initiator_port, sizeof(nexus->initiator_port), options->initiator_port);

	lf_lock(&adapter->lock);
	nexus->id = ++adapter->next_nexus_id;
	lf_list_each(link, after, &adapter->targets[nexus->target].lus)
	{
		struct lf_lu *lu = lf_container(link, struct lf_lu, link);
		if (lf_lu_is_leaving(lu))
			continue;
		if (lf_itl_prepare_locked(nexus, lu)) {
			lf_itls_show_locked(lu);
			continue;
		}
		lf_nexus_free_locked(nexus);
		lf_unlock(&adapter->lock);
		return NULL;
	}
	lf_list_append(&adapter->nexuses, &nexus->link);
	lf_unlock(&adapter->lock);
	lf_trace_nexus_opened(
		nexus->id, nexus->target, nexus->port == NULL ? 0 : nexus->port->relative_id, 0);
	return nexus;
}

void lf_nexus_close(struct lf_nexus *nexus)
{
	struct lf_adapter *adapter = nexus->adapter;

	lf_trace_nexus_closed(nexus->id, 0, 0, 0);
	lf_lock(&adapter->lock);
	lf_list_remove(&nexus->link);
	lf_list_each(link, after, &nexus->itls)
		lf_reservation_nexus_left(lf_container(link, struct lf_itl, nexus_link));
	lf_nexus_free_locked(nexus);
	lf_unlock(&adapter->lock);
}

/* ---- Unit attentions ---- */

bool lf_ua_take_of(struct lf_itl *itl, uint32_t which, enum lf_ua *ua)
{
	bool found = false;

	lf_lock(&itl->lu->lock);
	for (uint32_t i = 0; i < LF_UA_COUNT && !found; i++) {
		if (!(itl->attentions & which & 1u << i))
			continue;
		itl->attentions &= ~(1u << i);
		*ua = (enum lf_ua)i;
		found = true;
	}
	if (itl->attentions == 0)
		lf_atomic_and_u32(&itl->gate, ~(uint32_t)LF_GATE_UNIT_ATTENTION);
	lf_unlock(&itl->lu->lock);
	return found;
}

bool lf_ua_take(struct lf_itl *itl, enum lf_ua *ua)
{
	return lf_ua_take_of(itl, UINT32_MAX, ua);
}

void lf_ua_clear(struct lf_itl *itl, enum lf_ua ua)
{
	lf_lock(&itl->lu->lock);
	itl->attentions &= ~(1u << ua);
	if (itl->attentions == 0)
		lf_atomic_and_u32(&itl->gate, ~(uint32_t)LF_GATE_UNIT_ATTENTION);
	lf_unlock(&itl->lu->lock);
}

void lf_ua_clear_all(struct lf_nexus *nexus, enum lf_ua ua)
{
	lf_lock(&nexus->adapter->lock);
	lf_list_each(link, after, &nexus->itls)
	{
		lf_ua_clear(lf_container(link, struct lf_itl, nexus_link), ua);
	}
	lf_unlock(&nexus->adapter->lock);
}

void lf_ua_raise_one_locked(struct lf_itl *itl, enum lf_ua ua)
{
	uint32_t covered = 1u << LF_UA_POWER_ON; /* 29/00 says reset and loss, too (SPC-4 5.14) */

	if ((ua == LF_UA_RESET || ua == LF_UA_NEXUS_LOSS) && (itl->attentions & covered))
		return;
	itl->attentions |= 1u << ua;
	lf_atomic_or_u32(&itl->gate, LF_GATE_UNIT_ATTENTION);
	lf_trace_unit_attention(itl->lu->lun, itl->nexus->id, lf_ua_sense(ua), 0);
}

/*
 * A CD-ROM does not tell of other units: initiators take every unit attention of a removable medium for
 * another medium, and end what reads the mounted one with an error (Linux, Windows).
 */
void lf_ua_raise_locked(struct lf_lu *lu, enum lf_ua ua, const struct lf_nexus *except)
{
	if (ua == LF_UA_REPORTED_LUNS_CHANGED && lu->type == LF_LU_CDROM)
		return;
	lf_list_each(link, after, &lu->itls)
	{
		struct lf_itl *itl = lf_container(link, struct lf_itl, link);
		const struct lf_port *port = itl->nexus->port;
		bool quiet = ua == LF_UA_REPORTED_LUNS_CHANGED && port != NULL && port->quiet_inventory;
		if (itl->nexus != except && !quiet)
			lf_ua_raise_one_locked(itl, ua);
	}
}

void lf_ua_raise(struct lf_lu *lu, enum lf_ua ua, const struct lf_nexus *except)
{
	lf_lock(&lu->lock);
	lf_ua_raise_locked(lu, ua, except);
	lf_unlock(&lu->lock);
}

void lf_ua_raise_struck(struct lf_lu *lu, enum lf_ua ua, const struct lf_nexus *except)
{
	lf_lock(&lu->lock);
	lf_list_each(link, after, &lu->itls)
	{
		struct lf_itl *itl = lf_container(link, struct lf_itl, link);
		if (itl->nexus != except && itl->struck)
			lf_ua_raise_one_locked(itl, ua);
	}
	lf_unlock(&lu->lock);
}

void lf_ua_raise_for_locked(struct lf_lu *lu, enum lf_ua ua, const struct lf_nexus *nexus)
{
	lf_list_each(link, after, &lu->itls)
	{
		struct lf_itl *itl = lf_container(link, struct lf_itl, link);
		if (itl->nexus == nexus)
			lf_ua_raise_one_locked(itl, ua);
	}
}

uint32_t lf_ua_count(struct lf_lu *lu, const struct lf_nexus *nexus, uint32_t *sense)
{
	uint32_t attentions = 0, count = 0;

	lf_lock(&lu->lock);
	lf_list_each(link, after, &lu->itls)
	{
		struct lf_itl *itl = lf_container(link, struct lf_itl, link);
		if (itl->nexus == nexus)
			attentions = itl->attentions;
	}
	lf_unlock(&lu->lock);
	*sense = 0;
	for (uint32_t i = 0; i < LF_UA_COUNT; i++)
		if ((attentions & 1u << i) && count++ == 0)
			*sense = lf_ua_sense((enum lf_ua)i);
	return count;
}
