#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""lungfish run: the command's exit status, its environment, its signals, and that nothing is left behind."""
import fcntl
import glob
import os
import signal
import struct
import subprocess
import sys

import harness
from harness import COMMAND, WAIT_S, run, sparse, wait_for

MIB = 1 << 20
F_OFD_SETLK = 37


class Place:
    """Where a run has its directory, and what is left of it."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.runtime = os.path.join(scratch, "r")
        os.mkdir(self.runtime, 0o700)
        self.env = harness.clean_environment(XDG_RUNTIME_DIR=self.runtime)
        self.image = sparse(os.path.join(scratch, "disk.img"), MIB)

    def run(self, *arguments, **options):
        return run("run", *arguments, env=self.env, **options)

    def shell(self, script, **options):
        return self.run(self.image, "--", "sh", "-c", script, **options)

    def start(self, script):
        return subprocess.Popen([COMMAND, "run", self.image, "--", "sh", "-c", script], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, env=self.env, universal_newlines=True)

    def daemons(self):
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as line:
                    if os.fsencode(self.runtime) in line.read():
                        found.append(path)
            except OSError:
                pass
        return found

    def image_is_free(self):
        with open(self.image, "r+b") as image:
            try:
                fcntl.fcntl(image, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
            except OSError:
                return False
        return True

    def is_clean(self):
        return os.listdir(self.runtime) == [] and self.daemons() == [] and self.image_is_free()

    def check_clean(self):
        assert self.is_clean(), "left behind: %s %s" % (os.listdir(self.runtime), self.daemons())


def the_exit_status_is_the_commands(scratch):
    place = Place(scratch)
    for script, status in (("exit 0", 0), ("exit 3", 3), ("exit 125", 125), ("kill -9 $$", 137),
                           ("kill -TERM $$", 143), ("kill -INT $$", 130)):
        answer = place.shell(script)
        assert answer.status == status, "%s: %d: %s" % (script, answer.status, answer.err)
        assert answer.out == "" and answer.err == "", answer.err
        place.check_clean()


def our_failures_have_their_own(scratch):
    place = Place(scratch)
    plain = os.path.join(scratch, "plain")
    with open(plain, "w"):
        pass
    answer = place.run(place.image, "--", os.path.join(scratch, "missing"))
    assert answer.status == 127 and "no such command" in answer.err, answer.err
    answer = place.run(place.image, "--", plain)
    assert answer.status == 126 and "cannot be run" in answer.err, answer.err
    for arguments in ([place.image + "x", "--", "true"], [place.image], [place.image, "--"], ["--", "true"],
                      [place.image, "--nonsense", "--", "true"], [place.image, place.image, "--", "true"],
                      [place.image, "--block-size", "1024", "--", "true"]):
        answer = place.run(*arguments)
        assert answer.status == 125 and answer.err.startswith("lungfish: run: "), (arguments, answer.err)
        place.check_clean()


def the_command_finds_its_adapter(scratch):
    place = Place(scratch)
    second = sparse(os.path.join(scratch, "second.img"), MIB)
    script = 'echo "$LUNGFISH_URI"; echo "$LUNGFISH_URIS"; "%s" list -n -o ID,BLK,RO' % COMMAND
    answer = place.run(place.image, second, "--block-size", "4096", "--read-only", "--", "sh", "-c", script)
    assert answer.status == 0, answer.err
    lines = answer.out.splitlines()
    both = lines[1].split()
    assert lines[0] == both[0] and len(both) == 2, lines
    assert both[0].startswith("iscsi://127.0.0.1:") and both[0].endswith("/0") and both[1].endswith("/1"), both
    assert [line.split() for line in lines[2:]] == [["disk", "4Kn", "1"], ["second", "4Kn", "1"]], lines
    place.check_clean()


def a_drive_needs_no_image(scratch):
    place = Place(scratch)
    script = 'echo "$LUNGFISH_URI $LUNGFISH_URIS"; "%s" list -n -o TYPE,STATE' % COMMAND
    answer = place.run("--cdrom", "--", "sh", "-c", script)
    assert answer.status == 0, answer.err
    uris, drive = answer.out.splitlines()
    assert uris.split()[0] == uris.split()[1] and uris.startswith("iscsi://127.0.0.1:"), uris
    assert drive.split() == ["cdrom", "empty"], drive
    place.check_clean()


def arguments_and_input_pass_untouched(scratch):
    place = Place(scratch)
    answer = place.run(place.image, "--", "printf", "[%s]", "--json", "a b", "--", "-h")
    assert answer.out == "[--json][a b][--][-h]", answer.out
    with open(os.path.join(scratch, "in"), "w+") as given:
        given.write("hello")
        given.seek(0)
        assert place.run(place.image, "--", "cat", stdin=given).out == "hello"


def an_image_can_be_made_for_it(scratch):
    place = Place(scratch)
    new = os.path.join(scratch, "new.img")
    assert place.run("--create", "8M", new, "--", "true").status == 0
    assert os.stat(new).st_size == 8 * MIB
    place.check_clean()


def signals_go_on_to_the_command(scratch):
    place = Place(scratch)
    for number, name in ((signal.SIGTERM, "TERM"), (signal.SIGINT, "INT"), (signal.SIGHUP, "HUP"),
                         (signal.SIGUSR1, "USR1")):
        child = place.start('trap "echo got; exit 9" %s; echo ready; while :; do sleep 0.05; done' % name)
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        out, _ = child.communicate(timeout=WAIT_S)
        assert out == "got\n" and child.returncode == 9, (name, out, child.returncode)
        place.check_clean()


def even_killed_it_leaves_nothing(scratch):
    place = Place(scratch)
    child = place.start("echo ready; exec sleep 1000")
    assert child.stdout.readline() == "ready\n"
    sleeper = open("/proc/%d/task/%d/children" % (child.pid, child.pid)).read().split()
    child.kill()
    child.wait()
    assert wait_for(place.is_clean), "left behind: %s %s" % (os.listdir(place.runtime), place.daemons())
    # The command itself is not ours to end when nobody can forward anything any more.
    for pid in sleeper:
        try:
            with open("/proc/%s/comm" % pid) as name:
                if name.read() == "sleep\n":
                    os.kill(int(pid), signal.SIGKILL)
        except FileNotFoundError:
            pass


def a_daemon_that_dies_is_told(scratch):
    place = Place(scratch)
    answer = place.shell('kill -9 $("%s" identify -J | python3 -c \'import json, sys; '
                         'print(json.load(sys.stdin)["adapters"][0]["process_id"])\')' % COMMAND)
    assert answer.status == 125 and "lungfishd: it failed" in answer.err, (answer.status, answer.err)
    assert os.listdir(place.runtime) == []


if __name__ == "__main__":
    sys.exit(harness.main([
        the_exit_status_is_the_commands, our_failures_have_their_own, the_command_finds_its_adapter, a_drive_needs_no_image,
        arguments_and_input_pass_untouched, an_image_can_be_made_for_it, signals_go_on_to_the_command,
        even_killed_it_leaves_nothing, a_daemon_that_dies_is_told]))
