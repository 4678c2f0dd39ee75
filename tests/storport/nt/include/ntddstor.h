/* SPDX-License-Identifier: BSD-2-Clause */
/* ntddstor.h: what can be asked of a disk or of a volume. */
#ifndef LF_TESTS_NT_NTDDSTOR_H
#define LF_TESTS_NT_NTDDSTOR_H

#define IOCTL_STORAGE_BASE           FILE_DEVICE_MASS_STORAGE
#define IOCTL_STORAGE_QUERY_PROPERTY CTL_CODE(IOCTL_STORAGE_BASE, 0x0500, METHOD_BUFFERED, FILE_ANY_ACCESS)

typedef enum _STORAGE_QUERY_TYPE {
	PropertyStandardQuery,
	PropertyExistsQuery,
	PropertyMaskQuery,
	PropertyQueryMaxDefined,
} STORAGE_QUERY_TYPE;

typedef enum _STORAGE_PROPERTY_ID {
	StorageDeviceProperty,
	StorageAdapterProperty,
	StorageDeviceIdProperty,
	StorageDeviceUniqueIdProperty,
	StorageDeviceWriteCacheProperty,
	StorageMiniportProperty,
	StorageAccessAlignmentProperty,
	StorageDeviceSeekPenaltyProperty,
	StorageDeviceTrimProperty,
} STORAGE_PROPERTY_ID;

typedef struct _STORAGE_PROPERTY_QUERY {
	STORAGE_PROPERTY_ID PropertyId;
	STORAGE_QUERY_TYPE QueryType;
	UCHAR AdditionalParameters[1];
} STORAGE_PROPERTY_QUERY, *PSTORAGE_PROPERTY_QUERY;

typedef struct _STORAGE_DESCRIPTOR_HEADER {
	ULONG Version;
	ULONG Size;
} STORAGE_DESCRIPTOR_HEADER, *PSTORAGE_DESCRIPTOR_HEADER;

typedef enum _STORAGE_IDENTIFIER_CODE_SET {
	StorageIdCodeSetReserved,
	StorageIdCodeSetBinary,
	StorageIdCodeSetAscii,
	StorageIdCodeSetUtf8,
} STORAGE_IDENTIFIER_CODE_SET;

typedef enum _STORAGE_IDENTIFIER_TYPE {
	StorageIdTypeVendorSpecific,
	StorageIdTypeVendorId,
	StorageIdTypeEUI64,
	StorageIdTypeFCPHName,
	StorageIdTypePortRelative,
	StorageIdTypeTargetPortGroup,
	StorageIdTypeLogicalUnitGroup,
	StorageIdTypeMD5LogicalUnitIdentifier,
	StorageIdTypeScsiNameString,
} STORAGE_IDENTIFIER_TYPE;

typedef enum _STORAGE_ASSOCIATION_TYPE {
	StorageIdAssocDevice,
	StorageIdAssocPort,
	StorageIdAssocTarget,
} STORAGE_ASSOCIATION_TYPE;

/* NextOffset: from this one to the next, 0 in the last. */
typedef struct _STORAGE_IDENTIFIER {
	STORAGE_IDENTIFIER_CODE_SET CodeSet;
	STORAGE_IDENTIFIER_TYPE Type;
	USHORT IdentifierSize;
	USHORT NextOffset;
	STORAGE_ASSOCIATION_TYPE Association;
	UCHAR Identifier[1];
} STORAGE_IDENTIFIER, *PSTORAGE_IDENTIFIER;

typedef struct _STORAGE_DEVICE_ID_DESCRIPTOR {
	ULONG Version;
	ULONG Size;
	ULONG NumberOfIdentifiers;
	UCHAR Identifiers[1];
} STORAGE_DEVICE_ID_DESCRIPTOR, *PSTORAGE_DEVICE_ID_DESCRIPTOR;

#endif
