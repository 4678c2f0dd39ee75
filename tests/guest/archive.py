# SPDX-License-Identifier: BSD-2-Clause
"""Writes trees as cpio archives of the "newc" kind, which the kernel unpacks as an initramfs (initramfs buffer format).

Everything in them belongs to root, whoever writes them.
"""
import os
import shutil
import stat


def pad(out, length):
    out.write(bytes(-length % 4))


def write_header(out, number, mode, length, name, links=1):
    fields = [number, mode, 0, 0, links, 0, length, 0, 0, 0, 0, len(name) + 1, 0]
    out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0")
    pad(out, 110 + len(name) + 1)


def write_entry(out, number, path, name):
    status = os.lstat(path)
    name = os.fsencode(name)
    if stat.S_ISLNK(status.st_mode):
        target = os.fsencode(os.readlink(path))
        write_header(out, number, status.st_mode, len(target), name)
        out.write(target)
        pad(out, len(target))
    elif stat.S_ISREG(status.st_mode):
        write_header(out, number, status.st_mode, status.st_size, name)
        with open(path, "rb") as file:
            shutil.copyfileobj(file, out, 1 << 20)
        pad(out, status.st_size)
    elif stat.S_ISDIR(status.st_mode):
        write_header(out, number, status.st_mode, 0, name, 2)


def write_archive(out, tree, prefix=""):
    """The tree below a folder, its names behind the prefix; folders before what is in them."""
    number = 1
    for where, folders, files in os.walk(tree):
        folders.sort()
        inside = os.path.relpath(where, tree)
        for name in sorted(files + folders):
            path = os.path.join(where, name)
            write_entry(out, number, path, os.path.normpath(os.path.join(prefix, inside, name)))
            number += 1
    write_header(out, 0, 0, 0, b"TRAILER!!!")
