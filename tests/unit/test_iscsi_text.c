/* SPDX-License-Identifier: BSD-2-Clause */
/* test_iscsi_text.c: the key=value text of iSCSI (RFC 7143 6.1): reader, writer, numbers, lists, names. */
#include <string.h>

#include "edge/iscsi/text.h"
#include "tests/test.h"

static enum iscsi_text_result first(const char *text, uint32_t length, struct iscsi_pair *pair)
{
	uint32_t at = 0;

	return lf_iscsi_text_next(text, length, &at, pair);
}

TEST(iscsi_text_reads_pairs_in_order)
{
	static const char text[] = "A=1\0\0Long-Key.x@y_z#=a=b,c\0Empty=\0";
	struct iscsi_pair pair;
	uint32_t at = 0;

	CHECK_EQ(lf_iscsi_text_next(text, sizeof(text), &at, &pair), ISCSI_TEXT_PAIR);
	CHECK_STR(pair.key, "A");
	CHECK_STR(pair.value, "1");
	CHECK_EQ(lf_iscsi_text_next(text, sizeof(text), &at, &pair), ISCSI_TEXT_PAIR);
	CHECK_STR(pair.key, "Long-Key.x@y_z#");
	CHECK_STR(pair.value, "a=b,c");
	CHECK_EQ(lf_iscsi_text_next(text, sizeof(text), &at, &pair), ISCSI_TEXT_PAIR);
	CHECK_STR(pair.key, "Empty");
	CHECK_STR(pair.value, "");
	CHECK_EQ(lf_iscsi_text_next(text, sizeof(text), &at, &pair), ISCSI_TEXT_END);
}

TEST(iscsi_text_refuses_what_is_no_pair)
{
	struct iscsi_pair pair;
	char key[80];

	CHECK_EQ(first("", 0, &pair), ISCSI_TEXT_END);
	CHECK_EQ(first("\0\0\0", 3, &pair), ISCSI_TEXT_END);
	CHECK_EQ(first("NoEquals", 9, &pair), ISCSI_TEXT_BAD);
	CHECK_EQ(first("=value", 7, &pair), ISCSI_TEXT_BAD);
	CHECK_EQ(first("Bad Key=1", 10, &pair), ISCSI_TEXT_BAD);
	CHECK_EQ(first("Key=cut", 7, &pair), ISCSI_TEXT_BAD);
	CHECK_EQ(first("Key", 3, &pair), ISCSI_TEXT_BAD);
	memset(key, 'k', sizeof(key));
	memcpy(key + ISCSI_KEY_NAME_MAX, "=1", 3);
	CHECK_EQ(first(key, ISCSI_KEY_NAME_MAX + 3, &pair), ISCSI_TEXT_PAIR);
	CHECK_EQ(strlen(pair.key), ISCSI_KEY_NAME_MAX);
	memset(key, 'k', sizeof(key));
	memcpy(key + ISCSI_KEY_NAME_MAX + 1, "=1", 3);
	CHECK_EQ(first(key, ISCSI_KEY_NAME_MAX + 4, &pair), ISCSI_TEXT_BAD);
}

TEST(iscsi_text_writes_up_to_its_limit)
{
	struct iscsi_text text;

	lf_iscsi_text_init(&text, 16);
	lf_iscsi_text_put(&text, "Key", "Value");
	CHECK_EQ(text.length, 10);
	CHECK(memcmp(text.bytes, "Key=Value", 10) == 0);
	CHECK(!text.overflowed);
	lf_iscsi_text_put_number(&text, "N", 40);
	CHECK_EQ(text.length, 15);
	CHECK(memcmp(text.bytes + 10, "N=40", 5) == 0);
	CHECK(!text.overflowed);
	lf_iscsi_text_put(&text, "X", "");
	CHECK(text.overflowed);
	CHECK(text.length <= 16);
	lf_iscsi_text_clear(&text);
	CHECK_EQ(text.length, 0);
	CHECK(!text.overflowed);
	lf_iscsi_text_fini(&text);
}

TEST(iscsi_text_grows)
{
	struct iscsi_text text;
	char piece[100];

	memset(piece, 'p', sizeof(piece));
	lf_iscsi_text_init(&text, 10000);
	for (int i = 0; i < 100; i++)
		CHECK(lf_iscsi_text_append(&text, piece, sizeof(piece)));
	CHECK(!lf_iscsi_text_append(&text, piece, 1));
	CHECK_EQ(text.length, 10000);
	CHECK_EQ(text.bytes[9999], 'p');
	lf_iscsi_text_fini(&text);
}

TEST(iscsi_text_numbers)
{
	uint32_t number = 7;

	CHECK(lf_iscsi_text_number("0", &number) && number == 0);
	CHECK(lf_iscsi_text_number("262144", &number) && number == 262144);
	CHECK(lf_iscsi_text_number("0xfF", &number) && number == 255);
	CHECK(lf_iscsi_text_number("4294967295", &number) && number == UINT32_MAX);
	CHECK(!lf_iscsi_text_number("4294967296", &number));
	CHECK(!lf_iscsi_text_number("99999999999999999999999999", &number));
	CHECK(!lf_iscsi_text_number("", &number));
	CHECK(!lf_iscsi_text_number("0x", &number));
	CHECK(!lf_iscsi_text_number("12a", &number));
	CHECK(!lf_iscsi_text_number("-1", &number));
	CHECK(!lf_iscsi_text_number(" 1", &number));
}

TEST(iscsi_text_lists)
{
	CHECK(lf_iscsi_text_list_has("None", "None"));
	CHECK(lf_iscsi_text_list_has("CRC32C,None", "None"));
	CHECK(lf_iscsi_text_list_has("None,CRC32C", "None"));
	CHECK(!lf_iscsi_text_list_has("NoneX,XNone,Non", "None"));
	CHECK(!lf_iscsi_text_list_has("", "None"));
	CHECK(!lf_iscsi_text_list_has(",,", "None"));
	CHECK(lf_iscsi_text_list_has(",,None", "None"));
}

TEST(iscsi_names)
{
	char name[300];

	CHECK(lf_iscsi_name_valid("iqn.2001-04.com.example:storage"));
	CHECK(lf_iscsi_name_valid("IQN.2001-04.com.example"));
	CHECK(lf_iscsi_name_valid("eui.02004567A425678D"));
	CHECK(lf_iscsi_name_valid("naa.52004567BA64678D"));
	CHECK(!lf_iscsi_name_valid(""));
	CHECK(!lf_iscsi_name_valid("iqn."));
	CHECK(!lf_iscsi_name_valid("iqn2001-04.com.example"));
	CHECK(!lf_iscsi_name_valid("disk"));
	CHECK(!lf_iscsi_name_valid("iqn.2001-04.com example"));
	CHECK(!lf_iscsi_name_valid("iqn.2001-04.com/example"));
	memset(name, 'a', sizeof(name));
	memcpy(name, "iqn.", 4);
	name[ISCSI_NAME_MAX] = '\0';
	CHECK(lf_iscsi_name_valid(name));
	name[ISCSI_NAME_MAX] = 'a';
	name[ISCSI_NAME_MAX + 1] = '\0';
	CHECK(!lf_iscsi_name_valid(name));
	CHECK(lf_iscsi_name_equal("iqn.A:b", "IQN.a:B"));
	CHECK(!lf_iscsi_name_equal("iqn.a", "iqn.ab"));
}

TEST(iscsi_text_first_of_a_list)
{
	static const char *const words[] = {"None", "CRC32C"};

	CHECK_EQ(lf_iscsi_text_list_first("CRC32C,None", words, 2), 1);
	CHECK_EQ(lf_iscsi_text_list_first("X-own,None,CRC32C", words, 2), 0);
	CHECK_EQ(lf_iscsi_text_list_first(",,CRC32C", words, 2), 1);
	CHECK_EQ(lf_iscsi_text_list_first("Non,CRC32CC,none", words, 2), -1);
	CHECK_EQ(lf_iscsi_text_list_first("", words, 2), -1);
}
