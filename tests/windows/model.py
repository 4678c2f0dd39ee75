#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-gcc
"""The window's model under Wine, with the shipped driver below it: tests/windows/model plays the window.

What Wine does not have is not seen here: it knows no parents of devices, so that no disk has a name of Windows', and
nobody can veto a disconnect but the program itself.
"""
import json
import os
import re
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", part) for part in ("storport/wine", "control", "lib")]
import prefix as prefixes  # noqa: E402
import rows  # noqa: E402
import wine as wines  # noqa: E402
from place import Place  # noqa: E402
from prefix import dos_path, expect  # noqa: E402

PROGRAM = os.path.join(wines.BUILD, "tests", "windows", "model", "model.exe")
DONE, FAILED, NOT_FOUND, BUSY, PERMISSION, NO_ADAPTER = 0, 1, 3, 4, 5, 6


def model(place, *words):
    """The lines that it prints before "done"."""
    code, out = place.wine.wine(PROGRAM, *words)
    lines = out.splitlines()
    expect(code == 0 and lines and lines[-1] == "done", "model %s: status %d, %s" % (" ".join(words), code, out))
    return lines[:-1]


def results(lines):
    """(status, message) of each action."""
    return [(int(line.split(" ", 1)[0]), line.split(" ", 1)[1]) for line in lines]


def the_driver_is_installed(place):
    rows.install(place)


def sign(place, name):
    """A file that is not there yet."""
    return os.path.join(place.scratch, "sign-" + name)


def show_one(place, image, name):
    """What a list shows of it while it is connected, and what the command does."""
    wine = place.wine
    disconnect = sign(place, name)
    running = wine.start(PROGRAM, "connect", dos_path(image), name, dos_path(disconnect))
    wine.wait_output(running[1], "kept")
    _, listed, _ = wine.lungfish("list", "--noheadings", "--output", "KEPT", name)
    open(disconnect, "w").close()
    code, out = wine.end(*running)
    lines = out.splitlines()
    expect(code == 0 and lines[-1] == "done", out)
    wine.wait_no_devices()
    return lines[:-1], listed.strip()


def a_device_comes_and_goes(place):
    image = place.images.blank("comes \u00e4.img")
    shown = show_one(place, image, "comes")
    expect(shown == (["0 ", "%s 4194304 not kept" % dos_path(image), "0 "], "0"), shown)


def a_device_is_kept(place):
    """Until it is disconnected."""
    image = place.images.blank("kept.img")
    shown = show_one(place, image, "kept")
    expect(shown == (["0 ", "%s 4194304 kept" % dos_path(image), "0 "], "1"), shown)
    code, out, err = place.wine.lungfish("service", "status", "--json")
    expect("kept.img" not in out, "%d %r %r" % (code, out, err))


def errors_come_back_whole(place):
    taken = place.images.blank("taken.img")
    place.wine.connect(taken, "taken")
    folder = os.path.dirname(taken)
    # One that no short message has room for.
    long = dos_path(os.path.join(folder, *["d" * 100] * 6, "none.img"))
    missing = dos_path(os.path.join(folder, "none.img"))
    odd = place.images.path("odd.img")
    with open(odd, "wb") as file:
        file.write(bytes(1000))
    got = results(model(place, "errors", dos_path(taken), missing, long, dos_path(folder), dos_path(odd), "C:relative?"))
    wanted = [
        (BUSY, dos_path(taken) + ": already connected as taken: disconnect it first"),
        (NOT_FOUND, missing + ": no such file: name one that exists"),
        (NOT_FOUND, long + ": no such directory or drive: "),
        (FAILED, dos_path(folder) + ": it is a directory: name an image file"),
        (FAILED, dos_path(odd) + ": "),
        (FAILED, "C:relative?: "),
        (NOT_FOUND, "nobody: "),  # disconnect
        (NOT_FOUND, "nobody: "),  # eject
        (NOT_FOUND, "nobody: "),  # insert
        (NOT_FOUND, "nobody: "),  # resize
        (NOT_FOUND, "nobody: "),  # properties
        (PERMISSION, "lungfish.inf: Windows refused it: sign it"),  # install
    ]
    expect(len(got) == len(wanted), got)
    for (status, message), (want, start) in zip(got, wanted):
        expect(status == want and message.startswith(start), "%d %r, not %d %r" % (status, message, want, start))
        expect(message.count(": ") >= 2, "no object, cause and remedy: %r" % message)
    # The same words as the command's.
    code, _, err = place.wine.lungfish("connect", missing)
    expect(code == NOT_FOUND and err == "lungfish: connect: " + got[1][1], "%r, %r" % (err, got[1]))
    place.wine.disconnect("taken")
    place.wine.wait_no_devices()


def rates_rise_and_fall(place):
    disk = place.wine.connect(place.images.blank("read.img"), "read")
    lines = [line.split() for line in model(place, "rates", disk, "read")]
    rest, moves, rest_after, read = [(line[0], *map(int, line[1:])) for line in lines]
    expect((rest[0], moves[0], rest_after[0], read[0]) == ("rests", "moves", "rests", "read"), lines)
    expect(moves[3] > 0 and abs(moves[4] - moves[3] * 65536) <= 65536, "a second: %s" % (moves,))
    expect(rest_after[1] - rest[1] >= read[1] and rest_after[2] - rest[2] == read[2], lines)
    place.wine.disconnect("read")
    place.wine.wait_no_devices()


def properties_are_what_show_knows(place):
    image = place.images.blank("known.img")
    place.wine.connect(image, "known")
    lines = model(place, "properties", "known")
    expect(lines[0] == "0 " and lines[1] == "Device", lines[:2])
    code, out, _ = place.wine.lungfish("show", "--json", "known")
    device = json.loads(out)["devices"][0]
    for line in ("  ID: known", "  size: 4M (4194304 bytes)", "  block size: 512 bytes", "  image: " + dos_path(image),
                 "  NAA: " + device["naa"], "Counters since it was connected", "  80: Unit Serial Number",
                 "    serial number: " + device["serial"], "  READ (10): opcode 28, CDB length 10"):
        expect(line in lines, "no %r in %s" % (line, lines))
    pages = [line for line in lines if re.match(r"  [0-9a-f]{2}: \S", line)]
    expect(len(pages) == len(device["vpd"]) + len(device["mode"]), pages)
    expect(len([line for line in lines if ": opcode " in line]) == len(device["commands"]), "commands are missing")
    place.wine.disconnect("known")
    place.wine.wait_no_devices()


def a_medium_comes_and_goes(place):
    code, _, err = place.wine.lungfish("connect", "--cdrom", dos_path(place.images.iso), "drive")
    expect(code == 0, err)
    expect(model(place, "drive", "drive", dos_path(place.images.iso)) == ["0 "] * 3, "eject, insert, eject")
    expect(place.wine.show("drive")["image"] == "", "the medium is in it")
    place.wine.disconnect("drive")
    place.wine.wait_no_devices()


def a_disk_grows(place):
    image = place.images.blank("grows.img")
    place.wine.connect(image, "grows")
    os.truncate(image, 6 << 20)
    expect(model(place, "resize", "grows") == ["0 ", str(6 << 20)], "not resized")
    place.wine.disconnect("grows")
    place.wine.wait_no_devices()


def force_when_nobody_can_be_asked(place):
    """The name of the port says nothing of which disks are its."""
    place.wine.connect(place.images.blank("forced.img"), "forced")
    (status, message), forced = results(model(place, "force", "\\\\.\\Scsi20:", "forced"))
    expect(status == FAILED and message.startswith("forced: nobody can be asked to let go of it"), message)
    expect(forced == (DONE, ""), forced)
    place.wine.wait_no_devices()


def a_veto_says_who_and_force_asks_nobody(place):
    """Wine has nobody who vetoes: the program plays him."""
    place.wine.connect(place.images.blank("needed.img"), "needed")
    got = results(model(place, "force", "-", "needed"))
    expect(got == [(BUSY, "needed: in use: the program or service notes forbids it: close it"), (DONE, "")], got)
    place.wine.wait_no_devices()


def nothing_is_asked_while_nobody_watches(place):
    place.wine.connect(place.images.blank("alone.img"), "alone")
    model(place, "pause", "alone")
    place.wine.disconnect("alone")
    place.wine.wait_no_devices()


def stopping_in_the_middle_of_actions(place):
    """None of them ends while the file system does not let go; nothing is posted, and the model ends."""
    wine = place.wine
    image = place.images.blank("stuck.img")
    go, end = sign(place, "go"), sign(place, "end")
    before = wine.state()
    wine.ctl("set", "hold_opens", 1)
    running = wine.start(PROGRAM, "stop", dos_path(image), dos_path(go), dos_path(end))
    wine.wait_output(running[1], "waiting")
    wine.wait_state(service=16)
    open(go, "w").close()
    wine.wait_output(running[1], "stopped")
    wine.wait_state(service=0)  # by the model, not by the end of its program
    open(end, "w").close()
    code, out = wine.end(*running)
    expect(code == 0 and out.splitlines()[-1] == "done", out)
    wine.ctl("set", "hold_opens", 0)
    wine.wait_state(handles=before["handles"], tokens=before["tokens"])
    wine.wait_no_devices()


def wait_line(path, pattern, after):
    """The number of the first line behind that one that is like it."""
    end = time.monotonic() + prefixes.WAIT_S
    while time.monotonic() < end:
        with open(path) as file:
            lines = file.read().splitlines()
        for number, line in enumerate(lines[after:], after):
            if re.match(pattern, line):
                return number
        time.sleep(0.05)
    raise prefixes.Failure("no line like %r behind %d: %s" % (pattern, after, lines))


def the_adapter_goes_and_comes_back(place):
    wine = place.wine
    end = sign(place, "watch")
    watching = wine.start(PROGRAM, "watch", dos_path(end))
    seen = wait_line(watching[1], "status 0, 0: $", 0)
    rows.unload(place)
    seen = wait_line(watching[1], "status 6, 0: adapter: no adapter answers there: ", seen)
    rows.install(place)
    seen = wait_line(watching[1], "status 0, 0: $", seen)
    wine.connect(place.images.blank("back.img"), "back")
    wait_line(watching[1], "status 0, 1: $", seen)
    open(end, "w").close()
    code, out = wine.end(*watching)
    expect(code == 0 and out.splitlines()[-1] == "done", out)
    wine.disconnect("back")
    wine.wait_no_devices()


def nothing_is_left_of_many_models(place):
    image = place.images.blank("leaks.img")
    place.wine.connect(image, "leaks")
    model(place, "leaks", dos_path(image))
    place.wine.disconnect("leaks")
    place.wine.wait_no_devices()


CASES = [
    wines.wine_comes_up,
    the_driver_is_installed,
    a_device_comes_and_goes,
    a_device_is_kept,
    errors_come_back_whole,
    rates_rise_and_fall,
    properties_are_what_show_knows,
    a_medium_comes_and_goes,
    a_disk_grows,
    force_when_nobody_can_be_asked,
    a_veto_says_who_and_force_asks_nobody,
    nothing_is_asked_while_nobody_watches,
    stopping_in_the_middle_of_actions,
    the_adapter_goes_and_comes_back,
    nothing_is_left_of_many_models,
]


def main():
    missing = prefixes.missing_tools()
    if missing:
        for case in CASES:
            print("skip %s: not installed: %s" % (case.__name__, " ".join(missing)))
        return 0
    place = Place(tempfile.mkdtemp(prefix="model", dir=os.environ.get("TMPDIR", "/tmp")))
    footing = CASES[:2]
    try:
        return 1 if wines.run_cases(place, footing + [case for case in CASES[2:] if not sys.argv[1:] or
                                                      case.__name__ in sys.argv[1:]]) else 0
    finally:
        place.wine.close()


if __name__ == "__main__":
    sys.exit(main())
