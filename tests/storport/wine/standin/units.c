/* SPDX-License-Identifier: BSD-2-Clause */
/* units.c: the bus scan: units that came get a device, units that went lose it. */
#include "tests/storport/wine/standin/port.h"

static struct host_address_btl8 address_of(const struct standin_unit *unit)
{
	return (struct host_address_btl8){
		.Type = HOST_ADDRESS_BTL8,
		.Port = STANDIN_SCSI_FIRST,
		.AddressLength = HOST_ADDRESS_BTL8_LENGTH,
		.Target = unit->target,
		.Lun = unit->lun,
	};
}

/* Where the driver supports it; parameters: of this control. */
static void control_unit(struct standin_unit *unit, ULONG control, void *parameters, KIRQL irql)
{
	struct standin_adapter *adapter = unit->adapter;
	if (!adapter->hw.HwUnitControl || !adapter->unit_controls[control])
		return;
	KIRQL before = standin_irql_set(irql);
	if (adapter->hw.HwUnitControl(adapter->extension, control, parameters) != HOST_CONTROL_SUCCESS)
		standin_fail("unit control %u of %u:%u refused", control, unit->target, unit->lun);
	standin_returned("HwUnitControl", irql);
	standin_irql_set(before);
}

static void tell_unit(struct standin_unit *unit, ULONG control)
{
	struct host_address_btl8 address = address_of(unit);
	control_unit(unit, control, &address, PASSIVE_LEVEL);
}

void standin_units_power(struct standin_adapter *adapter, ULONG state)
{
	for (int i = 0; i < STANDIN_UNITS_MAX; i++) {
		if (!adapter->units[i] || !adapter->units[i]->present)
			continue;
		struct host_address_btl8 address = address_of(adapter->units[i]);
		struct host_unit_power power = {(struct host_address *)&address,
			state == HOST_POWER_D0 ? HOST_POWER_NONE : HOST_POWER_SLEEP, state};
		control_unit(adapter->units[i], HOST_UNIT_POWER, &power, DISPATCH_LEVEL);
	}
}

struct standin_unit *standin_unit_at(struct standin_adapter *adapter, UCHAR target, UCHAR lun)
{
	for (int i = 0; i < STANDIN_UNITS_MAX; i++) {
		struct standin_unit *unit = adapter->units[i];
		if (unit && unit->present && unit->target == target && unit->lun == lun)
			return unit;
	}
	return NULL;
}

/* ---- Commands of the scan ---- */

static bool command(struct standin_adapter *adapter, UCHAR target, UCHAR lun, const UCHAR *cdb,
	UCHAR cdb_length, void *data, ULONG length, UCHAR *srb_status)
{
	bool good = false;
	for (int tries = 0; tries < 4 && !good; tries++) {
		struct standin_request *request = standin_request_make(adapter, target, lun, length);
		memcpy(request->cdb, cdb, cdb_length);
		request->cdb_length = cdb_length;
		request->sense_length = 18;
		if (!standin_request_run(request))
			return false;
		*srb_status = request->srb_status & HOST_STATUS_MASK;
		good = *srb_status == HOST_STATUS_SUCCESS || *srb_status == HOST_STATUS_DATA_OVERRUN;
		if (good)
			memcpy(data, request->data, request->transferred);
		bool again = request->scsi_status == 2 && (request->sense[2] & 15) == 6; /* unit attention */
		standin_request_free(request);
		if (!again)
			break;
	}
	return good;
}

static ULONG number_at(const UCHAR *at)
{
	return (ULONG)at[0] << 24 | (ULONG)at[1] << 16 | (ULONG)at[2] << 8 | at[3];
}

static void read_capacity(struct standin_unit *unit)
{
	static const UCHAR cdb[10] = {0x25};
	UCHAR data[8] = {0}, status;
	unit->block_bytes = unit->type == 5 ? 2048 : 512;
	if (command(unit->adapter, unit->target, unit->lun, cdb, 10, data, sizeof(data), &status) &&
		number_at(data + 4))
		unit->block_bytes = number_at(data + 4);
}

static void query_capabilities(struct standin_unit *unit)
{
	struct standin_request *request = standin_request_make(
		unit->adapter, unit->target, unit->lun, sizeof(struct host_capabilities));
	struct host_capabilities *capabilities = (void *)request->data;
	memset(capabilities, 0, sizeof(*capabilities));
	capabilities->Version = 1;
	capabilities->Size = sizeof(*capabilities);
	request->function = HOST_SRB_PNP;
	request->action = HOST_PNP_QUERY_CAPABILITIES;
	if (!standin_request_run(request))
		return;
	standin_log("capabilities of %u:%u: status %02x, bits %03x", unit->target, unit->lun,
		request->srb_status, capabilities->Bits);
	standin_request_free(request);
}

/* ---- Coming and going ---- */

static bool number_taken(const struct standin_adapter *adapter, LONG number)
{
	for (int i = 0; i < STANDIN_UNITS_MAX; i++)
		if (adapter->units[i] && adapter->units[i]->number == number)
			return true;
	return false;
}

static NTSTATUS make_device(struct standin_unit *unit)
{
	WCHAR name[64];
	UNICODE_STRING device, link;
	_snwprintf(name, ARRAYSIZE(name), L"\\Device\\LungfishUnit%d", (int)unit->number);
	_snwprintf(unit->link, ARRAYSIZE(unit->link), L"\\DosDevices\\%ls%d",
		unit->type == 5 ? L"CdRom" : L"PhysicalDrive", (int)unit->number);
	RtlInitUnicodeString(&device, name);
	RtlInitUnicodeString(&link, unit->link);
	NTSTATUS status = IoCreateDevice(unit->adapter->fdo->DriverObject, sizeof(struct standin_extension),
		&device, FILE_DEVICE_DISK, 0, FALSE, &unit->device);
	if (!NT_SUCCESS(status))
		return status;
	struct standin_extension *extension = unit->device->DeviceExtension;
	extension->kind = STANDIN_UNIT;
	extension->adapter = unit->adapter;
	extension->unit = unit;
	unit->device->Flags |= DO_BUFFERED_IO;
	unit->device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
	status = standin_link(&link, &device);
	if (!NT_SUCCESS(status))
		IoDeleteDevice(unit->device);
	return status;
}

/* The page of the serial number: zeroes, where there is none. */
static void read_serial(struct standin_adapter *adapter, UCHAR target, UCHAR lun, UCHAR *serial)
{
	static const UCHAR cdb[6] = {0x12, 1, 0x80, 0, STANDIN_SERIAL_BYTES};
	UCHAR status;
	memset(serial, 0, STANDIN_SERIAL_BYTES);
	command(adapter, target, lun, cdb, 6, serial, STANDIN_SERIAL_BYTES, &status);
}

/* A newcomer at the address of a device that still lives would get its writes. */
static void judge_address(const struct standin_adapter *adapter, UCHAR target, UCHAR lun)
{
	for (int i = 0; i < STANDIN_UNITS_MAX; i++) {
		const struct standin_unit *unit = adapter->units[i];
		if (unit && unit->target == target && unit->lun == lun)
			standin_fail("%u:%u was given to a newcomer, and the device of who was there is not "
				     "let go",
				target, lun);
	}
}

static void arrived(struct standin_adapter *adapter, UCHAR target, UCHAR lun, const UCHAR *inquiry)
{
	int slot = 0;
	judge_address(adapter, target, lun);
	while (slot < STANDIN_UNITS_MAX && adapter->units[slot])
		slot++;
	if (slot == STANDIN_UNITS_MAX)
		return;
	struct standin_unit *unit = standin_allocate(sizeof(*unit));
	unit->adapter = adapter;
	unit->target = target;
	unit->lun = lun;
	unit->type = inquiry[0] & 0x1f;
	unit->number = STANDIN_DISK_FIRST;
	while (number_taken(adapter, unit->number))
		unit->number++;
	read_serial(adapter, target, lun, unit->serial);
	query_capabilities(unit);
	tell_unit(unit, HOST_UNIT_START);
	read_capacity(unit);
	NTSTATUS status = make_device(unit);
	if (!NT_SUCCESS(status)) {
		standin_fail("no device for unit %u:%u: %08x", target, lun, status);
		standin_free(unit);
		return;
	}
	unit->present = unit->seen = true;
	adapter->units[slot] = unit;
	standin_log("unit %u:%u came: %ls, %u bytes a block, \"%.16s\"", target, lun, unit->link + 12,
		unit->block_bytes, inquiry + 16);
}

static void delete_unit(struct standin_unit *unit)
{
	struct standin_adapter *adapter = unit->adapter;
	tell_unit(unit, HOST_UNIT_REMOVE);
	standin_log("unit %u:%u is let go", unit->target, unit->lun);
	for (int i = 0; i < STANDIN_UNITS_MAX; i++)
		if (adapter->units[i] == unit)
			adapter->units[i] = NULL;
	IoDeleteDevice(unit->device);
	standin_free(unit);
}

/* It is not there any more; whoever has it open keeps its device until he closes it. */
static void went(struct standin_unit *unit, bool surprise)
{
	UNICODE_STRING link;
	unit->present = false;
	standin_log("unit %u:%u went", unit->target, unit->lun);
	RtlInitUnicodeString(&link, unit->link);
	IoDeleteSymbolicLink(&link);
	if (surprise)
		tell_unit(unit, HOST_UNIT_SURPRISE_REMOVAL);
	if (!unit->handles)
		delete_unit(unit);
}

/* In the thread that dispatches; the scan has the rest. */
void standin_unit_closed(struct standin_unit *unit)
{
	if (!--unit->handles && !unit->present)
		KeSetEvent(&unit->adapter->rescan, 0, FALSE);
}

/* ---- The scan ---- */

static void look_at(struct standin_adapter *adapter, UCHAR target, UCHAR lun)
{
	static const UCHAR cdb[6] = {0x12, 0, 0, 0, 36};
	UCHAR inquiry[36] = {0}, status;
	if (!command(adapter, target, lun, cdb, 6, inquiry, sizeof(inquiry), &status) || inquiry[0] >> 5)
		return;
	struct standin_unit *unit = standin_unit_at(adapter, target, lun);
	if (!unit) {
		arrived(adapter, target, lun, inquiry);
		return;
	}
	UCHAR serial[STANDIN_SERIAL_BYTES];
	read_serial(adapter, target, lun, serial);
	unit->seen = !serial[3] || !memcmp(serial, unit->serial, sizeof(serial));
	if (!unit->seen)
		standin_fail("%u:%u is another than before, and nobody saw it go", target, lun);
}

static void scan_target(struct standin_adapter *adapter, UCHAR target)
{
	static const UCHAR inquiry_cdb[6] = {0x12, 0, 0, 0, 36};
	static const UCHAR luns_cdb[12] = {0xa0, 0, 0, 0, 0, 0, 0, 0, 8, 0};
	static UCHAR luns[2048]; /* one scan at a time */
	UCHAR inquiry[36], status = 0;
	if (!command(adapter, target, 0, inquiry_cdb, 6, inquiry, sizeof(inquiry), &status) &&
		status != HOST_STATUS_INVALID_LUN)
		return;
	memset(luns, 0, sizeof(luns));
	if (!command(adapter, target, 0, luns_cdb, 12, luns, sizeof(luns), &status)) {
		if (status == HOST_STATUS_NO_DEVICE)
			return; /* the last of its units has just gone */
		standin_fail("target %u does not report its LUNs: %02x", target, status);
		return;
	}
	ULONG bytes = number_at(luns);
	for (ULONG at = 8; at < 8 + bytes && at + 8 <= sizeof(luns); at += 8)
		look_at(adapter, target, luns[at + 1]);
}

static void scan(struct standin_adapter *adapter)
{
	for (int i = 0; i < STANDIN_UNITS_MAX; i++)
		if (adapter->units[i])
			adapter->units[i]->seen = false;
	for (ULONG target = 0; target < adapter->config.MaximumNumberOfTargets && !adapter->stopping;
		target++)
		scan_target(adapter, (UCHAR)target);
	for (int i = 0; i < STANDIN_UNITS_MAX && !adapter->stopping; i++) {
		struct standin_unit *unit = adapter->units[i];
		if (unit && unit->present && !unit->seen)
			went(unit, true);
		else if (unit && !unit->present && !unit->handles)
			delete_unit(unit);
	}
	InterlockedIncrement(&adapter->scans);
}

static void scanner(void *context)
{
	struct standin_adapter *adapter = context;
	do {
		scan(adapter);
		KeWaitForSingleObject(&adapter->rescan, Executive, KernelMode, FALSE, NULL);
	} while (!adapter->stopping);
}

void standin_scanner_begin(struct standin_adapter *adapter)
{
	adapter->stopping = false;
	standin_thread_start(scanner, adapter, &adapter->scanner);
}

void standin_scanner_end(struct standin_adapter *adapter)
{
	adapter->stopping = true;
	KeSetEvent(&adapter->rescan, 0, FALSE);
	standin_thread_join(adapter->scanner);
	for (int i = 0; i < STANDIN_UNITS_MAX; i++) {
		struct standin_unit *unit = adapter->units[i];
		if (!unit)
			continue;
		if (unit->handles)
			standin_log("unit %u:%u is still open", unit->target, unit->lun);
		unit->handles = 0;
		if (unit->present)
			went(unit, false);
		else
			delete_unit(unit);
	}
}
