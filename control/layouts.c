/* SPDX-License-Identifier: BSD-2-Clause */
/* layouts.c: the fields of every control message, and which command has which messages. */
#include "control/layouts.h"

#define FIELD(type, name, kind, most, mask)                                                                  \
	{                                                                                                    \
		offsetof(struct type, name), sizeof(((struct type *)0)->name), kind, most, mask              \
	}
#define NUMBER16(type, name)      FIELD(type, name, LF_FIELD_U16, UINT16_MAX, false)
#define NUMBER32(type, name)      FIELD(type, name, LF_FIELD_U32, UINT32_MAX, false)
#define NUMBER64(type, name)      FIELD(type, name, LF_FIELD_U64, UINT64_MAX, false)
#define UP_TO16(type, name, most) FIELD(type, name, LF_FIELD_U16, most, false)
#define UP_TO32(type, name, most) FIELD(type, name, LF_FIELD_U32, most, false)
#define FLAGS32(type, name, bits) FIELD(type, name, LF_FIELD_U32, bits, true)
#define TEXT(type, name)          FIELD(type, name, LF_FIELD_TEXT, 0, false)
#define BYTES(type, name)         FIELD(type, name, LF_FIELD_BYTES, 0, false)
#define ZERO(type, name)          FIELD(type, name, LF_FIELD_ZERO, 0, false)
#define LAYOUT(fields, type)                                                                                 \
	{                                                                                                    \
		fields, lf_count_of(fields), sizeof(struct type)                                             \
	}
#define HEADER(type)                                                                                         \
	NUMBER32(type, header.magic), NUMBER16(type, header.version), NUMBER16(type, header.command),        \
		NUMBER32(type, header.size), NUMBER32(type, header.status)

static const struct lf_field header_fields[] = {
	NUMBER32(lf_control_header, magic),
	NUMBER16(lf_control_header, version),
	NUMBER16(lf_control_header, command),
	NUMBER32(lf_control_header, size),
	NUMBER32(lf_control_header, status),
};

static const struct lf_field connect_fields[] = {
	HEADER(lf_control_connect),
	FLAGS32(lf_control_connect, flags,
		LF_CONTROL_READ_ONLY | LF_CONTROL_NO_UNMAP | LF_CONTROL_REMOVABLE |
			LF_CONTROL_WRITE_CACHE_OFF),
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

static const struct lf_field select_fields[] = {
	HEADER(lf_control_select),
	FLAGS32(lf_control_select, flags, LF_CONTROL_FORCE),
	NUMBER32(lf_control_select, timeout_ms),
	TEXT(lf_control_select, id),
	TEXT(lf_control_select, path),
};

static const struct lf_field list_fields[] = {
	HEADER(lf_control_list),
	NUMBER32(lf_control_list, after),
	ZERO(lf_control_list, reserved),
};

static const struct lf_field inquire_fields[] = {
	HEADER(lf_control_inquire),
	NUMBER32(lf_control_inquire, number),
	ZERO(lf_control_inquire, reserved),
	BYTES(lf_control_inquire, cdb),
};

static const struct lf_field failure_fields[] = {
	HEADER(lf_control_failure),
	NUMBER16(lf_control_failure, version_min),
	NUMBER16(lf_control_failure, version_max),
	ZERO(lf_control_failure, reserved),
	TEXT(lf_control_failure, text),
};

static const struct lf_field identity_fields[] = {
	HEADER(lf_control_identity),
	NUMBER16(lf_control_identity, version_min),
	NUMBER16(lf_control_identity, version_max),
	ZERO(lf_control_identity, reserved),
	NUMBER64(lf_control_identity, process_id),
	TEXT(lf_control_identity, adapter),
	TEXT(lf_control_identity, release),
	TEXT(lf_control_identity, platform),
};

static const struct lf_field device_fields[] = {
	NUMBER32(lf_control_device, number),
	NUMBER32(lf_control_device, type),
	NUMBER32(lf_control_device, bus),
	NUMBER32(lf_control_device, target),
	NUMBER32(lf_control_device, lun),
	UP_TO32(lf_control_device, state, LF_CONTROL_OFFLINE),
	FLAGS32(lf_control_device, flags,
		LF_CONTROL_DEVICE_READ_ONLY | LF_CONTROL_DEVICE_REMOVABLE | LF_CONTROL_DEVICE_UNMAP |
			LF_CONTROL_DEVICE_EJECTED | LF_CONTROL_DEVICE_PREVENTED | LF_CONTROL_DEVICE_SAVES),
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

static const struct lf_field page_fields[] = {
	HEADER(lf_control_page),
	UP_TO32(lf_control_page, count, LF_CONTROL_PAGE_SESSIONS_MAX),
	UP_TO32(lf_control_page, more, 1),
};

static const struct lf_field portal_fields[] = {
	NUMBER16(lf_control_portal, tag),
	ZERO(lf_control_portal, reserved),
	TEXT(lf_control_portal, address),
};

static const struct lf_field state_fields[] = {
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
	FIELD(lf_control_state, portals, LF_FIELD_PORTALS, 0, false),
};

static const struct lf_field event_fields[] = {
	NUMBER64(lf_control_event, count),
	NUMBER32(lf_control_event, id),
	ZERO(lf_control_event, reserved),
	TEXT(lf_control_event, name),
};

static const struct lf_field inquiry_fields[] = {
	HEADER(lf_control_inquiry),
	UP_TO32(lf_control_inquiry, data_length, LF_CONTROL_INQUIRY_DATA_MAX),
	UP_TO16(lf_control_inquiry, scsi_status, UINT8_MAX),
	BYTES(lf_control_inquiry, sense),
	ZERO(lf_control_inquiry, reserved),
};

static const struct lf_field insert_fields[] = {
	HEADER(lf_control_insert),
	FLAGS32(lf_control_insert, flags, LF_CONTROL_INSERT_READ_ONLY | LF_CONTROL_INSERT_FORCE),
	ZERO(lf_control_insert, reserved),
	TEXT(lf_control_insert, id),
	TEXT(lf_control_insert, path),
	TEXT(lf_control_insert, image),
};

static const struct lf_field resize_fields[] = {
	HEADER(lf_control_resize),
	FIELD(lf_control_resize, size_bytes, LF_FIELD_U64, INT64_MAX, false),
	TEXT(lf_control_resize, id),
	TEXT(lf_control_resize, path),
};

static const struct lf_field after_fields[] = {
	HEADER(lf_control_after),
	NUMBER64(lf_control_after, number),
};

static const struct lf_field session_fields[] = {
	NUMBER64(lf_control_session, number),
	NUMBER64(lf_control_session, age_ns),
	NUMBER64(lf_control_session, commands),
	NUMBER64(lf_control_session, in_bytes),
	NUMBER64(lf_control_session, out_bytes),
	FLAGS32(lf_control_session, flags,
		LF_CONTROL_SESSION_HEADER_DIGEST | LF_CONTROL_SESSION_DATA_DIGEST | LF_CONTROL_SESSION_CHAP |
			LF_CONTROL_SESSION_DISCOVERY),
	NUMBER16(lf_control_session, tag),
	ZERO(lf_control_session, reserved),
	TEXT(lf_control_session, initiator),
	TEXT(lf_control_session, address),
	TEXT(lf_control_session, target),
	TEXT(lf_control_session, user),
};

static const struct lf_field stats_fields[] = {
	HEADER(lf_control_stats),
	NUMBER32(lf_control_stats, number),
	UP_TO32(lf_control_stats, counter_count, LF_CONTROL_EVENTS_MAX),
	NUMBER64(lf_control_stats, taken_ns),
	TEXT(lf_control_stats, id),
};

static const struct lf_field reservation_fields[] = {
	HEADER(lf_control_reservation),
	NUMBER64(lf_control_reservation, key),
	NUMBER32(lf_control_reservation, generation),
	FLAGS32(lf_control_reservation, flags, LF_CONTROL_RESERVATION_PERSISTS | LF_CONTROL_RESERVATION_OLD),
	NUMBER32(lf_control_reservation, registrations),
	UP_TO16(lf_control_reservation, type, 15),
	TEXT(lf_control_reservation, holder),
};

const struct lf_layout lf_layout_header = LAYOUT(header_fields, lf_control_header);
const struct lf_layout lf_layout_failure = LAYOUT(failure_fields, lf_control_failure);
const struct lf_layout lf_layout_device = LAYOUT(device_fields, lf_control_device);
const struct lf_layout lf_layout_portal = LAYOUT(portal_fields, lf_control_portal);
static const struct lf_layout connect_layout = LAYOUT(connect_fields, lf_control_connect);
static const struct lf_layout select_layout = LAYOUT(select_fields, lf_control_select);
static const struct lf_layout list_layout = LAYOUT(list_fields, lf_control_list);
static const struct lf_layout inquire_layout = LAYOUT(inquire_fields, lf_control_inquire);
static const struct lf_layout insert_layout = LAYOUT(insert_fields, lf_control_insert);
static const struct lf_layout resize_layout = LAYOUT(resize_fields, lf_control_resize);
static const struct lf_layout after_layout = LAYOUT(after_fields, lf_control_after);
static const struct lf_layout identity_layout = LAYOUT(identity_fields, lf_control_identity);
static const struct lf_layout page_layout = LAYOUT(page_fields, lf_control_page);
static const struct lf_layout state_layout = LAYOUT(state_fields, lf_control_state);
static const struct lf_layout event_layout = LAYOUT(event_fields, lf_control_event);
static const struct lf_layout inquiry_layout = LAYOUT(inquiry_fields, lf_control_inquiry);
static const struct lf_layout session_layout = LAYOUT(session_fields, lf_control_session);
static const struct lf_layout stats_layout = LAYOUT(stats_fields, lf_control_stats);
static const struct lf_layout reservation_layout = LAYOUT(reservation_fields, lf_control_reservation);

static const struct lf_format formats[] = {
	[LF_CONTROL_IDENTIFY] = {&lf_layout_header, &identity_layout, NULL, false},
	[LF_CONTROL_CONNECT] = {&connect_layout, &lf_layout_header, NULL, true},
	[LF_CONTROL_DISCONNECT] = {&select_layout, &lf_layout_header, NULL, true},
	[LF_CONTROL_LIST] = {&list_layout, &page_layout, &lf_layout_device, false},
	[LF_CONTROL_SHOW] = {&select_layout, &lf_layout_header, NULL, true},
	[LF_CONTROL_STATUS] = {&lf_layout_header, &state_layout, &event_layout, false},
	[LF_CONTROL_INQUIRE] = {&inquire_layout, &inquiry_layout, NULL, false},
	[LF_CONTROL_INSERT] = {&insert_layout, &lf_layout_header, NULL, true},
	[LF_CONTROL_EJECT] = {&select_layout, &lf_layout_header, NULL, true},
	[LF_CONTROL_RESIZE] = {&resize_layout, &lf_layout_header, NULL, true},
	[LF_CONTROL_SESSIONS] = {&after_layout, &page_layout, &session_layout, false},
	[LF_CONTROL_DROP] = {&after_layout, &lf_layout_header, NULL, false},
	[LF_CONTROL_STATS] = {&select_layout, &stats_layout, &event_layout, false},
	[LF_CONTROL_RESERVATION] = {&select_layout, &reservation_layout, NULL, false},
	[LF_CONTROL_RESERVATION_CLEAR] = {&select_layout, &lf_layout_header, NULL, false},
};

const struct lf_format *lf_format_of(uint32_t command)
{
	return command < lf_count_of(formats) && formats[command].request ? &formats[command] : NULL;
}

const struct lf_layout *lf_layout_at(uint32_t index)
{
	static const struct lf_layout *const all[] = {&lf_layout_header, &connect_layout, &select_layout,
		&list_layout, &inquire_layout, &insert_layout, &resize_layout, &after_layout,
		&lf_layout_failure, &identity_layout, &lf_layout_device, &page_layout, &lf_layout_portal,
		&state_layout, &event_layout, &inquiry_layout, &session_layout, &stats_layout,
		&reservation_layout};

	return index < lf_count_of(all) ? all[index] : NULL;
}
