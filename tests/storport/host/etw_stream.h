/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * etw_stream.h: what a driver does to ETW, as both kernels of the tests write it to a file, for
 * tests/windows/etw_decode.py to read. Records one behind the other, all numbers little-endian:
 *
 *	u32 kind, u32 bytes that follow, then
 *	1 registered    u64 provider, its GUID
 *	2 information   u64 provider, u32 class, the bytes
 *	3 written       u64 provider, an EVENT_DESCRIPTOR (16 bytes), u32 count of pieces, and for each
 *	                of them u32 size, u32 Reserved (its first byte is the type), the bytes
 *	4 unregistered  u64 provider
 *	5 enabled       u32 control code, u32 level, u64 any keyword, u64 all keywords
 *
 * Include it after the header of the kernel.
 */
#ifndef LF_TESTS_STORPORT_HOST_ETW_STREAM_H
#define LF_TESTS_STORPORT_HOST_ETW_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#define ETW_STREAM_BYTES  1024 /* of a record; the driver's are far below */
#define ETW_STREAM_PIECES 128  /* MAX_EVENT_DATA_DESCRIPTORS */

enum etw_stream_kind {
	ETW_STREAM_REGISTERED = 1,
	ETW_STREAM_INFORMATION,
	ETW_STREAM_WRITTEN,
	ETW_STREAM_UNREGISTERED,
	ETW_STREAM_ENABLED
};

struct etw_stream_record {
	uint32_t length;
	bool is_too_long;
	uint8_t bytes[ETW_STREAM_BYTES];
};

static inline void etw_stream_put(struct etw_stream_record *record, const void *data, uint32_t length)
{
	if (length > sizeof(record->bytes) - record->length) {
		record->is_too_long = true;
		return;
	}
	if (length)
		memcpy(record->bytes + record->length, data, length);
	record->length += length;
}

static inline void etw_stream_begin(struct etw_stream_record *record, uint32_t kind)
{
	const uint32_t head[2] = {kind, 0};

	record->length = 0;
	record->is_too_long = false;
	etw_stream_put(record, head, sizeof(head));
}

static inline void etw_stream_end(struct etw_stream_record *record)
{
	const uint32_t follow = record->length - 8;

	memcpy(record->bytes + 4, &follow, sizeof(follow));
}

static inline void etw_stream_registered(
	struct etw_stream_record *record, uint64_t provider, const GUID *name)
{
	etw_stream_begin(record, ETW_STREAM_REGISTERED);
	etw_stream_put(record, &provider, sizeof(provider));
	etw_stream_put(record, name, sizeof(*name));
	etw_stream_end(record);
}

static inline void etw_stream_information(
	struct etw_stream_record *record, uint64_t provider, uint32_t kind, const void *data, uint32_t length)
{
	etw_stream_begin(record, ETW_STREAM_INFORMATION);
	etw_stream_put(record, &provider, sizeof(provider));
	etw_stream_put(record, &kind, sizeof(kind));
	etw_stream_put(record, data, length);
	etw_stream_end(record);
}

static inline void etw_stream_written(struct etw_stream_record *record, uint64_t provider,
	const EVENT_DESCRIPTOR *event, uint32_t count, const EVENT_DATA_DESCRIPTOR *pieces)
{
	etw_stream_begin(record, ETW_STREAM_WRITTEN);
	etw_stream_put(record, &provider, sizeof(provider));
	etw_stream_put(record, event, sizeof(*event));
	etw_stream_put(record, &count, sizeof(count));
	for (uint32_t i = 0; i < count; i++) {
		etw_stream_put(record, &pieces[i].Size, sizeof(pieces[i].Size));
		etw_stream_put(record, &pieces[i].Reserved, sizeof(pieces[i].Reserved));
		etw_stream_put(record, (const void *)(uintptr_t)pieces[i].Ptr, pieces[i].Size);
	}
	etw_stream_end(record);
}

static inline void etw_stream_unregistered(struct etw_stream_record *record, uint64_t provider)
{
	etw_stream_begin(record, ETW_STREAM_UNREGISTERED);
	etw_stream_put(record, &provider, sizeof(provider));
	etw_stream_end(record);
}

static inline void etw_stream_enabled(
	struct etw_stream_record *record, uint32_t control, uint32_t level, uint64_t any, uint64_t all)
{
	const uint32_t numbers[2] = {control, level};
	const uint64_t keywords[2] = {any, all};

	etw_stream_begin(record, ETW_STREAM_ENABLED);
	etw_stream_put(record, numbers, sizeof(numbers));
	etw_stream_put(record, keywords, sizeof(keywords));
	etw_stream_end(record);
}

/* NULL, or which rule of EtwWriteTransfer the driver breaks. */
static inline const char *etw_stream_problem(
	const EVENT_DESCRIPTOR *event, uint32_t count, const EVENT_DATA_DESCRIPTOR *pieces)
{
	uint32_t type = 255;

	if (!event || count > ETW_STREAM_PIECES || (count && !pieces))
		return "no descriptor, or too many pieces";
	for (uint32_t i = 0; i < count; i++) {
		if (pieces[i].Reserved > 2 || pieces[i].Reserved > type)
			return "a piece of no type, or one that describes behind the data";
		type = pieces[i].Reserved;
		if (pieces[i].Size == 0 || pieces[i].Size > 0xffff)
			return "a piece without a byte, or with more than an event may have";
		if (pieces[i].Ptr < 0x10000)
			return "a piece that is nowhere";
	}
	return NULL;
}

#endif
