/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host_scan.c: looks who is on the bus whenever the driver says that this has changed: INQUIRY and REPORT
 * LUNS to LUN 0 of each target, INQUIRY to each LUN of the list. Whoever is not found is removed by surprise,
 * and told so once nobody holds him any more.
 */
#include <string.h>
#include <time.h>

#include "tests/storport/native/host_parts.h"

#define TRIES_MAX     60000
#define LIST_BYTES    (8 + 8 * 256)
#define SERIAL_BYTES  36
#define NEWCOMERS_MAX 3

#define UNIT_NOT_SUPPORTED 0x052500 /* it left while the question was on its way */

enum found { FOUND_NOBODY, FOUND_NO_LUN, FOUND_NO_UNIT, FOUND_UNIT };

struct host_place *host_place(struct host *host, uint8_t target, uint8_t lun)
{
	return target < HOST_TARGETS && lun < HOST_LUNS ? &host->places[target][lun] : NULL;
}

/* What is answered by chance, as by a reset that runs, is asked again. */
static uint8_t ask(struct host *host, struct host_request *request)
{
	for (int i = 0; i < TRIES_MAX; i++) {
		request->moved = 0;
		host_run(host, request);
		switch (request->srb_status) {
		case HOST_STATUS_BUS_RESET:
		case HOST_STATUS_BUSY:
		case HOST_STATUS_ABORTED:
		case HOST_STATUS_TIMEOUT:
			break;
		case HOST_STATUS_ERROR:
			if (request->scsi_status != 0x28 && request->scsi_status != 0x08 &&
				host_sense(request) >> 16 != 6)
				return HOST_STATUS_ERROR;
			break;
		default:
			return request->srb_status;
		}
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	lf_fake_broken("%u:%u does not answer %02x: SRB status %02x", request->target, request->lun,
		request->cdb[0], request->srb_status);
}

static bool is_good(uint8_t status)
{
	return status == HOST_STATUS_SUCCESS || status == HOST_STATUS_DATA_OVERRUN;
}

static enum found inquire(
	struct host *host, uint8_t target, uint8_t lun, uint8_t page, uint8_t *to, uint8_t room)
{
	struct host_request request = {.target = target,
		.lun = lun,
		.cdb = {0x12, page != 0, page, 0, room},
		.cdb_length = 6,
		.flags = HOST_FLAGS_DATA_IN,
		.attribute = HOST_QUEUE_SIMPLE,
		.data = to,
		.length = room};
	uint8_t status = ask(host, &request), again[36];

	/* It has left since it was asked what it is; somebody else may have come to its place. */
	for (int i = 0; i < NEWCOMERS_MAX && !is_good(status) && page != 0; i++) {
		if (inquire(host, target, lun, 0, again, sizeof(again)) != FOUND_UNIT)
			return FOUND_NO_UNIT;
		status = ask(host, &request);
	}
	if (status == HOST_STATUS_INVALID_LUN ||
		(status == HOST_STATUS_ERROR && host_sense(&request) == UNIT_NOT_SUPPORTED))
		return FOUND_NO_LUN;
	if (status == HOST_STATUS_NO_DEVICE)
		return FOUND_NOBODY;
	if (!is_good(status))
		lf_fake_broken("INQUIRY of %u:%u ends with SRB status %02x", target, lun, status);
	if (request.moved < 5 || to[0] >> 5 != 0)
		return FOUND_NO_UNIT;
	return FOUND_UNIT;
}

/* The LUNs that the target lists; false: it answers nothing. */
static bool list(struct host *host, uint8_t target, bool luns[HOST_LUNS])
{
	static const uint8_t none[8];
	uint8_t data[LIST_BYTES] = {0};
	struct host_request request = {.target = target,
		.cdb = {0xa0, 0, 0, 0, 0, 0, 0, 0, LIST_BYTES >> 8, LIST_BYTES & 0xff},
		.cdb_length = 12,
		.flags = HOST_FLAGS_DATA_IN,
		.data = data,
		.length = LIST_BYTES};
	uint32_t count;

	if (!is_good(ask(host, &request)))
		return false;
	count = ((uint32_t)data[2] << 8 | data[3]) / 8;
	for (uint32_t i = 0; i < count && i < 256; i++) {
		const uint8_t *entry = data + 8 + 8 * i;

		if (entry[0] != 0 || memcmp(entry + 2, none + 2, 6) != 0)
			lf_fake_broken(
				"REPORT LUNS lists what BTL8 cannot say: %02x%02x", entry[0], entry[1]);
		if (entry[1] < HOST_LUNS)
			luns[entry[1]] = true;
	}
	return true;
}

static void check_same(struct host_place *place, const uint8_t *serial, uint8_t target, uint8_t lun)
{
	if (place->phase == HOST_UNIT_LEAVING)
		lf_fake_broken(
			"%u:%u was given to a newcomer while somebody holds who was there", target, lun);
	if (place->phase == HOST_UNIT_THERE && memcmp(place->serial, serial, SERIAL_BYTES) != 0)
		lf_fake_broken(
			"%u:%u is another unit than before, and the bus did not see it go", target, lun);
	memcpy(place->serial, serial, SERIAL_BYTES);
}

static void tell_unit(struct host *host, ULONG control, uint8_t target, uint8_t lun)
{
	struct host_address_btl8 address = host_address(target, lun);

	if (host_registered.HwUnitControl != NULL)
		host_unit_control(host, control, &address);
}

static void tell_pnp(struct host *host, ULONG action, uint8_t target, uint8_t lun)
{
	struct host_request request = {
		.function = HOST_SRB_PNP, .target = target, .lun = lun, .action = action};

	host_run(host, &request);
}

static void scan_unit(struct host *host, uint8_t target, uint8_t lun)
{
	struct host_place *place = host_place(host, target, lun);
	uint8_t inquiry[36] = {0}, serial[SERIAL_BYTES] = {0};
	bool is_new;

	if (inquire(host, target, lun, 0, inquiry, sizeof(inquiry)) != FOUND_UNIT ||
		inquire(host, target, lun, 0x80, serial, sizeof(serial)) != FOUND_UNIT)
		return;
	host_lock(host);
	check_same(place, serial, target, lun);
	is_new = place->phase == HOST_UNIT_NONE;
	place->seen = true;
	memcpy(place->inquiry, inquiry, sizeof(inquiry));
	if (is_new)
		place->number = ++host->numbers;
	place->phase = HOST_UNIT_THERE;
	host_unlock(host);
	if (is_new) {
		tell_unit(host, HOST_UNIT_START, target, lun);
		tell_pnp(host, HOST_PNP_START, target, lun);
	}
}

static void scan_target(struct host *host, uint8_t target)
{
	bool luns[HOST_LUNS] = {false};
	uint8_t inquiry[36] = {0};

	if (inquire(host, target, 0, 0, inquiry, sizeof(inquiry)) == FOUND_NOBODY ||
		!list(host, target, luns))
		return;
	for (uint8_t lun = 0; lun < HOST_LUNS; lun++)
		if (luns[lun])
			scan_unit(host, target, lun);
}

/* Takes the phase from those that it has not to one that it has; false: there are none. */
static bool next_place(struct host *host, bool (*wanted)(const struct host_place *place), enum host_phase to,
	uint8_t *target, uint8_t *lun)
{
	bool found = false;

	host_lock(host);
	for (uint32_t i = 0; i < HOST_TARGETS * HOST_LUNS && !found; i++) {
		struct host_place *place = &host->places[i / HOST_LUNS][i % HOST_LUNS];

		found = wanted(place);
		if (found) {
			place->phase = to;
			*target = (uint8_t)(i / HOST_LUNS);
			*lun = (uint8_t)(i % HOST_LUNS);
		}
	}
	host_unlock(host);
	return found;
}

static bool has_left(const struct host_place *place)
{
	return place->phase == HOST_UNIT_THERE && !place->seen;
}

static bool is_let_go(const struct host_place *place)
{
	return place->phase == HOST_UNIT_LEAVING && !place->held && place->outstanding == 0;
}

static bool is_there(const struct host_place *place)
{
	return place->phase == HOST_UNIT_THERE || place->phase == HOST_UNIT_LEAVING;
}

/* The devices of units that have left. The address is the next one's from the call on. */
static void remove_units(struct host *host, bool (*which)(const struct host_place *place))
{
	uint8_t target, lun;

	while (next_place(host, which, HOST_UNIT_ENDING, &target, &lun)) {
		tell_pnp(host, HOST_PNP_REMOVE, target, lun);
		tell_unit(host, HOST_UNIT_REMOVE, target, lun);
		host_lock(host);
		host->places[target][lun].phase = HOST_UNIT_NONE;
		pthread_cond_broadcast(&host->changed);
		host_unlock(host);
	}
}

static void scan(struct host *host)
{
	uint8_t target, lun;

	host_lock(host);
	for (uint32_t i = 0; i < HOST_TARGETS * HOST_LUNS; i++)
		host->places[i / HOST_LUNS][i % HOST_LUNS].seen = false;
	host_unlock(host);
	for (target = 0; target < host->config.MaximumNumberOfTargets && target < HOST_TARGETS; target++)
		scan_target(host, target);
	while (next_place(host, has_left, HOST_UNIT_LEAVING, &target, &lun)) {
		tell_pnp(host, HOST_PNP_SURPRISE_REMOVAL, target, lun);
		tell_unit(host, HOST_UNIT_SURPRISE_REMOVAL, target, lun);
	}
}

/* ---- The thread ---- */

static bool scan_is_due_locked(const struct host *host)
{
	return host->changes != host->scanned && !host->hold_scans && !host->surprised;
}

static bool removal_is_due_locked(const struct host *host)
{
	for (uint32_t i = 0; i < HOST_TARGETS * HOST_LUNS; i++)
		if (is_let_go(&host->places[i / HOST_LUNS][i % HOST_LUNS]))
			return true;
	return false;
}

static void *scanner(void *context)
{
	struct host *host = context;

	host_lock(host);
	while (!host->scanner_ends) {
		uint32_t changes = host->changes;

		if (!scan_is_due_locked(host) && !removal_is_due_locked(host)) {
			pthread_cond_wait(&host->changed, &host->lock);
			continue;
		}
		if (scan_is_due_locked(host)) {
			host_unlock(host);
			scan(host);
			host_lock(host);
			host->scanned = changes;
		}
		host_unlock(host);
		remove_units(host, is_let_go);
		host_lock(host);
		host->removed = host->scanned;
		pthread_cond_broadcast(&host->changed);
	}
	host_unlock(host);
	return NULL;
}

void host_scan_start(struct host *host)
{
	host->changes = 1; /* whoever is there at the start */
	if (pthread_create(&host->scanner, NULL, scanner, host) != 0)
		lf_fake_broken("no thread for the scanner");
}

void host_scan_stop(struct host *host)
{
	host_lock(host);
	host->scanner_ends = true;
	pthread_cond_broadcast(&host->changed);
	host_unlock(host);
	pthread_join(host->scanner, NULL);
	remove_units(host, is_there);
}

void host_bus_changed(struct host *host, ULONG path)
{
	if (path != 0)
		lf_fake_broken("BusChangeDetected of path %u", path);
	host_lock(host);
	if (host->is_freed)
		lf_fake_broken("BusChangeDetected of an adapter whose resources are being freed");
	host->changes++;
	pthread_cond_broadcast(&host->changed);
	host_unlock(host);
}

/* ---- Looked at ---- */

struct host_unit host_unit(struct host *host, uint8_t target, uint8_t lun)
{
	const struct host_place *place = host_place(host, target, lun);
	struct host_unit unit = {0};

	host_lock(host);
	unit.there = place->phase == HOST_UNIT_THERE;
	unit.gone = place->phase == HOST_UNIT_LEAVING;
	unit.number = place->number;
	unit.type = place->inquiry[0] & 0x1f;
	memcpy(unit.inquiry, place->inquiry, sizeof(unit.inquiry));
	host_unlock(host);
	return unit;
}

void host_settle(struct host *host)
{
	host_lock(host);
	while (host->changes != host->removed)
		host_sleep_locked(host, "a scan of the bus");
	host_unlock(host);
}

void host_wait_unit(struct host *host, uint8_t target, uint8_t lun, bool there)
{
	const struct host_place *place = host_place(host, target, lun);

	host_lock(host);
	while (place->phase != (there ? HOST_UNIT_THERE : HOST_UNIT_NONE))
		host_sleep_locked(host, there ? "a unit to come" : "a unit to go");
	host_unlock(host);
}

void host_hold_scans(struct host *host, bool held)
{
	host_lock(host);
	host->hold_scans = held;
	pthread_cond_broadcast(&host->changed);
	host_unlock(host);
}

void host_hold_unit(struct host *host, uint8_t target, uint8_t lun, bool held)
{
	host_lock(host);
	host_place(host, target, lun)->held = held;
	pthread_cond_broadcast(&host->changed);
	host_unlock(host);
}

uint32_t host_changes(struct host *host)
{
	uint32_t changes;

	host_lock(host);
	changes = host->changes;
	host_unlock(host);
	return changes;
}
