/* SPDX-License-Identifier: BSD-2-Clause */
/* adapter.c: HwFindAdapter makes the adapter, HwFreeAdapterResources takes it down: both at PASSIVE_LEVEL. */
#include "edge/storport/internal.h"

#define LF_BUS_TYPE_SAS                                                                                      \
	0xa /* STORAGE_BUS_TYPE: Storage Spaces takes such disks, and none of a virtual bus                  \
	     */

/* The port that every target has. Storport is told of units by a bus change: 3F/0E would stall their disks.
 */
static const struct lf_port lf_storport_port = {.relative_id = 1, .protocol = 0xf, .quiet_inventory = true};

void lf_storport_pause(void)
{
	LARGE_INTEGER moment = {.QuadPart = lf_nt_relative(1000000)};

	(void)KeDelayExecutionThread(KernelMode, FALSE, &moment);
}

/* ---- What Storport is told ---- */

/*
 * The structure comes with what Storport has found out: it is never cleared, and fields whose FALSE would
 * make Storport refuse the adapter are only ever set to TRUE.
 */
static void configure(const struct lf_storport *storport, PORT_CONFIGURATION_INFORMATION *config)
{
	config->VirtualDevice = TRUE;
	config->ScatterGather = TRUE;
	config->Master = TRUE;
	config->NeedPhysicalAddresses = TRUE;
	config->TaggedQueuing = TRUE;
	config->AutoRequestSense = TRUE;
	config->MultipleRequestPerLu = TRUE;
	config->NumberOfBuses = 1;
	config->MaximumNumberOfTargets = (UCHAR)storport->target_count;
	config->MaximumNumberOfLogicalUnits = LF_STORPORT_LUNS;
	config->MaximumTransferLength = LF_STORPORT_TRANSFER_BYTES;
	config->NumberOfPhysicalBreaks = LF_STORPORT_TRANSFER_PAGES;
	config->AlignmentMask = sizeof(ULONG) - 1; /* the store copies what the file below wants otherwise */
	config->MapBuffers = STOR_MAP_NON_READ_WRITE_BUFFERS;
	config->CachesData = TRUE; /* FLUSH and SHUTDOWN are for us */
	config->ResetTargetSupported = TRUE;
	config->SrbType = SRB_TYPE_STORAGE_REQUEST_BLOCK; /* else 255 is the most of a unit */
	config->WmiDataProvider = FALSE;
	config->SynchronizationModel = StorSynchronizeFullDuplex;
	config->Dma64BitAddresses = SCSI_DMA64_MINIPORT_FULL64BIT_SUPPORTED; /* else 1000 is the most: */
	config->MaxNumberOfIO = LF_STORPORT_IOS;
	config->MaxIOsPerLun = LF_STORPORT_LUN_IOS;
	config->InitialLunQueueDepth = LF_STORPORT_LUN_IOS;
}

/* ---- Start ---- */

static bool open_nexuses(struct lf_storport *storport)
{
	for (uint32_t i = 0; i < storport->target_count; i++) {
		struct lf_nexus_options options = {.target = i,
			.initiator = "Storport",
			.initiator_port = "storport",
			.port = &lf_storport_port};
		storport->targets[i].nexus = lf_nexus_open(storport->adapter, &options);
		if (storport->targets[i].nexus == NULL)
			return false;
	}
	return true;
}

static void destroy_adapter(struct lf_storport *storport)
{
	for (uint32_t i = 0; i < storport->target_count; i++)
		if (storport->targets[i].nexus != NULL)
			lf_nexus_close(storport->targets[i].nexus);
	lf_adapter_destroy(storport->adapter);
}

/*
 * A lane for each processor: one that comes later shares. All of them together have a slot for each SRB that
 * Storport may send, so that images that hang take none from the others.
 */
static bool create_adapter(struct lf_storport *storport)
{
	uint32_t lane_count = lf_max(KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS), 1u);
	struct lf_adapter_options options = {.lane_count = lane_count,
		.target_count = storport->target_count,
		.lun_count = LF_STORPORT_LUNS,
		.tasks_per_lane = lf_max(LF_STORPORT_TASKS, LF_STORPORT_IOS / lane_count + 1)};

	storport->adapter = lf_adapter_create(&options);
	if (storport->adapter == NULL)
		return false;
	if (open_nexuses(storport)) {
		lf_trace_storport_started(storport->target_count, options.lane_count,
			LF_STORPORT_TRANSFER_BYTES, LF_STORPORT_LUN_IOS);
		return true;
	}
	destroy_adapter(storport);
	return false;
}

/* What was made before a step that fails is taken down again by the steps below it. */
static bool start(struct lf_storport *storport, DEVICE_OBJECT *pdo)
{
	if (!lf_units_create(storport))
		return false;
	if (!create_adapter(storport))
		goto no_adapter;
	if (!lf_resets_create(storport))
		goto no_resets;
	if (storport->backend->start(storport, storport->adapter, &storport->context) != LF_OK)
		goto no_backend;
	if (lf_attendant_start(storport, pdo)) {
		storport->started = true;
		return true;
	}
	storport->backend->stop(storport->context);
no_backend:
	lf_resets_destroy(storport);
no_resets:
	destroy_adapter(storport);
no_adapter:
	lf_units_destroy(storport);
	return false;
}

static uint32_t target_count(void)
{
	uint32_t count = lf_nt_parameter(&lf_registration.path, L"MaximumTargets", LF_STORPORT_TARGETS);

	return lf_max(lf_min(count, LF_TARGETS_MAX), 1u);
}

uint32_t lf_storport_target_count(const struct lf_storport *storport)
{
	return storport->target_count;
}

/*
 * The extension comes with zeros. An adapter that was stopped for a while, and not freed, is found again as
 * it is: its units, images and threads are all still there.
 */
static bool find(struct lf_storport *storport, DEVICE_OBJECT *pdo)
{
	if (storport->started)
		return true;
	memset(storport, 0, sizeof(*storport));
	storport->backend = lf_registration.backend;
	storport->target_count = target_count();
	if (start(storport, pdo))
		return true;
	lf_log(LF_LOG_ERROR, "the adapter does not start: not enough memory, or no thread");
	return false;
}

/*
 * HwFindAdapter: PASSIVE_LEVEL, no lock is held. fdo, lower: Storport's own and what is below it. again is
 * not used, says its document: not touched.
 */
ULONG lf_find_adapter(PVOID extension, PVOID pdo, PVOID fdo, PVOID lower, PCHAR arguments,
	PORT_CONFIGURATION_INFORMATION *config, BOOLEAN *again)
{
	struct lf_storport *storport = extension;

	(void)fdo;
	(void)lower;
	(void)arguments;
	(void)again;
	lf_trace_storport_call(LF_CALLBACK_FIND_ADAPTER, config->Length, 0, 0);
	if (config->Length < offsetof(PORT_CONFIGURATION_INFORMATION, FeatureSupport))
		return SP_RETURN_BAD_CONFIG; /* of before Windows 8: it has no room for what we say */
	if (!find(storport, pdo))
		return SP_RETURN_ERROR;
	configure(storport, config);
	(void)StorPortSetAdapterBusType(
		storport, lf_nt_parameter(&lf_registration.path, L"BusType", LF_BUS_TYPE_SAS));
	return SP_RETURN_FOUND;
}

/* ---- Stop ---- */

/* Threads of Storport's that have completed their SRB or IRP, and are still in here. */
static void wait_for_those_inside(struct lf_storport *storport)
{
	while (InterlockedExchangeAdd(&storport->inside, 0) != 0)
		lf_storport_pause();
}

/*
 * HwFreeAdapterResources: PASSIVE_LEVEL, the last callback. Nothing comes any more; what is on its way out is
 * waited for: first whoever is inside, perhaps in the backend, and whoever is told of departures, then the
 * backend with its threads, then task management, then whom that has brought in here again.
 */
VOID lf_free_adapter_resources(PVOID extension)
{
	struct lf_storport *storport = extension;

	if (!storport->started)
		return;
	storport->started = false;
	lf_trace_storport_call(LF_CALLBACK_FREE_RESOURCES, 0, 0, 0);
	(void)lf_atomic_or_u32(&storport->stopped, true);
	lf_attendant_stop(storport);
	lf_units_stop(storport);
	wait_for_those_inside(storport);
	storport->backend->stop(storport->context);
	lf_resets_stop(storport);
	wait_for_those_inside(storport);
	lf_resets_destroy(storport);
	destroy_adapter(storport);
	lf_units_destroy(storport);
	lf_trace_storport_stopped(0, 0, 0, 0);
}
