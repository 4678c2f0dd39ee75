/* SPDX-License-Identifier: BSD-2-Clause */
/* security.c: who asks. Wine has no impersonation in drivers: a test says how much the caller trusts and may.
 */
#include "tests/storport/wine/standin/standin.h"

#define TOKEN ((void *)(ULONG_PTR)0x70000)

static LONG contexts, subjects;

LONG standin_contexts(void)
{
	return contexts + subjects;
}

static NTSTATUS NTAPI create_client(PETHREAD thread, SECURITY_QUALITY_OF_SERVICE *quality, BOOLEAN remote,
	SECURITY_CLIENT_CONTEXT *context)
{
	standin_passive("SeCreateClientSecurity");
	(void)thread;
	if (quality->Length != sizeof(*quality) || quality->ImpersonationLevel != SecurityImpersonation ||
		remote)
		standin_fail("SeCreateClientSecurity: length %u, level %d, remote %d", quality->Length,
			quality->ImpersonationLevel, remote);
	if (standin_switch(SWITCH_LEVEL) < SecurityImpersonation)
		return STATUS_BAD_IMPERSONATION_LEVEL;
	memset(context, 0, sizeof(*context));
	context->SecurityQos = *quality;
	context->ClientToken = TOKEN;
	InterlockedIncrement(&contexts);
	return STATUS_SUCCESS;
}

bool standin_token_dereference(const void *token)
{
	if (token != TOKEN)
		return false;
	if (InterlockedDecrement(&contexts) < 0)
		standin_fail("a token is dereferenced once too often");
	return true;
}

/* SeDeleteClientSecurity is a macro that ends in one of these, or in ObfDereferenceObject. */
static void NTAPI dereference_token(PACCESS_TOKEN token)
{
	standin_at_most_dispatch("PsDereferencePrimaryToken");
	if (!standin_token_dereference(token))
		standin_fail("a token is dereferenced that is none");
}

static NTSTATUS NTAPI impersonate(SECURITY_CLIENT_CONTEXT *context, PETHREAD thread)
{
	standin_passive("SeImpersonateClientEx");
	if (context->ClientToken != TOKEN || thread)
		standin_fail("SeImpersonateClientEx of an unknown client, or for another thread");
	if (standin_impersonating())
		standin_fail("a thread impersonates that does so already");
	standin_impersonating_set(1);
	return STATUS_SUCCESS;
}

static void NTAPI revert(void)
{
	standin_passive("PsRevertToSelf");
	standin_impersonating_set(0);
}

static PEPROCESS NTAPI requestor_process(IRP *irp)
{
	standin_at_most_dispatch("IoGetRequestorProcess");
	return (PEPROCESS)irp->Tail.Overlay.Thread;
}

static void NTAPI capture_subject(PETHREAD thread, PEPROCESS process, SECURITY_SUBJECT_CONTEXT *context)
{
	standin_passive("SeCaptureSubjectContextEx");
	if (!thread || (void *)process != (void *)thread)
		standin_fail("the rights of somebody else than who asks are looked at");
	memset(context, 0, sizeof(*context));
	context->PrimaryToken = TOKEN;
	InterlockedIncrement(&subjects);
}

static void NTAPI release_subject(SECURITY_SUBJECT_CONTEXT *context)
{
	if (context->PrimaryToken != TOKEN)
		standin_fail("a subject is released that was not captured");
	context->PrimaryToken = NULL;
	InterlockedDecrement(&subjects);
}

static void NTAPI lock_subject(SECURITY_SUBJECT_CONTEXT *context)
{
	standin_passive("SeLockSubjectContext");
	context->ProcessAuditId = (void *)1;
}

static void NTAPI unlock_subject(SECURITY_SUBJECT_CONTEXT *context)
{
	context->ProcessAuditId = NULL;
}

/* The descriptor lets in SYSTEM and administrators, and nobody else. */
static void judge_descriptor(void *descriptor)
{
	static const UCHAR system[] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0};
	static const UCHAR administrators[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0};
	BOOLEAN present = FALSE, defaulted;
	ACL *acl = NULL;
	NTSTATUS status = RtlGetDaclSecurityDescriptor(descriptor, &present, &acl, &defaulted);
	if (!NT_SUCCESS(status) || !present || !acl) {
		standin_fail("SeAccessCheck with a descriptor that lets everybody in");
		return;
	}
	UCHAR *at = (UCHAR *)(acl + 1);
	bool known = acl->AceCount == 2;
	for (USHORT i = 0; i < acl->AceCount; i++) {
		ACE_HEADER *ace = (ACE_HEADER *)at;
		const UCHAR *sid = at + sizeof(ACE_HEADER) + sizeof(ACCESS_MASK);
		known = known && ace->AceType == ACCESS_ALLOWED_ACE_TYPE &&
			(!memcmp(sid, system, sizeof(system)) ||
				!memcmp(sid, administrators, sizeof(administrators)));
		at += ace->AceSize;
	}
	if (!known)
		standin_fail(
			"SeAccessCheck with a descriptor that lets others in than SYSTEM and administrators");
}

static BOOLEAN NTAPI access_check(PSECURITY_DESCRIPTOR descriptor, SECURITY_SUBJECT_CONTEXT *subject,
	BOOLEAN locked, ACCESS_MASK desired, ACCESS_MASK granted_before, PPRIVILEGE_SET *privileges,
	GENERIC_MAPPING *mapping, KPROCESSOR_MODE mode, ACCESS_MASK *granted, NTSTATUS *status)
{
	standin_passive("SeAccessCheck");
	(void)privileges;
	if (mode != UserMode || !mapping || subject->PrimaryToken != TOKEN ||
		locked != (subject->ProcessAuditId != NULL))
		standin_fail("SeAccessCheck: mode %d, mapping %p, locked %d", mode, mapping, locked);
	judge_descriptor(descriptor);
	bool denied = standin_switch(SWITCH_DENY) != 0;
	*granted = denied ? 0 : desired | granted_before;
	*status = denied ? STATUS_ACCESS_DENIED : STATUS_SUCCESS;
	return !denied;
}

const struct standin_import standin_security_imports[] = {
	{"SeCreateClientSecurity", create_client},
	{"PsDereferencePrimaryToken", dereference_token},
	{"PsDereferenceImpersonationToken", dereference_token},
	{"SeImpersonateClientEx", impersonate},
	{"PsRevertToSelf", revert},
	{"IoGetRequestorProcess", requestor_process},
	{"SeCaptureSubjectContextEx", capture_subject},
	{"SeReleaseSubjectContext", release_subject},
	{"SeLockSubjectContext", lock_subject},
	{"SeUnlockSubjectContext", unlock_subject},
	{"SeAccessCheck", access_check},
	{NULL, NULL},
};
