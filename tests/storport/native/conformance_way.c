/* SPDX-License-Identifier: BSD-2-Clause */
/* conformance_way.c: the corpus by SRBs, through the whole driver, over files of the tests' kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/modes.h"
#include "tests/storport/native/stage.h"

/* What one SRB may move. */
#define TRANSFER_MAX (1u << 20)

struct storport_unit {
	bool there;
	struct unit facts;
	struct stage_unit unit;
};

struct storport_way {
	struct way_to way;
	bool is_open;
	uint32_t number; /* of the next image */
	struct storport_unit units[CORPUS_LUNS];
};

/* The harness of the unit tests is not in this program: what it would note is said, and ends it. */
void lf_test_fail(const char *file, int line, const char *format, ...)
{
	lf_fake_broken("%s:%d: %s", file, line, format);
}

static struct storport_way *of(struct way_to *way)
{
	return (struct storport_way *)(void *)way;
}

static void open_stage(struct storport_way *storport)
{
	if (!storport->is_open)
		stage_open();
	storport->is_open = true;
}

static void fill(struct lf_fake_file *file, const struct unit *unit)
{
	uint8_t *block = malloc(unit->block_size);

	if (block == NULL)
		abort();
	for (uint64_t lba = 0; lba < unit->blocks; lba++) {
		unit_fill(unit, lba, block);
		lf_fake_file_write(file, lba * unit->block_size, block, unit->block_size);
	}
	free(block);
}

/* What an operation asks for; the answer as the corpus knows it. */
static bool ask(struct storport_way *storport, union lf_control_request *request, struct stage_unit *unit)
{
	struct stage_reply *reply = malloc(sizeof(*reply));
	bool good;

	if (reply == NULL)
		abort();
	if (stage_ask(request, reply) != STATUS_SUCCESS)
		good = way_fail(&storport->way, "the service IRP failed");
	else if (reply->status == LF_CONTROL_OK)
		good = true;
	else if (reply->status == LF_CONTROL_UNSUPPORTED)
		good = way_fail(&storport->way, "skip: %s", reply->text);
	else
		good = way_fail(&storport->way, "%s: %s",
			reply->status == LF_CONTROL_BUSY ? "refused" : "failed", reply->text);
	if (good && unit != NULL) {
		const struct lf_control_device *device = &reply->reply.one.device;

		unit->target = (uint8_t)device->target;
		unit->lun = (uint8_t)device->lun;
		unit->number = device->number;
	}
	free(reply);
	return good;
}

static void set_image(struct storport_way *storport, struct storport_unit *mine)
{
	const struct unit *unit = &mine->facts;

	snprintf(mine->unit.path, sizeof(mine->unit.path), "C:\\conformance-%u.img", storport->number++);
	mine->unit.file = lf_fake_file_add(
		mine->unit.path, unit->blocks * unit->block_size, FILE_ATTRIBUTE_SPARSE_FILE);
	if (unit->fill)
		fill(mine->unit.file, unit);
}

static bool unit_add(struct way_to *way, uint32_t lun, const struct unit *unit)
{
	struct storport_way *storport = of(way);
	struct storport_unit *mine = &storport->units[lun];
	union lf_control_request request = {.header.command = LF_CONTROL_CONNECT};
	char path[300], serial[24];

	open_stage(storport);
	mine->facts = *unit;
	set_image(storport, mine);
	snprintf(serial, sizeof(serial), "CONFORMANCE-%u", storport->number);
	request.connect.flags = (unit->read_only ? LF_CONTROL_READ_ONLY : 0) |
				(unit->no_unmap ? LF_CONTROL_NO_UNMAP : 0) |
				(unit->removable ? LF_CONTROL_REMOVABLE : 0);
	request.connect.type = unit->cdrom ? 5 : 0;
	request.connect.lun = lun;
	lf_control_set_text(&request.connect.serial, serial);
	if (!unit->cdrom) {
		request.connect.block_size = unit->block_size;
		request.connect.physical_block_size = unit->physical_size;
		request.connect.rotation = 1;
	}
	snprintf(path, sizeof(path), STAGE_PREFIX "%s", mine->unit.path);
	if (!unit->empty)
		lf_control_set_text(&request.connect.path, path);
	if (!ask(storport, &request, &mine->unit))
		return false;
	mine->there = true;
	host_wait_unit(stage, mine->unit.target, mine->unit.lun, true);
	return true;
}

static bool unit_remove(struct way_to *way, uint32_t lun)
{
	struct storport_unit *mine = &of(way)->units[lun];

	if (!mine->there)
		return way_fail(way, "LUN %u is not there", lun);
	mine->there = false;
	if (stage_disconnect(&mine->unit, false) != LF_CONTROL_OK)
		return way_fail(way, "LUN %u cannot be disconnected", lun);
	host_wait_unit(stage, mine->unit.target, mine->unit.lun, false);
	return true;
}

static bool nexus_open(struct way_to *way, uint32_t nexus)
{
	open_stage(of(way));
	return nexus == 0 || way_fail(way, "skip: a Storport host is one initiator");
}

static bool nexus_close(struct way_to *way, uint32_t nexus)
{
	(void)nexus;
	return way_fail(way, "skip: a Storport host does not go and come again");
}

/* ---- Commands ---- */

static void take_answer(struct command *command, const struct host_request *request)
{
	command->status = request->scsi_status;
	command->sense_length = request->sense_valid ? request->sense_length : 0;
	memcpy(command->sense, request->sense, command->sense_length);
	command->moved = command->way == WAY_NONE ? 0 : request->moved;
	command->has_residual = false;
}

static bool judge(struct way_to *way, struct command *command, const struct host_request *request)
{
	switch (request->srb_status) {
	case HOST_STATUS_SUCCESS:
	case HOST_STATUS_DATA_OVERRUN:
		if (request->srb_status == HOST_STATUS_SUCCESS && request->moved != request->length)
			return way_fail(
				way, "a short transfer, of %u bytes, is none to its SRB", request->moved);
		take_answer(command, request);
		return true;
	case HOST_STATUS_ERROR:
	case HOST_STATUS_BUSY:
		take_answer(command, request);
		return request->scsi_status != 0 || way_fail(way, "SRB status %02x", request->srb_status);
	case HOST_STATUS_NO_DEVICE:
	case HOST_STATUS_INVALID_LUN:
		return way_fail(way, "skip: that nobody is there is said by the SRB's status");
	default:
		return way_fail(way, "SRB status %02x", request->srb_status);
	}
}

static bool run(struct way_to *way, uint32_t nexus, struct command *command)
{
	struct host_request request = {.lun = (UCHAR)command->unit,
		.cdb_length = command->cdb_length,
		.attribute = HOST_QUEUE_SIMPLE,
		.form = command->cdb[0] & 1 ? HOST_FORM_OLD : HOST_FORM_EXTENDED,
		.data = command->data,
		.length = command->way == WAY_NONE ? 0 : command->length,
		.flags = command->way == WAY_IN    ? HOST_FLAGS_DATA_IN
			 : command->way == WAY_OUT ? HOST_FLAGS_DATA_OUT
						   : 0};

	(void)nexus;
	if (command->lun_is_raw || command->unit > 254)
		return way_fail(way, "skip: an SRB addresses units by bus, target and a LUN of eight bits");
	if (request.length > TRANSFER_MAX)
		return way_fail(way, "skip: an SRB is no longer than a megabyte");
	memcpy(request.cdb, command->cdb, command->cdb_length);
	host_run(stage, &request);
	return judge(way, command, &request);
}

static bool manage(
	struct way_to *way, uint32_t nexus, enum management function, uint64_t lun, enum answer *answer)
{
	struct host_request request = {.lun = (UCHAR)(lun >> 48),
		.function = function == LUN_RESET ? HOST_SRB_RESET_LOGICAL_UNIT : HOST_SRB_RESET_DEVICE};

	(void)nexus;
	if (function != LUN_RESET && function != TARGET_RESET)
		return way_fail(way, "skip: Storport sends resets and nothing else");
	host_run(stage, &request);
	if (request.srb_status != HOST_STATUS_SUCCESS && request.srb_status != HOST_STATUS_INVALID_LUN &&
		request.srb_status != HOST_STATUS_NO_DEVICE)
		return way_fail(way, "a reset ends with SRB status %02x", request.srb_status);
	*answer = request.srb_status == HOST_STATUS_SUCCESS ? ANSWER_COMPLETE : ANSWER_NO_LUN;
	return true;
}

/* ---- The operator ---- */

static bool change(
	struct storport_way *storport, enum operation operation, struct storport_unit *mine, uint64_t value)
{
	union lf_control_request request = {0};
	char id[16], path[300];

	snprintf(id, sizeof(id), "%u", mine->unit.number);
	snprintf(path, sizeof(path), STAGE_PREFIX "%s", mine->unit.path);
	if (operation == OPERATE_RESIZE) {
		request.header.command = LF_CONTROL_RESIZE;
		request.resize.size_bytes = value * mine->facts.block_size;
		lf_control_set_text(&request.resize.id, id);
	} else if (operation == OPERATE_EJECT) {
		request.header.command = LF_CONTROL_EJECT;
		request.select.timeout_ms = 60000;
		lf_control_set_text(&request.select.id, id);
	} else {
		request.header.command = LF_CONTROL_INSERT;
		request.insert.flags = mine->facts.read_only ? LF_CONTROL_INSERT_READ_ONLY : 0;
		lf_control_set_text(&request.insert.id, id);
		lf_control_set_text(&request.insert.image, path);
	}
	return ask(storport, &request, NULL);
}

static bool operate(struct way_to *way, enum operation operation, uint32_t number, uint64_t value)
{
	struct storport_way *storport = of(way);

	switch (operation) {
	case OPERATE_DROP:
		return nexus_close(way, number);
	case OPERATE_RESIZE:
	case OPERATE_EJECT:
	case OPERATE_INSERT:
		return change(storport, operation, &storport->units[number % CORPUS_LUNS], value);
	case OPERATE_POWER_CYCLE:
		break;
	}
	return way_fail(way, "skip: the driver has no state files");
}

/* The driver is unloaded, and looked at for what it left, after every case. */
static void clear(struct way_to *way)
{
	struct storport_way *storport = of(way);

	for (uint32_t lun = 0; lun < CORPUS_LUNS; lun++)
		if (storport->units[lun].there)
			unit_remove(way, lun);
	if (storport->is_open)
		stage_close();
	storport->is_open = false;
	way->error[0] = '\0';
}

static void close_way(struct way_to *way)
{
	clear(way);
	free(of(way));
}

static const struct way_ops ops = {
	"storport", unit_add, unit_remove, nexus_open, nexus_close, run, manage, operate, clear, close_way};

struct way_to *storport_way_open(void)
{
	struct storport_way *storport = calloc(1, sizeof(*storport));

	if (storport == NULL)
		abort();
	storport->way.ops = &ops;
	return &storport->way;
}

const struct corpus_mode corpus_modes[] = {{"storport", storport_way_open, false}};
const uint32_t corpus_mode_count = 1;
const char corpus_modes_usage[] = "storport, by SRBs through the whole driver.\n";
