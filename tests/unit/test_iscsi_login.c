/* SPDX-License-Identifier: BSD-2-Clause */
/* test_iscsi_login.c: the login phase (RFC 7143 6.3, 13): stages, identity, every key, texts in pieces. */
#include <stdio.h>
#include <string.h>

#include "edge/iscsi/login.h"
#include "tests/test.h"

#define SECURITY       (ISCSI_STAGE_SECURITY << 2)
#define OPERATIONAL    (ISCSI_STAGE_OPERATIONAL << 2)
#define TO_OPERATIONAL (ISCSI_FINAL | ISCSI_STAGE_OPERATIONAL)
#define TO_FULL        (ISCSI_FINAL | ISCSI_STAGE_FULL_FEATURE)

#define WHO  "InitiatorName=iqn.2001-04.com.example:host\0"
#define WHAT "TargetName=iqn.2001-04.com.example:disk\0"

static const struct iscsi_login_terms terms = {
	.target_name = "iqn.2001-04.com.example:disk", .portal_group = 3};

static void request(uint8_t *bhs, unsigned flags)
{
	memset(bhs, 0, ISCSI_BHS_LENGTH);
	bhs[0] = ISCSI_LOGIN | ISCSI_IMMEDIATE;
	bhs[ISCSI_AT_FLAGS] = (uint8_t)flags;
	bhs[ISCSI_AT_ISID] = 0x80;
	lf_put_be32(bhs + ISCSI_AT_ITT, 0x1234);
	lf_put_be32(bhs + ISCSI_AT_CMD_SN, 77);
}

static enum iscsi_login_verdict send_text(
	struct iscsi_login *login, unsigned flags, const char *text, size_t length)
{
	uint8_t bhs[ISCSI_BHS_LENGTH];

	request(bhs, flags);
	return lf_iscsi_login_request(login, bhs, text, (uint32_t)length);
}

#define SEND(login, flags, text) send_text(login, flags, text, sizeof(text) - 1)

static bool answered(const struct iscsi_login *login, const char *key, const char *value)
{
	struct iscsi_pair pair;
	uint32_t at = 0;

	while (lf_iscsi_text_next(login->response_text, login->response_length, &at, &pair) ==
		ISCSI_TEXT_PAIR) {
		if (strcmp(pair.key, key) == 0)
			return value != NULL && strcmp(pair.value, value) == 0;
	}
	return value == NULL;
}

static unsigned response_flags(const struct iscsi_login *login)
{
	return login->response[ISCSI_AT_FLAGS];
}

TEST(iscsi_login_in_one_request)
{
	struct iscsi_login login;

	lf_iscsi_login_init(&login, &terms);
	CHECK_EQ(SEND(&login, OPERATIONAL | TO_FULL, WHO WHAT "SessionType=Normal\0"), ISCSI_LOGIN_FINISH);
	CHECK_EQ(response_flags(&login), OPERATIONAL | TO_FULL);
	CHECK_EQ(lf_get_be16(login.response + ISCSI_AT_LOGIN_STATUS), 0);
	CHECK_EQ(lf_get_be32(login.response + ISCSI_AT_ITT), 0x1234);
	CHECK_EQ(login.cmd_sn, 77);
	CHECK_STR(login.initiator, "iqn.2001-04.com.example:host");
	CHECK(answered(&login, "TargetPortalGroupTag", "3"));
	CHECK(answered(&login, "MaxRecvDataSegmentLength", "262144"));
	/* Nothing was offered: the defaults of 13 hold. */
	CHECK_EQ(login.negotiation.value[ISCSI_INITIAL_R2T], 1);
	CHECK_EQ(login.negotiation.value[ISCSI_IMMEDIATE_DATA], 1);
	CHECK_EQ(login.negotiation.value[ISCSI_MAX_SEND_LENGTH], 8192);
	CHECK_EQ(login.negotiation.value[ISCSI_MAX_BURST_LENGTH], 262144);
	CHECK_EQ(login.negotiation.value[ISCSI_FIRST_BURST_LENGTH], 65536);
	CHECK_EQ(login.negotiation.value[ISCSI_MAX_OUTSTANDING_R2T], 1);
	lf_iscsi_login_fini(&login);
}

/* A key is said once: Reject stands in the place of our own declaration. */
TEST(iscsi_login_answers_a_wrong_declaration_once)
{
	struct iscsi_login login;
	struct iscsi_pair pair;
	uint32_t at = 0, count = 0;

	lf_iscsi_login_init(&login, &terms);
	CHECK_EQ(SEND(&login, OPERATIONAL | TO_FULL, WHO WHAT "MaxRecvDataSegmentLength=100\0"),
		ISCSI_LOGIN_FINISH);
	CHECK(answered(&login, "MaxRecvDataSegmentLength", "Reject"));
	CHECK_EQ(login.negotiation.value[ISCSI_MAX_SEND_LENGTH], 8192);
	while (lf_iscsi_text_next(login.response_text, login.response_length, &at, &pair) == ISCSI_TEXT_PAIR)
		count += strcmp(pair.key, "MaxRecvDataSegmentLength") == 0;
	CHECK_EQ(count, 1);
	lf_iscsi_login_fini(&login);
}

TEST(iscsi_login_by_both_stages)
{
	struct iscsi_login login;

	lf_iscsi_login_init(&login, &terms);
	CHECK_EQ(SEND(&login, SECURITY | TO_OPERATIONAL, WHO WHAT "AuthMethod=CHAP,None\0"),
		ISCSI_LOGIN_ANSWER);
	CHECK_EQ(response_flags(&login), SECURITY | TO_OPERATIONAL);
	CHECK(answered(&login, "AuthMethod", "None"));
	CHECK(answered(&login, "TargetPortalGroupTag", "3"));
	CHECK(answered(&login, "MaxRecvDataSegmentLength", NULL));
	CHECK_EQ(SEND(&login, OPERATIONAL, "MaxBurstLength=65536\0"), ISCSI_LOGIN_ANSWER);
	CHECK_EQ(response_flags(&login), OPERATIONAL);
	CHECK(answered(&login, "MaxBurstLength", "65536"));
	CHECK_EQ(SEND(&login, OPERATIONAL | TO_FULL, ""), ISCSI_LOGIN_FINISH);
	CHECK_EQ(login.response_length, 0);
	lf_iscsi_login_fini(&login);
}

TEST(iscsi_login_from_security_straight_to_full_feature)
{
	struct iscsi_login login;

	lf_iscsi_login_init(&login, &terms);
	CHECK_EQ(SEND(&login, SECURITY | TO_FULL, WHO WHAT), ISCSI_LOGIN_FINISH);
	lf_iscsi_login_fini(&login);
}

/* One wrong request, and the status that answers it. */
static void refused(unsigned line, unsigned flags, const char *text, size_t length, unsigned status)
{
	struct iscsi_login login;
	char what[32];

	snprintf(what, sizeof(what), "line %u", line);
	lf_iscsi_login_init(&login, &terms);
	if (send_text(&login, flags, text, length) != ISCSI_LOGIN_REFUSE ||
		lf_get_be16(login.response + ISCSI_AT_LOGIN_STATUS) != status)
		lf_test_fail(__FILE__, (int)line, "%s: status %04x, expected %04x", what,
			lf_get_be16(login.response + ISCSI_AT_LOGIN_STATUS), status);
	lf_iscsi_login_fini(&login);
}

#define REFUSED(flags, text, status) refused(__LINE__, flags, text, sizeof(text) - 1, status)

TEST(iscsi_login_refusals)
{
	REFUSED(OPERATIONAL | TO_FULL, WHAT, 0x0207);
	REFUSED(OPERATIONAL | TO_FULL, WHO, 0x0207);
	REFUSED(OPERATIONAL | TO_FULL, "", 0x0207);
	REFUSED(OPERATIONAL | TO_FULL, WHO "TargetName=iqn.2001-04.com.example:other\0", 0x0203);
	REFUSED(OPERATIONAL | TO_FULL, WHO WHAT "SessionType=Odd\0", 0x0209);
	REFUSED(OPERATIONAL | TO_FULL, "InitiatorName=\0" WHAT, 0x0200);
	REFUSED(OPERATIONAL | TO_FULL, "InitiatorName=somebody\0" WHAT, 0x0200);
	REFUSED(OPERATIONAL | TO_FULL, WHO WHO WHAT, 0x0200);
	REFUSED(OPERATIONAL | TO_FULL, WHO WHAT "MaxBurstLength=512\0MaxBurstLength=512\0", 0x0200);
	REFUSED(OPERATIONAL | TO_FULL, WHO WHAT "NoPair\0", 0x0200);
	REFUSED(OPERATIONAL | TO_FULL, WHO WHAT "Cut=off", 0x0200);
	REFUSED(SECURITY | TO_FULL, WHO WHAT "AuthMethod=CHAP,SRP\0", 0x0201);
	REFUSED(SECURITY | TO_FULL, WHO WHAT "AuthMethod=None\0AuthMethod=None\0", 0x0200);
	/* Stages: none of them leads there, backwards, and from where nobody starts. */
	REFUSED(OPERATIONAL | ISCSI_FINAL | 2, WHO WHAT, 0x0200);
	REFUSED(OPERATIONAL | TO_OPERATIONAL, WHO WHAT, 0x0200);
	REFUSED(OPERATIONAL | ISCSI_FINAL | ISCSI_STAGE_SECURITY, WHO WHAT, 0x0200);
	REFUSED(2 << 2 | TO_FULL, WHO WHAT, 0x0200);
	REFUSED(3 << 2 | TO_FULL, WHO WHAT, 0x0200);
	REFUSED(OPERATIONAL | TO_FULL | ISCSI_CONTINUE, WHO WHAT, 0x0200);
}

TEST(iscsi_login_version)
{
	struct iscsi_login login;
	uint8_t bhs[ISCSI_BHS_LENGTH];

	lf_iscsi_login_init(&login, &terms);
	request(bhs, OPERATIONAL | TO_FULL);
	bhs[2] = 5;
	bhs[3] = 1;
	CHECK_EQ(lf_iscsi_login_request(&login, bhs, WHO WHAT, sizeof(WHO WHAT) - 1), ISCSI_LOGIN_REFUSE);
	CHECK_EQ(login.refusal, ISCSI_LOGIN_BAD_VERSION);
	lf_iscsi_login_fini(&login);
}

TEST(iscsi_login_stays_who_it_was)
{
	struct iscsi_login login;
	uint8_t bhs[ISCSI_BHS_LENGTH];

	/* Another ISID, another CID, another stage than the one agreed on, identity once more. */
	for (int wrong = 0; wrong < 4; wrong++) {
		static const char again[] = WHAT;
		bool name = wrong == 3;

		lf_iscsi_login_init(&login, &terms);
		CHECK_EQ(SEND(&login, OPERATIONAL, WHO WHAT), ISCSI_LOGIN_ANSWER);
		request(bhs, wrong == 2 ? SECURITY | TO_FULL : OPERATIONAL | TO_FULL);
		if (wrong == 0)
			bhs[ISCSI_AT_ISID + 5] = 1;
		else if (wrong == 1)
			lf_put_be16(bhs + ISCSI_AT_CID, 9);
		CHECK_EQ(lf_iscsi_login_request(&login, bhs, again, name ? sizeof(again) - 1 : 0),
			ISCSI_LOGIN_REFUSE);
		CHECK_EQ(login.refusal, ISCSI_LOGIN_INITIATOR_ERROR);
		lf_iscsi_login_fini(&login);
	}
}

TEST(iscsi_login_endless)
{
	struct iscsi_login login;

	lf_iscsi_login_init(&login, &terms);
	CHECK_EQ(SEND(&login, OPERATIONAL, WHO WHAT), ISCSI_LOGIN_ANSWER);
	for (int i = 1; i < ISCSI_LOGIN_REQUESTS_MAX; i++)
		CHECK_EQ(SEND(&login, OPERATIONAL, ""), ISCSI_LOGIN_ANSWER);
	CHECK_EQ(SEND(&login, OPERATIONAL, ""), ISCSI_LOGIN_REFUSE);
	lf_iscsi_login_fini(&login);
}

TEST(iscsi_login_text_over_several_requests)
{
	static const char text[] = WHO WHAT "MaxRecvDataSegmentLength=4096\0";
	struct iscsi_login login;

	/* Byte for byte, so that every key and value is cut everywhere. */
	lf_iscsi_login_init(&login, &terms);
	for (size_t i = 0; i + 1 < sizeof(text) - 1; i++) {
		CHECK_EQ(send_text(&login, OPERATIONAL | ISCSI_CONTINUE, text + i, 1), ISCSI_LOGIN_ANSWER);
		CHECK_EQ(response_flags(&login), OPERATIONAL);
		CHECK_EQ(login.response_length, 0);
	}
	CHECK_EQ(send_text(&login, OPERATIONAL | TO_FULL, "", 1), ISCSI_LOGIN_FINISH);
	CHECK_EQ(login.negotiation.value[ISCSI_MAX_SEND_LENGTH], 4096);
	CHECK(login.has_initiator && login.target_known);
	lf_iscsi_login_fini(&login);
}

TEST(iscsi_login_text_too_long)
{
	static char filler[ISCSI_LOGIN_TEXT_MAX];
	struct iscsi_login login;
	uint32_t sent = 0;

	memset(filler, 'x', sizeof(filler));
	lf_iscsi_login_init(&login, &terms);
	for (; sent < ISCSI_TEXT_MAX; sent += sizeof(filler))
		CHECK_EQ(send_text(&login, OPERATIONAL | ISCSI_CONTINUE, filler, sizeof(filler)),
			ISCSI_LOGIN_ANSWER);
	CHECK_EQ(send_text(&login, OPERATIONAL | ISCSI_CONTINUE, filler, 1), ISCSI_LOGIN_REFUSE);
	lf_iscsi_login_fini(&login);
}

TEST(iscsi_login_too_many_keys)
{
	static char text[ISCSI_LOGIN_TEXT_MAX];
	struct iscsi_login login;
	size_t length = sizeof(WHO WHAT) - 1;

	memcpy(text, WHO WHAT, length);
	for (int i = 0; i < ISCSI_KEYS_MAX; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "X-key%d=1", i) + 1;
	lf_iscsi_login_init(&login, &terms);
	CHECK_EQ(send_text(&login, OPERATIONAL | TO_FULL, text, length), ISCSI_LOGIN_REFUSE);
	lf_iscsi_login_fini(&login);
}

/* An answer longer than a login PDU may be goes out in pieces, and only the last one ends the stage: 6.2. */
TEST(iscsi_login_long_answer)
{
	static char text[2 * ISCSI_LOGIN_TEXT_MAX];
	struct iscsi_login login;
	size_t length = sizeof(WHO WHAT) - 1;
	uint32_t got = 0;

	memcpy(text, WHO WHAT, length);
	for (int i = 0; i < 200; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "X-%048d=1", i) + 1;
	CHECK(length > ISCSI_LOGIN_TEXT_MAX);
	lf_iscsi_login_init(&login, &terms);
	CHECK_EQ(send_text(&login, OPERATIONAL | ISCSI_CONTINUE, text, ISCSI_LOGIN_TEXT_MAX),
		ISCSI_LOGIN_ANSWER);
	CHECK_EQ(send_text(&login, OPERATIONAL | TO_FULL, text + ISCSI_LOGIN_TEXT_MAX,
			 length - ISCSI_LOGIN_TEXT_MAX),
		ISCSI_LOGIN_ANSWER);
	while (response_flags(&login) == (OPERATIONAL | ISCSI_CONTINUE)) {
		CHECK_EQ(login.response_length, ISCSI_LOGIN_TEXT_MAX);
		got += login.response_length;
		SEND(&login, OPERATIONAL | TO_FULL, "");
	}
	got += login.response_length;
	CHECK_EQ(response_flags(&login), OPERATIONAL | TO_FULL);
	CHECK(got > 200 * sizeof("X-=NotUnderstood"));
	lf_iscsi_login_fini(&login);

	/* Not empty in between: refused. */
	lf_iscsi_login_init(&login, &terms);
	send_text(&login, OPERATIONAL | ISCSI_CONTINUE, text, ISCSI_LOGIN_TEXT_MAX);
	send_text(&login, OPERATIONAL, text + ISCSI_LOGIN_TEXT_MAX, length - ISCSI_LOGIN_TEXT_MAX);
	CHECK_EQ(SEND(&login, OPERATIONAL, "X-more=1\0"), ISCSI_LOGIN_REFUSE);
	lf_iscsi_login_fini(&login);
}

/* ---- Keys ---- */

/* The answer to one key in a normal login; parameter is what was settled. */
static void key_answer(unsigned line, const char *key, const char *offer, const char *answer, int parameter,
	uint32_t settled)
{
	char text[512];
	int length =
		snprintf(text, sizeof(text), "%s%c%s%c%s=%s", "InitiatorName=iqn.2001-04.com.example:host", 0,
			"TargetName=iqn.2001-04.com.example:disk", 0, key, offer) +
		1;
	struct iscsi_login login;

	lf_iscsi_login_init(&login, &terms);
	if (send_text(&login, OPERATIONAL | TO_FULL, text, (size_t)length) != ISCSI_LOGIN_FINISH)
		lf_test_fail(
			__FILE__, (int)line, "%s=%s: login refused with %04x", key, offer, login.refusal);
	else if (!answered(&login, key, answer))
		lf_test_fail(__FILE__, (int)line, "%s=%s: not answered with %s", key, offer,
			answer ? answer : "nothing");
	else if (parameter >= 0 && login.negotiation.value[parameter] != settled)
		lf_test_fail(__FILE__, (int)line, "%s=%s: settled at %u", key, offer,
			login.negotiation.value[parameter]);
	lf_iscsi_login_fini(&login);
}

#define KEY(key, offer, answer, parameter, settled)                                                          \
	key_answer(__LINE__, key, offer, answer, parameter, settled)

TEST(iscsi_login_keys)
{
	KEY("HeaderDigest", "CRC32C,None", "CRC32C", ISCSI_HEADER_DIGEST, 1);
	KEY("HeaderDigest", "None,CRC32C", "None", ISCSI_HEADER_DIGEST, 0);
	KEY("HeaderDigest", "X-sum,CRC32C", "CRC32C", ISCSI_HEADER_DIGEST, 1);
	KEY("DataDigest", "None", "None", ISCSI_DATA_DIGEST, 0);
	KEY("DataDigest", "CRC32C", "CRC32C", ISCSI_DATA_DIGEST, 1);
	KEY("DataDigest", "CRC32", "Reject", ISCSI_DATA_DIGEST, 0);
	KEY("DataDigest", "CRC32C2", "Reject", ISCSI_DATA_DIGEST, 0);
	KEY("MaxConnections", "8", "1", ISCSI_MAX_CONNECTIONS, 1);
	KEY("MaxConnections", "0", "Reject", ISCSI_MAX_CONNECTIONS, 1);
	KEY("InitialR2T", "No", "No", ISCSI_INITIAL_R2T, 0);
	KEY("InitialR2T", "Yes", "Yes", ISCSI_INITIAL_R2T, 1);
	KEY("InitialR2T", "yes", "Reject", ISCSI_INITIAL_R2T, 1);
	KEY("ImmediateData", "Yes", "Yes", ISCSI_IMMEDIATE_DATA, 1);
	KEY("ImmediateData", "No", "No", ISCSI_IMMEDIATE_DATA, 0);
	KEY("MaxBurstLength", "16776192", "1048576", ISCSI_MAX_BURST_LENGTH, 1048576);
	KEY("MaxBurstLength", "0x1000", "4096", ISCSI_MAX_BURST_LENGTH, 4096);
	KEY("MaxBurstLength", "511", "Reject", ISCSI_MAX_BURST_LENGTH, 262144);
	KEY("MaxBurstLength", "16777216", "Reject", ISCSI_MAX_BURST_LENGTH, 262144);
	KEY("FirstBurstLength", "262144", "65536", ISCSI_FIRST_BURST_LENGTH, 65536);
	KEY("FirstBurstLength", "512", "512", ISCSI_FIRST_BURST_LENGTH, 512);
	KEY("DefaultTime2Wait", "5", "5", ISCSI_TIME_TO_WAIT, 5);
	KEY("DefaultTime2Wait", "3601", "Reject", ISCSI_TIME_TO_WAIT, 2);
	KEY("DefaultTime2Retain", "20", "0", ISCSI_TIME_TO_RETAIN, 0);
	KEY("MaxOutstandingR2T", "16", "4", ISCSI_MAX_OUTSTANDING_R2T, 4);
	KEY("MaxOutstandingR2T", "2", "2", ISCSI_MAX_OUTSTANDING_R2T, 2);
	KEY("DataPDUInOrder", "No", "Yes", ISCSI_DATA_PDU_IN_ORDER, 1);
	KEY("DataSequenceInOrder", "No", "Yes", ISCSI_DATA_SEQUENCE_IN_ORDER, 1);
	KEY("ErrorRecoveryLevel", "2", "0", ISCSI_ERROR_RECOVERY_LEVEL, 0);
	KEY("ErrorRecoveryLevel", "3", "Reject", ISCSI_ERROR_RECOVERY_LEVEL, 0);
	KEY("IFMarker", "No", "No", -1, 0);
	KEY("OFMarker", "Yes", "Reject", -1, 0);
	KEY("OFMarkInt", "2048~8192", "Reject", -1, 0);
	KEY("TaskReporting", "FastAbort,RFC3720", "RFC3720", -1, 0);
	KEY("TaskReporting", "FastAbort", "Reject", -1, 0);
	KEY("iSCSIProtocolLevel", "2", "1", ISCSI_PROTOCOL_LEVEL, 1);
	KEY("InitiatorAlias", "somebody", NULL, -1, 0);
	KEY("SendTargets", "All", "Reject", -1, 0);
	KEY("AuthMethod", "None", "Reject", -1, 0);
	KEY("TargetAddress", "1.2.3.4", "Reject", -1, 0);
	KEY("X-com.example.thing", "1", "NotUnderstood", -1, 0);
	KEY("Unheard", "Reject", NULL, -1, 0);
	KEY("MaxRecvDataSegmentLength", "65536", "262144", ISCSI_MAX_SEND_LENGTH, 65536);
}

TEST(iscsi_login_first_burst_within_max_burst)
{
	struct iscsi_login login;

	lf_iscsi_login_init(&login, &terms);
	CHECK_EQ(
		SEND(&login, OPERATIONAL | TO_FULL, WHO WHAT "FirstBurstLength=65536\0MaxBurstLength=8192\0"),
		ISCSI_LOGIN_FINISH);
	CHECK(answered(&login, "FirstBurstLength", "8192"));
	CHECK(answered(&login, "MaxBurstLength", "8192"));
	lf_iscsi_login_fini(&login);
}

TEST(iscsi_login_discovery)
{
	struct iscsi_login login;

	lf_iscsi_login_init(&login, &terms);
	CHECK_EQ(SEND(&login, OPERATIONAL | TO_FULL,
			 "MaxBurstLength=8192\0" WHO "SessionType=Discovery\0ErrorRecoveryLevel=1\0"),
		ISCSI_LOGIN_FINISH);
	CHECK(login.negotiation.discovery);
	CHECK(answered(&login, "MaxBurstLength", "Irrelevant"));
	CHECK(answered(&login, "ErrorRecoveryLevel", "0"));
	CHECK(answered(&login, "TargetPortalGroupTag", NULL));
	lf_iscsi_login_fini(&login);
}
