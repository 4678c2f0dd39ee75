/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.h: Storport's structures and codes as the port driver of the tests sees them (x64). Written from
 * Microsoft's public documentation and from dumps of types, without a look at the driver's own declarations:
 * where the two differ, a test breaks. Field names are Microsoft's, so that its pages can be read beside
 * this one. Never included by the driver, and never together with the driver's header.
 */
#ifndef LF_TESTS_STORPORT_HOST_PORT_H
#define LF_TESTS_STORPORT_HOST_PORT_H

#include <stddef.h>
#include <ntifs.h>

#define HOST_AT(kind, field, offset)                                                                         \
	_Static_assert(offsetof(struct kind, field) == (offset), #kind "." #field " is at its place")
#define HOST_SIZE(kind, bytes) _Static_assert(sizeof(struct kind) == (bytes), #kind " has its size")

/* ---- Addresses ---- */

#define HOST_ADDRESS_BTL8        1
#define HOST_ADDRESS_BTL8_LENGTH 4

struct host_address {
	USHORT Type;
	USHORT Port;
	ULONG AddressLength;
};

struct host_address_btl8 {
	USHORT Type; /* HOST_ADDRESS_BTL8 */
	USHORT Port;
	ULONG AddressLength; /* HOST_ADDRESS_BTL8_LENGTH */
	UCHAR Path;
	UCHAR Target;
	UCHAR Lun;
	UCHAR Reserved;
};

HOST_AT(host_address, Type, 0x00);
HOST_AT(host_address, Port, 0x02);
HOST_AT(host_address, AddressLength, 0x04);
HOST_SIZE(host_address, 8);
HOST_AT(host_address_btl8, Type, 0x00);
HOST_AT(host_address_btl8, Port, 0x02);
HOST_AT(host_address_btl8, AddressLength, 0x04);
HOST_AT(host_address_btl8, Path, 0x08);
HOST_AT(host_address_btl8, Target, 0x09);
HOST_AT(host_address_btl8, Lun, 0x0a);
HOST_AT(host_address_btl8, Reserved, 0x0b);
HOST_SIZE(host_address_btl8, 12);

/* ---- The old SRB, and what its bytes mean for some functions ---- */

struct host_srb {
	USHORT Length;
	UCHAR Function;
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
	ULONG TimeOutValue; /* s */
	void *DataBuffer;
	void *SenseInfoBuffer;
	struct host_srb *NextSrb;
	void *OriginalRequest;
	void *SrbExtension;
	ULONG QueueSortKey;
	ULONG Reserved;
	UCHAR Cdb[16];
};

HOST_AT(host_srb, Length, 0x00);
HOST_AT(host_srb, Function, 0x02);
HOST_AT(host_srb, SrbStatus, 0x03);
HOST_AT(host_srb, ScsiStatus, 0x04);
HOST_AT(host_srb, PathId, 0x05);
HOST_AT(host_srb, TargetId, 0x06);
HOST_AT(host_srb, Lun, 0x07);
HOST_AT(host_srb, QueueTag, 0x08);
HOST_AT(host_srb, QueueAction, 0x09);
HOST_AT(host_srb, CdbLength, 0x0a);
HOST_AT(host_srb, SenseInfoBufferLength, 0x0b);
HOST_AT(host_srb, SrbFlags, 0x0c);
HOST_AT(host_srb, DataTransferLength, 0x10);
HOST_AT(host_srb, TimeOutValue, 0x14);
HOST_AT(host_srb, DataBuffer, 0x18);
HOST_AT(host_srb, SenseInfoBuffer, 0x20);
HOST_AT(host_srb, NextSrb, 0x28);
HOST_AT(host_srb, OriginalRequest, 0x30);
HOST_AT(host_srb, SrbExtension, 0x38);
HOST_AT(host_srb, QueueSortKey, 0x40);
HOST_AT(host_srb, Reserved, 0x44);
HOST_AT(host_srb, Cdb, 0x48);
HOST_SIZE(host_srb, 0x58);

/* HOST_SRB_PNP */
struct host_srb_pnp {
	USHORT Length;
	UCHAR Function;
	UCHAR SrbStatus;
	UCHAR PnPSubFunction;
	UCHAR PathId;
	UCHAR TargetId;
	UCHAR Lun;
	ULONG PnPAction; /* enum host_pnp_action */
	ULONG SrbFlags;
	ULONG DataTransferLength;
	ULONG TimeOutValue;
	void *DataBuffer;
	void *SenseInfoBuffer;
	struct host_srb *NextSrb;
	void *OriginalRequest;
	void *SrbExtension;
	ULONG SrbPnPFlags; /* HOST_ADAPTER_REQUEST */
	ULONG Reserved;
	UCHAR Reserved4[16];
};

HOST_AT(host_srb_pnp, Length, 0x00);
HOST_AT(host_srb_pnp, Function, 0x02);
HOST_AT(host_srb_pnp, SrbStatus, 0x03);
HOST_AT(host_srb_pnp, PnPSubFunction, 0x04);
HOST_AT(host_srb_pnp, PathId, 0x05);
HOST_AT(host_srb_pnp, TargetId, 0x06);
HOST_AT(host_srb_pnp, Lun, 0x07);
HOST_AT(host_srb_pnp, PnPAction, 0x08);
HOST_AT(host_srb_pnp, SrbFlags, 0x0c);
HOST_AT(host_srb_pnp, DataTransferLength, 0x10);
HOST_AT(host_srb_pnp, TimeOutValue, 0x14);
HOST_AT(host_srb_pnp, DataBuffer, 0x18);
HOST_AT(host_srb_pnp, SenseInfoBuffer, 0x20);
HOST_AT(host_srb_pnp, NextSrb, 0x28);
HOST_AT(host_srb_pnp, OriginalRequest, 0x30);
HOST_AT(host_srb_pnp, SrbExtension, 0x38);
HOST_AT(host_srb_pnp, SrbPnPFlags, 0x40);
HOST_SIZE(host_srb_pnp, 0x58);

/* HOST_SRB_POWER */
struct host_srb_power {
	USHORT Length;
	UCHAR Function;
	UCHAR SrbStatus;
	UCHAR SrbPowerFlags; /* HOST_ADAPTER_REQUEST */
	UCHAR PathId;
	UCHAR TargetId;
	UCHAR Lun;
	ULONG DevicePowerState; /* 1 D0 to 4 D3 */
	ULONG SrbFlags;
	ULONG DataTransferLength;
	ULONG TimeOutValue;
	void *DataBuffer;
	void *SenseInfoBuffer;
	struct host_srb *NextSrb;
	void *OriginalRequest;
	void *SrbExtension;
	ULONG PowerAction; /* enum host_power_action */
	ULONG Reserved;
	UCHAR Reserved5[16];
};

HOST_AT(host_srb_power, Length, 0x00);
HOST_AT(host_srb_power, Function, 0x02);
HOST_AT(host_srb_power, SrbStatus, 0x03);
HOST_AT(host_srb_power, SrbPowerFlags, 0x04);
HOST_AT(host_srb_power, PathId, 0x05);
HOST_AT(host_srb_power, TargetId, 0x06);
HOST_AT(host_srb_power, Lun, 0x07);
HOST_AT(host_srb_power, DevicePowerState, 0x08);
HOST_AT(host_srb_power, SrbFlags, 0x0c);
HOST_AT(host_srb_power, DataTransferLength, 0x10);
HOST_AT(host_srb_power, TimeOutValue, 0x14);
HOST_AT(host_srb_power, DataBuffer, 0x18);
HOST_AT(host_srb_power, SenseInfoBuffer, 0x20);
HOST_AT(host_srb_power, NextSrb, 0x28);
HOST_AT(host_srb_power, OriginalRequest, 0x30);
HOST_AT(host_srb_power, SrbExtension, 0x38);
HOST_AT(host_srb_power, PowerAction, 0x40);
HOST_SIZE(host_srb_power, 0x58);

/* In SrbPnPFlags and SrbPowerFlags: it concerns the adapter, not the unit at the address. */
#define HOST_ADAPTER_REQUEST 1

/* ---- The SRB of Windows 8 ---- */

#define HOST_SRBEX_SIGNATURE 0x53524258 /* "SRBX" read as a number */
#define HOST_SRBEX_VERSION   1
#define HOST_SRBEX_LENGTH    8 /* in Length: where the signature lies */

struct host_srbex {
	USHORT Length;  /* HOST_SRBEX_LENGTH */
	UCHAR Function; /* HOST_SRB_EXTENDED */
	UCHAR SrbStatus;
	ULONG ReservedUlong1;
	ULONG Signature;
	ULONG Version;
	ULONG SrbLength; /* of all: this, the address, the data */
	ULONG SrbFunction;
	ULONG SrbFlags;
	ULONG ReservedUlong2;
	ULONG RequestTag;
	USHORT RequestPriority;
	USHORT RequestAttribute; /* enum host_queue_action */
	ULONG TimeOutValue;
	ULONG SystemStatus;
	ULONG ZeroGuard1;
	ULONG AddressOffset;
	ULONG NumSrbExData;
	ULONG DataTransferLength;
	void *DataBuffer;
	void *ZeroGuard2;
	void *OriginalRequest;
	void *ClassContext;
	void *PortContext;
	void *MiniportContext; /* the SRB extension */
	struct host_srbex *NextSrb;
	ULONG SrbExDataOffset[1]; /* NumSrbExData of them */
};

HOST_AT(host_srbex, Length, 0x00);
HOST_AT(host_srbex, Function, 0x02);
HOST_AT(host_srbex, SrbStatus, 0x03);
HOST_AT(host_srbex, ReservedUlong1, 0x04);
HOST_AT(host_srbex, Signature, 0x08);
HOST_AT(host_srbex, Version, 0x0c);
HOST_AT(host_srbex, SrbLength, 0x10);
HOST_AT(host_srbex, SrbFunction, 0x14);
HOST_AT(host_srbex, SrbFlags, 0x18);
HOST_AT(host_srbex, ReservedUlong2, 0x1c);
HOST_AT(host_srbex, RequestTag, 0x20);
HOST_AT(host_srbex, RequestPriority, 0x24);
HOST_AT(host_srbex, RequestAttribute, 0x26);
HOST_AT(host_srbex, TimeOutValue, 0x28);
HOST_AT(host_srbex, SystemStatus, 0x2c);
HOST_AT(host_srbex, ZeroGuard1, 0x30);
HOST_AT(host_srbex, AddressOffset, 0x34);
HOST_AT(host_srbex, NumSrbExData, 0x38);
HOST_AT(host_srbex, DataTransferLength, 0x3c);
HOST_AT(host_srbex, DataBuffer, 0x40);
HOST_AT(host_srbex, ZeroGuard2, 0x48);
HOST_AT(host_srbex, OriginalRequest, 0x50);
HOST_AT(host_srbex, ClassContext, 0x58);
HOST_AT(host_srbex, PortContext, 0x60);
HOST_AT(host_srbex, MiniportContext, 0x68);
HOST_AT(host_srbex, NextSrb, 0x70);
HOST_AT(host_srbex, SrbExDataOffset, 0x78);
HOST_SIZE(host_srbex, 0x80);

/* ---- What an extended SRB carries ---- */

enum host_srbex_type {
	HOST_SRBEX_BIDIRECTIONAL = 0x01,
	HOST_SRBEX_CDB16 = 0x40,
	HOST_SRBEX_CDB32 = 0x41,
	HOST_SRBEX_CDB_VAR = 0x42,
	HOST_SRBEX_WMI = 0x60,
	HOST_SRBEX_POWER = 0x61,
	HOST_SRBEX_PNP = 0x62,
	HOST_SRBEX_IO_INFO = 0x80,
};

/* Length counts what follows these eight bytes. */
struct host_srbex_data {
	ULONG Type; /* enum host_srbex_type */
	ULONG Length;
};

struct host_srbex_cdb16 {
	ULONG Type;
	ULONG Length;
	UCHAR ScsiStatus;
	UCHAR SenseInfoBufferLength;
	UCHAR CdbLength;
	UCHAR Reserved;
	ULONG Reserved1;
	void *SenseInfoBuffer;
	UCHAR Cdb[16];
};

struct host_srbex_cdb32 {
	ULONG Type;
	ULONG Length;
	UCHAR ScsiStatus;
	UCHAR SenseInfoBufferLength;
	UCHAR CdbLength;
	UCHAR Reserved;
	ULONG Reserved1;
	void *SenseInfoBuffer;
	UCHAR Cdb[32];
};

struct host_srbex_cdb_var {
	ULONG Type;
	ULONG Length;
	UCHAR ScsiStatus;
	UCHAR SenseInfoBufferLength;
	UCHAR Reserved[2];
	ULONG CdbLength;
	ULONG Reserved1[2];
	void *SenseInfoBuffer;
	UCHAR Cdb[1];
};

struct host_srbex_power {
	ULONG Type;
	ULONG Length;
	UCHAR SrbPowerFlags; /* HOST_ADAPTER_REQUEST */
	UCHAR Reserved[3];
	ULONG DevicePowerState;
	ULONG PowerAction; /* enum host_power_action */
};

struct host_srbex_pnp {
	ULONG Type;
	ULONG Length;
	UCHAR PnPSubFunction;
	UCHAR Reserved[3];
	ULONG PnPAction;   /* enum host_pnp_action */
	ULONG SrbPnPFlags; /* HOST_ADAPTER_REQUEST */
	ULONG Reserved1;
};

struct host_srbex_io_info {
	ULONG Type;
	ULONG Length;
	ULONG Flags;
	ULONG Key;
	ULONG RWLength;
	BOOLEAN IsWriteRequest;
	UCHAR CachePriority;
	UCHAR Reserved[2];
	ULONG Reserved1[4];
};

HOST_AT(host_srbex_data, Type, 0x00);
HOST_AT(host_srbex_data, Length, 0x04);
HOST_SIZE(host_srbex_data, 0x08);
HOST_AT(host_srbex_cdb16, Type, 0x00);
HOST_AT(host_srbex_cdb16, Length, 0x04);
HOST_AT(host_srbex_cdb16, ScsiStatus, 0x08);
HOST_AT(host_srbex_cdb16, SenseInfoBufferLength, 0x09);
HOST_AT(host_srbex_cdb16, CdbLength, 0x0a);
HOST_AT(host_srbex_cdb16, SenseInfoBuffer, 0x10);
HOST_AT(host_srbex_cdb16, Cdb, 0x18);
HOST_SIZE(host_srbex_cdb16, 0x28);
HOST_AT(host_srbex_cdb32, Type, 0x00);
HOST_AT(host_srbex_cdb32, Length, 0x04);
HOST_AT(host_srbex_cdb32, ScsiStatus, 0x08);
HOST_AT(host_srbex_cdb32, SenseInfoBufferLength, 0x09);
HOST_AT(host_srbex_cdb32, CdbLength, 0x0a);
HOST_AT(host_srbex_cdb32, SenseInfoBuffer, 0x10);
HOST_AT(host_srbex_cdb32, Cdb, 0x18);
HOST_SIZE(host_srbex_cdb32, 0x38);
HOST_AT(host_srbex_cdb_var, Type, 0x00);
HOST_AT(host_srbex_cdb_var, Length, 0x04);
HOST_AT(host_srbex_cdb_var, ScsiStatus, 0x08);
HOST_AT(host_srbex_cdb_var, SenseInfoBufferLength, 0x09);
HOST_AT(host_srbex_cdb_var, CdbLength, 0x0c);
HOST_AT(host_srbex_cdb_var, SenseInfoBuffer, 0x18);
HOST_AT(host_srbex_cdb_var, Cdb, 0x20);
HOST_AT(host_srbex_power, Type, 0x00);
HOST_AT(host_srbex_power, Length, 0x04);
HOST_AT(host_srbex_power, SrbPowerFlags, 0x08);
HOST_AT(host_srbex_power, DevicePowerState, 0x0c);
HOST_AT(host_srbex_power, PowerAction, 0x10);
HOST_SIZE(host_srbex_power, 0x14);
HOST_AT(host_srbex_pnp, Type, 0x00);
HOST_AT(host_srbex_pnp, Length, 0x04);
HOST_AT(host_srbex_pnp, PnPSubFunction, 0x08);
HOST_AT(host_srbex_pnp, PnPAction, 0x0c);
HOST_AT(host_srbex_pnp, SrbPnPFlags, 0x10);
HOST_SIZE(host_srbex_pnp, 0x18);
HOST_AT(host_srbex_io_info, Type, 0x00);
HOST_AT(host_srbex_io_info, Length, 0x04);
HOST_AT(host_srbex_io_info, Flags, 0x08);
HOST_AT(host_srbex_io_info, Key, 0x0c);
HOST_AT(host_srbex_io_info, RWLength, 0x10);
HOST_AT(host_srbex_io_info, IsWriteRequest, 0x14);
HOST_AT(host_srbex_io_info, CachePriority, 0x15);
HOST_SIZE(host_srbex_io_info, 0x28);

/* ---- Codes in an SRB ---- */

enum host_srb_function {
	HOST_SRB_EXECUTE_SCSI = 0x00,
	HOST_SRB_IO_CONTROL = 0x02,
	HOST_SRB_SHUTDOWN = 0x07,
	HOST_SRB_FLUSH = 0x08,
	HOST_SRB_ABORT_COMMAND = 0x10, /* not sent, unless a miniport asks for it */
	HOST_SRB_RESET_BUS = 0x12,
	HOST_SRB_RESET_DEVICE = 0x13,
	HOST_SRB_REMOVE_DEVICE = 0x16,
	HOST_SRB_WMI = 0x17,
	HOST_SRB_RESET_LOGICAL_UNIT = 0x20,
	HOST_SRB_POWER = 0x24,
	HOST_SRB_PNP = 0x25,
	HOST_SRB_DUMP_POINTERS = 0x26,
	HOST_SRB_EXTENDED = 0x28, /* it is a host_srbex */
};

enum host_srb_status {
	HOST_STATUS_PENDING = 0x00,
	HOST_STATUS_SUCCESS = 0x01,
	HOST_STATUS_ABORTED = 0x02,
	HOST_STATUS_ABORT_FAILED = 0x03,
	HOST_STATUS_ERROR = 0x04,
	HOST_STATUS_BUSY = 0x05,
	HOST_STATUS_INVALID_REQUEST = 0x06,
	HOST_STATUS_INVALID_PATH_ID = 0x07,
	HOST_STATUS_NO_DEVICE = 0x08,
	HOST_STATUS_TIMEOUT = 0x09,
	HOST_STATUS_SELECTION_TIMEOUT = 0x0a,
	HOST_STATUS_COMMAND_TIMEOUT = 0x0b,
	HOST_STATUS_BUS_RESET = 0x0e,
	HOST_STATUS_NO_HBA = 0x11,
	HOST_STATUS_DATA_OVERRUN = 0x12,
	HOST_STATUS_BAD_SRB_BLOCK_LENGTH = 0x15,
	HOST_STATUS_REQUEST_FLUSHED = 0x16,
	HOST_STATUS_INVALID_LUN = 0x20,
	HOST_STATUS_INVALID_TARGET_ID = 0x21,
	HOST_STATUS_BAD_FUNCTION = 0x22,
	HOST_STATUS_NOT_POWERED = 0x24,
	HOST_STATUS_LINK_DOWN = 0x25,
	HOST_STATUS_INTERNAL_ERROR = 0x30,
	HOST_STATUS_MASK = 0x3f, /* below two flags: */
	HOST_STATUS_QUEUE_FROZEN = 0x40,
	HOST_STATUS_AUTOSENSE_VALID = 0x80,
};

enum host_srb_flags {
	HOST_FLAGS_QUEUE_ACTION_ENABLE = 0x00000002,
	HOST_FLAGS_DISABLE_AUTOSENSE = 0x00000020,
	HOST_FLAGS_DATA_IN = 0x00000040,
	HOST_FLAGS_DATA_OUT = 0x00000080,
	HOST_FLAGS_NO_QUEUE_FREEZE = 0x00000100,
	HOST_FLAGS_BYPASS_LOCKED_QUEUE = 0x00080000,
};

enum host_queue_action {
	HOST_QUEUE_SIMPLE = 0x20,
	HOST_QUEUE_HEAD = 0x21,
	HOST_QUEUE_ORDERED = 0x22,
};

enum host_pnp_action {
	HOST_PNP_START = 0x00,
	HOST_PNP_REMOVE = 0x02,
	HOST_PNP_STOP = 0x04,
	HOST_PNP_QUERY_CAPABILITIES = 0x09,
	HOST_PNP_QUERY_RESOURCES = 0x0b,
	HOST_PNP_FILTER_RESOURCES = 0x0d,
	HOST_PNP_SURPRISE_REMOVAL = 0x17,
};

enum host_power_action {
	HOST_POWER_NONE = 0,
	HOST_POWER_SLEEP = 2,
	HOST_POWER_HIBERNATE = 3,
	HOST_POWER_SHUTDOWN = 4,
	HOST_POWER_SHUTDOWN_RESET = 5,
	HOST_POWER_SHUTDOWN_OFF = 6,
};

enum host_power_state {
	HOST_POWER_D0 = 1,
	HOST_POWER_D3 = 4,
};

/* In DataBuffer of HOST_PNP_QUERY_CAPABILITIES; Version and Size are the port driver's. */
struct host_capabilities {
	USHORT Version; /* 1 */
	USHORT Size;
	ULONG Bits; /* enum host_capability_bits */
	ULONG Address;
	ULONG UINumber;
	ULONG Reserved1[2];
};

enum host_capability_bits {
	HOST_CAPABLE_D1 = 1 << 0,
	HOST_CAPABLE_D2 = 1 << 1,
	HOST_CAPABLE_LOCK = 1 << 2,
	HOST_CAPABLE_EJECT = 1 << 3,
	HOST_CAPABLE_REMOVABLE = 1 << 4,
	HOST_CAPABLE_DOCK = 1 << 5,
	HOST_CAPABLE_UNIQUE_ID = 1 << 6,
	HOST_CAPABLE_SILENT_INSTALL = 1 << 7,
	HOST_CAPABLE_RAW_DEVICE = 1 << 8,
	HOST_CAPABLE_SURPRISE_REMOVAL = 1 << 9,
	HOST_CAPABLE_NO_DISPLAY = 1 << 10,
	HOST_CAPABLE_WRITE_CACHE = 1 << 11,
};

HOST_AT(host_capabilities, Version, 0x00);
HOST_AT(host_capabilities, Size, 0x02);
HOST_AT(host_capabilities, Bits, 0x04);
HOST_AT(host_capabilities, Address, 0x08);
HOST_AT(host_capabilities, UINumber, 0x0c);
HOST_SIZE(host_capabilities, 0x18);

/* Of a miniport that has not asked for the full ones; all but RawDeviceOK, bits behind it one lower. */
struct host_capabilities_old {
	USHORT Version;
	ULONG Bits;
};

HOST_AT(host_capabilities_old, Version, 0x00);
HOST_AT(host_capabilities_old, Bits, 0x04);
HOST_SIZE(host_capabilities_old, 0x08);

/* In DataBuffer of HOST_SRB_IO_CONTROL, before the data. */
struct host_io_control {
	ULONG HeaderLength;
	UCHAR Signature[8];
	ULONG Timeout;
	ULONG ControlCode;
	ULONG ReturnCode;
	ULONG Length;
};

HOST_AT(host_io_control, HeaderLength, 0x00);
HOST_AT(host_io_control, Signature, 0x04);
HOST_AT(host_io_control, Timeout, 0x0c);
HOST_AT(host_io_control, ControlCode, 0x10);
HOST_AT(host_io_control, ReturnCode, 0x14);
HOST_AT(host_io_control, Length, 0x18);
HOST_SIZE(host_io_control, 0x1c);

/* ---- What HwFindAdapter is given ---- */

enum host_map_buffers {
	HOST_MAP_NONE = 0,
	HOST_MAP_ALL = 1,
	HOST_MAP_NON_READ_WRITE = 2,
	HOST_MAP_ALL_INCLUDING_READ_WRITE = 3,
};

#define HOST_UNINITIALIZED 0xffffffffu /* MaximumTransferLength, NumberOfPhysicalBreaks and more */

struct host_dump_region {
	void *VirtualBase;
	LARGE_INTEGER PhysicalBase;
	ULONG Length;
};

HOST_AT(host_dump_region, VirtualBase, 0x00);
HOST_AT(host_dump_region, PhysicalBase, 0x08);
HOST_AT(host_dump_region, Length, 0x10);
HOST_SIZE(host_dump_region, 0x18);

struct host_config {
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
	void *AccessRanges;
	void *MiniportDumpData;
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
	UCHAR MapBuffers; /* enum host_map_buffers */
	BOOLEAN NeedPhysicalAddresses;
	BOOLEAN TaggedQueuing;
	BOOLEAN AutoRequestSense;
	BOOLEAN MultipleRequestPerLu;
	BOOLEAN ReceiveEvent;
	BOOLEAN RealModeInitialized;
	BOOLEAN BufferAccessScsiPortControlled;
	UCHAR MaximumNumberOfTargets;
	UCHAR SrbType;     /* enum host_srb_type */
	UCHAR AddressType; /* 0: HOST_ADDRESS_BTL8 */
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
	UCHAR Dma64BitAddresses; /* enum host_dma64 */
	BOOLEAN ResetTargetSupported;
	UCHAR MaximumNumberOfLogicalUnits;
	BOOLEAN WmiDataProvider;
	ULONG SynchronizationModel; /* enum host_synchronization */
	void *HwMSInterruptRoutine;
	ULONG InterruptSynchronizationMode;
	struct host_dump_region DumpRegion;
	ULONG RequestedDumpBufferSize;
	BOOLEAN VirtualDevice;
	UCHAR DumpMode;
	UCHAR DmaAddressWidth;
	ULONG ExtendedFlags1;
	ULONG MaxNumberOfIO;
	ULONG MaxIOsPerLun;
	ULONG InitialLunQueueDepth;
	ULONG BusResetHoldTime; /* us */
	ULONG FeatureSupport;
};

enum host_srb_type {
	HOST_SRB_TYPE_OLD = 0,
	HOST_SRB_TYPE_EXTENDED = 1,
};

enum host_dma64 {
	HOST_DMA64_FULL = 2,
	HOST_DMA64_SYSTEM = 0x80, /* what the port driver says before */
};

enum host_synchronization {
	HOST_HALF_DUPLEX = 0,
	HOST_FULL_DUPLEX = 1,
};

HOST_AT(host_config, Length, 0x00);
HOST_AT(host_config, SystemIoBusNumber, 0x04);
HOST_AT(host_config, AdapterInterfaceType, 0x08);
HOST_AT(host_config, BusInterruptLevel, 0x0c);
HOST_AT(host_config, BusInterruptVector, 0x10);
HOST_AT(host_config, InterruptMode, 0x14);
HOST_AT(host_config, MaximumTransferLength, 0x18);
HOST_AT(host_config, NumberOfPhysicalBreaks, 0x1c);
HOST_AT(host_config, DmaChannel, 0x20);
HOST_AT(host_config, DmaPort, 0x24);
HOST_AT(host_config, DmaWidth, 0x28);
HOST_AT(host_config, DmaSpeed, 0x2c);
HOST_AT(host_config, AlignmentMask, 0x30);
HOST_AT(host_config, NumberOfAccessRanges, 0x34);
HOST_AT(host_config, AccessRanges, 0x38);
HOST_AT(host_config, MiniportDumpData, 0x40);
HOST_AT(host_config, NumberOfBuses, 0x48);
HOST_AT(host_config, InitiatorBusId, 0x49);
HOST_AT(host_config, ScatterGather, 0x51);
HOST_AT(host_config, Master, 0x52);
HOST_AT(host_config, CachesData, 0x53);
HOST_AT(host_config, AdapterScansDown, 0x54);
HOST_AT(host_config, AtdiskPrimaryClaimed, 0x55);
HOST_AT(host_config, AtdiskSecondaryClaimed, 0x56);
HOST_AT(host_config, Dma32BitAddresses, 0x57);
HOST_AT(host_config, DemandMode, 0x58);
HOST_AT(host_config, MapBuffers, 0x59);
HOST_AT(host_config, NeedPhysicalAddresses, 0x5a);
HOST_AT(host_config, TaggedQueuing, 0x5b);
HOST_AT(host_config, AutoRequestSense, 0x5c);
HOST_AT(host_config, MultipleRequestPerLu, 0x5d);
HOST_AT(host_config, ReceiveEvent, 0x5e);
HOST_AT(host_config, RealModeInitialized, 0x5f);
HOST_AT(host_config, BufferAccessScsiPortControlled, 0x60);
HOST_AT(host_config, MaximumNumberOfTargets, 0x61);
HOST_AT(host_config, SrbType, 0x62);
HOST_AT(host_config, AddressType, 0x63);
HOST_AT(host_config, SlotNumber, 0x64);
HOST_AT(host_config, BusInterruptLevel2, 0x68);
HOST_AT(host_config, BusInterruptVector2, 0x6c);
HOST_AT(host_config, InterruptMode2, 0x70);
HOST_AT(host_config, DmaChannel2, 0x74);
HOST_AT(host_config, DmaPort2, 0x78);
HOST_AT(host_config, DmaWidth2, 0x7c);
HOST_AT(host_config, DmaSpeed2, 0x80);
HOST_AT(host_config, DeviceExtensionSize, 0x84);
HOST_AT(host_config, SpecificLuExtensionSize, 0x88);
HOST_AT(host_config, SrbExtensionSize, 0x8c);
HOST_AT(host_config, Dma64BitAddresses, 0x90);
HOST_AT(host_config, ResetTargetSupported, 0x91);
HOST_AT(host_config, MaximumNumberOfLogicalUnits, 0x92);
HOST_AT(host_config, WmiDataProvider, 0x93);
HOST_AT(host_config, SynchronizationModel, 0x94);
HOST_AT(host_config, HwMSInterruptRoutine, 0x98);
HOST_AT(host_config, InterruptSynchronizationMode, 0xa0);
HOST_AT(host_config, DumpRegion, 0xa8);
HOST_AT(host_config, RequestedDumpBufferSize, 0xc0);
HOST_AT(host_config, VirtualDevice, 0xc4);
HOST_AT(host_config, DumpMode, 0xc5);
HOST_AT(host_config, DmaAddressWidth, 0xc6);
HOST_AT(host_config, ExtendedFlags1, 0xc8);
HOST_AT(host_config, MaxNumberOfIO, 0xcc);
HOST_AT(host_config, MaxIOsPerLun, 0xd0);
HOST_AT(host_config, InitialLunQueueDepth, 0xd4);
HOST_AT(host_config, BusResetHoldTime, 0xd8);
HOST_AT(host_config, FeatureSupport, 0xdc);
HOST_SIZE(host_config, 0xe0);

enum host_find_result {
	HOST_FIND_NOT_FOUND = 0,
	HOST_FIND_FOUND = 1,
	HOST_FIND_ERROR = 2,
	HOST_FIND_BAD_CONFIG = 3,
};

/* ---- Adapter and unit control ---- */

enum host_adapter_control {
	HOST_ADAPTER_QUERY_SUPPORTED = 0,
	HOST_ADAPTER_STOP = 1,
	HOST_ADAPTER_RESTART = 2,
	HOST_ADAPTER_SET_BOOT_CONFIG = 3,
	HOST_ADAPTER_SET_RUNNING_CONFIG = 4,
	HOST_ADAPTER_POWER_SETTING = 5,
	HOST_ADAPTER_POWER = 6,
	HOST_ADAPTER_POFX_POWER_REQUIRED = 7,
	HOST_ADAPTER_POFX_POWER_ACTIVE = 8,
	HOST_ADAPTER_POFX_SET_FSTATE = 9,
	HOST_ADAPTER_POFX_POWER_CONTROL = 10,
	HOST_ADAPTER_PREPARE_FOR_BUS_RESCAN = 11,
	HOST_ADAPTER_SYSTEM_POWER_HINTS = 12,
	HOST_ADAPTER_FILTER_RESOURCES = 13,
	HOST_ADAPTER_POFX_MAX_OPERATIONAL_POWER = 14,
	HOST_ADAPTER_POFX_SET_PERF_STATE = 15,
	HOST_ADAPTER_SURPRISE_REMOVAL = 16,
	HOST_ADAPTER_SERIAL_NUMBER = 17,
	HOST_ADAPTER_CONTROLS,
};

enum host_unit_control {
	HOST_UNIT_QUERY_SUPPORTED = 0,
	HOST_UNIT_USAGE = 1, /* a host_unit_usage */
	HOST_UNIT_START = 2, /* a host_address_btl8 */
	HOST_UNIT_POWER = 3, /* a host_unit_power */
	HOST_UNIT_POFX_POWER_INFO = 4,
	HOST_UNIT_POFX_POWER_REQUIRED = 5,
	HOST_UNIT_POFX_POWER_ACTIVE = 6,
	HOST_UNIT_POFX_SET_FSTATE = 7,
	HOST_UNIT_POFX_POWER_CONTROL = 8,
	HOST_UNIT_REMOVE = 9,            /* a host_address_btl8, PASSIVE_LEVEL */
	HOST_UNIT_SURPRISE_REMOVAL = 10, /* likewise */
	HOST_UNIT_RICH_DESCRIPTION = 11,
	HOST_UNIT_QUERY_BUS_TYPE = 12,
	HOST_UNIT_CONTROLS,
};

/* What HwAdapterControl and HwUnitControl return. */
enum host_control_status {
	HOST_CONTROL_SUCCESS = 0,
	HOST_CONTROL_UNSUCCESSFUL = 1,
};

/* Of both QUERY_SUPPORTED: a BOOLEAN for each control below MaxControlType. */
struct host_control_list {
	ULONG MaxControlType;
	BOOLEAN SupportedTypeList[1];
};

enum host_usage {
	HOST_USAGE_UNDEFINED = 0,
	HOST_USAGE_PAGING = 1,
	HOST_USAGE_HIBERNATION = 2,
	HOST_USAGE_DUMP_FILE = 3,
	HOST_USAGE_BOOT = 4,
};

struct host_unit_usage {
	struct host_address *Address;
	ULONG UsageType; /* enum host_usage */
	BOOLEAN InUse;
};

struct host_unit_power {
	struct host_address *Address;
	ULONG PowerAction; /* enum host_power_action */
	ULONG PowerState;  /* enum host_power_state */
};

HOST_AT(host_control_list, MaxControlType, 0x00);
HOST_AT(host_control_list, SupportedTypeList, 0x04);
HOST_AT(host_unit_usage, Address, 0x00);
HOST_AT(host_unit_usage, UsageType, 0x08);
HOST_AT(host_unit_usage, InUse, 0x0c);
HOST_SIZE(host_unit_usage, 0x10);
HOST_AT(host_unit_power, Address, 0x00);
HOST_AT(host_unit_power, PowerAction, 0x08);
HOST_AT(host_unit_power, PowerState, 0x0c);
HOST_SIZE(host_unit_power, 0x10);

/* ---- What a miniport registers ---- */

typedef BOOLEAN NTAPI host_hw_initialize(void *DeviceExtension);
typedef BOOLEAN NTAPI host_hw_start_io(void *DeviceExtension, void *Srb);
/* The virtual kind: seven arguments. HwContext: the PDO; BusInformation: the FDO; LowerDevice: below the FDO.
 */
typedef ULONG NTAPI host_hw_find_adapter(void *DeviceExtension, void *HwContext, void *BusInformation,
	void *LowerDevice, char *ArgumentString, struct host_config *ConfigInfo, BOOLEAN *Again);
typedef BOOLEAN NTAPI host_hw_reset_bus(void *DeviceExtension, ULONG PathId);
typedef ULONG NTAPI host_hw_adapter_control(void *DeviceExtension, ULONG ControlType, void *Parameters);
typedef ULONG NTAPI host_hw_unit_control(void *DeviceExtension, ULONG ControlType, void *Parameters);
typedef void NTAPI host_hw_free_adapter_resources(void *DeviceExtension);
typedef void NTAPI host_hw_process_service_request(void *DeviceExtension, void *Irp);
typedef void NTAPI host_hw_complete_service_irp(void *DeviceExtension);
typedef void NTAPI host_hw_initialize_tracing(void *DriverObject, void *RegistryPath);
typedef void NTAPI host_hw_cleanup_tracing(void *DriverObject);
typedef void NTAPI host_hw_tracing_enabled(void *DeviceExtension, BOOLEAN Enabled);
typedef BOOLEAN NTAPI host_hw_passive_initialize(void *DeviceExtension);

/* HwInitializationDataSize 0xd0: Windows 8 and later. */
struct host_registration {
	ULONG HwInitializationDataSize;
	ULONG AdapterInterfaceType;
	host_hw_initialize *HwInitialize;
	host_hw_start_io *HwStartIo;
	void *HwInterrupt;
	host_hw_find_adapter *HwFindAdapter;
	host_hw_reset_bus *HwResetBus;
	void *HwDmaStarted;
	void *HwAdapterState;
	ULONG DeviceExtensionSize;
	ULONG SpecificLuExtensionSize;
	ULONG SrbExtensionSize;
	ULONG NumberOfAccessRanges;
	void *Reserved;
	UCHAR MapBuffers; /* enum host_map_buffers */
	BOOLEAN NeedPhysicalAddresses;
	BOOLEAN TaggedQueuing;
	BOOLEAN AutoRequestSense;
	BOOLEAN MultipleRequestPerLu;
	BOOLEAN ReceiveEvent;
	USHORT VendorIdLength;
	void *VendorId;
	USHORT PortVersionFlags;
	USHORT DeviceIdLength;
	void *DeviceId;
	host_hw_adapter_control *HwAdapterControl;
	void *HwBuildIo;
	host_hw_free_adapter_resources *HwFreeAdapterResources;
	host_hw_process_service_request *HwProcessServiceRequest;
	host_hw_complete_service_irp *HwCompleteServiceIrp;
	host_hw_initialize_tracing *HwInitializeTracing;
	host_hw_cleanup_tracing *HwCleanupTracing;
	host_hw_tracing_enabled *HwTracingEnabled;
	ULONG FeatureSupport;   /* enum host_features */
	ULONG SrbTypeFlags;     /* enum host_srb_type_flags */
	ULONG AddressTypeFlags; /* HOST_ADDRESS_TYPE_FLAG_BTL8 */
	ULONG Reserved1;
	host_hw_unit_control *HwUnitControl;
};

enum host_features {
	HOST_FEATURE_VIRTUAL_MINIPORT = 0x1,
	HOST_FEATURE_ATA_PASS_THROUGH = 0x2,
	HOST_FEATURE_FULL_PNP_CAPABILITIES = 0x4,
	HOST_FEATURE_DUMP_POINTERS = 0x8,
	HOST_FEATURE_NO_IO_PORT = 0x200,
};

enum host_srb_type_flags {
	HOST_SRB_TYPE_FLAG_OLD = 1,
	HOST_SRB_TYPE_FLAG_EXTENDED = 2,
};

#define HOST_ADDRESS_TYPE_FLAG_BTL8 1

HOST_AT(host_registration, HwInitializationDataSize, 0x00);
HOST_AT(host_registration, AdapterInterfaceType, 0x04);
HOST_AT(host_registration, HwInitialize, 0x08);
HOST_AT(host_registration, HwStartIo, 0x10);
HOST_AT(host_registration, HwInterrupt, 0x18);
HOST_AT(host_registration, HwFindAdapter, 0x20);
HOST_AT(host_registration, HwResetBus, 0x28);
HOST_AT(host_registration, HwDmaStarted, 0x30);
HOST_AT(host_registration, HwAdapterState, 0x38);
HOST_AT(host_registration, DeviceExtensionSize, 0x40);
HOST_AT(host_registration, SpecificLuExtensionSize, 0x44);
HOST_AT(host_registration, SrbExtensionSize, 0x48);
HOST_AT(host_registration, NumberOfAccessRanges, 0x4c);
HOST_AT(host_registration, Reserved, 0x50);
HOST_AT(host_registration, MapBuffers, 0x58);
HOST_AT(host_registration, NeedPhysicalAddresses, 0x59);
HOST_AT(host_registration, TaggedQueuing, 0x5a);
HOST_AT(host_registration, AutoRequestSense, 0x5b);
HOST_AT(host_registration, MultipleRequestPerLu, 0x5c);
HOST_AT(host_registration, ReceiveEvent, 0x5d);
HOST_AT(host_registration, VendorIdLength, 0x5e);
HOST_AT(host_registration, VendorId, 0x60);
HOST_AT(host_registration, PortVersionFlags, 0x68);
HOST_AT(host_registration, DeviceIdLength, 0x6a);
HOST_AT(host_registration, DeviceId, 0x70);
HOST_AT(host_registration, HwAdapterControl, 0x78);
HOST_AT(host_registration, HwBuildIo, 0x80);
HOST_AT(host_registration, HwFreeAdapterResources, 0x88);
HOST_AT(host_registration, HwProcessServiceRequest, 0x90);
HOST_AT(host_registration, HwCompleteServiceIrp, 0x98);
HOST_AT(host_registration, HwInitializeTracing, 0xa0);
HOST_AT(host_registration, HwCleanupTracing, 0xa8);
HOST_AT(host_registration, HwTracingEnabled, 0xb0);
HOST_AT(host_registration, FeatureSupport, 0xb8);
HOST_AT(host_registration, SrbTypeFlags, 0xbc);
HOST_AT(host_registration, AddressTypeFlags, 0xc0);
HOST_AT(host_registration, Reserved1, 0xc4);
HOST_AT(host_registration, HwUnitControl, 0xc8);
HOST_SIZE(host_registration, 0xd0);

/* ---- What a miniport calls ---- */

/* StorPortNotification's first argument; what follows the device extension. */
enum host_notification {
	HOST_NOTIFY_REQUEST_COMPLETE = 0, /* the SRB */
	HOST_NOTIFY_NEXT_REQUEST = 1,
	HOST_NOTIFY_NEXT_LU_REQUEST = 2,
	HOST_NOTIFY_RESET_DETECTED = 3,
	HOST_NOTIFY_TIMER = 6,               /* the routine, microseconds */
	HOST_NOTIFY_BUS_CHANGE_DETECTED = 7, /* the path */
	HOST_NOTIFY_WMI_EVENT = 8,
	HOST_NOTIFY_WMI_REREGISTER = 9,
	HOST_NOTIFY_LINK_UP = 10,
	HOST_NOTIFY_LINK_DOWN = 11,
	HOST_NOTIFY_QUERY_TICK_COUNT = 12, /* LARGE_INTEGER pointer */
	HOST_NOTIFY_BUFFER_OVERRUN = 13,
	HOST_NOTIFY_TRACE = 14,
	HOST_NOTIFY_FUNCTION_TABLE = 15,
	HOST_NOTIFY_ENABLE_PASSIVE_INITIALIZATION = 0x1000, /* host_hw_passive_initialize pointer */
	HOST_NOTIFY_INITIALIZE_DPC = 0x1001,
	HOST_NOTIFY_ISSUE_DPC = 0x1002,
	HOST_NOTIFY_ACQUIRE_SPIN_LOCK = 0x1003,
	HOST_NOTIFY_RELEASE_SPIN_LOCK = 0x1004,
	HOST_NOTIFY_STATE_CHANGE = 0x1005,
	HOST_NOTIFY_IO_TARGET_SERVICE_TIME = 0x1006,
	HOST_NOTIFY_ASYNC = 0x1007,
};

/* StorPortExtendedFunction's first argument; what follows the device extension. */
enum host_extended_function {
	HOST_EX_ALLOCATE_POOL = 0, /* bytes, tag, where the pointer goes */
	HOST_EX_FREE_POOL = 1,
	HOST_EX_ALLOCATE_MDL = 2,
	HOST_EX_FREE_MDL = 3,
	HOST_EX_BUILD_MDL = 4,
	HOST_EX_GET_SYSTEM_ADDRESS = 5, /* the SRB, where the address goes */
	HOST_EX_GET_ORIGINAL_MDL = 6,   /* the SRB, where the MDL goes */
	HOST_EX_COMPLETE_SERVICE_IRP = 7,
	HOST_EX_GET_DEVICE_OBJECTS = 8, /* where FDO, PDO, the one below go */
	HOST_EX_INITIALIZE_PERFORMANCE = 14,
	HOST_EX_LOG_SYSTEM_EVENT = 16,
	HOST_EX_GET_PROCESSOR_NUMBER = 17,
	HOST_EX_INITIALIZE_WORKER = 29, /* where the worker goes */
	HOST_EX_QUEUE_WORK_ITEM = 30,   /* routine, worker, context */
	HOST_EX_FREE_WORKER = 31,
	HOST_EX_INITIALIZE_TIMER = 32,
	HOST_EX_REQUEST_TIMER = 33,
	HOST_EX_FREE_TIMER = 34,
	HOST_EX_GET_SYSTEM_PORT_NUMBER = 41,
	HOST_EX_SET_UNIT_ATTRIBUTES = 46,
	HOST_EX_QUERY_PERFORMANCE_COUNTER = 47,
	HOST_EX_SET_ADAPTER_BUS_TYPE = 64,
};

/* The control code of service requests; IOCTL_MINIPORT_PROCESS_SERVICE_IRP. */
#define HOST_IOCTL_SERVICE 0x0004d038

#define HOST_STOR_SUCCESS                0u
#define HOST_STOR_UNSUCCESSFUL           0xc1000001u
#define HOST_STOR_NOT_IMPLEMENTED        0xc1000002u
#define HOST_STOR_INSUFFICIENT_RESOURCES 0xc1000003u
#define HOST_STOR_BUFFER_TOO_SMALL       0xc1000004u
#define HOST_STOR_ACCESS_DENIED          0xc1000005u
#define HOST_STOR_INVALID_PARAMETER      0xc1000006u
#define HOST_STOR_INVALID_DEVICE_REQUEST 0xc1000007u
#define HOST_STOR_INVALID_IRQL           0xc1000008u
#define HOST_STOR_INVALID_DEVICE_STATE   0xc1000009u
#define HOST_STOR_INVALID_BUFFER_SIZE    0xc100000au
#define HOST_STOR_UNSUPPORTED_VERSION    0xc100000bu
#define HOST_STOR_BUSY                   0xc100000cu

#endif
