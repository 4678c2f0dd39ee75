#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan
"""What the driver writes to ETW, row by row of events.def, and the files for the tools that show it."""
import hashlib
import os
import re
import subprocess
import sys
import uuid
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
import etw_decode
from events import by_name, keyword_of, opcode_of, read_events
from windows_build import BUILD, SOURCE, case, finish

PACKAGING = os.path.join(SOURCE, "packaging", "windows")
NAMESPACE = bytes.fromhex("482c2db2c39047c887f81a15bfc130fb")
ALL_KEYWORDS = 0xF
# As https://learn.microsoft.com/windows-hardware/test/wpt/keyword--in-systemprovider- has them.
SYSTEM_KEYWORDS = {"ProcessThread", "Loader", "CpuConfig", "DiskIO", "DiskIOInit", "SplitIO", "FileIO", "FileIOInit",
                   "Filename", "HardFaults", "CSwitch", "ReadyThread", "SampledProfile", "DPC", "Interrupt"}


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


def tree_of(name):
    return xml.etree.ElementTree.parse(os.path.join(PACKAGING, name)).getroot()


def profile_problems(root):
    provider = str(guid_of("Lungfish"))
    if root.tag != "WindowsPerformanceRecorder" or [child.tag for child in root] != ["Profiles"]:
        yield "it is no profile"
    order = [child.tag for child in root[0]]
    places = ["SystemCollector", "EventCollector", "SystemProvider", "EventProvider", "Profile"]
    if order != sorted(order, key=places.index):
        yield "collectors, system providers, event providers, profiles, in this order: %s" % order
    levels = {}
    for element in root.iter("EventProvider"):
        keywords = sum(int(keyword.get("Value"), 0) for keyword in element.iter("Keyword"))
        levels[element.get("Id").rpartition("_")[2]] = (element.get("Name"), element.get("Level"), keywords)
    if levels != {"Light": (provider, "4", ALL_KEYWORDS & ~1), "Verbose": (provider, "5", ALL_KEYWORDS)}:
        yield "providers %s" % levels
    used = {keyword.get("Value") for part in root.iter("SystemProvider") for keyword in part.iter("Keyword")}
    for keyword in sorted(used - SYSTEM_KEYWORDS):
        yield "no system keyword: %s" % keyword
    if not {"DiskIO", "FileIO", "DPC", "Interrupt"} <= used:
        yield "the system's own part lacks disk, file, DPC or interrupt"
    yield from profile_name_problems(root)


def profile_name_problems(root):
    known = {element.get("Id") for element in root[0] if element.tag != "Profile"}
    for tag in ("SystemCollectorId", "EventCollectorId", "SystemProviderId", "EventProviderId"):
        for element in root.iter(tag):
            if element.get("Value") not in known:
                yield "%s is not there" % element.get("Value")
    profiles = {element.get("Id"): element for element in root.iter("Profile")}
    for detail in ("Light", "Verbose"):
        for mode in ("File", "Memory"):
            profile = profiles.pop("Lungfish.%s.%s" % (detail, mode), None)
            if profile is None or (profile.get("Name"), profile.get("DetailLevel"), profile.get("LoggingMode")) != \
                    ("Lungfish", detail, mode):
                yield "no profile %s, %s" % (detail, mode)
            elif profile.find("Collectors") is None and profile.get("Base") != "Lungfish.%s.File" % detail:
                yield "profile %s, %s has nothing to collect" % (detail, mode)
    if profiles:
        yield "more profiles: %s" % sorted(profiles)


def region_problems(root, rows, text):
    """Each begins with a start and ends with a stop, of one provider, matched by fields that both have."""
    provider, rows = "{%s}" % guid_of("Lungfish"), by_name(rows)
    ids = {str(row.id): row for row in rows.values()}
    path = [root.tag, root[0].tag, root[0][0].tag, root[0][0][0].tag]
    if path != ["InstrumentationManifest", "Instrumentation", "Regions", "RegionRoot"]:
        yield "nodes: %s" % path
    guids = [element.get("Guid") for element in root.iter() if element.get("Guid")]
    if len(set(guids)) != len(guids) or not all(re.fullmatch(r"\{[0-9a-f-]{36}\}", guid) for guid in guids):
        yield "GUIDs: %s" % guids
    pairs = set()
    for region in root.iter("Region"):
        start, stop = region.find("Start/Event"), region.find("Stop/Event")
        if {start.get("Provider"), stop.get("Provider")} != {provider} or \
                {start.get("Version"), stop.get("Version")} != {"0"}:
            yield "%s is of another provider" % region.get("Name")
        begin, end = ids[start.get("Id")], ids[stop.get("Id")]
        pairs.add((begin.name, end.name))
        for payload in region.findall("Match/Event/Payload"):
            if payload.get("FieldName") not in set(begin.fields) & set(end.fields):
                yield "%s: %s is not in both" % (region.get("Name"), payload.get("FieldName"))
        if region.find("Naming/PayloadBased").get("NameField") not in begin.fields:
            yield "%s is called after a field that is none" % region.get("Name")
    if pairs != {("command_begin", "command_done"), ("storport_srb", "storport_srb_done"),
                 ("storport_reset", "storport_reset_done")}:
        yield "regions: %s" % pairs
    for number, name in re.findall(r'Id="(\d+)" Version="0"/> <!-- (\w+) -->', text):
        if rows[name].id != int(number):
            yield "%s is not %s" % (name, number)


def main():
    rows = read_events()
    data, unwanted = written()
    try:
        parts = sessions_of(etw_decode.decode(data))
    except etw_decode.Broken as problem:
        case("windows_etw_events_are_of_the_published_format", [problem])
        finish()
    case("windows_etw_events_are_of_the_published_format", [])
    case("windows_etw_provider_has_the_guid_of_its_name", name_problems(parts[1][1][0]))
    case("windows_etw_every_row_describes_itself", table_problems(rows, parts[1][1]))
    case("windows_etw_sessions_get_what_they_ask_for", selection_problems(rows, parts, unwanted))
    case("windows_etw_a_spoilt_description_is_noticed", broken_problems(data))
    case("windows_etw_recorder_profile_names_the_provider", profile_problems(tree_of("lungfish.wprp")))
    with open(os.path.join(PACKAGING, "lungfish.regions.xml")) as file:
        text = file.read()
    case("windows_etw_regions_begin_and_end_with_events_of_the_table",
         region_problems(tree_of("lungfish.regions.xml"), rows, text))
    finish()


main()
