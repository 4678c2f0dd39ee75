#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan
"""PDUs that are cut, over-long, of no kind or of random bytes: each answered or dropped, and the daemon lives."""
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import iscsi_raw as raw  # noqa: E402

cases, target = raw.start()
SEED = int(os.environ.get("LF_TEST_SEED", "20"))


def reserved_opcodes():
    """Rejected with their header, and the connection goes on; so are the target's own opcodes."""
    with target.session() as connection:
        known = {raw.NOP_OUT, raw.COMMAND, raw.TMF, raw.LOGIN, raw.TEXT, raw.DATA_OUT, raw.LOGOUT}
        for opcode in sorted(set(range(64)) - known):
            sent = connection.pdu(opcode | 0x40, 0x80, b"some data", fields={16: struct.pack(">II", 0x55, opcode)})
            connection.send_bytes(sent)
            pdu = connection.expect(raw.REJECT)
            assert pdu.response == (3 if opcode == raw.SNACK else 5), (opcode, pdu.response)
            assert pdu.data == sent[:48] and pdu.itt == raw.NO_TAG, pdu
        connection.ping()


def too_long():
    """A data segment longer than what we declared is no PDU of ours: the connection ends."""
    with target.session() as probe:
        most = int(probe.answers["MaxRecvDataSegmentLength"])
    for opcode in (raw.COMMAND, raw.DATA_OUT, raw.NOP_OUT | 0x40, raw.TEXT | 0x40, 0x1f):
        with target.session() as connection:
            connection.send(opcode, 0x80, length=most + 1)
            assert connection.expect(raw.REJECT).response == 4
            connection.expect_closed()
    with target.session(MaxRecvDataSegmentLength=16777215) as connection:
        connection.nop(raw.pattern(most))
        assert connection.expect(raw.NOP_IN).data == raw.pattern(most)


def cut_everywhere():
    """Each kind of PDU, ended by the peer after each number of bytes."""
    with target.session() as witness:
        for opcode, data in ((raw.COMMAND, b"x" * 20), (raw.DATA_OUT, b"y" * 9), (raw.TEXT, b"SendTargets=\0"),
                             (raw.NOP_OUT | 0x40, b"z" * 5), (raw.TMF, b""), (raw.LOGOUT, b"")):
            pdu = raw.Connection.pdu(opcode, 0xa1, data, ahs=bytes(8))
            for cut in range(0, len(pdu), 5):
                connection = target.connect(isid=b"\x80\0\0\0\x07\x07").login()
                connection.send_bytes(pdu[:cut])
                connection.close()
        witness.ping()


def random_headers():
    """Headers of random bytes behind a login; whatever the answer, there is one or the connection ends."""
    dice = random.Random(SEED)
    for _ in range(300):
        with target.connect(isid=b"\x80\0\0\0\x08\x08").login() as connection:
            stream = b""
            for _ in range(dice.randrange(1, 6)):
                header = bytearray(dice.randbytes(48))
                header[0] = dice.choice([0, 1, 2, 4, 5, 6, 0x10, header[0]]) | (0x40 if dice.random() < 0.5 else 0)
                header[4] = dice.choice([0, 0, 0, 1, 3, 255])
                length = dice.choice([0, 0, 4, 11, 48, 300])
                header[5:8] = length.to_bytes(3, "big")
                if dice.random() < 0.7:
                    header[24:28] = struct.pack(">I", connection.cmd_sn)
                    connection.cmd_sn += not header[0] & 0x40
                if dice.random() < 0.5:
                    header[16:20] = struct.pack(">I", dice.randrange(4))
                stream += bytes(header) + dice.randbytes(header[4] * 4 + length + -length % 4)
            try:
                connection.send_bytes(stream)
                connection.send_bytes(connection.pdu(raw.NOP_OUT | 0x40, 0x80, fields={
                    16: struct.pack(">II", 0x99999999, raw.NO_TAG)}))
                while connection.receive().itt != 0x99999999:
                    pass
            except raw.Closed:
                pass
    target.check_alive()


def random_logins():
    """The same for the login phase."""
    dice = random.Random(SEED)
    keys = ["InitiatorName", "TargetName", "SessionType", "AuthMethod", "HeaderDigest", "MaxBurstLength", "X-a", "",
            "InitialR2T", "SendTargets", "MaxRecvDataSegmentLength"]
    values = [raw.INITIATOR, target.iqn, "Normal", "Discovery", "None", "Yes", "0", "-1", "99999999999", "", "a" * 300,
              "Reject"]
    for _ in range(300):
        with target.connect() as connection:
            try:
                for _ in range(dice.randrange(1, 5)):
                    text = raw.text_of([(dice.choice(keys), dice.choice(values)) for _ in range(dice.randrange(8))])
                    if dice.random() < 0.2:
                        text = text[:dice.randrange(len(text) + 1)] + dice.randbytes(dice.randrange(9))
                    connection.login_request(None, dice.choice([0x87, 0x81, 0x04, 0x44, 0, dice.randrange(256)]),
                                             data=text)
                    connection.receive()
            except raw.Closed:
                pass
    target.check_alive()


def endless_text():
    """Keys without end in one session: every exchange has its limits."""
    with target.session(MaxRecvDataSegmentLength=65536) as connection:
        connection.text([("X-%d" % i, "1") for i in range(5000)])
        assert connection.expect(raw.REJECT).response == 4
        connection.text(None, data=b"no pair at all\0")
        assert connection.expect(raw.REJECT).response == 4
        connection.text([], ttt=12345)
        assert connection.expect(raw.REJECT).response == 9
        connection.ping()


for case in (reserved_opcodes, too_long, cut_everywhere, random_headers, random_logins, endless_text):
    cases.run("iscsi_malformed_" + case.__name__, case)
target.finish(cases)
