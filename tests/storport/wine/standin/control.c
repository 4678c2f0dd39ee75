/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.c: \\.\LungfishStandin: a test's commands, a line of text in, text out. They run in a thread of
 * their own, one after the other.
 */
#include "tests/storport/wine/standin/port.h"

#define WORDS_MAX 5

static DEVICE_OBJECT *device;
static LIST_ENTRY queue;
static struct standin_lock lock;
static KSEMAPHORE work;
static HANDLE thread;
static bool ends;

struct words {
	char *word[WORDS_MAX];
	LONG number[WORDS_MAX]; /* of each word; 0 where it is none */
	char *reply;
	ULONG room, length;
};

static void say(struct words *words, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int more = _vsnprintf(words->reply + words->length, words->room - words->length, format, arguments);
	va_end(arguments);
	words->length = more < 0 ? words->room : words->length + (ULONG)more;
}

static LONG number_of(const char *word)
{
	ULONG value = 0;
	for (; *word >= '0' && *word <= '9'; word++)
		value = value * 10 + (ULONG)(*word - '0');
	return (LONG)value;
}

/* ---- The commands ---- */

static void show_units(struct standin_adapter *adapter, struct words *words)
{
	for (int i = 0; i < STANDIN_UNITS_MAX; i++) {
		struct standin_unit *unit = adapter->units[i];
		if (unit)
			say(words, "%u:%u %ls %s\n", unit->target, unit->lun, unit->link + 12,
				unit->present ? "present" : "gone");
	}
}

static void show_state(struct standin_adapter *adapter, struct words *words)
{
	say(words, "started %d\nscans %d\nchanges %d\noutstanding %d\nservice %d\n",
		adapter && adapter->started, adapter ? adapter->scans : 0, adapter ? adapter->bus_changes : 0,
		adapter ? adapter->outstanding_count : 0, adapter ? adapter->service_irps : 0);
	say(words,
		"pool %u\nhandles %d\nfiles %d\nirps %d\nmappings %d\nnotifications %d\ntokens %d\nthreads "
		"%d\n",
		(ULONG)standin_pool_report(false), standin_handles(), standin_files(), standin_irps(),
		standin_mappings(), standin_notifications(), standin_contexts(), standin_driver_threads());
	say(words, "served %d\nflushes %d\nmapped %d\n", standin_served(), standin_flushes(),
		standin_mapped());
}

/* Each scan ends with the units known; what was reported before this is seen when it returns. */
static void rescan(struct standin_adapter *adapter)
{
	for (int i = 0; i < 2; i++) { /* one may be on its way */
		LONG before = adapter->scans;
		KeSetEvent(&adapter->rescan, 0, FALSE);
		while (adapter->scans == before)
			standin_sleep_ms(2);
	}
}

static void run_function(struct standin_adapter *adapter, struct words *words, UCHAR function, UCHAR action)
{
	struct standin_request *request =
		standin_request_make(adapter, (UCHAR)words->number[2], (UCHAR)words->number[3], 0);
	request->function = function;
	request->action = action;
	if (!standin_request_run(request)) {
		say(words, "no end\n");
		return;
	}
	say(words, "status %02x\n", request->srb_status);
	standin_request_free(request);
}

static void reset(struct standin_adapter *adapter, struct words *words)
{
	if (!strcmp(words->word[1], "lun")) {
		run_function(adapter, words, HOST_SRB_RESET_LOGICAL_UNIT, 0);
	} else if (!strcmp(words->word[1], "target")) {
		run_function(adapter, words, HOST_SRB_RESET_DEVICE, 0);
	} else {
		KIRQL before = standin_irql_set(DISPATCH_LEVEL);
		BOOLEAN done = adapter->hw.HwResetBus(adapter->extension, 0);
		standin_returned("HwResetBus", DISPATCH_LEVEL);
		standin_irql_set(before);
		say(words, "bus reset %d\n", done);
	}
}

static void use(struct standin_adapter *adapter, struct words *words)
{
	struct host_address_btl8 address = {HOST_ADDRESS_BTL8, 0, HOST_ADDRESS_BTL8_LENGTH, 0,
		(UCHAR)words->number[2], (UCHAR)words->number[3], 0};
	struct host_unit_usage usage = {(struct host_address *)&address, HOST_USAGE_PAGING, TRUE};
	if (!adapter->unit_controls[HOST_UNIT_USAGE]) {
		say(words, "unsupported\n");
		return;
	}
	say(words, "usage %u\n", adapter->hw.HwUnitControl(adapter->extension, HOST_UNIT_USAGE, &usage));
}

/* The system says so first; then the units go to D3, and the adapter stops: back in the other order. */
static void change_power(struct standin_adapter *adapter, bool sleeps)
{
	if (sleeps)
		standin_power_state(true);
	else
		standin_adapter_control(adapter, HOST_ADAPTER_RESTART, DISPATCH_LEVEL);
	standin_units_power(adapter, sleeps ? HOST_POWER_D3 : HOST_POWER_D0);
	if (sleeps)
		standin_adapter_control(adapter, HOST_ADAPTER_STOP, DISPATCH_LEVEL);
	else
		standin_power_state(false);
}

/* A request whose address is nowhere: the driver breaks at its first look. Its source line is looked for. */
static void crash(struct standin_adapter *adapter)
{
	standin_log("the driver is given a bad SRB, as was asked");
	adapter->hw.HwStartIo(adapter->extension, (void *)(ULONG_PTR)0x300000000000ull);
}

/* etw LEVEL ANY ALL: a session listens; etw off: none does. */
static void listen(struct words *words)
{
	if (!strcmp(words->word[1], "off"))
		standin_etw_disable();
	else
		standin_etw_enable(
			(ULONG)words->number[1], (ULONGLONG)words->number[2], (ULONGLONG)words->number[3]);
}

static bool of_adapter(struct standin_adapter *adapter, struct words *words)
{
	const char *verb = words->word[0];
	if (!adapter || !adapter->started)
		return false;
	if (!strcmp(verb, "units"))
		show_units(adapter, words);
	else if (!strcmp(verb, "rescan"))
		rescan(adapter), show_units(adapter, words);
	else if (!strcmp(verb, "reset"))
		reset(adapter, words);
	else if (!strcmp(verb, "function"))
		run_function(adapter, words, (UCHAR)words->number[1], (UCHAR)words->number[4]);
	else if (!strcmp(verb, "usage"))
		use(adapter, words);
	else if (!strcmp(verb, "surprise"))
		standin_adapter_control(adapter, HOST_ADAPTER_SURPRISE_REMOVAL, PASSIVE_LEVEL);
	else if (!strcmp(verb, "sleep") || !strcmp(verb, "wake"))
		change_power(adapter, !strcmp(verb, "sleep"));
	else if (!strcmp(verb, "crash"))
		crash(adapter);
	else
		return false;
	return true;
}

static void run_command(struct words *words)
{
	const char *verb = words->word[0];
	if (of_adapter(standin_the_adapter(), words))
		return;
	if (!strcmp(verb, "set") && standin_switch_named(words->word[1], words->number[2]))
		return;
	if (!strcmp(verb, "switches"))
		for (int i = 0; i < SWITCH_COUNT; i++)
			say(words, "%s %d\n", standin_switch_name((enum standin_switch)i),
				standin_switch((enum standin_switch)i));
	else if (!strcmp(verb, "state"))
		show_state(standin_the_adapter(), words);
	else if (!strcmp(verb, "etw"))
		listen(words);
	else if (!strcmp(verb, "query-remove"))
		say(words, "%s\n", standin_query_remove() ? "agreed" : "vetoed");
	else if (!strcmp(verb, "remove-complete"))
		standin_remove_complete();
	else
		say(words, "unknown command: %s\n", verb);
}

/* ---- The device ---- */

static void serve(IRP *irp)
{
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	static char empty[] = "";
	char line[256] = "";
	struct words words = {.reply = irp->AssociatedIrp.SystemBuffer,
		.room = stack->Parameters.DeviceIoControl.OutputBufferLength};
	ULONG length = stack->Parameters.DeviceIoControl.InputBufferLength;
	memcpy(line, irp->AssociatedIrp.SystemBuffer, length < sizeof(line) ? length : sizeof(line) - 1);
	standin_log("command %s", line);
	char *at = line;
	for (int i = 0; i < WORDS_MAX; i++) {
		words.word[i] = *at ? at : empty;
		while (*at && *at != ' ')
			at++;
		if (*at)
			*at++ = 0;
		words.number[i] = number_of(words.word[i]);
	}
	run_command(&words);
	standin_finish(irp, STATUS_SUCCESS, words.length);
}

static void server(void *context)
{
	(void)context;
	for (;;) {
		KeWaitForSingleObject(&work, Executive, KernelMode, FALSE, NULL);
		if (ends)
			return;
		standin_lock(&lock);
		IRP *irp = CONTAINING_RECORD(RemoveHeadList(&queue), IRP, Tail.Overlay.ListEntry);
		standin_unlock(&lock);
		serve(irp);
	}
}

NTSTATUS standin_control(IRP *irp)
{
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	if (!stack->Parameters.DeviceIoControl.InputBufferLength)
		return standin_finish(irp, STATUS_INVALID_PARAMETER, 0);
	IoMarkIrpPending(irp);
	standin_lock(&lock);
	InsertTailList(&queue, &irp->Tail.Overlay.ListEntry);
	standin_unlock(&lock);
	KeReleaseSemaphore(&work, 0, 1, FALSE);
	return STATUS_PENDING;
}

void standin_control_install(DRIVER_OBJECT *driver)
{
	UNICODE_STRING name, link;
	RtlInitUnicodeString(&name, L"\\Device\\LungfishStandin");
	RtlInitUnicodeString(&link, L"\\DosDevices\\LungfishStandin");
	if (!NT_SUCCESS(IoCreateDevice(driver, sizeof(struct standin_extension), &name, FILE_DEVICE_UNKNOWN,
		    0, FALSE, &device))) {
		standin_fail("no control device");
		return;
	}
	((struct standin_extension *)device->DeviceExtension)->kind = STANDIN_CONTROL;
	device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
	standin_link(&link, &name);
	InitializeListHead(&queue);
	KeInitializeSemaphore(&work, 0, MAXLONG);
	ends = false;
	standin_thread_start(server, NULL, &thread);
}

void standin_control_remove(void)
{
	UNICODE_STRING link;
	if (!device)
		return;
	RtlInitUnicodeString(&link, L"\\DosDevices\\LungfishStandin");
	ends = true;
	KeReleaseSemaphore(&work, 0, 1, FALSE);
	standin_thread_join(thread);
	IoDeleteSymbolicLink(&link);
	IoDeleteDevice(device);
	device = NULL;
}
