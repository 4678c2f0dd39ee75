/* SPDX-License-Identifier: BSD-2-Clause */
/* buffer.c: READ BUFFER and WRITE BUFFER (SPC-4 6.18, 6.49): a data buffer and an echo buffer, to test the
 * way. */
#include "core/handlers.h"

enum mode { MODE_DATA = 0x02, MODE_DESCRIPTOR = 0x03, MODE_ECHO = 0x0a, MODE_ECHO_DESCRIPTOR = 0x0b };

static enum mode mode_of(const struct lf_request *request)
{
	return (enum mode)(request->cdb[1] & 0x1f);
}

static uint32_t offset_of(const struct lf_request *request)
{
	return lf_get_be24(request->cdb + 3);
}

/* There is one data buffer, of id 0; the echo buffer ignores id and offset. False: sense is set. */
static bool check_place(struct lf_request *request, uint64_t length_bytes)
{
	if (mode_of(request) == MODE_ECHO)
		return true;
	if (request->cdb[2] != 0) {
		lf_sense_invalid_field_in_cdb(request, 2, LF_NO_BIT);
		return false;
	}
	if (offset_of(request) > LF_BUFFER_BYTES || length_bytes > LF_BUFFER_BYTES - offset_of(request)) {
		lf_sense_invalid_field_in_cdb(request, 3, LF_NO_BIT);
		return false;
	}
	return true;
}

bool lf_write_buffer_check(struct lf_lu *lu, struct lf_request *request, uint64_t *wanted)
{
	uint64_t length = lf_command_length(request);

	(void)lu;
	if (mode_of(request) != MODE_DATA && mode_of(request) != MODE_ECHO) { /* no microcode can be loaded */
		lf_sense_invalid_field_in_cdb(request, 1, 4);
		return false;
	}
	if (length > LF_BUFFER_BYTES) {
		lf_sense_invalid_field_in_cdb(request, request->command->length_at, LF_NO_BIT);
		return false;
	}
	*wanted = length;
	return check_place(request, length);
}

void lf_write_buffer(struct lf_lu *lu, struct lf_request *request)
{
	struct lf_buffers *buffers = &lu->buffers;
	uint64_t length = request->data_length;

	lf_lock(&lu->lock);
	if (mode_of(request) == MODE_ECHO) {
		lf_request_gather(request, 0, buffers->echo, length);
		buffers->echo_length = (uint32_t)length;
		buffers->echo_nexus_id = request->nexus->id;
	} else {
		lf_request_gather(request, 0, buffers->data + offset_of(request), length);
	}
	lf_unlock(&lu->lock);
	lf_finish_good(request, length);
}

static void read_data(struct lf_lu *lu, struct lf_request *request)
{
	if (!check_place(request, 0)) {
		lf_finish(request);
		return;
	}
	uint64_t length = lf_min(request->data_length, (uint64_t)LF_BUFFER_BYTES - offset_of(request));
	lf_lock(&lu->lock);
	if (length > 0)
		lf_request_scatter(request, 0, lu->buffers.data + offset_of(request), length);
	lf_unlock(&lu->lock);
	lf_finish_good(request, length);
}

/*
 * Whoever wrote last reads it back; to anybody else EBOS promises that he hears of it. One who never wrote
 * anything is not told apart from one whose bytes were written over.
 */
static void read_echo(struct lf_lu *lu, struct lf_request *request)
{
	struct lf_buffers *buffers = &lu->buffers;
	uint64_t length = 0;

	lf_lock(&lu->lock);
	uint64_t writer = buffers->echo_nexus_id;
	if (writer == request->nexus->id) {
		length = lf_min(request->data_length, (uint64_t)buffers->echo_length);
		if (length > 0)
			lf_request_scatter(request, 0, buffers->echo, length);
	}
	lf_unlock(&lu->lock);
	if (writer == request->nexus->id) {
		lf_finish_good(request, length);
		return;
	}
	if (writer == 0)
		lf_sense_command_sequence(request);
	else
		lf_sense_echo_overwritten(request);
	lf_finish(request);
}

void lf_read_buffer(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t reply[4] = {0};

	switch (mode_of(request)) {
	case MODE_DATA:
		read_data(lu, request);
		return;
	case MODE_DESCRIPTOR: /* OFFSET BOUNDARY: any byte. All zeros for a buffer that is not there. */
		if (request->cdb[2] == 0)
			lf_put_be24(reply + 1, LF_BUFFER_BYTES);
		lf_finish_reply(request, reply, sizeof(reply));
		return;
	case MODE_ECHO:
		read_echo(lu, request);
		return;
	case MODE_ECHO_DESCRIPTOR:
		reply[0] = 0x01; /* EBOS */
		lf_put_be16(reply + 2, LF_BUFFER_BYTES);
		lf_finish_reply(request, reply, sizeof(reply));
		return;
	}
	lf_sense_invalid_field_in_cdb(request, 1, 4);
	lf_finish(request);
}
