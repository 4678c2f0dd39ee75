#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan tsan
"""Numbers, task management, NOP, logout, and sessions that go while commands are under way."""
import os
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import iscsi_raw as raw  # noqa: E402

cases, target = raw.start()
COMPLETE, NO_TASK, NO_LUN, NO_REASSIGN, NOT_SUPPORTED, REJECTED = 0, 1, 2, 4, 5, 255
ABORT_TASK, ABORT_TASK_SET, CLEAR_ACA, CLEAR_TASK_SET, LUN_RESET, WARM_RESET, COLD_RESET, REASSIGN = range(1, 9)


def solicited(connection, lba=0, blocks=16):
    """A WRITE whose data is asked for and does not come; its task tag and the R2T."""
    itt = connection.command(raw.write10(lba, blocks), write=blocks * 512)
    return itt, connection.expect(raw.R2T)


def tmf(connection, function, **how):
    itt = connection.tmf(function, **how)
    pdu = connection.expect(raw.TMF_RESPONSE)
    assert pdu.itt == itt, pdu
    return pdu.response


def cmd_sn_outside_the_window():
    """Too low or too high is ignored without a word: RFC 7143 4.2.2.1."""
    with target.session() as connection:
        for wrong in (connection.cmd_sn - 1, connection.max_cmd_sn + 1, connection.cmd_sn + 0x70000000):
            connection.command(bytes(6), fields={24: struct.pack(">I", wrong & 0xffffffff)})
            connection.cmd_sn -= 1
            connection.expect_silence(0.2)
        connection.command(raw.write10(0, 8), write=4096, data=bytes(4096),
                           fields={24: struct.pack(">I", connection.max_cmd_sn + 1)})
        connection.cmd_sn -= 1
        connection.ready().ping()


def cmd_sn_gap():
    """On one connection a gap never closes: a protocol error."""
    with target.session() as connection:
        connection.command(bytes(6), fields={24: struct.pack(">I", connection.cmd_sn + 1)})
        assert connection.expect(raw.REJECT).response == 4
        connection.expect_closed()


def cmd_sn_wraps():
    with target.connect() as connection:
        connection.cmd_sn = 0xfffffff0
        connection.login()
        for _ in range(40):
            connection.finish(connection.command(bytes(6)))
        connection.ready()


def immediate_commands():
    """Outside the window, up to a number; then they are refused one by one."""
    with target.session() as connection:
        for _ in range(3):
            assert connection.finish(connection.command(bytes(6), immediate=True)).status == 0
        for i in range(64):
            connection.command(raw.write10(i, 1), write=512, immediate=True)
        answers = [connection.receive() for _ in range(64)]
        refused = [pdu for pdu in answers if pdu.opcode == raw.REJECT]
        assert refused and all(pdu.response == 6 for pdu in refused), refused
        assert len(refused) < 64 and all(pdu.opcode in (raw.R2T, raw.REJECT) for pdu in answers)
        connection.ready().ping()


def tag_in_use():
    with target.session() as connection:
        itt, r2t = solicited(connection)
        connection.command(bytes(6), itt=itt)
        assert connection.expect(raw.REJECT).response == 7
        connection.data_out(itt, 0, bytes(8192), ttt=r2t.ttt)
        assert connection.finish(itt).status == 0
        connection.command(bytes(6), itt=raw.NO_TAG)
        assert connection.expect(raw.REJECT).response == 9
        connection.ready()


def abort_task():
    with target.session() as connection:
        itt, r2t = solicited(connection, lba=300)
        other, other_r2t = solicited(connection, lba=400)
        assert tmf(connection, ABORT_TASK, referenced=itt) == COMPLETE
        # What was asked for may still come; nothing answers it, and nothing is written.
        connection.data_out(itt, 0, raw.pattern(8192), ttt=r2t.ttt)
        assert tmf(connection, ABORT_TASK, referenced=itt) == NO_TASK
        connection.data_out(other, 0, raw.pattern(8192, 2), ttt=other_r2t.ttt)
        assert connection.finish(other).status == 0
        assert connection.good(raw.read10(300, 16), read=8192).data == bytes(8192)
        assert connection.good(raw.read10(400, 16), read=8192).data == raw.pattern(8192, 2)


def refused(connection, lun=0):
    """A WRITE that has been refused, and whose answer waits for the data that it announced."""
    return connection.command(raw.write10(0x7fffffff, 16), write=8192, final=False, lun=lun)


def window(connection):
    return (connection.max_cmd_sn - connection.cmd_sn + 1) & 0xffffffff


def abort_of_a_refused_write():
    """Its data does not come: tag and slot of the window are free again, and nothing answers it."""
    with target.session(InitialR2T="No") as connection:
        whole = window(connection)
        for lun in (0, 0, 99):
            itt = refused(connection, lun)
            assert tmf(connection, ABORT_TASK, referenced=itt, lun=lun) == COMPLETE
            assert tmf(connection, ABORT_TASK, referenced=itt, lun=lun) == NO_TASK
            # What was announced may still come.
            connection.data_out(itt, 0, bytes(4096), final=False)
            connection.data_out(itt, 4096, bytes(4096), 1)
            connection.ping()
            assert window(connection) == whole, "%d of %d" % (window(connection), whole)
            assert connection.finish(connection.command(bytes(6), itt=itt)).status == 0


def abort_in_the_middle_of_refused_data():
    with target.session(InitialR2T="No") as connection:
        itt = refused(connection)
        connection.data_out(itt, 0, bytes(4096), final=False)
        pdu = connection.pdu(raw.DATA_OUT, 0x80, raw.pattern(4096), fields={
            16: struct.pack(">II", itt, raw.NO_TAG), 36: struct.pack(">II", 1, 4096)})
        connection.send_bytes(connection.pdu(raw.TMF | 0x40, 0x81, fields={
            16: struct.pack(">III", 0x6666, itt, connection.cmd_sn)}) + pdu[:1000])
        assert connection.expect(raw.TMF_RESPONSE).response == COMPLETE
        connection.send_bytes(pdu[1000:])
        connection.ping()


def functions_end_refused_writes():
    """More of them than the window has slots: each function frees its own, and no others."""
    with target.session(InitialR2T="No") as connection:
        whole = window(connection)
        for function in (ABORT_TASK_SET, CLEAR_TASK_SET, LUN_RESET, WARM_RESET):
            for _ in range(whole // 2 + 1):
                refused(connection)
            other = refused(connection, lun=99)
            assert tmf(connection, function) == COMPLETE
            if function != WARM_RESET:
                connection.data_out(other, 0, bytes(8192))
                assert connection.finish(other).status == 2
            connection.ready().ping()
            assert window(connection) == whole, "%d: %d of %d" % (function, window(connection), whole)


def abort_in_the_middle_of_data():
    """The task goes while a Data-Out of it is half received."""
    with target.session() as connection, target.session(isid=2) as killer:
        itt, r2t = solicited(connection, lba=500)
        pdu = connection.pdu(raw.DATA_OUT, 0x80, raw.pattern(8192),
                             fields={16: struct.pack(">II", itt, r2t.ttt)})
        connection.send_bytes(pdu[:4000])
        assert tmf(killer, LUN_RESET) == COMPLETE
        connection.send_bytes(pdu[4000:])
        connection.ready()
        assert connection.good(raw.read10(500, 16), read=8192).data == bytes(8192)


def task_sets():
    with target.session() as mine, target.session(isid=2) as other:
        for function, others_live in ((ABORT_TASK_SET, True), (CLEAR_TASK_SET, False), (LUN_RESET, False),
                                      (WARM_RESET, False)):
            solicited(mine)
            solicited(mine)
            itt, r2t = solicited(other)
            assert tmf(mine, function) == COMPLETE, function
            other.data_out(itt, 0, bytes(8192), ttt=r2t.ttt)
            if others_live:
                assert other.finish(itt).status == 0
            mine.ready().ping()
            other.ready().ping()


def tmf_odds():
    with target.session() as connection:
        assert tmf(connection, LUN_RESET, lun=99) == NO_LUN
        assert tmf(connection, CLEAR_ACA) == NOT_SUPPORTED
        assert tmf(connection, REASSIGN, referenced=1) == NO_REASSIGN
        assert tmf(connection, 77) == NOT_SUPPORTED
        assert tmf(connection, ABORT_TASK, referenced=0x777) == NO_TASK
        assert tmf(connection, ABORT_TASK_SET, immediate=False) == COMPLETE
        connection.ready()


def cold_reset():
    """Everybody is dropped, the one who asked after the answer."""
    with target.session() as mine, target.session(isid=2) as other:
        assert tmf(mine, COLD_RESET) == COMPLETE
        mine.expect_closed()
        other.expect_closed()
    target.check_alive()


def nops():
    with target.session(MaxRecvDataSegmentLength=1024) as connection:
        for length in (0, 1, 3, 1024):
            itt = connection.nop(raw.pattern(length), immediate=length != 3)
            pdu = connection.expect(raw.NOP_IN)
            assert pdu.itt == itt and pdu.ttt == raw.NO_TAG and pdu.data == raw.pattern(length), pdu
        connection.nop(raw.pattern(5000))
        assert connection.expect(raw.NOP_IN).data == raw.pattern(5000)[:1024]
        # Without a tag it only tells numbers.
        connection.send(raw.NOP_OUT | 0x40, fields={16: struct.pack(">III", raw.NO_TAG, raw.NO_TAG, connection.cmd_sn)})
        connection.expect_silence(0.2)
        connection.ping()


def many_nops_unread():
    """Answers that nobody reads stop the reading, not the daemon, and all come in the end."""
    with target.session(MaxRecvDataSegmentLength=262144) as connection:
        count, data = 150, raw.pattern(200000)
        sender = threading.Thread(target=lambda: [connection.nop(data) for _ in range(count)])
        sender.start()
        target.check_alive()
        time.sleep(1)
        assert sender.is_alive(), "the daemon took %d MB of NOPs without being able to answer" % (count * 200000 >> 20)
        for _ in range(count):
            assert connection.expect(raw.NOP_IN).data == data
        sender.join()
        connection.ping()


def logout():
    for reason in (0, 1):
        with target.session() as connection:
            connection.logout(reason, connection.cid)
            assert connection.expect(raw.LOGOUT_RESPONSE).response == 0
            connection.expect_closed()
    with target.session() as connection:
        connection.logout(1, 77)
        assert connection.expect(raw.LOGOUT_RESPONSE).response == 1
        connection.logout(2)
        assert connection.expect(raw.LOGOUT_RESPONSE).response == 2
        connection.logout(9)
        assert connection.expect(raw.REJECT).response == 9
        connection.ready()


def logout_under_way():
    """Commands that wait for data end before the logout is answered."""
    with target.session() as connection:
        itt, _ = solicited(connection, lba=600)
        connection.logout()
        pdu = connection.receive()
        if pdu.opcode == raw.RESPONSE:
            assert pdu.itt == itt and pdu.status != 0, pdu
            pdu = connection.receive()
        assert pdu.opcode == raw.LOGOUT_RESPONSE and pdu.response == 0, pdu
        connection.expect_closed()
    with target.session() as connection:
        assert connection.good(raw.read10(600, 16), read=8192).data == bytes(8192)


def reinstatement_under_way():
    """The new session is let in when the old one's commands have ended; what was not submitted is not written."""
    for _ in range(20):
        with target.session(isid=9) as old:
            for lba in range(700, 780, 16):
                solicited(old, lba)
            half = old.pdu(raw.COMMAND, 0xa1, bytes(4096))
            old.send_bytes(half[:100])
            with target.session(isid=9) as new:
                assert new.good(raw.read10(700, 80), read=40960).data == bytes(40960)
                old.expect_closed()


def sudden_ends():
    """Connections cut at every place of a WRITE, with others under way."""
    with target.session() as witness:
        for cut in list(range(1, 48, 7)) + [48, 49, 1000, 4143, 4144]:
            connection = target.session(isid=3, InitialR2T="No")
            solicited(connection, 800)
            solicited(connection, 820)
            pdu = connection.pdu(raw.COMMAND, 0xa1, raw.pattern(4096), fields={
                16: struct.pack(">IIII", 0x4444, 4096, connection.cmd_sn, 0), 32: raw.write10(840, 8)})
            connection.send_bytes(pdu[:cut])
            connection.close()
            witness.ping()
        got = witness.good(raw.read10(800, 36), read=18432).data
        assert got == bytes(18432)


def many_sessions():
    """Sessions beside each other, each with its own numbers and data."""
    sessions = [target.session(isid=100 + i) for i in range(20)]
    try:
        for round_ in range(5):
            itts = [(each, each.command(raw.write10(1000 + 8 * i, 8), write=4096, data=raw.pattern(4096, i + round_)))
                    for i, each in enumerate(sessions)]
            for each, itt in itts:
                assert each.finish(itt).status == 0
        for i, each in enumerate(sessions):
            assert each.good(raw.read10(1000 + 8 * i, 8), read=4096).data == raw.pattern(4096, i + 4)
    finally:
        for each in sessions:
            each.close()


for case in (cmd_sn_outside_the_window, cmd_sn_gap, cmd_sn_wraps, immediate_commands, tag_in_use, abort_task,
             abort_of_a_refused_write, abort_in_the_middle_of_refused_data, functions_end_refused_writes,
             abort_in_the_middle_of_data, task_sets, tmf_odds, cold_reset, nops, many_nops_unread, logout,
             logout_under_way, reinstatement_under_way, sudden_ends, many_sessions):
    cases.run("iscsi_" + case.__name__, case)
cases.run("iscsi_tasks_alive", target.check_alive)
target.finish(cases)
