# SPDX-License-Identifier: BSD-2-Clause
"""etw_decode.py FILE: what a provider of self-describing events (TraceLogging) wrote, event by event.

FILE is what tests/storport/host/etw_stream.h says. How events describe themselves is written here from what Microsoft
publishes (Provider Traits and EVENT_DATA_DESCRIPTOR of its documentation, TraceLogging's metadata) and from nothing of
Lungfish: where the two differ, a test breaks.

Provider traits:  u16 size of all, name with a zero, then traits: u16 size, u8 type, bytes.
Event metadata:   u16 size of all, tags: bytes until one below 0x80, name with a zero, then fields until the size is used
                  up: name with a zero, u8 InType; 0x80 in it: u8 OutType; 0x80 in that: tags. 0x60 in InType: an array.
Payload:          the fields' values one behind the other.
"""
import struct
import sys
import uuid

TRAITS, METADATA = 2, 1  # EVENT_DATA_DESCRIPTOR.Type of what describes provider and event
SET_TRAITS = 2  # EVENT_INFO_CLASS
CHANNEL_TRACELOGGING = 11
# InType: name, size, format.
IN_TYPES = {3: ("INT8", 1, "<b"), 4: ("UINT8", 1, "<B"), 5: ("INT16", 2, "<h"), 6: ("UINT16", 2, "<H"),
            7: ("INT32", 4, "<i"), 8: ("UINT32", 4, "<I"), 9: ("INT64", 8, "<q"), 10: ("UINT64", 8, "<Q"),
            20: ("HEXINT32", 4, "<I"), 21: ("HEXINT64", 8, "<Q")}
OUT_TYPES = {0: "", 4: "HEX", 17: "SIGNED", 18: "UNSIGNED"}


class Broken(Exception):
    """The bytes are no such event."""


def need(condition, text):
    if not condition:
        raise Broken(text)


class Reader:
    def __init__(self, data, what):
        self.data, self.what, self.at = data, what, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        need(count <= self.left(), "%s ends too early" % self.what)
        self.at += count
        return self.data[self.at - count:self.at]

    def numbers(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def byte(self):
        return self.take(1)[0]

    def text(self):
        end = self.data.find(b"\0", self.at)
        need(end >= 0, "%s: a name without an end" % self.what)
        name = self.take(end + 1 - self.at)[:-1]
        try:
            text = name.decode("utf-8")
        except UnicodeDecodeError:
            raise Broken("%s: a name that is not UTF-8: %r" % (self.what, name)) from None
        need(text and text.isprintable(), "%s: no name: %r" % (self.what, name))
        return text


def sized(data, what):
    """A reader of what a block has behind its own size."""
    reader = Reader(data, what)
    size, = reader.numbers("H")
    need(size == len(data), "%s says %d bytes and has %d" % (what, size, len(data)))
    return reader


def decode_traits(data):
    """The provider's name, and {type: bytes} of the other traits."""
    reader = sized(data, "the provider's traits")
    name, others = reader.text(), {}
    while reader.left():
        size, kind = reader.numbers("HB")
        need(size >= 3 and kind not in others, "a trait of %d bytes, type %d" % (size, kind))
        others[kind] = reader.take(size - 3)
    return name, others


def skip_tags(reader):
    while reader.byte() & 0x80:
        pass


def decode_metadata(data):
    """The event's name, and [(field, InType, OutType)]."""
    reader = sized(data, "an event's metadata")
    skip_tags(reader)
    name, fields = reader.text(), []
    while reader.left():
        field, kind, out = reader.text(), reader.byte(), 0
        if kind & 0x80:
            out = reader.byte()
            if out & 0x80:
                skip_tags(reader)
        need(not kind & 0x60 and kind & 0x1F in IN_TYPES, "%s.%s: InType %#x" % (name, field, kind))
        need(out & 0x7F in OUT_TYPES, "%s.%s: OutType %#x" % (name, field, out))
        need(field not in [known for known, _, _ in fields], "%s has two fields %s" % (name, field))
        fields.append((field, IN_TYPES[kind & 0x1F][0], OUT_TYPES[out & 0x7F]))
    return name, fields


def decode_payload(name, fields, data):
    reader, values = Reader(data, "the payload of " + name), {}
    forms = {kind: (size, form) for kind, size, form in IN_TYPES.values()}
    for field, kind, _ in fields:
        size, form = forms[kind]
        values[field], = struct.unpack(form, reader.take(size))
    need(not reader.left(), "%s has %d bytes that are no field's" % (name, reader.left()))
    return values


class Event:
    """One, with all that is known of it: name, id, level, opcode, keyword, fields, values, provider."""

    def __init__(self, providers, body):
        reader = Reader(body, "a written event")
        handle, self.id, version, channel, self.level, self.opcode, task, self.keyword, count = \
            reader.numbers("QHBBBBHQI")
        need(handle in providers, "an event of a provider that is not registered")
        need(channel == CHANNEL_TRACELOGGING, "channel %d: nobody would look for a description" % channel)
        need(version == 0 and task == 0, "version %d, task %d" % (version, task))
        pieces = {TRAITS: b"", METADATA: b"", 0: b""}
        for _ in range(count):
            size, kind = reader.numbers("II")
            need(kind in pieces, "a piece of type %d" % kind)
            need(kind == 0 or not pieces[kind], "two pieces of type %d" % kind)
            pieces[kind] += reader.take(size)
        need(not reader.left(), "%d bytes behind the pieces" % reader.left())
        need(pieces[TRAITS] == providers[handle].traits, "the event's traits are not those of its provider")
        self.provider = providers[handle]
        self.name, self.fields = decode_metadata(pieces[METADATA])
        self.values = decode_payload(self.name, self.fields, pieces[0])

    def __str__(self):
        values = ["%s=%s" % (field, hex(self.values[field]) if out == "HEX" else self.values[field])
                  for field, _, out in self.fields]
        return "%s %d %s level %d opcode %d keyword %#x %s" % (self.provider.name, self.id, self.name, self.level,
                                                              self.opcode, self.keyword, " ".join(values))


class Provider:
    def __init__(self, guid):
        self.guid, self.traits, self.name = guid, None, None


class Enabled:
    """The session listens from here on, or does not (control 0)."""

    def __init__(self, control, level, any_keyword, all_keywords):
        self.control, self.level, self.any, self.all = control, level, any_keyword, all_keywords


def decode(data):
    """Each Event and each Enabled of a stream, in order."""
    stream, providers = Reader(data, "the stream"), {}
    while stream.left():
        kind, length = stream.numbers("II")
        body = stream.take(length)
        reader = Reader(body, "a record of kind %d" % kind)
        if kind == 1:
            handle, guid = reader.numbers("Q16s")
            need(handle not in providers, "a provider that is registered already")
            providers[handle] = Provider(uuid.UUID(bytes_le=guid))
        elif kind == 2:
            handle, information = reader.numbers("QI")
            need(handle in providers and information == SET_TRAITS, "information of class %d" % information)
            providers[handle].traits = reader.take(reader.left())
            providers[handle].name, _ = decode_traits(providers[handle].traits)
        elif kind == 3:
            yield Event(providers, body)
        elif kind == 4:
            handle, = reader.numbers("Q")
            need(providers.pop(handle, None), "a provider ends that is not there")
        elif kind == 5:
            yield Enabled(*reader.numbers("IIQQ"))
        else:
            need(False, "a record of kind %d" % kind)


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    try:
        for found in decode(data):
            if isinstance(found, Event):
                print(found)
    except Broken as problem:
        sys.exit("etw_decode.py: %s: %s" % (sys.argv[1], problem))


if __name__ == "__main__":
    main()
