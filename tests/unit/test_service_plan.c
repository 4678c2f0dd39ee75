/* SPDX-License-Identifier: BSD-2-Clause */
/* test_service_plan.c: when the service for Windows tries to connect what is kept. */
#include "programs/service_plan.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

static struct lf_plan plan; /* of the case that runs */

static void start(void)
{
	memset(&plan, 0, sizeof(plan));
}

/* A pass over these names, in which each that is due fails or succeeds. Returns how many were due. */
static uint32_t pass(const char *const *names, uint32_t count, bool good, uint64_t now_ms)
{
	uint32_t due = 0;

	if (!lf_plan_begin(&plan, now_ms))
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		struct lf_plan_item *item = lf_plan_find(&plan, names[i], now_ms);
		if (!item || !lf_plan_is_due(item, now_ms))
			continue;
		due++;
		if (good)
			lf_plan_done(item);
		else
			lf_plan_failed(item, now_ms);
	}
	lf_plan_end(&plan);
	return due;
}

static const char *const one[] = {"disk"};
static const char *const two[] = {"disk", "share"};

TEST(what_is_kept_is_tried_at_once_and_then_left_alone)
{
	start();
	CHECK_EQ(lf_plan_wait_ms(&plan, 100), LF_PLAN_NEVER);
	CHECK_EQ(pass(two, 2, true, 100), 2);
	CHECK_EQ(plan.count, 2);
	CHECK_EQ(lf_plan_wait_ms(&plan, 100), LF_PLAN_NEVER);
	CHECK_EQ(pass(two, 2, true, 1000000), 0);
}

TEST(pauses_grow_to_a_limit)
{
	uint64_t now_ms = 5000;
	uint32_t wait_ms = LF_PLAN_RETRY_MS;

	start();
	for (uint32_t i = 0; i < 100; i++) {
		CHECK_EQ(pass(one, 1, false, now_ms), 1);
		CHECK_EQ(lf_plan_wait_ms(&plan, now_ms), wait_ms);
		CHECK_EQ(pass(one, 1, false, now_ms + wait_ms - 1), 0);
		now_ms += wait_ms;
		wait_ms = lf_min(wait_ms * 2, (uint32_t)LF_PLAN_LONGEST_MS);
	}
	CHECK_EQ(wait_ms, LF_PLAN_LONGEST_MS);
	plan.items[0].failures = UINT32_MAX;
	CHECK_EQ(pass(one, 1, false, now_ms), 1);
	CHECK_EQ(lf_plan_wait_ms(&plan, now_ms), LF_PLAN_LONGEST_MS);
}

TEST(one_that_fails_keeps_no_other)
{
	struct lf_plan_item *item;

	start();
	CHECK(lf_plan_begin(&plan, 0));
	lf_plan_failed(lf_plan_find(&plan, "share", 0), 0);
	item = lf_plan_find(&plan, "disk", 0);
	CHECK(lf_plan_is_due(item, 0));
	lf_plan_done(item);
	lf_plan_end(&plan);
	CHECK_EQ(lf_plan_wait_ms(&plan, 0), LF_PLAN_RETRY_MS);
	CHECK_EQ(pass(two, 2, true, LF_PLAN_RETRY_MS), 1);
	CHECK_EQ(lf_plan_wait_ms(&plan, 0), LF_PLAN_NEVER);
}

TEST(a_volume_cuts_a_pause_short_and_resets_none)
{
	start();
	for (uint64_t now_ms = 0; now_ms <= 3000000; now_ms += LF_PLAN_LONGEST_MS)
		pass(one, 1, false, now_ms);
	CHECK_EQ(lf_plan_wait_ms(&plan, 3000000), LF_PLAN_LONGEST_MS);
	lf_plan_event(&plan, LF_PLAN_VOLUME, 3000001);
	CHECK_EQ(lf_plan_wait_ms(&plan, 3000001), LF_PLAN_SETTLE_MS);
	/* A row of them puts nothing off. */
	lf_plan_event(&plan, LF_PLAN_VOLUME, 3000900);
	CHECK_EQ(lf_plan_wait_ms(&plan, 3000900), LF_PLAN_SETTLE_MS - 899);
	CHECK_EQ(pass(one, 1, false, 3001001), 1);
	CHECK_EQ(lf_plan_wait_ms(&plan, 3001001), LF_PLAN_LONGEST_MS);
}

TEST(a_volume_has_what_is_connected_looked_at_too)
{
	start();
	pass(one, 1, true, 0);
	lf_plan_event(&plan, LF_PLAN_VOLUME, 10);
	CHECK_EQ(pass(one, 1, true, 10 + LF_PLAN_SETTLE_MS), 1);
	CHECK_EQ(lf_plan_wait_ms(&plan, 10 + LF_PLAN_SETTLE_MS), LF_PLAN_NEVER);
}

TEST(without_an_adapter_nothing_is_tried_until_one_comes)
{
	uint64_t now_ms = 0;

	start();
	pass(one, 1, true, now_ms);
	CHECK(lf_plan_begin(&plan, now_ms));
	lf_plan_no_adapter(&plan, now_ms);
	CHECK(!plan.items[0].connected);
	CHECK_EQ(lf_plan_wait_ms(&plan, now_ms), LF_PLAN_RETRY_MS);
	CHECK(!lf_plan_begin(&plan, now_ms + LF_PLAN_RETRY_MS - 1));
	CHECK(lf_plan_begin(&plan, now_ms + LF_PLAN_RETRY_MS));
	for (uint32_t i = 0; i < 50; i++)
		lf_plan_no_adapter(&plan, now_ms);
	CHECK_EQ(lf_plan_wait_ms(&plan, now_ms), LF_PLAN_LONGEST_MS);
	lf_plan_event(&plan, LF_PLAN_ADAPTER, now_ms + 7);
	CHECK_EQ(lf_plan_wait_ms(&plan, now_ms + 7), 0);
	CHECK_EQ(pass(one, 1, true, now_ms + 7), 1);
	CHECK(plan.items[0].connected);
}

TEST(an_adapter_that_comes_again_has_nothing)
{
	start();
	pass(two, 2, true, 0);
	lf_plan_event(&plan, LF_PLAN_ADAPTER, 50);
	CHECK(!plan.items[0].connected && !plan.items[1].connected);
	CHECK_EQ(pass(two, 2, true, 50), 2);
}

TEST(after_sleep_pauses_begin_anew)
{
	start();
	for (uint64_t now_ms = 0; now_ms <= 1800000; now_ms += LF_PLAN_LONGEST_MS)
		pass(one, 1, false, now_ms);
	lf_plan_event(&plan, LF_PLAN_RESUMED, 2000000);
	CHECK_EQ(pass(one, 1, false, 2000000), 1);
	CHECK_EQ(lf_plan_wait_ms(&plan, 2000000), LF_PLAN_RETRY_MS);
}

TEST(what_is_kept_no_more_is_forgotten)
{
	start();
	pass(two, 2, false, 0);
	CHECK_EQ(pass(two + 1, 1, true, LF_PLAN_RETRY_MS), 1);
	CHECK_EQ(plan.count, 1);
	CHECK_STR(plan.items[0].name, "share");
	CHECK_EQ(lf_plan_wait_ms(&plan, LF_PLAN_RETRY_MS), LF_PLAN_NEVER);
	CHECK_EQ(pass(NULL, 0, true, LF_PLAN_RETRY_MS), 0);
	CHECK_EQ(plan.count, 0);
}

TEST(their_number_and_their_names_have_limits)
{
	char name[200];

	start();
	CHECK(lf_plan_begin(&plan, 0));
	for (uint32_t i = 0; i < LF_PLAN_ITEMS_MAX; i++) {
		snprintf(name, sizeof(name), "%03u%0*d", i, 180, 0);
		CHECK(lf_plan_find(&plan, name, 0));
	}
	CHECK(!lf_plan_find(&plan, "one more", 0));
	CHECK(lf_plan_find(&plan, name, 0) == &plan.items[LF_PLAN_ITEMS_MAX - 1]);
	CHECK_EQ(strlen(plan.items[0].name), LF_PLAN_NAME_ROOM - 1);
	lf_plan_end(&plan);
	CHECK_EQ(plan.count, LF_PLAN_ITEMS_MAX);
}

TEST(the_same_is_told_once)
{
	struct lf_plan_item item = {.name = "disk"};

	CHECK(lf_plan_is_news(&item, "no such file"));
	CHECK(!lf_plan_is_news(&item, "no such file"));
	CHECK(lf_plan_is_news(&item, "connected"));
	CHECK(lf_plan_is_news(&item, "no such file"));
}
