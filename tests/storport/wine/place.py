# SPDX-License-Identifier: BSD-2-Clause
"""For wine.py and demo.py: where it all happens: what is shipped, the stand-in, and a prefix of Wine."""
import glob
import os
import re
import shutil
import signal
import subprocess

import prefix as prefixes
from prefix import Failure, expect

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
SHIPPED = ("lungfish.sys", "lungfish.inf", "lungfish.exe")
BUILD_S = 900  # alone it takes a tenth of that
END_S = 5


class Place:
    """scratch goes with it; built, where the stand-in is built, may be one that stays."""

    def __init__(self, scratch, built=None):
        self.scratch = scratch
        self.built = built or os.path.join(scratch, "built")
        self.shipped = os.path.join(scratch, "shipped")
        self.wine = prefixes.Prefix(scratch, self.built, self.shipped)
        self.images = None

    def take(self, out):
        """What packaging/windows/build.sh has left. Copies, for Wine wants other files beside them."""
        os.makedirs(self.shipped)
        for name in SHIPPED:
            expect(os.path.exists(os.path.join(out, name)), "%s has no %s: packaging/windows/build.sh makes it" % (out, name))
        for path in glob.glob(os.path.join(glob.escape(out), "lungfish*.*")):
            shutil.copy(path, self.shipped)

    def run(self, *command):
        """A program of Linux that builds; what it has left behind ends with it."""
        log = os.path.join(self.scratch, "build.log")
        with open(log, "wb") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                       env=dict(os.environ, TMPDIR=self.scratch), start_new_session=True)
        try:
            code = process.wait(BUILD_S)
        except BaseException:
            end_group(process)
            raise
        with open(log, errors="replace") as text:
            expect(code == 0, text.read())

    def build(self):
        if not os.path.exists(os.path.join(self.built, "build.ninja")):
            self.run("meson", "setup", self.built, HERE, "--cross-file",
                     os.path.join(ROOT, "packaging", "windows", "mingw.ini"))
        self.run("ninja", "-C", self.built)


def end_group(process):
    """By a signal that ninja and compilers clean up after; by one that nobody can refuse when they take long."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(END_S)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def crash_by(wine, what):
    """The driver crashes of it; what a case would say that failed so."""
    noticed = None
    wine.log_news()
    try:
        what()
    except Failure as failure:
        noticed = failure
    expect(wine.until(wine.is_dead), "nobody saw a crash: %s\n%s" % (noticed, "\n".join(wine.log()[wine.log_at:])))
    problems, crashed = judge(wine)
    expect(crashed, "no crash: %s" % problems)
    return problems


def judge(wine):
    """What the stand-in holds against the driver since the last look; whether that is a crash."""
    problems, frames, crashed = [], [], False
    for line in wine.log_news() + [""]:
        frame = re.match(r"frame (\S+) 0x([0-9a-f]+)$", line)
        if frame:
            frames.append((frame.group(1), int(frame.group(2), 16)))
            continue
        problems += ["    " + place for place in wine.source_lines(frames)]
        frames = []
        if line.startswith("not ok "):
            problems.append(line[len("not ok "):])
            crashed = crashed or "crash:" in line or "bug check" in line
    return problems, crashed
