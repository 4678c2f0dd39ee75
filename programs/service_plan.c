/* SPDX-License-Identifier: BSD-2-Clause */
/* service_plan.c: retries with growing pauses, which an event cuts short; pure. */
#include "programs/service_plan.h"

#include <string.h>

static uint32_t pause_ms(uint32_t failures)
{
	uint32_t pause = LF_PLAN_RETRY_MS;

	while (failures-- > 1 && pause < LF_PLAN_LONGEST_MS)
		pause *= 2;
	return lf_min(pause, (uint32_t)LF_PLAN_LONGEST_MS);
}

/* Sooner than it was, never later: events that follow one another closely put nothing off. */
static void look_at(struct lf_plan_item *item, uint64_t due_ms)
{
	if (!item->waits || due_ms < item->due_ms)
		item->due_ms = due_ms;
	item->waits = true;
}

void lf_plan_event(struct lf_plan *plan, enum lf_plan_event event, uint64_t now_ms)
{
	/* Connecting brings volumes of its own: the pauses of those that fail go on growing. */
	bool anew = event != LF_PLAN_VOLUME;

	if (anew) {
		plan->adapter_gone = false;
		plan->adapter_failures = 0;
	}
	for (uint32_t i = 0; i < plan->count; i++) {
		struct lf_plan_item *item = &plan->items[i];
		if (anew)
			item->failures = 0;
		if (event == LF_PLAN_ADAPTER)
			item->connected = false;
		look_at(item, anew ? now_ms : now_ms + LF_PLAN_SETTLE_MS);
	}
}

bool lf_plan_begin(struct lf_plan *plan, uint64_t now_ms)
{
	if (plan->adapter_gone && now_ms < plan->adapter_due_ms)
		return false;
	for (uint32_t i = 0; i < plan->count; i++)
		plan->items[i].known = false;
	return true;
}

struct lf_plan_item *lf_plan_find(struct lf_plan *plan, const char *name, uint64_t now_ms)
{
	struct lf_plan_item *item;
	char text[LF_PLAN_NAME_ROOM];

	lf_format(text, sizeof(text), "%s", name);
	for (uint32_t i = 0; i < plan->count; i++) {
		item = &plan->items[i];
		if (strcmp(item->name, text) == 0) {
			item->known = true;
			return item;
		}
	}
	if (plan->count == LF_PLAN_ITEMS_MAX)
		return NULL;
	item = &plan->items[plan->count++];
	memset(item, 0, sizeof(*item));
	memcpy(item->name, text, sizeof(text));
	item->known = true;
	look_at(item, now_ms);
	return item;
}

bool lf_plan_is_due(const struct lf_plan_item *item, uint64_t now_ms)
{
	return item->waits && now_ms >= item->due_ms;
}

void lf_plan_done(struct lf_plan_item *item)
{
	item->connected = true;
	item->waits = false;
	item->failures = 0;
}

void lf_plan_failed(struct lf_plan_item *item, uint64_t now_ms)
{
	item->connected = false;
	if (item->failures < UINT32_MAX)
		item->failures++;
	item->waits = true;
	item->due_ms = now_ms + pause_ms(item->failures);
}

void lf_plan_end(struct lf_plan *plan)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < plan->count; i++) {
		if (!plan->items[i].known)
			continue;
		if (i != kept)
			plan->items[kept] = plan->items[i];
		kept++;
	}
	plan->count = kept;
	plan->adapter_gone = false;
	plan->adapter_failures = 0;
}

void lf_plan_no_adapter(struct lf_plan *plan, uint64_t now_ms)
{
	if (plan->adapter_failures < UINT32_MAX)
		plan->adapter_failures++;
	plan->adapter_gone = true;
	plan->adapter_due_ms = now_ms + pause_ms(plan->adapter_failures);
	/* What it had went with it. */
	for (uint32_t i = 0; i < plan->count; i++) {
		plan->items[i].connected = false;
		look_at(&plan->items[i], plan->adapter_due_ms);
	}
}

static uint32_t until(uint64_t due_ms, uint64_t now_ms)
{
	return due_ms <= now_ms ? 0 : (uint32_t)lf_min(due_ms - now_ms, (uint64_t)LF_PLAN_LONGEST_MS);
}

uint32_t lf_plan_wait_ms(const struct lf_plan *plan, uint64_t now_ms)
{
	uint32_t wait = LF_PLAN_NEVER;

	if (plan->adapter_gone)
		return until(plan->adapter_due_ms, now_ms);
	for (uint32_t i = 0; i < plan->count; i++) {
		if (plan->items[i].waits)
			wait = lf_min(wait, until(plan->items[i].due_ms, now_ms));
	}
	return wait;
}

/* FNV-1a, 32 bits: what it mistakes for the same is left out of a log once. */
bool lf_plan_is_news(struct lf_plan_item *item, const char *text)
{
	uint32_t hash = UINT32_C(2166136261);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT32_C(16777619);
	if (hash == item->said)
		return false;
	item->said = hash;
	return true;
}
