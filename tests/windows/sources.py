#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-gcc
"""The driver's sources as the WDK's compiler would have them. There is none here: clang stands in, with Microsoft's
ABI and extensions, and with mingw-w64's headers for the WDK's."""
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from windows_build import BUILD, SOURCE, case, compiled, finish

MINGW = "/usr/x86_64-w64-mingw32/include"
COMPILER = ["clang", "--target=x86_64-pc-windows-msvc", "-fms-extensions", "-fms-compatibility-version=19.30",
            "-fgnuc-version=12.2", "-std=c11", "-ffreestanding", "-I.", "-I" + BUILD, "-isystem", MINGW + "/ddk", "-isystem", MINGW,
            "-D_WIN32_WINNT=0x0A00", "-DNTDDI_VERSION=0x0A000004", "-include", "tests/windows/msvc_nt.h"]
# What Microsoft's compiler calls C4244, C4267, C4018, C4389, C4287, C4702, C4456 to C4459 and C4706 is among these.
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wgnu", "-Wvla", "-Wshorten-64-to-32", "-Wimplicit-int-conversion",
            "-Wenum-conversion", "-Wmissing-prototypes", "-Wshadow", "-Wtautological-compare", "-Wunreachable-code-aggressive",
            "-Wcomma", "-Wframe-larger-than=1024", "-Werror"]
# offsetof and va_list are the compiler's own business, and every compiler has them.
GNU_WORDS = re.compile(r"\b(?:__attribute__|__builtin_(?!offsetof|va_)\w+|__(?:atomic|sync)_\w+|__int128|__asm__|asm"
                       r"|__extension__)\b")
FORBIDDEN = {
    "windows_sources_take_no_executable_pool": r"\bNonPagedPool(?:Execute|MustSucceed|CacheAligned\w*)?\b|\bExAllocatePool\b",
    "windows_sources_have_no_seh": r"\b_{1,2}(?:try|except|finally|leave)\b",
    "windows_sources_have_no_floating_point": r"\b(?:float|double)\b",
    "windows_sources_do_not_ask_for_irql_or_thread": r"\bKeGetCurrent(?:Irql|Thread)\b",
}
# A callback that comes at two levels, and may wait at one of them. Wine says PASSIVE_LEVEL to whoever asks.
ASKS_FOR_IRQL = ("edge/storport/attendant.c", "KeGetCurrentIrql")
COMMENT_OR_TEXT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def run(*command):
    done = subprocess.run(command, cwd=SOURCE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def in_parallel(function, sources):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for problems in pool.map(function, sources):
            yield from problems


def compile_problems(source, more=()):
    code, _, said = run(*COMPILER, *more, *WARNINGS, "-O0", "-c", "-o", os.devnull, source)
    return ["%s: %s" % (source, said.strip()[:4000])] if code else []


def wdk_problems(sources, folder):
    """With LF_WDK defined, and headers by the names of the WDK's that declare what it is known to declare there."""
    kit = {"storport.h": r"^#ifdef LF_WDK$.*?^#else$(.*?)^#endif$", "ntddscsi.h": r"(^#define IOCTL_MINIPORT_\w+ .*?$)",
           "besides.h": r"^#if !defined\(LF_WDK\)[^\n]*$(.*?)^#endif$"}
    found = dict.fromkeys(kit, "")
    concerned = [source for source in sources if any("LF_WDK" in read(path) for path in files_of([source]))]
    for path in files_of(concerned):
        for name, pattern in kit.items():
            found[name] += "".join(re.findall(pattern, read(path), re.M | re.S))
    found["storport.h"] = found["storport.h"].replace(found["ntddscsi.h"], "")
    for name, text in found.items():
        if not text:
            yield "nothing of ours is what %s has" % name
        with open(os.path.join(folder, name), "w") as file:
            file.write("#pragma once\n#pragma clang system_header\n%s\n" % text)
    more = ("-DLF_WDK=1", "-I" + folder, "-include", os.path.join(folder, "besides.h"))
    yield from in_parallel(lambda source: compile_problems(source, more), concerned)


def gnu_words(source):
    """What is left, when no macro says that the compiler is clang or gcc, of what only these know."""
    code, text, said = run(*COMPILER, "-U__clang__", "-E", source)
    if code:
        return ["%s: %s" % (source, said.strip()[:2000])]
    problems, where, line = set(), "", 0
    for row in text.splitlines():
        marker = re.match(r'#\s*(?:line\s+)?(\d+) "([^"]*)"', row)
        if marker:
            line, where = int(marker.group(1)), os.path.normpath(marker.group(2))
            continue
        if not where.startswith("/") and where[:1] != "<":
            found = GNU_WORDS.search(COMMENT_OR_TEXT.sub(" ", row))
            if found:
                problems.add("%s:%d: %s" % (where, line, found.group(0)))
        line += 1
    return sorted(problems)


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as text:
        return text.read()


def files_of(sources):
    """The sources, and every header of ours that one of them includes."""
    found, waiting = set(), list(sources)
    while waiting:
        path = waiting.pop()
        if path in found or not os.path.exists(os.path.join(SOURCE, path)):
            continue
        found.add(path)
        waiting += re.findall(r'^\s*#\s*include\s*"([^"]+)"', read(path), re.M)
    return sorted(found)


def forbidden(pattern, files):
    for path in files:
        blank = COMMENT_OR_TEXT.sub(lambda piece: re.sub(r"[^\n]", " ", piece.group(0)), read(path))
        for number, line in enumerate(blank.splitlines(), 1):
            found = re.search(pattern, line)
            if found and (path, found.group(0)) != ASKS_FOR_IRQL:
                yield "%s:%d: %s" % (path, number, found.group(0))


def main():
    sources = sorted(compiled("driver.sys"))
    case("windows_sources_are_found", [] if len(sources) > 60 else ["only %d" % len(sources)])
    case("windows_sources_compile_for_the_abi_of_microsoft", in_parallel(compile_problems, sources))
    with tempfile.TemporaryDirectory() as folder:
        case("windows_sources_compile_as_for_the_wdk", wdk_problems(sources, folder))
    case("windows_sources_are_free_of_gnu_words", in_parallel(gnu_words, sources))
    files = files_of(sources)
    for name, pattern in FORBIDDEN.items():
        case(name, forbidden(pattern, files))
    finish()


main()
