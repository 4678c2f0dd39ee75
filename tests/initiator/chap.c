/* SPDX-License-Identifier: BSD-2-Clause */
/* chap.c: the initiator's side of CHAP (RFC 7143 12.1.3), and the digests. */
#include <isa-l/crc.h>
#include <nettle/md5.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "tests/initiator/initiator.h"

#define HASH_MAX SHA256_DIGEST_SIZE

void lf_digest(const void *data, uint32_t length, uint8_t *digest)
{
	uint32_t crc = ~crc32_iscsi((unsigned char *)(uintptr_t)data, (int)length, 0xffffffff);
	for (int i = 0; i < 4; i++)
		digest[i] = (uint8_t)(crc >> 8 * i);
}

static void to_hex(const uint8_t *bytes, size_t length, char *text)
{
	strcpy(text, "0x");
	for (size_t i = 0; i < length; i++)
		sprintf(text + 2 + 2 * i, "%02x", bytes[i]);
}

static size_t from_hex(const char *text, uint8_t *bytes, size_t room)
{
	unsigned byte;
	size_t length = 0;
	if (strncmp(text, "0x", 2) != 0)
		return 0;
	for (text += 2; length < room && sscanf(text, "%2x", &byte) == 1; text += 2)
		bytes[length++] = (uint8_t)byte;
	return *text ? 0 : length;
}

/* The response in hexadecimal; pair is NAME:SECRET. */
static void respond(const char *algorithm, uint8_t identifier, const char *pair, const uint8_t *challenge,
	size_t length, char *text)
{
	const uint8_t *secret = (const uint8_t *)strrchr(pair, ':') + 1;
	size_t secret_length = strlen((const char *)secret);
	struct sha256_ctx sha256;
	struct md5_ctx md5;
	uint8_t hash[HASH_MAX];
	if (!strcmp(algorithm, "5")) {
		md5_init(&md5);
		md5_update(&md5, 1, &identifier);
		md5_update(&md5, secret_length, secret);
		md5_update(&md5, length, challenge);
		md5_digest(&md5, MD5_DIGEST_SIZE, hash);
		to_hex(hash, MD5_DIGEST_SIZE, text);
	} else {
		sha256_init(&sha256);
		sha256_update(&sha256, 1, &identifier);
		sha256_update(&sha256, secret_length, secret);
		sha256_update(&sha256, length, challenge);
		sha256_digest(&sha256, SHA256_DIGEST_SIZE, hash);
		to_hex(hash, SHA256_DIGEST_SIZE, text);
	}
}

/* Our answer, and our own question when the target has to prove itself. */
static bool prove(struct lf_initiator *session, const struct lf_login *login, struct lf_login_text *text,
	const uint8_t *question, size_t question_length)
{
	const struct lf_chap *chap = &session->chap;
	char name[256], value[2 * HASH_MAX + 3];
	uint8_t challenge[HASH_MAX];
	size_t length = from_hex(chap->challenge, challenge, sizeof(challenge));
	bool moved;
	if (length == 0 || (strcmp(chap->algorithm, "5") != 0 && strcmp(chap->algorithm, "7") != 0))
		return lf_initiator_fail(
			session, "login: no challenge that we know: CHAP_A=%s", chap->algorithm);
	snprintf(name, sizeof(name), "%.*s", (int)(strrchr(login->chap, ':') - login->chap), login->chap);
	respond(chap->algorithm, (uint8_t)atoi(chap->identifier), login->chap, challenge, length, value);
	lf_login_add(text, "CHAP_N", name);
	lf_login_add(text, "CHAP_R", value);
	if (login->chap_target) {
		to_hex(question, question_length, value);
		lf_login_add(text, "CHAP_I", "42");
		lf_login_add(text, "CHAP_C", value);
	}
	return lf_login_exchange(session, login, text, 0x81, &moved) &&
	       (moved || lf_initiator_fail(session, "login: the target does not leave the security stage"));
}

static bool check_target(
	struct lf_initiator *session, const struct lf_login *login, const uint8_t *question, size_t length)
{
	size_t name_length = (size_t)(strrchr(login->chap_target, ':') - login->chap_target);
	char right[2 * HASH_MAX + 3];
	respond(session->chap.algorithm, 42, login->chap_target, question, length, right);
	return (strlen(session->chap.name) == name_length &&
		       !memcmp(session->chap.name, login->chap_target, name_length) &&
		       !strcmp(session->chap.response, right)) ||
	       lf_initiator_fail(session, "login: the target, %s, has not proven itself", session->chap.name);
}

bool lf_login_chap(struct lf_initiator *session, const struct lf_login *login, struct lf_login_text *text)
{
	uint8_t question[24];
	bool moved;
	if (!strchr(login->chap, ':') || (login->chap_target && !strchr(login->chap_target, ':')))
		return lf_initiator_fail(session, "login: no NAME:SECRET");
	if (getrandom(question, sizeof(question), 0) != sizeof(question))
		return lf_initiator_fail(session, "login: no random numbers");
	lf_login_add(text, "AuthMethod", "CHAP");
	if (!lf_login_exchange(session, login, text, 0x00, &moved))
		return false;
	lf_login_add(text, "CHAP_A", "7,5");
	return lf_login_exchange(session, login, text, 0x00, &moved) &&
	       prove(session, login, text, question, sizeof(question)) &&
	       (!login->chap_target || check_target(session, login, question, sizeof(question)));
}
