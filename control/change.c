/* SPDX-License-Identifier: BSD-2-Clause */
/* change.c: a medium comes, goes or grows while its device stays: insert, eject, resize; and what else waits.
 */
#include "control/device.h"

/*
 * One change at a time for a device; all of it on the loop but for the two done functions, which only post:
 *
 * lf_lu_change_medium -> medium_done -> changed -> FLUSH of what was in -> flushed -> put_away -> finish
 * lf_lu_resize -> resize_done -> finish
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
static void finish(struct lf_post *done)
{
	struct lf_device *device = posted(done);
	struct lf_device_waiter *waiter = device->change.waiter;
	struct lf_control_device *record = &device->devices->record;
	bool leaving = device->leaving;

	device->change.runs = false;
	device->change.waiter = NULL;
	lf_device_describe(device, record);
	if (waiter)
		waiter->ended(waiter, record, device->change.status, &device->change.message);
	if (leaving)
		lf_device_begin_removal(device);
}

static enum lf_control_status check_idle(struct lf_device *device, struct lf_message *message)
{
	if (device->leaving) {
		lf_message_set(message, "it is leaving: wait until lungfish list does not show it");
		return LF_CONTROL_BUSY;
	}
	if (device->change.runs) {
		lf_message_set(message, "another change of it is under way: try again when that has ended");
		return LF_CONTROL_BUSY;
	}
	memset(&device->change, 0, sizeof(device->change));
	device->change.again_handle = LF_HANDLE_NONE;
	return LF_CONTROL_OK;
}

static void begin(struct lf_device *device, struct lf_device_waiter *waiter)
{
	if (waiter)
		waiter->device = device;
	device->change.waiter = waiter;
	device->change.runs = true;
}

/* ---- insert and eject ---- */

static void exchange(struct lf_device *device);

/* What was ejected is closed by now: it may be opened again. */
static void open_again(struct lf_device *device)
{
	struct lf_device_change *change = &device->change;
	const lf_handle handles[LF_CONTROL_HANDLES_MAX] = {change->again_handle, LF_HANDLE_NONE};

	change->again_handle = LF_HANDLE_NONE;
	change->status = lf_device_open_store(device, handles, &change->incoming, &change->message);
	if (change->status == LF_CONTROL_OK) {
		exchange(device);
		return;
	}
	lf_handle_close(handles[0]);
	memset(&change->incoming, 0, sizeof(change->incoming));
	finish(&change->post);
}

static void put_away(struct lf_post *done)
{
	struct lf_device *device = posted(done);
	struct lf_device_change *change = &device->change;

	lf_device_close_store(device, &change->outgoing);
	if (change->flush.error != LF_OK) {
		change->status = lf_control_status_of(change->flush.error);
		lf_message_set(&change->message,
			"it is out, but what was written last may not be on the medium: %s",
			lf_error_text(change->flush.error));
		lf_log(LF_LOG_ERROR, "%s: %s", change->outgoing.path, change->message.text);
	}
	memset(&change->outgoing, 0, sizeof(change->outgoing));
	if (change->again_handle != LF_HANDLE_NONE)
		open_again(device);
	else
		finish(done);
}

static void flushed(struct lf_io *io)
{
	post(lf_container(io, struct lf_device, change.flush), put_away);
}

/* Initiators have the new medium, or none; what was in is ours alone. */
static void changed(struct lf_post *done)
{
	struct lf_device *device = posted(done);
	struct lf_device_change *change = &device->change;

	if (change->medium.error != LF_OK) {
		lf_message_set(&change->message,
			"an initiator has locked the medium in: unmount it there, or add --force");
		change->status = lf_control_status_of(change->medium.error);
		lf_device_close_store(device, &change->incoming);
		memset(&change->incoming, 0, sizeof(change->incoming));
		if (change->again_handle != LF_HANDLE_NONE)
			lf_handle_close(change->again_handle);
		change->again_handle = LF_HANDLE_NONE;
		finish(done);
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
		put_away(done);
	else
		device->devices->options.store_ops->submit(change->outgoing.store, &change->flush);
}

static void medium_done(struct lf_medium_change *medium)
{
	post(lf_container(medium, struct lf_device, change.medium), changed);
}

/* What comes in takes the place of what is in. */
static void exchange(struct lf_device *device)
{
	struct lf_device_change *change = &device->change;
	bool comes = change->incoming.store != NULL;

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

static enum lf_control_status check_removable(const struct lf_device *device, struct lf_message *message)
{
	if (device->removable)
		return LF_CONTROL_OK;
	lf_message_set(message, "its medium is fixed: disconnect it, and connect it again with --removable");
	return LF_CONTROL_UNSUPPORTED;
}

static bool is_ejected(struct lf_device *device)
{
	struct lf_lu_facts facts;

	lf_lu_describe(device->lu, &facts);
	return facts.ejected;
}

/* Its store is opened here, or later when the device has that very image, which an initiator ejected. */
static enum lf_control_status prepare_insert(struct lf_device *device,
	const struct lf_control_insert *request, lf_handle handle, struct lf_message *message)
{
	const lf_handle handles[LF_CONTROL_HANDLES_MAX] = {handle, LF_HANDLE_NONE};
	struct lf_device_medium *incoming = &device->change.incoming;
	bool read_only = device->read_only || (request->flags & LF_CONTROL_INSERT_READ_ONLY) != 0;
	enum lf_control_status status;
	bool again;

	lf_format(incoming->path, sizeof(incoming->path), "%s", request->image.bytes);
	status = lf_device_check_file(device, handle, read_only, incoming, message);
	if (status == LF_CONTROL_OK)
		status = lf_device_check_below(device, handle, incoming, message);
	if (status != LF_CONTROL_OK)
		return status;
	again = lf_device_has_file(device, incoming);
	device->change.force = (request->flags & LF_CONTROL_INSERT_FORCE) != 0;
	if (!again)
		return lf_device_open_store(device, handles, incoming, message);
	if (!is_ejected(device)) {
		lf_message_set(message, "it is in already");
		return LF_CONTROL_BUSY;
	}
	device->change.again_handle = handle;
	return LF_CONTROL_OK;
}

enum lf_control_status lf_device_insert(struct lf_device *device, const struct lf_control_insert *request,
	lf_handle handle, struct lf_device_waiter *waiter, struct lf_message *message)
{
	enum lf_control_status status = check_removable(device, message);
	bool idle;

	if (status == LF_CONTROL_OK)
		status = check_idle(device, message);
	idle = status == LF_CONTROL_OK;
	if (idle)
		status = prepare_insert(device, request, handle, message);
	if (status == LF_CONTROL_OK) {
		begin(device, waiter);
		exchange(device);
		return LF_CONTROL_OK;
	}
	if (idle)
		memset(&device->change.incoming, 0, sizeof(device->change.incoming));
	lf_handle_close(handle);
	return status;
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

static void resize_done(struct lf_resize *resize)
{
	post(lf_container(resize, struct lf_device, change.resize), finish);
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

enum lf_control_status lf_device_resize(struct lf_device *device, uint64_t size_bytes,
	struct lf_device_waiter *waiter, struct lf_message *message)
{
	enum lf_control_status status = check_resize(device, size_bytes, message);
	struct lf_store_info *info = &device->medium.info;
	uint64_t block_count = 0;

	if (status == LF_CONTROL_OK && size_bytes != 0 && size_bytes / info->block_size < info->block_count)
		status = refuse_shrinking(size_bytes, info, message);
	if (status == LF_CONTROL_OK)
		status = check_idle(device, message);
	if (status != LF_CONTROL_OK)
		return status;
	status = lf_control_status_of(device->devices->options.resize(
		device->medium.store, size_bytes, info->block_size, &block_count, message));
	lf_device_drop_path(message, device->medium.path);
	if (status == LF_CONTROL_OK && block_count < info->block_count)
		status = refuse_shrinking(block_count * info->block_size, info, message);
	if (status != LF_CONTROL_OK)
		return status;
	info->block_count = block_count;
	begin(device, waiter);
	device->change.resize = (struct lf_resize){.block_count = block_count, .done = resize_done};
	lf_lu_resize(device->lu, &device->change.resize);
	return LF_CONTROL_OK;
}

/* ---- reservations ---- */

static void cleared(struct lf_post *done)
{
	struct lf_device_change *change = &posted(done)->change;

	change->status = lf_control_status_of(change->clear.error);
	if (change->clear.error != LF_OK)
		lf_message_set(&change->message, "the state file cannot be written: %s: nothing changed",
			lf_error_text(change->clear.error));
	finish(done);
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
