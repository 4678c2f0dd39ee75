/* SPDX-License-Identifier: BSD-2-Clause */
/* task.c: the request's one way down and one way up: lf_begin, lf_submit, lf_finish. */
#include "core/core.h"

/* The nexus may meet a reservation of another one. False: the command ends here. */
static bool lf_passes_reservation(struct lf_request *request)
{
	if (!(lf_atomic_load_u32(&request->task->itl->gate) & LF_GATE_RESERVATION) ||
		!lf_reservation_conflicts(request))
		return true;
	lf_trace_reservation_conflict(request->lun, request->nexus->id, request->cdb[0], 0);
	request->status = LF_STATUS_RESERVATION_CONFLICT;
	return false;
}

/*
 * Unit attentions of resets, then reservations, then the other unit attentions (SAM-5 5.3.3). A command that
 * the unit does not have meets no reservation: no table says that it would. False: the command ends here,
 * with the status it has.
 */
static bool lf_begin_slow(struct lf_request *request)
{
	struct lf_task *task = request->task;
	enum lf_ua ua;

	if (task->attribute > LF_TASK_HEAD_OF_QUEUE && request->command != NULL) { /* NORMACA is 0 */
		lf_sense_set(request, LF_SENSE(0x5, 0x24, 0x00));
		return false;
	}
	bool told = !request->no_attention &&
		    (request->command == NULL || !(request->command->flags & LF_CMD_NO_ATTENTION));
	if (told && lf_ua_take_of(task->itl, LF_UA_RESETS, &ua)) {
		lf_sense_unit_attention(request, ua);
		return false;
	}
	if (request->command != NULL && !lf_passes_reservation(request))
		return false;
	if (told && lf_ua_take(task->itl, &ua)) {
		lf_sense_unit_attention(request, ua);
		return false;
	}
	return true;
}

/*
 * A slot in the caller's lane, or, when commands that hang have taken all of that, in the next one that has
 * any; *locked is that lane, with its lock. NULL: no lane has one left.
 */
static struct lf_task *lf_task_take(struct lf_adapter *adapter, struct lf_lane **locked)
{
	uint32_t first = lf_lane_current();

	for (uint32_t i = 0; i < adapter->lane_count; i++) {
		uint32_t number = (first + i) % adapter->lane_count;
		struct lf_lane *lane = &adapter->lanes[number];
		lf_lock(&lane->lock);
		struct lf_link *link = lf_list_take(&lane->free);
		if (link != NULL) {
			struct lf_task *task = lf_container(link, struct lf_task, link);
			task->lane = number;
			*locked = lane;
			return task;
		}
		lf_unlock(&lane->lock);
	}
	return NULL;
}

static struct lf_task *lf_task_enter(struct lf_request *request)
{
	uint64_t now_ns = lf_time_ns();
	struct lf_lane *lane;
	struct lf_task *task = lf_task_take(request->nexus->adapter, &lane);

	if (task == NULL)
		return NULL;
	struct lf_itl *itl = lf_itl_find(request->nexus, request->lun);
	task->request = request;
	task->itl = itl;
	task->lu = request->lu = itl->lu;
	task->medium = itl->lu->medium_generation;
	request->command = lf_command_find(itl->lu, request->cdb, request->cdb_length);
	task->nexus_id = request->nexus->id;
	task->tag = request->tag;
	task->epoch = itl->lu->epoch;
	task->mark = LF_MARK_NONE;
	task->submitted = task->queued = task->counted = task->alone = false;
	task->order.link.next = task->order.barrier_link.next = NULL;
	task->attribute = request->task_attribute;
	task->slow = (lf_atomic_load_u32(&itl->gate) | lf_atomic_load_u32(&itl->lu->gate)) != 0 ||
		     task->attribute != LF_TASK_SIMPLE;
	task->begin_ns = now_ns;
	if (task->lu->counters != NULL)
		task->lu->counters[task->lane].counters.begun++;
	lf_list_append(&lane->tasks, &task->link);
	lf_unlock(&lane->lock);
	return task;
}

/*
 * An ORDERED task enters and becomes a barrier in one step: of two that came together one must be the older,
 * or each would wait for the other.
 */
static struct lf_task *lf_task_enter_ordered(struct lf_request *request)
{
	struct lf_adapter *adapter = request->nexus->adapter;

	lf_lock(&adapter->lock);
	struct lf_task *task = lf_task_enter(request);
	if (task != NULL)
		lf_task_order_locked(adapter, task);
	lf_unlock(&adapter->lock);
	return task;
}

/* TASK SET FULL: the only end of a command that never was a task. */
static void lf_refuse_full(struct lf_request *request)
{
	lf_trace_task_set_full(request->lun, request->tag, 0, 0);
	request->lu = request->nexus->adapter->absent;
	request->status = LF_STATUS_TASK_SET_FULL;
	lf_check_finish(request);
	lf_check_enter_done();
	request->done(request);
	lf_check_leave_done();
}

/*
 * The lane's lock keeps the medium as it is; lf_run finds out whether another one has come since. One that
 * came after the command had met its unit attentions is told here: nothing is judged by a medium that the
 * nexus has not heard of.
 */
static bool lf_check_with_medium(struct lf_request *request)
{
	const struct lf_task *task = request->task;
	struct lf_lane *lane = &request->nexus->adapter->lanes[task->lane];

	lf_lock(&lane->lock);
	bool changed = task->medium != task->lu->medium_generation &&
		       task->lu->medium_state == LF_MEDIUM_READY &&
		       !(request->command->flags & LF_CMD_WITHOUT_MEDIUM);
	bool fine = !changed && lf_command_check(task->lu, request);
	lf_unlock(&lane->lock);
	if (changed) {
		lf_ua_clear(task->itl, LF_UA_MEDIUM_CHANGED);
		lf_sense_unit_attention(request, LF_UA_MEDIUM_CHANGED);
	}
	return fine;
}

bool lf_begin(struct lf_request *request)
{
	lf_check_begin(request);
	lf_trace_command_begin(request->lun, request->tag, request->cdb[0], request->offered_length);
	request->status = LF_STATUS_GOOD;
	request->sense_length = 0;
	request->data_moved = 0;
	request->direction = LF_DIRECTION_NONE;
	request->data_wanted = 0;
	request->data_is_medium = false;
	request->data_length = 0;
	request->data_spoiled = false;
	request->step = 0;
	request->scratch = NULL;
	request->io.atomic = false;

	request->task = request->task_attribute == LF_TASK_ORDERED ? lf_task_enter_ordered(request)
								   : lf_task_enter(request);
	if (request->task == NULL) {
		lf_refuse_full(request);
		return false;
	}
	if (request->task->slow && !lf_begin_slow(request)) {
		lf_finish(request);
		return false;
	}
	if (request->command == NULL) {
		lf_command_missing_sense(request->lu, request);
		lf_finish(request);
		return false;
	}
	if (!lf_check_with_medium(request)) {
		lf_finish(request);
		return false;
	}
	lf_check_begun(request);
	return true;
}

/*
 * Less data than the CDB asks for: WRITE takes what the initiator said it would send, if all of that came;
 * the transport reports the rest as residual (RFC 7143 11.4.5.1). Data that is missing on the way serves
 * nobody.
 */
static bool lf_short_data_serves(const struct lf_request *request)
{
	return request->command->data == LF_DATA_BLOCKS_OUT &&
	       request->data_length == request->offered_length;
}

/*
 * The command was checked against a medium that is there no more, or is not ready any more. True: it has its
 * sense.
 */
static bool lf_medium_was_changed(struct lf_request *request)
{
	struct lf_lu *lu = request->lu;

	if (request->command->flags & LF_CMD_WITHOUT_MEDIUM)
		return false;
	if (lu->medium_state != LF_MEDIUM_READY) {
		lf_sense_not_ready(request);
		return true;
	}
	if (request->task->medium == lu->medium_generation)
		return false;
	lf_ua_clear(request->task->itl, LF_UA_MEDIUM_CHANGED);
	lf_sense_unit_attention(request, LF_UA_MEDIUM_CHANGED);
	return true;
}

void lf_run(struct lf_request *request)
{
	switch (lf_atomic_load_u32(&request->task->mark)) {
	case LF_MARK_ABORTED:
		lf_finish_aborted(request);
		return;
	case LF_MARK_DEPARTED:
		lf_sense_unit_not_supported(request);
		lf_finish(request);
		return;
	default:
		break;
	}
	if (!lf_passes_reservation(request)) { /* one that came since it began */
		lf_finish(request);
		return;
	}
	if (lf_medium_was_changed(request)) {
		lf_finish(request);
		return;
	}
	if (request->data_spoiled) {
		lf_sense_data_spoiled(request);
		lf_finish(request);
		return;
	}
	/* MODE SELECT may have protected it since, and once that was answered nothing is written. */
	if ((request->command->flags & LF_CMD_WRITES) && lf_lu_is_protected(request->lu)) {
		lf_sense_write_protected(request);
		lf_finish(request);
		return;
	}
	if (request->direction == LF_DIRECTION_OUT && request->data_length < request->data_wanted &&
		!lf_short_data_serves(request)) {
		lf_sense_data_length(request);
		lf_finish(request);
		return;
	}
	request->command->execute(request->lu, request);
}

void lf_submit(struct lf_request *request)
{
	struct lf_task *task = request->task;

	lf_check_submit(request);
	lf_atomic_or_u32(&task->submitted, true); /* and then the gate: exclusive.c says why */
	if ((task->slow || lf_atomic_load_u32(&task->lu->gate) != 0) &&
		!lf_task_may_run(request->nexus->adapter, request))
		return;
	lf_run(request);
}

void lf_execute(struct lf_request *request)
{
	uint64_t length = request->data_length;

	if (!lf_begin(request))
		return;
	request->data_length = lf_min(length, request->data_wanted);
	lf_submit(request);
}

bool lf_request_is_marked(const struct lf_request *request)
{
	return lf_atomic_load_u32(&request->task->mark) != LF_MARK_NONE;
}

bool lf_request_is_aborted(const struct lf_request *request)
{
	return lf_atomic_load_u32(&request->task->mark) == LF_MARK_ABORTED;
}

struct lf_itl *lf_request_itl(const struct lf_request *request)
{
	return request->task->itl;
}

/*
 * A command that was carried out although task management wanted it gone reports what happened to it; only
 * one that was stopped on the way reports TASK ABORTED.
 */
void lf_finish(struct lf_request *request)
{
	struct lf_adapter *adapter = request->nexus->adapter;
	struct lf_task *task = request->task;
	struct lf_lane *lane = &adapter->lanes[task->lane];
	void *scratch = request->scratch;
	uint64_t now_ns = lf_time_ns();

	lf_check_finish(request);
	if (request->status == LF_STATUS_CHECK_CONDITION)
		lf_trace_check_condition(request->lun, request->cdb[0], lf_sense_read(request), 0);
	lf_trace_command_done(request->lun, request->tag, request->status, request->data_moved);

	lf_lock(&lane->lock); /* whoever walks the lane's tasks leaves the request alone from here on */
	task->request = NULL;
	lf_count_end(request, now_ns);
	task->answered = request->status != LF_STATUS_TASK_ABORTED;
	lf_unlock(&lane->lock);
	lf_check_enter_done();
	request->done(request);
	lf_check_leave_done();
	if (scratch != NULL)
		lf_scratch_put(task->lu, scratch); /* after done, for it runs whoever waited for a buffer */
	lf_task_retire(adapter, task);
}

void lf_finish_good(struct lf_request *request, uint64_t data_moved)
{
	request->status = LF_STATUS_GOOD;
	request->data_moved = data_moved;
	lf_finish(request);
}

void lf_finish_aborted(struct lf_request *request)
{
	request->status = LF_STATUS_TASK_ABORTED;
	request->sense_length = 0;
	request->data_moved = 0;
	lf_finish(request);
}

/* Walks the segments: bytes [offset, offset + length) of the request's data, one run after the other. */
static void lf_request_copy(
	const struct lf_request *request, uint64_t offset, void *bytes, uint64_t length, bool into_segments)
{
	char *at = bytes;

	for (uint32_t i = 0; i < request->segment_count && length > 0; i++) {
		const struct lf_segment *segment = &request->segments[i];
		if (offset >= segment->length) {
			offset -= segment->length;
			continue;
		}
		size_t run = (size_t)lf_min(length, segment->length - offset);
		char *there = (char *)segment->base + offset;
		memcpy(into_segments ? there : at, into_segments ? at : there, run);
		at += run;
		length -= run;
		offset = 0;
	}
	lf_assert(length == 0);
}

void lf_request_gather(const struct lf_request *request, uint64_t offset, void *to, uint64_t length_bytes)
{
	lf_assert(offset + length_bytes <= request->data_length);
	lf_request_copy(request, offset, to, length_bytes, false);
}

/* An initiator that shares its memory may change it meanwhile: then any place is as good as another. */
static uint64_t lf_first_difference(const uint8_t *a, const uint8_t *b, uint64_t length_bytes)
{
	for (uint64_t i = 0; i < length_bytes; i++)
		if (a[i] != b[i])
			return i;
	return 0;
}

bool lf_request_compare(const struct lf_request *request, uint64_t offset, const void *with,
	uint64_t length_bytes, uint64_t *at)
{
	const uint8_t *rest = with;
	uint64_t left = length_bytes;

	lf_assert(offset + length_bytes <= request->data_length);
	for (uint32_t i = 0; left > 0; i++) {
		const struct lf_segment *segment = &request->segments[i];
		if (offset >= segment->length) {
			offset -= segment->length;
			continue;
		}
		const uint8_t *there = (const uint8_t *)segment->base + offset;
		uint64_t run = lf_min(left, segment->length - offset);
		if (memcmp(there, rest, (size_t)run) != 0) {
			*at = length_bytes - left + lf_first_difference(there, rest, run);
			return false;
		}
		rest += run;
		left -= run;
		offset = 0;
	}
	return true;
}

void lf_request_scatter(
	const struct lf_request *request, uint64_t offset, const void *from, uint64_t length_bytes)
{
	lf_assert(offset + length_bytes <= request->data_length);
	lf_request_copy(request, offset, (void *)(uintptr_t)from, length_bytes, true);
}

void lf_finish_reply(struct lf_request *request, const void *reply, uint64_t length_bytes)
{
	uint64_t length = lf_min(length_bytes, request->data_length);

	if (length > 0)
		lf_request_scatter(request, 0, reply, length);
	lf_finish_good(request, length);
}
