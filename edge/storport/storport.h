/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storport.h: the upper edge of the driver: what stands behind it, and what it is told. DriverEntry is the
 * program's (programs/driver/driver.c), which calls lf_storport_register.
 */
#ifndef LF_STORPORT_H
#define LF_STORPORT_H

#include "core/adapter.h"
#include "platform/nt.h"

#define LF_STORPORT_LUNS 255u /* of a target: the most that Storport has addresses for */

struct lf_storport; /* one adapter: it lives in its device extension */

/* What the driver puts behind the edge. */
struct lf_storport_backend {
	/*
	 * HwFindAdapter, PASSIVE_LEVEL: the adapter is made, and nobody uses it yet. context goes to all the
	 * others. Not LF_OK: the adapter does not start, and stop is not called.
	 */
	enum lf_error (*start)(struct lf_storport *storport, struct lf_adapter *adapter, void **context);
	/* HwFreeAdapterResources, PASSIVE_LEVEL, with nobody in any of the others: every unit is freed and
	 * every thread joined when it returns. */
	void (*stop)(void *context);
	/* HwProcessServiceRequest, PASSIVE_LEVEL, in the thread of whoever asks: the IRP is the backend's
	 * until lf_storport_complete. */
	void (*service)(void *context, IRP *irp);
	/* HwCompleteServiceIrp, PASSIVE_LEVEL: the adapter goes; IRPs that pend are completed before it
	 * returns. */
	void (*service_stop)(void *context);
	/* The machine goes to sleep, PASSIVE_LEVEL, by several threads at once: what was written before is
	 * stable when it returns, or took too long. */
	void (*sleep)(void *context);
	/* The driver is unloaded, PASSIVE_LEVEL: every adapter was stopped. */
	void (*unload)(void);
	/* The device interface by which programs find the adapter: its class. */
	GUID interface_class;
};

/* DriverEntry's work: registers with Storport as a virtual miniport. Once. */
NTSTATUS lf_storport_register(
	DRIVER_OBJECT *driver, UNICODE_STRING *registry_path, const struct lf_storport_backend *backend);

/* How many targets there are: a parameter of the service says. */
uint32_t lf_storport_target_count(const struct lf_storport *storport);

/* A service IRP is done: Irp->IoStatus is set. Any thread, PASSIVE_LEVEL. */
void lf_storport_complete(struct lf_storport *storport, IRP *irp);

/* A unit came to this address; Storport is told to look. PASSIVE_LEVEL. */
void lf_storport_arrive(struct lf_storport *storport, uint32_t target, uint32_t lun);
/*
 * It goes: the address answers as missing from now on, and gone comes when that was reported, nothing is
 * outstanding, and Storport has let go of the unit (or never had it). PASSIVE_LEVEL.
 */
void lf_storport_depart(struct lf_storport *storport, struct lf_departure *departure);

#endif
