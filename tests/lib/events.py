# SPDX-License-Identifier: BSD-2-Clause
"""trace/events.def as tests of what becomes of it read it, and what ETW is to be told of each row."""
import collections
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
Row = collections.namedtuple("Row", "name id level fields")
LEVELS = {"ERROR": 2, "WARNING": 3, "INFO": 4, "VERBOSE": 5}
FUNCTION, PNP, CONTROL, FAULT = 1, 2, 4, 8
# Of the core and of the stores: what comes and goes.
COMING_AND_GOING = {"unit_added", "unit_leaving", "unit_freed", "nexus_opened", "nexus_closed", "medium_changed",
                    "capacity_changed", "store_opened", "store_closed"}
OPCODES = {"command_begin": 1, "command_done": 2, "storport_srb": 1, "storport_srb_done": 2}  # start, stop


def read_events():
    with open(os.path.join(ROOT, "trace", "events.def")) as text:
        found = re.findall(r"^LF_EVENT\((\w+), (\d+), (\w+),(.*)\)$", text.read(), re.M)
    return [Row(name, int(number), LEVELS[level], [field.strip() for field in fields.split(",") if field.strip()])
            for name, number, level, fields in found]


def by_name(rows):
    return {row.name: row for row in rows}


def keyword_of(row):
    if row.level <= LEVELS["WARNING"]:
        return FAULT
    if row.name in COMING_AND_GOING or row.name.startswith("storport_") and row.level == LEVELS["INFO"]:
        return PNP
    return CONTROL if row.name.startswith("control_") else FUNCTION


def opcode_of(row):
    return OPCODES.get(row.name, 0)
