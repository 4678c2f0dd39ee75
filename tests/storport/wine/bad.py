# SPDX-License-Identifier: BSD-2-Clause
"""For wine.py: what must not be asked, or not so: each with its status, and words that say why."""
import os
import struct

import harness
import prefix as prefixes
from prefix import BUSY, FAILED, INVALID, NOT_FOUND, connect_message, expect, nt_path

INVALID_DEVICE_REQUEST, INVALID_PARAMETER, BUFFER_TOO_SMALL = 0xc0000010, 0xc000000d, 0xc0000023
ACCESS_DENIED, NO_MEMORY = 0xc0000022, 0xc000009a
IDENTIFY = harness.header(harness.IDENTIFY, 16)


def refused(place, message, status, *words):
    """The reply has this status, and a text with these words; nothing was connected."""
    answer, text = place.wine.ask(message)
    expect(answer == status, "status %d, not %d: %s" % (answer, status, text))
    for word in words:
        expect(word in text, "%r is not in %r" % (word, text))


def control_codes(place):
    wine = place.wine
    for code in (0x4d008, 0x4d03c, 0x4d030, 0x222000, 0x70000):
        status, _ = wine.send(IDENTIFY, code=code)
        expect(status == INVALID_DEVICE_REQUEST, "%x: %08x" % (code, status))
    status, _ = wine.send(harness.header(harness.IDENTIFY, 16, magic=b"LSFH"))
    expect(status == INVALID_DEVICE_REQUEST, "another magic number: %08x" % status)
    refused(place, harness.header(99, 16), prefixes.UNSUPPORTED, "command 99")


def lengths_and_versions(place):
    wine = place.wine
    for length in (1, 4, 15):
        status, _ = wine.send(IDENTIFY[:length])
        expect(status == INVALID_PARAMETER, "%d bytes: %08x" % (length, status))
    status, _ = wine.send(harness.header(harness.IDENTIFY, 65537).ljust(65537, b"\0"))
    expect(status == INVALID_PARAMETER, "65537 bytes: %08x" % status)
    for room in (0, 15, 119):
        status, _ = wine.send(IDENTIFY, room=room)
        expect(status == BUFFER_TOO_SMALL, "room for %d bytes: %08x" % (room, status))
    status, _ = wine.send(connect_message(place.images.blank("unsaid.img"), "unsaid"), room=64)
    expect(status == BUFFER_TOO_SMALL, "a connection without room for the answer: %08x" % status)
    refused(place, harness.header(harness.IDENTIFY, 17), INVALID)
    refused(place, harness.header(harness.IDENTIFY, 16) + b"\0", INVALID)
    message = connect_message(place.images.path("unsaid.img"), "unsaid")
    refused(place, message[:-1], INVALID)
    refused(place, message + b"\0", INVALID)
    for version in (0, 2, 65535):
        status, reply = wine.send(harness.header(harness.IDENTIFY, 16, version=version))
        expect(status == 0 and struct.unpack_from("<I", reply, 12)[0] == prefixes.BAD_VERSION, (version, reply))
        expect(struct.unpack_from("<HH", reply, 16) == (1, 1), "which versions are spoken")
    expect(wine.state()["handles"] == 0, "a file was opened")


def paths(place):
    images = place.images
    images.blank("odd.img")
    for raw in (b"odd.img", b"Z:\\odd.img", b"\\odd.img", b"\\??\\", b"\\??\\Z:", b"\\??\\Z:\\", b"\\??\\Z:odd.img",
                b"\\??\\UNC\\server\\share", b"\\??\\UNC\\;LanmanRedirector\\server\\share\\odd.img",
                b"\\??\\PhysicalDrive0", b"\\??\\GLOBALROOT\\Device\\Null", b"\\??\\pipe\\odd.img", b"\\??\\Volume{1}",
                b"\\Device\\Harddisk0\\odd.img", b"\\??\\Z:\\tmp\\..\\odd.img", b"\\??\\Z:\\tmp\\\\odd.img",
                b"\\??\\Z:/tmp/odd.img", nt_path(images.path("odd.img")).encode() + b" ",
                nt_path(images.path("odd.img")).encode() + b":stream"):
        refused(place, connect_message("", "odd", raw_path=raw), INVALID, "path")
    whole = connect_message(images.path("odd.img"), "odd")
    # The path: a NUL inside; no zero at the end; a length beyond its room; not UTF-8.
    for raw, length in ((b"\\??\\Z:\\a\0b", 9), (b"\\??\\Z:\\" + b"a" * 4095, 4102), (b"\\??\\Z:\\a", 65535),
                        (b"\\??\\Z:\\\xff\xfe", 9)):
        refused(place, whole[:192] + struct.pack("<H", length) + raw.ljust(4102, b"\0"), INVALID)


def files(place):
    wine, images = place.wine, place.images
    refused(place, connect_message(images.path("nowhere.img"), "x"), NOT_FOUND, "no such file")
    refused(place, connect_message(images.path("none/at/all.img"), "x"), NOT_FOUND)
    refused(place, connect_message(images.folder, "x"), INVALID, "directory")
    refused(place, connect_message("/dev/null", "x"), INVALID)
    refused(place, connect_message(images.blank("empty.img", 0), "x"), INVALID, "empty")
    refused(place, connect_message(images.blank("odd-size.img", 1000), "x"), INVALID, "multiple")
    image = images.blank("good.img")
    refused(place, connect_message(image, "x", block_size=1000), INVALID)
    locked = images.blank("held.img")
    wine.count += 1
    sign = os.path.join(wine.scratch, "sign-%d" % wine.count)
    holder = wine.start(wine.own("pt"), wine.script(["hold " + prefixes.dos_path(locked), "wait " + sign]))
    wine.wait_output(holder[1], "opened")
    refused(place, connect_message(locked, "x"), BUSY, "in use by another program")
    open(sign, "w").close()
    wine.end(*holder)
    for attribute, word in ((0x800, "compressed"), (0x4000, "encrypted"), (0x1000, "in the cloud")):
        switched(place, "attributes", attribute, 0, connect_message(image, "x"), prefixes.UNSUPPORTED, word)
    switched(place, "sector", 4096, 512, connect_message(image, "x"), INVALID, "4096")
    wine.must(connect_message(image, "good"))
    for message, words in ((connect_message(image, "again"), "already connected as good: disconnect it first"),
                           (connect_message(images.blank("other.img"), "good"), "the name good is taken")):
        answer, text = wine.ask(message)
        expect(answer == BUSY and words in text, "connected already: %d %s" % (answer, text))
    code, out, err = wine.lungfish("connect", prefixes.dos_path(image), "again")
    expect(code == 4 and not out and len(err.splitlines()) == 1 and "already connected as good" in err,
           "%d %r %r" % (code, out, err))
    wine.must(prefixes.select_message(harness.DISCONNECT, "good"))
    wine.wait_no_devices()
    refused(place, prefixes.select_message(harness.DISCONNECT, "good"), NOT_FOUND, "no such device")


def switched(place, name, value, otherwise, message, status, word):
    place.wine.ctl("set", name, value)
    try:
        refused(place, message, status, word)
    finally:
        place.wine.ctl("set", name, otherwise)


def callers(place):
    """Without rights nothing is answered, not even who is there."""
    wine = place.wine
    wine.ctl("set", "deny", 1)
    try:
        for message in (IDENTIFY, prefixes.list_message(), connect_message(place.images.blank("theirs.img"), "theirs")):
            status, _ = wine.send(message)
            expect(status == ACCESS_DENIED, "%08x" % status)
        code, out, err = wine.lungfish("list")
        expect(code == 5 and "permission denied" in err, "%d %r %r" % (code, out, err))
    finally:
        wine.ctl("set", "deny", 0)
    wine.ctl("set", "level", 1)
    try:
        code, out, err = wine.lungfish("connect", prefixes.dos_path(place.images.path("theirs.img")))
        expect(code == 5 and "may only be identified" in err, "%d %r %r" % (code, out, err))
    finally:
        wine.ctl("set", "level", 2)
    wine.must(IDENTIFY)
    expect(wine.state()["handles"] == 0, "a file was opened")


def no_memory_for_a_connection(place):
    """Each allocation fails in its turn: the connection is refused, nothing stays behind, and in the end it comes."""
    wine, images = place.wine, place.images
    image, baseline = images.blank("scant.img"), wine.state()
    message = connect_message(image, "scant")
    refusals = 0
    for number in range(1, 200):
        wine.ctl("set", "fail_pool", number)
        status, reply = wine.send(message)
        spent = "fail_pool 0" in wine.ctl("switches")
        wine.ctl("set", "fail_pool", 0)
        answer = struct.unpack_from("<I", reply, 12)[0] if reply else None
        if status == 0 and answer == 0:
            wine.must(prefixes.select_message(harness.DISCONNECT, "scant", prefixes.FORCE))
            wine.wait_no_devices()
            if not spent:
                break
            continue
        expect(status == NO_MEMORY or answer == FAILED, "allocation %d: %08x, %s" % (number, status, answer))
        refusals += 1
        wine.wait_state(handles=0, files=0, irps=0, threads=baseline["threads"], tokens=0)
    expect(refusals > 3, "%d allocations could fail" % refusals)
    wine.ctl("set", "fail_open", 1)
    answer, _ = wine.ask(message)
    expect(answer == FAILED, "the open failed: %d" % answer)
    expect(wine.state()["pool"] <= baseline["pool"] + 4096, "%s, then %s" % (baseline, wine.state()))
