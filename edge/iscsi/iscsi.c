/* SPDX-License-Identifier: BSD-2-Clause */
/* iscsi.c: the target node: its beginning, its lanes, its end. */
#include "edge/iscsi/internal.h"

#define BUDGET_BYTES       (256ull << 20)
#define SLICE_BYTES_MIN    (8ull << 20) /* of the budget, for one loop: half of it is one command's at most */
#define TRANSFER_BYTES_MAX (32u << 20)  /* one command's data */
#define SESSIONS           256
#define LOGIN_TIMEOUT_MS   10000
#define SILENCE_MS         30000

static void lane_stop(struct lf_post *post);
static void lane_deadline(struct lf_timer *timer);
static void node_stopped(struct lf_post *post);

static bool lane_init(
	struct lf_iscsi *iscsi, struct iscsi_lane *lane, struct lf_loop *loop, uint64_t slice_bytes)
{
	lane->iscsi = iscsi;
	lane->loop = loop;
	lane->feed.run = lf_iscsi_lane_feed;
	lane->stop_post.run = lane_stop;
	lane->stop_timer.fired = lane_deadline;
	lf_list_init(&lane->connections);
	lf_list_init(&lane->waiting);
	lf_list_init(&lane->starved);
	if (!lf_iscsi_pool_init(&lane->pool, slice_bytes))
		return false;
	/* Promises never take more than the other half: session.c. */
	lane->transfer_pages_max = lf_min(lane->pool.page_count / 2, TRANSFER_BYTES_MAX / ISCSI_PAGE);
	lane->session_pages_max = lane->pool.page_count / 2;
	return true;
}

static bool lanes_init(
	struct lf_iscsi *iscsi, const struct lf_iscsi_options *options, struct lf_message *message)
{
	uint64_t budget = options->memory_budget_bytes != 0
				  ? options->memory_budget_bytes
				  : lf_max(BUDGET_BYTES, SLICE_BYTES_MIN * options->loop_count);
	uint64_t slice = budget / options->loop_count;

	if (slice < SLICE_BYTES_MIN) {
		lf_message_set(message,
			"iscsi: a memory budget of %llu bytes is too small: %llu for each of %u loops",
			(unsigned long long)budget, (unsigned long long)SLICE_BYTES_MIN, options->loop_count);
		return false;
	}
	iscsi->lanes = lf_alloc(options->loop_count * sizeof(*iscsi->lanes));
	while (iscsi->lanes != NULL && iscsi->lane_count < options->loop_count) {
		if (!lane_init(iscsi, &iscsi->lanes[iscsi->lane_count], options->loops[iscsi->lane_count],
			    slice))
			break;
		iscsi->lane_count++;
	}
	if (iscsi->lane_count == options->loop_count)
		return true;
	lf_message_set(message, "iscsi: no memory for a budget of %llu bytes: give a smaller one",
		(unsigned long long)budget);
	return false;
}

static void take_options(struct lf_iscsi *iscsi, const struct lf_iscsi_options *options)
{
	memcpy(iscsi->iqn, options->iqn, strlen(options->iqn));
	iscsi->target = options->target;
	iscsi->sessions_max = options->sessions_max != 0 ? options->sessions_max : SESSIONS;
	iscsi->login_timeout_ms =
		options->login_timeout_ms != 0 ? options->login_timeout_ms : LOGIN_TIMEOUT_MS;
	iscsi->silence_ms = options->silence_ms != 0 ? options->silence_ms : SILENCE_MS;
}

struct lf_iscsi *lf_iscsi_create(
	struct lf_adapter *adapter, const struct lf_iscsi_options *options, struct lf_message *message)
{
	struct lf_iscsi *iscsi = NULL;

	if (!lf_iscsi_name_valid(options->iqn))
		lf_message_set(message,
			"iscsi: %.60s is not an iSCSI name: write one like iqn.2026-01.org.example:disk",
			options->iqn);
	else if ((iscsi = lf_alloc(sizeof(*iscsi))) == NULL)
		lf_message_set(message, "iscsi: no memory");
	if (iscsi == NULL) {
		lf_iscsi_secrets_free(options->secrets);
		return NULL;
	}
	iscsi->adapter = adapter;
	take_options(iscsi, options);
	iscsi->stopped_post.run = node_stopped;
	lf_lock_init(&iscsi->lock);
	lf_list_init(&iscsi->sessions);
	lf_list_init(&iscsi->discoveries);
	lf_list_init(&iscsi->logins);
	if (options->secrets != NULL) {
		iscsi->authority = lf_iscsi_authority_create(options->secrets);
		if (iscsi->authority == NULL)
			lf_message_set(message, "iscsi: no memory");
	}
	if ((options->secrets != NULL && iscsi->authority == NULL) || !lanes_init(iscsi, options, message)) {
		lf_iscsi_destroy(iscsi);
		return NULL;
	}
	return iscsi;
}

/* ---- The end ---- */

static void node_stopped(struct lf_post *post)
{
	struct lf_iscsi *iscsi = lf_container(post, struct lf_iscsi, stopped_post);

	iscsi->stopped(iscsi->stopped_context);
}

/* Any loop: when every lane knows of the end and no connection is left, the first loop says so. */
static void check_stopped(struct lf_iscsi *iscsi, uint32_t connections_gone, uint32_t lanes_stopped)
{
	bool stopped;

	lf_lock(&iscsi->lock);
	iscsi->connections -= connections_gone;
	iscsi->stops_left -= lanes_stopped;
	stopped = iscsi->stopping && !iscsi->stop_posted && iscsi->connections == 0 && iscsi->stops_left == 0;
	iscsi->stop_posted = iscsi->stop_posted || stopped;
	lf_unlock(&iscsi->lock);
	if (stopped)
		lf_loop_post(iscsi->lanes[0].loop, &iscsi->stopped_post);
}

void lf_iscsi_connection_left(struct iscsi_lane *lane)
{
	if (lane->stopping && lf_list_empty(&lane->connections))
		lf_loop_timer_cancel(lane->loop, &lane->stop_timer);
	check_stopped(lane->iscsi, 1, 0);
}

static void lane_stop(struct lf_post *post)
{
	struct iscsi_lane *lane = lf_container(post, struct iscsi_lane, stop_post);

	lane->stopping = true;
	lf_list_each(link, after, &lane->connections)
		lf_iscsi_connection_stop(lf_container(link, struct iscsi_connection, link));
	if (!lf_list_empty(&lane->connections))
		lf_loop_timer_set(lane->loop, &lane->stop_timer, lane->iscsi->deadline_ns);
	check_stopped(lane->iscsi, 0, 1);
}

/* Whoever is still there is closed; what the core has of it still runs out. */
static void lane_deadline(struct lf_timer *timer)
{
	struct iscsi_lane *lane = lf_container(timer, struct iscsi_lane, stop_timer);

	lf_list_each(link, after, &lane->connections) lf_iscsi_connection_close(
		lf_container(link, struct iscsi_connection, link), ISCSI_CLOSE_STOP);
}

void lf_iscsi_stop(struct lf_iscsi *iscsi, uint64_t deadline_ns, void (*done)(void *context), void *context)
{
	iscsi->stopped = done;
	iscsi->stopped_context = context;
	lf_iscsi_portals_close(iscsi);
	lf_lock(&iscsi->lock);
	iscsi->stopping = true;
	iscsi->stops_left = iscsi->lane_count;
	iscsi->deadline_ns = deadline_ns;
	lf_unlock(&iscsi->lock);
	for (uint32_t i = 0; i < iscsi->lane_count; i++)
		lf_loop_post(iscsi->lanes[i].loop, &iscsi->lanes[i].stop_post);
}

void lf_iscsi_destroy(struct lf_iscsi *iscsi)
{
	/* Closed already by lf_iscsi_stop, unless the loops never ran. */
	if (iscsi->lane_count > 0)
		lf_iscsi_portals_close(iscsi);
	lf_assert(iscsi->connections == 0);
	for (uint32_t i = 0; i < iscsi->lane_count; i++)
		lf_iscsi_pool_fini(&iscsi->lanes[i].pool);
	lf_free(iscsi->lanes);
	lf_iscsi_authority_destroy(iscsi->authority);
	lf_lock_fini(&iscsi->lock);
	lf_free(iscsi);
}
