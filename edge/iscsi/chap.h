/* SPDX-License-Identifier: BSD-2-Clause */
/* chap.h: the target's side of CHAP (RFC 7143 12.1.3, RFC 1994) in one login, as a machine fed with its keys.
 */
#ifndef LF_ISCSI_CHAP_H
#define LF_ISCSI_CHAP_H

#include "edge/iscsi/secrets.h"
#include "edge/iscsi/text.h"

#define ISCSI_CHAP_DIGEST_MAX 32   /* SHA-256's: the longest that we know */
#define ISCSI_CHAP_BINARY_MAX 1024 /* a challenge's bytes: 12.1.3 */

/* The node's: its secrets, and what it has asked in the logins under way. */
struct iscsi_authority {
	struct lf_iscsi_secrets *secrets;
	struct lf_lock lock;
	struct lf_link challenges; /* under the lock: of iscsi_chap */
};

/* Takes the secrets over, in any case. NULL when memory is short. */
struct iscsi_authority *lf_iscsi_authority_create(struct lf_iscsi_secrets *secrets);
void lf_iscsi_authority_destroy(struct iscsi_authority *authority); /* may be NULL */

/* Why a login did not get past it: in the trace only, the initiator is told no reason. */
enum iscsi_chap_failure {
	ISCSI_CHAP_NOT_OFFERED = 1, /* it does not want to be asked */
	ISCSI_CHAP_OUT_OF_PLACE,    /* keys that are missing, or not to come now */
	ISCSI_CHAP_NO_ALGORITHM,
	ISCSI_CHAP_WRONG_RESPONSE, /* or the name of nobody */
	ISCSI_CHAP_REFLECTED,      /* our own challenge, or our own answer, given back */
	ISCSI_CHAP_NOT_MUTUAL,     /* it asks us, and we have no secret for that */
	ISCSI_CHAP_MALFORMED,      /* no binary value, or too long */
	ISCSI_CHAP_NO_RANDOM,
};

enum iscsi_chap_state { ISCSI_CHAP_IDLE, ISCSI_CHAP_CHOSEN, ISCSI_CHAP_CHALLENGED, ISCSI_CHAP_PROVEN };

struct iscsi_chap_algorithm;

struct iscsi_chap {
	struct iscsi_authority *authority; /* NULL: nobody is asked */
	enum iscsi_chap_state state;
	enum iscsi_chap_failure failure;
	const struct iscsi_chap_algorithm *algorithm;
	uint8_t identifier, challenge[ISCSI_CHAP_DIGEST_MAX];
	uint32_t challenge_length;
	struct lf_link link;                /* the authority's */
	char user[ISCSI_CHAP_NAME_MAX + 1]; /* once proven */
};

/* The keys of one exchange; NULL where one is not there. */
struct iscsi_chap_keys {
	const char *algorithms, *name, *response, *identifier, *challenge;
};

void lf_iscsi_chap_init(struct iscsi_chap *chap, struct iscsi_authority *authority);
/* Its challenge counts no more; what was found out stays. May be called again. */
void lf_iscsi_chap_fini(struct iscsi_chap *chap);

static inline bool iscsi_chap_required(const struct iscsi_chap *chap)
{
	return chap->authority != NULL && chap->state != ISCSI_CHAP_PROVEN;
}

/* AuthMethod: false when the list is without CHAP. */
bool lf_iscsi_chap_choose(struct iscsi_chap *chap, const char *methods, struct iscsi_text *answer);
/* Notes the key when it is one of CHAP's; false when it is not. *twice: it was there already. */
bool lf_iscsi_chap_key(struct iscsi_chap_keys *keys, const struct iscsi_pair *pair, bool *twice);
/* One step of the dialogue: false when the login fails, for the reason in failure. */
bool lf_iscsi_chap_answer(
	struct iscsi_chap *chap, const struct iscsi_chap_keys *keys, struct iscsi_text *answer);

#endif
