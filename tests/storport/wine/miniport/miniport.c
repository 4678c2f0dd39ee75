/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * miniport.c: a virtual miniport as small as can be, with one disk in memory: proves the stand-in before the
 * driver does. Its HwUnitControl breaks when asked for the usage of LUN 7: so does the crash test.
 */
#include "tests/storport/host/port.h"

#define BLOCKS      2048
#define BLOCK_BYTES 512

__declspec(dllimport) ULONG NTAPI StorPortInitialize(void *, void *, struct host_registration *, void *);
__declspec(dllimport) void StorPortNotification(ULONG, void *, ...);
__declspec(dllimport) ULONG StorPortExtendedFunction(ULONG, void *, ...);

NTSTATUS NTAPI DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *path);

static UCHAR *disk;
static int *volatile nowhere;

static ULONG NTAPI find_adapter(void *extension, void *context, void *bus, void *lower, char *arguments,
	struct host_config *config, BOOLEAN *again)
{
	(void)extension, (void)context, (void)bus, (void)lower, (void)arguments, (void)again;
	disk = ExAllocatePoolWithTag((POOL_TYPE)512, BLOCKS * BLOCK_BYTES, 0x69696e4d);
	if (!disk)
		return HOST_FIND_ERROR;
	memset(disk, 0, BLOCKS * BLOCK_BYTES);
	config->NumberOfBuses = 1;
	config->MaximumNumberOfTargets = 2;
	config->MaximumNumberOfLogicalUnits = 1;
	config->MaximumTransferLength = 1 << 20;
	return HOST_FIND_FOUND;
}

static BOOLEAN NTAPI initialize(void *extension)
{
	(void)extension;
	return TRUE;
}

static BOOLEAN NTAPI reset_bus(void *extension, ULONG path)
{
	(void)extension, (void)path;
	return TRUE;
}

static ULONG NTAPI adapter_control(void *extension, ULONG control, void *parameters)
{
	(void)extension, (void)control, (void)parameters;
	return HOST_CONTROL_SUCCESS;
}

static void break_now(int *at)
{
	*at = 1; /* the crash is here */
}

static ULONG NTAPI unit_control(void *extension, ULONG control, void *parameters)
{
	(void)extension;
	if (control == HOST_UNIT_QUERY_SUPPORTED) {
		struct host_control_list *list = parameters;
		if (list->MaxControlType > HOST_UNIT_USAGE)
			list->SupportedTypeList[HOST_UNIT_USAGE] = TRUE;
	} else if (control == HOST_UNIT_USAGE) {
		struct host_unit_usage *usage = parameters;
		if (((struct host_address_btl8 *)(void *)usage->Address)->Lun == 7)
			break_now(nowhere);
	}
	return HOST_CONTROL_SUCCESS;
}

static void NTAPI free_resources(void *extension)
{
	(void)extension;
	ExFreePoolWithTag(disk, 0x69696e4d);
}

static ULONG number_at(const UCHAR *at)
{
	return (ULONG)at[0] << 24 | (ULONG)at[1] << 16 | (ULONG)at[2] << 8 | at[3];
}

static UCHAR move(void *extension, struct host_srbex *srb, const UCHAR *cdb)
{
	MDL *mdl = NULL;
	ULONG block = number_at(cdb + 6), count = number_at(cdb + 10);
	if (block > BLOCKS || count > BLOCKS - block || count * BLOCK_BYTES != srb->DataTransferLength)
		return HOST_STATUS_ERROR;
	StorPortExtendedFunction(HOST_EX_GET_ORIGINAL_MDL, extension, srb, &mdl);
	UCHAR *data = MmMapLockedPagesSpecifyCache(
		mdl, KernelMode, MmCached, NULL, FALSE, 0x40000000 | NormalPagePriority);
	if (!data) /* memory is short: it is sent again */
		return HOST_STATUS_BUSY;
	data += (char *)srb->DataBuffer - ((char *)mdl->StartVa + mdl->ByteOffset);
	if (cdb[0] == 0x88)
		memcpy(data, disk + block * BLOCK_BYTES, count * BLOCK_BYTES);
	else
		memcpy(disk + block * BLOCK_BYTES, data, count * BLOCK_BYTES);
	MmUnmapLockedPages(mdl->MappedSystemVa, mdl);
	return HOST_STATUS_SUCCESS;
}

static UCHAR execute(void *extension, struct host_srbex *srb, const UCHAR *cdb)
{
	static const UCHAR inquiry[36] = {
		0, 0, 6, 2, 31, [8] = 'T', 'e', 's', 't', [16] = 'M', 'i', 'n', 'i'};
	static const UCHAR capacity[8] = {0, 0, (BLOCKS - 1) >> 8, (BLOCKS - 1) & 255, 0, 0, 2, 0};
	static const UCHAR luns[16] = {0, 0, 0, 8};
	const UCHAR *answer;
	ULONG length;
	switch (cdb[0]) {
	case 0x12:
		answer = inquiry, length = sizeof(inquiry);
		break;
	case 0x25:
		answer = capacity, length = sizeof(capacity);
		break;
	case 0xa0:
		answer = luns, length = sizeof(luns);
		break;
	case 0x88:
	case 0x8a:
		return move(extension, srb, cdb);
	default:
		return HOST_STATUS_INVALID_REQUEST;
	}
	length = length < srb->DataTransferLength ? length : srb->DataTransferLength;
	memcpy(srb->DataBuffer, answer, length);
	srb->DataTransferLength = length;
	return HOST_STATUS_SUCCESS;
}

static BOOLEAN NTAPI start_io(void *extension, void *request)
{
	struct host_srbex *srb = request;
	struct host_address_btl8 *address = (void *)((char *)srb + srb->AddressOffset);
	struct host_srbex_cdb16 *data = (void *)((char *)srb + srb->SrbExDataOffset[0]);
	srb->SrbStatus = HOST_STATUS_INVALID_REQUEST;
	if (srb->SrbFunction == HOST_SRB_EXECUTE_SCSI) {
		data->ScsiStatus = 0;
		srb->SrbStatus = address->Target ? HOST_STATUS_NO_DEVICE : execute(extension, srb, data->Cdb);
	}
	StorPortNotification(HOST_NOTIFY_REQUEST_COMPLETE, extension, srb);
	return TRUE;
}

NTSTATUS NTAPI DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *path)
{
	struct host_registration hw = {
		.HwInitializationDataSize = sizeof(hw),
		.HwInitialize = initialize,
		.HwStartIo = start_io,
		.HwFindAdapter = find_adapter,
		.HwResetBus = reset_bus,
		.DeviceExtensionSize = 64,
		.SrbExtensionSize = 64,
		.MapBuffers = HOST_MAP_NON_READ_WRITE,
		.TaggedQueuing = TRUE,
		.AutoRequestSense = TRUE,
		.MultipleRequestPerLu = TRUE,
		.HwAdapterControl = adapter_control,
		.HwFreeAdapterResources = free_resources,
		.FeatureSupport = HOST_FEATURE_VIRTUAL_MINIPORT,
		.SrbTypeFlags = HOST_SRB_TYPE_FLAG_OLD | HOST_SRB_TYPE_FLAG_EXTENDED,
		.AddressTypeFlags = HOST_ADDRESS_TYPE_FLAG_BTL8,
		.HwUnitControl = unit_control,
	};
	return (NTSTATUS)StorPortInitialize(driver, path, &hw, NULL);
}
