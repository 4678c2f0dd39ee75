# SPDX-License-Identifier: BSD-2-Clause
"""A PE image for x64, read without anybody's tool: headers, sections, imports, frames, its version resource."""
import struct

EXECUTE, READ, WRITE = 0x20000000, 0x40000000, 0x80000000
EXPORTS, IMPORTS, RESOURCES, EXCEPTIONS, SIGNATURES, RELOCATIONS, DEBUG = 0, 1, 2, 3, 4, 5, 6  # data directories
VERSION = 16  # the type of a resource


class Section:
    def __init__(self, name, size, address, raw_size, raw_offset, flags):
        self.name, self.size, self.address, self.flags = name, size, address, flags
        self.raw_size, self.raw_offset = raw_size, raw_offset


class Image:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        self.header = self.number("<I", 0x3C)
        if self.bytes[:2] != b"MZ" or self.bytes[self.header:self.header + 4] != b"PE\0\0":
            raise ValueError("%s is no PE image" % path)
        self.machine, sections, self.timestamp = struct.unpack_from("<HHI", self.bytes, self.header + 4)
        optional_bytes, self.characteristics = struct.unpack_from("<HH", self.bytes, self.header + 20)
        self.optional = self.header + 24
        self.magic = self.number("<H", self.optional)
        self.entry = self.number("<I", self.optional + 16)
        self.base = self.number("<Q", self.optional + 24)
        self.section_alignment = self.number("<I", self.optional + 32)
        self.subsystem_version = struct.unpack_from("<HH", self.bytes, self.optional + 48)
        self.checksum_field = self.optional + 64
        self.checksum = self.number("<I", self.checksum_field)
        self.subsystem, self.flags = struct.unpack_from("<HH", self.bytes, self.optional + 68)
        self.sections = [self.read_section(self.optional + optional_bytes + 40 * n) for n in range(sections)]

    def number(self, layout, offset):
        return struct.unpack_from(layout, self.bytes, offset)[0]

    def read_section(self, offset):
        name, size, address, raw_size, raw_offset = struct.unpack_from("<8sIIII", self.bytes, offset)
        return Section(name.rstrip(b"\0").decode(), size, address, raw_size, raw_offset,
                       self.number("<I", offset + 36))

    def directory(self, which):
        """Where it is (in memory, from the base), how long; (0, 0) when there is none."""
        return struct.unpack_from("<II", self.bytes, self.optional + 112 + 8 * which)

    def section_of(self, address):
        for section in self.sections:
            if section.address <= address < section.address + max(section.size, section.raw_size):
                return section
        raise ValueError("nothing lies at %#x" % address)

    def offset_of(self, address):
        section = self.section_of(address)
        return address - section.address + section.raw_offset

    def text(self, address):
        start = self.offset_of(address)
        return self.bytes[start:self.bytes.index(b"\0", start)].decode()

    def import_descriptors(self):
        """(module, where its list of names is) of each; a module may come twice."""
        address, length = self.directory(IMPORTS)
        while length:
            lookup, _, _, name, table = struct.unpack_from("<IIIII", self.bytes, self.offset_of(address))
            if not name:
                break
            yield self.text(name).lower(), lookup or table
            address += 20

    def imported_twice(self):
        modules = [module for module, _ in self.import_descriptors()]
        return {module for module in modules if modules.count(module) > 1}

    def imports(self):
        """{module: [name...]}; one that is imported by number is "#number"."""
        found = {}
        for module, lookup in self.import_descriptors():
            names = found.setdefault(module, [])
            slot = self.offset_of(lookup)
            while self.number("<Q", slot):
                value = self.number("<Q", slot)
                names.append("#%d" % (value & 0xFFFF) if value >> 63 else self.text(value + 2))
                slot += 8
        return found

    def frames(self):
        """(address, bytes that its prologue takes from the stack, registers that it saves besides) of each function."""
        address, length = self.directory(EXCEPTIONS)
        for start in range(self.offset_of(address), self.offset_of(address) + length, 12) if length else ():
            begin, _, unwind = struct.unpack_from("<III", self.bytes, start)
            yield (begin, *self.unwind_codes(self.offset_of(unwind)))

    def unwind_codes(self, offset):
        count = self.bytes[offset + 2]
        slots = [self.number("<H", offset + 4 + 2 * n) for n in range(count)]
        taken = pushed = at = 0
        while at < count:
            operation, info = slots[at] >> 8 & 15, slots[at] >> 12
            if operation == 0:  # a register is pushed
                pushed += 1
            elif operation == 1:  # many bytes, in one slot more or two
                taken += slots[at + 1] * 8 if info == 0 else slots[at + 1] | slots[at + 2] << 16
            elif operation == 2:  # few bytes
                taken += info * 8 + 8
            at += {1: 2 + (info != 0), 4: 2, 5: 3, 8: 2, 9: 3}.get(operation, 1)
        return taken, pushed

    def right_checksum(self):
        """As the loader counts: words, carries folded in, the field as zero; then the length."""
        total = 0
        padded = self.bytes + b"\0" * (-len(self.bytes) % 2)
        for offset, (word,) in zip(range(0, len(padded), 2), struct.iter_unpack("<H", padded)):
            if not self.checksum_field <= offset < self.checksum_field + 4:
                total += word
        while total > 0xFFFF:
            total = (total & 0xFFFF) + (total >> 16)
        return total + len(self.bytes)

    def signature(self):
        """Where it is in the file, how long; (0, 0) when there is none."""
        return self.directory(SIGNATURES)

    def signed_bytes(self):
        """What a signature is over: not the checksum, not where the signature is, not the signature."""
        directory = self.optional + 112 + 8 * SIGNATURES
        return (self.bytes[:self.checksum_field] + self.bytes[self.checksum_field + 4:directory]
                + self.bytes[directory + 8:self.signature()[0] or len(self.bytes)])

    def pdb(self):
        """(identifier, name) of the PDB that belongs to it, or None."""
        address, length = self.directory(DEBUG)
        for start in range(self.offset_of(address), self.offset_of(address) + length, 28) if length else ():
            kind, size, _, raw = struct.unpack_from("<IIII", self.bytes, start + 12)
            if kind == 2 and self.bytes[raw:raw + 4] == b"RSDS":
                return self.bytes[raw + 4:raw + 20], self.bytes[raw + 24:raw + size].rstrip(b"\0").decode()
        return None

    def resource(self, kind):
        """The bytes of the first resource of that type, or None."""
        address, length = self.directory(RESOURCES)
        if not length:
            return None
        root = at = self.offset_of(address)
        for level in range(3):  # type, name, language
            named, numbered = struct.unpack_from("<HH", self.bytes, at + 12)
            entries = [struct.unpack_from("<II", self.bytes, at + 16 + 8 * n) for n in range(named + numbered)]
            found = [place for name, place in entries if level or name == kind]
            if not found:
                return None
            at = root + (found[0] & 0x7FFFFFFF)
        place, size = struct.unpack_from("<II", self.bytes, at)
        start = self.offset_of(place)
        return self.bytes[start:start + size]

    def version(self):
        """{name: text} of its version resource, with "numbers", "product numbers" and "kind" of its fixed part."""
        data = self.resource(VERSION)
        if data is None:
            return {}
        key, value, children = version_block(data, 0)
        fixed = struct.unpack("<13I", value)
        if key != "VS_VERSION_INFO" or fixed[0] != 0xFEEF04BD:
            raise ValueError("a version resource without its signature")
        found = {"numbers": words(fixed[2:4]), "product numbers": words(fixed[4:6]), "kind": (fixed[9], fixed[10])}
        for block, _, tables in children:
            for _, _, strings in tables if block == "StringFileInfo" else ():
                found.update((name, text.decode("utf-16-le").rstrip("\0")) for name, text, _ in strings)
        return found


def words(pair):
    return tuple(half for number in pair for half in (number >> 16, number & 0xFFFF))


def version_block(data, start):
    """(key, value, [block...]): each length counts from the block's begin, each part begins at a multiple of four."""
    length, value_length, is_text = struct.unpack_from("<HHH", data, start)
    end = at = start + 6
    while data[end:end + 2] != b"\0\0":
        end += 2
    key = data[at:end].decode("utf-16-le")
    at = (end + 2 + 3) & ~3
    value = data[at:at + value_length * (2 if is_text else 1)]
    at = (at + len(value) + 3) & ~3
    children = []
    while at < start + length:
        children.append(version_block(data, at))
        at = (at + struct.unpack_from("<H", data, at)[0] + 3) & ~3
    return key, value, children
