# SPDX-License-Identifier: BSD-2-Clause
"""Parts of a storm: threads that stop together, a door that can be held, initiators that know what may befall them."""
import contextlib
import os
import random
import socket
import struct
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import iscsi_raw as raw  # noqa: E402

GOOD, CHECK, BUSY, CONFLICT, SET_FULL, ABORTED = 0x00, 0x02, 0x08, 0x18, 0x28, 0x40
LUN_RESET = 5
UNANSWERED_S = 1  # then it asks what became of the command
NEVER_S = 90
EMPTY, TRAY_OPEN, CHANGED, OUT_OF_RANGE = (2, 0x3a, 1), (2, 0x3a, 2), (6, 0x28, 0), (5, 0x21, 0)
EJECT_ASKED, PREVENTED, PROTECTED = (6, 0x5a, 1), (5, 0x53, 2), (7, 0x27, 0)
# What ended a command without an answer is told by one of these: the control mode page says TAS=0.
RESETS = {(6, 0x29, 0), (6, 0x29, 3), (6, 0x29, 7)}
CLEARED = RESETS | {(6, 0x2f, 0)}
EVERYWHERE = RESETS | {(6, 0x3f, 0x0e)}
OF_RESERVATIONS = {(6, 0x2a, 3), (6, 0x2a, 4), (6, 0x2a, 5)}


class Door:
    """Many pass it together; one can hold it, and then nobody moves."""

    def __init__(self):
        self.condition, self.inside, self.held = threading.Condition(), 0, False

    @contextlib.contextmanager
    def passing(self):
        with self.condition:
            self.condition.wait_for(lambda: not self.held)
            self.inside += 1
        try:
            yield
        finally:
            with self.condition:
                self.inside -= 1
                self.condition.notify_all()

    @contextlib.contextmanager
    def holding(self):
        with self.condition:
            self.condition.wait_for(lambda: not self.held)
            self.held = True
            self.condition.wait_for(lambda: self.inside == 0)
        try:
            yield
        finally:
            with self.condition:
                self.held = False
                self.condition.notify_all()


class Actor(threading.Thread):
    """Takes one step after the other until the storm is over, or until something is wrong."""

    def __init__(self, storm, name, seed):
        super().__init__(name=name, daemon=True)
        self.storm, self.dice, self.error, self.counts = storm, random.Random(seed), None, {}
        self.nexuses = []

    def count(self, what, more=1):
        self.counts[what] = self.counts.get(what, 0) + more

    def run(self):
        try:
            self.begin()
            while not self.storm.enough.is_set():
                try:
                    self.step()
                except raw.Closed:
                    self.count("dropped")
                    self.closed()
                self.count("steps")
            self.end()
        except Exception:
            self.error = traceback.format_exc()
            self.storm.enough.set()
        finally:
            for nexus in self.nexuses:
                nexus.close()

    def nexus(self, *arguments, **options):
        nexus = Nexus(self, *arguments, **options)
        self.nexuses.append(nexus)
        return nexus

    def begin(self):
        pass

    def step(self):
        raise NotImplementedError

    def closed(self):
        """An operator dropped a session: it comes again."""
        for nexus in self.nexuses:
            nexus.login()

    def end(self):
        pass


class Nexus:
    """A session with one unit, of an initiator that is told when its commands were aborted, and asks when not."""

    def __init__(self, actor, lun, name, number, portal=None, digests=False):
        self.actor, self.storm, self.lun, self.number = actor, actor.storm, lun, number
        self.portal, self.name, self.digests = portal or self.storm.portals[0], name, digests
        self.connection, self.late = None, {}
        self.probe = (bytes(6), 0)
        self.login()

    def login(self):
        self.close()
        keys = {"HeaderDigest": "CRC32C", "DataDigest": "CRC32C"} if self.digests else {}
        while True:
            connection = raw.Connection(self.portal, self.storm.iqn, "iqn.2001-04.com.example:" + self.name,
                                        b"\x80\0\0\0" + self.number.to_bytes(2, "big"))
            try:
                self.connection = connection.login(chap=self.storm.who, **keys)
                return self
            except raw.Closed:  # dropped before its first command
                connection.close()

    def logout(self):
        self.connection.logout()
        while self.connection.receive().opcode != raw.LOGOUT_RESPONSE:
            pass
        self.close()

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection, self.late = None, {}

    def send(self, cdb, read=0, data=b""):
        return self.connection.command(cdb, read=read, write=len(data), data=data, lun=self.lun)

    def receive(self, timeout_s):
        """The next PDU, or None. Questions of the target are answered on the way."""
        deadline = time.monotonic() + timeout_s
        while True:
            # Between PDUs only: half of one is no reason to stop.
            self.connection.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                if not self.connection.socket.recv(1, socket.MSG_PEEK):
                    raise raw.Closed
            except socket.timeout:
                return None
            except OSError:
                raise raw.Closed from None
            self.connection.socket.settimeout(NEVER_S)
            pdu = self.connection.receive()
            if pdu.opcode == raw.NOP_IN and pdu.ttt != raw.NO_TAG:
                self.connection.send(raw.NOP_OUT | 0x40, 0x80, fields={
                    16: struct.pack(">IIII", raw.NO_TAG, pdu.ttt, self.connection.number(True), pdu.stat_sn)})
            elif pdu.opcode != raw.ASYNC:
                return pdu

    def run(self, commands):
        """All of (cdb, read, data) in flight together; their last PDUs, None for one that was aborted."""
        order = [self.send(*command) for command in commands]
        waiting = {itt: bytearray(command[1]) for itt, command in zip(order, commands)}
        answers, probes, gone = {}, {}, 0
        end = time.monotonic() + NEVER_S
        while waiting:
            pdu = self.receive(UNANSWERED_S)
            if pdu is None:
                assert time.monotonic() < end, "%s: %s never answered" % (
                    self.name, [commands[order.index(itt)][0].hex() for itt in waiting])
                if gone and not probes:
                    break
                if not probes:
                    probes[self.send(*self.probe)] = bytearray(self.probe[1])
            elif pdu.itt in probes:
                if pdu.opcode == raw.RESPONSE or pdu.flags & 1:
                    del probes[pdu.itt]
                    gone += pdu.sense in CLEARED
            elif self.collect(pdu, waiting):
                answers[pdu.itt] = pdu
                del waiting[pdu.itt]
        while probes:
            pdu = self.receive(NEVER_S)
            if pdu.itt in probes and (pdu.opcode == raw.RESPONSE or pdu.flags & 1):
                del probes[pdu.itt]
        self.late.update({itt: commands[order.index(itt)] for itt in waiting})
        self.actor.count("aborted", len(waiting))
        return [answers.get(itt) for itt in order]

    def collect(self, pdu, waiting):
        """True: it was the command's last."""
        assert pdu.itt not in self.late, "%s: %r was given up after a unit attention that told of its end" % (
            self.name, pdu)
        assert pdu.itt in waiting, "%s: %r belongs to no command" % (self.name, pdu)
        if pdu.opcode == raw.DATA_IN:
            data = waiting[pdu.itt]
            data[pdu.offset:pdu.offset + len(pdu.data)] = pdu.data
            if not pdu.flags & 1:
                return False
            pdu.data = bytes(data)
            return True
        assert pdu.opcode == raw.RESPONSE, "%s: %r" % (self.name, pdu)
        return True

    def execute(self, cdb, read=0, data=b""):
        return self.run([(cdb, read, data)])[0]

    def settled(self, cdb, read=0, data=b"", tell=EVERYWHERE):
        """Again after unit attentions that may come, and after an abort."""
        for _ in range(100):
            pdu = self.execute(cdb, read, data)
            if pdu is None:
                continue
            sense = pdu.sense if pdu.status == CHECK else None
            if pdu.status not in (BUSY, SET_FULL, ABORTED) and sense not in tell:
                return pdu
        raise AssertionError("%s: never past its unit attentions" % self.name)

    def manage(self, function):
        itt = self.connection.tmf(function, lun=self.lun)
        while True:
            pdu = self.receive(NEVER_S)
            assert pdu is not None, "%s: task management was never answered" % self.name
            if pdu.opcode == raw.TMF_RESPONSE:
                assert pdu.itt == itt and pdu.response == 0, "response %d" % pdu.response
                return


# ---- Media that come and go ----

class Drive:
    """A removable unit and the two images that take turns in it; every block tells its image and its place."""

    def __init__(self, storm, unit, lun, block, images, writable):
        self.storm, self.unit, self.lun, self.block, self.images = storm, unit, lun, block, images
        self.writable, self.door = writable, Door()
        self.contents = [self.content(image) for image in images]
        self.blocks = [len(content) // block for content in self.contents]
        self.written = {}  # (image, slot) to what was last written there

    @staticmethod
    def content(path):
        with open(path, "rb") as image:
            return image.read()

    @staticmethod
    def make(path, which, block, blocks):
        with open(path, "wb") as image:
            for lba in range(blocks):
                image.write(struct.pack(">4sIQ", b"IMG%d" % which, lba, lba * 0x9e3779b97f4a7c15 % 2**64) * (block // 16))
        return path

    def whose(self, lba, data):
        for which, content in enumerate(self.contents):
            if content[lba * self.block:lba * self.block + len(data)] == data:
                return which
        heads = [data[at:at + 8] for at in range(0, len(data), self.block)]
        raise AssertionError("%s: LBA %d is of neither image: %s" % (self.unit, lba, heads))

    def change(self, *arguments):
        """Of the operator: done, or held by an initiator, or in already."""
        answer = self.storm.adapter.lungfish(*arguments)
        assert answer.returncode in (0, 4), "%s: status %d: %s" % (arguments, answer.returncode, answer.stdout)
        if "--force" in arguments and arguments[0] == "eject":
            assert answer.returncode == 0, answer.stdout
        return answer.returncode


class Reader(Actor):
    """Meets no medium but by a unit attention that tells of it, and never two at once."""

    SLOTS, SLOT_BLOCKS, BLOCKS = 4, 8, 16

    def __init__(self, drive, name, seed, depth):
        super().__init__(drive.storm, name, seed)
        self.drive, self.depth, self.seen, self.sequence = drive, depth, None, 0
        self.number = seed

    def begin(self):
        self.link = self.nexus(self.drive.lun, self.name, self.number, self.storm.portals[self.number % 2],
                               digests=self.number % 3 == 0)

    def closed(self):
        super().closed()
        self.seen = None

    def step(self):
        chance = self.dice.random()
        if chance < 0.06:
            self.events()
        elif chance < 0.12:
            self.hold()
        elif chance < 0.15:
            self.look()
        elif chance < 0.5 and self.drive.writable and self.depth == 1 and self.seen is not None:
            self.write()
        else:
            self.read()

    def told(self, pdu):
        """What any command may be answered with while media change; True when it was carried out."""
        if pdu.status == GOOD:
            return True
        assert pdu.status == CHECK, "%s: %r" % (self.name, pdu)
        self.count("%X/%02X/%02X" % pdu.sense)
        if pdu.sense == CHANGED or pdu.sense in RESETS:
            self.seen = None
        else:
            assert pdu.sense in (EMPTY, TRAY_OPEN, EJECT_ASKED, OUT_OF_RANGE, PROTECTED) or pdu.sense in EVERYWHERE, \
                "%s: sense %s" % (self.name, pdu.sense)
        return False

    def read(self):
        most = max(self.drive.blocks) - (self.SLOTS * self.SLOT_BLOCKS if self.drive.writable else 0)
        places = [self.dice.randrange(most - self.BLOCKS + 1) for _ in range(self.depth)]
        size = self.BLOCKS * self.drive.block
        before, met, news = self.seen, set(), False
        for lba, pdu in zip(places, self.link.run([(raw.read10(lba, self.BLOCKS), size, b"") for lba in places])):
            if self.told(pdu):
                met.add(self.drive.whose(lba, pdu.data))
            elif pdu.sense == OUT_OF_RANGE:
                assert lba + self.BLOCKS > min(self.drive.blocks), "%s: LBA %d is out of range" % (self.name, lba)
                met.add(self.drive.blocks.index(min(self.drive.blocks)))
            else:
                assert pdu.sense != PROTECTED
                news = news or pdu.sense == CHANGED or pdu.sense in RESETS
        self.count("reads", len(met))
        if news and self.depth > 1:
            self.seen = None
            return
        assert len(met | {before} - {None}) <= 1 or news, "%s: image %s, then %s, and no unit attention" % (
            self.name, before, met)
        self.seen = met.pop() if met else self.seen

    def write(self):
        """What is meant for one image never lands in the other."""
        slot, self.sequence = self.dice.randrange(self.SLOTS), self.sequence + 1
        data = struct.pack(">4sIQ", b"IMG%d" % self.seen, slot, self.sequence)
        data = data * (self.SLOT_BLOCKS * self.drive.block // len(data))
        which = self.seen
        lba = min(self.drive.blocks) - (slot + 1) * self.SLOT_BLOCKS
        if self.told(self.link.execute(raw.write10(lba, self.SLOT_BLOCKS), data=data)):
            self.drive.written[which, lba] = data
            self.count("writes")

    def event(self):
        """Polls for one of the medium; its code and the drive's status."""
        pdu = self.link.execute(bytes([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8, 0]), read=8)
        assert pdu.status == GOOD, "events: %s" % (pdu.sense,)
        length, what, supported, code, status = struct.unpack(">HBBBB", pdu.data[:6])
        assert length == 6 and what == 4 and supported & 0x10, pdu.data.hex()
        assert code in (0, 1, 2, 3) and status in (0, 1, 2), pdu.data.hex()
        self.count("event %d" % code)
        return code, status

    def events(self):
        if self.drive.block == 2048:
            self.event()

    def hold(self):
        """Nobody gets the medium out but by force, and who forces it frees it of all who hold it."""
        for prevent in (1, 0):
            pdu = self.link.settled(bytes([0x1e, 0, 0, 0, prevent, 0]), tell=EVERYWHERE | {CHANGED, EJECT_ASKED})
            assert pdu.status == GOOD or pdu.sense in (EMPTY, TRAY_OPEN), pdu.sense
            self.seen = None  # it may have been told just now
            if prevent and self.dice.random() < 0.5:
                self.read()

    def look(self):
        """While nobody moves: the same from every side."""
        with self.drive.door.holding():
            shown = self.storm.show(self.drive.unit)
            pdu = self.link.settled(bytes(6), tell=EVERYWHERE | {CHANGED, EJECT_ASKED})
            self.seen = None
            state = "ready" if pdu.status == GOOD else {TRAY_OPEN: "open", EMPTY: "empty"}[pdu.sense]
            assert (state == "ready") == (shown["state"] == "ready"), (state, shown)
            assert not shown["ejected"] or state == "open", (state, shown)
            if self.drive.block == 2048:
                code, status = self.event()
                assert status == {"ready": 2, "open": 1, "empty": 0}[state], (status, state)
            if state == "ready":
                data = self.link.settled(raw.read10(0, 4), 4 * self.drive.block).data
                self.seen = self.drive.whose(0, data)
                assert shown["image"] == os.path.realpath(self.drive.images[self.seen]), (self.seen, shown)
            self.count("looks at " + state)


class Operator(Actor):
    """Puts the images in and out, with and without force, and now and then the drive's own initiator does."""

    def __init__(self, drive, name, seed):
        super().__init__(drive.storm, name, seed)
        self.drive = drive

    def step(self):
        self.storm.enough.wait(self.dice.random() * 0.1)
        force = ["--force"] if self.dice.random() < 0.5 else []
        with self.drive.door.passing():
            if self.dice.random() < 0.7:
                only = ["--read-only"] if self.drive.writable and self.dice.random() < 0.1 else []
                status = self.drive.change("insert", self.drive.unit, self.dice.choice(self.drive.images), *force, *only)
            else:
                status = self.drive.change("eject", self.drive.unit, *force)
        self.count("changes" if status == 0 else "held")


class Loader(Actor):
    """An initiator that opens and closes the door with START STOP UNIT."""

    def __init__(self, drive, name, seed):
        super().__init__(drive.storm, name, seed)
        self.drive, self.number = drive, seed

    def begin(self):
        self.link = self.nexus(self.drive.lun, self.name, self.number)

    def step(self):
        self.storm.enough.wait(self.dice.random() * 0.05)
        with self.drive.door.passing():
            how = self.dice.choice([2, 3, 3, 3])
            pdu = self.link.settled(bytes([0x1b, 0, 0, 0, how, 0]), tell=EVERYWHERE | {CHANGED, EJECT_ASKED})
            assert pdu.status == GOOD or pdu.sense == PREVENTED, "%d: %s" % (how, pdu.sense)
        self.count("loaded" if pdu.status == GOOD else "prevented")
