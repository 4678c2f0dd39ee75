/* SPDX-License-Identifier: BSD-2-Clause */
/* file_nt.c: a raw image in a file, in the kernel of Windows: open, submit, cancel, close; all open images.
 */
#include "store/file_nt.h"
#include "trace/trace.h"

#define CLOSE_PATIENCE_NS 10000000000u
#define SLEEP_TIMEOUT_NS  10000000000u

/* Zero is a list that was not used yet: there is nobody to call before the first open. */
static struct {
	struct lf_lock lock; /* guards what follows; taken before a store's */
	bool ready;
	struct lf_link open; /* store->link */
	uint64_t sleeps;     /* how often somebody asked for all to be flushed */
	uint32_t sleeping;   /* flushes that are out */
	KEVENT all_flushed;
} all;

static void prepare_lists(void)
{
	lf_lock(&all.lock);
	if (!all.ready) {
		lf_list_init(&all.open);
		KeInitializeEvent(&all.all_flushed, NotificationEvent, TRUE);
		all.ready = true;
	}
	lf_unlock(&all.lock);
}

static void free_store(struct lf_store *store)
{
	for (uint32_t i = 0; i < LF_FILE_WORKERS; i++)
		lf_free(store->workers[i].bounce_memory);
	lf_file_irp_release(store);
	lf_lock_fini(&store->lock);
	lf_free(store->path);
	lf_free(store);
}

static char *copy_text(const char *text)
{
	size_t length = strlen(text) + 1;
	char *copy = lf_alloc(length);

	if (copy)
		memcpy(copy, text, length);
	return copy;
}

static bool prepare_worker(struct lf_store *store, uint32_t number)
{
	struct lf_file_worker *worker = &store->workers[number];
	MDL *mdl = (MDL *)(void *)worker->bounce_mdl;

	worker->store = store;
	worker->number = (uint8_t)number;
	KeInitializeEvent(&worker->back, SynchronizationEvent, FALSE);
	worker->bounce_memory = lf_alloc(LF_FILE_BOUNCE_BYTES + PAGE_SIZE);
	if (!worker->bounce_memory)
		return false;
	worker->bounce = (uint8_t *)worker->bounce_memory +
			 (PAGE_SIZE - (uintptr_t)worker->bounce_memory % PAGE_SIZE) % PAGE_SIZE;
	MmInitializeMdl(mdl, worker->bounce, LF_FILE_BOUNCE_BYTES);
	MmBuildMdlForNonPagedPool(mdl);
	return true;
}

static struct lf_store *allocate_store(const struct lf_source *source)
{
	struct lf_store *store = lf_alloc(sizeof(*store));
	bool whole;

	if (!store)
		return NULL;
	store->handle = source->handle;
	store->state_handle = source->state_handle;
	lf_lock_init(&store->lock);
	lf_list_init(&store->queue);
	lf_list_init(&store->running);
	lf_list_init(&store->later);
	lf_list_init(&store->ended);
	lf_list_init(&store->returned);
	lf_list_init(&store->sync_waits);
	lf_list_init(&store->sync_shares);
	KeInitializeSemaphore(&store->work, 0, MAXLONG);
	KeInitializeEvent(&store->porter_wake, SynchronizationEvent, FALSE);
	store->path = copy_text(source->path);
	whole = store->path != NULL;
	for (uint32_t i = 0; i < LF_FILE_WORKERS; i++)
		whole = prepare_worker(store, i) && whole;
	if (whole)
		return store;
	free_store(store);
	return NULL;
}

/* The handles are the asker's again. */
static void open_failed(struct lf_store *store)
{
	store->handle = store->state_handle = LF_HANDLE_NONE;
	if (store->porter.object)
		lf_file_threads_stop(store, UINT64_MAX);
	if (store->file)
		ObDereferenceObject(store->file);
	free_store(store);
}

static enum lf_error file_open(const struct lf_source *source, struct lf_store **opened,
	struct lf_store_info *info, struct lf_message *message)
{
	struct lf_store *store;
	enum lf_error error;

	prepare_lists();
	store = allocate_store(source);
	if (!store) {
		lf_message_set(message, "%s: no memory for it: disconnect what is not needed",
			lf_file_shown(source->path));
		return LF_E_NO_MEMORY;
	}
	error = lf_file_examine(source, store, info, message);
	if (error) {
		open_failed(store);
		return error;
	}
	error = lf_file_irp_reserve(store);
	if (!error)
		error = lf_file_threads_start(store);
	if (error) {
		lf_message_set(message, "%s: no memory or no threads for it: disconnect what is not needed",
			lf_file_shown(source->path));
		open_failed(store);
		return error;
	}
	lf_file_volume_register(store);
	lf_lock(&all.lock);
	lf_list_append(&all.open, &store->link);
	lf_unlock(&all.lock);
	lf_trace_store_opened(store->size_bytes, LF_FILE_WORKERS, 0, 0);
	*opened = store;
	return LF_OK;
}

static void file_submit(struct lf_store *store, struct lf_io *io)
{
	lf_file_begin(store, io);
}

/* From the list that it waits in to the porter; or away from the worker that it is at, as soon as may be. */
static void file_cancel(struct lf_store *store, struct lf_io *io)
{
	struct lf_link *const waiting[] = {
		&store->queue, &store->later, &store->sync_waits, &store->sync_shares};
	bool found = false;

	lf_lock(&store->lock);
	for (uint32_t i = 0; i < lf_count_of(waiting) && !found; i++) {
		lf_list_each(link, after, waiting[i])
		{
			if (link != &io->link)
				continue;
			lf_list_remove(link);
			lf_file_end_locked(store, io, LF_E_ABORTED);
			lf_file_sync_unwanted_locked(store);
			found = true;
			break;
		}
	}
	lf_list_each(link, after, &store->running)
	{
		if (link != &io->link)
			continue;
		lf_file_unwanted_locked(store, &lf_file_io_of(io)->flight);
		break;
	}
	lf_unlock(&store->lock);
}

/*
 * Nothing is in flight, but perhaps the flush before sleep. However long the file system keeps a thread or
 * the handle: whoever has closed an image may delete it, or open it again.
 */
static void file_close(struct lf_store *store)
{
	/* One who is just being told, is: it is short. */
	lf_store_file_watch(store, NULL, NULL);
	lf_lock(&all.lock);
	lf_list_remove(&store->link);
	lf_lock(&store->lock);
	store->sleep_again = false;
	lf_unlock(&store->lock);
	lf_unlock(&all.lock);
	file_cancel(store, &store->sleep_io);
	lf_trace_store_closed(0, 0, 0, 0);
	if (!lf_file_threads_stop(store, CLOSE_PATIENCE_NS)) {
		lf_log(LF_LOG_WARNING, "%s: its file system does not answer: it is let go of when it does",
			store->path);
		lf_nt_thread_join(&store->porter);
	}
	free_store(store);
}

const struct lf_store_ops lf_store_file_ops = {
	.name = "file",
	.open = file_open,
	.submit = file_submit,
	.cancel = file_cancel,
	.close = file_close,
};

/*
 * What other processors still run of ours, in a DPC that has a few instructions to go. The driver's code
 * stays till then.
 */
void lf_store_file_quiesce(void)
{
	KeFlushQueuedDpcs();
}

enum lf_error lf_store_load_state(
	lf_handle state_handle, void *blob, size_t capacity_bytes, size_t *length_bytes)
{
	(void)state_handle;
	(void)blob;
	(void)capacity_bytes;
	*length_bytes = 0;
	return LF_E_NOT_FOUND;
}

/* ---- before the machine sleeps ---- */

/* What was written while one flush ran is not in it, but whoever asked meanwhile waits for that, too. */
static void sleep_done(struct lf_io *io)
{
	struct lf_store *store = lf_container(io, struct lf_store, sleep_io);
	bool again;

	lf_lock(&all.lock);
	lf_lock(&store->lock);
	store->sleep_busy = again = store->sleep_again;
	store->sleep_again = false;
	KeSetEvent(&store->porter_wake, IO_NO_INCREMENT, FALSE);
	lf_unlock(&store->lock);
	if (again) {
		store->sleep_number = all.sleeps;
		file_submit(store, io);
	} else if (--all.sleeping == 0) {
		KeSetEvent(&all.all_flushed, IO_NO_INCREMENT, FALSE);
	}
	lf_unlock(&all.lock);
}

static bool begin_sleep_flush(struct lf_store *store)
{
	bool begins;

	lf_lock(&store->lock);
	store->sleep_again = store->sleep_busy;
	begins = !store->sleep_busy && !store->read_only &&
		 store->flushed_changes != lf_atomic_load_relaxed_u64(&store->changes);
	if (begins)
		store->sleep_busy = true;
	lf_unlock(&store->lock);
	return begins;
}

static void flush_for_sleep(struct lf_store *store)
{
	if (!begin_sleep_flush(store))
		return;
	memset(&store->sleep_io, 0, sizeof(store->sleep_io));
	store->sleep_io.op = LF_OP_FLUSH;
	store->sleep_io.done = sleep_done;
	store->sleep_number = all.sleeps;
	if (all.sleeping++ == 0)
		KeClearEvent(&all.all_flushed);
	file_submit(store, &store->sleep_io);
}

/*
 * Whoever has waited for too long takes back what was begun for him. What was begun for those who asked later
 * is theirs: they would take its end for a good one.
 */
static void give_up(uint64_t number)
{
	lf_lock(&all.lock);
	lf_list_each(link, after, &all.open)
	{
		struct lf_store *store = lf_container(link, struct lf_store, link);
		if (store->sleep_number <= number)
			file_cancel(store, &store->sleep_io);
	}
	lf_unlock(&all.lock);
}

/* The machine waits for this: a share that is gone must not keep it awake. */
void lf_store_file_flush_all(void)
{
	LARGE_INTEGER timeout = {.QuadPart = lf_nt_relative(SLEEP_TIMEOUT_NS)};
	uint64_t number;
	NTSTATUS status;

	prepare_lists();
	lf_lock(&all.lock);
	number = ++all.sleeps;
	lf_list_each(link, after, &all.open) flush_for_sleep(lf_container(link, struct lf_store, link));
	lf_unlock(&all.lock);
	status = KeWaitForSingleObject(&all.all_flushed, Executive, KernelMode, FALSE, &timeout);
	if (status == STATUS_SUCCESS)
		return;
	lf_log(LF_LOG_ERROR, "not all that was written could be made stable before sleep");
	give_up(number);
}
