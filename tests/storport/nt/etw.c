/* SPDX-License-Identifier: BSD-2-Clause */
/* etw.c: providers of events, a session that may listen to them, and a file that all of it goes to. */
#include <stdio.h>
#include <string.h>

#include "tests/storport/nt/internal.h"
#include "tests/storport/host/etw_stream.h"

#define PROVIDERS_MAX 4
#define IDS           65536
#define SET_TRAITS    2

NTSTATUS EtwSetInformation(REGHANDLE handle, ULONG kind, PVOID information, ULONG length);

struct provider {
	REGHANDLE handle; /* 0: none here */
	PETWENABLECALLBACK callback;
	PVOID context;
	bool has_traits;
};

struct session {
	bool listens;
	UCHAR level;
	ULONGLONG any, all;
};

/* Taken by whoever registers, and while a callback runs: Windows calls one at a time. Before the other. */
static pthread_mutex_t callbacks = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static struct provider providers[PROVIDERS_MAX];
static REGHANDLE last_handle;
static struct session session;
static uint64_t counts[IDS], unwanted;
static FILE *stream;

/* Under the mutex. */
static void keep(const struct etw_stream_record *record)
{
	if (record->is_too_long)
		lf_fake_broken("ETW: %d bytes are not enough for what was written", ETW_STREAM_BYTES);
	if (stream)
		fwrite(record->bytes, 1, record->length, stream);
}

/* Under the mutex. */
static struct provider *find(REGHANDLE handle, const char *who)
{
	for (uint32_t i = 0; handle && i < PROVIDERS_MAX; i++)
		if (providers[i].handle == handle)
			return &providers[i];
	lf_fake_broken("%s: no such provider, or not any more", who);
}

/* Under the callbacks' mutex alone: the callback may write events. */
static void tell(const struct provider *provider)
{
	static const GUID source;

	provider->callback(
		&source, session.listens, session.level, session.any, session.all, NULL, provider->context);
	lf_fake_passive("an enable callback returns");
}

NTSTATUS EtwRegister(LPCGUID name, PETWENABLECALLBACK callback, PVOID context, PREGHANDLE handle)
{
	struct etw_stream_record record;
	struct provider *provider = NULL;

	lf_fake_passive("EtwRegister");
	if (lf_fake_fails(LF_FAKE_ETW))
		return STATUS_NO_MEMORY;
	pthread_mutex_lock(&callbacks);
	pthread_mutex_lock(&mutex);
	for (uint32_t i = 0; i < PROVIDERS_MAX && !provider; i++)
		provider = providers[i].handle ? NULL : &providers[i];
	if (!provider)
		lf_fake_broken("EtwRegister: %d providers", PROVIDERS_MAX);
	*provider = (struct provider){++last_handle, callback, context, false};
	*handle = last_handle;
	etw_stream_registered(&record, last_handle, name);
	keep(&record);
	pthread_mutex_unlock(&mutex);
	if (session.listens && callback)
		tell(provider);
	pthread_mutex_unlock(&callbacks);
	return STATUS_SUCCESS;
}

NTSTATUS EtwUnregister(REGHANDLE handle)
{
	struct etw_stream_record record;

	lf_fake_passive("EtwUnregister");
	pthread_mutex_lock(&callbacks);
	pthread_mutex_lock(&mutex);
	find(handle, "EtwUnregister")->handle = 0;
	etw_stream_unregistered(&record, handle);
	keep(&record);
	pthread_mutex_unlock(&mutex);
	pthread_mutex_unlock(&callbacks);
	return STATUS_SUCCESS;
}

NTSTATUS EtwSetInformation(REGHANDLE handle, ULONG kind, PVOID information, ULONG length)
{
	struct etw_stream_record record;

	lf_fake_passive("EtwSetInformation");
	if (lf_fake_fails(LF_FAKE_ETW))
		return STATUS_NO_MEMORY;
	pthread_mutex_lock(&mutex);
	struct provider *provider = find(handle, "EtwSetInformation");
	if (kind != SET_TRAITS || provider->has_traits)
		lf_fake_broken("EtwSetInformation of class %u, or for the second time", kind);
	provider->has_traits = true;
	etw_stream_information(&record, handle, kind, information, length);
	keep(&record);
	pthread_mutex_unlock(&mutex);
	return STATUS_SUCCESS;
}

/* Under the mutex. What ETW itself looks at, whatever the provider thought. */
static bool is_wanted(const EVENT_DESCRIPTOR *event)
{
	return session.listens && (session.level == 0 || event->Level <= session.level) &&
	       (event->Keyword == 0 || session.any == 0 || (event->Keyword & session.any)) &&
	       (event->Keyword & session.all) == session.all;
}

/* At any IRQL. */
NTSTATUS EtwWriteTransfer(REGHANDLE handle, PCEVENT_DESCRIPTOR event, LPCGUID activity, LPCGUID related,
	ULONG count, PEVENT_DATA_DESCRIPTOR pieces)
{
	struct etw_stream_record record;
	const char *problem = etw_stream_problem(event, count, pieces);

	UNREFERENCED_PARAMETER(activity);
	UNREFERENCED_PARAMETER(related);
	if (problem)
		lf_fake_broken("EtwWriteTransfer: %s", problem);
	pthread_mutex_lock(&mutex);
	if (!find(handle, "EtwWriteTransfer")->has_traits)
		lf_fake_broken("EtwWriteTransfer: the types of its pieces are not looked at");
	if (is_wanted(event)) {
		counts[event->Id]++;
		etw_stream_written(&record, handle, event, count, pieces);
		keep(&record);
	} else {
		unwanted++;
	}
	pthread_mutex_unlock(&mutex);
	return STATUS_SUCCESS;
}

/* ---- What tests do ---- */

static void set(const struct session *wanted)
{
	struct etw_stream_record record;

	pthread_mutex_lock(&callbacks);
	pthread_mutex_lock(&mutex);
	session = *wanted;
	etw_stream_enabled(&record, wanted->listens, wanted->level, wanted->any, wanted->all);
	keep(&record);
	pthread_mutex_unlock(&mutex);
	for (uint32_t i = 0; i < PROVIDERS_MAX; i++)
		if (providers[i].handle && providers[i].callback)
			tell(&providers[i]);
	pthread_mutex_unlock(&callbacks);
}

void lf_fake_etw_enable(UCHAR level, ULONGLONG any, ULONGLONG all)
{
	set(&(struct session){true, level, any, all});
}

void lf_fake_etw_disable(void)
{
	set(&(struct session){0});
}

uint64_t lf_fake_etw_count(USHORT id)
{
	pthread_mutex_lock(&mutex);
	uint64_t count = counts[id];
	pthread_mutex_unlock(&mutex);
	return count;
}

uint64_t lf_fake_etw_unwanted(void)
{
	pthread_mutex_lock(&mutex);
	uint64_t count = unwanted;
	pthread_mutex_unlock(&mutex);
	return count;
}

bool lf_fake_etw_record(const char *path)
{
	FILE *file = path ? fopen(path, "wb") : NULL;

	pthread_mutex_lock(&mutex);
	bool is_whole = !stream || fclose(stream) == 0;
	stream = file;
	pthread_mutex_unlock(&mutex);
	return is_whole && (file || !path);
}

uint32_t lf_fake_etw_leaks(void)
{
	uint32_t count = 0;

	pthread_mutex_lock(&mutex);
	for (uint32_t i = 0; i < PROVIDERS_MAX; i++)
		count += providers[i].handle != 0;
	pthread_mutex_unlock(&mutex);
	if (count)
		printf("# leak: %u providers of events\n", count);
	return count;
}

void lf_fake_etw_reset(void)
{
	pthread_mutex_lock(&mutex);
	memset(&session, 0, sizeof(session));
	memset(counts, 0, sizeof(counts));
	unwanted = 0;
	pthread_mutex_unlock(&mutex);
}
