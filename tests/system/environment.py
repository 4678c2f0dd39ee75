#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan
"""What the host does to an image under the adapter: full, failing, cut short. Sense says it, the daemon lives."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import adapter  # noqa: E402
import iscsi_raw as raw  # noqa: E402

cases = adapter.Cases()
MIB = 1 << 20
ENGINES = ("uring", "threads")


class FailingFile:
    """A file of 64 MiB that fails when told: nbdkit's error filter behind a FUSE mount."""

    def __init__(self, error):
        adapter.need("nbdkit", "nbdfuse", "fusermount3")
        if not os.path.exists("/dev/fuse"):
            raise adapter.Skip("the kernel has no /dev/fuse")
        self.directory = os.path.join(cases.scratch, "fuse-%s-%d" % (error, time.monotonic_ns()))
        os.mkdir(self.directory)
        self.path = os.path.join(self.directory, "disk")
        self.trigger = self.directory + ".fails"
        open(self.path, "w").close()
        self.process = subprocess.Popen(
            ["nbdfuse", self.path, "[", "nbdkit", "--exit-with-parent", "--filter=error", "memory", "64M",
             "error=%s" % error, "error-rate=100%", "error-file=%s" % self.trigger, "]"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        end = time.monotonic() + adapter.READY_S
        while os.path.getsize(self.path) == 0:
            if self.process.poll() is not None:
                raise adapter.Skip("FUSE cannot be mounted here: %s" % self.process.stderr.read().decode().strip())
            assert time.monotonic() < end, "nbdfuse did not mount"
            time.sleep(0.05)

    def fail(self):
        open(self.trigger, "w").close()

    def heal(self):
        os.unlink(self.trigger)

    def close(self):
        adapter.run(["fusermount3", "-u", "-z", self.path])
        self.process.kill()
        self.process.wait()


def session(daemon):
    connection = raw.Connection(daemon.portal, daemon.iqn)
    connection.login()
    return connection


def sense_of(connection, cdb, **how):
    """Key, ASC and ASCQ of a command that fails."""
    answer = connection.finish(connection.command(cdb, **how), read=how.get("read", 0))
    assert answer.status == 2, "status %d" % answer.status
    return answer.sense


def check_logged_once(daemon, what):
    lines = [line for line in daemon.log().splitlines() if what in line]
    assert len(lines) == 1, "%d lines with %r: %s" % (len(lines), what, daemon.log())


def with_failing_file(engine, error, writing, reading, text):
    file = FailingFile(error)
    daemon = adapter.Adapter(cases.scratch, [file.path], engine=engine)
    try:
        with session(daemon) as connection:
            connection.ready()
            connection.good(raw.write10(0, 8), write=4096, data=raw.pattern(4096))
            file.fail()
            for lba in (1024, 2048, 4096):
                found = sense_of(connection, fua(raw.write10(lba, 8)), write=4096, data=bytes(4096))
                assert found == writing, "a write gave %r" % (found,)
            if reading:
                found = sense_of(connection, raw.read10(65536, 8), read=4096)
                assert found == reading, "a read gave %r" % (found,)
            file.heal()
            assert connection.good(raw.read10(0, 8), read=4096).data == raw.pattern(4096)
        check_logged_once(daemon, "write of 4096 bytes")
        assert text in daemon.log(), daemon.log()
        assert daemon.stop() == 0
    finally:
        daemon.kill()
        file.close()


def fua(cdb):
    return bytes((cdb[0], cdb[1] | 8)) + bytes(cdb[2:])


def truncated_image(engine):
    image = adapter.sparse(os.path.join(cases.scratch, "cut-%s.img" % engine), 8 * MIB)
    other = adapter.sparse(os.path.join(cases.scratch, "whole-%s.img" % engine), 8 * MIB)
    daemon = adapter.Adapter(cases.scratch, [image, other], engine=engine)
    try:
        with session(daemon) as connection:
            connection.ready()
            connection.ready(lun=1)
            os.truncate(image, 4 * MIB)
            for lba in (8192, 8200, 16376):
                assert sense_of(connection, raw.read10(lba, 8), read=4096) == (3, 0x11, 0), "LBA %d" % lba
            connection.good(raw.read10(0, 8), read=4096)
            connection.good(raw.write10(8, 8), write=4096, data=raw.pattern(4096), lun=1)
            assert connection.good(raw.read10(8, 8), read=4096, lun=1).data == raw.pattern(4096)
        check_logged_once(daemon, "read of 4096 bytes")
        assert daemon.stop() == 0
    finally:
        daemon.kill()


def block_device():
    """A loop device as the image: its size, its 4096-byte sectors, data in the file behind it."""
    if os.geteuid() != 0:
        raise adapter.Skip("loop devices need root")
    adapter.need("losetup")
    image = adapter.sparse(os.path.join(cases.scratch, "loop.img"), 16 * MIB)
    answer = adapter.run(["losetup", "--find", "--show", "--sector-size", "4096", image])
    if answer.returncode:
        raise adapter.Skip("no loop device can be had: %s" % answer.stdout.strip())
    device = answer.stdout.strip()
    daemon = None
    try:
        daemon = adapter.Adapter(cases.scratch)
        refused = daemon.lungfish("connect", "--block-size", "512", device)
        assert refused.returncode == 1 and "4096" in refused.stdout, refused.stdout
        daemon.connect(device)
        again = daemon.lungfish("connect", device)
        assert again.returncode == 4, again.stdout
        with session(daemon) as connection:
            connection.ready()
            connection.good(fua(raw.write10(5, 2)), write=8192, data=raw.pattern(8192))
            assert connection.good(raw.read10(5, 2), read=8192).data == raw.pattern(8192)
            capacity = connection.good(bytes((0x25,)) + bytes(9), read=8).data
            assert capacity == (4095).to_bytes(4, "big") + (4096).to_bytes(4, "big"), capacity
        assert daemon.stop() == 0
        with open(image, "rb") as file:
            file.seek(5 * 4096)
            assert file.read(8192) == raw.pattern(8192)
    finally:
        if daemon:
            daemon.kill()
        adapter.run(["losetup", "--detach", device])


for name in ENGINES:
    cases.run("eio_is_a_medium_error_%s" % name, with_failing_file, name, "EIO", (3, 0x0c, 0), (3, 0x11, 0), "/disk")
    cases.run("enospc_is_space_allocation_failed_%s" % name, with_failing_file, name, "ENOSPC", (7, 0x27, 7), None,
              "no space")
    cases.run("truncated_image_is_a_medium_error_and_hurts_no_other_unit_%s" % name, truncated_image, name)
cases.run("block_device_with_4096_byte_sectors", block_device)
cases.finish()
