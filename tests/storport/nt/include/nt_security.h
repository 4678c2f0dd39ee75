/* SPDX-License-Identifier: BSD-2-Clause */
/* nt_security.h: access rights, security identifiers, descriptors, tokens, impersonation. */
#ifndef LF_TESTS_NT_SECURITY_H
#define LF_TESTS_NT_SECURITY_H

#include "tests/storport/nt/include/nt_kernel.h"

#define DELETE                 0x00010000
#define READ_CONTROL           0x00020000
#define WRITE_DAC              0x00040000
#define WRITE_OWNER            0x00080000
#define SYNCHRONIZE            0x00100000
#define STANDARD_RIGHTS_READ   READ_CONTROL
#define STANDARD_RIGHTS_WRITE  READ_CONTROL
#define STANDARD_RIGHTS_ALL    0x001f0000
#define ACCESS_SYSTEM_SECURITY 0x01000000
#define MAXIMUM_ALLOWED        0x02000000
#define GENERIC_ALL            0x10000000
#define GENERIC_EXECUTE        0x20000000
#define GENERIC_WRITE          0x40000000
#define GENERIC_READ           0x80000000

typedef PVOID PACCESS_TOKEN, PSECURITY_DESCRIPTOR, PSID;

typedef struct _SID_IDENTIFIER_AUTHORITY {
	UCHAR Value[6];
} SID_IDENTIFIER_AUTHORITY, *PSID_IDENTIFIER_AUTHORITY;

typedef struct _SID {
	UCHAR Revision;
	UCHAR SubAuthorityCount;
	SID_IDENTIFIER_AUTHORITY IdentifierAuthority;
	ULONG SubAuthority[ANYSIZE_ARRAY];
} SID, *PISID;

#define SID_REVISION 1
#define SECURITY_NT_AUTHORITY                                                                                \
	{                                                                                                    \
		0, 0, 0, 0, 0, 5                                                                             \
	}
#define SECURITY_LOCAL_SYSTEM_RID   18
#define SECURITY_BUILTIN_DOMAIN_RID 32
#define DOMAIN_ALIAS_RID_ADMINS     0x220
#define DOMAIN_ALIAS_RID_USERS      0x221

typedef struct _ACL {
	UCHAR AclRevision;
	UCHAR Sbz1;
	USHORT AclSize;
	USHORT AceCount;
	USHORT Sbz2;
} ACL, *PACL;

typedef struct _ACE_HEADER {
	UCHAR AceType;
	UCHAR AceFlags;
	USHORT AceSize;
} ACE_HEADER, *PACE_HEADER;

typedef struct _ACCESS_ALLOWED_ACE {
	ACE_HEADER Header;
	ACCESS_MASK Mask;
	ULONG SidStart;
} ACCESS_ALLOWED_ACE, *PACCESS_ALLOWED_ACE;

#define ACL_REVISION            2
#define ACCESS_ALLOWED_ACE_TYPE 0

typedef USHORT SECURITY_DESCRIPTOR_CONTROL;

typedef struct _SECURITY_DESCRIPTOR {
	UCHAR Revision;
	UCHAR Sbz1;
	SECURITY_DESCRIPTOR_CONTROL Control;
	PSID Owner;
	PSID Group;
	PACL Sacl;
	PACL Dacl;
} SECURITY_DESCRIPTOR, *PISECURITY_DESCRIPTOR;

#define SECURITY_DESCRIPTOR_REVISION 1
#define SE_DACL_PRESENT              0x0004

typedef struct _GENERIC_MAPPING {
	ACCESS_MASK GenericRead;
	ACCESS_MASK GenericWrite;
	ACCESS_MASK GenericExecute;
	ACCESS_MASK GenericAll;
} GENERIC_MAPPING, *PGENERIC_MAPPING;

typedef struct _LUID_AND_ATTRIBUTES {
	LUID Luid;
	ULONG Attributes;
} LUID_AND_ATTRIBUTES;

typedef struct _PRIVILEGE_SET {
	ULONG PrivilegeCount;
	ULONG Control;
	LUID_AND_ATTRIBUTES Privilege[ANYSIZE_ARRAY];
} PRIVILEGE_SET, *PPRIVILEGE_SET;

typedef enum _SECURITY_IMPERSONATION_LEVEL {
	SecurityAnonymous,
	SecurityIdentification,
	SecurityImpersonation,
	SecurityDelegation,
} SECURITY_IMPERSONATION_LEVEL;

typedef enum _TOKEN_TYPE { TokenPrimary = 1, TokenImpersonation } TOKEN_TYPE;

typedef UCHAR SECURITY_CONTEXT_TRACKING_MODE;

#define SECURITY_STATIC_TRACKING  FALSE
#define SECURITY_DYNAMIC_TRACKING TRUE

typedef struct _SECURITY_QUALITY_OF_SERVICE {
	ULONG Length;
	SECURITY_IMPERSONATION_LEVEL ImpersonationLevel;
	SECURITY_CONTEXT_TRACKING_MODE ContextTrackingMode;
	BOOLEAN EffectiveOnly;
} SECURITY_QUALITY_OF_SERVICE, *PSECURITY_QUALITY_OF_SERVICE;

typedef struct _TOKEN_SOURCE {
	CHAR SourceName[8];
	LUID SourceIdentifier;
} TOKEN_SOURCE;

typedef struct _TOKEN_CONTROL {
	LUID TokenId;
	LUID AuthenticationId;
	LUID ModifiedId;
	TOKEN_SOURCE TokenSource;
} TOKEN_CONTROL;

typedef struct _SECURITY_CLIENT_CONTEXT {
	SECURITY_QUALITY_OF_SERVICE SecurityQos;
	PACCESS_TOKEN ClientToken;
	BOOLEAN DirectlyAccessClientToken;
	BOOLEAN DirectAccessEffectiveOnly;
	BOOLEAN ServerIsRemote;
	TOKEN_CONTROL ClientTokenControl;
} SECURITY_CLIENT_CONTEXT, *PSECURITY_CLIENT_CONTEXT;

typedef struct _SECURITY_SUBJECT_CONTEXT {
	PACCESS_TOKEN ClientToken;
	SECURITY_IMPERSONATION_LEVEL ImpersonationLevel;
	PACCESS_TOKEN PrimaryToken;
	PVOID ProcessAuditId;
} SECURITY_SUBJECT_CONTEXT, *PSECURITY_SUBJECT_CONTEXT;

NTSTATUS RtlCreateSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, ULONG Revision);
NTSTATUS RtlSetDaclSecurityDescriptor(
	PSECURITY_DESCRIPTOR SecurityDescriptor, BOOLEAN DaclPresent, ACL *Dacl, BOOLEAN DaclDefaulted);
NTSTATUS RtlCreateAcl(ACL *Acl, ULONG AclLength, ULONG AclRevision);
NTSTATUS RtlAddAccessAllowedAce(ACL *Acl, ULONG AceRevision, ACCESS_MASK AccessMask, PSID Sid);

VOID SeCaptureSubjectContextEx(PETHREAD Thread, PEPROCESS Process, SECURITY_SUBJECT_CONTEXT *SubjectContext);
VOID SeLockSubjectContext(SECURITY_SUBJECT_CONTEXT *SubjectContext);
VOID SeUnlockSubjectContext(SECURITY_SUBJECT_CONTEXT *SubjectContext);
VOID SeReleaseSubjectContext(SECURITY_SUBJECT_CONTEXT *SubjectContext);
BOOLEAN SeAccessCheck(PSECURITY_DESCRIPTOR SecurityDescriptor,
	SECURITY_SUBJECT_CONTEXT *SubjectSecurityContext, BOOLEAN SubjectContextLocked,
	ACCESS_MASK DesiredAccess, ACCESS_MASK PreviouslyGrantedAccess, PRIVILEGE_SET **Privileges,
	GENERIC_MAPPING *GenericMapping, KPROCESSOR_MODE AccessMode, ACCESS_MASK *GrantedAccess,
	NTSTATUS *AccessStatus);
NTSTATUS SeCreateClientSecurity(PETHREAD ClientThread, SECURITY_QUALITY_OF_SERVICE *ClientSecurityQos,
	BOOLEAN RemoteSession, SECURITY_CLIENT_CONTEXT *ClientContext);
NTSTATUS SeImpersonateClientEx(SECURITY_CLIENT_CONTEXT *ClientContext, PETHREAD ServerThread);
VOID PsRevertToSelf(VOID);
VOID PsDereferenceImpersonationToken(PACCESS_TOKEN ImpersonationToken);
VOID PsDereferencePrimaryToken(PACCESS_TOKEN PrimaryToken);

#endif
