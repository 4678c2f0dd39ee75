/* SPDX-License-Identifier: BSD-2-Clause */
/* host_calls.c: what the driver calls of Storport: notifications, extended functions, service IRPs. */
#include <stdarg.h>
#include <string.h>

#include "tests/storport/native/host_parts.h"

void StorPortNotification(enum host_notification type, void *extension, ...);
ULONG StorPortExtendedFunction(enum host_extended_function code, void *extension, ...);

void StorPortNotification(enum host_notification type, void *extension, ...)
{
	struct host *host = host_of(extension);
	host_hw_passive_initialize *routine;
	va_list values;

	if (type !=
		HOST_NOTIFY_ENABLE_PASSIVE_INITIALIZATION) /* HwInitialize's, at the level of an interrupt */
		lf_fake_need_irql("StorPortNotification", DISPATCH_LEVEL);
	va_start(values, extension);
	switch (type) {
	case HOST_NOTIFY_REQUEST_COMPLETE:
		host_completed(host, va_arg(values, void *));
		break;
	case HOST_NOTIFY_BUS_CHANGE_DETECTED:
		host_bus_changed(host, va_arg(values, ULONG));
		break;
	case HOST_NOTIFY_ENABLE_PASSIVE_INITIALIZATION:
		routine = va_arg(values, host_hw_passive_initialize *);
		host_ask_passive(host, routine, va_arg(values, LONG *));
		break;
	default:
		lf_fake_broken("StorPortNotification(%x) is nothing for a virtual adapter", type);
	}
	va_end(values);
}

ULONG StorPortExtendedFunction(enum host_extended_function code, void *extension, ...)
{
	struct host *host = host_of(extension);
	ULONG result = HOST_STOR_NOT_IMPLEMENTED;
	va_list values;
	void *first;

	lf_fake_need_irql("StorPortExtendedFunction", DISPATCH_LEVEL);
	va_start(values, extension);
	switch (code) {
	case HOST_EX_GET_SYSTEM_ADDRESS:
		first = va_arg(values, void *);
		result = host_system_address(host, first, va_arg(values, void **));
		break;
	case HOST_EX_GET_ORIGINAL_MDL:
		first = va_arg(values, void *);
		result = host_original_mdl(host, first, va_arg(values, MDL **));
		break;
	case HOST_EX_COMPLETE_SERVICE_IRP:
		result = host_service_completed(host, va_arg(values, IRP *));
		break;
	case HOST_EX_SET_ADAPTER_BUS_TYPE:
		lf_fake_need_irql("SetAdapterBusType", PASSIVE_LEVEL);
		result = HOST_STOR_SUCCESS;
		break;
	default:
		break;
	}
	va_end(values);
	return result;
}

/* ---- Service IRPs ---- */

void host_service_begin(struct host *host, struct host_service *service)
{
	ULONG code = service->code == 0 ? HOST_IOCTL_SERVICE : service->code;

	service->host = host;
	service->ended = false;
	service->irp = lf_fake_irp_make(code, service->in, service->in_length, service->out_length,
		service->kernel_mode ? KernelMode : UserMode);
	host_lock(host);
	service->next = host->services;
	host->services = service;
	host_unlock(host);
	host_registered.HwProcessServiceRequest(host->extension, service->irp);
}

ULONG host_service_completed(struct host *host, IRP *irp)
{
	struct host_service **at, *service;
	bool lingers;

	host_lock(host);
	at = &host->services;
	while (*at != NULL && (*at)->irp != irp)
		at = &(*at)->next;
	service = *at;
	if (service != NULL)
		*at = service->next;
	host_unlock(host);
	if (service == NULL)
		lf_fake_broken("a service IRP was completed that does not pend");
	service->status = irp->IoStatus.Status;
	service->information = irp->IoStatus.Information;
	if (__atomic_load_n(&irp->CancelRoutine, __ATOMIC_ACQUIRE) != NULL)
		lf_fake_broken("a service IRP was completed that can still be cancelled");
	if (service->information > service->out_length)
		lf_fake_broken("a reply of %zu bytes in room for %u", (size_t)service->information,
			service->out_length);
	if (service->information > 0)
		memcpy(service->out, irp->AssociatedIrp.SystemBuffer, service->information);
	lf_fake_irp_complete(irp);
	host_lock(host);
	lingers = service->lingers;
	service->ended = true;
	host->late_has_ended = host->late_has_ended || lingers;
	pthread_cond_broadcast(&host->changed);
	if (lingers)
		host_stay(host);
	host_unlock(host);
	return HOST_STOR_SUCCESS;
}

void host_service_cancel(struct host_service *service)
{
	IoCancelIrp(service->irp);
}

void host_service_wait(struct host_service *service)
{
	struct host *host = service->host;

	host_lock(host);
	while (!service->ended)
		host_sleep_locked(host, "a service IRP to end");
	host_unlock(host);
	lf_fake_irp_free(service->irp);
	service->irp = NULL;
}

bool host_service_has_ended(struct host_service *service)
{
	bool ended;

	host_lock(service->host);
	ended = service->ended;
	host_unlock(service->host);
	return ended;
}

void host_service(struct host *host, struct host_service *service)
{
	host_service_begin(host, service);
	host_service_wait(service);
}

/* ---- One that comes late ---- */

void host_service_late(struct host *host, struct host_service *service)
{
	service->lingers = true;
	host->late = service;
}

static void *ask_late(void *context)
{
	struct host *host = context;

	host_service_begin(host, host->late);
	return NULL;
}

void host_late_ask(struct host *host)
{
	if (host->late == NULL)
		return;
	if (pthread_create(&host->late_asker, NULL, ask_late, host) != 0)
		lf_fake_broken("no thread");
	host_lock(host);
	while (!host->late_has_ended)
		host_sleep_locked(host, "a service IRP that comes late to end");
	host_unlock(host);
}

void host_late_join(struct host *host)
{
	if (host->late == NULL)
		return;
	pthread_join(host->late_asker, NULL);
	lf_fake_irp_free(host->late->irp);
}
