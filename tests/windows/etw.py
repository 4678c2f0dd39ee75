#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan
"""What the driver writes to ETW, row by row of events.def."""
import hashlib
import os
import re
import subprocess
import sys
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
import etw_decode
from events import keyword_of, opcode_of, read_events
from windows_build import BUILD, SOURCE, case, finish

NAMESPACE = bytes.fromhex("482c2db2c39047c887f81a15bfc130fb")


def guid_of(name):
    """As EventSource, TraceLogging and every tool that takes *NAME make it of a provider's name."""
    made = bytearray(hashlib.sha1(NAMESPACE + name.upper().encode("utf-16-be")).digest()[:16])
    made[7] = made[7] & 0x0F | 0x50
    return uuid.UUID(bytes_le=bytes(made))


def written():
    """The stream of etw_rows: its bytes, and how many events it says nobody had wanted."""
    path = os.path.join(os.environ.get("TMPDIR", "/tmp"), "etw-rows-%d" % os.getpid())
    program = os.path.join(BUILD, "tests", "storport", "store", "etw_rows")
    done = subprocess.run([program, path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    with open(path, "rb") as file:
        data = file.read()
    os.unlink(path)
    return data, int(done.stdout.split()[0])


def sessions_of(stream):
    """[(what the session asked for, the events that it got)]; first comes what was written before any."""
    parts = [(None, [])]
    for found in stream:
        if isinstance(found, etw_decode.Enabled):
            parts.append((found, []))
        else:
            parts[-1][1].append(found)
    return parts


def name_problems(event):
    provider = event.provider
    if guid_of("MyProvider") != uuid.UUID("b3864c38-4273-58c5-545b-8b3608343471"):
        yield "the algorithm is not what is published"
    if provider.name != "Lungfish" or provider.guid != guid_of(provider.name):
        yield "%s is %s, not %s" % (provider.name, provider.guid, guid_of(provider.name))
    with open(os.path.join(SOURCE, "trace", "etw_nt.h")) as text:
        if "{%s}" % provider.guid not in text.read():
            yield "trace/etw_nt.h says another GUID"


def expected_values(row):
    value = row.id << 32
    values = [value, value | 1, value | 2, (1 << 64) - 1 if row.id & 1 else value | 3]
    return dict(zip(row.fields, values))


def row_problems(row, event):
    found = (event.name, event.id, event.level, event.keyword, event.opcode)
    wanted = (row.name, row.id, row.level, keyword_of(row), opcode_of(row))
    if found != wanted:
        yield "%s is %s, not %s" % (row.name, found, wanted)
    if [field for field, _, _ in event.fields] != row.fields:
        yield "%s has the fields %s" % (row.name, event.fields)
    if event.values != expected_values(row):
        yield "%s has the values %s" % (row.name, event.values)
    for field, kind, _ in event.fields:
        if kind != "UINT64":
            yield "%s.%s is %s" % (row.name, field, kind)


def table_problems(rows, events):
    if [event.id for event in events] != [row.id for row in rows]:
        yield "events %s" % [event.id for event in events]
        return
    for row, event in zip(rows, events):
        yield from row_problems(row, event)
    shown = {(field, out) for event in events for field, _, out in event.fields}
    for field, out in (("opcode", "HEX"), ("tag", "HEX"), ("sense", "HEX"), ("length", ""), ("blocks", "")):
        if (field, out) not in shown:
            yield "%s is not shown as %s" % (field, out or "a number")


def wants(session, row):
    keyword = keyword_of(row)
    return (session.level == 0 or row.level <= session.level) and (session.any == 0 or keyword & session.any != 0) \
        and keyword & session.all == session.all


def selection_problems(rows, parts, unwanted):
    """What a session did not ask for was not even written: that is what unwanted counts."""
    if parts[0][1] or parts[-1][1] or parts[-1][0].control:
        yield "events while nobody listened"
    sizes = set()
    for session, events in parts[1:-1]:
        wanted = [row.name for row in rows if wants(session, row)]
        if [event.name for event in events] != wanted:
            yield "level %d, any %#x, all %#x: %s" % (session.level, session.any, session.all,
                                                       sorted({event.name for event in events} ^ set(wanted)))
        sizes.add(len(wanted))
    if len(sizes) < 6 or 0 not in sizes:
        yield "the sessions want the same: %s" % sizes
    if unwanted:
        yield "%d events were written that nobody wanted" % unwanted


def broken_problems(data):
    """Whatever byte of an event's description or traits goes bad, it is no more the event that it was."""
    events = [found for found in etw_decode.decode(data) if isinstance(found, etw_decode.Event)]
    begin = data.index(b"\0command_begin\0") - 2  # its size, in front of the tags
    end = data.index(b"length\0\x0a", begin) + 8
    first = str(events[0])
    for at in range(begin, end):
        spoilt = bytearray(data)
        spoilt[at] ^= 0x81
        try:
            again = next(found for found in etw_decode.decode(bytes(spoilt)) if isinstance(found, etw_decode.Event))
        except etw_decode.Broken:
            continue
        if str(again) == first:
            yield "byte %d of the description can be anything" % (at - begin)
    for cut in (1, 7, 8, 40, len(data) // 2, len(data) - 1):
        try:
            list(etw_decode.decode(data[:cut]))
            yield "a stream of %d bytes is whole" % cut
        except etw_decode.Broken:
            pass


def main():
    rows = read_events()
    data, unwanted = written()
    parts = sessions_of(etw_decode.decode(data))
    case("windows_etw_provider_has_the_guid_of_its_name", name_problems(parts[1][1][0]))
    case("windows_etw_every_row_describes_itself", table_problems(rows, parts[1][1]))
    case("windows_etw_sessions_get_what_they_ask_for", selection_problems(rows, parts, unwanted))
    case("windows_etw_a_spoilt_description_is_noticed", broken_problems(data))
    finish()


main()
