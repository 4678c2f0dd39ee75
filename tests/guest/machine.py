# SPDX-License-Identifier: BSD-2-Clause
"""Boots the guest in QEMU, hands on what its script prints, and does on the host what the script asks for.

Four serial ports: the kernel's log, the script's output, its exit status, and requests. A request is one line, a
command with its arguments; the answer is one line with status and count of lines, and then these lines.
"""
import os
import re
import selectors
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))

from adapter import READY_S, Adapter, Skip, need, run, sparse  # noqa: E402 (the path comes first)
from archive import write_archive  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
CACHE = os.environ.get("LF_GUEST_CACHE") or os.path.join(ROOT, "build", "check", "guest")
LOGS = os.path.join(ROOT, "build", "check", "logs")
QEMU = "qemu-system-x86_64"
HOST = "10.0.2.2"  # what QEMU's own network calls 127.0.0.1 of this machine
LIMIT_S = 840  # many times what it takes: only a guest that hangs comes near
# Of the kernel's log: what no kernel says that is content with its devices.
TROUBLE = re.compile(r"\bBUG\b|Oops|general protection|Call Trace|Kernel panic|\bWARNING:|blocked for more than"
                     r"|I/O error|critical \w+ error|EXT4-fs error|XFS.*(?:[Ee]rror|[Cc]orrupt|[Ss]hut)|Sense Key"
                     r"|soft lockup|timing out command|detected conn error|invalid opcode")


class Port:
    """One serial port of the guest: QEMU connects to it as soon as it starts."""

    def __init__(self, directory, name):
        self.path = os.path.join(directory, name)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.peer, self.rest = None, b""

    def accept(self, process):
        self.listener.settimeout(1)
        for _ in range(READY_S):
            try:
                self.peer = self.listener.accept()[0]
                return
            except socket.timeout:
                if process.poll() is not None:
                    return

    def lines(self):
        """The lines that have come; None at the end."""
        data = self.peer.recv(65536)
        if not data:
            return None
        *whole, self.rest = (self.rest + data).split(b"\n")
        return [line.decode(errors="replace").rstrip("\r") for line in whole]

    def close(self):
        self.listener.close()
        if self.peer:
            self.peer.close()


class Machine:
    def __init__(self, name, scratch, script, variables, limit_s=LIMIT_S):
        """script: a file of tests/guest/inside. variables: what it finds in its environment."""
        self.name, self.scratch, self.limit_s = name, scratch, limit_s
        self.directory = tempfile.mkdtemp(prefix="machine-", dir=scratch)
        self.verbs, self.allowed, self.failed, self.passed = {}, [], 0, 0
        os.makedirs(LOGS, exist_ok=True)
        self.console = os.path.join(LOGS, "guest-%s-kernel.log" % name)
        self.status_path = os.path.join(self.directory, "status")
        self.initramfs(script, variables)

    def initramfs(self, script, variables):
        """The image and behind it our own files: the kernel unpacks one archive after the other."""
        tree, path = os.path.join(self.directory, "tree"), os.path.join(self.directory, "initramfs")
        shutil.copytree(os.path.join(HERE, "inside"), os.path.join(tree, "test"))
        os.rename(os.path.join(tree, "test", "init"), os.path.join(tree, "init"))
        os.chmod(os.path.join(tree, "init"), 0o755)
        with open(os.path.join(tree, "test", "variables"), "w") as out:
            for key, value in dict(variables, SCRIPT=script).items():
                out.write("%s=%s\n" % (key, shlex.quote(str(value))))
        shutil.copyfile(os.path.join(CACHE, "image", "initramfs.cpio"), path)
        with open(path, "ab") as out:
            out.write(bytes(-out.tell() % 4))
            write_archive(out, tree)

    def command(self, ports):
        command = [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-accel", "tcg",
                   "-machine", "pc", "-cpu", "qemu64", "-smp", "1", "-m", "1G", "-kernel",
                   os.path.join(CACHE, "image", "vmlinux"), "-initrd", os.path.join(self.directory, "initramfs"),
                   "-append", "console=ttyS0 panic=-1 cryptomgr.notests mitigations=off nokaslr printk.time=1",
                   "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=,rx_queue_size=1024",
                   "-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng",
                   "-serial", "file:" + self.console]
        for name, port in ports.items():
            command += ["-chardev", "socket,id=%s,path=%s" % (name, port.path)]
        return command + ["-serial", "chardev:output", "-serial", "file:" + self.status_path,
                          "-serial", "chardev:requests"]

    def on(self, verb, action):
        """What the host does for a request: action(arguments) returns the status and the text of the answer."""
        self.verbs[verb] = action

    def answer(self, port, line):
        words = shlex.split(line)
        try:
            status, text = self.verbs[words[0]](words[1:])
        except Exception as why:  # the guest waits for an answer, whatever it is
            status, text = 99, "%s: %s: %s" % (line, type(why).__name__, why)
        lines = text.splitlines()
        port.peer.sendall(("%d %d\n" % (status, len(lines)) + "".join(l + "\n" for l in lines)).encode())

    def heard(self, line):
        """Cases are counted and handed on; what the script says of the log is for us."""
        if line.startswith("kernel-may-say "):
            self.allowed.append(re.compile(line.split(" ", 1)[1]))
            return
        self.failed += line.startswith("not ok ")
        self.passed += line.startswith("ok ")
        print(line, flush=True)

    def listen(self, process, ports):
        end = time.monotonic() + self.limit_s
        with selectors.DefaultSelector() as selector:
            for port in ports.values():
                port.accept(process)
                if port.peer:
                    selector.register(port.peer, selectors.EVENT_READ, port)
            while selector.get_map() and time.monotonic() < end:
                for key, _ in selector.select(1):
                    lines = key.data.lines()
                    if lines is None:
                        selector.unregister(key.fileobj)
                    for line in lines or ():
                        if key.data is ports["requests"]:
                            self.answer(key.data, line)
                        else:
                            self.heard(line)
        return time.monotonic() < end

    def case(self, name, good, why=""):
        for line in why.splitlines() if not good else ():
            print("# " + line)
        self.heard("%s %s_%s" % ("ok" if good else "not ok", self.name, name))

    def run(self):
        """To the end of the script; what was not well is said, and counted."""
        ports = {name: Port(self.directory, name) for name in ("output", "requests")}
        qemu_log = os.path.join(LOGS, "guest-%s-qemu.log" % self.name)
        start = time.monotonic()
        with open(qemu_log, "w") as log:
            process = subprocess.Popen(self.command(ports), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            in_time = self.listen(process, ports)
            if in_time:
                process.wait(READY_S)
        finally:
            process.kill()
            process.wait()
            for port in ports.values():
                port.close()
        with open(qemu_log, errors="replace") as log:
            said = log.read().strip()
        with open(self.status_path, errors="replace") as text:
            status = text.read().strip()
        self.case("guest_ran_to_its_end", in_time and status == "0", "status %r of the script, %s; qemu: %s"
                  % (status, "in time" if in_time else "after %d s" % self.limit_s, said))
        self.case("kernel_log_has_no_trouble", *self.judge_log())
        print("# %d of %d checks passed in %.0f s" % (self.passed, self.passed + self.failed,
                                                     time.monotonic() - start))

    def judge_log(self):
        with open(self.console, errors="replace") as log:
            lines = [line.rstrip() for line in log]
        trouble = [line for line in lines if TROUBLE.search(line)
                   and not any(allowed.search(line) for allowed in self.allowed)]
        return bool(lines) and not trouble, "\n".join(trouble[:40]) or "the kernel said nothing"


def port_of(adapter):
    return adapter.portal.rsplit(":", 1)[1]


def need_machine():
    """QEMU is for x86-64 hosts and some others; where it is not to be had, nothing here can run."""
    if not shutil.which(QEMU):
        raise Skip("%s is not installed, and no package brought it" % QEMU)
    if not os.path.exists(os.path.join(CACHE, "image", "key")):
        raise AssertionError("there is no image: tests/guest/build-image makes it")


class Host:
    """The adapter of a suite, its images, and what the guest may ask for. Images are named without their folder."""

    def __init__(self, machine, adapter, images):
        self.machine, self.adapter, self.images, self.units = machine, adapter, images, []
        for verb in ("lungfish", "sum", "size", "allocated", "grow", "create", "restart"):
            machine.on(verb, getattr(self, verb))

    def path(self, name):
        return os.path.join(self.images, os.path.basename(name))

    def connect(self, *words):
        """A unit of the suite's, which comes back after a restart."""
        self.units.append(list(words))
        status, text = self.lungfish(["connect"] + self.units[-1])
        assert status == 0, "connect %s: status %d: %s" % (" ".join(words), status, text)

    def lungfish(self, words):
        """Runs the command in the folder of the images."""
        answer = run([self.adapter.command, "--socket", self.adapter.socket] + words, env=self.adapter.environment,
                     cwd=self.images)
        return answer.returncode, answer.stdout

    def sum(self, words):
        """SHA-256 of an image."""
        return 0, run(["sha256sum", self.path(words[0])]).stdout.split()[0]

    def size(self, words):
        return 0, str(os.path.getsize(self.path(words[0])))

    def allocated(self, words):
        """Bytes that an image takes on the host's disk."""
        return 0, str(os.stat(self.path(words[0])).st_blocks * 512)

    def create(self, words):
        sparse(self.path(words[0]), int(words[1]))
        return 0, ""

    def grow(self, words):
        os.truncate(self.path(words[0]), int(words[1]))
        return 0, ""

    def restart(self, _):
        """Kills the adapter and starts it again at the same portal, with the units that the suite began with."""
        self.adapter.kill()
        self.adapter.start()
        units, self.units = self.units, []
        for words in units:
            self.connect(*words)
        return 0, ""


def main(name, suite):
    """Runs a suite, suite(scratch): the machine prints the cases, and returns how many failed."""
    scratch = tempfile.mkdtemp(prefix="guest-")
    try:
        need_machine()
        failed = suite(scratch)
    except Skip as why:
        print("skip %s: %s" % (name, why), flush=True)
        failed = 0
    except Exception as why:  # a failure of the suite as a whole, in words
        print("# %s: %s\nnot ok %s_suite" % (type(why).__name__, why, name), flush=True)
        failed = 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(1 if failed else 0)
