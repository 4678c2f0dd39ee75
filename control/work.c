/* SPDX-License-Identifier: BSD-2-Clause */
/* work.c: what may wait for the host: an image is examined, opened, resized, closed, and its state file too.
 */
#include "control/device.h"
#include "control/state.h"

/* Closings for requests that were refused: more than a server lets clients have outstanding. */
#define REFUSALS_MAX 64
/* And for sockets with requests in them that it has not even taken in, likewise. */
#define CLOSINGS_MAX (2 * REFUSALS_MAX)

/* ---- Errands ---- */

static struct lf_device *device_of(struct lf_errand *errand)
{
	return lf_container(errand, struct lf_device, work.errand);
}

static void ended(struct lf_errand *errand)
{
	struct lf_device *device = device_of(errand);
	struct lf_device_medium *closed = device->work.closing;

	if (closed) {
		device->work.closing = NULL;
		closed->store = NULL;
		lf_device_end_watch(closed);
	}
	device->work.then(device);
}

static void prepare(struct lf_device *device, void (*run)(struct lf_errand *errand),
	void (*then)(struct lf_device *device))
{
	device->work.errand.run = run;
	device->work.errand.done = ended;
	device->work.then = then;
}

static void here_and_now(struct lf_errand *errand)
{
	errand->run(errand);
	errand->done(errand);
}

/* Where it can be refused. */
static bool begin(struct lf_device *device, void (*run)(struct lf_errand *errand),
	void (*then)(struct lf_device *device))
{
	struct lf_device_work *work = &device->work;

	prepare(device, run, then);
	work->status = LF_CONTROL_OK;
	work->message.text[0] = '\0';
	if (device->devices->in_place) {
		here_and_now(&work->errand);
		return true;
	}
	return lf_errand_begin(&work->errand, device->devices->options.loop) == LF_OK;
}

/* Where it cannot: what is closed. Status and message stay as they are. */
static void insist(struct lf_device *device, void (*run)(struct lf_errand *errand),
	void (*then)(struct lf_device *device))
{
	prepare(device, run, then);
	if (device->devices->in_place)
		here_and_now(&device->work.errand);
	else
		lf_errand_insist(&device->work.errand, device->devices->options.loop);
}

static void close_handles(const lf_handle handles[LF_CONTROL_HANDLES_MAX])
{
	for (uint32_t i = 0; i < LF_CONTROL_HANDLES_MAX; i++) {
		if (handles[i] != LF_HANDLE_NONE)
			lf_handle_close(handles[i]);
	}
}

static void forget_handles(struct lf_device_work *work)
{
	for (uint32_t i = 0; i < LF_CONTROL_HANDLES_MAX; i++)
		work->handles[i] = LF_HANDLE_NONE;
}

/* ---- Which file it is ---- */

static void examine(struct lf_errand *errand)
{
	struct lf_device *device = device_of(errand);
	const struct lf_devices_options *options = &device->devices->options;
	struct lf_device_work *work = &device->work;
	struct lf_device_medium *medium = &work->medium;

	if (work->handles[0] == LF_HANDLE_NONE)
		return;
	work->status = lf_system_identify(work->handles[0], medium->read_only, &medium->file, &work->message);
	if (work->status == LF_CONTROL_OK && options->below)
		medium->below_count = options->below(work->handles[0], medium->below, LF_BELOW_MAX);
}

bool lf_device_examine(struct lf_device *device, void (*then)(struct lf_device *device))
{
	return begin(device, examine, then);
}

/* ---- The state file ---- */

static void warn_of_state(const struct lf_device *device, const char *why)
{
	lf_log(LF_LOG_WARNING, "%s: its state file: %s: reservations and saved mode pages begin anew",
		device->work.medium.path, why);
}

/* A unit whose medium comes and goes has none: it goes with the store. LF_HANDLE_NONE: it is not used. */
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

/* Only what arrives has one. */
static void load_state(struct lf_device *device)
{
	struct lf_device_arrival *arrival = device->arrival;
	struct lf_message message;

	if (!device->saves)
		return;
	arrival->saved = lf_control_state_load(device->state_handle, &arrival->saved_length, &message);
	if (!arrival->saved && message.text[0])
		warn_of_state(device, message.text);
}

/* Before its handle is closed. */
static void leave_state(const struct lf_device *device)
{
	if (device->saves)
		lf_control_state_leave(device->state_handle);
}

/* ---- The store ---- */

static enum lf_control_status open_store(struct lf_device *device)
{
	const struct lf_devices_options *options = &device->devices->options;
	struct lf_device_work *work = &device->work;
	struct lf_device_medium *medium = &work->medium;
	struct lf_source source = {
		.path = medium->path,
		.handle = work->handles[0],
		.state_handle = work->handles[1],
		.block_size = device->block_size,
		.physical_block_size = device->physical_block_size,
		.block_count_max = device->type == LF_LU_CDROM ? LF_CDROM_BLOCKS_MAX : 0,
		.read_only = medium->read_only,
		.no_unmap = device->no_unmap,
	};
	enum lf_error error;

	if (options->watch) {
		medium->watch = lf_alloc(sizeof(*medium->watch));
		if (!medium->watch) {
			lf_message_set(&work->message, "out of memory");
			return LF_CONTROL_FAILED;
		}
	}
	error = options->store_ops->open(&source, &medium->store, &medium->info, &work->message);
	lf_device_drop_path(&work->message, medium->path);
	medium->since_ns = lf_time_ns();
	if (error != LF_OK) {
		lf_free(medium->watch);
		medium->watch = NULL;
		medium->store = NULL;
		return lf_control_status_of(error);
	}
	medium->read_only = medium->read_only || medium->info.read_only;
	forget_handles(work);
	return LF_CONTROL_OK;
}

static void open_image(struct lf_errand *errand)
{
	struct lf_device *device = device_of(errand);
	struct lf_device_work *work = &device->work;

	work->handles[1] = take_state(device, work->handles[1]);
	if (work->handles[0] == LF_HANDLE_NONE)
		lf_device_set_empty(device, &work->medium);
	else
		work->status = open_store(device);
	if (work->status == LF_CONTROL_OK)
		load_state(device);
}

bool lf_device_open(struct lf_device *device, void (*then)(struct lf_device *device))
{
	return begin(device, open_image, then);
}

static void resize_store(struct lf_errand *errand)
{
	struct lf_device *device = device_of(errand);
	struct lf_device_work *work = &device->work;
	const struct lf_device_medium *medium = &device->medium;

	work->status = lf_control_status_of(device->devices->options.resize(medium->store, work->size_bytes,
		medium->info.block_size, &work->block_count, &work->message));
	lf_device_drop_path(&work->message, medium->path);
}

bool lf_device_resize_store(
	struct lf_device *device, uint64_t size_bytes, void (*then)(struct lf_device *device))
{
	device->work.size_bytes = size_bytes;
	device->work.block_count = 0;
	return begin(device, resize_store, then);
}

/* ---- Closing ---- */

static void close_image(struct lf_errand *errand)
{
	struct lf_device *device = device_of(errand);

	if (device->work.handles[1] != LF_HANDLE_NONE)
		leave_state(device);
	close_handles(device->work.handles);
	forget_handles(&device->work);
}

void lf_device_close_handles(struct lf_device *device, void (*then)(struct lf_device *device))
{
	insist(device, close_image, then);
}

static void close_store(struct lf_errand *errand)
{
	struct lf_device *device = device_of(errand);

	leave_state(device);
	device->devices->options.store_ops->close(device->work.closing->store);
}

void lf_device_close_store(
	struct lf_device *device, struct lf_device_medium *medium, void (*then)(struct lf_device *device))
{
	device->work.closing = medium;
	insist(device, close_store, then);
}

/* ---- What came with a request that is refused ---- */

struct refusal {
	struct lf_errand errand;
	struct lf_devices *devices;
	lf_handle handles[LF_CONTROL_HANDLES_MAX];
	struct lf_device_waiter *waiter; /* NULL: nobody waits any more */
	enum lf_control_status status;
	struct lf_message message;
};

static struct refusal *refusal_of(struct lf_errand *errand)
{
	return lf_container(errand, struct refusal, errand);
}

static void close_refused(struct lf_errand *errand)
{
	close_handles(refusal_of(errand)->handles);
}

static void refused(struct lf_errand *errand)
{
	struct refusal *refusal = refusal_of(errand);
	struct lf_devices *devices = refusal->devices;
	struct lf_device_waiter *waiter = lf_device_take_waiter(&refusal->waiter);

	if (waiter)
		waiter->ended(waiter, NULL, refusal->status, &refusal->message);
	lf_free(refusal);
	devices->refusals--;
	lf_devices_end(devices);
}

bool lf_devices_may_refuse(const struct lf_devices *devices)
{
	return devices->refusals + LF_CONTROL_HANDLES_MAX <= REFUSALS_MAX;
}

enum lf_control_status lf_devices_refuse(struct lf_devices *devices,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX], struct lf_device_waiter *waiter,
	enum lf_control_status status, const struct lf_message *message)
{
	struct refusal *refusal = NULL;

	if (handles[0] == LF_HANDLE_NONE && handles[1] == LF_HANDLE_NONE)
		return status;
	if (!devices->emptied && !devices->in_place && devices->refusals < CLOSINGS_MAX)
		refusal = lf_alloc(sizeof(*refusal));
	if (!refusal) {
		close_handles(handles);
		return status;
	}
	devices->refusals++;
	lf_devices_remain(devices);
	refusal->devices = devices;
	memcpy(refusal->handles, handles, sizeof(refusal->handles));
	refusal->status = status;
	refusal->message = *message;
	lf_device_put_waiter(&refusal->waiter, waiter);
	refusal->errand.run = close_refused;
	refusal->errand.done = refused;
	lf_errand_insist(&refusal->errand, devices->options.loop);
	return LF_CONTROL_OK;
}
