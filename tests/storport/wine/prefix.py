# SPDX-License-Identifier: BSD-2-Clause
"""For wine.py and demo.py: a prefix of Wine with the stand-in, the driver, and the programs that use its disks.

winedevice inherits the standard output of whoever first needs it, so nothing here reads from a pipe of Wine's: all
goes to files. Each step has an end in time, and the prefix's server is stopped whatever becomes of this process.
"""
import itertools
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

import harness  # the messages, as the socket has them
import symbols

# All of these are for a machine that does ten other things: who fails ends sooner, see Prefix.until.
STEP_S = 120
WAIT_S = 90  # for what ought to come soon
PAUSE_S = 0.05
DYING_S = 5  # until a program notices that the driver is dead
FRAMES_S = 60  # until a crash has told all its frames
SAID_LINES = 15
STAY_S = 900  # Wine ends, drivers and all, when no program runs
TOOLS = ("wine", "wineserver", "meson", "ninja", "x86_64-w64-mingw32-gcc", "llvm-symbolizer", "mkfs.fat",
         "fsck.fat", "mcopy", "mkntfs", "ntfsfix", "ntfscat", "xorriso")
SERVICE_CODE = 0x4d038
NO_INSTANCE = 0xffffffff
# Wine gives a driver's process ten seconds to come up, which a busy machine may not keep.
SLOW_SERVICES = '\n[System\\\\CurrentControlSet\\\\Control]\n"ServicesPipeTimeout"="%d"\n' % (STEP_S * 1000)
# A driver that dies is told of by the stand-in: Wine's debugger would take seconds, and keep its process for as long.
NO_DEBUGGER = '\n[Software\\\\Microsoft\\\\Windows NT\\\\CurrentVersion\\\\AeDebug]\n"Debugger"="none"\n'
# What Wine says of itself: errors, but that there is no display, and what it warns of where drivers come and go.
WINE_SAYS = "fixme-all,err-winediag,err-systray,err-ole,err-plugplay,warn+service,warn+ntoskrnl,warn+setupapi"
GUARD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guard.py")


class Failure(Exception):
    pass


class Dead(Failure):
    """The driver is: what was asked of it has no answer."""


def expect(condition, text):
    if not condition:
        raise Failure(text)


def missing_tools():
    return [tool for tool in TOOLS if not shutil.which(tool)]


def nt_path(path):
    return "\\??\\Z:" + path.replace("/", "\\")


def dos_path(path):
    return "Z:" + path.replace("/", "\\")


class Prefix:
    """Wine in a directory of its own; built: where the programs of meson.build are; shipped: where the driver is."""

    def __init__(self, scratch, built, shipped):
        self.scratch, self.built, self.shipped = scratch, built, shipped
        self.path = os.path.join(scratch, "prefix")
        self.drive = os.path.join(self.path, "drive_c")
        self.env = dict(os.environ, WINEPREFIX=self.path, WINEDEBUG=WINE_SAYS, DISPLAY="", WAYLAND_DISPLAY="",
                        WINEDLLOVERRIDES="mscoree,mshtml=", LC_ALL="C.UTF-8", TMPDIR=scratch)  # its server's socket
        self.said = os.path.join(scratch, "wine.log")
        self.stay = self.agent = None
        self.log_at = self.looked = 0  # a line of the log, a byte
        self.crashed = False
        self.count = 0
        self.stuck = False  # something did not end: nor would what comes after
        os.makedirs(self.path)
        self.guard = subprocess.Popen([sys.executable, GUARD, scratch], stdin=subprocess.PIPE, env=self.env,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def begin(self):
        """Until its server has ended: a program that came to services on their way down would find no drivers, and
        none that follows it would."""
        code, out = self.wine("wineboot", "-i")
        expect(code == 0, "wineboot: status %d, %s" % (code, out))
        done = subprocess.run(["wineserver", "-w"], stdin=subprocess.DEVNULL, env=self.env, timeout=STEP_S)
        expect(done.returncode == 0, "wineserver -w: status %d" % done.returncode)
        with open(os.path.join(self.path, "system.reg"), "a") as registry:
            registry.write(SLOW_SERVICES + NO_DEBUGGER)

    def bring(self, stay_s=STAY_S, display=""):
        """When the prefix and the programs are made. Only from here on: making a prefix would show windows of Wine's."""
        self.env["DISPLAY"] = display
        shutil.copy(os.path.join(self.built, "storport.sys"), self.drivers())
        self.begin_stay(stay_s)

    def restart(self):
        """As a machine that is switched off and on: nothing is told that it ends."""
        for option in ("-k", "-w"):
            subprocess.run(["wineserver", option], stdin=subprocess.DEVNULL, env=self.env, timeout=STEP_S)
        self.begin_stay(STAY_S)

    def begin_stay(self, stay_s):
        self.stay, out = self.start(self.own("setup"), "stay", str(stay_s))
        self.wait_output(out, "here")

    def drivers(self):
        return os.path.join(self.drive, "windows", "system32", "drivers")

    def close(self):
        self.guard.stdin.close()
        try:
            self.guard.wait(STEP_S)
        except subprocess.TimeoutExpired:
            self.guard.kill()

    # ---- Programs ----

    def start(self, program, *arguments):
        """The process, and the file that its output goes to."""
        self.count += 1
        out = os.path.join(self.scratch, "out-%d" % self.count)
        return self.launch(out, self.said, program, *arguments), out

    def launch(self, out, err, program, *arguments, stdin=os.devnull):
        with open(out, "wb") as output, open(err, "ab") as errors, open(stdin, "rb") as typed:
            return subprocess.Popen(["wine", program, *arguments], stdin=typed, stdout=output, stderr=errors,
                                    env=self.env, cwd=self.scratch, start_new_session=True)

    def end(self, process, out, timeout_s=STEP_S):
        self.wait(lambda: process.poll() is not None, process, timeout_s)
        with open(out, "rb") as file:
            return process.returncode, file.read().decode(errors="replace")

    def wait(self, look, process, timeout_s):
        """What look returns, once that is something: the process is at it. When the driver dies meanwhile it may never
        be: Wine tells not every program."""
        end, pause, dies = time.monotonic() + timeout_s, 0.001, None
        while True:
            found = look()
            if found:
                return found
            now = time.monotonic()
            dies = dies or (self.is_dead() and now + DYING_S)
            if now > end or (dies and now > dies):
                self.kill(process)
                if dies:
                    raise Dead("the driver is dead, or Wine is: %s has no answer" % " ".join(process.args))
                self.stuck = True
                raise Failure("%s did not end in %d s" % (" ".join(process.args), timeout_s))
            time.sleep(pause)
            pause = min(pause * 1.5, PAUSE_S)

    def wine(self, program, *arguments, timeout_s=STEP_S):
        return self.end(*self.start(program, *arguments), timeout_s)

    def own(self, name):
        return os.path.join(self.built, name + ".exe")

    def setup(self, *arguments):
        code, out = self.wine(self.own("setup"), *arguments)
        if code != 0 and not out and not self.is_dead():  # it says what fails, so it has died, and not of the driver
            print("# setup %s died, status %d: once more: %s" % (" ".join(arguments), code, self.wine_said()), flush=True)
            code, out = self.wine(self.own("setup"), *arguments)
        expect(code == 0, "setup %s: status %d: %s%s" % (" ".join(arguments), code, out, self.wine_said()))
        return out

    def ctl(self, *words):
        """The lines of the stand-in's answer."""
        line = "ctl " + " ".join(map(str, words))
        answer, = self.pt(line)
        expect(not answer.startswith("error"), "%s: %s" % (line, answer))
        return answer.replace(";", "\n")

    def state(self):
        return {name: int(value) for name, value in
                (line.split() for line in self.ctl("state").splitlines() if line.strip())}

    def script(self, lines):
        self.count += 1
        path = os.path.join(self.scratch, "script-%d" % self.count)
        with open(path, "w") as file:
            file.writelines(line + "\n" for line in lines)
        return path

    def pt(self, *lines, timeout_s=STEP_S):
        """One line of output for each line."""
        if not self.agent or self.agent.has_ended():
            self.agent = Agent(self)
        return self.agent.ask(lines, timeout_s)

    def lungfish(self, *arguments, stdin=os.devnull):
        """The command that is shipped; status, what it printed, what it complained of."""
        self.count += 1
        errors = os.path.join(self.scratch, "err-%d" % self.count)
        out = errors + ".out"
        process = self.launch(out, errors, os.path.join(self.shipped, "lungfish.exe"), *arguments, stdin=stdin)
        code, text = self.end(process, out)
        with open(errors, "rb") as err:
            lines = [line for line in err.read().decode(errors="replace").splitlines() if line.startswith("lungfish")]
        return code, text, "\n".join(lines)

    def wine_said(self):
        """The last lines; who looks for more than a failure finds them all in the file."""
        if not os.path.exists(self.said):
            return []
        with open(self.said, errors="replace") as file:
            return [line.rstrip() for line in file if re.match(r"[0-9a-f]{4}:(err|warn):", line)][-SAID_LINES:]

    def until(self, look, seconds=WAIT_S):
        """What look returns, once that is something; None, when it takes too long or cannot come any more."""
        end = time.monotonic() + seconds
        while True:
            over = time.monotonic() > end or self.is_dead()
            found = look()
            if found or over:
                return found or None
            time.sleep(PAUSE_S)

    def is_dead(self):
        """Wine has ended, or the driver has, and nobody has taken the news yet."""
        try:
            with open(self.log_path(), "rb") as file:
                file.seek(self.looked)
                text = file.read()
        except FileNotFoundError:
            text = b""
        self.looked += text.rfind(b"\n") + 1
        self.crashed = self.crashed or re.search(rb"^not ok (crash:|bug check)", text, re.M) is not None
        return self.crashed or (self.stay and self.stay.poll() is not None)

    # ---- Connections ----

    def connect(self, path, name, *options):
        """By the command that is shipped. Where the disk is: a name below \\.\."""
        code, out, err = self.lungfish("connect", *options, dos_path(path), name)
        expect(code == 0 and out.split() == [name], "connect %s: status %d, %r, %r" % (name, code, out, err))
        return self.unit(name)

    def disconnect(self, name, *options):
        code, out, err = self.lungfish("disconnect", *options, name)
        expect(code == 0, "disconnect %s: status %d, %r, %r" % (name, code, out, err))

    def show(self, name):
        return parse_device(self.must(select_message(harness.SHOW, name))[16:])

    def unit(self, name, seconds=WAIT_S):
        """Waits until the bus scan has found it: its disk's name."""
        device = self.show(name)
        place = "%d:%d" % (device["target"], device["lun"])
        found = self.until(lambda: self.units().get(place), seconds)
        if not found:
            raise Failure("%s did not come to %s: %s" % (name, place, self.units()))
        return found

    def units(self):
        """By address, those that are present."""
        lines = [line.split() for line in self.ctl("units").splitlines()]
        return {line[0]: line[1] for line in lines if len(line) == 3 and line[2] == "present"}

    def wait_gone(self, disk, seconds=WAIT_S):
        expect(self.until(lambda: disk not in self.units().values(), seconds), disk + " does not go")

    def wait_state(self, seconds=WAIT_S, **wanted):
        """Waits until the stand-in's counts are these."""
        state = {}

        def look():
            state.update(self.state())
            return all(state[name] == value for name, value in wanted.items())
        expect(self.until(look, seconds), "not %s: %s" % (wanted, state))
        return state

    def wait_no_devices(self, seconds=WAIT_S):
        expect(self.until(lambda: not struct.unpack_from("<I", self.must(list_message()), 16)[0], seconds),
               "devices do not go")

    def keep_open(self, disk):
        """A program that has it open until the function is called that is returned with it."""
        self.count += 1
        sign = os.path.join(self.scratch, "sign-%d" % self.count)
        keeper = self.start(self.own("pt"), self.script(["open " + disk, "wait " + sign, "close " + disk]))
        self.wait_output(keeper[1], "opened")
        return keeper, lambda: open(sign, "w").close()

    def wait_output(self, path, word, seconds=WAIT_S):
        def look():
            with open(path, errors="replace") as file:
                return word in file.read()
        expect(self.until(look, seconds), "no %r in %s" % (word, path))

    @staticmethod
    def kill(process):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def scsi(self, disk, cdb, length=0, name="-", way=None, address="0 0"):
        """NTSTATUS, SCSI status, sense, data that came in."""
        self.count += 1
        into = os.path.join(self.scratch, "data-%d" % self.count)
        way = way or ("in" if length else "none")
        line, = self.pt("scsi %s %s %s %s %d %s" % (disk, address, cdb.hex(), way, length, into if way == "in" else name))
        found = re.match(r"([0-9a-f]{8}) scsi ([0-9a-f]{2}) length (\d+) sense ([0-9a-f]+)", line)
        expect(found, line)
        status, scsi = int(found.group(1), 16), int(found.group(2), 16)
        read = b""
        if way == "in" and os.path.exists(into):
            with open(into, "rb") as file:
                read = file.read()
        return status, scsi, bytes.fromhex(found.group(4)), read

    def good(self, disk, cdb, length=0, **more):
        """The data of a command that succeeds; a unit attention before it is no failure."""
        for _ in range(3):
            status, scsi, sense, read = self.scsi(disk, cdb, length, **more)
            if scsi != 2 or sense[2] & 15 != 6:
                break
        expect(status == 0 and scsi == 0, "%s: %08x, SCSI status %02x, sense %s" % (cdb.hex(), status, scsi, sense.hex()))
        return read

    # ---- The stand-in's log ----

    def log_path(self):
        return os.path.join(self.drive, "standin.log")

    def log(self):
        try:
            with open(self.log_path(), errors="replace") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def log_news(self):
        """Of a crash it is news when all its frames are there."""
        end = time.monotonic() + FRAMES_S
        while self.is_dead() and self.crashed and time.monotonic() < end and "frames end" not in self.log()[self.log_at:]:
            time.sleep(PAUSE_S)
        lines = self.log()
        news, self.log_at, self.crashed = lines[self.log_at:], len(lines), False
        return news

    def wait_log(self, pattern, seconds=WAIT_S):
        """Waits until a line that came since the last log_news matches."""
        def look():
            return next(filter(None, (re.search(pattern, line) for line in self.log()[self.log_at:])), None)
        found = self.until(look, seconds)
        expect(found, "no line of the log is like %r: %s" % (pattern, self.log()[self.log_at:]))
        return found

    def source_lines(self, frames):
        """frames: (module, offset) as the log has them; their places in the source."""
        places = []
        if not shutil.which("llvm-symbolizer"):
            return places
        for image, group in itertools.groupby(frames, lambda frame: self.image_of(frame[0])):
            if image:
                for found in symbols.places(image, [offset for _, offset in group]):
                    places += ["%s at %s" % pair for pair in found]
        return places

    def image_of(self, module):
        for folder in (self.shipped, self.built):
            path = os.path.join(folder, module)
            if module.endswith(".sys") and module != "storport.sys" and os.path.exists(path):
                return path
        return None

    # ---- The driver's own messages ----

    def device(self):
        return "Scsi20:"

    def file(self, data):
        self.count += 1
        path = os.path.join(self.scratch, "bytes-%d" % self.count)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def send(self, message, room=65536, code=SERVICE_CODE):
        """NTSTATUS, and the reply."""
        reply = os.path.join(self.scratch, "reply-%d" % (self.count + 1))
        line, = self.pt("ioctl %s 0x%x %s %d %s" % (self.device(), code, self.file(message), room, reply))
        expect(re.match(r"[0-9a-f]{8} ", line), line)
        status = int(line.split()[0], 16)
        if status or not os.path.exists(reply):
            return status, b""
        with open(reply, "rb") as file:
            return status, file.read()

    def ask(self, message):
        """The reply's status, and what it says or carries."""
        status, reply = self.send(message)
        expect(status == 0, "status %08x" % status)
        _, _, answer = harness.reply_of(reply)
        if answer:
            length, = struct.unpack_from("<H", reply, 24)
            return answer, reply[26:26 + length].decode()
        return answer, reply

    def must(self, message):
        answer, reply = self.ask(message)
        expect(answer == 0, "status %d: %s" % (answer, reply))
        return reply


class Agent:
    """pt, that stays and is told line after line: each program that Wine starts takes a tenth of a second of a processor."""

    def __init__(self, wine):
        self.wine = wine
        self.path = wine.script([])
        self.process, self.out = wine.start(wine.own("pt"), "follow", self.path)
        self.answered = 0  # bytes

    def has_ended(self):
        return self.process.poll() is not None

    def ask(self, lines, timeout_s):
        def look():
            ended = self.has_ended()
            with open(self.out, "rb") as file:
                file.seek(self.answered)
                new = file.read()
            expect(new.count(b"\n") == len(lines) or not ended, "pt: status %s, %r" % (self.process.poll(), new))
            return new if new.count(b"\n") == len(lines) else None
        with open(self.path, "a") as file:
            file.write("\n".join(lines) + "\n")
        new = self.wine.wait(look, self.process, timeout_s)
        self.answered += len(new)
        return new.decode(errors="replace").splitlines()


# ---- Messages ----

OK, FAILED, INVALID, NOT_FOUND, BUSY, PERMISSION, BAD_VERSION, _, TIMED_OUT, UNSUPPORTED = range(10)
READY, FAULT = 0, 3  # a device's state
FORCE = 1  # of DISCONNECT
READ_ONLY, NO_UNMAP, REMOVABLE, WRITE_CACHE_OFF = 1, 2, 4, 8
DISK, CDROM = 0, 5


def connect_message(path, name="", flags=0, kind=DISK, block_size=0, lun=NO_INSTANCE, target=0, raw_path=None):
    body = struct.pack("<IIIIIIHHHH", flags, kind, target, lun, block_size, 0, 0, 0, 0, 0)
    body += harness.text(name.encode(), 62) + harness.text(b"", 14) + harness.text(b"", 22) + harness.text(b"", 38)
    where = raw_path if raw_path is not None else nt_path(path).encode() if path else b""
    body += harness.text(where, 4102)
    return harness.header(harness.CONNECT, 16 + len(body)) + body


def select_message(command, name, flags=0, timeout_ms=20000):
    body = struct.pack("<II", flags, timeout_ms) + harness.text(name.encode(), 4102) + harness.text(b"", 4102)
    return harness.header(command, 16 + len(body)) + body


def insert_message(name, path, flags=0):
    body = struct.pack("<II", flags, 0) + harness.text(name.encode(), 4102) + harness.text(b"", 4102)
    body += harness.text(nt_path(path).encode(), 4102)
    return harness.header(harness.INSERT, 16 + len(body)) + body


def resize_message(name, size):
    body = struct.pack("<Q", size) + harness.text(name.encode(), 4102) + harness.text(b"", 4102)
    return harness.header(harness.RESIZE, 16 + len(body)) + body


def list_message():
    return harness.header(harness.LIST, 24) + struct.pack("<II", 0, 0)


def parse_device(data):
    number, kind, bus, target, lun, state, flags, block, physical, _ = struct.unpack_from("<10I", data)
    blocks, in_flight, identifier = struct.unpack_from("<3Q", data, 40)

    def text(at):
        length, = struct.unpack_from("<H", data, at)
        return data[at + 2:at + 2 + length].decode()
    return {"number": number, "type": kind, "bus": bus, "target": target, "lun": lun, "state": state, "flags": flags,
            "block_size": block, "physical": physical, "blocks": blocks, "in_flight": in_flight,
            "identifier": identifier, "id": text(72), "vendor": text(136), "product": text(152), "image": text(576)}
