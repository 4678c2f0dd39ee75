#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan tsan
"""Drives whose media come and go, disks that grow, and what outlives the adapter, as command and initiator see it."""
import os
import stat
import struct
import sys

import harness
from harness import BUSY, DONE, FAILED, NOT_FOUND, UNSUPPORTED, USAGE, Daemon, device, refused, sparse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import iscsi_raw as raw  # noqa: E402

MIB = 1 << 20
NOT_READY, ATTENTION = 2, 6
PREVENT, START_STOP = 0x1e, 0x1b
REGISTER, RESERVE_OUT = 0, 1


def initiator(daemon, isid=1):
    adapter = daemon.must("status", "-J").json()["adapters"][0]
    connection = raw.Connection(adapter["portals"][0]["address"], adapter["iqn"],
                                isid=b"\x80\0\0\0\0" + bytes([isid]))
    connection.login()
    return connection


def short(connection, opcode, value):
    return connection.good(bytes([opcode, 0, 0, 0, value, 0]))


def sense_of(connection, cdb, **how):
    return connection.finish(connection.command(cdb, **how), how.get("read", 0)).sense


def image_of(path, size, seed):
    with open(path, "wb") as image:
        image.write(raw.pattern(size, seed))
    return path


def a_drive_is_empty_until_a_disc_is_inserted(scratch):
    disc = image_of(os.path.join(scratch, "disc.iso"), 64 * 2048, 1)
    other = image_of(os.path.join(scratch, "other.iso"), 128 * 2048, 2)
    with Daemon(scratch) as daemon:
        assert daemon.must("connect", "--cdrom").out == "cdrom\n"
        row = daemon.must("list", "-n", "cdrom").out.split()
        assert row == ["cdrom", "cdrom", "0B", "2048", "1", "empty", "iscsi", "-", "0", "-"], row
        assert daemon.must("insert", "cdrom", disc).out == ""
        row = daemon.must("list", "-n", disc).out.split()
        assert row == ["cdrom", "cdrom", "128K", "2048", "1", "ready", "iscsi", "-", "0", disc], row
        refused(daemon.run("insert", "cdrom", disc), BUSY, "disc.iso: it is in already")
        # Something else takes its place.
        answer = daemon.must("insert", "cdrom", other, "--json").json()["devices"][0]
        assert answer["image"] == other and answer["size"] == 128 * 2048 and answer["removable"]
        naa = answer["naa"]
        assert daemon.must("eject", other).out == ""
        shown = device(daemon, "cdrom")
        assert shown["state"] == "empty" and shown["image"] is None and shown["naa"] == naa and not shown["ejected"]
        daemon.must("eject", "cdrom")
        assert daemon.must("connect", "--cdrom", disc).out == "disc\n"
        refused(daemon.run("insert", "cdrom", disc), BUSY, "already connected as disc", "eject it there first")
        daemon.must("disconnect", "--all")


def what_cannot_be_in_a_drive_is_refused(scratch):
    image = sparse(os.path.join(scratch, "disk.img"), MIB)
    with Daemon(scratch) as daemon:
        daemon.must("connect", image)
        daemon.must("connect", "--cdrom", "--serial", "S-1")
        refused(daemon.run("insert", "disk", image), UNSUPPORTED, "its medium is fixed", "--removable")
        refused(daemon.run("eject", "disk"), UNSUPPORTED, "its medium is fixed")
        refused(daemon.run("insert", "cdrom", image), BUSY, "already connected as disk", "disconnect it first")
        refused(daemon.run("insert", "cdrom", os.path.join(scratch, "none.iso")), NOT_FOUND, "no such file")
        refused(daemon.run("insert", "cdrom", scratch), FAILED, "directory")
        refused(daemon.run("insert", "cdrom", sparse(os.path.join(scratch, "odd.iso"), 1000)), FAILED, "odd.iso: ",
                "multiple")
        refused(daemon.run("insert", "nobody", image), NOT_FOUND, "nobody: no such device")
        refused(daemon.run("eject", "nobody"), NOT_FOUND)
        refused(daemon.run("connect", "--cdrom", "--block-size", "512"), FAILED, "2048")
        assert device(daemon, "cdrom")["state"] == "empty" and device(daemon, "disk")["state"] == "ready"
    for arguments in (["connect"], ["connect", "--cdrom", "--create", "1M"], ["insert", "x"], ["eject"],
                      ["insert", "x", "y", "z"], ["resize"], ["resize", "x", "big"], ["resize", "x", "0"], ["session"],
                      ["session", "x"], ["session", "list", "x"], ["session", "drop"], ["completion"],
                      ["connect", "x", "--write-cache", "maybe"]):
        refused(harness.run(*arguments), USAGE)


def an_initiator_holds_ejects_and_meets_a_medium(scratch):
    image = image_of(os.path.join(scratch, "stick.img"), MIB, 3)
    other = image_of(os.path.join(scratch, "other.img"), MIB // 2, 4)
    with Daemon(scratch) as daemon:
        assert daemon.must("connect", "--removable", image, "stick").out == "stick\n"
        with initiator(daemon) as connection:
            connection.ready()
            assert connection.good(raw.read10(0, 8), read=4096).data == raw.pattern(MIB, 3)[:4096]
            short(connection, PREVENT, 1)
            assert device(daemon, "stick")["prevented"] is True
            refused(daemon.run("eject", "stick"), BUSY, "stick: an initiator has locked the medium in", "--force")
            refused(daemon.run("insert", "stick", other), BUSY, "other.img: an initiator has locked", "--force")
            # Nothing stands in the way of its commands: only who prevents for ever, in a drive, is told at once.
            assert sense_of(connection, bytes(6)) is None
            short(connection, PREVENT, 0)
            # The image stays and is shown; the drive is empty until somebody loads it again.
            short(connection, START_STOP, 2)
            shown = device(daemon, "stick")
            assert (shown["state"], shown["ejected"], shown["image"]) == ("empty", True, image), shown
            row = daemon.must("list", "-n", "stick").out.split()
            assert row[5] == "empty" and row[-1] == image, row
            assert sense_of(connection, raw.read10(0, 1), read=512)[0] == NOT_READY
            short(connection, START_STOP, 3)
            assert device(daemon, "stick")["state"] == "ready" and not device(daemon, "stick")["ejected"]
            short(connection, START_STOP, 2)
            daemon.must("insert", "stick", image)
            assert device(daemon, "stick")["state"] == "ready"
            assert sense_of(connection, bytes(6)) == (ATTENTION, 0x28, 0x00)
            # Force takes it, prevented or not; what comes in is read.
            short(connection, PREVENT, 1)
            daemon.must("insert", "stick", other, "--force", "--read-only")
            connection.ready()
            assert connection.good(raw.read10(0, 8), read=4096).data == raw.pattern(MIB // 2, 4)[:4096]
            assert device(daemon, "stick")["read_only"] is True
            daemon.must("eject", "stick", "--force")
            assert sense_of(connection, raw.read10(0, 1), read=512)[0] == NOT_READY
        # It is free for others.
        daemon.must("connect", image)


def what_was_written_is_in_the_image_that_left(scratch):
    image = sparse(os.path.join(scratch, "stick.img"), MIB)
    with Daemon(scratch) as daemon:
        daemon.must("connect", "--removable", image)
        with initiator(daemon) as connection:
            connection.ready()
            data = raw.pattern(8192, 5)
            itt = connection.command(raw.write10(16, 16), write=8192, data=data)
            assert connection.serve(itt, data, 8192).status == 0
            daemon.must("eject", "stick")
        with open(image, "rb") as written:
            written.seek(8192)
            assert written.read(8192) == data


def a_disk_grows_and_initiators_hear_of_it(scratch):
    image = sparse(os.path.join(scratch, "disk.img"), MIB)
    with Daemon(scratch) as daemon:
        daemon.must("connect", image)
        daemon.must("connect", "--cdrom")
        with initiator(daemon) as connection:
            connection.ready()
            assert daemon.must("resize", "disk", "2M").out == "2M\n"
            assert os.path.getsize(image) == 2 * MIB
            assert sense_of(connection, bytes(6)) == (ATTENTION, 0x2a, 0x09)
            capacity = connection.good(bytes([0x25]) + bytes(9), read=8).data
            assert struct.unpack(">II", capacity) == (4095, 512)
            # A file that grew.
            os.truncate(image, 3 * MIB)
            assert device(daemon, "disk")["size"] == 2 * MIB
            assert daemon.must("resize", image, "--bytes").out == "%d\n" % (3 * MIB)
            assert sense_of(connection, bytes(6)) == (ATTENTION, 0x2a, 0x09)
            assert daemon.must("resize", "disk").out == "3M\n"
            connection.good(bytes(6))
            refused(daemon.run("resize", "disk", "1M"), BUSY, "disconnect it")
            refused(daemon.run("resize", "disk", "%d" % (4 * MIB + 1)), FAILED, "4194305")
            refused(daemon.run("resize", "cdrom", "1G"), UNSUPPORTED)
            assert os.path.getsize(image) == 3 * MIB
            os.truncate(image, MIB)
            assert daemon.run("resize", "disk").status in (FAILED, BUSY)
            os.truncate(image, 3 * MIB)
        assert daemon.must("resize", "disk", "4M", "--json").json()["devices"][0]["size"] == 4 * MIB
        daemon.must("disconnect", "disk")
        daemon.must("connect", image, "--read-only")
        refused(daemon.run("resize", "disk", "8M"), harness.PERMISSION, "read-only")
        os.truncate(image, 5 * MIB)
        assert daemon.must("resize", "disk").out == "5M\n"


def the_write_cache_is_as_it_was_asked_for(scratch):
    with Daemon(scratch) as daemon:
        for name, arguments, wce in (("a", [], True), ("b", ["--write-cache", "off"], False),
                                     ("c", ["--write-cache=on"], True)):
            daemon.must("connect", sparse(os.path.join(scratch, name + ".img"), MIB), *arguments)
            assert device(daemon, name)["mode"]["08"]["wce"] is wce, name


# ---- What outlives the adapter ----

def reserve(connection, action, kind, key=0, new_key=0, persist=False):
    data = struct.pack(">QQIBBH", key, new_key, 0, 1 if persist else 0, 0, 0)
    cdb = struct.pack(">BBBHI", 0x5f, action, kind, 0, len(data)) + b"\0"
    assert connection.finish(connection.command(cdb, write=len(data), data=data)).status == 0


def keys(connection):
    data = connection.good(bytes([0x5e, 0]) + bytes(5) + bytes([1, 0, 0]), read=256).data
    return [key for key, in struct.iter_unpack(">Q", data[8:])]


def a_reservation_outlives_the_adapter(scratch):
    image = sparse(os.path.join(scratch, "disk.img"), MIB)
    state = os.path.join(scratch, "new", "state")
    env = harness.clean_environment(LUNGFISH_STATE=state)

    def serve(*arguments, connect=(), err=""):
        with Daemon(scratch, *arguments, env=env) as daemon:
            if connect:
                assert daemon.must("connect", *connect, env=env).err == err
            log = daemon.log()
            with initiator(daemon) as connection:
                connection.ready()
                if not keys(connection):
                    reserve(connection, REGISTER, 0, new_key=0x1234, persist=True)
                    reserve(connection, RESERVE_OUT, 5, key=0x1234)
                    return 0, device(daemon, "disk"), log
                return keys(connection), device(daemon, "disk"), log

    assert serve(connect=[image])[0] == 0
    names = os.listdir(state)
    assert len(names) == 1 and names[0].endswith(".state")
    path = os.path.join(state, names[0])
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and stat.S_IMODE(os.stat(state).st_mode) == 0o700
    # By lungfish or by lungfishd: the disk is the same.
    seen, shown, _ = serve(connect=[image])
    assert seen == [0x1234] and shown["saves"] is True and path.endswith("/" + shown["naa"] + ".state")
    assert serve(image)[0] == [0x1234]
    # Another image has a file of its own; whoever wants none has none.
    os.mkdir(os.path.join(scratch, "other"))
    other = sparse(os.path.join(scratch, "other", "disk.img"), MIB)
    assert serve(connect=[other])[0] == 0
    assert len(os.listdir(state)) == 2
    # A damaged one is told of, and the disk begins anew.
    with open(path, "r+b") as damaged:
        for slot in (0, 128 * 1024):
            damaged.seek(slot + 40)
            damaged.write(b"rubbish")
    seen, _, log = serve(connect=[image])
    assert seen == 0 and "its state file: it is damaged" in log, log


def without_a_state_file_a_disk_is_connected_all_the_same(scratch):
    image = sparse(os.path.join(scratch, "disk.img"), MIB)
    open_to_all = os.path.join(scratch, "open")
    os.mkdir(open_to_all)
    os.chmod(open_to_all, 0o777)
    state = os.path.join(scratch, "state")
    with Daemon(scratch, env=harness.clean_environment(LUNGFISH_STATE=state)) as daemon:
        def connect(*arguments, where):
            answer = daemon.must("connect", *arguments, env=harness.clean_environment(LUNGFISH_STATE=where))
            saves = device(daemon, answer.out.strip())["saves"]
            daemon.must("disconnect", answer.out.strip())
            return answer.err, saves

        for where in (open_to_all, "/dev/null/state", os.path.join(image, "x")):
            err, saves = connect(image, where=where)
            assert "warning: no state file" in err and "--no-state" in err and len(err.splitlines()) == 1, err
            assert saves is False and not os.listdir(open_to_all)
        assert connect(image, "--no-state", where=state) == ("", False) and not os.path.exists(state)
        # A medium that comes and goes has nothing beside it.
        assert connect("--removable", image, where=state) == ("", False)
        assert connect("--cdrom", where=state) == ("", False) and not os.path.exists(state)
        # What is empty goes with the disk; so it does when the disk is refused.
        assert connect(image, where=state) == ("", True) and os.listdir(state) == []
        env = harness.clean_environment(LUNGFISH_STATE=state)
        assert daemon.run("connect", sparse(os.path.join(scratch, "odd.img"), 1000), env=env).status == FAILED
        assert os.listdir(state) == []
        daemon.must("connect", image, env=env)
        name, = os.listdir(state)
        daemon.must("disconnect", "disk")
        open(os.path.join(state, name), "w").close()
        path = os.path.join(state, name)
        # No link is followed, and nothing but a file is taken.
        os.rename(path, os.path.join(scratch, "elsewhere"))
        os.symlink(os.path.join(scratch, "elsewhere"), path)
        err, saves = connect(image, where=state)
        assert "warning: no state file" in err and "is no file: move it away" in err and saves is False, err
        os.unlink(path)
        os.mkdir(path)
        err, saves = connect(image, where=state)
        assert "warning: no state file" in err and saves is False, err


def two_adapters_never_share_a_state_file(scratch):
    image = sparse(os.path.join(scratch, "disk.img"), MIB)
    os.mkdir(os.path.join(scratch, "second"))
    with Daemon(scratch, "--read-only", image) as first, Daemon(os.path.join(scratch, "second")) as second:
        second.must("connect", image, "--read-only")
        assert device(first, "disk")["saves"] is True and device(second, "disk")["saves"] is False
        assert "its state file: another adapter has it" in second.log(), second.log()
        first.must("disconnect", "disk")
        second.must("disconnect", "disk")
        second.must("connect", image, "--read-only")
        assert device(second, "disk")["saves"] is True


def run_leaves_no_state_behind(scratch):
    image = sparse(os.path.join(scratch, "disk.img"), MIB)
    state = os.path.join(scratch, "state")
    env = harness.clean_environment(LUNGFISH_STATE=state)
    answer = harness.run("run", "--write-cache", "off", image, "--", harness.COMMAND, "list", "-no", "TYPE", env=env)
    assert answer.status == DONE and answer.out == "disk\n", answer.err
    answer = harness.run("run", "--cdrom", sparse(os.path.join(scratch, "disc.iso"), MIB), "--", harness.COMMAND, "list",
                         "-rno", "TYPE,STATE,BLK", env=env)
    assert answer.status == DONE and answer.out == "cdrom ready 2048\n", answer.err + answer.out
    assert not os.path.exists(state)


def the_daemon_has_drives_from_the_start(scratch):
    discs = [sparse(os.path.join(scratch, name), MIB) for name in ("a.iso", "b.iso")]
    image = sparse(os.path.join(scratch, "disk.img"), MIB)
    with Daemon(scratch, "--cdrom", discs[0], image, "--cdrom=" + discs[1]) as daemon:
        assert daemon.must("list", "-rno", "ID,TYPE,RO").out == "disk disk 0\na cdrom 1\nb cdrom 1\n"


if __name__ == "__main__":
    sys.exit(harness.main([
        a_drive_is_empty_until_a_disc_is_inserted, what_cannot_be_in_a_drive_is_refused,
        an_initiator_holds_ejects_and_meets_a_medium, what_was_written_is_in_the_image_that_left,
        a_disk_grows_and_initiators_hear_of_it, the_write_cache_is_as_it_was_asked_for,
        a_reservation_outlives_the_adapter, without_a_state_file_a_disk_is_connected_all_the_same,
        two_adapters_never_share_a_state_file, run_leaves_no_state_behind, the_daemon_has_drives_from_the_start]))
