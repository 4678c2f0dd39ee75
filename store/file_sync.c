/* SPDX-License-Identifier: BSD-2-Clause */
/* file_sync.c: one fdatasync of a store at a time, shared by all who ask while another one runs. */
#include "store/file.h"

/*
 * The kernel reports what it could not write back once for each open file, to the sync that asks first, and
 * calls those pages clean. Two syncs at once: one hears of the loss, the other that all is well. Hence one
 * at a time. Who comes while one runs shares the next, for the running one may have passed his pages already.
 */
bool lf_file_sync_join(struct lf_io *io)
{
	struct lf_store *store = lf_file_io_of(io)->store;
	bool failed, leads;

	pthread_mutex_lock(&store->sync_lock);
	failed = store->sync_failed;
	leads = !failed && !store->sync_runs;
	if (leads)
		store->sync_runs = true;
	else if (!failed)
		lf_list_append(&store->sync_waiting, &io->link);
	pthread_mutex_unlock(&store->sync_lock);
	if (failed) {
		io->error = LF_E_IO;
		io->done(io);
	}
	return leads;
}

static void append_all(struct lf_link *to, struct lf_link *from)
{
	if (lf_list_empty(from))
		return;
	from->next->previous = to->previous;
	to->previous->next = from->next;
	from->previous->next = to;
	to->previous = from->previous;
	lf_list_init(from);
}

static void log_loss(struct lf_store *store)
{
	lf_log(LF_LOG_ERROR,
		"%s: acknowledged writes may be lost: disconnect it, check its data, connect it again",
		store->path);
}

void lf_file_sync_give_up(struct lf_store *store)
{
	pthread_mutex_lock(&store->sync_lock);
	store->sync_failed = true;
	pthread_mutex_unlock(&store->sync_lock);
	log_loss(store);
}

void lf_file_sync_end(struct lf_io *leader)
{
	struct lf_store *store = lf_file_io_of(leader)->store;
	struct lf_link ended, *link, *next = NULL;

	lf_list_init(&ended);
	pthread_mutex_lock(&store->sync_lock);
	append_all(&ended, &store->sync_sharing);
	if (leader->error) {
		/* Another fdatasync would succeed though acknowledged data is lost: nobody gets one. */
		store->sync_failed = true;
		append_all(&ended, &store->sync_waiting);
	} else {
		next = lf_list_take(&store->sync_waiting);
		append_all(&store->sync_sharing, &store->sync_waiting);
	}
	store->sync_runs = next != NULL;
	pthread_mutex_unlock(&store->sync_lock);
	if (leader->error)
		log_loss(store);
	if (next)
		lf_file_go_on(lf_container(next, struct lf_io, link));
	while ((link = lf_list_take(&ended))) {
		struct lf_io *io = lf_container(link, struct lf_io, link);
		io->error = leader->error;
		if (lf_file_synced(io))
			lf_file_go_on(io);
		else
			io->done(io);
	}
}

bool lf_store_file_has_failed(struct lf_store *store)
{
	bool failed;

	pthread_mutex_lock(&store->sync_lock);
	failed = store->sync_failed;
	pthread_mutex_unlock(&store->sync_lock);
	return failed;
}
