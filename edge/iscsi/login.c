/* SPDX-License-Identifier: BSD-2-Clause */
/* login.c: the login phase (RFC 7143 6.3): stages, who logs in to what, texts over several PDUs. */
#include "edge/iscsi/login.h"

/* Keys that say who and what (6.3): in the first request, once. */
enum identity_key { KEY_INITIATOR_NAME = 1, KEY_TARGET_NAME = 2, KEY_SESSION_TYPE = 4, KEY_AUTH_METHOD = 8 };

void lf_iscsi_login_init(struct iscsi_login *login, const struct iscsi_login_terms *terms)
{
	*login = (struct iscsi_login){.terms = terms};
	lf_iscsi_chap_init(&login->chap, terms->authority);
	lf_iscsi_negotiation_init(&login->negotiation);
	lf_iscsi_text_init(&login->in, ISCSI_TEXT_MAX);
	lf_iscsi_text_init(&login->out, ISCSI_TEXT_MAX);
}

void lf_iscsi_login_fini(struct iscsi_login *login)
{
	lf_iscsi_chap_fini(&login->chap);
	lf_iscsi_text_fini(&login->in);
	lf_iscsi_text_fini(&login->out);
}

static void answer_init(struct iscsi_login *login, const uint8_t *bhs)
{
	uint8_t *response = login->response;

	memset(response, 0, ISCSI_BHS_LENGTH);
	response[0] = ISCSI_LOGIN_RESPONSE;
	response[2] = ISCSI_VERSION; /* version-max */
	response[3] = ISCSI_VERSION; /* version-active */
	memcpy(response + ISCSI_AT_ISID, bhs + ISCSI_AT_ISID, 6);
	memcpy(response + ISCSI_AT_TSIH, bhs + ISCSI_AT_TSIH, 2);
	memcpy(response + ISCSI_AT_ITT, bhs + ISCSI_AT_ITT, 4);
	login->response_text = "";
	login->response_length = 0;
}

enum iscsi_login_verdict lf_iscsi_login_refuse(
	struct iscsi_login *login, const uint8_t *bhs, enum iscsi_login_status status)
{
	answer_init(login, bhs);
	lf_put_be16(login->response + ISCSI_AT_LOGIN_STATUS, status);
	login->refusal = status;
	return ISCSI_LOGIN_REFUSE;
}

/* What every request must say and what must stay the same from one to the next: 11.12. */
static enum iscsi_login_status check_header(struct iscsi_login *login, const uint8_t *bhs)
{
	uint8_t flags = bhs[ISCSI_AT_FLAGS];
	uint32_t stage = flags >> 2 & 3, next = flags & 3;
	bool transit = (flags & ISCSI_FINAL) != 0;

	if (bhs[3] > ISCSI_VERSION)
		return ISCSI_LOGIN_BAD_VERSION;
	if (++login->requests > ISCSI_LOGIN_REQUESTS_MAX)
		return ISCSI_LOGIN_INITIATOR_ERROR;
	if (!login->started) {
		if (stage != ISCSI_STAGE_SECURITY && stage != ISCSI_STAGE_OPERATIONAL)
			return ISCSI_LOGIN_INITIATOR_ERROR;
		login->started = true;
		login->stage = stage;
		memcpy(login->isid, bhs + ISCSI_AT_ISID, sizeof(login->isid));
		login->tsih = lf_get_be16(bhs + ISCSI_AT_TSIH);
		login->cid = lf_get_be16(bhs + ISCSI_AT_CID);
		login->cmd_sn = lf_get_be32(bhs + ISCSI_AT_CMD_SN);
	}
	if (memcmp(login->isid, bhs + ISCSI_AT_ISID, sizeof(login->isid)) != 0 ||
		lf_get_be16(bhs + ISCSI_AT_TSIH) != login->tsih ||
		lf_get_be16(bhs + ISCSI_AT_CID) != login->cid)
		return ISCSI_LOGIN_INITIATOR_ERROR;
	if (stage != login->stage)
		return ISCSI_LOGIN_INITIATOR_ERROR;
	if (transit && ((flags & ISCSI_CONTINUE) != 0 || next <= stage || next == 2))
		return ISCSI_LOGIN_INITIATOR_ERROR;
	return ISCSI_LOGIN_SUCCESS;
}

/* A key that says who or what. Returns its bit, or 0 when the pair is none of them. */
static uint32_t identity_pair(
	struct iscsi_login *login, const struct iscsi_pair *pair, enum iscsi_login_status *status)
{
	if (lf_iscsi_text_equal(pair->key, "InitiatorName")) {
		if (!lf_iscsi_name_valid(pair->value))
			*status = ISCSI_LOGIN_INITIATOR_ERROR;
		else
			memcpy(login->initiator, pair->value, strlen(pair->value) + 1);
		login->has_initiator = true;
		return KEY_INITIATOR_NAME;
	}
	if (lf_iscsi_text_equal(pair->key, "TargetName")) {
		login->has_target = true;
		login->target_known = lf_iscsi_name_equal(pair->value, login->terms->target_name);
		return KEY_TARGET_NAME;
	}
	if (lf_iscsi_text_equal(pair->key, "SessionType")) {
		login->negotiation.discovery = lf_iscsi_text_equal(pair->value, "Discovery");
		if (!login->negotiation.discovery && !lf_iscsi_text_equal(pair->value, "Normal"))
			*status = ISCSI_LOGIN_BAD_SESSION_TYPE;
		return KEY_SESSION_TYPE;
	}
	return 0;
}

/* The method of the security stage (RFC 7143 12): CHAP where there are secrets, None where there are none. */
static bool choose_method(struct iscsi_login *login, const char *methods)
{
	if (login->terms->authority != NULL)
		return lf_iscsi_chap_choose(&login->chap, methods, &login->out);
	if (!lf_iscsi_text_list_has(methods, "None"))
		return false;
	lf_iscsi_text_put(&login->out, "AuthMethod", "None");
	return true;
}

/* A key of the security stage; false when it is none. */
static bool security_pair(struct iscsi_login *login, const struct iscsi_pair *pair,
	struct iscsi_chap_keys *keys, enum iscsi_login_status *status)
{
	bool twice = false;

	if (login->stage != ISCSI_STAGE_SECURITY)
		return false;
	if (lf_iscsi_text_equal(pair->key, "AuthMethod")) {
		twice = (login->identity_seen & KEY_AUTH_METHOD) != 0;
		login->identity_seen |= KEY_AUTH_METHOD;
		if (!twice && !choose_method(login, pair->value))
			*status = ISCSI_LOGIN_NOT_AUTHENTICATED;
	} else if (login->terms->authority == NULL || !lf_iscsi_chap_key(keys, pair, &twice)) {
		return false;
	}
	if (twice)
		*status = ISCSI_LOGIN_INITIATOR_ERROR;
	return true;
}

/* The two passes over an exchange: who and what come first, as the other answers depend on them. */
static enum iscsi_login_status read_identity(struct iscsi_login *login)
{
	enum iscsi_login_status status = ISCSI_LOGIN_SUCCESS;
	enum iscsi_text_result result;
	struct iscsi_pair pair;
	uint32_t at = 0, count = 0;

	while ((result = lf_iscsi_text_next(login->in.bytes, login->in.length, &at, &pair)) ==
		ISCSI_TEXT_PAIR) {
		uint32_t key = identity_pair(login, &pair, &status);

		if (++count > ISCSI_KEYS_MAX ||
			(key != 0 && (login->identified || (login->identity_seen & key) != 0)))
			return ISCSI_LOGIN_INITIATOR_ERROR;
		login->identity_seen |= key;
		lf_iscsi_negotiate_ahead(&login->negotiation, &pair);
	}
	if (result == ISCSI_TEXT_BAD)
		return ISCSI_LOGIN_INITIATOR_ERROR;
	return status;
}

/* 6.3: what must be known after the first exchange. */
static enum iscsi_login_status check_identity(struct iscsi_login *login)
{
	if (login->identified)
		return ISCSI_LOGIN_SUCCESS;
	login->identified = true;
	if (!login->has_initiator)
		return ISCSI_LOGIN_MISSING_PARAMETER;
	if (login->negotiation.discovery)
		return ISCSI_LOGIN_SUCCESS;
	if (!login->has_target)
		return ISCSI_LOGIN_MISSING_PARAMETER;
	if (!login->target_known)
		return ISCSI_LOGIN_NOT_FOUND;
	lf_iscsi_text_put_number(&login->out, "TargetPortalGroupTag", login->terms->portal_group);
	return ISCSI_LOGIN_SUCCESS;
}

static enum iscsi_login_status answer_pairs(struct iscsi_login *login)
{
	enum iscsi_login_status status = ISCSI_LOGIN_SUCCESS, ignored = ISCSI_LOGIN_SUCCESS;
	struct iscsi_chap_keys keys = {0};
	struct iscsi_pair pair;
	uint32_t at = 0;

	while (status == ISCSI_LOGIN_SUCCESS &&
		lf_iscsi_text_next(login->in.bytes, login->in.length, &at, &pair) == ISCSI_TEXT_PAIR) {
		if (identity_pair(login, &pair, &ignored) != 0 || security_pair(login, &pair, &keys, &status))
			continue;
		if (!lf_iscsi_negotiate(&login->negotiation, &pair, &login->out))
			return ISCSI_LOGIN_INITIATOR_ERROR;
	}
	if (status == ISCSI_LOGIN_SUCCESS && !lf_iscsi_chap_answer(&login->chap, &keys, &login->out))
		status = ISCSI_LOGIN_NOT_AUTHENTICATED;
	if (login->stage == ISCSI_STAGE_OPERATIONAL && !login->declared) {
		login->declared = true;
		if (!login->negotiation.refused)
			lf_iscsi_text_put_number(
				&login->out, "MaxRecvDataSegmentLength", ISCSI_RECEIVE_DATA_MAX);
	}
	return status;
}

/* Who has to prove who he is does so in the security stage, which he must not leave, or leave out: 6.3.2 */
static enum iscsi_login_status check_way_out(struct iscsi_login *login, bool leaves)
{
	struct iscsi_chap *chap = &login->chap;

	if (!iscsi_chap_required(chap) ||
		(login->stage == ISCSI_STAGE_SECURITY && !(leaves && chap->state == ISCSI_CHAP_IDLE)))
		return ISCSI_LOGIN_SUCCESS;
	chap->failure = ISCSI_CHAP_NOT_OFFERED;
	return ISCSI_LOGIN_NOT_AUTHENTICATED;
}

/* An initiator whose own name is among the CHAP names is nobody else's to be. */
static bool may_come_as(const struct iscsi_login *login)
{
	const struct lf_iscsi_secrets *secrets = login->terms->authority->secrets;

	for (uint32_t i = 0; i < secrets->count; i++) {
		if (lf_iscsi_name_equal(secrets->users[i].name, login->initiator))
			return lf_iscsi_name_equal(login->chap.user, login->initiator);
	}
	return true;
}

/* The exchange is complete: all its keys are in login->in. */
static enum iscsi_login_status answer_exchange(struct iscsi_login *login, bool leaves)
{
	enum iscsi_login_status status;

	lf_iscsi_text_clear(&login->out);
	status = read_identity(login);
	if (status == ISCSI_LOGIN_SUCCESS)
		status = check_identity(login);
	if (status == ISCSI_LOGIN_SUCCESS)
		status = answer_pairs(login);
	if (status == ISCSI_LOGIN_SUCCESS)
		status = check_way_out(login, leaves);
	if (status == ISCSI_LOGIN_SUCCESS && login->chap.state == ISCSI_CHAP_PROVEN && !may_come_as(login))
		status = ISCSI_LOGIN_NOT_AUTHORIZED;
	lf_iscsi_text_clear(&login->in);
	/* Our answer to an endless row of unknown keys: the limit is the initiator's error. */
	if (status == ISCSI_LOGIN_SUCCESS && login->out.overflowed)
		status = ISCSI_LOGIN_INITIATOR_ERROR;
	return status;
}

/* The answer's text, in pieces of what an initiator takes before it declared anything. */
static bool take_piece(struct iscsi_login *login)
{
	uint32_t left = login->out.length - login->out.sent;

	login->response_length = lf_min(left, ISCSI_LOGIN_TEXT_MAX);
	login->response_text = left > 0 ? login->out.bytes + login->out.sent : "";
	login->out.sent += login->response_length;
	return login->out.sent == login->out.length;
}

enum iscsi_login_verdict lf_iscsi_login_request(
	struct iscsi_login *login, const uint8_t *bhs, const char *data, uint32_t length)
{
	enum iscsi_login_status status = check_header(login, bhs);
	uint8_t flags = bhs[ISCSI_AT_FLAGS];
	bool pending = login->out.sent < login->out.length;
	uint8_t *response = login->response;

	if (status != ISCSI_LOGIN_SUCCESS)
		return lf_iscsi_login_refuse(login, bhs, status);
	/* While our own answer goes out in pieces, requests between them are empty: 6.2. */
	if ((pending && length > 0) || !lf_iscsi_text_append(&login->in, data, length))
		return lf_iscsi_login_refuse(login, bhs, ISCSI_LOGIN_INITIATOR_ERROR);
	answer_init(login, bhs);
	response[ISCSI_AT_FLAGS] = (uint8_t)(login->stage << 2);
	if ((flags & ISCSI_CONTINUE) != 0)
		return ISCSI_LOGIN_ANSWER;
	if (!pending)
		status = answer_exchange(login, (flags & ISCSI_FINAL) != 0);
	if (status != ISCSI_LOGIN_SUCCESS)
		return lf_iscsi_login_refuse(login, bhs, status);
	if (!take_piece(login)) {
		response[ISCSI_AT_FLAGS] |= ISCSI_CONTINUE;
	} else if ((flags & ISCSI_FINAL) != 0 && !iscsi_chap_required(&login->chap)) {
		response[ISCSI_AT_FLAGS] |= (uint8_t)(ISCSI_FINAL | (flags & 3));
		login->stage = flags & 3;
	}
	lf_put_be24(response + ISCSI_AT_DATA_LENGTH, login->response_length);
	return login->stage == ISCSI_STAGE_FULL_FEATURE ? ISCSI_LOGIN_FINISH : ISCSI_LOGIN_ANSWER;
}
