/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lungfish_run.c: run: a private adapter for one command. Three children: a janitor that removes the
 * directory when our end of its pipe closes, however we end; the daemon, which gets SIGTERM when we die; the
 * command.
 */
#include "programs/lungfish.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS     30000
#define STOP_MS      8000 /* the daemon drains for 5 s at most */
#define NS_IN_MS     UINT64_C(1000000)
#define CONTROL_NAME "control.sock"
#define NOTIFY_NAME  "notify.sock"
#define URI_MAX      (sizeof(((struct lf_control_device *)0)->url.bytes))

struct run {
	struct lf_command_line line; /* with the private socket in it */
	char directory[64];
	char socket[96], notify[96];
	int notify_fd, signal_fd, janitor_fd;
	pid_t parent, janitor, daemon, command;
	bool daemon_stopping, daemon_failed;
	int command_status; /* as waitpid has it */
	int stopped_by;     /* the signal that came before the command was there */
	char *uris;         /* with spaces between them */
};

static int fail(const struct run *run, const char *object, const char *message)
{
	return lf_report(&run->line, object, message, LF_EXIT_RUN_FAILED);
}

/* ---- The directory and its janitor ---- */

static void remove_directory(const struct run *run)
{
	unlink(run->socket);
	unlink(run->notify);
	rmdir(run->directory);
}

static bool make_directory(struct run *run)
{
	const char *parents[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp"};

	for (uint32_t i = 0; i < lf_count_of(parents); i++) {
		/* The address of a socket has 108 bytes: a longer TMPDIR is no use. */
		if (!parents[i] || parents[i][0] != '/' || strlen(parents[i]) > 40)
			continue;
		snprintf(run->directory, sizeof(run->directory), "%s/lungfish-run-XXXXXX", parents[i]);
		if (mkdtemp(run->directory)) {
			snprintf(run->socket, sizeof(run->socket), "%s/" CONTROL_NAME, run->directory);
			snprintf(run->notify, sizeof(run->notify), "%s/" NOTIFY_NAME, run->directory);
			return true;
		}
	}
	return false;
}

/* A group of its own: Ctrl-C is not meant for it. */
static _Noreturn void be_janitor(const struct run *run, int pipe_end)
{
	char byte;
	ssize_t got;

	setpgid(0, 0);
	/* Whoever reads our output to its end must not wait for us. */
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	do {
		got = read(pipe_end, &byte, 1);
	} while (got > 0 || (got < 0 && errno == EINTR));
	remove_directory(run);
	_exit(0);
}

static bool start_janitor(struct run *run)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	run->janitor = fork();
	if (run->janitor == 0) {
		close(ends[1]);
		be_janitor(run, ends[0]);
	}
	close(ends[0]);
	run->janitor_fd = ends[1];
	return run->janitor > 0;
}

/* ---- Signals and children ---- */

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

static bool catch_signals(struct run *run)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	for (uint32_t i = 0; i < lf_count_of(forwarded); i++)
		sigaddset(&mask, forwarded[i]);
	/* A disposition of "ignore", inherited, would take SIGCHLD and the children's statuses away. */
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	run->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signal_fd >= 0;
}

static void restore_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
}

static void reap(struct run *run)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == run->command) {
			run->command = 0;
			run->command_status = status;
		} else if (pid == run->daemon) {
			run->daemon = 0;
			/* Also one that ended well, but before its time. */
			if (status != 0 || !run->daemon_stopping) {
				run->daemon_failed = true;
				fail(run, "lungfishd",
					"it failed: its last lines say why; what was written last may be "
					"lost");
			}
		} else if (pid == run->janitor) {
			run->janitor = 0;
		}
	}
}

/* Reads what signals there are; those for the command go on to it. */
static void serve_signals(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(run);
		else if (run->command <= 0)
			run->stopped_by = (int)info.ssi_signo;
		else if (info.ssi_code != SI_KERNEL)
			/* From the terminal it went to the whole group, the command included. */
			kill(run->command, (int)info.ssi_signo);
	}
}

/* ---- The daemon ---- */

static _Noreturn void be_daemon(const struct run *run)
{
	char iqn[64], program[PATH_MAX + 16];
	const char *quiet = run->line.verbose ? "--verbose" : "--quiet";
	ssize_t length;
	char *slash;
	int null;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != run->parent)
		_exit(1);
	restore_signals();
	null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	setenv("NOTIFY_SOCKET", run->notify, 1);
	snprintf(iqn, sizeof(iqn), "iqn.2026-01.io.lungfish:run-%ld", (long)run->parent);
	/* The one next to this program, else the one in PATH. */
	length = readlink("/proc/self/exe", program, PATH_MAX - 1);
	program[length > 0 ? length : 0] = '\0';
	slash = strrchr(program, '/');
	if (slash) {
		strcpy(slash + 1, "lungfishd");
		execl(program, "lungfishd", "--iscsi", "127.0.0.1:0", "--iqn", iqn, "--socket", run->socket,
			quiet, (char *)NULL);
	}
	execlp("lungfishd", "lungfishd", "--iscsi", "127.0.0.1:0", "--iqn", iqn, "--socket", run->socket,
		quiet, (char *)NULL);
	fail(run, "lungfishd", "it is neither next to lungfish nor in PATH: install it");
	_exit(1);
}

static bool open_notify(struct run *run)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, run->notify, strlen(run->notify) + 1);
	run->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return run->notify_fd >= 0 &&
	       bind(run->notify_fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
}

static bool is_ready(struct run *run)
{
	char text[256];
	ssize_t got = recv(run->notify_fd, text, sizeof(text) - 1, 0);

	if (got <= 0)
		return false;
	text[got] = '\0';
	return strncmp(text, "READY=1", 7) == 0;
}

/* Waits for something until the deadline; false when that has passed. */
static bool wait_until(struct run *run, uint64_t deadline_ns)
{
	struct pollfd ready[] = {
		{.fd = run->signal_fd, .events = POLLIN}, {.fd = run->notify_fd, .events = POLLIN}};
	uint64_t now_ns = lf_time_ns();

	if (now_ns >= deadline_ns)
		return false;
	poll(ready, lf_count_of(ready), (int)lf_min((deadline_ns - now_ns) / NS_IN_MS + 1, UINT64_C(60000)));
	serve_signals(run);
	return true;
}

static int start_daemon(struct run *run)
{
	uint64_t deadline_ns = lf_time_ns() + READY_MS * NS_IN_MS;

	run->daemon = fork();
	if (run->daemon == 0)
		be_daemon(run);
	if (run->daemon < 0)
		return fail(run, NULL, "no process can be had for lungfishd");
	while (run->daemon > 0 && !run->stopped_by) {
		if (is_ready(run)) {
			close(run->notify_fd);
			run->notify_fd = -1;
			return LF_EXIT_DONE;
		}
		if (!wait_until(run, deadline_ns))
			return fail(run, "lungfishd",
				"it was not ready in 30 s: look at what it says with --verbose");
	}
	if (run->stopped_by)
		return LF_EXIT_RUN_SIGNAL + run->stopped_by;
	return LF_EXIT_RUN_FAILED;
}

/* False: it had ended before, had to be killed, or ended badly. */
static bool stop_daemon(struct run *run)
{
	uint64_t deadline_ns = lf_time_ns() + STOP_MS * NS_IN_MS;

	run->daemon_stopping = true;
	if (run->daemon > 0)
		kill(run->daemon, SIGTERM);
	/* reap tells of an end that was not clean. */
	while (run->daemon > 0 && wait_until(run, deadline_ns))
		;
	if (run->daemon > 0) {
		kill(run->daemon, SIGKILL);
		waitpid(run->daemon, NULL, 0);
		run->daemon = 0;
		run->daemon_failed = true;
		fail(run, "lungfishd", "it did not stop and was killed: what was written last may be lost");
	}
	return !run->daemon_failed;
}

/* ---- The images and the command ---- */

static int connect_images(struct run *run)
{
	/* None: an empty drive. */
	uint32_t image_count = (uint32_t)run->line.operand_count, count = lf_max(image_count, 1u);
	struct lf_control_device device;
	struct lf_client *client;
	int status;
	size_t at = 0;

	run->uris = calloc(count, URI_MAX + 1);
	if (!run->uris)
		return fail(run, NULL, "out of memory");
	client = lf_session_open(&run->line, &status);
	if (!client)
		return LF_EXIT_RUN_FAILED;
	for (uint32_t i = 0; status == LF_EXIT_DONE && i < count; i++) {
		status = lf_connect_image(
			&run->line, client, i < image_count ? run->line.operands[i] : NULL, NULL, &device);
		if (status == LF_EXIT_DONE)
			at += (size_t)sprintf(run->uris + at, "%s%s", i > 0 ? " " : "", device.url.bytes);
	}
	lf_session_close(client);
	return status == LF_EXIT_DONE ? LF_EXIT_DONE : LF_EXIT_RUN_FAILED;
}

static _Noreturn void be_command(struct run *run)
{
	char *const *command = run->line.command;
	size_t first = strcspn(run->uris, " ");
	int error;

	restore_signals();
	setenv("LUNGFISH_URIS", run->uris, 1);
	run->uris[first] = '\0';
	setenv("LUNGFISH_URI", run->uris, 1);
	setenv("LUNGFISH_SOCKET", run->socket, 1);
	execvp(command[0], command);
	error = errno;
	if (error == ENOENT)
		lf_report(&run->line, command[0], "no such command: give its path, or see PATH",
			LF_EXIT_RUN_NOT_FOUND);
	else
		lf_report(&run->line, command[0], "it cannot be run: see whether it may be executed",
			LF_EXIT_RUN_DENIED);
	_exit(error == ENOENT ? LF_EXIT_RUN_NOT_FOUND : LF_EXIT_RUN_DENIED);
}

static int run_command(struct run *run)
{
	run->command = fork();
	if (run->command == 0)
		be_command(run);
	if (run->command < 0)
		return fail(run, NULL, "no process can be had for the command");
	/* What came before the command was there is meant for it. */
	if (run->stopped_by)
		kill(run->command, run->stopped_by);
	while (run->command > 0)
		wait_until(run, UINT64_MAX);
	if (WIFSIGNALED(run->command_status))
		return LF_EXIT_RUN_SIGNAL + WTERMSIG(run->command_status);
	return WEXITSTATUS(run->command_status);
}

static int run_all(struct run *run)
{
	int status;

	if (!catch_signals(run) || !make_directory(run))
		return fail(run, NULL,
			"no directory can be made for its sockets: see XDG_RUNTIME_DIR and TMPDIR");
	if (!start_janitor(run)) {
		remove_directory(run);
		return fail(run, NULL, "no process can be had");
	}
	if (!open_notify(run))
		return fail(run, run->notify, "no socket can be had there");
	run->line.socket = run->socket;
	status = start_daemon(run);
	if (status == LF_EXIT_DONE)
		status = connect_images(run);
	if (status == LF_EXIT_DONE)
		status = run_command(run);
	/* An image that may have lost writes is no success, whatever the command said. */
	if (!stop_daemon(run) && status == LF_EXIT_DONE)
		status = LF_EXIT_RUN_FAILED;
	return status;
}

int lf_verb_run(const struct lf_command_line *line)
{
	struct run run = {
		.line = *line, .notify_fd = -1, .signal_fd = -1, .janitor_fd = -1, .parent = getpid()};
	int status;

	run.line.no_state = true; /* nothing is left behind */
	status = run_all(&run);

	free(run.uris);
	/* The janitor sees the end of its pipe; when it has gone, the directory has. */
	if (run.janitor_fd >= 0)
		close(run.janitor_fd);
	if (run.janitor > 0)
		waitpid(run.janitor, NULL, 0);
	return status;
}
