#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command against a daemon: what it prints, what it refuses and how, its exit statuses."""
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import threading

import harness
from harness import (BUSY, DONE, FAILED, NO_ADAPTER, NOT_FOUND, PERMISSION, SOME_FAILED, UNSUPPORTED, USAGE, Daemon, Skip,
                     refused, run, sparse)

MIB = 1 << 20
KEYS = ("id number address lun type size block_size physical_size read_only removable state image iscsi_url sessions "
        "serial naa vendor product device kept").split()


def usage_errors_are_told(scratch):
    for arguments in ([], ["frobnicate"], ["connect"], ["connect", "a", "b", "c"], ["disconnect"], ["show"],
                      ["show", "a", "b"], ["list", "--nonsense"], ["list", "--socket"], ["list", "--json=1"],
                      ["status", "x"], ["disconnect", "--all", "x"], ["stats", "--count", "2"], ["stats", "--interval", "0"], ["connect", "a", "--create", "1.5G"],
                      ["connect", "a", "--create", "0"], ["connect", "a", "--lun", "x"], ["list", "--read-only"],
                      ["connect", "a", "--rotation", "7"], ["connect", "a", "--block-size", "x"], ["list", "-x"]):
        refused(run(*arguments), USAGE)


def help_names_every_verb_with_an_example(scratch):
    answer = run("help")
    assert answer.status == DONE
    for verb in "connect disconnect list show insert eject resize stats identify status run".split():
        assert "\n  %s " % verb in answer.out
        for way in (["help", verb], [verb, "--help"], [verb, "-h"]):
            own = run(*way)
            assert own.status == DONE and own.out.startswith("usage: lungfish " + verb), own.out
            assert "example: lungfish " + verb in own.out
    assert run("--version").out.startswith("lungfish ")
    refused(run("help", "nonsense"), USAGE)


def without_an_adapter_it_says_so(scratch):
    nowhere = os.path.join(scratch, "nowhere")
    image = sparse(os.path.join(scratch, "disk.img"), MIB)
    for arguments in (["list"], ["status"], ["identify"], ["show", "x"], ["disconnect", "x"], ["connect", image]):
        refused(run(*arguments, "--socket", nowhere), NO_ADAPTER, nowhere, "start lungfishd")
    answer = run("--json", "list", "--socket", nowhere)
    assert answer.status == NO_ADAPTER and answer.out == ""
    error = answer.error()
    assert error["verb"] == "list" and error["exit_status"] == NO_ADAPTER and json.loads(answer.err)["schema"] == 1


def connect_prints_the_id_alone(scratch):
    with Daemon(scratch) as daemon:
        image = sparse(os.path.join(scratch, "disk.img"), 64 * MIB)
        assert daemon.must("list", "--json").json() == {"schema": 1, "devices": []}
        assert daemon.must("list").out.split() == "ID TYPE SIZE BLK RO STATE VIA DEVICE SESS IMAGE".split()
        answer = daemon.must("connect", image)
        assert answer.out == "disk\n" and answer.err == ""
        assert daemon.must("connect", sparse(image + "2", MIB), "second").out == "second\n"
        row = daemon.must("list", "-n", "disk").out.split()
        assert row == ["disk", "disk", "64M", "512e", "0", "ready", "iscsi", "-", "0", image], row


def json_has_its_keys(scratch):
    with Daemon(scratch) as daemon:
        image = sparse(os.path.join(scratch, "disk.img"), 64 * MIB)
        one = daemon.must("connect", image, "--json", "--block-size", "4096", "--serial", "S-1", "--vendor", "ACME",
                          "--product", "DISC", "--lun", "7", "--rotation", "7200").json()
        assert one["schema"] == 1
        device = one["devices"][0]
        assert not [key for key in KEYS if key not in device]
        assert device["size"] == 64 * MIB and device["block_size"] == 4096 and device["blk"] == "4Kn"
        assert (device["lun"], device["address"], device["serial"]) == (7, "0:0:7", "S-1")
        assert (device["vendor"], device["product"], device["rotation_rpm"]) == ("ACME", "DISC", 7200)
        assert device["read_only"] is False and device["device"] is None and device["state"] == "ready"
        assert device["iscsi_url"].startswith("iscsi://127.0.0.1:") and device["iscsi_url"].endswith("/7")
        assert device["image"] == image and len(device["naa"]) == 16 and device["naa"][0] == "3"
        for arguments in (["list", "-J"], ["show", "disk", "-J"]):
            assert daemon.must(*arguments).json()["devices"][0]["id"] == "disk"
        answer = daemon.must("show", "disk")
        assert "ACME" in answer.out and "S-1" in answer.out


def show_tells_what_the_unit_says_of_itself(scratch):
    with Daemon(scratch) as daemon:
        image = sparse(os.path.join(scratch, "disk.img"), 64 * MIB)
        daemon.must("connect", image, "--serial", "S-\\1", "--physical-size", "4096", "--rotation", "7200")
        # A unit that comes later raises a unit attention on the first.
        daemon.must("show", "disk")
        daemon.must("connect", sparse(os.path.join(scratch, "other.img"), MIB))
        answer = daemon.must("show", "disk")
        assert answer.err == "" and "cannot be read" not in answer.out, answer.out
        lines = [" ".join(line.split()) for line in answer.out.splitlines()]
        for wanted in ("VPD 00 Supported VPD Pages", "00 80 83 86 87 88 b0 b1 b2", "serial number S-\\x5c1",
                       "VPD b0 Block Limits", "WSNZ=1", "optimal transfer length granularity 8 blocks",
                       "maximum write same length 65535 blocks", "medium rotation rate 7200",
                       "provisioning type 2 (thin provisioned)", "WP=0 DPOFUA=1", "MODE 08 Caching",
                       "logical blocks per physical block exponent 3", "00 TEST UNIT READY",
                       "9e/10 READ CAPACITY (16)", "42 UNMAP"):
            assert wanted in lines, "%r is not in %s" % (wanted, answer.out)
        assert any(line.startswith("WCE=1 RCD=0") for line in lines), answer.out
        assert any(line.startswith("D_SENSE=0") and " SWP=0 " in line for line in lines), answer.out
        assert max(len(line) for line in answer.out.splitlines() if "=" in line) <= 80


def show_has_its_keys(scratch):
    with Daemon(scratch) as daemon:
        image, other = [sparse(os.path.join(scratch, name), 64 * MIB) for name in ("disk.img", "other.img")]
        daemon.must("connect", image, "--serial", "S-\\1")
        daemon.must("connect", other, "--read-only", "--no-unmap", "--block-size", "4096")
        whole = daemon.must("show", "disk", "--json").json()
        device = whole["devices"][0]
        assert whole["schema"] == 1 and len(whole["devices"]) == 1
        assert not [key for key in KEYS if key not in device]
        vpd, mode = device["vpd"], device["mode"]
        assert list(vpd) == vpd["00"]["pages"] == "00 80 83 86 87 88 b0 b1 b2".split()
        assert list(mode) == "01 08 0a 1c".split()
        assert all(page["name"] and page["hex"] for page in list(vpd.values()) + list(mode.values()))
        assert vpd["80"]["serial_number"] == device["serial"] == "S-\\1"
        naa = [one for one in vpd["83"]["designators"] if one["type_name"] == "NAA"]
        assert naa[0]["hex"] == device["naa"] and naa[0]["association"] == "logical unit" and naa[0]["text"] is None
        assert "naa." + device["naa"] in [one["text"] for one in vpd["83"]["designators"]]
        assert vpd["b0"]["maximum_unmap_lba_count"] == 0xffffffff and vpd["b0"]["wsnz"] is True
        assert vpd["b1"]["medium_rotation_rate"] in (0, 1) and vpd["b2"]["lbpu"] is True
        assert mode["08"]["wce"] is True and mode["0a"]["swp"] is False and mode["1c"]["dexcpt"] is True
        assert device["mode_header"] == {"wp": False, "dpofua": True}
        assert device["capacity"]["returned_logical_block_address"] == 64 * MIB // 512 - 1
        commands = {(one["opcode"], one["service_action"]): one for one in device["commands"]}
        assert not [one for one in commands.values() if not one["name"]], device["commands"]
        assert commands["9e", "10"] == {"opcode": "9e", "service_action": "10", "name": "READ CAPACITY (16)",
                                        "cdb_length": 16}
        assert commands["12", None]["cdb_length"] == 6 and ("42", None) in commands
        device = daemon.must("show", other, "--json").json()["devices"][0]
        assert device["mode_header"]["wp"] is True and device["capacity"]["logical_block_length"] == 4096
        assert device["vpd"]["b2"]["lbpu"] is False and "42" not in [one["opcode"] for one in device["commands"]]
        # Only show asks the unit.
        assert "vpd" not in daemon.must("list", "--json").json()["devices"][0]


def a_unit_that_talks_rubbish_breaks_nothing(scratch):
    path = os.path.join(scratch, "fake.sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(1)
    listener.settimeout(harness.WAIT_S)
    rubbish = random.Random(1)

    def data_for(cdb):
        data = bytes(rubbish.choice((0, 1, 4, 0x40, 0xff, rubbish.randrange(256))) for _ in
                     range(rubbish.choice((0, 1, 3, 4, 5, 12, 40, 70, 700))))
        # So far it has to be right, to be looked at.
        if cdb[0] == 0x12 and cdb[2] == 0 and rubbish.randrange(8):
            return bytes.fromhex("0000000800808386b0b1b2c7")
        if cdb[0] == 0x5a:
            data = data[:6] + b"\0\0" + data[8:]
        if cdb[0] == 0x12 and len(data) >= 4:
            data = data[:1] + cdb[2:3] + (b"\0\xff" if rubbish.randrange(2) else data[2:4]) + data[4:]
        return data

    def serve():
        peer, _ = listener.accept()
        with peer:
            while True:
                request = peer.recv(65536)
                if not request:
                    return
                body = struct.pack("<I", 1).ljust(4680, b"\0")
                if request[6] == harness.INQUIRE:
                    data = data_for(request[24:])
                    status = rubbish.choice((0, 0, 0, 2))
                    sense = bytes(rubbish.randrange(256) for _ in range(rubbish.choice((0, 1, 4, 18))))
                    body = struct.pack("<IHH", len(data), status, len(sense)) + sense.ljust(252, b"\0") + bytes(4) + data
                elif request[6] == harness.STATS:
                    name = bytes(rubbish.randrange(0x20, 0x7f) for _ in range(rubbish.randrange(46)))
                    body = struct.pack("<IIQ", 1, 1, rubbish.randrange(1 << 60)) + harness.text(b"x", 62) + \
                        struct.pack("<QII", rubbish.randrange(1 << 63), 0, 0) + harness.text(name, 46)
                elif request[6] == harness.RESERVATION:
                    body = struct.pack("<QIIIH", rubbish.randrange(1 << 60), 1, rubbish.randrange(4), 5,
                                       rubbish.randrange(16)) + harness.text(b"\x1b[2J", 256)
                peer.send(harness.header(request[6], 16 + len(body)) + body)

    with listener:
        for turn in range(60):
            server = threading.Thread(target=serve)
            server.start()
            answer = run("show", "x", *(["--json"] if turn % 2 else []), socket_path=path)
            server.join()
            assert answer.status == DONE and answer.err == "", answer.err
            if turn % 2:
                assert answer.json()["devices"][0]["number"] == 1
            assert answer.out.isascii() and answer.out.replace("\n", "").isprintable()


def images_that_cannot_be_are_refused(scratch):
    with Daemon(scratch) as daemon:
        path = lambda name: os.path.join(scratch, name)
        good = sparse(path("good.img"), MIB)
        daemon.must("connect", good)
        os.mkfifo(path("fifo"))
        os.link(good, path("hard.img"))
        os.symlink(good, path("soft.img"))
        odd, odd4k = sparse(path("odd.img"), MIB + 1), sparse(path("odd4k.img"), MIB + 512)
        empty = sparse(path("empty.img"), 0)
        refused(daemon.run("connect", path("missing.img")), NOT_FOUND, "missing.img: no such file", "--create")
        refused(daemon.run("connect", scratch), FAILED, "directory")
        refused(daemon.run("connect", scratch, "--read-only"), FAILED, "directory")
        refused(daemon.run("connect", path("fifo")), FAILED, "neither a file nor a block device")
        refused(daemon.run("connect", "/dev/null"), FAILED, "neither a file nor a block device")
        refused(daemon.run("connect", empty), FAILED, "empty.img: ", "empty")
        refused(daemon.run("connect", odd), FAILED, "odd.img: ", "multiple")
        refused(daemon.run("connect", odd4k, "--block-size", "4096"), FAILED, "multiple")
        refused(daemon.run("connect", good), BUSY, "good.img: already connected as good: disconnect it first")
        refused(daemon.run("connect", path("hard.img")), BUSY, "already connected as good")
        refused(daemon.run("connect", path("soft.img")), BUSY, "already connected as good")
        assert daemon.ids() == ["good"]
        answer = daemon.run("connect", path("missing.img"), "--json")
        assert answer.status == NOT_FOUND and answer.error()["object"] == path("missing.img")


def options_that_cannot_be_are_refused(scratch):
    with Daemon(scratch) as daemon:
        first, other = [sparse(os.path.join(scratch, name), MIB) for name in ("a.img", "b.img")]
        daemon.must("connect", first, "taken", "--lun", "3", "--serial", "S1")
        refused(daemon.run("connect", other, "taken"), BUSY, "taken")
        for name in ("7", "a/b", "0:0:1", "", "-", "x" * 70):
            refused(daemon.run("connect", other, name), FAILED, "no name for a device")
        refused(daemon.run("connect", other, "--lun", "3"), BUSY)
        refused(daemon.run("connect", other, "--lun", "16384"), FAILED, "16383")
        refused(daemon.run("connect", other, "--serial", "S1"), BUSY, "serial number")
        refused(daemon.run("connect", other, "--serial", "x" * 33), FAILED, "32")
        refused(daemon.run("connect", other, "--vendor", "ninechars"), FAILED, "8")
        refused(daemon.run("connect", other, "--product", "\u00e9"), FAILED, "ASCII")
        refused(daemon.run("connect", other, "--block-size", "1024"), FAILED, "512 or 4096")
        refused(daemon.run("connect", other, "--block-size", "4096", "--physical-size", "512"), FAILED, "physical")
        assert daemon.ids() == ["taken"]


def what_only_windows_keeps_is_refused(scratch):
    image = os.path.join(scratch, "disk.img")
    with Daemon(scratch) as daemon:
        refused(daemon.run("connect", "--persist", "--create", "1M", image), UNSUPPORTED, "--persist: not supported here",
                "lungfishd")
        assert daemon.must("list", "-n").out == "" and not os.path.exists(image)
        daemon.must("connect", sparse(image, MIB))
        assert daemon.must("list", "-J").json()["devices"][0]["kept"] is None
        assert daemon.must("list", "-n", "-o", "ID,KEPT").out.split() == ["disk", "-"]
        for words in (["install"], ["remove"], ["status"], ["forget", "disk"], ["run"]):
            refused(daemon.run("service", *words), UNSUPPORTED, "service %s: not supported here" % words[0])


def a_path_that_is_not_utf8_is_refused(scratch):
    with Daemon(scratch) as daemon:
        path = os.path.join(os.fsencode(scratch), b"\xff.img")
        sparse(path, MIB)
        answer = subprocess.run([os.fsencode(harness.COMMAND), b"connect", path], stderr=subprocess.PIPE,
                                env=harness.clean_environment(LUNGFISH_SOCKET=daemon.socket))
        assert answer.returncode == FAILED and b"UTF-8" in answer.stderr, answer


def create_makes_an_image_and_overwrites_none(scratch):
    with Daemon(scratch) as daemon:
        path = os.path.join(scratch, "new.img")
        assert daemon.must("connect", path, "--create", "1G").out == "new\n"
        facts = os.stat(path)
        assert facts.st_size == 1 << 30 and facts.st_blocks == 0
        refused(daemon.run("connect", path, "--create", "2G"), BUSY, "exists already")
        assert os.stat(path).st_size == 1 << 30
        other = os.path.join(scratch, "other.img")
        assert daemon.run("connect", other, "--create", "1000").status == FAILED
        assert daemon.run("connect", other, "new", "--create", "1M").status == BUSY
        assert not os.path.exists(other), "a refused image was left behind"
        refused(daemon.run("connect", os.path.join(scratch, "no", "x.img"), "--create", "1M"), NOT_FOUND)


def an_image_of_which_no_answer_came_stays(scratch):
    """The adapter has the descriptor, and may have made a disk of it."""
    path, image = os.path.join(scratch, "fake.sock"), os.path.join(scratch, "new.img")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(harness.WAIT_S)

        def serve():
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
        server = threading.Thread(target=serve)
        server.start()
        refused(run("connect", image, "--create", "1M", socket_path=path), NO_ADAPTER, "went away")
        server.join()
    assert os.stat(image).st_size == MIB


def an_image_of_another_adapter_is_refused(scratch):
    second = os.path.join(scratch, "second")
    os.mkdir(second)
    image = sparse(os.path.join(scratch, "disk.img"), MIB)
    with Daemon(scratch, image), Daemon(second) as other:
        refused(other.run("connect", image), BUSY, "disk.img: ", "adapter")
        assert other.ids() == []


def rights_are_those_of_the_caller(scratch):
    harness.nobody_can_run()
    own = harness.nobody_directory()
    try:
        read_only = sparse(os.path.join(own, "ro.img"), MIB)
        secret = sparse(os.path.join(own, "secret.img"), MIB)
        os.chmod(read_only, 0o444)
        os.chmod(secret, 0)
        with Daemon(own, nobody=True) as daemon:
            refused(daemon.run("connect", read_only, nobody=True), PERMISSION, "add --read-only")
            refused(daemon.run("connect", secret, nobody=True), PERMISSION, "your own rights")
            refused(daemon.run("connect", secret, "--read-only", nobody=True), PERMISSION, "your own rights")
            assert daemon.must("connect", read_only, "--read-only", nobody=True).out == "ro\n"
            device = daemon.must("show", "ro", "--json", nobody=True).json()["devices"][0]
            assert device["read_only"] is True
            if os.geteuid() == 0:
                # root may, and the daemon, which may not, serves it.
                assert daemon.must("connect", secret).out == "secret\n"
    finally:
        shutil.rmtree(own)


def every_name_of_a_device_does(scratch):
    with Daemon(scratch) as daemon:
        image = sparse(os.path.join(scratch, "disk.img"), MIB)
        os.symlink(image, os.path.join(scratch, "link"))
        daemon.must("connect", image)
        device = daemon.must("show", "disk", "--json").json()["devices"][0]
        for name in ("disk", str(device["number"]), image, device["address"], device["iscsi_url"],
                     os.path.join(scratch, "link")):
            assert daemon.must("list", name, "-n", "-o", "id").out == "disk\n", name
        assert daemon.must("list", "disk.img", "-n", "-o", "id", cwd=scratch).out == "disk\n"
        refused(daemon.run("show", "dis"), NOT_FOUND, "dis: no such device")


def tables_are_as_asked(scratch):
    with Daemon(scratch) as daemon:
        image = sparse(os.path.join(scratch, "a disk\n.img"), 1536 * MIB)
        daemon.must("connect", image, "x")
        assert daemon.must("list", "-o", "size,id").out == "SIZE ID\n1.5G x\n"
        assert daemon.must("list", "-b", "-n", "-o", "SIZE").out == "1610612736\n"
        assert daemon.must("list", "-n", "-o", "IMAGE").out.endswith("/a disk\\x0a.img\n")
        assert daemon.must("list", "-r", "-n", "-o", "ID,IMAGE").out.endswith("/a\\x20disk\\x0a.img\n")
        assert daemon.must("list", "--json").json()["devices"][0]["image"] == image
        heads = daemon.must("list", "-O").out.splitlines()[0].split()
        assert heads[:10] == "ID TYPE SIZE BLK RO STATE VIA DEVICE SESS IMAGE".split() and "URL" in heads
        refused(daemon.run("list", "-o", "ID,NONSENSE"), USAGE, "NONSENSE")
        daemon.must("connect", sparse(os.path.join(scratch, "other.img"), 64 * MIB), "longer-name")
        lines = daemon.must("list", "-o", "ID,SIZE,STATE").out.splitlines()
        assert lines == ["ID          SIZE STATE", "x           1.5G ready", "longer-name  64M ready"], lines


def many_devices_are_listed(scratch):
    with Daemon(scratch) as daemon:
        for i in range(30):
            daemon.must("connect", sparse(os.path.join(scratch, "d%d.img" % i), MIB))
        assert daemon.ids() == ["d%d" % i for i in range(30)]
        assert len(daemon.must("disconnect", "--all", "--json").json()["devices"]) == 30
        assert daemon.ids() == []
        assert daemon.must("disconnect", "--all").out == ""


def disconnect_tells_what_failed(scratch):
    with Daemon(scratch) as daemon:
        for name in "abc":
            daemon.must("connect", sparse(os.path.join(scratch, name + ".img"), MIB))
        answer = daemon.must("disconnect", "a")
        assert answer.out == "" and answer.err == ""
        refused(daemon.run("disconnect", "a"), NOT_FOUND)
        refused(daemon.run("disconnect", "nope", "b"), SOME_FAILED, "nope")
        assert daemon.ids() == ["c"]
        daemon.must("disconnect", "c", "--force")
        assert harness.wait_for(lambda: daemon.ids() == [])
        # The image is free again, and its name; its number and LUN are not.
        daemon.must("connect", os.path.join(scratch, "a.img"))
        device = daemon.must("show", "a", "-J").json()["devices"][0]
        assert device["number"] == 4 and device["lun"] == 3


def status_and_identify_say_who_is_there(scratch):
    with Daemon(scratch, "--iqn", "iqn.2026-01.io.lungfish:test") as daemon:
        daemon.must("connect", sparse(os.path.join(scratch, "a.img"), MIB))
        assert daemon.must("identify").out.startswith("Lungfish virtual SCSI adapter ")
        adapter = daemon.must("identify", "-J").json()["adapters"][0]
        assert adapter["process_id"] == daemon.process.pid and adapter["protocol_max"] == 1
        adapter = daemon.must("status", "-J").json()["adapters"][0]
        assert adapter["iqn"] == "iqn.2026-01.io.lungfish:test" and adapter["devices"] == 1
        assert adapter["engine"] in ("io_uring", "threads") and adapter["loops"] >= 1
        assert adapter["portals"][0]["tag"] == 1 and adapter["portals"][0]["address"].startswith("127.0.0.1:")
        assert adapter["events"]["unit_added"] == 1 and adapter["events"]["unit_freed"] == 0
        assert "portal    127.0.0.1:" in daemon.must("status").out


def output_that_cannot_be_written_is_a_failure(scratch):
    with Daemon(scratch) as daemon:
        if not os.path.exists("/dev/full"):
            raise Skip("there is no /dev/full")
        with open("/dev/full", "w") as full:
            for arguments in (["list"], ["list", "-J"], ["status"], ["help"]):
                answer = daemon.run(*arguments, stdout=full)
                assert answer.status == FAILED and "cannot be written" in answer.err


if __name__ == "__main__":
    sys.exit(harness.main([
        usage_errors_are_told, help_names_every_verb_with_an_example, without_an_adapter_it_says_so,
        connect_prints_the_id_alone, json_has_its_keys, show_tells_what_the_unit_says_of_itself, show_has_its_keys,
        a_unit_that_talks_rubbish_breaks_nothing, images_that_cannot_be_are_refused,
        options_that_cannot_be_are_refused, what_only_windows_keeps_is_refused, a_path_that_is_not_utf8_is_refused,
        create_makes_an_image_and_overwrites_none, an_image_of_which_no_answer_came_stays,
        an_image_of_another_adapter_is_refused,
        rights_are_those_of_the_caller, every_name_of_a_device_does, tables_are_as_asked, many_devices_are_listed,
        disconnect_tells_what_failed, status_and_identify_say_who_is_there,
        output_that_cannot_be_written_is_a_failure]))
