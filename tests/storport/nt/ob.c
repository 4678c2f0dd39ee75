/* SPDX-License-Identifier: BSD-2-Clause */
/* ob.c: objects that are counted, and handles of them. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/storport/nt/internal.h"

#define HANDLES_MAX  4096
#define HANDLE_BASE  0xffffffff80000000ULL
#define OBJECT_MAGIC 0x4f424a31u

struct header {
	uint32_t magic, type;
	int64_t references; /* by atomics */
	void (*gone)(void *body);
	uint64_t pad;
};

struct slot {
	void *body;
	ACCESS_MASK access;
};

static struct slot slots[HANDLES_MAX];
static uint32_t next_slot;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of both */
static uint64_t alive[LF_FAKE_CALLBACK + 1];              /* by atomics */
static void (*closed_of[LF_FAKE_CALLBACK + 1])(void *body);

static char thread_type[] = "thread", file_type[] = "file";
static POBJECT_TYPE thread_type_at = (POBJECT_TYPE)(void *)thread_type;
static POBJECT_TYPE file_type_at = (POBJECT_TYPE)(void *)file_type;
POBJECT_TYPE *PsThreadType = &thread_type_at;
POBJECT_TYPE *IoFileObjectType = &file_type_at;

static struct header *header_of(void *body)
{
	struct header *header = (struct header *)body - 1;
	if (header->magic != OBJECT_MAGIC)
		lf_fake_broken("%p is no object, or is gone", body);
	return header;
}

void *lf_fake_object_make(enum lf_fake_type type, size_t body_bytes, void (*gone)(void *body))
{
	struct header *header = calloc(1, sizeof(struct header) + body_bytes);
	*header = (struct header){.magic = OBJECT_MAGIC, .type = type, .references = 1, .gone = gone};
	__atomic_add_fetch(&alive[type], 1, __ATOMIC_RELAXED);
	return header + 1;
}

/* What may stand in front of anything that can be waited for: only objects of ours have CSHORT 5 there. */
bool lf_fake_object_is(void *body, enum lf_fake_type type)
{
	return type == LF_FAKE_FILE && ((FILE_OBJECT *)body)->Type == LF_FAKE_FILE &&
	       ((FILE_OBJECT *)body)->Size == sizeof(FILE_OBJECT);
}

void lf_fake_object_reference(void *body)
{
	__atomic_add_fetch(&header_of(body)->references, 1, __ATOMIC_RELAXED);
}

void lf_fake_object_dereference(void *body)
{
	struct header *header = header_of(body);
	int64_t left = __atomic_sub_fetch(&header->references, 1, __ATOMIC_ACQ_REL);
	if (left < 0)
		lf_fake_broken("an object is dereferenced more often than referenced");
	if (left)
		return;
	if (header->gone)
		header->gone(body);
	__atomic_sub_fetch(&alive[header->type], 1, __ATOMIC_RELAXED);
	header->magic = 0;
	free(header);
}

LONG_PTR ObfDereferenceObject(PVOID object)
{
	lf_fake_need_irql("ObfDereferenceObject", DISPATCH_LEVEL);
	LONG_PTR left = __atomic_load_n(&header_of(object)->references, __ATOMIC_RELAXED) - 1;
	/* The last reference to a file closes it, which calls the file system. */
	if (left == 0 && header_of(object)->type == LF_FAKE_FILE)
		lf_fake_passive("ObfDereferenceObject, the last one, of a file");
	lf_fake_object_dereference(object);
	return left;
}

void lf_fake_type_closed(enum lf_fake_type type, void (*closed)(void *body))
{
	closed_of[type] = closed;
}

HANDLE lf_fake_handle_make(void *body, ACCESS_MASK access)
{
	pthread_mutex_lock(&mutex);
	uint32_t at = next_slot;
	for (uint32_t tries = 0; slots[at % HANDLES_MAX].body; tries++, at++)
		if (tries == HANDLES_MAX)
			lf_fake_broken("there are %d handles", HANDLES_MAX);
	slots[at % HANDLES_MAX] = (struct slot){body, access};
	next_slot = (at + 1) % HANDLES_MAX;
	lf_fake_object_reference(body);
	pthread_mutex_unlock(&mutex);
	return (HANDLE)(uintptr_t)(HANDLE_BASE + (at % HANDLES_MAX + 1) * 4);
}

/* Under the mutex. */
static struct slot *slot_of(const char *who, HANDLE handle)
{
	uint64_t index = ((uintptr_t)handle - HANDLE_BASE) / 4 - 1;
	if ((uintptr_t)handle <= HANDLE_BASE || (uintptr_t)handle % 4 || index >= HANDLES_MAX ||
		!slots[index].body)
		lf_fake_broken("%s: there is no handle %p", who, handle);
	return &slots[index];
}

void *lf_fake_handle_body(HANDLE handle, enum lf_fake_type type, ACCESS_MASK *access)
{
	pthread_mutex_lock(&mutex);
	struct slot slot = *slot_of("a handle is used", handle);
	pthread_mutex_unlock(&mutex);
	if (header_of(slot.body)->type != type)
		lf_fake_broken("the handle %p is of another type", handle);
	if (access)
		*access = slot.access;
	return slot.body;
}

NTSTATUS ZwClose(HANDLE handle)
{
	lf_fake_passive("ZwClose");
	pthread_mutex_lock(&mutex);
	struct slot *slot = slot_of("ZwClose", handle);
	void *body = slot->body;
	slot->body = NULL;
	pthread_mutex_unlock(&mutex);
	if (closed_of[header_of(body)->type])
		closed_of[header_of(body)->type](body);
	lf_fake_object_dereference(body);
	return STATUS_SUCCESS;
}

NTSTATUS ObReferenceObjectByHandle(HANDLE handle, ACCESS_MASK desired, POBJECT_TYPE type,
	KPROCESSOR_MODE mode, PVOID *object, OBJECT_HANDLE_INFORMATION *information)
{
	lf_fake_passive("ObReferenceObjectByHandle");
	if (mode != KernelMode || information)
		lf_fake_broken("ObReferenceObjectByHandle for a user's handle: there is none");
	if (type != *PsThreadType && type != *IoFileObjectType)
		lf_fake_broken("ObReferenceObjectByHandle without the type of the object");
	ACCESS_MASK access;
	*object = lf_fake_handle_body(
		handle, type == *PsThreadType ? LF_FAKE_THREAD_OBJECT : LF_FAKE_FILE, &access);
	UNREFERENCED_PARAMETER(desired); /* kernel mode: granted whatever the handle was opened for */
	lf_fake_object_reference(*object);
	return STATUS_SUCCESS;
}

uint32_t lf_fake_object_leaks(void)
{
	static const char *const names[LF_FAKE_CALLBACK + 1] = {
		[LF_FAKE_FILE] = "file objects",
		[LF_FAKE_KEY] = "keys",
		[LF_FAKE_THREAD_OBJECT] = "threads",
		[LF_FAKE_TOKEN] = "tokens",
		[LF_FAKE_CALLBACK] = "callback objects",
	};
	uint32_t leaks = 0;
	/* A thread that was joined may still be on its way out. */
	for (int i = 0; i < 60000 && __atomic_load_n(&alive[LF_FAKE_THREAD_OBJECT], __ATOMIC_RELAXED); i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	for (uint32_t type = 0; type <= LF_FAKE_CALLBACK; type++) {
		uint64_t count = __atomic_load_n(&alive[type], __ATOMIC_RELAXED);
		if (count)
			printf("# leak: %llu %s\n", (unsigned long long)count, names[type]);
		leaks += (uint32_t)count;
	}
	pthread_mutex_lock(&mutex);
	for (uint32_t i = 0; i < HANDLES_MAX; i++) {
		if (!slots[i].body)
			continue;
		printf("# leak: a handle of one of the %s\n", names[header_of(slots[i].body)->type]);
		leaks++;
	}
	pthread_mutex_unlock(&mutex);
	return leaks;
}
