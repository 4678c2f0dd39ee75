#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-gcc
"""Connections that are kept, and the service that connects them again: lungfish.exe and lungfish.sys as they are
shipped, Wine's registry and services. The cases run in their order: each finds what those before it have left.

Wine tells of an adapter that comes and not of volumes, knows no sleep and no shutdown of services: for these the
service's own control (see docs/windows.md) does what the shutdown does, and tests/unit/test_service_plan.c has the
rest."""
import json
import os
import re
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", part) for part in ("storport/wine", "control", "lib")]
import prefix as prefixes  # noqa: E402
import rows  # noqa: E402
import wine as proving  # noqa: E402
from prefix import expect  # noqa: E402

KEPT = "HKLM\\Software\\Lungfish\\Connections"
SERVICE = "HKLM\\System\\CurrentControlSet\\Services\\LungfishConnections"
SOURCE = "HKLM\\System\\CurrentControlSet\\Services\\EventLog\\Application\\Lungfish"
NAME = "LungfishConnections"
DEPART = 128
SOON_S = 150  # what takes a retry or two, whose pauses grow


def command(place, *arguments, wanted=0):
    code, out, err = place.wine.lungfish(*arguments)
    expect(code == wanted, "%s: status %d, %r, %r" % (" ".join(arguments), code, out, err))
    return out if wanted == 0 else err


def listed(place):
    return {device["id"]: device for device in json.loads(command(place, "list", "-J"))["devices"]}


def status(place):
    return json.loads(command(place, "service", "status", "-J"))


def kept(place):
    return {one["id"]: one for one in status(place)["kept"]}


def has_key(place, key):
    return place.wine.wine("reg", "query", key)[0] == 0


def put(place, name, value, kind, data):
    code, out = place.wine.wine("reg", "add", KEPT + "\\" + name, "/v", value, "/t", kind, "/d", data, "/f")
    expect(code == 0, out)


def wait_connected(place, *names, seconds=SOON_S):
    end = time.monotonic() + seconds
    while not set(names) <= set(listed(place)):
        expect(time.monotonic() < end, "not connected: %s; there are %s" % (names, sorted(listed(place))))
        time.sleep(0.2)


def wine_comes_up(place):
    proving.wine_comes_up(place)
    rows.install(place)


# ---- Records ----

def persist_writes_what_it_takes(place):
    place.disk = place.images.blank("disk.img")
    out = command(place, "connect", "--persist", "--read-only", "--physical-size", "4096", "--lun", "7", "--serial", "S1",
                  "--vendor", "ACME", "--product", "Roof", "--rotation", "7200", "--write-cache", "off",
                  prefixes.dos_path(place.disk), "disk")
    expect(out.strip() == "disk", out)
    err = place.wine.lungfish("connect", "--persist", prefixes.dos_path(place.images.blank("warned.img")))[2]
    expect("warned: warning: it is kept, but nothing connects it again" in err, err)
    command(place, "disconnect", "warned")
    place.wine.connect(place.images.blank("other.img"), "other")
    key = KEPT + "\\disk"
    found = {name: rows.query(place.wine, key, name) for name in
             ("Version", "Flags", "Type", "Lun", "PhysicalBlockSize", "Rotation", "Serial", "Vendor", "Product", "Image")}
    expect(found == {"Version": "0x1", "Flags": "0x9", "Type": "0x0", "Lun": "0x7", "PhysicalBlockSize": "0x1000",
                     "Rotation": "0x1c20", "Serial": "S1", "Vendor": "ACME", "Product": "Roof",
                     "Image": prefixes.nt_path(place.disk)}, found)
    devices = listed(place)
    expect(devices["disk"]["kept"] is True and devices["other"]["kept"] is False, devices)
    out = command(place, "list", "-n", "-o", "ID,KEPT")
    expect([line.split() for line in out.splitlines()] == [["disk", "1"], ["other", "0"]], out)
    expect(not has_key(place, KEPT + "\\other"), "it was not to be kept")


def a_mapped_drive_is_warned_of(place):
    os.symlink(place.images.folder, os.path.join(place.wine.path, "dosdevices", "y:"))
    code, out = place.wine.wine("reg", "add", "HKLM\\Software\\Wine\\Drives", "/v", "y:", "/d", "network", "/f")
    expect(code == 0, out)
    place.wine.restart()
    end = time.monotonic() + SOON_S
    while place.wine.lungfish("identify")[0] != 0:
        expect(time.monotonic() < end, "the adapter does not come")
        time.sleep(0.2)
    place.images.blank("mapped.img")
    code, _, err = place.wine.lungfish("connect", "--persist", "Y:\\mapped.img")
    expect(code == 0 and "does not see drives that you have mapped" in err, (code, err))
    command(place, "disconnect", "mapped")


def disconnect_takes_the_record_away(place):
    command(place, "disconnect", "other")
    expect(has_key(place, KEPT + "\\disk"), "the record of another is gone")
    command(place, "disconnect", "disk")
    expect(not has_key(place, KEPT + "\\disk"), "the record is there still")


def an_image_is_kept_once(place):
    """Under the name that it was connected by last; names that differ in case alone are one to the registry."""
    path = prefixes.dos_path(place.disk)
    command(place, "connect", "--persist", path, "first")
    place.wine.must(prefixes.select_message(prefixes.harness.DISCONNECT, "first"))  # nobody takes the record away
    command(place, "connect", "--persist", path, "second")
    expect(set(kept(place)) == {"second"}, kept(place))
    out, err = place.wine.lungfish("connect", "--persist", prefixes.dos_path(place.images.blank("third.img")), "SECOND")[1:]
    expect(out.strip() == "SECOND" and "differs in case" in err, (out, err))
    expect(set(kept(place)) == {"second"}, kept(place))
    command(place, "disconnect", "second", "SECOND")
    expect(kept(place) == {}, kept(place))


def a_drive_is_kept_with_what_is_in_it(place):
    iso, path = place.images.iso, prefixes.dos_path(place.images.iso)
    command(place, "connect", "--persist", "--cdrom", path, "drive")
    expect(kept(place)["drive"]["image"] == prefixes.dos_path(iso), kept(place))
    command(place, "eject", "drive")
    expect(kept(place)["drive"]["image"] is None, kept(place))
    command(place, "insert", "drive", path)
    expect(kept(place)["drive"]["image"] == prefixes.dos_path(iso), kept(place))
    command(place, "disconnect", "drive")
    expect(kept(place) == {}, kept(place))
    command(place, "connect", "--persist", "--cdrom")  # an empty one
    expect(kept(place)["cdrom"]["image"] is None, kept(place))


def damaged_records_are_passed_over(place):
    command(place, "connect", "--persist", prefixes.dos_path(place.disk), "disk")
    for name, value, kind, data in (
            ("half", "Image", "REG_SZ", "\\??\\Z:\\half.img"), ("later", "Version", "REG_DWORD", "2"),
            ("kind", "Version", "REG_SZ", "1"), ("7", "Version", "REG_DWORD", "1")):
        put(place, name, value, kind, data)
    for name, value, kind, data in (
            ("flags", "Flags", "REG_DWORD", "0x80000000"), ("type", "Type", "REG_DWORD", "3"),
            ("block", "BlockSize", "REG_DWORD", "513"), ("turns", "Rotation", "REG_DWORD", "65536"),
            ("text", "Serial", "REG_BINARY", "410042"), ("open", "Vendor", "REG_BINARY", "41004200"),
            ("long", "Serial", "REG_SZ", "x" * 500), ("path", "Image", "REG_SZ", "\\??\\PhysicalDrive0"),
            ("lun", "Lun", "REG_DWORD", "16384")):
        code, out = place.wine.wine("reg", "copy", KEPT + "\\disk", KEPT + "\\" + name, "/f")
        expect(code == 0, out)
        put(place, name, value, kind, data)
    found = status(place)
    expect({one["id"]: one["connected"] for one in found["kept"]} == {"cdrom": True, "disk": True}, found)
    damaged = {one["id"]: one["message"] for one in found["damaged"]}
    expect(set(damaged) == {"half", "later", "kind", "7", "flags", "type", "block", "turns", "text", "open", "long", "path",
                            "lun"}, damaged)
    expect(all(": lungfish service forget takes it away" in text for text in damaged.values()), damaged)
    _, _, err = place.wine.lungfish("service", "status")
    expect(len(re.findall(r"^lungfish: service status: \w+: warning: ", err, re.M)) == len(damaged), err)


def their_number_has_a_limit(place):
    """What is one too many is connected, named, and not kept."""
    text = "Windows Registry Editor Version 5.00\r\n\r\n" + "".join(
        "[HKEY_LOCAL_MACHINE\\Software\\Lungfish\\Connections\\full-%d]\r\n\r\n" % number for number in range(256))
    code, out = place.wine.wine("reg", "import", prefixes.dos_path(place.wine.file(text.encode("utf-16"))))
    expect(code == 0, out)
    code, out, err = place.wine.lungfish("connect", "--persist", prefixes.dos_path(place.images.blank("many.img")))
    expect((code, out.strip()) == (1, "many") and "connected, but not kept: too many are kept" in err, (code, out, err))
    expect(listed(place)["many"]["kept"] is False and not has_key(place, KEPT + "\\many"), listed(place))
    command(place, "disconnect", "many")
    code, out = place.wine.wine("reg", "delete", KEPT, "/f")
    expect(code == 0, out)
    command(place, "disconnect", "--all")


# ---- The service ----

def an_account_has_its_password_from_standard_input(place):
    err = command(place, "service", "install", "--account", "somebody", wanted=2)
    expect("its password is missing" in err and not has_key(place, SERVICE), err)
    secret = place.wine.file(b"pass word\r\n")
    code, _, err = place.wine.lungfish("service", "install", "--account", "somebody", stdin=secret)
    expect(code == 0, "status %d, %r" % (code, err))
    found = status(place)["service"]
    expect(found["account"] == ".\\somebody", found)
    command(place, "service", "remove")
    expect(not has_key(place, SERVICE) and not has_key(place, SOURCE), "something is left")


def install_starts_it(place):
    command(place, "service", "install")
    found = status(place)["service"]
    expect(found["installed"] and found["state"] == "running" and found["process_id"], found)
    expect(rows.query(place.wine, SERVICE, "Start") == "0x2", "it does not start by itself")
    expect(rows.query(place.wine, SERVICE, "ImagePath").endswith('lungfish.exe" service run'), "it starts something else")
    expect(rows.query(place.wine, SERVICE, "PreshutdownTimeout") == "0x2bf20", "a shutdown does not wait for it")
    expect(has_key(place, SERVICE) and rows.query(place.wine, SERVICE, "Description").startswith("Connects the disk images"),
           "nobody says what it is")
    expect("EventCreate.exe" in rows.query(place.wine, SOURCE, "EventMessageFile"), "the event log cannot show its words")
    err = command(place, "service", "install", wanted=4)
    expect("installed already" in err, err)


def it_connects_again_when_the_adapter_comes(place):
    """And no damaged record keeps it from that."""
    before = place.wine.show("disk")
    rows.unload(place)
    rows.begin(place)
    place.wine.wait_log("^started")
    wait_connected(place, "cdrom", "disk")
    expect(listed(place)["cdrom"]["state"] == "empty", listed(place))
    after = place.wine.show("disk")
    expect((after["id"], after["identifier"], after["image"]) == (before["id"], before["identifier"], before["image"]),
           (before, after))


def it_connects_an_image_that_comes_later(place):
    """The pause between its attempts grows: what came late is there within twice the time that it was away."""
    late = place.images.blank("late.img")
    command(place, "connect", "--persist", prefixes.dos_path(late), "late")
    os.rename(late, late + ".away")
    rows.unload(place)
    rows.begin(place)
    place.wine.wait_log("^started")
    wait_connected(place, "disk")
    expect("late" not in listed(place), "it is there without its image")
    os.rename(late + ".away", late)
    wait_connected(place, "late")


def it_connects_again_after_a_restart(place):
    """Wine's services begin anew, and find the adapter's device and the service to start by themselves."""
    before = place.wine.show("disk")
    place.wine.restart()
    wait_connected(place, "cdrom", "disk", "late")
    expect(place.wine.show("disk")["identifier"] == before["identifier"], "it is another disk")
    expect(status(place)["service"]["state"] == "running", status(place))


def stop_leaves_the_disks(place):
    place.wine.setup("stop", NAME)
    expect(status(place)["service"]["state"] == "stopped", status(place))
    expect(set(listed(place)) == {"cdrom", "disk", "late"}, listed(place))


def a_shutdown_disconnects_all(place):
    """What is not kept as well; and all that was kept is so still, and comes back."""
    place.wine.connect(place.images.blank("guest.img"), "guest")
    place.wine.setup("start", NAME)
    before = set(kept(place))
    place.wine.setup("control", NAME, str(DEPART))
    expect(status(place)["service"]["state"] == "stopped", status(place))
    expect(listed(place) == {}, listed(place))
    place.wine.wait_state(handles=0)
    expect(set(kept(place)) == before == {"cdrom", "disk", "late"}, kept(place))
    place.wine.setup("start", NAME)
    wait_connected(place, "cdrom", "disk", "late")


def forget_leaves_the_device(place):
    command(place, "service", "forget", "half", prefixes.dos_path(place.images.path("late.img")))
    expect(set(kept(place)) == {"cdrom", "disk"} and "half" not in {one["id"] for one in status(place)["damaged"]}, status(place))
    expect("late" in listed(place), "it was disconnected")
    err = command(place, "service", "forget", "half", wanted=3)
    expect("it is not kept" in err, err)


def remove_leaves_nothing(place):
    command(place, "service", "remove")
    expect(not has_key(place, SERVICE) and not has_key(place, SOURCE), "something is left")
    expect(status(place)["service"]["installed"] is False, status(place))
    expect(has_key(place, KEPT + "\\disk"), "what is kept was not its own")
    err = command(place, "service", "remove", wanted=3)
    expect("not installed" in err, err)


def in_a_console_it_says_what_it_does(place):
    command(place, "disconnect", "late")
    place.wine.must(prefixes.select_message(prefixes.harness.DISCONNECT, "disk"))
    out = os.path.join(place.scratch, "console")
    program = os.path.join(place.shipped, "lungfish.exe")
    process = place.wine.launch(os.devnull, out, program, "service", "run")
    place.wine.wait_output(out, "type: a kept connection")
    with open(out) as file:
        text = file.read()
    expect("in a console" in text and text.count("disk: connected") == 1 and text.count("flags: a kept connection that is damaged") == 1, text)
    place.wine.kill(process)
    expect("disk" in listed(place), "it went with the console")


CASES = [persist_writes_what_it_takes, disconnect_takes_the_record_away, an_image_is_kept_once, a_mapped_drive_is_warned_of,
         their_number_has_a_limit, a_drive_is_kept_with_what_is_in_it, damaged_records_are_passed_over,
         an_account_has_its_password_from_standard_input, install_starts_it,
         it_connects_again_when_the_adapter_comes, it_connects_an_image_that_comes_later,
         it_connects_again_after_a_restart, stop_leaves_the_disks,
         a_shutdown_disconnects_all, forget_leaves_the_device, remove_leaves_nothing, in_a_console_it_says_what_it_does]


def run(case, place):
    problem, start = None, time.monotonic()
    try:
        case(place)
    except prefixes.Failure as failure:
        problem = str(failure)
    except Exception:  # pylint: disable=broad-except
        problem = traceback.format_exc()
    held, _ = proving.judge(place.wine)
    problem = "\n".join(([problem] if problem else []) + held)
    if problem:
        print("# " + problem.replace("\n", "\n# "))
    print("%s service_%s" % ("not ok" if problem else "ok", case.__name__), flush=True)
    if "LF_TIMES" in os.environ:
        print("# %.1f s" % (time.monotonic() - start), flush=True)
    return problem


def main():
    missing = prefixes.missing_tools()
    if missing:
        for case in [wine_comes_up, *CASES]:
            print("skip service_%s: not installed: %s" % (case.__name__, " ".join(missing)))
        return 0
    place = proving.Place(tempfile.mkdtemp(prefix="service", dir=os.environ.get("TMPDIR", "/tmp")))
    try:
        return 1 if run(wine_comes_up, place) or [case for case in CASES if run(case, place)] else 0
    finally:
        place.wine.close()


if __name__ == "__main__":
    sys.exit(main())
