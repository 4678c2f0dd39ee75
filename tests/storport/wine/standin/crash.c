/* SPDX-License-Identifier: BSD-2-Clause */
/* crash.c: where the driver broke: the addresses on the stack that lie in it, for addr2line. */
#include "tests/storport/wine/standin/standin.h"

#define FRAMES_MAX 32
#define STACKS_MAX 8 /* of failures; one mistake may be made many times */

/* All but the first are where calls return to: the call itself is said. */
static void say_frame(ULONG64 address)
{
	uint8_t *base;
	const char *name;
	if (!standin_module((void *)address, &base, &name) || !_stricmp(name, "storport.sys"))
		return;
	standin_log("frame %s 0x%llx", name, (unsigned long long)(address - (ULONG64)base));
}

static void walk(CONTEXT context)
{
	for (int i = 0; i < FRAMES_MAX && (context.Rip || !i); i++) { /* 0 first: a call of nothing */
		say_frame(context.Rip - (i > 0));
		ULONG64 base, frame;
		void *handler_data;
		void *function = RtlLookupFunctionEntry(context.Rip, &base, NULL);
		if (!function) {
			if (context.Rsp & 7)
				return;
			context.Rip = *(ULONG64 *)context.Rsp;
			context.Rsp += 8;
			continue;
		}
		RtlVirtualUnwind(0, base, context.Rip, function, &context, &handler_data, &frame, NULL);
	}
}

void standin_say_stack(void)
{
	static volatile LONG said;
	CONTEXT context;
	if (InterlockedIncrement(&said) > STACKS_MAX)
		return;
	RtlCaptureContext(&context);
	walk(context);
}

static LONG NTAPI caught(EXCEPTION_POINTERS *pointers)
{
	static volatile LONG said;
	ULONG code = (ULONG)pointers->ExceptionRecord->ExceptionCode;
	/* Errors; and 0x80000100: Wine has no such function. Others are messages. */
	if (code >> 30 != 3 && code != 0x80000100 && code != 0x80000003)
		return 0;
	if (InterlockedExchange(&said, 1))
		return 0;
	standin_log("not ok crash: exception %08x at %p, data %p", code,
		pointers->ExceptionRecord->ExceptionAddress,
		(void *)(pointers->ExceptionRecord->NumberParameters > 1
				 ? pointers->ExceptionRecord->ExceptionInformation[1]
				 : 0));
	walk(*pointers->ContextRecord);
	standin_log("frames end");
	return 0;
}

void standin_crash_watch(void)
{
	RtlAddVectoredExceptionHandler(0, (void *)caught);
}
