/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reset.c: resets of a unit, of a target, of all of them. None completes anything early: what is at the store
 * is cancelled there, and its SRB ends when it comes back, with BUS_RESET.
 */
#include "edge/storport/internal.h"

#define LF_RESET_LIMIT_NS 10000000000ull /* then the SRB fails, and Storport takes the next larger reset */
#define LF_RESET_TICK_NS  1000000000ull  /* between looks at the clock while somebody waits */

/* ---- One reset ---- */

static void begin(struct lf_reset *reset)
{
	struct lf_tmf *tmf = &reset->tmf;

	lf_trace_storport_reset(reset->target, reset->lun, reset->started, 0);
	tmf->nexus = reset->storport->targets[reset->target].nexus;
	tmf->function = reset->lun == LF_LUN_ANY ? LF_TMF_TARGET_RESET : LF_TMF_LUN_RESET;
	tmf->lun = reset->lun == LF_LUN_ANY ? 0 : (uint64_t)reset->lun << 48;
	lf_tmf_submit(tmf);
}

/*
 * Asks for everything to end that was begun until now. True: the caller calls begin, with no lock. False: one
 * runs, which may be older than that: another one follows it.
 */
static bool want_locked(struct lf_reset *reset, uint64_t ticket)
{
	reset->wanted = ticket;
	if (reset->running)
		return false;
	reset->running = true;
	reset->started = ticket;
	return true;
}

static bool is_over(const struct lf_storport *storport, const struct lf_srb *waiter)
{
	if (waiter->reset != NULL)
		return waiter->reset->ended >= waiter->ticket;
	for (uint32_t i = 0; i < storport->target_count; i++)
		if (storport->resets.targets[i].ended < waiter->ticket)
			return false;
	return true;
}

static void set_timer_locked(struct lf_resets *resets, uint64_t after_ns)
{
	LARGE_INTEGER due = {.QuadPart = lf_nt_relative(after_ns)};

	if (!resets->stopped)
		(void)KeSetTimer(&resets->timer, due, &resets->dpc);
}

static void complete_all(struct lf_link *list, uint8_t srb_status)
{
	struct lf_link *link;

	while ((link = lf_list_take(list)) != NULL) {
		struct lf_srb *own = lf_container(link, struct lf_srb, link);
		if (own->scsi_status != NULL)
			*own->scsi_status = LF_STATUS_GOOD;
		lf_srb_complete(own, srb_status);
	}
}

/* lf_tmf.done: it must not submit, so a reset that is wanted again begins from the timer's DPC. */
static void reset_done(struct lf_tmf *tmf)
{
	struct lf_reset *reset = lf_container(tmf, struct lf_reset, tmf);
	struct lf_storport *storport = reset->storport;
	struct lf_resets *resets = &storport->resets;
	struct lf_link over;

	lf_storport_enter(storport); /* the adapter may go as soon as running is false */
	lf_list_init(&over);
	lf_lock(&resets->lock);
	lf_trace_storport_reset_done(reset->target, reset->lun, reset->started, 0);
	reset->ended = reset->started;
	reset->running = false;
	if (reset->wanted > reset->ended)
		set_timer_locked(resets, 0);
	lf_list_each(link, after, &resets->waiters)
	{
		if (!is_over(storport, lf_container(link, struct lf_srb, link)))
			continue;
		lf_list_remove(link);
		lf_list_append(&over, link);
	}
	lf_unlock(&resets->lock);
	complete_all(&over, SRB_STATUS_SUCCESS);
	lf_storport_leave(storport);
}

/* ---- The timer: what has to begin again, and who has waited for too long ---- */

static bool take_again_locked(struct lf_reset *reset)
{
	return reset->wanted > reset->ended && want_locked(reset, reset->wanted);
}

static void again(struct lf_storport *storport, struct lf_reset *reset)
{
	lf_lock(&storport->resets.lock);
	bool mine = take_again_locked(reset);
	lf_unlock(&storport->resets.lock);
	if (mine)
		begin(reset);
}

static void take_late_locked(struct lf_resets *resets, struct lf_link *late)
{
	uint64_t now_ns = lf_time_ns();

	lf_list_each(link, after, &resets->waiters)
	{
		struct lf_srb *waiter = lf_container(link, struct lf_srb, link);
		if (waiter->due_ns > now_ns)
			continue;
		lf_trace_storport_reset_late(waiter->target, waiter->lun, waiter->ticket, 0);
		lf_list_remove(link);
		lf_list_append(late, link);
	}
	if (!lf_list_empty(&resets->waiters))
		set_timer_locked(resets, LF_RESET_TICK_NS);
}

/* DISPATCH_LEVEL. */
static VOID timer_fired(KDPC *dpc, PVOID context, PVOID first, PVOID second)
{
	struct lf_storport *storport = context;
	struct lf_resets *resets = &storport->resets;
	struct lf_link late;

	(void)dpc;
	(void)first;
	(void)second;
	for (uint32_t i = 0; i < storport->target_count; i++)
		again(storport, &resets->targets[i]);
	for (uint32_t i = 0; i < LF_LU_RESETS; i++)
		again(storport, &resets->units[i]);
	lf_list_init(&late);
	lf_lock(&resets->lock);
	take_late_locked(resets, &late);
	lf_unlock(&resets->lock);
	complete_all(&late, SRB_STATUS_TIMEOUT); /* task management goes on: it is not in the SRB */
}

/* ---- Asked for by SRBs ---- */

static void wait_locked(struct lf_resets *resets, struct lf_srb *own, struct lf_reset *reset, uint64_t ticket)
{
	own->reset = reset;
	own->ticket = ticket;
	own->due_ns = lf_time_ns() + LF_RESET_LIMIT_NS;
	if (lf_list_empty(&resets->waiters))
		set_timer_locked(resets, LF_RESET_TICK_NS);
	lf_list_append(&resets->waiters, &own->link);
}

/* One of the few for units: the one that is at it already, or a free one; NULL: there is none. */
static struct lf_reset *find_locked(struct lf_resets *resets, const struct lf_srb *own)
{
	struct lf_reset *found = NULL;

	for (uint32_t i = 0; i < LF_LU_RESETS; i++) {
		struct lf_reset *reset = &resets->units[i];
		bool idle = !reset->running && reset->wanted == reset->ended;
		if (!idle && reset->target == own->target && reset->lun == own->lun)
			return reset;
		if (idle && found == NULL)
			found = reset;
	}
	if (found != NULL) {
		found->target = own->target;
		found->lun = own->lun;
	}
	return found;
}

static void reset_one(struct lf_storport *storport, struct lf_srb *own, bool whole_target)
{
	struct lf_resets *resets = &storport->resets;
	bool mine = false;

	lf_lock(&resets->lock);
	struct lf_reset *reset = whole_target ? &resets->targets[own->target] : find_locked(resets, own);
	if (reset != NULL) {
		uint64_t ticket = ++resets->ticket;
		wait_locked(resets, own, reset, ticket);
		mine = want_locked(reset, ticket);
	}
	lf_unlock(&resets->lock);
	if (reset == NULL)
		lf_srb_complete(own, SRB_STATUS_ERROR);
	else if (mine)
		begin(reset);
}

void lf_reset_unit(struct lf_storport *storport, struct lf_srb *own)
{
	reset_one(storport, own, false);
}

void lf_reset_target(struct lf_storport *storport, struct lf_srb *own)
{
	reset_one(storport, own, true);
}

void lf_reset_all(struct lf_storport *storport, struct lf_srb *own)
{
	struct lf_resets *resets = &storport->resets;

	lf_lock(&resets->lock);
	uint64_t ticket = ++resets->ticket;
	lf_atomic_add_relaxed_u64(&resets->of_all, 1);
	if (own != NULL)
		wait_locked(resets, own, NULL, ticket);
	lf_unlock(&resets->lock);
	/* own may be gone after the last one; a later ticket may have come in between, and does for this one.
	 */
	for (uint32_t i = 0; i < storport->target_count; i++) {
		struct lf_reset *reset = &resets->targets[i];
		lf_lock(&resets->lock);
		bool mine = reset->wanted < ticket && want_locked(reset, ticket);
		lf_unlock(&resets->lock);
		if (mine)
			begin(reset);
	}
}

/*
 * HwResetBus: DISPATCH_LEVEL, under Storport's StartIo lock, and again every few seconds while SRBs stay out
 * that it wants back. Marks and cancels, and waits for nothing.
 */
BOOLEAN lf_reset_bus(PVOID extension, ULONG path)
{
	struct lf_storport *storport = extension;

	lf_storport_enter(storport);
	lf_trace_storport_call(LF_CALLBACK_RESET_BUS, path, 0, 0);
	lf_reset_all(storport, NULL);
	lf_storport_leave(storport);
	return TRUE;
}

/* ---- Start and stop ---- */

static void reset_init(struct lf_reset *reset, struct lf_storport *storport, uint32_t target)
{
	reset->storport = storport;
	reset->target = target;
	reset->lun = LF_LUN_ANY;
	reset->tmf.done = reset_done;
}

bool lf_resets_create(struct lf_storport *storport)
{
	struct lf_resets *resets = &storport->resets;

	resets->targets = lf_alloc(storport->target_count * sizeof(struct lf_reset));
	if (resets->targets == NULL)
		return false;
	lf_lock_init(&resets->lock);
	lf_list_init(&resets->waiters);
	for (uint32_t i = 0; i < storport->target_count; i++)
		reset_init(&resets->targets[i], storport, i);
	for (uint32_t i = 0; i < LF_LU_RESETS; i++)
		reset_init(&resets->units[i], storport, 0);
	KeInitializeTimer(&resets->timer);
	KeInitializeDpc(&resets->dpc, timer_fired, storport);
	return true;
}

static bool any_runs(struct lf_storport *storport)
{
	struct lf_resets *resets = &storport->resets;
	bool runs = false;

	lf_lock(&resets->lock);
	for (uint32_t i = 0; i < storport->target_count; i++)
		runs = runs || resets->targets[i].running;
	for (uint32_t i = 0; i < LF_LU_RESETS; i++)
		runs = runs || resets->units[i].running;
	lf_unlock(&resets->lock);
	return runs;
}

void lf_resets_stop(struct lf_storport *storport)
{
	struct lf_resets *resets = &storport->resets;

	lf_lock(&resets->lock);
	resets->stopped = true;
	lf_unlock(&resets->lock);
	(void)KeCancelTimer(&resets->timer);
	KeFlushQueuedDpcs(); /* it may have fired already, elsewhere */
	while (any_runs(storport))
		lf_storport_pause();
}

void lf_resets_destroy(struct lf_storport *storport)
{
	struct lf_resets *resets = &storport->resets;

	lf_assert(lf_list_empty(&resets->waiters));
	lf_lock_fini(&resets->lock);
	lf_free(resets->targets);
}
