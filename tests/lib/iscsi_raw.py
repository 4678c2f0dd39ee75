# SPDX-License-Identifier: BSD-2-Clause
"""An iSCSI initiator of raw PDUs (RFC 7143), for tests that send what no proper initiator would."""
import base64
import hashlib
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
import adapter  # noqa: E402

NOP_OUT, COMMAND, TMF, LOGIN, TEXT, DATA_OUT, LOGOUT, SNACK = 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x10
NOP_IN, RESPONSE, TMF_RESPONSE, LOGIN_RESPONSE, TEXT_RESPONSE, DATA_IN, LOGOUT_RESPONSE = range(0x20, 0x27)
R2T, ASYNC, REJECT = 0x31, 0x32, 0x3f
NO_TAG = 0xffffffff
INITIATOR = "iqn.2001-04.com.example:raw"
TIMEOUT_S = 60


def crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = crc_table()


def crc32c(data):
    """The digest of RFC 7143 13.1, as it stands on the wire."""
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 255]
    return struct.pack("<I", crc ^ 0xffffffff)


def spoiled(data, bit=0):
    """With one bit the other way."""
    data = bytearray(data)
    data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


CHAP_HASHES = {"5": hashlib.md5, "7": hashlib.sha256}


def chap_response(algorithm, identifier, secret, challenge):
    """RFC 1994 4.1."""
    return CHAP_HASHES[algorithm](bytes([identifier]) + secret.encode() + challenge).digest()


def binary_text(data, form="hex"):
    """Bytes as a key's value: RFC 7143 6.1."""
    return "0b" + base64.b64encode(data).decode() if form == "base64" else "0x" + data.hex()


class Closed(Exception):
    """The target closed the connection."""


class Pdu:
    def __init__(self, header, data):
        self.header, self.data = header, data
        self.opcode = header[0] & 0x3f
        self.flags, self.response, self.status = header[1], header[2], header[3]
        (self.itt, self.ttt, self.stat_sn, self.exp_cmd_sn, self.max_cmd_sn, self.data_sn, self.offset,
         self.residual) = struct.unpack(">8I", header[16:48])

    @property
    def sense(self):
        """Key, additional code and qualifier, or None."""
        if self.opcode != RESPONSE or len(self.data) < 2:
            return None
        sense = self.data[2:]
        if sense[0] & 0x7e == 0x72:
            return sense[1] & 15, sense[2], sense[3]
        return sense[2] & 15, sense[12], sense[13]

    def __repr__(self):
        return "<PDU %02x flags %02x status %02x itt %x, %d bytes>" % (self.opcode, self.flags, self.status, self.itt,
                                                                    len(self.data))


def pairs(text):
    """Text of key=value pairs as a list."""
    return [tuple(item.decode().split("=", 1)) for item in text.split(b"\0") if item]


def text_of(items):
    items = items.items() if isinstance(items, dict) else items
    return b"".join(("%s=%s" % item).encode() + b"\0" for item in items)


class Connection:
    """One TCP connection. Serial numbers are kept; every field may be overridden."""

    def __init__(self, portal, target=None, initiator=INITIATOR, isid=b"\x80\0\0\0\0\1"):
        host, port = portal.rsplit(":", 1)
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.target, self.initiator, self.isid = target, initiator, isid
        self.cmd_sn, self.exp_stat_sn, self.next_itt, self.tsih, self.cid = 100, 0, 1, 0, 0
        self.max_cmd_sn = 100
        self.answers = {}
        self.header_digest = self.data_digest = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # ---- Bytes ----

    def send_bytes(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None

    def receive_bytes(self, length):
        data = bytearray()
        while len(data) < length:
            try:
                piece = self.socket.recv(length - len(data))
            except ConnectionResetError:
                raise Closed from None
            if not piece:
                raise Closed
            data += piece
        return bytes(data)

    @staticmethod
    def pdu(opcode, flags=0x80, data=b"", ahs=b"", fields=None, length=None):
        """fields: offset in the header to bytes."""
        header = bytearray(48)
        header[0], header[1], header[4] = opcode, flags, len(ahs) // 4
        header[5:8] = (len(data) if length is None else length).to_bytes(3, "big")
        for at, value in (fields or {}).items():
            header[at:at + len(value)] = value
        return bytes(header) + ahs + data + bytes(-len(data) % 4)

    def sealed(self, pdu, spoil=None):
        """The PDU with the digests that were agreed on. spoil: "header" or "data", whose digest is to be wrong."""
        split = 48 + pdu[4] * 4
        header, data = pdu[:split], pdu[split:]
        if self.header_digest:
            header += spoiled(crc32c(header)) if spoil == "header" else crc32c(header)
        if self.data_digest and data:
            data += spoiled(crc32c(data), 31) if spoil == "data" else crc32c(data)
        return header + data

    def send(self, opcode, flags=0x80, data=b"", ahs=b"", fields=None, length=None, spoil=None):
        self.send_bytes(self.sealed(self.pdu(opcode, flags, data, ahs, fields, length), spoil))

    def receive_digested(self, length, digested):
        data = self.receive_bytes(length)
        if digested and data:
            digest = self.receive_bytes(4)
            assert digest == crc32c(data), "a digest of %s for %s" % (digest.hex(), crc32c(data).hex())
        return data

    def receive(self):
        header = self.receive_digested(48, self.header_digest)
        assert header[4] == 0, "a target sends no additional headers"
        length = int.from_bytes(header[5:8], "big")
        pdu = Pdu(header, self.receive_digested(length + -length % 4, self.data_digest)[:length])
        self.max_cmd_sn = pdu.max_cmd_sn
        if pdu.opcode not in (R2T, DATA_IN) or pdu.flags & 1:
            self.exp_stat_sn = pdu.stat_sn + 1
        return pdu

    def expect(self, opcode):
        pdu = self.receive()
        assert pdu.opcode == opcode, "PDU %02x was expected, not %r" % (opcode, pdu)
        return pdu

    def expect_closed(self):
        """Nothing but the end comes."""
        try:
            pdu = self.receive()
        except Closed:
            return
        raise AssertionError("the connection lives, and brought %r" % pdu)

    def expect_silence(self, seconds=0.3):
        self.socket.settimeout(seconds)
        try:
            pdu = self.receive()
        except socket.timeout:
            return
        finally:
            self.socket.settimeout(TIMEOUT_S)
        raise AssertionError("nothing was expected, and %r came" % pdu)

    def itt(self):
        self.next_itt += 1
        return self.next_itt

    def number(self, immediate=False):
        """The CmdSN of the next request."""
        number = self.cmd_sn
        if not immediate:
            self.cmd_sn = (self.cmd_sn + 1) & 0xffffffff
        return number

    # ---- Login ----

    def login_request(self, items, flags, data=None, fields=None):
        here = {8: self.isid, 14: self.tsih.to_bytes(2, "big"), 16: struct.pack(">I", 0x10000),
                20: self.cid.to_bytes(2, "big"), 24: struct.pack(">II", self.cmd_sn, self.exp_stat_sn)}
        here.update(fields or {})
        self.send(LOGIN | 0x40, flags, text_of(items) if data is None else data, fields=here)

    def login_answer(self):
        pdu = self.expect(LOGIN_RESPONSE)
        pdu.login_status = int.from_bytes(pdu.header[36:38], "big")
        self.answers.update(pairs(pdu.data))
        if pdu.login_status == 0 and pdu.flags & 0x83 == 0x83:
            self.header_digest = self.answers.get("HeaderDigest") == "CRC32C"
            self.data_digest = self.answers.get("DataDigest") == "CRC32C"
        return pdu

    def identity(self):
        items = [("InitiatorName", self.initiator)]
        if self.target:
            return items + [("TargetName", self.target), ("SessionType", "Normal")]
        return items + [("SessionType", "Discovery")]

    def security(self, items, flags=0x00):
        """One exchange of the security stage; returns the answer."""
        self.login_request(items, flags)
        return self.login_answer()

    def chap_begin(self, algorithms="7,5"):
        """Up to the target's challenge; returns algorithm, identifier and challenge."""
        pdu = self.security(self.identity() + [("AuthMethod", "CHAP,None")], 0x81)
        assert pdu.login_status == 0 and pdu.flags == 0 and self.answers["AuthMethod"] == "CHAP", self.answers
        pdu = self.security([("CHAP_A", algorithms)])
        assert pdu.login_status == 0 and pdu.flags == 0, "%04x" % pdu.login_status
        challenge = self.answers["CHAP_C"]
        assert challenge.startswith("0x")
        return self.answers["CHAP_A"], int(self.answers["CHAP_I"]), bytes.fromhex(challenge[2:])

    def chap_finish(self, asked, user, secret, more=(), form="hex"):
        response = chap_response(asked[0], asked[1], secret, asked[2])
        return self.security([("CHAP_N", user), ("CHAP_R", binary_text(response, form))] + list(more), 0x81)

    def chap(self, user, secret, algorithms="7,5", form="hex"):
        """One way, up to the operational stage."""
        pdu = self.chap_finish(self.chap_begin(algorithms), user, secret, form=form)
        assert pdu.login_status == 0, "login status %04x" % pdu.login_status
        assert pdu.flags == 0x81, "login flags %02x" % pdu.flags
        return self

    def chap_mutual(self, user, secret, algorithms="7,5", form="hex", challenge=None):
        """Both ways; returns the target's name and what its response has to be for a secret."""
        asked, challenge = self.chap_begin(algorithms), challenge or os.urandom(24)
        pdu = self.chap_finish(asked, user, secret, [("CHAP_I", "77"), ("CHAP_C", binary_text(challenge, form))], form)
        assert pdu.login_status == 0 and pdu.flags == 0x81, "login status %04x" % pdu.login_status
        return self.answers["CHAP_N"], lambda mutual: binary_text(chap_response(asked[0], 77, mutual, challenge))

    def login(self, chap=None, **keys):
        """In one request, from the operational stage; chap: behind a security stage, user and secret."""
        if chap:
            self.chap(*chap)
        self.login_request(([] if chap else self.identity()) + list(keys.items()), 0x87)
        pdu = self.login_answer()
        assert pdu.login_status == 0, "login status %04x" % pdu.login_status
        assert pdu.flags == 0x87, "login flags %02x" % pdu.flags
        self.tsih = int.from_bytes(pdu.header[14:16], "big")
        assert self.tsih, "a session without a handle"
        return self

    # ---- Requests ----

    def command(self, cdb, read=0, write=0, data=b"", lun=0, final=True, immediate=False, ahs=b"", attribute=1,
                fields=None, flags=0, itt=None, spoil=None):
        """A SCSI Command; returns its task tag."""
        itt = self.itt() if itt is None else itt
        flags |= (0x80 if final else 0) | (0x40 if read else 0) | (0x20 if write else 0) | attribute
        here = {8: lun.to_bytes(2, "big") if lun > 255 else bytes([0, lun]),
                16: struct.pack(">IIII", itt, write or read, self.number(immediate), self.exp_stat_sn),
                32: cdb[:16].ljust(16, b"\0")}
        here.update(fields or {})
        self.send(COMMAND | (0x40 if immediate else 0), flags, data, ahs, here, spoil=spoil)
        return itt

    def data_out(self, itt, offset, data, data_sn=0, ttt=NO_TAG, final=True, length=None, spoil=None):
        self.send(DATA_OUT, 0x80 if final else 0, data, length=length, spoil=spoil,
                  fields={16: struct.pack(">II", itt, ttt), 28: struct.pack(">I", self.exp_stat_sn),
                          36: struct.pack(">II", data_sn, offset)})

    def nop(self, data=b"", immediate=True, spoil=None):
        itt = self.itt()
        self.send(NOP_OUT | (0x40 if immediate else 0), 0x80, data, spoil=spoil,
                  fields={16: struct.pack(">IIII", itt, NO_TAG, self.number(immediate), self.exp_stat_sn)})
        return itt

    def ping(self):
        """Whether the connection still answers."""
        itt = self.nop(b"are you there?")
        pdu = self.expect(NOP_IN)
        assert pdu.itt == itt and pdu.data == b"are you there?", pdu

    def tmf(self, function, lun=0, referenced=NO_TAG, immediate=True, itt=None):
        itt = self.itt() if itt is None else itt
        self.send(TMF | (0x40 if immediate else 0), 0x80 | function,
                  fields={8: bytes([0, lun]),
                          16: struct.pack(">IIIII", itt, referenced, self.number(immediate), self.exp_stat_sn, 0)})
        return itt

    def text(self, items, flags=0x80, ttt=NO_TAG, itt=None, data=None):
        itt = self.itt() if itt is None else itt
        self.send(TEXT | 0x40, flags, text_of(items) if data is None else data,
                  fields={16: struct.pack(">IIII", itt, ttt, self.number(True), self.exp_stat_sn)})
        return itt

    def logout(self, reason=0, cid=0):
        self.send(LOGOUT | 0x40, 0x80 | reason,
                  fields={16: struct.pack(">I", self.itt()), 20: cid.to_bytes(2, "big"),
                          24: struct.pack(">II", self.number(True), self.exp_stat_sn)})

    # ---- Whole commands ----

    def finish(self, itt, read=0):
        """Collects Data-In and the status of a command; returns the last PDU, its data all of the command's."""
        data = bytearray(read)
        moved = 0
        while True:
            pdu = self.receive()
            assert pdu.itt == itt, "%r belongs to another task than %x" % (pdu, itt)
            if pdu.opcode == DATA_IN:
                data[pdu.offset:pdu.offset + len(pdu.data)] = pdu.data
                moved += len(pdu.data)
                if not pdu.flags & 1:
                    continue
                pdu.data = bytes(data[:moved])
                return pdu
            assert pdu.opcode == RESPONSE, pdu
            return pdu

    def good(self, cdb, **how):
        pdu = self.finish(self.command(cdb, **how), how.get("read", 0))
        assert pdu.status == 0, "status %02x, sense %s" % (pdu.status, pdu.sense)
        return pdu

    def ready(self, lun=0):
        """Past the unit attention that a new nexus meets."""
        for _ in range(4):
            pdu = self.finish(self.command(bytes(6), lun=lun))
            if pdu.status == 0:
                return self
        raise AssertionError("the unit stays unready: %s" % (pdu.sense,))

    def serve(self, itt, data, unsolicited=0):
        """Answers R2Ts with pieces of data until the status comes."""
        asked = unsolicited
        while True:
            pdu = self.receive()
            if pdu.opcode != R2T:
                assert pdu.opcode == RESPONSE and pdu.itt == itt, pdu
                return pdu
            length = pdu.residual
            assert pdu.itt == itt and pdu.offset == asked, "an R2T for %d, not %d" % (pdu.offset, asked)
            asked += length
            self.data_out(itt, pdu.offset, data[pdu.offset:pdu.offset + length], ttt=pdu.ttt)


def read10(lba, blocks):
    return struct.pack(">BBIBHB", 0x28, 0, lba, 0, blocks, 0)


def write10(lba, blocks):
    return struct.pack(">BBIBHB", 0x2a, 0, lba, 0, blocks, 0)


def pattern(length, seed=1):
    """Bytes that differ from place to place."""
    words = (length + 3) // 4
    return b"".join(struct.pack(">I", (seed << 24 | i) & 0xffffffff) for i in range(words))[:length]


class Target:
    """A lungfishd with a disk, and what a test needs of it."""

    def __init__(self, scratch, options=(), size=64 << 20):
        self.image = adapter.sparse(os.path.join(scratch, "disk.img"), size)
        self.daemon = adapter.Adapter(scratch, list(options) + [self.image])
        self.portal, self.iqn = self.daemon.portal, self.daemon.iqn
        self.credentials = None

    def connect(self, **how):
        return Connection(self.portal, self.iqn, **how)

    def session(self, isid=1, initiator=INITIATOR, **keys):
        """Logged in, and past the unit attention."""
        connection = self.connect(isid=b"\x80\0\0\0" + isid.to_bytes(2, "big"), initiator=initiator)
        connection.login(chap=self.credentials, **keys)
        return connection.ready()

    def check_alive(self):
        assert self.daemon.is_alive(), "lungfishd died: %s" % self.daemon.log()
        with self.session(isid=0xfff0) as connection:
            connection.ping()

    def finish(self, cases):
        """Stops the daemon, which has to end well, and the script."""
        cases.run("stop", self.check_stop)
        cases.finish()

    def check_stop(self):
        assert self.daemon.is_alive(), "lungfishd died: %s" % self.daemon.log()
        status = self.daemon.stop()
        assert status == 0, "status %d: %s" % (status, self.daemon.log())


def start(options=(), size=64 << 20):
    cases = adapter.Cases()
    try:
        return cases, Target(cases.scratch, options, size)
    except Exception as why:
        print("not ok start: %s" % why)
        sys.exit(1)
