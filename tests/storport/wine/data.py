# SPDX-License-Identifier: BSD-2-Clause
"""For wine.py: data that goes through the driver's disks, and what Linux finds in the images afterwards."""
import os
import struct

import images as pictures
import prefix as prefixes
from prefix import expect
from rows import INQUIRY, READ_CAPACITY_10, mode_sense

TEST_UNIT_READY = bytes(6)
DEVICE_BUSY = 0x80000011


def compare_whole(place, disk, image, block):
    """Read by ReadFile, by pass-through, and block by block: each time it is the image."""
    size = os.path.getsize(image)
    back = place.images.path("back")
    answers = place.wine.pt("read %s 0 %d %s 65536 8" % (disk, size, back),
                            "passread %s %d %s 65536 %d" % (disk, size, back + ".pass", block),
                            "compare %s %s %d" % (disk, image, block))
    expect(answers == ["moved %d" % size, "moved %d" % size, "compared %d different 0" % (size // block)], answers)
    expect(pictures.same(image, back) and pictures.same(image, back + ".pass"), "what was read is not the image")


def write_and_check(place, image, after, check, verb):
    wine = place.wine
    name = os.path.basename(image).replace(".", "-")
    disk = wine.connect(image, name)
    compare_whole(place, disk, image, 512)
    line = {"write": "write %s 0 %s 32768 16", "passwrite": "passwrite %s %s 65536 512"}[verb] % (disk, after)
    answers = wine.pt(line, "flush " + disk, "compare %s %s 4096" % (disk, after))
    size = os.path.getsize(after)
    expect(answers == ["moved %d" % size, "flushed", "compared %d different 0" % (size // 4096)], answers)
    wine.disconnect(name)
    wine.wait_gone(disk)
    expect(pictures.same(image, after), "the image is not what was written")
    check(image)


def fat_written_by_write_file(place):
    images = place.images
    write_and_check(place, pictures.copy(images.fat, images.path("fat1.img")), images.fat_after, images.check_fat, "write")


def fat_written_by_pass_through(place):
    images = place.images
    write_and_check(place, pictures.copy(images.fat, images.path("fat2.img")), images.fat_after, images.check_fat,
                    "passwrite")


def ntfs_written_by_write_file(place):
    images = place.images
    write_and_check(place, pictures.copy(images.ntfs, images.path("ntfs1.img")), images.ntfs_after, images.check_ntfs,
                    "write")


def ntfs_written_by_pass_through(place):
    images = place.images
    write_and_check(place, pictures.copy(images.ntfs, images.path("ntfs2.img")), images.ntfs_after, images.check_ntfs,
                    "passwrite")


def iso_read_as_a_cdrom(place):
    wine, images = place.wine, place.images
    before = pictures.copy(images.iso, images.path("iso.before"))
    drive = wine.connect(images.iso, "disc", "--cdrom")
    compare_whole(place, drive, images.iso, 2048)
    answer, = wine.pt("write %s 0 %s 2048 1" % (drive, images.path("iso.before")))
    expect(answer.startswith("error"), "a CD-ROM was written: " + answer)
    wine.disconnect("disc")
    wine.wait_gone(drive)
    expect(pictures.same(images.iso, before), "the disc's image has changed")
    images.check_iso(images.path("back"))
    images.check_iso(images.path("back.pass"))


def a_read_only_file(place):
    wine, images = place.wine, place.images
    image = pictures.copy(images.fat_after, images.path("sealed.img"))
    os.chmod(image, 0o444)
    disk = wine.connect(image, "sealed", "--read-only")
    compare_whole(place, disk, image, 512)
    answer, = wine.pt("write %s 0 %s 512 1" % (disk, images.fat))
    expect(answer == "error 19", answer)  # ERROR_WRITE_PROTECT
    status, scsi, sense, _ = wine.scsi(disk, bytes([0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0]), 0, images.blank("zero", 512), "out")
    expect(status == 0 and scsi == 2 and sense[2] & 15 == 7 and sense[12] == 0x27, sense.hex())
    expect(wine.good(disk, mode_sense(0x3f), 4096)[3] & 0x80, "write protection is not said")
    wine.disconnect("sealed")
    wine.wait_gone(disk)
    expect(pictures.same(image, images.fat_after), "it was written")


def a_file_that_vanishes(place):
    """Its name goes: who has it open keeps it. Its contents go: reads fail, and the state says so."""
    wine, images = place.wine, place.images
    image = pictures.copy(images.fat, images.path("fleeting.img"))
    disk = wine.connect(image, "fleeting")
    os.rename(image, image + ".away")
    answer, = wine.pt("compare %s %s 65536" % (disk, images.fat))
    expect(answer == "compared 64 different 0", answer)
    os.truncate(image + ".away", 0)
    expect(wine.show("fleeting")["state"] == prefixes.READY, "it fails before anything has")
    answer, = wine.pt("read %s 1048576 4096 - 4096 1" % disk)
    expect(answer.startswith("error"), "what is not there was read: " + answer)
    status, scsi, sense, _ = wine.scsi(disk, bytes([0x28, 0, 0, 0, 8, 0, 0, 0, 1, 0]), 512)
    expect(status == 0 and scsi == 2 and sense[2] & 15 in (3, 4), "sense %s" % sense.hex())
    expect(wine.show("fleeting")["state"] == prefixes.FAULT, "a disk that fails is %s" % wine.show("fleeting"))
    wine.disconnect("fleeting")
    wine.wait_gone(disk)
    code, out, err = wine.lungfish("connect", prefixes.dos_path(image), "fleeting")
    expect(code != 0 and not out and "no such file" in err, "%d %r %r" % (code, out, err))


def an_image_on_its_own_disk(place):
    """It has been moved there while it was disconnected: its volume says, by the disk's NAA designator, whose it is."""
    wine, images = place.wine, place.images
    message = prefixes.connect_message(images.blank("outer.img"), "outer")
    wine.must(message)
    disk = wine.unit("outer")
    naa = wine.show("outer")["identifier"] & ((1 << 60) - 1) | 3 << 60
    wine.disconnect("outer")
    wine.wait_gone(disk)
    wine.ctl("set", "naa_low", naa & 0xffffffff)
    wine.ctl("set", "naa_high", naa >> 32)
    try:
        answer, text = wine.ask(message)
    finally:
        wine.ctl("set", "naa_high", 0)
    expect(answer == prefixes.INVALID and "lies on the disk of outer itself" in text, "%d %s" % (answer, text))
    wine.must(message)
    wine.disconnect("outer")
    wine.wait_gone(disk)


def old_srbs(place):
    """Requests as they were before Windows 8: the same data."""
    wine, images = place.wine, place.images
    disk = wine.connect(images.blank("old.img"), "old")
    wine.ctl("set", "old_srbs", 1)
    try:
        answers = wine.pt("write %s 0 %s 65536 16" % (disk, images.fat), "compare %s %s 4096" % (disk, images.fat))
        expect(answers == ["moved 4194304", "compared 1024 different 0"], answers)
        expect(wine.ctl("function", 8, 0, wine.show("old")["lun"]).strip() == "status 01", "flush")
        expect(wine.ctl("reset", "lun", 0, wine.show("old")["lun"]).strip() == "status 01", "reset")
    finally:
        wine.ctl("set", "old_srbs", 0)
    wine.disconnect("old")
    wine.wait_gone(disk)


def a_disk_that_grows(place):
    wine, images = place.wine, place.images
    image = images.blank("growing.img")
    disk = wine.connect(image, "growing")
    wine.good(disk, TEST_UNIT_READY)
    code, out, err = wine.lungfish("resize", "growing", "8M")
    expect(code == 0, "%d %r %r" % (code, out, err))
    status, scsi, sense, _ = wine.scsi(disk, TEST_UNIT_READY)
    expect(status == 0 and scsi == 2 and (sense[2] & 15, sense[12], sense[13]) == (6, 0x2a, 9), sense.hex())
    last, size = struct.unpack(">II", wine.good(disk, READ_CAPACITY_10, 8))
    expect((last + 1) * size == 8 << 20 == os.path.getsize(image), (last, size))
    answers = wine.pt("write %s 4194304 %s 65536 8" % (disk, images.fat), "read %s 4194304 4194304 %s 65536 8" % (
        disk, images.path("back")))
    expect(answers == ["moved 4194304"] * 2 and pictures.same(images.fat, images.path("back")), answers)
    answer, text = wine.ask(prefixes.resize_message("growing", 1 << 20))
    expect(answer != 0, "a disk shrank while it was connected: %s" % text)
    wine.disconnect("growing")
    wine.wait_gone(disk)


def insert_and_eject(place):
    wine, images = place.wine, place.images
    code, out, err = wine.lungfish("connect", "--cdrom", "", "drive")
    if code:
        wine.must(prefixes.connect_message("", "drive", kind=prefixes.CDROM))
    drive = wine.unit("drive")
    status, scsi, sense, _ = wine.scsi(drive, TEST_UNIT_READY)
    for _ in range(2):
        if sense[2] & 15 == 6:
            status, scsi, sense, _ = wine.scsi(drive, TEST_UNIT_READY)
    expect(status == 0 and scsi == 2 and (sense[2] & 15, sense[12]) == (2, 0x3a), "an empty drive: " + sense.hex())
    code, out, err = wine.lungfish("insert", "drive", prefixes.dos_path(images.iso))
    expect(code == 0, "%d %r %r" % (code, out, err))
    status, scsi, sense, _ = wine.scsi(drive, TEST_UNIT_READY)
    expect(scsi == 2 and (sense[2] & 15, sense[12]) == (6, 0x28), "a new medium: " + sense.hex())
    compare_whole(place, drive, images.iso, 2048)
    code, out, err = wine.lungfish("eject", "drive")
    expect(code == 0, "%d %r %r" % (code, out, err))
    answer, = wine.pt("read %s 0 2048 - 2048 1" % drive)
    expect(answer.startswith("error"), answer)
    wine.disconnect("drive")
    wine.wait_gone(drive)


def resets_while_it_writes(place):
    """The stand-in repeats what a reset ended, as the class driver would: in the end all is there."""
    wine, images = place.wine, place.images
    image = images.blank("reset.img")
    disk = wine.connect(image, "reset")
    lun = wine.show("reset")["lun"]
    resets = 0
    for _ in range(10):  # on a busy host it may be over before there were enough
        writer, out = wine.start(wine.own("pt"), wine.script(
            ["write %s 0 %s 4096 32" % (disk, images.fat_after)] * 3 + ["flush " + disk]))
        while writer.poll() is None and resets < 100:
            answer = wine.ctl("reset", ("lun", "target", "bus")[resets % 3], 0, lun)
            expect("status 01" in answer or "bus reset 1" in answer, answer)
            resets += 1
        code, text = wine.end(writer, out)
        expect(code == 0 and text.splitlines() == ["moved 4194304"] * 3 + ["flushed"], text)
        if resets > 2:
            break
    expect(resets > 2, "%d resets" % resets)
    wine.disconnect("reset")
    wine.wait_gone(disk)
    expect(pictures.same(image, images.fat_after), "a block is wrong")


def no_mapping_and_no_memory_are_retried(place):
    wine, images = place.wine, place.images
    image = images.blank("short.img")
    disk = wine.connect(image, "short")
    wine.ctl("set", "map_fails", 5)
    wine.ctl("set", "short_memory", 5)
    wine.ctl("set", "no_address", 1)
    status, _, _, _ = wine.scsi(disk, INQUIRY, 255)
    expect(status == DEVICE_BUSY, "an INQUIRY whose data has no address: %08x" % status)
    wine.good(disk, INQUIRY, 255)
    answers = wine.pt("write %s 0 %s 65536 16" % (disk, images.fat), "compare %s %s 65536" % (disk, images.fat),
                      "flush " + disk)
    expect(answers == ["moved 4194304", "compared 64 different 0", "flushed"], answers)
    wine.disconnect("short")
    wine.wait_gone(disk)
    expect(pictures.same(image, images.fat), "a block is wrong")


def sleep_and_flush(place):
    """What was written is stable before the machine sleeps; with nothing written there is nothing to do."""
    wine, images = place.wine, place.images
    disk = wine.connect(images.blank("dozing.img"), "dozing")
    before = wine.state()["flushes"]
    answer, = wine.pt("write %s 0 %s 65536 16" % (disk, images.fat))
    expect(answer == "moved 4194304", answer)
    wine.ctl("sleep")
    expect(wine.state()["flushes"] == before + 1, "the machine sleeps before what was written is stable")
    wine.ctl("wake")
    answers = wine.pt("flush " + disk, "flush " + disk)
    expect(answers == ["flushed"] * 2, answers)
    expect(wine.state()["flushes"] == before + 1, "a file is flushed that nobody has written to")
    wine.disconnect("dozing")
    wine.wait_gone(disk)


SUCCESS, INVALID_REQUEST, NO_DEVICE, INVALID_LUN = 0x01, 0x06, 0x08, 0x20


def other_functions_of_an_srb(place):
    wine = place.wine
    disk = wine.connect(place.images.blank("functions.img"), "functions")
    lun = wine.show("functions")["lun"]

    def status(function, target=0, at=lun, action=0):
        return int(wine.ctl("function", function, target, at, action).split()[1], 16) & 0x3f
    expect(status(0x07) == SUCCESS and status(0x08) == SUCCESS, "shutdown and flush")
    expect(status(0x24, action=4) == SUCCESS and status(0x24, action=1) == SUCCESS, "power")
    for function in (0x02, 0x10, 0x16, 0x17, 0x26, 0x7f):
        expect(status(function) == INVALID_REQUEST, "function %02x: %02x" % (function, status(function)))
    expect(status(0x08, 9, 0) in (NO_DEVICE, INVALID_LUN), "a flush of nobody: %02x" % status(0x08, 9, 0))
    expect(wine.ctl("usage", "x", 0, lun).strip() in ("usage 1", "unsupported"), "a page file is let in")
    wine.disconnect("functions")
    wine.wait_gone(disk)
