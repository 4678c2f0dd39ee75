/* SPDX-License-Identifier: BSD-2-Clause */
/* arrival.c: a device comes: what is asked for, an image, its store, its logical unit. */
#include "control/device.h"

#define CD_BLOCK_BYTES 2048
/* Half of what a server lets clients have outstanding, so that somebody can ask what goes on. In the driver
 * another quarter may hang before they arrive here (ioctl_nt.c). */
#define ARRIVALS_MAX 32

/*
 * All of it on the loop but for what work.c has threads for:
 *
 * lf_devices_connect -> examine -> examined: its name and file are taken -> open -> opened -> arrived
 *
 * What is refused at any of these goes out by close -> refused; whoever asked hears of it then.
 */

/* ---- Names ---- */

static bool name_taken(void *context, const char *name)
{
	struct lf_devices *devices = context;

	lf_list_each(link, next, &devices->list)
	{
		if (strcmp(lf_device_of(link)->id, name) == 0)
			return true;
	}
	return false;
}

static enum lf_control_status choose_name(
	struct lf_device *device, const struct lf_control_connect *request, struct lf_message *message)
{
	if (request->name.length == 0) {
		const char *path = device->medium.path;
		if (*path == '\0')
			path = device->type == LF_LU_CDROM ? "cdrom" : "disk";
		lf_naming_make(path, name_taken, device->devices, device->id);
		return LF_CONTROL_OK;
	}
	if (!lf_naming_is_valid(request->name.bytes)) {
		lf_message_set(message,
			"no name for a device: up to %d letters, digits, '.', '_' or '-', and not only "
			"digits",
			LF_NAMING_CAPACITY - 1);
		return LF_CONTROL_INVALID;
	}
	if (name_taken(device->devices, request->name.bytes)) {
		lf_message_set(message, "the name %s is taken: give another, or disconnect that one first",
			request->name.bytes);
		return LF_CONTROL_BUSY;
	}
	lf_format(device->id, sizeof(device->id), "%s", request->name.bytes);
	return LF_CONTROL_OK;
}

/* Two units of one designator would be taken for two paths to one disk. */
static enum lf_control_status check_identity(struct lf_device *device, struct lf_message *message)
{
	lf_list_each(link, next, &device->devices->list)
	{
		struct lf_device *other = lf_device_of(link);
		if (strcmp(other->identity.serial, device->identity.serial) == 0) {
			lf_message_set(message,
				"%s has the serial number %s already: give another with --serial", other->id,
				other->identity.serial);
			return LF_CONTROL_BUSY;
		}
	}
	return LF_CONTROL_OK;
}

/*
 * An image makes the disk what it is. A drive stays the same whatever is in it: its name does, and the
 * target's, as other adapters of this machine have drives of that name, too.
 */
static enum lf_control_status identify(
	struct lf_device *device, const struct lf_control_connect *request, struct lf_message *message)
{
	const char *iqn = device->devices->options.edge.iqn;
	char drive[LF_IDENTITY_IQN_MAX + LF_NAMING_CAPACITY + 8];

	lf_format(drive, sizeof(drive), "%s drive %s", iqn ? iqn : "", device->id);
	lf_identity_derive(device->devices->machine, device->removable ? drive : device->medium.path,
		request->serial.bytes, &device->identity);
	return check_identity(device, message);
}

/* ---- What was asked for ---- */

static enum lf_control_status check_request(const struct lf_devices *devices,
	const struct lf_control_connect *request, lf_handle handle, struct lf_message *message)
{
	enum lf_control_status status = lf_naming_check_request(
		request, devices->options.target_count, devices->options.lun_count, message);

	if (status == LF_CONTROL_OK && (handle == LF_HANDLE_NONE) != (request->path.length == 0)) {
		lf_message_set(message, handle == LF_HANDLE_NONE
						? "no descriptor of the image came with the request"
						: "no path of the image came with the request");
		status = LF_CONTROL_INVALID;
	}
	return status;
}

static void take_request(struct lf_device *device, const struct lf_control_connect *request,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX])
{
	struct lf_device_work *work = &device->work;

	device->arrival->request = *request;
	device->type = (enum lf_lu_type)request->type;
	device->removable = request->type == LF_LU_CDROM || (request->flags & LF_CONTROL_REMOVABLE) != 0;
	device->read_only = request->type == LF_LU_CDROM || (request->flags & LF_CONTROL_READ_ONLY) != 0;
	device->no_unmap = (request->flags & LF_CONTROL_NO_UNMAP) != 0;
	device->block_size = request->type == LF_LU_CDROM ? CD_BLOCK_BYTES : request->block_size;
	device->physical_block_size = request->physical_block_size;
	lf_format(work->medium.path, sizeof(work->medium.path), "%s", request->path.bytes);
	work->medium.read_only = device->read_only;
	memcpy(work->handles, handles, sizeof(work->handles));
}

static void free_device(struct lf_device *device)
{
	if (device->arrival)
		lf_free(device->arrival->saved);
	lf_free(device->arrival);
	lf_free(device->husk);
	lf_free(device);
}

static struct lf_device *make_device(struct lf_devices *devices)
{
	struct lf_device *device = lf_alloc(sizeof(*device));
	bool late = devices->options.edge.depart != NULL;

	if (!device)
		return NULL;
	device->devices = devices;
	lf_list_init(&device->waiters);
	device->arrival = lf_alloc(sizeof(*device->arrival));
	device->husk = late ? lf_alloc(sizeof(*device->husk)) : NULL;
	if (device->arrival && (device->husk || !late))
		return device;
	free_device(device);
	return NULL;
}

/* ---- The way out ---- */

/* What came with the request is closed. */
static void refused(struct lf_device *device)
{
	struct lf_device_waiter *waiter = lf_device_take_waiter(&device->arrival->waiter);
	struct lf_devices *devices = device->devices;

	if (lf_link_in_list(&device->link))
		lf_list_remove(&device->link);
	if (waiter)
		waiter->ended(waiter, NULL, device->work.status, &device->work.message);
	free_device(device);
	devices->arrivals--;
	lf_devices_end(devices);
}

static void refuse(struct lf_device *device, enum lf_control_status status)
{
	device->work.status = status;
	if (device->medium.store)
		lf_device_close_store(device, &device->medium, refused);
	else
		lf_device_close_handles(device, refused);
}

static void refuse_for_want_of_threads(struct lf_device *device)
{
	lf_message_set(&device->work.message, "memory is short: try again");
	refuse(device, LF_CONTROL_FAILED);
}

/* ---- The unit ---- */

static enum lf_error add_unit(struct lf_device *device, struct lf_message *message)
{
	const struct lf_devices_options *options = &device->devices->options;
	const struct lf_control_connect *request = &device->arrival->request;
	const struct lf_store_info *info = &device->medium.info;
	struct lf_lu_options lu_options = {
		.type = device->type,
		.target = request->target,
		.lun = request->lun == UINT32_MAX ? LF_LUN_ANY : request->lun,
		.vendor = request->vendor.length ? request->vendor.bytes : NULL,
		.product = request->product.length ? request->product.bytes : NULL,
		.serial = device->identity.serial,
		.identifier = device->identity.identifier,
		.read_only = device->medium.read_only,
		.removable = device->removable,
		.write_cache_off = (request->flags & LF_CONTROL_WRITE_CACHE_OFF) != 0,
		.can_save = device->saves,
		.saved = device->arrival->saved,
		.saved_length = device->arrival->saved_length,
	};

	if (device->type == LF_LU_DISK)
		device->rotation = request->rotation ? request->rotation : info->rotational ? 0 : 1;
	lu_options.rotation = device->rotation;
	return lf_lu_add(options->adapter, &lu_options, device->medium.store ? options->store_ops : NULL,
		device->medium.store, info, &device->lu, message);
}

/* Numbers ascend and are not given again before 2^32 others were. */
static void arrived(struct lf_device *device)
{
	struct lf_device_waiter *waiter = lf_device_take_waiter(&device->arrival->waiter);
	struct lf_devices *devices = device->devices;
	const struct lf_control_edge *edge = &devices->options.edge;

	lf_free(device->arrival->saved);
	lf_free(device->arrival);
	device->arrival = NULL;
	devices->arrivals--;
	device->target = lf_lu_target(device->lu);
	device->lun = lf_lu_lun(device->lu);
	device->number = ++devices->last_number;
	lf_list_remove(&device->link);
	lf_list_append(&devices->list, &device->link);
	devices->count++;
	if (edge->arrived)
		edge->arrived(edge->context, device->target, device->lun);
	lf_device_begin_watch(device, &device->medium);
	lf_device_describe(device, &devices->record);
	waiter->ended(waiter, &devices->record, LF_CONTROL_OK, &device->work.message);
	lf_devices_end(devices);
}

/* ---- Step by step ---- */

/* Whether anybody wants it still. */
static enum lf_control_status check_wanted(const struct lf_device *device, struct lf_message *message)
{
	if (!device->devices->emptied && device->arrival->waiter)
		return LF_CONTROL_OK;
	lf_message_set(message, "the adapter is stopping");
	return LF_CONTROL_FAILED;
}

static void opened(struct lf_device *device)
{
	struct lf_device_work *work = &device->work;
	enum lf_control_status status = work->status;

	if (status == LF_CONTROL_OK) {
		device->medium = work->medium;
		status = check_wanted(device, &work->message);
	}
	if (status == LF_CONTROL_OK)
		status = lf_control_status_of(add_unit(device, &work->message));
	if (status == LF_CONTROL_OK)
		arrived(device);
	else
		refuse(device, status);
}

/* From here on nobody else gets its file, its name or its serial number. */
static enum lf_control_status take_place(struct lf_device *device, struct lf_message *message)
{
	const struct lf_control_connect *request = &device->arrival->request;
	enum lf_control_status status = check_wanted(device, message);

	device->medium = device->work.medium;
	if (status == LF_CONTROL_OK)
		status = lf_device_check_file(device, &device->medium, message);
	if (status == LF_CONTROL_OK)
		status = choose_name(device, request, message);
	if (status == LF_CONTROL_OK)
		status = identify(device, request, message);
	if (status == LF_CONTROL_OK)
		status = lf_device_check_below(device, &device->medium, message);
	if (status == LF_CONTROL_OK)
		lf_list_append(&device->devices->list, &device->link);
	return status;
}

static void examined(struct lf_device *device)
{
	enum lf_control_status status = device->work.status;

	lf_list_remove(&device->link);
	if (status == LF_CONTROL_OK)
		status = take_place(device, &device->work.message);
	if (status != LF_CONTROL_OK)
		refuse(device, status);
	else if (!lf_device_open(device, opened))
		refuse_for_want_of_threads(device);
}

enum lf_control_status lf_devices_connect(struct lf_devices *devices,
	const struct lf_control_connect *request, const lf_handle handles[LF_CONTROL_HANDLES_MAX],
	struct lf_device_waiter *waiter, struct lf_message *message)
{
	enum lf_control_status status = check_request(devices, request, handles[0], message);
	struct lf_device *device;

	if (status != LF_CONTROL_OK)
		return status;
	if (devices->arrivals >= ARRIVALS_MAX) {
		lf_message_set(message, "too many images are just being opened: try again");
		return LF_CONTROL_BUSY;
	}
	device = devices->emptied ? NULL : make_device(devices);
	if (!device) {
		lf_message_set(message, devices->emptied ? "the adapter is stopping" : "out of memory");
		return LF_CONTROL_FAILED;
	}
	take_request(device, request, handles);
	lf_device_put_waiter(&device->arrival->waiter, waiter);
	devices->arrivals++;
	lf_devices_remain(devices);
	lf_list_append(&devices->examined, &device->link);
	if (!lf_device_examine(device, examined))
		refuse_for_want_of_threads(device);
	return LF_CONTROL_OK;
}

/* ---- Here and now ---- */

struct at_once {
	struct lf_device_waiter waiter;
	struct lf_message *message;
	enum lf_control_status status;
};

static void note_end(struct lf_device_waiter *waiter, const struct lf_control_device *is,
	enum lf_control_status status, const struct lf_message *message)
{
	struct at_once *at_once = lf_container(waiter, struct at_once, waiter);

	(void)is;
	at_once->status = status;
	*at_once->message = *message;
}

enum lf_control_status lf_devices_connect_now(struct lf_devices *devices,
	const struct lf_control_connect *request, const lf_handle handles[LF_CONTROL_HANDLES_MAX],
	struct lf_message *message)
{
	struct at_once at_once = {.waiter.ended = note_end, .message = message};
	enum lf_control_status status;

	devices->in_place = true;
	status = lf_devices_connect(devices, request, handles, &at_once.waiter, message);
	if (status == LF_CONTROL_OK)
		status = at_once.status;
	else
		status = lf_devices_refuse(devices, handles, NULL, status, message);
	devices->in_place = false;
	return status;
}
