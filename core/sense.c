/* SPDX-License-Identifier: BSD-2-Clause */
/* sense.c: the only writer of sense data: fixed and descriptor format (SPC-4 4.5), and which error is which.
 */
#include "core/core.h"

#define FIXED_LENGTH      18
#define DESCRIPTOR_HEADER 8

enum sense_response { SENSE_FIXED = 0x70, SENSE_DESCRIPTOR = 0x72 };

enum sense_key { KEY_MEDIUM_ERROR = 0x3 };

/* What goes with KEY/ASC/ASCQ. */
struct sense_detail {
	bool has_information;
	uint64_t information;
	uint8_t specific[3]; /* sense key specific; SKSV is the top bit of the first */
};

static const struct sense_detail no_detail;

static uint32_t build_fixed(uint8_t *to, uint32_t sense, const struct sense_detail *detail)
{
	memset(to, 0, FIXED_LENGTH);
	to[0] = SENSE_FIXED;
	/* The field has four bytes: what does not fit is left out, VALID stays 0. */
	if (detail->has_information && detail->information <= UINT32_MAX) {
		to[0] |= 0x80;
		lf_put_be32(to + 3, (uint32_t)detail->information);
	}
	to[2] = (uint8_t)(sense >> 16);
	to[7] = FIXED_LENGTH - 8;
	to[12] = (uint8_t)(sense >> 8);
	to[13] = (uint8_t)sense;
	memcpy(to + 15, detail->specific, sizeof(detail->specific));
	return FIXED_LENGTH;
}

static uint32_t build_descriptor(uint8_t *to, uint32_t sense, const struct sense_detail *detail)
{
	uint32_t length = DESCRIPTOR_HEADER;

	memset(to, 0, DESCRIPTOR_HEADER);
	to[0] = SENSE_DESCRIPTOR;
	to[1] = (uint8_t)(sense >> 16);
	to[2] = (uint8_t)(sense >> 8);
	to[3] = (uint8_t)sense;
	if (detail->has_information) { /* SPC-4 4.5.2.2 */
		uint8_t *at = to + length;
		at[0] = 0x00;
		at[1] = 0x0a;
		at[2] = 0x80;
		at[3] = 0;
		lf_put_be64(at + 4, detail->information);
		length += 12;
	}
	if (detail->specific[0] & 0x80) { /* SPC-4 4.5.2.4 */
		uint8_t *at = to + length;
		memset(at, 0, 8);
		at[0] = 0x02;
		at[1] = 0x06;
		memcpy(at + 4, detail->specific, sizeof(detail->specific));
		length += 8;
	}
	to[7] = (uint8_t)(length - DESCRIPTOR_HEADER);
	return length;
}

static void set(struct lf_request *request, uint32_t sense, const struct sense_detail *detail)
{
	uint32_t length = lf_atomic_load_u32(&request->lu->descriptor_sense)
				  ? build_descriptor(request->sense, sense, detail)
				  : build_fixed(request->sense, sense, detail);
	request->status = LF_STATUS_CHECK_CONDITION;
	request->sense_length = (uint8_t)length;
	request->data_moved = 0;
}

static void set_with_information(struct lf_request *request, uint32_t sense, uint64_t information)
{
	struct sense_detail detail = {
		.has_information = information != LF_NO_INFORMATION, .information = information};
	set(request, sense, &detail);
}

/* SPC-4 4.5.2.4.2: C/D tells the CDB from the parameter list, BPV whether the bit counts. */
static void set_field(struct lf_request *request, uint32_t sense, bool in_cdb, uint16_t byte, uint8_t bit)
{
	struct sense_detail detail = {.has_information = false};

	detail.specific[0] = (uint8_t)(0x80 | (in_cdb ? 0x40 : 0));
	if (bit != LF_NO_BIT)
		detail.specific[0] |= (uint8_t)(0x08 | (bit & 7));
	lf_put_be16(detail.specific + 1, byte);
	set(request, sense, &detail);
}

void lf_sense_set(struct lf_request *request, uint32_t sense)
{
	set(request, sense, &no_detail);
}

uint32_t lf_ua_sense(enum lf_ua ua)
{
	static const uint32_t sense[LF_UA_COUNT] = {
		[LF_UA_POWER_ON] = LF_SENSE(0x6, 0x29, 0x00),
		[LF_UA_RESET] = LF_SENSE(0x6, 0x29, 0x03),
		[LF_UA_NEXUS_LOSS] = LF_SENSE(0x6, 0x29, 0x07),
		[LF_UA_RESERVATIONS_PREEMPTED] = LF_SENSE(0x6, 0x2a, 0x03),
		[LF_UA_RESERVATIONS_RELEASED] = LF_SENSE(0x6, 0x2a, 0x04),
		[LF_UA_REGISTRATIONS_PREEMPTED] = LF_SENSE(0x6, 0x2a, 0x05),
		[LF_UA_MEDIUM_CHANGED] = LF_SENSE(0x6, 0x28, 0x00),
		[LF_UA_EJECT_REQUESTED] = LF_SENSE(0x6, 0x5a, 0x01),
		[LF_UA_COMMANDS_CLEARED] = LF_SENSE(0x6, 0x2f, 0x00),
		[LF_UA_INQUIRY_CHANGED] = LF_SENSE(0x6, 0x3f, 0x03),
		[LF_UA_REPORTED_LUNS_CHANGED] = LF_SENSE(0x6, 0x3f, 0x0e),
		[LF_UA_MODE_CHANGED] = LF_SENSE(0x6, 0x2a, 0x01),
		[LF_UA_LOG_CHANGED] = LF_SENSE(0x6, 0x2a, 0x02),
		[LF_UA_CAPACITY_CHANGED] = LF_SENSE(0x6, 0x2a, 0x09),
		[LF_UA_FAILURE_PREDICTED] = LF_SENSE(0x6, 0x5d, 0xff),
	};

	lf_assert(ua < LF_UA_COUNT);
	return sense[ua];
}

void lf_sense_unit_attention(struct lf_request *request, enum lf_ua ua)
{
	lf_sense_set(request, lf_ua_sense(ua));
}

void lf_sense_invalid_opcode(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x5, 0x20, 0x00));
}

void lf_sense_invalid_field_in_cdb(struct lf_request *request, uint16_t byte, uint8_t bit)
{
	set_field(request, LF_SENSE(0x5, 0x24, 0x00), true, byte, bit);
}

void lf_sense_invalid_field_in_list(struct lf_request *request, uint16_t byte, uint8_t bit)
{
	set_field(request, LF_SENSE(0x5, 0x26, 0x00), false, byte, bit);
}

void lf_sense_list_length_error(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x5, 0x1a, 0x00));
}

void lf_sense_lba_out_of_range(struct lf_request *request, uint64_t first_bad_lba)
{
	/* The last LBA of 64 bits is one like any other. */
	struct sense_detail detail = {.has_information = true, .information = first_bad_lba};

	set(request, LF_SENSE(0x5, 0x21, 0x00), &detail);
}

void lf_sense_miscompare(struct lf_request *request, uint64_t offset_bytes)
{
	set_with_information(request, LF_SENSE(0xe, 0x1d, 0x00), offset_bytes);
}

void lf_sense_command_sequence(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x5, 0x2c, 0x00));
}

void lf_sense_echo_overwritten(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0xb, 0x3f, 0x0f));
}

void lf_sense_unit_not_supported(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x5, 0x25, 0x00));
}

void lf_sense_write_protected(struct lf_request *request)
{
	lf_sense_set(request, request->lu->read_only ? LF_SENSE(0x7, 0x27, 0x00) : LF_SENSE(0x7, 0x27, 0x02));
}

void lf_sense_not_ready(struct lf_request *request)
{
	switch (request->lu->medium_state) {
	case LF_MEDIUM_STOPPED: /* INITIALIZING COMMAND REQUIRED */
		lf_sense_set(request, LF_SENSE(0x2, 0x04, 0x02));
		break;
	case LF_MEDIUM_TRAY_OPEN:
		lf_sense_set(request, LF_SENSE(0x2, 0x3a, 0x02));
		break;
	default:
		lf_sense_set(request, LF_SENSE(0x2, 0x3a, 0x01));
		break;
	}
}

void lf_sense_removal_prevented(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x5, 0x53, 0x02));
}

void lf_sense_illegal_mode(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x5, 0x64, 0x00));
}

void lf_sense_incompatible_medium(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x5, 0x30, 0x02));
}

void lf_sense_authentication_failed(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x5, 0x6f, 0x00));
}

void lf_sense_key_not_present(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x5, 0x6f, 0x01));
}

void lf_sense_saving_not_supported(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x5, 0x39, 0x00));
}

void lf_sense_data_length(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x5, 0x0e, 0x03));
}

void lf_sense_data_spoiled(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0xb, 0x47, 0x05)); /* RFC 7143 11.4.7.2 has it so, too */
}

void lf_sense_invalid_release(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x5, 0x26, 0x04));
}

void lf_sense_registration_resources(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x5, 0x55, 0x04));
}

void lf_sense_internal_target_failure(struct lf_request *request)
{
	lf_sense_set(request, LF_SENSE(0x4, 0x44, 0x00));
}

/*
 * Which sense an initiator acts rightly on:
 * - a medium that fails, or was cut short, is MEDIUM ERROR: not retried for long, and the LBA is named;
 * - a full host is 07/27/07, on which thin-provisioning clients stop writing rather than lose data;
 * - what may pass (short of memory, out of time, given up by the store) is ABORTED COMMAND: retried;
 * - the rest should not happen on an open store: 04/44/00, INTERNAL TARGET FAILURE.
 */
static uint32_t sense_of_error(enum lf_error error, bool writing)
{
	switch (error) {
	case LF_E_IO:
	case LF_E_RANGE:
		return writing ? LF_SENSE(0x3, 0x0c, 0x00) : LF_SENSE(0x3, 0x11, 0x00);
	case LF_E_NO_SPACE:
		return LF_SENSE(0x7, 0x27, 0x07);
	case LF_E_READ_ONLY:
		return LF_SENSE(0x7, 0x27, 0x00);
	case LF_E_PERMISSION: /* rights that were withdrawn from an open file, or a seal */
		return writing ? LF_SENSE(0x7, 0x27, 0x00) : LF_SENSE(0x4, 0x44, 0x00);
	case LF_E_NO_MEDIUM:
		return LF_SENSE(0x2, 0x3a, 0x00);
	case LF_E_NO_MEMORY:
	case LF_E_BUSY:
		return LF_SENSE(0xb, 0x55, 0x03);
	case LF_E_TIMED_OUT:
		return LF_SENSE(0xb, 0x3e, 0x02);
	case LF_E_ABORTED:
		return LF_SENSE(0xb, 0x00, 0x00);
	case LF_OK:
	case LF_E_INVALID:
	case LF_E_UNSUPPORTED:
	case LF_E_NOT_FOUND:
		break;
	}
	return LF_SENSE(0x4, 0x44, 0x00);
}

/* Every failure of a medium comes by here once: it is counted and traced here; the store logged it. */
void lf_sense_from_error(struct lf_request *request, enum lf_error error, bool writing, uint64_t lba)
{
	uint32_t sense = sense_of_error(error, writing);

	lf_assert(error != LF_OK);
	if (sense >> 16 == KEY_MEDIUM_ERROR)
		set_with_information(request, sense, lba);
	else
		lf_sense_set(request, sense);
	if (error == LF_E_ABORTED)
		return;
	lf_count_error(request, error);
	lf_trace_medium_error(
		request->lu->lun, request->io.offset_bytes, (uint64_t)error, (uint64_t)request->io.op);
}

uint32_t lf_sense_read(const struct lf_request *request)
{
	const uint8_t *sense = request->sense;

	if (request->sense_length == 0)
		return 0;
	if ((sense[0] & 0x7f) == SENSE_DESCRIPTOR)
		return LF_SENSE(sense[1] & 0x0f, sense[2], sense[3]);
	return LF_SENSE(sense[2] & 0x0f, sense[12], sense[13]);
}

uint32_t lf_sense_build(uint8_t *to, bool descriptor, uint32_t sense)
{
	return descriptor ? build_descriptor(to, sense, &no_detail) : build_fixed(to, sense, &no_detail);
}

void lf_event_sense_inventory(uint8_t *to)
{
	lf_sense_build(to, false, lf_ua_sense(LF_UA_REPORTED_LUNS_CHANGED));
}
