#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan tsan
"""Data of commands: immediate, unsolicited and solicited, of odd sizes, in and out of order, residuals."""
import itertools
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import iscsi_raw as raw  # noqa: E402

cases, target = raw.start()
BLOCK = 512


def write(connection, lba, data, immediate=0, unsolicited=0, piece=8192):
    """A WRITE whose first bytes come with the command, the next unasked, the rest when an R2T asks."""
    itt = connection.command(raw.write10(lba, len(data) // BLOCK), write=len(data), data=data[:immediate],
                             final=not unsolicited)
    sent, sn = immediate, 0
    while unsolicited and sent < immediate + unsolicited:
        length = min(piece, immediate + unsolicited - sent)
        connection.data_out(itt, sent, data[sent:sent + length], sn, final=sent + length == immediate + unsolicited)
        sent, sn = sent + length, sn + 1
    return connection.serve(itt, data, sent)


def combination(initial_r2t, immediate_data):
    keys = {"InitialR2T": initial_r2t, "ImmediateData": immediate_data, "FirstBurstLength": 16384,
            "MaxBurstLength": 32768, "MaxOutstandingR2T": 3, "MaxRecvDataSegmentLength": 7 * BLOCK + 52}
    with target.session(**keys) as connection:
        for key in ("InitialR2T", "ImmediateData", "FirstBurstLength", "MaxBurstLength", "MaxOutstandingR2T"):
            assert connection.answers[key] == str(keys[key]), connection.answers
        for seed, blocks in enumerate((1, 2, 3, 17, 32, 33, 65, 200, 513)):
            data = raw.pattern(blocks * BLOCK, seed)
            first = min(len(data), 16384)
            ways = {(0, 0)}
            if immediate_data == "Yes":
                ways |= {(first, 0), (1, 0), (first // 2 + 1, 0)}
            if initial_r2t == "No":
                ways |= {(0, first), (0, 3)}
            if immediate_data == "Yes" and initial_r2t == "No":
                ways |= {(5, first - 5), (1000 % first, 7)}
            for immediate, unsolicited in sorted(ways):
                answer = write(connection, 1000, data, immediate, unsolicited)
                assert answer.status == 0 and not answer.flags & 6, (blocks, immediate, unsolicited, answer.sense)
                got = connection.good(raw.read10(1000, blocks), read=len(data))
                assert got.data == data, "read back differently: %s" % ((blocks, immediate, unsolicited),)


def data_in_sequences():
    """Data-In: in order, no longer than agreed, F at each burst's end, status in the last one."""
    with target.session(MaxRecvDataSegmentLength=5000, MaxBurstLength=12000) as connection:
        itt = connection.command(raw.read10(0, 100), read=51200)
        offset, sn, begin = 0, 0, 0
        while offset < 51200:
            pdu = connection.expect(raw.DATA_IN)
            assert pdu.itt == itt and pdu.offset == offset and pdu.data_sn == sn and pdu.ttt == raw.NO_TAG
            assert len(pdu.data) <= 5000
            offset, sn = offset + len(pdu.data), sn + 1
            full = offset - begin == 12000 or offset == 51200
            assert offset - begin <= 12000 and bool(pdu.flags & 0x80) == full, (begin, offset, pdu)
            begin = offset if full else begin
            assert bool(pdu.flags & 1) == (offset == 51200), (offset, pdu)
        assert pdu.status == 0 and not pdu.flags & 6
        connection.ping()


def r2ts_outstanding():
    """As many as agreed, each of a burst, numbered; the answers may come in one go."""
    with target.session(MaxOutstandingR2T=2, MaxBurstLength=4096, InitialR2T="Yes") as connection:
        data = raw.pattern(20480, 9)
        itt = connection.command(raw.write10(0, 40), write=len(data))
        first, second = connection.expect(raw.R2T), connection.expect(raw.R2T)
        assert (first.offset, first.residual, first.data_sn) == (0, 4096, 0), first
        assert (second.offset, second.residual, second.data_sn) == (4096, 4096, 1), second
        connection.expect_silence()
        for r2t in (first, second):
            half = data[r2t.offset:r2t.offset + 2048], data[r2t.offset + 2048:r2t.offset + 4096]
            connection.data_out(itt, r2t.offset, half[0], 0, r2t.ttt, final=False)
            connection.data_out(itt, r2t.offset + 2048, half[1], 1, r2t.ttt)
        answer = connection.serve(itt, data, 8192)
        assert answer.status == 0 and answer.data_sn == 5, (answer, answer.data_sn)
        assert connection.good(raw.read10(0, 40), read=20480).data == data


def residuals():
    with target.session() as connection:
        data = raw.pattern(1024, 3)
        connection.good(raw.write10(0, 4), write=2048, data=data + bytes(1024))
        for length, flags, residual in ((1024, 0, 0), (4096, 2, 3072), (512, 4, 512), (200, 4, 824)):
            pdu = connection.good(raw.read10(0, 2), read=length)
            assert pdu.data == data[:length] and pdu.flags & 6 == flags and pdu.residual == residual, (length, pdu)
        pdu = connection.good(raw.read10(0, 2))
        assert pdu.opcode == raw.RESPONSE and pdu.flags & 6 == 4 and pdu.residual == 1024, pdu
        # More than the command takes: the rest is thrown away.
        longer = raw.pattern(2048, 4)
        pdu = connection.good(raw.write10(0, 2), write=2048, data=longer)
        assert pdu.flags & 6 == 2 and pdu.residual == 1024, pdu
        assert connection.good(raw.read10(0, 4), read=2048).data == longer[:1024] + bytes(1024)
        # An INQUIRY gives what it has.
        pdu = connection.good(bytes([0x12, 0, 0, 0, 255, 0]), read=255)
        assert pdu.flags & 6 == 2 and pdu.residual == 255 - len(pdu.data), pdu


def short_write():
    """With less data than the command takes nothing is written, or just that; never anything else."""
    with target.session() as connection:
        connection.good(raw.write10(50, 4), write=2048, data=bytes(2048))
        data = raw.pattern(2048, 5)
        pdu = connection.finish(connection.command(raw.write10(50, 4), write=1024, data=data[:1024]))
        assert pdu.flags & 6 == 4 and pdu.residual == 1024, pdu
        got = connection.good(raw.read10(50, 4), read=2048).data
        assert got == bytes(2048) if pdu.status else got == data[:1024] + bytes(1024)


def huge_edtl():
    """4 GiB less one byte are announced; the command moves a block."""
    with target.session(InitialR2T="No", FirstBurstLength=65536) as connection:
        pdu = connection.good(raw.read10(7, 1), read=0xffffffff)
        assert len(pdu.data) == BLOCK and pdu.flags & 6 == 2 and pdu.residual == 0xffffffff - BLOCK, pdu
        data = raw.pattern(BLOCK, 6)
        itt = connection.command(raw.write10(7, 1), write=0xffffffff)
        pdu = connection.serve(itt, data)
        assert pdu.status == 0 and pdu.flags & 6 == 2 and pdu.residual == 0xffffffff - BLOCK, pdu
        assert connection.good(raw.read10(7, 1), read=BLOCK).data == data
        pdu = connection.good(bytes(6), write=0xffffffff)
        assert pdu.flags & 6 == 2 and pdu.residual == 0xffffffff, pdu


def refused_write_with_data_coming():
    """A WRITE past the end: its unsolicited data is swallowed, the answer comes after it."""
    with target.session(InitialR2T="No") as connection:
        end = (64 << 20) // BLOCK
        data = raw.pattern(8192, 7)
        itt = connection.command(raw.write10(end, 16), write=8192, data=data[:1000], final=False)
        connection.expect_silence()
        connection.data_out(itt, 1000, data[1000:5000], 0, final=False)
        connection.expect_silence(0.1)
        connection.data_out(itt, 5000, data[5000:], 1)
        pdu = connection.finish(itt)
        assert pdu.status == 2 and pdu.sense == (5, 0x21, 0), pdu.sense
        connection.ping()


def wrong_data(name, change, unsolicited=False):
    """change: from the right arguments of a Data-Out to wrong ones."""
    with target.session(InitialR2T="No" if unsolicited else "Yes") as connection:
        connection.good(raw.write10(90, 16), write=8192, data=bytes(8192))
        data = raw.pattern(8192, 8)
        itt = connection.command(raw.write10(90, 16), write=8192, final=not unsolicited)
        ttt = raw.NO_TAG if unsolicited else connection.expect(raw.R2T).ttt
        for piece in ({"offset": 0, "data": data[:4096], "data_sn": 0, "final": False},
                      {"offset": 4096, "data": data[4096:], "data_sn": 1, "final": True}):
            right = dict(piece, itt=itt, ttt=ttt)
            connection.data_out(**dict(right, **change(right)))
        try:
            pdu = connection.expect(raw.REJECT)
            assert pdu.response == 4 and pdu.data[0] & 0x3f == raw.DATA_OUT, pdu
            pdu = connection.finish(itt)
            assert pdu.status != 0, "%s: the command ended GOOD" % name
        except raw.Closed:
            pass
    with target.session() as connection:
        got = connection.good(raw.read10(90, 16), read=8192).data
        assert got == bytes(8192), "%s: something was written" % name


def wrong_data_sn():
    for unsolicited in (False, True):
        for sn in (0, 27, 0xffffffff):
            wrong_data("DataSN %d" % sn, lambda pdu: {"data_sn": sn if pdu["offset"] else pdu["data_sn"]}, unsolicited)
        wrong_data("DataSN reversed", lambda pdu: {"data_sn": 1 - pdu["data_sn"]}, unsolicited)


def wrong_offset():
    for unsolicited in (False, True):
        wrong_data("overlap", lambda pdu: {"offset": 0}, unsolicited)
        wrong_data("gap", lambda pdu: {"offset": pdu["offset"] + (8 if pdu["offset"] else 0)}, unsolicited)
        wrong_data("far", lambda pdu: {"offset": 0xfffffff0 if pdu["offset"] else 0}, unsolicited)


def wrong_length():
    for unsolicited in (False, True):
        wrong_data("too long", lambda pdu: {"data": pdu["data"] + (bytes(512) if pdu["offset"] else b"")}, unsolicited)
    wrong_data("too short", lambda pdu: {"data": pdu["data"][:-512] if pdu["offset"] else pdu["data"]})


def wrong_tag():
    wrong_data("transfer tag", lambda pdu: {"ttt": pdu["ttt"] ^ (1 << 12)})
    wrong_data("no transfer tag", lambda pdu: {"ttt": raw.NO_TAG})


def data_of_nobody():
    """Data-Out for a task that is not there: it may have been aborted, so it is thrown away."""
    with target.session() as connection:
        connection.data_out(0x999, 0, bytes(4096))
        connection.data_out(0x999, 4096, bytes(100), 1, ttt=5)
        connection.ping()


def unexpected_data():
    """Data that was not agreed on is refused, and the command with it."""
    with target.session(InitialR2T="Yes", ImmediateData="No") as connection:
        for how in ({"data": bytes(BLOCK)}, {"final": False}):
            connection.command(raw.write10(5, 1), write=BLOCK, **how)
            assert connection.expect(raw.REJECT).response == 4
            connection.ping()
    with target.session(InitialR2T="No", ImmediateData="Yes", FirstBurstLength=512) as connection:
        for how in ({"write": 1024, "data": bytes(1024)}, {"write": 100, "data": bytes(200)},
                    {"read": 512, "data": bytes(100)}):
            connection.command(raw.write10(5, 2), **how)
            assert connection.expect(raw.REJECT).response == 4
            connection.ping()


def deep_queue():
    """All of the window at once, in and out, and every byte where it belongs."""
    with target.session(InitialR2T="No") as connection:
        window = (connection.max_cmd_sn - connection.cmd_sn + 1) & 0xffffffff
        assert 32 <= window <= 1024, window
        itts = [connection.command(raw.write10(i * 8, 8), write=4096, data=raw.pattern(4096, i & 255))
                for i in range(window)]
        for _ in itts:
            assert connection.expect(raw.RESPONSE).status == 0
        itts = {connection.command(raw.read10(i * 8, 8), read=4096): i for i in range(window)}
        for _ in range(window):
            pdu = connection.expect(raw.DATA_IN)
            assert pdu.data == raw.pattern(4096, itts.pop(pdu.itt) & 255) and pdu.flags & 0x81 == 0x81


def long_cdb():
    """32 bytes of CDB in an additional header: the core refuses the opcode, not the transport the PDU."""
    with target.session() as connection:
        ahs = struct.pack(">HBB", 17, 1, 0) + bytes(16)
        pdu = connection.finish(connection.command(b"\x7f" + bytes(15), ahs=ahs))
        assert pdu.status == 2 and pdu.sense[0] == 5, pdu.sense
        for wrong in (struct.pack(">HBB", 200, 1, 0) + bytes(16), struct.pack(">HBB", 0, 1, 0),
                      struct.pack(">HBB", 17, 9, 0) + bytes(16), struct.pack(">HBB", 33, 1, 0) + bytes(32)):
            connection.command(bytes(16), ahs=wrong)
            assert connection.expect(raw.REJECT).response == 9
        connection.ping()


for initial, immediate in itertools.product(("Yes", "No"), repeat=2):
    cases.run("iscsi_data_initial_r2t_%s_immediate_%s" % (initial.lower(), immediate.lower()), combination, initial,
              immediate)
for case in (data_in_sequences, r2ts_outstanding, residuals, short_write, huge_edtl, refused_write_with_data_coming,
             wrong_data_sn, wrong_offset, wrong_length, wrong_tag, data_of_nobody, unexpected_data, deep_queue,
             long_cdb):
    cases.run("iscsi_" + case.__name__, case)
cases.run("iscsi_data_alive", target.check_alive)
target.finish(cases)
