/* SPDX-License-Identifier: BSD-2-Clause */
/* describe.c: what is known of a device, and the names by which it is found. */
#include "control/device.h"
#include "control/path.h"

#define FAULT_NS     UINT64_C(60000000000) /* how long a failure of the image is shown */
#define URL_CAPACITY sizeof(((struct lf_control_device *)0)->url.bytes)

struct lf_lu *lf_device_lu(struct lf_device *device)
{
	return device->lu;
}

/* The URL of the device at the edge's portal of this index. False: there is none. */
static bool make_url(const struct lf_control_edge *edge, uint32_t index, uint32_t lun, bool reachable,
	char url[URL_CAPACITY])
{
	struct lf_control_portal portal;
	const char *address = portal.address.bytes, *host = "", *port;

	if (!edge->portal || !edge->portal(edge->context, index, &portal))
		return false;
	/* A wildcard address is no place to connect to: this machine's own loopback is, for whoever reads it.
	 */
	port = reachable ? strrchr(address, ':') : NULL;
	if (port && strncmp(address, "0.0.0.0:", 8) == 0)
		host = "127.0.0.1";
	else if (port && strncmp(address, "[::]:", 5) == 0)
		host = "[::1]";
	lf_format(url, URL_CAPACITY, "iscsi://%s%s/%s/%u", host, *host ? port : address, edge->iqn, lun);
	return true;
}

/* A failure a while ago was one of a time; a sync that failed stays one. */
static bool is_failing(const struct lf_device *device)
{
	bool (*has_failed)(struct lf_store *) = device->devices->options.has_failed;
	struct lf_lu_counters counters;

	if (!device->medium.store)
		return false;
	if (has_failed && has_failed(device->medium.store))
		return true;
	lf_lu_count(device->lu, &counters);
	return counters.last_error != LF_OK && counters.last_error_time_ns >= device->medium.since_ns &&
	       lf_time_ns() - counters.last_error_time_ns < FAULT_NS;
}

static uint32_t state_of(const struct lf_device *device, const struct lf_lu_facts *facts)
{
	if (device->leaving)
		return LF_CONTROL_OFFLINE;
	if (device->change.runs)
		return LF_CONTROL_IN_USE;
	if (!facts->medium)
		return LF_CONTROL_EMPTY;
	return is_failing(device) ? LF_CONTROL_FAULT : LF_CONTROL_READY;
}

static uint32_t flags_of(const struct lf_device *device, const struct lf_lu_facts *facts)
{
	return (facts->read_only ? LF_CONTROL_DEVICE_READ_ONLY : 0u) |
	       (facts->removable ? LF_CONTROL_DEVICE_REMOVABLE : 0u) |
	       (facts->info.can_unmap ? LF_CONTROL_DEVICE_UNMAP : 0u) |
	       (facts->ejected ? LF_CONTROL_DEVICE_EJECTED : 0u) |
	       (facts->prevented ? LF_CONTROL_DEVICE_PREVENTED : 0u) |
	       (device->saves ? LF_CONTROL_DEVICE_SAVES : 0u);
}

void lf_device_describe(struct lf_device *device, struct lf_control_device *record)
{
	const struct lf_control_edge *edge = &device->devices->options.edge;
	char url[URL_CAPACITY];
	struct lf_lu_facts facts;

	if (!device->lu) {
		*record = device->was;
		return;
	}
	memset(record, 0, sizeof(*record));
	lf_lu_describe(device->lu, &facts);
	record->number = device->number;
	record->type = (uint32_t)facts.type;
	record->target = facts.target;
	record->lun = facts.lun;
	record->state = state_of(device, &facts);
	record->flags = flags_of(device, &facts);
	record->block_size = facts.info.block_size;
	record->physical_block_size = facts.info.physical_block_size;
	record->sessions = edge->session_count && !device->leaving ? edge->session_count(edge->context) : 0;
	record->block_count = facts.info.block_count;
	record->in_flight = facts.in_flight;
	record->identifier = facts.identifier;
	record->rotation = device->rotation;
	lf_control_set_text(&record->id, device->id);
	lf_control_set_text(&record->vendor, facts.vendor);
	lf_control_set_text(&record->product, facts.product);
	lf_control_set_text(&record->revision, facts.revision);
	lf_control_set_text(&record->serial, facts.serial);
	lf_control_set_text(&record->image, device->medium.path);
	if (make_url(edge, 0, record->lun, true, url))
		lf_control_set_text(&record->url, url);
}

static bool has_address(struct lf_device *device, const char *id)
{
	char address[40];

	lf_format(address, sizeof(address), "0:%u:%u", device->target, device->lun);
	return strcmp(address, id) == 0;
}

/* Any portal's URL will do; the last part is the LUN. */
static bool has_url(struct lf_device *device, const char *id)
{
	const struct lf_control_edge *edge = &device->devices->options.edge;
	char url[URL_CAPACITY];

	if (make_url(edge, 0, device->lun, true, url) && strcmp(url, id) == 0)
		return true;
	for (uint32_t i = 0; make_url(edge, i, device->lun, false, url); i++) {
		if (strcmp(url, id) == 0)
			return true;
	}
	return false;
}

static bool has_name(struct lf_device *device, const char *id)
{
	return strcmp(device->id, id) == 0;
}

static bool has_number(struct lf_device *device, const char *id)
{
	char number[16];

	lf_format(number, sizeof(number), "%u", device->number);
	return strcmp(number, id) == 0;
}

static bool has_path(struct lf_device *device, const char *path)
{
	return *path && lf_path_is_same(device->medium.path, path);
}

struct lf_device *lf_devices_find(struct lf_devices *devices, const char *id, const char *path)
{
	static bool (*const ways[])(struct lf_device *, const char *) = {
		has_name, has_number, has_path, has_address, has_url};

	for (uint32_t i = 0; i < lf_count_of(ways); i++) {
		const char *wanted = ways[i] == has_path && *path ? path : id;
		lf_list_each(link, next, &devices->list)
		{
			struct lf_device *device = lf_device_of(link);
			if (!device->arrival && ways[i](device, wanted))
				return device;
		}
	}
	return NULL;
}

bool lf_devices_expect(struct lf_devices *devices, const char *id, const char *path)
{
	lf_list_each(link, next, &devices->list)
	{
		struct lf_device *device = lf_device_of(link);
		if (device->arrival && (has_name(device, id) || has_path(device, *path ? path : id)))
			return true;
	}
	return false;
}
