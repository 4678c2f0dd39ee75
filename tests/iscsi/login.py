#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan
"""The login phase over the wire: ways in, ways not in, discovery, time and number limits."""
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import iscsi_raw as raw  # noqa: E402
from adapter import Adapter, Skip, sparse  # noqa: E402


def ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            return True
    except OSError:
        return False


cases, target = raw.start(["--iscsi", "0.0.0.0:0,7"] + (["--iscsi", "[::1]:0,2"] if ipv6() else []))
_, wildcard, portal6 = (target.daemon.portals + [None])[:3]


def refused(status, items, flags=0x87, fields=None):
    """One request that is refused, after which the connection ends."""
    with target.connect() as connection:
        connection.login_request(items, flags, fields=fields)
        answer = connection.login_answer()
        assert answer.login_status == status, "status %04x, not %04x" % (answer.login_status, status)
        connection.expect_closed()


def one_request():
    with target.connect().login() as connection:
        assert connection.answers["TargetPortalGroupTag"] == "1", connection.answers
        assert int(connection.answers["MaxRecvDataSegmentLength"]) >= 8192
        connection.ready().ping()


def both_stages():
    with target.connect() as connection:
        connection.login_request(connection.identity() + [("AuthMethod", "CHAP,None")], 0x81)
        assert connection.login_answer().flags == 0x81
        assert connection.answers["AuthMethod"] == "None"
        connection.login_request([("MaxConnections", "4"), ("X-odd", "1")], 0x04)
        assert connection.login_answer().flags == 0x04
        assert connection.answers["MaxConnections"] == "1" and connection.answers["X-odd"] == "NotUnderstood"
        connection.login_request([], 0x87)
        assert connection.login_answer().flags == 0x87
        connection.ready()


def continuation():
    with target.connect() as connection:
        text = raw.text_of(connection.identity() + [("MaxBurstLength", "8192")])
        for at in range(0, len(text), 7):
            last = at + 7 >= len(text)
            connection.login_request(None, 0x87 if last else 0x44, data=text[at:at + 7])
            answer = connection.login_answer()
            assert answer.flags == (0x87 if last else 0x04), answer
        assert connection.answers["MaxBurstLength"] == "8192"
        connection.ready()


def refusals():
    who, what = ("InitiatorName", raw.INITIATOR), ("TargetName", target.iqn)
    refused(0x0203, [who, ("TargetName", target.iqn + "x")])
    refused(0x0207, [what])
    refused(0x0207, [who])
    refused(0x0209, [who, what, ("SessionType", "Sideways")])
    refused(0x0200, [who, what, ("MaxBurstLength", "512"), ("MaxBurstLength", "512")])
    refused(0x0200, [who, what], flags=0x83 | 0x08)
    refused(0x0205, [who, what], fields={2: b"\x03\x02"})
    refused(0x0201, [who, what, ("AuthMethod", "CHAP")], flags=0x81)
    refused(0x020a, [who, what], fields={14: b"\x12\x34"})
    with target.session() as connection:
        handle = connection.tsih.to_bytes(2, "big")
        refused(0x0206, [who, what], fields={14: handle, 20: b"\0\1"})
        refused(0x020a, [("InitiatorName", raw.INITIATOR + "x"), what], fields={14: handle})
        refused(0x020a, [who, what], fields={14: handle, 8: b"\x80\0\0\0\x77\x77"})
        refused(0x020a, [who, ("SessionType", "Discovery")], fields={14: handle})
        connection.ping()


def not_a_login():
    with target.connect() as connection:
        connection.nop()
        connection.expect_closed()
    with target.connect() as connection:
        connection.login_request(connection.identity(), 0x04)
        assert connection.login_answer().login_status == 0
        connection.command(bytes(6))
        assert connection.login_answer().login_status == 0x020b
        connection.expect_closed()


def too_long():
    with target.connect() as connection:
        connection.send_bytes(connection.pdu(raw.LOGIN | 0x40, 0x87, length=8193))
        connection.expect_closed()


def login_again():
    with target.session() as connection:
        connection.login_request(connection.identity(), 0x87)
        assert connection.expect(raw.REJECT).response == 4
        connection.ping()


def addresses(connection, which="All"):
    itt = connection.text([("SendTargets", which)])
    answer = connection.expect(raw.TEXT_RESPONSE)
    assert answer.itt == itt and answer.flags == 0x80 and answer.ttt == raw.NO_TAG, answer
    return raw.pairs(answer.data)


def discovery():
    with raw.Connection(target.portal).login() as connection:
        found = addresses(connection)
        assert found[0] == ("TargetName", target.iqn), found
        assert ("TargetAddress", target.portal + ",1") in found, found
        assert ("TargetAddress", wildcard.replace("0.0.0.0", "127.0.0.1") + ",7") in found, found
        assert not portal6 or ("TargetAddress", portal6 + ",2") in found, found
        assert addresses(connection, "iqn.2001-04.com.example:other") == []
        connection.command(bytes(6))
        assert connection.expect(raw.REJECT).response == 4
        connection.logout()
        assert connection.expect(raw.LOGOUT_RESPONSE).response == 0
        connection.expect_closed()
    with target.session() as connection:
        assert addresses(connection, "")[0] == ("TargetName", target.iqn)
        assert addresses(connection, "All") == [("SendTargets", "Reject")]


def discovery_in_pieces():
    """An initiator that takes 512 bytes at a time gets the rest when it asks."""
    with raw.Connection(target.portal).login(MaxRecvDataSegmentLength=512) as connection:
        items = [("X-%060d" % i, "1") for i in range(20)] + [("SendTargets", "All")]
        itt, got = connection.text(items), b""
        while True:
            answer = connection.expect(raw.TEXT_RESPONSE)
            got += answer.data
            assert len(answer.data) <= 512
            if answer.flags & 0x80:
                break
            assert answer.flags == 0x40 and answer.ttt != raw.NO_TAG, answer
            connection.text([], ttt=answer.ttt, itt=itt)
        found = raw.pairs(got)
        assert found[0][1] == "NotUnderstood" and ("TargetName", target.iqn) in found and len(found) > 21, found


def text_continued():
    with raw.Connection(target.portal).login() as connection:
        text = raw.text_of([("SendTargets", "All")])
        itt = connection.text(None, flags=0x40, data=text[:5])
        answer = connection.expect(raw.TEXT_RESPONSE)
        assert answer.flags == 0 and answer.ttt != raw.NO_TAG and not answer.data, answer
        connection.text(None, data=text[5:], ttt=answer.ttt, itt=itt)
        answer = connection.expect(raw.TEXT_RESPONSE)
        assert answer.flags == 0x80 and ("TargetName", target.iqn) in raw.pairs(answer.data), answer
        # Without end: a limit ends it.
        itt = connection.text(None, flags=0x40, data=b"X" * 8192)
        for _ in range(8):
            answer = connection.receive()
            if answer.opcode == raw.REJECT:
                break
            connection.text(None, flags=0x40, ttt=answer.ttt, itt=itt, data=b"X" * 8192)
        else:
            answer = connection.receive()
        assert answer.opcode == raw.REJECT, answer
        connection.ping()


def over_ipv6():
    if not portal6:
        raise Skip("no ::1 here")
    with raw.Connection(portal6, target.iqn).login() as connection:
        assert connection.answers["TargetPortalGroupTag"] == "2", connection.answers
        connection.ready().ping()


def reinstatement():
    with target.session(isid=5) as old, target.session(isid=6) as other:
        with target.session(isid=5) as new:
            assert new.tsih != old.tsih
            old.expect_closed()
            new.ping()
            other.ping()


def connection_reinstatement():
    """The session's handle and the same CID: the old connection ends with its tasks, the session goes on."""
    with target.session(isid=5) as old, target.session(isid=6) as other:
        itt = old.command(raw.write10(2000, 16), write=8192)
        assert old.expect(raw.R2T).itt == itt
        with target.connect(isid=old.isid) as new:
            new.tsih, new.cmd_sn = old.tsih, old.cmd_sn
            new.login()
            assert new.tsih == old.tsih
            old.expect_closed()
            new.ready().ping()
            assert new.good(raw.read10(2000, 16), read=8192).data == bytes(8192)
            other.ping()
            # And once more, now that it has been done.
            with target.connect(isid=old.isid) as newest:
                newest.tsih, newest.cmd_sn = new.tsih, new.cmd_sn
                newest.login().ready()
                new.expect_closed()
def byte_by_byte():
    with target.connect() as connection:
        data = raw.text_of(connection.identity())
        for byte in connection.pdu(raw.LOGIN | 0x40, 0x87, data, fields={8: connection.isid, 24: b"\0\0\0\x64"}):
            connection.send_bytes(bytes([byte]))
        assert connection.login_answer().login_status == 0
        connection.ready()


def has_ended(connection):
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def flood():
    """Connections that never log in fill only their own share, and the oldest of them makes room for who comes."""
    idle = []
    try:
        for _ in range(200):
            idle.append(socket.create_connection(target.portal.rsplit(":", 1), timeout=raw.TIMEOUT_S))
        with target.session() as connection:
            connection.ping()
        # Each is ended by its own thread, one later than another.
        end = time.monotonic() + 60
        while True:
            ended = [has_ended(each) for each in idle]
            if any(ended) and ended == sorted(ended, reverse=True) or time.monotonic() > end:
                break
            time.sleep(0.05)
        assert 0 < sum(ended) < 200, "%d of 200 were ended" % sum(ended)
        assert ended == sorted(ended, reverse=True), "not the oldest ones were ended"
    finally:
        for each in idle:
            each.close()
    target.check_alive()


def discovery_flood():
    """Discovery sessions that sit idle have a share of their own; whoever goes on with his stays."""
    sessions = []
    try:
        busy = raw.Connection(target.portal, isid=b"\x80\0\0\2\0\0").login()
        sessions.append(busy)
        for i in range(400):
            sessions.append(raw.Connection(target.portal, isid=b"\x80\0\0\1" + i.to_bytes(2, "big")).login())
            if i % 10 == 0:
                addresses(busy)
        addresses(sessions[-1])
        addresses(busy)
        sessions[1].expect_closed()
        target.check_alive()
    finally:
        for each in sessions:
            each.close()


def descriptors_run_out():
    """Said once, not five times a second; and whoever comes later is served."""
    scratch = os.path.join(cases.scratch, "few")
    os.mkdir(scratch)
    adapter = Adapter(scratch, [sparse(os.path.join(scratch, "disk.img"), 1 << 20)], before=["prlimit", "--nofile=40"])
    idle = []
    try:
        for _ in range(60):
            idle.append(socket.create_connection(adapter.portal.rsplit(":", 1), timeout=raw.TIMEOUT_S))
        end = time.monotonic() + 60
        while "cannot accept" not in adapter.log() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(1)
        assert adapter.log().count("cannot accept") == 1, adapter.log()
        for each in idle:
            each.close()
        raw.Connection(adapter.portal, adapter.iqn).login().close()
        assert adapter.stop() == 0, adapter.log()
    finally:
        for each in idle:
            each.close()
        adapter.kill()


def slow_login():
    """Whoever takes too long is dropped, also when a byte comes now and then."""
    start, sent = time.monotonic(), 0
    with target.connect() as connection:
        connection.socket.settimeout(1)
        request = connection.pdu(raw.LOGIN | 0x40, 0x87, raw.text_of(connection.identity()))
        while time.monotonic() - start < 60:
            try:
                connection.send_bytes(request[sent:sent + 1])
                sent += 1
                if not connection.socket.recv(1):
                    break
            except socket.timeout:
                continue
            except (raw.Closed, ConnectionResetError):
                break
        else:
            raise AssertionError("still there after a minute")
    assert time.monotonic() - start > 5, "dropped after %.1f s already" % (time.monotonic() - start)


for case in (one_request, both_stages, continuation, refusals, not_a_login, too_long, login_again, discovery,
             discovery_in_pieces, text_continued, over_ipv6, reinstatement, connection_reinstatement, byte_by_byte, flood, discovery_flood,
             descriptors_run_out, slow_login):
    cases.run("iscsi_login_" + case.__name__, case)
target.finish(cases)
