/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service_plan.h: when the service tries to connect what: a plan without clocks, disks or Windows. One
 * thread. Times are milliseconds of a clock that only goes on.
 */
#ifndef LF_PROGRAMS_SERVICE_PLAN_H
#define LF_PROGRAMS_SERVICE_PLAN_H

#include "platform/platform.h"

#define LF_PLAN_ITEMS_MAX  256
#define LF_PLAN_NAME_ROOM  62
#define LF_PLAN_RETRY_MS   2000   /* after the first failure; doubled after each further one */
#define LF_PLAN_LONGEST_MS 300000 /* and no longer than this */
#define LF_PLAN_SETTLE_MS  1000   /* volumes come in droves, and get their letters a little later */
#define LF_PLAN_NEVER      UINT32_MAX

enum lf_plan_event {
	LF_PLAN_VOLUME,  /* came: what failed may be there now, and what was on one that left may be back */
	LF_PLAN_ADAPTER, /* came: it has nothing connected */
	LF_PLAN_RESUMED, /* after sleep: shares and volumes may have gone and come */
};

struct lf_plan_item {
	char name[LF_PLAN_NAME_ROOM];
	bool known;     /* still kept */
	bool connected; /* as far as was seen */
	bool waits;     /* to be looked at, at due_ms */
	uint32_t failures;
	uint32_t said; /* what was told of it last, as a hash; 0: nothing */
	uint64_t due_ms;
};

struct lf_plan {
	uint32_t count;
	struct lf_plan_item items[LF_PLAN_ITEMS_MAX];
	bool adapter_gone;
	uint32_t adapter_failures;
	uint64_t adapter_due_ms;
};

void lf_plan_event(struct lf_plan *plan, enum lf_plan_event event, uint64_t now_ms);

/*
 * One pass over all that is kept: begin, then each by its name, then end, which forgets those that are kept
 * no more. begin: false, not now: there is no adapter.
 */
bool lf_plan_begin(struct lf_plan *plan, uint64_t now_ms);
/* The one of that name, which may be new; NULL: there are too many. Names are cut to the room. */
struct lf_plan_item *lf_plan_find(struct lf_plan *plan, const char *name, uint64_t now_ms);
bool lf_plan_is_due(const struct lf_plan_item *item, uint64_t now_ms);
void lf_plan_done(struct lf_plan_item *item);
void lf_plan_failed(struct lf_plan_item *item, uint64_t now_ms);
void lf_plan_end(struct lf_plan *plan);

/* No adapter answers: nothing is tried until one comes, or the time has passed. */
void lf_plan_no_adapter(struct lf_plan *plan, uint64_t now_ms);

/* Until something is due; LF_PLAN_NEVER: until an event. */
uint32_t lf_plan_wait_ms(const struct lf_plan *plan, uint64_t now_ms);

/* Whether this was not the last thing that was told of it. */
bool lf_plan_is_news(struct lf_plan_item *item, const char *text);

#endif
