/* SPDX-License-Identifier: BSD-2-Clause */
/* host.c: loads the driver, starts an adapter of it as Storport does, and takes it away again. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/storport/native/host_parts.h"

NTSTATUS DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *registry_path);
ULONG StorPortInitialize(void *driver, void *path, struct host_registration *data, void *context);

/* What Storport has in the configuration before a miniport changes it. */
#define LUN_IOS_USUAL     250
#define ADAPTER_IOS_USUAL 1000
#define IOS_MIN           16
#define IOS_MAX           1000
#define LUN_IOS_MAX       255

struct host_registration host_registered;
static DRIVER_OBJECT driver;
static bool is_registered, is_unloaded;
static pthread_mutex_t hosts_lock = PTHREAD_MUTEX_INITIALIZER;
static struct host *hosts;

struct host *host_of(void *extension)
{
	struct host *host;

	pthread_mutex_lock(&hosts_lock);
	host = hosts;
	while (host != NULL && host->extension != extension)
		host = host->next;
	pthread_mutex_unlock(&hosts_lock);
	if (host == NULL)
		lf_fake_broken("no adapter has this device extension");
	return host;
}

void host_sleep_locked(struct host *host, const char *waiting_for)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += HOST_PATIENCE_S;
	if (pthread_cond_timedwait(&host->changed, &host->lock, &until) != 0)
		lf_fake_broken("nothing has happened for %d s, waiting for %s", HOST_PATIENCE_S, waiting_for);
}

/* ---- The driver ---- */

static VOID NTAPI unload(DRIVER_OBJECT *object)
{
	(void)object;
	is_unloaded = true;
}

static NTSTATUS NTAPI dispatch(DEVICE_OBJECT *device, IRP *irp)
{
	(void)device;
	(void)irp;
	return STATUS_NOT_SUPPORTED;
}

static const char *registration_fault(const struct host_registration *data)
{
	if (data->HwInitializationDataSize != sizeof(*data))
		return "HwInitializationDataSize is not that of Windows 8";
	if (!(data->FeatureSupport & HOST_FEATURE_VIRTUAL_MINIPORT))
		return "it is no virtual miniport: HwFindAdapter would be called with six arguments";
	if (data->HwInitialize == NULL || data->HwStartIo == NULL || data->HwFindAdapter == NULL ||
		data->HwResetBus == NULL || data->HwAdapterControl == NULL ||
		data->HwFreeAdapterResources == NULL)
		return "a callback is missing that every virtual miniport has";
	if (data->HwInterrupt != NULL || data->HwDmaStarted != NULL || data->HwAdapterState != NULL ||
		data->HwBuildIo != NULL)
		return "a virtual miniport has no interrupt, no DMA, no HwBuildIo";
	if ((data->HwProcessServiceRequest == NULL) != (data->HwCompleteServiceIrp == NULL))
		return "HwProcessServiceRequest and HwCompleteServiceIrp come together";
	if ((data->HwInitializeTracing == NULL) != (data->HwCleanupTracing == NULL))
		return "HwInitializeTracing and HwCleanupTracing come together";
	if (!data->TaggedQueuing || !data->AutoRequestSense || !data->MultipleRequestPerLu)
		return "TaggedQueuing, AutoRequestSense and MultipleRequestPerLu must be TRUE";
	if (data->NumberOfAccessRanges != 0 || data->AdapterInterfaceType != 0)
		return "there is no hardware: no access ranges, interface type Internal";
	if ((data->SrbTypeFlags & HOST_SRB_TYPE_FLAG_EXTENDED) &&
		data->AddressTypeFlags != HOST_ADDRESS_TYPE_FLAG_BTL8)
		return "extended SRBs have addresses of the BTL8 kind";
	return NULL;
}

ULONG StorPortInitialize(void *object, void *path, struct host_registration *data, void *context)
{
	const char *fault = registration_fault(data);

	(void)path;
	(void)context;
	lf_fake_need_irql("StorPortInitialize", PASSIVE_LEVEL);
	if (fault != NULL)
		lf_fake_broken("StorPortInitialize: %s", fault);
	if (object != &driver || is_registered)
		lf_fake_broken("StorPortInitialize is called once, with the driver's own object");
	is_registered = true;
	host_registered = *data;
	driver.DriverUnload = unload;
	for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		driver.MajorFunction[i] = dispatch;
	return STATUS_SUCCESS;
}

/* The path is the caller's, who frees it when DriverEntry has returned. */
static NTSTATUS call_entry(void)
{
	static const WCHAR text[] = L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\lungfish";
	UNICODE_STRING *path = malloc(sizeof(*path));
	NTSTATUS status;

	if (path == NULL)
		abort();
	path->Length = path->MaximumLength = sizeof(text) - sizeof(text[0]);
	path->Buffer = malloc(path->Length);
	if (path->Buffer == NULL)
		abort();
	memcpy(path->Buffer, text, path->Length);
	status = DriverEntry(&driver, path);
	memset(path->Buffer, HOST_POISON, path->Length);
	free(path->Buffer);
	free(path);
	return status;
}

NTSTATUS host_load(void)
{
	NTSTATUS status;

	memset(&driver, 0, sizeof(driver));
	is_registered = is_unloaded = false;
	status = call_entry();
	if (status < 0)
		return status;
	if (!is_registered)
		lf_fake_broken("DriverEntry has not called StorPortInitialize");
	if (driver.DriverUnload == NULL)
		lf_fake_broken("the driver cannot be unloaded");
	for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		if (driver.MajorFunction[i] != dispatch)
			lf_fake_broken("major function %d is Storport's, and was replaced", i);
	return status;
}

void host_unload(void)
{
	if (hosts != NULL)
		lf_fake_broken("an adapter is still there");
	driver.DriverUnload(&driver);
	if (!is_unloaded)
		lf_fake_broken("DriverUnload did not call Storport's");
	memset(&host_registered, 0, sizeof(host_registered));
}

const struct host_registration *host_registration(void)
{
	return &host_registered;
}

/* ---- An adapter ---- */

static void fill_config(struct host_config *config)
{
	memset(config, 0, sizeof(*config));
	config->Length = sizeof(*config);
	config->MaximumTransferLength = HOST_UNINITIALIZED;
	config->NumberOfPhysicalBreaks = HOST_UNINITIALIZED;
	config->NumberOfBuses = 1;
	memset(config->InitiatorBusId, 0xff, sizeof(config->InitiatorBusId));
	config->ScatterGather = config->Master = TRUE;
	config->MapBuffers = host_registered.MapBuffers;
	config->NeedPhysicalAddresses = TRUE;
	config->TaggedQueuing = config->AutoRequestSense = config->MultipleRequestPerLu = TRUE;
	config->DeviceExtensionSize = host_registered.DeviceExtensionSize;
	config->SpecificLuExtensionSize = host_registered.SpecificLuExtensionSize;
	config->SrbExtensionSize = host_registered.SrbExtensionSize;
	config->MaximumNumberOfTargets = 1;
	config->MaximumNumberOfLogicalUnits = 1;
	config->MaxNumberOfIO = ADAPTER_IOS_USUAL;
	config->MaxIOsPerLun = config->InitialLunQueueDepth = LUN_IOS_USUAL;
}

static ULONG between(ULONG value, ULONG least, ULONG most)
{
	return value < least ? least : value > most ? most : value;
}

/* As Storport judges what comes back, and cuts it. */
static void judge_config(struct host_config *config)
{
	if (!config->ScatterGather || !config->Master || !config->NeedPhysicalAddresses ||
		!config->TaggedQueuing)
		lf_fake_broken("HwFindAdapter took back what Storport wants: code 10");
	if (!config->VirtualDevice || config->SynchronizationModel != HOST_FULL_DUPLEX)
		lf_fake_broken("a virtual device, of full duplex, is meant");
	if (config->MaximumTransferLength == HOST_UNINITIALIZED || config->MaximumTransferLength > 32u << 20)
		lf_fake_broken("MaximumTransferLength is %x", config->MaximumTransferLength);
	if (config->NumberOfBuses != 1 || config->MaximumNumberOfTargets == 0 ||
		config->MaximumNumberOfLogicalUnits == 0)
		lf_fake_broken("a bus without anything on it");
	if (config->MapBuffers != HOST_MAP_NON_READ_WRITE)
		lf_fake_broken("MapBuffers is %u", config->MapBuffers);
	config->MaxNumberOfIO = between(config->MaxNumberOfIO, IOS_MIN,
		config->Dma64BitAddresses >= HOST_DMA64_FULL && config->Dma64BitAddresses <= 4
			? HOST_UNINITIALIZED
			: IOS_MAX);
	config->MaxIOsPerLun = between(config->MaxIOsPerLun, IOS_MIN,
		config->SrbType == HOST_SRB_TYPE_EXTENDED ? config->MaxNumberOfIO : LUN_IOS_MAX);
	if (config->InitialLunQueueDepth > config->MaxIOsPerLun)
		config->InitialLunQueueDepth = config->MaxIOsPerLun;
}

/* What a list of controls says that is shorter than the miniport's own: nothing behind its end is written. */
static void query_controls(struct host *host, bool of_units, ULONG count)
{
	struct host_control_list *list =
		malloc(offsetof(struct host_control_list, SupportedTypeList) + count);
	ULONG result;

	if (list == NULL)
		abort();
	list->MaxControlType = count;
	memset(list->SupportedTypeList, 0, count);
	result = of_units ? host_registered.HwUnitControl(host->extension, HOST_UNIT_QUERY_SUPPORTED, list)
			  : host_adapter_control(host, HOST_ADAPTER_QUERY_SUPPORTED, list);
	if (result != HOST_CONTROL_SUCCESS || list->MaxControlType != count)
		lf_fake_broken("QUERY_SUPPORTED of %s failed", of_units ? "units" : "the adapter");
	for (ULONG i = 0; i < count; i++)
		if (list->SupportedTypeList[i] > 1)
			lf_fake_broken("control %u is supported by %u", i, list->SupportedTypeList[i]);
	free(list);
}

static void forget(struct host *host)
{
	struct host **at = &hosts;

	pthread_mutex_lock(&hosts_lock);
	while (*at != host)
		at = &(*at)->next;
	*at = host->next;
	pthread_mutex_unlock(&hosts_lock);
	memset(host->extension, HOST_POISON, host->config.DeviceExtensionSize);
	free(host->extension);
	free(host->pdo);
	free(host->fdo);
	pthread_cond_destroy(&host->changed);
	pthread_mutex_destroy(&host->lock);
	free(host);
}

static struct host *host_new(void)
{
	struct host *host = calloc(1, sizeof(*host));
	pthread_condattr_t attributes;

	if (host == NULL)
		abort();
	pthread_mutex_init(&host->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* somebody may set the other one */
	pthread_cond_init(&host->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	KeInitializeSpinLock(&host->start_io);
	fill_config(&host->config);
	host->extension = calloc(1, host->config.DeviceExtensionSize);
	host->pdo = calloc(1, sizeof(*host->pdo));
	host->fdo = calloc(1, sizeof(*host->fdo));
	if (host->extension == NULL || host->pdo == NULL || host->fdo == NULL)
		abort();
	host->fdo->DriverObject = &driver;
	pthread_mutex_lock(&hosts_lock);
	host->next = hosts;
	hosts = host;
	pthread_mutex_unlock(&hosts_lock);
	return host;
}

static bool refuses_passive;

void host_grant_passive(bool grants)
{
	refuses_passive = !grants;
}

void host_ask_passive(struct host *host, host_hw_passive_initialize *routine, LONG *granted)
{
	host->passive = refuses_passive ? NULL : routine;
	*granted = !refuses_passive;
}

/* HwInitialize is documented at DIRQL: nothing that needs less may be called. */
static bool initialize(struct host *host)
{
	KIRQL old = lf_fake_irql_raise(LF_FAKE_DIRQL);
	bool good = host_registered.HwInitialize(host->extension);

	lf_fake_irql_lower(old);
	if (good && host->passive != NULL)
		host->passive(host->extension);
	return good;
}

struct host *host_start(ULONG *result)
{
	struct host *host = host_new();
	BOOLEAN again = TRUE;

	*result = host_registered.HwFindAdapter(
		host->extension, host->pdo, host->fdo, host->pdo, NULL, &host->config, &again);
	if (*result != HOST_FIND_FOUND) {
		forget(host);
		return NULL;
	}
	judge_config(&host->config);
	query_controls(host, false, HOST_ADAPTER_CONTROLS);
	query_controls(host, false, HOST_ADAPTER_STOP + 1);
	if (!initialize(host)) {
		*result = HOST_FIND_ERROR;
		host_registered.HwFreeAdapterResources(host->extension);
		forget(host);
		return NULL;
	}
	if (host_registered.HwUnitControl != NULL) {
		query_controls(host, true, HOST_UNIT_CONTROLS);
		query_controls(host, true, HOST_UNIT_USAGE + 1);
	}
	host_scan_start(host);
	return host;
}

void host_stop(struct host *host)
{
	host_drain(host);
	host_scan_stop(host);
	host_adapter_control(host, HOST_ADAPTER_STOP, NULL);
	if (host_registered.HwCompleteServiceIrp != NULL)
		host_registered.HwCompleteServiceIrp(host->extension);
	if (host->services != NULL)
		lf_fake_broken("HwCompleteServiceIrp has left a service IRP behind");
	host_late_ask(host);
	host_lock(host);
	host->is_freed = true;
	host_unlock(host);
	host_registered.HwFreeAdapterResources(host->extension);
	host_lock(host);
	if (host->outstanding != 0)
		lf_fake_broken("%u SRBs were never completed", host->outstanding);
	if (host->lingering != 0)
		lf_fake_broken("HwFreeAdapterResources left a thread behind that comes back from Storport");
	host_unlock(host);
	host_late_join(host);
	lf_fake_range_is_idle(host->extension, host->config.DeviceExtensionSize);
	forget(host);
}

void host_surprise(struct host *host)
{
	host_lock(host);
	host->surprised = true;
	host_unlock(host);
	host_adapter_control(host, HOST_ADAPTER_SURPRISE_REMOVAL, NULL);
}

const struct host_config *host_config(const struct host *host)
{
	return &host->config;
}

/* The highest level that a control may come at. */
ULONG host_adapter_control(struct host *host, ULONG control, void *parameters)
{
	KIRQL old = lf_fake_irql();
	ULONG result;

	if (control == HOST_ADAPTER_STOP || control == HOST_ADAPTER_RESTART)
		(void)lf_fake_irql_raise(LF_FAKE_DIRQL);
	else if (control == HOST_ADAPTER_POWER)
		(void)lf_fake_irql_raise(DISPATCH_LEVEL);
	result = host_registered.HwAdapterControl(host->extension, control, parameters);
	lf_fake_irql_lower(old);
	return result;
}

ULONG host_unit_control(struct host *host, ULONG control, void *parameters)
{
	KIRQL old = lf_fake_irql();
	ULONG result;

	if (control == HOST_UNIT_POWER)
		(void)lf_fake_irql_raise(DISPATCH_LEVEL);
	result = host_registered.HwUnitControl(host->extension, control, parameters);
	lf_fake_irql_lower(old);
	return result;
}

struct host_address_btl8 host_address(uint8_t target, uint8_t lun)
{
	return (struct host_address_btl8){.Type = HOST_ADDRESS_BTL8,
		.AddressLength = HOST_ADDRESS_BTL8_LENGTH,
		.Target = target,
		.Lun = lun};
}

void host_reset_bus(struct host *host)
{
	KIRQL old = KeAcquireSpinLockRaiseToDpc(&host->start_io);

	if (!host_registered.HwResetBus(host->extension, 0))
		lf_fake_broken("HwResetBus failed");
	KeReleaseSpinLock(&host->start_io, old);
}
