#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan tsan
"""What the target says unasked (RFC 7143 11.9): the inventory changed, log out, farewell."""
import os
import re
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import iscsi_raw as raw  # noqa: E402
from adapter import Skip, need, run, sparse  # noqa: E402

cases, target = raw.start()
SCSI_EVENT, REQUEST_LOGOUT, DROP_SESSION = 0, 1, 3
INVENTORY = bytes([0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x3f, 0x0e, 0, 0, 0, 0])
extra = sparse(os.path.join(cases.scratch, "extra.img"), 4 << 20)


def event(connection):
    stat_sn = connection.exp_stat_sn
    pdu = connection.expect(raw.ASYNC)
    assert pdu.itt == raw.NO_TAG and pdu.flags == 0x80 and pdu.stat_sn == stat_sn, pdu
    assert pdu.header[8:16] == bytes(8) and pdu.header[37] == 0, pdu.header.hex()
    return pdu


def counted(name):
    return int(re.search(name + r"\D+(\d+)", target.daemon.lungfish("status").stdout).group(1))


def parameters(pdu):
    return struct.unpack(">HHH", pdu.header[38:44])


def inventory(connection):
    pdu = event(connection)
    assert pdu.header[36] == SCSI_EVENT and parameters(pdu) == (0, 0, 0), pdu.header.hex()
    assert pdu.data == struct.pack(">H", len(INVENTORY)) + INVENTORY, pdu.data.hex()


def units_come_and_go():
    """Each full feature session hears of it, with digests too, and nobody else; the attention is raised besides."""
    with target.session(isid=1) as one, target.session(isid=2, HeaderDigest="CRC32C", DataDigest="CRC32C") as two, \
            raw.Connection(target.portal).login() as discovery, target.connect(isid=b"\x80\0\0\0\0\7") as late:
        late.login_request(late.identity(), 0x04)
        late.login_answer()
        unit = target.daemon.connect(extra)
        for each in (one, two):
            inventory(each)
            assert each.finish(each.command(bytes(6))).sense == (6, 0x3f, 0x0e)
            each.ready().ping()
        target.daemon.disconnect(unit)
        for each in (one, two):
            inventory(each)
            each.ping()
        discovery.ping()
        late.login_request([], 0x87)
        assert late.login_answer().flags == 0x87
        late.ready().ping()


def unread():
    """Whoever reads nothing is not buried: what waits says it all."""
    with target.session(isid=1, MaxRecvDataSegmentLength=262144) as deaf:
        for _ in range(40):
            deaf.nop(raw.pattern(200000))
        time.sleep(0.5)
        for _ in range(10):
            target.daemon.disconnect(target.daemon.connect(extra))
        messages = pings = 0
        while pings < 40:
            pdu = deaf.receive()
            pings += pdu.opcode == raw.NOP_IN
            messages += pdu.opcode == raw.ASYNC
        deaf.nop()  # its answer is behind what waits
        while deaf.receive().opcode == raw.ASYNC:
            messages += 1
        assert 1 <= messages < 20, "%d messages for 20 changes" % messages


def others_understand():
    """An initiator that is not ours keeps its session when units come and go, and is served on."""
    need("qemu-io")
    if "Unknown protocol" in run(["qemu-io", "-f", "raw", "-c", "quit", target.daemon.url(target.image)]).stdout:
        raise Skip("qemu-io has no iSCSI driver")
    qemu = subprocess.Popen(["qemu-io", "-f", "raw", target.daemon.url(target.image)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, bufsize=1)

    def io(command):
        qemu.stdin.write(command + "\n")
        qemu.stdin.flush()
        line = qemu.stdout.readline()
        while "bytes at offset" not in line:
            assert line and "failed" not in line and "error" not in line, line
            line = qemu.stdout.readline()

    try:
        io("write -P 7 0 64k")
        opened = counted("iscsi_connection_opened")
        for _ in range(3):
            target.daemon.disconnect(target.daemon.connect(extra))
            io("read -P 7 0 64k")
        assert counted("iscsi_connection_opened") == opened, "it came again"
        qemu.communicate("quit\n", timeout=60)
        assert qemu.returncode == 0
    finally:
        qemu.kill()
        qemu.wait()


def logout_on_request():
    """At the end of the daemon: who logs out is answered, the other one is told farewell."""
    with target.session(isid=1) as polite, target.session(isid=2, DefaultTime2Wait=7) as rude:
        # What waits for its data keeps the session until the drain ends: we may be slower than it has patience.
        itt = polite.command(raw.write10(0, 16), write=8192)
        polite.expect(raw.R2T)
        target.daemon.process.terminate()
        for each in (polite, rude):
            pdu = event(each)
            assert pdu.header[36] == REQUEST_LOGOUT and parameters(pdu) == (0, 0, 1), pdu.header.hex()
        polite.command(bytes(6))
        assert polite.expect(raw.REJECT).response == 0x0c
        polite.logout()
        pdu = polite.receive()
        if pdu.opcode == raw.RESPONSE:
            assert pdu.itt == itt and pdu.status != 0, pdu
            pdu = polite.receive()
        assert pdu.opcode == raw.LOGOUT_RESPONSE and pdu.response == 0, pdu
        polite.expect_closed()
        pdu = event(rude)
        assert pdu.header[36] == DROP_SESSION and parameters(pdu) == (0, 7, 0), (pdu.header.hex(), parameters(pdu))
        rude.expect_closed()
    assert target.daemon.process.wait(60) == 0, target.daemon.log()


for case in (units_come_and_go, unread, others_understand, logout_on_request):
    cases.run("iscsi_events_" + case.__name__, case)
target.daemon.kill()
cases.finish()
