/* SPDX-License-Identifier: BSD-2-Clause */
/* negotiate.c: the operational keys of RFC 7143 13, a row for each: kind, range, what we want. */
#include "edge/iscsi/login.h"

enum key_kind {
	KEY_MINIMUM, /* the smaller number: 6.2.2 */
	KEY_MAXIMUM,
	KEY_AND,      /* Yes when both say so */
	KEY_OR,       /* Yes when one says so */
	KEY_DECLARED, /* a number that the initiator states; no answer */
	KEY_NOTED,    /* text that the initiator states; no answer */
	KEY_DIGEST,   /* a list, of which we take the first that we know */
	KEY_CHOICE,   /* a list, of which we take one word */
	KEY_MARKER,   /* gone since RFC 7143 13.25 */
	KEY_INTERVAL, /* likewise */
	KEY_REFUSED,  /* not the initiator's to send, or not here */
};

struct key {
	const char *name;
	enum key_kind kind;
	bool normal_only; /* irrelevant in a discovery session */
	enum iscsi_parameter parameter;
	uint32_t least, most;
	uint32_t initial; /* what holds when nobody speaks of it: 13 */
	uint32_t ours;
	const char *choice;
};

#define MEBIBYTE     1048576
#define LENGTH_MOST  16777215 /* 2^24-1 */
#define NO_PARAMETER ISCSI_PARAMETERS

static const struct key keys[] = {
	{"HeaderDigest", KEY_DIGEST, false, ISCSI_HEADER_DIGEST, 0, 1, 0, 0, NULL},
	{"DataDigest", KEY_DIGEST, false, ISCSI_DATA_DIGEST, 0, 1, 0, 0, NULL},
	{"TaskReporting", KEY_CHOICE, true, NO_PARAMETER, 0, 0, 0, 0, "RFC3720"},
	{"MaxConnections", KEY_MINIMUM, true, ISCSI_MAX_CONNECTIONS, 1, 65535, 1, 1, NULL},
	{"InitialR2T", KEY_OR, true, ISCSI_INITIAL_R2T, 0, 1, 1, 0, NULL},
	{"ImmediateData", KEY_AND, true, ISCSI_IMMEDIATE_DATA, 0, 1, 1, 1, NULL},
	{"MaxRecvDataSegmentLength", KEY_DECLARED, false, ISCSI_MAX_SEND_LENGTH, 512, LENGTH_MOST, 8192, 0,
		NULL},
	{"MaxBurstLength", KEY_MINIMUM, true, ISCSI_MAX_BURST_LENGTH, 512, LENGTH_MOST, 262144, MEBIBYTE,
		NULL},
	{"FirstBurstLength", KEY_MINIMUM, true, ISCSI_FIRST_BURST_LENGTH, 512, LENGTH_MOST, 65536, 65536,
		NULL},
	{"DefaultTime2Wait", KEY_MAXIMUM, true, ISCSI_TIME_TO_WAIT, 0, 3600, 2, 0, NULL},
	{"DefaultTime2Retain", KEY_MINIMUM, true, ISCSI_TIME_TO_RETAIN, 0, 3600, 20, 0, NULL},
	{"MaxOutstandingR2T", KEY_MINIMUM, true, ISCSI_MAX_OUTSTANDING_R2T, 1, 65535, 1, 4, NULL},
	{"DataPDUInOrder", KEY_OR, true, ISCSI_DATA_PDU_IN_ORDER, 0, 1, 1, 1, NULL},
	{"DataSequenceInOrder", KEY_OR, true, ISCSI_DATA_SEQUENCE_IN_ORDER, 0, 1, 1, 1, NULL},
	{"ErrorRecoveryLevel", KEY_MINIMUM, false, ISCSI_ERROR_RECOVERY_LEVEL, 0, 2, 0, 0, NULL},
	{"iSCSIProtocolLevel", KEY_MINIMUM, true, ISCSI_PROTOCOL_LEVEL, 0, 31, 1, 1, NULL},
	{"InitiatorAlias", KEY_NOTED, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"IFMarker", KEY_MARKER, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"OFMarker", KEY_MARKER, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"IFMarkInt", KEY_INTERVAL, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"OFMarkInt", KEY_INTERVAL, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"AuthMethod", KEY_REFUSED, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"CHAP_A", KEY_REFUSED, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"CHAP_C", KEY_REFUSED, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"CHAP_I", KEY_REFUSED, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"CHAP_N", KEY_REFUSED, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"CHAP_R", KEY_REFUSED, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"SendTargets", KEY_REFUSED, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"TargetAlias", KEY_REFUSED, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"TargetAddress", KEY_REFUSED, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
	{"TargetPortalGroupTag", KEY_REFUSED, false, NO_PARAMETER, 0, 0, 0, 0, NULL},
};

_Static_assert(lf_count_of(keys) <= 64, "seen has a bit for each key");

static int key_find(const char *name)
{
	for (size_t i = 0; i < lf_count_of(keys); i++) {
		if (lf_iscsi_text_equal(keys[i].name, name))
			return (int)i;
	}
	return -1;
}

bool lf_iscsi_key_known(const char *name)
{
	return key_find(name) >= 0;
}

void lf_iscsi_negotiation_init(struct iscsi_negotiation *negotiation)
{
	*negotiation = (struct iscsi_negotiation){0};
	for (size_t i = 0; i < lf_count_of(keys); i++) {
		if (keys[i].parameter != NO_PARAMETER)
			negotiation->value[keys[i].parameter] = keys[i].initial;
	}
}

static bool number_in_range(const struct key *key, const char *value, uint32_t *number)
{
	return lf_iscsi_text_number(value, number) && *number >= key->least && *number <= key->most;
}

/* FirstBurstLength must not exceed MaxBurstLength (13.14), whichever of the two comes first in the text. */
void lf_iscsi_negotiate_ahead(struct iscsi_negotiation *negotiation, const struct iscsi_pair *pair)
{
	int index = key_find(pair->key);
	uint32_t number;

	if (index >= 0 && keys[index].parameter == ISCSI_MAX_BURST_LENGTH &&
		number_in_range(&keys[index], pair->value, &number))
		negotiation->value[ISCSI_MAX_BURST_LENGTH] = lf_min(number, keys[index].ours);
}

/* The standing answers of 6.2 to something that was ours to say: nothing more to say to them. */
static bool is_verdict(const char *value)
{
	return lf_iscsi_text_equal(value, "Reject") || lf_iscsi_text_equal(value, "Irrelevant") ||
	       lf_iscsi_text_equal(value, "NotUnderstood");
}

static void negotiate_number(struct iscsi_negotiation *negotiation, const struct key *key, const char *value,
	struct iscsi_text *answer)
{
	uint32_t number, ours = key->ours;

	if (!number_in_range(key, value, &number)) {
		negotiation->refused = negotiation->refused || key->kind == KEY_DECLARED;
		lf_iscsi_text_put(answer, key->name, "Reject");
		return;
	}
	if (key->parameter == ISCSI_FIRST_BURST_LENGTH)
		ours = lf_min(ours, negotiation->value[ISCSI_MAX_BURST_LENGTH]);
	if (key->kind == KEY_MINIMUM)
		number = lf_min(number, ours);
	else if (key->kind == KEY_MAXIMUM)
		number = lf_max(number, ours);
	negotiation->value[key->parameter] = number;
	if (key->kind != KEY_DECLARED)
		lf_iscsi_text_put_number(answer, key->name, number);
}

static void negotiate_boolean(struct iscsi_negotiation *negotiation, const struct key *key, const char *value,
	struct iscsi_text *answer)
{
	bool offered = lf_iscsi_text_equal(value, "Yes");
	bool result;

	if (!offered && !lf_iscsi_text_equal(value, "No")) {
		lf_iscsi_text_put(answer, key->name, "Reject");
		return;
	}
	result = key->kind == KEY_AND ? offered && key->ours : offered || key->ours;
	negotiation->value[key->parameter] = result;
	lf_iscsi_text_put(answer, key->name, result ? "Yes" : "No");
}

/* The initiator's order counts: 6.2.1 */
static void negotiate_digest(struct iscsi_negotiation *negotiation, const struct key *key, const char *value,
	struct iscsi_text *answer)
{
	static const char *const digests[] = {"None", "CRC32C"};
	int chosen = lf_iscsi_text_list_first(value, digests, lf_count_of(digests));

	if (chosen >= 0)
		negotiation->value[key->parameter] = (uint32_t)chosen;
	lf_iscsi_text_put(answer, key->name, chosen >= 0 ? digests[chosen] : "Reject");
}

static void negotiate_key(struct iscsi_negotiation *negotiation, const struct key *key, const char *value,
	struct iscsi_text *answer)
{
	switch (key->kind) {
	case KEY_MINIMUM:
	case KEY_MAXIMUM:
	case KEY_DECLARED:
		negotiate_number(negotiation, key, value, answer);
		break;
	case KEY_AND:
	case KEY_OR:
		negotiate_boolean(negotiation, key, value, answer);
		break;
	case KEY_DIGEST:
		negotiate_digest(negotiation, key, value, answer);
		break;
	case KEY_CHOICE:
		lf_iscsi_text_put(answer, key->name,
			lf_iscsi_text_list_has(value, key->choice) ? key->choice : "Reject");
		break;
	case KEY_MARKER:
		/* No is as good an answer as Reject (13.25), and an offer of No need not look refused. */
		lf_iscsi_text_put(answer, key->name, lf_iscsi_text_equal(value, "No") ? "No" : "Reject");
		break;
	case KEY_INTERVAL:
	case KEY_REFUSED:
		lf_iscsi_text_put(answer, key->name, "Reject");
		break;
	case KEY_NOTED:
		break;
	}
}

bool lf_iscsi_negotiate(
	struct iscsi_negotiation *negotiation, const struct iscsi_pair *pair, struct iscsi_text *answer)
{
	int index = key_find(pair->key);

	if (index < 0) {
		if (!is_verdict(pair->value))
			lf_iscsi_text_put(answer, pair->key, "NotUnderstood");
		return true;
	}
	/* What we declared may be refused; that is an answer, not a second offer. */
	if (is_verdict(pair->value))
		return true;
	if ((negotiation->seen & 1ull << index) != 0)
		return false;
	negotiation->seen |= 1ull << index;
	if (negotiation->discovery && keys[index].normal_only)
		lf_iscsi_text_put(answer, pair->key, "Irrelevant");
	else
		negotiate_key(negotiation, &keys[index], pair->value, answer);
	return true;
}
