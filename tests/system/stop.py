#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: gcc
"""SIGTERM over a disk whose last flush takes longer than the drain: nothing was in flight, so nothing failed."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import adapter  # noqa: E402
import iscsi_raw as raw  # noqa: E402

cases = adapter.Cases()


def slow_last_flush():
    adapter.need("strace")
    image = adapter.sparse(os.path.join(cases.scratch, "slow.img"), 8 << 20)
    daemon = adapter.Adapter(cases.scratch, [image], engine="threads", before=[
        "strace", "-D", "-f", "-q", "-o", os.path.join(cases.scratch, "trace"), "-e", "trace=fdatasync",
        "-e", "inject=fdatasync:delay_enter=15000000"])
    try:
        connection = raw.Connection(daemon.portal, daemon.iqn)
        connection.login()
        connection.ready()
        connection.good(raw.write10(0, 8), write=4096, data=raw.pattern(4096))
        connection.close()
        daemon.process.send_signal(signal.SIGTERM)
        while "stopping" not in daemon.log():
            time.sleep(0.05)
        daemon.process.send_signal(signal.SIGHUP)  # no second signal: a terminal that closes
        assert daemon.process.wait(60) == 0, daemon.log()
        assert "writes may be lost" not in daemon.log(), daemon.log()
        with open(image, "rb") as file:
            assert file.read(4096) == raw.pattern(4096)
    finally:
        daemon.kill()


cases.run("slow_last_flush_is_no_failure", slow_last_flush)
cases.finish()
