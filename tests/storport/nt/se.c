/* SPDX-License-Identifier: BSD-2-Clause */
/* se.c: tokens of three kinds of people, impersonation, access checks. */
#include <stdlib.h>
#include <string.h>

#include "tests/storport/nt/internal.h"

struct lf_fake_token {
	enum lf_fake_who who;
	TOKEN_TYPE type;
	SECURITY_IMPERSONATION_LEVEL level;
};

static struct lf_fake_token *make_token(
	enum lf_fake_who who, TOKEN_TYPE type, SECURITY_IMPERSONATION_LEVEL level)
{
	struct lf_fake_token *token = lf_fake_object_make(LF_FAKE_TOKEN, sizeof(*token), NULL);
	*token = (struct lf_fake_token){who, type, level};
	return token;
}

/* ---- who the calling thread is ---- */

void lf_fake_process_of(enum lf_fake_who who)
{
	lf_fake_self()->process = who;
}

void lf_fake_impersonate(enum lf_fake_who who, SECURITY_IMPERSONATION_LEVEL level)
{
	lf_fake_revert();
	lf_fake_self()->token = make_token(who, TokenImpersonation, level);
	lf_fake_self()->level = level;
}

void lf_fake_revert(void)
{
	struct lf_fake_thread *thread = lf_fake_self();
	if (thread->token)
		lf_fake_object_dereference(thread->token);
	thread->token = NULL;
}

bool lf_fake_is_impersonating(void)
{
	return lf_fake_self()->token != NULL;
}

enum lf_fake_who lf_fake_acting(SECURITY_IMPERSONATION_LEVEL *level)
{
	struct lf_fake_thread *thread = lf_fake_self();
	*level = thread->token ? thread->level : SecurityDelegation;
	return thread->token ? thread->token->who : thread->process;
}

/* ---- what the driver calls ---- */

NTSTATUS SeCreateClientSecurity(
	PETHREAD thread, SECURITY_QUALITY_OF_SERVICE *qos, BOOLEAN remote, SECURITY_CLIENT_CONTEXT *context)
{
	struct lf_fake_thread *self = lf_fake_self();
	lf_fake_passive("SeCreateClientSecurity");
	if (thread != lf_fake_current_thread())
		lf_fake_broken("SeCreateClientSecurity of another thread: it may be somebody else by now");
	if (qos->Length != sizeof(*qos))
		lf_fake_broken("SeCreateClientSecurity: a quality of service of %u bytes", qos->Length);
	if (self->token && self->level < qos->ImpersonationLevel)
		return STATUS_BAD_IMPERSONATION_LEVEL;
	if (lf_fake_fails(LF_FAKE_SECURITY))
		return STATUS_INSUFFICIENT_RESOURCES;
	memset(context, 0, sizeof(*context));
	context->SecurityQos = *qos;
	context->ServerIsRemote = remote;
	bool direct = qos->ContextTrackingMode == SECURITY_DYNAMIC_TRACKING;
	enum lf_fake_who who = self->token ? self->token->who : self->process;
	TOKEN_TYPE type = direct && !self->token ? TokenPrimary : TokenImpersonation;
	context->DirectlyAccessClientToken = direct;
	context->ClientToken = make_token(who, type, qos->ImpersonationLevel);
	return STATUS_SUCCESS;
}

NTSTATUS SeImpersonateClientEx(SECURITY_CLIENT_CONTEXT *context, PETHREAD thread)
{
	struct lf_fake_thread *self = lf_fake_self();
	lf_fake_passive("SeImpersonateClientEx");
	if (thread && thread != lf_fake_current_thread())
		lf_fake_broken("SeImpersonateClientEx for another thread");
	if (self->token)
		lf_fake_broken("SeImpersonateClientEx while somebody is impersonated: nobody reverted");
	if (lf_fake_fails(LF_FAKE_SECURITY))
		return STATUS_INSUFFICIENT_RESOURCES;
	struct lf_fake_token *token = context->ClientToken;
	lf_fake_object_reference(token);
	self->token = token;
	self->level = context->SecurityQos.ImpersonationLevel;
	return STATUS_SUCCESS;
}

VOID PsRevertToSelf(VOID)
{
	lf_fake_passive("PsRevertToSelf");
	if (!lf_fake_self()->token)
		lf_fake_broken("PsRevertToSelf of a thread that impersonates nobody");
	lf_fake_revert();
}

static void dereference(struct lf_fake_token *token, TOKEN_TYPE type)
{
	lf_fake_passive("PsDereference...Token");
	if (token->type != type)
		lf_fake_broken("a token is dereferenced as one of the other type");
	lf_fake_object_dereference(token);
}

VOID PsDereferenceImpersonationToken(PACCESS_TOKEN token)
{
	dereference(token, TokenImpersonation);
}

VOID PsDereferencePrimaryToken(PACCESS_TOKEN token)
{
	dereference(token, TokenPrimary);
}

/* A process is known by a thread of its: there is nothing more to it here. */
PEPROCESS IoGetRequestorProcess(IRP *irp)
{
	return (PEPROCESS)(void *)irp->Tail.Overlay.Thread;
}

/* Of another thread, that stands still meanwhile. */
VOID SeCaptureSubjectContextEx(PETHREAD thread, PEPROCESS process, SECURITY_SUBJECT_CONTEXT *context)
{
	const struct lf_fake_thread *asks = (const void *)thread, *lives = (const void *)process;
	lf_fake_passive("SeCaptureSubjectContextEx");
	if (!asks || !lives)
		lf_fake_broken("SeCaptureSubjectContextEx of no thread, or of no process");
	memset(context, 0, sizeof(*context));
	context->PrimaryToken = make_token(lives->process, TokenPrimary, SecurityAnonymous);
	if (!asks->token)
		return;
	lf_fake_object_reference(asks->token);
	context->ClientToken = asks->token;
	context->ImpersonationLevel = asks->level;
}

/* ProcessAuditId says here whether it is locked. */
VOID SeLockSubjectContext(SECURITY_SUBJECT_CONTEXT *context)
{
	lf_fake_passive("SeLockSubjectContext");
	if (context->ProcessAuditId)
		lf_fake_broken("SeLockSubjectContext of a context that is locked");
	context->ProcessAuditId = context;
}

VOID SeUnlockSubjectContext(SECURITY_SUBJECT_CONTEXT *context)
{
	lf_fake_passive("SeUnlockSubjectContext");
	if (!context->ProcessAuditId)
		lf_fake_broken("SeUnlockSubjectContext of a context that is not locked");
	context->ProcessAuditId = NULL;
}

VOID SeReleaseSubjectContext(SECURITY_SUBJECT_CONTEXT *context)
{
	lf_fake_passive("SeReleaseSubjectContext");
	if (context->ProcessAuditId)
		lf_fake_broken("SeReleaseSubjectContext of a context that is locked");
	lf_fake_object_dereference(context->PrimaryToken);
	if (context->ClientToken)
		lf_fake_object_dereference(context->ClientToken);
	memset(context, 0, sizeof(*context));
}

/* ---- descriptors ---- */

static ULONG sid_bytes(const SID *sid)
{
	return (ULONG)(offsetof(SID, SubAuthority) + sid->SubAuthorityCount * sizeof(ULONG));
}

NTSTATUS RtlCreateSecurityDescriptor(PSECURITY_DESCRIPTOR to, ULONG revision)
{
	if (revision != SECURITY_DESCRIPTOR_REVISION)
		return STATUS_UNKNOWN_REVISION;
	memset(to, 0, sizeof(SECURITY_DESCRIPTOR));
	((SECURITY_DESCRIPTOR *)to)->Revision = SECURITY_DESCRIPTOR_REVISION;
	return STATUS_SUCCESS;
}

NTSTATUS RtlSetDaclSecurityDescriptor(PSECURITY_DESCRIPTOR to, BOOLEAN present, ACL *dacl, BOOLEAN defaulted)
{
	SECURITY_DESCRIPTOR *descriptor = to;
	if (defaulted || !present)
		lf_fake_broken("a descriptor without a DACL of the driver's own");
	descriptor->Control |= SE_DACL_PRESENT;
	descriptor->Dacl = dacl;
	return STATUS_SUCCESS;
}

NTSTATUS RtlCreateAcl(ACL *acl, ULONG length, ULONG revision)
{
	if (length < sizeof(ACL) || length > MAXUSHORT || revision != ACL_REVISION)
		return STATUS_INVALID_PARAMETER;
	*acl = (ACL){.AclRevision = ACL_REVISION, .AclSize = (USHORT)(length & ~3u)};
	return STATUS_SUCCESS;
}

/* The one behind the last. */
static uint8_t *end_of(ACL *acl)
{
	uint8_t *at = (uint8_t *)(acl + 1);
	for (USHORT i = 0; i < acl->AceCount; i++)
		at += ((ACE_HEADER *)(void *)at)->AceSize;
	return at;
}

NTSTATUS RtlAddAccessAllowedAce(ACL *acl, ULONG revision, ACCESS_MASK mask, PSID sid)
{
	ULONG length = (ULONG)offsetof(ACCESS_ALLOWED_ACE, SidStart) + sid_bytes(sid);
	uint8_t *at = end_of(acl);
	if (revision != ACL_REVISION || at + length > (uint8_t *)acl + acl->AclSize)
		return STATUS_INVALID_ACL;
	ACCESS_ALLOWED_ACE *ace = (ACCESS_ALLOWED_ACE *)(void *)at;
	ace->Header = (ACE_HEADER){ACCESS_ALLOWED_ACE_TYPE, 0, (USHORT)length};
	ace->Mask = mask;
	memcpy(&ace->SidStart, sid, sid_bytes(sid));
	acl->AceCount++;
	return STATUS_SUCCESS;
}

/* S-1-5-18 and S-1-5-32-544 are all that is told apart; everybody is a user. */
static bool is_member(enum lf_fake_who who, const SID *sid)
{
	const ULONG *authority = sid->SubAuthority;
	bool builtin = sid->SubAuthorityCount == 2 && authority[0] == SECURITY_BUILTIN_DOMAIN_RID;
	if (sid->Revision != SID_REVISION || sid->IdentifierAuthority.Value[5] != 5)
		return false;
	if (sid->SubAuthorityCount == 1 && authority[0] == SECURITY_LOCAL_SYSTEM_RID)
		return who == LF_FAKE_SYSTEM;
	if (builtin && authority[1] == DOMAIN_ALIAS_RID_ADMINS)
		return who != LF_FAKE_USER;
	return builtin && authority[1] == DOMAIN_ALIAS_RID_USERS;
}

static ACCESS_MASK generic(ACCESS_MASK mask, const GENERIC_MAPPING *mapping)
{
	ACCESS_MASK specific = mask & 0x0fffffff;
	specific |= mask & GENERIC_READ ? mapping->GenericRead : 0;
	specific |= mask & GENERIC_WRITE ? mapping->GenericWrite : 0;
	specific |= mask & GENERIC_EXECUTE ? mapping->GenericExecute : 0;
	specific |= mask & GENERIC_ALL ? mapping->GenericAll : 0;
	return specific;
}

BOOLEAN SeAccessCheck(PSECURITY_DESCRIPTOR descriptor, SECURITY_SUBJECT_CONTEXT *context, BOOLEAN is_locked,
	ACCESS_MASK desired, ACCESS_MASK previous, PRIVILEGE_SET **privileges, GENERIC_MAPPING *mapping,
	KPROCESSOR_MODE mode, ACCESS_MASK *granted, NTSTATUS *status)
{
	lf_fake_passive("SeAccessCheck");
	const SECURITY_DESCRIPTOR *checked = descriptor;
	if ((context->ProcessAuditId != NULL) != (is_locked != FALSE))
		lf_fake_broken("SeAccessCheck is told that the context is%s locked", is_locked ? "" : " not");
	if (!(checked->Control & SE_DACL_PRESENT) || !checked->Dacl)
		lf_fake_broken("SeAccessCheck against a descriptor that lets everybody in");
	if (!checked->Owner || !checked->Group)
		lf_fake_broken("SeAccessCheck against a descriptor without an owner, or without a group");
	if (privileges)
		*privileges = NULL;
	*granted = 0;
	*status = STATUS_SUCCESS;
	ACCESS_MASK wanted = generic(desired, mapping), allowed = previous;
	if (mode == KernelMode) {
		*granted = wanted | previous;
		return TRUE;
	}
	if (context->ClientToken && context->ImpersonationLevel < SecurityImpersonation) {
		*status = STATUS_BAD_IMPERSONATION_LEVEL;
		return FALSE;
	}
	const struct lf_fake_token *token =
		context->ClientToken ? context->ClientToken : context->PrimaryToken;
	const uint8_t *at = (const uint8_t *)(checked->Dacl + 1);
	for (USHORT i = 0; i < checked->Dacl->AceCount; i++) {
		const ACCESS_ALLOWED_ACE *ace = (const ACCESS_ALLOWED_ACE *)(const void *)at;
		if (is_member(token->who, (const SID *)(const void *)&ace->SidStart))
			allowed |= generic(ace->Mask, mapping);
		at += ace->Header.AceSize;
	}
	if (wanted == 0 || (wanted & ~allowed)) {
		*status = STATUS_ACCESS_DENIED;
		return FALSE;
	}
	*granted = wanted;
	return TRUE;
}
