/* SPDX-License-Identifier: BSD-2-Clause */
/* secrets.h: who may log in and what proves it: the file of CHAP secrets, in memory. */
#ifndef LF_ISCSI_SECRETS_H
#define LF_ISCSI_SECRETS_H

#include "edge/iscsi/iscsi.h"

#define ISCSI_CHAP_NAME_MAX   255
#define ISCSI_CHAP_SECRET_MIN 12 /* 96 bits: RFC 7143 9.2.1 */
#define ISCSI_CHAP_SECRET_MAX 255
#define ISCSI_CHAP_USERS_MAX  4096
#define ISCSI_CHAP_FILE_MAX   (4u << 20)

struct iscsi_secret {
	char name[ISCSI_CHAP_NAME_MAX + 1];
	uint8_t secret[ISCSI_CHAP_SECRET_MAX];
	uint32_t name_length, secret_length;
};

struct lf_iscsi_secrets {
	struct iscsi_secret *users; /* initiators that may come */
	uint32_t count, room;
	struct iscsi_secret mutual;           /* what we answer with; no name: we answer nobody */
	uint8_t decoy[ISCSI_CHAP_SECRET_MIN]; /* stands in for the secret of nobody */
};

/* The text of such a file; path is for the message. The text is left wiped. */
struct lf_iscsi_secrets *lf_iscsi_secrets_parse(
	char *text, size_t length, const char *path, struct lf_message *message);
/* The user of that name, or NULL; takes the same time whoever it is. */
const struct iscsi_secret *lf_iscsi_secrets_find(const struct lf_iscsi_secrets *secrets, const char *name);

#endif
