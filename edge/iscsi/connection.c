/* SPDX-License-Identifier: BSD-2-Clause */
/* connection.c: one TCP connection on its loop: from accept to the last free, notes from other threads,
 * timers. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/iscsi/internal.h"
#include "trace/trace.h"

#define MS_NS           1000000ull
#define LOGOUT_GRACE_MS 1000u

static void connection_ready(struct lf_watch *watch, uint32_t events);
static void connection_round(struct lf_round *round);
static void connection_timer(struct lf_timer *timer);
static void connection_kicked(struct lf_post *post);
static void connection_notes(struct lf_post *post);

struct iscsi_connection *lf_iscsi_connection_create(
	struct lf_iscsi *iscsi, const struct iscsi_portal *portal, int fd)
{
	struct iscsi_connection *connection = lf_alloc(sizeof(*connection));

	if (connection == NULL)
		return NULL;
	connection->iscsi = iscsi;
	connection->portal = portal;
	connection->fd = fd;
	connection->watch = (struct lf_watch){.fd = fd, .ready = connection_ready};
	connection->timer.fired = connection_timer;
	connection->round.run = connection_round;
	connection->notes_post.run = connection_notes;
	connection->kick_post.run = connection_kicked;
	connection->text_itt = connection->text_ttt = ISCSI_NO_TAG;
	lf_list_init(&connection->send_queue);
	lf_list_init(&connection->solicit);
	lf_list_init(&connection->finished);
	lf_list_init(&connection->claimants);
	lf_list_init(&connection->session.begun);
	lf_list_init(&connection->session.free_tasks);
	lf_list_init(&connection->session.capped);
	lf_iscsi_login_init(&connection->login, &portal->terms);
	lf_iscsi_text_init(&connection->text_in, ISCSI_TEXT_MAX);
	lf_iscsi_text_init(&connection->text_out, ISCSI_TEXT_MAX);
	connection->receive.buffer = lf_alloc(ISCSI_RECEIVE_BUFFER);
	connection->batch = lf_alloc(sizeof(*connection->batch));
	if (connection->receive.buffer == NULL || connection->batch == NULL) {
		lf_iscsi_connection_free(connection);
		return NULL;
	}
	lf_list_init(&connection->batch->tasks);
	lf_list_init(&connection->batch->replies);
	return connection;
}

void lf_iscsi_connection_free(struct iscsi_connection *connection)
{
	lf_iscsi_login_fini(&connection->login);
	lf_iscsi_text_fini(&connection->text_in);
	lf_iscsi_text_fini(&connection->text_out);
	lf_free(connection->receive.buffer);
	lf_free(connection->batch);
	lf_free(connection);
}

/* ---- Notes from other threads ---- */

void lf_iscsi_connection_kick(struct iscsi_connection *connection, uint32_t kick)
{
	/* As long as a bit is set the connection is not freed: the poster's own bit guards its post. */
	if (lf_atomic_or_u32(&connection->kicks, kick) == 0)
		lf_loop_post(connection->lane->loop, &connection->kick_post);
}

void lf_iscsi_note_push(struct iscsi_connection *connection, struct iscsi_note *note)
{
	struct iscsi_note *newest = __atomic_load_n(&connection->notes, __ATOMIC_RELAXED);

	/* Acquire as well: whoever finds the list empty posts what the loop has handled before it emptied it.
	 */
	do {
		note->next = newest;
	} while (!__atomic_compare_exchange_n(
		&connection->notes, &newest, note, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	/*
	 * Only this post takes notes from the list, so a list that was empty has no post under way, and the
	 * connection lives until ours has run. Whoever found it not empty touches the connection no more.
	 */
	if (newest == NULL)
		lf_loop_post(connection->lane->loop, &connection->notes_post);
}

static void connection_notes(struct lf_post *post)
{
	struct iscsi_connection *connection = lf_container(post, struct iscsi_connection, notes_post);
	struct iscsi_note *note = __atomic_exchange_n(&connection->notes, NULL, __ATOMIC_ACQ_REL);
	struct iscsi_note *oldest = NULL;

	while (note != NULL) {
		struct iscsi_note *older = note->next;

		note->next = oldest;
		oldest = note;
		note = older;
	}
	while (oldest != NULL) {
		note = oldest;
		oldest = note->next;
		note->run(note);
	}
	iscsi_schedule(connection);
}

static void connection_start(struct iscsi_connection *connection)
{
	lf_list_append(&connection->lane->connections, &connection->link);
	lf_trace_iscsi_connection_opened(connection->id, 0, 0, 0);
	if (connection->lane->stopping) {
		lf_iscsi_connection_close(connection, ISCSI_CLOSE_STOP);
		return;
	}
	lf_loop_timer_set(connection->lane->loop, &connection->timer,
		lf_time_ns() + connection->iscsi->login_timeout_ms * MS_NS);
	lf_iscsi_connection_watch(connection);
}

static void connection_kicked(struct lf_post *post)
{
	struct iscsi_connection *connection = lf_container(post, struct iscsi_connection, kick_post);
	uint32_t kicks = lf_atomic_and_u32(&connection->kicks, 0);

	if (kicks & ISCSI_KICK_START)
		connection_start(connection);
	if (kicks & ISCSI_KICK_CLOSE)
		lf_iscsi_connection_close(connection, ISCSI_CLOSE_REINSTATED);
	/* One that has finished its login meanwhile stays. */
	if ((kicks & ISCSI_KICK_ROOM) &&
		(connection->phase != ISCSI_PHASE_FULL || connection->login.negotiation.discovery))
		lf_iscsi_connection_close(connection, ISCSI_CLOSE_ROOM);
	if ((kicks & ISCSI_KICK_DROP) && connection->phase == ISCSI_PHASE_FULL)
		lf_iscsi_farewell(connection, ISCSI_CLOSE_DROPPED);
	if (kicks & ISCSI_KICK_INVENTORY)
		lf_iscsi_tell_inventory(connection);
	if (kicks & ISCSI_KICK_RESET)
		lf_iscsi_connection_end(connection, ISCSI_CLOSE_RESET);
	if ((kicks & ISCSI_KICK_CLAIM) && connection->phase == ISCSI_PHASE_CLAIM)
		lf_iscsi_login_claim(connection);
	if (kicks & ISCSI_KICK_HURRY)
		lf_iscsi_tasks_hurry(connection, true);
	iscsi_schedule(connection);
}

/* ---- The socket ---- */

void lf_iscsi_connection_watch(struct iscsi_connection *connection)
{
	bool reads = connection->phase == ISCSI_PHASE_LOGIN || connection->phase == ISCSI_PHASE_LINGER ||
		     (connection->phase == ISCSI_PHASE_FULL && !connection->paused);
	uint32_t events = reads ? EPOLLIN : 0;

	if (connection->phase == ISCSI_PHASE_CLOSED)
		return;
	if (connection->batch->vector_at < connection->batch->vector_count)
		events |= EPOLLOUT;
	lf_loop_watch(connection->lane->loop, &connection->watch, events);
}

/* All was sent; what the peer still had on the way is thrown away, lest it be answered with a reset. */
static void linger(struct iscsi_connection *connection)
{
	struct iscsi_receive *receive = &connection->receive;
	ssize_t got = recv(connection->fd, receive->buffer, ISCSI_RECEIVE_BUFFER, 0);

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		lf_iscsi_connection_close(connection, connection->reason);
}

static void connection_ready(struct lf_watch *watch, uint32_t events)
{
	struct iscsi_connection *connection = lf_container(watch, struct iscsi_connection, watch);

	connection->turn_bytes = 0;
	if (events & EPOLLOUT)
		iscsi_schedule(connection);
	if (events & EPOLLIN) {
		if (connection->phase == ISCSI_PHASE_LINGER)
			linger(connection);
		else
			lf_iscsi_receive(connection);
	} else if (events & (EPOLLERR | EPOLLHUP)) {
		lf_iscsi_connection_close(connection, ISCSI_CLOSE_PEER);
	}
}

static void set_timer(struct iscsi_connection *connection, uint64_t after_ms)
{
	lf_loop_timer_set(connection->lane->loop, &connection->timer, lf_time_ns() + after_ms * MS_NS);
}

/* Whether anybody else on the loop is short of memory. */
static bool others_wait(const struct iscsi_connection *connection)
{
	const struct iscsi_lane *lane = connection->lane;

	lf_list_each(link, after, &lane->waiting)
	{
		if (lf_container(link, struct iscsi_task, wait_link)->connection != connection)
			return true;
	}
	lf_list_each(link, after, &lane->starved)
	{
		if (lf_container(link, struct iscsi_session, starved_link) != &connection->session)
			return true;
	}
	return false;
}

/*
 * Whether the session has held memory for data since the last look, of which nothing came, while others wait
 * for memory: it may talk, but it starves them.
 */
static bool hoards(struct iscsi_connection *connection)
{
	struct iscsi_session *session = &connection->session;
	struct iscsi_task *oldest = NULL;
	bool same;

	lf_list_each(link, after, &session->begun)
	{
		oldest = lf_container(link, struct iscsi_task, begun_link);
		if (!lf_link_in_list(&oldest->wait_link))
			break;
		oldest = NULL;
	}
	if (oldest == NULL) {
		session->oldest = NULL;
		return false;
	}
	same = session->oldest == oldest && session->oldest_itt == oldest->itt &&
	       session->oldest_received == oldest->received;
	session->oldest = oldest;
	session->oldest_itt = oldest->itt;
	session->oldest_received = oldest->received;
	return same && others_wait(connection);
}

/* Whether something has waited to be sent since the last look, and not a byte of it was taken. */
static bool takes_nothing(struct iscsi_connection *connection)
{
	bool queued = !lf_iscsi_transmit_idle(connection);
	bool stuck =
		queued && connection->queued_seen && connection->bytes_sent == connection->bytes_sent_seen;

	connection->queued_seen = queued;
	connection->bytes_sent_seen = connection->bytes_sent;
	return stuck;
}

/* Who says nothing is asked once (RFC 7143 11.19), then given up; so is whoever never reads. */
static void check_silence(struct iscsi_connection *connection)
{
	bool silent = connection->receive.bytes == connection->bytes_seen;
	bool stuck = takes_nothing(connection);

	connection->bytes_seen = connection->receive.bytes;
	if ((silent && connection->pinged) || stuck || hoards(connection)) {
		lf_iscsi_connection_close(connection, ISCSI_CLOSE_SILENCE);
		return;
	}
	connection->pinged = silent;
	set_timer(connection, connection->iscsi->silence_ms);
	if (silent)
		lf_iscsi_nop_in(connection, true);
}

static void connection_timer(struct lf_timer *timer)
{
	struct iscsi_connection *connection = lf_container(timer, struct iscsi_connection, timer);

	if (connection->phase == ISCSI_PHASE_FULL && connection->stopping) {
		connection->grace_over = true;
		iscsi_schedule(connection);
	} else if (connection->phase == ISCSI_PHASE_FULL)
		check_silence(connection);
	else if (connection->phase < ISCSI_PHASE_FULL)
		lf_iscsi_connection_close(connection, ISCSI_CLOSE_LOGIN_TIMEOUT);
	else
		lf_iscsi_connection_close(connection, connection->reason);
}

/* ---- The end ---- */

static void leave_logins(struct iscsi_connection *connection)
{
	lf_lock(&connection->iscsi->lock);
	if (lf_link_in_list(&connection->login_link)) {
		lf_list_remove(&connection->login_link);
		connection->iscsi->login_count--;
	}
	lf_unlock(&connection->iscsi->lock);
}

void lf_iscsi_connection_full_feature(struct iscsi_connection *connection)
{
	const uint32_t *value = connection->login.negotiation.value;

	connection->phase = ISCSI_PHASE_FULL;
	connection->header_digest = value[ISCSI_HEADER_DIGEST] != 0;
	connection->data_digest = value[ISCSI_DATA_DIGEST] != 0;
	leave_logins(connection);
	lf_iscsi_login_fini(&connection->login);
	set_timer(connection, connection->iscsi->silence_ms);
	lf_trace_iscsi_login_done(connection->id, connection->login.negotiation.discovery,
		connection->portal->terms.portal_group, 0);
}

void lf_iscsi_connection_end(struct iscsi_connection *connection, enum iscsi_close_reason reason)
{
	if (connection->phase >= ISCSI_PHASE_FLUSH)
		return;
	connection->phase = ISCSI_PHASE_FLUSH;
	connection->reason = reason;
	connection->receive.task = NULL;
	lf_iscsi_window_shut(connection);
	lf_iscsi_tasks_hurry(connection, false);
	set_timer(connection, ISCSI_DISCARD_TIMEOUT_MS);
	lf_iscsi_connection_watch(connection);
	iscsi_schedule(connection);
}

void lf_iscsi_connection_close(struct iscsi_connection *connection, enum iscsi_close_reason reason)
{
	if (connection->phase == ISCSI_PHASE_CLOSED)
		return;
	connection->phase = ISCSI_PHASE_CLOSED;
	connection->reason = reason;
	connection->receive.task = NULL;
	leave_logins(connection);
	lf_loop_timer_cancel(connection->lane->loop, &connection->timer);
	lf_loop_unwatch(connection->lane->loop, &connection->watch);
	close(connection->fd);
	connection->fd = -1;
	lf_trace_iscsi_connection_closed(connection->id, reason, 0, 0);
	lf_iscsi_transmit_drop(connection);
	lf_iscsi_window_shut(connection);
	lf_iscsi_tasks_hurry(connection, false);
	iscsi_schedule(connection);
}

void lf_iscsi_protocol_error(
	struct iscsi_connection *connection, const uint8_t *bhs, enum iscsi_error_reason reason)
{
	lf_trace_iscsi_protocol_error(connection->id, iscsi_opcode(bhs), reason, 0);
	if (connection->phase == ISCSI_PHASE_FULL)
		lf_iscsi_reject(connection, bhs, ISCSI_REJECT_PROTOCOL);
	lf_iscsi_connection_end(connection, ISCSI_CLOSE_PROTOCOL);
}

void lf_iscsi_count_digest_error(
	struct iscsi_connection *connection, const uint8_t *bhs, enum iscsi_digest what)
{
	lf_trace_iscsi_digest_error(connection->id, iscsi_opcode(bhs), what, 0);
	lf_atomic_add_relaxed_u64(&connection->iscsi->digest_errors[what], 1);
}

/* The last thing of a connection: the core has nothing of it, nobody else knows it. */
static void connection_leave(struct iscsi_connection *connection)
{
	if (!lf_iscsi_session_idle(connection) || connection->session.busy > 0)
		return;
	lf_iscsi_session_close(connection);
	/* Whoever found the session in the list may have left a kick: its post runs first and comes back
	 * here. */
	if (lf_atomic_load_u32(&connection->kicks) != 0)
		return;
	lf_loop_forget_round(connection->lane->loop, &connection->round);
	lf_list_remove(&connection->link);
	lf_iscsi_connection_left(connection->lane);
	lf_iscsi_connection_free(connection);
}

/* Initiators that know of it log out, and then know that nothing was lost; the others have a moment. */
void lf_iscsi_connection_stop(struct iscsi_connection *connection)
{
	uint64_t now_ns = lf_time_ns(), deadline_ns = connection->iscsi->deadline_ns;
	uint64_t left_ms = deadline_ns > now_ns ? (deadline_ns - now_ns) / MS_NS : 0;
	uint32_t grace_ms = (uint32_t)lf_min(left_ms / 2, LOGOUT_GRACE_MS);

	if (connection->phase < ISCSI_PHASE_FULL)
		lf_iscsi_connection_close(connection, ISCSI_CLOSE_STOP);
	connection->stopping = true;
	if (connection->phase == ISCSI_PHASE_FULL) {
		lf_iscsi_ask_logout(connection, (grace_ms + 999) / 1000);
		set_timer(connection, grace_ms);
	}
	iscsi_schedule(connection);
}

static void connection_round(struct lf_round *round)
{
	struct iscsi_connection *connection = lf_container(round, struct iscsi_connection, round);

	if (connection->no_memory)
		lf_iscsi_connection_close(connection, ISCSI_CLOSE_NO_MEMORY);
	lf_iscsi_tasks_finish(connection);
	if (connection->phase == ISCSI_PHASE_FULL && (connection->logging_out || connection->grace_over) &&
		lf_iscsi_session_idle(connection))
		lf_iscsi_quiesced(connection);
	if (connection->phase < ISCSI_PHASE_LINGER)
		lf_iscsi_transmit(connection);
	if (connection->phase == ISCSI_PHASE_FULL) {
		lf_iscsi_window_tell(connection);
		if (connection->paused)
			lf_iscsi_receive_resume(connection);
	}
	if (connection->phase == ISCSI_PHASE_FLUSH && lf_iscsi_transmit_idle(connection)) {
		connection->phase = ISCSI_PHASE_LINGER;
		shutdown(connection->fd, SHUT_WR);
		set_timer(connection, ISCSI_DISCARD_TIMEOUT_MS);
	}
	lf_iscsi_connection_watch(connection);
	if (connection->phase == ISCSI_PHASE_CLOSED)
		connection_leave(connection);
}
