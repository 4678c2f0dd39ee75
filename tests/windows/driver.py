#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-gcc
"""lungfish driver install, remove and status under Wine, with the stand-in for storport.sys.

What is installed is what is shipped, but for two things of Wine: it knows no version of Windows in the name of an
INF's section, so a copy of the INF lacks it, and it looks at no signature, so the catalog is an empty file. What
Windows does with catalogs, vetoes, driver store and restarts is not seen here.
"""
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", *path)
                for path in (("lib",), ("storport", "wine"), ("control",))]
import prefix as prefixes
import wine as proving
from prefix import expect
from windows_build import case, finish

FAILED, NOT_FOUND, BUSY, PERMISSION, NO_ADAPTER, TIMED_OUT, UNSUPPORTED = 1, 3, 4, 5, 6, 8, 9
CLASS = "HKLM\\System\\CurrentControlSet\\Control\\Class\\{4D36E97B-E325-11CE-BFC1-08002BE10318}"
NODES = "HKLM\\System\\CurrentControlSet\\Enum\\ROOT"
SERVICE = "HKLM\\System\\CurrentControlSet\\Services\\lungfish"
NODE = "ROOT\\LUNGFISH\\0000"


def make_package(shipped, folder):
    os.makedirs(folder)
    for name in ("lungfish.exe", "lungfish.sys"):
        shutil.copy(os.path.join(shipped, name), folder)
    with open(os.path.join(shipped, "lungfish.inf")) as file:
        text, count = re.subn(r"NTamd64\.[\d.]+", "NTamd64", file.read())
    expect(count == 2, "the INF has the version of Windows %d times" % count)
    with open(os.path.join(folder, "lungfish.inf"), "w") as file:
        file.write(text)
    open(os.path.join(folder, "lungfish.cat"), "wb").close()
    return folder


class Machine:
    def __init__(self, scratch):
        self.place = proving.Place(scratch)
        self.place.take(os.path.join(proving.BUILD, "out"))
        self.wine = self.place.wine
        self.scratch = scratch
        self.package = make_package(self.place.shipped, os.path.join(scratch, "package"))
        self.wine.shipped = self.package  # whose lungfish.exe is run

    def make(self):
        problems = []

        def build():
            try:
                self.place.build()
            except Exception as problem:  # pylint: disable=broad-except
                problems.append(problem)
        builder = threading.Thread(target=build)
        builder.start()
        self.wine.begin()
        builder.join()
        expect(not problems, problems)
        self.wine.bring()
        self.be_windows("win10")

    def be_windows(self, version):
        code, out = self.wine.wine("reg", "add", "HKCU\\Software\\Wine", "/v", "Version", "/d", version, "/f")
        expect(code == 0, out)

    def copy(self, name):
        folder = os.path.join(self.scratch, name)
        shutil.copytree(self.package, folder)
        return folder

    def run(self, wanted, *words):
        """What was printed, and what was complained of."""
        code, out, err = self.wine.lungfish("driver", *words)
        expect(code == wanted, "driver %s: status %d, not %d: %r %r" % (" ".join(words), code, wanted, out, err))
        return out, err

    def status(self, wanted=0):
        found = json.loads(self.run(wanted, "status", "--json")[0])
        expect(found["schema"] == 1 and len(found["drivers"]) == 1, found)
        return found["drivers"][0]

    def keys(self, key):
        """Below it, each in lower case."""
        _, out = self.wine.wine("reg", "query", key, "/s")
        return [line.strip().lower() for line in out.splitlines() if line.startswith("HKEY")]

    def files(self):
        """Ours in Wine's own directories, by either name of a package; Wine keeps catalogs."""
        return [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(self.wine.drive, "windows"))
                for name in names if re.match(r"lungfish.*(?<!\.cat)$|oem\d+\.(?:inf|pnf)$", name.lower())]

    def nodes(self):
        return [key for key in self.keys(NODES) if re.search(r"\\root\\lungfish\\\d+$", key)]

    def left(self):
        found = self.files() + self.nodes() + self.keys(SERVICE)
        return found + [key for key in self.keys(CLASS) if re.search(r"\\\d{4}$", key)]

    def expect_nothing(self):
        left = self.left()
        expect(not left, "left: %s" % left)

    def expect_calm(self):
        """The stand-in holds nothing against the driver."""
        problems, _ = proving.judge(self.wine)
        expect(not problems, "\n".join(problems))


# ---- Cases ----

def a_machine_without_it_says_how_to_install_it(machine):
    found = machine.status(NO_ADAPTER)
    expect(not found["usable"] and found["state"] == "missing" and found["devices"] == 0, found)
    expect("lungfish driver install" in found["remedy"], found["remedy"])
    expect(found["device"] is None and found["inf"] is None and found["service"] is None, found)
    expect(found["elevated"] and found["test_signing"] is False and found["windows"].startswith("10."), found)
    _, err = machine.run(NOT_FOUND, "remove")
    expect("nothing to remove" in err, err)
    code, out, err = machine.wine.lungfish("list")
    expect(code == NO_ADAPTER and not out and "no adapter answers there: lungfish driver status says what helps" in err, err)


def what_is_no_package_of_ours_is_refused(machine):
    empty = os.path.join(machine.scratch, "empty")
    os.makedirs(empty)
    _, err = machine.run(NOT_FOUND, "install", prefixes.dos_path(empty))
    expect("lungfish.inf: no such file: " in err, err)
    _, err = machine.run(FAILED, "install", prefixes.dos_path(os.path.abspath(__file__)))
    expect("it is no setup information file" in err, err)
    _, err = machine.run(FAILED, "install", "C:\\windows\\inf\\winexinput.inf")
    expect("it is of another driver" in err, err)
    _, err = machine.run(FAILED, "install", "Z:\\" + 300 * "a")
    expect("too long" in err, err)
    for name in ("lungfish.sys", "lungfish.cat"):
        folder = machine.copy("without-" + name)
        os.remove(os.path.join(folder, name))
        _, err = machine.run(NOT_FOUND, "install", prefixes.dos_path(folder))
        expect(name + ": no such file: " in err, err)
    folder = machine.copy("foreign")
    inf = os.path.join(folder, "lungfish.inf")
    with open(inf) as file:
        text = file.read()
    with open(inf, "w") as file:
        file.write(text.replace('Provider    = "Lungfish"', 'Provider    = "Somebody"'))
    _, err = machine.run(FAILED, "install", prefixes.dos_path(inf))
    expect("it is of another driver" in err, err)
    machine.expect_nothing()


def who_is_no_administrator_is_refused(machine):
    program = prefixes.dos_path(os.path.join(machine.package, "lungfish.exe"))
    for verb in ("install", "remove"):
        code, _ = machine.wine.wine(machine.wine.own("setup"), "plain", program, "driver", verb)
        expect(code == PERMISSION, "%s: status %d" % (verb, code))
    code, out = machine.wine.wine(machine.wine.own("setup"), "plain", program, "driver", "status", "-J")
    found = json.loads(out)["drivers"][0]
    expect(code == NO_ADAPTER and not found["elevated"] and "elevated prompt" in found["remedy"], found)
    machine.expect_nothing()


def an_old_windows_is_refused(machine):
    machine.be_windows("win81")
    try:
        _, err = machine.run(UNSUPPORTED, "install")
        expect("build 16299" in err, err)
        expect("build 16299" in machine.status(NO_ADAPTER)["remedy"], "no remedy")
    finally:
        machine.be_windows("win10")
    machine.expect_nothing()


def a_driver_that_does_not_load_leaves_nothing(machine):
    folder = machine.copy("broken")
    with open(os.path.join(folder, "lungfish.sys"), "wb") as file:
        file.write(os.urandom(4096))
    _, err = machine.run(TIMED_OUT, "install", "-v", prefixes.dos_path(folder))
    expect("driver install: %s: the adapter does not answer: " % NODE in err, err)
    expect("the device is taken away again" in err and "out of the driver store again" in err, err)
    machine.expect_nothing()


def it_is_installed_from_beside_the_program(machine):
    out, err = machine.run(0, "install", "--verbose")
    expect(out.strip() == NODE, out)
    for text in ("in the driver store now", "%s is the device" % NODE, "%s answers" % NODE):
        expect(text in err, "no %r in %r" % (text, err))
    found = machine.status()
    expect(found["usable"] and found["state"] == "started" and found["device"] == NODE, found)
    expect(found["service"] == "running" and found["inf"] and found["remedy"] is None, found)
    code, version, _ = machine.wine.lungfish("--version")
    expect(code == 0 and version.split()[1] == found["adapter_version"], found)
    out, _ = machine.run(0, "status")
    expect("STATE      started\n" in out and "DEVICE     %s\n" % NODE in out and "REMEDY     -\n" in out, out)
    expect(len(machine.nodes()) == 1, machine.nodes())


def its_disks_work(machine):
    image = os.path.join(machine.scratch, "disk.img")
    with open(image, "wb") as file:
        file.write(os.urandom(1 << 20))
    unit = machine.wine.connect(image, "disk")
    answer, = machine.wine.pt("compare %s %s 4096" % (unit, image))
    expect(answer == "compared 256 different 0", answer)


def an_adapter_with_disks_is_not_installed_anew(machine):
    _, err = machine.run(BUSY, "install")
    expect("it has disks" in err and "lungfish disconnect --all" in err, err)
    expect("disk" in machine.wine.lungfish("list")[1], "the disk went")


def a_second_installation_makes_no_second_adapter(machine):
    machine.wine.disconnect("disk")
    folder = machine.copy("again")
    out, err = machine.run(0, "install", "--verbose", prefixes.dos_path(folder) + "\\")
    expect(out.strip() == NODE and "already" in err, (out, err))
    expect(machine.status()["devices"] == 1 and len(machine.nodes()) == 1, machine.nodes())
    found = json.loads(machine.run(0, "install", "--json", prefixes.dos_path(folder))[0])["drivers"][0]
    expect(found["usable"] and found["devices"] == 1, found)


def what_the_operator_has_set_outlives_an_installation(machine):
    value = (SERVICE + "\\Parameters", "/v", "LogLevel")
    code, out = machine.wine.wine("reg", "add", *value, "/t", "REG_DWORD", "/d", "3", "/f")
    expect(code == 0, out)
    machine.run(0, "install")
    _, out = machine.wine.wine("reg", "query", *value)
    expect(re.search(r"LogLevel\s+REG_DWORD\s+0x3\b", out), out)


def removal_disconnects_and_leaves_nothing(machine):
    machine.wine.connect(os.path.join(machine.scratch, "disk.img"), "disk")
    out, err = machine.run(0, "remove", "-v")
    expect(out == "" and "disk is gone" in err and "the device is removed" in err, (out, err))
    expect("its service removed" in err, err)
    machine.wine.wait_log("^unloaded, 0 bytes")
    machine.expect_calm()
    machine.expect_nothing()
    expect(machine.status(NO_ADAPTER)["state"] == "missing", "it is still there")
    machine.run(NOT_FOUND, "remove")


def half_an_installation_is_removed(machine):
    """As one leaves it that ends in the middle: a package without a device, a device without a driver."""
    machine.wine.setup("install", os.path.join(machine.package, "lungfish.inf"), "root\\lungfish")
    machine.wine.setup("remove", "root\\lungfish")
    expect(machine.left(), "nothing is left of half an installation")
    out, _ = machine.run(0, "remove", "--json")
    found = json.loads(out)["drivers"]
    expect(len(found) == 1 and found[0]["state"] == "missing" and not found[0]["usable"], found)
    machine.expect_nothing()


def it_comes_again_after_a_removal(machine):
    out, _ = machine.run(0, "install", prefixes.dos_path(os.path.join(machine.package, "lungfish.inf")))
    expect(out.strip() == NODE, out)
    its_disks_work(machine)
    machine.run(0, "remove", "--force")
    machine.expect_calm()
    machine.expect_nothing()


CASES = [
    a_machine_without_it_says_how_to_install_it,
    what_is_no_package_of_ours_is_refused,
    who_is_no_administrator_is_refused,
    an_old_windows_is_refused,
    a_driver_that_does_not_load_leaves_nothing,
    it_is_installed_from_beside_the_program,
    its_disks_work,
    an_adapter_with_disks_is_not_installed_anew,
    a_second_installation_makes_no_second_adapter,
    what_the_operator_has_set_outlives_an_installation,
    removal_disconnects_and_leaves_nothing,
    half_an_installation_is_removed,
    it_comes_again_after_a_removal,
]


def problem_of(what, machine):
    try:
        what(machine)
    except Exception as problem:  # pylint: disable=broad-except
        return [repr(problem)]
    return []


def main():
    missing = prefixes.missing_tools()
    if missing:
        for what in CASES:
            print("skip %s: not installed: %s" % (what.__name__, " ".join(missing)))
        return
    scratch = tempfile.mkdtemp(prefix="driver", dir=os.environ.get("TMPDIR", "/tmp"))
    machine = Machine(scratch)
    try:
        machine.make()
        for what in CASES:
            start = time.monotonic()
            case("driver_" + what.__name__, problem_of(what, machine))
            if "LF_TIMES" in os.environ:
                print("# %.1f s" % (time.monotonic() - start), flush=True)
    finally:
        machine.wine.close()
    finish()


main()
