/* SPDX-License-Identifier: BSD-2-Clause */
/* lu.c: logical units: how they come, how they go, their addresses, their scratch buffers. */
#include "core/core.h"

/* ---- Addresses: one that was freed is given again only after all others have been ---- */

static bool lf_bit(const uint64_t *map, uint32_t bit)
{
	return (map[bit / 64] & 1ull << bit % 64) != 0;
}

/* The lowest address that was not given in this round of all addresses; LF_LUN_ANY when all were. */
static uint32_t lf_lun_next(const struct lf_target *target, uint32_t lun_count)
{
	uint32_t lun = 0;

	while (lun < lun_count && lf_bit(target->given, lun))
		lun++;
	return lun == lun_count ? LF_LUN_ANY : lun;
}

static enum lf_error lf_lun_take_locked(
	struct lf_adapter *adapter, const struct lf_lu_options *options, uint32_t *lun)
{
	struct lf_target *target = &adapter->targets[options->target];
	uint32_t wanted = options->lun, count = adapter->lun_count;

	*lun = wanted;
	if (wanted == LF_LUN_ANY) {
		*lun = lf_lun_next(target, count);
		if (*lun == LF_LUN_ANY) {
			memcpy(target->given, target->taken, (count + 63) / 64 * sizeof(*target->given));
			*lun = lf_lun_next(target, count);
		}
		if (*lun == LF_LUN_ANY)
			return LF_E_NO_SPACE;
	} else if (wanted >= count) {
		return LF_E_INVALID;
	} else if (lf_bit(target->taken, wanted)) {
		return LF_E_BUSY;
	}
	target->taken[*lun / 64] |= 1ull << *lun % 64;
	target->given[*lun / 64] |= 1ull << *lun % 64;
	return LF_OK;
}

static void lf_lun_give_locked(struct lf_target *target, uint32_t lun)
{
	target->taken[lun / 64] &= ~(1ull << lun % 64);
}

/* ---- Coming ---- */

/* Printable ASCII of at most size - 1 characters; anything else becomes a space (SPC-4 4.3.1). */
static void lf_lu_text(char *to, size_t size, const char *from, const char *otherwise)
{
	const char *text = from == NULL ? otherwise : from;
	size_t length = lf_min(strlen(text), size - 1);

	for (size_t i = 0; i < length; i++)
		to[i] = text[i] >= 0x20 && text[i] <= 0x7e ? text[i] : ' ';
}

void lf_lu_set_medium(struct lf_lu *lu, const struct lf_store_ops *ops, struct lf_store *store,
	const struct lf_store_info *info, bool read_only)
{
	lu->ops = ops;
	lu->store = store;
	lu->info = *info;
	lu->read_only = read_only || info->read_only || lu->type == LF_LU_CDROM;
	lu->block_shift = 0;
	while (1u << lu->block_shift < info->block_size)
		lu->block_shift++;
	lu->transfer_max_blocks = LF_TRANSFER_MAX_BYTES >> lu->block_shift;
	lu->medium_state = store == NULL ? LF_MEDIUM_NONE : LF_MEDIUM_READY;
	lu->medium_generation++;
	if (lu->type == LF_LU_CDROM)
		lf_disc_from_image(&lu->disc, store == NULL ? NULL : info);
}

static void lf_lu_fill(struct lf_lu *lu, const struct lf_lu_options *options)
{
	lu->type = options->type;
	lu->target = options->target;
	lu->removable = options->removable || options->type == LF_LU_CDROM;
	lu->rotation = options->rotation;
	lu->identifier = options->identifier & 0x0fffffffffffffffull;
	lf_modes_init(lu, options->write_cache_off);
	lf_lu_text(lu->vendor, sizeof(lu->vendor), options->vendor, "LUNGFISH");
	lf_lu_text(lu->product, sizeof(lu->product), options->product,
		options->type == LF_LU_CDROM ? "VIRTUAL CD-ROM" : "VIRTUAL DISK");
	lf_lu_text(lu->revision, sizeof(lu->revision), options->revision, "0001");
	lf_lu_text(lu->serial, sizeof(lu->serial), options->serial, "0");
	lf_list_init(&lu->itls);
	lf_list_init(&lu->barriers);
	lf_list_init(&lu->queue);
	lf_list_init(&lu->changes);
	lf_list_init(&lu->scratch_queue);
	for (uint32_t i = 0; i < LF_SCRATCH_COUNT; i++)
		lu->scratch_free[lu->scratch_free_count++] =
			(char *)lu->scratch_memory + i * LF_SCRATCH_BYTES;
}

/* Initiators of the unit's target learn that the inventory changed, on every other unit (SPC-4 5.14). */
static void lf_inventory_changed_locked(struct lf_adapter *adapter, const struct lf_lu *about)
{
	lf_list_each(link, after, &adapter->targets[about->target].lus)
	{
		struct lf_lu *lu = lf_container(link, struct lf_lu, link);
		if (lu != about && !lf_lu_is_leaving(lu))
			lf_ua_raise(lu, LF_UA_REPORTED_LUNS_CHANGED, NULL);
	}
	lf_list_each(each, following, &adapter->nexuses)
	{
		struct lf_nexus *nexus = lf_container(each, struct lf_nexus, link);
		if (nexus->target == about->target && nexus->inventory_changed != NULL)
			nexus->inventory_changed(nexus->context);
	}
}

/* Shows the unit to every nexus of its target, or to none when memory is short. */
static bool lf_lu_show_locked(struct lf_adapter *adapter, struct lf_lu *lu)
{
	lf_list_each(link, after, &adapter->nexuses)
	{
		struct lf_nexus *nexus = lf_container(link, struct lf_nexus, link);
		if (nexus->target == lu->target && !lf_itl_prepare_locked(nexus, lu))
			return false;
	}
	lf_itls_show_locked(lu);
	return true;
}

static void lf_lu_hide_locked(struct lf_adapter *adapter, struct lf_lu *lu)
{
	lf_lock(&lu->lock);
	lf_lanes_stop(adapter);
	lf_list_each(link, after, &lu->itls)
		lf_itl_hide(lf_container(link, struct lf_itl, link)->nexus, lu->lun);
	lf_atomic_or_u32(&lu->gate, LF_GATE_LEAVING);
	lf_lanes_go(adapter);
	lf_unlock(&lu->lock);
}

static void lf_lu_insert_locked(struct lf_target *target, struct lf_lu *lu)
{
	struct lf_link *before = &target->lus;

	lf_list_each(link, after, &target->lus)
	{
		if (lf_container(link, struct lf_lu, link)->lun > lu->lun) {
			before = link;
			break;
		}
	}
	lf_list_append(before, &lu->link); /* a link serves as a head: appending to it inserts before it */
}

static void lf_lu_destroy(struct lf_lu *lu)
{
	lf_lock_fini(&lu->lock);
	lf_free(lu->reservations);
	lf_free(lu->scratch_memory);
	lf_free(lu->counters);
	lf_free(lu);
}

/* What it saved before. */
static void lf_lu_load(struct lf_lu *lu, const struct lf_lu_options *options)
{
	lu->can_save = options->can_save;
	if (!options->can_save || options->saved_length == 0)
		return;
	if (!lf_saved_read(lu, options->saved, options->saved_length))
		lf_log(LF_LOG_WARNING,
			"device %s: what it saved is damaged, and left out: reservations are gone",
			lu->serial);
}

enum lf_error lf_lu_add(struct lf_adapter *adapter, const struct lf_lu_options *options,
	const struct lf_store_ops *ops, struct lf_store *store, const struct lf_store_info *info,
	struct lf_lu **added, struct lf_message *message)
{
	lf_assert(info->block_size >= 512);
	lf_assert(store != NULL || options->removable || options->type == LF_LU_CDROM);
	enum lf_error error = LF_OK;

	if (options->target >= adapter->target_count) {
		lf_message_set(message, "target %u is too high: the last one is %u", options->target,
			adapter->target_count - 1);
		return LF_E_INVALID;
	}
	if (options->type == LF_LU_CDROM && store != NULL)
		error = lf_disc_check(info, message);
	if (error != LF_OK)
		return error;
	struct lf_lu *lu = lf_alloc(sizeof(*lu));
	void *scratch = lf_alloc(LF_SCRATCH_COUNT * LF_SCRATCH_BYTES);
	struct lf_lane_counters *counters = lf_alloc(adapter->lane_count * sizeof(*counters));

	if (lu == NULL || scratch == NULL || counters == NULL || !lf_reservations_create(lu)) {
		lf_free(lu);
		lf_free(scratch);
		lf_free(counters);
		lf_message_set(message, "not enough memory for another device");
		return LF_E_NO_MEMORY;
	}
	lu->adapter = adapter;
	lu->scratch_memory = scratch;
	lu->counters = counters;
	lu->since_ns = lf_time_ns();
	lf_lock_init(&lu->lock);
	lf_lu_fill(lu, options);
	lf_lu_set_medium(lu, ops, store, info, options->read_only);
	lf_lu_load(lu, options);

	lf_lock(&adapter->lock);
	struct lf_target *target = &adapter->targets[options->target];
	error = lf_lun_take_locked(adapter, options, &lu->lun);
	if (error == LF_OK && !lf_lu_show_locked(adapter, lu)) {
		error = LF_E_NO_MEMORY;
		lf_list_each(link, after, &lu->itls)
			lf_itl_free_locked(lf_container(link, struct lf_itl, link));
		lf_lun_give_locked(target, lu->lun);
	}
	if (error == LF_OK) {
		lf_lu_insert_locked(target, lu);
		lf_inventory_changed_locked(adapter, lu);
		*added = lu;
	}
	lf_unlock(&adapter->lock);
	if (error == LF_OK) {
		lf_trace_unit_added(lu->target, lu->lun, info->block_count, info->block_size);
		return LF_OK;
	}
	lf_lu_destroy(lu);
	if (error == LF_E_BUSY)
		lf_message_set(message, "LUN %u is taken: choose another with --lun, or none", options->lun);
	else if (error == LF_E_INVALID)
		lf_message_set(message, "LUN %u is too high: the last one is %u", options->lun,
			adapter->lun_count - 1);
	else
		lf_message_set(message, "no %s for another device: disconnect one",
			error == LF_E_NO_MEMORY ? "memory" : "address");
	return error;
}

/* ---- Going ---- */

static void lf_lu_left(struct lf_waiter *waiter)
{
	struct lf_removal *removal = lf_container(waiter, struct lf_removal, waiter);
	removal->done(removal);
}

void lf_lu_remove(struct lf_lu *lu, struct lf_removal *removal)
{
	struct lf_adapter *adapter = lu->adapter;

	lf_lock(&adapter->lock);
	lf_assert(!lf_lu_is_leaving(lu));
	lf_lu_hide_locked(adapter, lu);
	lf_inventory_changed_locked(adapter, lu);
	removal->waiter = (struct lf_waiter){.lu = lu, .fire = lf_lu_left};
	bool waits = lf_waiter_raise_locked(adapter, &removal->waiter, LF_MARK_DEPARTED, true);
	lf_trace_unit_leaving(lu->target, lu->lun, removal->waiter.remaining, 0);
	lf_unlock(&adapter->lock);
	if (!waits)
		removal->done(removal);
}

void lf_lu_free(struct lf_lu *lu)
{
	struct lf_adapter *adapter = lu->adapter;

	lf_lock(&adapter->lock);
	lf_assert(lf_lu_is_leaving(lu) && lf_list_empty(&lu->queue));
	lf_list_remove(&lu->link);
	lf_list_each(link, after, &lu->itls) lf_itl_free_locked(lf_container(link, struct lf_itl, link));
	lf_lun_give_locked(&adapter->targets[lu->target], lu->lun);
	lf_unlock(&adapter->lock);
	lf_trace_unit_freed(lu->target, lu->lun, 0, 0);
	lf_lu_destroy(lu);
}

/* ---- Facts ---- */

uint32_t lf_lu_lun(const struct lf_lu *lu)
{
	return lu->lun;
}

uint32_t lf_lu_target(const struct lf_lu *lu)
{
	return lu->target;
}

void lf_lu_describe(struct lf_lu *lu, struct lf_lu_facts *facts)
{
	struct lf_lu_counters counters;

	*facts = (struct lf_lu_facts){.type = lu->type,
		.target = lu->target,
		.lun = lu->lun,
		.removable = lu->removable,
		.identifier = lu->identifier};
	memcpy(facts->serial, lu->serial, sizeof(facts->serial));
	memcpy(facts->vendor, lu->vendor, sizeof(facts->vendor));
	memcpy(facts->product, lu->product, sizeof(facts->product));
	memcpy(facts->revision, lu->revision, sizeof(facts->revision));
	lf_medium_describe(lu, facts);
	lf_lu_count(lu, &counters);
	facts->in_flight = counters.in_flight;
}

/* ---- What handlers use ---- */

void lf_lu_submit_io(struct lf_lu *lu, struct lf_request *request)
{
	lf_check_io(lu, request);
	request->io.error = LF_OK;
	lu->ops->submit(lu->store, &request->io);
}

bool lf_scratch_get(struct lf_lu *lu, struct lf_request *request)
{
	lf_lock(&lu->adapter->lock);
	if (request->scratch == NULL) {
		if (lu->scratch_free_count > 0)
			request->scratch = lu->scratch_free[--lu->scratch_free_count];
		else
			lf_list_append(&lu->scratch_queue, &request->link);
	}
	bool got = request->scratch != NULL;
	lf_unlock(&lu->adapter->lock);
	return got;
}

/* Called while the giver's task still pins the unit. */
void lf_scratch_put(struct lf_lu *lu, void *scratch)
{
	struct lf_adapter *adapter = lu->adapter;

	lf_lock(&adapter->lock);
	struct lf_link *link = lf_list_take(&lu->scratch_queue);
	if (link == NULL) {
		lu->scratch_free[lu->scratch_free_count++] = scratch;
	} else {
		lf_container(link, struct lf_request, link)->scratch = scratch;
		lf_list_append(&adapter->runnable, link);
	}
	lf_unlock(&adapter->lock);
	if (link != NULL)
		lf_run_runnable(adapter);
}
