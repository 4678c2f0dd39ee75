#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-gcc
"""./run --windows: what it prints is what the images have; however it ends, nothing stays."""
import glob
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from windows_build import BUILD, SOURCE, case, finish  # noqa: E402

SCRATCH = os.path.join(os.environ.get("TMPDIR", "/tmp"), "demo")  # all that it makes lies here
NEEDED = ("wine", "wineserver", "meson", "ninja", "x86_64-w64-mingw32-gcc", "mkfs.fat", "mcopy", "xorriso")
WAIT_S = 180
COMMAND = [os.path.join(SOURCE, "run"), "--windows", "--from", os.path.join(BUILD, "out")]
PROMPT = "Enter or Ctrl-C ends it."
INSTALLING, CONNECTING = "Installing the driver", "Connecting "


def environment():
    return dict(os.environ, TMPDIR=SCRATCH, LUNGFISH_BUILD=os.path.join(SCRATCH, "build"), DISPLAY="")


class Demo:
    """One run, in a directory of the images; its output is a file, so that a Wine that stays cannot hold it."""

    def __init__(self, *arguments, command=COMMAND):
        self.log = os.path.join(SCRATCH, "log")
        with open(self.log, "w") as out:
            self.process = subprocess.Popen([*command, *arguments], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, env=environment(), cwd=SCRATCH,
                                            start_new_session=True)

    def output(self):
        with open(self.log, errors="replace") as text:
            return text.read()

    def wait_output(self, text):
        end = time.monotonic() + WAIT_S
        while text not in self.output():
            if self.process.poll() is not None or time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def end(self):
        """Its status, and what it printed."""
        try:
            return self.process.wait(WAIT_S), self.output()
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            return None, self.output()


def processes():
    """Those whose temporary files or Wine prefix lie in SCRATCH, but for this test."""
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                words = file.read().split(b"\0")
            with open(os.path.join(os.path.dirname(path), "cmdline"), "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended
        if any(word.split(b"=")[0] in (b"WINEPREFIX", b"TMPDIR") and SCRATCH.encode() in word for word in words):
            yield "a process: " + command


def left():
    """At once: what a run left; what its guard takes away after a SIGKILL may take a moment."""
    yield from processes()
    for path in glob.glob(os.path.join(SCRATCH, "lungfish-*")):
        yield "a directory: " + path


def left_in_the_end():
    end = time.monotonic() + WAIT_S
    while list(left()) and time.monotonic() < end:
        time.sleep(0.1)
    return list(left())


def dumps(text):
    """{what was asked: the bytes that are shown, where they lie} of each dump."""
    found = {}
    for block in re.split(r"^> ", text, flags=re.M)[1:]:
        lines = re.findall(r"^([0-9a-f]{8})  ((?:[0-9a-f]{2} ?)+)", block, re.M)
        if lines:
            found[block.splitlines()[0]] = int(lines[0][0], 16), bytes.fromhex("".join(line[1] for line in lines))
    return found


def inquiry_problems(text, name, kind):
    data = [shown for asked, (_, shown) in dumps(text).items() if asked.startswith("INQUIRY to %s," % name)]
    if len(data) != 1 or data[0][0] != kind or data[0][8:16] != b"LUNGFISH":
        yield "INQUIRY of %s: %s" % (name, data)
    elif "PRODUCT '%s'" % data[0][16:32].decode().rstrip() not in text:
        yield "the product's name is not %s: %s" % (data[0][16:32], text)


def block_problems(text, name, image, number, block):
    at, data = dumps(text).get("READ (10) from %s, block %d" % (name, number), (None, b""))
    with open(image, "rb") as file:
        file.seek(number * block)
        if at != number * block or len(data) < 64 or file.read(len(data)) != data:
            yield "block %d of %s is not shown: %s %s" % (number, name, at, data.hex())
    if "Its %d bytes are those of the image." % block not in text:
        yield "nobody compared the whole block"


# ---- Cases ----

def refusals():
    for arguments, status, words in ((["nowhere.img"], 1, "nowhere.img: no such file"), ([SCRATCH], 1, "no file"),
                                     (["--nonsense"], 2, "--nonsense"), (["--help"], 0, "IMAGE")):
        code, text = Demo(*arguments, command=COMMAND[:2]).end()
        if code != status or words not in text:
            yield "%s: status %s: %s" % (arguments, code, text)
        if "[" + "  0 s]" in text or list(left()):
            yield "%s: something was started: %s, %s" % (arguments, text, list(left()))


def images_of_mine():
    noise, disc = (os.path.join(SCRATCH, name) for name in ("noise.img", "disc.ISO"))
    content = {noise: os.urandom(1 << 20), disc: os.urandom(64 << 11)}
    for path, data in content.items():
        with open(path, "wb") as file:
            file.write(data)
    code, text = Demo("noise.img", disc).end()
    if code != 0:
        yield "status %s: %s" % (code, text)
    yield from inquiry_problems(text, "noise", 0)
    yield from inquiry_problems(text, "disc", 5)
    yield from block_problems(text, "noise", noise, 0, 512)
    yield from block_problems(text, "disc", disc, 16, 2048)
    for path, data in content.items():
        with open(path, "rb") as file:
            if file.read() != data:
                yield path + " was written to"
    yield from left()


def images_made_up():
    code, text = Demo().end()
    if code != 0:
        yield "status %s: %s" % (code, text)
    shown = dumps(text)
    disk, disc = (shown.get(name, (0, b""))[1] for name in ("READ (10) from demo-disk, block 0",
                                                            "READ (10) from demo-disc, block 16"))
    if b"LUNGFISH" not in disk or disc[1:6] != b"CD001":
        yield "no FAT disk, or no ISO disc: %s" % shown
    yield from left()


def own_command(command):
    """What is told to the user to try."""
    with open(os.path.join(SCRATCH, "new.img"), "wb") as file:
        file.truncate(1 << 20)
    for arguments, wanted in ((["connect", "new.img"], "new"), (["list"], "new.img"), (["show", "demo-disc"], "CD-ROM")):
        done = subprocess.run([command, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=SCRATCH,
                              stderr=subprocess.STDOUT, timeout=WAIT_S)
        text = done.stdout.decode(errors="replace")
        if done.returncode or wanted not in text:
            yield "%s: status %d: %s" % (arguments, done.returncode, text)


def a_terminal():
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(SCRATCH)
        os.execve(COMMAND[0], COMMAND, environment())
    text, tried = "", False
    while True:
        try:
            text += os.read(terminal, 4096).decode(errors="replace")
        except OSError:
            break  # the other side closed it
        if not tried and PROMPT in text:
            tried = True
            found = re.search(r"&& (\S+) connect new.img", text)
            yield from own_command(found.group(1)) if found else ["no command to try"]
            os.write(terminal, b"\x03")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 0 or not tried:
        yield "status %d: %s" % (status, text)
    yield from left()


def ended_by(number, step, status):
    demo = Demo()
    if not demo.wait_output(step):
        yield "it never came to %r" % step
    demo.process.send_signal(number)
    code, text = demo.end()
    if code != status or "Done" in text:
        yield "signal %d: status %s: %s" % (number, code, text)
    yield from left_in_the_end() if number == signal.SIGKILL else left()


def a_bad_image():
    with open(os.path.join(SCRATCH, "odd.img"), "wb") as file:
        file.truncate(1000)
    code, text = Demo("odd.img").end()
    if code != 1 or not re.search(r"^run: lungfish.*odd\.img", text, re.M):
        yield "status %s: %s" % (code, text)
    yield from left()


def main():
    cases = [("windows_demo_refuses_before_it_starts_anything", refusals),
             ("windows_demo_shows_what_the_images_have", images_of_mine),
             ("windows_demo_makes_up_images", images_made_up),
             ("windows_demo_waits_at_a_terminal", a_terminal),
             ("windows_demo_interrupted_leaves_nothing", lambda: ended_by(signal.SIGINT, INSTALLING, 130)),
             ("windows_demo_terminated_leaves_nothing", lambda: ended_by(signal.SIGTERM, "Making a private", 143)),
             ("windows_demo_killed_leaves_nothing", lambda: ended_by(signal.SIGKILL, CONNECTING, -9)),
             ("windows_demo_says_why_an_image_is_refused", a_bad_image)]
    missing = [tool for tool in NEEDED if not shutil.which(tool)]
    if missing:
        for name, _ in cases:
            print("skip %s: not installed: %s" % (name, " ".join(missing)))
        return
    os.makedirs(SCRATCH)
    try:
        for name, problems in cases:
            case(name, problems())
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)
    finish()


main()
