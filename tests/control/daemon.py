#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The daemon: start and stop, its socket, and clients that do not behave."""
import array
import os
import re
import shutil
import signal
import socket
import stat
import struct
import sys

import harness
from harness import (BUSY, CONNECT, DONE, IDENTIFY, LIST, NO_ADAPTER, PERMISSION, SHOW, Daemon, Skip, connect_message,
                     header, reply_of, run, sparse, wait_for)

MIB = 1 << 20
INVALID, BAD_VERSION, NOT_SUPPORTED = 2, 6, 9


def send_handles(peer, data, handles):
    peer.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", handles))])


def ready_and_stop(scratch):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        image = sparse(os.path.join(scratch, "disk.img"), MIB)
        daemon = Daemon(scratch, image)
        assert daemon.ready and "ready: iqn.2026-01.io.lungfish:" in daemon.log(), daemon.log()
        assert daemon.ids() == ["disk"]
        assert daemon.stop(number) == 0, daemon.log()
        assert not os.path.exists(daemon.socket)


def what_it_cannot_start_with_is_told(scratch):
    def refused(status, word, *arguments, **options):
        daemon = Daemon(scratch, *arguments, **options)
        assert not daemon.ready and daemon.process.wait() == status, daemon.log()
        assert word in daemon.log(), daemon.log()
        assert not os.path.exists(daemon.socket)

    image = sparse(os.path.join(scratch, "disk.img"), MIB)
    refused(1, "missing.img: no such file", os.path.join(scratch, "missing.img"))
    refused(1, "directory", scratch)
    refused(1, "already connected as disk", image, image)
    refused(2, "no such option", "--nonsense")
    refused(2, "no portal", "--iscsi", "::1:3260")
    refused(2, "no portal", "--iscsi", "127.0.0.1:70000")
    refused(2, "no portal", "--iscsi", "127.0.0.1:0,0")
    refused(2, "512 or 4096", "--block-size", "1000")
    refused(1, "iqn", "--iqn", "not a name")
    refused(1, "auto, uring or threads", env=harness.clean_environment(LUNGFISH_ENGINE="steam"))
    help_text = Daemon(scratch, "--help")
    assert help_text.process.wait() == 0 and "example: " in help_text.log()


def a_port_in_use_is_told_with_the_remedy(scratch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        daemon = Daemon(scratch, portal="127.0.0.1:%d" % taken.getsockname()[1])
        assert not daemon.ready and daemon.process.wait() == 1, daemon.log()
        assert "in use" in daemon.log() and "--iscsi" in daemon.log(), daemon.log()


def a_portal_for_others_is_warned_of(scratch):
    with Daemon(scratch, portal="0.0.0.0:0") as daemon:
        assert "warning: 0.0.0.0:" in daemon.log(), daemon.log()
        daemon.must("connect", sparse(os.path.join(scratch, "a.img"), MIB))
        device = daemon.must("list", "-J").json()["devices"][0]
        assert device["iscsi_url"].startswith("iscsi://127.0.0.1:")
    with Daemon(scratch) as daemon:
        assert "warning" not in daemon.log()


def a_dead_daemons_socket_is_replaced(scratch):
    dead = Daemon(scratch)
    dead.stop(signal.SIGKILL)
    assert os.path.exists(dead.socket)
    assert dead.run("list").status == NO_ADAPTER
    with Daemon(scratch) as daemon:
        assert daemon.ids() == []


def a_living_daemons_socket_is_not(scratch):
    with Daemon(scratch) as daemon:
        second = Daemon(scratch)
        assert not second.ready and second.process.wait() == 1
        assert "another lungfishd answers there" in second.log(), second.log()
        assert daemon.ids() == []


def a_file_that_is_no_socket_stays(scratch):
    path = os.path.join(scratch, "control.sock")
    with open(path, "w") as other:
        other.write("precious")
    daemon = Daemon(scratch)
    assert not daemon.ready and daemon.process.wait() == 1 and "no socket" in daemon.log()
    with open(path) as other:
        assert other.read() == "precious"


def the_socket_is_for_its_user_and_root(scratch):
    with Daemon(scratch) as daemon:
        assert stat.S_IMODE(os.stat(daemon.socket).st_mode) == 0o600
        if os.geteuid() != 0:
            raise Skip("only root can be another user")
        harness.nobody_can_run()
        os.chmod(scratch, 0o755)
        assert daemon.run("list", nobody=True).status == PERMISSION
        # The file's mode is not all there is: the uid is asked for.
        os.chmod(daemon.socket, 0o666)
        for _ in range(10):  # the answer is there whether or not the request was sent before it
            answer = daemon.run("list", nobody=True)
            assert answer.status == PERMISSION and "another user's" in answer.err, answer.err


def the_default_socket_is_found(scratch):
    harness.nobody_can_run()
    own = harness.nobody_directory()
    try:
        env = harness.nobody_environment(XDG_RUNTIME_DIR=own)
        with Daemon(own, nobody=True, env=env, own_socket=False):
            path = os.path.join(own, "lungfish")
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
            assert stat.S_ISSOCK(os.stat(os.path.join(path, "control.sock")).st_mode)
            assert run("list", nobody=True, env=env).status == DONE
    finally:
        shutil.rmtree(own)


def a_directory_of_somebody_elses_is_not_trusted(scratch):
    if os.geteuid() != 0:
        raise Skip("only root can be another user")
    harness.nobody_can_run()
    path = "/tmp/lungfish-%d" % harness.NOBODY
    try:
        os.mkdir(path, 0o777)
    except FileExistsError:
        raise Skip(path + " is there already") from None
    own = harness.nobody_directory()
    try:
        answer = run("list", nobody=True)
        assert answer.status == PERMISSION and path in answer.err, answer.err
        daemon = Daemon(own, nobody=True, own_socket=False)
        assert not daemon.ready and daemon.process.wait() == 1 and path in daemon.log(), daemon.log()
    finally:
        os.rmdir(path)
        shutil.rmtree(own)


def identity_is_the_same_tomorrow(scratch):
    image = sparse(os.path.join(scratch, "disk.img"), MIB)
    seen = []
    for _ in range(2):
        with Daemon(scratch, image) as daemon:
            device = daemon.must("show", "disk", "-J").json()["devices"][0]
            seen.append((device["serial"], device["naa"]))
    assert seen[0] == seen[1] and re.fullmatch("[0-9a-f]{16}", seen[0][0]), seen


def messages_that_make_no_sense_are_answered(scratch):
    with Daemon(scratch) as daemon:
        with daemon.client() as peer:
            peer.send(header(LIST, 24, version=2) + bytes(8))
            answer = peer.recv(65536)
            assert reply_of(answer)[2] == BAD_VERSION
            assert struct.unpack_from("<HH", answer, 16) == (1, 1) and b"version 1 is" in answer
            # It may ask again in a version that is spoken.
            peer.send(header(99, 16))
            assert reply_of(peer.recv(65536))[2] == NOT_SUPPORTED
            peer.send(header(LIST, 24))
            assert reply_of(peer.recv(65536))[2] == INVALID
            peer.send(header(LIST, 24) + bytes(7) + b"\1")
            assert reply_of(peer.recv(65536))[2] == INVALID
            peer.send(header(IDENTIFY, 16))
            assert reply_of(peer.recv(65536)) == (1, IDENTIFY, 0)
        for rubbish in (b"x", header(LIST, 24, magic=b"HTTP") + bytes(8), b"\0" * 60000):
            with daemon.client() as peer:
                peer.send(rubbish)
                assert reply_of(peer.recv(65536))[2] == INVALID
                assert peer.recv(65536) == b"", "it was not let go"
        with daemon.client() as peer:
            # Longer than any request, with a header that is right.
            peer.send(header(LIST, 60000) + bytes(60000 - 16))
            assert reply_of(peer.recv(65536))[2] == INVALID
        assert daemon.ids() == []


def clients_that_die_half_way_leave_nothing(scratch):
    with Daemon(scratch) as daemon:
        image = sparse(os.path.join(scratch, "disk.img"), MIB)
        fd = os.open(image, os.O_RDWR)
        assert daemon.ids() == []
        before = daemon.descriptors()  # and perhaps that of a client whose end it has not seen yet
        for i in range(50):
            with daemon.client():
                pass
            with daemon.client() as peer:
                send_handles(peer, header(LIST, 24)[:10], [fd] * 5)
            with daemon.client() as peer:
                send_handles(peer, b"", [fd, fd])
            with daemon.client() as peer:
                send_handles(peer, header(IDENTIFY, 16), [fd] * 200)
            with daemon.client() as peer:
                # Refused by the time that nobody waits for the answer: a name that is none.
                send_handles(peer, connect_message(image, b"a/b"), [fd, fd])
            with daemon.client() as peer:
                peer.send(connect_message(image))
            with daemon.client() as peer:
                peer.send(header(SHOW, 8232) + bytes(8216))
        assert wait_for(lambda: daemon.ids() == [] and daemon.descriptors() <= before), \
            "%d descriptors, not %d" % (daemon.descriptors(), before)
        # One that connects and dies: the device came before that was seen, or nothing came of it.
        with daemon.client() as peer:
            send_handles(peer, connect_message(image), [fd])

        def connects_again():
            daemon.run("disconnect", "disk")
            return daemon.run("connect", image).status == DONE
        assert wait_for(connects_again)
        daemon.must("disconnect", "disk")
        assert wait_for(lambda: daemon.descriptors() <= before)
        os.close(fd)


class Clinging:
    """Descriptors whose last close takes as long as nobody reads their other end, as on a dead mount."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.ends = []

    def handle(self):
        mine = socket.create_connection(self.listener.getsockname())
        self.ends.append(self.listener.accept()[0])
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        mine.setblocking(False)
        try:
            while True:
                mine.send(bytes(65536))
        except BlockingIOError:
            pass
        mine.setblocking(True)
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
        return mine.detach()

    def let_go(self):
        for end in self.ends:
            end.close()
        self.listener.close()


def answer_of(peer):
    """The kernel reports that the server has not read all before it hands out the answer."""
    try:
        return peer.recv(65536)
    except ConnectionResetError:
        return peer.recv(65536)


def stands_still(daemon):
    with open("/proc/%d/stat" % daemon.process.pid) as facts:
        return facts.read().rpartition(")")[2].split()[0] == "T"


def descriptors_that_cannot_be_closed_have_a_limit(scratch):
    clinging = Clinging()
    image = sparse(os.path.join(scratch, "disk.img"), MIB)
    with Daemon(scratch) as daemon:
        # While it stands still we close ours, so that the last close is the daemon's.
        daemon.process.send_signal(signal.SIGSTOP)
        assert wait_for(lambda: stands_still(daemon))
        peers = [daemon.client() for _ in range(64)]
        for peer in peers:
            handle = clinging.handle()
            send_handles(peer, header(IDENTIFY, 16), [handle])
            os.close(handle)
        daemon.process.send_signal(signal.SIGCONT)
        try:
            answers = [answer_of(peer) for peer in peers]
            refused = [answer for answer in answers if reply_of(answer) != (1, IDENTIFY, 0)]
            assert len(refused) == 1 and reply_of(refused[0])[2] == BUSY and b"still being closed" in refused[0], refused
            for peer in peers:
                peer.close()
            with daemon.client() as peer, open(image) as file:
                peer.send(header(IDENTIFY, 16))
                assert reply_of(peer.recv(65536)) == (1, IDENTIFY, 0)
                send_handles(peer, header(IDENTIFY, 16), [file.fileno()])
                answer = answer_of(peer)
                assert reply_of(answer)[2] == BUSY and b"still being closed" in answer, answer
            assert daemon.ids() == []
            harness.refused(daemon.run("connect", image), BUSY, "still being closed")
        finally:
            clinging.let_go()
        assert wait_for(lambda: daemon.run("connect", image).status == DONE)


def a_connect_without_a_descriptor_is_refused(scratch):
    with Daemon(scratch) as daemon:
        with daemon.client() as peer:
            peer.send(connect_message("/etc/passwd"))
            answer = peer.recv(65536)
            assert reply_of(answer)[1:] == (CONNECT, INVALID) and b"no descriptor" in answer
        assert daemon.ids() == []


def floods_are_held_back(scratch):
    with Daemon(scratch) as daemon:
        daemon.must("connect", sparse(os.path.join(scratch, "disk.img"), MIB))
        idle = [daemon.client() for _ in range(200)]
        assert daemon.ids() == ["disk"]
        assert daemon.descriptors() < 200
        # Who never reads is not read from any more.
        deaf = [daemon.client() for _ in range(20)]
        sent = 0
        for peer in deaf:
            peer.setblocking(False)
            try:
                for _ in range(20000):
                    peer.send(header(LIST, 24) + bytes(8))
                    sent += 1
            except BlockingIOError:
                continue
            raise AssertionError("it took everything")
        assert sent > 0 and daemon.ids() == ["disk"]
        # And then it reads on, every answer in its place.
        deaf[0].settimeout(harness.WAIT_S)
        for _ in range(10):
            assert reply_of(deaf[0].recv(65536))[1:] == (LIST, 0)
        for peer in idle + deaf:
            peer.close()
        assert daemon.ids() == ["disk"]


def without_descriptors_it_lives(scratch):
    if not shutil.which("prlimit"):
        raise Skip("prlimit is not installed")
    import resource
    with Daemon(scratch) as daemon:
        assert daemon.ids() == []
        before = daemon.descriptors()
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (before + 2, before + 2))
        peers = [daemon.client() for _ in range(8)]
        assert wait_for(lambda: "no descriptor for a new client" in daemon.log()), daemon.log()
        for peer in peers:
            peer.close()
        assert daemon.ids() == []
        assert daemon.run("connect", sparse(os.path.join(scratch, "disk.img"), MIB)).status in (DONE, 1, BUSY)


if __name__ == "__main__":
    sys.exit(harness.main([
        ready_and_stop, what_it_cannot_start_with_is_told, a_port_in_use_is_told_with_the_remedy,
        a_portal_for_others_is_warned_of, a_dead_daemons_socket_is_replaced, a_living_daemons_socket_is_not,
        a_file_that_is_no_socket_stays, the_socket_is_for_its_user_and_root, the_default_socket_is_found,
        a_directory_of_somebody_elses_is_not_trusted, identity_is_the_same_tomorrow,
        messages_that_make_no_sense_are_answered, clients_that_die_half_way_leave_nothing,
        descriptors_that_cannot_be_closed_have_a_limit, a_connect_without_a_descriptor_is_refused, floods_are_held_back, without_descriptors_it_lives]))
