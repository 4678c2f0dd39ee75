/* SPDX-License-Identifier: BSD-2-Clause */
/* nt_thread.c: threads of the system, started and joined. */
#include "platform/nt.h"

static void thread_main(void *context)
{
	struct lf_nt_thread *thread = context;

	/*
	 * A file system whose medium was taken out, or cannot be read, would show a box that asks for it, and
	 * keep the request until somebody has answered: nobody may be there, and no reset would end it.
	 */
	(void)IoSetThreadHardErrorMode(FALSE);
	thread->run(thread->context);
	/* The thread's owner may be gone by now. */
	PsTerminateSystemThread(STATUS_SUCCESS);
}

enum lf_error lf_nt_thread_start(struct lf_nt_thread *thread)
{
	OBJECT_ATTRIBUTES attributes;
	HANDLE handle;
	NTSTATUS status;

	InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
	status = PsCreateSystemThread(
		&handle, THREAD_ALL_ACCESS, &attributes, NULL, NULL, thread_main, thread);
	if (!NT_SUCCESS(status))
		return lf_error_from_status(status);
	/* It runs already and cannot be taken back; a handle that was just made can be referenced. */
	status = ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, LF_NT_OBJECT_TYPE(PsThreadType),
		KernelMode, &thread->object, NULL);
	lf_assert(NT_SUCCESS(status));
	lf_handle_close((lf_handle)handle);
	return LF_OK;
}

static bool join(struct lf_nt_thread *thread, LARGE_INTEGER *timeout)
{
	NTSTATUS status = KeWaitForSingleObject(thread->object, Executive, KernelMode, FALSE, timeout);

	if (status != STATUS_SUCCESS)
		return false;
	ObDereferenceObject(thread->object);
	thread->object = NULL;
	return true;
}

bool lf_nt_thread_join_within(struct lf_nt_thread *thread, uint64_t timeout_ns)
{
	LARGE_INTEGER timeout = {.QuadPart = lf_nt_relative(timeout_ns)};

	return join(thread, timeout_ns == UINT64_MAX ? NULL : &timeout);
}

void lf_nt_thread_join(struct lf_nt_thread *thread)
{
	bool joined = join(thread, NULL);

	lf_assert(joined);
}
