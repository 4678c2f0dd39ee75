#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan
"""A real Linux as the initiator of CD-ROM drives: sr, udev, mount, cd-info, wodim (tests/guest/inside/cd)."""
import hashlib
import os
import shutil
import sys

from machine import CACHE, Adapter, Host, Machine, main, need, port_of, run, sparse

MIB = 1 << 20


def make_disc(path, label, length_bytes, scratch):
    """An ISO image of a few files, and SUMS of them."""
    tree = os.path.join(scratch, label)
    os.makedirs(os.path.join(tree, "folder", "deeper"))
    files = {"large": os.urandom(length_bytes), "empty": b"", "odd": os.urandom(2049),
             "folder/text": ("This is %s.\n" % label).encode(), "folder/deeper/A rather long name.data": os.urandom(4096)}
    with open(os.path.join(tree, "SUMS"), "w") as sums:
        for name, data in files.items():
            with open(os.path.join(tree, name), "wb") as file:
                file.write(data)
            sums.write("%s  %s\n" % (hashlib.sha256(data).hexdigest(), name))
    made = run(["xorriso", "-as", "mkisofs", "-quiet", "-r", "-J", "-V", label, "-o", path, tree])
    assert made.returncode == 0, "xorriso: %s" % made.stdout


def suite(scratch):
    need("xorriso")
    images = os.path.join(scratch, "images")
    os.mkdir(images)
    adapter = Adapter(scratch)
    try:
        machine = Machine("cd", scratch, "cd.sh", {"PORT": port_of(adapter), "IQN": adapter.iqn,
                                                   "ONLY": " ".join(sys.argv[1:])})
        host = Host(machine, adapter, images)
        make_disc(host.path("one.iso"), "LUNGFISH_ONE", 12 * MIB, scratch)
        make_disc(host.path("two.iso"), "LUNGFISH_TWO", 3 * MIB, scratch)
        shutil.copyfile(os.path.join(CACHE, "image", "rescue.iso"), host.path("rescue.iso"))
        sparse(host.path("disk.img"), 8 * MIB)
        host.connect("disk.img")
        host.connect("--cdrom", "rescue.iso")
        host.connect("--cdrom", "--serial", "SERIAL-OF-DRIVE", "one.iso", "drive")
        host.connect("--cdrom")  # its ID is cdrom
        machine.run()
        machine.case("adapter_ends_cleanly", adapter.stop() == 0, adapter.log())
        return machine.failed
    finally:
        adapter.kill()


if __name__ == "__main__":
    main("cd", suite)
