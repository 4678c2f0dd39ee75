#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-clang
"""The package as somebody uses it who has only the zip: unpacked, installed by its own command, used, removed.

Under Wine, beside the tests' storport.sys. Wine knows neither an operating system's version in the INF's models section,
which is dropped from the unpacked copy, nor catalogs: whether Windows takes the catalog nobody has seen.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "storport", "wine"), os.path.join(TESTS, "control")]
import prefix as prefixes
from prefix import expect
from windows_build import case, finish
from windows_package import HERE, TMPDIR, Package

BUILD_S = 200
KEYS = ("Services", "Enum\\ROOT", "Control\\Class", "Control\\DeviceClasses")
MIB = 1 << 20


def built(scratch):
    """The stand-in, and what installs and asks it."""
    folder = os.path.join(scratch, "built")
    for command in (["meson", "setup", folder, os.path.join(TESTS, "storport", "wine"), "--cross-file",
                     os.path.join(HERE, "mingw.ini")], ["ninja", "-C", folder]):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=BUILD_S)
        expect(done.returncode == 0, done.stdout.decode(errors="replace"))
    return folder


def drop_version(package):
    path = package.path("lungfish.inf")
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(re.sub(r"NTamd64\.[\d.]+", "NTamd64", text))


def be_windows_10(wine):
    """Wine's own default is older than what the package wants."""
    code, out = wine.wine("reg", "add", "HKCU\\Software\\Wine", "/v", "Version", "/d", "win10", "/f")
    expect(code == 0, "reg: status %d, %s" % (code, out))


def traces(wine):
    """What Wine's registry and Windows directory know of us; but for the catalog, which Wine never takes from its
    catroot again."""
    found = []
    for key in KEYS:
        _, text = wine.wine("reg", "query", "HKLM\\System\\CurrentControlSet\\" + key, "/s")
        found += [line.strip() for line in text.splitlines() if "lungfish" in line.lower()]
    for folder, _, names in os.walk(os.path.join(wine.drive, "windows")):
        if "catroot" not in folder.lower():
            found += [os.path.join(folder, name) for name in names
                      if "lungfish" in name.lower() or re.fullmatch(r"oem\d+\..*", name, re.I)]
    return found


def lungfish(wine, *words):
    code, out, err = wine.lungfish(*words)
    expect(code == 0, "lungfish %s: status %d, %r, %r" % (" ".join(words), code, out, err))
    return out


def install(wine):
    code, _, _ = wine.lungfish("status")
    expect(code != 0, "there is an adapter already")
    expect(lungfish(wine, "driver", "install").strip(), "no device is named")
    lungfish(wine, "driver", "status")
    expect("lungfish" in lungfish(wine, "identify").lower(), "the adapter does not say its name")
    expect(traces(wine), "an installation without traces is not looked at rightly")


def use(wine, package):
    image = os.path.join(wine.scratch, "disk.img")
    with open(image, "wb") as file:
        file.write(b"Lungfish".ljust(512, b".") + bytes(4 * MIB - 512))
    disk = wine.connect(image, "disk")
    expect(wine.good(disk, bytes.fromhex("28000000000000000100"), 512)[:8] == b"Lungfish", "another sector")
    expect("disk" in lungfish(wine, "list"), "it is not listed")
    expect(os.path.exists(package.path("lungfish.sys")), "the package was changed")


def remove(wine, before):
    """With the disk still connected."""
    lungfish(wine, "driver", "remove")
    wine.wait_log("^unloaded, 0 bytes")
    left = sorted(set(traces(wine)) - set(before))
    expect(not left, "it is left: %s" % left)
    code, _, _ = wine.lungfish("status")
    expect(code != 0, "the adapter still answers")


def problems(step):
    try:
        step()
    except (prefixes.Failure, OSError, subprocess.SubprocessError) as failure:
        yield failure


def main():
    names = ["windows_package_%s_itself" % verb for verb in ("installs", "uses", "removes")]
    missing = prefixes.missing_tools()
    if missing:
        for name in names:
            print("skip %s: not installed: %s" % (name, " ".join(missing)))
        return
    package = Package("package")
    expect(package.status == 0, package.output)
    drop_version(package)
    scratch = tempfile.mkdtemp(prefix="wine", dir=TMPDIR)
    wine = prefixes.Prefix(scratch, built(scratch), package.folder)
    try:
        wine.begin()
        wine.bring()
        be_windows_10(wine)
        before = traces(wine)
        for name, step in zip(names, (lambda: install(wine), lambda: use(wine, package), lambda: remove(wine, before))):
            case(name, problems(step))
    finally:
        wine.close()
        shutil.rmtree(scratch, ignore_errors=True)
    finish()


main()
