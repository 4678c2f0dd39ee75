/* SPDX-License-Identifier: BSD-2-Clause */
/* task.c: a SCSI Command from its PDU into the core, and back from the core towards the wire. */
#include "edge/iscsi/internal.h"

/* ---- Tasks by initiator task tag ---- */

static struct iscsi_task **bucket_of(struct iscsi_session *session, uint32_t itt)
{
	return &session->bucket[(itt ^ itt >> 16) % ISCSI_TASK_BUCKETS];
}

struct iscsi_task *lf_iscsi_task_find(struct iscsi_connection *connection, uint32_t itt)
{
	struct iscsi_task *task = *bucket_of(&connection->session, itt);

	while (task != NULL && task->itt != itt)
		task = task->bucket_next;
	return task;
}

static void bucket_remove(struct iscsi_task *task)
{
	struct iscsi_task **at = bucket_of(&task->connection->session, task->itt);

	while (*at != task)
		at = &(*at)->bucket_next;
	*at = task->bucket_next;
}

static struct iscsi_task *task_take(struct iscsi_connection *connection, const uint8_t *bhs)
{
	struct iscsi_session *session = &connection->session;
	struct iscsi_task *task =
		lf_container(lf_list_take(&session->free_tasks), struct iscsi_task, sendable.link);
	struct iscsi_task **bucket;

	task->itt = lf_get_be32(bhs + ISCSI_AT_ITT);
	task->number = session->arrived++;
	lf_atomic_store_relaxed_u64(&session->commands, session->commands + 1);
	task->flags = bhs[ISCSI_AT_FLAGS];
	task->edtl = lf_get_be32(bhs + ISCSI_AT_EDTL);
	task->immediate = (bhs[0] & ISCSI_IMMEDIATE) != 0;
	task->unsolicited = (task->flags & ISCSI_FINAL) == 0;
	task->answered = task->spoiled = false;
	task->need = task->received = task->r2t_offset = 0;
	task->data_sn = task->r2t_next = task->r2t_current = 0;
	task->send_length = task->sent = 0;
	task->sequence_end =
		lf_min(task->edtl, connection->login.negotiation.value[ISCSI_FIRST_BURST_LENGTH]);
	bucket = bucket_of(session, task->itt);
	task->bucket_next = *bucket;
	*bucket = task;
	session->busy++;
	if (task->immediate)
		session->immediate++;
	else
		session->active++;
	return task;
}

/* The initiator may use the tag again: its answer is made, or there will be none. */
void lf_iscsi_task_answered(struct iscsi_task *task)
{
	struct iscsi_connection *connection = task->connection;

	if (task->answered)
		return;
	task->answered = true;
	bucket_remove(task);
	if (task->immediate) {
		connection->session.immediate--;
	} else {
		connection->session.active--;
		lf_iscsi_window_grow(connection);
	}
}

void lf_iscsi_task_claim(struct iscsi_task *task)
{
	task->claimed = iscsi_pages(task->need);
	task->connection->session.claimed += task->claimed;
}

static void give_memory(struct iscsi_task *task)
{
	struct iscsi_session *session = &task->connection->session;
	struct iscsi_lane *lane = task->connection->lane;

	if (task->segment_count > 0)
		lf_iscsi_pool_give(&lane->pool, task->segments, task->segment_count);
	task->segment_count = task->pages = 0;
	session->claimed -= task->claimed;
	task->claimed = 0;
	/*
	 * A session that was at its limit puts its next tasks in the row with the others'. As long as there
	 * are capped ones, others of the session have claims, and come here with them.
	 */
	while (session->claimed < lane->session_pages_max && !lf_list_empty(&session->capped)) {
		struct lf_link *link = lf_list_take(&session->capped);

		lf_iscsi_task_claim(lf_container(link, struct iscsi_task, wait_link));
		lf_list_append(&lane->waiting, link);
	}
	if (!lf_list_empty(&lane->waiting) || !lf_list_empty(&lane->starved))
		lf_loop_at_end_of_round(lane->loop, &lane->feed);
}

void lf_iscsi_task_release(struct iscsi_task *task)
{
	struct iscsi_connection *connection = task->connection;

	if (connection->receive.task == task)
		connection->receive.task = NULL;
	give_memory(task);
	lf_iscsi_task_answered(task);
	task->state = ISCSI_TASK_FREE;
	connection->session.busy--;
	/* At the front: what was used last is in the caches. */
	lf_list_append(connection->session.free_tasks.next, &task->sendable.link);
}

/* ---- Down ---- */

/* Any thread. */
static void request_done(struct lf_request *request)
{
	struct iscsi_task *task = lf_container(request, struct iscsi_task, request);
	struct iscsi_connection *connection = task->connection;

	if (lf_loop_current() != connection->lane->loop) {
		lf_iscsi_note_push(connection, &task->finished);
		return;
	}
	lf_list_append(&connection->finished, &task->sendable.link);
	iscsi_schedule(connection);
}

static void finished_elsewhere(struct iscsi_note *note)
{
	struct iscsi_task *task = lf_container(note, struct iscsi_task, finished);

	lf_list_append(&task->connection->finished, &task->sendable.link);
}

/* Any thread, under a lock of the core's. */
static void request_hurry(struct lf_request *request)
{
	struct iscsi_task *task = lf_container(request, struct iscsi_task, request);

	lf_iscsi_connection_kick(task->connection, ISCSI_KICK_HURRY);
}

/* What is wrong with a command before the core need see it; 0: nothing. */
static enum iscsi_reject_reason check_command(struct iscsi_connection *connection, const uint8_t *bhs)
{
	struct iscsi_session *session = &connection->session;
	const uint32_t *value = connection->login.negotiation.value;
	uint32_t length = iscsi_data_length(bhs), itt = lf_get_be32(bhs + ISCSI_AT_ITT);
	uint8_t flags = bhs[ISCSI_AT_FLAGS];
	bool immediate = (bhs[0] & ISCSI_IMMEDIATE) != 0, more = (flags & ISCSI_FINAL) == 0;
	bool writes = (flags & ISCSI_COMMAND_WRITE) != 0;

	if (connection->stopping || connection->logging_out)
		return ISCSI_REJECT_WAITING_FOR_LOGOUT;
	if (itt == ISCSI_NO_TAG || (flags & ISCSI_COMMAND_ATTRIBUTE) > 4)
		return ISCSI_REJECT_INVALID_FIELD;
	if (lf_iscsi_task_find(connection, itt) != NULL)
		return ISCSI_REJECT_TASK_IN_PROGRESS;
	/* Data that was not agreed on (13.10, 13.11, 13.14), or more than the command announces. */
	if (length > 0 && (!writes || !value[ISCSI_IMMEDIATE_DATA]))
		return ISCSI_REJECT_PROTOCOL;
	if (length > lf_min(value[ISCSI_FIRST_BURST_LENGTH], lf_get_be32(bhs + ISCSI_AT_EDTL)))
		return ISCSI_REJECT_PROTOCOL;
	if (more && (!writes || value[ISCSI_INITIAL_R2T]))
		return ISCSI_REJECT_PROTOCOL;
	if (!immediate)
		return 0;
	/* Outside the window nothing was promised: 4.2.2.1 lets us refuse. */
	if (session->immediate >= ISCSI_IMMEDIATE_MAX)
		return ISCSI_REJECT_TOO_MANY_IMMEDIATE;
	if ((length > 0 || more) && iscsi_pool_unpromised(&connection->lane->pool) < session->promise_pages)
		return ISCSI_REJECT_TOO_MANY_IMMEDIATE;
	return 0;
}

static void fill_request(struct iscsi_task *task, const uint8_t *bhs, const struct iscsi_ahs *ahs)
{
	/* 11.3.1: untagged, simple, ordered, head of queue, ACA. */
	static const uint8_t attributes[] = {
		LF_TASK_SIMPLE, LF_TASK_SIMPLE, LF_TASK_ORDERED, LF_TASK_HEAD_OF_QUEUE, LF_TASK_ACA};
	struct lf_request *request = &task->request;
	bool reads = (task->flags & ISCSI_COMMAND_READ) != 0,
	     writes = (task->flags & ISCSI_COMMAND_WRITE) != 0;

	request->nexus = task->connection->session.nexus;
	request->lun = lf_get_be64(bhs + ISCSI_AT_LUN);
	request->tag = task->itt;
	memcpy(request->cdb, bhs + ISCSI_AT_CDB, 16);
	request->cdb_length = 16;
	if (ahs->cdb_rest_length > 0) {
		memcpy(request->cdb + 16, ahs->cdb_rest, ahs->cdb_rest_length);
		request->cdb_length = (uint8_t)(16 + ahs->cdb_rest_length);
	}
	request->task_attribute = attributes[task->flags & ISCSI_COMMAND_ATTRIBUTE];
	request->offered_direction = writes ? LF_DIRECTION_OUT : reads ? LF_DIRECTION_IN : LF_DIRECTION_NONE;
	request->offered_length = task->edtl;
	request->done = request_done;
	request->hurry = request_hurry;
	request->data_wanted = request->data_moved = request->data_length = 0;
	request->direction = LF_DIRECTION_NONE;
	/* With both bits set EDTL is the write's, and a header segment has the read's: 11.3.4 */
	task->read_length = !reads ? 0 : writes ? ahs->bidi_read_length : task->edtl;
	task->finished.run = finished_elsewhere;
}

void lf_iscsi_task_submit(struct iscsi_task *task, uint64_t data_length)
{
	struct lf_request *request = &task->request;

	lf_list_remove(&task->begun_link);
	if (lf_link_in_list(&task->wait_link))
		lf_list_remove(&task->wait_link);
	if (lf_link_in_list(&task->solicit_link))
		lf_list_remove(&task->solicit_link);
	task->state = ISCSI_TASK_SUBMITTED;
	request->segments = task->segments;
	request->segment_count = task->segment_count;
	request->data_length = data_length;
	request->data_spoiled = request->direction == LF_DIRECTION_OUT && data_length < task->need;
	lf_submit(request);
}

static void begin(struct iscsi_task *task, uint32_t immediate_length)
{
	struct iscsi_connection *connection = task->connection;
	struct lf_request *request = &task->request;

	task->state = ISCSI_TASK_BEGUN;
	connection->session.in_core++;
	lf_list_append(&connection->session.begun, &task->begun_link);
	if (immediate_length > 0) {
		connection->receive.task = task;
		connection->receive.data_final = false;
	}
	if (!lf_begin(request)) {
		/* Done, perhaps not yet seen here; data that still comes is thrown away. */
		task->state = ISCSI_TASK_SUBMITTED;
		lf_list_remove(&task->begun_link);
		return;
	}
	if (request->direction == LF_DIRECTION_NONE || request->data_wanted == 0)
		lf_iscsi_task_submit(task, 0);
	else
		lf_iscsi_gather(task, immediate_length);
}

void lf_iscsi_scsi_command(struct iscsi_connection *connection, const uint8_t *bhs, const uint8_t *ahs_bytes)
{
	enum iscsi_reject_reason reason;
	struct iscsi_task *task;
	struct iscsi_ahs ahs;

	switch (lf_iscsi_take_cmd_sn(connection, bhs)) {
	case ISCSI_SN_IGNORE:
		return;
	case ISCSI_SN_GAP:
		lf_iscsi_protocol_error(connection, bhs, ISCSI_ERROR_CMD_SN_GAP);
		return;
	case ISCSI_SN_TAKE:
		break;
	}
	reason = check_command(connection, bhs);
	if (reason == 0 && !lf_iscsi_parse_ahs(ahs_bytes, iscsi_ahs_length(bhs), LF_CDB_MAX, &ahs))
		reason = ISCSI_REJECT_INVALID_FIELD;
	if (reason != 0) {
		lf_iscsi_window_grow(connection);
		lf_iscsi_reject(connection, bhs, reason);
		return;
	}
	task = task_take(connection, bhs);
	fill_request(task, bhs, &ahs);
	begin(task, iscsi_data_length(bhs));
	/* Its promise was kept or was not needed: room for another one, told with the next PDU. */
	lf_iscsi_window_grow(connection);
}

void lf_iscsi_tasks_hurry(struct iscsi_connection *connection, bool marked_only)
{
	struct iscsi_session *session = &connection->session;

	lf_list_each(link, after, &session->begun)
	{
		struct iscsi_task *task = lf_container(link, struct iscsi_task, begun_link);

		if (!marked_only || lf_request_is_marked(&task->request))
			lf_iscsi_task_submit(task, 0);
	}
	if (!marked_only)
		lf_iscsi_tasks_forget(connection, NULL, session->arrived);
}

static bool may_forget(const struct iscsi_task *task, const uint64_t *lun, uint32_t before)
{
	return task->state == ISCSI_TASK_ENDED && (lun == NULL || task->request.lun == *lun) &&
	       iscsi_sn_diff(task->number, before) < 0;
}

void lf_iscsi_tasks_forget(struct iscsi_connection *connection, const uint64_t *lun, uint32_t before)
{
	struct iscsi_session *session = &connection->session;

	for (uint32_t i = 0; session->tasks != NULL && i < ISCSI_TASKS; i++) {
		if (may_forget(&session->tasks[i], lun, before))
			lf_iscsi_task_release(&session->tasks[i]);
	}
}

bool lf_iscsi_task_forget(struct iscsi_connection *connection, uint32_t itt, uint64_t lun, uint32_t before)
{
	struct iscsi_task *task = lf_iscsi_task_find(connection, itt);

	if (task == NULL || !may_forget(task, &lun, before))
		return false;
	lf_iscsi_task_release(task);
	return true;
}

/* ---- Up ---- */

void lf_iscsi_task_answer(struct iscsi_task *task)
{
	struct iscsi_connection *connection = task->connection;

	task->state = ISCSI_TASK_SENDING;
	task->data_sn = 0;
	lf_list_append(&connection->send_queue, &task->sendable.link);
	iscsi_schedule(connection);
}

static void task_ended(struct iscsi_task *task)
{
	struct iscsi_connection *connection = task->connection;
	struct lf_request *request = &task->request;

	connection->session.in_core--;
	task->state = ISCSI_TASK_ENDED;
	if (connection->phase != ISCSI_PHASE_FULL || request->status == LF_STATUS_TASK_ABORTED) {
		lf_iscsi_task_release(task);
		return;
	}
	if (request->direction == LF_DIRECTION_IN && request->status == LF_STATUS_GOOD)
		task->send_length = lf_min(request->data_moved, task->read_length);
	if (task->send_length == 0)
		give_memory(task);
	/* Announced data comes in before the status goes out: 11.17, last paragraphs of its reasons. */
	if (!lf_iscsi_task_data_open(task))
		lf_iscsi_task_answer(task);
}

void lf_iscsi_tasks_finish(struct iscsi_connection *connection)
{
	struct lf_link *link;

	while ((link = lf_list_take(&connection->finished)) != NULL)
		task_ended(lf_container(link, struct iscsi_task, sendable.link));
}
