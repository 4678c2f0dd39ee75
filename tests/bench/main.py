#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
"""Compares lungfishd with tgtd (bs_type rdwr and aio) in one run; docs/bench.md says what the figures mean."""
import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import report
import servers

# Name in the tables, arguments of lf-bench-client, whether it writes.
WORKLOADS = {
    "randread 4K d1": (["--workload", "randread", "--depth", "1"], False),
    "randread 4K d32": (["--workload", "randread", "--depth", "32"], False),
    "randwrite 4K d1": (["--workload", "randwrite", "--depth", "1"], True),
    "randwrite 4K d32": (["--workload", "randwrite", "--depth", "32"], True),
    "read 1M d8": (["--workload", "read", "--depth", "8"], False),
    "write 1M d8": (["--workload", "write", "--depth", "8"], True),
}


def say(text=""):
    print(text, flush=True)


def arguments():
    parser = argparse.ArgumentParser(
        prog="./bench", description="Compares lungfishd with tgtd in one run: server on one processor, client on "
        "another. docs/bench.md says what is measured.")
    parser.add_argument("--quick", action="store_true", help="a minute or two: short runs, two rounds, idle for 2 s")
    parser.add_argument("--rounds", type=int, help="of all servers in turn (3)")
    parser.add_argument("--seconds", type=float, help="measured time of each run (3)")
    parser.add_argument("--idle-seconds", type=float, help="(5)")
    parser.add_argument("--size", type=int, metavar="MIB", help="of each image (512)")
    parser.add_argument("--dir", default="/var/tmp", help="where the images on a real file system go (/var/tmp)")
    parser.add_argument("--media", default="tmpfs,dir", help="tmpfs, dir or both (tmpfs,dir)")
    parser.add_argument("--servers", default=",".join(servers.KINDS), help="which of %(default)s")
    parser.add_argument("--workloads", help="only workloads with this in their name")
    parser.add_argument("--json", metavar="FILE", help="keeps all figures there")
    parser.add_argument("--build", default="build-bench", help="where the programs are (build-bench)")
    chosen = parser.parse_args()
    for name, normal, quick in (("rounds", 3, 2), ("seconds", 3.0, 0.7), ("idle_seconds", 5.0, 2.0),
                                ("size", 512, 256)):
        if getattr(chosen, name) is None:
            setattr(chosen, name, quick if chosen.quick else normal)
    for name in chosen.servers.split(","):
        if name not in servers.KINDS:
            parser.error("there is no server %s" % name)
    if chosen.rounds < 1 or chosen.seconds <= 0 or chosen.size < 64:
        parser.error("--rounds from 1, --seconds above 0, --size from 64")
    return chosen


class Bench:
    def __init__(self, chosen):
        self.chosen = chosen
        self.client = servers.find_program(chosen.build, "lf-bench-client")
        processors = sorted(os.sched_getaffinity(0))
        self.server_processor, self.client_processor = processors[0], processors[-1]
        self.workloads = {name: how for name, how in WORKLOADS.items()
                          if not chosen.workloads or chosen.workloads in name}
        self.media, self.idle, self.absent, self.opened = {}, {}, {}, {}
        self.failed = False

    def run_client(self, server, options):
        answer = subprocess.run([self.client, "--target", server.url, "--server-pid", str(server.pid), "--cpu",
                                 str(self.client_processor)] + options, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        if answer.returncode:
            self.failed = True
            say("bench: %s: lf-bench-client %s failed: %s" % (server.name, " ".join(options),
                                                              (answer.stderr + answer.stdout).strip()))
        return json.loads(answer.stdout) if answer.stdout.startswith("{") else None

    def start(self, directory, scratch):
        """Starts each server over an image of its own, stamped from end to end through the server."""
        running = []
        for name in self.chosen.servers.split(","):
            server = servers.KINDS[name](name, scratch)
            image = os.path.join(directory, name + ".img")
            with open(image, "wb") as file:
                file.truncate(self.chosen.size << 20)
            try:
                server.start(self.chosen.build, image, self.server_processor)
            except servers.Unavailable as why:
                self.absent[name] = str(why)
                server.stop()
                continue
            server.image = image
            running.append(server)
            self.run_client(server, ["--workload", "fill"])
        return running

    def measure(self, medium, running):
        runs = {server.name: {workload: [] for workload in self.workloads} for server in running}
        for number in range(self.chosen.rounds):
            for workload, (options, writes) in self.workloads.items():
                for server in running:
                    settle(server.image, 1 << 20 if "1M" in workload else 4096)
                    last = number == self.chosen.rounds - 1
                    result = self.run_client(server, options + ["--seconds", str(self.chosen.seconds)] +
                                             (["--verify"] if writes and last else []))
                    if result is None:
                        return
                    runs[server.name][workload].append(result)
            say("  %s: round %d of %d done" % (medium, number + 1, self.chosen.rounds))
        self.media[medium] = runs

    def sit_idle(self, running):
        for server in running:
            result = self.run_client(server, ["--workload", "idle", "--sessions", "4", "--seconds",
                                              str(self.chosen.idle_seconds)])
            if result:
                self.idle[server.name] = result

    def run_medium(self, medium, parent):
        directory = tempfile.mkdtemp(prefix="lungfish-bench-", dir=parent)
        running = []
        try:
            running = self.start(directory, directory)
            if not running:
                return
            self.opened[medium] = {server.name: server.how_opened(server.image) for server in running}
            self.measure(medium, running)
            if not self.idle:
                self.sit_idle(running)
        finally:
            for server in running:
                server.stop()
            shutil.rmtree(directory, ignore_errors=True)


def settle(image, piece_bytes):
    """
    What earlier writes left dirty goes to the disk now and not into the next run, which finds the page cache as
    I/O of its own size leaves it: the kernel takes far longer over 4 KiB of a folio of 1 MiB than over a page,
    whoever asks, and that would drown what the servers differ in. A file system in memory keeps its pages.
    """
    descriptor = os.open(image, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    if piece_bytes == 4096:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    for place in range(0, os.fstat(descriptor).st_size, piece_bytes):
        os.pread(descriptor, piece_bytes, place)
    os.close(descriptor)


def file_system(path):
    answer = subprocess.run(["stat", "-f", "-c", "%T", path], stdout=subprocess.PIPE, universal_newlines=True)
    return answer.stdout.strip()


def describe(bench):
    chosen = bench.chosen
    say("%s, Linux %s, %d processors; server on %d, client on %d; load %s" % (
        time.strftime("%Y-%m-%d"), platform.release(), len(os.sched_getaffinity(0)), bench.server_processor,
        bench.client_processor, "%.2f %.2f %.2f" % os.getloadavg()))
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as chosen_control:
        say("TCP congestion control of all: %s" % chosen_control.read().strip())
    say("%d rounds of %g s; images of %d MiB, each server its own; every block read is checked" % (
        chosen.rounds, chosen.seconds, chosen.size))
    if bench.server_processor == bench.client_processor:
        say("warning: one processor only: server and client share it, and no figure means much")
    if os.getloadavg()[0] > 0.5:
        say("warning: something else runs here: the spread shows how much it disturbs")


def main():
    chosen = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        bench = Bench(chosen)
    except servers.Unavailable as why:
        sys.exit("bench: %s" % why)
    describe(bench)
    places = {"tmpfs": "/dev/shm", "dir": chosen.dir}
    for place in chosen.media.split(","):
        if place not in places:
            sys.exit("bench: there is no medium %s" % place)
        medium = place if place == "tmpfs" else "%s (%s)" % (chosen.dir, file_system(chosen.dir))
        bench.run_medium(medium, places[place])
    for name, why in bench.absent.items():
        say("skip %s: %s" % (name, why))
    for medium, runs in bench.media.items():
        say("\n".join(report.table(medium, runs, bench.workloads, bench.opened[medium])))
    say("\n".join(report.idle_lines(bench.idle)))
    if not chosen.workloads:
        say("\n".join(report.marks(bench.media, bench.idle, bench.workloads)))
    if chosen.json:
        with open(chosen.json, "w") as file:
            json.dump({"schema": 1, "kernel": platform.release(), "rounds": chosen.rounds,
                       "seconds": chosen.seconds, "media": bench.media, "opened": bench.opened, "idle": bench.idle,
                       "absent": bench.absent}, file, indent=1)
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
