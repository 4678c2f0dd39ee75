/* SPDX-License-Identifier: BSD-2-Clause */
/* control.c: the callbacks that are no I/O: initialization, adapter and unit control, service requests. */
#include "edge/storport/internal.h"

/* ---- Initialization ---- */

/* PASSIVE_LEVEL, after HwInitialize, if Storport grants it. */
static BOOLEAN initialize_passive(PVOID extension)
{
	struct lf_storport *storport = extension;

	lf_storport_enter(storport);
	lf_attendant_show_interface(storport);
	lf_storport_leave(storport);
	return TRUE;
}

/*
 * HwInitialize: DIRQL, the level of an interrupt, says its document; so it does nothing itself. Whether
 * Storport grants a passive initialization to a virtual miniport is not documented: the first SRB has the
 * interface shown, too, and whoever comes first does it.
 */
BOOLEAN lf_initialize(PVOID extension)
{
	lf_trace_storport_call(LF_CALLBACK_INITIALIZE, 0, 0, 0);
	(void)StorPortEnablePassiveInitialization(extension, initialize_passive);
	return TRUE;
}

/* ---- Adapter control ---- */

/* What list says that we support; it has room for MaxControlType elements, be they more or fewer than ours.
 */
static void tell_supported(void *parameters, const uint8_t *types, uint32_t count)
{
	SCSI_SUPPORTED_CONTROL_TYPE_LIST *list = parameters;
	BOOLEAN *supported = list->SupportedTypeList;

	for (uint32_t i = 0; i < count; i++)
		if (types[i] < list->MaxControlType)
			supported[types[i]] = TRUE;
}

/*
 * There is no hardware to stop, to restart or to wake: images stay open, SRBs run out, and Storport sends
 * none in between. Of an adapter that was removed by surprise nobody is left to reset what an image does not
 * answer, and the removal waits for it: it is cancelled at once. HwAdapterControl: PASSIVE_LEVEL to ask for
 * the types, up to DISPATCH_LEVEL for power, DIRQL under the interrupt lock to stop and restart.
 */
SCSI_ADAPTER_CONTROL_STATUS lf_adapter_control(
	PVOID extension, SCSI_ADAPTER_CONTROL_TYPE type, PVOID parameters)
{
	static const uint8_t types[] = {ScsiQuerySupportedControlTypes, ScsiStopAdapter, ScsiRestartAdapter,
		ScsiAdapterPower, ScsiAdapterSurpriseRemoval};
	SCSI_ADAPTER_CONTROL_STATUS status = ScsiAdapterControlSuccess;
	struct lf_storport *storport = extension;

	lf_storport_enter(storport);
	switch (type) {
	case ScsiQuerySupportedControlTypes:
		tell_supported(parameters, types, lf_count_of(types));
		break;
	case ScsiStopAdapter:
	case ScsiRestartAdapter:
	case ScsiAdapterPower:
		break;
	case ScsiAdapterSurpriseRemoval: /* below DISPATCH_LEVEL */
		lf_reset_all(storport, NULL);
		break;
	default:
		status = ScsiAdapterControlUnsuccessful;
		break;
	}
	lf_trace_storport_adapter_control(type, status, 0, 0);
	lf_storport_leave(storport);
	return status;
}

/* ---- Unit control ---- */

/*
 * An image may lie on the very file system that pages, or sleep, or the last words of a dying machine would
 * need to be written through: nothing of that kind is promised, and who asks is told so.
 */
static SCSI_UNIT_CONTROL_STATUS answer_usage(const STOR_UC_DEVICE_USAGE *usage)
{
	if (!usage->InUse)
		return ScsiUnitControlSuccess;
	lf_log(LF_LOG_WARNING,
		"a page, hibernation or crash-dump file on a connected image can stop the machine: "
		"keep it on another disk");
	return ScsiUnitControlUnsuccessful;
}

static SCSI_UNIT_CONTROL_STATUS control_unit(
	struct lf_storport *storport, SCSI_UNIT_CONTROL_TYPE type, const STOR_ADDR_BTL8 *address)
{
	if (address == NULL || address->Type != STOR_ADDRESS_TYPE_BTL8 || address->Path != 0)
		return ScsiUnitControlUnsuccessful;
	if (type == ScsiUnitStart)
		lf_unit_hold(storport, address->Target, address->Lun);
	else
		lf_unit_release(storport, address->Target, address->Lun, type == ScsiUnitSurpriseRemoval);
	lf_trace_storport_unit_control(type, address->Target, address->Lun, ScsiUnitControlSuccess);
	return ScsiUnitControlSuccess;
}

/* HwUnitControl: PASSIVE_LEVEL, but for power: DISPATCH_LEVEL. No lock is held. */
SCSI_UNIT_CONTROL_STATUS lf_unit_control(PVOID extension, SCSI_UNIT_CONTROL_TYPE type, PVOID parameters)
{
	static const uint8_t types[] = {ScsiQuerySupportedUnitControlTypes, ScsiUnitUsage, ScsiUnitStart,
		ScsiUnitPower, ScsiUnitRemove, ScsiUnitSurpriseRemoval};
	SCSI_UNIT_CONTROL_STATUS status = ScsiUnitControlSuccess;
	struct lf_storport *storport = extension;

	lf_storport_enter(storport);
	lf_trace_storport_call(LF_CALLBACK_UNIT_CONTROL, type, 0, 0);
	switch (type) {
	case ScsiQuerySupportedUnitControlTypes:
		tell_supported(parameters, types, lf_count_of(types));
		break;
	case ScsiUnitUsage:
		status = answer_usage(parameters);
		break;
	case ScsiUnitPower: /* instead of SRB_FUNCTION_POWER */
		break;
	case ScsiUnitStart:
	case ScsiUnitRemove:
	case ScsiUnitSurpriseRemoval:
		status = control_unit(storport, type, parameters);
		break;
	default:
		status = ScsiUnitControlUnsuccessful;
		break;
	}
	lf_storport_leave(storport);
	return status;
}

/* ---- Service requests ---- */

/*
 * HwProcessServiceRequest: PASSIVE_LEVEL, in the thread of whoever asks, which is why it is this way that
 * programs come: their rights can be looked at here.
 */
VOID lf_process_service_request(PVOID extension, PVOID context)
{
	struct lf_storport *storport = extension;
	IRP *irp = context;
	const IO_STACK_LOCATION *at = IoGetCurrentIrpStackLocation(irp);
	ULONG code = at->Parameters.DeviceIoControl.IoControlCode;

	lf_storport_enter(storport);
	lf_trace_storport_service(at->MajorFunction, code, 0, 0);
	if (at->MajorFunction == IRP_MJ_DEVICE_CONTROL && code == IOCTL_MINIPORT_PROCESS_SERVICE_IRP) {
		storport->backend->service(storport->context, irp);
	} else {
		irp->IoStatus.Status = STATUS_INVALID_DEVICE_REQUEST;
		irp->IoStatus.Information = 0;
		lf_storport_complete(storport, irp);
	}
	lf_storport_leave(storport);
}

void lf_storport_complete(struct lf_storport *storport, IRP *irp)
{
	(void)StorPortCompleteServiceIrp(storport, irp);
}

/* HwCompleteServiceIrp: PASSIVE_LEVEL, no lock is held, the adapter goes. */
VOID lf_complete_service_irp(PVOID extension)
{
	struct lf_storport *storport = extension;

	lf_storport_enter(storport);
	lf_trace_storport_call(LF_CALLBACK_COMPLETE_SERVICE, 0, 0, 0);
	storport->backend->service_stop(storport->context);
	lf_storport_leave(storport);
}
