# SPDX-License-Identifier: BSD-2-Clause
"""The servers that ./bench compares: each is started on one processor, serves one image, and is stopped."""
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import time

START_S = 20


class Unavailable(Exception):
    """A server that cannot be measured here, and why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_program(build, name):
    found = sorted(path for path in glob.glob(os.path.join(build, "**", name), recursive=True)
                   if os.path.isfile(path) and os.access(path, os.X_OK))
    if not found:
        raise Unavailable("%s was not built in %s" % (name, build))
    return found[0]


def sbin_environment():
    return dict(os.environ, PATH=os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin")


class Server:
    """One running server: name, pid, iSCSI URL of its one disk."""

    def __init__(self, name, scratch):
        self.name, self.scratch = name, scratch
        self.process = self.url = None
        self.log_path = os.path.join(scratch, name + ".log")

    def launch(self, command, processor):
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(["taskset", "-c", str(processor)] + command, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=sbin_environment())
        self.pid = self.process.pid  # taskset becomes the server

    def wait_for(self, is_ready):
        end = time.monotonic() + START_S
        while not is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                with open(self.log_path, errors="replace") as log:
                    raise Unavailable("it did not start: %s" % " / ".join(log.read().split("\n")[-4:]))
            time.sleep(0.05)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
        if self.process:
            self.process.wait()

    def how_opened(self, image):
        """How the server has its image open, as the kernel tells it."""
        for entry in os.listdir("/proc/%d/fd" % self.pid):
            try:
                if os.readlink("/proc/%d/fd/%s" % (self.pid, entry)) != image:
                    continue
                with open("/proc/%d/fdinfo/%s" % (self.pid, entry)) as info:
                    flags = next(int(line.split()[1], 8) for line in info if line.startswith("flags:"))
            except OSError:
                continue
            return "O_DIRECT" if flags & os.O_DIRECT else "page cache"
        return "not open"


class Lungfish(Server):
    stop_signal = signal.SIGTERM

    def start(self, build, image, processor):
        daemon, command = find_program(build, "lungfishd"), find_program(build, "lungfish")
        control = os.path.join(self.scratch, "control.sock")
        self.launch([daemon, "--iscsi", "127.0.0.1:%d" % free_port(), "--iqn", "iqn.2001-01.com.example:bench",
                     "--socket", control, image], processor)
        listing = []

        def is_ready():
            answer = subprocess.run([command, "--socket", control, "list", "--json"], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            if answer.returncode == 0:
                listing[:] = [device for device in json.loads(answer.stdout)["devices"] if device.get("iscsi_url")]
            return bool(listing)

        self.wait_for(is_ready)
        self.url = listing[0]["iscsi_url"]


class Tgtd(Server):
    """tgtd on a control port and portal of its own; kept from nothing else that runs as tgtd here."""
    stop_signal = signal.SIGKILL  # it ignores SIGTERM while it has targets
    next_control_port = 20000 + os.getpid() % 10000

    def start(self, _build, image, processor):
        if os.geteuid() != 0:
            raise Unavailable("tgtd needs root to start")
        if not shutil.which("tgtd", path=sbin_environment()["PATH"]):
            raise Unavailable("tgtd is not installed (package tgt)")
        Tgtd.next_control_port += 1
        self.control_port, port = Tgtd.next_control_port, free_port()
        iqn = "iqn.2001-01.com.example:bench-" + self.name
        self.launch(["tgtd", "-f", "-C", str(self.control_port), "--iscsi", "portal=127.0.0.1:%d" % port], processor)
        self.wait_for(lambda: self.admin("--op", "show", "--mode", "target") == 0)
        steps = [("--op", "new", "--mode", "target", "--tid", "1", "-T", iqn),
                 ("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b", image,
                  "--bstype", self.name.split("-")[1]),
                 ("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")]
        for step in steps:
            if self.admin(*step) != 0:
                raise Unavailable("tgtadm %s failed" % " ".join(step[:4]))
        # Its worker threads were made before and since: all belong on the one processor.
        subprocess.run(["taskset", "-a", "-p", "-c", str(processor), str(self.pid)], stdout=subprocess.DEVNULL,
                       check=True)
        self.url = "iscsi://127.0.0.1:%d/%s/1" % (port, iqn)

    def admin(self, *arguments):
        return subprocess.run(["tgtadm", "-C", str(self.control_port), "--lld", "iscsi"] + list(arguments),
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env=sbin_environment()).returncode

    def stop(self):
        super().stop()
        if self.process:
            for path in glob.glob("/run/tgtd/socket.%d*" % self.control_port):
                os.unlink(path)


KINDS = {"lungfishd": Lungfish, "tgtd-rdwr": Tgtd, "tgtd-aio": Tgtd}
