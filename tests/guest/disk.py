#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan
"""A real Linux as the initiator of disks: open-iscsi, sg3_utils, file systems (tests/guest/inside/disk)."""
import os
import sys

from machine import Adapter, Host, Machine, main, port_of, sparse

MIB = 1 << 20
# Open-iscsi takes secrets of at most 16 bytes where others limit them, and at least 12 are asked for.
SECRET, SECRET_OF_TARGET = "of-the-guest-42", "of-the-target-7"


def chap_file(scratch):
    path = os.path.join(scratch, "chap")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write("iqn.2001-04.com.example:guest.chap:%s\nmutual the-target:%s\n" % (SECRET, SECRET_OF_TARGET))
    return path


def random_image(path, length_bytes):
    with open(path, "wb") as image:
        image.write(os.urandom(length_bytes))
    return path


def suite(scratch):
    images = os.path.join(scratch, "images")
    os.mkdir(images)
    adapter = Adapter(scratch)
    guarded = Adapter(scratch, ["--chap-file", chap_file(scratch),
                                random_image(os.path.join(images, "secret.img"), MIB)])
    try:
        machine = Machine("disk", scratch, "disk.sh", {
            "PORT": port_of(adapter), "IQN": adapter.iqn, "ONLY": " ".join(sys.argv[1:]), "CHAP_PORT": port_of(guarded),
            "CHAP_SECRET": SECRET, "CHAP_SECRET_OF_TARGET": SECRET_OF_TARGET})
        host = Host(machine, adapter, images)
        sparse(host.path("512e.img"), 1024 * MIB)
        sparse(host.path("native.img"), 512 * MIB)
        random_image(host.path("readonly.img"), 8 * MIB)
        host.connect("--physical-size", "4096", "--serial", "SERIAL-OF-512E", "512e.img")
        host.connect("--block-size", "4096", "native.img")
        host.connect("--read-only", "readonly.img")
        machine.run()
        for one in (adapter, guarded):
            machine.case("adapter_ends_cleanly", one.stop() == 0, one.log())
        return machine.failed
    finally:
        adapter.kill()
        guarded.kill()


if __name__ == "__main__":
    main("disk", suite)
