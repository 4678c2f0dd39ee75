#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# builds: windows-gcc
"""packaging/windows/build.sh in odd places, and where the compilers are missing: what it leaves, what it complains of."""
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from windows_build import BUILD, SOURCE, case, finish

BUILD_SH = os.path.join(SOURCE, "packaging", "windows", "build.sh")
INSTALL = os.path.join(SOURCE, "tests", "deps", "install")
LEFT = ["lungfish-gui.exe", "lungfish.exe", "lungfish.inf", "lungfish.sys"]
# What the scripts need of a machine that has neither compilers nor sudo.
TOOLS = ["bash", "cat", "dirname", "env", "grep", "mkdir", "mktemp", "readlink", "rm", "sed", "sort", "tail"]


def run(*command, where=None, path=None, user=None):
    done = subprocess.run(command, cwd=where, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, PATH=path, TMPDIR=path) if path else None,
                          preexec_fn=(lambda: os.setuid(user)) if user else None)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def complaint_problems(scratch):
    """Each is one line that says what is wrong, and nothing is built or made."""
    file = os.path.join(scratch, "file")
    out = os.path.join(scratch, "never")
    open(file, "w").close()
    for words, wanted in (((), "where to?"), (("--what", out), "no option --what"), ((out, "b"), "one OUTDIR only"),
                          ((out, "--compiler"), "needs a value"), (("--compiler", "tcc", out), "there are gcc and clang"),
                          (("--build", BUILD, file), "is a file"),
                          (("--compiler", "clang", "--build", BUILD, out), "is of another compiler"),
                          (("--build", "/proc/none", out), "no directory can be made")):
        code, said, complained = run(BUILD_SH, *words)
        lines = [line for line in complained.splitlines() if line.startswith("build.sh: ")]
        if code == 0 or len(lines) != 1 or wanted not in lines[0]:
            yield "%s: status %d, %r, %r" % (" ".join(words), code, said, complained)
    code, said, complained = run(BUILD_SH, "--help")
    if code or complained or "--compiler gcc|clang" not in said:
        yield "--help: status %d, %r, %r" % (code, said, complained)


def place_problems(scratch):
    """Relative, with a space in its name, not there yet; with the symbols of another build when it is."""
    out = os.path.join(scratch, "not there", "yet")
    for _ in range(2):
        code, said, complained = run(BUILD_SH, "--build", BUILD, os.path.join("not there", "yet"), where=scratch)
        if code or complained or sorted(os.listdir(out)) != LEFT:
            yield "status %d, %r, %r" % (code, said, complained)
            return
        for name in LEFT:
            if not filecmp.cmp(os.path.join(out, name), os.path.join(BUILD, "out", name), shallow=False):
                yield "%s is not what was built" % name
        open(os.path.join(out, "lungfish.pdb"), "w").close()
    with open(BUILD + ".log") as log:
        if "no work to do" not in log.read():
            yield "it was built once more"


class Bare:
    """A machine with little: dpkg-query knows no package, apt-get writes down what it is asked for, and does it or not."""
    def __init__(self, scratch, apt_status):
        self.folder = tempfile.mkdtemp(dir=scratch)
        self.asked = os.path.join(self.folder, "asked")
        os.chmod(self.folder, 0o777)
        for name in TOOLS:
            os.symlink(shutil.which(name), os.path.join(self.folder, name))
        self.script("dpkg-query", "exit 1")
        self.script("apt-get", 'echo "$*" >>"%s"\nexit %d' % (self.asked, apt_status))

    def script(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write("#!/bin/sh\n%s\n" % text)
        os.chmod(path, 0o755)

    def asked_for(self):
        if not os.path.exists(self.asked):
            return []
        with open(self.asked) as file:
            return file.read().splitlines()


def for_all(folder, scratch):
    """A copy that every user can read, wherever this tree lies."""
    copy = shutil.copytree(folder, os.path.join(scratch, os.path.basename(folder)))
    for root, _, names in os.walk(copy):
        for path in [root] + [os.path.join(root, name) for name in names]:
            os.chmod(path, 0o755)
    return copy


def install_problems(scratch):
    user = None if os.geteuid() else 65534
    install = os.path.join(for_all(os.path.dirname(INSTALL), scratch), os.path.basename(INSTALL))
    if user:
        machine = Bare(scratch, 0)
        code, said, complained = run(install, "windows", path=machine.folder)
        asked = machine.asked_for()
        if code or len(asked) != 2 or "update" not in asked[0] or "gcc-mingw-w64-x86-64" not in asked[1].split():
            yield "as root: status %d, asked for %s, %r, %r" % (code, asked, said, complained)
        machine = Bare(scratch, 100)
        code, said, complained = run(BUILD_SH, os.path.join(scratch, "out"), path=machine.folder)
        if code == 0 or "apt could not install: gcc-mingw-w64-x86-64" not in complained:
            yield "without a network: status %d, %r, %r" % (code, said, complained)
        if os.path.exists(os.path.join(scratch, "out")):
            yield "without compilers: it has begun"
    machine = Bare(scratch, 0)
    code, said, complained = run(install, "windows", path=machine.folder, user=user)
    if code == 0 or machine.asked_for() or "as root: apt-get install gcc-mingw-w64-x86-64" not in complained:
        yield "without root and sudo: status %d, %r, %r" % (code, said, complained)
    machine = Bare(scratch, 0)
    machine.script("sudo", 'exec "$@"')
    code, said, complained = run(install, "windows", path=machine.folder, user=user)
    if code or len(machine.asked_for()) != 2:
        yield "with sudo: status %d, %r, %r" % (code, said, complained)


def main():
    # A directory that the runner gives may be its user's alone.
    with tempfile.TemporaryDirectory(dir="/tmp") as scratch:
        os.chmod(scratch, 0o755)
        case("windows_build_complains_of_what_it_cannot_do", complaint_problems(scratch))
        case("windows_build_leaves_all_wherever_it_is_told", place_problems(scratch))
        case("windows_build_installs_what_is_missing", install_problems(scratch))
    finish()


main()
