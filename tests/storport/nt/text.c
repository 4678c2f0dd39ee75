/* SPDX-License-Identifier: BSD-2-Clause */
/* text.c: strings, UTF-8, what the driver prints; the registry. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/storport/nt/internal.h"

#define LINES      256
#define LINE_BYTES 512

static char lines[LINES][LINE_BYTES];
static uint32_t line_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of both, and of the values below */

ULONG DbgPrintEx(ULONG component, ULONG level, const char *format, ...)
{
	va_list values;
	lf_fake_need_irql("DbgPrintEx", LF_FAKE_DIRQL);
	pthread_mutex_lock(&mutex);
	char *line = lines[line_count++ % LINES];
	va_start(values, format);
	int length = vsnprintf(line, LINE_BYTES, format, values);
	va_end(values);
	if (length >= LINE_BYTES)
		lf_fake_broken("DbgPrintEx of %d bytes; Windows cuts at %d", length, LINE_BYTES);
	if (getenv("LF_FAKE_DEBUG"))
		fprintf(stderr, "driver[%u.%u]: %s", component, level, line);
	pthread_mutex_unlock(&mutex);
	return 0;
}

bool lf_fake_has_printed(const char *words)
{
	bool found = false;
	pthread_mutex_lock(&mutex);
	for (uint32_t i = 0; i < LINES && i < line_count; i++)
		found = found || strstr(lines[i], words);
	pthread_mutex_unlock(&mutex);
	return found;
}

/* As in Windows: what is cut has no zero at its end, and gives -1; what just fits has none either. */
int _vsnprintf(char *text, size_t count, const char *format, va_list values)
{
	va_list again;
	va_copy(again, values);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	char *whole = malloc((size_t)length + 1);
	vsnprintf(whole, (size_t)length + 1, format, values);
	size_t fits = (size_t)length < count ? (size_t)length + 1 : count;
	memcpy(text, whole, fits);
	free(whole);
	return (size_t)length > count ? -1 : length;
}

VOID RtlInitUnicodeString(UNICODE_STRING *to, PCWSTR from)
{
	size_t length = 0;
	while (from && from[length])
		length++;
	if (length * sizeof(WCHAR) > MAXUSHORT - 2)
		lf_fake_broken("RtlInitUnicodeString of %zu characters: its length would be cut", length);
	to->Length = (USHORT)(length * sizeof(WCHAR));
	to->MaximumLength = (USHORT)(from ? (length + 1) * sizeof(WCHAR) : 0);
	to->Buffer = (PWSTR)(uintptr_t)from;
}

/* Of a string that IoRegisterDeviceInterface made. */
VOID RtlFreeUnicodeString(UNICODE_STRING *string)
{
	lf_fake_passive("RtlFreeUnicodeString");
	if (string->Buffer)
		ExFreePoolWithTag(string->Buffer, 0x6e74536c);
	memset(string, 0, sizeof(*string));
}

/* ---- UTF-8 ---- */

/* The next character of *left bytes; 0xfffd for what is none, and then *bad. */
static uint32_t take_utf8(const uint8_t **at, uint32_t *left, bool *bad)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	uint8_t first = *(*at)++;
	--*left;
	if (first < 0x80)
		return first;
	uint32_t more = first >= 0xf0 && first < 0xf5   ? 3
			: first >= 0xe0 && first < 0xf0 ? 2
							: first >= 0xc2 && first < 0xe0;
	uint32_t code = more ? first & (0x3fu >> more) : 0, got = 0;
	while (got < more && *left && (**at & 0xc0) == 0x80) {
		code = code << 6 | (*(*at)++ & 0x3fu);
		--*left;
		got++;
	}
	if (!more || got < more || code < least[more] || code > 0x10ffff || (code & ~0x7ffu) == 0xd800) {
		*bad = true;
		return 0xfffd;
	}
	return code;
}

/* to == NULL: only the length is asked for. */
NTSTATUS RtlUTF8ToUnicodeN(PWSTR to, ULONG room, ULONG *length, const char *from, ULONG from_bytes)
{
	const uint8_t *at = (const uint8_t *)from;
	ULONG written = 0;
	bool bad = false;
	lf_fake_passive("RtlUTF8ToUnicodeN");
	while (from_bytes) {
		uint32_t code = take_utf8(&at, &from_bytes, &bad);
		ULONG units = code > 0xffff ? 2 : 1;
		if (to && written + units * sizeof(WCHAR) > room) {
			*length = written;
			return STATUS_BUFFER_TOO_SMALL;
		}
		if (to && units == 2) {
			to[written / 2] = (WCHAR)(0xd800 + ((code - 0x10000) >> 10));
			to[written / 2 + 1] = (WCHAR)(0xdc00 + ((code - 0x10000) & 0x3ff));
		} else if (to) {
			to[written / 2] = (WCHAR)code;
		}
		written += units * (ULONG)sizeof(WCHAR);
	}
	*length = written;
	return bad ? STATUS_SOME_NOT_MAPPED : STATUS_SUCCESS;
}

NTSTATUS RtlUnicodeToUTF8N(char *to, ULONG room, ULONG *length, PCWSTR from, ULONG from_bytes)
{
	ULONG written = 0;
	bool bad = false;
	lf_fake_passive("RtlUnicodeToUTF8N");
	if (from_bytes % sizeof(WCHAR))
		return STATUS_INVALID_PARAMETER;
	for (ULONG i = 0, count = from_bytes / 2; i < count; i++) {
		uint32_t code = from[i];
		bool is_pair = (code & 0xfc00) == 0xd800 && i + 1 < count &&
			       ((uint32_t)from[i + 1] & 0xfc00) == 0xdc00;
		if (is_pair)
			code = 0x10000 + ((code & 0x3ff) << 10 | ((uint32_t)from[++i] & 0x3ff));
		else if ((code & 0xf800) == 0xd800)
			code = 0xfffd, bad = true;
		ULONG bytes = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
		if (to && written + bytes > room) {
			*length = written;
			return STATUS_BUFFER_TOO_SMALL;
		}
		for (ULONG b = bytes; to && b > 1; b--, code >>= 6)
			to[written + b - 1] = (char)(0x80 | (code & 0x3f));
		if (to)
			to[written] = (char)(bytes == 1 ? code : (0xf00 >> bytes & 0xff) | code);
		written += bytes;
	}
	*length = written;
	return bad ? STATUS_SOME_NOT_MAPPED : STATUS_SUCCESS;
}

/* ---- names of the tests ---- */

void lf_fake_ascii(const UNICODE_STRING *from, char *to, size_t room_bytes)
{
	size_t count = from->Length / sizeof(WCHAR);
	if (count >= room_bytes)
		count = room_bytes - 1;
	for (size_t i = 0; i < count; i++)
		to[i] = (char)(from->Buffer[i] && from->Buffer[i] < 0x80 ? from->Buffer[i] : '?');
	to[count] = 0;
}

bool lf_fake_same_name(const UNICODE_STRING *a, const char *b)
{
	char text[512];
	lf_fake_ascii(a, text, sizeof(text));
	return strcasecmp(text, b) == 0;
}

/* ---- the registry ---- */

struct value {
	struct value *next;
	char key[256], name[64];
	ULONG type, length;
	uint8_t data[256];
};

struct open_key {
	char key[256];
};

static struct value *values;

void lf_fake_registry_set(const char *key, const char *name, ULONG type, const void *data, uint32_t length)
{
	struct value *value = calloc(1, sizeof(*value));
	if (length > sizeof(value->data) || strlen(key) >= sizeof(value->key) ||
		strlen(name) >= sizeof(value->name))
		lf_fake_broken("a value of the tests' registry is too long");
	memcpy(value->key, key, strlen(key));
	memcpy(value->name, name, strlen(name));
	memcpy(value->data, data, length);
	value->type = type;
	value->length = length;
	pthread_mutex_lock(&mutex);
	value->next = values; /* the newest of a name is found first */
	values = value;
	pthread_mutex_unlock(&mutex);
}

/* A key is there when it has values, or keys that have. */
static bool is_at_or_below(const char *key, const char *above)
{
	size_t length = strlen(above);
	return strncasecmp(key, above, length) == 0 && (key[length] == 0 || key[length] == '\\');
}

NTSTATUS ZwOpenKey(HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes)
{
	lf_fake_passive("ZwOpenKey");
	if (!(attributes->Attributes & OBJ_KERNEL_HANDLE))
		lf_fake_broken("ZwOpenKey without OBJ_KERNEL_HANDLE");
	char below[128], key[256];
	lf_fake_ascii(attributes->ObjectName, below, sizeof(below));
	const struct open_key *root = NULL;
	if (attributes->RootDirectory)
		root = lf_fake_handle_body(attributes->RootDirectory, LF_FAKE_KEY, NULL);
	snprintf(key, sizeof(key), "%.120s%s%s", root ? root->key : "", root ? "\\" : "", below);
	pthread_mutex_lock(&mutex);
	struct value *value = values;
	while (value && !is_at_or_below(value->key, key))
		value = value->next;
	pthread_mutex_unlock(&mutex);
	if (!value)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	struct open_key *open = lf_fake_object_make(LF_FAKE_KEY, sizeof(*open), NULL);
	memcpy(open->key, key, sizeof(key));
	*handle = lf_fake_handle_make(open, access);
	lf_fake_object_dereference(open);
	return STATUS_SUCCESS;
}

NTSTATUS ZwQueryValueKey(HANDLE handle, UNICODE_STRING *name, KEY_VALUE_INFORMATION_CLASS class, PVOID to,
	ULONG room, ULONG *length)
{
	lf_fake_passive("ZwQueryValueKey");
	if (class != KeyValuePartialInformation)
		lf_fake_broken("ZwQueryValueKey of class %d", class);
	const struct open_key *open = lf_fake_handle_body(handle, LF_FAKE_KEY, NULL);
	pthread_mutex_lock(&mutex);
	struct value *value = values;
	while (value && (strcasecmp(value->key, open->key) || !lf_fake_same_name(name, value->name)))
		value = value->next;
	pthread_mutex_unlock(&mutex);
	if (!value)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	const ULONG before = offsetof(KEY_VALUE_PARTIAL_INFORMATION, Data);
	*length = before + value->length;
	if (room < before)
		return STATUS_BUFFER_TOO_SMALL;
	KEY_VALUE_PARTIAL_INFORMATION *partial = to;
	partial->TitleIndex = 0;
	partial->Type = value->type;
	partial->DataLength = value->length;
	memcpy(partial->Data, value->data, value->length < room - before ? value->length : room - before);
	return value->length <= room - before ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

void lf_fake_registry_reset(void)
{
	pthread_mutex_lock(&mutex);
	while (values) {
		struct value *value = values;
		values = value->next;
		free(value);
	}
	pthread_mutex_unlock(&mutex);
}

void lf_fake_text_reset(void)
{
	pthread_mutex_lock(&mutex);
	line_count = 0;
	pthread_mutex_unlock(&mutex);
}
