/* SPDX-License-Identifier: BSD-2-Clause */
/* devices.c: the table, and connecting: image to store to logical unit; departure.c is the way back. */
#include "control/device.h"
#include "control/state.h"

#define CD_BLOCK_BYTES 2048

struct lf_devices *lf_devices_create(const struct lf_devices_options *options)
{
	struct lf_devices *devices = lf_alloc(sizeof(*devices));

	if (!devices)
		return NULL;
	devices->options = *options;
	if (options->target_count == 0)
		devices->options.target_count = 1;
	if (options->lun_count == 0)
		devices->options.lun_count = LF_LUNS_MAX;
	lf_list_init(&devices->list);
	lf_system_machine(devices->machine, sizeof(devices->machine));
	return devices;
}

void lf_devices_destroy(struct lf_devices *devices)
{
	lf_assert(lf_list_empty(&devices->list) && devices->remains == 0);
	lf_free(devices);
}

uint32_t lf_devices_count(const struct lf_devices *devices)
{
	return devices->count;
}

const struct lf_control_edge *lf_devices_edge(const struct lf_devices *devices)
{
	return &devices->options.edge;
}

struct lf_device *lf_devices_next(struct lf_devices *devices, uint32_t after)
{
	lf_list_each(link, next, &devices->list)
	{
		if (lf_device_of(link)->number > after)
			return lf_device_of(link);
	}
	return NULL;
}

struct lf_device *lf_device_next(struct lf_device *device)
{
	struct lf_link *next = device->link.next;

	return next == &device->devices->list ? NULL : lf_device_of(next);
}

/* ---- Connect ---- */

static void close_handles(const lf_handle handles[LF_CONTROL_HANDLES_MAX])
{
	for (uint32_t i = 0; i < LF_CONTROL_HANDLES_MAX; i++) {
		if (handles[i] != LF_HANDLE_NONE)
			lf_handle_close(handles[i]);
	}
}

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

static enum lf_control_status prepare(struct lf_device *device, const struct lf_control_connect *request,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX], struct lf_message *message)
{
	const struct lf_devices_options *options = &device->devices->options;
	enum lf_control_status status =
		lf_naming_check_request(request, options->target_count, options->lun_count, message);

	device->type = (enum lf_lu_type)request->type;
	device->removable = request->type == LF_LU_CDROM || (request->flags & LF_CONTROL_REMOVABLE) != 0;
	device->read_only = request->type == LF_LU_CDROM || (request->flags & LF_CONTROL_READ_ONLY) != 0;
	device->no_unmap = (request->flags & LF_CONTROL_NO_UNMAP) != 0;
	device->block_size = request->type == LF_LU_CDROM ? CD_BLOCK_BYTES : request->block_size;
	device->physical_block_size = request->physical_block_size;
	lf_format(device->medium.path, sizeof(device->medium.path), "%s", request->path.bytes);
	if (status == LF_CONTROL_OK && (handles[0] == LF_HANDLE_NONE) != (request->path.length == 0)) {
		lf_message_set(message, handles[0] == LF_HANDLE_NONE
						? "no descriptor of the image came with the request"
						: "no path of the image came with the request");
		status = LF_CONTROL_INVALID;
	}
	if (status == LF_CONTROL_OK && handles[0] != LF_HANDLE_NONE)
		status =
			lf_device_check_file(device, handles[0], device->read_only, &device->medium, message);
	if (status == LF_CONTROL_OK)
		status = choose_name(device, request, message);
	if (status == LF_CONTROL_OK)
		status = identify(device, request, message);
	if (status == LF_CONTROL_OK && handles[0] != LF_HANDLE_NONE)
		status = lf_device_check_below(device, handles[0], &device->medium, message);
	return status;
}

/* ---- The state file ---- */

static void warn_of_state(const struct lf_device *device, const char *why)
{
	lf_log(LF_LOG_WARNING, "%s: its state file: %s: reservations and saved mode pages begin anew",
		device->medium.path, why);
}

/* A unit whose medium comes and goes has none: it goes with the store. LF_HANDLE_NONE: it is not used.
 */
static lf_handle take_state(struct lf_device *device, lf_handle handle)
{
	struct lf_message message;

	if (handle == LF_HANDLE_NONE)
		return LF_HANDLE_NONE;
	if (!device->removable && lf_control_state_take(handle, &message)) {
		device->saves = true;
		device->state_handle = handle;
		return handle;
	}
	if (!device->removable)
		warn_of_state(device, message.text);
	lf_handle_close(handle);
	return LF_HANDLE_NONE;
}

/* What was saved of the unit. NULL: nothing. Freed by lf_free. */
static void *load_state(struct lf_device *device, lf_handle handle, size_t *length_bytes)
{
	struct lf_message message;
	void *saved = lf_control_state_load(handle, length_bytes, &message);

	if (!saved && message.text[0])
		warn_of_state(device, message.text);
	return saved;
}

static enum lf_error add_unit(struct lf_device *device, const struct lf_control_connect *request,
	lf_handle state_handle, struct lf_message *message)
{
	const struct lf_devices_options *options = &device->devices->options;
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
	};
	void *saved = NULL;
	enum lf_error error;

	if (device->type == LF_LU_DISK)
		device->rotation = request->rotation ? request->rotation : info->rotational ? 0 : 1;
	lu_options.rotation = device->rotation;
	if (device->saves)
		saved = load_state(device, state_handle, &lu_options.saved_length);
	lu_options.saved = saved;
	error = lf_lu_add(options->adapter, &lu_options, device->medium.store ? options->store_ops : NULL,
		device->medium.store, info, &device->lu, message);
	lf_free(saved);
	return error;
}

/* What is asked for becomes a unit. handles are the store's then, and are closed else. */
static enum lf_control_status bring_up(struct lf_device *device, const struct lf_control_connect *request,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX], struct lf_message *message)
{
	enum lf_control_status status = prepare(device, request, handles, message);
	lf_handle own[LF_CONTROL_HANDLES_MAX] = {handles[0], handles[1]};

	if (status == LF_CONTROL_OK)
		own[1] = take_state(device, own[1]);
	if (status == LF_CONTROL_OK && own[0] != LF_HANDLE_NONE)
		status = lf_device_open_store(device, own, &device->medium, message);
	else if (status == LF_CONTROL_OK)
		lf_device_set_empty(device, &device->medium);
	if (status != LF_CONTROL_OK) {
		lf_device_leave_state(device);
		close_handles(own);
		return status;
	}
	status = lf_control_status_of(add_unit(device, request, own[1], message));
	if (status != LF_CONTROL_OK)
		lf_device_close_store(device, &device->medium);
	return status;
}

enum lf_control_status lf_devices_connect(struct lf_devices *devices,
	const struct lf_control_connect *request, const lf_handle handles[LF_CONTROL_HANDLES_MAX],
	struct lf_device **made, struct lf_message *message)
{
	struct lf_device *device = devices->emptied ? NULL : lf_alloc(sizeof(*device));
	bool late = devices->options.edge.depart != NULL;
	enum lf_control_status status;

	if (device && late)
		device->husk = lf_alloc(sizeof(*device->husk));
	if (!device || (late && !device->husk)) {
		lf_free(device);
		lf_message_set(message, devices->emptied ? "the adapter is stopping" : "out of memory");
		close_handles(handles);
		return LF_CONTROL_FAILED;
	}
	device->devices = devices;
	status = bring_up(device, request, handles, message);
	if (status != LF_CONTROL_OK) {
		lf_free(device->husk);
		lf_free(device);
		return status;
	}
	/* Numbers ascend and are not given again before 2^32 others were. */
	device->target = lf_lu_target(device->lu);
	device->lun = lf_lu_lun(device->lu);
	device->number = ++devices->last_number;
	lf_list_init(&device->waiters);
	lf_list_append(&devices->list, &device->link);
	devices->count++;
	if (devices->options.edge.arrived)
		devices->options.edge.arrived(devices->options.edge.context, device->target, device->lun);
	*made = device;
	return LF_CONTROL_OK;
}
