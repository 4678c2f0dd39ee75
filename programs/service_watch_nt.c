/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service_watch_nt.c: Windows tells of adapters and volumes that come, by a window that only gets messages:
 * of a service and in a console alike. It has a thread of its own: whoever has Windows eject a disk waits
 * until every window has heard of it.
 */
#include "programs/service_nt.h"
#include "control/interface_nt.h"

#include <process.h>
#include <string.h>
#include <windows.h>
#include <dbt.h>

static const GUID adapter_kind = LF_INTERFACE_GUID;
/* GUID_DEVINTERFACE_VOLUME */
static const GUID volume_kind = {
	0x53f5630d, 0xb6bf, 0x11d0, {0x94, 0xf2, 0x00, 0xa0, 0xc9, 0x1e, 0xfb, 0x8b}};

static LRESULT CALLBACK on_message(HWND window, UINT message, WPARAM what, LPARAM data)
{
	const DEV_BROADCAST_DEVICEINTERFACE_W *came = (const DEV_BROADCAST_DEVICEINTERFACE_W *)data;
	struct lf_service_watch *watch = (struct lf_service_watch *)GetWindowLongPtrW(window, GWLP_USERDATA);

	if (message != WM_DEVICECHANGE || !watch)
		return DefWindowProcW(window, message, what, data);
	if (what == DBT_DEVICEARRIVAL && came && came->dbcc_devicetype == DBT_DEVTYP_DEVICEINTERFACE)
		watch->came(watch->context,
			memcmp(&came->dbcc_classguid, &adapter_kind, sizeof(adapter_kind)) == 0);
	return TRUE;
}

static HDEVNOTIFY ask_for(HWND window, const GUID *kind)
{
	DEV_BROADCAST_DEVICEINTERFACE_W filter = {.dbcc_size = sizeof(filter),
		.dbcc_devicetype = DBT_DEVTYP_DEVICEINTERFACE,
		.dbcc_classguid = *kind};

	return RegisterDeviceNotificationW(window, &filter, DEVICE_NOTIFY_WINDOW_HANDLE);
}

static HWND make_window(struct lf_service_watch *watch)
{
	HINSTANCE program = GetModuleHandleW(NULL);
	WNDCLASSW kind = {.lpfnWndProc = on_message, .hInstance = program, .lpszClassName = LF_SERVICE_NAME};
	HWND window;

	RegisterClassW(&kind);
	window = CreateWindowExW(0, LF_SERVICE_NAME, L"", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, program, NULL);
	if (window)
		SetWindowLongPtrW(window, GWLP_USERDATA, (LONG_PTR)watch);
	return window;
}

static unsigned __stdcall look(void *context)
{
	struct lf_service_watch *watch = context;
	HWND window = make_window(watch);
	HDEVNOTIFY adapters = window ? ask_for(window, &adapter_kind) : NULL;
	HDEVNOTIFY volumes = window ? ask_for(window, &volume_kind) : NULL;
	MSG message;

	watch->sees = adapters && volumes;
	/* From here on it has a queue. */
	PeekMessageW(&message, NULL, 0, 0, PM_NOREMOVE);
	SetEvent((HANDLE)watch->ready);
	while (GetMessageW(&message, NULL, 0, 0) > 0)
		DispatchMessageW(&message);
	if (adapters)
		UnregisterDeviceNotification(adapters);
	if (volumes)
		UnregisterDeviceNotification(volumes);
	if (window)
		DestroyWindow(window);
	return 0;
}

bool lf_service_watch_start(struct lf_service_watch *watch)
{
	unsigned id = 0;

	watch->sees = false;
	watch->thread = NULL;
	watch->ready = CreateEventW(NULL, TRUE, FALSE, NULL);
	if (!watch->ready)
		return false;
	watch->thread = (void *)_beginthreadex(NULL, 0, look, watch, 0, &id);
	watch->thread_id = id;
	if (watch->thread)
		WaitForSingleObject((HANDLE)watch->ready, INFINITE);
	return watch->sees;
}

void lf_service_watch_stop(struct lf_service_watch *watch)
{
	if (watch->thread) {
		PostThreadMessageW(watch->thread_id, WM_QUIT, 0, 0);
		WaitForSingleObject((HANDLE)watch->thread, INFINITE);
		CloseHandle((HANDLE)watch->thread);
	}
	if (watch->ready)
		CloseHandle((HANDLE)watch->ready);
}
