/* SPDX-License-Identifier: BSD-2-Clause */
/* adapter.c: what a miniport calls, and an adapter from its start to its end. */
#include "tests/storport/wine/standin/port.h"

struct host_registration standin_hw;
static struct standin_adapter *the_adapter;

struct standin_adapter *standin_the_adapter(void)
{
	return the_adapter;
}

/* ---- StorPortInitialize ---- */

static void judge_registration(const struct host_registration *hw)
{
	if (hw->HwInitializationDataSize != sizeof(*hw))
		standin_fail("registration: %u bytes", hw->HwInitializationDataSize);
	if (!(hw->FeatureSupport & HOST_FEATURE_VIRTUAL_MINIPORT))
		standin_fail("registration: not virtual, HwFindAdapter would get six arguments");
	if (!hw->HwInitialize || !hw->HwStartIo || !hw->HwFindAdapter || !hw->HwResetBus ||
		!hw->HwAdapterControl || !hw->HwFreeAdapterResources)
		standin_fail("registration: a routine is missing");
	if (hw->HwProcessServiceRequest && !hw->HwCompleteServiceIrp)
		standin_fail("registration: HwCompleteServiceIrp is missing");
	if (hw->HwInitializeTracing && !hw->HwCleanupTracing)
		standin_fail("registration: HwCleanupTracing is missing");
	if (hw->HwInterrupt || hw->HwDmaStarted || hw->HwAdapterState || hw->HwBuildIo ||
		hw->NumberOfAccessRanges)
		standin_fail("registration: what a virtual miniport has not");
	if (!hw->TaggedQueuing || !hw->AutoRequestSense || !hw->MultipleRequestPerLu)
		standin_fail("registration: a flag that must be TRUE");
	if (hw->Reserved || hw->Reserved1)
		standin_fail("registration: a reserved field is used");
	if (!(hw->AddressTypeFlags & HOST_ADDRESS_TYPE_FLAG_BTL8) ||
		!(hw->SrbTypeFlags & HOST_SRB_TYPE_FLAG_EXTENDED))
		standin_fail("registration: address types %u, SRB types %u", hw->AddressTypeFlags,
			hw->SrbTypeFlags);
}

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
	(void)context;
	judge_registration(hw);
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
		InterlockedIncrement(&adapter->bus_changes);
		KeSetEvent(&adapter->rescan, 0, FALSE);
		break;
	case HOST_NOTIFY_ENABLE_PASSIVE_INITIALIZATION:
		adapter->passive_initialize = va_arg(arguments, host_hw_passive_initialize *);
		break;
	default:
		standin_fail("StorPortNotification %x", type);
	}
	va_end(arguments);
}

static ULONG system_address(struct standin_adapter *adapter, void *srb, void **address)
{
	struct standin_request *request = standin_request_of(adapter, srb);
	*address = NULL;
	if (!request) {
		standin_fail("the address is asked of an SRB that is not outstanding");
		return HOST_STOR_INVALID_PARAMETER;
	}
	if (!request->maps_data || !request->length)
		return HOST_STOR_INVALID_DEVICE_REQUEST;
	*address = request->data;
	return HOST_STOR_SUCCESS;
}

static ULONG original_mdl(struct standin_adapter *adapter, void *srb, void **mdl)
{
	struct standin_request *request = standin_request_of(adapter, srb);
	*mdl = NULL;
	if (!request) {
		standin_fail("the MDL is asked of an SRB that is not outstanding");
		return HOST_STOR_INVALID_PARAMETER;
	}
	*mdl = request->length ? request->mdl : NULL;
	return HOST_STOR_SUCCESS;
}

static ULONG complete_service(struct standin_adapter *adapter, IRP *irp)
{
	standin_at_most_dispatch("StorPortCompleteServiceIrp");
	InterlockedDecrement(&adapter->service_irps);
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

static bool config_is_good(const struct host_config *config)
{
	standin_log(
		"config: %u targets, %u LUNs, %u bytes a transfer, map %u, %u and %u requests, SRB type %u",
		config->MaximumNumberOfTargets, config->MaximumNumberOfLogicalUnits,
		config->MaximumTransferLength, config->MapBuffers, config->MaxNumberOfIO,
		config->MaxIOsPerLun, config->SrbType);
	if (config->NumberOfBuses != 1)
		standin_fail("config: %u buses", config->NumberOfBuses);
	if (config->MaximumTransferLength < 1 << 20 || config->MaximumTransferLength >= 32 << 20)
		standin_fail("config: %u bytes a transfer", config->MaximumTransferLength);
	if (config->Length != sizeof(*config) || !config->VirtualDevice)
		standin_fail("config: a field of the port driver's was changed");
	if (config->MaxIOsPerLun > config->MaxNumberOfIO ||
		config->InitialLunQueueDepth > config->MaxIOsPerLun)
		standin_fail("config: depths %u, %u, %u", config->MaxNumberOfIO, config->MaxIOsPerLun,
			config->InitialLunQueueDepth);
	return config->ScatterGather && config->Master && config->NeedPhysicalAddresses &&
	       config->TaggedQueuing;
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
	if (standin_irql() != PASSIVE_LEVEL)
		standin_fail("HwFindAdapter returned at IRQL %u", standin_irql());
	if (found != HOST_FIND_FOUND) {
		standin_log("HwFindAdapter: %u", found);
		return false;
	}
	if (!config_is_good(&adapter->config)) {
		standin_fail("config: STATUS_DEVICE_CONFIGURATION_ERROR");
		return false;
	}
	return true;
}

static bool initialize(struct standin_adapter *adapter)
{
	KIRQL before = standin_irql_set(STANDIN_DIRQL);
	BOOLEAN good = adapter->hw.HwInitialize(adapter->extension);
	if (standin_irql() != STANDIN_DIRQL)
		standin_fail("HwInitialize returned at IRQL %u", standin_irql());
	standin_irql_set(before);
	if (good && adapter->passive_initialize)
		adapter->passive_initialize(adapter->extension);
	return good;
}

NTSTATUS standin_adapter_start(struct standin_adapter *adapter)
{
	if (adapter->started)
		return STATUS_SUCCESS;
	adapter->hw = standin_hw;
	adapter->extension = standin_allocate(adapter->hw.DeviceExtensionSize);
	the_adapter = adapter;
	prepare_config(adapter);
	standin_log("start");
	if (!find_adapter(adapter)) {
		standin_free(adapter->extension);
		adapter->extension = NULL;
		the_adapter = NULL;
		return STATUS_INSUFFICIENT_RESOURCES;
	}
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

void standin_adapter_surprise(struct standin_adapter *adapter)
{
	if (adapter->adapter_controls[HOST_ADAPTER_SURPRISE_REMOVAL])
		adapter->hw.HwAdapterControl(adapter->extension, HOST_ADAPTER_SURPRISE_REMOVAL, NULL);
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
	if (adapter->service_irps)
		standin_fail(
			"%d service IRPs pend when HwCompleteServiceIrp has returned", adapter->service_irps);
	for (int i = 0; i < 1000 && adapter->outstanding_count; i++)
		standin_sleep_ms(10);
	if (adapter->outstanding_count)
		standin_fail("%d SRBs are outstanding at the end", adapter->outstanding_count);
	standin_starters_end(adapter);
	KIRQL before = standin_irql_set(DISPATCH_LEVEL);
	if (adapter->adapter_controls[HOST_ADAPTER_STOP])
		adapter->hw.HwAdapterControl(adapter->extension, HOST_ADAPTER_STOP, NULL);
	standin_irql_set(before);
	adapter->hw.HwFreeAdapterResources(adapter->extension);
	the_adapter = NULL;
	standin_free(adapter->extension);
	adapter->extension = NULL;
	standin_log("stopped, %u bytes of pool", (ULONG)standin_pool_report(false));
}
