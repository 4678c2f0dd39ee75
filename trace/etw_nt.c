/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * etw_nt.c: each event carries its own description: a session's file says by itself what the events and their
 * fields are called. The descriptions are constants that the preprocessor makes of events.def; the format is
 * that of TraceLogging, which tests/windows/etw_decode.py knows on its own.
 */
#include "trace/etw_nt.h"
#include "trace/sink_nt.h"

#if !defined(LF_WDK) /* mingw-w64 has not this one */
NTSTATUS NTAPI EtwSetInformation(REGHANDLE provider, ULONG kind, PVOID information, ULONG length);
#define EventProviderSetTraits 2
#endif

/* EVENT_DATA_DESCRIPTOR.Type, the first byte of what older headers call Reserved. */
#define TYPE_EVENT_METADATA    1
#define TYPE_PROVIDER_METADATA 2

#define CHANNEL_TRACELOGGING 11
#define OPCODE_INFO          0
#define OPCODE_START         1
#define OPCODE_STOP          2
#define LEVEL_ALL            255 /* a session that says 0 wants every level */
#define TEXT_BYTES           94

/* ---- What describes itself ---- */

/* How a field is shown: its InType, UINT64, alone, or chained to an OutType, hexadecimal. */
#define AS_DECIMAL "\x0a"
#define AS_HEX     "\x8a\x04"

/* Each field's name of events.def; a missing one does not compile. The last is that of no field. */
#define AS_action        AS_DECIMAL
#define AS_argument      AS_DECIMAL
#define AS_block_size    AS_DECIMAL
#define AS_blocks        AS_DECIMAL
#define AS_bytes         AS_DECIMAL
#define AS_callback      AS_DECIMAL
#define AS_class         AS_DECIMAL
#define AS_client        AS_DECIMAL
#define AS_code          AS_HEX
#define AS_command       AS_DECIMAL
#define AS_connection    AS_DECIMAL
#define AS_data          AS_DECIMAL
#define AS_detail        AS_DECIMAL
#define AS_discovery     AS_DECIMAL
#define AS_enabled       AS_DECIMAL
#define AS_engine        AS_DECIMAL
#define AS_errno         AS_HEX
#define AS_error         AS_DECIMAL
#define AS_event         AS_DECIMAL
#define AS_force         AS_DECIMAL
#define AS_free          AS_DECIMAL
#define AS_function      AS_HEX
#define AS_generation    AS_DECIMAL
#define AS_held          AS_DECIMAL
#define AS_in_flight     AS_DECIMAL
#define AS_lanes         AS_DECIMAL
#define AS_length        AS_DECIMAL
#define AS_lun           AS_HEX
#define AS_marked        AS_DECIMAL
#define AS_moved         AS_DECIMAL
#define AS_nexus         AS_DECIMAL
#define AS_offset        AS_DECIMAL
#define AS_opcode        AS_HEX
#define AS_operation     AS_DECIMAL
#define AS_outstanding   AS_DECIMAL
#define AS_pdus          AS_DECIMAL
#define AS_port          AS_DECIMAL
#define AS_portal_group  AS_DECIMAL
#define AS_queue_depth   AS_DECIMAL
#define AS_reason        AS_DECIMAL
#define AS_registrations AS_DECIMAL
#define AS_sense         AS_HEX
#define AS_srb           AS_HEX
#define AS_srb_status    AS_HEX
#define AS_status        AS_HEX
#define AS_surprise      AS_DECIMAL
#define AS_tag           AS_HEX
#define AS_target        AS_DECIMAL
#define AS_targets       AS_DECIMAL
#define AS_ticket        AS_DECIMAL
#define AS_transfer_max  AS_DECIMAL
#define AS_type          AS_DECIMAL
#define AS_uid           AS_DECIMAL
#define AS_wanted        AS_DECIMAL
#define AS_              ""

/* Size in all, little-endian; tags (none); the name; of each field its name and how it is shown. */
struct metadata {
	uint8_t size[2];
	char text[TEXT_BYTES];
};

_Static_assert(sizeof(struct metadata) == 2 + TEXT_BYTES && sizeof(struct metadata) < 256,
	"bytes alone, and a size of one byte");

/* The fields that are none stand last, so that the size can leave them out. */
#define LF_EVENT(name, id, level, f0, f1, f2, f3)                                                            \
	SIZE_##name = 2 + 1 + sizeof(#name) + (sizeof(#f0) > 1 ? sizeof(#f0 AS_##f0) : 0) +                  \
		      (sizeof(#f1) > 1 ? sizeof(#f1 AS_##f1) : 0) +                                          \
		      (sizeof(#f2) > 1 ? sizeof(#f2 AS_##f2) : 0) +                                          \
		      (sizeof(#f3) > 1 ? sizeof(#f3 AS_##f3) : 0),
enum {
#include "trace/events.def"
};
#undef LF_EVENT

/* By the index of lf_trace_events. A string that does not fit does not compile. */
#define LF_EVENT(name, id, level, f0, f1, f2, f3)                                                            \
	{{SIZE_##name, 0},                                                                                   \
		"\0" #name "\0" #f0 "\0" AS_##f0 #f1 "\0" AS_##f1 #f2 "\0" AS_##f2 #f3 "\0" AS_##f3},
static const struct metadata metadata[] = {
#include "trace/events.def"
};
#undef LF_EVENT

static const struct {
	uint8_t size[2];
	char name[sizeof(LF_ETW_NAME)];
} traits = {{2 + sizeof(LF_ETW_NAME), 0}, LF_ETW_NAME};

/* ---- Who listens ---- */

static const GUID provider_id = LF_ETW_GUID;
static REGHANDLE provider;      /* 0: not registered; constant while anybody writes */
static lf_etw_changed *changed; /* constant while registered */
/* The level above the keywords that are wanted, in one word: the callback comes while others write. */
static uint32_t wanted;

#define WANTED_LEVEL_SHIFT 8

_Static_assert(LF_TRACE_FLAGS_ALL < 1 << WANTED_LEVEL_SHIFT, "keywords below the level");

bool lf_etw_wants(enum lf_trace_level level, uint32_t keyword)
{
	uint32_t now = lf_atomic_load_u32(&wanted);

	return (uint32_t)level <= now >> WANTED_LEVEL_SHIFT && (keyword & now) != 0;
}

/* Each event has one keyword; a session that names none wants all of them. */
static uint32_t keywords_of(uint64_t any, uint64_t all)
{
	uint32_t keywords = 0;

	for (uint32_t keyword = 1; keyword <= LF_TRACE_FLAGS_ALL; keyword <<= 1)
		if ((any == 0 || (any & keyword)) && (all & keyword) == all)
			keywords |= keyword;
	return keywords;
}

/*
 * What all sessions want together; ETW itself gives each its part. Also called to ask for the state as it is
 * (control code 2), of which there is none.
 */
static VOID NTAPI enable(LPCGUID source, ULONG control, UCHAR level, ULONGLONG any, ULONGLONG all,
	PEVENT_FILTER_DESCRIPTOR filter, PVOID context)
{
	uint32_t keywords = keywords_of(any, all), most = level ? level : LEVEL_ALL;

	(void)source;
	(void)filter;
	(void)context;
	if (control > 1)
		return;
	if (control == 0 || keywords == 0)
		most = keywords = 0;
	lf_atomic_store_u32(&wanted, most << WANTED_LEVEL_SHIFT | keywords);
	changed(most);
}

/* ---- On the way out ---- */

static uint8_t opcode_of(uint32_t id)
{
	switch (id) {
	case LF_TRACE_ID_command_begin:
	case LF_TRACE_ID_storport_srb:
		return OPCODE_START;
	case LF_TRACE_ID_command_done:
	case LF_TRACE_ID_storport_srb_done:
		return OPCODE_STOP;
	default:
		return OPCODE_INFO;
	}
}

static EVENT_DATA_DESCRIPTOR describe(const void *data, uint32_t length, uint8_t type)
{
	EVENT_DATA_DESCRIPTOR descriptor = {0};

	descriptor.Ptr = (uintptr_t)data;
	descriptor.Size = length;
	descriptor.Reserved = type;
	return descriptor;
}

/* The fields lie one behind the other in the record, as ETW wants them: one piece for all of them. */
void lf_etw_write(const struct lf_trace_event *event, const struct lf_trace_record *record, uint32_t keyword)
{
	const struct metadata *own = &metadata[event - lf_trace_events];
	EVENT_DESCRIPTOR descriptor = {0};
	EVENT_DATA_DESCRIPTOR data[3];
	uint32_t fields = 0;

	while (fields < LF_TRACE_FIELDS && event->field[fields][0])
		fields++;
	descriptor.Id = (USHORT)event->id;
	descriptor.Channel = CHANNEL_TRACELOGGING;
	descriptor.Level = (UCHAR)event->level;
	descriptor.Opcode = opcode_of(event->id);
	descriptor.Keyword = keyword;
	data[0] = describe(&traits, traits.size[0], TYPE_PROVIDER_METADATA);
	data[1] = describe(own, own->size[0], TYPE_EVENT_METADATA);
	data[2] = describe(record->field, fields * (uint32_t)sizeof(record->field[0]), 0);
	(void)EtwWriteTransfer(provider, &descriptor, NULL, NULL, fields ? 3 : 2, data);
}

/* ---- Begin and end ---- */

/* What the provider is called; without it ETW would not look at a descriptor's type either. */
static bool set_traits(void)
{
	return NT_SUCCESS(
		EtwSetInformation(provider, EventProviderSetTraits, (PVOID)&traits, traits.size[0]));
}

void lf_etw_start(lf_etw_changed *new_changed)
{
	changed = new_changed;
	if (!NT_SUCCESS(EtwRegister(&provider_id, enable, NULL, &provider))) {
		provider = 0;
		lf_log(LF_LOG_WARNING, "no events for ETW: the provider cannot be registered");
		return;
	}
	if (!set_traits()) {
		lf_etw_stop();
		changed(0);
		lf_log(LF_LOG_WARNING, "no events for ETW: the provider takes no name");
	}
}

void lf_etw_stop(void)
{
	if (provider != 0)
		(void)EtwUnregister(provider);
	provider = 0;
	lf_atomic_store_u32(&wanted, 0);
}
