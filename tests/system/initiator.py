#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan
"""The project's own initiator: every workload and way to move write data, and that it sees data that is wrong."""
import json
import os
import subprocess

from adapter import Adapter, Cases, find_tool, run, sparse

MIB = 1 << 20
LOGINS = {
    "immediate": [],
    "unsolicited": ["--no-immediate"],
    "r2t_only": ["--no-immediate", "--initial-r2t"],
    "all_three": ["--first-burst", "1024", "--max-burst", "2048"],
    "header_digest": ["--header-digest"],
    "data_digest": ["--data-digest", "--no-immediate"],
    "both_digests": ["--header-digest", "--data-digest", "--first-burst", "1024", "--max-burst", "2048"],
}


class Tests:
    def __init__(self, cases):
        self.scratch = cases.scratch
        self.image = sparse(os.path.join(self.scratch, "disk.img"), 32 * MIB)
        self.adapter = Adapter(self.scratch, [self.image])
        self.url = self.adapter.url(self.image)

    def bench(self, *options):
        answer = run([find_tool("lf-bench-client"), "--target", self.url, "--server-pid",
                      str(self.adapter.process.pid)] + list(options))
        result = next((json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")), None)
        return answer, result

    def workloads(self):
        for options in (["fill"], ["randread", "--depth", "32"], ["randwrite", "--depth", "32", "--verify"],
                        ["randwrite", "--depth", "1", "--fua"], ["read"], ["write", "--verify"], ["verify"]):
            if options[0] not in ("fill", "verify"):
                options = options + ["--ios", "200"]
            answer, result = self.bench("--workload", *options)
            assert answer.returncode == 0, answer.stdout
            assert result["ios"] >= 32 and result["errors"] == 0 and result["miscompares"] == 0, answer.stdout

    def logins(self, options):
        answer, _ = self.bench("--workload", "write", "--ios", "64", "--verify", *options)
        assert answer.returncode == 0, answer.stdout
        answer = run([find_tool("lf-soak"), "--target", self.url, "--ios", "3000"] + options)
        assert answer.returncode == 0, answer.stdout

    def chap(self):
        """Both sides prove who they are; neither takes a wrong proof."""
        path = os.path.join(self.scratch, "secrets")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write("initiator:initiators secret\nmutual target:the targets secret\n")
        image = sparse(os.path.join(self.scratch, "private.img"), 4 * MIB)
        adapter = Adapter(self.scratch, ["--chap-file", path, image])
        who, other = ["--chap", "initiator:initiators secret"], ["--chap-target", "target:the targets secret"]
        try:
            for options, status in ((who, 0), (who + other + ["--data-digest"], 0), ([], 1), (who[:1] + ["initiator:x"], 1),
                                    (who + ["--chap-target", "target:another one's secret"], 1)):
                answer = run([find_tool("lf-soak"), "--target", adapter.url(image), "--ios", "200"] + options)
                assert answer.returncode == status, (options, answer.stdout)
            assert adapter.stop() == 0, adapter.log()
        finally:
            adapter.kill()

    def idle(self):
        answer, result = self.bench("--workload", "idle", "--seconds", "1")
        assert answer.returncode == 0 and result["sessions"] == 4, answer.stdout

    def wrong_data_is_seen(self):
        answer, _ = self.bench("--workload", "fill")
        assert answer.returncode == 0, answer.stdout
        with open(self.image, "r+b") as file:
            file.seek(512 * 1000 + 300)
            file.write(b"x")
            file.seek(512 * 2000)
            moved = file.read(512)
            file.seek(512 * 3000)
            file.write(moved)
            file.seek(512 * 4000)
            file.write(bytes(512))
        answer, result = self.bench("--workload", "verify")
        assert answer.returncode == 1 and result["miscompares"] == 3, answer.stdout
        answer, result = self.bench("--workload", "randread", "--seed", "2", "--ios", "10")
        assert answer.returncode == 1 and result["miscompares"] > 0, answer.stdout

    def soak_sees_another_writer(self):
        """lf-soak keeps to its region: a foreign write to the image under it must be found."""
        until = os.path.join(self.scratch, "enough")
        soak = subprocess.Popen([find_tool("lf-soak"), "--target", self.url, "--region", "0:512", "--until-file", until,
                                 "--announce"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert soak.stdout.readline() == b"running\n"
        with open(self.image, "r+b") as file:
            for _ in range(50):
                file.seek(0)
                file.write(b"foreign!" * 64 * 512)
                file.flush()
        with open(until, "w"):
            pass
        output = soak.communicate()[0].decode()
        assert soak.returncode == 1 and json.loads(output.splitlines()[-1])["miscompares"] > 0, output

    def end(self):
        status = self.adapter.stop()
        assert status == 0, "status %d: %s" % (status, self.adapter.log())


def main():
    cases = Cases()
    tests = Tests(cases)
    try:
        cases.run("initiator_workloads", tests.workloads)
        for name, options in LOGINS.items():
            cases.run("initiator_login_%s" % name, tests.logins, options)
        cases.run("initiator_chap", tests.chap)
        cases.run("initiator_idle", tests.idle)
        cases.run("initiator_sees_wrong_data", tests.wrong_data_is_seen)
        cases.run("soak_sees_another_writer", tests.soak_sees_another_writer)
        cases.run("daemon_ends_cleanly", tests.end)
    finally:
        tests.adapter.kill()
    cases.finish()


if __name__ == "__main__":
    main()
