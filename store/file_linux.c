/* SPDX-License-Identifier: BSD-2-Clause */
/* file_linux.c: a raw image in a file or on a block device: open, submit, close; what is done in place. */
#include "store/file.h"
#include "store/trampoline.h"

#include "platform/linux.h"
#include "trace/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * What is in the page cache is copied by the caller at once: handing it over costs more than copying some
 * pages, and the ring would copy on this thread, too. Longer operations than a transfer of an initiator's
 * (a zeroed range) are left to an engine, so that a loop is not held up.
 */
#define INLINE_MAX_BYTES (1u << 20)

static enum lf_file_engine engine_wanted = LF_FILE_ENGINE_AUTO;
static bool inline_allowed = true;
static _Thread_local struct lf_trampoline trampoline;

void lf_store_file_set_engine(enum lf_file_engine engine)
{
	engine_wanted = engine;
}

void lf_store_file_set_inline(bool allowed)
{
	inline_allowed = allowed;
}

static void free_store(struct lf_store *store)
{
	pthread_mutex_destroy(&store->lock);
	pthread_mutex_destroy(&store->sync_lock);
	pthread_mutex_destroy(&store->log_lock);
	free(store->path);
	lf_free(store->journal);
	lf_free(store);
}

static struct lf_store *allocate_store(const struct lf_source *source)
{
	struct lf_store *store = lf_alloc(sizeof(*store));

	if (!store)
		return NULL;
	pthread_mutex_init(&store->lock, NULL);
	pthread_mutex_init(&store->sync_lock, NULL);
	pthread_mutex_init(&store->log_lock, NULL);
	lf_list_init(&store->sync_sharing);
	lf_list_init(&store->sync_waiting);
	store->fd = (int)source->handle;
	store->state_fd = (int)source->state_handle;
	store->use_ring = engine_wanted != LF_FILE_ENGINE_THREADS;
	store->path = strdup(source->path);
	if (store->path)
		return store;
	free_store(store);
	return NULL;
}

static void unlock_file(struct lf_store *store)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	/* The asker's copy of the descriptor would hold it on. */
	fcntl(store->fd, F_OFD_SETLK, &lock);
}

static enum lf_error file_open(const struct lf_source *source, struct lf_store **opened,
	struct lf_store_info *info, struct lf_message *message)
{
	struct lf_store *store = allocate_store(source);
	enum lf_error error;
	int64_t result;

	if (!store || !lf_file_threads_open()) {
		lf_message_set(message, "%s: no memory or no threads for it: raise the limits of the process",
			lf_file_shown(source->path));
		if (store)
			free_store(store);
		return LF_E_NO_MEMORY;
	}
	error = lf_file_examine(source, store, info, message);
	if (error) {
		free_store(store);
		return error;
	}
	result = store->state_fd >= 0 ? lf_file_state_open(store) : 0;
	if (result < 0) {
		lf_message_set(message,
			"%s: its state file cannot be read or kept: %s (%s): see whether its volume is all "
			"right, or move that file away",
			lf_file_shown(source->path), lf_error_text(lf_error_from_errno((int)-result)),
			lf_file_errno_name((int)-result));
		error = lf_error_from_errno((int)-result);
	} else if (store->state_fd >= 0) {
		error = lf_file_journal_open(source, store, info, message);
	}
	if (error) {
		unlock_file(store);
		free_store(store);
		return error;
	}
	if (!inline_allowed)
		store->never_waits = store->reads_nowait = false;
	lf_trace_store_opened(store->size_bytes, store->use_ring, 0, 0);
	*opened = store;
	return LF_OK;
}

/*
 * True: the operation is through, by calls that cannot wait, or waits for another's sync. False: an engine
 * goes on where this stopped.
 */
static bool try_in_place(struct lf_store *store, struct lf_io *io)
{
	struct lf_file_call call;
	int64_t result;

	if (!lf_file_next(io, &call))
		return true;
	if (io->length_bytes > INLINE_MAX_BYTES || lf_file_wants_thread(io))
		return false;
	if (store->never_waits) {
		do {
			lf_file_result(io, lf_file_make_call(io, &call, 0));
		} while (lf_file_next(io, &call));
		return true;
	}
	if (!store->reads_nowait || io->op != LF_OP_READ)
		return false;
	do {
		result = lf_file_make_call(io, &call, RWF_NOWAIT);
		/* Whatever is wrong, the engine meets it too, and says so. */
		if (result <= 0)
			return false;
		lf_file_result(io, result);
	} while (lf_file_next(io, &call));
	return true;
}

void lf_file_go_on(struct lf_io *io)
{
	if (!lf_file_io_of(io)->store->use_ring || !lf_file_uring_start(io))
		lf_file_threads_start(io);
}

static void start(struct lf_io *io)
{
	struct lf_store *store = lf_file_io_of(io)->store;

	lf_file_begin(store, io);
	if (!try_in_place(store, io))
		lf_file_go_on(io);
}

static void file_submit(struct lf_store *store, struct lf_io *io)
{
	lf_file_io_of(io)->store = store;
	lf_trampoline_run(&trampoline, io, start);
}

/* Nothing is in flight, and done is an engine's last touch: so nothing is left to wait for. */
static void file_close(struct lf_store *store)
{
	unlock_file(store);
	close(store->fd);
	if (store->state_fd >= 0)
		close(store->state_fd);
	lf_trace_store_closed(0, 0, 0, 0);
	free_store(store);
}

const struct lf_store_ops lf_store_file_ops = {
	.name = "file",
	.open = file_open,
	.submit = file_submit,
	.close = file_close,
};
