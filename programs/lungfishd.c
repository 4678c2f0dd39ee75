/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfishd.c: the adapter in user space: loops, portals, images, control socket; start, run, drain. */
#include "programs/lungfishd.h"
#include "control/identity.h"
#include "control/server.h"
#include "control/source.h"
#include "control/state.h"
#include "edge/iscsi/iscsi.h"
#include "platform/linux.h"
#include "programs/version.h"
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define LOOPS_MAX     64
#define DRAIN_NS      UINT64_C(5000000000)
#define LAST_WORDS_NS UINT64_C(1000000000) /* between the end of draining and giving up */
#define DEFAULT_PORT  3260

/* One process is one of these; static, so that whatever it holds at an early exit is no leak. */
struct daemon {
	struct lf_daemon_options options;
	char iqn[LF_IDENTITY_IQN_MAX + 1];
	struct lf_adapter *adapter;
	struct lf_loop *loops[LOOPS_MAX];
	pthread_t threads[LOOPS_MAX];
	uint32_t loop_count, thread_count;
	struct lf_iscsi *iscsi;
	struct lf_devices *devices;
	struct lf_handler handler;
	struct lf_server *server;
	struct lf_watch signals;
	struct lf_timer deadline;
	enum lf_file_engine engine;
	bool stopping, drained; /* drained: every command has ended */
};

static struct daemon the_daemon;

static bool fail(const char *object, const char *message)
{
	if (object)
		lf_log(LF_LOG_ERROR, "%s: %s", object, message);
	else
		lf_log(LF_LOG_ERROR, "%s", message);
	return false;
}

/* ---- What control asks of the edge ---- */

static bool edge_portal(void *context, uint32_t index, struct lf_control_portal *portal)
{
	struct daemon *daemon = context;
	struct lf_iscsi_portal_facts facts;

	memset(portal, 0, sizeof(*portal));
	if (!lf_iscsi_portal(daemon->iscsi, index, &facts))
		return false;
	portal->tag = facts.tag;
	lf_control_set_text(&portal->address, facts.address);
	return true;
}

static uint32_t edge_session_count(void *context)
{
	struct daemon *daemon = context;

	return lf_iscsi_session_count(daemon->iscsi);
}

static bool edge_session_next(void *context, uint64_t after, struct lf_control_session *session)
{
	struct daemon *daemon = context;
	struct lf_iscsi_session_facts facts;

	if (!lf_iscsi_session_next(daemon->iscsi, after, &facts))
		return false;
	memset(session, 0, sizeof(*session));
	session->number = facts.id;
	session->age_ns = lf_time_ns() - facts.since_ns;
	session->commands = facts.commands;
	session->in_bytes = facts.bytes_in;
	session->out_bytes = facts.bytes_out;
	session->flags = (facts.header_digest ? LF_CONTROL_SESSION_HEADER_DIGEST : 0u) |
			 (facts.data_digest ? LF_CONTROL_SESSION_DATA_DIGEST : 0u) |
			 (facts.user[0] ? LF_CONTROL_SESSION_CHAP : 0u) |
			 (facts.discovery ? LF_CONTROL_SESSION_DISCOVERY : 0u);
	session->tag = facts.portal_group;
	lf_control_set_text(&session->initiator, facts.initiator);
	lf_control_set_text(&session->address, facts.address);
	lf_control_set_text(&session->target, daemon->iqn);
	lf_control_set_text(&session->user, facts.user);
	return true;
}

static bool edge_session_drop(void *context, uint64_t number)
{
	struct daemon *daemon = context;

	return lf_iscsi_session_drop(daemon->iscsi, number);
}

/* ---- The way up ---- */

static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		lf_log(LF_LOG_NOTICE, "the limit of open files stays where it is: %s",
			lf_error_text(lf_error_from_errno(errno)));
}

/* One for each processor that we may run on. */
static uint32_t wanted_loops(void)
{
	cpu_set_t set;
	long online;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return lf_min((uint32_t)CPU_COUNT(&set), (uint32_t)LOOPS_MAX);
	online = sysconf(_SC_NPROCESSORS_ONLN); /* more than fit in the set */
	return online > 0 && online < LOOPS_MAX ? (uint32_t)online : LOOPS_MAX;
}

/* The mask is inherited by every thread that comes later: signals arrive at the signalfd alone. */
static bool block_signals(struct daemon *daemon)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* an image past the limit of file sizes is an error like any other */
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	daemon->signals.fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return daemon->signals.fd >= 0 || fail("signals", "no descriptor can be had for them");
}

static bool make_loops(struct daemon *daemon)
{
	struct lf_adapter_options options = {0};
	uint32_t count = wanted_loops();
	struct lf_message message;

	for (uint32_t i = 0; i < count; i++) {
		daemon->loops[i] = lf_loop_create(i, daemon->engine != LF_FILE_ENGINE_THREADS, &message);
		if (!daemon->loops[i])
			return fail(NULL, message.text);
		daemon->loop_count++;
	}
	if (daemon->engine == LF_FILE_ENGINE_URING && !lf_loop_ring(daemon->loops[0]))
		return fail("LUNGFISH_ENGINE", "this host refuses io_uring: use auto or threads");
	options.lane_count = count;
	daemon->adapter = lf_adapter_create(&options);
	return daemon->adapter || fail(NULL, "out of memory");
}

static bool listen_on(struct daemon *daemon, const char *host, uint16_t port, uint16_t tag, bool may_fail)
{
	struct lf_message message;
	enum lf_error error = lf_iscsi_listen(daemon->iscsi, host, port, tag, &message);

	if (error == LF_OK)
		return true;
	lf_log(may_fail ? LF_LOG_NOTICE : LF_LOG_ERROR, "%s%s", message.text,
		error == LF_E_BUSY ? ": --iscsi 127.0.0.1:0 takes a free one" : "");
	return may_fail;
}

/* The defaults: 127.0.0.1 must be had, ::1 may be missing. */
static bool listen_default(struct daemon *daemon)
{
	return listen_on(daemon, "127.0.0.1", DEFAULT_PORT, 1, false) &&
	       listen_on(daemon, "::1", DEFAULT_PORT, 1, true);
}

static bool listen_all(struct daemon *daemon)
{
	struct lf_iscsi_portal_facts facts;

	if (daemon->options.portal_count == 0)
		return listen_default(daemon);
	for (uint32_t i = 0; i < daemon->options.portal_count; i++) {
		const struct lf_daemon_portal *portal = &daemon->options.portals[i];
		if (!listen_on(daemon, portal->host, portal->port, portal->tag, false))
			return false;
		if (!daemon->options.chap_file && lf_iscsi_portal(daemon->iscsi, i, &facts) &&
			!facts.loopback_only)
			lf_log(LF_LOG_WARNING,
				"%s: others can reach this portal, and nobody is asked who he is: "
				"whoever reaches it reads and writes every device: see --chap-file",
				facts.address);
	}
	return true;
}

static bool make_iscsi(struct daemon *daemon)
{
	struct lf_iscsi_options options = {0};
	struct lf_message message;
	char host[256] = "";

	if (daemon->options.iqn) {
		if (strlen(daemon->options.iqn) > LF_IDENTITY_IQN_MAX)
			return fail("--iqn", "an iSCSI name has 223 bytes at most: shorten it");
		memcpy(daemon->iqn, daemon->options.iqn, strlen(daemon->options.iqn) + 1);
	} else {
		gethostname(host, sizeof(host) - 1);
		lf_identity_default_iqn(host, daemon->iqn);
	}
	options.iqn = daemon->iqn;
	options.loops = daemon->loops;
	options.loop_count = daemon->loop_count;
	options.memory_budget_bytes = daemon->options.memory_bytes;
	options.sessions_max = daemon->options.sessions_max;
	options.login_timeout_ms = daemon->options.login_timeout_ms;
	options.silence_ms = daemon->options.idle_timeout_ms;
	if (daemon->options.chap_file) {
		options.secrets = lf_iscsi_secrets_read(daemon->options.chap_file, &message);
		if (!options.secrets)
			return fail("--chap-file", message.text);
	}
	daemon->iscsi = lf_iscsi_create(daemon->adapter, &options, &message);
	if (!daemon->iscsi)
		return fail(NULL, message.text);
	return listen_all(daemon);
}

static bool connect_image(struct daemon *daemon, const char *image, enum lf_lu_type type)
{
	bool disk = type == LF_LU_DISK, read_only = !disk || daemon->options.read_only;
	struct lf_control_connect request = {.type = type, .lun = UINT32_MAX};
	lf_handle handles[LF_CONTROL_HANDLES_MAX] = {LF_HANDLE_NONE, LF_HANDLE_NONE};
	int state_fd = -1;
	struct lf_control_source source;
	struct lf_message message = {""};

	if (lf_control_source_open(image, read_only, &source, &message) != LF_OK)
		return fail(image, message.text);
	handles[0] = source.handle;
	if (disk && !daemon->options.no_state &&
		lf_control_state_open(source.path, "", &state_fd, &message) != LF_OK)
		lf_log(LF_LOG_WARNING,
			"%s: no state file, so reservations and saved mode pages end with the adapter: %s",
			image, message.text);
	handles[1] = state_fd;
	request.flags = read_only ? LF_CONTROL_READ_ONLY : 0;
	request.block_size = disk ? daemon->options.block_size : 0;
	lf_control_set_text(&request.path, source.path);
	if (lf_devices_connect_now(daemon->devices, &request, handles, &message) != LF_CONTROL_OK)
		return fail(image, message.text);
	return true;
}

static bool connect_images(struct daemon *daemon)
{
	for (int i = 0; i < daemon->options.image_count; i++) {
		if (!connect_image(daemon, daemon->options.images[i], LF_LU_DISK))
			return false;
	}
	for (uint32_t i = 0; i < daemon->options.cdrom_count; i++) {
		if (!connect_image(daemon, daemon->options.cdroms[i], LF_LU_CDROM))
			return false;
	}
	return true;
}

static bool make_control(struct daemon *daemon)
{
	struct lf_devices_options devices = {
		.adapter = daemon->adapter,
		.loop = daemon->loops[0],
		.store_ops = &lf_store_file_ops,
		.resize = lf_store_file_resize,
		.has_failed = lf_store_file_has_failed,
		.edge = {.iqn = daemon->iqn,
			.context = daemon,
			.portal = edge_portal,
			.session_count = edge_session_count,
			.session_next = edge_session_next,
			.session_drop = edge_session_drop},
	};
	struct lf_server_options server = {
		.handler = &daemon->handler, .loop = daemon->loops[0], .socket_path = daemon->options.socket};
	struct lf_handler_options handler = {
		.adapter = daemon->adapter,
		.loop = daemon->loops[0],
		.release = LF_RELEASE,
		.engine = lf_loop_ring(daemon->loops[0]) ? "io_uring" : "threads",
		.loop_count = daemon->loop_count,
	};
	struct lf_message message;

	daemon->devices = lf_devices_create(&devices);
	if (!daemon->devices)
		return fail(NULL, "out of memory");
	if (!connect_images(daemon))
		return false;
	handler.devices = daemon->devices;
	lf_handler_init(&daemon->handler, &handler);
	daemon->server = lf_server_open(&server, &message);
	return daemon->server || fail(NULL, message.text);
}

static void *run_loop(void *loop)
{
	lf_loop_run(loop);
	return NULL;
}

static bool start_threads(struct daemon *daemon)
{
	for (uint32_t i = 1; i < daemon->loop_count; i++) {
		if (pthread_create(&daemon->threads[i], NULL, run_loop, daemon->loops[i]) != 0) {
			lf_server_close(daemon->server);
			return fail(NULL, "no thread can be had: look at the limits of processes and memory");
		}
		daemon->thread_count++;
	}
	return true;
}

static void say_ready(struct daemon *daemon)
{
	struct lf_iscsi_portal_facts facts;
	char portals[LF_DAEMON_PORTALS_MAX * (sizeof(facts.address) + 2)] = "";
	size_t length = 0;

	for (uint32_t i = 0; lf_iscsi_portal(daemon->iscsi, i, &facts) && length < sizeof(portals); i++)
		length += (size_t)snprintf(
			portals + length, sizeof(portals) - length, "%s%s", i > 0 ? " " : "", facts.address);
	lf_log(LF_LOG_NOTICE, "ready: %s on %s, %u device%s, control socket %s", daemon->iqn, portals,
		lf_devices_count(daemon->devices), lf_devices_count(daemon->devices) == 1 ? "" : "s",
		lf_server_path(daemon->server));
	lf_daemon_notify("READY=1");
}

/* ---- The way down ---- */

static void devices_gone(void *context)
{
	struct daemon *daemon = context;

	lf_loop_timer_cancel(daemon->loops[0], &daemon->deadline);
	for (uint32_t i = 0; i < daemon->loop_count; i++)
		lf_loop_stop(daemon->loops[i]);
}

static void iscsi_stopped(void *context)
{
	struct daemon *daemon = context;

	daemon->drained = true;
	lf_devices_stop(daemon->devices, devices_gone, daemon);
}

/*
 * A store that does not answer: nothing can be freed under it, but the process can go. When every command has
 * ended, only the last flush is left, of writes that nobody asked to be stable, or a file that the host does
 * not open or close: the kernel goes on with it.
 */
static void give_up(struct lf_timer *timer)
{
	if (lf_container(timer, struct daemon, deadline)->drained) {
		lf_log(LF_LOG_NOTICE,
			"stopped; the host still writes what nobody synchronized, or keeps an image open");
		_exit(EXIT_SUCCESS);
	}
	lf_log(LF_LOG_ERROR, "commands were still in flight after 5 s: their writes may be lost");
	_exit(1);
}

static void stop(struct daemon *daemon)
{
	uint64_t now_ns = lf_time_ns();

	daemon->stopping = true;
	lf_daemon_notify("STOPPING=1");
	lf_log(LF_LOG_NOTICE, "stopping: no new commands; those in flight have 5 s");
	lf_server_close(daemon->server);
	daemon->server = NULL;
	daemon->deadline.fired = give_up;
	lf_loop_timer_set(daemon->loops[0], &daemon->deadline, now_ns + DRAIN_NS + LAST_WORDS_NS);
	lf_iscsi_stop(daemon->iscsi, now_ns + DRAIN_NS, iscsi_stopped, daemon);
}

static void signalled(struct lf_watch *watch, uint32_t events)
{
	struct daemon *daemon = lf_container(watch, struct daemon, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (daemon->stopping && info.ssi_signo == SIGHUP)
			continue; /* a terminal that closes may send it twice */
		if (daemon->stopping) {
			lf_log(LF_LOG_ERROR, "a second signal: stopped at once, writes may be lost");
			_exit(1);
		}
		stop(daemon);
	}
}

static void tear_down(struct daemon *daemon)
{
	for (uint32_t i = 1; i <= daemon->thread_count; i++)
		pthread_join(daemon->threads[i], NULL);
	lf_iscsi_destroy(daemon->iscsi);
	lf_devices_destroy(daemon->devices);
	lf_handler_fini(&daemon->handler);
	lf_store_file_quiesce(); /* its threads may still be on their way out of the core */
	lf_adapter_destroy(daemon->adapter);
	lf_loop_unwatch(daemon->loops[0], &daemon->signals);
	close(daemon->signals.fd);
	for (uint32_t i = 0; i < daemon->loop_count; i++)
		lf_loop_destroy(daemon->loops[i]);
}

/* LUNGFISH_ENGINE: for tests, and for hosts whose io_uring is broken. */
static bool choose_engine(struct daemon *daemon)
{
	const char *name = getenv("LUNGFISH_ENGINE");

	if (!name || !*name || strcmp(name, "auto") == 0)
		daemon->engine = LF_FILE_ENGINE_AUTO;
	else if (strcmp(name, "uring") == 0)
		daemon->engine = LF_FILE_ENGINE_URING;
	else if (strcmp(name, "threads") == 0)
		daemon->engine = LF_FILE_ENGINE_THREADS;
	else
		return fail("LUNGFISH_ENGINE", "it is auto, uring or threads");
	lf_store_file_set_engine(daemon->engine);
	return true;
}

int main(int argc, char **argv)
{
	struct daemon *daemon = &the_daemon;
	int status;

	lf_log_open("lungfishd");
	status = lf_daemon_parse(argc, argv, &daemon->options);
	if (status >= 0)
		return status;
	lf_log_set_level(daemon->options.quiet     ? LF_LOG_WARNING
			 : daemon->options.verbose ? LF_LOG_DEBUG
						   : LF_LOG_NOTICE);
	raise_limits();
	if (!block_signals(daemon) || !choose_engine(daemon) || !make_loops(daemon) || !make_iscsi(daemon) ||
		!make_control(daemon) || !start_threads(daemon))
		return EXIT_FAILURE;
	daemon->signals.ready = signalled;
	lf_loop_watch(daemon->loops[0], &daemon->signals, EPOLLIN);
	say_ready(daemon);
	lf_loop_run(daemon->loops[0]);
	tear_down(daemon);
	lf_log(LF_LOG_NOTICE, "stopped");
	return EXIT_SUCCESS;
}
