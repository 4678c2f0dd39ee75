#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
"""What the command tells of sessions, counters, reservations and faults, and what it completes in a shell."""
import os
import shutil
import struct
import subprocess
import sys
import time

import harness
from harness import DONE, NOT_FOUND, SOME_FAILED, USAGE, Daemon, Skip, device, refused, sparse, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import iscsi_raw as raw  # noqa: E402

MIB = 1 << 20
RESERVE_6, RELEASE_6 = 0x16, 0x17


def initiator(daemon, isid=1, name=raw.INITIATOR, **keys):
    adapter = daemon.must("status", "-J").json()["adapters"][0]
    connection = raw.Connection(adapter["portals"][0]["address"], adapter["iqn"], initiator=name,
                                isid=b"\x80\0\0\0\0" + bytes([isid]))
    connection.login(**keys)
    return connection


def sessions(daemon):
    return daemon.must("session", "list", "-J").json()["sessions"]


def sessions_are_listed_and_dropped(scratch):
    with Daemon(scratch) as daemon:
        daemon.must("connect", sparse(os.path.join(scratch, "disk.img"), MIB))
        assert daemon.must("session", "list").out.split() == \
            "ID INITIATOR ADDRESS TARGET/TAG DIGESTS AUTH COMMANDS IN OUT AGE".split()
        one = initiator(daemon, 1, "iqn.2001-04.com.example:one").ready()
        two = initiator(daemon, 2, "iqn.2001-04.com.example:two", HeaderDigest="CRC32C", DataDigest="CRC32C").ready()
        one.good(raw.read10(0, 64), read=32768)
        one.ping()  # what was sent before it has been counted
        seen = {session["initiator"]: session for session in sessions(daemon)}
        assert len(seen) == 2, seen
        first, second = [seen["iqn.2001-04.com.example:" + name] for name in ("one", "two")]
        assert first["commands"] >= 3 and first["out_bytes"] > 32768 and first["in_bytes"] < 4096, first
        assert first["auth"] is None and first["address"].startswith("127.0.0.1") and first["tag"] == 1
        assert second["header_digest"] and second["data_digest"] and not first["header_digest"]
        assert 0 < second["id"] != first["id"] > 0
        rows = [line.split() for line in daemon.must("session", "list", "-n").out.splitlines()]
        assert {row[4] for row in rows} == {"-", "header,data"}, rows
        assert daemon.must("session", "list", "-rno", "ID,INITIATOR").out.count("\n") == 2
        refused(daemon.run("session", "drop", "nonsense"), NOT_FOUND, "nonsense: no such session")
        refused(daemon.run("session", "drop", "99999"), NOT_FOUND)
        refused(daemon.run("session", "drop", "99999", str(first["id"])), SOME_FAILED)
        try:
            for _ in range(8):
                one.receive()  # it may be told before
            raise AssertionError("it goes on")
        except raw.Closed:
            pass
        two.ping()
        assert wait_for(lambda: [session["id"] for session in sessions(daemon)] == [second["id"]])
        # Whoever was dropped may come again.
        initiator(daemon, 1, "iqn.2001-04.com.example:one").ready().close()


def an_initiators_name_steers_no_terminal(scratch):
    """U+009B begins an escape sequence as ESC [ does, and a name may have it."""
    with Daemon(scratch) as daemon:
        daemon.must("connect", sparse(os.path.join(scratch, "disk.img"), MIB))
        with initiator(daemon, name="iqn.x:\u009b2J\u00e4\u0085") as connection:
            connection.ready()
            for options in ([], ["-r"]):
                out = daemon.must("session", "list", "-no", "INITIATOR", *options).out
                assert out == "iqn.x:\\xc2\\x9b2J\u00e4\\xc2\\x85\n", ascii(out)
            connection.good(bytes([RESERVE_6, 0, 0, 0, 0, 0]))
            out = daemon.must("reserve", "show", "disk").out
            assert "\\xc2\\x9b2j" in out and not any(0x80 <= ord(c) < 0xa0 for c in out), ascii(out)


def many_sessions_are_listed(scratch):
    with Daemon(scratch) as daemon:
        open_ones = [initiator(daemon, i) for i in range(1, 121)]
        ids = [session["id"] for session in sessions(daemon)]
        assert len(ids) == 120 and ids == sorted(set(ids))
        for connection in open_ones:
            connection.close()
        assert wait_for(lambda: sessions(daemon) == [])


def stats_of_all_go_on_without_those_that_left(scratch):
    with Daemon(scratch) as daemon:
        for name in ("stays", "leaves"):
            daemon.must("connect", sparse(os.path.join(scratch, name + ".img"), MIB))
        watching = subprocess.Popen([harness.COMMAND, "--socket", daemon.socket, "stats", "--interval", "2", "--count", "1",
                                     "-n"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    env=harness.clean_environment())
        time.sleep(1)  # it asked for both, and asks again: if it was slower than this, it passes all the same
        daemon.must("disconnect", "leaves")
        out, err = watching.communicate(timeout=harness.WAIT_S)
        assert watching.returncode == DONE and not err, (watching.returncode, err)
        assert out.split()[0] == b"stays", out


def counters_are_true(scratch):
    with Daemon(scratch) as daemon:
        daemon.must("connect", sparse(os.path.join(scratch, "disk.img"), MIB))
        daemon.must("connect", sparse(os.path.join(scratch, "idle.img"), MIB))
        with initiator(daemon) as connection:
            connection.ready()
            for _ in range(5):
                connection.good(raw.read10(0, 8), read=4096)
            data = raw.pattern(8192)
            assert connection.serve(connection.command(raw.write10(0, 16), write=8192, data=data), data, 8192).status == 0
            stats = daemon.must("stats", "-J").json()
            assert stats["schema"] == 1 and [one["id"] for one in stats["stats"]] == ["disk", "idle"]
            busy, idle = stats["stats"]
            counters = busy["counters"]
            assert (counters["read_commands"], counters["read_bytes"]) == (5, 20480), counters
            assert (counters["write_commands"], counters["write_bytes"]) == (1, 8192), counters
            assert counters["medium_errors"] == 0 and counters["commands_in_flight"] == 0
            assert sum(busy["latency_log2_us"]["read"]) == 5 and sum(busy["latency_log2_us"]["write"]) == 1
            assert busy["interval_ns"] is None and idle["counters"]["read_commands"] == 0
            assert device(daemon, "disk")["counters"]["read_commands"] == 5
            row = daemon.must("stats", "disk", "-n").out.split()
            assert row[:3] == ["disk", "5", "20K"] and row[4:6] == ["1", "8K"], row
            out = daemon.must("stats", "disk", "--histogram").out
            assert sum(int(line.split()[-3]) for line in out.splitlines()[1:]) == 5, out
            # Of an interval only what came in it.
            watch = subprocess.Popen([harness.COMMAND, "stats", "disk", "-J", "--interval", "1", "--count", "1"],
                                     stdout=subprocess.PIPE, universal_newlines=True,
                                     env=harness.clean_environment(LUNGFISH_SOCKET=daemon.socket))
            out, _ = watch.communicate(timeout=harness.WAIT_S)
            second = harness.json.loads(out)["stats"][0]
            assert watch.returncode == DONE and second["counters"]["read_commands"] == 0
            assert second["interval_ns"] >= 10 ** 9
        refused(daemon.run("stats", "nobody"), NOT_FOUND)
        answer = daemon.run("stats", "nobody", "disk", "-n")
        assert answer.status == SOME_FAILED and answer.out.startswith("disk "), answer.out
        daemon.must("disconnect", "--all")
        assert daemon.must("stats", "-J").json()["stats"] == []


def commands_answered(daemon):
    return daemon.must("status", "-J").json()["adapters"][0]["events"]["control_command"]


def a_device_that_came_anew_is_not_compared_with_the_one_before(scratch):
    """Under the same name, within an interval: its counters began at 0 again."""
    with Daemon(scratch) as daemon:
        image = sparse(os.path.join(scratch, "disk.img"), MIB)
        daemon.must("connect", image)
        for interval_s in (3, 12, 48):  # on a slow host it takes more than the first
            with initiator(daemon) as connection:
                connection.ready()
                for _ in range(9):
                    connection.good(raw.read10(0, 8), read=4096)
            answered, polls, began = commands_answered(daemon), [0], time.monotonic()
            watch = subprocess.Popen([harness.COMMAND, "stats", "disk", "-J", "--interval", str(interval_s), "--count", "2"],
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True,
                                     env=harness.clean_environment(LUNGFISH_SOCKET=daemon.socket))

            def has_begun():
                polls[0] += 1
                return commands_answered(daemon) > answered + polls[0]
            assert wait_for(has_begun)
            daemon.must("disconnect", "disk")
            daemon.must("connect", image)
            took_s = time.monotonic() - began
            out, _ = watch.communicate(timeout=harness.WAIT_S + 2 * interval_s)
            if took_s < interval_s:
                break
        rows, at = [], 0
        while out[at:].strip():
            one, end = harness.json.JSONDecoder().raw_decode(out[at:])
            rows, at = rows + one["stats"], at + end + 1
        assert len(rows) == 1 and rows[0]["counters"]["read_commands"] == 0, rows
        assert rows[0]["interval_ns"] >= 10 ** 9


def reservations_are_shown_and_cleared(scratch):
    with Daemon(scratch) as daemon:
        daemon.must("connect", sparse(os.path.join(scratch, "disk.img"), MIB))
        assert "RESERVED   -" in daemon.must("reserve", "show", "disk").out
        with initiator(daemon, 1) as one, initiator(daemon, 2) as two:
            one.ready(), two.ready()
            for action, kind, key, new in ((0, 0, 0, 0x1234), (1, 5, 0x1234, 0)):
                data = struct.pack(">QQQ", key, new, 0)
                cdb = struct.pack(">BBBHIB", 0x5f, action, kind, 0, len(data), 0)
                assert one.finish(one.command(cdb, write=24, data=data)).status == 0
            shown = daemon.must("reserve", "show", "disk", "-J").json()["reservations"][0]
            assert (shown["type"], shown["key"], shown["registrations"]) == (5, "0x0000000000001234", 1), shown
            assert shown["type_name"] == "write exclusive, registrants only" and shown["persists"] is False
            assert shown["holder"].startswith(raw.INITIATOR + ",i,0x"), shown
            assert device(daemon, "disk")["reservation"] == shown
            write = two.command(raw.write10(0, 1), write=512, data=bytes(512))
            assert two.finish(write).status == 0x18
            assert daemon.must("reserve", "clear", "disk").out == ""
            shown = daemon.must("reserve", "show", "disk", "-J").json()["reservations"][0]
            assert (shown["type"], shown["key"], shown["registrations"]) == (None, None, 0), shown
            assert one.finish(one.command(bytes(6))).sense == (6, 0x2a, 0x03)
            write = two.command(raw.write10(0, 1), write=512, data=bytes(512))
            assert two.finish(write).status == 0
            two.good(bytes([RESERVE_6, 0, 0, 0, 0, 0]))
            assert "by RESERVE" in daemon.must("reserve", "show", "disk").out
            daemon.must("reserve", "clear", "disk")
            assert "RESERVED   -" in daemon.must("reserve", "show", "disk").out
        refused(daemon.run("reserve", "clear", "nobody"), NOT_FOUND)
        refused(daemon.run("reserve", "show", "nobody"), NOT_FOUND)


def an_image_that_fails_is_a_fault(scratch):
    with Daemon(scratch) as daemon:
        image = sparse(os.path.join(scratch, "disk.img"), MIB)
        daemon.must("connect", image)
        daemon.must("connect", sparse(os.path.join(scratch, "other.img"), MIB))
        with initiator(daemon) as connection:
            connection.ready()
            assert device(daemon, "disk")["state"] == "ready"
            os.truncate(image, 4096)  # what is behind cannot be read any more
            assert connection.finish(connection.command(raw.read10(1000, 1), read=512)).status == 2
            shown = device(daemon, "disk")
            assert shown["state"] == "fault" and shown["counters"]["medium_errors"] == 1, shown["counters"]
            assert shown["counters"]["last_medium_error_offset_bytes"] == 1000 * 512
            assert daemon.must("list", "-rno", "ID,STATE").out == "disk fault\nother ready\n"


# ---- Completion ----

def complete(daemon, *words, cwd=None):
    script = os.path.join(os.path.dirname(daemon.socket), "complete.bash")
    with open(script, "w") as file:
        file.write(harness.run("completion", "bash").out)
    code = ". \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _lungfish; printf '%s\\n' \"${COMPREPLY[@]}\""
    env = harness.clean_environment(LUNGFISH_SOCKET=daemon.socket)
    answer = subprocess.run(["bash", "-uc", code, "bash", script, harness.COMMAND] + list(words), cwd=cwd, env=env,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert answer.stderr == "" and answer.returncode == 0, answer.stderr
    return [word for word in answer.stdout.split("\n") if word]


def bash_completes_what_is_due(scratch):
    if not shutil.which("bash"):
        raise Skip("bash is not installed")
    with Daemon(scratch) as daemon:
        here = os.path.join(scratch, "here")
        os.mkdir(here)
        sparse(os.path.join(here, "a b.img"), MIB)
        daemon.must("connect", sparse(os.path.join(here, "disk.img"), MIB))
        daemon.must("connect", "--cdrom")
        connection = initiator(daemon)
        number = str(sessions(daemon)[0]["id"])
        expected = [
            (["re"], ["resize", "reserve"]),
            (["session", ""], ["list", "drop"]),
            (["completion", ""], ["bash", "powershell"]),
            (["driver", "in"], ["install"]),
            (["help", "ej"], ["eject"]),
            (["connect", "--r"], ["--removable", "--read-only", "--rotation"]),
            (["connect", "--write-cache", ""], ["on", "off"]),
            (["connect", "--write-cache", "=", "of"], ["off"]),
            (["connect", "--rotation", "="], ["ssd"]),
            (["--so"], ["--socket"]),
            (["-J", "list", "--hist"], []),
            (["stats", "--hist"], ["--histogram"]),
            (["connect", ""], ["a b.img", "disk.img"]),
            (["connect", "--lun", "3", "a"], ["a b.img"]),
            (["connect", "disk.img", ""], []),
            (["disconnect", ""], ["disk", "cdrom"]),
            (["disconnect", "disk", "c"], ["cdrom"]),
            (["show", "d"], ["disk"]),
            (["show", "disk", ""], []),
            (["insert", "c"], ["cdrom"]),
            (["insert", "cdrom", "a"], ["a b.img"]),
            (["session", "drop", ""], [number]),
            (["--socket", daemon.socket, "show", "d"], ["disk"]),
            (["--socket", "/nowhere", "show", "d"], []),
            (["list", "-rno", "IMA"], ["IMAGE"]),
            (["nonsense", ""], []),
        ]
        for words, wanted in expected:
            got = complete(daemon, *words, cwd=here)
            assert sorted(got) == sorted(wanted), (words, got)
        assert "env" in complete(daemon, "run", "disk.img", "--", "en")
        assert complete(daemon, "run", "disk.img", "--", "cat", "di", cwd=here) == ["disk.img"]
        # Every option that a verb knows is offered, and no other.
        for verb in complete(daemon, ""):
            grouped = ("session", "reserve", "service", "driver", "completion")
            for sub in complete(daemon, verb, "") if verb in grouped else [None]:
                words = [verb] + ([sub] if sub else [])
                text = harness.run("help", *words).out
                wanted = sorted({word.rstrip(",") for word in text.split() if word.startswith("--") and len(word) > 2 and
                                 text.count("  " + word) + text.count(", " + word)})
                offered = sorted(set(complete(daemon, *words, "--")))
                assert set(offered) >= {"--json", "--help"} and set(offered) <= set(wanted), (words, offered, wanted)
        connection.close()
        refused(harness.run("completion", "tcsh"), USAGE)


if __name__ == "__main__":
    sys.exit(harness.main([
        sessions_are_listed_and_dropped, many_sessions_are_listed, stats_of_all_go_on_without_those_that_left,
        counters_are_true, a_device_that_came_anew_is_not_compared_with_the_one_before,
        reservations_are_shown_and_cleared, an_image_that_fails_is_a_fault, an_initiators_name_steers_no_terminal,
        bash_completes_what_is_due]))
