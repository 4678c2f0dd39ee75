#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan
"""The limits that lungfishd takes as options: sessions, time for a login, time of silence, memory."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import iscsi_raw as raw  # noqa: E402
from adapter import find_program, run  # noqa: E402

SILENCE_S = 6  # longer than a busy host lets us wait
cases, target = raw.start(["--sessions", "3", "--memory", "600M"])
os.mkdir(os.path.join(cases.scratch, "impatient"))
impatient = raw.Target(os.path.join(cases.scratch, "impatient"), [
    "--login-timeout", str(SILENCE_S), "--idle-timeout", str(SILENCE_S)])


def sessions():
    """One more than there may be is refused for want of resources; one that goes makes room."""
    held = [target.session(isid=i) for i in range(1, 4)]
    try:
        with target.connect(isid=b"\x80\0\0\0\0\7") as connection:
            connection.login_request(connection.identity(), 0x87)
            assert connection.login_answer().login_status == 0x0302
            connection.expect_closed()
        # The same port again takes its own place.
        with target.session(isid=3) as again:
            held[2].expect_closed()
            again.ping()
        held[0].logout()
        held[0].expect(raw.LOGOUT_RESPONSE)
        held[0].expect_closed()
    finally:
        for each in held:
            each.close()
    end = time.monotonic() + 60
    while "sessions  0" not in target.daemon.lungfish("status").stdout and time.monotonic() < end:
        time.sleep(0.05)
    target.check_alive()


def login_timeout():
    start = time.monotonic()
    with impatient.connect() as connection:
        connection.login_request(connection.identity(), 0x04)
        connection.login_answer()
        connection.expect_closed()
    took = time.monotonic() - start
    assert took > SILENCE_S - 0.5, "dropped after %.1f s already" % took


def idle_timeout():
    """Asked after a while; an answer is enough to stay, silence is the end."""
    with impatient.session() as connection:
        for _ in range(2):
            asked = connection.expect(raw.NOP_IN)
            assert asked.itt == raw.NO_TAG and asked.ttt != raw.NO_TAG, asked
            connection.send(raw.NOP_OUT | 0x40, fields={16: b"\xff" * 4, 20: asked.header[20:24]})
        connection.ping()
        assert connection.expect(raw.NOP_IN).ttt != raw.NO_TAG
        connection.expect_closed()


def wrong_options():
    for option, value, why, status in (
            ("--sessions", "0", "from 1 to 4096", 2), ("--sessions", "4097", "from 1 to 4096", 2),
            ("--sessions", "many", "from 1 to 4096", 2), ("--login-timeout", "0", "1 to 3600", 2),
            ("--idle-timeout", "3601", "1 to 3600", 2), ("--idle-timeout", "-1", "1 to 3600", 2),
            ("--memory", "lots", "64M", 2), ("--memory", "0", "64M", 2), ("--memory", "1M", "too small", 1)):
        answer = run([find_program("lungfishd"), "--iscsi", "127.0.0.1:0", "--socket",
                      os.path.join(cases.scratch, "wrong.sock"), option, value])
        assert answer.returncode == status and why in answer.stdout, (option, value, answer.stdout)


for case in (sessions, login_timeout, idle_timeout, wrong_options):
    cases.run("iscsi_limits_" + case.__name__, case)
cases.run("stop_impatient", impatient.check_stop)
target.finish(cases)
