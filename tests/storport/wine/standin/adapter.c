/* SPDX-License-Identifier: BSD-2-Clause */
/* adapter.c: what a miniport calls, and an adapter from its start to its end. */
#include "tests/storport/wine/standin/port.h"

#define EXTENSION_TAG 0x65747845 /* "Exte" */

struct host_registration standin_hw;
static struct standin_adapter *the_adapter;

struct standin_adapter *standin_the_adapter(void)
{
	return the_adapter;
}

/* ---- StorPortInitialize ---- */

static void NTAPI unload(DRIVER_OBJECT *driver)
{
	standin_log("port unload");
	if (the_adapter)
		standin_fail("the driver is unloaded and the adapter is there");
	if (standin_hw.HwCleanupTracing)
		standin_hw.HwCleanupTracing(driver);
	standin_control_remove();
	standin_file_system_stop();
	standin_timers_stop();
}

ULONG NTAPI StorPortInitialize(
	void *driver_object, void *registry_path, struct host_registration *hw, void *context);

ULONG NTAPI StorPortInitialize(
	void *driver_object, void *registry_path, struct host_registration *hw, void *context)
{
	DRIVER_OBJECT *driver = driver_object;
	standin_passive("StorPortInitialize");
	if (!driver || !registry_path || context)
		standin_fail("StorPortInitialize of driver %p, path %p, context %p", driver_object,
			registry_path, context);
	standin_judge_registration(hw);
	if (hw->HwInitializationDataSize != sizeof(*hw))
		return (ULONG)STATUS_REVISION_MISMATCH;
	standin_hw = *hw;
	driver->DriverExtension->AddDevice = standin_add_device;
	driver->DriverUnload = unload;
	standin_dispatch_install(driver);
	standin_control_install(driver);
	standin_log("registered, features %x", hw->FeatureSupport);
	if (hw->HwInitializeTracing)
		hw->HwInitializeTracing(driver_object, registry_path);
	return STATUS_SUCCESS;
}

/* ---- StorPortNotification, StorPortExtendedFunction ---- */

static struct standin_adapter *adapter_of(void *extension)
{
	struct standin_adapter *adapter = the_adapter;
	if (adapter && adapter->extension == extension)
		return adapter;
	standin_fail("device extension %p is nobody's", extension);
	return NULL;
}

void StorPortNotification(ULONG type, void *extension, ...);

void StorPortNotification(ULONG type, void *extension, ...)
{
	struct standin_adapter *adapter = adapter_of(extension);
	va_list arguments;
	if (!adapter)
		return;
	va_start(arguments, extension);
	switch (type) {
	case HOST_NOTIFY_REQUEST_COMPLETE:
		standin_request_completed(adapter, va_arg(arguments, void *));
		break;
	case HOST_NOTIFY_BUS_CHANGE_DETECTED:
		standin_at_most_dispatch("StorPortNotification(BusChangeDetected)");
		if (va_arg(arguments, ULONG))
			standin_fail("a change is reported of a bus that is not there");
		standin_unlocked("StorPortNotification(BusChangeDetected)");
		InterlockedIncrement(&adapter->bus_changes);
		KeSetEvent(&adapter->rescan, 0, FALSE);
		break;
	case HOST_NOTIFY_ENABLE_PASSIVE_INITIALIZATION:
		if (standin_irql() != STANDIN_DIRQL)
			standin_fail("a passive initialization is asked for outside HwInitialize");
		adapter->passive_initialize = va_arg(arguments, host_hw_passive_initialize *);
		break;
	default:
		standin_fail("StorPortNotification %x", type);
	}
	va_end(arguments);
}

static ULONG system_address(struct standin_adapter *adapter, void *srb, void **address)
{
	standin_at_most_dispatch("StorPortGetSystemAddress");
	struct standin_request *request = standin_request_of(adapter, srb);
	*address = NULL;
	if (!request) {
		standin_fail("the address is asked of an SRB that is not outstanding");
		return HOST_STOR_INVALID_PARAMETER;
	}
	if (!request->maps_data || !request->length)
		return HOST_STOR_INVALID_DEVICE_REQUEST;
	if (standin_switch(SWITCH_NO_ADDRESS) > 0) {
		standin_switch_hit(SWITCH_NO_ADDRESS);
		return HOST_STOR_INSUFFICIENT_RESOURCES;
	}
	*address = request->data;
	return HOST_STOR_SUCCESS;
}

static ULONG original_mdl(struct standin_adapter *adapter, void *srb, void **mdl)
{
	standin_at_most_dispatch("StorPortGetOriginalMdl");
	struct standin_request *request = standin_request_of(adapter, srb);
	*mdl = NULL;
	if (!request) {
		standin_fail("the MDL is asked of an SRB that is not outstanding");
		return HOST_STOR_INVALID_PARAMETER;
	}
	*mdl = request->length ? request->mdl : NULL;
	return HOST_STOR_SUCCESS;
}

void standin_service_begins(struct standin_adapter *adapter, IRP *irp)
{
	bool kept = false;
	standin_lock(&adapter->lock);
	for (int i = 0; i < STANDIN_SERVICES_MAX && !kept; i++) {
		if (adapter->services[i])
			continue;
		adapter->services[i] = irp;
		kept = true;
	}
	adapter->service_irps++;
	standin_unlock(&adapter->lock);
	if (!kept)
		standin_fail("more than %d service IRPs pend", STANDIN_SERVICES_MAX);
}

/* False: it is not pending here. */
static bool service_ends(struct standin_adapter *adapter, const IRP *irp)
{
	bool found = false;
	standin_lock(&adapter->lock);
	for (int i = 0; i < STANDIN_SERVICES_MAX && !found; i++) {
		if (adapter->services[i] != irp)
			continue;
		adapter->services[i] = NULL;
		adapter->service_irps--;
		found = true;
	}
	standin_unlock(&adapter->lock);
	return found;
}

static ULONG complete_service(struct standin_adapter *adapter, IRP *irp)
{
	standin_at_most_dispatch("StorPortCompleteServiceIrp");
	standin_unlocked("StorPortCompleteServiceIrp");
	if (!service_ends(adapter, irp)) {
		standin_fail("a service IRP is completed that does not pend, or twice");
		return HOST_STOR_INVALID_PARAMETER;
	}
	const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	ULONG room = stack->Parameters.DeviceIoControl.OutputBufferLength;
	if (irp->CancelRoutine)
		standin_fail("a service IRP is completed that can still be cancelled");
	if (irp->IoStatus.Status == STATUS_PENDING ||
		(NT_SUCCESS(irp->IoStatus.Status) && irp->IoStatus.Information > room))
		standin_fail("a service IRP ends with %08x, %u bytes of %u", (ULONG)irp->IoStatus.Status,
			(ULONG)irp->IoStatus.Information, room);
	IoCompleteRequest(irp, IO_NO_INCREMENT);
	return HOST_STOR_SUCCESS;
}

ULONG StorPortExtendedFunction(ULONG function, void *extension, ...);

ULONG StorPortExtendedFunction(ULONG function, void *extension, ...)
{
	struct standin_adapter *adapter = adapter_of(extension);
	ULONG result = HOST_STOR_NOT_IMPLEMENTED;
	va_list arguments;
	if (!adapter)
		return HOST_STOR_INVALID_PARAMETER;
	va_start(arguments, extension);
	void *first = va_arg(arguments, void *);
	switch (function) {
	case HOST_EX_GET_SYSTEM_ADDRESS:
		result = system_address(adapter, first, va_arg(arguments, void **));
		break;
	case HOST_EX_GET_ORIGINAL_MDL:
		result = original_mdl(adapter, first, va_arg(arguments, void **));
		break;
	case HOST_EX_SET_ADAPTER_BUS_TYPE:
		standin_log("bus type %u", (ULONG)(ULONG_PTR)first);
		result = HOST_STOR_SUCCESS;
		break;
	case HOST_EX_COMPLETE_SERVICE_IRP:
		result = complete_service(adapter, first);
		break;
	default:
		standin_fail("StorPortExtendedFunction %u", function);
	}
	va_end(arguments);
	return result;
}

/* ---- Start ---- */

static void prepare_config(struct standin_adapter *adapter)
{
	adapter->config = (struct host_config){
		.Length = sizeof(struct host_config),
		.MaximumTransferLength = HOST_UNINITIALIZED,
		.NumberOfPhysicalBreaks = HOST_UNINITIALIZED,
		.ScatterGather = TRUE,
		.Master = TRUE,
		.MapBuffers = adapter->hw.MapBuffers,
		.NeedPhysicalAddresses = TRUE,
		.TaggedQueuing = TRUE,
		.AutoRequestSense = adapter->hw.AutoRequestSense,
		.MultipleRequestPerLu = adapter->hw.MultipleRequestPerLu,
		.MaximumNumberOfTargets = 1,
		.SrbType =
			adapter->hw.SrbTypeFlags & HOST_SRB_TYPE_FLAG_EXTENDED ? HOST_SRB_TYPE_EXTENDED : 0,
		.DeviceExtensionSize = adapter->hw.DeviceExtensionSize,
		.SpecificLuExtensionSize = adapter->hw.SpecificLuExtensionSize,
		.SrbExtensionSize = adapter->hw.SrbExtensionSize,
		.Dma64BitAddresses = HOST_DMA64_SYSTEM,
		.MaximumNumberOfLogicalUnits = 1,
		.VirtualDevice = TRUE,
		.MaxNumberOfIO = 1000,
		.MaxIOsPerLun = 255,
		.InitialLunQueueDepth = 250,
	};
}

/* Asks with a list of the length that a port driver of some release has: nothing may be written past it. */
static void ask_controls(struct standin_adapter *adapter, host_hw_unit_control *ask, const char *name,
	BOOLEAN *into, ULONG count)
{
	UCHAR room[sizeof(struct host_control_list) + 64];
	ULONG lengths[] = {2, count};
	for (size_t i = 0; i < ARRAYSIZE(lengths); i++) {
		struct host_control_list *list = (struct host_control_list *)room;
		memset(room, 0, sizeof(room));
		memset(list->SupportedTypeList + lengths[i], 0x5a, 8);
		list->MaxControlType = lengths[i];
		if (ask(adapter->extension, HOST_ADAPTER_QUERY_SUPPORTED, list) != HOST_CONTROL_SUCCESS)
			standin_fail("%s does not say what it supports", name);
		standin_returned(name, PASSIVE_LEVEL);
		for (int j = 0; j < 8; j++)
			if (list->SupportedTypeList[lengths[i] + (ULONG)j] != 0x5a)
				standin_fail("%s wrote past a list of %u", name, lengths[i]);
		memcpy(into, list->SupportedTypeList, lengths[i]);
	}
}

static bool find_adapter(struct standin_adapter *adapter)
{
	BOOLEAN again = FALSE;
	char arguments[] = "";
	ULONG found = adapter->hw.HwFindAdapter(adapter->extension, adapter->pdo, adapter->fdo,
		adapter->lower, arguments, &adapter->config, &again);
	standin_returned("HwFindAdapter", PASSIVE_LEVEL);
	if (found != HOST_FIND_FOUND) {
		standin_log("HwFindAdapter: %u", found);
		return false;
	}
	if (!standin_config_is_good(&adapter->config)) {
		standin_fail("config: STATUS_DEVICE_CONFIGURATION_ERROR");
		return false;
	}
	return true;
}

static bool initialize(struct standin_adapter *adapter)
{
	KIRQL before = standin_irql_set(STANDIN_DIRQL);
	BOOLEAN good = adapter->hw.HwInitialize(adapter->extension);
	standin_returned("HwInitialize", STANDIN_DIRQL);
	standin_irql_set(before);
	if (good && adapter->passive_initialize)
		adapter->passive_initialize(adapter->extension);
	standin_returned("the passive initialization", before);
	return good;
}

/* What belongs to an adapter has gone with it, also when it could not start. */
static void end_extension(struct standin_adapter *adapter)
{
	the_adapter = NULL;
	standin_pool_free(adapter->extension, 0);
	adapter->extension = NULL;
	SIZE_T pool = standin_pool_report(false);
	LONG things = standin_handles() + standin_files() + standin_irps() + standin_mappings() +
		      standin_notifications() + standin_contexts();
	if (pool != adapter->pool_before || things || standin_driver_threads() || standin_timers())
		standin_fail("an adapter that is freed leaves %d bytes of pool, %d objects, %d threads, "
			     "%d timers",
			(int)(pool - adapter->pool_before), things, standin_driver_threads(),
			standin_timers());
}

/* The extension, and what the driver makes in it; or nothing of either. */
static bool begin(struct standin_adapter *adapter)
{
	adapter->pool_before = standin_pool_report(false);
	adapter->extension = standin_pool_allocate(adapter->hw.DeviceExtensionSize, EXTENSION_TAG);
	memset(adapter->extension, 0, adapter->hw.DeviceExtensionSize);
	the_adapter = adapter;
	prepare_config(adapter);
	bool found = find_adapter(adapter);
	if (!found)
		end_extension(adapter);
	return found;
}

/* Each allocation of HwFindAdapter fails in its turn, until there are no more. */
static void begin_short(struct standin_adapter *adapter)
{
	for (LONG number = 1, left = 0; !left; number++) {
		standin_switch_set(SWITCH_FAIL_POOL, number);
		bool found = begin(adapter);
		left = standin_switch(SWITCH_FAIL_POOL);
		standin_switch_set(SWITCH_FAIL_POOL, 0);
		standin_log("short of allocation %d: %s", (int)number, found ? "found" : "refused");
		if (found) {
			adapter->hw.HwFreeAdapterResources(adapter->extension);
			end_extension(adapter);
		} else if (left) {
			standin_fail("HwFindAdapter fails, and nothing has failed it");
		}
	}
}

NTSTATUS standin_adapter_start(struct standin_adapter *adapter)
{
	if (adapter->started)
		return STATUS_SUCCESS;
	adapter->hw = standin_hw;
	standin_log("start");
	if (standin_switch(SWITCH_SHORT_START))
		begin_short(adapter);
	if (!begin(adapter))
		return STATUS_INSUFFICIENT_RESOURCES;
	ask_controls(adapter, adapter->hw.HwAdapterControl, "HwAdapterControl", adapter->adapter_controls,
		HOST_ADAPTER_CONTROLS);
	if (adapter->hw.HwUnitControl)
		ask_controls(adapter, adapter->hw.HwUnitControl, "HwUnitControl", adapter->unit_controls,
			HOST_UNIT_CONTROLS);
	if (!initialize(adapter)) {
		standin_fail("HwInitialize returned FALSE");
		return STATUS_ADAPTER_HARDWARE_ERROR;
	}
	if (adapter->hw.HwTracingEnabled)
		adapter->hw.HwTracingEnabled(adapter->extension, FALSE);
	standin_starters_begin(adapter);
	standin_scanner_begin(adapter);
	adapter->started = true;
	standin_log("started");
	return STATUS_SUCCESS;
}

/* ---- Stop ---- */

void standin_adapter_control(struct standin_adapter *adapter, ULONG control, KIRQL irql)
{
	if (!adapter->adapter_controls[control])
		return;
	KIRQL before = standin_irql_set(irql);
	if (adapter->hw.HwAdapterControl(adapter->extension, control, NULL) != HOST_CONTROL_SUCCESS)
		standin_fail("HwAdapterControl %u is supported, and fails", control);
	standin_returned("HwAdapterControl", irql);
	standin_irql_set(before);
}

void standin_adapter_stop(struct standin_adapter *adapter)
{
	if (!adapter->started)
		return;
	standin_log("stop");
	adapter->started = false;
	standin_scanner_end(adapter);
	if (adapter->hw.HwCompleteServiceIrp)
		adapter->hw.HwCompleteServiceIrp(adapter->extension);
	standin_returned("HwCompleteServiceIrp", PASSIVE_LEVEL);
	if (adapter->service_irps)
		standin_fail(
			"%d service IRPs pend when HwCompleteServiceIrp has returned", adapter->service_irps);
	for (int i = 0; i < 1000 && adapter->outstanding_count; i++)
		standin_sleep_ms(10);
	if (adapter->outstanding_count)
		standin_fail("%d SRBs are outstanding at the end", adapter->outstanding_count);
	standin_starters_end(adapter);
	standin_adapter_control(adapter, HOST_ADAPTER_STOP, DISPATCH_LEVEL);
	adapter->hw.HwFreeAdapterResources(adapter->extension);
	standin_returned("HwFreeAdapterResources", PASSIVE_LEVEL);
	end_extension(adapter);
	standin_log("stopped, %u bytes of pool", (ULONG)standin_pool_report(false));
}
