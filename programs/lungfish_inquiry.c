/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_inquiry.c: asks the unit for all that it says of itself; lungfish_pages.c knows what it means. */
#include "programs/lungfish.h"

#include <stdlib.h>
#include <string.h>

#define ROOM       LF_CONTROL_INQUIRY_DATA_MAX
#define ROOM_BYTES ROOM >> 8, ROOM & 0xff /* as an ALLOCATION LENGTH of two bytes */
#define GOOD       0x00

/* Where the questions go. */
struct asker {
	const struct lf_command_line *line;
	struct lf_client *client;
	const char *object;
	uint32_t number;
};

/* SPC-4 4.5: fixed and descriptor format. */
static void take_sense(const struct lf_control_inquiry *inquiry, struct lf_answer *answer)
{
	const uint8_t *sense = inquiry->sense.bytes;
	uint32_t length = inquiry->sense.length;

	answer->scsi_status = (uint8_t)inquiry->scsi_status;
	if (length >= 14 && (sense[0] & 0x7e) == 0x70) {
		answer->key = sense[2] & 0x0f;
		answer->asc = sense[12];
		answer->ascq = sense[13];
	} else if (length >= 4 && (sense[0] & 0x7e) == 0x72) {
		answer->key = sense[1] & 0x0f;
		answer->asc = sense[2];
		answer->ascq = sense[3];
	}
}

static int ask(const struct asker *asker, const uint8_t *cdb, uint16_t cdb_length, struct lf_answer *answer)
{
	union lf_control_request request;
	union lf_control_reply reply;
	int status;

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_INQUIRE;
	request.inquire.number = asker->number;
	request.inquire.cdb.length = cdb_length;
	memcpy(request.inquire.cdb.bytes, cdb, cdb_length);
	status = lf_session_call(asker->line, asker->client, asker->object, &request, NULL, CALL_MS, &reply);
	if (status != LF_EXIT_DONE)
		return status;
	answer->came = true;
	take_sense(&reply.inquiry, answer);
	answer->bytes = malloc(reply.inquiry.data_length + 1u);
	if (!answer->bytes)
		return lf_report(asker->line, NULL, "out of memory", LF_EXIT_FAILED);
	answer->length = reply.inquiry.data_length;
	memcpy(answer->bytes, lf_control_decode_data(asker->client->reply), answer->length);
	answer->readable = reply.inquiry.scsi_status == GOOD;
	return LF_EXIT_DONE;
}

/* Cut to what its header says it has; no answer at all when it is another page. */
static int ask_vital(const struct asker *asker, uint8_t code, struct lf_answer *answer)
{
	const uint8_t cdb[6] = {0x12, 0x01, code, ROOM_BYTES};
	int status = ask(asker, cdb, sizeof(cdb), answer);

	if (status != LF_EXIT_DONE || !answer->readable)
		return status;
	answer->readable = answer->length >= 4 && answer->bytes[1] == code;
	if (answer->readable)
		answer->length = lf_min(answer->length, 4u + lf_get_be16(answer->bytes + 2));
	return status;
}

static int ask_all_vital(const struct asker *asker, struct lf_pages *pages)
{
	const struct lf_answer *list = &pages->vital[0];
	int status = ask_vital(asker, 0, &pages->vital[0]);

	for (uint32_t i = 4; status == LF_EXIT_DONE && list->readable && i < list->length; i++) {
		struct lf_answer *answer = &pages->vital[list->bytes[i]];
		if (!answer->came)
			status = ask_vital(asker, list->bytes[i], answer);
	}
	return status;
}

int lf_pages_read(const struct lf_command_line *line, struct lf_client *client, const char *object,
	const struct lf_control_device *device, struct lf_pages **read)
{
	static const uint8_t mode_sense[10] = {0x5a, 0x08, 0x3f, 0, 0, 0, 0, ROOM_BYTES};
	static const uint8_t read_capacity[16] = {0x9e, 0x10, [13] = 32};
	static const uint8_t report_commands[12] = {0xa3, 0x0c, [8] = ROOM_BYTES};
	struct asker asker = {line, client, object, device->number};
	struct lf_pages *pages = calloc(1, sizeof(*pages));
	int status;

	if (!pages)
		return lf_report(line, NULL, "out of memory", LF_EXIT_FAILED);
	pages->type = device->type;
	status = ask_all_vital(&asker, pages);
	if (status == LF_EXIT_DONE)
		status = ask(&asker, mode_sense, sizeof(mode_sense), &pages->mode);
	if (status == LF_EXIT_DONE)
		status = ask(&asker, read_capacity, sizeof(read_capacity), &pages->capacity);
	if (status == LF_EXIT_DONE)
		status = ask(&asker, report_commands, sizeof(report_commands), &pages->commands);
	if (status == LF_EXIT_DONE)
		*read = pages;
	else
		lf_pages_free(pages);
	return status;
}

void lf_pages_free(struct lf_pages *pages)
{
	if (!pages)
		return;
	for (uint32_t i = 0; i < lf_count_of(pages->vital); i++)
		free(pages->vital[i].bytes);
	free(pages->mode.bytes);
	free(pages->capacity.bytes);
	free(pages->commands.bytes);
	free(pages);
}
