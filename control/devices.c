/* SPDX-License-Identifier: BSD-2-Clause */
/* devices.c: the table of devices: arrival.c is the way in, departure.c the way out. */
#include "control/device.h"

struct lf_devices *lf_devices_create(const struct lf_devices_options *options)
{
	struct lf_devices *devices = lf_alloc(sizeof(*devices));

	if (!devices)
		return NULL;
	devices->options = *options;
	if (options->target_count == 0)
		devices->options.target_count = 1;
	if (options->lun_count == 0)
		devices->options.lun_count = LF_LUNS_MAX;
	lf_list_init(&devices->list);
	lf_list_init(&devices->examined);
	lf_system_machine(devices->machine, sizeof(devices->machine));
	return devices;
}

void lf_devices_destroy(struct lf_devices *devices)
{
	lf_assert(lf_list_empty(&devices->list) && devices->remains == 0);
	lf_free(devices);
}

uint32_t lf_devices_count(const struct lf_devices *devices)
{
	return devices->count;
}

const struct lf_control_edge *lf_devices_edge(const struct lf_devices *devices)
{
	return &devices->options.edge;
}

struct lf_device *lf_devices_next(struct lf_devices *devices, uint32_t after)
{
	/* What is just arriving has no number yet. */
	lf_list_each(link, next, &devices->list)
	{
		if (lf_device_of(link)->number > after)
			return lf_device_of(link);
	}
	return NULL;
}

struct lf_device *lf_device_next(struct lf_device *device)
{
	struct lf_link *list = &device->devices->list, *link = device->link.next;

	while (link != list && lf_device_of(link)->arrival)
		link = link->next;
	return link == list ? NULL : lf_device_of(link);
}
