/* SPDX-License-Identifier: BSD-2-Clause */
/* file_nt_sync.c: one flush of an image at a time, shared by all who ask while another one runs. */
#include "store/file_nt.h"

#include "trace/trace.h"

/*
 * Changes are counted when they come back from below, before whoever asked for them hears of it: what is
 * acknowledged is counted. A flush covers what was counted when it began, so with nothing counted since the
 * last one there is nothing to do, and a disk below that sleeps is left asleep.
 *
 * A flush that failed may have lost what it carried, and another one might succeed all the same: nobody gets
 * one. Only want of memory, which the host says before it loses anything, is tried again.
 */
static bool is_clean(const struct lf_store *store)
{
	return store->flushed_changes == lf_atomic_load_relaxed_u64(&store->changes);
}

void lf_file_sync_join(struct lf_store *store, struct lf_io *io)
{
	lf_lock(&store->lock);
	lf_file_unlink_locked(io);
	if (store->sync_failed) {
		lf_file_end_locked(store, io, LF_E_IO);
	} else if (lf_file_io_of(io)->flight.unwanted) {
		lf_file_end_locked(store, io, LF_E_ABORTED);
	} else if (is_clean(store)) {
		lf_file_end_locked(store, io, LF_OK);
	} else {
		lf_list_append(&store->sync_waits, &io->link);
		if (!store->sync_runs) {
			store->sync_runs = store->sync_wanted = true;
			KeReleaseSemaphore(&store->work, IO_NO_INCREMENT, 1, FALSE);
		}
	}
	lf_unlock(&store->lock);
}

void lf_file_sync_unwanted_locked(struct lf_store *store)
{
	if (store->sync_runs && !store->sync_wanted && lf_list_empty(&store->sync_shares))
		lf_file_unwanted_locked(store, &store->sync_flight);
}

/* How often something had been changed when it began. */
static uint64_t begin_flush(struct lf_store *store)
{
	struct lf_link *link;
	uint64_t changes;

	lf_lock(&store->lock);
	while ((link = lf_list_take(&store->sync_waits)))
		lf_list_append(&store->sync_shares, link);
	store->sync_flight.unwanted = lf_list_empty(&store->sync_shares);
	changes = lf_atomic_load_relaxed_u64(&store->changes);
	lf_unlock(&store->lock);
	return changes;
}

static NTSTATUS flush(struct lf_file_worker *worker)
{
	struct lf_file_call call = {.major = IRP_MJ_FLUSH_BUFFERS};
	struct lf_store *store = worker->store;
	uint64_t information;
	NTSTATUS status;

	for (;;) {
		status = lf_file_call(worker, &store->sync_flight, &call, &information);
		if (lf_error_from_status(status) != LF_E_NO_MEMORY)
			return status;
		lf_trace_store_retried(LF_OP_FLUSH, 0, 0, 0);
		lf_file_pause();
	}
}

/* True: it failed, once and for all. ended: who shared this one; and who waited for the next, if it failed.
 */
static bool end_flush(struct lf_store *store, enum lf_error error, uint64_t changes, struct lf_link *ended)
{
	struct lf_link *link;

	lf_list_init(ended);
	lf_lock(&store->lock);
	/* Given up because nobody waits for it: that says nothing of what it carried. */
	if (error && !(error == LF_E_ABORTED && store->sync_flight.unwanted))
		store->sync_failed = true;
	if (!error)
		store->flushed_changes = changes;
	while ((link = lf_list_take(&store->sync_shares)))
		lf_list_append(ended, link);
	while (store->sync_failed && (link = lf_list_take(&store->sync_waits)))
		lf_list_append(ended, link);
	store->sync_runs = store->sync_wanted = !lf_list_empty(&store->sync_waits);
	if (store->sync_wanted)
		KeReleaseSemaphore(&store->work, IO_NO_INCREMENT, 1, FALSE);
	lf_unlock(&store->lock);
	return error && lf_store_file_has_failed(store);
}

void lf_file_sync_run(struct lf_file_worker *worker)
{
	struct lf_store *store = worker->store;
	uint64_t changes = begin_flush(store);
	NTSTATUS status = flush(worker);
	enum lf_error error = lf_error_from_status(status);
	struct lf_link ended, *link;

	if (end_flush(store, error, changes, &ended)) {
		lf_file_log_fault(store, NULL, error, status);
		lf_log(LF_LOG_ERROR,
			"%s: acknowledged writes may be lost: disconnect it, check its data, connect it "
			"again",
			store->path);
	}
	while ((link = lf_list_take(&ended))) {
		struct lf_io *io = lf_container(link, struct lf_io, link);
		io->error = error;
		io->done(io);
	}
}

bool lf_store_file_has_failed(struct lf_store *store)
{
	bool failed;

	lf_lock(&store->lock);
	failed = store->sync_failed;
	lf_unlock(&store->lock);
	return failed;
}
