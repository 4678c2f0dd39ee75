/* SPDX-License-Identifier: BSD-2-Clause */
/* nt_etw.h: providers of events. EtwSetInformation is not here: mingw-w64 has it not, the driver declares it.
 */
#ifndef LF_TESTS_NT_ETW_H
#define LF_TESTS_NT_ETW_H

#include "tests/storport/nt/include/nt_types.h"

typedef ULONGLONG REGHANDLE, *PREGHANDLE;

typedef struct _EVENT_DESCRIPTOR {
	USHORT Id;
	UCHAR Version;
	UCHAR Channel;
	UCHAR Level;
	UCHAR Opcode;
	USHORT Task;
	ULONGLONG Keyword;
} EVENT_DESCRIPTOR, *PEVENT_DESCRIPTOR;
typedef const EVENT_DESCRIPTOR *PCEVENT_DESCRIPTOR;

typedef struct _EVENT_DATA_DESCRIPTOR {
	ULONGLONG Ptr;
	ULONG Size;
	ULONG Reserved;
} EVENT_DATA_DESCRIPTOR, *PEVENT_DATA_DESCRIPTOR;

typedef struct _EVENT_FILTER_DESCRIPTOR {
	ULONGLONG Ptr;
	ULONG Size;
	ULONG Type;
} EVENT_FILTER_DESCRIPTOR, *PEVENT_FILTER_DESCRIPTOR;

_Static_assert(sizeof(EVENT_DESCRIPTOR) == 16 && sizeof(EVENT_DATA_DESCRIPTOR) == 16, "as Windows has them");

typedef VOID (*PETWENABLECALLBACK)(LPCGUID source, ULONG control, UCHAR level, ULONGLONG any, ULONGLONG all,
	PEVENT_FILTER_DESCRIPTOR filter, PVOID context);

NTSTATUS EtwRegister(LPCGUID name, PETWENABLECALLBACK callback, PVOID context, PREGHANDLE provider);
NTSTATUS EtwUnregister(REGHANDLE provider);
NTSTATUS EtwWriteTransfer(REGHANDLE provider, PCEVENT_DESCRIPTOR event, LPCGUID activity, LPCGUID related,
	ULONG count, PEVENT_DATA_DESCRIPTOR pieces);

#endif
