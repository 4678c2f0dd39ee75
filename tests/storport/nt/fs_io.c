/* SPDX-License-Identifier: BSD-2-Clause */
/* fs_io.c: one request after another: rules, what holds it up, the transfer, its end. */
#include <stdlib.h>
#include <string.h>

#include "tests/storport/nt/fs.h"

#define WORKERS 2

struct active_rule {
	struct lf_fake_rule rule;
	uint32_t seen, hit;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct active_rule rules[LF_FAKE_RULES_MAX];
static uint32_t rule_count, blocked;
static uint64_t releases; /* grows with each lf_fake_release */
static LIST_ENTRY queued = {&queued, &queued}, held = {&held, &held};
static pthread_t workers[WORKERS];
static bool runs, ends;
static uint32_t how = LF_FAKE_EITHER; /* by atomics */
static struct lf_fake_dice dice, rule_dice;

void lf_fake_fs_how(enum lf_fake_how as, uint64_t seed)
{
	lf_fake_dice_set(&dice, seed);
	__atomic_store_n(&how, as, __ATOMIC_RELAXED);
}

/* ---- the end ---- */

static void finish(struct lf_fake_io *io)
{
	IRP *irp = io->irp;
	IO_STATUS_BLOCK result = {.Status = io->status, .Information = io->information};
	KEVENT *done = io->done;
	FILE_OBJECT *object = io->object;
	__atomic_sub_fetch(&io->open->outstanding, 1, __ATOMIC_RELEASE);
	if (irp) {
		free(io);
		irp->IoStatus = result;
		lf_fake_irp_end(irp);
		return;
	}
	*io->status_to = result;
	if (!done)
		free(io);
	KeSetEvent(&object->Event, IO_NO_INCREMENT, FALSE);
	lf_fake_object_dereference(object);
	if (done)
		KeSetEvent(done, IO_NO_INCREMENT, FALSE);
}

/* ---- the transfer ---- */

static NTSTATUS transfer(struct lf_fake_io *io)
{
	struct lf_fake_file *file = io->open->file;
	uint8_t *data = io->out;
	uint64_t size = lf_fake_file_size(file);
	if (io->irp)
		data = MmGetSystemAddressForMdlSafe(
			io->irp->MdlAddress, NormalPagePriority | MdlMappingNoExecute);
	if (!data)
		return STATUS_INSUFFICIENT_RESOURCES;
	uint64_t length = io->length < io->most ? io->length : io->most;
	if (io->op == LF_FAKE_WRITE) {
		NTSTATUS status = lf_fake_data_write(file, io->offset, data, length);
		io->information = NT_SUCCESS(status) ? length + io->more : 0;
		return status;
	}
	if (io->offset >= size)
		return STATUS_END_OF_FILE;
	length = length < size - io->offset ? length : size - io->offset;
	lf_fake_data_read(file, io->offset, data, length);
	io->information = length + io->more;
	return STATUS_SUCCESS;
}

static NTSTATUS zero(struct lf_fake_io *io)
{
	const FILE_ZERO_DATA_INFORMATION *range = io->in;
	if (io->open->volume->options.no_sparse)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (io->in_bytes < sizeof(*range) || range->FileOffset.QuadPart < 0 ||
		range->BeyondFinalZero.QuadPart < range->FileOffset.QuadPart)
		return STATUS_INVALID_PARAMETER;
	uint64_t end = (uint64_t)range->BeyondFinalZero.QuadPart, size = lf_fake_file_size(io->open->file);
	uint64_t from = (uint64_t)range->FileOffset.QuadPart;
	end = end < size ? end : size;
	return from < end ? lf_fake_data_zero(io->open->file, from, end - from) : STATUS_SUCCESS;
}

static NTSTATUS trim(struct lf_fake_io *io)
{
	const FILE_LEVEL_TRIM *list = io->in;
	const size_t before = offsetof(FILE_LEVEL_TRIM, Ranges);
	if (io->open->volume->options.no_trim)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (io->in_bytes < sizeof(*list) || list->NumRanges == 0 ||
		list->NumRanges > (io->in_bytes - before) / sizeof(list->Ranges[0]))
		return STATUS_INVALID_PARAMETER;
	const FILE_LEVEL_TRIM_RANGE *ranges = list->Ranges;
	uint64_t size = lf_fake_file_size(io->open->file);
	for (ULONG i = 0; i < list->NumRanges; i++) {
		uint64_t end = ranges[i].Offset + ranges[i].Length;
		end = end < size ? end : size;
		if (ranges[i].Offset < end)
			lf_fake_data_discard(io->open->file, ranges[i].Offset, end - ranges[i].Offset);
	}
	return STATUS_SUCCESS;
}

static NTSTATUS ranges_of(struct lf_fake_io *io)
{
	const FILE_ALLOCATED_RANGE_BUFFER *asked = io->in;
	FILE_ALLOCATED_RANGE_BUFFER *to = io->out;
	if (io->in_bytes < sizeof(*asked) || asked->FileOffset.QuadPart < 0 || asked->Length.QuadPart < 0)
		return STATUS_INVALID_PARAMETER;
	uint64_t from = (uint64_t)asked->FileOffset.QuadPart, length = 0;
	uint64_t end = from + (uint64_t)asked->Length.QuadPart;
	uint32_t count = 0, room = io->out_bytes / (uint32_t)sizeof(*to);
	while (lf_fake_data_range(io->open->file, from + length, end, &from, &length)) {
		if (count == room)
			return STATUS_BUFFER_OVERFLOW;
		to[count].FileOffset.QuadPart = (LONGLONG)from;
		to[count++].Length.QuadPart = (LONGLONG)length;
		io->information = count * sizeof(*to);
	}
	return STATUS_SUCCESS;
}

static NTSTATUS set_sparse(struct lf_fake_io *io)
{
	struct lf_fake_file *file = io->open->file;
	if (io->open->volume->options.no_sparse)
		return STATUS_INVALID_DEVICE_REQUEST;
	bool on = io->in_bytes == 0 || ((const FILE_SET_SPARSE_BUFFER *)io->in)->SetSparse;
	pthread_mutex_lock(&file->mutex);
	file->attributes = on ? file->attributes | FILE_ATTRIBUTE_SPARSE_FILE
			      : file->attributes & ~(ULONG)FILE_ATTRIBUTE_SPARSE_FILE;
	pthread_mutex_unlock(&file->mutex);
	return STATUS_SUCCESS;
}

static void perform(struct lf_fake_io *io)
{
	NTSTATUS status = __atomic_load_n(&io->open->volume->status, __ATOMIC_ACQUIRE);
	if (NT_SUCCESS(status)) {
		switch (io->op) {
		case LF_FAKE_FLUSH:
			lf_fake_data_flush(io->open->file);
			break;
		case LF_FAKE_ZERO:
			status = zero(io);
			break;
		case LF_FAKE_TRIM:
			status = trim(io);
			break;
		case LF_FAKE_RANGES:
			status = ranges_of(io);
			break;
		case LF_FAKE_SPARSE:
			status = set_sparse(io);
			break;
		default:
			status = transfer(io);
		}
	}
	io->status = status;
}

/* ---- what is queued, and what is held ---- */

static void *worker(void *argument)
{
	UNREFERENCED_PARAMETER(argument);
	pthread_mutex_lock(&mutex);
	while (!ends) {
		if (IsListEmpty(&queued)) {
			pthread_cond_wait(&changed, &mutex);
			continue;
		}
		struct lf_fake_io *io = CONTAINING_RECORD(RemoveHeadList(&queued), struct lf_fake_io, link);
		pthread_mutex_unlock(&mutex);
		if (io->status == STATUS_PENDING)
			perform(io);
		finish(io);
		pthread_mutex_lock(&mutex);
	}
	pthread_mutex_unlock(&mutex);
	return NULL;
}

/* Under the mutex. */
static void queue(struct lf_fake_io *io)
{
	InsertTailList(&queued, &io->link);
	for (uint32_t i = 0; i < WORKERS && !runs; i++)
		if (pthread_create(&workers[i], NULL, worker, NULL))
			lf_fake_broken("the host has no thread any more");
	runs = true;
	pthread_cond_broadcast(&changed);
}

/* Called with the cancel spin lock, and gives it back. */
static VOID cancelled(DEVICE_OBJECT *device, IRP *irp)
{
	UNREFERENCED_PARAMETER(device);
	struct lf_fake_io *found = NULL;
	IoReleaseCancelSpinLock(irp->CancelIrql);
	pthread_mutex_lock(&mutex);
	for (LIST_ENTRY *at = held.Flink; at != &held && !found; at = at->Flink) {
		struct lf_fake_io *io = CONTAINING_RECORD(at, struct lf_fake_io, link);
		found = io->irp == irp ? io : NULL;
	}
	RemoveEntryList(&found->link);
	pthread_mutex_unlock(&mutex);
	found->status = STATUS_CANCELLED;
	found->information = 0;
	finish(found);
}

/* Under the mutex, which it lets go. */
static NTSTATUS hold(struct lf_fake_io *io, NTSTATUS status)
{
	IRP *irp = io->irp;
	io->held_status = status;
	InsertTailList(&held, &io->link);
	if (irp)
		IoSetCancelRoutine(irp, cancelled);
	bool is_late = irp && irp->Cancel && IoSetCancelRoutine(irp, NULL);
	if (is_late)
		RemoveEntryList(&io->link);
	pthread_mutex_unlock(&mutex);
	if (is_late) {
		io->status = STATUS_CANCELLED;
		finish(io);
	}
	return STATUS_PENDING;
}

void lf_fake_release(void)
{
	pthread_mutex_lock(&mutex);
	releases++;
	for (LIST_ENTRY *at = held.Flink, *next; at != &held; at = next) {
		struct lf_fake_io *io = CONTAINING_RECORD(at, struct lf_fake_io, link);
		next = at->Flink;
		/* Whose cancel routine runs already takes it out itself. */
		if (io->irp && !IoSetCancelRoutine(io->irp, NULL))
			continue;
		RemoveEntryList(&io->link);
		if (!NT_SUCCESS(io->held_status))
			io->status = io->held_status;
		queue(io);
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

uint32_t lf_fake_held(void)
{
	uint32_t count = 0;
	pthread_mutex_lock(&mutex);
	for (LIST_ENTRY *at = held.Flink; at != &held; at = at->Flink)
		count++;
	count += blocked;
	pthread_mutex_unlock(&mutex);
	return count;
}

/* ---- rules ---- */

void lf_fake_rule_add(const struct lf_fake_rule *rule)
{
	pthread_mutex_lock(&mutex);
	if (rule_count == LF_FAKE_RULES_MAX)
		lf_fake_broken("more than %d rules", LF_FAKE_RULES_MAX);
	rules[rule_count++] = (struct active_rule){.rule = *rule};
	pthread_mutex_unlock(&mutex);
}

void lf_fake_rules_clear(void)
{
	pthread_mutex_lock(&mutex);
	rule_count = 0;
	pthread_mutex_unlock(&mutex);
}

static bool matches(const struct lf_fake_rule *rule, const struct lf_fake_io *io)
{
	bool is_named = rule->ops & 1u << io->op || (!rule->ops && io->op < LF_FAKE_OPEN_FILE);
	bool has_range = io->op == LF_FAKE_READ || io->op == LF_FAKE_WRITE;
	uint64_t end = rule->length ? rule->offset + rule->length : UINT64_MAX;
	if (!is_named || (rule->file && rule->file != io->open->file))
		return false;
	return !has_range || (io->offset < end && io->offset + io->length > rule->offset);
}

/* Under the mutex. False: none is for it. */
static bool choose(const struct lf_fake_io *io, struct lf_fake_rule *chosen)
{
	for (uint32_t i = 0; i < rule_count; i++) {
		struct active_rule *active = &rules[i];
		const struct lf_fake_rule *rule = &active->rule;
		if (!matches(rule, io) || active->seen++ < rule->spared ||
			(rule->count && active->hit == rule->count))
			continue;
		if (rule->per_1024 && lf_fake_dice_throw(&rule_dice, 1024) >= rule->per_1024)
			continue;
		active->hit++;
		*chosen = *rule;
		return true;
	}
	return false;
}

/* Under the mutex: the calling thread stands still. */
static void block(void)
{
	uint64_t now = releases;
	blocked++;
	while (releases == now)
		pthread_cond_wait(&changed, &mutex);
	blocked--;
}

/* STATUS_SUCCESS: goes on; STATUS_PENDING: held. Else it ends with that. Under the mutex, which it lets go.
 */
static NTSTATUS apply(struct lf_fake_io *io, const struct lf_fake_rule *rule)
{
	NTSTATUS status = rule->status;
	switch (rule->what) {
	case LF_FAKE_PEND:
		if (io->irp)
			IoMarkIrpPending(io->irp);
		return hold(io, status);
	case LF_FAKE_BLOCK:
		block();
		break;
	case LF_FAKE_SHORT:
		io->most = rule->short_bytes;
		status = STATUS_SUCCESS;
		break;
	case LF_FAKE_LONG:
		io->more = rule->long_bytes;
		status = STATUS_SUCCESS;
		break;
	case LF_FAKE_CALL:
		pthread_mutex_unlock(&mutex);
		status = rule->call(rule->context, io->op, io->offset, io->length);
		return status == STATUS_MORE_PROCESSING_REQUIRED ? STATUS_SUCCESS : status;
	default:
		break;
	}
	pthread_mutex_unlock(&mutex);
	return status;
}

static void count(struct lf_fake_file *file, enum lf_fake_op op)
{
	pthread_mutex_lock(&file->mutex);
	file->counts[op]++;
	pthread_mutex_unlock(&file->mutex);
}

NTSTATUS lf_fake_io_call(struct lf_fake_file *file, enum lf_fake_op op)
{
	struct lf_fake_rule rule;
	struct lf_fake_open open = {.file = file};
	struct lf_fake_io io = {.op = op, .open = &open};
	if (!file)
		return STATUS_SUCCESS;
	count(file, op);
	pthread_mutex_lock(&mutex);
	if (!choose(&io, &rule)) {
		pthread_mutex_unlock(&mutex);
		return STATUS_SUCCESS;
	}
	if (rule.what == LF_FAKE_PEND || rule.what == LF_FAKE_SHORT || rule.what == LF_FAKE_LONG)
		lf_fake_broken("a rule that a call pends, is short, or long");
	return apply(&io, &rule);
}

NTSTATUS lf_fake_io_submit(struct lf_fake_io *io)
{
	struct lf_fake_rule rule;
	NTSTATUS status = io->status; /* of the checks that were made already */
	enum lf_fake_how as = __atomic_load_n(&how, __ATOMIC_RELAXED);
	__atomic_add_fetch(&io->open->outstanding, 1, __ATOMIC_RELAXED);
	io->most = UINT32_MAX;
	if (io->open->file)
		count(io->open->file, io->op);
	pthread_mutex_lock(&mutex);
	if (NT_SUCCESS(status) && choose(io, &rule)) {
		io->status = STATUS_PENDING;
		status = apply(io, &rule);
		if (status == STATUS_PENDING)
			return status;
	} else {
		pthread_mutex_unlock(&mutex);
	}
	io->status = NT_SUCCESS(status) ? STATUS_PENDING : status;
	if (as == LF_FAKE_PENDING || (as == LF_FAKE_EITHER && lf_fake_dice_throw(&dice, 2))) {
		if (io->irp)
			IoMarkIrpPending(io->irp);
		pthread_mutex_lock(&mutex);
		queue(io);
		pthread_mutex_unlock(&mutex);
		return STATUS_PENDING;
	}
	if (io->status == STATUS_PENDING)
		perform(io);
	status = io->status;
	finish(io);
	return status;
}

uint64_t lf_fake_file_count(struct lf_fake_file *file, enum lf_fake_op op)
{
	pthread_mutex_lock(&file->mutex);
	uint64_t count = file->counts[op];
	pthread_mutex_unlock(&file->mutex);
	return count;
}

void lf_fake_io_reset(void)
{
	pthread_mutex_lock(&mutex);
	if (!IsListEmpty(&held) || !IsListEmpty(&queued) || blocked)
		lf_fake_broken("lf_fake_reset while requests are held");
	rule_count = 0;
	bool did_run = runs;
	ends = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	for (uint32_t i = 0; i < WORKERS && did_run; i++)
		pthread_join(workers[i], NULL);
	pthread_mutex_lock(&mutex);
	runs = ends = false;
	pthread_mutex_unlock(&mutex);
	lf_fake_dice_set(&rule_dice, 1);
	lf_fake_fs_how(LF_FAKE_EITHER, 1);
}
