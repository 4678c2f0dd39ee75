/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * driver.c: lungfish.sys: DriverEntry, and what stands behind each adapter: a loop on a thread of its own,
 * the table of devices on it, and the service requests that reach it.
 */
#include "control/handler.h"
#include "control/interface_nt.h"
#include "control/ioctl_nt.h"
#include "edge/storport/storport.h"
#include "programs/version.h"
#include "store/driver_nt.h"
#include "store/store.h"
#include "trace/sink_nt.h"

/* What is behind one adapter. */
struct lf_driver {
	struct lf_storport *storport;
	struct lf_loop *loop;
	struct lf_nt_thread thread; /* runs the loop */
	struct lf_devices *devices;
	struct lf_handler handler;
	struct lf_ioctl *ioctl;
	bool refuses; /* ioctl was stopped; Storport's Plug and Play thread */
	struct lf_post stop;
};

/* ---- What control asks of the edge: on the loop, PASSIVE_LEVEL ---- */

static void arrived(void *context, uint32_t target, uint32_t lun)
{
	struct lf_driver *driver = context;

	lf_storport_arrive(driver->storport, target, lun);
}

static void depart(void *context, struct lf_departure *departure)
{
	struct lf_driver *driver = context;

	lf_storport_depart(driver->storport, departure);
}

/* ---- Service requests ---- */

static void complete(void *context, IRP *irp)
{
	struct lf_driver *driver = context;

	lf_storport_complete(driver->storport, irp);
}

static void service(void *context, IRP *irp)
{
	struct lf_driver *driver = context;

	lf_ioctl_serve(driver->ioctl, irp);
}

/* Once: when Storport says so, or, when it has not, before the rest stops. */
static void service_stop(void *context)
{
	struct lf_driver *driver = context;

	if (driver->refuses)
		return;
	driver->refuses = true;
	lf_ioctl_stop(driver->ioctl);
}

/* ---- Start ---- */

static void run_loop(void *context)
{
	struct lf_driver *driver = context;

	lf_loop_run(driver->loop);
}

static bool make_devices(struct lf_driver *driver, struct lf_adapter *adapter)
{
	struct lf_devices_options options = {
		.adapter = adapter,
		.loop = driver->loop,
		.target_count = lf_storport_target_count(driver->storport),
		.lun_count = LF_STORPORT_LUNS,
		.store_ops = &lf_store_file_ops,
		.resize = lf_store_file_resize,
		.has_failed = lf_store_file_has_failed,
		.watch = lf_store_file_watch,
		.below = lf_store_file_below,
		.edge = {.context = driver, .arrived = arrived, .depart = depart},
	};
	struct lf_handler_options handler = {
		.adapter = adapter,
		.loop = driver->loop,
		.release = LF_RELEASE,
		.engine = "threads",
		.loop_count = 1,
	};

	driver->devices = lf_devices_create(&options);
	if (driver->devices == NULL)
		return false;
	handler.devices = driver->devices;
	lf_handler_init(&driver->handler, &handler);
	return true;
}

static void destroy_devices(struct lf_driver *driver)
{
	lf_handler_fini(&driver->handler);
	lf_devices_destroy(driver->devices);
}

static bool make_ioctl(struct lf_driver *driver)
{
	struct lf_ioctl_options options = {
		.handler = &driver->handler, .loop = driver->loop, .complete = complete, .context = driver};

	driver->ioctl = lf_ioctl_open(&options);
	return driver->ioctl != NULL;
}

static bool start_loop(struct lf_driver *driver)
{
	driver->thread.run = run_loop;
	driver->thread.context = driver;
	return lf_nt_thread_start(&driver->thread) == LF_OK;
}

/* What was made before a step that fails is taken down again by the steps below it. */
static bool start_driver(struct lf_driver *driver, struct lf_adapter *adapter)
{
	struct lf_message message;

	driver->loop = lf_loop_create(0, false, &message);
	if (driver->loop == NULL)
		return false;
	if (!make_devices(driver, adapter))
		goto no_devices;
	if (!start_loop(driver))
		goto no_thread;
	if (make_ioctl(driver))
		return true;
	lf_loop_stop(driver->loop);
	lf_nt_thread_join(&driver->thread);
no_thread:
	destroy_devices(driver);
no_devices:
	lf_loop_destroy(driver->loop);
	return false;
}

static enum lf_error start(struct lf_storport *storport, struct lf_adapter *adapter, void **context)
{
	struct lf_driver *driver = lf_alloc(sizeof(*driver));

	if (driver == NULL)
		return LF_E_NO_MEMORY;
	driver->storport = storport;
	if (!start_driver(driver, adapter)) {
		lf_free(driver);
		return LF_E_NO_MEMORY;
	}
	*context = driver;
	return LF_OK;
}

/* ---- Stop ---- */

static void emptied(void *context)
{
	struct lf_driver *driver = context;

	lf_loop_stop(driver->loop);
}

static void stop_devices(struct lf_post *post)
{
	struct lf_driver *driver = lf_container(post, struct lf_driver, stop);

	lf_devices_stop(driver->devices, emptied, driver);
}

/* From the top down: nobody asks any more, every device goes, the loop ends, and its thread with it. */
static void stop(void *context)
{
	struct lf_driver *driver = context;

	service_stop(driver);
	driver->stop.run = stop_devices;
	lf_loop_post(driver->loop, &driver->stop);
	lf_nt_thread_join(&driver->thread);
	lf_ioctl_close(driver->ioctl);
	destroy_devices(driver);
	lf_loop_destroy(driver->loop);
	lf_store_file_quiesce();
	lf_free(driver);
}

static void sleep(void *context)
{
	(void)context;
	lf_store_file_flush_all();
}

/* ---- DriverEntry, and what it has begun ---- */

static void unload(void)
{
	lf_trace_nt_stop();
}

static const struct lf_storport_backend backend = {
	.start = start,
	.stop = stop,
	.service = service,
	.service_stop = service_stop,
	.sleep = sleep,
	.unload = unload,
	.interface_class = LF_INTERFACE_GUID,
};

DRIVER_INITIALIZE DriverEntry;

NTSTATUS NTAPI DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *registry_path)
{
	lf_nt_platform_init(registry_path);
	lf_trace_nt_start(registry_path);
	lf_store_file_set_driver(driver);
	NTSTATUS status = lf_storport_register(driver, registry_path, &backend);
	if (!NT_SUCCESS(status))
		unload();
	return status;
}
