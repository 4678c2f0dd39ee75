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

	if (number == LF_LUN_ANY)
		return &nexus->absent;
	struct lf_itl **chunk = nexus->chunks[number / LF_LUN_CHUNK];
	struct lf_itl *itl = chunk == NULL ? NULL : chunk[number % LF_LUN_CHUNK];
	return itl == NULL ? &nexus->absent : itl;
}

bool lf_itl_add_locked(struct lf_nexus *nexus, struct lf_lu *lu)
{
	struct lf_itl ***chunk = &nexus->chunks[lu->lun / LF_LUN_CHUNK];
	struct lf_itl **fresh = NULL;

	if (*chunk == NULL) {
		fresh = lf_alloc(LF_LUN_CHUNK * sizeof(struct lf_itl *));
		if (fresh == NULL)
			return false;
	}
	struct lf_itl *itl = lf_alloc(sizeof(*itl));
	if (itl == NULL) {
		lf_free(fresh);
		return false;
	}
	itl->lu = lu;
	itl->nexus = nexus;
	itl->attentions = 1u << LF_UA_POWER_ON;
	itl->gate = LF_GATE_UNIT_ATTENTION;
	lf_list_append(&nexus->itls, &itl->nexus_link);
	lf_lock(&lu->lock);
	lf_list_append(&lu->itls, &itl->link);
	lf_unlock(&lu->lock);
	lf_lanes_stop(nexus->adapter);
	if (fresh != NULL)
		*chunk = fresh;
	(*chunk)[lu->lun % LF_LUN_CHUNK] = itl;
	lf_lanes_go(nexus->adapter);
	return true;
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
	for (uint32_t i = 0; i < lf_count_of(nexus->chunks); i++)
		lf_free(nexus->chunks[i]);
	lf_free(nexus);
}

struct lf_nexus *lf_nexus_open(struct lf_adapter *adapter, const struct lf_nexus_options *options)
{
	struct lf_nexus *nexus = lf_alloc(sizeof(*nexus));

	if (nexus == NULL)
		return NULL;
	lf_assert(options->target < adapter->target_count);
	nexus->adapter = adapter;
	nexus->target = options->target;
	nexus->port = options->port;
	nexus->absent.lu = adapter->absent;
	nexus->absent.nexus = nexus;
	lf_list_init(&nexus->itls);
	if (options->initiator != NULL)
		memcpy(nexus->initiator, options->initiator,
			lf_min(strlen(options->initiator), sizeof(nexus->initiator) - 1));

	lf_lock(&adapter->lock);
	nexus->id = ++adapter->next_nexus_id;
	lf_list_each(link, after, &adapter->targets[nexus->target].lus)
	{
		if (lf_itl_add_locked(nexus, lf_container(link, struct lf_lu, link)))
			continue;
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
	lf_nexus_free_locked(nexus);
	lf_unlock(&adapter->lock);
}

/* ---- Unit attentions ---- */

bool lf_ua_take(struct lf_itl *itl, enum lf_ua *ua)
{
	bool found = false;

	lf_lock(&itl->lu->lock);
	for (uint32_t i = 0; i < LF_UA_COUNT && !found; i++) {
		if (!(itl->attentions & 1u << i))
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

void lf_ua_clear_all(struct lf_nexus *nexus, enum lf_ua ua)
{
	lf_lock(&nexus->adapter->lock);
	lf_list_each(link, after, &nexus->itls)
	{
		struct lf_itl *itl = lf_container(link, struct lf_itl, nexus_link);
		lf_lock(&itl->lu->lock);
		itl->attentions &= ~(1u << ua);
		if (itl->attentions == 0)
			lf_atomic_and_u32(&itl->gate, ~(uint32_t)LF_GATE_UNIT_ATTENTION);
		lf_unlock(&itl->lu->lock);
	}
	lf_unlock(&nexus->adapter->lock);
}

void lf_ua_raise(struct lf_lu *lu, enum lf_ua ua, const struct lf_nexus *except)
{
	lf_lock(&lu->lock);
	lf_list_each(link, after, &lu->itls)
	{
		struct lf_itl *itl = lf_container(link, struct lf_itl, link);
		const struct lf_port *port = itl->nexus->port;
		if (itl->nexus == except ||
			(ua == LF_UA_REPORTED_LUNS_CHANGED && port != NULL && port->quiet_inventory))
			continue;
		itl->attentions |= 1u << ua;
		lf_atomic_or_u32(&itl->gate, LF_GATE_UNIT_ATTENTION);
		lf_trace_unit_attention(lu->lun, itl->nexus->id, lf_ua_sense(ua), 0);
	}
	lf_unlock(&lu->lock);
}
