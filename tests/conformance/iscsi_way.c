/* SPDX-License-Identifier: BSD-2-Clause */
/* iscsi_way.c: the way over iSCSI to a daemon of its own, over sparse files. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/conformance/corpus.h"
#include "tests/initiator/initiator.h"

#define READY_MS  60000
#define ARGUMENTS 24
#define IQN       "iqn.2025-01.test:conformance"

struct iscsi_unit {
	bool there;
	struct unit unit;
	uint32_t number;
	char image[320], id[400];
};

struct iscsi_way {
	struct way_to way;
	char *directory;
	char daemon[300], command[300], socket[300], log[300];
	pid_t pid;
	struct lf_url *url;
	struct iscsi_unit units[CORPUS_LUNS];
	bool open[CORPUS_NEXUSES];
	struct lf_initiator nexuses[CORPUS_NEXUSES];
	uint32_t number; /* of the next image */
};

static struct iscsi_way *of(struct way_to *way)
{
	return (struct iscsi_way *)(void *)way;
}

/* ---- Programs ---- */

extern char **environ;

/* Starts a program whose standard error is that file; -1 when it cannot be. Sanitized memory is dear to fork.
 */
static pid_t spawn(char *const arguments[], const char *log)
{
	posix_spawn_file_actions_t files;
	pid_t pid;
	int error;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_addopen(&files, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	error = posix_spawn(&pid, arguments[0], &files, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&files);
	errno = error;
	return error == 0 ? pid : -1;
}

/* The end of what a program has said. */
static void read_log(const char *log, char *text, size_t size)
{
	int fd = open(log, O_RDONLY | O_CLOEXEC);
	ssize_t length = 0;

	if (fd >= 0) {
		off_t end = lseek(fd, 0, SEEK_END), from = end < (off_t)size ? 0 : end - (off_t)size + 1;

		length = pread(fd, text, size - 1, from);
		close(fd);
	}
	text[length > 0 ? length : 0] = '\0';
	while (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
}

/* The command, with --socket first; its message becomes the error. */
static bool lungfish(struct iscsi_way *iscsi, const char *const words[])
{
	char *arguments[ARGUMENTS] = {iscsi->command};
	char log[320], text[300];
	uint32_t count = 1;
	int status;
	pid_t pid;

	for (uint32_t i = 0; words[i] != NULL && count + 3 < ARGUMENTS; i++)
		arguments[count++] = (char *)(uintptr_t)words[i];
	arguments[count++] = (char *)(uintptr_t) "--socket";
	arguments[count] = iscsi->socket;
	snprintf(log, sizeof(log), "%s/command.log", iscsi->directory);
	pid = spawn(arguments, log);
	if (pid < 0)
		return way_fail(&iscsi->way, "%s: %s", iscsi->command, strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	read_log(log, text, sizeof(text));
	if (strstr(text, "no such verb") != NULL || strstr(text, "no such option") != NULL)
		return way_fail(&iscsi->way, "skip: %s", text);
	return way_fail(&iscsi->way, "lungfish %s: status %x: %s", words[0], (unsigned int)status, text);
}

/* ---- The daemon ---- */

static bool parse_ready(struct iscsi_way *iscsi, const char *line)
{
	const char *at = strstr(line, " on 127.0.0.1:");
	char text[300];
	const char *why;

	if (at == NULL)
		return way_fail(&iscsi->way, "the daemon is not ready: %s", line);
	at += strlen(" on ");
	snprintf(text, sizeof(text), "iscsi://%.*s/" IQN "/0", (int)strcspn(at, ", "), at);
	return lf_url_parse(text, iscsi->url, &why) || way_fail(&iscsi->way, "%s: %s", text, why);
}

static bool daemon_start(struct iscsi_way *iscsi)
{
	char iqn[] = IQN, portal[] = "127.0.0.1:0", text[1200];
	char word_iscsi[] = "--iscsi", word_iqn[] = "--iqn", word_socket[] = "--socket";
	char *arguments[] = {
		iscsi->daemon, word_iscsi, portal, word_iqn, iqn, word_socket, iscsi->socket, NULL};
	uint32_t waited_ms = 0;

	iscsi->pid = spawn(arguments, iscsi->log);
	if (iscsi->pid < 0)
		return way_fail(&iscsi->way, "%s: %s", iscsi->daemon, strerror(errno));
	for (;;) {
		read_log(iscsi->log, text, sizeof(text));
		if (strstr(text, "ready: ") != NULL)
			return parse_ready(iscsi, text);
		if (waited_ms >= READY_MS || waitpid(iscsi->pid, NULL, WNOHANG) != 0)
			return way_fail(&iscsi->way, "%s does not start: %s", iscsi->daemon, text);
		poll(NULL, 0, 10);
		waited_ms += 10;
	}
}

static bool daemon_stop(struct iscsi_way *iscsi)
{
	int status = 0;

	if (iscsi->pid <= 0)
		return true;
	kill(iscsi->pid, SIGTERM);
	while (waitpid(iscsi->pid, &status, 0) < 0 && errno == EINTR)
		;
	iscsi->pid = 0;
	return status == 0 || way_fail(&iscsi->way, "the daemon ended with status %x", (unsigned int)status);
}

/* ---- Units ---- */

static bool make_image(struct iscsi_way *iscsi, struct iscsi_unit *mine)
{
	const struct unit *unit = &mine->unit;
	int fd = open(mine->image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint8_t *block;
	bool good;

	if (fd < 0)
		return way_fail(&iscsi->way, "%s: %s", mine->image, strerror(errno));
	good = ftruncate(fd, (off_t)(unit->blocks * unit->block_size)) == 0;
	if (!good && errno == EFBIG)
		way_fail(&iscsi->way, "skip: the file system holds no file of that size");
	else if (!good)
		way_fail(&iscsi->way, "%s: %s", mine->image, strerror(errno));
	block = calloc(1, unit->block_size);
	if (block == NULL)
		abort();
	for (uint64_t lba = 0; good && unit->fill && lba < unit->blocks; lba++) {
		unit_fill(unit, lba, block);
		good = pwrite(fd, block, unit->block_size, (off_t)(lba * unit->block_size)) ==
			       (ssize_t)unit->block_size ||
		       way_fail(&iscsi->way, "%s: %s", mine->image, strerror(errno));
	}
	free(block);
	close(fd);
	return good;
}

static bool unit_connect(struct iscsi_way *iscsi, uint32_t lun)
{
	struct iscsi_unit *mine = &iscsi->units[lun];
	const struct unit *unit = &mine->unit;
	char number[12], block[12], physical[12], serial[24];
	const char *words[ARGUMENTS] = {"connect", "--lun", number, "--serial", serial};
	uint32_t count = 5;

	snprintf(number, sizeof(number), "%u", lun);
	snprintf(block, sizeof(block), "%u", unit->block_size);
	snprintf(physical, sizeof(physical), "%u", unit->physical_size);
	snprintf(serial, sizeof(serial), "C-%u", mine->number);
	if (!unit->empty) { /* an empty unit takes no name: its address is one, too */
		words[count++] = mine->image;
		words[count++] = mine->id;
	}
	if (unit->cdrom) {
		words[count++] = "--cdrom";
	} else {
		words[count++] = "--block-size";
		words[count++] = block;
		words[count++] = "--physical-size";
		words[count++] = physical;
	}
	if (unit->read_only && !unit->cdrom)
		words[count++] = "--read-only";
	if (unit->no_unmap)
		words[count++] = "--no-unmap";
	if (unit->removable && !unit->cdrom)
		words[count++] = "--removable";
	return lungfish(iscsi, words);
}

static bool unit_add(struct way_to *way, uint32_t lun, const struct unit *unit)
{
	struct iscsi_way *iscsi = of(way);
	struct iscsi_unit *mine = &iscsi->units[lun];
	const struct lf_url *url = iscsi->url;

	mine->unit = *unit;
	mine->number = iscsi->number++;
	if (unit->empty)
		snprintf(mine->id, sizeof(mine->id), "iscsi://%s:%s/" IQN "/%u", url->host, url->port, lun);
	else
		snprintf(mine->id, sizeof(mine->id), "u%u", mine->number);
	snprintf(mine->image, sizeof(mine->image), "%s/u%u.img", iscsi->directory, mine->number);
	mine->there = true;
	if (!make_image(iscsi, mine) || !unit_connect(iscsi, lun)) {
		unlink(mine->image);
		mine->there = false;
		return false;
	}
	return true;
}

static bool unit_remove(struct way_to *way, uint32_t lun)
{
	struct iscsi_way *iscsi = of(way);
	struct iscsi_unit *mine = &iscsi->units[lun];

	if (!mine->there)
		return way_fail(way, "LUN %u is not there", lun);
	mine->there = false;
	unlink(mine->image);
	return lungfish(iscsi, (const char *const[]){"disconnect", mine->id, NULL});
}

/* ---- Sessions ---- */

static bool nexus_open(struct way_to *way, uint32_t nexus)
{
	struct iscsi_way *iscsi = of(way);
	char name[] = "iqn.2025-01.test:initiator-a";
	struct lf_login login = {.initiator_name = name, .immediate_data = true, .isid = 1};

	name[sizeof(name) - 2] = (char)('a' + nexus);
	if (!lf_initiator_login(&iscsi->nexuses[nexus], iscsi->url, &login)) {
		way_fail(way, "%s", iscsi->nexuses[nexus].error);
		lf_initiator_close(&iscsi->nexuses[nexus]);
		return false;
	}
	iscsi->open[nexus] = true;
	return true;
}

static bool nexus_end(struct way_to *way, uint32_t nexus, bool logout)
{
	struct iscsi_way *iscsi = of(way);
	bool good = true;

	if (!iscsi->open[nexus])
		return true;
	iscsi->open[nexus] = false;
	if (logout && iscsi->nexuses[nexus].error[0] == '\0')
		good = lf_initiator_logout(&iscsi->nexuses[nexus]) ||
		       way_fail(way, "%s", iscsi->nexuses[nexus].error);
	lf_initiator_close(&iscsi->nexuses[nexus]);
	return good;
}

static bool nexus_close(struct way_to *way, uint32_t nexus)
{
	/*
	 * The answer to a logout may overtake the end of the nexus in the adapter; a login with the same name
	 * and ISID waits for it.
	 */
	return nexus_end(way, nexus, true) && nexus_open(way, nexus) && nexus_end(way, nexus, true);
}

static bool run(struct way_to *way, uint32_t nexus, struct command *command)
{
	struct lf_initiator *session = &of(way)->nexuses[nexus];
	struct lf_scsi_task task = {.lun = command->lun,
		.direction = command->way == WAY_IN    ? LF_DATA_IN
			     : command->way == WAY_OUT ? LF_DATA_OUT
						       : LF_DATA_NONE,
		.buffer = command->data,
		.length = command->length};

	memcpy(task.cdb, command->cdb, command->cdb_length);
	if (!lf_initiator_run(session, &task)) {
		lf_initiator_abandon(session);
		return way_fail(way, "%s", session->error);
	}
	if (task.response != 0)
		return way_fail(way, "iSCSI response %02x", task.response);
	command->status = task.status;
	command->sense_length = (uint8_t)task.sense_length;
	memcpy(command->sense, task.sense, task.sense_length);
	command->moved = task.moved;
	command->has_residual = true;
	command->overflow = task.overflow;
	command->residual = task.residual;
	return true;
}

static bool manage(
	struct way_to *way, uint32_t nexus, enum management function, uint64_t lun, enum answer *answer)
{
	/* RFC 7143 11.5.1 */
	static const uint8_t functions[] = {[ABORT_TASK] = 1,
		[ABORT_TASK_SET] = 2,
		[CLEAR_TASK_SET] = 4,
		[LUN_RESET] = 5,
		[TARGET_RESET] = 6};
	struct lf_initiator *session = &of(way)->nexuses[nexus];
	uint8_t response;

	if (!lf_initiator_manage(session, functions[function], lun, NULL, &response))
		return way_fail(way, "%s", session->error);
	*answer = response == 0   ? ANSWER_COMPLETE
		  : response == 1 ? ANSWER_NO_TASK
		  : response == 2 ? ANSWER_NO_LUN
				  : ANSWER_REJECTED;
	return true;
}

/* ---- The operator ---- */

static bool power_cycle(struct iscsi_way *iscsi)
{
	for (uint32_t nexus = 0; nexus < CORPUS_NEXUSES; nexus++)
		nexus_end(&iscsi->way, nexus, false);
	if (!daemon_stop(iscsi) || !daemon_start(iscsi))
		return false;
	for (uint32_t lun = 0; lun < CORPUS_LUNS; lun++)
		if (iscsi->units[lun].there && !unit_connect(iscsi, lun))
			return false;
	return true;
}

static bool operate(struct way_to *way, enum operation operation, uint32_t number, uint64_t value)
{
	struct iscsi_way *iscsi = of(way);
	struct iscsi_unit *mine = &iscsi->units[number % CORPUS_LUNS];
	char size[24];

	snprintf(size, sizeof(size), "%llu", (unsigned long long)(value * mine->unit.block_size));
	switch (operation) {
	case OPERATE_RESIZE:
		return lungfish(iscsi, (const char *const[]){"resize", mine->id, size, NULL});
	case OPERATE_EJECT:
		if (lungfish(iscsi, (const char *const[]){"eject", mine->id, NULL}))
			return true;
		return strstr(way->error, "locked the medium in") != NULL ? way_fail(way, "refused") : false;
	case OPERATE_INSERT:
		return lungfish(iscsi, (const char *const[]){"insert", mine->id, mine->image, NULL});
	case OPERATE_POWER_CYCLE:
		return power_cycle(iscsi);
	case OPERATE_DROP:
		break;
	}
	/* When the daemon has seen it is its own affair; but a login with the same name and ISID waits for
	 * that. */
	return nexus_end(way, number, false) && nexus_open(way, number) && nexus_end(way, number, true);
}

static void clear(struct way_to *way)
{
	struct iscsi_way *iscsi = of(way);

	for (uint32_t nexus = 0; nexus < CORPUS_NEXUSES; nexus++)
		nexus_end(way, nexus, true);
	for (uint32_t lun = 0; lun < CORPUS_LUNS; lun++)
		if (iscsi->units[lun].there)
			unit_remove(way, lun);
	way->error[0] = '\0';
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
	(void)facts;
	(void)kind;
	(void)where;
	return remove(path);
}

static void give_up(struct iscsi_way *iscsi)
{
	nftw(iscsi->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(iscsi->url);
	free(iscsi->directory);
	free(iscsi);
}

static void close_way(struct way_to *way)
{
	struct iscsi_way *iscsi = of(way);

	clear(way);
	if (!daemon_stop(iscsi))
		printf("not ok the daemon ends in order [iscsi]\n# %s\n", way->error);
	give_up(iscsi);
}

static const struct way_ops iscsi_ops = {
	"iscsi", unit_add, unit_remove, nexus_open, nexus_close, run, manage, operate, clear, close_way};

struct way_to *iscsi_way_open(void)
{
	const char *build = getenv("BUILD"), *tools = getenv("BUILD_GCC"), *scratch = getenv("TMPDIR");
	struct iscsi_way *iscsi = calloc(1, sizeof(*iscsi));

	if (iscsi == NULL)
		abort();
	iscsi->way.ops = &iscsi_ops;
	iscsi->url = calloc(1, sizeof(*iscsi->url));
	if (iscsi->url == NULL)
		abort();
	snprintf(iscsi->daemon, sizeof(iscsi->daemon), "%s/lungfishd", build == NULL ? "build" : build);
	snprintf(iscsi->command, sizeof(iscsi->command), "%s/lungfish",
		tools != NULL   ? tools
		: build == NULL ? "build"
				: build);
	if (asprintf(&iscsi->directory, "%s/conformance-XXXXXX", scratch == NULL ? "/tmp" : scratch) < 0)
		abort();
	if (mkdtemp(iscsi->directory) == NULL) {
		printf("not ok a directory for images: %s: %s\n", iscsi->directory, strerror(errno));
		free(iscsi->url);
		free(iscsi->directory);
		free(iscsi);
		return NULL;
	}
	snprintf(iscsi->socket, sizeof(iscsi->socket), "%s/control", iscsi->directory);
	snprintf(iscsi->log, sizeof(iscsi->log), "%s/daemon.log", iscsi->directory);
	setenv("XDG_STATE_HOME", iscsi->directory, 1);
	if (daemon_start(iscsi))
		return &iscsi->way;
	printf("not ok the daemon starts [iscsi]\n# %s\n", iscsi->way.error);
	daemon_stop(iscsi);
	give_up(iscsi);
	return NULL;
}
