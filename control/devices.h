/* SPDX-License-Identifier: BSD-2-Clause */
/* devices.h: the table of connected devices: what joins an image, its store and its logical unit. */
#ifndef LF_CONTROL_DEVICES_H
#define LF_CONTROL_DEVICES_H

#include "control/codec.h"
#include "control/system.h"
#include "core/adapter.h"
#include "platform/loop.h"

struct lf_devices;
struct lf_device;

/* What control asks of the edge, which it does not know. Any function may be NULL. */
struct lf_control_edge {
	const char *iqn; /* the target's name, or NULL */
	void *context;
	bool (*portal)(void *context, uint32_t index, struct lf_control_portal *portal);
	uint32_t (*session_count)(void *context);
	/* The session with the lowest number above after; false: there is none. */
	bool (*session_next)(void *context, uint64_t after, struct lf_control_session *session);
	/* Ends it; false: there is none of that number. */
	bool (*session_drop)(void *context, uint64_t number);
	/* A unit came, and may be shown. These two on the table's loop. */
	void (*arrived)(void *context, uint32_t target, uint32_t lun);
	/*
	 * It goes: before lf_lu_remove. Its address is the edge's until departure->gone, though the device is
	 * disconnected before, perhaps long before. NULL: nobody uses the address any more.
	 */
	void (*depart)(void *context, struct lf_departure *departure);
};

struct lf_devices_options {
	struct lf_adapter *adapter;
	struct lf_loop *loop; /* all functions below run on it, or before it runs */
	const struct lf_store_ops *store_ops;
	uint32_t target_count, lun_count; /* the adapter's: 0 as there */
	/* As lf_store_file_resize; NULL: no store can. */
	enum lf_error (*resize)(struct lf_store *store, uint64_t size_bytes, uint32_t block_size,
		uint64_t *block_count, struct lf_message *message);
	/* Whether what was written may be lost: a store that says so never recovers. May be NULL. */
	bool (*has_failed)(struct lf_store *store);
	/*
	 * removed runs at most once, on any thread, when what the image lies on goes away: the device is then
	 * disconnected. Not after the store was closed, which waits for one that runs. May be NULL.
	 */
	void (*watch)(struct lf_store *store, void (*removed)(void *context), void *context);
	/* As lf_store_file_below: which disks the image lies on. May be NULL. */
	uint32_t (*below)(lf_handle image, uint64_t *identifiers, uint32_t most);
	struct lf_control_edge edge;
};

struct lf_devices *lf_devices_create(const struct lf_devices_options *options);
/* Every device has gone. */
void lf_devices_destroy(struct lf_devices *devices);

/* Somebody who waits for the end of what he began. His memory, until ended runs or it is forgotten. */
struct lf_device_waiter {
	/*
	 * Once, on the table's loop, never from within the function that began it. is: the device as it is
	 * now, or as it was when it is no more; of one that is refused, NULL.
	 */
	void (*ended)(struct lf_device_waiter *waiter, const struct lf_control_device *is,
		enum lf_control_status status, const struct lf_message *message);
	/* The table's own; zero when he begins. */
	struct lf_device_waiter **place;
	struct lf_link link;
};

/*
 * A file that lies on a share, or on a disk that fails, can hold up whoever asks something of it, for as long
 * as the host has patience. So whatever does is done on threads, and these functions only begin it: images
 * are examined, opened, resized and closed while the loop serves others. What ends, ends when that has
 * ended: who hears that a device is gone, or refused, finds its image closed.
 *
 * A device that is just arriving is in no list and is found by nobody, but its name, its serial number and
 * its image are taken. One that leaves has them, and its number, until its image was closed.
 *
 * An image is opened for the one who waits: when he is forgotten before it is open it is closed again, and
 * nothing has come of it. Whatever else was begun goes on.
 */

/*
 * Not OK: nothing was begun, message is "cause: remedy", and the handles are the caller's still. Else they
 * are the table's, and waiter, which may not be NULL, hears what came of it.
 */
enum lf_control_status lf_devices_connect(struct lf_devices *devices,
	const struct lf_control_connect *request, const lf_handle handles[LF_CONTROL_HANDLES_MAX],
	struct lf_device_waiter *waiter, struct lf_message *message);
/* The same here and now, before the loop runs; the handles are the table's in any case. */
enum lf_control_status lf_devices_connect_now(struct lf_devices *devices,
	const struct lf_control_connect *request, const lf_handle handles[LF_CONTROL_HANDLES_MAX],
	struct lf_message *message);
/*
 * Closes what came with a request that is refused. OK: waiter, if any, hears status and message when that is
 * done. Else it is that status: it was done here, as there was nothing to close, or no memory, or too much of
 * the kind is on its way; or the table is stopped.
 */
enum lf_control_status lf_devices_refuse(struct lf_devices *devices,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX], struct lf_device_waiter *waiter,
	enum lf_control_status status, const struct lf_message *message);
/*
 * Whether one more request's handles could be refused, each by itself, without being closed here. While they
 * could not, none should be taken.
 */
bool lf_devices_may_refuse(const struct lf_devices *devices);

/* By name, number, path, address or URL, in this order; path may be empty. NULL: there is none. */
struct lf_device *lf_devices_find(struct lf_devices *devices, const char *id, const char *path);
/* Whether one of that name or path is just arriving. */
bool lf_devices_expect(struct lf_devices *devices, const char *id, const char *path);
/* The first whose number is above after; NULL past the last. */
struct lf_device *lf_devices_next(struct lf_devices *devices, uint32_t after);
/* The one behind it; NULL for the last. */
struct lf_device *lf_device_next(struct lf_device *device);
/* Whether a device has this file, by its path where systems cannot tell; message is then "cause: remedy". */
bool lf_devices_have_file(struct lf_devices *devices, const struct lf_system_file *file, const char *path,
	struct lf_message *message);
uint32_t lf_devices_count(const struct lf_devices *devices);
const struct lf_control_edge *lf_devices_edge(const struct lf_devices *devices);

void lf_device_describe(struct lf_device *device, struct lf_control_device *record);

/*
 * Takes the unit away: initiators lose it at once, what is in flight ends, what was written becomes stable,
 * the image is closed. Of a device that is leaving already, it only waits; one that is just being changed
 * leaves after that. waiter may be NULL.
 */
void lf_device_disconnect(struct lf_device *device, struct lf_device_waiter *waiter);
/* ended never runs. No error of one who does not wait. */
void lf_device_waiter_forget(struct lf_device_waiter *waiter);

/*
 * Changes of the medium, one at a time for each device: they wait for the commands that run. Not OK: nothing
 * was begun, message says why, and handle is the caller's still; else it is the table's. An insert has a
 * waiter.
 */
enum lf_control_status lf_device_insert(struct lf_device *device, const struct lf_control_insert *request,
	lf_handle handle, struct lf_device_waiter *waiter, struct lf_message *message);
enum lf_control_status lf_device_eject(
	struct lf_device *device, bool force, struct lf_device_waiter *waiter, struct lf_message *message);
/* size_bytes 0: what the image has now. */
enum lf_control_status lf_device_resize(struct lf_device *device, uint64_t size_bytes,
	struct lf_device_waiter *waiter, struct lf_message *message);

/* Takes every registration and reservation off the unit. */
enum lf_control_status lf_device_clear_reservations(
	struct lf_device *device, struct lf_device_waiter *waiter, struct lf_message *message);

/* An insert that was begun has its image still to open, or to put back: nothing comes of it without its
 * waiter. */
bool lf_device_opens(const struct lf_device *device);

/* For lf_lu_count and lf_lu_reservation; NULL: it is gone but for its store. */
struct lf_lu *lf_device_lu(struct lf_device *device);

/*
 * Disconnects all, and takes no new ones. emptied runs once, perhaps from within, when the last is gone, what
 * was arriving or refused is closed, and the edge has let go of every address.
 */
void lf_devices_stop(struct lf_devices *devices, void (*emptied)(void *context), void *context);

#endif
