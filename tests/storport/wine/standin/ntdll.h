/* SPDX-License-Identifier: BSD-2-Clause */
/* ntdll.h: what the stand-in calls beneath the kernel's names, and the kernel's header does not declare. */
#ifndef LF_TESTS_STANDIN_NTDLL_H
#define LF_TESTS_STANDIN_NTDLL_H

#include <stdarg.h>
#include <ntifs.h>

NTSTATUS NTAPI NtDelayExecution(BOOLEAN alertable, const LARGE_INTEGER *time);
NTSTATUS NTAPI NtProtectVirtualMemory(
	HANDLE process, void **at, SIZE_T *bytes, ULONG protection, ULONG *before);
NTSTATUS NTAPI NtQueryPerformanceCounter(LARGE_INTEGER *now, LARGE_INTEGER *frequency);
NTSTATUS NTAPI NtQuerySystemTime(LARGE_INTEGER *time);
NTSTATUS NTAPI NtReadVirtualMemory(HANDLE process, void *from, void *to, SIZE_T bytes, SIZE_T *moved);
NTSTATUS NTAPI NtWriteVirtualMemory(HANDLE process, void *to, const void *from, SIZE_T bytes, SIZE_T *moved);
void *NTAPI RtlAddVectoredExceptionHandler(ULONG first, void *handler);
void *NTAPI RtlLookupFunctionEntry(ULONG64 address, ULONG64 *base, void *history);
void *NTAPI RtlVirtualUnwind(ULONG kind, ULONG64 base, ULONG64 address, void *function, CONTEXT *context,
	void **handler_data, ULONG64 *frame, void *pointers);
int _vsnprintf(char *text, size_t room, const char *format, va_list arguments);
int _snwprintf(WCHAR *text, size_t room, const WCHAR *format, ...);

/* The process environment block; offsets in it are those of x64. */
UCHAR *NTAPI RtlGetCurrentPeb(void);

static inline void *standin_heap(void)
{
	return *(void **)(RtlGetCurrentPeb() + 0x30);
}

#endif
