/* SPDX-License-Identifier: BSD-2-Clause */
/* departure.c: a device leaves: its unit, what was written, its store, and at last its address. */
#include "control/device.h"

/*
 * Two ways that begin together, each with its own end; all of it on the loop but for the functions that only
 * post, and for the close:
 *
 * lf_lu_remove -> removal_done -> removed -> FLUSH -> flushed -> written -> close -> gone from the table;
 *
 * edge.depart -> departed -> let_go: the address may be given again.
 *
 * The unit is freed, and with it its address, when removed and let_go have both run. The device does not wait
 * for the second: its name, its number and its image are free before. An edge without depart lets go at once.
 */
static void check_emptied(struct lf_devices *devices)
{
	if (devices->emptied && devices->count == 0 && devices->remains == 0)
		devices->emptied(devices->emptied_context);
}

void lf_devices_remain(struct lf_devices *devices)
{
	devices->remains++;
}

void lf_devices_end(struct lf_devices *devices)
{
	devices->remains--;
	check_emptied(devices);
}

/* ---- The address ---- */

/* The core and the edge are done with the unit. */
static void bury(struct lf_husk *husk)
{
	struct lf_devices *devices = husk->devices;

	lf_lu_free(husk->lu);
	lf_free(husk);
	lf_devices_end(devices);
}

static void let_go(struct lf_post *post)
{
	struct lf_husk *husk = lf_container(post, struct lf_husk, post);

	husk->let_go = true;
	if (husk->lu)
		bury(husk);
}

static void departed(struct lf_departure *departure)
{
	struct lf_husk *husk = lf_container(departure, struct lf_husk, departure);

	husk->post.run = let_go;
	lf_loop_post(husk->devices->options.loop, &husk->post);
}

static void tell_edge(struct lf_device *device)
{
	const struct lf_control_edge *edge = &device->devices->options.edge;
	struct lf_husk *husk = device->husk;

	if (!husk)
		return;
	lf_devices_remain(device->devices);
	husk->devices = device->devices;
	husk->departure.target = device->target;
	husk->departure.lun = device->lun;
	husk->departure.gone = departed;
	edge->depart(edge->context, &husk->departure);
}

static void release_unit(struct lf_device *device)
{
	struct lf_husk *husk = device->husk;

	if (husk) {
		husk->lu = device->lu;
		if (husk->let_go)
			bury(husk);
	} else {
		lf_lu_free(device->lu);
	}
	device->husk = NULL;
	device->lu = NULL;
}

/* ---- The device ---- */

/* The image is closed. */
static void gone(struct lf_device *device)
{
	struct lf_devices *devices = device->devices;
	enum lf_error error = device->flush.error;
	struct lf_message message = {""};
	struct lf_link waiters, *link;

	if (error != LF_OK) {
		lf_message_set(&message, "it is gone, but what was written last may not be on the medium: %s",
			lf_error_text(error));
		lf_log(LF_LOG_ERROR, "disconnect: %s: %s", device->medium.path, message.text);
	}
	lf_list_remove(&device->link);
	devices->count--;
	/* Who waited may look at the table: it is right by now. */
	lf_list_init(&waiters);
	while ((link = lf_list_take(&device->waiters)))
		lf_list_append(&waiters, link);
	while ((link = lf_list_take(&waiters))) {
		struct lf_device_waiter *waiter = lf_container(link, struct lf_device_waiter, link);
		waiter->ended(waiter, &device->was, lf_control_status_of(error), &message);
	}
	lf_free(device);
	check_emptied(devices);
}

/* One post serves removed and written: they follow one another. */
static void written(struct lf_post *post)
{
	struct lf_device *device = lf_container(post, struct lf_device, post);

	if (device->medium.store)
		lf_device_close_store(device, &device->medium, gone);
	else
		gone(device);
}

static void flushed(struct lf_io *io)
{
	struct lf_device *device = lf_container(io, struct lf_device, flush);

	device->post.run = written;
	lf_loop_post(device->devices->options.loop, &device->post);
}

static void removed(struct lf_post *post)
{
	struct lf_device *device = lf_container(post, struct lf_device, post);

	/* With what came in while it was to leave, and with nothing in flight any more. */
	lf_device_describe(device, &device->was);
	release_unit(device);
	device->flush.op = LF_OP_FLUSH;
	device->flush.done = flushed;
	if (!device->medium.store || device->medium.read_only)
		flushed(&device->flush);
	else
		device->devices->options.store_ops->submit(device->medium.store, &device->flush);
}

static void removal_done(struct lf_removal *removal)
{
	struct lf_device *device = lf_container(removal, struct lf_device, removal);

	device->post.run = removed;
	lf_loop_post(device->devices->options.loop, &device->post);
}

void lf_device_begin_removal(struct lf_device *device)
{
	tell_edge(device);
	device->removal.done = removal_done;
	lf_lu_remove(device->lu, &device->removal);
}

void lf_device_disconnect(struct lf_device *device, struct lf_device_waiter *waiter)
{
	if (waiter)
		lf_list_append(&device->waiters, &waiter->link);
	if (device->leaving)
		return;
	device->leaving = true;
	if (!device->change.runs)
		lf_device_begin_removal(device);
}

void lf_device_waiter_forget(struct lf_device_waiter *waiter)
{
	if (lf_link_in_list(&waiter->link))
		lf_list_remove(&waiter->link);
	else if (waiter->place)
		(void)lf_device_take_waiter(waiter->place);
}

struct lf_device_waiter *lf_device_take_waiter(struct lf_device_waiter **place)
{
	struct lf_device_waiter *waiter = *place;

	*place = NULL;
	if (waiter)
		waiter->place = NULL;
	return waiter;
}

void lf_device_put_waiter(struct lf_device_waiter **place, struct lf_device_waiter *waiter)
{
	*place = waiter;
	if (waiter)
		waiter->place = place;
}

void lf_devices_stop(struct lf_devices *devices, void (*emptied)(void *context), void *context)
{
	devices->emptied = emptied;
	devices->emptied_context = context;
	/* What arrives is refused as soon as the host has answered. */
	lf_list_each(link, next, &devices->list)
	{
		if (!lf_device_of(link)->arrival)
			lf_device_disconnect(lf_device_of(link), NULL);
	}
	check_emptied(devices);
}
