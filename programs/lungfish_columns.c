/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_columns.c: the columns of a device, for list and show. */
#include "programs/lungfish.h"
#include "programs/os.h"

#include <string.h>

static uint64_t size_bytes(const struct lf_control_device *device)
{
	return device->block_count * device->block_size;
}

void lf_format_size(const struct lf_command_line *line, uint64_t size, char *text, size_t room_bytes)
{
	static const char units[] = "BKMGTPE";
	uint32_t unit = 0;
	uint64_t tenths;

	if (line->bytes) {
		snprintf(text, room_bytes, "%llu", (unsigned long long)size);
		return;
	}
	while (unit + 2 < sizeof(units) && size >> (10 * (unit + 1)) != 0)
		unit++;
	/* One digit behind the point, rounded, which may carry into the next unit. */
	if (unit == 0) {
		snprintf(text, room_bytes, "%lluB", (unsigned long long)size);
		return;
	}
	tenths = ((size >> (10 * (unit - 1))) * 10 + 512) >> 10;
	if (tenths >= 10240 && unit + 2 < sizeof(units)) {
		tenths = 10;
		unit++;
	}
	if (tenths % 10 == 0)
		snprintf(text, room_bytes, "%llu%c", (unsigned long long)(tenths / 10), units[unit]);
	else
		snprintf(text, room_bytes, "%llu.%llu%c", (unsigned long long)(tenths / 10),
			(unsigned long long)(tenths % 10), units[unit]);
}

const char *lf_format_type(uint32_t type)
{
	return type == 0 ? "disk" : type == 5 ? "cdrom" : "other";
}

const char *lf_format_state(uint32_t state)
{
	static const char *const names[] = {"ready", "empty", "busy", "fault", "offline"};

	return state < lf_count_of(names) ? names[state] : "fault";
}

const char *lf_format_block(const struct lf_control_device *device)
{
	if (device->block_size == 4096)
		return "4Kn";
	if (device->block_size == 2048)
		return "2048";
	return device->physical_block_size > 512 ? "512e" : "512";
}

#define PUT(what)                                                                                            \
	static void what##_of(                                                                               \
		const struct lf_command_line *line, const struct lf_control_device *device, char *cell);     \
	static void put_##what(const struct lf_command_line *line, const void *record, char *cell)           \
	{                                                                                                    \
		what##_of(line, record, cell);                                                               \
	}                                                                                                    \
	static void what##_of(                                                                               \
		const struct lf_command_line *line, const struct lf_control_device *device, char *cell)

PUT(id)
{
	(void)line;
	lf_cell_text(cell, device->id.bytes);
}

PUT(type)
{
	(void)line;
	lf_cell_text(cell, lf_format_type(device->type));
}

PUT(size)
{
	lf_format_size(line, size_bytes(device), cell, LF_CELL_MAX);
}

PUT(block)
{
	(void)line;
	lf_cell_text(cell, lf_format_block(device));
}

PUT(read_only)
{
	(void)line;
	lf_cell_text(cell, device->flags & LF_CONTROL_DEVICE_READ_ONLY ? "1" : "0");
}

PUT(state)
{
	(void)line;
	lf_cell_text(cell, lf_format_state(device->state));
}

PUT(via)
{
	(void)line;
	lf_cell_text(cell, device->url.length ? "iscsi" : "");
}

/* No edge that makes devices on this machine yet. */
PUT(device)
{
	(void)line;
	(void)device;
	lf_cell_text(cell, "");
}

PUT(sessions)
{
	(void)line;
	lf_cell_number(cell, device->sessions);
}

PUT(image)
{
	char shown[LF_CONTROL_PATH_CAPACITY];
	(void)line;
	lf_cell_text(cell, lf_image_shown(device->image.bytes, shown));
}

PUT(number)
{
	(void)line;
	lf_cell_number(cell, device->number);
}

PUT(address)
{
	(void)line;
	snprintf(cell, LF_CELL_MAX, "%u:%u:%u", device->bus, device->target, device->lun);
}

PUT(lun)
{
	(void)line;
	lf_cell_number(cell, device->lun);
}

PUT(serial)
{
	(void)line;
	lf_cell_text(cell, device->serial.bytes);
}

PUT(naa)
{
	(void)line;
	snprintf(cell, LF_CELL_MAX, "3%015llx", (unsigned long long)device->identifier);
}

PUT(vendor)
{
	(void)line;
	lf_cell_text(cell, device->vendor.bytes);
}

PUT(product)
{
	(void)line;
	lf_cell_text(cell, device->product.bytes);
}

PUT(revision)
{
	(void)line;
	lf_cell_text(cell, device->revision.bytes);
}

PUT(logical)
{
	(void)line;
	lf_cell_number(cell, device->block_size);
}

PUT(physical)
{
	(void)line;
	lf_cell_number(cell, device->physical_block_size);
}

PUT(rotation)
{
	(void)line;
	if (device->rotation <= 1)
		lf_cell_text(cell, device->rotation ? "ssd" : "");
	else
		lf_cell_number(cell, device->rotation);
}

PUT(unmap)
{
	(void)line;
	lf_cell_text(cell, device->flags & LF_CONTROL_DEVICE_UNMAP ? "1" : "0");
}

PUT(ejected)
{
	(void)line;
	lf_cell_text(cell, device->flags & LF_CONTROL_DEVICE_EJECTED ? "1" : "0");
}

PUT(prevented)
{
	(void)line;
	lf_cell_text(cell, device->flags & LF_CONTROL_DEVICE_PREVENTED ? "1" : "0");
}

PUT(removable)
{
	(void)line;
	lf_cell_text(cell, device->flags & LF_CONTROL_DEVICE_REMOVABLE ? "1" : "0");
}

PUT(saves)
{
	(void)line;
	lf_cell_text(cell, device->flags & LF_CONTROL_DEVICE_SAVES ? "1" : "0");
}

PUT(kept)
{
	bool kept;

	(void)line;
	lf_cell_text(cell, !lf_os_is_kept(device, &kept) ? "" : kept ? "1" : "0");
}

PUT(in_flight)
{
	(void)line;
	lf_cell_number(cell, device->in_flight);
}

PUT(url)
{
	(void)line;
	lf_cell_text(cell, device->url.bytes);
}

/* In the order of the table; NUMBER and those behind it only by -o or -O. */
static const struct lf_column all_columns[] = {
	{"ID", false, true, put_id},
	{"TYPE", false, true, put_type},
	{"SIZE", true, true, put_size},
	{"BLK", true, true, put_block},
	{"RO", true, true, put_read_only},
	{"STATE", false, true, put_state},
	{"VIA", false, true, put_via},
	{"DEVICE", false, true, put_device},
	{"SESS", true, true, put_sessions},
	{"IMAGE", false, true, put_image},
	{"NUMBER", true, false, put_number},
	{"ADDRESS", false, false, put_address},
	{"LUN", true, false, put_lun},
	{"SERIAL", false, false, put_serial},
	{"NAA", false, false, put_naa},
	{"VENDOR", false, false, put_vendor},
	{"PRODUCT", false, false, put_product},
	{"REVISION", false, false, put_revision},
	{"LOG-SEC", true, false, put_logical},
	{"PHY-SEC", true, false, put_physical},
	{"ROTATION", true, false, put_rotation},
	{"UNMAP", true, false, put_unmap},
	{"IN-FLIGHT", true, false, put_in_flight},
	{"URL", false, false, put_url},
	{"REMOVABLE", true, false, put_removable},
	{"EJECTED", true, false, put_ejected},
	{"PREVENTED", true, false, put_prevented},
	{"SAVES", true, false, put_saves},
	{"KEPT", true, false, put_kept},
};

const struct lf_table lf_device_table = {
	all_columns, lf_count_of(all_columns), sizeof(struct lf_control_device)};
