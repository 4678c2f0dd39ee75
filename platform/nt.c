/* SPDX-License-Identifier: BSD-2-Clause */
/* nt.c: platform.h in the kernel of Windows: lock, memory, clock, lanes, log, and the end of it all. */
#include "platform/nt.h"

#include <stdarg.h>

/* The kernel's own; its header differs between the WDK and mingw-w64. */
int _vsnprintf(char *text, size_t room_bytes, const char *format, va_list values);

#define LINE_MAX_BYTES   440 /* DbgPrintEx has room for 512 */
#define LINES_PER_SECOND 50
#define NS_PER_SECOND    1000000000u

struct spin_lock {
	KSPIN_LOCK lock;
	KIRQL irql; /* of whoever holds it, before */
} LF_MAY_ALIAS;

_Static_assert(sizeof(struct spin_lock) <= sizeof(struct lf_lock), "a spin lock fits in the lock's words");

static uint32_t log_level = LF_LOG_NOTICE; /* constant after lf_nt_platform_init */

/*
 * What was logged in this second: a storm of faults must not stall a machine that a debugger listens to. By
 * atomics and without a lock: a trace event may come above DISPATCH_LEVEL (HwInitialize). Lines that come
 * together at the turn of a second may be counted wrongly.
 */
static struct {
	uint64_t begun_ns, lines;
	uint64_t dropped, told; /* lines that were left out since the start, and of those: that was printed */
} rate;

static struct spin_lock *spin_lock_of(struct lf_lock *lock)
{
	return (struct spin_lock *)(void *)lock->words;
}

void lf_lock_init(struct lf_lock *lock)
{
	KeInitializeSpinLock(&spin_lock_of(lock)->lock);
}

void lf_lock_fini(struct lf_lock *lock)
{
	(void)lock;
}

void lf_lock(struct lf_lock *lock)
{
	struct spin_lock *spin = spin_lock_of(lock);
	KIRQL irql = KeAcquireSpinLockRaiseToDpc(&spin->lock);

	spin->irql = irql;
}

void lf_unlock(struct lf_lock *lock)
{
	struct spin_lock *spin = spin_lock_of(lock);

	KeReleaseSpinLock(&spin->lock, spin->irql);
}

/* Not ExAllocatePool2, which Windows has only since version 2004. Not executable: HVCI asks for it. */
void *lf_alloc(size_t length_bytes)
{
	void *memory = ExAllocatePoolWithTag(NonPagedPoolNx, length_bytes, LF_NT_TAG);

	if (memory)
		memset(memory, 0, length_bytes);
	return memory;
}

void lf_free(void *memory)
{
	if (memory)
		ExFreePoolWithTag(memory, LF_NT_TAG);
}

/* In two parts: the product of the whole would overflow after half an hour of a 10 MHz counter. */
uint64_t lf_time_ns(void)
{
	LARGE_INTEGER frequency;
	uint64_t ticks = (uint64_t)KeQueryPerformanceCounter(&frequency).QuadPart;
	uint64_t per_second = (uint64_t)frequency.QuadPart;

	return ticks / per_second * NS_PER_SECOND + ticks % per_second * NS_PER_SECOND / per_second;
}

uint32_t lf_lane_current(void)
{
	return (uint32_t)KeGetCurrentProcessorNumberEx(NULL);
}

void lf_handle_close(lf_handle handle)
{
	NTSTATUS status = ZwClose((HANDLE)handle);

	lf_assert(NT_SUCCESS(status));
}

static size_t format_values(char *text, size_t room_bytes, const char *format, va_list values)
	LF_PRINTF(3, 0);

/* _vsnprintf says -1 of text that was cut, and then, or when it just fits, writes no zero. */
static size_t format_values(char *text, size_t room_bytes, const char *format, va_list values)
{
	int length;

	lf_assert(room_bytes > 0);
	length = _vsnprintf(text, room_bytes, format, values);
	if (length >= 0 && (size_t)length < room_bytes)
		return (size_t)length;
	text[room_bytes - 1] = '\0';
	return strlen(text);
}

size_t lf_format(char *text, size_t room_bytes, const char *format, ...)
{
	va_list values;
	size_t length;

	va_start(values, format);
	length = format_values(text, room_bytes, format, values);
	va_end(values);
	return length;
}

/* Paths and names come from outside; a line must stay one line. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < 0x20 || c == 0x7f)
			*text = '?';
	}
}

void lf_message_set(struct lf_message *message, const char *format, ...)
{
	va_list values;

	if (!message)
		return;
	va_start(values, format);
	format_values(message->text, sizeof(message->text), format, values);
	va_end(values);
	make_printable(message->text);
}

/* False: there were enough lines in this second. dropped: how many were left out before this one. */
static bool may_print(uint64_t *dropped)
{
	uint64_t now_ns = lf_time_ns(), all, told;

	if (now_ns - lf_atomic_load_relaxed_u64(&rate.begun_ns) >= NS_PER_SECOND) {
		lf_atomic_store_relaxed_u64(&rate.begun_ns, now_ns);
		lf_atomic_store_relaxed_u64(&rate.lines, 0);
	}
	if (lf_atomic_add_relaxed_u64(&rate.lines, 1) >= LINES_PER_SECOND) {
		(void)lf_atomic_add_relaxed_u64(&rate.dropped, 1);
		return false;
	}
	told = lf_atomic_load_relaxed_u64(&rate.told);
	all = lf_atomic_load_relaxed_u64(&rate.dropped);
	*dropped = all > told ? all - told : 0;
	if (*dropped > 0)
		lf_atomic_store_relaxed_u64(&rate.told, all);
	return true;
}

void lf_nt_print(uint32_t level, const char *text)
{
	uint64_t dropped;

	if (!may_print(&dropped))
		return;
	if (dropped > 0)
		DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_WARNING_LEVEL, "lungfish: %u lines were left out\n",
			(unsigned)dropped);
	DbgPrintEx(DPFLTR_IHVDRIVER_ID, level, "lungfish: %s\n", text);
}

void lf_log(enum lf_log_level level, const char *format, ...)
{
	static const char *const prefix[] = {"", "warning: ", "", "debug: "};
	/* Windows filters away whatever is less than an error, unless its own registry says otherwise. */
	static const uint32_t filter[] = {
		DPFLTR_ERROR_LEVEL, DPFLTR_WARNING_LEVEL, DPFLTR_TRACE_LEVEL, DPFLTR_INFO_LEVEL};
	char line[LINE_MAX_BYTES];
	va_list values;
	size_t length;

	if ((uint32_t)level > log_level)
		return;
	length = lf_format(line, sizeof(line), "%s", prefix[level]);
	va_start(values, format);
	format_values(line + length, sizeof(line) - length, format, values);
	va_end(values);
	make_printable(line);
	lf_nt_print(filter[level], line);
}

static const char *base_of(const char *file)
{
	const char *base = file;

	for (; *file; file++)
		if (*file == '/' || *file == '\\')
			base = file + 1;
	return base;
}

/*
 * A small dump has no strings of the image's, so the parameters say it themselves: the first eight letters of
 * the file's name, the line, and where the names of file and condition lie.
 */
_Noreturn void lf_panic(const char *file, int line, const char *what)
{
	const char *base = base_of(file);
	uint64_t letters = 0;

	for (uint32_t i = 0; i < sizeof(letters) && base[i]; i++)
		letters |= (uint64_t)(unsigned char)base[i] << 8 * i;
	DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_ERROR_LEVEL, "lungfish: %s:%d: assertion failed: %s\n", file,
		line, what);
	KeBugCheckEx(LF_NT_BUG_CHECK, (ULONG_PTR)letters, (ULONG_PTR)line, (ULONG_PTR)file, (ULONG_PTR)what);
}

void lf_nt_platform_init(const UNICODE_STRING *registry_path)
{
	memset(&rate, 0, sizeof(rate));
	log_level = lf_nt_parameter(registry_path, L"LogLevel", LF_LOG_NOTICE);
}
