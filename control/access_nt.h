/* SPDX-License-Identifier: BSD-2-Clause */
/* access_nt.h: who may command the adapter. */
#ifndef LF_CONTROL_ACCESS_NT_H
#define LF_CONTROL_ACCESS_NT_H

#include "platform/nt.h"

/* As the kernel has a SID of up to two subauthorities. */
struct lf_access_sid {
	UCHAR revision, count;
	UCHAR authority[6];
	ULONG sub[2];
};

/* A list that lets in SYSTEM and Administrators, built once; it points into itself. */
struct lf_access {
	SECURITY_DESCRIPTOR descriptor;
	struct lf_access_sid system, administrators;
	uint64_t list[16]; /* the ACL: its header, and two entries with their SIDs */
};

NTSTATUS lf_access_init(struct lf_access *access);
/* The one whose IRP it is; PASSIVE_LEVEL. STATUS_BAD_IMPERSONATION_LEVEL: he is not himself. */
NTSTATUS lf_access_check(struct lf_access *access, IRP *irp);
/* Likewise, in his thread; the client is the caller's until lf_access_release. */
NTSTATUS lf_access_capture(IRP *irp, SECURITY_CLIENT_CONTEXT *client);
void lf_access_release(SECURITY_CLIENT_CONTEXT *client);

#endif
