/* SPDX-License-Identifier: BSD-2-Clause */
/* test_nt_etw.c: the small kernel's sessions get the events that they want; the rules of providers do fire.
 */
#include "tests/storport/nt/breaks.h"
#include "tests/storport/nt/nt.h"
#include "tests/test.h"

/* The driver declares it; no header has it. */
NTSTATUS EtwSetInformation(REGHANDLE provider, ULONG kind, PVOID information, ULONG length);

static const GUID provider_guid = {1, 2, 3, {4}};
static uint32_t told_level, told_times;

static VOID hear(LPCGUID source, ULONG control, UCHAR level, ULONGLONG any, ULONGLONG all,
	PEVENT_FILTER_DESCRIPTOR filter, PVOID context)
{
	UNREFERENCED_PARAMETER(source);
	UNREFERENCED_PARAMETER(any);
	UNREFERENCED_PARAMETER(all);
	UNREFERENCED_PARAMETER(filter);
	UNREFERENCED_PARAMETER(context);
	told_level = control ? level : 0;
	told_times++;
}

static REGHANDLE provide(void)
{
	static uint8_t traits[] = {4, 0, 'n', 0};
	REGHANDLE provider = 0;

	EtwRegister(&provider_guid, hear, NULL, &provider);
	EtwSetInformation(provider, 2, traits, sizeof(traits));
	return provider;
}

static void write_event(REGHANDLE provider, UCHAR level, ULONG first_type, ULONG size)
{
	static uint64_t value;
	const EVENT_DESCRIPTOR descriptor = {.Id = 7, .Level = level, .Keyword = 2};
	EVENT_DATA_DESCRIPTOR pieces[2] = {
		{(uintptr_t)&value, 8, first_type}, {(uintptr_t)&value, size, first_type ? 0 : 1}};

	EtwWriteTransfer(provider, &descriptor, NULL, NULL, 2, pieces);
}

TEST(a_session_of_etw_gets_what_it_wants)
{
	lf_fake_reset();
	told_times = 0;
	REGHANDLE provider = provide();
	CHECK_EQ(told_times, 0);
	write_event(provider, 4, 1, 8);
	CHECK_EQ(lf_fake_etw_unwanted(), 1);
	lf_fake_etw_enable(4, 3, 0);
	CHECK_EQ(told_level, 4);
	write_event(provider, 4, 1, 8);
	write_event(provider, 5, 1, 8);
	CHECK_EQ(lf_fake_etw_count(7), 1);
	CHECK_EQ(lf_fake_etw_unwanted(), 2);
	CHECK_EQ(lf_fake_leaks(), 1);
	EtwUnregister(provider);
	lf_fake_etw_disable();
	CHECK_EQ(told_times, 1);
	CHECK_EQ(lf_fake_leaks(), 0);
}

static void unregister_twice(void)
{
	REGHANDLE provider = provide();

	EtwUnregister(provider);
	EtwUnregister(provider);
}

static void write_after_unregister(void)
{
	REGHANDLE provider = provide();

	EtwUnregister(provider);
	write_event(provider, 4, 1, 8);
}

static void write_without_traits(void)
{
	REGHANDLE provider = 0;

	EtwRegister(&provider_guid, NULL, NULL, &provider);
	write_event(provider, 4, 1, 8);
}

static void describe_behind_the_data(void)
{
	write_event(provide(), 4, 0, 8);
}

static void write_an_empty_piece(void)
{
	write_event(provide(), 4, 1, 0);
}

static void register_above_passive(void)
{
	lf_fake_irql_raise(DISPATCH_LEVEL);
	provide();
}

TEST(rules_of_etw_fire)
{
	CHECK_BREAKS(unregister_twice, "EtwUnregister");
	CHECK_BREAKS(write_after_unregister, "EtwWriteTransfer");
	CHECK_BREAKS(write_without_traits, "types of its pieces");
	CHECK_BREAKS(describe_behind_the_data, "behind the data");
	CHECK_BREAKS(write_an_empty_piece, "without a byte");
	CHECK_BREAKS(register_above_passive, "EtwRegister");
}
