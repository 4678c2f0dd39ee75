/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * irql.c: the IRQL that each thread would have, kept in its thread-local storage, and what depends on it:
 * spin locks, waits, threads.
 */
#include "tests/storport/wine/standin/standin.h"

/* kernel32's; its headers do not go with these. */
__declspec(dllimport) ULONG NTAPI TlsAlloc(void);
__declspec(dllimport) void *NTAPI TlsGetValue(ULONG slot);
__declspec(dllimport) LONG NTAPI TlsSetValue(ULONG slot, void *value);
__declspec(dllimport) ULONG NTAPI GetCurrentThreadId(void);

/* What is kept of each thread. */
enum slot {
	SLOT_IRQL,
	SLOT_TOKEN,  /* whether it impersonates */
	SLOT_LOCKS,  /* how many spin locks it holds */
	SLOT_STARTS, /* whether it starts a request in a completion */
	SLOTS,
};

static ULONG slots[SLOTS];
static LONG driver_threads;

void standin_slots_open(void)
{
	for (int i = 0; i < SLOTS; i++)
		while (!slots[i])
			slots[i] = TlsAlloc();
}

static LONG get(enum slot slot)
{
	return (LONG)(LONG_PTR)TlsGetValue(slots[slot]);
}

static LONG set(enum slot slot, LONG value)
{
	LONG before = get(slot);
	TlsSetValue(slots[slot], (void *)(LONG_PTR)value);
	return before;
}

KIRQL standin_irql(void)
{
	return (KIRQL)get(SLOT_IRQL);
}

KIRQL standin_irql_set(KIRQL irql)
{
	return (KIRQL)set(SLOT_IRQL, irql);
}

LONG standin_impersonating(void)
{
	return get(SLOT_TOKEN);
}

void standin_impersonating_set(LONG on)
{
	set(SLOT_TOKEN, on);
}

LONG standin_starts_set(LONG on)
{
	return set(SLOT_STARTS, on);
}

void standin_passive(const char *name)
{
	if (standin_irql() != PASSIVE_LEVEL)
		standin_fail("%s at IRQL %u", name, standin_irql());
}

void standin_at_most_dispatch(const char *name)
{
	if (standin_irql() > DISPATCH_LEVEL)
		standin_fail("%s at IRQL %u", name, standin_irql());
}

void standin_unlocked(const char *name)
{
	if (get(SLOT_LOCKS))
		standin_fail("%s with %d spin locks held", name, get(SLOT_LOCKS));
}

void standin_returned(const char *name, KIRQL irql)
{
	if (standin_irql() != irql)
		standin_fail("%s returned at IRQL %u", name, standin_irql());
	if (get(SLOT_LOCKS))
		standin_fail("%s returned with %d spin locks held", name, get(SLOT_LOCKS));
}

void standin_lock(struct standin_lock *lock)
{
	while (InterlockedExchange(&lock->held, 1))
		ZwYieldExecution();
}

void standin_unlock(struct standin_lock *lock)
{
	InterlockedExchange(&lock->held, 0);
}

void standin_sleep_ms(ULONG ms)
{
	LARGE_INTEGER time;
	time.QuadPart = -(LONGLONG)ms * 10000;
	NtDelayExecution(FALSE, &time);
}

ULONGLONG standin_now_ms(void)
{
	LARGE_INTEGER time;
	NtQuerySystemTime(&time);
	return (ULONGLONG)time.QuadPart / 10000;
}

/* ---- Spin locks: who holds one is written in it ---- */

static KIRQL NTAPI acquire_spin_lock(KSPIN_LOCK *lock)
{
	standin_at_most_dispatch("KeAcquireSpinLockRaiseToDpc");
	KIRQL before = standin_irql_set(DISPATCH_LEVEL);
	LONGLONG self = (LONGLONG)GetCurrentThreadId();
	ULONG turns = 0;
	for (;;) {
		LONGLONG holder = InterlockedCompareExchange64((LONGLONG volatile *)lock, self, 0);
		if (!holder) {
			set(SLOT_LOCKS, get(SLOT_LOCKS) + 1);
			return before;
		}
		if (holder == self || ++turns == 5000000) {
			standin_fail("a spin lock is waited for in vain: thread %04x holds it, thread %04x "
				     "wants it",
				(ULONG)holder, (ULONG)self);
			standin_sleep_ms(1000);
		}
		ZwYieldExecution();
	}
}

static void NTAPI release_spin_lock(KSPIN_LOCK *lock, KIRQL irql)
{
	LONGLONG self = (LONGLONG)GetCurrentThreadId();
	if (InterlockedExchange64((LONGLONG volatile *)lock, 0) != self)
		standin_fail("a spin lock is released by who does not hold it");
	if (standin_irql() != DISPATCH_LEVEL)
		standin_fail("a spin lock is released at IRQL %u", standin_irql());
	set(SLOT_LOCKS, get(SLOT_LOCKS) - 1);
	standin_irql_set(irql);
}

static void NTAPI acquire_cancel_lock(KIRQL *irql)
{
	standin_at_most_dispatch("IoAcquireCancelSpinLock");
	KIRQL wines;
	IoAcquireCancelSpinLock(&wines);
	*irql = standin_irql_set(DISPATCH_LEVEL);
}

static void NTAPI release_cancel_lock(KIRQL irql)
{
	standin_irql_set(irql);
	IoReleaseCancelSpinLock(PASSIVE_LEVEL);
}

/* ---- Threads ---- */

struct start {
	KSTART_ROUTINE *run;
	void *context;
};

struct thread {
	LIST_ENTRY link;
	LONG references;
	HANDLE handle;
};

static LIST_ENTRY threads = {&threads, &threads};
static struct standin_lock threads_lock;

LONG standin_driver_threads(void)
{
	return driver_threads;
}

static void thread_ends(void)
{
	standin_returned("the routine of a thread", PASSIVE_LEVEL);
	if (standin_impersonating())
		standin_fail("a thread ends while it impersonates");
	InterlockedDecrement(&driver_threads);
}

static void NTAPI thread_run(void *context)
{
	struct start start = *(struct start *)context;
	standin_free(context);
	start.run(start.context);
	thread_ends();
}

static NTSTATUS NTAPI create_thread(HANDLE *handle, ULONG access, OBJECT_ATTRIBUTES *attributes,
	HANDLE process, CLIENT_ID *id, KSTART_ROUTINE *run, void *context)
{
	standin_passive("PsCreateSystemThread");
	if (standin_memory_is_short())
		return STATUS_INSUFFICIENT_RESOURCES;
	struct start *start = standin_allocate(sizeof(*start));
	*start = (struct start){run, context};
	InterlockedIncrement(&driver_threads);
	NTSTATUS status = PsCreateSystemThread(handle, access, attributes, process, id, thread_run, start);
	if (!NT_SUCCESS(status)) {
		InterlockedDecrement(&driver_threads);
		standin_free(start);
	}
	return status;
}

static NTSTATUS NTAPI terminate_thread(NTSTATUS status)
{
	thread_ends();
	return PsTerminateSystemThread(status);
}

/* Wine has no boxes to show. */
static BOOLEAN NTAPI set_hard_error_mode(BOOLEAN enable)
{
	(void)enable;
	standin_at_most_dispatch("IoSetThreadHardErrorMode");
	return TRUE;
}

static struct thread *thread_of(const void *object)
{
	struct thread *found = NULL;
	standin_lock(&threads_lock);
	for (LIST_ENTRY *at = threads.Flink; at != &threads; at = at->Flink)
		if (at == object)
			found = CONTAINING_RECORD(at, struct thread, link);
	standin_unlock(&threads_lock);
	return found;
}

NTSTATUS standin_thread_reference(HANDLE handle, void **object)
{
	struct thread *thread = standin_allocate(sizeof(*thread));
	thread->references = 1;
	NTSTATUS status = ZwDuplicateObject(
		NtCurrentProcess(), handle, NtCurrentProcess(), &thread->handle, 0, 0, DUPLICATE_SAME_ACCESS);
	if (!NT_SUCCESS(status)) {
		standin_free(thread);
		return status;
	}
	standin_lock(&threads_lock);
	InsertTailList(&threads, &thread->link);
	standin_unlock(&threads_lock);
	*object = thread;
	return STATUS_SUCCESS;
}

bool standin_thread_dereference(void *object)
{
	struct thread *thread = thread_of(object);
	if (!thread)
		return false;
	standin_lock(&threads_lock);
	RemoveEntryList(&thread->link);
	standin_unlock(&threads_lock);
	NtClose(thread->handle);
	standin_free(thread);
	return true;
}

static void NTAPI own_thread_run(void *context)
{
	struct start start = *(struct start *)context;
	standin_free(context);
	start.run(start.context);
}

void standin_thread_start(void (*run)(void *context), void *context, HANDLE *handle)
{
	struct start *start = standin_allocate(sizeof(*start));
	*start = (struct start){(KSTART_ROUTINE *)run, context};
	PsCreateSystemThread(handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, own_thread_run, start);
}

void standin_thread_join(HANDLE handle)
{
	ZwWaitForSingleObject(handle, FALSE, NULL);
	NtClose(handle);
}

/* ---- Waits ---- */

static NTSTATUS NTAPI wait_for(
	void *object, KWAIT_REASON reason, KPROCESSOR_MODE mode, BOOLEAN alertable, LARGE_INTEGER *timeout)
{
	if (!timeout || timeout->QuadPart)
		standin_passive("KeWaitForSingleObject");
	struct thread *thread = thread_of(object);
	if (thread)
		return ZwWaitForSingleObject(thread->handle, alertable, timeout);
	return KeWaitForSingleObject(object, reason, mode, alertable, timeout);
}

static NTSTATUS NTAPI delay(KPROCESSOR_MODE mode, BOOLEAN alertable, LARGE_INTEGER *interval)
{
	standin_passive("KeDelayExecutionThread");
	return KeDelayExecutionThread(mode, alertable, interval);
}

static LONG NTAPI set_event(KEVENT *event, KPRIORITY increment, BOOLEAN wait)
{
	standin_at_most_dispatch("KeSetEvent");
	if (wait)
		standin_passive("KeSetEvent with Wait");
	return KeSetEvent(event, increment, wait);
}

static LONG NTAPI release_semaphore(KSEMAPHORE *semaphore, KPRIORITY increment, LONG count, BOOLEAN wait)
{
	standin_at_most_dispatch("KeReleaseSemaphore");
	return KeReleaseSemaphore(semaphore, increment, count, wait);
}

const struct standin_import standin_irql_imports[] = {
	{"KeAcquireSpinLockRaiseToDpc", acquire_spin_lock},
	{"KeReleaseSpinLock", release_spin_lock},
	{"IoAcquireCancelSpinLock", acquire_cancel_lock},
	{"IoReleaseCancelSpinLock", release_cancel_lock},
	{"PsCreateSystemThread", create_thread},
	{"PsTerminateSystemThread", terminate_thread},
	{"IoSetThreadHardErrorMode", set_hard_error_mode},
	{"KeWaitForSingleObject", wait_for},
	{"KeDelayExecutionThread", delay},
	{"KeSetEvent", set_event},
	{"KeReleaseSemaphore", release_semaphore},
	{NULL, NULL},
};
