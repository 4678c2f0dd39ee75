/* SPDX-License-Identifier: BSD-2-Clause */
/* nt_io.h: devices, file objects, IRPs, control codes, plug and play. */
#ifndef LF_TESTS_NT_IO_H
#define LF_TESTS_NT_IO_H

#include "tests/storport/nt/include/nt_security.h"

struct _DEVICE_OBJECT;
struct _DRIVER_OBJECT;
struct _FILE_OBJECT;
struct _IRP;
struct _IO_STACK_LOCATION;

typedef struct _VPB *PVPB;
typedef struct _IO_TIMER *PIO_TIMER;
typedef struct _SECTION_OBJECT_POINTERS *PSECTION_OBJECT_POINTERS;
typedef struct _IO_COMPLETION_CONTEXT *PIO_COMPLETION_CONTEXT;
typedef struct _IO_SECURITY_CONTEXT *PIO_SECURITY_CONTEXT;

typedef struct _IO_STATUS_BLOCK {
	union {
		NTSTATUS Status;
		PVOID Pointer;
	};
	ULONG_PTR Information;
} IO_STATUS_BLOCK, *PIO_STATUS_BLOCK;

typedef VOID(NTAPI IO_APC_ROUTINE)(PVOID ApcContext, IO_STATUS_BLOCK *IoStatusBlock, ULONG Reserved);
typedef IO_APC_ROUTINE *PIO_APC_ROUTINE;
typedef NTSTATUS(NTAPI IO_COMPLETION_ROUTINE)(
	struct _DEVICE_OBJECT *DeviceObject, struct _IRP *Irp, PVOID Context);
typedef IO_COMPLETION_ROUTINE *PIO_COMPLETION_ROUTINE;
typedef VOID(NTAPI DRIVER_CANCEL)(struct _DEVICE_OBJECT *DeviceObject, struct _IRP *Irp);
typedef DRIVER_CANCEL *PDRIVER_CANCEL;
typedef NTSTATUS(NTAPI DRIVER_DISPATCH)(struct _DEVICE_OBJECT *DeviceObject, struct _IRP *Irp);
typedef DRIVER_DISPATCH *PDRIVER_DISPATCH;
typedef VOID(NTAPI DRIVER_UNLOAD)(struct _DRIVER_OBJECT *DriverObject);
typedef DRIVER_UNLOAD *PDRIVER_UNLOAD;
typedef NTSTATUS(NTAPI DRIVER_INITIALIZE)(struct _DRIVER_OBJECT *DriverObject, UNICODE_STRING *RegistryPath);
typedef DRIVER_INITIALIZE *PDRIVER_INITIALIZE;
typedef VOID(NTAPI DRIVER_STARTIO)(struct _DEVICE_OBJECT *DeviceObject, struct _IRP *Irp);
typedef DRIVER_STARTIO *PDRIVER_STARTIO;

#define IRP_MJ_CREATE                  0x00
#define IRP_MJ_CLOSE                   0x02
#define IRP_MJ_READ                    0x03
#define IRP_MJ_WRITE                   0x04
#define IRP_MJ_FLUSH_BUFFERS           0x09
#define IRP_MJ_FILE_SYSTEM_CONTROL     0x0d
#define IRP_MJ_DEVICE_CONTROL          0x0e
#define IRP_MJ_INTERNAL_DEVICE_CONTROL 0x0f
#define IRP_MJ_SHUTDOWN                0x10
#define IRP_MJ_CLEANUP                 0x12
#define IRP_MJ_POWER                   0x16
#define IRP_MJ_SYSTEM_CONTROL          0x17
#define IRP_MJ_PNP                     0x1b
#define IRP_MJ_MAXIMUM_FUNCTION        0x1b

#define IRP_MN_USER_FS_REQUEST 0x00

typedef struct _DRIVER_OBJECT {
	CSHORT Type;
	CSHORT Size;
	struct _DEVICE_OBJECT *DeviceObject;
	ULONG Flags;
	PVOID DriverStart;
	ULONG DriverSize;
	PVOID DriverSection;
	PVOID DriverExtension;
	UNICODE_STRING DriverName;
	UNICODE_STRING *HardwareDatabase;
	PVOID FastIoDispatch;
	PDRIVER_INITIALIZE DriverInit;
	PDRIVER_STARTIO DriverStartIo;
	PDRIVER_UNLOAD DriverUnload;
	PDRIVER_DISPATCH MajorFunction[IRP_MJ_MAXIMUM_FUNCTION + 1];
} DRIVER_OBJECT, *PDRIVER_OBJECT;

/* Up to the alignment in the order of the real one; its queue, lock and DPC are nobody's business here. */
typedef struct _DEVICE_OBJECT {
	CSHORT Type;
	USHORT Size;
	LONG ReferenceCount;
	struct _DRIVER_OBJECT *DriverObject;
	struct _DEVICE_OBJECT *NextDevice;
	struct _DEVICE_OBJECT *AttachedDevice;
	struct _IRP *CurrentIrp;
	PIO_TIMER Timer;
	ULONG Flags;
	ULONG Characteristics;
	volatile PVPB Vpb;
	PVOID DeviceExtension;
	DEVICE_TYPE DeviceType;
	CCHAR StackSize;
	ULONG AlignmentRequirement;
	USHORT SectorSize;
	PVOID Reserved;
} DEVICE_OBJECT, *PDEVICE_OBJECT;

#define DO_BUFFERED_IO         0x00000004
#define DO_DIRECT_IO           0x00000010
#define DO_DEVICE_INITIALIZING 0x00000080

#define FILE_BYTE_ALIGNMENT     0x00000000
#define FILE_WORD_ALIGNMENT     0x00000001
#define FILE_LONG_ALIGNMENT     0x00000003
#define FILE_QUAD_ALIGNMENT     0x00000007
#define FILE_512_BYTE_ALIGNMENT 0x000001ff

typedef struct _FILE_OBJECT {
	CSHORT Type;
	CSHORT Size;
	struct _DEVICE_OBJECT *DeviceObject;
	PVPB Vpb;
	PVOID FsContext;
	PVOID FsContext2;
	PSECTION_OBJECT_POINTERS SectionObjectPointer;
	PVOID PrivateCacheMap;
	NTSTATUS FinalStatus;
	struct _FILE_OBJECT *RelatedFileObject;
	BOOLEAN LockOperation;
	BOOLEAN DeletePending;
	BOOLEAN ReadAccess;
	BOOLEAN WriteAccess;
	BOOLEAN DeleteAccess;
	BOOLEAN SharedRead;
	BOOLEAN SharedWrite;
	BOOLEAN SharedDelete;
	ULONG Flags;
	UNICODE_STRING FileName;
	LARGE_INTEGER CurrentByteOffset;
	volatile ULONG Waiters;
	volatile ULONG Busy;
	PVOID LastLock;
	KEVENT Lock;
	KEVENT Event;
	volatile PIO_COMPLETION_CONTEXT CompletionContext;
	KSPIN_LOCK IrpListLock;
	LIST_ENTRY IrpList;
	volatile PVOID FileObjectExtension;
} FILE_OBJECT, *PFILE_OBJECT;

#define FO_SYNCHRONOUS_IO            0x00000002
#define FO_ALERTABLE_IO              0x00000004
#define FO_NO_INTERMEDIATE_BUFFERING 0x00000008
#define FO_WRITE_THROUGH             0x00000010
#define FO_SEQUENTIAL_ONLY           0x00000020
#define FO_CACHE_SUPPORTED           0x00000040
#define FO_REMOTE_ORIGIN             0x01000000

#define IRP_NOCACHE               0x00000001
#define IRP_PAGING_IO             0x00000002
#define IRP_SYNCHRONOUS_API       0x00000004
#define IRP_ASSOCIATED_IRP        0x00000008
#define IRP_BUFFERED_IO           0x00000010
#define IRP_DEALLOCATE_BUFFER     0x00000020
#define IRP_INPUT_OPERATION       0x00000040
#define IRP_SYNCHRONOUS_PAGING_IO 0x00000040
#define IRP_WRITE_OPERATION       0x00000200
#define IRP_READ_OPERATION        0x00000100

#define SL_PENDING_RETURNED  0x01
#define SL_ERROR_RETURNED    0x02
#define SL_WRITE_THROUGH     0x04
#define SL_INVOKE_ON_CANCEL  0x20
#define SL_INVOKE_ON_SUCCESS 0x40
#define SL_INVOKE_ON_ERROR   0x80

typedef struct _IRP {
	CSHORT Type;
	USHORT Size;
	struct _MDL *MdlAddress;
	ULONG Flags;
	union {
		struct _IRP *MasterIrp;
		volatile LONG IrpCount;
		PVOID SystemBuffer;
	} AssociatedIrp;
	LIST_ENTRY ThreadListEntry;
	IO_STATUS_BLOCK IoStatus;
	KPROCESSOR_MODE RequestorMode;
	BOOLEAN PendingReturned;
	CHAR StackCount;
	CHAR CurrentLocation;
	_Atomic(BOOLEAN) Cancel; /* drivers read it without a lock */
	KIRQL CancelIrql;
	CCHAR ApcEnvironment;
	UCHAR AllocationFlags;
	IO_STATUS_BLOCK *UserIosb;
	KEVENT *UserEvent;
	union {
		struct {
			PIO_APC_ROUTINE UserApcRoutine;
			PVOID UserApcContext;
		} AsynchronousParameters;
		LARGE_INTEGER AllocationSize;
	} Overlay;
	PDRIVER_CANCEL volatile CancelRoutine;
	PVOID UserBuffer;
	union {
		struct {
			PVOID DriverContext[4];
			PETHREAD Thread;
			PCHAR AuxiliaryBuffer;
			LIST_ENTRY ListEntry;
			struct _IO_STACK_LOCATION *CurrentStackLocation;
			struct _FILE_OBJECT *OriginalFileObject;
		} Overlay;
		PVOID CompletionKey;
	} Tail;
} IRP, *PIRP;

typedef struct _IO_STACK_LOCATION {
	UCHAR MajorFunction;
	UCHAR MinorFunction;
	UCHAR Flags;
	UCHAR Control;
	union {
		struct {
			PIO_SECURITY_CONTEXT SecurityContext;
			ULONG Options;
			_Alignas(8) USHORT FileAttributes;
			USHORT ShareAccess;
			_Alignas(8) ULONG EaLength;
		} Create;
		struct {
			ULONG Length;
			_Alignas(8) ULONG Key;
			ULONG Flags;
			LARGE_INTEGER ByteOffset;
		} Read, Write;
		struct {
			ULONG OutputBufferLength;
			_Alignas(8) ULONG InputBufferLength;
			_Alignas(8) ULONG FsControlCode;
			PVOID Type3InputBuffer;
		} FileSystemControl;
		struct {
			ULONG OutputBufferLength;
			_Alignas(8) ULONG InputBufferLength;
			_Alignas(8) ULONG IoControlCode;
			PVOID Type3InputBuffer;
		} DeviceIoControl;
		struct {
			PVOID Argument1;
			PVOID Argument2;
			PVOID Argument3;
			PVOID Argument4;
		} Others;
	} Parameters;
	struct _DEVICE_OBJECT *DeviceObject;
	struct _FILE_OBJECT *FileObject;
	PIO_COMPLETION_ROUTINE CompletionRoutine;
	PVOID Context;
} IO_STACK_LOCATION, *PIO_STACK_LOCATION;

_Static_assert(sizeof(IO_STACK_LOCATION) == 0x48, "as on x64");

#define IoSizeOfIrp(stack_size) ((USHORT)(sizeof(IRP) + (size_t)(stack_size) * sizeof(IO_STACK_LOCATION)))

IRP *IoAllocateIrp(CCHAR StackSize, BOOLEAN ChargeQuota);
VOID IoReuseIrp(IRP *Irp, NTSTATUS Iostatus);
VOID IoFreeIrp(IRP *Irp);
IRP *IoBuildDeviceIoControlRequest(ULONG IoControlCode, DEVICE_OBJECT *DeviceObject, PVOID InputBuffer,
	ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength,
	BOOLEAN InternalDeviceIoControl, KEVENT *Event, IO_STATUS_BLOCK *IoStatusBlock);
NTSTATUS IofCallDriver(DEVICE_OBJECT *DeviceObject, IRP *Irp);
#define IoCallDriver(device, irp) IofCallDriver((device), (irp))
BOOLEAN IoCancelIrp(IRP *Irp);
VOID IoAcquireCancelSpinLock(KIRQL *Irql);
VOID IoReleaseCancelSpinLock(KIRQL Irql);
NTSTATUS IoGetDeviceObjectPointer(UNICODE_STRING *ObjectName, ACCESS_MASK DesiredAccess,
	FILE_OBJECT **FileObject, DEVICE_OBJECT **DeviceObject);
DEVICE_OBJECT *IoGetRelatedDeviceObject(FILE_OBJECT *FileObject);
PEPROCESS IoGetRequestorProcess(IRP *Irp);

/* Inline in the real header; here they look whether the IRP has such a stack location. */
IO_STACK_LOCATION *IoGetCurrentIrpStackLocation(IRP *Irp);
IO_STACK_LOCATION *IoGetNextIrpStackLocation(IRP *Irp);
VOID IoSetNextIrpStackLocation(IRP *Irp);
VOID IoCopyCurrentIrpStackLocationToNext(IRP *Irp);
VOID IoSkipCurrentIrpStackLocation(IRP *Irp);
VOID IoSetCompletionRoutine(IRP *Irp, PIO_COMPLETION_ROUTINE CompletionRoutine, PVOID Context,
	BOOLEAN InvokeOnSuccess, BOOLEAN InvokeOnError, BOOLEAN InvokeOnCancel);
VOID IoMarkIrpPending(IRP *Irp);
PDRIVER_CANCEL IoSetCancelRoutine(IRP *Irp, PDRIVER_CANCEL CancelRoutine);

/* ---- control codes ---- */

#define METHOD_BUFFERED     0
#define METHOD_IN_DIRECT    1
#define METHOD_OUT_DIRECT   2
#define METHOD_NEITHER      3
#define FILE_ANY_ACCESS     0
#define FILE_SPECIAL_ACCESS FILE_ANY_ACCESS
#define FILE_READ_ACCESS    0x0001
#define FILE_WRITE_ACCESS   0x0002

#define CTL_CODE(device, function, method, access)                                                           \
	((ULONG)(device) << 16 | (ULONG)(access) << 14 | (ULONG)(function) << 2 | (ULONG)(method))

#define FILE_DEVICE_CD_ROM              0x02
#define FILE_DEVICE_CD_ROM_FILE_SYSTEM  0x03
#define FILE_DEVICE_CONTROLLER          0x04
#define FILE_DEVICE_DFS                 0x06
#define FILE_DEVICE_DISK                0x07
#define FILE_DEVICE_DISK_FILE_SYSTEM    0x08
#define FILE_DEVICE_FILE_SYSTEM         0x09
#define FILE_DEVICE_NAMED_PIPE          0x11
#define FILE_DEVICE_NETWORK             0x12
#define FILE_DEVICE_NETWORK_FILE_SYSTEM 0x14
#define FILE_DEVICE_NULL                0x15
#define FILE_DEVICE_UNKNOWN             0x22
#define FILE_DEVICE_VIRTUAL_DISK        0x24
#define FILE_DEVICE_MASS_STORAGE        0x2d
#define FILE_DEVICE_DVD                 0x33
#define FILE_DEVICE_DFS_FILE_SYSTEM     0x35

/* ---- plug and play ---- */

typedef enum _IO_NOTIFICATION_EVENT_CATEGORY {
	EventCategoryReserved,
	EventCategoryHardwareProfileChange,
	EventCategoryDeviceInterfaceChange,
	EventCategoryTargetDeviceChange,
} IO_NOTIFICATION_EVENT_CATEGORY;

typedef NTSTATUS(NTAPI DRIVER_NOTIFICATION_CALLBACK_ROUTINE)(PVOID NotificationStructure, PVOID Context);
typedef DRIVER_NOTIFICATION_CALLBACK_ROUTINE *PDRIVER_NOTIFICATION_CALLBACK_ROUTINE;

typedef struct _PLUGPLAY_NOTIFICATION_HEADER {
	USHORT Version;
	USHORT Size;
	GUID Event;
} PLUGPLAY_NOTIFICATION_HEADER, *PPLUGPLAY_NOTIFICATION_HEADER;

typedef struct _TARGET_DEVICE_REMOVAL_NOTIFICATION {
	USHORT Version;
	USHORT Size;
	GUID Event;
	struct _FILE_OBJECT *FileObject;
} TARGET_DEVICE_REMOVAL_NOTIFICATION, *PTARGET_DEVICE_REMOVAL_NOTIFICATION;

typedef struct _TARGET_DEVICE_CUSTOM_NOTIFICATION {
	USHORT Version;
	USHORT Size;
	GUID Event;
	struct _FILE_OBJECT *FileObject;
	LONG NameBufferOffset;
	UCHAR CustomDataBuffer[1];
} TARGET_DEVICE_CUSTOM_NOTIFICATION, *PTARGET_DEVICE_CUSTOM_NOTIFICATION;

NTSTATUS IoRegisterPlugPlayNotification(IO_NOTIFICATION_EVENT_CATEGORY EventCategory,
	ULONG EventCategoryFlags, PVOID EventCategoryData, DRIVER_OBJECT *DriverObject,
	PDRIVER_NOTIFICATION_CALLBACK_ROUTINE CallbackRoutine, PVOID Context, PVOID *NotificationEntry);
NTSTATUS IoUnregisterPlugPlayNotificationEx(PVOID NotificationEntry);
NTSTATUS IoRegisterDeviceInterface(DEVICE_OBJECT *PhysicalDeviceObject, const GUID *InterfaceClassGuid,
	UNICODE_STRING *ReferenceString, UNICODE_STRING *SymbolicLinkName);
NTSTATUS IoSetDeviceInterfaceState(UNICODE_STRING *SymbolicLinkName, BOOLEAN Enable);

#endif
