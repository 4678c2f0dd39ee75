/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attendant.c: a thread for what callbacks are too high up to do themselves: the device interface, and the
 * flush before the machine sleeps.
 */
#include "edge/storport/internal.h"

/* What \Callback\PowerState says first: the second argument is whether the machine is awake. */
#define LF_POWER_STATE_LOCK 3

/* ---- Errands ---- */

/* Up to DISPATCH_LEVEL. */
static void send(struct lf_storport *storport, enum lf_errand errand)
{
	(void)lf_atomic_or_u32(&storport->attendant.errands, errand);
	(void)KeSetEvent(&storport->attendant.event, IO_NO_INCREMENT, FALSE);
}

void lf_attendant_send_first(struct lf_storport *storport)
{
	uint32_t *sent = &storport->attendant.first_errand;

	if (!lf_atomic_load_u32(sent) && !lf_atomic_or_u32(sent, true))
		send(storport, LF_ERRAND_INTERFACE);
}

static void show(struct lf_storport *storport, BOOLEAN enabled)
{
	NTSTATUS status = IoSetDeviceInterfaceState(&storport->attendant.interface_name, enabled);

	lf_trace_storport_pnp_interface(enabled, (uint32_t)status, 0, 0);
	if (!NT_SUCCESS(status) && enabled)
		lf_log(LF_LOG_WARNING, "programs cannot find the adapter: its interface: status %08x",
			(unsigned)status);
}

void lf_attendant_show_interface(struct lf_storport *storport)
{
	struct lf_attendant *attendant = &storport->attendant;

	if (attendant->interface_name.Buffer != NULL && !lf_atomic_or_u32(&attendant->interface_shown, true))
		show(storport, TRUE);
}

/* PASSIVE_LEVEL. Whoever asks while others are at it waits for what was written before he asked. */
static void make_stable(struct lf_storport *storport)
{
	lf_trace_storport_sleep(0, 0, 0, 0);
	storport->backend->sleep(storport->context);
}

/* PASSIVE_LEVEL. */
static void attend(void *context)
{
	struct lf_storport *storport = context;
	uint32_t errands = 0;

	while (!(errands & LF_ERRAND_STOP)) {
		(void)KeWaitForSingleObject(&storport->attendant.event, Executive, KernelMode, FALSE, NULL);
		errands = lf_atomic_and_u32(&storport->attendant.errands, 0);
		if (errands & LF_ERRAND_INTERFACE)
			lf_attendant_show_interface(storport);
		if (errands & LF_ERRAND_SLEEP)
			make_stable(storport);
	}
}

/* ---- The machine goes to sleep ---- */

/*
 * Up to DISPATCH_LEVEL. Units flush when the class driver says so, too, but then the disk below may sleep.
 * The system goes on when this returns, so it returns when all is stable; where it may not wait it hopes for
 * the best.
 */
static VOID power_changed(PVOID context, PVOID what, PVOID awake)
{
	struct lf_storport *storport = context;

	if ((uintptr_t)what != LF_POWER_STATE_LOCK || (uintptr_t)awake != 0)
		return;
	if (KeGetCurrentIrql() == PASSIVE_LEVEL)
		make_stable(storport);
	else
		send(storport, LF_ERRAND_SLEEP);
}

static void watch_power(struct lf_storport *storport)
{
	struct lf_attendant *attendant = &storport->attendant;
	UNICODE_STRING name;
	OBJECT_ATTRIBUTES attributes;

	RtlInitUnicodeString(&name, L"\\Callback\\PowerState");
	InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
	NTSTATUS status = ExCreateCallback(&attendant->power, &attributes, FALSE, TRUE);
	if (!NT_SUCCESS(status)) {
		lf_log(LF_LOG_WARNING, "no flush before sleep: the power callback: status %08x",
			(unsigned)status);
		attendant->power = NULL;
		return;
	}
	attendant->registration = ExRegisterCallback(attendant->power, power_changed, storport);
}

static void unwatch_power(struct lf_attendant *attendant)
{
	if (attendant->registration != NULL)
		ExUnregisterCallback(attendant->registration); /* returns when power_changed has */
	if (attendant->power != NULL)
		ObDereferenceObject(attendant->power);
}

/* ---- Start and stop, PASSIVE_LEVEL ---- */

static void register_interface(struct lf_storport *storport, DEVICE_OBJECT *pdo)
{
	NTSTATUS status = IoRegisterDeviceInterface(
		pdo, &storport->backend->interface_class, NULL, &storport->attendant.interface_name);

	if (NT_SUCCESS(status))
		return;
	storport->attendant.interface_name.Buffer = NULL;
	lf_log(LF_LOG_WARNING, "programs cannot find the adapter: its interface: status %08x",
		(unsigned)status);
}

bool lf_attendant_start(struct lf_storport *storport, DEVICE_OBJECT *pdo)
{
	struct lf_attendant *attendant = &storport->attendant;

	KeInitializeEvent(&attendant->event, SynchronizationEvent, FALSE);
	attendant->thread.run = attend;
	attendant->thread.context = storport;
	if (lf_nt_thread_start(&attendant->thread) != LF_OK)
		return false;
	attendant->running = true;
	if (pdo != NULL)
		register_interface(storport, pdo);
	watch_power(storport);
	return true;
}

void lf_attendant_stop(struct lf_storport *storport)
{
	struct lf_attendant *attendant = &storport->attendant;

	if (!attendant->running)
		return;
	unwatch_power(attendant);
	send(storport, LF_ERRAND_STOP);
	lf_nt_thread_join(&attendant->thread);
	attendant->running = false;
	if (lf_atomic_load_u32(&attendant->interface_shown))
		show(storport, FALSE);
	if (attendant->interface_name.Buffer != NULL)
		RtlFreeUnicodeString(&attendant->interface_name);
}
