#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""demo.py [--from DIR] [IMAGE...]: ./run --windows: the driver for Windows at work, under Wine.

It lies here and not with what is shipped, for it is made of the tests' parts: their storport.sys, their Wine, their
programs. Whatever becomes of it, nothing stays: see guard.py.
"""
import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "control"), os.path.join(ROOT, "tests", "lib")]
import images as pictures  # noqa: E402
import prefix as prefixes  # noqa: E402
import rows  # noqa: E402
from place import SHIPPED, Place, judge  # noqa: E402
from prefix import Failure, expect  # noqa: E402

BUILD = os.path.abspath(os.environ.get("LUNGFISH_BUILD") or os.path.join(ROOT, "build"))
TOOLS = ("meson", "ninja", "x86_64-w64-mingw32-gcc", "wine", "wineserver", "mkfs.fat", "mcopy", "xorriso")
STAY_S = 7 * 24 * 3600  # somebody may forget it for the weekend
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
SHOWN = 96  # bytes of a block
DISK_BYTES = 64 << 20
VOLUME_DESCRIPTOR = 16  # the block of a disc that says what it is
# The driver wants Windows 10; Wine is the one that it is told to be.
WINDOWS_10 = '\n[Software\\\\Wine]\n"Version"="win10"\n'
README = b"""This file is on a disk that Lungfish made up.\r
\r
./run --windows made the disk, and takes it away when it ends.\r
"""
REAL = """\
Real: lungfish.sys and lungfish.exe, byte for byte as they are shipped; lungfish.inf, but for the version of Windows that
it names, and without a catalog. Stand-ins: Wine, for Windows; a storport.sys of the tests, for Microsoft's and for what
Wine's kernel lacks. How a real Windows takes the driver, this cannot show."""


class Interrupted(BaseException):
    def __init__(self, number):
        super().__init__(number)
        self.number = number


class Show:
    """What is printed; how long it has taken."""

    def __init__(self):
        self.began = time.monotonic()

    def step(self, text):
        print("[%3d s] %s" % (time.monotonic() - self.began, text), flush=True)

    def output(self, command, text):
        print("> %s\n%s\n" % (command, text.rstrip("\n")), flush=True)


def hexdump(data, address=0):
    lines = []
    for at in range(0, len(data), 16):
        part = data[at:at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append("%08x  %-47s  |%s|" % (address + at, part.hex(" "), text))
    return "\n".join(lines)


def decode_inquiry(data):
    """The names of SPC: a disk or a drive says so itself."""
    kinds = {0: "disk", 5: "CD/DVD drive"}
    kind = data[0] & 31
    return "PERIPHERAL DEVICE TYPE %02xh (%s), RMB %d, VERSION %02xh\n%s '%s', %s '%s', %s '%s'" % (
        kind, kinds.get(kind, "?"), data[1] >> 7, data[2], "VENDOR", data[8:16].decode().rstrip(),
        "PRODUCT", data[16:32].decode().rstrip(), "REVISION", data[32:36].decode().rstrip())


# ---- Before anything is started ----

def arguments():
    parser = argparse.ArgumentParser(
        prog="./run --windows", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Shows Lungfish for Windows on Linux: installs what is missing (apt asks for root), builds\n"
        "lungfish.sys and lungfish.exe, has Wine load the driver beside a stand-in for storport.sys,\n"
        "connects the images, and reads from them by SCSI pass-through. At a terminal it waits then, for\n"
        "you to try things. Ctrl-C ends it; nothing stays, neither of it nor of Wine.",
        epilog="exit status: 0 it was shown; 1 something failed; 2 usage; 128 and a signal's number: that came before\n"
        "the end, and all was taken away.")
    parser.add_argument("--from", dest="out", metavar="DIR", help="show what packaging/windows/build.sh left there; "
                        "nothing but the stand-in is built then")
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="a disk, or, when its name ends in .iso, a disc in a "
                        "CD-ROM drive; without any, one of each is made up")
    return parser.parse_args()


def refuse_bad_images(images):
    for image in images:
        expect(os.path.exists(image), "%s: no such file: name an image that exists" % image)
        expect(os.path.isfile(image), "%s: no file: name an image file" % image)
        expect(os.path.getsize(image), "%s: it is empty: give it a size, truncate -s 1G %s" % (image, shlex.quote(image)))
        expect(os.access(image, os.R_OK), "%s: permission denied: name an image that you may read" % image)


# ---- The demonstration ----

class Demonstration:
    def __init__(self, options, place):
        self.place, self.scratch, self.show = place, place.scratch, Show()
        self.out = os.path.abspath(options.out) if options.out else None
        self.images = [os.path.abspath(image) for image in options.images]
        self.devices = []  # the image of each, its ID, its disk
        self.window = None

    def lungfish(self, *arguments):
        """The command that is shipped: what it prints."""
        code, text, err = self.place.wine.lungfish(*arguments)
        expect(code == 0, err or "lungfish %s: status %d" % (arguments[0], code))
        return text

    def build(self):
        self.show.step("Looking for compilers and Wine")
        done = subprocess.run([os.path.join(ROOT, "tests", "deps", "install"), "windows", "wine"], stdin=subprocess.DEVNULL)
        expect(done.returncode == 0, "the packages could not be installed")
        missing = [tool for tool in TOOLS if not shutil.which(tool)]
        expect(not missing, "not installed: %s: install them first" % " ".join(missing))
        if not self.out:
            self.show.step("Building lungfish.sys and lungfish.exe")
            build = os.path.join(BUILD, "windows-gcc")
            self.out = os.path.join(build, "out")
            self.place.run(os.path.join(ROOT, "packaging", "windows", "build.sh"), "--build", build, self.out)
        self.place.take(self.out)
        self.show.step("Building the stand-in for storport.sys")
        self.place.build()

    def bring(self):
        self.show.step("Making a private Windows, of Wine")
        wine = self.place.wine
        wine.begin()
        with open(os.path.join(wine.path, "user.reg"), "a") as registry:
            registry.write(WINDOWS_10)
        wine.bring(STAY_S, os.environ.get("DISPLAY", ""))
        self.show.step("Installing the driver")
        self.lungfish("driver", "install", prefixes.dos_path(rows.make_inf(self.place)))

    def make_images(self):
        self.show.step("Making a disk and a disc")
        readme = pictures.put(os.path.join(self.scratch, "files"), {"README.TXT": README})
        disk, disc = (os.path.join(self.scratch, name) for name in ("demo-disk.img", "demo-disc.iso"))
        pictures.run("mkfs.fat", "-n", "LUNGFISH", pictures.sparse(disk, DISK_BYTES))
        pictures.run("mcopy", "-i", disk, *readme, "::")
        pictures.run("xorriso", "-as", "mkisofs", "-quiet", "-J", "-R", "-V", "LUNGFISH", "-o", disc, *readme)
        self.images = [disk, disc]

    def connect(self):
        if not self.images:
            self.make_images()
        for image in self.images:
            self.show.step("Connecting " + image)
            kind = ["--cdrom"] if image.lower().endswith(".iso") else []
            name = self.lungfish("connect", *kind, prefixes.dos_path(image)).strip()
            self.devices.append((image, name, self.place.wine.unit(name)))

    def tell(self):
        self.show.step("All is there")
        print("\n%s\n" % REAL)
        self.show.output("lungfish list", self.lungfish("list"))
        for image, name, disk in self.devices:
            self.tell_device(image, name, disk)

    def tell_device(self, image, name, disk):
        """What its unit says of itself, and a block that says what the image is: by pass-through, as any program may."""
        wine = self.place.wine
        inquiry = wine.good(disk, rows.INQUIRY, 255)
        self.show.output("INQUIRY to %s, \\\\.\\%s" % (name, disk), decode_inquiry(inquiry) + "\n" + hexdump(inquiry[:36]))
        capacity = wine.good(disk, rows.READ_CAPACITY_10, 8)
        block = int.from_bytes(capacity[4:], "big")
        number = VOLUME_DESCRIPTOR if inquiry[0] & 31 == prefixes.CDROM else 0
        number = min(number, int.from_bytes(capacity[:4], "big"))
        cdb = bytes([0x28, 0]) + number.to_bytes(4, "big") + bytes([0, 0, 1, 0])
        data = wine.good(disk, cdb, block)
        with open(image, "rb") as file:
            file.seek(number * block)
            expect(file.read(block) == data and len(data) == block, "block %d is not what %s has" % (number, image))
        self.show.output("READ (10) from %s, block %d" % (name, number), "%s\nIts %d bytes are those of the image." % (
            hexdump(data[:SHOWN], number * block), block))

    # ---- What may be tried ----

    def wait(self):
        wine = self.place.wine
        window = os.path.join(self.place.shipped, "lungfish-gui.exe")
        if wine.env["DISPLAY"] and os.path.exists(window):
            self.show.step("Opening the window")
            self.window, _ = wine.start(window)
        if not sys.stdin.isatty():
            return
        command = self.make_command()
        self.show.step("Try, in another terminal:\n")
        print("  %s show %s" % (command, self.devices[0][1]))
        print("  truncate -s 1G new.img && %s connect new.img" % command)
        print("  %s list\n" % command)
        print("Enter or Ctrl-C ends it. ", end="", flush=True)
        try:
            sys.stdin.readline()
        except Interrupted as interrupted:
            if interrupted.number != signal.SIGINT:
                raise
            print()

    def make_command(self):
        """For a shell: lungfish.exe in this Wine. It takes paths of Linux, for its drive Z: is the whole machine."""
        path = os.path.join(self.scratch, "lungfish")
        with open(path, "w") as file:
            file.write("#!/bin/sh\nTMPDIR=%s WINEPREFIX=%s WINEDEBUG=-all exec wine %s \"$@\"\n" % tuple(
                shlex.quote(word) for word in (self.scratch, self.place.wine.path,
                                               os.path.join(self.place.shipped, "lungfish.exe"))))
        os.chmod(path, 0o755)
        return path

    def stop(self):
        wine = self.place.wine
        if self.window:
            wine.kill(self.window)
        self.show.step("Disconnecting all")
        self.lungfish("disconnect", "--all")
        self.show.step("Removing the driver")
        self.lungfish("driver", "remove")
        wine.wait_log("^unloaded, 0 bytes")
        problems, _ = judge(wine)
        expect(not problems, "the stand-in holds against the driver:\n" + "\n".join(problems))

    def run(self):
        self.build()
        self.bring()
        self.connect()
        self.tell()
        self.wait()
        self.stop()


def interrupt(number, _):
    """Once: what takes all away is not to be interrupted."""
    for other in SIGNALS:
        signal.signal(other, lambda *_: None)
    raise Interrupted(number)


def demonstrate(options):
    scratch = tempfile.mkdtemp(prefix="lungfish-")
    try:
        place = Place(scratch, os.path.join(BUILD, "windows-standin"))
    except BaseException:
        shutil.rmtree(scratch)
        raise
    demonstration = Demonstration(options, place)
    try:
        demonstration.run()
        demonstration.show.step("Stopping Wine, taking %s away" % scratch)
    except Failure:
        print("\n    ".join(["Wine said last:"] + place.wine.wine_said()), file=sys.stderr)
        raise
    finally:
        place.wine.close()
    demonstration.show.step("Done")


def main():
    options = arguments()
    for number in SIGNALS:
        signal.signal(number, interrupt)
    try:
        refuse_bad_images(options.images)
        demonstrate(options)
    except Interrupted as interrupted:
        print("run: interrupted: all was taken away", file=sys.stderr)
        return 128 + interrupted.number
    except (Failure, OSError, RuntimeError, subprocess.SubprocessError) as failure:
        print("run: %s" % failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
