# SPDX-License-Identifier: BSD-2-Clause
"""For wine.py: what the driver, as it is shipped, writes to ETW in a life from its start to its end. The stand-in keeps
the raw stream, tests/windows/etw_decode.py decodes it."""
import collections
import os
import struct

import data
import etw_decode
import events
import harness
import prefix as prefixes
from prefix import expect
from rows import install, unload

VERBOSE = 5
GUID = "adfdcd8b-a8be-524b-8c39-a450966bae34"
# What no run brings about here, and why.
NOT_HERE = {
    "task_set_full": "Storport keeps to the depth that it was told",
    "reservation_conflict": "there is one initiator: this machine",
    "storport_reset_late": "a store would have to hang for many seconds",
}
PAIRS = (("command_begin", "command_done", ("lun", "tag")), ("storport_srb", "storport_srb_done", ("srb",)))


def stream_path(wine):
    return os.path.join(wine.drive, "etw.bin")


def a_session_waits(wine, level):
    with open(os.path.join(wine.drive, "standin.cfg"), "w") as file:
        file.write("etw %d\n" % level)


def reserve(place):
    """REGISTER AND IGNORE EXISTING KEY (SPC-4 6.16), and RESERVE."""
    wine, parameters = place.wine, place.images.path("keys")
    disk = wine.connect(place.images.blank("reserved.img"), "reserved")
    wine.good(disk, data.TEST_UNIT_READY)
    for action, keys in ((6, struct.pack(">QQQ", 0, 77, 0)), (1, struct.pack(">QQQ", 77, 0, 0))):
        with open(parameters, "wb") as file:
            file.write(keys)
        cdb = bytes([0x5f, action, 3, 0, 0, 0, 0, 0, 24, 0])
        status, scsi, sense, _ = wine.scsi(disk, cdb, 0, parameters, "out")
        expect(status == 0 and scsi == 0, "PERSISTENT RESERVE OUT %d: %s" % (action, sense.hex()))
    wine.disconnect("reserved")
    wine.wait_gone(disk)


def be_refused(wine):
    wine.ctl("set", "deny", 1)
    wine.send(harness.header(harness.IDENTIFY, 16))
    wine.ctl("set", "deny", 0)


def live(place):
    """All that a driver may go through, one after the other."""
    wine = place.wine
    for what in (data.insert_and_eject, data.a_disk_that_grows, data.a_file_that_vanishes, data.resets_while_it_writes,
                 data.no_mapping_and_no_memory_are_retried, data.sleep_and_flush, data.other_functions_of_an_srb,
                 reserve):
        what(place)
    be_refused(wine)


def decoded(wine):
    with open(stream_path(wine), "rb") as file:
        try:
            return list(etw_decode.decode(file.read()))
        except etw_decode.Broken as problem:
            raise prefixes.Failure("the stream does not decode: %s" % problem) from None


def is_as_in_the_table(event, row):
    return row and (event.name, event.level, event.keyword, event.opcode) == \
        (row.name, row.level, events.keyword_of(row), events.opcode_of(row)) and \
        [field for field, _, _ in event.fields] == row.fields


def check_pairs(found, begin, end, fields):
    """Each that ends has begun and not ended yet; none is left."""
    open_now, count = collections.Counter(), 0
    for event in found:
        key = tuple(event.values.get(field) for field in fields)
        if event.name == begin:
            expect(not open_now[key], "%s twice: %s" % (begin, event))
            open_now[key] += 1
            count += 1
        elif event.name == end:
            expect(open_now[key], "%s of none: %s" % (end, event))
            open_now[key] -= 1
    expect(not +open_now and count > 1000, "%d of %s, %d never end" % (count, begin, sum((+open_now).values())))


def row_23_a_life_in_events(place):
    """From the driver's start to its unloading: each event is one of the table, each request ends, each row appears."""
    wine = place.wine
    unload(place)
    if os.path.exists(stream_path(wine)):
        os.unlink(stream_path(wine))
    a_session_waits(wine, VERBOSE)
    install(place)
    os.unlink(os.path.join(wine.drive, "standin.cfg"))
    live(place)
    unload(place)
    found = [event for event in decoded(wine) if isinstance(event, etw_decode.Event)]
    install(place)
    table = events.read_events()
    by_id = {row.id: row for row in table}
    for event in found:
        expect(is_as_in_the_table(event, by_id.get(event.id)), "another row: %s" % event)
        expect((event.provider.name, str(event.provider.guid)) == ("Lungfish", GUID), "another provider: %s" % event)
    for pair in PAIRS:
        check_pairs(found, *pair)
    wanted = {row.name for row in table if not row.name.startswith("iscsi_")} - set(NOT_HERE)
    seen = {event.name for event in found}
    expect(wanted <= seen, "never written: %s" % sorted(wanted - seen))
    expect(not seen & set(NOT_HERE), "written after all: %s" % sorted(seen & set(NOT_HERE)))


def row_23_a_session_comes_and_goes(place):
    """While nobody listens nothing is written; while somebody does, what he asks for and no more."""
    wine = place.wine
    before = os.path.getsize(stream_path(wine))
    disk = wine.connect(place.images.blank("watched.img"), "watched")
    expect(os.path.getsize(stream_path(wine)) == before, "events that nobody listens to")
    wine.ctl("etw", 4, events.PNP | events.CONTROL, 0)
    line = "read %s 0 65536 - 4096 4" % disk
    wine.pt(line)
    wine.disconnect("watched")
    wine.wait_gone(disk)
    wine.ctl("etw", "off")
    wine.wait_no_devices()
    names = set()
    for event in decoded(wine)[-100:]:
        if isinstance(event, etw_decode.Enabled):
            names = set() if event.control else names
        else:
            names.add((event.name, event.level, event.keyword))
    expect({"unit_leaving", "storport_pnp_missing", "store_closed", "control_command"} <= {name for name, _, _ in names},
           "events: %s" % names)
    expect(all(level <= 4 and keyword & (events.PNP | events.CONTROL) for _, level, keyword in names), "events: %s" % names)
