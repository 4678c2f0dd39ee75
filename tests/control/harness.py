# SPDX-License-Identifier: BSD-2-Clause
"""For the tests of the command and the daemon: starts daemons, runs commands, prints the cases."""
import atexit
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
COMMAND = os.path.join(BUILD, "lungfish")
DAEMON = os.path.join(BUILD, "lungfishd")
NOBODY = 65534
WAIT_S = 60

DONE, FAILED, USAGE, NOT_FOUND, BUSY, PERMISSION, NO_ADAPTER, SOME_FAILED, TIMED_OUT, UNSUPPORTED = range(10)

(IDENTIFY, CONNECT, DISCONNECT, LIST, SHOW, STATUS, INQUIRE, INSERT, EJECT, RESIZE, SESSIONS, DROP, STATS,
 RESERVATION, RESERVATION_CLEAR) = range(1, 16)

if "LUNGFISH_STATE" not in os.environ:
    # By hand: state files of tests are nobody's.
    os.environ["LUNGFISH_STATE"] = tempfile.mkdtemp(prefix="lfs", dir="/tmp")
    atexit.register(shutil.rmtree, os.environ["LUNGFISH_STATE"], ignore_errors=True)


class Skip(Exception):
    pass


class Answer:
    def __init__(self, process):
        self.status, self.out, self.err = process.returncode, process.stdout, process.stderr

    def json(self):
        return json.loads(self.out)

    def error(self):
        return json.loads(self.err)["errors"][0]


def clean_environment(**more):
    env = {k: v for k, v in os.environ.items()
           if k not in ("LUNGFISH_SOCKET", "NOTIFY_SOCKET", "XDG_RUNTIME_DIR", "LUNGFISH_ENGINE")}
    env.update(more)
    return env


def wait_for(what, seconds=WAIT_S):
    """Polls until it is true; there is no other way to see another process's doings."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return False


def sparse(path, size):
    with open(path, "wb") as image:
        image.truncate(size)
    return path


def as_nobody(command):
    """For permissions, which do not bind root."""
    if os.geteuid() != 0:
        return command
    if not shutil.which("setpriv"):
        raise Skip("setpriv is not installed")
    return ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"] + command


def nobody_environment(**more):
    """Reports of a sanitizer go to stderr: the directory for them is not nobody's."""
    more.setdefault("LUNGFISH_STATE", "/nonexistent")
    return clean_environment(ASAN_OPTIONS="", UBSAN_OPTIONS="", TSAN_OPTIONS="", **more)


def nobody_can_run():
    answer = subprocess.run(as_nobody([COMMAND, "--version"]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            env=nobody_environment(), cwd="/")
    if answer.returncode != 0:
        raise Skip("the build directory is closed to other users")


def nobody_directory():
    path = tempfile.mkdtemp(prefix="lfn", dir="/tmp")
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    return path


def run(*arguments, env=None, socket_path=None, nobody=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=None):
    """The command, to its end."""
    command = [COMMAND] + list(arguments)
    env = env or (nobody_environment() if nobody else clean_environment())
    if socket_path:
        env = dict(env, LUNGFISH_SOCKET=socket_path)
    if nobody:
        command = as_nobody(command)
    return Answer(subprocess.run(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=env, cwd=cwd,
                                 universal_newlines=True, timeout=WAIT_S))


class Daemon:
    """A lungfishd on a free port that is ready, or has ended."""

    def __init__(self, scratch, *arguments, portal="127.0.0.1:0", nobody=False, env=None, own_socket=True):
        self.socket = os.path.join(scratch, "control.sock")
        notify = os.path.join(scratch, "ready-%d-%d" % (os.getpid(), time.monotonic_ns()))
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(notify)
        os.chmod(notify, 0o666)
        command = [DAEMON] + (["--iscsi", portal] if portal else []) + \
            (["--socket", self.socket] if own_socket else []) + list(arguments)
        env = env or (nobody_environment() if nobody else clean_environment())
        self.log_path = notify + ".log"
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(as_nobody(command) if nobody else command, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=dict(env, NOTIFY_SOCKET=notify))
        listener.settimeout(0.05)
        self.ready = False
        end = time.monotonic() + WAIT_S
        while not self.ready and self.process.poll() is None and time.monotonic() < end:
            try:
                self.ready = listener.recv(256).startswith(b"READY=1")
            except socket.timeout:
                pass
        listener.close()
        os.unlink(notify)

    def log(self):
        with open(self.log_path) as log:
            return log.read()

    def run(self, *arguments, **options):
        return run(*arguments, socket_path=self.socket, **options)

    def must(self, *arguments, **options):
        answer = self.run(*arguments, **options)
        assert answer.status == DONE, "%s: status %d: %s" % (" ".join(arguments), answer.status, answer.err)
        return answer

    def ids(self):
        return self.must("list", "-n", "-r", "-o", "ID").out.split()

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def client(self):
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        peer.connect(self.socket)  # waits while the backlog is full
        peer.settimeout(WAIT_S)
        return peer

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(WAIT_S)

    def __enter__(self):
        assert self.ready, "the daemon did not start: " + self.log()
        return self

    def __exit__(self, kind, error, trace):
        status = self.stop()
        if kind is None:
            assert status == 0, "the daemon ended with status %s: %s" % (status, self.log())


def header(command, size, version=1, magic=b"LFSH"):
    return magic + struct.pack("<HHII", version, command, size, 0)


def text(value, capacity):
    return struct.pack("<H", len(value)) + value.ljust(capacity, b"\0")


def connect_message(path, name=b""):
    body = struct.pack("<IIIIIIHHHH", 0, 0, 0, 0xffffffff, 0, 0, 0, 0, 0, 0)
    body += text(name, 62) + text(b"", 14) + text(b"", 22) + text(b"", 38) + text(path.encode(), 4102)
    return header(CONNECT, 16 + len(body)) + body


def reply_of(data):
    magic, version, command, size, status = struct.unpack_from("<4sHHII", data)
    assert magic == b"LFSH" and size == len(data), "no reply: %r" % data[:32]
    return version, command, status


def device(daemon, name):
    return daemon.must("show", name, "-J").json()["devices"][0]


def refused(answer, status, *words):
    assert answer.status == status, "status %d, not %d: %s" % (answer.status, status, answer.err)
    assert answer.out == "", answer.out
    lines = answer.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("lungfish: "), answer.err
    for word in words:
        assert word in lines[0], "%r is not in %r" % (word, lines[0])


def main(cases):
    """Runs the cases, or those named; each gets a directory of its own."""
    failed = False
    for case in cases:
        name = case.__name__
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        scratch = tempfile.mkdtemp(prefix="lfc", dir="/tmp")
        try:
            case(scratch)
            print("ok " + name, flush=True)
        except Skip as reason:
            print("skip %s: %s" % (name, reason), flush=True)
        except Exception:
            failed = True
            traceback.print_exc(file=sys.stdout)
            print("not ok " + name, flush=True)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return 1 if failed else 0
