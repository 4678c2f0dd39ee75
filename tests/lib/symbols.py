# SPDX-License-Identifier: BSD-2-Clause
"""Where in the source an address of a Windows image lies, whatever debug information it has: DWARF in the image, or a PDB
beside it."""
import subprocess

from pe_image import Image


def places(image, offsets, inlined=True):
    """For each offset from the image's base a list of (function, "file:line"), innermost first."""
    command = ["llvm-symbolizer", "--obj=" + image, "--relative-address", "--output-style=LLVM", "--functions=short",
               "--inlines" if inlined else "--no-inlines"]
    text = "".join("%#x\n" % offset for offset in offsets).encode()
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, check=True)
    found = []
    for block in done.stdout.decode(errors="replace").split("\n\n"):
        lines = block.split("\n")
        if len(lines) > 1:
            found.append([(name, place.rpartition(":")[0]) for name, place in zip(lines[::2], lines[1::2])])
    return found


def address_of(path, function, source):
    """The offset at which a function begins that has a frame; source: how its file's name ends."""
    starts = sorted({begin for begin, *_ in Image(path).frames()})
    for start, ((name, place), *_) in zip(starts, places(path, starts, inlined=False)):
        if name == function and place.rpartition(":")[0].endswith(source):
            return start
    raise ValueError("%s has no function %s of %s" % (path, function, source))
