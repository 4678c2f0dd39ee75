# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the Windows build share: the files that a build compiles, and how a case is reported."""
import json
import os
import sys

SOURCE = os.environ.get("SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", "")
failures = []


def compiled(target):
    """{source, from the root of the tree: its command} of what goes into driver.sys or lungfish.exe."""
    with open(os.path.join(BUILD, "compile_commands.json")) as text:
        entries = json.load(text)
    found = {}
    for entry in entries:
        if "/%s.p/" % target in entry["output"]:
            path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
            found[os.path.relpath(path, os.path.realpath(SOURCE))] = entry["command"]
    return found


def case(name, problems):
    """One line; each problem before it, as a comment."""
    problems = list(problems)
    for problem in problems:
        print("# %s: %s" % (name, str(problem).replace("\n", "\n#   ")))
    print("%s %s" % ("not ok" if problems else "ok", name), flush=True)
    failures.extend(problems)


def finish():
    sys.exit(1 if failures else 0)
