/* SPDX-License-Identifier: BSD-2-Clause */
/* codec.h: control messages between bytes and structs: pure, no I/O, believes nothing. */
#ifndef LF_CONTROL_CODEC_H
#define LF_CONTROL_CODEC_H

#include "control/protocol.h"

/* Any request, decoded; header.command says which. */
union lf_control_request {
	struct lf_control_header header;
	struct lf_control_connect connect;
	struct lf_control_select select;
	struct lf_control_list list;
	struct lf_control_inquire inquire;
	struct lf_control_insert insert;
	struct lf_control_resize resize;
	struct lf_control_after after;
};

/* Any reply but for its records, decoded; header.status and header.command say which. */
union lf_control_reply {
	struct lf_control_header header;
	struct lf_control_failure failure;
	struct lf_control_identity identity;
	struct lf_control_one one;
	struct lf_control_page page;
	struct lf_control_state state;
	struct lf_control_inquiry inquiry;
	struct lf_control_stats stats;
	struct lf_control_reservation reservation;
};

/*
 * Bytes to struct. Not OK: the request is not to be believed but for header.command, which is for the reply,
 * and message says why. bytes need no alignment.
 */
enum lf_control_status lf_control_decode_request(const void *bytes, size_t length_bytes,
	union lf_control_request *request, struct lf_message *message);

/* Struct to bytes; header.command is set, the rest of the header is filled in. Returns the length in bytes.
 */
size_t lf_control_encode_request(union lf_control_request *request, void *bytes, size_t room_bytes);

/*
 * A reply whose status is OK, without its records; there are page.count, state.event_count or
 * stats.counter_count of them, or inquiry.data_length bytes of data. They are put by the functions below,
 * before or after it, in room that this function has counted. Returns the length of the whole message,
 * records included; 0 when it does not fit.
 */
size_t lf_control_encode_reply(union lf_control_reply *reply, void *bytes, size_t room_bytes);
/* Whatever the command. Returns its length. */
size_t lf_control_encode_failure(
	enum lf_control_status status, uint16_t command, const char *text, void *bytes, size_t room_bytes);
void lf_control_encode_record(
	enum lf_control_command command, const void *record, uint32_t index, void *bytes);
void lf_control_encode_data(const void *data, uint32_t length_bytes, void *bytes);

/*
 * False: the reply makes no sense, message says why. Records are then fetched one by one, index below
 * that count; false when that one makes no sense. record is the struct that the command's reply has.
 */
bool lf_control_decode_reply(const void *bytes, size_t length_bytes, enum lf_control_command command,
	union lf_control_reply *reply, struct lf_message *message);
bool lf_control_decode_record(
	enum lf_control_command command, const void *bytes, uint32_t index, void *record);

static inline void lf_control_encode_device(
	const struct lf_control_device *device, uint32_t index, void *bytes)
{
	lf_control_encode_record(LF_CONTROL_LIST, device, index, bytes);
}

static inline bool lf_control_decode_device(
	const void *bytes, uint32_t index, struct lf_control_device *device)
{
	return lf_control_decode_record(LF_CONTROL_LIST, bytes, index, device);
}

static inline void lf_control_encode_event(const struct lf_control_event *event, uint32_t index, void *bytes)
{
	lf_control_encode_record(LF_CONTROL_STATUS, event, index, bytes);
}

static inline bool lf_control_decode_event(const void *bytes, uint32_t index, struct lf_control_event *event)
{
	return lf_control_decode_record(LF_CONTROL_STATUS, bytes, index, event);
}

/* Where the inquiry.data_length bytes are. */
const uint8_t *lf_control_decode_data(const void *bytes);

/* Fills a text field, cut at a character's border when it is too long; false when it was cut or is no UTF-8.
 */
#define lf_control_set_text(field, text)                                                                     \
	lf_control_copy_text(&(field)->length, (field)->bytes, sizeof((field)->bytes), (text))
bool lf_control_copy_text(uint16_t *length, char *bytes, size_t capacity, const char *text);

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool lf_control_is_utf8(const char *text, size_t length);

/* True when the tables describe every byte of every message once: for the unit test. */
bool lf_control_layouts_are_whole(void);

#endif
