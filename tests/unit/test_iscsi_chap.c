/* SPDX-License-Identifier: BSD-2-Clause */
/* test_iscsi_chap.c: CHAP as a machine: binary values, the file of secrets, the dialogue, whose questions are
 * whose. */
#include <nettle/md5.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "edge/iscsi/chap.h"
#include "tests/test.h"

/* ---- Binary values ---- */

static bool binary(const char *value, const char *bytes, size_t length)
{
	uint8_t got[8];
	size_t got_length;

	return lf_iscsi_text_binary(value, got, sizeof(got), &got_length) && got_length == length &&
	       memcmp(got, bytes, length) == 0;
}

TEST(iscsi_binary_values)
{
	uint8_t bytes[8];
	size_t length;
	static const char *const wrong[] = {"", "0", "0x", "0b", "0x1", "0x123", "0xfg", "x00", "0y00", "00",
		"0x000102030405060708", "0bAAA", "0bA===", "0b====", "0bAAAA=", "0bAA=A", "0b-AAA",
		"0bAAAAAAAAAAAA", "0bAAAAAAAAAAAAAAAA", "12"};

	CHECK(binary("0x00", "\0", 1));
	CHECK(binary("0X0aF1", "\x0a\xf1", 2));
	CHECK(binary("0x0102030405060708", "\1\2\3\4\5\6\7\10", 8));
	CHECK(binary("0bAAEC", "\0\1\2", 3));
	CHECK(binary("0B+/8=", "\xfb\xff", 2));
	CHECK(binary("0bAQ==", "\1", 1));
	CHECK(binary("0bAQIDBAUGBwg=", "\1\2\3\4\5\6\7\10", 8));
	for (size_t i = 0; i < lf_count_of(wrong); i++) {
		if (lf_iscsi_text_binary(wrong[i], bytes, sizeof(bytes), &length))
			lf_test_fail(__FILE__, __LINE__, "%s was taken", wrong[i]);
	}
}

/* ---- Secrets ---- */

static struct lf_iscsi_secrets *parse(const char *text, struct lf_message *message)
{
	size_t length = strlen(text);
	char *copy = strdup(text);
	struct lf_iscsi_secrets *secrets = lf_iscsi_secrets_parse(copy, length, "FILE", message);

	for (size_t i = 0; i < length; i++) {
		if (copy[i] != '\0')
			lf_test_fail(__FILE__, __LINE__, "the text was not wiped");
	}
	free(copy);
	return secrets;
}

TEST(iscsi_secrets_of_a_file)
{
	struct lf_message message;
	struct lf_iscsi_secrets *secrets = parse("# who\n\niqn.a:b:c:twelve bytes\nmutual us:ours for them\n"
						 "mutually:not a mutual one",
		&message);

	CHECK(secrets != NULL);
	CHECK_EQ(secrets->count, 2);
	CHECK_EQ(lf_iscsi_secrets_find(secrets, "iqn.a:b:c")->secret_length, 12);
	CHECK(memcmp(lf_iscsi_secrets_find(secrets, "iqn.a:b:c")->secret, "twelve bytes", 12) == 0);
	CHECK(lf_iscsi_secrets_find(secrets, "mutually") != NULL);
	CHECK(lf_iscsi_secrets_find(secrets, "iqn.a:b") == NULL);
	CHECK(lf_iscsi_secrets_find(secrets, "iqn.a:b:c:") == NULL);
	CHECK(lf_iscsi_secrets_find(secrets, "") == NULL);
	CHECK(lf_iscsi_secrets_find(secrets, "us") == NULL);
	CHECK_STR(secrets->mutual.name, "us");
	lf_iscsi_secrets_free(secrets);
}

TEST(iscsi_secrets_messages_tell_no_secret)
{
	struct lf_message message;

	CHECK(parse("a:hidden-hidden\nb:hidden\n", &message) == NULL);
	CHECK_STR(message.text, "FILE: line 2: the secret is too short: 12 bytes at least");
	CHECK(parse("a:hidden-hidden\nmutual b:hidden-hidden\n", &message) == NULL);
	CHECK_STR(message.text, "FILE: the mutual secret is also an initiator's: choose another");
	CHECK(parse("hidden-hidden\n", &message) == NULL);
	CHECK_STR(message.text, "FILE: line 1: no NAME:SECRET");
}

/* ---- The dialogue ---- */

#define SECRET "twelve bytes and more"
#define OURS   "what we answer with"

struct stage {
	struct iscsi_authority *authority;
	struct iscsi_chap chap;
	struct iscsi_text answer;
};

static void stage_open(struct stage *stage)
{
	struct lf_message message;

	stage->authority =
		lf_iscsi_authority_create(parse("host:" SECRET "\nmutual target:" OURS "\n", &message));
	lf_iscsi_chap_init(&stage->chap, stage->authority);
	lf_iscsi_text_init(&stage->answer, ISCSI_TEXT_MAX);
}

static void stage_close(struct stage *stage)
{
	lf_iscsi_chap_fini(&stage->chap);
	lf_iscsi_chap_fini(&stage->chap);
	lf_iscsi_authority_destroy(stage->authority);
	lf_iscsi_text_fini(&stage->answer);
}

static bool ask(struct iscsi_chap *chap, struct iscsi_text *answer, const char *algorithm)
{
	return lf_iscsi_chap_choose(chap, "None,CHAP", answer) &&
	       lf_iscsi_chap_answer(chap, &(struct iscsi_chap_keys){.algorithms = algorithm}, answer);
}

/* By nettle's functions for MD5 and SHA-256 themselves. */
static void digest(bool md5, uint8_t identifier, const char *secret, const uint8_t *challenge, size_t length,
	uint8_t *to)
{
	struct md5_ctx md5_context;
	struct sha256_ctx sha256_context;

	md5_init(&md5_context);
	md5_update(&md5_context, 1, &identifier);
	md5_update(&md5_context, strlen(secret), (const uint8_t *)secret);
	md5_update(&md5_context, length, challenge);
	sha256_init(&sha256_context);
	sha256_update(&sha256_context, 1, &identifier);
	sha256_update(&sha256_context, strlen(secret), (const uint8_t *)secret);
	sha256_update(&sha256_context, length, challenge);
	if (md5)
		md5_digest(&md5_context, MD5_DIGEST_SIZE, to);
	else
		sha256_digest(&sha256_context, SHA256_DIGEST_SIZE, to);
}

static char *in_hex(const uint8_t *bytes, size_t length, char *to)
{
	struct iscsi_text text;

	lf_iscsi_text_init(&text, 200);
	lf_iscsi_text_put_binary(&text, "", bytes, length);
	memcpy(to, text.bytes + 1, text.length - 1);
	lf_iscsi_text_fini(&text);
	return to;
}

TEST(iscsi_chap_both_ways)
{
	for (int md5 = 0; md5 < 2; md5++) {
		size_t size = md5 ? 16 : 32;
		struct iscsi_chap_keys keys = {.name = "host", .identifier = "7", .challenge = "0x010203"};
		char response[80], ours[80];
		struct iscsi_pair pair;
		struct stage stage;
		uint8_t hash[32];
		uint32_t at = 0;

		stage_open(&stage);
		CHECK(iscsi_chap_required(&stage.chap));
		CHECK(ask(&stage.chap, &stage.answer, md5 ? "1,5,7" : "7,5"));
		CHECK_EQ(stage.chap.challenge_length, size);
		digest(md5, stage.chap.identifier, SECRET, stage.chap.challenge, size, hash);
		keys.response = in_hex(hash, size, response);
		lf_iscsi_text_clear(&stage.answer);
		CHECK(lf_iscsi_chap_answer(&stage.chap, &keys, &stage.answer));
		CHECK(!iscsi_chap_required(&stage.chap));
		CHECK_STR(stage.chap.user, "host");
		digest(md5, 7, OURS, (const uint8_t *)"\1\2\3", 3, hash);
		CHECK_EQ(lf_iscsi_text_next(stage.answer.bytes, stage.answer.length, &at, &pair),
			ISCSI_TEXT_PAIR);
		CHECK_STR(pair.value, "target");
		CHECK_EQ(lf_iscsi_text_next(stage.answer.bytes, stage.answer.length, &at, &pair),
			ISCSI_TEXT_PAIR);
		CHECK_STR(pair.value, in_hex(hash, size, ours));
		/* Once is all. */
		CHECK(!lf_iscsi_chap_answer(&stage.chap, &keys, &stage.answer));
		stage_close(&stage);
	}
}

TEST(iscsi_chap_knows_its_own_questions)
{
	struct iscsi_chap_keys keys = {.name = "host", .identifier = "7"};
	char response[80], theirs[80];
	struct iscsi_chap other;
	struct stage stage;
	uint8_t hash[32];

	stage_open(&stage);
	lf_iscsi_chap_init(&other, stage.authority);
	CHECK(ask(&stage.chap, &stage.answer, "7") && ask(&other, &stage.answer, "7"));
	CHECK(memcmp(stage.chap.challenge, other.challenge, 32) != 0);
	digest(false, stage.chap.identifier, SECRET, stage.chap.challenge, 32, hash);
	keys.response = in_hex(hash, 32, response);
	keys.challenge = in_hex(other.challenge, 32, theirs);
	CHECK(!lf_iscsi_chap_answer(&stage.chap, &keys, &stage.answer));
	CHECK_EQ(stage.chap.failure, ISCSI_CHAP_REFLECTED);
	CHECK(iscsi_chap_required(&stage.chap));
	/* The question of a login that is over is nobody's any more. */
	lf_iscsi_chap_fini(&other);
	stage.chap.state = ISCSI_CHAP_CHALLENGED;
	CHECK(lf_iscsi_chap_answer(&stage.chap, &keys, &stage.answer));
	stage_close(&stage);
}

/* An answer as ours would be can only come from ourselves. */
TEST(iscsi_chap_knows_its_own_answers)
{
	struct stage stage;
	uint8_t hash[32];
	char response[80];
	struct iscsi_chap_keys keys = {.name = "target"};

	stage_open(&stage);
	CHECK(ask(&stage.chap, &stage.answer, "7"));
	digest(false, stage.chap.identifier, OURS, stage.chap.challenge, 32, hash);
	keys.response = in_hex(hash, 32, response);
	CHECK(!lf_iscsi_chap_answer(&stage.chap, &keys, &stage.answer));
	CHECK_EQ(stage.chap.failure, ISCSI_CHAP_WRONG_RESPONSE);
	stage_close(&stage);
}
