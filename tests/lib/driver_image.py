# SPDX-License-Identifier: BSD-2-Clause
"""What the loader of Windows and HVCI want of a driver's image, as it was built and as it is signed."""
import os

from pe_image import EXECUTE, EXPORTS, RELOCATIONS, WRITE
from windows_build import SOURCE

WRITABLE = {".data", ".bss"}
GUARD_CF = 0x4000
FLAGS = {0x20: "high entropy ASLR", 0x40: "ASLR", 0x100: "no execution of data"}


def allowed_imports():
    allowed, module = {}, None
    with open(os.path.join(SOURCE, "packaging", "windows", "imports")) as text:
        for line in text:
            if line.startswith("\t"):
                allowed[module].add(line.split()[0])  # DATA may stand behind it
            elif line.strip() and not line.startswith("#"):
                module = line.strip().lower()
                allowed[module] = set()
    return allowed


def header_problems(image):
    if (image.machine, image.magic) != (0x8664, 0x20B):
        yield "no image for x64: machine %#x, magic %#x" % (image.machine, image.magic)
    if image.subsystem != 1 or image.subsystem_version != (6, 1):
        yield "subsystem %d %s: a driver has the native one, 1, here 6.1" % (image.subsystem, image.subsystem_version)
    if image.characteristics & 0x2000 or not image.characteristics & 2:
        yield "characteristics %#x: an executable image, no library" % image.characteristics
    if image.flags & GUARD_CF:
        yield "it is marked for control flow guard, whose tables no compiler here makes"
    if not image.section_of(image.entry).flags & EXECUTE:
        yield "the entry point does not lie in code"


def import_problems(image):
    allowed = allowed_imports()
    found = image.imports()
    for module in sorted(image.imported_twice()):
        yield "two descriptors import from %s" % module
    for module, names in found.items():
        for name in names:
            if name not in allowed.get(module, ()):
                yield "%s of %s is not in packaging/windows/imports" % (name, module)
    for module, names in allowed.items():
        for name in sorted(names - set(found.get(module, ()))):
            if name[0].isupper():  # what a compiler makes of memcmp is its own affair
                yield "%s of %s is in packaging/windows/imports, and nothing needs it" % (name, module)
    if not {"ntoskrnl.exe", "storport.sys"} <= set(found):
        yield "a miniport imports from the kernel and from Storport, this one from %s" % sorted(found)


def section_problems(image):
    if image.section_alignment != 4096:
        yield "sections are aligned at %d" % image.section_alignment
    for section in image.sections:
        if section.flags & EXECUTE and section.flags & WRITE:
            yield "%s can be written and executed" % section.name
        if section.flags & WRITE and section.name not in WRITABLE:
            yield "%s can be written, for nothing" % section.name
        if section.address % 4096:
            yield "%s begins within a page" % section.name


def flag_problems(image):
    for flag, meaning in FLAGS.items():
        if not image.flags & flag:
            yield "it is not marked for %s" % meaning
    if not image.directory(RELOCATIONS)[1]:
        yield "it has no relocations, so it cannot move"
    if image.directory(EXPORTS)[1]:
        yield "it exports something"


def checksum_problems(image):
    if image.checksum != image.right_checksum():
        yield "it says %#x, right is %#x" % (image.checksum, image.right_checksum())
