# SPDX-License-Identifier: BSD-2-Clause
"""For the system tests: finds the programs under $BUILD, starts a lungfishd of its own, prints the cases."""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("BUILD", "build")
READY_S = 60
COMMAND_S = 120
ANY_PORT = "127.0.0.1:0"


class Skip(Exception):
    pass


def find_program(name, *builds):
    """The first build that has it; sanitized programs that are only tools would be slow."""
    for build in builds or (BUILD,):
        for path in sorted(glob.glob(os.path.join(build, "**", name), recursive=True)):
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    raise FileNotFoundError("%s is in none of: %s" % (name, " ".join(builds or (BUILD,))))


def find_tool(name):
    return find_program(name, os.environ.get("BUILD_GCC", BUILD), BUILD)


def need(*names):
    for name in names:
        if not shutil.which(name):
            raise Skip("%s is not installed" % name)


def run(command, timeout_s=COMMAND_S, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, timeout=timeout_s, **options)


def must(command, **options):
    """Runs a command that has to succeed; returns what it printed."""
    answer = run(command, **options)
    assert answer.returncode == 0, "%s: status %d: %s" % (" ".join(command), answer.returncode, answer.stdout.strip())
    return answer.stdout


def sparse(path, length_bytes):
    with open(path, "wb") as file:
        file.truncate(length_bytes)
    return path


class Adapter:
    """A lungfishd with its own socket, port and state."""

    def __init__(self, scratch, images=(), engine=None, before=()):
        """before: a command in front of the daemon's, such as strace -D, that leaves it its pid."""
        self.directory = tempfile.mkdtemp(prefix="adapter-", dir=scratch)
        self.socket = os.path.join(self.directory, "control.sock")
        self.log_path = os.path.join(self.directory, "lungfishd.log")
        self.iqn = "iqn.2001-01.com.example:system"
        self.command = find_tool("lungfish")
        self.environment = dict(os.environ, XDG_STATE_HOME=self.directory)
        if engine:
            self.environment["LUNGFISH_ENGINE"] = engine
        self.arguments = list(before) + [find_program("lungfishd"), "--iscsi", ANY_PORT, "--iqn", self.iqn,
                                         "--socket", self.socket] + list(images)
        self.start()
        self.portals = self.find_portals()
        self.portal = self.portals[0]
        self.arguments[self.arguments.index(ANY_PORT)] = self.portal  # should it be started again

    def start(self):
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment)
        self.wait_until_ready()

    def wait_until_ready(self):
        end = time.monotonic() + READY_S
        while self.lungfish("list").returncode:
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError("lungfishd did not start: %s" % self.log())
            time.sleep(0.05)

    def find_portals(self):
        """Their addresses: the ports are free ones that the daemon took."""
        adapter = json.loads(self.lungfish("status", "--json").stdout)["adapters"][0]
        return [portal["address"] for portal in adapter["portals"]]

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def lungfish(self, *arguments):
        return run([self.command, "--socket", self.socket] + list(arguments), env=self.environment)

    def connect(self, image, *options):
        answer = self.lungfish("connect", *options, image)
        assert answer.returncode == 0, "connect %s: %s" % (image, answer.stdout)
        return answer.stdout.strip()

    def disconnect(self, unit):
        answer = self.lungfish("disconnect", unit)
        assert answer.returncode == 0, "disconnect %s: status %d: %s" % (unit, answer.returncode, answer.stdout)

    def devices(self):
        return json.loads(self.lungfish("list", "--json").stdout)["devices"]

    def url(self, image):
        path = os.path.realpath(image)
        return next(device["iscsi_url"] for device in self.devices() if device["image"] == path)

    def is_alive(self):
        return self.process.poll() is None

    def stop(self):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("lungfishd did not end within 60 s of SIGTERM: %s" % self.log())

    def kill(self):
        if self.is_alive():
            self.process.kill()
        self.process.wait()


class Cases:
    """Runs the cases of a script in order and prints a line for each."""

    def __init__(self):
        self.failed = 0
        self.scratch = tempfile.mkdtemp(prefix="system-")

    def run(self, name, case, *arguments):
        try:
            case(*arguments)
        except Skip as why:
            print("skip %s: %s" % (name, why), flush=True)
        except Exception as why:  # whatever went wrong is this case's failure, and the next one still runs
            self.failed += 1
            print("not ok %s" % name, flush=True)
            for line in ("%s: %s" % (type(why).__name__, why)).splitlines():
                print("# %s" % line, flush=True)
        else:
            print("ok %s" % name, flush=True)

    def finish(self):
        shutil.rmtree(self.scratch, ignore_errors=True)
        sys.exit(1 if self.failed else 0)
