/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model_poll.c: one look at the adapter and all its devices. Each opens the adapter anew: a connection that
 * stayed open would keep Windows from removing or updating the driver.
 */
#include "programs/gui/model_own.h"
#include "programs/kept_nt.h"

#include <stdlib.h>
#include <string.h>

#define SNAPSHOTS_MAX 4 /* that were posted and not freed: the window does not keep up */

struct lf_gui_known {
	uint32_t number; /* the device's */
	struct lf_gui_pulse pulse;
	wchar_t disk[LF_DISK_NAME_UNITS];
};

_Static_assert(
	sizeof(((struct lf_gui_known *)0)->disk) == sizeof(((struct lf_gui_device *)0)->disk), "one name");

static volatile LONG snapshots;

void lf_gui_snapshot_free(struct lf_gui_snapshot *snapshot)
{
	if (snapshot)
		InterlockedDecrement(&snapshots);
	free(snapshot);
}

static struct lf_gui_snapshot *make(uint32_t count)
{
	struct lf_gui_snapshot *snapshot =
		calloc(1, sizeof(*snapshot) + count * sizeof(snapshot->devices[0]));

	if (!snapshot)
		return NULL;
	InterlockedIncrement(&snapshots);
	snapshot->count = count;
	return snapshot;
}

/* ---- Counters ---- */

/* False: it has left, or nobody answers any more. */
static bool count_device(const struct lf_command_line *line, struct lf_client *client,
	struct lf_gui_device *device, struct lf_gui_known *known, int *status)
{
	struct lf_gui_counts now;
	struct lf_sample *sample;
	char id[16];

	snprintf(id, sizeof(id), "%u", device->device.number);
	*status = lf_sample_read(line, client, id, &sample);
	if (*status != LF_EXIT_DONE)
		return false;
	now.reads = lf_sample_value(sample, "read_commands");
	now.writes = lf_sample_value(sample, "write_commands");
	now.read_bytes = lf_sample_value(sample, "read_bytes");
	now.written_bytes = lf_sample_value(sample, "write_bytes");
	lf_gui_pulse_add(&known->pulse, lf_sample_taken_ns(sample), &now);
	free(sample);
	device->reads = now.reads;
	device->writes = now.writes;
	device->read_bytes = now.read_bytes;
	device->written_bytes = now.written_bytes;
	device->reads_rate = known->pulse.rates.reads;
	device->writes_rate = known->pulse.rates.writes;
	device->read_rate_bytes = known->pulse.rates.read_bytes;
	device->written_rate_bytes = known->pulse.rates.written_bytes;
	return true;
}

/* One that does not tell its counters keeps no other from it, as long as the adapter answers. */
static void count_all(const struct lf_gui_model *model, struct lf_client *client,
	struct lf_gui_snapshot *snapshot, struct lf_gui_known *known)
{
	struct lf_gui_message unheard;
	struct lf_command_line line;
	int status = LF_EXIT_DONE;

	lf_gui_line(model, &unheard, &line);
	line.may_be_gone = true;
	for (uint32_t i = 0;
		i < snapshot->count && status != LF_EXIT_NO_ADAPTER && status != LF_EXIT_TIMED_OUT; i++) {
		struct lf_gui_device *device = &snapshot->devices[i];
		if (device->device.state != LF_CONTROL_OFFLINE)
			device->counted = count_device(&line, client, device, &known[i], &status);
	}
}

/* ---- Names ---- */

struct naming {
	struct lf_gui_snapshot *snapshot;
	struct lf_gui_known *known;
};

static bool name_disk(void *context, const struct lf_disk *disk)
{
	struct naming *naming = context;

	for (uint32_t i = 0; i < naming->snapshot->count; i++) {
		const struct lf_control_device *device = &naming->snapshot->devices[i].device;
		if (device->state != LF_CONTROL_OFFLINE && lf_disk_is(disk, device))
			memcpy(naming->known[i].disk, disk->name, sizeof(disk->name));
	}
	return false;
}

/*
 * What Windows calls a disk stays until devices come or go: only those without a name are looked for. Asked
 * for before the adapter's list is read, so that what changes meanwhile is looked at again.
 */
static void forget_names(struct lf_gui_model *model, struct lf_gui_memory *memory)
{
	bool renames;

	EnterCriticalSection(&model->lock);
	renames = model->renames;
	model->renames = false;
	LeaveCriticalSection(&model->lock);
	for (uint32_t i = 0; renames && i < memory->count; i++)
		memory->at[i].disk[0] = L'\0';
}

static void name_all(struct lf_client *client, struct lf_gui_snapshot *snapshot, struct lf_gui_known *known)
{
	struct naming naming = {snapshot, known};
	bool nameless = false;

	for (uint32_t i = 0; i < snapshot->count; i++)
		nameless |= known[i].disk[0] == L'\0';
	if (nameless)
		lf_find_disk(lf_client_node(client), name_disk, &naming);
	for (uint32_t i = 0; i < snapshot->count; i++)
		memcpy(snapshot->devices[i].disk, known[i].disk, sizeof(known[i].disk));
}

/* ---- The snapshot ---- */

/* What was known of them; both lists are in the order of their numbers. */
static struct lf_gui_known *recall(const struct lf_gui_memory *memory, const struct lf_devices *devices)
{
	struct lf_gui_known *known = calloc(devices->count + 1u, sizeof(*known));
	uint32_t old = 0;

	for (uint32_t i = 0; known && i < devices->count; i++) {
		while (old < memory->count && memory->at[old].number < devices->at[i].number)
			old++;
		if (old < memory->count && memory->at[old].number == devices->at[i].number)
			known[i] = memory->at[old];
		known[i].number = devices->at[i].number;
	}
	return known;
}

static void describe(const struct lf_control_device *device, struct lf_gui_device *shown)
{
	char path[LF_CONTROL_PATH_CAPACITY];

	shown->device = *device;
	shown->kept = lf_kept_has(device);
	if (!lf_wide(lf_image_shown(device->image.bytes, path), shown->image, LF_CONTROL_PATH_CAPACITY))
		shown->image[0] = L'\0';
}

/* Takes over what is remembered. */
static struct lf_gui_snapshot *look(const struct lf_gui_model *model, struct lf_client *client,
	const struct lf_devices *devices, struct lf_gui_memory *memory)
{
	struct lf_gui_known *known = recall(memory, devices);
	struct lf_gui_snapshot *snapshot = known ? make(devices->count) : NULL;

	if (!snapshot) {
		free(known);
		return NULL;
	}
	for (uint32_t i = 0; i < devices->count; i++)
		describe(&devices->at[i], &snapshot->devices[i]);
	count_all(model, client, snapshot, known);
	name_all(client, snapshot, known);
	free(memory->at);
	memory->at = known;
	memory->count = devices->count;
	return snapshot;
}

struct lf_gui_snapshot *lf_gui_snapshot_take(struct lf_gui_worker *worker, struct lf_gui_memory *memory)
{
	struct lf_gui_snapshot *snapshot = NULL;
	struct lf_devices devices = {0};
	struct lf_gui_message message;
	struct lf_command_line line;
	struct lf_client *client;
	int status;

	if (snapshots >= SNAPSHOTS_MAX)
		return NULL;
	forget_names(worker->model, memory);
	lf_gui_line(worker->model, &message, &line);
	client = lf_gui_open(worker, &line, &status);
	if (client) {
		status = lf_fetch_devices(&line, client, &devices);
		if (status == LF_EXIT_DONE)
			snapshot = look(worker->model, client, &devices, memory);
		lf_gui_close(worker, client);
	}
	free(devices.at);
	if (status == LF_EXIT_DONE)
		return snapshot;
	/* The next adapter numbers its devices anew. */
	free(memory->at);
	*memory = (struct lf_gui_memory){0};
	snapshot = make(0);
	if (snapshot) {
		snapshot->status = status;
		snapshot->message = message;
	}
	return snapshot;
}
