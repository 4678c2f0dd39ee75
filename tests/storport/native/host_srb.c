/* SPDX-License-Identifier: BSD-2-Clause */
/* host_srb.c: SRBs of both forms: made with garbage where Storport leaves it, completed exactly once. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/storport/native/host_parts.h"

#define SENSE_USUAL 252
#define CDB_VAR_MAX 260 /* as SPC has it */
#define BESIDE      512 /* bytes in the MDL before the data, and after them */
#define GUARD       0xee

#define SCSI_BUSY          0x08
#define SCSI_TASK_SET_FULL 0x28

struct srbex {
	struct host_srbex srb;
	struct host_address_btl8 address;
	ULONG align;
	union {
		struct host_srbex_cdb16 cdb16;
		struct host_srbex_cdb32 cdb32;
		struct host_srbex_cdb_var var;
		UCHAR bytes[sizeof(struct host_srbex_cdb_var) + CDB_VAR_MAX];
		struct host_srbex_power power;
		struct host_srbex_pnp pnp;
	} data;
};

static uint32_t mappings_to_fail;

void host_fail_mappings(uint32_t count)
{
	__atomic_store_n(&mappings_to_fail, count, __ATOMIC_SEQ_CST);
}

static bool fails_to_map(void)
{
	uint32_t left = __atomic_load_n(&mappings_to_fail, __ATOMIC_SEQ_CST);

	while (left > 0)
		if (__atomic_compare_exchange_n(
			    &mappings_to_fail, &left, left - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

static struct host_frame **bucket(struct host *host, const void *srb)
{
	return &host->frames[((uintptr_t)srb >> 4) * 0x9e3779b97f4a7c15u >> 54 & (HOST_BUCKETS - 1)];
}

/* With the lock. */
static struct host_frame **find(struct host *host, const void *srb)
{
	struct host_frame **at = bucket(host, srb);

	while (*at != NULL && (*at)->srb != srb)
		at = &(*at)->next;
	return at;
}

static struct host_frame *frame_of(struct host *host, const void *srb, const char *who)
{
	struct host_frame *frame;

	host_lock(host);
	frame = *find(host, srb);
	host_unlock(host);
	if (frame == NULL)
		lf_fake_broken("%s of an SRB that is not outstanding", who);
	return frame;
}

static bool is_read_write(const struct host_request *request)
{
	static const UCHAR codes[] = {0x08, 0x0a, 0x28, 0x2a, 0xa8, 0xaa, 0x88, 0x8a};

	return request->function == HOST_SRB_EXECUTE_SCSI &&
	       memchr(codes, request->cdb[0], sizeof(codes)) != NULL;
}

/* ---- Made ---- */

static void *garbage(size_t bytes)
{
	void *memory = malloc(bytes == 0 ? 1 : bytes);

	if (memory == NULL)
		abort();
	return memset(memory, HOST_GARBAGE, bytes == 0 ? 1 : bytes);
}

static UCHAR sense_room(const struct host_request *request)
{
	return request->sense_room == 0 ? SENSE_USUAL : request->sense_room == 1 ? 0 : request->sense_room;
}

/* A queue action counts only where a flag says so. */
static ULONG flags_of(const struct host_request *request)
{
	return request->flags | (request->attribute == 0 ? 0 : HOST_FLAGS_QUEUE_ACTION_ENABLE);
}

static void make_old(struct host_frame *frame, const struct host_request *request)
{
	struct host_srb *srb = calloc(1, sizeof(*srb));

	if (srb == NULL)
		abort();
	frame->srb = srb;
	frame->srb_bytes = sizeof(*srb);
	srb->Length = sizeof(*srb);
	srb->Function = request->function;
	srb->PathId = request->path;
	srb->TargetId = request->target;
	srb->Lun = request->lun;
	srb->SrbFlags = flags_of(request);
	srb->TimeOutValue = 10;
	srb->DataTransferLength = request->length;
	srb->DataBuffer = frame->address;
	srb->SrbExtension = frame->extension;
	srb->OriginalRequest = frame;
	if (request->function == HOST_SRB_PNP) {
		struct host_srb_pnp *pnp = (struct host_srb_pnp *)(void *)srb;

		pnp->PnPSubFunction = 0;
		pnp->PnPAction = request->action;
		pnp->SrbPnPFlags = request->action_flags;
		return;
	}
	if (request->function == HOST_SRB_POWER) {
		struct host_srb_power *power = (struct host_srb_power *)(void *)srb;

		power->SrbPowerFlags = (UCHAR)request->action_flags;
		power->DevicePowerState = request->power_state;
		power->PowerAction = request->action;
		return;
	}
	srb->QueueTag = 0xff;
	srb->QueueAction = request->attribute;
	srb->CdbLength = request->cdb_length;
	srb->SenseInfoBuffer = frame->sense;
	srb->SenseInfoBufferLength = frame->sense == NULL ? 0 : sense_room(request);
	memcpy(srb->Cdb, request->cdb, sizeof(srb->Cdb));
}

static ULONG fill_scsi(struct srbex *all, const struct host_frame *frame, const struct host_request *request)
{
	struct host_srbex_cdb32 *data = &all->data.cdb32;
	ULONG room = request->cdb_length > 16 ? 32 : 16;

	data->Type = room == 16 ? HOST_SRBEX_CDB16 : HOST_SRBEX_CDB32;
	data->Length = (ULONG)offsetof(struct host_srbex_cdb16, Cdb) - 8 + room;
	data->CdbLength = request->cdb_length;
	data->SenseInfoBuffer = frame->sense;
	data->SenseInfoBufferLength = frame->sense == NULL ? 0 : sense_room(request);
	memcpy(data->Cdb, request->cdb, room);
	return (ULONG)offsetof(struct host_srbex_cdb16, Cdb) + room;
}

static ULONG fill_var(struct srbex *all, const struct host_frame *frame, const struct host_request *request)
{
	const ULONG head = (ULONG)offsetof(struct host_srbex_cdb_var, Cdb);
	struct host_srbex_cdb_var *data = &all->data.var;

	data->Type = HOST_SRBEX_CDB_VAR;
	data->Length = head - 8 + request->cdb_var_length;
	data->CdbLength = request->cdb_var_length;
	data->SenseInfoBuffer = frame->sense;
	data->SenseInfoBufferLength = frame->sense == NULL ? 0 : sense_room(request);
	memcpy(all->data.bytes + head, request->cdb, sizeof(request->cdb));
	return head + request->cdb_var_length;
}

static ULONG fill_data(struct srbex *all, const struct host_frame *frame, const struct host_request *request)
{
	if (request->function == HOST_SRB_EXECUTE_SCSI)
		return request->cdb_var_length == 0 ? fill_scsi(all, frame, request)
						    : fill_var(all, frame, request);
	if (request->function == HOST_SRB_PNP) {
		all->data.pnp = (struct host_srbex_pnp){.Type = HOST_SRBEX_PNP,
			.Length = sizeof(struct host_srbex_pnp) - 8,
			.PnPAction = request->action,
			.SrbPnPFlags = request->action_flags};
		return sizeof(struct host_srbex_pnp);
	}
	if (request->function == HOST_SRB_POWER) {
		all->data.power = (struct host_srbex_power){.Type = HOST_SRBEX_POWER,
			.Length = sizeof(struct host_srbex_power) - 8,
			.SrbPowerFlags = (UCHAR)request->action_flags,
			.DevicePowerState = request->power_state,
			.PowerAction = request->action};
		return sizeof(struct host_srbex_power);
	}
	return 0;
}

static void make_extended(struct host_frame *frame, const struct host_request *request)
{
	struct srbex all = {0}, *made;
	ULONG data_bytes = fill_data(&all, frame, request);

	all.address = host_address(request->target, request->lun);
	all.address.Path = request->path;
	all.srb.Length = HOST_SRBEX_LENGTH;
	all.srb.Function = HOST_SRB_EXTENDED;
	all.srb.Signature = HOST_SRBEX_SIGNATURE;
	all.srb.Version = HOST_SRBEX_VERSION;
	all.srb.SrbFunction = request->function;
	all.srb.SrbFlags = flags_of(request);
	all.srb.RequestAttribute = request->attribute;
	all.srb.TimeOutValue = 10;
	all.srb.AddressOffset = (ULONG)offsetof(struct srbex, address);
	all.srb.NumSrbExData = data_bytes == 0 ? 0 : 1;
	all.srb.SrbExDataOffset[0] = data_bytes == 0 ? 0 : (ULONG)offsetof(struct srbex, data);
	all.srb.DataTransferLength = request->length;
	all.srb.DataBuffer = frame->address;
	all.srb.OriginalRequest = frame;
	all.srb.MiniportContext = frame->extension;
	/* No byte behind what it says: a look past the end is seen. */
	all.srb.SrbLength = frame->srb_bytes = (ULONG)offsetof(struct srbex, data) + data_bytes;
	made = malloc(frame->srb_bytes);
	if (made == NULL)
		abort();
	memcpy(made, &all, frame->srb_bytes);
	frame->srb = made;
}

/* Its MDL begins before the data and ends after them: both sides are nobody's. */
static void give_buffer(struct host_frame *frame, const struct host_request *request)
{
	frame->is_read_write = is_read_write(request);
	frame->buffer = request->buffer;
	if (frame->buffer == NULL && request->length > 0) {
		frame->buffer = lf_fake_buffer_make(request->length, BESIDE, BESIDE, 0);
		frame->own_buffer = true;
		memset(frame->buffer->bytes - BESIDE, GUARD, BESIDE);
		memset(frame->buffer->bytes + request->length, GUARD, BESIDE);
		memcpy(frame->buffer->bytes, request->data, request->length);
	}
	if (frame->buffer == NULL)
		return;
	/* READ and WRITE: nobody has mapped them (MapBuffers: all but these). */
	frame->address = frame->is_read_write ? frame->buffer->data : frame->buffer->bytes;
}

static struct host_frame *frame_new(struct host_request *request)
{
	struct host_frame *frame = calloc(1, sizeof(*frame));

	if (frame == NULL)
		abort();
	frame->request = request;
	frame->extension_bytes = host_registered.SrbExtensionSize;
	frame->extension = garbage(frame->extension_bytes);
	if (request->function == HOST_SRB_EXECUTE_SCSI && sense_room(request) > 0)
		frame->sense = garbage(sense_room(request));
	give_buffer(frame, request);
	if (request->form == HOST_FORM_OLD)
		make_old(frame, request);
	else
		make_extended(frame, request);
	if (request->spoil != NULL)
		request->spoil(frame->srb, request->context);
	return frame;
}

void host_submit(struct host *host, struct host_request *request)
{
	struct host_frame *frame = frame_new(request), **at;
	struct host_place *place = host_place(host, request->target, request->lun);
	KIRQL old;

	host_lock(host);
	request->ended = false;
	at = bucket(host, frame->srb);
	frame->next = *at;
	*at = frame;
	host->outstanding++;
	if (place != NULL)
		place->outstanding++;
	host_unlock(host);
	old = lf_fake_irql_raise(DISPATCH_LEVEL);
	/* FALSE means busy to Storport: not a word that a virtual adapter has a use for. */
	if (!host_registered.HwStartIo(host->extension, frame->srb))
		lf_fake_broken("HwStartIo refused an SRB of function %02x", request->function);
	lf_fake_irql_lower(old);
}

/* ---- Completed ---- */

static void check_sense(const struct host_frame *frame, struct host_request *request, UCHAR said)
{
	UCHAR room = sense_room(request);

	request->sense_length = said;
	if (said > room)
		lf_fake_broken("%u bytes of sense in room for %u", said, room);
	else if (request->sense_valid && frame->sense == NULL)
		lf_fake_broken("sense data where there is no room for any");
	else if (request->sense_valid)
		memcpy(request->sense, frame->sense, said);
}

/*
 * Whoever sends it again, or finds nobody, looks at no data; and a SCSI status that says something else would
 * be believed by class drivers.
 */
static void check_failure(const struct host_request *request)
{
	switch (request->srb_status) {
	case HOST_STATUS_SUCCESS:
	case HOST_STATUS_DATA_OVERRUN:
	case HOST_STATUS_ERROR:
		return;
	case HOST_STATUS_BUSY:
		if (request->scsi_status == SCSI_BUSY || request->scsi_status == SCSI_TASK_SET_FULL)
			break;
		/* fall through */
	default:
		if (request->scsi_status != 0)
			lf_fake_broken("SRB status %02x with SCSI status %02x", request->srb_status,
				request->scsi_status);
	}
	if (request->moved != 0)
		lf_fake_broken("SRB status %02x with %u bytes moved", request->srb_status, request->moved);
}

static void read_results(struct host_frame *frame, struct host_request *request)
{
	UCHAR status, said = 0;
	bool has_fields = true; /* else nobody may have written its length */

	if (request->form == HOST_FORM_OLD) {
		struct host_srb *srb = frame->srb;

		status = srb->SrbStatus;
		request->moved = srb->DataTransferLength;
		request->scsi_status = srb->ScsiStatus;
		if (request->function == HOST_SRB_EXECUTE_SCSI)
			said = srb->SenseInfoBufferLength;
	} else {
		struct srbex *all = frame->srb;

		status = all->srb.SrbStatus;
		request->moved = all->srb.DataTransferLength;
		request->scsi_status = 0;
		has_fields = all->srb.Signature == HOST_SRBEX_SIGNATURE &&
			     all->srb.SrbLength >= offsetof(struct srbex, srb.SrbExDataOffset);
		if (request->function == HOST_SRB_EXECUTE_SCSI) {
			request->scsi_status = all->data.cdb16.ScsiStatus;
			said = all->data.cdb16.SenseInfoBufferLength;
		}
	}
	request->srb_status = status & HOST_STATUS_MASK;
	request->sense_valid = (status & HOST_STATUS_AUTOSENSE_VALID) != 0;
	if (request->srb_status == HOST_STATUS_PENDING)
		lf_fake_broken("an SRB of function %02x was completed as pending", request->function);
	if (status & HOST_STATUS_QUEUE_FROZEN)
		lf_fake_broken("a miniport does not freeze queues");
	if (request->moved > request->length)
		lf_fake_broken("%u bytes moved of %u", request->moved, request->length);
	if (has_fields && request->function != HOST_SRB_PNP && request->function != HOST_SRB_POWER)
		check_failure(request);
	check_sense(frame, request, said);
}

static bool is_guard(const uint8_t *bytes)
{
	for (uint32_t i = 0; i < BESIDE; i++)
		if (bytes[i] != GUARD)
			return false;
	return true;
}

static void take_buffer(struct host_frame *frame, struct host_request *request)
{
	const uint8_t *bytes = frame->buffer == NULL ? NULL : frame->buffer->bytes;

	if (!frame->own_buffer)
		return;
	if (!is_guard(bytes - BESIDE) || !is_guard(bytes + request->length))
		lf_fake_broken("a byte beside the data of CDB %02x was written", request->cdb[0]);
	if (request->flags & HOST_FLAGS_DATA_IN)
		memcpy(request->data, bytes, request->length);
	else if (memcmp(request->data, bytes, request->length) != 0)
		lf_fake_broken("the data that go out with CDB %02x were changed", request->cdb[0]);
	lf_fake_buffer_free(frame->buffer);
}

static void frame_free(struct host_frame *frame)
{
	memset(frame->srb, HOST_POISON, frame->srb_bytes);
	memset(frame->extension, HOST_POISON, frame->extension_bytes);
	free(frame->srb);
	free(frame->extension);
	free(frame->sense);
	free(frame);
}

#define LINGER_MS 100

void host_linger(struct host_request *request)
{
	request->lingers = true;
}

void host_stay(struct host *host)
{
	host->lingering++;
	for (int i = 0; i < LINGER_MS; i++) {
		host_unlock(host);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		host_lock(host);
	}
	host->lingering--;
}

void host_completed(struct host *host, void *srb)
{
	struct host_frame **at, *frame;
	struct host_request *request;
	struct host_place *place;
	void (*done)(struct host_request * request);
	bool lingers;
	KIRQL old;

	host_lock(host);
	at = find(host, srb);
	frame = *at;
	if (frame != NULL)
		*at = frame->next;
	host_unlock(host);
	if (frame == NULL)
		lf_fake_broken("an SRB was completed that is not outstanding");
	request = frame->request;
	lingers = request->lingers;
	read_results(frame, request);
	take_buffer(frame, request);
	frame_free(frame);
	done = request->done;
	place = host_place(host, request->target, request->lun);
	if (done != NULL) {
		old = lf_fake_irql_raise(DISPATCH_LEVEL);
		done(request);
		lf_fake_irql_lower(old);
	}
	host_lock(host);
	host->outstanding--;
	if (place != NULL)
		place->outstanding--;
	if (done == NULL)
		request->ended = true;
	pthread_cond_broadcast(&host->changed);
	if (lingers)
		host_stay(host);
	host_unlock(host);
}

void host_wait(struct host *host, struct host_request *request)
{
	host_lock(host);
	while (!request->ended)
		host_sleep_locked(host, "an SRB to end");
	host_unlock(host);
}

bool host_has_ended(struct host *host, struct host_request *request)
{
	bool ended;

	host_lock(host);
	ended = request->ended;
	host_unlock(host);
	return ended;
}

void host_run(struct host *host, struct host_request *request)
{
	host_submit(host, request);
	host_wait(host, request);
}

void host_drain(struct host *host)
{
	host_lock(host);
	while (host->outstanding > 0)
		host_sleep_locked(host, "all SRBs to end");
	host_unlock(host);
}

uint32_t host_outstanding(struct host *host)
{
	uint32_t count;

	host_lock(host);
	count = host->outstanding;
	host_unlock(host);
	return count;
}

uint32_t host_sense(const struct host_request *request)
{
	if (!request->sense_valid || request->sense_length < 14 || (request->sense[0] & 0x7e) != 0x70)
		return 0;
	if (request->sense[0] & 2)
		return (uint32_t)request->sense[1] << 16 | (uint32_t)request->sense[2] << 8 |
		       request->sense[3];
	return (uint32_t)(request->sense[2] & 15) << 16 | (uint32_t)request->sense[12] << 8 |
	       request->sense[13];
}

/* ---- Asked for ---- */

ULONG host_system_address(struct host *host, void *srb, void **address)
{
	struct host_frame *frame = frame_of(host, srb, "GetSystemAddress");

	*address = (void *)(uintptr_t)HOST_POISON; /* nobody's, unless it succeeds */
	if (frame->address == NULL)
		return HOST_STOR_INVALID_PARAMETER;
	if (fails_to_map())
		return HOST_STOR_INSUFFICIENT_RESOURCES;
	if (frame->is_read_write)
		lf_fake_broken("READ and WRITE are not mapped: CDB %02x", frame->request->cdb[0]);
	*address = frame->address;
	return HOST_STOR_SUCCESS;
}

ULONG host_original_mdl(struct host *host, void *srb, MDL **mdl)
{
	struct host_frame *frame = frame_of(host, srb, "GetOriginalMdl");

	if (frame->buffer == NULL)
		return HOST_STOR_INVALID_PARAMETER;
	*mdl = frame->buffer->mdl;
	return HOST_STOR_SUCCESS;
}
