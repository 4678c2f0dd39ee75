/* SPDX-License-Identifier: BSD-2-Clause */
/* codec.c: control messages between bytes and structs, by one table of fields for each layout. */
#include "control/codec.h"

/* What a field is: the table drives encoding, decoding and every check that does not need to know the device.
 */
enum field_kind { FIELD_U16, FIELD_U32, FIELD_U64, FIELD_TEXT, FIELD_BYTES, FIELD_ZERO, FIELD_PORTALS };

struct field {
	uint16_t offset;
	uint16_t size; /* bytes */
	enum field_kind kind;
	uint64_t most; /* numbers: the highest that is allowed, or the only bits when mask is set */
	bool mask;
};

struct layout {
	const struct field *fields;
	uint32_t count;
	uint32_t size;
};

#define FIELD(type, name, kind, most, mask)                                                                  \
	{                                                                                                    \
		offsetof(struct type, name), sizeof(((struct type *)0)->name), kind, most, mask              \
	}
#define NUMBER16(type, name)      FIELD(type, name, FIELD_U16, UINT16_MAX, false)
#define NUMBER32(type, name)      FIELD(type, name, FIELD_U32, UINT32_MAX, false)
#define NUMBER64(type, name)      FIELD(type, name, FIELD_U64, UINT64_MAX, false)
#define UP_TO16(type, name, most) FIELD(type, name, FIELD_U16, most, false)
#define UP_TO32(type, name, most) FIELD(type, name, FIELD_U32, most, false)
#define FLAGS32(type, name, bits) FIELD(type, name, FIELD_U32, bits, true)
#define TEXT(type, name)          FIELD(type, name, FIELD_TEXT, 0, false)
#define BYTES(type, name)         FIELD(type, name, FIELD_BYTES, 0, false)
#define ZERO(type, name)          FIELD(type, name, FIELD_ZERO, 0, false)
#define LAYOUT(fields, type)                                                                                 \
	{                                                                                                    \
		fields, lf_count_of(fields), sizeof(struct type)                                             \
	}
#define HEADER(type)                                                                                         \
	NUMBER32(type, header.magic), NUMBER16(type, header.version), NUMBER16(type, header.command),        \
		NUMBER32(type, header.size), NUMBER32(type, header.status)

static const struct field header_fields[] = {
	NUMBER32(lf_control_header, magic),
	NUMBER16(lf_control_header, version),
	NUMBER16(lf_control_header, command),
	NUMBER32(lf_control_header, size),
	NUMBER32(lf_control_header, status),
};

static const struct field connect_fields[] = {
	HEADER(lf_control_connect),
	FLAGS32(lf_control_connect, flags, LF_CONTROL_READ_ONLY | LF_CONTROL_NO_UNMAP),
	NUMBER32(lf_control_connect, type),
	NUMBER32(lf_control_connect, target),
	NUMBER32(lf_control_connect, lun),
	NUMBER32(lf_control_connect, block_size),
	NUMBER32(lf_control_connect, physical_block_size),
	NUMBER16(lf_control_connect, rotation),
	ZERO(lf_control_connect, reserved),
	TEXT(lf_control_connect, name),
	TEXT(lf_control_connect, vendor),
	TEXT(lf_control_connect, product),
	TEXT(lf_control_connect, serial),
	TEXT(lf_control_connect, path),
};

static const struct field select_fields[] = {
	HEADER(lf_control_select),
	FLAGS32(lf_control_select, flags, LF_CONTROL_FORCE),
	NUMBER32(lf_control_select, timeout_ms),
	TEXT(lf_control_select, id),
	TEXT(lf_control_select, path),
};

static const struct field list_fields[] = {
	HEADER(lf_control_list),
	NUMBER32(lf_control_list, after),
	ZERO(lf_control_list, reserved),
};

static const struct field inquire_fields[] = {
	HEADER(lf_control_inquire),
	NUMBER32(lf_control_inquire, number),
	ZERO(lf_control_inquire, reserved),
	BYTES(lf_control_inquire, cdb),
};

static const struct field failure_fields[] = {
	HEADER(lf_control_failure),
	NUMBER16(lf_control_failure, version_min),
	NUMBER16(lf_control_failure, version_max),
	ZERO(lf_control_failure, reserved),
	TEXT(lf_control_failure, text),
};

static const struct field identity_fields[] = {
	HEADER(lf_control_identity),
	NUMBER16(lf_control_identity, version_min),
	NUMBER16(lf_control_identity, version_max),
	ZERO(lf_control_identity, reserved),
	NUMBER64(lf_control_identity, process_id),
	TEXT(lf_control_identity, adapter),
	TEXT(lf_control_identity, release),
	TEXT(lf_control_identity, platform),
};

static const struct field device_fields[] = {
	NUMBER32(lf_control_device, number),
	NUMBER32(lf_control_device, type),
	NUMBER32(lf_control_device, bus),
	NUMBER32(lf_control_device, target),
	NUMBER32(lf_control_device, lun),
	UP_TO32(lf_control_device, state, LF_CONTROL_OFFLINE),
	FLAGS32(lf_control_device, flags,
		LF_CONTROL_DEVICE_READ_ONLY | LF_CONTROL_DEVICE_REMOVABLE | LF_CONTROL_DEVICE_UNMAP),
	NUMBER32(lf_control_device, block_size),
	NUMBER32(lf_control_device, physical_block_size),
	NUMBER32(lf_control_device, sessions),
	NUMBER64(lf_control_device, block_count),
	NUMBER64(lf_control_device, in_flight),
	NUMBER64(lf_control_device, identifier),
	NUMBER16(lf_control_device, rotation),
	ZERO(lf_control_device, reserved),
	TEXT(lf_control_device, id),
	TEXT(lf_control_device, vendor),
	TEXT(lf_control_device, product),
	TEXT(lf_control_device, revision),
	TEXT(lf_control_device, serial),
	TEXT(lf_control_device, url),
	TEXT(lf_control_device, image),
};

static const struct field page_fields[] = {
	HEADER(lf_control_page),
	UP_TO32(lf_control_page, count, LF_CONTROL_PAGE_DEVICES_MAX),
	UP_TO32(lf_control_page, more, 1),
};

static const struct field portal_fields[] = {
	NUMBER16(lf_control_portal, tag),
	ZERO(lf_control_portal, reserved),
	TEXT(lf_control_portal, address),
};

static const struct field state_fields[] = {
	HEADER(lf_control_state),
	NUMBER64(lf_control_state, process_id),
	NUMBER64(lf_control_state, uptime_ns),
	NUMBER32(lf_control_state, sessions),
	NUMBER32(lf_control_state, devices),
	NUMBER32(lf_control_state, loops),
	UP_TO32(lf_control_state, portal_count, LF_CONTROL_PORTALS_MAX),
	UP_TO32(lf_control_state, event_count, LF_CONTROL_EVENTS_MAX),
	ZERO(lf_control_state, reserved),
	TEXT(lf_control_state, release),
	TEXT(lf_control_state, platform),
	TEXT(lf_control_state, engine),
	TEXT(lf_control_state, iqn),
	FIELD(lf_control_state, portals, FIELD_PORTALS, 0, false),
};

static const struct field event_fields[] = {
	NUMBER64(lf_control_event, count),
	NUMBER32(lf_control_event, id),
	ZERO(lf_control_event, reserved),
	TEXT(lf_control_event, name),
};

static const struct field inquiry_fields[] = {
	HEADER(lf_control_inquiry),
	UP_TO32(lf_control_inquiry, data_length, LF_CONTROL_INQUIRY_DATA_MAX),
	UP_TO16(lf_control_inquiry, scsi_status, UINT8_MAX),
	BYTES(lf_control_inquiry, sense),
	ZERO(lf_control_inquiry, reserved),
};

static const struct layout header_layout = LAYOUT(header_fields, lf_control_header);
static const struct layout connect_layout = LAYOUT(connect_fields, lf_control_connect);
static const struct layout select_layout = LAYOUT(select_fields, lf_control_select);
static const struct layout list_layout = LAYOUT(list_fields, lf_control_list);
static const struct layout inquire_layout = LAYOUT(inquire_fields, lf_control_inquire);
static const struct layout failure_layout = LAYOUT(failure_fields, lf_control_failure);
static const struct layout identity_layout = LAYOUT(identity_fields, lf_control_identity);
static const struct layout device_layout = LAYOUT(device_fields, lf_control_device);
static const struct layout page_layout = LAYOUT(page_fields, lf_control_page);
static const struct layout portal_layout = LAYOUT(portal_fields, lf_control_portal);
static const struct layout state_layout = LAYOUT(state_fields, lf_control_state);
static const struct layout event_layout = LAYOUT(event_fields, lf_control_event);
static const struct layout inquiry_layout = LAYOUT(inquiry_fields, lf_control_inquiry);

/* A reply to CONNECT, DISCONNECT or SHOW is a header and a device: two layouts, one after the other. */
static const struct layout *request_layout(uint16_t command)
{
	switch (command) {
	case LF_CONTROL_IDENTIFY:
	case LF_CONTROL_STATUS:
		return &header_layout;
	case LF_CONTROL_CONNECT:
		return &connect_layout;
	case LF_CONTROL_DISCONNECT:
	case LF_CONTROL_SHOW:
		return &select_layout;
	case LF_CONTROL_LIST:
		return &list_layout;
	case LF_CONTROL_INQUIRE:
		return &inquire_layout;
	default:
		return NULL;
	}
}

static const struct layout *reply_layout(uint16_t command)
{
	switch (command) {
	case LF_CONTROL_IDENTIFY:
		return &identity_layout;
	case LF_CONTROL_STATUS:
		return &state_layout;
	case LF_CONTROL_CONNECT:
	case LF_CONTROL_DISCONNECT:
	case LF_CONTROL_SHOW:
		return &header_layout;
	case LF_CONTROL_LIST:
		return &page_layout;
	case LF_CONTROL_INQUIRE:
		return &inquiry_layout;
	default:
		return NULL;
	}
}

static bool has_device(uint16_t command)
{
	return command == LF_CONTROL_CONNECT || command == LF_CONTROL_DISCONNECT ||
	       command == LF_CONTROL_SHOW;
}

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

static uint64_t load_native(const uint8_t *from, enum field_kind kind)
{
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (kind) {
	case FIELD_U16:
		memcpy(&u16, from, sizeof(u16));
		return u16;
	case FIELD_U32:
		memcpy(&u32, from, sizeof(u32));
		return u32;
	default:
		memcpy(&u64, from, sizeof(u64));
		return u64;
	}
}

static void store_native(uint8_t *to, enum field_kind kind, uint64_t value)
{
	uint16_t u16 = (uint16_t)value;
	uint32_t u32 = (uint32_t)value;

	switch (kind) {
	case FIELD_U16:
		memcpy(to, &u16, sizeof(u16));
		break;
	case FIELD_U32:
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
static bool decode_text(const struct field *field, const uint8_t *bytes, uint8_t *native)
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
	store_native(native, FIELD_U16, length);
	memcpy(native + 2, bytes + 2, capacity);
	return true;
}

/* The array behind the length is copied only as far as it is filled: nothing of our memory leaves with it. */
static void encode_text(const struct field *field, const uint8_t *native, uint8_t *bytes)
{
	uint32_t length = (uint32_t)load_native(native, FIELD_U16);

	lf_assert(length < field->size - 2u);
	memset(bytes, 0, field->size);
	store_number(bytes, 2, length);
	memcpy(bytes + 2, native + 2, length);
}

static bool decode_bytes(const struct field *field, const uint8_t *bytes, uint8_t *native)
{
	uint32_t capacity = field->size - 2u;
	uint32_t length = (uint32_t)load_number(bytes, 2);

	if (length > capacity || !all_zero(bytes + 2 + length, capacity - length))
		return false;
	store_native(native, FIELD_U16, length);
	memcpy(native + 2, bytes + 2, capacity);
	return true;
}

static void encode_bytes(const struct field *field, const uint8_t *native, uint8_t *bytes)
{
	uint32_t length = (uint32_t)load_native(native, FIELD_U16);

	lf_assert(length <= field->size - 2u);
	memset(bytes, 0, field->size);
	store_number(bytes, 2, length);
	memcpy(bytes + 2, native + 2, length);
}

/* ---- Layouts ---- */

static bool decode_layout(const struct layout *layout, const uint8_t *bytes, uint8_t *native)
{
	for (uint32_t i = 0; i < layout->count; i++) {
		const struct field *field = &layout->fields[i];
		const uint8_t *from = bytes + field->offset;
		uint8_t *to = native + field->offset;
		uint64_t value;

		switch (field->kind) {
		case FIELD_TEXT:
			if (!decode_text(field, from, to))
				return false;
			break;
		case FIELD_BYTES:
			if (!decode_bytes(field, from, to))
				return false;
			break;
		case FIELD_ZERO:
			if (!all_zero(from, field->size))
				return false;
			memset(to, 0, field->size);
			break;
		case FIELD_PORTALS:
			for (uint32_t at = 0; at < field->size; at += portal_layout.size) {
				if (!decode_layout(&portal_layout, from + at, to + at))
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

static void encode_layout(const struct layout *layout, const uint8_t *native, uint8_t *bytes)
{
	for (uint32_t i = 0; i < layout->count; i++) {
		const struct field *field = &layout->fields[i];
		const uint8_t *from = native + field->offset;
		uint8_t *to = bytes + field->offset;

		switch (field->kind) {
		case FIELD_TEXT:
			encode_text(field, from, to);
			break;
		case FIELD_BYTES:
			encode_bytes(field, from, to);
			break;
		case FIELD_ZERO:
			memset(to, 0, field->size);
			break;
		case FIELD_PORTALS:
			for (uint32_t at = 0; at < field->size; at += portal_layout.size)
				encode_layout(&portal_layout, from + at, to + at);
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
	const struct layout *layout;

	memset(header, 0, sizeof(*header));
	if (length_bytes < sizeof(*header)) {
		lf_message_set(message, "a message of %zu bytes: it has at least %zu", length_bytes,
			sizeof(*header));
		return LF_CONTROL_INVALID;
	}
	decode_layout(&header_layout, bytes, (uint8_t *)request);
	if (header->magic != LF_CONTROL_MAGIC) {
		lf_message_set(message, "no control message: it does not begin with LFSH");
		return LF_CONTROL_INVALID;
	}
	if (header->version != LF_CONTROL_VERSION) {
		lf_message_set(message,
			"version %u of the control protocol is not spoken here, version %u is: "
			"use lungfish and lungfishd of the same release",
			header->version, LF_CONTROL_VERSION);
		return LF_CONTROL_BAD_VERSION;
	}
	layout = request_layout(header->command);
	if (!layout) {
		lf_message_set(message, "command %u is not supported by this release", header->command);
		return LF_CONTROL_UNSUPPORTED;
	}
	if (header->size != length_bytes || length_bytes != layout->size || header->status != 0) {
		lf_message_set(message, "a message of %zu bytes for command %u: it has %u", length_bytes,
			header->command, layout->size);
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
	const struct layout *layout = request_layout(request->header.command);

	lf_assert(layout && layout->size <= room_bytes);
	fill_header(&request->header, layout->size, 0);
	encode_layout(layout, (const uint8_t *)request, bytes);
	return layout->size;
}

/* ---- Replies ---- */

/* Bytes of records, or of data, behind the fixed part. */
static size_t records_size(const union lf_control_reply *reply)
{
	switch (reply->header.command) {
	case LF_CONTROL_LIST:
		return (size_t)reply->page.count * device_layout.size;
	case LF_CONTROL_STATUS:
		return (size_t)reply->state.event_count * event_layout.size;
	case LF_CONTROL_INQUIRE:
		return reply->inquiry.data_length;
	default:
		return has_device(reply->header.command) ? device_layout.size : 0;
	}
}

size_t lf_control_encode_reply(union lf_control_reply *reply, void *bytes, size_t room_bytes)
{
	bool failed = reply->header.status != LF_CONTROL_OK;
	const struct layout *layout = failed ? &failure_layout : reply_layout(reply->header.command);
	size_t size;

	lf_assert(layout);
	size = layout->size + (failed ? 0 : records_size(reply));
	if (size > room_bytes)
		return 0;
	fill_header(&reply->header, (uint32_t)size, reply->header.status);
	encode_layout(layout, (const uint8_t *)reply, bytes);
	if (!failed && has_device(reply->header.command))
		encode_layout(&device_layout, (const uint8_t *)&reply->one.device,
			(uint8_t *)bytes + offsetof(struct lf_control_one, device));
	return size;
}

static size_t device_offset(uint32_t index)
{
	return sizeof(struct lf_control_page) + (size_t)index * device_layout.size;
}

static size_t event_offset(uint32_t index)
{
	return sizeof(struct lf_control_state) + (size_t)index * event_layout.size;
}

void lf_control_encode_device(const struct lf_control_device *device, uint32_t index, void *bytes)
{
	encode_layout(&device_layout, (const uint8_t *)device, (uint8_t *)bytes + device_offset(index));
}

void lf_control_encode_event(const struct lf_control_event *event, uint32_t index, void *bytes)
{
	encode_layout(&event_layout, (const uint8_t *)event, (uint8_t *)bytes + event_offset(index));
}

void lf_control_encode_data(const void *data, uint32_t length_bytes, void *bytes)
{
	lf_assert(length_bytes <= LF_CONTROL_INQUIRY_DATA_MAX);
	memcpy((uint8_t *)bytes + inquiry_layout.size, data, length_bytes);
}

bool lf_control_decode_reply(const void *bytes, size_t length_bytes, enum lf_control_command command,
	union lf_control_reply *reply, struct lf_message *message)
{
	struct lf_control_header *header = &reply->header;
	const struct layout *layout = &failure_layout;

	lf_message_set(message, "the answer makes no sense: is it lungfishd that listens there?");
	if (length_bytes < sizeof(*header))
		return false;
	decode_layout(&header_layout, bytes, (uint8_t *)reply);
	if (header->magic != LF_CONTROL_MAGIC || header->size != length_bytes)
		return false;
	if (header->version != LF_CONTROL_VERSION) {
		lf_message_set(message,
			"the adapter speaks version %u of the control protocol, not %u: "
			"use lungfish and lungfishd of the same release",
			header->version, LF_CONTROL_VERSION);
		return false;
	}
	if (header->status == LF_CONTROL_OK) {
		layout = header->command == command ? reply_layout((uint16_t)command) : NULL;
		if (!layout)
			return false;
	}
	if (length_bytes < layout->size || !decode_layout(layout, bytes, (uint8_t *)reply))
		return false;
	if (header->status != LF_CONTROL_OK)
		return length_bytes == layout->size;
	if (length_bytes != layout->size + records_size(reply))
		return false;
	return !has_device(header->command) ||
	       decode_layout(&device_layout, (const uint8_t *)bytes + offsetof(struct lf_control_one, device),
		       (uint8_t *)&reply->one.device);
}

bool lf_control_decode_device(const void *bytes, uint32_t index, struct lf_control_device *device)
{
	return decode_layout(
		&device_layout, (const uint8_t *)bytes + device_offset(index), (uint8_t *)device);
}

bool lf_control_decode_event(const void *bytes, uint32_t index, struct lf_control_event *event)
{
	return decode_layout(&event_layout, (const uint8_t *)bytes + event_offset(index), (uint8_t *)event);
}

const uint8_t *lf_control_decode_data(const void *bytes)
{
	return (const uint8_t *)bytes + inquiry_layout.size;
}

bool lf_control_layouts_are_whole(void)
{
	static const struct layout *const all[] = {&header_layout, &connect_layout, &select_layout,
		&list_layout, &inquire_layout, &failure_layout, &identity_layout, &device_layout,
		&page_layout, &portal_layout, &state_layout, &event_layout, &inquiry_layout};

	for (uint32_t i = 0; i < lf_count_of(all); i++) {
		uint32_t end = 0;
		for (uint32_t j = 0; j < all[i]->count; j++) {
			if (all[i]->fields[j].offset != end)
				return false;
			end += all[i]->fields[j].size;
		}
		if (end != all[i]->size)
			return false;
	}
	return true;
}
