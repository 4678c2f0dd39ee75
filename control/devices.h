/* SPDX-License-Identifier: BSD-2-Clause */
/* devices.h: the table of connected devices: what joins an image, its store and its logical unit. Linux. */
#ifndef LF_CONTROL_DEVICES_H
#define LF_CONTROL_DEVICES_H

#include "control/codec.h"
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
};

struct lf_devices_options {
	struct lf_adapter *adapter;
	struct lf_loop *loop; /* all functions below run on it, or before it runs */
	const struct lf_store_ops *store_ops;
	struct lf_control_edge edge;
};

struct lf_devices *lf_devices_create(const struct lf_devices_options *options);
/* Every device has gone. */
void lf_devices_destroy(struct lf_devices *devices);

/* handles are the table's from here on, also when it refuses; message is then "cause: remedy". */
enum lf_control_status lf_devices_connect(struct lf_devices *devices,
	const struct lf_control_connect *request, const int handles[LF_CONTROL_HANDLES_MAX],
	struct lf_device **device, struct lf_message *message);

/* By name, number, path, address or URL, in this order; path may be empty. NULL: there is none. */
struct lf_device *lf_devices_find(struct lf_devices *devices, const char *id, const char *path);
/* The first whose number is above after; NULL past the last. */
struct lf_device *lf_devices_next(struct lf_devices *devices, uint32_t after);
/* The one behind it; NULL for the last. */
struct lf_device *lf_device_next(struct lf_device *device);
uint32_t lf_devices_count(const struct lf_devices *devices);
const struct lf_control_edge *lf_devices_edge(const struct lf_devices *devices);

void lf_device_describe(struct lf_device *device, struct lf_control_device *record);

/* Somebody who waits for a device to be gone. Its owner's memory, until ended runs or it is forgotten. */
struct lf_departure {
	/* Once, on the table's loop, never from within lf_device_disconnect. The device is no more. */
	void (*ended)(struct lf_departure *departure, const struct lf_control_device *was,
		enum lf_control_status status, const struct lf_message *message);
	struct lf_link link;
};

/*
 * Takes the unit away: initiators lose it at once, what is in flight ends, what was written becomes stable,
 * the image is closed. Of a device that is leaving already, it only waits. departure may be NULL.
 */
void lf_device_disconnect(struct lf_device *device, struct lf_departure *departure);
void lf_departure_forget(struct lf_departure *departure);

/* Disconnects all, and takes no new ones. emptied runs once when the last is gone, perhaps from within. */
void lf_devices_stop(struct lf_devices *devices, void (*emptied)(void *context), void *context);

#endif
