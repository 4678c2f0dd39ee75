/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pt.c: pt FILE: runs the lines of FILE, and prints one line for each: what a program on Windows can do to a
 * disk, and what the stand-in is told. pt follow FILE: and goes on with what is appended to it, for ever.
 *   scsi DEVICE T L CDB none|in|out BYTES FILE [direct]   pass-through; CDB in hex; data from or to FILE
 *   read DEVICE OFFSET BYTES FILE CHUNK DEPTH             overlapped ReadFile
 *   write DEVICE OFFSET FILE CHUNK DEPTH                  overlapped WriteFile
 *   passread DEVICE BYTES FILE CHUNK BLOCK                READ (10) by pass-through, chunk by chunk
 *   passwrite DEVICE FILE CHUNK BLOCK                     WRITE (10) likewise
 *   flush DEVICE
 *   compare DEVICE FILE BLOCK                             how many blocks differ
 *   ioctl DEVICE CODE IN OUTBYTES OUT                     the files' bytes to and from a control code
 *   open DEVICE / close DEVICE                            keeps a handle
 *   hold FILE                                             has a file for itself
 *   wait FILE                                             until there is such a file
 *   ctl COMMAND...                                        to the stand-in; the lines of its answer end with ;
 * "-" is no file. DEVICE is a name below \\.\. Who sees the line finds the file that goes with it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <winternl.h>

#define WORDS_MAX     16
#define DEPTH_MAX     64
#define SENSE_BYTES   64
#define DATA_AT       128 /* in a pass-through buffer */
#define LINE_BYTES    1024
#define COMPARE_BYTES 65536
#define COMPARE_DEPTH 8
#define WAIT_TRIES    3000 /* a minute */
#define FOLLOW_MS     2
#define STANDIN_CODE                                                                                         \
	0x00222000 /* CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)                 \
		    */

/* SCSI_PASS_THROUGH and SCSI_PASS_THROUGH_DIRECT. */
struct pass {
	USHORT length;
	UCHAR scsi_status, path, target, lun, cdb_length, sense_length, direction;
	ULONG data_length, timeout_s;
	ULONG_PTR data;
	ULONG sense_offset;
	UCHAR cdb[16];
};

struct line {
	char *word[WORDS_MAX];
	int count;
};

static HANDLE kept[DEPTH_MAX];
static char kept_name[DEPTH_MAX][64];

static const char *text_of(const struct line *line, int at)
{
	return at < line->count ? line->word[at] : "";
}

static ULONGLONG number_of(const struct line *line, int at)
{
	return strtoull(text_of(line, at), NULL, 0);
}

static HANDLE open_device(const char *name)
{
	char path[128];
	snprintf(path, sizeof(path), "\\\\.\\%s", name);
	return CreateFileA(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
		OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
}

/* malloc'ed; *length bytes of the file, or of zeroes where there is no file. */
static UCHAR *file_bytes(const char *name, ULONG *length)
{
	UCHAR *bytes = NULL;
	if (!strcmp(name, "-") || !*name)
		return calloc(1, *length + 1);
	FILE *file = fopen(name, "rb");
	if (!file)
		return NULL;
	fseek(file, 0, SEEK_END);
	*length = (ULONG)ftell(file);
	rewind(file);
	bytes = malloc(*length + 1);
	if (fread(bytes, 1, *length, file) != *length)
		*length = 0;
	fclose(file);
	return bytes;
}

static void keep_bytes(const char *name, const UCHAR *bytes, ULONG length)
{
	FILE *file = strcmp(name, "-") && *name ? fopen(name, "wb") : NULL;
	if (!file)
		return;
	fwrite(bytes, 1, length, file);
	fclose(file);
}

/* Waits; the NTSTATUS, and how many bytes. */
static ULONG control(
	HANDLE device, ULONG code, void *in, ULONG in_length, void *out, ULONG out_length, ULONG *moved)
{
	IO_STATUS_BLOCK iosb = {0};
	HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
	NTSTATUS status =
		NtDeviceIoControlFile(device, event, NULL, NULL, &iosb, code, in, in_length, out, out_length);
	if (status == 0x103) {
		WaitForSingleObject(event, INFINITE);
		status = iosb.Status;
	}
	CloseHandle(event);
	*moved = (ULONG)iosb.Information;
	return (ULONG)status;
}

static void run_scsi(const struct line *line)
{
	ULONG length = (ULONG)number_of(line, 6), moved = 0;
	const char *way = text_of(line, 5), *name = text_of(line, 7), *hex = text_of(line, 4);
	bool out = !strcmp(way, "out"), direct = !strcmp(text_of(line, 8), "direct");
	UCHAR *data = out ? file_bytes(name, &length) : calloc(1, length + 1);
	HANDLE device = open_device(text_of(line, 1));
	if (device == INVALID_HANDLE_VALUE || !data) {
		printf("cannot open: error %lu\n", GetLastError());
		free(data);
		return;
	}
	UCHAR *buffer = calloc(1, DATA_AT + length);
	struct pass *pass = (struct pass *)buffer;
	*pass = (struct pass){.length = sizeof(*pass),
		.target = (UCHAR)number_of(line, 2),
		.lun = (UCHAR)number_of(line, 3),
		.cdb_length = (UCHAR)(strlen(hex) / 2),
		.sense_length = SENSE_BYTES,
		.direction = out                  ? 0
			     : !strcmp(way, "in") ? 1
						  : 2,
		.data_length = length,
		.timeout_s = 30,
		.data = direct ? (ULONG_PTR)data : DATA_AT,
		.sense_offset = sizeof(*pass)};
	for (int i = 0; i < pass->cdb_length && i < 16; i++) {
		char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
		pass->cdb[i] = (UCHAR)strtoul(digits, NULL, 16);
	}
	if (out && !direct)
		memcpy(buffer + DATA_AT, data, length);
	ULONG room = direct ? DATA_AT : DATA_AT + length;
	ULONG status = control(device, direct ? 0x4d014 : 0x4d004, buffer, room, buffer, room, &moved);
	if (!out && !status)
		keep_bytes(name, direct ? data : buffer + DATA_AT, pass->data_length);
	printf("%08lx scsi %02x length %lu sense ", status, pass->scsi_status, pass->data_length);
	for (int i = 0; i < 18; i++)
		printf("%02x", buffer[sizeof(*pass) + (size_t)i]);
	printf("\n");
	CloseHandle(device);
	free(buffer);
	free(data);
}

/* Many at once, in chunks. False, and an error, at the first that fails or is short. */
static DWORD move(
	HANDLE device, bool writes, ULONGLONG offset, UCHAR *bytes, ULONG length, ULONG chunk, ULONG depth)
{
	OVERLAPPED overlapped[DEPTH_MAX];
	HANDLE events[DEPTH_MAX];
	ULONG lengths[DEPTH_MAX];
	DWORD error = 0;
	depth = depth && depth <= DEPTH_MAX ? depth : 1;
	for (ULONG i = 0; i < depth; i++)
		events[i] = CreateEventA(NULL, TRUE, FALSE, NULL);
	for (ULONG at = 0; at < length && !error;) {
		ULONG count = 0;
		for (; count < depth && at < length; count++) {
			lengths[count] = length - at < chunk ? length - at : chunk;
			overlapped[count] = (OVERLAPPED){.hEvent = events[count]};
			overlapped[count].Offset = (DWORD)(offset + at);
			overlapped[count].OffsetHigh = (DWORD)((offset + at) >> 32);
			BOOL done = writes ? WriteFile(device, bytes + at, lengths[count], NULL,
						     &overlapped[count])
					   : ReadFile(device, bytes + at, lengths[count], NULL,
						     &overlapped[count]);
			if (!done && GetLastError() != ERROR_IO_PENDING) {
				error = GetLastError();
				break;
			}
			at += lengths[count];
		}
		for (ULONG i = 0; i < count; i++) {
			DWORD moved;
			if (!GetOverlappedResult(device, &overlapped[i], &moved, TRUE))
				error = GetLastError();
			else if (moved != lengths[i] && !error)
				error = ERROR_HANDLE_EOF;
		}
	}
	for (ULONG i = 0; i < depth; i++)
		CloseHandle(events[i]);
	return error;
}

static void run_move(const struct line *line, bool writes)
{
	HANDLE device = open_device(text_of(line, 1));
	ULONG length = writes ? 0 : (ULONG)number_of(line, 3);
	int next = writes ? 3 : 4;
	const char *name = text_of(line, next);
	UCHAR *bytes = writes ? file_bytes(name, &length) : malloc(length + 1);
	if (device == INVALID_HANDLE_VALUE || !bytes) {
		printf("cannot open: error %lu\n", GetLastError());
		free(bytes);
		return;
	}
	DWORD error = move(device, writes, number_of(line, 2), bytes, length,
		(ULONG)number_of(line, next + 1), (ULONG)number_of(line, next + 2));
	if (!writes && !error)
		keep_bytes(name, bytes, length);
	printf("%s %lu\n", error ? "error" : "moved", error ? error : length);
	CloseHandle(device);
	free(bytes);
}

/* READ (10) or WRITE (10) of a chunk; false: the line is printed that says why not. */
static bool pass_chunk(HANDLE device, bool writes, ULONG block, ULONG blocks, UCHAR *bytes, ULONG length)
{
	struct {
		struct pass pass;
		UCHAR sense[SENSE_BYTES];
	} buffer = {
		.pass = {.length = sizeof(buffer.pass),
			.cdb_length = 10,
			.sense_length = SENSE_BYTES,
			.direction = !writes,
			.data_length = length,
			.timeout_s = 30,
			.data = (ULONG_PTR)bytes,
			.sense_offset = sizeof(buffer.pass),
			.cdb = {writes ? 0x2a : 0x28, 0, (UCHAR)(block >> 24), (UCHAR)(block >> 16),
				(UCHAR)(block >> 8), (UCHAR)block, 0, (UCHAR)(blocks >> 8), (UCHAR)blocks}}};
	ULONG moved;
	ULONG status = control(device, 0x4d014, &buffer, sizeof(buffer), &buffer, sizeof(buffer), &moved);
	if (!status && buffer.pass.scsi_status == 2 &&
		(buffer.sense[2] & 15) == 6) /* unit attention: again */
		status = control(device, 0x4d014, &buffer, sizeof(buffer), &buffer, sizeof(buffer), &moved);
	if (!status && !buffer.pass.scsi_status && buffer.pass.data_length == length)
		return true;
	printf("error %08lx scsi %02x sense %02x %02x at block %lu\n", status, buffer.pass.scsi_status,
		buffer.sense[2] & 15, buffer.sense[12], block);
	return false;
}

static void run_pass(const struct line *line, bool writes)
{
	HANDLE device = open_device(text_of(line, 1));
	ULONG length = writes ? 0 : (ULONG)number_of(line, 2);
	int next = writes ? 2 : 3;
	ULONG chunk = (ULONG)number_of(line, next + 1), block = (ULONG)number_of(line, next + 2);
	const char *name = text_of(line, next);
	UCHAR *bytes = writes ? file_bytes(name, &length) : malloc(length + 1);
	bool good = device != INVALID_HANDLE_VALUE && bytes && chunk && block;
	if (!good)
		printf("cannot open: error %lu\n", GetLastError());
	for (ULONG at = 0; good && at < length; at += chunk) {
		ULONG part = length - at < chunk ? length - at : chunk;
		good = pass_chunk(device, writes, at / block, part / block, bytes + at, part);
	}
	if (good && !writes)
		keep_bytes(name, bytes, length);
	if (good)
		printf("moved %lu\n", length);
	CloseHandle(device);
	free(bytes);
}

static void run_compare(const struct line *line)
{
	HANDLE device = open_device(text_of(line, 1));
	ULONG length = 0, block = (ULONG)number_of(line, 3), different = 0, blocks = 0;
	UCHAR *wanted = file_bytes(text_of(line, 2), &length), *got = calloc(1, length + 1);
	DWORD error = device == INVALID_HANDLE_VALUE || !wanted
			      ? ERROR_FILE_NOT_FOUND
			      : move(device, false, 0, got, length, COMPARE_BYTES, COMPARE_DEPTH);
	for (ULONG at = 0; at < length && !error; at += block, blocks++)
		different += memcmp(got + at, wanted + at, length - at < block ? length - at : block) != 0;
	if (error)
		printf("error %lu\n", error);
	else
		printf("compared %lu different %lu\n", blocks, different);
	CloseHandle(device);
	free(wanted);
	free(got);
}

static void run_ioctl(const struct line *line)
{
	HANDLE device = open_device(text_of(line, 1));
	ULONG in_length = 0, out_length = (ULONG)number_of(line, 4), moved = 0;
	UCHAR *in = file_bytes(text_of(line, 3), &in_length), *out = calloc(1, out_length + 1);
	if (device == INVALID_HANDLE_VALUE || !in) {
		printf("cannot open: error %lu\n", GetLastError());
	} else {
		ULONG status = control(device, (ULONG)number_of(line, 2), in_length ? in : NULL, in_length,
			out_length ? out : NULL, out_length, &moved);
		if (!status)
			keep_bytes(text_of(line, 5), out, moved < out_length ? moved : out_length);
		printf("%08lx length %lu\n", status, moved);
	}
	CloseHandle(device);
	free(in);
	free(out);
}

static void run_keep(const struct line *line)
{
	const char *name = text_of(line, 1);
	bool opens = !strcmp(text_of(line, 0), "open");
	for (int i = 0; i < DEPTH_MAX; i++) {
		if (opens && !kept[i]) {
			kept[i] = open_device(name);
			snprintf(kept_name[i], sizeof(kept_name[i]), "%s", name);
			printf("%s\n", kept[i] == INVALID_HANDLE_VALUE ? "error" : "opened");
			return;
		}
		if (!opens && kept[i] && !strcmp(kept_name[i], name)) {
			CloseHandle(kept[i]);
			kept[i] = NULL;
			printf("closed\n");
			return;
		}
	}
	printf("error\n");
}

static void run_hold(const struct line *line)
{
	HANDLE file = CreateFileA(text_of(line, 1), GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
		FILE_ATTRIBUTE_NORMAL, NULL);
	printf("%s\n", file == INVALID_HANDLE_VALUE ? "error" : "opened"); /* until this program ends */
}

static void run_wait(const struct line *line)
{
	for (int tries = 0; tries < WAIT_TRIES; tries++) {
		if (GetFileAttributesA(text_of(line, 1)) != INVALID_FILE_ATTRIBUTES) {
			printf("there\n");
			return;
		}
		Sleep(20);
	}
	printf("error\n");
}

static void run_ctl(const struct line *line)
{
	char text[256] = "", reply[8192];
	DWORD length = 0;
	HANDLE device = open_device("LungfishStandin");
	for (int i = 1; i < line->count; i++) {
		size_t used = strlen(text);
		snprintf(text + used, sizeof(text) - used, "%s%s", i > 1 ? " " : "", line->word[i]);
	}
	if (device == INVALID_HANDLE_VALUE) {
		printf("error %lu: no stand-in\n", GetLastError());
		return;
	}
	ULONG status =
		control(device, STANDIN_CODE, text, (ULONG)strlen(text) + 1, reply, sizeof(reply), &length);
	if (status)
		printf("error: status %08lx", status);
	for (DWORD i = 0; !status && i < length; i++)
		putchar(reply[i] == '\n' ? ';' : reply[i]);
	printf("\n");
	CloseHandle(device);
}

static void run_flush(const struct line *line)
{
	HANDLE device = open_device(text_of(line, 1));
	if (device == INVALID_HANDLE_VALUE || !FlushFileBuffers(device))
		printf("error %lu\n", GetLastError());
	else
		printf("flushed\n");
	CloseHandle(device);
}

static void run_line(char *text)
{
	struct line line = {.count = 0};
	for (char *word = strtok(text, " \r\n"); word && line.count < WORDS_MAX; word = strtok(NULL, " \r\n"))
		line.word[line.count++] = word;
	const char *verb = text_of(&line, 0);
	if (!strcmp(verb, "scsi"))
		run_scsi(&line);
	else if (!strcmp(verb, "read") || !strcmp(verb, "write"))
		run_move(&line, *verb == 'w');
	else if (!strcmp(verb, "passread") || !strcmp(verb, "passwrite"))
		run_pass(&line, verb[4] == 'w');
	else if (!strcmp(verb, "ctl"))
		run_ctl(&line);
	else if (!strcmp(verb, "flush"))
		run_flush(&line);
	else if (!strcmp(verb, "compare"))
		run_compare(&line);
	else if (!strcmp(verb, "ioctl"))
		run_ioctl(&line);
	else if (!strcmp(verb, "hold"))
		run_hold(&line);
	else if (!strcmp(verb, "wait"))
		run_wait(&line);
	else if (!strcmp(verb, "open") || !strcmp(verb, "close"))
		run_keep(&line);
	else
		printf("unknown: %s\n", verb);
	fflush(stdout);
}

/* A line that is followed is whole when it ends: it may be read while it is written. */
static bool next_line(FILE *script, char *text, bool follows)
{
	size_t length = 0;
	for (;;) {
		if (fgets(text + length, (int)(LINE_BYTES - length), script))
			length += strlen(text + length);
		if (!follows || (length && text[length - 1] == '\n'))
			return length != 0;
		fseek(script, 0, SEEK_CUR); /* or it stays at its end, whatever comes */
		Sleep(FOLLOW_MS);
	}
}

int main(int argc, char **argv)
{
	char text[LINE_BYTES];
	bool follows = argc == 3 && !strcmp(argv[1], "follow");
	FILE *script = argc == 2 || follows ? fopen(argv[argc - 1], "rb") : NULL;
	if (!script) {
		printf("usage: pt [follow] FILE\n");
		return 2;
	}
	while (next_line(script, text, follows))
		run_line(text);
	fclose(script);
	return 0;
}
