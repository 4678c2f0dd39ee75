/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service_nt.c: the service: connects what is kept when the adapter, a volume or a share is there, and
 * disconnects before a shutdown. service_plan.c knows when; here are Windows's events, and the disks.
 *
 * One thread does all of it. The control handler and the console's come in threads of others: they set a bit
 * of events, and wake.
 */
#include "programs/service_nt.h"
#include "control/path.h"
#include "control/user_nt.h"
#include "programs/kept_nt.h"
#include "programs/service_plan.h"

#include <string.h>
#include <windows.h>
#include <wtsapi32.h>

enum {
	STOP = 1,     /* leaves the disks where they are */
	SHUTDOWN = 2, /* takes all away first */
	SUSPEND = 4,  /* takes away what is kept, and waits until RESUMED */
	RESUMED = 8,
	ADAPTER = 16,
	VOLUME = 32,
};

#define ENDS         (STOP | SHUTDOWN)
#define SUSPEND_MS   15000 /* how long the machine is kept from sleeping */
#define AWAKE_MS     60000 /* who is awake for so long after SUSPEND is not asleep */
#define HEARTBEAT_MS 60000 /* when Windows does not tell of devices */
#define TEXT_ROOM    4800

struct service {
	const struct lf_command_line *line;
	SERVICE_STATUS_HANDLE handle; /* NULL: in a console */
	HANDLE wake, suspended;
	volatile LONG events;
	bool blind; /* nobody tells of devices */
	bool no_adapter;
	uint64_t asleep_until_ms; /* 0: awake */
	struct lf_plan plan;
	char heard[TEXT_ROOM]; /* what went wrong in the call that runs */
};

static struct service the_service; /* ServiceMain gets no pointer */

static uint64_t now_ms(void)
{
	return GetTickCount64();
}

static bool has_come(const struct service *service, LONG events)
{
	return (service->events & events) != 0;
}

static void raise_event(struct service *service, LONG event)
{
	InterlockedOr(&service->events, event);
	SetEvent(service->wake);
}

static void say(struct service *service, enum lf_service_level level, const char *text)
{
	lf_service_log(level, service->handle == NULL, text);
}

/* ---- Connecting ---- */

static void hear(void *context, const char *object, const char *message, int status)
{
	struct service *service = context;

	(void)status;
	lf_format(service->heard, sizeof(service->heard), "%s%s%s", object ? object : "", object ? ": " : "",
		message);
}

static struct lf_command_line line_of(struct service *service,
	void (*told)(void *context, const char *object, const char *message, int status))
{
	struct lf_command_line line = {.verb = service->line->verb,
		.socket = service->line->socket,
		.quiet = true,
		.persist = true,
		.told = told,
		.told_context = service};

	return line;
}

/* One of that name or image, that is not just leaving. */
static bool is_there(const struct lf_command_line *line, struct lf_client *client, const char *id,
	const struct lf_control_connect *connect)
{
	union lf_control_reply reply;
	const struct lf_control_device *device = &reply.one.device;

	if (*id == '\0' || lf_session_select(line, client, LF_CONTROL_SHOW, id, &reply) != LF_EXIT_DONE)
		return false;
	return device->state != LF_CONTROL_OFFLINE && device->type == connect->type &&
	       ((device->flags & LF_CONTROL_DEVICE_REMOVABLE) ||
		       lf_path_is_same(device->image.bytes, connect->path.bytes));
}

static void hear_departure(void *context, const char *object, const char *message, int status)
{
	struct service *service = context;

	hear(context, object, message, status);
	if (status != LF_EXIT_NO_ADAPTER)
		say(service, LF_SERVICE_WARNING, service->heard);
}

/* ids NULL: all. What somebody needs stays, and its data with it: taken by force it would lose what is not
 * written yet, and Windows writes that on its way down. */
static void disconnect(struct service *service, char **ids, uint32_t count)
{
	struct lf_command_line line = line_of(service, hear_departure);

	line.all = ids == NULL;
	line.operands = ids;
	line.operand_count = (int)count;
	if (line.all || count > 0)
		lf_verb_disconnect(&line);
}

/* comes: it was not there before. */
static int connect_one(struct service *service, const struct lf_kept *kept, bool *comes)
{
	const char *path = kept->connect.path.bytes, *name = kept->connect.name.bytes;
	struct lf_command_line line = line_of(service, hear);
	struct lf_control_device device;
	struct lf_client *client;
	int status;

	*comes = false;
	line.persist = false; /* it is kept */
	line.connect = kept->connect;
	client = lf_session_open(&line, &status);
	if (!client)
		return status;
	if (!is_there(&line, client, name, &kept->connect) &&
		!is_there(&line, client, path, &kept->connect)) {
		status = lf_connect_image(&line, client, *path ? path : NULL, name, &device);
		*comes = status == LF_EXIT_DONE;
	}
	lf_session_close(client);
	return status;
}

/* Somebody may have disconnected it, and it was not there yet, or keep it no more. */
static void undo_if_forgotten(struct service *service, const char *name)
{
	char *id = (char *)name;
	struct lf_kept kept;

	if (lf_kept_read(name, &kept) == LF_EXIT_NOT_FOUND)
		disconnect(service, &id, 1);
}

static void tell_outcome(struct service *service, struct lf_plan_item *item, bool connected)
{
	char text[TEXT_ROOM + LF_PLAN_NAME_ROOM + 40];

	lf_format(text, sizeof(text), "%s: %s%s", item->name,
		connected ? "connected" : "not connected: ", connected ? "" : service->heard);
	if (lf_plan_is_news(item, text) || connected)
		say(service, connected ? LF_SERVICE_INFO : LF_SERVICE_WARNING, text);
}

static bool try_one(void *context, const struct lf_kept *kept)
{
	const char *name = kept->connect.name.bytes;
	struct service *service = context;
	struct lf_plan_item *item = lf_plan_find(&service->plan, name, now_ms());
	bool comes;
	int status;

	if (has_come(service, ENDS | SUSPEND))
		return false;
	if (!item || !lf_plan_is_due(item, now_ms()))
		return true;
	status = connect_one(service, kept, &comes);
	if (status == LF_EXIT_NO_ADAPTER) {
		service->no_adapter = true;
		return false;
	}
	if (status != LF_EXIT_DONE) {
		lf_plan_failed(item, now_ms());
		tell_outcome(service, item, false);
		return true;
	}
	lf_plan_done(item);
	if (comes) {
		tell_outcome(service, item, true);
		undo_if_forgotten(service, name);
	}
	return true;
}

/* A record that is damaged, or that none can be read: told once, and looked at again with the others. */
static void hear_damage(void *context, const char *object, const char *message, int status)
{
	struct service *service = context;
	struct lf_plan_item *item = lf_plan_find(&service->plan, object ? object : "", now_ms());

	hear(context, object, message, status);
	if (!item)
		return;
	if (lf_plan_is_due(item, now_ms()))
		lf_plan_failed(item, now_ms());
	if (lf_plan_is_news(item, service->heard))
		say(service, LF_SERVICE_WARNING, service->heard);
}

static void pass(struct service *service)
{
	struct lf_command_line line = line_of(service, hear_damage);
	bool told = service->no_adapter;

	if (!lf_plan_begin(&service->plan, now_ms()))
		return;
	service->no_adapter = false;
	lf_kept_walk(&line, try_one, service);
	if (service->no_adapter) {
		lf_plan_no_adapter(&service->plan, now_ms());
		if (!told)
			say(service, LF_SERVICE_WARNING, service->heard);
	} else if (!has_come(service, ENDS | SUSPEND)) {
		lf_plan_end(&service->plan);
	}
}

/* ---- Sleep ---- */

/*
 * Fast Startup ends the sessions of all users and hibernates the rest, this service with it, and does not
 * call that a shutdown: nobody is logged on then. Who cannot be asked is logged on.
 */
static bool is_nobody_logged_on(void)
{
	WTS_SESSION_INFOW *sessions;
	DWORD count, size;
	wchar_t *user;
	bool nobody = true;

	if (!WTSEnumerateSessionsW(WTS_CURRENT_SERVER_HANDLE, 0, 1, &sessions, &count))
		return false;
	for (DWORD i = 0; nobody && i < count; i++) {
		if (!WTSQuerySessionInformationW(
			    WTS_CURRENT_SERVER_HANDLE, sessions[i].SessionId, WTSUserName, &user, &size))
			continue;
		nobody = *user == L'\0';
		WTSFreeMemory(user);
	}
	WTSFreeMemory(sessions);
	return nobody;
}

/* What is kept comes back after the sleep; what is not would be lost, so it stays. */
static void fall_asleep(struct service *service)
{
	char *ids[LF_PLAN_ITEMS_MAX];
	uint32_t count = 0;

	service->asleep_until_ms = now_ms() + AWAKE_MS;
	for (uint32_t i = 0; i < service->plan.count; i++) {
		if (service->plan.items[i].connected)
			ids[count++] = service->plan.items[i].name;
	}
	say(service, LF_SERVICE_INFO,
		"the machine hibernates and nobody is logged on: disconnects what is kept");
	disconnect(service, ids, count);
	SetEvent(service->suspended);
}

static void wake_up(struct service *service)
{
	service->asleep_until_ms = 0;
	lf_plan_event(&service->plan, LF_PLAN_RESUMED, now_ms());
}

/* ---- Events ---- */

static void on_device(void *context, bool adapter)
{
	raise_event(context, adapter ? ADAPTER : VOLUME);
}

static void wait_for_events(struct service *service)
{
	uint32_t wait = lf_plan_wait_ms(&service->plan, now_ms());

	if (service->asleep_until_ms != 0)
		wait = AWAKE_MS;
	if (service->blind)
		wait = lf_min(wait, (uint32_t)HEARTBEAT_MS);
	if (WaitForSingleObject(service->wake, wait) == WAIT_TIMEOUT && service->blind)
		lf_plan_event(&service->plan, LF_PLAN_VOLUME, now_ms());
}

static void take_events(struct service *service)
{
	LONG events = InterlockedAnd(&service->events, ENDS);

	/* Unless it has slept meanwhile. */
	if ((events & SUSPEND) && !(events & RESUMED))
		fall_asleep(service);
	if ((events & RESUMED) || (service->asleep_until_ms != 0 && now_ms() >= service->asleep_until_ms))
		wake_up(service);
	if (events & ADAPTER)
		lf_plan_event(&service->plan, LF_PLAN_ADAPTER, now_ms());
	if (events & VOLUME)
		lf_plan_event(&service->plan, LF_PLAN_VOLUME, now_ms());
}

static void serve(struct service *service)
{
	struct lf_service_watch watch = {.came = on_device, .context = service};

	service->blind = !lf_service_watch_start(&watch);
	while (!has_come(service, ENDS)) {
		take_events(service);
		if (service->asleep_until_ms == 0)
			pass(service);
		wait_for_events(service);
	}
	lf_service_watch_stop(&watch);
	if (has_come(service, SHUTDOWN)) {
		say(service, LF_SERVICE_INFO, "disconnects every device before the machine goes down");
		disconnect(service, NULL, 0);
	}
}

/* ---- As a service ---- */

static void set_state(struct service *service, DWORD state)
{
	SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS, .dwCurrentState = state};

	if (state == SERVICE_RUNNING)
		status.dwControlsAccepted =
			SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PRESHUTDOWN | SERVICE_ACCEPT_POWEREVENT;
	if (state == SERVICE_STOP_PENDING)
		status.dwWaitHint = LF_SERVICE_DEPART_MS;
	SetServiceStatus(service->handle, &status);
}

static void on_power(struct service *service, DWORD what)
{
	if (what == PBT_APMRESUMEAUTOMATIC) {
		raise_event(service, RESUMED);
	} else if (what == PBT_APMSUSPEND && is_nobody_logged_on()) {
		ResetEvent(service->suspended);
		raise_event(service, SUSPEND);
		WaitForSingleObject(service->suspended, SUSPEND_MS);
	}
}

static DWORD WINAPI on_control(DWORD control, DWORD what, void *data, void *context)
{
	struct service *service = context;

	(void)data;
	switch (control) {
	case SERVICE_CONTROL_INTERROGATE:
		return NO_ERROR;
	case SERVICE_CONTROL_STOP:
		set_state(service, SERVICE_STOP_PENDING);
		raise_event(service, STOP);
		return NO_ERROR;
	case SERVICE_CONTROL_PRESHUTDOWN:
	case LF_SERVICE_CONTROL_DEPART:
		set_state(service, SERVICE_STOP_PENDING);
		raise_event(service, SHUTDOWN);
		return NO_ERROR;
	case SERVICE_CONTROL_POWEREVENT:
		on_power(service, what);
		return NO_ERROR;
	default:
		return ERROR_CALL_NOT_IMPLEMENTED;
	}
}

static void WINAPI service_main(DWORD count, wchar_t **arguments)
{
	struct service *service = &the_service;

	(void)count;
	(void)arguments;
	service->handle = RegisterServiceCtrlHandlerExW(LF_SERVICE_NAME, on_control, service);
	if (!service->handle)
		return;
	set_state(service, SERVICE_RUNNING);
	serve(service);
	set_state(service, SERVICE_STOPPED);
}

/* ---- In a console: to see what it does ---- */

static BOOL WINAPI on_console(DWORD what)
{
	if (what != CTRL_C_EVENT && what != CTRL_BREAK_EVENT)
		return FALSE;
	raise_event(&the_service, what == CTRL_C_EVENT ? STOP : SHUTDOWN);
	return TRUE;
}

int lf_verb_service_run(const struct lf_command_line *line)
{
	wchar_t name[] = LF_SERVICE_NAME;
	const SERVICE_TABLE_ENTRYW table[] = {{name, service_main}, {NULL, NULL}};
	struct service *service = &the_service;
	struct lf_message message;
	int status = LF_EXIT_DONE;
	char text[40];

	service->line = line;
	service->wake = CreateEventW(NULL, FALSE, FALSE, NULL);
	service->suspended = CreateEventW(NULL, TRUE, FALSE, NULL);
	if (!service->wake || !service->suspended)
		return lf_report(line, NULL, "out of memory", LF_EXIT_FAILED);
	if (!StartServiceCtrlDispatcherW(table)) {
		if (GetLastError() == ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
			SetConsoleCtrlHandler(on_console, TRUE);
			say(service, LF_SERVICE_INFO,
				"in a console: Ctrl+C ends it, Ctrl+Break disconnects every device first");
			serve(service);
			SetConsoleCtrlHandler(on_console, FALSE);
		} else {
			lf_message_set(&message, "Windows does not start it: %s: lungfish service install",
				lf_win32_text(GetLastError(), text, sizeof(text)));
			status = lf_report(line, NULL, message.text, LF_EXIT_FAILED);
		}
	}
	CloseHandle(service->suspended);
	CloseHandle(service->wake);
	return status;
}
