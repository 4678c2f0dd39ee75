/* SPDX-License-Identifier: BSD-2-Clause */
/* medium.c: a medium that comes, goes, grows, and is held: START STOP UNIT, PREVENT ALLOW MEDIUM REMOVAL. */
#include "core/handlers.h"

/* ---- Prevention of removal (SPC-4 6.14, MMC-6 6.14) ---- */

enum prevent { PREVENT_MEDIUM = 1, PREVENT_FOR_EVER = 2 };

/* What any nexus has set. */
static uint8_t prevents(struct lf_lu *lu)
{
	uint8_t bits = 0;

	lf_lock(&lu->lock);
	lf_list_each(link, after, &lu->itls) bits |= lf_container(link, struct lf_itl, link)->prevents;
	lf_unlock(&lu->lock);
	return bits;
}

static bool is_prevented(struct lf_lu *lu)
{
	return prevents(lu) != 0;
}

void lf_prevent_clear_locked(struct lf_lu *lu, const struct lf_nexus *nexus)
{
	lf_list_each(link, after, &lu->itls)
	{
		struct lf_itl *itl = lf_container(link, struct lf_itl, link);
		if (nexus == NULL || itl->nexus == nexus)
			itl->prevents = 0;
	}
}

void lf_prevent_allow(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t prevent = request->cdb[4];
	bool for_ever = (prevent & PREVENT_FOR_EVER) != 0;
	struct lf_itl *itl = lf_request_itl(request);
	uint8_t bit = for_ever ? PREVENT_FOR_EVER : PREVENT_MEDIUM;

	if (for_ever && lu->type != LF_LU_CDROM) { /* a drive's, not a disk's */
		lf_sense_invalid_field_in_cdb(request, 4, 1);
		lf_finish(request);
		return;
	}
	lf_lock(&lu->lock);
	/* A reset marks first and allows then: what comes too late for it must not prevent. */
	bool aborted = lf_request_is_aborted(request);
	if (!(prevent & PREVENT_MEDIUM))
		itl->prevents &= (uint8_t)~bit;
	else if (!aborted)
		itl->prevents |= bit;
	lf_unlock(&lu->lock);
	if (aborted)
		lf_finish_aborted(request);
	else
		lf_finish_good(request, 0);
}

/* ---- Events of the medium, for GET EVENT STATUS NOTIFICATION (MMC-6 6.6) ---- */

static void raise_event_locked(struct lf_lu *lu, enum lf_media_event event)
{
	lf_list_each(link, after, &lu->itls)
	{
		struct lf_itl *itl = lf_container(link, struct lf_itl, link);
		if (event == LF_MEDIA_EVENT_REMOVAL) /* what has come since the last removal is gone again */
			itl->media_events &= (uint8_t) ~(1u << LF_MEDIA_EVENT_NEW_MEDIA);
		itl->media_events |= (uint8_t)(1u << event);
	}
}

void lf_media_event_raise(struct lf_lu *lu, enum lf_media_event event)
{
	lf_lock(&lu->lock);
	raise_event_locked(lu, event);
	lf_unlock(&lu->lock);
}

bool lf_media_event_take(struct lf_itl *itl, enum lf_media_event *event)
{
	static const enum lf_media_event by_age[] = {
		LF_MEDIA_EVENT_EJECT_REQUEST, LF_MEDIA_EVENT_REMOVAL, LF_MEDIA_EVENT_NEW_MEDIA};
	bool found = false;

	lf_lock(&itl->lu->lock);
	for (uint32_t i = 0; i < lf_count_of(by_age) && !found; i++) {
		found = (itl->media_events & 1u << by_age[i]) != 0;
		if (found)
			*event = by_age[i];
	}
	if (found)
		itl->media_events &= (uint8_t) ~(1u << *event);
	lf_unlock(&itl->lu->lock);
	return found;
}

/*
 * Between these the medium changes, and initiators are told of it: no command begins with the new one before
 * its nexus has heard.
 */
static void change_begin(struct lf_lu *lu)
{
	lf_lock(&lu->lock);
	lf_lanes_stop(lu->adapter);
}

static void change_end(struct lf_lu *lu)
{
	lf_lanes_go(lu->adapter);
	lf_unlock(&lu->lock);
}

/* Initiators learn what came and what went; except: whose command it was, which knows. */
static void tell_locked(struct lf_lu *lu, bool removed, bool inserted, const struct lf_nexus *except)
{
	if (removed)
		raise_event_locked(lu, LF_MEDIA_EVENT_REMOVAL);
	if (inserted) {
		raise_event_locked(lu, LF_MEDIA_EVENT_NEW_MEDIA);
		lf_ua_raise_locked(lu, LF_UA_MEDIUM_CHANGED, except);
	}
}

/* ---- START STOP UNIT (SBC-4 5.26, MMC-6 6.42) ---- */

#define START    0x01
#define LOEJ     0x02
#define NO_FLUSH 0x04

/* The conditions that a disk may be asked for; all are the same to a file. */
static bool is_power_condition(uint8_t condition)
{
	enum { ACTIVE = 1, IDLE, STANDBY, LU_CONTROL = 7, FORCE_IDLE = 0xa, FORCE_STANDBY };

	return condition == ACTIVE || condition == IDLE || condition == STANDBY || condition == LU_CONTROL ||
	       condition == FORCE_IDLE || condition == FORCE_STANDBY;
}

/* False: the command ended. A drive ignores all else when a power condition is asked for. */
static bool start_stop_check(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t condition = request->cdb[4] >> 4;
	bool load_eject = (request->cdb[4] & LOEJ) != 0, start = (request->cdb[4] & START) != 0;
	bool held = !start || (lu->type == LF_LU_DISK && lu->medium_state != LF_MEDIUM_READY);

	if (condition != 0) {
		if (lu->removable || is_power_condition(condition)) {
			lf_finish_good(request, 0);
			return false;
		}
		lf_sense_invalid_field_in_cdb(request, 4, 7);
	} else if (load_eject && !lu->removable) {
		lf_sense_invalid_field_in_cdb(request, 4, 1);
	} else if (load_eject && held && is_prevented(lu)) {
		lf_sense_removal_prevented(request);
	} else {
		return true;
	}
	lf_finish(request);
	return false;
}

/* Where the command leads from here. */
static enum lf_medium_state start_stop_aim(const struct lf_lu *lu, const struct lf_request *request)
{
	bool load_eject = (request->cdb[4] & LOEJ) != 0, start = (request->cdb[4] & START) != 0;

	if (load_eject && !start)
		return LF_MEDIUM_TRAY_OPEN;
	if (load_eject && lu->medium_state == LF_MEDIUM_TRAY_OPEN)
		return lu->store == NULL ? LF_MEDIUM_NONE : LF_MEDIUM_READY;
	if (start && lu->medium_state == LF_MEDIUM_STOPPED)
		return LF_MEDIUM_READY;
	/* What can be taken out stays ready when it stops spinning. */
	if (!start && !load_eject && !lu->removable)
		return LF_MEDIUM_STOPPED;
	return lu->medium_state;
}

static void start_stop_finish(struct lf_lu *lu, struct lf_request *request)
{
	enum lf_medium_state from = lu->medium_state, to = start_stop_aim(lu, request);
	bool loaded = lu->store != NULL && (from == LF_MEDIUM_TRAY_OPEN) != (to == LF_MEDIUM_TRAY_OPEN);

	if (from != to) {
		change_begin(lu);
		lu->medium_state = to;
		lu->medium_generation += loaded;
		tell_locked(lu, loaded && to == LF_MEDIUM_TRAY_OPEN, loaded && to == LF_MEDIUM_READY,
			request->nexus);
		change_end(lu);
	}
	lf_finish_good(request, 0);
}

static void start_stop_flushed(struct lf_io *io)
{
	struct lf_request *request = lf_container(io, struct lf_request, io);

	lf_check_io_done(io);
	if (io->error != LF_OK)
		lf_finish_error(request, true, LF_NO_INFORMATION);
	else
		start_stop_finish(request->lu, request);
}

/* With IMMED the status still comes when all is done. */
void lf_start_stop_unit(struct lf_lu *lu, struct lf_request *request)
{
	if (!lf_exclusive_get(lu, request) || !start_stop_check(lu, request))
		return;
	bool stops = !(request->cdb[4] & START) && lu->medium_state == LF_MEDIUM_READY;
	if (!stops || lu->read_only || (request->cdb[4] & NO_FLUSH)) {
		start_stop_finish(lu, request);
		return;
	}
	lf_prepare_flush(request, start_stop_flushed);
	lf_lu_submit_io(lu, request);
}

/* ---- What the operator does ---- */

static void change_ready(struct lf_exclusive *exclusive)
{
	struct lf_medium_change *change = lf_container(exclusive, struct lf_medium_change, exclusive);
	struct lf_lu *lu = exclusive->lu;
	bool removed = lu->store != NULL && lu->medium_state != LF_MEDIUM_TRAY_OPEN;
	struct lf_store_info none = {
		.block_size = lu->info.block_size, .physical_block_size = lu->info.physical_block_size};

	change->error = LF_OK;
	if (removed && !change->force && is_prevented(lu)) {
		lf_media_event_raise(lu, LF_MEDIA_EVENT_EJECT_REQUEST);
		if (prevents(lu) & PREVENT_FOR_EVER)
			lf_ua_raise(lu, LF_UA_EJECT_REQUESTED, NULL);
		change->error = LF_E_BUSY;
	} else {
		change->old = lu->store;
		change->old_ops = lu->ops;
		change_begin(lu);
		lf_lu_set_medium(lu, change->ops, change->store, change->store == NULL ? &none : change->info,
			change->read_only);
		if (change->open_tray)
			lu->medium_state = LF_MEDIUM_TRAY_OPEN;
		tell_locked(lu, removed, change->store != NULL, NULL);
		lf_prevent_clear_locked(lu, NULL);
		change_end(lu);
		lf_trace_medium_changed(lu->lun, lu->info.block_count, lu->info.block_size, change->force);
	}
	lf_change_end(exclusive);
	change->done(change);
}

void lf_lu_change_medium(struct lf_lu *lu, struct lf_medium_change *change)
{
	lf_assert(lu->removable && (change->store == NULL || !change->open_tray));
	change->exclusive = (struct lf_exclusive){.lu = lu, .ready = change_ready};
	change->old = NULL;
	lf_change_begin(&change->exclusive);
}

static void resize_ready(struct lf_exclusive *exclusive)
{
	struct lf_resize *resize = lf_container(exclusive, struct lf_resize, exclusive);
	struct lf_lu *lu = exclusive->lu;
	bool grown = lu->store != NULL && resize->block_count > lu->info.block_count;

	if (grown) {
		change_begin(lu);
		lu->info.block_count = resize->block_count;
		lf_ua_raise_locked(lu, LF_UA_CAPACITY_CHANGED, NULL);
		change_end(lu);
		lf_trace_capacity_changed(lu->lun, resize->block_count, lu->info.block_size, 0);
	}
	lf_change_end(exclusive);
	resize->done(resize);
}

void lf_lu_resize(struct lf_lu *lu, struct lf_resize *resize)
{
	resize->exclusive = (struct lf_exclusive){.lu = lu, .ready = resize_ready};
	lf_change_begin(&resize->exclusive);
}

void lf_medium_describe(struct lf_lu *lu, struct lf_lu_facts *facts)
{
	struct lf_lane *lane = &lu->adapter->lanes[0];

	lf_lock(&lane->lock); /* it keeps the medium as it is */
	facts->info = lu->info;
	facts->read_only = lu->read_only;
	facts->medium = lu->medium_state == LF_MEDIUM_READY || lu->medium_state == LF_MEDIUM_STOPPED;
	facts->stopped = lu->medium_state == LF_MEDIUM_STOPPED;
	facts->ejected = lu->medium_state == LF_MEDIUM_TRAY_OPEN && lu->store != NULL;
	lf_unlock(&lane->lock);
	facts->prevented = is_prevented(lu);
}
