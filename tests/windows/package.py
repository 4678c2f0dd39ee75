#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-gcc
"""lungfish.inf and lungfish.vcxproj, for which there is no checker on Linux: whether they hang together, whether they
say what the driver and its build say."""
import os
import re
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from windows_build import SOURCE, case, compiled, finish

HERE = os.path.join(SOURCE, "packaging", "windows")
MINIMUM = "NTamd64.10.0...16299"
# Sections that Setup looks for by itself, and what it appends to the name of the one that installs.
OWN_SECTIONS = {"Version", "SourceDisksNames", "SourceDisksFiles", "DestinationDirs", "Manufacturer", "Strings"}
WANTED = {
    ("Version", "Signature"): '"$WINDOWS NT$"',
    ("Version", "Class"): "SCSIAdapter",
    ("Version", "ClassGuid"): "{4D36E97B-E325-11CE-BFC1-08002BE10318}",
    ("Version", "CatalogFile"): "lungfish.cat",
    ("Version", "PnpLockdown"): "1",
    ("DestinationDirs", "DefaultDestDir"): "13",
    ("SourceDisksFiles", "lungfish.sys"): "1",
    ("Manufacturer", "%Provider%"): "Lungfish, " + MINIMUM,
    ("Lungfish." + MINIMUM, "%DeviceName%"): "Lungfish_Device, root\\lungfish",
    ("Lungfish_Service", "ServiceType"): "1",
    ("Lungfish_Service", "StartType"): "3",
    ("Lungfish_Service", "ErrorControl"): "1",
    ("Lungfish_Service", "ServiceBinary"): "%13%\\lungfish.sys",
    ("Lungfish_Service", "LoadOrderGroup"): '"SCSI Miniport"',
}
LINES = {
    "Lungfish_Files": ["lungfish.sys"],
    "Lungfish_Device.Services": ["AddService = lungfish, 0x00000002, Lungfish_Service"],
    "Lungfish_Hardware": ["HKR,, DeviceCharacteristics, 0x00010001, 0x00000100",
                          'HKR,, Security,, "D:P(A;;GA;;;SY)(A;;GA;;;BA)"',
                          'HKR, "ScsiPort", "NeedsSystemShutdownNotification", 0x00010001, 1'],
    "Lungfish_Parameters": ['HKR, "Parameters", "BusType", 0x00010003, 0x0000000A',
                            'HKR, "Parameters", "MaximumTargets", 0x00010003, 16'],
}
FORBIDDEN = {"addsoftware", "bitreg", "copyinf", "delfiles", "delreg", "ini2reg", "registerdlls", "renfiles",
             "updateinis", "updateinifields"}
# What the kit does after it has linked: the INF as it is, its catalog, signatures.
PACKAGED = {"SpecifyDriverVerDirectiveDate": "false", "SpecifyDriverVerDirectiveVersion": "false",
            "EnableInf2cat": "true", "FileDigestAlgorithm": "SHA256"}


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as text:
        return text.read()


def parse_inf(text):
    """{section: [line...]}, without comments."""
    sections, name = {}, None
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r';(?=(?:[^"]*"[^"]*")*[^"]*$).*', "", line).strip()
        found = re.match(r"\[([^\]]+)\]$", line)
        if found:
            name = found.group(1)
            if name in sections:
                raise ValueError("line %d: a second section %s" % (number, name))
            sections[name] = []
        elif line:
            sections[name].append(line)
    return sections


def value(sections, section, key):
    for line in sections.get(section, ()):
        left, equals, right = line.partition("=")
        if equals and left.strip() == key:
            return right.strip()
    return None


def references(sections):
    """(section, what it stands in) for each section that another one names."""
    for maker in sections.get("Manufacturer", ()):
        models, *systems = [part.strip() for part in maker.partition("=")[2].split(",")]
        for system in systems or [None]:
            yield (models + "." + system if system else models), "Manufacturer"
    for name, lines in sections.items():
        for line in lines:
            left, _, right = line.partition("=")
            parts = [part.strip() for part in right.split(",")]
            if left.strip() in ("CopyFiles", "AddReg"):
                for part in parts:
                    yield part, name
            elif left.strip() == "AddService":
                yield parts[2], name
            elif name.startswith("Lungfish.NT"):
                yield parts[0], name
                yield parts[0] + ".Services", name
                yield parts[0] + ".HW", name


def inf_problems(sections, text):
    named = dict(references(sections))
    for section, where in named.items():
        if section not in sections:
            yield "[%s] names [%s], which is not there" % (where, section)
    for section in set(sections) - set(named) - OWN_SECTIONS:
        yield "nothing leads to [%s]" % section
    strings = {line.partition("=")[0].strip() for line in sections.get("Strings", ())}
    used = set(re.findall(r"%([A-Za-z]\w*)%", text))
    for name in sorted(strings ^ used):
        yield "%%%s%% is %s" % (name, "used and not defined" if name in used else "defined and not used")
    if not text.isascii():
        yield "a character that is not ASCII: Setup would want a byte order mark"


def value_problems(sections):
    for (section, key), wanted in WANTED.items():
        found = value(sections, section, key)
        if found != wanted:
            yield "[%s] %s is %s, not %s" % (section, key, found, wanted)
    for section, lines in LINES.items():
        for line in lines:
            if line not in sections.get(section, ()):
                yield "[%s] lacks: %s" % (section, line)


def isolation_problems(sections):
    """What Windows asks of a package whose driver runs where the driver store has it: no directory and no keys but its
    own, and nothing that is taken away or run while it is installed."""
    for name, lines in sections.items():
        for line in lines if name != "Strings" else ():
            left, _, right = (part.strip() for part in line.partition("="))
            directories = re.findall(r"%(\d+)%", line)
            if name == "DestinationDirs":
                directories.append(right.partition(",")[0])
            if set(directories) - {"13"}:
                yield "[%s] leads to another directory: %s" % (name, line)
            if re.match(r"HK(?:LM|CR|CU|U)\b", line):
                yield "[%s] writes into a key that is not its own: %s" % (name, line)
            if left.lower() in FORBIDDEN:
                yield "[%s] does more than copy a driver and add values: %s" % (name, line)
        if re.search(r"\.(?:CoInstallers|LogConfigOverride|Software)$|^DefaultInstall", name, re.I):
            yield "[%s] is not wanted" % name


def version_problems(sections):
    version = re.search(r"^\s*version: '([^']+)'", read("meson.build"), re.M).group(1)
    date, _, number = (value(sections, "Version", "DriverVer") or "").partition(",")
    if number != version + ".0":
        yield "DriverVer ends with %s, the project is %s" % (number, version)
    if not re.fullmatch(r"(?:0[1-9]|1[0-2])/(?:0[1-9]|[12]\d|3[01])/20\d\d", date):
        yield "DriverVer begins with %s, which is not MM/DD/YYYY" % date
    if "-DNTDDI_VERSION=0x0A000004" not in read("packaging", "windows", "meson.build"):
        yield "the driver is not compiled for the build that the INF asks for"


def parameter_problems(sections, sources):
    offered = set()
    for line in sections.get("Lungfish_Parameters", ()):
        found = re.fullmatch(r'HKR, "Parameters", "(\w+)", 0x00010003, (?:0x[0-9A-F]+|\d+)', line)
        if not found:
            yield "no REG_DWORD that leaves one alone: %s" % line
        else:
            offered.add(found.group(1))
    asked = set()
    for path in sources:
        asked |= set(re.findall(r'lf_nt_parameter\([^,;]+,\s*L"(\w+)"', read(path)))
    for name in sorted(asked ^ offered):
        yield "%s is %s" % (name, "asked for by the driver, not in the INF" if name in asked
                            else "in the INF, and the driver never asks")


def project():
    tree = xml.etree.ElementTree.fromstring(read("packaging", "windows", "lungfish.vcxproj").encode())
    for element in tree.iter():
        element.tag = element.tag.partition("}")[2]
    return tree


def file_list_problems(tree, sources):
    listed = []
    for item in tree.iter("ClCompile"):
        if item.get("Include"):
            path = item.get("Include").replace("\\", "/")
            listed.append(os.path.relpath(os.path.join(HERE, path), SOURCE))
    for path in sorted(set(listed) - set(sources)):
        yield "the build has no %s" % path
    for path in sorted(set(sources) - set(listed)):
        yield 'it lacks <ClCompile Include="..\\..\\%s" />' % path.replace("/", "\\")
    if listed != sorted(set(listed)):
        yield "the list is not in order, or has a file twice"


def setting_problems(tree):
    texts = {}
    for element in tree.iter():
        texts.setdefault(element.tag, []).append((element.text or "").strip())
    for tag, wanted in (("DriverType", "WDM"), ("ConfigurationType", "Driver"), ("_NT_TARGET_VERSION", "0xA000004")):
        if texts.get(tag) != [wanted]:
            yield "%s is %s, not %s" % (tag, texts.get(tag), wanted)
    for tag, wanted in PACKAGED.items():
        if texts.get(tag) != [wanted]:
            yield "%s is %s, not %s: the kit would make no package of it" % (tag, texts.get(tag), wanted)
    if [item.get("Include") for item in tree.iter("FilesToPackage")] != ["$(TargetPath)"]:
        yield "the driver is not in the package: Inf2Cat does not find what the INF names"
    for tag, wanted in (("PreprocessorDefinitions", "LF_WDK=1"), ("AdditionalDependencies", "storport.lib"),
                        ("AdditionalIncludeDirectories", "$(ProjectDir)..\\..")):
        if not any(wanted in text.split(";") for text in texts.get(tag, ())):
            yield "%s lacks %s" % (tag, wanted)
    resources = [item.get("Include") for item in tree.iter("ResourceCompile") if item.get("Include")]
    if resources != ["..\\..\\programs\\driver\\driver.rc"]:
        yield "resources: %s" % resources
    if set(texts.get("Platform", ())) != {"x64"}:
        yield "platforms: %s" % texts.get("Platform")


def main():
    text = read("packaging", "windows", "lungfish.inf")
    sections, sources = parse_inf(text), compiled("driver.sys")
    case("windows_inf_hangs_together", inf_problems(sections, text))
    case("windows_inf_row_20_says_what_is_wanted", value_problems(sections))
    case("windows_inf_keeps_to_its_own", isolation_problems(sections))
    case("windows_inf_has_the_version_of_the_project", version_problems(sections))
    case("windows_inf_has_the_parameters_of_the_driver", parameter_problems(sections, sources))
    tree = project()
    case("windows_project_has_the_files_of_the_build", file_list_problems(tree, sources))
    case("windows_project_builds_a_wdm_driver_for_x64", setting_problems(tree))
    finish()


main()
