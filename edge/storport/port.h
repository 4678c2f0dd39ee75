/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.h: Storport's structures and functions, as far as a virtual miniport needs them, by the names that its
 * documents give them. A build with the WDK takes the WDK's own header; either way every offset that we rely
 * on is asserted at the end.
 */
#ifndef LF_STORPORT_PORT_H
#define LF_STORPORT_PORT_H

#include "platform/nt.h"

#ifdef LF_WDK

#include <ntddscsi.h> /* IOCTL_MINIPORT_PROCESS_SERVICE_IRP */
#include <storport.h>

#else

/* ---- What we register ---- */

struct _SCSI_REQUEST_BLOCK;
struct _PORT_CONFIGURATION_INFORMATION;

enum {
	STOR_FEATURE_VIRTUAL_MINIPORT = 0x1,
	STOR_FEATURE_FULL_PNP_DEVICE_CAPABILITIES = 0x4,
	STOR_FEATURE_ADAPTER_NOT_REQUIRE_IO_PORT = 0x200,
	SRB_TYPE_FLAG_SCSI_REQUEST_BLOCK = 0x1,
	SRB_TYPE_FLAG_STORAGE_REQUEST_BLOCK = 0x2,
	ADDRESS_TYPE_FLAG_BTL8 = 0x1,
	SRB_TYPE_STORAGE_REQUEST_BLOCK = 1,
	STOR_MAP_NON_READ_WRITE_BUFFERS = 2,
	SCSI_DMA64_MINIPORT_FULL64BIT_SUPPORTED = 2,
	SP_RETURN_FOUND = 1,
	SP_RETURN_ERROR = 2,
	SP_RETURN_BAD_CONFIG = 3,
	StorSynchronizeFullDuplex = 1,
};

typedef enum _SCSI_ADAPTER_CONTROL_TYPE {
	ScsiQuerySupportedControlTypes = 0,
	ScsiStopAdapter = 1,
	ScsiRestartAdapter = 2,
	ScsiAdapterPower = 6,
	ScsiAdapterSurpriseRemoval = 16,
} SCSI_ADAPTER_CONTROL_TYPE;

typedef enum _SCSI_ADAPTER_CONTROL_STATUS {
	ScsiAdapterControlSuccess,
	ScsiAdapterControlUnsuccessful
} SCSI_ADAPTER_CONTROL_STATUS;

typedef enum _SCSI_UNIT_CONTROL_TYPE {
	ScsiQuerySupportedUnitControlTypes = 0,
	ScsiUnitUsage = 1,
	ScsiUnitStart = 2,
	ScsiUnitPower = 3,
	ScsiUnitRemove = 9,
	ScsiUnitSurpriseRemoval = 10,
} SCSI_UNIT_CONTROL_TYPE;

typedef enum _SCSI_UNIT_CONTROL_STATUS {
	ScsiUnitControlSuccess,
	ScsiUnitControlUnsuccessful
} SCSI_UNIT_CONTROL_STATUS;

typedef BOOLEAN (*PHW_INITIALIZE)(PVOID extension);
typedef BOOLEAN (*PHW_STARTIO)(PVOID extension, struct _SCSI_REQUEST_BLOCK *srb);
typedef BOOLEAN (*PHW_RESET_BUS)(PVOID extension, ULONG path);
typedef SCSI_ADAPTER_CONTROL_STATUS (*PHW_ADAPTER_CONTROL)(
	PVOID extension, SCSI_ADAPTER_CONTROL_TYPE type, PVOID parameters);
typedef SCSI_UNIT_CONTROL_STATUS (*PHW_UNIT_CONTROL)(
	PVOID extension, SCSI_UNIT_CONTROL_TYPE type, PVOID parameters);
typedef VOID (*PHW_FREE_ADAPTER_RESOURCES)(PVOID extension);
typedef VOID (*PHW_PROCESS_SERVICE_REQUEST)(PVOID extension, PVOID irp);
typedef VOID (*PHW_COMPLETE_SERVICE_IRP)(PVOID extension);
typedef BOOLEAN (*PHW_PASSIVE_INITIALIZE_ROUTINE)(PVOID extension);

/* Windows 8 and later; the virtual miniport's HwFindAdapter has seven arguments, which no type here says. */
typedef struct _HW_INITIALIZATION_DATA {
	ULONG HwInitializationDataSize;
	ULONG AdapterInterfaceType;
	PHW_INITIALIZE HwInitialize;
	PHW_STARTIO HwStartIo;
	PVOID HwInterrupt;
	PVOID HwFindAdapter;
	PHW_RESET_BUS HwResetBus;
	PVOID HwDmaStarted;
	PVOID HwAdapterState;
	ULONG DeviceExtensionSize;
	ULONG SpecificLuExtensionSize;
	ULONG SrbExtensionSize;
	ULONG NumberOfAccessRanges;
	PVOID Reserved;
	UCHAR MapBuffers;
	BOOLEAN NeedPhysicalAddresses;
	BOOLEAN TaggedQueuing;
	BOOLEAN AutoRequestSense;
	BOOLEAN MultipleRequestPerLu;
	BOOLEAN ReceiveEvent;
	USHORT VendorIdLength;
	PVOID VendorId;
	USHORT PortVersionFlags;
	USHORT DeviceIdLength;
	PVOID DeviceId;
	PHW_ADAPTER_CONTROL HwAdapterControl;
	PVOID HwBuildIo;
	PHW_FREE_ADAPTER_RESOURCES HwFreeAdapterResources;
	PHW_PROCESS_SERVICE_REQUEST HwProcessServiceRequest;
	PHW_COMPLETE_SERVICE_IRP HwCompleteServiceIrp;
	PVOID HwInitializeTracing;
	PVOID HwCleanupTracing;
	PVOID HwTracingEnabled;
	ULONG FeatureSupport;
	ULONG SrbTypeFlags;
	ULONG AddressTypeFlags;
	ULONG Reserved1;
	PHW_UNIT_CONTROL HwUnitControl;
} HW_INITIALIZATION_DATA;

/* ---- What HwFindAdapter fills in; Length says how much of it this Storport has ---- */

typedef struct _PORT_CONFIGURATION_INFORMATION {
	ULONG Length;
	ULONG SystemIoBusNumber;
	ULONG AdapterInterfaceType;
	ULONG BusInterruptLevel;
	ULONG BusInterruptVector;
	ULONG InterruptMode;
	ULONG MaximumTransferLength;
	ULONG NumberOfPhysicalBreaks;
	ULONG DmaChannel;
	ULONG DmaPort;
	ULONG DmaWidth;
	ULONG DmaSpeed;
	ULONG AlignmentMask;
	ULONG NumberOfAccessRanges;
	PVOID AccessRanges;
	PVOID MiniportDumpData;
	UCHAR NumberOfBuses;
	UCHAR InitiatorBusId[8];
	BOOLEAN ScatterGather;
	BOOLEAN Master;
	BOOLEAN CachesData;
	BOOLEAN AdapterScansDown;
	BOOLEAN AtdiskPrimaryClaimed;
	BOOLEAN AtdiskSecondaryClaimed;
	BOOLEAN Dma32BitAddresses;
	BOOLEAN DemandMode;
	UCHAR MapBuffers;
	BOOLEAN NeedPhysicalAddresses;
	BOOLEAN TaggedQueuing;
	BOOLEAN AutoRequestSense;
	BOOLEAN MultipleRequestPerLu;
	BOOLEAN ReceiveEvent;
	BOOLEAN RealModeInitialized;
	BOOLEAN BufferAccessScsiPortControlled;
	UCHAR MaximumNumberOfTargets;
	UCHAR SrbType;
	UCHAR AddressType;
	ULONG SlotNumber;
	ULONG BusInterruptLevel2;
	ULONG BusInterruptVector2;
	ULONG InterruptMode2;
	ULONG DmaChannel2;
	ULONG DmaPort2;
	ULONG DmaWidth2;
	ULONG DmaSpeed2;
	ULONG DeviceExtensionSize;
	ULONG SpecificLuExtensionSize;
	ULONG SrbExtensionSize;
	UCHAR Dma64BitAddresses;
	BOOLEAN ResetTargetSupported;
	UCHAR MaximumNumberOfLogicalUnits;
	BOOLEAN WmiDataProvider;
	ULONG SynchronizationModel;
	PVOID HwMSInterruptRoutine;
	ULONG InterruptSynchronizationMode;
	struct {
		PVOID VirtualBase;
		LONGLONG PhysicalBase;
		ULONG Length;
	} DumpRegion;
	ULONG RequestedDumpBufferSize;
	BOOLEAN VirtualDevice;
	UCHAR DumpMode;
	UCHAR DmaAddressWidth;
	ULONG ExtendedFlags1;
	ULONG MaxNumberOfIO;
	ULONG MaxIOsPerLun;
	ULONG InitialLunQueueDepth;
	ULONG BusResetHoldTime;
	ULONG FeatureSupport;
} PORT_CONFIGURATION_INFORMATION;

/* ---- SRBs ---- */

enum {
	SRB_FUNCTION_EXECUTE_SCSI = 0x00,
	SRB_FUNCTION_SHUTDOWN = 0x07,
	SRB_FUNCTION_FLUSH = 0x08,
	SRB_FUNCTION_RESET_BUS = 0x12,
	SRB_FUNCTION_RESET_DEVICE = 0x13,
	SRB_FUNCTION_RESET_LOGICAL_UNIT = 0x20,
	SRB_FUNCTION_POWER = 0x24,
	SRB_FUNCTION_PNP = 0x25,
	SRB_FUNCTION_STORAGE_REQUEST_BLOCK = 0x28,
};

enum {
	SRB_STATUS_PENDING = 0x00,
	SRB_STATUS_SUCCESS = 0x01,
	SRB_STATUS_ERROR = 0x04,
	SRB_STATUS_BUSY = 0x05,
	SRB_STATUS_INVALID_REQUEST = 0x06,
	SRB_STATUS_INVALID_PATH_ID = 0x07,
	SRB_STATUS_NO_DEVICE = 0x08,
	SRB_STATUS_TIMEOUT = 0x09,
	SRB_STATUS_BUS_RESET = 0x0e,
	SRB_STATUS_DATA_OVERRUN = 0x12,
	SRB_STATUS_INVALID_LUN = 0x20,
	SRB_STATUS_AUTOSENSE_VALID = 0x80,
};

enum {
	SRB_FLAGS_QUEUE_ACTION_ENABLE = 0x00000002,
	SRB_FLAGS_DISABLE_AUTOSENSE = 0x00000020,
	SRB_FLAGS_DATA_IN = 0x00000040,
	SRB_FLAGS_DATA_OUT = 0x00000080,
	SRB_SIMPLE_TAG_REQUEST = 0x20,
	SRB_HEAD_OF_QUEUE_TAG_REQUEST = 0x21,
	SRB_ORDERED_QUEUE_TAG_REQUEST = 0x22,
	SRB_PNP_FLAGS_ADAPTER_REQUEST = 0x0001,
	SRB_SIGNATURE = 0x53524258,
};

typedef struct _SCSI_REQUEST_BLOCK {
	USHORT Length;
	UCHAR Function; /* SRB_FUNCTION_STORAGE_REQUEST_BLOCK: it is an extended one */
	UCHAR SrbStatus;
	UCHAR ScsiStatus;
	UCHAR PathId;
	UCHAR TargetId;
	UCHAR Lun;
	UCHAR QueueTag;
	UCHAR QueueAction;
	UCHAR CdbLength;
	UCHAR SenseInfoBufferLength;
	ULONG SrbFlags;
	ULONG DataTransferLength;
	ULONG TimeOutValue;
	PVOID DataBuffer;
	PVOID SenseInfoBuffer;
	struct _SCSI_REQUEST_BLOCK *NextSrb;
	PVOID OriginalRequest;
	PVOID SrbExtension;
	ULONG QueueSortKey;
	ULONG Reserved;
	UCHAR Cdb[16];
} SCSI_REQUEST_BLOCK;

typedef enum _STOR_PNP_ACTION {
	StorStartDevice = 0x00,
	StorRemoveDevice = 0x02,
	StorStopDevice = 0x04,
	StorQueryCapabilities = 0x09,
	StorSurpriseRemoval = 0x17,
} STOR_PNP_ACTION;

typedef struct _SCSI_PNP_REQUEST_BLOCK {
	USHORT Length;
	UCHAR Function;
	UCHAR SrbStatus;
	UCHAR PnPSubFunction;
	UCHAR PathId;
	UCHAR TargetId;
	UCHAR Lun;
	STOR_PNP_ACTION PnPAction;
	ULONG SrbFlags;
	ULONG DataTransferLength;
	ULONG TimeOutValue;
	PVOID DataBuffer;
	PVOID SenseInfoBuffer;
	struct _SCSI_REQUEST_BLOCK *NextSrb;
	PVOID OriginalRequest;
	PVOID SrbExtension;
	ULONG SrbPnPFlags;
	ULONG Reserved;
	UCHAR Reserved4[16];
} SCSI_PNP_REQUEST_BLOCK;

/* In the order of their data, which differs where RawDeviceOK came in. */
typedef struct _STOR_DEVICE_CAPABILITIES {
	USHORT Version;
	USHORT Apart; /* where Windows compilers begin the bits; others would before */
	ULONG DeviceD1 : 1;
	ULONG DeviceD2 : 1;
	ULONG LockSupported : 1;
	ULONG EjectSupported : 1;
	ULONG Removable : 1;
	ULONG DockDevice : 1;
	ULONG UniqueID : 1;
	ULONG SilentInstall : 1;
	ULONG SurpriseRemovalOK : 1;
	ULONG NoDisplayInUI : 1;
} STOR_DEVICE_CAPABILITIES;

typedef struct _STOR_DEVICE_CAPABILITIES_EX {
	USHORT Version;
	USHORT Size;
	ULONG DeviceD1 : 1;
	ULONG DeviceD2 : 1;
	ULONG LockSupported : 1;
	ULONG EjectSupported : 1;
	ULONG Removable : 1;
	ULONG DockDevice : 1;
	ULONG UniqueID : 1;
	ULONG SilentInstall : 1;
	ULONG RawDeviceOK : 1;
	ULONG SurpriseRemovalOK : 1;
	ULONG NoDisplayInUI : 1;
	ULONG DefaultWriteCacheEnabled : 1;
	ULONG Reserved0 : 20;
	ULONG Address;
	ULONG UINumber;
	ULONG Reserved1[2];
} STOR_DEVICE_CAPABILITIES_EX;

/* ---- Extended SRBs ---- */

enum {
	STOR_ADDRESS_TYPE_BTL8 = 1,
	SrbExDataTypeScsiCdb16 = 0x40,
	SrbExDataTypeScsiCdb32 = 0x41,
	SrbExDataTypeScsiCdbVar = 0x42,
	SrbExDataTypePnP = 0x62,
};

typedef struct _STORAGE_REQUEST_BLOCK {
	USHORT Length;
	UCHAR Function;
	UCHAR SrbStatus;
	ULONG ReservedUlong1;
	ULONG Signature;
	ULONG Version;
	ULONG SrbLength;
	ULONG SrbFunction;
	ULONG SrbFlags;
	ULONG ReservedUlong2;
	ULONG RequestTag;
	USHORT RequestPriority;
	USHORT RequestAttribute;
	ULONG TimeOutValue;
	ULONG SystemStatus;
	ULONG ZeroGuard1;
	ULONG AddressOffset;
	ULONG NumSrbExData;
	ULONG DataTransferLength;
	PVOID DataBuffer;
	PVOID ZeroGuard2;
	PVOID OriginalRequest;
	PVOID ClassContext;
	PVOID PortContext;
	PVOID MiniportContext; /* the SRB extension */
	struct _STORAGE_REQUEST_BLOCK *NextSrb;
	ULONG SrbExDataOffset[1]; /* NumSrbExData of them */
} STORAGE_REQUEST_BLOCK;

typedef struct _STOR_ADDR_BTL8 {
	USHORT Type;
	USHORT Port;
	ULONG AddressLength;
	UCHAR Path;
	UCHAR Target;
	UCHAR Lun;
	UCHAR Reserved;
} STOR_ADDR_BTL8;

/* What all of the data behind SrbExDataOffset begin with. */
typedef struct _SRBEX_DATA {
	ULONG Type;
	ULONG Length; /* of what follows these two */
	UCHAR Data[1];
} SRBEX_DATA;

typedef struct _SRBEX_DATA_SCSI_CDB16 {
	ULONG Type;
	ULONG Length;
	UCHAR ScsiStatus;
	UCHAR SenseInfoBufferLength;
	UCHAR CdbLength;
	UCHAR Reserved;
	ULONG Reserved1;
	PVOID SenseInfoBuffer;
	UCHAR Cdb[16];
} SRBEX_DATA_SCSI_CDB16;

typedef struct _SRBEX_DATA_SCSI_CDB32 {
	ULONG Type;
	ULONG Length;
	UCHAR ScsiStatus;
	UCHAR SenseInfoBufferLength;
	UCHAR CdbLength;
	UCHAR Reserved;
	ULONG Reserved1;
	PVOID SenseInfoBuffer;
	UCHAR Cdb[32];
} SRBEX_DATA_SCSI_CDB32;

typedef struct _SRBEX_DATA_SCSI_CDB_VAR {
	ULONG Type;
	ULONG Length;
	UCHAR ScsiStatus;
	UCHAR SenseInfoBufferLength;
	UCHAR Reserved[2];
	ULONG CdbLength;
	ULONG Reserved1[2];
	PVOID SenseInfoBuffer;
	UCHAR Cdb[1];
} SRBEX_DATA_SCSI_CDB_VAR;

typedef struct _SRBEX_DATA_PNP {
	ULONG Type;
	ULONG Length;
	UCHAR PnPSubFunction;
	UCHAR Reserved[3];
	STOR_PNP_ACTION PnPAction;
	ULONG SrbPnPFlags;
	ULONG Reserved1;
} SRBEX_DATA_PNP;

/* ---- Control ---- */

/* MaxControlType is how many elements there are. */
typedef struct _SCSI_SUPPORTED_CONTROL_TYPE_LIST {
	ULONG MaxControlType;
	BOOLEAN SupportedTypeList[1];
} SCSI_SUPPORTED_CONTROL_TYPE_LIST;

typedef enum _SCSI_UC_DEVICE_USAGE_TYPE {
	ScsiDeviceUsageTypeUndefined,
	ScsiDeviceUsageTypePaging,
	ScsiDeviceUsageTypeHibernation,
	ScsiDeviceUsageTypeDumpFile,
	ScsiDeviceUsageTypeBoot,
} SCSI_UC_DEVICE_USAGE_TYPE;

typedef struct _STOR_UC_DEVICE_USAGE {
	STOR_ADDR_BTL8 *Address;
	SCSI_UC_DEVICE_USAGE_TYPE UsageType;
	BOOLEAN InUse;
} STOR_UC_DEVICE_USAGE;

/* CTL_CODE(4, 0x40e, METHOD_BUFFERED, read and write access). */
#define IOCTL_MINIPORT_PROCESS_SERVICE_IRP 0x0004d038

/* ---- Functions: three exports, the second and the third with as many arguments as their code wants ---- */

typedef enum _SCSI_NOTIFICATION_TYPE {
	RequestComplete = 0,
	BusChangeDetected = 7,
	EnablePassiveInitialization = 0x1000,
} SCSI_NOTIFICATION_TYPE;

typedef enum _STORPORT_FUNCTION_CODE {
	ExtFunctionGetSystemAddress = 5,
	ExtFunctionGetOriginalMdl = 6,
	ExtFunctionCompleteServiceIrp = 7,
	ExtFunctionSetAdapterBusType = 64,
} STORPORT_FUNCTION_CODE;

enum { STOR_STATUS_SUCCESS = 0 };

ULONG StorPortInitialize(PVOID driver, PVOID registry_path, HW_INITIALIZATION_DATA *data, PVOID context);
VOID StorPortNotification(SCSI_NOTIFICATION_TYPE type, PVOID extension, ...);
ULONG StorPortExtendedFunction(STORPORT_FUNCTION_CODE code, PVOID extension, ...);

static inline ULONG StorPortGetSystemAddress(PVOID extension, SCSI_REQUEST_BLOCK *srb, PVOID *address)
{
	return StorPortExtendedFunction(ExtFunctionGetSystemAddress, extension, srb, address);
}

static inline ULONG StorPortGetOriginalMdl(PVOID extension, SCSI_REQUEST_BLOCK *srb, PVOID *mdl)
{
	return StorPortExtendedFunction(ExtFunctionGetOriginalMdl, extension, srb, mdl);
}

static inline ULONG StorPortCompleteServiceIrp(PVOID extension, PVOID irp)
{
	return StorPortExtendedFunction(ExtFunctionCompleteServiceIrp, extension, irp);
}

static inline ULONG StorPortSetAdapterBusType(PVOID extension, ULONG bus_type)
{
	return StorPortExtendedFunction(ExtFunctionSetAdapterBusType, extension, bus_type);
}

static inline BOOLEAN StorPortEnablePassiveInitialization(
	PVOID extension, PHW_PASSIVE_INITIALIZE_ROUTINE routine)
{
	LONG granted = FALSE;

	StorPortNotification(EnablePassiveInitialization, extension, routine, &granted);
	return (BOOLEAN)(granted != FALSE);
}

#endif

/* ---- The layouts, on machines of 64 bits ---- */

#define LF_PORT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " has its size")
#define LF_PORT_PLACE(type, field, bytes)                                                                    \
	_Static_assert(offsetof(type, field) == (bytes), #type "." #field " has its place")

LF_PORT_SIZE(HW_INITIALIZATION_DATA, 0xd0);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwInitializationDataSize, 0x00);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, AdapterInterfaceType, 0x04);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwInitialize, 0x08);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwStartIo, 0x10);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwInterrupt, 0x18);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwFindAdapter, 0x20);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwResetBus, 0x28);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwDmaStarted, 0x30);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwAdapterState, 0x38);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, DeviceExtensionSize, 0x40);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, SpecificLuExtensionSize, 0x44);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, SrbExtensionSize, 0x48);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, NumberOfAccessRanges, 0x4c);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, Reserved, 0x50);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, MapBuffers, 0x58);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, NeedPhysicalAddresses, 0x59);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, TaggedQueuing, 0x5a);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, AutoRequestSense, 0x5b);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, MultipleRequestPerLu, 0x5c);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, ReceiveEvent, 0x5d);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, VendorIdLength, 0x5e);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, VendorId, 0x60);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, PortVersionFlags, 0x68);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, DeviceIdLength, 0x6a);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, DeviceId, 0x70);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwAdapterControl, 0x78);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwBuildIo, 0x80);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwFreeAdapterResources, 0x88);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwProcessServiceRequest, 0x90);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwCompleteServiceIrp, 0x98);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwInitializeTracing, 0xa0);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwCleanupTracing, 0xa8);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwTracingEnabled, 0xb0);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, FeatureSupport, 0xb8);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, SrbTypeFlags, 0xbc);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, AddressTypeFlags, 0xc0);
LF_PORT_PLACE(HW_INITIALIZATION_DATA, HwUnitControl, 0xc8);

/* One may grow; what there was keeps its place. */
_Static_assert(sizeof(PORT_CONFIGURATION_INFORMATION) >= 0xe0, "PORT_CONFIGURATION_INFORMATION has its size");
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, Length, 0x00);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, SystemIoBusNumber, 0x04);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, AdapterInterfaceType, 0x08);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, BusInterruptLevel, 0x0c);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, BusInterruptVector, 0x10);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, InterruptMode, 0x14);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, MaximumTransferLength, 0x18);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, NumberOfPhysicalBreaks, 0x1c);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, DmaChannel, 0x20);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, DmaPort, 0x24);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, DmaWidth, 0x28);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, DmaSpeed, 0x2c);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, AlignmentMask, 0x30);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, NumberOfAccessRanges, 0x34);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, AccessRanges, 0x38);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, MiniportDumpData, 0x40);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, NumberOfBuses, 0x48);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, InitiatorBusId, 0x49);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, ScatterGather, 0x51);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, Master, 0x52);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, CachesData, 0x53);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, AdapterScansDown, 0x54);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, AtdiskPrimaryClaimed, 0x55);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, AtdiskSecondaryClaimed, 0x56);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, Dma32BitAddresses, 0x57);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, DemandMode, 0x58);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, MapBuffers, 0x59);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, NeedPhysicalAddresses, 0x5a);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, TaggedQueuing, 0x5b);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, AutoRequestSense, 0x5c);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, MultipleRequestPerLu, 0x5d);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, ReceiveEvent, 0x5e);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, RealModeInitialized, 0x5f);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, BufferAccessScsiPortControlled, 0x60);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, MaximumNumberOfTargets, 0x61);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, SrbType, 0x62);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, AddressType, 0x63);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, SlotNumber, 0x64);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, BusInterruptLevel2, 0x68);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, BusInterruptVector2, 0x6c);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, InterruptMode2, 0x70);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, DmaChannel2, 0x74);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, DmaPort2, 0x78);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, DmaWidth2, 0x7c);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, DmaSpeed2, 0x80);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, DeviceExtensionSize, 0x84);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, SpecificLuExtensionSize, 0x88);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, SrbExtensionSize, 0x8c);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, Dma64BitAddresses, 0x90);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, ResetTargetSupported, 0x91);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, MaximumNumberOfLogicalUnits, 0x92);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, WmiDataProvider, 0x93);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, SynchronizationModel, 0x94);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, HwMSInterruptRoutine, 0x98);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, InterruptSynchronizationMode, 0xa0);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, DumpRegion, 0xa8);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, RequestedDumpBufferSize, 0xc0);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, VirtualDevice, 0xc4);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, DumpMode, 0xc5);
#ifndef LF_WDK /* of version 2004: older kits have a hole there */
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, DmaAddressWidth, 0xc6);
#endif
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, ExtendedFlags1, 0xc8);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, MaxNumberOfIO, 0xcc);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, MaxIOsPerLun, 0xd0);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, InitialLunQueueDepth, 0xd4);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, BusResetHoldTime, 0xd8);
LF_PORT_PLACE(PORT_CONFIGURATION_INFORMATION, FeatureSupport, 0xdc);

LF_PORT_SIZE(SCSI_REQUEST_BLOCK, 0x58);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, Length, 0x00);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, Function, 0x02);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, SrbStatus, 0x03);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, ScsiStatus, 0x04);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, PathId, 0x05);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, TargetId, 0x06);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, Lun, 0x07);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, QueueTag, 0x08);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, QueueAction, 0x09);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, CdbLength, 0x0a);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, SenseInfoBufferLength, 0x0b);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, SrbFlags, 0x0c);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, DataTransferLength, 0x10);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, TimeOutValue, 0x14);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, DataBuffer, 0x18);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, SenseInfoBuffer, 0x20);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, NextSrb, 0x28);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, OriginalRequest, 0x30);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, SrbExtension, 0x38);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, QueueSortKey, 0x40);
LF_PORT_PLACE(SCSI_REQUEST_BLOCK, Cdb, 0x48);

LF_PORT_SIZE(SCSI_PNP_REQUEST_BLOCK, 0x58);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, Length, 0x00);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, Function, 0x02);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, SrbStatus, 0x03);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, PnPSubFunction, 0x04);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, PathId, 0x05);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, TargetId, 0x06);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, Lun, 0x07);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, PnPAction, 0x08);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, SrbFlags, 0x0c);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, DataTransferLength, 0x10);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, TimeOutValue, 0x14);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, DataBuffer, 0x18);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, SenseInfoBuffer, 0x20);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, NextSrb, 0x28);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, OriginalRequest, 0x30);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, SrbExtension, 0x38);
LF_PORT_PLACE(SCSI_PNP_REQUEST_BLOCK, SrbPnPFlags, 0x40);
LF_PORT_SIZE(STOR_DEVICE_CAPABILITIES, 0x08);
LF_PORT_PLACE(STOR_DEVICE_CAPABILITIES, Version, 0x00);
LF_PORT_SIZE(STOR_DEVICE_CAPABILITIES_EX, 0x18);
LF_PORT_PLACE(STOR_DEVICE_CAPABILITIES_EX, Version, 0x00);
LF_PORT_PLACE(STOR_DEVICE_CAPABILITIES_EX, Size, 0x02);
LF_PORT_PLACE(STOR_DEVICE_CAPABILITIES_EX, Address, 0x08);
LF_PORT_PLACE(STOR_DEVICE_CAPABILITIES_EX, UINumber, 0x0c);

LF_PORT_SIZE(STORAGE_REQUEST_BLOCK, 0x80);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, Length, 0x00);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, Function, 0x02);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, SrbStatus, 0x03);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, Signature, 0x08);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, Version, 0x0c);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, SrbLength, 0x10);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, SrbFunction, 0x14);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, SrbFlags, 0x18);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, RequestTag, 0x20);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, RequestPriority, 0x24);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, RequestAttribute, 0x26);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, TimeOutValue, 0x28);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, SystemStatus, 0x2c);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, ZeroGuard1, 0x30);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, AddressOffset, 0x34);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, NumSrbExData, 0x38);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, DataTransferLength, 0x3c);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, DataBuffer, 0x40);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, ZeroGuard2, 0x48);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, OriginalRequest, 0x50);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, ClassContext, 0x58);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, PortContext, 0x60);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, MiniportContext, 0x68);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, NextSrb, 0x70);
LF_PORT_PLACE(STORAGE_REQUEST_BLOCK, SrbExDataOffset, 0x78);

LF_PORT_PLACE(STOR_ADDR_BTL8, Type, 0x00); /* no size: the WDK fills it up */
LF_PORT_PLACE(STOR_ADDR_BTL8, Port, 0x02);
LF_PORT_PLACE(STOR_ADDR_BTL8, AddressLength, 0x04);
LF_PORT_PLACE(STOR_ADDR_BTL8, Path, 0x08);
LF_PORT_PLACE(STOR_ADDR_BTL8, Target, 0x09);
LF_PORT_PLACE(STOR_ADDR_BTL8, Lun, 0x0a);

LF_PORT_PLACE(SRBEX_DATA, Type, 0x00);
LF_PORT_PLACE(SRBEX_DATA, Length, 0x04);
LF_PORT_PLACE(SRBEX_DATA, Data, 0x08);
LF_PORT_SIZE(SRBEX_DATA_SCSI_CDB16, 0x28);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB16, Type, 0x00);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB16, Length, 0x04);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB16, ScsiStatus, 0x08);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB16, SenseInfoBufferLength, 0x09);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB16, CdbLength, 0x0a);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB16, SenseInfoBuffer, 0x10);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB16, Cdb, 0x18);
LF_PORT_SIZE(SRBEX_DATA_SCSI_CDB32, 0x38);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB32, Type, 0x00);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB32, Length, 0x04);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB32, ScsiStatus, 0x08);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB32, SenseInfoBufferLength, 0x09);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB32, CdbLength, 0x0a);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB32, SenseInfoBuffer, 0x10);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB32, Cdb, 0x18);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB_VAR, Type, 0x00);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB_VAR, Length, 0x04);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB_VAR, ScsiStatus, 0x08);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB_VAR, SenseInfoBufferLength, 0x09);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB_VAR, CdbLength, 0x0c);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB_VAR, SenseInfoBuffer, 0x18);
LF_PORT_PLACE(SRBEX_DATA_SCSI_CDB_VAR, Cdb, 0x20);
LF_PORT_SIZE(SRBEX_DATA_PNP, 0x18);
LF_PORT_PLACE(SRBEX_DATA_PNP, Type, 0x00);
LF_PORT_PLACE(SRBEX_DATA_PNP, Length, 0x04);
LF_PORT_PLACE(SRBEX_DATA_PNP, PnPSubFunction, 0x08);
LF_PORT_PLACE(SRBEX_DATA_PNP, PnPAction, 0x0c);
LF_PORT_PLACE(SRBEX_DATA_PNP, SrbPnPFlags, 0x10);

LF_PORT_PLACE(SCSI_SUPPORTED_CONTROL_TYPE_LIST, MaxControlType, 0x00);
LF_PORT_PLACE(SCSI_SUPPORTED_CONTROL_TYPE_LIST, SupportedTypeList, 0x04);
LF_PORT_SIZE(STOR_UC_DEVICE_USAGE, 0x10);
LF_PORT_PLACE(STOR_UC_DEVICE_USAGE, Address, 0x00);
LF_PORT_PLACE(STOR_UC_DEVICE_USAGE, UsageType, 0x08);
LF_PORT_PLACE(STOR_UC_DEVICE_USAGE, InUse, 0x0c);

#endif
