/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sense.c: the bytes of fixed and descriptor sense data, and which sense each error becomes. */
#include <string.h>

#include "core/core.h"
#include "tests/test.h"

static struct lf_lu unit;
static struct lf_request request;

static void fresh(bool descriptor)
{
	memset(&unit, 0, sizeof(unit));
	memset(&request, 0, sizeof(request));
	memset(request.sense, 0xa5, sizeof(request.sense));
	unit.descriptor_sense = descriptor;
	request.lu = &unit;
	request.data_moved = 99;
}

static void check_bytes(const uint8_t *expected, uint32_t length)
{
	CHECK_EQ(request.status, LF_STATUS_CHECK_CONDITION);
	CHECK_EQ(request.data_moved, 0);
	CHECK_EQ(request.sense_length, length);
	for (uint32_t i = 0; i < length; i++)
		CHECK_EQ(request.sense[i] | i << 8, expected[i] | i << 8);
	CHECK_EQ(request.sense[length], 0xa5);
}

TEST(fixed_format_has_eighteen_bytes)
{
	static const uint8_t expected[18] = {0x70, 0, 0x05, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0, 0x20, 0x00};
	fresh(false);
	lf_sense_invalid_opcode(&request);
	check_bytes(expected, sizeof(expected));
	CHECK_EQ(lf_sense_read(&request), LF_SENSE(0x5, 0x20, 0x00));
}

TEST(fixed_format_names_an_lba_of_32_bits)
{
	static const uint8_t expected[18] = {
		0xf0, 0, 0x05, 0xff, 0xff, 0xff, 0xff, 0x0a, 0, 0, 0, 0, 0x21, 0x00};
	fresh(false);
	lf_sense_lba_out_of_range(&request, 0xffffffff);
	check_bytes(expected, sizeof(expected));
}

TEST(fixed_format_leaves_out_an_lba_that_does_not_fit)
{
	static const uint8_t expected[18] = {0x70, 0, 0x05, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0, 0x21, 0x00};
	fresh(false);
	lf_sense_lba_out_of_range(&request, 0x100000000);
	check_bytes(expected, sizeof(expected));
}

TEST(descriptor_format_alone_has_eight_bytes)
{
	static const uint8_t expected[8] = {0x72, 0x05, 0x1a, 0x00, 0, 0, 0, 0};
	fresh(true);
	lf_sense_list_length_error(&request);
	check_bytes(expected, sizeof(expected));
	CHECK_EQ(lf_sense_read(&request), LF_SENSE(0x5, 0x1a, 0x00));
}

TEST(descriptor_format_names_any_lba)
{
	static const uint8_t expected[20] = {0x72, 0x05, 0x21, 0x00, 0, 0, 0, 0x0c, 0x00, 0x0a, 0x80, 0x00,
		0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08};
	fresh(true);
	lf_sense_lba_out_of_range(&request, 0x0102030405060708);
	check_bytes(expected, sizeof(expected));
}

TEST(field_pointers_in_both_formats)
{
	static const uint8_t in_cdb[18] = {
		0x70, 0, 0x05, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0, 0x24, 0x00, 0, 0xcd, 0x01, 0x02};
	static const uint8_t in_list[18] = {
		0x70, 0, 0x05, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0, 0x26, 0x00, 0, 0x80, 0x00, 0x02};
	static const uint8_t described[16] = {
		0x72, 0x05, 0x24, 0x00, 0, 0, 0, 0x08, 0x02, 0x06, 0, 0, 0xc8, 0x00, 0x01, 0};
	fresh(false);
	lf_sense_invalid_field_in_cdb(&request, 0x102, 5);
	check_bytes(in_cdb, sizeof(in_cdb));
	fresh(false);
	lf_sense_invalid_field_in_list(&request, 2, LF_NO_BIT);
	check_bytes(in_list, sizeof(in_list));
	fresh(true);
	lf_sense_invalid_field_in_cdb(&request, 1, 0);
	check_bytes(described, sizeof(described));
}

/* What each error becomes on a read and on a write, and whether the LBA is named. */
static const struct {
	enum lf_error error;
	uint32_t read, write;
	bool names_lba;
} mapping[] = {
	{LF_E_IO, LF_SENSE(3, 0x11, 0), LF_SENSE(3, 0x0c, 0), true},
	{LF_E_RANGE, LF_SENSE(3, 0x11, 0), LF_SENSE(3, 0x0c, 0), true},
	{LF_E_NO_SPACE, LF_SENSE(7, 0x27, 7), LF_SENSE(7, 0x27, 7), false},
	{LF_E_READ_ONLY, LF_SENSE(7, 0x27, 0), LF_SENSE(7, 0x27, 0), false},
	{LF_E_PERMISSION, LF_SENSE(4, 0x44, 0), LF_SENSE(7, 0x27, 0), false},
	{LF_E_NO_MEDIUM, LF_SENSE(2, 0x3a, 0), LF_SENSE(2, 0x3a, 0), false},
	{LF_E_NO_MEMORY, LF_SENSE(0xb, 0x55, 3), LF_SENSE(0xb, 0x55, 3), false},
	{LF_E_BUSY, LF_SENSE(0xb, 0x55, 3), LF_SENSE(0xb, 0x55, 3), false},
	{LF_E_TIMED_OUT, LF_SENSE(0xb, 0x3e, 2), LF_SENSE(0xb, 0x3e, 2), false},
	{LF_E_ABORTED, LF_SENSE(0xb, 0, 0), LF_SENSE(0xb, 0, 0), false},
	{LF_E_INVALID, LF_SENSE(4, 0x44, 0), LF_SENSE(4, 0x44, 0), false},
	{LF_E_UNSUPPORTED, LF_SENSE(4, 0x44, 0), LF_SENSE(4, 0x44, 0), false},
	{LF_E_NOT_FOUND, LF_SENSE(4, 0x44, 0), LF_SENSE(4, 0x44, 0), false},
};

TEST(every_error_has_its_sense)
{
	for (uint32_t i = 0; i < lf_count_of(mapping); i++) {
		fresh(false);
		lf_sense_from_error(&request, mapping[i].error, false, 0x1234);
		CHECK_EQ(lf_sense_read(&request), mapping[i].read);
		CHECK_EQ(request.sense[0], mapping[i].names_lba ? 0xf0 : 0x70);
		CHECK_EQ(request.sense[6], mapping[i].names_lba ? 0x34 : 0);
		lf_sense_from_error(&request, mapping[i].error, true, LF_NO_INFORMATION);
		CHECK_EQ(lf_sense_read(&request), mapping[i].write);
		CHECK_EQ(request.sense[0], 0x70);
	}
}

TEST(a_failing_medium_is_traced)
{
	uint64_t before = lf_trace_count(LF_TRACE_ID_medium_error);
	fresh(false);
	lf_sense_from_error(&request, LF_E_IO, false, 0);
	lf_sense_from_error(&request, LF_E_NO_SPACE, true, 0);
	lf_sense_from_error(&request, LF_E_ABORTED, true, 0); /* somebody wanted that: it is no failure */
	CHECK_EQ(lf_trace_count(LF_TRACE_ID_medium_error), before + 2);
}

TEST(every_error_has_words)
{
	for (uint32_t error = LF_OK; error <= LF_E_TIMED_OUT; error++)
		CHECK(strcmp(lf_error_text((enum lf_error)error), "unknown error") != 0);
	CHECK_STR(lf_error_text((enum lf_error)99), "unknown error");
}

TEST(unit_attentions_are_of_key_six)
{
	CHECK_EQ(lf_ua_sense(LF_UA_POWER_ON), LF_SENSE(6, 0x29, 0));
	CHECK_EQ(lf_ua_sense(LF_UA_REPORTED_LUNS_CHANGED), LF_SENSE(6, 0x3f, 0x0e));
	for (uint32_t ua = 0; ua < LF_UA_COUNT; ua++)
		CHECK_EQ(lf_ua_sense((enum lf_ua)ua) >> 16, 6);
}

TEST(no_sense_in_both_formats)
{
	uint8_t bytes[18];
	CHECK_EQ(lf_sense_build(bytes, false, 0), 18);
	CHECK_EQ(bytes[0], 0x70);
	CHECK_EQ(bytes[7], 0x0a);
	CHECK_EQ(lf_sense_build(bytes, true, 0), 8);
	CHECK_EQ(bytes[0], 0x72);
	CHECK_EQ(bytes[7], 0);
}
