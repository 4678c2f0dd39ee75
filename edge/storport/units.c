/* SPDX-License-Identifier: BSD-2-Clause */
/* units.c: who is at which address, as Storport knows it: units arrive, are asked for, go, and are gone. */
#include "edge/storport/internal.h"

bool lf_units_create(struct lf_storport *storport)
{
	storport->units =
		lf_alloc((size_t)storport->target_count * LF_STORPORT_LUNS * sizeof(struct lf_unit));
	storport->targets = lf_alloc(storport->target_count * sizeof(struct lf_bus_target));
	if (storport->units == NULL || storport->targets == NULL) {
		lf_free(storport->units);
		lf_free(storport->targets);
		return false;
	}
	for (uint32_t i = 0; i < storport->target_count; i++) {
		lf_lock_init(&storport->targets[i].lock);
		storport->targets[i].units = &storport->units[(size_t)i * LF_STORPORT_LUNS];
	}
	return true;
}

void lf_units_destroy(struct lf_storport *storport)
{
	for (uint32_t i = 0; i < storport->target_count; i++)
		lf_lock_fini(&storport->targets[i].lock);
	lf_free(storport->targets);
	lf_free(storport->units);
}

/* NULL: there is no such address. */
static struct lf_unit *unit_at(struct lf_storport *storport, uint32_t target, uint32_t lun)
{
	if (target >= storport->target_count || lun >= LF_STORPORT_LUNS)
		return NULL;
	return &storport->targets[target].units[lun];
}

/* ---- Gone ---- */

/*
 * The address is free once Storport has been told, nothing is outstanding, and no device of it is left above.
 * What waits for that is collected under the target's lock and told without it.
 */
static void settle_locked(struct lf_bus_target *target, struct lf_unit *unit, struct lf_link *gone)
{
	if (unit->state != LF_UNIT_REPORTED || unit->outstanding > 0 || unit->held)
		return;
	unit->state = LF_UNIT_ABSENT;
	target->missing--;
	lf_list_append(gone, &unit->departure->link);
	unit->departure = NULL;
}

static void report_locked(struct lf_bus_target *target, struct lf_unit *unit, struct lf_link *gone)
{
	if (unit->state != LF_UNIT_MISSING)
		return;
	unit->state = LF_UNIT_REPORTED;
	lf_trace_storport_pnp_reported(
		unit->departure->target, unit->departure->lun, unit->outstanding, unit->held);
	settle_locked(target, unit, gone);
}

/* The whole target was asked about: its missing units are not in the answer. */
static void report_all_locked(struct lf_bus_target *target, struct lf_link *gone)
{
	for (uint32_t lun = 0; target->missing > 0 && lun < LF_STORPORT_LUNS; lun++)
		report_locked(target, &target->units[lun], gone);
}

static void tell(struct lf_link *gone)
{
	struct lf_link *link;

	while ((link = lf_list_take(gone)) != NULL) {
		struct lf_departure *departure = lf_container(link, struct lf_departure, link);
		lf_trace_storport_pnp_gone(departure->target, departure->lun, 0, 0);
		departure->gone(departure);
	}
}

/* ---- SRBs come and go ---- */

static enum lf_admission admit_locked(
	struct lf_bus_target *target, uint32_t lun, enum lf_asker asker, struct lf_link *gone)
{
	struct lf_unit *unit = lun < LF_STORPORT_LUNS ? &target->units[lun] : NULL;

	if (asker == LF_ASKER_RESET && unit != NULL && unit->outstanding > 0) { /* also of one that goes */
		unit->outstanding++;
		return LF_ADMITTED;
	}
	if (target->missing > 0 && (asker == LF_ASKER_SCAN_TARGET || target->present == 0))
		report_all_locked(target, gone);
	else if (unit != NULL)
		report_locked(target, unit, gone);
	if (unit != NULL && unit->state == LF_UNIT_PRESENT) {
		unit->outstanding++;
		unit->held = unit->held || asker == LF_ASKER_DEVICE;
		return LF_ADMITTED;
	}
	if (target->present == 0)
		return LF_NO_TARGET;
	return lun == 0 ? LF_ADMITTED_AS_TARGET : LF_NO_LUN;
}

enum lf_admission lf_unit_enter(
	struct lf_storport *storport, uint32_t target, uint32_t lun, enum lf_asker asker)
{
	struct lf_link gone;

	if (target >= storport->target_count || lf_atomic_load_u32(&storport->stopped))
		return LF_NO_TARGET;
	lf_list_init(&gone);
	lf_lock(&storport->targets[target].lock);
	enum lf_admission admission = admit_locked(&storport->targets[target], lun, asker, &gone);
	lf_unlock(&storport->targets[target].lock);
	tell(&gone);
	return admission;
}

void lf_unit_leave(struct lf_storport *storport, uint32_t target, uint32_t lun)
{
	struct lf_bus_target *bus_target = &storport->targets[target];
	struct lf_link gone;

	lf_list_init(&gone);
	lf_lock(&bus_target->lock);
	lf_assert(bus_target->units[lun].outstanding > 0);
	bus_target->units[lun].outstanding--;
	settle_locked(bus_target, &bus_target->units[lun], &gone);
	lf_unlock(&bus_target->lock);
	tell(&gone);
}

bool lf_target_has_units(struct lf_storport *storport, uint32_t target)
{
	if (target >= storport->target_count)
		return false;
	lf_lock(&storport->targets[target].lock);
	bool has = storport->targets[target].present + storport->targets[target].missing > 0;
	lf_unlock(&storport->targets[target].lock);
	return has;
}

uint8_t lf_admission_status(enum lf_admission admission)
{
	return admission == LF_NO_TARGET ? SRB_STATUS_NO_DEVICE : SRB_STATUS_INVALID_LUN;
}

/* ---- Storport's device of a unit ---- */

void lf_unit_hold(struct lf_storport *storport, uint32_t target, uint32_t lun)
{
	struct lf_unit *unit = unit_at(storport, target, lun);

	if (unit == NULL)
		return;
	lf_lock(&storport->targets[target].lock);
	unit->held = unit->held || unit->state != LF_UNIT_ABSENT;
	lf_unlock(&storport->targets[target].lock);
}

/*
 * Of one that is missing it says, too, that Storport knows: that is why the device goes. By surprise it only
 * begins to go: whoever has it open holds it until the removal that follows.
 */
void lf_unit_release(struct lf_storport *storport, uint32_t target, uint32_t lun, bool surprise)
{
	struct lf_unit *unit = unit_at(storport, target, lun);
	struct lf_link gone;

	if (unit == NULL)
		return;
	lf_trace_storport_pnp_released(target, lun, surprise, 0);
	lf_list_init(&gone);
	lf_lock(&storport->targets[target].lock);
	unit->held = unit->held && surprise;
	report_locked(&storport->targets[target], unit, &gone);
	settle_locked(&storport->targets[target], unit, &gone);
	lf_unlock(&storport->targets[target].lock);
	tell(&gone);
}

/* ---- Units come and go ---- */

/* Storport asks every target again, at a time of its own. */
static void bus_changed(struct lf_storport *storport)
{
	if (!lf_atomic_load_u32(&storport->stopped))
		StorPortNotification(BusChangeDetected, storport, (UCHAR)0);
}

void lf_storport_arrive(struct lf_storport *storport, uint32_t target, uint32_t lun)
{
	struct lf_unit *unit = unit_at(storport, target, lun);

	lf_assert(unit != NULL);
	lf_trace_storport_pnp_arrived(target, lun, 0, 0);
	lf_lock(&storport->targets[target].lock);
	lf_assert(unit->state == LF_UNIT_ABSENT);
	unit->state = LF_UNIT_PRESENT;
	unit->held = false;
	storport->targets[target].present++;
	lf_unlock(&storport->targets[target].lock);
	bus_changed(storport);
}

void lf_storport_depart(struct lf_storport *storport, struct lf_departure *departure)
{
	struct lf_unit *unit = unit_at(storport, departure->target, departure->lun);
	struct lf_link gone;

	lf_assert(unit != NULL);
	struct lf_bus_target *target = &storport->targets[departure->target];
	lf_list_init(&gone);
	lf_lock(&target->lock);
	lf_assert(unit->state == LF_UNIT_PRESENT);
	unit->state = LF_UNIT_MISSING;
	unit->departure = departure;
	target->present--;
	target->missing++;
	lf_trace_storport_pnp_missing(departure->target, departure->lun, unit->outstanding, unit->held);
	if (lf_atomic_load_u32(&storport->stopped)) { /* nobody will ask any more */
		unit->held = false;
		report_locked(target, unit, &gone);
	}
	lf_unlock(&target->lock);
	tell(&gone);
	bus_changed(storport);
}

/*
 * Storport has completed every SRB and lets go of all devices with the adapter's. Under each target's lock
 * after stopped was set: a departure is seen here, or sees it.
 */
void lf_units_stop(struct lf_storport *storport)
{
	for (uint32_t i = 0; i < storport->target_count; i++) {
		struct lf_bus_target *target = &storport->targets[i];
		struct lf_link gone;
		lf_list_init(&gone);
		lf_lock(&target->lock);
		for (uint32_t lun = 0; lun < LF_STORPORT_LUNS; lun++) {
			struct lf_unit *unit = &target->units[lun];
			unit->held = false;
			report_locked(target, unit, &gone);
			settle_locked(target, unit, &gone);
		}
		lf_unlock(&target->lock);
		tell(&gone);
	}
}
