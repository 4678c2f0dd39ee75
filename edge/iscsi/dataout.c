/* SPDX-License-Identifier: BSD-2-Clause */
/* dataout.c: a command's memory, and its data from the wire: immediate, unsolicited, asked for with R2T. */
#include "edge/iscsi/internal.h"
#include "trace/trace.h"

#define TTT_INDEX_BITS 10

_Static_assert(ISCSI_TASKS < (1u << TTT_INDEX_BITS) - 1, "no target transfer tag is ffffffffh");

static uint32_t transfer_tag(const struct iscsi_task *task, uint32_t r2t_sn)
{
	return r2t_sn << TTT_INDEX_BITS | task->index;
}

bool lf_iscsi_task_data_open(const struct iscsi_task *task)
{
	return task->unsolicited || task->r2t_current != task->r2t_next ||
	       task->connection->receive.task == task;
}

/* ---- Memory ---- */

static bool take_pages(struct iscsi_task *task, uint32_t pages)
{
	if (!lf_iscsi_pool_take(&task->connection->lane->pool, pages, task->segments, &task->segment_count))
		return false;
	task->pages += pages;
	return true;
}

static void take_promised(struct iscsi_task *task, uint32_t pages)
{
	bool taken = lf_iscsi_pool_take_promised(
		&task->connection->lane->pool, pages, task->segments, &task->segment_count);

	lf_assert(taken);
	task->pages += pages;
}

/* Asks for as much as the agreed number of R2Ts allows; they are made where they are sent. */
static void solicit(struct iscsi_task *task)
{
	struct iscsi_connection *connection = task->connection;

	if (task->r2t_offset >= task->need || lf_link_in_list(&task->solicit_link))
		return;
	lf_list_append(&connection->solicit, &task->solicit_link);
	iscsi_schedule(connection);
}

/* After anything that a begun WRITE waits for: submits it, or asks for more. */
static void gather_advance(struct iscsi_task *task)
{
	const uint32_t *value = task->connection->login.negotiation.value;

	if (task->state != ISCSI_TASK_BEGUN || task->request.direction != LF_DIRECTION_OUT ||
		task->unsolicited || task->connection->receive.task == task)
		return;
	if (task->spoiled) {
		if (!lf_iscsi_task_data_open(task))
			lf_iscsi_task_submit(task, 0);
		return;
	}
	if (task->received >= task->need) {
		lf_iscsi_task_submit(task, task->need);
		return;
	}
	if (lf_link_in_list(&task->wait_link))
		return;
	if (task->r2t_next == 0) {
		task->r2t_offset = task->received;
		task->sequence_end = lf_min(task->received + value[ISCSI_MAX_BURST_LENGTH], task->need);
	}
	solicit(task);
}

bool lf_iscsi_task_take_memory(struct iscsi_task *task)
{
	uint32_t pages = iscsi_pages(task->need) - task->pages;

	if (!take_pages(task, pages))
		return false;
	if (lf_link_in_list(&task->wait_link))
		lf_list_remove(&task->wait_link);
	if (task->request.direction == LF_DIRECTION_IN)
		lf_iscsi_task_submit(task, task->need);
	else
		gather_advance(task);
	return true;
}

/* At its own limit a session waits for itself, so that it does not hold up the others. */
static bool session_is_full(const struct iscsi_task *task)
{
	const struct iscsi_session *session = &task->connection->session;

	return session->claimed >= task->connection->lane->session_pages_max ||
	       !lf_list_empty(&session->capped);
}

/* False: it waits, until others of its session or of the loop have given memory back. */
static bool take_turn(struct iscsi_task *task)
{
	struct iscsi_connection *connection = task->connection;
	struct iscsi_lane *lane = connection->lane;
	bool capped = session_is_full(task);

	if (!capped)
		lf_iscsi_task_claim(task);
	if (!capped && lf_list_empty(&lane->waiting) && take_pages(task, iscsi_pages(task->need)))
		return true;
	lf_trace_iscsi_budget_wait(connection->id, task->need,
		(uint64_t)(lane->pool.free_pages[1] + iscsi_pool_unpromised(&lane->pool)) * ISCSI_PAGE, 0);
	lf_list_append(capped ? &connection->session.capped : &lane->waiting, &task->wait_link);
	return false;
}

static void gather_in(struct iscsi_task *task)
{
	const struct iscsi_lane *lane = task->connection->lane;

	/* A command that would move more than there is memory is cut short, as lf_submit allows. */
	task->need = lf_min(task->request.data_wanted, (uint64_t)lane->transfer_pages_max * ISCSI_PAGE);
	if (take_turn(task))
		lf_iscsi_task_submit(task, task->need);
}

/* The command was begun and moves data; immediate_length bytes of it follow in the same PDU. */
void lf_iscsi_gather(struct iscsi_task *task, uint32_t immediate_length)
{
	const struct iscsi_lane *lane = task->connection->lane;
	struct lf_request *request = &task->request;
	uint32_t write_length = task->flags & ISCSI_COMMAND_WRITE ? task->edtl : 0;
	uint64_t first;

	if (request->direction == LF_DIRECTION_IN) {
		gather_in(task);
		return;
	}
	/* With less than the command takes it is the core's to say whether that serves. */
	task->need = lf_min(request->data_wanted, write_length);
	if (task->need == 0 || task->need > (uint64_t)lane->transfer_pages_max * ISCSI_PAGE) {
		task->need = 0;
		lf_iscsi_task_submit(task, 0);
		return;
	}
	if (!take_turn(task)) {
		/* What comes unasked was promised its place; the rest and its R2T wait for their turn. */
		first = lf_min(task->unsolicited ? task->sequence_end : immediate_length, task->need);
		take_promised(task, iscsi_pages(first));
		if (task->pages == iscsi_pages(task->need))
			lf_list_remove(&task->wait_link);
	}
	gather_advance(task);
}

/* Where the bytes from offset on go; fewer than length when the task does not want them all. */
uint32_t lf_iscsi_task_vectors(
	const struct iscsi_task *task, uint64_t offset, uint32_t length, struct iovec *vector, uint32_t most)
{
	uint64_t begin = 0, end = lf_min(offset + length, task->need);
	uint32_t count = 0;

	if (task->state != ISCSI_TASK_BEGUN || task->request.direction != LF_DIRECTION_OUT || task->spoiled)
		return 0;
	for (uint32_t i = 0; i < task->segment_count && offset < end && count < most; i++) {
		uint64_t next = begin + task->segments[i].length;

		if (offset < next) {
			vector[count].iov_base = (uint8_t *)task->segments[i].base + (offset - begin);
			vector[count].iov_len = (size_t)(lf_min(next, end) - offset);
			offset += vector[count++].iov_len;
		}
		begin = next;
	}
	return count;
}

/* ---- Data-Out and R2T ---- */

/* 0 when the PDU is the one that must come now: 11.7. */
static enum iscsi_error_reason check_data_out(const struct iscsi_task *task, const uint8_t *bhs)
{
	uint32_t tag = lf_get_be32(bhs + ISCSI_AT_TTT), length = iscsi_data_length(bhs);
	bool final = (bhs[ISCSI_AT_FLAGS] & ISCSI_FINAL) != 0;

	if (tag == ISCSI_NO_TAG
			? !task->unsolicited
			: task->r2t_current == task->r2t_next || tag != transfer_tag(task, task->r2t_current))
		return ISCSI_ERROR_DATA_TAG;
	if (lf_get_be32(bhs + ISCSI_AT_DATA_SN) != task->data_sn)
		return ISCSI_ERROR_DATA_SN;
	if (lf_get_be32(bhs + ISCSI_AT_OFFSET) != task->received)
		return ISCSI_ERROR_DATA_OFFSET;
	if (length > task->sequence_end - task->received)
		return ISCSI_ERROR_DATA_LENGTH;
	/* Unsolicited data may end early; what an R2T asked for comes in full. */
	if (final ? tag != ISCSI_NO_TAG && task->received + length != task->sequence_end
		  : task->received + length == task->sequence_end)
		return ISCSI_ERROR_DATA_FINAL;
	return 0;
}

void lf_iscsi_task_spoil(struct iscsi_task *task)
{
	task->spoiled = true;
	if (lf_link_in_list(&task->solicit_link))
		lf_list_remove(&task->solicit_link);
}

static void refuse_data(struct iscsi_task *task, const uint8_t *bhs, enum iscsi_error_reason reason)
{
	lf_trace_iscsi_protocol_error(task->connection->id, ISCSI_DATA_OUT, reason, 0);
	lf_iscsi_reject(task->connection, bhs, ISCSI_REJECT_PROTOCOL);
	lf_iscsi_task_spoil(task);
}

void lf_iscsi_data_out(struct iscsi_connection *connection, const uint8_t *bhs)
{
	struct iscsi_task *task = lf_iscsi_task_find(connection, lf_get_be32(bhs + ISCSI_AT_ITT));
	enum iscsi_error_reason reason;

	/* Of a command that was refused or aborted: thrown away. */
	if (task == NULL)
		return;
	if (task->state == ISCSI_TASK_BEGUN && !task->spoiled) {
		reason = check_data_out(task, bhs);
		if (reason != 0)
			refuse_data(task, bhs, reason);
	} else if (!lf_iscsi_task_data_open(task)) {
		return;
	}
	connection->receive.task = task;
	connection->receive.data_final = (bhs[ISCSI_AT_FLAGS] & ISCSI_FINAL) != 0;
	task->data_sn++;
}

static void sequence_ended(struct iscsi_task *task)
{
	const uint32_t *value = task->connection->login.negotiation.value;

	task->data_sn = 0;
	if (task->unsolicited) {
		task->unsolicited = false;
		return;
	}
	if (task->r2t_current == task->r2t_next)
		return;
	task->r2t_current++;
	task->sequence_end = lf_min(task->received + value[ISCSI_MAX_BURST_LENGTH], task->need);
}

/* A data segment came in whole: immediate data, or one Data-Out. */
void lf_iscsi_data_end(struct iscsi_connection *connection)
{
	struct iscsi_task *task = connection->receive.task;

	connection->receive.task = NULL;
	if (connection->receive.data_final)
		sequence_ended(task);
	if (task->state == ISCSI_TASK_BEGUN)
		gather_advance(task);
	else if (task->state == ISCSI_TASK_ENDED && !lf_iscsi_task_data_open(task))
		lf_iscsi_task_answer(task);
}

/* Fills in the next R2T of the task (11.8); false when it has none to send now. */
bool lf_iscsi_make_r2t(struct iscsi_task *task, uint8_t *bhs)
{
	struct iscsi_connection *connection = task->connection;
	const uint32_t *value = connection->login.negotiation.value;
	uint64_t length = lf_min(task->need - task->r2t_offset, value[ISCSI_MAX_BURST_LENGTH]);

	if (length == 0 || task->r2t_next - task->r2t_current >= value[ISCSI_MAX_OUTSTANDING_R2T])
		return false;
	memset(bhs, 0, ISCSI_BHS_LENGTH);
	bhs[0] = ISCSI_R2T;
	bhs[ISCSI_AT_FLAGS] = ISCSI_FINAL;
	lf_put_be64(bhs + ISCSI_AT_LUN, task->request.lun);
	lf_put_be32(bhs + ISCSI_AT_ITT, task->itt);
	lf_put_be32(bhs + ISCSI_AT_TTT, transfer_tag(task, task->r2t_next));
	lf_put_be32(bhs + ISCSI_AT_DATA_SN, task->r2t_next);
	lf_put_be32(bhs + ISCSI_AT_OFFSET, (uint32_t)task->r2t_offset);
	lf_put_be32(bhs + ISCSI_AT_DESIRED_LENGTH, (uint32_t)length);
	lf_trace_iscsi_r2t(connection->id, task->itt, task->r2t_offset, length);
	task->r2t_offset += length;
	task->r2t_next++;
	return true;
}
