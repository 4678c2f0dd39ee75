#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-gcc windows-clang
"""lungfish.sys as it is shipped: what the loader of Windows, HVCI and a debugger want of the image."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from driver_image import checksum_problems, flag_problems, header_problems, import_problems, section_problems
from pe_image import Image
from windows_build import BUILD, SOURCE, case, finish

COMPILER = os.environ.get("BUILD_KIND", "windows-gcc").split("-")[1]
OUT = os.path.join(BUILD, "out")
TMPDIR = os.environ.get("TMPDIR", "/tmp")
FRAME_BYTES, PUSHED = 1024, 8  # and no more registers than there are to save
DRIVER, APPLICATION = (3, 7), (1, 0)  # VFT_DRV and VFT2_DRV_SYSTEM, VFT_APP
CONSOLE = {"advapi32.dll", "cfgmgr32.dll", "kernel32.dll", "msvcrt.dll", "setupapi.dll", "shell32.dll", "user32.dll",
           "wtsapi32.dll"}
WINDOW = {"comctl32.dll", "comdlg32.dll", "dwmapi.dll", "gdi32.dll", "ole32.dll", "shlwapi.dll", "uxtheme.dll"}
PROGRAMS = {"lungfish.exe": (3, CONSOLE), "lungfish-gui.exe": (2, CONSOLE | WINDOW)}  # subsystem, modules of Windows


def frame_problems(image):
    frames = list(image.frames())
    if len(frames) < 100:
        yield "%d functions with unwind codes: where are the others?" % len(frames)
    for address, taken, pushed in frames:
        if taken > FRAME_BYTES or pushed > PUSHED:
            yield "the function at %#x takes %d bytes of stack and pushes %d registers" % (address, taken, pushed)
    print("# the largest frame: %d bytes" % max(taken for _, taken, _ in frames))


def output_of(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.decode(errors="replace")


def dwarf_problems(image, path):
    entry = output_of("x86_64-w64-mingw32-addr2line", "-e", path, hex(image.base + image.entry)).strip()
    if not re.search(r"(?:^|/)programs/driver/driver\.c:\d+$", entry):
        yield "addr2line says of DriverEntry: %s" % entry


def pdb_problems(image):
    named = image.pdb()
    if not named or named[1] != "lungfish.pdb":
        yield "the image names as its PDB: %s" % (named,)
        return
    pdb = os.path.join(OUT, "lungfish.pdb")
    found = re.search(r"GUID: \{([0-9A-F-]+)\}", output_of("llvm-pdbutil", "dump", "--summary", pdb))
    parts = found.group(1).split("-") if found else []
    guid = b"".join(bytes.fromhex(part)[::-1] for part in parts[:3]) + bytes.fromhex("".join(parts[3:]))
    if guid != named[0]:
        yield "the PDB's identifier is %s, the image wants %s" % (guid.hex(), named[0].hex())
    if not re.search(r"`DriverEntry`", output_of("llvm-pdbutil", "dump", "--publics", "--symbols", pdb)):
        yield "the PDB does not know DriverEntry"


def bytes_of(path):
    with open(path, "rb") as file:
        return file.read()


def reproduction_problems():
    """The same tree in another place, with another name's length, gives the same bytes."""
    tree = os.path.join(TMPDIR, "another-place", "tree")
    shutil.copytree(SOURCE, tree, ignore=shutil.ignore_patterns(".git", "build*[!.sh]", "__pycache__"))
    again = os.path.join(TMPDIR, "again")
    done = subprocess.run([os.path.join(tree, "packaging/windows/build.sh"), "--compiler", COMPILER, again],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        yield "it does not build: %s" % done.stdout.decode(errors="replace")[-3000:]
        return
    names = sorted(os.listdir(again))
    wanted = ["lungfish.inf", "lungfish.sys", *PROGRAMS] + ["lungfish.pdb"] * (COMPILER == "clang")
    if names != sorted(wanted):
        yield "build.sh leaves %s" % names
    for name in ("lungfish.sys", *PROGRAMS):
        if bytes_of(os.path.join(OUT, name)) != bytes_of(os.path.join(again, name)):
            yield "%s has other bytes when it is built elsewhere" % name
    if Image(os.path.join(again, "lungfish.sys")).timestamp:
        yield "the image says when it was linked"


def program_problems(name, subsystem, modules):
    program = Image(os.path.join(OUT, name))
    if program.subsystem != subsystem:
        yield "%s: subsystem %d, not %d" % (name, program.subsystem, subsystem)
    for module in sorted(set(program.imports()) - modules):
        yield "%s wants %s, which Windows does not have" % (name, module)
    yield from flag_problems(program)


def version_problems(name, kind):
    """What Properties shows, and what an installer compares."""
    with open(os.path.join(SOURCE, "meson.build")) as text:
        release = re.search(r"^\s*version: '([^']+)'", text.read(), re.M).group(1)
    found = Image(os.path.join(OUT, name)).version()
    numbers = tuple(int(part) for part in release.split(".")) + (0,)
    for key, wanted in (("numbers", numbers), ("product numbers", numbers), ("kind", kind), ("FileVersion", release),
                        ("ProductVersion", release), ("ProductName", "Lungfish"), ("OriginalFilename", name)):
        if found.get(key) != wanted:
            yield "%s: %s is %s, not %s" % (name, key, found.get(key), wanted)
    for key, word in (("FileDescription", "Lungfish "), ("LegalCopyright", "Copyright")):
        if not found.get(key, "").startswith(word):
            yield "%s: %s is %s" % (name, key, found.get(key))


def main():
    path = os.path.join(OUT, "lungfish.sys")
    image = Image(path)
    case("windows_image_is_a_native_driver_for_x64", header_problems(image))
    case("windows_image_imports_what_is_allowed", import_problems(image))
    case("windows_image_has_no_writable_code", section_problems(image))
    case("windows_image_moves_and_does_not_execute_data", flag_problems(image))
    case("windows_image_checksum_is_right", checksum_problems(image))
    case("windows_image_frames_are_small", frame_problems(image))
    if COMPILER == "gcc":
        case("windows_image_knows_source_lines", dwarf_problems(image, path))
    else:
        case("windows_image_has_its_pdb", pdb_problems(image))
    case("windows_image_is_the_same_elsewhere", reproduction_problems())
    case("windows_driver_says_its_version", version_problems("lungfish.sys", DRIVER))
    for name, wanted in PROGRAMS.items():
        title = "windows_" + name.split(".")[0].replace("-", "_")
        case(title + "_needs_nothing_else", program_problems(name, *wanted))
        case(title + "_says_its_version", version_problems(name, APPLICATION))
    finish()


main()
