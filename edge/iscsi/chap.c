/* SPDX-License-Identifier: BSD-2-Clause */
/* chap.c: the target's side of CHAP: a fresh challenge, its answer checked, and the initiator's answered. */
#include <nettle/md5.h>
#include <nettle/memops.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/random.h>

#include "edge/iscsi/chap.h"

struct iscsi_chap_algorithm {
	const char *number; /* IANA's PPP authentication algorithms */
	const struct nettle_hash *hash;
};

/* MD5 is what every initiator has. */
static const struct iscsi_chap_algorithm algorithms[] = {{"5", &nettle_md5}, {"7", &nettle_sha256}};

union hash_context {
	struct md5_ctx md5;
	struct sha256_ctx sha256;
};

_Static_assert(SHA256_DIGEST_SIZE == ISCSI_CHAP_DIGEST_MAX, "a challenge is as long as the digest");

/* ---- The node's ---- */

struct iscsi_authority *lf_iscsi_authority_create(struct lf_iscsi_secrets *secrets)
{
	struct iscsi_authority *authority = lf_alloc(sizeof(*authority));

	if (authority == NULL) {
		lf_iscsi_secrets_free(secrets);
		return NULL;
	}
	authority->secrets = secrets;
	lf_lock_init(&authority->lock);
	lf_list_init(&authority->challenges);
	return authority;
}

void lf_iscsi_authority_destroy(struct iscsi_authority *authority)
{
	if (authority == NULL)
		return;
	lf_assert(lf_list_empty(&authority->challenges));
	lf_iscsi_secrets_free(authority->secrets);
	lf_lock_fini(&authority->lock);
	lf_free(authority);
}

/* Whether one of the logins under way was asked just that: by whoever gives us our own questions back. */
static bool is_ours(struct iscsi_authority *authority, const uint8_t *challenge, size_t length)
{
	bool found = false;

	lf_lock(&authority->lock);
	lf_list_each(link, after, &authority->challenges)
	{
		const struct iscsi_chap *chap = lf_container(link, struct iscsi_chap, link);

		found = found ||
			(chap->challenge_length == length && memcmp(chap->challenge, challenge, length) == 0);
	}
	lf_unlock(&authority->lock);
	return found;
}

/* ---- One login's ---- */

void lf_iscsi_chap_init(struct iscsi_chap *chap, struct iscsi_authority *authority)
{
	*chap = (struct iscsi_chap){.authority = authority};
}

void lf_iscsi_chap_fini(struct iscsi_chap *chap)
{
	if (chap->authority == NULL)
		return;
	lf_lock(&chap->authority->lock);
	if (lf_link_in_list(&chap->link))
		lf_list_remove(&chap->link);
	lf_unlock(&chap->authority->lock);
	explicit_bzero(chap->challenge, sizeof(chap->challenge));
}

static bool fail(struct iscsi_chap *chap, enum iscsi_chap_failure failure)
{
	chap->failure = failure;
	return false;
}

bool lf_iscsi_chap_choose(struct iscsi_chap *chap, const char *methods, struct iscsi_text *answer)
{
	if (!lf_iscsi_text_list_has(methods, "CHAP"))
		return fail(chap, ISCSI_CHAP_NOT_OFFERED);
	chap->state = ISCSI_CHAP_CHOSEN;
	lf_iscsi_text_put(answer, "AuthMethod", "CHAP");
	return true;
}

bool lf_iscsi_chap_key(struct iscsi_chap_keys *keys, const struct iscsi_pair *pair, bool *twice)
{
	const struct {
		const char *name;
		const char **value;
	} table[] = {
		{"CHAP_A", &keys->algorithms},
		{"CHAP_N", &keys->name},
		{"CHAP_R", &keys->response},
		{"CHAP_I", &keys->identifier},
		{"CHAP_C", &keys->challenge},
	};

	for (size_t i = 0; i < lf_count_of(table); i++) {
		if (!lf_iscsi_text_equal(pair->key, table[i].name))
			continue;
		*twice = *table[i].value != NULL;
		*table[i].value = pair->value;
		return true;
	}
	return false;
}

/* RFC 1994 4.1: of the identifier, the secret and the challenge, in this order. */
static void respond(const struct iscsi_chap_algorithm *algorithm, uint8_t identifier, const uint8_t *secret,
	size_t secret_length, const uint8_t *challenge, size_t challenge_length, uint8_t *response)
{
	const struct nettle_hash *hash = algorithm->hash;
	union hash_context context;

	lf_assert(hash->context_size <= sizeof(context) && hash->digest_size <= ISCSI_CHAP_DIGEST_MAX);
	hash->init(&context);
	hash->update(&context, 1, &identifier);
	hash->update(&context, secret_length, secret);
	hash->update(&context, challenge_length, challenge);
	hash->digest(&context, hash->digest_size, response);
	explicit_bzero(&context, sizeof(context));
}

/* The first of the initiator's algorithms that we have, and a challenge that nobody was ever asked. */
static bool challenge(struct iscsi_chap *chap, const struct iscsi_chap_keys *keys, struct iscsi_text *answer)
{
	const char *numbers[lf_count_of(algorithms)];
	uint8_t random[1 + ISCSI_CHAP_DIGEST_MAX];
	int chosen;

	for (size_t i = 0; i < lf_count_of(algorithms); i++)
		numbers[i] = algorithms[i].number;
	chosen = lf_iscsi_text_list_first(keys->algorithms, numbers, lf_count_of(numbers));
	if (chosen < 0)
		return fail(chap, ISCSI_CHAP_NO_ALGORITHM);
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return fail(chap, ISCSI_CHAP_NO_RANDOM);
	chap->algorithm = &algorithms[chosen];
	chap->identifier = random[0];
	chap->challenge_length = chap->algorithm->hash->digest_size;
	memcpy(chap->challenge, random + 1, chap->challenge_length);
	chap->state = ISCSI_CHAP_CHALLENGED;
	lf_lock(&chap->authority->lock);
	lf_list_append(&chap->authority->challenges, &chap->link);
	lf_unlock(&chap->authority->lock);
	lf_iscsi_text_put(answer, "CHAP_A", chap->algorithm->number);
	lf_iscsi_text_put_number(answer, "CHAP_I", chap->identifier);
	lf_iscsi_text_put_binary(answer, "CHAP_C", chap->challenge, chap->challenge_length);
	return true;
}

/* The same work for a name that nobody has as for a secret that is wrong. */
static bool verify(struct iscsi_chap *chap, const struct iscsi_chap_keys *keys, const uint8_t *response,
	size_t response_length)
{
	const struct lf_iscsi_secrets *secrets = chap->authority->secrets;
	const struct iscsi_secret *user = lf_iscsi_secrets_find(secrets, keys->name);
	const uint8_t *secret = user != NULL ? user->secret : secrets->decoy;
	size_t length = user != NULL ? user->secret_length : sizeof(secrets->decoy);
	uint8_t right[ISCSI_CHAP_DIGEST_MAX];
	bool equal;

	respond(chap->algorithm, chap->identifier, secret, length, chap->challenge, chap->challenge_length,
		right);
	equal = response_length == chap->challenge_length && memeql_sec(response, right, response_length);
	explicit_bzero(right, sizeof(right));
	if (!equal || user == NULL)
		return fail(chap, ISCSI_CHAP_WRONG_RESPONSE);
	memcpy(chap->user, user->name, user->name_length + 1);
	return true;
}

/* The initiator, who is known by now, asks for our part: 12.1.3, mutual. */
static bool answer_challenge(struct iscsi_chap *chap, const struct iscsi_chap_keys *keys,
	const uint8_t *response, size_t response_length, struct iscsi_text *answer)
{
	const struct iscsi_secret *mutual = &chap->authority->secrets->mutual;
	uint8_t asked[ISCSI_CHAP_BINARY_MAX], ours[ISCSI_CHAP_DIGEST_MAX];
	uint32_t identifier;
	size_t length;

	if (mutual->name_length == 0)
		return fail(chap, ISCSI_CHAP_NOT_MUTUAL);
	if (!lf_iscsi_text_number(keys->identifier, &identifier) || identifier > UINT8_MAX ||
		!lf_iscsi_text_binary(keys->challenge, asked, sizeof(asked), &length))
		return fail(chap, ISCSI_CHAP_MALFORMED);
	if (is_ours(chap->authority, asked, length))
		return fail(chap, ISCSI_CHAP_REFLECTED);
	respond(chap->algorithm, (uint8_t)identifier, mutual->secret, mutual->secret_length, asked, length,
		ours);
	if (response_length == chap->challenge_length && memeql_sec(response, ours, response_length))
		return fail(chap, ISCSI_CHAP_REFLECTED);
	lf_iscsi_text_put(answer, "CHAP_N", mutual->name);
	lf_iscsi_text_put_binary(answer, "CHAP_R", ours, chap->challenge_length);
	return true;
}

static bool check_response(
	struct iscsi_chap *chap, const struct iscsi_chap_keys *keys, struct iscsi_text *answer)
{
	uint8_t response[ISCSI_CHAP_BINARY_MAX];
	size_t length;

	if (!lf_iscsi_text_binary(keys->response, response, sizeof(response), &length))
		return fail(chap, ISCSI_CHAP_MALFORMED);
	if (!verify(chap, keys, response, length))
		return false;
	if (keys->challenge != NULL && !answer_challenge(chap, keys, response, length, answer))
		return false;
	chap->state = ISCSI_CHAP_PROVEN;
	return true;
}

bool lf_iscsi_chap_answer(
	struct iscsi_chap *chap, const struct iscsi_chap_keys *keys, struct iscsi_text *answer)
{
	bool asks = keys->identifier != NULL || keys->challenge != NULL;
	bool proves = keys->name != NULL || keys->response != NULL;

	if (chap->state == ISCSI_CHAP_CHOSEN && keys->algorithms != NULL && !asks && !proves)
		return challenge(chap, keys, answer);
	if (chap->state == ISCSI_CHAP_CHALLENGED && keys->algorithms == NULL && keys->name != NULL &&
		keys->response != NULL && (keys->identifier != NULL) == (keys->challenge != NULL))
		return check_response(chap, keys, answer);
	/* Before it begins and when it is over there is nothing to say; in between there is. */
	if (chap->state != ISCSI_CHAP_CHALLENGED && keys->algorithms == NULL && !asks && !proves)
		return true;
	return fail(chap, ISCSI_CHAP_OUT_OF_PLACE);
}
