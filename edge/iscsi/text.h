/* SPDX-License-Identifier: BSD-2-Clause */
/* text.h: key=value text of login and text PDUs (RFC 7143 6.1): a reader and a writer, both with limits. */
#ifndef LF_ISCSI_TEXT_H
#define LF_ISCSI_TEXT_H

#include "platform/platform.h"

#define ISCSI_TEXT_MAX     65536 /* one exchange, over all PDUs that the C bit ties together */
#define ISCSI_KEYS_MAX     256   /* pairs in one exchange */
#define ISCSI_KEY_NAME_MAX 63    /* 6.1 */
#define ISCSI_NAME_MAX     223   /* an iSCSI name: 4.2.7.2 */

/* One pair; the value stays where it came in. */
struct iscsi_pair {
	char key[ISCSI_KEY_NAME_MAX + 1];
	const char *value;
};

enum iscsi_text_result { ISCSI_TEXT_PAIR, ISCSI_TEXT_END, ISCSI_TEXT_BAD };

/* The next pair at *at; text is length bytes. BAD: no "=", no NUL, a key that is empty, long or odd. */
enum iscsi_text_result lf_iscsi_text_next(
	const char *text, uint32_t length, uint32_t *at, struct iscsi_pair *pair);

/* Text that grows up to its limit: an exchange coming in, or an answer going out. */
struct iscsi_text {
	char *bytes;
	uint32_t length, room, limit;
	uint32_t sent;   /* of an answer that needs several PDUs */
	bool overflowed; /* something did not fit: the exchange failed */
};

void lf_iscsi_text_init(struct iscsi_text *text, uint32_t limit);
void lf_iscsi_text_fini(struct iscsi_text *text);
void lf_iscsi_text_clear(struct iscsi_text *text);
bool lf_iscsi_text_append(struct iscsi_text *text, const void *bytes, uint32_t length);
void lf_iscsi_text_put(struct iscsi_text *text, const char *key, const char *value);
void lf_iscsi_text_put_number(struct iscsi_text *text, const char *key, uint32_t value);

/* As hexadecimal digits. */
void lf_iscsi_text_put_binary(struct iscsi_text *text, const char *key, const uint8_t *bytes, size_t length);

bool lf_iscsi_text_equal(const char *a, const char *b);
/* Decimal, or hexadecimal with 0x (6.1, numerical-value); false when it is neither or above 32 bits. */
bool lf_iscsi_text_number(const char *value, uint32_t *number);
/* Bytes in hexadecimal (0x) or base64 (0b): 6.1, binary-value. False: neither, none, or more than room. */
bool lf_iscsi_text_binary(const char *value, uint8_t *bytes, size_t room, size_t *length);
/* Whether a comma-separated list has the word. */
bool lf_iscsi_text_list_has(const char *list, const char *word);
/* The first item of a comma-separated list that is one of words: its index there, or -1. */
int lf_iscsi_text_list_first(const char *list, const char *const *words, size_t count);
/* An iSCSI name (4.2.7): "iqn.", "eui." or "naa." in front, permitted characters only, not too long. */
bool lf_iscsi_name_valid(const char *name);
/* Names are compared without regard to case: 4.2.7.2, stringprep. */
bool lf_iscsi_name_equal(const char *a, const char *b);

#endif
