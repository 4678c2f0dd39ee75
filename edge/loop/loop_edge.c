/* SPDX-License-Identifier: BSD-2-Clause */
/* loop_edge.c: the in-process edge: see the header. */
#include "edge/loop/loop_edge.h"

void lf_loop_edge_init(struct lf_loop_edge *edge, enum lf_loop_edge_mode mode)
{
	edge->mode = mode;
	edge->next_tag = 0;
	edge->operation_next = false;
	lf_lock_init(&edge->lock);
	lf_list_init(&edge->commands);
	lf_list_init(&edge->operations);
}

void lf_loop_edge_fini(struct lf_loop_edge *edge)
{
	lf_assert(lf_list_empty(&edge->commands) && lf_list_empty(&edge->operations));
	lf_lock_fini(&edge->lock);
}

static void queue(struct lf_loop_edge *edge, struct lf_link *list, struct lf_link *link)
{
	lf_lock(&edge->lock);
	lf_list_append(list, link);
	lf_unlock(&edge->lock);
}

/* ---- Commands ---- */

static void command_done(struct lf_request *request)
{
	struct lf_loop_edge_command *command = lf_container(request, struct lf_loop_edge_command, request);

	void (*done)(struct lf_loop_edge_command *) = command->done;

	lf_atomic_store_u32(&command->ended, 1); /* without a done, the memory may be gone from here on */
	if (done != NULL)
		done(command);
}

static uint64_t offered_bytes(const struct lf_loop_edge_command *command)
{
	uint64_t length = 0;

	for (uint32_t i = 0; i < command->segment_count; i++)
		length += command->segments[i].length;
	return length;
}

static void submit(struct lf_loop_edge_command *command)
{
	struct lf_request *request = &command->request;

	request->segments = command->segments;
	request->segment_count = command->segment_count;
	request->data_length = 0;
	/* Data that goes the other way than the transport said is not lent. */
	if (request->direction == command->direction)
		request->data_length = lf_min(request->data_wanted, request->offered_length);
	lf_submit(request);
}

/* One thing for a command that waits: its beginning, or its data. */
static void advance(struct lf_loop_edge_command *command)
{
	if (command->begun) {
		submit(command);
	} else if (lf_begin(&command->request)) {
		command->begun = true;
		queue(command->edge, &command->edge->commands, &command->link);
	}
}

void lf_loop_edge_start(struct lf_loop_edge *edge, struct lf_loop_edge_command *command)
{
	struct lf_request *request = &command->request;

	command->edge = edge;
	lf_atomic_store_u32(&command->ended, 0);
	request->nexus = command->nexus;
	request->lun = (uint64_t)(command->lun < 256 ? command->lun : 0x4000 | command->lun) << 48;
	request->tag = lf_atomic_add_relaxed_u64(&edge->next_tag, 1) + 1;
	memcpy(request->cdb, command->cdb, command->cdb_length);
	request->cdb_length = command->cdb_length;
	request->task_attribute = (uint8_t)command->attribute;
	request->offered_direction = command->direction;
	request->offered_length = offered_bytes(command);
	request->done = command_done;
	request->hurry = NULL; /* what was begun is submitted by the next pumps, hurried or not */
	if (edge->mode == LF_LOOP_EDGE_INLINE) {
		if (lf_begin(request))
			submit(command);
		return;
	}
	command->begun = false;
	queue(edge, &edge->commands, &command->link);
}

/* ---- The store that waits to be pumped ---- */

/* While the operation is queued its link and its platform words are ours: the first word says for which
 * store. */
static void deferred_submit(struct lf_store *store, struct lf_io *io)
{
	struct lf_loop_edge_store *deferred = (struct lf_loop_edge_store *)(void *)store;

	io->platform.words[0] = (uintptr_t)deferred;
	queue(deferred->edge, &deferred->edge->operations, &io->link);
}

const struct lf_store_ops lf_loop_edge_store_ops = {.name = "loop", .submit = deferred_submit};

bool lf_loop_edge_pump(struct lf_loop_edge *edge)
{
	lf_lock(&edge->lock);
	bool is_operation =
		lf_list_empty(&edge->commands) || (edge->operation_next && !lf_list_empty(&edge->operations));
	struct lf_link *link = lf_list_take(is_operation ? &edge->operations : &edge->commands);
	edge->operation_next = !is_operation;
	lf_unlock(&edge->lock);
	if (link == NULL)
		return false;
	if (is_operation) {
		struct lf_io *io = lf_container(link, struct lf_io, link);
		struct lf_loop_edge_store *deferred =
			(struct lf_loop_edge_store *)(uintptr_t)io->platform.words[0];
		deferred->ops->submit(deferred->store, io);
	} else {
		advance(lf_container(link, struct lf_loop_edge_command, link));
	}
	return true;
}

void lf_loop_edge_execute(struct lf_loop_edge *edge, struct lf_loop_edge_command *command)
{
	lf_loop_edge_start(edge, command);
	while (!lf_atomic_load_u32(&command->ended))
		lf_loop_edge_pump(edge);
}
