/* SPDX-License-Identifier: BSD-2-Clause */
/* client_nt.c: finds the adapter's device, sends a request by its control code, waits for the reply. */
#include "control/interface_nt.h"
#include "control/user_nt.h"

#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

#define PATH_UNITS 1024 /* of a device's path */

/* In the client's words. The driver copies the request; the reply is written to client->reply. */
struct own {
	OVERLAPPED overlapped;
	uint32_t error; /* of the last opening or sending */
	uint32_t node;
};

_Static_assert(sizeof(struct own) <= sizeof(((struct lf_client *)0)->words), "fits in a client");

static struct own *own_of(struct lf_client *client)
{
	return (struct own *)(void *)client->words;
}

uint32_t lf_client_node(const struct lf_client *client)
{
	return ((const struct own *)(const void *)client->words)->node;
}

/*
 * 0, or why not. It may be named by anybody's environment: a pipe of somebody's learns who we are, and cannot
 * act as us.
 */
static uint32_t open_device(const wchar_t *path, struct lf_client *client)
{
	HANDLE device = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
		NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION,
		NULL);

	if (device == INVALID_HANDLE_VALUE)
		return GetLastError();
	client->handle = (lf_handle)device;
	return 0;
}

static bool open_found(void *context, const wchar_t *path, uint32_t node)
{
	struct lf_client *client = context;
	struct own *own = own_of(client);

	own->error = open_device(path, client);
	own->node = node;
	return own->error == 0;
}

static const GUID kind = LF_INTERFACE_GUID;

/* The first that can be opened; ERROR_FILE_NOT_FOUND: there is none. */
static uint32_t open_any(struct lf_client *client)
{
	own_of(client)->error = ERROR_FILE_NOT_FOUND;
	lf_find_interface(&kind, open_found, client);
	return own_of(client)->error;
}

struct named {
	const wchar_t *path;
	uint32_t node;
};

/* \\?\ and \\.\ before it are one. */
static bool is_named(void *context, const wchar_t *path, uint32_t node)
{
	const size_t prefix = wcslen(L"\\\\?\\");
	struct named *named = context;

	if (wcslen(named->path) < prefix || _wcsicmp(named->path + prefix, path + prefix) != 0)
		return false;
	named->node = node;
	return true;
}

static uint32_t open_named(const char *path, struct lf_client *client)
{
	wchar_t wide[PATH_UNITS];
	struct named named = {.path = wide, .node = LF_NODE_NONE};

	if (!lf_wide(path, wide, PATH_UNITS))
		return ERROR_INVALID_NAME;
	lf_find_interface(&kind, is_named, &named);
	own_of(client)->node = named.node;
	return open_device(wide, client);
}

static enum lf_error cannot_open(const char *path, uint32_t code, struct lf_message *message)
{
	const char *object = path ? path : "adapter";
	char text[40];

	if (code == ERROR_ACCESS_DENIED) {
		lf_message_set(message,
			"%s: permission denied: it is for administrators: run this in an elevated prompt",
			object);
		return LF_E_PERMISSION;
	}
	if (code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND) {
		lf_message_set(message,
			"%s: no adapter answers there: lungfish driver status says what helps; or name its "
			"device with --socket",
			object);
		return LF_E_NOT_FOUND;
	}
	lf_message_set(message, "%s: it cannot be opened: %s: look at the adapter in the device manager",
		object, lf_win32_text(code, text, sizeof(text)));
	return lf_error_from_win32(code);
}

enum lf_error lf_client_open(const char *path, struct lf_client *client, struct lf_message *message)
{
	struct own *own = own_of(client);
	uint32_t code;

	memset(client->words, 0, sizeof(client->words));
	client->handle = LF_HANDLE_NONE;
	if (!path)
		path = getenv("LUNGFISH_SOCKET");
	if (path && *path == '\0')
		path = NULL;
	own->overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
	if (!own->overlapped.hEvent)
		return cannot_open(path, GetLastError(), message);
	code = path ? open_named(path, client) : open_any(client);
	if (code == 0)
		return LF_OK;
	lf_client_close(client);
	return cannot_open(path, code, message);
}

void lf_client_close(struct lf_client *client)
{
	if (client->handle != LF_HANDLE_NONE)
		CloseHandle((HANDLE)client->handle);
	client->handle = LF_HANDLE_NONE;
	CloseHandle(own_of(client)->overlapped.hEvent);
}

void lf_client_send(struct lf_client *client, union lf_control_request *request,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX])
{
	struct own *own = own_of(client);
	uint8_t bytes[sizeof(*request)];
	size_t length = lf_control_encode_request(request, bytes, sizeof(bytes));

	(void)handles;
	own->error = 0;
	if (!DeviceIoControl((HANDLE)client->handle, LF_IOCTL_SERVICE, bytes, (DWORD)length, client->reply,
		    sizeof(client->reply), NULL, &own->overlapped) &&
		GetLastError() != ERROR_IO_PENDING)
		own->error = GetLastError();
}

/* 0 with the reply's length, or an error. When it returns the driver is done with the client. */
static uint32_t receive_reply(struct lf_client *client, uint32_t timeout_ms, DWORD *length)
{
	struct own *own = own_of(client);

	if (own->error != 0)
		return own->error;
	if (WaitForSingleObject(own->overlapped.hEvent, timeout_ms) != WAIT_OBJECT_0)
		CancelIoEx((HANDLE)client->handle, &own->overlapped);
	return GetOverlappedResult((HANDLE)client->handle, &own->overlapped, length, TRUE) ? 0
											   : GetLastError();
}

static enum lf_error no_reply(uint32_t code, uint32_t timeout_ms, struct lf_message *message)
{
	char text[40];

	switch (code) {
	case ERROR_OPERATION_ABORTED:
		lf_message_set(
			message, "the adapter did not answer in %u s: look at its events", timeout_ms / 1000);
		return LF_E_TIMED_OUT;
	case ERROR_ACCESS_DENIED:
		lf_message_set(message,
			"permission denied: it is for administrators: run this in an elevated "
			"prompt");
		return LF_E_PERMISSION;
	case ERROR_BAD_IMPERSONATION_LEVEL:
		lf_message_set(message, "permission denied: this program runs as somebody who may only be "
					"identified: let it impersonate");
		return LF_E_PERMISSION;
	case ERROR_INVALID_FUNCTION:
		lf_message_set(message, "that is no adapter of ours: name its device with --socket, or no "
					"device at all");
		return LF_E_UNSUPPORTED;
	case ERROR_NOT_ENOUGH_MEMORY:
	case ERROR_NO_SYSTEM_RESOURCES:
		lf_message_set(message, "the adapter has no memory for it: close other programs, try again");
		return LF_E_NO_MEMORY;
	case ERROR_NOT_READY:
		lf_message_set(message, "the adapter went away: look at it in the device manager");
		return LF_E_NOT_FOUND;
	default:
		lf_message_set(message, "the adapter went away (%s): look at it in the device manager",
			lf_win32_text(code, text, sizeof(text)));
		return LF_E_NOT_FOUND;
	}
}

enum lf_error lf_client_wait(struct lf_client *client, enum lf_control_command command, uint32_t timeout_ms,
	union lf_control_reply *reply, struct lf_message *message)
{
	DWORD length = 0;
	uint32_t code = receive_reply(client, timeout_ms, &length);

	if (code != 0)
		return no_reply(code, timeout_ms, message);
	if (!lf_control_decode_reply(client->reply, length, command, reply, message))
		return LF_E_UNSUPPORTED;
	return LF_OK;
}
