/* SPDX-License-Identifier: BSD-2-Clause */
/* register.c: what DriverEntry does: it tells Storport that this is a virtual miniport, and which its
 * callbacks are. */
#include "edge/storport/internal.h"

struct lf_registration lf_registration;

static void forget(void)
{
	lf_free(lf_registration.path.Buffer);
	memset(&lf_registration, 0, sizeof(lf_registration));
}

/* Storport has put its own into the driver object, and it must run: ours comes before, and calls it. */
static VOID unload(DRIVER_OBJECT *driver)
{
	PDRIVER_UNLOAD storports = lf_registration.unload;

	lf_registration.backend->unload();
	forget();
	if (storports != NULL)
		storports(driver);
}

/* HwFindAdapter wants the path, and DriverEntry's own is not there any more by then. */
static bool keep_path(const UNICODE_STRING *path)
{
	lf_registration.path.Buffer = lf_alloc(path->Length + sizeof(wchar_t));
	if (lf_registration.path.Buffer == NULL)
		return false;
	memcpy(lf_registration.path.Buffer, path->Buffer, path->Length);
	lf_registration.path.Length = path->Length;
	lf_registration.path.MaximumLength = (USHORT)(path->Length + sizeof(wchar_t));
	return true;
}

/*
 * The form of Windows 8: only it has SRBs of both kinds, HwUnitControl and queues deeper than 255. Whoever
 * gives this size without the virtual feature has his HwFindAdapter called with six arguments.
 */
static void describe(HW_INITIALIZATION_DATA *data)
{
	memset(data, 0,
		sizeof(*data)); /* AdapterInterfaceType 0 is Internal; NULL: physical miniports have it */
	data->HwInitializationDataSize = sizeof(*data);
	data->HwFindAdapter = (PVOID)(uintptr_t)lf_find_adapter;
	data->HwInitialize = lf_initialize;
	data->HwStartIo = lf_start_io;
	data->HwResetBus = lf_reset_bus;
	data->HwAdapterControl = lf_adapter_control;
	data->HwUnitControl = lf_unit_control;
	data->HwFreeAdapterResources = lf_free_adapter_resources;
	data->HwProcessServiceRequest = lf_process_service_request;
	data->HwCompleteServiceIrp = lf_complete_service_irp;
	data->DeviceExtensionSize = sizeof(struct lf_storport);
	data->SrbExtensionSize = (ULONG)LF_SRB_EXTENSION_BYTES;
	data->MapBuffers = STOR_MAP_NON_READ_WRITE_BUFFERS;
	data->TaggedQueuing = TRUE;
	data->AutoRequestSense = TRUE;
	data->MultipleRequestPerLu = TRUE;
	data->FeatureSupport = STOR_FEATURE_VIRTUAL_MINIPORT | STOR_FEATURE_FULL_PNP_DEVICE_CAPABILITIES |
			       STOR_FEATURE_ADAPTER_NOT_REQUIRE_IO_PORT;
	data->SrbTypeFlags = SRB_TYPE_FLAG_SCSI_REQUEST_BLOCK | SRB_TYPE_FLAG_STORAGE_REQUEST_BLOCK;
	data->AddressTypeFlags = ADDRESS_TYPE_FLAG_BTL8;
}

NTSTATUS lf_storport_register(
	DRIVER_OBJECT *driver, UNICODE_STRING *registry_path, const struct lf_storport_backend *backend)
{
	HW_INITIALIZATION_DATA data;

	if (!keep_path(registry_path))
		return STATUS_INSUFFICIENT_RESOURCES;
	lf_registration.backend = backend;
	describe(&data);
	NTSTATUS status = (NTSTATUS)StorPortInitialize(driver, registry_path, &data, NULL);
	if (!NT_SUCCESS(status)) {
		forget();
		return status;
	}
	lf_registration.unload = driver->DriverUnload;
	driver->DriverUnload = unload;
	return status;
}
