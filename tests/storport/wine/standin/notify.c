/* SPDX-License-Identifier: BSD-2-Clause */
/* notify.c: \Callback\PowerState, and the plug and play notifications of the volumes that files lie on. */
#include "tests/storport/wine/standin/standin.h"

#define REGISTERED_MAX 64

struct callback {
	PCALLBACK_FUNCTION run;
	void *context;
};

struct target {
	DRIVER_NOTIFICATION_CALLBACK_ROUTINE *run;
	void *context;
	FILE_OBJECT *file;
	volatile LONG running;
};

static struct callback callbacks[REGISTERED_MAX];
static struct target targets[REGISTERED_MAX];
static struct standin_lock lock;
static LONG registered;
static PCALLBACK_OBJECT const power_state = (PCALLBACK_OBJECT)(ULONG_PTR)0x1000;

LONG standin_notifications(void)
{
	return registered;
}

static NTSTATUS NTAPI create_callback(
	PCALLBACK_OBJECT *object, OBJECT_ATTRIBUTES *attributes, BOOLEAN create, BOOLEAN several)
{
	standin_passive("ExCreateCallback");
	(void)several;
	if (create || _wcsicmp(attributes->ObjectName->Buffer, L"\\Callback\\PowerState"))
		standin_fail("ExCreateCallback of %ls, create %d", attributes->ObjectName->Buffer, create);
	*object = power_state;
	InterlockedIncrement(&registered);
	return STATUS_SUCCESS;
}

static void *NTAPI register_callback(PCALLBACK_OBJECT object, PCALLBACK_FUNCTION run, void *context)
{
	standin_passive("ExRegisterCallback");
	if (object != power_state)
		standin_fail("ExRegisterCallback of an unknown object");
	for (int i = 0; i < REGISTERED_MAX; i++) {
		if (callbacks[i].run)
			continue;
		callbacks[i] = (struct callback){run, context};
		InterlockedIncrement(&registered);
		return &callbacks[i];
	}
	return NULL;
}

static void NTAPI unregister_callback(void *registration)
{
	standin_passive("ExUnregisterCallback");
	memset(registration, 0, sizeof(struct callback));
	InterlockedDecrement(&registered);
}

bool standin_callback_dereference(const void *object)
{
	if (object != power_state)
		return false;
	InterlockedDecrement(&registered);
	return true;
}

void standin_power_state(bool sleeps)
{
	/*
	 * PO_CB_SYSTEM_STATE_LOCK; 0: leaves the working state, 1: is back in it. DISPATCH_LEVEL is allowed,
	 * but the driver asks for its IRQL inline, and under Wine that is always PASSIVE_LEVEL.
	 */
	for (int i = 0; i < REGISTERED_MAX; i++)
		if (callbacks[i].run)
			callbacks[i].run(callbacks[i].context, (void *)(ULONG_PTR)3,
				(void *)(ULONG_PTR)(sleeps ? 0 : 1));
	standin_returned("a power callback", PASSIVE_LEVEL);
}

/* ---- Volumes ---- */

static NTSTATUS NTAPI register_target(IO_NOTIFICATION_EVENT_CATEGORY category, ULONG flags, void *data,
	DRIVER_OBJECT *driver, DRIVER_NOTIFICATION_CALLBACK_ROUTINE *run, void *context, void **entry)
{
	standin_passive("IoRegisterPlugPlayNotification");
	if (category != EventCategoryTargetDeviceChange || flags || !driver)
		standin_fail("IoRegisterPlugPlayNotification: category %d, flags %u", category, flags);
	if (!standin_file_of(data))
		standin_fail("IoRegisterPlugPlayNotification without a file object");
	standin_lock(&lock);
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
	for (int i = 0; i < REGISTERED_MAX && !NT_SUCCESS(status); i++) {
		if (targets[i].run)
			continue;
		targets[i] = (struct target){run, context, data, 0};
		*entry = &targets[i];
		InterlockedIncrement(&registered);
		status = STATUS_SUCCESS;
	}
	standin_unlock(&lock);
	return status;
}

static NTSTATUS NTAPI unregister_target(void *entry)
{
	struct target *target = entry;
	standin_passive("IoUnregisterPlugPlayNotificationEx");
	target->run = NULL;
	while (target->running) /* the real one waits, too: called in a callback it would wait for ever */
		standin_sleep_ms(1);
	InterlockedDecrement(&registered);
	return STATUS_SUCCESS;
}

static NTSTATUS tell(struct target *target, const GUID *event)
{
	TARGET_DEVICE_REMOVAL_NOTIFICATION notification = {
		.Version = 1,
		.Size = sizeof(notification),
		.Event = *event,
		.FileObject = target->file,
	};
	InterlockedIncrement(&target->running);
	DRIVER_NOTIFICATION_CALLBACK_ROUTINE *run = target->run;
	NTSTATUS status = run ? run(&notification, target->context) : STATUS_SUCCESS;
	InterlockedDecrement(&target->running);
	return status;
}

static const GUID query_remove = {
	0xcb3a4006, 0x46f0, 0x11d0, {0xb0, 0x8f, 0x00, 0x60, 0x97, 0x13, 0x05, 0x3f}};
static const GUID remove_cancelled = {
	0xcb3a4007, 0x46f0, 0x11d0, {0xb0, 0x8f, 0x00, 0x60, 0x97, 0x13, 0x05, 0x3f}};
static const GUID remove_complete = {
	0xcb3a4008, 0x46f0, 0x11d0, {0xb0, 0x8f, 0x00, 0x60, 0x97, 0x13, 0x05, 0x3f}};

bool standin_query_remove(void)
{
	bool all_agree = true;
	for (int i = 0; i < REGISTERED_MAX; i++)
		if (targets[i].run && !NT_SUCCESS(tell(&targets[i], &query_remove)))
			all_agree = false;
	for (int i = 0; i < REGISTERED_MAX && !all_agree; i++)
		if (targets[i].run)
			tell(&targets[i], &remove_cancelled);
	return all_agree;
}

void standin_remove_complete(void)
{
	for (int i = 0; i < REGISTERED_MAX; i++)
		if (targets[i].run)
			tell(&targets[i], &remove_complete);
}

const struct standin_import standin_notify_imports[] = {
	{"ExCreateCallback", create_callback},
	{"ExRegisterCallback", register_callback},
	{"ExUnregisterCallback", unregister_callback},
	{"IoRegisterPlugPlayNotification", register_target},
	{"IoUnregisterPlugPlayNotificationEx", unregister_target},
	{NULL, NULL},
};
