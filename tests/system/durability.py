#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: gcc
"""What was acknowledged as stable is: after kill -9 the image holds it, and it was really synced before the answer."""
import contextlib
import os
import re
import time

from adapter import Adapter, Cases, Skip, must, need, run, sparse

MIB = 1 << 20
ENGINES = ("threads", "uring")
SYNC_CALLS = "fsync,fdatasync,pwrite64,pwritev,pwritev2"
SYNC = re.compile(r"\bf(data)?sync\(")
DELAY_S = 0.6
# qemu-io flushes only what it has written, and by default after every write: hence -t writeback.
WRITE = ["write -P 0x66 1M 64k"]
FLUSH = WRITE + ["flush"]
FUA = ["write -f -P 0x77 1M 64k"]
DIE = ["sigraise 9"]


def qemu_io(url, steps):
    command = ["qemu-io", "-f", "raw", "-t", "writeback"]
    for step in steps:
        command += ["-c", step]
    return command + [url]


def dying_client(url, steps):
    """Is gone as soon as it has its last answer: closing, which would flush, never comes. Returns its output."""
    return run(qemu_io(url, steps + DIE)).stdout


def closing_client(url, steps):
    """Returns the exit status."""
    return run(qemu_io(url, steps)).returncode


class Tests:
    def __init__(self, cases):
        self.scratch = cases.scratch

    @contextlib.contextmanager
    def adapter(self, engine, **options):
        """Over an image of 16 MiB on the scratch directory's file system."""
        image = sparse(os.path.join(self.scratch, "disk.img"), 16 * MIB)
        adapter = Adapter(self.scratch, [image], engine=engine, **options)
        try:
            adapter.image = image
            adapter.disk = adapter.url(image)
            yield adapter
        finally:
            adapter.kill()

    def kill_after(self, engine, steps, places):
        """The daemon is killed as soon as the client has its answers; neither closes anything."""
        need("qemu-io")
        for pattern in range(0x21, 0x26):
            with self.adapter(engine) as adapter:
                output = dying_client(adapter.disk, [step % {"byte": pattern} for step in steps])
                adapter.kill()
                assert output.count("wrote ") == len(places) and "failed" not in output, output
                with open(adapter.image, "rb") as image:
                    for place, length in places:
                        image.seek(place)
                        assert image.read(length) == bytes([pattern]) * length, "lost: %d at %d" % (length, place)

    def kill_after_synchronize_cache(self, engine):
        self.kill_after(engine, ["write -P 0x%(byte)x 0 1M", "write -P 0x%(byte)x 5M 4k", "flush"],
                        ((0, MIB), (5 * MIB, 4096)))

    def kill_after_fua(self, engine):
        self.kill_after(engine, ["write -f -P 0x%(byte)x 2M 64k", "write -f -P 0x%(byte)x 7M 512"],
                        ((2 * MIB, 65536), (7 * MIB, 512)))

    def trace(self, steps, client, inject=()):
        """Runs steps of qemu-io under strace of the daemon; returns the calls on the image, how long it took, and
        what the client said."""
        need("qemu-io", "strace")
        if run(["strace", "-o", "/dev/null", "true"]).returncode:
            raise Skip("strace may not trace here")
        log = os.path.join(self.scratch, "strace.log")
        before = ["strace", "-D", "-f", "-y", "-e", "trace=" + SYNC_CALLS, "-o", log] + list(inject)
        with self.adapter("threads", before=before) as adapter:
            began = time.monotonic()
            answer = client(adapter.disk, steps)
            took = time.monotonic() - began
            image = adapter.image
        return [line for line in self.finished(log, adapter.process.pid) if image in line], took, answer

    @staticmethod
    def finished(log, pid):
        """The lines of strace, which writes its last ones when the daemon has gone."""
        end = time.monotonic() + 60
        while True:
            with open(log, errors="replace") as text:
                lines = text.readlines()
            if any(re.match(r"%d +\+\+\+ " % pid, line) for line in lines):
                return lines
            assert time.monotonic() < end, "strace did not see the daemon's end: %s" % lines[-5:]
            time.sleep(0.05)

    def threads_sync_before_flush(self):
        plain, _, _ = self.trace(WRITE, dying_client)
        assert plain and not any(SYNC.search(call) for call in plain), "a plain write syncs: %s" % plain
        calls, _, _ = self.trace(FLUSH, dying_client)
        assert any(SYNC.search(call) for call in calls), "SYNCHRONIZE CACHE synced nothing: %s" % calls
        _, took, _ = self.trace(FLUSH, dying_client, ["-e", "inject=fdatasync,fsync:delay_enter=%d" % (DELAY_S * 1e6)])
        assert took >= DELAY_S, "the answer to SYNCHRONIZE CACHE came %.3f s after it, before fdatasync ended" % took

    def threads_report_failed_sync(self):
        _, _, status = self.trace(FLUSH, closing_client)
        assert status == 0, "qemu-io ended with status %d" % status
        _, _, status = self.trace(FLUSH, closing_client, ["-e", "inject=fdatasync,fsync:error=EIO"])
        assert status != 0, "a failed fdatasync was acknowledged"
        output = self.trace(FUA, dying_client, ["-e", "inject=fdatasync,fsync:error=EIO"])[2]
        assert "wrote " not in output, "a FUA write whose fdatasync failed was acknowledged: %s" % output

    def threads_sync_fua(self):
        calls, _, _ = self.trace(FUA, dying_client)
        assert any(SYNC.search(call) for call in calls), "a FUA write was not synced: %s" % calls
        # It would take the kernel's only report of older pages' loss from the next SYNCHRONIZE CACHE.
        assert not any("SYNC" in call for call in calls), "a write that syncs by itself: %s" % calls
        _, took, _ = self.trace(FUA, dying_client, ["-e", "inject=fdatasync,fsync:delay_enter=%d" % (DELAY_S * 1e6)])
        assert took >= DELAY_S, "the answer to a FUA write came after %.3f s, before fdatasync ended" % took

    def sync_events(self, steps):
        """How often the kernel's ext4 was asked to sync the image while qemu-io ran on the io_uring engine."""
        need("qemu-io", "unshare")
        with self.adapter("uring") as adapter:
            script = TRACE_SCRIPT % {"inode": os.stat(adapter.image).st_ino, "name": "lungfish-%d" % os.getpid()}
            answer = run(["unshare", "-m", "sh", "-c", script, "sh"] + qemu_io(adapter.disk, steps + DIE))
        if answer.returncode == 77:
            raise Skip(answer.stdout.strip().splitlines()[-1])
        assert answer.returncode == 0, answer.stdout
        return int(answer.stdout.strip().splitlines()[-1])

    def uring_syncs(self):
        if os.geteuid() != 0:
            raise Skip("tracefs needs root")
        if run(["unshare", "--mount", "true"]).returncode:
            raise Skip("no mount namespaces here, so no tracefs of the test's own")
        kind = must(["stat", "-f", "-c", "%T", self.scratch]).strip()
        if not kind.startswith("ext"):
            raise Skip("%s is on %s, not on ext4" % (self.scratch, kind))
        write, flush, fua = (self.sync_events(steps) for steps in (WRITE, FLUSH, FUA))
        assert write == 0, "a plain write synced %d times" % write
        assert flush > 0, "SYNCHRONIZE CACHE synced nothing"
        assert fua > 0, "a FUA write synced nothing"


# In a mount namespace of its own, in a trace instance of its own; the last line is the number of events.
TRACE_SCRIPT = """
set -e
place=$(mktemp -d)
mount -t tracefs tracefs "$place" 2>/dev/null || { echo "tracefs cannot be mounted"; exit 77; }
instance=$place/instances/%(name)s
mkdir "$instance" || { echo "no trace instance can be made"; exit 77; }
finish()
{
	rmdir "$instance"
	umount "$place"
	rmdir "$place"
}
trap finish EXIT
event=$instance/events/ext4/ext4_sync_file_enter
[ -d "$event" ] || { echo "this kernel has no ext4_sync_file_enter"; exit 77; }
echo "ino == %(inode)d" >"$event/filter"
echo 1 >"$event/enable"
"$@" >/dev/null 2>&1 || true
echo 0 >"$event/enable"
grep -c ext4_sync_file_enter: "$instance/trace" || true
"""


def main():
    cases = Cases()
    tests = Tests(cases)
    for engine in ENGINES:
        cases.run("kill_after_synchronize_cache_%s" % engine, tests.kill_after_synchronize_cache, engine)
        cases.run("kill_after_fua_%s" % engine, tests.kill_after_fua, engine)
    cases.run("threads_sync_before_flush_is_answered", tests.threads_sync_before_flush)
    cases.run("threads_failed_sync_is_reported", tests.threads_report_failed_sync)
    cases.run("threads_sync_fua_before_answer", tests.threads_sync_fua)
    cases.run("uring_ext4_sync_file_seen", tests.uring_syncs)
    cases.finish()


if __name__ == "__main__":
    main()
