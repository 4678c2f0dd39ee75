/* SPDX-License-Identifier: BSD-2-Clause */
/* codec.c: control messages between bytes and structs, by the tables of layouts.c. */
#include "control/codec.h"
#include "control/layouts.h"

/* ---- Numbers and texts ---- */

static uint64_t load_number(const uint8_t *bytes, uint32_t size)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

static void store_number(uint8_t *bytes, uint32_t size, uint64_t value)
{
	for (uint32_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t load_native(const uint8_t *from, enum lf_field_kind kind)
{
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (kind) {
	case LF_FIELD_U16:
		memcpy(&u16, from, sizeof(u16));
		return u16;
	case LF_FIELD_U32:
		memcpy(&u32, from, sizeof(u32));
		return u32;
	default:
		memcpy(&u64, from, sizeof(u64));
		return u64;
	}
}

static void store_native(uint8_t *to, enum lf_field_kind kind, uint64_t value)
{
	uint16_t u16 = (uint16_t)value;
	uint32_t u32 = (uint32_t)value;

	switch (kind) {
	case LF_FIELD_U16:
		memcpy(to, &u16, sizeof(u16));
		break;
	case LF_FIELD_U32:
		memcpy(to, &u32, sizeof(u32));
		break;
	default:
		memcpy(to, &value, sizeof(value));
		break;
	}
}

/* How many bytes the character at text has; 0 when it is none. */
static size_t utf8_character(const uint8_t *text, size_t length)
{
	uint8_t first = text[0];
	size_t size = first < 0x80   ? 1
		      : first < 0xc2 ? 0
		      : first < 0xe0 ? 2
		      : first < 0xf0 ? 3
		      : first < 0xf5 ? 4
				     : 0;

	if (size == 0 || size > length)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
		(first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f))
		return 0;
	return size;
}

bool lf_control_is_utf8(const char *text, size_t length)
{
	const uint8_t *bytes = (const uint8_t *)text;

	for (size_t i = 0; i < length;) {
		size_t size = utf8_character(bytes + i, length - i);
		if (size == 0)
			return false;
		i += size;
	}
	return true;
}

bool lf_control_copy_text(uint16_t *length, char *bytes, size_t capacity, const char *text)
{
	const uint8_t *from = (const uint8_t *)text;
	size_t whole = strlen(text);
	size_t end = 0;

	while (end < whole) {
		size_t size = utf8_character(from + end, whole - end);
		if (size == 0 || end + size >= capacity)
			break;
		end += size;
	}
	memset(bytes, 0, capacity);
	memcpy(bytes, text, end);
	*length = (uint16_t)end;
	return end == whole;
}

static bool all_zero(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

/* A text field is two bytes of length and the array. */
static bool decode_text(const struct lf_field *field, const uint8_t *bytes, uint8_t *native)
{
	uint32_t capacity = field->size - 2u;
	uint32_t length = (uint32_t)load_number(bytes, 2);

	if (length >= capacity || !all_zero(bytes + 2 + length, capacity - length))
		return false;
	for (uint32_t i = 0; i < length; i++) {
		if (bytes[2 + i] == 0)
			return false;
	}
	if (!lf_control_is_utf8((const char *)bytes + 2, length))
		return false;
	store_native(native, LF_FIELD_U16, length);
	memcpy(native + 2, bytes + 2, capacity);
	return true;
}

/* The array behind the length is copied only as far as it is filled: nothing of our memory leaves with it. */
static void encode_text(const struct lf_field *field, const uint8_t *native, uint8_t *bytes)
{
	uint32_t length = (uint32_t)load_native(native, LF_FIELD_U16);

	lf_assert(length < field->size - 2u);
	memset(bytes, 0, field->size);
	store_number(bytes, 2, length);
	memcpy(bytes + 2, native + 2, length);
}

static bool decode_bytes(const struct lf_field *field, const uint8_t *bytes, uint8_t *native)
{
	uint32_t capacity = field->size - 2u;
	uint32_t length = (uint32_t)load_number(bytes, 2);

	if (length > capacity || !all_zero(bytes + 2 + length, capacity - length))
		return false;
	store_native(native, LF_FIELD_U16, length);
	memcpy(native + 2, bytes + 2, capacity);
	return true;
}

static void encode_bytes(const struct lf_field *field, const uint8_t *native, uint8_t *bytes)
{
	uint32_t length = (uint32_t)load_native(native, LF_FIELD_U16);

	lf_assert(length <= field->size - 2u);
	memset(bytes, 0, field->size);
	store_number(bytes, 2, length);
	memcpy(bytes + 2, native + 2, length);
}

/* ---- Layouts ---- */

static bool decode_layout(const struct lf_layout *layout, const uint8_t *bytes, uint8_t *native)
{
	for (uint32_t i = 0; i < layout->count; i++) {
		const struct lf_field *field = &layout->fields[i];
		const uint8_t *from = bytes + field->offset;
		uint8_t *to = native + field->offset;
		uint64_t value;

		switch (field->kind) {
		case LF_FIELD_TEXT:
			if (!decode_text(field, from, to))
				return false;
			break;
		case LF_FIELD_BYTES:
			if (!decode_bytes(field, from, to))
				return false;
			break;
		case LF_FIELD_ZERO:
			if (!all_zero(from, field->size))
				return false;
			memset(to, 0, field->size);
			break;
		case LF_FIELD_PORTALS:
			for (uint32_t at = 0; at < field->size; at += lf_layout_portal.size) {
				if (!decode_layout(&lf_layout_portal, from + at, to + at))
					return false;
			}
			break;
		default:
			value = load_number(from, field->size);
			if (field->mask ? (value & ~field->most) != 0 : value > field->most)
				return false;
			store_native(to, field->kind, value);
			break;
		}
	}
	return true;
}

static void encode_layout(const struct lf_layout *layout, const uint8_t *native, uint8_t *bytes)
{
	for (uint32_t i = 0; i < layout->count; i++) {
		const struct lf_field *field = &layout->fields[i];
		const uint8_t *from = native + field->offset;
		uint8_t *to = bytes + field->offset;

		switch (field->kind) {
		case LF_FIELD_TEXT:
			encode_text(field, from, to);
			break;
		case LF_FIELD_BYTES:
			encode_bytes(field, from, to);
			break;
		case LF_FIELD_ZERO:
			memset(to, 0, field->size);
			break;
		case LF_FIELD_PORTALS:
			for (uint32_t at = 0; at < field->size; at += lf_layout_portal.size)
				encode_layout(&lf_layout_portal, from + at, to + at);
			break;
		default:
			store_number(to, field->size, load_native(from, field->kind));
			break;
		}
	}
}

static void fill_header(struct lf_control_header *header, uint32_t size, uint32_t status)
{
	header->magic = LF_CONTROL_MAGIC;
	header->version = LF_CONTROL_VERSION;
	header->size = size;
	header->status = status;
}

/* ---- Requests ---- */

enum lf_control_status lf_control_decode_request(
	const void *bytes, size_t length_bytes, union lf_control_request *request, struct lf_message *message)
{
	struct lf_control_header *header = &request->header;
	const struct lf_format *format;
	const struct lf_layout *layout;

	memset(header, 0, sizeof(*header));
	if (length_bytes < sizeof(*header)) {
		lf_message_set(message, "a message of %u bytes: it has at least %u", (uint32_t)length_bytes,
			(uint32_t)sizeof(*header));
		return LF_CONTROL_INVALID;
	}
	decode_layout(&lf_layout_header, bytes, (uint8_t *)request);
	if (header->magic != LF_CONTROL_MAGIC) {
		lf_message_set(message, "no control message: it does not begin with LFSH");
		return LF_CONTROL_INVALID;
	}
	if (header->version != LF_CONTROL_VERSION) {
		lf_message_set(message,
			"version %u of the control protocol is not spoken here, version %u is: "
			"use a command and an adapter of the same release",
			header->version, LF_CONTROL_VERSION);
		return LF_CONTROL_BAD_VERSION;
	}
	format = lf_format_of(header->command);
	if (!format) {
		lf_message_set(message, "command %u is not supported by this release", header->command);
		return LF_CONTROL_UNSUPPORTED;
	}
	layout = format->request;
	if (header->size != length_bytes || length_bytes != layout->size || header->status != 0) {
		lf_message_set(message, "a message of %u bytes for command %u: it has %u",
			(uint32_t)length_bytes, header->command, layout->size);
		return LF_CONTROL_INVALID;
	}
	if (!decode_layout(layout, bytes, (uint8_t *)request)) {
		lf_message_set(message, "a field of the message for command %u is out of its range",
			header->command);
		return LF_CONTROL_INVALID;
	}
	return LF_CONTROL_OK;
}

size_t lf_control_encode_request(union lf_control_request *request, void *bytes, size_t room_bytes)
{
	const struct lf_format *format = lf_format_of(request->header.command);
	const struct lf_layout *layout = format ? format->request : NULL;

	lf_assert(layout && layout->size <= room_bytes);
	fill_header(&request->header, layout->size, 0);
	encode_layout(layout, (const uint8_t *)request, bytes);
	return layout->size;
}

/* ---- Replies ---- */

/* Bytes of records, of data, or of the one device, behind the fixed part. */
static size_t records_size(const union lf_control_reply *reply)
{
	const struct lf_format *format = lf_format_of(reply->header.command);

	switch (reply->header.command) {
	case LF_CONTROL_LIST:
	case LF_CONTROL_SESSIONS:
		return (size_t)reply->page.count * format->record->size;
	case LF_CONTROL_STATUS:
		return (size_t)reply->state.event_count * format->record->size;
	case LF_CONTROL_STATS:
		return (size_t)reply->stats.counter_count * format->record->size;
	case LF_CONTROL_INQUIRE:
		return reply->inquiry.data_length;
	default:
		return format->one_device ? lf_layout_device.size : 0;
	}
}

size_t lf_control_encode_failure(
	enum lf_control_status status, uint16_t command, const char *text, void *bytes, size_t room_bytes)
{
	struct lf_control_failure failure;

	lf_assert(status != LF_CONTROL_OK && sizeof(failure) <= room_bytes);
	memset(&failure, 0, sizeof(failure));
	fill_header(&failure.header, sizeof(failure), status);
	failure.header.command = command;
	failure.version_min = LF_CONTROL_VERSION;
	failure.version_max = LF_CONTROL_VERSION;
	lf_control_set_text(&failure.text, text);
	encode_layout(&lf_layout_failure, (const uint8_t *)&failure, bytes);
	return sizeof(failure);
}

size_t lf_control_encode_reply(union lf_control_reply *reply, void *bytes, size_t room_bytes)
{
	const struct lf_format *format = lf_format_of(reply->header.command);
	size_t size;

	lf_assert(format && reply->header.status == LF_CONTROL_OK);
	size = format->reply->size + records_size(reply);
	if (size > room_bytes)
		return 0;
	fill_header(&reply->header, (uint32_t)size, LF_CONTROL_OK);
	encode_layout(format->reply, (const uint8_t *)reply, bytes);
	if (format->one_device)
		encode_layout(&lf_layout_device, (const uint8_t *)&reply->one.device,
			(uint8_t *)bytes + offsetof(struct lf_control_one, device));
	return size;
}

static size_t record_offset(const struct lf_format *format, uint32_t index)
{
	return format->reply->size + (size_t)index * format->record->size;
}

void lf_control_encode_record(
	enum lf_control_command command, const void *record, uint32_t index, void *bytes)
{
	const struct lf_format *format = lf_format_of(command);

	encode_layout(format->record, record, (uint8_t *)bytes + record_offset(format, index));
}

void lf_control_encode_data(const void *data, uint32_t length_bytes, void *bytes)
{
	lf_assert(length_bytes <= LF_CONTROL_INQUIRY_DATA_MAX);
	memcpy((uint8_t *)bytes + sizeof(struct lf_control_inquiry), data, length_bytes);
}

bool lf_control_decode_reply(const void *bytes, size_t length_bytes, enum lf_control_command command,
	union lf_control_reply *reply, struct lf_message *message)
{
	struct lf_control_header *header = &reply->header;
	const struct lf_format *format = lf_format_of(command);
	const struct lf_layout *layout = &lf_layout_failure;

	lf_message_set(message, "the answer makes no sense: is it our adapter that answers there?");
	if (length_bytes < sizeof(*header))
		return false;
	decode_layout(&lf_layout_header, bytes, (uint8_t *)reply);
	if (header->magic != LF_CONTROL_MAGIC || header->size != length_bytes)
		return false;
	if (header->version != LF_CONTROL_VERSION) {
		lf_message_set(message,
			"the adapter speaks version %u of the control protocol, not %u: "
			"use a command and an adapter of the same release",
			header->version, LF_CONTROL_VERSION);
		return false;
	}
	if (header->status == LF_CONTROL_OK) {
		if (header->command != command || !format)
			return false;
		layout = format->reply;
	}
	if (length_bytes < layout->size || !decode_layout(layout, bytes, (uint8_t *)reply))
		return false;
	if (header->status != LF_CONTROL_OK)
		return length_bytes == layout->size;
	if (length_bytes != layout->size + records_size(reply))
		return false;
	return !format->one_device ||
	       decode_layout(&lf_layout_device,
		       (const uint8_t *)bytes + offsetof(struct lf_control_one, device),
		       (uint8_t *)&reply->one.device);
}

bool lf_control_decode_record(
	enum lf_control_command command, const void *bytes, uint32_t index, void *record)
{
	const struct lf_format *format = lf_format_of(command);

	return decode_layout(format->record, (const uint8_t *)bytes + record_offset(format, index), record);
}

const uint8_t *lf_control_decode_data(const void *bytes)
{
	return (const uint8_t *)bytes + sizeof(struct lf_control_inquiry);
}

bool lf_control_layouts_are_whole(void)
{
	const struct lf_layout *layout;

	for (uint32_t i = 0; (layout = lf_layout_at(i)); i++) {
		uint32_t end = 0;
		for (uint32_t j = 0; j < layout->count; j++) {
			if (layout->fields[j].offset != end)
				return false;
			end += layout->fields[j].size;
		}
		if (end != layout->size)
			return false;
	}
	return true;
}
