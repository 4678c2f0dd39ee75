/* SPDX-License-Identifier: BSD-2-Clause */
/* test_gui_model.c: what the window's model makes of what the adapter says: rates, paths, rows. */
#include "programs/gui/model_figures.h"
#include "programs/gui/model_rows.h"
#include "tests/test.h"

#include <string.h>

#define S UINT64_C(1000000000)

/* ---- Rates ---- */

static void add(struct lf_gui_pulse *pulse, uint64_t taken_ns, uint64_t reads, uint64_t bytes)
{
	const struct lf_gui_counts now = {
		.reads = reads, .writes = 2 * reads, .read_bytes = bytes, .written_bytes = 2 * bytes};

	lf_gui_pulse_add(pulse, taken_ns, &now);
}

TEST(gui_rates_are_by_the_second_of_the_adapters_clock)
{
	struct lf_gui_pulse pulse = {0};

	add(&pulse, 100 * S, 1000, 5000);
	CHECK_EQ(pulse.rates.reads, 0);
	CHECK_EQ(pulse.rates.read_bytes, 0);
	add(&pulse, 102 * S, 1300, 5000 + 4096);
	CHECK_EQ(pulse.rates.reads, 150);
	CHECK_EQ(pulse.rates.writes, 300);
	CHECK_EQ(pulse.rates.read_bytes, 2048);
	CHECK_EQ(pulse.rates.written_bytes, 4096);
	add(&pulse, 103 * S, 1300, 5000 + 4096);
	CHECK_EQ(pulse.rates.reads, 0);
}

TEST(gui_rates_of_a_day_do_not_overflow)
{
	struct lf_gui_pulse pulse = {0};

	add(&pulse, S, 0, 0);
	add(&pulse, S + 86400 * S, 86400, 86400 * (UINT64_C(10) << 30));
	CHECK_EQ(pulse.rates.reads, 1);
	CHECK_EQ(pulse.rates.read_bytes, UINT64_C(10) << 30);
}

TEST(gui_rates_stay_when_somebody_asks_again_at_once)
{
	struct lf_gui_pulse pulse = {0};

	add(&pulse, 1 * S, 0, 0);
	add(&pulse, 2 * S, 100, 0);
	CHECK_EQ(pulse.rates.reads, 100);
	add(&pulse, 2 * S + S / 10, 150, 0);
	CHECK_EQ(pulse.rates.reads, 100);
	/* What came meanwhile counts in the next whole interval. */
	add(&pulse, 3 * S, 200, 0);
	CHECK_EQ(pulse.rates.reads, 100);
}

TEST(gui_rates_survive_a_clock_and_counters_that_begin_anew)
{
	struct lf_gui_pulse pulse = {0};

	add(&pulse, 100 * S, 5000, 0);
	add(&pulse, 1 * S, 10, 0);
	CHECK_EQ(pulse.rates.reads, 0);
	add(&pulse, 2 * S, 4, 0);
	CHECK_EQ(pulse.rates.reads, 4);
}

/* ---- Paths ---- */

static const char *shown(const char *path)
{
	static char text[LF_CONTROL_PATH_CAPACITY];

	return lf_image_shown(path, text);
}

TEST(gui_paths_are_as_a_person_writes_them)
{
	CHECK_STR(shown("\\??\\C:\\images\\disk.img"), "C:\\images\\disk.img");
	CHECK_STR(shown("\\??\\UNC\\server\\share\\disk.img"), "\\\\server\\share\\disk.img");
	CHECK_STR(shown("\\??\\unc\\server\\share\\disk.img"), "\\\\server\\share\\disk.img");
	CHECK_STR(shown("\\??\\Volume{1234}\\disk.img"), "\\\\?\\Volume{1234}\\disk.img");
	CHECK_STR(shown("\\??\\D:\\Bilder\\\xc3\xa4.img"), "D:\\Bilder\\\xc3\xa4.img");
	CHECK_STR(shown("/images/disk.img"), "/images/disk.img");
	CHECK_STR(shown("\\??\\"), "\\\\?\\");
	CHECK_STR(shown(""), "");
}

/* ---- Rows ---- */

struct page {
	char text[16384];
	size_t length;
};

static void put(void *context, uint32_t level, const char *name, const char *value)
{
	struct page *page = context;

	page->length += (size_t)snprintf(page->text + page->length, sizeof(page->text) - page->length,
		"%*s%s%s%s\n", (int)(2 * level), "", name, value ? ": " : "", value ? value : "");
}

static const char *rows_of(struct json_object *device, const char *disk)
{
	static struct page page;

	page.length = 0;
	lf_gui_rows(device, disk, put, &page);
	json_object_put(device);
	return page.text;
}

TEST(gui_rows_have_readable_names_and_values)
{
	struct json_object *device = json_object_new_object(), *counters = json_object_new_object();

	lf_json_text(device, "id", "disk");
	lf_json_number(device, "lun", 3);
	lf_json_number(device, "size", UINT64_C(5) << 30);
	lf_json_number(device, "block_size", 512);
	lf_json_flag(device, "read_only", true);
	lf_json_flag(device, "ejected", false);
	lf_json_text(device, "image", "C:\\disk.img");
	lf_json_text(device, "iscsi_url", "");
	lf_json_text(device, "device", "");
	lf_json_number(device, "rotation_rpm", 0);
	lf_json_number(counters, "read_commands", UINT64_MAX);
	lf_json_number(counters, "read_bytes", 4096);
	lf_json_number(counters, "read_time_ns", 40901);
	lf_json_number(counters, "write_time_ns", 999);
	lf_json_number(counters, "other_time_ns", UINT64_C(7200000000000));
	json_object_object_add(device, "counters", counters);
	CHECK_STR(rows_of(device, "PhysicalDrive7"), "Device\n"
						     "  ID: disk\n"
						     "  LUN: 3\n"
						     "  size: 5G (5368709120 bytes)\n"
						     "  block size: 512 bytes\n"
						     "  read only: yes\n"
						     "  ejected: no\n"
						     "  image: C:\\disk.img\n"
						     "  iSCSI URL: -\n"
						     "  device: PhysicalDrive7\n"
						     "  rotation: does not rotate\n"
						     "Counters since it was connected\n"
						     "  read commands: 18446744073709551615\n"
						     "  read bytes: 4K (4096 bytes)\n"
						     "  read time: 40.9 us\n"
						     "  write time: 999 ns\n"
						     "  other time: 7200.0 s\n");
}

static struct json_object *command(const char *opcode, const char *action, const char *name)
{
	struct json_object *object = json_object_new_object();

	lf_json_text(object, "opcode", opcode);
	lf_json_text(object, "service_action", action);
	lf_json_text(object, "name", name);
	lf_json_number(object, "cdb_length", 10);
	return object;
}

static struct json_object *texts(const char *one, const char *other)
{
	struct json_object *array = json_object_new_array();

	json_object_array_add(array, json_object_new_string(one));
	json_object_array_add(array, json_object_new_string(other));
	return array;
}

TEST(gui_rows_of_pages_lie_below_their_headings)
{
	struct json_object *device = json_object_new_object(), *vpd = json_object_new_object();
	struct json_object *supported = json_object_new_object(), *page = json_object_new_object();
	struct json_object *designator = json_object_new_object(), *array = json_object_new_array();

	lf_json_text(supported, "name", "Supported VPD Pages");
	json_object_object_add(supported, "pages", texts("00", "83"));
	lf_json_text(supported, "hex", "0000000283");
	json_object_object_add(vpd, "00", supported);
	lf_json_text(page, "name", "");
	lf_json_flag(page, "grd_chk", true);
	lf_json_number(page, "maximum_unmap_lba_count", 9);
	lf_json_text(designator, "association", "logical unit");
	lf_json_number(designator, "type", 3);
	lf_json_text(designator, "type_name", "NAA");
	lf_json_text(designator, "text", "naa.3");
	lf_json_text(designator, "hex", "36");
	json_object_array_add(array, designator);
	json_object_object_add(page, "designators", array);
	json_object_object_add(vpd, "c0", page);
	json_object_object_add(vpd, "c1", NULL);
	json_object_object_add(device, "vpd", vpd);
	CHECK_STR(rows_of(device, ""), "Device\n"
				       "Vital product data (VPD)\n"
				       "  00: Supported VPD Pages\n"
				       "    pages: 00, 83\n"
				       "    bytes: 00 00 00 02 83\n"
				       "  c0\n"
				       "    name: -\n"
				       "    GRD_CHK: yes\n"
				       "    maximum unmap LBA count: 9\n"
				       "    designators\n"
				       "      NAA\n"
				       "        association: logical unit\n"
				       "        type: 3\n"
				       "        text: naa.3\n"
				       "        bytes: 36\n"
				       "  c1: -\n");
}

TEST(gui_rows_of_small_objects_are_lines)
{
	struct json_object *device = json_object_new_object(), *array = json_object_new_array();

	json_object_array_add(array, command("28", "", "READ (10)"));
	json_object_array_add(array, command("5e", "01", "READ RESERVATION"));
	json_object_array_add(array, command("c0", "", ""));
	json_object_object_add(device, "commands", array);
	json_object_object_add(device, "empty", json_object_new_array());
	CHECK_STR(rows_of(device, ""), "Device\n"
				       "Commands that it knows\n"
				       "  READ (10): opcode 28, CDB length 10\n"
				       "  READ RESERVATION: opcode 5e, service action 01, CDB length 10\n"
				       "  3\n"
				       "    opcode: c0\n"
				       "    service action: -\n"
				       "    name: -\n"
				       "    CDB length: 10\n"
				       "empty: -\n");
}

TEST(gui_rows_of_a_device_that_leaves_are_few)
{
	struct lf_control_device device = {.number = 4, .state = LF_CONTROL_OFFLINE, .block_size = 512};
	struct json_object *object = lf_json_device(&device);

	json_object_object_add(object, "counters", NULL);
	lf_pages_json(NULL, object);
	CHECK(strstr(rows_of(object, ""), "  state: offline\n"));
}
