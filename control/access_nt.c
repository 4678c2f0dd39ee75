/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_nt.c: checks the token of whoever asks, and takes it along. The setup information gives the device
 * to SYSTEM and Administrators already; this holds also when somebody has changed that.
 */
#include "control/access_nt.h"

#if !defined(LF_WDK) /* mingw-w64 has not this one */
VOID NTAPI SeCaptureSubjectContextEx(PETHREAD thread, PEPROCESS process, SECURITY_SUBJECT_CONTEXT *subject);
#endif

#define SID_AUTHORITY_NT                                                                                     \
	{                                                                                                    \
		0, 0, 0, 0, 0, 5                                                                             \
	}

NTSTATUS lf_access_init(struct lf_access *access)
{
	static const struct lf_access_sid system = {1, 1, SID_AUTHORITY_NT, {18, 0}}; /* S-1-5-18 */
	static const struct lf_access_sid administrators = {
		1, 2, SID_AUTHORITY_NT, {32, 544}}; /* S-1-5-32-544 */
	ACL *list = (ACL *)(void *)access->list;
	NTSTATUS status;

	access->system = system;
	access->administrators = administrators;
	status = RtlCreateSecurityDescriptor(&access->descriptor, SECURITY_DESCRIPTOR_REVISION);
	if (NT_SUCCESS(status))
		status = RtlCreateAcl(list, sizeof(access->list), ACL_REVISION);
	if (NT_SUCCESS(status))
		status = RtlAddAccessAllowedAce(list, ACL_REVISION, FILE_ALL_ACCESS, &access->system);
	if (NT_SUCCESS(status))
		status = RtlAddAccessAllowedAce(list, ACL_REVISION, FILE_ALL_ACCESS, &access->administrators);
	if (NT_SUCCESS(status))
		status = RtlSetDaclSecurityDescriptor(&access->descriptor, TRUE, list, FALSE);
	/* A descriptor without an owner is one that not every version takes. */
	access->descriptor.Owner = &access->administrators;
	access->descriptor.Group = &access->system;
	return status;
}

/*
 * As if he opened it for reading and writing, which is what the control code wants of his handle. It is the
 * thread of his IRP that counts: a filter that sent the IRP on from a thread of its own would ask as SYSTEM.
 */
NTSTATUS lf_access_check(struct lf_access *access, IRP *irp)
{
	GENERIC_MAPPING mapping = {
		FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS};
	SECURITY_SUBJECT_CONTEXT subject;
	NTSTATUS status = STATUS_ACCESS_DENIED;
	ACCESS_MASK granted = 0;
	BOOLEAN may;

	if (!irp->Tail.Overlay.Thread)
		return STATUS_ACCESS_DENIED;
	SeCaptureSubjectContextEx(irp->Tail.Overlay.Thread, IoGetRequestorProcess(irp), &subject);
	SeLockSubjectContext(&subject);
	may = SeAccessCheck(&access->descriptor, &subject, TRUE, FILE_READ_DATA | FILE_WRITE_DATA, 0, NULL,
		&mapping, UserMode, &granted, &status);
	SeUnlockSubjectContext(&subject);
	SeReleaseSubjectContext(&subject);
	if (may)
		return STATUS_SUCCESS;
	return status == STATUS_BAD_IMPERSONATION_LEVEL ? status : STATUS_ACCESS_DENIED;
}

/* A copy of the token as it is now: what the thread does to its own later does not matter. */
NTSTATUS lf_access_capture(IRP *irp, SECURITY_CLIENT_CONTEXT *client)
{
	SECURITY_QUALITY_OF_SERVICE quality = {
		sizeof(quality), SecurityImpersonation, SECURITY_STATIC_TRACKING, FALSE};

	return SeCreateClientSecurity(irp->Tail.Overlay.Thread, &quality, FALSE, client);
}

/* A copy is an impersonation token, whatever it was made from. */
void lf_access_release(SECURITY_CLIENT_CONTEXT *client)
{
	PsDereferenceImpersonationToken(client->ClientToken);
}
