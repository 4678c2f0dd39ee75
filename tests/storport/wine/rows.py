# SPDX-License-Identifier: BSD-2-Clause
"""For wine.py: what the article about virtual Storport miniports describes, row by row."""
import json
import os
import re
import struct

import events
import harness
import images as pictures
import prefix as prefixes
from prefix import expect

TIB = 1 << 40
INQUIRY = bytes([0x12, 0, 0, 0, 255, 0])
READ_CAPACITY_10 = bytes([0x25]) + bytes(9)
READ_CAPACITY_16 = bytes([0x9e, 0x10]) + bytes(11) + bytes([32, 0, 0])
REPORT_LUNS = bytes([0xa0]) + bytes(5) + struct.pack(">I", 2048) + bytes(2)


def mode_sense(page, subpage=0):
    return bytes([0x5a, 0, page, subpage, 0, 0, 0, 0x10, 0, 0])


def query(wine, key, value):
    code, out = wine.wine("reg", "query", key, "/v", value)
    found = re.search(r"%s\s+REG_\w+\s+(.*)" % re.escape(value), out)
    expect(code == 0 and found, "%s of %s: %s" % (value, key, out))
    return found.group(1).strip()


SERVICE = "HKLM\\System\\CurrentControlSet\\Services\\lungfish"
KEEPING, REPLACING = "0x00010003", "0x00010001"  # a DWORD that leaves one that is there alone, and one that does not


def make_inf(place, **parameters):
    """Wine takes no operating system version in a section's name; nothing else of the file is changed, but for
    parameters that a case wants."""
    path = os.path.join(place.shipped, "wine.inf")
    with open(os.path.join(place.shipped, "lungfish.inf")) as file:
        text = file.read()
    text = text.replace(KEEPING, REPLACING)  # each installation begins with the defaults
    for name, value in parameters.items():
        text, count = re.subn(r'(HKR, "Parameters", "%s", %s, ).*' % (name, REPLACING), r"\g<1>%d" % value, text)
        expect(count == 1, "lungfish.inf has no parameter " + name)
    with open(path, "w") as file:
        file.write(re.sub(r"NTamd64\.[\d.]+", "NTamd64", text))
    open(os.path.join(place.shipped, "lungfish.cat"), "wb").close()
    return path


def install(place, **parameters):
    make_inf(place, **parameters)
    begin(place)
    place.wine.wait_log(r"^started")


def begin(place):
    place.wine.setup("install", os.path.join(place.shipped, "wine.inf"), "root\\lungfish")


def unload(place):
    """The adapter is removed, the driver unloaded; what it leaves behind the stand-in's log says."""
    wine = place.wine
    wine.setup("remove", "root\\lungfish")
    wine.wait_log("^removed")
    wine.setup("stop", "lungfish")
    wine.wait_log("^unloaded, 0 bytes")


def reload(place, **parameters):
    unload(place)
    install(place, **parameters)


def row_20_inf_installs(place):
    wine = place.wine
    install(place)
    expect(query(wine, SERVICE, "Start") == "0x3", "it does not start on demand")
    expect(query(wine, SERVICE, "Group") == "SCSI Miniport", "the load order group")
    expect(query(wine, SERVICE, "Type") == "0x1", "no kernel driver")
    image = query(wine, SERVICE, "ImagePath")
    found = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(wine.drive, "windows"))
             for name in names if name.lower() == "lungfish.sys"]
    expect(len(found) == 1, "lungfish.sys lies in %s, the service says %s" % (found, image))
    expect(pictures.same(found[0], os.path.join(place.shipped, "lungfish.sys")), "another lungfish.sys")
    expect(wine.ctl("units").strip() == "", "an adapter without connections has units")
    code, out = wine.wine("reg", "query", "HKLM\\System\\CurrentControlSet\\Enum\\ROOT", "/s")
    expect(code == 0 and re.search(r"HardwareID\s+REG_MULTI_SZ\s+root\\lungfish", out, re.I), "a root-enumerated device: " + out)
    expect(re.search(r"ClassGUID\s+REG_SZ\s+\{4d36e97b-e325-11ce-bfc1-08002be10318\}", out, re.I), "its class: " + out)
    place.baseline = wine.state()


def row_02_registers_as_a_virtual_miniport(place):
    log = "\n".join(place.wine.log())
    # The little miniport registered first.
    features = int(re.findall(r"^registered, features ([0-9a-f]+)", log, re.M)[-1], 16)
    expect(features & 1, "features %x: not virtual" % features)
    found = re.findall(r"^config: (\d+) targets, (\d+) LUNs, (\d+) bytes a transfer, map (\d+), (\d+) and (\d+) requests, "
                       r"SRB type (\d+)", log, re.M)[-1]
    targets, luns, transfer, maps, _, per_lun, srb_type = map(int, found)
    expect(targets == 16 and luns == 255, "%d targets, %d LUNs" % (targets, luns))
    expect(transfer >= 1 << 20, "%d bytes a transfer" % transfer)
    expect(maps == 2, "reads and writes are mapped, or other data is not")
    expect(per_lun > 255 and srb_type == 1, "%d requests a LUN, SRB type %d" % (per_lun, srb_type))


def row_04_identify_by_scsipoint(place):
    wine = place.wine
    reply = wine.must(harness.header(harness.IDENTIFY, 16))
    length, = struct.unpack_from("<H", reply, 32)
    expect(reply[34:34 + length] == b"Lungfish virtual SCSI adapter", reply)
    code, out, err = wine.lungfish("identify")
    expect(code == 0 and "Lungfish virtual SCSI adapter" in out, "%d %r %r" % (code, out, err))


def row_22_one_protocol_for_driver_and_command(place):
    wine = place.wine
    reply = wine.must(harness.header(harness.IDENTIFY, 16))
    low, high = struct.unpack_from("<HH", reply, 16)
    expect((low, high) == (1, 1), "versions %d to %d" % (low, high))
    length, = struct.unpack_from("<H", reply, 72)
    release = reply[74:74 + length].decode()
    code, out, _ = wine.lungfish("--version")
    expect(code == 0 and release in out, "the driver is of release %s, the command says %s" % (release, out))
    code, out, err = wine.lungfish("status", "-J")
    expect(code == 0 and json.loads(out), "%d %r" % (code, err))


def row_05_connect_disk_read_only_disk_and_cdrom(place):
    wine, images = place.wine, place.images
    before = wine.state()["changes"]
    place.disk = wine.connect(images.blank("disk.img"), "disk")
    place.locked = wine.connect(images.blank("locked.img"), "locked", "--read-only")
    place.cdrom = wine.connect(images.iso, "cdrom", "--cdrom")
    expect(wine.state()["changes"] >= before + 3, "no bus change was reported")
    expect(place.disk.startswith("PhysicalDrive") and place.cdrom.startswith("CdRom"), place.cdrom)
    cdrom = wine.show("cdrom")
    expect(cdrom["type"] == prefixes.CDROM and cdrom["flags"] & 1, "a CD-ROM that can be written: %s" % cdrom)
    expect(wine.show("locked")["flags"] & 1 and not wine.show("disk")["flags"] & 1, "read-only is lost")


def row_07_list(place):
    wine = place.wine
    code, out, err = wine.lungfish("list", "-J")
    expect(code == 0, err)
    devices = json.loads(out)["devices"]
    expect([device["id"] for device in devices] == ["disk", "locked", "cdrom"], out)
    iso = prefixes.dos_path(place.images.iso)
    expect(devices[2]["image"] == iso, "not as a person writes it: " + out)
    code, out, _ = wine.lungfish("list")
    expect(code == 0 and len(out.splitlines()) == 4 and out.splitlines()[3].endswith(iso), out)


def row_11_inquiry(place):
    wine = place.wine
    disk, cdrom = wine.good(place.disk, INQUIRY, 255), wine.good(place.cdrom, INQUIRY, 255)
    expect(disk[0] == 0 and not disk[1] & 0x80, "a disk says %s" % disk[:8].hex())
    expect(cdrom[0] == 5 and cdrom[1] & 0x80, "a CD-ROM drive says %s" % cdrom[:8].hex())
    expect(disk[8:16] == b"LUNGFISH" and len(disk) >= 36, disk)
    pages = wine.good(place.disk, bytes([0x12, 1, 0, 0, 255, 0]), 255)
    expect({0x80, 0x83, 0xb0}.issubset(pages[4:]), "pages %s" % pages.hex())
    identified = wine.good(place.disk, bytes([0x12, 1, 0x83, 0, 255, 0]), 255)
    naa = wine.show("disk")["identifier"] & ((1 << 60) - 1) | 3 << 60  # locally assigned
    expect(struct.pack(">Q", naa) in identified, "another NAA designator: %s" % identified.hex())


def row_12_mode_sense(place):
    wine = place.wine
    disk, locked = (wine.good(name, mode_sense(0x3f), 4096) for name in (place.disk, place.locked))
    expect(not disk[3] & 0x80 and locked[3] & 0x80, "write protection: %02x and %02x" % (disk[3], locked[3]))
    expect(struct.unpack_from(">H", disk, 6)[0] == 8, "no block descriptor")
    blocks, = struct.unpack_from(">I", disk, 8)
    expect(blocks == wine.show("disk")["blocks"], "%d blocks" % blocks)
    capabilities = wine.good(place.cdrom, mode_sense(0x2a), 4096)
    at = 8 + struct.unpack_from(">H", capabilities, 6)[0]
    expect(capabilities[at] & 0x3f == 0x2a, "no capabilities page: %s" % capabilities.hex())


def row_13_read_capacity(place):
    wine = place.wine
    last, size = struct.unpack(">II", wine.good(place.disk, READ_CAPACITY_10, 8))
    expect((last + 1, size) == (8192, 512), (last, size))
    last, size = struct.unpack_from(">QI", wine.good(place.disk, READ_CAPACITY_16, 32))
    expect((last + 1, size) == (8192, 512), (last, size))
    last, size = struct.unpack(">II", wine.good(place.cdrom, READ_CAPACITY_10, 8))
    expect(((last + 1) * size, size) == (os.path.getsize(place.images.iso), 2048), (last, size))


def row_10_absent_target_and_absent_lun(place):
    wine = place.wine
    for address in ("1 0", "15 0", "0 200"):
        status, _, _, _ = wine.scsi("Scsi20:", INQUIRY, 255, address=address)
        expect(status == 0xc000000e, "%s: %08x" % (address, status))
    luns = wine.good("Scsi20:", REPORT_LUNS, 2048)
    expect(struct.unpack_from(">I", luns)[0] == 24, "LUNs %s" % luns[:40].hex())


def row_14_read_and_write(place):
    wine, images = place.wine, place.images
    noise = images.path("noise.img")
    with open(noise, "wb") as file:
        file.write(os.urandom(4 << 20))
    back = images.path("noise.back")
    answers = wine.pt("passwrite %s %s 131072 512" % (place.disk, noise),
                      "passread %s 4194304 %s 1048576 512" % (place.disk, back),
                      "read %s 1048576 262144 - 512 16" % place.disk,
                      "compare %s %s 512" % (place.disk, noise),
                      "flush %s" % place.disk)
    expect(answers == ["moved 4194304", "moved 4194304", "moved 262144", "compared 8192 different 0", "flushed"], answers)
    expect(pictures.same(noise, back) and pictures.same(noise, images.path("disk.img")), "the image differs")
    status, scsi, sense, _ = wine.scsi(place.disk, bytes([0x28, 0, 0, 0, 0x20, 0, 0, 0, 1, 0]), 512)
    expect(status == 0 and scsi == 2 and sense[2] & 15 == 5 and sense[12] == 0x21, "behind the end: %s" % sense.hex())


def only_there(path, ranges):
    """Nothing is in the file but in those ranges (from, to), to within what a file system rounds to."""
    with open(path, "rb") as file:
        at, size = 0, os.fstat(file.fileno()).st_size
        while at < size:
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # no more
                return
            at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            expect(any(low - 65536 <= start and at <= high + 65536 for low, high in ranges),
                   "data from %d to %d, which nobody has written there" % (start, at))


def row_15_beyond_2_tb(place):
    """At the beginning, across the last block that 32 bits can name, and at the end: written there and nowhere else."""
    wine = place.wine
    path = os.path.join(place.scratch, "large.img")
    pictures.sparse(path, 10 * TIB)
    disk = wine.connect(path, "large")
    expect(wine.good(disk, READ_CAPACITY_10, 8)[:4] == b"\xff" * 4, "READ CAPACITY (10) can say it")
    last, = struct.unpack_from(">Q", wine.good(disk, READ_CAPACITY_16, 32))
    expect(last + 1 == 10 * TIB // 512, "%d blocks" % (last + 1))
    end = place.images.path("end")
    with open(end, "wb") as file:
        file.write(os.urandom(65536))
    back = place.images.path("end.back")
    starts = (0, 2 * TIB - 32768, 10 * TIB - 65536)
    for at, chunk in zip(starts, (4096, 65536, 4096)):
        answers = wine.pt("write %s %d %s %d 8" % (disk, at, end, chunk), "read %s %d 65536 %s 65536 1" % (disk, at, back))
        expect(answers == ["moved 65536", "moved 65536"], answers)
        with open(path, "rb") as file, open(end, "rb") as wanted:
            file.seek(at)
            there = file.read(65536)
            expect(there == wanted.read() and pictures.same(end, back), "what is at %d differs" % at)
    blocks = wine.good(disk, bytes([0x88, 0]) + struct.pack(">QI", (1 << 32) - 1, 2) + bytes(2), 1024)
    expect(blocks == there[32768 - 512:32768 + 512], "READ (16) across block 2^32")
    block = wine.good(disk, bytes([0x88, 0]) + struct.pack(">QI", last, 1) + bytes(2), 512)
    expect(block == there[-512:], "READ (16) of the last block")
    wine.disconnect("large")
    wine.wait_gone(disk)
    only_there(path, [(at, at + 65536) for at in starts])
    os.unlink(path)


def row_16_worker_threads(place):
    """HwStartIo comes at DISPATCH_LEVEL and each file call at PASSIVE_LEVEL: the stand-in holds every other against it."""
    wine = place.wine
    before = wine.state()["threads"]
    wine.connect(place.images.blank("threads.img"), "threads")
    more = wine.state()["threads"] - before
    expect(more >= 2, "a connection has %d threads of its own" % more)
    wine.disconnect("threads")
    wine.wait_state(threads=before)


def row_17_create_impersonates(place):
    """The stand-in fails an open that does not impersonate, or that asks for no access check."""
    wine = place.wine
    wine.log_news()
    wine.connect(place.images.blank("mine.img"), "mine")
    expect([line for line in wine.log() if line.startswith("open ") and "mine.img" in line], "nobody opened it")
    wine.disconnect("mine")
    wine.ctl("set", "level", 1)
    status, _ = wine.send(prefixes.connect_message(place.images.path("mine.img"), "mine"))
    wine.ctl("set", "level", 2)
    expect(status == 0xc00000a5, "who may only be identified: %08x" % status)


def row_18_irps_carry_the_srbs_mdl(place):
    wine, noise = place.wine, place.images.path("noise.img")
    before = wine.state()
    answer, = wine.pt("write %s 0 %s 65536 16" % (place.disk, noise))
    after = wine.state()
    expect(answer == "moved 4194304", answer)
    expect(after["served"] - before["served"] >= 64, "%s, then %s" % (before, after))
    # Only what lies badly in memory is copied: one buffer in seven.
    expect(0 < after["mapped"] - before["mapped"] <= 64 // 6, "%s, then %s" % (before, after))
    expect(after["mappings"] == 0 and after["outstanding"] == 0, after)


def row_09_outstanding_commands_are_counted(place):
    wine = place.wine
    wine.ctl("set", "hold_io", 1)
    reader, out = wine.start(wine.own("pt"), wine.script(["read %s 0 65536 - 4096 16" % place.disk]))
    wine.wait_state(outstanding=16)
    expect(wine.show("disk")["in_flight"] == 16, "in flight: %s" % wine.show("disk"))
    wine.ctl("set", "hold_io", 0)
    code, text = wine.end(reader, out)
    expect(code == 0 and text.startswith("moved 65536"), text)
    expect(wine.show("disk")["in_flight"] == 0, "they are in flight still")


def row_03_a_service_request_pends_and_is_cancelled(place):
    wine = place.wine
    before = wine.state()
    wine.ctl("set", "hold_opens", 1)
    message = wine.file(prefixes.connect_message(place.images.blank("slow.img"), "slow"))
    line = "ioctl Scsi20: 0x%x %s 65536 -" % (prefixes.SERVICE_CODE, message)
    waiting, _ = wine.start(wine.own("pt"), wine.script([line]))
    wine.wait_state(service=1)
    wine.must(harness.header(harness.IDENTIFY, 16))  # others are served meanwhile
    wine.kill(waiting)
    wine.wait_state(service=0)
    wine.ctl("set", "hold_opens", 0)
    wine.wait_state(handles=before["handles"], tokens=before["tokens"])
    answer, _ = wine.ask(prefixes.select_message(harness.SHOW, "slow"))
    expect(answer == prefixes.NOT_FOUND, "what nobody waited for is connected all the same")


def row_08_the_volume_of_an_image(place):
    """All files lie on one volume as far as the stand-in knows: when it goes, all go."""
    wine = place.wine
    expect(wine.ctl("query-remove").strip() == "vetoed", "the volume may go while a file on it is connected")
    wine.ctl("remove-complete")
    for disk in (place.disk, place.locked, place.cdrom):
        wine.wait_gone(disk)
    wine.wait_no_devices()
    expect(wine.ctl("query-remove").strip() == "agreed", "the volume may not go when nothing is connected")


def row_06_disconnect_reports_missing_first(place):
    """Its name and its image are free at once; its address is kept from others until he closes it who has it open."""
    wine, images = place.wine, place.images
    disk = wine.connect(images.blank("first.img"), "first")
    address = wine.show("first")
    wine.log_news()
    keeper, release = wine.keep_open(disk)
    wine.must(prefixes.select_message(harness.DISCONNECT, "first", prefixes.FORCE))
    wine.wait_log("unit 0:%d went" % address["lun"])
    wine.wait_state(handles=0)
    status, _, _, _ = wine.scsi("Scsi20:", INQUIRY, 255, address="0 %d" % address["lun"])
    expect(status == 0xc000000e, "somebody answers at the address of who went: %08x" % status)
    wine.connect(images.blank("second.img"), "second")
    expect(wine.show("second")["lun"] != address["lun"], "the address was given again")
    release()
    expect(wine.end(*keeper)[0] == 0, "who had it open")
    wine.wait_log("unit 0:%d is let go" % address["lun"])
    reported = [line for line in wine.log()[wine.log_at:] if line.startswith("unit 0:%d " % address["lun"])]
    expect([line.split(" ", 2)[2] for line in reported] == ["went", "is let go"], reported)
    wine.disconnect("second")
    wine.wait_no_devices()


def row_19_close_leaves_nothing_open(place):
    wine = place.wine
    state = wine.wait_state(handles=0, files=0, irps=0, mappings=0, tokens=0, threads=place.baseline["threads"],
                            notifications=place.baseline["notifications"])
    expect(state["pool"] <= place.baseline["pool"] + 4096, "%s, then %s" % (place.baseline, state))


def row_23_trace_prints(place):
    """What the registry asks for and nothing else; of many lines in a moment the driver leaves some out."""
    wine = place.wine
    rows = {row.name: row for row in events.read_events()}
    for level, flags in ((4, 0xf), (5, events.FUNCTION)):
        unload(place)
        wine.log_news()
        install(place, TraceLevel=level, TraceFlags=flags)
        wine.connect(place.images.blank("traced.img"), "traced")
        wine.disconnect("traced")
        prints = [line for line in wine.log()[wine.log_at:] if line.startswith("print ")]
        names = {found.group(1) for found in (re.match(r"print \d+ \S* ?\[\d+\] (\w+)", line) for line in prints) if found}
        expect(names and all(rows[name].level <= level and events.keyword_of(rows[name]) & flags for name in names),
               "level %d, flags %x: %s" % (level, flags, prints))
        wanted = {"storport_srb"} if level == 5 else {"storport_pnp_arrived", "control_command", "store_opened"}
        expect(wanted <= names, "level %d, flags %x: %s" % (level, flags, sorted(names)))
    reload(place)
