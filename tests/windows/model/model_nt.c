/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model_nt.c: model CASE [ARGUMENT...]: plays the window to its model, for tests/windows/model.py, which has
 * the driver loaded. Prints what came, a line each; a last line "done" when all was as it must be.
 */
#include "control/user_nt.h"
#include "programs/gui/model.h"
#include "programs/install_nt.h"
#include "programs/os.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 60000 /* for what ought to come soon */

/* ---- In the place of Windows' installer and of Plug and Play: the linker wraps them ---- */

int __wrap_lf_driver_install(const struct lf_command_line *line, const wchar_t *inf);
int __wrap_lf_os_release(const struct lf_command_line *line, struct lf_client *client, const char *id);
int __real_lf_os_release(const struct lf_command_line *line, struct lf_client *client, const char *id);

int __wrap_lf_driver_install(const struct lf_command_line *line, const wchar_t *inf)
{
	return lf_report(
		line, inf ? "another" : "lungfish.inf", "Windows refused it: sign it", LF_EXIT_PERMISSION);
}

/* Wine has nobody who vetoes. */
int __wrap_lf_os_release(const struct lf_command_line *line, struct lf_client *client, const char *id)
{
	if (strcmp(id, "needed") == 0)
		return lf_report(
			line, id, "in use: the program or service notes forbids it: close it", LF_EXIT_BUSY);
	return __real_lf_os_release(line, client, id);
}

/* ---- The window ---- */

static HWND window;
static struct lf_gui_model *model;

static _Noreturn void fail(const char *what)
{
	printf("failed: %s\n", what);
	fflush(stdout);
	ExitProcess(1);
}

static void must(bool condition, const char *what)
{
	if (!condition)
		fail(what);
}

static void begin(const char *socket)
{
	window = CreateWindowExW(0, L"Static", L"", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL);
	must(window != NULL, "no window");
	model = lf_gui_model_start(window, socket);
	must(model != NULL, "no model");
}

static void stop(void)
{
	lf_gui_model_stop(model);
	DestroyWindow(window);
}

/* What comes next of either kind; the other is NULL. */
static void next(struct lf_gui_snapshot **snapshot, struct lf_gui_result **result)
{
	uint64_t end_ms = GetTickCount64() + PATIENCE_MS;
	MSG message;

	*snapshot = NULL;
	*result = NULL;
	while (!PeekMessageW(&message, window, LF_GUI_WM_SNAPSHOT, LF_GUI_WM_RESULT, PM_REMOVE)) {
		must(GetTickCount64() < end_ms, "nothing comes");
		MsgWaitForMultipleObjects(0, NULL, FALSE, 100, QS_ALLINPUT);
	}
	if (message.message == LF_GUI_WM_SNAPSHOT)
		*snapshot = (struct lf_gui_snapshot *)message.lParam;
	else
		*result = (struct lf_gui_result *)message.lParam;
}

static struct lf_gui_snapshot *next_snapshot(void)
{
	struct lf_gui_snapshot *snapshot;
	struct lf_gui_result *result;

	do {
		next(&snapshot, &result);
		lf_gui_result_free(result);
	} while (!snapshot);
	return snapshot;
}

static struct lf_gui_device *find(struct lf_gui_snapshot *snapshot, const char *id)
{
	for (uint32_t i = 0; i < snapshot->count; i++) {
		if (strcmp(snapshot->devices[i].device.id.bytes, id) == 0)
			return &snapshot->devices[i];
	}
	return NULL;
}

static void wait_device(const char *id, bool there)
{
	uint64_t end_ms = GetTickCount64() + PATIENCE_MS;
	bool is_there;

	do {
		struct lf_gui_snapshot *snapshot = next_snapshot();
		is_there = find(snapshot, id) != NULL;
		lf_gui_snapshot_free(snapshot);
		must(GetTickCount64() < end_ms,
			there ? "the device does not come" : "the device does not go");
	} while (is_there != there);
}

static struct lf_gui_action action_of(enum lf_gui_verb verb, const char *id, const char *image)
{
	struct lf_gui_action action;

	memset(&action, 0, sizeof(action));
	action.verb = verb;
	snprintf(action.id, sizeof(action.id), "%s", id);
	snprintf(action.name, sizeof(action.name), "%s", verb == LF_GUI_CONNECT ? id : "");
	MultiByteToWideChar(CP_UTF8, 0, image, -1, action.image, LF_CONTROL_PATH_CAPACITY);
	return action;
}

static struct lf_gui_result *do_action(const struct lf_gui_action *action)
{
	struct lf_gui_snapshot *snapshot;
	struct lf_gui_result *result;

	must(lf_gui_model_begin(model, action), "it does not begin");
	do {
		next(&snapshot, &result);
		lf_gui_snapshot_free(snapshot);
	} while (!result);
	printf("%d %s\n", result->status, result->message.text);
	return result;
}

static void act(const struct lf_gui_action *action)
{
	lf_gui_result_free(do_action(action));
}

static void act_simply(enum lf_gui_verb verb, const char *id, const char *image)
{
	struct lf_gui_action action = action_of(verb, id, image);

	act(&action);
}

/* Until somebody has made a file of that name. */
static void wait_sign(const char *name)
{
	uint64_t end_ms = GetTickCount64() + PATIENCE_MS;

	while (GetFileAttributesA(name) == INVALID_FILE_ATTRIBUTES) {
		must(GetTickCount64() < end_ms, "no sign comes");
		Sleep(10);
	}
}

/* ---- Cases ---- */

/* connect IMAGE NAME SIGN: what a list shows of it; with the sign it is disconnected. One named kept is. */
static void connect_case(char **words)
{
	struct lf_gui_action action = action_of(LF_GUI_CONNECT, words[1], words[0]);
	struct lf_gui_snapshot *snapshot;
	struct lf_gui_device *device;
	char image[3 * LF_CONTROL_PATH_CAPACITY];

	action.keep = strcmp(words[1], "kept") == 0;
	begin(NULL);
	act(&action);
	wait_device(words[1], true);
	snapshot = next_snapshot();
	device = find(snapshot, words[1]);
	must(snapshot->status == LF_EXIT_DONE && device, "no such row");
	WideCharToMultiByte(CP_UTF8, 0, device->image, -1, image, sizeof(image), NULL, NULL);
	printf("%s %llu %s\n", image,
		(unsigned long long)(device->device.block_count * device->device.block_size),
		device->kept ? "kept" : "not kept");
	lf_gui_snapshot_free(snapshot);
	fflush(stdout);
	wait_sign(words[2]);
	act_simply(LF_GUI_DISCONNECT, words[1], "");
	wait_device(words[1], false);
	stop();
}

/* errors IMAGE...: each is connected. Then others that fail. */
static void errors_case(char **words)
{
	begin(NULL);
	for (; *words; words++) {
		struct lf_gui_action action = action_of(LF_GUI_CONNECT, "", *words);
		act(&action);
	}
	act_simply(LF_GUI_DISCONNECT, "nobody", "");
	act_simply(LF_GUI_EJECT, "nobody", "");
	act_simply(LF_GUI_INSERT, "nobody", "C:\\none.iso");
	act_simply(LF_GUI_RESIZE, "nobody", "");
	act_simply(LF_GUI_PROPERTIES, "nobody", "");
	act_simply(LF_GUI_INSTALL, "", "");
	stop();
}

/* rates DISK NAME: they rise while it is read, and fall to nothing. */
struct reader {
	char path[64];
	volatile LONG stopping;
	uint64_t bytes, reads;
};

static DWORD WINAPI read_on(void *context)
{
	static char buffer[65536];
	struct reader *reader = context;
	HANDLE disk = CreateFileA(
		reader->path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
	DWORD got;

	must(disk != INVALID_HANDLE_VALUE, "the disk cannot be opened");
	while (!reader->stopping) {
		SetFilePointer(disk, 0, NULL, FILE_BEGIN);
		must(ReadFile(disk, buffer, sizeof(buffer), &got, NULL) && got == sizeof(buffer), "read");
		reader->reads++;
		reader->bytes += got;
		Sleep(5);
	}
	CloseHandle(disk);
	return 0;
}

static void wait_rate(const char *id, bool moving)
{
	uint64_t end_ms = GetTickCount64() + PATIENCE_MS;
	bool is_moving;

	do {
		struct lf_gui_snapshot *snapshot = next_snapshot();
		struct lf_gui_device *device = find(snapshot, id);
		must(device && device->counted, "no counters");
		is_moving = device->reads_rate > 0;
		if (is_moving == moving)
			printf("%s %llu %llu %llu %llu\n", moving ? "moves" : "rests",
				(unsigned long long)device->reads, (unsigned long long)device->read_bytes,
				(unsigned long long)device->reads_rate,
				(unsigned long long)device->read_rate_bytes);
		lf_gui_snapshot_free(snapshot);
		must(GetTickCount64() < end_ms, "the rates stay");
	} while (is_moving != moving);
}

static void rates_case(char **words)
{
	struct reader reader = {.stopping = 0};
	HANDLE thread;

	snprintf(reader.path, sizeof(reader.path), "\\\\.\\%s", words[0]);
	begin(NULL);
	wait_rate(words[1], false);
	thread = CreateThread(NULL, 0, read_on, &reader, 0, NULL);
	must(thread != NULL, "no thread");
	wait_rate(words[1], true);
	InterlockedExchange(&reader.stopping, 1);
	WaitForSingleObject(thread, INFINITE);
	wait_rate(words[1], false);
	printf("read %llu %llu\n", (unsigned long long)reader.reads, (unsigned long long)reader.bytes);
	stop();
}

/* properties NAME: each row. */
static void properties_case(char **words)
{
	struct lf_gui_action action = action_of(LF_GUI_PROPERTIES, words[0], "");
	struct lf_gui_result *result;
	char text[16384];

	begin(NULL);
	result = do_action(&action);
	for (uint32_t i = 0; i < result->row_count; i++) {
		const struct lf_gui_row *row = &result->rows[i];
		lf_narrow(row->name, text, sizeof(text));
		printf("%*s%s", (int)(2 * row->level), "", text);
		if (row->value && lf_narrow(row->value, text, sizeof(text)))
			printf(": %s", text);
		putchar('\n');
	}
	lf_gui_result_free(result);
	stop();
}

/* drive NAME IMAGE: a medium comes and goes. resize NAME. */
static void drive_case(char **words)
{
	begin(NULL);
	act_simply(LF_GUI_EJECT, words[0], "");
	act_simply(LF_GUI_INSERT, words[0], words[1]);
	act_simply(LF_GUI_EJECT, words[0], "");
	stop();
}

static void resize_case(char **words)
{
	struct lf_gui_action action = action_of(LF_GUI_RESIZE, words[0], "");
	struct lf_gui_result *result;

	begin(NULL);
	result = do_action(&action);
	printf("%llu\n", (unsigned long long)(result->device.block_count * result->device.block_size));
	lf_gui_result_free(result);
	stop();
}

/* force SOCKET|- NAME: nobody can be asked to let it go, or he does not; then by force. */
static void force_case(char **words)
{
	struct lf_gui_action action = action_of(LF_GUI_DISCONNECT, words[1], "");

	begin(strcmp(words[0], "-") == 0 ? NULL : words[0]);
	act(&action);
	wait_device(words[1], true);
	action.force = true;
	act(&action);
	wait_device(words[1], false);
	stop();
}

/* watch SIGN: each snapshot, until there is a file of that name. */
static void watch_case(char **words)
{
	begin(NULL);
	while (GetFileAttributesA(words[0]) == INVALID_FILE_ATTRIBUTES) {
		struct lf_gui_snapshot *snapshot = next_snapshot();
		printf("status %d, %u: %s\n", snapshot->status, snapshot->count, snapshot->message.text);
		fflush(stdout);
		lf_gui_snapshot_free(snapshot);
	}
	stop();
}

/* Nothing is asked while nobody watches: the next to come is that of a result. */
static void pause_case(char **words)
{
	struct lf_gui_snapshot *snapshot;
	struct lf_gui_result *result;
	struct lf_gui_action action = action_of(LF_GUI_PROPERTIES, words[0], "");
	MSG message;

	begin(NULL);
	lf_gui_snapshot_free(next_snapshot());
	lf_gui_model_watch(model, false);
	Sleep(1500);
	while (PeekMessageW(&message, window, LF_GUI_WM_SNAPSHOT, LF_GUI_WM_SNAPSHOT, PM_REMOVE))
		lf_gui_snapshot_free((struct lf_gui_snapshot *)message.lParam);
	must(lf_gui_model_begin(model, &action), "it does not begin");
	next(&snapshot, &result);
	must(result != NULL, "a snapshot came while nobody watched");
	lf_gui_result_free(result);
	lf_gui_model_watch(model, true);
	next(&snapshot, &result);
	must(snapshot != NULL, "no snapshot came when somebody watched again");
	lf_gui_snapshot_free(snapshot);
	stop();
}

/* stop IMAGE SIGN SIGN: in the middle of as many actions as there may be, none of which ends by itself. */
static void stop_case(char **words)
{
	struct lf_gui_action action = action_of(LF_GUI_CONNECT, "", words[0]);
	MSG message;

	begin(NULL);
	lf_gui_snapshot_free(next_snapshot());
	for (uint32_t i = 0; i < LF_GUI_ACTIONS_MAX; i++)
		must(lf_gui_model_begin(model, &action), "it does not begin");
	must(!lf_gui_model_begin(model, &action), "one too many begins");
	printf("waiting\n");
	fflush(stdout);
	wait_sign(words[1]);
	lf_gui_model_stop(model);
	printf("stopped\n");
	fflush(stdout);
	wait_sign(words[2]);
	must(!PeekMessageW(&message, window, LF_GUI_WM_SNAPSHOT, LF_GUI_WM_RESULT, PM_NOREMOVE),
		"it is posted");
	DestroyWindow(window);
}

/* leaks IMAGE: handles and memory after many lives of the model, with what was posted never fetched. */
static uint32_t blocks(void)
{
	PROCESS_HEAP_ENTRY entry = {0};
	HANDLE heaps[64];
	DWORD count = GetProcessHeaps(64, heaps);
	uint32_t busy = 0;

	for (DWORD i = 0; i < count && i < 64; i++) {
		entry.lpData = NULL;
		HeapLock(heaps[i]);
		while (HeapWalk(heaps[i], &entry))
			busy += (entry.wFlags & PROCESS_HEAP_ENTRY_BUSY) != 0;
		HeapUnlock(heaps[i]);
	}
	return busy;
}

static void live(const char *image, bool fetch)
{
	struct lf_gui_action action = action_of(LF_GUI_CONNECT, "", image);

	begin(NULL);
	lf_gui_snapshot_free(next_snapshot());
	must(lf_gui_model_begin(model, &action), "it does not begin");
	lf_gui_model_refresh(model);
	if (fetch)
		act_simply(LF_GUI_PROPERTIES, "leaks", "");
	else
		Sleep(200);
	stop();
}

static void leaks_case(char **words)
{
	const uint32_t lives = 20;
	DWORD handles, handles_after;
	uint32_t before, after;

	for (uint32_t i = 0; i < 6; i++)
		live(words[0], i % 2 == 0);
	GetProcessHandleCount(GetCurrentProcess(), &handles);
	before = blocks();
	for (uint32_t i = 0; i < lives; i++)
		live(words[0], i % 2 == 0);
	GetProcessHandleCount(GetCurrentProcess(), &handles_after);
	after = blocks();
	printf("%lu handles, then %lu; %u blocks, then %u\n", handles, handles_after, before, after);
	must(handles_after < handles + lives / 2 && after < before + lives / 2, "they grow");
}

static const struct {
	const char *name;
	int words;
	void (*run)(char **words);
} cases[] = {
	{"connect", 3, connect_case},
	{"drive", 2, drive_case},
	{"errors", 1, errors_case},
	{"force", 2, force_case},
	{"leaks", 1, leaks_case},
	{"pause", 1, pause_case},
	{"properties", 1, properties_case},
	{"rates", 2, rates_case},
	{"resize", 1, resize_case},
	{"stop", 3, stop_case},
	{"watch", 1, watch_case},
};

int main(int argc, char **argv)
{
	lf_os_start(&argc, &argv);
	for (uint32_t i = 0; i < lf_count_of(cases); i++) {
		if (argc > 1 + cases[i].words && strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run(argv + 2);
			puts("done");
			return 0;
		}
	}
	printf("usage: model CASE [ARGUMENT...]\n");
	return 2;
}
