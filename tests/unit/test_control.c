/* SPDX-License-Identifier: BSD-2-Clause */
/* test_control.c: the control protocol's bytes, names and sizes: everything in control/ that is pure. */
#include "control/codec.h"
#include "control/identity.h"
#include "control/naming.h"
#include "control/socket.h"
#include "control/source.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t bytes[LF_CONTROL_MESSAGE_MAX];
static union lf_control_request request, decoded;
static union lf_control_reply reply, answer;
static struct lf_message message;

static size_t make_connect(void)
{
	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_CONNECT;
	request.connect.flags = LF_CONTROL_READ_ONLY;
	request.connect.lun = 0x01020304;
	request.connect.block_size = 4096;
	request.connect.rotation = 7200;
	lf_control_set_text(&request.connect.name, "d\xc3\xa9j\xc3\xa0");
	lf_control_set_text(&request.connect.serial, "S1");
	lf_control_set_text(&request.connect.path, "/images/disk.img");
	return lf_control_encode_request(&request, bytes, sizeof(bytes));
}

static enum lf_control_status decode(size_t length)
{
	memset(&decoded, 0xa5, sizeof(decoded));
	return lf_control_decode_request(bytes, length, &decoded, &message);
}

TEST(the_tables_describe_every_byte)
{
	CHECK(lf_control_layouts_are_whole());
}

TEST(a_request_has_these_bytes_for_ever)
{
	static const uint8_t list[] = {
		'L', 'F', 'S', 'H', 1, 0, 4, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0};
	size_t length;

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_LIST;
	request.list.after = 0x12345678;
	CHECK_EQ(lf_control_encode_request(&request, bytes, sizeof(bytes)), sizeof(list));
	CHECK(memcmp(bytes, list, sizeof(list)) == 0);

	length = make_connect();
	CHECK_EQ(length, 4296);
	CHECK_EQ(bytes[28], 4); /* lun */
	CHECK_EQ(bytes[31], 1);
	CHECK_EQ(bytes[48], 6); /* the name's bytes, not its characters */
	CHECK_EQ(bytes[192], 16);
	CHECK(memcmp(bytes + 194, "/images/disk.img", 17) == 0);
}

TEST(a_request_comes_back_as_it_was)
{
	size_t length = make_connect();

	CHECK_EQ(decode(length), LF_CONTROL_OK);
	CHECK(memcmp(&decoded.connect, &request.connect, sizeof(request.connect)) == 0);
}

TEST(bytes_need_no_alignment)
{
	size_t length = make_connect();

	memmove(bytes + 1, bytes, length);
	memset(&decoded, 0, sizeof(decoded));
	CHECK_EQ(lf_control_decode_request(bytes + 1, length, &decoded, &message), LF_CONTROL_OK);
	CHECK_STR(decoded.connect.path.bytes, "/images/disk.img");
}

TEST(a_cut_or_stretched_request_is_refused_at_every_length)
{
	size_t length = make_connect();

	for (size_t i = 0; i < length + 16; i++) {
		if (i != length)
			CHECK_EQ(decode(i), LF_CONTROL_INVALID);
	}
}

TEST(a_wrong_magic_is_refused)
{
	size_t length = make_connect();

	bytes[3] ^= 1;
	CHECK_EQ(decode(length), LF_CONTROL_INVALID);
	CHECK(strstr(message.text, "LFSH"));
}

TEST(an_unknown_version_is_told_which_is_spoken)
{
	size_t length = make_connect();

	bytes[4] = 2;
	CHECK_EQ(decode(length), LF_CONTROL_BAD_VERSION);
	CHECK(strstr(message.text, "version 1 is"));
	/* Whatever its layout may be. */
	CHECK_EQ(decode(sizeof(struct lf_control_header)), LF_CONTROL_BAD_VERSION);
	bytes[4] = 0;
	CHECK_EQ(decode(length), LF_CONTROL_BAD_VERSION);
}

TEST(an_unknown_command_is_unsupported)
{
	size_t length = make_connect();

	bytes[6] = 99;
	CHECK_EQ(decode(length), LF_CONTROL_UNSUPPORTED);
	CHECK_EQ(decoded.header.command, 99);
}

/* Each byte that is changed is one that must be as it is. */
TEST(a_field_out_of_its_range_is_refused)
{
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = {
		{8, 0},         /* size */
		{12, 1},        /* status in a request */
		{16, 16},       /* an unknown flag */
		{42, 1},        /* reserved */
		{48, 62},       /* a name as long as its field */
		{49, 1},        /* and longer */
		{48, 5},        /* a name whose last byte is behind its end, and half a character */
		{50, 0},        /* NUL inside */
		{51, 'x'},      /* UTF-8: a continuation without its start */
		{50 + 61, 'x'}, /* something behind the text */
		{192 + 2 + 4101, 'x'},
	};

	for (uint32_t i = 0; i < lf_count_of(wrong); i++) {
		size_t length = make_connect();
		CHECK_EQ(decode(length), LF_CONTROL_OK);
		bytes[wrong[i].at] = wrong[i].value;
		CHECK_EQ(decode(length), LF_CONTROL_INVALID);
	}
}

TEST(utf8_is_checked_to_the_letter)
{
	static const char *const good[] = {"", "a", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf",
		"\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf",
		"\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
		"\xe2\x82", "\xe2\x28\xa1"};

	for (uint32_t i = 0; i < lf_count_of(good); i++)
		CHECK(lf_control_is_utf8(good[i], strlen(good[i])));
	for (uint32_t i = 0; i < lf_count_of(bad); i++)
		CHECK(!lf_control_is_utf8(bad[i], strlen(bad[i])));
}

TEST(a_text_that_does_not_fit_is_cut_between_characters)
{
	LF_CONTROL_TEXT(6) text;

	CHECK(lf_control_set_text(&text, "abcde"));
	CHECK_STR(text.bytes, "abcde");
	CHECK(!lf_control_set_text(&text, "abcdef"));
	CHECK_EQ(text.length, 5);
	CHECK(!lf_control_set_text(&text, "abcd\xc3\xa9"));
	CHECK_STR(text.bytes, "abcd");
	CHECK(!lf_control_set_text(&text, "a\xff"));
	CHECK_STR(text.bytes, "a");
}

static size_t make_page(uint32_t count)
{
	struct lf_control_device device;
	char name[16];

	memset(&reply, 0, sizeof(reply));
	reply.header.command = LF_CONTROL_LIST;
	reply.page.count = count;
	reply.page.more = 1;
	for (uint32_t i = 0; i < count; i++) {
		memset(&device, 0, sizeof(device));
		snprintf(name, sizeof(name), "disk-%u", i);
		device.number = i + 1;
		device.block_count = UINT64_C(1) << 54;
		lf_control_set_text(&device.id, name);
		lf_control_encode_device(&device, i, bytes);
	}
	return lf_control_encode_reply(&reply, bytes, sizeof(bytes));
}

static bool take(size_t length, enum lf_control_command command)
{
	memset(&answer, 0xa5, sizeof(answer));
	return lf_control_decode_reply(bytes, length, command, &answer, &message);
}

TEST(a_list_comes_back_record_by_record)
{
	size_t length = make_page(LF_CONTROL_PAGE_DEVICES_MAX);
	struct lf_control_device device;

	CHECK(length > 0);
	CHECK(take(length, LF_CONTROL_LIST));
	CHECK_EQ(answer.page.count, LF_CONTROL_PAGE_DEVICES_MAX);
	CHECK_EQ(answer.page.more, 1);
	CHECK(lf_control_decode_device(bytes, 12, &device));
	CHECK_STR(device.id.bytes, "disk-12");
	CHECK_EQ(device.block_count, UINT64_C(1) << 54);
	CHECK(!take(length, LF_CONTROL_STATUS));
	CHECK(!take(length - 1, LF_CONTROL_LIST));
	bytes[16] = (uint8_t)(LF_CONTROL_PAGE_DEVICES_MAX - 1);
	CHECK(!take(length, LF_CONTROL_LIST));
	CHECK_EQ(make_page(0), sizeof(struct lf_control_page));
}

TEST(a_failure_answers_any_command)
{
	size_t length;

	length = lf_control_encode_failure(
		LF_CONTROL_NOT_FOUND, LF_CONTROL_SHOW, "no such device: try another", bytes, sizeof(bytes));
	CHECK_EQ(length, 536);
	CHECK(take(length, LF_CONTROL_SHOW));
	CHECK_EQ(answer.header.status, LF_CONTROL_NOT_FOUND);
	CHECK_STR(answer.failure.text.bytes, "no such device: try another");
	bytes[4] = 3;
	CHECK(!take(length, LF_CONTROL_SHOW));
	CHECK(strstr(message.text, "version 3"));
}

TEST(a_status_carries_portals_and_events)
{
	struct lf_control_event event;
	size_t length;

	memset(&reply, 0, sizeof(reply));
	memset(&event, 0, sizeof(event));
	reply.header.command = LF_CONTROL_STATUS;
	reply.state.portal_count = 2;
	reply.state.event_count = 2;
	reply.state.portals[1].tag = 7;
	lf_control_set_text(&reply.state.portals[1].address, "[::1]:3260");
	event.count = UINT64_C(0x123456789abcdef0);
	lf_control_set_text(&event.name, "unit_added");
	lf_control_encode_event(&event, 0, bytes);
	lf_control_encode_event(&event, 1, bytes);
	length = lf_control_encode_reply(&reply, bytes, sizeof(bytes));
	CHECK_EQ(length, 1632 + 2 * 64);
	CHECK(take(length, LF_CONTROL_STATUS));
	CHECK_EQ(answer.state.portals[1].tag, 7);
	CHECK_STR(answer.state.portals[1].address.bytes, "[::1]:3260");
	memset(&event, 0, sizeof(event));
	CHECK(lf_control_decode_event(bytes, 1, &event));
	CHECK_EQ(event.count, UINT64_C(0x123456789abcdef0));
	bytes[48] = 17; /* more portals than there is room for */
	CHECK(!take(length, LF_CONTROL_STATUS));
}

TEST(an_inquiry_carries_its_cdb)
{
	static const uint8_t wanted[] = {'L', 'F', 'S', 'H', 1, 0, 7, 0, 40, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x01,
		0, 0, 0, 0, 6, 0, 0x12, 1, 0x80, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t cdb[] = {0x12, 1, 0x80, 0x80, 0, 0};

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_INQUIRE;
	request.inquire.number = 0x102;
	request.inquire.cdb.length = sizeof(cdb);
	memcpy(request.inquire.cdb.bytes, cdb, sizeof(cdb));
	request.inquire.cdb.bytes[15] = 0x55; /* behind its length: stays here */
	CHECK_EQ(lf_control_encode_request(&request, bytes, sizeof(bytes)), sizeof(wanted));
	CHECK(memcmp(bytes, wanted, sizeof(wanted)) == 0);
	CHECK_EQ(decode(sizeof(wanted)), LF_CONTROL_OK);
	CHECK_EQ(decoded.inquire.number, 0x102);
	CHECK_EQ(decoded.inquire.cdb.length, 6);
	CHECK(memcmp(decoded.inquire.cdb.bytes, cdb, sizeof(cdb)) == 0);
	CHECK_EQ(decode(sizeof(wanted) - 1), LF_CONTROL_INVALID);
	bytes[39] = 1; /* behind the CDB */
	CHECK_EQ(decode(sizeof(wanted)), LF_CONTROL_INVALID);
	bytes[22] = 16;
	CHECK_EQ(decode(sizeof(wanted)), LF_CONTROL_OK);
	bytes[22] = 17; /* longer than its field */
	CHECK_EQ(decode(sizeof(wanted)), LF_CONTROL_INVALID);
	bytes[22] = 16;
	bytes[20] = 1; /* reserved */
	CHECK_EQ(decode(sizeof(wanted)), LF_CONTROL_INVALID);
}

TEST(an_inquiry_is_answered_with_sense_and_data)
{
	static uint8_t data[LF_CONTROL_INQUIRY_DATA_MAX];
	size_t length;

	memset(data, 0x5a, sizeof(data));
	memset(&reply, 0, sizeof(reply));
	reply.header.command = LF_CONTROL_INQUIRE;
	reply.inquiry.scsi_status = 2;
	reply.inquiry.sense.length = 252;
	reply.inquiry.sense.bytes[251] = 7;
	reply.inquiry.data_length = sizeof(data);
	lf_control_encode_data(data, sizeof(data), bytes);
	length = lf_control_encode_reply(&reply, bytes, sizeof(bytes));
	CHECK_EQ(length, 280 + sizeof(data));
	CHECK(take(length, LF_CONTROL_INQUIRE));
	CHECK_EQ(answer.inquiry.scsi_status, 2);
	CHECK_EQ(answer.inquiry.sense.length, 252);
	CHECK_EQ(answer.inquiry.sense.bytes[251], 7);
	CHECK(memcmp(lf_control_decode_data(bytes), data, sizeof(data)) == 0);
	CHECK(!take(length - 1, LF_CONTROL_INQUIRE));
	CHECK(!take(length, LF_CONTROL_SHOW));
	bytes[22] = 251; /* sense behind its length */
	CHECK(!take(length, LF_CONTROL_INQUIRE));
	bytes[22] = 253; /* longer than its field */
	CHECK(!take(length, LF_CONTROL_INQUIRE));
	bytes[22] = 252;
	bytes[21] = 1; /* no status of SCSI's */
	CHECK(!take(length, LF_CONTROL_INQUIRE));
	bytes[21] = 0;
	CHECK(take(length, LF_CONTROL_INQUIRE));
	/* One byte more than there may be, though the message has it. */
	bytes[16] = 1;
	bytes[8]++;
	CHECK(!take(length + 1, LF_CONTROL_INQUIRE));
	CHECK_EQ(lf_control_encode_reply(&reply, bytes, length - 1), 0);
}

TEST(requests_that_change_something_have_these_bytes_for_ever)
{
	size_t length;

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_INSERT;
	request.insert.flags = LF_CONTROL_INSERT_FORCE;
	lf_control_set_text(&request.insert.id, "cd");
	lf_control_set_text(&request.insert.image, "/a.iso");
	length = lf_control_encode_request(&request, bytes, sizeof(bytes));
	CHECK_EQ(length, 12336);
	CHECK_EQ(bytes[6], 8);
	CHECK_EQ(bytes[16], 2);
	CHECK(memcmp(bytes + 24, "\2\0cd", 5) == 0);
	CHECK(memcmp(bytes + 8232, "\6\0/a.iso", 9) == 0);
	CHECK_EQ(decode(length), LF_CONTROL_OK);
	CHECK_STR(decoded.insert.image.bytes, "/a.iso");
	bytes[16] = 4; /* an unknown flag */
	CHECK_EQ(decode(length), LF_CONTROL_INVALID);
	bytes[16] = 0;
	bytes[20] = 1; /* reserved */
	CHECK_EQ(decode(length), LF_CONTROL_INVALID);

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_RESIZE;
	request.resize.size_bytes = 0x0102030405060708;
	lf_control_set_text(&request.resize.id, "d");
	length = lf_control_encode_request(&request, bytes, sizeof(bytes));
	CHECK_EQ(length, 8232);
	CHECK_EQ(bytes[6], 10);
	CHECK_EQ(bytes[16], 8);
	CHECK_EQ(bytes[23], 1);
	CHECK_EQ(decode(length), LF_CONTROL_OK);
	CHECK_EQ(decoded.resize.size_bytes, 0x0102030405060708);
	bytes[23] = 0x80; /* no size of a file */
	CHECK_EQ(decode(length), LF_CONTROL_INVALID);

	memset(&request, 0, sizeof(request));
	request.header.command = LF_CONTROL_DROP;
	request.after.number = UINT64_MAX;
	length = lf_control_encode_request(&request, bytes, sizeof(bytes));
	CHECK_EQ(length, 24);
	CHECK_EQ(bytes[6], 12);
	CHECK_EQ(decode(length), LF_CONTROL_OK);
	CHECK_EQ(decoded.after.number, UINT64_MAX);
}

TEST(sessions_come_back_record_by_record)
{
	struct lf_control_session session;
	size_t length;

	memset(&reply, 0, sizeof(reply));
	reply.header.command = LF_CONTROL_SESSIONS;
	reply.page.count = LF_CONTROL_PAGE_SESSIONS_MAX;
	for (uint32_t i = 0; i < reply.page.count; i++) {
		memset(&session, 0, sizeof(session));
		session.number = i + 1;
		session.flags = LF_CONTROL_SESSION_CHAP;
		session.tag = 7;
		lf_control_set_text(&session.initiator, "iqn.x");
		lf_control_set_text(&session.user, "user");
		lf_control_encode_record(LF_CONTROL_SESSIONS, &session, i, bytes);
	}
	length = lf_control_encode_reply(&reply, bytes, sizeof(bytes));
	CHECK_EQ(length, 24 + 102 * 640);
	CHECK(take(length, LF_CONTROL_SESSIONS));
	memset(&session, 0, sizeof(session));
	CHECK(lf_control_decode_record(LF_CONTROL_SESSIONS, bytes, 101, &session));
	CHECK_EQ(session.number, 102);
	CHECK_EQ(session.tag, 7);
	CHECK_STR(session.initiator.bytes, "iqn.x");
	CHECK_STR(session.user.bytes, "user");
	CHECK(!take(length - 1, LF_CONTROL_SESSIONS));
	CHECK(!take(length, LF_CONTROL_LIST));
	bytes[24 + 40] = 0xff; /* flags that nobody knows */
	CHECK(!lf_control_decode_record(LF_CONTROL_SESSIONS, bytes, 0, &session));
}

TEST(counters_and_reservations_come_back_as_they_were)
{
	struct lf_control_event counter;
	size_t length;

	memset(&reply, 0, sizeof(reply));
	memset(&counter, 0, sizeof(counter));
	reply.header.command = LF_CONTROL_STATS;
	reply.stats.counter_count = 1;
	reply.stats.taken_ns = 5;
	lf_control_set_text(&reply.stats.id, "disk");
	counter.count = 9;
	lf_control_set_text(&counter.name, "read_commands");
	lf_control_encode_record(LF_CONTROL_STATS, &counter, 0, bytes);
	length = lf_control_encode_reply(&reply, bytes, sizeof(bytes));
	CHECK_EQ(length, 96 + 64);
	CHECK(take(length, LF_CONTROL_STATS));
	CHECK_EQ(answer.stats.taken_ns, 5);
	memset(&counter, 0, sizeof(counter));
	CHECK(lf_control_decode_record(LF_CONTROL_STATS, bytes, 0, &counter));
	CHECK_EQ(counter.count, 9);
	CHECK_STR(counter.name.bytes, "read_commands");
	bytes[20] = 2;
	CHECK(!take(length, LF_CONTROL_STATS));

	memset(&reply, 0, sizeof(reply));
	reply.header.command = LF_CONTROL_RESERVATION;
	reply.reservation.key = 0x1234;
	reply.reservation.type = 8;
	lf_control_set_text(&reply.reservation.holder, "iqn.x,i,0x1");
	length = lf_control_encode_reply(&reply, bytes, sizeof(bytes));
	CHECK_EQ(length, 296);
	CHECK(take(length, LF_CONTROL_RESERVATION));
	CHECK_EQ(answer.reservation.key, 0x1234);
	CHECK_STR(answer.reservation.holder.bytes, "iqn.x,i,0x1");
	bytes[36] = 16; /* no type */
	CHECK(!take(length, LF_CONTROL_RESERVATION));
}

TEST(the_same_machine_and_path_make_the_same_unit_tomorrow)
{
	static const char machine[] = "0123456789abcdef0123456789abcdef";
	struct lf_identity identity, other;

	/* Computed by another implementation of SHA-256. */
	lf_identity_derive(machine, "/images/disk.img", "", &identity);
	CHECK_STR(identity.serial, "fb606c008d4e2cc7");
	CHECK_EQ(identity.identifier, UINT64_C(0xb87f7f1c4306a69));
	lf_identity_derive(machine, "/images/disk.im", "", &other);
	CHECK(strcmp(identity.serial, other.serial) != 0);
	CHECK(identity.identifier != other.identifier);
	lf_identity_derive("another", "/images/disk.img", "", &other);
	CHECK(identity.identifier != other.identifier);
}

TEST(a_given_serial_number_stands_for_the_path)
{
	struct lf_identity identity, moved, elsewhere;

	lf_identity_derive("machine", "/images/disk.img", "S1", &identity);
	lf_identity_derive("machine", "/other/disk.img", "S1", &moved);
	lf_identity_derive("machine 2", "/images/disk.img", "S1", &elsewhere);
	CHECK_STR(identity.serial, "S1");
	CHECK_EQ(identity.identifier, moved.identifier);
	CHECK(identity.identifier != elsewhere.identifier);
	CHECK(identity.identifier < UINT64_C(1) << 60);
}

TEST(the_default_iqn_holds_only_what_it_may)
{
	char iqn[LF_IDENTITY_IQN_MAX + 1], host[400];

	lf_identity_default_iqn("Storage_1.example.org", iqn);
	CHECK_STR(iqn, "iqn.2026-01.io.lungfish:storage-1");
	lf_identity_default_iqn("", iqn);
	CHECK_STR(iqn, "iqn.2026-01.io.lungfish:0");
	memset(host, 'a', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	lf_identity_default_iqn(host, iqn);
	CHECK_EQ(strlen(iqn), 223);
}

static const char *taken_names[8];

static bool is_taken(void *context, const char *name)
{
	(void)context;
	for (uint32_t i = 0; i < lf_count_of(taken_names) && taken_names[i]; i++) {
		if (strcmp(taken_names[i], name) == 0)
			return true;
	}
	return false;
}

static const char *made_from(const char *path)
{
	static char name[LF_NAMING_CAPACITY];

	lf_naming_make(path, is_taken, NULL, name);
	return name;
}

TEST(names_come_from_the_path_and_are_valid)
{
	static const char *const paths[] = {"/a/disk.img", "/7.img", "/\xc3\xa9.img", "/-x", "/.hidden",
		"/a b  c.qcow2",
		"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

	memset(taken_names, 0, sizeof(taken_names));
	CHECK_STR(made_from("/a/disk.img"), "disk");
	CHECK_STR(made_from("/a/7.img"), "disk7");
	CHECK_STR(made_from("/a/a b  c.qcow2"), "a-b-c");
	CHECK_STR(made_from("/a/\xc3\xa9.img"), "disk");
	for (uint32_t i = 0; i < lf_count_of(paths); i++)
		CHECK(lf_naming_is_valid(made_from(paths[i])));
	taken_names[0] = "disk";
	taken_names[1] = "disk-2";
	CHECK_STR(made_from("/b/disk.raw"), "disk-3");
	CHECK(!lf_naming_is_valid("12"));
	CHECK(!lf_naming_is_valid(""));
	CHECK(!lf_naming_is_valid("0:0:1"));
	CHECK(!lf_naming_is_valid("a/b"));
	CHECK(!lf_naming_is_valid("-a"));
}

static enum lf_control_status check_with(void (*change)(struct lf_control_connect *connect))
{
	make_connect();
	request.connect.lun = UINT32_MAX;
	change(&request.connect);
	return lf_naming_check_request(&request.connect, 1, 16384, &message);
}

#define CHANGE(name, what)                                                                                   \
	static void name(struct lf_control_connect *connect)                                                 \
	{                                                                                                    \
		what;                                                                                        \
	}
CHANGE(nothing, (void)connect)
CHANGE(block_1024, connect->block_size = 1024)
CHANGE(physical_512_of_4096, connect->physical_block_size = 512)
CHANGE(physical_5000, connect->physical_block_size = 5000)
CHANGE(physical_4096, (connect->block_size = 512, connect->physical_block_size = 4096))
CHANGE(rotation_2, connect->rotation = 2)
CHANGE(rotation_reserved, connect->rotation = 0xffff)
CHANGE(vendor_long, lf_control_set_text(&connect->vendor, "123456789"))
CHANGE(vendor_8, lf_control_set_text(&connect->vendor, "12345678"))
CHANGE(vendor_utf8, lf_control_set_text(&connect->vendor, "\xc3\xa9"))
CHANGE(product_space, lf_control_set_text(&connect->product, " x"))
CHANGE(serial_long, lf_control_set_text(&connect->serial, "123456789012345678901234567890123"))
CHANGE(cdrom, (connect->type = 5, connect->block_size = 0, connect->rotation = 0))
CHANGE(cdrom_of_512, (connect->type = 5, connect->block_size = 512, connect->rotation = 0))
CHANGE(cdrom_that_turns, (connect->type = 5, connect->block_size = 0, connect->rotation = 7200))
CHANGE(cdrom_empty, (connect->type = 5, connect->block_size = 0, connect->rotation = 0,
			    lf_control_set_text(&connect->path, "")))

CHANGE(disk_empty, lf_control_set_text(&connect->path, ""))
CHANGE(removable_empty, (connect->flags = LF_CONTROL_REMOVABLE, lf_control_set_text(&connect->path, "")))
CHANGE(tape, connect->type = 1)
CHANGE(target_1, connect->target = 1)
CHANGE(lun_16384, connect->lun = 16384)
CHANGE(lun_16383, connect->lun = 16383)
CHANGE(relative, lf_control_set_text(&connect->path, "disk.img"))

TEST(options_of_a_connect_are_checked)
{
	static void (*const good[])(struct lf_control_connect *) = {
		nothing, physical_4096, vendor_8, lun_16383, cdrom, cdrom_empty, removable_empty};
	static void (*const bad[])(struct lf_control_connect *) = {block_1024, physical_512_of_4096,
		physical_5000, rotation_2, rotation_reserved, vendor_long, vendor_utf8, product_space,
		serial_long, target_1, lun_16384, relative, cdrom_of_512, cdrom_that_turns, disk_empty};

	for (uint32_t i = 0; i < lf_count_of(good); i++)
		CHECK_EQ(check_with(good[i]), LF_CONTROL_OK);
	for (uint32_t i = 0; i < lf_count_of(bad); i++)
		CHECK_EQ(check_with(bad[i]), LF_CONTROL_INVALID);
	CHECK_EQ(check_with(tape), LF_CONTROL_UNSUPPORTED);
}

TEST(sizes_are_read_as_people_write_them)
{
	static const struct {
		const char *text;
		uint64_t size;
	} good[] = {{"0", 0}, {"512", 512}, {"512B", 512}, {"1k", 1024}, {"20G", UINT64_C(20) << 30},
		{"20GiB", UINT64_C(20) << 30}, {"20GB", UINT64_C(20000000000)}, {"7E", UINT64_C(7) << 60},
		{"9223372036854775807", INT64_MAX}};
	static const char *const bad[] = {"", "G", "-1", "1.5G", "8E", "10EB", "9223372036854775808", "1Q",
		"1GG", "1Gi", " 1", "1 ", "0x10", "99999999999999999999999999"};
	uint64_t size;

	for (uint32_t i = 0; i < lf_count_of(good); i++) {
		CHECK(lf_control_parse_size(good[i].text, &size));
		CHECK_EQ(size, good[i].size);
	}
	for (uint32_t i = 0; i < lf_count_of(bad); i++)
		CHECK(!lf_control_parse_size(bad[i], &size));
}

TEST(numbers_have_a_limit)
{
	uint64_t number;

	CHECK(lf_control_parse_number("16383", 16383, &number));
	CHECK(!lf_control_parse_number("16384", 16383, &number));
	CHECK(!lf_control_parse_number("18446744073709551616", UINT64_MAX, &number));
	CHECK(!lf_control_parse_number("+1", 10, &number));
}

TEST(the_socket_has_a_place_for_everybody)
{
	struct sockaddr_un address;
	char path[200];

	unsetenv("LUNGFISH_SOCKET");
	CHECK_EQ(lf_control_socket_address("/x/s", false, &address, &message), LF_OK);
	CHECK_STR(address.sun_path, "/x/s");
	setenv("LUNGFISH_SOCKET", "/y/s", 1);
	CHECK_EQ(lf_control_socket_address(NULL, false, &address, &message), LF_OK);
	CHECK_STR(address.sun_path, "/y/s");
	CHECK_EQ(lf_control_socket_address("/x/s", false, &address, &message), LF_OK);
	CHECK_STR(address.sun_path, "/x/s");
	unsetenv("LUNGFISH_SOCKET");
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	CHECK_EQ(lf_control_socket_address(path, false, &address, &message), LF_E_INVALID);
	if (geteuid() == 0) {
		setenv("XDG_RUNTIME_DIR", "/nowhere", 1);
		CHECK_EQ(lf_control_socket_address(NULL, false, &address, &message), LF_OK);
		CHECK_STR(address.sun_path, "/run/lungfish/control.sock");
	}
}
