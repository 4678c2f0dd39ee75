/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.c: the model's threads. The window's begins and stops them; each other holds the model until it ends,
 * so that one that hangs in Windows can be left behind.
 */
#include "programs/gui/model_own.h"

#include <process.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS   1000
#define SEEK_MS   3000 /* while there is no adapter */
#define GRACE_MS  1000 /* for what is being done when the window goes */
#define INSIST_MS 50   /* a thread may begin another call after one was cancelled */

/* ---- What threads share ---- */

static void told(void *context, const char *object, const char *message, int status)
{
	struct lf_gui_message *into = context;

	(void)status;
	if (into->text[0] == '\0')
		snprintf(into->text, sizeof(into->text), "%s%s%s", object ? object : "", object ? ": " : "",
			message);
}

void lf_gui_line(
	const struct lf_gui_model *model, struct lf_gui_message *message, struct lf_command_line *line)
{
	memset(line, 0, sizeof(*line));
	message->text[0] = '\0';
	line->socket = model->socket;
	line->told = told;
	line->told_context = message;
}

static void release(struct lf_gui_model *model)
{
	if (InterlockedDecrement(&model->users) > 0)
		return;
	if (model->poll.thread)
		CloseHandle(model->poll.thread);
	for (uint32_t i = 0; i < LF_GUI_ACTIONS_MAX; i++) {
		if (model->actions[i].thread)
			CloseHandle(model->actions[i].thread);
	}
	if (model->wake)
		CloseHandle(model->wake);
	DeleteCriticalSection(&model->lock);
	free(model->socket);
	free(model);
}

struct lf_client *lf_gui_open(struct lf_gui_worker *worker, const struct lf_command_line *line, int *status)
{
	struct lf_gui_model *model = worker->model;
	struct lf_client *client = lf_session_open(line, status);
	bool stopping;

	if (!client)
		return NULL;
	EnterCriticalSection(&model->lock);
	stopping = model->stopping;
	worker->client = stopping ? NULL : client;
	LeaveCriticalSection(&model->lock);
	if (!stopping)
		return client;
	lf_session_close(client);
	*status = LF_EXIT_FAILED;
	return NULL;
}

void lf_gui_close(struct lf_gui_worker *worker, struct lf_client *client)
{
	EnterCriticalSection(&worker->model->lock);
	worker->client = NULL;
	LeaveCriticalSection(&worker->model->lock);
	lf_session_close(client);
}

/* With the lock. False: it stays the caller's. */
static bool post(struct lf_gui_model *model, UINT message, void *item)
{
	return !model->stopping && PostMessageW(model->window, message, 0, (LPARAM)item);
}

/* Who hears of the result finds the worker free: from then on it may be another thread's. */
static void end(struct lf_gui_worker *worker)
{
	struct lf_gui_model *model = worker->model;
	struct lf_gui_result *result = worker->result;

	EnterCriticalSection(&model->lock);
	worker->busy = false;
	worker->result = NULL;
	if (result && post(model, LF_GUI_WM_RESULT, result))
		result = NULL;
	LeaveCriticalSection(&model->lock);
	lf_gui_result_free(result);
	SetEvent(model->wake);
	release(model);
}

/* ---- Threads ---- */

static unsigned __stdcall poll(void *context)
{
	struct lf_gui_worker *worker = context;
	struct lf_gui_model *model = worker->model;
	struct lf_gui_memory memory = {0};
	bool watching, stopping;

	for (;;) {
		struct lf_gui_snapshot *snapshot = NULL;
		DWORD wait_ms = POLL_MS;

		EnterCriticalSection(&model->lock);
		watching = model->watching;
		stopping = model->stopping;
		LeaveCriticalSection(&model->lock);
		if (stopping)
			break;
		if (watching)
			snapshot = lf_gui_snapshot_take(worker, &memory);
		if (snapshot && snapshot->status == LF_EXIT_NO_ADAPTER)
			wait_ms = SEEK_MS;
		EnterCriticalSection(&model->lock);
		if (snapshot && post(model, LF_GUI_WM_SNAPSHOT, snapshot))
			snapshot = NULL;
		LeaveCriticalSection(&model->lock);
		lf_gui_snapshot_free(snapshot);
		WaitForSingleObject(model->wake, watching ? wait_ms : INFINITE);
	}
	free(memory.at);
	end(worker);
	return 0;
}

static unsigned __stdcall act(void *context)
{
	struct lf_gui_worker *worker = context;

	lf_gui_act(worker);
	end(worker);
	return 0;
}

static bool run(struct lf_gui_worker *worker, unsigned(__stdcall *body)(void *))
{
	struct lf_gui_model *model = worker->model;

	if (worker->thread)
		CloseHandle(worker->thread);
	worker->busy = true;
	InterlockedIncrement(&model->users);
	worker->thread = (HANDLE)_beginthreadex(NULL, 0, body, worker, 0, NULL);
	if (worker->thread)
		return true;
	InterlockedDecrement(&model->users);
	worker->busy = false;
	return false;
}

/* ---- The window's calls ---- */

struct lf_gui_model *lf_gui_model_start(HWND window, const char *socket)
{
	struct lf_gui_model *model = calloc(1, sizeof(*model));

	if (!model)
		return NULL;
	InitializeCriticalSection(&model->lock);
	model->users = 1;
	model->window = window;
	model->watching = true;
	model->wake = CreateEventW(NULL, FALSE, FALSE, NULL);
	model->socket = socket ? _strdup(socket) : NULL;
	model->poll.model = model;
	for (uint32_t i = 0; i < LF_GUI_ACTIONS_MAX; i++)
		model->actions[i].model = model;
	if (model->wake && (model->socket || !socket) && run(&model->poll, poll))
		return model;
	release(model);
	return NULL;
}

static struct lf_gui_worker *free_worker(struct lf_gui_model *model)
{
	struct lf_gui_worker *found = NULL;

	EnterCriticalSection(&model->lock);
	for (uint32_t i = 0; !found && i < LF_GUI_ACTIONS_MAX; i++) {
		if (!model->actions[i].busy)
			found = &model->actions[i];
	}
	LeaveCriticalSection(&model->lock);
	return found;
}

bool lf_gui_model_begin(struct lf_gui_model *model, const struct lf_gui_action *action)
{
	struct lf_gui_worker *worker = free_worker(model);
	struct lf_gui_result *result = worker ? calloc(1, sizeof(*result)) : NULL;

	if (!result)
		return false;
	result->action = *action;
	/* Nobody else looks at a worker that is not busy. */
	worker->result = result;
	worker->installs = action->verb == LF_GUI_INSTALL;
	if (run(worker, act))
		return true;
	worker->result = NULL;
	free(result);
	return false;
}

void lf_gui_model_watch(struct lf_gui_model *model, bool on)
{
	EnterCriticalSection(&model->lock);
	model->watching = on;
	LeaveCriticalSection(&model->lock);
	SetEvent(model->wake);
}

void lf_gui_model_refresh(struct lf_gui_model *model)
{
	EnterCriticalSection(&model->lock);
	model->renames = true;
	LeaveCriticalSection(&model->lock);
	SetEvent(model->wake);
}

void lf_gui_result_free(struct lf_gui_result *result)
{
	if (result)
		free(result->rows);
	free(result);
}

/* ---- The end ---- */

/* What it waits for in the adapter, and in Windows: an image on a share that does not answer. */
static void cancel(struct lf_gui_worker *worker)
{
	if (worker->client)
		CancelIoEx((HANDLE)worker->client->handle, NULL);
	CancelSynchronousIo(worker->thread);
}

/* Whom to wait for that long after the end began; cancels those whose time has come. */
static DWORD left(struct lf_gui_model *model, uint64_t since_ms, HANDLE *threads)
{
	DWORD count = 0;

	EnterCriticalSection(&model->lock);
	for (uint32_t i = 0; i <= LF_GUI_ACTIONS_MAX; i++) {
		bool polls = i == LF_GUI_ACTIONS_MAX;
		struct lf_gui_worker *worker = polls ? &model->poll : &model->actions[i];
		uint64_t limit_ms = worker->installs ? LF_GUI_INSTALL_MS : LF_GUI_STOP_MS;
		if (!worker->busy || since_ms >= limit_ms)
			continue;
		threads[count++] = worker->thread;
		if (polls || (!worker->installs && since_ms >= GRACE_MS))
			cancel(worker);
	}
	LeaveCriticalSection(&model->lock);
	return count;
}

static void drain(HWND window)
{
	MSG message;

	while (PeekMessageW(&message, window, LF_GUI_WM_SNAPSHOT, LF_GUI_WM_RESULT, PM_REMOVE)) {
		if (message.message == WM_QUIT) { /* no filter holds it back */
			PostQuitMessage((int)message.wParam);
			break;
		}
		if (message.message == LF_GUI_WM_SNAPSHOT)
			lf_gui_snapshot_free((struct lf_gui_snapshot *)message.lParam);
		else
			lf_gui_result_free((struct lf_gui_result *)message.lParam);
	}
}

void lf_gui_model_stop(struct lf_gui_model *model)
{
	HANDLE threads[LF_GUI_ACTIONS_MAX + 1];
	uint64_t begun_ms = GetTickCount64();
	DWORD count;

	EnterCriticalSection(&model->lock);
	model->stopping = true;
	LeaveCriticalSection(&model->lock);
	SetEvent(model->wake);
	while ((count = left(model, GetTickCount64() - begun_ms, threads)) > 0)
		WaitForMultipleObjects(count, threads, TRUE, INSIST_MS);
	drain(model->window);
	release(model);
}
