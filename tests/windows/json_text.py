#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan
"""What lungfish.exe writes as JSON, against json-c itself: the same tree, the same bytes."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from windows_build import BUILD, case, finish


def written(name):
    return subprocess.run([os.path.join(BUILD, "tests", "windows", name)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, check=True).stdout


def problems():
    library, ours = (written("json_of_" + whose).split(b"\n") for whose in ("library", "ours"))
    if len(library) < 300:
        yield "json-c wrote %d lines" % len(library)
    for number, (one, other) in enumerate(zip(library, ours), 1):
        if one != other:
            yield "line %d: json-c: %r, ours: %r" % (number, one, other)
    if len(library) != len(ours):
        yield "json-c wrote %d lines, ours are %d" % (len(library), len(ours))


case("windows_json_is_as_json_c_writes_it", problems())
finish()
