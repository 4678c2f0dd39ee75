/* SPDX-License-Identifier: BSD-2-Clause */
/* below.c: an image never lies on its own unit, at any depth: a command would wait for itself for ever. */
#include "control/device.h"

/* What an NAA identifier of ours has beside its first four bits, 3h. */
#define IDENTIFIER_BITS ((UINT64_C(1) << 60) - 1)

static bool medium_lies_on(const struct lf_device_medium *medium, const struct lf_device *device)
{
	for (uint32_t i = 0; i < medium->below_count; i++) {
		if ((medium->below[i] & IDENTIFIER_BITS) == device->identity.identifier)
			return true;
	}
	return false;
}

/* Also by what just comes or goes: both are open. */
static bool lies_on(const struct lf_device *device, const struct lf_device *other)
{
	return medium_lies_on(&device->medium, other) || medium_lies_on(&device->change.incoming, other) ||
	       medium_lies_on(&device->change.outgoing, other);
}

/* One that is reached, and was not looked below of yet. */
static struct lf_device *take_reached(struct lf_devices *devices)
{
	lf_list_each(link, next, &devices->list)
	{
		struct lf_device *device = lf_device_of(link);
		if (device->walk == LF_WALK_REACHED) {
			device->walk = LF_WALK_DONE;
			return device;
		}
	}
	return NULL;
}

/* Whether the way down from first comes to device. Without recursion: it may be long, and stacks are short.
 */
static bool depends_on(struct lf_device *first, const struct lf_device *device)
{
	struct lf_devices *devices = first->devices;

	lf_list_each(link, next, &devices->list) lf_device_of(link)->walk = LF_WALK_NONE;
	first->walk = LF_WALK_REACHED;
	for (struct lf_device *at = take_reached(devices); at; at = take_reached(devices)) {
		if (lies_on(at, device))
			return true;
		lf_list_each(link, next, &devices->list)
		{
			struct lf_device *other = lf_device_of(link);
			if (other->walk == LF_WALK_NONE && lies_on(at, other))
				other->walk = LF_WALK_REACHED;
		}
	}
	return false;
}

enum lf_control_status lf_device_check_below(
	struct lf_device *device, const struct lf_device_medium *medium, struct lf_message *message)
{
	if (medium_lies_on(medium, device)) {
		lf_message_set(message, "it lies on the disk of %s itself: copy it to another one first",
			device->id);
		return LF_CONTROL_INVALID;
	}
	lf_list_each(link, next, &device->devices->list)
	{
		struct lf_device *other = lf_device_of(link);
		if (other != device && medium_lies_on(medium, other) && depends_on(other, device)) {
			lf_message_set(message,
				"it lies on the disk of %s, whose own image depends on %s: copy it to "
				"another "
				"one first",
				other->id, device->id);
			return LF_CONTROL_INVALID;
		}
	}
	return LF_CONTROL_OK;
}
