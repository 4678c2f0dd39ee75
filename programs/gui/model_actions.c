/* SPDX-License-Identifier: BSD-2-Clause */
/* model_actions.c: what a person wants done: by the functions of the command, on a connection of its own. */
#include "programs/gui/model_own.h"
#include "programs/gui/model_rows.h"
#include "programs/install_nt.h"

#include <stdlib.h>
#include <string.h>

#define IMAGE_BYTES (3 * LF_CONTROL_PATH_CAPACITY)

/* Windows takes names that are no Unicode; the protocol does not. */
static bool narrow_image(const struct lf_command_line *line, const wchar_t *wide, char image[IMAGE_BYTES])
{
	if (lf_narrow(wide, image, IMAGE_BYTES))
		return true;
	lf_report(line, NULL, "the name of the image is no Unicode text: rename it", LF_EXIT_FAILED);
	return false;
}

static int connect_image(struct lf_command_line *line, struct lf_client *client, struct lf_gui_result *result)
{
	const struct lf_gui_action *action = &result->action;
	char image[IMAGE_BYTES];

	line->persist = action->keep;
	line->connect.type = action->connect.type;
	line->connect.flags = action->connect.flags;
	line->connect.block_size = action->connect.block_size;
	line->connect.lun = UINT32_MAX;
	if (!narrow_image(line, action->image, image))
		return LF_EXIT_FAILED;
	return lf_connect_image(
		line, client, *image ? image : NULL, *action->name ? action->name : NULL, &result->device);
}

static int insert_image(struct lf_command_line *line, struct lf_client *client, struct lf_gui_result *result)
{
	const struct lf_gui_action *action = &result->action;
	char image[IMAGE_BYTES];

	line->connect.flags = action->connect.flags & LF_CONTROL_READ_ONLY;
	if (!narrow_image(line, action->image, image))
		return LF_EXIT_FAILED;
	return lf_insert_image(line, client, action->id, image, &result->device);
}

/* ---- Properties ---- */

/* Rows and, behind them, their texts in one piece of memory; both NULL: they are only counted. */
struct page {
	struct lf_gui_row *rows;
	wchar_t *texts;
	uint32_t count;
	size_t units;
};

static const wchar_t *add_text(struct page *page, const char *text)
{
	wchar_t *to = page->texts ? page->texts + page->units : NULL;
	int units = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);

	if (to)
		MultiByteToWideChar(CP_UTF8, 0, text, -1, to, units);
	page->units += (size_t)units;
	return to;
}

static void add_row(void *context, uint32_t level, const char *name, const char *value)
{
	struct page *page = context;
	const wchar_t *wide_name = add_text(page, name);
	const wchar_t *wide_value = value ? add_text(page, value) : NULL;

	if (page->rows)
		page->rows[page->count] = (struct lf_gui_row){level, wide_name, wide_value};
	page->count++;
}

static bool take_name(void *context, const struct lf_disk *disk)
{
	struct lf_disk *sought = context;

	if (disk->bus != sought->bus || disk->target != sought->target || disk->lun != sought->lun)
		return false;
	*sought = *disk;
	return true;
}

static int show(struct lf_command_line *line, struct lf_client *client, struct lf_gui_result *result)
{
	const struct lf_control_device *device = &result->device;
	char disk_name[3 * LF_DISK_NAME_UNITS] = "";
	struct json_object *root, *object;
	struct page page = {0};
	struct lf_disk disk = {0};
	int status = lf_show_json(line, client, result->action.id, &result->device, &root);

	if (status != LF_EXIT_DONE)
		return status;
	disk.bus = device->bus;
	disk.target = device->target;
	disk.lun = device->lun;
	if (lf_find_disk(lf_client_node(client), take_name, &disk))
		lf_narrow(disk.name, disk_name, sizeof(disk_name));
	object = json_object_array_get_idx(json_object_object_get(root, "devices"), 0);
	lf_gui_rows(object, disk_name, add_row, &page);
	page.rows = malloc(page.count * sizeof(*page.rows) + page.units * sizeof(*page.texts));
	if (page.rows) {
		page.texts = (wchar_t *)(page.rows + page.count);
		page.count = 0;
		page.units = 0;
		lf_gui_rows(object, disk_name, add_row, &page);
		result->rows = page.rows;
		result->row_count = page.count;
	} else {
		status = lf_report(line, NULL, "out of memory", LF_EXIT_FAILED);
	}
	json_object_put(root);
	return status;
}

/* ---- All of them ---- */

static int act_on_device(struct lf_command_line *line, struct lf_client *client, struct lf_gui_result *result)
{
	const char *id = result->action.id;

	switch (result->action.verb) {
	case LF_GUI_CONNECT:
		return connect_image(line, client, result);
	case LF_GUI_DISCONNECT:
		return lf_disconnect_device(line, client, id, &result->device);
	case LF_GUI_INSERT:
		return insert_image(line, client, result);
	case LF_GUI_EJECT:
		return lf_eject_medium(line, client, id, &result->device);
	case LF_GUI_RESIZE:
		return lf_resize_device(line, client, id, 0, &result->device);
	case LF_GUI_PROPERTIES:
		return show(line, client, result);
	default:
		return lf_report(line, NULL, "no such action", LF_EXIT_USAGE);
	}
}

void lf_gui_act(struct lf_gui_worker *worker)
{
	struct lf_gui_result *result = worker->result;
	struct lf_command_line line;
	struct lf_client *client;

	lf_gui_line(worker->model, &result->message, &line);
	line.force = result->action.force;
	if (result->action.verb == LF_GUI_INSTALL) {
		result->status = lf_driver_install(&line, NULL);
		return;
	}
	client = lf_gui_open(worker, &line, &result->status);
	if (!client)
		return;
	result->status = act_on_device(&line, client, result);
	lf_gui_close(worker, client);
}
