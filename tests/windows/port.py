#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-gcc
"""Storport's structures and codes: the driver declares them, and the tests' port drivers declare them once more. Both
compile only when each field is where they say; here: that they say so of each field, and say the same."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from windows_build import SOURCE, case, finish

OURS, THEIRS = "edge/storport/port.h", "tests/storport/host/port.h"
# Who is who.
STRUCTURES = {
    "HW_INITIALIZATION_DATA": "host_registration",
    "PORT_CONFIGURATION_INFORMATION": "host_config",
    "SCSI_REQUEST_BLOCK": "host_srb",
    "SCSI_PNP_REQUEST_BLOCK": "host_srb_pnp",
    "STORAGE_REQUEST_BLOCK": "host_srbex",
    "STOR_ADDR_BTL8": "host_address_btl8",
    "SRBEX_DATA": "host_srbex_data",
    "SRBEX_DATA_SCSI_CDB16": "host_srbex_cdb16",
    "SRBEX_DATA_SCSI_CDB32": "host_srbex_cdb32",
    "SRBEX_DATA_SCSI_CDB_VAR": "host_srbex_cdb_var",
    "SRBEX_DATA_PNP": "host_srbex_pnp",
    "SCSI_SUPPORTED_CONTROL_TYPE_LIST": "host_control_list",
    "STOR_UC_DEVICE_USAGE": "host_unit_usage",
    "STOR_DEVICE_CAPABILITIES": "host_capabilities_old",
    "STOR_DEVICE_CAPABILITIES_EX": "host_capabilities",
}
CODES = {
    "STOR_FEATURE_VIRTUAL_MINIPORT": "HOST_FEATURE_VIRTUAL_MINIPORT",
    "STOR_FEATURE_FULL_PNP_DEVICE_CAPABILITIES": "HOST_FEATURE_FULL_PNP_CAPABILITIES",
    "STOR_FEATURE_ADAPTER_NOT_REQUIRE_IO_PORT": "HOST_FEATURE_NO_IO_PORT",
    "SRB_TYPE_FLAG_SCSI_REQUEST_BLOCK": "HOST_SRB_TYPE_FLAG_OLD",
    "SRB_TYPE_FLAG_STORAGE_REQUEST_BLOCK": "HOST_SRB_TYPE_FLAG_EXTENDED",
    "SRB_TYPE_STORAGE_REQUEST_BLOCK": "HOST_SRB_TYPE_EXTENDED",
    "ADDRESS_TYPE_FLAG_BTL8": "HOST_ADDRESS_TYPE_FLAG_BTL8",
    "STOR_ADDRESS_TYPE_BTL8": "HOST_ADDRESS_BTL8",
    "STOR_MAP_NON_READ_WRITE_BUFFERS": "HOST_MAP_NON_READ_WRITE",
    "SCSI_DMA64_MINIPORT_FULL64BIT_SUPPORTED": "HOST_DMA64_FULL",
    "StorSynchronizeFullDuplex": "HOST_FULL_DUPLEX",
    "ScsiQuerySupportedControlTypes": "HOST_ADAPTER_QUERY_SUPPORTED",
    "ScsiStopAdapter": "HOST_ADAPTER_STOP",
    "ScsiRestartAdapter": "HOST_ADAPTER_RESTART",
    "ScsiAdapterPower": "HOST_ADAPTER_POWER",
    "ScsiAdapterSurpriseRemoval": "HOST_ADAPTER_SURPRISE_REMOVAL",
    "ScsiAdapterControlSuccess": "HOST_CONTROL_SUCCESS",
    "ScsiAdapterControlUnsuccessful": "HOST_CONTROL_UNSUCCESSFUL",
    "ScsiQuerySupportedUnitControlTypes": "HOST_UNIT_QUERY_SUPPORTED",
    "ScsiUnitUsage": "HOST_UNIT_USAGE",
    "ScsiUnitStart": "HOST_UNIT_START",
    "ScsiUnitPower": "HOST_UNIT_POWER",
    "ScsiUnitRemove": "HOST_UNIT_REMOVE",
    "ScsiUnitSurpriseRemoval": "HOST_UNIT_SURPRISE_REMOVAL",
    "ScsiUnitControlSuccess": "HOST_CONTROL_SUCCESS",
    "ScsiUnitControlUnsuccessful": "HOST_CONTROL_UNSUCCESSFUL",
    "ScsiDeviceUsageTypeUndefined": "HOST_USAGE_UNDEFINED",
    "ScsiDeviceUsageTypePaging": "HOST_USAGE_PAGING",
    "ScsiDeviceUsageTypeHibernation": "HOST_USAGE_HIBERNATION",
    "ScsiDeviceUsageTypeDumpFile": "HOST_USAGE_DUMP_FILE",
    "ScsiDeviceUsageTypeBoot": "HOST_USAGE_BOOT",
    "SRB_FUNCTION_STORAGE_REQUEST_BLOCK": "HOST_SRB_EXTENDED",
    "SRB_SIMPLE_TAG_REQUEST": "HOST_QUEUE_SIMPLE",
    "SRB_HEAD_OF_QUEUE_TAG_REQUEST": "HOST_QUEUE_HEAD",
    "SRB_ORDERED_QUEUE_TAG_REQUEST": "HOST_QUEUE_ORDERED",
    "SRB_PNP_FLAGS_ADAPTER_REQUEST": "HOST_ADAPTER_REQUEST",
    "SRB_SIGNATURE": "HOST_SRBEX_SIGNATURE",
    "SrbExDataTypeScsiCdb16": "HOST_SRBEX_CDB16",
    "SrbExDataTypeScsiCdb32": "HOST_SRBEX_CDB32",
    "SrbExDataTypeScsiCdbVar": "HOST_SRBEX_CDB_VAR",
    "SrbExDataTypePnP": "HOST_SRBEX_PNP",
    "StorStartDevice": "HOST_PNP_START",
    "StorRemoveDevice": "HOST_PNP_REMOVE",
    "StorStopDevice": "HOST_PNP_STOP",
    "StorQueryCapabilities": "HOST_PNP_QUERY_CAPABILITIES",
    "StorSurpriseRemoval": "HOST_PNP_SURPRISE_REMOVAL",
    "RequestComplete": "HOST_NOTIFY_REQUEST_COMPLETE",
    "BusChangeDetected": "HOST_NOTIFY_BUS_CHANGE_DETECTED",
    "EnablePassiveInitialization": "HOST_NOTIFY_ENABLE_PASSIVE_INITIALIZATION",
    "ExtFunctionGetSystemAddress": "HOST_EX_GET_SYSTEM_ADDRESS",
    "ExtFunctionGetOriginalMdl": "HOST_EX_GET_ORIGINAL_MDL",
    "ExtFunctionCompleteServiceIrp": "HOST_EX_COMPLETE_SERVICE_IRP",
    "ExtFunctionSetAdapterBusType": "HOST_EX_SET_ADAPTER_BUS_TYPE",
    "STOR_STATUS_SUCCESS": "HOST_STOR_SUCCESS",
    "IOCTL_MINIPORT_PROCESS_SERVICE_IRP": "HOST_IOCTL_SERVICE",
}
PREFIXES = {"SRB_FUNCTION_": "HOST_SRB_", "SRB_STATUS_": "HOST_STATUS_", "SRB_FLAGS_": "HOST_FLAGS_",
            "SP_RETURN_": "HOST_FIND_"}


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as text:
        return re.sub(r"/\*.*?\*/", "", text.read(), flags=re.S)


def structures(text):
    """{name: [field...]}, without bits, and without what is reserved or only keeps others apart."""
    found = {}
    for name, body, other in re.findall(r"^(?:typedef )?struct (\w+) \{\n(.*?)^\} ?(\w*);", text, re.M | re.S):
        body = re.sub(r"struct \{.*?\} (\w+);", r"int \1;", body, flags=re.S)
        fields = re.findall(r"(\w+)(\[\w+\])?;", re.sub(r"\w+ : \d+;", "", body))
        found[other or name] = [(field, room) for field, room in fields if not re.match("Reserved|Apart", field)]
    return found


def placed(text, macro):
    """{structure: {field: offset}}"""
    found = {}
    for name, field, offset in re.findall(macro + r"\(\s*(\w+), (\w+), (\w+)\);", text):
        found.setdefault(name, {})[field] = int(offset, 0)
    return found


def sized(text, macro):
    """{structure: bytes}"""
    return {name: int(size, 0) for name, size in re.findall(macro + r"\((\w+), (\w+)\);", text)
            + re.findall(r"sizeof\((\w+)\) >= (\w+)", text)}


def codes(text):
    """{name: number} of each enumerator and each #define of a number."""
    found = {name: int(number.rstrip("u"), 0)
             for name, number in re.findall(r"^#define (\w+)\s+(0x\w+|\d+u?) *$", text, re.M)}
    for body in re.findall(r"\benum(?: \w+)? \{(.*?)\}", text, re.S):
        following = 0
        for entry in filter(None, (part.strip() for part in body.split(","))):
            name, _, number = (part.strip() for part in entry.partition("="))
            found[name] = following = eval(number, {}, {}) if number else following
            following += 1
    return found


def placing_problems(path, place, size):
    """What ends in an array without an end has no size of its own; addresses the WDK fills up to eight bytes."""
    text = read(path)
    places, sizes = placed(text, place), sized(text, size)
    for name, fields in structures(text).items():
        for field, _ in fields:
            if field not in places.get(name, {}):
                yield "%s: nothing asserts where %s.%s is" % (path, name, field)
        if name not in sizes and fields[-1][1] != "[1]" and name != "STOR_ADDR_BTL8":
            yield "%s: nothing asserts the size of %s" % (path, name)


def layout_problems(ours, theirs):
    our_places, their_places = placed(ours, "LF_PORT_PLACE"), placed(theirs, "HOST_AT")
    our_sizes, their_sizes = sized(ours, "LF_PORT_SIZE"), sized(theirs, "HOST_SIZE")
    for name in structures(ours):
        other = STRUCTURES.get(name)
        if other not in their_places:
            yield "%s: the tests have no such structure" % name
            continue
        for field, offset in our_places.get(name, {}).items():
            if their_places[other].get(field, offset if field == "Data" else None) != offset:
                yield "%s.%s is at %#x, the tests have it at %s" % (name, field, offset, their_places[other].get(field))
        if name in our_sizes and other in their_sizes and our_sizes[name] != their_sizes[other]:
            yield "%s has %d bytes, the tests say %d" % (name, our_sizes[name], their_sizes[other])


def code_problems(ours, theirs):
    their_codes = codes(theirs)
    for name, number in codes(ours).items():
        prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), None)
        other = CODES.get(name) or (prefix and PREFIXES[prefix] + name[len(prefix):])
        if other not in their_codes:
            yield "%s: the tests have no such number" % name
        elif their_codes[other] != number:
            yield "%s is %#x, the tests' %s is %#x" % (name, number, other, their_codes[other])


def main():
    ours, theirs = read(OURS), read(THEIRS)
    case("windows_port_says_where_each_field_is", placing_problems(OURS, "LF_PORT_PLACE", "LF_PORT_SIZE"))
    case("windows_port_of_the_tests_does_too", placing_problems(THEIRS, "HOST_AT", "HOST_SIZE"))
    case("windows_port_has_the_layouts_of_the_tests", layout_problems(ours, theirs))
    case("windows_port_has_the_numbers_of_the_tests", code_problems(ours, theirs))
    finish()


main()
