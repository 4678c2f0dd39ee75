/* SPDX-License-Identifier: BSD-2-Clause */
/* change.c: a medium comes, goes or grows while its device stays: insert, eject, resize; and what else waits.
 */
#include "control/device.h"

/*
 * One change at a time for a device; all of it on the loop but for the done functions of the core, which only
 * post, and what work.c has threads for:
 *
 * insert: examine -> examined -> open -> opened -> exchange;
 *
 * eject: exchange;
 *
 * exchange: lf_lu_change_medium -> medium_done -> changed -> FLUSH of what was in -> flushed -> written ->
 * close -> put_away -> finish;
 *
 * insert of what is ejected: examine -> examined -> exchange for nothing -> open -> opened -> exchange;
 *
 * resize: resize_store -> resized -> lf_lu_resize -> resize_done -> finish.
 *
 * One post serves all: they follow one another.
 */
static void post(struct lf_device *device, void (*run)(struct lf_post *post))
{
	device->change.post.run = run;
	lf_loop_post(device->devices->options.loop, &device->change.post);
}

static struct lf_device *posted(struct lf_post *done)
{
	return lf_container(done, struct lf_device, change.post);
}

/* Whoever asked may look at the device: it is right by now. One that is to leave goes on with that. */
static void finish(struct lf_device *device)
{
	struct lf_device_waiter *waiter = lf_device_take_waiter(&device->change.waiter);
	struct lf_control_device *record = &device->devices->record;
	bool leaving = device->leaving;

	device->change.runs = device->change.opens = false;
	lf_device_describe(device, record);
	if (waiter)
		waiter->ended(waiter, record, device->change.status, &device->change.message);
	if (leaving)
		lf_device_begin_removal(device);
}

/* What the errand came to, or what was found out after it. */
static void note_failure(struct lf_device *device, enum lf_control_status status)
{
	device->change.status = status;
	device->change.message = device->work.message;
}

static enum lf_control_status check_stays(const struct lf_device *device, struct lf_message *message)
{
	if (!device->leaving)
		return LF_CONTROL_OK;
	lf_message_set(message, "it is leaving: wait until lungfish list does not show it");
	return LF_CONTROL_BUSY;
}

static enum lf_control_status check_idle(struct lf_device *device, struct lf_message *message)
{
	enum lf_control_status status = check_stays(device, message);

	if (status != LF_CONTROL_OK)
		return status;
	if (device->change.runs) {
		lf_message_set(message, "another change of it is under way: try again when that has ended");
		return LF_CONTROL_BUSY;
	}
	memset(&device->change, 0, sizeof(device->change));
	return LF_CONTROL_OK;
}

static void begin(struct lf_device *device, struct lf_device_waiter *waiter)
{
	lf_device_put_waiter(&device->change.waiter, waiter);
	device->change.runs = true;
}

/* ---- What comes in takes the place of what is in ---- */

static void opened(struct lf_device *device);

/* Nothing comes in, or nothing more. */
static void leave_out(struct lf_device *device, enum lf_control_status status)
{
	note_failure(device, status);
	memset(&device->change.incoming, 0, sizeof(device->change.incoming));
	lf_device_close_handles(device, finish);
}

static void is_back(struct lf_device *device)
{
	memset(&device->change.outgoing, 0, sizeof(device->change.outgoing));
	finish(device);
}

/* While its file is in none of both, it could be had by another device: it is in outgoing until it is closed.
 */
static void put_back(struct lf_device *device)
{
	struct lf_device_change *change = &device->change;

	change->opens = true; /* as before the exchange: nothing comes of it, now or later */
	change->outgoing = change->incoming;
	memset(&change->incoming, 0, sizeof(change->incoming));
	lf_device_close_store(device, &change->outgoing, is_back);
}

static void open_incoming(struct lf_device *device)
{
	if (lf_device_open(device, opened))
		return;
	lf_message_set(&device->work.message, "memory is short: try again");
	leave_out(device, LF_CONTROL_FAILED);
}

/* What was in is closed. */
static void put_away(struct lf_device *device)
{
	struct lf_device_change *change = &device->change;

	if (change->flush.error != LF_OK) {
		change->status = lf_control_status_of(change->flush.error);
		lf_message_set(&change->message,
			"it is out, but what was written last may not be on the medium: %s",
			lf_error_text(change->flush.error));
		lf_log(LF_LOG_ERROR, "%s: %s", change->outgoing.path, change->message.text);
	}
	memset(&change->outgoing, 0, sizeof(change->outgoing));
	if (!change->again) {
		finish(device);
		return;
	}
	change->again = false;
	change->incoming = device->work.medium;
	open_incoming(device);
}

static void written(struct lf_post *done)
{
	struct lf_device *device = posted(done);

	if (device->change.outgoing.store)
		lf_device_close_store(device, &device->change.outgoing, put_away);
	else
		put_away(device);
}

static void flushed(struct lf_io *io)
{
	post(lf_container(io, struct lf_device, change.flush), written);
}

static void not_changed(struct lf_device *device)
{
	struct lf_device_change *change = &device->change;

	lf_message_set(&device->work.message,
		"an initiator has locked the medium in: unmount it there, or add --force");
	note_failure(device, lf_control_status_of(change->medium.error));
	if (change->incoming.store)
		put_back(device);
	else if (change->again)
		lf_device_close_handles(device, finish);
	else
		finish(device);
}

/* Initiators have the new medium, or none; what was in is ours alone. */
static void changed(struct lf_post *done)
{
	struct lf_device *device = posted(done);
	struct lf_device_change *change = &device->change;

	if (change->medium.error != LF_OK) {
		not_changed(device);
		return;
	}
	lf_assert(change->medium.old == device->medium.store);
	change->outgoing = device->medium;
	if (change->incoming.store) {
		device->medium = change->incoming;
		memset(&change->incoming, 0, sizeof(change->incoming));
	} else {
		lf_device_set_empty(device, &device->medium);
	}
	memset(&change->flush, 0, sizeof(change->flush));
	change->flush.op = LF_OP_FLUSH;
	change->flush.done = flushed;
	if (!change->outgoing.store || change->outgoing.read_only)
		written(done);
	else
		device->devices->options.store_ops->submit(change->outgoing.store, &change->flush);
}

static void medium_done(struct lf_medium_change *medium)
{
	post(lf_container(medium, struct lf_device, change.medium), changed);
}

static void exchange(struct lf_device *device)
{
	struct lf_device_change *change = &device->change;
	bool comes = change->incoming.store != NULL;

	change->opens = false;
	change->medium = (struct lf_medium_change){
		.ops = comes ? device->devices->options.store_ops : NULL,
		.store = change->incoming.store,
		.info = comes ? &change->incoming.info : NULL,
		.read_only = comes ? change->incoming.read_only : device->read_only,
		.force = change->force,
		.open_tray = change->open_tray,
		.done = medium_done,
	};
	lf_lu_change_medium(device->lu, &change->medium);
}

/* ---- insert and eject ---- */

static enum lf_control_status check_removable(const struct lf_device *device, struct lf_message *message)
{
	if (device->removable)
		return LF_CONTROL_OK;
	lf_message_set(message, "its medium is fixed: disconnect it, and connect it again with --removable");
	return LF_CONTROL_UNSUPPORTED;
}

bool lf_device_opens(const struct lf_device *device)
{
	return device->change.opens;
}

/* Whether the image is to come in still: nobody who has gone away finds it in his drive. */
static enum lf_control_status check_wanted(struct lf_device *device, struct lf_message *message)
{
	if (device->change.opens && !device->change.waiter)
		return LF_CONTROL_FAILED;
	return check_stays(device, message);
}

static void opened(struct lf_device *device)
{
	struct lf_device_work *work = &device->work;
	enum lf_control_status status = work->status;

	if (status != LF_CONTROL_OK) {
		leave_out(device, status);
		return;
	}
	device->change.incoming = work->medium;
	lf_device_begin_watch(device, &device->change.incoming);
	status = check_wanted(device, &work->message);
	if (status == LF_CONTROL_OK) {
		exchange(device);
	} else {
		note_failure(device, status);
		put_back(device);
	}
}

static bool is_ejected(struct lf_device *device)
{
	struct lf_lu_facts facts;

	lf_lu_describe(device->lu, &facts);
	return facts.ejected;
}

/* Whether it may come in; its file is taken then. */
static enum lf_control_status take_in(struct lf_device *device, struct lf_message *message)
{
	struct lf_device_change *change = &device->change;
	const struct lf_device_medium *medium = &device->work.medium;
	enum lf_control_status status = check_wanted(device, message);

	if (status == LF_CONTROL_OK)
		status = lf_device_check_file(device, medium, message);
	if (status == LF_CONTROL_OK)
		status = lf_device_check_below(device, medium, message);
	if (status != LF_CONTROL_OK)
		return status;
	change->again = lf_device_has_file(device, medium);
	if (change->again && !is_ejected(device)) {
		lf_message_set(message, "it is in already");
		return LF_CONTROL_BUSY;
	}
	if (!change->again)
		change->incoming = *medium;
	return LF_CONTROL_OK;
}

/* What an initiator has ejected is taken out before it is opened anew. */
static void examined(struct lf_device *device)
{
	struct lf_device_work *work = &device->work;
	enum lf_control_status status = work->status;

	if (status == LF_CONTROL_OK)
		status = take_in(device, &work->message);
	if (status != LF_CONTROL_OK)
		leave_out(device, status);
	else if (device->change.again)
		exchange(device);
	else
		open_incoming(device);
}

enum lf_control_status lf_device_insert(struct lf_device *device, const struct lf_control_insert *request,
	lf_handle handle, struct lf_device_waiter *waiter, struct lf_message *message)
{
	enum lf_control_status status = check_removable(device, message);
	struct lf_device_work *work = &device->work;
	struct lf_device_medium *medium = &work->medium;

	if (status == LF_CONTROL_OK)
		status = check_idle(device, message);
	if (status != LF_CONTROL_OK)
		return status;
	memset(medium, 0, sizeof(*medium));
	lf_format(medium->path, sizeof(medium->path), "%s", request->image.bytes);
	medium->read_only = device->read_only || (request->flags & LF_CONTROL_INSERT_READ_ONLY) != 0;
	work->handles[0] = handle;
	work->handles[1] = LF_HANDLE_NONE;
	if (!lf_device_examine(device, examined)) {
		lf_message_set(message, "memory is short: try again");
		return LF_CONTROL_FAILED;
	}
	begin(device, waiter);
	device->change.opens = true;
	device->change.force = (request->flags & LF_CONTROL_INSERT_FORCE) != 0;
	return LF_CONTROL_OK;
}

enum lf_control_status lf_device_eject(
	struct lf_device *device, bool force, struct lf_device_waiter *waiter, struct lf_message *message)
{
	enum lf_control_status status = check_removable(device, message);

	if (status == LF_CONTROL_OK)
		status = check_idle(device, message);
	if (status != LF_CONTROL_OK)
		return status;
	begin(device, waiter);
	device->change.force = force;
	device->change.open_tray = device->type == LF_LU_CDROM;
	exchange(device);
	return LF_CONTROL_OK;
}

/* ---- resize ---- */

/* Whoever asked has heard only that it takes long, or has gone. */
static void log_what_came_of_it(const struct lf_device *device)
{
	const struct lf_device_change *change = &device->change;

	if (change->waiter)
		return;
	if (change->status != LF_CONTROL_OK)
		lf_log(LF_LOG_WARNING, "%s: a resize that took long has failed: %s", device->medium.path,
			change->message.text);
	else
		lf_log(LF_LOG_NOTICE, "%s: a resize that took long is done: it has %llu blocks now",
			device->medium.path, (unsigned long long)device->medium.info.block_count);
}

static void unit_resized(struct lf_post *done)
{
	struct lf_device *device = posted(done);

	log_what_came_of_it(device);
	finish(device);
}

static void resize_done(struct lf_resize *resize)
{
	post(lf_container(resize, struct lf_device, change.resize), unit_resized);
}

static enum lf_control_status check_resize(
	const struct lf_device *device, uint64_t size_bytes, struct lf_message *message)
{
	const struct lf_store_info *info = &device->medium.info;

	if (device->type != LF_LU_DISK || !device->devices->options.resize) {
		lf_message_set(message, "only disks grow: insert another image instead");
		return LF_CONTROL_UNSUPPORTED;
	}
	if (!device->medium.store) {
		lf_message_set(message, "it is empty: insert an image first");
		return LF_CONTROL_FAILED;
	}
	if (size_bytes != 0 && device->medium.read_only) {
		lf_message_set(message, "it is read-only: connect it without --read-only");
		return LF_CONTROL_PERMISSION;
	}
	if (size_bytes % info->block_size != 0) {
		lf_message_set(message, "%llu bytes are no multiple of its block size of %u: round it",
			(unsigned long long)size_bytes, info->block_size);
		return LF_CONTROL_INVALID;
	}
	return LF_CONTROL_OK;
}

static enum lf_control_status refuse_shrinking(
	uint64_t size_bytes, const struct lf_store_info *info, struct lf_message *message)
{
	lf_message_set(message,
		"from %llu to %llu bytes it would shrink, and initiators would lose what is behind: "
		"disconnect it, shorten the image, connect it again",
		(unsigned long long)(info->block_count * info->block_size), (unsigned long long)size_bytes);
	return LF_CONTROL_BUSY;
}

/* The image has its size; the unit follows. */
static void resized(struct lf_device *device)
{
	struct lf_device_work *work = &device->work;
	struct lf_store_info *info = &device->medium.info;
	enum lf_control_status status = work->status;

	if (status == LF_CONTROL_OK && work->block_count < info->block_count)
		status = refuse_shrinking(work->block_count * info->block_size, info, &work->message);
	if (status != LF_CONTROL_OK) {
		note_failure(device, status);
		log_what_came_of_it(device);
		finish(device);
		return;
	}
	info->block_count = work->block_count;
	device->change.resize = (struct lf_resize){.block_count = work->block_count, .done = resize_done};
	lf_lu_resize(device->lu, &device->change.resize);
}

enum lf_control_status lf_device_resize(struct lf_device *device, uint64_t size_bytes,
	struct lf_device_waiter *waiter, struct lf_message *message)
{
	enum lf_control_status status = check_resize(device, size_bytes, message);
	const struct lf_store_info *info = &device->medium.info;

	if (status == LF_CONTROL_OK && size_bytes != 0 && size_bytes / info->block_size < info->block_count)
		status = refuse_shrinking(size_bytes, info, message);
	if (status == LF_CONTROL_OK)
		status = check_idle(device, message);
	if (status != LF_CONTROL_OK)
		return status;
	if (!lf_device_resize_store(device, size_bytes, resized)) {
		lf_message_set(message, "memory is short: try again");
		return LF_CONTROL_FAILED;
	}
	begin(device, waiter);
	return LF_CONTROL_OK;
}

/* ---- reservations ---- */

static void cleared(struct lf_post *done)
{
	struct lf_device *device = posted(done);
	struct lf_device_change *change = &device->change;

	change->status = lf_control_status_of(change->clear.error);
	if (change->clear.error != LF_OK)
		lf_message_set(&change->message, "the state file cannot be written: %s: nothing changed",
			lf_error_text(change->clear.error));
	finish(device);
}

static void clear_done(struct lf_reservations_clear *clear)
{
	post(lf_container(clear, struct lf_device, change.clear), cleared);
}

enum lf_control_status lf_device_clear_reservations(
	struct lf_device *device, struct lf_device_waiter *waiter, struct lf_message *message)
{
	enum lf_control_status status = check_idle(device, message);

	if (status != LF_CONTROL_OK)
		return status;
	begin(device, waiter);
	device->change.clear.done = clear_done;
	lf_lu_reservations_clear(device->lu, &device->change.clear);
	return LF_CONTROL_OK;
}
