/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * request.c: SRBs: made, started by several threads at once at DISPATCH_LEVEL, completed exactly once. Around
 * the data lie guards; of reads and writes the data is nowhere mapped.
 */
#include "tests/storport/wine/standin/port.h"

#define PAGE        4096
#define SRB_ROOM    512
#define GARBAGE     0xcc
#define GUARD       0xb7
#define ENDED       0xdd
#define TAG         0x74736554 /* "Test" */
#define RUN_TIME_MS 60000
#define ADDRESS_AT  0x80 /* behind a host_srbex of one SrbExDataOffset */
#define DATA_AT     0x90

static bool reads_or_writes(UCHAR opcode)
{
	switch (opcode) {
	case 0x08: /* READ (6), (10), (12), (16) */
	case 0x28:
	case 0xa8:
	case 0x88:
	case 0x0a: /* WRITE */
	case 0x2a:
	case 0xaa:
	case 0x8a:
		return true;
	}
	return false;
}

struct standin_request *standin_request_make(
	struct standin_adapter *adapter, UCHAR target, UCHAR lun, ULONG length)
{
	static volatile LONG turn;
	SIZE_T extension = (adapter->hw.SrbExtensionSize + 15) & ~15u;
	SIZE_T bytes =
		sizeof(struct standin_request) + 16 + SRB_ROOM + extension + standin_mdl_room(length + PAGE);
	struct standin_request *request = standin_pool_allocate(bytes, TAG);
	memset(request, 0, bytes);
	request->adapter = adapter;
	request->target = target;
	request->lun = lun;
	request->length = length;
	request->function = HOST_SRB_EXECUTE_SCSI;
	request->srb = (void *)(((ULONG_PTR)(request + 1) + 15) & ~(ULONG_PTR)15);
	request->extension = (char *)request->srb + SRB_ROOM;
	request->mdl = (MDL *)((char *)request->extension + extension);
	SIZE_T pages = ((SIZE_T)length + PAGE - 1) / PAGE * PAGE;
	request->room = standin_pool_allocate(pages + 2 * PAGE, TAG);
	memset(request->room, GUARD, pages + 2 * PAGE);
	/* Now and then what the MDL covers begins before the data; now and then the data lies badly. */
	LONG number = InterlockedIncrement(&turn);
	SIZE_T before = (SIZE_T)(number % 3) * 512;
	request->data = request->room + PAGE - (number % 7 == 6 ? 16 : 0);
	if (length)
		standin_mdl_describe(request->mdl, request->data - before, before + length);
	return request;
}

/* The SRB and what the driver has in it are the port driver's again once it is completed. */
static void fill_ended(struct standin_request *request)
{
	memset(request->srb, ENDED, SRB_ROOM);
	memset(request->extension, ENDED, request->adapter->hw.SrbExtensionSize);
}

static void judge_ended(const struct standin_request *request)
{
	const UCHAR *from = request->srb;
	const UCHAR *end = (const UCHAR *)request->extension + request->adapter->hw.SrbExtensionSize;
	for (const UCHAR *at = from; at < end && request->done; at++) {
		if (*at == ENDED)
			continue;
		standin_fail("byte %u of the SRB and its extension was written after its completion",
			(ULONG)(at - from));
		return;
	}
}

void standin_request_free(struct standin_request *request)
{
	judge_ended(request);
	standin_pool_free(request->room, TAG);
	standin_pool_free(request, TAG);
}

/* Where the SRB says that its data is. */
static void *data_address(struct standin_request *request)
{
	if (!request->length)
		return NULL;
	SIZE_T offset = (SIZE_T)(request->data - (UCHAR *)standin_mdl_memory(request->mdl));
	if (request->maps_data)
		return (char *)request->mdl->MappedSystemVa + offset;
	return (char *)request->mdl->StartVa + request->mdl->ByteOffset + offset;
}

static ULONG flags_of(const struct standin_request *request)
{
	ULONG flags = HOST_FLAGS_NO_QUEUE_FREEZE;
	if (request->length)
		flags |= request->is_write ? HOST_FLAGS_DATA_OUT : HOST_FLAGS_DATA_IN;
	return flags;
}

static void build_old(struct standin_request *request)
{
	struct host_srb *srb = request->srb;
	*srb = (struct host_srb){
		.Length = sizeof(*srb),
		.Function = request->function,
		.TargetId = request->target,
		.Lun = request->lun,
		.QueueAction = HOST_QUEUE_SIMPLE,
		.SrbFlags = flags_of(request),
		.DataTransferLength = request->length,
		.TimeOutValue = 30,
		.DataBuffer = data_address(request),
		.OriginalRequest = request,
		.SrbExtension = request->extension,
	};
	if (request->function == HOST_SRB_PNP)
		((struct host_srb_pnp *)request->srb)->PnPAction = request->action;
	else if (request->function == HOST_SRB_POWER)
		((struct host_srb_power *)request->srb)->DevicePowerState = request->action;
	else if (request->function == HOST_SRB_EXECUTE_SCSI) {
		srb->SenseInfoBuffer = request->sense;
		srb->SenseInfoBufferLength = request->sense_length;
		srb->CdbLength = request->cdb_length;
		memcpy(srb->Cdb, request->cdb, sizeof(srb->Cdb));
	}
}

static void build_data(struct standin_request *request, void *at)
{
	if (request->function == HOST_SRB_EXECUTE_SCSI) {
		struct host_srbex_cdb16 *data = at;
		*data = (struct host_srbex_cdb16){
			.Type = HOST_SRBEX_CDB16,
			.Length = sizeof(*data) - sizeof(struct host_srbex_data),
			.SenseInfoBufferLength = request->sense_length,
			.CdbLength = request->cdb_length,
			.SenseInfoBuffer = request->sense,
		};
		memcpy(data->Cdb, request->cdb, sizeof(data->Cdb));
	} else if (request->function == HOST_SRB_PNP) {
		struct host_srbex_pnp *data = at;
		*data = (struct host_srbex_pnp){.Type = HOST_SRBEX_PNP,
			.Length = sizeof(*data) - sizeof(struct host_srbex_data),
			.PnPAction = request->action};
	} else if (request->function == HOST_SRB_POWER) {
		struct host_srbex_power *data = at;
		*data = (struct host_srbex_power){.Type = HOST_SRBEX_POWER,
			.Length = sizeof(*data) - sizeof(struct host_srbex_data),
			.DevicePowerState = request->action};
	}
}

static void build_extended(struct standin_request *request)
{
	struct host_srbex *srb = request->srb;
	bool has_data = request->function == HOST_SRB_EXECUTE_SCSI || request->function == HOST_SRB_PNP ||
			request->function == HOST_SRB_POWER;
	*srb = (struct host_srbex){
		.Length = HOST_SRBEX_LENGTH,
		.Function = HOST_SRB_EXTENDED,
		.Signature = HOST_SRBEX_SIGNATURE,
		.Version = HOST_SRBEX_VERSION,
		.SrbLength = SRB_ROOM,
		.SrbFunction = request->function,
		.SrbFlags = flags_of(request),
		.RequestAttribute = HOST_QUEUE_SIMPLE,
		.TimeOutValue = 30,
		.AddressOffset = ADDRESS_AT,
		.NumSrbExData = has_data,
		.DataTransferLength = request->length,
		.DataBuffer = data_address(request),
		.OriginalRequest = request,
		.MiniportContext = request->extension,
	};
	srb->SrbExDataOffset[0] = has_data ? DATA_AT : 0;
	*(struct host_address_btl8 *)((char *)srb + ADDRESS_AT) = (struct host_address_btl8){
		.Type = HOST_ADDRESS_BTL8,
		.Port = STANDIN_SCSI_FIRST,
		.AddressLength = HOST_ADDRESS_BTL8_LENGTH,
		.Target = request->target,
		.Lun = request->lun,
	};
	build_data(request, (char *)srb + DATA_AT);
}

void standin_request_start(struct standin_request *request)
{
	struct standin_adapter *adapter = request->adapter;
	bool moves = request->function == HOST_SRB_EXECUTE_SCSI && reads_or_writes(request->cdb[0]);
	UCHAR maps = adapter->config.MapBuffers;
	judge_ended(request);
	memset(request->srb, GARBAGE, SRB_ROOM);
	memset(request->extension, GARBAGE, adapter->hw.SrbExtensionSize);
	request->done = 0;
	request->moves_data = moves;
	request->maps_data = maps == HOST_MAP_ALL_INCLUDING_READ_WRITE || (maps != HOST_MAP_NONE && !moves);
	if (request->length && request->maps_data) {
		request->mdl->MappedSystemVa = standin_mdl_memory(request->mdl);
		request->mdl->MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
	}
	if (adapter->config.SrbType == HOST_SRB_TYPE_EXTENDED && !standin_switch(SWITCH_OLD_SRBS))
		build_extended(request);
	else
		build_old(request);
	standin_lock(&adapter->lock);
	InsertTailList(&adapter->queue, &request->link);
	standin_unlock(&adapter->lock);
	KeReleaseSemaphore(&adapter->work, 0, 1, FALSE);
}

struct standin_request *standin_request_of(struct standin_adapter *adapter, void *srb)
{
	struct standin_request *found = NULL;
	standin_lock(&adapter->lock);
	for (LIST_ENTRY *at = adapter->outstanding.Flink; at != &adapter->outstanding && !found;
		at = at->Flink) {
		struct standin_request *request = CONTAINING_RECORD(at, struct standin_request, all);
		if (request->srb == srb)
			found = request;
	}
	standin_unlock(&adapter->lock);
	return found;
}

static void check_guards(struct standin_request *request)
{
	const UCHAR *behind = request->data + request->length;
	for (SIZE_T i = 0; i < PAGE - 16; i++)
		if (request->room[i] != GUARD || behind[i] != GUARD) {
			standin_fail(
				"opcode %02x wrote outside its %u bytes", request->cdb[0], request->length);
			return;
		}
}

static void take_results(struct standin_request *request)
{
	struct host_srbex *extended = request->srb;
	if (extended->Function == HOST_SRB_EXTENDED) {
		struct host_srbex_cdb16 *data = (void *)((char *)request->srb + DATA_AT);
		request->srb_status = extended->SrbStatus;
		request->transferred = extended->DataTransferLength;
		request->scsi_status = request->function == HOST_SRB_EXECUTE_SCSI ? data->ScsiStatus : 0;
		if (request->srb_status & HOST_STATUS_AUTOSENSE_VALID)
			request->sense_length = data->SenseInfoBufferLength;
	} else {
		struct host_srb *old = request->srb;
		request->srb_status = old->SrbStatus;
		request->transferred = old->DataTransferLength;
		request->scsi_status = request->function == HOST_SRB_EXECUTE_SCSI ? old->ScsiStatus : 0;
		if (request->srb_status & HOST_STATUS_AUTOSENSE_VALID)
			request->sense_length = old->SenseInfoBufferLength;
	}
	if (request->transferred > request->length)
		standin_fail("opcode %02x: %u bytes moved of %u", request->cdb[0], request->transferred,
			request->length);
	if ((request->srb_status & HOST_STATUS_MASK) == HOST_STATUS_PENDING)
		standin_fail("opcode %02x ends with status pending", request->cdb[0]);
}

/* DISPATCH_LEVEL; false: there is none. */
static bool start_next(struct standin_adapter *adapter)
{
	struct standin_request *request = NULL;
	standin_lock(&adapter->lock);
	if (!IsListEmpty(&adapter->queue)) {
		request = CONTAINING_RECORD(RemoveHeadList(&adapter->queue), struct standin_request, link);
		InsertTailList(&adapter->outstanding, &request->all);
		adapter->outstanding_count++;
	}
	standin_unlock(&adapter->lock);
	if (!request)
		return false;
	if (!adapter->hw.HwStartIo(adapter->extension, request->srb))
		standin_fail("HwStartIo returned FALSE");
	standin_returned("HwStartIo", DISPATCH_LEVEL);
	return true;
}

void standin_request_completed(struct standin_adapter *adapter, void *srb)
{
	standin_at_most_dispatch("StorPortNotification(RequestComplete)");
	standin_unlocked("StorPortNotification(RequestComplete)");
	struct standin_request *request = standin_request_of(adapter, srb);
	if (!request || InterlockedIncrement(&request->done) != 1) {
		standin_fail("an SRB is completed that is not outstanding, or twice");
		return;
	}
	standin_lock(&adapter->lock);
	RemoveEntryList(&request->all);
	adapter->outstanding_count--;
	standin_unlock(&adapter->lock);
	take_results(request);
	check_guards(request);
	if (request->length && request->maps_data) {
		request->mdl->MappedSystemVa = NULL;
		request->mdl->MdlFlags &= (CSHORT)~MDL_MAPPED_TO_SYSTEM_VA;
	} else if (request->length && request->mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) {
		standin_fail("the MDL of an SRB is left mapped");
	}
	fill_ended(request); /* what the driver still writes there, or reads, shows */
	KIRQL before = standin_irql_set(DISPATCH_LEVEL);
	request->finish(request);
	if (!standin_starts_set(true)) { /* a completion makes room: Storport starts the next from within */
		start_next(adapter);
		standin_starts_set(false);
	}
	standin_irql_set(before);
}

/* ---- The threads that start them ---- */

static void starter(void *context)
{
	struct standin_adapter *adapter = context;
	for (;;) {
		KeWaitForSingleObject(&adapter->work, Executive, KernelMode, FALSE, NULL);
		standin_irql_set(DISPATCH_LEVEL);
		bool started = start_next(adapter);
		standin_irql_set(PASSIVE_LEVEL);
		if (!started && adapter->starters_end)
			return;
	}
}

void standin_starters_begin(struct standin_adapter *adapter)
{
	adapter->starters_end = false;
	for (int i = 0; i < STANDIN_STARTERS; i++)
		standin_thread_start(starter, adapter, &adapter->starters[i]);
}

void standin_starters_end(struct standin_adapter *adapter)
{
	adapter->starters_end = true;
	KeReleaseSemaphore(&adapter->work, 0, STANDIN_STARTERS, FALSE);
	for (int i = 0; i < STANDIN_STARTERS; i++)
		standin_thread_join(adapter->starters[i]);
}

/* ---- One and wait ---- */

static void finish_run(struct standin_request *request)
{
	KeSetEvent(request->context, 0, FALSE);
}

bool standin_request_run(struct standin_request *request)
{
	KEVENT *done = standin_allocate(sizeof(*done)); /* outlives this call where the request does */
	LARGE_INTEGER time;
	time.QuadPart = -(LONGLONG)RUN_TIME_MS * 10000;
	KeInitializeEvent(done, NotificationEvent, FALSE);
	request->finish = finish_run;
	request->context = done;
	standin_request_start(request);
	if (KeWaitForSingleObject(done, Executive, KernelMode, FALSE, &time) != STATUS_SUCCESS) {
		standin_fail(
			"SRB function %02x, opcode %02x, does not end", request->function, request->cdb[0]);
		return false;
	}
	standin_free(done);
	return true;
}
