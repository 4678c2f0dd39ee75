#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-gcc
"""The PowerShell module: whether it is PowerShell, whether manifest, functions and help fit each other, whether it has
the options of the command. No PowerShell runs it here."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import powershell
from windows_build import SOURCE, case, finish

# Options of the command that are no parameter of its function, and why.
OF_EVERY_VERB = {"json", "quiet", "verbose", "socket", "help", "version"}
WITHOUT = {
    "connect": OF_EVERY_VERB | {"no-state"},  # on Windows there is no state file
    "disconnect": OF_EVERY_VERB,
    "list": OF_EVERY_VERB | {"output", "output-all", "noheadings", "raw", "bytes"},  # of the table
}
FUNCTIONS = {"connect": "Connect-LungfishDisk", "disconnect": "Disconnect-LungfishDisk", "list": "Get-LungfishDisk"}
OPERANDS = {"Path", "Name", "Id"}
ROW = re.compile(r'^\t\{OPTION_\w+, (?:0|\'\w\'), "([a-z-]+)", (NULL|"[^"]*"), ([A-Z_ |]+),', re.M)


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as text:
        return text.read()


def options_of(table, verb):
    """{name: whether it takes a value}, of the table of the command."""
    return {name: value != "NULL" for name, value, verbs in ROW.findall(table)
            if {verb.upper(), "EVERY"} & set(re.split(r"[ |]+", verbs))}


def functions_of(text):
    """{name: its text}, of those that are written from the first column."""
    return {name: body for name, body in re.findall(r"^function ([\w-]+)[^\n]*\{\n(.*?)^\}$", text, re.M | re.S)}


def parameters_of(body):
    """{name: type} of the param block."""
    block = re.search(r"^    param\((.*?)^    \)$", body, re.M | re.S)
    return dict((name, kind) for kind, name in re.findall(r"^        \[([a-z0-9\[\]]+)\] \$(\w+)", block.group(1), re.M)) \
        if block else {}


def plain(option):
    return option.replace("-", "")


def grammar_problems(text):
    tree = powershell.parse(text)
    yield from powershell.problems(tree)
    if not list(powershell.every(tree, "function_statement")) and not list(powershell.every(tree, "hash_entry")):
        yield "the parser found nothing in it"


def export_problems(module, manifest):
    """What is offered is there, and is the same in both."""
    lists = [re.search(pattern, text, re.S).group(1) for pattern, text in
             ((r"FunctionsToExport\s*= @\((.*?)\)", manifest), (r"Export-ModuleMember -Function @\((.*?)\)", module))]
    offered, exported = [set(re.findall(r"'([\w-]+)'", names)) for names in lists]
    if offered != exported:
        yield "manifest and module offer different functions: %s" % (offered ^ exported)
    functions = functions_of(module)
    for name in sorted(offered):
        if name not in functions:
            yield "%s is not there" % name
    version = re.search(r"^\s*version: '([^']+)'", read("meson.build"), re.M).group(1)
    if "ModuleVersion        = '%s'" % version not in manifest:
        yield "another version than the project's"


def parameter_problems(module, table):
    functions = functions_of(module)
    for verb, name in FUNCTIONS.items():
        wanted = {plain(option): (option, value) for option, value in options_of(table, verb).items()
                  if option not in WITHOUT[verb]}
        if not wanted and verb != "list":
            yield "the table has no options of %s" % verb
        body = functions[name]
        found = {parameter.lower(): (parameter, kind) for parameter, kind in parameters_of(body).items()
                 if parameter not in OPERANDS}
        for missing in sorted(set(wanted) - set(found)):
            yield "%s lacks -%s: --%s of %s" % (name, missing, wanted[missing][0], verb)
        for surplus in sorted(set(found) - set(wanted)):
            yield "%s has -%s, which %s has not" % (name, found[surplus][0], verb)
        for key in set(wanted) & set(found):
            option, value = wanted[key]
            if value == (found[key][1] == "switch"):
                yield "%s -%s is %s" % (name, found[key][0], found[key][1])
            if "'--%s'" % option not in body:
                yield "%s never says --%s" % (name, option)


def word_problems(module, table):
    """Every word for lungfish is one that it knows."""
    names = {name for name, _, _ in ROW.findall(table)}
    for option in sorted(set(re.findall(r"'--([a-z-]+)'", module)) - names):
        yield "lungfish has no --%s" % option


def promise_problems(module):
    functions = functions_of(module)
    for name in ("Connect-LungfishDisk", "Disconnect-LungfishDisk"):
        if "SupportsShouldProcess = $true" not in functions[name] or "$PSCmdlet.ShouldProcess(" not in functions[name]:
            yield "%s knows no -WhatIf" % name
    for name in FUNCTIONS.values():
        if "ValueFromPipeline = $true" not in functions[name]:
            yield "%s takes nothing from the pipeline" % name
    for name, body in functions.items():
        if "-Lungfish" in name and not re.search(r"<#.*\.SYNOPSIS.*\.EXAMPLE.*#>", body, re.S):
            yield "%s has no help" % name
    for size in ("Size", "BlockSize", "PhysicalSize"):
        if not re.search(r"^ +%s += \[uint64\] " % size, functions["ConvertTo-Disk"], re.M):
            yield "%s is no [uint64]" % size
    text = read("programs", "lungfish.h")
    for code in re.findall(r"^    (\d+) = '\w+'$", module, re.M):
        if not re.search(r"LF_EXIT_\w+ = %s," % code, text):
            yield "lungfish never ends with %s" % code
    # Windows PowerShell 5.1 reads a file without a byte order mark by the code page of the machine.
    if not module.isascii():
        yield "a character that is not ASCII"


def main():
    module, manifest = (read("packaging", "windows", "Lungfish." + ending) for ending in ("psm1", "psd1"))
    table = read("programs", "lungfish_table.c")
    reason = powershell.missing()
    for name, text in (("module", module), ("manifest", manifest)):
        if reason:
            print("skip windows_%s_is_powershell: %s" % (name, reason))
        else:
            case("windows_%s_is_powershell" % name, grammar_problems(text))
    case("windows_module_offers_what_its_manifest_says", export_problems(module, manifest))
    case("windows_module_has_the_options_of_the_command", parameter_problems(module, table))
    case("windows_module_says_no_option_that_is_none", word_problems(module, table))
    case("windows_module_keeps_its_promises", promise_problems(module))
    finish()


main()
