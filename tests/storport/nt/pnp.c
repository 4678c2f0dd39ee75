/* SPDX-License-Identifier: BSD-2-Clause */
/* pnp.c: those who want to be told: of volumes that go, of the power; device interfaces. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/storport/nt/internal.h"

#include <initguid.h>
#include <ioevent.h>
#include <wdmguid.h>

#define INTERFACES_MAX 64
#define INTERFACE_TAG  0x6e74536c /* text.c frees it */

struct registration {
	struct registration *next;
	FILE_OBJECT *file; /* NULL: of the power */
	PVOID context;
	PDRIVER_NOTIFICATION_CALLBACK_ROUTINE routine;
	PCALLBACK_FUNCTION power;
	PCALLBACK_OBJECT object;
	pthread_t runs_on;
	uint32_t running;
	bool is_leaving;
};

struct interface {
	GUID guid;
	bool is_enabled;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static struct registration *first;
static struct interface interfaces[INTERFACES_MAX];
static uint32_t interface_count;

static struct registration *add(const struct registration *from)
{
	struct registration *made = malloc(sizeof(*made));
	*made = *from;
	pthread_mutex_lock(&mutex);
	made->next = first;
	first = made;
	pthread_mutex_unlock(&mutex);
	return made;
}

/* Waits until it does not run; a callback that takes itself out would wait for ever. */
static void take_out(struct registration *leaving, const char *who)
{
	pthread_mutex_lock(&mutex);
	struct registration **at = &first;
	while (*at && *at != leaving)
		at = &(*at)->next;
	if (!*at)
		lf_fake_broken("%s: there is no such registration, or not any more", who);
	if (leaving->running && pthread_equal(leaving->runs_on, pthread_self()))
		lf_fake_broken("%s from within the callback: it would wait for itself", who);
	leaving->is_leaving = true;
	while (leaving->running)
		pthread_cond_wait(&idle, &mutex);
	for (at = &first; *at != leaving;)
		at = &(*at)->next;
	*at = leaving->next;
	pthread_mutex_unlock(&mutex);
	free(leaving);
}

/* Both under the mutex, which is let go while the callback runs. */
static void begin(struct registration *one)
{
	one->running++;
	one->runs_on = pthread_self();
	pthread_mutex_unlock(&mutex);
}

static void finish(struct registration *one)
{
	pthread_mutex_lock(&mutex);
	one->running--;
	pthread_cond_broadcast(&idle);
}

/* ---- volumes ---- */

NTSTATUS IoRegisterPlugPlayNotification(IO_NOTIFICATION_EVENT_CATEGORY category, ULONG flags, PVOID data,
	DRIVER_OBJECT *driver, PDRIVER_NOTIFICATION_CALLBACK_ROUTINE routine, PVOID context, PVOID *entry)
{
	lf_fake_passive("IoRegisterPlugPlayNotification");
	if (category != EventCategoryTargetDeviceChange || flags || !driver || !routine)
		lf_fake_broken("IoRegisterPlugPlayNotification of category %d, or for no driver", category);
	if (!lf_fake_object_is(data, LF_FAKE_FILE))
		lf_fake_broken("IoRegisterPlugPlayNotification for what is no file object");
	FILE_OBJECT *file = data;
	if (lf_fake_volume_is_remote(lf_fake_volume_of(file)))
		return STATUS_NOT_SUPPORTED;
	if (lf_fake_fails(LF_FAKE_REGISTER))
		return STATUS_INSUFFICIENT_RESOURCES;
	lf_fake_object_reference(file);
	*entry = add(&(struct registration){.file = file, .routine = routine, .context = context});
	return STATUS_SUCCESS;
}

NTSTATUS IoUnregisterPlugPlayNotificationEx(PVOID entry)
{
	lf_fake_passive("IoUnregisterPlugPlayNotificationEx");
	FILE_OBJECT *file = ((struct registration *)entry)->file;
	take_out(entry, "IoUnregisterPlugPlayNotificationEx");
	ObfDereferenceObject(file);
	return STATUS_SUCCESS;
}

NTSTATUS lf_fake_pnp_tell(struct lf_fake_volume *volume, const GUID *event)
{
	TARGET_DEVICE_REMOVAL_NOTIFICATION note = {1, sizeof(note), *event, NULL};
	NTSTATUS answer = STATUS_SUCCESS;
	bool asks = IsEqualGUID(event, &GUID_TARGET_DEVICE_QUERY_REMOVE);
	pthread_mutex_lock(&mutex);
	for (struct registration *one = first, *next; one && NT_SUCCESS(answer); one = next) {
		if (one->file && !one->is_leaving && lf_fake_volume_of(one->file) == volume) {
			note.FileObject = one->file;
			begin(one);
			NTSTATUS status = one->routine(&note, one->context);
			lf_fake_passive("a notification callback returns");
			finish(one);
			answer = asks ? status : STATUS_SUCCESS;
		}
		next = one->next;
	}
	pthread_mutex_unlock(&mutex);
	return answer;
}

/* ---- the power ---- */

NTSTATUS ExCreateCallback(
	PCALLBACK_OBJECT *object, OBJECT_ATTRIBUTES *attributes, BOOLEAN create, BOOLEAN multiple)
{
	UNREFERENCED_PARAMETER(multiple);
	lf_fake_passive("ExCreateCallback");
	if (create || !lf_fake_same_name(attributes->ObjectName, "\\Callback\\PowerState"))
		return STATUS_OBJECT_NAME_NOT_FOUND;
	if (lf_fake_fails(LF_FAKE_REGISTER))
		return STATUS_INSUFFICIENT_RESOURCES;
	*object = lf_fake_object_make(LF_FAKE_CALLBACK, 8, NULL);
	return STATUS_SUCCESS;
}

PVOID ExRegisterCallback(PCALLBACK_OBJECT object, PCALLBACK_FUNCTION function, PVOID context)
{
	lf_fake_passive("ExRegisterCallback");
	if (lf_fake_fails(LF_FAKE_REGISTER))
		return NULL;
	lf_fake_object_reference(object);
	return add(&(struct registration){.power = function, .context = context, .object = object});
}

VOID ExUnregisterCallback(PVOID registration)
{
	lf_fake_passive("ExUnregisterCallback");
	PCALLBACK_OBJECT object = ((struct registration *)registration)->object;
	take_out(registration, "ExUnregisterCallback");
	ObfDereferenceObject(object);
}

void lf_fake_power(ULONG what, ULONG value)
{
	KIRQL irql = lf_fake_irql();
	pthread_mutex_lock(&mutex);
	for (struct registration *one = first, *next; one; one = next) {
		if (one->power && !one->is_leaving) {
			begin(one);
			one->power(one->context, (PVOID)(uintptr_t)what, (PVOID)(uintptr_t)value);
			lf_fake_need_no_lock("a power callback returns");
			lf_fake_need_irql("a power callback returns", irql);
			finish(one);
		}
		next = one->next;
	}
	pthread_mutex_unlock(&mutex);
}

/* ---- device interfaces: the link ends with the number of it ---- */

NTSTATUS IoRegisterDeviceInterface(
	DEVICE_OBJECT *device, const GUID *guid, UNICODE_STRING *reference, UNICODE_STRING *link)
{
	lf_fake_passive("IoRegisterDeviceInterface");
	if (!device || reference)
		lf_fake_broken("IoRegisterDeviceInterface of no device, or with a reference string");
	if (lf_fake_fails(LF_FAKE_REGISTER))
		return STATUS_INSUFFICIENT_RESOURCES;
	pthread_mutex_lock(&mutex);
	uint32_t number = interface_count++;
	if (number == INTERFACES_MAX)
		lf_fake_broken("%d device interfaces since the last reset", INTERFACES_MAX);
	interfaces[number].guid = *guid;
	pthread_mutex_unlock(&mutex);
	static const WCHAR prefix[] = L"\\??\\interface#";
	const USHORT bytes = sizeof(prefix) + 2;
	WCHAR *text = ExAllocatePoolWithTag(NonPagedPoolNx, bytes, INTERFACE_TAG);
	if (!text)
		return STATUS_INSUFFICIENT_RESOURCES;
	memcpy(text, prefix, sizeof(prefix));
	text[sizeof(prefix) / 2 - 1] = (WCHAR)(L'0' + number);
	text[sizeof(prefix) / 2] = 0;
	*link = (UNICODE_STRING){(USHORT)(bytes - 2), bytes, text};
	return STATUS_SUCCESS;
}

NTSTATUS IoSetDeviceInterfaceState(UNICODE_STRING *link, BOOLEAN enable)
{
	lf_fake_passive("IoSetDeviceInterfaceState");
	uint32_t number = (uint32_t)(link->Buffer[link->Length / 2 - 1] - L'0');
	pthread_mutex_lock(&mutex);
	bool known = number < interface_count;
	bool changes = known && interfaces[number].is_enabled != (enable != FALSE);
	if (known)
		interfaces[number].is_enabled = enable;
	pthread_mutex_unlock(&mutex);
	if (!known || !changes)
		return known && enable ? STATUS_OBJECT_NAME_EXISTS : STATUS_OBJECT_NAME_NOT_FOUND;
	return STATUS_SUCCESS;
}

uint32_t lf_fake_interfaces(const GUID *guid, uint32_t *enabled)
{
	uint32_t count = 0;
	*enabled = 0;
	pthread_mutex_lock(&mutex);
	for (uint32_t i = 0; i < interface_count; i++) {
		if (!IsEqualGUID(&interfaces[i].guid, guid))
			continue;
		count++;
		*enabled += interfaces[i].is_enabled;
	}
	pthread_mutex_unlock(&mutex);
	return count;
}

/* ---- what is left ---- */

uint32_t lf_fake_pnp_leaks(void)
{
	uint32_t count = 0, enabled = 0;
	pthread_mutex_lock(&mutex);
	for (struct registration *one = first; one; one = one->next)
		count++;
	for (uint32_t i = 0; i < interface_count; i++)
		enabled += interfaces[i].is_enabled;
	pthread_mutex_unlock(&mutex);
	if (count || enabled)
		printf("# leak: %u registrations, %u enabled device interfaces\n", count, enabled);
	return count + enabled;
}

void lf_fake_pnp_reset(void)
{
	pthread_mutex_lock(&mutex);
	interface_count = 0;
	memset(interfaces, 0, sizeof(interfaces));
	pthread_mutex_unlock(&mutex);
}
