/* SPDX-License-Identifier: BSD-2-Clause */
/* nt_types.h: the integers, strings, lists and small structures of the kernel of Windows. */
#ifndef LF_TESTS_NT_TYPES_H
#define LF_TESTS_NT_TYPES_H

#include <stddef.h>
#include <stdint.h>

#define NTAPI
#define FASTCALL
#define IN
#define OUT
#define OPTIONAL
#define CONST                     const
#define VOID                      void
#define FORCEINLINE               static inline
#define DECLSPEC_NORETURN         _Noreturn
#define UNREFERENCED_PARAMETER(p) ((void)(p))
#define TRUE                      1
#define FALSE                     0
#define MAXULONG                  0xffffffffU
#define MAXUSHORT                 0xffff
#define MAXLONG                   0x7fffffff
#define ANYSIZE_ARRAY             1

typedef void *PVOID;
typedef char CHAR, CCHAR, *PCHAR, *PSTR;
typedef const char *PCSTR;
typedef signed char SCHAR;
typedef unsigned char UCHAR, *PUCHAR, BOOLEAN, *PBOOLEAN;
typedef int16_t SHORT, CSHORT, *PSHORT;
typedef uint16_t USHORT, *PUSHORT, WORD;
typedef int32_t LONG, *PLONG, INT, NTSTATUS, *PNTSTATUS;
typedef uint32_t ULONG, *PULONG, UINT, DWORD, LOGICAL, UINT32, ULONG32;
typedef int64_t LONGLONG, *PLONGLONG, LONG64, INT64, USN;
typedef uint64_t ULONGLONG, *PULONGLONG, ULONG64, UINT64, DWORDLONG;
typedef intptr_t LONG_PTR, INT_PTR;
typedef uintptr_t ULONG_PTR, *PULONG_PTR, UINT_PTR, KAFFINITY, *PKAFFINITY;
typedef size_t SIZE_T, *PSIZE_T;
typedef wchar_t WCHAR, *PWCHAR, *PWSTR, *LPWSTR;
typedef const wchar_t *PCWSTR, *LPCWSTR;
typedef void *HANDLE, **PHANDLE;
typedef UCHAR KIRQL, *PKIRQL;
typedef CCHAR KPROCESSOR_MODE;
typedef LONG KPRIORITY;
typedef ULONG ACCESS_MASK, *PACCESS_MASK;
typedef ULONG DEVICE_TYPE;

_Static_assert(sizeof(WCHAR) == 2, "compile with -fshort-wchar");

typedef union _LARGE_INTEGER {
	struct {
		ULONG LowPart;
		LONG HighPart;
	};
	struct {
		ULONG LowPart;
		LONG HighPart;
	} u;
	LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

typedef union _ULARGE_INTEGER {
	struct {
		ULONG LowPart;
		ULONG HighPart;
	};
	struct {
		ULONG LowPart;
		ULONG HighPart;
	} u;
	ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

typedef LARGE_INTEGER PHYSICAL_ADDRESS, *PPHYSICAL_ADDRESS;

typedef struct _LUID {
	ULONG LowPart;
	LONG HighPart;
} LUID, *PLUID;

typedef struct _GUID {
	ULONG Data1;
	USHORT Data2;
	USHORT Data3;
	UCHAR Data4[8];
} GUID, *LPGUID;

typedef const GUID *LPCGUID;

/* initguid.h has the other one. */
#if !defined(DEFINE_GUID)
#define DEFINE_GUID(name, a, b, c, d0, d1, d2, d3, d4, d5, d6, d7) extern const GUID name
#endif
#define IsEqualGUID(a, b) (memcmp((a), (b), sizeof(GUID)) == 0)

typedef struct _LIST_ENTRY {
	struct _LIST_ENTRY *Flink, *Blink;
} LIST_ENTRY, *PLIST_ENTRY;

typedef struct _SINGLE_LIST_ENTRY {
	struct _SINGLE_LIST_ENTRY *Next;
} SINGLE_LIST_ENTRY, *PSINGLE_LIST_ENTRY;

/* Lengths in bytes; Buffer need not end with a zero. */
typedef struct _UNICODE_STRING {
	USHORT Length;
	USHORT MaximumLength;
	PWSTR Buffer;
} UNICODE_STRING, *PUNICODE_STRING;

typedef const UNICODE_STRING *PCUNICODE_STRING;

#define RTL_CONSTANT_STRING(s)                                                                               \
	{                                                                                                    \
		sizeof(s) - sizeof((s)[0]), sizeof(s), (s)                                                   \
	}

#define CONTAINING_RECORD(address, type, field)                                                              \
	((type *)(void *)((char *)(void *)(address)-offsetof(type, field)))
#define FIELD_OFFSET(type, field) ((LONG)offsetof(type, field))

#define RtlCopyMemory(to, from, length) memcpy((to), (from), (length))
#define RtlMoveMemory(to, from, length) memmove((to), (from), (length))
#define RtlZeroMemory(to, length)       memset((to), 0, (length))
#define RtlFillMemory(to, length, byte) memset((to), (byte), (length))

FORCEINLINE void InitializeListHead(LIST_ENTRY *head)
{
	head->Flink = head->Blink = head;
}

FORCEINLINE BOOLEAN IsListEmpty(const LIST_ENTRY *head)
{
	return head->Flink == head;
}

FORCEINLINE BOOLEAN RemoveEntryList(LIST_ENTRY *entry)
{
	LIST_ENTRY *after = entry->Flink, *before = entry->Blink;
	before->Flink = after;
	after->Blink = before;
	return after == before;
}

FORCEINLINE LIST_ENTRY *RemoveHeadList(LIST_ENTRY *head)
{
	LIST_ENTRY *entry = head->Flink;
	RemoveEntryList(entry);
	return entry;
}

FORCEINLINE void InsertTailList(LIST_ENTRY *head, LIST_ENTRY *entry)
{
	entry->Flink = head;
	entry->Blink = head->Blink;
	head->Blink->Flink = entry;
	head->Blink = entry;
}

FORCEINLINE void InsertHeadList(LIST_ENTRY *head, LIST_ENTRY *entry)
{
	entry->Blink = head;
	entry->Flink = head->Flink;
	head->Flink->Blink = entry;
	head->Flink = entry;
}

#define InterlockedIncrement(p)          __atomic_add_fetch((p), 1, __ATOMIC_SEQ_CST)
#define InterlockedDecrement(p)          __atomic_sub_fetch((p), 1, __ATOMIC_SEQ_CST)
#define InterlockedExchange(p, value)    __atomic_exchange_n((p), (value), __ATOMIC_SEQ_CST)
#define InterlockedExchangeAdd(p, value) __atomic_fetch_add((p), (value), __ATOMIC_SEQ_CST)
/* To GCC's and clang's way: what is there is to be old, and is given back. */
FORCEINLINE LONG InterlockedCompareExchange(volatile LONG *at, LONG value, LONG old)
{
	__atomic_compare_exchange_n(at, &old, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return old;
}
#define InterlockedExchangePointer(p, value) __atomic_exchange_n((p), (value), __ATOMIC_SEQ_CST)

void *memcpy(void *to, const void *from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
int memcmp(const void *a, const void *b, size_t length);

#endif
