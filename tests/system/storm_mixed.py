#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan tsan
"""Everything at once (STORM_MIXED_CYCLES times a unit comes and goes, STORM_MIXED_SECONDS at most): media that change,
initiators that contend for a reservation, others that lie at the door, and soaks that must not notice any of it."""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import iscsi_raw as raw  # noqa: E402
import storm_parts as parts  # noqa: E402
from adapter import Adapter, Cases, find_tool, sparse  # noqa: E402

CYCLES = int(os.environ.get("STORM_MIXED_CYCLES", "800"))
MOST_S = float(os.environ.get("STORM_MIXED_SECONDS", "70"))
MIB = 1 << 20
USER, SECRET = "storm", "the storm's own secret"
MUTUAL, MUTUAL_SECRET = "target", "the target's own secret"
SECRETS = "%s:%s\nmutual %s:%s\n" % (USER, SECRET, MUTUAL, MUTUAL_SECRET)
LOG_LINES = re.compile(r"(<\d>)?lungfishd: (ready: .*|stopping: no new commands; those in flight have 5 s|stopped)")
BOTH = {"HeaderDigest": "CRC32C", "DataDigest": "CRC32C"}
EXCLUSIVE = (1, 3)  # of one holder
REGISTER_AND_IGNORE, RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_AND_ABORT = 6, 1, 2, 3, 4, 5
TOLD = parts.CLEARED | parts.EVERYWHERE | parts.OF_RESERVATIONS
# Who is spared by a reservation: its holder, who is registered, all.
WRITERS = {0: "all", 1: "holder", 3: "holder", 5: "registered", 6: "registered", 7: "registered", 8: "registered"}
READERS = {**WRITERS, 1: "all", 5: "all", 7: "all"}


# ---- Reservations, and a counter ----

class Contender(parts.Actor):
    """One of the initiator ports that take a reservation from each other."""

    STAMP_LBA, BLOCK = 100, 512

    def __init__(self, storm, number):
        super().__init__(storm, "port-%d" % number, 50 + number)
        self.number, self.keys = number, 0
        # A session that is dropped while it registers does not know what it is registered with.
        self.key, self.sure = None, True

    def begin(self):
        portal = self.storm.portals[self.number % 2]
        self.link = self.nexus(self.storm.luns["reserved"], self.name, self.number, portal)
        self.link.probe = (self.prin_cdb(0), 512)  # TEST UNIT READY may meet the reservation
        self.counter = self.nexus(self.storm.luns["counter"], self.name + "-counter", self.number, portal)

    @staticmethod
    def prin_cdb(action):
        return struct.pack(">BB5xHB", 0x5e, action, 512, 0)

    def prin(self, action):
        """PRGENERATION, which never goes back, and what follows it."""
        least = self.storm.generation
        pdu = self.link.settled(self.prin_cdb(action), 512, tell=TOLD)
        assert pdu.status == parts.GOOD, "PERSISTENT RESERVE IN: %02x %s" % (pdu.status, pdu.sense)
        generation, length = struct.unpack(">II", pdu.data[:8])
        assert generation >= least, "PRGENERATION %d after %d" % (generation, least)
        with self.storm.lock:
            self.storm.generation = max(self.storm.generation, generation)
        return generation, pdu.data[8:8 + length]

    def registered(self):
        generation, data = self.prin(0)
        return generation, [key for key, in struct.iter_unpack(">Q", data)]

    def reservation(self):
        """PRGENERATION, the holder's key (0: all registrants'), the type (0: none)."""
        generation, data = self.prin(1)
        return (generation, struct.unpack(">Q", data[:8])[0], data[13]) if data else (generation, 0, 0)

    def prout(self, action, kind=0, key=0, action_key=0):
        data = struct.pack(">QQIBBH", key, action_key, 0, self.dice.random() < 0.2 and action == REGISTER_AND_IGNORE, 0, 0)
        pdu = self.link.settled(struct.pack(">BBBHIB", 0x5f, action, kind, 0, len(data), 0), data=data, tell=TOLD)
        fine = pdu.status in (parts.GOOD, parts.CONFLICT) or (action == RELEASE and pdu.sense == (5, 0x26, 4))
        assert fine, "PERSISTENT RESERVE OUT %d: %02x %s" % (action, pdu.status, pdu.sense)
        self.count("%d: %02x" % (action, pdu.status))
        return pdu.status

    def step(self):
        with self.storm.door.passing():
            self.count_up()
            chance = self.dice.random()
            if chance < 0.25:
                self.register()
            elif chance < 0.45:
                if self.prout(RESERVE, self.dice.choice([1, 3, 3, 3, 5, 6, 7, 8]), self.key or 1) == parts.GOOD:
                    self.stamp()
            elif chance < 0.70:
                self.stamp()
            elif chance < 0.80:
                self.preempt()
            elif chance < 0.86:
                self.prout(RELEASE, self.reservation()[2] or 3, self.key or 1)
            elif chance < 0.89:
                self.prout(CLEAR, key=self.key or 1)
            elif chance < 0.95:
                self.again()
            elif chance < 0.97:
                self.dice.choice([self.link, self.counter]).manage(parts.LUN_RESET)
                self.count("resets")
        if chance >= 0.97:
            self.look()

    def register(self):
        self.keys += 1
        self.key = self.number << 32 | self.keys
        self.sure = False
        assert self.prout(REGISTER_AND_IGNORE, action_key=self.key) == parts.GOOD
        self.sure = True

    def access(self, link, cdb, read=0, data=b""):
        """Whether it was let pass."""
        pdu = link.settled(cdb, read, data, tell=TOLD)
        assert pdu.status in (parts.GOOD, parts.CONFLICT), "%s: %02x %s" % (cdb.hex(), pdu.status, pdu.sense)
        return pdu if pdu.status == parts.GOOD else None

    def stamp(self):
        """As long as nobody took it from me, what I wrote is what I read."""
        before = self.reservation()
        data = struct.pack(">QQ", self.number, self.keys) * (self.BLOCK // 16)
        self.keys += 1
        wrote = self.access(self.link, raw.write10(self.STAMP_LBA, 1), data=data)
        got = self.access(self.link, raw.read10(self.STAMP_LBA, 1), self.BLOCK)
        after = self.reservation()
        if before == after and before[1] == self.key and before[2] in EXCLUSIVE:
            assert wrote and got, "the holder of type %d met a reservation conflict" % before[2]
            assert got.data == data, "another one wrote: %s, not %s" % (got.data[:16].hex(), data[:16].hex())
            self.count("stamps")
        elif before == after and before[2] in EXCLUSIVE and before[0] == after[0]:
            # The same key held it all the time: keys are never used twice, and a release would show.
            self.count("conflicts", wrote is None)

    def preempt(self):
        others = [key for key in self.registered()[1] if key >> 32 != self.number]
        if others:
            self.prout(self.dice.choice([PREEMPT, PREEMPT_AND_ABORT]), self.dice.choice([1, 3, 3, 6, 8]), self.key or 1,
                       self.dice.choice(others))

    def again(self):
        """A registration outlives the session."""
        before, keys = self.registered()
        mine = self.key in keys
        self.link.logout()
        self.link.login()
        after, keys = self.registered()
        assert before != after or (self.key in keys) == mine, "%x: registered %s, then %s" % (self.key or 0, mine, keys)
        self.count("logins")

    def look(self):
        """While nobody moves: who is let pass is who the table says."""
        with self.storm.door.holding():
            generation, keys = self.registered()
            held = self.reservation()
            assert held[0] == generation and (held[1] == 0 or held[1] in keys), (held, keys)
            full = self.prin(3)[1]
            registrants = {}
            while full:
                more = 24 + struct.unpack(">I", full[20:24])[0]
                registrants[struct.unpack(">Q", full[:8])[0]] = (full[12] & 1, full[24:more])
                full = full[more:]
            assert sorted(registrants) == sorted(keys), (registrants, keys)
            mine = [key for key, (_, port) in registrants.items() if b":%s,i," % self.name.encode() in port]
            assert mine in ([], [self.key]) or not self.sure, (mine, self.key)
            holds = bool(mine) and bool(registrants[mine[0]][0])
            assert not mine or held[2] == 0 or holds == (held[1] in (0, mine[0])), (held, registrants)
            self.check_access(self.link, held[2], bool(mine), holds)
            self.check_access(self.storm.stranger, held[2], False, False)
            assert self.reservation() == held
            self.count("looks at type %d" % held[2])

    def check_access(self, link, kind, is_registered, is_holder):
        for rule, cdb, read, data in (
                (WRITERS[kind], raw.write10(self.STAMP_LBA + 1, 1), 0, bytes(self.BLOCK)),
                (READERS[kind], raw.read10(self.STAMP_LBA + 1, 1), self.BLOCK, b"")):
            may = rule == "all" or (rule == "registered" and is_registered) or is_holder
            got = self.access(link, cdb, read, data) is not None
            assert got == may, "type %d, command %02x, %s, registered %s, holder %s: passed %s" % (
                kind, cdb[0], link.name, is_registered, is_holder, got)

    def count_up(self):
        """One more in a block that all count in, by COMPARE AND WRITE: every GOOD counts, and nothing else."""
        lba = self.dice.randrange(2)
        pdu = self.counter.settled(raw.read10(lba, 1), self.BLOCK, tell=TOLD)
        assert pdu.status == parts.GOOD, pdu.sense
        for _ in range(self.dice.randrange(4)):
            value = struct.unpack(">Q", pdu.data[:8])[0] + 1
            after = struct.pack(">QQ", value, self.number) * (self.BLOCK // 16)
            self.storm.count_tried(lba, 1)
            answer = self.counter.execute(struct.pack(">BBQ3xBBB", 0x89, 0, lba, 1, 0, 0), data=pdu.data + after)
            if answer is None or answer.status != parts.GOOD:
                self.storm.count_tried(lba, -1)
            if answer is None or answer.status in (parts.BUSY, parts.SET_FULL, parts.ABORTED) or answer.sense in TOLD:
                return
            if answer.status != parts.GOOD:
                assert answer.sense == (0xe, 0x1d, 0), answer.sense
                self.count("miscompares")
                return
            self.count("counted")
            pdu.data = after


# ---- Those who may not come in, and those who send rubbish ----

class Liar(parts.Actor):
    """Logins that must fail, each in its way, and the counters that tell of them."""

    def __init__(self, storm, number):
        super().__init__(storm, "liar-%d" % number, 80 + number)
        self.number, self.open = number, []

    def connection(self):
        portal = self.dice.choice(self.storm.portals)
        return raw.Connection(portal, self.storm.iqn, "iqn.2001-04.com.example:" + self.name,
                              b"\x80\0\0\0\0" + bytes([self.number]))

    def step(self):
        way = self.dice.choice([self.wrong_secret, self.stranger, self.no_proof, self.reflection, self.reflected_answer,
                                self.replay, self.oversized, self.too_many, self.half_open, self.honest])
        way()
        self.count(way.__name__)

    def refused(self, connection, answer, status=0x0201):
        assert answer.login_status == status, "%s: login status %04x" % (self.name, answer.login_status)
        connection.expect_closed()
        self.count("refused")
        self.count("not proven", status == 0x0201)

    def wrong_secret(self):
        with self.connection() as connection:
            more = [("CHAP_I", "1"), ("CHAP_C", "0x" + "11" * 32)] if self.dice.random() < 0.5 else []
            self.refused(connection, connection.chap_finish(connection.chap_begin(), USER, SECRET[:-1], more))
            assert "CHAP_R" not in connection.answers

    def stranger(self):
        with self.connection() as connection:
            name = self.dice.choice(["nobody", MUTUAL, "", "n" * 4000])
            self.refused(connection, connection.chap_finish(connection.chap_begin(), name, MUTUAL_SECRET))

    def no_proof(self):
        with self.connection() as connection:
            connection.login_request(connection.identity(), 0x87)
            self.refused(connection, connection.login_answer())

    def reflection(self):
        """Our own question given back, from another connection."""
        with self.connection() as victim, self.connection() as connection:
            asked = victim.chap_begin()
            self.refused(connection, connection.chap_finish(connection.chap_begin(), USER, SECRET, [
                ("CHAP_I", str(asked[1])), ("CHAP_C", raw.binary_text(asked[2]))]))
            assert victim.chap_finish(asked, USER, SECRET).flags == 0x81

    def reflected_answer(self):
        """The target's own answer to a question like its own."""
        with self.connection() as helper, self.connection() as connection:
            name, right = helper.chap_mutual(USER, SECRET)
            assert name == MUTUAL and helper.answers["CHAP_R"] == right(MUTUAL_SECRET)
            connection.chap_begin()
            self.refused(connection, connection.security([("CHAP_N", self.dice.choice([name, USER])),
                                                          ("CHAP_R", helper.answers["CHAP_R"])]))

    def replay(self):
        with self.connection() as connection:
            asked = connection.chap_begin("5")
            proof = [("CHAP_N", USER), ("CHAP_R", raw.binary_text(raw.chap_response("5", asked[1], SECRET, asked[2])))]
            assert connection.security(proof, 0x81).flags == 0x81
        with self.connection() as connection:
            connection.chap_begin("5")
            self.refused(connection, connection.security(proof, 0x81))

    def oversized(self):
        value = self.dice.choice(["0x" + "00" * 1025, "0b" + "A" * 4000, "0x" + "0" * 7000])
        with self.connection() as connection:
            connection.chap_begin()
            self.refused(connection, connection.security([("CHAP_N", USER), ("CHAP_R", value)]))

    def too_many(self):
        """Keys without end, or a segment longer than a login may have."""
        with self.connection() as connection:
            try:
                for _ in range(200):
                    connection.login_request([("X-com.example.%d" % i, "v" * 200) for i in range(30)], 0x40)
                    answer = connection.login_answer()
                    if answer.login_status:
                        self.refused(connection, answer, 0x0200)
                        return
            except raw.Closed:
                return
        raise AssertionError("keys without end were taken")

    def half_open(self):
        """Left standing for a while, anywhere in the login."""
        connection = self.connection()
        self.open.append(connection)
        how = self.dice.randrange(3)
        if how == 0:
            connection.chap_begin()
        elif how == 1:
            connection.send_bytes(connection.pdu(raw.LOGIN | 0x40, 0x81, bytes(400))[:self.dice.randrange(448)])
        while len(self.open) > 6:
            self.open.pop(0).close()

    def honest(self):
        with self.connection() as connection:
            connection.chap_mutual(USER, SECRET)
            connection.login_request([], 0x87)
            assert connection.login_answer().flags == 0x87

    def end(self):
        for connection in self.open:
            connection.close()


class Spoiler(parts.Actor):
    """Sessions with digests that are wrong, in the header, in the data, in each kind of PDU."""

    LBA, BLOCKS = 4000, 8

    def __init__(self, storm, number):
        super().__init__(storm, "spoiler-%d" % number, 90 + number)
        self.number = number

    def connect(self, **keys):
        return raw.Connection(self.dice.choice(self.storm.portals), self.storm.iqn,
                              "iqn.2001-04.com.example:" + self.name, b"\x80\0\0\0\1" + bytes([self.number])).login(
                                  chap=self.storm.who, **dict(BOTH, **keys))

    def closed(self):
        pass

    def step(self):
        self.dice.choice([self.header, self.write, self.other])()

    @staticmethod
    def next(connection, opcode=raw.REJECT):
        """The target tells of units that come and go in between."""
        pdu = connection.receive()
        while pdu.opcode == raw.ASYNC:
            pdu = connection.receive()
        assert pdu.opcode == opcode, "PDU %02x was expected, not %r" % (opcode, pdu)
        return pdu

    def header(self):
        opcode, data = self.dice.choice([(raw.COMMAND, b""), (raw.NOP_OUT | 0x40, b"ping"), (raw.DATA_OUT, bytes(512)),
                                         (raw.TMF | 0x40, b""), (raw.LOGOUT | 0x40, b"")])
        with self.connect() as connection:
            pdu = connection.sealed(connection.pdu(opcode, 0x80, data, fields={
                16: struct.pack(">III", 7, raw.NO_TAG, connection.cmd_sn)}))
            # Not the length of additional headers: those would be waited for before the digest.
            bit = self.dice.choice([*range(32), *range(40, 52 * 8)])
            connection.send_bytes(raw.spoiled(pdu, bit))
            try:
                self.next(connection, None)
            except raw.Closed:
                self.count("spoiled headers")

    def write(self):
        """A piece of a WRITE: the task ends with PROTOCOL SERVICE CRC ERROR, and the blocks stay as they were."""
        size = self.BLOCKS * 512
        # A unit that nobody resets: a command that task management of others ends is never answered.
        lun, lba = self.storm.luns["spoiled"], self.LBA + 16 * self.number
        with self.connect(InitialR2T="No") as connection:
            for _ in range(self.dice.randrange(1, 6)):
                spoiled = self.dice.randrange(4)
                data = [b"\xee" * (size // 4)] * 4
                itt = connection.command(raw.write10(lba, self.BLOCKS), write=size, data=data[0], final=False, lun=lun,
                                         spoil="data" if spoiled == 0 else None)
                for i in (1, 2, 3):
                    connection.data_out(itt, i * size // 4, data[i], i - 1, final=i == 3,
                                        spoil="data" if i == spoiled else None)
                assert self.next(connection).response == 2
                pdu = self.next(connection, raw.RESPONSE)
                assert pdu.itt == itt, pdu
                self.count("spoiled")
                if pdu.sense in TOLD:
                    continue
                assert pdu.sense == (0xb, 0x47, 5), pdu.sense
                self.count("spoiled writes")

    def other(self):
        with self.connect() as connection:
            connection.nop(b"abc", spoil="data")
            assert self.next(connection).response == 2
            self.count("spoiled")
            connection.nop(b"still there?")
            assert self.next(connection, raw.NOP_IN).data == b"still there?"


# ---- Those who look, and the one who moves ----

class Looker(parts.Actor):
    """Every question of the command, all the time, and an operator who drops sessions."""

    def step(self):
        for arguments in (["stats", "--json"], ["session", "list", "--json"], ["list", "--json"],
                          ["show", "--json", self.dice.choice(self.storm.units + ["mover"])]):
            answer = self.storm.adapter.lungfish(*arguments)
            # The unit that moves may be gone.
            assert answer.returncode == 0 or (arguments[-1] == "mover" and answer.returncode in (3, 4)), \
                "%s: status %d: %s" % (arguments, answer.returncode, answer.stdout[:600] + answer.stdout[-600:])
            if arguments[0] == "session":
                sessions = json.loads(answer.stdout)["sessions"]
                self.count("most sessions", max(0, len(sessions) - self.counts.get("most sessions", 0)))
                assert all(session["auth"] in ("chap", "mutual") for session in sessions), sessions
                self.drop(sessions)
        self.storm.enough.wait(0.2)

    def drop(self, sessions):
        may = [session for session in sessions if re.search(":(port|spoiler|reader)-", session["initiator"])]
        if may and self.dice.random() < 0.3:
            answer = self.storm.adapter.lungfish("session", "drop", str(self.dice.choice(may)["id"]))
            assert answer.returncode in (0, 3), answer.stdout
            self.count("drops", answer.returncode == 0)


class Mover(parts.Actor):
    """A unit comes and goes."""

    def step(self):
        unit = self.storm.adapter.connect(self.storm.paths["mover"])
        self.storm.adapter.disconnect(unit)
        self.count("cycles")
        if self.counts["cycles"] == CYCLES:
            self.storm.enough.set()


class Storm:
    def __init__(self, cases):
        self.scratch = tempfile.mkdtemp(prefix="storm-", dir=cases.scratch)
        self.until = os.path.join(self.scratch, "enough")
        self.enough, self.lock, self.door = threading.Event(), threading.Lock(), parts.Door()
        self.who, self.generation, self.tried = (USER, SECRET), 0, [0, 0]
        self.actors, self.soaks, self.stranger = [], [], None

    def count_tried(self, lba, more):
        """A COMPARE AND WRITE that a dropped session left without an answer stays in the count."""
        with self.lock:
            self.tried[lba] += more

    def path(self, name):
        return os.path.join(self.scratch, name)

    def start(self):
        with open(os.open(self.path("secrets"), os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(SECRETS)
        self.paths = {name: sparse(self.path(name + ".img"), size) for name, size in (
            ("soak-a", 8 * MIB), ("soak-b", 8 * MIB), ("reserved", 4 * MIB), ("counter", 4 * MIB),
            ("spoiled", 4 * MIB), ("mover", MIB))}
        stay = [self.paths[name] for name in ("soak-a", "soak-b", "reserved", "counter", "spoiled")]
        self.adapter = Adapter(self.scratch, ["--iscsi", "127.0.0.1:0,2", "--chap-file", self.path("secrets")] + stay)
        self.iqn, self.portals = self.adapter.iqn, self.adapter.portals
        discs = [parts.Drive.make(self.path("disc-%d.iso" % i), i, 2048, 512 + 200 * i) for i in range(2)]
        sticks = [parts.Drive.make(self.path("stick-%d.img" % i), i, 512, 2048) for i in range(2)]
        units = {"cd": self.adapter.connect(discs[0], "--cdrom"), "stick": self.adapter.connect(sticks[0], "--removable")}
        shown = {device["id"]: device for device in self.adapter.devices()}
        self.units = list(shown)
        self.luns = {name: shown[units.get(name, name)]["lun"] for name in list(self.paths)[:5] + list(units)}
        self.drives = [parts.Drive(self, units["cd"], self.luns["cd"], 2048, discs, False),
                       parts.Drive(self, units["stick"], self.luns["stick"], 512, sticks, True)]
        self.open_before = self.count_descriptors()
        self.events_before = self.events()

    def count_descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.adapter.process.pid))

    def events(self):
        return json.loads(self.adapter.lungfish("status", "--json").stdout)["adapters"][0]["events"]

    def show(self, unit):
        return json.loads(self.adapter.lungfish("show", "--json", unit).stdout)["devices"][0]

    def start_soaks(self):
        ways = [("soak-a", ["--header-digest", "--data-digest", "--chap-target", "%s:%s" % (MUTUAL, MUTUAL_SECRET)]),
                ("soak-b", ["--data-digest", "--no-immediate", "--initial-r2t"])]
        for i, (name, options) in enumerate(ways):
            with open(self.path(name + ".err"), "w") as errors:
                self.soaks.append(subprocess.Popen(
                    [find_tool("lf-soak"), "--target", self.adapter.url(self.paths[name]), "--region", "0:2048",
                     "--seed", str(i + 1), "--depth", "8", "--until-file", self.until, "--chap",
                     "%s:%s" % self.who] + options, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors))

    def blow(self):
        self.start_soaks()
        for i, drive in enumerate(self.drives):
            self.actors += [parts.Reader(drive, "reader-%d" % i, 2 + 10 * i, 1),
                            parts.Reader(drive, "reader-%d-deep" % i, 3 + 10 * i, 8),
                            parts.Operator(drive, "operator-%d" % i, 4 + 10 * i),
                            parts.Loader(drive, "loader-%d" % i, 5 + 10 * i)]
        contenders = [Contender(self, i) for i in (1, 2, 3)]
        self.stranger = parts.Nexus(contenders[0], self.luns["reserved"], "stranger", 9)
        self.actors += contenders + [Liar(self, 1), Liar(self, 2), Spoiler(self, 1), Spoiler(self, 2),
                                     Looker(self, "looker", 1), Mover(self, "mover", 1)]
        for actor in self.actors:
            actor.start()
        self.enough.wait(MOST_S)
        self.enough.set()
        for actor in self.actors:
            actor.join(120)
            print("# %s: %s" % (actor.name, actor.counts), flush=True)
        self.stranger.close()
        assert self.adapter.is_alive(), "lungfishd died: %s" % self.adapter.log()
        assert not any(actor.is_alive() for actor in self.actors), "some never ended"
        errors = [actor.name + ": " + actor.error for actor in self.actors if actor.error]
        assert not errors, "\n".join(errors)

    def total(self, what):
        return sum(actor.counts.get(what, 0) for actor in self.actors)

    def check_soaks(self):
        with open(self.until, "w"):
            pass
        for name, soak in zip(("soak-a", "soak-b"), self.soaks):
            lines = [line for line in soak.communicate(timeout=90)[0].decode().splitlines() if line.startswith("{")]
            with open(self.path(name + ".err"), errors="replace") as errors:
                assert soak.returncode == 0 and lines, "%s: status %d: %s" % (name, soak.returncode, errors.read()[-2000:])
            print("# %s: %s" % (name, lines[-1]), flush=True)
            result = json.loads(lines[-1])
            assert result["miscompares"] == 0 and result["unexpected"] == 0 and result["gone"] is None, result

    def check_did_something(self):
        for what in ("reads", "writes", "changes", "6/28/00", "loaded", "stamps", "logins", "resets", "counted", "refused",
                     "spoiled", "cycles"):
            assert self.total(what) > 0, "not one of: %s" % what

    def check_counter(self):
        with open(self.paths["counter"], "rb") as image:
            values = [struct.unpack(">Q", image.read(512)[:8])[0] for _ in self.tried]
        lost = sum(self.tried) - self.total("counted")
        assert 0 <= lost <= self.total("dropped"), (self.tried, self.total("counted"))
        print("# counted to %s by %s, %d of them unanswered" % (values, self.tried, lost), flush=True)
        assert sum(self.tried) - lost <= sum(values) and all(value <= tried for value, tried in zip(values, self.tried)), (
            "counted to %s, by %s GOOD answers" % (values, self.tried))

    def check_spoiled(self):
        """Of data with a wrong digest, and of the rest of its command, nothing was written."""
        with open(self.paths["spoiled"], "rb") as image:
            assert not any(image.read()), "spoiled data is on the medium"

    def check_events(self):
        after = self.events()
        for event, least in (("iscsi_not_authenticated", self.total("not proven")),
                             ("iscsi_login_refused", self.total("refused")),
                             ("iscsi_digest_error", self.total("spoiled"))):
            risen = after[event] - self.events_before[event]
            print("# %s: %d, at least %d" % (event, risen, least), flush=True)
            assert risen >= least, "%s rose by %d, not %d" % (event, risen, least)

    def check_images(self):
        """Ejected, they are anybody's, and hold what was written to each of them."""
        for drive in self.drives:
            drive.change("eject", drive.unit, "--force")
            for which, lba in drive.written:
                content = drive.content(drive.images[which])[lba * 512:]
                data = drive.written[which, lba]
                assert content.startswith(data), "image %d, LBA %d: %s, not %s" % (
                    which, lba, content[:16].hex(), data[:16].hex())
            if drive.writable:
                for which, image in enumerate(drive.images):
                    others = [at for at in range(0, MIB, 512) if drive.content(image)[at:at + 4] == b"IMG%d" % (1 - which)]
                    assert not others, "what was meant for the other image: %s" % others
        other = Adapter(self.scratch, ["--no-state"] + self.drives[1].images)
        try:
            for image in self.drives[0].images:
                other.connect(image, "--cdrom")
            assert other.stop() == 0, other.log()
        finally:
            other.kill()

    def check_descriptors(self):
        least = self.open_before - len(self.drives)  # whose images are out
        end = time.monotonic() + 60
        while self.count_descriptors() > least and time.monotonic() < end:
            time.sleep(0.1)
        assert self.count_descriptors() <= least, "%d descriptors before, %d after" % (
            self.open_before, self.count_descriptors())

    def check_stop(self):
        status = self.adapter.stop()
        assert status == 0, "lungfishd ended with status %d: %s" % (status, self.adapter.log())

    def check_log(self):
        wrong = [line for line in self.adapter.log().splitlines() if not LOG_LINES.fullmatch(line)]
        assert not wrong, "the log has lines of what initiators did: %s" % wrong[:20]

    def kill_all(self):
        self.enough.set()
        if self.stranger:
            self.stranger.close()
        for soak in self.soaks:
            if soak.poll() is None:
                soak.kill()
                soak.wait()
        if hasattr(self, "adapter"):
            self.adapter.kill()


def main():
    cases = Cases()
    storm = Storm(cases)
    try:
        for name, case in (("starts", storm.start),
                           ("everybody_is_answered_as_he_should_be", storm.blow),
                           ("no_wrong_block_on_units_that_stay", storm.check_soaks),
                           ("everybody_did_something", storm.check_did_something),
                           ("counts_what_was_good", storm.check_counter),
                           ("writes_nothing_of_what_was_spoiled", storm.check_spoiled),
                           ("counts_those_who_were_refused", storm.check_events),
                           ("ejected_images_are_free_and_whole", storm.check_images),
                           ("leaves_no_descriptor_open", storm.check_descriptors),
                           ("daemon_ends_cleanly", storm.check_stop),
                           ("logs_nothing_of_what_initiators_did", storm.check_log)):
            before = cases.failed
            cases.run("storm_mixed_" + name, case)
            if cases.failed > before and (name == "starts" or not storm.adapter.is_alive()) and name != "daemon_ends_cleanly":
                break
        if cases.failed and hasattr(storm, "adapter"):
            print("# the daemon's log: %s" % storm.adapter.log()[-4000:].replace("\n", "\n# "), flush=True)
    finally:
        storm.kill_all()
    cases.finish()


if __name__ == "__main__":
    main()
