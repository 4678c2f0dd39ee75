/* SPDX-License-Identifier: BSD-2-Clause */
/* file_nt_threads.c: the threads of an open image: workers, who call the file system, and the porter. */
#include "store/file_nt.h"

/* ---- whatever waits; the lock is held, so that nobody is woken whose memory is gone ---- */

void lf_file_queue_locked(struct lf_store *store, struct lf_io *io)
{
	lf_list_append(&store->queue, &io->link);
	KeReleaseSemaphore(&store->work, IO_NO_INCREMENT, 1, FALSE);
}

void lf_file_end_locked(struct lf_store *store, struct lf_io *io, enum lf_error error)
{
	io->error = error;
	lf_list_append(&store->ended, &io->link);
	KeSetEvent(&store->porter_wake, IO_NO_INCREMENT, FALSE);
}

void lf_file_later_locked(struct lf_store *store, struct lf_io *io)
{
	if (lf_list_empty(&store->later)) {
		store->later_due_ns = lf_time_ns() + LF_FILE_RETRY_NS;
		KeSetEvent(&store->porter_wake, IO_NO_INCREMENT, FALSE);
	}
	lf_list_append(&store->later, &io->link);
}

void lf_file_unlink_locked(struct lf_io *io)
{
	if (lf_link_in_list(&io->link))
		lf_list_remove(&io->link);
}

void lf_file_pause(void)
{
	LARGE_INTEGER interval = {.QuadPart = lf_nt_relative(LF_FILE_RETRY_NS)};

	KeDelayExecutionThread(KernelMode, FALSE, &interval);
}

/* ---- workers ---- */

/* What came for a worker: a flush, an operation (in io), or neither. */
static bool take(struct lf_store *store, struct lf_io **io, bool *ends)
{
	struct lf_link *link = NULL;
	bool flushes;

	lf_lock(&store->lock);
	flushes = store->sync_wanted;
	store->sync_wanted = false;
	if (!flushes)
		link = lf_list_take(&store->queue);
	if (link)
		lf_list_append(&store->running, link);
	*io = link ? lf_container(link, struct lf_io, link) : NULL;
	*ends = !flushes && !link && store->stopping;
	lf_unlock(&store->lock);
	return flushes;
}

static void worker_main(void *context)
{
	struct lf_file_worker *worker = context;
	struct lf_store *store = worker->store;
	struct lf_io *io;
	bool ends = false;

	while (!ends) {
		KeWaitForSingleObject(&store->work, Executive, KernelMode, FALSE, NULL);
		if (take(store, &io, &ends))
			lf_file_sync_run(worker);
		else if (io)
			lf_file_carry_out(worker, io);
	}
}

/* ---- the porter ---- */

static void take_all(struct lf_link *to, struct lf_link *from)
{
	struct lf_link *link;

	while ((link = lf_list_take(from)))
		lf_list_append(to, link);
}

/* True: he may leave. The lists are his when it returns; removed: the volume went, and that is to be told. */
static bool take_for_porter(
	struct lf_store *store, struct lf_link *ended, struct lf_link *returned, bool *removed)
{
	struct lf_link *link;
	bool leaves;

	lf_list_init(ended);
	lf_list_init(returned);
	lf_lock(&store->lock);
	take_all(ended, &store->ended);
	take_all(returned, &store->returned);
	if (!lf_list_empty(&store->later) && lf_time_ns() >= store->later_due_ns)
		while ((link = lf_list_take(&store->later)))
			lf_file_queue_locked(store, lf_container(link, struct lf_io, link));
	*removed = store->removed && store->watch != NULL;
	leaves = store->stopping && !store->sleep_busy && lf_list_empty(ended) && lf_list_empty(returned);
	lf_unlock(&store->lock);
	return leaves;
}

static void tell_of_removal(struct lf_store *store)
{
	void (*watch)(void *context);
	void *context;

	lf_lock(&store->lock);
	watch = store->watch;
	context = store->watch_context;
	store->watch = NULL;
	lf_unlock(&store->lock);
	if (watch)
		watch(context);
	lf_file_volume_unregister(store);
}

static void porter_waits(struct lf_store *store)
{
	LARGE_INTEGER timeout, *until = NULL;
	uint64_t now_ns = lf_time_ns();

	lf_lock(&store->lock);
	if (!lf_list_empty(&store->later)) {
		timeout.QuadPart =
			lf_nt_relative(store->later_due_ns > now_ns ? store->later_due_ns - now_ns : 0);
		until = &timeout;
	}
	lf_unlock(&store->lock);
	KeWaitForSingleObject(&store->porter_wake, Executive, KernelMode, FALSE, until);
}

/* Closing, too, may wait for a share that is dead, so this is not done by whoever asked for it. */
static void let_go(struct lf_store *store)
{
	lf_file_volume_unregister(store);
	for (uint32_t i = 0; i < store->worker_count; i++)
		lf_nt_thread_join(&store->workers[i].thread);
	while (InterlockedExchangeAdd(&store->inside, 0) != 0)
		lf_file_pause();
	if (store->handle == LF_HANDLE_NONE)
		return; /* it was never opened */
	ObDereferenceObject(store->file);
	lf_handle_close(store->handle);
	if (store->state_handle != LF_HANDLE_NONE)
		lf_handle_close(store->state_handle);
}

static void porter_main(void *context)
{
	struct lf_store *store = context;
	struct lf_link ended, returned, *link;
	bool removed;

	while (!take_for_porter(store, &ended, &returned, &removed)) {
		while ((link = lf_list_take(&ended))) {
			struct lf_io *io = lf_container(link, struct lf_io, link);
			io->done(io);
		}
		while ((link = lf_list_take(&returned)))
			lf_file_returned(lf_container(link, struct lf_io, link));
		lf_file_cancel_unwanted(store);
		if (removed)
			tell_of_removal(store);
		porter_waits(store);
	}
	let_go(store);
}

enum lf_error lf_file_threads_start(struct lf_store *store)
{
	enum lf_error error;

	store->porter.run = porter_main;
	store->porter.context = store;
	error = lf_nt_thread_start(&store->porter);
	for (uint32_t i = 0; i < LF_FILE_WORKERS && !error; i++) {
		struct lf_file_worker *worker = &store->workers[i];
		worker->thread.run = worker_main;
		worker->thread.context = worker;
		error = lf_nt_thread_start(&worker->thread);
		if (!error)
			store->worker_count++;
	}
	return error;
}

bool lf_file_threads_stop(struct lf_store *store, uint64_t timeout_ns)
{
	lf_lock(&store->lock);
	store->stopping = true;
	KeReleaseSemaphore(&store->work, IO_NO_INCREMENT, LF_FILE_WORKERS, FALSE);
	KeSetEvent(&store->porter_wake, IO_NO_INCREMENT, FALSE);
	lf_unlock(&store->lock);
	return lf_nt_thread_join_within(&store->porter, timeout_ns);
}
