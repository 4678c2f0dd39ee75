/* SPDX-License-Identifier: BSD-2-Clause */
/* nt_kernel.h: threads, waits, locks, timers, pool, MDLs, callbacks, the registry, text. */
#ifndef LF_TESTS_NT_KERNEL_H
#define LF_TESTS_NT_KERNEL_H

#include <stdarg.h>

#include "tests/storport/nt/include/nt_types.h"

#define PASSIVE_LEVEL  0
#define APC_LEVEL      1
#define DISPATCH_LEVEL 2

#define PAGE_SIZE         4096u
#define PAGE_SHIFT        12
#define BYTE_OFFSET(va)   ((ULONG)((ULONG_PTR)(va) & (PAGE_SIZE - 1)))
#define PAGE_ALIGN(va)    ((PVOID)((ULONG_PTR)(va) & ~(ULONG_PTR)(PAGE_SIZE - 1)))
#define BYTES_TO_PAGES(n) (((ULONG_PTR)(n) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define ROUND_TO_PAGES(n) (((ULONG_PTR)(n) + PAGE_SIZE - 1) & ~(ULONG_PTR)(PAGE_SIZE - 1))
#define ADDRESS_AND_SIZE_TO_SPAN_PAGES(va, size)                                                             \
	((ULONG)((BYTE_OFFSET(va) + (SIZE_T)(size) + PAGE_SIZE - 1) >> PAGE_SHIFT))

typedef enum _MODE { KernelMode, UserMode, MaximumMode } MODE;

typedef struct _ETHREAD *PETHREAD, *PKTHREAD;
typedef struct _EPROCESS *PEPROCESS;
typedef struct _OBJECT_TYPE *POBJECT_TYPE;

typedef struct _CLIENT_ID {
	HANDLE UniqueProcess;
	HANDLE UniqueThread;
} CLIENT_ID, *PCLIENT_ID;

typedef struct _OBJECT_ATTRIBUTES {
	ULONG Length;
	HANDLE RootDirectory;
	PUNICODE_STRING ObjectName;
	ULONG Attributes;
	PVOID SecurityDescriptor;
	PVOID SecurityQualityOfService;
} OBJECT_ATTRIBUTES, *POBJECT_ATTRIBUTES;

#define OBJ_INHERIT            0x00000002
#define OBJ_PERMANENT          0x00000010
#define OBJ_EXCLUSIVE          0x00000020
#define OBJ_CASE_INSENSITIVE   0x00000040
#define OBJ_OPENIF             0x00000080
#define OBJ_OPENLINK           0x00000100
#define OBJ_KERNEL_HANDLE      0x00000200
#define OBJ_FORCE_ACCESS_CHECK 0x00000400
#define OBJ_DONT_REPARSE       0x00001000

#define InitializeObjectAttributes(p, name, attributes, root, security)                                      \
	do {                                                                                                 \
		(p)->Length = sizeof(OBJECT_ATTRIBUTES);                                                     \
		(p)->RootDirectory = (root);                                                                 \
		(p)->Attributes = (attributes);                                                              \
		(p)->ObjectName = (name);                                                                    \
		(p)->SecurityDescriptor = (security);                                                        \
		(p)->SecurityQualityOfService = NULL;                                                        \
	} while (0)

/* ---- what can be waited for ---- */

typedef struct _DISPATCHER_HEADER {
	UCHAR Type;
	UCHAR Signalling;
	UCHAR Size;
	UCHAR Reserved1;
	LONG SignalState;
	LIST_ENTRY WaitListHead;
} DISPATCHER_HEADER;

typedef struct _KEVENT {
	DISPATCHER_HEADER Header;
} KEVENT, *PKEVENT, *PRKEVENT;

typedef struct _KSEMAPHORE {
	DISPATCHER_HEADER Header;
	LONG Limit;
} KSEMAPHORE, *PKSEMAPHORE, *PRKSEMAPHORE;

struct _KDPC;
typedef VOID(NTAPI KDEFERRED_ROUTINE)(
	struct _KDPC *Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2);
typedef KDEFERRED_ROUTINE *PKDEFERRED_ROUTINE;

typedef struct _KDPC {
	UCHAR Type;
	UCHAR Importance;
	volatile USHORT Number;
	LIST_ENTRY DpcListEntry;
	PKDEFERRED_ROUTINE DeferredRoutine;
	PVOID DeferredContext;
	PVOID SystemArgument1;
	PVOID SystemArgument2;
	volatile PVOID DpcData;
} KDPC, *PKDPC, *PRKDPC;

typedef struct _KTIMER {
	DISPATCHER_HEADER Header;
	ULARGE_INTEGER DueTime;
	LIST_ENTRY TimerListEntry;
	PKDPC Dpc;
	ULONG Processor;
	LONG Period;
} KTIMER, *PKTIMER, *PRKTIMER;

typedef ULONG_PTR KSPIN_LOCK, *PKSPIN_LOCK;

typedef enum _EVENT_TYPE { NotificationEvent, SynchronizationEvent } EVENT_TYPE;

typedef enum _KWAIT_REASON {
	Executive,
	FreePage,
	PageIn,
	PoolAllocation,
	DelayExecution,
	Suspended,
	UserRequest
} KWAIT_REASON;

#define IO_NO_INCREMENT 0
#define EVENT_INCREMENT 1

KIRQL KeGetCurrentIrql(VOID);
KIRQL KeAcquireSpinLockRaiseToDpc(KSPIN_LOCK *SpinLock);
VOID KeReleaseSpinLock(KSPIN_LOCK *SpinLock, KIRQL NewIrql);
#define KeInitializeSpinLock(SpinLock)       (*(SpinLock) = 0)
#define KeAcquireSpinLock(SpinLock, OldIrql) (*(OldIrql) = KeAcquireSpinLockRaiseToDpc(SpinLock))

VOID KeInitializeEvent(KEVENT *Event, EVENT_TYPE Type, BOOLEAN State);
LONG KeSetEvent(KEVENT *Event, KPRIORITY Increment, BOOLEAN Wait);
VOID KeClearEvent(KEVENT *Event);
VOID KeInitializeSemaphore(KSEMAPHORE *Semaphore, LONG Count, LONG Limit);
LONG KeReleaseSemaphore(KSEMAPHORE *Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait);
NTSTATUS KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode,
	BOOLEAN Alertable, LARGE_INTEGER *Timeout);
NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, LARGE_INTEGER *Interval);

VOID KeInitializeDpc(KDPC *Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext);
VOID KeInitializeTimer(KTIMER *Timer);
BOOLEAN KeSetTimer(KTIMER *Timer, LARGE_INTEGER DueTime, KDPC *Dpc);
BOOLEAN KeCancelTimer(KTIMER *Timer);
VOID KeFlushQueuedDpcs(VOID);

#define ALL_PROCESSOR_GROUPS 0xffff

typedef struct _PROCESSOR_NUMBER {
	USHORT Group;
	UCHAR Number;
	UCHAR Reserved;
} PROCESSOR_NUMBER, *PPROCESSOR_NUMBER;

ULONG KeQueryActiveProcessorCountEx(USHORT GroupNumber);
ULONG KeGetCurrentProcessorNumberEx(PROCESSOR_NUMBER *ProcNumber);
LARGE_INTEGER KeQueryPerformanceCounter(LARGE_INTEGER *PerformanceFrequency);
DECLSPEC_NORETURN VOID KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR BugCheckParameter1,
	ULONG_PTR BugCheckParameter2, ULONG_PTR BugCheckParameter3, ULONG_PTR BugCheckParameter4);

#define THREAD_ALL_ACCESS 0x001fffff

typedef VOID(NTAPI KSTART_ROUTINE)(PVOID StartContext);
typedef KSTART_ROUTINE *PKSTART_ROUTINE;

extern POBJECT_TYPE *PsThreadType;
extern POBJECT_TYPE *IoFileObjectType;

NTSTATUS PsCreateSystemThread(HANDLE *ThreadHandle, ULONG DesiredAccess, OBJECT_ATTRIBUTES *ObjectAttributes,
	HANDLE ProcessHandle, CLIENT_ID *ClientId, PKSTART_ROUTINE StartRoutine, PVOID StartContext);
NTSTATUS PsTerminateSystemThread(NTSTATUS ExitStatus);
BOOLEAN IoSetThreadHardErrorMode(BOOLEAN EnableHardErrors);

typedef struct _OBJECT_HANDLE_INFORMATION {
	ULONG HandleAttributes;
	ACCESS_MASK GrantedAccess;
} OBJECT_HANDLE_INFORMATION, *POBJECT_HANDLE_INFORMATION;

NTSTATUS ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
	KPROCESSOR_MODE AccessMode, PVOID *Object, OBJECT_HANDLE_INFORMATION *HandleInformation);
LONG_PTR ObfDereferenceObject(PVOID Object);
#define ObDereferenceObject(Object) ObfDereferenceObject(Object)
NTSTATUS ZwClose(HANDLE Handle);

/* ---- pool ---- */

typedef enum _POOL_TYPE {
	NonPagedPool,
	PagedPool,
	NonPagedPoolNx = 512,
} POOL_TYPE;

PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
VOID ExFreePoolWithTag(PVOID P, ULONG Tag);

/* ---- callbacks ---- */

typedef struct _CALLBACK_OBJECT *PCALLBACK_OBJECT;
typedef VOID(NTAPI CALLBACK_FUNCTION)(PVOID CallbackContext, PVOID Argument1, PVOID Argument2);
typedef CALLBACK_FUNCTION *PCALLBACK_FUNCTION;

#define PO_CB_SYSTEM_POWER_POLICY 0
#define PO_CB_AC_STATUS           1
#define PO_CB_BUTTON_COLLISION    2
#define PO_CB_SYSTEM_STATE_LOCK   3

NTSTATUS ExCreateCallback(PCALLBACK_OBJECT *CallbackObject, OBJECT_ATTRIBUTES *ObjectAttributes,
	BOOLEAN Create, BOOLEAN AllowMultipleCallbacks);
PVOID ExRegisterCallback(
	PCALLBACK_OBJECT CallbackObject, PCALLBACK_FUNCTION CallbackFunction, PVOID CallbackContext);
VOID ExUnregisterCallback(PVOID CallbackRegistration);

/* ---- MDLs: the page frame numbers follow the structure ---- */

typedef ULONG_PTR PFN_NUMBER, *PPFN_NUMBER;

typedef struct _MDL {
	struct _MDL *Next;
	CSHORT Size;
	CSHORT MdlFlags;
	struct _EPROCESS *Process;
	PVOID MappedSystemVa;
	PVOID StartVa;
	ULONG ByteCount;
	ULONG ByteOffset;
} MDL, *PMDL;

#define MDL_MAPPED_TO_SYSTEM_VA     0x0001
#define MDL_PAGES_LOCKED            0x0002
#define MDL_SOURCE_IS_NONPAGED_POOL 0x0004
#define MDL_ALLOCATED_FIXED_SIZE    0x0008
#define MDL_PARTIAL                 0x0010
#define MDL_PARTIAL_HAS_BEEN_MAPPED 0x0020
#define MDL_IO_PAGE_READ            0x0040
#define MDL_WRITE_OPERATION         0x0080
#define MDL_FREE_EXTRA_PTES         0x0200
#define MDL_IO_SPACE                0x0800
#define MDL_MAPPING_CAN_FAIL        0x2000
#define MDL_ALLOCATED_MUST_SUCCEED  0x4000

typedef enum _MEMORY_CACHING_TYPE { MmNonCached, MmCached, MmWriteCombined } MEMORY_CACHING_TYPE;

typedef enum _MM_PAGE_PRIORITY {
	LowPagePriority,
	NormalPagePriority = 16,
	HighPagePriority = 32,
} MM_PAGE_PRIORITY;

#define MdlMappingNoWrite   0x80000000
#define MdlMappingNoExecute 0x40000000

#define MmGetMdlVirtualAddress(mdl) ((PVOID)((char *)(mdl)->StartVa + (mdl)->ByteOffset))
#define MmGetMdlByteCount(mdl)      ((mdl)->ByteCount)
#define MmGetMdlByteOffset(mdl)     ((mdl)->ByteOffset)
#define MmGetMdlPfnArray(mdl)       ((PFN_NUMBER *)(void *)((mdl) + 1))

#define MmInitializeMdl(mdl, base, length)                                                                   \
	do {                                                                                                 \
		(mdl)->Next = NULL;                                                                          \
		(mdl)->Size = (CSHORT)(sizeof(MDL) + sizeof(PFN_NUMBER) * ADDRESS_AND_SIZE_TO_SPAN_PAGES(    \
										  (base), (length)));        \
		(mdl)->MdlFlags = 0;                                                                         \
		(mdl)->StartVa = PAGE_ALIGN(base);                                                           \
		(mdl)->ByteOffset = BYTE_OFFSET(base);                                                       \
		(mdl)->ByteCount = (ULONG)(length);                                                          \
	} while (0)

#define MmPrepareMdlForReuse(mdl)                                                                            \
	do {                                                                                                 \
		if ((mdl)->MdlFlags & MDL_PARTIAL_HAS_BEEN_MAPPED)                                           \
			MmUnmapLockedPages((mdl)->MappedSystemVa, (mdl));                                    \
	} while (0)

#define MmGetSystemAddressForMdlSafe(mdl, priority)                                                          \
	((mdl)->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)                           \
			? (mdl)->MappedSystemVa                                                              \
			: MmMapLockedPagesSpecifyCache(                                                      \
				  (mdl), KernelMode, MmCached, NULL, FALSE, (priority)))

VOID MmBuildMdlForNonPagedPool(MDL *MemoryDescriptorList);
PVOID MmMapLockedPagesSpecifyCache(MDL *MemoryDescriptorList, KPROCESSOR_MODE AccessMode,
	MEMORY_CACHING_TYPE CacheType, PVOID RequestedAddress, ULONG BugCheckOnFailure, ULONG Priority);
VOID MmUnmapLockedPages(PVOID BaseAddress, MDL *MemoryDescriptorList);
VOID IoBuildPartialMdl(MDL *SourceMdl, MDL *TargetMdl, PVOID VirtualAddress, ULONG Length);

/* ---- the registry ---- */

#define KEY_QUERY_VALUE 0x0001
#define KEY_SET_VALUE   0x0002
#define KEY_READ        0x20019

#define REG_NONE      0
#define REG_SZ        1
#define REG_EXPAND_SZ 2
#define REG_BINARY    3
#define REG_DWORD     4
#define REG_MULTI_SZ  7
#define REG_QWORD     11

typedef enum _KEY_VALUE_INFORMATION_CLASS {
	KeyValueBasicInformation,
	KeyValueFullInformation,
	KeyValuePartialInformation,
} KEY_VALUE_INFORMATION_CLASS;

typedef struct _KEY_VALUE_PARTIAL_INFORMATION {
	ULONG TitleIndex;
	ULONG Type;
	ULONG DataLength;
	UCHAR Data[1];
} KEY_VALUE_PARTIAL_INFORMATION, *PKEY_VALUE_PARTIAL_INFORMATION;

NTSTATUS ZwOpenKey(HANDLE *KeyHandle, ACCESS_MASK DesiredAccess, OBJECT_ATTRIBUTES *ObjectAttributes);
NTSTATUS ZwQueryValueKey(HANDLE KeyHandle, UNICODE_STRING *ValueName,
	KEY_VALUE_INFORMATION_CLASS KeyValueInformationClass, PVOID KeyValueInformation, ULONG Length,
	ULONG *ResultLength);

/* ---- text ---- */

#define DPFLTR_IHVDRIVER_ID  77
#define DPFLTR_DEFAULT_ID    101
#define DPFLTR_ERROR_LEVEL   0
#define DPFLTR_WARNING_LEVEL 1
#define DPFLTR_TRACE_LEVEL   2
#define DPFLTR_INFO_LEVEL    3

ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, const char *Format, ...)
	__attribute__((format(printf, 3, 4)));
int _vsnprintf(char *text, size_t count, const char *format, va_list values)
	__attribute__((format(printf, 3, 0)));

VOID RtlInitUnicodeString(UNICODE_STRING *DestinationString, PCWSTR SourceString);
VOID RtlFreeUnicodeString(UNICODE_STRING *UnicodeString);
NTSTATUS RtlUTF8ToUnicodeN(PWSTR UnicodeStringDestination, ULONG UnicodeStringMaxByteCount,
	ULONG *UnicodeStringActualByteCount, const char *UTF8StringSource, ULONG UTF8StringByteCount);
NTSTATUS RtlUnicodeToUTF8N(char *UTF8StringDestination, ULONG UTF8StringMaxByteCount,
	ULONG *UTF8StringActualByteCount, PCWSTR UnicodeStringSource, ULONG UnicodeStringByteCount);

#endif
