#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan tsan
"""Units come and go (STORM_CYCLES times, 1000) while four initiators keep I/O in flight on units that stay, and
another one hammers those that go: nobody reads a wrong block, everybody is told what RFC and SAM want told."""
import json
import os
import select
import subprocess
import tempfile
import time

from adapter import Adapter, Cases, find_tool, sparse

CYCLES = int(os.environ.get("STORM_CYCLES", "1000"))
MOST_S = float(os.environ.get("STORM_SECONDS", "230"))  # the runner gives a script 300
BEGAN = time.monotonic()
HAMMER_EVERY = 5
WHO = ["--chap", "storm:the storm's own secret"]
TARGET = ["--chap-target", "target:the target's own secret"]
SECRETS = "storm:the storm's own secret\nmutual target:the target's own secret\n"
MIB = 1 << 20


class Soak:
    """One lf-soak under way."""

    def __init__(self, scratch, name, url, *options):
        self.url, self.errors = url, os.path.join(scratch, name + ".err")
        with open(self.errors, "w") as errors:
            self.process = subprocess.Popen([find_tool("lf-soak"), "--target", url] + WHO + list(options),
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)

    def wait_until_running(self):
        """It filled its region, or it ended."""
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        assert ready, "lf-soak on %s has not filled its region in 60 s" % self.url

    def result(self):
        output = self.process.communicate(timeout=90)[0].decode()
        lines = [line for line in output.splitlines() if line.startswith("{")]
        with open(self.errors, errors="replace") as errors:
            assert self.process.returncode == 0, "lf-soak on %s: status %d: %s %s" % (
                self.url, self.process.returncode, errors.read()[-2000:], lines)
        return json.loads(lines[-1])

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Storm:
    def __init__(self, cases, engine, cycles):
        self.scratch = tempfile.mkdtemp(prefix="storm-", dir=cases.scratch)
        self.until = os.path.join(self.scratch, "enough")
        self.engine, self.cycles = engine, cycles
        self.soaks, self.hammers, self.hammer, self.results = [], [], None, []
        self.done = 0
        self.last_gone = None

    def start(self):
        stays = [sparse(os.path.join(self.scratch, "stay-%d.img" % i), 16 * MIB) for i in range(3)]
        self.movers = [sparse(os.path.join(self.scratch, "go-%d.img" % i), 4 * MIB) for i in range(3)]
        secrets = os.path.join(self.scratch, "secrets")
        with open(os.open(secrets, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(SECRETS)
        self.adapter = Adapter(self.scratch, ["--chap-file", secrets] + stays[:2], engine=self.engine)
        self.adapter.connect(stays[2], "--block-size", "4096")
        self.open_before = self.count_descriptors()
        places = [(stays[0], "0:1024"), (stays[1], "4096:1024"), (stays[2], "512:512"), (stays[0], "8192:1024")]
        logins = [[], ["--no-immediate", "--initial-r2t", "--header-digest", "--data-digest"] + TARGET,
                  ["--first-burst", "4096", "--max-burst", "8192", "--data-digest"], ["--header-digest"]]
        for i, (image, region) in enumerate(places):
            options = ["--region", region, "--seed", str(100 + i), "--depth", "8", "--until-file", self.until]
            options += ["--report-luns"] if i % 2 else []
            self.soaks.append(Soak(self.scratch, "stay-%d" % i, self.adapter.url(image), *options, "--announce",
                                   *logins[i]))
        for soak in self.soaks:
            soak.wait_until_running()
            assert soak.process.poll() is None, soak.result()

    def count_descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.adapter.process.pid))

    def go(self):
        """Two units are connected at any time; the older one goes when a newer one came."""
        end = BEGAN + MOST_S
        connected = []
        for cycle in range(self.cycles):
            image = self.movers[cycle % len(self.movers)]
            connected.append(self.adapter.connect(image))
            if self.hammer is None and cycle % HAMMER_EVERY == 0:
                url = self.adapter.url(image)
                self.hammer = (cycle, Soak(self.scratch, "go-%d" % cycle, url, "--may-go", "--announce", "--region",
                                           "0:256", "--seed", str(cycle), "--until-file", self.until))
                self.hammer[1].wait_until_running()
            if len(connected) == 2:
                self.disconnect(cycle - 1, connected.pop(0))
            self.done = cycle + 1
            if time.monotonic() > end:
                break
        self.disconnect(self.done - 1, connected.pop(0))
        print("# %d units came and went" % self.done, flush=True)

    def disconnect(self, cycle, unit):
        self.adapter.disconnect(unit)
        if self.hammer and self.hammer[0] == cycle:
            self.last_gone = self.hammer[1].url
            self.hammers.append(self.hammer[1].result())
            self.hammer = None

    def check_cycles(self):
        self.go()
        assert self.adapter.is_alive(), self.adapter.log()
        assert self.done == self.cycles, "%d of %d cycles: STORM_SECONDS, %g, allows more" % (
            self.done, self.cycles, MOST_S)

    def check_gone(self):
        assert self.hammers, "no unit was hammered"
        answers = {hammer["gone"] for hammer in self.hammers}
        assert answers == {"05/25/00"}, "units that went answered %s" % answers
        unanswered = sum(hammer["unanswered"] for hammer in self.hammers)
        assert unanswered == 0, "%d commands were never answered" % unanswered
        late = Soak(self.scratch, "late", self.last_gone, "--may-go").result()
        assert late["gone"] == "05/25/00", late

    def check_stays(self):
        with open(self.until, "w"):
            pass
        self.results = [soak.result() for soak in self.soaks]
        for result in self.results:
            print("# %s" % json.dumps(result), flush=True)
            assert result["miscompares"] == 0 and result["unexpected"] == 0 and result["gone"] is None, result

    def check_attentions(self):
        assert len(self.results) == len(self.soaks), "not every soak ended well"
        for result in self.results:
            assert result["unit_attentions"].get("3F/0E", 0) > 0, result
        assert any(result["report_luns"] > 0 for result in self.results), self.results

    def check_descriptors(self):
        end = time.monotonic() + 60
        while self.count_descriptors() > self.open_before and time.monotonic() < end:
            time.sleep(0.1)
        assert self.count_descriptors() <= self.open_before, "%d descriptors before, %d after" % (
            self.open_before, self.count_descriptors())

    def check_stop(self):
        status = self.adapter.stop()
        assert status == 0, "lungfishd ended with status %d: %s" % (status, self.adapter.log())

    def kill_all(self):
        for soak in self.soaks + ([self.hammer[1]] if self.hammer else []):
            soak.kill()
        if hasattr(self, "adapter"):
            self.adapter.kill()


def run_storm(cases, title, engine, cycles):
    storm = Storm(cases, engine, cycles)
    try:
        for name, case in (("starts", storm.start),
                           ("units_come_and_go", storm.check_cycles),
                           ("gone_unit_answers_logical_unit_not_supported", storm.check_gone),
                           ("no_wrong_block_on_units_that_stay", storm.check_stays),
                           ("others_raise_reported_luns_data_has_changed", storm.check_attentions),
                           ("leaves_no_descriptor_open", storm.check_descriptors),
                           ("daemon_ends_cleanly", storm.check_stop)):
            before = cases.failed
            cases.run("%s_%s" % (title, name), case)
            if name == "starts" and cases.failed > before:
                break
        if cases.failed and hasattr(storm, "adapter"):
            print("# the daemon's log: %s" % storm.adapter.log()[-4000:].replace("\n", "\n# "), flush=True)
    finally:
        storm.kill_all()


def main():
    cases = Cases()
    run_storm(cases, "storm", None, CYCLES)
    run_storm(cases, "storm_threads", "threads", (CYCLES + 3) // 4)
    cases.finish()


if __name__ == "__main__":
    main()
