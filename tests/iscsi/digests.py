#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan tsan
"""Header and data digests (RFC 7143 13.1): negotiated, over every PDU, and wrong at each place in turn."""
import itertools
import os
import re
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import iscsi_raw as raw  # noqa: E402

cases, target = raw.start()
BLOCK = 512
BOTH = {"HeaderDigest": "CRC32C", "DataDigest": "CRC32C"}
CRC_ERROR = (0xb, 0x47, 0x05)
REJECT_DATA_DIGEST = 2


def counted():
    """How many wrong digests the daemon has seen."""
    found = re.search(r"iscsi_digest_error\D+(\d+)", target.daemon.lungfish("status").stdout)
    return int(found.group(1)) if found else 0


def negotiation():
    """The initiator's order counts; what was not spoken of is not used."""
    for offer, answer in (("CRC32C", "CRC32C"), ("None", "None"), ("CRC32C,None", "CRC32C"),
                          ("None,CRC32C", "None"), ("X-better,CRC32C", "CRC32C"), ("X-better", "Reject")):
        for key in ("HeaderDigest", "DataDigest"):
            with target.session(**{key: offer}) as connection:
                assert connection.answers[key] == answer, (offer, connection.answers)
                connection.ping()


def after_the_login_only():
    """The Login Responses, the last one too, go without; what follows has them."""
    with target.connect() as connection:
        connection.login_request(connection.identity(), 0x04)
        connection.login_answer()
        connection.login_request(list(BOTH.items()), 0x04)
        assert connection.login_answer().flags == 0x04 and not connection.header_digest
        connection.login_request([], 0x87)
        assert connection.login_answer().flags == 0x87 and connection.header_digest
        connection.ready().ping()


def combination(header, data, initial_r2t, immediate):
    """Data of all lengths by all ways, and everything that is not data."""
    keys = {"HeaderDigest": header, "DataDigest": data, "InitialR2T": initial_r2t, "ImmediateData": immediate,
            "FirstBurstLength": 2048, "MaxBurstLength": 4096, "MaxRecvDataSegmentLength": 1500}
    with target.session(**keys) as connection:
        for blocks in (1, 3, 4, 20):
            wanted = raw.pattern(blocks * BLOCK, blocks)
            first = min(len(wanted), 2048)
            now = wanted[:1001 if initial_r2t == "No" else first] if immediate == "Yes" else b""
            more = initial_r2t == "No" and len(now) < first
            itt = connection.command(raw.write10(64, blocks), write=len(wanted), data=now, final=not more)
            if more:
                connection.data_out(itt, len(now), wanted[len(now):first])
            pdu = connection.serve(itt, wanted, first if more else len(now))
            assert pdu.status == 0, pdu.sense
            assert connection.good(raw.read10(64, blocks), read=len(wanted)).data == wanted
        # Lengths that are no multiples of four, sense, text, and answers without any data.
        assert len(connection.good(bytes([0x12, 0, 0, 0, 37, 0]), read=37).data) == 37
        pdu = connection.finish(connection.command(raw.read10(0x7fffffff, 1), read=512))
        assert pdu.sense == (5, 0x21, 0), pdu.sense
        for length in range(6):
            connection.nop(b"abcdef"[:length])
            assert connection.expect(raw.NOP_IN).data == b"abcdef"[:length]
        connection.text([("SendTargets", "")])
        assert ("TargetName", target.iqn) in raw.pairs(connection.expect(raw.TEXT_RESPONSE).data)
        connection.tmf(2)
        assert connection.expect(raw.TMF_RESPONSE).response == 0
        connection.finish(connection.command(b"\x7f" + bytes(15), ahs=struct.pack(">HBB", 17, 1, 0) + bytes(16)))
        connection.send(0x1e)
        assert connection.expect(raw.REJECT).data[0] == 0x1e
        connection.logout()
        assert connection.expect(raw.LOGOUT_RESPONSE).response == 0
        connection.expect_closed()


def discovery():
    with raw.Connection(target.portal).login(**BOTH) as connection:
        assert connection.header_digest and connection.data_digest
        connection.text([("SendTargets", "All")])
        assert ("TargetName", target.iqn) in raw.pairs(connection.expect(raw.TEXT_RESPONSE).data)


def wrong_header():
    """Of any PDU, at any of its bits: the connection ends without a word, and the session with it."""
    before, sent = counted(), 0
    bits = list(range(0, 48 * 8, 31)) + [48 * 8 + 9]
    for opcode, data in ((raw.COMMAND, b""), (raw.NOP_OUT | 0x40, b"ping"), (raw.DATA_OUT, bytes(512)),
                         (raw.TMF | 0x40, b""), (raw.TEXT | 0x40, b"SendTargets=\0"), (raw.LOGOUT | 0x40, b"")):
        for bit in bits:
            with target.session(isid=3, **BOTH) as connection:
                pdu = connection.pdu(opcode, 0x80, data, fields={
                    16: struct.pack(">III", 7, raw.NO_TAG, connection.cmd_sn)})
                connection.send_bytes(raw.spoiled(connection.sealed(pdu), bit))
                connection.expect_closed()
                sent += 1
    with target.session(isid=3, **BOTH) as connection:
        ahs = struct.pack(">HBB", 17, 1, 0) + bytes(16)
        pdu = connection.sealed(connection.pdu(raw.COMMAND, 0x81, ahs=ahs))
        connection.send_bytes(raw.spoiled(pdu, 8 * (48 + 10)))
        connection.expect_closed()
    # A length that cannot be is no reason to answer it, when nothing of the header can be believed.
    with target.session(isid=3, **BOTH) as connection:
        connection.send(raw.NOP_OUT | 0x40, length=0xffffff, spoil="header")
        connection.expect_closed()
    assert counted() - before == sent + 2, (before, sent, counted())


def header_digest_cut():
    with target.session(isid=3, **BOTH) as connection:
        connection.send_bytes(connection.sealed(connection.pdu(raw.NOP_OUT | 0x40))[:50])
    target.check_alive()


def write_spoiled(name, how, spoil_at, **keys):
    """A WRITE of four pieces, one of which is wrong on the way."""
    with target.session(**dict(BOTH, **keys)) as connection:
        wanted = raw.pattern(8192, 9)
        pieces = [wanted[at:at + 2048] for at in range(0, 8192, 2048)]
        spoil = ["data" if i == spoil_at else None for i in range(4)]
        before = counted()
        if how == "immediate":
            itt = connection.command(raw.write10(90, 16), write=8192, data=pieces[0], final=False, spoil=spoil[0])
            ttt, sn, rest = raw.NO_TAG, 0, (1, 2, 3)
        elif how == "unsolicited":
            itt = connection.command(raw.write10(90, 16), write=8192, final=False)
            ttt, sn, rest = raw.NO_TAG, 0, (0, 1, 2, 3)
        else:
            itt = connection.command(raw.write10(90, 16), write=8192)
            ttt, sn, rest = connection.expect(raw.R2T).ttt, 0, (0, 1, 2, 3)
        for i in rest:
            connection.data_out(itt, 2048 * i, pieces[i], sn, ttt, final=i == 3, spoil=spoil[i])
            sn += 1
        reject = connection.expect(raw.REJECT)
        assert reject.response == REJECT_DATA_DIGEST, reject
        assert reject.data[0] & 0x3f == (raw.COMMAND if how == "immediate" and spoil_at == 0 else raw.DATA_OUT)
        assert reject.data[16:20] == struct.pack(">I", itt)
        pdu = connection.finish(itt)
        assert pdu.status == 2 and pdu.sense == CRC_ERROR, "%s: %02x %s" % (name, pdu.status, pdu.sense)
        assert counted() == before + 1
        assert connection.good(raw.read10(90, 16), read=8192).data == bytes(8192), "%s: something was written" % name
        connection.ping()


def wrong_data():
    """The task fails with PROTOCOL SERVICE CRC ERROR and nothing is written; the session goes on: 7.7, 7.8."""
    for how in ("immediate", "unsolicited", "r2t"):
        for spoil_at in range(4):
            write_spoiled("%s, piece %d" % (how, spoil_at), how, spoil_at,
                          InitialR2T="Yes" if how == "r2t" else "No")


def wrong_data_waits_for_the_rest():
    """No answer before all that was asked for is in (7.8), and no further R2T."""
    with target.session(MaxBurstLength=2048, MaxOutstandingR2T=2, InitialR2T="Yes", **BOTH) as connection:
        itt = connection.command(raw.write10(90, 16), write=8192)
        first, second = connection.expect(raw.R2T), connection.expect(raw.R2T)
        connection.data_out(itt, 0, bytes(2048), 0, first.ttt, spoil="data")
        assert connection.expect(raw.REJECT).response == REJECT_DATA_DIGEST
        connection.expect_silence()
        connection.data_out(itt, 2048, bytes(1024), 0, second.ttt, final=False)
        connection.expect_silence()
        connection.data_out(itt, 3072, bytes(1024), 1, second.ttt)
        pdu = connection.finish(itt)
        assert pdu.sense == CRC_ERROR, pdu.sense
        # An abort ends the waiting.
        itt = connection.command(raw.write10(90, 16), write=8192)
        first = connection.expect(raw.R2T)
        connection.expect(raw.R2T)
        connection.data_out(itt, 0, bytes(2048), 0, first.ttt, spoil="data")
        connection.expect(raw.REJECT)
        connection.tmf(1, referenced=itt)
        assert connection.expect(raw.TMF_RESPONSE).response == 0
        connection.ping()


def wrong_padding():
    """The padding counts, too."""
    with target.session(**BOTH) as connection:
        for at, wrong in ((53, True), (52, False)):
            pdu = connection.sealed(connection.pdu(raw.NOP_OUT | 0x40, data=b"x", fields={
                16: struct.pack(">III", 5, raw.NO_TAG, connection.cmd_sn)}))
            connection.send_bytes(raw.spoiled(pdu, 8 * at) if wrong else pdu)
            assert connection.receive().opcode == (raw.REJECT if wrong else raw.NOP_IN)


def wrong_data_of_others():
    """What is neither a command nor its data is rejected and dropped, and the connection goes on."""
    with target.session(**BOTH) as connection:
        connection.nop(b"abc", spoil="data")
        pdu = connection.expect(raw.REJECT)
        assert pdu.response == REJECT_DATA_DIGEST and pdu.data[0] == raw.NOP_OUT | 0x40, pdu
        connection.data_out(0x999, 0, bytes(100), spoil="data")
        assert connection.expect(raw.REJECT).response == REJECT_DATA_DIGEST
        connection.ready().ping()
        # One with a number of its own leaves a gap, which nothing closes at this level: the next one ends it.
        connection.nop(b"abc", immediate=False, spoil="data")
        assert connection.expect(raw.REJECT).response == REJECT_DATA_DIGEST
        connection.command(bytes(6))
        assert connection.expect(raw.REJECT).response == 4
        connection.expect_closed()


def wrong_data_of_refused_writes():
    """A WRITE that is refused anyway keeps its own sense, once its data is in."""
    with target.session(InitialR2T="No", **BOTH) as connection:
        itt = connection.command(raw.write10(0x7fffffff, 8), write=4096, data=bytes(2048), final=False, spoil="data")
        assert connection.expect(raw.REJECT).response == REJECT_DATA_DIGEST
        connection.data_out(itt, 2048, bytes(2048), spoil="data")
        assert connection.expect(raw.REJECT).response == REJECT_DATA_DIGEST
        pdu = connection.finish(itt)
        assert pdu.sense == (5, 0x21, 0), pdu.sense


def byte_by_byte():
    """The sums are right however the bytes come."""
    with target.session(**BOTH) as connection:
        data = raw.pattern(BLOCK, 4)
        itt = connection.itt()
        pdu = connection.pdu(raw.COMMAND, 0xa1, data, fields={
            16: struct.pack(">III", itt, BLOCK, connection.number()), 32: raw.write10(33, 1)})
        for byte in connection.sealed(pdu):
            connection.send_bytes(bytes([byte]))
        assert connection.finish(itt).status == 0
        assert connection.good(raw.read10(33, 1), read=BLOCK).data == data


def not_our_error():
    """An initiator's wrong digests are counted, and not a line of the log is about them."""
    assert counted() > 0
    log = target.daemon.log()
    assert "digest" not in log and "error" not in log and "connection" not in log, log


for header, data, initial, immediate in itertools.product(("CRC32C", "None"), ("CRC32C", "None"), ("Yes", "No"),
                                                          ("Yes", "No")):
    cases.run("iscsi_digests_header_%s_data_%s_initial_r2t_%s_immediate_%s" % (
        header.lower(), data.lower(), initial.lower(), immediate.lower()), combination, header, data, initial, immediate)
for case in (negotiation, after_the_login_only, discovery, wrong_header, header_digest_cut, wrong_data,
             wrong_data_waits_for_the_rest, wrong_padding, wrong_data_of_others, wrong_data_of_refused_writes,
             byte_by_byte, not_our_error):
    cases.run("iscsi_digests_" + case.__name__, case)
cases.run("iscsi_digests_alive", target.check_alive)
target.finish(cases)
